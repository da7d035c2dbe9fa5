"""PLOS: figures in the body, ids and hrefs like `pone.0000001.g001`, titles with paragraphs, DOIs as object ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biomedica.demo.draw.canvas import Pen, pick
from biomedica.demo.encode import encode
from biomedica.demo.rich import Spelling, rich
from biomedica.demo.write.body import Body
from biomedica.demo.write.front import front, references
from biomedica.demo.write.parts import Studio, cite, display_math, html_table, inline_math

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.write.doc import Doc, Figure
    from biomedica.demo.write.front import Meta
    from biomedica.demo.write.parts import Plan

DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD Journal Publishing DTD v3.0 20080202//EN" "http://dtd.nlm.nih.gov/publishing/3.0/journalpublishing3.dtd">'


def spelling(rng: np.random.Generator) -> Spelling:
    """Hex entities or plain UTF-8, and sometimes broken lines."""
    return Spelling(pick(rng, ("hex", "literal")), bool(rng.random() < 0.5))


def write(doc: Doc, meta: Meta, plan: Plan) -> str:
    """The article's XML."""
    studio, base = Studio(doc, plan), f"pone.{meta.number:07d}"
    word = pick(doc.rng, ("Figure", "Fig"))
    figures = []
    for number in range(1, plan.figures + 1):
        figure = studio.figure(
            f"pone-{meta.number:07d}-g{number:03d}", f"{word} {number}", look=pick(doc.rng, ("title", "title", "split"))
        )
        studio.attach(figure, f"{base}.g{number:03d}")
        figures.append(figure)
    if len(figures) > 1 and figures[1].paragraphs:
        figures[1].paragraphs[-1] += rich(
            " Symbols as in {fig}; compare the inset of {self}.", fig=cite(figures[0]), self=cite(figures[1])
        )
    formula = f"{base}.e001"
    if plan.images:
        doc.files[f"{formula}.jpg"] = _formula_picture(studio)

    def here(figure: Figure) -> str:
        doi = f'<object-id pub-id-type="doi">10.5555/journal.{figure.href or base}</object-id>'
        return studio.fig(figure, before=doi)

    doc.add(
        f'<?xml version="1.0" encoding="UTF-8"?>\n{DOCTYPE}\n<article xmlns:mml="http://www.w3.org/1998/Math/MathML" xmlns:xlink="http://www.w3.org/1999/xlink" article-type="{meta.article_type}" dtd-version="3.0" xml:lang="EN">\n'
    )
    doc.add(front(doc, meta))
    math = (inline_math(int(doc.rng.integers(11, 99))), display_math(1, formula), display_math(2))
    Body(
        doc,
        meta,
        figures,
        here,
        nested=bool(doc.rng.random() < 0.2),
        math=math,
        extra=lambda: _table(studio, meta, base),
    ).emit()
    doc.add(
        "<back><ack><p>We thank all synthetic participants.</p></ack>",
        references(doc, meta, "element-citation"),
        _supplement(doc, base),
        "</back></article>\n",
    )
    return doc.xml()


def _formula_picture(studio: Studio) -> bytes:
    pen = Pen(160, 48)
    pen.text(80, 24, f"y = a x + {int(studio.doc.rng.integers(2, 99))}", 22)
    return encode(pen.finish(), "jpeg").data


def _table(studio: Studio, meta: Meta, base: str) -> str:
    """A table as a picture with the real table beside it, as PLOS has them; its notes may point to a figure."""
    doc = studio.doc
    if doc.rng.random() < 0.45:
        return f'<table-wrap id="t9"><label>Table 9</label><caption><title>Plain numbers.</title></caption>{html_table(doc)}</table-wrap>'
    figure = studio.figure(f"pone-{meta.number:07d}-t001", "Table 1", "table", "title")
    figure.element, figure.kind = "table-wrap", "table"
    studio.attach(figure, f"{base}.t001")
    head = f'<table-wrap id="{figure.id}" position="float">{doc.label(figure)}{doc.caption(figure)}<alternatives>{studio.inside(figure)}{html_table(doc)}</alternatives>'
    first = doc.figures[0]
    foot = doc.p(rich("Values belong to {fig}.", fig=cite(first)), inside=figure)
    return f'{head}<table-wrap-foot><fn id="nt101">{foot}</fn></table-wrap-foot></table-wrap>'


def _supplement(doc: Doc, base: str) -> str:
    """Supporting information: files with captions, which are no figures."""
    caption = doc.p(rich("Raw values behind the figures. (XLS)"))
    return f'<sec sec-type="supplementary-material"><title>Supporting information</title><supplementary-material id="s001" mimetype="application/vnd.ms-excel" xlink:href="{base}.s001.xls"><label>Table S1</label><caption><title>Raw data.</title>{caption}</caption></supplementary-material></sec>'

"""Elsevier as PMC has it: floats in `floats-group`, thumbnails in `alternatives`, `ali:license_ref`, graphical abstracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biomedica.demo import encode, words
from biomedica.demo.draw.canvas import pick
from biomedica.demo.rich import Spelling, rich, xref
from biomedica.demo.write.body import Body
from biomedica.demo.write.front import front, references
from biomedica.demo.write.parts import Studio, display_math, graphic, html_table, inline_math

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.write.doc import Doc, Figure
    from biomedica.demo.write.front import Meta
    from biomedica.demo.write.parts import Plan

DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD with MathML3 v1.3 20210610//EN" "JATS-archivearticle1-3-mathml3.dtd">'


def spelling(rng: np.random.Generator) -> Spelling:
    """Hex or decimal entities."""
    return Spelling(pick(rng, ("hex", "decimal")))


def write(doc: Doc, meta: Meta, plan: Plan) -> str:
    """The article's XML."""
    studio, rng = Studio(doc, plan), doc.rng
    abstract = studio.figure("undfig1", None, look="plain") if rng.random() < 0.6 else None
    if abstract:
        studio.attach(abstract, "fx1")
    figures = []
    for number in range(1, max(2, plan.figures) + 1):
        figure = studio.figure(
            f"fig{number}",
            f"Fig.~{number}" if rng.random() < 0.3 else f"Fig. {number}",
            look=pick(rng, ("plain", "bold")),
        )
        studio.attach(figure, f"gr{number}", thumb=False)
        if figure.encoded and figure.fault is None and figure.drawing:
            doc.files[f"gr{number}_thumb.gif"] = encode.thumbnail(figure.drawing.image)
        figures.append(figure)
    table = studio.figure("tbl1", "Table 1", "table", "plain") if rng.random() < 0.5 else None
    if table:
        table.element, table.kind = "table-wrap", "table"
        studio.attach(table, "tbl1", form="png" if rng.random() < 0.5 else None)

    doc.add(
        f'<?xml version="1.0" encoding="utf-8"?>\n{DOCTYPE}\n<article xmlns:mml="http://www.w3.org/1998/Math/MathML" xmlns:xlink="http://www.w3.org/1999/xlink" xml:lang="en" article-type="{meta.article_type}"><?properties open_access?><processing-meta base-tagset="archiving" mathml-version="3.0"/>'
    )
    doc.add(front(doc, meta, lambda: _extras(studio, meta, abstract)))
    shown = [*figures, table] if table else figures
    Body(doc, meta, shown, dash=pick(rng, ("–", "-", " to ")), math=(inline_math(88), display_math(1))).emit()
    doc.add("<back>", references(doc, meta, "element-citation"), _appendix(doc, meta), "</back><floats-group>")
    for figure in figures:
        doc.add(_float(studio, figure))
    if table:
        doc.add(
            f'<table-wrap position="float" id="tbl1">{doc.label(table)}{doc.caption(table)}<alternatives>{studio.inside(table)}{html_table(doc)}</alternatives></table-wrap>'
        )
    doc.add("</floats-group></article>")
    return doc.xml()


def _extras(studio: Studio, meta: Meta, figure: Figure | None) -> str:
    """Highlights, and the graphical abstract: its caption is its own or the abstract's paragraph."""
    doc = studio.doc
    points = "".join(
        f"<list-item><label>•</label>{doc.p(rich(words.sentence(doc.rng, meta.about)))}</list-item>" for _ in range(3)
    )
    highlights = f'<abstract abstract-type="author-highlights" id="abs0020"><title>Highlights</title><p><list list-type="simple">{points}</list></p></abstract>'
    highlights = doc.spelling.characters(highlights)
    if not figure:
        return highlights
    figure.kind = "graphical-abstract"
    if doc.rng.random() < 0.5 and figure.fault is None:
        words_of = figure.paragraphs[0]
        figure.paragraphs, figure.borrowed = [], words_of.text
        inside = doc.p(words_of) + studio.fig(figure, attributes=' position="anchor"')
    else:
        inside = studio.fig(figure, attributes=' position="anchor"')
    return f'<abstract abstract-type="graphical" id="abs0010"><title>Graphical abstract</title>{inside}</abstract>{highlights}'


def _float(studio: Studio, figure: Figure) -> str:
    """A float whose picture has a thumbnail beside it."""
    doc = studio.doc
    alt = '<alt-text id="alttext0010">Image 1</alt-text>'
    head = f'<fig id="{figure.id}" position="float">{doc.label(figure)}{doc.caption(figure)}{alt}'
    if figure.href is None:
        return f"{head}{studio.inside(figure)}</fig>"
    small = graphic(f"{figure.href}_thumb", ' specific-use="thumbnail"')
    order = (small, studio.inside(figure)) if doc.rng.random() < 0.5 else (studio.inside(figure), small)
    return f"{head}<alternatives>{order[0]}{order[1]}</alternatives></fig>"


def _appendix(doc: Doc, meta: Meta) -> str:
    """An appendix without figures that points to the first one."""
    text = doc.p(
        rich("The legend of {fig} applies here too. ", fig=xref("fig1", "Fig. 1"))
        + rich(words.sentences(doc.rng, meta.about))
    )
    return f'<app-group><app id="appsec1"><title>Appendix A</title>{text}</app></app-group>'

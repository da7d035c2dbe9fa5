"""Author manuscripts as PMC sets them (NLM 3.0): `floats-group`, scheme of a compound inside a figure, table groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biomedica.demo.draw.canvas import pick
from biomedica.demo.rich import Spelling, rich, xref
from biomedica.demo.write.body import Body
from biomedica.demo.write.doc import Group
from biomedica.demo.write.front import front, references
from biomedica.demo.write.parts import Studio, display_math, graphic, html_table, inline_tex

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.write.doc import Doc, Figure
    from biomedica.demo.write.front import Meta
    from biomedica.demo.write.parts import Plan

DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD Journal Archiving and Interchange DTD v3.0 20080202//EN" "archivearticle3.dtd">'


def spelling(rng: np.random.Generator) -> Spelling:
    """Hex or named entities, lines now and then broken."""
    return Spelling(pick(rng, ("hex", "named")), bool(rng.random() < 0.5))


def write(doc: Doc, meta: Meta, plan: Plan) -> str:
    """The article's XML."""
    studio, rng = Studio(doc, plan), doc.rng
    base = f"nihms-{meta.number}-f"
    figures = []
    for number in range(1, plan.figures + 1):
        figure = studio.figure(
            f"F{number}" if rng.random() < 0.9 else None,
            f"Figure {number}",
            look=pick(rng, ("title", "split", "plain")),
        )
        if figure.id is None:
            figure.graphic_id = f"G{number}"
        spaced = number == 2 and rng.random() < 0.3
        studio.attach(figure, f"Figure {number} final" if spaced else f"{base}{number:04d}")
        figures.append(figure)
    doc.add(
        f'<?xml version="1.0" encoding="UTF-8"?>\n{DOCTYPE}\n<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" article-type="{meta.article_type}" xml:lang="en">\n<?properties manuscript?>\n'
    )
    doc.add(front(doc, meta))
    ordered = [f for f in figures if f.id] + [f for f in figures if not f.id]
    Body(doc, meta, ordered, math=(inline_tex(31), display_math(7)), extra=lambda: _loose(studio, base)).emit()
    doc.add("<back>", references(doc, meta, "element-citation"), "</back><floats-group>")
    for number, figure in enumerate(figures, 1):
        if number == 1 and figure.fault is None and rng.random() < 0.4:
            # Two sizes side by side: the smaller one, told by its content type, is a thumbnail.
            doc.add(_with_small(studio, figure))
        else:
            doc.add(studio.fig(figure))
    doc.add(_scheme(studio, base), _tables(studio, base), "</floats-group>")
    if rng.random() < 0.35:
        _response(studio, base)
    doc.add("</article>\n")
    return doc.xml()


def _with_small(studio: Studio, figure: Figure) -> str:
    doc = studio.doc
    identifier = f' id="{figure.id}"' if figure.id else ""
    small = graphic(f"{figure.href}-small.gif", ' content-type="120x90"')
    return f"<fig{identifier}>{doc.label(figure)}{doc.caption(figure)}<alternatives>{small}{studio.inside(figure)}</alternatives></fig>"


def _loose(studio: Studio, base: str) -> str:
    """A picture that stands in the text by itself: neither label nor caption, or its own caption."""
    doc = studio.doc
    if doc.rng.random() < 0.7:
        return ""
    figure = studio.figure(None, None, pick(doc.rng, ("flowchart", "ecg", "gel")), "plain")
    figure.kind, figure.element = "other", ""
    figure.graphic_id = "UG1"
    studio.attach(figure, f"{base}9001")
    doc.place(figure)
    if doc.rng.random() < 0.5 and figure.fault is None:
        figure.paragraphs, figure.fault = [], "bare_graphic"
    inside = doc.caption(figure)
    href = f' xlink:href="{figure.href}"' if figure.href else ""
    return f'{doc.p(rich("An unnumbered picture ({fig}) follows.", fig=xref("UG1", "see below")))}<graphic id="UG1"{href}>{inside}</graphic>'


def _scheme(studio: Studio, base: str) -> str:
    """A structure wrapped within a figure: the element is the structure's, the caption the figure's around it."""
    doc = studio.doc
    if doc.rng.random() < 0.5:
        return ""
    figure = studio.figure("CS1", None, "molecule", "plain")
    figure.element, figure.kind = "chem-struct-wrap", "chem"
    studio.attach(figure, f"{base}8001")
    outer, figure.paragraphs = figure.paragraphs, []
    words = "".join(doc.p(p) for p in outer)
    figure.borrowed = " ".join(p.text for p in outer) or None
    caption = f"<caption>{words}</caption>" if words else ""
    return f'<fig id="SC1" fig-type="scheme">{caption}<chem-struct-wrap id="CS1">{studio.inside(figure)}</chem-struct-wrap></fig>'


def _tables(studio: Studio, base: str) -> str:
    """One table as markup alone, and a group of two that are pictures under one caption."""
    doc = studio.doc
    plain = f'<table-wrap id="T9" position="float"><label>Table 9</label><caption><p>Numbers.</p></caption>{html_table(doc)}</table-wrap>'
    if doc.rng.random() < 0.6:
        return plain
    group = Group("TG1", rich("Table 2"), rich("Two parts of one table."))
    out = f'<table-wrap-group id="TG1">{doc.label(group)}{doc.caption(group)}'
    for number in (1, 2):
        figure = studio.figure(f"T2{'ab'[number - 1]}", None, "table", "plain")
        figure.element, figure.kind, figure.group = "table-wrap", "table", group
        if number == 1 and figure.fault is None:
            figure.paragraphs = []
        studio.attach(figure, f"{base}700{number}")
        out += f'<table-wrap id="{figure.id}">{doc.caption(figure)}{studio.inside(figure)}</table-wrap>'
    return plain + out + "</table-wrap-group>"


def _response(studio: Studio, base: str) -> None:
    """A response of other authors at the end of the article, with a figure."""
    doc = studio.doc
    doc.scope = "RE1"
    figure = studio.figure("RF1", "Figure R1", look="plain")
    studio.attach(figure, f"{base}6001")
    doc.add(
        '<response response-type="reply" id="RE1"><front-stub><title-group><article-title>Reply</article-title></title-group></front-stub><body>'
    )
    doc.add(
        doc.p(rich("Our own data ({fig}) differ.", fig=xref("RF1", "Figure R1"))),
        studio.fig(figure),
        "</body></response>",
    )
    doc.scope = ""

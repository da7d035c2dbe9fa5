"""Frontiers: `FIGURE 1` labels, hrefs that end in `.tif` for files that are `.jpg`, boxes, and formulae in two languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biomedica.demo import words
from biomedica.demo.draw.canvas import Pen, pick
from biomedica.demo.encode import encode
from biomedica.demo.rich import Spelling, raw, rich, xref
from biomedica.demo.write.body import Body
from biomedica.demo.write.front import front, references
from biomedica.demo.write.parts import Studio, display_math, inline_math, inline_picture, inline_tex

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.write.doc import Doc
    from biomedica.demo.write.front import Meta
    from biomedica.demo.write.parts import Plan

DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD v1.0 20120330//EN" "JATS-archivearticle1.dtd" [\n<!ENTITY cohort "the training cohort">\n<!ENTITY unit "&#956;mol/L">\n]>'


def spelling(rng: np.random.Generator) -> Spelling:
    """Hex entities or UTF-8."""
    return Spelling(pick(rng, ("hex", "literal")))


def write(doc: Doc, meta: Meta, plan: Plan) -> str:
    """The article's XML."""
    studio, rng = Studio(doc, plan), doc.rng
    base = f"fimmu-{meta.year - 2008:02d}-{meta.number:05d}"
    inside = bool(rng.random() < 0.5)
    figures = []
    for number in range(1, plan.figures + 1):
        figure = studio.figure(
            f"F{number}" if rng.random() < 0.5 else f"f{number}", f"FIGURE {number}", look=pick(rng, ("bold", "plain"))
        )
        studio.attach(figure, f"{base}-g{number:03d}", pick(rng, ("tif", "tif", "upper", "path")))
        figures.append(figure)
    small = f"{base}-i001"
    if plan.images:
        pen = Pen(40, 24)
        pen.text(20, 12, "x", 16)
        doc.files[f"{small}.gif"] = encode(pen.finish(), "gif").data
    doc.add(
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n{DOCTYPE}\n<article xmlns:mml="http://www.w3.org/1998/Math/MathML" xmlns:xlink="http://www.w3.org/1999/xlink" article-type="{meta.article_type}" xml:lang="EN">'
    )
    doc.add(front(doc, meta))
    math = (inline_math(64), inline_tex(25), inline_picture(f"{small}.gif"), display_math(3))
    here = studio.fig if inside else None
    Body(
        doc,
        meta,
        figures,
        here,
        dash=pick(rng, ("–", "—", "−", " through ")),
        math=math,
        extra=lambda: _box(studio, meta, base),
    ).emit()
    doc.add("<back>", references(doc, meta, "mixed-citation"), _supplement(studio, base), "</back>")
    if not inside:
        doc.add("<floats-group>", *(studio.fig(figure) for figure in figures), "</floats-group>")
    doc.add("</article>\n")
    return doc.xml()


def _box(studio: Studio, meta: Meta, base: str) -> str:
    """A box of text with a picture of its own, and a paragraph that uses the document's own entities."""
    doc = studio.doc
    own = doc.p(
        rich("Levels in ")
        + raw("&cohort;", "the training cohort")
        + rich(" were 5~")
        + raw("&unit;", "μmol/L")
        + rich(".")
    )
    if doc.rng.random() < 0.4:
        text = doc.p(rich(words.sentences(doc.rng, meta.about)))
        return f'{own}<boxed-text id="BX1" position="float"><label>BOX 1</label><caption><title>Key points.</title></caption>{text}</boxed-text>'
    figure = studio.figure("BX1", "BOX 1", pick(doc.rng, ("flowchart", "tree", "line")), "title")
    figure.element, figure.kind = "boxed-text", "box"
    studio.attach(figure, f"{base}-b001", "exact")
    xml = f'<boxed-text id="BX1" position="float">{doc.label(figure)}{doc.caption(figure)}'
    xml += doc.p(rich(words.sentences(doc.rng, meta.about)), inside=figure) + studio.inside(figure) + "</boxed-text>"
    return own + doc.p(rich("Terms are explained in a box ({fig}).", fig=xref("BX1", "BOX 1", "boxed-text"))) + xml


def _supplement(studio: Studio, base: str) -> str:
    """Supplementary material: a file that is none of ours, and now and then a picture that is."""
    doc = studio.doc
    plain = f'<supplementary-material xlink:href="{base}-s001.pdf" id="SM1" mimetype="application/pdf"><caption>{doc.p(rich("Further methods."))}</caption></supplementary-material>'
    film = f'<supplementary-material id="SM3"><media mimetype="video" mime-subtype="avi" xlink:href="{base}-v001.avi"><caption>{doc.p(rich("Video of the cells."))}</caption></media></supplementary-material>'
    if doc.rng.random() < 0.5:
        return f'<sec sec-type="supplementary-material"><title>Supplementary Material</title>{plain}{film}</sec>'
    figure = studio.figure("SM2", "Image S1", look="plain")
    figure.element, figure.kind = "supplementary-material", "other"
    studio.attach(figure, f"{base}-s002", "exact", thumb=False)
    picture = f'<supplementary-material id="SM2">{doc.label(figure)}{doc.caption(figure)}'
    doc.place(figure)
    href = f' xlink:href="{figure.href}"' if figure.href else ""
    picture += f'<media mimetype="image" mime-subtype="jpeg"{href}/></supplementary-material>'
    return f'<sec sec-type="supplementary-material"><title>Supplementary Material</title>{plain}{picture}{film}</sec>'

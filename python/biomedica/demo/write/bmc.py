"""BMC under NLM 2.x: `floats-wrap`, `citation`, `chem-struct-wrapper`, labels in bold, additional files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biomedica.demo.draw.canvas import pick
from biomedica.demo.rich import Part, Rich, Spelling, rich, xref
from biomedica.demo.write.body import Body
from biomedica.demo.write.front import front, references
from biomedica.demo.write.parts import Studio, display_math, graphic, inline_math

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.write.doc import Doc
    from biomedica.demo.write.front import Meta
    from biomedica.demo.write.parts import Plan

DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD Journal Archiving and Interchange DTD v2.3 20070202//EN" "archivearticle.dtd">'


def spelling(rng: np.random.Generator) -> Spelling:
    """Named entities of the DTD, or decimal ones; broken lines."""
    return Spelling(pick(rng, ("named", "named", "decimal")), wrap=True)


def write(doc: Doc, meta: Meta, plan: Plan) -> str:
    """The article's XML."""
    studio, rng = Studio(doc, plan), doc.rng
    base = f"1471-2105-{meta.number % 20 + 1}-{meta.number % 900}"
    figures = []
    for number in range(1, plan.figures + 1):
        figure = studio.figure(f"F{number}", f"Figure {number}", look="bold")
        figure.label = Rich((Part("bold", f"Figure {number}"),))
        studio.attach(figure, f"{base}-{number}")
        figures.append(figure)
    doc.add(
        f'<?xml version="1.0"?>\n{DOCTYPE}\n<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" article-type="{meta.article_type}">\n'
    )
    doc.add(front(doc, meta, old=True))
    Body(
        doc,
        meta,
        figures,
        dash=pick(rng, ("-", "–", "&#8211;")),
        math=(inline_math(51), display_math(4)),
        extra=lambda: _structure(studio, base),
    ).emit()
    extra = "<caption><p>Additional table. Raw measurements.</p></caption>"
    additional = f'<sec sec-type="supplementary-material"><title>Additional files</title><supplementary-material content-type="local-data" id="S1"><media xlink:href="{base}-S1.doc" mimetype="application/msword">{extra}</media></supplementary-material></sec>'
    doc.add("<back>", references(doc, meta, "citation"), additional, "</back><floats-wrap>")
    for number, figure in enumerate(figures, 1):
        if (
            number == 2
            and figure.encoded
            and figure.file
            and figure.fault is None
            and figure.file.endswith((".jpg", ".png"))
        ):
            # The print version beside the screen version: one stem, two extensions, one figure.
            stem, extension = figure.file.rsplit(".", 1)
            figure.href = f"{stem}.{extension}"
            doc.add(studio.fig(figure, after=graphic(f"{stem}.tif")))
        else:
            doc.add(studio.fig(figure))
    doc.add(_table(studio, base), "</floats-wrap></article>\n")
    return doc.xml()


def _structure(studio: Studio, base: str) -> str:
    """A chemical structure in the body, under the name that NLM 2.x had for it."""
    doc = studio.doc
    if doc.rng.random() < 0.4:
        return ""
    figure = studio.figure("C1", "Compound 1", "molecule", "plain")
    figure.element, figure.kind = "chem-struct-wrap", "chem"
    studio.attach(figure, f"{base}-c1")
    told = doc.p(rich("Its formula is shown as {fig}.", fig=xref("C1", "compound 1", "chem")))
    inner = f"{doc.label(figure)}{doc.caption(figure)}<chem-struct>{studio.inside(figure)}</chem-struct>"
    return f'{told}<chem-struct-wrapper id="C1">{inner}</chem-struct-wrapper>'


def _table(studio: Studio, base: str) -> str:
    """A table that is only a picture; sometimes nothing but its label tells of it."""
    doc = studio.doc
    figure = studio.figure("T1", "Table 1", "table", "plain")
    figure.element, figure.kind = "table-wrap", "table"
    studio.attach(figure, f"{base}-t1")
    if figure.fault is None and doc.rng.random() < 0.12:
        figure.paragraphs, figure.fault = [], "label_only"
    return f'<table-wrap id="T1" position="float">{doc.label(figure)}{doc.caption(figure)}{studio.inside(figure)}</table-wrap>'

"""eLife: figures with supplements in `fig-group`, and the decision letter and reply as sub-articles with their own figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biomedica.demo import words
from biomedica.demo.draw.canvas import pick
from biomedica.demo.rich import Spelling, join, rich, xref
from biomedica.demo.write.body import Body
from biomedica.demo.write.doc import Group
from biomedica.demo.write.front import front, references
from biomedica.demo.write.parts import Studio, inline_math, mention

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.write.doc import Doc, Figure
    from biomedica.demo.write.front import Meta
    from biomedica.demo.write.parts import Plan

DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD v1.1 20151215//EN" "JATS-archivearticle1.dtd">'


def spelling(rng: np.random.Generator) -> Spelling:
    """Plain UTF-8 in long lines."""
    del rng
    return Spelling()


def write(doc: Doc, meta: Meta, plan: Plan) -> str:
    """The article's XML."""
    studio, base = Studio(doc, plan), f"elife-{meta.number % 100_000:05d}"
    sheets: dict[Figure, list[Figure]] = {}
    groups: dict[Figure, Group] = {}
    for number in range(1, max(2, plan.figures - 1) + 1):
        main = studio.figure(f"fig{number}", f"Figure {number}.", look="title")
        studio.attach(
            main, f"{base}-fig{number}", pick(doc.rng, ("tif", "exact", "bare")), thumb=bool(doc.rng.random() < 0.3)
        )
        sheets[main] = []
        if number == 1 or doc.rng.random() < 0.25:
            groups[main] = main.group = Group(id=f"fig{number}group" if doc.rng.random() < 0.5 else None)
            for supplement in range(1, int(doc.rng.integers(2, 4))):
                child = studio.figure(
                    f"fig{number}s{supplement}", f"Figure {number}—figure supplement {supplement}.", look="title"
                )
                studio.attach(child, f"{base}-fig{number}-figsupp{supplement}", "exact", thumb=False)
                child.group = main.group
                sheets[main].append(child)
    if len(sheets) > 1:
        _capture_group(doc, list(sheets)[1], groups)

    def here(figure: Figure) -> str:
        members = [figure, *sheets[figure]]
        if figure not in groups:
            return "".join(_fig(studio, member, base) for member in members)
        group = groups[figure]
        identifier = f' id="{group.id}"' if group.id else ""
        head = f"<fig-group{identifier}>{doc.label(group)}{doc.caption(group)}"
        return head + "".join(_fig(studio, member, base) for member in members) + "</fig-group>"

    doc.add(
        f'<?xml version="1.0" encoding="UTF-8"?>{DOCTYPE}<article article-type="{meta.article_type}" dtd-version="1.1" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" xml:lang="en">'
    )
    doc.add(front(doc, meta, lambda: _digest(doc, meta)))
    Body(
        doc, meta, list(sheets), here, math=(inline_math(73),), extra=lambda: _group_mention(doc, sheets, groups)
    ).emit()
    doc.add("<back>", references(doc, meta, "element-citation"), "</back>")
    _letters(studio, meta, base)
    doc.add("</article>")
    return doc.xml()


def _capture_group(doc: Doc, figure: Figure, groups: dict[Figure, Group]) -> None:
    """Now and then the caption stands at the group alone, and the figure within has none of its own."""
    if figure in groups or figure.fault or doc.rng.random() < 0.6:
        return
    group = groups[figure] = Group(id=f"{figure.id}set", title=figure.title, paragraphs=figure.paragraphs)
    figure.group, figure.title, figure.paragraphs = group, None, []


def _fig(studio: Studio, figure: Figure, base: str) -> str:
    doi = f'<object-id pub-id-type="doi">10.5555/{base}.{len(studio.doc.figures) + 3:03d}</object-id>'
    attributes = ' position="float"' + (
        ' specific-use="child-fig"' if "s" in (figure.id or "").removeprefix("resp") else ""
    )
    head = f'<fig id="{figure.id}"{attributes}>{doi}{studio.doc.label(figure)}{studio.doc.caption(figure)}'
    return head + studio.inside(figure, ' mime-subtype="tiff" mimetype="image"') + "</fig>"


def _digest(doc: Doc, meta: Meta) -> str:
    """The digest for lay readers: a second abstract that is not the article's."""
    text = doc.p(rich(words.sentences(doc.rng, meta.about, 4, 7)))
    return f'<abstract abstract-type="executive-summary"><title>eLife digest</title>{text}</abstract>'


def _group_mention(doc: Doc, sheets: dict[Figure, list[Figure]], groups: dict[Figure, Group]) -> str:
    """Paragraphs that point to supplements, and to whole groups by the group's id."""
    out = []
    for main, children in sheets.items():
        if children:
            point = xref(children[-1].id or "", children[-1].short_label)
            out.append(doc.p(rich("A control experiment agreed with this ({fig}).", fig=point)))
        group = groups.get(main)
        if group and group.id:
            out.append(
                doc.p(
                    rich(
                        "The whole set ({fig}) was replicated.",
                        fig=xref(group.id, f"{main.short_label} and its supplements"),
                    )
                )
            )
    return "".join(out)


def _letters(studio: Studio, meta: Meta, base: str) -> None:
    """The decision letter and the authors' reply; a reply may bring figures, even under an id used before."""
    doc, rng = studio.doc, studio.doc.rng
    doc.add(
        '<sub-article article-type="decision-letter" id="sa1"><front-stub><article-id pub-id-type="doi">10.5555/letter.1</article-id><title-group><article-title>Decision letter</article-title></title-group></front-stub><body>'
    )
    doc.scope = "sa1"
    asked = xref("fig2", "Figure 2")
    doc.add(
        doc.p(rich("In the interests of transparency, the letter is shown. The reviewers ask about {fig}.", fig=asked))
    )
    doc.add(doc.p(rich(words.sentences(rng, meta.about))), "</body></sub-article>")
    doc.scope = "sa2"
    doc.add(
        '<sub-article article-type="reply" id="sa2"><front-stub><article-id pub-id-type="doi">10.5555/letter.2</article-id><title-group><article-title>Author response</article-title></title-group></front-stub><body>'
    )
    for number in range(1, int(rng.integers(1, 3)) + 1):
        twice = number == 1 and rng.random() < 0.3
        figure = studio.figure(
            "fig1" if twice else f"respfig{number}",
            f"Author response image {number}.",
            look=pick(rng, ("title", "plain")),
        )
        studio.attach(figure, f"{base}-resp-fig{number}", "exact", thumb=False)
        doc.add(
            doc.p(join([rich("We thank the reviewers for this remark."), mention(doc, figure)])),
            _fig(studio, figure, base),
        )
    doc.add("</body></sub-article>")
    doc.scope = ""

"""DESIGN.md section 4, "Mentions": the paragraphs that speak of a figure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from oracle.document import Element, ancestors, attribute, children, collapse, is_within, name_of, sub_article_of
from oracle.figures import KINDS, Graphics, panels_of_figure
from oracle.named import Reference, between, labels, reference
from oracle.text import element_pieces, first_text, text_of

RANGE_WORDS = frozenset("- \u2010 \u2011 \u2012 \u2013 \u2014 \u2015 \u2212 to through".split())


@dataclass(eq=False)
class Paragraph:
    """A paragraph and the elements that its own `xref`s mention."""

    element: Element
    mentioned: set[Element]
    panels: list[tuple[Element, set[str]]]
    """The letters that it names of what it mentions."""


# What an id can mean here; one of a footnote or a section is no figure's.
MENTIONABLE = {*KINDS, "graphic", "media"}


class Ids:
    """Which elements an id means."""

    def __init__(self, article: Element) -> None:
        """Notes every id that can be a figure's and every name of the article."""
        self.by_id: dict[str, list[Element]] = defaultdict(list)
        self.by_name: dict[tuple[str, Element | None], list[Element]] = defaultdict(list)
        for element in article.iter():
            if (identifier := attribute(element, "id")) and name_of(element) in MENTIONABLE:
                self.by_id[identifier].append(element)
            self.by_name[name_of(element), sub_article_of(element)].append(element)

    def targets(self, xref: Element) -> list[Element]:
        """What an `xref` points at; of elements with one id, those of its own sub-article win."""
        found: list[Element] = []
        for identifier in (attribute(xref, "rid") or "").split(" "):
            candidates = self.by_id.get(identifier, [])
            home = sub_article_of(xref)
            found.extend([one for one in candidates if sub_article_of(one) is home] or candidates)
        return found

    def span(self, first: Element, last: Element) -> list[Element]:
        """The elements from the first to the last when both have one name and one sub-article; else nothing."""
        home = sub_article_of(first)
        if name_of(first) != name_of(last) or home is not sub_article_of(last):
            return []
        row = self.by_name[name_of(first), home]
        start, end = row.index(first), row.index(last)
        return row[start : end + 1]


def paragraphs(article: Element) -> list[Paragraph]:
    """Every `p` with the elements it mentions, in document order."""
    ids = Ids(article)
    owners: dict[Element, Element] = {}
    elements = list(article.iter("p"))
    for element in elements:
        for piece in element_pieces(element):
            if piece.xref_start is not None:
                owners[piece.xref_start] = element  # a `p` inside comes later and takes it over
    return [
        Paragraph(element, mentioned_by(element, owners, ids), panels_in(element, owners, ids)) for element in elements
    ]


def mentioned_by(paragraph: Element, owners: dict[Element, Element], ids: Ids) -> set[Element]:
    """The elements that the paragraph's own `xref`s mention, ranges filled in."""
    mentioned: set[Element] = set()
    previous: Element | None = None
    between = ""
    for piece in element_pieces(paragraph):
        between += piece.text
        xref = piece.xref_start
        if xref is not None and owners[xref] is paragraph:
            targets = ids.targets(xref)
            mentioned.update(targets)
            if previous is not None and collapse(between) in RANGE_WORDS:
                for first in ids.targets(previous):
                    for last in targets:
                        mentioned.update(ids.span(first, last))
        if piece.xref_end is not None and owners[piece.xref_end] is paragraph:
            previous, between = piece.xref_end, ""
    return mentioned


def placed_xrefs(paragraph: Element, owners: dict[Element, Element]) -> tuple[str, list[tuple[Element, int, int]]]:
    """The paragraph's text, and each of its own `xref`s with where its text begins and ends, in the order of beginnings.

    Space before a place is not yet part of the text there.
    """
    text, gap = "", False
    starts: dict[Element, int] = {}
    ends: dict[Element, int] = {}
    for piece in element_pieces(paragraph):
        for mark, places in ((piece.xref_start, starts), (piece.xref_end, ends)):
            if mark is not None and owners[mark] is paragraph and attribute(mark, "rid") is not None:
                places[mark] = len(text)
        for character in piece.text:
            if collapse(character) == "":
                gap = bool(text)
            else:
                text += " " * gap + character
                gap = False
    return text, [(mark, start, ends[mark]) for mark, start in starts.items()]


def panels_in(paragraph: Element, owners: dict[Element, Element], ids: Ids) -> list[tuple[Element, set[str]]]:
    """The letters that each of the paragraph's `xref`s names, with those that two of them span."""
    text, xrefs = placed_xrefs(paragraph, owners)
    found: list[tuple[Element, set[str]]] = []
    previous: list[tuple[Element, set[str]]] = []
    previous_end = 0
    for number, (xref, start, end) in enumerate(xrefs):
        limit = max(xrefs[number + 1][1], end) if number + 1 < len(xrefs) else len(text)
        targets = ids.targets(xref)
        said = reference(text[:limit], start, end) if targets else Reference()
        here = [(target, said.of(label_of(target))) for target in targets]
        found += here
        if collapse(text[previous_end:start]) in RANGE_WORDS:
            found += [(one, between(first, last)) for one, first in previous for other, last in here if one is other]
        previous, previous_end = here, said.end
    return found


def label_of(element: Element) -> str | None:
    """The text of an element's label."""
    return first_text(children(element, "label"))


def panels_of_context(figure: Graphics, candidates: list[Paragraph]) -> list[str]:
    """`image_context_panels`: the panels that each paragraph of `image_context` names."""
    targets = {*figure.graphics, *([] if figure.element is None else [figure.element]), *figure.groups()}
    panels = panels_of_figure(figure)
    named = [
        {letter for element, letters in paragraph.panels if element in targets for letter in letters}
        for paragraph in mentions_of(figure, candidates)
    ]
    return [labels(letters, panels) for letters in named]


def context_of(figure: Graphics, candidates: list[Paragraph]) -> list[str]:
    """`image_context`: the text of the paragraphs that mention the figure."""
    return [text_of(paragraph.element) for paragraph in mentions_of(figure, candidates)]


def mentions_of(figure: Graphics, candidates: list[Paragraph]) -> list[Paragraph]:
    """The paragraphs that mention the figure, outside of itself."""
    own = [*figure.graphics, *([] if figure.element is None else [figure.element])]
    targets = {*own, *figure.groups()}
    found: list[Paragraph] = []
    for paragraph in candidates:
        if not paragraph.mentioned & targets:
            continue
        if any(is_within(paragraph.element, element) for element in own) or in_group_caption(paragraph.element, figure):
            continue
        if text_of(paragraph.element):
            found.append(paragraph)
    return found


def in_group_caption(paragraph: Element, figure: Graphics) -> bool:
    """Whether the paragraph is part of the caption of one of the figure's groups."""
    captions = [caption for group in figure.groups() for caption in children(group, "caption")]
    return any(around in captions for around in ancestors(paragraph))

"""DESIGN.md section 4, "Text": what an element says, as one line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oracle.document import Element, ancestors, collapse, name_of
from oracle.panels import Marks

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = frozenset(
    "p title label list list-item def-list def-item term def disp-formula disp-quote statement speech verse-line "
    "preformat code table tr td th sec caption break hr".split()
)
FLOATS = frozenset(
    "fig fig-group table-wrap table-wrap-group boxed-text chem-struct-wrap supplementary-material fn graphic "
    "media".split()
)
NO_TEXT = frozenset("alt-text long-desc object-id permissions attrib".split())
LEFT_OUT = FLOATS | NO_TEXT
MATH_TOKENS = frozenset("mi mn mo mtext ms".split())
EMPHASIS = frozenset(
    "bold italic sub sup sc underline overline strike monospace roman sans-serif styled-content named-content x "
    "xref".split()
)
ANNOTATIONS = frozenset({"annotation", "annotation-xml"})
_TEX_DOCUMENT = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)
_TEX_ENCLOSURES = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))


@dataclass(frozen=True)
class Piece:
    """A stretch of text, or the start or end of an `xref` (then without text)."""

    text: str = ""
    xref_start: Element | None = None
    xref_end: Element | None = None


@dataclass(frozen=True)
class Style:
    """How a text is put together."""

    blocks: frozenset[str] = BLOCKS
    left_out: frozenset[str] = LEFT_OUT
    apart: bool = False


def math_text(math: Element) -> str:
    """The tokens of a MathML element, joined with nothing."""
    if name_of(math) in ANNOTATIONS:
        return ""
    if name_of(math) in MATH_TOKENS:
        return "".join(str(text) for text in math.itertext())
    return "".join(math_text(child) for child in math)


def tex_text(tex: Element) -> str:
    """The TeX source between `document`'s ends, without what encloses it."""
    source = "".join(str(text) for text in tex.itertext())
    document = _TEX_DOCUMENT.search(source)
    source = collapse(document.group(1) if document else source)
    for start, end in _TEX_ENCLOSURES:
        inner = source[len(start) : len(source) - len(end)]
        encloses = source.startswith(start) and source.endswith(end) and len(source) >= len(start) + len(end)
        if encloses and start not in inner and end not in inner:
            return inner
    return source


def formula_around(tex: Element) -> Element | None:
    """The formula that a `tex-math` belongs to: `disp-formula` or `inline-formula`, else `alternatives`."""
    nearest = [
        around for around in ancestors(tex) if name_of(around) in {"disp-formula", "inline-formula", "alternatives"}
    ]
    formulas = [element for element in nearest if name_of(element) != "alternatives"]
    return next(iter(formulas or nearest), None)


def has_mathml_beside(tex: Element) -> bool:
    """Whether the same formula is given in MathML, so that the TeX is a repetition."""
    formula = formula_around(tex)
    return formula is not None and any(collapse(math_text(math)) for math in formula.iter("math"))


def following(child: Element) -> Element | None:
    """The next element beside this one."""
    siblings = [] if child.parent is None else child.parent.children
    place = next(place for place, sibling in enumerate(siblings) if sibling is child)
    return siblings[place + 1] if place + 1 < len(siblings) else None


def pieces(element: Element, style: Style) -> Iterator[Piece]:
    """The content of an element in order; the element itself adds no boundary and is never left out."""
    if element.text:
        yield Piece(element.text)
    for child in element:
        yield from child_pieces(child, style)
        if child.tail:
            yield Piece(child.tail)
        elif style.apart and (neighbour := following(child)) and not {child.name, neighbour.name} & EMPHASIS:
            yield Piece(" ")


def child_pieces(child: Element, style: Style) -> Iterator[Piece]:
    """What one element adds to the text around it."""
    name = name_of(child)
    if name in style.left_out:
        return
    if name == "math":
        yield Piece(math_text(child))
    elif name == "tex-math":
        if not has_mathml_beside(child):
            yield Piece(tex_text(child))
    elif name in style.blocks:
        yield Piece(" ")
        yield from pieces(child, style)
        yield Piece(" ")
    elif name == "xref":
        yield Piece(xref_start=child)
        yield from pieces(child, style)
        yield Piece(xref_end=child)
    else:
        yield from pieces(child, style)


def element_pieces(element: Element) -> Iterator[Piece]:
    """The pieces of an ordinary element's text."""
    return pieces(element, Style())


def text_of(element: Element, *, blocks: str = "", without: str = "", apart: bool = False) -> str:
    """The element's text in one line.

    Args:
        element: Whose text; its own name plays no part.
        blocks: Names that are blocks here besides the usual ones.
        without: Names that are left out here besides the usual ones.
        apart: Part elements that touch, unless one is emphasis: `<year>2001</year><volume>4</volume>`.
    """
    style = Style(BLOCKS | frozenset(blocks.split()), LEFT_OUT | frozenset(without.split()), apart)
    found = pieces(element, style)
    return collapse("".join(piece.text for piece in found))


def marks_of(caption: Element) -> Marks:  # noqa: C901 - one walk
    """Where the bold stretches of a caption are and where its paragraphs and titles begin."""
    begin, end, block = "\ue000", "\ue001", "\ue002"
    raw: list[str] = []

    def walk(element: Element) -> None:
        raw.append(element.text or "")
        for child in element:
            name = name_of(child)
            if name == "bold":
                raw.append(begin)
                walk(child)
                raw.append(end)
            elif name in {"p", "title"}:
                raw.append(f" {block}")
                walk(child)
                raw.append(" ")
            elif name in BLOCKS and name not in LEFT_OUT:
                raw.append(" ")
                walk(child)
                raw.append(" ")
            elif name in LEFT_OUT | {"math", "tex-math"}:
                raw.extend(piece.text for piece in child_pieces(child, Style()))
            else:
                walk(child)
            raw.append(child.tail or "")

    walk(caption)
    bold: list[tuple[int, int]] = []
    open_: list[int] = []
    breaks: list[int] = []
    length, gap = 0, False
    pending: list[int] = []
    for character in "".join(raw):
        if character == begin:
            open_.append(len(bold))
            bold.append((length, length))
        elif character == end:
            number = open_.pop()
            bold[number] = (bold[number][0], length)
        elif character == block:
            pending.append(length)
        elif collapse(character) == "":
            gap = length > 0
        else:
            length += gap
            breaks += [length] if pending else []
            pending, gap, length = [], False, length + 1
    return Marks(tuple(bold), tuple(breaks))


def first_text(elements: list[Element]) -> str | None:
    """The text of the first element that has any."""
    return next((text for element in elements if (text := text_of(element))), None)


def body_lines(container: Element) -> Iterator[str]:
    """One line for each outermost text block; sections are opened, floats, labels and reference lists passed over."""
    for child in container:
        name = name_of(child)
        if name in LEFT_OUT | {"label", "ref-list", "sub-article", "response"}:
            continue
        if name in BLOCKS and name != "sec":
            if line := text_of(child):
                yield line
        else:
            yield from body_lines(child)

"""DESIGN.md section 4, "Figures": which graphics are figures, and what each of them is called."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from oracle.document import Element, ancestors, attribute, children, name_of, sub_article_of
from oracle.panels import Marks, panels_of
from oracle.text import LEFT_OUT, first_text, marks_of, text_of

GROUPS = frozenset({"fig-group", "table-wrap-group"})
KINDS = {
    "fig": "fig",
    "fig-group": "fig",
    "table-wrap": "table",
    "table-wrap-group": "table",
    "chem-struct-wrap": "chem",
    "boxed-text": "box",
    "supplementary-material": "other",
}
PREFERENCE = {"jpg": 0, "jpeg": 0, "png": 1, "tif": 2, "tiff": 2, "gif": 3}
KNOWN = {*PREFERENCE, "webp", "bmp", "svg", "eps"}
ABSTRACTS = frozenset({"abstract", "trans-abstract"})
FORMULAS = frozenset({"disp-formula", "inline-formula"})
THUMBNAIL_SIDE = 400
_SIZE = re.compile(r"(\d+)x(\d+)", re.IGNORECASE)
_GRAPHICAL_ABSTRACT = re.compile(r"graphical|visual|(?<![a-z])toc(?![a-z])")


@dataclass(eq=False)
class Graphics:
    """The graphics that are one figure, in document order, and the element around them."""

    element: Element | None
    graphics: list[Element] = field(default_factory=list)

    def ranked(self) -> list[Element]:
        """The graphics worth looking for, the preferred one first."""
        named = [graphic for graphic in self.graphics if attribute(graphic, "href")]
        full = [graphic for graphic in named if not is_thumbnail(graphic)]
        return sorted(full or named, key=lambda graphic: PREFERENCE.get(stem_and_extension(graphic)[1], 4))

    def by_preference(self) -> list[Element]:
        """All graphics: the preferred one, then the others in document order."""
        first = self.ranked()[:1]
        return first + [graphic for graphic in self.graphics if graphic not in first]

    def groups(self) -> list[Element]:
        """The `fig-group` and `table-wrap-group` elements around the graphics, the nearest first."""
        return [around for around in ancestors(self.graphics[0]) if name_of(around) in GROUPS]


def stem_and_extension(graphic: Element) -> tuple[str, str]:
    """The file name in the href, divided at a known image extension (else the extension is empty)."""
    file_name = unquote((attribute(graphic, "href") or "").rsplit("/", 1)[-1])
    stem, dot, extension = file_name.rpartition(".")
    if dot and extension.lower() in KNOWN:
        return stem, extension.lower()
    return file_name, ""


def is_thumbnail(graphic: Element) -> bool:
    """Whether href, `specific-use` or `content-type` speak of a thumbnail or of a small size."""
    for name in ("href", "specific-use", "content-type"):
        value = attribute(graphic, name) or ""
        if "thumb" in value.lower():
            return True
        if any(max(int(width), int(height)) <= THUMBNAIL_SIDE for width, height in _SIZE.findall(value)):
            return True
    return False


def is_figure_graphic(element: Element) -> bool:
    """Whether this `graphic` or `media` counts."""
    if name_of(element) == "media":
        mimetype = attribute(element, "mimetype")
        is_image = mimetype.lower().split("/")[0] == "image" if mimetype else bool(stem_and_extension(element)[1])
        if not is_image:
            return False
    elif name_of(element) != "graphic":
        return False
    around = {name_of(ancestor) for ancestor in ancestors(element)}
    if around & FORMULAS:
        return False
    return not around & {"front", "front-stub"} or bool(around & ABSTRACTS)


def element_around(graphic: Element) -> Element | None:
    """The nearest element that makes a graphic a figure."""
    return next((around for around in ancestors(graphic) if name_of(around) in KINDS), None)


def alternatives_around(graphic: Element) -> Element | None:
    """The `alternatives` that the graphic is one of, unless a figure's element lies between."""
    for around in ancestors(graphic):
        if name_of(around) == "alternatives":
            return around
        if name_of(around) in KINDS:
            return None
    return None


def find_graphics(article: Element) -> list[Graphics]:
    """Every figure of the article, in document order of its first graphic."""
    figures: list[Graphics] = []
    homes: dict[Element, Graphics] = {}  # what the first of each `alternatives` became part of
    for graphic in article.iter("graphic", "media"):
        if not is_figure_graphic(graphic):
            continue
        element, alternatives = element_around(graphic), alternatives_around(graphic)
        same = homes.get(alternatives) if alternatives is not None else None
        same = same or next((figure for figure in figures if belongs(graphic, element, figure)), None)
        if same is None:
            same = Graphics(element)
            figures.append(same)
        if alternatives is not None:
            homes[alternatives] = same
        same.graphics.append(graphic)
    return figures


def belongs(graphic: Element, element: Element | None, figure: Graphics) -> bool:
    """Whether a graphic has the stem of a figure that was found before it, with another extension."""
    if element is None or element is not figure.element:
        return False
    stem, extension = stem_and_extension(graphic)
    others = [stem_and_extension(other) for other in figure.graphics]
    in_other_form = any(other_stem == stem and other_extension for other_stem, other_extension in others)
    return bool(extension) and in_other_form and (stem, extension) not in others


def kind_of(figure: Graphics) -> str:
    """`image_kind`."""
    abstract = abstract_around(figure)
    if abstract is not None and _GRAPHICAL_ABSTRACT.search((attribute(abstract, "abstract-type") or "").lower()):
        return "graphical-abstract"
    bearers = [*figure.graphics, *([] if figure.element is None else [figure.element])]
    types = [attribute(bearer, name) or "" for bearer in bearers for name in ("fig-type", "content-type")]
    if any("graphical" in value.lower() for value in types):
        return "graphical-abstract"
    return "other" if figure.element is None else KINDS[name_of(figure.element)]


def abstract_around(figure: Graphics) -> Element | None:
    """The abstract that holds the figure."""
    return next((around for around in ancestors(figure.graphics[0]) if name_of(around) in ABSTRACTS), None)


def id_of(figure: Graphics) -> str | None:
    """`image_figure_id`."""
    bearers = [*([] if figure.element is None else [figure.element]), *figure.by_preference(), *figure.groups()]
    return next((value for bearer in bearers if (value := attribute(bearer, "id"))), None)


def label_of(figure: Graphics) -> str | None:
    """`image_label`."""
    bearers = [*figure.by_preference(), *([] if figure.element is None else [figure.element]), *figure.groups()]
    return first_text([label for bearer in bearers for label in children(bearer, "label")])


def caption_in(*bearers: Element) -> str | None:
    """The first caption with text that is a child of one of the elements."""
    return first_text([caption for bearer in bearers for caption in children(bearer, "caption")])


def panels_of_figure(figure: Graphics) -> list[dict[str, str]] | None:
    """`image_panels`: of the caption that `caption_of` takes, unless it is an abstract's paragraphs."""
    element = figure.element
    own_element = [] if element is None or name_of(element) in GROUPS else [element]
    others = [around for around in ancestors(figure.graphics[0]) if name_of(around) not in GROUPS]
    for bearers in ([*figure.by_preference(), *own_element], figure.groups(), others):
        for bearer in bearers:
            for caption in children(bearer, "caption"):
                if text := text_of(caption):
                    return panels_of(text, marks_of(caption))
    lent, source = caption_of(figure)
    return panels_of(lent, Marks()) if source == "parent" else None


def caption_of(figure: Graphics) -> tuple[str | None, str]:
    """`caption` and `caption_source`."""
    element = figure.element
    own_element = [] if element is None or name_of(element) in GROUPS else [element]
    if own := caption_in(*figure.by_preference(), *own_element):
        return own, "own"
    if group := caption_in(*figure.groups()):
        return group, "group"
    others = [around for around in ancestors(figure.graphics[0]) if name_of(around) not in GROUPS]
    if parent := caption_in(*others):
        return parent, "parent"
    if kind_of(figure) == "graphical-abstract" and (paragraphs := abstract_paragraphs(figure)):
        return paragraphs, "parent"
    if label := label_of(figure):
        return label, "label"
    return None, "none"


def abstract_paragraphs(figure: Graphics) -> str | None:
    """The outermost paragraphs of the abstract around the figure that are part of its own text."""
    abstract = abstract_around(figure)
    if abstract is None:
        return None
    return " ".join(text for paragraph in outermost_paragraphs(abstract) if (text := text_of(paragraph))) or None


def outermost_paragraphs(container: Element) -> list[Element]:
    """The `p` elements of a container, neither those inside another `p` nor those of floats."""
    found: list[Element] = []
    for child in container:
        if name_of(child) == "p":
            found.append(child)
        elif name_of(child) not in LEFT_OUT:
            found.extend(outermost_paragraphs(child))
    return found


def figure_row(figure: Graphics, context: list[str], context_panels: list[str]) -> dict[str, object]:
    """The columns of one figure that need no image."""
    caption, source = caption_of(figure)
    return {
        "image_figure_id": id_of(figure),
        "image_kind": kind_of(figure),
        "image_label": label_of(figure),
        "image_hrefs": [attribute(graphic, "href") for graphic in figure.ranked()],
        "caption": caption,
        "caption_source": source,
        "group_caption": caption_in(*figure.groups()),
        "image_context": context,
        "image_context_panels": context_panels,
        "image_panels": panels_of_figure(figure),
        "in_sub_article": sub_article_of(figure.graphics[0]) is not None,
    }

"""One article while it is written: its XML, its files, and what a careful reader would note of every figure.

Writers emit the document in order. Whatever they emit through `Doc` is registered as they go, so the truth (order,
mentions, captions, image files) follows from the same calls that make the XML and is never parsed back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biomedica.demo.encode import EXTENSIONS
from biomedica.demo.rich import Mention, Rich, Spelling, collapse, join, part_xml

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from biomedica.demo.draw import Drawing
    from biomedica.demo.encode import Encoded

Row = dict[str, object]

SMALLEST_SIDE = 21
SUBSETS = {"CC0": "commercial", "CC BY": "commercial", "CC BY-SA": "commercial", "CC BY-ND": "commercial"}


def subset_of(code: str | None) -> str:
    """The licence subset that a licence code belongs to."""
    return "noncommercial" if code and code.startswith("CC BY-NC") else SUBSETS.get(code or "", "other")


@dataclass(eq=False)
class Group:
    """A `fig-group` or `table-wrap-group`."""

    id: str | None = None
    label: Rich | None = None
    title: Rich | None = None
    paragraphs: list[Rich] = field(default_factory=list)

    @property
    def caption(self) -> str | None:
        """Title, then paragraphs."""
        return join([*([self.title] if self.title else []), *self.paragraphs]).text or None


@dataclass(eq=False)
class Figure:
    """One figure: what is drawn, and how the document speaks of it."""

    drawing: Drawing | None
    id: str | None
    label: Rich | None = None
    title: Rich | None = None
    paragraphs: list[Rich] = field(default_factory=list)
    element: str = "fig"
    kind: str = "fig"
    graphic_id: str | None = None
    group: Group | None = None
    borrowed: str | None = None
    """The caption of an ancestor that is no group (`caption_source` parent)."""
    scope: str = ""
    """Id of the sub-article that holds it."""
    file: str | None = None
    """Name of the image file that must be found."""
    encoded: Encoded | None = None
    fault: str | None = None
    phrase: str = ""
    panels: tuple[tuple[str, str], ...] = ()
    href: str | None = None
    """The href as written, when the graphic has one."""

    @property
    def short_label(self) -> str:
        """The label's words without a final stop."""
        return (self.label.text if self.label else "").rstrip(".")

    @property
    def ids(self) -> set[str]:
        """Every id that mentions this figure."""
        return {i for i in (self.id, self.graphic_id, self.group.id if self.group else None) if i}

    def caption(self) -> tuple[str | None, str]:
        """The caption's text and its source."""
        own = join([*([self.title] if self.title else []), *self.paragraphs]).text
        if own:
            return own, "own"
        if self.group and self.group.caption:
            return self.group.caption, "group"
        if self.borrowed:
            return self.borrowed, "parent"
        label = self.label or (self.group.label if self.group else None)
        return (label.text, "label") if label else (None, "none")

    def status(self) -> str:
        """Whether it makes a pair, else why not."""
        if self.encoded is None:
            return "no_image"
        if self.caption()[1] in {"label", "none"}:
            return "no_caption"
        if self.encoded.size is None:
            # A file whose name promises an image format is damaged; any other name is of a format not read here.
            promised = self.encoded.extension in EXTENSIONS.values()
            return "unreadable_image" if promised else "unsupported_format"
        return "too_small" if min(self.encoded.size) < SMALLEST_SIDE else "ok"


@dataclass
class Paragraph:
    """A registered paragraph: its words, whom it mentions, and in whose caption it stands."""

    text: str
    mentions: list[Mention]
    scope: str
    inside: Figure | Group | None


class Doc:
    """The article being written."""

    def __init__(self, rng: np.random.Generator, spelling: Spelling) -> None:
        """Start an empty document."""
        self.rng = rng
        self.spelling = spelling
        self.figures: list[Figure] = []
        self.paragraphs: list[Paragraph] = []
        self.files: dict[str, bytes] = {}
        self.scope = ""
        self._out: list[str] = []

    def add(self, *xml: str) -> None:
        """Append markup."""
        self._out += xml

    def xml(self) -> str:
        """The document so far."""
        return "".join(self._out)

    def inline(self, words: Rich) -> str:
        """Markup of running text; the paragraphs of its notes are registered."""
        out = []
        for part in words.parts:
            if part.note is None:
                out.append(part_xml(part, self.spelling))
            else:
                out.append(f"<fn>{self.p(part.note)}</fn>")
        return "".join(out)

    def p(
        self,
        words: Rich,
        inside: Figure | Group | None = None,
        then: Callable[[], str] | None = None,
        attributes: str = "",
    ) -> str:
        """A paragraph. `then` gives markup to put at its end that is no part of its text (a nested float)."""
        self.paragraphs.append(Paragraph(words.text, words.mentions, self.scope, inside))
        pad = "\n        " if self.spelling.wrap else ""
        return f"<p{attributes}>{pad}{self.inline(words)}{then() if then else ''}{pad}</p>"

    def caption(self, owner: Figure | Group) -> str:
        """The `caption` element of a figure or group; nothing when it has none."""
        title = f"<title>{self.inline(owner.title)}</title>" if owner.title else ""
        body = "".join(self.p(words, inside=owner) for words in owner.paragraphs)
        return f"<caption>{title}{body}</caption>" if title or body else ""

    def label(self, owner: Figure | Group) -> str:
        """The `label` element, if any."""
        return f"<label>{self.inline(owner.label)}</label>" if owner.label else ""

    def place(self, figure: Figure) -> None:
        """Say that `figure`'s graphic stands here in document order."""
        figure.scope = self.scope
        self.figures.append(figure)

    def context(self, figure: Figure) -> list[str]:
        """Every paragraph that mentions `figure`, in order."""
        return [
            p.text
            for p in self.paragraphs
            if p.inside not in (figure, figure.group or figure) and self._mentions(p, figure)
        ]

    def _mentions(self, paragraph: Paragraph, figure: Figure) -> bool:
        return any(figure in self._targets(mention, paragraph.scope) for mention in paragraph.mentions)

    def _targets(self, mention: Mention, scope: str) -> list[Figure]:
        if mention.span:
            first, last = (self._holders(i, scope) for i in mention.ids)
            start, end = self.figures.index(first[0]), self.figures.index(last[-1])
            name = first[0].element
            return [f for f in self.figures[start : end + 1] if f.element == name and f.scope == first[0].scope]
        return [figure for i in mention.ids for figure in self._holders(i, scope)]

    def _holders(self, identifier: str, scope: str) -> list[Figure]:
        found = [f for f in self.figures if identifier in f.ids]
        return [f for f in found if f.scope == scope] or found

    def truth(self, accession: str, package: str, code: str | None, conflict: bool) -> list[Row]:
        """One row a figure, as the figures table should have it."""
        return [
            self._row(number, figure, accession, package, code, conflict)
            for number, figure in enumerate(self.figures, 1)
        ]

    def _row(self, number: int, figure: Figure, accession: str, package: str, code: str | None, conflict: bool) -> Row:
        caption, source = figure.caption()
        encoded, drawing = figure.encoded, figure.drawing
        label = figure.label or (figure.group.label if figure.group else None)
        return {
            "image_id": f"{accession}_{number:04d}",
            "article_accession_id": accession,
            "package": package,
            "ordinal": number,
            "image_figure_id": figure.id or figure.graphic_id or (figure.group.id if figure.group else None),
            "image_kind": figure.kind,
            "image_label": label.text if label else None,
            "caption": caption,
            "caption_source": source,
            "group_caption": figure.group.caption if figure.group else None,
            "image_context": self.context(figure),
            "in_sub_article": bool(figure.scope),
            "image_file_name": figure.file if encoded else None,
            "image_format": encoded.format if encoded else None,
            "image_size": list(encoded.size) if encoded and encoded.size else None,
            "image_num_bytes": len(encoded.data) if encoded else None,
            "status": figure.status(),
            "article_license": code,
            "license_conflict": conflict,
            "subset": subset_of(code),
            "concept": drawing.concept if drawing else None,
            "attributes": {k: drawing.facts[k] for k in sorted(drawing.facts)} if drawing else {},
            "panels": [{"label": letter, "text": collapse(text)} for letter, text in figure.panels],
            "fault": figure.fault,
        }

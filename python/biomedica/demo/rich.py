"""Running text that knows both of its faces: the XML a publisher writes, and the words a reader sees.

The generator never parses what it wrote. Each piece of text carries its plain words beside its markup, so that the
truth of the corpus follows from how it was made.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "κ": "kappa", "λ": "lambda", "μ": "mu", "Δ": "Delta",
    "±": "plusmn", "×": "times", "°": "deg", "≤": "le", "≥": "ge", "–": "ndash", "—": "mdash", "é": "eacute",
    "ö": "ouml", "ü": "uuml", "ø": "oslash", "ñ": "ntilde", "©": "copy", "’": "rsquo", "\u00a0": "nbsp", "\u2009": "thinsp",
}  # fmt: skip
"""Characters that the corpus may write as named entities; all of them are in the JATS DTDs' XHTML sets."""

_MARKUP = re.compile(r"_\{(?P<sub>[^}]*)\}|\^\{(?P<sup>[^}]*)\}|\*(?P<italic>[^*]+)\*|\{(?P<slot>\w+)\}|(?P<space>~)")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True)
class Spelling:
    """How a publisher spells text in XML."""

    entities: str = "literal"
    """`literal`, `decimal`, `hex` or `named`: what stands for a character beyond ASCII."""
    wrap: bool = False
    """Break lines inside text, as hand-set XML does."""

    def escape(self, text: str) -> str:
        """`text` as XML character data."""
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = self.characters(text)
        return _wrapped(text) if self.wrap else text

    def characters(self, xml: str) -> str:
        """Ready XML with its characters beyond ASCII spelled this way."""
        if self.entities == "literal" or xml.isascii():
            return xml
        return _BEYOND_ASCII.sub(lambda match: self._entity(match[0]), xml)

    def _entity(self, character: str) -> str:
        if self.entities == "named" and character in NAMED:
            return f"&{NAMED[character]};"
        return f"&#{ord(character)};" if self.entities == "decimal" else f"&#x{ord(character):05x};"


@dataclass(frozen=True)
class Mention:
    """What an `xref` points to: ids, or with `span` all from the first id to the last."""

    ids: tuple[str, ...]
    span: bool = False


@dataclass(frozen=True)
class Part:
    """A run of text in one kind of markup."""

    kind: str
    text: str
    xml: str = ""
    mention: Mention | None = None
    note: Rich | None = None


@dataclass(frozen=True)
class Rich:
    """A sequence of parts."""

    parts: tuple[Part, ...] = ()

    def __add__(self, other: Rich) -> Rich:
        """The two joined with nothing between."""
        return Rich(self.parts + other.parts)

    @property
    def text(self) -> str:
        """What a reader sees, white space collapsed to single spaces."""
        return collapse("".join(part.text for part in self.parts))

    @property
    def mentions(self) -> list[Mention]:
        """Every figure reference of this text itself, its notes not counted."""
        return [part.mention for part in self.parts if part.mention]

    def xml(self, spelling: Spelling) -> str:
        """The markup; notes are left to whoever registers their paragraphs (see `Doc.inline`)."""
        return "".join(part_xml(part, spelling) for part in self.parts)


def part_xml(part: Part, spelling: Spelling) -> str:
    """The markup of one part."""
    if part.xml:
        return part.xml
    inner = spelling.escape(part.text)
    if part.kind == "text":
        return inner
    return f"<{part.kind}>{inner}</{part.kind}>"


def _wrapped(text: str, columns: int = 100) -> str:
    """Some spaces of `text` turned into line ends with indents: the words stay the same."""
    out, column = [], 0
    for number, word in enumerate(text.split(" ")):
        if number:
            column = 0 if column > columns else column
            out.append(" " if column else "\n        ")
        out.append(word)
        column += len(word) + 1
    return "".join(out)


def collapse(text: str) -> str:
    """White space runs become one space, none at the ends."""
    return " ".join(text.split())


def join(pieces: Iterable[Rich], between: str = " ") -> Rich:
    """Texts one after another with `between` them."""
    parts: list[Part] = []
    for piece in pieces:
        if parts and between:
            parts.append(Part("text", between))
        parts += piece.parts
    return Rich(tuple(parts))


def raw(xml: str, text: str) -> Rich:
    """Ready markup and the words it stands for; blocks put spaces around their words."""
    return Rich((Part("raw", text, xml),))


def rich(template: str, **slots: Rich) -> Rich:
    """Text from a template: `*italic*`, `_{sub}`, `^{sup}`, `~` a no-break space, `{name}` a slot."""
    parts: list[Part] = []
    end = 0
    for match in _MARKUP.finditer(template):
        if match.start() > end:
            parts.append(Part("text", template[end : match.start()]))
        end = match.end()
        kind = match.lastgroup or ""
        if kind == "slot":
            parts += slots[match[kind]].parts
        elif kind == "space":
            parts.append(Part("text", "\u00a0"))
        else:
            parts.append(Part(kind, match[kind]))
    if end < len(template):
        parts.append(Part("text", template[end:]))
    return Rich(tuple(parts))


def xref(ids: str | tuple[str, ...], words: str, kind: str = "fig") -> Rich:
    """A reference to a figure (or several) by id."""
    ids = (ids,) if isinstance(ids, str) else ids
    xml = f'<xref ref-type="{kind}" rid="{" ".join(ids)}">{words}</xref>'
    return Rich((Part("xref", words, xml, Mention(ids)),))


def xref_range(first: str, last: str, head: str, tail: str, dash: str = "–", kind: str = "fig") -> Rich:
    """Two references with only a dash (or "to") between: a mention of all that lies from one to the other."""
    ends = [f'<xref ref-type="{kind}" rid="{i}">{words}</xref>' for i, words in ((first, head), (last, tail))]
    return Rich(
        (Part("xref", f"{head}{html.unescape(dash)}{tail}", dash.join(ends), Mention((first, last), span=True)),)
    )


def note(words: Rich) -> Rich:
    """A footnote inside a paragraph: no part of the text around it."""
    return Rich((Part("fn", "", note=words),))

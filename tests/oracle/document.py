"""From bytes to a tree whose names are plain: entities resolved, namespaces dropped, NLM 2.x names renamed.

lxml reads the XML; the tree is then copied into objects of our own, because lxml makes a new object for an element each
time it is asked for one, and much here rests on elements being the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.entities import html5
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator

WHITE_SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
PREDEFINED = frozenset({"lt", "gt", "amp", "apos", "quot"})
SUCCESSORS = {
    "floats-wrap": "floats-group",
    "chem-struct-wrapper": "chem-struct-wrap",
    "custom-meta-wrap": "custom-meta-group",
}

_SPACE_RUN = re.compile(f"[{WHITE_SPACE}]+")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*\[(.*?)\]\s*>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_INTERNAL_ENTITY = re.compile(r"<!ENTITY\s+([^\s%]+)\s+[\"']")
_NAMED = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|&([A-Za-z_:][\w.:\-]*);", re.DOTALL)
_DECLARATION = re.compile(r"\A\ufeff?<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"\A<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._\-]+)[\"']")


@dataclass(eq=False)
class Element:
    """An element with its text as lxml divides it: `text` before the first child, `tail` after the element."""

    name: str
    attributes: dict[str, str]
    text: str
    tail: str
    parent: Element | None
    children: list[Element] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """The child elements."""
        return iter(self.children)

    def iter(self, *names: str) -> Iterator[Element]:
        """This element and all below it in document order, of these names if any are given."""
        if not names or self.name in names:
            yield self
        for child in self.children:
            yield from child.iter(*names)

    def itertext(self) -> Iterator[str]:
        """All text inside."""
        yield self.text
        for child in self.children:
            yield from child.itertext()
            yield child.tail


def collapse(text: str) -> str:
    """Every run of Unicode White_Space becomes one space; the ends are trimmed."""
    return _SPACE_RUN.sub(" ", text).strip(" ")


def decode(xml: bytes) -> str:
    """The document's text without its XML declaration."""
    if xml.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = xml.decode("utf-16")
    else:
        declared = _ENCODING.match(xml)
        text = xml.decode(declared.group(1).decode("ascii") if declared else "utf-8")
    return _DECLARATION.sub("", text)


def resolve_named_entities(text: str) -> str:
    """Known names become character references; names that nobody defines stay as they are written."""
    subset = _DOCTYPE.search(text)
    defined = set(_INTERNAL_ENTITY.findall(_COMMENT.sub("", subset.group(1)))) if subset else set()

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None or name in PREDEFINED or name in defined:
            return match.group(0)
        if f"{name};" in html5:
            return "".join(f"&#{ord(character)};" for character in html5[f"{name};"])
        return f"&amp;{name};"

    return _NAMED.sub(replace, text)


def read_tree(xml: bytes) -> Element:
    """The first `article` element, every tag below it a plain local name.

    Raises:
        ValueError: The document has no `article`.
        lxml.etree.XMLSyntaxError: It is not well-formed.
    """
    parser = etree.XMLParser(
        resolve_entities="internal",
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=True,
    )
    root = etree.fromstring(resolve_named_entities(decode(xml)).encode(), parser)
    article = next(copy(root).iter("article"), None)
    if article is None:
        raise ValueError("no article element")
    return article


def local_name(name: str) -> str:
    """A name without its namespace, also of a prefix that was never declared."""
    return name.rsplit("}", 1)[-1].rsplit(":", 1)[-1]


def attribute_name(name: str) -> str:
    """Of attributes only `href` and `xml:lang` may have a namespace: HighWire's `hwp:id` is no `id`."""
    return local_name(name) if local_name(name) == "href" or name == XML_LANG else name


def copy(source: etree._Element, parent: Element | None = None) -> Element:
    """Our own element, and all below it, for one of lxml's."""
    name = local_name(str(source.tag))
    attributes = {attribute_name(str(key)): str(value) for key, value in source.attrib.items()}
    element = Element(SUCCESSORS.get(name, name), attributes, source.text or "", source.tail or "", parent)
    element.children = [copy(child, element) for child in source]
    return element


def name_of(element: Element) -> str:
    """The element's local name."""
    return element.name


def attribute(element: Element, name: str) -> str | None:
    """The trimmed value of an attribute; an empty one is none."""
    return collapse(element.attributes.get(name, "")) or None


def children(element: Element, *names: str) -> list[Element]:
    """The child elements with one of these names, in order."""
    return [child for child in element if name_of(child) in names]


def ancestors(element: Element) -> Iterator[Element]:
    """The elements around this one, the nearest first, up to the root."""
    around = element.parent
    while around is not None:
        yield around
        around = around.parent


def is_within(element: Element, container: Element) -> bool:
    """Whether `element` is `container` or stands somewhere in it."""
    return element is container or any(ancestor is container for ancestor in ancestors(element))


def sub_article_of(element: Element) -> Element | None:
    """The nearest `sub-article` or `response` around (or at) the element; none in the article proper."""
    if name_of(element) in {"sub-article", "response"}:
        return element
    return next((around for around in ancestors(element) if name_of(around) in {"sub-article", "response"}), None)

"""From bytes to a tree whose names are plain: entities resolved, namespaces dropped, NLM 2.x names renamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5

from lxml import etree

Element = etree._Element  # noqa: SLF001 - lxml exports no public name for it

WHITE_SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
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
    for element in root.iter():
        name = str(element.tag).rsplit("}", 1)[-1].rsplit(":", 1)[-1]
        element.tag = SUCCESSORS.get(name, name)
    article = next(root.iter("article"), None)
    if article is None:
        raise ValueError("no article element")
    return article


def name_of(element: Element) -> str:
    """The element's local name."""
    return str(element.tag)


def attribute(element: Element, name: str) -> str | None:
    """The trimmed value of the attribute with this local name; an empty one is none."""
    for key, value in element.attrib.items():
        if str(key).rsplit("}", 1)[-1].rsplit(":", 1)[-1] == name:
            return collapse(str(value)) or None
    return None


def children(element: Element, *names: str) -> list[Element]:
    """The child elements with one of these names, in order."""
    return [child for child in element if name_of(child) in names]


def ancestors(element: Element) -> Iterator[Element]:
    """The elements around this one, the nearest first, up to the root."""
    return element.iterancestors()


def is_within(element: Element, container: Element) -> bool:
    """Whether `element` is `container` or stands somewhere in it."""
    return element is container or any(ancestor is container for ancestor in ancestors(element))


def sub_article_of(element: Element) -> Element | None:
    """The nearest `sub-article` or `response` around (or at) the element; none in the article proper."""
    if name_of(element) in {"sub-article", "response"}:
        return element
    return next((around for around in ancestors(element) if name_of(around) in {"sub-article", "response"}), None)

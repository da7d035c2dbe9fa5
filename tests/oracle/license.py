"""DESIGN.md section 4, "Licence": what an article may be used for, by the evidence of its own front."""

from __future__ import annotations

import re
from dataclasses import dataclass

from oracle.document import Element, ancestors, attribute, name_of
from oracle.figures import ABSTRACTS
from oracle.text import text_of

STRICTNESS = ["CC0", "CC BY", "CC BY-SA", "CC BY-ND", "CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND", "TDM"]
COMMERCIAL = frozenset({"CC0", "CC BY", "CC BY-SA", "CC BY-ND"})
NONCOMMERCIAL = frozenset({"CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND"})

_URL = re.compile(
    r"(?:https?:?//)?(?:www\.)?creativecommons\.org/(?:licen[sc]es?/([a-z+\-]+)|publicdomain/(zero))", re.IGNORECASE
)
_TDM = re.compile(r"(?<![a-z])tdm(?![a-z])", re.IGNORECASE)
_CONTENT_TYPE = re.compile(r"\A\s*cc(0|zero|by(?:nc)?(?:sa|nd)?)(?:licen[sc]e)?\s*\Z", re.IGNORECASE)
_GAP = r"[\s,:/()\u00ad\u2010-\u2015\u2212\-]*"
_WORD = (
    r"(?:attribution|by|non[\s\u2010-\u2015\-]?commercial|nc|share[\s\u2010-\u2015\-]?alike|sa"
    r"|no[\s\u2010-\u2015\-]?deriv(?:ative|ate)?s?(?:\s+works?)?|nd)(?![a-z])"
)
_PREFIX = r"(?:creative\s+commons|cc|creative\s+commons\s+licen[sc]es?(?=[\s:,(]+(?:attribution|non)))"
_NAME = re.compile(rf"(?<![a-z]){_PREFIX}{_GAP}((?:{_WORD}{_GAP})+)", re.IGNORECASE)
_ZERO = re.compile(
    r"(?<![a-z])(?:cc[\s\-]?0|cc[\s\-]?zero|creative\s+commons\s+zero|creative\s+commons\s+0"
    r"|(?:creative\s+commons|cc)\s+public\s+domain\s+dedication)(?![a-z0-9])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class License:
    """The licence's columns."""

    code: str | None
    url: str | None
    text: str | None
    conflict: bool
    in_urls: str | None = None
    in_text: str | None = None

    @property
    def subset(self) -> str:
        """The subset of the dataset that the article goes into."""
        if self.code in COMMERCIAL:
            return "commercial"
        return "noncommercial" if self.code in NONCOMMERCIAL else "other"


def code_of_parts(parts: set[str]) -> str | None:
    """The code of a set of `by`, `nc`, `sa`, `nd`; without `by` it is no licence of today."""
    if "by" not in parts:
        return None
    return (
        "CC BY"
        + "".join(f"-{part.upper()}" for part in ("nc", "nd") if part in parts)
        + ("-SA" if "sa" in parts and "nd" not in parts else "")
    )


def codes_in_urls(text: str) -> list[str]:
    """The licences of the Creative Commons URLs in a text."""
    found: list[str | None] = []
    for code, zero in _URL.findall(text):
        found.append("CC0" if zero else code_of_parts(set(code.lower().strip("-").split("-"))))
    return [code for code in found if code]


def codes_in_names(text: str) -> list[str]:
    """The licences that a text names, `CC BY-NC` or in full."""
    text = re.sub(r"https?:?//\S+|creativecommons\.org/\S*", " ", text)
    found: list[str | None] = ["CC0" for _ in _ZERO.findall(text)]
    found.extend(code_of_parts(parts_of_words(words.lower())) for words in _NAME.findall(text))
    return [code for code in found if code]


def parts_of_words(words: str) -> set[str]:
    """`by`, `nc`, `sa` and `nd` as they stand in the words of a licence's name."""
    plain = re.sub(r"[^a-z]+", " ", words)
    spellings = {
        "by": r"\b(attribution|by)\b",
        "nc": r"\b(non ?commercial|nc)\b",
        "sa": r"\b(share ?alike|sa)\b",
        "nd": r"\b(no ?deriv(ative|ate)?s?|nd)\b",
    }
    return {part for part, spelling in spellings.items() if re.search(spelling, plain)}


def code_of_content_type(value: str | None) -> list[str]:
    """PMC's `ccbyncndlicense`."""
    match = _CONTENT_TYPE.match(value or "")
    if not match:
        return ["TDM"] if value and _TDM.search(value) else []
    word = match.group(1).lower()
    if not word.startswith("by"):
        return ["CC0"]
    code = code_of_parts({"by", *(word[start : start + 2] for start in range(2, len(word), 2))})
    return [code] if code else []


def codes_of_reference(value: str) -> list[str]:
    """The licence of a URL given as a licence."""
    return codes_in_urls(value) or (["TDM"] if _TDM.search(value) else [])


def license_of(meta: Element | None) -> License:
    """The licence of an `article-meta`."""
    if meta is None:
        return License(None, None, None, conflict=False)
    own = [element for element in meta.iter() if not any(name_of(around) in ABSTRACTS for around in ancestors(element))]
    references = [element for element in own if name_of(element) == "license_ref"]
    licenses = [element for element in own if name_of(element) == "license"]
    stated = " ".join(line for one in licenses if (line := license_text(one)))
    copyright_line = " ".join(line for one in own if name_of(one) == "copyright-statement" and (line := text_of(one)))
    text = stated or copyright_line
    named = codes_in_urls(stated) + codes_in_names(stated) or codes_in_urls(copyright_line) + codes_in_names(
        copyright_line
    )
    evidence: list[str] = []
    for reference in references:
        evidence += codes_of_reference(text_of(reference))
        evidence += code_of_content_type(attribute(reference, "content-type"))
    for one in licenses:
        for element in one.iter():
            evidence += codes_of_reference(attribute(element, "href") or "")
    distinct = without_waiver(evidence + named)
    return License(
        strictest(distinct),
        license_url(references, licenses, text),
        text or None,
        conflict=len(distinct) > 1,
        in_urls=strictest(without_waiver(evidence)),
        in_text=strictest(without_waiver(named)),
    )


def without_waiver(codes: list[str]) -> set[str]:
    """The licences, without a CC0 beside another CC licence."""
    distinct = set(codes)
    if any(code.startswith("CC BY") for code in distinct):
        distinct.discard("CC0")
    return distinct


def strictest(codes: set[str]) -> str | None:
    """The one that permits least."""
    return max(codes, key=STRICTNESS.index, default=None)


def license_text(element: Element) -> str:
    """A licence's text; its paragraphs are blocks, and the URL of its `license_ref` is no part of it."""
    return text_of(element, blocks="license-p", without="license_ref")


def license_url(references: list[Element], licenses: list[Element], text: str) -> str | None:
    """The first URL of the evidence: `license_ref`, `license/@href`, hrefs of Creative Commons within, the text's."""
    found = [text_of(reference) for reference in references]
    found += [attribute(one, "href") or "" for one in licenses]
    within = [attribute(element, "href") or "" for one in licenses for element in one.iter() if element is not one]
    found += [href for href in within if "creativecommons.org" in href.lower()]
    found += [match.group(0).rstrip(".,;)") for match in re.finditer(r"https?://\S*creativecommons\.org/\S+", text)]
    return next((url for url in found if url), None)

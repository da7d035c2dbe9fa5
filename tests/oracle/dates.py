"""DESIGN.md section 4, "Date": which publication date counts, and its ISO text."""

from __future__ import annotations

import re
from calendar import monthrange

from oracle.document import Element, attribute, children
from oracle.text import first_text

MONTHS = "january february march april may june july august september october november december".split()


def date_of(meta: Element | None) -> str | None:
    """The article's date, with the precision that is given."""
    dates = [] if meta is None else children(meta, "pub-date")
    dated = [(rank_of(date), iso_text(date)) for date in dates]
    whole = [(rank, text) for rank, text in dated if text is not None]
    return min(whole, key=lambda pair: pair[0])[1] if whole else None


def rank_of(date: Element) -> int:
    """0 electronic by name, 1 electronic by format, 2 print, 3 collection, 4 pmc-release, 5 anything else.

    Electronic by name comes first because HighWire gives a bare year as `epub-original` before the whole `epub` date.
    """
    pub_type = (attribute(date, "pub-type") or "").lower()
    date_type = (attribute(date, "date-type") or "").lower()
    publication_format = (attribute(date, "publication-format") or "").lower()
    if "collection" in {pub_type, date_type}:
        return 3
    if "pmc-release" in {pub_type, date_type}:
        return 4
    if pub_type in {"epub", "epub-ppub"}:
        return 0
    if pub_type != "ppub" and publication_format == "electronic" and date_type in {"pub", "publication", ""}:
        return 1
    return 2 if pub_type == "ppub" or publication_format == "print" else 5


def iso_text(date: Element) -> str | None:
    """`2005-01-03`, `2005-01` or `2005`; nothing without a year."""
    year = first_text(children(date, "year")) or ""
    if not re.fullmatch(r"[0-9]{4}", year) or int(year) == 0:
        return None
    month = month_number(first_text(children(date, "month")) or "")
    if month is None:
        return year
    day = first_text(children(date, "day")) or ""
    if not re.fullmatch(r"[0-9]{1,2}", day) or not 1 <= int(day) <= monthrange(int(year), month)[1]:
        return f"{year}-{month:02}"
    return f"{year}-{month:02}-{int(day):02}"


def month_number(text: str) -> int | None:
    """The month of a number or an English name, in full or shortened to three letters or more."""
    if re.fullmatch(r"[0-9]{1,2}", text):
        return int(text) if 1 <= int(text) <= 12 else None
    word = text.lower().rstrip(".")
    matching = [number for number, name in enumerate(MONTHS, 1) if len(word) >= 3 and name.startswith(word)]
    return matching[0] if len(matching) == 1 else None

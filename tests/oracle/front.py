"""DESIGN.md section 4, "The rest": what an article's own `front` and reference list say."""

from __future__ import annotations

import re

from oracle.document import Element, ancestors, attribute, children, name_of, sub_article_of
from oracle.text import LEFT_OUT, first_text, text_of

NOT_THE_ABSTRACT = frozenset("graphical toc teaser summary key-points executive-summary".split())
CITATIONS = frozenset("mixed-citation element-citation nlm-citation citation citation-alternatives note".split())


def unique(values: list[str]) -> list[str]:
    """Each value once, where it first stands."""
    return list(dict.fromkeys(values))


def child_path(element: Element | None, *names: str) -> list[Element]:
    """The elements down a path of child names."""
    level = [] if element is None else [element]
    for name in names:
        level = [child for parent in level for child in children(parent, name)]
    return level


def article_id(meta: Element | None, *types: str) -> str | None:
    """The first `article-id` of one of the types."""
    return first_text([one for one in child_path(meta, "article-id") if attribute(one, "pub-id-type") in types])


def accession_of(meta: Element | None) -> str | None:
    """`PMC…`, else the DOI's slug."""
    if number := article_id(meta, "pmc", "pmcid"):
        return f"PMC{number}" if re.fullmatch(r"[0-9]+", number) else number
    doi = article_id(meta, "doi")
    return re.sub(r"[^A-Za-z0-9]+", "-", doi).lower() if doi else None


def title_of(meta: Element | None) -> str | None:
    """The article's title without notes, references and subtitle."""
    titles = child_path(meta, "title-group", "article-title")
    return next((text for title in titles if (text := text_of(title, without="xref fn subtitle"))), None)


def journal_of(front: Element | None) -> str | None:
    """The journal's full title, else the abbreviation of it that the article gives."""
    metas = child_path(front, "journal-meta")
    titles = [title for meta in metas for title in meta.iter("journal-title")]
    abbreviations = [
        element
        for meta in metas
        for element in meta.iter()
        if name_of(element) == "abbrev-journal-title"
        or (name_of(element) == "journal-id" and attribute(element, "journal-id-type") == "nlm-ta")
    ]
    return first_text(titles) or first_text(abbreviations)


def authors_of(meta: Element | None) -> list[str]:
    """The authors' names; a collaboration under its own name, not by its members.

    Texture writes `contrib-type="person"` and says `author` at the group, so the group's type counts too.
    """
    if meta is None:
        return []
    names: list[str] = []
    for contributor in meta.iter("contrib"):
        inside = {name_of(around) for around in ancestors(contributor)}
        if not is_author(contributor) or "collab" in inside or "contrib-group" not in inside:
            continue
        names.extend(name for child in contributor if (name := contributor_name(child)))
    return names


def is_author(contributor: Element) -> bool:
    """Whether the contributor or its group is of type author, or neither says what it is."""
    own = attribute(contributor, "contrib-type")
    around = contributor.parent
    group = None if around is None else attribute(around, "content-type")
    return (own or "author").lower() == "author" or (own == "person" and (group or "").lower() in {"author", "authors"})


def contributor_name(element: Element) -> str | None:
    """The name in one child of `contrib`."""
    if name_of(element) in {"name-alternatives", "collab-alternatives"}:
        return next((name for child in element if (name := contributor_name(child))), None)
    if name_of(element) == "collab":
        return text_of(element, without="contrib-group xref") or None
    if name_of(element) not in {"name", "string-name"}:
        return None
    parts = [first_text(children(element, part)) for part in ("given-names", "surname", "suffix")]
    if name := " ".join(part for part in parts if part):
        return name
    return text_of(element) or None


def abstract_of(meta: Element | None) -> str | None:
    """The abstract in one line, without its own title."""
    abstracts = child_path(meta, "abstract")
    plain = [one for one in abstracts if attribute(one, "abstract-type") is None]
    others = [one for one in abstracts if not is_other_than_abstract((attribute(one, "abstract-type") or "").lower())]
    for abstract in plain + others:
        copied = [child for child in abstract if name_of(child) != "title"]
        if text := text_of_parts(copied):
            return text
    return None


def is_other_than_abstract(abstract_type: str) -> bool:
    """Whether an abstract of this type is no abstract of the article as a whole."""
    return abstract_type in NOT_THE_ABSTRACT or "graphical" in abstract_type


def text_of_parts(kept: list[Element]) -> str:
    """The text of some children of an abstract, one after the other."""
    return " ".join(text for child in kept if name_of(child) not in LEFT_OUT and (text := text_of(child)))


def keywords_of(meta: Element | None) -> list[str]:
    """Each keyword once; lists of abbreviations are none."""
    if meta is None:
        return []
    return unique([text for kwd in meta.iter("kwd") if not is_abbreviation(kwd) and (text := text_of(kwd))])


def is_abbreviation(kwd: Element) -> bool:
    """Whether a group around the keyword says, by type or title, that it lists abbreviations."""
    for group in (around for around in ancestors(kwd) if name_of(around) == "kwd-group"):
        said = [attribute(group, "kwd-group-type") or "", *(text_of(title) for title in children(group, "title"))]
        if any("abbr" in words.lower() for words in said):
            return True
    return False


def subjects_of(meta: Element | None) -> list[str]:
    """Each subject once."""
    categories = child_path(meta, "article-categories")
    return unique([text for one in categories for subject in one.iter("subject") if (text := text_of(subject))])


def citation_of(journal: str | None, date: str | None, meta: Element | None) -> str | None:
    """`Journal. Year;volume(issue):fpage-lpage`, or the elocation-id for the pages."""
    volume, issue, first, last, location = (
        first_text(child_path(meta, name)) for name in ("volume", "issue", "fpage", "lpage", "elocation-id")
    )
    year = date[:4] if date else ""
    number = (volume or "") + (f"({issue})" if issue else "")
    pages = (f"{first}-{last}" if last and last != first else first) if first else location
    tail = ";".join(part for part in (year, number) if part) + (f":{pages}" if pages else "")
    return ". ".join(part for part in (journal, tail) if part) if journal or year else None


def is_retracted(article: Element, front: Element | None) -> bool:
    """Whether the article says of itself that it was retracted."""
    if (attribute(article, "article-type") or "").lower().startswith("retracted"):
        return True
    related = [] if front is None else list(front.iter("related-article"))
    return any((attribute(one, "related-article-type") or "").lower() == "retraction-forward" for one in related)


def references_of(article: Element) -> list[dict[str, str | None]]:
    """`article_reference_list`: the `ref` elements outside sub-articles."""
    return [reference_row(ref) for ref in article.iter("ref") if sub_article_of(ref) is None]


def reference_row(ref: Element) -> dict[str, str | None]:
    """One entry of the list."""
    return {
        "id": attribute(ref, "id"),
        "pmid": first_text(pub_ids(ref, "pmid")),
        "doi": first_text(pub_ids(ref, "doi")),
        "citation": " ".join(text for child in children(ref, *CITATIONS) if (text := citation_text(child))),
    }


def pub_ids(ref: Element, kind: str) -> list[Element]:
    """The `pub-id` elements of one type."""
    return [one for one in ref.iter("pub-id") if attribute(one, "pub-id-type") == kind]


def reference_ids_of(article: Element) -> list[str]:
    """The PMIDs of the reference list, each once."""
    refs = [ref for ref in article.iter("ref") if sub_article_of(ref) is None]
    return unique([text for ref in refs for one in pub_ids(ref, "pmid") if (text := text_of(one))])


def citation_text(element: Element) -> str:
    """A citation in one line."""
    if name_of(element) == "citation-alternatives":
        choices = list(element)
        return citation_text(choices[0]) if choices else ""
    return text_of(element, apart=True)

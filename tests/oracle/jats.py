"""A JATS document read by DESIGN.md section 4, word by word, with no thought of speed."""

from __future__ import annotations

from oracle.dates import date_of
from oracle.document import attribute, children, read_tree
from oracle.figures import figure_row, find_graphics
from oracle.front import (
    abstract_of,
    accession_of,
    article_id,
    authors_of,
    child_path,
    citation_of,
    is_retracted,
    journal_of,
    keywords_of,
    reference_ids_of,
    references_of,
    subjects_of,
    title_of,
)
from oracle.license import license_of
from oracle.mentions import context_of, panels_of_context, paragraphs
from oracle.text import body_lines


def parse_article(xml: bytes) -> dict[str, object]:
    """Reads one document.

    Args:
        xml: The bytes of the file.

    Returns:
        The article's columns of DESIGN.md section 5 that its XML alone decides, and `figures`: a list of dicts with the
        figures' columns that need no image, `image_hrefs` (the preferred one first) for `image_file_name`.

    Raises:
        ValueError: The document has no `article`, or is not in its declared encoding.
        lxml.etree.XMLSyntaxError: The document is not well-formed.
    """
    article = read_tree(xml)
    front = next(iter(children(article, "front")), None)
    meta = next(iter(child_path(front, "article-meta")), None)
    journal, date, license_ = journal_of(front), date_of(meta), license_of(meta)
    candidates = paragraphs(article)
    figures = [
        figure_row(figure, context_of(figure, candidates), panels_of_context(figure, candidates))
        for figure in find_graphics(article)
    ]
    references = references_of(article)
    return {
        "article_accession_id": accession_of(meta),
        "article_pmid": article_id(meta, "pmid"),
        "article_doi": article_id(meta, "doi"),
        "article_title": title_of(meta),
        "article_journal": journal,
        "article_date": date,
        "article_type": attribute(article, "article-type"),
        "article_language": attribute(article, "lang"),
        "article_authors": authors_of(meta),
        "article_abstract": abstract_of(meta),
        "article_keywords": keywords_of(meta),
        "article_subject": subjects_of(meta),
        "article_license": license_.code,
        "article_license_url": license_.url,
        "article_license_text": license_.text,
        "license_in_urls": license_.in_urls,
        "license_in_text": license_.in_text,
        "license_conflict": license_.conflict,
        "subset": license_.subset,
        "article_citation": citation_of(journal, date, meta),
        "article_reference_count": len(references),
        "article_reference_ids": reference_ids_of(article),
        "article_reference_list": references,
        "article_text": "\n".join(line for body in children(article, "body")[:1] for line in body_lines(body)) or None,
        "article_figure_count": len(figures),
        "is_retracted": is_retracted(article, front),
        "figures": figures,
    }

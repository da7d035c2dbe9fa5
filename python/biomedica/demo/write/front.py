"""The front of an article in the dress of NLM 2.x, NLM 3.0 or JATS, and its reference list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biomedica.demo import words
from biomedica.demo.draw.canvas import pick
from biomedica.demo.rich import Rich, rich

if TYPE_CHECKING:
    from collections.abc import Callable

    from biomedica.demo.write.doc import Doc, Row
    from biomedica.demo.write.licence import Licence

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass
class Meta:
    """What is known of an article before it is written."""

    number: int
    publisher: str
    licence: Licence
    about: words.Topic
    accession: str
    id_style: str = "bare"
    """How the accession stands in the document: `bare` (123), `prefixed` (PMC123), `pmcid`, or `none`."""
    article_type: str = "research-article"
    date_style: int = 0
    year: int = 2015
    month: int = 6
    day: int = 14
    title: Rich = field(default_factory=Rich)
    row: Row = field(default_factory=dict)
    """The article's truth."""

    @property
    def doi(self) -> str:
        """The article's DOI."""
        return f"10.5555/{self.publisher}.{self.number:07d}"


def date_xml(meta: Meta) -> tuple[str, str]:
    """`pub-date` elements in one of the usual forms, and the ISO date that they come to."""
    y, m, d = meta.year, meta.month, meta.day
    full = f"<day>{d}</day><month>{m}</month><year>{y}</year>"
    forms = (
        (
            f'<pub-date pub-type="collection"><year>{y}</year></pub-date><pub-date pub-type="epub">{full}</pub-date>',
            f"{y}-{m:02d}-{d:02d}",
        ),
        (
            f'<pub-date pub-type="ppub"><month>{MONTHS[m - 1]}</month><year>{y}</year></pub-date><pub-date pub-type="pmc-release">{full}</pub-date>',
            f"{y}-{m:02d}",
        ),
        (
            f'<pub-date publication-format="electronic" date-type="pub" iso-8601-date="{y}-{m:02d}-{d:02d}">{full}</pub-date><pub-date publication-format="electronic" date-type="collection"><year>{y}</year></pub-date>',
            f"{y}-{m:02d}-{d:02d}",
        ),
        (f'<pub-date pub-type="collection"><season>Spring</season><year>{y}</year></pub-date>', f"{y}"),
        (
            f'<pub-date pub-type="epub-ppub"><month>{MONTHS[m - 1][:3]}</month><year>{y}</year></pub-date>',
            f"{y}-{m:02d}",
        ),
        (
            f'<pub-date date-type="pub" publication-format="print"><day>{d:02d}</day><month>{m:02d}</month><year>{y}</year></pub-date>',
            f"{y}-{m:02d}-{d:02d}",
        ),
        (f'<pub-date pub-type="epub"><day>31</day><month>13</month><year>{y}</year></pub-date>', f"{y}"),
    )
    return forms[meta.date_style % len(forms)]


def front(doc: Doc, meta: Meta, extra: Callable[[], str] | None = None, old: bool = False) -> str:
    """The `front` element; `extra` gives further abstracts, `old` the habits of NLM 2.x."""
    rng = doc.rng
    journal = pick(rng, words.JOURNALS[meta.publisher])
    meta.title = rich(words.title(rng, meta.about))
    dates, iso = date_xml(meta)
    pmid = str(30_000_000 + meta.number)
    ids = (
        ""
        if meta.id_style == "none"
        else {
            "bare": f'<article-id pub-id-type="pmc">{meta.accession[3:]}</article-id>',
            "prefixed": f'<article-id pub-id-type="pmc">{meta.accession}</article-id>',
            "pmcid": f'<article-id pub-id-type="pmcid">{meta.accession}</article-id>',
        }[meta.id_style]
    )
    subjects = list(dict.fromkeys([words.SUBJECTS[0], pick(rng, words.SUBJECTS[1:])]))
    people = [words.person(rng) for _ in range(int(rng.integers(2, 9)))]
    suffix = " Jr" if rng.random() < 0.1 else ""
    authors = [f"{given} {surname}" for given, surname in people]
    authors[0] += suffix
    contributors = [
        _contributor(doc, number, *person, suffix if number == 0 else "") for number, person in enumerate(people)
    ]
    if rng.random() < 0.15:
        authors.append("The Synthetic Figures Consortium")
        contributors.append(
            '<contrib contrib-type="author"><collab>The Synthetic Figures Consortium</collab></contrib>'
        )
    contributors.append(
        '<contrib contrib-type="editor"><name><surname>Editor</surname><given-names>Academic</given-names></name><role>Editor</role></contrib>'
    )
    keywords = [rich(k) for k in words.keywords(rng, meta.about)]
    journal_title = f"<journal-title>{doc.spelling.escape(journal)}</journal-title>"
    group = journal_title if old else f"<journal-title-group>{journal_title}</journal-title-group>"
    permissions = doc.spelling.characters(
        meta.licence.xml.replace("{year}", str(meta.year)).replace("{holder}", f"{people[0][1]} et al")
    )
    if old:
        permissions = permissions.replace("license-p>", "p>")
    subject_xml = "".join(f"<subject>{doc.spelling.escape(s)}</subject>" for s in subjects)
    abstract, abstract_text = _abstract(doc, meta)
    doi = f'<article-id pub-id-type="doi">{meta.doi}</article-id>'
    note = (
        '<fn-group><fn id="fn1"><p>Preliminary data were shown at a meeting.</p></fn></fn-group>'
        if rng.random() < 0.1
        else ""
    )
    keyword_xml = "".join(f"<kwd>{doc.inline(k)}</kwd>" for k in keywords)
    xml = (
        f'<front><journal-meta><journal-id journal-id-type="nlm-ta">{doc.spelling.escape(journal)}</journal-id>{group}'
        f'<issn pub-type="epub">1234-567{meta.number % 10}</issn><publisher><publisher-name>Synthetic Press</publisher-name></publisher></journal-meta>'
        f'<article-meta><article-id pub-id-type="pmid">{pmid}</article-id>{ids}{doi}'
        f'<article-categories><subj-group subj-group-type="heading">{subject_xml}</subj-group></article-categories>'
        f"<title-group><article-title>{doc.inline(meta.title)}</article-title>{note}</title-group>"
        f"<contrib-group>{''.join(contributors)}</contrib-group>"
        f'<aff id="aff1"><label>1</label>Institute of Synthetic Medicine, University of Nowhere, 1 Example Street</aff>'
        f"{dates}<volume>{meta.number % 40 + 1}</volume><issue>{meta.number % 12 + 1}</issue><elocation-id>e{meta.number}</elocation-id>"
        f'<history><date date-type="received"><day>2</day><month>1</month><year>{meta.year - 1}</year></date></history>'
        f"{permissions}{abstract}{extra() if extra else ''}<kwd-group>{keyword_xml}</kwd-group></article-meta></front>"
    )
    meta.row.update(
        article_accession_id=meta.accession, article_pmid=pmid, article_doi=meta.doi, article_title=meta.title.text,
        article_journal=journal, article_date=iso, article_type=meta.article_type, article_authors=authors,
        article_abstract=abstract_text, article_keywords=list(dict.fromkeys(k.text for k in keywords)), article_subject=subjects,
        article_license=meta.licence.code, license_conflict=meta.licence.conflict,
    )  # fmt: skip
    return xml


def _contributor(doc: Doc, number: int, given: str, surname: str, suffix: str) -> str:
    corresponding = ' corresp="yes"' if number == 0 else ""
    tail = f"<suffix>{suffix.strip()}</suffix>" if suffix else ""
    name = f"<surname>{doc.spelling.escape(surname)}</surname><given-names>{doc.spelling.escape(given)}</given-names>{tail}"
    return f'<contrib contrib-type="author"{corresponding}><name>{name}</name><xref ref-type="aff" rid="aff1"><sup>1</sup></xref></contrib>'


def _abstract(doc: Doc, meta: Meta) -> tuple[str, str]:
    """A plain or a structured abstract, and its text."""
    if doc.rng.random() < 0.5:
        body = rich(words.sentences(doc.rng, meta.about, 5, 9))
        return f"<abstract>{doc.p(body)}</abstract>", body.text
    parts, texts = [], []
    for heading in ("Background", "Methods", "Results", "Conclusions"):
        body = rich(words.sentences(doc.rng, meta.about, 2, 4))
        parts.append(f"<sec><title>{heading}</title>{doc.p(body)}</sec>")
        texts += [heading, body.text]
    return f"<abstract><title>Abstract</title>{''.join(parts)}</abstract>", " ".join(texts)


def references(doc: Doc, meta: Meta, style: str = "element-citation") -> str:
    """A `ref-list`; the article's row gets the count and the PMIDs."""
    rng, items, pmids = doc.rng, [], []
    count = int(rng.integers(12, 46))
    for number in range(1, count + 1):
        given, surname = words.person(rng)
        year, volume, page = int(rng.integers(1985, meta.year + 1)), int(rng.integers(1, 90)), int(rng.integers(1, 900))
        heading = doc.inline(rich(words.title(rng, words.topic(rng))))
        pmid = str(int(rng.integers(8_000_000, 29_999_999))) if rng.random() < 0.8 else ""
        ids = (f'<pub-id pub-id-type="pmid">{pmid}</pub-id>' if pmid else "") + (
            f'<pub-id pub-id-type="doi">10.5555/ref.{meta.number}.{number}</pub-id>' if rng.random() < 0.6 else ""
        )
        if pmid:
            pmids.append(pmid)
        name = f"<name><surname>{doc.spelling.escape(surname)}</surname> <given-names>{doc.spelling.escape(given[:1])}</given-names></name>"
        if style == "mixed-citation":
            body = f"{name} (<year>{year}</year>) <article-title>{heading}</article-title>. <source>J Synth Res</source> <volume>{volume}</volume>: <fpage>{page}</fpage>. {ids}"
        else:
            body = f'<person-group person-group-type="author">{name}</person-group><year>{year}</year><article-title>{heading}</article-title><source>J Synth Res</source><volume>{volume}</volume><fpage>{page}</fpage><lpage>{page + 7}</lpage>{ids}'
        kind = "citation-type" if style == "citation" else "publication-type"
        items.append(f'<ref id="R{number}"><label>{number}</label><{style} {kind}="journal">{body}</{style}></ref>')
    meta.row.update(article_reference_count=count, article_reference_ids=list(dict.fromkeys(pmids)))
    return f"<ref-list><title>References</title>{''.join(items)}</ref-list>"

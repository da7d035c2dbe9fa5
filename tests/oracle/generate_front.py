"""Seeded random `front` matter and references."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from oracle.generate_text import Text

CC = "http://creativecommons.org/licenses/"
ALI = 'xmlns:ali="http://www.niso.org/schemas/ali/1.0/"'
LICENSES = [
    "",
    "<copyright-statement>© 2010 The Authors</copyright-statement>",
    "<copyright-statement>© 2010 The Authors. CC BY-NC 3.0</copyright-statement>",
    f'<license license-type="open-access" xlink:href="{CC}by/4.0/"><license-p>Creative Commons Attribution License.</license-p></license>',
    (
        f'<license><ali:license_ref {ALI} specific-use="textmining" content-type="ccbyncndlicense">'
        f"https://creativecommons.org/licenses/by-nc-nd/4.0/</ali:license_ref><license-p>Open access.</license-p></license>"
    ),
    "<license><license-p>This is distributed under the Creative Commons Attribution-NonCommercial-ShareAlike License.</license-p></license>",
    "<license><license-p>Creative Commons Attribution Non Commercial No Derivatives (CC BY-NC-ND 4.0).</license-p></license>",
    f'<license><p>See <ext-link ext-link-type="uri" xlink:href="{CC}by-sa/3.0/">here</ext-link>; for non-commercial use.</p></license>',
    f'<license xlink:href="{CC}by/2.0"><p>Attribution-NonCommercial under CC BY-NC.</p></license>',
    f'<license xlink:href="{CC}by/4.0/"><license-p>CC BY 4.0. Data: http://creativecommons.org/publicdomain/zero/1.0/</license-p></license>',
    '<license xlink:href="https://creativecommons.org/publicdomain/zero/1.0/"><license-p>CC0 public domain dedication.</license-p></license>',
    '<license xlink:href="http://creativecommons.org/publicdomain/mark/1.0/"><license-p>Public domain.</license-p></license>',
    "<license><license-p>Permits unrestricted non-commercial use.</license-p></license><copyright-statement>CC BY</copyright-statement>",
    f'<license xlink:href="{CC}by-nd/4.0/"><license-p>{CC}by-nd/4.0/.</license-p></license>',
    '<license xlink:href="http://www.elsevier.com/open-access/userlicense/1.0/"><license-p>User license.</license-p></license>',
]
DATE_KINDS = [
    'pub-type="epub"',
    'pub-type="ppub"',
    'pub-type="epub-ppub"',
    'pub-type="collection"',
    'pub-type="pmc-release"',
    'date-type="pub" publication-format="electronic"',
    'date-type="publication" publication-format="electronic"',
    'date-type="collection" publication-format="electronic"',
    'date-type="pub" publication-format="print"',
    'publication-format="electronic"',
    'date-type="pub" publication-format="electronic" pub-type="epub-original"',
    'date-type="accepted"',
    'pub-type="epreprint"',
    "",
]
DATE_PARTS = [
    "<day>3</day><month>1</month><year>2005</year>",
    "<month>03</month><year>2011</year>",
    "<year> 2012 </year>",
    "<season>Spring</season><year>2001</year>",
    "<month>Sept.</month><year>1999</year>",
    "<day>12</day><month>December</month><year>2019</year>",
    "<day>31</day><month>2</month><year>2014</year>",
    "<day>5</day><month>13</month><year>2014</year>",
    "<day>5</day><year>2014</year>",
    "<month>4</month>",
    "<year>n.d.</year>",
    "<day>29</day><month>2</month><year>2020</year>",
]
IDS = [
    '<article-id pub-id-type="pmc">123456</article-id>',
    '<article-id pub-id-type="pmcid">PMC123457</article-id>',
    '<article-id pub-id-type="doi">10.1371/Journal.pone.0000001</article-id>',
    '<article-id pub-id-type="pmid">2345</article-id>',
    '<article-id pub-id-type="publisher-id">P1</article-id>',
]
CITATIONS = [
    '<mixed-citation>A. One, <italic>J. Sci.</italic> 5 (2019). <pub-id pub-id-type="doi">10.1/x</pub-id></mixed-citation>',
    (
        "<element-citation><person-group><name><surname>Roe</surname><given-names>J</given-names></name></person-group>"
        "<article-title>On <italic>x</italic></article-title><source>J Sci</source><year>2001</year><volume>4</volume>"
        '<pub-id pub-id-type="pmid">111</pub-id></element-citation>'
    ),
    "<citation><name><surname>Poe</surname><given-names>E</given-names></name><year>1999</year></citation>",
    (
        "<mixed-citation><name><surname>Doe</surname> <given-names>J</given-names></name>, <source>Y</source>; "
        '<pub-id pub-id-type="pmid">222</pub-id></mixed-citation>'
    ),
    (
        "<citation-alternatives><element-citation><year>2000</year></element-citation>"
        "<mixed-citation>Chosen 2000</mixed-citation></citation-alternatives>"
    ),
]
NAME = "<name><surname>Curie</surname><given-names>Marie</given-names></name>"
CONTRIBUTORS = [
    f'<contrib contrib-type="author">{NAME}<xref rid="f1">1</xref></contrib>',
    '<contrib contrib-type="author"><name><surname>King</surname><given-names>M. L.</given-names><suffix>Jr</suffix></name></contrib>',
    f'<contrib contrib-type="editor">{NAME}</contrib>',
    "<contrib><string-name><given-names>Ada</given-names> <surname>Lovelace</surname></string-name></contrib>",
    (
        '<contrib contrib-type="author"><collab>The Group<contrib-group><contrib contrib-type="author">'
        "<name><surname>Member</surname></name></contrib></contrib-group></collab></contrib>"
    ),
    f'<contrib contrib-type="author"><name-alternatives>{NAME}<name><surname>Other</surname></name></name-alternatives></contrib>',
]


class Front:
    """Front matter in its many ways of being written."""

    def __init__(self, random: Random, text: Text) -> None:
        """Draws everything from `random`."""
        self.random = random
        self.text = text
        self.chance = text.chance
        self.some = text.some

    def contributor(self) -> str:
        """One contributor."""
        return self.random.choice(CONTRIBUTORS)

    def reference(self) -> str:
        """One `ref`."""
        label = "<label>1</label>" if self.chance(0.4) else ""
        identifier = ' id="r1"' if self.chance(0.7) else ""
        return f"<ref{identifier}>{label}{self.random.choice(CITATIONS)}</ref>"

    def date(self) -> str:
        """One `pub-date`."""
        return f"<pub-date {self.random.choice(DATE_KINDS)}>{self.random.choice(DATE_PARTS)}</pub-date>"

    def abstracts(self, figure: Callable[[], str]) -> str:
        """Abstracts of all types."""
        kinds = [
            "",
            "graphical",
            "graphical-abstract",
            "toc",
            "visual-abstract",
            "summary",
            "teaser",
            "author-highlights",
        ]
        return self.some(0, 3, lambda: self.abstract(self.random.choice(kinds), figure))

    def abstract(self, kind: str, figure: Callable[[], str]) -> str:
        """One abstract."""
        name = "trans-abstract" if self.chance(0.2) else "abstract"
        attribute = f' abstract-type="{kind}"' if kind else ""
        title = "<title>Abstract</title>" if self.chance(0.4) else ""
        picture = figure() if kind or self.chance(0.1) else ""
        if self.chance(0.3) and picture:
            picture = f"<p>{picture}</p>"
        content = f"<p>{self.text.inline()}</p>"
        if self.chance(0.4):
            content = f"<sec><title>Background:</title>{content}</sec><sec><title>Aim</title><p>{self.text.inline()}</p></sec>"
        return f"<{name}{attribute}>{title}{picture}{content if self.chance(0.9) else ''}</{name}>"

    def keywords(self) -> str:
        """Keyword groups, one of abbreviations among them."""
        kinds = ["", ' kwd-group-type="author"', ' kwd-group-type="abbreviations"']
        titles = ["", "<title>Keywords</title>", "<title>Abbreviations</title>"]
        groups = ""
        for _ in range(self.random.randint(0, 2)):
            words = self.some(1, 4, self.keyword)
            groups += f"<kwd-group{self.random.choice(kinds)}>{self.random.choice(titles)}{words}</kwd-group>"
        return groups

    def keyword(self) -> str:
        """One keyword."""
        return f"<kwd>{self.random.choice(['CO<sub>2</sub>', 'mice', 'Mice', ' p53 ', 'a&nbsp;b'])}</kwd>"

    def front(self, figure: Callable[[], str]) -> str:
        """The whole `front`."""
        title = self.random.choice(["journal-title-group", ""])
        journal = "<journal-title>Journal of <italic>X</italic></journal-title>"
        journal = f"<{title}>{journal}</{title}>" if title else journal
        note = self.random.choice(["", "<xref rid='f1'>*</xref>", "<fn><p>note</p></fn>"])
        subtitle = "<subtitle>A study</subtitle>" if self.chance(0.3) else ""
        article_title = (
            f"<title-group><article-title>{self.text.inline()}{note}</article-title>{subtitle}</title-group>"
        )
        subjects = "<article-categories><subj-group><subject>Article</subject><subj-group><subject>Cells</subject>"
        subjects += "<subject>Article</subject></subj-group></subj-group></article-categories>"
        pages = self.random.choice(
            ["<fpage>1</fpage><lpage>9</lpage>", "<fpage>7</fpage>", "<elocation-id>e1</elocation-id>", ""]
        )
        numbers = self.random.choice(["<volume>5</volume><issue>2</issue>", "<volume>5</volume>", ""]) + pages
        license_ = self.random.choice(LICENSES)
        permissions = f"<permissions>{license_}</permissions>" if self.chance(0.8) else license_
        related = self.random.choice(["", "", '<related-article related-article-type="retraction-forward" id="d1"/>'])
        logo = self.random.choice(["", '<notes><graphic xlink:href="logo.jpg"/></notes>'])
        meta = "".join(
            [
                "".join(one for one in IDS if self.chance(0.6)),
                subjects if self.chance(0.7) else "",
                article_title if self.chance(0.95) else "",
                f"<contrib-group>{self.some(0, 4, self.contributor)}</contrib-group>",
                self.some(0, 4, self.date),
                numbers,
                permissions,
                related,
                self.abstracts(figure),
                self.keywords(),
            ]
        )
        kind = self.random.choice(["nlm-ta", "pmc"])
        journal_id = f'<journal-id journal-id-type="{kind}">J X</journal-id>'
        journal_meta = f"<journal-meta>{journal_id}{journal if self.chance(0.9) else ''}</journal-meta>"
        return f"<front>{journal_meta}<article-meta>{meta}</article-meta>{logo}</front>"

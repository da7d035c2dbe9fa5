"""Seeded random JATS documents that meet every rule of DESIGN.md section 4, and their nesting."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from oracle.generate_front import Front
from oracle.generate_text import Text, escape

if TYPE_CHECKING:
    from collections.abc import Callable

ID_POOL = "f1 f2 f3 f4 t1 t2 g1 b1 s1 fg1 tg1 ch1 r1".split()
FIGURE_ELEMENTS = ["fig", "fig", "fig", "table-wrap", "chem-struct-wrap", "chem-struct-wrapper", "boxed-text"]
EXTENSIONS = ["jpg", "JPG", "jpeg", "png", "tif", "tiff", "gif", "g001", "eps", "svg", ""]
STEMS = "a b pone.0000001.g001 dir/c %66ig 1471-2180-11-1 x_thumb x_300x200 x_1200x300 x_400x400".split()


class Body:
    """The parts of an article that hold text and figures."""

    def __init__(self, random: Random) -> None:
        """Draws everything from `random`."""
        self.random = random
        self.text = Text(random, ID_POOL)
        self.chance = self.text.chance
        self.some = self.text.some

    def id(self, probability: float = 0.8) -> str:
        """An `id` attribute; ids repeat, which real articles do too."""
        return f' id="{self.random.choice(ID_POOL)}"' if self.chance(probability) else ""

    def caption(self) -> str:
        """A caption, perhaps an empty one."""
        if self.chance(0.1):
            return self.random.choice(["<caption/>", "<caption><p> </p></caption>", "<caption><title/></caption>"])
        title = f"<title>{self.text.inline()}</title>" if self.chance(0.6) else ""
        panels = f"<p>{self.text.panel_texts()}</p>" if self.chance(0.2) else ""
        return f"<caption>{title}{panels}{self.some(0, 2, self.paragraph_plain)}</caption>"

    def paragraph_plain(self) -> str:
        """A paragraph without blocks in it."""
        return f"<p>{self.text.inline()}</p>"

    def label(self) -> str:
        """A label."""
        return f"<label>{escape(self.random.choice(['Figure 1', 'Fig. 2.', ' ', 'Table S1']))}</label>"

    def href(self) -> str:
        """An href attribute, seldom none."""
        if self.chance(0.06):
            return self.random.choice(["", ' xlink:href=""'])
        extension = self.random.choice(EXTENSIONS)
        return f' xlink:href="{self.random.choice(STEMS)}{"." if extension else ""}{extension}"'

    def graphic(self) -> str:
        """A `graphic`, or a `media` that may be an image."""
        attributes = self.href() + self.id(0.3)
        if self.chance(0.1):
            attributes += self.random.choice(
                [' specific-use="thumbnail"', ' content-type="100x80"', ' content-type="print"']
            )
        if self.chance(0.1):  # HighWire's own ids are no ids
            attributes += ' hwp:id="graphic-1" xmlns:hwp="http://schema.highwire.org/Journal"'
        name = "graphic"
        if self.chance(0.15):
            name = "media"
            attributes += self.random.choice(["", ' mimetype="image"', ' mimetype="video"', ' mimetype="application"'])
        content = "<alt-text>alt</alt-text>" if self.chance(0.2) else ""
        content += self.label() if self.chance(0.08) else ""
        content += self.caption() if self.chance(0.08) else ""
        return f"<{name}{attributes}>{content}</{name}>"

    def graphics(self) -> str:
        """One or more graphics, alone or as alternatives."""
        if self.chance(0.25):
            table = "<table><tr><td>1</td></tr></table>" if self.chance(0.3) else ""
            return f"<alternatives>{self.some(1, 3, self.graphic)}{table}</alternatives>"
        return self.some(1, 3 if self.chance(0.4) else 1, self.graphic)

    def figure(self, depth: int = 0) -> str:
        """An element with graphics, a group of such elements, or graphics alone."""
        draw = self.random.random()
        if draw < 0.12 and depth < 2:
            return self.group(depth)
        if draw < 0.2:
            return self.supplementary()
        if draw < 0.26:
            return self.graphics()
        name = self.random.choice(FIGURE_ELEMENTS)
        kind = (
            self.random.choice([' fig-type="graphical-abstract"', ' fig-type="figure"', ' content-type="graphical"'])
            if self.chance(0.1)
            else ""
        )
        parts = [self.label() if self.chance(0.7) else "", self.caption() if self.chance(0.75) else "", self.graphics()]
        if self.chance(0.3):
            self.random.shuffle(parts)
        extra = ""
        if name == "boxed-text":
            extra = self.paragraph(depth + 1) + (self.figure(depth + 1) if depth < 2 and self.chance(0.4) else "")
        elif name == "table-wrap" and self.chance(0.6):
            cell = self.text.inline() + (self.graphic() if self.chance(0.2) else "")
            extra = f"<table><tbody><tr><th>h</th><td>{cell}</td></tr></tbody></table>"
            extra += f"<table-wrap-foot><fn><p>{self.text.inline()}</p></fn></table-wrap-foot>"
        elif self.chance(0.1):
            extra = f"<permissions><license><license-p>{self.text.words()}</license-p></license></permissions>"
        elif self.chance(0.08) and depth < 2:
            extra = f"<p>{self.text.inline()}</p>"
        return f"<{name}{self.id()}{kind}>{''.join(parts)}{extra}</{name}>"

    def group(self, depth: int) -> str:
        """A `fig-group` or `table-wrap-group`."""
        name = self.random.choice(["fig-group", "table-wrap-group"])
        head = (self.label() if self.chance(0.4) else "") + (self.caption() if self.chance(0.6) else "")
        loose = self.graphic() if self.chance(0.2) else ""
        return f"<{name}{self.id()}>{head}{loose}{self.some(1, 3, lambda: self.figure(depth + 1))}</{name}>"

    def supplementary(self) -> str:
        """Supplementary material, with or without a picture of its own."""
        head = (self.label() if self.chance(0.6) else "") + (self.caption() if self.chance(0.6) else "")
        content = self.random.choice(["", self.graphic(), '<media mimetype="video" xlink:href="m.mp4"/>'])
        return f'<supplementary-material{self.id()} xlink:href="s1.jpg">{head}{content}</supplementary-material>'

    def note(self) -> str:
        """A footnote in the middle of a text."""
        return f"<fn{self.id(0.3)}><label>*</label><p>{self.text.inline()}</p></fn>"

    def block(self, depth: int) -> str:
        """A block that stands in a paragraph or beside it."""
        makers: list[Callable[[int], str]] = [
            self.list_block,
            lambda deeper: f"<disp-quote>{self.paragraph(deeper)}<attrib>Someone</attrib></disp-quote>",
            lambda deeper: (
                f"<def-list><def-item><term>T</term><def>{self.paragraph(deeper)}</def></def-item></def-list>"
            ),
            lambda _: self.text.formula("disp-formula"),
            lambda _: (
                f"<verse-group><verse-line>{self.text.words()}</verse-line><verse-line>v</verse-line></verse-group>"
            ),
            lambda _: f"<preformat>{self.text.words()}</preformat>",
            lambda deeper: f"<statement><label>S</label><title>T</title>{self.paragraph(deeper)}</statement>",
            lambda deeper: f"<speech><speaker>Q</speaker>{self.paragraph(deeper)}</speech>",
            lambda _: "<code>x = 1\n  y</code>",
        ]
        return self.random.choice(makers)(depth + 1)

    def list_block(self, depth: int) -> str:
        """A list of two items."""
        return (
            "<list>"
            + "".join(f"<list-item>{label}{self.paragraph(depth)}</list-item>" for label in ("<label>1.</label>", ""))
            + "</list>"
        )

    def paragraph(self, depth: int = 0) -> str:
        """A paragraph; blocks, floats and notes may stand in it."""
        content = self.text.inline()
        if depth < 2 and self.chance(0.3):
            makers: list[Callable[[], str]] = [lambda: self.block(depth + 1), lambda: self.figure(depth + 1), self.note]
            content += self.random.choice(makers)() + self.text.inline()
        return f"<p>{content}</p>"

    def section(self, depth: int = 0) -> str:
        """A section."""
        label = "<label>1.</label>" if self.chance(0.2) else ""
        title = f"<title>{self.text.inline()}</title>" if self.chance(0.9) else ""
        inner = self.section(depth + 1) if depth < 2 and self.chance(0.3) else ""
        return f"<sec>{label}{title}{self.blocks(depth)}{inner}</sec>"

    def blocks(self, depth: int = 0) -> str:
        """Paragraphs, blocks and figures in any order."""
        makers: list[Callable[[], str]] = [self.paragraph, self.paragraph, lambda: self.block(depth), self.figure]
        return self.some(1, 4, lambda: self.random.choice(makers)() + self.random.choice(["", "\n  "]))


def sub_article(body: Body, front: Front) -> str:
    """A `sub-article` or `response` with ids that the article uses too."""
    name = body.random.choice(["sub-article", "response"])
    head = (
        f"<front-stub>{front.abstracts(body.figure)}<contrib-group>{front.contributor()}</contrib-group></front-stub>"
    )
    references = "<back><ref-list>" + front.reference() + "</ref-list></back>"
    nested = sub_article(body, front) if body.chance(0.15) else ""
    return f"<{name}{body.id(0.3)}>{head}<body>{body.blocks()}</body>{references}{nested}</{name}>"


def random_article(seed: int) -> bytes:
    """One document; the same seed gives the same bytes."""
    random = Random(seed)
    body = Body(random)
    front = Front(random, body.text)
    head = front.front(body.figure)
    sections = body.some(1, 3, lambda: body.section() if body.chance(0.7) else body.blocks())
    content = f"<body>{sections}</body>" if body.chance(0.95) else ""
    appendix = (
        f"<app-group><app{body.id()}><title>App</title>{body.blocks()}</app></app-group>" if body.chance(0.3) else ""
    )
    acknowledgement = f"<ack>{body.paragraph()}</ack>" if body.chance(0.4) else ""
    references = f"<ref-list><title>References</title>{body.some(0, 4, front.reference)}</ref-list>"
    back = f"<back>{acknowledgement}{references}{appendix}{body.note()}</back>" if body.chance(0.9) else ""
    floats_name = random.choice(["floats-group", "floats-wrap"])
    floats = f"<{floats_name}>{body.some(1, 3, body.figure)}</{floats_name}>" if body.chance(0.3) else ""
    others = body.some(0, 2, lambda: sub_article(body, front)) if body.chance(0.3) else ""
    kind = random.choice(["research-article", "retraction", "retracted-article", "review-article"])
    language = ' xml:lang="en"' if body.chance(0.7) else ""
    attributes = f' article-type="{kind}"{language} xmlns:xlink="http://www.w3.org/1999/xlink"'
    namespace = ' xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/"' if body.chance(0.2) else ""
    article = f"<article{attributes}{namespace}>{head}{content}{back}{floats}{others}</article>"
    if body.chance(0.1):
        article = f"<OAI-PMH><ListRecords><record><metadata>{article}</metadata></record></ListRecords></OAI-PMH>"
    subset = '<!ENTITY shape "an &alpha; <italic>oval</italic>"><!-- <!ENTITY foo "no"> -->' if body.chance(0.3) else ""
    doctype = f'<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "JATS-archivearticle1.dtd" [{subset}]>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype if not article.startswith("<OAI") else ""}\n{article}\n'.encode()

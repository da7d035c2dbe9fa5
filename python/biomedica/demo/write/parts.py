"""The bricks of every publisher: planned figures, their image files, formulae, tables and cross references."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biomedica.demo import encode, words
from biomedica.demo.captions import describe
from biomedica.demo.draw import CONCEPTS, draw
from biomedica.demo.draw.canvas import pick
from biomedica.demo.rich import Part, Rich, collapse, raw, rich, xref, xref_range
from biomedica.demo.write.doc import Figure, Paragraph

if TYPE_CHECKING:
    from biomedica.demo.write.doc import Doc

FAULTS = ("missing_file", "no_href", "no_caption", "tiny_image", "cut_scan", "cut_header", "web_page", "eps_file")
"""What can be wrong with one figure on purpose."""

FREE_CONCEPTS = (
    *(name for name in CONCEPTS if name not in {"table", "molecule"}),
    "composite",
    "composite",
    "composite",
)


@dataclass
class Plan:
    """What the corpus wants of an article beyond its publisher's habits."""

    figures: int = 4
    faults: dict[int, str] = field(default_factory=dict)
    """Fault of the figure planned at an index."""
    rare_form: str | None = None
    """Image form of the first figure, when it shall be an unusual one."""
    form: str | None = None
    """Image form of every figure, when they shall be alike."""
    images: bool = True
    """Without images only the XML is published."""
    first_concept: str | None = None


@dataclass
class Studio:
    """Makes the figures of one article."""

    doc: Doc
    plan: Plan
    made: int = 0

    def figure(
        self, identifier: str | None, label: str | None, concept: str | None = None, look: str = "title"
    ) -> Figure:
        """A drawn figure with its caption. `look`: `title` + paragraphs, `plain` one paragraph, `bold` lead, `split` two paragraphs."""
        rng = self.doc.rng
        if concept is None:
            concept = (self.plan.first_concept if self.made == 0 else None) or pick(rng, FREE_CONCEPTS)
        drawing = draw(concept, rng)
        told = describe(drawing, rng)
        body = rich(" ".join(told.sentences))
        if rng.random() < 0.35:
            body += rich(
                " "
                + pick(
                    rng,
                    (
                        "Scale and methods as described.",
                        "Data represent three independent experiments.",
                        "See text for details (*n*~=~3).",
                        "Abbreviations: AU, arbitrary units; h, hours.",
                    ),
                )
            )
        title = rich(told.title + ("." if look != "plain" else ""))
        figure = Figure(drawing, identifier, rich(label) if label else None, phrase=told.phrase, panels=told.panels)
        if look in {"title", "split"}:
            figure.title, figure.paragraphs = title, [body]
            if look == "split" and len(told.sentences) > 1:
                figure.paragraphs = [rich(s) for s in told.sentences]
        elif look == "bold":
            figure.paragraphs = [
                Rich(
                    (
                        Part("bold", told.title + ".")
                        if "*" not in told.title and "~" not in told.title
                        else Part("text", title.text),
                    )
                )
                + rich(" ")
                + body
            ]
        else:
            figure.paragraphs = [body]
        figure.fault = self.plan.faults.get(self.made)
        if figure.fault == "no_caption":
            figure.title, figure.paragraphs = None, []
        self.made += 1
        return figure

    def attach(
        self, figure: Figure, stem: str, href: str = "bare", thumb: bool = True, form: str | None = None
    ) -> None:
        """Encode the figure's image as a file of the package, and settle the href.

        `href`: `bare` without extension, `exact`, `tif` whatever the file is, `upper` case, or under a `path/`.
        """
        drawing, fault, rng = figure.drawing, figure.fault, self.doc.rng
        if drawing is None:
            return
        photo = drawing.concept in encode.PHOTOS
        chosen = (
            form
            or self.plan.form
            or (self.plan.rare_form if self.made == 1 else None)
            or pick(rng, encode.PHOTO_FORMS if photo else encode.CHART_FORMS)
        )
        image = drawing.image
        quality = int(rng.integers(72, 92))
        encoded = encode.spoil(image, fault) or encode.encode(image, chosen, quality)
        if fault == "eps_file":
            href = "exact"
        name = f"{stem}.{encoded.extension}"
        quoted = stem.replace(" ", "%20")
        figure.href = {
            "bare": quoted,
            "exact": f"{quoted}.{encoded.extension}",
            "tif": f"{quoted}.tif",
            "upper": name.upper(),
            "path": f"images/{quoted}.{encoded.extension}",
        }[href]
        if fault == "no_href":
            figure.href = None
        if fault in {"no_href", "missing_file"} or not self.plan.images:
            return
        figure.file, figure.encoded = name, encoded
        self.doc.files[name] = encoded.data
        if thumb and encoded.extension != "gif" and fault is None:
            self.doc.files[f"{stem}.gif"] = encode.thumbnail(image)

    def inside(self, figure: Figure, attributes: str = "") -> str:
        """The `graphic` of `figure`; says that it stands here."""
        self.doc.place(figure)
        return graphic(figure.href, (f' id="{figure.graphic_id}"' if figure.graphic_id else "") + attributes)

    def fig(self, figure: Figure, before: str = "", after: str = "", attributes: str = ' position="float"') -> str:
        """A plain `fig` element."""
        doc = self.doc
        identifier = f' id="{figure.id}"' if figure.id else ""
        head = f"<fig{identifier}{attributes}>{before}{doc.label(figure)}{doc.caption(figure)}"
        return f"{head}{self.inside(figure)}{after}</fig>"


def graphic(href: str | None, attributes: str = "") -> str:
    """A `graphic` element, with or without an href."""
    return f'<graphic{attributes} xlink:href="{href}"/>' if href is not None else f"<graphic{attributes}/>"


def cite(figure: Figure, rng_word: str | None = None, panel: str = "") -> Rich:
    """A reference to one figure, as "Figure 2" or with a panel letter behind it."""
    identifier = figure.id or figure.graphic_id or ""
    kind = {"table": "table", "chem": "chem", "box": "boxed-text"}.get(figure.kind, "fig")
    return xref(identifier, rng_word or figure.short_label or "the figure", kind) + rich(panel)


def cite_range(first: Figure, last: Figure, dash: str = "–") -> Rich:
    """A reference to all figures from `first` to `last`."""
    word, _, number = first.short_label.rpartition(" ")
    plural = f"{word.removesuffix('.')}{'S' if word.isupper() else 's'}{'.' if word.endswith('.') else ''}"
    return xref_range(first.id or "", last.id or "", f"{plural} {number}", last.short_label.rpartition(" ")[2], dash)


def mention(doc: Doc, figure: Figure) -> Rich:
    """A sentence that tells of a figure and points to it."""
    panel = pick(doc.rng, ("", "A", "A,B")) if figure.panels else ""
    template = pick(doc.rng, words.MENTIONS).format(phrase=figure.phrase)
    return _capital(rich(template, fig=cite(figure, panel=panel)))


def _capital(text: Rich) -> Rich:
    first = text.parts[0]
    if first.kind != "text":
        return text
    return Rich((Part("text", first.text[:1].upper() + first.text[1:]), *text.parts[1:]))


def inline_math(number: int) -> Rich:
    """An inline formula in MathML and, inside `alternatives`, TeX: the MathML counts."""
    mathml = f"<mml:math><mml:mrow><mml:msup><mml:mi>R</mml:mi><mml:mn>2</mml:mn></mml:msup><mml:mo>=</mml:mo><mml:mn>0.{number}</mml:mn></mml:mrow></mml:math>"
    return raw(
        f"<inline-formula><alternatives>{mathml}{_tex(f'$R^{{2}} = 0.{number}$')}</alternatives></inline-formula>",
        f"R2=0.{number}",
    )


def inline_tex(number: int) -> Rich:
    """An inline formula in TeX alone, within CDATA."""
    formula = rf"\alpha < 0.{number} \& \beta > 1"
    return raw(f"<inline-formula>{_tex(f'${formula}$')}</inline-formula>", formula)


def inline_picture(href: str) -> Rich:
    """An inline formula that is only a picture: no words, no figure."""
    return raw(f'<inline-formula><inline-graphic xlink:href="{href}"/></inline-formula>', "")


def display_math(number: int, href: str | None = None) -> Rich:
    """A displayed formula: a block between the words around it; its graphic is no figure."""
    if href:
        return raw(f'<disp-formula id="e{number}"><graphic xlink:href="{href}"/></disp-formula>', " ")
    mathml = f'<mml:math display="block"><mml:mi>E</mml:mi><mml:mo>=</mml:mo><mml:mfrac><mml:mi>k</mml:mi><mml:mn>{number}</mml:mn></mml:mfrac><mml:mtext> per cell</mml:mtext></mml:math>'
    return raw(
        f'<disp-formula id="e{number}"><label>({number})</label>{mathml}</disp-formula>',
        f" ({number}) E=k{number} per cell ",
    )


def _tex(formula: str) -> str:
    preamble = r"\documentclass[12pt]{minimal} \usepackage{amsmath}"
    return f"<tex-math><![CDATA[{preamble} \\begin{{document}}{formula}\\end{{document}}]]></tex-math>"


def bullet_list(doc: Doc, before: Rich, items: list[Rich]) -> str:
    """A paragraph that ends in a list; its text runs through the items, whose own paragraphs follow it."""
    text = collapse(" ".join([before.text, *(item.text for item in items)]))
    doc.paragraphs.append(Paragraph(text, before.mentions, doc.scope, None))
    xml = "".join(f"<list-item>{doc.p(item)}</list-item>" for item in items)
    return f'<p>{before.xml(doc.spelling)}<list list-type="bullet">{xml}</list></p>'


def html_table(doc: Doc, rows: int = 4) -> str:
    """A small table of numbers."""
    lines = []
    for row in range(rows):
        numbers = "".join(f"<td>{float(v):.2f}</td>" for v in doc.rng.uniform(0, 50, 3))
        lines.append(f"<tr><td>{string.ascii_uppercase[row]}</td>{numbers}</tr>")
    return f"<table><thead><tr><th>Group</th><th>Mean</th><th>SD</th><th>Range</th></tr></thead><tbody>{''.join(lines)}</tbody></table>"

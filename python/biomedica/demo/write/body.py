"""The sections of an article: running text, with every figure told of where it belongs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biomedica.demo import words
from biomedica.demo.draw.canvas import pick
from biomedica.demo.rich import Rich, join, note, rich, xref
from biomedica.demo.write.parts import bullet_list, cite, cite_range, mention

if TYPE_CHECKING:
    from collections.abc import Callable

    from biomedica.demo.write.doc import Doc, Figure
    from biomedica.demo.write.front import Meta


@dataclass
class Body:
    """How a publisher lays out its body."""

    doc: Doc
    meta: Meta
    figures: list[Figure]
    """Those to be told of, in document order."""
    here: Callable[[Figure], str] | None = None
    """Markup of a figure that stands in the body, after the paragraph that tells of it."""
    nested: bool = False
    """Figures stand inside that paragraph rather than after it."""
    dash: str = "–"
    math: tuple[Rich, ...] = ()
    """Formulae to be set into the methods."""
    extra: Callable[[], str] | None = None
    """Further markup at the end of the results."""

    def emit(self) -> None:
        """Write the whole `body`."""
        self.doc.add("<body>")
        self._prose("s1", "Introduction", 3, 6)
        self._methods()
        self._results()
        self._discussion()
        self.doc.add("</body>")

    def _filler(self) -> Rich:
        return rich(words.sentences(self.doc.rng, self.meta.about))

    def _prose(self, identifier: str, heading: str, low: int, high: int) -> None:
        doc = self.doc
        doc.add(f'<sec id="{identifier}"><title>{heading}</title>')
        for _ in range(int(doc.rng.integers(low, high))):
            reference = int(doc.rng.integers(1, 12))
            doc.add(doc.p(self._filler() + rich(" This was shown before [") + _citation(reference) + rich("].")))
        doc.add("</sec>")

    def _methods(self) -> None:
        doc = self.doc
        doc.add('<sec id="s2" sec-type="methods"><title>Materials and methods</title>')
        for number, heading in enumerate(("Study design", "Imaging and image analysis", "Statistical analysis"), 1):
            doc.add(f'<sec id="s2_{number}"><title>{heading}</title>')
            for _ in range(int(doc.rng.integers(1, 4))):
                doc.add(doc.p(self._filler()))
            if number == 3 and self.math:
                pieces = [rich("The model is given by ") + self.math[0] + rich(" throughout.")]
                pieces += [rich("We also used ") + formula + rich(" where needed.") for formula in self.math[1:]]
                doc.add(doc.p(join(pieces)))
            doc.add("</sec>")
        doc.add("</sec>")

    def _results(self) -> None:
        doc = self.doc
        doc.add('<sec id="s3" sec-type="results"><title>Results</title>')
        for number, figure in enumerate(self.figures):
            told = mention(doc, figure)
            doc.add(
                f'<sec id="s3_{number}"><title>{pick(doc.rng, ("Findings", "Observations", "Analysis"))} {number + 1}</title>'
            )
            silent = doc.rng.random() < 0.07 and number > 0
            text = self._filler() if silent else join([self._filler(), told, self._filler()])
            if self.here and self.nested:
                doc.add(doc.p(text, then=self._at(figure)))
            else:
                doc.add(doc.p(text))
                if self.here:
                    doc.add(self.here(figure))
            if doc.rng.random() < 0.4 and not silent:
                doc.add(doc.p(join([mention(doc, figure), self._filler()])))
            doc.add(doc.p(self._filler()), "</sec>")
        if self.extra:
            doc.add(self.extra())
        doc.add("</sec>")

    def _at(self, figure: Figure) -> Callable[[], str]:
        """The callback that sets `figure` at the end of a paragraph."""
        here = self.here
        return lambda: here(figure) if here else ""

    def _discussion(self) -> None:
        doc, rng = self.doc, self.doc.rng
        doc.add('<sec id="s4" sec-type="discussion"><title>Discussion</title>')
        row = [f for f in self.figures if f.element == "fig" and f.id and f.label]
        if len(row) >= 3 and rng.random() < 0.75:
            first = int(rng.integers(0, len(row) - 2))
            template = pick(rng, words.RANGES)
            doc.add(doc.p(join([rich(template, fig=cite_range(row[first], row[-1], self.dash)), self._filler()])))
        if len(row) >= 2 and rng.random() < 0.3:
            both = xref((row[0].id or "", row[1].id or ""), "the first two figures")
            doc.add(doc.p(rich("These data agree with {both}. ", both=both) + self._filler()))
        if row and rng.random() < 0.3:
            aside = note(rich("A further view is given in {fig}.", fig=cite(row[0])))
            doc.add(doc.p(self._filler() + aside + rich(" ") + self._filler()))
        if row and rng.random() < 0.3:
            items = [
                rich(words.sentence(rng, self.meta.about)),
                rich("The trend in {fig} is robust.", fig=cite(row[-1])),
            ]
            doc.add(bullet_list(doc, rich("Two points stand out:"), items))
        for _ in range(int(rng.integers(3, 8))):
            doc.add(doc.p(self._filler()))
        doc.add("</sec>")


def _citation(number: int) -> Rich:
    """A reference to the bibliography; it mentions no figure."""
    plain = xref(f"R{number}", str(number), "bibr")
    return Rich(tuple(type(p)(p.kind, p.text, p.xml) for p in plain.parts))

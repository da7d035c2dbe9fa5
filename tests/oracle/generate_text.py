"""Seeded random words, inline markup and formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

WORDS = "cell membrane Figure tumour α-actin IL-6 p53 mice (A) (B) 10 μm stain & < control naïve".split()
SPACES = [" ", " ", " ", " ", " ", " ", "\n   ", "\t", "&#160;", "&#8201;", "&#x3000;", "\u202f", "&nbsp;", "&thinsp;"]
ENTITIES = "&alpha; &mdash; &#945; &#x2003; &lt; &amp; &foo; &Delta; &eacute; &shape;".split()
INLINE = "italic bold sub sup sc underline named-content styled-content ext-link monospace".split()


def escape(text: str) -> str:
    """Text as XML writes it."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


class Text:
    """Random text of all the kinds that "Text" speaks of."""

    def __init__(self, random: Random, ids: list[str]) -> None:
        """Draws from `random`; `xref`s point at `ids`."""
        self.random = random
        self.ids = ids

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self.random.random() < probability

    def some(self, low: int, high: int, make: Callable[[], str]) -> str:
        """Between `low` and `high` of what `make` gives, one after the other."""
        return "".join(make() for _ in range(self.random.randint(low, high)))

    def space(self) -> str:
        """White space of any kind, seldom none."""
        return "" if self.chance(0.05) else self.random.choice(SPACES)

    def word(self) -> str:
        """One word, perhaps with something odd inside."""
        word = escape(self.random.choice(WORDS))
        if self.chance(0.1):
            odd = ["<!-- a > comment & -->", "<?pi a b?>", "<![CDATA[a <b> & c]]>", *ENTITIES]
            word += self.random.choice(odd) + escape(self.random.choice(WORDS))
        return word

    def words(self, low: int = 1, high: int = 6) -> str:
        """Some words."""
        return self.some(low, high, lambda: self.word() + self.space())

    def inline(self, depth: int = 0) -> str:
        """Words with inline markup, references and formulas among them."""
        return self.some(1, 5, lambda: self.inline_piece(depth))

    def inline_piece(self, depth: int) -> str:
        """One piece of inline content."""
        draw = self.random.random()
        if draw < 0.5 or depth > 2:
            return self.words()
        if draw < 0.62:
            name = self.random.choice(INLINE)
            return f"<{name}>{self.inline(depth + 1)}</{name}>{self.space()}"
        if draw < 0.74:
            return self.xref() + self.space()
        if draw < 0.82:
            return self.xref_range() + self.space()
        if draw < 0.88:
            return self.formula("inline-formula")
        return self.random.choice(
            [
                "<break/>",
                "<hr/>",
                '<inline-graphic href="i1.gif"><alt-text>not text</alt-text></inline-graphic>',
                "<alt-text>hidden</alt-text>",
                "<object-id>10.1/x</object-id>",
                "<attrib>Credit: someone</attrib>",
                "H<sub>2</sub>O",
                '<ext-link href="http://x.org">link</ext-link>',
            ]
        )

    def rid(self) -> str:
        """The value of a `rid`: one id, seldom several or an unknown one."""
        if not self.ids or self.chance(0.05):
            return "nowhere"
        count = 2 if self.chance(0.15) else 1
        return " ".join(self.random.choice(self.ids) for _ in range(count))

    def xref(self) -> str:
        """One reference."""
        kind = self.random.choice(['ref-type="fig" ', 'ref-type="table" ', 'ref-type="bibr" ', ""])
        content = self.random.choice(
            ["Fig. 1", "<bold>2</bold>A", "3", "Table&#160;1", self.panels(), "1" + self.panels()]
        )
        behind = self.panels() if self.chance(0.3) else ""
        return f'<xref {kind}rid="{self.rid()}">{content}</xref>{behind}'

    def panels(self) -> str:
        """The panels of a reference, or nearly so."""
        parts = [
            "A",
            "b",
            "C",
            "d",
            "2E",
            "Fii",
            "g2",
            "six",
            "I",
            "(",
            ")",
            "(a)",
            ",",
            ", ",
            " ",
            " and ",
            "–",
            " to ",
        ]
        parts += ["'", "&amp;", "/", ".", " panel ", " panels ", "1", "1F", " show", " cells"]
        if self.chance(0.2):
            return self.random.choice(
                [", left", " (Right panel)", ", upper and lower rows", " bottom-left.", "(top, left)"]
            )
        if self.chance(0.3):
            parts = ["left", "Right", "top", "lower", "centre", ", ", " ", " (", ")", "-", " and ", " panel", " cells"]
        return "".join(self.random.choices(parts, k=self.random.randint(1, 6)))

    def panel_texts(self) -> str:
        """What a caption says of its panels, or nearly so: letters by themselves, or places."""
        bare = ["A ", "B ", "C ", "B, C ", "a, ", "(A) "]
        placed = ["Left: ", "Right panel, ", "Upper ", "Bottom, left: ", "(Top) ", "Middle and lower rows: "]
        labels = self.random.choices(self.random.choice([bare, placed]), k=self.random.randint(1, 4))
        return " ".join(f"{label}{self.random.choice(['The', 'Its', 'some'])} {self.words()}." for label in labels)

    def xref_range(self) -> str:
        """Two references with what makes a range between them, or nearly so."""
        between = self.random.choice(
            [
                "-",
                "–",
                " – ",
                "&#8212;",
                "\u2212",
                " to ",
                " through ",
                "<sup>–</sup>",
                "&ndash;",
                "<!--c-->-",
                " and ",
                "--",
                ", ",
            ]
        )
        if self.chance(0.2):
            return f"<bold>{self.xref()}</bold>{between}<italic>{self.xref()}</italic>"
        return self.xref() + between + self.xref()

    def mathml(self) -> str:
        """A MathML formula."""
        body = self.random.choice(
            [
                "<mml:mi>x</mml:mi> <mml:mo>=</mml:mo>\n <mml:mn>2</mml:mn>",
                "<mml:mrow><mml:mi>a</mml:mi><mml:mtext> if any </mml:mtext><mml:ms>b</mml:ms></mml:mrow>",
                "<mml:semantics><mml:mi>E</mml:mi><mml:annotation>E tex</mml:annotation></mml:semantics>",
                "<mml:msup><mml:mi>&alpha;</mml:mi><mml:mn>3</mml:mn></mml:msup>",
            ]
        )
        return f'<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML">{body}</mml:math>'

    def tex(self) -> str:
        """A TeX formula."""
        source = self.random.choice(["$x^2$", "$$x^2$$", r"\(y\)", r"\[ z \]", "x_1", "$a$ and $b$", "$ q$ "])
        if self.chance(0.6):
            source = rf"\documentclass{{minimal}} \begin{{document}}{source}\end{{document}}"
        return f"<tex-math>{source}</tex-math>"

    def formula(self, name: str) -> str:
        """A formula in one notation or in both, in either order."""
        forms = self.random.choice(
            [[self.mathml()], [self.tex()], [self.mathml(), self.tex()], [self.tex(), self.mathml()], []]
        )
        graphic = '<graphic href="eq1.gif"/>' if name == "disp-formula" and self.chance(0.5) else ""
        content = "".join(forms)
        if self.chance(0.5) and forms:
            content = f"<alternatives>{graphic}{content}</alternatives>"
        else:
            content = graphic + content + (self.words(0, 2) if not forms else "")
        label = "<label>(1)</label>" if name == "disp-formula" and self.chance(0.3) else ""
        return f"<{name}>{content}{label}</{name}>"

"""Write `names.rs`, the table of entity names, from Python's own table of HTML names.

Run it in this directory: `python3 generate_names.py > names.rs`.
"""
# ruff: noqa: B905, C408, PLR2004, S101

import html.entities
import unicodedata

# HTML 5 took over nearly all of the ISO sets. These names of theirs it left out.
LETTERS = dict(
    a="α", b="β", g="γ", d="δ", e="ε", z="ζ", ee="η", th="θ", i="ι", k="κ", l="λ", m="μ", n="ν",
    x="ξ", o="ο", p="π", r="ρ", s="σ", t="τ", u="υ", ph="φ", kh="χ", ps="ψ", oh="ω",
)  # fmt: skip
# isogrk1: letters of Greek text.
ISO = {f"{name}gr": letter for name, letter in LETTERS.items()}
ISO |= {f"{name.upper()}gr": letter.upper() for name, letter in LETTERS.items()}
ISO |= {"sfgr": "ς"}
# isogrk2: the accented ones.
ISO |= {"aacgr": "ά", "eacgr": "έ", "eeacgr": "ή", "iacgr": "ί", "oacgr": "ό", "uacgr": "ύ", "ohacgr": "ώ"}
ISO |= {"Aacgr": "Ά", "Eacgr": "Έ", "EEacgr": "Ή", "Iacgr": "Ί", "Oacgr": "Ό", "Uacgr": "Ύ", "OHacgr": "Ώ"}
ISO |= {"idigr": "ϊ", "Idigr": "Ϊ", "udigr": "ϋ", "Udigr": "Ϋ", "idiagr": "ΐ", "udiagr": "ΰ"}
# isogrk3: other names of symbols.
ISO |= {"epsis": "\u03f5", "phis": "\u03d5", "thetas": "θ"}
# isogrk4: bold symbols, in Unicode's own order of mathematical bold Greek.
CAPITALS = "Gamma Delta Theta Lambda Xi Pi Sigma Upsi Phi Psi Omega"
SMALL = "alpha beta gamma delta epsi zeta eta thetas iota kappa lambda mu nu xi pi rho sigmav sigma tau upsi phi chi psi omega"
VARIANTS = "epsiv thetav kappav phiv rhov piv"
PLAIN = dict(zip(CAPITALS.split(), "ΓΔΘΛΞΠΣΥΦΨΩ")) | dict(zip(SMALL.split(), "αβγδεζηθικλμνξπρςστυφχψω"))
PLAIN |= dict(zip(VARIANTS.split(), "ϵϑϰϕϱϖ"))
BOLD = {
    **{chr(0x0391 + i): chr(0x1D6A8 + i) for i in range(25) if i != 17},
    **{chr(0x03B1 + i): chr(0x1D6C2 + i) for i in range(25)},
    **dict(zip("ϵϑϰϕϱϖ", map(chr, range(0x1D6DC, 0x1D6E2)))),
}
ISO |= {f"b.{name}": BOLD[letter] for name, letter in PLAIN.items()}
ISO |= {"b.Gammad": "\u03dc", "b.gammad": "\u03dd"}
# isoamsa, isoamsc, isoamso, isoamsr, isolat2, isotech: names that were given up for others.
ISO |= {
    "larr2": "⇇",
    "rarr2": "⇉",
    "uarr2": "⇈",
    "darr2": "⇊",
    "lrarr2": "⇆",
    "rlarr2": "⇄",
    "lrhar2": "⇋",
    "rlhar2": "⇌",
}
ISO |= {"dlarr": "↙", "drarr": "↘", "lpargt": "\u29a0", "jnodot": "\u0237", "sbsol": "\ufe68", "vprime": "′"}
ISO |= {"cupre": "≼", "gsdot": "⋗", "ldot": "⋖", "samalg": "∐", "gcedil": "ģ", "ang90": "∟"}

HTML = {name[:-1]: text for name, text in html.entities.html5.items() if name.endswith(";")}


def literal(text: str) -> str:
    """Text as a Rust string, with what does not print as an escape."""
    plain = all(unicodedata.category(c)[0] in "LNPS" and c not in '"\\' for c in text)
    return '"' + (text if plain else "".join(f"\\u{{{ord(c):x}}}" for c in text)) + '"'


def main() -> None:
    """Print the table, a few entries a line."""
    assert not HTML.keys() & ISO.keys()
    names = sorted((HTML | ISO).items())
    print("//! Entity names and their text, sorted by name. Written by `generate_names.py`; not to be edited.")
    print()
    print("#[rustfmt::skip]")
    print(f"pub(super) static NAMES: [(&str, &str); {len(names)}] = [")
    line = "   "
    for name, text in names:
        entry = f' ("{name}", {literal(text)}),'
        if len(line) + len(entry) > 120:
            print(line)
            line = "   "
        line += entry
    print(line)
    print("];")


main()

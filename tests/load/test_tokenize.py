"""Tokens: the ids of open_clip's own tokenizer, whatever the text."""

import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import biomedica as bm
from biomedica.load.tokenize import BADNESS_LENGTH, CACHED_WORDS, ClipTokenizer, SimpleTokenizer, get_tokenizer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of other people's packages, at import
    import ftfy.badness
    import ftfy.chardata
    import open_clip

DATA = Path(__file__).parents[2] / "../shared/data"

# Pieces that some step of the cleaning, of the pattern or of the merging looks at, and words between them.
MOJIBAKE = [
    "Ã©",
    "â€™",
    "â€œ",
    "â€“",
    "Â°",
    "Â ",
    "Ã ",
    "Âµ",
    "ï¬",
    "Î±",
    "Ð°",
    "à²",
    "√±",
    "ā€",
    "β€™",
    "ГўВЂВ.a",
    "вЂ",
    "œ",
    "Œ ",
]
ENTITIES = [
    "&amp;",
    "&lt;",
    "&amp;lt;",
    "&ALPHA;",
    "&EACUTE;",
    "&#181;",
    "&#xb5",
    "&#128;",
    "&nbsp;",
    "&copy",
    "&notit;",
    "&",
    ";",
    "<",
    "&#0;",
    "&#x1F",
]
CONTROLS = [
    "\x00",
    "\x07",
    "\x0b",
    "\x0c",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\x1b[31m",
    "\x1b",
    "\x1c",
    "\x7f",
    "\x80",
    "\x85",
    "\x9f",
    "\u2028",
    "\ufeff",
    "\ufffc",
    "\u206a",
    "\ud83d",
    "\ud83d\ude00",
]
WIDTHS = ["ﬁ", "ﬄ", "ŉ", "ǆ", "Ａ", "ｶﾞ", "\u3000", "ﾡ", "￥"]
QUOTES = ["’", "‘", "“", "”", "‚", "„", "‟", "ʼ", "'", '"', "’s", "'s", "'S", "'ſ", "'ll", "'RE", "''d"]
COMBINING = [
    "e\u0301",
    "\u0301",
    "a\u0323\u0307",
    "a\u0307\u0323",
    "=\u0338",
    "é",
    "Å",
    "\u212b",
    "\u0345",
    "ᾼ",
    "\u1100\u1161",
]
LETTERS = ["Σ", "ΟΔΟΣ", "ς", "İ", "ı", "ß", "ẞ", "K", "µ", "μ", "α", "Ж", "中", "ア", "ſ", "Ꙁ", "𐐀", "ǅ"]
SYMBOLS = [
    "🧬",
    "👩🏽‍🔬",
    "🏴",
    "±",
    "×",
    "−",
    "–",
    "…",
    "≤",
    "°",
    "²",
    "½",
    "Ⅷ",
    "٣",
    "①",
    "€",
    "™",
    "®",
    "\xa0",
    "\u2009",
    "\u200b",
    "\u180e",
]
SPECIALS = ["<start_of_text>", "<END_OF_TEXT>", "<ſtart_of_text>", "<end_of", "</w>", "w>"]
WORDS = ["H&E", "p<0.001", "(Fig. 1A)", "lungs", "IL-6", "Scale bar: 10", "a", "C", "the", "0", "10,000", " ", "  "]
PIECES = [*MOJIBAKE, *ENTITIES, *CONTROLS, *WIDTHS, *QUOTES, *COMBINING, *LETTERS, *SYMBOLS, *SPECIALS, *WORDS, *WORDS]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=30).map("".join),
    st.text(st.characters(min_codepoint=0x80, max_codepoint=0x2FF), max_size=80),
    st.text(max_size=200),
)


@cache
def reference() -> SimpleTokenizer:
    return open_clip.tokenizer.SimpleTokenizer()


@cache
def ours() -> ClipTokenizer:
    return ClipTokenizer()


def assert_same(texts: list[str]) -> None:
    wanted = reference()(texts).numpy()
    got = ours().encode(texts)
    different = (wanted != got.ids).any(axis=1)
    assert not different.any(), [text for text, is_different in zip(texts, different, strict=True) if is_different][:3]
    assert got.truncated is not None
    assert got.truncated.tolist() == [len(reference().encode(text)) > 75 for text in texts]


def real_texts() -> Iterator[str]:
    """Every caption, panel and mention of the real articles."""
    documents = [*(DATA / "xml").rglob("*.nxml"), *(DATA / "xml").rglob("*.xml")]
    figures = [figure for path in documents for figure in bm.parse_article(path.read_bytes())["figures"]]
    figures += [figure for chunk in bm.read(DATA / "packages") for figure in chunk.figures.to_pylist()]
    for figure in figures:
        yield figure["caption"] or ""
        yield from figure["image_context"]
        yield from (panel["text"] for panel in figure["image_panels"] or [])


@given(st.lists(TEXTS, max_size=8))
@example(["Œ", "x Ã y", "Â °", "", "é”x", "’\u0301", "Ã\n Ã x"])
@settings(deadline=None)
def test_any_text_has_the_ids_of_open_clip(texts: list[str]) -> None:
    assert_same(texts)


@pytest.mark.slow
@given(st.lists(TEXTS, max_size=8))
@settings(deadline=None, max_examples=20_000)
def test_very_many_texts_have_the_ids_of_open_clip(texts: list[str]) -> None:
    assert_same(texts)


def test_each_character_has_the_ids_of_open_clip() -> None:
    # Alone and between letters: classes of characters, lower case and composition are all a matter of single ones.
    characters = [chr(code) for code in range(0x110000) if not (0x3400 < code < 0xD7A4 or code > 0x17000)][::3]
    assert_same([f"{character} a{character}b 1{character}" for character in characters])


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real articles are not at {DATA}")
def test_every_text_of_the_real_articles_has_the_ids_of_open_clip() -> None:
    texts = list(real_texts())
    assert len(texts) > 3000
    assert_same(texts)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real articles are not at {DATA}")
def test_nearly_all_real_texts_take_the_fast_path() -> None:
    slow: list[str] = []
    tokenizer = ClipTokenizer()
    clean = tokenizer._clean._reference
    tokenizer._clean._reference = lambda text: slow.append(text) or clean(text)  # type: ignore[func-returns-value]
    texts = list(real_texts())
    tokenizer.encode(texts)
    assert len(slow) < len(texts) / 100


def test_what_the_proof_says_of_ftfy_holds_of_the_one_installed() -> None:
    # `Cleaner` names the sets; this looks at the alternatives of the expression itself.
    pattern = re.sub(r"\\.", "x", ftfy.badness.BADNESS_RE.pattern)
    assert "(?" not in pattern
    assert pattern.count("^") == len(re.findall(r"\[\^A-Za-z\]|\^\[ÃÂ\]", pattern)) == 2
    assert not re.search(r"[+*{]", re.sub(r"\[[^\]]*\]", "", re.sub(r"#.*", "", pattern)))
    ascii_text = "".join(map(chr, range(128)))
    for code in range(0xA0, 0x110000):
        if chr(code) in "ÃÂŒœ":
            continue
        alone = f"a{chr(code)}b A{chr(code)}B  {chr(code)} 1{chr(code)}1 .{chr(code)}. '{chr(code)}' \"{chr(code)}\""
        assert not ftfy.badness.BADNESS_RE.search(alone), hex(code)
    assert not ftfy.badness.BADNESS_RE.search(ascii_text)
    assert len("ГўВЂВ.a") <= BADNESS_LENGTH
    assert set(ftfy.chardata.SINGLE_QUOTE_RE.findall("".join(map(chr, range(0xFFFF))))) == set(
        "\u02bc\u2018\u2019\u201a\u201b"
    )
    assert set(ftfy.chardata.DOUBLE_QUOTE_RE.findall("".join(map(chr, range(0xFFFF))))) == set(
        "\u201c\u201d\u201e\u201f"
    )


def test_an_unknown_version_of_ftfy_leaves_all_cleaning_to_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftfy, "__version__", "7.0")
    tokenizer = ClipTokenizer()
    cleaned: list[str] = []
    tokenizer._clean._reference = lambda text: cleaned.append(text) or text  # type: ignore[func-returns-value]
    tokenizer.encode(["plain", "text"])
    assert cleaned == ["plain", "text"]


@pytest.mark.parametrize("length", [3, 16, 77, 256])
def test_any_context_length_is_cut_as_open_clip_cuts(length: int) -> None:
    texts = ["", "one", "a b c d e f g h i j k l m n o p", "lungs " * 300, "x" * 4000, "1" * 500]
    got = ClipTokenizer(context_length=length).encode(texts)
    assert np.array_equal(got.ids, reference()(texts, context_length=length).numpy())


def test_only_the_combining_iota_is_passed_over_as_white_space_is() -> None:
    find = reference().pat.match
    characters = [chr(code) for code in range(0x110000)]
    assert [character for character in characters if not find(character) and not character.isspace()] == ["\u0345"]
    assert_same(["\u0345 " * 100 + "lung", "a\u0345b '\u0345s", "\u0345"])


def test_no_texts_give_no_rows() -> None:
    got = ours().encode([])
    assert got.ids.shape == (0, 77)
    assert got.ids.dtype == np.int64
    assert ours()("one").shape == (1, 77)


def test_a_context_without_room_for_text_is_refused() -> None:
    with pytest.raises(ValueError, match="3 or more"):
        ClipTokenizer(context_length=2)


def test_words_are_forgotten_and_found_again() -> None:
    tokenizer = ClipTokenizer()
    for first in range(0, 4 * CACHED_WORDS, 64):
        tokenizer.encode([" ".join(f"w{number:x}" for number in range(first, first + 64))])
        assert len(tokenizer._words) + len(tokenizer._words._old) <= 2 * CACHED_WORDS
    texts = ["w1 w2 w3 lungs", f"{'long' * 50}"]
    assert np.array_equal(tokenizer.encode(texts).ids, reference()(texts).numpy())
    assert "long" * 50 not in tokenizer._words


def test_names_and_tokenizers_of_open_clip_become_the_fast_one() -> None:
    assert isinstance(get_tokenizer("ViT-B-32"), ClipTokenizer)
    assert isinstance(get_tokenizer(reference()), ClipTokenizer)
    # The context of a model that has another one.
    assert get_tokenizer("coca_ViT-B-32").encode(["a"]).ids.shape == (1, 76)


def test_other_cleaning_and_other_callables_are_used_as_they_are() -> None:
    canonical = open_clip.tokenizer.SimpleTokenizer(clean="canonicalize")
    tokens = get_tokenizer(canonical).encode(["A.B. c"])
    assert np.array_equal(tokens.ids, canonical(["A.B. c"]).numpy())
    assert tokens.truncated is None
    assert get_tokenizer(lambda texts: [[len(text)] for text in texts]).encode(["ab", "c"]).ids.tolist() == [[2], [1]]


def test_an_unknown_name_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="'ViT-B-33' is no model of open_clip"):
        get_tokenizer("ViT-B-33")

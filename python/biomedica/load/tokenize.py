"""Captions to tokens: the ids of open_clip's own tokenizer, some twenty times as fast.

open_clip's `SimpleTokenizer` spends its time in two places: `ftfy.fix_text`, and byte-pair encoding in Python. Here

- `clean` proves, with two or three searches by regular expression, that ftfy would leave a text as it is, and calls
  open_clip's own cleaning on the few texts for which it cannot (`Cleaner` has the proof);
- a text is split at white space and each word's ids are looked up. Splitting first changes nothing, since no
  alternative of open_clip's pattern can match white space. A word not seen lately is split by open_clip's own pattern
  and merged by the BPE of Hugging Face `tokenizers`, built from open_clip's own vocabulary and merges. No two merges of
  that vocabulary give the same symbol and each comes after those it is made of, so that merging the best pair everywhere
  at once (open_clip) and one occurrence at a time (`tokenizers`) end at the same symbols.
- of a long caption only as many words are looked at as fill the context: every word gives at least one token.

Other tokenizers (Hugging Face, SigLIP) are used as `open_clip.get_tokenizer` gives them.
"""

import html
import re
import unicodedata
from array import array
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    import torch
    from numpy.typing import NDArray

__all__ = ["ClipTokenizer", "Tokenizer", "Tokens", "get_tokenizer"]

# Words whose ids are remembered, in each of two generations, and the longest that is: some 20 MB at most.
CACHED_WORDS = 1 << 15
CACHED_LENGTH = 48
# The versions of ftfy that the proof in `Cleaner` was made against.
PROVEN_FTFY = "6.3."
# The longest match of ftfy's `BADNESS_RE`, in characters, and what its `uncurl_quotes` replaces.
BADNESS_LENGTH = 7
# A start, one token of the text and an end.
SHORTEST = 3
IOTA = "\u0345"
CURLY = [
    *((curly, "'") for curly in "\u02bc\u2018\u2019\u201a\u201b"),
    *((curly, '"') for curly in "\u201c\u201d\u201e\u201f"),
]


class Tokens(NamedTuple):
    """Tokens of a batch of captions."""

    ids: "NDArray[np.int64]"
    """[captions, context length], zero after each caption's end."""
    truncated: "NDArray[np.bool_] | None"
    """[captions]: whether the caption was longer than the context; None where the tokenizer does not tell."""


class Tokenizer(Protocol):
    """What the loader needs of a tokenizer."""

    def encode(self, texts: Sequence[str]) -> Tokens:
        """The tokens of a batch of captions."""


# open_clip has no types.
SimpleTokenizer: TypeAlias = Any
AnyTokenizer: TypeAlias = str | Callable[[list[str]], Any]


def get_tokenizer(tokenizer: AnyTokenizer, *, context_length: int | None = None) -> Tokenizer:
    """The tokenizer of a model, or any callable as one.

    Args:
        tokenizer: A name as `open_clip.get_tokenizer` takes it (`ViT-B-32`, `hf-hub:org/name`, `local-dir:path`), or a
            callable from a list of texts to ids [texts, context length]. open_clip's own tokenizer with the cleaning
            `lower`, named or given, becomes a `ClipTokenizer`.
        context_length: Tokens a caption has at most; the model's own when not given.

    Raises:
        ModuleNotFoundError: open_clip or `tokenizers` is missing; `pip install 'biomedica[train]'` has both.
        ValueError: There is no model of that name.
    """
    chosen = _named(tokenizer, context_length) if isinstance(tokenizer, str) else tokenizer
    if ClipTokenizer.is_exact_for(chosen):
        return ClipTokenizer(chosen, context_length=context_length)
    return _Other(chosen, context_length)


class ClipTokenizer:
    """open_clip's `SimpleTokenizer`, the same ids faster. Not for several threads at once.

    Args:
        reference: The tokenizer whose ids are wanted; open_clip's default when not given.
        context_length: Tokens a caption has at most, start and end included; the reference's when not given.

    Example:
        >>> tokenizer = ClipTokenizer()
        >>> ids, truncated = tokenizer.encode(["H&E staining of the left lung.", "b " * 200])
        >>> ids.shape, truncated.tolist()
        ((2, 77), [False, True])
    """

    def __init__(self, reference: SimpleTokenizer | None = None, *, context_length: int | None = None) -> None:
        if reference is None:
            reference = _open_clip().tokenizer.SimpleTokenizer()
        if not self.is_exact_for(reference):
            raise ValueError(
                "the reference is no SimpleTokenizer of open_clip that cleans with `lower` and reduces nothing"
            )
        self.context_length: int = context_length or reference.context_length
        if self.context_length < SHORTEST:
            raise ValueError("context_length must be 3 or more: a start, a token, an end")
        self._sot: int = reference.sot_token_id
        self._eot: int = reference.eot_token_id
        self._clean = Cleaner(reference.clean_fn)
        self._words = _Words(reference)
        # The one character that open_clip's pattern passes over without being white space: ignoring case, the package
        # `regex` finds the combining iota neither among letters nor outside it.
        self._gap = (IOTA, IOTA if reference.pat.match(IOTA) else " ")

    @staticmethod
    def is_exact_for(tokenizer: object) -> bool:
        """Whether a tokenizer is one whose ids this class gives."""
        kind = type(tokenizer)
        if (kind.__module__, kind.__name__) != ("open_clip.tokenizer", "SimpleTokenizer"):
            return False
        # The two bytes an id that `_Words` has are enough for the vocabulary of CLIP and some special tokens.
        return (
            getattr(tokenizer, "clean_fn", None) is _open_clip().tokenizer.get_clean_fn("lower")
            and getattr(tokenizer, "reduction_fn", None) is None
            and int(getattr(tokenizer, "vocab_size", 0)) <= 1 << 16
        )

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Tokens of captions: start, at most `context_length` - 2 of the text, end, zeros."""
        content = self.context_length - 2
        length = 2 * content
        ids_of = self._words.__getitem__
        clean = self._clean
        rows = []
        sizes = np.empty(len(texts), np.intp)
        for place, text in enumerate(texts):
            # A word gives one token at least, so that one word more than there is room for tells of a truncation.
            words = clean(text).replace(*self._gap).split(None, content + 1)[: content + 1]
            row = b"".join(map(ids_of, words))
            sizes[place] = len(row)
            rows.append(row[:length].ljust(length, b"\0"))
        ids = np.zeros((len(texts), self.context_length), np.int64)
        ids[:, 0] = self._sot
        ids[:, 1:-1] = np.frombuffer(b"".join(rows), np.uint16).reshape(len(texts), content)
        ids[np.arange(len(texts)), np.minimum(sizes, length) // 2 + 1] = self._eot
        return Tokens(ids, sizes > length)

    def __call__(self, texts: str | Sequence[str]) -> "torch.Tensor":
        """Ids as open_clip's tokenizer returns them: int64 [texts, context length]."""
        import torch

        return torch.from_numpy(self.encode([texts] if isinstance(texts, str) else texts).ids)


class Cleaner:
    r"""The cleaning `lower` of open_clip: ftfy, `html.unescape` twice, white space, lower case; white space left as it is.

    That ftfy 6.3 leaves a text as it is follows from what its fixers look for, each named by the set that rules it out:

    - `unescape_html`: no match of its pattern of an entity (`&`, name or number, `;`);
    - `fix_encoding`: nothing is done unless `BADNESS_RE` matches. It has no lookaround and one anchor (`^[ÃÂ][ ]`), so
      that a text without a match has no line with one, `Ã` and `Â` apart. Each of its alternatives needs a C1 control,
      one of `ÃÂŒœ`, or two neighbours that are not ASCII; and none matches more than seven characters, so that only the
      surroundings of such neighbours need a search;
    - `fix_latin_ligatures`, `fix_character_width`, `remove_control_chars`: no key of their tables;
    - `fix_c1_controls`, `fix_line_breaks`, `fix_surrogates`, `remove_terminal_escapes`: no C1 control, `\r`, line or
      paragraph separator, surrogate, escape;
    - normalisation: the text is NFC, as all its lines are then.

    `uncurl_quotes` is done here, since curly quotes are everywhere: straight quotes occur in no pattern but as "any other
    character" after `Œœ` and neither compose nor end an entity, so that ftfy's second round finds nothing new to do.
    """

    def __init__(self, reference: Callable[[str], str]) -> None:
        import ftfy
        from ftfy import badness, chardata

        self._reference = reference
        self._is_proven = ftfy.__version__.startswith(PROVEN_FTFY)
        tables = (chardata.LIGATURES, chardata.WIDTH_MAP, chardata.CONTROL_CHARS)
        fixed = {character for table in tables for character in table}
        fixed |= {*range(0x80, 0xA0), *range(0xD800, 0xE000), *map(ord, "\r\x1b\u2028\u2029ÃÂŒœ")}
        self._find_fixed = re.compile(f"[{''.join(map(_escaped, sorted(fixed)))}]").search
        self._runs = re.compile(r"[^\x00-\x7f][^\x00-\x7f]+").finditer
        self._find_badness = badness.BADNESS_RE.search
        self._find_entity = chardata.HTML_ENTITY_RE.search

    def __call__(self, text: str) -> str:
        """The text as open_clip cleans it, but for its white space."""
        if not self._is_proven or self._find_fixed(text):
            return self._reference(text)
        if "&" in text and self._find_entity(text):
            return self._reference(text)
        if not text.isascii():
            if self._is_bad(text) or not unicodedata.is_normalized("NFC", text):
                return self._reference(text)
            for curly, straight in CURLY:
                text = text.replace(curly, straight)
        if "&" in text:
            text = html.unescape(html.unescape(text))
        return text.lower()

    def _is_bad(self, text: str) -> bool:
        return any(
            self._find_badness(text, max(0, run.start() - BADNESS_LENGTH), run.end() + BADNESS_LENGTH)
            for run in self._runs(text)
        )


class _Words(dict[str, bytes]):
    """The ids of words, two bytes each, made when first asked for; the words of late, in two generations."""

    def __init__(self, reference: SimpleTokenizer) -> None:
        from tokenizers.models import BPE

        super().__init__()
        self._old: dict[str, bytes] = {}
        self._find = reference.pat.findall
        self._bytes: dict[int, str] = reference.byte_encoder
        self._special = {reference.decoder[token]: token for token in reference.all_special_ids}
        # The cache of `tokenizers` would hold the same words once more.
        self._bpe = BPE(reference.encoder, list(reference.bpe_ranks), cache_capacity=0, end_of_word_suffix="</w>")

    def __missing__(self, word: str) -> bytes:
        ids = self._old.get(word)
        if ids is None:
            ids = self._encode(word)
        if len(word) <= CACHED_LENGTH:
            if len(self) >= CACHED_WORDS:
                self._old = dict(self)
                self.clear()
            self[word] = ids
        return ids

    def _encode(self, word: str) -> bytes:
        # A run of letters is one part, and open_clip's letters for printable ASCII are these themselves.
        if not (word.isascii() and word.isalpha()):
            parts = self._find(word)
            if parts != [word]:
                # Each part is a word too, `lung,` being `lung` and `,`: alone it matches as it did here.
                return b"".join(map(self.__getitem__, parts))
            word = "".join([self._bytes[byte] for byte in word.encode()])
            if word in self._special:
                return array("H", [self._special[word]]).tobytes()
        return array("H", [piece.id for piece in self._bpe.tokenize(word)]).tobytes()


class _Other:
    """Any callable from texts to ids."""

    def __init__(self, tokenizer: Callable[..., Any], context_length: int | None) -> None:
        self._tokenizer = tokenizer
        self._options = {} if context_length is None else {"context_length": context_length}

    def encode(self, texts: Sequence[str]) -> Tokens:
        return Tokens(np.asarray(self._tokenizer(list(texts), **self._options), np.int64), None)


def _named(name: str, context_length: int | None) -> Callable[[list[str]], Any]:
    open_clip = _open_clip()
    if ":" not in name and name not in open_clip.list_models():
        raise ValueError(f"tokenizer {name!r} is no model of open_clip; open_clip.list_models() has their names")
    tokenizer: Callable[[list[str]], Any] = open_clip.get_tokenizer(name, context_length=context_length)
    return tokenizer


def _escaped(character: int) -> str:
    return f"\\U{character:08x}"


def _open_clip() -> "ModuleType":
    try:
        module: ModuleType = import_module("open_clip")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("tokens need open_clip: pip install 'biomedica[train]'", name=error.name) from error
    return module

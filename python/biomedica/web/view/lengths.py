"""Lengths of texts: in tokens of CLIP where its tokenizer is installed, else in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Lengths"]

LONGEST = 4_096
"""Tokens that are counted of a text."""
TOGETHER = 256


class Lengths:
    """Counts; `unit` is `tokens` or `words`. Tokens are without CLIP's start and end, and without a limit of 77."""

    def __init__(self) -> None:
        try:
            from biomedica.load.tokenize import ClipTokenizer

            self._tokenizer: ClipTokenizer | None = ClipTokenizer(context_length=LONGEST + 2)
        except ModuleNotFoundError:
            self._tokenizer = None
        self.unit = "words" if self._tokenizer is None else "tokens"

    def of(self, texts: Sequence[str]) -> "NDArray[np.int32]":
        """The length of each text."""
        if self._tokenizer is None:
            return np.array([len(text.split()) for text in texts], np.int32)
        found = [np.empty(0, np.int32)]
        for first in range(0, len(texts), TOGETHER):
            ids = self._tokenizer.encode(texts[first : first + TOGETHER]).ids
            # The id of the end is the largest, and zeros follow it.
            found.append(ids.argmax(axis=1).astype(np.int32) - 1)
        return np.concatenate(found)

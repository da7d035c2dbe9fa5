"""`color-texture`: features made by hand in the core, of colours, tones, edges, local patterns and frequencies.

What each number is of stands in `rust/biomedica/src/similar/describe.rs`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biomedica import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COLOR_TEXTURE", "Descriptor"]

Vectors: TypeAlias = "NDArray[np.float32]"
COLOR_TEXTURE = "color-texture"
VERSION = 1
"""Goes up when the same image gives other numbers."""
DIMENSION = 212


class Descriptor:
    """Encoded images to descriptors of length 1 at most, on threads of the core."""

    def __init__(self, threads: int | None) -> None:
        self.record: dict[str, Any] = {
            "model": COLOR_TEXTURE, "version": VERSION, "input": "image", "normalize": "hellinger", "dimension": DIMENSION,
        }  # fmt: skip
        self.dimension = DIMENSION
        self._threads = threads

    def encode(self, batches: Iterator[list[Any]]) -> Iterator[Vectors]:
        """Descriptors of batches of encoded images; a row of NaN for one that cannot be decoded."""
        for batch in batches:
            out = np.zeros((len(batch), DIMENSION), np.float32)
            bad = _core.describe_images(batch, out, threads=self._threads)
            out[[place for place, _ in bad]] = np.nan
            yield out

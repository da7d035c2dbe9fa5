"""64-bit hashes of texts, many at a time. They say which images a seeded selection takes, so they must not change."""

from typing import TYPE_CHECKING

import numpy as np

from biomedica import _core

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["hash_texts", "mix"]


def hash_texts(texts: "pa.StringArray") -> "NDArray[np.uint64]":
    """A 64-bit hash of each text, none null: [N]. See `_core.hash_texts`."""
    hashes: NDArray[np.uint64] = _core.hash_texts(texts).to_numpy()
    return hashes


def mix(values: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = values * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

"""64-bit hashes of texts, many at a time. They say which images a seeded selection takes, so they must not change."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["hash_texts", "mix"]


def hash_texts(texts: pa.StringArray) -> "NDArray[np.uint64]":
    """A 64-bit hash of each text, none null.

    Multilinear hashing (Lemire and Kaser 2014, doi 10.1093/comjnl/bxt070) over bytes, with weights from SplitMix64: a
    sum of products, which numpy does for all texts at once.
    """
    if len(texts) == 0:
        return np.empty(0, np.uint64)
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = np.frombuffer(data_buffer or b"", np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64)
    starts = offsets[:-1] - offsets[0]
    lengths = np.diff(offsets)
    position = np.arange(len(data)) - np.repeat(starts, lengths)
    weights = mix(np.arange(1, int(lengths.max(initial=0)) + 2, dtype=np.uint64))
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum((data + np.uint64(1)) * weights[position], out=sums[1:])
    mixed: NDArray[np.uint64] = mix(sums[starts + lengths] - sums[starts])
    return mixed


def mix(values: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = values * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

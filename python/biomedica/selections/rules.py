"""The rules that look at all pairs at once: one of each duplicate, so many of each value, a sample.

Where a rule draws lots, a pair's lot is a hash of its id, the seed and the rule: so it is the same in a dataset that has
grown, whatever the threads and the order of the parts; and each rule draws anew, lest a sample after balancing take the
common values first.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._hash import hash_texts, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Numbers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

__all__ = ["Values", "balanced", "cap_at", "first_of_each", "lots", "one_of_each_group", "sampled", "split"]

SALTS = {"balance": 1, "sample": 2}
NONE = "(none)"
"""What the value is called that null and an empty list are."""


def lots(hashes: "Hashes", seed: int, rule: str) -> "Hashes":
    """The lot of each pair for a rule, from the hash of its id: uniform, and lower is drawn first."""
    return mix(hashes ^ mix(np.array([seed * len(SALTS) + SALTS[rule]], np.uint64)))


def first_of_each(high: "Hashes", low: "Hashes") -> "Mask":
    """The first of all that have both hashes in common."""
    return _firsts(np.lexsort((low, high)), high, low)


def one_of_each_group(groups: "Numbers", in_group: "Mask", representative: "Mask") -> "Mask":
    """Of each group its representative, or where that is not among these the first; and all that are in no group."""
    rows = np.flatnonzero(in_group)
    order = rows[np.lexsort((~representative[rows], groups[rows]))]
    kept = ~in_group
    kept[order] = _heads(groups[order])
    return kept


def split(hashes: pa.StringArray) -> "tuple[Hashes, Hashes]":
    """A sha-256 in hex as two hashes of 64 bits, of either half."""
    halves = (pc.utf8_slice_codeunits(hashes, 0, 32), pc.utf8_slice_codeunits(hashes, 32))
    first, second = (hash_texts(pc.fill_null(half, "")) for half in halves)
    return first, second


@dataclass(frozen=True, slots=True)
class Values:
    """Which values each pair has: a pair with several stands in several entries, with none in one of its own."""

    names: list[str]
    rows: "Numbers"
    """The pair of each entry."""
    codes: "Numbers"
    """The value of each entry, as its place in `names`."""

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "Values":
        """The values of a column of text, whole numbers or booleans, or of lists of them.

        Raises:
            ValueError: The column is of another type.
        """
        kind = column.type.value_type if pa.types.is_list(column.type) else column.type
        is_fit = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
        if not any(fits(kind) for fits in is_fit):
            raise ValueError(
                f"a column of {column.type} cannot be balanced: it takes text, whole numbers, lists of them"
            )
        flat, rows = _entries(column)
        chunks = flat.cast(pa.string()).dictionary_encode().unify_dictionaries().chunks
        names = chunks[0].dictionary.to_pylist() if chunks else []
        codes = np.concatenate(
            [np.empty(0, np.int64), *(chunk.indices.to_numpy().astype(np.int64) for chunk in chunks)]
        )
        alone = np.ones(len(column), np.bool_)
        alone[rows] = False
        if alone.any():
            rows = np.concatenate([rows, np.flatnonzero(alone)])
            codes = np.concatenate([codes, np.full(len(rows) - len(codes), len(names))])
            names.append(NONE)
        # A list may name a value twice.
        entries = np.sort(rows * max(len(names), 1) + codes)
        entries = entries[_heads(entries)]
        return cls(names, *np.divmod(entries, max(len(names), 1)))

    def counts(self, kept: "Mask | None" = None) -> "Numbers":
        """Pairs of each value, of all or of those that are kept."""
        codes = self.codes if kept is None else self.codes[kept[self.rows]]
        return np.bincount(codes, minlength=len(self.names))


def cap_at(counts: "Numbers", quantile: float) -> int:
    """The count that this share of the values does not exceed."""
    counts = np.sort(counts[counts > 0])
    return int(counts[max(math.ceil(quantile * len(counts)) - 1, 0)]) if len(counts) else 1


def balanced(values: Values, drawn: "Hashes", cap: int) -> "Mask":
    """The pairs to keep so that no value crowds out the others.

    In the order of their lots, a pair is kept while any of its values has fewer than `cap` pairs, and counts for all of
    them. A value has room exactly until its `cap`-th pair, as each before it was kept on its account: so a pair is kept
    if it is among the first `cap` of any of its values.
    """
    order = np.lexsort((drawn[values.rows], values.codes))
    codes = values.codes[order]
    starts = np.flatnonzero(_heads(codes))
    rank = np.arange(len(codes)) - np.repeat(starts, np.diff([*starts, len(codes)]))
    kept = np.zeros(len(drawn), np.bool_)
    kept[values.rows[order[rank < cap]]] = True
    return kept


def sampled(drawn: "Hashes", sample: float) -> "Mask":
    """A number of pairs, those of the lowest lots, or a share: of all lots, so that which it takes depends on no other."""
    kept = np.zeros(len(drawn), np.bool_)
    if isinstance(sample, int):
        kept[np.argsort(drawn, kind="stable")[:sample]] = True
    elif sample < 1:
        kept[drawn < np.uint64(int(sample * 2**64))] = True
    else:
        kept[:] = True
    return kept


def _entries(column: pa.ChunkedArray) -> "tuple[pa.ChunkedArray, Numbers]":
    """The values that are not null, each with its row."""
    if pa.types.is_list(column.type):
        chunks, rows, before = [], [np.empty(0, np.int64)], 0
        for chunk in column.chunks:
            chunks.append(chunk.flatten())
            rows.append(pc.list_parent_indices(chunk).to_numpy().astype(np.int64) + before)
            before += len(chunk)
        flat = pa.chunked_array(chunks, column.type.value_type)
        of = np.concatenate(rows)
    else:
        flat, of = column, np.arange(len(column))
    return flat.drop_null(), of[pc.is_valid(flat).to_numpy()]


def _firsts(order: "Numbers", *keys: "Hashes") -> "Mask":
    """Of rows in a stable order by keys, the first of each run of equal ones."""
    kept = np.zeros(len(order), np.bool_)
    head = np.zeros(len(order), np.bool_)
    for key in keys:
        head |= _heads(key[order])
    kept[order] = head
    return kept


def _heads(ordered: "Hashes | Numbers") -> "Mask":
    """Where another value begins."""
    return np.append(np.ones(min(len(ordered), 1), np.bool_), ordered[1:] != ordered[:-1])

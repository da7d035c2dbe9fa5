"""`choose`: the pairs that a recipe leaves of a dataset.

Rules on one pair run part by part, so that what they remove is never held; what is kept of the rest is some forty bytes a
pair, and the columns that rules on all pairs need.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._hash import hash_texts
from biomedica._sources import StorageOptions
from biomedica.dataset import Dataset
from biomedica.exceptions import DatasetError
from biomedica.selections import rules
from biomedica.selections.ids import FORMAT, IdSet, digest, read_ids
from biomedica.selections.names import near, unknown_column
from biomedica.selections.pairs import ARTICLE, Pairs
from biomedica.selections.recipe import Recipe
from biomedica.selections.where import Where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

__all__ = ["choose"]

LABEL = "image_primary_label"
MOST_VALUES = 10_000
"""Values of a balanced column of which the record has the counts."""
SLIP = 0.8
"""How alike a concept that no pair has must be to one that some have to count as mistyped."""


def choose(
    dataset: Dataset, recipe: Recipe, storage_options: StorageOptions | None = None
) -> tuple[pa.Table, dict[str, Any]]:
    """The chosen pairs, `image_id` and `part`, in the order of the dataset; and the record of the selection.

    Raises:
        ValueError: A rule names what is not there, or a block list has changed since the recipe was made.
        DatasetError: Nothing is left, or a table is damaged.
    """
    return _Choosing(dataset, recipe, storage_options).choose()


@dataclass
class _Rows:
    """What is kept of the pairs that each passed on their own."""

    ids: list[pa.Array] = field(default_factory=list)
    parts: list[pa.Array] = field(default_factory=list)
    hashes: "list[NDArray[np.uint64]]" = field(default_factory=list)
    """Of the ids, where lots are drawn."""
    columns: dict[str, list[pa.Array]] = field(default_factory=dict)


class _Choosing:
    """One selection being made."""

    def __init__(self, dataset: Dataset, recipe: Recipe, storage_options: StorageOptions | None) -> None:
        self._location = dataset.location
        self._pairs = Pairs(dataset, recipe.clusters)
        excluded = [
            read_ids(file, columns=("image_id", ARTICLE), storage_options=storage_options) for file in recipe.exclude
        ]
        sha256 = tuple(digest(ids) for ids in excluded)
        for file, is_now, was in zip(recipe.exclude, sha256, recipe.exclude_sha256, strict=False):
            if is_now != was:
                raise ValueError(f"{file}: this block list does not have the ids that it had when the recipe was made")
        self._recipe = recipe = recipe.with_lists(sha256)
        self._excluded = IdSet(pa.chunked_array([chunk for ids in excluded for chunk in ids.chunks], pa.string()))
        self._where = None
        if recipe.where is not None:
            self._where = Where(recipe.where, self._pairs.schema, self._pairs.absent)
        self._seen: set[str] = set()
        self._removed: dict[str, int] = {}
        self._counts: dict[str, Any] = {}

    def choose(self) -> tuple[pa.Table, dict[str, Any]]:
        ids, parts = self._chosen()
        left = pairs = int(self._counts.pop("pairs"))
        steps = []
        for rule, removed in self._removed.items():
            left -= removed
            steps.append({"rule": rule, "removed": removed, "left": left})
        self._check_concepts()
        if not left:
            told = "; ".join(f"{step['rule']} removed {step['removed']:,}" for step in steps)
            raise DatasetError(f"{self._location}: nothing is left of {pairs:,} pairs{': ' * bool(told)}{told}")
        made_of = hashlib.sha256("\n".join(self._pairs.made_of).encode()).hexdigest()
        record = {
            "format": FORMAT,
            "recipe": self._recipe.as_json(),
            "dataset": {"parts": len(self._pairs.made_of), "sha256": made_of},
            "counts": {"pairs": pairs, "selected": left, "steps": steps, **self._counts},
            "sha256": digest(ids),
        }
        return pa.table({"image_id": ids, "part": parts}), record

    def _chosen(self) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Ids and parts of what all rules leave, in order."""
        rows = _Rows()
        later = self._later()
        self._counts["pairs"] = 0
        for rule in self._rules_of_one():
            self._removed[rule] = 0
        for table in self._pairs.tables([*later, *self._columns_of_one()]):
            self._counts["pairs"] += table.num_rows
            kept = self._pass_one_by_one(table)
            rows.ids += kept["image_id"].chunks
            rows.parts += kept["part"].chunks
            if self._recipe.balance is not None or self._recipe.sample is not None:
                rows.hashes.append(_hashes(kept["image_id"]))
            for name in later:
                rows.columns.setdefault(name, []).extend(kept[name].chunks)
        mask = self._pass_together(rows)
        taken = pa.array(mask)
        ids = pa.chunked_array(rows.ids, pa.string()).filter(taken)
        return ids, pa.chunked_array(rows.parts, pa.int32()).filter(taken)

    def _rules_of_one(self) -> Iterator[str]:
        """The rules that look at one pair at a time."""
        recipe = self._recipe
        given = {"exclude": recipe.exclude, "where": recipe.where, "drop_concepts": recipe.drop_concepts}
        return (name for name, value in given.items() if value not in (None, ()))

    def _columns_of_one(self) -> list[str]:
        columns = [] if self._where is None else self._where.columns
        return [*columns, *([self._there(LABEL, "drop_concepts")] if self._recipe.drop_concepts else [])]

    def _later(self) -> list[str]:
        """The columns that are kept for the rules that look at all pairs at once."""
        recipe = self._recipe
        columns = {"exact": ["image_hash"], "near": ["image_duplicate_group", "image_is_representative"]}
        wanted = [self._there(name, "dedup") for name in columns.get(recipe.dedup or "", [])]
        return wanted if recipe.balance is None else [*wanted, self._there(recipe.balance, "balance")]

    def _there(self, column: str, rule: str) -> str:
        """The column, which must be one that there is."""
        if column not in self._pairs.schema:
            raise ValueError(unknown_column(rule, column, self._pairs.schema, self._pairs.absent))
        return column

    def _pass_one_by_one(self, table: pa.Table) -> pa.Table:
        recipe = self._recipe
        for rule in self._rules_of_one():
            if rule == "exclude":
                keep = ~(self._excluded.has(_hashes(table["image_id"])) | self._excluded.has(_hashes(table[ARTICLE])))
            elif rule == "where" and self._where is not None:
                keep = self._where.mask(table)
            else:
                keep = self._without_concepts(table[LABEL], recipe.drop_concepts)
            self._removed[rule] += int((~keep).sum())
            table = table.filter(pa.array(keep))
        return table

    def _without_concepts(self, labels: pa.ChunkedArray, dropped: tuple[str, ...]) -> "Mask":
        values = rules.Values.of(labels)
        self._seen.update(values.names)
        is_dropped = np.isin(np.array(values.names, dtype=object), dropped)
        keep = np.ones(len(labels), np.bool_)
        keep[values.rows[is_dropped[values.codes]]] = False
        return keep

    def _pass_together(self, rows: _Rows) -> "Mask":
        recipe = self._recipe
        kept = np.ones(sum(map(len, rows.ids)), np.bool_)
        # Which of the rows are left, by number: a rule looks at those alone.
        left = np.arange(len(kept))
        hashes = np.concatenate([np.empty(0, np.uint64), *rows.hashes])
        for rule in ("dedup", "balance", "sample"):
            if getattr(recipe, rule) is None:
                continue
            columns = {
                name: pa.chunked_array(chunks, self._pairs.schema[name]).filter(pa.array(kept))
                for name, chunks in rows.columns.items()
                if (rule == "balance") == (name == recipe.balance)
            }
            if rule == "dedup":
                keep = self._deduplicated(columns)
            elif rule == "balance":
                keep = self._balanced(columns[str(recipe.balance)], hashes[left])
            else:
                keep = rules.sampled(rules.lots(hashes[left], recipe.seed, rule), recipe.sample or 1.0)
            kept[left[~keep]] = False
            self._removed[rule] = int((~keep).sum())
            left = left[keep]
        return kept

    def _deduplicated(self, columns: Mapping[str, pa.ChunkedArray]) -> "Mask":
        if self._recipe.dedup == "exact":
            halves = [rules.split(chunk) for chunk in columns["image_hash"].chunks]
            empty = np.empty(0, np.uint64)
            first, second = (np.concatenate([empty, *(half[side] for half in halves)]) for side in (0, 1))
            return rules.first_of_each(first, second)
        groups = columns["image_duplicate_group"]
        representative = columns["image_is_representative"].fill_null(fill_value=False)
        numbers = groups.fill_null(0).to_numpy().astype(np.int64)
        return rules.one_of_each_group(numbers, pc.is_valid(groups).to_numpy(), representative.to_numpy())

    def _balanced(self, column: pa.ChunkedArray, hashes: "NDArray[np.uint64]") -> "Mask":
        recipe = self._recipe
        values = rules.Values.of(column)
        before = values.counts()
        cap = recipe.cap if recipe.cap is not None else rules.cap_at(before, recipe.quantile or 1.0)
        keep = rules.balanced(values, rules.lots(hashes, recipe.seed, "balance"), cap)
        self._counts["cap"] = cap
        if len(values.names) <= MOST_VALUES:
            after = values.counts(keep).tolist()
            each = zip(values.names, before.tolist(), after, strict=True)
            self._counts["values"] = {name: [had, has] for name, had, has in sorted(each, key=lambda one: -one[1])}
        return keep

    def _check_concepts(self) -> None:
        """A name that no pair has, but that is near one that some have, is a slip of the pen."""
        for name in self._recipe.drop_concepts:
            suggestion = near(name, self._seen, cutoff=SLIP)
            if name not in self._seen and suggestion:
                raise ValueError(f"drop_concepts: no pair has {name!r}{suggestion}")


def _hashes(ids: pa.ChunkedArray) -> "NDArray[np.uint64]":
    return np.concatenate([np.empty(0, np.uint64), *(hash_texts(chunk) for chunk in ids.chunks)])

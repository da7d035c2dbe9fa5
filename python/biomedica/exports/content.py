"""`Content`: the pairs that an export takes, subset by subset: their rows, each with its sample."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from biomedica import _core
from biomedica._enrichment import joined_tables
from biomedica._rules import SUBSETS
from biomedica._sources import StorageOptions
from biomedica._stream import stream
from biomedica.dataset import Dataset
from biomedica.exceptions import BiomedicaError, DatasetError
from biomedica.selections.ids import Ids, IdSet, read_ids
from biomedica.selections.pairs import Pairs

__all__ = ["Content", "Taken"]

PLACE = ("shard", "shard_offset")
"""Where a pair's image lies in the dataset, which is in no export."""
LEFT_OUT = (*PLACE, "shard_length", "status", "part", "article_text", "source")
"""Columns that say nothing outside the dataset, the whole text, and paths of the machine that made it."""
FROM_PUBMED = (
    "article_mesh_terms", "article_abstract", "article_reference_count", "article_reference_ids", "article_reference_list",
)  # fmt: skip
"""What `enrich` fills."""
CHUNK_BYTES = 32 << 20
CHUNK_ROWS = 1024
BATCH = 64
"""Samples that are taken from the stream at once."""


@dataclass(slots=True)
class Taken:
    """What of a subset is in an export."""

    pairs: int = 0
    articles: int = 0
    licenses: Counter[str] = field(default_factory=Counter)
    """Pairs of each licence; `none` for those without one."""


class Content:
    """The pairs of a dataset that an export takes.

    Attributes:
        schema: Type of each column of `chunks`.
        later: Those of them that the dataset's shards do not have, or not as they are now.
        taken: What there is of each subset, of those that have anything.
    """

    def __init__(
        self, dataset: Dataset, selection: Ids | None, subsets: Sequence[str], storage_options: StorageOptions | None
    ) -> None:
        self.dataset = dataset
        self._storage_options = storage_options
        self._pairs = Pairs(dataset)
        self._ids = None if selection is None else read_ids(selection, storage_options=storage_options)
        self._set = None if self._ids is None else IdSet(self._ids)
        self.schema = {name: kind for name, kind in self._pairs.schema.items() if name not in LEFT_OUT}
        first = {*dataset.figures().schema.names, *dataset.articles().schema.names}
        enriched = FROM_PUBMED if joined_tables(dataset.storage) else ()
        self.later = [name for name in self.schema if name not in first or name in enriched]
        self.taken = self._count(subsets)

    def _count(self, subsets: Sequence[str]) -> dict[str, Taken]:
        found = {name: Taken() for name in SUBSETS if name in subsets}
        for rows in self._tables(["subset", "article_license"]):
            for name, taken in found.items():
                of = rows.filter(pc.equal(rows["subset"], name))
                taken.pairs += of.num_rows
                # All of an article's figures lie in one part.
                taken.articles += len(pc.unique(of["article_accession_id"]))
                for value in pc.value_counts(of["article_license"].combine_chunks()).to_pylist():
                    taken.licenses[value["values"] or "none"] += value["counts"]
        return {name: taken for name, taken in found.items() if taken.pairs}

    def chunks(self, subset: str) -> Iterator[tuple[pa.Table, list[_core.Sample]]]:
        """The rows of a subset in the order of its shards, some tens of megabytes at a time, each with its sample.

        Raises:
            DatasetError: A sample cannot be read, or is not the one that the tables have at its place.
        """
        with closing(self._stream(subset)) as samples:
            for rows in self._tables([*self.schema, *PLACE]):
                of = rows.filter(pc.equal(rows["subset"], subset))
                of = of.sort_by([(name, "ascending") for name in PLACE]).drop_columns(["part", *PLACE])
                start = 0
                while start < of.num_rows:
                    taken = self._take(samples, min(of.num_rows - start, CHUNK_ROWS))
                    rows_of = of.slice(start, len(taken))
                    for image_id, sample in zip(rows_of["image_id"].to_pylist(), taken, strict=True):
                        if sample.key != image_id:
                            raise DatasetError(
                                f"{sample.shard}: at byte {sample.offset}: {sample.key}, not {image_id}; verify the dataset"
                            )
                    yield rows_of, taken
                    start += len(taken)

    def _take(self, samples: _core.Stream, count: int) -> list[_core.Sample]:
        taken: list[_core.Sample] = []
        num_bytes = 0
        while len(taken) < count and num_bytes < CHUNK_BYTES:
            try:
                batch = samples.next_batch(min(BATCH, count - len(taken)))
            except BiomedicaError as error:
                raise DatasetError(f"{self.dataset.location}: {error}; verify the dataset") from error
            if not batch or any(sample.is_replacement for sample in batch):
                raise DatasetError(f"{self.dataset.location}: a sample cannot be read; verify the dataset")
            taken += batch
            num_bytes += sum(len(sample.image) for sample in batch)
        return taken

    def _stream(self, subset: str) -> _core.Stream:
        opened = stream(
            self.dataset.location,
            shuffle=False,
            subset=subset,
            selection=self._ids,
            max_bad_fraction=0.0,
            storage_options=self._storage_options,
        )
        iter(opened)
        return opened

    def _tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The pairs of each part that are selected."""
        for rows in self._pairs.tables(columns):
            if self._set is None:
                yield rows
            else:
                yield rows.filter(pa.array(self._set.of(rows["image_id"])))

"""`Pairs`: the live pairs of a dataset part by part, with columns of all that is known of them side by side."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._enrichment import joined_tables
from biomedica._sidecar import KEYS, Part, fresh_files
from biomedica.dataset import Dataset
from biomedica.exceptions import DatasetError

__all__ = ["Pairs"]

ARTICLE = "article_accession_id"
ALWAYS = ("image_id", ARTICLE, "status", "shard")
"""The columns of figures that tell a live pair."""
AHEAD = 4
"""Parts that are read while another is looked at."""


@dataclass(frozen=True, slots=True)
class _Beside:
    """A sidecar, its columns, and the verb that makes it."""

    name: str
    columns: tuple[str, ...]
    verb: str


def _sidecars(clusters: str) -> list[_Beside]:
    """In the order in which they are asked for a column."""
    labels = ("image_panel_type", "image_panel_subtype", "image_primary_label", "image_secondary_label")
    near = ("image_duplicate_group", "image_is_representative", "image_duplicate_distance")
    return [
        _Beside("labels", ("image_cluster_id", *labels), "label"),
        _Beside(f"clusters/{clusters}", ("image_cluster_id", "image_cluster_distance"), "cluster"),
        _Beside("hashes", ("image_phash",), "duplicates"),
        _Beside("duplicates", near, "duplicates"),
    ]


class Pairs:
    """The pairs of a dataset as they are now.

    Args:
        dataset: The dataset.
        clusters: Which clusters `image_cluster_distance` is of.
        every_figure: The live figures that are no pairs too, to look at rather than to choose from: a sidecar that lacks
            a part then counts as absent instead of failing.

    Attributes:
        schema: Type of each column that there is: those of figures, articles and sidecars, and `part`.
        absent: Columns of sidecars that are not there, each with what to do to have it.
    """

    def __init__(self, dataset: Dataset, clusters: str = "default", *, every_figure: bool = False) -> None:
        self._every_figure = every_figure
        self._storage = dataset.storage
        self._location = dataset.location
        self._dead = dataset.dead_articles
        self._parts = [Part(*part) for part in dataset.parts_of("figures")]
        if not self._parts:
            raise DatasetError(f"{dataset.location}: no part is finished yet; run the same extract again")
        self._joined = joined_tables(dataset.storage)
        self._origin: dict[str, str] = {}
        self.schema: dict[str, pa.DataType] = {}
        self.absent: dict[str, str] = {}
        first = self._parts[0]
        self._add("figures", first.path)
        self._add("articles", self._articles(first))
        for beside in _sidecars(clusters):
            self._add_sidecar(beside)
        self.schema["part"] = pa.int32()

    @property
    def made_of(self) -> list[str]:
        """The sha-256 of each part's figures table."""
        return [part.sha256 for part in self._parts]

    def tables(self, columns: Iterable[str]) -> Iterator[pa.Table]:
        """The pairs of each part in their order: `image_id`, `article_accession_id`, `part` and these columns.

        Raises:
            DatasetError: A table is damaged, or a sidecar lacks a part.
        """
        wanted = list(dict.fromkeys(columns))
        sidecars = {self._origin[name] for name in wanted if name in self._origin} - {"figures", "articles"}
        files = {name: self._files(name) for name in sidecars}
        with ThreadPoolExecutor(AHEAD) as pool:
            waiting: deque[Future[pa.Table]] = deque()
            try:
                for part in self._parts:
                    waiting.append(pool.submit(self._load, part, wanted, files))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _add(self, origin: str, path: str) -> None:
        """Learn the columns of a table; those that an earlier one has stay its own."""
        try:
            schema = self._storage.table([path]).schema
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(path, error) from error
        for field in schema:
            if field.name not in self.schema:
                self.schema[field.name] = field.type
                self._origin[field.name] = origin

    def _add_sidecar(self, beside: _Beside) -> None:
        there = set(self._storage.names(beside.name))
        whole = not self._every_figure or len(fresh_files(self._storage, beside.name, self._parts)) == len(self._parts)
        for part in self._parts:
            if whole and f"{part.name}.parquet" in there:
                # A file that cannot be read counts as missing, which is told when a rule needs it.
                with contextlib.suppress(DatasetError):
                    self._add(beside.name, f"{beside.name}/{part.name}.parquet")
                    break
        for name in beside.columns:
            if name in self.schema:
                self.absent.pop(name, None)
            else:
                self.absent[name] = f"{self._location} has no {beside.name}; `biomedica {beside.verb}` makes them"

    def _files(self, name: str) -> dict[str, str]:
        fresh = fresh_files(self._storage, name, self._parts)
        missing = [part.name for part in self._parts if part.name not in fresh]
        if missing:
            raise DatasetError(
                f"{self._location}: {name} has no rows for part {missing[0]} of the dataset as it is; make them again"
            )
        return fresh

    def _articles(self, part: Part) -> str:
        return self._joined.get(part.name, f"articles/{part.name}.parquet")

    def _load(self, part: Part, columns: Sequence[str], sidecars: dict[str, dict[str, str]]) -> pa.Table:
        of = {
            origin: [name for name in columns if self._origin.get(name) == origin] for origin in self._origin.values()
        }
        rows = self._read(part.path, [*ALWAYS, *(name for name in of["figures"] if name not in ALWAYS)])
        for origin, files in sidecars.items():
            beside = self._read(files[part.name], of[origin])
            if beside.num_rows != rows.num_rows:
                raise DatasetError(f"{self._location}: {files[part.name]} has not a row for each figure; make it again")
            for name in of[origin]:
                rows = rows.append_column(name, beside[name])
        if not self._every_figure:
            rows = rows.filter(pc.and_(pc.equal(rows["status"], "ok"), pc.is_valid(rows["shard"])))
        dead = self._dead.get(int(part.name))
        if dead is not None:
            rows = rows.filter(pc.invert(pc.is_in(rows[ARTICLE], dead)))
        if of["articles"]:
            rows = self._with_articles(rows, self._articles(part), of["articles"])
        number = pa.array(np.full(rows.num_rows, int(part.name), np.int32))
        keep = [*KEYS, *(name for name in columns if name not in (*KEYS, "part"))]
        return rows.select(keep).append_column("part", number).combine_chunks()

    def _with_articles(self, rows: pa.Table, path: str, columns: Sequence[str]) -> pa.Table:
        articles = self._read(path, [ARTICLE, *columns])
        places = pc.index_in(rows[ARTICLE], articles[ARTICLE].combine_chunks())
        if places.null_count:
            missing = rows[ARTICLE].filter(pc.is_null(places))[0]
            raise DatasetError(f"{self._location}: article {missing} has figures but no row; verify the dataset")
        taken = articles.select(columns).take(places)
        for name in columns:
            rows = rows.append_column(name, taken[name])
        return rows

    def _read(self, path: str, columns: Sequence[str]) -> pa.Table:
        try:
            return self._storage.table([path]).to_table(columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(path, error) from error

    def _damaged(self, path: str, error: Exception) -> DatasetError:
        return DatasetError(f"{self._location}: {path} cannot be read; verify the dataset: {error}")

"""`select`: which pairs of a dataset to take, as a small file of their ids, by rules that are kept with it."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from biomedica._rules import Names, as_names
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import storage
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.selections.choose import choose
from biomedica.selections.ids import RECORD, read_file, read_record, split_location
from biomedica.selections.recipe import Dedup, Recipe

__all__ = ["Selection", "select"]

ROW_GROUP = 1 << 20


class Step(NamedTuple):
    """What one rule did."""

    rule: str
    removed: int
    left: int


@dataclass(frozen=True, slots=True)
class Selection(os.PathLike[str]):
    """A selection that was made: a Parquet file with the columns `image_id` and `part`, in the order of the dataset.

    Wherever a selection is taken, one of these is as good as its path.
    """

    path: Path | str
    """Its file, or that file's URL."""
    count: int
    """Pairs in it."""
    recipe: dict[str, Any]
    """The rules that it was made by."""
    counts: dict[str, Any]
    """`pairs`: those that the dataset has; `selected`; `steps`: of each rule in turn what it `removed` and what was `left`;
    of a balanced column `cap`, and `values`: of each the pairs before and after."""
    dataset: dict[str, Any]
    """What it was made of: `parts`, and `sha256` over their figures tables."""
    sha256: str
    """Of the ids in their order, each followed by a line's end."""

    @classmethod
    def open(cls, path: StrPath, *, storage_options: StorageOptions | None = None) -> "Selection":
        """The selection in a file that `select` wrote.

        Raises:
            SourceNotFoundError: There is no such file.
            DatasetError: It is no selection, or damaged.
        """
        record = read_record(path, storage_options)
        counts = record["counts"]
        return cls(
            path if isinstance(path, str) else Path(path),
            counts["selected"], record["recipe"], counts, record["dataset"], record["sha256"],
        )  # fmt: skip

    @property
    def steps(self) -> list[Step]:
        """What each rule removed, in the order in which they were applied."""
        return [Step(**step) for step in self.counts["steps"]]

    def __len__(self) -> int:
        """Pairs in it."""
        return self.count

    def __fspath__(self) -> str:
        """Its path or URL."""
        return os.fspath(self.path)


def select(
    dataset: Dataset | StrPath,
    output: StrPath,
    *,
    preset: str | None = None,
    exclude: StrPath | Iterable[StrPath] = (),
    where: str | None = None,
    drop_concepts: Names = (),
    dedup: Dedup | None = None,
    balance: str | None = None,
    cap: int | None = None,
    quantile: float | None = None,
    sample: float | None = None,
    seed: int = 0,
    clusters: str = "default",
    recipe: StrPath | Mapping[str, Any] | None = None,
    storage_options: StorageOptions | None = None,
) -> Selection:
    """Choose pairs of a dataset by rules; nothing of the dataset is copied or written again.

    The rules are applied in the order of the arguments here. Those that draw lots draw them from the seed and each pair's
    id: the same rules give the same selection, whatever the machine, and `sample` of a dataset that has grown takes
    the same pairs as before, and some of the new ones.

    Args:
        dataset: A dataset, or its directory or URL.
        output: The file to write, a path or URL that ends in `.parquet`. It appears whole.
        preset: One of the training sets of the BIOMEDICA paper (arXiv 2501.07171): `full`, `concept-filtered` (drops
            plots, tables, diagrams, graphs, maps, screenshots and formulae) or `concept-balanced` (caps
            `image_primary_label` at the quantile 0.6). Rules given beside it stand above its own.
        exclude: Block lists: files of ids that are not taken, of images or of whole articles: Parquet with a column
            `image_id` or `article_accession_id`, or text with an id a line.
        where: A condition in SQL (DuckDB's) on the columns of figures, articles and the sidecars `labels`,
            `clusters/<clusters>`, `hashes` and `duplicates`, such as
            `article_license = 'CC BY' AND list_contains(image_primary_label, 'Microscopy')`. It is about one pair: it holds
            no query, and no function whose value changes. It can neither read files nor change anything.
        drop_concepts: Without the pairs that have one of these in `image_primary_label`.
        dedup: `exact` leaves one of all images with the same bytes, the first of the dataset; `near` one of each group of
            the sidecar `duplicates`: its representative, or where other rules removed that, the first.
        balance: A column of which no value shall crowd out the others: of text, whole numbers, or lists of them. In the
            order of their lots, a pair is kept while any of its values has fewer pairs than the cap, and counts for all
            of them. So a value has at least as many pairs as the cap, or all that there are, and more only where pairs were
            kept for another value of theirs. Pairs without a value count as one value.
        cap: Pairs of each value.
        quantile: Instead, the count that this share of the values does not exceed: 0.5 is the median.
        sample: A share of what is left (a `float` of at most 1), or a number of pairs (an `int`).
        seed: Of the lots.
        clusters: Which clusters `where` and `balance` see.
        recipe: Instead of all rules: those of an earlier selection, as a mapping, a JSON file, or the selection itself.
            Its block lists must have the same ids as they had.
        storage_options: How the stores of dataset, block lists and output are spoken to, as `open` takes it.

    Returns:
        The selection; `counts` has what each rule removed.

    Raises:
        ValueError: A rule makes no sense, or names a column or concept that is not there.
        SourceNotFoundError: There is no such dataset or block list.
        DatasetError: Nothing is left, a table is damaged, or the file cannot be written.

    Example:
        >>> import biomedica as bm
        >>> chosen = bm.select("dataset/", "balanced.parquet", preset="concept-balanced", dedup="exact")  # doctest: +SKIP
        >>> stream = bm.stream("dataset/", selection=chosen)  # doctest: +SKIP
    """
    lists = [exclude] if isinstance(exclude, str | os.PathLike) else list(exclude)
    given: dict[str, Any] = {
        "where": where, "drop_concepts": tuple(as_names(drop_concepts)), "dedup": dedup, "balance": balance, "cap": cap,
        "quantile": quantile, "sample": sample, "exclude": tuple(os.fspath(one) for one in lists),
    }  # fmt: skip
    if recipe is not None:
        if preset is not None or seed != 0 or clusters != "default" or any(given.values()):
            raise ValueError("a recipe has all the rules; give none beside it")
        wanted = _read_recipe(recipe, storage_options)
    else:
        wanted = Recipe.of({"preset": preset, **given, "seed": seed, "clusters": clusters})
    if not os.fspath(output).endswith(".parquet"):
        raise ValueError(f"{os.fspath(output)}: a selection is a Parquet file; name it .parquet")
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, storage_options=storage_options)
    rows, record = choose(opened, wanted, storage_options)
    _write(rows, record, os.fspath(output), storage_options)
    return Selection.open(output, storage_options=storage_options)


def _read_recipe(recipe: StrPath | Mapping[str, Any], storage_options: StorageOptions | None) -> Recipe:
    if isinstance(recipe, Mapping):
        return Recipe.from_json(json.dumps(dict(recipe)), "recipe")
    where = os.fspath(recipe)
    if where.endswith(".parquet"):
        return Recipe.from_json(json.dumps(read_record(where, storage_options)["recipe"]), where)
    return Recipe.from_json(read_file(where, storage_options).decode("utf-8", "replace"), where)


def _write(rows: pa.Table, record: Mapping[str, Any], where: str, storage_options: StorageOptions | None) -> None:
    """The selection's file, whole or not at all."""
    rows = rows.replace_schema_metadata({RECORD: json.dumps(record, ensure_ascii=False)})
    sink = pa.BufferOutputStream()
    encodings = {"image_id": "DELTA_BYTE_ARRAY"}
    pq.write_table(
        rows, sink, compression="zstd", row_group_size=ROW_GROUP, use_dictionary=["part"], column_encoding=encodings
    )
    folder, name = split_location(where)
    storage(folder, storage_options).write(name, sink.getvalue())

"""`export`: a dataset, or a selection of it, in a form for others to take: Parquet, WebDataset or CSV."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import pyarrow as pa

from biomedica import _core
from biomedica._attribution import attribution
from biomedica._index import index
from biomedica._rules import SUBSETS, Names, as_names
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import sync
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import DatasetError
from biomedica.exports.card import card
from biomedica.exports.content import Content
from biomedica.exports.csv import Table
from biomedica.exports.parquet import ParquetFiles
from biomedica.exports.webdataset import Shards
from biomedica.selections.ids import Ids, read_record

__all__ = ["Exported", "export"]

Format: TypeAlias = Literal["parquet", "webdataset", "csv"]
CARD = "README.md"
ATTRIBUTION = "attribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What `export` wrote."""

    path: Path
    pairs: dict[str, int]
    """Pairs of each subset; those without any are left out."""
    files: list[Path]
    """The files that hold them."""
    num_bytes: int
    """Bytes of all files, the card and the attribution among them."""


class _Writer(Protocol):
    """The files of one subset."""

    def add(self, rows: pa.Table, samples: Sequence[_core.Sample]) -> None: ...

    def finish(self) -> list[Path]: ...

    def close(self) -> None: ...


def export(
    dataset: Dataset | StrPath,
    output: StrPath,
    *,
    format: Format = "parquet",  # noqa: A002 - its name everywhere
    selection: Ids | None = None,
    subset: Names | None = None,
    file_size: int = 500_000_000,
    samples_per_shard: int = 10_000,
    overwrite: bool = False,
    storage_options: StorageOptions | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Exported:
    """Write a dataset, or a selection of it, in a form for others to take.

    - `parquet`: `OUTPUT/<subset>/train-00000-of-00012.parquet`: a row a pair, the image's bytes as the column `image`, which
      Hugging Face `datasets` and the hub's viewer know as an image; then the figure's columns, its article's, and those
      of the sidecars that there are (labels, clusters, hashes, duplicates).
    - `webdataset`: `OUTPUT/<subset>/jpg-000000.tar`, each of one image format, with index files beside them: the same
      samples as in the dataset's shards, and in their JSON what the sidecars say.
    - `csv`: `OUTPUT/<subset>.csv` and the images as files, for open_clip's `--dataset-type csv`.

    Subsets are never mixed; the hub offers each as a configuration (of shards, each
    image format of it). The first two have a dataset card (`README.md`). Beside
    them all, `OUTPUT/attribution` has who made each image. Images are the publishers' bytes. The same dataset and selection
    give the same files. They are made in a temporary folder beside `output`, which appears whole; some tens of megabytes
    of samples and one part's rows are in memory.

    Args:
        dataset: A dataset, or its directory or URL.
        output: The directory to make.
        format: One of the three.
        selection: Only these pairs: what `select` wrote, any other file of ids, or ids.
        subset: Only this subset, or these: `commercial`, `noncommercial`, `other`.
        file_size: Of a Parquet file, in bytes: another begins when one has reached it.
        samples_per_shard: Of WebDataset shards.
        overwrite: Put the export in the place of an earlier one.
        storage_options: How the stores of dataset and selection are spoken to, as `open` takes it.
        progress: Called with the pairs that are written, and all that will be.

    Returns:
        Where it is and what is in it.

    Raises:
        ValueError: An argument makes no sense.
        SourceNotFoundError: There is no such dataset or selection.
        DatasetError: `output` is there already, nothing is selected, a table or sample is damaged, or a file cannot be
            written.

    Example:
        >>> import biomedica as bm
        >>> bm.export("dataset/", "hub/", selection="balanced.parquet", subset="commercial").pairs  # doctest: +SKIP
        {'commercial': 1204}
    """
    wanted = as_names(subset) or list(SUBSETS)
    _check(format, wanted, file_size, samples_per_shard)
    place = Path(output).resolve()
    _check_place(place, output, overwrite=overwrite)
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, storage_options=storage_options)
    content = Content(opened, selection, wanted, storage_options)
    if not content.taken:
        raise DatasetError(f"{opened.location}: no pair to export; the selection or subset has none of this dataset's")
    pairs = {name: one.pairs for name, one in content.taken.items()}
    with _replacing(place) as folder:
        files, done = [], 0
        for name in content.taken:
            (folder / name).mkdir()
            writer: _Writer
            if format == "parquet":
                writer = ParquetFiles(folder / name, content.schema, file_size)
            elif format == "webdataset":
                writer = Shards(folder / name, content.later, samples_per_shard)
            else:
                writer = Table(folder / name, place / name)
            with closing(writer):
                for rows, samples in content.chunks(name):
                    writer.add(rows, samples)
                    done += len(samples)
                    if progress is not None:
                        progress(done, sum(pairs.values()))
                files += writer.finish()
        attribution(
            opened, folder / ATTRIBUTION, subset=list(pairs), selection=selection, storage_options=storage_options
        )
        if format != "csv":
            columns = {"image": "image", **content.schema}
            patterns = _patterns([path.relative_to(folder) for path in files])
            text = card(content.taken, columns, patterns, _record_of(selection, storage_options))
            (folder / CARD).write_text(text, encoding="utf-8")
        if format == "webdataset":
            index(files)
        num_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        found = [Path(output) / path.relative_to(folder) for path in files]
    return Exported(path=Path(output), pairs=pairs, files=found, num_bytes=num_bytes)


def _check(format: str, subsets: Sequence[str], file_size: int, samples_per_shard: int) -> None:  # noqa: A002
    for name in subsets:
        if name not in SUBSETS:
            raise ValueError(f"no subset is called {name!r}; there are {', '.join(SUBSETS)}")
    if format not in ("parquet", "webdataset", "csv"):
        raise ValueError(f"format is 'parquet', 'webdataset' or 'csv', not {format!r}")
    if file_size < 1 or samples_per_shard < 1:
        raise ValueError("file_size and samples_per_shard are at least 1")


def _patterns(files: Sequence[Path]) -> dict[str, str]:
    """The configurations that the hub offers: a subset's Parquet files, or its shards of one image format.

    `datasets` takes the members of all shards from the first.
    """
    found = {}
    for path in files:
        kind = path.name.split("-")[0]
        name = str(path.parent) if path.suffix == ".parquet" else f"{path.parent}-{kind}"
        found[name] = f"{path.parent}/{kind}-*{path.suffix}"
    return found


def _record_of(selection: Ids | None, storage_options: StorageOptions | None) -> dict[str, object] | None:
    """What a selection's file says of itself; other lists of ids say nothing."""
    if not isinstance(selection, str | os.PathLike) or not os.fspath(selection).endswith(".parquet"):
        return None
    try:
        return read_record(selection, storage_options)
    except DatasetError:
        return None


@contextmanager
def _replacing(place: Path) -> Iterator[Path]:
    """A folder to fill, which then takes this place whole. One process at a time makes it."""
    waiting = place.with_name(f".{place.name}.export")
    folder = waiting / place.name
    try:
        waiting.mkdir(parents=True, exist_ok=True)
        with _core.Lock(str(waiting)):
            # What a killed process left.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                yield folder
                for path in folder.rglob("*"):
                    sync(path)
                if place.exists():
                    place.replace(waiting / "old")
                folder.replace(place)
                sync(place.parent)
            finally:
                shutil.rmtree(waiting, ignore_errors=True)
    except OSError as error:
        raise DatasetError(f"{place}: cannot be written: {error.strerror or error}") from error


def _check_place(place: Path, output: StrPath, *, overwrite: bool) -> None:
    """An export may be overwritten, nothing else."""
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    if not (place / ATTRIBUTION).is_dir():
        raise DatasetError(f"{output}: there is something else already; name another directory")
    if not overwrite:
        raise DatasetError(f"{output}: there is an export already; name another directory, or overwrite it")

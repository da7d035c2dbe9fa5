"""What a dataset is compared with for leaks: the images of tasks, of folders, or of other datasets."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import pyarrow.compute as pc

from biomedica._images import PLACES, image_batches
from biomedica._sources import StorageOptions, StrPath
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import DatasetError, SourceNotFoundError
from biomedica.selections.pairs import Pairs

__all__ = ["Against", "Folder", "Held", "Image", "Item", "Items", "as_items"]

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MOST_BYTES = 1 << 28
"""Of an image; a larger file is refused."""
MOST_TEXT = 1 << 20
"""Of the JSON beside an image; of a larger one nothing is read."""
BATCH = 64


class Item(Protocol):
    """One image of a task."""

    @property
    def key(self) -> str:
        """What names it within its task."""

    @property
    def image(self) -> bytes:
        """The encoded image."""

    @property
    def group(self) -> str | None:
        """What it belongs to, such as an article or a patient."""


class Items(Protocol):
    """A task's images: each loop over it gives the same ones in the same order."""

    @property
    def name(self) -> str:
        """Of the task."""

    def __iter__(self) -> Iterator[Item]:
        """Its images."""


Against: TypeAlias = StrPath | Dataset | Items
"""A folder of images, a dataset or its directory or URL, or the images of a task."""


def as_items(against: Against, storage_options: StorageOptions | None = None) -> Items:
    """The images of a folder or dataset; those of a task as they are.

    Raises:
        SourceNotFoundError: There is no such folder or dataset, or no image in it.
    """
    if isinstance(against, Dataset):
        return Held(against)
    if not isinstance(against, str | os.PathLike):
        return against
    where = os.fspath(against)
    if "://" in where or (Path(where) / "dataset.json").is_file():
        return Held(open_dataset(against, storage_options=storage_options))
    return Folder(against)


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a folder or of a dataset."""

    key: str
    image: bytes
    group: str | None = None


class Folder:
    """The images in a folder and the folders below it; an image's key is its path from there.

    Where `x.json` lies beside `x.jpg`, the texts in it are the image's group, so that the article which they name is known.

    Raises:
        SourceNotFoundError: There is no such folder, or no image in it.
    """

    def __init__(self, path: StrPath) -> None:
        self.name = os.fspath(path).rstrip("/")
        self._root = Path(path)
        if not self._root.is_dir():
            what = "is neither a folder of images nor a dataset" if self._root.exists() else "there is no such folder"
            raise SourceNotFoundError(f"{path}: {what}")
        found = (Path(folder) / name for folder, _, names in os.walk(self._root) for name in names)
        self._files = sorted(path for path in found if path.suffix.lower() in FORMATS)
        if not self._files:
            raise SourceNotFoundError(f"{path}: there is no image in it ({' '.join(FORMATS)})")

    def __iter__(self) -> Iterator[Image]:
        """The images by their paths."""
        for path in self._files:
            try:
                if path.stat().st_size > MOST_BYTES:
                    raise DatasetError(f"{path}: an image of more than {MOST_BYTES:,} bytes is not read")
                data = path.read_bytes()
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
            yield Image(path.relative_to(self._root).as_posix(), data, _beside(path))


class Held:
    """The images of another dataset, such as one that was held out; groups are accessions and DOIs of their articles."""

    def __init__(self, dataset: Dataset) -> None:
        self.name = dataset.location.rstrip("/")
        self._storage = dataset.storage
        self._pairs = Pairs(dataset)

    def __iter__(self) -> Iterator[Image]:
        """The images of all pairs, by part and shard."""
        for table in self._pairs.tables([*PLACES, "shard", "article_doi"]):
            for shard in pc.unique(table["shard"]).to_pylist():
                rows = table.filter(pc.equal(table["shard"], shard))
                names = iter(rows.select(["image_id", "article_accession_id", "article_doi"]).to_pylist())
                for batch in image_batches(self._storage, shard, rows, BATCH):
                    for data, row in zip(batch, names, strict=False):
                        group = f"{row['article_accession_id']} {row['article_doi'] or ''}".strip()
                        yield Image(row["image_id"], bytes(data), group)


def _beside(path: Path) -> str | None:
    """The texts of the JSON beside an image."""
    beside = path.with_suffix(".json")
    try:
        if beside.stat().st_size > MOST_TEXT:
            return None
        return " ".join(_texts(json.loads(beside.read_bytes()))) or None
    except (OSError, ValueError, RecursionError):
        return None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value if isinstance(value, list) else value.values():
            yield from _texts(one)

"""What a dataset is compared with for leaks: the images of tasks, of folders, or of other datasets."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from biomedica._images import PLACES, image_batches
from biomedica._sidecar import Part
from biomedica._sources import StorageOptions, StrPath
from biomedica._tombstones import live_pairs
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import DatasetError, SourceNotFoundError

__all__ = ["Against", "Folder", "Item", "Items", "as_items"]

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MOST_BYTES = 1 << 28
"""Of an image; a larger file is not read."""
MOST_TEXT = 1 << 20
"""Of the JSON beside an image."""
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


Against: TypeAlias = "StrPath | Items"
"""A folder of images, the directory or URL of a dataset, or the images of a task."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a folder or of a dataset."""

    key: str
    image: bytes
    group: str | None = None


class Folder:
    """The images in a folder and the folders below it; an image's key is its path from there.

    Where `x.json` lies beside `x.jpg`, the texts in it are the image's group: so articles that it names are known.

    Raises:
        SourceNotFoundError: There is no such folder, or no image in it.
    """

    def __init__(self, path: StrPath) -> None:
        self._root = Path(path)
        self.name = self._root.resolve().name
        if not self._root.is_dir():
            raise SourceNotFoundError(f"{path}: there is no such folder")
        found = (Path(folder) / name for folder, _, names in os.walk(self._root) for name in names)
        self._files = sorted(path for path in found if path.suffix.lower() in FORMATS)
        if not self._files:
            raise SourceNotFoundError(f"{path}: no image in it; known are {' '.join(FORMATS)}")

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


class Pairs:
    """The images of another dataset, such as one that was held out; groups are accessions, with DOIs where known."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.name = dataset.location.rstrip("/").rsplit("/", 1)[-1]

    def __iter__(self) -> Iterator[Image]:
        """The images of all pairs, in the order of parts and shards."""
        dataset = self._dataset
        articles = dict(dataset.parts_by_table("articles"))
        for part in (Part(*part) for part in dataset.parts_of("figures")):
            columns = [*PLACES, "article_accession_id", "shard"]
            rows = dataset.storage.table([part.path]).to_table(columns=columns)
            rows = rows.filter(live_pairs(rows, dataset.dead_articles.get(int(part.name))))
            known = dataset.storage.table([articles[part.name]]).to_table(
                columns=["article_accession_id", "article_doi"]
            )
            dois = dict(zip(*(column.to_pylist() for column in known.columns), strict=True))
            for shard in pc.unique(rows["shard"]).to_pylist():
                here = rows.filter(pc.equal(rows["shard"], shard))
                names = zip(here["image_id"].to_pylist(), here["article_accession_id"].to_pylist(), strict=True)
                for batch in image_batches(dataset.storage, shard, here, BATCH):
                    for data in batch:
                        image_id, article = next(names)
                        yield Image(image_id, bytes(data), f"{article} {dois.get(article) or ''}".strip())

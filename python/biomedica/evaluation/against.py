"""What a dataset is compared with for leaks: the images of tasks, of folders, or of other datasets."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeAlias

import pyarrow.compute as pc

from biomedica._images import PLACES, image_batches
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import Directory, storage
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.evaluation.data import TaskData
from biomedica.evaluation.readers import IMAGES
from biomedica.evaluation.root import MOST_IMAGE_BYTES
from biomedica.evaluation.tasks import find
from biomedica.exceptions import DatasetError, SourceNotFoundError, TaskError
from biomedica.selections.pairs import Pairs

__all__ = ["Against", "Folder", "Held", "Image", "Item", "Items", "Sets", "as_items", "open_sets"]

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
    if storage(against, storage_options).read("dataset.json") is not None:
        return Held(open_dataset(against, storage_options=storage_options))
    return Folder(against, storage_options)


@dataclass(frozen=True, slots=True)
class Sets:
    """All that a dataset is compared with."""

    there: list[Items]
    missing: dict[str, str]
    """Tasks that cannot be compared, by name: what is missing or damaged."""


def open_sets(
    against: Against | Iterable[Against] | None,
    tasks: StrPath | Iterable[StrPath] | None,
    data_root: StrPath | None,
    storage_options: StorageOptions | None,
) -> Sets:
    """What `against` and `tasks` name. A task whose data are missing or damaged is told as such.

    Raises:
        SourceNotFoundError: There is no such folder or dataset, or no image in it.
        TaskError: A task is not known or malformed, or nothing is left to compare with.
        ValueError: Nothing is named, or two have one name.
    """
    is_one = isinstance(against, str | os.PathLike | Dataset) or hasattr(against, "name")
    many: Any = [] if against is None else [against] if is_one else against
    there = [as_items(one, storage_options) for one in many]
    missing: dict[str, str] = {}
    names = [tasks] if isinstance(tasks, str | os.PathLike) else tasks
    for task in () if names is None else find(names):
        data = TaskData(task, data_root, storage_options=storage_options)
        try:
            reason = data.missing
            if reason is None:
                data.check()
        except TaskError as error:
            reason = str(error)
        if reason is None:
            there.append(data)
        else:
            missing[task.name] = reason
    called = [one.name for one in there]
    if len(set(called)) < len(called):
        raise ValueError(f"two test sets have one name: {', '.join(sorted(called))}")
    if not called and not missing:
        raise ValueError("nothing is named to compare with: give against, tasks, or both")
    if not called:
        raise TaskError("the data of no task are there:\n" + "\n".join(missing.values()))
    return Sets(there, missing)


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a folder or of a dataset."""

    key: str
    image: bytes
    group: str | None = None


class Folder:
    """The images in a folder and the folders below it, or below a prefix; an image's key is its path from there.

    Where `x.json` lies beside `x.jpg`, the texts in it are the image's group, so that the article which they name is known.

    Raises:
        SourceNotFoundError: There is no such folder, or no image in it.
    """

    def __init__(self, path: StrPath, storage_options: StorageOptions | None = None) -> None:
        self.name = os.fspath(path).rstrip("/")
        self._files = storage(path, storage_options)
        if isinstance(self._files, Directory) and not self._files.root.is_dir():
            there = self._files.root.exists()
            what = "is neither a folder of images nor a dataset" if there else "there is no such folder"
            raise SourceNotFoundError(f"{path}: {what}")
        below = self._files.below(".")
        self._images = [name for name in below if PurePosixPath(name).suffix.lower() in IMAGES]
        self._beside = {name for name in below if name.endswith(".json")}
        if not self._images:
            raise SourceNotFoundError(f"{path}: there is no image in it ({' '.join(sorted(IMAGES))})")

    def __iter__(self) -> Iterator[Image]:
        """The images by their paths."""
        for name in self._images:
            place = self._files.location(name)
            try:
                data = self._files.read_at(name, 0, MOST_IMAGE_BYTES + 1)
            except OSError as error:
                raise DatasetError(f"{place}: cannot be read: {error.strerror or error}") from error
            if len(data) > MOST_IMAGE_BYTES:
                raise DatasetError(f"{place}: an image of more than {MOST_IMAGE_BYTES:,} bytes is not read")
            yield Image(name, data, self._texts_beside(name))

    def _texts_beside(self, name: str) -> str | None:
        """The texts of the JSON beside an image."""
        beside = str(PurePosixPath(name).with_suffix(".json"))
        if beside not in self._beside:
            return None
        try:
            data = self._files.read_at(beside, 0, MOST_TEXT + 1)
            return None if len(data) > MOST_TEXT else " ".join(_texts(json.loads(data))) or None
        except (OSError, ValueError, RecursionError):
            return None


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


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value if isinstance(value, list) else value.values():
            yield from _texts(one)

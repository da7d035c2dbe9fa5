"""Rows of a task's data, as each format has them: key, image, and what the data say of it, not yet judged.

Readers stream: a row's image is loaded when it is asked for, and never where only labels are wanted.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from biomedica._sources import StorageOptions
from biomedica._stream import Sample, stream
from biomedica.evaluation.layout import Data
from biomedica.evaluation.root import DataRoot, checked_image
from biomedica.evaluation.tasks import Task
from biomedica.exceptions import BiomedicaError, TaskError
from biomedica.selections.names import near

__all__ = ["IMAGES", "Row", "rows"]

IMAGES = frozenset((".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif", ".bmp", ".webp"))
"""Endings of the files of a folder that count as images."""
ROWS = 64
"""Rows of a Parquet file that are held at once, with their images."""
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Row:
    """One row, its values as the data have them."""

    key: str
    where: str
    """Its place, for errors: the file, and the row or member."""
    image: Callable[[], bytes]
    values: Callable[[str], Any]
    """The value of a column or field; None where it is null.

    Raises `TaskError` where there is no such column.
    """
    label: Any
    captions: Any


def rows(task: Task, root: DataRoot, *, images: bool, storage_options: StorageOptions | None = None) -> Iterator[Row]:
    """The rows of a task's data in their order, before its filter.

    Args:
        task: The task.
        root: Where its data are.
        images: Whether images will be asked for; without, those of Parquet are not read from disk.
        storage_options: Of WebDataset shards in a store.

    Raises:
        TaskError: A file is damaged, leads out of the root, or does not have what the task names.
    """
    data = task.data
    if data.format == "folder":
        yield from _folder(task, root)
    elif data.format == "webdataset":
        yield from _webdataset(task, root, storage_options)
    elif data.format == "csv":
        for file in root.match(data.location):
            yield from _csv(task, root, file)
    else:
        for file in root.match(data.location):
            yield from _columnar(task, root, file, images=images)


def _folder(task: Task, root: DataRoot) -> Iterator[Row]:
    folder, known = task.data.location, {one.label for one in task.classes}
    for path in root.below(folder):
        inner = PurePosixPath(path).relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        if hidden or inner.suffix.lower() not in IMAGES or not fnmatchcase(inner.name, task.data.files):
            continue
        where = f"{root}/{path}"
        if len(inner.parts) == 1:
            raise TaskError(f"{where}: lies in no class's directory")
        label = inner.parts[0]
        if label in task.data.ignore:
            continue
        if label not in known:
            raise TaskError(f"{where}: the directory {label!r} is none of the task's classes{near(label, known)}")
        directory = str(inner.parent)
        yield Row(
            str(inner),
            where,
            lambda path=path, where=where: root.image(path, where),  # type: ignore[misc]
            lambda _, directory=directory: directory,  # type: ignore[misc]
            label,
            None,
        )


def _webdataset(task: Task, root: DataRoot, storage_options: StorageOptions | None) -> Iterator[Row]:
    data = task.data
    shards = [str(root.location(shard)) for shard in root.match(data.location)]
    try:
        for sample in stream(shards, shuffle=False, max_bad_fraction=0.0, storage_options=storage_options):
            where = f"{sample.shard}: {sample.key}"
            _refuse_replacement(sample, where)
            fields = _Fields(sample, where)
            label = captions = None
            if task.kind != "retrieval":
                label = fields(data.label) if data.label else fields.member("cls")
            elif data.captions is None:
                captions = fields.member("txt")
            yield Row(
                sample.key,
                where,
                lambda sample=sample, where=where: checked_image(bytes(sample.image), where),  # type: ignore[misc]
                fields,
                label,
                captions if data.captions is None else fields(data.captions),
            )
    except TaskError:
        raise
    except BiomedicaError as error:
        raise TaskError(f"{task.name}: {error}") from error


def _refuse_replacement(sample: Sample, where: str) -> None:
    if sample.is_replacement:
        raise TaskError(f"{where}: stands in for a sample that cannot be read")


class _Fields:
    """The fields of a sample's JSON, by dotted paths."""

    def __init__(self, sample: Sample, where: str) -> None:
        self._sample, self._where = sample, where

    def __call__(self, name: str) -> Any:  # noqa: ANN401 - whatever the JSON has
        try:
            values = self._sample.metadata
        except ValueError as error:
            raise TaskError(f"{self._where}: its .json is none: {error}") from error
        return _dotted(values, name, self._where, "field")

    def member(self, extension: str) -> str:
        if extension not in self._sample:
            raise TaskError(f"{self._where}: has no member .{extension}")
        try:
            return bytes(self._sample[extension]).decode().strip()
        except UnicodeDecodeError as error:
            raise TaskError(f"{self._where}: its .{extension} is not UTF-8") from error


def _csv(task: Task, root: DataRoot, file: str) -> Iterator[Row]:
    place = f"{root}/{file}"
    with root.open(file) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=task.data.delimiter, strict=True)
        try:
            header = list(task.data.columns) or next(reader, [])
            _check_header(task, header, place)
            for fields in reader:
                where = f"{place}: line {reader.line_num}"
                if not any(fields):
                    continue  # as spreadsheets leave behind
                _check_width(fields, header, where)
                yield _row(task, root, file, where, dict(zip(header, fields, strict=True)), reader.line_num)
        except (csv.Error, UnicodeDecodeError) as error:
            raise TaskError(f"{place}: line {reader.line_num}: no CSV in UTF-8: {error}") from error


def _check_header(task: Task, header: list[str], place: str) -> None:
    for name in _names(task):
        if header.count(name) != 1:
            raise TaskError(f"{place}: there are {header.count(name)} columns {name!r}{near(name, header)}")


def _check_width(fields: list[str], header: list[str], where: str) -> None:
    if len(fields) != len(header):
        raise TaskError(f"{where}: has {len(fields)} fields, but there are {len(header)} columns")


def _columnar(task: Task, root: DataRoot, file: str, *, images: bool) -> Iterator[Row]:
    place, number = f"{root}/{file}", 0
    with root.open(file) as raw:
        try:
            for batch in _batches(task, pa.PythonFile(raw, mode="r"), place, images=images):
                for values in batch.to_pylist():
                    yield _row(task, root, file, f"{place}: row {number}", values, number)
                    number += 1
        except (pa.ArrowException, OSError) as error:
            raise TaskError(f"{place}: row {number}: no readable {task.data.format} file: {error}") from error


def _batches(task: Task, file: pa.PythonFile, place: str, *, images: bool) -> Iterator[pa.RecordBatch]:
    """Batches of few rows with the columns that are wanted; an image that is not, and is no path, is left out."""
    data = task.data
    wanted = {name.split(".")[0] for name in _names(task)}
    if data.format == "parquet":
        table = pq.ParquetFile(file, page_checksum_verification=True)
        keep = _kept(table.schema_arrow, wanted, data, place, images=images)
        yield from table.iter_batches(ROWS, columns=keep)
        return
    try:
        reader = pa.ipc.open_file(file)
        batches = map(reader.get_batch, range(reader.num_record_batches))
    except pa.ArrowInvalid:  # what `datasets` writes has no footer
        file.seek(0)
        reader = pa.ipc.open_stream(file)
        batches = iter(reader)
    keep = _kept(reader.schema, wanted, data, place, images=images)
    for batch in batches:
        chosen = batch.select(keep)
        yield from (chosen.slice(begin, ROWS) for begin in range(0, chosen.num_rows, ROWS))


def _kept(schema: pa.Schema, wanted: set[str], data: Data, place: str, *, images: bool) -> list[str]:
    for name in wanted:
        if name not in schema.names:
            raise TaskError(f"{place}: there is no column {name!r}{near(name, schema.names)}")
    image = data.image.split(".")[0]
    is_path = pa.types.is_string(schema.field(image).type) or pa.types.is_large_string(schema.field(image).type)
    return [name for name in schema.names if name in wanted and (images or is_path or name != image)]


def _names(task: Task) -> set[str]:
    """The columns that a task reads."""
    data = task.data
    given = {data.image, data.key, data.label, data.group, data.options, data.captions, *data.filter}
    columns = {one.label for one in task.classes} if data.label_columns else set()
    return {name for name in given if name} | columns


def _row(task: Task, root: DataRoot, file: str, where: str, values: Mapping[str, Any], number: int) -> Row:
    data = task.data

    def of(name: str) -> Any:  # noqa: ANN401 - whatever the table has
        return _dotted(values, name, where, "column")

    image = of(data.image) if data.image in values or "." in data.image else None
    path = image if isinstance(image, str) else None
    label: Any = None
    if data.label_columns:
        label = {one.label: of(one.label) for one in task.classes}
    elif data.label is not None:
        label = of(data.label)
    key = of(data.key) if data.key else path or f"{file}:{number}"
    return Row(
        "" if key is None else str(key),
        where,
        lambda: _image(task, root, file, where, image),
        of,
        label,
        of(data.captions) if data.captions else None,
    )


def _image(task: Task, root: DataRoot, file: str, where: str, image: object) -> bytes:
    if isinstance(image, dict):  # the `Image` of Hugging Face
        image = image.get("bytes") or image.get("path")
    if isinstance(image, bytes):
        return checked_image(image, where)
    if not isinstance(image, str) or not image:
        raise TaskError(f"{where}: the column {task.data.image!r} has neither an image's bytes nor its path")
    if task.data.images is None:
        folder = str(PurePosixPath(file).parent)
    else:
        folder = f"{task.data.id}/{task.data.images}" if task.data.id else task.data.images
    return root.image(str(PurePosixPath(folder) / (image + task.data.image_suffix)), where)


def _dotted(values: Mapping[str, Any], name: str, where: str, what: str) -> Any:  # noqa: ANN401 - whatever is there
    """The value at a path such as `questions.stain.answer`; None below what is null."""
    if name in values:
        return values[name]
    value: Any = values
    for part in name.split("."):
        if value is None:
            return None
        found = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
        if found is _MISSING:
            hint = near(part, value) if isinstance(value, Mapping) else ""
            raise TaskError(f"{where}: there is no {what} {name!r}{hint}")
        value = found
    return value

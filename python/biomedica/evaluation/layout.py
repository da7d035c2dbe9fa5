"""Where the images and labels of a task lie, and in which columns: the tables `data` and `train` of its file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, get_args

from biomedica.evaluation.table import Table

__all__ = ["TRAINED", "Data", "Format", "Kind", "read_data", "read_train"]

Kind = Literal["classify", "choice", "multilabel", "retrieval"]
"""What is asked: one of the classes, one of the options that each image has, any of the classes, or its caption."""
Format = Literal["folder", "webdataset", "parquet", "arrow", "csv"]
"""How images and labels lie on disk."""

MOST_COLUMNS = 10_000

_WHERE = frozenset({"format", "path", "split", "id", "sha256"})
_COLUMNS = frozenset({"key", "label", "group", "options", "captions", "separator", "no_label", "filter"})
_OF_TABLES = frozenset({"image", "images", "image_suffix", "label_columns"})
_KEYS: Mapping[Format, frozenset[str]] = {
    "folder": frozenset({"files", "ignore", "group"}),
    "webdataset": _COLUMNS - {"key"},
    "parquet": _COLUMNS | _OF_TABLES,
    "arrow": _COLUMNS | _OF_TABLES,
    "csv": _COLUMNS | _OF_TABLES | {"columns", "delimiter"},
}
"""What `data` may say beside these."""
_EITHER = frozenset({"label", "label_columns"})
"""Who says one of them means it in place of the other."""

_OF_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "options": ("choice",),
    "captions": ("retrieval",),
    "label": ("classify", "choice", "multilabel"),
    "label_columns": ("classify", "multilabel"),
    "no_label": ("multilabel",),
}
"""Keys of `data` that only some kinds have."""
TRAINED: tuple[Kind, ...] = ("classify", "multilabel")
"""Kinds whose classes can be learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where a task's images and labels lie, and in which columns."""

    format: Format
    path: str
    """Relative to the data root, or to the copy of `id` in it; `*` and `?` stand for any characters of a name."""
    split: str
    id: str | None = None
    """A dataset of the Hugging Face hub, of which `DATA_ROOT/ID` is a copy."""
    sha256: str | None = None
    """Of the split: `TaskData.check` says how it is made."""
    image: str = "image"
    """Column with the image: bytes, Hugging Face's `Image`, or a path."""
    images: str | None = None
    """Folder of the paths in `image`, as `path`; by default that of the table."""
    image_suffix: str = ""
    """What the paths in `image` lack, such as `.jpg`."""
    key: str | None = None
    """Column with the key; by default the image's path, or file and row."""
    label: str | None = None
    """Column with the label; of WebDataset a field of the JSON, by default the member `.cls`."""
    label_columns: bool = False
    """Each class has a column of its own instead, named as its `label`, that is 1 or 0."""
    group: str | None = None
    """Column with the patient, article or the like: what is drawn as one when intervals are made. Of a folder
    `directory`: images that lie in one directory belong together."""
    options: str | None = None
    """Column with the options of `choice`."""
    captions: str | None = None
    """Column with the caption, or list of captions, of `retrieval`; of WebDataset by default the member `.txt`."""
    separator: str | None = None
    """Between the labels, options or captions of a column of text."""
    no_label: str | None = None
    """The word of `multilabel` for none of the classes."""
    filter: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Only rows that have one of these values in each of these columns; an empty text stands for null."""
    files: str = "*"
    """Of a folder, the names that count, such as `image*.png` where masks lie beside the images."""
    ignore: tuple[str, ...] = ()
    """Of a folder, its directories that are no class."""
    columns: tuple[str, ...] = ()
    """Names of the columns of a CSV file whose first line is no header."""
    delimiter: str = ","
    """Between the fields of a CSV file."""

    @property
    def location(self) -> str:
        """The path relative to the data root."""
        return f"{self.id}/{self.path}" if self.id else self.path


def read_train(data: Table, train: Table, kind: Kind) -> Data:
    """What a table `train` says: what it leaves out is as in `data`, but for the hash.

    Of another format, it only takes path, id and split from there, as columns and names of files would not fit.

    Raises:
        TaskError: A key is missing, not known, or does not fit; or these are the images that models are tested on.
    """
    if kind not in TRAINED:
        raise train.error("", f"a task of kind {kind} has no training images, only {' and '.join(TRAINED)} have")
    inherited = data.given - {"sha256"} - (_EITHER if train.given & _EITHER else frozenset())
    if "format" in train.given and train.text("format", among=get_args(Format)) != data.text("format"):
        inherited = frozenset({"path", "id", "split"})
    found, tested = read_data(train.completed(data, inherited), kind), read_data(data, kind)
    if _chosen(found) == _chosen(tested):
        raise train.error(
            "path", "with files and filter are those of data: models would be tested on what they learned"
        )
    return found


def _chosen(data: Data) -> tuple[object, ...]:
    """What decides which images they are."""
    return data.format, data.location, dict(data.filter), data.files, data.ignore


def read_data(table: Table, kind: Kind) -> Data:
    """What a table `data` says.

    Raises:
        TaskError: A key is missing, not known, or does not fit the format or the kind of the task.
    """
    form: Format = table.text("format", among=get_args(Format))  # type: ignore[assignment] # one of them
    data = Data(
        format=form,
        path=_path(table, "path") or ".",
        split=table.text("split"),
        id=table.optional_text("id"),
        sha256=table.optional_text("sha256"),
        image=table.optional_text("image") or "image",
        images=_path(table, "images"),
        image_suffix=table.optional_text("image_suffix") or "",
        key=table.optional_text("key"),
        label=table.optional_text("label"),
        label_columns=table.flag("label_columns"),
        group=table.optional_text("group"),
        options=table.optional_text("options"),
        captions=table.optional_text("captions"),
        separator=table.optional_text("separator"),
        no_label=table.optional_text("no_label"),
        filter=table.conditions("filter"),
        files=table.optional_text("files") or "*",
        ignore=table.texts("ignore", most=MOST_COLUMNS),
        columns=table.texts("columns", most=MOST_COLUMNS),
        delimiter=table.character("delimiter") or ",",
    )
    table.refuse_others()
    if data.path == "." and data.id is None:
        raise table.error("path", "is missing")
    if data.id is not None and not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", data.id):
        raise table.error("id", f"{data.id!r:.80} is none of the Hugging Face hub, such as organisation/name")
    if data.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", data.sha256):
        raise table.error("sha256", "is no sha-256 in hexadecimal digits")
    for key in table.given - _WHERE - _KEYS[form]:
        raise table.error(key, f"data of format {form} have none")
    _check_columns(table, data, kind)
    return data


def _check_columns(table: Table, data: Data, kind: Kind) -> None:
    """Refuse what does not say where answers come from, or says it for another kind."""
    if data.format == "folder":
        if kind != "classify":
            raise table.error("format", f"a folder tells one class an image, which is no task of kind {kind}")
        if data.group not in {None, "directory"}:
            raise table.error("group", f"is {data.group!r}; of a folder it can only be 'directory'")
        return
    for key in table.given & _OF_KINDS.keys():
        if kind not in _OF_KINDS[key]:
            raise table.error(key, f"a task of kind {kind} has none")
    if data.label is not None and data.label_columns:
        raise table.error("label", "and label_columns exclude each other")
    in_member = data.format == "webdataset"
    for key, what, optional in (
        ("options", "options", kind != "choice"),
        ("captions", "captions", kind != "retrieval" or in_member),
        ("label", "label", kind == "retrieval" or in_member or data.label_columns),
    ):
        if not optional and getattr(data, key) is None:
            raise table.error(key, f"is missing: the column with the {what} of each image")


def _path(table: Table, key: str) -> str | None:
    """A path below the data root, whatever the machine's own rules are."""
    text = table.optional_text(key)
    if text is None:
        return None
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or "://" in text or not text.isprintable():
        raise table.error(key, f"{text!r:.80} must be a path within the data root: relative, with / and without ..")
    return str(path)

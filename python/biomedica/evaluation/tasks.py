"""Tasks as files: what is asked of a model, about which images, in which words.

A task is a TOML file; `docs/tasks.md` describes its keys. Those of the registry come with this library, one file a task.
The bytes of images never do: `data.path` is relative to a data root that the user has filled, and `how_to_get` says how.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from biomedica._sources import StrPath
from biomedica.evaluation.table import Table
from biomedica.exceptions import TaskError
from biomedica.selections.names import near

__all__ = ["METRICS", "Class", "Data", "Format", "Kind", "Task", "find", "registry"]

Kind = Literal["classify", "choice", "multilabel", "retrieval"]
"""What is asked: one of the classes, one of the options that each image has, any of the classes, or its caption."""
Format = Literal["folder", "webdataset", "parquet", "arrow", "csv"]
"""How images and labels lie on disk."""

METRICS: Mapping[Kind, tuple[str, ...]] = {
    "classify": ("accuracy", "balanced_accuracy", "macro_f1", "auroc"),
    "choice": ("accuracy",),
    "multilabel": ("auroc", "average_precision"),
    "retrieval": ("recall@1", "recall@5", "recall@10", "recall@50", "recall@100"),
}
"""What a task may be judged by; the first is the default."""

REGISTRY = Path(__file__).with_name("registry")
MOST_BYTES = 4 << 20
"""Of a task file."""
MOST_CLASSES, MOST_PROMPTS = 10_000, 1_000
"""Of a task, and of a class."""
MOST_COLUMNS = 10_000
MOST_FILES = 10_000
"""Task files of a directory."""

_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_COLUMNS = frozenset({"key", "label", "group", "options", "captions", "separator", "no_label", "filter"})
_OF_TABLES = frozenset({"image", "images", "image_suffix", "label_columns"})
_KEYS: Mapping[Format, frozenset[str]] = {
    "folder": frozenset({"files", "ignore", "group"}),
    "webdataset": _COLUMNS - {"key"},
    "parquet": _COLUMNS | _OF_TABLES,
    "arrow": _COLUMNS | _OF_TABLES,
    "csv": _COLUMNS | _OF_TABLES | {"columns", "delimiter"},
}
"""What `data` may say beside `format`, `path`, `id`, `split` and `sha256`."""

_OF_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "options": ("choice",),
    "captions": ("retrieval",),
    "label": ("classify", "choice", "multilabel"),
    "label_columns": ("classify", "multilabel"),
    "no_label": ("multilabel",),
}
"""Keys of `data` that only some kinds have."""


@dataclass(frozen=True, slots=True)
class Class:
    """One answer of a classification."""

    name: str
    """As reports say it."""
    label: str
    """As the data say it."""
    prompts: tuple[str, ...]
    """Its names in words; each is put into each template."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One question about many images."""

    name: str
    domain: str
    kind: Kind
    data: Data
    classes: tuple[Class, ...]
    """Of `classify` and `multilabel`; the number of a class is its place here."""
    templates: tuple[str, ...]
    """Sentences with `{}` where a class's or an option's words go."""
    metric: str
    licence: str
    """Of the data."""
    citation: str
    source_url: str
    how_to_get: str
    sha256: str
    """Of all that the file says, however it was laid out."""
    path: Path | None = None
    """The file; None for a task of the registry."""

    def texts(self) -> list[list[str]]:
        """For each class its prompts in all templates."""
        return [[t.replace("{}", prompt) for prompt in c.prompts for t in self.templates] for c in self.classes]

    @classmethod
    def load(cls, path: StrPath) -> "Task":
        """Read a task file.

        Raises:
            TaskError: There is no such file, or it is no task; the message names file and key.
        """
        where = Path(path)
        return _parse(_read(where), str(where), where)


@cache
def registry() -> Mapping[str, Task]:
    """The tasks that come with this library, by name, in the order of domains and names."""
    found = [_parse(_read(path), path.name, None) for path in REGISTRY.glob("*.toml")]
    return {task.name: task for task in sorted(found, key=lambda task: (task.domain, task.name))}


def find(names: Iterable[StrPath] | None = None) -> list[Task]:
    """Tasks by what people call them.

    Args:
        names: Names of tasks or of domains in the registry, task files (`*.toml`), and directories of these; all of the
            registry when not given.

    Raises:
        TaskError: A name is not known, a file is no task, or two tasks have one name.
    """
    known = registry()
    found: dict[str, Task] = {}
    for task in (
        known.values() if names is None else [task for name in names for task in _named(os.fspath(name), known)]
    ):
        if found.setdefault(task.name, task) is not task and found[task.name] != task:
            raise TaskError(f"two tasks are called {task.name!r}: {_origin(found[task.name])} and {_origin(task)}")
    return list(found.values())


def _named(name: str, known: Mapping[str, Task]) -> list[Task]:
    if name in known:
        return [known[name]]
    if of_domain := [task for task in known.values() if task.domain == name]:
        return of_domain
    path = Path(name)
    if path.is_dir():
        files = sorted(path.glob("*.toml"))
        if not files or len(files) > MOST_FILES:
            raise TaskError(f"{name}: has {len(files):,} task files (*.toml); 1 to {MOST_FILES:,} are expected")
        return [Task.load(file) for file in files]
    if path.suffix == ".toml":
        return [Task.load(path)]
    domains = sorted({task.domain for task in known.values()})
    hint = near(name, [*known, *domains]) or f"; there are the domains {', '.join(domains)}, and tasks in .toml files"
    raise TaskError(f"there is no task {name!r}{hint} (`biomedica tasks` lists them)")


def _origin(task: Task) -> str:
    return str(task.path or "the registry's")


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise TaskError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise TaskError(f"{path}: larger than {MOST_BYTES >> 20} MiB, which no task is")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: not TOML: {error}") from error


def _parse(values: dict[str, Any], where: str, path: Path | None) -> Task:
    table = Table(values, where)
    name = table.text("name")
    if not _NAME.fullmatch(name):
        raise table.error("name", f"{name!r:.80} is none: lower-case letters and digits, joined by - or _")
    kind: Kind = table.text("kind", among=get_args(Kind))  # type: ignore[assignment] # one of them
    data_table = table.table("data")
    if data_table is None:
        raise table.error("data", "is missing: a table with format, path and split")
    task = Task(
        name=name,
        domain=table.text("domain"),
        kind=kind,
        data=_data(data_table, kind),
        classes=_classes(table, kind),
        templates=_templates(table, kind),
        metric=table.text("metric", among=METRICS[kind]) if "metric" in values else METRICS[kind][0],
        licence=table.text("licence"),
        citation=table.text("citation"),
        source_url=_url(table),
        how_to_get=table.text("how_to_get"),
        sha256=hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest(),
        path=path,
    )
    table.refuse_others()
    return task


def _url(table: Table) -> str:
    url = table.text("source_url")
    if not re.fullmatch(r"https?://[^\s<>\"]+", url):
        raise table.error("source_url", f"{url!r:.80} is no http(s) address")
    return url


def _classes(table: Table, kind: Kind) -> tuple[Class, ...]:
    tables = table.tables("classes", most=MOST_CLASSES)
    if kind in ("choice", "retrieval"):
        if tables:
            raise table.error("classes", f"a task of kind {kind} has none: what is to be chosen from lies in the data")
        return ()
    if len(tables) < 2:  # noqa: PLR2004 - one class is no choice
        raise table.error("classes", f"a task of kind {kind} has two classes at least, each a table [[classes]]")
    found = []
    for one in tables:
        name = one.text("name")
        found.append(Class(name, one.label("label", name), one.texts("prompts", most=MOST_PROMPTS) or (name,)))
        one.refuse_others()
    for what in ("name", "label"):
        words = [getattr(one, what) for one in found]
        if len(set(words)) < len(words):
            twice = next(word for word in words if words.count(word) > 1)
            raise table.error("classes", f"two have the {what} {twice!r}")
    return tuple(found)


def _templates(table: Table, kind: Kind) -> tuple[str, ...]:
    templates = table.texts("templates", most=MOST_PROMPTS)
    if templates and kind == "retrieval":
        raise table.error("templates", "a task of kind retrieval has none: captions are taken as they are")
    for template in templates:
        if template.count("{}") != 1:
            raise table.error("templates", f"{template!r} must have {{}} once, where the name of the class goes")
    return templates or ("{}",)


def _data(table: Table, kind: Kind) -> Data:
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
    for key in table.given - {"format", "path", "split", "id", "sha256"} - _KEYS[form]:
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

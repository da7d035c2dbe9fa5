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
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from biomedica._sources import StrPath
from biomedica.evaluation.layout import Data, Format, Kind, read_data, read_train
from biomedica.evaluation.table import Table
from biomedica.exceptions import TaskError
from biomedica.selections.names import near

__all__ = ["METRICS", "Class", "Data", "Format", "Kind", "Task", "find", "registry"]

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
MOST_FILES = 10_000
"""Task files of a directory."""

_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


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
class Task:
    """One question about many images."""

    name: str
    domain: str
    kind: Kind
    data: Data
    """The images that models are tested on."""
    train: Data | None = None
    """Those that probes are trained with; None where the task names none."""
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
    train_table = table.table("train")
    task = Task(
        name=name,
        domain=table.text("domain"),
        kind=kind,
        data=read_data(data_table, kind),
        train=None if train_table is None else read_train(data_table, train_table, kind),
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

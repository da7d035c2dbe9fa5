"""The images of a task with their right answers, checked against what the task says."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from biomedica._sources import StorageOptions, StrPath
from biomedica.evaluation.readers import Row, rows
from biomedica.evaluation.root import DataRoot
from biomedica.evaluation.tasks import Task
from biomedica.exceptions import TaskError
from biomedica.selections.names import near

__all__ = ["ROOT_VARIABLE", "Item", "Split", "TaskData"]

ROOT_VARIABLE = "BIOMEDICA_TASKS"
"""The environment variable with the data root."""
MOST_OPTIONS = 1_000
"""Options or captions of an image."""
_YES, _NO = frozenset(("1", "1.0", "true", "True")), frozenset(("0", "0.0", "false", "False", ""))


Entry: TypeAlias = tuple[str, int | tuple[int, ...] | None, tuple[str, ...] | None, str | None]
"""Key, label, options and group, as `Item` has them."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image of a task."""

    key: str
    """Another for each image of a task."""
    image: bytes
    """The encoded file."""
    label: int | tuple[int, ...] | None
    """Number of its class, or of its right option; of `multilabel`, those of all its classes; None for `retrieval`."""
    options: tuple[str, ...] | None
    """What is to be chosen from (`choice`), or its captions (`retrieval`)."""
    group: str | None
    """Its patient, article or the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What `TaskData.check` found."""

    items: int
    classes: Mapping[str, int]
    """Images of each class, by its name; of `choice` and `retrieval` empty."""
    groups: int
    """Different groups; 0 where the data name none."""
    unasked: int
    """Rows of `choice` that have no such question: null where the options should be."""
    filtered: int
    """Rows that the task's filter leaves out."""
    sha256: str
    """Of keys and labels."""


class TaskData:
    """The data of a task: iterate over it for `Item`s, in the order of the files, one at a time in memory.

    Args:
        task: The task.
        root: The data root, a directory or a prefix of a store. By default what `BIOMEDICA_TASKS` names, else, for a
            task file, the directory that it lies in.
        storage_options: How the store is spoken to; see `biomedica.open`.
    """

    def __init__(
        self, task: Task, root: StrPath | None = None, *, storage_options: StorageOptions | None = None
    ) -> None:
        self.task = task
        place: StrPath | None = root or os.environ.get(ROOT_VARIABLE) or (task.path.parent if task.path else None)
        self._place = place
        self.root = None if place is None else DataRoot(place, storage_options)
        self._storage_options = storage_options
        self._tallies = Counter[str]()
        """Of the last time that its rows were read."""

    def train(self) -> "TaskData | None":
        """The images that probes are trained with, as the data of a task `NAME (train)`; None where the task names none.

        Its `train()` is None. Missing training images are told by its `missing`: the task itself can still be asked.
        """
        if self.task.train is None:
            return None
        task = replace(self.task, name=f"{self.task.name} (train)", data=self.task.train, train=None)
        return TaskData(task, self._place, storage_options=self._storage_options)

    @property
    def name(self) -> str:
        """Of the task."""
        return self.task.name

    @property
    def missing(self) -> str | None:
        """None when the data are there; else what is missing, and how to get it.

        Raises:
            TaskError: The data's path leads out of the root.
        """
        data, task = self.task.data, self.task
        if self.root is None:
            what = f"no data root is known: set {ROOT_VARIABLE} or name it (--data-root)"
        else:
            there = self.root.has_folder if data.format == "folder" else self.root.match
            if there(data.location):
                return None
            what = f"nothing is at {self.root}/{data.location}"
        how = f"\n`hf download {data.id} --repo-type dataset --local-dir DATA_ROOT/{data.id}`" if data.id else ""
        return f"{task.name}: {what}. How to get the data: {task.how_to_get.strip()}{how}"

    def __iter__(self) -> Iterator[Item]:
        """The images.

        Raises:
            TaskError: The data are missing, damaged, or do not fit the task; the message names file and row.
        """
        for row, label, options in self._judged(images=True):
            yield Item(row.key, row.image(), label, options, self._group(row))

    def check(self) -> Split:
        """Read keys and labels of all rows, without images where the format allows, and compare them with the task.

        The split's sha-256 is that of its sorted lines, each ended by a line feed: the JSON array (UTF-8, no spaces) of
        key, class and options. The class is its name, a sorted list of names (`multilabel`), the text of the right
        option (`choice`) or null; options are a list, or null.

        Raises:
            TaskError: As when iterating; or a key stands there twice, there is no image, or the sha-256 is another than
                the task's.
        """
        rows = ((row.key, label, options, self._group(row)) for row, label, options in self._judged(images=False))
        return self.split(rows)

    def split(self, entries: Iterable[Entry]) -> Split:
        """What `check` tells, of images that were read already: key, label, options and group of each.

        Raises:
            TaskError: See `check`.
        """
        names = [one.name for one in self.task.classes]
        counts, groups, lines = Counter[str](), set[str](), list[str]()
        for key, label, options, group in entries:
            answer: Any = None
            if self.task.kind == "choice" and options is not None and isinstance(label, int):
                answer = options[label]
            elif isinstance(label, int):
                answer = names[label]
                counts[answer] += 1
            elif label is not None:
                answer = sorted(names[one] for one in label)
                counts.update(answer)
            lines.append(json.dumps([key, answer, options], ensure_ascii=False, separators=(",", ":")))
            if group is not None:
                groups.add(group)
        self._check_keys(lines)
        digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
        expected = self.task.data.sha256
        if expected is not None and digest != expected:
            raise TaskError(
                f"{self.task.name}: the data are not those of the task: the split's sha-256 is {digest}, but should be"
                f" {expected}"
            )
        return Split(
            items=len(lines),
            classes={name: counts[name] for name in names},
            groups=len(groups),
            unasked=self._tallies["unasked"],
            filtered=self._tallies["filtered"],
            sha256=digest,
        )

    def _check_keys(self, lines: list[str]) -> None:
        """Sort the lines, whose equal keys are neighbours then."""
        if not lines:
            raise TaskError(f"{self.task.name}: the data at {self.root}/{self.task.data.location} have no image for it")
        lines.sort()
        before = ""
        for line in lines:
            key, _ = json.JSONDecoder().raw_decode(line, 1)
            if key == before:
                raise TaskError(f"{self.task.name}: the key {key!r:.200} stands there twice")
            before = key

    def _judged(self, *, images: bool) -> Iterator[tuple[Row, int | tuple[int, ...] | None, tuple[str, ...] | None]]:
        """Rows that the filter keeps and that have the question, with label and options."""
        if (missing := self.missing) is not None:
            raise TaskError(missing)
        assert self.root is not None  # noqa: S101 - for the type checker
        self._tallies = tallies = Counter[str]()
        judge = _Judge(self.task)
        conditions = self.task.data.filter.items()
        for row in rows(self.task, self.root, images=images, storage_options=self._storage_options):
            if not row.key:
                raise TaskError(f"{row.where}: has no key")
            if not all(_text(row.values(name)) in words for name, words in conditions):
                tallies["filtered"] += 1
                continue
            options = judge.options(row)
            if options is None and self.task.kind == "choice":
                tallies["unasked"] += 1
                continue
            yield row, judge.label(row, options), options

    def _group(self, row: Row) -> str | None:
        column = self.task.data.group
        value = None if column is None else row.values(column)
        return None if value is None else _text(value)


class _Judge:
    """Tells what the values of a row mean for a task."""

    def __init__(self, task: Task) -> None:
        self._task, self._data = task, task.data
        self._numbers = {one.label: number for number, one in enumerate(task.classes)}

    def options(self, row: Row) -> tuple[str, ...] | None:
        """Options of `choice`, captions of `retrieval`; None for other kinds, and for a question that is not asked."""
        if self._task.kind == "choice":
            found = row.values(self._data.options or "")
            if found is None:
                return None
            options = self._texts(row, found, "options")
            if len(options) < 2 or len(set(options)) < len(options):  # noqa: PLR2004 - one option is no choice
                raise TaskError(f"{row.where}: {options!r:.200} are no options: two different ones at least are wanted")
            return options
        if self._task.kind == "retrieval":
            captions = tuple(caption for caption in self._texts(row, row.captions, "captions") if caption.strip())
            if not captions:
                raise TaskError(f"{row.where}: has no caption")
            return captions
        return None

    def label(self, row: Row, options: tuple[str, ...] | None) -> int | tuple[int, ...] | None:
        """Number of the class or option, numbers of all classes, or None, by the task's kind."""
        if self._task.kind == "retrieval":
            return None
        if self._task.kind == "choice":
            return _answer(row, options or ())
        if self._data.label_columns:
            found = tuple(self._numbers[name] for name, value in row.label.items() if _is_yes(row, name, value))
        elif self._task.kind == "multilabel":
            words = () if row.label is None else self._texts(row, row.label, "labels")
            found = tuple(sorted({self._number(row, word) for word in words if word not in ("", self._data.no_label)}))
        else:
            found = (self._number(row, _text(row.label)),)
        if self._task.kind == "multilabel":
            return found
        if len(found) != 1:
            raise TaskError(f"{row.where}: is of {len(found)} classes, but must be of one")
        return found[0]

    def _number(self, row: Row, word: str) -> int:
        number = self._numbers.get(word)
        if number is None:
            hint = near(word, self._numbers)
            raise TaskError(f"{row.where}: the label {word!r:.200} is none of the task's classes{hint}")
        return number

    def _texts(self, row: Row, value: object, what: str) -> tuple[str, ...]:
        """The texts of a list, or of a text with separators."""
        if isinstance(value, str):
            separator = self._data.separator
            values: list[Any] = [part.strip() for part in value.split(separator)] if separator else [value]
        elif isinstance(value, list):
            values = value
        elif value is None:
            values = []
        else:
            values = [value]
        if len(values) > MOST_OPTIONS:
            raise TaskError(f"{row.where}: has {len(values):,} {what}; at most {MOST_OPTIONS:,} may be there")
        return tuple(_text(one) for one in values)


def _answer(row: Row, options: tuple[str, ...]) -> int:
    """The right option: its text, or its number from 0."""
    answer = row.label
    if isinstance(answer, str) and answer in options:
        return options.index(answer)
    text = _text(answer)
    if text.isascii() and text.isdigit() and int(text) < len(options):
        return int(text)
    raise TaskError(f"{row.where}: the answer {text!r:.200} is none of the options {options!r:.200}")


def _is_yes(row: Row, name: str, value: object) -> bool:
    text = _text(value)
    if text not in _YES and text not in _NO:
        raise TaskError(f"{row.where}: the column {name!r} has {text!r:.80}, but must have 1 or 0")
    return text in _YES


def _text(value: object) -> str:
    """A value of any column as the task file would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

"""`tasks`: what models can be evaluated on, and whether the data are there."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from biomedica._sources import StorageOptions, StrPath
from biomedica.evaluation.data import Split, TaskData
from biomedica.evaluation.tasks import Task, find
from biomedica.exceptions import TaskError

__all__ = ["Listed", "tasks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A task, and how its data are."""

    task: Task
    missing: str | None
    """None when its data are there; else what is missing, and how to get it."""
    split: Split | None = None
    """What a check of its data found; None where none was made, and for missing data."""
    problem: str | None = None
    """What is wrong with the data, of a check or of their path; None when nothing is."""
    train: "Listed | None" = None
    """How its training images are; None where the task names none. Without them it can be asked all the same."""

    @property
    def state(self) -> str:
        """`present`, `missing` or `damaged`."""
        return "damaged" if self.problem else "missing" if self.missing else "present"


def tasks(
    names: Iterable[StrPath] | StrPath | None = None,
    *,
    data_root: StrPath | None = None,
    check: bool = False,
    storage_options: StorageOptions | None = None,
) -> list[Listed]:
    """List tasks of evaluation. A task whose data are missing is listed too.

    The registry's tasks are those of the BIOMEDICA paper (arXiv 2501.07171) whose definition is public, and others of the
    same fields; `docs/tasks.md` says how to write one's own.

    Args:
        names: Names of tasks or of domains, task files (`*.toml`), and directories of these; all of the registry when
            not given.
        data_root: Directory or prefix of a store that the data's paths begin at; by default what the environment
            variable `BIOMEDICA_TASKS` names, else, for a task file, the directory that it lies in.
        check: Read all keys and labels, of training images too, and compare them with the task.
        storage_options: How the store is spoken to; see `biomedica.open`.

    Raises:
        TaskError: A name is not known, or a file is no task.
        SourceError: The store cannot be read.

    Example:
        >>> import biomedica as bm
        >>> [one.task.name for one in bm.tasks("dermatology")]
        ['ddi', 'dermamnist', 'ham10000', 'pad-ufes-20']
    """
    given = [names] if isinstance(names, str | os.PathLike) else names
    return [_listed(TaskData(task, data_root, storage_options=storage_options), check) for task in find(given)]


def _listed(data: TaskData, check: bool) -> Listed:
    training = data.train()
    train = None if training is None else _listed(training, check)
    try:
        missing = data.missing
        split = data.check() if check and missing is None else None
    except TaskError as error:
        return Listed(task=data.task, missing=None, problem=str(error), train=train)
    return Listed(task=data.task, missing=missing, split=split, train=train)

"""What an evaluation found: scores with intervals, comparisons, averages, cost, and the receipt of each number.

An evaluation is a directory: `evaluation.json` (this), `predictions/MODEL/TASK.METHOD.parquet` (`predictions`), and
`examples.parquet` with a few images of each task (`examples`). Reports and leaderboards are made of these alone.
"""

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import Storage, storage
from biomedica.exceptions import EvaluationError

__all__ = [
    "FILE",
    "Average",
    "Comparison",
    "Cost",
    "Evaluation",
    "JudgedModel",
    "JudgedTask",
    "Method",
    "Score",
    "State",
]

FILE = "evaluation.json"
FORMAT = 1

State = Literal["evaluated", "missing", "damaged", "partial"]
"""`partial`: some of its images cannot be read and it was not said that the rest may stand for all."""
Method = str
"""`zero-shot`, `probe`, or `few-shot-K` with K images of each class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedModel:
    """A model as it was evaluated."""

    name: str
    """As reports call it; another for each model of an evaluation."""
    model: str
    """What it was opened by: architecture, hub name or checkpoint, and weights."""
    record: Mapping[str, Any]
    """All that its features depend on: the weights' sha-256, image size, mean, versions, ..."""
    logit_scale: float
    """What cosines are multiplied with before the softmax."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTask:
    """A task that was asked for, evaluated or not."""

    name: str
    domain: str
    kind: str
    metric: str
    """The one that it is judged by; one of `Score.metric`."""
    state: State
    reason: str | None = None
    """Why it was not evaluated."""
    items: int = 0
    """Images with scores."""
    unreadable: int = 0
    """Images that cannot be decoded; they have no scores."""
    unasked: int = 0
    """Rows that have no such question."""
    groups: int = 0
    """Different patients, articles or the like; 0 where the data name none: then images are drawn one by one."""
    classes: Mapping[str, int] = field(default_factory=dict)
    """Images of each class, by name; empty for `choice` and `retrieval`."""
    chance: float | None = None
    """What guessing is expected to reach in `metric`."""
    training: str | None = None
    """What probes and few-shot classifiers were trained with, or why there are none; None where none was asked for."""
    sha256: str
    """Of the task file."""
    split_sha256: str | None = None
    """Of keys and labels."""
    licence: str
    citation: str
    source_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number of a model at a task."""

    model: str
    task: str
    method: Method
    metric: str
    value: float
    low: float | None = None
    """Of the interval; None where the metric has none."""
    high: float | None = None
    interval: str | None = None
    """How the interval was made: `bca` or `percentile`."""
    units: int = 0
    """Images or groups that were drawn."""
    is_primary: bool = False
    """Whether the task is judged by this metric."""
    deviation: float | None = None
    """Standard deviation over the choices of training images, of `few-shot-K`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """First less second, by the task's metric, on the same draws."""

    first: str
    second: str
    task: str | None
    """None for an average."""
    domain: str | None
    """Of an average over its tasks, `""` being all; None for a task."""
    method: Method
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    """Corrected for all comparisons of the same kind: all tasks of all pairs of models, or all averages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """Mean of the metrics of tasks."""

    model: str
    domain: str
    """`""`: all domains."""
    method: Method
    tasks: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the image features of a task cost."""

    model: str
    task: str
    images: int
    encoded: int
    """Those that were not in the cache."""
    seconds: float
    """Reading, hashing, decoding and encoding."""
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Models at tasks."""

    models: tuple[JudgedModel, ...]
    tasks: tuple[JudgedTask, ...]
    scores: tuple[Score, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    averages: tuple[Average, ...] = ()
    costs: tuple[Cost, ...] = ()
    receipt: Mapping[str, Any] = field(default_factory=dict)
    """`versions` of packages, `seed`, `draws`, `level`, `device`, `precision`, `decoder`, `partial`, `begun` (UTC)."""

    @classmethod
    def read(cls, path: StrPath, *, storage_options: StorageOptions | None = None) -> Self:
        """That of a directory or prefix.

        Raises:
            EvaluationError: There is none, or it is damaged or of a newer format.
        """
        files = storage(path, storage_options)
        where = files.location(FILE)
        data = files.read(FILE)
        if data is None:
            raise EvaluationError(f"{where}: there is no such file; `biomedica evaluate` writes it")
        try:
            values = json.loads(data)
            found: Self = _made(cls, _of_format(values), "")
        except (TypeError, ValueError, RecursionError) as error:
            raise EvaluationError(f"{where}: no evaluation: {error}") from error
        return found

    def write(self, files: Storage) -> None:
        """Put it into a directory or prefix, in place of what is there."""
        files.write(FILE, self.json().encode())

    def json(self) -> str:
        """All of it, as `evaluation.json` has it."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)

    def task(self, name: str) -> JudgedTask:
        """A task by its name."""
        return next(task for task in self.tasks if task.name == name)

    def primary(self, model: str, task: str, method: Method = "zero-shot") -> Score | None:
        """The score that a task is judged by."""
        wanted = (model, task, method)
        return next((s for s in self.scores if s.is_primary and (s.model, s.task, s.method) == wanted), None)

    def methods(self) -> list[Method]:
        """Those that have scores, zero-shot first."""
        return list(dict.fromkeys(score.method for score in self.scores))


def _of_format(values: object) -> dict[str, Any]:
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    return values


def _made(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401 - any type of the classes above
    """A value of JSON as a type has it.

    Raises:
        ValueError: It has another; the message says where.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        found = None if value is None else _made(inner[0], value, where)
    elif origin is tuple:
        found = tuple(_made(inner[0], one, f"{where}[{at}]") for at, one in enumerate(_checked(value, list, where)))
    elif origin is Literal:
        if value not in inner:
            raise ValueError(f"{where} is {value!r:.80}, not one of {', '.join(inner)}")
        found = value
    elif origin is not None:
        found = _checked(value, dict, where)
    elif kind is float:
        found = float(_checked(value, (int, float), where))
    elif kind in {str, int, bool}:
        found = _checked(value, kind, where)
    else:
        found = kind(**dict(_members(kind, _checked(value, dict, where), where)))
    return found


def _members(kind: Any, values: dict[str, Any], where: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    hints, known = get_type_hints(kind), {one.name for one in fields(kind)}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{where} has the unknown key {name!r:.80}")
        yield name, _made(hints[name], value, f"{where}.{name}".lstrip("."))


def _checked(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} is {value!r:.80}, which has the wrong type")
    return value

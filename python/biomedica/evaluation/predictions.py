"""What a model said of each image of a task, as a Parquet file: all that metrics, comparisons and reports need.

| column | type | of |
|---|---|---|
| `key` | string | all |
| `group` | string | all; null where the data name none |
| `image_hash` | string | all: the sha-256 of the image's bytes |
| `repeat` | int32 | all; which choice of training images of `few-shot-K`, else 0 |
| `label`, `predicted` | int32 | `classify`: numbers of classes; `choice`: places among the options |
| `labels` | list of int32 | `multilabel`: numbers of classes |
| `scores` | list of float32 | all but `retrieval`: a number for each class or option; their softmax is the confidence (not of `multilabel`) |
| `image_to_text` | int64 | `retrieval`: place of the best of an image's captions, from 0 |
| `text_to_image` | list of int64 | `retrieval`: place of the image for each of its captions, from 0 |

The schema's metadata have, under `biomedica`, the JSON of `About`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import Storage, storage
from biomedica.exceptions import EvaluationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.evaluation.gather import Answers
    from biomedica.evaluation.tasks import Task

__all__ = ["FOLDER", "About", "Predictions", "load_predictions", "read_predictions", "schema_of"]

FOLDER = "predictions"
"""In an evaluation's directory."""

_ALL = [("key", pa.string()), ("group", pa.string()), ("image_hash", pa.string()), ("repeat", pa.int32())]
_SCORES = ("scores", pa.list_(pa.float32()))
_OF_KINDS = {
    "classify": [("label", pa.int32()), ("predicted", pa.int32()), _SCORES],
    "choice": [("label", pa.int32()), ("predicted", pa.int32()), _SCORES],
    "multilabel": [("labels", pa.list_(pa.int32())), _SCORES],
    "retrieval": [("image_to_text", pa.int64()), ("text_to_image", pa.list_(pa.int64()))],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Whose predictions they are, of what."""

    model: str
    """As the evaluation calls it."""
    weights: str
    """Their sha-256."""
    task: str
    task_sha256: str
    kind: str
    method: str
    classes: tuple[str, ...]
    """Names; empty of `choice` and `retrieval`."""

    @classmethod
    def of(cls, task: "Task", *, model: str, weights: str, method: str) -> Self:
        """Of a task."""
        return cls(
            model=model, weights=weights, task=task.name, task_sha256=task.sha256, kind=task.kind, method=method,
            classes=tuple(one.name for one in task.classes),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predictions:
    """A table of predictions."""

    about: About
    table: pa.Table

    @classmethod
    def of(cls, about: About, columns: dict[str, Any]) -> "Predictions":
        """Of columns; `group`, `image_hash` and `repeat` may be left out."""
        size = len(columns["key"])
        whole = {"group": pa.nulls(size), "image_hash": pa.nulls(size), "repeat": np.zeros(size, np.int32), **columns}
        schema = schema_of(about.kind)
        arrays = [_array(whole[name], schema.field(name).type) for name in schema.names]
        return cls(about, pa.table(arrays, schema=schema))

    @classmethod
    def of_scores(cls, about: About, answers: "Answers", scores: "Sequence[NDArray[np.float32]]") -> "Predictions":
        """Of scores [N, C] of `classify` or `multilabel`; of several choices of training images one after the other."""
        times, whole = len(scores), np.concatenate(scores)
        repeat = np.repeat(np.arange(times, dtype=np.int32), len(answers))
        columns = {**cls.columns_of(answers, times), "repeat": repeat, "scores": whole}
        if about.kind == "multilabel":
            return cls.of(about, {**columns, "labels": answers.labels * times})
        predicted = whole.argmax(1).astype(np.int32)
        return cls.of(about, {**columns, "label": answers.labels * times, "predicted": predicted})

    @staticmethod
    def columns_of(answers: "Answers", times: int = 1) -> dict[str, Any]:
        """The columns that say which images they are of, so many times one after the other."""
        return {
            "key": answers.keys * times, "group": answers.groups * times, "image_hash": answers.hashes * times
        }  # fmt: skip

    @staticmethod
    def path(model: str, task: str, method: str) -> str:
        """Where predictions lie in an evaluation's directory."""
        return f"{FOLDER}/{model}/{task}.{method}.parquet"

    def __len__(self) -> int:
        """Rows."""
        return len(self.table)

    def numbers(self, column: str) -> "NDArray[np.int64]":
        """A column of whole numbers [N]."""
        found: NDArray[np.int64] = self.table[column].to_numpy().astype(np.int64)
        return found

    def repeats(self) -> "list[Predictions]":
        """Those of each choice of training images, in the order of their keys' rows; one where nothing was chosen."""
        if self.about.method.startswith("few-shot"):
            numbers = pc.unique(self.table["repeat"]).to_pylist()
            return [Predictions(self.about, self.table.filter(pc.equal(self.table["repeat"], n))) for n in numbers]
        return [self]

    def groups(self) -> "NDArray[np.object_] | None":
        """The group of each image [N]; one without any is a group of its own. None where no image has any."""
        column = self.repeats()[0].table["group"]
        if column.null_count == len(column):
            return None
        names = column.to_pylist()
        return np.array([f"g{n}" if n is not None else f"i{at}" for at, n in enumerate(names)], object)

    def scores(self) -> "NDArray[np.float32]":
        """Scores [N, C], of `classify` and `multilabel`."""
        column = self.table["scores"].combine_chunks()
        found: NDArray[np.float32] = column.values.to_numpy().reshape(len(column), -1)
        return found

    def has(self) -> "NDArray[np.bool_]":
        """Whether an image has a class [N, C], of `multilabel`."""
        column = self.table["labels"].combine_chunks()
        found = np.zeros((len(column), len(self.about.classes)), bool)
        rows = np.repeat(np.arange(len(column)), np.diff(column.offsets.to_numpy()))
        found[rows, column.values.to_numpy()] = True
        return found

    def write(self, files: Storage) -> str:
        """Put them into an evaluation's directory; gives the path in it."""
        path = self.path(self.about.model, self.about.task, self.about.method)
        told = {b"biomedica": json.dumps(asdict(self.about), ensure_ascii=False).encode()}
        sink = pa.BufferOutputStream()
        pq.write_table(self.table.replace_schema_metadata(told), sink, compression="zstd")
        files.write(path, sink.getvalue())
        return path


def schema_of(kind: str) -> pa.Schema:
    """The columns of a kind of task."""
    return pa.schema([*_ALL, *_OF_KINDS[kind]])


def read_predictions(
    evaluation: StrPath,
    model: str,
    task: str,
    method: str = "zero-shot",
    *,
    storage_options: StorageOptions | None = None,
) -> Predictions:
    """The predictions of a model at a task.

    Args:
        evaluation: The directory or prefix that `evaluate` wrote.
        model: As the evaluation calls it.
        task: The task's name.
        method: `zero-shot`, `probe` or `few-shot-K`.
        storage_options: How the store is spoken to; see `biomedica.open`.

    Raises:
        EvaluationError: There are none, or they are damaged.
    """
    return load_predictions(storage(evaluation, storage_options), model, task, method)


def load_predictions(files: Storage, model: str, task: str, method: str) -> Predictions:
    """`read_predictions` of files that are open."""
    if any(set(name) & set("/\\\0") or name in {"", ".", ".."} for name in (model, task, method)):
        raise EvaluationError(f"{model!r:.80}, {task!r:.80}, {method!r:.80}: no names of a model, a task and a method")
    path = Predictions.path(model, task, method)
    where, data = files.location(path), files.read(path)
    if data is None:
        raise EvaluationError(f"{where}: there are no such predictions")
    try:
        table = pq.read_table(pa.BufferReader(data))
        told = json.loads((table.schema.metadata or {})[b"biomedica"])
        about = About(**{**told, "classes": tuple(told["classes"])})
        return Predictions(about, table.cast(schema_of(about.kind)))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{where}: no predictions of `biomedica evaluate`: {error}") from error


def _array(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 - lists, numpy or Arrow
    if pa.types.is_list(kind) and isinstance(values, np.ndarray):  # [N, C]
        offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1), kind.value_type))
    if isinstance(values, Sequence | np.ndarray):
        return pa.array(values, kind)
    return values.cast(kind)

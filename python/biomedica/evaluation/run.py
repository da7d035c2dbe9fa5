"""An evaluation from its first model to its files."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from biomedica.evaluation.compared import Draws, averages, comparisons
from biomedica.evaluation.examples import Example, pictures, write_examples
from biomedica.evaluation.features import Cache
from biomedica.evaluation.judge import Judge, unjudged
from biomedica.evaluation.predictions import FOLDER, Predictions, load_predictions
from biomedica.evaluation.record import FILE, Cost, Evaluation, JudgedModel, JudgedTask, Score
from biomedica.exceptions import EvaluationError, TaskError

if TYPE_CHECKING:
    from biomedica._sources import StrPath
    from biomedica._storage import Storage
    from biomedica.concepts.encoder import Pair
    from biomedica.evaluation.data import TaskData
    from biomedica.evaluation.models import Spec
    from biomedica.train.device import Device

__all__ = ["Evaluating", "Run"]

HELD = 64
"""Tables of predictions that stay in memory while models are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluating:
    """How far an evaluation is."""

    model: str
    """The one at work."""
    task: str
    done: int
    """Tasks that are done, each model's counted."""
    total: int
    """Of all models."""
    images: int
    """Of the task at hand, those that were read."""
    encoded: int
    """Of these, those that went through the model: their features were not in the cache."""
    seconds: float
    """Since the call."""


class Run:
    """Takes models one after the other, then writes what all of them came to.

    Args:
        data: The tasks.
        files: Where the evaluation goes.
        draws: How intervals are made.
        partial: Whether the images that can be decoded may stand for all, and the tasks that are there for a domain.
        examples: Images to keep of each model and task.
        methods: See `biomedica.evaluate`.
        models: How many will come.
        progress: Told how far it is.

    Raises:
        EvaluationError: No task's data are there.
    """

    def __init__(
        self,
        data: "Sequence[TaskData]",
        files: "Storage",
        draws: Draws,
        *,
        partial: bool,
        examples: int,
        methods: Sequence[str],
        models: int,
        progress: Callable[[Evaluating], object] | None,
    ) -> None:
        self.begun = datetime.now(UTC).isoformat(timespec="seconds")
        self._begin = time.monotonic()
        self._data, self._files, self._draws = data, files, draws
        self._partial, self._most, self._progress = partial, examples, progress
        self._wanted = methods
        self._tasks = {one.task.name: _begun(one) for one in data}
        self._total = models * sum(task.state == "evaluated" for task in self._tasks.values())
        if not self._total:
            reasons = "\n".join(str(task.reason) for task in self._tasks.values())
            raise EvaluationError(f"no task can be evaluated:\n{reasons}")
        self._done = 0
        self._models: list[JudgedModel] = []
        self._methods: dict[str, dict[str, None]] = {}
        """Of each task; a dict for its order."""
        self._scores: list[Score] = []
        self._costs: list[Cost] = []
        self._examples: list[Example] = []

    def judge(self, spec: "Spec", pair: "Pair", device: "Device", cache: "StrPath", batch_size: int) -> None:
        """Take a model through all tasks.

        Raises:
            EvaluationError: The cache cannot be used.
        """
        self._files.remove(FILE)  # what an earlier evaluation said is true until this one writes
        record = pair.record
        self._models.append(
            JudgedModel(name=spec.name, model=spec.text, record=record, logit_scale=pair.logit_scale)
        )  # fmt: skip
        depends = {"precision": device.precision}
        of_images = Cache[bytes](cache, pair.images, batch_size, {**depends, "decoder": pair.images.decoder})
        with of_images as images, Cache[str](cache, pair.captions, batch_size, depends) as captions:
            judge = Judge(
                model=spec.name, weights=record["weights"], logit_scale=pair.logit_scale, images=images,
                captions=captions, device=device, draws=self._draws, partial=self._partial, examples=self._most,
                methods=self._wanted,
            )  # fmt: skip
            for data in self._data:
                if self._tasks[data.task.name].state == "evaluated":
                    self._judge(judge, data)

    def finish(self, receipt: dict[str, Any]) -> Evaluation:
        """Compare the models, and write all but their predictions, which are written already."""
        read = lru_cache(HELD)(lambda model, task, method: load_predictions(self._files, model, task, method))
        tasks = [self._tasks[one.task.name] for one in self._data]
        done = [task for task in tasks if task.state == "evaluated"]
        methods = {task.name: list(self._methods.get(task.name, ())) for task in done}
        models = [model.name for model in self._models]
        names = {task.name for task in done}
        found = Evaluation(
            models=tuple(self._models),
            tasks=tuple(tasks),
            scores=tuple(score for score in self._scores if score.task in names),
            comparisons=tuple(comparisons(models, tasks, methods, read, self._draws, partial=self._partial)),
            averages=tuple(averages(models, tasks, methods, read, self._draws, partial=self._partial)),
            costs=tuple(self._costs),
            receipt=receipt,
        )
        self._keep_examples(names)
        wanted = {
            Predictions.path(model, task, method) for task in methods for model in models for method in methods[task]
        }
        for path in self._files.below(FOLDER):
            if path not in wanted and path.endswith(".parquet"):
                self._files.remove(path)
        found.write(self._files)
        return found

    def _judge(self, judge: Judge, data: "TaskData") -> None:
        name = data.task.name

        def show(images: int, encoded: int) -> None:
            if self._progress is not None:
                self._progress(
                    Evaluating(
                        model=judge.model, task=name, done=self._done, total=self._total, images=images, encoded=encoded,
                        seconds=time.monotonic() - self._begin,
                    )
                )  # fmt: skip

        judged = judge.judge(data, show)
        self._check_same(self._tasks[name], judged.task)
        self._tasks[name] = judged.task
        for predictions in judged.predictions:
            predictions.write(self._files)
            self._methods.setdefault(name, {})[predictions.about.method] = None
        self._scores += judged.scores
        self._costs += [judged.cost] if judged.cost else []
        self._examples += judged.examples
        self._done += 1

    @staticmethod
    def _check_same(before: JudgedTask, now: JudgedTask) -> None:
        if before.split_sha256 not in {None, now.split_sha256} and now.split_sha256 is not None:
            raise EvaluationError(f"{now.name}: its data changed while models were evaluated; evaluate them again")

    def _keep_examples(self, names: set[str]) -> None:
        examples = [one for one in self._examples if one.task in names]
        shown: dict[tuple[str, str], bytes] = {}
        for data in self._data:
            name = data.task.name
            if wanted := {one.key for one in examples if one.task == name}:
                images = self._tasks[name].items + self._tasks[name].unreadable
                shown |= {(name, key): image for key, image in pictures(data, wanted, images).items()}
        write_examples(examples, shown, self._files)


def _begun(data: "TaskData") -> JudgedTask:
    try:
        return unjudged(data, data.missing)
    except TaskError as error:
        return replace(unjudged(data), state="damaged", reason=str(error))

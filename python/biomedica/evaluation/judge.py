"""One model at one task after the other: features, predictions, scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from biomedica.evaluation.compared import Draws
from biomedica.evaluation.examples import Example, chosen
from biomedica.evaluation.gather import Gathered, gather
from biomedica.evaluation.methods import ZERO_SHOT, applies, learned, taught
from biomedica.evaluation.predictions import About, Predictions
from biomedica.evaluation.record import Cost, JudgedTask, Score
from biomedica.evaluation.scores import chance, scores
from biomedica.evaluation.zeroshot import zero_shot
from biomedica.exceptions import EvaluationError, TaskError

if TYPE_CHECKING:
    from biomedica.evaluation.data import TaskData
    from biomedica.evaluation.features import Cache
    from biomedica.train.device import Device

__all__ = ["Judge", "Judged", "unjudged"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a model at a task."""

    task: JudgedTask
    predictions: tuple[Predictions, ...] = ()
    """Of each method; none where the task's state is not `evaluated`."""
    scores: tuple[Score, ...] = ()
    cost: Cost | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A model, and how it is judged."""

    model: str
    weights: str
    """Their sha-256."""
    logit_scale: float
    images: "Cache[bytes]"
    captions: "Cache[str]"
    device: "Device"
    """Where it is."""
    draws: Draws
    partial: bool
    """Whether images that can be decoded may stand for all."""
    examples: int
    methods: Sequence[str] = (ZERO_SHOT,)

    def judge(self, data: "TaskData", progress: Callable[[int, int], object] = lambda *_: None) -> Judged:
        """The model at a task; data that are damaged or partial are told in the task's state.

        Args:
            data: The task and its images, which are there.
            progress: Told how many images were read, and how many encoded.

        Raises:
            EvaluationError: The cache cannot be written.
        """
        task = unjudged(data)
        try:
            found = gather(data, self.images, progress)
            split = data.split(found.everything.entries())
        except TaskError as error:
            return Judged(replace(task, state="damaged", reason=str(error)))
        task = replace(
            task, items=len(found.answers), unreadable=len(found.unreadable), unasked=split.unasked, groups=split.groups,
            classes=split.classes, split_sha256=split.sha256,
        )  # fmt: skip
        cost = Cost(
            model=self.model, task=task.name, images=split.items, encoded=found.encoded, seconds=found.seconds,
            device=self.device.name,
        )  # fmt: skip
        if found.unreadable and not (self.partial and len(found.answers)):
            some = ", ".join(found.unreadable[:3])
            reason = (
                f"{len(found.unreadable):,} of {split.items:,} images cannot be decoded ({some}); with --partial"
                " the others stand for all"
            )
            return Judged(replace(task, state="partial", reason=reason), cost=cost)
        predictions, examples = list[Predictions](), list[Example]()
        if ZERO_SHOT in self.methods:
            about = self._about(data, ZERO_SHOT)
            said = zero_shot(about, data.task, found, self.captions, self.logit_scale, self.device.put)
            predictions.append(said)
            examples = chosen(said, found, self.captions, self.examples)
        if wanted := [one for one in self.methods if one != ZERO_SHOT and applies(one, task.kind)]:
            of_probes, told = self._learned(data, wanted, found, progress)
            predictions += of_probes
            task = replace(task, training=told)
        numbers = [one for said in predictions for one in scores(said, task.metric, **self.draws.options)]
        if predictions:
            task = replace(task, chance=chance(predictions[0], task.metric))
        return Judged(task, tuple(predictions), tuple(numbers), cost, tuple(examples))

    def _learned(
        self, data: "TaskData", methods: Sequence[str], found: Gathered, progress: Callable[[int, int], object]
    ) -> tuple[list[Predictions], str]:
        """Predictions of classifiers that were trained, and with what; none where the training images will not do."""
        try:
            training = taught(data, self.images, progress, partial=self.partial)
            kind = self.device.torch_device.type
            made = [
                learned(
                    data.task, one, found, training, self._about(data, one), seed=self.draws.seed, device=kind
                )
                for one in methods
            ]  # fmt: skip
        except (TaskError, EvaluationError) as error:
            return [], f"none: {error}"
        return made, training.told

    def _about(self, data: "TaskData", method: str) -> About:
        return About.of(data.task, model=self.model, weights=self.weights, method=method)


def unjudged(data: "TaskData", missing: str | None = None) -> JudgedTask:
    """A task before it is evaluated, or one whose data are missing."""
    task = data.task
    return JudgedTask(
        name=task.name, domain=task.domain, kind=task.kind, metric=task.metric,
        state="evaluated" if missing is None else "missing", reason=missing, sha256=task.sha256,
        licence=task.licence, citation=task.citation, source_url=task.source_url,
    )  # fmt: skip

"""Ways to get predictions out of a task's features: zero-shot, linear probes, few-shot classifiers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from biomedica.evaluation import probe
from biomedica.evaluation.gather import Gathered, gather
from biomedica.evaluation.layout import TRAINED
from biomedica.evaluation.predictions import About, Predictions
from biomedica.exceptions import TaskError

if TYPE_CHECKING:
    from biomedica.evaluation.data import TaskData
    from biomedica.evaluation.features import Cache
    from biomedica.evaluation.tasks import Task

__all__ = ["FEW_SHOT", "PROBE", "ZERO_SHOT", "Taught", "applies", "checked_methods", "learned", "taught"]

ZERO_SHOT, PROBE = "zero-shot", "probe"
FEW_SHOT = re.compile(r"few-shot-([1-9][0-9]{0,3})")


def checked_methods(methods: Sequence[str] | str) -> list[str]:
    """Different methods.

    Raises:
        ValueError: One is not known, or there are none.
    """
    found = list(dict.fromkeys([methods] if isinstance(methods, str) else methods))
    unknown = [one for one in found if one not in {ZERO_SHOT, PROBE} and not FEW_SHOT.fullmatch(one)]
    if unknown or not found:
        what = f"method {unknown[0]!r} is not known" if unknown else "there is no method"
        raise ValueError(f"{what}; there are {ZERO_SHOT}, {PROBE}, and few-shot-K with K from 1 to 9999")
    return found


def applies(method: str, kind: str) -> bool:
    """Whether tasks of a kind have a method."""
    return method == ZERO_SHOT or kind in TRAINED


@dataclass(frozen=True, slots=True)
class Taught:
    """What classifiers are trained with."""

    images: Gathered | None
    """Training images; None where the task names none: then the test images are, fold by fold."""
    told: str
    """The same in words."""


def taught(
    data: "TaskData", images: "Cache[bytes]", progress: Callable[[int, int], object], *, partial: bool
) -> Taught:
    """The training images of a task.

    Raises:
        TaskError: They are missing or damaged, or some cannot be decoded and the others may not stand for all.
    """
    train = data.train()
    if train is None:
        return Taught(None, f"{probe.FOLDS} folds of the test images")
    if (missing := train.missing) is not None:
        raise TaskError(missing)
    found = gather(train, images, progress)
    split = train.split(found.everything.entries())
    if found.unreadable and not partial:
        raise TaskError(f"{train.task.name}: {len(found.unreadable):,} of {split.items:,} images cannot be decoded")
    return Taught(found, f"{len(found.answers):,} images, split {split.sha256}")


def learned(
    task: "Task", method: str, found: Gathered, training: Taught, about: About, *, seed: int, device: str
) -> Predictions:
    """What a classifier that was trained says of a task's images.

    Args:
        task: The task, of `TRAINED`.
        method: `probe` or `few-shot-K`.
        found: The test images.
        training: The training images.
        about: For the predictions.
        seed: Of folds and draws.
        device: `cpu` or `cuda`.

    Raises:
        EvaluationError: A class has no training image.
    """
    names = [one.name for one in task.classes]
    shots = FEW_SHOT.fullmatch(method)
    trained = found if training.images is None else training.images
    options: dict[str, Any] = {"groups": trained.answers.groups, "seed": seed, "device": device}
    labels: Any = trained.answers.labels
    if training.images is None:
        both = (found.features, labels, names)
        scores = (
            probe.cross_few_shot(*both, int(shots[1]), **options) if shots else [probe.cross_probe(*both, **options)]
        )
    else:
        all_of_it = (trained.features, labels, found.features, names)
        scores = probe.few_shot(*all_of_it, int(shots[1]), **options) if shots else [probe.probe(*all_of_it, **options)]
    return Predictions.of_scores(about, found.answers, scores)

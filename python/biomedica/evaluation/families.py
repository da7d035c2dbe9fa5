"""Tasks that share images, and numbers of them that are of the same draws.

The draws of tasks tell nothing of each other when the tasks share no image. When they do, an image that is hard at one is
often hard at the others, and a mean over such tasks is less sure than if each had images of its own. So of a family of tasks
the units of all are drawn together: an image with all its copies in them, and with what is of its group at any of them.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._hash import hash_texts
from biomedica.evaluation.resample import Estimate, Sampled, estimates, side_by_side
from biomedica.evaluation.scores import task_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.evaluation.predictions import Predictions

    Numbers = NDArray[np.int64]

__all__ = ["Family", "drawn_together", "families"]


@dataclass(frozen=True, slots=True)
class Family:
    """Several tasks of which each shares an image with another."""

    tasks: tuple[str, ...]
    units: "Numbers"
    """What is drawn as one, of the images of the tasks one after the other."""


def families(tasks: "Mapping[str, Predictions]") -> list[Family]:
    """Those among tasks, by what a model said of each task's images; a task that shares none with another is in none."""
    names, sizes = list(tasks), [len(one.repeats()[0]) for one in tasks.values()]
    if len(names) < 2:  # noqa: PLR2004
        return []
    of_task, before = np.repeat(np.arange(len(names)), sizes), np.cumsum([0, *sizes])
    images = [_images(one, first) for one, first in zip(tasks.values(), before, strict=False)]
    groups = [_groups(one) + first for one, first in zip(tasks.values(), before, strict=False)]
    units = _components(_numbered(np.concatenate(images)), np.concatenate(groups))
    related = _components(_numbered(units), of_task)
    found = []
    for label in np.unique(related):
        own = related == label
        numbers = np.unique(of_task[own])
        if len(numbers) > 1:
            found.append(Family(tuple(names[number] for number in numbers), units[own]))
    return found


def drawn_together(
    measured: Mapping[str, Sampled], predictions: "Mapping[str, Predictions]", draws: int, seed: int
) -> dict[str, Estimate]:
    """Estimates of the tasks of families, those of a family of the same draws.

    Args:
        measured: What each task's metric is computed of.
        predictions: Of the same tasks, what tells their images.
        draws: How many.
        seed: The same seed gives the same draws.
    """
    found = dict[str, Estimate]()
    for family in families({name: predictions[name] for name in measured}):
        parts = side_by_side([measured[name] for name in family.tasks])
        own_seed = task_seed(" ".join(family.tasks), seed)
        with contextlib.suppress(ValueError):  # one image or group alone: there is no interval
            of_family = estimates(parts, family.units, draws, own_seed, leave_out=False)
            found |= zip(family.tasks, of_family, strict=True)
    return found


def _images(predictions: "Predictions", first: "np.int64") -> "NDArray[np.uint64]":
    """A number for each image, equal for equal bytes; one that is not known is like no other."""
    column = predictions.repeats()[0].table["image_hash"].combine_chunks()
    unknown = pa.array([f"unknown {at}" for at in range(first, first + len(column))])
    return hash_texts(pc.coalesce(column, unknown))


def _groups(predictions: "Predictions") -> "Numbers":
    names = predictions.groups()
    if names is None:
        return np.arange(len(predictions.repeats()[0]))
    return _numbered(names)


def _numbered(values: "NDArray[np.generic]") -> "Numbers":
    found: Numbers = np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return found


def _components(first: "Numbers", second: "Numbers") -> "Numbers":
    """The finest labels that are equal wherever one of these is: the lowest place of each component."""
    label = np.arange(len(first))
    while True:
        lowest = label
        for of in (first, second):
            least = np.full(int(of.max()) + 1, len(first))
            np.minimum.at(least, of, lowest)
            lowest = least[of]
        if (lowest == label).all():
            return label
        label = lowest

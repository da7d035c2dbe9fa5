"""How well a model in training does: retrieval among held-out pairs, and tasks of evaluation.

Recall@k is the share of images whose own caption is among the k nearest, and the reverse; ties count against the model
(`biomedica.evaluation.metrics.ranks`). Tasks are judged as `biomedica.evaluate` does it, by the words of the task alone.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from biomedica.evaluation import metrics
from biomedica.exceptions import TaskError

if TYPE_CHECKING:
    from biomedica.evaluation.data import TaskData
    from biomedica.train.device import Device

__all__ = ["HeldOut", "Validation", "features", "recalls"]

KS = (1, 5, 10)
BATCH = 64
"""Images of a task that are encoded at a time."""


@dataclass(frozen=True)
class HeldOut:
    """Pairs to validate on."""

    batches: Callable[[], Iterable[tuple[torch.Tensor, torch.Tensor]]]
    """The same batches each time it is called: images [B, 3, H, W] and tokens [B, L]."""
    limit: int = 10_000
    """Pairs that are looked at, at most."""


@dataclass(frozen=True)
class Validation:
    """What models are validated by."""

    name: str
    """Of the architecture, as open_clip knows it."""
    device: "Device"
    held_out: HeldOut | None = None
    tasks: "Sequence[TaskData]" = ()
    threads: int | None = None
    """That decode the tasks' images."""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.held_out or self.tasks)

    def of(self, model: torch.nn.Module, *, by_pairs: bool = True, by_tasks: bool = True) -> dict[str, float]:
        """How a model does as it stands: see `recalls`; and of each task its metric as `TASK_METRIC`, with chance beside.

        Images of tasks that cannot be decoded are left out.

        Raises:
            TaskError: A task's data are damaged, or none of its images can be decoded.
        """
        training = model.training
        model.eval()
        try:
            found = recalls(model, self.held_out, self.device) if self.held_out and by_pairs else {}
            return found | (self._judged(model) if self.tasks and by_tasks else {})
        finally:
            model.train(training)

    def _judged(self, model: torch.nn.Module) -> dict[str, float]:
        from biomedica.concepts.encoder import pair_of
        from biomedica.evaluation.features import Cache
        from biomedica.evaluation.gather import gather
        from biomedica.evaluation.predictions import About
        from biomedica.evaluation.scores import chance, value
        from biomedica.evaluation.zeroshot import zero_shot

        found: dict[str, float] = {}
        pair = pair_of(model, self.name, self.device, batch_size=BATCH, threads=self.threads)
        with (
            tempfile.TemporaryDirectory(prefix="biomedica.") as root,
            Cache[bytes](root, pair.images, BATCH, {}) as images,
            Cache[str](root, pair.captions, BATCH, {}) as captions,
        ):
            for data in self.tasks:
                gathered, task = gather(data, images), data.task
                if not len(gathered.answers):
                    raise TaskError(f"{task.name}: none of its images can be decoded")
                about = About.of(task, model=self.name, weights="", method="zero-shot")
                said = zero_shot(about, task, gathered, captions, pair.logit_scale, self.device.put)
                numbers = {"": value(said, task.metric), "_chance": chance(said, task.metric)}
                found |= {f"{task.name}_{task.metric}{end}": n for end, n in numbers.items() if n is not None}
        return found


@torch.no_grad()
def recalls(model: torch.nn.Module, data: HeldOut, device: "Device") -> dict[str, float]:
    """Recall@1, 5, 10 both ways, and chance beside; fractions of 1.

    Raises:
        ValueError: There are no samples.
    """
    images, texts = features(model, data, device)
    found: dict[str, float] = {"samples": len(images)}
    ranks = metrics.ranks(images.numpy(), texts.numpy())
    for way in ("image_to_text", "text_to_image"):
        found |= {f"{way}_recall@{k}": value for k, value in metrics.recall(getattr(ranks, way), KS).items()}
    found["chance_recall@1"] = 1 / len(images)
    return found


@torch.no_grad()
def features(model: torch.nn.Module, data: HeldOut, device: "Device") -> tuple[torch.Tensor, torch.Tensor]:
    """Unit features [N, D] of images and of their captions, in fp32 in main memory.

    Raises:
        ValueError: There are no samples.
    """
    rows: list[tuple[torch.Tensor, torch.Tensor]] = []
    left = data.limit
    for images, tokens in data.batches():
        with device.autocast():
            output = model(device.move(images[:left]), device.move(tokens[:left]))
        rows.append((output["image_features"].float().cpu(), output["text_features"].float().cpu()))
        left -= len(rows[-1][0])
        if left <= 0:
            break
    if not rows:
        raise ValueError("the held-out data has no samples")
    image_features, text_features = (torch.cat(column) for column in zip(*rows, strict=True))
    return image_features, text_features

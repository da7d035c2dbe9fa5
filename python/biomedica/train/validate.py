"""How well a model matches held-out images and captions: recall both ways, and zero-shot accuracy.

Recall@k is the share of images whose own caption is among the k nearest (and the reverse). Scores are computed in blocks
of rows, so that memory grows with the pairs, not with their square. Ties count against the model: one that gives the same
features to everything has recall 0, not 1.

Zero-shot classification (CLIP, arXiv 2103.00020, 3.1): each class is the mean of the features of its names in each
template; the nearest class wins. Classes, templates and labels stand in a JSON file:

    {"templates": ["a figure of {}."],
     "classes": {"blot": ["western blot", "immunoblot"], "ct": "head CT"},
     "label": "image_primary_label"}

`label` names the metadata field that holds a sample's class (a word, or a list whose first known word counts); instead,
`labels` can map sample keys to classes. Samples without a known class are left out.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from biomedica.train.device import Device

__all__ = ["HeldOut", "ZeroShot", "class_features", "evaluate", "features", "recall"]

KS = (1, 5, 10)


@dataclass(frozen=True)
class ZeroShot:
    """A classification task in words."""

    classes: Mapping[str, tuple[str, ...]]
    """Names of each class."""
    templates: tuple[str, ...]
    field: str | None = None
    """Metadata field with the class of a sample."""
    labels: Mapping[str, str] | None = None
    """Class of each sample, by key."""

    @classmethod
    def read(cls, path: str | Path) -> "ZeroShot":
        """The task of a JSON file.

        Raises:
            ValueError: The file says no such task.
        """
        try:
            found = json.loads(Path(path).read_text("utf-8"))
            classes = {c: (n,) if isinstance(n, str) else tuple(map(str, n)) for c, n in found["classes"].items()}
            task = cls(classes, tuple(found.get("templates", ["{}"])), found.get("label"), found.get("labels"))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"{path}: no zero-shot task: {error!r}") from error
        if len(classes) < 2 or not all(classes.values()):  # noqa: PLR2004 - one class is no choice
            raise ValueError(f"{path}: a zero-shot task has two classes at least, each with a name")
        if not task.templates or not all("{}" in template for template in task.templates):
            raise ValueError(f"{path}: each template has {{}} where the name of the class goes")
        if (task.field is None) == (task.labels is None):
            raise ValueError(f"{path}: either `label` (a metadata field) or `labels` (by key) is needed")
        return task

    def label(self, key: str, metadata: Mapping[str, Any]) -> int:
        """Number of the class of a sample; -1 when it has none."""
        words = self.labels.get(key) if self.labels is not None else metadata.get(self.field or "")
        names = list(self.classes)
        return next((names.index(w) for w in ([words] if isinstance(words, str) else words or ()) if w in names), -1)

    def texts(self) -> list[list[str]]:
        """For each class its names in all templates."""
        return [[t.replace("{}", name) for name in names for t in self.templates] for names in self.classes.values()]


@dataclass(frozen=True)
class HeldOut:
    """Data to validate on."""

    batches: Callable[[], Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]]
    """The same batches each time it is called: images [B, 3, H, W], tokens [B, L], and classes [B], -1 for none."""
    class_tokens: Sequence[torch.Tensor] = ()
    """For each class the tokens [T, L] of its texts; empty without a task."""
    limit: int = 10_000
    """Pairs that are looked at, at most."""


@torch.no_grad()
def evaluate(model: torch.nn.Module, data: HeldOut, device: "Device") -> dict[str, float]:
    """Recall@1, 5, 10 both ways, the loss, and zero-shot accuracy when there are labels; fractions of 1, and chance beside."""
    training = model.training
    model.eval()
    try:
        images, texts, labels = features(model, data, device)
        found: dict[str, float] = {"samples": len(images)}
        for way, a, b in (("image_to_text", images, texts), ("text_to_image", texts, images)):
            found |= {f"{way}_recall@{k}": value for k, value in recall(a, b).items()}
        found["chance_recall@1"] = 1 / max(1, len(images))
        known = labels >= 0
        if data.class_tokens and known.any():
            classes = class_features(model, data.class_tokens, device)
            right = (images[known] @ classes.T).argmax(1) == labels[known]
            found |= {"zero_shot_samples": int(known.sum()), "zero_shot_accuracy": float(right.double().mean())}
            found["zero_shot_majority"] = float(labels[known].bincount().max() / known.sum())
            found["zero_shot_chance"] = 1 / len(classes)
    finally:
        model.train(training)
    return found


@torch.no_grad()
def features(
    model: torch.nn.Module, data: HeldOut, device: "Device"
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unit features [N, D] of images and of their captions, in fp32 in main memory, and classes [N].

    Raises:
        ValueError: There are no samples.
    """
    rows: list[tuple[torch.Tensor, ...]] = []
    left = data.limit
    for images, tokens, labels in data.batches():
        with device.autocast():
            output = model(device.move(images[:left]), device.move(tokens[:left]))
        rows.append((output["image_features"].float().cpu(), output["text_features"].float().cpu(), labels[:left]))
        left -= len(rows[-1][0])
        if left <= 0:
            break
    if not rows:
        raise ValueError("the held-out data has no samples")
    image_features, text_features, classes = (torch.cat(column) for column in zip(*rows, strict=True))
    return image_features, text_features, classes


def class_features(model: torch.nn.Module, class_tokens: Sequence[torch.Tensor], device: "Device") -> torch.Tensor:
    """A unit feature [C, D] for each class: the mean over its texts."""
    encode: Any = model.encode_text
    means = []
    for tokens in class_tokens:
        with device.autocast():
            texts = encode(device.move(tokens), normalize=True)
        means.append(texts.float().cpu().mean(0))
    return torch.nn.functional.normalize(torch.stack(means), dim=-1)


def recall(queries: torch.Tensor, targets: torch.Tensor, ks: Sequence[int] = KS, rows: int = 1024) -> dict[int, float]:
    """Share of queries whose own target, that of the same number, is among the k nearest.

    Args:
        queries: [N, D].
        targets: [N, D].
        ks: How many nearest count.
        rows: Queries compared at once; rows x N scores are in memory.
    """
    ranks = []
    for begin in range(0, len(queries), rows):
        scores = queries[begin : begin + rows] @ targets.T
        own = scores.diagonal(begin).unsqueeze(1)
        ranks.append((scores >= own).sum(1) - 1)  # its own score is one of them
    rank = torch.cat(ranks)
    return {k: float((rank < k).double().mean()) for k in ks}

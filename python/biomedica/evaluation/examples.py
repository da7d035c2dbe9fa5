"""A few images of each task to look at: the surest mistakes, and what retrieval finds. `examples.parquet` has them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from biomedica.evaluation.scores import confidence

if TYPE_CHECKING:
    from biomedica._storage import Storage
    from biomedica.evaluation.data import Item
    from biomedica.evaluation.features import Cache
    from biomedica.evaluation.gather import Gathered
    from biomedica.evaluation.predictions import Predictions

__all__ = ["FILE", "SCHEMA", "Example", "chosen", "pictures", "write_examples"]

FILE = "examples.parquet"
SIDE = 256
"""Of the images, in pixels."""
NEAREST = 3
"""Captions that are told."""
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("model", "task", "method", "key")),
        ("image", pa.binary()),
        ("right", pa.list_(pa.string())),
        ("said", pa.list_(pa.string())),
        ("confidence", pa.float32()),
        ("rank", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An image of a task, and what a model said of it."""

    model: str
    task: str
    method: str
    key: str
    right: Sequence[str]
    """Its classes, its right option, or its captions."""
    said: Sequence[str]
    """What was predicted; of retrieval the nearest captions."""
    confidence: float | None = None
    rank: int | None = None
    """Of retrieval: the place of its best caption, from 0."""


def chosen(predictions: "Predictions", gathered: "Gathered", captions: "Cache[str]", most: int) -> list[Example]:
    """The surest mistakes, the surest first; of retrieval, images from the best-ranked to the worst.

    Args:
        predictions: Of the images.
        gathered: The images' features and what the data say of them.
        captions: Makes features of captions.
        most: Examples at most.
    """
    about, kind = predictions.about, predictions.about.kind
    if kind == "multilabel" or not most:
        return []
    keys = predictions.table["key"]
    if kind == "retrieval":
        order = np.argsort(predictions.numbers("image_to_text"), kind="stable")
        places = order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).astype(int))].tolist()
        nearest = _nearest(gathered, captions, places)
        return [
            Example(
                model=about.model, task=about.task, method=about.method, key=keys[at].as_py(),
                right=gathered.answers.options[at], said=said, rank=int(predictions.numbers("image_to_text")[at]),
            )
            for at, said in zip(places, nearest, strict=True)
        ]  # fmt: skip
    labels, said, sure = predictions.numbers("label"), predictions.numbers("predicted"), confidence(predictions)
    wrong = np.flatnonzero(labels != said)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:most].tolist()
    names = [about.classes if kind == "classify" else gathered.answers.options[at] for at in worst]
    return [
        Example(
            model=about.model, task=about.task, method=about.method, key=keys[at].as_py(),
            right=[own[labels[at]]], said=[own[said[at]]], confidence=float(sure[at]),
        )
        for at, own in zip(worst, names, strict=True)
    ]  # fmt: skip


def pictures(items: "Iterable[Item]", wanted: set[str], images: int) -> dict[str, bytes]:
    """Small JPEGs of some images by their keys; those that cannot be shown are left out.

    Args:
        items: A task's images, read again.
        wanted: Keys.
        images: How many there are: reading ends when all that is wanted was found.
    """
    from biomedica.web.images import thumbnail

    found: dict[str, bytes] = {}
    left = set(wanted)
    for item in islice(items, images):
        if item.key in left:
            left.discard(item.key)
            try:
                found[item.key] = thumbnail(item.image, SIDE).data
            except ValueError:
                continue
        if not left:
            break
    return found


def write_examples(examples: Sequence[Example], shown: dict[tuple[str, str], bytes], files: "Storage") -> None:
    """Write `examples.parquet`; `shown` has images by task and key."""
    rows = [{**asdict(one), "image": shown.get((one.task, one.key))} for one in examples]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink, compression="zstd")
    files.write(FILE, sink.getvalue())


def _nearest(gathered: "Gathered", captions: "Cache[str]", places: Sequence[int]) -> list[list[str]]:
    texts = [caption for own in gathered.answers.options for caption in own]
    features = captions.encode(texts).features
    found = []
    for at in places:
        scores = features @ gathered.features[at]
        best = np.argpartition(-scores, range(min(NEAREST, len(scores))))[:NEAREST]
        found.append([texts[place] for place in best])
    return found

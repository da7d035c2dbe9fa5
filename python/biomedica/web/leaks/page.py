"""The page of leaks, one static file: what was found, and pairs of images side by side, the surest first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from biomedica.dataset import Dataset
from biomedica.evaluation.evidence import EVIDENCE
from biomedica.exceptions import DatasetError
from biomedica.web.images import thumbnail
from biomedica.web.standalone import NOTHING, inlined, page

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["leaks_page"]

SIDE = 320
"""Of the images in the page."""
NO_DISTANCE = 64


@dataclass(slots=True)
class _Pair:
    """An image of the dataset and one of a task."""

    image_id: str
    task: str
    key: str
    target: int
    told: list[str]
    """What speaks for it, in words."""
    images: tuple[str, str] = (NOTHING, NOTHING)


def leaks_page(
    dataset: Dataset,
    pairs: pa.Table,
    record: Mapping[str, Any],
    most: int,
    read: Callable[[set[int]], dict[int, bytes]],
) -> str:
    """The page.

    Args:
        dataset: Where the images of the pairs lie.
        pairs: All pairs, of the form `PAIRS`.
        record: What `leaks.json` says.
        most: Pairs to show.
        read: Gives test images by their numbers.
    """
    shown = _chosen(pairs, most)
    tests = read({pair.target for pair in shown})
    for pair in shown:
        pair.images = _of_dataset(dataset, pair.image_id), _image(tests.get(pair.target, b""))
    return page("leaks", "leaks.html", "Leaks · biomedica", record=record, pairs=shown)


def _chosen(pairs: pa.Table, most: int) -> list[_Pair]:
    """The surest pairs of each evidence, so that one of which there are many leaves room for the others."""
    order = _order(pairs)
    ids, targets = pairs["image_id"].to_pylist(), pairs["target"].to_pylist()
    evidence = pairs["evidence"].to_pylist()
    best: dict[tuple[str, int], int] = {}
    for at in order.tolist():
        best.setdefault((ids[at], targets[at]), at)
    kinds = {evidence[at] for at in best.values()}
    room = dict.fromkeys(kinds, most // max(len(kinds), 1))
    first, later = list[int](), list[int]()
    for at in best.values():
        room[evidence[at]] -= 1
        (first if room[evidence[at]] >= 0 else later).append(at)
    place = {at: number for number, at in enumerate(order.tolist())}
    taken = sorted([*first, *later[: most - len(first)]], key=place.__getitem__)
    shown = {
        (ids[at], targets[at]): _Pair(ids[at], pairs["task"][at].as_py(), pairs["key"][at].as_py(), targets[at], [])
        for at in taken
    }
    for at in order.tolist():
        pair = shown.get((ids[at], targets[at]))
        if pair is not None:
            pair.told.append(_told(pairs.slice(at, 1).to_pylist()[0]))
    return list(shown.values())


def _order(pairs: pa.Table) -> "NDArray[np.int64]":
    """The surest first: by evidence, then by nearness."""
    ranks = {evidence: rank for rank, evidence in enumerate(EVIDENCE)}
    kind = np.array([ranks[evidence] for evidence in pairs["evidence"].to_pylist()], np.int64)
    distance = pairs["distance"].fill_null(NO_DISTANCE).to_numpy()
    similarity = pairs["similarity"].fill_null(0).to_numpy()
    is_article = np.array([named == "article" for named in pairs["named"].to_pylist()], bool)
    order: NDArray[np.int64] = np.lexsort((is_article, -similarity, distance, kind))
    return order


def _told(row: Mapping[str, Any]) -> str:
    match row["evidence"]:
        case "exact":
            return "the same bytes"
        case "near":
            return f"hashes differ in {row['distance']} of 63 bits"
        case "panel":
            return f"the hash of a panel differs in {row['distance']} of 63 bits from that of the whole other"
        case "features":
            return f"features have cosine {row['similarity']:.3f}"
        case _:
            return f"the test image names this {row['named']}"


def _of_dataset(dataset: Dataset, image_id: str) -> str:
    try:
        return _image(dataset.image(image_id))
    except (KeyError, DatasetError):
        return NOTHING


def _image(data: bytes) -> str:
    try:
        return inlined(thumbnail(data, SIDE))
    except ValueError:
        return NOTHING

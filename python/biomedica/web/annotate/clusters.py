"""What experts see of each cluster: samples near its centre, at random and at its edge, and its captions' words."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from biomedica._sidecar import Part, fresh_files
from biomedica.dataset import Dataset
from biomedica.exceptions import DatasetError
from biomedica.web.annotate.words import Word, common_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SECTIONS", "Cluster", "Sample", "identity", "read_clusters"]

SECTIONS = ("nearest", "random", "farthest")
COLUMNS = ["image_cluster_id", "image_cluster_distance"]
WORDY = 200
"""Captions of a cluster whose words are counted."""
LONGEST_CAPTION = 600
ROWS = 16_384
"""Of captions, that are held at a time."""

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of a cluster."""

    image_id: str
    caption: str
    """Cut to `LONGEST_CAPTION` characters."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is shown of a cluster."""

    number: int
    size: int
    """Images that it has."""
    samples: dict[str, list[Sample]]
    """By section; an image is in one only."""
    words: list[Word]

    def as_json(self) -> str:
        """For storage."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of_json(cls, text: str) -> "Cluster":
        """What `as_json` wrote."""
        value = json.loads(text)
        samples = {name: [Sample(**sample) for sample in found] for name, found in value["samples"].items()}
        return cls(value["number"], value["size"], samples, [Word(*word) for word in value["words"]])


def identity(dataset: Dataset, name: str) -> tuple[str, str]:
    """What tells whether clusters are still the same, and whether what is shown of them is.

    The first is the model's hash, and stays when new images were assigned; the second is that of the assignments, by
    the footers of their files.

    Raises:
        DatasetError: There are no such clusters of the dataset as it is.
    """
    dataset.sidecar(f"clusters/{name}")
    parts = [Part(*part) for part in dataset.parts_of("figures")]
    files = fresh_files(dataset.storage, f"clusters/{name}", parts)
    # The record has what an update withdrew, whose rows the files keep.
    digest = hashlib.sha256(dataset.storage.read("dataset.json") or b"")
    for fragment in dataset.storage.table(list(files.values())).get_fragments():
        footer = fragment.metadata.to_dict()
        digest.update(json.dumps(footer, sort_keys=True, default=str).encode())
    shown = digest.hexdigest()
    model = dataset.storage.read(f"clusters/{name}/model.safetensors")
    return (shown if model is None else hashlib.sha256(model).hexdigest()), shown


def read_clusters(dataset: Dataset, name: str, samples: int, progress: Progress | None = None) -> Iterator[Cluster]:
    """All clusters that have images, by number.

    Two passes: cluster and distance of every figure, 12 bytes a row, from which the rows to be shown are drawn; then ids
    and captions, of which only those rows' are kept.

    Args:
        dataset: Whose figures were clustered.
        name: Of the clusters.
        samples: Images of each section.
        progress: Called with the rows read and all rows.

    Raises:
        DatasetError: There are no such clusters, or none has an image.
    """
    rows = dataset.sidecar(f"clusters/{name}")
    unknown = [column for column in COLUMNS if column not in rows.schema.names]
    if unknown:
        raise DatasetError(f"{dataset.location}: clusters/{name} has no column {unknown[0]}")
    table = rows.to_table(columns=COLUMNS)
    numbers = table[COLUMNS[0]].fill_null(-1).to_numpy().astype(np.int32)
    distances = table[COLUMNS[1]].fill_null(np.inf).to_numpy().astype(np.float32)
    del table
    chosen = dict(_chosen(numbers, distances, samples))
    if not chosen:
        raise DatasetError(f"{dataset.location}: no image is in any of the clusters {name}")
    wanted = np.unique(np.concatenate([part for parts in chosen.values() for part in parts.values()]))
    texts = _texts(dataset, wanted, len(numbers), progress)
    sizes = dict(zip(*(part.tolist() for part in np.unique(numbers[numbers >= 0], return_counts=True)), strict=True))
    captions = {number: [texts[row].caption for row in parts["words"].tolist()] for number, parts in chosen.items()}
    words = common_words(captions, sizes)
    for number, parts in chosen.items():
        shown = {section: [_cut(texts[row]) for row in parts[section].tolist()] for section in SECTIONS}
        yield Cluster(number, sizes[number], shown, words[number])


def _chosen(
    numbers: "NDArray[np.int32]", distances: "NDArray[np.float32]", samples: int
) -> Iterator[tuple[int, dict[str, "NDArray[np.int64]"]]]:
    """Each cluster's rows by section, and those whose captions count under `words`."""
    order = np.lexsort((distances, numbers))
    order = order[np.searchsorted(numbers[order], 0) :]
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(order) else []:
        number = int(numbers[rows[0]])
        random = np.random.default_rng(number)
        nearest = rows[:samples]
        rest = rows[samples:]
        farthest = rest[max(len(rest) - samples, 0) :][::-1]
        between = rest[: max(len(rest) - samples, 0)]
        drawn = random.permutation(between)
        # All of the cluster's captions are as likely to be counted.
        words = rows if len(rows) <= WORDY else random.permutation(rows)[:WORDY]
        yield number, {"nearest": nearest, "random": drawn[:samples], "farthest": farthest, "words": words}


def _texts(dataset: Dataset, wanted: "NDArray[np.int64]", total: int, progress: Progress | None) -> dict[int, Sample]:
    """Ids and captions of rows, given in their order."""
    found: dict[int, Sample] = {}
    first = 0
    # Little is read ahead: captions are long, and memory stays that of a few batches.
    batches = dataset.figures().to_batches(
        columns=["image_id", "caption"], batch_size=ROWS, batch_readahead=2, fragment_readahead=1
    )
    for batch in batches:
        begin, end = np.searchsorted(wanted, (first, first + len(batch)))
        rows = wanted[begin:end]
        taken = batch.take(pa.array(rows - first)).to_pylist()
        found |= {
            row: Sample(taken_row["image_id"], taken_row["caption"] or "")
            for row, taken_row in zip(rows.tolist(), taken, strict=True)
        }
        first += len(batch)
        if progress is not None:
            progress(first, total)
    return found


def _cut(sample: Sample) -> Sample:
    text = sample.caption
    return sample if len(text) <= LONGEST_CAPTION else Sample(sample.image_id, text[:LONGEST_CAPTION].rstrip() + " …")

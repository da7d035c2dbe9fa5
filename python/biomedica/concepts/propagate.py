"""Labels of clusters to labels of images: the sidecar `labels`."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._sidecar import Part, Sidecar
from biomedica.concepts.votes import LEVELS, Value, plain
from biomedica.dataset import Dataset

__all__ = ["CLUSTER", "FOLDER", "Labels", "clusters_sidecar", "labels_sidecar", "propagate", "sizes_of"]

Labels: TypeAlias = Mapping[int, Mapping[str, Value]]
"""Of each cluster, what is settled at each level; None where nothing is, and for no subtype."""
FOLDER = "labels"
CLUSTER = "image_cluster_id"
COLUMNS = {
    "panel_type": "image_panel_type",
    "panel_subtype": "image_panel_subtype",
    "global": "image_primary_label",
    "local": "image_secondary_label",
}
"""The columns of the levels."""
TYPES = {"panel_type": pa.string(), "panel_subtype": pa.string()}
LIST = pa.list_(pa.string())


def labels_sidecar(dataset: Dataset) -> Sidecar:
    """The sidecar `labels` of a dataset."""
    return Sidecar(
        dataset, FOLDER, {CLUSTER: pa.int32(), **{COLUMNS[level]: TYPES.get(level, LIST) for level in LEVELS}}
    )


def clusters_sidecar(dataset: Dataset, clusters: str) -> Sidecar:
    """The sidecar of clusters of this name, as far as labels need it."""
    return Sidecar(dataset, f"clusters/{clusters}", {CLUSTER: pa.int32()})


def sizes_of(dataset: Dataset, sidecar: str) -> Counter[int]:
    """Images of each cluster, by the column `image_cluster_id` of a sidecar; images that are gone do not count.

    Raises:
        DatasetError: There is no such sidecar for every part of the dataset as it is.
    """
    sizes: Counter[int] = Counter()
    for batch in dataset.sidecar(sidecar).to_batches(columns=[CLUSTER]):
        counted = pc.value_counts(batch.column(CLUSTER).drop_null())
        for cluster, count in zip(*(counted.field(name).to_pylist() for name in ("values", "counts")), strict=True):
            sizes[cluster] += count
    return sizes


def propagate(
    dataset: Dataset, clusters: str, labels: Labels, parts: Sequence[Part], progress: Callable[[int, int], object]
) -> None:
    """Write the rows of parts: each image has its cluster and what is settled of it."""
    source, target = clusters_sidecar(dataset, clusters), labels_sidecar(dataset)
    numbers = np.array(sorted(labels), np.int64)
    values = {
        level: pa.array([plain(labels[int(number)][level]) for number in numbers], TYPES.get(level, LIST))
        for level in LEVELS
    }
    progress(0, len(parts))
    for done, part in enumerate(parts, 1):
        ids = source.read(part, [CLUSTER])[CLUSTER].combine_chunks().cast(pa.int32())
        # Where each image's cluster stands among the labelled ones; nowhere for the others.
        wanted = ids.fill_null(-1).to_numpy()
        places = np.searchsorted(numbers, wanted)
        there = np.minimum(places, max(len(numbers) - 1, 0))
        found = numbers[there] == wanted if len(numbers) else np.zeros(len(wanted), bool)
        rows = pa.array(there, pa.int64(), mask=~found)
        target.write(part, {CLUSTER: ids, **{COLUMNS[level]: values[level].take(rows) for level in LEVELS}})
        progress(done, len(parts))

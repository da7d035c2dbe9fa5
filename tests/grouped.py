"""A small dataset with clusters, for the tests of labels: what `cluster` would have made, but for the numbers."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

import biomedica as bm
from biomedica._sidecar import Sidecar
from made import packages

COLUMNS = {"image_cluster_id": pa.int32(), "image_cluster_distance": pa.float32()}


def cluster(
    dataset: bm.Dataset, number_of: Callable[[str], int | None], *, name: str = "default", model: object = None
) -> None:
    """Write the clusters of a dataset's pairs by their ids, where they are missing; other figures have none."""
    sidecar = Sidecar(dataset, f"clusters/{name}", COLUMNS)
    if model is not None:
        dataset.storage.write(f"clusters/{name}/model.json", json.dumps(model).encode())
    for part in sidecar.missing():
        figures = sidecar.figures(part, ["image_id", "status"]).to_pylist()
        numbers = [number_of(row["image_id"]) if row["status"] == "ok" else None for row in figures]
        distances = pa.array([None if number is None else 0.0 for number in numbers], pa.float32())
        sidecar.write(part, {"image_cluster_id": pa.array(numbers, pa.int32()), "image_cluster_distance": distances})


def by_article(image_id: str) -> int:
    """Five clusters, by the article's number."""
    return int(image_id.removeprefix("PMC").split("_")[0]) % 5


def clustered(directory: Path, count: int = 12, *, part_size: int = 4) -> bm.Dataset:
    """A dataset of so many packages with clusters by article."""
    dataset = bm.extract(packages(directory / "in", count), directory / "out", part_size=part_size)
    cluster(dataset, by_article, model={"k": 5})
    return dataset

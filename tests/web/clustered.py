"""A small dataset with clusters, as `cluster` would have left them."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pyarrow as pa

import biomedica as bm
from biomedica._sidecar import Sidecar
from made import image, tar_gz

HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
THEMES = ("micrograph of stained tissue", "survival curve of patients", "radiograph of the chest")
SIZE = 8
"""Figures of a cluster; the figures of cluster k are those of the k-th article, nearest first."""
COLUMNS = {"image_cluster_id": pa.int32(), "image_cluster_distance": pa.float32()}


def article(directory: Path, number: int, captions: Sequence[str]) -> Path:
    """A package whose figures have these captions."""
    figures = "".join(
        f'<fig id="f{place}"><caption><p>{escape(caption)}</p></caption><graphic xlink:href="f{place}"/></fig>'
        for place, caption in enumerate(captions)
    )
    document = (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>'
        f'<article-id pub-id-type="pmc">{number}</article-id></article-meta></front><body>{figures}</body></article>'
    )
    images = {f"PMC{number}/f{place}.jpg": image(number * 50 + place) for place in range(len(captions))}
    return tar_gz(directory / f"PMC{number}.tar.gz", {f"PMC{number}/a.nxml": document.encode(), **images})


def clustered(directory: Path, clusters: int = 3, size: int = SIZE) -> bm.Dataset:
    """A dataset of that many clusters; the second figure of each has a hostile caption."""
    (directory / "in").mkdir()
    for cluster in range(clusters):
        theme = THEMES[cluster % len(THEMES)]
        captions = [f"A {theme}, number {place} shown." for place in range(size)]
        captions[1] = f"{HOSTILE} {theme}"
        article(directory / "in", 100 + cluster, captions)
    dataset = bm.extract(directory / "in", directory / "out")
    assign(dataset)
    return dataset


def assign(dataset: bm.Dataset, name: str = "clusters/default") -> None:
    """Clusters by article, distances by the figure's place in it; figures that are no pair have none."""
    sidecar = Sidecar(dataset, name, COLUMNS)
    for part in sidecar.parts:
        rows = sidecar.figures(part, ["image_id", "status"]).to_pylist()
        pairs = [row["image_id"].removeprefix("PMC").split("_") if row["status"] == "ok" else None for row in rows]
        numbers = [None if pair is None else int(pair[0]) - 100 for pair in pairs]
        distances = [None if pair is None else float(pair[1]) for pair in pairs]
        columns = {
            "image_cluster_id": pa.array(numbers, pa.int32()),
            "image_cluster_distance": pa.array(distances, pa.float32()),
        }
        sidecar.write(part, columns)

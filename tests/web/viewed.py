"""A small dataset with all that pages show: clusters, labels, duplicates and features, as their verbs would leave them."""

import json
from html import escape
from pathlib import Path

import numpy as np
import pyarrow as pa

import biomedica as bm
from biomedica._sidecar import Sidecar
from made import LICENSES, image, tar_gz
from web.clustered import HOSTILE

THEMES = ("Micrograph of stained cells", "Survival curve of patients", "Radiograph of the chest")
SUBSETS = tuple(LICENSES)
FIGURES = 4
"""Of an article; the last is in no package, and the article has the number of its cluster and theme."""
CONCEPTS = ("Microscopy", "Plots and Charts", "Clinical Imaging")


def article(directory: Path, number: int) -> None:
    """A package: captions of a theme, one of them hostile, a mention of each figure, and a figure without an image."""
    theme = THEMES[number % 3]
    captions = [f"{theme}, number {place}. (A) left of it. (B) right of it." for place in range(FIGURES)]
    captions[1] = f"{theme}: {HOSTILE}"
    figures = "".join(
        f'<fig id="f{place}"><label>Figure {place}</label><caption><p>{escape(caption)}</p></caption>'
        f'<graphic xlink:href="f{place}"/></fig>'
        for place, caption in enumerate(captions)
    )
    mentions = "".join(f'<p>We saw {theme} in <xref rid="f{place}">F</xref>.</p>' for place in range(FIGURES))
    url = LICENSES[SUBSETS[number % 3]]
    permissions = f'<permissions><license xlink:href="{url}"/></permissions>' if url else ""
    document = (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><journal-meta><journal-title-group><journal-title>'
        f"Journal {number % 2}</journal-title></journal-title-group></journal-meta><article-meta>"
        f'<article-id pub-id-type="pmc">{number}</article-id>'
        f"<title-group><article-title>Of {theme}</article-title></title-group>"
        "<contrib-group><contrib contrib-type='author'><name><surname>Curie</surname><given-names>M</given-names></name>"
        f"</contrib></contrib-group><pub-date><year>{2010 + number % 3}</year></pub-date>{permissions}</article-meta>"
        f"</front><body>{figures}{mentions}</body></article>"
    )
    name = f"PMC{number}"
    images = {f"{name}/f{place}.jpg": image(number * 50 + place) for place in range(FIGURES - 1)}
    tar_gz(directory / f"{name}.tar.gz", {f"{name}/a.nxml": document.encode(), **images})


def bare(directory: Path, articles: int = 6) -> bm.Dataset:
    """A dataset as `extract` leaves it, with one package that is broken."""
    (directory / "in").mkdir()
    for number in range(100, 100 + articles):
        article(directory / "in", number)
    (directory / "in" / "PMC999.tar.gz").write_bytes(b"no gzip")
    return bm.extract(directory / "in", directory / "out")


def viewed(directory: Path, articles: int = 6) -> bm.Dataset:
    """The same with everything beside it."""
    dataset = bare(directory, articles)
    beside(dataset)
    return dataset


def beside(dataset: bm.Dataset) -> None:
    """Write clusters (by theme), labels, duplicates (the first figures of all articles) and features."""
    texts = pa.list_(pa.string())
    clusters = {"image_cluster_id": pa.int32(), "image_cluster_distance": pa.float32()}
    labels = {"image_panel_type": pa.string(), "image_primary_label": texts, "image_secondary_label": texts}
    groups = {"image_duplicate_group": pa.int64(), "image_duplicate_distance": pa.uint8()}
    vectors = {"features": pa.list_(pa.float32(), 8)}
    for name, columns in (
        ("clusters/default", clusters),
        ("labels", {"image_cluster_id": pa.int32(), **labels}),
        ("duplicates", groups),
        ("features/small", vectors),
    ):
        sidecar = Sidecar(dataset, name, columns)
        for part in sidecar.parts:
            rows = sidecar.figures(part, ["image_id", "status"]).to_pylist()
            found = [
                _of(row["image_id"]) if row["status"] == "ok" else dict.fromkeys(_of("PMC100_0000")) for row in rows
            ]
            arrays = {key: pa.array([row[key] for row in found], kind) for key, kind in columns.items()}
            sidecar.write(part, arrays)
    record = {"format": 1, "features": "small"}
    dataset.storage.write("clusters/default/model.json", json.dumps(record).encode())


def _of(image_id: str) -> dict[str, object]:
    """What the sidecars say of an image."""
    number, place = (int(word) for word in image_id.removeprefix("PMC").split("_"))
    theme = number % 3
    near = np.random.default_rng(number * 50 + place).normal(size=8) * 0.05
    near[theme] += 1
    return {
        "image_cluster_id": theme,
        "image_cluster_distance": float(number - 100 + place / 10),
        "image_panel_type": "single" if place == 1 else "multi",
        "image_primary_label": [CONCEPTS[theme], "Common"],
        "image_secondary_label": [f"local {theme}"],
        "image_duplicate_group": 0 if place == 1 else None,
        "image_duplicate_distance": 1 if place == 1 else None,
        "features": near.astype(np.float32).tolist(),
    }

"""Datasets of made-up tables, without shards: for cases that are about many figures and not about images."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from biomedica._sidecar import Sidecar
from biomedica.concepts.features import write_record
from biomedica.dataset import FORMAT, Dataset
from biomedica.dataset import open as open_dataset

__all__ = ["CLUSTERS", "FEATURES", "WORDS", "add_features", "add_labels", "synthetic", "vectors_of"]

PART, OF_ARTICLE = 16_384, 4
"""Figures of a part and of an article."""
SAMPLE_BYTES = 1 << 16
PAIRS = 0.9
"""Figures that are pairs."""
CLUSTERS, CENTRES = 2_000, 5_000
FEATURES = "made-up"
CONCEPTS = {
    "Plots and Charts": 12_389_066, "Illustrative Diagrams": 2_919_995, "Microscopy": 2_517_332,
    "Clinical Imaging": 1_928_158, "Chemical Structures": 1_128_082, "Immuno Assays": 904_632, "Tables": 639_029,
    "Graphs and Networks": 525_660, "Screen Based Visuals": 457_141, "Maps": 324_265, "Tools and Materials": 272_399,
    "PCR": 35_353, "Scientific Formulae and Equations": 28_888,
}  # fmt: skip
"""Images of each, as the BIOMEDICA paper counted them."""
WORDS = [f"{first}{last}" for first in ("cell", "tissue", "bone", "gene", "renal", "lung", "cardi", "neur") for last in
         ("s", "al", "ic", "oma", "itis", "ation", "osis", "ed", "ing", "um", "ar", "ous")]  # fmt: skip
LICENSES = ("CC BY", "CC BY-NC", "CC0", "CC BY-NC-ND", None)
REASONS = (("xml", "malformed"), ("tar", "truncated"), ("image", "corrupt"))
FAILED = 200
"""Failures of a part."""
TEXTS = pa.list_(pa.string())
PANELS = pa.list_(pa.struct({"label": pa.string(), "text": pa.string()}))


def synthetic(work: Path, figures: int, *, words: int = 0) -> Dataset:
    """The dataset below `work`, made when it is not whole yet.

    Args:
        work: Where cases write.
        figures: How many.
        words: Of a caption; a mention has four times as many.
    """
    root = work / f"synthetic-{figures}-{words}"
    if not (root / "dataset.json").exists():
        random = np.random.default_rng(0)
        parts = [
            _part(root, number, min(PART, figures - number * PART), words, random)
            for number in range(-(-figures // PART))
        ]
        summed = {key: sum(part[key] for part in parts) for key in ("articles", "figures", "pairs", "failures")}
        whole = {"format": FORMAT, "options": {}, "complete": True, "counts": {**parts[0], **summed}, "parts": parts}
        (root / "dataset.json").write_text(json.dumps(whole), encoding="utf-8")
    return open_dataset(root)


def add_labels(dataset: Dataset) -> None:
    """Labels as often as the paper has them; one image in twenty has two, one in fifty none. Clusters and duplicates too."""
    shares = np.array(list(CONCEPTS.values())) / sum(CONCEPTS.values())
    kinds: dict[str, dict[str, pa.DataType]] = {
        "clusters/default": {"image_cluster_id": pa.int32(), "image_cluster_distance": pa.float32()},
        "duplicates": {"image_duplicate_group": pa.int64()},
        "labels": {"image_cluster_id": pa.int32(), "image_panel_type": pa.string(), "image_primary_label": TEXTS},
    }
    sidecars = {name: Sidecar(dataset, name, columns) for name, columns in kinds.items()}
    for part in sidecars["labels"].missing():
        random = np.random.default_rng([1, int(part.name)])
        count = sidecars["labels"].figures(part, ["image_id"]).num_rows
        lengths = random.choice([0, 1, 2], count, p=[0.02, 0.93, 0.05])
        names = pa.array(random.choice(np.array(list(CONCEPTS), object), int(lengths.sum()), p=shares), pa.string())
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        cluster = random.integers(0, CLUSTERS, count)
        found = {
            "image_cluster_id": pa.array(cluster, pa.int32()),
            "image_cluster_distance": pa.array(random.random(count), pa.float32()),
            "image_duplicate_group": pa.array(cluster.astype(np.int64), mask=cluster % 9 > 0),
            "image_panel_type": pa.array(np.where(cluster % 2, "single", "multi").tolist()),
            "image_primary_label": pa.ListArray.from_arrays(offsets, names),
        }
        for name, sidecar in sidecars.items():
            sidecar.write(part, {column: found[column] for column in kinds[name]})
    dataset.storage.write("clusters/default/model.json", json.dumps({"format": 1, "features": FEATURES}).encode())


def add_features(dataset: Dataset, dimension: int) -> None:
    """Features [N, dimension], float32, around many centres."""
    sidecar = Sidecar(dataset, f"features/{FEATURES}", {"features": pa.list_(pa.float32(), dimension)})
    centres = np.random.default_rng(0).normal(size=(CENTRES, dimension)).astype(np.float32)
    for part in sidecar.missing():
        random = np.random.default_rng([2, int(part.name)])
        count = sidecar.figures(part, ["image_id"]).num_rows
        values = random.standard_normal((count, dimension), np.float32)
        values = centres[random.integers(0, CENTRES, count)] + 0.3 * values
        sidecar.write(part, {"features": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), dimension)})
    record = {"model": FEATURES, "dimension": dimension, "dtype": "float32"}
    write_record(dataset.storage, f"features/{FEATURES}", record)


def vectors_of(dataset: Dataset) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """All features in memory: [N, D], float32."""
    column = dataset.sidecar(f"features/{FEATURES}").to_table(columns=["features"])["features"].combine_chunks()
    return np.array(column.flatten()).reshape(len(column), -1)


def _part(root: Path, number: int, count: int, words: int, random: np.random.Generator) -> dict[str, Any]:
    """Write one; gives its entry in `dataset.json`."""
    articles = [f"PMC{1_000_000 + number * PART + n}" for n in range(-(-count // OF_ARTICLE))]
    is_pair = random.random(count) < PAIRS
    subset = "commercial" if number % 3 else "noncommercial"
    shard = f"shards/{subset}/{number:06}-0000.tar"
    tables = {
        "figures": _figures(articles, is_pair, subset, shard, words, random),
        "articles": _articles(articles, words, random),
        "failures": _failures(articles, random),
    }
    files = [_store(root, f"{name}/{number:06}.parquet", columns) for name, columns in tables.items()]
    # Told, but not there: nothing opens it.
    size = count * SAMPLE_BYTES + 1024
    files.append({"path": shard, "num_bytes": size, "sha256": "0" * 64, "rows": int(is_pair.sum())})
    none: dict[str, Any] = {"subsets": {}, "statuses": {}, "reasons": {}, "input_bytes": 0}
    counts = {
        "packages": len(articles), "articles": len(articles), "figures": count, "pairs": int(is_pair.sum()),
        "failures": FAILED, **none,
    }  # fmt: skip
    record = {"number": number, "inputs": "0" * 64, "options": "0" * 64, "counts": counts, "files": files}
    path = root / f"parts/{number:06}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")
    return {"number": number, "path": f"parts/{number:06}.json", "shards": 1, "num_bytes": 0, **counts}


def _figures(
    articles: list[str],
    is_pair: np.ndarray[tuple[int], np.dtype[np.bool_]],
    subset: str,
    shard: str,
    words: int,
    random: np.random.Generator,
) -> dict[str, Any]:
    count = len(is_pair)
    of = [articles[n // OF_ARTICLE] for n in range(count)]
    captions, mentions = _texts(count, words, random), _texts(count, 4 * words, random)
    return {
        "image_id": [f"{name}_{n % OF_ARTICLE + 1:04}" for n, name in enumerate(of)],
        "article_accession_id": of,
        "image_kind": random.choice(["fig", "table", "other"], count).tolist(),
        "image_label": [f"Figure {n % OF_ARTICLE + 1}" for n in range(count)],
        "image_file_name": ["figure.jpg"] * count,
        "image_format": random.choice(["jpeg", "png", "tiff"], count).tolist(),
        "image_size": pa.array(random.integers(100, 2000, (count, 2)).tolist(), pa.list_(pa.uint32())),
        "image_num_bytes": pa.array([SAMPLE_BYTES - 4096] * count, pa.int64()),
        # One image in ten is another one too.
        "image_hash": [f"{n:064x}" for n in random.integers(0, 20 * count, count)],
        "caption": captions,
        "group_caption": pa.nulls(count, pa.string()),
        "image_context": pa.array([[text] for text in mentions], TEXTS),
        "image_context_panels": pa.array([[""]] * count, TEXTS),
        "image_panels": pa.array([[{"label": "A", "text": text[:80]}] for text in mentions], PANELS),
        "status": np.where(is_pair, "ok", "no_image").tolist(),
        "subset": [subset] * count,
        "shard": [shard if pair else None for pair in is_pair.tolist()],
        "shard_offset": pa.array([n * SAMPLE_BYTES + 512 for n in range(count)], pa.int64()),
        "shard_length": pa.array([SAMPLE_BYTES - 4096] * count, pa.int64()),
    }


def _articles(articles: list[str], words: int, random: np.random.Generator) -> dict[str, Any]:
    count = len(articles)
    return {
        "article_accession_id": articles,
        "article_title": _texts(count, words // 4, random),
        "article_journal": [f"Journal {n}" for n in random.zipf(1.5, count).clip(max=9_000)],
        "article_license": random.choice(np.array(LICENSES, object), count).tolist(),
        "article_license_url": pa.nulls(count, pa.string()),
        "article_date": [f"{year}-01-01" for year in random.integers(1990, 2026, count)],
        "article_authors": pa.array([["A. Author", "B. Author"]] * count, TEXTS),
        "article_doi": pa.nulls(count, pa.string()),
        "article_pmid": pa.nulls(count, pa.string()),
        "article_citation": pa.nulls(count, pa.string()),
        "is_retracted": [False] * count,
    }


def _failures(articles: Sequence[str], random: np.random.Generator) -> dict[str, Any]:
    failed = [articles[n % len(articles)] for n in range(FAILED)]
    reasons = [REASONS[n] for n in random.integers(0, len(REASONS), FAILED)]
    return {
        "source": [f"{name}.tar.gz" for name in failed],
        "article_accession_id": failed,
        "member": ["a.nxml"] * FAILED,
        "stage": [stage for stage, _ in reasons],
        "reason": [reason for _, reason in reasons],
        "detail": ["at byte 17: it ends in the middle"] * FAILED,
    }


def _texts(count: int, words: int, random: np.random.Generator) -> list[str]:
    """Texts whose n-th most common word is n times as rare as the most common."""
    shares = 1 / np.arange(1, len(WORDS) + 1)
    drawn = random.choice(np.array(WORDS, object), (count, words), p=shares / shares.sum())
    return [" ".join(row) for row in drawn.tolist()]


def _store(root: Path, path: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Write a table; gives its entry in the record of its part."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), root / path, compression="zstd")
    data = (root / path).read_bytes()
    return {"path": path, "num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": 0}

"""What pages of a hundred thousand figures cost: `python benches/view.py DIRECTORY [--rows N] [--rounds N]`.

Writes a dataset of made-up tables without shards (figures with captions, panels and mentions, articles, failures,
clusters, labels, duplicates, and features of 1,024 numbers) into the directory, unless it is there. Then makes the index,
starts the server in a process of its own, and tells of each page the first answer after the start, and the median and the
slowest of the others, whose filters and words are never twice the same where the page has some.
"""

import argparse
import hashlib
import http.client
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import biomedica as bm
from biomedica._sidecar import Sidecar
from biomedica.dataset import FORMAT
from biomedica.web.view.index import FOLDER, open_index

PART, FIGURES, DIMENSION, CLUSTERS = 10_000, 4, 1_024, 2_000
PAIRS = 0.9
"""Figures that are pairs."""
WORDS = [f"{first}{last}" for first in ("cell", "tissue", "bone", "gene", "renal", "lung", "cardi", "neur") for last in
         ("s", "al", "ic", "oma", "itis", "ation", "osis", "ed", "ing", "um", "ar", "ous")]  # fmt: skip
LICENSES = ("CC BY", "CC BY-NC", "CC0", "CC BY-NC-ND", None)
TEXTS = pa.list_(pa.string())
PANELS = pa.list_(pa.struct({"label": pa.string(), "text": pa.string()}))


def write(root: Path, rows: int) -> None:
    """The dataset, whole once `dataset.json` is there."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, len(WORDS) + 1)

    def texts(count: int, words: int) -> list[str]:
        drawn = random.choice(WORDS, (count, words), p=shares / shares.sum())
        return [" ".join(row) for row in drawn.tolist()]

    entries = []
    for part in range(-(-rows // PART)):
        count = min(PART, rows - part * PART)
        articles = [f"PMC{1_000_000 + part * PART + n}" for n in range(-(-count // FIGURES))]
        of = [articles[n // FIGURES] for n in range(count)]
        paragraphs = texts(count, 250)
        is_pair = random.random(count) < PAIRS
        shard = f"shards/commercial/{part:06}-0000.tar"
        figures = {
            "image_id": [f"{name}_{n % FIGURES + 1:04}" for n, name in enumerate(of)],
            "article_accession_id": of,
            "image_kind": random.choice(["fig", "table", "other"], count).tolist(),
            "image_label": [f"Figure {n % FIGURES + 1}" for n in range(count)],
            "image_file_name": ["figure.jpg"] * count,
            "image_format": random.choice(["jpeg", "png", "tiff"], count).tolist(),
            "image_size": pa.array(random.integers(100, 2000, (count, 2)).tolist(), pa.list_(pa.int32())),
            "image_num_bytes": pa.array([60_000] * count, pa.int64()),
            "caption": texts(count, 60),
            "group_caption": pa.nulls(count, pa.string()),
            "image_context": pa.array([[text] for text in paragraphs], TEXTS),
            "image_context_panels": pa.array([[""]] * count, TEXTS),
            "image_panels": pa.array([[{"label": "A", "text": text[:80]}] for text in paragraphs], PANELS),
            "status": np.where(is_pair, "ok", "no_image").tolist(),
            "subset": ["commercial"] * count,
            "shard": [shard if pair else None for pair in is_pair.tolist()],
            "shard_offset": pa.array([n * 65_536 + 512 for n in range(count)], pa.int64()),
            "shard_length": pa.array([60_000] * count, pa.int64()),
        }
        size = len(articles)
        table = {
            "article_accession_id": articles,
            "article_title": texts(size, 12),
            "article_journal": [f"Journal {n}" for n in random.zipf(1.5, size).clip(max=9_000)],
            "article_license": random.choice(np.array(LICENSES, object), size).tolist(),
            "article_license_url": pa.nulls(size, pa.string()),
            "article_date": [f"{year}-01-01" for year in random.integers(1990, 2026, size)],
            "article_authors": pa.array([["A. Author", "B. Author"]] * size, TEXTS),
            "article_doi": pa.nulls(size, pa.string()),
            "article_pmid": pa.nulls(size, pa.string()),
            "article_citation": pa.nulls(size, pa.string()),
            "is_retracted": [False] * size,
        }
        failures = {
            "source": [f"{name}.tar.gz" for name in articles[:200]],
            "article_accession_id": articles[:200],
            "member": ["a.nxml"] * 200,
            "stage": random.choice(["xml", "tar", "image"], 200).tolist(),
            "reason": random.choice(["malformed", "truncated", "corrupt"], 200).tolist(),
            "detail": ["at byte 17: it ends in the middle"] * 200,
        }
        tables = {"figures": figures, "articles": table, "failures": failures}
        files = [store(root, f"{name}/{part:06}.parquet", columns) for name, columns in tables.items()]
        none: dict[str, object] = {"subsets": {}, "statuses": {}, "reasons": {}, "packages": size, "input_bytes": 0}
        counts = {"articles": size, "figures": count, "pairs": int(is_pair.sum()), "failures": 200, **none}
        record = {"number": part, "inputs": "0" * 64, "options": "0" * 64, "counts": counts, "files": files}
        (root / "parts").mkdir(exist_ok=True)
        (root / f"parts/{part:06}.json").write_text(json.dumps(record))
        entries.append({"number": part, "path": f"parts/{part:06}.json", "shards": 1, "num_bytes": 0, **counts})
    total = {**entries[0], "articles": rows // FIGURES, "figures": rows, "pairs": rows, "failures": 200 * len(entries)}
    whole = {"format": FORMAT, "options": {}, "complete": True, "counts": total, "parts": entries}
    (root / "dataset.json").write_text(json.dumps(whole))


def store(root: Path, path: str, columns: Mapping[str, object]) -> dict[str, object]:
    """Write a table; gives its entry in the record of its part."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), root / path, compression="zstd")
    data = (root / path).read_bytes()
    return {"path": path, "num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": 0}


def beside(dataset: bm.Dataset) -> None:
    """Write the sidecars."""
    random = np.random.default_rng(1)
    kinds: dict[str, dict[str, pa.DataType]] = {
        "clusters/default": {"image_cluster_id": pa.int32(), "image_cluster_distance": pa.float32()},
        "labels": {"image_cluster_id": pa.int32(), "image_panel_type": pa.string(), "image_primary_label": TEXTS},
        "duplicates": {"image_duplicate_group": pa.int64()},
        "features/made-up": {"features": pa.list_(pa.float16(), DIMENSION)},
    }
    sidecars = {name: Sidecar(dataset, name, columns) for name, columns in kinds.items()}
    for part in sidecars["labels"].missing():
        count = sidecars["labels"].figures(part, ["image_id"]).num_rows
        number = random.integers(0, CLUSTERS, count)
        flat = pa.array(random.normal(size=count * DIMENSION).astype(np.float16))
        found = {
            "image_cluster_id": pa.array(number, pa.int32()),
            "image_cluster_distance": pa.array(random.random(count), pa.float32()),
            "image_panel_type": pa.array(np.where(number % 2, "single", "multi").tolist()),
            "image_primary_label": pa.array([[f"Concept {n % 13}"] for n in number.tolist()], TEXTS),
            "image_duplicate_group": pa.array(np.where(number % 9, -1, number), mask=number % 9 > 0),
            "features": pa.FixedSizeListArray.from_arrays(flat, DIMENSION),
        }
        for name, sidecar in sidecars.items():
            sidecar.write(part, {key: found[key] for key in kinds[name]})
    record = {"format": 1, "features": "made-up"}
    dataset.storage.write("clusters/default/model.json", json.dumps(record).encode())


def pages(dataset: bm.Dataset) -> dict[str, Callable[[int], str]]:
    """Of each page the address of the n-th visit."""
    ids = dataset.figures().head(5_000, columns=["image_id"])["image_id"].to_pylist()
    pairs = list(itertools.permutations(WORDS, 2))
    return {
        "overview": lambda _: "/",
        "gallery": lambda n: f"/gallery?after={n * 97}",
        "gallery, two facets": lambda n: f"/gallery?year={1990 + n % 36}&license=CC+BY&q=",
        "gallery, a common word": lambda n: f"/gallery?q={WORDS[n % 8]}&status=ok&year={1990 + n // 8}",
        "gallery, two words": lambda n: "/gallery?q=" + quote(" ".join(pairs[n * 31 % len(pairs)])),
        "gallery, a prefix": lambda n: f"/gallery?q={WORDS[n % len(WORDS)][:4]}*&kind=fig",
        "figure with neighbours": lambda n: f"/figure/{ids[n * 37 % len(ids)]}",
        "clusters": lambda n: f"/clusters?page={1 + n % 40}",
        "cluster": lambda n: f"/cluster/{n * 13 % CLUSTERS}",
        "failures": lambda n: f"/failures?after={n * 10}",
    }


def measure(root: Path, rounds: int) -> None:
    """Start the server, ask for each page, and print milliseconds."""
    command = [sys.executable, "-m", "biomedica", "view", str(root), "--log-format", "json"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - of ours
        assert process.stdout is not None  # noqa: S101 - asked for above
        url = json.loads(process.stdout.readline())["url"]
        print(f"{'start with the index there':28} {time.perf_counter() - began:8.1f} s")  # noqa: T201 - its output
        print(f"{'page':28} {'first':>8} {'median':>8} {'slowest':>8}  ms")  # noqa: T201
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        for name, address in pages(bm.open(root)).items():
            taken = [ask(connection, address(n)) for n in range(rounds + 1)]
            rest = taken[1:]
            print(f"{name:28} {taken[0]:8.1f} {statistics.median(rest):8.1f} {max(rest):8.1f}", flush=True)  # noqa: T201
        connection.close()
        process.terminate()


def ask(connection: http.client.HTTPConnection, path: str) -> float:
    """Milliseconds until all of a page is there."""
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    if answer.status != http.client.OK:
        sys.exit(f"{path}: {answer.status}")
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    """Write, index, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    root = args.directory / str(args.rows)
    if not (root / "dataset.json").exists():
        write(root, args.rows)
    dataset = bm.open(root)
    beside(dataset)
    shutil.rmtree(root / FOLDER, ignore_errors=True)
    began = time.perf_counter()
    index = open_index(dataset)
    size = sum(path.stat().st_size for path in (root / FOLDER).iterdir()) / 1e6
    print(f"{'index of ' + format(args.rows, ',') + ' figures':28} {time.perf_counter() - began:8.1f} s, {size:.0f} MB,"  # noqa: T201
          f" lengths in {index.meta['unit']}")  # fmt: skip
    index.close()
    measure(root, args.rounds)


if __name__ == "__main__":
    main()

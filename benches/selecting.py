"""What a selection of ten million pairs costs: `python benches/selecting.py DIRECTORY [--rows N]`.

Writes a dataset of made-up tables without shards (figures, articles and labels in parts of the default size) into the
directory, unless it is there, then selects from it in a process of its own and tells seconds and the peak of its memory:
with balance, with everything, and what a stream of the result costs to open. Labels are drawn by the BIOMEDICA paper's
counts of images a concept.
"""

import argparse
import hashlib
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import biomedica as bm
from biomedica._sidecar import Sidecar
from biomedica.dataset import FORMAT

ROWS_A_PART, FIGURES_AN_ARTICLE = 16_384, 4
SAMPLE_BYTES = 1 << 16
CONCEPTS = {
    "Plots and Charts": 12_389_066, "Illustrative Diagrams": 2_919_995, "Microscopy": 2_517_332,
    "Clinical Imaging": 1_928_158, "Chemical Structures": 1_128_082, "Immuno Assays": 904_632, "Tables": 639_029,
    "Graphs and Networks": 525_660, "Screen Based Visuals": 457_141, "Maps": 324_265, "Tools and Materials": 272_399,
    "PCR": 35_353, "Scientific Formulae and Equations": 28_888,
}  # fmt: skip


def write(root: Path, rows: int) -> None:
    """The dataset, whole once `dataset.json` is there."""
    random = np.random.default_rng(0)
    entries = []
    for part in range(-(-rows // ROWS_A_PART)):
        count = min(ROWS_A_PART, rows - part * ROWS_A_PART)
        articles = [f"PMC{1_000_000 + part * ROWS_A_PART + n}" for n in range(-(-count // FIGURES_AN_ARTICLE))]
        subset = "commercial" if part % 3 else "noncommercial"
        shard = f"shards/{subset}/{part:06}-0000.tar"
        of = [articles[n // FIGURES_AN_ARTICLE] for n in range(count)]
        hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in random.integers(0, rows * 20, count)]
        figures = {
            "image_id": [f"{name}_{n % FIGURES_AN_ARTICLE + 1:04}" for n, name in enumerate(of)],
            "article_accession_id": of,
            "image_format": ["jpeg"] * count,
            "image_size": pa.array(random.integers(100, 2000, (count, 2)).tolist(), pa.list_(pa.uint32())),
            "image_hash": hashes,
            "caption": [f"Figure {n} of {name}, as many words as captions have. " * 4 for n, name in enumerate(of)],
            "status": ["ok"] * count,
            "subset": [subset] * count,
            "shard": [shard] * count,
            "shard_offset": pa.array([n * SAMPLE_BYTES + 512 for n in range(count)], pa.int64()),
            "shard_length": pa.array([SAMPLE_BYTES - 4096] * count, pa.int64()),
        }
        table = {
            "article_accession_id": articles,
            "article_journal": [f"Journal {n}" for n in random.integers(0, 9_000, len(articles))],
            "article_license": ["CC BY" if part % 3 else "CC BY-NC"] * len(articles),
            "article_date": [f"{year}-01-01" for year in random.integers(1990, 2026, len(articles))],
        }
        files = [store(root, f"figures/{part:06}.parquet", figures), store(root, f"articles/{part:06}.parquet", table)]
        files.append({"path": shard, "num_bytes": count * SAMPLE_BYTES + 1024, "sha256": "0" * 64, "rows": count})
        counts = counts_of(len(articles), count)
        record = {"number": part, "inputs": "0" * 64, "options": "0" * 64, "counts": counts, "files": files}
        put(root / f"parts/{part:06}.json", json.dumps(record))
        of_part = {"shards": 1, "num_bytes": count * SAMPLE_BYTES}
        entries.append({"number": part, "path": f"parts/{part:06}.json", **counts, **of_part})
    whole = {"format": FORMAT, "options": {}, "complete": True, "counts": counts_of(0, rows), "parts": entries}
    put(root / "dataset.json", json.dumps(whole))


def counts_of(articles: int, pairs: int) -> dict[str, object]:
    """The counts in a record."""
    none: dict[str, dict[str, int]] = {"subsets": {}, "statuses": {}, "reasons": {}}
    numbers = {"packages": articles, "input_bytes": 0, "articles": articles, "figures": pairs, "pairs": pairs}
    return {**numbers, "failures": 0, **none}


def store(root: Path, path: str, columns: Mapping[str, object]) -> dict[str, object]:
    """Write a table; gives its entry in the record of its part."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), root / path, compression="zstd")
    data = (root / path).read_bytes()
    return {"path": path, "num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": 0}


def put(path: Path, text: str) -> None:
    """Write a record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def label(dataset: bm.Dataset) -> None:
    """Labels as often as the paper has them; one image in twenty has two, one in fifty none."""
    random = np.random.default_rng(1)
    names = np.array(list(CONCEPTS), dtype=object)
    shares = np.array(list(CONCEPTS.values())) / sum(CONCEPTS.values())
    columns = {"image_cluster_id": pa.int32(), "image_primary_label": pa.list_(pa.string())}
    sidecar = Sidecar(dataset, "labels", columns)
    for part in sidecar.missing():
        count = sidecar.figures(part, ["image_id"]).num_rows
        lengths = random.choice([0, 1, 2], count, p=[0.02, 0.93, 0.05])
        values = pa.array(names[random.choice(len(names), int(lengths.sum()), p=shares)], pa.string())
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        clusters = pa.array(random.integers(0, 2_000, count), pa.int32())
        labels = pa.ListArray.from_arrays(offsets, values)
        sidecar.write(part, {"image_cluster_id": clusters, "image_primary_label": labels})


def measured(name: str, work: Callable[[], object]) -> None:
    """Run in a process of its own; print seconds and the peak of its memory."""
    process = multiprocessing.get_context("fork").Process(target=_timed, args=(name, work))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


def _timed(name: str, work: Callable[[], object]) -> None:
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    print(f"{name:44} {seconds:7.1f} s  {peak:5.2f} GiB  {result}", flush=True)  # noqa: T201 - its output


def main(argv: list[str] | None = None) -> int:
    """Make what is missing, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    args = parser.parse_args(argv)
    root: Path = args.directory / "dataset"
    if not (root / "dataset.json").exists():
        write(root, args.rows)
    label(bm.open(root))

    def select(name: str, **rules: object) -> Callable[[], int]:
        return lambda: len(bm.select(root, args.directory / f"{name}.parquet", **rules))  # type: ignore[arg-type]

    everything = {
        "where": "article_license = 'CC BY' AND image_size[1] >= 224 AND article_date >= '2000'",
        "drop_concepts": ["Tables"], "dedup": "exact", "balance": "image_primary_label", "cap": 500_000, "sample": 0.5,
    }  # fmt: skip
    measured("select, no rule", select("all"))
    measured("select, balanced", select("balanced", preset="concept-balanced"))
    measured("select, balanced by 2,000 clusters", select("clusters", balance="image_cluster_id", quantile=0.5))
    measured("select, every rule", select("every", **everything))
    measured("stream opened, no selection", lambda: len(bm.stream(root)))
    measured("stream opened, all selected", lambda: len(bm.stream(root, selection=args.directory / "all.parquet")))
    measured("stream opened, balanced", lambda: len(bm.stream(root, selection=args.directory / "balanced.parquet")))
    return 0


if __name__ == "__main__":
    sys.exit(main())

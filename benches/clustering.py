"""What clusters of a million vectors cost beside faiss alone: `python benches/clustering.py DIRECTORY [--rows N]`.

Writes a dataset of made-up tables and features of 25 numbers into the directory, unless it is there. Then, taking turns:
k-means as faiss's own example has it (`faiss.Kmeans`, train and assign) beside ours with the same settings and with
`k-means++`; and assigning all rows from the dataset's files to a sidecar beside `faiss.IndexFlatL2.search` on the same
vectors in memory. Last, the peak memory of assigning a dataset and one of a quarter of its size.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa

import biomedica as bm
from biomedica._sidecar import Sidecar
from biomedica.concepts.features import write_record
from biomedica.concepts.kmeans import Init, Searcher, kmeans
from selecting import write

D, K, ITERATIONS = 25, 2000, 25
SAMPLE = 256 * K
NAME = "made-up"
ASSIGN = (
    "import re, sys, biomedica as bm; bm.cluster(sys.argv[1], features='made-up', model=sys.argv[2], name='memory',"
    "overwrite=True); print(int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]) // 1024)"
)


def made(root: Path, rows: int) -> bm.Dataset:
    """The dataset with its features, around 5,000 centres."""
    if not (root / "dataset.json").exists():
        write(root, rows)
    dataset = bm.open(root)
    sidecar = Sidecar(dataset, f"features/{NAME}", {"features": pa.list_(pa.float32(), D)})
    centres = np.random.default_rng(0).normal(size=(5000, D)).astype(np.float32)
    for part in sidecar.missing():
        rng = np.random.default_rng([1, int(part.name)])
        count = sidecar.figures(part, ["image_id"]).num_rows
        values = centres[rng.integers(0, len(centres), count)] + 0.3 * rng.normal(size=(count, D)).astype(np.float32)
        sidecar.write(part, {"features": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), D)})
    write_record(dataset.storage, f"features/{NAME}", {"model": NAME, "dimension": D, "dtype": "float32"})
    return dataset


def vectors_of(dataset: bm.Dataset) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """All features in memory."""
    column = dataset.sidecar(f"features/{NAME}").to_table(columns=["features"])["features"].combine_chunks()
    vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]] = column.flatten().to_numpy().reshape(-1, D)
    return vectors


def main() -> None:
    """Measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    dataset = made(args.directory / "whole", args.rows)
    small = made(args.directory / "quarter", args.rows // 4)
    points = vectors_of(dataset)
    found: dict[str, list[float]] = defaultdict(list)
    inertia: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        start = time.perf_counter()
        work()
        found[name].append(time.perf_counter() - start)

    def theirs() -> None:
        runs = faiss.Kmeans(D, K, niter=ITERATIONS, seed=1)
        runs.train(points)
        squares, _ = runs.index.search(points, 1)
        inertia["faiss.Kmeans"] = float(squares.mean())

    def ours(init: Init) -> None:
        sample = points[np.random.default_rng(1).permutation(len(points))[:SAMPLE]]
        centroids = kmeans(sample, K, init=init, iterations=ITERATIONS, seed=1)
        _, distances = Searcher(centroids).nearest(points)
        inertia[init] = float((distances**2).mean())

    bm.cluster(dataset, features=NAME, k=K, components=D, restarts=1, iterations=2, init="random", overwrite=True)
    model = dataset.path / "clusters" / "default"
    index = faiss.IndexFlatL2(D)
    index.add(np.random.default_rng(2).normal(size=(K, D)).astype(np.float32))

    def assign() -> None:
        bm.cluster(dataset, features=NAME, model=model, name="again", overwrite=True)

    for _ in range(args.rounds):
        timed("faiss.Kmeans", theirs)
        timed("random", lambda: ours("random"))
        timed("k-means++", lambda: ours("k-means++"))
        timed("search", lambda: index.search(points, 1))
        timed("assign", assign)
    shutil.rmtree(dataset.path / "clusters" / "again")
    seconds = {name: statistics.median(values) for name, values in found.items()}
    peaks = [
        int(subprocess.check_output([sys.executable, "-c", ASSIGN, one.location, model])) for one in (small, dataset)
    ]
    print(json.dumps({"seconds": found, "inertia": inertia, "peak_mib": peaks}))
    for name in ("random", "k-means++"):
        ratio, quality = seconds["faiss.Kmeans"] / seconds[name], inertia["faiss.Kmeans"] / inertia[name]
        print(f"k-means, {name}: {ratio:.2f}x faiss.Kmeans's speed, {quality:.2f}x its inertia's inverse")
    print(f"assigning from files to a sidecar: {seconds['search'] / seconds['assign']:.2f} of faiss's search in memory")
    print(f"peak memory: {peaks[1]} MiB for {args.rows:,} rows, {peaks[0]} MiB for a quarter of them")


if __name__ == "__main__":
    main()

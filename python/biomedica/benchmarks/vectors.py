"""Cases of vectors: k-means, clusters of a dataset, and ranks of retrieval, beside faiss."""

from typing import Any

import faiss
import numpy as np

import biomedica
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Measured, beside, interleaved, timed
from biomedica.benchmarks.synthetic import CLUSTERS as MANY
from biomedica.benchmarks.synthetic import FEATURES, add_features, synthetic, vectors_of
from biomedica.concepts.kmeans import kmeans as our_kmeans
from biomedica.evaluation import metrics

ROWS, DIMENSION, CLUSTERS, ITERATIONS = 250_000, 25, 500, 25
PAIRS, WIDTH, NEAREST = 10_000, 512, 100


def kmeans(_: Corpus, rounds: int) -> Measured:
    """Vectors around many centres to clusters, as faiss's own example does it, with all cores."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5 * CLUSTERS, DIMENSION)).astype(np.float32)
    noise = 0.3 * rng.normal(size=(ROWS, DIMENSION)).astype(np.float32)
    points = centres[rng.integers(0, len(centres), ROWS)] + noise
    sample = points[: 256 * CLUSTERS]

    def theirs() -> None:
        faiss.Kmeans(DIMENSION, CLUSTERS, niter=ITERATIONS, seed=1).train(sample)

    def ours() -> None:
        our_kmeans(sample, CLUSTERS, init="random", iterations=ITERATIONS, seed=1)

    measured = interleaved([timed("biomedica", ours), timed("faiss", theirs)], rounds)
    case = f"k-means, {CLUSTERS} clusters"
    return [beside(measured, case, "faiss.Kmeans", len(sample), "vectors/s", theirs="faiss")], measured


def assign(corpus: Corpus, rounds: int) -> Measured:
    """The nearest centroid of each figure of a dataset, from files to a sidecar."""
    dataset = synthetic(corpus.work, corpus.figures)
    add_features(dataset, DIMENSION)
    points = vectors_of(dataset)
    clusters = min(MANY, max(1, len(points) // 40))
    # Two rounds of k-means make centroids that are as good as any to measure with.
    learnt: Any = {"k": clusters, "components": DIMENSION, "restarts": 1, "iterations": 2, "init": "random"}
    biomedica.cluster(dataset, features=FEATURES, name="learnt", overwrite=True, **learnt)
    model = dataset.path / "clusters" / "learnt"
    index = faiss.IndexFlatL2(DIMENSION)
    index.add(points[np.random.default_rng(2).choice(len(points), clusters, replace=False)])

    def ours() -> None:
        biomedica.cluster(dataset, features=FEATURES, model=model, name="again", overwrite=True)

    contenders = [timed("biomedica", ours), timed("faiss", lambda: index.search(points, 1))]
    measured = interleaved(contenders, rounds)
    case, peer = f"{clusters:,} clusters, files to a sidecar", "faiss: search in memory"
    return [beside(measured, case, peer, len(points), "vectors/s", theirs="faiss")], measured


def ranks(_: Corpus, rounds: int) -> Measured:
    """The rank of each image's caption and of each caption's image among all, beside searches of the nearest both ways."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(2, PAIRS, WIDTH)).astype(np.float32)
    images, texts = drawn / np.linalg.norm(drawn, axis=2, keepdims=True)

    def theirs() -> None:
        for known, asked in ((texts, images), (images, texts)):
            index = faiss.IndexFlatIP(WIDTH)
            index.add(known)
            index.search(asked, NEAREST)

    contenders = [timed("biomedica", lambda: metrics.ranks(images, texts)), timed("faiss", theirs)]
    measured = interleaved(contenders, rounds)
    case = f"retrieval, {PAIRS:,} pairs, both ways"
    return [beside(measured, case, f"faiss: the {NEAREST} nearest", PAIRS, "pairs/s", theirs="faiss")], measured

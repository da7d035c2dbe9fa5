"""Cases of vectors: k-means, and ranks of retrieval, beside faiss."""

import faiss
import numpy as np

from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Measured, Row, interleaved, medians, spread, timed
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
    seconds = medians(measured)
    mine, other = (f"{len(sample) / seconds[name]:,.0f} vectors/s" for name in ("biomedica", "faiss"))
    ratio, span = seconds["faiss"] / seconds["biomedica"], spread(measured, "faiss", "biomedica")
    return [Row(f"k-means, {CLUSTERS} clusters", mine, "faiss.Kmeans", other, ratio, "", span)], measured


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
    seconds = medians(measured)
    mine, other = (f"{PAIRS / seconds[name]:,.0f} pairs/s" for name in ("biomedica", "faiss"))
    ratio, span = seconds["faiss"] / seconds["biomedica"], spread(measured, "faiss", "biomedica")
    return [
        Row(f"retrieval, {PAIRS:,} pairs, both ways", mine, f"faiss: the {NEAREST} nearest", other, ratio, "", span)
    ], measured

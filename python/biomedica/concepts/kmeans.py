"""k-means by faiss, and how good and how stable clusters are."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Init", "Searcher", "adjusted_rand", "imported", "kmeans", "silhouette"]

Vectors: TypeAlias = "NDArray[np.float32]"
Labels: TypeAlias = "NDArray[np.int64]"
Init: TypeAlias = Literal["random", "k-means++"]
RUNS = 1_000_003
"""Apart lie the seeds of runs, so that those of neighbouring seeds are others."""
SPREAD = 16
"""Points a cluster that k-means++ draws from."""
ROWS = 8192
"""Points at a time whose differences stay in a core's cache."""
BLOCK = 1024
"""Rows of distances at a time."""


class Searcher:
    """Finds the nearest centroid of points, on a GPU where faiss has one."""

    def __init__(self, centroids: Vectors) -> None:
        faiss = imported()
        self._centroids = centroids
        self._index: Any = faiss.IndexFlatL2(centroids.shape[1])
        if _gpus(faiss):
            self._index = faiss.index_cpu_to_all_gpus(self._index)
        self._index.add(centroids)

    def nearest(self, points: Vectors) -> tuple[Labels, Vectors]:
        """Of each point the nearest centroid, and its distance."""
        if not len(points):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        # faiss takes the difference of large squares for distances: good enough to compare them, and no more.
        labels = self._index.search(points, 1)[1][:, 0]
        squares = np.empty(len(points), np.float32)
        for start in range(0, len(points), ROWS):
            rows = slice(start, start + ROWS)
            apart = points[rows] - self._centroids[labels[rows]]
            np.einsum("ij,ij->i", apart, apart, out=squares[rows])
        return labels, np.sqrt(squares)


def kmeans(
    points: Vectors, k: int, *, init: Init = "k-means++", restarts: int = 1, iterations: int = 25, seed: int = 0
) -> Vectors:
    """The best of several runs of Lloyd's algorithm (doi 10.1109/TIT.1982.1056489), by faiss (arXiv 2401.08281).

    A cluster that loses its last point gets half of a large one's. All points count: the sample is the caller's to draw.

    Args:
        points: float32 [n, d].
        k: Clusters; at most n.
        init: Points drawn at random, or apart from each other (k-means++, Arthur and Vassilvitskii 2007).
        restarts: Runs, of which the one with the least inertia is kept.
        iterations: Of each run.
        seed: Of all draws.

    Returns:
        The centroids, float32 [k, d].
    """
    faiss = imported()
    runs = faiss.Kmeans(
        points.shape[1],
        k,
        niter=iterations,
        seed=seed,
        gpu=_gpus(faiss),
        min_points_per_centroid=1,
        max_points_per_centroid=len(points) // k + 1,
    )
    best, least = points[:0], np.inf
    for run in range(restarts):
        runs.cp.seed = seed + RUNS * run
        inertia = runs.train(points, init_centroids=_spread(points, k, runs.cp.seed) if init == "k-means++" else None)
        if inertia < least:
            best, least = runs.centroids, inertia
    return best


def _spread(points: Vectors, k: int, seed: int) -> Vectors:
    """Where k-means++ begins, of some points a cluster: of all it would cost more than k-means itself."""
    faiss = imported()
    few = np.random.default_rng(seed).permutation(len(points))[: SPREAD * k]
    drawn = np.ascontiguousarray(points[few])
    choice = faiss.ClusteringInitialization(points.shape[1], k)
    choice.method, choice.seed = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS, seed
    centroids = np.empty((k, points.shape[1]), np.float32)
    choice.init_centroids(len(drawn), faiss.swig_ptr(drawn), faiss.swig_ptr(centroids))
    return centroids


def silhouette(points: Vectors, labels: Labels) -> float | None:
    """The mean silhouette (Rousseeuw 1987, doi 10.1016/0377-0427(87)90125-7): from -1 to 1, that of a lone point is 0.

    Takes the square of the number of points in time. None when all or none of the points are of one cluster.
    """
    order = np.argsort(labels, kind="stable")
    points, labels = points[order].astype(np.float64), labels[order]
    found, starts, counts = np.unique(labels, return_index=True, return_counts=True)
    if not 1 < len(found) < len(points):
        return None
    own = np.searchsorted(found, labels)
    squares = (points**2).sum(axis=1)
    total = 0.0
    for start in range(0, len(points), BLOCK):
        rows = slice(start, min(start + BLOCK, len(points)))
        products = points[rows] @ points.T
        distances = np.sqrt(np.maximum(squares[rows, np.newaxis] + squares - 2 * products, 0))
        sums = np.add.reduceat(distances, starts, axis=1)
        here = np.arange(len(sums))
        # Its distance to itself is nothing, and it is not counted among the others.
        within = sums[here, own[rows]] / np.maximum(counts[own[rows]] - 1, 1)
        means = sums / counts
        means[here, own[rows]] = np.inf
        without = means.min(axis=1)
        larger = np.maximum(within, without)
        score = np.divide(without - within, larger, out=np.zeros_like(larger), where=larger > 0)
        total += score[counts[own[rows]] > 1].sum()
    return float(total / len(points))


def adjusted_rand(one: Labels, other: Labels) -> float:
    """How far two clusterings of the same points agree beyond chance (Hubert and Arabie 1985): 1 is the same, 0 is chance."""
    _, one = np.unique(one, return_inverse=True)
    columns, other = np.unique(other, return_inverse=True)
    _, cells = np.unique(one.astype(np.int64) * len(columns) + other, return_counts=True)

    def pairs(counts: "NDArray[np.int64]") -> float:
        return float((counts.astype(np.float64) * (counts - 1) / 2).sum())

    both, ones, others = pairs(cells), pairs(np.bincount(one)), pairs(np.bincount(other))
    expected = ones * others / max(pairs(np.array([len(one)])), 1.0)
    most = (ones + others) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def imported() -> Any:
    """The module faiss.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("clusters need faiss: pip install 'biomedica[concepts]'", name=error.name) from error
    return faiss


def _gpus(faiss: Any) -> int:
    """Those that this build of faiss can use."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "index_cpu_to_all_gpus") else 0

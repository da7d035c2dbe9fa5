"""`cluster`: principal components of features, and k-means on them; all images are assigned, part by part."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from biomedica._sidecar import Part, Sidecar
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import Storage, storage
from biomedica.concepts.features import DEFAULT_MODEL, checked_name, folder, identity, read_record, write_record
from biomedica.concepts.kmeans import Init, Searcher, adjusted_rand, imported, kmeans, silhouette
from biomedica.concepts.model import MODEL, Model
from biomedica.concepts.pictures import need_matplotlib, scree, sizes
from biomedica.concepts.space import fit
from biomedica.concepts.vectors import Rows, Vectors, ahead
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import ModelError

__all__ = ["Clustering", "cluster"]

COLUMNS = {"image_cluster_id": pa.int32(), "image_cluster_distance": pa.float32()}
POINTS_PER_CLUSTER = 256
"""In the sample, unless it is given: more hardly move the centroids."""
DEFAULTS: dict[str, Any] = {
    "k": 2000,
    "components": 25,
    "init": "k-means++",
    "restarts": 3,
    "iterations": 25,
    "seed": 0,
}
"""What is not asked for: that of the paper, where it says so."""
WRITES = 2
"""Parts that wait to be written."""
JUDGED = 10_000
"""Points that the silhouette is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """The clusters of a dataset."""

    name: str
    """`Dataset.sidecar("clusters/<name>")` has the cluster of each image."""
    features: str
    """Those that were clustered."""
    k: int
    components: int
    sample: int
    """Images that the model was made of."""
    explained_variance: float
    """The share of the features' variance that the components have."""
    inertia: float
    """Mean squared distance of the sample to its centroids."""
    silhouette: float | None
    """Mean silhouette of up to ten thousand of the sample; None for one cluster."""
    stability: float
    """Adjusted Rand index of two clusterings of the sample that differ in their seed."""
    sizes: list[int]
    """Images of each cluster."""
    parts: int
    """Parts that were assigned by this call; others were already."""
    seconds: float
    """Since the call."""


Progress = Callable[[str, int, int], object]
"""Told of a stage (`sample`, `train`, `assign`), what of it is done, and all of it."""


def cluster(
    dataset: Dataset | StrPath,
    *,
    features: str | None = None,
    name: str = "default",
    k: int | None = None,
    components: int | None = None,
    init: Init | None = None,
    restarts: int | None = None,
    iterations: int | None = None,
    sample: int | None = None,
    seed: int | None = None,
    model: StrPath | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    storage_options: StorageOptions | None = None,
    progress: Progress | None = None,
) -> Clustering:
    """Cluster the features of a dataset's images, and keep each image's cluster beside the dataset.

    The way of BIOMEDICA (arXiv 2501.07171): features become their 25 first principal components, and k-means makes 2,000
    clusters of them, on purpose more than there are concepts. Both are made of a sample, drawn from `seed`; then all
    images are assigned part by part, so that memory does not grow with the dataset.

    `Dataset.sidecar("clusters/<name>")` has a row for each figure: `image_cluster_id` and `image_cluster_distance`, the
    distance to the centroid in the space of the components; null where there are no features. Beside it lie
    `model.safetensors` (`mean`, `components`, `centroids`), `model.json` (all figures, and what it was made of),
    `scree.png` and `sizes.png`.

    Where there are clusters of the name already, their model assigns what is new and nothing is learnt: an update keeps
    its clusters' numbers, and a run that was stopped goes on at the next part.

    Args:
        dataset: A dataset, or its directory or URL.
        features: Their name, as `embed` gave it; by default those of its default model.
        name: Of the clusters.
        k: Clusters, 2,000 if not given.
        components: Principal components, 25 if not given; at most as many as the features have numbers.
        init: Where k-means begins: points far from each other (`k-means++`), or any (`random`).
        restarts: Runs of k-means, of which the best counts; 3 if not given.
        iterations: Of each; 25 if not given.
        sample: Images to learn from; 256 a cluster if not given.
        seed: Of the sample and of k-means.
        model: Learn nothing: take the clusters of this folder, `…/clusters/<name>` of another dataset.
        overwrite: Learn anew in the place of clusters of the name.
        threads: Of faiss; as many as there are cores when not given.
        storage_options: How the stores of dataset and model are spoken to; see `biomedica.open`.
        progress: Told of each stage (`sample`, `train`, `assign`) how much of it is done.

    Returns:
        The clusters and how good they are.

    Raises:
        DatasetError: There are no such features of the dataset as it is, or a file cannot be read or written.
        ModelError: There are fewer images than clusters, other clusters have the name, or the model is of other features.
        ValueError: An argument makes no sense.
        ModuleNotFoundError: faiss is missing: `pip install 'biomedica[concepts]'`.

    Example:
        >>> import biomedica as bm
        >>> bm.embed("dataset/", model="color-texture")  # doctest: +SKIP
        >>> bm.cluster("dataset/", features="color-texture", k=200).stability  # doctest: +SKIP
        0.71
    """
    begin = time.monotonic()
    faiss = imported()
    need_matplotlib("the scree plot")
    asked = {"k": k, "components": components, "init": init, "restarts": restarts, "iterations": iterations,
             "sample": sample, "seed": seed}  # fmt: skip
    _check(asked)
    if model is not None and any(value is not None for value in asked.values()):
        raise ValueError(
            "a model that is given is taken as it is: k, components, sample, seed and the like are its own"
        )
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, storage_options=storage_options)
    tell = progress or (lambda *_: None)
    where = folder("clusters", name)
    vectors = Vectors(opened, checked_name(features or DEFAULT_MODEL))
    faiss.omp_set_num_threads(threads or faiss.omp_get_max_threads())
    with opened.storage.lock(where):
        record = read_record(opened.storage, where)
        if record is None or overwrite:
            given = None if model is None else _read_given(storage(model, storage_options))
            made, record = _learnt(vectors, asked, tell) if given is None else given
            _check_features(vectors, record, str(model or where))
            _clear(opened.storage, where)
            opened.storage.write(f"{where}/{MODEL}", made.to_bytes())
            opened.storage.write(f"{where}/scree.png", scree(record["explained_variance_ratio"], record["components"]))
            write_record(opened.storage, where, record)
        else:
            if model is not None:
                raise ModelError(
                    f"{opened.storage.location(where)} is there already; choose another name, or overwrite it"
                )
            _check_same(record, asked, str(opened.storage.location(where)))
            _check_features(vectors, record, str(opened.storage.location(where)))
            made = Model.read(opened.storage, where, record)
        parts = _assign(opened, vectors, made, where, tell)
        counts = _sizes(opened, where, record["k"])
        if counts != record.get("sizes"):
            opened.storage.write(f"{where}/sizes.png", sizes(counts))
            record = {**record, "sizes": counts}
            write_record(opened.storage, where, record)
    return Clustering(
        name=name, features=vectors.name, k=record["k"], components=len(made.space.components),
        sample=record["sample"], explained_variance=sum(record["explained_variance_ratio"][: record["components"]]),
        inertia=record["inertia"], silhouette=record["silhouette"], stability=record["stability"],
        sizes=counts, parts=parts, seconds=time.monotonic() - begin,
    )  # fmt: skip


def _check(asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        least = 0 if name == "seed" else 1
        if name != "init" and value is not None and value < least:
            raise ValueError(f"{name} is {value}, but must be {least} or more")
    if asked["init"] not in {None, "random", "k-means++"}:
        raise ValueError(f"init is 'random' or 'k-means++', not {asked['init']!r}")


def _check_same(record: dict[str, Any], asked: dict[str, Any], where: str) -> None:
    for name, value in asked.items():
        if value is not None and record["asked"].get(name) != value:
            raise ModelError(
                f"{where} was made with {name} {record['asked'].get(name)!r}, not {value!r}; choose another name, or overwrite it"
            )


def _check_features(vectors: Vectors, record: dict[str, Any], where: str) -> None:
    """Distances between features that were made otherwise mean nothing."""
    theirs, ours = record["features_made_by"], identity(vectors.record)
    differ = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
    if differ:
        key = differ[0]
        raise ModelError(
            f"{where} is of other features than {vectors.name}: {key} {theirs.get(key)!r}, not {ours.get(key)!r}"
        )


def _read_given(files: Storage) -> tuple[Model, dict[str, Any]]:
    record = read_record(files, ".")
    if record is None:
        raise ModelError(f"{files.root}: no clusters: it has no model.json")
    kept = {key: value for key, value in record.items() if key not in {"format", "sizes"}}
    return Model.read(files, ".", record), {**kept, "taken_from": record["sha256"]}


def _clear(files: Storage, where: str) -> None:
    """What an earlier model assigned means nothing by another one."""
    for file in files.names(where):
        if not file.startswith("."):
            files.remove(f"{where}/{file}")


def _learnt(vectors: Vectors, asked: dict[str, Any], tell: Progress) -> tuple[Model, dict[str, Any]]:
    """A model of a sample, and its record."""
    use = {**DEFAULTS, **{name: value for name, value in asked.items() if value is not None}}
    k, seed = use["k"], use["seed"]
    wanted = use.get("sample") or POINTS_PER_CLUSTER * k
    rows = Rows(vectors, wanted, seed)
    parts = 2 * len(vectors.parts)
    done = 0

    def drawn() -> Iterator[Any]:
        nonlocal done
        for part in rows:
            yield from part
            done += 1
            tell("sample", done, parts)

    space = fit(drawn(), use["components"])
    points = np.concatenate([space.project(batch) for batch in drawn()])
    if len(points) < k:
        raise ModelError(f"{len(points):,} images cannot make {k:,} clusters; ask for fewer")
    runs = {"init": use["init"], "iterations": use["iterations"]}
    tell("train", 0, 2)
    best = kmeans(points, k, restarts=use["restarts"], seed=seed, **runs)
    tell("train", 1, 2)
    other = kmeans(points, k, restarts=use["restarts"], seed=seed + 1, **runs)
    tell("train", 2, 2)
    labels, distances = Searcher(best).nearest(points)
    again, _ = Searcher(other).nearest(points)
    judged = np.random.default_rng(seed).permutation(len(points))[:JUDGED]
    made = Model(space, best)
    return made, {
        "features": vectors.name,
        "features_made_by": identity(vectors.record),
        "asked": {**use, "sample": asked["sample"]},
        "k": k,
        "components": len(space.components),
        "sample": len(points),
        "explained_variance_ratio": [float(f"{ratio:.6g}") for ratio in space.ratios[:100]],
        "inertia": float(np.mean(distances.astype(np.float64) ** 2)),
        "silhouette": silhouette(points[judged], labels[judged]),
        "stability": adjusted_rand(labels, again),
        "empty": int(k - len(np.unique(labels))),
        "sha256": hashlib.sha256(made.to_bytes()).hexdigest(),
        "versions": {"faiss": imported().__version__, "numpy": np.__version__},
    }


def _assign(dataset: Dataset, vectors: Vectors, model: Model, where: str, tell: Progress) -> int:
    """Give the images of the parts that are missing their clusters; reading and writing go on beside the search."""
    sidecar = Sidecar(dataset, where, COLUMNS)
    missing = sidecar.missing()
    searcher = Searcher(model.centroids)

    def read() -> Iterator[tuple[Part, Any, Any]]:
        for part in missing:
            batches = [(is_there, model.space.project(batch)) for is_there, batch in vectors.batches(part)]
            are_there, points = zip(*batches, strict=True) if batches else ([np.zeros(0, bool)], [np.zeros((0, 0))])
            yield part, np.concatenate(are_there), np.concatenate(points)

    with ThreadPoolExecutor(1, thread_name_prefix="biomedica.clusters") as writer:
        waiting: deque[Future[None]] = deque()
        for done, (part, is_there, points) in enumerate(ahead(read())):
            columns = {}
            for name, found in zip(COLUMNS, searcher.nearest(points), strict=True):
                spread = np.zeros(len(is_there), COLUMNS[name].to_pandas_dtype())
                spread[is_there] = found
                columns[name] = pa.array(spread, mask=~is_there)
            waiting.append(writer.submit(sidecar.write, part, columns))
            while len(waiting) > WRITES:
                waiting.popleft().result()
            tell("assign", done + 1, len(missing))
        for write in waiting:
            write.result()
    return len(missing)


def _sizes(dataset: Dataset, where: str, k: int) -> list[int]:
    counts = np.zeros(k, np.int64)
    for batch in dataset.sidecar(where).to_batches(columns=["image_cluster_id"]):
        counts += np.bincount(batch.column(0).drop_null().to_numpy(), minlength=k)
    return [int(count) for count in counts]

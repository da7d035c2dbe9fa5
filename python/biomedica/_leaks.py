"""`leaks`: which images of a dataset are in test sets too, and which of theirs are in the dataset."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

import pyarrow as pa

from biomedica._duplicates import GROUPS, HASHES, check_threshold, hash_pairs
from biomedica._sidecar import Part, fresh_files
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import storage
from biomedica.concepts.features import identity
from biomedica.concepts.vectors import Vectors
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.evaluation.against import Against, Items, as_items
from biomedica.evaluation.embedder import embedder_of
from biomedica.evaluation.evidence import EVIDENCE, Count, Evidence, Finder, Findings
from biomedica.evaluation.leaks import chance, write_leaks
from biomedica.evaluation.targets import Targets
from biomedica.selections.pairs import Pairs

__all__ = ["Leaks", "leaks"]

THRESHOLD = 6
"""Bits of 63; two more than duplicates have, as a copy that is missed costs more than a pair that is left out."""
SIMILARITY = 0.95
SHOWN = 200
BLOCK = 1 << 20
"""Pairs of the dataset that are searched together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """How far the search for leaks is."""

    items: int
    """Images of the tasks that were read."""
    unreadable: int
    """Those of them that cannot be decoded: only their bytes and names are compared."""
    hashed: int
    """Pairs of the dataset that have hashes by now; 0 where nothing was to be hashed."""
    images: int
    """Pairs of the dataset that were searched."""
    total_images: int
    """Pairs of the dataset."""
    blocked: int
    """Images of the dataset for which there is evidence: those in `blocked.parquet`."""
    leaked: int
    """Images of the tasks for which there is: those in `leaked.parquet`."""
    evidence: dict[Evidence, Count]
    """What each evidence found."""
    tasks: dict[str, int]
    """Of each task, the images that are in the dataset."""
    seconds: float
    """Since the call."""


def leaks(
    dataset: Dataset | StrPath,
    against: Against | Iterable[Against],
    output: StrPath,
    *,
    evidence: Evidence | Iterable[Evidence] | None = None,
    threshold: int = THRESHOLD,
    features: str | None = None,
    weights: "str | os.PathLike[str] | None" = None,
    similarity: float = SIMILARITY,
    shown: int = SHOWN,
    threads: int | None = None,
    storage_options: StorageOptions | None = None,
    progress: Callable[[Leaks], object] | None = None,
) -> Leaks:
    """Find what of test sets is in a dataset, as a list of the pairs to leave out and one of the test images concerned.

    Evidence is of four kinds:

    - `exact`: the same bytes (sha-256).
    - `near`: perceptual hashes within `threshold` of 63 bits, turned and mirrored in any of eight ways, as `duplicates`
      has them. The dataset's hashes are made where they are missing.
    - `features`: a cosine of at least `similarity` between features, those of the dataset being `features/<features>`.
    - `provenance`: a test image's key or group names the figure, or its article by PMCID or DOI.

    `output` gets `blocked.parquet` (`image_id`, `evidence`), which `select(exclude=…)` takes; `leaked.parquet` (`task`,
    `key`, `evidence`), the test images that are in the dataset; `pairs.parquet`, the pairs of both, the nearest of each
    image; `leaks.html`, a page with some of them side by side; and, last, `leaks.json` with counts, thresholds and digests.

    Args:
        dataset: A dataset, or its directory or URL.
        against: What it is compared with, one or several: a folder of images, another dataset, or a task's images.
        output: The directory or URL of the files.
        evidence: Which kinds; by default all, but `features` only where these are named.
        threshold: Bits, 0 to 16.
        features: The name of the dataset's features; the same model makes those of the test images.
        weights: The model's weights, as `embed` takes them, where its hub does not have them.
        similarity: The least cosine, above 0 and at most 1.
        shown: Pairs in the page, at most; 0 for no page.
        threads: Threads that decode and search; as many as there are cores when not given.
        storage_options: How the stores of URLs are spoken to; see `open`.
        progress: Called as the work goes on, and once at the end. What it raises stops the run.

    Returns:
        What was found.

    Raises:
        SourceNotFoundError: There is no such dataset or folder, or no image in it.
        DatasetError: A dataset or an image cannot be read, or the output cannot be written.
        ModelError: The features' model cannot be had, or is another one by now.
        ValueError: An option makes no sense, or hashes are near each other in too many pairs.

    Example:
        >>> import biomedica as bm
        >>> found = bm.leaks("dataset/", "ham10000/test", "leaks/")  # doctest: +SKIP
        >>> bm.select("dataset/", "clean.parquet", exclude="leaks/blocked.parquet")  # doctest: +SKIP
    """
    begin = time.monotonic()
    wanted = _wanted(evidence, features)
    _check(threshold, similarity, shown, threads, has_weights=weights is not None and features is None)
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(dataset, storage_options=storage_options)
    tasks = _opened(against, storage_options)
    names = [task.name for task in tasks]
    counts = dict.fromkeys(("items", "unreadable", "hashed", "images", "blocked", "leaked"), 0)
    evidences = {kind: Count() for kind in EVIDENCE if kind in wanted}
    leaked_of = dict.fromkeys(names, 0)

    def state() -> Leaks:
        found = {kind: replace(count) for kind, count in evidences.items()}
        seconds = time.monotonic() - begin
        return Leaks(**counts, total_images=len(dataset), evidence=found, tasks=dict(leaked_of), seconds=seconds)

    def show(**new: int) -> None:
        counts.update(new)
        if progress is not None:
            progress(state())

    vectors = None if features is None else Vectors(dataset, features)
    with contextlib.nullcontext() if vectors is None else embedder_of(vectors.record, weights, threads) as embedder:
        targets = Targets(tasks, embedder, threads, lambda items: show(items=items))
    show(items=len(targets), unreadable=targets.unreadable)
    if "near" in wanted:
        _hash(dataset, threads, lambda hashed: show(hashed=hashed))
    finder = Finder(
        dataset, targets, wanted, threshold=threshold, similarity=similarity, vectors=vectors, threads=threads
    )
    findings = Findings(targets, evidences)
    pairs = Pairs(dataset)
    for table in _blocks(pairs.tables(finder.columns)):
        findings.add(table, finder.find(table))
        show(images=counts["images"] + len(table), blocked=sum(map(len, findings.blocked)))
    leaked = findings.leaked()
    leaked_of.update((one["values"], one["counts"]) for one in leaked["task"].value_counts().to_pylist())
    show(leaked=len(leaked))

    record = {
        "dataset": {"location": dataset.location, "sha256": sha256("\n".join(pairs.made_of).encode()).hexdigest()},
        **{name: count for name, count in counts.items() if name != "hashed"},
        "evidence": {kind: asdict(count) for kind, count in evidences.items()},
        "tasks": targets.told(leaked_of),
        "threshold": threshold if "near" in wanted else None,
        "chance": chance(threshold, counts["images"] * counts["items"]) if "near" in wanted else None,
        "similarity": None if vectors is None else similarity,
        "features": None if vectors is None else {"name": features, **identity(vectors.record)},
    }
    write_leaks(dataset, findings, leaked, record, storage(output, storage_options), shown)
    return state()


def _wanted(evidence: Evidence | Iterable[Evidence] | None, features: str | None) -> frozenset[Evidence]:
    if evidence is None:
        return frozenset(kind for kind in EVIDENCE if kind != "features" or features)
    if isinstance(evidence, str):
        evidence = (evidence,)
    wanted = frozenset(evidence)
    unknown = sorted(wanted - set(EVIDENCE))
    if unknown or not wanted:
        raise ValueError(f"evidence has {', '.join(unknown) or 'nothing'}; there are {', '.join(EVIDENCE)}")
    if ("features" in wanted) != (features is not None):
        raise ValueError("the evidence 'features' and the name of the features go together")
    return wanted


def _check(threshold: int, similarity: float, shown: int, threads: int | None, *, has_weights: bool) -> None:
    check_threshold(threshold)
    if not 0 < similarity <= 1:
        raise ValueError(f"similarity is {similarity}, but must be above 0 and at most 1")
    if shown < 0:
        raise ValueError(f"shown is {shown}, but must be 0 or more")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}, but must be 1 or more")
    if has_weights:
        raise ValueError("weights are those of a model of features; name the features")
    if shown:
        _need_web()


def _opened(against: Against | Iterable[Against], storage_options: StorageOptions | None) -> list[Items]:
    is_one = isinstance(against, str | os.PathLike | Dataset) or hasattr(against, "name")
    many: Any = [against] if is_one else against
    tasks = [as_items(one, storage_options) for one in many]
    names = [task.name for task in tasks]
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"against has {'one name twice' if names else 'nothing'}: {', '.join(names)}")
    return tasks


def _need_web() -> None:
    try:
        import jinja2  # noqa: F401 - whether it is there is what is asked
        import PIL  # noqa: F401
        import starlette  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the page of leaks needs jinja2, Pillow and starlette: pip install 'biomedica[web]', or ask for no page"
            " (shown=0)",
            name=error.name,
        ) from error


def _hash(dataset: Dataset, threads: int | None, show: Callable[[int], object]) -> None:
    """Hash what of the dataset is not hashed yet."""
    parts = [Part(*part) for part in dataset.parts_of("figures")]
    if len(fresh_files(dataset.storage, HASHES, parts)) < len(parts):
        with dataset.storage.lock(GROUPS):
            for hashed in hash_pairs(dataset, threads):
                show(hashed)


def _blocks(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Tables put together to some that are worth a search."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= BLOCK:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)

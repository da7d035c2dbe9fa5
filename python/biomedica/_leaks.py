"""`leaks`: which images of a dataset are in test sets too, and which of theirs are in the dataset."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import pyarrow as pa

from biomedica._duplicates import GROUPS, check_threshold
from biomedica._hashes import HASHES, PANELS, hash_pairs, is_hashed
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import storage
from biomedica.concepts.features import identity
from biomedica.concepts.vectors import Vectors
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.evaluation.against import Against, open_sets
from biomedica.evaluation.calibrate import Calibration, calibrate
from biomedica.evaluation.clean import CleanScore, clean_scores
from biomedica.evaluation.embedder import embedder_of
from biomedica.evaluation.evidence import EVIDENCE, Count, Evidence, Finder, Findings
from biomedica.evaluation.leaks import CHANCE, chance, write_leaks
from biomedica.evaluation.predictions import load_predictions
from biomedica.evaluation.record import Evaluation
from biomedica.evaluation.targets import Targets
from biomedica.selections.pairs import Pairs

if TYPE_CHECKING:
    import os

__all__ = ["Leaks", "leaks"]

THRESHOLD = 6
"""Bits of 63; two more than duplicates have, as a copy that is missed costs more than a pair that is left out."""
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
    missing: dict[str, str] = field(default_factory=dict)
    """Tasks that were not compared, and what is missing or damaged."""
    scores: tuple[CleanScore, ...] = ()
    """Of the evaluation, at the end: what its models reach with and without the leaked images."""
    unscored: dict[str, str] = field(default_factory=dict)
    """Tasks of the evaluation that have none of these, and why."""
    calibration: Calibration | None = None
    """The least cosine of features, where it was measured."""
    seconds: float
    """Since the call."""


def leaks(
    dataset: Dataset | StrPath,
    output: StrPath,
    *,
    against: Against | Iterable[Against] | None = None,
    tasks: StrPath | Iterable[StrPath] | None = None,
    data_root: StrPath | None = None,
    evaluation: StrPath | None = None,
    evidence: Evidence | Iterable[Evidence] | None = None,
    threshold: int = THRESHOLD,
    features: str | None = None,
    weights: "str | os.PathLike[str] | None" = None,
    similarity: float | None = None,
    shown: int = SHOWN,
    threads: int | None = None,
    storage_options: StorageOptions | None = None,
    progress: Callable[[Leaks], object] | None = None,
) -> Leaks:
    """Find what of test sets is in a dataset, as a list of the pairs to leave out and one of the test images concerned.

    Evidence is of five kinds:

    - `exact`: the same bytes (sha-256).
    - `near`: perceptual hashes within `threshold` of 63 bits, turned and mirrored in any of eight ways, as `duplicates`
      has them. The dataset's hashes are made where they are missing.
    - `panel`: the same of a panel, or an image without its margins, of the one and the whole image of the other, unless the
      whole images are near. Images are cut at even gutters (recursive X-Y cut; Nagy and Seth 1984); at most 31 pieces of
      each are hashed.
    - `features`: a cosine of at least `similarity` between features, those of the dataset being `features/<features>`.
    - `provenance`: a test image's key or group names the figure, or its article by PMCID or DOI.

    `output` gets `blocked.parquet` (`image_id`, `evidence`), which `select(exclude=…)` takes; `leaked.parquet` (`task`,
    `key`, `evidence`), the test images that are in the dataset; `pairs.parquet`, the pairs of both, the nearest of each
    image; `leaks.html`, a page with some of them side by side; and, last, `leaks.json` with counts, thresholds and digests.

    Args:
        dataset: A dataset, or its directory or URL.
        output: The directory or URL of the files.
        against: What it is compared with, one or several: a folder or prefix of images, another dataset, or anything with
            a name that gives images.
        tasks: Tasks of evaluation beside, or instead: names of tasks or domains, task files and directories of these. A
            task whose data are missing or damaged is told, not compared.
        data_root: Where the paths of the tasks' data begin; see `tasks`.
        evaluation: What `evaluate` wrote: its scores are told once more with and without the leaked images.
        evidence: Which kinds; by default all, but `features` only where these are named.
        threshold: Bits, 0 to 16.
        features: The name of the dataset's features; the same model makes those of the test images.
        weights: The model's weights, as `embed` takes them, where its hub does not have them.
        similarity: The least cosine, above 0 and at most 1. By default what 99% of copies (JPEG of quality 50, two thirds
            of the size) of some 256 images of the dataset reach, which depends on the model.
        shown: Pairs in the page, at most; 0 for no page.
        threads: Threads that decode and search; as many as there are cores when not given.
        storage_options: How the stores of URLs are spoken to; see `open`.
        progress: Called as the work goes on, and once at the end. What it raises stops the run.

    Returns:
        What was found.

    Raises:
        SourceNotFoundError: There is no such dataset or folder, or no image in it.
        TaskError: A task is not known or malformed, its data are damaged, or the data of all are missing.
        EvaluationError: There is no such evaluation, or it is damaged.
        DatasetError: A dataset or an image cannot be read, or the output cannot be written.
        ModelError: The features' model cannot be had, or is another one by now.
        ValueError: An option makes no sense, or hashes are near each other in too many pairs.

    Example:
        >>> import biomedica as bm
        >>> found = bm.leaks("dataset/", "leaks/", tasks="dermatology", data_root="data/")  # doctest: +SKIP
        >>> bm.select("dataset/", "clean.parquet", exclude="leaks/blocked.parquet")  # doctest: +SKIP
    """
    begin = time.monotonic()
    wanted = _wanted(evidence, features)
    _check(threshold, similarity, shown, threads, has_weights=weights is not None and features is None)
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(dataset, storage_options=storage_options)
    judged = None if evaluation is None else Evaluation.read(evaluation, storage_options=storage_options)
    sets = open_sets(against, tasks, data_root, storage_options)
    counts = dict.fromkeys(("items", "unreadable", "hashed", "images", "blocked", "leaked"), 0)
    evidences = {kind: Count() for kind in EVIDENCE if kind in wanted}
    leaked_of = dict.fromkeys((one.name for one in sets.there), 0)
    scores: list[CleanScore] = []
    unscored: dict[str, str] = {}
    calibration: Calibration | None = None

    def state() -> Leaks:
        found = {kind: replace(count) for kind, count in evidences.items()}
        seconds = time.monotonic() - begin
        return Leaks(
            **counts, total_images=len(dataset), evidence=found, tasks=dict(leaked_of), missing=dict(sets.missing),
            scores=tuple(scores), unscored=dict(unscored), calibration=calibration, seconds=seconds,
        )  # fmt: skip

    def show(**new: int) -> None:
        counts.update(new)
        if progress is not None:
            progress(state())

    vectors = None if features is None else Vectors(dataset, features)
    with contextlib.nullcontext() if vectors is None else embedder_of(vectors.record, weights, threads) as embedder:
        if embedder is not None and similarity is None:
            calibration = calibrate(dataset, embedder)
            similarity = calibration.similarity
        targets = Targets(
            sets.there, embedder, threads, lambda items: show(items=items), panels="panel" in wanted
        )  # fmt: skip
    show(items=len(targets), unreadable=targets.unreadable)
    for name in _sidecars(wanted):
        _hash(dataset, name, threads, lambda hashed: show(hashed=hashed))
    finder = Finder(
        dataset, targets, wanted, threshold=threshold, similarity=similarity or 1.0, vectors=vectors, threads=threads
    )
    findings = Findings(targets, evidences)
    pairs = Pairs(dataset)
    for table in _blocks(pairs.tables(finder.columns)):
        findings.add(table, finder.find(table))
        show(images=counts["images"] + len(table), blocked=sum(map(len, findings.blocked)))
    leaked = findings.leaked()
    leaked_of.update((one["values"], one["counts"]) for one in leaked["task"].value_counts().to_pylist())
    if judged is not None and evaluation is not None:
        read = partial(load_predictions, storage(evaluation, storage_options))
        found, reasons = clean_scores(judged, read, targets.searched(leaked))
        scores += found
        unscored.update({name: sets.missing.get(name, reason) for name, reason in reasons.items()})
    show(leaked=len(leaked))

    record = {
        "dataset": {"location": dataset.location, "sha256": sha256("\n".join(pairs.made_of).encode()).hexdigest()},
        **{name: count for name, count in counts.items() if name != "hashed"},
        "evidence": {kind: asdict(count) for kind, count in evidences.items()},
        "tasks": targets.told(leaked_of),
        "missing": sets.missing,
        "scores": [asdict(score) for score in scores],
        "unscored": unscored,
        "threshold": threshold if wanted & {"near", "panel"} else None,
        "calibration": None if calibration is None else asdict(calibration),
        "chance": {
            kind: chance(kind, threshold, counts["images"] * counts["items"]) for kind in evidences if kind in CHANCE
        },
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


def _check(threshold: int, similarity: float | None, shown: int, threads: int | None, *, has_weights: bool) -> None:
    check_threshold(threshold)
    if similarity is not None and not 0 < similarity <= 1:
        raise ValueError(f"similarity is {similarity}, but must be above 0 and at most 1")
    if shown < 0:
        raise ValueError(f"shown is {shown}, but must be 0 or more")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}, but must be 1 or more")
    if has_weights:
        raise ValueError("weights are those of a model of features; name the features")
    if shown:
        import biomedica.web  # noqa: F401 - whether it can be is told now, not after hours


def _sidecars(evidence: frozenset[Evidence]) -> list[str]:
    """The hashes that a dataset must have."""
    wanted = {HASHES: {"near", "panel"}, PANELS: {"panel"}}
    return [name for name, kinds in wanted.items() if kinds & evidence]


def _hash(dataset: Dataset, name: str, threads: int | None, show: Callable[[int], object]) -> None:
    """Hash what of the dataset is not hashed yet."""
    if not is_hashed(dataset, name):
        with dataset.storage.lock(GROUPS if name == HASHES else name):
            for hashed in hash_pairs(dataset, threads, name):
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

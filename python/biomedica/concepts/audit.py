"""`draw_audit` and `audit`: how many of the labels of images are wrong, by a sample that somebody checks by hand."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._sources import StorageOptions, StrPath
from biomedica.concepts._files import refuse_existing, write_file
from biomedica.concepts.agreement import Estimate
from biomedica.concepts.propagate import CLUSTER, FOLDER, sizes_of
from biomedica.concepts.record import FORMAT, RECORD, digest, labels_of, read_json, read_record, write_json
from biomedica.concepts.sheet import read_sheet, write_sheet
from biomedica.concepts.strata import Checked, allocate, combined
from biomedica.concepts.taxonomy import Taxonomy
from biomedica.concepts.votes import LEVELS, Value
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import AnswerError, DatasetError

__all__ = ["Audit", "Drawn", "audit", "draw_audit"]

SAMPLE = f"{FOLDER}/audit.json"
UNSAID = "none"
"""The stratum of images whose clusters have, settled, no global concept."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample that was drawn."""

    images: int
    """Images in the sample."""
    of: int
    """Images that it was drawn of: those with a global label."""
    strata: dict[str, int]
    """Images drawn of each stratum, the largest stratum first."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checked images say of some labels."""

    images: int
    """Images that have the label."""
    checked: int
    """Those of the sample that were checked."""
    wrong: int
    """Those of them whose label is wrong."""
    error: Estimate
    """The share of all these images whose label is wrong."""
    covered: float
    """Share of the images whose stratum has a checked one; the error is theirs."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "images": self.images,
            "checked": self.checked,
            "wrong": self.wrong,
            "error": self.error.as_dict(),
            "covered": self.covered,
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """The error of labels."""

    drawn: int
    """Images of the sample."""
    checked: int
    """Those that were checked at some level."""
    levels: dict[str, Checks]
    """By level: a label is wrong when it is not just what the image shows; of concepts, the whole set."""
    labels: dict[str, dict[str, Checks]]
    """By level and label: it is wrong when the image does not show it, whatever else is said of the image."""
    strata: dict[str, Checks]
    """By stratum, the largest first: that of the global level."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "drawn": self.drawn,
            "checked": self.checked,
            "levels": {level: found.as_dict() for level, found in self.levels.items()},
            "labels": {
                level: {label: found.as_dict() for label, found in labels.items()}
                for level, labels in self.labels.items()
            },
            "strata": {stratum: found.as_dict() for stratum, found in self.strata.items()},
        }


def draw_audit(
    dataset: Dataset | StrPath,
    sheet: StrPath,
    *,
    images: int = 400,
    floor: int = 5,
    seed: int = 0,
    save_images: StrPath | None = None,
    storage_options: StorageOptions | None = None,
) -> Drawn:
    """Draw a stratified sample of labelled images, and write the sheet on which somebody is to check them.

    A stratum is the images of one set of global labels. Of each, `floor` images are drawn, the rest in proportion to what
    is left of it; small ones are drawn whole. The sheet has them in an order that tells nothing. Whoever fills it in
    writes beside each label `ok`, or what the image really shows (concepts joined by semicolons), or `none` where
    nothing is to be said; what stays empty counts as not checked. `audit` reads it again.

    The sample is kept in `labels/audit.json` of the dataset, in place of one drawn earlier.

    Args:
        dataset: A dataset that was labelled, or its directory or URL.
        sheet: The file to write: JSON where its name ends in `.json`, else CSV for spreadsheets.
        images: How many to draw.
        floor: Images of each stratum at least, as far as it has them; lowered when that makes too many.
        seed: Of the draw.
        save_images: A directory or URL for the images themselves, each under its id.
        storage_options: How the store of a URL is spoken to; see `open`.

    Returns:
        What was drawn.

    Raises:
        DatasetError: The dataset has no labels, or not for every part, or a file cannot be written.
        ValueError: There is a file of the sheet's name, there are more strata than images to be drawn, or a number makes
            no sense.
    """
    if images < 1 or floor < 1:
        raise ValueError(f"images and floor must be at least 1, not {images} and {floor}")
    refuse_existing(sheet)
    dataset, record, labels = _labelled(dataset, storage_options)
    strata = {cluster: _stratum(values) for cluster, values in labels.items() if values["global"] is not None}
    of_clusters = {cluster: count for cluster, count in sizes_of(dataset, FOLDER).items() if cluster in strata}
    sizes = _by_stratum(of_clusters, labels)
    if not sizes:
        raise DatasetError(f"{dataset.location}: no image has a global label that could be checked")
    plan = allocate(dict(sizes.most_common()), images, floor)
    random = np.random.default_rng(seed)
    wanted = {name: np.sort(random.choice(sizes[name], count, replace=False)) for name, count in plan.items()}
    found = _drawn(dataset, strata, wanted)
    found = [found[place] for place in random.permutation(len(found))]
    names = [image for image, _ in found]
    figures = _figures(dataset, names)
    if save_images is not None:
        for image in names:
            # An id of a foreign dataset may be any text.
            name = f"{re.sub(r'[^A-Za-z0-9_-]', '_', image)}.{figures[image]['image_format']}"
            write_file(f"{os.fspath(save_images)}/{name}", dataset.image(image))
    captions = {image: row["caption"] for image, row in figures.items()}
    write_sheet(sheet, names, captions, [labels[cluster] for _, cluster in found])
    sample = {
        "format": FORMAT,
        "labels": _digest(record),
        "seed": seed,
        "strata": {name: {"images": sizes[name], "drawn": count} for name, count in plan.items()},
        "clusters": {str(cluster): count for cluster, count in sorted(of_clusters.items())},
        "sample": [[image, cluster] for image, cluster in found],
    }
    write_json(dataset.storage, SAMPLE, sample)
    return Drawn(len(found), sizes.total(), plan)


def audit(
    dataset: Dataset | StrPath,
    sheet: StrPath,
    *,
    taxonomy: Taxonomy | StrPath | None = None,
    proposed: bool = False,
    confidence: float = 0.95,
    storage_options: StorageOptions | None = None,
) -> Audit:
    """Read a sheet that was filled in: how many of the labels are wrong, of all labelled images.

    Errors are weighted by the sizes of the strata, and have the interval of Zou, Huang and Zhang, which is made of
    Wilson's for each stratum (`concepts/strata.py` has the sources). Images that were not checked are taken to be like
    those of their stratum that were. The figures are of the images that had a global label when the sample was drawn;
    they are kept in `labels/labels.json` under `audit`, until the dataset gets other labels.

    Args:
        dataset: The dataset, or its directory or URL.
        sheet: The sheet that `draw_audit` wrote, filled in.
        taxonomy: Whose concepts the sheet may name, or its file; the published one when not given.
        proposed: Take concepts that are not in the taxonomy too.
        confidence: What the intervals are to hold.
        storage_options: How the store of a URL is spoken to; see `open`.

    Raises:
        SourceNotFoundError: There is no such file.
        AnswerError: The sheet is malformed, is not of the sample that was drawn last, has no checks, or the dataset got
            other labels since.
        DatasetError: The dataset has no labels, no sample was drawn, or the result cannot be written.
        ValueError: `confidence` makes no sense.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    words = taxonomy if isinstance(taxonomy, Taxonomy) else Taxonomy.load(taxonomy)
    dataset, record, labels = _labelled(dataset, storage_options)
    sizes, images = _sample(dataset, record)
    shown = {image: labels[cluster] for image, cluster in images.items()}
    truth = read_sheet(sheet, shown, None if proposed else words)
    checked = sum(map(bool, truth.values()))
    if not checked:
        raise AnswerError(f"{sheet}: nothing is checked yet: write ok, or what is right, beside the labels")
    view = _View(labels, sizes, images, truth, confidence)
    by_size = _by_stratum(sizes, labels)
    found = Audit(
        drawn=len(images),
        checked=checked,
        levels={level: view.checks(level) for level in LEVELS},
        labels={level: {label: view.checks(level, label) for label in view.labels(level)} for level in LEVELS},
        strata={name: view.checks("global", stratum=name) for name, _ in by_size.most_common()},
    )
    with dataset.storage.lock(FOLDER):
        if _digest(read_record(dataset.storage) or {}) != _digest(record):
            raise DatasetError(f"{dataset.location}: was labelled anew meanwhile; draw a new sample")
        write_json(dataset.storage, RECORD, {**record, "audit": {**found.as_dict(), "confidence": confidence}})
    return found


@dataclass(frozen=True, slots=True)
class _View:
    """Labels and checks, for estimates about any of them."""

    clusters: Mapping[int, Mapping[str, Value]]
    sizes: Mapping[int, int]
    images: Mapping[str, int]
    truth: Mapping[str, Mapping[str, Value]]
    confidence: float

    def labels(self, level: str) -> list[str]:
        """The labels that images have at a level."""
        return sorted({name for cluster in self.sizes for name in _names(self.clusters[cluster][level])})

    def checks(self, level: str, label: str | None = None, stratum: str | None = None) -> Checks:
        """The error at a level: of all, of those with one label, or of those in one stratum."""

        def meant(cluster: int) -> bool:
            values = self.clusters[cluster]
            in_stratum = stratum is None or _stratum(values) == stratum
            return in_stratum and values[level] is not None and (label is None or label in _names(values[level]))

        sizes: Counter[str] = Counter()
        for cluster, size in self.sizes.items():
            if meant(cluster):
                sizes[_stratum(self.clusters[cluster])] += size
        right: defaultdict[str, list[bool]] = defaultdict(list)
        for image, truth in self.truth.items():
            cluster = self.images[image]
            if level in truth and meant(cluster):
                same = truth[level] == self.clusters[cluster][level]
                right[_stratum(self.clusters[cluster])].append(same if label is None else label in _names(truth[level]))
        strata = [Checked(size, len(right[name]), right[name].count(False)) for name, size in sizes.items()]
        total = sizes.total()
        return Checks(
            images=total,
            checked=sum(found.checked for found in strata),
            wrong=sum(found.wrong for found in strata),
            error=combined(strata, self.confidence),
            covered=sum(found.size for found in strata if found.checked) / total if total else 0.0,
        )


def _labelled(
    dataset: Dataset | StrPath, storage_options: StorageOptions | None
) -> tuple[Dataset, dict[str, Any], dict[int, dict[str, Value]]]:
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(dataset, storage_options=storage_options)
    record = read_record(dataset.storage)
    if record is None:
        raise DatasetError(f"{dataset.location}: not labelled yet; `biomedica label` does that")
    return dataset, record, labels_of(dataset.storage, record)


def _sample(dataset: Dataset, record: Mapping[str, Any]) -> tuple[dict[int, int], dict[str, int]]:
    """The sample that was drawn last: images of each cluster, and the cluster of each image of the sample."""
    sample = read_json(dataset.storage, SAMPLE)
    where = dataset.storage.location(SAMPLE)
    if sample is None:
        raise DatasetError(f"{where}: no sample was drawn yet; `biomedica audit --draw` does that")
    if sample.get("labels") != _digest(record):
        raise AnswerError(f"{where}: the dataset got other labels since the sample was drawn; draw a new one")
    try:
        sizes = {int(cluster): int(count) for cluster, count in sample["clusters"].items()}
        images = {str(image): int(cluster) for image, cluster in sample["sample"]}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{where}: damaged; draw a new sample") from error
    if not (set(images.values()) <= sizes.keys() <= {int(cluster) for cluster in record["labels"]}):
        raise DatasetError(f"{where}: damaged; draw a new sample")
    return sizes, images


def _drawn(
    dataset: Dataset, strata: Mapping[int, str], wanted: Mapping[str, "np.ndarray[Any, Any]"]
) -> list[tuple[str, int]]:
    """The images at the wanted places of each stratum, in the order of the dataset, with their clusters."""
    names = list(wanted)
    numbers = np.array(sorted(strata), np.int64)
    of_cluster = np.array(
        [names.index(strata[int(number)]) if strata[int(number)] in wanted else -1 for number in numbers]
    )
    seen = [0] * len(names)
    found = []
    for batch in dataset.sidecar(FOLDER).to_batches(columns=["image_id", CLUSTER]):
        clusters = batch.column(CLUSTER).fill_null(-1).to_numpy()
        places = np.minimum(np.searchsorted(numbers, clusters), len(numbers) - 1)
        codes = np.where(numbers[places] == clusters, of_cluster[places], -1)
        rows = []
        for code, name in enumerate(names):
            here = np.flatnonzero(codes == code)
            first, end = np.searchsorted(wanted[name], [seen[code], seen[code] + len(here)])
            rows += [int(here[place - seen[code]]) for place in wanted[name][first:end]]
            seen[code] += len(here)
        images = batch.column("image_id")
        found += [(images[row].as_py(), int(clusters[row])) for row in sorted(rows)]
    return found


def _figures(dataset: Dataset, images: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the figures table has of images that a person needs."""
    chosen = pc.field("image_id").isin(pa.array(images, pa.string()))
    rows = dataset.figures().to_table(columns=["image_id", "caption", "image_format"], filter=chosen)
    return {row["image_id"]: row for row in rows.to_pylist()}


def _by_stratum(sizes: Mapping[int, int], labels: Mapping[int, Mapping[str, Value]]) -> Counter[str]:
    """Images of each stratum, from those of each cluster."""
    strata: Counter[str] = Counter()
    for cluster, size in sizes.items():
        strata[_stratum(labels[cluster])] += size
    return strata


def _stratum(values: Mapping[str, Value]) -> str:
    return "; ".join(sorted(_names(values["global"]))) or UNSAID


def _names(value: Value) -> frozenset[str]:
    if isinstance(value, frozenset):
        return value
    return frozenset() if value is None else frozenset({value})


def _digest(record: Mapping[str, Any]) -> str:
    """Which labels these are: what is settled, of which clusters."""
    return digest([record.get(name) for name in ("clusters", "model", "labels")])

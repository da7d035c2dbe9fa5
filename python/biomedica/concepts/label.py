"""`label`: what experts said of clusters, to labels of their images."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biomedica._sources import StorageOptions, StrPath
from biomedica.concepts._entry import in_papers_form
from biomedica.concepts.answers import Answer, latest, read_answers, unknown_concept
from biomedica.concepts.dispute import check_queue, disputed_of, write_queue
from biomedica.concepts.experts import Agreement, Expert, agreement_of, experts_of
from biomedica.concepts.histogram import histogram
from biomedica.concepts.pictures import need_matplotlib
from biomedica.concepts.propagate import FOLDER, labels_sidecar, propagate, sizes_of
from biomedica.concepts.record import FORMAT, RECORD, as_json, digest, read_record, write_json
from biomedica.concepts.taxonomy import Taxonomy
from biomedica.concepts.votes import LEVELS, Cluster, settle
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import AnswerError

__all__ = ["Labelling", "label"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """What `label` made of the answers."""

    clusters: tuple[Cluster, ...]
    """Each cluster that somebody judged, with its answers and verdicts, by number."""
    agreement: dict[str, Agreement]
    """How far the experts agree, by level."""
    experts: tuple[Expert, ...]
    """How often each expert says what the others say, by name."""
    images: int
    """Images that have a cluster."""
    settled_images: dict[str, int]
    """Of those, how many are in a cluster that is settled, by level."""

    @property
    def settled(self) -> int:
        """Clusters that are settled at every level."""
        return sum(cluster.settled for cluster in self.clusters)

    @property
    def disputed(self) -> tuple[Cluster, ...]:
        """Clusters that are not settled at some level."""
        return tuple(cluster for cluster in self.clusters if cluster.disputed)

    @property
    def undecided(self) -> int:
        """Clusters with fewer answers than are asked for."""
        return sum(not cluster.verdicts for cluster in self.clusters)

    def as_dict(self) -> dict[str, Any]:
        """The figures, for JSON."""
        return {
            "counts": {
                "clusters": len(self.clusters),
                "settled": self.settled,
                "disputed": len(self.disputed),
                "undecided": self.undecided,
                "answers": sum(len(cluster.answers) for cluster in self.clusters),
                "images": self.images,
                "settled_images": self.settled_images,
            },
            "agreement": {level: found.as_dict() for level, found in self.agreement.items()},
            "experts": {expert.name: expert.as_dict() for expert in self.experts},
        }


def label(
    dataset: Dataset | StrPath,
    answers: StrPath | Iterable[StrPath | Answer],
    *,
    clusters: str = "default",
    taxonomy: Taxonomy | StrPath | None = None,
    proposed: bool = False,
    min_votes: int = 1,
    referee: str | None = None,
    queue: StrPath | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    storage_options: StorageOptions | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Labelling:
    """Settle what clusters show by the experts' votes, measure how far they agree, and label all images.

    Of an expert's several answers of one cluster the latest counts. The votes on a cluster are counted level by level,
    as for BIOMEDICA (arXiv 2501.07171):

    - *panel type*: what more than half of those who give one say;
    - *panel subtype*: what more than half of those say whose panel type is the settled one; none counts as a value;
    - *global* and *local*: each concept that more than half of the experts give. `ambiguous` counts as a concept of each.

    A level is *disputed* where no panel type or subtype has more than half, where exactly half of the experts give some
    concept, or where each gives concepts and none of them has more than half. Images of the cluster get no label there.

    Agreement is measured at each level over the clusters with two votes or more: Krippendorff's alpha (nominal; for sets
    of concepts with Passonneau's MASI distance) and Fleiss' kappa (with unequal numbers of experts as Gwet has it; for
    sets pooled over the concepts), each with a percentile bootstrap interval over clusters. `concepts/agreement.py` has
    the sources.

    Written into `labels/` of the dataset:

    - `000000.parquet`, …: a row a figure: `image_cluster_id`, `image_panel_type`, `image_panel_subtype`, and the lists
      `image_primary_label` (global) and `image_secondary_label` (local). A value is null where nothing is settled.
    - `cluster_labels.json`: the clusters settled at every level, in the form of the paper.
    - `disputed.json`: the clusters that are not, with their votes, those with the most images first.
    - `disagreement.png`: at each level, the share of clusters by the share of experts who dissent.
    - `labels.json`: all figures, what is settled, and what it comes from; written last.

    The same call again writes only what is missing, such as the parts of an update; other answers or other clusters
    write all anew.

    Args:
        dataset: A dataset, or its directory or URL.
        answers: Files of answers (see `biomedica.concepts.answers.read_answers`), or answers.
        clusters: The name of the clusters that the answers are about.
        taxonomy: Whose concepts the answers may name, or its file; the published one when not given.
        proposed: Take concepts that are not in the taxonomy too.
        min_votes: Answers that a cluster must have; of one with fewer nothing is settled.
        referee: An expert whose answers are no votes: they stand where the others' votes leave a dispute.
        queue: A file for the disputed clusters, for a referee to settle: a table to be filled in and given as answers when
            its name ends in `.csv`, else JSON as `disputed.json`. A table that is there already is not replaced.
        samples: Samples of the bootstrap.
        confidence: What the intervals are to hold.
        seed: Of the bootstrap.
        storage_options: How the store of a URL is spoken to; see `open`.
        progress: Called with the parts that are written and those that there are to write.

    Returns:
        What came of it.

    Raises:
        SourceNotFoundError: There is no dataset, or no such file of answers.
        AnswerError: A file of answers or the taxonomy is not what it should be, there are no answers, or they are about
            no cluster of this dataset.
        DatasetError: The dataset has no such clusters, or cannot be written.
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: An option makes no sense, or the table of the queue is there already.

    Example:
        >>> import biomedica as bm
        >>> labelling = bm.label("dataset/", ["ana.json", "bo.json"])  # doctest: +SKIP
        >>> labelling.agreement["global"].alpha.value  # doctest: +SKIP
        0.81
    """
    if min_votes < 1 or samples < 1:
        raise ValueError(f"min_votes and samples must be at least 1, not {min_votes} and {samples}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    need_matplotlib("the histogram of disagreement")
    if queue is not None:
        check_queue(queue)
    words = taxonomy if isinstance(taxonomy, Taxonomy) else Taxonomy.load(taxonomy)
    given = latest(_answers(answers, words, clusters, proposed=proposed))
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(dataset, storage_options=storage_options)
    sizes = sizes_of(dataset, f"clusters/{clusters}")
    found = settle(given, min_votes=min_votes, referee=referee)
    _check(dataset, found, sizes, clusters, referee)
    settled = {
        cluster.number: {level: cluster.value(level) for level in LEVELS} for cluster in found if cluster.verdicts
    }
    labelling = Labelling(
        clusters=tuple(found),
        agreement=agreement_of(found, samples=samples, confidence=confidence, seed=seed),
        experts=tuple(experts_of(found, confidence=confidence)),
        images=sizes.total(),
        settled_images=_settled_images(found, sizes),
    )
    record = {
        "format": FORMAT,
        "clusters": clusters,
        "model": _model(dataset, clusters),
        "taxonomy": words.sha256,
        "votes": digest([answer.as_dict() for answer in given]),
        "min_votes": min_votes,
        "referee": referee,
        "bootstrap": {"samples": samples, "confidence": confidence, "seed": seed},
        **labelling.as_dict(),
        "labels": as_json(settled),
    }
    disputed = disputed_of(labelling.disputed, sizes, clusters)
    _write(dataset, record, settled, labelling, disputed, progress or (lambda *_: None))
    if queue is not None:
        write_queue(queue, disputed, labelling.disputed, referee or "referee")
    return labelling


def _answers(
    answers: StrPath | Iterable[StrPath | Answer], words: Taxonomy, clusters: str, *, proposed: bool
) -> list[Answer]:
    found: list[Answer] = []
    for item in [answers] if isinstance(answers, (str, os.PathLike)) else answers:
        if not isinstance(item, Answer):
            found += read_answers(item, taxonomy=words, proposed=proposed, clusters=clusters)
        elif not proposed and (problem := unknown_concept(item, words)):
            raise AnswerError(f"cluster {item.cluster}, answer of {item.expert}: {problem}")
        else:
            found.append(item)
    if not found:
        raise AnswerError("there are no answers: nobody has judged a cluster yet")
    return found


def _check(
    dataset: Dataset, found: Sequence[Cluster], sizes: Mapping[int, int], clusters: str, referee: str | None
) -> None:
    if not any(cluster.number in sizes for cluster in found):
        raise AnswerError(
            f"{dataset.location}: no image is in a cluster that was judged; are the answers about the clusters {clusters!r}"
            " of this dataset?"
        )
    if not any(cluster.answers for cluster in found):
        raise AnswerError(f"there are no answers but those of the referee {referee!r}, which are no votes")


def _settled_images(found: Iterable[Cluster], sizes: Mapping[int, int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for cluster in found:
        for level, verdict in cluster.verdicts.items():
            counts[level] += sizes.get(cluster.number, 0) if verdict.settled else 0
    return {level: counts[level] for level in LEVELS}


def _model(dataset: Dataset, clusters: str) -> str | None:
    """Which clusters these are: by the numbers of their model, for another of the same name may stand there by now."""
    record = dataset.storage.read(f"clusters/{clusters}/model.json")
    return None if record is None else digest(record.decode("utf-8", "replace"))


def _write(
    dataset: Dataset,
    record: dict[str, Any],
    settled: Mapping[int, Mapping[str, Any]],
    labelling: Labelling,
    disputed: Mapping[str, Any],
    progress: Callable[[int, int], object],
) -> None:
    storage = dataset.storage
    with storage.lock(FOLDER):
        before = read_record(storage) or {}
        source = ("clusters", "model", "labels")
        # Clusters without a model do not tell whether they are still the same.
        same = record["model"] is not None and all(before.get(name) == record[name] for name in source)
        sidecar = labels_sidecar(dataset)
        if not same:
            # Whatever stops the run, nobody reads labels of two kinds, and all are made again.
            storage.remove(RECORD)
            for name in storage.names(FOLDER):
                if name.endswith(".parquet"):
                    storage.remove(f"{FOLDER}/{name}")
        elif "audit" in before:
            record["audit"] = before["audit"]
        propagate(dataset, record["clusters"], settled, sidecar.missing() if same else sidecar.parts, progress)
        storage.write(f"{FOLDER}/disagreement.png", histogram(labelling.agreement))
        write_json(storage, f"{FOLDER}/disputed.json", disputed)
        paper = {str(cluster.number): _paper(cluster) for cluster in labelling.clusters if cluster.settled}
        write_json(storage, f"{FOLDER}/cluster_labels.json", paper)
        write_json(storage, RECORD, record)


def _paper(cluster: Cluster) -> dict[str, Any]:
    """What is settled of a cluster at every level, in the form of the paper."""
    panel_type, panel_subtype, global_concepts, local_concepts = (cluster.value(level) for level in LEVELS)
    return in_papers_form(panel_type, panel_subtype, global_concepts or (), local_concepts or ())

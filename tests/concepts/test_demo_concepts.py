"""From images to selections on the demo corpus: clusters, experts who err at known rates, votes, labels, selections."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import biomedica as bm
from biomedica.concepts.answers import Answer
from biomedica.selections.recipe import PRESETS

CONCEPTS = {
    "Chemical Structures": ["molecule"],
    "Clinical Imaging": ["ultrasound", "fundus", "radiograph", "ct", "dermoscopy", "ecg"],
    "Graphs and Networks": ["tree"],
    "Illustrative Diagrams": ["flowchart"],
    "Immuno Assays": ["blot", "gel"],
    "Microscopy": ["fluorescence", "electron", "histology"],
    "Plots and Charts": ["scatter", "line", "heatmap", "box", "survival", "bar", "forest"],
    "Tables": ["table"],
}
"""What each drawing of the corpus shows, in the words of the taxonomy."""
GLOBAL = {drawing: concept for concept, drawings in CONCEPTS.items() for drawing in drawings}
ERRORS = {"ana": 0.05, "bo": 0.1, "cy": 0.15, "di": 0.2, "eve": 0.3}
"""How often each expert names another concept than the one that most of a cluster shows."""
CLUSTERS = 40


class Corpus:
    """The dataset, what its images show, and what the experts said of its clusters."""

    def __init__(self, directory: Path) -> None:
        bm.demo.make(directory / "packages", articles=110, seed=3)
        self.dataset = bm.extract(directory / "packages", directory / "dataset")
        lines = (directory / "packages" / "truth.jsonl").read_text("utf-8").splitlines()
        drawn = {row["image_id"]: row["concept"] for row in map(json.loads, lines)}
        bm.embed(self.dataset, model="color-texture")
        self.clustering = bm.cluster(self.dataset, features="color-texture", k=CLUSTERS)
        rows = self.dataset.sidecar("clusters/default").to_table().to_pylist()
        self.cluster_of = {
            row["image_id"]: row["image_cluster_id"] for row in rows if row["image_cluster_id"] is not None
        }
        # Composites show several concepts: they are no one's error.
        self.truth = {image_id: GLOBAL[drawn[image_id]] for image_id in self.cluster_of if drawn[image_id] in GLOBAL}
        self.shown = {
            number: Counter(self.truth[i] for i in self.truth if self.cluster_of[i] == number).most_common(1)[0][0]
            for number in {self.cluster_of[image_id] for image_id in self.truth}
        }
        self.answers = self._answers()
        self.labelling = bm.label(self.dataset, self.answers, seed=1)

    def _answers(self) -> list[Answer]:
        rng = np.random.default_rng(7)
        answers = []
        for number, concept in sorted(self.shown.items()):
            for expert, error in ERRORS.items():
                others = [other for other in CONCEPTS if other != concept]
                said = concept if rng.random() >= error else others[rng.integers(len(others))]
                answers.append(Answer(number, expert, "single", None, (said,), (), ambiguous=False))
        return answers

    def labels(self) -> dict[str, list[str] | None]:
        rows = self.dataset.sidecar("labels").to_table(columns=["image_id", "image_primary_label"]).to_pylist()
        return {row["image_id"]: row["image_primary_label"] for row in rows}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("demo"))


def test_clusters_of_descriptors_are_nearly_pure(corpus: Corpus) -> None:
    purity = np.mean([corpus.shown[corpus.cluster_of[i]] == concept for i, concept in corpus.truth.items()])
    print(f"{len(corpus.truth)} images in {CLUSTERS} clusters, {purity:.1%} show what most of their cluster shows")
    assert purity > 0.85


def test_votes_settle_what_most_experts_said(corpus: Corpus) -> None:
    said: dict[int, list[str]] = {}
    for answer in corpus.answers:
        said.setdefault(answer.cluster, []).append(answer.global_concepts[0])
    labels, clusters = corpus.labels(), corpus.cluster_of
    settled = 0
    for number, words in said.items():
        concept, votes = Counter(words).most_common(1)[0]
        expected = [concept] if 2 * votes > len(words) else None
        settled += expected is not None
        assert {tuple(labels[i] or ()) for i in clusters if clusters[i] == number} == {tuple(expected or ())}
    assert corpus.labelling.settled == settled


def test_labels_are_nearly_as_right_as_clusters_are_pure(corpus: Corpus) -> None:
    labels = corpus.labels()
    labelled = [image_id for image_id in corpus.truth if labels[image_id] is not None]
    right = np.mean([labels[image_id] == [corpus.truth[image_id]] for image_id in labelled])
    purity = np.mean([corpus.shown[corpus.cluster_of[image_id]] == corpus.truth[image_id] for image_id in labelled])
    print(
        f"{len(labelled)} of {len(corpus.truth)} images are labelled, {right:.1%} of them right; perfect experts: {purity:.1%}"
    )
    assert len(labelled) > 0.9 * len(corpus.truth)
    # Five experts of whom each is right by himself in 70 to 95 of 100 are outvoted in a cluster or two.
    assert purity - 0.06 < right <= purity + 0.02


def alpha(units: Sequence[Sequence[str]]) -> float:
    """Krippendorff's alpha of nominal values, by its definition."""
    total = sum(len(unit) for unit in units)
    observed = sum(2 * sum(a != b for a, b in combinations(unit, 2)) / (len(unit) - 1) for unit in units) / total
    counts = Counter(value for unit in units for value in unit)
    expected = sum(n * (total - n) for n in counts.values()) / (total * (total - 1))
    return 1 - observed / expected


def test_agreement_is_that_of_the_definition_and_holds_what_the_error_rates_imply(corpus: Corpus) -> None:
    said: dict[int, list[str]] = {}
    for answer in corpus.answers:
        said.setdefault(answer.cluster, []).append(answer.global_concepts[0])
    found = corpus.labelling.agreement["global"]
    assert found.alpha.value == pytest.approx(alpha(list(said.values())), abs=1e-12)
    others = len(CONCEPTS) - 1
    pairs = list(combinations(ERRORS.values(), 2))
    agree = sum((1 - a) * (1 - b) + a * b / others for a, b in pairs) / len(pairs)
    mean = sum(ERRORS.values()) / len(ERRORS)
    shares = np.array([Counter(corpus.shown.values())[concept] for concept in CONCEPTS]) / len(corpus.shown)
    marginal = (1 - mean) * shares + mean * (1 - shares) / others
    implied = 1 - (1 - agree) / (1 - (marginal**2).sum())
    print(
        f"alpha {found.alpha.value:.3f}, [{found.alpha.low:.3f}, {found.alpha.high:.3f}]; the error rates imply {implied:.3f}"
    )
    assert found.alpha.low is not None
    assert found.alpha.high is not None
    assert found.alpha.low < implied < found.alpha.high


def test_selections_by_concept_have_the_pairs_that_the_labels_say(corpus: Corpus, tmp_path: Path) -> None:
    labels = {image_id: found for image_id, found in corpus.labels().items() if image_id in pairs_of(corpus.dataset)}
    filtered = bm.select(corpus.dataset, tmp_path / "filtered.parquet", preset="concept-filtered")
    kept = {
        image_id
        for image_id, found in labels.items()
        if not set(found or ()) & set(PRESETS["concept-filtered"]["drop_concepts"])
    }
    assert ids(filtered) == kept
    balanced = bm.select(corpus.dataset, tmp_path / "balanced.parquet", preset="concept-balanced", cap=20)
    counts = Counter(labels[image_id][0] if labels[image_id] else None for image_id in ids(balanced))  # type: ignore[index]
    before = Counter(found[0] if found else None for found in labels.values())
    assert counts == {concept: min(count, 20) for concept, count in before.items()}
    for chosen in (filtered, balanced):
        with bm.stream(corpus.dataset.path, selection=chosen) as samples:
            assert {sample.key for sample in samples} == ids(chosen)


def pairs_of(dataset: bm.Dataset) -> set[str]:
    rows = dataset.figures().to_table(columns=["image_id", "status"]).to_pylist()
    return {row["image_id"] for row in rows if row["status"] == "ok"}


def ids(selection: bm.Selection) -> set[str]:
    return set(pq.read_table(selection.path, columns=["image_id"])["image_id"].to_pylist())

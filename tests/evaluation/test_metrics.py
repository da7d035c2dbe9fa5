"""Metrics give the numbers of scikit-learn and of plain formulae."""

import numpy as np
import pytest
import sklearn.metrics as reference
import torch

from biomedica.evaluation import metrics, ordered
from biomedica.evaluation.resample import Weighted


def of_all(weighted: Weighted) -> float:
    """The metric of every sample once."""
    return float(weighted.metric(np.ones(len(weighted))))


@pytest.mark.parametrize("seed", range(5))
def test_classification_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 9, (500, 7)) / 8  # few values: many ties
    labels, predicted = rng.integers(0, 7, 500), scores.argmax(1)
    labels[:7] = range(7)
    one_hot = labels[:, None] == np.arange(7)
    matrix = metrics.confusion(labels, predicted, 7)
    assert (matrix == reference.confusion_matrix(labels, predicted)).all()
    sums = metrics.class_sums(matrix)
    for ours, theirs in (
        (metrics.accuracy(sums), reference.accuracy_score(labels, predicted)),
        (metrics.balanced_accuracy(sums), reference.balanced_accuracy_score(labels, predicted)),
        (metrics.macro_f1(sums), reference.f1_score(labels, predicted, average="macro")),
        (of_all(ordered.auroc(one_hot, scores)), reference.roc_auc_score(one_hot, scores)),
        (of_all(ordered.average_precision(one_hot, scores)), reference.average_precision_score(one_hot, scores)),
    ):
        assert float(ours) == pytest.approx(float(theirs), abs=1e-6)
    soft = np.exp(scores * 3) / np.exp(scores * 3).sum(1, keepdims=True)
    assert of_all(ordered.auroc(one_hot, soft)) == pytest.approx(
        reference.roc_auc_score(labels, soft, multi_class="ovr", average="macro"), abs=1e-6
    )


def test_classes_that_do_not_occur_do_not_change_the_means() -> None:
    small = metrics.class_sums(metrics.confusion([0, 0, 1], [0, 1, 1], 2))
    large = metrics.class_sums(metrics.confusion([0, 0, 1], [0, 1, 1], 5))
    assert metrics.balanced_accuracy(large) == metrics.balanced_accuracy(small) == 0.75
    assert metrics.macro_f1(large) == metrics.macro_f1(small)


def test_accuracy_at_k_is_that_of_scikit_learn_and_ties_count_against() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(300, 9)), rng.integers(0, 9, 300)
    for k in (1, 5):
        theirs = reference.top_k_accuracy_score(labels, scores, k=k, labels=range(9))
        assert metrics.hits(labels, scores, k).mean() == pytest.approx(theirs, abs=1e-6)
    assert not metrics.hits(labels, np.ones((300, 9)), 5).any()


def test_the_calibration_error_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    sure = np.r_[rng.random(1000), 0.0, 1.0]
    right = rng.random(1002) < sure**2
    expected = 0.0
    for low in range(15):
        inside = (sure > low / 15) & (sure <= (low + 1) / 15) | ((low == 0) & (sure == 0))
        expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert float(metrics.calibration_error(metrics.calibration_sums(sure, right).sum(0))) == pytest.approx(expected)


@pytest.mark.parametrize("block", [3, 4096])
def test_recall_is_that_of_the_whole_matrix_with_several_captions(block: int) -> None:
    """The recall of CLIP_benchmark: a hit is any of the own among the k of highest score."""
    rng = np.random.default_rng(1)
    owner = rng.permutation(np.r_[np.arange(40), rng.integers(0, 40, 60)])
    images = rng.normal(size=(40, 8)).astype(np.float32)
    texts = images[owner] + 2 * rng.normal(size=(100, 8)).astype(np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    found = metrics.ranks(images, texts, owner, block)
    scores, own = images @ texts.T, np.arange(40)[:, None] == owner
    for k in (1, 5, 10):
        to_text = np.take_along_axis(own, np.argsort(-scores, 1)[:, :k], 1).any(1).mean()
        to_image = np.take_along_axis(own, np.argsort(-scores, 0)[:k], 0).any(0).mean()
        assert metrics.recall(found.image_to_text, [k])[k] == pytest.approx(to_text, abs=1e-6)
        assert metrics.recall(found.text_to_image, [k])[k] == pytest.approx(to_image, abs=1e-6)
    assert 0 < metrics.recall(found.text_to_image, [1])[1] < 1


def test_ranks_are_the_same_wherever_blocks_are_multiplied() -> None:
    rng = np.random.default_rng(3)
    images, texts = (rng.normal(size=(count, 16)).astype(np.float32) for count in (70, 130))
    images, texts = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, texts))
    owner = np.concatenate([np.arange(70), rng.integers(0, 70, 60)])
    ours = metrics.ranks(images, texts, owner, block=32)
    of_torch = metrics.ranks(images, texts, owner, block=32, put=lambda rows: torch.from_numpy(np.array(rows)))
    assert (ours.image_to_text == of_torch.image_to_text).all()
    assert (ours.text_to_image == of_torch.text_to_image).all()


def test_features_that_are_all_the_same_have_recall_zero() -> None:
    same = np.tile(np.array([0.6, 0.8], np.float32), (50, 1))
    found = metrics.ranks(same, same, block=7)
    assert set(metrics.recall(found.image_to_text, [1, 10]).values()) == {0.0}
    assert of_all(ordered.median_rank(found.text_to_image, np.arange(50), 50)) == 50


def test_wrong_input_is_told() -> None:
    with pytest.raises(ValueError, match="not a class number"):
        metrics.confusion([0, 3], [0, 1], 2)
    with pytest.raises(ValueError, match="one of each"):
        metrics.confusion([0], [0, 1], 2)
    with pytest.raises(ValueError, match="sample 1 is not a number"):
        metrics.hits([0, 1], np.array([[0, 1], [np.nan, 1]]))
    with pytest.raises(ValueError, match="of both"):
        ordered.auroc([1, 1], [[0.1], [0.2]])
    with pytest.raises(ValueError, match="image 1 has no text"):
        metrics.ranks(np.eye(2), np.eye(2), [0, 0])
    with pytest.raises(ValueError, match="probabilities"):
        metrics.calibration_sums([1.5], [True])

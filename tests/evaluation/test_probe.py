"""Probes reach the optimum that scikit-learn does, choose by held-out images, and learn what there is to learn."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from biomedica.evaluation import logistic
from biomedica.evaluation.logistic import Samples, fit
from biomedica.evaluation.predictions import About, Predictions
from biomedica.evaluation.probe import STRENGTHS, cross_few_shot, cross_probe, few_shot, probe, scarce
from biomedica.evaluation.scores import softmax, value
from biomedica.exceptions import EvaluationError

Floats = np.ndarray


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """What is multiplied here is small: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def unit(features: Floats) -> Floats:
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


def planted(
    size: int, classes: int = 4, dimension: int = 32, seed: int = 0, signal: float = 1.0
) -> tuple[Floats, Floats]:
    """Unit features around a common mean, as models give them, with a direction for each class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, size)
    centres = np.random.default_rng(9).normal(size=(classes, dimension)) * signal
    noise = random.normal(size=(size, dimension)) * np.geomspace(3, 0.5, dimension)
    return unit(centres[labels] + noise + 2), labels


@pytest.fixture(scope="module")
def digits() -> tuple[Floats, Floats]:
    features, labels = load_digits(return_X_y=True)
    return unit(features), labels


def objective(features: Floats, labels: Floats, weights: Floats, bias: Floats, strength: float) -> float:
    share = softmax(features.astype(np.float64) @ weights + bias)
    return float(-np.log(share[np.arange(len(labels)), labels]).sum() + strength / 2 * (weights**2).sum())


@pytest.mark.parametrize("strength", [1e-4, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("size", [40, 600])  # fewer images than dimensions, and more
def test_the_optimum_is_that_of_scikit_learn(digits: tuple[Floats, Floats], size: int, strength: float) -> None:
    features, labels = digits[0][:size], digits[1][:size]
    found = fit(Samples(features, labels, 10), strength)
    theirs = LogisticRegression(C=1 / strength, tol=1e-12, max_iter=50_000).fit(features.astype(np.float64), labels)
    ours = objective(features, labels, found.weights.numpy(), found.bias.numpy(), strength)
    expected = objective(features, labels, theirs.coef_.T, theirs.intercept_, strength)
    assert ours == pytest.approx(expected, rel=1e-6)
    scores = found.scores(Samples(digits[0], digits[1], 10))
    assert np.abs(softmax(scores) - theirs.predict_proba(digits[0].astype(np.float64))).max() < 1e-4


def test_two_classes_are_a_softmax_of_two() -> None:
    features, labels = planted(300, 2, signal=0.3)
    share = softmax(probe(features, labels, features, ["a", "b"], strengths=[0.1]))
    theirs = LogisticRegression(C=2 / 0.1, tol=1e-12, max_iter=50_000).fit(features.astype(np.float64), labels)
    assert np.abs(share - theirs.predict_proba(features.astype(np.float64))).max() < 1e-4


def test_several_labels_are_a_sigmoid_each() -> None:
    features, labels = planted(400, 8, signal=0.5)
    has = np.stack([labels >= 6, labels % 2 == 0, (labels == 1) | (labels == 7)], 1)
    numbers = [tuple(np.flatnonzero(row).tolist()) for row in has]
    scores = probe(features, numbers, features, ["a", "b", "c"], strengths=[0.05])
    assert (scores == probe(features, has, features, ["a", "b", "c"], strengths=[0.05])).all()
    for number in range(3):
        theirs = LogisticRegression(C=1 / 0.05, tol=1e-12, max_iter=50_000).fit(
            features.astype(np.float64), has[:, number]
        )
        expected = theirs.predict_proba(features.astype(np.float64))[:, 1]
        assert np.abs(1 / (1 + np.exp(-scores[:, number].astype(np.float64))) - expected).max() < 1e-4


def test_blocks_do_not_change_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = planted(500)
    whole = fit(Samples(features, labels, 4), 0.01)
    monkeypatch.setattr(logistic, "KEPT", 0)
    monkeypatch.setattr(logistic, "BLOCK", 64 * 8 * 40)
    samples = Samples(features, labels, 4)
    assert len(list(samples.blocks())) > 7
    assert torch.allclose(fit(samples, 0.01).weights, whole.weights, rtol=1e-4, atol=1e-4)


def test_the_strength_is_that_which_held_out_images_like_best() -> None:
    features, labels = planted(900, signal=0.3)
    train, held = np.arange(600), np.arange(600, 900)
    parts = [(Samples(features, labels, 4, train), Samples(features, labels, 4, held))]

    def loss(strength: float) -> float:
        scores = fit(parts[0][0], strength).scores(parts[0][1])
        return float(-np.log(softmax(scores)[np.arange(300), labels[held]]).sum())

    tried = {strength: loss(strength) for strength in STRENGTHS[::4]}
    chosen = logistic.choose(parts, STRENGTHS)
    assert 1e-3 < chosen < 100
    assert loss(chosen) < min(tried.values()) + 0.01
    assert logistic.choose(parts, [1e-6, chosen, 1e6]) == chosen


def test_a_probe_learns_real_digits(digits: tuple[Floats, Floats]) -> None:
    features, labels = digits
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:1000], order[1000:]
    names = [str(number) for number in range(10)]
    scores = probe(features[train], labels[train], features[test], names)
    assert scores.dtype == np.float32
    assert (scores.argmax(1) == labels[test]).mean() >= 0.95
    shots = [
        np.mean([(one.argmax(1) == labels[test]).mean() for one in made])
        for made in (few_shot(features[train], labels[train], features[test], names, k, repeats=3) for k in (1, 4, 16))
    ]
    assert 0.5 < shots[0] < shots[1] < shots[2]
    assert shots[2] > 0.9


def test_scores_are_those_of_predictions_with_honest_confidence() -> None:
    features, labels = planted(2400, signal=0.3)
    scores = probe(features[:1200], labels[:1200], features[1200:], list("abcd"))
    about = About(
        model="m", weights="", task="t", task_sha256="", kind="classify", method="probe", classes=tuple("abcd")
    )
    columns = {
        "key": [str(n) for n in range(1200)],
        "label": labels[1200:],
        "predicted": scores.argmax(1),
        "scores": scores,
    }
    found = Predictions.of(about, columns)
    accuracy, error = value(found, "accuracy"), value(found, "calibration_error")
    assert accuracy is not None
    assert error is not None
    assert 0.5 < accuracy < 0.98
    assert error < 0.05


def test_without_a_signal_a_probe_is_as_good_as_guessing() -> None:
    features, labels = planted(600, signal=0.0)
    scores = cross_probe(features, labels, list("abcd"))
    assert abs((scores.argmax(1) == labels).mean() - 0.25) < 0.07
    assert softmax(scores).max() < 0.6


def test_a_group_is_never_learned_from_when_it_is_tested() -> None:
    """Features tell the group alone, so that only who knows the group's other images can tell the class."""
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 6)
    labels = random.integers(0, 2, 60)[group]
    features = unit(random.normal(size=(60, 128))[group] + random.normal(size=(360, 128)) * 0.1)
    names = ["a", "b"]
    leaky, whole = cross_probe(features, labels, names), cross_probe(features, labels, names, groups=group.tolist())
    assert (leaky.argmax(1) == labels).mean() > 0.95
    assert (whole.argmax(1) == labels).mean() < 0.7
    # nor is the strength chosen by it: images of a known group would call for hardly any
    strong = probe(features, labels, features, names, groups=group.tolist())
    weak = probe(features, labels, features, names)
    assert np.abs(strong).max() < np.abs(weak).max() / 3


def test_the_same_seed_gives_the_same_scores() -> None:
    features, labels = planted(300)
    names = list("abcd")
    one, same, other = (cross_few_shot(features, labels, names, 4, repeats=2, seed=seed) for seed in (0, 0, 1))
    assert len(one) == 2
    assert all(np.isfinite(scores).all() and scores.shape == (300, 4) for scores in one)
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert (one[0] != one[1]).any()
    assert (one[0] != other[0]).any()
    assert (probe(features, labels, features, names) == probe(features, labels, features, names)).all()


def test_few_images_learn_from_nothing_but_themselves() -> None:
    features, labels = planted(400, signal=0.5)
    names = list("abcd")
    (first, _) = few_shot(features, labels, features, names, 2, repeats=2, seed=5)
    from biomedica.evaluation.folds import draw

    rows = draw(labels, 4, 2, 5)
    assert (first == probe(features[rows], labels[rows], features, names, seed=5)).all()
    (one,) = few_shot(features, labels, features, names, 1, repeats=1)
    rows = draw(labels, 4, 1)
    assert (one == probe(features[rows], labels[rows], features, names, strengths=[1.0])).all()


def test_classes_with_few_images_are_told() -> None:
    assert scarce([0, 0, 0, 1, 1, 2], ["a", "b", "c"], 3) == {"b": 2, "c": 1}
    assert scarce([(0,), (0, 1), ()], ["a", "b"], 2) == {"b": 1}
    features, labels = planted(30, 3)
    labels[:] = [0] * 27 + [1, 1, 2]
    assert np.isfinite(few_shot(features, labels, features, list("abc"), 8, repeats=1)[0]).all()


def test_features_mapped_from_a_file_are_taken(tmp_path: Path) -> None:
    features, labels = planted(100)
    features.tofile(tmp_path / "features")
    mapped = np.memmap(tmp_path / "features", np.float32, "r", shape=features.shape)
    assert (probe(mapped, labels, mapped, list("abcd")) == probe(features, labels, features, list("abcd"))).all()


def test_a_class_without_images_is_named() -> None:
    features, labels = planted(60, 3)
    with pytest.raises(EvaluationError, match="class 'd' has no training image"):
        probe(features, labels, features, list("abcd"))
    with pytest.raises(EvaluationError, match="class 'c' has no training image outside of one fold"):
        cross_probe(features, labels, list("abc"), groups=np.where(labels == 2, -1, np.arange(60)).tolist())
    with pytest.raises(EvaluationError, match="class 'a' has no training image outside of one fold"):
        cross_probe(features, labels, list("abc"), groups=["one"] * 60)
    with pytest.raises(EvaluationError, match="class 'b' is that of every training image"):
        few_shot(features, [(0, 1), (1,)] * 30, features, ["a", "b"], 2)


def test_what_does_not_fit_is_refused() -> None:
    features, labels = planted(20)
    names = list("abcd")
    bad = features.copy()
    bad[3, 0] = np.nan
    for arguments, told in (
        ((features, labels[1:], features, names), "19 labels but 20 rows"),
        ((features, labels + 1, features, names), r"class numbers 0\.\.3"),
        ((features, [(4,)] * 20, features, names), r"a label is \(4,\)"),
        ((features, labels, features[:, 1:], names), r"test features \(20, 31\)"),
        ((features.astype(np.float64), labels, features, names), "float64"),
        ((bad, labels, features, names), "row 3 of the features is not finite"),
    ):
        with pytest.raises(ValueError, match=told):
            probe(*arguments)
    with pytest.raises(ValueError, match="1 groups"):
        probe(features, labels, features, names, groups=["a"])
    with pytest.raises(ValueError, match="strengths"):
        probe(features, labels, features, names, strengths=[0.0])
    with pytest.raises(ValueError, match="k is 0"):
        few_shot(features, labels, features, names, 0)
    with pytest.raises(ValueError, match="folds is 1"):
        cross_probe(features, labels, names, folds=1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_cuda_gives_the_same_scores() -> None:
    features, labels = planted(2000)
    there = probe(features, labels, features, list("abcd"), device="cuda")
    assert np.abs(softmax(there) - softmax(probe(features, labels, features, list("abcd")))).max() < 1e-4

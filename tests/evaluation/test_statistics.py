"""Intervals cover, tests have their level, and draws are the same for the same seed."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from biomedica.evaluation import metrics, ordered, resample, statistics

REPEATS = 1000


def covered(groups: bool, method: statistics.Method, clusters: bool) -> float:
    """Share of intervals that hold 0.7, for right and wrong of 300 samples, in 60 articles when `clusters`."""
    rng = np.random.default_rng(11)
    names, inside = np.repeat(np.arange(60), 5), 0
    for repeat in range(REPEATS):
        chance = np.repeat(rng.beta(1.4, 0.6, 60), 5) if clusters else np.full(300, 0.7)  # mean 0.7, correlation 1/3
        right = rng.random(300) < chance
        found = statistics.interval(right, groups=names if groups else None, draws=2000, seed=repeat, method=method)
        inside += found.low <= 0.7 <= found.high
    return inside / REPEATS


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_intervals_of_known_accuracy_cover(method: statistics.Method) -> None:
    assert 0.93 <= covered(groups=False, method=method, clusters=False) <= 0.97


def test_intervals_of_balanced_accuracy_cover() -> None:
    rng, inside = np.random.default_rng(5), 0
    chance = np.array([0.9, 0.6, 0.75])  # balanced accuracy 0.75
    for repeat in range(REPEATS):
        labels = rng.choice(3, 400, p=[0.6, 0.25, 0.15])
        predicted = np.where(rng.random(400) < chance[labels], labels, (labels + 1) % 3)
        sums = resample.Sums.of_classes(labels, predicted, 3, metrics.balanced_accuracy)
        found = statistics.interval(sums, draws=2000, seed=repeat)
        inside += found.low <= 0.75 <= found.high
    assert 0.93 <= inside / REPEATS <= 0.97


def test_drawing_articles_covers_where_drawing_samples_does_not() -> None:
    assert 0.93 <= covered(groups=True, method="bca", clusters=True) <= 0.97
    assert covered(groups=False, method="bca", clusters=True) < 0.88


def test_the_paired_test_has_its_level_and_finds_a_difference() -> None:
    rng = np.random.default_rng(3)
    none, some = [], []
    for repeat in range(REPEATS):
        easy = rng.random(400) < 0.5  # both models are right on these: they are correlated
        first, second, third = (easy | (rng.random(400) < chance) for chance in (0.4, 0.4, 0.6))
        one, other, better = map(resample.Sums.of_values, (first, second, third))
        none.append(statistics.compare(one, other, draws=2000, seed=repeat).p)
        some.append(statistics.compare(one, better, draws=2000, seed=repeat).p)
    assert 0.035 <= np.mean(np.array(none) < 0.05) <= 0.065
    assert np.mean(np.array(some) < 0.05) > 0.9


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_an_interval_of_skewed_values_is_that_of_scipy(method: statistics.Method) -> None:
    values = np.random.default_rng(0).lognormal(size=80)
    ours = statistics.interval(values, draws=40_000, method=method)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, method="BCa" if method == "bca" else "percentile", rng=1
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.01)


@pytest.mark.parametrize("metric", [metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1])
def test_counted_draws_are_the_plain_bootstrap(metric: resample.Metric) -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 200)
    predicted = np.where(rng.random(200) < 0.6, labels, rng.integers(0, 3, 200))
    found = resample.estimate(resample.Sums.of_classes(labels, predicted, 3, metric), draws=8000)
    picks = rng.integers(0, 200, (8000, 200))
    plain = [float(metric(metrics.class_sums(metrics.confusion(labels[pick], predicted[pick], 3)))) for pick in picks]
    assert found.value == float(metric(metrics.class_sums(metrics.confusion(labels, predicted, 3))))
    assert found.draws.mean() == pytest.approx(np.mean(plain), abs=0.003)
    assert found.draws.std() == pytest.approx(np.std(plain), rel=0.04)


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    sums = resample.Sums.of_values(np.random.default_rng(0).normal(size=500))
    first, again, other = (resample.estimate(sums, draws=500, seed=seed).draws for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_the_number_of_threads_does_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = resample.Sums.of_values(np.arange(1000))  # whole numbers: sums are exact in any order
    monkeypatch.setattr(resample, "CELLS", 50_000)  # ten blocks
    found = []
    for threads in (1, 4):
        monkeypatch.setattr(resample, "THREADS", threads)
        found.append(resample.estimate(sums, draws=500).draws)
    assert (found[0] == found[1]).all()
    assert len(np.unique(found[0])) > 450  # blocks do not repeat each other


def test_a_model_compared_with_itself_is_no_better() -> None:
    sums = resample.Sums.of_values([1, 0, 1, 1, 0])
    found = statistics.compare(sums, sums, draws=100)
    assert (found.difference.value, found.difference.low, found.difference.high, found.p) == (0, 0, 0, 1)


def test_calibration_has_an_interval() -> None:
    rng = np.random.default_rng(0)
    sure = rng.random(2000)
    rows = metrics.calibration_sums(sure, rng.random(2000) < sure * 0.8)
    found = statistics.interval(resample.Sums.of(rows, metrics.calibration_error), draws=500)
    assert 0.05 < found.low < found.value < found.high < 0.15


def test_holm_is_that_of_its_worked_example() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([]) == []
    with pytest.raises(ValueError, match=r"not in 0\.\.1"):
        statistics.holm([1.5])


def test_averages_are_narrower_than_their_tasks() -> None:
    rng = np.random.default_rng(0)
    tasks = {
        name: resample.estimate(resample.Sums.of_values(rng.random(300) < 0.7), draws=2000, seed=seed)
        for seed, name in enumerate("abcd")
    }
    found = statistics.average(tasks, {"a": "skin", "b": "skin", "c": "eye", "d": "eye"})
    assert set(found) == {"", "skin", "eye"}
    assert found["skin"].value == pytest.approx((tasks["a"].value + tasks["b"].value) / 2)
    intervals = {name: statistics.interval_of(one) for name, one in found.items()}
    assert {one.method for one in intervals.values()} == {"percentile"}
    width = {name: one.high - one.low for name, one in intervals.items()}
    assert width[""] == pytest.approx(width["skin"] / 2**0.5, rel=0.15)
    with pytest.raises(ValueError, match="no domain is given for d"):
        statistics.average(tasks, {"a": "x", "b": "x", "c": "x"})


def test_averages_of_differences_have_p_values() -> None:
    rng = np.random.default_rng(0)
    tasks = {}
    for seed, name in enumerate("abcdef"):
        first, second = (resample.Sums.of_values(rng.random(200) < chance) for chance in (0.75, 0.65))
        tasks[name] = resample.estimate(statistics.difference(first, second), draws=2000, seed=seed)
    found = statistics.average(tasks, dict.fromkeys(tasks, "skin"))["skin"]
    assert found.value == pytest.approx(0.1, abs=0.05)
    assert statistics.p_value(found) < 0.01 < max(map(statistics.p_value, tasks.values()))


def normal_area(rng: np.random.Generator, size: int, distance: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of two normal distributions; their area is that of `stats.norm.cdf(distance / sqrt(2))`."""
    positive = rng.random(size) < 0.3
    return positive[:, None], (rng.normal(size=size) + distance * positive)[:, None]


def test_intervals_of_areas_cover() -> None:
    truth, inside = float(stats.norm.cdf(1 / 2**0.5)), 0
    for repeat in range(REPEATS):
        labels, scores = normal_area(np.random.default_rng([7, repeat]), 150)
        found = statistics.interval(ordered.auroc(labels, scores), draws=1000, seed=repeat)
        inside += found.low <= truth <= found.high
    assert 0.93 <= inside / REPEATS <= 0.97


def test_the_paired_test_of_areas_has_its_level() -> None:
    small = 0
    for repeat in range(REPEATS):
        rng = np.random.default_rng([8, repeat])
        labels, shared = normal_area(rng, 150)
        first, second = (ordered.auroc(labels, shared + rng.normal(size=shared.shape)) for _ in range(2))
        small += statistics.compare(first, second, draws=1000, seed=repeat).p < 0.05
    assert 0.03 <= small / REPEATS <= 0.07


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("what", ["auroc", "average_precision", "median_rank"])
def test_weighted_draws_are_the_plain_bootstrap(what: str, grouped: bool) -> None:
    rng = np.random.default_rng(4)
    positive, scores = rng.random((120, 3)) < 0.4, rng.integers(0, 9, (120, 3)) / 8  # many ties
    groups = rng.integers(0, 40, 120) if grouped else np.arange(120)
    ranks, owner = rng.integers(0, 50, 200), rng.integers(0, 120, 200)

    def plain(pick: np.ndarray) -> float:
        if what == "median_rank":
            return float(np.median(np.concatenate([ranks[owner == one] for one in pick])) + 1)
        of = roc_auc_score if what == "auroc" else average_precision_score
        return float(np.mean([of(positive[pick, c], scores[pick, c]) for c in range(3)]))

    sampled = {
        "auroc": ordered.auroc(positive, scores), "average_precision": ordered.average_precision(positive, scores),
        "median_rank": ordered.median_rank(ranks, owner, 120),
    }[what]  # fmt: skip
    found = resample.estimate(sampled, groups if grouped else None, draws=4000)
    assert found.value == pytest.approx(plain(np.arange(120)), abs=1e-9)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = [
        plain(np.concatenate([members[one] for one in rng.integers(0, len(members), len(members))]))
        for _ in range(1500)
    ]
    assert found.draws.mean() == pytest.approx(np.mean(drawn), rel=0.02)
    assert found.draws.std() == pytest.approx(np.std(drawn), rel=0.08)
    left = [plain(np.concatenate([own for at, own in enumerate(members) if at != out])) for out in range(3)]
    assert found.without[:3] == pytest.approx(left, abs=1e-9)


def test_too_many_units_are_not_left_out_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "MOST_LEFT_OUT", 1000)
    labels, scores = normal_area(np.random.default_rng(0), 60)
    assert statistics.interval(ordered.auroc(labels, scores), draws=200).method == "percentile"


def test_an_area_that_needs_every_unit_has_an_interval_without_correction() -> None:
    for groups in (None, ["a", "a", "b", "b"]):
        labels, scores = (
            ([[1], [0]], [[0.9], [0.1]]) if groups is None else ([[1], [1], [0], [0]], [[4], [3], [1], [2]])
        )
        found = statistics.interval(ordered.auroc(labels, scores), groups=groups, draws=100)
        assert (found.value, found.low, found.high, found.method) == (1, 1, 1, "percentile")


def test_what_a_draw_holds_bounds_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "CELLS", 1000)
    ranks, owner = np.arange(200), np.repeat(np.arange(20), 10)
    seen = []

    def watched(counts: np.ndarray) -> np.ndarray:
        seen.append(len(counts))
        return many.metric(counts)

    many = ordered.median_rank(ranks, owner, 20)
    resample.estimate(resample.Weighted(20, watched, many.cells), draws=50)
    assert max(seen) == 1000 // 200
    both = resample.combined([many, ordered.auroc(np.eye(20)[:, :1], np.ones((20, 1)))], lambda found: found[0])
    assert isinstance(both, resample.Weighted)
    assert both.cells == 200


def test_numbers_of_several_parts_are_joined() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    said = [np.where(rng.random(90) < 0.6, labels, rng.integers(0, 3, 90)) for _ in range(3)]
    parts = [resample.Sums.of_classes(labels, one, 3, metrics.macro_f1) for one in said]
    found = resample.estimate(resample.joined(parts), draws=300, seed=2)
    area = resample.estimate(
        resample.joined([*parts, ordered.auroc(labels[:, None] == 1, rng.random((90, 1)))]), draws=9
    )
    assert found.value == pytest.approx(np.mean([resample.estimate(part, draws=1).value for part in parts]))
    assert np.isfinite(area.draws).all()
    with pytest.raises(ValueError, match="90 and 2 samples"):
        resample.joined([parts[0], resample.Sums.of_values([1, 0])])


def test_wrong_input_is_told() -> None:
    with pytest.raises(ValueError, match="two groups"):
        statistics.interval([1, 0, 1], groups=["a", "a", "a"])
    with pytest.raises(ValueError, match="one for each of 3"):
        statistics.interval([1, 0, 1], groups=["a"])
    with pytest.raises(ValueError, match="no group"):
        statistics.interval([1, 0], groups=np.array(["a", None], object))
    with pytest.raises(ValueError, match="sample 1 is not finite"):
        statistics.interval([1, np.nan])
    with pytest.raises(ValueError, match="same ones"):
        statistics.compare(resample.Sums.of_values([1, 0]), resample.Sums.of_values([1, 0, 1]))
    with pytest.raises(ValueError, match="not a class number"):
        resample.Sums.of_classes([0.7, 1.2], [0, 1], 2, metrics.accuracy)
    for ranks, owner in (([0, 1, 3], [0, 1]), ([0, 1, 3], [0, 1, 5]), ([0, 1, 3], [0, 1, -1])):
        with pytest.raises(ValueError, match="one of 3 samples for each"):
            ordered.median_rank(ranks, owner, 3)
    with pytest.raises(ValueError, match="rank 1 is not a number"):
        ordered.median_rank([0, np.nan], [0, 1], 2)
    for seed in (-1, 2**64):
        for values in ([1, 0] * 9, np.arange(9)):
            with pytest.raises(ValueError, match="seed"):
                statistics.interval(values, seed=seed)

"""Agreement: values worked out by hand and published, and those of the package krippendorff."""

import itertools
from functools import partial
from typing import Any

import krippendorff
import numpy as np
import pytest

from biomedica.concepts.agreement import Estimate, alpha, bootstrap, counted, kappa, masi, pooled_kappa

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), example C: four observers, twelve units.
OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
# Fleiss (1971) as in textbooks: fourteen raters, ten subjects, five categories.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def once(units: int) -> np.ndarray:
    return np.ones((1, units))


def test_alpha_is_that_of_krippendorffs_own_example() -> None:
    rows = [line.split() for line in OBSERVERS.split("\n") if line]
    counts, values = counted([[value for value in unit if value != "."] for unit in zip(*rows, strict=True)])
    assert set(values) == set("12345")
    assert alpha(counts, once(12))[0] == pytest.approx(0.743, abs=0.0005)


def test_kappa_is_that_of_the_textbook_example() -> None:
    assert kappa(np.array(FLEISS, float), once(10))[0] == pytest.approx(0.210, abs=0.0005)


def test_agreement_of_three_units_is_as_worked_out_by_hand() -> None:
    # Two units agree (a a, b b), one does not (a b). Alpha: D_o = 2/6, D_e = 2*3*3/(6*5) = 3/5, so 1 - (1/3)/(3/5) = 4/9.
    counts, _ = counted([["a", "a"], ["b", "b"], ["a", "b"]])
    assert alpha(counts, once(3))[0] == pytest.approx(4 / 9)
    # Kappa: agreement (1 + 1 + 0)/3 = 2/3, chance 1/4 + 1/4 = 1/2, so (2/3 - 1/2)/(1/2) = 1/3.
    assert kappa(counts, once(3))[0] == pytest.approx(1 / 3)


def test_kappa_of_unequal_raters_is_as_worked_out_by_hand() -> None:
    # Units aab, bb, a: agreement (1/3 + 1)/2 = 2/3; mean shares of a (2/3 + 0 + 1)/3 = 5/9, of b 4/9; chance 41/81.
    counts, _ = counted([["a", "a", "b"], ["b", "b"], ["a"]])
    assert kappa(counts, once(3))[0] == pytest.approx((2 / 3 - 41 / 81) / (40 / 81))


def test_masi_is_as_worked_out_by_hand() -> None:
    sets = [frozenset("ab"), frozenset("a"), frozenset("bc"), frozenset("d"), frozenset(), frozenset("abcd")]
    distance = masi(sets)
    assert distance[0] == pytest.approx([0, 1 - 1 / 2 * 2 / 3, 1 - 1 / 3 * 1 / 3, 1, 1, 1 - 1 / 2 * 2 / 3])
    assert distance[4] == pytest.approx([1, 1, 1, 1, 0, 1])
    assert (distance == distance.T).all()


def test_alpha_of_sets_is_as_worked_out_by_hand() -> None:
    # Units {a b}|{a} and {c}|{c}. Distances: ab-a 2/3, all others 1. D_o = (2 * 2/3)/4 = 1/3;
    # D_e = 2 * (2/3 + 2 + 2)/(4*3) = 7/9; alpha = 1 - 3/7.
    counts, sets = counted([[frozenset("ab"), frozenset("a")], [frozenset("c"), frozenset("c")]])
    distance = masi([frozenset(map(str, names)) for names in sets if isinstance(names, frozenset)])
    assert alpha(counts, once(2), distance)[0] == pytest.approx(4 / 7)


@pytest.mark.parametrize("seed", range(8))
def test_alpha_is_that_of_the_package_krippendorff(seed: int) -> None:
    random = np.random.default_rng(seed)
    data = random.integers(0, 4, (5, 30)).astype(float)
    data[:, :15] = data[0, :15]
    data[random.random(data.shape) < 0.3] = np.nan
    counts, _ = counted([[int(value) for value in unit if not np.isnan(value)] for unit in data.T])
    assert alpha(counts, once(30))[0] == pytest.approx(krippendorff.alpha(data, level_of_measurement="nominal"))

    subsets = [frozenset(s) for size in range(3) for s in itertools.combinations("abc", size)]
    numbers = random.integers(0, len(subsets), (4, 20))
    value_counts = np.array([np.bincount(unit, minlength=len(subsets)) for unit in numbers.T])
    distance = masi(subsets)

    def between(first: Any, second: Any, **_: object) -> Any:
        return distance[first.astype(int), second.astype(int)]

    metric: Any = between  # the package's own type of it cannot be met by a plain function

    theirs = krippendorff.alpha(
        value_counts=value_counts, value_domain=np.arange(len(subsets)), level_of_measurement=metric
    )
    assert alpha(value_counts.astype(float), once(20), distance)[0] == pytest.approx(theirs)


def test_pooled_kappa_of_one_concept_is_kappa() -> None:
    marks, raters = np.array([[3.0], [1.0], [0.0], [2.0]]), np.array([3.0, 3.0, 2.0, 4.0])
    counts = np.stack([marks[:, 0], raters - marks[:, 0]], axis=1)
    assert pooled_kappa(marks, raters, once(4))[0] == pytest.approx(kappa(counts, once(4))[0])
    # A concept of perfect agreement beside it: means of both, not a mean of kappas.
    both = np.concatenate([marks, np.array([[3.0], [0.0], [2.0], [0.0]])], axis=1)
    first, second = (np.stack([column, raters - column], axis=1) for column in both.T)
    observed, chance = [], []
    for found in (first, second):
        sizes = found.sum(axis=1)
        observed.append((((found**2).sum(axis=1) - sizes) / (sizes * (sizes - 1))).mean())
        chance.append(((found / sizes[:, None]).mean(axis=0) ** 2).sum())
    expected = (np.mean(observed) - np.mean(chance)) / (1 - np.mean(chance))
    assert pooled_kappa(both, raters, once(4))[0] == pytest.approx(expected)


def test_where_all_say_the_same_agreement_is_not_defined() -> None:
    counts, _ = counted([["a", "a"], ["a", "a", "a"]])
    assert np.isnan(alpha(counts, once(2))[0])
    assert np.isnan(kappa(counts, once(2))[0])
    assert bootstrap(partial(alpha, counts), 2) == Estimate(None, None, None)
    alone, _ = counted([["a"], ["b"]])
    assert str(bootstrap(partial(kappa, alone), 2)) == "not defined"


def test_a_weight_is_a_unit_that_comes_so_often() -> None:
    counts = np.array(FLEISS, float)
    weights = np.array([[3, 1, 0, 2, 1, 1, 0, 1, 0, 1]], float)
    repeated = np.repeat(counts, weights[0].astype(int), axis=0)
    for statistic in (alpha, kappa):
        assert statistic(counts, weights)[0] == pytest.approx(statistic(repeated, once(10))[0])


def test_the_interval_is_seeded_and_holds_the_true_value_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    truth, held = [], 0
    for trial in range(101):
        # Two experts who are each right nine times in ten about one of two equally common values.
        units = 40_000 if trial == 0 else 150
        real = random.integers(0, 2, units)
        said = [np.where(random.random(units) < 0.9, real, 1 - real) for _ in range(2)]
        counts, _ = counted(list(zip(*said, strict=True)))
        if trial == 0:
            truth.append(alpha(counts, once(units))[0])
            continue
        estimate = bootstrap(partial(alpha, counts), units, samples=400, seed=trial)
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= truth[0] <= estimate.high
        if trial == 1:
            again = bootstrap(partial(alpha, counts), units, samples=400, seed=trial)
            assert again == estimate
    assert truth[0] == pytest.approx(0.64, abs=0.02)
    assert held >= 88

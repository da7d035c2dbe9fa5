"""Strata: how many to draw of each, and intervals that hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomedica.concepts.agreement import Estimate
from biomedica.concepts.strata import Checked, allocate, combined, wilson


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    # Newcombe (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (count, total), limits in published.items():
        found = wilson(count, total)
        assert found.value == count / total
        assert (found.low, found.high) == pytest.approx(limits, abs=5e-5)
    assert wilson(0, 0) == Estimate(None, None, None)


def test_a_floor_of_each_and_the_rest_in_proportion() -> None:
    # 5 of each; what is left of the strata is 9,995, 995, 0: 85 in that proportion are 77.3 and 7.7.
    assert allocate({"a": 10_000, "b": 1_000, "c": 5}, 100, 5) == {"a": 82, "b": 13, "c": 5}
    assert allocate({"a": 10, "b": 3, "none": 0}, 100, 5) == {"a": 10, "b": 3}
    assert allocate({"a": 50, "b": 50, "c": 50}, 7, 5) == {"a": 3, "b": 2, "c": 2}
    with pytest.raises(ValueError, match="2 images are too few: there are 3 strata"):
        allocate({"a": 50, "b": 50, "c": 50}, 2, 5)


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=12), st.integers(12, 600), st.integers(1, 20))
def test_as_many_are_drawn_as_asked_for_and_as_there_are(sizes: list[int], images: int, floor: int) -> None:
    strata = {str(number): size for number, size in enumerate(sizes)}
    plan = allocate(strata, images, floor)
    assert sum(plan.values()) == min(images, sum(sizes))
    assert all(1 <= plan[name] <= size for name, size in strata.items())
    if sum(min(size, floor) for size in sizes) <= images:
        assert all(plan[name] >= min(size, floor) for name, size in strata.items())


def test_the_error_is_weighted_by_the_sizes_of_the_strata() -> None:
    found = combined([Checked(900, 10, 1), Checked(100, 10, 5)])
    assert found.value == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)
    low, high = wilson(1, 10), wilson(5, 10)
    assert low.low is not None
    assert high.low is not None
    below = np.hypot(0.9 * (0.1 - low.low), 0.1 * (0.5 - high.low))
    assert found.low == pytest.approx(0.14 - below)
    assert combined([Checked(50, 10, 1)]) == wilson(1, 10)


def test_a_stratum_checked_whole_is_known_and_one_without_a_check_says_nothing() -> None:
    assert combined([Checked(10, 10, 2), Checked(30, 30, 3)]) == Estimate(5 / 40, 5 / 40, 5 / 40)
    assert combined([Checked(10, 10, 2), Checked(30, 0, 0)]).value == pytest.approx(0.2)
    assert combined([Checked(10, 0, 0)]) == Estimate(None, None, None)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    sizes, rates = [60_000, 9_000, 1_000, 300], [0.02, 0.1, 0.3, 0.0]
    truth = sum(size * rate for size, rate in zip(sizes, rates, strict=True)) / sum(sizes)
    plan = allocate({str(number): size for number, size in enumerate(sizes)}, 300, 10)
    held = 0
    for _ in range(1000):
        strata = [
            Checked(size, drawn, int(random.binomial(drawn, rate)))
            for size, drawn, rate in zip(sizes, plan.values(), rates, strict=True)
        ]
        found = combined(strata)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held >= 940

"""The rules of `select` that look at all pairs at once, against plain Python, pair by pair."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomedica._hash import hash_texts
from biomedica.selections import rules
from biomedica.selections.ids import IdSet, digest, read_ids
from biomedica.selections.recipe import PRESETS

LISTS = st.lists(st.none() | st.lists(st.none() | st.sampled_from("abcdef"), max_size=4), min_size=1, max_size=60)
SEEDS = st.integers(0, 2**53)


def drawn(count: int, seed: int, rule: str = "balance") -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return rules.lots(hash_texts(pa.array([f"PMC{n}_0001" for n in range(count)])), seed, rule)


def greedy(values: list[set[str]], lots: list[int], cap: int) -> list[bool]:
    """The rule of balance as its documentation tells it."""
    counts: Counter[str] = Counter()
    kept = [False] * len(values)
    for row in sorted(range(len(values)), key=lots.__getitem__):
        if any(counts[value] < cap for value in values[row]):
            kept[row] = True
            counts.update(values[row])
    return kept


@given(LISTS, st.integers(1, 12), SEEDS, st.integers(1, 60))
def test_balance_keeps_a_pair_while_any_of_its_values_has_room(
    lists: list[list[str | None] | None], cap: int, seed: int, cut: int
) -> None:
    kind = pa.list_(pa.string())
    column = pa.chunked_array([pa.array(lists[:cut], kind), pa.array(lists[cut:], kind)])
    values = rules.Values.of(column)
    plain = [{value for value in own or () if value is not None} or {rules.NONE} for own in lists]
    lots = drawn(len(lists), seed)
    kept = rules.balanced(values, lots, cap)
    assert kept.tolist() == greedy(plain, lots.tolist(), cap)
    before = Counter(value for own in plain for value in own)
    assert dict(zip(values.names, values.counts().tolist(), strict=True)) == before
    after = dict(zip(values.names, values.counts(kept).tolist(), strict=True))
    assert all(after[value] >= min(cap, before[value]) for value in before)


@given(st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=60), st.integers(1, 5), SEEDS, st.randoms())
def test_balance_of_single_values_meets_the_cap_in_any_order(
    values: list[int | None], cap: int, seed: int, random: "np.random.Generator"
) -> None:
    lots = drawn(len(values), seed)
    kept = rules.balanced(rules.Values.of(pa.chunked_array([pa.array(values, pa.int32())])), lots, cap)
    counts = Counter(value for value, is_kept in zip(values, kept, strict=True) if is_kept)
    assert counts == {value: min(count, cap) for value, count in Counter(values).items()}
    order = list(range(len(values)))
    random.shuffle(order)
    mixed = pa.chunked_array([pa.array([values[n] for n in order], pa.int32())])
    assert rules.balanced(rules.Values.of(mixed), lots[order], cap).tolist() == kept[order].tolist()


@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.booleans()), max_size=40))
def test_of_each_group_one_is_left(rows: list[tuple[int | None, bool]]) -> None:
    expected = []
    for number, (group, _) in enumerate(rows):
        own = [n for n, (other, _) in enumerate(rows) if other == group]
        first = next((n for n in own if rows[n][1]), own[0])
        expected.append(group is None or number == first)
    groups = np.array([group or 0 for group, _ in rows], np.int64)
    in_group = np.array([group is not None for group, _ in rows], np.bool_)
    representative = np.array([is_one for _, is_one in rows], np.bool_)
    assert rules.one_of_each_group(groups, in_group, representative).tolist() == expected


@given(st.lists(st.sampled_from("abcd"), max_size=30))
def test_of_equal_hashes_the_first_is_left(names: list[str]) -> None:
    first, second = rules.split(pa.array([name * 64 for name in names], pa.string()))
    assert rules.first_of_each(first, second).tolist() == [name not in names[:n] for n, name in enumerate(names)]


def test_either_half_of_a_hash_counts() -> None:
    hashes = pa.array(["a" * 32 + "b" * 32, "a" * 64, "b" * 64, "a" * 64])
    assert rules.first_of_each(*rules.split(hashes)).tolist() == [True, True, True, False]


def test_lots_are_even_and_those_of_rules_and_seeds_independent() -> None:
    one, other, third = drawn(20_000, 1), drawn(20_000, 1, "sample"), drawn(20_000, 2)
    for lots in (one, other, third):
        counts = np.bincount((lots >> np.uint64(60)).astype(np.int64), minlength=16)
        assert abs(counts - 1250).max() < 5 * 1250**0.5
    for lots in (other, third):
        assert abs(np.corrcoef(one.astype(float), lots.astype(float))[0, 1]) < 0.03


def test_lots_never_change() -> None:
    assert drawn(3, 7).tolist() == [18273658952346243313, 8961976798076334111, 5596576872364328537]


@pytest.mark.parametrize(
    ("quantile", "cap"), [(0.01, 2), (0.25, 2), (0.26, 3), (0.5, 3), (0.75, 5), (0.76, 9), (1.0, 9)]
)
def test_a_quantile_is_the_count_that_a_share_of_values_does_not_exceed(quantile: float, cap: int) -> None:
    assert rules.cap_at(np.array([9, 2, 0, 5, 3]), quantile) == cap


def test_presets_give_about_the_sizes_of_the_paper() -> None:
    """By its counts of images a concept (arXiv 2501.07171); it tells of 24, about 6 and about 8 million."""
    counts = {
        "Plots and Charts": 12_389_066, "Illustrative Diagrams": 2_919_995, "Microscopy": 2_517_332,
        "Clinical Imaging": 1_928_158, "Chemical Structures": 1_128_082, "Immuno Assays": 904_632, "Tables": 639_029,
        "Graphs and Networks": 525_660, "Screen Based Visuals": 457_141, "Maps": 324_265,
        "Tools and Materials": 272_399, "PCR": 35_353, "Scientific Formulae and Equations": 28_888,
    }  # fmt: skip
    dropped = PRESETS["concept-filtered"]["drop_concepts"]
    assert set(dropped) <= set(counts)
    assert round(sum(count for name, count in counts.items() if name not in dropped) / 1e6, 1) == 6.8
    cap = rules.cap_at(np.array(list(counts.values())), PRESETS["concept-balanced"]["quantile"])
    assert round(sum(min(count, cap) for count in counts.values()) / 1e6, 1) == 7.7


def test_a_share_takes_its_part_whatever_else_there_is() -> None:
    lots = drawn(10_000, 3, "sample")
    kept = rules.sampled(lots, 0.1)
    assert abs(int(kept.sum()) - 1000) < 150
    assert rules.sampled(lots[:5000], 0.1).tolist() == kept[:5000].tolist()
    assert not (kept & ~rules.sampled(lots, 0.2)).any()
    assert rules.sampled(lots, 137).sum() == 137
    assert rules.sampled(lots, 20_000).all()
    assert rules.sampled(lots, 1.0).all()


@given(st.lists(st.text(max_size=6), max_size=30), st.lists(st.text(max_size=6), max_size=30))
def test_a_set_of_ids_has_its_own(own: list[str], others: list[str]) -> None:
    found = IdSet(pa.chunked_array([pa.array(own, pa.string())])).has(hash_texts(pa.array(others, pa.string())))
    assert found.tolist() == [other in own for other in others]


def test_the_digest_of_ids_does_not_depend_on_their_chunks() -> None:
    ids = [f"PMC{n}_0001" for n in range(100)]
    whole = pa.array(ids)
    assert digest(read_ids(ids)) == digest(pa.chunked_array([whole[:30], whole[30:30], whole[30:]]))
    assert digest(read_ids(ids)) != digest(read_ids(ids[::-1]))

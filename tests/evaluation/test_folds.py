"""Folds keep groups whole and classes even; draws are seeded, nested and without replacement."""

import numpy as np
import pytest

from biomedica.evaluation.folds import draw, folds, held_out, lacking, members

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.choice(6, 1000, p=[0.4, 0.3, 0.2, 0.06, 0.03, 0.01])


def counts(labels: np.ndarray, fold: np.ndarray, number: int) -> np.ndarray:
    return np.stack([members(labels[fold == one], labels.max() + 1) for one in range(number)])


@pytest.mark.parametrize("number", [2, 5, 7])
def test_images_are_dealt_out_evenly_by_class_and_in_all(number: int) -> None:
    found = folds(LABELS, None, number, 1)
    assert np.ptp(counts(LABELS, found, number), axis=0).max() <= 1
    assert np.ptp(np.bincount(found)) <= 2


def test_groups_stay_whole_and_classes_nearly_even() -> None:
    groups = [f"p{number}" for number in RANDOM.integers(0, 200, len(LABELS))]
    found = folds(LABELS, groups, 5, 1)
    assert all(
        len({fold for fold, group in zip(found, groups, strict=True) if group == one}) == 1 for one in set(groups)
    )
    share = counts(LABELS, found, 5) / np.bincount(LABELS)
    assert np.abs(share[:, :3] - 0.2).max() < 0.02
    assert np.abs(share - 0.2).max() < 0.15  # the rarest class has ten images
    assert np.abs(np.bincount(found) - 200).max() < 10


def test_images_of_no_group_are_groups_of_their_own() -> None:
    found = folds(np.zeros(10, np.int64), [None] * 9 + ["None"], 5)
    assert np.bincount(found).tolist() == [2, 2, 2, 2, 2]


def test_several_labels_are_shared_out_too() -> None:
    has = RANDOM.random((800, 4)) < [0.5, 0.2, 0.1, 0.03]
    found = folds(has, [number // 2 for number in range(800)], 4, 0)
    share = np.stack([has[found == one].sum(0) for one in range(4)]) / has.sum(0)
    assert np.abs(share - 0.25).max() < 0.06


def test_folds_are_those_of_their_seed() -> None:
    assert (folds(LABELS, None, 5, 3) == folds(LABELS, None, 5, 3)).all()
    assert (folds(LABELS, None, 5, 3) != folds(LABELS, None, 5, 4)).any()


def test_what_is_held_out_leaves_every_class_to_learn() -> None:
    labels = np.array([0] * 10 + [1] * 10 + [2, 2, 3])
    groups = [*range(20), "g", "g", "g"]  # two classes lie in one group
    parts = held_out(labels, 4, groups, 5, 0)
    assert len(parts) == 5
    for held in parts:
        assert not held[20:].any()
        assert lacking(labels[~held], 4) == []
    assert held_out(np.arange(4), 4) == []
    has = np.array([[True, False]] + [[True, True]] * 9)  # one image alone lacks the second class
    assert all(not held[0] for held in held_out(has[:, 1:], 1))


def test_draws_have_k_of_each_class_or_all_there_are() -> None:
    found = draw(LABELS, 6, 16, seed=2)
    assert (np.diff(found) > 0).all()
    assert members(LABELS[found], 6).tolist() == np.minimum(np.bincount(LABELS), 16).tolist()
    assert set(draw(LABELS, 6, 4, seed=2)) < set(found)
    assert (draw(LABELS, 6, 16, seed=2) == found).all()
    assert set(draw(LABELS, 6, 16, seed=2, repeat=1)) != set(found)
    assert set(draw(LABELS, 6, 16, seed=3)) != set(found)


def test_draws_of_several_labels_have_k_with_and_k_without_each() -> None:
    has = RANDOM.random((500, 3)) < [0.9, 0.5, 0.05]
    found = has[draw(has, 3, 4)]
    assert (found.sum(0) >= 4).all()
    assert ((~found).sum(0) >= 4).all()
    assert len(found) <= 24

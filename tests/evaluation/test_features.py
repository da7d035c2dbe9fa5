"""Features are kept by what they were made of, whole whatever breaks off."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biomedica.evaluation.features import Cache
from biomedica.exceptions import EvaluationError


class Letters:
    """Counts letters; what begins with `?` cannot be read."""

    def __init__(self, weights: str = "w" * 64) -> None:
        self.record: dict[str, Any] = {"model": "letters", "weights": weights, "input": "caption", "versions": {"a": 1}}
        self.dimension = 3
        self.asked: list[str] = []

    def encode(self, batches: Iterator[list[Any]]) -> Iterator[Any]:
        for batch in batches:
            self.asked += batch
            rows = np.array([[text.count(letter) for letter in "abc"] for text in batch], np.float32)
            rows[[text.startswith("?") for text in batch]] = np.nan
            yield rows


def _expected(texts: list[str]) -> Any:
    rows = np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)
    rows[[text.startswith("?") for text in texts]] = np.nan
    return rows


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_rows_come_in_the_order_asked_for_and_are_made_once(tmp_path: Path, batch_size: int) -> None:
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list("abcd?"), 3)) for _ in range(500)]
    letters = Letters()
    with Cache[str](tmp_path, letters, batch_size, {}) as cache:
        first = cache.encode(texts[:200])
        second = cache.encode(texts)
    assert np.array_equal(first.features, _expected(texts[:200]), equal_nan=True)
    assert np.array_equal(second.features, _expected(texts), equal_nan=True)
    assert len(letters.asked) == len(set(texts)) + len({t for t in texts[:200] if t[0] == "?"})  # unreadable ones again
    letters.asked = []
    with Cache[str](tmp_path, letters, batch_size, {}) as cache:
        third = cache.encode(reversed(texts))
        assert len(cache) == len({text for text in texts if text[0] != "?"})
    assert np.array_equal(third.features, _expected(texts[::-1]), equal_nan=True)
    assert all(text[0] == "?" for text in letters.asked)


def test_a_digest_that_ends_in_zeros_is_found_again(tmp_path: Path) -> None:
    text = next(str(number) for number in range(10_000) if sha256(str(number).encode()).digest()[-1] == 0)
    letters = Letters()
    for expected in (1, 0):
        with Cache[str](tmp_path, letters, 2, {}) as cache:
            assert cache.encode([text, "abc"]).made == 2 * expected


def test_what_broke_off_is_cut_off_and_made_again(tmp_path: Path) -> None:
    letters, texts = Letters(), ["a", "b", "ab", "abc"]
    with Cache[str](tmp_path, letters, 2, {}) as cache:
        cache.encode(texts)
        folder = cache.folder
    for name, length in (("digests", 70), ("features", 30), ("features", 13), ("digests", 0)):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:length])
        with Cache[str](tmp_path, letters, 2, {}) as cache:
            assert np.array_equal(cache.encode(texts).features, _expected(texts))
        with Cache[str](tmp_path, letters, 2, {}) as cache:
            assert cache.encode(texts).made == 0


def test_other_weights_and_other_decoders_have_caches_of_their_own(tmp_path: Path) -> None:
    for letters, depends in ((Letters(), {}), (Letters("v" * 64), {}), (Letters(), {"decoder": "dali"})):
        with Cache[str](tmp_path, letters, 2, depends) as cache:
            assert cache.encode(["a"]).made == 1
    newer = Letters()
    newer.record["versions"] = {"a": 2}
    with Cache[str](tmp_path, newer, 2, {}) as cache:
        assert cache.encode(["a"]).made == 0


def test_a_second_process_is_told_that_the_cache_is_taken(tmp_path: Path) -> None:
    with (
        Cache[str](tmp_path, Letters(), 2, {}),
        pytest.raises(EvaluationError, match="wait for the other process"),
        Cache[str](tmp_path, Letters(), 2, {}),
    ):
        pass

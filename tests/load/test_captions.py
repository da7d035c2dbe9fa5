"""The choice of texts: by probability, the same again for the same place."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from biomedica.load.captions import Captions

FULL = {
    "image_panels": [{"label": "A", "text": "panel A"}, {"label": "B", "text": "panel B"}],
    "image_context": ["m1", "m2", "m3"],
}


@dataclass
class Sample:
    caption: str = "the caption"
    metadata: dict[str, Any] = field(default_factory=lambda: dict(FULL))


def test_without_probabilities_it_is_the_caption() -> None:
    class NoMetadata(Sample):
        def __getattribute__(self, name: str) -> object:
            assert name != "metadata"  # its JSON need not be read
            return super().__getattribute__(name)

    assert {Captions().choose(NoMetadata(), 0, 0, position) for position in range(100)} == {("the caption", "caption")}


def test_kinds_come_in_their_shares_and_texts_of_a_kind_evenly() -> None:
    captions = Captions("caption=0.5, panel=0.2, mention=0.3")
    drawn = Counter(captions.choose(Sample(), 3, 1, position) for position in range(30_000))
    wanted = {
        ("the caption", "caption"): 0.5,
        **{(f"panel {label}", "panel"): 0.1 for label in "AB"},
        **{(f"m{number}", "mention"): 0.1 for number in (1, 2, 3)},
    }
    assert drawn.keys() == wanted.keys()
    for choice, share in wanted.items():
        assert drawn[choice] / 30_000 == pytest.approx(share, abs=0.012)


def test_the_choice_is_a_function_of_seed_epoch_and_position() -> None:
    def drawn(seed: int, epoch: int) -> list[str]:
        captions = Captions({"mention": 2, "caption": 1})
        return [captions.choose(Sample(), seed, epoch, position)[0] for position in range(50)]

    assert drawn(1, 2) == drawn(1, 2)
    assert drawn(1, 2) != drawn(1, 3)
    assert drawn(1, 2) != drawn(2, 2)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"image_panels": None, "image_context": None},
        {"image_panels": [], "image_context": []},
        {"image_panels": [{"label": "A"}, {"text": None}, {"text": " "}, 7], "image_context": ["", " ", None]},
        {"image_panels": "text", "image_context": {"a": 1}},
    ],
)
def test_a_sample_without_the_kind_gives_its_caption(metadata: dict[str, Any]) -> None:
    captions = Captions("panel=1,mention=1")
    assert {captions.choose(Sample(metadata=metadata), 0, 0, position) for position in range(20)} == {
        ("the caption", "caption")
    }


def test_metadata_that_cannot_be_read_leave_the_caption() -> None:
    class Broken(Sample):
        def __getattribute__(self, name: str) -> object:
            if name == "metadata":
                raise ValueError("no JSON")
            return super().__getattribute__(name)

    broken = [Broken(), Sample(metadata=[1])]  # type: ignore[arg-type]
    assert {Captions("mention=1").choose(sample, 0, 0, 0) for sample in broken} == {("the caption", "caption")}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("captions=1", "unknown kind 'captions'"),
        ("caption", "'caption' is no kind=probability"),
        ("", "is no kind=probability"),
        ("caption=a", "'caption=a' is no kind=probability"),
        ("caption=1,caption=1", "given twice"),
        ("caption=0", "not all of them 0"),
        ("caption=-1,panel=2", "0 or more"),
        ("caption=nan", "0 or more"),
        ("caption=inf", "0 or more"),
        ({}, "not all of them 0"),
    ],
)
def test_probabilities_that_make_no_sense_are_refused(given: str | dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Captions(given)

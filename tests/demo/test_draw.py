"""Drawings are seeded, varied, and each can be described."""

from __future__ import annotations

import numpy as np
import pytest

from biomedica.demo.captions import describe
from biomedica.demo.draw import CONCEPTS, draw
from biomedica.demo.encode import RARE_FORMS, encode
from biomedica.demo.rich import rich


@pytest.mark.parametrize("concept", [*CONCEPTS, "composite"])
def test_a_concept_is_drawn_by_its_seed_and_described(concept: str) -> None:
    first, again, other = (draw(concept, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.image.tobytes() != other.image.tobytes()
    assert first.concept == concept
    assert min(first.image.size) >= 200
    assert float(np.asarray(first.image.convert("L")).std()) > 10
    captions = set()
    for seed in range(12):
        told = describe(first, np.random.default_rng(seed))
        captions.add((told.title, told.sentences))
        for text in (told.title, *told.sentences, told.phrase):
            assert "{" not in rich(text).text
    assert len(captions) > 2


def test_a_composite_has_a_sentence_for_every_panel() -> None:
    drawing = draw("composite", np.random.default_rng(1))
    told = describe(drawing, np.random.default_rng(1))
    assert [letter for letter, _ in told.panels] == list("ABCD"[: len(drawing.panels)])
    assert len(told.sentences) == len(drawing.panels)


@pytest.mark.parametrize("form", RARE_FORMS)
def test_rare_forms_keep_the_stored_size(form: str) -> None:
    image = draw("bar", np.random.default_rng(0)).image
    encoded = encode(image, form)
    expected = image.size[::-1] if form == "jpeg-rotated" else image.size
    assert encoded.size == expected
    assert encode(image, form).data == encoded.data

from pathlib import Path

import pytest
from PIL import Image

from biomedica.train.chart import INKS, line_chart


def colours(path: Path) -> set[str]:
    with Image.open(path) as image:
        assert image.size == (800, 500)
        found = image.getcolors(1 << 16)
    assert found is not None
    return {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in found if isinstance(colour, tuple)}


@pytest.mark.parametrize("zero", [True, False])
def test_each_line_is_drawn_in_its_colour(tmp_path: Path, zero: bool) -> None:
    lines = {"one": [(0.0, 0.4), (0.5, 0.6), (1.0, 0.5)], "two": [(0.0, 0.1), (1.0, 0.2)]}
    line_chart(lines, "both", tmp_path / "lines.png", zero=zero)
    assert {INKS[0], INKS[1]} <= colours(tmp_path / "lines.png")


def test_a_flat_line_and_a_single_point_can_be_drawn(tmp_path: Path) -> None:
    line_chart({"flat": [(1, 2.0), (2, 2.0)], "point": [(1, 2.0)]}, "flat", tmp_path / "flat.png")
    assert INKS[0] in colours(tmp_path / "flat.png")

"""Leaks of panels: a test image that is cut out of a compound figure, and one that is put together."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import biomedica as bm
from biomedica import _core
from biomedica.evaluation.targets import Panels
from evaluation.planted import Item, Task, encoded, opened, table

GAP, CELL = 34, 380
"""Of the compound figures of the demo corpus."""


def found_pairs(output: Path) -> set[tuple[str, str]]:
    return {(row["key"], row["image_id"]) for row in table(output, "pairs") if row["evidence"] == "panel"}


def test_panels_cut_out_of_the_datasets_figures_are_found(dataset: bm.Dataset, tmp_path: Path) -> None:
    truth = [json.loads(line) for line in (Path(dataset.location).parent / "demo/truth.jsonl").read_text().splitlines()]
    compound = [row for row in truth if row["concept"] == "composite" and row["status"] == "ok"]
    items, wanted = [], set()
    for row in compound:
        data = dataset.image(row["image_id"])
        if Image.open(io.BytesIO(data)).mode.startswith("I"):  # 16 bits, which Pillow makes white
            continue
        sheet = opened(data)
        columns = sheet.width // (CELL + GAP)
        for number in range(row["attributes"]["panels"]):
            x, y = GAP + number % columns * (CELL + GAP), GAP + number // columns * (CELL + GAP)
            panel = sheet.crop((x, y, x + CELL, y + CELL)).resize((300, 300), Image.Resampling.BICUBIC)
            key = f"{row['image_id']}-{number}"
            items.append(Item(key, encoded(panel, quality=75)))
            wanted.add((key, row["image_id"]))
    found = bm.leaks(dataset, tmp_path / "out", against=Task("cut", tuple(items)), evidence="panel", shown=4)
    assert len(wanted) > 50
    assert len(wanted & found_pairs(tmp_path / "out")) >= 0.95 * len(wanted)
    assert found.evidence["panel"].items == found.leaked
    assert all(row["distance"] <= 6 for row in table(tmp_path / "out", "pairs"))
    assert "the hash of a panel differs" in (tmp_path / "out/leaks.html").read_text("utf-8")
    record = json.loads((tmp_path / "out/leaks.json").read_bytes())
    assert record["chance"]["panel"]["drawings"]["share"] < 0.003
    again = bm.leaks(dataset, tmp_path / "out", against=Task("cut", tuple(items)), evidence="panel", shown=0)
    assert (again.hashed, again.leaked) == (0, found.leaked)


def test_figures_put_together_of_the_datasets_images_are_found(
    dataset: bm.Dataset, hashed: list[str], tmp_path: Path
) -> None:
    items, wanted = [], set()
    for number in range(0, 60, 3):
        sheet = Image.new("RGB", (960, 330), "white")
        for at, image_id in enumerate(hashed[number : number + 3]):
            panel = opened(dataset.image(image_id))
            panel.thumbnail((300, 310), Image.Resampling.BICUBIC)
            sheet.paste(panel, (10 + at * 320, 10))
            wanted.add((f"sheet-{number}", image_id))
        items.append(Item(f"sheet-{number}", encoded(sheet, quality=80)))
    bm.leaks(dataset, tmp_path / "out", against=Task("sheets", tuple(items)), evidence="panel", shown=0)
    assert len(wanted & found_pairs(tmp_path / "out")) >= 0.9 * len(wanted)
    bm.leaks(dataset, tmp_path / "whole", against=Task("sheets", tuple(items)), evidence="near", shown=0)
    near = {(row["key"], row["image_id"]) for row in table(tmp_path / "whole", "pairs")}
    assert len(wanted & near) < 0.1 * len(wanted)


def test_an_image_with_margins_is_found_without_them(dataset: bm.Dataset, hashed: list[str], tmp_path: Path) -> None:
    image = opened(dataset.image(hashed[3]))
    framed = Image.new("RGB", (image.width + 200, image.height + 90), (20, 20, 20))
    framed.paste(image, (150, 60))
    task = Task(
        "framed",
        (Item("framed", encoded(framed)), Item("broken", b"none"), Item("even", encoded(Image.new("L", (90, 90))))),
    )
    found = bm.leaks(dataset, tmp_path / "out", against=task, evidence="panel", shown=0)
    assert ("framed", hashed[3]) in found_pairs(tmp_path / "out")
    assert (found.leaked, found.unreadable) == (1, 1)


def test_the_core_hashes_pieces_and_says_what_it_cannot_read() -> None:
    noise = np.random.default_rng(2).integers(0, 200, (2, 20, 20, 3), np.uint8)
    left, right = (Image.fromarray(one).resize((300, 300)) for one in noise)
    sheet = Image.new("RGB", (660, 320), "white")
    sheet.paste(left, (10, 10))
    sheet.paste(right, (340, 10))
    found, failed = _core.hash_panels(
        [encoded(sheet), b"", encoded(left), encoded(Image.new("L", (50, 50)))], threads=2
    )
    lists = found.column("image_panel_phash").to_pylist()
    assert [len(one) for one in lists] == [3, 0, 1, 0]
    assert lists[2] == [0]
    assert [place for place, _ in failed] == [1]
    alone = np.zeros(2, np.uint64)
    _core.hash_images([encoded(left), encoded(right)], alone)
    near = _core.find_hashes(alone, np.array(lists[0], np.uint64), 4)
    assert sorted(near.column("query").to_pylist()) == [0, 1]
    with pytest.raises(BufferError):
        _core.hash_panels(["text"])  # type: ignore[list-item]


def test_panels_are_known_by_their_images() -> None:
    panels = Panels.of(pa.array([[0, 5, 6], None, [], [7], [0]], pa.list_(pa.uint64())))
    assert (panels.hashes.tolist(), panels.owners.tolist()) == ([5, 6, 7], [0, 0, 3])
    assert panels.fronts.tolist() == [0, 0, 0, 7, 0]
    some = panels.slice(1, 4)
    assert (some.hashes.tolist(), some.owners.tolist(), some.fronts.tolist()) == ([7], [2], [0, 0, 7])

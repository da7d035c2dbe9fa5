import json
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed: pip install 'biomedica[train]'")

import biomedica as bm
from biomedica.demo.learn import CLASSES, learn, plot, split


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("learn")
    bm.extract(bm.demo.make(directory, articles=30), directory / "dataset")
    return directory


def test_no_article_is_in_both_halves(drawn: Path) -> None:
    counts = split(drawn)
    halves = [(drawn / name).read_text("utf-8").split() for name in ("train_keys.txt", "held_out_keys.txt")]
    assert tuple(map(len, halves)) == counts
    train, held_out = ({key.rpartition("_")[0] for key in half} for half in halves)
    assert train
    assert held_out
    assert not train & held_out
    figures = bm.open(drawn / "dataset").figures().to_table(columns=["image_id", "status"]).to_pylist()
    assert {row["image_id"] for row in figures if row["status"] == "ok"} == {*halves[0], *halves[1]}


def test_every_concept_of_the_corpus_has_a_name(drawn: Path) -> None:
    split(drawn)
    task = json.loads((drawn / "concepts.json").read_text("utf-8"))
    assert set(task["labels"].values()) <= set(task["classes"]) == set(CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_model_beats_chance_on_held_out_articles(tmp_path: Path, seed: int) -> None:
    bm.extract(bm.demo.make(tmp_path), tmp_path / "dataset")
    learned = learn(tmp_path, seed=seed)
    found = learned.metrics
    assert found["samples"] > 150
    for way in ("image_to_text", "text_to_image"):
        assert found[f"{way}_recall@1"] > 8 / found["samples"]
        assert found[f"{way}_recall@10"] > 50 / found["samples"]
    assert found["zero_shot_accuracy"] > 2 * found["zero_shot_majority"] > 2 * found["zero_shot_chance"]
    assert learned.loss_plot.stat().st_size > 1000


def test_the_loss_is_drawn(tmp_path: Path) -> None:
    plot([(1, 4.0), (50, 2.0), (100, 1.0)], tmp_path / "loss.png")
    with Image.open(tmp_path / "loss.png") as image:
        assert image.size == (800, 500)
        colours = image.getcolors(1 << 16)
    assert colours is not None
    assert (192, 48, 32) in {colour for _, colour in colours}

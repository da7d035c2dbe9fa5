from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'biomedica[train]'")

import biomedica as bm
from biomedica.demo.learn import learn, split
from biomedica.demo.tasks import CLASSES


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


def test_the_held_out_pairs_are_tasks(drawn: Path) -> None:
    _, held_out = split(drawn)
    concepts, captions = bm.tasks([drawn / "tasks" / f"{name}.toml" for name in ("concepts", "captions")], check=True)
    assert concepts.split is not None
    assert captions.split is not None
    assert concepts.split.items == captions.split.items == held_out
    assert {one.name for one in concepts.task.classes} == set(CLASSES)
    assert concepts.split.groups == len({key.rpartition("_")[0] for key in keys(drawn, "held_out")})


def keys(directory: Path, half: str) -> list[str]:
    return (directory / f"{half}_keys.txt").read_text("utf-8").split()


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
    chance = found["demo-concepts_accuracy_chance"]
    assert found["demo-concepts_accuracy"] > 2 * learned.majority > 2 * chance
    assert learned.loss_plot.stat().st_size > 1000

"""`audit`: a sheet that somebody fills in says how many labels are wrong, of all images and not of the sample alone."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import biomedica as bm
from biomedica.cli import main
from biomedica.concepts.answers import Answer
from bucket import Bucket
from grouped import by_article, cluster, clustered
from made import package, packages

SHOWN = {0: "Microscopy", 1: "Tables", 2: "Maps", 3: "Tables"}
"""What each cluster is labelled with; the last is not."""
Row = dict[str, Any]


def labelled(dataset: bm.Dataset, shown: dict[int, str] = SHOWN) -> None:
    answers = [
        Answer(number, expert, "single", None, (concept,), (), ambiguous=False)
        for number, concept in shown.items()
        for expert in ("ana", "bo")
    ]
    bm.label(dataset, answers)


@pytest.fixture
def dataset(tmp_path: Path) -> bm.Dataset:
    dataset = clustered(tmp_path, 40, part_size=10)
    labelled(dataset)
    return dataset


def filled(sheet: Path, fill: Callable[[Row], str]) -> list[Row]:
    """Write what `fill` says of each row's global label."""
    if sheet.suffix == ".json":
        rows: list[Row] = json.loads(sheet.read_text("utf-8"))["audit"]
    else:
        with sheet.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    for row in rows:
        row["true_global"] = fill(row)
    if sheet.suffix == ".json":
        sheet.write_text(json.dumps({"audit": rows}), "utf-8")
    else:
        with sheet.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    return rows


def labelled_images(dataset: bm.Dataset) -> dict[str, str]:
    rows = dataset.sidecar("labels").to_table(columns=["image_id", "image_primary_label"]).to_pylist()
    return {row["image_id"]: row["image_primary_label"][0] for row in rows if row["image_primary_label"]}


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.json"])
def test_all_images_checked_give_the_error_itself(dataset: bm.Dataset, tmp_path: Path, name: str) -> None:
    labels = labelled_images(dataset)
    drawn = bm.draw_audit(dataset, tmp_path / name, images=1000)
    assert (drawn.images, drawn.of) == (len(labels), len(labels))
    rows = filled(tmp_path / name, lambda row: "Maps" if row["image_id"].endswith("_0001") else "ok")
    assert {row["image_id"] for row in rows} == labels.keys()
    wrong = sum(label != "Maps" and image.endswith("_0001") for image, label in labels.items())
    found = bm.audit(dataset, tmp_path / name)
    error = found.levels["global"].error
    assert found.checked == len(labels)
    assert error.value == pytest.approx(wrong / len(labels))
    assert error.low == pytest.approx(error.value)
    assert error.high == pytest.approx(error.value)
    tables = found.labels["global"]["Tables"]
    of_tables = [image for image, label in labels.items() if label == "Tables"]
    assert (tables.images, tables.wrong) == (len(of_tables), sum(i.endswith("_0001") for i in of_tables))
    kept = json.loads((dataset.path / "labels" / "labels.json").read_text("utf-8"))["audit"]
    assert kept["levels"]["global"]["error"]["value"] == pytest.approx(error.value)


def test_a_sample_is_drawn_of_each_stratum_and_weighed_by_its_size(dataset: bm.Dataset, tmp_path: Path) -> None:
    labels = labelled_images(dataset)
    drawn = bm.draw_audit(dataset, tmp_path / "sheet.csv", images=20, floor=4, seed=2)
    assert drawn.images == sum(drawn.strata.values()) == 20
    assert min(drawn.strata.values()) >= 4
    # Whoever is labelled with maps is wrong, nobody else.
    filled(tmp_path / "sheet.csv", lambda row: "Tables" if row["global"] == "Maps" else "ok")
    found = bm.audit(dataset, tmp_path / "sheet.csv").levels["global"]
    share = sum(label == "Maps" for label in labels.values()) / len(labels)
    assert found.error.value == pytest.approx(share)
    assert found.error.low is not None
    assert found.error.high is not None
    assert found.error.low < share < found.error.high


def test_what_is_not_checked_counts_neither_way(dataset: bm.Dataset, tmp_path: Path) -> None:
    bm.draw_audit(dataset, tmp_path / "sheet.csv", images=20, floor=4)
    rows = filled(tmp_path / "sheet.csv", lambda row: "ok" if row["global"] == "Tables" else "")
    found = bm.audit(dataset, tmp_path / "sheet.csv")
    assert found.checked == sum(row["global"] == "Tables" for row in rows)
    assert found.levels["global"].error.value == 0
    assert found.levels["global"].covered < 1
    assert found.strata["Maps"].error.value is None


def test_sheets_that_do_not_fit_are_refused(dataset: bm.Dataset, tmp_path: Path) -> None:
    with pytest.raises(bm.DatasetError, match="no sample was drawn yet"):
        bm.audit(dataset, tmp_path / "none.csv")
    bm.draw_audit(dataset, tmp_path / "first.csv", images=10, floor=1, seed=1)
    with pytest.raises(bm.AnswerError, match="nothing is checked yet"):
        bm.audit(dataset, tmp_path / "first.csv")
    with pytest.raises(ValueError, match="is there already"):
        bm.draw_audit(dataset, tmp_path / "first.csv", images=10, floor=1)
    filled(tmp_path / "first.csv", lambda _: "Mapz")
    with pytest.raises(bm.AnswerError, match=r"true_global: .*Maps"):
        bm.audit(dataset, tmp_path / "first.csv")
    bm.draw_audit(dataset, tmp_path / "second.csv", images=3, floor=1, seed=9)
    with pytest.raises(bm.AnswerError, match="no image of the sample that was drawn last"):
        bm.audit(dataset, tmp_path / "first.csv")
    filled(tmp_path / "second.csv", lambda _: "ok")
    labelled(dataset, {0: "Maps", 1: "Tables", 2: "Maps", 3: "Tables"})
    with pytest.raises(bm.AnswerError, match="got other labels since"):
        bm.audit(dataset, tmp_path / "second.csv")


def test_an_update_leaves_the_sample_and_its_figures_as_they_are(dataset: bm.Dataset, tmp_path: Path) -> None:
    bm.draw_audit(dataset, tmp_path / "sheet.csv", images=1000)
    filled(tmp_path / "sheet.csv", lambda row: "none" if row["global"] == "Maps" else "ok")
    before = bm.audit(dataset, tmp_path / "sheet.csv")
    package(tmp_path / "in", 71, 3)
    updated = bm.extract(tmp_path / "in", dataset.path, part_size=10)
    cluster(updated, by_article)
    labelled(updated)
    assert bm.audit(updated, tmp_path / "sheet.csv") == before


def test_a_dataset_in_a_store_is_audited_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    bucket = Bucket()
    try:
        options = bucket.options()
        bm.extract(packages(tmp_path / "in", 12), "s3://lab/set", storage_options=options)
        dataset = bm.open("s3://lab/set", storage_options=options)
        cluster(dataset, by_article, model={"k": 5})
        labelled(dataset)
        drawn = bm.draw_audit(dataset, tmp_path / "sheet.csv", images=6, floor=1, save_images=tmp_path / "images")
        rows = filled(tmp_path / "sheet.csv", lambda _: "ok")
        assert len(list((tmp_path / "images").iterdir())) == drawn.images == len(rows)
        assert bm.audit(dataset, tmp_path / "sheet.csv").levels["global"].error.value == 0
        assert json.loads(bucket.get("set/labels/labels.json"))["audit"]["checked"] == 6
    finally:
        bucket.close()


def test_the_command_draws_and_reads(dataset: bm.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.csv"
    assert main(["audit", str(dataset.path), str(sheet), "--draw", "12", "--floor", "2"]) == 0
    filled(sheet, lambda _: "ok")
    capsys.readouterr()
    assert main(["audit", str(dataset.path), str(sheet)]) == 0
    assert "0.0%" in capsys.readouterr().out

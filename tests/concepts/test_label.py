"""`label`: from answers to the labels of images, beside the dataset."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

import biomedica as bm
from biomedica.concepts.answers import Answer, read_answers, write_answers
from bucket import Bucket
from grouped import by_article, cluster, clustered
from made import package, packages, tree

MICRO, TABLES, MAPS = "Microscopy", "Tables", "Maps"


def said(number: int, expert: str, *concepts: str, panel: str | None = "single", subtype: str | None = None) -> Answer:
    local = ("light microscopy",) if MICRO in concepts else ()
    return Answer(number, expert, panel, subtype, concepts, local, ambiguous=panel is None)


ANSWERS = [
    *(said(0, expert, MICRO) for expert in ("ana", "bo", "cy")),
    *(said(1, expert, MICRO, TABLES, panel="multi", subtype="grid") for expert in ("ana", "bo", "cy")),
    said(2, "ana", MICRO), said(2, "bo", TABLES),
    said(3, "ana", panel=None), said(3, "bo", panel=None),
]  # fmt: skip
"""Of five clusters: two are settled, one is in dispute, one is ambiguous, and nobody judged the last."""


@pytest.fixture
def dataset(tmp_path: Path) -> bm.Dataset:
    return clustered(tmp_path)


def rows(dataset: bm.Dataset) -> dict[str, dict[str, Any]]:
    return {row.pop("image_id"): row for row in dataset.sidecar("labels").to_table().to_pylist()}


def record(dataset: bm.Dataset, name: str = "labels.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((dataset.path / "labels" / name).read_text("utf-8"))
    return found


def test_each_image_gets_what_is_settled_of_its_cluster(dataset: bm.Dataset) -> None:
    labelling = bm.label(dataset, ANSWERS)
    found = rows(dataset)
    figures = dataset.figures().to_table(columns=["image_id"])["image_id"].to_pylist()
    assert list(found) == figures
    none = {"image_panel_type": None, "image_panel_subtype": None}
    expected: dict[int, dict[str, Any]] = {
        0: none
        | {"image_panel_type": "single", "image_primary_label": [MICRO], "image_secondary_label": ["light microscopy"]},
        1: {
            "image_panel_type": "multi",
            "image_panel_subtype": "grid",
            "image_primary_label": [MICRO, TABLES],
            "image_secondary_label": ["light microscopy"],
        },
        # The experts agree on the panel type; each concept has half of the votes.
        2: none | {"image_panel_type": "single", "image_primary_label": None, "image_secondary_label": None},
        3: none | {"image_primary_label": ["Ambiguous"], "image_secondary_label": ["ambiguous"]},
        4: none | {"image_primary_label": None, "image_secondary_label": None},
    }
    for image, row in found.items():
        number = by_article(image)
        article = image.split("_")[0]
        assert row == {"article_accession_id": article, "image_cluster_id": number, **expected[number]}
    sizes = [sum(by_article(image) == number for image in figures) for number in range(5)]
    assert labelling.images == len(figures)
    assert labelling.settled_images["panel_type"] == sum(sizes[:4])
    assert labelling.settled_images["global"] == sizes[0] + sizes[1] + sizes[3]
    assert (len(labelling.clusters), labelling.settled, labelling.undecided) == (4, 3, 0)
    assert [cluster.number for cluster in labelling.disputed] == [2]


def test_what_it_comes_from_stands_beside(dataset: bm.Dataset) -> None:
    labelling = bm.label(dataset, ANSWERS, samples=100)
    said = record(dataset)
    assert said["clusters"] == "default"
    assert said["agreement"] == labelling.as_dict()["agreement"] == json.loads(json.dumps(said["agreement"]))
    assert said["agreement"]["panel_type"]["dissent"] == {"0": 3}
    assert said["labels"]["1"]["global"] == [MICRO, TABLES]
    assert list(record(dataset, "cluster_labels.json")) == ["0", "1", "3"]
    disputed = record(dataset, "disputed.json")["disputed"]
    assert [(entry["cluster"], entry["levels"]) for entry in disputed] == [(2, ["global", "local"])]
    assert disputed[0]["votes"]["global"] == {MICRO: 1, TABLES: 1}
    with Image.open(dataset.path / "labels" / "disagreement.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 500
    assert dataset.verify()


def test_the_papers_file_gives_the_same_labels_again(dataset: bm.Dataset, tmp_path: Path) -> None:
    bm.label(dataset, ANSWERS)
    before = rows(dataset)
    file = tmp_path / "cluster_labels.json"
    file.write_bytes((dataset.path / "labels" / "cluster_labels.json").read_bytes())
    bm.label(dataset, file)
    after = rows(dataset)
    settled = [image for image in after if by_article(image) in {0, 1, 3}]
    assert {image: after[image] for image in settled} == {image: before[image] for image in settled}
    assert record(dataset, "cluster_labels.json") == json.loads(file.read_text("utf-8"))


def test_the_same_again_writes_only_what_is_missing(dataset: bm.Dataset) -> None:
    bm.label(dataset, ANSWERS)
    before = tree(dataset.path)
    parts = sorted((dataset.path / "labels").glob("*.parquet"))
    times = [part.stat().st_mtime_ns for part in parts]
    parts[1].unlink()
    written: list[tuple[int, int]] = []
    bm.label(dataset, ANSWERS, progress=lambda done, total: written.append((done, total)))
    assert written == [(0, 1), (1, 1)]
    assert tree(dataset.path) == before
    assert [part.stat().st_mtime_ns for part in parts][::2] == times[::2]


def test_parts_of_an_update_are_labelled_and_the_dead_are_not(dataset: bm.Dataset) -> None:
    bm.label(dataset, ANSWERS)
    source = dataset.path.parent / "in"
    (source / "PMC10.tar.gz").unlink()
    package(source, 25, 2)
    updated = bm.extract(source, dataset.path, part_size=4)
    cluster(updated, by_article)
    written: list[int] = []
    labelling = bm.label(updated, ANSWERS, progress=lambda _, total: written.append(total))
    assert set(written) == {1}
    found = rows(updated)
    assert found["PMC25_0001"]["image_primary_label"] == [MICRO]
    assert not any(image.startswith("PMC10_") for image in found)
    assert labelling.images == len(found) == updated.figures().count_rows()


def test_other_answers_or_other_clusters_label_all_anew(dataset: bm.Dataset) -> None:
    bm.label(dataset, ANSWERS)
    bm.label(dataset, [said(0, "ana", MAPS)])
    assert rows(dataset)["PMC5_0001"]["image_primary_label"] == [MAPS]
    assert rows(dataset)["PMC6_0001"]["image_primary_label"] is None
    (dataset.path / "clusters/default/model.json").write_text('{"k": 4}')
    for part in (dataset.path / "clusters/default").glob("*.parquet"):
        part.unlink()
    cluster(dataset, lambda image: by_article(image) % 4)
    bm.label(dataset, [said(0, "ana", MAPS)])
    assert rows(dataset)["PMC4_0001"]["image_primary_label"] == [MAPS]


def test_labels_of_two_kinds_never_stand_together(dataset: bm.Dataset) -> None:
    bm.label(dataset, ANSWERS)

    def stop(done: int, _: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bm.label(dataset, [said(0, "ana", MAPS)], progress=stop)
    with pytest.raises(bm.DatasetError, match="labels has no rows for part 000001"):
        dataset.sidecar("labels")
    assert not (dataset.path / "labels" / "labels.json").exists()
    bm.label(dataset, ANSWERS)
    assert rows(dataset)["PMC5_0001"]["image_primary_label"] == [MICRO]


def test_a_referee_settles_the_queue(dataset: bm.Dataset, tmp_path: Path) -> None:
    queue, answers = tmp_path / "queue.csv", tmp_path / "answers.json"
    write_answers(answers, ANSWERS)
    bm.label(dataset, answers, queue=queue)
    with queue.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["cluster"], row["expert"], row["panel_type"], row["global"]) == ("2", "referee", "single", "")
    assert row["notes"] == f"global: {MICRO} 1, {TABLES} 1; local: light microscopy 1; of 2 votes"
    with pytest.raises(ValueError, match=r"queue\.csv: is there already"):
        bm.label(dataset, answers, queue=queue)
    with queue.open("w", newline="") as file:
        table = csv.DictWriter(file, list(row))
        table.writeheader()
        table.writerow(row | {"global": TABLES, "local": "table"})
    labelling = bm.label(dataset, [answers, queue], referee="referee")
    assert labelling.disputed == ()
    assert rows(dataset)["PMC2_0001"]["image_primary_label"] == [TABLES]
    assert [expert.name for expert in labelling.experts] == ["ana", "bo", "cy"]
    with pytest.raises(bm.AnswerError, match="but those of the referee"):
        bm.label(dataset, queue, referee="referee")


def test_an_experts_latest_answer_counts(dataset: bm.Dataset, tmp_path: Path) -> None:
    write_answers(tmp_path / "one.csv", [said(0, "ana", MAPS)], format="csv")
    write_answers(tmp_path / "two.json", [said(0, "ana", TABLES)], format="label-studio")
    labelling = bm.label(dataset, [tmp_path / "one.csv", tmp_path / "two.json"])
    assert labelling.clusters[0].verdicts["global"].votes == {TABLES: 1}
    assert bm.label(dataset, ANSWERS, min_votes=3).undecided == 2


def test_what_does_not_fit_is_told_before_anything_is_written(dataset: bm.Dataset, tmp_path: Path) -> None:
    write_answers(tmp_path / "fine.json", ANSWERS, clusters="fine")
    with pytest.raises(bm.AnswerError, match=r"fine\.json: the answers are about the clusters 'fine', not 'default'"):
        bm.label(dataset, tmp_path / "fine.json")
    write_answers(tmp_path / "tasks.json", ANSWERS, clusters="fine", format="label-studio")
    with pytest.raises(bm.AnswerError, match=r"tasks\.json: task 0: the answers are about"):
        bm.label(dataset, tmp_path / "tasks.json")
    assert read_answers(tmp_path / "tasks.json", clusters="fine")
    with pytest.raises(bm.DatasetError, match="there is no sidecar clusters/fine"):
        bm.label(dataset, ANSWERS, clusters="fine")
    with pytest.raises(bm.AnswerError, match="no image is in a cluster that was judged"):
        bm.label(dataset, [said(2_000_000_000, "ana", MICRO)])
    with pytest.raises(bm.AnswerError, match=r"cluster 0, answer of ana: .*nearest is 'Microscopy'"):
        bm.label(dataset, [said(0, "ana", "Microscpy")])
    with pytest.raises(bm.AnswerError, match="there are no answers"):
        bm.label(dataset, [])
    for wrong in ({"min_votes": 0}, {"samples": 0}, {"confidence": 1.0}):
        with pytest.raises(ValueError, match="must be"):
            bm.label(dataset, ANSWERS, **wrong)
    assert not (dataset.path / "labels").exists()


def test_a_damaged_part_of_the_clusters_is_told(dataset: bm.Dataset) -> None:
    (dataset.path / "clusters/default/000001.parquet").write_bytes(b"no table")
    with pytest.raises(bm.DatasetError, match="clusters/default has no rows for part 000001"):
        bm.label(dataset, ANSWERS)


def test_a_missing_matplotlib_names_the_extra(dataset: bm.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'biomedica\[concepts\]'"):
        bm.label(dataset, ANSWERS)
    assert not (dataset.path / "labels").exists()


def test_a_dataset_in_a_store_is_labelled_there(tmp_path: Path, dataset: bm.Dataset) -> None:
    bm.label(dataset, ANSWERS)
    bucket = Bucket()
    try:
        options = bucket.options()
        source = packages(tmp_path / "again", 12)
        stored = bm.extract(source, "s3://lab/set", part_size=4, storage_options=options)
        cluster(stored, by_article, model={"k": 5})
        bm.label("s3://lab/set", ANSWERS, storage_options=options)
        assert rows(stored) == rows(dataset)
        assert bucket.tree("set/labels").keys() == {
            path.name for path in (dataset.path / "labels").iterdir() if not path.name.startswith(".")
        }
    finally:
        bucket.close()


def test_the_tables_have_the_types_of_the_contract(dataset: bm.Dataset) -> None:
    bm.label(dataset, ANSWERS)
    schema = pq.read_schema(dataset.path / "labels" / "000000.parquet")
    assert {name: str(schema.field(name).type) for name in schema.names[2:]} == {
        "image_cluster_id": "int32",
        "image_panel_type": "string",
        "image_panel_subtype": "string",
        "image_primary_label": "list<element: string>",
        "image_secondary_label": "list<element: string>",
    }

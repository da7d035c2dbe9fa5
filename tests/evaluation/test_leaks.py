"""`leaks`: what of test sets is in a dataset."""

import io
import json
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image
from playwright.sync_api import Browser

import biomedica as bm
from biomedica import _core
from biomedica._storage import storage
from biomedica.cli import main
from biomedica.evaluation import evidence
from biomedica.evaluation.against import Folder
from biomedica.evaluation.targets import Lookup, references
from browser import opened
from bucket import Bucket
from evaluation.planted import Item, Task, copies, encoded, table, unseen
from made import packages

HOSTILE = "<script>alert(1)<script>.png"


def test_planted_leaks_are_found(dataset: bm.Dataset, hashed: list[str], tmp_path: Path) -> None:
    truth: dict[str, str] = {}
    items = []
    for number, image_id in enumerate(hashed[::2]):
        data = dataset.image(image_id)
        image = Image.open(io.BytesIO(data)).convert("RGB")
        for kind, copy in {"exact": data, **copies(image)}.items():
            truth[f"{kind}-{number}"] = image_id
            items.append(Item(f"{kind}-{number}", copy))
    found = bm.leaks(dataset, tmp_path / "out", against=Task("planted", tuple(items)), shown=0)
    assert (found.items, found.images, found.total_images) == (len(items), len(dataset), len(dataset))
    assert not (tmp_path / "out/leaks.html").exists()

    blocked = {row["image_id"] for row in table(tmp_path / "out", "blocked")}
    assert blocked >= set(truth.values())
    assert len(blocked) == found.blocked
    leaked = {row["key"]: row["evidence"] for row in table(tmp_path / "out", "leaked")}
    assert len(leaked) == found.leaked == found.tasks["planted"]
    exact = [key for key in truth if key.startswith("exact")]
    assert all("exact" in leaked[key] for key in exact)
    changed = [key for key in truth if not key.startswith("exact")]
    assert np.mean(["near" in leaked.get(key, ()) for key in changed]) >= 0.99
    assert found.evidence["near"].items == sum("near" in kinds for kinds in leaked.values())

    pairs = table(tmp_path / "out", "pairs")
    assert {(row["key"], row["image_id"]) for row in pairs if row["evidence"] == "exact"} >= {
        (key, truth[key]) for key in exact
    }
    assert all(row["distance"] <= 6 for row in pairs if row["evidence"] == "near")


def test_other_images_are_no_leaks_and_the_lists_are_empty(dataset: bm.Dataset, tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (20, 16, 16, 3), np.uint8)
    items = tuple(
        Item(str(at), encoded(Image.fromarray(one).resize((200, 200)), "PNG")) for at, one in enumerate(noise)
    )
    found = bm.leaks(dataset, tmp_path / "out", against=Task("noise", (*items, Item("broken", b"no image"))))
    assert (found.blocked, found.leaked, found.unreadable) == (0, 0, 1)
    record = json.loads((tmp_path / "out/leaks.json").read_bytes())
    assert record["chance"]["near"]["articles"] == {"share": 0.0005, "pairs": round(0.0005 * len(dataset) * 21)}
    assert table(tmp_path / "out", "pairs") == []
    assert "No pairs" in (tmp_path / "out/leaks.html").read_text("utf-8")
    chosen = bm.select(dataset, tmp_path / "all.parquet", exclude=tmp_path / "out/blocked.parquet")
    assert len(chosen) == len(dataset)


def test_what_is_blocked_is_neither_selected_nor_streamed(
    dataset: bm.Dataset, hashed: list[str], tmp_path: Path
) -> None:
    task = Task("task", (Item("a", dataset.image(hashed[0])), Item("b", unseen())))
    bm.leaks(dataset, tmp_path / "out", against=task, evidence="exact", shown=0)
    assert table(tmp_path / "out", "blocked")[0] == {"image_id": hashed[0], "evidence": ["exact"]}
    chosen = bm.select(dataset, tmp_path / "clean.parquet", exclude=tmp_path / "out/blocked.parquet")
    keys = {sample.key for sample in bm.stream(dataset.location, selection=chosen)}
    assert len(keys) == len(dataset) - len(table(tmp_path / "out", "blocked"))
    assert hashed[0] not in keys


def test_a_test_image_that_names_an_article_blocks_the_article(dataset: bm.Dataset, tmp_path: Path) -> None:
    article = next(
        row for row in dataset.articles().to_table().to_pylist() if row["article_doi"] and row["article_figure_count"]
    )
    other = next(
        row["article_accession_id"]
        for row in dataset.figures().to_table(filter=pc.field("status") == "ok").to_pylist()
        if row["article_accession_id"] != article["article_accession_id"]
    )
    ids = dataset.figures().to_table(filter=pc.field("status") == "ok").select(["image_id", "article_accession_id"])
    of = {
        name: {row["image_id"] for row in ids.to_pylist() if row["article_accession_id"] == name}
        for name in (article["article_accession_id"], other)
    }
    task = Task(
        "named",
        (
            Item("a", unseen(), f"see https://doi.org/{article['article_doi'].upper()}."),
            Item(f"{min(of[other])}_crop.png", unseen(1001)),
            Item("PMC1", unseen(1002)),
        ),
    )
    found = bm.leaks(dataset, tmp_path / "out", against=task, evidence=["provenance"], shown=0)
    assert found.leaked == 2
    assert {row["image_id"] for row in table(tmp_path / "out", "blocked")} == of[article["article_accession_id"]] | of[
        other
    ]
    named = [row["named"] for row in table(tmp_path / "out", "pairs") if row["image_id"] == min(of[other])]
    assert sorted(named) == ["article", "figure"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("images/PMC0012_0003.jpg", {"PMC12", "PMC0012_0003"}),
        ("pmc-77 and PMC 8; XPMC9, PMC1234567890", {"PMC77", "PMC8"}),
        ("(doi:10.1371/Journal.pone.0001).", {"10.1371/journal.pone.0001"}),
        ("patient-12 10.5/no", set()),
    ],
)
def test_names_of_articles_and_figures_are_read(text: str, names: set[str]) -> None:
    assert references(text) == names


def test_a_folder_is_read_with_what_lies_beside_its_images(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one.JPG").write_bytes(unseen())
    (tmp_path / "a/one.json").write_text(json.dumps({"ids": [{"doi": "10.1000/x"}, 3]}))
    (tmp_path / "two.png").write_bytes(b"")
    (tmp_path / "two.json").write_text("{")
    (tmp_path / "readme.txt").write_text("none")
    assert [(item.key, item.group, len(item.image) > 0) for item in Folder(tmp_path)] == [
        ("a/one.JPG", "10.1000/x", True), ("two.png", None, False),
    ]  # fmt: skip
    with pytest.raises(bm.SourceNotFoundError, match="no such folder"):
        Folder(tmp_path / "none")
    with pytest.raises(bm.SourceNotFoundError, match="neither a folder"):
        Folder(tmp_path / "two.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(bm.SourceNotFoundError, match="no image in it"):
        Folder(tmp_path / "empty")


def test_features_find_what_hashes_do_not(dataset: bm.Dataset, hashed: list[str], tmp_path: Path) -> None:
    bm.embed(dataset, model="color-texture", threads=2)
    image = Image.open(io.BytesIO(dataset.image(hashed[4]))).convert("RGB")
    crop = encoded(image.crop((8, 8, image.width - 8, image.height - 8)), quality=95)
    task = Task("crops", (Item("crop", crop), Item("broken", b"")))
    found = bm.leaks(dataset, tmp_path / "out", against=task, features="color-texture", similarity=0.98, shown=0)
    rows = [row for row in table(tmp_path / "out", "pairs") if row["evidence"] == "features"]
    assert hashed[4] in {row["image_id"] for row in rows}
    assert all(0.98 <= row["similarity"] <= 1.0001 for row in rows)
    assert found.evidence["features"].items == 1
    record = json.loads((tmp_path / "out/leaks.json").read_bytes())
    assert (record["features"]["model"], record["similarity"]) == ("color-texture", 0.98)
    with pytest.raises(bm.DatasetError, match="no features dino"):
        bm.leaks(dataset, tmp_path / "out", against=task, features="dino")
    model = dataset.path / "features/color-texture/model.json"
    before = model.read_bytes()
    model.write_bytes(before.replace(b'"version": 1', b'"version": 0'))
    with pytest.raises(bm.ModelError, match="version 0, not 1"):
        bm.leaks(dataset, tmp_path / "out", against=task, features="color-texture")
    model.write_bytes(before)


def test_the_least_cosine_is_measured_on_copies_of_the_datasets_images(
    dataset: bm.Dataset, hashed: list[str], tmp_path: Path
) -> None:
    bm.embed(dataset, model="color-texture", threads=2)
    items = []
    for image_id in hashed:
        made = copies(Image.open(io.BytesIO(dataset.image(image_id))).convert("RGB"))
        items += [Item(f"{image_id}-{kind}", made[kind]) for kind in ("encoded", "resized")]
    task = Task("copies", tuple(items))
    found = bm.leaks(dataset, tmp_path / "out", against=task, evidence="features", features="color-texture", shown=2)
    assert found.calibration is not None
    assert found.evidence["features"].items >= 0.97 * len(items)
    assert 0.99 < found.calibration.similarity < 1
    assert 0 < found.calibration.share < 0.05
    record = json.loads((tmp_path / "out/leaks.json").read_bytes())
    assert record["similarity"] == record["calibration"]["similarity"] == found.calibration.similarity
    assert "Of copies of" in (tmp_path / "out/leaks.html").read_text("utf-8")
    again = bm.leaks(dataset, tmp_path / "out", against=task, evidence="features", features="color-texture", shown=0)
    assert again.calibration == found.calibration


def test_too_few_images_tell_no_cosine(tmp_path: Path) -> None:
    made = bm.extract(packages(tmp_path / "in", 2), tmp_path / "set")
    bm.embed(made, model="color-texture", threads=2)
    with pytest.raises(ValueError, match="name the similarity"):
        bm.leaks(made, tmp_path / "out", against=made, features="color-texture")
    assert bm.leaks(made, tmp_path / "out", against=made, features="color-texture", similarity=0.9).calibration is None


def test_the_page_shows_pairs_of_each_evidence_and_runs_nothing(
    dataset: bm.Dataset, hashed: list[str], tmp_path: Path, browser: Browser
) -> None:
    folder = tmp_path / "<b>task<i>"
    folder.mkdir()
    for number, image_id in enumerate(hashed[:6]):
        (folder / f"{number}.jpg").write_bytes(dataset.image(image_id))
    image = Image.open(io.BytesIO(dataset.image(hashed[7]))).convert("RGB")
    (folder / HOSTILE).write_bytes(encoded(image.transpose(Image.Transpose.ROTATE_180), "PNG"))
    bm.leaks(dataset, tmp_path / "out", against=folder, shown=4)
    text = (tmp_path / "out/leaks.html").read_text("utf-8")
    assert "default-src 'none'" in unescape(text)
    assert "<script" not in text
    assert "<b>task" not in text
    with opened(browser) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url.split(":")[0]))
        page.goto((tmp_path / "out/leaks.html").as_uri())
        assert set(requests) <= {"file", "data"}
        assert page.locator(".pairs > li").count() == 4
        assert page.get_by_text("the same bytes").count() == 2
        assert page.locator(".pairs > li").filter(has_not_text="the same bytes").count() == 2
        widths = page.locator(".pairs img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert min(widths) > 100
        assert max(widths) <= 320


def test_many_copies_of_an_image_are_counted_though_few_are_listed(tmp_path: Path) -> None:
    made = bm.extract(packages(tmp_path / "in", 3), tmp_path / "set")
    image_id = made.figures().to_table(columns=["image_id"])["image_id"][0].as_py()
    task = Task("same", tuple(Item(str(number), made.image(image_id)) for number in range(40)))
    found = bm.leaks(made, tmp_path / "out", against=task)
    assert found.evidence["exact"] == evidence.Count(pairs=40, images=1, items=40)
    assert found.leaked == 40
    assert len(table(tmp_path / "out", "pairs")) == evidence.MOST


def test_a_lookup_gives_all_that_share_a_text() -> None:
    lookup = Lookup(pa.array(["b", "a", "b", "c"]), np.array([7, 8, 9, 10]))
    rows, targets, pairs, leaked = lookup.find(pa.chunked_array([["b", None], ["x", "a", "b"]]), 1)
    assert list(zip(rows.tolist(), targets.tolist(), strict=True)) == [(0, 7), (3, 8), (4, 7)]
    assert pairs == 5
    assert sorted(leaked.tolist()) == [7, 8, 9]


def test_datasets_are_compared_and_may_lie_in_a_store(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 4)
    bucket = Bucket()
    try:
        options = bucket.options()
        bm.extract(source, "s3://lab/set", storage_options=options)
        (source / "PMC1.tar.gz").unlink()
        bm.extract(source, tmp_path / "held")
        found = bm.leaks(
            "s3://lab/set",
            "s3://lab/leaks",
            against=["s3://lab/set", tmp_path / "held"],
            shown=3,
            storage_options=options,
        )
        held = len(bm.open(tmp_path / "held"))
        assert found.tasks == {"s3://lab/set": found.total_images, str(tmp_path / "held"): held}
        assert found.evidence["provenance"].items == found.items
        record = storage("s3://lab/leaks", options).read("leaks.json")
        assert json.loads(record or b"")["leaked"] == found.leaked
        with pytest.raises(bm.DatasetError, match="nothing is left"):
            bm.select(
                "s3://lab/set",
                tmp_path / "x.parquet",
                exclude="s3://lab/leaks/blocked.parquet",
                storage_options=options,
            )
    finally:
        bucket.close()


def test_a_run_that_fails_leaves_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bm.extract(packages(tmp_path / "in", 2), tmp_path / "set")
    assert bm.leaks(made, tmp_path / "out", against=made).leaked == len(made)
    monkeypatch.setattr("biomedica.web.leaks.page.leaks_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bm.leaks(made, tmp_path / "out", against=tmp_path / "set")
    assert not (tmp_path / "out/leaks.json").exists()


def test_options_are_checked(dataset: bm.Dataset, tmp_path: Path) -> None:
    task = Task("task", (Item("a", unseen()),))
    wrongs: list[dict[str, Any]] = [
        {"threshold": 17}, {"similarity": 0.0}, {"shown": -1}, {"threads": 0}, {"weights": "w"}, {"evidence": ["nera"]},
        {"evidence": []}, {"evidence": ["features"]},
    ]  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            bm.leaks(dataset, tmp_path / "out", against=task, **wrong)
    for against, told in (([], "nothing is named"), (None, "nothing is named"), ([task, task], "two test sets")):
        with pytest.raises(ValueError, match=told):
            bm.leaks(dataset, tmp_path / "out", against=against)


def test_near_hashes_are_found_by_the_core() -> None:
    draws = np.random.default_rng(3)
    hashes = draws.integers(1, 1 << 63, 6000, np.uint64) << np.uint64(1)
    queries = np.array([0, hashes[5], _core.hash_variants(int(hashes[4000]))[3] ^ 6], np.uint64)
    found = _core.find_hashes(queries, hashes, 4, threads=2)
    assert found.to_pylist() == [
        {"query": 1, "number": 5, "distance": 0}, {"query": 2, "number": 4000, "distance": 2},
    ]  # fmt: skip
    with pytest.raises(ValueError, match="more than 1 pairs"):
        _core.find_hashes(queries, hashes, 4, limit=1)
    with pytest.raises(ValueError, match="threshold of 17"):
        _core.find_hashes(queries, hashes, 17)
    with pytest.raises(BufferError, match="queries must be uint64"):
        _core.find_hashes(queries.astype(np.int32), hashes, 4)


def test_the_command_says_what_it_found(
    dataset: bm.Dataset, hashed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(dataset.image(hashed[0]))
    (folder / "b.jpg").write_bytes(encoded(Image.new("RGB", (30, 30))))
    command = ["leaks", dataset.location, "--against", str(folder), "--output", str(tmp_path / "out"), "--pairs", "2"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "1 of 2 test images seem to be in the dataset" in told
    assert main([*command, "--evidence", "exact", "--log-format", "json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["event"], values["leaked"], values["evidence"]["exact"]["items"]) == ("leaks", 1, 1)
    assert main([*command, "--evidence", "exakt"]) == 2
    assert "there are exact, near, panel, features, provenance" in capsys.readouterr().err

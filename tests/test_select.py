"""`select`: what each rule takes, in numbers that a reader can check, and what it refuses."""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import biomedica as bm
from biomedica._sidecar import Sidecar
from biomedica.cli import main
from made import package, packages

LABELS = ("Microscopy", "Plots and Charts", "Tables")


def label(dataset: bm.Dataset) -> None:
    """Write `labels`: of each seventh figure nothing is known, each fifth has two labels."""
    columns = {"image_cluster_id": pa.int32(), "image_primary_label": pa.list_(pa.string())}
    sidecar = Sidecar(dataset, "labels", columns)
    for part in sidecar.missing():
        count = sidecar.figures(part, ["image_id"]).num_rows
        own = [[LABELS[n % 3], *["Tables"] * (n % 5 == 0)] if n % 7 else None for n in range(count)]
        clusters = pa.array([n % 4 for n in range(count)], pa.int32())
        sidecar.write(part, {"image_cluster_id": clusters, "image_primary_label": pa.array(own, pa.list_(pa.string()))})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    directory = tmp_path_factory.mktemp("select")
    made = bm.extract(packages(directory / "in", 30), directory / "out", part_size=12)
    label(made)
    return made


def ids(selection: bm.Selection) -> list[str]:
    found: list[str] = pq.read_table(selection.path)["image_id"].to_pylist()
    return found


def part_of(row: dict[str, Any]) -> int:
    """Packages are sorted by their names; twelve make a part."""
    return sorted(f"PMC{number}" for number in range(1, 31)).index(row["article_accession_id"]) // 12


def pairs(dataset: bm.Dataset) -> list[dict[str, Any]]:
    """All that is known of each pair, by plain Python."""
    articles = {row["article_accession_id"]: row for row in dataset.articles().to_table().to_pylist()}
    figures = dataset.figures().to_table().to_pylist()
    labels = dataset.sidecar("labels").to_table().to_pylist()
    rows = [
        {**articles[figure["article_accession_id"]], **own, **figure}
        for figure, own in zip(figures, labels, strict=True)
    ]
    return [row for row in rows if row["status"] == "ok"]


def wanted(dataset: bm.Dataset) -> Iterator[tuple[str, list[str]]]:
    """Conditions, and the pairs that they are true of."""
    rows = pairs(dataset)
    tests: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
        ("subset = 'commercial'", lambda row: row["subset"] == "commercial"),
        ("Article_License = 'CC BY-NC' and image_size[1] > 10", lambda row: row["article_license"] == "CC BY-NC"),
        ("list_contains(image_primary_label, 'Tables')", lambda row: "Tables" in (row["image_primary_label"] or ())),
        ("len(list_filter(image_primary_label, lambda x: x < 'N')) = 1 and pairs.image_cluster_id in (1, 3)",
         lambda row: (row["image_primary_label"] or [""])[0] == "Microscopy" and row["image_cluster_id"] in (1, 3)),
        ("part = 1", lambda row: part_of(row) == 1),
        ("caption LIKE '%article 7.' -- and no more", lambda row: row["article_accession_id"] == "PMC7"),
    ]  # fmt: skip
    for condition, test in tests:
        yield condition, [row["image_id"] for row in rows if test(row)]


def test_everything_is_selected_without_a_rule(dataset: bm.Dataset, tmp_path: Path) -> None:
    made = bm.select(dataset, tmp_path / "all.parquet", preset="full")
    rows = pairs(dataset)
    assert ids(made) == [row["image_id"] for row in rows]
    table = pq.read_table(made.path)
    assert table.schema.names == ["image_id", "part"]
    assert table.schema.field("part").type == pa.int32()
    assert table["part"].to_pylist() == [part_of(row) for row in rows]
    assert (len(made), made.steps) == (len(dataset), [])
    assert made.sha256 == hashlib.sha256("".join(f"{one}\n" for one in ids(made)).encode()).hexdigest()
    assert bm.Selection.open(made.path) == made
    assert [path.name for path in tmp_path.iterdir()] == ["all.parquet"]


def test_a_condition_sees_figures_articles_and_sidecars(dataset: bm.Dataset, tmp_path: Path) -> None:
    for condition, expected in wanted(dataset):
        made = bm.select(dataset.path, tmp_path / "some.parquet", where=condition)
        assert expected, condition
        assert ids(made) == expected, condition
        assert made.steps == [("where", len(dataset) - len(expected), len(expected))]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("subst = 'other'", "there is no column subst; did you mean subset"),
        ('subset = "other"', "no column other; text stands in single quotes"),
        ("image_phash = 1", "has no hashes; `biomedica duplicates` makes them"),
        ("subset = 'other'; DROP TABLE pairs", "Only SELECT"),
        ("1 = 1; SELECT 1", "more than one condition"),
        ("1 = 1) OR (1 = 1", "syntax error"),
        ("1 = 1 LIMIT 3", "more than one condition"),
        ("1 = 1 UNION SELECT 2", "more than one condition"),
        ("part IN (SELECT 1)", "a query of its own"),
        ("EXISTS (SELECT * FROM read_csv('/etc/passwd'))", "a query of its own"),
        ("read_text('/etc/passwd') = ''", "table function"),
        ("random() < 0.5", r"random\(\) does not give the same"),
        ("article_date < now()::text", r"now\(\) does not give the same"),
        ("article_date < current_date", "no column current_date"),
        ("sum(part) > 1", "aggregates"),
        ("*", "names no column"),
        ("caption = repeat('x', 1000000000000)", "maximum"),
        ("", "syntax error"),
        ("NOT " * 600 + "true", "nested too deep"),
        ("(" * 5000 + "true" + ")" * 5000, "depth"),
    ],
)
def test_a_condition_can_be_nothing_but_one(dataset: bm.Dataset, tmp_path: Path, condition: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        bm.select(dataset, tmp_path / "none.parquet", where=condition)
    assert list(tmp_path.iterdir()) == []


def test_only_a_condition_needs_duckdb(dataset: bm.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert len(bm.select(dataset, tmp_path / "a.parquet", preset="concept-balanced", sample=9)) == 9
    with pytest.raises(ImportError, match=r"pip install 'biomedica\[select\]'"):
        bm.select(dataset, tmp_path / "b.parquet", where="part = 0")


def test_dropped_concepts_are_gone_and_what_has_no_label_stays(dataset: bm.Dataset, tmp_path: Path) -> None:
    made = bm.select(dataset, tmp_path / "some.parquet", drop_concepts=["Tables", "Plots and Charts"])
    rows = pairs(dataset)
    assert ids(made) == [
        row["image_id"] for row in rows if (row["image_primary_label"] or ["Microscopy"]) == ["Microscopy"]
    ]
    assert ids(bm.select(dataset, tmp_path / "same.parquet", preset="concept-filtered")) == ids(made)
    with pytest.raises(ValueError, match="did you mean Tables"):
        bm.select(dataset, tmp_path / "none.parquet", drop_concepts="Table")


def test_concepts_are_capped_and_rare_ones_stay_whole(dataset: bm.Dataset, tmp_path: Path) -> None:
    made = bm.select(dataset, tmp_path / "some.parquet", balance="image_primary_label", cap=6, seed=3)
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    chosen = set(ids(made))
    for row in pairs(dataset):
        values = row["image_primary_label"] or ["(none)"]
        before.update(set(values))
        after.update(set(values) if row["image_id"] in chosen else ())
    assert made.counts["values"] == {name: [before[name], after[name]] for name in before}
    assert made.counts["cap"] == 6
    assert {name: after[name] for name in ("Microscopy", "Plots and Charts", "(none)")} == dict.fromkeys(
        ("Microscopy", "Plots and Charts", "(none)"), 6
    )
    assert after["Tables"] >= 6
    assert min(before.values()) > 6
    assert ids(made) != ids(bm.select(dataset, tmp_path / "other.parquet", balance="image_primary_label", cap=6))
    by_quantile = bm.select(dataset, tmp_path / "half.parquet", preset="concept-balanced", quantile=0.5)
    assert by_quantile.counts["cap"] == sorted(before.values())[1]


def test_of_equal_images_the_first_stays(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 6)
    package(source, 129, 3)  # 1,280 pictures on, they repeat
    dataset = bm.extract(source, tmp_path / "out", part_size=2)
    first: dict[str, str] = {}
    rows = dataset.figures().to_table().to_pylist()
    for row in rows:
        first.setdefault(row["image_hash"], row["image_id"])
    assert len(first) < len(rows)
    assert ids(bm.select(dataset, tmp_path / "one.parquet", dedup="exact")) == list(first.values())


def test_of_near_images_the_representative_stays_or_else_the_first(dataset: bm.Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no duplicates"):
        bm.select(dataset, tmp_path / "none.parquet", dedup="near")
    made = bm.extract(packages(tmp_path / "in", 4), tmp_path / "out")
    columns = {"image_duplicate_group": pa.int64(), "image_is_representative": pa.bool_()}
    sidecar = Sidecar(made, "duplicates", columns)
    (part,) = sidecar.missing()
    keys = sidecar.figures(part, ["image_id"])["image_id"].to_pylist()
    groups = [None, 7, 7, None, 9, 9, 9, *[None] * (len(keys) - 7)]
    sidecar.write(
        part,
        {
            "image_duplicate_group": pa.array(groups, pa.int64()),
            "image_is_representative": pa.array([n in (2, 5) for n in range(len(keys))]),
        },
    )
    gone = {keys[1], keys[4], keys[6]}
    assert ids(bm.select(made, tmp_path / "a.parquet", dedup="near")) == [key for key in keys if key not in gone]
    without = bm.select(made, tmp_path / "b.parquet", dedup="near", where=f"image_id <> '{keys[5]}'")
    assert ids(without) == [key for key in keys if key not in {keys[1], keys[5], keys[6]}]


def test_a_sample_stays_when_the_dataset_grows(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 20)
    small = bm.extract(source, tmp_path / "out", part_size=4)
    before = ids(bm.select(small, tmp_path / "a.parquet", sample=0.4, seed=5))
    assert 0 < len(before) < len(small)
    for number in range(50, 60):
        package(source, number, 2)
    (source / "PMC2.tar.gz").unlink()
    grown = bm.extract(source, tmp_path / "out", part_size=4)
    after = ids(bm.select(grown, tmp_path / "b.parquet", sample=0.4, seed=5))
    alive = [one for one in before if not one.startswith("PMC2_")]
    assert [one for one in after if int(one[3:].split("_")[0]) < 50] == alive
    assert len(ids(bm.select(grown, tmp_path / "c.parquet", sample=7))) == 7
    assert ids(bm.select(grown, tmp_path / "d.parquet", sample=1.0)) == ids(bm.select(grown, tmp_path / "e.parquet"))


def test_a_sample_after_balance_favours_no_value(dataset: bm.Dataset, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for seed in range(30):
        made = bm.select(dataset, tmp_path / "s.parquet", balance="subset", cap=8, sample=12, seed=seed)
        chosen = set(ids(made))
        counts.update(row["subset"] for row in pairs(dataset) if row["image_id"] in chosen)
    assert sum(counts.values()) == 360
    assert min(counts.values()) > 80


def test_block_lists_name_images_and_articles(dataset: bm.Dataset, tmp_path: Path) -> None:
    (tmp_path / "blocked.txt").write_text("PMC3\nPMC4_0001\nPMC999\n")
    pq.write_table(pa.table({"image_id": ["PMC5_0001"], "other": [1]}), tmp_path / "images.parquet")
    pq.write_table(pa.table({"article_accession_id": ["PMC6"]}), tmp_path / "articles.parquet")
    lists: list[Path | str] = [
        tmp_path / "blocked.txt",
        tmp_path / "images.parquet",
        str(tmp_path / "articles.parquet"),
    ]
    made = bm.select(dataset, tmp_path / "out.parquet", exclude=lists)
    gone = ("PMC3_", "PMC4_0001", "PMC5_0001", "PMC6_")
    assert ids(made) == [row["image_id"] for row in pairs(dataset) if not row["image_id"].startswith(gone)]
    again = bm.select(dataset, tmp_path / "again.parquet", recipe=made)
    assert (again.sha256, again.recipe) == (made.sha256, made.recipe)
    (tmp_path / "blocked.txt").write_text("PMC3")
    with pytest.raises(ValueError, match="does not have the ids that it had"):
        bm.select(dataset, tmp_path / "again.parquet", recipe=made)
    with pytest.raises(bm.SourceNotFoundError, match="no such file"):
        bm.select(dataset, tmp_path / "again.parquet", exclude=tmp_path / "nothing.txt")


def test_a_recipe_gives_the_same_again_from_json_and_from_a_selection(dataset: bm.Dataset, tmp_path: Path) -> None:
    made = bm.select(
        dataset, tmp_path / "a.parquet", preset="concept-balanced", cap=7, where="part < 2", sample=0.8, seed=9
    )
    assert made.recipe == {
        "preset": "concept-balanced", "balance": "image_primary_label", "cap": 7, "where": "part < 2", "sample": 0.8,
        "seed": 9, "clusters": "default",
    }  # fmt: skip
    (tmp_path / "recipe.json").write_text(json.dumps(made.recipe))
    for recipe in (made.recipe, tmp_path / "recipe.json", made, made.path):
        again = bm.select(dataset, tmp_path / "b.parquet", recipe=recipe)
        assert Path(again.path).read_bytes() == (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(ValueError, match="give none beside it"):
        bm.select(dataset, tmp_path / "b.parquet", recipe=made, sample=3)
    for broken, told in (("{", "no recipe"), ("[" * 100_000, "no recipe"), ("[]", "no JSON object"), ('{"wher": "x"}', "did you mean where"),
                         ('{"sample": "x"}', "not of its type"), ('{"balance": "subset"}', "one of cap")):  # fmt: skip
        (tmp_path / "recipe.json").write_text(broken)
        with pytest.raises(ValueError, match=told):
            bm.select(dataset, tmp_path / "b.parquet", recipe=tmp_path / "recipe.json")


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"cap": 3}, "give balance"),
        ({"balance": "subset"}, "one of cap"),
        ({"balance": "subset", "cap": 3, "quantile": 0.5}, "one of cap"),
        ({"balance": "subset", "cap": 0}, "above zero"),
        ({"balance": "subset", "quantile": 1.5}, "at most 1"),
        ({"balance": "image_panels", "cap": 3}, "cannot be balanced"),
        ({"balance": "journal", "cap": 3}, "did you mean article_journal"),
        ({"sample": 0}, "above 0"),
        ({"sample": float("nan")}, "above 0"),
        ({"seed": -1}, "from 0 on"),
        ({"dedup": "all"}, "exact or near"),
        ({"preset": "balanced"}, "did you mean concept-balanced"),
    ],
)
def test_rules_that_make_no_sense_are_refused(
    dataset: bm.Dataset, tmp_path: Path, rules: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        bm.select(dataset, tmp_path / "none.parquet", **rules)
    assert list(tmp_path.iterdir()) == []


def test_a_sidecar_that_lacks_a_part_is_told(tmp_path: Path) -> None:
    made = bm.extract(packages(tmp_path / "in", 8), tmp_path / "out", part_size=4)
    label(made)
    (made.path / "labels" / "000001.parquet").write_bytes(b"no table")
    with pytest.raises(bm.DatasetError, match="labels has no rows for part 000001"):
        bm.select(made, tmp_path / "a.parquet", drop_concepts="Tables")
    assert len(bm.select(made, tmp_path / "a.parquet", where="subset <> 'x'")) == len(made)
    (made.path / "labels" / "000000.parquet").write_bytes(b"no table")
    assert len(bm.select(made, tmp_path / "a.parquet", where="subset <> 'x'")) == len(made)
    with pytest.raises(ValueError, match="has no labels; `biomedica label` makes them"):
        bm.select(made, tmp_path / "a.parquet", drop_concepts="Tables")


def test_nothing_left_is_an_error_that_tells_where_it_went(dataset: bm.Dataset, tmp_path: Path) -> None:
    with pytest.raises(bm.DatasetError, match="nothing is left of 60 pairs: where removed 60"):
        bm.select(dataset, tmp_path / "none.parquet", where="part > 100")
    with pytest.raises(ValueError, match=r"name it \.parquet"):
        bm.select(dataset, tmp_path / "none.txt")


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_command_prints_the_funnel(dataset: bm.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["select", str(dataset.path), "--output", str(tmp_path / "a.parquet")]
    rules = ["--drop-concepts", "Tables, Maps", "--balance", "image_primary_label", "--cap", "9", "--sample", "11"]
    assert main([*command, *rules]) == 0
    made = bm.Selection.open(tmp_path / "a.parquet")
    told = lines(capsys.readouterr().out)
    assert told[0] == ["pairs", "60"]
    assert told[1:4] == [[step.rule, f"-{step.removed}", str(step.left)] for step in made.steps]
    assert made.recipe["drop_concepts"] == ["Tables", "Maps"]
    assert made.count == 11
    assert main([*command, "--recipe", str(tmp_path / "a.parquet"), "--log-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == made.sha256
    assert main([*command, "--where", "caption"]) == 2
    assert main([*command, "--where", "part > 9"]) == 1
    assert "nothing is left" in capsys.readouterr().err

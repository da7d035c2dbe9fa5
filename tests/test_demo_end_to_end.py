"""From the demo corpus to a dataset: every column is what was written down while the corpus was drawn."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import biomedica as bm

Row = dict[str, Any]
ARTICLES = 60
UNTOLD = {"package", "ordinal", "publisher", "licence_case", "article_license", "license_conflict"}
"""Of the corpus rather than of the tables, or of the other table."""


class Extracted(NamedTuple):
    """A corpus, and what was made of it."""

    directory: Path
    dataset: bm.Dataset

    def truth(self, name: str) -> list[Row]:
        return [json.loads(line) for line in (self.directory / name).read_text("utf-8").splitlines()]

    def source(self, package: str) -> str:
        return str(self.directory / "packages" / package)


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Extracted:
    directory = tmp_path_factory.mktemp("end")
    source = bm.demo.make(directory / "demo", articles=ARTICLES, threads=2)
    return Extracted(directory / "demo", bm.extract(source, directory / "dataset", threads=2))


def differences(key: str, truth: list[Row], found: list[Row], columns: list[str]) -> list[str]:
    """Every cell that is not as it was told, and every row that is on one side only."""
    told, read = ({row[key]: row for row in rows} for rows in (truth, found))
    assert (len(told), len(read)) == (len(truth), len(found)), f"{key} is not unique"
    report = [f"{name}: not told of" for name in read.keys() - told.keys()]
    report += [f"{name}: not found" for name in told.keys() - read.keys()]
    for name in told.keys() & read.keys():
        report += [
            f"{name} {column}: told {told[name][column]!r}, found {read[name][column]!r}"
            for column in columns
            if told[name][column] != read[name][column]
        ]
    return sorted(report)


def test_figures_are_as_told(extracted: Extracted) -> None:
    truth = extracted.truth("truth.jsonl")
    table = extracted.dataset.figures()
    columns = [name for name in table.schema.names if name in truth[0]]
    assert {
        "article_accession_id",
        "caption",
        "caption_source",
        "group_caption",
        "image_context",
        "image_figure_id",
        "image_file_name",
        "image_format",
        "image_id",
        "image_kind",
        "image_label",
        "image_num_bytes",
        "image_size",
        "in_sub_article",
        "status",
        "subset",
    } <= set(columns)
    found = table.to_table().to_pylist()
    for row in found:
        if row["image_hash"] is None:  # no file: the column has the name that was looked for
            row["image_file_name"] = None
    report = differences("image_id", truth, found, columns)
    assert not report, f"{len(report)} differences\n" + "\n".join(report[:30])


def test_articles_are_as_told(extracted: Extracted) -> None:
    truth = extracted.truth("truth_articles.jsonl")
    table = extracted.dataset.articles()
    columns = [name for name in truth[0] if name not in UNTOLD - {"article_license", "license_conflict"}]
    assert set(columns) <= set(table.schema.names)
    found = table.to_table().to_pylist()
    report = differences("article_accession_id", truth, found, columns)
    assert not report, f"{len(report)} differences\n" + "\n".join(report[:30])
    packages = {row["article_accession_id"]: Path(extracted.source(row["package"])) for row in truth}
    for row in found:
        package = packages[row["article_accession_id"]]
        # A directory with one document right in it is a package of its own.
        assert Path(row["source"]) in {package, package.parent}


def test_failures_are_as_told(extracted: Extracted) -> None:
    truth = [
        (extracted.source(row["package"]), row["article_accession_id"], row["reason"])
        for row in extracted.truth("truth_failures.jsonl")
    ]
    found = extracted.dataset.failures().to_table().to_pylist()
    assert sorted(truth, key=str) == sorted(
        [(row["source"], row["article_accession_id"], row["reason"]) for row in found], key=str
    )
    assert all(row["detail"] and row["stage"] in bm.STAGES for row in found)


def test_every_package_is_accounted_for(extracted: Extracted) -> None:
    stats = extracted.dataset.stats()
    articles = extracted.truth("truth_articles.jsonl")
    failures = extracted.truth("truth_failures.jsonl")
    with_articles = {row["package"] for row in articles}
    without = {row["package"] for row in failures} - with_articles
    assert stats["packages"] == len(with_articles) + len(without)
    assert stats["packages"] == json.loads((extracted.directory / "demo.json").read_text("utf-8"))["packages"]
    assert stats["articles"] == len(articles)
    assert stats["failures"] == len(failures)
    assert stats["reasons"] == dict(sorted(Counter(row["reason"] for row in failures).items()))
    figures = extracted.truth("truth.jsonl")
    assert stats["figures"] == len(figures) == sum(stats["statuses"].values())
    seen = {status: count for status, count in stats["statuses"].items() if count}
    assert seen == dict(sorted(Counter(row["status"] for row in figures).items()))
    assert stats["pairs"] == stats["statuses"]["ok"]
    for subset, counts in stats["subsets"].items():
        assert counts["articles"] == sum(row["subset"] == subset for row in articles)
        assert counts["figures"] == sum(row["subset"] == subset for row in figures)
        assert counts["pairs"] == sum(row["subset"] == subset and row["status"] == "ok" for row in figures)


def test_the_dataset_is_sound(extracted: Extracted) -> None:
    report = extracted.dataset.verify(deep=True)
    assert report.problems == []
    assert report.images == extracted.dataset.stats()["pairs"]


def test_every_image_can_be_read_by_its_id(extracted: Extracted) -> None:
    pairs = 0
    for row in extracted.dataset.figures().to_table().to_pylist():
        if row["status"] != "ok":
            assert row["shard"] is None
            continue
        data = extracted.dataset.image(row["image_id"])
        assert hashlib.sha256(data).hexdigest() == row["image_hash"]
        assert len(data) == row["image_num_bytes"] == row["shard_length"]
        pairs += 1
    assert pairs == extracted.dataset.stats()["pairs"]

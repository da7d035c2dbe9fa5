"""What makes a pair beside an image and a caption: the licences that are wanted."""

from collections import Counter
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.cli import main
from made import packages


def counts(dataset: bm.Dataset) -> Counter[tuple[str, str]]:
    """How many figures of each subset have each status."""
    rows = dataset.figures().to_table(columns=["subset", "status"]).to_pylist()
    return Counter((row["subset"], row["status"]) for row in rows)


def test_figures_of_other_subsets_stay_rows_and_make_no_pairs(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 12)
    everything = bm.extract(source, tmp_path / "all")
    some = bm.extract(source, tmp_path / "some", subset=["commercial", "other"])
    wanted = {"commercial": "ok", "other": "ok", "noncommercial": "filtered"}
    assert counts(some) == Counter({(sub, wanted[sub]): n for (sub, _), n in counts(everything).items()})
    assert some.articles().to_table().equals(everything.articles().to_table())
    assert {Path(shard).parent.name for shard in some.shards()} == {"commercial", "other"}
    stats = some.stats()
    assert stats["statuses"]["filtered"] == counts(some)["noncommercial", "filtered"]
    assert stats["figures"] == sum(stats["statuses"].values())
    assert some.verify(deep=True)


def test_licences_are_wanted_by_their_names(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 6)
    dataset = bm.extract(source, tmp_path / "out", license="CC BY")
    licenses = {
        row["article_accession_id"]: row["article_license"] for row in dataset.articles().to_table().to_pylist()
    }
    for row in dataset.figures().to_table().to_pylist():
        assert (row["status"] == "ok") == (licenses[row["article_accession_id"]] == "CC BY")


def test_reading_knows_the_same_rules(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 6)
    found: Counter[tuple[str, str]] = Counter()
    for chunk in bm.read(source, subset="noncommercial"):
        for row in chunk.figures.to_pylist():
            found[row["subset"], row["status"]] += 1
    assert {subset for subset, status in found if status == "ok"} == {"noncommercial"}
    assert {status for subset, status in found if subset != "noncommercial"} == {"filtered"}


@pytest.mark.parametrize("option", [{"subset": "free"}, {"license": "CC BYE"}])
def test_an_unknown_name_is_refused_with_those_that_there_are(tmp_path: Path, option: dict[str, str]) -> None:
    source = packages(tmp_path / "in", 1)
    with pytest.raises(ValueError, match=f"no {next(iter(option))} is called"):
        bm.extract(source, tmp_path / "out", **option)  # type: ignore[arg-type] # one name, either option
    assert not (tmp_path / "out").exists()


def test_other_rules_are_another_dataset(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 3)
    bm.extract(source, tmp_path / "out", subset="commercial")
    with pytest.raises(bm.DatasetError):
        bm.extract(source, tmp_path / "out")


def test_the_command_takes_a_subset_and_a_licence(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 6)
    argv = ["extract", str(source), "--output", str(tmp_path / "out"), "--subset", "commercial", "--license", "CC BY"]
    assert main(argv) == 0
    assert {subset for subset, status in counts(bm.open(tmp_path / "out")) if status == "ok"} == {"commercial"}

"""Articles found in the layout of the cloud bucket, on disk and in a store, and packages below a prefix."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import biomedica as bm
from biomedica import demo
from biomedica.demo import cloud
from bucket import BUCKET, Bucket


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    packages = demo.make(tmp_path_factory.mktemp("corpus"), articles=14)
    shutil.rmtree(packages / "oa_package" / "ff")  # broken on purpose
    return packages


@pytest.fixture(scope="module")
def mirror(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cloud.make(corpus, tmp_path_factory.mktemp("mirror"), bucket=BUCKET)


@pytest.fixture
def bucket(mirror: Path) -> Iterator[Bucket]:
    bucket = Bucket()
    for path in sorted(mirror.rglob("*")):
        if path.is_file():
            bucket.put(str(path.relative_to(mirror)), path.read_bytes())
    yield bucket
    bucket.close()


def names(mirror: Path) -> list[str]:
    """Every version there is, in the order of numbers."""
    stems = [path.stem for path in (mirror / "metadata").iterdir()]
    return sorted(stems, key=lambda name: [int(number) for number in name[3:].split(".")])


def metadata(mirror: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((mirror / "metadata" / f"{name}.json").read_text())
    return found


def best(mirror: Path) -> list[str]:
    """The version of each article that is to be taken."""
    chosen: dict[str, str] = {}
    for name in names(mirror):
        accession = name.split(".")[0]
        if accession not in chosen or not metadata(mirror, name)["is_manuscript"]:
            chosen[accession] = name
    return list(chosen.values())


def read(source: str | Path | list[str], bucket: Bucket | None = None, **options: object) -> list[str]:
    """The names of what was read, then of what failed as a whole."""
    stores = bucket.options() if bucket else None
    found, failed = [], []
    with bm.read(source, storage_options=stores, **options) as chunks:  # type: ignore[arg-type]
        for chunk in chunks:
            found += [Path(text).name for text in chunk.articles["source"].to_pylist()]
            failed += [
                f"{row['reason']} {row['source']}"
                for row in chunk.failures.to_pylist()
                if row["stage"] in {"open", "fetch"} and row["reason"] == "not_found" and row["member"] is None
            ]
    return found + failed


def test_a_bucket_and_its_mirror_give_the_same_articles_in_the_order_of_their_numbers(
    mirror: Path, bucket: Bucket
) -> None:
    expected = best(mirror)
    assert read(mirror) == expected
    assert read("s3://lab", bucket) == expected
    assert read("https://lab.s3.amazonaws.com/", bucket) == expected


def test_a_bucket_without_an_inventory_is_listed(mirror: Path, bucket: Bucket) -> None:
    for name in bucket.names("inventory-reports"):
        bucket.delete(f"inventory-reports/{name}")
    assert read("s3://lab", bucket) == best(mirror)


def test_an_inventory_may_be_named(mirror: Path, bucket: Bucket) -> None:
    manifest = f"inventory-reports/lab/metadata/{cloud.DATES[0]}/manifest.json"
    assert read(f"s3://lab/{manifest}", bucket) == best(mirror)
    assert read(mirror / manifest) == best(mirror)


def test_versions_are_chosen_and_the_tables_say_why(mirror: Path, bucket: Bucket, tmp_path: Path) -> None:
    assert read("s3://lab", bucket, versions="all") == names(mirror)
    latest = {name.split(".")[0]: name for name in names(mirror)}
    assert read("s3://lab", bucket, versions="latest") == list(latest.values())
    dataset = bm.extract("s3://lab", tmp_path / "dataset", storage_options=bucket.options())
    rows = dataset.articles().to_table(columns=["source", "version_reason"]).to_pylist()
    reasons = {Path(row["source"]).name: row["version_reason"] for row in rows}
    assert set(reasons) == set(best(mirror))
    counts = {accession: sum(name.startswith(f"{accession}.") for name in names(mirror)) for accession in latest}
    for name, reason in reasons.items():
        assert reason == ("only" if counts[name.split(".")[0]] == 1 else "published")


def test_articles_are_found_by_pmc_id_pmid_and_doi(mirror: Path, bucket: Bucket, tmp_path: Path) -> None:
    first, second, third = best(mirror)[2:5]
    two = next(name for name in names(mirror) if name.endswith(".2"))
    one = two.removesuffix("2") + "1"
    ids = tmp_path / "ids.txt"
    ids.write_text(f"{first.split('.')[0]}\n{one}\nPMC77\n")
    expected = [*sorted([first, one]), "not_found PMC77"]
    assert read("s3://lab", bucket, ids=ids) == expected
    assert read(mirror, ids=ids) == expected
    ids.write_text(f"{metadata(mirror, second)['pmid']}\nhttps://doi.org/{metadata(mirror, third)['doi']}\n10.1/none\n")
    expected = [*sorted([second, third]), "not_found DOI 10.1/none"]
    assert read("s3://lab", bucket, ids=ids) == expected
    assert read(mirror, ids=ids) == expected


def test_legacy_packages_are_found_by_the_id_in_their_names(corpus: Path, tmp_path: Path) -> None:
    package = sorted(corpus.rglob("PMC*.tar.gz"))[3]
    ids = tmp_path / "ids"
    ids.write_text(package.name.removesuffix(".tar.gz"))
    assert read(corpus, ids=ids) == [package.name]


def test_one_article_all_its_versions_and_a_prefix_may_be_named(mirror: Path, bucket: Bucket, tmp_path: Path) -> None:
    two = next(name for name in names(mirror) if name.endswith(".2"))
    accession = two.split(".")[0]
    assert read(f"s3://lab/{two}/", bucket) == [two]
    assert read(mirror / two) == [two]
    assert read(f"s3://lab/{accession}", bucket) == [name for name in best(mirror) if name.startswith(f"{accession}.")]
    assert read("s3://lab/PMC900000*", bucket) == [name for name in best(mirror) if name.startswith("PMC900000")]
    listed = tmp_path / "some.txt"
    listed.write_text(f"# one\ns3://lab/{two}\n")
    assert read(listed, bucket) == [two]


def test_only_what_changed_since_a_day_is_taken(corpus: Path, bucket: Bucket, tmp_path: Path) -> None:
    later = cloud.make(corpus, tmp_path, bucket=BUCKET)
    cloud.make(corpus, tmp_path, month=1, bucket=BUCKET)
    for path in later.rglob("*"):
        if path.is_file():
            bucket.put(str(path.relative_to(later)), path.read_bytes())
    everything = read("s3://lab", bucket)
    assert everything == best(later)
    some = read("s3://lab", bucket, since="2026-09-15")
    assert some
    assert set(some) < set(everything)
    assert read("s3://lab", bucket, since="2026-11-01") == []


def test_packages_below_a_prefix_are_listed(corpus: Path, bucket: Bucket) -> None:
    packages = sorted(corpus.rglob("PMC*.tar.gz"))[2:5]
    for package in packages:
        bucket.put(f"old/{package.name}", package.read_bytes())
    bucket.put("old/README", b"none")
    assert read("s3://lab/old/", bucket) == [package.name for package in packages]
    assert read(f"s3://lab/old/{packages[1].name}", bucket) == [packages[1].name]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("s3://nobody", "404|not_found"),
        ("s3://lab/nothing/here", "no package lies below"),
        ("https://example.org/packages/", "cannot be listed"),
        ("ftp://example.org/a.tar.gz", "is no store"),
        ("s3://lab/*.tar.gz", "patterns"),
    ],
)
def test_a_source_that_is_none_is_told_before_anything_is_read(bucket: Bucket, source: str, says: str) -> None:
    with pytest.raises(bm.BiomedicaError, match=says):
        bm.read(source, storage_options=bucket.options())


def test_a_broken_inventory_ends_the_run_and_its_bad_lines_do_not(mirror: Path, bucket: Bucket, tmp_path: Path) -> None:
    table = f"inventory-reports/lab/metadata/data/{cloud.DATES[0]}-0.csv.gz"
    whole = bucket.get(table)
    bucket.put(table, whole[: len(whole) // 2])
    with pytest.raises(bm.BiomedicaError, match=r"csv\.gz"):
        bm.extract("s3://lab", tmp_path / "dataset", storage_options=bucket.options())
    bucket.put(table, gzip.compress(gzip.decompress(whole) + b'"lab","metadata/PMC1\n'))
    dataset = bm.extract("s3://lab", tmp_path / "dataset", storage_options=bucket.options())
    assert dataset.stats()["packages"] == len(best(mirror))
    assert dataset.stats()["reasons"]["malformed"] >= 1


def test_wrong_options_are_told(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="versions"):
        bm.read(mirror, versions="newest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="date"):
        bm.read(mirror, since="soon")
    ids = tmp_path / "ids"
    ids.write_text("PCM1\n")
    with pytest.raises(bm.BiomedicaError, match="line 1"):
        bm.read(mirror, ids=ids)

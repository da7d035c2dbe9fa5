"""Articles of the cloud bucket: read over an S3 server that fails now and then, from a mirror, and from legacy packages."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.demo import cloud
from bucket import BUCKET, Bucket, Proxy, seeded
from made import tree


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    bucket = Bucket()
    proxy = Proxy(bucket)
    yield proxy
    proxy.close()
    bucket.close()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bm.demo.make(tmp_path_factory.mktemp("demo"), articles=24, seed=1)


@pytest.fixture(scope="module")
def mirror(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cloud.make(packages, tmp_path_factory.mktemp("bucket") / "mirror", bucket=BUCKET)


def upload(mirror: Path, bucket: Bucket) -> None:
    for name, data in tree(mirror).items():
        bucket.put(name, data)


def samples(dataset: bm.Dataset) -> dict[str, tuple[bytes, str]]:
    """Every sample once: its image and caption by its key."""
    stream = bm.stream(dataset.path, shuffle=False)
    found = [(sample.key, (bytes(sample.image), sample.caption)) for sample in stream]
    stream.close()
    assert len(dict(found)) == len(found)
    return dict(found)


def test_a_bucket_that_fails_now_and_then_gives_what_its_mirror_gives(
    mirror: Path, proxy: Proxy, tmp_path: Path
) -> None:
    expected = bm.extract(mirror, tmp_path / "mirror", part_size=8)
    upload(mirror, proxy.bucket)
    proxy.fault = seeded(0.1, ("500", "503", "reset", "cut"))
    options = proxy.bucket.options(proxy.url)
    found = bm.extract(f"s3://{BUCKET}", tmp_path / "bucket", part_size=8, threads=2, storage_options=options)
    assert len(proxy.faults) > 5
    assert samples(found) == samples(expected)
    # The samples' JSON names the source, so that images lie elsewhere in their shards.
    other = ("source", "shard_offset")
    for ours, theirs in ((found.articles(), expected.articles()), (found.figures(), expected.figures())):
        columns = [name for name in ours.schema.names if name not in other]
        assert ours.to_table(columns=columns).to_pylist() == theirs.to_table(columns=columns).to_pylist()
    assert found.failures().count_rows() == expected.failures().count_rows()


def test_the_bucket_holds_what_the_packages_hold(packages: Path, mirror: Path, tmp_path: Path) -> None:
    of_packages = samples(bm.extract(packages, tmp_path / "packages"))
    of_mirror = samples(bm.extract(mirror, tmp_path / "mirror", retracted="keep"))
    assert len(of_mirror) > 20
    shared = of_packages.keys() & of_mirror.keys()
    assert {key: of_mirror[key] for key in shared} == {key: of_packages[key] for key in shared}
    assert len(shared) > len(of_mirror) / 2


def test_objects_that_are_gone_are_failures_of_their_articles(mirror: Path, proxy: Proxy, tmp_path: Path) -> None:
    upload(mirror, proxy.bucket)
    names = sorted(name for name in proxy.bucket.names("metadata") if name.endswith(".json"))
    gone = names[0].removesuffix(".json")
    proxy.bucket.delete(f"{gone}/{gone}.xml")
    found = bm.extract(f"s3://{BUCKET}", tmp_path / "out", storage_options=proxy.bucket.options())
    rows = [row for row in found.failures().to_table().to_pylist() if row["source"].endswith(gone)]
    assert [(row["stage"], row["reason"], row["member"]) for row in rows] == [("fetch", "not_found", f"{gone}.xml")]


def test_an_update_to_the_next_inventory_is_a_full_build_and_the_withdrawn_are_in_no_stream(
    packages: Path, proxy: Proxy, tmp_path: Path
) -> None:
    bucket, mirror = proxy.bucket, tmp_path / "mirror"
    options = bucket.options()
    cloud.make(packages, mirror, bucket=BUCKET)
    upload(mirror, bucket)
    first = bm.extract(f"s3://{BUCKET}", tmp_path / "dataset", part_size=8, storage_options=options)
    before, articles_before = samples(first), accessions(first)

    cloud.make(packages, mirror, month=1, bucket=BUCKET)
    there = tree(mirror)
    for name in [name for name in bucket.names("metadata") if f"metadata/{name}" not in there]:
        bucket.delete(f"metadata/{name}")
    upload(mirror, bucket)
    proxy.seen.clear()
    options = bucket.options(proxy.url)
    second = bm.extract(f"s3://{BUCKET}", tmp_path / "dataset", part_size=8, storage_options=options)
    full = bm.extract(f"s3://{BUCKET}", tmp_path / "full", part_size=8, storage_options=bucket.options())
    after = samples(second)
    assert after == samples(full)
    assert accessions(second) == accessions(full)
    withdrawn = articles_before - accessions(second)
    assert withdrawn
    assert accessions(second) - articles_before
    assert not [key for key in after if key.split("_")[0] in withdrawn]
    assert [key for key in before if key.split("_")[0] in withdrawn]
    documents = {path.split("/")[2].split(".")[0] for _, path in proxy.seen if ".xml" in path}
    assert documents < accessions(second), "what is as it was is not read again"
    assert second.verify(deep=True)
    bm.compact(second.path)
    assert samples(bm.open(second.path)) == after


def accessions(dataset: bm.Dataset) -> set[str]:
    return set(dataset.articles().to_table(columns=["article_accession_id"])["article_accession_id"].to_pylist())


def test_the_strictest_of_metadata_and_document_is_the_licence(mirror: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mirror"
    shutil.copytree(mirror, copy)
    columns = ["source", "article_license", "license_in_metadata", "license_conflict", "subset"]
    articles = bm.extract(copy, tmp_path / "before").articles().to_table(columns=columns).to_pylist()
    assert all(row["license_in_metadata"] == row["article_license"] for row in articles)
    free = next(Path(row["source"]).name for row in articles if row["article_license"] == "CC BY")
    record = copy / "metadata" / f"{free}.json"
    record.write_text(record.read_text().replace('"license_code": "CC BY"', '"license_code": "CC BY-NC"'))
    again = bm.extract(copy, tmp_path / "after").articles().to_table(columns=columns).to_pylist()
    row = next(row for row in again if Path(row["source"]).name == free)
    assert list(row.values())[1:] == ["CC BY-NC", "CC BY-NC", True, "noncommercial"]


def test_bytes_that_are_not_what_the_metadata_promise_are_a_failure_and_no_image(
    mirror: Path, proxy: Proxy, tmp_path: Path
) -> None:
    upload(mirror, proxy.bucket)
    expected = bm.extract(mirror, tmp_path / "mirror")
    shard_row = next(row for row in expected.figures().to_table().to_pylist() if row["status"] == "ok")
    articles = expected.articles().to_table(columns=["article_accession_id", "source"]).to_pylist()
    source = next(a["source"] for a in articles if a["article_accession_id"] == shard_row["article_accession_id"])
    key = f"{Path(source).name}/{shard_row['image_file_name']}"
    proxy.bucket.put(key, b"other bytes")
    options = proxy.bucket.options(retry_timeout="1")
    dataset = bm.extract(f"s3://{BUCKET}", tmp_path / "out", storage_options=options)
    row = next(r for r in dataset.figures().to_table().to_pylist() if r["image_id"] == shard_row["image_id"])
    assert row["status"] == "unreadable_image"
    failure = next(f for f in dataset.failures().to_table().to_pylist() if f["stage"] == "fetch")
    assert (failure["reason"], failure["member"]) == ("corrupt", shard_row["image_file_name"])
    proxy.bucket.put(key, (mirror / key).read_bytes())
    retried = bm.retry(dataset.path, storage_options=proxy.bucket.options())
    assert (retried.renewed_parts, retried.failures, retried.pairs) == (1, 0, 1)
    assert samples(bm.open(dataset.path)) == samples(expected)


def test_answers_that_stall_are_asked_for_again(mirror: Path, proxy: Proxy, tmp_path: Path) -> None:
    upload(mirror, proxy.bucket)
    proxy.fault = seeded(0.03, ("stall",))
    options = proxy.bucket.options(proxy.url, request_timeout="1")
    dataset = bm.extract(f"s3://{BUCKET}", tmp_path / "out", storage_options=options)
    assert samples(dataset) == samples(bm.extract(mirror, tmp_path / "mirror"))
    assert dataset.stats()["reasons"] == bm.open(tmp_path / "mirror").stats()["reasons"]

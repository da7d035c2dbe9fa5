"""Articles of the cloud bucket: read over an S3 server that fails now and then, from a mirror, and from legacy packages."""

import os
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

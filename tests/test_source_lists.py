"""Packages that are named one by one: in lists on disk and in stores, and seen to change by a later run."""

import gzip
import os
import shutil
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

import biomedica as bm
from biomedica import demo
from biomedica.cli import main
from biomedica.demo import cloud
from bucket import BUCKET, Bucket, Proxy
from loopback import Loopback
from made import package, packages, tree


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A bucket with four packages below `in/`, and a proxy before it."""
    bucket = Bucket()
    for name, data in tree(packages(tmp_path / "in", 4)).items():
        bucket.put(f"in/{name}", data)
    proxy = Proxy(bucket)
    yield proxy
    proxy.close()
    bucket.close()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Loopback]:
    """A plain HTTP server of `tmp_path`, without ranges and without ETags."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    packages(tmp_path / "in", 4)
    server = Loopback(Handler)
    yield server
    server.close()


def accessions(dataset: bm.Dataset) -> set[str]:
    return set(dataset.articles().to_table(columns=["article_accession_id"]).column(0).to_pylist())


def captions(dataset: bm.Dataset) -> set[str]:
    return set(dataset.figures().to_table(columns=["caption"]).column(0).to_pylist())


def failures(dataset: bm.Dataset) -> list[tuple[str, str]]:
    rows = dataset.failures().to_table(columns=["source", "reason"]).to_pylist()
    return [(row["source"], row["reason"]) for row in rows]


def states(path: Path) -> tuple[bytes, bytes]:
    """Two states of the package at `path`, with another caption and as many bytes: they are stored, not compressed."""
    plain = gzip.decompress(path.read_bytes())
    other = plain.replace(b"Caption 1 of", b"Caption 7 of")
    one, two = (gzip.compress(data, compresslevel=0, mtime=0) for data in (plain, other))
    assert len(one) == len(two)
    return one, two


def test_a_package_named_by_its_url_is_read_again_when_it_changed(proxy: Proxy, tmp_path: Path) -> None:
    source = tmp_path / "in" / "PMC1.tar.gz"
    before, after = states(source)
    proxy.bucket.put("in/PMC1.tar.gz", before)
    urls = ["s3://lab/in/PMC1.tar.gz", "s3://lab/in/PMC2.tar.gz"]
    options = proxy.bucket.options()
    dataset = bm.extract(urls, tmp_path / "out", storage_options=options)
    assert "Caption 1 of article 1." in captions(dataset)
    first = tree(tmp_path / "out")
    assert tree(bm.extract(urls, tmp_path / "out", storage_options=options).path) == first
    proxy.bucket.put("in/PMC1.tar.gz", after)
    dataset = bm.extract(urls, tmp_path / "out", storage_options=options)
    assert "Caption 7 of article 1." in captions(dataset)
    assert "Caption 1 of article 1." not in captions(dataset)
    assert accessions(dataset) == {"PMC1", "PMC2"}


def test_a_package_of_a_server_without_etags_is_known_by_when_it_was_written(files: Loopback, tmp_path: Path) -> None:
    source = tmp_path / "in" / "PMC1.tar.gz"
    before, after = states(source)
    source.write_bytes(before)
    os.utime(source, (1e9, 1e9))
    url = f"{files.url}/in/PMC1.tar.gz"
    dataset = bm.extract(url, tmp_path / "out")
    source.write_bytes(after)
    os.utime(source, (1e9, 1e9))
    assert "Caption 1 of article 1." in captions(bm.extract(url, tmp_path / "out"))
    os.utime(source, (1.1e9, 1.1e9))
    dataset = bm.extract(url, tmp_path / "out")
    assert "Caption 7 of article 1." in captions(dataset)


def test_an_article_named_by_its_url_is_read_again_when_its_metadata_changed(tmp_path: Path) -> None:
    mirror = cloud.make(demo.make(tmp_path / "demo", articles=8, seed=1), tmp_path / "mirror", bucket=BUCKET)
    bucket = Bucket()
    for name, data in tree(mirror).items():
        bucket.put(name, data)
    name = "PMC9001001.1"
    metadata = f"metadata/{name}.json"
    dataset = bm.extract(f"s3://lab/{name}", tmp_path / "out", storage_options=bucket.options())
    assert dataset.articles().to_table(columns=["is_retracted"]).column(0).to_pylist() == [False]
    text = bucket.get(metadata)
    assert text.count(b'"is_retracted": false') == 1
    # As many bytes as before: the whitespace makes up for it.
    bucket.put(metadata, text.replace(b'"is_retracted": false', b'"is_retracted":  true'))
    dataset = bm.extract(f"s3://lab/{name}", tmp_path / "out", storage_options=bucket.options())
    assert dataset.articles().to_table(columns=["is_retracted"]).column(0).to_pylist() == [True]
    bucket.close()


def test_a_package_whose_store_is_gone_for_an_update_is_a_failure_and_not_withdrawn(
    proxy: Proxy, tmp_path: Path
) -> None:
    urls = [f"s3://lab/in/PMC{number}.tar.gz" for number in (1, 2, 3)]
    options = proxy.bucket.options(proxy.url, retry_timeout="0.5")
    bm.extract(urls, tmp_path / "out", storage_options=options)
    proxy.fault = lambda handler, _: "500" if "PMC2" in handler.path else None
    dataset = bm.extract(urls, tmp_path / "out", storage_options=options)
    assert accessions(dataset) == {"PMC1", "PMC2", "PMC3"}
    assert failures(dataset) == [("s3://lab/in/PMC2.tar.gz", "io")]
    proxy.fault = lambda *_: None
    dataset = bm.extract(urls, tmp_path / "out", storage_options=options)
    assert (accessions(dataset), failures(dataset)) == ({"PMC1", "PMC2", "PMC3"}, [])


LIST = "# of today\nin/PMC1.tar.gz\r\n\n./in/../in/PMC2.tar.gz\ns3://lab/in/PMC3.tar.gz\nin/PMC9.tar.gz\nother.txt\n/etc/x.tar\n"


def test_a_list_in_a_store_names_what_lies_beside_it(proxy: Proxy, tmp_path: Path) -> None:
    bucket = proxy.bucket
    bucket.put("list.txt", LIST.encode())
    dataset = bm.extract("s3://lab/list.txt", tmp_path / "out", storage_options=bucket.options())
    assert accessions(dataset) == {"PMC1", "PMC2", "PMC3"}
    assert sorted(failures(dataset)) == [
        ("s3://lab/in/PMC9.tar.gz", "not_found"),
        ("s3://lab/list.txt", "unsafe_path"),
        ("s3://lab/other.txt", "unsupported_format"),
    ]
    packages = dataset.packages().to_table(columns=["package"]).column(0).to_pylist()
    assert [text for text in packages if text.endswith("gz")] == [
        f"s3://lab/in/PMC{number}.tar.gz" for number in (1, 2, 3, 9)
    ]


def test_a_list_behind_http_names_what_lies_beside_it(files: Loopback, tmp_path: Path) -> None:
    (tmp_path / "all.list").write_text("in/PMC1.tar.gz\nin/PMC4.tar.gz\n")
    assert accessions(bm.extract(f"{files.url}/all.list", tmp_path / "out")) == {"PMC1", "PMC4"}


def test_a_list_too_long_for_one_request_is_read_piece_by_piece(proxy: Proxy, tmp_path: Path) -> None:
    line = b"#" * 1023 + b"\n"
    proxy.bucket.put("long.txt", line * (17 << 10) + b"in/PMC1.tar.gz\n")
    dataset = bm.extract("s3://lab/long.txt", tmp_path / "out", storage_options=proxy.bucket.options())
    assert accessions(dataset) == {"PMC1"}


def test_a_list_that_a_store_does_not_give_ends_the_run_and_one_that_is_missing_is_a_failure(
    proxy: Proxy, tmp_path: Path
) -> None:
    sources = ["s3://lab/in/PMC1.tar.gz", "s3://lab/list.txt"]
    options = proxy.bucket.options(proxy.url, retry_timeout="0.5")
    dataset = bm.extract(sources, tmp_path / "out", storage_options=options)
    assert failures(dataset) == [("s3://lab/list.txt", "not_found")]
    proxy.fault = lambda handler, _: "500" if "list.txt" in handler.path else None
    with pytest.raises(bm.SourceError, match=r"list\.txt"):
        bm.extract(sources, tmp_path / "out", storage_options=options)


def test_an_article_of_a_mirror_without_its_metadata_is_a_failure(tmp_path: Path) -> None:
    mirror = cloud.make(demo.make(tmp_path / "demo", articles=8, seed=1), tmp_path / "mirror", bucket=BUCKET)
    whole = bm.extract(mirror, tmp_path / "whole")
    name = min(path.stem for path in (mirror / "metadata").iterdir())
    metadata = mirror / "metadata" / f"{name}.json"
    kept = metadata.read_bytes()
    metadata.unlink()
    for source in (mirror, mirror / name):
        out = tmp_path / f"out-{source.name}"
        shutil.rmtree(out, ignore_errors=True)
        dataset = bm.extract(source, out)
        lost = dataset.failures().to_table(columns=["source", "member", "reason"]).to_pylist()
        assert {"source": str(mirror / name), "member": f"metadata/{name}.json", "reason": "not_found"} in lost
    assert accessions(bm.open(tmp_path / "out-mirror")) == accessions(whole) - {name.split(".")[0]}
    metadata.write_bytes(kept)
    assert accessions(bm.extract(mirror, tmp_path / "out-mirror")) == accessions(whole)


def test_many_packages_named_by_url_keep_their_order(proxy: Proxy, tmp_path: Path) -> None:
    made = tmp_path / "many"
    made.mkdir()
    for number in range(100, 180):
        proxy.bucket.put(f"in/PMC{number}.tar.gz", package(made, number, 1).read_bytes())
    local = str(made / "PMC150.tar.gz")
    urls = [f"s3://lab/in/PMC{number}.tar.gz" for number in range(179, 99, -1)]
    urls[40] = local
    options = proxy.bucket.options(proxy.url)
    found = []
    with bm.read(urls, storage_options=options) as chunks:
        for chunk in chunks:
            found += chunk.articles["source"].to_pylist()
    assert found == urls


def test_the_command_exits_with_1_when_no_source_could_be_read(
    proxy: Proxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = cloud.make(demo.make(tmp_path / "demo", articles=8, seed=1), tmp_path / "mirror", bucket=BUCKET)
    (mirror / "metadata" / "PMC9001001.1.json").unlink()
    options = [f"--storage-option={name}={value}" for name, value in proxy.bucket.options().items()]
    there, gone = "s3://lab/in/PMC1.tar.gz", "s3://lab/in/PMC9.tar.gz"

    def run(number: int, *sources: str) -> tuple[int, str]:
        code = main(["extract", *sources, "-o", str(tmp_path / f"out{number}"), *options])
        return code, capsys.readouterr().err.splitlines()[-1]

    for number, sources in enumerate(
        [
            [str(mirror / "PMC9001001.1")],
            [gone],
            ["s3://lab/PMC9.1"],
            [gone, "s3://lab/PMC9.1", str(tmp_path / "none.tar.gz")],
        ]
    ):
        code, says = run(number, *sources)
        assert code == 1, sources
        assert "nothing could be read" in says
        assert f"not_found {len(sources)}" in says
    assert run(8, str(tmp_path / "none.tar.gz"))[0] == 1
    assert run(9, gone, there)[0] == 0

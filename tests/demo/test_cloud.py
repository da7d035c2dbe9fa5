"""The layout of the cloud bucket that the demo corpus is turned into."""

import gzip
import json
from pathlib import Path

import pytest

from biomedica import demo
from biomedica.demo import cloud


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo.make(tmp_path_factory.mktemp("corpus"), articles=20)


def inventory(mirror: Path, date: str) -> dict[str, str]:
    """ETag by key, of one inventory."""
    base = mirror / "inventory-reports" / cloud.BUCKET / "metadata" / date
    files = json.loads((base / "manifest.json").read_text())["files"]
    lines = [line for file in files for line in gzip.decompress((mirror / file["key"]).read_bytes()).decode().split()]
    rows = [[value.strip('"') for value in line.split(",")] for line in lines]
    return {key: etag for _, key, _, etag in rows}


def test_every_file_that_the_metadata_name_is_there(packages: Path, tmp_path: Path) -> None:
    mirror = cloud.make(packages, tmp_path)
    found = sorted((mirror / "metadata").iterdir())
    assert found
    for path in found:
        metadata = json.loads(path.read_text())
        assert path.stem == f"{metadata['pmcid']}.{metadata['version']}"
        for url in [metadata["xml_url"], *metadata["media_urls"]]:
            key = url.removeprefix(f"s3://{cloud.BUCKET}/").partition("?")[0]
            assert (mirror / key).is_file()
    assert set(inventory(mirror, cloud.DATES[0])) == {f"metadata/{path.name}" for path in found} | {"metadata/"}


def test_a_month_later_articles_are_new_gone_and_changed(packages: Path, tmp_path: Path) -> None:
    cloud.make(packages, tmp_path)
    cloud.make(packages, tmp_path, month=1)
    before, after = (inventory(tmp_path, date) for date in cloud.DATES)
    assert before.keys() - after.keys()
    assert after.keys() - before.keys()
    assert any(before[key] != after[key] for key in before.keys() & after.keys())
    assert {f"metadata/{path.name}" for path in (tmp_path / "metadata").iterdir()} == after.keys() - {"metadata/"}

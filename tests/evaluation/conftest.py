"""What tests of leaks share."""

import pyarrow.compute as pc
import pytest

import biomedica as bm


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    """The demo corpus, extracted and hashed."""
    directory = tmp_path_factory.mktemp("leaks")
    bm.demo.make(directory / "demo", articles=48, threads=2)
    made = bm.extract(directory / "demo/packages", directory / "dataset", part_size=20, threads=2)
    bm.duplicates(made, threads=2)
    return made


@pytest.fixture(scope="session")
def hashed(dataset: bm.Dataset) -> list[str]:
    """Pairs that look like something, so that they have a hash."""
    rows = dataset.sidecar("hashes").to_table(filter=pc.field("image_phash").is_valid())
    return sorted(rows["image_id"].to_pylist())

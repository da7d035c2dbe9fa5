"""A small model, tasks of drawn images that it can be judged by in a second, and a dataset that leaks are looked for in."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

import biomedica as bm

NANO = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model's architecture, whose weights are drawn at random."""
    path = tmp_path_factory.mktemp("models") / "nano.json"
    path.write_text(json.dumps(NANO), "utf-8")
    return f"{path}@random"


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[..., Path]:
    """Writes a task file and its Parquet file beside it; gives the task file's path."""

    def make(name: str, rows: Mapping[str, list[Any]], kind: str = "classify", text: str = "", data: str = "") -> Path:
        folder = tmp_path / "tasks"
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.table(dict(rows)), folder / f"{name}.parquet")
        path = folder / f"{name}.toml"
        path.write_text(
            f'name = "{name}"\ndomain = "colours"\nkind = "{kind}"\nlicence = "CC0-1.0"\ncitation = "nobody"\n'
            f'source_url = "https://example.org"\nhow_to_get = "draw it"\n{text}\n'
            f'[data]\nformat = "parquet"\npath = "{name}.parquet"\nsplit = "test"\nkey = "key"\n{data}\n'
            + ("".join(f'[[classes]]\nname = "{c}"\n' for c in COLOURS) if kind in {"classify", "multilabel"} else ""),
            "utf-8",
        )
        return path

    return make


def drawing(seed: int, colour: int = 0) -> bytes:
    """A PNG of noise with a tint."""
    rng = np.random.default_rng([seed, colour])
    pixels = rng.integers(0, 80, (16, 16, 3), np.uint8)
    pixels[..., colour] += 120
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def colours() -> dict[str, list[Any]]:
    """Rows of 60 drawings of three classes, of 20 groups."""
    labels = [number % 3 for number in range(60)]
    return {
        "key": [f"k{number:02}" for number in range(60)],
        "image": [drawing(number, label) for number, label in enumerate(labels)],
        "label": [COLOURS[label] for label in labels],
        "patient": [f"p{number // 3}" for number in range(60)],
    }


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    """The demo corpus, extracted and hashed; the corpus lies beside it."""
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

"""Copies of images of the demo corpus as test sets have them, and tasks that are made of such."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from biomedica.demo import draw

COPIES = ("encoded", "resized", "flipped", "turned")


@dataclass(frozen=True)
class Item:
    key: str
    image: bytes
    group: str | None = None


@dataclass(frozen=True)
class Task:
    name: str
    items: tuple[Item, ...]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def copies(image: Image.Image) -> dict[str, bytes]:
    """Those that test sets have: re-encoded, resized, mirrored, turned."""
    small = (image.width * 2 // 3, image.height * 2 // 3)
    return {
        "encoded": encoded(image, quality=50),
        "resized": encoded(image.resize(small, Image.Resampling.BICUBIC), "PNG"),
        "flipped": encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), quality=75),
        "turned": encoded(image.transpose(Image.Transpose.ROTATE_90), quality=75),
    }


def unseen(seed: int = 1000) -> bytes:
    return encoded(draw.CONCEPTS["histology"](np.random.default_rng(seed)).image.convert("RGB"))


def write_task(root: Path, name: str, images: Mapping[str, bytes], classes: tuple[str, ...] = ("odd", "even")) -> Path:
    """A task file, and its images in folders of their classes in turn. An image's key is `CLASS/NAME`."""
    for number, (key, data) in enumerate(images.items()):
        path = root / name / classes[number % len(classes)] / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    file = root / f"{name}.toml"
    tables = "\n".join(f'[[classes]]\nname = "{one}"\nprompts = ["{one} things"]' for one in classes)
    file.write_text(
        f'name = "{name}"\ndomain = "demo"\nkind = "classify"\nlicence = "CC0-1.0"\ncitation = "none"\n'
        'source_url = "https://example.org"\nhow_to_get = "draw them"\ntemplates = ["a photo of {}"]\n'
        f'data = {{format = "folder", path = "{name}", split = "test"}}\n{tables}\n'
    )
    return file


def table(output: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(output / f"{name}.parquet").to_pylist()
    return rows

"""Shards for the tests of the loader: small WebDataset tars whose samples can be told apart."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

BAD = b"no image at all"


def jpeg(number: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """A picture that is different for each number."""
    gradient = Image.linear_gradient("L").resize(size)
    channels = [gradient.point(lambda value, shift=shift: (value + number * shift) % 256) for shift in (7, 11, 13)]
    out = io.BytesIO()
    Image.merge("RGB", channels).save(out, "JPEG", quality=90)
    return out.getvalue()


def write_shards(
    directory: Path, samples: int, *, shards: int = 3, bad: Iterable[int] = (), size: tuple[int, int] = (40, 30)
) -> list[Path]:
    """Shards with `samples` in all; the captions and metadata have each one's number."""
    bad = set(bad)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{shard:04}.tar" for shard in range(shards)]
    for shard, path in enumerate(paths):
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(samples * shard // shards, samples * (shard + 1) // shards):
                metadata = {
                    "image_context": [f"mention {number}"] if number % 2 else [],
                    "image_panels": [{"label": "A", "text": f"panel {number}"}],
                }
                members = {
                    "jpg": BAD if number in bad else jpeg(number, size),
                    "txt": f"caption {number}".encode(),
                    "json": json.dumps(metadata).encode(),
                }
                for extension, data in members.items():
                    info = tarfile.TarInfo(f"s{number:06}.{extension}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    return paths

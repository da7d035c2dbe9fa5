"""WebDataset shards made by code, for the tests of streams."""

import io
import itertools
import json
import random
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import biomedica as bm
from biomedica import _core

PER_SHARD = 50


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def sample_members(number: int, size: int = 300) -> list[tuple[str, bytes]]:
    key = f"s{number:05}"
    picture = random.Random(number).randbytes(size + number % 700)
    return [
        (f"{key}.jpg", picture),
        (f"{key}.txt", f"Caption {number}".encode()),
        (f"{key}.json", json.dumps({"n": number}).encode()),
    ]


def write_shards(directory: Path, count: int, per_shard: int = PER_SHARD, size: int = 300) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    return [
        write_tar(
            directory / f"{shard:03}.tar",
            itertools.chain.from_iterable(
                sample_members(number, size) for number in range(shard * per_shard, (shard + 1) * per_shard)
            ),
        )
        for shard in range(count)
    ]


def keys(samples: Iterable[bm.Sample]) -> list[str]:
    return [sample.key for sample in samples]


def all_keys(count: int = 5 * PER_SHARD) -> list[str]:
    return [f"s{number:05}" for number in range(count)]


def sequential(shards: Sequence[Path], **options: object) -> bm.Stream:
    """A stream that takes local shards for remote ones without an index."""
    defaults: dict[str, Any] = {"seed": 0, "shuffle": True, "rank": 0, "world_size": 1, "epoch": 0, "lanes": 4}
    defaults |= {"remainder": "keep", "block": 4, "window": 8, "subsets": None, "selection": None, "exclude": None}
    defaults |= {"threads": None, "read_ahead": 1 << 20, "keep": 1 << 20, "max_bad_fraction": 0.05, "remote": True}
    return _core.stream([([str(shard) for shard in shards], 1.0)], **{**defaults, **options})

"""New WebDataset shards of a selection: the same members as in the dataset, with what its sidecars say of each image."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from biomedica import _core
from biomedica.exports.content import LEFT_OUT

__all__ = ["Shards"]


class Shards:
    """The shards of one subset; each holds one image format, as `extract` has it.

    Args:
        folder: Where they go; it is empty.
        later: Columns that are not in the dataset's shards, or were filled since these were written.
        samples_per_shard: Where another shard begins.
    """

    def __init__(self, folder: Path, later: Sequence[str], samples_per_shard: int) -> None:
        self._folder = folder
        self._later = list(later)
        self._most = samples_per_shard
        self._paths: list[Path] = []
        self._open: dict[str, tuple[tarfile.TarFile, int]] = {}

    def add(self, rows: pa.Table, samples: Sequence[_core.Sample]) -> None:
        """Append samples."""
        for values, sample in zip(rows.select(self._later).to_pylist(), samples, strict=True):
            extension = sample.extensions[0]
            archive, count = self._open.pop(extension, (None, 0))
            if archive is None:
                number = sum(path.name.startswith(f"{extension}-") for path in self._paths)
                self._paths.append(self._folder / f"{extension}-{number:06}.tar")
                archive = tarfile.open(self._paths[-1], "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115 - closed when full
            self._open[extension] = (archive, count + 1)
            for name, data in _members(sample, values):
                member = tarfile.TarInfo(f"{sample.key}.{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
            if count + 1 >= self._most:
                self._open.pop(extension)
                archive.close()

    def finish(self) -> list[Path]:
        """End all shards and give their paths."""
        self.close()
        return sorted(self._paths)

    def close(self) -> None:
        """End the shards at hand."""
        for archive, _ in self._open.values():
            archive.close()
        self._open.clear()


def _members(sample: _core.Sample, values: Mapping[str, Any]) -> Iterable[tuple[str, bytes]]:
    yield sample.extensions[0], bytes(sample.image)
    yield "txt", sample.caption.encode()
    merged = {name: value for name, value in sample.metadata.items() if name not in LEFT_OUT} | dict(values)
    # No nulls: Hugging Face `datasets` takes the columns from the first samples and refuses those that are null there.
    told = {name: value for name, value in merged.items() if value is not None}
    yield "json", json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

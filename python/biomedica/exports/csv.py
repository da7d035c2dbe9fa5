"""Image files and a table of their captions, as open_clip's `--dataset-type csv` reads it."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from biomedica import _core

__all__ = ["Table"]

FILES_PER_FOLDER = 10_000
HEADER = ("filepath", "title")
"""What open_clip looks for unless it is told otherwise (`--csv-img-key`, `--csv-caption-key`), separated by tabs."""


class Table:
    """The images of one subset as files, and `<subset>.csv` beside their folder.

    Args:
        folder: Where the images go; it is empty.
        place: Where the folder will be in the end: the table has the images' whole paths, as open_clip wants them.
    """

    def __init__(self, folder: Path, place: Path) -> None:
        self._folder = folder
        self._place = place
        self._path = folder.with_name(f"{folder.name}.csv")
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, delimiter="\t", lineterminator="\n")
        self._rows.writerow(HEADER)
        self._count = 0

    def add(self, _: pa.Table, samples: Sequence[_core.Sample]) -> None:
        """Append images with their captions."""
        for sample in samples:
            relative = Path(f"{self._count // FILES_PER_FOLDER:04}", f"{sample.key}.{sample.extensions[0]}")
            if self._count % FILES_PER_FOLDER == 0:
                (self._folder / relative.parent).mkdir()
            (self._folder / relative).write_bytes(sample.image)
            self._rows.writerow((self._place / relative, sample.caption))
            self._count += 1

    def finish(self) -> list[Path]:
        """End the table and give its path."""
        self._file.close()
        return [self._path]

    def close(self) -> None:
        """Let go of the table, finished or not."""
        self._file.close()

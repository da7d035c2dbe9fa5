"""Examples of an evaluation as pages show them: small images with what was right and what a model said."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from biomedica.evaluation.examples import FILE, SCHEMA
from biomedica.exceptions import EvaluationError
from biomedica.web.images import thumbnail
from biomedica.web.standalone import inlined

if TYPE_CHECKING:
    from biomedica._storage import Storage

__all__ = ["Picture", "pictures"]

SIDE = 224
LONGEST = 400
"""Characters of a caption."""
MOST_WORDS = 8
"""Classes or captions of an image."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with what was right and what a model said."""

    key: str
    image: str | None
    """A `data:` address; None where there is none that can be shown."""
    right: list[str]
    said: list[str]
    confidence: float | None
    rank: int | None


def pictures(files: "Storage", most: int) -> dict[tuple[str, str], tuple[Sequence[Picture], int]]:
    """Examples by model and task in their order, and how many of them are not shown.

    Args:
        files: Where the evaluation lies.
        most: Images of each model and task.

    Raises:
        EvaluationError: `examples.parquet` is missing or damaged.
    """
    where, data = files.location(FILE), files.read(FILE)
    if data is None:
        raise EvaluationError(f"{where}: there is no such file, so that no examples are shown")
    shown: dict[tuple[str, str], list[Picture]] = {}
    left: dict[tuple[str, str], int] = {}
    inline: dict[bytes, str | None] = {}
    try:
        table = pq.ParquetFile(io.BytesIO(data))
        for batch in table.iter_batches(batch_size=64, columns=SCHEMA.names):
            for row in batch.cast(SCHEMA).to_pylist():
                of = (row["model"], row["task"])
                if len(shown.setdefault(of, [])) < most:
                    shown[of].append(_picture(row, inline))
                else:
                    left[of] = left.get(of, 0) + 1
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        raise EvaluationError(f"{where}: no examples of `biomedica evaluate`: {error}") from error
    return {of: (found, left.get(of, 0)) for of, found in shown.items()}


def _picture(row: Mapping[str, Any], inline: dict[bytes, str | None]) -> Picture:
    image = row["image"] or b""
    if image not in inline:
        inline[image] = _inlined(image)
    sure = row["confidence"]
    return Picture(
        str(row["key"]), inline[image], _words(row["right"]), _words(row["said"]),
        sure if sure is not None and math.isfinite(sure) else None, row["rank"],
    )  # fmt: skip


def _inlined(image: bytes) -> str | None:
    try:
        return inlined(thumbnail(image, SIDE))
    except ValueError:
        return None


def _words(found: Sequence[str | None] | None) -> list[str]:
    words = [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in map(str, found or ())]
    return words if len(words) <= MOST_WORDS else [*words[:MOST_WORDS], f"and {len(words) - MOST_WORDS} more"]

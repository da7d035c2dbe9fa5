"""From which cosine on two features are of copies: measured for each model on copies of a sample of the dataset."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from biomedica._images import PLACES, image_batches
from biomedica.dataset import Dataset
from biomedica.evaluation.targets import Embedder, unit

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Calibration", "calibrate"]

IMAGES, LEAST, PARTS = 256, 20, 8
"""Images of the sample, the fewest that tell anything, and parts of the dataset that they are of."""
FOUND = 0.99
"""Share of copies that are to be found."""
MOST_PIXELS = 1 << 25
"""Of an image of the sample."""
MODES = {"L", "P", "RGB"}
"""Those that are converted without loss."""
BATCH = 64


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model's cosines mean."""

    similarity: float
    """What 99% of copies reach: JPEG of quality 50, and two thirds of the size."""
    share: float
    """Of the pairs of different images of the sample, those that reach it too."""
    images: int
    """Of the sample."""


def calibrate(dataset: Dataset, embedder: Embedder, seed: int = 0) -> Calibration:
    """Measure it.

    Args:
        dataset: Where the sample is drawn from.
        embedder: The model.
        seed: Of the sample.

    Raises:
        ModuleNotFoundError: Pillow is not installed.
        ValueError: Too few images of the sample can be read.
        DatasetError: The dataset cannot be read.
    """
    try:
        import PIL  # noqa: F401 - whether it is there is what is asked
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "how near copies are is measured with Pillow: pip install 'biomedica[web]', or name the similarity",
            name=error.name,
        ) from error
    sample = [three for data in _sample(dataset, np.random.default_rng(seed)) if (three := _copied(data)) is not None]
    if len(sample) < LEAST:
        raise ValueError(
            f"{dataset.location}: {len(sample)} of its images tell how near copies are, but {LEAST} are needed; name the"
            " similarity"
        )
    sides = []
    for one in zip(*sample, strict=True):
        batches = [list(one[start : start + BATCH]) for start in range(0, len(one), BATCH)]
        sides.append(unit(np.concatenate(list(embedder.encode(iter(batches))))))
    own, *copies = sides
    cosines = np.concatenate([(own * copy).sum(1) for copy in copies])
    similarity = float(np.clip(np.quantile(cosines, 1 - FOUND, method="lower"), 1e-6, 1.0))
    others = (own @ own.T)[np.triu_indices(len(own), 1)]
    return Calibration(similarity, float((others >= similarity).mean()), len(own))


def _sample(dataset: Dataset, draw: np.random.Generator) -> Iterator[bytes]:
    """Images of some parts."""
    parts = list(dataset.parts_of("figures"))
    chosen = [parts[at] for at in sorted(draw.permutation(len(parts))[:PARTS].tolist())]
    for _, path, _ in chosen:
        rows = dataset.storage.table([path]).to_table(columns=[*PLACES, "shard"], filter=pc.field("shard").is_valid())
        rows = rows.take(np.sort(draw.permutation(len(rows))[: -(-IMAGES // len(chosen))]))
        for shard in pc.unique(rows["shard"]).to_pylist():
            for batch in image_batches(dataset.storage, shard, rows.filter(pc.equal(rows["shard"], shard)), BATCH):
                yield from map(bytes, batch)


def _copied(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """An image, its JPEG of low quality, and two thirds of it; None for what Pillow cannot read as it is."""
    from PIL import Image, ImageOps

    try:
        image = Image.open(io.BytesIO(data))
        if image.mode not in MODES or "transparency" in image.info or image.width * image.height > MOST_PIXELS:
            return None
        plain = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    size = (max(plain.width * 2 // 3, 1), max(plain.height * 2 // 3, 1))
    smaller = plain.resize(size, Image.Resampling.BICUBIC)
    return data, _saved(plain, "JPEG", quality=50), _saved(smaller, "PNG")


def _saved(image: "Image.Image", form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()

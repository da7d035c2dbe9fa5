"""A dataset's images for a browser: as they are, or small.

/image/<image_id>            the publisher's bytes; formats that browsers do not show come as PNG
/image/<image_id>?size=192   at most that many pixels a side, as JPEG
"""

import hashlib
import io
from functools import lru_cache
from typing import NamedTuple

from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from biomedica.dataset import Dataset

__all__ = ["Images", "Shown", "shown", "small", "thumbnail"]

SIZES = (96, 192, 384, 768, 1536)
"""Sides of small images: a size that is asked for is the next of these, so that few are made."""
SIGNATURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
MOST_PIXELS = 150_000_000
"""Larger images are not decoded: a few bytes may claim to be gigabytes."""
# What damaged files make Pillow raise has no common base.
BROKEN = (OSError, SyntaxError, ArithmeticError, LookupError, TypeError, AttributeError, MemoryError, Warning)
KEPT = 2_000
"""Small images that stay in memory, some 20 MB."""
CACHED = "private, max-age=3600, immutable"


class Shown(NamedTuple):
    """An image as a browser takes it."""

    data: bytes
    media_type: str


class DamagedError(ValueError):
    """Bytes that cannot be decoded to their end."""


class Images:
    """Answers requests for a dataset's images."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._small = lru_cache(KEPT)(self._make)
        self.route = Route("/image/{image_id}", self.answer, name="image")

    def answer(self, request: Request) -> Response:
        """The image that a request is for."""
        image_id = request.path_params["image_id"]
        side = _side(request.query_params.get("size"))
        try:
            image = self._small(image_id, side) if side else shown(self._dataset.image(image_id))
        except KeyError:
            raise HTTPException(404, f"There is no image {image_id}.") from None
        except ValueError as error:
            raise HTTPException(415, f"{image_id}: {error}") from None
        tag = f'"{hashlib.blake2b(image.data, digest_size=12).hexdigest()}"'
        headers = {"ETag": tag, "Cache-Control": CACHED}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(image.data, media_type=image.media_type, headers=headers)

    def _make(self, image_id: str, side: int) -> Shown:
        return small(self._dataset.image(image_id), side)


def shown(data: bytes) -> Shown:
    """An image's bytes with the type that they are of, or converted to PNG.

    Raises:
        ValueError: They are no image that can be read, or one too large to be converted.
    """
    media_type = _media_type(data)
    return Shown(data, media_type) if media_type else _saved(_decoded(data), "PNG")


def small(data: bytes, side: int) -> Shown:
    """A thumbnail, or the bytes as they are where they are cut short: browsers show such images as far as they go.

    Raises:
        ValueError: They are no image, or one too large to be read.
    """
    try:
        return thumbnail(data, side)
    except DamagedError:
        media_type = _media_type(data)
        if media_type is None:
            raise
        return Shown(data, media_type)


def thumbnail(data: bytes, side: int) -> Shown:
    """A JPEG of an image with at most `side` pixels a side.

    Raises:
        ValueError: It cannot be read, or is too large to be.
    """
    return _saved(_decoded(data, side), "JPEG")


def _decoded(data: bytes, side: int | None = None) -> Image.Image:
    """The first frame on white, in RGB."""
    try:
        image: Image.Image = Image.open(io.BytesIO(data))
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width:,} x {image.height:,} pixels are too many to be shown")
        if side is not None:
            image.draft("RGB", (2 * side, 2 * side))
        image = _eight_bits(image)
        if side is not None:
            image.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
        return _on_white(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"cannot be shown: {error}") from error
    except BROKEN as error:
        raise DamagedError(f"cannot be shown: {error}") from error


def _media_type(data: bytes) -> str | None:
    """That of the formats which browsers show; None for others."""
    for signature, media_type in SIGNATURES.items():
        if data.startswith(signature):
            return media_type
    return "image/webp" if data.startswith(b"RIFF") and data[8:12] == b"WEBP" else None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Levels of 16 or 32 bits are spread over what is there, as microscopes use few of them."""
    if image.mode.startswith(("I", "F")):
        import numpy as np

        levels = np.nan_to_num(np.asarray(image, np.float32))
        low, high = float(levels.min()), float(levels.max())
        return Image.fromarray(((levels - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
    if image.mode in {"RGB", "L", "RGBA"}:
        return image
    has_alpha = image.mode in {"LA", "PA", "La", "RGBa"} or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def _saved(image: Image.Image, image_format: str) -> Shown:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **({"quality": 85} if image_format == "JPEG" else {}))
    return Shown(buffer.getvalue(), f"image/{image_format.lower()}")


def _side(text: str | None) -> int:
    """The next of `SIZES`; 0 for the image as it is."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text)):  # noqa: PLR2004 - of no use
        raise HTTPException(400, f"size: {text[:20]!r} is not a number of pixels.")
    return next((size for size in SIZES if size >= int(text)), SIZES[-1])

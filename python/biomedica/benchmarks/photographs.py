"""Images with the texture of photographs, for the cases that decode."""

import io

import numpy as np
from PIL import Image

__all__ = ["images", "progressive"]

COUNT = 64


def images() -> list[bytes]:
    """JPEGs of about 100 kB: noise whose power falls with its frequency, as that of natural scenes does."""
    rng = np.random.default_rng(0)
    down, across = np.fft.fftfreq(600)[:, None], np.fft.rfftfreq(800)[None]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1

    def texture() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        spectrum = np.fft.rfft2(rng.standard_normal((600, 800))) / frequency**1.45
        plane = np.fft.irfft2(spectrum, s=(600, 800))
        return np.asarray(plane / plane.std())

    encoded = []
    for number in range(COUNT):
        luma = texture()
        pixels = np.stack([0.85 * luma + 0.3 * texture() for _ in range(3)], -1) * 45 + 120
        out = io.BytesIO()
        quality = (85, 88, 90)[number % 3]
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=quality, subsampling=2)
        encoded.append(out.getvalue())
    return encoded


def progressive(encoded: list[bytes]) -> list[bytes]:
    """The same images as progressive JPEGs, which are decoded whole."""
    result = []
    for image in encoded:
        out = io.BytesIO()
        Image.open(io.BytesIO(image)).save(out, "JPEG", quality=88, progressive=True)
        result.append(out.getvalue())
    return result

"""What the case `decode` measures: images with the texture of photographs, and who decodes them."""

import io

import numpy as np
import torch
from open_clip.transform import image_transform
from PIL import Image

from biomedica._core import Decoder
from biomedica.load.dali import DaliDecoder
from harness.measure import Contender, timed

COUNT = 64
SIZE = 224


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


def contenders(encoded: list[bytes], *, threads: int, peers: bool = True) -> list[Contender]:
    """Ours first, then its peers, each decoding all of `encoded`."""
    decoder = Decoder(SIZE, threads=threads)
    out = np.empty((len(encoded), 3, SIZE, SIZE), np.float32)
    seeds = range(len(encoded))
    ours = timed(f"biomedica, {threads} threads", lambda: decoder.decode_batch(encoded, seeds, out))
    if not peers:
        return [ours]
    torch.set_num_threads(1)
    transform = image_transform(SIZE, is_train=True)
    dali = DaliDecoder(SIZE, device="cpu", batch_size=len(encoded), threads=threads)
    whole = progressive(encoded)

    def pillow() -> None:
        for image in encoded:
            transform(Image.open(io.BytesIO(image)).convert("RGB"))

    return [
        ours,
        timed("pillow", pillow),
        timed("dali", lambda: dali.decode_batch(encoded, seeds)),
        timed("progressive", lambda: decoder.decode_batch(whole, seeds, out)),
    ]

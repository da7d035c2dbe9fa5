"""The core's decoder and DALI beside open_clip's own transform, on images of every kind."""

import array
import io
import math
import random
import struct
import threading
from typing import Any

import numpy as np
import open_clip.constants
import pytest
import torch
import torchvision.transforms.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps, ImageSequence
from torchvision.transforms import InterpolationMode

from biomedica._core import Decoder

open_clip_transform = pytest.importorskip("open_clip.transform")

SIZE = 64
MEAN = np.array(open_clip.constants.OPENAI_DATASET_MEAN)[:, None, None]
STD = np.array(open_clip.constants.OPENAI_DATASET_STD)[:, None, None]


def picture(width: int = 300, height: int = 220) -> Image.Image:
    """Soft hills of colour with some noise, as photographs have them."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(5).normal(0, 4, (height, width))
    channels = [
        128 + 60 * np.sin(x / a + b) + 50 * np.cos(y / (1.3 * a) - b) + noise for a, b in ((21, 0), (29, 1), (37, 2))
    ]
    return Image.fromarray(np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8))


def drawing(width: int = 640, height: int = 480) -> Image.Image:
    """A plot: thin lines and small letters on white."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    rng = random.Random(3)
    for colour in ("red", "blue", "black"):
        points = [(x, rng.randint(40, height - 40)) for x in range(40, width - 20, 24)]
        draw.line(points, fill=colour, width=2)
    for _ in range(12):
        draw.text((rng.randint(40, width - 120), rng.randint(20, height - 40)), "p < 0.001", fill="black", font_size=14)
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def ours(*images: bytes, **options: Any) -> NDArray[np.float32]:
    decoder = Decoder(SIZE, threads=1, **options)
    out = np.full((len(images), 3, SIZE, SIZE), np.nan, np.float32)
    assert decoder.decode_batch(images, range(len(images)), out) == []
    return out


def difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Mean absolute difference, in parts of 255."""
    return float(np.abs((a - b) * STD).mean() * 255)


def reference(image: Image.Image) -> NDArray[np.float32]:
    transform = open_clip_transform.image_transform(SIZE, is_train=False)
    return np.asarray(transform(image.convert("RGB")).numpy())


def cropped(image: Image.Image, box: list[float]) -> NDArray[Any]:
    left, top, width, height = (round(value) for value in box)
    crop = tv.resized_crop(image.convert("RGB"), top, left, height, width, [SIZE, SIZE], InterpolationMode.BICUBIC)
    return np.asarray((np.asarray(crop).transpose(2, 0, 1) / 255 - MEAN) / STD)


def palette_with_transparency() -> bytes:
    image = picture().quantize(64)
    return saved(image, "PNG", transparency=3)


def rgba() -> Image.Image:
    image = picture()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def sixteen_bit_grey() -> bytes:
    return saved(Image.fromarray(np.asarray(picture().convert("L")).astype(np.uint16) * 257), "PNG")


KINDS = {
    "jpeg 4:2:0": saved(picture(), "JPEG", quality=90, subsampling=2),
    "jpeg 4:2:2": saved(picture(), "JPEG", quality=90, subsampling=1),
    "jpeg 4:4:4": saved(picture(), "JPEG", quality=95, subsampling=0),
    "jpeg of odd size": saved(picture(301, 219), "JPEG", quality=90),
    "jpeg with restarts": saved(picture(), "JPEG", quality=90, restart_marker_blocks=7),
    "jpeg, tables of its own": saved(picture(), "JPEG", quality=90, optimize=True),
    "jpeg, progressive": saved(picture(), "JPEG", quality=90, progressive=True),
    "jpeg, grey": saved(picture().convert("L"), "JPEG", quality=90),
    "jpeg, RGB": saved(picture(), "JPEG", quality=95, keep_rgb=True),
    "jpeg, CMYK": saved(picture().convert("CMYK"), "JPEG", quality=95),
    "jpeg, upscaled": saved(picture(40, 30), "JPEG", quality=95),
    "jpeg, one pixel": saved(picture(1, 1), "JPEG", quality=95),
    "jpeg, a line": saved(picture(300, 1), "JPEG", quality=95),
    "png": saved(picture(), "PNG"),
    "png, grey": saved(picture().convert("L"), "PNG"),
    "png, two colours": saved(drawing().convert("1"), "PNG"),
    "png, palette": saved(picture().quantize(64), "PNG"),
    "png, palette with transparency": palette_with_transparency(),
    "png, alpha": saved(rgba(), "PNG"),
    "png, grey and alpha": saved(rgba().convert("LA"), "PNG"),
    "png, one pixel": saved(picture(1, 1), "PNG"),
    "gif": saved(picture().quantize(64), "GIF"),
    "gif with transparency": saved(picture().quantize(64), "GIF", transparency=3),
    "gif, animated": saved(picture(), "GIF", save_all=True, append_images=[drawing(300, 220)]),
    "tiff": saved(picture(), "TIFF"),
    "tiff, LZW": saved(picture(), "TIFF", compression="tiff_lzw"),
    "tiff, grey": saved(picture().convert("L"), "TIFF"),
    "tiff, two colours": saved(drawing().convert("1"), "TIFF"),
    "tiff, CMYK": saved(picture().convert("CMYK"), "TIFF"),
    "tiff, alpha": saved(rgba(), "TIFF"),
    "webp": saved(picture(), "WEBP", lossless=True),
    "webp, lossy": saved(picture(), "WEBP", quality=90),
    "bmp": saved(picture(), "BMP"),
    "bmp, palette": saved(picture().quantize(64), "BMP"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_out_as_open_clip_has_it(kind: str) -> None:
    first = next(iter(ImageSequence.Iterator(Image.open(io.BytesIO(KINDS[kind])))))
    assert difference(ours(KINDS[kind], train=False)[0], reference(first)) < 1


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    expected = ours(saved(picture().convert("L"), "PNG"), train=False)
    assert difference(ours(sixteen_bit_grey(), train=False), expected) < 0.1


def test_a_cmyk_jpeg_is_inverted_with_or_without_adobes_marker() -> None:
    with_adobe = saved(Image.new("CMYK", (32, 32), (200, 30, 10, 20)), "JPEG", quality=95)
    at = with_adobe.index(b"\xff\xee")
    length = struct.unpack(">H", with_adobe[at + 2 : at + 4])[0]
    without = with_adobe[:at] + with_adobe[at + 2 + length :]
    for encoded in (with_adobe, without):
        assert difference(ours(encoded, train=False)[0], reference(Image.open(io.BytesIO(encoded)))) < 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_exif_says(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    encoded = saved(picture(), kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded)))
    limit = 2.5 if kind == "WEBP" else 1
    assert difference(ours(encoded, train=False)[0], reference(upright)) < limit


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize(("image", "most"), [(picture(800, 600), 1.0), (drawing(800, 600), 4.0)], ids=["photo", "plot"])
def test_crops_are_those_of_torchvision_at_every_scale(image: Image.Image, most: float, subsampling: int) -> None:
    encoded = saved(image, "JPEG", quality=90, subsampling=subsampling)
    decoder = Decoder(SIZE, threads=1, scale=(0.01, 1.0))
    images, seeds = [encoded] * 24, range(24)
    out = np.empty((24, 3, SIZE, SIZE), np.float32)
    assert decoder.decode_batch(images, seeds, out) == []
    for pixels, view in zip(out, decoder.jpeg_views(images, seeds), strict=True):
        assert view is not None
        # Very small crops of a drawing are all edge: there the colours, stored at half the size, show.
        expected = cropped(Image.open(io.BytesIO(encoded)), view[0])
        assert difference(pixels, expected) < (most if min(view[0][2:]) > SIZE else 2 * most)


@pytest.mark.parametrize("fit", ["shortest", "longest", "squash"])
def test_whole_images_are_fitted_as_open_clip_does(fit: str) -> None:
    transform = open_clip_transform.image_transform(SIZE, is_train=False, resize_mode=fit)
    for image in (picture(300, 170), picture(90, 333)):
        expected = transform(image).numpy()
        assert difference(ours(saved(image, "PNG"), train=False, fit=fit)[0], expected) < 0.5


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_interpolations_are_pillows(interpolation: str) -> None:
    transform = open_clip_transform.image_transform(SIZE, is_train=False, interpolation=interpolation)
    for image in (picture(), picture(30, 50)):
        expected = transform(image).numpy()
        assert difference(ours(saved(image, "PNG"), train=False, interpolation=interpolation)[0], expected) < 0.3


def test_what_cannot_be_decoded_is_named_and_zero() -> None:
    good = KINDS["jpeg 4:2:0"]
    images: list[Any] = [good, good[:500], b"", b"<html>", memoryview(good), bytearray(good), good[: len(good) // 2]]
    out = np.full((len(images), 3, SIZE, SIZE), np.nan, np.float32)
    failed = Decoder(SIZE, threads=2).decode_batch(images, [9] * len(images), out)
    assert [index for index, _ in failed] == [1, 2, 3, 6]
    assert "truncated" in failed[0][1]
    assert "empty" in failed[1][1]
    assert "unsupported_format" in failed[2][1]
    assert not out[[1, 2, 3, 6]].any()
    assert np.array_equal(out[0], out[4])
    assert np.array_equal(out[0], out[5])


def test_a_huge_image_is_refused() -> None:
    huge = bytearray(KINDS["jpeg 4:2:0"])
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    out = np.empty((1, 3, SIZE, SIZE), np.float32)
    ((_, message),) = Decoder(SIZE).decode_batch([huge], [0], out)
    assert "too_large" in message
    assert "65535x65535" in message


def test_batches_and_threads_change_nothing() -> None:
    images = list(KINDS.values())
    seeds = range(len(images))
    out = np.empty((2, len(images), 3, SIZE, SIZE), np.float32)
    Decoder(SIZE, threads=1).decode_batch(images, seeds, out[0])
    many = Decoder(SIZE, threads=3)
    for index, image in enumerate(images):
        many.decode_batch([image], [seeds[index]], out[1, index : index + 1])
    assert np.array_equal(out[0], out[1])
    tensor = torch.empty(len(images), 3, SIZE, SIZE)
    many.decode_batch(images, seeds, tensor.numpy())
    assert np.array_equal(tensor.numpy(), out[0])


def test_buffers_that_do_not_fit_are_refused() -> None:
    decoder = Decoder(SIZE, threads=1)
    image = KINDS["png"]
    good = np.empty((1, 3, SIZE, SIZE), np.float32)
    frozen = good.copy()
    frozen.flags.writeable = False
    bad: list[tuple[type[Exception], str, Any]] = [
        (ValueError, r"\[1, 3, 64, 64\]", np.empty((2, 3, SIZE, SIZE), np.float32)),
        (ValueError, r"\[1, 3, 64, 64\]", np.empty(3 * SIZE * SIZE, np.float32)),
        (BufferError, "float32", good.astype(np.float64)),
        (BufferError, "writable", frozen),
        (BufferError, "contiguous", np.empty((1, SIZE, SIZE, 3), np.float32).transpose(0, 3, 1, 2)),
        (BufferError, "float32", None),
    ]
    for error, words, out in bad:
        with pytest.raises(error, match=words):
            decoder.decode_batch([image], [0], out)
    with pytest.raises(ValueError, match="as many seeds"):
        decoder.decode_batch([image], [0, 1], good)
    with pytest.raises(BufferError, match="images must be"):
        decoder.decode_batch([memoryview(array.array("f", [0.0] * 9))], [0], good)
    with pytest.raises(BufferError, match="contiguous"):
        decoder.decode_batch([memoryview(image)[::2]], [0], good)
    with pytest.raises(BufferError, match="overlaps"):
        decoder.decode_batch([memoryview(good.data).cast("B")], [0], good)
    assert decoder.decode_batch([], [], np.empty((0, 3, SIZE, SIZE), np.float32)) == []


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": 0},
        {"image_size": 5000},
        {"scale": (0.0, 1.0)},
        {"scale": (1.0, 0.5)},
        {"ratio": (0.5, math.inf)},
        {"std": (1, 0, 1)},
        {"interpolation": "nearest"},
        {"fit": "tight"},
        {"threads": 0},
    ],
)
def test_options_out_of_their_bounds_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options)).replace("_", "[_ ]")):
        Decoder(**options)


def test_it_says_what_it_is() -> None:
    decoder = Decoder(96, train=False, threads=2)
    assert repr(decoder) == "Decoder(96, train=False, threads=2)"
    assert (decoder.image_size, decoder.threads) == (96, 2)


def test_other_threads_run_meanwhile() -> None:
    counted, done = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.wait(0.0005):
            counted += 1

    counter = threading.Thread(target=count)
    counter.start()
    images = [saved(picture(1200, 900), "JPEG", quality=95)] * 60
    Decoder(SIZE, threads=1).decode_batch(images, range(60), np.empty((60, 3, SIZE, SIZE), np.float32))
    done.set()
    counter.join()
    assert counted > 10


@given(st.sampled_from(sorted(KINDS)), st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_give_pixels_or_a_message(kind: str, damage: list[tuple[int, int]]) -> None:
    image = bytearray(KINDS[kind])
    for at, value in damage:
        image[at % len(image)] = value
    out = np.full((1, 3, SIZE, SIZE), np.nan, np.float32)
    failed = Decoder(SIZE, threads=1).decode_batch([image], [1], out)
    assert all(message for _, message in failed)
    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")],
        ),
    ],
)
@pytest.mark.parametrize("train", [True, False])
def test_dali_agrees_and_survives_what_is_broken(device: str, *, train: bool) -> None:
    pytest.importorskip("nvidia.dali", reason="DALI is not installed")
    from biomedica.load.dali import DaliDecoder

    exif = Image.Exif()
    exif[274] = 6
    images = [*KINDS.values(), KINDS["jpeg 4:2:0"][:700], b"", saved(picture(), "JPEG", quality=95, exif=exif)]
    seeds = list(range(len(images)))
    decoder = DaliDecoder(SIZE, device=device, batch_size=64, train=train, flip=True, threads=1)
    out, failed = decoder.decode_batch(images, seeds)
    expected = np.empty(tuple(out.shape), np.float32)
    core = Decoder(SIZE, train=train, flip=True, threads=1)
    assert failed == core.decode_batch(images, seeds, expected)
    assert [index for index, _ in failed] == [len(KINDS), len(KINDS) + 1]
    for index, (theirs, mine) in enumerate(zip(out.cpu().numpy(), expected, strict=True)):
        assert difference(theirs, mine) < 1.5, [*KINDS, "truncated", "empty", "turned"][index]
    # A JPEG that is whole to look at and broken inside fails DALI's batch, or is read as grey by it.
    hollow = bytearray(KINDS["jpeg 4:2:0"])
    hollow[len(hollow) // 2 : -2] = bytes(len(hollow) - 2 - len(hollow) // 2)
    again, _ = decoder.decode_batch([hollow, KINDS["jpeg 4:4:4"]], [0, 1])
    assert torch.isfinite(again).all()
    with pytest.raises(ValueError, match="batch_size"):
        decoder.decode_batch([b""] * 65, range(65))

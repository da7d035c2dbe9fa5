"""Images for browsers: bytes as they are, small ones, and formats that browsers do not show."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import biomedica as bm
from biomedica.web.app import Piece, make_app
from biomedica.web.images import shown, small, thumbnail
from biomedica.web.serve import in_background, place
from made import package, packages
from web.ask import ask


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    directory = tmp_path_factory.mktemp("images")
    package(packages(directory / "in", 3), 77, 1, extension="tif")
    return bm.extract(directory / "in", directory / "out")


@pytest.fixture(scope="module")
def url(dataset: bm.Dataset) -> Iterator[str]:
    with in_background(make_app(dataset, [Piece("none", "None", "/none", [])]), place("127.0.0.1", 0, None)) as url:
        yield url


def encoded(image: Image.Image, image_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format)
    return buffer.getvalue()


def test_an_image_is_the_publishers_bytes(url: str, dataset: bm.Dataset) -> None:
    said = ask(url, "/image/PMC1_0001")
    assert said.body == dataset.image("PMC1_0001")
    assert said.headers["content-type"] == "image/jpeg"
    again = ask(url, "/image/PMC1_0001", headers={"If-None-Match": said.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert "immutable" in said.headers["cache-control"]


def test_a_small_one_is_a_jpeg_within_its_size(url: str) -> None:
    said = ask(url, "/image/PMC1_0001?size=20")
    image = Image.open(io.BytesIO(said.body))
    assert (image.format, image.size) == ("JPEG", (64, 48))
    assert said.headers["content-type"] == "image/jpeg"
    large = encoded(Image.new("RGB", (900, 300), "red"), "PNG")
    assert Image.open(io.BytesIO(thumbnail(large, 96).data)).size == (96, 32)


def test_tiff_comes_as_png(url: str, dataset: bm.Dataset) -> None:
    said = ask(url, "/image/PMC77_0001")
    assert said.headers["content-type"] == "image/png"
    original = Image.open(io.BytesIO(dataset.image("PMC77_0001")))
    assert original.format == "TIFF"
    assert Image.open(io.BytesIO(said.body)).tobytes() == original.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/image/none", 404), ("/image/PMC1_0001?size=big", 400), ("/image/PMC1_0001?size=0", 400), ("/image/", 404)],
)
def test_what_is_not_there_is_said_so(url: str, path: str, status: int) -> None:
    said = ask(url, path)
    assert (said.status, said.headers["content-type"]) == (status, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html><script>1</script>", b"II*\0junk"]
)
def test_what_is_no_image_is_never_sent_as_one(data: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be shown"):
        shown(data)
    with pytest.raises(ValueError, match="cannot be shown"):
        thumbnail(data, 96)


def test_what_is_cut_short_is_left_to_the_browser() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), "JPEG")
    cut = whole[: len(whole) // 2]
    assert small(cut, 96) == (cut, "image/jpeg")
    assert small(whole, 96) == thumbnail(whole, 96)
    with pytest.raises(ValueError, match="cannot be shown"):
        small(encoded(Image.fromarray(noise), "TIFF")[:2000], 96)


def test_a_bomb_is_not_decoded() -> None:
    data = bytearray(encoded(Image.new("L", (8, 8)), "BMP"))
    data[18:26] = (100_000).to_bytes(4, "little") * 2
    with pytest.raises(ValueError, match=r"cannot be shown|too many"):
        shown(bytes(data))


def test_transparent_is_white_and_deep_levels_are_spread() -> None:
    clear = Image.open(io.BytesIO(thumbnail(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 0)), "PNG"), 96).data))
    assert clear.getpixel((4, 4)) == (255, 255, 255)
    levels = np.full((16, 16), 1000, np.uint16)
    levels[:, 8:] = 1100
    deep = Image.open(io.BytesIO(shown(encoded(Image.fromarray(levels), "TIFF")).data))
    assert (deep.getpixel((0, 0)), deep.getpixel((15, 0))) == ((0, 0, 0), (255, 255, 255))


def test_files_of_the_server_are_no_images(url: str) -> None:
    for path in ("/image/..%2Fdataset.json", "/image/%2Fetc%2Fpasswd"):
        assert ask(url, path).status == 404
    assert Path("/etc/passwd").exists()

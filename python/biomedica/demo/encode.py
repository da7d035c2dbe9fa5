"""Image files of many makes: formats, colour models and depths, and a few that are broken on purpose."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

PHOTO_FORMS = ("jpeg", "jpeg", "jpeg", "jpeg", "jpeg", "jpeg-grey", "jpeg-progressive")
CHART_FORMS = ("jpeg", "jpeg", "png", "png", "png-palette", "gif")
RARE_FORMS = ("jpeg-cmyk", "jpeg-rotated", "png16", "tiff16", "tiff", "tiff-cmyk", "png-alpha", "png-named-jpg")
PHOTOS = frozenset(
    {"fluorescence", "histology", "electron", "radiograph", "ct", "ultrasound", "dermoscopy", "fundus", "composite"}
)

WEB_PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
"""What a failed download leaves behind under an image's name."""
EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n%%EndComments\n"
    b"newpath 100 100 80 0 360 arc 4 setlinewidth stroke\nshowpage\n%%EOF\n"
)
"""A vector drawing: sound, but of no format that is read as an image."""
EXTENSIONS = {"jpeg": "jpg", "png": "png", "gif": "gif", "tiff": "tif"}


@dataclass(frozen=True)
class Encoded:
    """The bytes of an image file and what its header says."""

    data: bytes
    format: str | None
    size: tuple[int, int] | None
    extension: str


def encode(image: Image.Image, form: str, quality: int = 84) -> Encoded:
    """`image` in one of the forms above. Sizes are as stored: a rotation by EXIF does not count."""
    base = form.partition("-")[0].removesuffix("16")
    options: dict[str, object] = {}
    if base == "jpeg":
        options = {"quality": quality, "subsampling": 2, "progressive": form == "jpeg-progressive"}
        mode = {"jpeg-grey": "L", "jpeg-cmyk": "CMYK"}.get(form, "L" if image.mode == "L" else "RGB")
        image = image.convert(mode)
        if form == "jpeg-rotated":
            image, exif = image.transpose(Image.Transpose.ROTATE_90), Image.Exif()
            exif[0x0112] = 6
            options["exif"] = exif
    elif form in {"png16", "tiff16"}:
        values = np.asarray(image.convert("L"), np.uint16) * 257
        image = Image.fromarray(values)
    elif form in {"png-palette", "gif"}:
        image = image.convert("RGB").quantize(64, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    elif form == "png-alpha":
        image = image.convert("RGBA")
    elif form == "tiff-cmyk":
        image = image.convert("CMYK")
    if base == "png":
        options = {"compress_level": 6}
    if base == "tiff":
        options = {"compression": "raw" if form == "tiff16" else "tiff_adobe_deflate", "dpi": (300, 300)}
    out = io.BytesIO()
    image.save(out, base.upper(), **options)
    extension = "jpg" if form == "png-named-jpg" else EXTENSIONS[base]
    return Encoded(out.getvalue(), base, image.size, extension)


def thumbnail(image: Image.Image) -> bytes:
    """The small GIF that PMC lays beside each image."""
    small = image.convert("RGB")
    small.thumbnail((100, 100), Image.Resampling.BOX)
    return encode(small, "gif").data


def spoil(image: Image.Image, fault: str | None) -> Encoded | None:
    """An image file with `fault`; nothing when the fault is none of the file."""
    if fault == "tiny_image":
        return encode(image.convert("RGB").resize((10, 10), Image.Resampling.BOX), "png")
    if fault == "web_page":
        return Encoded(WEB_PAGE, None, None, "jpg")
    if fault == "eps_file":
        return Encoded(EPS, None, None, "eps")
    if fault not in {"cut_scan", "cut_header"}:
        return None
    whole = encode(image, "jpeg")
    if fault == "cut_scan":
        return Encoded(whole.data[: len(whole.data) * 3 // 5], whole.format, whole.size, whole.extension)
    return Encoded(whole.data[:24], whole.format, None, whole.extension)


def small_pdf(title: str) -> bytes:
    """One empty page with a title: a valid PDF."""
    safe = "".join(c for c in title if c.isascii() and c.isprintable() and c not in "()\\")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        f"<< /Title ({safe}) >>".encode("ascii"),
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(
        out + b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    )

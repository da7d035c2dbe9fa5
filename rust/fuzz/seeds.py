"""Write the seeds from which the fuzzers start: `make fuzz` does, with the packages of the demo.

Each seed of the `package` target is one byte (even: the archive as it stands, odd: as the contents of a gzip) and an
archive as Python's own `tarfile` writes it, so that the reader meets another writer than the one of its tests. Each
seed of the `xml` target is an article of the tests' generator, each of the `entrez` target an answer of their server. Seeds of the `decode` target are
small images as Pillow writes them, of each kind that the decoder tells apart.
"""

import gzip
import io
import sys
import tarfile
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from entrez_server import answer
from oracle.generate import random_article

CORPUS = Path(__file__).parent / "corpus"
ARTICLES = 100
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x20\x08\x02"
JPEG = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08\0\x20\0\x40\x01\x01\x11\0"
ARTICLE = b"<article><front/><body><fig><graphic href='f1'/></fig></body></article>"


def archive(tar_format: int, *, long_name: bool) -> bytes:
    """Make a tar of one article with images, a link, and if asked a name too long for a plain header."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as tar:
        name = "PMC1/" + "n" * 120 + ".png" if long_name else "PMC1/f2.png"
        for path, data in {"PMC1/a.nxml": ARTICLE, "PMC1/f1.jpg": JPEG, name: PNG, "PMC1/a.pdf": b"%PDF"}.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("PMC1/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "f1.jpg"
        tar.addfile(link)
    return out.getvalue()


def images() -> dict[str, bytes]:
    """Small images: baseline and progressive JPEGs in all samplings, with restarts, and what goes another road."""
    picture = Image.radial_gradient("L").resize((40, 24))
    colours = Image.merge("RGB", (picture, picture.rotate(90), picture.rotate(180)))
    kinds: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "420.jpg": (colours, "JPEG", {"subsampling": 2}),
        "422.jpg": (colours, "JPEG", {"subsampling": 1}),
        "444.jpg": (colours, "JPEG", {"subsampling": 0}),
        "grey.jpg": (picture, "JPEG", {"optimize": True}),
        "restarts.jpg": (colours, "JPEG", {"restart_marker_blocks": 2}),
        "progressive.jpg": (colours, "JPEG", {"progressive": True}),
        "cmyk.jpg": (colours.convert("CMYK"), "JPEG", {}),
        "rgb.png": (colours, "PNG", {}),
        "alpha.png": (colours.convert("RGBA"), "PNG", {}),
        "palette.png": (colours.quantize(16), "PNG", {}),
        "16.png": (picture.convert("I;16"), "PNG", {}),
        "palette.gif": (colours.quantize(16), "GIF", {}),
        "rgb.tif": (colours, "TIFF", {"compression": "tiff_lzw"}),
        "rgb.bmp": (colours, "BMP", {}),
        "rgb.webp": (colours, "WEBP", {"lossless": True}),
    }
    made = {}
    for name, (image, kind, options) in kinds.items():
        out = io.BytesIO()
        image.save(out, kind, **options)
        made[name] = out.getvalue()
    return made


def main() -> None:
    """Write one file for each seed."""
    directory = CORPUS / "package"
    directory.mkdir(parents=True, exist_ok=True)
    formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    for name, tar_format in formats.items():
        for long_name in (False, True):
            if long_name and name == "ustar":
                continue
            tar = archive(tar_format, long_name=long_name)
            suffix = "-long" if long_name else ""
            (directory / f"{name}{suffix}.tar").write_bytes(b"\0" + tar)
            (directory / f"{name}{suffix}.stored").write_bytes(b"\1" + tar)
            (directory / f"{name}{suffix}.tar.gz").write_bytes(b"\0" + gzip.compress(tar, mtime=0))
    documents = CORPUS / "xml"
    documents.mkdir(parents=True, exist_ok=True)
    for seed in range(ARTICLES):
        (documents / f"article-{seed:03}.xml").write_bytes(random_article(seed))
    answers = CORPUS / "entrez"
    answers.mkdir(parents=True, exist_ok=True)
    for first in range(90, 100):
        (answers / f"answer-{first}.xml").write_bytes(answer(list(range(first, 100))))
    pictures = CORPUS / "decode"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, data in images().items():
        (pictures / name).write_bytes(data)


if __name__ == "__main__":
    main()

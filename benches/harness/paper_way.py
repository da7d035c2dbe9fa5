"""The paper's way from packages to WebDataset (arXiv 2501.07171), re-created as its text describes it.

Unpack the archives; parse each article's XML into a file of its own; then, for each image, read its article's file
again, open the image, re-encode it as JPEG at Pillow's default quality of 75, and write it with webdataset's TarWriter.
Only `.jpg` files are taken. In favour of the paper: a file holds one article, where theirs hold batches of many.
"""

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pubmed_parser
from PIL import Image
from webdataset import TarWriter

QUALITY = 75


def extract(packages: list[Path], output: Path) -> int:
    """Write `output/images.tar` from `packages`; return the number of samples."""
    shutil.rmtree(output, ignore_errors=True)
    unpacked = output / "unpacked"
    unpacked.mkdir(parents=True)
    for package in packages:
        subprocess.run(["tar", "xzf", package, "-C", unpacked], check=True)
    parsed = [parse(document) for document in sorted(unpacked.glob("*/*.nxml"))]
    samples = 0
    with TarWriter(str(output / "images.tar")) as tar:
        for path in parsed:
            for image, caption in images(path):
                tar.write(sample(path, image, caption))
                samples += 1
    return samples


def parse(document: Path) -> Path:
    """Parse one article into a JSON file beside it."""
    article = tolerant(pubmed_parser.parse_pubmed_xml, document) or {}
    article["figures"] = tolerant(pubmed_parser.parse_pubmed_caption, document) or []
    article["paragraphs"] = tolerant(pubmed_parser.parse_pubmed_paragraph, document) or []
    article["references"] = tolerant(pubmed_parser.parse_pubmed_references, document) or []
    path = document.with_suffix(".json")
    path.write_text(json.dumps(article), encoding="utf-8")
    return path


def tolerant(parser: Callable[[str], Any], document: Path) -> Any:  # noqa: ANN401 - it is untyped
    """What `parser` gives, or None: it raises on articles without a year of print, for one."""
    try:
        return parser(str(document))
    except Exception:  # noqa: BLE001 - a peer that fails on an article is spared its work
        return None


def images(path: Path) -> list[tuple[Path, str]]:
    """The `.jpg` files of an article with their captions."""
    found = []
    for figure in json.loads(path.read_text(encoding="utf-8"))["figures"]:
        name = Path(figure["graphic_ref"] or "").name
        candidates = (path.with_name(name), path.with_name(f"{name}.jpg"))
        image = next((file for file in candidates if file.suffix == ".jpg" and file.is_file()), None)
        if image is not None and figure["fig_caption"]:
            found.append((image, figure["fig_caption"]))
    return found


def sample(path: Path, image: Path, caption: str) -> dict[str, object]:
    """One sample, from the article's file and the image's pixels."""
    article = json.loads(path.read_text(encoding="utf-8"))
    encoded = io.BytesIO()
    with Image.open(image) as picture:
        width, height = picture.size
        picture.convert("RGB").save(encoded, "JPEG", quality=QUALITY)
    article |= {"image_file_name": image.name, "image_size": [width, height], "caption": caption}
    return {
        "__key__": f"{path.stem}_{image.stem}".replace(".", "-"),
        "jpg": encoded.getvalue(),
        "txt": caption,
        "json": article,
    }

"""The paper's way from packages to WebDataset (arXiv 2501.07171), re-created after its text and its published scripts.

Unpack the archives. Then, in a first pass, look each image's caption up by parsing its article's XML, once for each
image, and write the articles to JSON files, a batch of articles to a file. In a second pass, for each image, load its
batch's file, open the image for its size, open it again to re-encode it as JPEG at Pillow's default quality of 75, and
write the sample with the article's whole text by webdataset's TarWriter. Only `.jpg` files are taken.

The published batch is 200 articles. A batch of one is the kindest reading, and the one that the table's goal is about.
Also in favour of the paper: a batch's file is written once (theirs is read and written again for each article), and
the article's metadata and text come from one parse (theirs from several).
"""

import hashlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pubmed_parser
from lxml import etree
from PIL import Image
from webdataset import TarWriter

QUALITY = 75
SMALLEST = 20
PUBLISHED_BATCH = 200


def extract(packages: list[Path], output: Path, batch: int = 1) -> int:
    """Write `output/images.tar` from `packages`; return the number of samples."""
    shutil.rmtree(output, ignore_errors=True)
    unpacked = output / "unpacked"
    unpacked.mkdir(parents=True)
    for package in packages:
        subprocess.run(["tar", "xzf", package, "-C", unpacked], check=True)
    documents = sorted(unpacked.glob("*/*.nxml"))
    samples = 0
    with TarWriter(str(output / "images.tar")) as tar:
        for start in range(0, len(documents), batch):
            articles = [article(document) for document in documents[start : start + batch]]
            path = output / f"{start}.json"
            path.write_text(json.dumps(articles, indent=4), encoding="utf-8")
            for number, described in enumerate(articles):
                for position in range(len(described["figure_set"])):
                    written = sample(path, number, position)
                    if written is not None:
                        tar.write(written)
                        samples += 1
    return samples


def article(document: Path) -> dict[str, Any]:
    """One article with its figures."""
    described = tolerant(pubmed_parser.parse_pubmed_xml, document) or {}
    described["context"] = tolerant(pubmed_parser.parse_pubmed_paragraph, document) or []
    described["nxml"] = "".join(etree.parse(document).getroot().itertext())
    described["figure_set"] = [
        {
            "image_id": f"{document.parent.name}_{image.stem}".replace(".", "-"),
            "image_path": str(image),
            "hash": hashlib.sha256(image.read_bytes()).hexdigest(),
            "caption": caption(document, image.stem),
        }
        for image in sorted(document.parent.glob("*.jpg"))
    ]
    return described


def caption(document: Path, stem: str) -> str:
    """The caption of the figure whose graphic is called `stem`, from a parse of the whole document."""
    tree = etree.parse(document)
    for graphic in tree.iter("{*}graphic"):
        href = graphic.get("{http://www.w3.org/1999/xlink}href", "")
        found = graphic.getparent().find("{*}caption")
        if Path(href).name.removesuffix(".jpg") == stem and found is not None:
            return " ".join("".join(found.itertext()).split())
    return ""


def sample(path: Path, number: int, position: int) -> dict[str, object] | None:
    """One sample, from its batch's file and the image's pixels; none when the filters drop it."""
    described = json.loads(path.read_text(encoding="utf-8"))[number]
    figure = described["figure_set"][position]
    with Image.open(figure["image_path"]) as picture:
        described["image_size"] = list(picture.size)
    if not figure["caption"] or min(described["image_size"]) <= SMALLEST:
        return None
    encoded = io.BytesIO()
    with Image.open(figure["image_path"]) as picture:
        picture.save(encoded, format="JPEG", quality=QUALITY)
    return {
        "__key__": figure["image_id"],
        "jpg": encoded.getvalue(),
        "txt": figure["caption"],
        "json": json.dumps(described),
    }


def tolerant(parser: Callable[[str], Any], document: Path) -> Any:  # noqa: ANN401 - it is untyped
    """What `parser` gives, or None: it raises on articles without a year of print, for one."""
    try:
        return parser(str(document))
    except Exception:  # noqa: BLE001 - a peer that fails on an article is spared its work
        return None

"""The case `phash`: perceptual hashes of images, beside imagehash."""

import io

import imagehash
import numpy as np
from PIL import Image

from biomedica._core import hash_images
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Contender, Measured, Row, beside, interleaved, one_core, timed
from biomedica.benchmarks.photographs import images, progressive


def contenders(encoded: list[bytes], whole: list[bytes]) -> list[Contender]:
    """Ours first, then its peers, each hashing all images in one thread."""
    out = np.empty(len(encoded), np.uint64)

    def peer(*, draft: bool) -> None:
        for data in encoded:
            image = Image.open(io.BytesIO(data))
            if draft:
                # libjpeg's own decoding at a fraction of the size, which imagehash does not ask for.
                image.draft("L", (64, 64))
            imagehash.phash(image)

    return [
        timed("biomedica", lambda: hash_images(encoded, out, threads=1)),
        timed("imagehash", lambda: peer(draft=False)),
        timed("imagehash, draft", lambda: peer(draft=True)),
        timed("progressive", lambda: hash_images(whole, out, threads=1)),
    ]


def phash(_: Corpus, rounds: int) -> Measured:
    """800x600 JPEGs to perceptual hashes."""
    encoded = images()
    with one_core():
        measured = interleaved(contenders(encoded, progressive(encoded)), rounds)

    def row(peer: str, name: str, goal: str) -> Row:
        return beside(
            measured, "perceptual hash, 1 core", peer, len(encoded), "images/s", theirs=name, goal=goal
        )  # fmt: skip

    return [
        row("imagehash + Pillow", "imagehash", ">= 4"),
        row("imagehash + Pillow, told to decode at a fraction", "imagehash, draft", ""),
        row("our road for other JPEGs (progressive)", "progressive", ""),
    ], measured

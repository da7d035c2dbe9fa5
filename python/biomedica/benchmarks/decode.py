"""The case `decode`: images with the texture of photographs to pixels, beside Pillow and DALI."""

import io

import numpy as np
from open_clip.transform import image_transform
from PIL import Image

from biomedica._core import Decoder
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Contender, Measured, Row, beside, interleaved, one_core, timed
from biomedica.benchmarks.photographs import images, progressive
from biomedica.load.dali import DaliDecoder

SIZE = 224


def contenders(encoded: list[bytes], *, threads: int, peers: bool = True) -> list[Contender]:
    """Ours first, then its peers, each decoding all of `encoded`."""
    decoder = Decoder(SIZE, threads=threads)
    out = np.empty((len(encoded), 3, SIZE, SIZE), np.float32)
    seeds = range(len(encoded))

    def work() -> None:
        decoder.decode_batch(encoded, seeds, out)

    if not peers:
        return [timed(f"{threads} thread{'s' * (threads > 1)}", work)]
    transform = image_transform(SIZE, is_train=True)
    dali = DaliDecoder(SIZE, device="cpu", batch_size=len(encoded), threads=threads)
    whole = progressive(encoded)

    def pillow() -> None:
        for image in encoded:
            transform(Image.open(io.BytesIO(image)).convert("RGB"))

    return [
        timed("biomedica", work),
        timed("pillow", pillow),
        timed("dali", lambda: dali.decode_batch(encoded, seeds)),
        timed("progressive", lambda: decoder.decode_batch(whole, seeds, out)),
    ]


def decode(_: Corpus, rounds: int) -> Measured:
    """800x600 JPEGs to 224 pixels: random crop, bicubic, normalised."""
    encoded = images()
    with one_core():
        measured = interleaved(contenders(encoded, threads=1), rounds)
    # As in `arrow`: a second series, unpinned, for what two threads give.
    ours = [contenders(encoded, threads=threads, peers=False)[0] for threads in (1, 2)]
    both = interleaved(ours, rounds)
    measured |= both

    def row(case: str, peer: str, theirs: str, goal: str, ours: str = "biomedica") -> Row:
        return beside(measured, case, peer, len(encoded), "images/s", ours=ours, theirs=theirs, goal=goal)

    return [
        row("decode, 1 core", "Pillow + torchvision, as open_clip", "pillow", ">= 4"),
        row("decode, 1 core", "DALI on the CPU", "dali", ">= 3"),
        row("decode, 1 core", "our road for other JPEGs (progressive)", "progressive", ""),
        row("decode, 2 threads", "1 thread", "1 thread", ">= 1.8", "2 threads"),
    ], measured

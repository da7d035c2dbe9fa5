"""The case `decode`: images with the texture of photographs to pixels, beside Pillow and DALI."""

import io

import numpy as np
import torch
from open_clip.transform import image_transform
from PIL import Image

from biomedica._core import Decoder
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Contender, Measured, Row, interleaved, medians, one_core, spread, timed
from biomedica.benchmarks.photographs import images, progressive
from biomedica.load.dali import DaliDecoder

SIZE = 224


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


def decode(_: Corpus, rounds: int) -> Measured:
    """800x600 JPEGs to 224 pixels: random crop, bicubic, normalised."""
    encoded = images()
    with one_core():
        measured = interleaved(contenders(encoded, threads=1), rounds)
    # As in `arrow`: a second series, unpinned, for what two threads give.
    ours = [contenders(encoded, threads=threads, peers=False)[0] for threads in (1, 2)]
    both = interleaved(ours, rounds)
    seconds = medians(measured)
    one, two = (medians(both)[f"biomedica, {threads} threads"] for threads in (1, 2))

    def speed(value: float) -> str:
        return f"{len(encoded) / value:,.0f} images/s"

    mine = seconds["biomedica, 1 threads"]

    def row(peer: str, name: str, goal: str) -> Row:
        span = spread(measured, name, "biomedica, 1 threads")
        return Row("decode, 1 core", speed(mine), peer, speed(seconds[name]), seconds[name] / mine, goal, span)

    return [
        row("Pillow + torchvision, as open_clip", "pillow", ">= 4"),
        row("DALI on the CPU", "dali", ">= 3"),
        row("our road for other JPEGs (progressive)", "progressive", ""),
        Row(
            "decode, 2 threads",
            speed(two),
            "1 thread",
            speed(one),
            one / two,
            ">= 1.8",
            spread(both, "biomedica, 1 threads", "biomedica, 2 threads"),
        ),
    ], {**measured, **{f"{name}, unpinned": values for name, values in both.items()}}

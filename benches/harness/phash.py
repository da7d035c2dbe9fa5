"""What the case `phash` measures: perceptual hashes of the images of `decode`, here and by imagehash."""

import io

import imagehash
import numpy as np
from PIL import Image

from biomedica._core import hash_images
from harness.measure import Contender, timed


def contenders(encoded: list[bytes], progressive: list[bytes]) -> list[Contender]:
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
        timed("progressive", lambda: hash_images(progressive, out, threads=1)),
    ]

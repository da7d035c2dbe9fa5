"""Cases of loading: captions to tokens, and shards to batches, against open_clip's own tokenizer and loader."""

import io
import itertools
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import open_clip
import torch
import webdataset
from open_clip_train import data as open_clip_data
from PIL import Image

import biomedica
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Contender, Measured, Row, beside, interleaved, one_core, timed
from biomedica.load.tokenize import ClipTokenizer

SIZE = (800, 600)
SAMPLES, SHARD = 512, 128
BATCH = 64


def tokens(corpus: Corpus, rounds: int) -> Measured:
    """Captions to ids of CLIP, on one core: seen for the first time, and seen before."""
    texts = [text for text in captions(corpus) if text]
    fast, slow = ClipTokenizer(), open_clip.tokenizer.SimpleTokenizer()
    if not np.array_equal(fast.encode(texts).ids, slow(texts).numpy()):
        raise AssertionError("the ids are not those of open_clip")

    def new_fast() -> Mapping[str, float]:
        new = ClipTokenizer(slow)
        return timed("biomedica, first", lambda: new.encode(texts))()

    def new_slow() -> Mapping[str, float]:
        # Its vocabulary is built at import, and only its memory of words is to be new.
        slow.cache = {token: token for token in (slow.decoder[token] for token in slow.all_special_ids)}
        return timed("open_clip, first", lambda: slow(texts))()

    with one_core():
        # What open_clip remembers after its first time is there for its second.
        contenders = [
            new_fast,
            timed("biomedica", lambda: fast.encode(texts)),
            new_slow,
            timed("open_clip", lambda: slow(texts)),
        ]
        measured = interleaved(contenders, rounds)
    return [
        beside(
            measured,
            case,
            "open_clip's tokenizer",
            len(texts),
            "captions/s",
            ours=f"biomedica{which}",
            theirs=f"open_clip{which}",
            goal=">= 10",
        )
        for case, which in (("captions to tokens, 1 core", ""), ("the same, all words new", ", first"))
    ], measured


def loader(corpus: Corpus, rounds: int) -> Measured:
    """Shards to batches as a training step gets them, everything included: read, shuffle, decode, crop, tokens."""
    shards = photographs(corpus)
    preprocess = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(), is_train=True, aug_cfg={"scale": (0.9, 1.0)}
    )
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    mend_open_clip()

    def ours(threads: int) -> Contender:
        # Opened once, as a training run does, and read for an epoch.
        batches = biomedica.loader(
            f"{shards}/*.tar", batch_size=BATCH, threads=threads, device="cpu", decoder="rust",
            stream_options={"threads": 1},
        )  # fmt: skip
        return measured_epochs(f"biomedica, {threads}", batches)

    def theirs(workers: int) -> Contender:
        args = SimpleNamespace(
            train_data=f"{shards}/{{0000..{SAMPLES // SHARD - 1:04}}}.tar", train_num_samples=SAMPLES, dataset_resampled=False,
            train_data_upsampling_factors=None, batch_size=BATCH, workers=workers, world_size=1, seed=0,
        )  # fmt: skip
        batches = open_clip_data.get_wds_dataset(
            args, preprocess, is_train=True, floor=True, tokenizer=tokenizer
        ).dataloader
        return measured_epochs(f"open_clip, {workers}", batches)

    with one_core():
        measured = interleaved([ours(1), theirs(0)], rounds)
    measured |= {
        f"{name}, 2 cores": values for name, values in interleaved([ours(1), ours(2), theirs(2)], rounds).items()
    }

    def row(case: str, ours: str, peer: str, theirs: str, goal: str) -> Row:
        return beside(measured, case, peer, 1, "images/s", ours=ours, theirs=theirs, goal=goal)

    return [
        row("shards to batches, 1 core", "biomedica, 1", "open_clip's loader, in the process", "open_clip, 0", ">= 4"),
        row(
            "shards to batches, 2 cores",
            "biomedica, 2, 2 cores",
            "open_clip's loader, 2 workers",
            "open_clip, 2, 2 cores",
            ">= 4",
        ),
        row("shards to batches, 2 threads", "biomedica, 2, 2 cores", "1 thread", "biomedica, 1, 2 cores", ">= 1.8"),
    ], measured


def mend_open_clip() -> None:
    """Let open_clip train on what webdataset's reader of tars gives, as its validation does.

    Its own fails on the marks that webdataset 1.0 puts between shards.
    """
    open_clip_data.tarfile_to_samples_nothrow = webdataset.tarfile_to_samples()


def measured_epochs(name: str, batches: Iterable[tuple[torch.Tensor, object]]) -> Contender:
    """A contender that measures seconds an image over an epoch, from the first batch on: that is when workers have begun."""

    def run() -> dict[str, float]:
        epoch = iter(batches)
        next(epoch)
        begin = time.perf_counter()
        count = sum(len(images) for images, _ in epoch)
        return {name: (time.perf_counter() - begin) / count}

    return run


def captions(corpus: Corpus) -> Iterator[str]:
    """Captions of the corpus's documents."""
    for path in corpus.documents:
        for figure in biomedica.parse_article(path.read_bytes())["figures"]:
            yield figure["caption"] or ""


def photographs(corpus: Corpus, samples: int = SAMPLES) -> Path:
    """Shards of JPEGs of `SIZE`, made of the corpus's images and captions below its place of work when not there yet."""
    directory = corpus.work / f"loader-{samples}"
    if (directory / "complete").exists():
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    texts = itertools.cycle([text for text in captions(corpus) if text])
    images = itertools.cycle(jpegs(corpus))
    for shard in range(samples // SHARD):
        with tarfile.open(directory / f"{shard:04}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(SHARD):
                for extension, data in (("jpg", next(images)), ("txt", next(texts).encode()), ("json", b"{}")):
                    info = tarfile.TarInfo(f"{shard:04}{number:04}.{extension}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    (directory / "complete").touch()
    return directory


def jpegs(corpus: Corpus) -> list[bytes]:
    """The images of some packages as JPEGs of `SIZE`."""
    found = []
    for chunk in biomedica.read(corpus.packages[:6]):
        for figure in chunk.figures.to_pylist():
            if figure["image_bytes"] is None or figure["status"] != "ok":
                continue
            out = io.BytesIO()
            Image.open(io.BytesIO(figure["image_bytes"])).convert("RGB").resize(SIZE).save(out, "JPEG", quality=90)
            found.append(out.getvalue())
    return found

"""The case `stream`: samples of local shards, one core, nothing decoded, beside webdataset and datasets."""

import gc
from collections.abc import Callable
from pathlib import Path

import datasets
import webdataset

import biomedica
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Measured, beside, interleaved, one_core, timed

EPOCHS = 4
"""Of each round."""
CHUNK = 1 << 20


def stream(corpus: Corpus, rounds: int) -> Measured:
    """Samples of local shards as encoded bytes and text, from the page cache, on one core."""
    datasets.disable_progress_bars()
    shards = shards_of(corpus)
    num_bytes = EPOCHS * sum(Path(shard).stat().st_size for shard in shards)
    count = EPOCHS * len(biomedica.stream(shards))
    opened = biomedica.stream(shards)

    def contender(work: Callable[[list[str]], int]) -> Callable[[], None]:
        def run() -> None:
            if sum(work(shards) for _ in range(EPOCHS)) != count:
                raise RuntimeError("a contender did not give every sample")

        return run

    def plain() -> None:
        for _ in range(EPOCHS):
            read(shards)

    contenders = [
        timed("biomedica", contender(lambda _: sum(bool(sample.image and sample.caption) for sample in opened))),
        timed("webdataset", contender(of_webdataset)),
        timed("datasets", contender(of_datasets)),
        timed("plain read", plain),
    ]
    with one_core():
        measured = interleaved(contenders, rounds)
    peers = (
        ("webdataset", ">= 5", count, "samples/s"),
        ("datasets", ">= 5", count, "samples/s"),
        ("plain read", ">= 0.9", num_bytes / 1e6, "MB/s"),
    )
    return [
        beside(measured, "stream, 1 core", peer, amount, unit, theirs=peer, goal=goal)
        for peer, goal, amount, unit in peers
    ], measured


def shards_of(corpus: Corpus) -> list[str]:
    """The shards of a dataset of the corpus, made when it is not there yet; those of the most common image format.

    The peers take the columns of all shards from the first: one format, as a dataset promises for each shard.
    """
    output = corpus.work / "stream" / corpus.name.replace(" ", "-").replace(",", "")
    by_format: dict[str, list[str]] = {}
    for shard in biomedica.extract(corpus.packages, output).shards():
        first = next(iter(biomedica.stream(shard, shuffle=False)))
        by_format.setdefault(first.extensions[0], []).append(str(shard))
    return max(by_format.values(), key=lambda shards: sum(Path(shard).stat().st_size for shard in shards))


def of_webdataset(shards: list[str]) -> int:
    """Samples with a caption, by webdataset."""
    samples = webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)
    found = sum(bool(sample["txt"]) for sample in samples)
    gc.collect()  # it leaves its files open
    return found


def of_datasets(shards: list[str]) -> int:
    """Samples with a caption, by Hugging Face datasets."""
    samples = datasets.load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    for name, feature in (samples.features or {}).items():
        if isinstance(feature, datasets.Image):
            samples = samples.cast_column(name, datasets.Image(decode=False))
    return sum(bool(sample["txt"]) for sample in samples)


def read(paths: list[str]) -> None:
    """Read files from front to back into one buffer."""
    buffer = bytearray(CHUNK)
    for path in paths:
        with Path(path).open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

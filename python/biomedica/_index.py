"""`index`: index files beside shards, so that any sample of them is one read away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biomedica import _core
from biomedica._locations import expand, tars
from biomedica._sources import StorageOptions, StrPath, as_config
from biomedica.exceptions import BiomedicaError

__all__ = ["Indexed", "index"]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What came of indexing one shard."""

    shard: str
    index: str
    """The index file, beside the shard: `a.tar` has `a.idx`."""
    samples: int | None
    """Samples in the new index; None when one was there already, or the shard has no sample that can be read."""
    problem: BiomedicaError | None
    """What is wrong with the shard. What comes before it is indexed."""


def index(
    shards: StrPath | Sequence[StrPath],
    *,
    force: bool = False,
    threads: int | None = None,
    storage_options: StorageOptions | None = None,
    progress: Callable[[int, int, int], object] | None = None,
) -> list[Indexed]:
    """Write an index file beside each WebDataset shard, in the format that DALI's `wds2idx` writes (v1.2).

    An index appears whole or not at all. A shard whose index is not older than itself is left as it is. Of shards on disk
    only headers are read; one in a store (`s3://`, `gs://`, `az://`) is read from front to back, once. Streams of local
    shards do without; remote shards need an index to be read at random, by several ranks, or resumed at once.

    Args:
        shards: Shards, globs, brace lists, directories or prefixes of a store with `.tar` files in them at any depth, or
            several of these. Behind `https://` no index can be written: that is what is wrong with each such shard.
        force: Write all indexes anew.
        threads: Threads; as many as there are cores when not given.
        storage_options: How stores are spoken to; see `biomedica.open`.
        progress: Called about ten times a second, and at the end, with the numbers of shards done, of all shards, and of
            samples found. What it raises ends the work; indexes that are written stay.

    Returns:
        What came of each shard, in order.

    Raises:
        SourceNotFoundError: A glob matches nothing, or a directory or prefix has no shard.
        SourceError: A prefix cannot be listed.
        ValueError: No shard is named.

    Example:
        >>> import biomedica as bm
        >>> bm.index("shards/{000..012}.tar")  # doctest: +SKIP
        [Indexed(shard='shards/000.tar', index='shards/000.idx', samples=10000, problem=None), ...]
    """
    config = as_config(storage_options)
    names = [name for location in expand(shards).locations for name in tars(location, config)]
    show: Callable[[int, int], object] | None = None
    if progress is not None:
        callback = progress

        def show(done: int, samples: int) -> object:
            return callback(done, len(names), samples)

    rows = _core.index(names, force=force, threads=threads, storage_options=config, progress=show)
    return [Indexed(name, *row) for name, row in zip(names, rows, strict=True)]

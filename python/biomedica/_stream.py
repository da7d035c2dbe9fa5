"""`stream`: samples of shards in a seeded order that resumes at any place."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from biomedica import _core
from biomedica._core import Sample, Stream
from biomedica._locations import expand, headers_by_prefix, tars
from biomedica._sources import StorageOptions, StrPath, as_config

if TYPE_CHECKING:
    import pyarrow as pa

    from biomedica.selections.ids import Ids

__all__ = ["Sample", "Stream", "stream"]

Shards: TypeAlias = StrPath | Sequence[StrPath]
"""A dataset, shards, directories of shards, globs and brace lists."""


def stream(
    source: Shards | Mapping[str, float] | Mapping[Path, float],
    *,
    seed: int = 0,
    shuffle: bool = True,
    rank: int = 0,
    world_size: int = 1,
    epoch: int = 0,
    drop_last: bool = False,
    pad: bool = False,
    lanes: int = 64,
    block: int = 16,
    window: int = 64,
    subset: str | Sequence[str] | None = None,
    selection: "Ids | None" = None,
    exclude: "Ids | None" = None,
    threads: int | None = None,
    read_ahead: int = 64 << 20,
    keep: int = 1 << 30,
    max_bad_fraction: float = 0.05,
    headers: Mapping[str, str] | None = None,
    cache_dir: StrPath | None = None,
    cache_size: int = 100 << 30,
    retry_timeout: float = 120.0,
    storage_options: StorageOptions | None = None,
) -> Stream:
    """Stream the samples of shards, each once an epoch over all ranks, in an order that depends on the seed alone.

    Threads of the core read ahead; no process is started. Where samples lie is known from a dataset's tables, from
    index files (`biomedica index`, or DALI's `wds2idx`), or from the headers of local tars, which are read when the
    stream is opened. The order is a pure function of seed, epoch and samples, so that a state of a few numbers resumes
    at the next sample exactly, at once, with any number of ranks, threads and samples a batch.

    Order: runs of `block` neighbouring samples are permuted over the whole epoch and dealt to `lanes` lanes; in each
    lane, every `window` samples are permuted. The epoch takes from the lanes in turn, and ranks take turns too.

    A sample that cannot be read is replaced by the next of its lane, counted (`stats["bad_samples"]`) and kept with
    shard, member and offset in `problems`. A shard that is cut gives its whole samples.

    Args:
        source: A dataset's directory or URL; a shard, a glob, a brace list such as `shards/{000..012}.tar`, or several of
            these; or a mapping of such sources to weights, by which a mixture is drawn. A mixture's epoch has as many
            samples as all sources together; each source comes pass after pass, whole.
        seed: Of the order.
        shuffle: Else samples come as they lie in their shards.
        rank: The number of this process.
        world_size: The number of processes; it divides `lanes`.
        epoch: The first epoch.
        drop_last: Leave out the last samples of an epoch if they are no multiple of `world_size`.
        pad: Instead repeat the first ones. By default some ranks have a sample more than others.
        lanes: Lanes of the order.
        block: Samples that stay near each other; of remote shards, what one request fetches.
        window: Samples of a lane that are permuted among themselves.
        subset: Of a dataset, only these licence subsets (`commercial`, `noncommercial`, `other`).
        selection: Only these samples: what `biomedica.select` gave, or its file; another Parquet file with a column
            `image_id`, or a text file with an id a line, on disk or in a store; or the ids themselves, as any iterable
            or as an Arrow array. An id is an `image_id`, of other shards the key without its directories. Where few
            samples of a shard are selected, only their bytes are read. `stats["missing_samples"]` counts the ids that
            were found nowhere, those in other subsets among them.
        exclude: Not these samples: the `blocked.parquet` of `biomedica.leaks`, or what `selection` takes else. Of both,
            what is excluded is not taken.
        threads: Threads that read; by default up to 4 for local shards, 32 for remote ones.
        read_ahead: Bytes of samples that may wait to be taken.
        keep: Bytes of remote shards that may be kept because they are needed soon.
        max_bad_fraction: The stream ends with an error when more than this share of its samples (of the first
            thousand, while there are fewer) is bad.
        headers: Of HTTP requests to all servers that are named here, but to none that they redirect to. The token of
            `hf://` comes by itself and goes to the hub alone.
        cache_dir: A directory that keeps whole remote shards, shared by all processes of this machine.
        cache_size: Bytes that it may hold; what was used longest ago makes room.
        retry_timeout: Seconds that a server may be gone or overloaded before it counts as lost.
        storage_options: How `s3://`, `gs://` and `az://` are spoken to; see `biomedica.open`.

    Returns:
        An iterable of `Sample`s. One `iter()` is the rest of an epoch; the next is the next epoch.

    Raises:
        SourceNotFoundError: A shard, dataset or selection is not there, or a remote shard has no index, which a
            selection, an exclusion, several ranks and a mixture need.
        SourceError: No sample can be read, a table or index is damaged, or too many samples are bad; or the
            selection has none of these samples, as when it was made of another dataset, or all are excluded.
        DatasetError: The file of ids is damaged.
        ValueError: An argument makes no sense.

    Example:
        >>> import biomedica as bm
        >>> for sample in bm.stream("dataset/", subset="commercial", seed=1):  # doctest: +SKIP
        ...     print(sample.key, len(sample.image), sample.caption)
    """
    if drop_last and pad:
        raise ValueError("drop_last and pad exclude each other")
    weights = source if isinstance(source, Mapping) else None
    found = [(expand(one), weight) for one, weight in weights.items()] if weights is not None else None
    if found is None:
        assert not isinstance(source, Mapping)  # noqa: S101 - for the type checker
        found = [(expand(source), 1.0)]
    return _core.stream(
        [([shard for location in one.locations for shard in _shards(location)], weight) for one, weight in found],
        seed=seed,
        shuffle=shuffle,
        rank=rank,
        world_size=world_size,
        epoch=epoch,
        remainder="drop" if drop_last else "pad" if pad else "keep",
        lanes=lanes,
        block=block,
        window=window,
        subsets=[subset] if isinstance(subset, str) else None if subset is None else list(subset),
        selection=None if selection is None else _listed(selection, storage_options),
        exclude=None if exclude is None else _listed(exclude, storage_options),
        threads=threads,
        read_ahead=read_ahead,
        keep=keep,
        max_bad_fraction=max_bad_fraction,
        headers=headers_by_prefix([one for one, _ in found], headers),
        cache=None if cache_dir is None else (os.fspath(cache_dir), cache_size),
        retry_timeout=retry_timeout,
        storage_options=as_config(storage_options),
    )


def _listed(ids: "Ids", storage_options: StorageOptions | None) -> "pa.ChunkedArray":
    """The ids in Arrow, which costs an import only where there are some."""
    from biomedica.selections.ids import read_ids

    return read_ids(ids, storage_options=storage_options)


def _shards(location: str) -> list[str]:
    """A dataset stays one: its tables tell where its samples are. Any other directory is the shards in it."""
    is_dataset = (Path(location) / "dataset.json").is_file()
    return [location] if is_dataset else tars(location)

"""`extract`: packages to a dataset of image-caption pairs, on disk or in a store."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from biomedica import _core
from biomedica._ray import run_parts
from biomedica._rules import Names, Retracted, as_rules
from biomedica._selection import Since, Versions, as_selection
from biomedica._sources import Sources, StorageOptions, StrPath, as_config, as_paths
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import DatasetError

__all__ = ["PartBegun", "PartEnded", "Progress", "extract"]


Engine: TypeAlias = Literal["local", "ray"]
"""Who makes the parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartBegun:
    """A part is being made; by Ray, it was handed to the cluster."""

    part: int
    packages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEnded:
    """A part is whole and in its place. Counts are its own."""

    part: int
    packages: int
    articles: int
    figures: int
    pairs: int
    failures: int
    input_bytes: int
    output_bytes: int
    seconds: float
    """How long making it took, without waiting for a machine of a cluster."""


_EVENTS = {"part_begun": PartBegun, "part_ended": PartEnded}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an extraction is. Counts are of the whole dataset, with what earlier runs had finished."""

    packages: int
    """Packages that are done."""
    skipped_packages: int
    """Those of them that earlier runs had finished."""
    total_packages: int | None
    """Packages in all; None until the sources have been walked to their end."""
    articles: int
    figures: int
    pairs: int
    """Figures with a usable image and a caption."""
    failures: int
    """Rows of the failures table."""
    input_bytes: int
    """Size of the packages that are done."""
    output_bytes: int
    """Size of the dataset."""
    seconds: float
    """Since the call."""
    events: tuple[PartBegun | PartEnded, ...] = ()
    """What happened to parts since the last call, in order. Parts that were there already have none."""


def extract(
    sources: Sources,
    output: StrPath,
    *,
    threads: int | None = None,
    part_size: int = 4096,
    samples_per_shard: int = 10_000,
    min_size: int = 21,
    retracted: Retracted = "drop",
    subset: Names | None = None,
    license: Names | None = None,  # noqa: A002
    article_text: bool = False,
    versions: Versions = "best",
    ids: StrPath | None = None,
    since: Since | None = None,
    limit: int | None = None,
    sample: float | None = None,
    sample_seed: int = 0,
    engine: Engine = "local",
    ray_address: str | None = None,
    strict: bool = False,
    storage_options: StorageOptions | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Dataset:
    """Read packages and write a dataset: WebDataset shards, and Parquet tables that point into them.

    A part of the dataset appears whole or not at all. The same call again does only what is missing, and ends with the
    same bytes as one that was never interrupted; so do 1 thread and 64. What cannot be read is a row of the failures
    table.

    Of a dataset that is complete, new packages and those that changed (another size, or `ETag` in a store) are read into
    new parts; what they replace, and what the sources have no more, is dead from then on (`Dataset`, `stream` and
    `loader` leave it out; `compact` takes it out of the files). All of that shows at once, at the end. Nothing is
    withdrawn when `limit` or `sample` is given, or when a source could not be read to its end. A changed package that
    cannot be read is a failure, and its old article dead, as in a dataset that is made anew.

    Args:
        sources: A package (`.tar.gz`, `.tar`, `.nxml`, `.xml`, a directory with these), a directory tree, a glob, a
            list file (`.txt` or `.list`, on disk or a URL: one path or URL a line, relative to the list), or several of
            these. PubMed Central's bucket (`s3://pmc-oa-opendata`), or a mirror of it, in a store or on disk: all of its
            articles. Of a bucket also one inventory (`…/manifest.json`), an article (`s3://bucket/PMC123`,
            `…/PMC123.2`), or those whose names begin so (`s3://bucket/PMC110*`). Any other prefix of a store is listed
            for packages.
        output: The dataset's directory, or its URL in a store (`s3://bucket/prefix`, `gs://`, `az://`): new, empty, or a
            dataset made with the same options. One process writes at a time: in a store, an object `.lock` says so,
            and is taken over when its owner has given no sign of life for five minutes.
        threads: Worker threads; as many as there are cores when not given.
        part_size: Packages a part: the unit of work, resume and distribution.
        samples_per_shard: Pairs a shard holds at most.
        min_size: Smallest width and height, in pixels, of an image that makes a pair (20x20 and less are out in the
            BIOMEDICA paper, arXiv 2501.07171).
        retracted: `drop`: figures of retracted articles make no pairs (their status is `retracted`); `keep`: they do.
        subset: Only articles of this subset, or of these, make pairs: `commercial`, `noncommercial`, `other`. Figures of
            others have the status `filtered`.
        license: The same for licences, by their names in `article_license`, such as `CC BY`.
        article_text: Put the whole article's text into the JSON of each of its samples; it is in the articles table
            in any case.
        versions: Of an article with several versions in the bucket, take `best`: the latest that the journal
            published, else the latest; `latest`: that with the highest number; or `all`.
        ids: A file of the articles that are wanted, one a line: PMC ids, with or without a version (`PMC123.2`), PMIDs or
            DOIs. For the latter two, the metadata of all articles are read. Packages that are not in the bucket's
            layout are known by the PMC id in their name alone. An id that is not found is a failure (`not_found`).
        since: Only articles of the bucket whose metadata were written on this day (UTC) or later.
        limit: Take no more than the first so many packages; of those that `sample` leaves, if it is given.
        sample: Take this share of the packages, above 0 and up to 1. Whether one is taken follows from its name and
            `sample_seed` alone: the same ones from any copy, and a smaller share is part of a larger.
        sample_seed: Another seed draws other packages.
        engine: `local`, or `ray`: each part is made by a task of a Ray cluster (extra `ray`), with `threads` CPUs, by
            default one. All machines must see the sources and the output under the same names. The bytes are the same.
        ray_address: The cluster. By default the one that this process is connected to, that of `RAY_ADDRESS`, or one that
            is started on this machine.
        strict: Raise when anything failed. The dataset is complete all the same.
        storage_options: How stores are spoken to; see `biomedica.open`.
        progress: Called about ten times a second, and once at the end. What it raises stops the run.

    Returns:
        The dataset, open.

    Raises:
        SourceNotFoundError: No source has any package.
        DatasetError: The output cannot be written (`reason` is `disk_full`, `permission_denied`, …), is no dataset
            (`mismatch`), was made with other options (`mismatch`), or another process is writing it (`locked`); with
            `strict`, also when something failed.
        SourceError: A bucket or its inventory cannot be read to its end; or workers of Ray died again and again.
        ImportError: Ray is not installed.
        ValueError: An option makes no sense.
        KeyboardInterrupt: Ctrl-C; the same call goes on where it stopped.

    Example:
        >>> import biomedica as bm
        >>> dataset = bm.extract("packages/", "dataset/", threads=16)  # doctest: +SKIP
        >>> dataset.stats()["pairs"]  # doctest: +SKIP
        1234
    """
    begin = time.monotonic()
    show: Callable[[dict[str, Any]], object] | None = None
    if progress is not None:
        callback = progress

        def show(state: dict[str, Any]) -> object:
            events = tuple(_EVENTS[name](**fields) for name, fields in state.pop("events"))
            return callback(Progress(seconds=time.monotonic() - begin, events=events, **state))

    if engine not in ("local", "ray"):
        raise ValueError(f"engine is 'local' or 'ray', not {engine!r}")
    location, config = os.fspath(output), as_config(storage_options)
    options: dict[str, Any] = {
        "rules": as_rules(min_size, retracted, subset, license),
        "selection": as_selection(versions, ids, since, limit=limit, sample=sample, sample_seed=sample_seed),
        "part_size": part_size,
        "samples_per_shard": samples_per_shard,
        "article_text": article_text,
        "storage_options": config,
    }
    if engine == "ray":
        with closing(_core.Run(as_paths(sources), location, **options)) as run:
            run_parts(run, location, address=ray_address, threads=threads, storage_options=config, progress=show)
    else:
        _core.extract(as_paths(sources), location, threads=threads, progress=show, **options)
    dataset = open_dataset(output, storage_options=storage_options)
    failures = dataset.stats()["failures"]
    if strict and failures:
        reasons = ", ".join(f"{reason} {count}" for reason, count in dataset.stats()["reasons"].items())
        raise DatasetError(f"{dataset.location}: {failures} failures ({reasons}); the dataset is complete otherwise")
    return dataset

"""`read`: packages to Arrow record batches, without writing anything."""

from biomedica import _core
from biomedica._core import Chunk, Reader
from biomedica._rules import Names, Retracted, as_rules
from biomedica._selection import Since, Versions, as_selection
from biomedica._sources import Sources, StorageOptions, StrPath, as_config, as_paths

__all__ = ["Chunk", "Reader", "read"]


def read(
    sources: Sources,
    *,
    threads: int | None = None,
    min_size: int = 21,
    retracted: Retracted = "drop",
    subset: Names | None = None,
    license: Names | None = None,  # noqa: A002
    versions: Versions = "best",
    ids: StrPath | None = None,
    since: Since | None = None,
    storage_options: StorageOptions | None = None,
) -> Reader:
    """Read packages and yield what is in them, in order, as chunks of Arrow record batches.

    Worker threads read ahead by a bounded amount while Python does something else; the GIL is released while waiting.
    Chunks and their order depend on the sources alone, not on the number of threads. A package that cannot be read is
    a row of `Chunk.failures`, never the end of the run.

    Args:
        sources: A package (`.tar.gz`, `.tar`, `.nxml`, `.xml`, a directory with these), a directory tree, a glob, a
            list file (`.txt` or `.list`, on disk or a URL: one path or URL a line, relative to the list), or several of
            these. PubMed Central's bucket (`s3://pmc-oa-opendata`), or a mirror of it, in a store or on disk: all of its
            articles. Of a bucket also one inventory (`…/manifest.json`), an article (`s3://bucket/PMC123`,
            `…/PMC123.2`), or those whose names begin so (`s3://bucket/PMC110*`). Any other prefix of a store is listed
            for packages.
        threads: Worker threads; as many as there are cores when not given.
        min_size: Smallest width and height, in pixels, of an image that makes a pair (20x20 and less are out in the
            BIOMEDICA paper, arXiv 2501.07171).
        retracted: `drop`: figures of retracted articles make no pairs (their status is `retracted`); `keep`: they do.
        subset: Only articles of this subset, or of these, make pairs: `commercial`, `noncommercial`, `other`. Figures of
            others have the status `filtered`.
        license: The same for licences, by their names in `article_license`, such as `CC BY`.
        versions: Of an article with several versions in the bucket, take `best`: the latest that the journal
            published, else the latest; `latest`: that with the highest number; or `all`.
        ids: A file of the articles that are wanted, one a line: PMC ids, with or without a version (`PMC123.2`), PMIDs or
            DOIs. For the latter two, the metadata of all articles are read. Packages that are not in the bucket's
            layout are known by the PMC id in their name alone. An id that is not found is a failure (`not_found`).
        since: Only articles of the bucket whose metadata were written on this day (UTC) or later.
        storage_options: How stores are spoken to; see `biomedica.open`.

    Returns:
        An iterator of `Chunk`s, which is also a context manager and an Arrow stream of the figures: pyarrow, polars
        and DuckDB take it as it is.

    Raises:
        SourceNotFoundError: There is nothing at one of the sources. (A glob is looked at when its turn comes; one without
            a match is a row of `Chunk.failures`.)
        SourceError: A bucket cannot be read.
        ValueError: No source, or less than one thread.

    Example:
        >>> import biomedica as bm
        >>> for chunk in bm.read("packages/"):  # doctest: +SKIP
        ...     print(chunk.articles.num_rows, chunk.figures.num_rows)
    """
    return _core.read(
        as_paths(sources),
        rules=as_rules(min_size, retracted, subset, license),
        selection=as_selection(versions, ids, since),
        threads=threads,
        storage_options=as_config(storage_options),
    )

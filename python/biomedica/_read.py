"""`read`: packages to Arrow record batches, without writing anything."""

from biomedica import _core
from biomedica._core import Chunk, Reader
from biomedica._rules import Names, Retracted, as_rules
from biomedica._sources import Sources, as_paths

__all__ = ["Chunk", "Reader", "read"]


def read(
    sources: Sources,
    *,
    threads: int | None = None,
    min_size: int = 21,
    retracted: Retracted = "drop",
    subset: Names | None = None,
    license: Names | None = None,  # noqa: A002
) -> Reader:
    """Read packages and yield what is in them, in order, as chunks of Arrow record batches.

    Worker threads read ahead by a bounded amount while Python does something else; the GIL is released while waiting.
    Chunks and their order depend on the sources alone, not on the number of threads. A package that cannot be read is
    a row of `Chunk.failures`, never the end of the run.

    Args:
        sources: A package (`.tar.gz`, `.tar`, `.nxml`, `.xml`, a directory with these), a directory tree, a glob, a
            list file (`.txt` or `.list`, one path a line), or several of these.
        threads: Worker threads; as many as there are cores when not given.
        min_size: Smallest width and height, in pixels, of an image that makes a pair (20x20 and less are out in the
            BIOMEDICA paper, arXiv 2501.07171).
        retracted: `drop`: figures of retracted articles make no pairs (their status is `retracted`); `keep`: they do.
        subset: Only articles of this subset, or of these, make pairs: `commercial`, `noncommercial`, `other`. Figures of
            others have the status `filtered`.
        license: The same for licences, by their names in `article_license`, such as `CC BY`.

    Returns:
        An iterator of `Chunk`s, which is also a context manager and an Arrow stream of the figures: pyarrow, polars
        and DuckDB take it as it is.

    Raises:
        SourceNotFoundError: There is nothing at one of the sources. (A glob is looked at when its turn comes; one without
            a match is a row of `Chunk.failures`.)
        ValueError: No source, or less than one thread.

    Example:
        >>> import biomedica as bm
        >>> for chunk in bm.read("packages/"):  # doctest: +SKIP
        ...     print(chunk.articles.num_rows, chunk.figures.num_rows)
    """
    return _core.read(as_paths(sources), rules=as_rules(min_size, retracted, subset, license), threads=threads)

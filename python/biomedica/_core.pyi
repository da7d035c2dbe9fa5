"""The compiled core: reading, writing and checking in Rust."""

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, final

import pyarrow as pa

__all__ = [
    "REASONS",
    "STAGES",
    "STATUSES",
    "Chunk",
    "Reader",
    "build_profile",
    "extract",
    "parse_article",
    "read",
    "verify",
]

build_profile: Final[Literal["debug", "release"]]
"""How the core was compiled; benchmarks refuse `debug`."""

REASONS: Final[list[str]]
"""Every word of the failures table's column `reason`."""

STAGES: Final[list[str]]
"""Every word of the failures table's column `stage`."""

STATUSES: Final[list[str]]
"""Every word of the figures table's column `status`; `ok` first."""

def parse_article(xml: bytes) -> dict[str, Any]:
    """Read one JATS (or NLM) document, without any file beside it.

    The document is the first `article` element, wherever it stands. No DTD is read, nothing is ever fetched. Entities
    are those of XML, of the JATS DTDs and of the document's internal subset.

    Args:
        xml: The document's bytes, in UTF-8, UTF-16 or the encoding that its XML declaration names.

    Returns:
        The columns of the articles table (`article_accession_id` is None when the document has neither a PMC id nor a
        DOI, `source` always), and `figures`: a list of dicts with the columns of the figures table, in document order.
        As no image is looked at, `status` is `no_image` and `image_file_name` is the name that the document gives.

    Raises:
        XmlError: The document cannot be read: malformed, truncated, in an unknown encoding, nested too deep, or
            without an `article` element. The message has the byte offset; the attributes `stage`, `reason` and
            `offset` have the same for programs.

    Example:
        >>> article = parse_article(b"<article><body><fig id='f1'><graphic href='a.jpg'/></fig></body></article>")
        >>> article["figures"][0]["image_figure_id"]
        'f1'
    """

def read(sources: list[Path], *, threads: int | None = None, min_size: int = 21) -> Reader:
    """Read packages as chunks of record batches; `biomedica.read` documents it."""

def extract(
    sources: list[Path],
    output: str | PathLike[str],
    *,
    threads: int | None = None,
    part_size: int = 4096,
    samples_per_shard: int = 10_000,
    min_size: int = 21,
    article_text: bool = False,
    progress: Callable[[dict[str, Any]], object] | None = None,
) -> None:
    """Read packages and write those parts of a dataset that are missing; `biomedica.extract` documents it.

    `progress` is called about ten times a second and once at the end with a dict: `packages`, `skipped_packages`,
    `total_packages` (None until known), `articles`, `figures`, `pairs`, `failures`, `input_bytes`, `output_bytes`.
    """

def verify(
    path: str | PathLike[str], *, deep: bool = False, threads: int | None = None
) -> tuple[int, int, int, int, int, list[tuple[str, str]]]:
    """Check a dataset against its records; `biomedica.Dataset.verify` documents it.

    Returns:
        Parts, files, bytes hashed, images compared, number of problems, and the problems as path and text.

    Raises:
        SourceNotFoundError: There is no `dataset.json` at `path`.
    """

@final
class Reader(Iterator[Chunk]):
    """Chunks in the order of their packages, read ahead by worker threads.

    It is read once: to its end, by `close`, or by being handed over as an Arrow stream (of the figures table with the
    images' bytes). After that it is `closed`, and handing it over raises `RuntimeError`.
    """

    def __iter__(self) -> Self: ...
    def __next__(self) -> Chunk: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exception_type: type[BaseException] | None = None,
        exception: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def close(self) -> None:
        """Stop the worker threads and drop what they read ahead."""

    @property
    def closed(self) -> bool:
        """Whether there is nothing more to read."""

    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Chunk:
    """What was read of a run of packages. The batches are made when they are asked for."""

    @property
    def articles(self) -> pa.RecordBatch:
        """One row an article."""

    @property
    def figures(self) -> pa.RecordBatch:
        """One row a figure, paired or not. `image_bytes` are views into the packages' own buffers, not copies."""

    @property
    def failures(self) -> pa.RecordBatch:
        """One row for each thing that could not be read."""

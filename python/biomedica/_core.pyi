"""The compiled core: reading, writing and checking in Rust."""

import builtins
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Final, Literal, Self, final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from typing_extensions import Buffer

from biomedica._rules import Rules
from biomedica._selection import Selection
from biomedica.exceptions import BiomedicaError, XmlError

__all__ = [
    "DESCRIPTOR_LENGTH",
    "MAX_THRESHOLD",
    "REASONS",
    "STAGES",
    "STATUSES",
    "Chunk",
    "Decoder",
    "Lock",
    "Reader",
    "Run",
    "Sample",
    "Store",
    "Stream",
    "build_profile",
    "compact",
    "describe_images",
    "draw_counts",
    "draw_sums",
    "extract",
    "find_hashes",
    "group_hashes",
    "hash_images",
    "hash_panels",
    "hash_texts",
    "hash_variants",
    "index",
    "parse_article",
    "parse_entrez",
    "read",
    "retry",
    "stream",
    "survey",
    "verify",
    "weighted_areas",
    "write_part",
]

build_profile: Final[Literal["debug", "release"]]
"""How the core was compiled; benchmarks refuse `debug`."""

DESCRIPTOR_LENGTH: Final[int]
"""Numbers of a descriptor that `describe_images` makes."""

MAX_THRESHOLD: Final[int]
"""The most bits in which hashes that `group_hashes` groups may differ."""

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

def parse_entrez(xml: bytes) -> tuple[pa.RecordBatch, XmlError | None]:
    """Read an answer of NCBI's efetch (`db=pubmed`, `retmode=xml`).

    No DTD is read, nothing is ever fetched.

    Args:
        xml: The document's bytes.

    Returns:
        The records that are whole, in their order, with the columns of `Dataset.enrichment` (`status` is `found` or
        `deleted`, `detail` null), and why nothing could be read after them: None when all was read. Its `reason` is
        `unsupported_format` when the document is none of PubMed's at all, such as an error page.
    """

def read(
    sources: Sequence[str | PathLike[str]],
    *,
    rules: Rules,
    selection: Selection,
    threads: int | None = None,
    storage_options: Sequence[tuple[str, str]] = ...,
) -> Reader:
    """Read packages as chunks of record batches; `biomedica.read` documents it."""

def extract(
    sources: Sequence[str | PathLike[str]],
    output: str,
    *,
    rules: Rules,
    selection: Selection,
    threads: int | None = None,
    part_size: int = 4096,
    samples_per_shard: int = 10_000,
    article_text: bool = False,
    storage_options: Sequence[tuple[str, str]] = ...,
    progress: Callable[[dict[str, Any]], object] | None = None,
) -> None:
    """Read packages and write those parts of a dataset that are missing; `biomedica.extract` documents it.

    `progress` is called about ten times a second and once at the end with a dict: `packages`, `skipped_packages`,
    `total_packages` (None until known), `articles`, `figures`, `pairs`, `failures`, `input_bytes`, `output_bytes`.
    """

def verify(
    path: str,
    *,
    deep: bool = False,
    threads: int | None = None,
    storage_options: Sequence[tuple[str, str]] = ...,
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

def draw_counts(out: NDArray[np.float64], seed: int, *, first: int = 0, threads: int | None = None) -> None:
    """Draw as many units with replacement as there are, and count them: `out`, of shape (D, U), has a row for each draw.

    Row i is draw `first + i` of the seed, whatever else is drawn and however many threads do it. The GIL is released.
    Raises ValueError when there is no unit or more than 2**32 - 1.
    """

def draw_sums(
    rows: NDArray[np.float64], out: NDArray[np.float64], seed: int, *, first: int = 0, threads: int | None = None
) -> None:
    """The sums of `rows`, of shape (U, S), over the draws of `draw_counts`: `out` has shape (D, S).

    It is `counts @ rows` without the counts. Raises ValueError as `draw_counts` does.
    """

def hash_images(
    encoded: Sequence[Buffer], out: NDArray[np.uint64], *, threads: int | None = None
) -> list[tuple[int, str]]:
    """Hash what images look like (see `bm.duplicates`) into `out`, of shape (N,), with the GIL released.

    0 is for an image that is too even or cannot be decoded; gives index and message of the latter.
    """

def hash_panels(
    encoded: Sequence[Buffer], *, threads: int | None = None
) -> tuple[pa.RecordBatch, list[tuple[int, str]]]:
    """Hash the panels of images, which even gutters part (recursive X-Y cut; Nagy and Seth 1984), with the GIL released.

    Gives `image_panel_phash`, lists of uint64: first the hash of the image without margins (0 where there are none), then at
    most 31 of pieces, the largest first; empty for an image that is even or cannot be decoded. And index and message of the latter.
    """

def hash_texts(texts: pa.StringArray) -> pa.UInt64Array:
    """A 64-bit hash of each text of an Arrow array; the same in all versions.

    Multilinear over bytes (Lemire and Kaser 2014, doi 10.1093/comjnl/bxt070). The GIL is released. Raises TypeError for an
    array that has no strings, ValueError for one with a null.
    """

def hash_variants(value: int) -> list[int]:
    """The hashes of an image as it is, mirrored left to right, top to bottom, both; then the same of it transposed."""

def find_hashes(
    queries: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    threshold: int,
    *,
    limit: int = ...,
    threads: int | None = None,
) -> pa.RecordBatch:
    """Find of each query all hashes that, turned and mirrored in any way, differ from it in at most `threshold` bits.

    Gives the columns `query` and `number` (uint32, places in the arrays of shape (Q,) and (N,)) and `distance` (uint8), by
    query, then by number. 0 is near nothing. Raises ValueError above `MAX_THRESHOLD`, and for more than `limit` pairs (by default 2**26).
    """

def group_hashes(
    hashes: NDArray[np.uint64],
    sizes: NDArray[np.uint64],
    threshold: int,
    representatives: NDArray[np.uint32],
    distances: NDArray[np.uint8],
    *,
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Group images whose hashes, turned and mirrored in any way, differ in at most `threshold` bits; 0 is alone.

    The largest by `sizes` (of equals the first) that is in no group takes in all that are near it and in none. Arrays have
    shape (N,): `representatives` takes who stands for each, `distances` the bits between them. `progress` is told how
    many different hashes are done. Raises ValueError above `MAX_THRESHOLD`.
    """

def describe_images(
    encoded: Sequence[Buffer], out: NDArray[np.float32], *, threads: int | None = None
) -> list[tuple[int, str]]:
    """Describe colours and textures of images into `out`, of shape (N, `DESCRIPTOR_LENGTH`), with the GIL released.

    Square roots of histograms of colours (from 0), lightness (32), edges (64), local binary patterns (104), frequencies
    (184), of length 1; zeros for an image that cannot be decoded, of which it gives index and message.
    """

@final
class Decoder:
    """Decodes encoded images to float32 pixels for a model: RGB, channels first, cropped, resized, normalised.

    JPEG, PNG, GIF (its first frame), TIFF, WebP and BMP, told apart by their first bytes. The transform is open_clip's
    own (`open_clip.transform.image_transform` after `convert("RGB")`), with its own generator of random crops: SplitMix64
    of each image's seed. On purpose otherwise: EXIF's orientation is applied, 16-bit grey is scaled and not clipped, and
    a JPEG whose data end early is an error. Ordinary JPEGs are decoded at a fraction of their size, never below 1.25
    times the output; the mean difference from open_clip's pixels is 0.6 of 255 on photographs (50 dB) and 2, at most 4,
    on drawings of thin lines (35 dB), most of which is due to colours that are resized as they are stored.

    Args:
        image_size: Width and height of the output, 1 to 4096.
        train: Random resized crops; else the whole image is fitted.
        scale: Bounds of a random crop's share of the area; by default 0.9 and 1.
        ratio: Bounds of a random crop's width over height; by default 3/4 and 4/3.
        mean: Subtracted from the channels, which run from 0 to 1; by default OpenAI's.
        std: What they are divided by after that; by default OpenAI's.
        interpolation: How pixels are made of pixels; both look at all that they shrink, as Pillow does.
        flip: Mirror every second image that is trained on.
        fit: How a whole image is fitted: its shorter side fills the output and the rest is cropped, its longer side does
            and the rest is black, or both do. open_clip's `resize_mode`.
        threads: Worker threads; by default as many as there are cores.

    Raises:
        ValueError: An option is out of its bounds.
    """

    def __new__(
        cls,
        image_size: int = 224,
        *,
        train: bool = True,
        scale: tuple[float, float] = ...,
        ratio: tuple[float, float] = ...,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        interpolation: Literal["bicubic", "bilinear"] = "bicubic",
        flip: bool = False,
        fit: Literal["shortest", "longest", "squash"] = "shortest",
        threads: int | None = None,
    ) -> Self: ...
    @property
    def image_size(self) -> int:
        """Width and height of the output."""

    @property
    def threads(self) -> int:
        """The number of worker threads."""

    def decode_batch(
        self, images: Sequence[Buffer], seeds: Sequence[int], out: Buffer | NDArray[np.float32]
    ) -> list[tuple[int, str]]:
        """Decode each image into its slot of `out`, with the GIL released.

        The same image and seed give the same pixels, whatever the batch and the number of threads. May be called from
        several threads at once.

        Args:
            images: Objects with contiguous bytes. Nobody may write to them meanwhile.
            seeds: One for each image, 0 to 2**64 - 1; they decide the random crops and the flips.
            out: A writable, contiguous buffer of float32 of shape (len(images), 3, image_size, image_size), such as a
                numpy array or `tensor.numpy()`.

        Returns:
            Index and message of each image that cannot be decoded, in their order; their slots are zero.

        Raises:
            BufferError: An image or `out` is not such a buffer, or they overlap.
            ValueError: The shape of `out` or the number of seeds does not fit the images.
        """

    def jpeg_views(self, images: Sequence[Buffer], seeds: Sequence[int]) -> list[tuple[list[float], bool] | None]:
        """Say what of each image becomes the output, for another decoder to do the same.

        Args:
            images: As for `decode_batch`.
            seeds: As for `decode_batch`.

        Returns:
            For each image that is a JPEG as any decoder reads it (8 bits, grey or three colours, there to its end): left,
            top, width and height of what is resized, in pixels of the image as it is looked at, and whether it is
            mirrored. None for all other images.
        """

def stream(
    sources: list[tuple[list[str], float]],
    *,
    seed: int,
    shuffle: bool,
    rank: int,
    world_size: int,
    epoch: int,
    remainder: Literal["keep", "drop", "pad"],
    lanes: int,
    block: int,
    window: int,
    subsets: list[str] | None,
    selection: pa.ChunkedArray | None,
    exclude: pa.ChunkedArray | None,
    threads: int | None,
    read_ahead: int,
    keep: int,
    max_bad_fraction: float,
    remote: bool = False,
    headers: Sequence[tuple[str, str, str]] = ...,
    cache: tuple[str, int] | None = None,
    retry_timeout: float = 120.0,
    storage_options: Sequence[tuple[str, str]] = ...,
) -> Stream:
    """Open a stream over sources (locations and weight); `biomedica.stream` documents it.

    With `remote`, local shards are read as remote ones are, for tests: runs of samples by one request, and from front to
    back if they have no index.
    """

def retry(path: str, *, threads: int | None = None, storage_options: Sequence[tuple[str, str]] = ...) -> dict[str, int]:
    """Read parts again in which something failed that may heal; gives the fields of `biomedica.Retried`."""

def compact(
    path: str, *, min_dropped: float, storage_options: Sequence[tuple[str, str]] = ...
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], int, int]:
    """Merge small parts of a dataset and leave out what is dead; `biomedica.compact` documents it.

    Parts, shards and bytes, each before and after; articles and pairs that are in no file any more.
    """

def index(
    shards: list[str],
    *,
    force: bool = False,
    threads: int | None = None,
    storage_options: Sequence[tuple[str, str]] = ...,
    progress: Callable[[int, int], object] | None = None,
) -> list[tuple[str, int | None, BiomedicaError | None]]:
    """Write index files beside shards; `biomedica.index` documents it.

    `progress` is called about ten times a second and at the end with the numbers of shards that are done and of samples
    found. Of each shard: the index's path, its samples (None when it had an index, or could not be indexed at all), and
    what is wrong with the shard.
    """

@final
class Store:
    """Files and objects by their paths and URLs; those that were read last stay open.

    Threads may share one. Ctrl-C ends a wait for a server.
    """

    def __new__(cls, storage_options: Sequence[tuple[str, str]] = ...) -> Self: ...
    def size(self, location: str) -> int | None:
        """Its length in bytes; None when there is nothing.

        Raises:
            SourceError: The store cannot be asked, or refuses.
        """

    def read(self, location: str, offset: int = 0, length: int | None = None) -> bytes:
        """All of it from `offset` on, or `length` bytes of it.

        Raises:
            SourceNotFoundError: There is nothing.
            SourceError: It ends before, changed meanwhile, or the store is lost.
        """

    def list(self, prefix: str) -> builtins.list[tuple[str, int]]:
        """URL and length of every object below a prefix of a store, in the store's order."""

    def write(self, location: str, data: bytes) -> None:
        """Write an object of a store whole, in the place of one that may be there.

        Raises:
            DatasetError: The store refuses, or is lost.
        """

    def remove(self, location: str) -> None:
        """Remove an object of a store; one that is not there is fine."""

@final
class Run:
    """The run of a dataset whose parts are made elsewhere: it plans them, and keeps the record. It holds the lock."""

    def __new__(
        cls,
        sources: list[str | PathLike[str]],
        output: str,
        *,
        rules: Rules,
        selection: Selection,
        part_size: int = 4096,
        samples_per_shard: int = 10_000,
        article_text: bool = False,
        storage_options: Sequence[tuple[str, str]] = ...,
    ) -> Self: ...
    def task(self) -> str | None:
        """The next part that is to be made, as JSON for `write_part`; None at the end."""

    def adopt(self, number: int, inputs: str, seconds: float) -> None:
        """Take in a part that was made in so many seconds, by what `write_part` gave.

        Raises:
            DatasetError: It is not there.
        """

    def progress(self) -> dict[str, Any]:
        """How far the run is: the fields of `biomedica.Progress` but the seconds.

        `events` are those since the last call, each as its name and its fields.
        """

    def finish(self) -> dict[str, Any]:
        """End the dataset once there is no task left; the last progress."""

    def close(self) -> None:
        """Give the lock back; parts that are made stay."""

def write_part(
    task: str, output: str, *, threads: int | None = None, storage_options: Sequence[tuple[str, str]] = ...
) -> tuple[int, str]:
    """Make the part of a task, in any process that sees the sources and the output; its number and its inputs.

    Raises:
        DatasetError: It cannot be written, or its run has lost the dataset to another.
        SourceNotFoundError: None of its packages is there.
        ValueError: `task` is none.
    """

def survey(
    sources: list[str | PathLike[str]], *, selection: Selection, storage_options: Sequence[tuple[str, str]] = ...
) -> dict[str, Any]:
    """What a walk finds: `packages`, `kinds`, `input_bytes`, `failures`, and the first of these as text."""

@final
class Lock:
    """The right to write below a directory or prefix, while it is entered: one process has it.

    Raises:
        DatasetError: Another process has it (`locked`).
    """

    def __new__(cls, location: str, storage_options: Sequence[tuple[str, str]] = ...) -> Self: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...

@final
class Sample:
    """One sample of a shard: the members that share a name up to its first dot."""

    @property
    def key(self) -> str:
        """That name, with its directories; of a dataset's shard, the `image_id`."""

    @property
    def image(self) -> memoryview:
        """The encoded bytes of its image (the first member with an image's extension): a view, not a copy."""

    @property
    def caption(self) -> str:
        """The text of its `.txt` member; empty when it has none (`"txt" in sample` tells)."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What its `.json` member says, parsed when first asked for; empty when it has none.

        Raises:
            ValueError: It is no JSON.
        """

    @property
    def shard(self) -> str:
        """The path or URL of its shard."""

    @property
    def offset(self) -> int:
        """Where it begins in its shard, in bytes."""

    @property
    def epoch(self) -> int:
        """The epoch in which it came."""

    @property
    def position(self) -> int:
        """Its turn of the epoch, over all ranks."""

    @property
    def is_replacement(self) -> bool:
        """Whether it stands in for one that could not be used."""

    @property
    def extensions(self) -> list[str]:
        """What follows the first dot of its members' names, in lower case, in their order."""

    def __contains__(self, extension: str, /) -> bool: ...
    def __getitem__(self, extension: str, /) -> bytes:
        """The bytes of the member with this extension, such as `sample["cls"]`.

        Raises:
            KeyError: It has no such member.
        """

@final
class Stream(Iterator[Sample]):
    """Samples of an epoch, then of the next.

    One `iter()` is the rest of the epoch at hand; after its end, the next `iter()` begins the next epoch. Threads start
    with the first sample that is asked for.
    """

    def __iter__(self) -> Self: ...
    def __next__(self) -> Sample: ...
    def __len__(self) -> int:
        """Samples that this rank has of a whole epoch."""

    def next_batch(self, count: int) -> list[Sample]:
        """Up to `count` samples; fewer only at the end of the epoch, none after it until `iter()` begins the next."""

    def replacement(self, sample: Sample, reason: str) -> Sample | None:
        """What stands in for a sample that could not be used: the next of its lane that can be read.

        The sample is counted as bad and told in `problems` with `reason`. The replacement has the sample's `position`;
        if it cannot be used either, its own replacement is the next one after it. No turn is taken.

        Raises:
            SourceError: Too many samples are bad, or none of the lane can stand in.
        """

    def state_dict(self, *, taken: int | None = None) -> dict[str, Any]:
        """Where the stream is: a few numbers, the same on all ranks that have had as many samples.

        Args:
            taken: As if so many samples of `taken` had been taken, for one who reads ahead.
        """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the next sample, with any number of ranks and threads. The state's seed and order hold from now on.

        Raises:
            ValueError: It is no state of these shards with these samples, or `world_size` does not divide its lanes.
        """

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch; if it is the one at hand (of a state that was loaded), stay where it is."""

    @property
    def epoch(self) -> int:
        """The epoch at hand."""

    @property
    def taken(self) -> int:
        """Samples that this rank has had since the epoch began or a state was loaded."""

    @property
    def stats(self) -> dict[str, Any]:
        """Counts since it was opened: `samples`, `bytes`, `bad_samples`, `wait_seconds` (in want of a sample).

        And `missing_samples`: ids of its selection that were not found in its shards.
        """

    @property
    def problems(self) -> tuple[BiomedicaError, ...]:
        """What is wrong with shards of which samples were found nevertheless, and the first thousand bad samples."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exception_type: type[BaseException] | None = None,
        exception: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def close(self) -> None:
        """Stop the threads and drop what they read ahead."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

def weighted_areas(
    counts: NDArray[np.float64],
    order: NDArray[np.uint32],
    positive: NDArray[np.uint8],
    last: NDArray[np.uint8],
    out: NDArray[np.float64],
    precision: bool,
) -> None:
    """The area under each class's ROC curve, or its average precision, when sample n counts `counts[d, n]` times.

    `counts` has shape (D, N) and `out` (D, C). Row c of `order`, of shape (C, N), has the samples by the falling score of
    class c; those of `positive` and `last` tell whether the sample at that place is of the class, and the last of its
    score. NaN where a side has no sample. The GIL is released. Raises ValueError for shapes that do not fit.
    """

"""`open`: a dataset on disk or in a store, as tables and images.

A `Dataset` is what `dataset.json` said when it was opened. Its tables are pyarrow datasets, which read only the columns
and rows that are asked for; polars and DuckDB take them as they are.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from biomedica import _core
from biomedica._enrichment import joined_tables, result_files
from biomedica._enrichment import problems as enrichment_problems
from biomedica._hash import hash_texts
from biomedica._sidecar import Part, fresh_files
from biomedica._sources import StorageOptions, StrPath, as_config
from biomedica._storage import Storage, storage
from biomedica._tombstones import dead_names, live_rows
from biomedica.exceptions import DatasetError, SourceNotFoundError

__all__ = ["Dataset", "Problem", "Report", "open"]

FORMAT = 2
"""The version of the layout that this library reads."""
BLOCK = 512
"""Tar's unit; a member's header is the block before its bytes."""
NAME_BYTES = 100
"""What the header holds of a member's name."""


class Problem(NamedTuple):
    """Something about a dataset that is not as its records say."""

    path: str
    """The file, relative to the dataset."""
    what: str
    """What is wrong with it."""

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """What `Dataset.verify` found. It is true when nothing is wrong."""

    parts: int
    files: int
    num_bytes: int
    """Bytes read and hashed."""
    images: int
    """Images compared with their hash; 0 unless `deep`."""
    num_problems: int
    problems: list[Problem]
    """What is wrong, by path; the first ten thousand."""

    def __bool__(self) -> bool:
        return self.num_problems == 0


class Dataset:
    """A dataset that `extract` wrote; `biomedica.open` makes one.

    Of one that was updated, everything here leaves out what has changed since and what was withdrawn. Until `compact`
    takes that out of the files too, the tables have a further last column `part`, the number of the part that a row
    lies in.

    Attributes:
        location: Its directory or URL.
        options: The options that it was made with.
        complete: Whether the run that made it came to its end.
    """

    def __init__(self, path: StrPath, storage_options: StorageOptions | None = None) -> None:
        self._storage = storage(path, storage_options)
        self._storage_options = storage_options
        self.location = str(self._storage.root)
        self._record = record = _record(self._storage)
        self.options: dict[str, Any] = record["options"]
        self.complete: bool = record["complete"]
        self._counts: dict[str, Any] = record["counts"]
        self._parts = [f"{entry['number']:06}" for entry in record["parts"]]

    def articles(self) -> pads.Dataset:
        """One row an article; columns as in the published BIOMEDICA dataset.

        `article_mesh_terms` is null until `enrich` has asked PubMed; abstracts and references that documents lack are
        then PubMed's.
        """
        return self._table("articles", joined_tables(self._storage))

    def enrichment(self) -> pads.Dataset:
        """What PubMed said of each PMID that `enrich` asked for, articles that are no more in the dataset among them.

        `article_pmid`; `status`: `found`, `deleted` (PubMed withdrew its record), `missing` (the answer says nothing of
        it) or `failed` (no answer could be read: `detail` says why); `article_mesh_terms`, `article_abstract` and
        `article_reference_list` as PubMed has them.

        Raises:
            DatasetError: Nothing was asked for yet.
        """
        files = result_files(self._storage)
        if not files:
            raise DatasetError(f"{self.location}: not enriched yet; `biomedica enrich` asks PubMed")
        return self._storage.table(files)

    def figures(self) -> pads.Dataset:
        """One row a figure, paired or not, without bytes.

        `status` (`biomedica.STATUSES`) is `ok` for a pair, else `no_image`, `no_caption`, `too_small`,
        `unreadable_image`, `unsupported_format`, `retracted` (the article was) or `filtered` (its licence is not wanted).

        `shard`, `shard_offset` and `shard_length` say where a pair's image lies.
        """
        return self._table("figures")

    def failures(self) -> pads.Dataset:
        """One row for each thing that could not be read: source, member, stage, reason, detail.

        `stage` (`biomedica.STAGES`) is the step that failed: `open`, `inflate`, `tar`, `xml`, `figure`, `image`,
        `write` or `fetch`. `reason` (`biomedica.REASONS`) is one of:

        - of the system: `not_found`, `permission_denied`, `io`, `disk_full`;
        - damage: `truncated`, `corrupt`, `empty`, `bad_encoding`, `malformed`;
        - what no package may be: `unsupported_format`, `unsupported_member` (a link, a device, a sparse file),
          `unsafe_path`, `too_large`, `bomb` (expands too much), `too_deep`, `entity_bomb`;
        - no article: `no_article` (in the XML), `no_xml` (in the package), `duplicate` (of an accession in one part);
        - only raised, never a row: `mismatch` and `locked` (of a dataset), `interrupted`;
        - `internal`: a defect of this library.
        """
        return self._table("failures")

    def packages(self) -> pads.Dataset:
        """One row for each package that was looked at, whatever it gave, in the order of the run.

        `package` is its path as it was found, `kind` what it is, `num_bytes` its size; a package whose `fingerprint` is
        another has changed. `version_reason` says why this version of a cloud article was taken.
        """
        return self._table("packages")

    def sidecar(self, name: str) -> pads.Dataset:
        """One row a figure of what was made of the figures later: `image_id`, `article_accession_id`, then its columns.

        Args:
            name: Such as `labels`, `hashes`, `features/<model>` or `clusters/<name>`.

        Raises:
            DatasetError: There is none of this name, or not (any more) for every part.
        """
        parts = [Part(*part) for part in self.parts_of("figures")]
        fresh = fresh_files(self._storage, name, parts)
        if len(fresh) < len(parts):
            missing = next(part.name for part in parts if part.name not in fresh)
            raise DatasetError(
                f"{self.location}: {name} has no rows for part {missing} of the dataset as it is; make them again"
                if fresh
                else f"{self.location}: there is no sidecar {name} of the dataset as it is"
            )
        return self._table("figures", fresh)

    @property
    def path(self) -> Path:
        """Its directory.

        Raises:
            DatasetError: It lies in a store; `location` is its URL.
        """
        if isinstance(self._storage.root, Path):
            return self._storage.root
        raise DatasetError(f"{self.location}: the dataset lies in a store and has no path; it has a location")

    def shards(self, subset: str | None = None) -> list[Path]:
        """The WebDataset tars, of one licence subset (`commercial`, `noncommercial`, `other`) or of all.

        Each holds samples of one image format. Those of a dataset in a store have no path, but a `shard_locations`.
        """
        return [self.path / shard for shard in self._shards(subset)]

    def shard_locations(self, subset: str | None = None) -> list[str]:
        """The same as paths or URLs: what `stream` and `loader` take, whatever the dataset lies in."""
        return [str(self._storage.location(shard)) for shard in self._shards(subset)]

    def image(self, image_id: str) -> bytes:
        """The publisher's bytes of a pair's image, by one read at its recorded place.

        The first call reads the places of all pairs: about 24 bytes a pair are kept.

        Raises:
            KeyError: No pair of this dataset has the id.
            DatasetError: The shard is missing, short, or has another image at that place.
        """
        error: DatasetError | None = None
        for shard, offset, length in self._places.find(image_id):
            path = self._storage.location(shard)
            try:
                data = self._storage.read_at(shard, offset - BLOCK, BLOCK + length)
            except OSError as failed:
                raise DatasetError(f"{path}: {failed.strerror or failed}") from failed
            # One read gives the tar header too, whose name tells whether this is the image that was recorded.
            if len(data) == BLOCK + length and data.startswith(f"{image_id}.".encode()[:NAME_BYTES]):
                return data[BLOCK:]
            error = DatasetError(f"{path}: at byte {offset}: not the image {image_id}; verify the dataset")
        if error is not None:
            raise error
        raise KeyError(f"{image_id!r} is no pair of {self.location}; ids are the column image_id where status is 'ok'")

    def stats(self) -> dict[str, Any]:
        """What the dataset holds.

        Returns:
            `packages`, `input_bytes`, `articles`, `figures`, `pairs`, `failures`; `subsets` (articles, figures and
            pairs of each licence subset), `statuses` (figures), `reasons` (failures), `kinds` (figures) and `licenses`
            (articles, `none` for those without one).
        """
        return {
            **json.loads(json.dumps(self._counts)),
            "kinds": _value_counts(self.figures(), "image_kind"),
            "licenses": _value_counts(self.articles(), "article_license"),
        }

    def verify(self, *, deep: bool = False, threads: int | None = None) -> Report:
        """Check the dataset against its records.

        Every file of every part is there, in its size and with its sha-256, and no other; tables have their rows;
        counts add up; every pointer lies within its shard; no `image_id` occurs twice.

        Args:
            deep: Also read every image at its recorded place and compare it with its `image_hash`.
            threads: Threads that hash; as many as there are cores when not given.

        Returns:
            What was looked at and every problem. Damage never raises.
        """
        parts, files, num_bytes, images, num_problems, problems = _core.verify(
            self.location, deep=deep, threads=threads, storage_options=as_config(self._storage_options)
        )
        enrichment = list(enrichment_problems(self._storage, lambda: self.parts_of("articles")))
        found = sorted(Problem(*problem) for problem in [*problems, *enrichment])
        return Report(parts, files, num_bytes, images, num_problems + len(enrichment), found)

    def __len__(self) -> int:
        """Number of pairs."""
        return int(self._counts["pairs"])

    def __repr__(self) -> str:
        counts = ", ".join(f"{self._counts[name]:,} {name}" for name in ("articles", "figures", "pairs", "failures"))
        parts = f"{len(self._parts):,} part{'s' * (len(self._parts) != 1)}"
        return f"<Dataset {self.location!r}: {counts}, {parts}{'' if self.complete else ', not finished'}>"

    def parts_of(self, table: str) -> Iterator[tuple[str, str, str]]:
        """Each part's name, its file of a table (`articles`, `figures` or `failures`) in `storage`, that file's sha-256."""
        for file in self._files():
            if file["path"].startswith(f"{table}/"):
                yield PurePosixPath(file["path"]).stem, file["path"], file["sha256"]

    @property
    def storage(self) -> Storage:
        """Where its files lie."""
        return self._storage

    @cached_property
    def dead_articles(self) -> dict[int, pa.Array]:
        """Accessions of the articles that a part holds and the dataset has no more, by the part's number."""
        return dead_names(self._storage, self._record, "article_accession_id")

    def reopened(self) -> "Dataset":
        """The dataset as it is now."""
        return Dataset(self.location, self._storage_options)

    def _table(self, name: str, instead: Mapping[str, str] | None = None) -> pads.Dataset:
        """The table's live rows of all parts; of those in `instead`, from the file that is there."""
        others = instead or {}
        files = {others.get(part, f"{name}/{part}.parquet"): int(part) for part in self._parts}
        if not files:
            raise DatasetError(f"{self.location}: no part is finished yet; run the same extract again")
        live = live_rows(self._storage, self._record, name)
        try:
            return self._storage.table(list(files)) if live is None else self._storage.parts(files).filter(live)
        except FileNotFoundError as error:
            raise DatasetError(f"{self.location}: a file of table {name} is missing; verify the dataset") from error
        except pa.ArrowInvalid as error:
            raise DatasetError(f"{self.location}: table {name} is damaged; verify the dataset: {error}") from error

    def _shards(self, subset: str | None) -> list[str]:
        folder = "shards/" if subset is None else f"shards/{subset}/"
        return [file["path"] for file in self._files() if file["path"].startswith(folder)]

    def _files(self) -> Iterator[dict[str, Any]]:
        for part in self._parts:
            path = f"parts/{part}.json"
            record = _load(self._storage, path)
            if record is None:
                raise DatasetError(f"{self._storage.location(path)}: the record is missing; verify the dataset")
            yield from record["files"]

    @cached_property
    def _places(self) -> "_Places":
        try:
            return _Places(self.figures())
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(
                f"{self.location}: the figures tables are damaged; verify the dataset: {error}"
            ) from error


def open(path: StrPath, *, storage_options: StorageOptions | None = None) -> Dataset:
    """Open a dataset that `extract` wrote.

    Args:
        path: Its directory, or its URL in a store: `s3://`, `gs://` or `az://`.
        storage_options: How the store is spoken to: names and values of the `object_store` crate such as
            `aws_endpoint` or `google_service_account`, which stand above the environment's (`AWS_…`, `GOOGLE_…`,
            `AZURE_…`); and, in seconds, `retry_timeout`, after which a store that is gone or overloaded counts as lost
            (default 120), and `request_timeout` of one request, after which it is repeated from its next byte (60).

    Raises:
        SourceNotFoundError: There is nothing at `path`.
        DatasetError: What is there is no dataset, or one of another version.

    Example:
        >>> import biomedica as bm
        >>> dataset = bm.open("dataset/")  # doctest: +SKIP
        >>> table = dataset.figures().to_table(columns=["image_id", "caption"])  # doctest: +SKIP
    """
    return Dataset(path, storage_options)


class _Places:
    """Where the images of all pairs lie, by `image_id`: sorted 64-bit hashes, 24 bytes a pair in all.

    The ids themselves are not kept: the tar header in front of an image has its name.
    """

    def __init__(self, figures: pads.Dataset) -> None:
        columns = ["image_id", "shard", "shard_offset", "shard_length"]
        is_pair = pc.field("shard").is_valid()
        names: dict[str, int] = {}
        hashes, shards, offsets, lengths = [], [], [], []
        for batch in figures.to_batches(columns=columns, filter=is_pair):
            encoded = batch.column("shard").dictionary_encode()
            numbers = [names.setdefault(name, len(names)) for name in encoded.dictionary.to_pylist()]
            shards.append(np.array(numbers, np.uint32)[encoded.indices.to_numpy()])
            hashes.append(hash_texts(batch.column("image_id")))
            offsets.append(batch.column("shard_offset").to_numpy())
            lengths.append(batch.column("shard_length").to_numpy().astype(np.uint32))
        self._names = list(names)
        hashed = np.concatenate([np.empty(0, np.uint64), *hashes])
        order = np.argsort(hashed, kind="stable")
        self._hashes = hashed[order]
        self._shards = np.concatenate([np.empty(0, np.uint32), *shards])[order]
        self._offsets = np.concatenate([np.empty(0, np.int64), *offsets])[order]
        self._lengths = np.concatenate([np.empty(0, np.uint32), *lengths])[order]

    def find(self, image_id: str) -> Iterator[tuple[str, int, int]]:
        """Shard, offset and length of each image whose id has the hash of `image_id`: mostly one or none."""
        wanted = hash_texts(pa.array([image_id], pa.string()))[0]
        first, end = (int(np.searchsorted(self._hashes, wanted, side)) for side in ("left", "right"))
        for at in range(first, end):
            yield self._names[self._shards[at]], int(self._offsets[at]), int(self._lengths[at])


def _value_counts(table: pads.Dataset, column: str) -> dict[str, int]:
    """How often each value occurs, the most frequent first; null is `none`."""
    counted = pc.value_counts(table.to_table(columns=[column]).column(column).combine_chunks()).to_pylist()
    pairs = [(value["values"] or "none", value["counts"]) for value in counted]
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def _record(files: Storage) -> dict[str, Any]:
    name = "dataset.json"
    where = files.location(name)
    if isinstance(files.root, Path) and not files.root.exists():
        raise SourceNotFoundError(f"{files.root}: there is nothing here")
    record = _load(files, name)
    if record is None:
        kind = DatasetError if isinstance(files.root, Path) else SourceNotFoundError
        raise kind(f"{files.root}: no dataset; `biomedica extract` writes one, with a {name} in it")
    if record.get("format") != FORMAT:
        raise DatasetError(
            f"{where}: format {record.get('format')!r}, but this version reads format {FORMAT}; extract anew into another"
            " output directory"
        )
    missing = {"options", "complete", "counts", "parts"} - record.keys()
    if missing:
        raise DatasetError(f"{where}: not the record of a dataset: no {', '.join(sorted(missing))}")
    return record


def _load(files: Storage, relative: str) -> dict[str, Any] | None:
    """The record in a file; None when there is no such file."""
    where = files.location(relative)
    try:
        text = files.read(relative)
        record = None if text is None else json.loads(text)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{where}: cannot be read: {error}") from error
    if text is not None and not isinstance(record, dict):
        raise DatasetError(f"{where}: not the record of a dataset")
    return record

"""`attribution`: who made each image, and under which licence, as CC BY and its kin want it told."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biomedica._rules import SUBSETS, as_names
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import whole_file
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.selections.ids import Ids, IdSet, read_ids
from biomedica.selections.pairs import Pairs

__all__ = ["NAME", "attribution"]

NAME = "ATTRIBUTION.parquet"
ROWS = 1 << 16
"""Rows of a group in the files."""
_COPIED = [
    "article_authors",
    "article_title",
    "article_journal",
    "article_doi",
    "article_license",
    "article_license_url",
]
_ARTICLE = "article_accession_id"
_COLUMNS = ["image_id", _ARTICLE, *_COPIED, "article_url"]
SCHEMA = pa.schema([(name, pa.list_(pa.string()) if name == "article_authors" else pa.string()) for name in _COLUMNS])


def attribution(
    dataset: Dataset | StrPath,
    output: StrPath,
    *,
    subset: str | Sequence[str] | None = None,
    selection: Ids | None = None,
    storage_options: StorageOptions | None = None,
) -> list[Path]:
    """Write who made each image of a dataset, and under which licence: `OUTPUT/SUBSET/ATTRIBUTION.parquet`.

    Licences such as CC BY ask that whoever hands an image on names its authors, its title, its source and its licence.
    The files are made from the dataset's tables as they are now, so make them whenever you publish shards: what an update
    withdrew is not in them. There is one row a pair, in the order of the dataset, with the columns `image_id`,
    `article_accession_id`, `article_authors` (a list), `article_title`, `article_journal`, `article_doi`,
    `article_license`, `article_license_url` (null where the document has none) and `article_url` (at PubMed Central, else
    the DOI's). Images are the publishers' bytes, so that there are no changes to tell of.

    Tables are read part by part; what is kept in memory is the rows of a few parts, whatever the size of the dataset. A
    file appears whole, in the place of an older one; a subset without pairs has a file without rows.

    Args:
        dataset: A dataset, or its directory or URL.
        output: A directory; `DATASET/shards` puts each file beside the shards of its subset.
        subset: Only this subset, or these: `commercial`, `noncommercial`, `other`.
        selection: Only these pairs: what `select` wrote, any other file of ids, or ids.
        storage_options: How the stores of dataset and selection are spoken to, as `open` takes it.

    Returns:
        The files, one a subset.

    Raises:
        ValueError: No subset has this name.
        DatasetError: The dataset cannot be read, or a file cannot be written.

    Example:
        >>> import biomedica as bm
        >>> bm.attribution("dataset/", "attribution/", subset="commercial")  # doctest: +SKIP
        [PosixPath('attribution/commercial/ATTRIBUTION.parquet')]
    """
    wanted = list(dict.fromkeys(SUBSETS if subset is None else as_names(subset)))
    for name in wanted:
        if name not in SUBSETS:
            raise ValueError(f"no subset is called {name!r}; there are {', '.join(SUBSETS)}")
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, storage_options=storage_options)
    chosen = None if selection is None else IdSet(read_ids(selection, storage_options=storage_options))
    paths = {name: Path(output) / name / NAME for name in wanted}
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(_rows_file(path)) for name, path in paths.items()}
        for found in _rows(opened, wanted):
            rows = found if chosen is None else found.filter(pa.array(chosen.of(found["image_id"])))
            for name, file in files.items():
                file.add(rows.filter(pc.equal(rows["subset"], name)).drop_columns("subset"))
    return list(paths.values())


def _rows(dataset: Dataset, subsets: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of all pairs of these subsets, in order, with the subset of each; those of a part at a time."""
    for pairs in Pairs(dataset).tables(["subset", *_COPIED]):
        rows = pairs.filter(pc.is_in(pairs["subset"], pa.array(subsets)))
        names, dois = rows[_ARTICLE], rows["article_doi"]
        in_pmc = pc.binary_join_element_wise("https://pmc.ncbi.nlm.nih.gov/articles/", names, "/", "")
        by_doi = pc.binary_join_element_wise("https://doi.org/", dois, "")
        url = pc.if_else(pc.starts_with(names, "PMC"), in_pmc, by_doi)
        yield rows.append_column("article_url", url).select([*_COLUMNS, "subset"])


class _Rows:
    """Rows for a table's file, in groups of about one size."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[pa.Table] = []
        self._waiting = 0

    def add(self, rows: pa.Table) -> None:
        """Append rows."""
        self._rows.append(rows.cast(SCHEMA))
        self._waiting += rows.num_rows
        if self._waiting >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._rows), row_group_size=ROWS)
        self._rows, self._waiting = [], 0


@contextlib.contextmanager
def _rows_file(path: Path) -> Iterator[_Rows]:
    """The rows of a file that appears whole when the block ends."""
    with whole_file(path) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        rows = _Rows(writer)
        yield rows
        rows.flush()

"""`report`: the overview of a dataset as one HTML file."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import whole_file
from biomedica.concepts.features import checked_name
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.selections.ids import Ids, IdSet, read_ids
from biomedica.web.standalone import page
from biomedica.web.view import named
from biomedica.web.view.index import open_index
from biomedica.web.view.summary import summarise

__all__ = ["report"]


def report(
    dataset: Dataset | StrPath,
    output: StrPath,
    *,
    clusters: str = "default",
    selection: Ids | None = None,
    progress: Callable[[int, int], object] | None = None,
    storage_options: StorageOptions | None = None,
) -> Path:
    """Write the overview that `view` shows as one HTML file, which needs no server, no network and no script.

    It tells licences, years, journals, kinds, concepts, image sizes, lengths of captions and mentions, and failures by
    reason. It has no images and no captions of the dataset. `view` and it share the index.

    Args:
        dataset: A dataset, or its directory or URL.
        output: The file, in the place of one that may be there.
        clusters: The name of the clusters that are counted.
        selection: Only these pairs: what `select` wrote, any other file of ids, or ids.
        progress: Called with the figures done and all of them while the index is made.
        storage_options: As for `biomedica.open`.

    Returns:
        The file.

    Raises:
        DatasetError: The dataset cannot be read, or a file cannot be written.

    Example:
        >>> import biomedica as bm
        >>> bm.report("dataset/", "report.html")  # doctest: +SKIP
        PosixPath('report.html')
    """
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, storage_options=storage_options)
    chosen = None if selection is None else IdSet(read_ids(selection, storage_options=storage_options))
    index = open_index(opened, clusters=checked_name(clusters), chosen=chosen, progress=progress)
    try:
        summary = summarise(index)
    finally:
        index.close()
    text = page(
        "view",
        "report.html",
        f"{Path(opened.location).name}: overview",
        summary=summary,
        selection=named(selection),
        made=f"{opened.location}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    path = Path(output)
    with whole_file(path) as file:
        file.write(text.encode())
    return path

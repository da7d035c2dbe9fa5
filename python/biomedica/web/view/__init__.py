"""`view`: a dataset in a browser."""

import os
from collections.abc import Callable

from biomedica._sources import StorageOptions, StrPath
from biomedica.concepts.features import checked_name
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.selections.ids import Ids, IdSet, read_ids
from biomedica.web.app import make_app
from biomedica.web.serve import place, serve
from biomedica.web.view.index import open_index
from biomedica.web.view.neighbours import Neighbours
from biomedica.web.view.pages import Pages

__all__ = ["named", "view"]


def view(
    dataset: Dataset | StrPath,
    *,
    clusters: str = "default",
    features: str | None = None,
    selection: Ids | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    ready: Callable[[str], object] | None = None,
    progress: Callable[[int, int], object] | None = None,
    storage_options: StorageOptions | None = None,
) -> None:
    """Show a dataset in a browser until Ctrl-C: overview, gallery with full-text search, figures, clusters, failures.

    Pages are answered from an index, a SQLite file that is made when it is not there or the dataset has changed since:
    in `.view/` of the dataset's directory, or in the user's cache directory where that cannot be written or the dataset
    lies in a store. Images are read from the shards when they are shown. What `label`, `cluster`, `duplicates` and
    `embed` made is shown where it is there for every part.

    Args:
        dataset: A dataset, or its directory or URL.
        clusters: The name of the clusters that are shown.
        features: The name of the features that neighbours are found by; those of the clusters when not given.
        selection: Only these pairs: what `select` wrote, any other file of ids, or ids.
        host: The address to listen at. Another than this machine's asks every visitor for a token.
        port: The port; 0 for any that is free.
        token: 16 letters or more that visitors must have; made up where one is needed.
        ready: Called with the URL to open once pages are served.
        progress: Called with the figures done and all of them while the index is made.
        storage_options: As for `biomedica.open`.

    Raises:
        DatasetError: The dataset cannot be read, the index cannot be written, or there are no features of that name.
        BiomedicaError: The address cannot be listened at.
        ValueError: An option has a value that it cannot have.

    Example:
        >>> import biomedica as bm
        >>> bm.view("dataset/", ready=print)  # doctest: +SKIP
        http://127.0.0.1:45613/
    """
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, storage_options=storage_options)
    # An address that cannot be had is told of before the index is made.
    at = place(host, port, token)
    with at.listener:
        chosen = None if selection is None else IdSet(read_ids(selection, storage_options=storage_options))
        neighbours = Neighbours(opened, features, checked_name(clusters))
        index = open_index(opened, clusters=clusters, chosen=chosen, progress=progress)
        try:
            pages = Pages(index, neighbours, named(selection))
            serve(make_app(opened, pages.pieces(), token=at.token), at, ready)
        finally:
            index.close()


def named(selection: Ids | None) -> str | None:
    """How pages call a selection."""
    if selection is None:
        return None
    return os.fspath(selection) if isinstance(selection, str | os.PathLike) else "the ids that were given"

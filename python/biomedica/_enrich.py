"""`enrich`: what PubMed knows of a dataset's articles, beside it."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.dataset as pads
from numpy.typing import NDArray

from biomedica._enrichment import FOLDER, Joined, Results, as_pmids, forget
from biomedica._entrez import BASE_URL, BATCH, Entrez
from biomedica._sources import StorageOptions, StrPath
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset

__all__ = ["Enrichment", "enrich"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichment:
    """How far an enrichment is. Counts are of the whole dataset, with what earlier runs had stored."""

    pmids: int
    """PMIDs whose answer is stored."""
    skipped_pmids: int
    """Those of them that earlier runs had stored."""
    total_pmids: int
    """PMIDs of the dataset's articles, each once."""
    requests: int
    """Requests of this run, repeated ones too."""
    found: int
    """PMIDs of which PubMed has a record."""
    deleted: int
    """PMIDs whose record PubMed withdrew."""
    missing: int
    """PMIDs of which the answer said nothing."""
    failed: int
    """PMIDs of which no answer could be read."""
    seconds: float
    """Since the call."""


def enrich(
    dataset: Dataset | StrPath,
    *,
    email: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    requests_per_second: int | None = None,
    timeout: float = 60.0,
    retry_timeout: float = 120.0,
    retry: bool = False,
    storage_options: StorageOptions | None = None,
    progress: Callable[[Enrichment], object] | None = None,
) -> Dataset:
    """Ask PubMed for MeSH terms, missing abstracts and missing reference lists of a dataset's articles.

    NCBI's E-utilities (efetch) are asked for 200 PMIDs at a time. The answer to each request is stored at once, in
    `enrichment/` of the dataset, and never asked for again: a run that was stopped or killed goes on where it was, and
    one after an update asks only for what is new. The dataset's own files stay as they are. `Dataset.articles` then has

    - `article_mesh_terms`: one text for each descriptor, or for each of its qualifiers, with a star after what is a major
      topic: `Humans`, `Heart Failure/drug therapy*`, `Heart Failure*/etiology`. An empty list where PubMed has none.
    - `article_abstract`, where the document had none: sections as `LABEL: text`.
    - `article_reference_list`, with its count and PMIDs, where the document had none.

    Broken answers are asked for again, then in halves; what stays unreadable is `failed`. `Dataset.enrichment` has a row
    for each PMID.

    Args:
        dataset: A dataset, or its directory or URL.
        email: Where NCBI may write before it blocks an address; by default `NCBI_EMAIL`.
        api_key: NCBI's key; by default `NCBI_API_KEY`.
        base_url: Where the E-utilities are; by default `NCBI_EUTILS_URL`, or NCBI's own.
        requests_per_second: The most in any second; by default what NCBI permits: 3, or 10 with a key.
        timeout: Seconds that one request may take.
        retry_timeout: Seconds for which a request is repeated while the server cannot answer (429, 5xx, error pages, a
            connection that breaks), with growing pauses or as `Retry-After` says.
        retry: Ask again for PMIDs that are missing or failed.
        storage_options: How the store of a URL is spoken to; see `open`.
        progress: Called after each stored answer and once at the end. What it raises stops the run.

    Returns:
        The dataset, open.

    Raises:
        SourceError: The server cannot be reached, or refuses; what is stored stays.
        DatasetError: There is no dataset, it cannot be written, or another process is enriching it (`locked`).
        ValueError: An option makes no sense.
        KeyboardInterrupt: Ctrl-C; the same call goes on where it stopped.

    Example:
        >>> import biomedica as bm
        >>> dataset = bm.enrich("dataset/", email="me@lab.example")  # doctest: +SKIP
        >>> dataset.articles().to_table(columns=["article_mesh_terms"]).slice(0, 1).to_pylist()  # doctest: +SKIP
        [{'article_mesh_terms': ['Animals', 'Diet, High-Fat/adverse effects*', 'Mice']}]
    """
    begin = time.monotonic()
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(dataset, storage_options=storage_options)
    files = dataset.storage
    client = Entrez(
        base_url or os.environ.get("NCBI_EUTILS_URL") or BASE_URL,
        api_key=api_key or os.environ.get("NCBI_API_KEY"),
        email=email or os.environ.get("NCBI_EMAIL"),
        requests_per_second=requests_per_second,
        timeout=timeout,
        retry_timeout=retry_timeout,
    )
    with files.lock(FOLDER):
        if retry:
            forget(files, ("missing", "failed"))
        results = Results(files)
        wanted = _pmids(dataset.articles())
        new = wanted[~np.isin(wanted, results.pmids)]

        def show() -> None:
            if progress is not None:
                done = len(wanted) - len(new) + stored
                state = {"pmids": done, "skipped_pmids": len(wanted) - len(new), "total_pmids": len(wanted)}
                seconds = time.monotonic() - begin
                progress(Enrichment(**state, requests=client.requests, **results.counts, seconds=seconds))

        stored = 0
        for table in client.records(_batches(new)):
            results.store(table)
            stored += table.num_rows
            show()
        results.settle()
        joined = Joined(files)
        parts = list(dataset.parts_of("articles"))
        for part, path, sha256 in parts:
            joined.join(part, path, sha256, results)
        joined.publish([part for part, *_ in parts])
        show()
    return dataset.reopened()


def _pmids(articles: pads.Dataset) -> NDArray[np.int64]:
    """The PMIDs of all articles, each once, in the articles' order: those of a part stand in few batches."""
    batches = articles.to_batches(columns=["article_pmid"])
    pmids = np.concatenate([np.empty(0, np.int64), *(as_pmids(batch.column("article_pmid"))[0] for batch in batches)])
    _, first = np.unique(pmids, return_index=True)
    return pmids[np.sort(first)]


def _batches(pmids: NDArray[np.int64]) -> Iterator[list[int]]:
    for start in range(0, len(pmids), BATCH):
        yield pmids[start : start + BATCH].tolist()

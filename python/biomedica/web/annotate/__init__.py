"""`annotate`: experts name clusters of images in a browser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from biomedica._sources import StorageOptions, StrPath
from biomedica.concepts._entry import Format
from biomedica.concepts.taxonomy import Taxonomy
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.web.annotate.clusters import identity, read_clusters
from biomedica.web.annotate.files import export_answers, import_answers
from biomedica.web.annotate.ledger import Ledger
from biomedica.web.annotate.offline import write_pages
from biomedica.web.annotate.pages import Pages
from biomedica.web.app import make_app
from biomedica.web.serve import place, serve

__all__ = ["Annotated", "annotate"]

FILE = "annotations.sqlite"
MOST_SAMPLES = 100


@dataclass(frozen=True, slots=True)
class Annotated:
    """What a file of answers has."""

    path: Path
    """The file."""
    clusters: int
    """Clusters to be judged."""
    judged: int
    """Those that somebody answered."""
    answers: int
    """Answers that stand; of each expert one a cluster."""
    experts: int
    """Experts who came."""
    imported: int
    """Answers that were new in the files taken in."""


def annotate(
    dataset: Dataset | StrPath,
    *,
    clusters: str = "default",
    taxonomy: StrPath | None = None,
    answers: StrPath | None = None,
    samples: int = 20,
    per_cluster: int | None = None,
    imports: Sequence[StrPath] = (),
    export: StrPath | None = None,
    format: Format | None = None,  # noqa: A002 - the word for it
    static: StrPath | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    ready: Callable[[str], object] | None = None,
    progress: Callable[[int, int], object] | None = None,
    storage_options: StorageOptions | None = None,
) -> Annotated:
    """Let experts name clusters in a browser, until Ctrl-C; or take in, write out or hand out what they say.

    Each expert has a queue of all clusters in an order of their own, and says of each whether its images are single or
    multi panel, their global and local concepts, and whether it is ambiguous. Nobody sees what others said. Every
    answer is on the disk before the next page is shown, and stays there when it is changed or undone.

    With `imports`, `export` or `static`, in this order, no pages are served.

    Args:
        dataset: A dataset with clusters, or its directory or URL.
        clusters: The name of the clusters.
        taxonomy: A JSON object of global concepts, each with the list of its local ones; the published one when not
            given.
        answers: The SQLite file of the answers; `annotations.sqlite` in the dataset's directory when not given.
        samples: Images shown of each cluster from its centre, at random and from its edge each.
        per_cluster: How many experts are to judge each cluster; all when not given.
        imports: Files of answers to take in, of any format that `export` writes; pages of `static` give such files.
        export: A file to write the answers that stand to.
        format: Its format: `json`, `csv`, `label-studio`, or `labels` where each cluster has one answer; by its name when
            not given (`.csv`, else `json`).
        static: A directory to write pages to that need no server: one a cluster, with its images in it.
        host: The address to listen at. Another than this machine's asks every visitor for a token.
        port: The port; 0 for any that is free.
        token: 16 letters or more that visitors must have; made up where one is needed.
        ready: Called with the URL to open once pages are served.
        progress: Called with the rows read and all rows while samples are drawn, which happens once.
        storage_options: As for `biomedica.open`.

    Returns:
        What the file of answers has in the end.

    Raises:
        DatasetError: The dataset has no such clusters.
        AnswerError: A file of answers or the taxonomy is not what it should be, or the answers are about other clusters.
        BiomedicaError: The address cannot be listened at.
        ValueError: An option has a value that it cannot have.

    Example:
        >>> import biomedica as bm
        >>> bm.annotate("dataset/", ready=print)  # doctest: +SKIP
        http://127.0.0.1:45613/
    """
    if not 1 <= samples <= MOST_SAMPLES:
        raise ValueError(f"samples: {samples} is not one of 1 to {MOST_SAMPLES}")
    if per_cluster is not None and per_cluster < 1:
        raise ValueError(f"per_cluster: {per_cluster} is not a number above zero")
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, storage_options=storage_options)
    words = Taxonomy.load(taxonomy)
    model, assigned = identity(opened, clusters)
    with Ledger(_file(opened, answers)) as ledger:
        ledger.show(
            clusters, model, f"{assigned} {samples}", lambda: read_clusters(opened, clusters, samples, progress)
        )
        new = sum(import_answers(ledger, path, words) for path in imports)
        if export is not None:
            export_answers(ledger, export, opened, format=format, clusters=clusters, taxonomy=words)
        if static is not None:
            write_pages(ledger, static, opened, clusters=clusters, taxonomy=words, progress=progress)
        if not imports and export is None and static is None:
            at = place(host, port, token)
            serve(make_app(opened, [Pages(ledger, words, per_cluster).piece()], token=at.token), at, ready)
        return _state(ledger, new)


def _file(dataset: Dataset, answers: StrPath | None) -> Path:
    if answers is not None:
        path = Path(answers)
    elif isinstance(dataset.storage.root, Path):
        path = dataset.storage.root / FILE
    else:
        raise ValueError(f"{dataset.location} is no directory: name a file for the answers (answers=, --answers)")
    return path


def _state(ledger: Ledger, imported: int) -> Annotated:
    judges = ledger.judges()
    count = sum(map(len, judges.values()))
    return Annotated(ledger.path, len(ledger.numbers()), len(judges), count, len(ledger.experts()), imported)

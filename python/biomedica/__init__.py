"""PubMed Central article packages to datasets of image-caption pairs.

    >>> import biomedica as bm
    >>> article = bm.parse_article(b"<article><body><fig id='f1'><graphic href='a.jpg'/></fig></body></article>")
    >>> [figure["image_figure_id"] for figure in article["figures"]]
    ['f1']

`extract` writes a dataset, `read` yields Arrow record batches without writing anything, `parse_article` reads one
document, `open` opens a dataset, `stream` gives its samples, or those of any shards, `loader` makes batches of them,
`index` writes the index files that remote shards need, `enrich` asks PubMed for what it knows of a dataset's articles,
`duplicates` finds copies among its images, `embed` and `cluster` make features of images and clusters of these.
Experts name clusters of images in `annotate`, `label` settles their votes and labels all images, `audit` measures how
right that is, `select` chooses some of the pairs, `leaks` finds those that test sets have too. `tasks` lists what models
can be evaluated on, `evaluate` judges models by it, `leaderboard` ranks those of several evaluations. `attribution` writes
who made each image, `export` and `push` hand datasets on. The command `biomedica` has the same words.
"""

from typing import TYPE_CHECKING

from biomedica.exceptions import (
    AnswerError,
    ArchiveError,
    BiomedicaError,
    DatasetError,
    EvaluationError,
    ModelError,
    SourceError,
    SourceNotFoundError,
    TaskError,
    TrainingError,
    XmlError,
)

if TYPE_CHECKING:
    from biomedica import demo, train
    from biomedica._attribution import attribution
    from biomedica._bench import Benchmark, bench
    from biomedica._compact import Compacted, compact
    from biomedica._core import REASONS, STAGES, STATUSES, build_profile, parse_article
    from biomedica._duplicates import Duplicates, duplicates
    from biomedica._enrich import Enrichment, enrich
    from biomedica._evaluate import Evaluating, evaluate
    from biomedica._export import Exported, export
    from biomedica._extract import PartBegun, PartEnded, Progress, extract
    from biomedica._index import Indexed, index
    from biomedica._leaderboard import Leaderboard, leaderboard
    from biomedica._leaks import Leaks, leaks
    from biomedica._push import Pushed, push
    from biomedica._read import Chunk, Reader, read
    from biomedica._retry import Retried, retry
    from biomedica._select import Selection, select
    from biomedica._stream import Sample, Stream, stream
    from biomedica._survey import Survey, survey
    from biomedica._tasks import Listed, tasks
    from biomedica.concepts.audit import Audit, Drawn, audit, draw_audit
    from biomedica.concepts.cluster import Clustering, cluster
    from biomedica.concepts.embed import Embedding, embed
    from biomedica.concepts.label import Labelling, label
    from biomedica.dataset import Dataset, Problem, Report, open
    from biomedica.evaluation.record import Evaluation
    from biomedica.load.loader import Loader, loader
    from biomedica.train.merge import Merged, merge
    from biomedica.web.annotate import Annotated, annotate
    from biomedica.web.report import report
    from biomedica.web.view import view

    __version__: str

__all__ = [
    "REASONS",
    "STAGES",
    "STATUSES",
    "Annotated",
    "AnswerError",
    "ArchiveError",
    "Audit",
    "Benchmark",
    "BiomedicaError",
    "Chunk",
    "Clustering",
    "Compacted",
    "Dataset",
    "DatasetError",
    "Drawn",
    "Duplicates",
    "Embedding",
    "Enrichment",
    "Evaluating",
    "Evaluation",
    "EvaluationError",
    "Exported",
    "Indexed",
    "Labelling",
    "Leaderboard",
    "Leaks",
    "Listed",
    "Loader",
    "Merged",
    "ModelError",
    "PartBegun",
    "PartEnded",
    "Problem",
    "Progress",
    "Pushed",
    "Reader",
    "Report",
    "Retried",
    "Sample",
    "Selection",
    "SourceError",
    "SourceNotFoundError",
    "Stream",
    "Survey",
    "TaskError",
    "TrainingError",
    "XmlError",
    "__version__",
    "annotate",
    "attribution",
    "audit",
    "bench",
    "build_profile",
    "cluster",
    "compact",
    "demo",
    "draw_audit",
    "duplicates",
    "embed",
    "enrich",
    "evaluate",
    "export",
    "extract",
    "index",
    "label",
    "leaderboard",
    "leaks",
    "loader",
    "merge",
    "open",
    "parse_article",
    "push",
    "read",
    "report",
    "retry",
    "select",
    "stream",
    "survey",
    "tasks",
    "train",
    "view",
]

# Where each name lives. They are loaded when first used (PEP 562), so that `import biomedica` costs next to nothing.
# A verb's module has a leading underscore: a submodule called `extract` would take the function's place here as soon
# as anything imports it.
_HOME = {
    "Annotated": "web.annotate",
    "Audit": "concepts.audit",
    "Benchmark": "_bench",
    "Chunk": "_read",
    "Clustering": "concepts.cluster",
    "Compacted": "_compact",
    "Dataset": "dataset",
    "Duplicates": "_duplicates",
    "Drawn": "concepts.audit",
    "Embedding": "concepts.embed",
    "Enrichment": "_enrich",
    "Evaluating": "_evaluate",
    "Evaluation": "evaluation.record",
    "Exported": "_export",
    "Indexed": "_index",
    "Labelling": "concepts.label",
    "Leaderboard": "_leaderboard",
    "Leaks": "_leaks",
    "Listed": "_tasks",
    "Loader": "load.loader",
    "Merged": "train.merge",
    "PartBegun": "_extract",
    "PartEnded": "_extract",
    "Problem": "dataset",
    "Progress": "_extract",
    "Pushed": "_push",
    "Survey": "_survey",
    "REASONS": "_core",
    "Reader": "_read",
    "Report": "dataset",
    "Retried": "_retry",
    "STAGES": "_core",
    "STATUSES": "_core",
    "Sample": "_stream",
    "Selection": "_select",
    "Stream": "_stream",
    "annotate": "web.annotate",
    "attribution": "_attribution",
    "audit": "concepts.audit",
    "bench": "_bench",
    "build_profile": "_core",
    "cluster": "concepts.cluster",
    "compact": "_compact",
    "duplicates": "_duplicates",
    "draw_audit": "concepts.audit",
    "embed": "concepts.embed",
    "enrich": "_enrich",
    "evaluate": "_evaluate",
    "export": "_export",
    "extract": "_extract",
    "survey": "_survey",
    "index": "_index",
    "label": "concepts.label",
    "leaderboard": "_leaderboard",
    "leaks": "_leaks",
    "loader": "load.loader",
    "merge": "train.merge",
    "open": "dataset",
    "parse_article": "_core",
    "push": "_push",
    "read": "_read",
    "report": "web.report",
    "retry": "_retry",
    "select": "_select",
    "stream": "_stream",
    "view": "web.view",
    "tasks": "_tasks",
}


def __getattr__(name: str) -> object:
    from importlib import import_module, metadata

    value: object
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in {"demo", "train"}:  # packages with functions of their own: `demo.make`, `train.train`
        value = import_module(f"{__name__}.{name}")
    elif name == "__version__":
        value = metadata.version(__name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

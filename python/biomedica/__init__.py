"""PubMed Central article packages to datasets of image-caption pairs.

    >>> import biomedica as bm
    >>> article = bm.parse_article(b"<article><body><fig id='f1'><graphic href='a.jpg'/></fig></body></article>")
    >>> [figure["image_figure_id"] for figure in article["figures"]]
    ['f1']

`extract` writes a dataset, `read` yields Arrow record batches without writing anything, `parse_article` reads one
document, `open` opens a dataset, `stream` gives its samples, or those of any shards, `loader` makes batches of them,
`index` writes the index files that remote shards need, `enrich` asks PubMed for what
it knows of a dataset's articles, `attribution` writes who made each image. The command `biomedica` has the same words.
"""

from typing import TYPE_CHECKING

from biomedica.exceptions import (
    ArchiveError,
    BiomedicaError,
    DatasetError,
    SourceError,
    SourceNotFoundError,
    TrainingError,
    XmlError,
)

if TYPE_CHECKING:
    from biomedica import demo, train
    from biomedica._attribution import attribution
    from biomedica._compact import Compacted, compact
    from biomedica._core import REASONS, STAGES, STATUSES, build_profile, parse_article
    from biomedica._duplicates import Duplicates, duplicates
    from biomedica._enrich import Enrichment, enrich
    from biomedica._extract import Progress, extract
    from biomedica._index import Indexed, index
    from biomedica._read import Chunk, Reader, read
    from biomedica._retry import Retried, retry
    from biomedica._stream import Sample, Stream, stream
    from biomedica._survey import Survey, survey
    from biomedica.dataset import Dataset, Problem, Report, open
    from biomedica.load.loader import Loader, loader
    from biomedica.train.merge import Merged, merge

    __version__: str

__all__ = [
    "REASONS",
    "STAGES",
    "STATUSES",
    "ArchiveError",
    "BiomedicaError",
    "Chunk",
    "Compacted",
    "Dataset",
    "DatasetError",
    "Duplicates",
    "Enrichment",
    "Indexed",
    "Loader",
    "Merged",
    "Problem",
    "Progress",
    "Reader",
    "Report",
    "Retried",
    "Sample",
    "SourceError",
    "SourceNotFoundError",
    "Stream",
    "Survey",
    "TrainingError",
    "XmlError",
    "__version__",
    "attribution",
    "build_profile",
    "compact",
    "demo",
    "duplicates",
    "enrich",
    "extract",
    "index",
    "loader",
    "merge",
    "open",
    "parse_article",
    "read",
    "retry",
    "stream",
    "survey",
    "train",
]

# Where each name lives. They are loaded when first used (PEP 562), so that `import biomedica` costs next to nothing.
# A verb's module has a leading underscore: a submodule called `extract` would take the function's place here as soon
# as anything imports it.
_HOME = {
    "Chunk": "_read",
    "Compacted": "_compact",
    "Dataset": "dataset",
    "Duplicates": "_duplicates",
    "Enrichment": "_enrich",
    "Indexed": "_index",
    "Loader": "load.loader",
    "Merged": "train.merge",
    "Problem": "dataset",
    "Progress": "_extract",
    "Survey": "_survey",
    "REASONS": "_core",
    "Reader": "_read",
    "Report": "dataset",
    "Retried": "_retry",
    "STAGES": "_core",
    "STATUSES": "_core",
    "Sample": "_stream",
    "Stream": "_stream",
    "attribution": "_attribution",
    "build_profile": "_core",
    "compact": "_compact",
    "duplicates": "_duplicates",
    "enrich": "_enrich",
    "extract": "_extract",
    "survey": "_survey",
    "index": "_index",
    "loader": "load.loader",
    "merge": "train.merge",
    "open": "dataset",
    "parse_article": "_core",
    "read": "_read",
    "retry": "_retry",
    "stream": "_stream",
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

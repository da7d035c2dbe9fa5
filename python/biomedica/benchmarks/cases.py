"""The cases: each measures, and says what came of it as rows of the table. One whose peers are not there is left out, and told."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Measured

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is measured."""

    name: str
    module: str
    what: str
    needs: tuple[str, ...] = ()
    """Modules that it imports, as `pip` calls their packages."""

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [name for name in self.needs if not _is_there(MODULES.get(name, name))]

    def run(self, corpus: Corpus, rounds: int) -> Measured:
        """Measure."""
        measure: Callable[[Corpus, int], Measured] = getattr(
            import_module(f"biomedica.benchmarks.{self.module}"), self.name
        )  # fmt: skip
        return measure(corpus, rounds)


MODULES = {
    "faiss-cpu": "faiss", "nvidia-dali-cuda130": "nvidia.dali", "open_clip_torch": "open_clip", "pillow": "PIL",
    "scikit-learn": "sklearn",
}  # fmt: skip
_PAPER = ("lxml", "pillow", "pubmed_parser", "webdataset")
CASES = (
    Case("jats", "parsing", "documents to records, 1 core", _PAPER),
    Case("arrow", "parsing", "packages to Arrow", _PAPER),
    Case("dataset", "writing", "packages to a dataset on disk, 1 core", _PAPER),
    Case("bucket", "bucket", "articles of a bucket to Arrow", ("obstore",)),
    Case("imports", "process", "the import statement"),
    Case("memory", "process", "peak memory of an extraction"),
    Case("stream", "streaming", "samples of local shards, 1 core", ("datasets", "webdataset")),
    Case("decode", "decode", "JPEGs to pixels", ("nvidia-dali-cuda130", "open_clip_torch", "pillow", "torch")),
    Case("phash", "phash", "JPEGs to perceptual hashes, 1 core", ("imagehash", "pillow")),
    Case("tokens", "loading", "captions to tokens, 1 core", ("open_clip_torch", "webdataset")),
    Case("loader", "loading", "shards to batches", ("open_clip_torch", "webdataset")),
    Case("training", "training", "shards to a trained model", ("open_clip_torch", "pillow", "torch", "webdataset")),
    Case("select", "selecting", "many pairs to a selection", ("duckdb",)),
    Case("view", "viewing", "pages of many figures", ("faiss-cpu", "starlette", "uvicorn")),
    Case("kmeans", "vectors", "vectors to clusters", ("faiss-cpu",)),
    Case("assign", "vectors", "features of a dataset to clusters", ("faiss-cpu",)),
    Case("ranks", "vectors", "ranks of retrieval", ("faiss-cpu",)),
    Case("intervals", "intervals", "bootstrap intervals", ("scikit-learn", "scipy")),
)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of its parent
        return False

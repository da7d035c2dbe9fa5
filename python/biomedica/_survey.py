"""`survey`: what an extraction would read, without reading or writing it."""

from dataclasses import dataclass

from biomedica import _core
from biomedica._selection import Since, Versions, as_selection
from biomedica._sources import Sources, StorageOptions, StrPath, as_config, as_paths

__all__ = ["Survey", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The packages of some sources, counted."""

    packages: int
    kinds: dict[str, int]
    """Packages of each kind: `tar.gz`, `tar`, `directory`, `xml`, and `article` of the cloud bucket's layout."""
    input_bytes: int
    """Their size, as far as it is known before they are read: that of the bucket's articles is not."""
    failures: int
    """What could not be looked at."""
    first_failures: list[str]


def survey(
    sources: Sources,
    *,
    versions: Versions = "best",
    ids: StrPath | None = None,
    since: Since | None = None,
    limit: int | None = None,
    sample: float | None = None,
    sample_seed: int = 0,
    storage_options: StorageOptions | None = None,
) -> Survey:
    """Walk through sources and count the packages that `extract` would take, with the same options.

    Of a package nothing is read but its name and size; of the bucket, its inventory.

    Raises:
        SourceNotFoundError: There is nothing at one of the sources.
        SourceError: A store cannot be read.
        ValueError: An option makes no sense.

    Example:
        >>> import biomedica as bm
        >>> bm.survey("s3://pmc-oa-opendata", since="2026-10-01").packages  # doctest: +SKIP
        48213
    """
    selection = as_selection(versions, ids, since, limit=limit, sample=sample, sample_seed=sample_seed)
    return Survey(**_core.survey(as_paths(sources), selection=selection, storage_options=as_config(storage_options)))

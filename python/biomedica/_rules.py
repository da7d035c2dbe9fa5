"""What makes a figure a pair, as functions take it and the core wants it."""

from collections.abc import Iterable
from typing import Literal, TypeAlias, TypedDict

__all__ = ["SUBSETS", "Names", "Retracted", "Rules", "as_names", "as_rules"]

SUBSETS = ("commercial", "noncommercial", "other")
"""What licences are sorted into, by what they permit."""

Names: TypeAlias = str | Iterable[str]
"""One name or several."""

Retracted: TypeAlias = Literal["keep", "drop"]
"""What becomes of the figures of retracted articles."""


class Rules(TypedDict):
    """As the core wants them."""

    min_size: int
    keep_retracted: bool
    subsets: list[str]
    licenses: list[str]


def as_names(names: Names | None) -> list[str]:
    """The names as a list."""
    return [names] if isinstance(names, str) else list(names or ())


def as_rules(min_size: int, retracted: Retracted, subset: Names | None, license: Names | None) -> Rules:  # noqa: A002
    """The rules, which the core checks.

    Raises:
        ValueError: `retracted` is another word, or `min_size` no number of pixels.
    """
    if not 0 <= min_size < 1 << 32:
        raise ValueError(f"min_size is {min_size}, but must be a number of pixels")
    if retracted not in ("keep", "drop"):
        raise ValueError(f"retracted is 'keep' or 'drop', not {retracted!r}")
    return {
        "min_size": min_size,
        "keep_retracted": retracted == "keep",
        "subsets": as_names(subset),
        "licenses": as_names(license),
    }

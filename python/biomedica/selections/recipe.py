"""The rules of a selection, as people give them and as JSON keeps them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from biomedica.selections.names import near

__all__ = ["PRESETS", "Dedup", "Recipe"]

Dedup = Literal["exact", "near"]
"""Whether images count as the same by their bytes or by their looks."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "concept-filtered": {
        "drop_concepts": (
            "Plots and Charts",
            "Tables",
            "Illustrative Diagrams",
            "Graphs and Networks",
            "Maps",
            "Screen Based Visuals",
            "Scientific Formulae and Equations",
        )
    },
    "concept-balanced": {"balance": "image_primary_label", "quantile": 0.6},
}
"""The three training sets of the BIOMEDICA paper (arXiv 2501.07171), by the concepts of its taxonomy.

It tells their sizes (24, 6 and 8 million pairs) and what they are for, not their exact rules. By its own counts of
images a concept, those here leave 24, 6.8 and 7.7 million.
"""
MOST = 1 << 53
"""The largest whole number that JSON keeps everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What `biomedica.select` is told; its documentation says what each rule does."""

    preset: str | None = None
    where: str | None = None
    drop_concepts: tuple[str, ...] = ()
    dedup: Dedup | None = None
    balance: str | None = None
    cap: int | None = None
    quantile: float | None = None
    sample: float | None = None
    exclude: tuple[str, ...] = ()
    exclude_sha256: tuple[str, ...] = ()
    """Of the ids in each file of `exclude`, as they were."""
    clusters: str = "default"
    seed: int = 0

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> "Recipe":
        """The rules by their names, a preset's among them; what is given beside it stands above it.

        Raises:
            ValueError: A rule makes no sense.
            TypeError: A rule is of the wrong type.
        """
        given = {name: value for name, value in rules.items() if value not in (None, ())}
        for name, value in given.items():
            _check_type(name, value)
        preset = given.pop("preset", None)
        if preset is not None and preset not in PRESETS:
            raise ValueError(f"there is no preset {preset!r}{near(preset, PRESETS)}; there are {', '.join(PRESETS)}")
        instead = set(given)
        instead |= {"cap", "quantile"} if instead & {"cap", "quantile"} else set()
        its_own = {name: value for name, value in PRESETS[preset or "full"].items() if name not in instead}
        return cls(preset=preset, **its_own, **given)

    @classmethod
    def from_json(cls, text: str, where: object) -> "Recipe":
        """The recipe in a JSON object; `where` names the file for errors."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: no recipe: {error}") from error
        if not isinstance(values, dict):
            raise ValueError(f"{where}: no recipe: it is no JSON object")  # noqa: TRY004 - of a file's content
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(f"{where}: a recipe has no {name!r}{near(name, known)}; it has {', '.join(known)}")
        lists = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        try:
            return cls.of(lists)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from error

    def as_json(self) -> dict[str, Any]:
        """What `from_json` takes: the rules that are given, the preset's written out."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in values.items() if value not in (None, [])}

    def with_lists(self, sha256: tuple[str, ...]) -> "Recipe":
        """The same, with what its block lists hold."""
        return replace(self, exclude_sha256=sha256)

    def __post_init__(self) -> None:
        if self.dedup is not None and self.dedup not in get_args(Dedup):
            raise ValueError(f"dedup is {self.dedup!r}, but must be exact or near")
        if self.balance is None and (self.cap is not None or self.quantile is not None):
            raise ValueError("cap and quantile say how a column is balanced: give balance, such as image_primary_label")
        if self.balance is not None and (self.cap is None) == (self.quantile is None):
            raise ValueError("balance wants one of cap (images of each value) and quantile (of the values' counts)")
        if self.cap is not None and not 1 <= self.cap <= MOST:
            raise ValueError(f"cap is {self.cap}, but must be a number of images above zero")
        if self.quantile is not None and not 0 < self.quantile <= 1:
            raise ValueError(f"quantile is {self.quantile}, but must be above 0 and at most 1")
        most = MOST if isinstance(self.sample, int) else 1
        if self.sample is not None and not 0 < self.sample <= most:
            raise ValueError(f"sample is {self.sample}, but must be a number of pairs, or a share: above 0, at most 1")
        if not 0 <= self.seed <= MOST:
            raise ValueError(f"seed is {self.seed}, but must be a whole number from 0 on")
        if self.exclude_sha256 and len(self.exclude_sha256) != len(self.exclude):
            raise ValueError("exclude_sha256 has a digest for each file of exclude")


def _check_type(name: str, value: object) -> None:
    """Refuse what a rule cannot be, as JSON and callers without a type checker may have it."""
    if name in ("drop_concepts", "exclude", "exclude_sha256"):
        fits = isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    elif name in ("cap", "seed"):
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif name in ("quantile", "sample"):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, str)
    if not fits:
        raise TypeError(f"{name} is {value!r}, which is not of its type")

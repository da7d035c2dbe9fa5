"""The words that experts may say of a cluster: global concepts, each with its local ones, and panel types."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from biomedica._sources import StrPath
from biomedica.concepts._files import read_file
from biomedica.exceptions import AnswerError

__all__ = ["AMBIGUOUS", "PANEL_TYPES", "Taxonomy", "name_problem"]

PANEL_TYPES = ("single", "multi")
"""Whether an image is one panel or several."""
AMBIGUOUS = ("Ambiguous", "ambiguous")
"""The global and the local concept of a cluster of which nothing can be said. Every taxonomy has them."""
SHIPPED = Path(__file__).with_name("taxonomy.json")
MOST_GROUPS, MOST_NAMES, LONGEST_NAME = 1_000, 10_000, 200
"""What a taxonomy may have: groups, names in all, characters of a name."""


@dataclass(frozen=True)
class Taxonomy:
    """Global concepts (groups) and their local ones.

    The default is the taxonomy that was published with BIOMEDICA (arXiv 2501.07171) under the MIT licence: 16 groups
    with 119 names.
    """

    groups: Mapping[str, tuple[str, ...]]
    """Each global concept with its local ones, in the file's order."""

    @classmethod
    def load(cls, path: StrPath | None = None) -> "Taxonomy":
        """Read a taxonomy: a JSON object of global concepts, each with the list of its local ones.

        Args:
            path: The file or its URL; the published taxonomy when not given.

        Raises:
            SourceNotFoundError: There is no such file.
            AnswerError: The file is no taxonomy, or beyond what one may have.
        """
        return _shipped() if path is None else cls(_groups(read_file(path), path))

    @property
    def sha256(self) -> str:
        """Of the groups and names: the same for the same words, however the file was laid out."""
        text = json.dumps({group: list(names) for group, names in self.groups.items()}, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def global_concepts(self) -> tuple[str, ...]:
        """The groups' names; `Ambiguous` is one of them."""
        return _with(self.groups, AMBIGUOUS[0])

    @property
    def local_concepts(self) -> tuple[str, ...]:
        """The names of all groups; `ambiguous` is one of them."""
        return _with(dict.fromkeys(name for names in self.groups.values() for name in names), AMBIGUOUS[1])

    def groups_of(self, local: str) -> tuple[str, ...]:
        """The global concepts that have a local one; none for a name that is not in the taxonomy."""
        return tuple(group for group, names in self.groups.items() if local in names)

    def unknown(self, names: Iterable[str], *, local: bool) -> str | None:
        """What is wrong with the first of the concepts that is not in the taxonomy; None when all are."""
        known = self.local_concepts if local else self.global_concepts
        level = "local" if local else "global"
        for name in names:
            if name not in known:
                # By letters alone: `X-Ray Radiography` is near `x-ray radiography`.
                by_letters = {other.casefold(): other for other in known}
                near = difflib.get_close_matches(name.casefold(), by_letters, n=1, cutoff=0.5)
                hint = f"; the nearest is {by_letters[near[0]]!r}" if near else ""
                return f"no {level} concept is called {name!r}{hint}"
        return None


def name_problem(name: object) -> str | None:
    """What is wrong with a word that is to be a concept's name; None when it can be one."""
    if not isinstance(name, str) or not name.strip():
        return f"{name!r:.80} is not a name"
    if len(name) > LONGEST_NAME:
        return f"{name[:40]!r}… has {len(name):,} characters; a name has at most {LONGEST_NAME}"
    if ";" in name or not name.isprintable() or name != name.strip():
        return f"{name!r}: a name has neither semicolons nor control characters nor space around it"
    return None


@cache
def _shipped() -> Taxonomy:
    return Taxonomy(_groups(SHIPPED.read_bytes(), SHIPPED))


def _with(names: Iterable[str], name: str) -> tuple[str, ...]:
    found = tuple(names)
    return found if name in found else (*found, name)


def _groups(data: bytes, path: StrPath) -> dict[str, tuple[str, ...]]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict) or not value or not all(isinstance(names, list) for names in value.values()):
        raise AnswerError(f"{path}: not a taxonomy: an object of global concepts with lists of local ones is expected")
    if len(value) > MOST_GROUPS or sum(map(len, value.values())) > MOST_NAMES:
        raise AnswerError(f"{path}: a taxonomy has at most {MOST_GROUPS:,} groups and {MOST_NAMES:,} names")
    for group, names in value.items():
        for name in (group, *names):
            if problem := name_problem(name):
                raise AnswerError(f"{path}: group {group!r:.80}: {problem}")
        if len(set(names)) < len(names):
            raise AnswerError(f"{path}: group {group!r}: a name occurs twice")
    return {group: tuple(names) for group, names in value.items()}

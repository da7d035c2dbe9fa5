"""A table of a TOML file whose keys are asked for by type; what is wrong is told with file and key."""

from collections.abc import Iterable, Mapping
from typing import Any

from biomedica.exceptions import TaskError
from biomedica.selections.names import near

__all__ = ["Table"]

LONGEST = 2_000
"""Characters of a text."""


class Table:
    """The values of a table. Each key may be asked for once by its type; `refuse_others` tells of those that nobody knows.

    Args:
        values: What the file says.
        where: The file, for errors.
        prefix: The path to this table, such as `data.`.
    """

    def __init__(self, values: Mapping[str, Any], where: str, prefix: str = "") -> None:
        self._values, self._where, self._prefix = values, where, prefix
        self._known: set[str] = set()

    @property
    def given(self) -> frozenset[str]:
        """The keys that are there."""
        return frozenset(self._values)

    def error(self, key: str, problem: str) -> TaskError:
        """What to raise about a key; about the table itself where it is empty."""
        path = f"{self._prefix}{key}".rstrip(".")
        return TaskError(f"{self._where}: {path}: {problem}")

    def completed(self, other: "Table", keys: Iterable[str]) -> "Table":
        """This table, with these keys of another where it lacks them."""
        values = {key: other._values[key] for key in keys if key in other._values}  # noqa: SLF001 - its own class
        return Table({**values, **self._values}, self._where, self._prefix)

    def text(self, key: str, *, among: Iterable[str] | None = None) -> str:
        """A text that must be there, one of `among` if these are given."""
        found = self.optional_text(key)
        if found is None:
            raise self.error(key, "is missing")
        if among is not None and found not in (words := tuple(among)):
            raise self.error(key, f"is {found!r}{near(found, words)}; it must be one of {', '.join(words)}")
        return found

    def optional_text(self, key: str) -> str | None:
        """A text, or None where there is none."""
        found = self._get(key)
        return None if found is None else self._checked(key, found)

    def character(self, key: str) -> str | None:
        """One character, white space too, or None where there is none."""
        found = self._get(key)
        if found is not None and not (isinstance(found, str) and len(found) == 1 and found not in '"\r\n'):
            raise self.error(key, f"must be one character, but is {found!r:.80}")
        return found

    def texts(self, key: str, *, most: int) -> tuple[str, ...]:
        """A list of different texts; none where the key is missing."""
        found = self._get(key)
        if found is None:
            return ()
        if not isinstance(found, list) or not found:
            raise self.error(key, f"must be a list of texts, but is {found!r:.80}")
        if len(found) > most:
            raise self.error(key, f"has {len(found):,} texts; at most {most:,} may be there")
        texts = tuple(self._checked(key, text) for text in found)
        if twice := next((text for text in texts if texts.count(text) > 1), None) if len(texts) <= LONGEST else None:
            raise self.error(key, f"{twice!r} stands there twice")
        return texts

    def flag(self, key: str) -> bool:
        """True or false; false where the key is missing."""
        found = self._get(key)
        if found is not None and not isinstance(found, bool):
            raise self.error(key, f"must be true or false, but is {found!r:.80}")
        return bool(found)

    def label(self, key: str, default: str) -> str:
        """A text or a whole number, as text."""
        found = self._get(key)
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        return default if found is None else self._checked(key, found)

    def table(self, key: str) -> "Table | None":
        """A table, or None where there is none."""
        found = self._get(key)
        if found is not None and not isinstance(found, dict):
            raise self.error(key, f"must be a table, but is {found!r:.80}")
        return None if found is None else Table(found, self._where, f"{self._prefix}{key}.")

    def tables(self, key: str, *, most: int) -> "list[Table]":
        """An array of tables; none where the key is missing."""
        found = self._get(key)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.error(key, f"must be an array of tables ([[{self._prefix}{key}]])")
        if len(found) > most:
            raise self.error(key, f"has {len(found):,} tables; at most {most:,} may be there")
        return [Table(one, self._where, f"{self._prefix}{key}[{number}].") for number, one in enumerate(found)]

    def conditions(self, key: str) -> dict[str, tuple[str, ...]]:
        """A table of values that columns must have: a text, a whole number, or a list of these for each."""
        table = self.table(key)
        found: dict[str, tuple[str, ...]] = {}
        for name, value in (table._values if table else {}).items():  # noqa: SLF001 - its own class
            values = value if isinstance(value, list) else [value]
            if not values or not all(isinstance(one, str | int) for one in values):
                raise self.error(
                    f"{key}.{name}", f"must be a text, a whole number or a list of these, but is {value!r:.80}"
                )
            found[name] = tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values)
        return found

    def refuse_others(self) -> None:
        """Tell of a key that was never asked for.

        Raises:
            TaskError: There is one.
        """
        for key in self._values:
            if key not in self._known:
                known = ", ".join(sorted(self._known))
                raise self.error(key, f"is no key that is known here{near(key, self._known)}; there are {known}")

    def _get(self, key: str) -> Any:  # noqa: ANN401 - whatever the file says
        self._known.add(key)
        return self._values.get(key)

    def _checked(self, key: str, text: object) -> str:
        if not isinstance(text, str):
            raise self.error(key, f"must be a text, but is {text!r:.80}")
        if not text.strip():
            raise self.error(key, "is an empty text")
        if len(text) > LONGEST:
            raise self.error(key, f"has {len(text):,} characters; a text has at most {LONGEST:,}")
        return text

"""`where`: a condition in SQL on one pair, which DuckDB evaluates and which can do nothing else.

Recipes are shared, so a condition is not trusted: it is parsed first, and only one on the columns of one row passes; it
runs in a database in memory that may neither touch files nor load extensions nor change its settings.
"""

import json
from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from biomedica.selections.names import unknown_column

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

__all__ = ["Where"]

RELATION = "pairs"
ROW = "biomedica.row"
"""The column with a row's number. No condition can name it."""
SETTINGS = (
    "enable_external_access=false",
    "autoinstall_known_extensions=false",
    "autoload_known_extensions=false",
    "python_enable_replacements=false",
    "memory_limit='2GiB'",
    "lock_configuration=true",
)
LONGEST = 500
"""Letters of a condition that an error repeats."""
PLAIN: dict[str, Any] = {
    "type": "SELECT_NODE",
    "modifiers": [],
    "group_expressions": [],
    "having": None,
    "sample": None,
    "qualify": None,
}
"""What a statement is besides its condition."""


class Where:
    """A condition on the columns of `schema`.

    Args:
        condition: An SQL expression.
        schema: Type of each column that there is.
        absent: Columns that there could be, each with what to do to have it.

    Raises:
        ValueError: It is no such condition, or names a column that is not there.
    """

    def __init__(self, condition: str, schema: Mapping[str, pa.DataType], absent: Mapping[str, str]) -> None:
        self._connection = _locked_down()
        self._statement = f'SELECT "{ROW}" FROM {RELATION} WHERE {condition}'  # noqa: S608 - it is parsed before it runs
        self._condition = condition
        tree = self._parse()
        names = list(dict.fromkeys(_columns(tree)))
        by_lower = {name.lower(): name for name in schema}
        for name in names:
            if name.lower() not in by_lower:
                is_text = f'"{name}"' in condition and name not in absent
                hint = f"where: there is no column {name}; text stands in single quotes" if is_text else None
                raise ValueError(hint or unknown_column("where", name, schema, absent))
        self.columns = [by_lower[name.lower()] for name in names]
        """The columns that it needs."""
        self._refuse_moods(tree)
        # Bound once without rows, so that what is wrong with it is told before anything is read.
        self.mask(pa.table({name: pa.array([], schema[name]) for name in self.columns}))

    def mask(self, rows: pa.Table) -> "NDArray[np.bool_]":
        """Which rows it is true of."""
        import duckdb

        numbers = pa.array(np.arange(rows.num_rows, dtype=np.int64))
        self._connection.register(RELATION, rows.append_column(ROW, numbers))
        try:
            found = self._connection.execute(self._statement).fetchnumpy()[ROW]
        except duckdb.Error as error:
            raise self._wrong(str(error)) from error
        finally:
            self._connection.unregister(RELATION)
        mask = np.zeros(rows.num_rows, np.bool_)
        mask[found] = True
        return mask

    def _parse(self) -> dict[str, Any]:
        import duckdb

        try:
            answer = self._connection.execute("SELECT json_serialize_sql(?)", [self._statement]).fetchone()
        except duckdb.Error as error:
            raise self._wrong(str(error)) from error
        no_answer = {"error": True, "error_message": "it cannot be parsed"}
        try:
            parsed: dict[str, Any] = json.loads(answer[0]) if answer else no_answer
        except RecursionError as error:
            raise self._wrong("it is nested too deep") from error
        if parsed["error"]:
            raise self._wrong(str(parsed["error_message"]))
        statements: list[dict[str, Any]] = parsed["statements"]
        node: dict[str, Any] = statements[0]["node"] if len(statements) == 1 else {}
        if any(node.get(name) != value for name, value in PLAIN.items()) or not node["where_clause"]:
            raise self._wrong("it is more than one condition on a row")
        condition: dict[str, Any] = node["where_clause"]
        for part in _nodes(condition):
            if part.get("class") == "SUBQUERY":
                raise self._wrong("it holds a query of its own; a condition is about the columns of one row")
        return condition

    def _refuse_moods(self, tree: dict[str, Any]) -> None:
        """Refuse functions whose value depends on more than their arguments: a recipe gives the same tomorrow."""
        used = {part["function_name"].lower() for part in _nodes(tree) if part.get("class") == "FUNCTION"}
        moody = self._connection.execute(
            "SELECT function_name FROM duckdb_functions() WHERE function_type = 'scalar'"
            " GROUP BY function_name HAVING bool_or(stability = 'VOLATILE') OR bool_and(stability <> 'CONSISTENT')"
        ).fetchall()
        for (name,) in moody:
            if name in used:
                raise self._wrong(f"{name}() does not give the same each time")

    def _wrong(self, detail: str) -> ValueError:
        # DuckDB goes on with the statement and a mark under it.
        first = detail.split("\n\nLINE ", 1)[0].split("\nCandidate bindings", 1)[0].strip()
        return ValueError(f"where: {first}: {shorten(self._condition, LONGEST, placeholder='…')}")


def _locked_down() -> "duckdb.DuckDBPyConnection":
    try:
        import duckdb
    except ImportError as error:
        raise ImportError("where needs duckdb: pip install 'biomedica[select]'") from error
    connection = duckdb.connect(":memory:")
    for setting in SETTINGS:
        connection.execute(f"SET {setting}")
    return connection


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """All objects of a parsed condition, from outside inwards."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _columns(tree: dict[str, Any]) -> Iterator[str]:
    """The columns that a condition names, less what its lambdas call their arguments."""
    own = {
        name["column_names"][0]
        for node in _nodes(tree)
        if node.get("class") == "LAMBDA"
        for name in _nodes(node["lhs"])
        if name.get("class") == "COLUMN_REF"
    }
    for node in _nodes(tree):
        if node.get("class") == "COLUMN_REF":
            names = node["column_names"]
            name = names[1] if len(names) > 1 and names[0].lower() == RELATION else names[0]
            if name not in own:
                yield name
        elif node.get("class") == "STAR":
            raise ValueError("where: * names no column")

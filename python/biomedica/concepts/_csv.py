"""Tables for spreadsheets.

A cell that a spreadsheet would take for a formula has an apostrophe put before it (OWASP, "CSV injection"), which
reading takes away again.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from biomedica._sources import StrPath
from biomedica.concepts._entry import LISTS
from biomedica.exceptions import AnswerError

__all__ = ["cells", "guarded", "rows", "text"]

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
DIGITS = 20
"""What a number may have, space around it included: longer ones are slow to read and none of them is a cluster's."""
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


def guarded(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(FORMULA) else value


def unguarded(value: str) -> str:
    """The text that was guarded."""
    return value[1:] if value.startswith("'") and value[1:].startswith(FORMULA) else value


def text(fields: Sequence[str], entries: Iterable[Mapping[str, Any]]) -> str:
    """A table with a header; None is an empty cell, lists are joined by semicolons."""
    buffer = io.StringIO(newline="")
    table = csv.DictWriter(buffer, fields)
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in entry.items()} for entry in entries)
    return buffer.getvalue()


def cells(content: str, path: StrPath) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row's place and its cells by the header's names.

    Raises:
        AnswerError: The table is malformed: a name occurs twice, or a row is longer or shorter than the header.
    """
    # A NUL in a cell is an error of the reader before Python 3.13 and passes after it.
    if "\0" in content:
        raise AnswerError(f"{path}: not a table of text")
    table = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(table, [])]
        if len(set(header)) < len(header):
            raise AnswerError(f"{path}: the header has a name twice")
        for row in table:
            where = f"line {table.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                raise AnswerError(f"{path}: {where}: {len(row)} cells, but the header has {len(header)}")
            yield where, {name: unguarded(cell) for name, cell in zip(header, row, strict=True)}
    except csv.Error as error:
        raise AnswerError(f"{path}: line {table.line_num}: {error}") from error


def rows(content: str, fields: Sequence[str], path: StrPath) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each answer of a table, with its place and its fields.

    Raises:
        AnswerError: The table is malformed, or no table of answers.
    """
    header = content.lstrip().partition("\n")[0]
    if "cluster" not in header or "expert" not in header:
        raise AnswerError(f"{path}: neither JSON nor a table with a header of {', '.join(fields)}")
    for where, row in cells(content, path):
        try:
            yield where, {name: _value(name, cell) for name, cell in row.items()}
        except ValueError as error:
            raise AnswerError(f"{path}: {where}: {error}") from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return guarded(";".join(map(str, value)))
    return guarded(value) if isinstance(value, str) else str(value)


def _value(name: str, cell: str) -> object:
    if name in LISTS:
        return [part.strip() for part in cell.split(";") if part.strip()]
    if name == "cluster":
        if not (cell.strip().isascii() and cell.strip().isdigit() and len(cell) <= DIGITS):
            raise ValueError(f"{cell!r:.40} is not a cluster's number")
        return int(cell)
    if name == "ambiguous":
        if cell.strip().lower() not in TRUTH:
            raise ValueError(f"ambiguous: {cell!r:.40} is neither true nor false")
        return TRUTH[cell.strip().lower()]
    if name == "seconds" and cell.strip():
        number = float(cell)
        if not math.isfinite(number):
            raise ValueError(f"seconds: {cell!r} is not a number of seconds")
        return number
    return cell if name == "notes" else cell or None

"""The sheet of an audit: images with their labels, and beside each label a cell for what the image really shows.

In such a cell, `ok` says that the label is right, `none` that there is nothing to be said, and else stands what is
right, concepts joined by semicolons. An empty cell was not checked.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from biomedica._sources import StrPath
from biomedica.concepts import _csv
from biomedica.concepts._files import read_file, write_file
from biomedica.concepts.record import dumped
from biomedica.concepts.taxonomy import PANEL_TYPES, Taxonomy, name_problem
from biomedica.concepts.votes import LEVELS, Value, plain
from biomedica.exceptions import AnswerError

__all__ = ["read_sheet", "write_sheet"]

TRUE = {level: f"true_{level}" for level in LEVELS}
FIELDS = ("image_id", "caption", *(name for level in LEVELS for name in (level, TRUE[level])), "notes")
OK, NONE = "ok", "none"


def write_sheet(
    path: StrPath, images: Sequence[str], captions: Mapping[str, str | None], labels: Sequence[Mapping[str, Value]]
) -> None:
    """Write a sheet to be filled in: JSON where the name ends in `.json`, else CSV."""
    rows: list[dict[str, Any]] = [
        dict.fromkeys(FIELDS, "")
        | {"image_id": image, "caption": captions.get(image)}
        | {level: plain(values[level]) for level in LEVELS}
        for image, values in zip(images, labels, strict=True)
    ]
    if str(path).lower().endswith(".json"):
        write_file(path, dumped({"audit": rows}))
    else:
        write_file(path, _csv.text(FIELDS, rows).encode("utf-8-sig"))  # the mark by which spreadsheets know UTF-8


def read_sheet(
    path: StrPath, labels: Mapping[str, Mapping[str, Value]], taxonomy: Taxonomy | None
) -> dict[str, dict[str, Value]]:
    """What each image really shows, at the levels at which it was checked and has a label.

    Args:
        path: The sheet that was filled in.
        labels: Of each image that was drawn, its labels.
        taxonomy: Whose concepts are known; None to take any.

    Raises:
        AnswerError: The sheet is malformed, has an image twice or one that was not drawn, or names what is not known.
    """
    found: dict[str, dict[str, Value]] = {}
    for where, row in _rows(read_file(path), path):
        image = row.get("image_id", "").strip()
        if image not in labels:
            raise AnswerError(f"{path}: {where}: {image!r:.80} is no image of the sample that was drawn last")
        if image in found:
            raise AnswerError(f"{path}: {where}: {image} stands in the sheet twice")
        found[image] = {}
        for level in LEVELS:
            cell = row.get(TRUE[level], "").strip()
            if not cell or labels[image][level] is None:
                continue
            try:
                found[image][level] = _value(cell, level, labels[image][level], taxonomy)
            except ValueError as error:
                raise AnswerError(f"{path}: {where}: {TRUE[level]}: {error}") from error
    return found


def _value(cell: str, level: str, label: Value, taxonomy: Taxonomy | None) -> Value:
    if cell.casefold() == OK:
        return label
    names = [] if cell.casefold() == NONE else [name.strip() for name in cell.split(";") if name.strip()]
    if problem := next(filter(None, map(name_problem, names)), None):
        raise ValueError(problem)
    if level in {"global", "local"}:
        if taxonomy is not None and (problem := taxonomy.unknown(names, local=level == "local")):
            raise ValueError(problem)
        return frozenset(names)
    if len(names) > 1 or (level == "panel_type" and (not names or names[0] not in PANEL_TYPES)):
        words = ", ".join((OK, *PANEL_TYPES)) if level == "panel_type" else f"{OK}, {NONE} or one name"
        raise ValueError(f"{cell!r:.80} is not {words}")
    return names[0] if names else None


def _rows(data: bytes, path: StrPath) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnswerError(f"{path}: not UTF-8 text: at byte {error.start}") from error
    if not text.lstrip().startswith("{"):
        header = text.lstrip().partition("\n")[0]
        if "image_id" not in header:
            raise AnswerError(f"{path}: not the sheet of an audit: its header has no image_id")
        yield from _csv.cells(text, path)
        return
    try:
        rows: Any = json.loads(text).get("audit")
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"{path}: not JSON: {error}") from error
    if not isinstance(rows, list):
        raise AnswerError(f"{path}: not the sheet of an audit: it has no list `audit`")
    for number, row in enumerate(rows):
        where = f"row {number}"
        if not isinstance(row, dict):
            raise AnswerError(f"{path}: {where}: not an object")
        cells = {name: row.get(name, "") for name in ("image_id", *TRUE.values())}
        cells |= {name: ";".join(map(str, cell)) or NONE for name, cell in cells.items() if isinstance(cell, list)}
        if not all(isinstance(cell, str) for cell in cells.values()):
            raise AnswerError(f"{path}: {where}: a cell is neither a text nor a list of texts")
        yield where, cells

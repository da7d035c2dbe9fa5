"""`labels/labels.json`: what the labels of a dataset come from."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from biomedica._storage import Storage
from biomedica.concepts.propagate import FOLDER, Labels
from biomedica.concepts.votes import LEVELS, Value, plain
from biomedica.exceptions import DatasetError

__all__ = ["FORMAT", "RECORD", "as_json", "digest", "dumped", "labels_of", "read_json", "read_record", "write_json"]

FORMAT = 1
RECORD = f"{FOLDER}/labels.json"


def read_record(storage: Storage) -> dict[str, Any] | None:
    """The record; None when there is none, or none that this version writes."""
    record = read_json(storage, RECORD)
    return record if record is not None and isinstance(record.get("labels"), dict) else None


def read_json(storage: Storage, path: str) -> dict[str, Any] | None:
    """The object in a file; None when there is none, or none of this version's format."""
    try:
        value = json.loads(storage.read(path) or b"null")
    except (ValueError, RecursionError):
        return None
    except OSError as error:
        raise DatasetError(f"{storage.location(path)}: cannot be read: {error.strerror or error}") from error
    return value if isinstance(value, dict) and value.get("format") == FORMAT else None


def write_json(storage: Storage, path: str, value: object) -> None:
    """Write a value as JSON, whole or not at all."""
    storage.write(path, dumped(value))


def dumped(value: object) -> bytes:
    """A value as JSON for people and programs."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def digest(value: object) -> str:
    """The sha-256 of a value that JSON has."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def as_json(labels: Labels) -> dict[str, dict[str, Any]]:
    """Labels as the record has them."""
    return {
        str(cluster): {level: plain(values[level]) for level in LEVELS} for cluster, values in sorted(labels.items())
    }


def labels_of(storage: Storage, record: Mapping[str, Any]) -> dict[int, dict[str, Value]]:
    """The labels that a record has.

    Raises:
        DatasetError: They are not what this version writes.
    """
    try:
        return {
            int(cluster): {level: _value(values[level]) for level in LEVELS}
            for cluster, values in record["labels"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{storage.location(RECORD)}: damaged; label the dataset again") from error


def _value(value: object) -> Value:
    if isinstance(value, list):
        return frozenset(map(str, value))
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{value!r} is no label")

"""Files of the experts, wherever they lie: read within a limit, written whole or not at all."""

import contextlib
import os

from biomedica._sources import StrPath
from biomedica._storage import Storage, storage
from biomedica.exceptions import AnswerError, SourceNotFoundError

__all__ = ["MOST_BYTES", "read_file", "refuse_existing", "write_file"]

MOST_BYTES = 64 << 20
"""What a file may have; two thousand clusters judged by eight experts take five million bytes."""


def read_file(path: StrPath) -> bytes:
    """All of a file at a path or URL.

    Raises:
        SourceNotFoundError: There is none.
        AnswerError: It cannot be read, or has more than `MOST_BYTES`.
    """
    files, name = _place(path)
    try:
        data = files.read_at(name, 0, MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"{path}: there is no such file") from error
    except OSError as error:
        raise AnswerError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise AnswerError(f"{path}: larger than {MOST_BYTES >> 20} MiB, which no file of answers is")
    return data


def write_file(path: StrPath, data: bytes) -> None:
    """Write a file at a path or URL, in the place of one that may be there.

    Raises:
        DatasetError: It cannot be written.
    """
    files, name = _place(path)
    files.write(name, data)


def refuse_existing(path: StrPath) -> None:
    """Keep a file that somebody may have filled in.

    Raises:
        ValueError: There is a file.
    """
    files, name = _place(path)
    with contextlib.suppress(FileNotFoundError):
        files.read_at(name, 0, 1)
        raise ValueError(f"{path}: is there already, and may be filled in; name another file")


def _place(path: StrPath) -> tuple[Storage, str]:
    text = os.fspath(path)
    if "://" in text:
        folder, _, name = text.rpartition("/")
        return storage(folder), name
    return storage(os.path.dirname(text) or "."), os.path.basename(text)  # noqa: PTH119, PTH120 - a path or a URL

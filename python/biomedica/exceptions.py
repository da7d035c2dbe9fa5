"""Every exception that this library raises on purpose.

`BiomedicaError` is the base: catch it to handle whatever input or disk can do. Where Python has an exception of its
own that fits (`FileNotFoundError`), the class is that too. A wrong argument is a plain `ValueError` or `TypeError`.
Messages name the source, the member and the byte offset, as far as they are known.

What concerns one article never raises while many are read: it becomes a row of the failures table.
"""

__all__ = [
    "AnswerError",
    "ArchiveError",
    "BiomedicaError",
    "DatasetError",
    "EvaluationError",
    "ModelError",
    "SourceError",
    "SourceNotFoundError",
    "TaskError",
    "TrainingError",
    "XmlError",
]


class BiomedicaError(Exception):
    """Base of all errors of this library.

    Its attributes have for programs what the message says for people, as far as the core knew it.
    """

    stage: str | None = None
    """The step that failed, one of `biomedica.STAGES`."""
    reason: str | None = None
    """Why, one of `biomedica.REASONS`."""
    source: str | None = None
    """The path in which it happened."""
    member: str | None = None
    """The member of that package."""
    offset: int | None = None
    """The byte at which it happened."""


class SourceError(BiomedicaError):
    """A source of packages cannot be read at all: permission, I/O, or a path of no known form."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is nothing at the path of a source or a dataset."""


class ArchiveError(BiomedicaError):
    """A package is damaged, unsafe or beyond a limit: gzip, tar, or the size of a member."""


class XmlError(BiomedicaError):
    """A document is no readable JATS article: malformed, nested too deep, or without an `article` element.

    Of `enrich`: an answer is not PubMed's, or breaks off.
    """


class DatasetError(BiomedicaError):
    """A dataset cannot be written or opened: full disk, other options than before, or files that do not fit."""


class AnswerError(BiomedicaError):
    """What experts said cannot be taken in: a file of answers, a taxonomy or a sheet is malformed or does not fit."""


class ModelError(BiomedicaError):
    """A model of features or clusters cannot be had, or does not fit: unknown name, missing weights, other features."""


class TaskError(BiomedicaError):
    """A task of evaluation is malformed, its data are missing or do not fit it: the message names file and key, or row."""


class EvaluationError(BiomedicaError):
    """Models cannot be judged, or what an evaluation wrote cannot be read: partial data, damaged files, other tasks."""


class TrainingError(BiomedicaError):
    """A training run cannot begin or go on: weights that cannot be had, a checkpoint that does not fit, a loss that is no number."""

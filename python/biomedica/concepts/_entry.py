"""The fields of an answer as files have them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from biomedica.exceptions import AnswerError

if TYPE_CHECKING:
    from biomedica.concepts.answers import Answer

__all__ = ["FIELDS", "LISTS", "Format", "check_clusters", "fields_of", "in_papers_form", "parsed"]

Format = Literal["json", "labels", "csv", "label-studio"]
FIELDS = (
    "cluster", "expert", "panel_type", "panel_subtype", "global", "local", "ambiguous", "notes", "seconds", "at",
)  # fmt: skip
"""The names in files, in their order."""
LISTS = ("global", "local")
ATTRIBUTES = {"global": "global_concepts", "local": "local_concepts"}
"""Of those whose name in files is not the attribute's."""


def fields_of(answer: "Answer") -> dict[str, Any]:
    """An answer by the names of files."""
    found = {name: getattr(answer, ATTRIBUTES.get(name, name)) for name in FIELDS}
    found |= {name: list(found[name]) for name in LISTS}
    if answer.at is not None:
        found["at"] = answer.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return found


def in_papers_form(
    panel_type: object, panel_subtype: object, global_concepts: Iterable[str], local_concepts: Iterable[str]
) -> dict[str, Any]:
    """What is settled of a cluster, as `cluster_labels.json` has it."""
    return {
        "panel_type": panel_type,
        "panel_subtype": panel_subtype,
        "global_class": sorted(global_concepts),
        "local_class": sorted(local_concepts),
    }


def parsed(entry: object) -> dict[str, Any]:
    """The arguments of an `Answer`; what they hold is not checked yet, but for the moment.

    Raises:
        ValueError: It is no object of known fields, or lacks one that every answer has.
    """
    if not isinstance(entry, Mapping):
        raise ValueError("not an object with the fields of an answer")  # noqa: TRY004 - it is the file that is wrong
    unknown = entry.keys() - set(FIELDS)
    if unknown:
        raise ValueError(f"no field is called {min(map(str, unknown))!r:.80}; there are {', '.join(FIELDS)}")
    missing = {"cluster", "expert", "panel_type"} - entry.keys()
    if missing:
        raise ValueError(f"no {', '.join(sorted(missing))}")
    found = {ATTRIBUTES.get(str(name), str(name)): value for name, value in entry.items()}
    found["at"] = _moment(entry.get("at"))
    return found


def check_clusters(said: object, wanted: str | None, where: str) -> None:
    """Take no answers about other clusters for these, which have the same numbers.

    Raises:
        AnswerError: What a file says it is about is another name.
    """
    if wanted is not None and said is not None and said != wanted:
        raise AnswerError(f"{where}: the answers are about the clusters {said!r:.80}, not {wanted!r}")


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        if isinstance(text, str):
            moment = datetime.fromisoformat(text)
            # What is out of a calendar's range in UTC is no moment either.
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"at: {text!r:.40} is not a moment such as 2026-11-26T10:00:00Z")

"""What to say of a name that is not known."""

import difflib
from collections.abc import Iterable, Mapping

__all__ = ["near", "unknown_column"]


def near(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """`; did you mean …?` with the known word that is most alike, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {found[0]}?" if found else ""


def unknown_column(rule: str, name: str, there: Mapping[str, object], absent: Mapping[str, str]) -> str:
    """Of a rule that names a column that is not there: what to do, or which it may mean."""
    if name in absent:
        return f"{rule}: there is no column {name}: {absent[name]}"
    suggestion = near(name, [*there, *absent]) or f"; there are {', '.join(there)}"
    return f"{rule}: there is no column {name}{suggestion}"

"""Which cluster an expert is to judge next."""

import hashlib
from collections.abc import Mapping, Sequence

from biomedica.web.annotate.ledger import Ledger, State

__all__ = ["after", "queue_of"]


def queue_of(ledger: Ledger, expert: str, per_cluster: int | None = None) -> list[int]:
    """The clusters that an expert is to judge, in an order that is the expert's own and stays.

    So experts who stop early have not all judged the same clusters, and what many pages in a row do to the eye falls on
    other clusters for each.

    Args:
        ledger: What was answered.
        expert: Whose queue it is.
        per_cluster: Clusters that so many others have judged are left out; None for all clusters.
    """
    numbers = ledger.numbers()
    if per_cluster is not None:
        judges = ledger.judges()
        numbers = [number for number in numbers if len(judges.get(number, set()) - {expert}) < per_cluster]
    # A hash, as the order of a library's random numbers changes with its version.
    return sorted(numbers, key=lambda number: hashlib.sha256(f"{expert}\0{number}".encode()).digest())


def after(queue: Sequence[int], states: Mapping[int, State]) -> int | None:
    """The next cluster: the first that was not seen, else the one that was skipped first; None when all are answered."""
    unseen = next((number for number in queue if number not in states), None)
    if unseen is not None:
        return unseen
    skipped = [number for number in queue if states[number].kind == "skip"]
    return min(skipped, key=lambda number: states[number].at, default=None)

"""Votes: of each cluster and level, what most of its experts say.

A value of the panel type or subtype, and each concept of the global and local ones, has the majority when more than
half of those who vote on the level give it. Votes on the subtype are those of the experts whose panel type has the
majority; none is a value there. A level is disputed when no panel type or subtype has the majority; when just half of
the experts give a concept; or when each gives concepts and no concept has the majority.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from biomedica.concepts.answers import Answer

__all__ = ["LEVELS", "TITLES", "Cluster", "Value", "Verdict", "plain", "settle", "value_of"]

Value: TypeAlias = str | frozenset[str] | None
TITLES = {
    "panel_type": "panel type",
    "panel_subtype": "panel subtype",
    "global": "global concepts",
    "local": "local concepts",
}
LEVELS = tuple(TITLES)
"""The levels at which experts vote; `TITLES` are their names for people."""
_VALUES: dict[str, Callable[[Answer], Value]] = {
    "panel_type": lambda answer: answer.panel_type,
    "panel_subtype": lambda answer: answer.panel_subtype,
    "global": lambda answer: answer.global_votes,
    "local": lambda answer: answer.local_votes,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the experts of one cluster say at one level."""

    settled: bool
    value: Value
    """What is settled; None for a panel type that nobody gave (all say ambiguous) and where nothing is settled."""
    votes: dict[str, int]
    """Votes for each value or concept, the most first; no subtype is `none`."""
    voters: int
    dissent: float
    """Share of the voters who say something else than most: another value, or another set than the concepts that have
    the majority."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster with its answers and what comes of them."""

    number: int
    answers: tuple[Answer, ...]
    """Of those who vote."""
    verdicts: dict[str, Verdict]
    """By level; none while there are too few answers."""

    @property
    def disputed(self) -> list[str]:
        """The levels at which nothing is settled."""
        return [level for level, verdict in self.verdicts.items() if not verdict.settled]

    @property
    def settled(self) -> bool:
        """Whether every level is settled."""
        return bool(self.verdicts) and not self.disputed

    def value(self, level: str) -> Value:
        """What is settled at a level; None where nothing is."""
        return self.verdicts[level].value if self.verdicts else None


def value_of(answer: Answer, level: str) -> Value:
    """What an answer says at a level."""
    return _VALUES[level](answer)


def plain(value: Value) -> str | list[str] | None:
    """A value as tables and JSON have it: concepts in alphabetical order."""
    return sorted(value) if isinstance(value, frozenset) else value


def settle(answers: Iterable[Answer], *, min_votes: int = 1, referee: str | None = None) -> list[Cluster]:
    """The clusters of these answers, one an expert and cluster, sorted by cluster, with their verdicts.

    The referee's answer is no vote: it stands at the levels at which the others are in dispute.
    """
    found = []
    for number, group in groupby(answers, lambda answer: answer.cluster):
        given = list(group)
        voting = tuple(answer for answer in given if answer.expert != referee)
        referees = next((answer for answer in given if answer.expert == referee), None)
        enough = voting and len(voting) >= min_votes
        found.append(Cluster(number, voting, _verdicts(voting, referees) if enough else {}))
    return found


def _verdicts(answers: Sequence[Answer], referees: Answer | None) -> dict[str, Verdict]:
    given = [answer for answer in answers if answer.panel_type is not None]
    if given:
        panel = _refereed(_of_values([answer.panel_type for answer in given]), referees, "panel_type")
        same = [answer for answer in given if answer.panel_type == panel.value] if panel.settled else []
        # Where the referee chose a panel type that nobody else gave, the subtype is the referee's too.
        subtype = _refereed(_of_values([answer.panel_subtype for answer in same]), referees, "panel_subtype")
    else:
        panel = subtype = Verdict(True, None, {}, 0, 0.0)  # all leave it open, which is agreement too
    sets = {
        level: _refereed(_of_sets([frozenset(_VALUES[level](answer) or ()) for answer in answers]), referees, level)
        for level in ("global", "local")
    }
    return {"panel_type": panel, "panel_subtype": subtype, **sets}


def _refereed(verdict: Verdict, referees: Answer | None, level: str) -> Verdict:
    if verdict.settled or referees is None:
        return verdict
    return Verdict(True, value_of(referees, level), verdict.votes, verdict.voters, verdict.dissent)


def _of_values(values: Sequence[str | None]) -> Verdict:
    votes = Counter(values)
    if not votes:
        return Verdict(False, None, {}, 0, 0.0)
    value, most = votes.most_common(1)[0]
    named = {name or "none": count for name, count in votes.most_common()}
    settled = 2 * most > len(values)
    return Verdict(settled, value if settled else None, named, len(values), 1 - most / len(values))


def _of_sets(sets: Sequence[frozenset[str]]) -> Verdict:
    votes = Counter(name for names in sets for name in sorted(names))
    majority = frozenset(name for name, count in votes.items() if 2 * count > len(sets))
    tied = any(2 * count == len(sets) for count in votes.values())
    scattered = not majority and all(sets)
    dissent = sum(names != majority for names in sets) / len(sets)
    settled = not tied and not scattered
    return Verdict(settled, majority if settled else None, dict(votes.most_common()), len(sets), dissent)

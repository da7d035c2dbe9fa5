"""An expert's form: the concepts to choose from, and what came back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from biomedica.concepts.answers import Answer
from biomedica.concepts.taxonomy import AMBIGUOUS, Taxonomy, name_problem

__all__ = ["Group", "answer_of", "groups", "proposals_of"]


class Fields(Protocol):
    """What a form sends: several values of a name."""

    def getlist(self, key: str) -> Sequence[object]:
        """All values of a name."""


@dataclass(frozen=True, slots=True)
class Group:
    """A global concept with its local ones, as a form offers it."""

    name: str
    proposed: bool
    local: tuple[tuple[str, bool], ...]
    """Each local concept, and whether it was proposed."""


def groups(taxonomy: Taxonomy, proposals: Iterable[tuple[str, str]]) -> list[Group]:
    """What can be chosen: the taxonomy, and what experts proposed.

    `Ambiguous` is no choice: a form has a box of its own for it.
    """
    found = {name: dict.fromkeys(local, False) for name, local in taxonomy.groups.items() if name != AMBIGUOUS[0]}
    known = set(found)
    for name, local in proposals:
        offered = found.setdefault(name, {})
        if local:
            offered.setdefault(local, True)
    return [Group(name, name not in known, tuple(local.items())) for name, local in found.items()]


def answer_of(form: Fields, cluster: int, expert: str) -> Answer:
    """The answer that a form says.

    Raises:
        ValueError: It says too little, or what no answer can say.
    """
    chosen = {name: _chosen(form, name) for name in ("global", "local")}
    ambiguous = bool(form.getlist("ambiguous"))
    panel_type = _one(form, "panel_type") or None
    if panel_type is None and not ambiguous:
        raise ValueError("choose single or multi panel, or say that the cluster is ambiguous")
    if not chosen["global"] and not ambiguous:
        raise ValueError("choose a global concept, or say that the cluster is ambiguous")
    for names in chosen.values():
        for name in names:
            if problem := name_problem(name):
                raise ValueError(problem)
    return Answer(
        cluster,
        expert,
        panel_type,
        _one(form, "panel_subtype") or None,
        chosen["global"],
        chosen["local"],
        ambiguous,
        _one(form, "notes").replace("\r\n", "\n"),
        _seconds(_one(form, "seconds")),
    )


def proposals_of(answer: Answer, known: Sequence[Group], where: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The concepts of an answer that are not offered yet: global and local, or a global and nothing.

    Args:
        answer: Whose concepts they are.
        known: What is offered.
        where: Of local concepts, the global one for which they were proposed, as `global;local`; others are taken to
            belong to the answer's first.
    """
    told = {local: group for group, _, local in (text.partition(";") for text in where)}
    offered = {group.name for group in known}
    names = {name for group in known for name, _ in group.local} | {AMBIGUOUS[1]}
    found = [(name, "") for name in answer.global_concepts if name not in offered and name != AMBIGUOUS[0]]
    for name in answer.local_concepts:
        group = told.get(name, "")
        if group not in answer.global_concepts:
            group = next(iter(answer.global_concepts), "")
        if name not in names and group:
            found.append((group, name))
    return found


def _chosen(form: Fields, name: str) -> tuple[str, ...]:
    """The boxes that were ticked, and what was typed into the field for a new concept."""
    typed = " ".join(_one(form, f"new_{name}").split())
    return tuple(dict.fromkeys([*map(str, form.getlist(name)), *([typed] if typed else [])]))


def _one(form: Fields, name: str) -> str:
    return str(next(iter(form.getlist(name)), "")).strip()


def _seconds(text: str) -> float | None:
    """What the page's clock said; nothing where it did not run."""
    try:
        seconds = round(float(text), 1)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None

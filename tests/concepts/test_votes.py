"""Votes: what most experts say of a cluster, and when nobody can tell."""

import pytest

from biomedica.concepts.answers import Answer
from biomedica.concepts.votes import Cluster, settle, value_of

MICRO, PLOTS, MAPS = "Microscopy", "Plots and Charts", "Maps"


def cluster(*answers: Answer, min_votes: int = 1, referee: str | None = None) -> Cluster:
    (found,) = settle(answers, min_votes=min_votes, referee=referee)
    return found


def said(
    expert: str, *concepts: str, panel: str | None = "single", subtype: str | None = None, ambiguous: bool = False
) -> Answer:
    return Answer(7, expert, panel, subtype, concepts, ambiguous=ambiguous)


def test_what_more_than_half_say_is_settled() -> None:
    found = cluster(said("a", MICRO), said("b", MICRO, PLOTS), said("c", MAPS, panel="multi"))
    assert found.settled
    assert found.value("panel_type") == "single"
    assert found.value("global") == frozenset({MICRO})
    assert found.value("local") == frozenset()
    assert found.verdicts["panel_type"].votes == {"single": 2, "multi": 1}
    assert found.verdicts["global"].votes == {MICRO: 2, PLOTS: 1, MAPS: 1}
    assert found.verdicts["panel_type"].dissent == pytest.approx(1 / 3)
    assert found.verdicts["global"].dissent == pytest.approx(2 / 3)
    assert found.verdicts["local"].dissent == 0


def test_half_is_a_tie_and_a_tie_is_a_dispute() -> None:
    found = cluster(said("a", MICRO), said("b", MICRO, PLOTS, panel="multi"))
    assert found.disputed == ["panel_type", "panel_subtype", "global"]
    assert (found.value("panel_type"), found.value("global"), found.settled) == (None, None, False)


def test_the_most_votes_alone_are_no_majority() -> None:
    answers = [said(name, subtype=word) for name, word in zip("abcd", ["x", "x", "y", None], strict=True)]
    assert cluster(*answers).disputed == ["panel_subtype"]
    assert cluster(*answers).verdicts["panel_subtype"].votes == {"x": 2, "y": 1, "none": 1}


def test_concepts_without_any_majority_are_a_dispute_unless_some_expert_gives_none() -> None:
    assert cluster(said("a", MICRO), said("b", PLOTS), said("c", MAPS)).disputed == ["global"]
    assert cluster(said("a", MICRO), said("b"), said("c")).value("global") == frozenset()


def test_votes_on_the_subtype_are_those_of_the_winning_panel_type() -> None:
    found = cluster(
        said("a", panel="multi", subtype="grid"),
        said("b", panel="multi", subtype="grid"),
        said("c", panel="multi", subtype="row"),
        said("d", subtype="row"),
        said("e", subtype="row"),
    )
    assert found.value("panel_subtype") == "grid"
    assert found.verdicts["panel_subtype"].voters == 3


def test_ambiguous_is_a_concept_like_others_and_no_panel_type_is_no_vote() -> None:
    unsure = [said(name, panel=None, ambiguous=True) for name in "ab"]
    found = cluster(*unsure, said("c", MICRO))
    assert found.value("global") == frozenset({"Ambiguous"})
    assert found.value("local") == frozenset({"ambiguous"})
    assert found.value("panel_type") == "single"
    assert found.verdicts["panel_type"].voters == 1
    alone = cluster(*unsure)
    assert alone.settled
    assert alone.value("panel_type") is None


def test_a_referee_decides_disputes_and_nothing_else() -> None:
    experts = (said("a", MICRO), said("b", PLOTS, panel="multi", subtype="grid"))
    referee = said("r", PLOTS, MAPS, panel="multi", subtype="row")
    found = cluster(*experts, referee, referee="r")
    assert found.settled
    assert found.value("panel_type") == "multi"
    assert found.value("panel_subtype") == "grid"
    assert found.value("global") == frozenset({PLOTS, MAPS})
    assert found.verdicts["global"].voters == 2
    agreed = cluster(said("a", MICRO), said("b", MICRO), referee, referee="r")
    assert agreed.value("global") == frozenset({MICRO})
    assert not cluster(referee, referee="r").settled


def test_too_few_answers_settle_nothing() -> None:
    found = cluster(said("a", MICRO), min_votes=2)
    assert not found.settled
    assert found.disputed == []
    assert found.value("global") is None


def test_values_of_levels_are_those_of_answers() -> None:
    answer = Answer(1, "a", "multi", "grid", (MICRO,), ("brain",), ambiguous=True)
    assert value_of(answer, "panel_subtype") == "grid"
    assert value_of(answer, "local") == frozenset({"brain", "ambiguous"})

"""Experts: how far they agree at each level, and who differs."""

import pytest

from biomedica.concepts.agreement import Estimate
from biomedica.concepts.answers import Answer
from biomedica.concepts.experts import agreement_of, experts_of
from biomedica.concepts.strata import wilson
from biomedica.concepts.votes import settle

MICRO, TABLES, MAPS = "Microscopy", "Tables", "Maps"


def said(cluster: int, expert: str, panel: str | None, *concepts: str, subtype: str | None = None) -> Answer:
    return Answer(cluster, expert, panel, subtype, concepts, ambiguous=panel is None)


# Three experts, four clusters; `cy` is of another mind in the first two.
ANSWERS = [
    said(1, "ana", "single", MICRO), said(1, "bo", "single", MICRO), said(1, "cy", "multi", TABLES),
    said(2, "ana", "multi", TABLES, subtype="grid"), said(2, "bo", "multi", TABLES, subtype="grid"), said(2, "cy", "multi", MAPS),
    said(3, "ana", "single", MICRO), said(3, "bo", "single", MICRO), said(3, "cy", "single", MICRO),
    said(4, "ana", "single", MAPS), said(4, "bo", "multi", MAPS),
]  # fmt: skip


def test_agreement_at_each_level_is_as_worked_out_by_hand() -> None:
    found = agreement_of(settle(ANSWERS), samples=50)
    # Panel types: single 2 multi 1; multi 3; single 3; single 1 multi 1. Alpha: D_o = (2 * 2/2 + 2)/11 = 4/11, of eleven
    # values six are single: D_e = 2 * 6 * 5/(11 * 10) = 6/11; 1 - 4/6.
    assert found["panel_type"].alpha.value == pytest.approx(1 / 3)
    # Kappa: agreement (1/3 + 1 + 1 + 0)/4 = 7/12; mean share of single (2/3 + 0 + 1 + 1/2)/4 = 13/24.
    chance = (13 / 24) ** 2 + (11 / 24) ** 2
    assert found["panel_type"].kappa.value == pytest.approx((7 / 12 - chance) / (1 - chance))
    assert found["panel_type"].dissent == {0: 2, 0.333333: 1, 0.5: 1}
    # Subtypes: none, none; grid, grid, none; none three times; the fourth cluster has no panel type. D_o = 2/8 (two of
    # six pairs differ, over n - 1 = 2), D_e = 2 * 2 * 6/(8 * 7) = 3/7.
    assert found["panel_subtype"].clusters == 3
    assert found["panel_subtype"].alpha.value == pytest.approx(1 - (2 / 8) / (3 / 7))
    # Global: sets of one concept, which are equal or disjoint: Micro 2 Tables 1; Tables 2 Maps 1; Micro 3; Maps 2.
    # D_o = (2 + 2)/11; of 11 values Micro 5, Tables 3, Maps 3: D_e = 2 * (15 + 15 + 9)/110.
    assert found["global"].alpha.value == pytest.approx(1 - (4 / 11) / (78 / 110))
    assert found["global"].dissent == {0: 2, 0.333333: 2}
    # Nobody gave a local concept: there is nothing but one value.
    assert found["local"].alpha == found["local"].kappa == Estimate(None, None, None)
    assert found["local"].dissent == {0: 4}


def test_whom_the_others_do_not_follow_stands_out() -> None:
    ana, bo, cy = experts_of(settle(ANSWERS))
    assert [expert.name for expert in (ana, bo, cy)] == ["ana", "bo", "cy"]
    assert (ana.clusters, cy.clusters) == (4, 3)
    # Settled: Micro, Tables, Micro, Maps; cy has one of the three.
    assert cy.with_settled["global"] == wilson(1, 3)
    assert ana.with_settled["global"] == wilson(4, 4)
    # What ana and bo settle alone, cy says in one of three; what bo and cy settle is clusters 3 (the first two are ties) and
    # bo's word on 4, and ana says just that.
    assert cy.with_others["global"] == wilson(1, 3)
    assert ana.with_others["global"] == wilson(2, 2)
    # Panel types settled without ana: 2 (multi), 3 (single) and 4 (bo: multi).
    assert ana.with_others["panel_type"] == wilson(2, 3)
    # Subtypes are compared where the panel type is the same.
    assert cy.with_settled["panel_subtype"] == wilson(1, 2)


def test_an_expert_alone_has_nobody_to_agree_with() -> None:
    clusters = settle([said(1, "ana", "single", MICRO)])
    assert agreement_of(clusters)["global"].clusters == 0
    assert agreement_of(clusters)["global"].alpha == Estimate(None, None, None)
    (ana,) = experts_of(clusters)
    assert ana.with_others["global"] == Estimate(None, None, None)
    assert ana.with_settled["global"] == wilson(1, 1)


def test_where_all_leave_the_panel_type_open_there_is_no_vote_on_it() -> None:
    clusters = settle([said(1, "ana", None), said(1, "bo", None)])
    found = agreement_of(clusters)
    assert found["panel_type"].clusters == found["panel_subtype"].clusters == 0
    assert found["global"].clusters == 1

"""What the answers say of the experts: how far they agree at each level, and who differs from the others."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biomedica.concepts.agreement import Estimate, alpha, bootstrap, counted, kappa, masi, pooled_kappa
from biomedica.concepts.answers import Answer
from biomedica.concepts.strata import wilson
from biomedica.concepts.votes import LEVELS, Cluster, settle, value_of

__all__ = ["Agreement", "Expert", "agreement_of", "experts_of"]

SETS = ("global", "local")
"""The levels at which an answer is a set of concepts."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the experts agree at one level, over the clusters with at least two votes there."""

    clusters: int
    """Those clusters."""
    alpha: Estimate
    """Krippendorff's alpha: of nominal values for panel types and subtypes, with MASI distances for sets of concepts."""
    kappa: Estimate
    """Fleiss' kappa of panel types and subtypes; for concepts it is pooled over all that anybody gave."""
    dissent: dict[float, int]
    """Clusters by the share of their voters who say something else than most, in ascending order."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "clusters": self.clusters,
            "alpha": self.alpha.as_dict(),
            "kappa": self.kappa.as_dict(),
            "dissent": {f"{share:g}": count for share, count in self.dissent.items()},
        }


@dataclass(frozen=True, slots=True)
class Expert:
    """How often one expert says what is settled, and what the others say."""

    name: str
    clusters: int
    """Clusters that the expert judged."""
    with_settled: dict[str, Estimate]
    """By level: the share of the clusters settled there at which the expert says just that. The expert's own vote had a
    part in it. Intervals are Wilson's."""
    with_others: dict[str, Estimate]
    """The same for what the others alone would have settled: low where an expert differs from all others."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        both = {"with_settled": self.with_settled, "with_others": self.with_others}
        shares = {name: {level: share.as_dict() for level, share in found.items()} for name, found in both.items()}
        return {"clusters": self.clusters, **shares}


def agreement_of(
    clusters: Sequence[Cluster], *, samples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> dict[str, Agreement]:
    """Agreement at each level, with bootstrap intervals over clusters."""
    interval = partial(bootstrap, samples=samples, confidence=confidence, seed=seed)
    return {level: _agreement(clusters, level, interval) for level in LEVELS}


def experts_of(clusters: Sequence[Cluster], *, confidence: float = 0.95) -> list[Expert]:
    """Each expert who voted, by name."""
    judged = [cluster for cluster in clusters if cluster.verdicts]
    names = sorted({answer.expert for cluster in judged for answer in cluster.answers})
    return [_expert(name, judged, confidence) for name in names]


def _agreement(clusters: Sequence[Cluster], level: str, interval: Callable[..., Estimate]) -> Agreement:
    voted = [cluster for cluster in clusters if cluster.verdicts and cluster.verdicts[level].voters > 1]
    verdicts = [cluster.verdicts[level] for cluster in voted]
    shares = Counter(round(verdict.dissent, 6) for verdict in verdicts)
    if level in SETS:
        sets = [[_set(answer, level) for answer in cluster.answers] for cluster in voted]
        counts, values = counted(sets)
        distance = masi([value for value in values if isinstance(value, frozenset)])
        first, second = partial(alpha, counts, distance=distance), partial(pooled_kappa, *_marks(sets))
    else:
        counts, _ = counted([list(Counter(verdict.votes).elements()) for verdict in verdicts])
        first, second = partial(alpha, counts), partial(kappa, counts)
    units = len(voted)
    return Agreement(units, interval(first, units), interval(second, units), dict(sorted(shares.items())))


def _marks(sets: Sequence[Sequence[frozenset[str]]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each cluster: how many gave each concept [U, C], and how many experts there were [U]."""
    marks, _ = counted([[name for names in of_cluster for name in sorted(names)] for of_cluster in sets])
    return marks, np.array([len(of_cluster) for of_cluster in sets], np.float64)


def _expert(name: str, clusters: Sequence[Cluster], confidence: float) -> Expert:
    own = [cluster for cluster in clusters if any(answer.expert == name for answer in cluster.answers)]
    others = settle(answer for cluster in own for answer in cluster.answers if answer.expert != name)
    return Expert(
        name,
        len(own),
        {level: _share(name, own, {c.number: c for c in own}, level, confidence) for level in LEVELS},
        {level: _share(name, own, {c.number: c for c in others}, level, confidence) for level in LEVELS},
    )


def _share(name: str, own: Sequence[Cluster], said: dict[int, Cluster], level: str, confidence: float) -> Estimate:
    """How often an expert says what is settled in `said`. Subtypes of another panel type are not compared."""
    same = []
    for cluster in own:
        verdicts = said[cluster.number].verdicts if cluster.number in said else {}
        answer = next(answer for answer in cluster.answers if answer.expert == name)
        if not verdicts or not verdicts[level].settled:
            continue
        panel = verdicts["panel_type"].value
        if (level == "panel_type" and answer.panel_type is None and panel is not None) or (
            level == "panel_subtype" and answer.panel_type != panel
        ):
            continue
        same.append(value_of(answer, level) == verdicts[level].value)
    return wilson(sum(same), len(same), confidence)


def _set(answer: Answer, level: str) -> frozenset[str]:
    value = value_of(answer, level)
    return value if isinstance(value, frozenset) else frozenset()

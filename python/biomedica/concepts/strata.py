"""Shares of a whole that is sampled in strata: how many to draw of each, and what the sample says of the whole.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209, for
the interval of one share. G. Y. Zou, W. Huang, X. Zhang, "A note on confidence interval estimation for a linear
function of binomial proportions", Computational Statistics & Data Analysis 53 (2009) 1080, for that of a weighted sum
of shares: it is made of each share's own limits, so that it holds where a stratum has no errors at all. W. G. Cochran,
*Sampling Techniques*, 3rd ed. (1977), ch. 5, for the sum and for proportional allocation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from biomedica.concepts.agreement import Estimate

__all__ = ["Checked", "allocate", "combined", "wilson"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of one stratum."""

    size: int
    """Images of the stratum."""
    checked: int
    """Those that were drawn and checked."""
    wrong: int
    """Those of them that are wrong."""


def wilson(count: int, total: int, confidence: float = 0.95) -> Estimate:
    """A share with Wilson's interval; nothing where there is nothing to count."""
    if not total:
        return Estimate(None, None, None)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, square = count / total, z * z / total
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * (share * (1 - share) / total + square / (4 * total)) ** 0.5
    # Rounding must not leave the share itself outside.
    return Estimate(share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def allocate(sizes: Mapping[str, int], images: int, floor: int) -> dict[str, int]:
    """How many images to draw of each stratum: a floor of each, and the rest in proportion to what is left of them.

    Small strata are drawn whole. When the floor of all is more than what is to be drawn, it is lowered until it is not.

    Raises:
        ValueError: There are more strata than images to be drawn.
    """
    names = [name for name, size in sizes.items() if size]
    if len(names) > images:
        raise ValueError(f"{images} images are too few: there are {len(names)} strata, and each needs one")
    whole = np.array([sizes[name] for name in names], np.int64)
    while floor > 1 and np.minimum(whole, floor).sum() > images:
        floor -= 1
    drawn = np.minimum(whole, max(floor, 1))
    left = whole - drawn
    free = min(images - int(drawn.sum()), int(left.sum()))
    if free > 0:
        more, remainders = np.divmod(free * left, left.sum())
        # What rounding leaves goes to the largest remainders, of equal ones to the first.
        more[np.argsort(-remainders, kind="stable")[: free - more.sum()]] += 1
        drawn += more
    return dict(zip(names, map(int, drawn), strict=True))


def combined(strata: Sequence[Checked], confidence: float = 0.95) -> Estimate:
    """The share that is wrong of all images of the strata, each checked at random; those without a check are left out.

    A stratum that was checked whole adds nothing to the interval.
    """
    known = [stratum for stratum in strata if stratum.checked and stratum.size]
    total = sum(stratum.size for stratum in known)
    if not total:
        return Estimate(None, None, None)
    value = below = above = 0.0
    for stratum in known:
        weight = stratum.size / total
        share = stratum.wrong / stratum.checked
        value += weight * share
        if stratum.checked < stratum.size:
            of_stratum = wilson(stratum.wrong, stratum.checked, confidence)
            if of_stratum.low is not None and of_stratum.high is not None:
                below += (weight * (share - of_stratum.low)) ** 2
                above += (weight * (of_stratum.high - share)) ** 2
    return Estimate(value, max(value - below**0.5, 0.0), min(value + above**0.5, 1.0))

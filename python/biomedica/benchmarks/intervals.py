"""The case `intervals`: bootstrap intervals of many predictions, beside scipy."""

import numpy as np
from scipy import stats

from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Measured, Row, interleaved, medians, spread, timed
from biomedica.evaluation.resample import Sums
from biomedica.evaluation.statistics import interval

SAMPLES, DRAWS = 20_000, 2_000
"""So few that scipy is done in seconds."""


def intervals(_: Corpus, rounds: int) -> Measured:
    """The 95% interval of an accuracy, and of a mean of continuous values, percentile, with all cores."""
    rng = np.random.default_rng(0)
    samples = {"an accuracy": (rng.random(SAMPLES) < 0.7).astype(np.float64), "a mean": rng.random(SAMPLES)}  # noqa: PLR2004
    rows, raw = list[Row](), dict[str, list[float]]()
    for what, values in samples.items():

        def ours(values: np.ndarray = values) -> None:
            interval(Sums.of_values(values), draws=DRAWS, method="percentile")

        def theirs(values: np.ndarray = values) -> None:
            stats.bootstrap((values,), np.mean, n_resamples=DRAWS, method="percentile", batch=100)

        measured = interleaved([timed("biomedica", ours), timed("scipy", theirs)], rounds)
        seconds = medians(measured)
        mine, other = (f"{DRAWS / seconds[name]:,.0f} draws/s" for name in ("biomedica", "scipy"))
        ratio, span = seconds["scipy"] / seconds["biomedica"], spread(measured, "scipy", "biomedica")
        rows.append(
            Row(f"interval of {what}, {SAMPLES:,} images", mine, "scipy.stats.bootstrap", other, ratio, "", span)
        )
        raw |= {f"{name}, {what}": found for name, found in measured.items()}
    return rows, raw

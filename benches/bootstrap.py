"""How long 10,000 bootstrap draws over 100,000 predictions take.

python benches/bootstrap.py [--samples 100000] [--draws 10000]
"""

import argparse
import resource
import time
from typing import TYPE_CHECKING

import numpy as np

from biomedica.evaluation import metrics, ordered
from biomedica.evaluation.resample import Sampled, Sums
from biomedica.evaluation.statistics import interval

if TYPE_CHECKING:
    from collections.abc import Callable

ACCURACY = 0.7


def main() -> None:
    """Print seconds and an interval for each kind of metric."""
    parser = argparse.ArgumentParser(description="Time bootstrap intervals.")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=10_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    samples = options.samples
    labels = rng.integers(0, 10, samples)
    predicted = np.where(rng.random(samples) < ACCURACY, labels, rng.integers(0, 10, samples))
    articles = rng.integers(0, max(2, samples // 5), samples)
    sure = rng.random(samples)
    kinds: dict[str, tuple[Callable[[], Sampled], np.ndarray | None]] = {
        "accuracy": (lambda: Sums.of_values(labels == predicted), None),
        "macro-F1, 10 classes": (lambda: Sums.of_classes(labels, predicted, 10, metrics.macro_f1), None),
        "accuracy by article": (lambda: Sums.of_values(labels == predicted), articles),
        "macro-F1 by article": (lambda: Sums.of_classes(labels, predicted, 10, metrics.macro_f1), articles),
        "mean of values": (lambda: Sums.of_values(sure), None),
        "calibration error": (
            lambda: Sums.of(metrics.calibration_sums(sure, labels == predicted), metrics.calibration_error),
            None,
        ),
        "area of one class": (lambda: ordered.auroc((labels == 1)[:, None], sure[:, None]), None),
    }
    for name, (sampled, groups) in kinds.items():
        begin = time.perf_counter()
        found = interval(sampled(), groups=groups, draws=options.draws)
        took = time.perf_counter() - begin
        print(f"{name:22} {took:6.2f} s   {found.value:.4f} [{found.low:.4f}, {found.high:.4f}]", flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()

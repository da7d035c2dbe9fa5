"""Principal components of features, from sums over batches: no more than one batch is in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from biomedica.exceptions import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Space", "fit"]

Vectors: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Space:
    """Where features are compared: the directions in which they differ most."""

    mean: Vectors
    """[dimension]"""
    components: Vectors
    """[components, dimension], orthonormal; the largest entry of each is positive."""
    ratios: "NDArray[np.float64]"
    """The share of the variance of every component there is, kept or not, the largest first."""

    def project(self, features: "NDArray[np.generic]") -> Vectors:
        """Features in this space: float32 [n, components].

        Computed in float64: the rounding of float32 would depend on the shape of the batch.
        """
        return np.ascontiguousarray((features.astype(np.float64) - self.mean) @ self.components.T, np.float32)


def fit(batches: Iterable["NDArray[np.generic]"], components: int) -> Space:
    """The space of the principal components of all rows of the batches.

    Sums and products are kept in float64, shifted by the first batch's mean, so that large means cost no digits.

    Raises:
        ModelError: There are fewer than two rows, or all are the same.
    """
    count, shift, total, products = 0, np.zeros(0), np.zeros(0), np.zeros((0, 0))
    for batch in batches:
        if not len(batch):
            continue
        values = batch.astype(np.float64)
        if count == 0:
            shift = values.mean(axis=0)
            total, products = np.zeros_like(shift), np.zeros((len(shift), len(shift)))
        values -= shift
        count += len(values)
        total += values.sum(axis=0)
        products += values.T @ values
    if count < 2:  # noqa: PLR2004 - a variance needs two
        raise ModelError(f"{count} features; principal components need two at least")
    mean = total / count
    variances, vectors = np.linalg.eigh((products - count * np.outer(mean, mean)) / (count - 1))
    variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1].T
    if not variances[0] > 0:
        raise ModelError("all features are the same; there is nothing to cluster")
    kept = vectors[: min(components, count - 1)]
    largest = kept[np.arange(len(kept)), np.abs(kept).argmax(axis=1)]
    kept = kept * np.sign(largest)[:, np.newaxis]
    return Space((shift + mean).astype(np.float32), kept.astype(np.float32), variances / variances.sum())

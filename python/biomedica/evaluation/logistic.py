"""Logistic regression with L2, by L-BFGS: the linear classifier of `biomedica.evaluation.probe`.

What is minimised is that of scikit-learn's `LogisticRegression(C=1 / strength)`: the sum over the images of the negative
log-likelihood, softmax over the classes or one sigmoid a class, and strength / 2 times the squared length of the weights;
the bias is free. Images pass in blocks; no minibatch is drawn, so that the optimum is found and nothing depends on chance.
Products are float64, on the CPU and on CUDA.

Memory, beside the features as they are given (float32, of 1 M x 768 3 GB): a few blocks of 64 MiB, or, of training images
that fit into 1 GiB as float64, a copy, and one of those held out; the principal axes, [D, D]; and some 30 times the
classifier [D + 1, C] for L-BFGS. On CUDA the features are copied there as they are.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Linear", "Samples", "choose", "fit"]

BYTES = 8
"""Of a number."""
BLOCK = 64 << 20
"""Bytes of the features of a block."""
KEPT = 1 << 30
"""Bytes of features that are converted once instead of in each pass."""
MOST_STEPS = 1_000
"""Of a fit; as many as Radford et al. allow."""
HISTORY = 10
ROUGH, EXACT = 1e-3, (1e-2, 1e-4, 1e-6, 1e-7)
"""The largest derivative at the end, in the coordinates of `_Problem`: to compare strengths, and for an optimum in rounds,
each in coordinates of where the one before it ended."""
SHARP = 1e3
"""By which coordinates are stretched and, squared, values: what changes by less than 1e-10 is nothing to torch's L-BFGS."""
SMALL = 1 << 25
"""Products of a pass below which threads cost more than they bring, many times more where cores are busy."""
FLAT = 1e-12
"""Of the largest variance, what counts as none."""
WORSE = 2
"""Strengths in a row that do worse end a path to weaker ones."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A classifier."""

    weights: torch.Tensor
    """Float64 [D, C]."""
    bias: torch.Tensor
    """Float64 [C]."""

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Float64 [B, C] of features [B, D]."""
        return torch.addmm(self.bias, features, self.weights)

    def scores(self, samples: "Samples") -> "NDArray[np.float32]":
        """Logits [N, C]."""
        found: NDArray[np.float32] = torch.cat([self.logits(x).float() for x, _ in samples.made()]).cpu().numpy()
        return found


class Samples:
    """Features and labels of some images, in blocks.

    Args:
        features: Float32 [N, D].
        labels: Class numbers [N], or whether an image has a class [N, C].
        classes: How many there are.
        rows: Places of those that count; all when not given.
        device: Where to compute.
    """

    def __init__(
        self,
        features: "NDArray[np.float32]",
        labels: "NDArray[np.int64] | NDArray[np.bool_]",
        classes: int,
        rows: "NDArray[np.int64] | None" = None,
        device: str = "cpu",
    ) -> None:
        self._features, self._labels = _tensor(features).to(device), _tensor(labels).to(device)
        self._rows = None if rows is None else _tensor(rows).to(device)
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        self.classes, self.device = classes, device
        self.has_several = labels.ndim > 1

    def only(self, rows: "NDArray[np.int64]") -> "Samples":
        """Some of them, by their places in all that were given."""
        found = object.__new__(Samples)
        found.__dict__.update(self.__dict__)
        found._rows = _tensor(rows).to(self.device)
        found._kept = None
        return found

    def __len__(self) -> int:
        """Images."""
        return len(self._features if self._rows is None else self._rows)

    @property
    def dimension(self) -> int:
        """D."""
        return self._features.shape[1]

    def blocks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Features, float64 [B, D], and labels [B], or float64 [B, C]."""
        if self._kept is None and len(self) * self.dimension * BYTES <= KEPT:
            self._kept = list(self.made())
        return self.made() if self._kept is None else iter(self._kept)

    def made(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """`blocks` for one pass: none is kept."""
        size = max(1, BLOCK // (BYTES * (self.dimension + 2 * self.classes)))
        for begin in range(0, len(self), size):
            part: slice | torch.Tensor = slice(begin, begin + size)
            if self._rows is not None:
                part = self._rows[part]
            labels = self._labels[part]
            yield self._features[part].double(), labels.double() if self.has_several else labels


class _Problem:
    """What is minimised, as a mean over the images, in coordinates in which L-BFGS has little to do.

    Features are centred, which moves the bias alone, and turned to their principal axes, which changes no length; axes
    along which they do not vary have no weight at the optimum and are left out. Along the others, the second derivative is
    about the variance times p (1 - p), plus the L2, by whose square root each coordinate is scaled. So the square of the
    gradient tells how far from the optimum a value is.
    """

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self._mean = torch.zeros(samples.dimension, dtype=torch.float64, device=samples.device)
        frequent = self._mean.new_zeros(samples.classes)
        for x, y in samples.blocks():
            self._mean += x.sum(0)
            frequent += y.sum(0) if samples.has_several else torch.bincount(y, minlength=samples.classes)
        self._mean /= len(samples)
        self._axes, self._variance = self._principal()
        frequent /= len(samples)
        self._frequent = torch.logit(frequent) if samples.has_several else frequent.log()

    def minimised(self, strength: float, tolerance: float, start: Linear | None = None) -> Linear:
        """The classifier, from where to begin; the tolerance is of the scaled gradient."""
        theta = torch.zeros(
            len(self._variance) + 1, self.samples.classes, dtype=torch.float64, device=self._mean.device
        )
        theta[-1] = self._frequent
        if start is not None:
            theta[:-1] = self._axes.T @ start.weights
            theta[-1] = start.bias + self._mean @ start.weights
        scale = self._scale(theta, strength) / SHARP
        theta /= scale
        optimiser = torch.optim.LBFGS(
            [theta], max_iter=MOST_STEPS, max_eval=2 * MOST_STEPS, history_size=HISTORY, line_search_fn="strong_wolfe",
            tolerance_grad=tolerance * SHARP, tolerance_change=1e-16,
        )  # fmt: skip

        def closure() -> torch.Tensor:
            value, gradient = self._at(theta * scale, strength)
            theta.grad = gradient * scale * SHARP**2
            return value * SHARP**2

        optimiser.step(closure)
        return self._linear(theta * scale)

    def _principal(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Axes [D, R] and the variance along each [R]."""
        if len(self.samples) <= self.samples.dimension:
            centred = torch.cat([x for x, _ in self.samples.blocks()]) - self._mean
            _, lengths, turned = torch.linalg.svd(centred, full_matrices=False)
            variance, axes = lengths.square() / len(centred), turned.T
        else:
            products = self._mean.new_zeros(self.samples.dimension, self.samples.dimension)
            for x, _ in self.samples.blocks():
                centred = x - self._mean
                products.addmm_(centred.T, centred)
            variance, axes = torch.linalg.eigh(products / len(self.samples))
        kept = variance > FLAT * variance.max()
        return axes[:, kept].contiguous(), variance[kept]

    def _linear(self, theta: torch.Tensor) -> Linear:
        weights = self._axes @ theta[:-1]
        return Linear(weights, theta[-1] - self._mean @ weights)

    def _logits(self, theta: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Features, labels and logits of each block."""
        linear = self._linear(theta)
        for x, y in self.samples.blocks():
            yield x, y, linear.logits(x)

    def _share(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(logits) if self.samples.has_several else torch.softmax(logits, 1)

    def _at(self, theta: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Value and gradient [R + 1, C]."""
        several, value = self.samples.has_several, strength / 2 * theta[:-1].square().sum()
        pulls, total = theta.new_zeros(len(self._mean), theta.shape[1]), torch.zeros_like(theta[-1])
        for x, y, logits in self._logits(theta):
            value += _loss(logits, y, several).sum()
            residual = self._share(logits)
            if several:
                residual -= y
            else:
                residual[torch.arange(len(y), device=y.device), y] -= 1
            pulls.addmm_(x.T, residual)
            total += residual.sum(0)
        gradient = torch.empty_like(theta)
        gradient[:-1] = self._axes.T @ (pulls - torch.outer(self._mean, total)) + strength * theta[:-1]
        gradient[-1] = total
        return value / len(self.samples), gradient / len(self.samples)

    def _scale(self, theta: torch.Tensor, strength: float) -> torch.Tensor:
        """Of each coordinate [R + 1, C]."""
        curved = torch.zeros_like(theta[-1])
        for _, _, logits in self._logits(theta):
            share = self._share(logits)
            curved += (share * (1 - share)).sum(0)
        curved = curved.clamp(min=FLAT) / len(self.samples)
        variance = torch.cat([self._variance, torch.ones_like(self._variance[:1])])
        floor = torch.full_like(variance, strength / len(self.samples))
        floor[-1] = 0
        return (variance[:, None] * curved + floor[:, None]).rsqrt()


def fit(samples: Samples, strength: float) -> Linear:
    """The optimum."""
    found = None
    with _threads(samples):
        problem = _Problem(samples)
        for tolerance in EXACT:
            found = problem.minimised(strength, tolerance, found)
    assert found is not None  # noqa: S101 - for the type checker
    return found


def choose(parts: Sequence[tuple[Samples, Samples]], strengths: Sequence[float]) -> float:
    """The strength whose classifiers, fitted to the first of each part, give the second the highest likelihood.

    Strengths are tried from the strong to the weak, about seven of the whole range first, each from the optimum of the
    stronger one before it; then those between around the best, by halves (Radford et al. 2021, arXiv 2103.00020, A.3).

    Args:
        parts: Training and held-out images.
        strengths: To choose from.
    """
    with _threads(*(train for train, _ in parts)):
        return _chosen(parts, sorted(set(strengths), reverse=True))


def _chosen(parts: Sequence[tuple[Samples, Samples]], path: Sequence[float]) -> float:
    problems = [(_Problem(train), held) for train, held in parts]
    found: dict[int, tuple[float, list[Linear]]] = {}

    def loss(at: int) -> float:
        if at not in found:
            stronger = max((other for other in found if other < at), default=None)
            starts = [None] * len(problems) if stronger is None else found[stronger][1]
            fits = [one.minimised(path[at], ROUGH, start) for (one, _), start in zip(problems, starts, strict=True)]
            found[at] = sum(_held_out(one, held) for one, (_, held) in zip(fits, problems, strict=True)), fits
        return found[at][0]

    step = 1 << max(0, ((len(path) - 1) // 6).bit_length() - 1)
    best, worse = 0, 0
    for at in range(0, len(path), step):
        best, worse = (at, 0) if loss(at) <= loss(best) else (best, worse + 1)
        if worse == WORSE:
            break
    while step > 1:
        step //= 2
        best = min((at for at in (best, best - step, best + step) if 0 <= at < len(path)), key=loss)
    return path[best]


@contextlib.contextmanager
def _threads(*samples: Samples) -> Iterator[None]:
    """One thread for small products: others would only wait, and where other processes want the cores they do so for long."""
    before = torch.get_num_threads()
    if max(len(one) * one.dimension * one.classes for one in samples) < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _held_out(linear: Linear, held: Samples) -> float:
    """Negative log-likelihood."""
    return sum(float(_loss(linear.logits(x), y, held.has_several).sum()) for x, y in held.blocks())


def _loss(logits: torch.Tensor, labels: torch.Tensor, several: bool) -> torch.Tensor:
    if several:
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return functional.cross_entropy(logits, labels, reduction="none")


def _tensor(array: "NDArray[np.float32] | NDArray[np.int64] | NDArray[np.bool_]") -> torch.Tensor:
    """Without a copy; what is mapped from a file is never written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(array))

r"""How the numbers of a column become numbers of about unit size, and come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import ndtr, ndtri

KNOTS = 257
WILD = 6.0  # deviations from the mean that no column of bell shape reaches
CROWDED = 0.5  # share of one single value beyond which a column is no bell either
SMALLEST_SHARE = 1e-4


class Curve(ABC):
    """A rising function from the user's units to the network's."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Learn from the values of a column, none of them missing."""

    @abstractmethod
    def forward(self, values: np.ndarray) -> np.ndarray:
        """The user's units to the network's."""

    @abstractmethod
    def backward(self, values: np.ndarray) -> np.ndarray:
        """The network's units to the user's."""

    def plain(self) -> dict[str, Any]:
        """What a model file holds of it."""
        return {"name": self.name} | {
            key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in vars(self).items()
        }


@dataclass(frozen=True)
class Standard(Curve):
    """A shift and a stretch: to a mean of 0 and a deviation of 1.

    >>> Standard.fit(np.array([1.0, 3.0])).forward(np.array([3.0])).tolist()
    [1.0]
    """

    center: float
    scale: float
    name: ClassVar[str] = "standard"

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Mean and deviation; computed in parts of the largest, so that no square overflows."""
        largest = float(np.abs(values).max(initial=0.0)) or 1.0
        mean, deviation = float((values / largest).mean()) * largest, float((values / largest).std()) * largest
        return cls(mean, deviation if deviation > 1e-12 * abs(mean) else 1.0)

    def forward(self, values: np.ndarray) -> np.ndarray:
        """The user's units to the network's."""
        return np.asarray((values - self.center) / self.scale)

    def backward(self, values: np.ndarray) -> np.ndarray:
        """The network's units to the user's."""
        return np.asarray(values * self.scale + self.center)


@dataclass(frozen=True)
class Logarithm(Curve):
    """The logarithm of one more, standardized: for counts, which spread by factors.

    >>> curve = Logarithm.fit(np.array([0.0, 1.0, 9.0]))
    >>> bool(np.allclose(curve.backward(curve.forward(np.array([0.0, 5.0]))), [0, 5]))
    True
    """

    center: float
    scale: float
    name: ClassVar[str] = "logarithm"

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Mean and deviation of the logarithms."""
        inner = Standard.fit(np.log1p(values))
        return cls(inner.center, inner.scale)

    def forward(self, values: np.ndarray) -> np.ndarray:
        """The user's units to the network's; below 0 the logarithm goes on as its mirror image."""
        return np.asarray((np.sign(values) * np.log1p(np.abs(values)) - self.center) / self.scale)

    def backward(self, values: np.ndarray) -> np.ndarray:
        """The network's units to the user's."""
        inner = np.clip(values * self.scale + self.center, -700.0, 700.0)
        return np.asarray(np.sign(inner) * np.expm1(np.abs(inner)))


@dataclass(frozen=True)
class Quantiles(Curve):
    r"""What share of the column lies below, as a number of the normal distribution: :math:`\Phi^{-1}(F(x))`.

    Heavy tails, several modes and values that come again and again all become one bell; a single wild value moves
    nothing else. Beyond the smallest and the largest value seen it goes on by a logarithm.

    Parameters
    ----------
    knots : ndarray of shape (knots,)
        The values at evenly spaced shares.

    >>> curve = Quantiles.fit(np.array([0.0] * 5 + [1.0, 2.0, 4.0, 1e9]))
    >>> curve.backward(curve.forward(np.array([0.0, 1.0, 4.0, 1e9]))).tolist()
    [0.0, 1.0, 4.0, 1000000000.0]
    """

    knots: np.ndarray
    name: ClassVar[str] = "quantiles"

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """The values at evenly spaced shares: each of them a value that was seen."""
        shares = np.linspace(0.0, 1.0, min(KNOTS, max(2, len(values))))
        return cls(np.quantile(values, shares, method="nearest").astype(np.float64))

    @property
    def shares(self) -> np.ndarray:
        """The share below each knot."""
        return np.linspace(0.0, 1.0, len(self.knots))

    @property
    def ends(self) -> tuple[float, float, float]:
        """The smallest and the largest knot, and the unit in which it goes on beyond them."""
        low, high = float(self.knots[0]), float(self.knots[-1])
        return low, high, (high - low) or 1.0

    def forward(self, values: np.ndarray) -> np.ndarray:
        """The user's units to the network's; a value of many equal knots goes to their middle."""
        low, high, unit = self.ends
        knots, shares = np.asarray(self.knots), self.shares
        below = np.interp(values, knots, shares, left=0.0, right=1.0)
        above = 1.0 - np.interp(-values, -knots[::-1], 1.0 - shares[::-1], left=0.0, right=1.0)
        made = ndtri(np.clip((below + above) / 2, SMALLEST_SHARE, 1 - SMALLEST_SHARE))
        beyond = np.maximum(values - high, 0.0) - np.maximum(low - values, 0.0)
        return np.asarray(made + np.sign(beyond) * np.log1p(np.abs(beyond) / unit))

    def backward(self, values: np.ndarray) -> np.ndarray:
        """The network's units to the user's, never beyond what was seen."""
        shares = ndtr(values)
        edge = ndtri(1 - SMALLEST_SHARE)
        shares = np.where(values >= edge - 1e-6, 1.0, np.where(values <= -edge + 1e-6, 0.0, shares))
        return np.interp(shares, self.shares, np.asarray(self.knots))


def choose_curve(values: np.ndarray, counted: bool = False) -> Curve:
    """The curve that suits a column: quantiles where it is no bell, logarithms for counts, else a plain scale.

    >>> choose_curve(np.arange(100.0)).name, choose_curve(np.array([0.0] * 99 + [1e6])).name
    ('standard', 'quantiles')
    """
    plain = Standard.fit(values)
    scaled = plain.forward(values)
    counts = np.unique(values, return_counts=True)[1]
    if np.abs(scaled).max(initial=0.0) > WILD or counts.max(initial=0) > CROWDED * len(values) > 1:
        return Quantiles.fit(values)
    return Logarithm.fit(values) if counted else plain


def restore_curve(plain: dict[str, Any]) -> Curve:
    """The reverse of :meth:`Curve.plain`."""
    kinds: dict[str, type[Curve]] = {kind.name: kind for kind in Curve.__subclasses__()}
    facts: dict[str, Any] = {
        key: np.asarray(value) if isinstance(value, list) else value for key, value in plain.items()
    }
    return kinds[facts.pop("name")](**facts)

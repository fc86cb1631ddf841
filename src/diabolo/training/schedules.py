"""How the learning rate moves while training: pure functions of how much is done."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from ..core.parts import Part, parameters, within


class Schedule(Part, ABC):
    """The learning rate's factor as a function of progress."""

    is_kind: ClassVar[bool] = True

    @abstractmethod
    def factor(self, progress: float) -> float:
        """The factor when ``progress``, from just above 0 to 1, of all steps are done."""


@parameters
class Constant(Schedule):
    """The same rate all along.

    >>> Constant().factor(0.5)
    1.0
    """

    def factor(self, progress: float) -> float:
        """Always 1."""
        return 1.0


@parameters
class LinearDecay(Schedule):
    """Rises for a short while, then falls in a line to zero.

    Parameters
    ----------
    warmup : float in [0, 1), default 0.03
        Share of the steps that rise; enough for the momentum to fill.

    References
    ----------
    Straight to Zero: Why Linearly Decaying the Learning Rate to Zero Works Best for LLMs, Bergsma et al., 2025,
    arXiv:2502.15938.

    >>> LinearDecay(warmup=0.5).factor(0.25), LinearDecay(warmup=0.5).factor(0.75)
    (0.5, 0.5)
    """

    warmup: float = within(default=0.03, low=0.0, high=1.0, below=True)

    def factor(self, progress: float) -> float:
        """Up, then down to 0."""
        return progress / self.warmup if progress < self.warmup else (1 - progress) / (1 - self.warmup)


@parameters
class CosineDecay(Schedule):
    """Rises for a short while, then falls along half a cosine to zero.

    Parameters
    ----------
    warmup : float in [0, 1), default 0.03

    References
    ----------
    SGDR: Stochastic Gradient Descent with Warm Restarts, Loshchilov and Hutter, 2016, arXiv:1608.03983.

    >>> round(CosineDecay(warmup=0.0).factor(0.5), 6)
    0.5
    """

    warmup: float = within(default=0.03, low=0.0, high=1.0, below=True)

    def factor(self, progress: float) -> float:
        """Up, then down to 0."""
        if progress < self.warmup:
            return progress / self.warmup
        return (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup))) / 2

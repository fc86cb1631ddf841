"""How many units of a code speak, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core.codes import Code
from ..estimators.base import Estimator


@dataclass(frozen=True)
class Sparsity:
    r"""How often each unit of a code speaks, that is, gives a number other than zero.

    Parameters
    ----------
    activity : ndarray of shape (size,)
        For each unit, the share of the samples (of their positions, where a code has several) for which it speaks.

    >>> told = Sparsity(np.array([0.5, 0.25, 0.0, 0.25]))
    >>> told.alive_share, told.mean_active
    (0.75, 1.0)
    """

    activity: np.ndarray

    @property
    def alive_share(self) -> float:
        """Share of the units that speak at least once; the others are dead weight."""
        return float((self.activity > 0).mean())

    @property
    def mean_active(self) -> float:
        """How many units speak at once, on average: the mean of :math:`\\lVert z\\rVert_0`."""
        return float(self.activity.sum())


def sparsity(model: Estimator, X: Any) -> Sparsity:
    """Count which units of a model's code speak for some data.

    Parameters
    ----------
    model : fitted Estimator
        A code without a ReLU or a choice of units hardly ever says zero: all of it is alive, and all of it active.
    X : data of the kind that was fitted
        Many rows, or units that are merely rare look dead.

    References
    ----------
    Scaling and evaluating sparse autoencoders, Gao et al., 2024, arXiv:2406.04093 (dead units).

    >>> from diabolo import SparseAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> told = sparsity(SparseAutoencoder(active=4, epochs=3, random_state=0).fit(X), X)
    >>> round(told.mean_active, 1), told.alive_share > 0.2
    (4.0, True)
    """
    tally = SparsityTally()
    for trip in model.round_trips(X):
        tally.add(trip.code)
    return tally.finish()


class SparsityTally:
    """Counts which units speak, a stretch of rows at a time."""

    def __init__(self) -> None:
        self.spoke = torch.zeros((), dtype=torch.int64)
        self.count = 0

    def add(self, code: Code) -> None:
        """Take in the codes of some rows."""
        values = code.values.flatten(0, -2)
        self.spoke, self.count = self.spoke + (values != 0).sum(0).cpu(), self.count + len(values)

    def finish(self) -> Sparsity:
        """What was counted."""
        return Sparsity(self.spoke.double().numpy() / self.count)

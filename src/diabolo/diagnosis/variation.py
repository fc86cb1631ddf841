"""What a code that is a distribution says: how many of its numbers, how many nats, and what is lost without more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.roundtrip import RoundTrip
from ..estimators.base import Estimator

ACTIVE_FROM = 0.01


@dataclass(frozen=True)
class Variation:
    r"""How much a model's codes vary with the data, and what they cost and bring.

    Parameters
    ----------
    variances : ndarray of shape (numbers of a code,)
        :math:`\mathrm{Var}_x(E_{q(z|x)}[z_j])`: how much of each number's mean the data decides.
    rate : float, or None
        Mean nats from a code to its prior, at a weight of 1; ``None`` where the model has no prior to compare with.
    distortion : float
        Mean nats that are lost in the reconstruction; below 0 where a density is above 1.

    >>> Variation(np.array([0.9, 0.001]), rate=1.5, distortion=20.0).active
    1
    """

    variances: np.ndarray
    rate: float | None
    distortion: float

    @property
    def active(self) -> int:
        """How many numbers of the code the data decides: those of a variance above 0.01."""
        return int((self.variances > ACTIVE_FROM).sum())

    @property
    def bound(self) -> float | None:
        """The bound on the mean log-likelihood: rate and distortion, with the sign turned."""
        return None if self.rate is None else -(self.rate + self.distortion)


@torch.no_grad()
def variation(model: Estimator, X: Any, *, n_draws: int | None = None, random_state: Any = None) -> Variation:
    """Measure active units, rate and distortion of a fitted model on data.

    Parameters
    ----------
    model : Estimator
        Fitted. Where its code is no distribution there are active units and a distortion, but no rate.
    X : data of the kind that was fitted
    n_draws : int, or None
        Draws per row for the distortion; ``None``: that of the mean code, which is smaller and repeatable.
    random_state : int, numpy generator, or None
        Seed of the draws.

    Returns
    -------
    Variation

    References
    ----------
    Importance Weighted Autoencoders, Burda, Grosse and Salakhutdinov, 2015, arXiv:1509.00519 (active units,
    section 5.1.1).
    Fixing a Broken ELBO, Alemi, Poole, Fischer, Dillon, Saurous and Murphy, 2017, arXiv:1711.00464 (rate and
    distortion).

    >>> from diabolo import VAE
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> variation(VAE(code_size=4, epochs=3, random_state=0).fit(X), X).active
    4
    """
    distortions, rates = [], []
    for trip in model.round_trips(X, n_draws=n_draws, random_state=random_state):
        distortions.append(model.objective_.loss(trip))
        rate = rate_of(model, trip)
        rates += [] if rate is None else [rate]
    means = model.transform(X).astype(np.float64)
    return Variation(means.var(0), mean_of(rates) if rates else None, mean_of(distortions))


def rate_of(model: Estimator, trip: RoundTrip) -> Tensor | None:
    """Nats from each row's code to the model's prior, ``(batch,)``; ``None`` where it has no prior."""
    nats = [term(trip, model.network_) for term in model.objective_.terms().values() if term.in_bound]
    return torch.stack(nats).sum(0) if nats else None


def mean_of(parts: list[Tensor]) -> float:
    """The mean of numbers that come in parts."""
    return float(torch.cat(parts).double().mean())

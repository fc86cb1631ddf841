"""Autoencoders whose codes are distributions."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..bottlenecks import Gaussian, Identity, PowerSpherical
from ..core.objective import Recipe
from ..core.parts import Part, parameters, within
from ..core.roundtrip import RoundTrip
from ..losses.bounds import ImportanceWeighted, repeat
from ..penalties import KL, Divergence, Matching, MaximumMeanDiscrepancy, Prior, UniformKL
from ..training.seeding import mix, own_randomness, seed_from
from .base import Estimator

NUMBERS_TOGETHER = 1 << 22  # numbers that a stretch of draws decodes to: 16 MB
ROWS_TOGETHER = 64


class Generative(Estimator, ABC):
    """An estimator whose codes are held to a distribution, from which new samples can be drawn."""

    @torch.no_grad()
    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """Make samples that never were: the decoder's mean for codes drawn from the prior.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : int, numpy generator, or None
            Seed of the draws.

        Returns
        -------
        Data of the user's own kind, ``n_samples`` rows.
        """
        check_is_fitted(self, "network_")
        if isinstance(n_samples, bool) or not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ValueError(f"n_samples came as {n_samples!r}; it must be a whole number of at least 1.")
        held = next(term for term in self.objective_.terms().values() if isinstance(term, Matching))
        with own_randomness(seed_from(random_state), next(self.network_.parameters()).device):
            codes = held.draw(int(n_samples), self.network_)
        return self.inverse_transform(codes.flatten(1).cpu().numpy())


class Variational(Generative, ABC):
    """An estimator whose code is a distribution per sample, at a divergence from a prior."""

    @torch.no_grad()
    def log_likelihood(self, X: Any, n_samples: int = 5000, random_state: Any = None) -> np.ndarray:
        r"""Each sample's log-likelihood: :math:`\log\tfrac1K\sum_k p(x|z_k)\,p(z_k)/q(z_k|x)`, in nats.

        In expectation it is at most the true one, and rises to it with the number of draws. It is the model's own,
        whatever beta it was trained at. Under a Gaussian likelihood it is the logarithm of a density in the network's
        units (standard deviations, or shares of the full range), and can be above 0.

        Parameters
        ----------
        X : data of the kind that was fitted
        n_samples : int, default 5000
            Draws :math:`K` per sample, as the literature reports for pictures of digits. Memory does not grow with it.
        random_state : int, numpy generator, or None
            Seed of the draws.

        Returns
        -------
        ndarray of shape (rows,)

        References
        ----------
        Importance Weighted Autoencoders, Burda, Grosse and Salakhutdinov, 2015, arXiv:1509.00519 (section 5).
        """
        if isinstance(n_samples, bool) or not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ValueError(f"n_samples came as {n_samples!r}; it must be a whole number of at least 1.")
        seed, found = seed_from(random_state), []
        for place, trip in enumerate(self.round_trips(X)):
            with own_randomness(mix(seed, place), trip.target.device):
                found += [self._log_mean_weight(rows, int(n_samples)) for rows in stretches_of(trip)]
        return torch.cat(found).cpu().numpy()

    def _log_mean_weight(self, trip: RoundTrip, count: int) -> Tensor:
        """The log of the mean importance weight of some rows, for as many draws at once as memory should hold."""
        divergence = next(term for term in self.objective_.terms().values() if isinstance(term, Divergence))
        rows = len(trip.target)
        together = min(count, max(1, NUMBERS_TOGETHER // trip.output.numel()))
        several = trip.map(lambda part: repeat(part, together))
        total = torch.full((rows,), -math.inf, dtype=torch.float64, device=trip.target.device)
        for start in range(0, count, together):
            drawn = several.first(rows * min(together, count - start))
            code = drawn.code.sample()
            drawn = dataclasses.replace(drawn, code=code, output=self.network_.decoder(code.values))
            nats = self.objective_.loss(drawn) + divergence.log_ratio(drawn, self.network_)
            total = torch.logaddexp(total, (-nats).double().view(-1, rows).logsumexp(0))
        return total - math.log(count)


def stretches_of(trip: RoundTrip) -> Iterator[RoundTrip]:
    """A trip as several of few rows each, so that the many draws of each fit into memory."""
    size = max(1, min(ROWS_TOGETHER, NUMBERS_TOGETHER // trip.output[0].numel()))
    for start in range(0, len(trip.target), size):
        yield trip.map(lambda part: part[start : start + size])  # noqa: B023 - used at once


@parameters
class VAE(Variational):
    r"""Variational autoencoder: :math:`\min\ E_{q(z|x)}[-\log p(x|z)] + \beta\,\mathrm{KL}(q(z|x)\,\|\,p(z))`.

    The likelihood's variance is the one that fits best, so that ``beta=1`` is the evidence bound in nats for any data.
    With several importance samples it is :math:`-\log\tfrac1K\sum_k p(x|z_k)\,(p(z_k)/q(z_k|x))^\beta` instead.

    Parameters
    ----------
    beta : float, default 1
        Price of a nat in the code.
    warmup : float in [0, 1], default 0.1
        Share of the training, or of each cycle, over which the price rises, against posterior collapse.
    free_nats : float, default 0
        Nats per code dimension that cost nothing while training.
    cycles : int, default 1
        How often the price starts again from 0.
    prior : Prior, str, or None
        ``None``: standard normal; ``"mixture"`` or ``"vampprior"`` learn where codes lie, for better samples.
    importance_samples : int, default 1
        Draws per row in the bound that is trained on, a decoder pass each. 5 fit digits better by two nats.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114.
    Simple and Effective VAE Training with Calibrated Decoders, Rybkin et al., 2021, arXiv:2006.13202.
    Importance Weighted Autoencoders, Burda, Grosse and Salakhutdinov, 2015, arXiv:1509.00519.

    >>> from diabolo import VAE
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> model = VAE(code_size=4, epochs=2, random_state=0).fit(X)
    >>> model.score_samples(X).shape, model.sample(3, random_state=0).shape
    ((1797,), (3, 64))
    >>> bool((model.log_likelihood(X[:9], 50, random_state=0) > -300).all())
    True
    """

    beta: float = within(default=1.0, low=0.0)
    warmup: float = within(default=0.1, low=0.0, high=1.0)
    free_nats: float = within(default=0.0, low=0.0)
    cycles: int = within(default=1, low=1)
    prior: Prior | str | None = None
    importance_samples: int = within(default=1, low=1)

    PARTS: ClassVar[dict[str, type[Part]]] = {**Estimator.PARTS, "prior": Prior}

    def recipe(self) -> Recipe:
        """A Gaussian code at the price of its divergence from the prior."""
        bound = partial(ImportanceWeighted, draws=self.importance_samples) if self.importance_samples > 1 else None
        price = KL(self.beta, self.warmup, self.free_nats, self.cycles, self.prior)
        return Recipe(Gaussian(), price, objective=bound)


@parameters
class InfoVAE(Variational):
    r"""A VAE that may say much: :math:`\min E_q[-\log p(x|z)] + (1-\alpha)\mathrm{KL} + \gamma\,\mathrm{MMD}(q(z), p)`.

    The divergence of each code is paid for in part only; that all codes together look like the prior is asked for
    instead, so that codes keep telling about their sample.

    Parameters
    ----------
    alpha : float in [0, 1], default 0.5
        The share of the divergence that is given back; at 1 nothing makes a code uncertain.
    gamma : float, default 100
        Nats for a maximum mean discrepancy of 1; the paper's :math:`\alpha + \lambda - 1`.
    warmup : float in [0, 1], default 0.1
        Share of the training over which the price of the divergence rises.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    InfoVAE: Balancing Learning and Inference in Variational Autoencoders, Zhao, Song and Ermon, 2017,
    arXiv:1706.02262.

    >>> from diabolo import InfoVAE
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> InfoVAE(code_size=4, epochs=2, random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 64)
    """

    alpha: float = within(default=0.5, low=0.0, high=1.0)
    gamma: float = within(default=100.0, low=0.0)
    warmup: float = within(default=0.1, low=0.0, high=1.0)

    def recipe(self) -> Recipe:
        """A Gaussian code at part of its divergence, and the discrepancy of all codes."""
        return Recipe(Gaussian(), KL(1 - self.alpha, self.warmup) + MaximumMeanDiscrepancy(self.gamma))


@parameters
class WassersteinAutoencoder(Generative):
    r"""A plain autoencoder to sample from: :math:`\min\ \ell(x, g(f(x))) + \lambda\,\mathrm{MMD}(f(x), N(0, I))`.

    Codes are points, not distributions; only all of them together are held to the prior.

    Parameters
    ----------
    discrepancy : float, default 100
        :math:`\lambda`: nats for a maximum mean discrepancy of 1.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Wasserstein Auto-Encoders, Tolstikhin, Bousquet, Gelly and Schoelkopf, 2017, arXiv:1711.01558.

    >>> from diabolo import WassersteinAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> WassersteinAutoencoder(code_size=4, epochs=2, random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 64)
    """

    discrepancy: float = within(default=100.0, low=0.0)

    def recipe(self) -> Recipe:
        """A plain code, and the discrepancy of all codes."""
        return Recipe(Identity(), MaximumMeanDiscrepancy(self.discrepancy))


@parameters
class SphericalVAE(Variational):
    r"""A VAE on the unit sphere: :math:`\min\ E_{q(z|x)}[-\log p(x|z)] + \beta\,\mathrm{KL}(q(z|x)\,\|\,U(S^{d-1}))`.

    The prior has no center for codes to fall back to; its posteriors are power spherical. ``code_size`` is the
    :math:`d` of the space around the sphere, at least 2.

    Parameters
    ----------
    beta : float, default 1
        Price of a nat in the code.
    warmup : float in [0, 1], default 0.1
        Share of the training over which the price rises.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Hyperspherical Variational Auto-Encoders, Davidson, Falorsi, De Cao, Kipf and Tomczak, 2018, arXiv:1804.00891.
    The Power Spherical distribution, De Cao and Aziz, 2020, arXiv:2006.04437.

    >>> from diabolo import SphericalVAE
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> codes = SphericalVAE(code_size=4, epochs=2, random_state=0).fit(X).transform(X)
    >>> bool((abs((codes**2).sum(1) - 1) < 1e-5).all())
    True
    """

    beta: float = within(default=1.0, low=0.0)
    warmup: float = within(default=0.1, low=0.0, high=1.0)

    def recipe(self) -> Recipe:
        """A code on the sphere at the price of its divergence from the uniform."""
        return Recipe(PowerSpherical(), UniformKL(self.beta, self.warmup))

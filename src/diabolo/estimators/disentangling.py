"""Variational autoencoders whose codes' numbers should not tell of each other."""

from __future__ import annotations

from ..bottlenecks import Gaussian
from ..core.objective import Recipe
from ..core.parts import parameters, within
from ..penalties import KL, FactorDiscriminator, TotalCorrelation
from .variational import VAE, Variational


@parameters
class BetaVAE(VAE):
    r"""A VAE whose code is dear: :math:`\min\ E_{q(z|x)}[-\log p(x|z)] + \beta\,\mathrm{KL}(q(z|x)\,\|\,p(z))`.

    Parameters
    ----------
    beta : float, default 4
        Price of a nat in the code; the paper's for faces and chairs. Numbers that say little fall silent, the others
        part more readily into independent ones, and reconstructions blur.
    **others
        As in :class:`~diabolo.estimators.variational.VAE`.

    References
    ----------
    beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework, Higgins et al., 2017, ICLR.

    >>> from diabolo import BetaVAE
    >>> BetaVAE().recipe().penalty.weight
    4.0
    """

    beta: float = within(default=4.0, low=0.0)


@parameters
class TotalCorrelationVAE(Variational):
    r"""Dear is what numbers tell of each other: :math:`\min E_q[-\log p(x|z)] + \mathrm{KL} + (\beta-1)\,\mathrm{TC}`.

    :math:`\mathrm{TC} = \mathrm{KL}(q(z)\,\|\,\prod_j q(z_j))` is a part of the mean divergence, so that its price is
    :math:`\beta` in all; what the code tells about the sample stays at 1.

    Parameters
    ----------
    beta : float of at least 1, default 4
        Price of a nat of total correlation.
    warmup : float in [0, 1], default 0.1
        Share of the training over which the price of the divergence rises.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Isolating Sources of Disentanglement in Variational Autoencoders, Chen, Li, Grosse and Duvenaud, 2018,
    arXiv:1802.04942 (beta-TCVAE).

    >>> from diabolo import TotalCorrelationVAE
    >>> TotalCorrelationVAE(beta=3.0).recipe().penalty
    KL(weight=1.0, ...) + TotalCorrelation(weight=2.0)
    """

    beta: float = within(default=4.0, low=1.0)
    warmup: float = within(default=0.1, low=0.0, high=1.0)

    def recipe(self) -> Recipe:
        """A Gaussian code at its divergence, and what its numbers tell of each other."""
        return Recipe(Gaussian(), KL(1.0, self.warmup) + TotalCorrelation(self.beta - 1))


@parameters
class FactorVAE(Variational):
    r"""The same by a rival: :math:`\min\ E_q[-\log p(x|z)] + \mathrm{KL} + \gamma\,E_q[\log D(z) - \log(1 - D(z))]`.

    The rival :math:`D` learns to tell codes from codes with shuffled numbers, so that its log odds are the total
    correlation.

    Parameters
    ----------
    gamma : float, default 10
        Price of a nat of total correlation.
    warmup : float in [0, 1], default 0.1
        Share of the training over which the price of the divergence rises.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Disentangling by Factorising, Kim and Mnih, 2018, arXiv:1802.05983.

    >>> from diabolo import FactorVAE
    >>> FactorVAE().recipe().penalty
    KL(weight=1.0, ...) + FactorDiscriminator(weight=10.0, ...)
    """

    gamma: float = within(default=10.0, low=0.0)
    warmup: float = within(default=0.1, low=0.0, high=1.0)

    def recipe(self) -> Recipe:
        """A Gaussian code at its divergence, and a rival that looks for what its numbers tell of each other."""
        return Recipe(Gaussian(), KL(1.0, self.warmup) + FactorDiscriminator(self.gamma))

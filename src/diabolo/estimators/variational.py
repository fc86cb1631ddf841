"""Autoencoders whose codes are distributions."""

from __future__ import annotations

from ..bottlenecks import Gaussian
from ..core.objective import Recipe
from ..core.parts import parameters, within
from ..penalties import KL
from .base import Estimator


@parameters
class VAE(Estimator):
    r"""Variational autoencoder: :math:`\min\ E_{q(z|x)}[-\log p(x|z)] + \beta\,\mathrm{KL}(q(z|x)\,\|\,N(0, I))`.

    The likelihood's variance is the one that fits best, so that ``beta=1`` is the evidence bound in nats for any data.

    Parameters
    ----------
    beta : float, default 1
        Price of a nat in the code.
    warmup : float in [0, 1], default 0.1
        Share of the training over which the price rises, against posterior collapse.
    free_nats : float, default 0
        Nats per code dimension that cost nothing while training.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114.
    Simple and Effective VAE Training with Calibrated Decoders, Rybkin et al., 2021, arXiv:2006.13202.

    >>> from diabolo import VAE
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> VAE(code_size=4, epochs=2, random_state=0).fit(X).score_samples(X).shape
    (1797,)
    """

    beta: float = within(default=1.0, low=0.0)
    warmup: float = within(default=0.1, low=0.0, high=1.0)
    free_nats: float = within(default=0.0, low=0.0)

    def recipe(self) -> Recipe:
        """A Gaussian code at the price of its divergence from the standard normal."""
        return Recipe(Gaussian(), KL(self.beta, self.warmup, self.free_nats))

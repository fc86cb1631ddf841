"""Autoencoders whose codes or reconstructions may not change quickly."""

from __future__ import annotations

from ..architectures import MLP
from ..bottlenecks import Identity
from ..core.kinds import Architecture
from ..core.objective import Recipe
from ..core.parts import as_part, parameters, within
from ..penalties import CodeNorm, Contraction, DecoderSmoothness
from .base import Estimator


@parameters
class ContractiveAutoencoder(Estimator):
    r"""A code that resists what is noise: :math:`\min\ \tfrac1n\sum_i\ell(x_i, g(z_i)) + w\lVert J_i\rVert_F^2`.

    :math:`J_i = \partial z_i/\partial x_i` is how the code moves with the data.

    Unless another architecture is given, decoder and encoder share their weights, transposed: a free decoder would
    stretch what the encoder has contracted.

    Parameters
    ----------
    contraction : float, default 0.1
        Price :math:`w` in nats.
    projections : int, or None
        Random directions in which the Jacobian is estimated, for large codes; ``None``: exact.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Contractive Auto-Encoders: Explicit Invariance During Feature Extraction, Rifai, Vincent, Muller, Glorot and Bengio,
    2011, ICML.

    >>> from diabolo import ContractiveAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> ContractiveAutoencoder(epochs=1, random_state=0).fit(X).transform(X).shape
    (1797, 8)
    """

    contraction: float = within(default=0.1, low=0.0)
    projections: int | None = within(default=None, low=1)

    def recipe(self) -> Recipe:
        """A plain code at the price of its Jacobian, and tied weights."""
        architecture = as_part(Architecture, self.architecture or MLP(tied=True))
        return Recipe(Identity(), Contraction(self.contraction, self.projections), architecture=architecture)


@parameters
class RegularizedAutoencoder(Estimator):
    r"""A VAE without noise: :math:`\min\ \tfrac1n\sum_i\ell(x_i, g(z_i)) + a\,n_i + s\,r_i`.

    :math:`n_i = \tfrac12\lVert z_i\rVert^2` keeps codes together, :math:`r_i = \lVert\partial g/\partial z_i\rVert_F^2`
    keeps the decoder smooth between them: what noise does for a VAE. Nothing is drawn.

    Parameters
    ----------
    norm : float, default 0.1
        Price :math:`a` of a code's length, in nats.
    smoothness : float, default 0.01
        Price :math:`s` of the decoder's squared gradient, in nats.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    From Variational to Deterministic Autoencoders, Ghosh, Sajjadi, Vergari, Black and Schoelkopf, 2020,
    arXiv:1903.12436.

    >>> from diabolo import RegularizedAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> RegularizedAutoencoder(epochs=1, random_state=0).fit(X).transform(X).shape
    (1797, 8)
    """

    norm: float = within(default=0.1, low=0.0)
    smoothness: float = within(default=0.01, low=0.0)

    def recipe(self) -> Recipe:
        """A plain code at the price of its length and of the decoder's gradient."""
        return Recipe(Identity(), CodeNorm(self.norm) + DecoderSmoothness(self.smoothness))

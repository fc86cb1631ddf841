"""The autoencoder for pictures and signals."""

from __future__ import annotations

from typing import Any

from ..architectures import Conv
from ..bottlenecks import Identity
from ..core.kinds import Architecture
from ..core.objective import Recipe
from ..core.parts import as_part, parameters
from .base import Estimator


@parameters
class ConvAutoencoder(Estimator):
    r"""Convolutions to a short code and back: :math:`\min_{f,g}\ \tfrac1n\sum_i \ell\big(x_i,\, g(f(x_i))\big)`.

    What it learns about one place holds at every other. It needs data with positions: pictures, signals, volumes.
    ``architecture=Conv(hidden=None)`` makes the code itself a map, with ``code_size`` numbers at each position.

    Parameters
    ----------
    architecture : Architecture, str, or None
        ``None``: :class:`~diabolo.architectures.Conv` with its defaults.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    Raises
    ------
    ShapeError
        If the samples are rows of numbers without positions; an :class:`~diabolo.estimators.Autoencoder` takes these.

    References
    ----------
    Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction, Masci, Meier, Ciresan and Schmidhuber,
    2011, doi:10.1007/978-3-642-21735-7_7.

    >>> from diabolo import ConvAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images[:100]
    >>> ConvAutoencoder(code_size=4, epochs=1, random_state=0).fit(X).reconstruct(X).shape
    (100, 8, 8)
    """

    def recipe(self) -> Recipe:
        """A plain code between convolutions."""
        return Recipe(Identity(), architecture=as_part(Architecture, self.architecture or Conv()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags

"""The autoencoder whose parts are all free."""

from __future__ import annotations

from functools import partial

from ..bottlenecks import Identity
from ..core.kinds import Bottleneck, Corruption, Penalty
from ..core.objective import Recipe
from ..core.parts import as_part, parameters, within
from ..losses import Trimmed
from .base import Estimator


@parameters
class Autoencoder(Estimator):
    r"""Data to a short code and back: :math:`\min_{f,g}\ \tfrac1n\sum_i \ell\big(x_i,\, g(f(c(x_i)))\big) + p`.

    With the defaults, a plain undercomplete autoencoder; with parts of your choice, any other.

    Parameters
    ----------
    bottleneck : Bottleneck, str, or None
        What may pass; ``None``: :class:`~diabolo.bottlenecks.Identity` of ``code_size``.
    penalty : Penalty, str, or None
        What a code costs; ``None``: nothing.
    corruption : Corruption, str, or None
        What the encoder does not see while training; ``None``: it sees all.
    left_out : float in [0, 1), default 0
        Share of the rows of each step that do not count because they come back worst, for data that holds anomalies:
        :class:`~diabolo.losses.Trimmed`.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    References
    ----------
    Reducing the Dimensionality of Data with Neural Networks, Hinton and Salakhutdinov, 2006,
    doi:10.1126/science.1127647.

    >>> from diabolo import Autoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> ae = Autoencoder(code_size=4, epochs=2, random_state=0).fit(X)
    >>> ae.transform(X).shape, ae.reconstruct(X).shape
    ((1797, 4), (1797, 64))
    """

    bottleneck: Bottleneck | str | None = None
    penalty: Penalty | str | None = None
    corruption: Corruption | str | None = None
    left_out: float = within(default=0.0, low=0.0, high=1.0, below=True)

    def recipe(self) -> Recipe:
        """The parts as given."""
        return Recipe(
            Identity() if self.bottleneck is None else as_part(Bottleneck, self.bottleneck),
            None if self.penalty is None else as_part(Penalty, self.penalty),
            None if self.corruption is None else as_part(Corruption, self.corruption),
            objective=partial(Trimmed, share=self.left_out) if self.left_out else None,
        )

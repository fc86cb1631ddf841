"""The autoencoder of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..architectures import Recurrent
from ..bottlenecks import Identity
from ..core.objective import Recipe
from ..core.parts import choice, parameters, within
from ..data.modality import Modality
from ..data.sequences import Sequences, lengths_of
from ..data.source import Source
from .base import Estimator


@parameters
class SequenceAutoencoder(Estimator):
    r"""Reads a sequence to its end and tells it backwards: :math:`\min\ \tfrac1n\sum_i \ell\big(x_i, g(r(x_i))\big)`.

    :math:`r(x)` is the state of a recurrent network after the last step, and :math:`g` another one that is given the
    code at every step and emits the last step first. Steps that a shorter sequence lacks are neither read nor scored.

    Parameters
    ----------
    cell : {"lstm", "gru"}, default "gru"
        As in :class:`~diabolo.architectures.Recurrent`, which is the architecture unless another one is given.
    hidden : int, default 64
        Numbers in a state.
    longest : int, or None
        Steps that there is room for, so that longer sequences than those at fit can come later; ``None``: as many as
        the longest at fit has.
    batch_size : int, default 64
        Recurrent networks gain more from many small steps than others do.
    learning_rate : float, or None, default 0.02
        Of the first steps; Muon's usual 0.05 is too much for recurrent weights. Adam at 0.005 learns more slowly and,
        in long trainings on small sets, a little more.
    **others
        As in every estimator: :class:`~diabolo.estimators.base.Estimator`.

    Raises
    ------
    ShapeError
        If samples have more than two axes, or a sequence is longer than there is room for.

    References
    ----------
    Unsupervised Learning of Video Representations using LSTMs, Srivastava, Mansimov and Salakhutdinov, 2015,
    arXiv:1502.04681.

    >>> from diabolo import SequenceAutoencoder
    >>> import numpy as np
    >>> X = [np.sin(np.linspace(start, start + 3, 10 + start)) for start in range(30)]
    >>> model = SequenceAutoencoder(code_size=2, epochs=2, random_state=0).fit(X)
    >>> model.transform(X).shape, [len(back) for back in model.reconstruct(X)[:3]]
    ((30, 2), [10, 11, 12])
    """

    cell: str = choice("lstm", "gru", default="gru")
    hidden: int = within(default=64, low=1)
    longest: int | None = within(default=None, low=1)
    batch_size: int = within(default=64, low=1)
    learning_rate: float | None = within(default=0.02, low=0.0, high=1e30, above=True)

    def recipe(self) -> Recipe:
        """A plain code between two recurrent networks."""
        return Recipe(Identity(), architecture=Recurrent(self.cell, self.hidden))

    def _fit_modality(self, source: Source) -> Modality:
        """Rows of one length are sequences too: (rows, length) or (rows, length, channels)."""
        return Sequences.fit(source, self.scaling).with_room(self.longest)

    @torch.no_grad()
    def step_errors(self, X: Any) -> list[np.ndarray]:
        """Each step's mean squared error over its known channels, in the network's units.

        Returns
        -------
        list of ndarray of shape (length,)
            As long as the sequences themselves; NaN where nothing of a step is known.
        """
        source = self._open(X, reset=False)
        errors = []
        for trip in self.round_trips(source):
            known = torch.ones_like(trip.target) if trip.known is None else trip.known.to(trip.target)
            squares = ((self.expected(trip) - trip.target).square() * known).sum(-1)
            errors.append((squares / known.sum(-1)).cpu().numpy())
        rows = zip(np.concatenate(errors), lengths_of(source).tolist(), strict=True)
        return [row[len(row) - length :] for row, length in rows]

"""Cells that the encoder does not see at all."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.kinds import Corruption
from ..core.parts import parameters, within
from ..core.roundtrip import View


@parameters
class Masking(Corruption):
    r"""Hides each cell with a probability: :math:`c(x) = x \odot m,\ m \sim \mathrm{Bernoulli}(1 - p)`.

    Parameters
    ----------
    share : float in [0, 1), default 0.25
        Probability :math:`p` that a cell is hidden. A quarter is what the paper found to work across data sets.

    References
    ----------
    Extracting and Composing Robust Features with Denoising Autoencoders, Vincent, Larochelle, Bengio and Manzagol,
    2008, doi:10.1145/1390156.1390294.

    >>> view = Masking(0.5)(torch.ones(100, 100))
    >>> bool((view.values[view.hidden] == 0).all()), 0.45 < float(view.hidden.float().mean()) < 0.55
    (True, True)
    """

    share: float = within(default=0.25, low=0.0, high=1.0, below=True)

    def __call__(self, x: Tensor) -> View:
        hidden = torch.rand_like(x) < self.share
        return View(x.masked_fill(hidden, 0.0), hidden)

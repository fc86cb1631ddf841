"""Noise added to every cell."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.kinds import Corruption
from ..core.parts import parameters, within
from ..core.roundtrip import View


@parameters
class Clean(Corruption):
    """Leaves the data as it is: :math:`c(x) = x`.

    >>> Clean()(torch.ones(1, 2)).values.tolist()
    [[1.0, 1.0]]
    """

    def __call__(self, x: Tensor) -> View:
        return View(x)


@parameters
class GaussianNoise(Corruption):
    r"""Adds white noise: :math:`c(x) = x + \sigma\epsilon,\ \epsilon \sim N(0, 1)`.

    Parameters
    ----------
    scale : float, default 0.3
        Standard deviation in the units that the network sees: standard deviations for standardized columns, shares
        of the full range for pictures. 0.3 hides the detail of a picture and leaves its shape.

    References
    ----------
    Stacked Denoising Autoencoders, Vincent, Larochelle, Lajoie, Bengio and Manzagol, 2010, JMLR 11:3371.

    >>> x = torch.zeros(1000, 10)
    >>> 0.9 < float(GaussianNoise(1.0)(x).values.std()) < 1.1
    True
    """

    scale: float = within(default=0.3, low=0.0)

    def __call__(self, x: Tensor) -> View:
        return View(x + self.scale * torch.randn_like(x))

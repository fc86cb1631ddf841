"""Noise on the cells, one by one."""

from __future__ import annotations

from typing import Self

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


@parameters
class NoiseLevels(Corruption):
    r"""Adds white noise, to each row of a strength of its own: :math:`c(x) = x + \sigma\epsilon`.

    The logarithm of :math:`\sigma` is even between the two ends. Little noise teaches how cells belong together, much
    noise where data lies at all; a network that undoes both moves rows towards data from near and far, and so tells
    strange ones.

    Parameters
    ----------
    low, high : float, default 0.05 and 2
        The weakest and the strongest noise, standard deviations in the units that the network sees: from the detail of
        standardized columns to twice their spread.

    Raises
    ------
    ValueError
        If ``low`` is not below ``high``.

    References
    ----------
    Generative Modeling by Estimating Gradients of the Data Distribution, Song and Ermon, 2019, arXiv:1907.05600.

    >>> spread = NoiseLevels(0.1, 1.0)(torch.zeros(1000, 10)).values.std(1)
    >>> bool(spread.min() < 0.15), bool(spread.max() > 0.7)
    (True, True)
    """

    low: float = within(default=0.05, low=0.0, above=True)
    high: float = within(default=2.0, low=0.0)

    def check(self) -> Self:
        """Refuse what the fields do not allow, and an empty range."""
        super().check()
        refuse_empty_range("NoiseLevels", self.low, self.high)
        return self

    def __call__(self, x: Tensor) -> View:
        place = torch.rand(len(x), *(1,) * (x.ndim - 1), dtype=x.dtype, device=x.device)
        return View(x + self.low * (self.high / self.low) ** place * torch.randn_like(x))


@parameters
class ShiftedNoise(Corruption):
    r"""Adds noise that is not centered, and clips: :math:`c(x) = \min(\max(x + \mu + \sigma\epsilon, a), b)`.

    The classic noise of denoising tutorials, for data between 0 and 1. Because of the shift, the network has to learn
    an offset too, and what is clipped is lost for good.

    Parameters
    ----------
    mean : float, default 0.5
        The shift :math:`\mu`, in the units that the network sees; half of the range 0..1 turns black into gray.
    scale : float, default 0.4
        Standard deviation :math:`\sigma`, in the same units; with the default mean a tenth of the black pixels is
        clipped at either end.
    low, high : float, default 0 and 1
        What the result is clipped to, :math:`a < b`: the range of data brought to 0..1.

    Raises
    ------
    ValueError
        If ``low`` is not below ``high``.

    >>> noisy = ShiftedNoise()(torch.zeros(1000, 10)).values
    >>> float(noisy.min()), float(noisy.max()), 0.48 < float(noisy.mean()) < 0.52
    (0.0, 1.0, True)
    """

    mean: float = within(default=0.5)
    scale: float = within(default=0.4, low=0.0)
    low: float = within(default=0.0)
    high: float = within(default=1.0)

    def check(self) -> Self:
        """Refuse what the fields do not allow, and an empty range."""
        super().check()
        refuse_empty_range("ShiftedNoise", self.low, self.high)
        return self

    def __call__(self, x: Tensor) -> View:
        return View((x + self.mean + self.scale * torch.randn_like(x)).clamp(self.low, self.high))


@parameters
class SaltAndPepper(Corruption):
    r"""Sets cells to an extreme: :math:`c(x)_j = x_j` with :math:`1 - p`, and `low` or `high` with :math:`p/2` each.

    Unlike with masking, the encoder is not told which cells these are.

    Parameters
    ----------
    share : float in [0, 1), default 0.25
        Probability :math:`p` that a cell is set. A quarter is in the middle of what the paper tried.
    low, high : float, default 0 and 1
        Pepper and salt, in the units that the network sees: the ends of data brought to 0..1. For standardized
        columns, -2 and 2 are extremes.

    Raises
    ------
    ValueError
        If ``low`` is not below ``high``.

    References
    ----------
    Stacked Denoising Autoencoders, Vincent, Larochelle, Lajoie, Bengio and Manzagol, 2010, JMLR 11:3371.

    >>> SaltAndPepper(0.5)(torch.full((100, 100), 0.3)).values.unique()
    tensor([0.0000, 0.3000, 1.0000])
    """

    share: float = within(default=0.25, low=0.0, high=1.0, below=True)
    low: float = within(default=0.0)
    high: float = within(default=1.0)

    def check(self) -> Self:
        """Refuse what the fields do not allow, and an empty range."""
        super().check()
        refuse_empty_range("SaltAndPepper", self.low, self.high)
        return self

    def __call__(self, x: Tensor) -> View:
        draw = torch.rand_like(x)
        salted = x.masked_fill(draw < self.share, self.high)
        return View(salted.masked_fill(draw < self.share / 2, self.low))


def refuse_empty_range(owner: str, low: float, high: float) -> None:
    """Refuse ends of a range that are the wrong way round."""
    if low >= high:
        raise ValueError(f"{owner}: low came as {low} and high as {high}; low must be below high.")

"""Detail that is lost between neighbors, as in bad pictures and recordings."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import ShapeError
from ..core.kinds import Corruption, Shape
from ..core.parts import choice, parameters, within
from ..core.roundtrip import View

LAYOUTS = {1: "(positions, channels)", 2: "(height, width, channels)", 3: "(depth, height, width, channels)"}
POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
REACH = 3  # standard deviations, beyond which a Gaussian is nothing


@parameters
class Blur(Corruption):
    r"""Mixes each cell with its neighbors: :math:`c(x)_j = \sum_k w_k\,x_{j+k},\ w_k \propto e^{-k^2/2\sigma^2}`.

    Along each position axis in turn, each channel by itself. Beyond the edge, the outermost cell goes on.

    Parameters
    ----------
    scale : float, default 1
        Standard deviation :math:`\sigma` in cells (pixels, time steps). 1 takes the finest lines and leaves the shape.

    Raises
    ------
    ShapeError
        If a sample is not (positions, channels), (height, width, channels) or (depth, height, width, channels).

    >>> spike = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).view(1, 5, 1)
    >>> [round(value, 2) for value in Blur(0.5)(spike).values.flatten().tolist()]
    [0.0, 0.11, 0.79, 0.11, 0.0]
    """

    scale: float = within(default=1.0, low=0.0)

    def build(self, shape: Shape) -> Self:
        """Refuse cells that have no neighbors."""
        need_positions("Blur", shape)
        return self

    def __call__(self, x: Tensor) -> View:
        if self.scale == 0:
            return View(x)
        reach = math.ceil(REACH * self.scale)
        bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / self.scale) ** 2)
        weights: list[float] = (bell / bell.sum()).tolist()
        for axis in range(1, x.dim() - 1):
            x = mixed(x, axis, weights)
        return View(x)


@parameters
class Downscaling(Corruption):
    r"""Takes detail away: :math:`c(x) = \mathrm{up}_k(\mathrm{mean}_k(x))`, means of patches brought to the old size.

    What a network learns against it is to enlarge. Any size comes back as it was; the last patch along an axis is cut
    where the factor does not fit.

    Parameters
    ----------
    factor : int, default 2
        Side :math:`k` of a patch that becomes one cell. 2 is the least that loses something.
    interpolation : {"linear", "nearest"}, default "linear"
        Between the means (smooth) or each mean repeated (blocks). Linear is what viewers of pictures do.

    Raises
    ------
    ShapeError
        If a sample is not (positions, channels), (height, width, channels) or (depth, height, width, channels).

    >>> x = torch.tensor([0.0, 2.0, 4.0, 6.0, 8.0]).view(1, 5, 1)
    >>> Downscaling(interpolation="nearest")(x).values.flatten().tolist()
    [1.0, 1.0, 5.0, 5.0, 8.0]
    """

    factor: int = within(default=2, low=1)
    interpolation: str = choice("linear", "nearest", default="linear")

    def build(self, shape: Shape) -> Self:
        """Refuse cells that have no neighbors."""
        need_positions("Downscaling", shape)
        return self

    def __call__(self, x: Tensor) -> View:
        rank = x.dim() - 2
        sides = [min(self.factor, length) for length in x.shape[1:-1]]
        small = POOLS[rank](x.movedim(-1, 1), sides, ceil_mode=True)
        mode = LINEAR[rank] if self.interpolation == "linear" else "nearest"
        large = F.interpolate(small, scale_factor=[float(side) for side in sides], mode=mode).movedim(1, -1)
        return View(large[tuple(slice(length) for length in x.shape)])


def mixed(x: Tensor, axis: int, weights: list[float]) -> Tensor:
    """Weighted means of neighbors along an axis; the outermost cell goes on beyond the edge."""
    length, reach = x.shape[axis], len(weights) // 2
    places = torch.arange(-reach, length + reach, device=x.device).clamp(0, length - 1)
    wide = x.index_select(axis, places)
    total = torch.zeros_like(x)
    for start, weight in enumerate(weights):
        total.add_(wide.narrow(axis, start, length), alpha=weight)
    return total


def need_positions(what: str, shape: Shape, *ranks: int) -> None:
    """Refuse samples that have not one of ``ranks`` position axes before their channels; by default, 1 to 3.

    >>> need_positions("Rotation", (6,), 2)
    Traceback (most recent call last):
    diabolo.core.errors.ShapeError: Rotation needs samples of (height, width, channels); these have shape (6,). ...
    """
    fits = ranks or tuple(LAYOUTS)
    if len(shape) - 1 not in fits:
        possible = " or ".join(LAYOUTS[rank] for rank in fits)
        raise ShapeError(
            f"{what} needs samples of {possible}; these have shape {shape}. "
            "GaussianNoise, Masking and Permutation take any shape."
        )

"""Cells that stand in another place; the same place for every row, so that it can be learned."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.kinds import Corruption, Shape
from ..core.parts import choice, parameters, within
from ..core.roundtrip import View
from .degrading import need_positions

AXES = {"left-right": -2, "up-down": -3, "front-back": -4}


@parameters
class Permutation(Corruption):
    r"""Puts the cells into another order, one for all rows: :math:`c(x)_j = x_{\pi(j)}`.

    Nothing is lost, but neighborhood is: what a convolution relies on and a dense layer does not.

    Parameters
    ----------
    seed : int, default 0
        Decides the permutation :math:`\pi`: the same for every batch, process and device.

    References
    ----------
    An Empirical Investigation of Catastrophic Forgetting in Gradient-Based Neural Networks, Goodfellow, Mirza, Xiao,
    Courville and Bengio, 2013, arXiv:1312.6211.

    >>> Permutation(seed=1).build((4,))(torch.tensor([[0.0, 1.0, 2.0, 3.0]])).values.sort().values.tolist()
    [[0.0, 1.0, 2.0, 3.0]]
    """

    seed: int = within(default=0, low=0)

    def build(self, shape: Shape) -> Self:
        """Draw the order, from the seed alone."""
        self.order = torch.randperm(math.prod(shape), generator=torch.Generator().manual_seed(self.seed))
        return self

    def __call__(self, x: Tensor) -> View:
        self.order = self.order.to(x.device)
        return View(x.flatten(1).index_select(1, self.order).view_as(x))


@parameters
class Rotation(Corruption):
    r"""Turns pictures about their middle: :math:`c(x)(u) = x(R_\alpha^\top u)`, between pixels linearly.

    As if the picture lay on an endless canvas of zeros, were turned there and cut out again at its old size: only
    what leaves the frame at the corners is lost.

    Parameters
    ----------
    angle : float, default 15
        :math:`\alpha` in degrees, counterclockwise. 15 moves the rim of a digit by its stroke and loses no ink.

    Raises
    ------
    ShapeError
        If a sample is no picture of (height, width, channels).

    >>> Rotation(90).build((2, 2, 1))(torch.arange(4.0).view(1, 2, 2, 1)).values.flatten().round().tolist()
    [1.0, 3.0, 0.0, 2.0]
    """

    angle: float = within(default=15.0)

    def build(self, shape: Shape) -> Self:
        """Find the place that each pixel is read from, in shares of half a side from the middle."""
        need_positions("Rotation", shape, 2)
        height, width, _ = shape
        down = torch.arange(height, dtype=torch.float64)[:, None] - (height - 1) / 2
        right = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        across, along = (right * cosine - down * sine) * 2 / width, (right * sine + down * cosine) * 2 / height
        self.places = torch.stack([across, along], dim=-1).float()
        return self

    def __call__(self, x: Tensor) -> View:
        self.places = self.places.to(x.device)
        places = self.places.to(x.dtype).expand(len(x), -1, -1, -1)
        turned = F.grid_sample(x.movedim(-1, 1), places, mode="bilinear", padding_mode="zeros", align_corners=False)
        return View(turned.movedim(1, -1))


@parameters
class Mirror(Corruption):
    r"""Turns an axis around: :math:`c(x)_j = x_{n+1-j}`.

    Parameters
    ----------
    axis : {"left-right", "up-down", "front-back"}, default "left-right"
        Which of the positions: the last (width, or time of a signal), the last but one (height), the one before
        (depth). Left-right is the mirror on the wall.

    Raises
    ------
    ShapeError
        If a sample has no such axis: a table row has none at all.

    >>> Mirror()(torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1)).values.flatten().tolist()
    [3.0, 2.0, 1.0]
    """

    axis: str = choice(*AXES, default="left-right")

    def build(self, shape: Shape) -> Self:
        """Refuse samples that have no such axis."""
        need_positions(f"Mirror({self.axis!r})", shape, *range(-AXES[self.axis] - 1, 4))
        return self

    def __call__(self, x: Tensor) -> View:
        return View(x.flip(AXES[self.axis]))

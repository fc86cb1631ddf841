"""Losses that compare pictures as an eye does, or as a network does: by their surroundings, not pixel by pixel.

They are no likelihoods, so their numbers are not nats. Each is a mean per cell times the number of cells, which makes
it as large as a summed error, so that a penalty's weight means about the same beside it.
"""

from __future__ import annotations

import copy
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import ShapeError
from ..core.kinds import Shape
from ..core.parts import Absent, choice, parameters, within
from ..core.roundtrip import RoundTrip
from .pointwise import LINKS, Linked

WINDOW = 11
BLUR = 1.5
STEADY_MEAN, STEADY_SPREAD = 0.01**2, 0.03**2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_SIMILARITY = 1e-3
SMALLEST_SIDE = 3


def refuse_other_than_pictures(shape: Shape, name: str) -> None:
    """Whoever compares surroundings needs pictures that have some."""
    if len(shape) != 3 or min(shape[:2]) < SMALLEST_SIDE:
        raise ShapeError(
            f"{name} compares pictures (height, width, channels) of at least {SMALLEST_SIDE} x {SMALLEST_SIDE}; these "
            f"samples have shape {tuple(shape)}. Reshape rows of pixels, X.reshape(-1, height, width), or use "
            "SquaredError, which takes any shape."
        )


def window_size(shape: Shape) -> int:
    """The side of the window: 11, but at most about half the picture's shorter side, and odd.

    >>> [window_size((side, side, 1)) for side in (256, 28, 8, 3)]
    [11, 11, 5, 3]
    """
    return min(WINDOW, max(SMALLEST_SIDE, (min(shape[:2]) // 2) // 2 * 2 + 1))


def blur(side: int, size: int) -> Tensor:
    """The matrix that takes a row of pixels to Gaussian-weighted means over windows: ``(side - size + 1, side)``."""
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = (-((offsets * WINDOW / (BLUR * size)) ** 2) / 2).exp()
    rows = torch.zeros(side - size + 1, side, dtype=torch.float64)
    for place, row in enumerate(rows):
        row[place : place + size] = weights / weights.sum()
    return rows.float()


def similarity(a: Tensor, b: Tensor, down: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    """How alike windows are in mean, and in contrast and structure: each ``(batch, channels, windows, windows)``."""
    planes = torch.stack([a, b, a * a + b * b, a * b])
    mean_a, mean_b, squares, product = down.to(a) @ planes @ across.to(a).mT
    means, both = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
    luminance = (2 * both + STEADY_MEAN) / (means + STEADY_MEAN)
    structure = (2 * (product - both) + STEADY_SPREAD) / (squares - means + STEADY_SPREAD)
    return luminance, structure


class Perceptual(Linked, ABC):
    """A loss that judges whole samples; where the data is missing, output and target are made alike."""

    mix: float

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        output, target = self.mean(trip.output), trip.target
        if trip.known is not None:
            output = torch.where(trip.known, output, target)
        return target[0].numel() * self.distance(output, target)

    @abstractmethod
    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        """What is lost per cell: ``(batch,)``."""


@parameters
class StructuralSimilarity(Perceptual):
    r"""How unlike pictures look: :math:`n\,\big((1-m)\,(1-\mathrm{SSIM}) + m\,\overline{|x - \hat x|}\big)`.

    .. math:: \mathrm{SSIM} = \overline{\frac{2\mu_x\mu_y + c_1}{\mu_x^2 + \mu_y^2 + c_1}\,
              \frac{2\sigma_{xy} + c_2}{\sigma_x^2 + \sigma_y^2 + c_2}}

    over Gaussian windows of 11 x 11 pixels and deviation 1.5, both smaller in proportion where the shorter side has
    less than 20 pixels; :math:`n` is the number of cells. Pictures must lie between 0 and 1. Not in nats: identical
    pictures cost 0, unrelated ones about :math:`n`.

    Parameters
    ----------
    mix : float in [0, 1], default 0.16
        The share :math:`m` of the mean absolute error, which keeps brightness and the border, where windows are few,
        in place. The default is that of the reference, at which both parts weigh about the same.

    Raises
    ------
    ShapeError
        If samples are no pictures (height, width, channels) of at least 3 x 3.

    References
    ----------
    Image Quality Assessment: From Error Visibility to Structural Similarity, Wang, Bovik, Sheikh and Simoncelli, 2004,
    doi:10.1109/TIP.2003.819861.
    Loss Functions for Image Restoration with Neural Networks, Zhao, Gallo, Frosio and Kautz, 2017, arXiv:1511.08861
    (the mix).

    >>> loss = StructuralSimilarity().build((8, 8, 1))
    >>> picture = torch.rand(2, 8, 8, 1)
    >>> bool(loss.distance(picture, picture).abs().max() < 1e-6), bool(loss.distance(picture, 1 - picture).min() > 0.5)
    (True, True)
    """

    link = "sigmoid"

    mix: float = within(default=0.16, low=0.0, high=1.0)

    def build(self, shape: Shape) -> Self:
        """Make the windows."""
        refuse_other_than_pictures(shape, type(self).__name__)
        self.size = window_size(shape)
        for scale in range(self.scales(shape)):
            for axis, name in enumerate(("down", "across")):
                self.register_buffer(f"{name}_{scale}", blur(shape[axis] >> scale, self.size), persistent=False)
        return self

    def scales(self, shape: Shape) -> int:
        """At how many sizes pictures are compared."""
        return 1

    def compare(self, a: Tensor, b: Tensor, scale: int = 0) -> tuple[Tensor, Tensor]:
        """How alike windows are at a scale, in mean, and in contrast and structure."""
        return similarity(a, b, self.get_buffer(f"down_{scale}"), self.get_buffer(f"across_{scale}"))

    def likeness(self, a: Tensor, b: Tensor) -> Tensor:
        """The similarity of pictures ``(batch, channels, height, width)``, 1 where they are the same: ``(batch,)``."""
        luminance, structure = self.compare(a, b)
        return (luminance * structure).flatten(1).mean(1)

    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        """What is lost per cell: ``(batch,)``."""
        unlike = 1 - self.likeness(output.movedim(-1, 1), target.movedim(-1, 1))
        return (1 - self.mix) * unlike + self.mix * (output - target).abs().flatten(1).mean(1)


@parameters
class MultiScaleSimilarity(StructuralSimilarity):
    r"""How unlike pictures look from near and far: :class:`StructuralSimilarity` with MS-SSIM in place of SSIM.

    .. math:: \textrm{MS-SSIM} = l_M^{\beta_M} \prod_{j=1}^M (cs)_j^{\beta_j}

    where scale :math:`j` has half the side of the one before, :math:`cs` is the mean of contrast and structure and
    :math:`l` that of luminance (at the last scale, the mean of their product). There are five scales where the picture
    has 176 pixels a side, and else as many as the window fits into, of weights in the same proportions: two for
    28 x 28. Pictures must lie between 0 and 1. Not in nats.

    Parameters
    ----------
    mix : float in [0, 1], default 0.16
        The share of the mean absolute error.

    Raises
    ------
    ShapeError
        If samples are no pictures (height, width, channels) of at least 3 x 3.

    References
    ----------
    Multiscale structural similarity for image quality assessment, Wang, Simoncelli and Bovik, 2003,
    doi:10.1109/ACSSC.2003.1292216.
    Loss Functions for Image Restoration with Neural Networks, Zhao, Gallo, Frosio and Kautz, 2017, arXiv:1511.08861
    (the mix).

    >>> [MultiScaleSimilarity().scales((side, side, 3)) for side in (8, 28, 64, 176)]
    [1, 2, 3, 5]
    """

    mix: float = within(default=0.16, low=0.0, high=1.0)

    def scales(self, shape: Shape) -> int:
        """As many as the window fits into."""
        return min(len(SCALE_WEIGHTS), int(math.log2(min(shape[:2]) // window_size(shape))) + 1)

    def likeness(self, a: Tensor, b: Tensor) -> Tensor:
        """The similarity of pictures ``(batch, channels, height, width)``, 1 where they are the same: ``(batch,)``."""
        count = self.scales((*a.shape[2:], a.shape[1]))
        product = torch.ones_like(a[:, :, 0, 0])
        for scale, weight in enumerate(SCALE_WEIGHTS[:count]):
            luminance, structure = self.compare(a, b, scale)
            alike = (structure * luminance if scale == count - 1 else structure).mean((2, 3))
            # Unlike structure is negative, which has no root.
            product = product * alike.clamp_min(SMALLEST_SIMILARITY) ** (weight / sum(SCALE_WEIGHTS[:count]))
            a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
        return product.mean(1)


class Edges(nn.Module):
    """Slopes across and down (Sobel) and the Laplacian of each channel: all say 1 at a step from 0 to 1."""

    def forward(self, pictures: Tensor) -> Tensor:
        """``(batch, height, width, channels) -> (batch, channels, 3, height - 2, width - 2)``."""
        x = pictures.movedim(-1, 1)
        rows = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
        columns = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
        across, down = rows[..., 2:] - rows[..., :-2], columns[..., 2:, :] - columns[..., :-2, :]
        around = rows[..., 1:-1] + columns[..., 1:-1, :] - 8 * x[..., 1:-1, 1:-1]
        return torch.stack([across / 4, down / 4, around], dim=2)


@parameters
class FeatureError(Perceptual):
    r"""How unlike samples are to a network: their features' squared error and, in a small share, their own.

    .. math:: \tfrac n2 \big((1-m)\,\overline{(\phi(x) - \phi(\hat x))^2} + m\,\overline{(x - \hat x)^2}\big)

    The features :math:`\phi` are of a network that is given, and stays as it is: a frozen copy of it judges, which is
    neither trained nor written to the model file. Means are over the features (first of each layer, then over layers)
    and over the :math:`n` cells. Not in nats.

    Parameters
    ----------
    network : nn.Module, or None
        Takes ``(batch, *shape)`` in the network's units, channels last, and gives features, or a list of features of
        several layers, each ``(batch, ...)``. A model that is loaded from a file lacks it: it encodes and reconstructs
        as before, and scores once it is given again. ``None``: slopes and Laplacian of pictures, without a download.
    link : {"sigmoid", "identity"}, default "sigmoid"
        Pictures lie between 0 and 1; ``"identity"`` is for data that does not.
    mix : float in [0, 1], default 0.1
        The share :math:`m` of the squared error, since features may be blind to brightness and the like.

    Raises
    ------
    ShapeError
        If the network cannot read the samples; if there is none, and they are no pictures.

    References
    ----------
    Perceptual Losses for Real-Time Style Transfer and Super-Resolution, Johnson, Alahi and Fei-Fei, 2016,
    arXiv:1603.08155.

    >>> loss = FeatureError(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), link="identity").build((4,))
    >>> len(list(loss.parameters())), loss.distance(torch.zeros(2, 4), torch.ones(2, 4)).shape
    (0, torch.Size([2]))
    """

    network: nn.Module | None = None
    link: str = choice(*LINKS, default="sigmoid")
    mix: float = within(default=0.1, low=0.0, high=1.0)

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep the network out of what torch trains, saves and moves; one that is given anew judges at once."""
        if name != "network":
            super().__setattr__(name, value)
            return
        vars(self)["network"] = value
        if "judge" in vars(self):
            self.build(self.shape)

    def check(self) -> Self:
        """Refuse a network that is none."""
        if not (self.network is None or isinstance(self.network, nn.Module)):
            raise TypeError(
                f"FeatureError: network came as {self.network!r}; it must be an nn.Module that makes features of "
                "(batch, *shape), or None for edges."
            )
        return super().check()

    def build(self, shape: Shape) -> Self:
        """Make the frozen copy that judges, and let it see an empty sample."""
        if self.network is None:
            refuse_other_than_pictures(shape, "FeatureError without a network")
        judge = Edges() if self.network is None else copy.deepcopy(self.network)
        self.shape = tuple(shape)
        vars(self)["judge"] = judge.eval().requires_grad_(False)
        if not isinstance(judge, Absent):
            weight = next(itertools.chain(judge.parameters(), judge.buffers()), torch.zeros(()))
            try:
                self.features(torch.zeros(1, *self.shape, device=weight.device))
            except (RuntimeError, ValueError, IndexError) as error:
                raise ShapeError(
                    f"{type(judge).__name__} makes no features of samples of shape {self.shape}: {error}. "
                    "It gets (batch, *shape) with channels last; put a layer before it that rearranges them."
                ) from error
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Take the judge along to another device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if "judge" in vars(self):
            vars(self)["judge"]._apply(fn)
        return self

    def features(self, x: Tensor) -> list[Tensor]:
        """What the judge sees in samples, layer by layer."""
        found = vars(self)["judge"](x)
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        """What is lost per cell: ``(batch,)``."""
        with torch.no_grad():
            wanted = self.features(target)
        layers = [
            (here - there).square().flatten(1).mean(1)
            for here, there in zip(self.features(output), wanted, strict=True)
        ]
        pointwise = (output - target).square().flatten(1).mean(1)
        return ((1 - self.mix) * torch.stack(layers).mean(0) + self.mix * pointwise) / 2

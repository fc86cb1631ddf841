"""Losses that compare cell by cell."""

from __future__ import annotations

import math
from abc import ABC
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..core.kinds import Loss, Shape
from ..core.parts import choice, parameters
from ..core.roundtrip import RoundTrip

LINKS = ("identity", "sigmoid")
LARGEST_WHOLE = 2.0**24  # above it float32 skips whole numbers
LARGEST_LOGARITHM = math.log(LARGEST_WHOLE)
SMALLEST_POSITIVE = 1e-4


def linked(output: Tensor, link: str) -> Tensor:
    """The data that an output stands for: itself, or its sigmoid for data between 0 and 1."""
    return output.sigmoid() if link == "sigmoid" else output


def unlinked(mean: Tensor, link: str) -> Tensor:
    """The output that stands for ``mean``; kept away from 0 and 1, where a sigmoid learns nothing any more."""
    return mean.clamp(1e-3, 1 - 1e-3).logit() if link == "sigmoid" else mean


def log_positive(output: Tensor) -> Tensor:
    """The logarithm of the positive number that an output stands for: the output itself, flatter where that is huge."""
    beyond = (output - LARGEST_LOGARITHM).clamp_min(0.0)
    return output.clamp_max(LARGEST_LOGARITHM) + beyond.log1p()


def positive(output: Tensor) -> Tensor:
    """The positive number that an output stands for: its exponential, which goes on straight where that is huge."""
    return log_positive(output).exp()


def unpositive(value: Tensor) -> Tensor:
    """The output that stands for a positive number; kept away from 0, which no output reaches."""
    beyond = (value / LARGEST_WHOLE - 1).clamp_min(0.0)
    return value.clamp(SMALLEST_POSITIVE, LARGEST_WHOLE).log() + beyond


def twice(shape: Shape) -> Shape:
    """The shape of two numbers per cell, one after the other along the last axis."""
    return (*shape[:-1], 2 * shape[-1])


class Linked(Loss, ABC):
    """A loss whose output is the data itself, or its logit where a sigmoid keeps it between 0 and 1."""

    link: str

    @property
    def needs_unit(self) -> bool:
        """A sigmoid reaches nothing else."""
        return self.link == "sigmoid"

    def mean(self, output: Tensor) -> Tensor:
        """What the output expects."""
        return linked(output, self.link)

    def unlink(self, mean: Tensor) -> Tensor:
        """The output that expects ``mean``."""
        return unlinked(mean, self.link)


class SummedSquares(torch.autograd.Function):
    """Each sample's summed squared error, with its gradient in one pass: a third of the loss's time on pictures."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, target: Tensor, known: Tensor | None, link: str) -> Tensor:
        """``(batch, *shape) -> (batch,)``."""
        mean = linked(output, link)
        difference = mean - target
        if known is not None:
            difference = difference.mul_(known)
        ctx.link = link
        ctx.save_for_backward(difference, *([mean] if link == "sigmoid" else []))
        # One pass over the cells; a product summed afterwards would take two and as much memory again.
        return torch.linalg.vector_norm(difference.flatten(1), dim=1).square_()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """Twice the difference, through the link's slope."""
        difference, *means = ctx.saved_tensors
        outward = difference * (2 * gradient).view(-1, *[1] * (difference.ndim - 1))
        if ctx.link == "sigmoid":
            outward = torch.ops.aten.sigmoid_backward(outward, means[0])
        return outward, None, None, None


def squared_error(trip: RoundTrip, link: str) -> Tensor:
    """The summed squared error of each sample's known cells: ``(batch,)``."""
    summed: Tensor = SummedSquares.apply(trip.output, trip.target, trip.known, link)  # type: ignore[no-untyped-call]
    return summed


@parameters
class SquaredError(Linked):
    r"""Half the squared error, :math:`\tfrac12\sum_j (x_j - \hat x_j)^2`: a Gaussian of variance 1, less its constant.

    Parameters
    ----------
    link : {"identity", "sigmoid"}, default "identity"
        ``"sigmoid"`` keeps reconstructions between 0 and 1, for pictures and other data with these bounds.

    >>> import torch
    >>> from diabolo import MLP, Clean, Identity
    >>> from diabolo.core import Network
    >>> SquaredError()(Network((4,), MLP(), Identity(2), Clean())(torch.zeros(3, 4))).shape
    torch.Size([3])
    """

    link: str = choice(*LINKS, default="identity")

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        return squared_error(trip, self.link) / 2

"""No hidden layer at all."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..core.kinds import Architecture, Shape
from ..core.parts import parameters
from .layers import cells


@parameters
class Linear(Architecture):
    r"""Features are the data, and the decoder is one matrix: :math:`g(z) = Vz + b`.

    With an :class:`~diabolo.bottlenecks.Identity` bottleneck and squared error its optimum is the subspace of
    principal components.

    Parameters
    ----------
    bias : bool, default True
        Whether the decoder has an offset :math:`b`; data that is centered needs none.

    References
    ----------
    Neural Networks and Principal Component Analysis, Baldi and Hornik, 1989, doi:10.1016/0893-6080(89)90014-2.

    >>> encoder, width = Linear().encoder((8, 8))
    >>> width, Linear().decoder(2, (8, 8))(torch.zeros(1, 2)).shape
    (64, torch.Size([1, 8, 8]))
    """

    bias: bool = True

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """Flatten: ``(batch, *shape) -> (batch, cells)``."""
        return nn.Flatten(), cells(shape)

    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """One matrix: ``(batch, size) -> (batch, *shape)``."""
        return nn.Sequential(nn.Linear(size, cells(shape), bias=self.bias), nn.Unflatten(1, shape))

    def start(self, decoder: nn.Module, output: Tensor) -> None:
        """Begin at the mean, where there is an offset."""
        begin_at(decoder, output)


def begin_at(decoder: nn.Module, output: Tensor) -> None:
    """Set the bias of a decoder's last layer, so that its outputs begin around ``output``."""
    biases = [getattr(module, "bias", None) for module in decoder.modules()]
    own = [bias for bias in biases if isinstance(bias, nn.Parameter)][-1:]
    for bias in own:
        if bias.shape == (output.numel(),):
            with torch.no_grad():
                bias.copy_(output.flatten())

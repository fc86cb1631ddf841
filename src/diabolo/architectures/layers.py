"""Layers that the architectures share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.activations import ACTIVATIONS
from ..core.errors import ShapeError
from ..core.kinds import Shape


def cells(shape: Shape) -> int:
    """How many numbers a sample holds; refuses empty samples.

    >>> cells((28, 28))
    784
    """
    count = int(torch.Size(shape).numel())
    if count == 0:
        raise ShapeError(f"A sample of shape {shape} holds no numbers.")
    return count


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization that takes a batch of one: it then uses the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, width) -> (batch, width)``."""
        if self.training and x.shape[0] == 1:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda width: nn.Identity(),
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
    "batch": BatchNorm,
}


class Dense(nn.Module):
    r"""A layer of an MLP: :math:`y = a(\mathrm{norm}(Wx + b))`, plus a shortcut :math:`Sx` where it is residual.

    Parameters
    ----------
    width_in, width_out : int
    activation, normalization : str
        Names from ``ACTIVATIONS`` and ``NORMALIZATIONS``.
    residual : bool
        Add the input, through a linear map where the widths differ.
    dropout : float
        Probability that an output is zeroed while training.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        activation: str,
        normalization: str = "none",
        residual: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.linear: nn.Module = nn.Linear(width_in, width_out)
        after = [NORMALIZATIONS[normalization](width_out), ACTIVATIONS[activation](), nn.Dropout(dropout)]
        wanted = [normalization != "none", activation != "identity", dropout > 0]
        self.after = nn.Sequential(*(module for module, want in zip(after, wanted, strict=True) if want))
        self.shortcut: nn.Module | None = None
        if residual:
            equal = width_in == width_out
            self.shortcut = nn.Identity() if equal else nn.Linear(width_in, width_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, width_in) -> (batch, width_out)``."""
        y = self.linear(x)
        for module in self.after:
            y = module(y)
        return y if self.shortcut is None else y + self.shortcut(x)


class Transposed(nn.Module):
    """A linear layer whose weights are another's, transposed; only the bias is its own.

    The other layer is held in a tuple, so that its weights are listed, moved and saved once.

    Parameters
    ----------
    source : nn.Linear
        The layer whose weights are used.
    rows : int
        How many of its outputs go backwards; a Gaussian bottleneck puts means first, log variances after.
    """

    def __init__(self, source: nn.Linear, rows: int) -> None:
        super().__init__()
        self.source, self.rows = (source,), rows
        self.bias = nn.Parameter(torch.zeros(source.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, rows) -> (batch, source.in_features)``."""
        return functional.linear(x, self.source[0].weight[: self.rows].t(), self.bias)

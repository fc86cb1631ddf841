"""No hidden layer at all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..core.kinds import Architecture, Shape
from ..core.network import ViewEncoder
from ..core.parts import parameters
from ..core.roundtrip import View
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


class Completing(ViewEncoder):
    r"""Puts what the known cells let expect where cells are hidden: :math:`A_h (A_k^\top A_k + I)^{-1} A_k^\top x_k`.

    That is :math:`E[x_h \mid x_k]` of a Gaussian with the covariance :math:`\sigma^2 (A A^\top + I)` around its center,
    in which :math:`k` are the known cells of a row and :math:`h` those that are hidden. Whole rows pass as they are.
    Untaught, :math:`A = 0`: what is hidden counts as 0, as for every other encoder (model files of 0.1.0 hold no more).

    Parameters
    ----------
    width : int
        Cells of a row.
    size : int
        Columns of :math:`A`.

    >>> encoder = Completing(2, 1)
    >>> encoder.teach(torch.zeros(2), 10 * torch.ones(2, 1))
    >>> encoder(View(torch.tensor([[3.0, 0.0]]), torch.tensor([[False, True]]))).round(decimals=1).tolist()
    [[3.0, 3.0]]
    """

    center: Tensor
    loadings: Tensor

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("loadings", torch.zeros(width, size))

    def teach(self, center: Tensor, loadings: Tensor) -> None:
        """Take the center ``(cells,)`` and :math:`A` ``(cells, size)``."""
        self.center.copy_(center)
        self.loadings.copy_(loadings)

    def forward(self, view: View) -> Tensor:
        """``(batch, *shape) -> (batch, cells)``, complete."""
        values = view.values.flatten(1)
        if view.hidden is None:
            return values
        hidden = view.covered().flatten(1)
        return torch.where(hidden, self.expected(values, hidden), values)

    def expected(self, values: Tensor, hidden: Tensor) -> Tensor:
        """What the known cells of rows let expect of all: ``(batch, cells)``."""
        center, loadings = self.center.double(), self.loadings.double()
        rest = (values.double() - center).masked_fill(hidden, 0.0) @ loadings
        patterns, which = torch.unique(hidden, dim=0, return_inverse=True)
        codes = torch.zeros_like(rest)
        for place, pattern in enumerate(patterns):  # rows with the same holes share a matrix
            if pattern.any():
                known = loadings[~pattern]
                matrix = known.T @ known + torch.eye(known.shape[1], dtype=known.dtype, device=known.device)
                codes[which == place] = torch.linalg.solve(matrix, rest[which == place].T).T
        return (center + codes @ loadings.T).to(values.dtype)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *others: Any) -> None:
        for name, untaught in self.named_buffers():
            state_dict.setdefault(prefix + name, untaught)
        super()._load_from_state_dict(state_dict, prefix, *others)


def begin_at(decoder: nn.Module, output: Tensor) -> None:
    """Set the bias of a decoder's last layer, so that its outputs begin around ``output``."""
    biases = [getattr(module, "bias", None) for module in decoder.modules()]
    own = [bias for bias in biases if isinstance(bias, nn.Parameter)][-1:]
    for bias in own:
        if bias.shape == (output.numel(),):
            with torch.no_grad():
                bias.copy_(output.flatten())

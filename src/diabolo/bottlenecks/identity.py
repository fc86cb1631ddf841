"""A bottleneck that is narrow, and nothing else."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from ..core.activations import ACTIVATIONS
from ..core.codes import Code
from ..core.kinds import Bottleneck
from ..core.parts import choice, parameters, within


@parameters
class Identity(Bottleneck):
    r"""A linear projection to the code, and a curve if one is wanted: :math:`z = a(Wh + b)`.

    Parameters
    ----------
    size : int, or None
        Channels of the code; ``None`` takes the estimator's ``code_size``.
    activation : str, default "identity"
        The curve :math:`a`. Without one the code takes any value; ``"relu"`` or ``"sigmoid"`` make a classic hidden
        layer of it.
    bias : bool, default True
        Whether there is an offset :math:`b`.

    >>> import torch
    >>> Identity(2).build(5)(torch.zeros(3, 5)).values.shape
    torch.Size([3, 2])
    """

    size: int | None = within(default=None, low=1)
    activation: str = choice(*ACTIVATIONS, default="identity")
    bias: bool = True

    def build(self, width: int) -> Self:
        """Make the projection."""
        assert self.size is not None
        self.project = nn.Linear(width, self.size, bias=self.bias)
        self.curve = ACTIVATIONS[self.activation]()
        return self

    def forward(self, features: Tensor) -> Code:
        """``(..., width) -> Code`` of ``(..., size)``."""
        return Code(self.curve(self.project(features)))

"""A bottleneck that is narrow, and nothing else."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from ..core.codes import Code
from ..core.kinds import Bottleneck
from ..core.parts import parameters, within


@parameters
class Identity(Bottleneck):
    """A linear projection to the code: :math:`z = Wh + b`.

    Parameters
    ----------
    size : int, or None
        Channels of the code; ``None`` takes the estimator's ``code_size``.

    >>> import torch
    >>> Identity(2).build(5)(torch.zeros(3, 5)).values.shape
    torch.Size([3, 2])
    """

    size: int | None = within(default=None, low=1)

    def build(self, width: int) -> Self:
        """Make the projection."""
        assert self.size is not None
        self.project = nn.Linear(width, self.size)
        return self

    def forward(self, features: Tensor) -> Code:
        """``(..., width) -> Code`` of ``(..., size)``."""
        return Code(self.project(features))

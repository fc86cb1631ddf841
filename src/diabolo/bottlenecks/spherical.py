"""Codes on the unit sphere: only their direction counts."""

from __future__ import annotations

from typing import ClassVar, Self

from torch import Tensor, nn
from torch.nn import functional

from ..core.codes import Code, SphericalCode
from ..core.kinds import Bottleneck
from ..core.parts import parameters, within


@parameters
class Spherical(Bottleneck):
    r"""A projection to the unit sphere: :math:`z = (Wh + b) / \lVert Wh + b\rVert`.

    Parameters
    ----------
    size : int of at least 2, or None
        Channels of the code, whose length is 1; ``None`` takes the estimator's ``code_size``.

    Raises
    ------
    ValueError
        If the size is 1: two points are no sphere to move on.

    References
    ----------
    Hyperspherical Variational Auto-Encoders, Davidson, Falorsi, De Cao, Kipf and Tomczak, 2018, arXiv:1804.00891.

    >>> import torch
    >>> bool((Spherical(3).build(5)(torch.randn(9, 5)).values.norm(dim=-1) - 1).abs().max() < 1e-5)
    True
    """

    size: int | None = within(default=None, low=2)

    def build(self, width: int) -> Self:
        """Make the projection."""
        self.project = nn.Linear(width, at_least_two(self.size))
        return self

    def forward(self, features: Tensor) -> Code:
        """``(..., width) -> Code`` of ``(..., size)``."""
        return Code(functional.normalize(self.project(features), dim=-1))


@parameters
class PowerSpherical(Bottleneck):
    r"""A distribution on the unit sphere per sample: :math:`q(z) \propto (1 + \mu(h)^\top z)^{\kappa(h)}`.

    Much like von Mises and Fisher's, but drawn from without rejections and with a closed-form entropy.

    Parameters
    ----------
    size : int of at least 2, or None
        Channels of the code, whose length is 1; ``None`` takes the estimator's ``code_size``.

    Raises
    ------
    ValueError
        If the size is 1: two points are no sphere to move on.

    References
    ----------
    The Power Spherical distribution, De Cao and Aziz, 2020, arXiv:2006.04437.

    >>> import torch
    >>> code = PowerSpherical(3).build(5)(torch.randn(2, 5))
    >>> code.direction.shape, code.concentration.shape
    (torch.Size([2, 3]), torch.Size([2, 1]))
    """

    gives: ClassVar[type[Code]] = SphericalCode
    size: int | None = within(default=None, low=2)

    def build(self, width: int) -> Self:
        """Make the projections to direction and log concentration, which begins at a spread of about 1/e."""
        self.project = nn.Linear(width, at_least_two(self.size))
        self.concentrate = nn.Linear(width, 1)
        nn.init.constant_(self.concentrate.bias, 2.7)  # kappa of 15
        return self

    def forward(self, features: Tensor) -> SphericalCode:
        """``(..., width) -> SphericalCode`` of ``(..., size)``, at its direction."""
        direction = functional.normalize(self.project(features), dim=-1)
        return SphericalCode(direction, direction, self.concentrate(features).clamp(-10.0, 10.0).exp())


def at_least_two(size: int | None) -> int:
    """A size that a sphere can have."""
    assert size is not None
    if size < 2:
        raise ValueError(f"Codes on a sphere came with size {size}; they need at least 2: set code_size or size.")
    return size

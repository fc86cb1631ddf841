"""Codes with a known uncertainty."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..core.codes import Code, GaussianCode
from ..core.kinds import Bottleneck
from ..core.parts import parameters, within


@parameters
class Gaussian(Bottleneck):
    r"""A diagonal Gaussian per sample: :math:`z \sim N(\mu(h), \sigma^2(h))`, both linear in the features.

    Parameters
    ----------
    size : int, or None
        Channels of the code; ``None`` takes the estimator's ``code_size``.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114.

    >>> code = Gaussian(2).build(5)(torch.zeros(3, 5))
    >>> code.mean.shape, bool((code.values == code.mean).all())
    (torch.Size([3, 2]), True)
    """

    gives: ClassVar[type[Code]] = GaussianCode
    size: int | None = within(default=None, low=1)

    def build(self, width: int) -> Self:
        """Make the projection to means and log variances, which begin at a deviation of about 1/e."""
        assert self.size is not None
        self.project = nn.Linear(width, 2 * self.size)
        with torch.no_grad():
            self.project.bias[self.size :].fill_(-2.0)
        return self

    def forward(self, features: Tensor) -> GaussianCode:
        """``(..., width) -> GaussianCode`` of ``(..., size)``, at its mean."""
        mean, log_variance = self.project(features).chunk(2, dim=-1)
        return GaussianCode(mean, mean, log_variance.clamp(-30.0, 20.0))

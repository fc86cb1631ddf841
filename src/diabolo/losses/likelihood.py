"""Negative log-likelihoods, in nats."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from ..core.kinds import Loss, Shape
from ..core.parts import choice, parameters
from ..core.roundtrip import RoundTrip
from .pointwise import LINKS, linked, unlinked

SMALLEST_VARIANCE = 1e-8


@parameters
class GaussianLikelihood(Loss):
    r"""A Gaussian of the best variance: :math:`\tfrac12\sum_j \big(e_j^2/\sigma^2 + \log 2\pi\sigma^2\big)`.

    The best :math:`\sigma^2` for given errors is their mean square, so nothing has to be tuned and a KL weight of 1
    means 1. While training it is the batch's own; a score uses the one of the last pass over held-out data, so that
    it does not depend on which rows are scored together.

    Parameters
    ----------
    link : {"identity", "sigmoid"}, default "identity"
        ``"sigmoid"`` keeps reconstructions between 0 and 1.
    variance : {"shared", "cell"}, default "shared"
        One variance for all cells, or one for each column or pixel.

    References
    ----------
    Simple and Effective VAE Training with Calibrated Decoders, Rybkin, Daniilidis and Levine, 2021,
    arXiv:2006.13202 (the optimal sigma-VAE).

    >>> from diabolo import MLP, Clean, Identity
    >>> from diabolo.core import Network
    >>> loss = GaussianLikelihood().build((4,))
    >>> loss(Network((4,), MLP(), Identity(2), Clean())(torch.randn(3, 4))).shape
    torch.Size([3])
    """

    link: str = choice(*LINKS, default="identity")
    variance: str = choice("shared", "cell", default="shared")

    def build(self, shape: Shape) -> Self:
        """Make room for the sums of squares and the counts of known cells."""
        size = shape if self.variance == "cell" else ()
        self.register_buffer("squares", torch.ones(size, dtype=torch.float64))
        self.register_buffer("counts", torch.ones(size, dtype=torch.float64))
        return self

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        squares = (self.mean(trip.output) - trip.target).square()
        if trip.known is not None:
            squares = squares * trip.known
        variance = (
            self._gather(squares.detach(), trip.known)
            if self.training
            else self.get_buffer("squares") / self.get_buffer("counts")
        )
        variance = variance.clamp_min(SMALLEST_VARIANCE).float()
        logs = variance.log() + math.log(2 * math.pi)
        if self.variance == "shared":
            return (squares.flatten(1).sum(1) / variance + trip.known_cells() * logs) / 2
        return trip.over_cells(squares / variance + logs) / 2

    def _gather(self, squares: Tensor, known: Tensor | None) -> Tensor:
        """Add a batch's squares to the sums and give its own mean square."""
        if self.variance == "cell":
            total = squares.sum(0).double()
            count = torch.full_like(total, len(squares)) if known is None else known.sum(0).double()
        else:
            total = squares.sum().double()
            count = total.new_tensor(squares.numel()) if known is None else known.sum().double()
        self.get_buffer("squares").add_(total)
        self.get_buffer("counts").add_(count)
        return total / count.clamp_min(1.0)

    def restart(self) -> None:
        """Forget the sums; the first trip afterwards begins anew."""
        self.get_buffer("squares").fill_(SMALLEST_VARIANCE)
        self.get_buffer("counts").fill_(1e-9)

    def mean(self, output: Tensor) -> Tensor:
        """What the output expects."""
        return linked(output, self.link)

    def unlink(self, mean: Tensor) -> Tensor:
        """The output that expects ``mean``."""
        return unlinked(mean, self.link)


@parameters
class BernoulliLikelihood(Loss):
    r"""Cross entropy of cells between 0 and 1: :math:`-\sum_j x_j\log p_j + (1-x_j)\log(1-p_j)`.

    The output is the logit of :math:`p`. For black and white data it is the likelihood; for grey data the usual
    stand-in, whose constant is not normalized.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114 (appendix C.1).

    >>> from diabolo import MLP, Clean, Identity
    >>> from diabolo.core import Network
    >>> trip = Network((4,), MLP(), Identity(2), Clean())(torch.zeros(3, 4))
    >>> BernoulliLikelihood()(trip).shape
    torch.Size([3])
    """

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        cells = functional.binary_cross_entropy_with_logits(trip.output, trip.target, reduction="none")
        return trip.over_cells(cells)

    def mean(self, output: Tensor) -> Tensor:
        """Probabilities."""
        return linked(output, "sigmoid")

    def unlink(self, mean: Tensor) -> Tensor:
        """Logits."""
        return unlinked(mean, "sigmoid")

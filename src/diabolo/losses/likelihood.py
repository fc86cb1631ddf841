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
from .pointwise import LINKS, linked, squared_error, unlinked

SMALLEST_VARIANCE = 1e-8
LOG_TWO_PI = math.log(2 * math.pi)


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
        return self._shared(trip) if self.variance == "shared" else self._by_cell(trip)

    def _shared(self, trip: RoundTrip) -> Tensor:
        lost = squared_error(trip, self.link)
        cells = trip.known_cells()
        if self.training:
            count = cells.sum() if isinstance(cells, Tensor) else lost.new_full((), cells * len(lost))
            variance = self._gather(lost.detach().sum(), count)
        else:
            variance = self._remembered()
        variance = variance.clamp_min(SMALLEST_VARIANCE).float()
        return (lost / variance + cells * (variance.log() + LOG_TWO_PI)) / 2

    def _by_cell(self, trip: RoundTrip) -> Tensor:
        squares = (self.mean(trip.output) - trip.target).square()
        known = torch.ones_like(squares) if trip.known is None else trip.known
        squares = squares * known
        variance = self._gather(squares.detach().sum(0), known.sum(0)) if self.training else self._remembered()
        variance = variance.clamp_min(SMALLEST_VARIANCE).float()
        return trip.over_cells(squares / variance + variance.log() + LOG_TWO_PI) / 2

    def _gather(self, total: Tensor, count: Tensor) -> Tensor:
        """Add a batch's squares to the sums and give its own mean square."""
        self.get_buffer("squares").add_(total)
        self.get_buffer("counts").add_(count)
        return total / count.clamp_min(1)

    def _remembered(self) -> Tensor:
        """The mean square of everything since the last restart."""
        return self.get_buffer("squares") / self.get_buffer("counts")

    @property
    def needs_unit(self) -> bool:
        """A sigmoid reaches nothing else."""
        return self.link == "sigmoid"

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

    @property
    def needs_unit(self) -> bool:
        """Probabilities explain nothing else."""
        return True

    def mean(self, output: Tensor) -> Tensor:
        """Probabilities."""
        return linked(output, "sigmoid")

    def unlink(self, mean: Tensor) -> Tensor:
        """Logits."""
        return unlinked(mean, "sigmoid")

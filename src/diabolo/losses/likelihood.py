"""Negative log-likelihoods, in nats."""

from __future__ import annotations

import math
from abc import ABC
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from ..core.kinds import Shape
from ..core.parts import choice, parameters, within
from ..core.roundtrip import RoundTrip
from .pointwise import LINKS, Linked, positive, squared_error, twice

SMALLEST_VARIANCE = 1e-8
LOG_TWO_PI = math.log(2 * math.pi)


class FittedScale(Linked, ABC):
    """A likelihood whose best scale is the ratio of two sums, gathered while trips go by: nothing has to be tuned.

    While training the scale is the batch's own; a score uses the one of everything since the last restart, which is
    the last pass over held-out data, so that it does not depend on which rows are scored together.

    Attributes
    ----------
    sums : str
        What the sum above the line is called.
    """

    sums: ClassVar[str] = "squares"

    def make_room(self, size: Shape) -> Self:
        """Make room for the two sums, of shape ``size``: ``()`` for one scale, that of a sample for one per cell."""
        self.register_buffer(self.sums, torch.ones(size, dtype=torch.float64))
        self.register_buffer("counts", torch.ones(size, dtype=torch.float64))
        return self

    def total(self, cells: Tensor) -> Tensor:
        """Sum what is gathered over the batch and, where the scale is one for all, over the cells."""
        return cells.sum(0) if self.get_buffer("counts").ndim else cells.sum()

    def gather(self, total: Tensor, count: Tensor) -> Tensor:
        """Add a batch's sums to those before and give its own ratio."""
        self.get_buffer(self.sums).add_(total)
        self.get_buffer("counts").add_(count)
        return total / count.clamp_min(1)

    def remembered(self) -> Tensor:
        """The ratio of everything since the last restart."""
        return self.get_buffer(self.sums) / self.get_buffer("counts")

    def restart(self) -> None:
        """Forget the sums; the first trip afterwards begins anew."""
        self.get_buffer(self.sums).fill_(SMALLEST_VARIANCE)
        self.get_buffer("counts").fill_(1e-9)


@parameters
class GaussianLikelihood(FittedScale):
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
        return self.make_room(shape if self.variance == "cell" else ())

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        return self._shared(trip) if self.variance == "shared" else self._by_cell(trip)

    def _shared(self, trip: RoundTrip) -> Tensor:
        lost = squared_error(trip, self.link)
        cells = trip.known_cells()
        if self.training:
            count = cells.sum() if isinstance(cells, Tensor) else lost.new_full((), cells * len(lost))
            variance = self.gather(lost.detach().sum(), count)
        else:
            variance = self.remembered()
        variance = variance.clamp_min(SMALLEST_VARIANCE).float()
        return (lost / variance + cells * (variance.log() + LOG_TWO_PI)) / 2

    def _by_cell(self, trip: RoundTrip) -> Tensor:
        squares = (self.mean(trip.output) - trip.target).square()
        known = torch.ones_like(squares) if trip.known is None else trip.known
        squares = squares * known
        variance = self.gather(squares.detach().sum(0), known.sum(0)) if self.training else self.remembered()
        variance = variance.clamp_min(SMALLEST_VARIANCE).float()
        return trip.over_cells(squares / variance + variance.log() + LOG_TWO_PI) / 2


@parameters
class HeteroscedasticGaussian(Linked):
    r"""A Gaussian whose variance is predicted too: :math:`\tfrac12\sum_j \big(e_j^2/v_j + \log 2\pi v_j\big)`.

    The decoder gives two numbers per cell, means and then logarithms :math:`\ell` of variances:
    :math:`v = d^2 + e^{\ell}`. It says of each cell of each sample how sure it is; large errors count less where they
    were foreseen.

    Parameters
    ----------
    link : {"identity", "sigmoid"}, default "identity"
        ``"sigmoid"`` keeps means between 0 and 1.
    floor : float above 0, default 0.001
        The smallest deviation :math:`d`, in the network's units. Without one a cell that is predicted exactly is worth
        infinitely many nats and drowns all others. A thousandth of a column's deviation, or of the range of pixels,
        is the rounding error of 8-bit data (:math:`1/(255\sqrt{12})`); lower it only for data that is known better.

    References
    ----------
    Estimating the mean and variance of the target probability distribution, Nix and Weigend, 1994,
    doi:10.1109/ICNN.1994.374138.

    >>> from diabolo import Autoencoder
    >>> from sklearn.datasets import load_digits
    >>> ae = Autoencoder(code_size=4, loss="heteroscedastic_gaussian", epochs=1, random_state=0)
    >>> ae.fit(load_digits().data).reconstruct(load_digits().data).shape
    (1797, 64)
    """

    link: str = choice(*LINKS, default="identity")
    floor: float = within(default=1e-3, low=0.0, above=True)

    def output_shape(self, shape: Shape) -> Shape:
        """All means, then all logarithms of variances."""
        return twice(shape)

    def variance(self, output: Tensor) -> Tensor:
        """How far off the decoder expects to be, squared: ``(batch, *shape)``."""
        return self.floor**2 + positive(output.chunk(2, dim=-1)[1])

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        variance = self.variance(trip.output)
        squares = (self.mean(trip.output) - trip.target).square()
        return trip.over_cells(squares / variance + variance.log() + LOG_TWO_PI) / 2

    def mean(self, output: Tensor) -> Tensor:
        """The means alone."""
        return super().mean(output.chunk(2, dim=-1)[0])

    def unlink(self, mean: Tensor) -> Tensor:
        """The output that expects ``mean`` with a variance of about 1."""
        return torch.cat([super().unlink(mean), torch.zeros_like(mean)], dim=-1)


@parameters
class BernoulliLikelihood(Linked):
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

    link = "sigmoid"

    def impossible(self, values: Tensor) -> Tensor:
        """Outside 0 to 1 (to rounding) cross entropy has no lower end."""
        return (values - 0.5).abs() > 0.5 + 1e-6

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        cells = functional.binary_cross_entropy_with_logits(trip.output, trip.target, reduction="none")
        return trip.over_cells(cells)

"""Losses that a few wild cells cannot rule."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from ..core.kinds import Shape
from ..core.parts import choice, parameters, within
from ..core.roundtrip import RoundTrip
from .likelihood import SMALLEST_VARIANCE, FittedScale
from .pointwise import LINKS, Linked

ROUNDS = 8
FARTHEST = 2.0  # a step of Newton's method at most, in the logarithm of a squared scale


@parameters
class AbsoluteError(Linked):
    r"""The absolute error, :math:`\sum_j |x_j - \hat x_j|`: a Laplace distribution of scale 1, less its constant.

    Its optimum is the median, where that of the squared error is the mean.

    Parameters
    ----------
    link : {"identity", "sigmoid"}, default "identity"
        ``"sigmoid"`` keeps reconstructions between 0 and 1.

    >>> from diabolo import MLP, Clean, Identity
    >>> from diabolo.core import Network
    >>> AbsoluteError()(Network((4,), MLP(), Identity(2), Clean())(torch.zeros(3, 4))).shape
    torch.Size([3])
    """

    link: str = choice(*LINKS, default="identity")

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        return trip.over_cells((self.mean(trip.output) - trip.target).abs())


@parameters
class HuberLoss(Linked):
    r"""Half the squared error of small errors, straight on beyond: :math:`\sum_j \rho_\delta(x_j - \hat x_j)`.

    .. math:: \rho_\delta(e) = \tfrac12 e^2 \text{ if } |e| \le \delta, \text{ else } \delta\,(|e| - \tfrac12\delta)

    Parameters
    ----------
    delta : float above 0, default 1
        Where small errors end, in the network's units. With standardized columns 1 is a deviation of the data, so that
        only what is badly off counts less than its square; the smaller, the nearer to the absolute error.
    link : {"identity", "sigmoid"}, default "identity"
        ``"sigmoid"`` keeps reconstructions between 0 and 1; choose a ``delta`` below 1 for it.

    References
    ----------
    Robust Estimation of a Location Parameter, Huber, 1964, doi:10.1214/aoms/1177703732.

    >>> from diabolo import MLP, Clean, Identity
    >>> from diabolo.core import Network
    >>> HuberLoss()(Network((4,), MLP(), Identity(2), Clean())(torch.zeros(3, 4))).shape
    torch.Size([3])
    """

    delta: float = within(default=1.0, low=0.0, above=True)
    link: str = choice(*LINKS, default="identity")

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        mean = self.mean(trip.output)
        return trip.over_cells(functional.huber_loss(mean, trip.target, reduction="none", delta=self.delta))


@parameters
class LaplaceLikelihood(FittedScale):
    r"""A Laplace distribution of the best scale: :math:`\sum_j \big(|e_j|/b + \log 2b\big)`.

    The best :math:`b` for given errors is their mean absolute value, so nothing has to be tuned and a KL weight of 1
    means 1. While training it is the batch's own; a score uses the one of the last pass over held-out data.

    Parameters
    ----------
    link : {"identity", "sigmoid"}, default "identity"
        ``"sigmoid"`` keeps reconstructions between 0 and 1.
    scale : {"shared", "cell"}, default "shared"
        One scale for all cells, or one for each column or pixel.

    References
    ----------
    The maximum likelihood scale is in Continuous Univariate Distributions, volume 2, Johnson, Kotz and Balakrishnan,
    1995, chapter 24.

    >>> from diabolo import MLP, Clean, Identity
    >>> from diabolo.core import Network
    >>> loss = LaplaceLikelihood().build((4,))
    >>> loss(Network((4,), MLP(), Identity(2), Clean())(torch.randn(3, 4))).shape
    torch.Size([3])
    """

    sums: ClassVar[str] = "distances"

    link: str = choice(*LINKS, default="identity")
    scale: str = choice("shared", "cell", default="shared")

    def build(self, shape: Shape) -> Self:
        """Make room for the sums of absolute errors and the counts of known cells."""
        return self.make_room(shape if self.scale == "cell" else ())

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        errors = (self.mean(trip.output) - trip.target).abs()
        if self.training:
            known = torch.ones_like(errors) if trip.known is None else trip.known
            scale = self.gather(self.total(errors.detach() * known), self.total(known))
        else:
            scale = self.remembered()
        scale = scale.clamp_min(math.sqrt(SMALLEST_VARIANCE)).to(errors)
        return trip.over_cells(errors / scale + (2 * scale).log())


@parameters
class StudentTLikelihood(FittedScale):
    r"""A heavy-tailed Student t of the best scale: :math:`-\sum_j \log t_\nu(e_j/s) - \log s`.

    The best :math:`s` weighs each squared error by :math:`w = (\nu + 1)/(\nu + e^2/s^2)`:
    :math:`s^2 = \sum w e^2/\sum w`, which a few steps of Newton's method from a start that outliers hardly move find.
    So nothing has to be tuned and a KL weight of 1 means 1. While training :math:`s` is the batch's own; a score uses
    the one of the last pass over held-out data.

    Parameters
    ----------
    degrees : float above 0, default 4
        Degrees of freedom :math:`\nu`. At :math:`\sqrt\nu` scales a squared error weighs half, and beyond ever less;
        with 4 that is where one Gaussian error in twenty lies. 1 is a Cauchy distribution, many are a Gaussian.
    link : {"identity", "sigmoid"}, default "identity"
        ``"sigmoid"`` keeps reconstructions between 0 and 1.
    scale : {"shared", "cell"}, default "shared"
        One scale for all cells, or one for each column or pixel.

    References
    ----------
    Robust Statistical Modeling Using the t Distribution, Lange, Little and Taylor, 1989, doi:10.2307/2290063.

    >>> from diabolo import MLP, Clean, Identity
    >>> from diabolo.core import Network
    >>> loss = StudentTLikelihood().build((4,))
    >>> loss(Network((4,), MLP(), Identity(2), Clean())(torch.randn(3, 4))).shape
    torch.Size([3])
    """

    degrees: float = within(default=4.0, low=0.0, above=True)
    link: str = choice(*LINKS, default="identity")
    scale: str = choice("shared", "cell", default="shared")

    def build(self, shape: Shape) -> Self:
        """Make room for the weighed sums of squares and the sums of weights."""
        return self.make_room(shape if self.scale == "cell" else ())

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        squares = (self.mean(trip.output) - trip.target).square()
        variance = self._fitted(squares.detach(), trip.known) if self.training else self.remembered()
        variance = variance.clamp_min(SMALLEST_VARIANCE).to(squares)
        tails = (self.degrees + 1) / 2 * (squares / (self.degrees * variance)).log1p()
        return trip.over_cells(tails + variance.log() / 2 + self._constant)

    @property
    def _constant(self) -> float:
        half = self.degrees / 2
        return math.lgamma(half) - math.lgamma(half + 0.5) + math.log(self.degrees * math.pi) / 2

    def _fitted(self, squares: Tensor, known: Tensor | None) -> Tensor:
        """The best squared scale of a batch, by Newton's method in its logarithm; what it is made of is gathered."""
        known = torch.ones_like(squares) if known is None else known.to(squares)
        squares, count = squares * known, self.total(known).clamp_min(1)
        variance = (self.total(squares.sqrt().sqrt()) / count) ** 4
        for _ in range(ROUNDS):
            variance = variance.clamp_min(SMALLEST_VARIANCE)
            far = squares / (squares + self.degrees * variance)  # 1 less the weight, up to a factor
            excess, slope = self.total(far), self.total(far) - self.total(far.square())
            step = (excess - count / (self.degrees + 1)) / slope.clamp_min(1e-12)
            variance = variance * step.clamp(-FARTHEST, FARTHEST).exp()
        self.gather(self.total(squares - far * squares), self.total(known) - self.total(far))
        return variance

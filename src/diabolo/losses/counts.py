"""Negative log-likelihoods of counts, in nats.

Their terms are large numbers that nearly cancel (a count of a million is worth 13 million nats before they do), so that
they are added up in float64.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.kinds import Loss, Shape
from ..core.parts import parameters
from ..core.roundtrip import RoundTrip
from .pointwise import log_positive, positive, twice, unpositive

LARGEST_LOG_DISPERSION = 15.0
FIRST_DROPOUT = -2.0  # a logit: about one count in eight is lost before anything is learned


def around(counts: Tensor, mean: Tensor) -> Tensor:
    """Logarithms of counts, without those of their means; what noise made negative is 0.

    >>> around(torch.tensor([0.0, 3.0, 1e6]), torch.tensor(3.0))
    tensor([-1.3863,  0.0000, 12.4292])
    """
    return counts.clamp_min(0.0).log1p() - mean.log1p()


def dispersed(counts: Tensor, log_mean: Tensor, log_dispersion: Tensor) -> Tensor:
    """What each count costs under a negative binomial of some mean and dispersion, in nats."""
    log_dispersion = log_dispersion.double().clamp(-LARGEST_LOG_DISPERSION, LARGEST_LOG_DISPERSION)
    counts, number, log_odds = counts.double(), (-log_dispersion).exp(), log_mean + log_dispersion
    ways = (counts + number).lgamma() - number.lgamma() - (counts + 1).lgamma()
    nats = number * functional.softplus(log_odds) + counts * functional.softplus(-log_odds) - ways
    return nats.to(log_mean)


@parameters
class PoissonLikelihood(Loss):
    r"""Counts whose variance is their mean: :math:`\sum_j \lambda_j - x_j\log\lambda_j + \log x_j!`.

    The output is the logarithm of the rate :math:`\lambda`. Beyond the largest whole number that float32 holds,
    :math:`2^{24}`, the rate grows straight on, so that no output overflows. The data must be counts as they came:
    whole numbers of at least 0, with ``scaling="none"``. These may span decades: the encoder gets logarithms,
    :math:`\log(1 + x) - \log(1 + \bar x)`.

    References
    ----------
    Generalized Linear Models, Nelder and Wedderburn, 1972, doi:10.2307/2344614.

    >>> from diabolo import Autoencoder
    >>> counts = torch.poisson(torch.full((50, 4), 3.0)).numpy()
    >>> ae = Autoencoder(code_size=1, loss="poisson_likelihood", scaling="none", epochs=1, random_state=0).fit(counts)
    >>> bool((ae.reconstruct(counts) > 0).all())
    True
    """

    prepare = staticmethod(around)

    @property
    def needs_counts(self) -> bool:
        """Nothing else has a probability."""
        return True

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        counts, log_rate = trip.target.double(), log_positive(trip.output.double())
        return trip.over_cells(log_rate.exp() - counts * log_rate + (counts + 1).lgamma()).to(trip.output)

    def mean(self, output: Tensor) -> Tensor:
        """Rates."""
        return positive(output)

    def unlink(self, mean: Tensor) -> Tensor:
        """Logarithms of rates."""
        return unpositive(mean)


@parameters
class NegativeBinomialLikelihood(Loss):
    r"""Counts that vary more than a Poisson's: :math:`-\sum_j \log \mathrm{NB}(x_j \mid \mu_j, \alpha_j)`.

    The variance is :math:`\mu + \alpha\mu^2`. The output is :math:`\log\mu`. Each cell (gene, word) has one dispersion
    :math:`\alpha`, a weight of the loss that is learned with the network: predicted for each sample it could excuse
    every bad mean, and would double what the decoder has to give. It begins at 1; at 0 it is a Poisson. The data must
    be counts as they came, as for :class:`PoissonLikelihood`.

    References
    ----------
    Deep generative modeling for single-cell transcriptomics, Lopez, Regier, Cole, Jordan and Yosef, 2018,
    doi:10.1038/s41592-018-0229-2 (one dispersion for each gene).

    >>> from diabolo import Autoencoder
    >>> counts = torch.poisson(torch.full((50, 4), 3.0)).numpy()
    >>> ae = Autoencoder(code_size=1, loss="NegativeBinomialLikelihood", scaling="none", epochs=1, random_state=0)
    >>> ae.fit(counts).objective_.loss.dispersion.shape
    torch.Size([4])
    """

    def build(self, shape: Shape) -> Self:
        """Make a dispersion for each cell; in a row, so that no optimizer takes them for a matrix."""
        self.shape = tuple(shape)
        self.log_dispersion = nn.Parameter(torch.zeros(math.prod(shape)))
        return self

    @property
    def dispersion(self) -> Tensor:
        """How much more than a Poisson's each cell varies: ``shape``."""
        return self.log_dispersion.detach().exp().view(self.shape)

    prepare = staticmethod(around)

    @property
    def needs_counts(self) -> bool:
        """Nothing else has a probability."""
        return True

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        return trip.over_cells(self.cells(trip.target, trip.output))

    def cells(self, counts: Tensor, output: Tensor) -> Tensor:
        """What each count costs, known or not: ``(batch, *shape)``."""
        return dispersed(counts, log_positive(output), self.log_dispersion.view(self.shape))

    def mean(self, output: Tensor) -> Tensor:
        """Expected counts."""
        return positive(output)

    def unlink(self, mean: Tensor) -> Tensor:
        """Their logarithms."""
        return unpositive(mean)


@parameters
class ZeroInflatedNegativeBinomial(NegativeBinomialLikelihood):
    r"""A negative binomial of which some counts are lost: :math:`x_j = 0` with probability :math:`\pi_j` besides.

    .. math:: -\sum_j \log\big(\pi_j [x_j = 0] + (1 - \pi_j)\,\mathrm{NB}(x_j \mid \mu_j, \alpha_j)\big)

    The decoder gives two numbers per cell, all :math:`\log\mu`, then the logits of all :math:`\pi`. Worth it where
    zeros mean "not measured"; elsewhere :class:`NegativeBinomialLikelihood` explains zeros well enough by itself.

    References
    ----------
    Single-cell RNA-seq denoising using a deep count autoencoder, Eraslan, Simon, Mircea, Mueller and Theis, 2019,
    doi:10.1038/s41467-018-07931-2.

    >>> loss = ZeroInflatedNegativeBinomial().build((4,))
    >>> loss.output_shape((4,)), loss.mean(loss.unlink(torch.ones(2, 4))).shape
    ((8,), torch.Size([2, 4]))
    """

    def output_shape(self, shape: Shape) -> Shape:
        """All logarithms of means, then all logits of losing the count."""
        return twice(shape)

    def cells(self, counts: Tensor, output: Tensor) -> Tensor:
        """What each count costs, known or not: ``(batch, *shape)``."""
        output, lost = output.chunk(2, dim=-1)
        seen = super().cells(counts, output) + functional.softplus(lost)
        return torch.where(counts == 0, -torch.logaddexp(-seen, -functional.softplus(-lost)), seen)

    def mean(self, output: Tensor) -> Tensor:
        """Expected counts, those that are lost counted as 0."""
        output, lost = output.chunk(2, dim=-1)
        return super().mean(output) * (-lost).sigmoid()

    def unlink(self, mean: Tensor) -> Tensor:
        """The output that expects ``mean`` where few counts are lost."""
        lost = torch.full_like(mean, FIRST_DROPOUT)
        return torch.cat([super().unlink(mean / (-lost).sigmoid()), lost], dim=-1)

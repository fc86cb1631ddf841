"""What codes are held to: distributions that can be asked for a density and drawn from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..core.codes import GaussianCode
from ..core.kinds import Penalty
from ..core.network import Network
from ..core.parts import WeightedPart, parameters, within
from ..core.roundtrip import RoundTrip, View

LARGEST_TABLE = 1 << 22  # pairs of a code and a component that are compared at once: 32 MB


class Prior(WeightedPart, ABC):
    """A distribution of codes: :math:`p(z)`.

    The methods take the network, because a prior may be made of it.
    """

    is_kind: ClassVar[bool] = True

    def build(self, network: Network) -> Self:
        """Make the weights for codes of the network's ``code_shape``."""
        return self

    def meet(self, trip: RoundTrip, network: Network) -> None:
        """See the trip of some training rows once, before the first step."""
        return

    @abstractmethod
    def log_density(self, values: Tensor, network: Network) -> Tensor:
        """How likely codes ``(batch, *code_shape)`` are, in nats: ``(batch,)``."""

    @abstractmethod
    def expected(self, code: GaussianCode, network: Network) -> Tensor:
        """At most the mean log density of what a code may be drawn as, without a draw: ``(batch,)``."""

    @abstractmethod
    def sample(self, count: int, network: Network) -> Tensor:
        """Draw codes: ``(count, *code_shape)``."""


@parameters
class StandardNormal(Prior):
    r"""Independent numbers of mean 0 and variance 1: :math:`p(z) = N(z; 0, I)`.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114.

    >>> StandardNormal().log_density(torch.zeros(1, 2), None)
    tensor([-1.8379])
    """

    def log_density(self, values: Tensor, network: Network) -> Tensor:
        """The closed form."""
        return -(values.square() + math.log(2 * math.pi)).flatten(1).sum(1) / 2

    def expected(self, code: GaussianCode, network: Network) -> Tensor:
        """The exact mean."""
        return self.log_density(code.mean, network) - code.log_variance.exp().flatten(1).sum(1) / 2

    def sample(self, count: int, network: Network) -> Tensor:
        """Independent numbers."""
        return torch.randn(count, *network.code_shape, device=device_of(network))


class Components(Prior, ABC):
    r"""A mixture of diagonal Gaussians: :math:`p(z) = \sum_k \pi_k\,N(z; m_k, s_k^2)`."""

    @abstractmethod
    def parts(self, network: Network) -> tuple[Tensor, Tensor, Tensor]:
        """Log shares ``(components,)``, and means and log variances ``(components, size)``."""

    def log_density(self, values: Tensor, network: Network) -> Tensor:
        """The log of the sum."""
        return self._log_sum(values, values.double().square(), network)

    def expected(self, code: GaussianCode, network: Network) -> Tensor:
        r""":math:`\log\sum_k \pi_k \exp E_q \log N(z; m_k, s_k^2)`, which by Jensen is at most the mean."""
        return self._log_sum(code.mean, code.mean.double().square() + code.log_variance.double().exp(), network)

    def _log_sum(self, values: Tensor, squares: Tensor, network: Network) -> Tensor:
        """The log density for the first and second moments of each number, by two matrix products.

        In float64, because what is multiplied out nearly cancels where components are narrow.
        """
        shares, means, log_variances = (part.double() for part in self.parts(network))
        precisions = (-log_variances).exp()
        spread = (means.square() * precisions + log_variances + math.log(2 * math.pi)).sum(1)
        start, pull, push = shares - spread / 2, (means * precisions).T, precisions.T / 2
        size = max(1, LARGEST_TABLE // len(shares))
        stretches = zip(
            torch.split(values.flatten(1).double(), size), torch.split(squares.flatten(1), size), strict=True
        )
        sums = [(start + first @ pull - second @ push).logsumexp(1) for first, second in stretches]
        return torch.cat(sums).to(values.dtype)

    def sample(self, count: int, network: Network) -> Tensor:
        """Choose a component for each, then draw from it."""
        shares, means, log_variances = self.parts(network)
        chosen = torch.multinomial(shares.exp(), count, replacement=True)
        mean, deviation = means[chosen], (log_variances[chosen] / 2).exp()
        return (mean + deviation * torch.randn_like(mean)).view(count, *network.code_shape)


@parameters
class Mixture(Components):
    r"""Learned diagonal Gaussians, :math:`p(z) = \sum_k \pi_k\,N(z; m_k, s_k^2)`, begun at codes of training rows.

    Parameters
    ----------
    components : int, default 10
        How many: as many as there may be groups in the data, such as the ten digits.

    References
    ----------
    VAE with a VampPrior, Tomczak and Welling, 2018, arXiv:1705.07120 (the mixture of Gaussians, section 4).

    >>> from diabolo import VAE
    >>> model = VAE(code_size=1, prior=Mixture(3), epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    >>> model.sample(5, random_state=0).shape
    (5, 2)
    """

    components: int = within(default=10, low=1)

    def build(self, network: Network) -> Self:
        """Make shares, means and variances, which begin as narrow as a Gaussian bottleneck's.

        The leading axis of one says that these are no matrix, which Muon would orthogonalize.
        """
        size = math.prod(network.code_shape)
        self.logits = nn.Parameter(torch.zeros(self.components))
        self.means = nn.Parameter(torch.randn(1, self.components, size))
        self.log_variances = nn.Parameter(torch.full((1, self.components, size), -2.0))
        return self

    def meet(self, trip: RoundTrip, network: Network) -> None:
        """Begin at the codes of the first rows; components beyond these stay at random places."""
        found = trip.code.values.flatten(1)[: self.components]
        self.means[0, : len(found)] = found

    def parts(self, network: Network) -> tuple[Tensor, Tensor, Tensor]:
        """As learned; variances kept within what float32 can tell apart."""
        return self.logits.log_softmax(0), self.means[0], self.log_variances[0].clamp(-20.0, 20.0)


@parameters
class VampPrior(Components):
    r"""The mean posterior of learned inputs, :math:`p(z) = \tfrac1K\sum_k q(z|u_k)`, begun at training rows.

    Parameters
    ----------
    components : int, default 50
        How many pseudo-inputs :math:`u_k`, each as large as a sample. The paper takes 500 for pictures of digits;
        each is encoded in every step, so that 50 cost a fifth of a batch.

    References
    ----------
    VAE with a VampPrior, Tomczak and Welling, 2018, arXiv:1705.07120.

    >>> from diabolo import VAE
    >>> model = VAE(code_size=1, prior=VampPrior(2), epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    >>> model.sample(5, random_state=0).shape
    (5, 2)
    """

    components: int = within(default=50, low=1)

    def build(self, network: Network) -> Self:
        """Make the pseudo-inputs; the leading axis of one says that they are no matrix."""
        self.inputs = nn.Parameter(0.1 * torch.randn(1, self.components, *network.shape))
        return self

    def meet(self, trip: RoundTrip, network: Network) -> None:
        """Begin at the first rows."""
        found = trip.target[: self.components]
        self.inputs[0, : len(found)] = found

    def parts(self, network: Network) -> tuple[Tensor, Tensor, Tensor]:
        """What the encoder says of the pseudo-inputs, all at equal shares."""
        half = network.computes_in is None and any(w.dtype == torch.bfloat16 for w in network.parameters())
        with torch.autocast(self.inputs.device.type, torch.bfloat16, enabled=half):
            code = network.bottleneck(network.features(View(self.inputs[0]))).float()
        assert isinstance(code, GaussianCode)
        means = code.mean.flatten(1)
        return means.new_full((self.components,), -math.log(self.components)), means, code.log_variance.flatten(1)


class Matching(Penalty, ABC):
    """A penalty that holds codes to a distribution, from which new codes can be drawn."""

    @abstractmethod
    def draw(self, count: int, network: Network) -> Tensor:
        """Draw codes as they should be: ``(count, *code_shape)``."""


def device_of(network: Network) -> torch.device:
    """Where a network computes."""
    return next(network.parameters()).device

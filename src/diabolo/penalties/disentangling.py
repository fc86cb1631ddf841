"""What codes cost whose numbers tell of each other."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.codes import Code, GaussianCode, log_normal
from ..core.kinds import Penalty, Rival
from ..core.network import Network
from ..core.parts import parameters, whole_widths, within
from ..core.roundtrip import RoundTrip


@parameters
class TotalCorrelation(Penalty):
    r"""Nats that the numbers of a code tell of each other: :math:`\mathrm{KL}(q(z)\,\|\,\prod_j q(z_j))`.

    Both densities are estimated from the batch, :math:`q(z_i) \approx \tfrac1M\sum_k q(z_i|x_k)`: minibatch-weighted
    sampling without the number of all rows, which only adds a constant. Small batches of certain codes overestimate,
    by :math:`(d - 1)\log M` at most; the gradient is what is wanted. With a :class:`~diabolo.penalties.KL` of weight
    1, a weight of :math:`\beta - 1` is the beta-TCVAE.

    Parameters
    ----------
    weight : float, default 1
        Price of a nat.

    References
    ----------
    Isolating Sources of Disentanglement in Variational Autoencoders, Chen, Li, Grosse and Duvenaud, 2018,
    arXiv:1802.04942.

    >>> from diabolo import MLP, Clean, Gaussian
    >>> network = Network((4,), MLP(), Gaussian(2), Clean())
    >>> TotalCorrelation()(network(torch.zeros(1, 4)), network)
    tensor([0.], grad_fn=...)
    """

    needs: ClassVar[type[Code]] = GaussianCode
    weight: float = within(default=1.0, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``; the mean over the batch is the estimate."""
        code = trip.code
        assert isinstance(code, GaussianCode)
        drawn, mean, log_variance = (part.flatten(1) for part in (code.values, code.mean, code.log_variance))
        pairs = log_normal(drawn[:, None], mean[None], log_variance[None])  # (batch, batch, size)
        rows = math.log(len(drawn))
        together, apart = pairs.sum(2).logsumexp(1) - rows, (pairs.logsumexp(1) - rows).sum(1)
        return together - apart


@parameters
class FactorDiscriminator(Rival):
    r"""A rival that tells codes from codes with shuffled numbers; its log odds are the total correlation.

    The network pays :math:`\log D(z) - \log(1 - D(z))`, and the rival minimizes the cross entropy of :math:`D` on
    codes and on codes whose numbers were shuffled over the batch, each on its own.

    Parameters
    ----------
    weight : float, default 10
        Gamma: price of a nat of total correlation. The paper takes 10 to 40 for pictures of simple shapes.
    learning_rate : float, default 0.001
        Of the rival's Adam: ten times the paper's, for a tenth of its steps and fewer.
    hidden : tuple of int, default (256, 256)
        Widths of the rival's layers. The paper's six of 1,000 would cost far more than the network itself.

    References
    ----------
    Disentangling by Factorising, Kim and Mnih, 2018, arXiv:1802.05983.

    >>> from diabolo import MLP, Clean, Gaussian
    >>> network = Network((4,), MLP(), Gaussian(2), Clean())
    >>> rival = FactorDiscriminator().build(network)
    >>> trip = network(torch.zeros(3, 4))
    >>> rival(trip, network).shape, rival.loss(trip.detached(), network).shape
    (torch.Size([3]), torch.Size([]))
    """

    weight: float = within(default=10.0, low=0.0)
    learning_rate: float = within(default=1e-3, low=0.0, above=True)
    hidden: tuple[int, ...] = (256, 256)

    def check(self) -> Self:
        """Refuse what the fields do not allow."""
        whole_widths("FactorDiscriminator", "hidden", self.hidden)
        return super().check()

    def build(self, network: Network) -> Self:
        """Make the layers that judge."""
        widths = [math.prod(network.code_shape), *whole_widths("FactorDiscriminator", "hidden", self.hidden)]
        layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.LeakyReLU(0.2))]
        self.judge = nn.Sequential(*layers, nn.Linear(widths[-1], 1))
        return self

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """The log odds that a code is none of the shuffled: ``(batch,)``."""
        odds: Tensor = self.judge(trip.code.values.flatten(1)).squeeze(1)
        return odds

    def loss(self, trip: RoundTrip, network: Network) -> Tensor:
        """The cross entropy of telling codes from shuffled ones: ``()``."""
        codes = trip.code.values.flatten(1)
        shuffled = codes.gather(0, torch.rand_like(codes).argsort(0))
        real, false = self.judge(codes), self.judge(shuffled)
        return (functional.softplus(-real) + functional.softplus(false)).mean() / 2

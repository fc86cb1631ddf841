"""Bounds on the log-likelihood that take more than one draw of the code."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..core.kinds import Loss, Penalty, Rival
from ..core.network import Network
from ..core.objective import Cost, Objective
from ..core.roundtrip import Batch, RoundTrip

LARGEST_OUTPUT = 1 << 25  # numbers that all draws of a validation batch decode to: 128 MB


@dataclass(frozen=True)
class SeveralDraws(RoundTrip):
    """All rows with their first draws, then all rows with their second, and so on.

    Parameters
    ----------
    draws : int
    """

    draws: int


@runtime_checkable
class Comparing(Protocol):
    """A penalty that knows how much likelier the code was to be drawn than the prior would have it."""

    def log_ratio(self, trip: RoundTrip, network: Network) -> Tensor:
        """``RoundTrip -> (batch,)``."""


class ImportanceWeighted(Objective):
    r"""The importance-weighted bound: :math:`-\log\tfrac1K\sum_k p(x|z_k)\,p(z_k)/q(z_k|x)`, with :math:`z_k \sim q`.

    Each row is encoded once and its code drawn and decoded ``draws`` times wherever codes are drawn: in training and
    in its validation. Elsewhere the trip is the plain one, so that scores are the evidence bound and never sample. A
    divergence counts at its price, so that beta and warm-up mean what they mean otherwise; penalties that are no part
    of the bound see the first draw.

    Parameters
    ----------
    loss : Loss
    penalty : Penalty, or None
    draws : int of at least 2, default 5
        :math:`K`. More tighten the bound and cost a decoder pass each. Validation has larger batches, and takes fewer
        where their outputs would need more than 128 MB.

    Raises
    ------
    ValueError
        If there are less than two draws, or a penalty of the bound has no density to compare, or has free nats, which
        one draw cannot count.

    References
    ----------
    Importance Weighted Autoencoders, Burda, Grosse and Salakhutdinov, 2015, arXiv:1509.00519.

    >>> from diabolo import KL, MLP, Clean, Gaussian, GaussianLikelihood
    >>> network = Network((4,), MLP(), Gaussian(2), Clean())
    >>> objective = ImportanceWeighted(GaussianLikelihood(), KL(), draws=7).build(network)
    >>> objective.travel(network, Batch(torch.zeros(3, 4))).output.shape
    torch.Size([21, 4])
    """

    def __init__(self, loss: Loss, penalty: Penalty | None = None, draws: int = 5) -> None:
        super().__init__(loss, penalty)
        if draws < 2:
            raise ValueError(f"draws came as {draws!r}; one draw is the plain Objective, so take at least 2.")
        self.draws = draws

    def build(self, network: Network) -> Objective:
        """Refuse penalties that have no place in this bound."""
        for term in (term for term in self.terms().values() if term.in_bound):
            if not isinstance(term, Comparing):
                raise ValueError(f"{term!r} has no density of single draws; an importance-weighted bound needs KL().")
            if getattr(term, "free_nats", 0.0):
                raise ValueError(f"{term!r} has free nats, which single draws cannot count; set free_nats=0.")
        return super().build(network)

    def travel(
        self, network: Network, batch: Batch, *, corrupt: bool | None = None, sample: bool | None = None
    ) -> RoundTrip:
        """Several draws of each code, where codes are drawn at all."""
        trip = super().travel(network, batch, corrupt=corrupt, sample=sample)
        if not (self.training if sample is None else sample):
            return trip
        draws = self.draws if self.training else min(self.draws, max(2, LARGEST_OUTPUT // trip.output.numel()))
        further = trip.code.map(lambda part: repeat(part, draws - 1)).sample()
        several = trip.map(lambda part: repeat(part, draws))
        code = dataclasses.replace(several.code, values=torch.cat([trip.code.values, further.values]))
        output = torch.cat([trip.output, network.decoder(further.values)])
        return SeveralDraws(several.target, several.known, several.seen, several.features, code, output, draws)

    def forward(self, trip: RoundTrip, network: Network) -> Cost:
        """Judge all draws of a row together."""
        if not isinstance(trip, SeveralDraws):
            return super().forward(trip, network)
        nats = self.loss(trip)
        values, others = {"loss": nats.mean()}, torch.zeros_like(self.progress)
        rows = len(nats) // trip.draws
        for name, term in self.terms().items():
            term.progress = self.progress
            if term.in_bound and isinstance(term, Comparing):
                ratio = term.log_ratio(trip, network)
                nats = nats + term.price(self.progress) * ratio
                values[name] = ratio.mean()
            elif self.training or not isinstance(term, Rival):
                values[name] = term(trip.first(rows), network).mean()
                others = others + term.price(self.progress) * values[name]
        bound = math.log(trip.draws) - (-nats).view(trip.draws, rows).logsumexp(0)
        return Cost(bound.mean() + others, values)


def repeat(part: Tensor, times: int) -> Tensor:
    """All rows, then all rows again, and so on.

    >>> repeat(torch.tensor([1, 2]), 2).tolist()
    [1, 2, 1, 2]
    """
    return part.repeat(times, *[1] * (part.ndim - 1))

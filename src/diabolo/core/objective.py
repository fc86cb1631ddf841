"""What is minimized: a loss, plus the price of the code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .kinds import Architecture, Bottleneck, Corruption, Loss, Penalty, Rival
from .network import Network
from .parts import every
from .roundtrip import Batch, RoundTrip
from .several import part_names


@dataclass(frozen=True)
class Recipe:
    """What makes one autoencoder different from another.

    Parameters
    ----------
    bottleneck : Bottleneck
    penalty : Penalty, or None
    corruption : Corruption, or None
        ``None``: the encoder sees the data as it is.
    loss, architecture : Loss, Architecture, or None
        Where the user names none. ``None``: what the modality of the data proposes.
    objective : callable (Loss, Penalty or None) -> Objective, or None
        How trips are made and judged, where it is not once each; ``None``: :class:`Objective`.

    >>> from diabolo import KL, Gaussian
    >>> Recipe(Gaussian(), KL()).penalty
    KL(weight=1.0, ...)
    """

    bottleneck: Bottleneck
    penalty: Penalty | None = None
    corruption: Corruption | None = None
    loss: Loss | None = None
    architecture: Architecture | None = None
    objective: Callable[[Loss, Penalty | None], Objective] | None = None


def check_match(bottleneck: Bottleneck, penalty: Penalty | None) -> None:
    """Refuse a penalty that needs a code which the bottleneck does not give, before any training.

    >>> from diabolo import KL, Identity
    >>> check_match(Identity(2), KL())
    Traceback (most recent call last):
    ValueError: KL needs a GaussianCode, but Identity gives a Code. Bottlenecks that fit: Gaussian.
    """
    for term in penalty.terms() if penalty else []:
        if not issubclass(bottleneck.gives, term.needs):
            fits = sorted(part.__name__ for part in every(Bottleneck) if issubclass(part.gives, term.needs))
            raise ValueError(
                f"{type(term).__name__} needs a {term.needs.__name__}, but {type(bottleneck).__name__} gives a "
                f"{bottleneck.gives.__name__}. Bottlenecks that fit: {', '.join(fits) or 'none'}."
            )


@dataclass(frozen=True)
class Cost:
    """What a batch costs, in nats per sample.

    Parameters
    ----------
    total : Tensor of shape ()
        What is minimized.
    terms : dict of str to Tensor of shape ()
        Its parts before their prices, by name; ``"loss"`` is the reconstruction's.

    >>> Cost(torch.tensor(3.0), {"loss": torch.tensor(3.0)}).total
    tensor(3.)
    """

    total: Tensor
    terms: dict[str, Tensor]


class Objective(nn.Module):
    r"""A loss plus penalties, averaged over the batch: :math:`\frac1n\sum_i \ell(x_i) + \sum_t w_t\,p_t(x_i)`.

    Parameters
    ----------
    loss : Loss
    penalty : Penalty, or None

    >>> from diabolo import KL, MLP, Clean, Gaussian, GaussianLikelihood
    >>> network = Network((4,), MLP(), Gaussian(2), Clean())
    >>> objective = Objective(GaussianLikelihood(), KL()).build(network)
    >>> sorted(objective(objective.travel(network, Batch(torch.zeros(3, 4))), network).terms)
    ['kl', 'loss']
    """

    progress: Tensor

    def __init__(self, loss: Loss, penalty: Penalty | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.penalties = nn.ModuleDict(
            dict(zip(part_names(penalty.terms()), penalty.terms(), strict=True)) if penalty else {}
        )
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def build(self, network: Network) -> Objective:
        """Make what loss and penalties have to remember, once the network stands."""
        self.loss.build(network.shape)
        for term in self.terms().values():
            term.beside(self.loss).build(network)
        return self

    def terms(self) -> dict[str, Penalty]:
        """The penalties by name."""
        return dict(self.penalties.items())  # type: ignore[arg-type]

    def travel(
        self, network: Network, batch: Batch, *, corrupt: bool | None = None, sample: bool | None = None
    ) -> RoundTrip:
        """Make the round trip that this objective judges."""
        trip: RoundTrip = network(batch.values, batch.known, batch.degraded, corrupt=corrupt, sample=sample)
        return trip

    def fill(self, network: Network, batch: Batch, *, sample: bool | None = None) -> RoundTrip:
        """A trip that nobody judges, whose output is right where cells are missing; it may be cheaper than others."""
        return self.travel(network, batch, corrupt=False, sample=sample)

    @torch.no_grad()
    def meet(self, network: Network, batch: Batch) -> None:
        """Show bottleneck and penalties some training rows, once, before the first step."""
        trip = self.travel(network, batch, corrupt=False, sample=False)
        network.bottleneck.meet(trip.features)
        for term in self.terms().values():
            term.meet(trip, network)

    def forward(self, trip: RoundTrip, network: Network) -> Cost:
        """Judge a round trip; rivals, who change while they judge, only while training."""
        values = {"loss": self.loss(trip).mean()}
        total = values["loss"]
        for name, term in self.terms().items():
            if self.training or not isinstance(term, Rival):
                term.progress = self.progress
                values[name] = term(trip, network).mean()
                total = total + term.price(self.progress) * values[name]
        return Cost(total, values)

    def rivals(self) -> dict[str, Rival]:
        """The penalties that learn against the network, by name."""
        return {name: term for name, term in self.terms().items() if isinstance(term, Rival)}

    def rivalry(self, trip: RoundTrip, network: Network) -> dict[str, Tensor]:
        """What each rival minimizes, on a trip that no gradient goes back through."""
        apart = trip.detached()
        return {name: rival.loss(apart, network) for name, rival in self.rivals().items()}

    def per_sample(self, trip: RoundTrip, network: Network) -> Tensor:
        """The bound on each sample's negative log-likelihood, in nats: ``(batch,)``."""
        nats: Tensor = self.loss(trip)
        for term in self.terms().values():
            if term.in_bound:
                nats = nats + term.price(self.progress) * term(trip, network)
        return nats

    def restart(self) -> None:
        """Forget what the loss gathered; called before a pass over data."""
        self.loss.restart()

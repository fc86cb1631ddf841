"""What it costs when codes or reconstructions change quickly, or codes lie far out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..core.kinds import Penalty
from ..core.network import Network
from ..core.parts import parameters, within
from ..core.roundtrip import RoundTrip, View
from .replay import decoded, replaying


def squared_jacobian(output: Tensor, start: Tensor, projections: int | None, *, learning: bool) -> Tensor:
    r"""Each sample's squared Frobenius norm of the derivative of its output by its start: ``(batch,)``.

    Parameters
    ----------
    output, start : Tensor of shape (batch, ...)
        Rows of the output depend on the same row of the start only.
    projections : int, or None
        Random directions :math:`v` of the estimate :math:`E\lVert J^\top v\rVert^2`; ``None``: one exact pass for
        each number of a row's output.
    learning : bool
        Whether the norm needs a gradient itself.

    >>> start = torch.ones(3, 2, requires_grad=True)
    >>> squared_jacobian(start * torch.tensor([1.0, 2.0]), start, None, learning=False).tolist()
    [5.0, 5.0, 5.0]
    """
    flat = output.flatten(1)
    total = torch.zeros(len(flat), device=flat.device)
    for direction in directions(flat, projections):
        found = torch.autograd.grad(
            flat, start, direction, create_graph=learning, retain_graph=True, materialize_grads=True
        )
        total = total + found[0].float().flatten(1).square().sum(1)
    return total / (projections or 1)


def directions(flat: Tensor, projections: int | None) -> Iterator[Tensor]:
    """Each axis in turn, or random signs."""
    if projections is None:
        for axis in range(flat.shape[1]):
            direction = torch.zeros_like(flat)
            direction[:, axis] = 1
            yield direction
    else:
        for _ in range(projections):
            yield torch.empty_like(flat).bernoulli_().mul_(2).sub_(1)


@parameters
class Contraction(Penalty):
    r"""How much the code moves with the data: :math:`\lVert\partial z/\partial x\rVert_F^2`.

    The Jacobian is that of encoder and bottleneck at inference, taken where the encoder looked; hidden cells have none.
    A decoder that is free to stretch can undo the penalty by smaller codes: tie its weights, as in
    ``MLP(tied=True)``, or bound the code.

    Parameters
    ----------
    weight : float, default 0.1
        Nats for each unit of the squared norm.
    projections : int, or None
        Random directions per step and sample (Hutchinson's estimate, without bias), for large codes; ``None``: exact,
        by one pass for each number of the code.

    References
    ----------
    Contractive Auto-Encoders: Explicit Invariance During Feature Extraction, Rifai, Vincent, Muller, Glorot and Bengio,
    2011, ICML.
    A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines, Hutchinson, 1990,
    doi:10.1080/03610919008812866.

    >>> from diabolo import Clean, Identity, Linear
    >>> network = Network((4,), Linear(), Identity(2), Clean())
    >>> price = Contraction()(network(torch.randn(3, 4)), network)
    >>> bool(torch.allclose(price, network.bottleneck.project.weight.square().sum()))
    True
    """

    weight: float = within(default=0.1, low=0.0)
    projections: int | None = within(default=None, low=1)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        learning = torch.is_grad_enabled()
        with replaying(network):
            start = trip.seen.values.detach().requires_grad_()
            seen = View(start) if trip.seen.hidden is None else View(start).without(trip.seen.hidden)
            code = network.bottleneck(network.features(seen)).values
            return squared_jacobian(code, start, self.projections, learning=learning)


@parameters
class CodeNorm(Penalty):
    r"""How far out a code lies: :math:`\tfrac12\lVert z\rVert^2`, nats of a standard normal prior, less a constant.

    Parameters
    ----------
    weight : float, default 0.1
        Nats for each unit. 1 is the prior itself; less suffices to keep codes together, and blurs less.

    References
    ----------
    From Variational to Deterministic Autoencoders, Ghosh, Sajjadi, Vergari, Black and Schoelkopf, 2020,
    arXiv:1903.12436.

    >>> from diabolo import MLP, Clean, Identity
    >>> CodeNorm()(Network((4,), MLP(), Identity(2), Clean())(torch.zeros(3, 4)), None).shape
    torch.Size([3])
    """

    weight: float = within(default=0.1, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        return trip.code.values.square().flatten(1).sum(1) / 2


@parameters
class DecoderSmoothness(Penalty):
    r"""How much the reconstruction moves with the code: :math:`\lVert\partial g/\partial z\rVert_F^2`, at inference.

    It keeps a decoder from stretching what :class:`CodeNorm` has pulled together, so that codes beside those of the
    data decode to something like the data. The output counts as the decoder gives it, before the loss's link.

    Parameters
    ----------
    weight : float, default 0.01
        Nats for each unit of the squared norm.
    projections : int, default 1
        Random directions per step and sample; the estimate has no bias, and the batch averages it.

    References
    ----------
    From Variational to Deterministic Autoencoders, Ghosh, Sajjadi, Vergari, Black and Schoelkopf, 2020,
    arXiv:1903.12436 (the gradient penalty).

    >>> from diabolo import MLP, Clean, Identity
    >>> network = Network((4,), MLP(), Identity(2), Clean())
    >>> DecoderSmoothness()(network(torch.zeros(3, 4)), network).shape
    torch.Size([3])
    """

    weight: float = within(default=0.01, low=0.0)
    projections: int = within(default=1, low=1)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        learning = torch.is_grad_enabled()
        values = trip.code.values
        with replaying(network):
            start = values if values.requires_grad else values.detach().requires_grad_()
            return squared_jacobian(decoded(network, start), start, self.projections, learning=learning)

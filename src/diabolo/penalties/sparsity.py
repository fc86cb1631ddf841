"""What it costs when many units speak, and what wakes those that never do."""

from __future__ import annotations

import dataclasses
from abc import ABC
from typing import ClassVar, Self

import torch
from torch import Tensor

from ..core.codes import Code, GatedCode, SparseCode, widen
from ..core.kinds import Loss, Penalty
from ..core.network import Network
from ..core.parts import parameters, within
from ..core.roundtrip import RoundTrip
from .replay import decoded, replaying

SMALLEST_ACTIVITY = 1e-3


@parameters
class L1(Penalty):
    r"""The sum of what a code says: :math:`\sum_j |z_j|`, the nats of a Laplace prior of scale 1, less its constant.

    It makes zeros of a code that has a ReLU, such as ``Identity(activation="relu")``, and makes what is left too small.
    Unit-norm decoders (:class:`~diabolo.architectures.Dictionary`) keep it honest; others can undo it by their scale.

    Parameters
    ----------
    weight : float, default 1
        Nats for each unit of the code's length; the prior's scale is its inverse.

    References
    ----------
    Emergence of simple-cell receptive field properties by learning a sparse code for natural images, Olshausen and
    Field, 1996, doi:10.1038/381607a0.

    >>> from diabolo import MLP, Clean, Identity
    >>> trip = Network((4,), MLP(), Identity(2), Clean())(torch.zeros(3, 4))
    >>> bool((L1()(trip, None) == trip.code.values.abs().sum(1)).all())
    True
    """

    weight: float = within(default=1.0, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        return trip.code.values.abs().flatten(1).sum(1)


@parameters
class TargetActivity(Penalty):
    r"""Nats from each unit's mean activity to a target: :math:`\sum_j \mathrm{KL}(\rho\,\|\,\hat\rho_j)`.

    :math:`\hat\rho_j` is the mean of unit :math:`j` over the batch and its positions, a share between 0 and 1: the code
    needs a sigmoid, as in ``Identity(activation="sigmoid")``. A mean that strays outside is pulled back.

    Parameters
    ----------
    weight : float, default 3
        Price of a nat per unit; that of the notes, which brings digits near the target.
    target : float in (0, 1), default 0.05
        How much a unit should speak on average, :math:`\rho`; one sample in twenty is the usual start.

    Raises
    ------
    ValueError
        Before the first step, if the untrained network's codes of the first rows are not between 0 and 1; later codes
        are not looked at.

    References
    ----------
    Sparse deep belief net model for visual area V2, Lee, Ekanadham and Ng, 2008, NIPS 20 (the target).
    CS294A lecture notes: Sparse autoencoder, Ng, 2011, section 3 (the divergence).

    >>> from diabolo import MLP, Clean, Identity
    >>> network = Network((4,), MLP(), Identity(2, activation="sigmoid"), Clean())
    >>> bool(TargetActivity(target=0.5)(network(torch.zeros(3, 4)), network) < 0.5)
    True
    """

    weight: float = within(default=3.0, low=0.0)
    target: float = within(default=0.05, low=0.0, high=1.0, above=True, below=True)

    def meet(self, trip: RoundTrip, network: Network) -> None:
        """Refuse codes that are no activities from the start."""
        low, high = trip.code.values.detach().aminmax()
        if low < 0 or high > 1:
            raise ValueError(
                f"TargetActivity needs codes between 0 and 1, but {network.bottleneck!r} gives from {low:.3g} to "
                f"{high:.3g}. "
                'Use Identity(activation="sigmoid"), or L1 for codes without bounds.'
            )

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``()``."""
        mean = trip.code.values.flatten(0, -2).mean(0)
        inside = mean.clamp(SMALLEST_ACTIVITY, 1 - SMALLEST_ACTIVITY)
        share = mean + (inside - mean).detach()  # so that a mean outside still has a slope, back inside
        rho = torch.full_like(share, self.target)
        return (rho * (rho / share).log() + (1 - rho) * ((1 - rho) / (1 - share)).log()).sum()


@parameters
class ActiveUnits(Penalty):
    r"""The number of units that speak: :math:`\lVert z\rVert_0`.

    Parameters
    ----------
    weight : float, default 1
        Nats for each unit that speaks; naming one of 64 units alone takes 4.2 nats.

    References
    ----------
    Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders, Rajamanoharan et al., 2024,
    arXiv:2407.14435.

    >>> from diabolo import MLP, Clean, JumpReLU
    >>> trip = Network((4,), MLP(), JumpReLU(16), Clean())(torch.zeros(3, 4))
    >>> bool((ActiveUnits()(trip, None) == (trip.code.values != 0).sum(1)).all())
    True
    """

    needs: ClassVar[type[Code]] = GatedCode
    weight: float = within(default=1.0, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        assert isinstance(trip.code, GatedCode)
        return trip.code.gates.flatten(1).sum(1)


class LossBeside(Penalty, ABC):
    """A penalty that judges outputs of its own by the loss that it stands beside."""

    losses: tuple[Loss, ...] = ()

    def beside(self, loss: Loss) -> Self:
        """Remember the loss; in a tuple, so that it is not listed and saved twice."""
        self.losses = (loss,)
        return self

    def judged(self, trip: RoundTrip, output: Tensor) -> Tensor:
        """The nats that another output would have lost, ``(batch,)``; the loss gathers nothing from it."""
        (loss,) = self.losses
        training = loss.training
        loss.eval()
        nats: Tensor = loss(dataclasses.replace(trip, output=widen(output)))
        loss.train(training)
        return nats


@parameters
class Revival(LossBeside):
    r"""Silent units learn to explain what the others leave: :math:`\ell(x, \hat x + g(a) - g(0)) - \ell(x, \hat x)`.

    :math:`a` holds what the silent units want to say: the few largest of each code, by a ReLU that has the slope 1 also
    below zero, so that a unit which never wants anything can learn to. No gradient goes back through :math:`\hat x`.
    Without silent units the price is zero; when they help it is negative. For squared error and a linear decoder it is
    the auxiliary loss AuxK, less its constant; written with the loss, it fits every decoder and likelihood. It counts
    while training only.

    Parameters
    ----------
    weight : float, default 1
        A nat is a nat. The units that speak hardly feel it, because nothing of it goes through what they say; the
        paper's 1/32 wakes fewer in the short trainings that are usual here.
    patience : int, default 20
        Training steps without a word after which a unit counts as silent. One that has never spoken is silent at once.
    units : int, default 8
        How many silent units answer for one code at most; as many as usually speak, so that each has much to say.

    References
    ----------
    Scaling and evaluating sparse autoencoders, Gao et al., 2024, arXiv:2406.04093 (appendix A.2).

    >>> from diabolo import MLP, Clean, GaussianLikelihood, TopK
    >>> network = Network((4,), MLP(), TopK(16, active=2), Clean())
    >>> revival = Revival(patience=1).beside(GaussianLikelihood().build((4,))).build(network)
    >>> revival(network(torch.randn(3, 4)), network).shape
    torch.Size([3])
    """

    needs: ClassVar[type[Code]] = SparseCode
    weight: float = within(default=1.0, low=0.0)
    patience: int = within(default=20, low=1)
    units: int = within(default=8, low=1)

    def build(self, network: Network) -> Self:
        """Refuse a bottleneck that does not count its units' silence."""
        if "silent" not in dict(network.bottleneck.named_buffers()):
            raise ValueError(
                f"Revival needs to know how long each unit has been silent, and {type(network.bottleneck).__name__} "
                "does not count that. Derive it from SparseBottleneck, or use TopK, BatchTopK, JumpReLU or Gated."
            )
        return self

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``; zero outside training."""
        if not self.training:
            return trip.output.new_zeros(len(trip.output))
        assert isinstance(trip.code, SparseCode)
        wanted, silent = trip.code.wanted, network.bottleneck.get_buffer("silent") >= self.patience
        best = wanted.masked_fill(~silent, -torch.inf).topk(min(self.units, len(silent)), dim=-1).indices
        chosen = torch.zeros_like(wanted).scatter(-1, best, 1.0) * silent
        answer = (wanted + (wanted.relu() - wanted).detach()) * chosen
        with replaying(network):
            change = decoded(network, answer) - decoded(network, torch.zeros_like(answer[:1]))
        output = trip.output.detach()
        return self.judged(trip, output + change) - self.judged(trip, output)


@parameters
class GateTraining(LossBeside):
    r"""Gates learn from what they let through: :math:`\ell(x, \bar g(u^+)) + \lambda\sum_j u^+_j`.

    :math:`u^+` is the positive part of what the gates see, :math:`\bar g` the decoder held still. By the first term
    gates open for what the reconstruction needs, by the second seldom; what passes them is not made smaller.

    Parameters
    ----------
    weight : float, default 1
        Of both terms.
    sparsity : float, default 1
        :math:`\lambda`, nats for each unit by which a gate is open.

    References
    ----------
    Improving Dictionary Learning with Gated Sparse Autoencoders, Rajamanoharan et al., 2024, arXiv:2404.16014.

    >>> from diabolo import MLP, Clean, Gated, SquaredError
    >>> network = Network((4,), MLP(), Gated(16), Clean())
    >>> GateTraining().beside(SquaredError())(network(torch.zeros(3, 4)), network).shape
    torch.Size([3])
    """

    needs: ClassVar[type[Code]] = SparseCode
    weight: float = within(default=1.0, low=0.0)
    sparsity: float = within(default=1.0, low=0.0)

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        """``(batch,)``."""
        assert isinstance(trip.code, SparseCode)
        opened = trip.code.wanted.relu()
        with replaying(network, learning=False):
            output = decoded(network, opened)
        return self.judged(trip, output) + self.sparsity * opened.flatten(1).sum(1)

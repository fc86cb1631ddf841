"""Several networks of one shape as one: a layer of all of them is a single batched multiplication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from .codes import Code
from .kinds import Bottleneck
from .network import Network, ViewEncoder
from .roundtrip import Batch, RoundTrip, View


class MemberWeights(nn.Parameter):
    """Weights of one name of all members, the members on the first axis: optimizers treat each by itself."""


class Members(nn.Module):
    r"""Modules of one shape side by side: :math:`y_m = f_m(x_m)`, computed as :math:`Y = \mathrm{bmm}(X, W)`.

    Where layers are narrow, the time of a step is that of its calls, and one call serves all.

    Parameters
    ----------
    modules : sequence of nn.Module
        Of the same class and shape. Their weights are copied.

    Raises
    ------
    ValueError
        If they remember more than weights, as batch normalization does.

    >>> Members([nn.Linear(3, 2) for _ in range(5)])(torch.zeros(7, 5, 3)).shape
    torch.Size([7, 5, 2])
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        first = modules[0]
        if any(True for _ in first.buffers()):
            raise ValueError(
                f"{type(first).__name__} remembers more than weights and cannot be computed side by side; use "
                "normalization='layer' or 'none' instead of 'batch'."
            )
        self.count = len(modules)
        self.plan = (first,)  # in a tuple, so that its weights are no weights of this module
        self.names = [name for name, _ in first.named_parameters()]
        every = [dict(module.named_parameters()) for module in modules]
        self.weights = nn.ParameterList(
            MemberWeights(torch.stack([own[name].detach() for own in every])) for name in self.names
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, members, ...) -> (batch, members, ...)``."""
        plan = self.plan[0].train(self.training)

        def one(weights: list[Tensor], rows: Tensor) -> Tensor:
            made = functional_call(plan, dict(zip(self.names, weights, strict=True)), (rows,))
            return made.values if isinstance(made, Code) else made

        made: Tensor = vmap(one, in_dims=(0, 1), out_dims=1, randomness="different")(list(self.weights), x)
        return made


class SharedEncoder(Members):
    """Encoders side by side: all see the same rows or, while training, each its own, which come one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, *shape) -> (batch, ..., all)``; while training ``(batch * members, *shape)``."""
        count = self.count
        rows = x.reshape(-1, count, *x.shape[1:]) if self.training else x.unsqueeze(1).expand(-1, count, *x.shape[1:])
        return joined(super().forward(rows))


class SharedBottleneck(Members):
    """Bottlenecks side by side, each for its part of the features."""

    gives: ClassVar[type[Code]] = Code

    def __init__(self, modules: Sequence[Bottleneck]) -> None:
        super().__init__(modules)
        self.size = sum(module.size or 0 for module in modules)

    def forward(self, features: Tensor) -> Code:  # type: ignore[override]
        """``(batch, ..., all) -> Code`` of ``(batch, ..., all)``."""
        return Code(joined(super().forward(parted(features, self.count))))

    def meet(self, features: Tensor) -> None:
        """Plain codes begin nowhere."""


class MeanDecoder(Members):
    """Decoders side by side, each for its part of the code: the mean of what they say or, while training, each."""

    def forward(self, codes: Tensor) -> Tensor:
        """``(batch, ..., all) -> (batch, *shape)``; while training ``(batch * members, *shape)``."""
        opinions = super().forward(parted(codes, self.count))
        if not self.training:
            return opinions.mean(1)
        if (
            opinions.requires_grad
        ):  # a loss that is a mean over all trips divides by the members; each learns as if alone
            opinions.register_hook(lambda gradient: gradient * self.count)  # type: ignore[no-untyped-call]
        return opinions.flatten(0, 1)


def joined(parts: Tensor) -> Tensor:
    """``(batch, members, ..., size) -> (batch, ..., members * size)``."""
    return parts.movedim(1, -2).flatten(-2)


def parted(whole: Tensor, members: int) -> Tensor:
    """The reverse of :func:`joined`."""
    return whole.reshape(*whole.shape[:-1], members, -1).movedim(-2, 1)


class Ensemble(Network):
    r"""Networks that learn side by side and answer together: :math:`z = (z_1, \dots, z_M)`, :math:`\hat x = \frac1M
    \sum_m g_m(z_m)`.

    While training, each makes trips of its own with a corruption of its own, and each is judged by itself: a batch of
    :math:`n` rows gives :math:`nM` trips. Afterwards the code is that of all, one after the other, and what comes back
    is the mean of what they say, which errs less than each of them alone.

    Parameters
    ----------
    members : sequence of Network
        Made alike, with plain codes, begun at different weights.

    References
    ----------
    Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles, Lakshminarayanan, Pritzel and
    Blundell, 2017, arXiv:1612.01474.

    >>> from diabolo import MLP, Clean, Identity
    >>> network = Ensemble([Network((4,), MLP(hidden=(8,)), Identity(2), Clean()) for _ in range(3)])
    >>> trip = network.eval()(torch.zeros(5, 4))
    >>> trip.code.values.shape, trip.output.shape, network.train()(torch.zeros(5, 4)).output.shape
    (torch.Size([5, 6]), torch.Size([5, 4]), torch.Size([15, 4]))
    """

    encoder: SharedEncoder
    bottleneck: SharedBottleneck  # type: ignore[assignment]
    decoder: MeanDecoder

    def __init__(self, members: Sequence[Network]) -> None:
        nn.Module.__init__(self)
        first = members[0]
        for member in members:
            if isinstance(member.encoder, ViewEncoder) or member.bottleneck.gives is not Code:
                raise ValueError(
                    f"{type(member.encoder).__name__} with {type(member.bottleneck).__name__} cannot be computed side "
                    "by side; an ensemble takes architectures that see all cells, and plain codes: MLP(), Conv()."
                )
        self.shape, self.prepare, self.corruption, self.computes_in = first.shape, first.prepare, first.corruption, None
        self.register_buffer("mean", first.mean, persistent=False)
        self.encoder = SharedEncoder([member.encoder for member in members])
        self.bottleneck = SharedBottleneck([member.bottleneck for member in members])
        self.decoder = MeanDecoder([member.decoder for member in members])

    def forward(
        self,
        x: Tensor,
        known: Tensor | None = None,
        degraded: View | None = None,
        *,
        corrupt: bool | None = None,
        sample: bool | None = None,
    ) -> RoundTrip:
        """The trip of ``x``; while training one of each member, those of a row one after the other."""
        batch = Batch(x, known, degraded)
        if self.training:
            batch = batch.map(lambda part: part.repeat_interleave(self.encoder.count, 0))
        return super().forward(batch.values, batch.known, batch.degraded, corrupt=corrupt, sample=sample)

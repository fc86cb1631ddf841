"""Codes of which few numbers are not zero."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ..core.codes import Code, GatedCode, SparseCode
from ..core.kinds import Bottleneck
from ..core.parts import parameters, within

NEVER = 1 << 40  # steps of silence of a unit that has not spoken yet
SMALLEST_SQUARE = 1e-12
REMEMBERED = 100  # steps over which thresholds and squares are averaged


@parameters
class SparseBottleneck(Bottleneck, ABC):
    r"""What sparse bottlenecks share: a projection to what each unit wants, and a count of each unit's silence.

    A unit speaks where its value is not zero. The buffer ``silent`` of shape ``(size,)`` holds how many training steps
    ago each unit last spoke, and a very large number for those that never did.

    Parameters
    ----------
    size : int, or None
        Units; ``None`` takes the estimator's ``code_size``.
    """

    gives: ClassVar[type[Code]] = SparseCode
    size: int | None = within(default=None, low=1)

    def build(self, width: int) -> Self:
        """Make the projection and the count."""
        assert self.size is not None
        self.project = nn.Linear(width, self.size)
        self.register_buffer("silent", torch.full((self.size,), NEVER))
        return self

    def meet(self, features: Tensor) -> None:
        """Begin with wants of mean zero over the data, so that no unit is silent, or loud, from the start."""
        self.project.bias.copy_(-(features.flatten(0, -2).mean(0) @ self.project.weight.T))

    def forward(self, features: Tensor) -> SparseCode:
        """``(..., width) -> SparseCode`` of ``(..., size)``."""
        code = self.code(self.project(features))
        if self.training:
            spoke = (code.values.detach() != 0).flatten(0, -2).any(0)
            self.get_buffer("silent").add_(1).masked_fill_(spoke, 0)
        return code

    @abstractmethod
    def code(self, wanted: Tensor) -> SparseCode:
        """Let through some of what the units want."""


def largest(wanted: Tensor, count: int) -> Tensor:
    """Keep the ``count`` largest numbers along the last axis, as far as they are positive; all others become zero.

    >>> largest(torch.tensor([3.0, -1.0, 2.0, 1.0]), 2).tolist()
    [3.0, 0.0, 2.0, 0.0]
    """
    top = wanted.relu().topk(count, dim=-1)
    return torch.zeros_like(wanted).scatter(-1, top.indices, top.values)


@parameters
class TopK(SparseBottleneck):
    r"""The largest few of each code: :math:`z = \mathrm{TopK}(\mathrm{ReLU}(Wh + b))`.

    Parameters
    ----------
    size : int, or None
        Units; ``None`` takes the estimator's ``code_size``. Often more than the data has columns.
    active : int, default 8
        How many units may speak at once; all of them where there are fewer. An eighth of 64 units keeps most of
        small pictures and still says which parts they have.

    References
    ----------
    Scaling and evaluating sparse autoencoders, Gao et al., 2024, arXiv:2406.04093 (section 2.3).
    k-Sparse Autoencoders, Makhzani and Frey, 2013, arXiv:1312.5663.

    >>> code = TopK(64, active=2).build(5)(torch.randn(3, 5))
    >>> (code.values > 0).sum(1).tolist()
    [2, 2, 2]
    """

    active: int = within(default=8, low=1)

    def code(self, wanted: Tensor) -> SparseCode:
        """The largest of each row."""
        return SparseCode(largest(wanted, min(self.active, wanted.shape[-1])), wanted)


@parameters
class BatchTopK(SparseBottleneck):
    r"""The largest few per code on average: while training, the :math:`kn` largest of a batch of :math:`n` codes.

    Afterwards a unit speaks where it is above a threshold :math:`\theta`, the running mean of the smallest value that
    a training batch let through: a code then does not depend on the rows beside it.

    Parameters
    ----------
    size : int, or None
        Units; ``None`` takes the estimator's ``code_size``.
    active : int, default 8
        Mean number :math:`k` of units that speak at once; hard samples get more of them, easy ones fewer.

    References
    ----------
    BatchTopK Sparse Autoencoders, Bussmann, Leask and Nanda, 2024, arXiv:2412.06410.

    >>> code = BatchTopK(16, active=2).build(5)(torch.randn(30, 5))
    >>> int((code.values > 0).sum())
    60
    """

    active: int = within(default=8, low=1)

    def build(self, width: int) -> Self:
        """Make also the threshold, and the count of the steps that it was seen for."""
        super().build(width)
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("steps", torch.zeros(()))
        return self

    def code(self, wanted: Tensor) -> SparseCode:
        """The largest of the batch while training, and those above the threshold afterwards."""
        if not self.training:
            return SparseCode(torch.where(wanted > self.get_buffer("threshold"), wanted, 0.0), wanted)
        size = wanted.shape[-1]
        values = largest(wanted.flatten(), min(self.active, size) * (wanted.numel() // size)).view_as(wanted)
        self.remember(values.detach())
        return SparseCode(values, wanted)

    def remember(self, values: Tensor) -> None:
        """Move the threshold towards the smallest value that was let through, if one was."""
        smallest = values.masked_fill(values <= 0, torch.inf).min().float()
        some = smallest.isfinite()
        steps, threshold = self.get_buffer("steps"), self.get_buffer("threshold")
        steps.add_(some)
        threshold.lerp_(smallest.where(some, threshold), some / steps.clamp(1, REMEMBERED))


class Step(torch.autograd.Function):
    """1 above zero and 0 elsewhere, with the slope of a ramp of a given width in place of none."""

    @staticmethod
    def forward(ctx: Any, margin: Tensor, bandwidth: float) -> Tensor:
        """``(...) -> (...)``."""
        ctx.save_for_backward(margin)
        ctx.bandwidth = bandwidth
        return (margin > 0).to(margin.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The rectangle kernel: an estimate of how many values lie at the threshold."""
        (margin,) = ctx.saved_tensors
        return gradient * (margin.abs() < ctx.bandwidth / 2) / ctx.bandwidth, None


@parameters
class JumpReLU(SparseBottleneck):
    r"""Whatever is above a learned threshold: :math:`z = u\,H(u - s\theta)` with :math:`u = Wh + b`.

    :math:`s` is the root mean square of :math:`u` over the last training steps, so that thresholds suit any encoder and
    keep pace with it. They learn by a straight-through gradient, from values within half a bandwidth of them, and rise
    only at a price for speaking: :class:`~diabolo.penalties.ActiveUnits`.

    Parameters
    ----------
    size : int, or None
        Units; ``None`` takes the estimator's ``code_size``.
    threshold : float, default 0.3
        Where the thresholds :math:`\theta` begin, as a share of :math:`s`; they stay positive.
    bandwidth : float, default 0.3
        Width of the window around a threshold from which it learns, in the same unit. The paper's 0.001 wants thousands
        of rows a step; with some hundreds a wider one is less noisy.

    References
    ----------
    Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders, Rajamanoharan et al., 2024,
    arXiv:2407.14435.

    >>> code = JumpReLU(16).build(5)(torch.randn(3, 5))
    >>> bool(((code.values == 0) | (code.values == code.wanted)).all())
    True
    """

    gives: ClassVar[type[Code]] = GatedCode
    threshold: float = within(default=0.3, low=0.0, above=True)
    bandwidth: float = within(default=0.3, low=0.0, above=True)

    def build(self, width: int) -> Self:
        """Make also the thresholds, as logarithms, so that they stay positive, and the mean square of wants."""
        super().build(width)
        self.log_thresholds = nn.Parameter(torch.full((self.project.out_features,), self.threshold).log())
        self.register_buffer("square", torch.ones(self.project.out_features))
        return self

    def meet(self, features: Tensor) -> None:
        """Measure also how far wants reach."""
        super().meet(features)
        self.get_buffer("square").copy_(self.project(features).square().flatten(0, -2).mean(0))

    def code(self, wanted: Tensor) -> GatedCode:
        """What is above its threshold; what is wanted learns as if the gates were fixed."""
        square = self.get_buffer("square")
        if self.training:
            square.lerp_(wanted.detach().float().square().flatten(0, -2).mean(0), 1 / REMEMBERED)
        margin = wanted.detach() / square.clamp_min(SMALLEST_SQUARE).sqrt() - self.log_thresholds.exp()
        gates: Tensor = Step.apply(margin, self.bandwidth)  # type: ignore[no-untyped-call]
        return GatedCode(wanted * gates, wanted, gates)


@parameters
class Gated(SparseBottleneck):
    r"""One half decides who speaks, the other how loud: :math:`z = H(Wh + b)\;\mathrm{ReLU}(e^r\,Wh + c)`.

    Both halves share their directions :math:`W`. No gradient passes a gate, so that it needs a price of its own to
    learn: :class:`~diabolo.penalties.GateTraining`.

    Parameters
    ----------
    size : int, or None
        Units; ``None`` takes the estimator's ``code_size``.

    References
    ----------
    Improving Dictionary Learning with Gated Sparse Autoencoders, Rajamanoharan et al., 2024, arXiv:2404.16014.

    >>> code = Gated(16).build(5)(torch.randn(3, 5))
    >>> bool((code.values[code.wanted <= 0] == 0).all())
    True
    """

    def build(self, width: int) -> Self:
        """Make also the stretch :math:`r` and the offset :math:`c` of the loudness."""
        super().build(width)
        self.stretch = nn.Parameter(torch.zeros(self.project.out_features))
        self.offset = nn.Parameter(torch.zeros(self.project.out_features))
        return self

    def meet(self, features: Tensor) -> None:
        """Begin with gates and loudness that agree."""
        super().meet(features)
        self.offset.copy_(self.project.bias)

    def code(self, wanted: Tensor) -> SparseCode:
        """Loudness where the gate is open; what a unit wants is what its gate gets to see."""
        loudness = (wanted - self.project.bias) * self.stretch.exp() + self.offset
        return SparseCode(loudness.relu() * (wanted > 0), wanted)

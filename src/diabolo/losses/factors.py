"""What a factor analysis expects of cells that are hidden: the linear part of a prediction, in closed form."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..core.network import Network
from ..core.objective import Objective
from ..core.roundtrip import Batch, RoundTrip, View
from .hidden import CopiedHoles

MOST_FACTORS = 32
ROUNDS = 40
PRIOR_ROWS = 2.0  # rows of pure noise that the estimate begins with
LEAST_NOISE = 1e-3  # share of a cell's variance that factors never explain
MARGIN = 0.05  # how near a probability may come to 0 or 1


class Factors(nn.Module):
    r"""Factor analysis: :math:`x = \mu + Wz + \epsilon,\ z \sim N(0, I),\ \epsilon_j \sim N(0, \psi_j)`.

    Known cells of a row tell about its factors, and those about its hidden cells:
    :math:`E[x_h \mid x_k] = \mu_h + W_h\,(I + W_k^\top\Psi_k^{-1}W_k)^{-1}\,W_k^\top\Psi_k^{-1}(x_k - \mu_k)`. Weights
    and noise are those of the greatest likelihood of what is known, found by expectation-maximization, and held a
    little towards pure noise.

    Parameters
    ----------
    cells : int
        Numbers per row.

    References
    ----------
    EM algorithms for ML factor analysis, Rubin and Thayer, 1982, doi:10.1007/BF02293851.

    >>> x = torch.randn(200, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2.0])
    >>> factors = Factors(2).fit(x, torch.ones(200, 2, dtype=torch.bool))
    >>> expected = factors(View(torch.tensor([[1.0, 0.0]]), torch.tensor([[False, True]])))
    >>> bool(abs(expected[0, 1] - 2.0) < 0.1)
    True
    """

    mean: Tensor
    weights: Tensor
    noise: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(cells))
        self.register_buffer("weights", torch.zeros(cells, max(1, min(cells - 1, MOST_FACTORS))))
        self.register_buffer("noise", torch.ones(cells))
        self.register_buffer("low", torch.full((cells,), -torch.inf))
        self.register_buffer("high", torch.full((cells,), torch.inf))

    @torch.no_grad()
    def fit(self, values: Tensor, known: Tensor) -> Factors:
        """Learn from rows ``(rows, cells)`` of which some cells are known."""
        x, there = values.double(), known.double()
        count = there.sum(0).clamp_min(1)
        mean = (x * there).sum(0) / count
        variance = (((x - mean) * there).square().sum(0) / count).clamp_min(1e-8)
        centered = (x - mean) * there
        _, singular, axes = torch.linalg.svd(centered / len(x) ** 0.5, full_matrices=False)
        size = self.weights.shape[1]
        weights = x.new_zeros(x.shape[1], size)
        found = min(size, len(singular))
        weights[:, :found] = axes[:found].T * singular[:found]
        noise = 0.5 * variance
        for _ in range(ROUNDS):
            codes, factor = posterior(centered, there, weights, noise)
            moments = codes[:, :, None] * codes[:, None] + torch.cholesky_inverse(factor)
            gathered = (there.T @ moments.flatten(1)).view(-1, size, size)
            crossed = (centered * there).T @ codes
            ridge = (PRIOR_ROWS * torch.eye(size, dtype=x.dtype, device=x.device)).expand_as(gathered)
            weights = torch.linalg.solve(gathered + ridge, crossed[..., None])[..., 0]
            left = (centered.square() * there).sum(0) - (weights * crossed).sum(1)
            noise = (left + PRIOR_ROWS * LEAST_NOISE * variance) / count
            noise = torch.maximum(noise, LEAST_NOISE * variance)
            shift = ((centered - codes @ weights.T) * there).sum(0) / count
            mean, centered = mean + shift, (centered - shift) * there
        self.mean.copy_(mean)
        self.weights.copy_(weights)
        self.noise.copy_(noise)
        low = torch.where(known, x, torch.inf).amin(0)
        high = torch.where(known, x, -torch.inf).amax(0)
        truths = torch.where(known, (x == 0) | (x == 1), True).all(0)
        margin = MARGIN * truths
        self.low.copy_(torch.where(known.any(0), low + margin, 0.0))
        self.high.copy_(torch.where(known.any(0), torch.maximum(high - margin, low + margin), 0.0))
        return self

    @property
    def center(self) -> Tensor:
        """What is expected where nothing can be seen: ``(cells,)``."""
        return torch.clamp(self.mean, self.low, self.high)

    def forward(self, view: View) -> Tensor:
        """What is expected of every cell of a view's rows, given those that can be seen: ``(batch, cells)``."""
        seen = (~view.covered()).flatten(1).to(self.mean)
        centered = (view.values.flatten(1).to(self.mean) - self.mean) * seen
        codes, _ = posterior(centered, seen, self.weights, self.noise)
        return torch.clamp(self.mean + codes @ self.weights.T, self.low, self.high)


class FromFactors(CopiedHoles):
    r"""Hidden cells count, and only what is not linear is learned: :math:`\hat x = E_W[x \mid x_k] + g(f(x_k))`.

    A :class:`Factors` analysis of up to 2,048 training rows says what a linear model expects of each cell, given those
    that can be seen; what the decoder gives is added to it, as logits where the loss takes logits. Tables of a few
    hundred rows are linear for the most part, and no network finds that out as surely as a formula does. What codes
    alone decode to lacks this part: it is not theirs.

    Parameters
    ----------
    loss : Loss
    penalty : Penalty, or None

    >>> from diabolo import MLP, GaussianLikelihood, Identity, Masking
    >>> network = Network((4,), MLP(hidden=(8,)), Identity(1), Masking(0.5))
    >>> objective = FromFactors(GaussianLikelihood()).build(network)
    >>> objective.travel(network, Batch(torch.ones(2, 4)), corrupt=False).output.shape
    torch.Size([2, 4])
    """

    def build(self, network: Network) -> Objective:
        """Make room for the factors."""
        self.factors = Factors(int(torch.Size(network.shape).numel()))
        return super().build(network)

    @torch.no_grad()
    def meet(self, network: Network, batch: Batch) -> None:
        """Find the factors of some training rows."""
        held = self.whole(batch)
        known = torch.ones_like(held.values, dtype=torch.bool) if held.known is None else held.known
        self.factors.fit(held.values.flatten(1), known.flatten(1))
        super().meet(network, batch)

    def trip(self, network: Network, batch: Batch, *, corrupt: bool, sample: bool | None) -> RoundTrip:
        """One trip through the network, which adds to what the factors expect."""
        trip = super().trip(network, batch, corrupt=corrupt, sample=sample)
        with torch.no_grad(), torch.autocast(batch.values.device.type, enabled=False):
            expected = self.factors(trip.seen)
            start = self.loss.unlink(expected.T).T - self.loss.unlink(self.factors.center)
        return replace(trip, output=trip.output + start.view_as(trip.output))


def posterior(centered: Tensor, seen: Tensor, weights: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each row's factors, ``(rows, factors)``, and the Cholesky factor of their precision."""
    size = weights.shape[1]
    scaled = weights / noise[:, None]
    outer = (scaled[:, :, None] * weights[:, None]).flatten(1)
    precision = (seen @ outer).view(-1, size, size) + torch.eye(size, dtype=seen.dtype, device=seen.device)
    factor = torch.linalg.cholesky(precision)
    return torch.cholesky_solve(((centered * seen) @ scaled)[..., None], factor)[..., 0], factor

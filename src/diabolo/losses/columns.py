"""Tables: to each column its own likelihood."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from ..core.errors import ShapeError
from ..core.kinds import Shape
from ..core.parts import parameters
from ..core.roundtrip import RoundTrip
from .likelihood import LOG_TWO_PI, FittedScale

SMALLEST_DEVIATION = 0.01
UNLIKELY = 1e-4
LIKELIHOODS = ("gaussian", "bernoulli", "softmax")


@parameters
class ColumnLikelihood(FittedScale):
    r"""The sum of each column's own: :math:`-\sum_j \log p_j(x_j)`, Gaussian, Bernoulli or a choice among many.

    A number is a Gaussian of the column's own best variance, as in :class:`GaussianLikelihood`; a truth, or a step of
    an order, is a Bernoulli whose logit is the output; a category is a softmax over its cells.

    Parameters
    ----------
    blocks : tuple of (likelihood, cells)
        What the cells are, in their order: ``("gaussian", 1)``, ``("bernoulli", 3)``, ``("softmax", 5)``. A table
        tells its own; without any, each cell is a number.

    Raises
    ------
    ShapeError
        If samples are no rows of so many cells.

    References
    ----------
    Handling Incomplete Heterogeneous Data using VAEs, Nazabal, Olmos, Ghahramani and Valera, 2018, arXiv:1807.03653.

    >>> loss = ColumnLikelihood((("gaussian", 1), ("softmax", 2))).build((3,))
    >>> loss.mean(torch.zeros(1, 3)).tolist()
    [[0.0, 0.5, 0.5]]
    """

    blocks: tuple[tuple[str, int], ...] = ()
    link = "identity"

    def check(self) -> Self:
        """Refuse what is no block."""
        super().check()
        for block in self.blocks:
            if len(block) != 2 or block[0] not in LIKELIHOODS or block[1] < 1:
                raise ValueError(f"ColumnLikelihood: a block is ('softmax', 3), one of {LIKELIHOODS}; got {block!r}.")
        return self

    def build(self, shape: Shape) -> Self:
        """Note where the cells of each likelihood lie."""
        if len(shape) != 1:
            raise ShapeError(
                f"ColumnLikelihood is for rows of a table; samples of shape {shape} have no columns. Use "
                "GaussianLikelihood() for them."
            )
        blocks = self.blocks or (("gaussian", 1),) * shape[0]
        cells = sum(width for _, width in blocks)
        if shape != (cells,):
            raise ShapeError(f"ColumnLikelihood: blocks of {cells} cells, for samples of {shape[0]}.")
        places: dict[str, list[int]] = {name: [] for name in LIKELIHOODS}
        choices: list[list[int]] = []
        start = 0
        for name, width in blocks:
            here = list(range(start, start + width))
            places[name] += here
            choices += [here] if name == "softmax" else []
            start += width
        for name in ("gaussian", "bernoulli"):
            self.register_buffer(f"{name}_at", torch.tensor(places[name], dtype=torch.long), persistent=False)
        widest = max(map(len, choices), default=0)
        # Each choice's cells in a row, filled up with a cell that no sample has.
        padded = [here + [cells] * (widest - len(here)) for here in choices]
        self.register_buffer("softmax_at", torch.tensor(padded, dtype=torch.long).view(len(choices), widest), False)
        return self.make_room((len(places["gaussian"]),))

    def forward(self, trip: RoundTrip) -> Tensor:
        """``RoundTrip -> (batch,)``."""
        numbers, truths, choices = self.parts(trip)
        return numbers.sum(1) + truths.sum(1) + choices.sum(1)

    @property
    def numbers(self) -> Tensor:
        """Where the Gaussian cells lie."""
        return self.get_buffer("gaussian_at")

    @property
    def truths(self) -> Tensor:
        """Where the Bernoulli cells lie."""
        return self.get_buffer("bernoulli_at")

    @property
    def choices(self) -> Tensor:
        """Where each choice's cells lie: ``(choices, cells of the widest)``; beyond its last, one past all cells."""
        return self.get_buffer("softmax_at")

    def parts(self, trip: RoundTrip) -> tuple[Tensor, Tensor, Tensor]:
        """Nats of each Gaussian cell, of each Bernoulli cell and of each choice; 0 where nothing is known."""
        output, target = trip.output, trip.target
        known = torch.ones_like(target) if trip.known is None else trip.known.to(target.dtype)
        there = known[:, self.numbers]
        squares = (output[:, self.numbers] - target[:, self.numbers]).square() * there
        gathered = self.gather(squares.detach().sum(0), there.sum(0)) if self.training else self.remembered()
        variance = gathered.clamp_min(SMALLEST_DEVIATION**2).float()
        lost = (squares / variance + (variance.log() + LOG_TWO_PI) * there) / 2
        doubted = known[:, self.truths] * functional.binary_cross_entropy_with_logits(
            output[:, self.truths], target[:, self.truths].clamp(0, 1), reduction="none"
        )
        said = self.log_shares(output)
        wanted = self.rows_of_choices(target, 0.0) * self.rows_of_choices(known, 0.0)
        return lost, doubted, -(said * wanted).sum(-1)

    def rows_of_choices(self, values: Tensor, filling: float) -> Tensor:
        """``(batch, cells) -> (batch, choices, cells of the widest)``."""
        return functional.pad(values, (0, 1), value=filling)[:, self.choices]

    def log_shares(self, output: Tensor) -> Tensor:
        """The log-probability of each cell of each choice; 0 beyond its last cell."""
        if not self.choices.numel():
            return output.new_zeros(len(output), *self.choices.shape)
        beyond = self.choices.eq(output.shape[1])
        said = self.rows_of_choices(output, 0.0).masked_fill(beyond, -torch.inf).log_softmax(-1)
        return said.masked_fill(beyond, 0.0)

    def surprise(self, trip: RoundTrip) -> Tensor:
        r"""Nats that each cell is less likely than the likeliest value there: ``(batch, cells)``; 0 where unknown.

        :math:`\log\max_v p(v) - \log p(x)`: comparable between numbers and categories, and 0 for what was expected.
        A choice's is told at the cell that was chosen.
        """
        output, target = trip.output, trip.target
        made = torch.zeros_like(output)
        squares = (output[:, self.numbers] - target[:, self.numbers]).square()
        variance = self.remembered().clamp_min(SMALLEST_DEVIATION**2).float()
        made[:, self.numbers] = squares / variance / 2
        logits = output[:, self.truths]
        against = torch.where(target[:, self.truths] > 0.5, -logits, logits)
        made[:, self.truths] = against.clamp_min(0)
        said = self.log_shares(output)
        beyond = self.choices.eq(output.shape[1])
        best = said.masked_fill(beyond, -torch.inf).amax(-1, keepdim=True) if said.numel() else said
        less = (best - said) * self.rows_of_choices(target, 0.0)
        inside = ~beyond
        made[:, self.choices[inside]] = less[:, inside]
        return made if trip.known is None else made * trip.known

    def mean(self, output: Tensor) -> Tensor:
        """Expected numbers, and the probability of each truth and of each category."""
        made = output.clone()
        made[..., self.truths] = output[..., self.truths].sigmoid()
        inside = self.choices.ne(output.shape[-1])
        if inside.any():
            flat = output.reshape(-1, output.shape[-1])
            made.view(-1, output.shape[-1])[:, self.choices[inside]] = self.log_shares(flat).exp()[:, inside]
        return made

    def unlink(self, mean: Tensor) -> Tensor:
        """Logits of shares."""
        made = mean.clone()
        made[self.truths] = torch.logit(mean[self.truths], UNLIKELY)
        inside = self.choices[self.choices.ne(len(mean))]
        made[inside] = mean[inside].clamp_min(UNLIKELY).log()
        return made

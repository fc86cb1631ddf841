"""Columns by themselves: how those of generated rows lie beside real ones, and how they are brought there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ..core.kinds import Loss
from ..estimators import Estimator
from ..losses import ColumnLikelihood, GaussianLikelihood

KNOTS = 1001  # quantiles kept of a column of numbers
REPEATED = 0.5  # different values for each row, above which a column is no column of steps
ROUNDS = 40  # of the search for the chances that give each category its share


class Marginals:
    r"""Brings columns to the distributions of real ones: :math:`x \mapsto F_{\text{real}}^{-1}(F_{\text{made}}(x))`.

    Numbers so keep their rank. Chances of categories are set right by what is added to their logits.

    Parameters
    ----------
    numbers : ndarray of int
        The cells that hold numbers.

    Attributes
    ----------
    deviations : ndarray
        How far off each of them comes back, in the network's units.
    shift : ndarray
        Added to the decoder's outputs; empty where nothing was compared, as for pictures.
    made, real, below : ndarray of shape (numbers, 1001)
        Quantiles of generated and of real cells, and the share of real ones up to each.
    stepped : ndarray of bool
        Columns that repeat few values and hold no other ones.

    >>> random = np.random.default_rng(0)
    >>> marginals = Marginals(np.array([0]))
    >>> marginals.compare(random.normal(5, 2, (1000, 1)), random.choice([1.0, 3.0], (1000, 1)), np.array([-1]), random)
    >>> marginals.by_rank(np.array([[0.0], [9.0]])).tolist()
    [[1.0], [3.0]]
    """

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers, self.deviations, self.shift = numbers, np.zeros(len(numbers)), np.zeros(0)
        self.made = self.real = self.below = np.zeros((0, KNOTS))
        self.stepped = np.zeros(0, dtype=bool)

    @property
    def known(self) -> bool:
        """Whether there is anything to bring cells to."""
        return len(self.shift) > 0

    def compare(self, made: np.ndarray, real: np.ndarray, empty: np.ndarray, random: np.random.Generator) -> None:
        """Learn the distributions of generated cells and of real ones, NaN where these are missing.

        ``empty`` is the cell that says whether a cell is empty, as :func:`hole_cells` has it.
        """
        self.made, self.real, self.below = np.zeros((3, len(self.numbers), KNOTS))
        self.stepped = np.zeros(len(self.numbers), dtype=bool)
        shares = np.linspace(0.0, 1.0, KNOTS)
        for row, at in enumerate(self.numbers):
            theirs = real[:, at][~np.isnan(real[:, at])].astype(np.float64)
            ours = made[:, at] if empty[at] < 0 else made[made[:, empty[at]] <= random.random(len(made)), at]
            if len(theirs) and len(ours):
                self.made[row] = np.quantile(ours, shares)
                self.real[row], self.below[row], self.stepped[row] = distribution(theirs)

    def noisy(self, cells: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Expected cells with numbers drawn from their Gaussian."""
        noise = random.standard_normal((len(cells), len(self.numbers)))
        cells[:, self.numbers] += noise * self.deviations
        return cells

    def by_rank(self, cells: np.ndarray) -> np.ndarray:
        """Generated cells with numbers that have the rank they had, among the real ones."""
        shares = np.linspace(0.0, 1.0, KNOTS)
        for row, at in enumerate(self.numbers):
            below = np.interp(cells[:, at], self.made[row], shares)
            if self.stepped[row]:
                cells[:, at] = self.real[row][np.searchsorted(self.below[row][:-1], below)]
            else:
                cells[:, at] = np.interp(below, self.below[row], self.real[row])
        return cells

    def arrays(self) -> dict[str, np.ndarray]:
        """What a model file holds."""
        names = ("numbers", "deviations", "shift", "made", "real", "below", "stepped")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The reverse of :meth:`arrays`."""
        made = cls(arrays["numbers"])
        for name in made.arrays():
            setattr(made, name, arrays[name])
        return made


def shift_of_shares(
    outputs: Tensor, cells: np.ndarray, empty: np.ndarray, loss: Loss, mean: Callable[[Tensor], Tensor]
) -> np.ndarray:
    """What to add to logits so that truths and categories come as often as in the training data.

    Chances in rows whose cell is empty do not count, since they are not drawn from.
    """
    shift = torch.zeros(outputs.shape[1])
    if not isinstance(loss, ColumnLikelihood):
        return shift.numpy()
    truths, inside = loss.truths.cpu(), loss.choices.cpu()
    inside = inside[inside.ne(outputs.shape[1])]
    there = ~np.isnan(cells)
    real = torch.from_numpy(np.where(there, cells, 0.0).sum(0) / np.maximum(there.sum(0), 1)).float()
    holes = torch.from_numpy(empty)
    for _ in range(ROUNDS):
        chances = mean(outputs + shift)
        filled = torch.where(holes < 0, 1.0, 1.0 - chances[:, holes])
        made = (chances * filled).sum(0) / filled.sum(0).clamp_min(1e-6)
        step = torch.zeros_like(shift)
        step[truths] = torch.logit(real[truths], 1e-6) - torch.logit(made[truths], 1e-6)
        step[inside] = real[inside].clamp_min(1e-6).log() - made[inside].clamp_min(1e-6).log()
        shift += step.clamp(-1, 1)
    return shift.numpy()


def numbers_of(model: Estimator) -> np.ndarray:
    """The cells that are drawn from a Gaussian; none for pictures, sequences and data of one unit."""
    loss = model.objective_.loss
    if isinstance(loss, ColumnLikelihood):
        return loss.numbers.cpu().numpy().astype(np.int64)
    one_row = len(model.modality_.shape) == 1 and not model.modality_.varies
    if isinstance(loss, GaussianLikelihood) and loss.link == "identity" and one_row:
        return np.arange(model.modality_.shape[0])
    return np.zeros(0, dtype=np.int64)


def hole_cells(model: Estimator, count: int) -> np.ndarray:
    """For each cell the one that says whether it is empty; -1 where it never is."""
    found, start = np.full(count, -1), 0
    for column in getattr(model.modality_, "columns", ()):
        if column.holes:
            found[start : start + column.width - 1] = start + column.width - 1
        start += column.width
    return found


def distribution(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """A column's distribution on a fixed number of knots: values, the share up to each, and whether it has steps.

    A column that repeats no more values than there are knots only ever holds these; any other one is read between its
    quantiles.

    >>> knots, below, stepped = distribution(np.array([3.0, 1.0] * 100))
    >>> knots[:3].tolist(), below[:2].tolist(), stepped
    ([1.0, 3.0, 3.0], [0.5, 1.0], True)
    """
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= min(KNOTS, len(values) * REPEATED):
        beyond = (0, KNOTS - len(found))
        return np.pad(found, beyond, mode="edge"), np.pad(counts.cumsum() / len(values), beyond, mode="edge"), True
    shares = np.linspace(0.0, 1.0, KNOTS)
    return np.quantile(values, shares), shares, False


__all__ = ["Marginals", "distribution", "hole_cells", "numbers_of", "shift_of_shares"]

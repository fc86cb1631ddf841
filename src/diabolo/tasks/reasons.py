"""Why rows are strange: cells, what was expected of them, and the normal rows that are nearest."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..data.explained import Explanation
from ..data.modality import Modality


@dataclass(frozen=True)
class AnomalyExplanation(Explanation):
    """Why rows are strange: an explanation of cells, and the normal rows that are nearest.

    Parameters
    ----------
    columns, observed, expected, probability, surprise, backend
        As of an :class:`~diabolo.data.explained.Explanation`; ``surprise`` is in units of the score.
    scores : ndarray of shape (rows,)
        How strange each row is.
    p_values : ndarray of shape (rows,)
    neighbors : ndarray of int, (rows, k)
        Numbers of the nearest training rows in the data that was fitted, nearest first; none where no view measures
        distances.
    distances : ndarray of shape (rows, k)
        How far away they are, in that view's units.

    >>> from sklearn.datasets import load_wine
    >>> from diabolo import AnomalyDetector
    >>> X = load_wine().data
    >>> told = AnomalyDetector(random_state=0).fit(X).explain(X[:2] + 99)
    >>> told.scores.shape, told.neighbors.shape, told.share.sum(1).round(3).tolist()
    ((2,), (2, 5), [1.0, 1.0])
    """

    scores: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    p_values: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    neighbors: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    distances: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))


def shares(cells: Tensor | np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Each cell's part of its row's sum: ``(rows, cells)``; nothing where there is none.

    >>> shares(np.array([[1.0, 3.0]]), (1, 2)).tolist()
    [[0.25, 0.75]]
    """
    if cells is None:
        return np.zeros(shape)
    held = np.maximum(cells.double().cpu().numpy() if isinstance(cells, Tensor) else cells, 0.0)
    total = held.sum(1, keepdims=True)
    return np.asarray(np.divide(held, total, out=np.zeros_like(held), where=total > 0))


def flat_for_user(modality: Modality, cells: np.ndarray) -> np.ndarray:
    """The network's cells in the user's order: ``(rows, cells)``."""
    shaped = cells.reshape(len(cells), *modality.shape)
    return np.asarray(modality.to_user(shaped)).reshape(len(cells), -1)

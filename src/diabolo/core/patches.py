"""Patches: neighboring cells that are hidden, looked at and judged together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .kinds import Shape


def usual_side(shape: Shape) -> int:
    """The side of a patch where nobody names one: a single column of a row, else the root of the shortest side.

    The root makes about as many patches along a side as cells along a patch.

    >>> usual_side((30,)), usual_side((1000, 2)), usual_side((28, 28, 1))
    (1, 32, 5)
    """
    return 1 if len(shape) == 1 else round(math.sqrt(min(shape[:-1])))


def column_numbers(widths: Sequence[int]) -> Tensor:
    """The number of each cell's column, where columns take several cells.

    >>> column_numbers([1, 3]).tolist()
    [0, 1, 1, 1]
    """
    return torch.arange(len(widths)).repeat_interleave(torch.tensor(list(widths)))


def patch_numbers(shape: Shape, side: int) -> tuple[Shape, Tensor]:
    """How many patches there are along each position axis, and the number of each cell's patch.

    >>> grid, numbers = patch_numbers((3, 4, 1), side=2)
    >>> grid, numbers[..., 0].tolist()
    ((2, 2), [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3]])
    """
    positions = shape[:-1] or shape
    grid = tuple(-(-length // side) for length in positions)
    numbers = torch.arange(math.prod(grid)).view(grid)
    for axis, length in enumerate(positions):
        numbers = numbers.index_select(axis, torch.arange(length) // side)
    return grid, numbers if len(shape) == 1 else numbers[..., None].expand(shape)

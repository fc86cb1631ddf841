"""Columns of categories: one of many values without an order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from .columns import Block, Column
from .raw import Raw
from .values import pick, places_of, same, unique

MOST_SLOTS = 256  # cells of one column of categories; with more it is written in two digits


@dataclass
class Choice(Column):
    """One of many values without an order: a cell for each, and one for values that were never seen.

    Beyond 255 values a value is written in two digits, each with cells of its own, so that a column of 100,000
    values takes 634 cells. What comes back is always a value that was seen.

    Parameters
    ----------
    values : list
        From the most frequent one down.
    levels : list, or None
        The categories of the user's dtype, in its own order.

    >>> city = Choice.fit(Raw("city", np.array(["B", "A", "B"], object), np.ones(3, bool), "object"))
    >>> city.own_names, city.forward(Raw("city", np.array(["A", "C"], object), np.ones(2, bool))).tolist()
    (['city=B', 'city=A', 'city=another'], [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    """

    values: list[Any] = field(default_factory=list)
    levels: list[Any] | None = None
    kind: ClassVar[str] = "categorical"

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """All values, by frequency; categories of the dtype that do not occur come last."""
        found, counts = unique(raw)
        order = sorted(range(len(found)), key=lambda at: (-counts[at], str(type(found[at])), str(found[at])))
        values = [found[at] for at in order]
        unused = [level for level in raw.levels or () if not any(same(level, value) for value in values)]
        levels = None if raw.levels is None else list(raw.levels)
        return cls(raw.name, raw.dtype, not raw.known.all(), values + unused, levels)

    @property
    def base(self) -> int | None:
        """How many digits there are, where a value is written in two; ``None`` where it has a cell of its own."""
        return None if len(self.values) < MOST_SLOTS else int(np.ceil(np.sqrt(len(self.values))))

    @property
    def own_blocks(self) -> list[Block]:
        """One choice, or one for each of two digits."""
        if self.base is None:
            return [("softmax", len(self.values) + 1)]
        return [("softmax", self.base + 1), ("softmax", self.base + 1)]

    @property
    def own_names(self) -> list[str]:
        """The value, or the digit."""
        if self.base is None:
            return [*(f"{self.name}={value}" for value in self.values), f"{self.name}=another"]
        return [f"{self.name}, digit {which}: {at}" for which in (1, 2) for at in [*range(self.base), "another"]]

    @property
    def what(self) -> str:
        """How many values, and in how many cells."""
        digits = "" if self.base is None else f" in two digits of {self.base}"
        return f"categorical, {len(self.values):,} value{'s'[: len(self.values) != 1]}{digits}"

    def forward(self, raw: Raw) -> np.ndarray:
        """A 1 at the value, or at each of its digits."""
        places = places_of(raw, self.values)
        made, rows = np.zeros((len(places), self.own_width)), np.arange(len(places))
        if self.base is None:
            made[rows, np.where(places >= 0, places, len(self.values))] = 1.0
            return made
        first, second = np.divmod(places, self.base)
        for start, digit in ((0, first), (self.base + 1, second)):
            made[rows, start + np.where(places >= 0, digit, self.base)] = 1.0
        return made

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """The likeliest of the values seen, or one by chance."""
        return pick(self.values, np.concatenate([self._places(part, draw) for part in parts_of(cells)]))

    def _places(self, cells: np.ndarray, draw: np.random.Generator | None) -> np.ndarray:
        likely = np.maximum(cells, 0.0)
        if self.base is not None:
            first, second = likely[:, : self.base], likely[:, self.base + 1 : -1]
            likely = (first[:, :, None] * second[:, None, :]).reshape(len(cells), -1)
        likely = likely[:, : len(self.values)]
        if draw is None:
            return np.asarray(likely.argmax(1))
        total = likely.cumsum(1)
        return np.minimum((total < draw.random((len(cells), 1)) * total[:, -1:]).sum(1), len(self.values) - 1)


def parts_of(cells: np.ndarray, most: int = 4_000_000) -> list[np.ndarray]:
    """Rows in parts, so that a product of two digits of each never takes much memory."""
    step = max(1, most // max(1, (cells.shape[1] // 2) ** 2))
    return [cells[start : start + step] for start in range(0, max(1, len(cells)), step)]

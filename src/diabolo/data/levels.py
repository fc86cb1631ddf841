"""Columns of a few known values: levels in an order, and one of two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from ..core.errors import DataError
from .cells import listed, short
from .columns import Block, Column, Misfit, misfit_at
from .numbers import numbers_of
from .raw import Raw
from .values import key_of, pick, places_of, sorted_values


@dataclass
class Known(Column):
    """One of a few values that have an order.

    Parameters
    ----------
    another : bool
        Whether one more cell tells that the value is none of those seen at fit. A number that is none of them is then
        as surprising as it should be, and takes the nearest one's cells; a word has no nearest, and is refused.
    """

    another: bool = field(default=False, kw_only=True)

    @property
    def marks(self) -> list[str]:
        """Whether it is another value than those of fit, and whether it is missing."""
        return [*(["=another"] if self.another else []), *super().marks]

    @property
    def known_values(self) -> list[Any]:
        """All of them in their order."""
        return []

    def encode(self, raw: Raw) -> np.ndarray:
        """Cells of a stretch of rows, NaN where the value is missing: ``(rows, width)``."""
        cells = super().encode(raw)
        if self.another and raw.known.any():
            cells[raw.known, self.own_width] = nearest_places(raw, self.known_values)[1]
        return cells


@dataclass
class Levels(Known):
    """Values in an order: a cell for each step, which says whether the value lies above it.

    >>> size = Levels.fit(Raw("size", np.array([1, 3, 5]), np.ones(3, bool), "int64"))
    >>> size.cell_names, size.encode(Raw("size", np.array([3, 9]), np.ones(2, bool))).tolist()
    (['size > 1', 'size > 3', 'size=another'], [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    """

    levels: list[Any] = field(default_factory=list)
    kind: ClassVar[str] = "ordinal"

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """All levels in their order: the dtype's own, or sorted."""
        levels = list(raw.levels) if raw.ordered and raw.levels else sorted_values(raw)
        return cls(raw.name, raw.dtype, not raw.known.all(), levels, another=True)

    @property
    def known_values(self) -> list[Any]:
        """The levels."""
        return self.levels

    @property
    def own_blocks(self) -> list[Block]:
        """A Bernoulli for each step; one even where there is one level only."""
        return [("bernoulli", max(1, len(self.levels) - 1))]

    @property
    def own_names(self) -> list[str]:
        """Above which level."""
        return [f"{self.name} > {level}" for level in self.levels[: max(1, len(self.levels) - 1)]]

    @property
    def what(self) -> str:
        """How many levels."""
        return f"ordinal, {len(self.levels)} levels"

    def forward(self, raw: Raw) -> np.ndarray:
        """Which steps lie below the value; a number that is no level takes the nearest one's."""
        steps = np.arange(self.own_width)
        return (nearest_places(raw, self.levels)[0][:, None] > steps).astype(np.float64)

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """The level of which it is as likely as not to be above the one before."""
        if draw is None:
            places = np.rint(np.clip(cells, 0, 1).sum(1))
        else:
            # One draw for all steps: a level is passed as long as the chance to lie above it is larger.
            falling = np.minimum.accumulate(np.clip(cells, 0, 1), axis=1)
            places = (falling > draw.random((len(cells), 1))).sum(1)
        return pick(self.levels, np.minimum(places.astype(int), len(self.levels) - 1))


@dataclass
class Truth(Known):
    """One of two values: one cell, a Bernoulli.

    >>> Truth.fit(Raw("paid", np.array([True, False]), np.ones(2, bool), "bool")).backward(np.array([[0.7]]))
    array([True], dtype=object)
    """

    values: list[Any] = field(default_factory=list)
    kind: ClassVar[str] = "binary"

    @classmethod
    def misfit(cls, raw: Raw) -> Misfit | None:
        """The first value after two others."""
        wrong = super().misfit(raw)
        if wrong is not None:
            return wrong
        two = list(dict.fromkeys(key_of(value) for value in raw.present.tolist()))[:2]
        third = np.array([key_of(value) not in two for value in raw.present.tolist()], dtype=bool)
        return misfit_at(raw, third, f"which is neither {' nor '.join(short(value, 20) for _, value in two)}")

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """The two values, sorted."""
        return cls(raw.name, raw.dtype, not raw.known.all(), sorted_values(raw), another=True)

    @property
    def known_values(self) -> list[Any]:
        """The two values."""
        return self.values

    @property
    def own_blocks(self) -> list[Block]:
        """One Bernoulli."""
        return [("bernoulli", 1)]

    @property
    def own_names(self) -> list[str]:
        """The value that a 1 stands for."""
        return [f"{self.name}={self.values[-1]}"]

    @property
    def what(self) -> str:
        """The two values."""
        return f"binary, {' or '.join(short(value, 20) for value in self.values)}"

    def forward(self, raw: Raw) -> np.ndarray:
        """0 or 1; a third number takes the nearer one's."""
        return nearest_places(raw, self.values)[0][:, None].astype(np.float64)

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """The likelier value, or one of both by chance."""
        limit: Any = 0.5 if draw is None else draw.random(len(cells))
        return pick(self.values, (cells[:, 0] > limit).astype(int))


def nearest_places(raw: Raw, values: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Where each value lies among others, or the nearest of them, and whether it is none of them; no text may be.

    >>> places, another = nearest_places(Raw("x", np.array([1.0, 2.6]), np.ones(2, bool)), [1, 3])
    >>> places.tolist(), another.tolist()
    ([0, 1], [False, True])
    """
    places = places_of(raw, values)
    absent = places < 0
    another = np.zeros(len(places), dtype=bool)
    if not absent.any():
        return places, another
    numbers = all(isinstance(value, (bool, int, float)) for value in values)
    if raw.kind not in ("number", "truth") or not numbers:
        raise DataError(
            f"column {raw.name!r} holds {short(raw.present[absent][0])}, which was not there at fit, where it held "
            f"{listed(values)}. Make it a missing cell, or fit with "
            "column_types={" + f"{raw.name!r}: 'categorical'" + "}, which has room for new values."
        )
    away = np.abs(numbers_of(raw)[absent][:, None] - np.asarray(values, dtype=np.float64))
    places[absent], another[absent] = away.argmin(1), away.min(1) > 0
    return places, another

"""Columns of numbers: measurements, whole numbers and counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from ..core.errors import DataError
from .cells import short
from .columns import Block, Column, Misfit, misfit_at
from .curves import Curve, Standard, choose_curve
from .dialect import DECIMAL_COMMA
from .raw import Raw

MOST_DECIMALS = 6


@dataclass
class Number(Column):
    """A number that may lie anywhere: one cell, a Gaussian on a curve that suits the column.

    It comes back between the smallest and the largest value seen, with as many decimals.

    >>> age = Continuous.fit(Raw("age", np.array([20.0, 30.5]), np.array([True, True]), "float64"))
    >>> age.backward(np.array([[0.111], [99.0]])).tolist()
    [25.8, 30.5]
    """

    curve: Curve = field(default_factory=lambda: Standard(0.0, 1.0))
    low: float = 0.0
    high: float = 0.0
    decimals: int | None = None

    counted: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    @classmethod
    def misfit(cls, raw: Raw) -> Misfit | None:
        """What is no number, no whole one, or below 0."""
        wrong = super().misfit(raw)
        if wrong is None and raw.kind == "word":
            wrong = misfit_at(raw, np.array([not spells_finite(cell) for cell in raw.present]), "which is no number")
            if wrong is not None and isinstance(wrong[1], str) and DECIMAL_COMMA.fullmatch(wrong[1]):
                wrong = (*wrong[:2], f"{wrong[2]} (a decimal comma becomes a point)")
        if wrong is None and cls.counted:
            wrong = misfit_at(raw, numbers_of(raw) < 0, "and counts begin at 0")
        if wrong is None and cls.whole:
            values = numbers_of(raw)
            wrong = misfit_at(raw, values != np.rint(values), "which is no whole number")
        return wrong

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """Choose a curve; remember bounds and decimals."""
        values = numbers_of(raw)
        curve = choose_curve(values, cls.counted)
        low, high = float(values.min()), float(values.max())
        return cls(raw.name, raw.dtype, not raw.known.all(), curve, low, high, decimals_of(values))

    @property
    def own_blocks(self) -> list[Block]:
        """One Gaussian."""
        return [("gaussian", 1)]

    @property
    def what(self) -> str:
        """Kind, bounds and curve."""
        on = {"standard": "", "quantiles": ", by quantiles", "logarithm": ", by logarithm"}[self.curve.name]
        return f"{self.kind}, {self.low:.6g} to {self.high:.6g}{on}"

    def forward(self, raw: Raw) -> np.ndarray:
        """The value on its curve."""
        return self.curve.forward(numbers_of(raw))[:, None]

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """From the curve back, within bounds, rounded as the data was."""
        values = np.clip(self.curve.backward(cells[:, 0].astype(np.float64)), self.low, self.high)
        if self.decimals is None:
            return values
        rounded: np.ndarray = np.clip(np.round(values, self.decimals), self.low, self.high)
        return rounded


class Continuous(Number):
    """A measurement."""

    kind = "continuous"


class Integer(Number):
    """A whole number."""

    kind = "integer"
    whole = True


class Count(Number):
    """A whole number from 0 up that spreads by factors."""

    kind = "count"
    counted = whole = True


def spells_finite(cell: Any) -> bool:
    """Whether a cell of any type is, or spells, a finite number.

    >>> spells_finite("1.5"), spells_finite("inf"), spells_finite("red")
    (True, False, False)
    """
    try:
        return math.isfinite(float(cell))
    except (TypeError, ValueError, OverflowError):
        return False


def numbers_of(raw: Raw) -> np.ndarray:
    """The values as floating numbers; refused by name where they are none, or infinite."""
    if raw.kind == "moment":
        return raw.present.astype(np.int64).astype(np.float64)
    try:
        values = raw.present.astype(np.float64)
    except (TypeError, ValueError) as error:
        wrong = next(value for value in raw.present if not isinstance(value, (int, float)))
        raise DataError(
            f"column {raw.name!r} holds {short(wrong)}, which is no number. Make it a missing cell, or name the "
            "column's kind: column_types={" + f"{raw.name!r}: 'categorical'" + "}."
        ) from error
    if not np.isfinite(values).all():
        wrong = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(
            f"column {raw.name!r}, row {np.flatnonzero(raw.known)[wrong]} is {values[wrong]:g}. Only finite numbers "
            "and missing cells can be used; replace it or mark it as missing (NaN)."
        )
    return values


def decimals_of(values: np.ndarray) -> int | None:
    """With how many decimals all values are written; ``None`` if more than 6.

    >>> decimals_of(np.array([1.25, 3.5])), decimals_of(np.array([1 / 3])), decimals_of(np.array([1e300]))
    (2, None, 0)
    """
    for decimals in range(MOST_DECIMALS + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            if (np.round(values, decimals) == values).all():
                return decimals
    return None

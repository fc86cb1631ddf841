"""Columns of dates and times."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from ..core.errors import DataError
from .cells import short
from .columns import Block, Column, Misfit, misfit_at
from .curves import Curve, Standard, choose_curve
from .raw import MOMENT, Raw

DAY = 86_400_000_000  # microseconds
CYCLES = {"day": float(DAY), "week": 7.0 * DAY, "year": 365.2425 * DAY}
NO_DATE = "which is no date such as 2024-12-31 or 2024-12-31 23:59:59"
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")


@dataclass
class Moment(Column):
    """A date or a time: its trend, and where it lies in the day, the week and the year, as points on circles.

    Parameters
    ----------
    curve : Curve
        Of the microseconds since 1970.
    cycles : list of str
        Those in which the column moves.
    unit : int
        Microseconds that every value is a multiple of: dates come back as dates.
    text : str
        How text spelled it, for columns of text: ``"date"``, ``" "`` or ``"T"`` between date and time.

    >>> days = np.array(["2024-01-01", "2024-01-09"], "datetime64[us]")
    >>> made = Moment.fit(Raw("day", days, np.ones(2, bool), "datetime64[us]"))
    >>> made.cycles, bool((made.decode(made.encode(Raw("day", days, np.ones(2, bool)))) == days).all())
    (['week'], True)
    """

    curve: Curve = field(default_factory=lambda: Standard(0.0, 1.0))
    low: float = 0.0
    high: float = 0.0
    unit: int = 1
    cycles: list[str] = field(default_factory=list)
    text: str | None = None
    kind: ClassVar[str] = "date"

    @classmethod
    def misfit(cls, raw: Raw) -> Misfit | None:
        """What is no date, or spelled otherwise than the first one."""
        if raw.kind == "moment":
            return None
        first = spelling_of(raw.present[0])
        if first is None:
            return misfit_at(raw, 0, NO_DATE)
        for at, cell in enumerate(raw.present):
            spelling = spelling_of(cell)
            if spelling != first:
                otherwise = f"spelled otherwise than {short(raw.present[0])}: spell all dates alike"
                return misfit_at(raw, at, NO_DATE if spelling is None else otherwise)
        return None

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """The trend's curve, the unit, and the cycles in which the column moves."""
        raw, text = moments_of(raw)
        since = raw.present.astype(np.int64)
        unit = next(size for size in (DAY, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1) if not (since % size).any())
        span = float(since.max() - since.min())
        moves = {
            "day": unit < DAY and len(np.unique(since % DAY)) > 1,
            "week": len(np.unique(since // DAY % 7)) > 1,
            "year": span > CYCLES["year"] / 4,
        }
        values = since.astype(np.float64)
        cycles = [name for name, here in moves.items() if here]
        low, high = float(since.min()), float(since.max())
        return cls(raw.name, raw.dtype, not raw.known.all(), choose_curve(values), low, high, unit, cycles, text)

    @property
    def own_blocks(self) -> list[Block]:
        """A Gaussian for each cell."""
        return [("gaussian", 1)] * (1 + 2 * len(self.cycles))

    @property
    def own_names(self) -> list[str]:
        """Trend, then sine and cosine of each cycle."""
        return [self.name, *(f"{self.name}, {wave} of the {name}" for name in self.cycles for wave in ("sin", "cos"))]

    @property
    def what(self) -> str:
        """From when to when."""
        low, high = (np.datetime64(int(end), "us").astype("datetime64[s]") for end in (self.low, self.high))
        return f"date, {low} to {high}{''.join(f', {name}' for name in self.cycles)}"

    def forward(self, raw: Raw) -> np.ndarray:
        """Trend and cycles."""
        since = moments_of(raw)[0].values.astype(np.int64).astype(np.float64)
        turns = [2 * np.pi * (since / CYCLES[name]) for name in self.cycles]
        waves = [wave(turn) for turn in turns for wave in (np.sin, np.cos)]
        return np.stack([self.curve.forward(since), *waves], axis=1)

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """The moment near the trend that fits the week and the day, within what was seen."""
        cells = cells.astype(np.float64)
        since = np.clip(self.curve.backward(cells[:, 0]), self.low, self.high)
        for at, name in enumerate(self.cycles):
            if name == "year":
                continue  # the trend knows it better
            sine, cosine = cells[:, 1 + 2 * at], cells[:, 2 + 2 * at]
            phase = np.arctan2(sine, cosine) / (2 * np.pi) % 1.0
            behind = (phase - since / CYCLES[name]) % 1.0
            moved = since + np.where(behind > 0.5, behind - 1.0, behind) * CYCLES[name]
            since = np.where(np.hypot(sine, cosine) > 0.5, moved, since)  # a point near the center says nothing
        exact = np.clip(np.rint(since / self.unit) * self.unit, self.low, self.high).astype(np.int64)
        moments = exact.astype(MOMENT)
        return moments if self.text is None else spell(moments, self.text)


def is_dates(raw: Raw) -> bool:
    """Whether every text is a date as ISO 8601 spells it, and one that exists."""
    return raw.kind == "word" and raw.levels is None and Moment.misfit(raw) is None


def moments_of(raw: Raw) -> tuple[Raw, str | None]:
    """A column as moments, and how text spelled them."""
    if raw.kind == "moment":
        return raw, None
    wrong = Moment.misfit(raw)
    if wrong is not None:
        raise DataError(f"column {raw.name!r} holds {short(wrong[1])}, {wrong[2]}. Correct it, or make it missing.")
    values = np.full(len(raw.values), np.datetime64("NaT"), dtype=MOMENT)
    values[raw.known] = raw.present.astype(str).astype(MOMENT)
    return Raw(raw.name, values, raw.known, raw.dtype), spelling_of(raw.present[0])


def spelling_of(cell: Any) -> str | None:
    """How a date is spelled: a template of its separator and length, or ``None`` if it is none.

    >>> spelling_of("2024-12-31"), spelling_of("2024-12-31 23:59"), spelling_of("2024-02-31"), spelling_of(5)
    ('date', ' 16', None, None)
    """
    if not isinstance(cell, str) or not ISO.fullmatch(cell):
        return None
    try:
        datetime.datetime.fromisoformat(cell[:19])
    except ValueError:
        return None
    return "date" if len(cell) == len("2024-12-31") else f"{cell[10]}{len(cell)}"


def spell(moments: np.ndarray, spelling: str) -> np.ndarray:
    """Moments as text, spelled as they were.

    >>> spell(np.array(["2024-12-31T23:59:10"], MOMENT), " 19").tolist()
    ['2024-12-31 23:59:10']
    """
    text = np.datetime_as_string(moments, unit="us")
    length = len("2024-12-31") if spelling == "date" else int(spelling[1:])
    between = "T" if spelling == "date" else spelling[0]
    return np.array([cell.replace("T", between)[:length] for cell in text.tolist()], dtype=object)

"""Kinds of column: how each becomes cells for the network, and comes back as what it was."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from ..core.errors import DataError
from .cells import short
from .curves import Curve, Standard, choose_curve, restore_curve
from .dialect import DECIMAL_COMMA, MISSING, is_boolean, is_number
from .raw import MOMENT, Raw, is_duration

MOST_SLOTS = 256  # cells of one column of categories; with more it is written in two digits
MOST_LEVELS = 12
ROWS_PER_LEVEL = 5
MOST_DECIMALS = 6
EXACT = 2.0**53
DAY = 86_400_000_000  # microseconds
CYCLES = {"day": float(DAY), "week": 7.0 * DAY, "year": 365.2425 * DAY}
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")

Block = tuple[str, int]  # a likelihood ("gaussian", "bernoulli", "softmax") and how many cells it is about


@dataclass
class Column(ABC):
    """A column of one kind, with what it learned from the data.

    Parameters
    ----------
    name : str
    dtype : str
        The user's own dtype.
    holes : bool
        Whether cells were missing at fit; then one more cell tells whether this one is.
    """

    name: str
    dtype: str
    holes: bool = False

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, raw: Raw) -> Self:
        """Learn from the values that are there."""

    @property
    @abstractmethod
    def own_blocks(self) -> list[Block]:
        """The likelihoods of the cells, in their order, without the one for holes."""

    @abstractmethod
    def forward(self, raw: Raw) -> np.ndarray:
        """Cells of the rows that are known: ``(rows, own width)``; what the others hold means nothing."""

    @abstractmethod
    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """Values that cells expect: ``(rows, own width) -> (rows,)``; drawn by chance where ``draw`` is given."""

    @property
    def blocks(self) -> list[Block]:
        """The likelihoods of the cells, in their order."""
        return [*self.own_blocks, *([("bernoulli", 1)] if self.holes else [])]

    @property
    def width(self) -> int:
        """How many cells the column takes."""
        return sum(width for _, width in self.blocks)

    @property
    def own_width(self) -> int:
        """How many cells the value takes."""
        return self.width - self.holes

    @property
    def own_names(self) -> list[str]:
        """A name for each cell of the value."""
        return [self.name] if self.own_width == 1 else [f"{self.name}[{at}]" for at in range(self.own_width)]

    @property
    def cell_names(self) -> list[str]:
        """A name for each cell."""
        return [*self.own_names, *([f"{self.name} is missing"] if self.holes else [])]

    @property
    def what(self) -> str:
        """What was inferred, in a few words."""
        return self.kind

    def encode(self, raw: Raw) -> np.ndarray:
        """Cells of a stretch of rows, NaN where the value is missing: ``(rows, width)``."""
        cells = np.full((len(raw.values), self.width), np.nan)
        if raw.known.any():
            present = Raw(raw.name, raw.present, np.ones(int(raw.known.sum()), dtype=bool), raw.dtype)
            cells[raw.known, : self.own_width] = self.forward(present)
        if self.holes:
            cells[:, -1] = ~raw.known
        return cells

    def decode(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """Values that cells expect, holes filled: ``(rows, width) -> (rows,)``."""
        return self.backward(cells[:, : self.own_width], draw)

    def plain(self) -> dict[str, Any]:
        """What a model file holds of it."""
        facts = {key: value.plain() if isinstance(value, Curve) else value for key, value in vars(self).items()}
        return {"kind": self.kind} | facts


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

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """Choose a curve; remember bounds and decimals."""
        values = numbers_of(raw)
        if cls.counted and values.min() < 0:
            row = int(np.flatnonzero(raw.known)[values.argmin()])
            raise DataError(
                f"column {raw.name!r}, row {row} is {values.min():g}, and counts begin at 0; its kind may be 'integer' "
                "or 'continuous'."
            )
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


class Count(Number):
    """A whole number from 0 up that spreads by factors."""

    kind = "count"
    counted = True


@dataclass
class Levels(Column):
    """Values in an order: a cell for each step, which says whether the value lies above it.

    >>> size = Levels.fit(Raw("size", np.array([1, 3, 5]), np.ones(3, bool), "int64"))
    >>> size.forward(Raw("size", np.array([3]), np.ones(1, bool))).tolist()
    [[1.0, 0.0]]
    """

    levels: list[Any] = field(default_factory=list)
    kind: ClassVar[str] = "ordinal"

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """All levels in their order: the dtype's own, or sorted."""
        levels = list(raw.levels) if raw.ordered and raw.levels else sorted_values(raw)
        return cls(raw.name, raw.dtype, not raw.known.all(), levels)

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
        """Which steps lie below the value; a number that is no level counts as the nearest."""
        steps = np.arange(self.own_width)
        return (nearest_places(raw, self.levels)[:, None] > steps).astype(np.float64)

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
class Truth(Column):
    """One of two values: one cell, a Bernoulli.

    >>> Truth.fit(Raw("paid", np.array([True, False]), np.ones(2, bool), "bool")).backward(np.array([[0.7]]))
    array([True], dtype=object)
    """

    values: list[Any] = field(default_factory=list)
    kind: ClassVar[str] = "binary"

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """The two values, sorted."""
        return cls(raw.name, raw.dtype, not raw.known.all(), sorted_values(raw))

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
        """0 or 1; a third number counts as the nearer one."""
        return nearest_places(raw, self.values)[:, None].astype(np.float64)

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """The likelier value, or one of both by chance."""
        limit: Any = 0.5 if draw is None else draw.random(len(cells))
        return pick(self.values, (cells[:, 0] > limit).astype(int))


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


@dataclass
class Empty(Column):
    """A column without a single value: it comes back as empty.

    >>> Empty.fit(Raw("x", np.array([np.nan]), np.array([False]))).encode(Raw("x", np.array([0.0]), np.zeros(1, bool)))
    array([[nan]])
    """

    kind: ClassVar[str] = "empty"

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """There is nothing to learn."""
        return cls(raw.name, raw.dtype, False)

    @property
    def own_blocks(self) -> list[Block]:
        """One cell that is never known."""
        return [("gaussian", 1)]

    def forward(self, raw: Raw) -> np.ndarray:
        """Values where none were at fit are refused: nothing is known of them, and they would be lost."""
        raise DataError(
            f"column {self.name!r} holds {short(raw.present[0])}, and held nothing at fit. Leave it empty, or fit "
            "again on data in which it is filled."
        )

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """Nothing."""
        return np.full(len(cells), None, dtype=object)


KINDS: dict[str, type[Column]] = {
    kind.kind: kind for kind in (Continuous, Integer, Count, Levels, Truth, Choice, Moment, Empty)
}


def infer(raw: Raw, wanted: str | None = None) -> Column:
    """The kind of a column, and what it learns from it.

    Parameters
    ----------
    raw : Raw
        All rows.
    wanted : str, or None
        The kind the user names; ``None``: what the values look like.

    >>> infer(Raw("n", np.arange(30.0), np.ones(30, bool), "float64")).kind
    'integer'
    """
    if not raw.known.any():
        return Empty.fit(raw)
    if raw.kind == "number":
        numbers_of(raw)  # refuses infinities, whatever kind it is
    if wanted is None:
        wanted = likely_kind(raw)
    elif wanted not in KINDS or wanted == "empty":
        known = ", ".join(name for name in KINDS if name != "empty")
        raise ValueError(f"column_types: {raw.name!r} came as {wanted!r}; possible are {known}.")
    return KINDS[wanted].fit(raw)


def likely_kind(raw: Raw) -> str:
    """What kind the values look like."""
    values = raw.present
    if raw.kind == "moment" or is_dates(raw):
        return "date"
    if is_duration(raw.dtype):
        return "continuous"
    if raw.ordered:
        return "ordinal"
    if raw.kind == "word":
        refuse_strays(raw)
        return "categorical"
    different = len(np.unique(values))
    if raw.kind == "truth" or different == 2:
        return "binary"
    if not is_whole(values):
        return "continuous"
    if 1 < different <= MOST_LEVELS and len(values) >= ROWS_PER_LEVEL * different:
        return "ordinal"
    spread = values.min() >= 0 and values.max() > 10 * max(float(np.median(values)), 1.0)
    return "count" if spread else "integer"


def refuse_strays(raw: Raw) -> None:
    """Numbers with a few words among them are neither: say which, before they silently become categories."""
    refuse_commas(raw)
    spells = {word: not isinstance(word, str) or says_number(word) for word in unique(raw)[0]}
    numbers = np.array([raw.known[row] and spells[word] for row, word in enumerate(raw.values.tolist())])
    strays = np.flatnonzero(raw.known & ~numbers)
    if raw.levels is not None or not len(strays) or len(strays) >= numbers.sum():
        return
    stray = raw.values[strays[0]]
    comma = " A decimal comma becomes a point." if DECIMAL_COMMA.fullmatch(stray) else ""
    raise DataError(
        f"column {raw.name!r}, row {strays[0]} is {short(stray)}, among numbers.{comma} Correct it, leave it empty, or "
        "say that the column holds categories: column_types={" + f"{raw.name!r}: 'categorical'" + "}, --types "
        f"{raw.name}=categorical."
    )


def says_number(word: str) -> bool:
    """Whether a word spells a number, and not merely that something is missing, or true.

    >>> says_number("1.5"), says_number("NA"), says_number("true")
    (True, False, False)
    """
    return is_number(word) and word.strip().lower() not in MISSING and not is_boolean(word)


def refuse_commas(raw: Raw) -> None:
    """Numbers with a comma for a point would silently become categories."""
    words = [word for word in unique(raw)[0] if isinstance(word, str)]
    commas = [word for word in words if DECIMAL_COMMA.fullmatch(word)]
    if raw.levels is None and commas and all(says_number(word) or DECIMAL_COMMA.fullmatch(word) for word in words):
        raise DataError(
            f"column {raw.name!r} holds {short(commas[0])}: a decimal comma becomes a point, and a comma between "
            "thousands is left out. If these are categories, say so: column_types={"
            + f"{raw.name!r}: 'categorical'"
            + "}."
        )


def restore_column(plain: dict[str, Any]) -> Column:
    """The reverse of :meth:`Column.plain`."""
    facts: dict[str, Any] = {key: restore_curve(value) if key == "curve" else value for key, value in plain.items()}
    return KINDS[facts.pop("kind")](**facts)


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


def is_whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers that a float holds exactly."""
    return bool((values == np.rint(values)).all() and (np.abs(values) < EXACT).all())


def is_dates(raw: Raw) -> bool:
    """Whether every text is a date as ISO 8601 spells it, and one that exists."""
    if raw.kind != "word" or raw.levels is not None:
        return False
    held = raw.present
    if not all(isinstance(cell, str) and ISO.fullmatch(cell) for cell in held[:100]):
        return False
    try:
        moments_of(raw)
    except DataError:
        return False
    return True


def moments_of(raw: Raw) -> tuple[Raw, str | None]:
    """A column as moments, and how text spelled them."""
    if raw.kind == "moment":
        return raw, None
    held = raw.present
    spellings = {spelling_of(cell) if isinstance(cell, str) else None for cell in held}
    try:
        if len(spellings) != 1 or None in spellings:
            raise ValueError("not all are spelled alike")
        moments = held.astype(str).astype(MOMENT)
    except ValueError as error:
        raise DataError(
            f"column {raw.name!r} holds text that is no date ({error}). Spell all dates alike, as 2024-12-31 or "
            "2024-12-31 23:59:59, or name the column's kind: 'categorical'."
        ) from error
    values = np.full(len(raw.values), np.datetime64("NaT"), dtype=MOMENT)
    values[raw.known] = moments
    return Raw(raw.name, values, raw.known, raw.dtype), spellings.pop()


def spelling_of(cell: str) -> str | None:
    """How a date is spelled: a template of its separator and length, or ``None`` if it is none.

    >>> spelling_of("2024-12-31"), spelling_of("2024-12-31 23:59"), spelling_of("soon")
    ('date', ' 16', None)
    """
    if not ISO.fullmatch(cell):
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


def key_of(value: Any) -> tuple[bool, Any]:
    """What tells values apart: 1 and 1.0 are the same, True is another."""
    return isinstance(value, (bool, np.bool_)), value


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same."""
    return key_of(one) == key_of(other)


def unique(raw: Raw) -> tuple[list[Any], list[int]]:
    """The different values that are there, and how often each comes."""
    if raw.values.dtype.kind != "O":
        values, counts = np.unique(raw.present, return_counts=True)
        if raw.kind == "number" and "int" in raw.dtype.lower() and is_whole(values):
            values = values.astype(np.int64)
        return values.tolist(), counts.tolist()
    found: dict[tuple[bool, Any], int] = {}
    for value in raw.present.tolist():
        key = key_of(value)
        found[key] = found.get(key, 0) + 1
    return [value for _, value in found], list(found.values())


def sorted_values(raw: Raw) -> list[Any]:
    """The different values in an order: as they compare, or as text where they do not."""
    values = unique(raw)[0]
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (str(type(value)), str(value)))


def places_of(raw: Raw, values: list[Any]) -> np.ndarray:
    """Where each value lies among others; -1 where it is none of them."""
    places = {key_of(value): at for at, value in enumerate(values)}
    return np.array([places.get(key_of(value), -1) for value in raw.present.tolist()], dtype=np.int64)


def nearest_places(raw: Raw, values: list[Any]) -> np.ndarray:
    """Where each value lies among others, or the nearest of them; text that is none of them is refused.

    >>> nearest_places(Raw("x", np.array([1.0, 2.6]), np.ones(2, bool)), [1, 3]).tolist()
    [0, 1]
    """
    places = places_of(raw, values)
    absent = places < 0
    if not absent.any():
        return places
    numbers = all(isinstance(value, (bool, int, float)) for value in values)
    if raw.kind not in ("number", "truth") or not numbers:
        raise DataError(
            f"column {raw.name!r} holds {short(raw.present[absent][0])}, which was not there at fit, where it held "
            f"{', '.join(short(value, 20) for value in values[:8])}. Make it a missing cell, or fit with "
            "column_types={" + f"{raw.name!r}: 'categorical'" + "}, which has room for new values."
        )
    away = np.abs(numbers_of(raw)[absent][:, None] - np.asarray(values, dtype=np.float64))
    places[absent] = away.argmin(1)
    return places


def pick(values: list[Any], places: np.ndarray) -> np.ndarray:
    """Values at places, as objects: numbers stay what they were."""
    held = np.empty(len(values), dtype=object)
    held[:] = values
    picked: np.ndarray = held[np.asarray(places, dtype=np.int64)]
    return picked


def parts_of(cells: np.ndarray, most: int = 4_000_000) -> list[np.ndarray]:
    """Rows in parts, so that a product of two digits of each never takes much memory."""
    step = max(1, most // max(1, (cells.shape[1] // 2) ** 2))
    return [cells[start : start + step] for start in range(0, max(1, len(cells)), step)]

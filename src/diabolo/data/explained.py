"""What was expected of each of the user's cells, beside what came."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from .choices import Choice, parts_of
from .columns import Column
from .frames import timezone_of, with_holes, zone_of
from .levels import Levels, Truth
from .modality import Modality
from .moments import DAY, Moment
from .numbers import Number
from .source import Source
from .tables import Table


@dataclass(frozen=True)
class Reason:
    """What one cell of a row has to do with the row's surprise.

    Parameters
    ----------
    column : str
    observed, expected : object
        In the user's units.
    probability : float
        What the model gives the expected value, where it is one of several or missing; NaN for numbers and dates.
    surprise : float
        In nats.
    share : float
        Of the surprise of the whole row.

    >>> Reason("age", 300, 41, float("nan"), 12.0, 0.9).column
    'age'
    """

    column: str
    observed: Any
    expected: Any
    probability: float
    surprise: float
    share: float


@dataclass(frozen=True)
class Explanation:
    """What was expected of some rows, and how surprising each of their cells is.

    Parameters
    ----------
    columns : tuple of str
        The user's columns; pixels and other cells without a name are called by their place.
    observed, expected : ndarray of shape (rows, columns)
        In the user's units: floats, NaN where a cell is missing; objects, ``None`` where it is missing, for a table of
        columns of several kinds. There ``None`` is also what was expected where the surprise is, more than the value,
        that there is one.
    probability : ndarray of float64, ``(rows, columns)``
        What the model gives each expected value, where it is one of several, or a missing one; NaN for numbers and
        dates.
    surprise : ndarray of float64, ``(rows, columns)``
        In nats; 0 where a cell is missing.
    backend : str, or None
        The library of the user's frame, for :meth:`frame`.

    >>> told = Explanation(
    ...     ("a", "b"), np.array([[1.0, 9.0]]), np.array([[1.5, 2.0]]), np.full((1, 2), np.nan), np.array([[1.0, 3.0]])
    ... )
    >>> told.top(0, 1)[0].column, told.share.tolist()
    ('b', [[0.25, 0.75]])
    """

    columns: tuple[str, ...]
    observed: np.ndarray
    expected: np.ndarray
    probability: np.ndarray
    surprise: np.ndarray
    backend: str | None = None

    @property
    def total(self) -> np.ndarray:
        """Each row's surprise: ``(rows,)``."""
        return np.asarray(self.surprise.sum(1))

    @property
    def share(self) -> np.ndarray:
        """Each cell's share of its row's surprise, ``(rows, columns)``; 0 where nothing is surprising."""
        total = self.total[:, None]
        return np.divide(self.surprise, total, out=np.zeros_like(self.surprise), where=total > 0)

    def ranked(self, n: int) -> np.ndarray:
        """The columns of the ``n`` most surprising cells of each row, from the most surprising one: ``(rows, n)``."""
        order: np.ndarray = np.argsort(-self.surprise, axis=1, kind="stable")[:, :n]
        return order

    def top(self, row: int, n: int = 3) -> list[Reason]:
        """The most surprising cells of a row, ``n`` at most; cells that are no surprise at all are left out."""
        total = self.surprise[row].sum()
        share = self.surprise[row] / (total if total > 0 else 1.0)
        return [
            Reason(
                self.columns[at],
                self.observed[row, at],
                self.expected[row, at],
                float(self.probability[row, at]),
                float(self.surprise[row, at]),
                float(share[at]),
            )
            for at in np.argsort(-self.surprise[row], kind="stable")[:n].tolist()
            if self.surprise[row, at] > 0
        ]

    def frame(self) -> Any:
        """One line for each cell, as a frame of the user's library, or as a mapping of name to array without one.

        Its columns are ``row column observed expected probability surprise share``. Values are text where the table
        holds more than numbers, and ``None`` where a cell is missing.
        """
        rows, columns = self.surprise.shape
        mixed = self.observed.dtype == object
        made = {
            "row": np.repeat(np.arange(rows), columns),
            "column": np.tile(np.array(self.columns, dtype=object), rows),
            "observed": as_text(self.observed) if mixed else self.observed.ravel(),
            "expected": as_text(self.expected) if mixed else self.expected.ravel(),
            "probability": self.probability.ravel(),
            "surprise": self.surprise.ravel(),
            "share": self.share.ravel(),
        }
        if self.backend is None:
            return made
        import narwhals.stable.v2 as nw

        words = {name: values.tolist() if values.dtype == object else values for name, values in made.items()}
        library: Any = self.backend
        return nw.to_native(nw.from_dict(words, backend=library))


def as_text(values: np.ndarray) -> np.ndarray:
    """Objects in a row as text, ``None`` where they are missing.

    >>> as_text(np.array([[1, None]], dtype=object)).tolist()
    ['1', None]
    """
    made = np.empty(values.size, dtype=object)
    made[:] = [None if value is None else str(value) for value in values.ravel().tolist()]
    return made


def explained(modality: Modality, source: Source, means: Tensor, cells: np.ndarray) -> Explanation:
    """What a model expected of rows, and how much each cell surprised it, by the user's columns.

    Parameters
    ----------
    modality : Modality
        Of the model.
    source : Source
        The rows as they came.
    means : Tensor of shape (rows, *shape)
        What was expected, in the network's units.
    cells : ndarray of shape (rows, cells)
        The surprise of the network's cells, in the user's order; 0 where one is missing.
    """
    backend = source.backend or modality.facts.get("backend")
    if isinstance(modality, Table) and modality.columns:
        return of_columns(modality, source, means, cells, backend)
    aligned = modality.aligned(source)
    observed = np.asarray(aligned.read(0, source.rows), dtype=np.float64).reshape(source.rows, -1)
    user = np.asarray(modality.scaling.backward(modality.to_user(means.numpy())), dtype=np.float64)
    nothing = np.full(observed.shape, np.nan)
    return Explanation(tuple(modality.column_names()), observed, user.reshape(observed.shape), nothing, cells, backend)


def of_columns(modality: Table, source: Source, means: Tensor, cells: np.ndarray, backend: str | None) -> Explanation:
    """Cells of a table of columns of several kinds, put together by column."""
    rows, columns, dtypes = source.rows, modality.columns, modality.facts["dtypes"]
    decoded, wholes = modality.decoded(means), means.double().numpy()
    surprise = sum_by_column(cells, modality)
    probability = np.full((rows, len(columns)), np.nan)
    observed, expected = (np.empty((rows, len(columns)), dtype=object) for _ in range(2))
    start = 0
    for at, (column, dtype) in enumerate(zip(columns, dtypes, strict=True)):
        raw = source.column(at, 0, rows)
        dtype = raw.dtype if zone_of(raw.dtype) else dtype
        values = raw.values.copy()
        if values.dtype.kind == "f":
            values[~raw.known] = 0.0
        observed[:, at] = plain_values(values, column, dtype, ~raw.known)
        expected[:, at] = plain_values(decoded[column.name], column, dtype, None)
        hole = start + column.width - 1
        probability[:, at] = probability_of(column, wholes[:, start : start + column.own_width])
        if column.holes:
            there = raw.known & (cells[:, hole] > cells[:, start:hole].sum(1))
            expected[there, at], probability[there, at] = None, wholes[there, hole].clip(0, 1)
        surprise[~raw.known, at] = 0.0
        if isinstance(column, Number):  # many places on a curve are one value: what came as expected surprises nobody
            surprise[observed[:, at] == expected[:, at], at] = 0.0
        start += column.width
    return Explanation(tuple(column.name for column in columns), observed, expected, probability, surprise, backend)


def sum_by_column(cells: np.ndarray, modality: Modality) -> np.ndarray:
    """Sums over the cells of each of the user's columns: ``(rows, cells) -> (rows, columns)``.

    >>> from diabolo.data.choosing import open_data
    >>> import pandas as pd
    >>> table = Table.fit(open_data(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})), "auto")
    >>> sum_by_column(np.array([[1.0, 2.0, 3.0, 4.0]]), table).tolist()
    [[3.0, 7.0]]
    """
    widths = modality.widths
    if widths is None:
        return cells
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)
    return np.asarray(np.add.reduceat(cells, starts, axis=1))


def plain_values(values: np.ndarray, column: Column, dtype: str, holes: np.ndarray | None) -> np.ndarray:
    """A column as Python's own values: whole numbers, dates and durations as such, ``None`` where it has holes.

    Times are told in the zone that the dtype names.
    """
    cells = with_holes(values, column, dtype, holes)
    zone = timezone_of(dtype) if values.dtype.kind == "M" else None
    if zone is not None:
        cells = [None if cell is None else cell.replace(tzinfo=datetime.UTC).astimezone(zone) for cell in cells]
    elif isinstance(column, Moment) and column.text is None and column.unit % DAY == 0 and values.dtype.kind == "M":
        cells = [None if cell is None else cell.date() for cell in cells]
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made


def probability_of(column: Column, cells: np.ndarray) -> np.ndarray:
    """What a column's cells give to the value that is expected, ``(rows,)``; NaN where it is no choice."""
    shares = np.clip(cells, 0.0, 1.0)
    if isinstance(column, Truth):
        return np.asarray(np.maximum(shares[:, 0], 1 - shares[:, 0]))
    if isinstance(column, Levels):
        falling = np.minimum.accumulate(shares, axis=1)
        edges = np.concatenate([np.ones((len(cells), 1)), falling, np.zeros((len(cells), 1))], axis=1)
        places = np.minimum(np.rint(shares.sum(1)).astype(int), len(column.levels) - 1)
        return np.asarray((edges[:, :-1] - edges[:, 1:])[np.arange(len(cells)), places])
    if isinstance(column, Choice):
        size, base = len(column.values), column.base
        if base is None:
            return np.asarray(shares[:, :size].max(1))
        pairs = ((part[:, :base, None] * part[:, None, base + 1 : -1]) for part in parts_of(shares))
        return np.concatenate([pair.reshape(len(pair), -1)[:, :size].max(1) for pair in pairs])
    return np.full(len(cells), np.nan)

"""Conditions on the columns of a table: what rows that are asked for must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.cells import listed, short
from ..data.choices import Choice
from ..data.columns import Column
from ..data.levels import Levels, Truth
from ..data.moments import Moment
from ..data.numbers import Number
from ..data.raw import MOMENT
from ..data.tables import Table
from ..data.values import same


@dataclass(frozen=True)
class Condition:
    """What a column must hold: one of some values, or something between two ends, both included.

    Parameters
    ----------
    name : str
    values : tuple
        Empty where a range is asked for.
    low, high : number or moment, or None
        ``None``: no end.

    >>> Condition("age", (), 30, None).fulfilled(np.array([29, 30])).tolist()
    [False, True]
    >>> print(Condition("sex", ("F",)))
    sex='F'
    """

    name: str
    values: tuple[Any, ...]
    low: Any = None
    high: Any = None

    def fulfilled(self, column: np.ndarray) -> np.ndarray:
        """Which rows of a column hold what is asked for."""
        if self.values:
            if column.dtype.kind == "O":
                cells = [(type(cell), cell) for cell in column.tolist()]
                wanted = {cell: any(same(cell[1], value) for value in self.values) for cell in set(cells)}
                return np.array([wanted[cell] for cell in cells], dtype=bool)
            return np.asarray(np.isin(column, np.array(self.values)))
        comparable = column
        if isinstance(self.low if self.low is not None else self.high, np.datetime64) and column.dtype.kind == "O":
            comparable = column.astype(str).astype(MOMENT)
        good = np.ones(len(column), dtype=bool)
        if self.low is not None:
            good &= np.asarray(comparable >= self.low, dtype=bool)
        if self.high is not None:
            good &= np.asarray(comparable <= self.high, dtype=bool)
        return good

    def __str__(self) -> str:
        if self.values:
            return f"{self.name}={' or '.join(short(value) for value in self.values)}"
        ends = ("" if end is None else str(end) for end in (self.low, self.high))
        return f"{self.name}={'..'.join(ends)}"


def read_conditions(given: Mapping[str, Any], table: Table) -> list[Condition]:
    """The conditions that a mapping of column names to values, lists and ranges stands for.

    Raises
    ------
    ValueError
        If there is no such column, or none of its values can fulfil the condition.
    """
    return [read_condition(name, wanted, column_named(name, table)) for name, wanted in given.items()]


def column_named(name: str, table: Table) -> Column:
    """A column by its name; refused where there is none."""
    if not table.columns:
        raise ValueError("Conditions need a table whose columns' kinds are known; fit with column_types='infer'.")
    found = next((column for column in table.columns if column.name == name), None)
    if found is None:
        raise ValueError(
            f"No column is called {name!r}; there are {listed([column.name for column in table.columns])}."
        )
    return found


def read_condition(name: str, wanted: Any, column: Column) -> Condition:
    """What a value, a list of values or a pair of ends asks of a column."""
    if isinstance(column, (Number, Moment)):
        return within_ends(name, wanted, column)
    if isinstance(column, Levels) and isinstance(wanted, tuple) and len(wanted) == 2:
        wanted = levels_between(name, *wanted, column.levels)
    values = tuple(wanted) if isinstance(wanted, (list, tuple, set, frozenset)) else (wanted,)
    known = values_of(column)
    strange = [value for value in values if not any(same(value, other) for other in known)]
    if strange or not values:
        said = short(strange[0]) if strange else "nothing"
        raise ValueError(f"{name!r} never holds {said}; it holds {listed([str(value) for value in known])}.")
    return Condition(name, values)


def levels_between(name: str, low: Any, high: Any, levels: list[Any]) -> list[Any]:
    """The levels from one to another; numbers may lie between levels."""
    if all(isinstance(value, (int, float)) for value in (*levels, *(end for end in (low, high) if end is not None))):
        found = [level for level in levels if (low is None or level >= low) and (high is None or level <= high)]
    else:
        start = 0 if low is None else place_of(name, low, levels)
        found = levels[start : None if high is None else place_of(name, high, levels) + 1]
    if not found:
        raise ValueError(f"{name!r} never lies between {low} and {high}; it lies between {levels[0]} and {levels[-1]}.")
    return found


def place_of(name: str, level: Any, levels: list[Any]) -> int:
    """Where a level lies in its order; refused if it is none."""
    for place, other in enumerate(levels):
        if same(level, other):
            return place
    raise ValueError(f"{name!r} never holds {short(level)}; its levels are {listed([str(other) for other in levels])}.")


def within_ends(name: str, wanted: Any, column: Column) -> Condition:
    """A range, or single numbers, refused where none lies within the data."""
    if isinstance(wanted, tuple) and len(wanted) != 2:
        raise ValueError(f"{name!r} came as {wanted!r}; a range is (low, high), with None for an open end.")
    if isinstance(wanted, (list, set, frozenset)):
        values = tuple(end_of(name, value, column) for value in wanted)
    elif isinstance(wanted, tuple):
        low, high = (None if end is None else end_of(name, end, column) for end in wanted)
        bottom, top = bounds_of(column)
        if (
            (low is not None and low > top)
            or (high is not None and high < bottom)
            or (low is not None and high is not None and low > high)
        ):
            raise ValueError(f"{name!r} never lies between {low} and {high}; it lies between {bottom} and {top}.")
        return Condition(name, (), low, high)
    else:
        values = (end_of(name, wanted, column),)
    bottom, top = bounds_of(column)
    outside = [value for value in values if not bottom <= value <= top]
    if outside or not values:
        said = outside[0] if outside else "nothing"
        raise ValueError(f"{name!r} is never {said}; it lies between {bottom} and {top}.")
    if isinstance(column, Number) and column.decimals is None:
        raise ValueError(f"{name!r} is continuous, so that no row holds exactly {values[0]}: give (low, high).")
    if isinstance(column, Moment) and len(values) > 1:
        raise ValueError(f"{name!r} takes one date, or (low, high); several came.")
    return Condition(name, (), values[0], values[0]) if isinstance(column, Moment) else Condition(name, values)


def end_of(name: str, end: Any, column: Column) -> Any:
    """A number or a moment as the column's values compare."""
    try:
        if isinstance(column, Moment):
            return np.datetime64(end).astype(MOMENT) if not hasattr(end, "to_datetime64") else end.to_datetime64()
        if isinstance(end, (bool, str)):
            raise TypeError("no number")
        return float(end) if float(end) != int(float(end)) else int(float(end))
    except (TypeError, ValueError, OverflowError) as error:
        kind = "date" if isinstance(column, Moment) else "number"
        raise ValueError(f"{name!r} came as {end!r}; it takes a {kind}, or (low, high).") from error


def bounds_of(column: Column) -> tuple[Any, Any]:
    """The smallest and the largest value that the training data holds."""
    if isinstance(column, Moment):
        low, high = (np.datetime64(int(end), "us") for end in (column.low, column.high))
        return low, high
    assert isinstance(column, Number)
    return column.low, column.high


def values_of(column: Column) -> list[Any]:
    """The values of a column of categories, truths or levels."""
    if isinstance(column, Levels):
        return column.levels
    return column.values if isinstance(column, (Choice, Truth)) else []


def categories(name: str, table: Table) -> list[Any]:
    """The categories of a column to balance; refused where it has none."""
    column = column_named(name, table)
    found = values_of(column)
    if not found:
        raise ValueError(f"{name!r} is {column.kind}, which has no categories to balance; give ranges by given=.")
    return found


def read_words(words: Mapping[str, str], table: Table) -> dict[str, Any]:
    """Conditions as the command line spells them: ``value``, ``one|other``, ``low..high`` with ends that may be open.

    >>> read_words({}, Table((0,), None, np.zeros(0)))
    {}
    """
    return {name: read_word(word, column_named(name, table)) for name, word in words.items()}


def read_word(word: str, column: Column) -> Any:
    """A word as the value, the list of values or the range that it stands for."""
    values = {str(value): value for value in values_of(column)}
    if word in values:
        return values[word]
    if ".." in word:
        low, _, high = word.partition("..")
        ends = [values.get(end, read_number(end, column)) if end else None for end in (low, high)]
        return tuple(ends)
    many = [values.get(each, read_number(each, column)) for each in word.split("|")]
    return many if len(many) > 1 else many[0]


def read_number(word: str, column: Column) -> Any:
    """A word as a number, where the column holds numbers."""
    if not isinstance(column, (Number, Levels)):
        return word
    try:
        return float(word)
    except ValueError:
        return word

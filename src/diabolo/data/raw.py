"""Columns as they came, of any type, in numpy: the common ground of frames and text files."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import DataError
from .cells import short

MOMENT = "datetime64[us]"
FIRST, LAST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59:59.999999", "us")


@dataclass(frozen=True)
class Raw:
    """A stretch of one column.

    Parameters
    ----------
    name : str
    values : ndarray of shape (rows,)
        ``float64``, ``int64`` or ``bool``; ``datetime64[us]``; or ``object`` with text, numbers or truths.
    known : ndarray of bool, ``(rows,)``
        False where the cell is missing; what ``values`` holds there means nothing.
    dtype : str
        The user's own dtype, as the library of the frame spells it.
    levels : tuple, or None
        All categories the dtype itself knows, in its order.
    ordered : bool
        Whether that order means something.

    >>> raw_of_objects("size", ["small", None, "large"])
    Raw(name='size', values=array(['small', None, 'large'], dtype=object), known=array([ True, False,  True]), ...)
    """

    name: str
    values: np.ndarray
    known: np.ndarray
    dtype: str = "object"
    levels: tuple[Any, ...] | None = None
    ordered: bool = False

    @property
    def kind(self) -> str:
        """``"number"``, ``"truth"``, ``"moment"`` or ``"word"``."""
        return {"f": "number", "i": "number", "u": "number", "b": "truth", "M": "moment"}.get(
            self.values.dtype.kind, "word"
        )

    @property
    def present(self) -> np.ndarray:
        """The values that are there."""
        held: np.ndarray = self.values[self.known]
        return held

    def part(self, start: int, stop: int) -> Raw:
        """A stretch of it."""
        return Raw(self.name, self.values[start:stop], self.known[start:stop], self.dtype, self.levels, self.ordered)


def is_missing(cell: Any) -> bool:
    """Whether a cell says nothing: None, NaN, NA or NaT.

    >>> [is_missing(cell) for cell in (None, float("nan"), "", 0, False)]
    [True, True, False, False, False]
    """
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, (float, np.floating)) and math.isnan(cell)


def plain_scalar(cell: Any, name: str) -> Any:
    """A cell as text, a whole or floating number or a truth; anything else is refused by name.

    >>> plain_scalar(np.int64(3), "x")
    3
    >>> plain_scalar(b"raw", "x")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: column 'x' holds b'raw' of type bytes; ...
    """
    if isinstance(cell, (str, bool, int, float)):
        return str(cell) if isinstance(cell, str) else cell
    if isinstance(cell, np.generic):
        return cell.item()
    raise DataError(
        f"column {name!r} holds {short(cell)} of type {type(cell).__name__}; possible are text, numbers, truths and "
        "dates. Turn it into text (astype(str)) or leave the column out."
    )


def raw_of_objects(name: str, cells: list[Any], **facts: Any) -> Raw:
    """A column of Python objects: truths, numbers or dates where all of them are, else words.

    >>> raw_of_objects("n", [1, None, 2.5]).values.dtype, raw_of_objects("b", [True, None]).kind
    (dtype('float64'), 'truth')
    """
    known = np.array([not is_missing(cell) for cell in cells], dtype=bool)
    held = [cell for cell, here in zip(cells, known, strict=True) if here]
    if held and all(isinstance(cell, (datetime.date, np.datetime64)) for cell in held):
        zoned = any(getattr(cell, "tzinfo", None) is not None for cell in held)
        moments = [universal(cell) if here else None for cell, here in zip(cells, known, strict=True)]
        whole = not any(isinstance(cell, (datetime.datetime, np.datetime64)) for cell in held)
        kind = "datetime64[us, UTC]" if zoned else "date" if whole else "datetime"
        return Raw(name, np.array(moments, dtype=MOMENT), known, **facts | {"dtype": kind})
    held = [plain_scalar(cell, name) for cell in held]
    if held and all(isinstance(cell, bool) for cell in held):
        values: np.ndarray = np.zeros(len(cells), dtype=bool)
    elif held and all(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in held):
        values = np.full(len(cells), np.nan)
    else:
        values = np.full(len(cells), None, dtype=object)
    try:
        values[known] = held
    except (OverflowError, ValueError) as error:
        raise DataError(f"column {name!r} holds numbers too large to compute with: {error}.") from error
    return Raw(name, values, known, **facts)


def universal(moment: Any) -> np.datetime64:
    """A date or a time as numpy has it, in universal time where it names a zone.

    >>> universal(datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2))))
    np.datetime64('2024-01-01T10:00:00.000000')
    """
    if getattr(moment, "tzinfo", None) is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(moment, "us")


def raw_of_series(name: str, series: Any) -> Raw:
    """A column of a frame, through narwhals.

    >>> import narwhals, pandas
    >>> raw = raw_of_series("x", narwhals.from_native(pandas.Series([1, 2]), series_only=True))
    >>> raw.values, raw.dtype
    (array([1, 2]), 'int64')
    """
    import narwhals as nw

    native = series.to_native()
    dtype = str(dtype_of(native))
    known = ~np.asarray(series.is_null().to_numpy(), dtype=bool)
    if series.dtype == nw.Boolean:
        values = np.zeros(len(series), dtype=bool)
        values[known] = np.asarray(series.drop_nulls().to_list(), dtype=bool)
        return Raw(name, values, known, dtype)
    if series.dtype.is_numeric():
        if known.all() and series.dtype.is_integer() and series.dtype not in (nw.Int128, nw.UInt128):
            return Raw(name, np.asarray(series.to_numpy()), known, dtype)
        values = floats_of(series)
        return Raw(name, values, known & ~np.isnan(values), dtype)
    if series.dtype in (nw.Datetime, nw.Date, nw.Duration):
        return raw_of_moments(name, series, known, dtype)
    levels, ordered = levels_of(native, series)
    made = raw_of_objects(name, series.to_list(), dtype=dtype, levels=levels, ordered=ordered)
    if levels is None or made.kind == "word":
        return made
    words, as_level = np.full(len(made.values), None, dtype=object), {level: level for level in levels}
    words[made.known] = [as_level.get(cell, plain_scalar(cell, name)) for cell in made.present]
    return Raw(name, words, made.known, dtype, levels, ordered)


def dtype_of(native: Any) -> Any:
    """The dtype of a library's own column; its text is what is remembered.

    >>> import polars
    >>> str(dtype_of(polars.Series([1, 2])))
    'Int64'
    """
    return native.dtype if hasattr(native, "dtype") else native.type


def floats_of(series: Any) -> np.ndarray:
    """The numbers of a narwhals series in float64, missing ones as NaN; arrow refuses to round large ones itself."""
    import narwhals as nw

    try:
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    except ValueError:
        return np.array([np.nan if is_missing(cell) else float(cell) for cell in series.to_list()])


def is_duration(dtype: str) -> bool:
    """Whether a dtype holds lengths of time.

    >>> is_duration("timedelta64[ns]"), is_duration("Duration(time_unit='us')"), is_duration("int64")
    (True, True, False)
    """
    return dtype.lower().startswith(("timedelta", "duration"))


def raw_of_moments(name: str, series: Any, known: np.ndarray, dtype: str) -> Raw:
    """Dates and times in universal time, lengths of time in seconds."""
    import narwhals as nw

    if series.dtype == nw.Duration:
        seconds = np.full(len(series), np.nan)
        seconds[known] = np.asarray(series.drop_nulls().dt.total_microseconds().to_numpy(), dtype=np.float64) / 1e6
        return Raw(name, seconds, known, dtype)
    if series.dtype == nw.Datetime and getattr(series.dtype, "time_zone", None) is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    values = np.full(len(series), np.datetime64("NaT"), dtype=MOMENT)
    values[known] = np.asarray(series.drop_nulls().cast(nw.Datetime("us")).to_numpy()).astype(MOMENT)
    beyond = known & ((values < FIRST) | (values > LAST))
    if beyond.any():
        row = int(beyond.argmax())
        raise DataError(
            f"column {name!r}, row {row} is {values[row].astype('datetime64[D]')}, and years go from 1 to 9999; "
            "correct it or make it a missing cell."
        )
    return Raw(name, values, known, dtype)


def levels_of(native: Any, series: Any) -> tuple[tuple[Any, ...] | None, bool]:
    """The categories that a dtype itself knows, and whether their order means something."""
    import narwhals as nw

    own: Any = getattr(native, "dtype", None)
    if hasattr(own, "categories") and hasattr(own, "ordered"):  # pandas
        return tuple(plain_scalar(level, str(native.name)) for level in own.categories), bool(own.ordered)
    if series.dtype == nw.Enum:
        return tuple(series.dtype.categories), True
    return None, False

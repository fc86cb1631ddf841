"""Which cells, shapes and names can be used, and what to say of those that cannot."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError


class CellTypeError(DataError, TypeError):
    """A cell is of a type that cannot be a number at all; a ``TypeError`` too, as scikit-learn expects.

    >>> issubclass(CellTypeError, TypeError)
    True
    """


class NoSuchLabelError(DataError):
    """A label was asked for that this data does not hold; it may lie in a file of its own.

    >>> issubclass(NoSuchLabelError, DataError)
    True
    """


def numeric(values: np.ndarray, place: str) -> np.ndarray:
    """Give an array of real numbers or booleans, converting what can be converted without a guess.

    >>> numeric(np.array([[1, None]], dtype=object), "the data")
    array([[ 1., nan]])
    """
    if isinstance(values, np.ma.MaskedArray):
        check_dtype(values.dtype, place)
        hidden, values = np.ma.getmaskarray(values), np.ma.getdata(values)
        if hidden.any():
            values = np.where(hidden, np.nan, values.astype(np.result_type(values.dtype, np.float32)))
        return values
    values = values.view(np.ndarray) if type(values) is not np.memmap else values
    if values.dtype.kind == "O":
        return _objects_to_numbers(values, place)
    if values.dtype.kind in "US":
        refuse_strings(values, place)
    check_dtype(values.dtype, place)
    return values


def _objects_to_numbers(values: np.ndarray, place: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return values.astype(np.float64)
    except (TypeError, ValueError, OverflowError, Warning):
        pass
    numbers = np.empty(values.shape, np.float64)
    for at, cell in np.ndenumerate(values):
        numbers[at] = _number(cell, at, place)
    return numbers


def _number(cell: Any, at: tuple[int, ...], place: str) -> float:
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return float("nan")
    where = f"{place}: {position(at)} is {short(cell)} of type {type(cell).__name__}"
    if isinstance(cell, complex | np.complexfloating):
        raise DataError(f"{where}. Complex data not supported: give its real and imaginary parts as columns.")
    if isinstance(cell, list | tuple | np.ndarray):
        raise DataError(f"{where}; a cell holds one number. Give sequences as a list of arrays.")
    try:
        return float(cell)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{where}, no number. Leave the column out or encode it as numbers.") from error
    except TypeError as error:
        raise CellTypeError(f"{where}, but argument must be a string or a real number.") from error


def refuse_strings(values: np.ndarray, place: str) -> None:
    """Refuse an array of text, naming the first cell that holds some.

    >>> refuse_strings(np.array([[1, "a"]], dtype=object), "the data")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: the data: row 0, column 1 is 'a', text. ...
    """
    for at, cell in np.ndenumerate(values):
        if isinstance(cell, str | bytes):
            raise DataError(
                f"{place}: {position(at)} is {short(cell)}, text. Give a table with columns of text as a frame "
                "(pandas, polars, pyarrow), or convert it (X.astype(float) where the text spells numbers)."
            )


def check_dtype(dtype: np.dtype, place: str) -> None:
    """Refuse a dtype that holds no real numbers.

    >>> check_dtype(np.dtype(complex), "the data")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: the data: Complex data not supported: ...
    """
    if dtype.kind in "biuf":
        return
    if dtype.kind == "c":
        raise DataError(f"{place}: Complex data not supported: give its real and imaginary parts as columns.")
    advice = {
        "O": "Its cells are Python objects: convert it to numbers first.",
        "M": "Give dates as the column of a frame, or subtract a first date and divide by a unit.",
        "m": "Divide the durations by a unit, such as numpy.timedelta64(1, 's').",
        "V": "Give a structured array as a frame, or its fields as columns.",
    }.get(dtype.kind, "Give columns of text as a frame.")
    raise DataError(f"{place}: dtype {dtype} is none of integer, floating or bool. {advice}")


def check_size(shape: tuple[int, ...], place: str) -> tuple[int, tuple[int, ...]]:
    """Split a shape into rows and the shape of one sample; refuse empty ones in scikit-learn's words.

    >>> check_size((5, 2), "the data")
    (5, (2,))
    >>> check_size((0, 2), "the data")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: the data: Found array with 0 sample(s) (shape=(0, 2)) while ...
    """
    if not shape:
        raise DataError(f"{place}: a single number has no rows. Reshape your data: one row for each sample.")
    shape = tuple(int(size) for size in shape)
    if shape[0] == 0:
        raise DataError(f"{place}: Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required.")
    if 0 in shape:
        raise DataError(f"{place}: Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required.")
    return shape[0], shape[1:]


def check_names(names: Iterable[Any], place: str) -> None:
    """Refuse column names that come more than once, naming them.

    >>> check_names(["a", "b", "a"], "the data")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: the data: column name 'a' comes more than once. ...
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{place}: column name {listed(twice)} comes more than once. Give each column its own name.")


class MixedTableError(DataError):
    """A file holds columns of text or dates, which its reader for numbers does not take.

    >>> issubclass(MixedTableError, DataError)
    True
    """


def refuse_text(names: Sequence[str], place: str) -> None:
    """Refuse columns that hold text or dates, naming them.

    >>> refuse_text(["sex"], "people.csv")
    Traceback (most recent call last):
    diabolo.data.cells.MixedTableError: people.csv: column 'sex' does not hold numbers. ...
    """
    if names:
        some = f"column {listed(names)} does" if len(names) == 1 else f"columns {listed(names)} do"
        raise MixedTableError(f"{place}: {some} not hold numbers. Leave text and dates out, or encode them as numbers.")


def common_dtype(dtypes: Sequence[np.dtype]) -> np.dtype:
    """The one dtype in which columns of these dtypes are read.

    >>> common_dtype([np.dtype("int64"), np.dtype("float32")])
    dtype('float64')
    """
    return plain(np.result_type(*dtypes))


def plain(dtype: np.dtype) -> np.dtype:
    """The dtype in the machine's own byte order, and at most 64 bits wide.

    >>> plain(np.dtype(">i4")).isnative
    True
    """
    return np.dtype(np.float64) if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("=")


def stretch(start: int, stop: int, rows: int) -> tuple[int, int]:
    """Bounds of a stretch, cut to the rows there are, as slices do.

    >>> stretch(2, 9, 5)
    (2, 5)
    """
    start = min(max(start, 0), rows)
    return start, min(max(stop, start), rows)


def position(at: tuple[int, ...]) -> str:
    """Where a cell lies, in words; counted from 0.

    >>> position((3, 1))
    'row 3, column 1'
    """
    if len(at) == 2:
        return f"row {at[0]}, column {at[1]}"
    return f"row {at[0]}" if len(at) == 1 else f"row {at[0]}, cell {list(at[1:])}"


def short(value: Any, most: int = 40) -> str:
    """What a value looks like, cut to a length that fits a message.

    >>> short("a" * 100, most=10)
    "'aaaaaa..."
    """
    text = repr(value[: 2 * most] if isinstance(value, str | bytes | list | tuple) else value)
    return text if len(text) <= most else text[: most - 3] + "..."


def listed(names: Sequence[Any], most: int = 8) -> str:
    """Names in a message: the first few, and how many more.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    text = ", ".join(short(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"

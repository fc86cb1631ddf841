"""Sources for what already lies in memory: arrays, tensors, sparse matrices, frames and lists."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError
from .cells import (
    check_dtype,
    check_names,
    check_size,
    common_dtype,
    numeric,
    plain,
    refuse_strings,
    short,
    stretch,
)
from .ragged import ragged
from .raw import Raw, dtype_of, floats_of, raw_of_series
from .source import Source


class ArraySource(Source):
    """Rows of one array of numbers or booleans; memory-mapped arrays stay on disk.

    Parameters
    ----------
    values : numpy.ndarray
        At least one axis; the first counts the rows. Kept as it is, never copied and never changed.
        Masked cells become NaN; cells of an object array are made numbers.
    place : str
        What to call the data in a message.
    labels : numpy.ndarray, optional
        One label a row.

    Raises
    ------
    DataError
        If there are no rows or the cells are no real numbers.

    >>> source = ArraySource(np.arange(6, dtype=np.float32).reshape(3, 2))
    >>> source.rows, source.shape, source.dtype
    (3, (2,), dtype('float32'))
    >>> source.read(1, 2)
    array([[2., 3.]], dtype=float32)
    """

    def __init__(self, values: np.ndarray, place: str = "the data", *, labels: np.ndarray | None = None) -> None:
        self.values = numeric(values, place)
        self.place = place
        self.rows, self.shape = check_size(self.values.shape, place)
        self.dtype = plain(self.values.dtype)
        self.labels = labels

    def read(self, start: int, stop: int) -> np.ndarray:
        block = self.values[slice(*stretch(start, stop, self.rows))]
        block = np.asarray(block).astype(self.dtype, copy=False)
        # Torch can share neither what must not be written to nor what runs backwards.
        shareable = block.flags.writeable and all(step >= 0 for step in block.strides)
        return block if shareable else block.copy()


class SparseSource(Source):
    """Rows of a scipy sparse matrix; only the stretch that is read becomes dense.

    Parameters
    ----------
    values : scipy sparse matrix or array
        Two axes; other formats than CSR are converted once.
    place : str
        What to call the data in a message.

    >>> from scipy.sparse import csr_array
    >>> SparseSource(csr_array(np.eye(3))).read(0, 2)
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """

    def __init__(self, values: Any, place: str = "the data", *, labels: np.ndarray | None = None) -> None:
        if values.ndim != 2:
            raise DataError(f"{place}: a sparse array of shape {values.shape}; it needs rows and columns.")
        check_dtype(np.dtype(values.dtype), place)
        self.place = place
        self.rows, self.shape = check_size(values.shape, place)
        self.dtype = plain(np.dtype(values.dtype))
        self.values = values.tocsr()
        self.labels = labels

    def read(self, start: int, stop: int) -> np.ndarray:
        start, stop = stretch(start, stop, self.rows)
        return np.asarray(self.values[start:stop].toarray(), dtype=self.dtype)


class FrameSource(Source):
    """Rows of a frame: pandas, polars or pyarrow, through narwhals. Nulls are read as NaN.

    Parameters
    ----------
    frame : frame
        Columns of any type, each name once.
    place : str
        What to call the data in a message.

    Raises
    ------
    DataError
        If a name comes twice, or there are no rows.

    >>> import pandas
    >>> source = FrameSource(pandas.DataFrame({"age": [30, 41], "height": [1.7, None]}))
    >>> source.names, source.dtypes
    (('age', 'height'), ('int64', 'float64'))
    >>> source.read(0, 2)
    array([[30. ,  1.7],
           [41. ,  nan]])
    """

    def __init__(self, frame: Any, place: str = "the data") -> None:
        import narwhals as nw

        own = column_names(frame)
        check_names(own, place)
        self.place = place
        self.frame = nw.from_native(frame, eager_only=True)
        self.rows, self.shape = check_size((len(self.frame), len(own)), place)
        self._columns = [self._column(series) for series in self.frame.iter_columns()]
        self.index = getattr(frame, "index", None)
        self.backend = str(self.frame.implementation.value)
        self.mixed = any(column is None for column in self._columns)
        self.numbered = all(isinstance(name, int) for name in own)
        self._name(list(map(str, own)))
        if self.mixed:
            self.dtype = np.dtype(object)
            return
        dtypes = [column_dtype(column) for column in self._columns]
        held = [dtype for dtype in dtypes if dtype is not None]
        nulls = [series.null_count() > 0 for series in self.frame.iter_columns()]
        self.dtype = common_dtype(
            [np.result_type(dtype, np.float32) if null else dtype for null, dtype in zip(nulls, held, strict=True)]
        )
        self.dtypes = tuple(dtype.name for dtype in held)
        # One dtype and no nulls: the frame makes the array itself, which is quicker than column by column.
        alike = len(set(held)) == 1 and not any(nulls)
        self._alike = alike and not any(isinstance(column, np.ndarray) for column in self._columns)

    def _name(self, names: list[str]) -> None:
        check_names(names, f"{self.place}, whose columns' names were made text")
        self.names = tuple(names)
        self._series = list(self.frame.iter_columns())
        self.dtypes = self.own_dtypes = tuple(str(dtype_of(series.to_native())) for series in self._series)

    def column(self, at: int, start: int, stop: int) -> Raw:
        """A stretch of a column."""
        assert self.names is not None
        return raw_of_series(self.names[at], self._series[at][slice(*stretch(start, stop, self.rows))])

    def _column(self, series: Any) -> Any:
        """A column as it is, or as an array where it holds objects; None where it holds no numbers."""
        if column_dtype(series) is not None:
            return series
        if str(series.dtype) not in ("Object", "Unknown", "Null"):
            return None
        try:
            return numeric(np.asarray(series.to_list(), dtype=object), self.place)
        except DataError:
            return None

    def read(self, start: int, stop: int) -> np.ndarray:
        if self.mixed:
            return super().read(start, stop)
        start, stop = stretch(start, stop, self.rows)
        if self._alike:
            return np.array(self.frame[start:stop].to_numpy(), dtype=self.dtype)
        values = np.empty((stop - start, len(self._columns)), self.dtype)
        for at, column in enumerate(self._columns):
            values[:, at] = column_values(column[start:stop])
        return values


def is_frame(X: Any, place: str = "the data") -> bool:
    """Whether this is a frame with rows; a lazy one is refused before anybody asks it for its columns.

    >>> import pandas
    >>> is_frame(pandas.DataFrame({"a": [1]})), is_frame([[1]])
    (True, False)
    """
    refuse_lazy(X, place)
    return hasattr(X, "columns") and not isinstance(X, Source)


def refuse_lazy(X: Any, place: str) -> None:
    """A lazy frame is a plan; when to carry it out, and with which engine, is for its owner to say."""
    if type(X).__name__ == "LazyFrame":
        raise DataError(f"{place}: a lazy frame has no rows yet; call its collect() first.")


def column_names(frame: Any) -> list[Any]:
    """The names of a frame's columns, also where narwhals cannot take the frame.

    >>> import pandas
    >>> column_names(pandas.DataFrame({"a": [1]}))
    ['a']
    """
    return list(getattr(frame, "column_names", None) or frame.columns)


def column_dtype(column: Any) -> np.dtype | None:
    """The numpy dtype of a narwhals series or an array; None where it holds no numbers."""
    import narwhals as nw

    if isinstance(column, np.ndarray):
        return column.dtype
    dtype = column.dtype
    if dtype == nw.Boolean:
        return np.dtype(bool)
    if not dtype.is_numeric():
        return None
    # What numpy has no dtype for (decimals, 128 bits) is read as float64.
    return np.dtype(str(dtype).lower() if hasattr(np, str(dtype).lower()) else np.float64)


def column_values(column: Any) -> np.ndarray:
    """The numbers of a narwhals series or an array, nulls as NaN."""

    if isinstance(column, np.ndarray):
        return column
    if column.null_count() or not hasattr(np, str(column.dtype).lower()):
        return floats_of(column)
    return np.asarray(column.to_numpy())


def in_memory(X: Any, place: str = "the data") -> Source:
    """Make a source of what lies in memory.

    Parameters
    ----------
    X : array, tensor, sparse matrix, frame, or nested lists
        numpy and whatever converts to it; torch on any device; scipy sparse; pandas, polars, pyarrow. A list (or an
        object array) of rows of unequal length, each (length,) or (length, channels), is read as sequences.
    place : str
        What to call the data in a message.

    Returns
    -------
    Source
        It reads float32 as float32 and integers as integers.

    Raises
    ------
    DataError
        If it holds no rows, something else than real numbers, or rows that are unlike in more than their length.

    >>> in_memory([[1, 2], [3, 4]]).read(0, 1)
    array([[1, 2]])
    >>> in_memory([[1, 2], [3]]).lengths
    array([2, 1])
    >>> in_memory([[1, 2], 3])
    Traceback (most recent call last):
    diabolo.core.errors.DataError: the data: row 1 holds 1 cells (3), where others hold many. ...
    """
    if isinstance(X, Source):
        return X
    if isinstance(X, str | bytes | bytearray | os.PathLike):
        raise DataError(f"{place}: {short(X)} is no table; a path is opened by open_path.")
    torch, sparse = sys.modules.get("torch"), sys.modules.get("scipy.sparse")
    if torch is not None and isinstance(X, torch.Tensor):
        return ArraySource(_from_torch(X), place)
    if sparse is not None and sparse.issparse(X):
        return SparseSource(X, place)
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = list(X) if any(hasattr(row, "__len__") and not isinstance(row, str) for row in X) else X
    if isinstance(X, np.ndarray):
        return ArraySource(X, place)
    if isinstance(X, list | tuple):
        return _from_list(X, place)
    if not hasattr(X, "__array__") or hasattr(X, "columns") or hasattr(X, "to_numpy"):
        return _from_frame(X, place)
    return ArraySource(_as_array(X, place), place)


def _from_torch(tensor: Any) -> np.ndarray:
    torch = sys.modules["torch"]
    tensor = tensor.detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype.is_floating_point and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()  # numpy has no bfloat16 and no float8; float32 holds each of their values
    return np.asarray(tensor.cpu().resolve_conj().resolve_neg().numpy())


def _from_frame(X: Any, place: str) -> Source:
    import narwhals as nw

    refuse_lazy(X, place)
    if getattr(X, "columns", None) is not None:
        # narwhals has a message of its own for names that come twice; say it in ours, with the names.
        check_names(column_names(X), place)
    frame = nw.from_native(X, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(frame, nw.Series):
        return ArraySource(np.asarray(frame.to_list() if frame.null_count() else frame.to_numpy()), place)
    if isinstance(frame, nw.DataFrame):
        return FrameSource(nw.to_native(frame), place)
    if hasattr(X, "__array__"):
        return ArraySource(_as_array(X, place), place)
    raise DataError(
        f"{place}: {short(X)} of type {type(X).__name__} cannot be read. Possible are numpy arrays, torch "
        "tensors, scipy sparse matrices, pandas, polars and pyarrow tables, and lists of rows."
    )


def _as_array(X: Any, place: str) -> np.ndarray:
    try:
        return np.asarray(X)
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: {type(X).__name__} did not become an array: {error}") from error


def _from_list(rows: Sequence[Any], place: str) -> Source:
    torch = sys.modules.get("torch")
    if torch is not None:
        rows = [_from_torch(row) if isinstance(row, torch.Tensor) else row for row in rows]
    try:
        values = np.asarray(rows)
    except (TypeError, ValueError, OverflowError):
        return ragged(rows, place)
    if values.dtype.kind in "US":
        # numpy turns a number beside a text into text: look at the cells as they came.
        values = np.asarray(rows, dtype=object)
        refuse_strings(values, place)
    return ArraySource(values, place)

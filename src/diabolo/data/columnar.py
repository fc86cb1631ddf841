"""Parquet files, a batch of rows at a time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from ..core.errors import DataError, MissingPackageError
from .bounded import check_growth, hold, size_of
from .cells import (
    NoSuchLabelError,
    check_names,
    check_size,
    common_dtype,
    listed,
    refuse_text,
    short,
    stretch,
)
from .memory import FrameSource
from .source import Source

#: Bytes of a batch once it is numbers; row groups that are larger are read in several.
BATCH = 64 << 20
#: Columns that pandas adds to keep an index.
INDEX = re.compile(r"__index_level_\d+__")
#: A footer is thrift: these keep a small one from asking for much memory.
LIMITS = {"thrift_string_size_limit": 64 << 20, "thrift_container_size_limit": 1 << 22}


class ParquetSource(Source):
    """Rows of a Parquet file; the last batch is kept, nothing else.

    Parameters
    ----------
    file : file
        Binary and seekable; it is kept open while the source lives.
    place : str
        What to call the data in a message.
    label : str, optional
        The column to take out as labels.

    Raises
    ------
    DataError
        If a column holds no numbers (it is named), the file is damaged, or it would grow too much: rows times
        columns are held against its size, since what it declares in bytes can be anything.
    MissingPackageError
        Without pyarrow.

    >>> import io, pyarrow, pyarrow.parquet
    >>> file = io.BytesIO()
    >>> pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2], "b": [0.5, None]}), file)
    >>> source = ParquetSource(file, "t.parquet")
    >>> source.names, source.dtypes
    (('a', 'b'), ('int64', 'float64'))
    >>> source.read(1, 2)
    array([[ 2., nan]])
    """

    def __init__(self, file: BinaryIO, place: str, *, label: str | None = None) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingPackageError("pyarrow", "parquet", "reading Parquet") from error
        self.place = place
        # Reading what is damaged can raise nearly any of these; all mean the same to the user.
        self._errors = (pa.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError)
        try:
            self._file = pq.ParquetFile(file, **LIMITS)
            schema, meta = self._file.schema_arrow, self._file.metadata
        except self._errors as error:
            raise self._damage(error) from error
        names = [name for name in schema.names if not INDEX.fullmatch(name)]
        check_names(names, place)
        if label is not None and label not in names:
            raise NoSuchLabelError(f"{place}: no column is called {label!r}. There are {listed(names)}.")
        self.names = tuple(name for name in names if name != label)
        self.rows, self.shape = check_size((meta.num_rows, len(self.names)), place)
        check_growth(8 * self.rows * len(names), size_of(file), place)
        held = [_numpy_dtype(schema.field(name).type) for name in self.names]
        refuse_text([name for name, kind in zip(self.names, held, strict=True) if kind is None], place)
        groups = [meta.row_group(at).num_rows for at in range(meta.num_row_groups)]
        if min(groups, default=0) < 0 or sum(groups) != self.rows:
            raise DataError(f"{place}: its row groups do not add up to {self.rows} rows. Write the file again.")
        self._starts = [sum(groups[:at]) for at in range(len(groups))]
        self._batch = max(1, BATCH // (8 * len(self.names)))
        self._set_dtypes([kind for kind in held if kind is not None])
        self._at, self._block, self._group = 0, np.empty((0, len(self.names))), -1
        self._batches: Iterator[Any] = iter(())
        if label is not None:
            self.labels = self._read_labels(label)
        hold(self, file)

    def _set_dtypes(self, held: list[np.dtype]) -> None:
        """What each column holds; whole numbers with nulls among them are read as floating ones."""
        whole = [name for name, dtype in zip(self.names or (), held, strict=True) if dtype.kind != "f"]
        missing: set[str] = set()
        # The nulls are counted, not looked up: arrow ends the process over damaged statistics.
        for batch in self._iterate(whole) if whole else ():
            missing |= {name for name in whole if batch.column(name).null_count}
        self.dtypes = tuple(dtype.name for dtype in held)
        self.dtype = common_dtype(
            [
                np.result_type(dtype, np.float32) if name in missing else dtype
                for name, dtype in zip(self.names or (), held, strict=True)
            ]
        )

    def _iterate(self, columns: list[str], groups: list[int] | None = None) -> Iterator[Any]:
        """Batches of some columns, of all row groups or of some."""
        try:
            yield from self._file.iter_batches(self._batch, row_groups=groups, columns=columns, use_threads=False)
        except self._errors as error:
            raise self._damage(error) from error

    def _read_labels(self, label: str) -> np.ndarray:
        labels = [value for batch in self._iterate([label]) for value in batch.column(0).to_pylist()]
        if all(isinstance(value, bool | int | float) for value in labels):
            return np.asarray(labels)
        return np.array(["" if value is None else str(value) for value in labels])

    def _damage(self, error: Exception) -> DataError:
        return DataError(
            f"{self.place}: damaged or no Parquet file: {short(str(error), 200)}. Write or fetch it again."
        )

    def read(self, start: int, stop: int) -> np.ndarray:
        start, stop = stretch(start, stop, self.rows)
        values = np.empty((stop - start, *self.shape), self.dtype)
        done = start
        while done < stop:
            self._seek(done)
            taken = self._block[done - self._at : stop - self._at]
            values[done - start : done - start + len(taken)] = taken
            done += len(taken)
        return values

    def _seek(self, row: int) -> None:
        """Bring the batch that holds a row into memory; going back begins the row group again."""
        group = bisect_right(self._starts, row) - 1
        if group != self._group or row < self._at:
            self._group, self._at = group, self._starts[group]
            self._block = self._block[:0]
            self._batches = self._iterate(list(self.names or ()), [group])
        while row >= self._at + len(self._block):
            batch = next(self._batches, None)
            if batch is None or not len(batch):
                raise DataError(f"{self.place}: row {row} is not there. The file was changed: write it again.")
            self._at += len(self._block)
            self._block = self._numbers(batch)

    def _numbers(self, batch: Any) -> np.ndarray:
        values = np.empty((len(batch), len(batch.schema.names)), self.dtype)
        for at, name in enumerate(self.names or ()):
            column = batch.column(name)
            if column.null_count and self.dtype.kind != "f":
                raise DataError(f"{self.place}: column {name!r} misses values that it had before. Write it again.")
            if column.null_count or str(column.type).startswith(("decimal", "null")):
                column = column.cast("float64")
            values[:, at] = column.to_numpy(zero_copy_only=False)
        return values


def _numpy_dtype(kind: Any) -> np.dtype | None:
    """The numpy dtype of an arrow type; None where it holds no numbers."""
    import pyarrow as pa

    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return np.dtype(np.float64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return np.dtype(kind.to_pandas_dtype())
    return None


def read_parquet(file: BinaryIO, place: str, label: str | None = None) -> FrameSource:
    """A Parquet file read whole, with columns of any type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.seek(0)
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{place}: the file is damaged: {error}. Write it again.") from error
    labels = None if label is None else np.asarray(table.column(label).to_pylist())
    dropped = [name for name in table.column_names if INDEX.fullmatch(name) or name == label]
    source = FrameSource(table.drop_columns(dropped), place)
    source.labels = labels
    return source

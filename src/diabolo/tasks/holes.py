"""Cells that are missing: which they are, more of them for a trial, and data whose holes are filled from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import DataError
from ..data.frames import integer_name
from ..data.modality import as_dtype
from ..data.raw import Raw
from ..data.rows import Rows
from ..data.source import Source


class Chosen(Rows):
    """Some rows of a source, with some more cells missing.

    Parameters
    ----------
    source : Source
    numbers : ndarray of int
        Which rows, rising.
    hidden : ndarray of bool, (rows, *shape), or None
        The cells to leave out.

    >>> from diabolo.data.choosing import open_data
    >>> source = Chosen(open_data([[1, 2], [3, 4]]), np.array([1]), np.array([[True, False]]))
    >>> source.read(0, 1).tolist()
    [[nan, 4.0]]
    """

    def __init__(self, source: Source, numbers: np.ndarray, hidden: np.ndarray | None = None) -> None:
        super().__init__(source, numbers)
        self.hidden = hidden
        if hidden is not None and not source.mixed:
            self.dtype = np.result_type(source.dtype, np.float32)
        if source.lengths is not None:
            raise DataError(f"{source.place}: rows of unequal length have no cells in common that could be filled.")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows, missing cells as NaN."""
        block = super().read(start, stop)
        if self.hidden is None:
            return block
        return np.where(self.hidden[start:stop], np.nan, block).astype(self.dtype, copy=False)

    def column(self, at: int, start: int, stop: int) -> Raw:
        """A stretch of a column."""
        raw = super().column(at, start, stop)
        return raw if self.hidden is None else replace(raw, known=raw.known & ~self.hidden[start:stop, at])


def holes_of(source: Source) -> np.ndarray:
    """Which of the user's cells are missing: ``(rows, *shape)``.

    >>> from diabolo.data.choosing import open_data
    >>> holes_of(open_data([[1.0, float("nan")]])).tolist()
    [[False, True]]
    """
    if source.names is not None:
        columns = [~source.column(at, 0, source.rows).known for at in range(len(source.names))]
        return np.stack(columns, axis=1)
    values = source.read(0, source.rows)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)


def fill_column(raw: Raw, filled: np.ndarray) -> np.ndarray:
    """A column with its holes filled; all else stays as it is.

    >>> raw = Raw("n", np.array([1.0, np.nan]), np.array([True, False]), "int64")
    >>> fill_column(raw, np.array([5.0, 6.0])).tolist()
    [1, 6]
    """
    kind = raw.values.dtype
    whole = raw.values.copy()
    if not raw.known.all():
        whole[~raw.known] = filled[~raw.known] if kind.kind == "O" else filled[~raw.known].astype(kind)
    return as_dtype(whole, integer_name(raw.dtype)) if kind.kind == "f" and integer_name(raw.dtype) else whole


def fill_frame(frame: Any, made: Any, holes: np.ndarray, only: list[int] | None = None) -> Any:
    """A frame with its holes filled from another of the same kind, or from an array; all else stays as it is.

    Parameters
    ----------
    frame : pandas, polars or pyarrow
    made : frame of the same library, or array of shape (rows, columns)
    holes : ndarray of bool, (rows, columns)
    only : list of int, or None
        The columns to give back; ``None``: all.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"a": [1, None], "b": ["x", None]})
    >>> made = pl.DataFrame({"a": [7, 8], "b": ["y", "z"]})
    >>> fill_frame(frame, made, np.array([[False, False], [True, True]])).rows()
    [(1, 'x'), (8, 'z')]
    """
    import narwhals.stable.v2 as nw

    places = range(holes.shape[1]) if only is None else only
    given = nw.from_native(frame, eager_only=True)
    if given.implementation.is_pandas():
        whole = frame.iloc[:, list(places)].copy()
        for to, at in enumerate(places):
            if holes[:, at].any():
                column = frame.iloc[:, at].copy()
                values = (
                    made[holes[:, at], at] if isinstance(made, np.ndarray) else made.iloc[:, at][holes[:, at]].array
                )
                column[holes[:, at]] = values if isinstance(made, np.ndarray) else values.astype(column.dtype)
                whole.isetitem(to, column)
        return whole
    columns = []
    for at in places:
        column = given[:, at]
        if holes[:, at].any():
            known = nw.new_series("known", ~holes[:, at], nw.Boolean, backend=given.implementation)
            column = column.zip_with(known, nw.from_native(made, eager_only=True)[:, at].cast(column.dtype))
        columns.append(column)
    return given.select(*columns).to_native()


__all__ = ["Chosen", "fill_column", "fill_frame", "holes_of"]

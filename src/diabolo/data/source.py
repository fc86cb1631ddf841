"""A source: numbers in rows that can be read a stretch at a time, wherever they lie."""

from __future__ import annotations

from abc import ABC
from typing import Any

import numpy as np

from ..core.errors import DataError
from .raw import Raw


class Source(ABC):
    """Rows of numbers that can be read a stretch at a time: an array, a frame, a file larger than memory.

    Attributes
    ----------
    place : str
        What to call this data in a message: ``"train.csv"``, ``"the array"``.
    rows : int
        How many samples there are.
    shape : tuple of int
        The shape of one sample as the user holds it: ``(64,)`` for a table, ``(28, 28)`` for pictures.
    dtype : numpy.dtype
        What :meth:`read` gives. Columns of several dtypes are read as their common floating dtype.
    names : tuple of str, or None
        The columns' names, where they have some.
    dtypes : tuple of str, or None
        The columns' own dtypes (``"int64"``, ``"float32"``, ``"bool"``), where they have names.
    own_dtypes : tuple of str, or None
        The same as the library of the frame that came spells them (``"Int64"``, ``"decimal128(10, 2)"``).
    labels : numpy.ndarray or None
        One label a row, text or numbers. They color the report and are never trained on.
    maximum : float or None
        The greatest value a cell can hold, where the dtype alone does not tell: 16 for ``digits``.
    paths : tuple of str, or None
        The file each row was read from, where every row has a file of its own.
    index : object or None
        The rows' own names, to be written back: a pandas index.
    mixed : bool
        Whether there are columns that hold something else than numbers; these are read by :meth:`column` alone.
    numbered : bool
        Whether the columns of a frame had numbers for names, which ``names`` gives as text.
    backend : str or None
        The library of the frame that came: ``"pandas"``, ``"polars"``, ``"pyarrow"``.
    note : str or None
        What was decided about the data that may be otherwise, such as whether its first row holds names.
    lengths : numpy.ndarray of int, or None
        How many steps each row has, where rows are sequences of unequal length. The first axis of ``shape`` is the
        longest of them, and what a shorter one lacks in front of its first step is read as NaN.
    """

    place: str = "the data"
    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype
    names: tuple[str, ...] | None = None
    dtypes: tuple[str, ...] | None = None
    own_dtypes: tuple[str, ...] | None = None
    labels: np.ndarray | None = None
    maximum: float | None = None
    paths: tuple[str, ...] | None = None
    index: Any = None
    mixed: bool = False
    numbered: bool = False
    backend: str | None = None
    note: str | None = None
    lengths: np.ndarray | None = None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows ``start`` to ``stop``: ``(stop - start, *shape)``, missing cells as NaN."""
        words = [name for at, name in enumerate(self.names or ()) if self.column(at, 0, self.rows).kind != "number"]
        raise DataError(
            f"{self.place}: column {', '.join(map(repr, words[:8]))} {'does' if len(words) == 1 else 'do'} not hold "
            "numbers, and this model is for numbers only. Leave text and dates out, or encode them as numbers."
        )

    def column(self, at: int, start: int, stop: int) -> Raw:
        """A stretch of the column at a position, of any type."""
        values = self.read(start, stop)[:, at].astype(np.float64)
        dtype = self.dtypes[at] if self.dtypes else str(self.dtype)
        return Raw(self.names[at] if self.names else str(at), values, ~np.isnan(values), dtype)

    def spelled(self, at: int, start: int, stop: int) -> np.ndarray | None:
        """How a file of text spells the cells of a stretch of a column, without blanks around them; else ``None``."""
        return None

    def where(self, row: int, cell: tuple[int, ...]) -> str:
        """What to call a cell in a message; rows count from 0."""
        if self.names is not None:
            return f"column {self.names[cell[0]]!r}, row {row}"
        return f"row {row}, cell {cell[0] if len(cell) == 1 else cell}"

    def told(self, row: int, cell: tuple[int, ...], value: float) -> str:
        """What to call the value of a cell in a message: what the user wrote."""
        return f"{value:g}"

    @property
    def features(self) -> int:
        """Numbers in a sample, or in each step of a sequence."""
        shape = self.shape if self.lengths is None else self.shape[1:]
        return int(np.prod(shape, dtype=np.int64))

    @property
    def padding(self) -> int:
        """Cells that only fill up shorter rows."""
        if self.lengths is None:
            return 0
        return int(self.rows * self.shape[0] - self.lengths.sum()) * self.features

    @property
    def bytes(self) -> int:
        """What all rows need in memory as float32."""
        return 4 * self.rows * int(np.prod(self.shape, dtype=np.int64))

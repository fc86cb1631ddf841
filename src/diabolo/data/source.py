"""A source: numbers in rows that can be read a stretch at a time, wherever they lie."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


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
    """

    place: str = "the data"
    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype
    names: tuple[str, ...] | None = None
    dtypes: tuple[str, ...] | None = None

    @abstractmethod
    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows ``start`` to ``stop``: ``(stop - start, *shape)``, missing cells as NaN."""

    @property
    def bytes(self) -> int:
        """What all rows need in memory as float32."""
        return 4 * self.rows * int(np.prod(self.shape, dtype=np.int64))

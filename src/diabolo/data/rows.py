"""Some rows of a source, as a source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .raw import Raw
from .scaling import stretches
from .source import Source


class Rows(Source):
    """Some rows of a source, in order.

    Parameters
    ----------
    source : Source
    numbers : ndarray of int
        Which rows, rising.

    >>> from diabolo.data.memory import in_memory
    >>> Rows(in_memory([[1.0], [2.0], [3.0]]), np.array([0, 2])).read(0, 2).tolist()
    [[1.0], [3.0]]
    """

    def __init__(self, source: Source, numbers: np.ndarray) -> None:
        self.source, self.numbers, self.rows = source, numbers, len(numbers)
        self.place, self.shape, self.dtype = source.place, source.shape, source.dtype
        self.names, self.dtypes = source.names, source.dtypes
        self.mixed, self.backend, self.maximum = source.mixed, source.backend, source.maximum
        self.own_dtypes, self.numbered = source.own_dtypes, source.numbered
        self.lengths = None if source.lengths is None else source.lengths[numbers]
        self.reach = stretches(source)[0][1]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows, spans of the whole source that are no longer than a stretch at a time."""
        wanted = self.numbers[start:stop]
        if not len(wanted):
            return self.source.read(0, 0)
        blocks, done = [], 0
        while done < len(wanted):
            first = int(wanted[done])
            here = wanted[done : int(np.searchsorted(wanted, first + self.reach))]
            span = self.source.read(first, int(here[-1]) + 1)
            blocks.append(span if len(span) == len(here) else span[here - first])
            done += len(here)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def column(self, at: int, start: int, stop: int) -> Raw:
        """A stretch of a column."""
        wanted = self.numbers[start:stop]
        first = int(wanted[0]) if len(wanted) else 0
        whole = self.source.column(at, first, int(wanted[-1]) + 1 if len(wanted) else 0)
        return replace(whole, values=whole.values[wanted - first], known=whole.known[wanted - first])

    def spelled(self, at: int, start: int, stop: int) -> np.ndarray | None:
        """The text of a stretch of a column's cells, where the whole source has it."""
        wanted = self.numbers[start:stop]
        first = int(wanted[0]) if len(wanted) else 0
        whole = self.source.spelled(at, first, int(wanted[-1]) + 1 if len(wanted) else 0)
        return None if whole is None else whole[wanted - first]

    def where(self, row: int, cell: tuple[int, ...]) -> str:
        """A cell as the whole source calls it."""
        return self.source.where(int(self.numbers[row]), cell)

    def told(self, row: int, cell: tuple[int, ...], value: float) -> str:
        """A value as the whole source tells it."""
        return self.source.told(int(self.numbers[row]), cell, value)

"""Sources of sequences: rows of unequal length, each (length,) or (length, channels)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError
from .cells import numeric, short, stretch
from .source import Source

POSSIBLE = "A sequence is (length,) or (length, channels), all of a list alike"


class RaggedSource(Source):
    """Sequences of unequal length in memory, read aligned at their end: what they lack in front is NaN.

    Parameters
    ----------
    sequences : sequence of ndarray
        Each of shape (length,), or each (length, channels), of numbers or booleans. Kept as they are, never changed.
    place : str
        What to call the data in a message.
    labels : numpy.ndarray, optional
        One label a row.

    Raises
    ------
    DataError
        If a sequence is empty or unlike the first; the message names it.

    >>> source = RaggedSource([np.array([1.0, 2.0, 3.0]), np.array([4.0])])
    >>> source.shape, source.lengths.tolist(), source.padding
    ((3,), [3, 1], 2)
    >>> source.read(0, 2)
    array([[ 1.,  2.,  3.],
           [nan, nan,  4.]])
    """

    lengths: np.ndarray

    def __init__(
        self, sequences: Sequence[np.ndarray], place: str = "the data", *, labels: np.ndarray | None = None
    ) -> None:
        self.place, self.labels = place, labels
        for row, sequence in enumerate(sequences):
            check_alike(sequence, sequences[0], f"{place}: row {row}")
        self.sequences = sequences
        dtype = np.result_type(*{sequence.dtype for sequence in sequences})
        self._measure([len(sequence) for sequence in sequences], sequences[0].shape[1:])
        # A whole number cannot be missing, and padding is: whole numbers are read as floats.
        self.dtype = dtype if dtype in (np.float16, np.float32) else np.dtype(np.float64)

    def _measure(self, lengths: list[int], channels: tuple[int, ...]) -> None:
        self.lengths = np.array(lengths, dtype=np.int64)
        self.rows, self.shape = len(lengths), (max(lengths), *channels)

    def take(self, start: int, stop: int) -> Iterable[np.ndarray]:
        """The sequences of a stretch of rows."""
        return self.sequences[start:stop]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows ``start`` to ``stop``: ``(stop - start, *shape)``, missing cells and padding as NaN."""
        start, stop = stretch(start, stop, self.rows)
        values = np.full((stop - start, *self.shape), np.nan, self.dtype)
        for row, sequence in zip(values, self.take(start, stop), strict=True):
            row[len(row) - len(sequence) :] = sequence
        return values

    def where(self, row: int, cell: tuple[int, ...]) -> str:
        """The step as it is counted in the sequence itself."""
        step = cell[0] - (self.shape[0] - int(self.lengths[row]))
        return f"row {row}, step {step}" + (f", channel {cell[1]}" if len(cell) > 1 else "")


class Roomier(Source):
    """Sequences with room in front for longer ones, which is NaN.

    Parameters
    ----------
    source : Source
        Of samples (length,) or (length, channels).
    longest : int
        At least the length of the longest.

    >>> Roomier(RaggedSource([np.array([1.0, 2.0])]), 3).read(0, 1)
    array([[nan,  1.,  2.]])
    """

    def __init__(self, source: Source, longest: int) -> None:
        self.source, self.place, self.labels = source, source.place, source.labels
        self.absent = longest - source.shape[0]
        self.rows, self.shape = source.rows, (longest, *source.shape[1:])
        self.lengths = np.full(source.rows, source.shape[0]) if source.lengths is None else source.lengths
        self.dtype = source.dtype if source.dtype.kind == "f" else np.dtype(np.float64)

    def read(self, start: int, stop: int) -> np.ndarray:
        values = self.source.read(start, stop).astype(self.dtype, copy=False)
        room = ((0, 0), (self.absent, 0), *((0, 0),) * (len(self.shape) - 1))
        return np.pad(values, room, constant_values=np.nan)

    def where(self, row: int, cell: tuple[int, ...]) -> str:
        """A cell as the source itself calls it."""
        return self.source.where(row, (cell[0] - self.absent, *cell[1:]))


def check_alike(sequence: np.ndarray, first: np.ndarray, where: str) -> None:
    """Refuse what is no sequence, is empty, or has other channels than the first.

    >>> check_alike(np.zeros((4, 2)), np.zeros((5, 3)), "the data: row 1")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: the data: row 1 has 2 channels, where row 0 has 3. ...
    """
    if sequence.ndim not in (1, 2):
        raise DataError(f"{where} has shape {sequence.shape}. {POSSIBLE}; samples of more axes need the same shape.")
    if sequence.ndim != first.ndim:
        raise DataError(f"{where} has {sequence.ndim} axes, where row 0 has {first.ndim}. {POSSIBLE}.")
    if sequence.shape[1:] != first.shape[1:]:
        raise DataError(f"{where} has {sequence.shape[1]} channels, where row 0 has {first.shape[1]}. {POSSIBLE}.")
    if sequence.size == 0:
        raise DataError(
            f"{where} is empty, of shape {sequence.shape}. Leave it out, or give it a step (NaN if missing)."
        )


def ragged(rows: Sequence[Any], place: str) -> RaggedSource:
    """Make a source of rows of unequal length: arrays, lists, series or frames.

    >>> ragged([[1, 2], [3]], "the data").read(1, 2)
    array([[nan,  3.]])
    """
    made = []
    for at, row in enumerate(rows):
        if not hasattr(row, "__len__") or isinstance(row, str | bytes | dict):
            raise DataError(f"{place}: row {at} holds 1 cells ({short(row)}), where others hold many. {POSSIBLE}.")
        made.append(numeric(_as_array(row, at, place), f"{place}, sequence {at}"))
    return RaggedSource(made, place)


def _as_array(row: Any, at: int, place: str) -> np.ndarray:
    try:
        values = row if isinstance(row, np.ndarray) else np.asarray(row)
        # numpy turns a number beside a text into text: look at the cells as they came.
        return values if values.dtype.kind not in "US" else np.asarray(row, dtype=object)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{place}: the steps of row {at} do not all have the same shape. {POSSIBLE}.") from error

"""Series, ``(time, channels)``: reading them, holding out their tails, and the units that their channels count in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import numpy as np

from ..core.errors import DataError, ShapeError
from .choosing import open_data

NORMALIZATIONS = ("channel", "window", "none")
FAR = 20.0  # standard deviations beyond which a value counts by its logarithm
LEAST_DEVIATION = 0.1  # of a window that is normalized by itself, in deviations of the channel
Series = np.ndarray  # (time, channels)


# Reading


def is_list_of_series(X: Any) -> bool:
    """Whether that is a list of arrays or frames, or an array of three axes: (series, time, channels).

    >>> is_list_of_series([np.zeros(3), np.zeros(4)]), is_list_of_series([[1, 2], [3, 4]]), is_list_of_series([])
    (True, False, False)
    """
    if isinstance(X, list | tuple):
        return bool(X) and all(len(getattr(each, "shape", ())) for each in X)
    return len(getattr(X, "shape", ())) == 3


def read_series(X: Any, place: str) -> Series:
    """A series as ``(time, channels)`` in float64.

    >>> read_series([1, 2, 3], "the series").shape
    (3, 1)
    >>> read_series(np.array([1.0, np.inf]), "the series")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: the series: point 1, channel 0 is inf. Give finite numbers, and NaN for gaps.
    """
    if isinstance(X, list | tuple) or (not hasattr(X, "columns") and len(getattr(X, "shape", ())) == 1):
        X = np.asarray(X)
        X = X[:, None] if X.ndim == 1 else X
    source = open_data(X)
    if len(source.shape) != 1 or source.lengths is not None:
        raise ShapeError(f"{place} must be (time,) or (time, channels), or come in a list; points were {source.shape}.")
    try:
        values = np.asarray(source.read(0, source.rows), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{place}: a channel holds something else than numbers. Leave out what is no number."
        ) from error
    refuse_infinite(values, place)
    return values


def refuse_infinite(values: Series, place: str, first: int = 0) -> None:
    """Name the first cell that is infinite."""
    wrong = np.argwhere(np.isinf(values))
    if len(wrong):
        at, channel = wrong[0]
        raise DataError(
            f"{place}: point {first + at}, channel {channel} is {values[at, channel]}. Give finite numbers, and NaN "
            "for gaps."
        )


def blocks_of(points: Iterable[Any], together: int, channels: int) -> Iterator[Series]:
    """Points of a stream, some at a time; one of other channels or that is infinite is refused by its place.

    >>> [block.shape for block in blocks_of([1.0, 2.0, np.nan], 2, 1)]
    [(2, 1), (1, 1)]
    """
    place = 0
    stream = iter(points)
    while some := list(islice(stream, together)):
        rows = [np.ravel(np.asarray(point, dtype=np.float64)) for point in some]
        for at, row in enumerate(rows, start=place):
            if len(row) != channels:
                raise ShapeError(f"The stream's point {at} has {len(row)} channels, not {channels} as in the fit.")
        block = np.stack(rows)
        refuse_infinite(block, "the stream", place)
        yield block
        place += len(block)


# Holding out


def parted(series: Sequence[Series], window: int, share: float) -> tuple[list[Series], list[Series]]:
    """What to learn from, and what to hold out: a tail of each series, else the last series whole, else nothing.

    >>> fronts, tails = parted([np.zeros((100, 1)), np.zeros((12, 1))], 10, 0.2)
    >>> [len(front) for front in fronts], [len(tail) for tail in tails]
    ([80, 12], [20])
    """
    usable = [values for values in series if len(values) >= window]
    if not share:
        return usable, []
    fronts, tails = [], []
    for values in usable:
        tail = max(window, round(share * len(values)))
        if len(values) - tail >= 2 * window:
            fronts.append(values[:-tail])
            tails.append(values[-tail:])
        else:
            fronts.append(values)
    spare = round(share * len(usable))
    if not any(np.isfinite(tail).any() for tail in tails):
        return (usable[:-spare], usable[-spare:]) if spare else (usable, [])
    return fronts, tails


# Units


@dataclass(frozen=True)
class SeriesScaling:
    r"""Windows in deviations of their channel, :math:`q((x - m_c) / s_c)`, and back.

    :math:`q` is :func:`squash`. What is normalized by window has that window's own mean and deviation in addition.

    Parameters
    ----------
    center, scale : ndarray of shape (channels,)
        In the units of the data.
    normalize : {"channel", "window", "none"}
        Over the channel, in addition by window, or not at all.

    >>> scaling = SeriesScaling.learned([np.array([[1.0], [3.0]])], "channel")
    >>> windows, back = scaling(np.array([[[1.0], [np.nan], [5.0]]]))
    >>> windows.ravel().tolist(), back(windows).ravel().tolist()
    ([-1.0, nan, 3.0], [1.0, nan, 5.0])
    """

    center: np.ndarray
    scale: np.ndarray
    normalize: str

    @classmethod
    def learned(cls, series: Sequence[Series], normalize: str) -> Self:
        """Mean and deviation of each channel over known cells; what does not vary is only centered."""
        cells = np.concatenate(series)
        known = ~np.isnan(cells)
        if not known.any():
            raise DataError("The series holds nothing but gaps (NaN). Give some values.")
        channels = cells.shape[1]
        if normalize == "none":
            return cls(np.zeros(channels), np.ones(channels), normalize)
        counts = np.maximum(known.sum(0), 1)
        center = np.where(known, cells, 0.0).sum(0) / counts
        deviations = np.sqrt((np.where(known, cells - center, 0.0) ** 2).sum(0) / counts)
        varies = deviations > 1e-6 * np.maximum(np.abs(center), 1e-300)
        return cls(center, np.where(varies, deviations, np.maximum(np.abs(center), 1.0)), normalize)

    def __call__(self, windows: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Windows ``(windows, window, channels)`` as an estimator sees them, and the way back to the data's units."""
        values = (windows - self.center) / self.scale
        mean, deviation = np.zeros(()), np.ones(())
        if self.normalize == "window":
            known = ~np.isnan(values)
            counts = np.maximum(known.sum(1, keepdims=True), 1)
            mean = np.where(known, values, 0.0).sum(1, keepdims=True) / counts
            squares = (np.where(known, values - mean, 0.0) ** 2).sum(1, keepdims=True) / counts
            deviation = np.sqrt(squares + LEAST_DEVIATION**2)
            values = (values - mean) / deviation
        squashed = values if self.normalize == "none" else squash(values)

        def back(outputs: np.ndarray) -> np.ndarray:
            own = outputs if self.normalize == "none" else stretch_out(outputs)
            return (own * deviation + mean) * self.scale + self.center

        return squashed, back


def squash(values: np.ndarray) -> np.ndarray:
    """Values as they are up to 20, and beyond by their logarithm: one wild value does not drown all others.

    >>> squash(np.array([-3.0, 20.0, 20 * np.e])).round(9).tolist()
    [-3.0, 20.0, 40.0]
    """
    far = np.abs(values) > FAR
    squashed = values.copy()
    squashed[far] = np.sign(values[far]) * FAR * (1 + np.log(np.abs(values[far]) / FAR))
    return squashed


def stretch_out(values: np.ndarray) -> np.ndarray:
    """The reverse of :func:`squash`.

    >>> stretch_out(squash(np.array([-3.0, 20.0, 500.0]))).round(6).tolist()
    [-3.0, 20.0, 500.0]
    """
    far = np.abs(values) > FAR
    stretched = values.copy()
    stretched[far] = np.sign(values[far]) * FAR * np.exp(np.minimum(np.abs(values[far]), 30 * FAR) / FAR - 1)
    return stretched

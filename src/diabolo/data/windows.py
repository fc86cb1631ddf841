"""The arithmetic of windows: how long they should be, where they begin, and from windows back to points of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from ..core.errors import DataError

LONGEST_LAG = 1000
FEWEST_POINTS = 8
CLEAR = 0.1  # correlation above which, and above the dip before it, a peak is one
BEYOND_CHANCE = 4.0  # standard errors of the correlations of noise
NEARLY = 0.9  # of the highest peak: the first that is as high is the period, later ones are its multiples
BESIDE = 0.25
WINDOWS_TOGETHER = 256
ROUNDING = 1e-9


def autocorrelation(series: Sequence[np.ndarray], longest: int) -> np.ndarray:
    r"""How much a series resembles itself later: :math:`r_k = (\sum_t x_t x_{t+k} / n_k) / (\sum_t x_t^2 / n_0)`.

    Straight trends are taken off, missing points left out (:math:`n_k` counts pairs of known points), and the mean is
    taken over all channels that vary, of all series.

    Parameters
    ----------
    series : sequence of ndarray of shape (time, channels)
        NaN where a cell is missing.
    longest : int
        The longest lag, in points; a lag of a series needs two points.

    Returns
    -------
    ndarray of shape (longest + 1,)
        1 at lag 0; all zero where nothing varies.

    >>> wave = np.sin(np.arange(100) * np.pi / 5)[:, None]
    >>> autocorrelation([wave], 10)[[0, 5, 10]].round(1).tolist()
    [1.0, -1.0, 1.0]
    """
    total, counted = np.zeros(longest + 1), np.zeros(longest + 1)
    for values in series:
        for channel in values.T:
            lags = _autocorrelation(channel, min(longest, len(channel) - 1))
            total[: len(lags)] += lags
            counted[: len(lags)] += 1
    return total / np.maximum(counted, 1)


def _autocorrelation(channel: np.ndarray, longest: int) -> np.ndarray:
    """Of one channel; empty where it does not vary."""
    known = np.isfinite(channel)
    if known.sum() < FEWEST_POINTS:
        return np.zeros(0)
    time = np.linspace(-1.0, 1.0, len(channel))
    slope = np.polynomial.Polynomial.fit(time[known], channel[known], 1)
    rest = np.where(known, channel - slope(time), 0.0)
    if np.abs(rest).max() <= ROUNDING * max(np.abs(channel[known]).max(), 1e-300):
        return np.zeros(0)
    size = 1 << (2 * len(channel) - 1).bit_length()
    products, pairs = (
        np.fft.irfft(np.abs(np.fft.rfft(values, size)) ** 2, size)[: longest + 1]
        for values in (rest / np.abs(rest).max(), known.astype(np.float64))
    )
    means = products / np.maximum(pairs.round(), 1)
    return np.asarray(means / means[0])


def dominant_period(series: Sequence[np.ndarray], longest: int | None = None) -> int | None:
    r"""The lag after which the series repeat themselves best: the first peak that is nearly the highest.

    Parameters
    ----------
    series : sequence of ndarray of shape (time, channels)
    longest : int, or None
        The longest period, in points; ``None``: a third of the longest series, at most 1,000.

    Returns
    -------
    int, or None
        ``None`` where no peak of the autocorrelation exceeds 0.1 and :math:`4 / \sqrt{n}`, as for noise and constants.

    >>> time = np.arange(600.0)
    >>> dominant_period([np.sin(2 * np.pi * time / 25)[:, None] + 0.01 * time[:, None]])
    25
    >>> dominant_period([np.ones((600, 1))])
    """
    most = max(len(values) for values in series) // 3 if longest is None else longest
    most = min(most, LONGEST_LAG) if longest is None else most
    if most < 3:
        return None
    lags = autocorrelation(series, most)
    inner = np.arange(2, most)
    peaks = inner[(lags[inner] > lags[inner - 1]) & (lags[inner] >= lags[inner + 1])]
    dips = np.minimum.accumulate(lags)
    clear = max(CLEAR, BEYOND_CHANCE / np.sqrt(sum(map(len, series))))
    peaks = peaks[(lags[peaks] > clear) & (lags[peaks] - dips[peaks] > clear)]
    if not len(peaks):
        return None
    first = peaks[lags[peaks] >= NEARLY * lags[peaks].max()][0]
    around = peaks[(peaks >= (1 - BESIDE) * first) & (peaks <= (1 + BESIDE) * first)]
    return int(around[np.argmax(lags[around])])  # noise makes small peaks beside the one that is meant


def beginnings(length: int, window: int, stride: int) -> np.ndarray:
    """Where windows begin so that each point is in one: every ``stride`` points, and a last one at the end.

    >>> beginnings(10, 4, 3).tolist(), beginnings(11, 4, 3).tolist(), beginnings(3, 4, 3).tolist()
    ([0, 3, 6], [0, 3, 6, 7], [])
    """
    if length < window:
        return np.zeros(0, dtype=np.int64)
    return np.unique(np.append(np.arange(0, length - window + 1, stride), length - window))


def cut(values: np.ndarray, at: np.ndarray, window: int) -> np.ndarray:
    """The windows that begin at given points: ``(time, channels) -> (windows, window, channels)``.

    >>> cut(np.arange(4.0)[:, None], np.array([0, 2]), 2)[:, :, 0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    views = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    return np.ascontiguousarray(views[at].swapaxes(1, 2))


class Overlap:
    """Means over all windows that cover a point, window by window, with memory for one window of points.

    Parameters
    ----------
    window : int
        Points of a window.
    width : int
        Numbers per point.

    >>> overlap = Overlap(window=2, width=1)
    >>> overlap.add(0, np.array([[1.0], [3.0]])), overlap.add(1, np.array([[5.0], [7.0]]))
    (None, None)
    >>> overlap.take(3)[:, 0].tolist()
    [1.0, 4.0, 7.0]
    """

    def __init__(self, window: int, width: int) -> None:
        self.window, self.first = window, 0
        self.sums, self.counts = np.zeros((2 * window, width)), np.zeros((2 * window, width))

    def add(self, at: int, values: np.ndarray) -> None:
        """Add what a window that begins at a point says of each of its points; NaN says nothing."""
        begin = at - self.first
        if begin + self.window > len(self.sums):
            more = np.zeros((max(len(self.sums), begin + self.window - len(self.sums)), self.sums.shape[1]))
            self.sums, self.counts = np.concatenate([self.sums, more]), np.concatenate([self.counts, more])
        said = ~np.isnan(values)
        self.sums[begin : begin + self.window] += np.where(said, values, 0.0)
        self.counts[begin : begin + self.window] += said

    def take(self, stop: int) -> np.ndarray:
        """The means of all points before ``stop`` that were not taken yet, ``(points, width)``; NaN where none is."""
        count = stop - self.first
        sums, counts = self.sums[:count], self.counts[:count]
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        self.sums, self.counts = (
            np.concatenate([rest[count:], np.zeros((count, rest.shape[1]))])[: max(2 * self.window, len(rest) - count)]
            for rest in (self.sums, self.counts)
        )
        self.first = stop
        return means


def walk(
    blocks: Iterable[np.ndarray], window: int, stride: int, say: Callable[[np.ndarray], np.ndarray], width: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What windows say of each point, on average, as soon as no later window can cover it.

    Windows begin at every stride, and the last one ends where the series does. Two windows of points are kept.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (some time, channels)
        One after the other.
    window, stride : int
        Points.
    say : callable ``(windows, window, channels) -> (windows, window, width)``
        Of some hundred windows at most; NaN says nothing.
    width : int
        Numbers per point.

    Yields
    ------
    tuple of ndarray of shape (points, channels) and ndarray of shape (points, width)

    Raises
    ------
    DataError
        If all blocks together are shorter than a window.

    >>> blocks = iter([np.array([[1.0]]), np.array([[2.0], [6.0]])])
    >>> for points, said in walk(blocks, 2, 1, lambda windows: windows.mean(1, keepdims=True).repeat(2, 1), 1):
    ...     points.ravel().tolist(), said.ravel().tolist()
    ([1.0], [1.5])
    ([2.0, 6.0], [2.75, 4.0])
    """
    overlap = Overlap(window, width)
    held, first, begin, last = np.zeros((0, 0)), 0, 0, -1

    def taken(stop: int) -> tuple[np.ndarray, np.ndarray]:
        points = held[overlap.first - first : stop - first]
        return points, overlap.take(stop)

    for block in blocks:
        held = np.concatenate([held, block]) if held.size else block
        end = first + len(held)
        while begin + window <= end:
            at = np.arange(begin, end - window + 1, stride)[:WINDOWS_TOGETHER]
            for each, said in zip(at, say(cut(held, at - first, window)), strict=True):
                overlap.add(int(each), said)
            last, begin = int(at[-1]), int(at[-1]) + stride
            if min(begin, end - window) > overlap.first:
                yield taken(min(begin, end - window))
        if min(begin, end - window) > overlap.first:
            yield taken(min(begin, end - window))
        held, first = held[overlap.first - first :], overlap.first
    end = first + len(held)
    if end < window:
        raise DataError(f"The series has {end} points, fewer than the window of {window} that was fitted.")
    if last != end - window:
        overlap.add(end - window, say(held[None, end - window - first :])[0])
    yield taken(end)


def smoothed(blocks: Iterable[np.ndarray], points: int) -> Iterator[np.ndarray]:
    r"""Means over the ``points`` around each point, fewer at both ends: half of them late, with memory for them alone.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (some time,)
        One after the other; NaN is left out, and stays.
    points : int
        Odd; 1 changes nothing.

    >>> blocks = [np.array([0.0, 3.0]), np.array([np.nan, 6.0])]
    >>> np.concatenate(list(smoothed(blocks, 3))).tolist()
    [1.5, 1.5, nan, 6.0]
    """
    half, kernel = points // 2, np.ones(points)
    held, before = np.zeros(0), 0  # what may still be needed, and how many of it were given out

    def means(stop: int) -> np.ndarray:
        known = ~np.isnan(held)
        sums, counts = (
            np.convolve(values, kernel)[half : half + len(held)] for values in (np.where(known, held, 0.0), known)
        )
        return np.where(known, sums / np.maximum(counts, 1), np.nan)[before:stop]

    for block in blocks:
        held = np.concatenate([held, block])
        ready = len(held) - half
        if ready > before:
            yield means(ready)
            gone = max(ready - half, 0)
            held, before = held[gone:], ready - gone
    if before < len(held):
        yield means(len(held))


def stretches_of(count: int, together: int) -> Iterator[slice]:
    """Slices of so many at most.

    >>> list(stretches_of(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return (slice(start, min(start + together, count)) for start in range(0, count, together))

"""Time series: how strange each point of time is, by the windows that it lies in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..core.errors import DataError, ShapeError
from ..core.parts import as_part
from ..data.choosing import open_data
from ..data.ragged import RaggedSource
from ..data.windows import Overlap, beginnings, cut, dominant_period, smoothed, stretches_of
from ..estimators.base import Estimator
from ..estimators.classic import LinearAutoencoder
from ..training.seeding import mix, seed_from
from .thresholds import Calibration, Quantile, Threshold

NORMALIZATIONS = ("channel", "window", "none")
LEAST_WINDOW, LONGEST_WINDOW = 128, 512
MOST_CELLS = 1000  # numbers in a window that is chosen here: what their components cost grows with the cube
MOST_WINDOWS = 2000  # to train on
WINDOWS_TOGETHER = 256
STRIDES = 8  # windows that cover a point
EXPLAINED = 0.99  # share of the windows' variance that the usual code keeps
LARGEST_CODE = 150
FAR = 20.0  # standard deviations beyond which a value counts by its logarithm
LEAST_SPREAD = 1e-3  # of the errors of a channel, in variances of the channel
LEAST_DEVIATION = 0.1  # of a window that is normalized by itself, in deviations of the channel
FILLING_ROUNDS, SETTLED = 30, 0.01  # deviations
REFERENCES = 1000
REFERRING = 0x5E1E  # a position of its own among the seeds
Series = np.ndarray  # (time, channels)


@dataclass(frozen=True)
class SeriesExplanation:
    """Why the points of a series are as strange as they are.

    Parameters
    ----------
    score : ndarray of shape (time,)
        :meth:`SeriesAnomalyDetector.anomaly_score`.
    share : ndarray of shape (time, channels)
        What each channel makes of the reconstruction error of the windows that a point lies in: sums to 1. NaN where
        nothing is known.
    expected : ndarray of shape (time, channels)
        What these windows came back with at that point, on average, in the units of the data; also in gaps.
    channels : tuple of str
        The columns' names, or their numbers.

    >>> reasons = SeriesExplanation(np.array([2.0]), np.array([[0.1, 0.9]]), np.zeros((1, 2)), ("heat", "load"))
    >>> reasons.order(0)
    ('load', 'heat')
    """

    score: np.ndarray
    share: np.ndarray
    expected: np.ndarray
    channels: tuple[str, ...]

    def order(self, at: int) -> tuple[str, ...]:
        """The channels, by their share of a point's score."""
        places = np.argsort(-np.nan_to_num(self.share[at]), kind="stable")
        return tuple(self.channels[place] for place in places)


@dataclass(frozen=True)
class Judged:
    """What the estimator makes of some windows.

    Parameters
    ----------
    errors : ndarray of shape (windows, channels)
        Sums of squared errors over known cells, in variances of the channel.
    known : ndarray of shape (windows, channels)
        How many cells those are.
    distances : ndarray of shape (windows,)
        Squared, of the codes to one of the nearest among the references; 0 where neighbors are not asked for.
    expected : ndarray of shape (windows, window, channels)
        In the units of the data.
    """

    errors: np.ndarray
    known: np.ndarray
    distances: np.ndarray
    expected: np.ndarray


class SeriesAnomalyDetector(OutlierMixin, BaseEstimator):
    r"""Scores each point of a series by the windows :math:`w` that cover it, their errors and their codes' neighbors.

    .. math:: s(t) = \operatorname{mean}_{w \ni t} \left[
              \frac1{\bar e} \operatorname{mean}_{j \in w} \frac{(x_j - \hat x_j)^2}{v_{c(j)}} +
              \frac{1}{C\,\bar d} \, d_k(z_w)^2 \right]

    The means of errors are over known cells :math:`j`; :math:`v_c` is the mean square error of channel :math:`c`, and
    :math:`d_k` the distance of the window's code to its :math:`k`-th nearest among those of training windows, where
    each number of a code is divided by the root of its deviation. :math:`v`, :math:`\bar e` and :math:`\bar d` are
    means over windows of the held-out tail. What is missing is filled by what comes back for it, until that settles,
    and never scored. Errors alone miss windows that a linear code reconstructs well though none was like them;
    distances alone miss small departures. A window of one channel has neighbors, one of many channels hardly: distances
    count by one in :math:`C` channels.

    A series is a row of points that hang together, not a table of samples: scores depend on what is around, and
    scikit-learn's checks for tables do not apply. Points are never adjusted by labels, and labels are never asked for.

    Parameters
    ----------
    estimator : Estimator, FrozenEstimator, or None
        Any autoencoder of this library; a clone is fitted on windows, as rows of ``window * channels`` numbers, or as
        ``(window, channels)`` where it wants positions (:class:`~diabolo.ConvAutoencoder`). A fitted one in
        scikit-learn's ``FrozenEstimator`` is used as it is. ``None``: a :class:`~diabolo.LinearAutoencoder` whose code
        keeps 99 % of the windows' variance, 150 numbers at most.
    window : int, or None
        Points of a window. ``None``: the dominant period of the series (:func:`~diabolo.data.windows.dominant_period`),
        as often as it takes to reach 128 points, and 128 where there is none; at most 512 points, 1,000 numbers,
        an eighth of all points, and half of the longest series. Shorter ones see spikes, longer ones also what goes on
        too long.
    stride : int, or None
        Points from window to window when series are scored; ``None``: an eighth of the window.
    smoothing : int, default 1
        Points around each over which scores are averaged, odd; 1: none, since overlapping windows are smooth already.
    normalize : {"channel", "window", "none"}, default "channel"
        Values in deviations of their channel over the training series, or in addition each window and channel by its
        own mean and deviation (forms then count, levels do not), or as they are. Levels are telling more often than
        they drift: over the channel was better by far.
    neighbors : int, default 5
        :math:`k`; 0: only errors count.
    calibration : float in [0, 0.5], default 0.15
        The share at the end of each series that takes no part in the training, and says what scores are normal. Where
        that is shorter than a window, the last series of a list are held out whole; where there are none to spare,
        ``held_out_`` is False, and p-values compare with what was trained on: too small, by far for large networks.
    threshold : Threshold, str, or None
        What :meth:`predict` flags; ``None``: :class:`~diabolo.tasks.thresholds.Quantile` at 0.99, one point in
        a hundred of normal series. It may be set anew after the fit.
    random_state : int, numpy generator, or None
        Seed of the fit and of the references; where given it also is the estimator's.

    Attributes
    ----------
    period_ : int, or None
        The dominant period.
    window_, stride_ : int
    delay_ : int
        Points after a point that :meth:`score_stream` waits for, at most, when points come one by one.
    estimator_ : Estimator
        Fitted on windows.
    calibration_ : Calibration
        The scores of the held-out tail. Neighboring points have nearly the same score: p-values are right on average
        over a series that goes on as it was, but false discovery rates of dependent points are not proven.

    References
    ----------
    The Elephant in the Room: Towards A Reliable Time-Series Anomaly Detection Benchmark, Liu and Paparrizos, NeurIPS
    2024 (principal components and neighbors of windows are hard to beat; why points are not adjusted).
    Efficient Algorithms for Mining Outliers from Large Data Sets, Ramaswamy, Rastogi and Shim, 2000,
    doi:10.1145/342009.335437 (the distance to the k-th neighbor).

    >>> wave = np.sin(np.arange(2000) / 8)
    >>> detector = SeriesAnomalyDetector(random_state=0).fit(wave)
    >>> strange = wave.copy()
    >>> strange[1000:1010] += 3
    >>> detector.period_, bool(995 < detector.anomaly_score(strange).argmax() < 1015)
    (50, True)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        window: int | None = None,
        stride: int | None = None,
        smoothing: int = 1,
        normalize: str = "channel",
        neighbors: int = 5,
        calibration: float = 0.15,
        threshold: Threshold | str | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.window = window
        self.stride = stride
        self.smoothing = smoothing
        self.normalize = normalize
        self.neighbors = neighbors
        self.calibration = calibration
        self.threshold = threshold
        self.random_state = random_state

    # Fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what windows look like from the front of each series, and from the tail what scores are normal.

        Parameters
        ----------
        X : series, or list of series
            A series is ``(time,)`` or ``(time, channels)``: an array, nested lists, or a frame with a column per
            channel. A list of arrays or frames is a list of series, of any lengths. NaN is a gap.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        DataError, ShapeError
            If a series is empty, infinite or unlike the first, or none is as long as a window; the message says which.
        """
        self._check_parameters()
        series, _ = self._read(X, reset=True)
        seed = seed_from(self.random_state)
        self.period_ = dominant_period(series)
        self.window_ = self._choose_window(series)
        self.stride_ = self.stride or max(1, self.window_ // STRIDES)
        self.delay_ = self.window_ + self.smoothing // 2
        fronts, tails = parted(series, self.window_, self.calibration)
        self.held_out_ = bool(tails)
        self._learn_scale(fronts)
        windows = self._prepared(training_windows(fronts, self.window_))[0]
        self.estimator_ = self._fitted(windows, seed)
        self._learn_references(windows, seed)
        self._learn_typical(tails or fronts)
        scores = np.concatenate([self._scores(part) for part in tails or fronts])
        self.calibration_ = Calibration(scores[~np.isnan(scores)])
        return self

    def _check_parameters(self) -> None:
        """Refuse what makes no sense."""
        if self.normalize not in NORMALIZATIONS:
            raise ValueError(f"normalize came as {self.normalize!r}; it must be one of {', '.join(NORMALIZATIONS)}.")
        for name, least in (("window", 2), ("stride", 1), ("smoothing", 1), ("neighbors", 0)):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not (whole and value >= least) and not (value is None and name in ("window", "stride")):
                raise ValueError(f"{name} came as {value!r}; it must be a whole number of at least {least}.")
        if self.smoothing % 2 == 0:
            raise ValueError(f"smoothing came as {self.smoothing}; it must be odd, so that there is a middle.")
        if self.window and self.stride and self.stride > self.window:
            raise ValueError(f"stride came as {self.stride}, beyond the window of {self.window}: points were skipped.")
        if not 0 <= self.calibration <= 0.5:
            raise ValueError(f"calibration came as {self.calibration!r}; it must be from 0 to 0.5.")
        self._rule()

    def _rule(self) -> Threshold:
        """The threshold's part."""
        return Quantile(0.99) if self.threshold is None else as_part(Threshold, self.threshold).check()

    def _choose_window(self, series: Sequence[Series]) -> int:
        """The window as given, or by the period; one that no series has room for is refused."""
        longest, channels = max(map(len, series)), series[0].shape[1]
        window = self.window or usual_window(self.period_, min(longest // 2, sum(map(len, series)) // 8), channels)
        if longest < window:
            lengths = ", ".join(str(len(values)) for values in series[:8])
            raise DataError(
                f"The series has {lengths} points, fewer than a window of {window}. Give longer ones, or a window of "
                f"at most {longest}."
            )
        return int(window)

    def _learn_scale(self, fronts: Sequence[Series]) -> None:
        """Mean and deviation of each channel over known cells; what does not vary is only centered."""
        cells = np.concatenate(fronts)
        known = ~np.isnan(cells)
        if not known.any():
            raise DataError("The series holds nothing but gaps (NaN). Give some values.")
        channels = cells.shape[1]
        self.center_, self.scale_ = np.zeros(channels), np.ones(channels)
        if self.normalize == "none":
            return
        counts = np.maximum(known.sum(0), 1)
        self.center_ = np.where(known, cells, 0.0).sum(0) / counts
        deviations = np.sqrt((np.where(known, cells - self.center_, 0.0) ** 2).sum(0) / counts)
        varies = deviations > 1e-6 * np.maximum(np.abs(self.center_), 1e-300)
        self.scale_ = np.where(varies, deviations, np.maximum(np.abs(self.center_), 1.0))

    def _fitted(self, windows: np.ndarray, seed: int) -> Estimator:
        """The estimator, fitted on windows, or frozen as it came."""
        if isinstance(self.estimator, FrozenEstimator):
            return self.estimator.estimator
        chosen = default_estimator(windows) if self.estimator is None else clone(self.estimator)
        if self.random_state is not None and "random_state" in chosen.get_params(deep=False):
            chosen.set_params(random_state=seed)
        fitted: Estimator = chosen.fit(as_rows(windows, chosen))
        return fitted

    def _learn_references(self, windows: np.ndarray, seed: int) -> None:
        """Codes of some training windows, and the units to measure distances of codes in."""
        if not self.neighbors:
            self.references_ = np.zeros((0, 1))
            return
        chosen = np.random.default_rng(mix(seed, REFERRING)).permutation(len(windows))[:REFERENCES]
        codes = self.estimator_.transform(as_rows(windows[np.sort(chosen)], self.estimator_)).astype(np.float64)
        deviations = codes.std(0)
        self.units_ = np.sqrt(np.where(deviations > 1e-6 * max(deviations.max(), 1e-300), deviations, np.inf))
        self.references_ = codes / self.units_

    def _learn_typical(self, parts: Sequence[Series]) -> None:
        """Each channel's mean square error, and the mean error and distance of a window."""
        judged = [
            self._judge(cut(part, at[stretch], self.window_))
            for part in parts
            for at in [beginnings(len(part), self.window_, self.stride_)]
            for stretch in stretches_of(len(at), WINDOWS_TOGETHER)
        ]
        errors, known, distances = (
            np.concatenate([getattr(each, name) for each in judged]) for name in ("errors", "known", "distances")
        )
        self.spread_ = np.maximum(errors.sum(0) / np.maximum(known.sum(0), 1), LEAST_SPREAD)
        self.typical_ = np.array([1.0, 1.0])
        there = known.sum(1) > 0
        if there.any():
            weights = (errors / self.spread_).sum(1)[there] / known.sum(1)[there]
            means = np.array([weights.mean(), distances[there].mean()])
            self.typical_ = np.where(means > LEAST_SPREAD, means, LEAST_SPREAD)

    # Windows

    def _prepared(self, windows: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Windows as the estimator sees them, and the way back to the units of the data."""
        values = (windows - self.center_) / self.scale_
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
            return (own * deviation + mean) * self.scale_ + self.center_

        return squashed, back

    def _judge(self, windows: np.ndarray) -> Judged:
        """Send windows ``(windows, window, channels)`` on the round trip."""
        prepared, back = self._prepared(windows)
        known = ~np.isnan(prepared)
        prepared = self._filled(prepared)
        rows = as_rows(prepared, self.estimator_)
        outputs = self._back(rows).reshape(prepared.shape)
        errors = (np.where(known, prepared - outputs, 0.0) ** 2).sum(1)
        distances = np.zeros(len(windows))
        if self.neighbors:
            codes = self.estimator_.transform(rows).astype(np.float64) / self.units_
            kth = min(self.neighbors, len(self.references_)) - 1
            distances = np.partition(cdist(codes, self.references_, "sqeuclidean"), kth, axis=1)[:, kth]
        return Judged(errors, known.sum(1), distances, back(outputs))

    def _back(self, rows: Any) -> np.ndarray:
        """What comes back from the round trip."""
        return np.stack(list(self.estimator_.reconstruct(rows))).astype(np.float64)

    def _filled(self, prepared: np.ndarray) -> np.ndarray:
        """Windows whose gaps hold what comes back for them, again and again until that settles.

        An encoder for which a gap is merely hidden takes it for a mean; so the known rest decides alone.
        """
        holes = np.isnan(prepared)
        filled = prepared.copy()
        going = np.flatnonzero(holes.any((1, 2)) & ~holes.all((1, 2)))
        for done in range(FILLING_ROUNDS):
            if not len(going):
                break
            back = self._back(as_rows(filled[going], self.estimator_)).reshape(len(going), *prepared.shape[1:])
            moved = np.where(holes[going], np.abs(back - np.nan_to_num(filled[going])), 0.0).max((1, 2))
            filled[going] = np.where(holes[going], back, filled[going])
            if done:
                going = going[moved > SETTLED]  # each window by itself: its score must not depend on others
        return filled

    def _say(self, windows: np.ndarray, explained: bool) -> np.ndarray:
        """What each window says of its points: the score, and if asked each channel's share and what was expected."""
        judged = self._judge(windows)
        cells, channels = judged.known.sum(1), windows.shape[2]
        parts = judged.errors / self.spread_
        whole = parts.sum(1)
        scores = whole / np.maximum(cells, 1) / self.typical_[0] + judged.distances / self.typical_[1] / channels
        scores = np.where(cells > 0, scores, np.nan)
        said = np.repeat(scores[:, None, None], windows.shape[1], axis=1)
        if not explained:
            return said
        even = np.full(parts.shape, 1 / channels)
        shares = np.where(whole[:, None] > 0, parts / np.where(whole > 0, whole, 1.0)[:, None], even)
        shares = np.where(cells[:, None] > 0, shares, np.nan)
        return np.concatenate([said, np.repeat(shares[:, None], windows.shape[1], axis=1), judged.expected], axis=2)

    def _walk(self, blocks: Iterable[Series], explained: bool = False) -> Iterator[np.ndarray]:
        """What is said of each point, ``(points, numbers)``, as soon as no later window can cover it.

        Windows begin at every stride, and the last one ends where the series does.
        """
        window, stride, channels = self.window_, self.stride_, self.n_features_in_
        overlap = Overlap(window, 1 + 2 * channels * explained)
        held, first, begin, last = np.zeros((0, channels)), 0, 0, -1

        def taken(stop: int) -> np.ndarray:
            start = overlap.first
            means = overlap.take(stop)
            nothing = np.isnan(held[start - first : stop - first]).all(1)
            means[nothing, : 1 + channels * explained] = np.nan
            return means

        for block in blocks:
            held = np.concatenate([held, block])
            end = first + len(held)
            while begin + window <= end:
                at = np.arange(begin, end - window + 1, stride)[:WINDOWS_TOGETHER]
                for each, said in zip(at, self._say(cut(held, at - first, window), explained), strict=True):
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
            overlap.add(end - window, self._say(held[None, end - window - first :], explained)[0])
        yield taken(end)

    def _scores(self, values: Series) -> np.ndarray:
        """Each point's strangeness, smoothed."""
        return np.concatenate(list(smoothed((said[:, 0] for said in self._walk([values])), self.smoothing)))

    # Scoring

    def anomaly_score(self, X: Any) -> Any:
        """How strange each point is, ``(time,)``, higher is stranger; a list of them for a list of series.

        1 is about what the windows of the held-out tail have, twice that for one channel with neighbors. NaN where no
        channel is known.
        """
        return self._each(X, self._scores)

    def score_samples(self, X: Any) -> Any:
        """How normal each point is, ``(time,)``, higher is more normal: :meth:`anomaly_score`, negated."""
        return self._each(X, lambda values: -self._scores(values))

    def decision_function(self, X: Any) -> Any:
        """:meth:`score_samples` above the threshold's cut: below 0 where a point is flagged."""
        offset = self.offset_
        return self._each(X, lambda values: -self._scores(values) - offset)

    @property
    def offset_(self) -> float:
        """The score at which a point is flagged, as scikit-learn has it: higher is more normal."""
        check_is_fitted(self, "calibration_")
        rule = self._rule()
        at = rule.cut(self.calibration_)
        if at is None:
            raise ValueError(f"{rule!r} looks at a whole batch and has no cut of its own. Use is_anomaly or predict.")
        return -at

    def p_value(self, X: Any) -> Any:
        """The share of calibration points that are at least as strange, ``(time,)``; NaN where nothing is known."""
        return self._each(X, lambda values: spread_known(self._scores(values), self.calibration_.p_values, np.nan))

    def is_anomaly(self, X: Any) -> Any:
        """Which points the threshold flags, ``(time,)`` of bool; never one of which nothing is known."""
        rule = self._rule()

        def flags(values: Series) -> np.ndarray:
            found = spread_known(self._scores(values), lambda scores: rule.flags(scores, self.calibration_), 0.0)
            return found.astype(bool)

        return self._each(X, flags)

    def predict(self, X: Any) -> Any:
        """-1 where a point is flagged, else +1, ``(time,)``."""
        flags = self.is_anomaly(X)
        signs = [np.where(each, -1, 1) for each in (flags if isinstance(flags, list) else [flags])]
        return signs if isinstance(flags, list) else signs[0]

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Fit, and flag points of the same series."""
        return self.fit(X).predict(X)

    def explain(self, X: Any) -> Any:
        """Why each point has its score: the channels' shares and the expected values; a list for a list of series.

        Returns
        -------
        SeriesExplanation
        """
        return self._each(X, self._explained)

    def _explained(self, values: Series) -> SeriesExplanation:
        said = np.concatenate(list(self._walk([values], explained=True)))
        channels = values.shape[1]
        score = np.concatenate(list(smoothed([said[:, 0]], self.smoothing)))
        names = tuple(getattr(self, "feature_names_in_", map(str, range(channels))))
        return SeriesExplanation(score, said[:, 1 : 1 + channels], said[:, 1 + channels :], names)

    def score_stream(self, points: Iterable[Any], *, together: int = 1) -> Iterator[tuple[int, float]]:
        """Score points as they come, with memory for two windows, to the same numbers as :meth:`anomaly_score`.

        A point's score is known once all windows that cover it are over: :attr:`delay_` points later, and when the
        stream ends.

        Parameters
        ----------
        points : iterable of float, or of (channels,)
            NaN is missing.
        together : int, default 1
            Points that are waited for before a look at them; more are quicker and come up to ``together - 1`` later.

        Yields
        ------
        tuple of int and float
            The place of the point, from 0, and its :meth:`anomaly_score`.

        Raises
        ------
        DataError, ShapeError
            If a point is infinite or has other channels, or the stream ends before the first window is full.

        >>> wave = np.sin(np.arange(2000) / 8)
        >>> detector = SeriesAnomalyDetector(random_state=0).fit(wave)
        >>> place, score = next(detector.score_stream(iter(wave)))
        >>> place, bool(np.isclose(score, detector.anomaly_score(wave)[0]))
        (0, True)
        """
        check_is_fitted(self, "calibration_")
        blocks = self._blocks(points, together)
        scores = smoothed((said[:, 0] for said in self._walk(blocks)), self.smoothing)
        place = 0
        for block in scores:
            for score in block.tolist():
                yield place, score
                place += 1

    def _blocks(self, points: Iterable[Any], together: int) -> Iterator[Series]:
        """Points of a stream, some at a time."""
        place = 0
        stream = iter(points)
        while some := list(islice(stream, together)):
            block = np.array([np.ravel(np.asarray(point, dtype=np.float64)) for point in some])
            if block.shape[1] != self.n_features_in_:
                raise ShapeError(
                    f"The stream's point {place} has {block.shape[1]} channels; the detector was fitted on "
                    f"{self.n_features_in_}."
                )
            refuse_infinite(block, "the stream", place)
            yield block
            place += len(block)

    # Reading

    def _each(self, X: Any, job: Callable[[Series], Any]) -> Any:
        """A job for each series, and a list of results where a list came."""
        check_is_fitted(self, "calibration_")
        series, several = self._read(X, reset=False)
        results = [job(values) for values in series]
        return results if several else results[0]

    def _read(self, X: Any, *, reset: bool) -> tuple[list[Series], bool]:
        """The series as arrays ``(time, channels)`` of float64, and whether they came as a list."""
        several = is_list_of_series(X)
        given = list(X) if several else [X]
        series = [read_series(each, f"series {at}" if several else "the series") for at, each in enumerate(given)]
        if hasattr(given[0], "columns"):
            for each in given:
                validate_data(self, each, reset=reset and each is given[0], skip_check_array=True)
        elif reset:
            self.n_features_in_ = series[0].shape[1]
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        for at, values in enumerate(series):
            if values.shape[1] != self.n_features_in_:
                where = f"Series {at}" if several else "The series"
                raise ShapeError(
                    f"{where} has {values.shape[1]} channels, but {type(self).__name__} is expecting "
                    f"{self.n_features_in_} features as input: a column per channel, (time, channels)."
                )
        return series, several

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False  # rows of a table are samples that do not know each other
        return tags


def usual_window(period: int | None, room: int, channels: int) -> int:
    """As many periods as reach 128 points, within 512 points, 1,000 numbers, and the room that there is.

    >>> usual_window(50, 500, 1), usual_window(None, 500, 1), usual_window(None, 500, 38), usual_window(50, 100, 1)
    (150, 128, 26, 100)
    """
    window = period or LEAST_WINDOW
    window *= -(-LEAST_WINDOW // window)
    return max(2, min(window, LONGEST_WINDOW, MOST_CELLS // channels, room))


def default_estimator(windows: np.ndarray) -> LinearAutoencoder:
    """Two matrices, and a code that keeps 99 % of the variance of the windows.

    >>> waves = np.sin(np.arange(40)[:, None] + np.arange(16))[:, :, None]
    >>> default_estimator(waves).code_size
    2
    """
    rows = np.nan_to_num(windows.reshape(len(windows), -1))
    rows = rows - rows.mean(0)
    products = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    variances = np.maximum(np.linalg.eigvalsh(products)[::-1], 0.0)
    total = variances.sum()
    size = 1 + int(np.sum(np.cumsum(variances) < EXPLAINED * total)) if total > 0 else 1
    return LinearAutoencoder(code_size=max(1, min(size, LARGEST_CODE, rows.shape[1] // 2)))


def training_windows(fronts: Sequence[Series], window: int) -> np.ndarray:
    """Windows of all series, evenly, about 2,000 of them at most; those without a known cell are left out."""
    places = sum(max(len(front) - window + 1, 0) for front in fronts)
    stride = max(1, places // MOST_WINDOWS)
    windows = np.concatenate([cut(part, beginnings(len(part), window, stride), window) for part in fronts])
    there = ~np.isnan(windows).all((1, 2))
    if not there.any():
        raise DataError(f"No window of {window} points holds a known value. Give series with fewer gaps.")
    kept: np.ndarray = windows[there]
    return kept


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


def as_rows(windows: np.ndarray, estimator: Any) -> Any:
    """Windows as the estimator takes them: flat rows, or sequences where it wants positions."""
    values = windows.astype(np.float32)
    if get_tags(estimator).input_tags.two_d_array:
        return values.reshape(len(values), -1)
    return RaggedSource(list(values), "the windows")


def squash(values: np.ndarray) -> np.ndarray:
    """Values as they are up to 20, and beyond by their logarithm: one wild value does not drown all others.

    >>> squash(np.array([-3.0, 20.0, 20 * np.e])).round(9).tolist()
    [-3.0, 20.0, 40.0]
    """
    size = np.maximum(np.abs(values), FAR)
    return np.where(np.abs(values) > FAR, np.sign(values) * FAR * (1 + np.log(size / FAR)), values)


def stretch_out(values: np.ndarray) -> np.ndarray:
    """The reverse of :func:`squash`.

    >>> stretch_out(squash(np.array([-3.0, 20.0, 500.0]))).round(6).tolist()
    [-3.0, 20.0, 500.0]
    """
    size = np.clip(np.abs(values), FAR, 30 * FAR)
    return np.where(np.abs(values) > FAR, np.sign(values) * FAR * np.exp(size / FAR - 1), values)


def spread_known(scores: np.ndarray, job: Callable[[np.ndarray], np.ndarray], otherwise: float) -> np.ndarray:
    """A job for the points that have a score.

    >>> spread_known(np.array([1.0, np.nan]), lambda scores: 2 * scores, 0.0).tolist()
    [2.0, 0.0]
    """
    known = ~np.isnan(scores)
    results = np.full(len(scores), otherwise)
    results[known] = job(scores[known])
    return results


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


__all__ = ["SeriesAnomalyDetector", "SeriesExplanation"]

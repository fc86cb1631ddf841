"""Time series: how strange each point of time is, by the windows that it lies in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from ..core.errors import DataError, ShapeError
from ..core.parts import as_part, from_plain, to_plain
from ..data.series import (
    NORMALIZATIONS,
    Series,
    SeriesScaling,
    blocks_of,
    is_list_of_series,
    parted,
    read_series,
)
from ..data.windows import dominant_period, smoothed, walk
from ..estimators.base import Estimator
from ..estimators.storage import Task
from ..training.seeding import seed_from
from .cuts import refuse_no_batch
from .series_windows import STRIDES, WindowJudge, as_rows, default_estimator, training_windows, usual_window
from .thresholds import Calibration, Quantile, Threshold

USUAL = Quantile(0.99)  # one point in a hundred of normal series
STORED = ("window", "stride", "smoothing", "normalize", "neighbors", "calibration", "threshold")
FACTS = ("estimator", "parameters", "seed", "period", "window", "stride", "calibrated", "channels", "names")


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
class SeriesPlan:
    """What a fit to series goes by.

    Parameters
    ----------
    period : int, or None
        The dominant one.
    window, stride : int
        Points.
    fronts, tails : list of ndarray of shape (time, channels)
        What is learned from, and what is held out to calibrate by; no tails where there is nothing to spare.
    scaling : SeriesScaling
        The units that an estimator sees windows in.
    windows : ndarray of shape (windows, window, channels)
        What it is trained on, in these units.

    >>> plan = SeriesAnomalyDetector(window=10, calibration=0.2).plan(np.sin(np.arange(200.0)))
    >>> [len(front) for front in plan.fronts], [len(tail) for tail in plan.tails], plan.stride
    ([160], [40], 1)
    """

    period: int | None
    window: int
    stride: int
    fronts: list[Series]
    tails: list[Series]
    scaling: SeriesScaling
    windows: np.ndarray


class SeriesAnomalyDetector(Task, OutlierMixin, BaseEstimator):
    r"""Scores each point of a series by the windows :math:`w` that cover it, their errors and their codes' neighbors.

    .. math:: s(t) = \operatorname{mean}_{w \ni t} \left[
              \frac1{\bar e} \operatorname{mean}_{j \in w} \frac{(x_j - \hat x_j)^2}{v_{c(j)}} +
              \frac{1}{C^2\,\bar d} \, d_k(z_w)^2 \right]

    The means of errors are over known cells :math:`j`; :math:`d_k` is the distance of the window's code to its
    :math:`k`-th nearest among those of training windows, where each number of a code is divided by the root of its
    deviation; :math:`\bar e` and :math:`\bar d` are means over windows of the held-out tail. The unit of channel
    :math:`c` is :math:`v_c = \sqrt{\operatorname{mean}_w e_{wc}^2}`, where :math:`e_{wc}` is the mean squared error of
    a linear code for a window in a third of the training part that this code has not seen: a channel that hardly ever
    moves but did so once gets a unit in which that is no wonder. What is missing is filled by what comes back for it,
    until that settles, and never scored. Errors alone miss windows that a linear code reconstructs well though none was
    like them; distances alone miss small departures. A window of one channel has neighbors, one of many channels
    hardly: with :math:`C` channels distances count by one in :math:`C^2`.

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
        Which of the nearest codes of training windows a code is compared with, :math:`k`; 0: only errors count.
    calibration : float in [0, 0.5], default 0.15
        The share at the end of each series that takes no part in the training, and says what scores are normal. Where
        that is shorter than a window, the last series of a list are held out whole; where there are none to spare,
        ``calibrated_`` is False, and p-values compare with what was trained on: too small, by far for large networks.
    threshold : Threshold, str, or None
        What :meth:`is_anomaly` goes by; ``None``: ``Quantile(0.99)``, one point in a hundred of normal series. It can
        be changed at any time, also after loading.
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
    calibrated_ : bool
        Whether points were held out to calibrate by.
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

    It is one file with its calibration, and goes on from there:

    >>> import os, tempfile
    >>> from diabolo import load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     detector.save(os.path.join(folder, "detector.safetensors"))
    ...     again = load(os.path.join(folder, "detector.safetensors"))
    >>> bool((again.anomaly_score(strange) == detector.anomaly_score(strange)).all())
    True
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
        plan = self.plan(X)
        self.seed_ = seed_from(self.random_state)
        self.period_, self.window_, self.stride_ = plan.period, plan.window, plan.stride
        self.calibrated_ = bool(plan.tails)
        usual = default_estimator(plan.windows)
        self.estimator_ = self._fitted(plan.windows, usual)
        self.judge_ = WindowJudge.learned(self.estimator_, plan.scaling, self.neighbors, plan.windows, self.seed_)
        held_out = plan.tails or plan.fronts
        self.judge_.learn_spread(plan.fronts, self.window_, usual)
        self.judge_.learn_typical(held_out, self.window_, self.stride_)
        scores = np.concatenate([self._scores(part) for part in held_out])
        self.calibration_ = Calibration(scores[~np.isnan(scores)])
        return self

    def plan(self, X: Any) -> SeriesPlan:
        """Everything that :meth:`fit` decides before anything is trained; it refuses what :meth:`fit` refuses.

        >>> plan = SeriesAnomalyDetector().plan(np.sin(np.arange(2000) / 8))
        >>> plan.period, plan.window, plan.windows.shape
        (50, 150, (1551, 150, 1))
        """
        self._check_parameters()
        series, _ = self._read(X, reset=True)
        period = dominant_period(series)
        window = self._choose_window(series, period)
        fronts, tails = parted(series, window, self.calibration)
        scaling = SeriesScaling.learned(fronts, self.normalize)
        prepared, _ = scaling(training_windows(fronts, window))
        stride = int(self.stride or max(1, window // STRIDES))
        return SeriesPlan(period, window, stride, fronts, tails, scaling, prepared)

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
        self._threshold()

    def _threshold(self, threshold: Threshold | str | None = None) -> Threshold:
        """The rule that flags: the one given, the detector's own, or the usual one."""
        chosen = self.threshold if threshold is None else threshold
        return as_part(Threshold, USUAL if chosen is None else chosen).check()

    @property
    def rule(self) -> Threshold:
        """What flags where nothing else is asked for: ``threshold`` as a part, the usual one where that is ``None``."""
        return self._threshold()

    def change_threshold(self, threshold: Threshold | str | None) -> Self:
        """Flag by another rule from now on; nothing is fitted anew, and :meth:`save` keeps it.

        >>> detector = SeriesAnomalyDetector(random_state=0).fit(np.sin(np.arange(900) / 8))
        >>> detector.change_threshold(Quantile(0.5)).rule
        Quantile(level=0.5)
        """
        check_is_fitted(self, "calibration_")
        self._threshold(threshold)
        self.threshold = threshold
        return self

    @property
    def delay_(self) -> int:
        """How many points :meth:`score_stream` waits for, at most."""
        check_is_fitted(self, "calibration_")
        return self.window_ + self.smoothing // 2

    def _choose_window(self, series: Sequence[Series], period: int | None) -> int:
        """The window as given, or by the period; one that no series has room for is refused."""
        longest, channels = max(map(len, series)), series[0].shape[1]
        window = self.window or usual_window(period, min(longest // 2, sum(map(len, series)) // 8), channels)
        if longest < window:
            lengths = ", ".join(str(len(values)) for values in series[:8])
            raise DataError(
                f"The series has {lengths} points, fewer than a window of {window}. Give longer ones"
                f"{f', or a window of at most {longest}' if longest > 1 else ''}."
            )
        return int(window)

    def _fitted(self, windows: np.ndarray, usual: Estimator) -> Estimator:
        """The estimator, fitted on windows, or frozen as it came."""
        if isinstance(self.estimator, FrozenEstimator):
            return self.estimator.estimator
        chosen = clone(usual if self.estimator is None else self.estimator)
        if self.random_state is not None and "random_state" in chosen.get_params(deep=False):
            chosen.set_params(random_state=self.seed_)
        fitted: Estimator = chosen.fit(as_rows(windows, chosen))
        return fitted

    def _walk(self, blocks: Iterable[Series], explained: bool = False) -> Iterator[np.ndarray]:
        """What is said of each point, ``(points, numbers)``; no score and no shares where nothing of it is known."""
        scored = 1 + self.n_features_in_ * explained
        width = scored + self.n_features_in_ * explained
        say = partial(self.judge_.say, explained=explained)
        for points, said in walk(blocks, self.window_, self.stride_, say, width):
            said[np.isnan(points).all(1), :scored] = np.nan
            yield said

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
        """``score_samples`` less ``offset_``: negative for anomalies."""
        offset = self.offset_
        return self._each(X, lambda values: -self._scores(values) - offset)

    @property
    def offset_(self) -> float:
        """The score at which :meth:`predict` cuts, as scikit-learn has it: higher is more normal.

        It is where the threshold cuts or, for one that looks at whole batches, where ``Quantile(0.99)`` does; where
        there are too few calibration points for that, above all of them.
        """
        check_is_fitted(self, "calibration_")
        cuts = (rule.cut(self.calibration_) for rule in (self._threshold(), USUAL))
        return -min(next(cut for cut in cuts if cut is not None), self.calibration_.highest(1))

    def predict(self, X: Any) -> Any:
        """-1 for anomalies and 1 for all other points, ``(time,)``, each judged by itself."""
        offset = self.offset_
        return self._each(X, lambda values: np.where(-self._scores(values) < offset, -1, 1))

    def p_value(self, X: Any) -> Any:
        r"""The share of normal points that look at least as strange: :math:`(1 + \#\{s_i \ge s\}) / (n + 1)`.

        ``(time,)``; NaN where nothing is known.
        """
        return self._each(X, lambda values: spread_known(self._scores(values), self.calibration_.p_values, np.nan))

    def is_anomaly(self, X: Any, threshold: Threshold | str | None = None) -> Any:
        """Which points are flagged: ``(time,)`` of bool; never one of which nothing is known.

        Parameters
        ----------
        X : series, or list of series
            For a rule that looks at whole batches (a false discovery rate): a series is judged together.
        threshold : Threshold, str, or None
            ``None``: the detector's own.
        """
        rule = self._threshold(threshold)

        def flags(values: Series) -> np.ndarray:
            found = spread_known(self._scores(values), lambda scores: rule.flags(scores, self.calibration_), 0.0)
            return found.astype(bool)

        return self._each(X, flags)

    def promise(self, rows: int | None = None, threshold: Threshold | str | None = None) -> str:
        """What the threshold can promise with this many calibration points, in words, before anything is judged.

        A row is a point of time. Neighboring points have nearly the same score, which a rule does not know: rates hold
        on average over a series that goes on as it was, and one of them may have many false alarms in a row.
        """
        check_is_fitted(self, "calibration_")
        refuse_no_batch(rows)
        if not self.calibrated_:
            return (
                "The points to calibrate by were trained on, so nothing is promised. Longer series can spare some "
                "(calibration=0.15)."
            )
        told = self._threshold(threshold).promise(len(self.calibration_), rows)
        return f"{told} Rows are points of time, and neighbors have nearly the same score: this holds on average only."

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
        blocks = blocks_of(points, together, self.n_features_in_)
        scores = smoothed((said[:, 0] for said in self._walk(blocks)), self.smoothing)
        place = 0
        for block in scores:
            for score in block.tolist():
                yield place, score
                place += 1

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
        names = [f"series {at}" if several else "the series" for at in range(len(given))]
        series = [read_series(each, name) for each, name in zip(given, names, strict=True)]
        if hasattr(given[0], "columns"):
            for each in given:
                validate_data(self, each, reset=reset and each is given[0], skip_check_array=True)
        elif reset:
            self.n_features_in_ = series[0].shape[1]
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        for values, name in zip(series, names, strict=True):
            if values.shape[1] != self.n_features_in_:
                raise ShapeError(
                    f"{name.capitalize()} has {values.shape[1]} channels, but {type(self).__name__} is expecting "
                    f"{self.n_features_in_} features as input: a column per channel, (time, channels)."
                )
        return series, several

    # Storage

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a model file holds beside the autoencoder: windows, units, references, threshold and calibration."""
        check_is_fitted(self, "calibration_")
        given = "standard" if self.estimator is None else "given"
        given = "frozen" if isinstance(self.estimator, FrozenEstimator) else given
        judge = self.judge_  # knows what the fit went by, whatever was set since
        fitted = {"normalize": judge.scaling.normalize, "neighbors": judge.neighbors}
        facts = {
            "estimator": given,
            "parameters": {name: to_plain(getattr(self, name)) for name in STORED} | fitted,
            "seed": self.seed_,
            "period": self.period_,
            "window": self.window_,
            "stride": self.stride_,
            "calibrated": self.calibrated_,
            "channels": self.n_features_in_,
            "names": [str(name) for name in getattr(self, "feature_names_in_", [])] or None,
        }
        return facts, {"calibration": self.calibration_.scores} | judge.arrays()

    @classmethod
    def restore(cls, estimator: Estimator, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The detector around a model that is loaded already; what is absent or does not fit is named."""
        for name in FACTS:
            if name not in plain:
                raise ValueError(f"its {name!r} is missing.")
        cells = plain["window"] * plain["channels"]
        if not estimator.modality_.varies and math.prod(estimator.modality_.shape) != cells:
            raise ValueError(
                f"its 'window' of {plain['window']} points and {plain['channels']} channels has {cells} cells, where "
                f"the autoencoder takes {math.prod(estimator.modality_.shape)}."
            )
        given: Any = None
        if plain["estimator"] != "standard":
            given = FrozenEstimator(estimator) if plain["estimator"] == "frozen" else clone(estimator)
        parameters = {name: from_plain(value) for name, value in plain["parameters"].items()}
        made = cls(given, **parameters, random_state=plain["seed"])
        made._check_parameters()
        made.seed_, made.period_, made.window_ = plain["seed"], plain["period"], plain["window"]
        made.stride_, made.calibrated_, made.n_features_in_ = plain["stride"], plain["calibrated"], plain["channels"]
        if plain["names"]:
            made.feature_names_in_ = np.array(plain["names"], dtype=object)
        made.estimator_ = estimator
        made.judge_ = WindowJudge.restore(estimator, made.normalize, made.neighbors, made.n_features_in_, arrays)
        if "calibration" not in arrays:
            raise ValueError("its 'calibration' is missing.")
        made.calibration_ = Calibration(arrays["calibration"])
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False  # rows of a table are samples that do not know each other
        return tags


def spread_known(scores: np.ndarray, job: Callable[[np.ndarray], np.ndarray], otherwise: float) -> np.ndarray:
    """A job for the points that have a score.

    >>> spread_known(np.array([1.0, np.nan]), lambda scores: 2 * scores, 0.0).tolist()
    [2.0, 0.0]
    """
    known = ~np.isnan(scores)
    results = np.full(len(scores), otherwise)
    results[known] = job(scores[known])
    return results


__all__ = ["SeriesAnomalyDetector", "SeriesExplanation", "SeriesPlan"]

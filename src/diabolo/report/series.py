"""What a detector for time series finds strange in a series: stretches, channels, and whether baselines agree."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from .. import __version__
from ..core.errors import DataError
from ..data.points import Points, read_points
from ..data.series import parted
from ..data.source import Source
from ..data.windows import WINDOWS_TOGETHER, Overlap, beginnings, cut, stretches_of
from ..tasks.series import SeriesAnomalyDetector, spread_known
from ..tasks.series_windows import STRIDES, training_windows
from . import sheet as sheets
from .anomalies import area, rank_correlation, strange_class
from .labels import read_labels
from .lines import stretches
from .words import clipped, count, listed, share, short

SCHEMA = 1
MOST_STRETCHES = 20
PEAKS = 10
REASONS = 3
MANY = 0.2  # of the points flagged
LEAST_SHARE = 0.005


@dataclass(frozen=True)
class Reason:
    """What one channel has to do with a stretch.

    Parameters
    ----------
    at : int
        The point of the stretch where the channel is farthest from what was expected.
    share : float
        Of the error of the windows that the stretch lies in.
    """

    channel: str
    at: int
    when: str
    observed: float
    expected: float
    share: float


@dataclass(frozen=True)
class Stretch:
    """Points that are strange together.

    Parameters
    ----------
    start, stop : int
        The first point, and the one behind the last.
    score, p_value : float
        Of the strangest point in it.
    labelled : float, or None
        The share of its points that are labelled anomalies.
    """

    start: int
    stop: int
    when: str
    score: float
    p_value: float
    flagged: bool
    labelled: float | None
    reasons: list[Reason]


@dataclass(frozen=True)
class Judge:
    """One who scores the same points; all but the detector itself are compared with it.

    Parameters
    ----------
    correlation : float, or None
        Of the ranks with those of the detector.
    shared : int, or None
        How many of the detector's highest peaks lie within a window of its own.
    auroc, precision : float, or None
        Area under the curve and average precision by points, where labels tell which are anomalies.
    """

    name: str
    correlation: float | None
    shared: int | None
    auroc: float | None
    precision: float | None


@dataclass(frozen=True)
class SeriesReport:
    """All numbers of a report on a series; the page and the JSON are two ways to write them.

    Parameters
    ----------
    scores, flags : ndarray of shape (time,)
        NaN where nothing is known.
    share, expected : ndarray of shape (time, channels)
    cut : float, or None
        The score above which points are flagged; where a rule looks at all points, the lowest that is flagged; ``None``
        where none is or can be.
    labels : ndarray of bool of shape (time,), or None
        Which points are labelled anomalies.
    flagged : int
        Stretches that are flagged, of which ``strangest`` may hold the first only.
    fitted : bool
        Whether this is the series that the detector was fitted to.
    """

    detector: SeriesAnomalyDetector
    points: Points
    scores: np.ndarray
    flags: np.ndarray
    share: np.ndarray
    expected: np.ndarray
    cut: float | None
    labels: np.ndarray | None
    anomaly: str | None
    promise: str
    fitted: bool
    flagged: int
    strangest: list[Stretch]
    judges: list[Judge]
    peaks: int
    sheet: sheets.Sheet
    origin: sheets.Origin
    parameters: list[sheets.Parameter]


def gather(detector: SeriesAnomalyDetector, source: Source, labels: Any) -> SeriesReport:
    """Make all measurements."""
    known = [str(name) for name in getattr(detector, "feature_names_in_", [])] or detector.n_features_in_
    points = read_points(source, known=known)
    points = replace(points, written=without_seconds(points.written))
    told, rule = detector.explain(points.values), detector.rule
    scores, calibration = told.score, detector.calibration_
    there = ~np.isnan(scores)
    if not there.any():
        raise DataError(f"{points.place}: no value is known, so there is nothing to report on.")
    flags = spread_known(scores, lambda each: rule.flags(each, calibration), 0.0).astype(bool)
    level = rule.cut(calibration)
    if level is None and flags.any():
        level = float(scores[flags].min())
    found = read_labels(labels, source)
    strange = strange_class(found)
    anomalous = None if strange is None else found.groups == strange
    groups = None if strange is None else np.where(found.groups < 0, -1, found.groups == strange)
    flagged = stretches(flags, detector.stride_)
    made = [
        describe(span, True, detector, points, told, anomalous) for span in ranked(flagged, scores)[:MOST_STRETCHES]
    ]
    others = humps(scores, flags, detector.window_, max(0, PEAKS - len(made)))
    made += [describe(span, False, detector, points, told, anomalous) for span in others]
    return SeriesReport(
        detector=detector,
        points=points,
        scores=scores,
        flags=flags,
        share=told.share,
        expected=told.expected,
        cut=level if level is not None and np.isfinite(level) else None,
        labels=anomalous,
        anomaly=None if strange is None else found.names[strange],
        promise=detector.promise(int(there.sum())),
        fitted=is_fitted_series(detector, points.values),
        flagged=len(flagged),
        strangest=made,
        judges=ask(detector, points.values, scores, groups),
        peaks=len(peaks(scores, detector.window_)),
        sheet=describe_points(points, detector),
        origin=sheets.describe_origin(detector.estimator_),
        parameters=list_parameters(detector),
    )


def is_fitted_series(detector: SeriesAnomalyDetector, values: np.ndarray) -> bool:
    """Whether the end of the series has the very scores that calibrate."""
    fronts, tails = parted([values], detector.window_, detector.calibration)
    held_out = (tails if detector.calibrated_ else fronts) or fronts
    if not held_out:
        return False
    scores = np.concatenate([detector.anomaly_score(part) for part in held_out])
    scores = np.sort(scores[~np.isnan(scores)])
    return len(scores) == len(detector.calibration_) and bool(np.allclose(scores, detector.calibration_.scores))


# Stretches


def ranked(spans: list[tuple[int, int]], scores: np.ndarray) -> list[tuple[int, int]]:
    """Stretches by the score of their strangest point, highest first."""
    return sorted(spans, key=lambda span: (-float(np.nanmax(scores[span[0] : span[1]])), span))


def peaks(scores: np.ndarray, window: int, most: int = PEAKS) -> list[int]:
    """The strangest points, a window apart from each other.

    >>> peaks(np.array([0.0, 5.0, 4.0, 0.0, 0.0, 3.0]), 2, 2)
    [1, 5]
    """
    left = np.where(np.isnan(scores), -np.inf, scores)
    found: list[int] = []
    while len(found) < most and np.isfinite(left.max(initial=-np.inf)):
        at = int(left.argmax())
        found.append(at)
        left[max(0, at - window) : at + window + 1] = -np.inf
    return found


def humps(scores: np.ndarray, flags: np.ndarray, window: int, most: int) -> list[tuple[int, int]]:
    """The strangest of what is not flagged: around each peak what is at least half as far above the median.

    >>> humps(np.array([1.0, 1.0, 5.0, 4.0, 1.0, 1.0, 3.0, 1.0]), np.zeros(8, dtype=bool), 2, 9)
    [(2, 4), (6, 7)]
    """
    rest = np.where(np.isnan(scores) | flags, -np.inf, scores)
    for start, stop in stretches(flags):
        rest[max(0, start - window) : stop + window] = -np.inf
    middle = float(np.nanmedian(scores))
    found: list[tuple[int, int]] = []
    while len(found) < most and (highest := float(rest.max())) > middle:
        at = int(rest.argmax())
        first = max(0, at - window)
        high = rest[first : at + window + 1] >= (highest + middle) / 2
        start, stop = next(span for span in stretches(high) if span[0] <= at - first < span[1])
        found.append((first + start, first + stop))
        rest[max(0, first + start - window // 2) : first + stop + window // 2] = -np.inf
    return found


def describe(
    span: tuple[int, int],
    flagged: bool,
    detector: SeriesAnomalyDetector,
    points: Points,
    told: Any,
    anomalous: np.ndarray | None,
) -> Stretch:
    """A stretch, when it was, and which channels make it strange."""
    start, stop = span
    scores = told.score[start:stop]
    part = np.nan_to_num(told.share[start:stop]).mean(0)
    highest = float(np.nanmax(scores))
    reasons = []
    for channel in np.argsort(-part, kind="stable")[:REASONS].tolist():
        if part[channel] < LEAST_SHARE:
            continue
        apart = np.abs(points.values[start:stop, channel] - told.expected[start:stop, channel])
        at = start + (int(np.nanargmax(apart)) if not np.isnan(apart).all() else 0)
        seen, expected = float(points.values[at, channel]), float(told.expected[at, channel])
        name = points.channels[channel] if points.names else f"channel {channel}"
        reasons.append(Reason(clipped(name), at, moment(points, at), seen, expected, float(part[channel])))
    return Stretch(
        start=start,
        stop=stop,
        when=span_of(points, start, stop),
        score=highest,
        p_value=float(detector.calibration_.p_values([highest])[0]),
        flagged=flagged,
        labelled=None if anomalous is None else float(anomalous[start:stop].mean()),
        reasons=reasons,
    )


def without_seconds(written: np.ndarray | None) -> np.ndarray | None:
    """Times as they are written, to the minute where all seconds are zero.

    >>> without_seconds(np.array(["2024-01-01 10:30:00", "2024-01-01 10:31:00"], dtype=object)).tolist()
    ['2024-01-01 10:30', '2024-01-01 10:31']
    """
    if written is None or not all(len(text) == 19 and text.endswith(":00") for text in written.tolist()):
        return written
    return np.array([text[:-3] for text in written.tolist()], dtype=object)


def moment(points: Points, at: int) -> str:
    """When a point was, or its number."""
    written = "" if points.written is None else clipped(points.written[at], 32)
    return written or f"point {at:,}"


def span_of(points: Points, start: int, stop: int) -> str:
    """From when to when; the day is told once."""
    first, last = moment(points, start), moment(points, stop - 1)
    if stop - start == 1:
        return first
    if points.written is None:
        return f"points {start:,} to {stop - 1:,}"
    day, _, clock = last.partition(" ")
    return f"{first} to {clock if clock and first.startswith(f'{day} ') else last}"


# Baselines


def ask(
    detector: SeriesAnomalyDetector, values: np.ndarray, scores: np.ndarray, groups: np.ndarray | None
) -> list[Judge]:
    """The detector and baselines that learn from the series that they judge, in its channels' deviations.

    ``groups`` are 1 for points labelled anomalies, 0 for others, and -1 where a label is missing.
    """
    window = detector.window_
    there = ~np.isnan(scores)
    scaled = standardized(values)
    others = {"residual from the moving average": residual(scaled, window), "Sub-PCA": components(scaled, window)}
    groups = None if groups is None else groups[there]
    mine = peaks(scores, window)
    made = [Judge("this detector", None, None, *rightness(scores[there], groups))]
    for name, theirs in others.items():
        own = np.array(peaks(np.where(there, theirs, np.nan), window))
        shared = sum(bool((np.abs(own - at) <= window).any()) for at in mine)
        correlation = rank_correlation(scores[there], theirs[there])
        made.append(Judge(name, correlation, shared, *rightness(theirs[there], groups)))
    return made


def standardized(values: np.ndarray) -> np.ndarray:
    """Each channel in its deviations, gaps at its mean.

    >>> standardized(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    known = ~np.isnan(values)
    counts = np.maximum(known.sum(0), 1)
    centered = np.where(known, values - np.where(known, values, 0.0).sum(0) / counts, 0.0)
    deviation = np.sqrt(np.square(centered).sum(0) / counts)
    made: np.ndarray = centered / np.where(deviation > 0, deviation, 1.0)
    return made


def rightness(scores: np.ndarray, groups: np.ndarray | None) -> tuple[float | None, float | None]:
    """Area under the curve and average precision of points."""
    auroc = area(scores, groups, 1)
    if auroc is None or groups is None:
        return None, None
    from sklearn.metrics import average_precision_score

    return auroc, float(average_precision_score(groups[groups >= 0], scores[groups >= 0]))


def residual(values: np.ndarray, window: int) -> np.ndarray:
    """Squared distances from the mean of the points around, averaged over as many points and all channels."""
    kernel = np.ones(min(window, len(values)))

    def mean(columns: np.ndarray) -> np.ndarray:
        counts = np.convolve(np.ones(len(columns)), kernel, "same")[:, None]
        return np.stack([np.convolve(column, kernel, "same") for column in columns.T], axis=1) / counts

    averaged: np.ndarray = mean(np.square(values - mean(values))).mean(1)
    return averaged


def components(values: np.ndarray, window: int) -> np.ndarray:
    """Distances of windows to their principal axes, each by its share of the variance: PyOD's PCA on windows."""
    from sklearn.decomposition import PCA

    rows = training_windows([values], window).reshape(-1, window * values.shape[1])
    center, deviation = rows.mean(0), rows.std(0)
    if not (deviation > 1e-9).any():
        return np.zeros(len(values))
    scale = np.where(deviation > 1e-9, deviation, 1.0)
    fitted = PCA(svd_solver="covariance_eigh" if rows.shape[1] < len(rows) else "full").fit((rows - center) / scale)
    kept = fitted.explained_variance_ratio_ > 1e-9
    axes, shares = fitted.components_[kept], fitted.explained_variance_ratio_[kept]
    overlap, places = Overlap(window, 1), beginnings(len(values), window, max(1, window // STRIDES))
    for some in stretches_of(len(places), WINDOWS_TOGETHER):
        at = places[some]
        distances = cdist((cut(values, at, window).reshape(len(at), -1) - center) / scale, axes) / shares
        for each, distance in zip(at.tolist(), distances.sum(1).tolist(), strict=True):
            overlap.add(each, np.full((window, 1), distance))
    return overlap.take(len(values))[:, 0]


# The sheet


def describe_points(points: Points, detector: SeriesAnomalyDetector) -> sheets.Sheet:
    """Fill the data sheet of a series."""
    values = points.values
    columns = []
    for at, name in enumerate(points.channels[: sheets.MOST_COLUMNS]):
        known = values[~np.isnan(values[:, at]), at]
        ends = [float(end) for end in (known.mean(), known.std(), known.min(), known.max())] if len(known) else None
        mean, deviation, smallest, largest = ends or [float("nan")] * 4
        called = clipped(name) if points.names else f"channel {at}"
        missing = len(values) - len(known)
        columns.append(sheets.Column(called, "float64", missing, mean, deviation, smallest, largest, "channel"))
    digest = hashlib.sha256(repr((points.names, values.shape)).encode())
    digest.update(np.ascontiguousarray(values).tobytes())
    scaled = {"channel": "each channel standardized", "window": "each window and channel standardized"}
    return sheets.Sheet(
        place=sheets.file_name(points.place),
        rows=len(values),
        shape=(values.shape[1],),
        modality="a time series",
        dtype="float64",
        missing=points.gaps,
        scaling=scaled.get(detector.judge_.scaling.normalize, "as it is"),
        smallest=float(np.nanmin(values)),
        largest=float(np.nanmax(values)),
        columns=columns,
        columns_in_all=values.shape[1],
        sha256=digest.hexdigest(),
    )


def list_parameters(detector: SeriesAnomalyDetector) -> list[sheets.Parameter]:
    """The detector's own parameters, and whether they are at their defaults."""
    usual = SeriesAnomalyDetector().get_params(deep=False)
    values = detector.get_params(deep=False)
    chosen = [name for name in usual if name not in ("estimator", "random_state")]
    return [
        sheets.Parameter(
            name, sheets.written(values[name]), sheets.written(values[name]) == sheets.written(usual[name])
        )
        for name in chosen
    ]


# Words


def headline(found: SeriesReport) -> str:
    """What the page says first."""
    points, flagged = len(found.points), int(found.flags.sum())
    if not flagged:
        return f"No point of {points:,} is flagged"
    verb = "is" if found.flagged == 1 else "are"
    return f"{count(found.flagged, 'stretch', 'stretches')} {verb} flagged, {flagged:,} of {count(points, 'point')}"


def explanation(found: SeriesReport) -> str:
    """By which rule, and what was learned from."""
    text = f"Rule: {found.detector.rule!r}. {found.promise}"
    if found.fitted:
        text += (
            " This is the series that it was fitted to: its end calibrates and the rest was learned from, so that it "
            "looks more usual than new points would."
        )
    if found.flags.mean() > MANY:
        text += (
            " So much is flagged that the series seems to have changed since the fit: levels and shapes that were not "
            "learned from are strange for as long as they last."
        )
    return text.replace(" %", "\u00a0%")


def comparison(found: SeriesReport) -> tuple[str, str]:
    """Whether baselines agree."""
    others = found.judges[1:]
    shared = listed([str(judge.shared) for judge in others])
    title = f"Of the {found.peaks} highest peaks, {shared} are also those of baselines"
    text = (
        "The squared residual from the moving average, and the distances of windows to their principal axes, with the "
        f"same window of {found.detector.window_:,} points, fitted to the series that they judge; peaks are the same "
        "within a window."
    )
    if found.anomaly is not None:
        text += (
            f" AUROC: how often a point labelled “{clipped(found.anomaly, 24)}” scores higher than another; 0.5 is "
            "chance. Average precision: chance is the share of such points"
            + (f", {share(float(found.labels.mean()))}." if found.labels is not None else ".")
        )
    return title, text.replace(" %", "\u00a0%")


def cards(found: SeriesReport) -> list[tuple[str, str, str]]:
    """Number, name and hint of each card."""
    points, detector = found.points, found.detector
    span = f"of {found.sheet.place}"
    if points.written is not None and len(points):
        span = f"{moment(points, 0)} to {moment(points, len(points) - 1)}"
    channels = listed([clipped(name, 24) for name in points.channels], 3) if points.names else "counted from 0"
    highest = float(np.nanmax(found.scores))
    period = "no period was found" if detector.period_ is None else f"points; the period is {detector.period_:,}"
    unknown = int(np.isnan(found.scores).sum())
    return [
        ("points", f"{len(points):,}", span),
        ("channels", f"{points.values.shape[1]:,}", channels),
        ("flagged", share(float(found.flags.mean())), count(int(found.flags.sum()), "point")),
        (
            "highest score",
            short(highest),
            "nothing can be flagged" if found.cut is None else f"flagged beyond {short(found.cut)}",
        ),
        ("window", f"{detector.window_:,}", period),
        (
            "numbers per code",
            f"{detector.estimator_.code_size:,}",
            f"in place of {detector.window_ * points.values.shape[1]:,}",
        ),
        (
            "points to calibrate by",
            f"{len(detector.calibration_):,}",
            "held out" if detector.calibrated_ else "trained on, so p-values are too small",
        ),
        ("gaps", f"{points.gaps:,}", f"nothing is known of {count(unknown, 'point')}" if unknown else "missing cells"),
    ]


# JSON


def as_plain(found: SeriesReport) -> dict[str, Any]:
    """The whole of ``report.json``, before arrays become lists."""
    points = found.points
    quantiles = (0.0, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
    there = found.scores[~np.isnan(found.scores)]
    return {
        "schema": SCHEMA,
        "diabolo": __version__,
        "headline": {"sentence": headline(found), "flagged": int(found.flags.sum()), "stretches": found.flagged},
        "series": {
            "rule": repr(found.detector.rule),
            "promise": found.promise,
            "cut": found.cut,
            "points": len(points),
            "channels": list(points.channels),
            "flagged": int(found.flags.sum()),
            "flagged_stretches": found.flagged,
            "unknown": int(np.isnan(found.scores).sum()),
            "window": found.detector.window_,
            "stride": found.detector.stride_,
            "period": found.detector.period_,
            "fitted_to_these_points": found.fitted,
            "calibration_points": len(found.detector.calibration_),
            "score_quantiles": {str(q): float(np.quantile(there, q)) for q in quantiles},
            "anomaly_label": found.anomaly,
            "peaks_compared": found.peaks,
            "judges": [
                {
                    "name": each.name,
                    "rank_correlation": each.correlation,
                    "shared_peaks": each.shared,
                    "auroc": each.auroc,
                    "average_precision": each.precision,
                }
                for each in found.judges
            ],
            "strangest": [asdict(each) for each in found.strangest],
        },
        **sheets.as_plain(found.sheet, found.origin),
    }


__all__ = ["Judge", "Reason", "SeriesReport", "Stretch", "as_plain", "gather"]

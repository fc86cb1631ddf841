"""Time series on the command line: what a fit learns from, and what a detector says of each point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..core.errors import DataError
from ..data.memory import ArraySource
from ..data.points import Points, read_points
from ..tasks.cuts import Threshold, false_positive_budget, percent, rank_at
from ..tasks.series import SeriesAnomalyDetector, SeriesPlan
from ..tasks.series_windows import as_rows, default_estimator
from ..tasks.thresholds import Quantile
from .errors import Code
from .explain import spelled
from .inputs import open_source
from .output import counted, emit, say, size, styled, table
from .results import write_blocks
from .rules import make_rule, say_promise

if TYPE_CHECKING:
    from ..data.source import Source
    from ..estimators import Estimator

REASONS = 3


def points_of(
    source: Source, wanted: Sequence[str] | None = None, detector: SeriesAnomalyDetector | None = None
) -> Points:
    """Read a source as a series, for a detector where there is one, and say what was decided about it."""
    known: Sequence[str] | int | None = None
    if detector is not None:
        known = [str(name) for name in getattr(detector, "feature_names_in_", [])] or detector.n_features_in_
    points = read_points(source, wanted, known)
    for note in points.notes:
        say(f"{points.place}: {note}")
    return points


# Fitting


class SeriesFit:
    """A series that a detector is to be fitted to: its windows are what an estimator is trained on.

    Parameters
    ----------
    data : str
    label : str, or None
    channels : str, or None
        Names between commas.
    settings : dict
        Parameters of :class:`SeriesAnomalyDetector`.
    """

    def __init__(self, data: str, label: str | None, channels: str | None, settings: dict[str, Any]) -> None:
        wanted = None if channels is None else [name.strip() for name in channels.split(",") if name.strip()]
        if wanted is not None and (not wanted or len(set(wanted)) < len(wanted)):
            raise click.UsageError(f"--channels {channels!r} must name columns, each once, with commas between.")
        self.points = points_of(open_source(data, label), wanted)
        refuse_single(self.points)
        self.settings = settings
        try:
            self.plan: SeriesPlan = SeriesAnomalyDetector(**settings).plan(self.points.values)
        except DataError as error:
            raise type(error)(f"{self.points.place}: {error}") from error
        except ValueError as error:  # parameters that make no sense
            raise click.UsageError(str(error)) from error

    def usual(self) -> tuple[str, dict[str, Any]]:
        """The preset that a detector brings along, and its parameters."""
        estimator = default_estimator(self.plan.windows)
        return type(estimator).__name__, {"code_size": estimator.code_size}

    def source_for(self, estimator: Estimator) -> Source:
        """The windows as an estimator takes them."""
        rows = as_rows(self.plan.windows, estimator)
        source: Source = ArraySource(rows) if isinstance(rows, np.ndarray) else rows
        source.place = f"windows of {self.points.place}"
        return source

    @property
    def held_out(self) -> int:
        """How many points calibrate and were not learned from."""
        return sum(int((~np.isnan(tail)).any(1).sum()) for tail in self.plan.tails)

    @property
    def promise(self) -> str:
        """What these can promise by the usual rule."""
        rule = Quantile(0.99)
        few = not rule_can_flag(rule, self.held_out)
        if not self.held_out:
            return "No points can be spared to calibrate by, and nothing is promised: p-values will be too small."
        more = " Hold out more with --calibration, or take another rule by diabolo threshold." if few else ""
        return f"{rule.promise(self.held_out)} Neighboring points have nearly the same score: on average only.{more}"

    def facts(self) -> dict[str, Any]:
        """What ``--json`` tells of it, under stable names."""
        plan, points = self.plan, self.points
        return {
            "points": len(points),
            "channels": list(points.channels),
            "gaps": points.gaps,
            "period": plan.period,
            "window": plan.window,
            "stride": plan.stride,
            "windows": len(plan.windows),
            "calibration_points": self.held_out,
            "promise": self.promise,
        }

    def lines(self) -> dict[str, str]:
        """The same for people."""
        plan, points = self.plan, self.points
        gaps = f"{counted(points.gaps, 'cell')} missing" if points.gaps else "no gaps"
        held_out = f"{counted(self.held_out, 'point')} at the end held out. " if self.held_out else ""
        of = "no period" if plan.period is None else f"period {plan.period:,}"
        return {
            "data": f"{points.place}: a time series, {counted(len(points), 'point')} of {channels_of(points)}, {gaps}",
            "windows": f"{counted(plan.window, 'point')} ({of}), {len(plan.windows):,} of them to learn from",
            "calibration": f"{held_out}{self.promise}",
        }

    def save(self, fitted: Estimator, seed: int, path: Path) -> None:
        """Make the detector around an estimator that was fitted to the windows, and write it."""
        from sklearn.frozen import FrozenEstimator

        task = SeriesAnomalyDetector(FrozenEstimator(fitted), random_state=seed, **self.settings)
        task.fit(self.points.values)
        if self.points.names is not None:
            task.feature_names_in_ = np.array(self.points.names, dtype=object)
        task.save(path)


def rule_can_flag(rule: Quantile, size: int) -> bool:
    """Whether so many calibration points suffice for a p-value that is small enough.

    >>> rule_can_flag(Quantile(0.99), 98), rule_can_flag(Quantile(0.99), 99)
    (False, True)
    """
    return rank_at(rule.rate(None), size) > 0


def refuse_single(points: Points) -> None:
    """A single row is no series; one that is long may be a series that lies on its side."""
    if len(points) > 1:
        return
    width = points.values.shape[1]
    turned = f" It has {width:,} columns: if these are the points of one channel, turn the table." if width > 1 else ""
    raise DataError(
        f"{points.place} has a single row, which is a single point of time. Give a row for each point and a column for "
        f"each channel.{turned}"
    )


def channels_of(points: Points) -> str:
    """The channels, by name where they are few.

    >>> channels_of(Points("x", np.zeros((2, 1)), ("heat",))), channels_of(Points("x", np.zeros((2, 3))))
    ('1 channel (heat)', '3 channels')
    """
    named = points.names is not None and len(points.channels) <= 6
    return counted(len(points.channels), "channel") + (f" ({', '.join(points.channels)})" if named else "")


# Scoring


def score_series(
    detector: SeriesAnomalyDetector, model: str, data: str, output: str, own: dict[str, Any], options: dict[str, Any]
) -> None:
    """Scores, p-values, flags and reasons of each point; and whether too many are flagged."""
    if output.lower().endswith((".npy", ".npz")):
        raise click.UsageError(
            f"{output}: {output[-3:]} holds numbers alone, and reasons are words. Name a csv or parquet file."
        )
    if options["as_json"] and output == "-":
        raise click.UsageError("--json and the results cannot both go to standard output; name a file with -o.")
    points = points_of(open_source(data, options["label"]), detector=detector)
    if own["false_positives"] is not None and points.labels is None:
        raise click.UsageError(
            "--false-positives needs to know which points are normal: name the column of labels (0 normal, 1 an "
            "anomaly) with --label."
        )
    refuse_short(detector, points)
    told: dict[str, Any] = {"model": model, "data": points.place, "rows": len(points)}
    told["output"] = None if output == "-" else output
    rule, promise = make_rule(own) or detector.rule, None
    if own["false_positives"] is None:
        promise = say_promise(detector, rule, len(points))
    if options["dry_run"]:
        files = "csv on standard output" if output == "-" else output
        line = f"{points.place}: {counted(len(points), 'point')} of {channels_of(points)}"
        say(table({"model": f"{model}: {type(detector).__name__}", "data": line, "files": files}))
        if options["as_json"]:
            emit("score", told | {"dry_run": True})
        return
    reasons = detector.explain(points.values)
    known = ~np.isnan(reasons.score)
    if own["false_positives"] is not None:
        rule = budget(reasons.score, known, points, own["false_positives"])
        promise = say_promise(detector, rule, len(points))
    flags = np.zeros(len(points), dtype=np.int64)
    flags[known] = rule.flags(reasons.score[known], detector.calibration_)
    p_values = np.full(len(points), np.nan)
    p_values[known] = detector.calibration_.p_values(reasons.score[known])
    columns: dict[str, np.ndarray] = {} if points.written is None else {"time": points.written}
    columns |= {"score": emptied(reasons.score), "p_value": emptied(p_values), "flag": flags}
    columns |= reasons_of(reasons.share, reasons.expected, points)
    width = write_blocks(iter([(columns, None)]), output, None, options["force"])
    flagged, share = int(flags.sum()), float(flags.mean())
    if output != "-":
        say(f"{output}: {counted(len(points), 'point')}, {width[0]} columns{size_of(output)}")
    if options["as_json"]:
        said = {"shape": list(width), "rule": repr(rule), "cut": rule.cut(detector.calibration_), "promise": promise}
        emit("score", told | said | {"unknown": int((~known).sum()), "flagged": flagged, "share": share})
    unknown = f"; nothing is known of {counted(int((~known).sum()), 'point')}" if not known.all() else ""
    say(f"{flagged:,} of {counted(len(points), 'point')} flagged ({percent(share)}){unknown}")
    most = own["fail_above"]
    if most is not None and share > most:
        say(f"{styled('Failed:')} more than {100 * most:g} % of the points are flagged (--fail-above {most:g})")
        click.get_current_context().exit(Code.CHECK)


def size_of(output: str) -> str:
    """How large a file became."""
    return f", {size(Path(output).stat().st_size)}" if Path(output).is_file() else ""


def refuse_short(detector: SeriesAnomalyDetector, points: Points) -> None:
    """A series that has no room for a window says nothing."""
    if len(points) < detector.window_:
        smaller = f", or fit with a smaller window: diabolo fit DATA --series --window {len(points)}"
        smaller = smaller if len(points) > 1 else ""
        raise DataError(
            f"{points.place} has {counted(len(points), 'point')}, fewer than the window of {detector.window_:,} that "
            f"the detector was fitted with. Give a longer series{smaller}"
        )


def budget(scores: np.ndarray, known: np.ndarray, points: Points, rate: float) -> Threshold:
    """The cut that flags at most a share of the points that are labelled normal."""
    assert points.labels is not None
    rule = false_positive_budget(scores[known], np.asarray(points.labels)[known], rate)
    say(f"at most {percent(rate)} of the points labelled normal are above {rule.value:.6g}")
    return rule


def emptied(values: np.ndarray) -> np.ndarray:
    """Numbers whose unknown ones become empty cells.

    >>> emptied(np.array([0.5, np.nan])).tolist()
    [0.5, None]
    """
    if not np.isnan(values).any():
        return values
    return np.array([None if value != value else value for value in values.tolist()], dtype=object)


def reasons_of(share: np.ndarray, expected: np.ndarray, points: Points) -> dict[str, np.ndarray]:
    """The channels that make each point strange, in words; empty where no further channel does."""
    most = min(REASONS, share.shape[1])
    weights = np.nan_to_num(share)
    order = np.argsort(-weights, axis=1, kind="stable")[:, :most]
    made = {}
    for place in range(REASONS):
        words = [""] * len(share)
        if place < most:
            for row, at in enumerate(order[:, place].tolist()):
                if weights[row, at] > 0:
                    words[row] = in_words(
                        points.channels[at], points.values[row, at], expected[row, at], weights[row, at]
                    )
        made[f"reason_{place + 1}"] = np.array(words, dtype=object)
    return made


def in_words(channel: str, observed: float, expected: float, share: float) -> str:
    """A channel, what was expected of it, and its share of the error.

    >>> in_words("heat", 41.0, 20.123456, 0.625), in_words("heat", float("nan"), 20.0, 0.5)
    ('heat 41 (expected 20.12, 62 %)', 'heat missing (expected 20, 50 %)')
    """
    seen = "missing" if observed != observed else spelled(float(observed))
    return f"{channel} {seen} (expected {spelled(float(f'{expected:.4g}'))}, {100 * share:.0f} %)"


__all__ = ["SeriesFit", "points_of", "score_series"]

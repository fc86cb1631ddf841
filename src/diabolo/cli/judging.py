"""What a detector says of data, a stretch at a time: scores, p-values, flags and reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..data.rows import Rows
from ..data.source import Source
from ..tasks.cuts import Threshold, false_positive_budget, percent
from .explain import spelled
from .inputs import windows
from .output import counted, say
from .rules import say_promise

if TYPE_CHECKING:
    from ..data.explained import Reason
    from ..estimators import Estimator
    from ..tasks.anomaly import AnomalyDetector
    from ..tasks.reasons import AnomalyExplanation

REASONS = 3


class Judging:
    """Judges one stretch of rows after the other.

    A rule that looks at all rows together takes a first pass over the data, which keeps one number for each row.

    Parameters
    ----------
    detector : AnomalyDetector
    rule : Threshold, or None
        ``None``: the detector's own.
    budget : float, or None
        The share of the rows labelled normal that may be flagged; it decides instead of a rule.
    """

    def __init__(self, detector: AnomalyDetector, rule: Threshold | None, budget: float | None) -> None:
        self.detector, self.budget = detector, budget
        self.rule = detector.rule if rule is None else rule
        self.promise: str | None = None
        self.flags: np.ndarray | None = None
        self.rows = self.flagged = 0

    def begin(self, source: Source) -> None:
        """Say what the rule can promise for so many rows, before any is judged."""
        if self.budget is None:
            self.promise = say_promise(self.detector, self.rule, source.rows)
        elif getattr(source, "labels", None) is None:
            raise click.UsageError(
                "--false-positives needs to know which rows are normal: name the column of labels (0 normal, 1 an "
                "anomaly) with --label."
            )

    def __call__(self, model: Estimator, rows: Rows) -> dict[str, np.ndarray]:
        """The columns of a stretch."""
        if self.flags is None and (self.budget is not None or self.rule.cut(self.detector.calibration_) is None):
            self.flags = self.look_at_all(rows.source)
        told = self.detector.explain(rows)
        flags = self.flags[rows.numbers] if self.flags is not None else self.alone(told.scores)
        self.rows += len(flags)
        self.flagged += int(flags.sum())
        return {"score": told.scores, "p_value": told.p_values, "flag": flags.astype(np.int64)} | reasons_of(told)

    def alone(self, scores: np.ndarray) -> np.ndarray:
        """Which rows are flagged, each by itself."""
        return self.rule.flags(scores, self.detector.calibration_)

    def look_at_all(self, source: Source) -> np.ndarray:
        """Which rows are flagged where all count: the first pass."""
        scores = np.concatenate([self.detector.anomaly_score(part) for part, _ in windows(source)])
        if self.budget is not None:
            self.rule = false_positive_budget(scores, source.labels, self.budget)
            say(f"at most {percent(self.budget)} of the rows labelled normal are above {self.rule.value:.6g}")
            self.promise = say_promise(self.detector, self.rule, source.rows)
        return self.rule.flags(scores, self.detector.calibration_)

    @property
    def share(self) -> float:
        """The share of the rows that were flagged."""
        return self.flagged / max(self.rows, 1)

    def facts(self) -> dict[str, Any]:
        """What ``--json`` tells."""
        cut = self.rule.cut(self.detector.calibration_)
        told = {"rule": repr(self.rule), "cut": cut, "promise": self.promise}
        return told | {"flagged": self.flagged, "share": self.share}

    def tell(self) -> None:
        """The last line."""
        say(f"{self.flagged:,} of {counted(self.rows, 'row')} flagged ({percent(self.share)})")


def reasons_of(told: AnomalyExplanation) -> dict[str, np.ndarray]:
    """The cells that make each row strange, in words; empty where no further cell does."""
    lines = [[in_words(reason) for reason in told.top(row, REASONS)] for row in range(len(told.scores))]
    return {
        f"reason_{place + 1}": np.array([line[place] if place < len(line) else "" for line in lines], dtype=object)
        for place in range(REASONS)
    }


def in_words(reason: Reason) -> str:
    """A cell, what was expected of it, and its share of the row's score.

    >>> from diabolo.data.explained import Reason
    >>> in_words(Reason("age", 300, 41.23456, float("nan"), 12.0, 0.62))
    'age 300 (expected 41.23, 62 %)'
    """
    expected = reason.expected
    if isinstance(expected, float):
        expected = float(f"{expected:.4g}")
    return f"{reason.column} {spelled(reason.observed)} (expected {spelled(expected)}, {100 * reason.share:.0f} %)"

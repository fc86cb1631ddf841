"""All rules that say which scores are flagged, and what they can promise; here those that look at a whole batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..core.parts import parameters, within
from .conformal import SLACK, Calibration, false_counts, upper_bound, whole
from .cuts import (
    AlertsPerDay,
    Contamination,
    FalsePositiveRate,
    Quantile,
    Score,
    Threshold,
    false_positive_budget,
    fewest,
    percent,
    smallest,
    some,
)

__all__ = [
    "AdaptiveFalseDiscoveryRate",
    "AlertsPerDay",
    "Calibration",
    "ConditionalFalseDiscoveryRate",
    "Contamination",
    "FalseDiscoveryProportion",
    "FalseDiscoveryRate",
    "FalsePositiveRate",
    "Quantile",
    "Score",
    "StepUp",
    "Threshold",
    "false_positive_budget",
]

MOST_STRANGE = 0.25  # of a batch; where more is, a bound of the share flags no more than for so much


class StepUp(Threshold, ABC):
    r"""Sorts the batch's p-values and flags the first :math:`k`, for the largest :math:`p_{(k)} \le q\,k / m_0`."""

    rate: float

    def p_values(self, scores: Any, calibration: Calibration) -> np.ndarray:
        """The p-values that are compared."""
        return calibration.p_values(scores)

    def normal_rows(self, p_values: np.ndarray, size: int) -> float:
        """How many rows of the batch are thought to be normal: all."""
        return float(len(p_values))

    def flags(self, scores: Any, calibration: Calibration) -> np.ndarray:
        """Which rows of the batch are flagged together."""
        p_values = self.p_values(scores, calibration)
        step = self.rate / max(self.normal_rows(p_values, len(calibration)), 1.0) * (1 + SLACK)
        ordered = np.sort(p_values)
        passing = np.flatnonzero(ordered <= step * np.arange(1, len(ordered) + 1))
        return p_values <= (ordered[passing[-1]] if len(passing) else -1.0)

    def least(self, size: int) -> float:
        """The smallest p-value that there can be."""
        return 1 / (size + 1)

    def promise(self, calibration_size: int, rows: int | None = None) -> str:
        """The rate, and how few rows can be flagged at all."""
        least = self.least(calibration_size)
        words = (
            f"{self.claim()} The smallest p-value of {some(calibration_size, 'calibration row')} is {percent(least)}"
        )
        if least > self.rate * (1 + SLACK):
            return f"{words}, above the rate: nothing can be flagged."
        if rows is None:
            most = whole(self.rate / least)
            return f"{words}: a lone row can be flagged in batches of {'up to ' if most > 1 else ''}{some(most)}."
        together = fewest(rows * least / self.rate)
        if together <= 1:
            return f"{words}: a lone row{f' among {rows:,}' if rows > 1 else ''} can be flagged."
        return (
            f"{words}: among {rows:,} rows no fewer than {together:,} can be flagged at once. "
            f"To flag a lone one takes {some(self.enough(rows), 'calibration row')}."
        )

    def enough(self, rows: int) -> int:
        """Calibration rows by which a lone row can be flagged."""
        size = 1
        while self.least(size) > self.rate / rows * (1 + SLACK):
            size *= 2
        low = size // 2
        while size - low > 1:
            middle = (low + size) // 2
            low, size = (middle, size) if self.least(middle) > self.rate / rows * (1 + SLACK) else (low, middle)
        return size

    @abstractmethod
    def claim(self) -> str:
        """What holds of the flagged rows, in a sentence."""


@parameters
class FalseDiscoveryRate(StepUp):
    r"""Flags rows of which on average a share is false at most, by Benjamini and Hochberg: :math:`p_{(k)} \le q\,k/m`.

    P-values of one batch share a calibration set; they depend on each other in the way for which the rule is proven.
    The average is over calibration sets and batches: :math:`E[\text{false} / \text{flagged}] \le q\,m_0/m`, and 0
    where nothing is flagged. One batch can have more, by far where few rows are flagged.

    Parameters
    ----------
    rate : float in (0, 1), default 0.05
        One in twenty of the rows that somebody looks at is looked at in vain.

    References
    ----------
    Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing, Benjamini and Hochberg,
    1995, Journal of the Royal Statistical Society B 57, doi:10.1111/j.2517-6161.1995.tb02031.x.
    Testing for Outliers with Conformal p-values, Bates, Candès, Lei, Romano and Sesia, 2023, arXiv:2104.08279.

    >>> FalseDiscoveryRate(0.1).flags([0.0, 99.0, 30.0], Calibration(range(99))).tolist()
    [False, True, False]
    >>> print(FalseDiscoveryRate(0.1).promise(199, rows=1000))
    Of the flagged rows at most 10 % are false on average. The smallest p-value of 199 calibration rows is 0.5 %: among
    1,000 rows no fewer than 50 can be flagged at once. To flag a lone one takes 9,999 calibration rows.
    """

    rate: float = within(default=0.05, low=0.0, high=1.0, above=True, below=True)

    def claim(self) -> str:
        """An average."""
        return f"Of the flagged rows at most {percent(self.rate)} are false on average."


@parameters
class AdaptiveFalseDiscoveryRate(StepUp):
    r""":class:`FalseDiscoveryRate` that estimates the normal rows, after Storey: :math:`p_{(k)} \le q\,k/\hat m_0`.

    .. math:: \hat m_0 = \frac{1 + \#\{i : p_i \ge \lambda\}}{1 - \lambda}

    Anomalies have small p-values, so that those above :math:`\lambda` tell how many rows are normal. It flags more than
    :class:`FalseDiscoveryRate` where a good part of the batch is strange, and hardly less elsewhere; its realized share
    varies more. :math:`\lambda` is rounded down to a p-value that exists, for which the rule is proven.

    Parameters
    ----------
    rate : float in (0, 1), default 0.05
    normal_above : float in (0, 1), default 0.5
        :math:`\lambda`. Storey's own; higher estimates from fewer rows.

    References
    ----------
    Strong Control, Conservative Point Estimation and Simultaneous Conservative Consistency of False Discovery Rates: A
    Unified Approach, Storey, Taylor and Siegmund, 2004, doi:10.1111/j.1467-9868.2004.00439.x.
    Adaptive Novelty Detection with False Discovery Rate Guarantee, Marandon, Lei, Mary and Roquain, 2024,
    arXiv:2208.06685.

    >>> scores = [99.0] * 8 + [95.0] + [10.0] * 3
    >>> calibration = Calibration(range(99))
    >>> int(FalseDiscoveryRate(0.05).flags(scores, calibration).sum())
    8
    >>> int(AdaptiveFalseDiscoveryRate(0.05).flags(scores, calibration).sum())
    9
    """

    rate: float = within(default=0.05, low=0.0, high=1.0, above=True, below=True)
    normal_above: float = within(default=0.5, low=0.0, high=1.0, above=True, below=True)

    def normal_rows(self, p_values: np.ndarray, size: int) -> float:
        """Storey's estimate, with one row more than was counted."""
        start = whole(self.normal_above * (size + 1)) / (size + 1)
        return float(1 + np.sum(p_values >= start * (1 - SLACK))) / (1 - start)

    def claim(self) -> str:
        """An average."""
        return (
            f"Of the flagged rows at most {percent(self.rate)} are false on average. What follows holds where most "
            "rows are normal."
        )


@parameters
class ConditionalFalseDiscoveryRate(StepUp):
    """Benjamini and Hochberg's rule on p-values that hold for this very calibration set, with a confidence.

    For one who calibrates once and judges many batches: with probability ``confidence`` over the draw of the
    calibration rows, the average of the false share over all batches to come is at most ``rate``. It flags less: the
    smallest p-value is 4.6 times as large at a confidence of 0.9.

    Parameters
    ----------
    rate : float in (0, 1), default 0.05
    confidence : float in (0, 1), default 0.9

    References
    ----------
    Testing for Outliers with Conformal p-values, Bates, Candès, Lei, Romano and Sesia, 2023, arXiv:2104.08279.

    >>> print(ConditionalFalseDiscoveryRate(0.1).promise(199, rows=1000))
    Of the flagged rows at most 10 % are false on average over all batches, for 90 % of the calibration sets. The
    smallest p-value of 199 calibration rows is 2.3 %: among 1,000 rows no fewer than 230 can be flagged at once. To
    flag a lone one takes 46,050 calibration rows.
    """

    rate: float = within(default=0.05, low=0.0, high=1.0, above=True, below=True)
    confidence: float = within(default=0.9, low=0.0, high=1.0, above=True, below=True)

    def p_values(self, scores: Any, calibration: Calibration) -> np.ndarray:
        """Raised to what holds with the confidence."""
        return calibration.conditional_p_values(scores, self.confidence)

    def least(self, size: int) -> float:
        """The bound at rank 1."""
        return float(upper_bound(1, size, self.confidence))

    def claim(self) -> str:
        """An average for most calibration sets."""
        return (
            f"Of the flagged rows at most {percent(self.rate)} are false on average over all batches, for "
            f"{percent(self.confidence)} of the calibration sets."
        )


@parameters
class FalseDiscoveryProportion(Threshold):
    r"""Flags rows so that, with a confidence, at most a share of those flagged in this very batch is false.

    .. math:: r^* = \max\{r : B_r \le q\,R_r\}, \quad \text{flag where } p \le r^* / (n + 1)

    :math:`R_r` rows of the batch have a p-value of at most :math:`r/(n + 1)`, and of those with confidence no more than
    :math:`B_r` are normal (:func:`diabolo.tasks.conformal.false_counts`, at all ranks together). A rate holds on
    average, and one batch in twenty may have far more; this bounds that one too:
    :math:`P(\text{false} / \text{flagged} \le q) \ge \text{confidence}`. Ranks go up to :math:`q (n + 1) / 4`: fewer
    bounds that must hold together are tighter, and more are of use only where over a quarter of a batch is strange.

    Parameters
    ----------
    rate : float in (0, 1), default 0.1
        Twice the default of the rules for averages, because a bound is harder to hold than a mean.
    confidence : float in (0, 1), default 0.95

    References
    ----------
    Transductive Conformal Inference with Adaptive Scores, Gazin, Blanchard and Roquain, 2024, arXiv:2310.18108.

    >>> strange = [2000.0] * 30
    >>> int(FalseDiscoveryProportion(0.2).flags([*range(0, 900, 9), *strange], Calibration(range(1000))).sum())
    30
    >>> print(FalseDiscoveryProportion(0.2).promise(1000, rows=130))
    With a confidence of 95 %, at most 20 % of the rows that are flagged in a batch are false. Of 130 normal rows up to
    2 may lie above all 1,000 calibration rows: no fewer than 10 can be flagged at once.
    """

    rate: float = within(default=0.1, low=0.0, high=1.0, above=True, below=True)
    confidence: float = within(default=0.95, low=0.0, high=0.999, above=True)

    def bounds(self, size: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Ranks of use, and how many normal rows may stand above each."""
        return false_counts(size, rows, float(self.confidence), whole(self.rate * MOST_STRANGE * (size + 1)))

    def flags(self, scores: Any, calibration: Calibration) -> np.ndarray:
        """Which rows of the batch are flagged together."""
        placed = calibration.ranks(scores)
        if not len(placed):
            return np.zeros(0, dtype=bool)
        ranks, bounds = self.bounds(len(calibration), len(placed))
        flagged = np.searchsorted(np.sort(placed), ranks, side="right")
        passing = np.flatnonzero((flagged > 0) & (bounds <= self.rate * flagged * (1 + SLACK)))
        return placed <= (ranks[passing[-1]] if len(passing) else 0)

    def promise(self, calibration_size: int, rows: int | None = None) -> str:
        """The bound, and how few rows can be flagged at all."""
        words = (
            f"With a confidence of {percent(self.confidence)}, at most {percent(self.rate)} of the rows that are "
            "flagged in a batch are false."
        )
        if rows is None:
            return f"{words} {smallest(calibration_size)} How few rows can be flagged depends on how many there are."
        above = int(self.bounds(calibration_size, rows)[1][0])
        together = max(fewest(above / self.rate), 1)
        beyond = f"up to {above:,} may" if above else "none should"
        calibration = f"all {calibration_size:,} calibration rows" if calibration_size > 1 else "the calibration row"
        words = f"{words} Of {some(rows, 'normal row')} {beyond} lie above {calibration}"
        if together > rows:
            return f"{words}: nothing can be flagged."
        least = "a lone row" if together == 1 else f"no fewer than {together:,}"
        return f"{words}: {least} can be flagged{' at once' if together > 1 else ''}."

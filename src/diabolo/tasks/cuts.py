"""Which scores are flagged, each by itself: what a threshold is, and those that need no look at the batch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy.special import bdtrc, betaincinv

from ..core.errors import DataError
from ..core.parts import Part, parameters, within
from .conformal import SLACK, Calibration, as_scores, whole


class Threshold(Part, ABC):
    """A rule that flags strange rows, given scores and a :class:`~diabolo.Calibration`; it has no weights.

    Whatever the rule, a row with a higher score than a flagged one is flagged too, and a rule that works on each row
    flags scores *above* its cut, never those equal to it.
    """

    is_kind: ClassVar[bool] = True

    @abstractmethod
    def flags(self, scores: Any, calibration: Calibration) -> np.ndarray:
        """Which of the rows of one batch are flagged: ``(rows,) -> (rows,)`` of bool."""

    def cut(self, calibration: Calibration) -> float | None:
        """The score above which a single row is flagged; ``None`` where the other rows of the batch matter."""
        return None

    @abstractmethod
    def promise(self, calibration_size: int, rows: int | None = None) -> str:
        """What so many calibration rows can promise, for batches of ``rows`` rows, in plain words."""


# Each row by itself


class Cut(Threshold, ABC):
    """A rule that looks at one row at a time."""

    @abstractmethod
    def cut(self, calibration: Calibration) -> float:
        """The score above which a row is flagged; infinite where none can be."""

    def flags(self, scores: Any, calibration: Calibration) -> np.ndarray:
        """Which scores lie above the cut."""
        return as_scores(scores) > self.cut(calibration)


@parameters
class Score(Cut):
    """Flags scores above a fixed value: :math:`s > v`. Needs no calibration, and promises nothing.

    Parameters
    ----------
    value : float, default 0
        In the units of the score. :func:`false_positive_budget` finds one by labelled rows.

    >>> Score(2.0).flags([1.0, 2.0, 3.0], Calibration([0.0])).tolist()
    [False, False, True]
    """

    value: float = within(default=0.0)

    def cut(self, calibration: Calibration | None = None) -> float:
        """The value itself."""
        return float(self.value)

    def promise(self, calibration_size: int, rows: int | None = None) -> str:
        """Nothing: it depends on the scores."""
        return f"Scores above {self.value:.6g} are flagged; how many normal rows those are is not known in advance."


@parameters
class Contamination(Cut):
    r"""Flags what lies above all but a share of the calibration rows: :math:`s > s_{(1 + \lfloor(1-c)(n-1)\rfloor)}`.

    The convention of scikit-learn and PyOD: rows like the calibration rows are thought to hold this share of anomalies,
    and so many of the calibration rows lie above the cut (fewer where scores are tied). It is a wish, no measurement:
    without any anomaly as many rows are flagged.

    Parameters
    ----------
    share : float in (0, 0.5], default 0.1
        As in PyOD.

    >>> Contamination(0.2).cut(Calibration(range(10)))
    7.0
    """

    share: float = within(default=0.1, low=0.0, high=0.5, above=True)

    def cut(self, calibration: Calibration) -> float:
        """The score that the share of the calibration rows lies above."""
        return float(calibration.scores[whole((1 - self.share) * (len(calibration) - 1))])

    def promise(self, calibration_size: int, rows: int | None = None) -> str:
        """Only how many are flagged."""
        flagged = calibration_size - 1 - whole((1 - self.share) * (calibration_size - 1))
        return (
            f"About {percent(self.share)} of rows like the calibration rows are flagged{of_batch(rows, self.share)}, "
            f"{flagged:,} of those {calibration_size:,} themselves, whether or not there are anomalies; how many of "
            "the flagged are false is not promised."
        )


class FalsePositiveRate(Threshold, ABC):
    r"""Flags a row where its p-value is at most a rate: :math:`p(s) \le a`, so that few normal rows are flagged."""

    @abstractmethod
    def rate(self, rows: int | None) -> float | None:
        """The share of normal rows that may be flagged in a batch of ``rows``; ``None`` where that is not known."""

    def cut(self, calibration: Calibration) -> float | None:
        """The score whose p-value is just too large; infinite where no p-value can be small enough."""
        rate = self.rate(None)
        return None if rate is None else calibration.highest(rank_at(rate, len(calibration)))

    def flags(self, scores: Any, calibration: Calibration) -> np.ndarray:
        """Which p-values are small enough."""
        ranks = calibration.ranks(scores)
        return ranks <= rank_at(self.rate(max(len(ranks), 1)) or 0.0, len(calibration))

    def promise(self, calibration_size: int, rows: int | None = None) -> str:
        """The rate, its spread over calibration sets, or how many rows are missing."""
        rate = self.rate(rows)
        if rate is None:
            return f"{smallest(calibration_size)} What rate that allows depends on the number of rows a day."
        if rate >= 1:
            return "Every row may be flagged, and is."
        rank = rank_at(rate, calibration_size)
        if not rank:
            return (
                f"Nothing can be flagged. {smallest(calibration_size)} No rate under that can be promised: "
                f"{percent(rate)} takes at least {some(fewest(1 / rate) - 1, 'calibration row')}."
            )
        mean = rank / (calibration_size + 1)
        low, high = betaincinv(rank, calibration_size + 1 - rank, [0.05, 0.95])
        return (
            f"Of normal rows at most {percent(mean)} are flagged on average{of_batch(rows, mean)}; "
            f"for 9 of 10 sets of {some(calibration_size, 'calibration row')} it is {percent(low)} to {percent(high)}."
        )


@parameters
class Quantile(FalsePositiveRate):
    r"""Flags what is stranger than a share of normal rows: :math:`p(s) \le 1 - \text{level}`. The classic.

    The cut is the calibration score at rank :math:`\lfloor (1 - \text{level})(n + 1) \rfloor` from the highest: a
    little above the plain quantile, which flags too many new rows where :math:`n` is small.

    Parameters
    ----------
    level : float in (0, 1), default 0.95
        One normal row in twenty is flagged: the custom, fit for looking at and too many for most alarms.

    References
    ----------
    Algorithmic Learning in a Random World, Vovk, Gammerman and Shafer, 2005, doi:10.1007/b106715.

    >>> Quantile(0.9).cut(Calibration(range(19)))  # two of 20 numbers lie above
    17.0
    >>> print(Quantile(0.999).promise(200))
    Nothing can be flagged. The smallest p-value of 200 calibration rows is 1/201 = 0.5 %. No rate under that can be
    promised: 0.1 % takes at least 999 calibration rows.
    """

    level: float = within(default=0.95, low=0.0, high=1.0, above=True, below=True)

    def rate(self, rows: int | None) -> float:
        """The share beyond the level."""
        return 1 - self.level


@parameters
class AlertsPerDay(FalsePositiveRate):
    r"""Flags so few that a day without anomalies has at most so many alerts, on average: :math:`p(s) \le a / m`.

    It is a budget for false alerts: real anomalies come on top, and the number of a day varies as counts do, by about
    its square root. If the calibration rows are as days usually are, anomalies and all, it is one for all alerts.

    Parameters
    ----------
    alerts : float, default 20
        What one person can look at in a day.
    rows_per_day : int, or None
        Rows that are scored in a day; ``None``: each batch is one day, and its size decides, as its promise says.

    >>> AlertsPerDay(5, rows_per_day=100).cut(Calibration(range(99)))
    94.0
    >>> AlertsPerDay(1).flags([50.0, 98.5], Calibration(range(99))).tolist()  # 1 of 2 rows
    [True, True]
    """

    alerts: float = within(default=20.0, low=0.0, above=True)
    rows_per_day: int | None = within(default=None, low=1)

    def rate(self, rows: int | None) -> float | None:
        """Alerts by rows, at most 1."""
        day = self.rows_per_day or rows
        return None if day is None else min(self.alerts / max(day, 1), 1.0)

    def promise(self, calibration_size: int, rows: int | None = None) -> str:
        """The same, and what a day is taken to be."""
        told = super().promise(calibration_size, rows)
        return (
            told if self.rows_per_day or rows is None else f"{some(rows)} {'is' if rows == 1 else 'are'} a day. {told}"
        )


def false_positive_budget(scores: Any, labels: Any, rate: float = 0.01, confidence: float | None = None) -> Score:
    r"""The lowest cut that flags at most a share of the rows that are labelled normal.

    :math:`\#\{s_i > v\} \le a\,n_0` over the :math:`n_0` normal rows; with a confidence, as many
    fewer as it takes for the true rate of new normal rows to keep to the budget, by the binomial bound: the cut is the
    normal score at the largest rank :math:`j` with :math:`P(\mathrm{Bin}(n_0, a) \ge j) \ge \text{confidence}`.

    Parameters
    ----------
    scores : array of shape (rows,)
        Of labelled rows that were not trained on.
    labels : array of shape (rows,)
        0 or False: normal; 1 or True: an anomaly. Anomalies take no part in the choice.
    rate : float in (0, 1), default 0.01
        :math:`a`.
    confidence : float in (0, 1), or None
        ``None``: the budget holds for the labelled rows, and about half of the time for new ones.

    Returns
    -------
    Score

    Raises
    ------
    DataError
        If labels are something else, no row is normal, or too few are for the confidence.

    References
    ----------
    Determination of Sample Sizes for Setting Tolerance Limits, Wilks, 1941, Annals of Mathematical Statistics 12.

    >>> false_positive_budget(range(100), [0] * 100, rate=0.05)
    Score(value=94.0)
    >>> false_positive_budget(range(100), [0] * 100, rate=0.05, confidence=0.9)
    Score(value=98.0)
    """
    for name, value in (("rate", rate), ("confidence", 0.5 if confidence is None else confidence)):
        if not 0 < value < 1:
            raise ValueError(f"{name} came as {value!r}; it must be a number above 0 and below 1.")
    numbers, marks = as_scores(scores), np.asarray(labels)
    if marks.shape != numbers.shape or not np.isin(marks, (0, 1)).all():
        raise DataError(f"labels must be {len(numbers)} times 0 (normal) or 1 (anomaly), one for each score.")
    normal = np.sort(numbers[marks == 0])[::-1]
    if not len(normal):
        raise DataError(f"none of the {len(numbers)} rows is labelled normal (0); a budget needs some.")
    rank = 1 + whole(rate * len(normal))
    if confidence is not None:
        counts = np.arange(1, len(normal) + 1)
        rank = int(np.sum(bdtrc(counts - 1, len(normal), rate) >= confidence))
        if not rank:
            needed = fewest(math.log1p(-confidence) / math.log1p(-rate))
            raise DataError(
                f"{len(normal)} rows are labelled normal; to keep a rate of {percent(rate)} with a confidence of "
                f"{percent(confidence)} takes at least {needed}. A larger rate or a smaller confidence takes fewer."
            )
    return Score(float(normal[min(rank, len(normal)) - 1])).check()


# Words


def rank_at(rate: float, size: int) -> int:
    """The largest rank whose p-value is at most a rate."""
    return whole(rate * (size + 1))


def fewest(number: float) -> int:
    """The least whole number that is not below, safe from the last bit."""
    return math.ceil(number * (1 - SLACK))


def refuse_no_batch(rows: int | None) -> None:
    """A batch has rows.

    >>> refuse_no_batch(0)
    Traceback (most recent call last):
    ValueError: rows came as 0; it must be a whole number of at least 1, or None.
    """
    if rows is not None and not (isinstance(rows, int | np.integer) and rows >= 1):
        raise ValueError(f"rows came as {rows!r}; it must be a whole number of at least 1, or None.")


def percent(share: float) -> str:
    """A share in percent, by two digits, or more where it is close to 100 %.

    >>> percent(0.05), percent(1 / 201), percent(0.999)
    ('5 %', '0.5 %', '99.9 %')
    """
    value = 100 * share
    return f"{value:.2g} %" if value < 10 else f"{value:.3g} %" if value < 99 else f"{value:.5g} %"


def some(number: int, what: str = "row") -> str:
    """A number of things, one or many.

    >>> some(1), some(1000, "calibration row")
    ('1 row', '1,000 calibration rows')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def smallest(size: int) -> str:
    """The smallest p-value, in a sentence."""
    least = percent(1 / (size + 1))
    return f"The smallest p-value of {some(size, 'calibration row')} is 1/{size + 1:,} = {least}."


def of_batch(rows: int | None, share: float) -> str:
    """How many of a batch that is, in brackets.

    >>> of_batch(7267, 0.0092), of_batch(200, 0.01), of_batch(10**6, 0.05)
    (' (about 67 of 7,267)', ' (about 2 of 200)', ' (about 50,000 of 1,000,000)')
    """
    if rows is None:
        return ""
    number = share * rows
    return f" (about {number:,.0f} of {rows:,})" if number >= 10 else f" (about {number:.2g} of {rows:,})"

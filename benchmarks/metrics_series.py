r"""What a score of time points is worth: range-aware curves and the volume under them, without point adjustment.

The range-aware areas give partial credit near an anomaly (a buffer of :math:`\ell` points, half on each side) and ask
that every anomaly is met at all. The volume is their mean over buffers of 0 to :math:`L` points. Points are never
adjusted: a hit somewhere within an anomaly says nothing about its other points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


class Areas(NamedTuple):
    """Area under precision against recall, and under recall against false positive rate."""

    precision_recall: float
    receiver: float


def spans(labels: np.ndarray) -> list[tuple[int, int]]:
    """Each anomaly as (first, behind the last).

    >>> spans(np.array([0, 1, 1, 0, 1]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(labels) != 0, [0]]).astype(np.int8)))
    return [(int(first), int(behind)) for first, behind in edges.reshape(-1, 2)]


def buffered(labels: np.ndarray, buffer: int) -> np.ndarray:
    r"""Labels with a slope on both sides: :math:`\sqrt{1 - d / \ell}` at a distance of up to :math:`\ell / 2` points.

    >>> buffered(np.array([0, 0, 0, 1, 0, 0]), 4).round(3).tolist()
    [0.0, 0.707, 0.866, 1.0, 0.866, 0.707]
    """
    slopes = (np.asarray(labels) != 0).astype(np.float64)
    half = buffer // 2
    if not half:
        return slopes
    heights = np.sqrt(1 - np.arange(1, half + 1) / buffer)
    whole = slopes.copy()
    for first, behind in spans(labels):
        before = min(half, first)
        whole[first - before : first] += heights[:before][::-1]
        after = min(half, len(whole) - behind)
        whole[behind : behind + after] += heights[:after]
    return np.minimum(whole, 1.0)


class Ranking:
    """Scores in falling order; thresholds lie between different scores.

    Parameters
    ----------
    labels : ndarray of shape (time,)
        1 where a point is anomalous.
    scores : ndarray of shape (time,)
        Higher is stranger; none may be missing.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray) -> None:
        labels, scores = np.asarray(labels) != 0, np.asarray(scores, dtype=np.float64)
        if labels.shape != scores.shape or labels.ndim != 1:
            raise ValueError(f"Labels have shape {labels.shape}, scores {scores.shape}. Give (time,) for both.")
        if not np.isfinite(scores).all() or not labels.any() or labels.all():
            raise ValueError("Scores must be finite, and some points anomalous, others not.")
        self.labels = labels
        self.order = np.argsort(-scores, kind="stable")
        ordered = scores[self.order]
        self.last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # of each group of equal scores
        self.place = np.empty(len(ordered), dtype=np.int64)  # of a point: the threshold that meets it first
        self.place[self.order] = np.repeat(np.arange(len(self.last)), np.diff(self.last, prepend=-1))

    def areas(self, buffer: int) -> Areas:
        """Range-aware areas for one length of the buffer, over all thresholds."""
        weights = buffered(self.labels, buffer)
        positive = float(self.labels.sum())
        hits = np.cumsum(weights[self.order])[self.last]
        flagged = self.last + 1.0
        near = np.cumsum(np.where(self.labels, 0.0, weights)[self.order])[self.last]  # buffer that was flagged
        size = positive + near / 2
        ranges = spans(weights > 0)
        first = np.sort([self.place[first:behind].min() for first, behind in ranges])
        met = np.searchsorted(first, np.arange(len(self.last)), side="right") / len(ranges)
        recall = np.minimum(hits / size, 1.0) * met
        precision = hits / flagged
        false = (flagged - hits) / (len(weights) - size)
        steps = np.diff(recall, prepend=0.0)
        before = np.concatenate([[0.0], recall, [1.0]])
        rates = np.concatenate([[0.0], false, [1.0]])
        receiver = float(np.sum(np.diff(rates) * (before[1:] + before[:-1]) / 2))
        return Areas(float(np.sum(steps * precision)), receiver)


def volume(labels: np.ndarray, scores: np.ndarray, longest: int) -> Areas:
    r"""Volumes under the surfaces: :math:`\tfrac1{L+1}\sum_{\ell=0}^{L}` of the range-aware areas (VUS-PR, VUS-ROC).

    With weights :math:`w` of the buffered labels, the original positives :math:`P` and a threshold's flags :math:`f`:
    :math:`TP = \sum w f`, :math:`\text{precision} = TP / \sum f`, :math:`\text{recall} = \min(1, TP / P')` times the
    share of the buffered anomalies that are met, where :math:`P'` is the mean of :math:`P` and of :math:`P` with the
    buffer that was flagged. All different scores are thresholds.

    Parameters
    ----------
    labels, scores : ndarray of shape (time,)
        As in :class:`Ranking`.
    longest : int
        The longest buffer :math:`L`; the length of a window.

    References
    ----------
    Volume Under the Surface: A New Accuracy Evaluation Measure for Time-Series Anomaly Detection, Paparrizos, Boniol,
    Palpanas, Tsay, Elmore and Franklin, PVLDB 15(11), 2022, doi:10.14778/3551793.3551830.

    >>> labels = np.array([0, 0, 0, 1, 1, 0, 0, 0])
    >>> volume(labels, labels.astype(float), 0).precision_recall
    1.0
    """
    ranking = Ranking(labels, scores)
    areas = np.array([ranking.areas(buffer) for buffer in range(longest + 1)])
    return Areas(*areas.mean(0).tolist())


def point_areas(labels: np.ndarray, scores: np.ndarray) -> Areas:
    """Average precision and AUROC of single points.

    >>> point_areas(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.8, 0.7])).receiver
    0.75
    """
    return Areas(float(average_precision_score(labels, scores)), float(roc_auc_score(labels, scores)))

"""How unusual a score is among scores of rows that were never trained on: conformal p-values and their bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import betainc, gammaln
from scipy.stats import nbinom

from ..core.errors import DataError

DRAWS = 4000  # simulated batches; the quantile taken of them allows for their number
SEED = 0xC0F0
FINEST, GRID = 30, 60  # ranks that are bounded one by one, and how many beyond them
SLACK = 1e-9  # relative; products of rates and counts that are whole numbers must stay whole


def as_scores(values: Any, whose: str = "score") -> np.ndarray:
    """Scores as float64 of shape (rows,); a missing one is refused by its row.

    Raises
    ------
    DataError
        If there is more than one axis, or a NaN.

    >>> as_scores([0.5, float("nan")])
    Traceback (most recent call last):
    diabolo.core.errors.DataError: row 1: the score is missing (NaN), so nothing can be said about the row.
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise DataError(f"{whose}s came in the shape {scores.shape}; they must be one number a row: (rows,).")
    missing = np.flatnonzero(np.isnan(scores))
    if len(missing):
        raise DataError(f"row {missing[0]}: the {whose} is missing (NaN), so nothing can be said about the row.")
    return scores


@dataclass(frozen=True, eq=False)
class Calibration:
    r"""What scores are normal: those of :math:`n` rows that took no part in the training, sorted.

    If a new row is exchangeable with these (drawn as they were, whatever the model is), then its p-value

    .. math:: p(s) = \frac{1 + \#\{i : s_i \ge s\}}{n + 1}

    is at most :math:`a` with probability at most :math:`a`, for each :math:`a` and any :math:`n`. Only the order of
    scores matters. Ties count against the new row, infinite scores are scores. A share :math:`c` of anomalies among the
    calibration rows that score higher than normal ones makes p-values larger, which costs power and not validity: of
    new anomalies like them few get p-values much below :math:`c`. (Anomalies that score lower than normal rows would
    lower p-values, by at most the factor :math:`1 - c`.) What to do is said at :meth:`without`.

    Parameters
    ----------
    scores : array of shape (n,), n >= 1
        Higher is stranger. Rows that were trained on would have scores that are too low, and promises would be broken.

    Raises
    ------
    DataError
        If there is none, or one of them is NaN.

    References
    ----------
    Testing for Outliers with Conformal p-values, Bates, Candès, Lei, Romano and Sesia, 2023, Annals of Statistics 51,
    arXiv:2104.08279.

    >>> calibration = Calibration([3.0, 1.0, 2.0, 2.0])
    >>> calibration.p_values([0.0, 2.0, 9.0]).tolist()
    [1.0, 0.8, 0.2]
    """

    scores: np.ndarray

    def __post_init__(self) -> None:
        scores = np.sort(as_scores(self.scores, "calibration score"))
        if not len(scores):
            raise DataError("0 calibration scores came; p-values need at least 1 row that was not trained on.")
        scores.setflags(write=False)
        object.__setattr__(self, "scores", scores)

    def __len__(self) -> int:
        return len(self.scores)

    def ranks(self, scores: Any) -> np.ndarray:
        """Where each score would stand among the calibration's, from 1 (above all) to n + 1, ties behind.

        >>> Calibration([1.0, 2.0, 3.0]).ranks([9.0, 2.0]).tolist()
        [1, 3]
        """
        return 1 + len(self) - np.searchsorted(self.scores, as_scores(scores), side="left")

    def p_values(self, scores: Any) -> np.ndarray:
        """Conformal p-values: small for strange rows, from 1/(n + 1) to 1.

        Parameters
        ----------
        scores : array of shape (rows,)

        Returns
        -------
        ndarray of shape (rows,), float64

        >>> Calibration([1.0, 2.0, 3.0]).p_values([float("inf")]).tolist()
        [0.25]
        """
        return self.ranks(scores) / (len(self) + 1)

    def conditional_p_values(self, scores: Any, confidence: float = 0.9) -> np.ndarray:
        """P-values that hold for this very calibration set, with a probability of ``confidence`` over its draw.

        Plain p-values hold on average over calibration sets; an unlucky set breaks them for every batch that it ever
        judges. Each plain p-value is raised to :func:`upper_bound` of its rank.

        Parameters
        ----------
        scores : array of shape (rows,)
        confidence : float in (0, 1), default 0.9

        Returns
        -------
        ndarray of shape (rows,), float64

        >>> Calibration(range(99)).conditional_p_values([100.0]).round(4).tolist()  # 0.01 on average
        [0.0459]
        """
        return upper_bound(self.ranks(scores), len(self), confidence)

    def highest(self, rank: int) -> float:
        """The score of the calibration row at a rank counted from the highest; infinite beyond both ends.

        >>> Calibration([1.0, 2.0, 3.0]).highest(1), Calibration([1.0]).highest(0), Calibration([1.0]).highest(2)
        (3.0, inf, -inf)
        """
        return float(self.scores[len(self) - rank]) if 1 <= rank <= len(self) else np.inf if rank < 1 else -np.inf

    def without(self, anomalies: Any) -> Calibration:
        """The calibration without rows that somebody looked at and found to be anomalies, given by their scores.

        This is how power comes back where the calibration rows hold some: look at the highest, and take out those that
        are no normal rows. Promises stay what they are, because no normal row goes. Dropping the highest rows unseen
        would break them, even by the right number: the highest rows are never all anomalies.

        Parameters
        ----------
        anomalies : array of shape (k,), k < n
            Scores of calibration rows, one for each row that goes.

        >>> len(Calibration([1.0, 2.0, 9.0, 9.0]).without([9.0]))
        3
        """
        values, counts = np.unique(as_scores(anomalies), return_counts=True)
        first, last = (np.searchsorted(self.scores, values, side=side) for side in ("left", "right"))
        lacking = np.flatnonzero(last - first < counts)
        if len(lacking):
            at = lacking[0]
            raise DataError(
                f"{counts[at]} calibration rows with the score {values[at]:.17g} are to go, but there are only "
                f"{last[at] - first[at]}."
            )
        gone = [np.arange(start, start + count) for start, count in zip(first, counts, strict=True)]
        return Calibration(np.delete(self.scores, np.concatenate([np.zeros(0, dtype=int), *gone])))


def whole(number: float) -> int:
    """The whole part of a product of a rate and a count, safe from the last bit.

    >>> (1 - 0.9) * 10, whole((1 - 0.9) * 10)
    (0.9999999999999998, 1)
    """
    return int(np.floor(number * (1 + SLACK)))


def upper_bound(ranks: np.ndarray | int, size: int, confidence: float) -> np.ndarray:
    r"""Upper bounds of the true p-values at all ranks of a calibration set at once, after Simes, generalized.

    .. math:: b_r = 1 - \left(\delta \prod_{j=0}^{k-1} \frac{n + 1 - r - j}{n - j}\right)^{1/k},
              \quad k = n/2, \quad b_r = 1 \text{ where } n + 1 - r < k

    With :math:`U_{(1)} \le \dots \le U_{(n)}` uniform, :math:`P(U_{(r)} \le b_r \text{ for all } r) \ge 1 - \delta`
    exactly, for any :math:`n`. Of the known bounds it is the lowest at ranks 1 to about 20 (4.6, 2.0 and 1.5 times
    the plain p-value at ranks 1, 5 and 20 of 1,000 and a confidence of 0.9), and small p-values are those that decide.
    A simulated bound with the same chance of failure at each rank is 5.1, 2.5 and 1.6 there and better only beyond
    rank 40; the Dvoretzky-Kiefer-Wolfowitz bound adds 0.034 to each, which no batch survives.

    Parameters
    ----------
    ranks : array of int, from 1 to size + 1
    size : int
        Calibration rows, n.
    confidence : float in (0, 1)
        :math:`1 - \delta`.

    Returns
    -------
    ndarray of the shape of ranks, in (0, 1]

    References
    ----------
    Testing for Outliers with Conformal p-values, Bates, Candès, Lei, Romano and Sesia, 2023, arXiv:2104.08279.
    On Generalized Simes Critical Constants, Sarkar, 2008, Biometrical Journal 50.

    >>> upper_bound(np.array([1, 5, 1001]), 1000, 0.9).round(4).tolist()
    [0.0046, 0.0101, 1.0]
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence came as {confidence!r}; it must be a number above 0 and below 1.")
    k, left = max(size // 2, 1), size + 1 - np.asarray(ranks)
    inside = left >= k
    left = np.where(inside, left, k)
    product = gammaln(left + 1) - gammaln(left - k + 1) - gammaln(size + 1) + gammaln(size - k + 1)
    return np.where(inside, -np.expm1((np.log1p(-confidence) + product) / k), 1.0)


@lru_cache(maxsize=256)
def false_counts(size: int, rows: int, confidence: float, highest: int) -> tuple[np.ndarray, np.ndarray]:
    r"""How many normal rows of a batch may stand above a calibration rank, at most, at all ranks at once.

    The count :math:`V_r` of the normal among ``rows`` that have a rank of at most :math:`r` does not depend on what
    scores are: it is that of :math:`m` new among :math:`n` old uniform numbers (a Pólya urn). Simulated batches give
    bounds :math:`B_r` with :math:`P(V_r \le B_r \text{ for all } r) \ge` ``confidence``, where each rank has the same
    chance of failure. As the bounds hold together, a rank may be chosen after looking at the batch.

    Parameters
    ----------
    size, rows : int
        Rows of the calibration and of the batch.
    confidence : float in (0, 1)
    highest : int
        Ranks beyond it are of no interest.

    Returns
    -------
    ranks : ndarray of int, rising
        Each of the first 30, then ever fewer.
    bounds : ndarray of int, of the same shape

    References
    ----------
    Transductive Conformal Inference with Adaptive Scores, Gazin, Blanchard and Roquain, 2024, arXiv:2310.18108.

    >>> ranks, bounds = false_counts(1000, 1000, 0.95, 100)
    >>> ranks[:3].tolist(), bounds[:3].tolist()
    ([1, 2, 3], [6, 9, 11])
    """
    top = min(max(highest, 1), size)
    ranks = np.unique([*range(1, min(top, FINEST) + 1), *np.geomspace(1, top, GRID).astype(int)])
    generator = np.random.default_rng(SEED)
    gaps = generator.gamma(np.diff([0, *ranks, size + 1]), size=(DRAWS, len(ranks) + 1))
    counts = generator.multinomial(rows, gaps / gaps.sum(axis=1, keepdims=True)).cumsum(axis=1)[:, :-1]
    chance = np.where(counts > 0, betainc(np.maximum(counts, 1), ranks, rows / (rows + size)), 1.0)
    worst = np.sort(chance.min(axis=1))
    allowed = whole((1 - confidence) * (DRAWS + 1))
    if not allowed:
        raise ValueError(f"confidence came as {confidence!r}; it must be a number above 0 and of at most 0.9997.")
    return ranks, nbinom.isf(worst[allowed - 1] * (1 - SLACK), ranks, size / (rows + size)).astype(int)

"""The anomaly detector in PyOD's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import erf
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .anomaly import AnomalyDetector
from .scores import AnomalyScore


class PyODDetector(BaseEstimator):
    r"""An :class:`~diabolo.AnomalyDetector` that answers as PyOD's detectors do; PyOD itself is not needed.

    Scores are higher for stranger rows, labels are 0 and 1, and :math:`\text{threshold\_} = s_{(1 - c)}` is the score
    above which the share :math:`c` of the training rows lies. That is a wish, no measurement: for p-values, rules that
    promise something, and reasons, ask ``detector_``.

    Parameters
    ----------
    contamination : float in (0, 0.5], default 0.1
        :math:`c`, as in PyOD.
    estimator, scores, calibration, random_state
        As of an :class:`~diabolo.AnomalyDetector`.

    Attributes
    ----------
    detector_ : AnomalyDetector
        Fitted.
    decision_scores_ : ndarray of float64, ``(rows,)``
        Of the training rows.
    labels_ : ndarray of int, ``(rows,)``
        1 for those above the threshold, else 0.
    threshold_ : float

    References
    ----------
    PyOD: A Python Toolbox for Scalable Outlier Detection, Zhao, Nasrullah and Li, 2019, arXiv:1901.01588.

    >>> from sklearn.datasets import load_wine
    >>> from diabolo import VAE
    >>> X = load_wine().data
    >>> detector = PyODDetector(contamination=0.1, estimator=VAE(code_size=2, epochs=2), random_state=0).fit(X)
    >>> detector.decision_scores_.shape, int(detector.labels_.sum()), detector.predict_proba(X).shape
    ((178,), 18, (178, 2))
    """

    def __init__(
        self,
        contamination: float = 0.1,
        *,
        estimator: Any = None,
        scores: Sequence[AnomalyScore | str] | None = None,
        calibration: float = 0.2,
        random_state: Any = None,
    ) -> None:
        self.contamination = contamination
        self.estimator = estimator
        self.scores = scores
        self.calibration = calibration
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train, and score the training rows.

        Parameters
        ----------
        X : data of any kind that the estimator takes
        y : ignored

        Raises
        ------
        ValueError
            If the contamination is not above 0 and at most 0.5.
        """
        share = self.contamination
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 0.5:
            raise ValueError(f"contamination came as {share!r}; it must be a number above 0, at most 0.5.")
        self.detector_ = AnomalyDetector(
            self.estimator, scores=self.scores, calibration=self.calibration, random_state=self.random_state
        ).fit(X)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.detector_, name):
                setattr(self, name, getattr(self.detector_, name))
        self.decision_scores_ = self.detector_.anomaly_score(X)
        self.threshold_ = float(np.percentile(self.decision_scores_, 100 * (1 - share)))
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        self._classes = 2
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """How strange each row is: ``(rows,)``, higher is stranger (scikit-learn has it the other way round)."""
        check_is_fitted(self, "detector_")
        return self.detector_.anomaly_score(X)

    def predict(self, X: Any, return_confidence: bool = False) -> Any:
        """1 for rows above the threshold, else 0; with the confidence of :meth:`predict_confidence` if asked for."""
        labels = (self.decision_function(X) > self.threshold_).astype(int)
        return (labels, self.predict_confidence(X)) if return_confidence else labels

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit, and give ``labels_``."""
        return self.fit(X, y).labels_

    def predict_proba(self, X: Any, method: str = "linear", return_confidence: bool = False) -> Any:
        r"""Scores between 0 and 1: ``(rows, 2)``, first of being normal, then of being strange. No probabilities.

        Parameters
        ----------
        X : data of the kind that was fitted
        method : {"linear", "unify"}, default "linear"
            Linear from the lowest to the highest training score, cut off beyond them; or
            :math:`\max(0, \mathrm{erf}\frac{s - \mu}{\sigma \sqrt 2})` by mean and deviation of the training scores.
        return_confidence : bool, default False
            Give :meth:`predict_confidence` as well.

        References
        ----------
        Interpreting and Unifying Outlier Scores, Kriegel, Kröger, Schubert and Zimek, 2011,
        doi:10.1137/1.9781611972818.2.
        """
        scores, known = self.decision_function(X), self.decision_scores_
        if method == "linear":
            span = float(known.max() - known.min()) or 1.0
            strange = np.clip((scores - known.min()) / span, 0.0, 1.0)
        elif method == "unify":
            spread = float(known.std()) or 1.0
            strange = np.clip(erf((scores - known.mean()) / (spread * np.sqrt(2))), 0.0, 1.0)
        else:
            raise ValueError(f"method came as {method!r}; it must be 'linear' or 'unify'.")
        both = np.stack([1 - strange, strange], axis=1)
        return (both, self.predict_confidence(X)) if return_confidence else both

    def predict_confidence(self, X: Any) -> np.ndarray:
        """How likely each row's label would be the same if the training rows were others: ``(rows,)``.

        References
        ----------
        Quantifying the Confidence of Anomaly Detectors in Their Example-Wise Predictions, Perini, Vercruyssen and
        Davis, 2020, doi:10.1007/978-3-030-67664-3_14.
        """
        from scipy.stats import binom

        scores = self.decision_function(X)
        n = len(self.decision_scores_)
        below = np.searchsorted(np.sort(self.decision_scores_), scores, side="right")
        strange = 1 - binom.cdf(n - int(n * self.contamination), n, (1 + below) / (2 + n))
        return np.where(scores > self.threshold_, strange, 1 - strange)


__all__ = ["PyODDetector"]

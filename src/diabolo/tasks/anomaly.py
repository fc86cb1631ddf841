"""Telling strange rows from normal ones: scores, p-values, flags, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from scipy.special import logsumexp, softmax
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from ..architectures import MLP
from ..bottlenecks import Identity
from ..core.parts import as_part, from_plain, to_plain
from ..core.roundtrip import RoundTrip
from ..corruptions import NoiseLevels
from ..data.choosing import open_data
from ..data.explained import explained
from ..data.memory import is_frame
from ..data.rows import Rows
from ..data.source import Source
from ..data.tables import INFER
from ..estimators.base import Estimator
from ..estimators.ensemble import EnsembleAutoencoder
from ..estimators.general import Autoencoder
from ..estimators.planning import rows_held_out
from ..estimators.storage import Task
from ..training import Watcher
from ..training.seeding import mix, seed_from
from .conformal import Calibration
from .cuts import percent, refuse_no_batch
from .reasons import AnomalyExplanation, flat_for_user, shares
from .scores import AnomalyScore, CodeDistance, ConditionalError, NeighborDistance, NeighborScore, ReconstructionError
from .thresholds import Quantile, Threshold
from .trimming import remoteness

HOLDING_OUT, TRIMMING = 0xCA11B, 0x7213
MOST_CELLS = 4096  # of a row, where cells are compared one by one
MOST_RELATED = 512  # of a row, where each is expected by all others
MOST_ROWS = 10_000  # training rows that scores learn from
NUMBERS = (int, float, np.integer, np.floating)
FLOOR = 0.05  # of the usual score, below which differences say nothing
UPPER = 0.84  # of the calibration: a deviation above the median, were scores normal
NEAREST = 5  # normal rows that an explanation names
FEW_COPIES = 0.01  # of the calibration rows, which are no matter
ROUNDING = 1e-6  # of a logarithm; spreads below it are those of rows that are all the same


class AnomalyDetector(Task, OutlierMixin, BaseEstimator):
    r"""Tells rows that are unlike the training rows: :math:`s(x) = \log \frac1K \sum_k e^{z_k(x)}`,
    :math:`z_k = (\log s_k(x) - m_k) / d_k`.

    Several views :math:`s_k` of a row's round trip (:mod:`diabolo.tasks.scores`) are put together: strange is what one
    of them finds strange. Median :math:`m_k` of their logarithms and :math:`d_k`, how far the 84th percentile lies
    above it (a deviation, were they normal), come from calibration rows, which are held out of all training: 0 is a
    usual row, 1 is a deviation above it, and there is no upper end. A row of which nothing is known does not look
    strange, unless the table has columns that say what is missing, and has no reasons.

    Parameters
    ----------
    estimator : Estimator, FrozenEstimator, or None
        Any autoencoder; a clone is fitted. A fitted one in scikit-learn's ``FrozenEstimator`` is used as it is; what it
        was trained on should not be among the rows to calibrate by. ``None``: for tables eight networks of 64 units
        that learn side by side to undo noise of all strengths; for pictures and signals what suits these.
    scores : sequence of AnomalyScore or str, or None
        What is put together. ``None``: the reconstruction error and the distance to the nearest other training row for
        tables, to the fifth nearest by code for pictures and signals.
    threshold : Threshold, str, or None
        What :meth:`is_anomaly` goes by; ``None``: ``Quantile(0.95)``. It can be changed at any
        time, also after loading.
    contamination : float in (0, 0.5], or "auto"
        Where :meth:`predict` cuts: so that this share of the training rows is flagged, as in scikit-learn; ``"auto"``:
        where the threshold does or, for one that looks at whole batches, where ``Quantile(0.95)`` does; where there are
        too few calibration rows for that, above all of them.
    calibration : float in [0, 1), default 0.2
        Share of the rows that is held out to calibrate by; none below 20 rows, where training rows have to do and
        nothing is promised. No network is trained on them; without ``trimming`` other rows may have them for neighbors.
    trimming : float in [0, 1), default 0
        Share of the rows that is left out of training because they lie far from most: for data that holds anomalies,
        0.3 (see :func:`remoteness`). A network that never sees them cannot learn to bring them back. Calibration rows
        stay as they are.
    random_state : int, numpy generator, or None
        Of the training, and of the choice of the calibration rows.

    Attributes
    ----------
    estimator_ : Estimator
        Fitted.
    scores_ : list of AnomalyScore
    calibration_ : Calibration
        The scores of the calibration rows.
    calibrated_ : bool
        Whether these rows were held out.
    copied_ : float
        The share of these rows that equal a training row. Rows of few discrete columns do; where rows were copied,
        calibration rows look more usual than new ones, and p-values are too small.
    offset_ : float
        ``decision_function`` is ``score_samples`` less this; below 0 is an anomaly.

    References
    ----------
    ADBench: Anomaly Detection Benchmark, Han, Hu, Huang, Jiang and Zhao, 2022, arXiv:2206.09426.
    Testing for Outliers with Conformal p-values, Bates, Candès, Lei, Romano and Sesia, 2023, arXiv:2104.08279.

    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> detector = AnomalyDetector(random_state=0).fit(X[y == 1][:200])
    >>> found = detector.is_anomaly(X[300:])
    >>> bool(found[y[300:] == 0].mean() > 0.5), bool(found[y[300:] == 1].mean() < 0.1)
    (True, True)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        scores: Sequence[AnomalyScore | str] | None = None,
        threshold: Threshold | str | None = None,
        contamination: float | str = "auto",
        calibration: float = 0.2,
        trimming: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.scores = scores
        self.threshold = threshold
        self.contamination = contamination
        self.calibration = calibration
        self.trimming = trimming
        self.random_state = random_state

    # Fitting

    def fit(self, X: Any, y: Any = None, *, watchers: Sequence[Watcher] = ()) -> Self:
        """Train on most rows and calibrate by the others.

        Parameters
        ----------
        X : data of any kind that the estimator takes
            Normal rows, or mostly normal ones.
        y : ignored
        watchers : sequence of Watcher
            Who looks on while training, and may choose what is kept: ``[EntropyStop()]`` where the rows hold anomalies.

        Returns
        -------
        self

        Raises
        ------
        DataError, ShapeError, ValueError
            If data or parameters cannot be used.
        """
        self._check_parameters()
        if watchers and isinstance(self.estimator, FrozenEstimator):
            raise ValueError("watchers look on while a model trains, and a frozen one does not; leave them out.")
        X = self._checked(X, reset=True)
        source = open_data(X)
        self.seed_ = seed = seed_from(self.random_state)
        held_out = calibration_rows(source, self.calibration, seed)
        self.calibrated_ = bool(len(held_out))
        model = self._model(X, source)
        rest = self._rows_to_train(model, source, held_out)
        train = Rows(source, rest) if len(rest) < source.rows else source
        self.estimator_ = model if isinstance(self.estimator, FrozenEstimator) else model.fit(train, watchers=watchers)
        self._know_features_of(self.estimator_)
        trained = self._learn(source, rest)
        self._calibrate(Rows(source, held_out) if self.calibrated_ else source)
        self.copied_ = self._share_of_copies(trained, Rows(source, held_out)) if self.calibrated_ else 0.0
        self._cut(X)
        return self

    def _check_parameters(self) -> None:
        """Refuse what cannot be used before anything is trained."""
        for name in ("calibration", "trimming"):
            share = getattr(self, name)
            if not isinstance(share, NUMBERS) or not 0 <= share < 1:
                raise ValueError(f"{name} came as {share!r}; it must be a number of at least 0 and below 1.")
        given: Any = self.contamination
        if given != "auto" and (not isinstance(given, NUMBERS) or not 0 < given <= 0.5):
            raise ValueError(f"contamination came as {given!r}; it must be 'auto' or a number above 0, at most 0.5.")
        if self.scores is not None:
            self._given_scores(self.scores)
        self._threshold()

    def _model(self, X: Any, source: Source) -> Estimator:
        """What is to be fitted: a clone of the estimator, or that one itself, if it is frozen and fitted already."""
        if isinstance(self.estimator, FrozenEstimator):
            frozen: Estimator = self.estimator.estimator
            check_is_fitted(frozen, "network_")
            return frozen
        if self.estimator is not None and not isinstance(self.estimator, Estimator):
            raise TypeError(
                f"estimator came as {self.estimator!r}; it must be an autoencoder of this library, such as VAE(), a "
                "fitted one in FrozenEstimator, or None."
            )
        model = default_estimator(source, hasattr(X, "columns")) if self.estimator is None else clone(self.estimator)
        if self.random_state is not None or model.random_state is None:
            model.set_params(random_state=mix(self.seed_, 0))
        return model

    def _rows_to_train(self, model: Estimator, source: Source, held_out: np.ndarray) -> np.ndarray:
        """The numbers of the rows that take part in training: not held out, and not too far from most."""
        rest = np.setdiff1d(np.arange(source.rows), held_out)
        if not len(rest):
            raise ValueError(f"calibration={self.calibration!r} leaves none of the {source.rows} rows to train on.")
        if not self.trimming:
            return rest
        far = remoteness(model, Rows(source, rest), mix(self.seed_, TRIMMING))
        near = np.argsort(far, kind="stable")[: max(1, round((1 - self.trimming) * len(rest)))]
        return np.sort(rest[near])

    def _learn(self, source: Source, rest: np.ndarray) -> RoundTrip:
        """Show training rows to the views, and give them back; views that leave a row itself out see the rows to
        calibrate by as well."""
        trained = known = self._shown(source, rest)
        self.scores_ = self._chosen_scores()
        self.conditional_ = ConditionalError() if trained[1].target[0].numel() <= MOST_RELATED else None
        views = [*self.scores_, *self._explaining()]
        if not self.trimming and any(view.leaves_one_out for view in views):
            known = self._shown(source, np.arange(source.rows))
        for view in views:
            view.learn(self.estimator_, (known if view.leaves_one_out else trained)[1])
        near = self._near()
        self.references_ = (known if near is not None and near.leaves_one_out else trained)[0]
        return trained[1]

    def _share_of_copies(self, trained: RoundTrip, held_out: Source) -> float:
        """How many of the rows to calibrate by equal a row that was trained on."""
        there = set(cells_as_bytes(trained))
        trips = self.estimator_.round_trips(held_out)
        return float(np.mean([key in there for trip in trips for key in cells_as_bytes(trip)]))

    def _shown(self, source: Source, rows: np.ndarray) -> tuple[np.ndarray, RoundTrip]:
        """The round trips of these rows, of many a sample, and the numbers of those it is."""
        random = np.random.default_rng(mix(self.seed_, HOLDING_OUT))
        chosen = rows[np.sort(random.permutation(len(rows))[:MOST_ROWS])]
        return chosen, RoundTrip.joined(list(self.estimator_.round_trips(Rows(source, chosen))))

    def _chosen_scores(self) -> list[AnomalyScore]:
        """The scores that were asked for, or those that suit the data."""
        if self.scores is not None:
            return self._given_scores(self.scores)
        shape = self.estimator_.modality_.shape
        if len(shape) == 1 and math.prod(shape) <= MOST_CELLS:
            return [ReconstructionError(), NeighborDistance()]
        return [ReconstructionError(), CodeDistance()]

    def _given_scores(self, given: Any) -> list[AnomalyScore]:
        """Parts from parts and names; clones, since they learn."""
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise ValueError(
                f"scores came as {given!r}; it must be a list of one or more, such as [NeighborDistance()]."
            )
        return [as_part(AnomalyScore, score).clone().check() for score in given]

    def _explaining(self) -> list[ConditionalError]:
        """What says which cells fit badly to their row, where these are few enough."""
        return [] if self.conditional_ is None else [self.conditional_]

    def _calibrate(self, source: Any) -> None:
        """Learn what scores are usual."""
        raw = self._raw(source)
        usual = np.median(raw, axis=0)
        self.floors_ = FLOOR * np.where(usual > 0, usual, np.maximum(raw.mean(0), 1e-12))
        logs = np.log(raw + self.floors_)
        self.centers_ = np.median(logs, axis=0)
        off = np.quantile(logs, UPPER, axis=0) - self.centers_
        spread = logs.std(0)
        self.spreads_ = np.where(off > ROUNDING, off, np.where(spread > ROUNDING, spread, 1.0))
        self.calibration_ = Calibration(self._together(raw))

    def _cut(self, X: Any) -> None:
        """Find where :meth:`predict` tells normal from strange."""
        if self.contamination == "auto":
            cuts = (rule.cut(self.calibration_) for rule in (self._threshold(), Quantile()))
            cut = next(cut for cut in cuts if cut is not None)
            self.offset_ = -(cut if np.isfinite(cut) else self.calibration_.highest(1))
        else:
            self.offset_ = float(np.percentile(self.score_samples(X), 100.0 * float(self.contamination)))

    def _threshold(self, threshold: Threshold | str | None = None) -> Threshold:
        """The rule that flags: the one given, the detector's own, or the usual one."""
        chosen = self.threshold if threshold is None else threshold
        return as_part(Threshold, Quantile() if chosen is None else chosen).check()

    @property
    def rule(self) -> Threshold:
        """What flags where nothing else is asked for: ``threshold`` as a part, the usual one where that is ``None``."""
        return self._threshold()

    def change_threshold(self, threshold: Threshold | str | None) -> Self:
        """Flag by another rule from now on; nothing is fitted anew, and :meth:`save` keeps it.

        >>> from sklearn.datasets import load_wine
        >>> detector = AnomalyDetector(random_state=0).fit(load_wine().data)
        >>> detector.change_threshold(Quantile(0.5)).threshold
        Quantile(level=0.5)
        """
        check_is_fitted(self, "calibration_")
        self._threshold(threshold)
        self.threshold = threshold
        if self.contamination == "auto":
            self._cut(None)
        return self

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """The user's data with scikit-learn's checks and bookkeeping for matrices and frames; the autoencoder checks
        what else there is."""
        plain = isinstance(X, np.ndarray) and X.ndim < 3 and X.dtype.kind not in "OSU" and not np.ma.isMaskedArray(X)
        if plain or hasattr(X, "tocsr"):
            options = {"accept_sparse": "csr", "dtype": "numeric", "ensure_all_finite": False}
            return validate_data(self, X, reset=reset, **options)
        if is_frame(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
        return X

    # Scores

    @torch.no_grad()
    def raw_scores(self, X: Any) -> dict[str, np.ndarray]:
        """Each view by its name, before they are put together: ``(rows,)`` each, at least 0, higher is stranger.

        Views of one name are told apart by their parameters.
        """
        check_is_fitted(self, "calibration_")
        raw, names = self._raw(self._checked(X, reset=False)), [type(score).__name__ for score in self.scores_]
        named = [name if names.count(name) == 1 else repr(self.scores_[at]) for at, name in enumerate(names)]
        return {name: raw[:, at] for at, name in enumerate(named)}

    @torch.no_grad()
    def _raw(self, X: Any) -> np.ndarray:
        """All views: ``(rows, scores)``."""
        check_is_fitted(self, "scores_")
        model = self.estimator_
        made = [torch.stack([score(model, trip) for score in self.scores_], 1) for trip in model.round_trips(X)]
        return torch.cat(made).double().cpu().numpy()

    def _parts(self, raw: np.ndarray) -> np.ndarray:
        """Each view in units of what is usual: ``(rows, scores)``."""
        return np.asarray((np.log(raw + self.floors_) - self.centers_) / self.spreads_)

    def _together(self, raw: np.ndarray) -> np.ndarray:
        """The soft maximum of all views: ``(rows,)``."""
        return np.asarray(logsumexp(self._parts(raw), axis=1) - math.log(raw.shape[1]))

    def anomaly_score(self, X: Any) -> np.ndarray:
        """How strange each row is: ``(rows,)``, higher is stranger, 0 is usual. Never samples."""
        check_is_fitted(self, "calibration_")
        return self._together(self._raw(self._checked(X, reset=False)))

    def score_samples(self, X: Any) -> np.ndarray:
        """The opposite of :meth:`anomaly_score`, as scikit-learn has it: lower is stranger."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """``score_samples`` less ``offset_``: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """-1 for anomalies and 1 for all other rows, each judged by itself."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_value(self, X: Any) -> np.ndarray:
        r"""The share of normal rows that look at least as strange: :math:`(1 + \#\{s_i \ge s\}) / (n + 1)`.

        For a normal row it is below :math:`a` with probability at most :math:`a`, whatever the model is worth.
        """
        scores = self.anomaly_score(X)
        return self.calibration_.p_values(scores)

    def is_anomaly(self, X: Any, threshold: Threshold | str | None = None) -> np.ndarray:
        """Which rows are flagged: ``(rows,)`` of bool.

        Parameters
        ----------
        X : data of the kind that was fitted
            For a rule that looks at whole batches (a false discovery rate): all rows that are judged together.
        threshold : Threshold, str, or None
            ``None``: the detector's own.
        """
        return self._threshold(threshold).flags(self.anomaly_score(X), self.calibration_)

    def promise(self, rows: int | None = None, threshold: Threshold | str | None = None) -> str:
        """What the threshold can promise with this many calibration rows, in words, before anything is judged."""
        check_is_fitted(self, "calibration_")
        refuse_no_batch(rows)
        if not self.calibrated_:
            return (
                "The rows to calibrate by were trained on, so nothing is promised. It takes 20 rows, and a share of "
                "them held out (calibration=0.2)."
            )
        told = self._threshold(threshold).promise(len(self.calibration_), rows)
        if self.copied_ <= FEW_COPIES:
            return told
        return (
            f"{told} But {percent(self.copied_)} of the calibration rows equal a training row: if rows were copied, "
            "and not seen that often, this does not hold. Drop the copies before the fit."
        )

    # Reasons

    @torch.no_grad()
    def explain(self, X: Any) -> AnomalyExplanation:
        r"""Tell for each row which cells make it strange, what was expected, and which normal rows are nearest.

        A cell's share of the score is its share of each view that is made of cells, weighed by how far that view is
        above its usual size. What was expected of a cell is what all others let expect, or what came back of it.

        Parameters
        ----------
        X : data of the kind that was fitted

        Returns
        -------
        AnomalyExplanation
            Its ``surprise`` is the score's part of each cell; ``share`` adds up to 1 in each row.

        >>> from sklearn.datasets import load_wine
        >>> X = load_wine().data
        >>> detector = AnomalyDetector(random_state=0).fit(X)
        >>> wrong = X[:1].copy()
        >>> wrong[0, 4] += 80.0
        >>> detector.explain(wrong).top(0, 1)[0].column
        'x4'
        """
        check_is_fitted(self, "calibration_")
        X = self._checked(X, reset=False)
        model, source = self.estimator_, open_data(X)
        model.modality_.refuse_other_shape(source)
        raws, cells, means, near, far = [], [], [], [], []
        for trip in model.round_trips(source):
            raw = torch.stack([score(model, trip) for score in self.scores_], 1).double().cpu().numpy()
            raws.append(raw)
            cells.append(self._shares(trip, self._parts(raw)))
            means.append(self._expected(trip).cpu())
            distances, numbers = self._nearest(trip)
            near.append(numbers)
            far.append(distances)
        scores = self._together(np.concatenate(raws))
        parts = np.concatenate(cells) * np.maximum(scores, 0.0)[:, None]
        modality = model.modality_
        told = explained(modality, source, torch.cat(means), flat_for_user(modality, parts))
        return AnomalyExplanation(
            told.columns,
            told.observed,
            told.expected,
            told.probability,
            told.surprise,
            told.backend,
            scores,
            self.calibration_.p_values(scores),
            np.concatenate(near),
            np.concatenate(far),
        )

    def _shares(self, trip: RoundTrip, parts: np.ndarray) -> np.ndarray:
        """Each cell's share of the score: ``(rows, cells)``, adding up to 1 where anything is known.

        Half of it is what views say, each by its part of the score; half, how badly the cell fits the others.
        """
        views = np.zeros((len(parts), trip.target[0].numel()))
        for at, part in enumerate(softmax(parts, axis=1).T):
            views += part[:, None] * shares(self.scores_[at].cells(self.estimator_, trip), views.shape)
        related = [shares(score.cells(self.estimator_, trip), views.shape) for score in self._explaining()]
        return shares(shares(views, views.shape) + sum(related), views.shape)

    def _expected(self, trip: RoundTrip) -> Tensor:
        """What should have come: ``(batch, *shape)``."""
        told = self.conditional_
        return self.estimator_.expected(trip) if told is None else told.expected(trip)

    def _near(self) -> NeighborScore | None:
        """The view that knows which training rows are nearest."""
        return next((score for score in self.scores_ if isinstance(score, NeighborScore)), None)

    def _nearest(self, trip: RoundTrip) -> tuple[np.ndarray, np.ndarray]:
        """Distances to the nearest training rows, and their numbers in the data that was fitted; none without a view
        of distances."""
        view = self._near()
        if view is None:
            return np.zeros((len(trip.target), 0)), np.zeros((len(trip.target), 0), dtype=np.int64)
        distances, numbers = view.nearest(trip, max(NEAREST, view.neighbors))
        return distances.cpu().numpy(), self.references_[numbers.cpu().numpy()]

    # Storage

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Scores, thresholds and calibration."""
        check_is_fitted(self, "calibration_")
        facts = {
            "scores": [to_plain(score) for score in self.scores_],
            "threshold": to_plain(self.threshold),
            "contamination": "auto" if self.contamination == "auto" else float(self.contamination),
            "calibration": float(self.calibration),
            "trimming": float(self.trimming),
            "calibrated": self.calibrated_,
            "copied": self.copied_,
            "offset": float(self.offset_),
            "seed": self.seed_,
        }
        arrays = {
            "calibration": self.calibration_.scores,
            "centers": self.centers_,
            "floors": self.floors_,
            "spreads": self.spreads_,
            "references": self.references_,
        }
        for place, score in enumerate([*self.scores_, *self._explaining()]):
            arrays |= {f"scores.{place}.{name}": value.cpu().numpy() for name, value in score.learned().items()}
        return facts, arrays

    @classmethod
    def restore(cls, estimator: Estimator, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The detector around a model that is loaded already."""
        scores = [from_plain(score) for score in plain["scores"]]
        detector = cls(
            FrozenEstimator(estimator),
            scores=scores,
            threshold=from_plain(plain["threshold"]),
            contamination=plain["contamination"],
            calibration=plain["calibration"],
            trimming=plain["trimming"],
            random_state=plain["seed"],
        )
        detector.estimator_, detector.seed_ = estimator, plain["seed"]
        detector._know_features_of(estimator)
        detector.scores_ = [score.clone() for score in scores]
        related = any(name.startswith(f"scores.{len(scores)}.") for name in arrays)
        detector.conditional_ = ConditionalError() if related else None
        learned = [*detector.scores_, *detector._explaining()]
        device = next(estimator.network_.parameters()).device
        for name, array in arrays.items():
            if name.startswith("scores."):
                _, place, field = name.split(".")
                setattr(learned[int(place)], field, torch.from_numpy(array).to(device))
        detector.calibration_, detector.calibrated_ = Calibration(arrays["calibration"]), plain["calibrated"]
        detector.copied_ = plain["copied"]
        detector.centers_, detector.floors_, detector.spreads_ = (arrays[n] for n in ("centers", "floors", "spreads"))
        detector.references_, detector.offset_ = arrays["references"], plain["offset"]
        return detector

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def cells_as_bytes(trip: RoundTrip) -> list[bytes]:
    """Something for each row that is the same for equal ones."""
    return [row.tobytes() for row in trip.target.flatten(1).cpu().numpy()]


def calibration_rows(source: Source, share: float, seed: int) -> np.ndarray:
    """Which rows a detector with this seed keeps from all training: their numbers, sorted; none below 20 rows."""
    return np.asarray(rows_held_out(source, share, mix(seed, HOLDING_OUT)).numpy())


def default_estimator(source: Source, framed: bool) -> Estimator:
    """What learns where the user names nothing: networks that undo noise for tables, else a plain autoencoder."""
    if source.lengths is not None or len(source.shape) > 1 or math.prod(source.shape) > MOST_CELLS:
        return Autoencoder(code_size=32)
    return EnsembleAutoencoder(
        members=8,
        code_size=64,
        architecture=MLP(hidden=()),
        bottleneck=Identity(activation="silu"),
        corruption=NoiseLevels(),
        scaling="standard",
        validation=0.0,
        column_types=INFER if framed and source.mixed else None,
    )


__all__ = ["AnomalyDetector"]

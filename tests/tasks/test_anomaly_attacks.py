"""The anomaly detector under attack: what is no usual data, no usual parameters, or too little of either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from diabolo import AnomalyDetector, Autoencoder, EnsembleAutoencoder, NeighborDistance, Quantile, load
from diabolo.core.errors import DataError
from diabolo.tasks.cuts import Score

X = load_wine().data


def small(**parameters: Any) -> AnomalyDetector:
    return AnomalyDetector(EnsembleAutoencoder(members=2, code_size=4, epochs=2), random_state=0, **parameters)


@pytest.fixture(scope="module")
def fitted() -> AnomalyDetector:
    return small().fit(X)


@pytest.mark.parametrize(
    "made",
    [
        lambda rows: rows.tolist(),
        lambda rows: rows.astype(object),
        lambda rows: torch.tensor(rows, requires_grad=True),
        lambda rows: np.ma.MaskedArray(rows, np.zeros(rows.shape, dtype=bool)),
    ],
    ids=["list", "objects", "tensor with a gradient", "masked array"],
)
def test_the_same_rows_in_another_dress_have_the_same_scores(made: Any, fitted: AnomalyDetector) -> None:
    np.testing.assert_allclose(fitted.anomaly_score(made(X)), fitted.anomaly_score(X), atol=1e-6)
    np.testing.assert_allclose(small().fit(made(X)).anomaly_score(X), fitted.anomaly_score(X), atol=1e-6)


def test_masked_cells_are_missing(fitted: AnomalyDetector) -> None:
    hidden = np.zeros(X.shape, dtype=bool)
    hidden[:, 3] = True
    with_holes = np.where(hidden, np.nan, X)
    np.testing.assert_array_equal(fitted.anomaly_score(np.ma.MaskedArray(X, hidden)), fitted.anomaly_score(with_holes))


def test_a_path_is_read_as_text_or_as_a_path(tmp_path: Path, fitted: AnomalyDetector) -> None:
    np.save(tmp_path / "rows.npy", X)
    named = small().fit(tmp_path / "rows.npy")
    np.testing.assert_array_equal(named.anomaly_score(str(tmp_path / "rows.npy")), fitted.anomaly_score(X))
    assert named.is_anomaly(tmp_path / "rows.npy").shape == (len(X),)


def test_lists_of_signals_of_unequal_length_and_of_pictures() -> None:
    random = np.random.default_rng(0)
    signals = [np.sin(np.arange(length) / 2 + random.normal())[:, None] for length in random.integers(8, 16, 60)]
    detector = AnomalyDetector(random_state=0).set_params(estimator=None).fit(signals)
    assert np.isfinite(detector.anomaly_score(signals[:5])).all()
    pictures = load_digits().images[:60]
    whole = AnomalyDetector(Autoencoder(code_size=4, epochs=1), random_state=0).fit(pictures)
    for given in (list(pictures[:3]), torch.tensor(pictures[:3])):
        np.testing.assert_array_equal(whole.anomaly_score(given), whole.anomaly_score(pictures[:3]))


def test_infinity_is_refused_by_its_cell(fitted: AnomalyDetector) -> None:
    wrong = X.copy()
    wrong[3, 2] = np.inf
    for refuse in (lambda: small().fit(wrong), lambda: fitted.predict(wrong)):
        with pytest.raises(DataError, match="row 3, cell 2"):
            refuse()


@pytest.mark.parametrize("rows", [np.full((60, 4), 0.1), np.repeat(X[:6], 20, axis=0)], ids=["one", "six"])
def test_rows_that_are_all_the_same_do_not_blow_up_the_scale(rows: np.ndarray) -> None:
    detector = small().fit(rows)
    usual, other = detector.anomaly_score(rows), detector.anomaly_score(rows[:1] + 1.0)
    assert np.abs(usual).max() < 10
    assert usual.max() < other[0] < 1000


@pytest.mark.parametrize("count", [1, 2, 5, 19, 20, 60])
def test_few_rows_still_tell_what_is_far(count: int) -> None:
    detector = small().fit(X[:count])
    far = X[:5] + 50 * X.std(0)
    assert (detector.predict(far) == -1).all()
    assert (detector.predict(X[:count]) == 1).mean() >= 0.5
    decisions = detector.decision_function(np.vstack([X[:5], far]))
    assert np.isfinite(decisions).all()
    assert roc_auc_score([1] * 5 + [0] * 5, decisions) == 1.0
    told = detector.promise()
    assert ("nothing is promised" in told) == (count < 20)  # there training rows have to do
    assert ("Nothing can be flagged" in told) == (count >= 20)
    assert detector.is_anomaly(far).any() == (count == 19)


def test_a_fixed_cut_is_that_of_predict_however_high() -> None:
    detector = small(threshold=Score(1e6)).fit(X)
    assert detector.offset_ == -1e6
    assert (detector.predict(X) == 1).all()


def test_before_the_fit_every_door_says_so(tmp_path: Path) -> None:
    detector = small()
    for door in ("predict", "p_value", "explain", "raw_scores", "is_anomaly", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(detector, door)(X)
    with pytest.raises(NotFittedError):
        detector.save(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scores": []}, r"scores came as \[\]"),
        ({"scores": "ReconstructionError"}, "must be a list of one or more"),
        ({"scores": [Quantile()]}, "anomalyscore"),
        ({"scores": [NeighborDistance(0)]}, "neighbors came as 0"),
        ({"threshold": "Quantil"}, "No threshold is called 'Quantil'"),
        ({"threshold": Quantile(2.0)}, "level came as 2.0"),
        ({"threshold": 0.95}, "Expected a threshold"),
        ({"contamination": np.nan}, "contamination came as nan"),
        ({"trimming": 1.0}, "trimming came as 1.0"),
        ({"calibration": 0.999}, r"calibration=0.999 leaves none of the 178 rows"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(parameters: dict[str, Any], message: str) -> None:
    detector = small(**parameters)
    with pytest.raises((TypeError, ValueError), match=message):
        detector.fit(X)
    assert not hasattr(detector, "estimator_")


def test_a_refused_threshold_leaves_the_old_one(fitted: AnomalyDetector) -> None:
    before = fitted.is_anomaly(X)
    with pytest.raises(ValueError, match="No threshold is called"):
        fitted.change_threshold("Quantil")
    assert fitted.threshold is None
    np.testing.assert_array_equal(fitted.is_anomaly(X), before)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    detector = small(contamination=np.float32(0.1), calibration=np.int64(0), trimming=np.float32(0.25)).fit(X)
    detector.save(tmp_path / "detector.safetensors")
    again = load(tmp_path / "detector.safetensors")
    np.testing.assert_array_equal(again.predict(X), detector.predict(X))


def test_two_views_of_one_kind_are_both_told() -> None:
    detector = small(scores=[NeighborDistance(1), NeighborDistance(20)]).fit(X)
    raw = detector.raw_scores(X[:4])
    assert list(raw) == ["NeighborDistance(neighbors=1)", "NeighborDistance(neighbors=20)"]
    assert (raw["NeighborDistance(neighbors=20)"] > raw["NeighborDistance(neighbors=1)"]).all()


def test_scores_do_not_depend_on_company_or_order(fitted: AnomalyDetector) -> None:
    order = np.random.default_rng(0).permutation(len(X))
    scores = fitted.anomaly_score(X)
    np.testing.assert_allclose(fitted.anomaly_score(X[order]), scores[order], atol=1e-5)
    np.testing.assert_allclose(
        np.concatenate([fitted.anomaly_score(X[at : at + 1]) for at in range(4)]), scores[:4], atol=1e-5
    )


def test_global_random_state_is_not_touched() -> None:
    state, of_torch = np.random.get_state()[1].copy(), torch.get_rng_state().clone()  # noqa: NPY002
    small(trimming=0.2, scores=["DenoisingError", "NeighborDistance"]).fit(X).explain(X[:3])
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), of_torch)


def test_reasons_are_told_in_the_units_and_dtypes_of_the_frame() -> None:
    random = np.random.default_rng(0)
    size = random.normal(size=200)
    frame = pd.DataFrame(
        {
            "size": size,
            "count": random.integers(0, 5, 200),
            "kind": np.where(size > 0, "large", "small"),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, 200), unit="D"),
        }
    )
    detector = AnomalyDetector(random_state=0).fit(frame)
    for column, wrong in (("size", 12.0), ("kind", "giant"), ("day", pd.Timestamp("2031-05-01"))):
        broken = frame.iloc[5:25].assign(**{column: wrong})
        told = detector.explain(broken)
        first = [told.top(row, 1)[0] for row in range(len(broken))]
        assert [reason.column for reason in first] == [column] * len(broken)
        assert type(first[0].expected) is type(first[0].observed)
        assert pd.Timestamp(first[0].observed) == wrong if column == "day" else first[0].observed == wrong


def test_a_row_of_nothing_but_holes_is_not_strange_and_has_no_reasons() -> None:
    X = load_wine().data
    fitted = AnomalyDetector(random_state=0).fit(X)
    rows = np.vstack([X[:3], np.full((1, 13), np.nan)])
    assert np.isfinite(fitted.anomaly_score(rows)).all()
    assert fitted.anomaly_score(rows)[3] < np.quantile(fitted.calibration_.scores, 0.9)
    assert not fitted.is_anomaly(rows)[3]
    told = fitted.explain(rows)
    assert told.top(3) == []
    assert np.isfinite(told.share).all()


def test_copied_rows_are_told_where_something_is_promised(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(100, 4))
    model = EnsembleAutoencoder(members=2, epochs=2)
    once, copied = (AnomalyDetector(model, random_state=0).fit(rows) for rows in (X, np.repeat(X, 5, axis=0)))
    assert once.copied_ == 0
    assert "equal a training row" not in once.promise()
    assert copied.copied_ > 0.9
    copied.save(tmp_path / "model.safetensors")
    assert "of the calibration rows equal a training row" in load(tmp_path / "model.safetensors").promise()


def test_a_promise_is_about_rows() -> None:
    fitted = AnomalyDetector(EnsembleAutoencoder(members=2, epochs=1), calibration=0, random_state=0)
    fitted.fit(np.random.default_rng(0).normal(size=(30, 3)))
    assert fitted.promise() == (
        "The rows to calibrate by were trained on, so nothing is promised. It takes 20 rows, and a share of them held "
        "out (calibration=0.2)."
    )
    with pytest.raises(ValueError, match="rows came as -1; it must be a whole number of at least 1"):
        fitted.promise(rows=-1)

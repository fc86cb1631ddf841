"""The anomaly detector: scikit-learn's contract, scores that stay, p-values that hold, reasons that are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from diabolo import (
    VAE,
    AnomalyDetector,
    Autoencoder,
    EnsembleAutoencoder,
    EntropyStop,
    FalseDiscoveryRate,
    NeighborDistance,
    Quantile,
    load,
)
from diabolo.core.parts import every
from diabolo.tasks.anomaly import default_estimator
from diabolo.tasks.scores import AnomalyScore


def small() -> AnomalyDetector:
    return AnomalyDetector(EnsembleAutoencoder(members=2, code_size=8, epochs=3), random_state=0)


@pytest.fixture(scope="module")
def cancer() -> tuple[np.ndarray, np.ndarray]:
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def detector(cancer: tuple[np.ndarray, np.ndarray]) -> AnomalyDetector:
    X, y = cancer
    return AnomalyDetector(random_state=0).fit(X[y == 1][:250])


CHECKS = [
    (estimator, check)
    for estimator, check in estimator_checks_generator(small())
    if getattr(check, "func", check).__name__ != "check_array_api_input"  # runs where the environment asks for it
]


@pytest.mark.parametrize(
    ("estimator", "check"), CHECKS, ids=lambda value: getattr(getattr(value, "func", value), "__name__", "")
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_finds_malignant_cells_among_benign_ones(
    detector: AnomalyDetector, cancer: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = cancer
    new = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[250:]]
    assert roc_auc_score(1 - y[new], detector.anomaly_score(X[new])) > 0.93


def test_a_trained_network_tells_what_belongs_together_and_an_untrained_one_does_not() -> None:
    X = load_digits().data[load_digits().target == 3]
    broken = np.random.default_rng(0).permuted(X, axis=0)  # each pixel is usual, together they are no digit
    areas = []
    for estimator in (None, default_estimator_untrained()):
        fitted = AnomalyDetector(estimator, scores=["ReconstructionError"], random_state=0).fit(X[:120])
        scores = fitted.anomaly_score(np.vstack([X[120:], broken[120:]]))
        areas.append(roc_auc_score(np.repeat([0, 1], len(X) - 120), scores))
    assert areas[0] > 0.8
    assert areas[1] < areas[0] - 0.1


def default_estimator_untrained() -> Any:
    from diabolo.data.choosing import open_data

    return default_estimator(open_data(np.zeros((30, 30))), framed=False).set_params(epochs=1, learning_rate=1e-12)


def test_scores_stay_the_same_between_calls_and_alone(
    detector: AnomalyDetector, cancer: tuple[np.ndarray, np.ndarray]
) -> None:
    X = cancer[0]
    scores = detector.anomaly_score(X)
    np.testing.assert_array_equal(scores, detector.anomaly_score(X))
    np.testing.assert_allclose(scores[7:8], detector.anomaly_score(X[7:8]), atol=1e-6)
    np.testing.assert_array_equal(detector.score_samples(X), -scores)
    np.testing.assert_array_equal(detector.predict(X) == -1, scores > -detector.offset_)


def test_same_seed_same_scores(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X = cancer[0][:80]
    once, again = (small().fit(X).anomaly_score(X) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_rows_to_calibrate_by_are_never_trained_on(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X = cancer[0][:100].copy()
    views = ["ReconstructionError", "StandardizedError", "CodeDistance"]
    fitted = small().set_params(scores=views).fit(X)
    assert len(fitted.calibration_) == 20
    assert len(fitted.references_) == 80
    held_out = np.setdiff1d(np.arange(100), fitted.references_)
    X[held_out] += 1000.0  # nothing that is learned from the other rows moves
    moved = small().set_params(scores=views).fit(X)
    for one, other in zip(fitted.estimator_.network_.parameters(), moved.estimator_.network_.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach(), other.detach())
    for one, other in zip(fitted.scores_, moved.scores_, strict=True):
        for name, value in one.learned().items():
            np.testing.assert_array_equal(value, other.learned()[name])


def test_p_values_of_new_normal_rows_are_even() -> None:
    X = np.random.default_rng(0).normal(size=(8000, 4)) @ np.random.default_rng(1).normal(size=(4, 4))
    p_values = np.concatenate(
        [small().fit(X[start : start + 1000]).p_value(X[start + 1000 : start + 2000]) for start in range(0, 8000, 2000)]
    )
    for level in (0.05, 0.1, 0.5):
        assert abs((p_values <= level).mean() - level) < 0.04


def test_rules_can_be_changed_after_the_fit(detector: AnomalyDetector, cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X = cancer[0]
    assert detector.is_anomaly(X, Quantile(0.5)).sum() > detector.is_anomaly(X, Quantile(0.9)).sum()
    assert detector.is_anomaly(X, "FalseDiscoveryRate").dtype == bool
    assert "calibration rows" in detector.promise(rows=len(X), threshold=FalseDiscoveryRate(0.05))


def test_contamination_flags_that_share_of_the_training_rows(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X = cancer[0][:200]
    fitted = small().set_params(contamination=0.1).fit(X)
    assert (fitted.predict(X) == -1).sum() == 20
    with pytest.raises(ValueError, match=r"contamination came as 0\.7"):
        small().set_params(contamination=0.7).fit(X)


def test_far_away_rows_are_caught_even_where_they_come_back(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X = load_wine().data
    fitted = AnomalyDetector(Autoencoder(code_size=13, epochs=60), random_state=0).fit(X)
    far = X.mean(0) + 30 * X.std(0) * np.eye(13)
    assert fitted.is_anomaly(far).all()


def test_strange_is_what_one_view_finds_strange(
    detector: AnomalyDetector, cancer: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = cancer
    parts = detector._parts(detector._raw(X))
    scores = detector.anomaly_score(X)
    assert (scores <= parts.max(1) + 1e-9).all()
    assert (scores >= parts.max(1) - np.log(2) - 1e-9).all()
    held_out = parts[y == 1][:250]
    assert abs(np.median(held_out)) < 0.6  # most rows are usual


def test_a_row_is_not_its_own_neighbor() -> None:
    X = np.random.default_rng(0).normal(size=(300, 4))
    fitted = AnomalyDetector(EnsembleAutoencoder(members=2, epochs=3), random_state=0).fit(X)
    assert fitted.references_.tolist() == list(range(300))  # rows to calibrate by are neighbors of others
    told = fitted.explain(X)
    assert (told.neighbors != np.arange(300)[:, None]).all()
    nearest = fitted.raw_scores(X)["NeighborDistance"]
    np.testing.assert_array_equal(nearest, told.distances[:, 0])
    scaled = (X - X.mean(0)) / X.std(0)
    apart = np.linalg.norm(scaled[:, None] - scaled, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert np.corrcoef(nearest, apart.min(1))[0, 1] > 0.99  # in units of the rows that were trained on
    twice = AnomalyDetector(EnsembleAutoencoder(members=2, epochs=3), random_state=0).fit(np.repeat(X[:150], 2, axis=0))
    assert twice.raw_scores(X[:150])["NeighborDistance"].max() == 0  # a row that lies there twice is a neighbor


def test_p_values_hold_where_rows_to_calibrate_by_are_neighbors_too() -> None:
    random, below = np.random.default_rng(0), []
    for seed in range(40):
        X = random.normal(size=(260, 3))
        model = EnsembleAutoencoder(members=2, epochs=1, code_size=2)
        fitted = AnomalyDetector(model, scores=["NeighborDistance"], random_state=seed).fit(X[:60])
        below.append((fitted.p_value(X[60:]) <= 3 / 13).mean())
    assert 3 / 13 - 0.06 < np.mean(below) < 3 / 13 + 0.03


def test_a_planted_cell_is_the_first_reason() -> None:
    X = load_wine().data
    fitted = AnomalyDetector(random_state=0).fit(X[:150])
    random, hits = np.random.default_rng(0), 0
    wrong = np.repeat(X[150:], 4, axis=0)
    cells = random.integers(0, 13, len(wrong))
    wrong[np.arange(len(wrong)), cells] += 4 * X.std(0)[cells]
    told = fitted.explain(wrong)
    hits = sum(told.top(row, 1)[0].column == f"x{cells[row]}" for row in range(len(wrong)))
    assert hits / len(wrong) > 0.7
    np.testing.assert_allclose(told.share.sum(1)[told.scores > 0], 1.0)
    assert told.neighbors.shape == (len(wrong), 5)
    assert set(told.neighbors.ravel()) <= set(fitted.references_.tolist())


def test_frames_of_all_kinds_of_columns_with_holes() -> None:
    random = np.random.default_rng(0)
    size = random.normal(size=400)
    frame = pd.DataFrame(
        {
            "size": size,
            "weight": 3 * size + random.normal(size=400) / 10,
            "kind": np.where(size > 0, "large", "small"),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, 400), unit="D"),
        }
    )
    frame.loc[::17, "weight"] = np.nan
    fitted = AnomalyDetector(random_state=0).fit(frame)
    odd = pd.DataFrame(
        {"size": [2.0, 2.0], "weight": [6.0, -6.0], "kind": ["large", "large"], "day": [pd.Timestamp("2024-05-01")] * 2}
    )
    scores = fitted.anomaly_score(odd)
    assert scores[1] > scores[0] + 1
    assert "weight" in {reason.column for reason in fitted.explain(odd).top(1, 2)}
    assert np.isfinite(fitted.anomaly_score(frame)).all()


def test_pictures_and_a_frozen_model() -> None:
    images = load_digits().images[:300]
    model = Autoencoder(code_size=8, epochs=3, random_state=0).fit(images)
    fitted = AnomalyDetector(FrozenEstimator(model)).fit(images)
    assert fitted.estimator_ is model
    with pytest.raises(ValueError, match="a frozen one does not"):
        AnomalyDetector(FrozenEstimator(model)).fit(images, watchers=[EntropyStop()])
    assert fitted.explain(images[:2]).share.shape == (2, 64)
    assert (
        fitted.anomaly_score(
            np.random.default_rng(0).permuted(images[:20].reshape(20, -1), axis=1).reshape(20, 8, 8)
        ).mean()
        > 1
    )


@pytest.mark.parametrize("score", [each for each in every(AnomalyScore) if each.__module__.startswith("diabolo.")])
def test_every_score_learns_scores_and_is_stored(score: type[AnomalyScore], tmp_path: Path) -> None:
    X = load_wine().data
    fitted = AnomalyDetector(VAE(code_size=2, epochs=5), scores=[score()], random_state=0).fit(X[:120])
    far = X[120:] + 20 * X.std(0)
    assert fitted.anomaly_score(far).mean() > fitted.anomaly_score(X[120:]).mean()
    fitted.save(tmp_path / "detector.safetensors")
    again = load(tmp_path / "detector.safetensors")
    np.testing.assert_array_equal(again.anomaly_score(far), fitted.anomaly_score(far))
    with_hole = X[120:].copy()
    with_hole[:, 3] = np.nan
    assert np.isfinite(fitted.anomaly_score(with_hole)).all()


def test_a_detector_is_one_file(detector: AnomalyDetector, tmp_path: Path) -> None:
    detector.set_params(threshold=FalseDiscoveryRate(0.1))
    detector.save(tmp_path / "one.safetensors")
    again = load(tmp_path / "one.safetensors")
    detector.set_params(threshold=None)
    assert repr(again.threshold) == "FalseDiscoveryRate(rate=0.1)"
    again.save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    row = load_breast_cancer().data[:1]
    assert repr(again.explain(row).top(0)) == repr(detector.explain(row).top(0))


def test_parts_are_cloned_and_parameters_stay() -> None:
    score = NeighborDistance(3)
    fitted = small().set_params(scores=[score]).fit(load_wine().data)
    assert not hasattr(score, "rows")
    assert hasattr(fitted.scores_[0], "rows")
    assert repr(clone(fitted)) == repr(fitted)


def test_messages_say_what_is_possible() -> None:
    X = load_wine().data
    with pytest.raises(TypeError, match="must be an autoencoder of this library"):
        AnomalyDetector(estimator="vae").fit(X)
    with pytest.raises(ValueError, match="calibration came as 1"):
        AnomalyDetector(calibration=1.0).fit(X)
    with pytest.raises(ValueError, match="NeighborDistance"):
        AnomalyDetector(scores=["Neighbours"]).fit(X)
    few = AnomalyDetector(EnsembleAutoencoder(members=1, code_size=2, epochs=1), random_state=0).fit(X[:10])
    assert "nothing is promised" in few.promise()

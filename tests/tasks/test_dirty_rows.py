"""The anomaly detector on rows of which some are strange already while it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from diabolo import AnomalyDetector, EntropyStop, load
from diabolo.data.choosing import open_data
from diabolo.tasks.anomaly import default_estimator


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray]:
    """Benign cells and, one in five, malignant ones, in random order."""
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:90]])
    return X[rows], y[rows] == 0


def found(X: np.ndarray, strange: np.ndarray, left_out: float, entropy: bool) -> float:
    """How well strange rows are found among those that were learned from, by their errors alone."""
    estimator = default_estimator(open_data(X), framed=False).set_params(left_out=left_out, members=2)
    detector = AnomalyDetector(estimator, scores=["ReconstructionError"], random_state=0)
    detector.fit(X, watchers=[EntropyStop()] if entropy else [])
    return float(roc_auc_score(strange, detector.anomaly_score(X)))


def test_strange_rows_are_found_among_those_that_were_learned_from(cells: tuple[np.ndarray, np.ndarray]) -> None:
    plain = found(*cells, 0.0, False)
    assert found(*cells, 0.3, False) > plain + 0.02
    assert found(*cells, 0.0, True) > plain + 0.02


def test_what_was_left_out_and_what_chose_is_stored_with_the_detector(
    cells: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    estimator = default_estimator(open_data(cells[0]), framed=False).set_params(left_out=0.1, epochs=3)
    detector = AnomalyDetector(estimator, random_state=0).fit(cells[0], watchers=[EntropyStop()])
    assert "loss_entropy" in detector.estimator_.history_.columns
    detector.save(tmp_path / "detector.safetensors")
    again = load(tmp_path / "detector.safetensors")
    assert again.estimator_.left_out == 0.1
    np.testing.assert_array_equal(again.anomaly_score(cells[0]), detector.anomaly_score(cells[0]))

"""Laws of the adapter: attributes, kinds and shapes of PyOD's own detectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine

from diabolo import VAE, AnomalyDetector, PyODDetector

PYTHON = os.environ.get("DIABOLO_PEERS", sys.executable)  # the Python of an environment with PyOD
X = load_wine().data


def small(**parameters: Any) -> PyODDetector:
    return PyODDetector(estimator=VAE(code_size=2, epochs=3), random_state=0, **parameters)


@pytest.fixture(scope="module")
def fitted() -> PyODDetector:
    return small().fit(X)


def test_it_is_the_detector_itself(fitted: PyODDetector) -> None:
    same = AnomalyDetector(VAE(code_size=2, epochs=3), random_state=0).fit(X)
    assert np.array_equal(fitted.decision_scores_, same.anomaly_score(X))
    assert np.array_equal(fitted.decision_function(X), fitted.decision_scores_)
    assert clone(fitted).get_params()["contamination"] == 0.1


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_labels_are_the_rows_above_the_threshold(fitted: PyODDetector, share: float) -> None:
    detector = small(contamination=share)
    labels = detector.fit_predict(X)
    assert labels.sum() == round(share * len(X)) or abs(labels.mean() - share) < 1 / len(X)
    assert np.array_equal(labels, detector.decision_scores_ > detector.threshold_)
    assert np.array_equal(detector.predict(X), labels)


@pytest.mark.parametrize("method", ["linear", "unify"])
def test_both_columns_add_up_to_one_and_rise_with_the_score(fitted: PyODDetector, method: str) -> None:
    made, confidence = fitted.predict_proba(X, method=method, return_confidence=True)
    assert np.allclose(made.sum(1), 1)
    assert (np.diff(made[np.argsort(fitted.decision_scores_), 1]) >= 0).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()
    far = X[:1] + 50 * X.std(0)
    assert fitted.predict_proba(far, method=method)[0, 1] == 1.0
    assert fitted.predict(far).tolist() == [1]


@pytest.mark.parametrize("share", [0, 0.6, "auto", True])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    with pytest.raises(ValueError, match="contamination came as"):
        small(contamination=share).fit(X)
    with pytest.raises(ValueError, match="'linear' or 'unify'"):
        small().fit(X[:30]).predict_proba(X, method="other")


COMPARISON = """
import json, sys
import numpy as np
from sklearn.datasets import load_wine
from pyod.models.knn import KNN
from pyod.utils.data import evaluate_print
from pyod.utils.utility import get_label_n, precision_n_scores, score_to_label, standardizer
import diabolo
from diabolo import VAE, PyODDetector

X = load_wine().data

def small():
    return PyODDetector(estimator=VAE(code_size=2, epochs=3), random_state=0)

ours = small().fit(X)
theirs = KNN(contamination=0.1).fit(X)

def kinds(detector):
    made = {
        "scores": detector.decision_scores_, "labels": detector.labels_, "function": detector.decision_function(X),
        "predict": detector.predict(X), "proba": detector.predict_proba(X),
        "unify": detector.predict_proba(X, method="unify"), "confidence": detector.predict_confidence(X),
        "both": detector.predict(X, return_confidence=True)[1], "fit_predict": detector.fit_predict(X),
    }
    return {name: [value.dtype.kind, list(value.shape)] for name, value in made.items()}

same = kinds(ours), kinds(theirs)
# PyOD's own arithmetic on our scores
theirs.decision_scores_ = ours.decision_scores_
theirs._process_decision_scores()
theirs.decision_function = ours.decision_function
both = standardizer(np.stack([ours.decision_scores_, KNN().fit(X).decision_scores_], axis=1))
evaluate_print("ours", ours.labels_, ours.decision_scores_)
print(json.dumps({
    "kinds": same,
    "threshold": [float(ours.threshold_), float(theirs.threshold_)],
    "labels": bool((ours.labels_ == theirs.labels_).all()),
    "agree": [float(np.abs(ours.predict_proba(X, method=m) - theirs.predict_proba(X, method=m)).max())
              for m in ("linear", "unify")],
    "confidence": float(np.abs(ours.predict_confidence(X) - theirs.predict_confidence(X)).max()),
    "finite": bool(np.isfinite(both).all()),
    "precision": float(precision_n_scores(ours.labels_, ours.decision_scores_)),
    "to_label": score_to_label(ours.decision_scores_, outliers_fraction=0.1).tolist() == ours.labels_.tolist(),
    "labels_n": get_label_n(ours.labels_, ours.decision_scores_).tolist() == ours.labels_.tolist(),
}))
"""


COMBINATION = """
import json
import numpy as np
from sklearn.datasets import load_wine
from pyod.models.combination import average, maximization
from pyod.models.feature_bagging import FeatureBagging
from diabolo import VAE, PyODDetector

X = load_wine().data
small = PyODDetector(estimator=VAE(code_size=2, epochs=3), random_state=0)
bagged = FeatureBagging(small, n_estimators=2, random_state=0).fit(X)
both = np.stack([each.decision_function(X[:, used]) for each, used in zip(
    bagged.estimators_, bagged.estimators_features_, strict=True)], axis=1)
print(json.dumps({"shapes": [list(average(both).shape), list(maximization(both).shape)],
                  "flagged": int(bagged.labels_.sum())}))
"""


def told_by(script: str) -> dict[str, Any]:
    """What a script tells in the environment with PyOD."""
    import diabolo

    paths = f"import sys; sys.path.insert(0, {str(Path(diabolo.__file__).parent.parent)!r})\n"
    done = subprocess.run([PYTHON, "-c", paths + script], capture_output=True, text=True, timeout=300)
    if "No module named 'combo'" in done.stderr:
        pytest.skip("PyOD's own combinations need the package combo")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


needs_pyod = pytest.mark.skipif(
    sys.executable == PYTHON and find_spec("pyod") is None,
    reason="PyOD is not installed; DIABOLO_PEERS names the Python of an environment that has it",
)


@needs_pyod
def test_pyod_takes_it_for_one_of_its_own() -> None:
    told = told_by(COMPARISON)
    assert told["kinds"][0] == told["kinds"][1]
    assert told["threshold"][0] == told["threshold"][1]
    assert told["labels"]
    assert max(*told["agree"], told["confidence"]) < 1e-9
    assert told["precision"] == 1.0
    assert told["finite"]
    assert told["labels_n"]
    assert told["to_label"]


@needs_pyod
def test_pyod_combines_it() -> None:
    told = told_by(COMBINATION)
    assert told["shapes"] == [[178], [178]]
    assert told["flagged"] == 18

"""Laws of the report on a detector: what it flags, why, and what baselines say."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score

from diabolo import VAE, AnomalyDetector, Autoencoder, FalseDiscoveryRate, Score, load
from diabolo.report import anomalies as judging
from diabolo.report import write_report
from diabolo.report.labels import Labels

from . import test_report
from .test_report import HOSTILE, KEYS, check_alone, read

CANCER = load_breast_cancer(as_frame=True)
FRAME = CANCER.data.iloc[:, :8]
MALIGNANT = 1 - CANCER.target.to_numpy()


def small() -> Autoencoder:
    return Autoencoder(code_size=3, epochs=5)


@pytest.fixture(scope="module")
def detector() -> AnomalyDetector:
    return AnomalyDetector(small(), random_state=0).fit(FRAME[MALIGNANT == 0][:200])


@pytest.fixture(scope="module")
def others() -> tuple[pd.DataFrame, np.ndarray]:
    """Rows that it was not fitted to, with labels."""
    keep = np.r_[np.flatnonzero(MALIGNANT == 0)[200:300], np.flatnonzero(MALIGNANT)[:20]]
    return FRAME.iloc[keep].reset_index(drop=True), MALIGNANT[keep]


def write(detector: AnomalyDetector, data: Any, folder: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """Write a report and read it back, with what must always hold."""
    numbers = write_report(detector, data, folder / "report.html", **options)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert set(numbers) == KEYS | {"anomalies"}
    check_alone(page)
    words = read(page).words
    found = numbers["anomalies"]
    assert found["rule"] in words
    assert found["promise"] in words
    assert "nan" not in words.lower().split()
    assert page.count("<h2>") == 8
    scores = detector.anomaly_score(data)
    assert found["flagged"] == int(detector.is_anomaly(data).sum())
    ranked = [row["score"] for row in found["strangest"]]
    assert ranked == sorted(ranked, reverse=True)
    assert ranked == pytest.approx(np.sort(scores)[::-1][: len(ranked)].tolist())
    return numbers, page


def test_it_tells_what_python_tells(
    detector: AnomalyDetector, others: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    X, y = others
    numbers, page = write(detector, X, tmp_path, labels=y)
    found, scores = numbers["anomalies"], detector.anomaly_score(X)
    assert found["promise"] == detector.promise(len(X))
    assert not found["fitted_to_these_rows"]
    told = detector.explain(X)
    for row in found["strangest"]:
        assert row["p_value"] == pytest.approx(told.p_values[row["row"]])
        reasons = told.top(row["row"], 3)
        assert [each["column"] for each in row["reasons"]] == [reason.column for reason in reasons]
        assert [each["share"] for each in row["reasons"]] == pytest.approx([reason.share for reason in reasons])
        assert row["nearest_training_rows"] == told.neighbors[row["row"]].tolist()
        assert row["label"] == str(y[row["row"]])
    assert found["cut"] == pytest.approx(detector.rule.cut(detector.calibration_))
    assert [each["name"] for each in found["judges"]][:2] == ["this detector", "isolation forest"]
    assert found["judges"][0]["auroc"] == pytest.approx(roc_auc_score(y, scores))
    assert f"{found['flagged']:,} of 120 rows are flagged" in page
    assert "flagged beyond" in page


def test_baselines_are_measured_as_one_would_by_hand(
    detector: AnomalyDetector, others: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    X, y = others
    found = write(detector, X, tmp_path, labels=y)[0]["anomalies"]
    scores = detector.anomaly_score(X)
    scaled = (X - FRAME[MALIGNANT == 0].mean()) / FRAME[MALIGNANT == 0].std()  # a forest sees no scale
    forest = -IsolationForest(random_state=0).fit(scaled.to_numpy()).score_samples(scaled.to_numpy())
    theirs = found["judges"][1]
    assert theirs["rank_correlation"] == pytest.approx(spearmanr(scores, forest).statistic, abs=0.05)
    assert theirs["auroc"] == pytest.approx(roc_auc_score(y, forest), abs=0.05)
    near = found["judges"][2]
    assert 0 <= near["shared_strangest"] <= found["strangest_compared"] == 20
    assert near["rank_correlation"] > 0.3


def test_without_two_kinds_of_labels_nobody_is_told_right(
    detector: AnomalyDetector, others: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    X, _ = others
    for labels in (None, np.arange(len(X)) % 3, np.zeros(len(X), dtype=int)):
        numbers, page = write(detector, X, tmp_path, labels=labels)
        assert {each["auroc"] for each in numbers["anomalies"]["judges"]} == {None}
        assert "AUROC" not in page


@pytest.mark.parametrize(
    ("names", "groups", "expected"),
    [
        (["0", "1"], [0, 1, 1, 1], 1),
        (["False", "True"], [0, 1, 1, 1], 1),
        (["attack", "normal"], [0, 1, 1, 1], 0),
        (["a", "b", "c"], [0, 1, 2, 2], None),
    ],
)
def test_which_label_is_that_of_anomalies(names: list[str], groups: list[int], expected: int | None) -> None:
    labels = Labels("classes", [names[at] for at in groups], np.array(groups), names)
    assert judging.strange_class(labels) == expected


def test_the_data_of_the_fit_are_known_again(tmp_path: Path) -> None:
    X = FRAME[MALIGNANT == 0][:200]
    fitted = AnomalyDetector(small(), random_state=1).fit(X)
    numbers, page = write(fitted, X, tmp_path)
    assert numbers["anomalies"]["fitted_to_these_rows"]
    assert "These are the data it was fitted to: 40 rows calibrate it" in read(page).words
    assert numbers["headline"]["rows"] == "held out"
    model = fitted.estimator_
    noted = next(row for row in model.history_.rows if row["epoch"] == model.history_.best_epoch)
    assert numbers["headline"]["judged_rows"] == 16
    assert numbers["headline"]["autoencoder_squared_error"] == pytest.approx(
        noted["validation_squared_error"], rel=1e-4
    )
    fitted.save(tmp_path / "detector.safetensors")
    again = write_report(load(tmp_path / "detector.safetensors"), X, tmp_path / "again.html")
    assert again["anomalies"] == numbers["anomalies"]


def test_rules_that_flag_nothing_or_look_at_all_rows(
    others: tuple[pd.DataFrame, np.ndarray], detector: AnomalyDetector, tmp_path: Path
) -> None:
    X, _ = others
    made = AnomalyDetector(FrozenEstimator(detector.estimator_), random_state=0).fit(FRAME[MALIGNANT == 0][:200])
    numbers, page = write(made.change_threshold(Score(1e9)), X, tmp_path)
    assert numbers["anomalies"]["flagged"] == 0
    assert "No row is flagged" in page
    numbers, page = write(made.change_threshold(FalseDiscoveryRate(0.001)), X, tmp_path)
    assert numbers["anomalies"]["cut"] is None
    assert "flagged beyond" not in page
    numbers, _ = write(made.change_threshold(FalseDiscoveryRate(0.9)), X, tmp_path)
    scores = made.anomaly_score(X)
    assert numbers["anomalies"]["cut"] == pytest.approx(scores[made.is_anomaly(X)].min())


def test_hostile_names_and_labels_are_inert(tmp_path: Path) -> None:
    frame = FRAME.iloc[:120, :5].set_axis(HOSTILE, axis=1)
    labels = np.array(HOSTILE, dtype=object)[np.arange(120) % 2]
    detector = AnomalyDetector(VAE(code_size=2, epochs=2), random_state=0).fit(frame)
    _, page = write(detector, frame, tmp_path, labels=labels)
    reader = read(page)
    assert not any(attributes.get("src") == "x" for _, attributes in reader.tags)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "\x00" not in page


@pytest.mark.parametrize("rows", [4, 25])
def test_few_rows(detector: AnomalyDetector, rows: int, tmp_path: Path) -> None:
    numbers, _ = write(detector, FRAME[:rows], tmp_path)
    assert len(numbers["anomalies"]["strangest"]) == min(rows, 20)
    assert (numbers["anomalies"]["judges"] == []) == (rows < 5)


def holes_and_words() -> pd.DataFrame:
    """A table of several kinds of columns, with holes."""
    frame = FRAME.iloc[:150, :3].copy()
    frame["kind"] = np.where(np.arange(150) % 3 == 0, "a", "b")
    frame.iloc[::9, 1] = np.nan
    frame.iloc[7, 3] = None
    return frame


def test_a_table_of_several_kinds_of_columns(tmp_path: Path) -> None:
    frame = holes_and_words()
    frame.iloc[20, 0] = 900.0
    detector = AnomalyDetector(VAE(code_size=2, epochs=5, column_types="infer"), random_state=0).fit(holes_and_words())
    strangest = write(detector, frame, tmp_path)[0]["anomalies"]["strangest"][0]
    assert strangest["row"] == 20
    assert strangest["reasons"][0]["column"] == frame.columns[0]
    assert strangest["reasons"][0]["observed"] == "900"


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_pictures_are_under_their_map(channels: int | None, tmp_path: Path) -> None:
    pictures = load_digits().images[:150] * 15
    X = (pictures if channels is None else np.repeat(pictures[..., None], channels, axis=-1)).astype(np.uint8)
    spoiled = X.copy()
    spoiled[5, :, 0] = 255  # an edge that is always dark
    detector = AnomalyDetector(Autoencoder(code_size=8, epochs=15), random_state=0).fit(X)
    numbers, page = write(detector, spoiled, tmp_path)
    assert numbers["anomalies"]["strangest"][0]["row"] == 5
    uris = [attributes["src"] or "" for tag, attributes in read(page).tags if tag == "img"]
    original, _, over = (np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))) for uri in uris[:3])
    assert np.array_equal(original.squeeze(), spoiled[5].squeeze())
    seen = np.repeat(spoiled[5].reshape(8, 8, -1)[..., :1], 3, axis=-1).astype(float)
    moved = np.abs(over.astype(float) - seen).sum(-1)
    row = int(moved[:, 0].argmax())
    assert moved[:, 0].sum() > 0.8 * moved.sum()  # the map lies on the edge
    assert np.allclose(over[row, 0], 0.85 * np.array([214, 84, 28]) + 0.15 * 255, atol=1)


def test_the_same_bytes_each_time(
    detector: AnomalyDetector, others: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    X, y = others
    pages = [write(detector, X, tmp_path, labels=y)[1] for _ in range(2)]
    assert pages[0] == pages[1]


def test_the_reports_of_models_have_no_such_part(tmp_path: Path) -> None:
    model = small().fit(FRAME[:60])
    numbers, page = test_report.write(model, FRAME[:60], tmp_path)
    assert "anomalies" not in numbers
    assert "Anomalies" not in read(page).words


def test_trimmed_rows_were_not_trained_on_and_the_data_are_known_again_all_the_same(tmp_path: Path) -> None:
    X = FRAME[:150]
    fitted = AnomalyDetector(small(), trimming=0.2, random_state=0).fit(X)
    numbers, _ = write(fitted, X, tmp_path)
    assert numbers["anomalies"]["fitted_to_these_rows"]
    assert numbers["headline"]["rows"] == "held out"

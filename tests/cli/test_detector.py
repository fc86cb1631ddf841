"""``diabolo fit --detector``, ``score`` of a detector, and ``threshold``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.frozen import FrozenEstimator

import diabolo
from diabolo.core.files import read_container
from diabolo.data.choosing import open_data
from diabolo.tasks.anomaly import calibration_rows

Call = Callable[..., Any]
COLUMNS = ["score", "p_value", "flag", "reason_1", "reason_2", "reason_3"]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Benign cells to learn from, and others with malignant ones among them."""
    data = load_breast_cancer(as_frame=True)
    frame = data.data.iloc[:, :10].rename(columns=lambda name: name.replace(" ", "_"))
    frame = frame.assign(kind=1 - data.target)
    folder = tmp_path_factory.mktemp("cells")
    normal, strange = frame[frame.kind == 0], frame[frame.kind == 1]
    normal[:250].drop(columns="kind").to_csv(folder / "normal.csv", index=False)
    pd.concat([normal[250:], strange[:40]]).to_csv(folder / "mixed.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def detector_file(cells: Path, call: Call) -> Path:
    path = cells / "detector.safetensors"
    result = call("fit", cells / "normal.csv", "-o", path, "--detector", "--epochs", 4, "--seed", 0)
    assert result.exit_code == 0, result.stderr
    assert "50 more rows held out. Of normal rows at most 3.9 % are flagged on average" in result.stderr
    return path


def scored(call: Call, *words: object) -> tuple[pd.DataFrame, dict[str, Any], Any]:
    """The table that score writes, what it tells as JSON, and the result."""
    out = Path(str(words[0])).with_name("scores.csv")
    result = call("score", *words, "-o", out, "--force", "--json")
    assert result.exit_code in (0, 5), result.stderr
    return pd.read_csv(out), json.loads(result.stdout), result


def test_a_detector_is_what_python_makes_of_the_rows_that_calibration_leaves(detector_file: Path, cells: Path) -> None:
    detector = diabolo.load(detector_file)
    assert isinstance(detector, diabolo.AnomalyDetector)
    assert isinstance(detector.estimator_, diabolo.EnsembleAutoencoder)
    X = pd.read_csv(cells / "normal.csv")
    held_out = calibration_rows(open_data(X), 0.2, 0)
    model = detector.estimator_.__sklearn_clone__().fit(X.drop(index=held_out))
    again = diabolo.AnomalyDetector(FrozenEstimator(model), random_state=0).fit(X)
    assert detector.calibrated_
    assert np.allclose(detector.calibration_.scores, np.sort(detector.anomaly_score(X.iloc[held_out])))
    assert np.array_equal(detector.anomaly_score(X), again.anomaly_score(X))


def test_a_preset_a_picture_and_too_few_rows(cells: Path, tmp_path: Path, call: Call) -> None:
    words = ["--detector", "--dry-run", "--json"]
    told = json.loads(call("fit", cells / "normal.csv", "-p", "vae", *words).stdout)
    assert (told["estimator"], told["calibration_rows"], told["rows"]) == ("VAE", 50, 200)
    told = json.loads(call("fit", "digits", *words).stdout)
    assert (told["estimator"], told["calibration_rows"]) == ("Autoencoder", 359)
    few = tmp_path / "few.csv"
    pd.read_csv(cells / "normal.csv")[:12].to_csv(few, index=False)
    told = json.loads(call("fit", few, *words).stdout)
    assert told["calibration_rows"] == 0
    assert "nothing is promised" in told["promise"]
    both = call("fit", "digits", "--detector", "--imputer", "--dry-run")
    assert both.exit_code == 2
    assert "--imputer and --detector cannot both be" in both.stderr


def test_scores_flags_and_reasons_are_those_of_python(detector_file: Path, cells: Path, call: Call) -> None:
    table, told, result = scored(call, detector_file, cells / "mixed.csv", "--label", "kind")
    detector = diabolo.load(detector_file)
    X = pd.read_csv(cells / "mixed.csv").drop(columns="kind")
    assert list(table.columns) == COLUMNS
    assert np.allclose(table.score, detector.anomaly_score(X))
    assert np.allclose(table.p_value, detector.p_value(X))
    assert np.array_equal(table.flag == 1, detector.is_anomaly(X))
    assert (told["flagged"], told["rows"]) == (table.flag.sum(), len(X))
    assert told["promise"] == detector.promise(len(X))
    assert detector.promise(len(X)) in " ".join(result.stderr.split())
    row = int(table.score.argmax())
    reason = detector.explain(X).top(row, 1)[0]
    assert table.reason_1[row].startswith(f"{reason.column} {reason.observed:.6g} (expected ")
    assert table.reason_1[row].endswith(f", {100 * reason.share:.0f} %)")


def test_rows_by_themselves_and_rows_together(
    detector_file: Path, cells: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stretches make no difference, neither where each row counts alone nor where all do."""
    detector = diabolo.load(detector_file)
    X = pd.read_csv(cells / "mixed.csv").drop(columns="kind")
    rules = {
        ("--fdr", 0.3): diabolo.FalseDiscoveryRate(0.3),
        ("--quantile", 0.8): diabolo.Quantile(0.8),
        ("--above", 2.5): diabolo.Score(2.5),
        ("--alerts-per-day", 12): diabolo.AlertsPerDay(12.0),
        ("--alerts-per-day", 5, "--rows-per-day", 50): diabolo.AlertsPerDay(5.0, 50),
    }
    monkeypatch.setattr("diabolo.data.scaling.BLOCK_CELLS", 10 * 40)
    for words, rule in rules.items():
        table, told, _ = scored(call, detector_file, cells / "mixed.csv", "--label", "kind", *words)
        expected = detector.is_anomaly(X, rule)
        assert np.array_equal(table.flag == 1, expected), words
        assert expected.any()
        assert told["rule"] == repr(rule)
        assert told["share"] == pytest.approx(expected.mean())


def test_a_budget_of_false_positives_is_kept(detector_file: Path, cells: Path, call: Call) -> None:
    words = [detector_file, cells / "mixed.csv", "--false-positives", 0.05]
    table, told, _ = scored(call, *words, "--label", "kind")
    kind = pd.read_csv(cells / "mixed.csv").kind
    assert table.flag[kind == 0].mean() <= 0.05
    assert table.flag[kind == 1].mean() > 0.3
    assert told["cut"] == pytest.approx(table.score[table.flag == 0].max())
    refused = call("score", detector_file, cells / "normal.csv", "--false-positives", 0.05)
    assert refused.exit_code == 2
    assert "--label" in refused.stderr


def test_too_many_flags_fail_after_all_is_written(detector_file: Path, cells: Path, call: Call) -> None:
    words = [detector_file, cells / "mixed.csv", "--label", "kind", "--quantile", 0.8]
    table, told, result = scored(call, *words, "--fail-above", 0.1)
    assert told["share"] > 0.1
    assert len(table) == told["rows"]
    assert result.exit_code == 5
    assert "more than 10 % of the rows are flagged" in result.stderr
    assert scored(call, *words, "--fail-above", told["share"])[2].exit_code == 0


def test_a_dry_run_tells_the_promise(detector_file: Path, cells: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "no.csv"
    result = call("score", detector_file, cells / "normal.csv", "-o", out, "--dry-run", "--fdr", 0.01)
    assert result.exit_code == 0
    assert "above the rate: nothing can be flagged" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fdr", 0.1, "--quantile", 0.9], "--fdr and --quantile are different rules"),
        (["--rows-per-day", 9], "it needs --alerts-per-day"),
        (["--fdr", 1.5], "is not in the range"),
        (["-o", "scores.npy"], "npy holds numbers alone"),
        (["--above", "nan"], "value came as nan"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(
    detector_file: Path, cells: Path, call: Call, words: list[Any], said: str
) -> None:
    result = call("score", detector_file, cells / "normal.csv", *words)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("words", [["--fdr", 0.1], ["--fail-above", 0.1], ["--false-positives", 0.1]])
def test_a_plain_model_flags_nothing_and_says_what_does(
    table_model: Path, table_file: Path, call: Call, words: list[Any]
) -> None:
    result = call("score", table_model, table_file, "--label", "kind", *words)
    assert result.exit_code == 2
    assert f"{words[0]} is for detectors" in result.stderr
    assert "diabolo fit DATA --detector" in result.stderr
    result = call("threshold", table_model)
    assert result.exit_code == 2
    assert "diabolo fit DATA --detector" in result.stderr


def test_a_threshold_is_changed_and_nothing_else(detector_file: Path, cells: Path, tmp_path: Path, call: Call) -> None:
    path = tmp_path / "changed.safetensors"
    path.write_bytes(detector_file.read_bytes())
    before = read_container(path)
    told = json.loads(call("threshold", path, "--json").stdout)
    assert told["rule"] == "Quantile(level=0.95)"
    assert path.read_bytes() == detector_file.read_bytes()
    words = ["threshold", path, "--alerts-per-day", 6, "--rows-per-day", 60, "-o", path]
    assert json.loads(call(*words, "--dry-run", "--json").stdout)["dry_run"]
    assert path.read_bytes() == detector_file.read_bytes()
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    after = read_container(path)
    assert before.tensors.keys() == after.tensors.keys()
    assert all((before.tensors[name] == after.tensors[name]).all() for name in before.tensors)
    facts = after.description["task"]["facts"], before.description["task"]["facts"]
    assert {name for name in facts[0] if facts[0][name] != facts[1][name]} == {"threshold", "offset"}
    rest = [{name: value for name, value in each.description.items() if name != "task"} for each in (before, after)]
    assert rest[0] == rest[1]
    changed = diabolo.load(path)
    X = pd.read_csv(cells / "mixed.csv").drop(columns="kind")
    assert repr(changed.rule) == repr(diabolo.AlertsPerDay(6.0, 60))
    assert np.array_equal(changed.is_anomaly(X), diabolo.load(detector_file).is_anomaly(X, changed.rule))
    assert np.array_equal(changed.predict(X) == -1, changed.is_anomaly(X))


def test_a_threshold_goes_where_it_is_told(detector_file: Path, tmp_path: Path, call: Call) -> None:
    assert "Say where the detector goes" in call("threshold", detector_file, "--fdr", 0.1).stderr
    assert "Which rule?" in call("threshold", detector_file, "-o", tmp_path / "new.safetensors").stderr
    (tmp_path / "taken").write_text("mine")
    refused = call("threshold", detector_file, "--fdr", 0.1, "-o", tmp_path / "taken")
    assert refused.exit_code == 2
    assert (tmp_path / "taken").read_text() == "mine"
    assert call("threshold", detector_file, "--fdr", 0.1, "-o", tmp_path / "new.safetensors").exit_code == 0
    assert repr(diabolo.load(tmp_path / "new.safetensors").rule) == repr(diabolo.FalseDiscoveryRate(0.1))


def test_other_commands_know_a_detector(detector_file: Path, cells: Path, tmp_path: Path, call: Call) -> None:
    assert "AnomalyDetector around EnsembleAutoencoder(" in call("info", detector_file).stdout
    assert call("verify", detector_file).exit_code == 0
    page = tmp_path / "report.html"
    words = ["report", detector_file, cells / "mixed.csv", "--label", "kind", "-o", page]
    assert call(*words).exit_code == 0
    told = json.loads(page.with_suffix(".json").read_text())["anomalies"]
    assert told["judges"][0]["auroc"] > 0.7

"""``diabolo fit --series``, and what the other commands say of its files: laws on a real series, and bad input."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import diabolo
from diabolo import SeriesAnomalyDetector
from diabolo.cli import fields

Call = Callable[..., Any]
FOLDER = Path(os.environ.get("DIABOLO_DATA") or Path(__file__).parents[3] / "shared" / "data") / "timeseries"
REAL = FOLDER / "nab" / "realAWSCloudwatch" / "ec2_cpu_utilization_5f5533.csv.gz"
COLUMNS = ["time", "score", "p_value", "flag", "reason_1", "reason_2", "reason_3"]
TIME = np.arange(800)


def wave() -> pd.DataFrame:
    """Two related channels with noise, and when the points were."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"heat": np.sin(TIME / 6), "load": np.cos(TIME / 6)}) + 0.05 * random.normal(size=(800, 2))
    frame.insert(0, "when", pd.date_range("2024-01-01", periods=800, freq="5min").astype(str))
    return frame


def broken() -> pd.DataFrame:
    """The same, going on, with a fault of one channel at points 300 to 320, labelled, and 60 points without values."""
    frame = wave()
    frame.loc[300:320, "heat"] += 3
    frame.loc[500:559, ["heat", "load"]] = np.nan
    return frame.assign(fault=((TIME >= 300) & (TIME <= 320)).astype(int))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, call: Call) -> Path:
    """A detector, what it was fitted to, and a series with a fault."""
    made = tmp_path_factory.mktemp("series")
    wave().to_csv(made / "usual.csv", index=False)
    broken().to_csv(made / "broken.csv", index=False)
    words = ["--series", "--seed", 0, "--window", 40, "-o", made / "model.safetensors"]
    result = call("fit", made / "usual.csv", *words)
    assert result.exit_code == 0, result.stderr
    assert "column 'when' says when the points were (2024-01-01 00:00:00 to " in result.stderr
    return made


def scored(call: Call, folder: Path, *words: object) -> tuple[pd.DataFrame, dict[str, Any], Any]:
    """The table that score writes of the series with a fault, what it tells as JSON, and the result."""
    out = folder / "scores.csv"
    result = call("score", folder / "model.safetensors", folder / "broken.csv", "-o", out, "--force", "--json", *words)
    assert result.exit_code in (0, 5), result.stderr
    return pd.read_csv(out), json.loads(result.stdout), result


def test_the_flags_are_the_detectors_parameters() -> None:
    real = inspect.signature(SeriesAnomalyDetector).parameters
    read = {field.name: field for field in fields.series_fields().values()}
    assert set(read) == set(real) - {"estimator", "threshold", "random_state"}
    for name, field in read.items():
        assert field.default == real[name].default
        assert field.annotation == real[name].annotation
        assert field.text


def test_a_file_is_what_python_makes_of_the_channels(folder: Path) -> None:
    detector = diabolo.load(folder / "model.safetensors")
    again = SeriesAnomalyDetector(window=40, random_state=0).fit(wave()[["heat", "load"]])
    assert isinstance(detector, SeriesAnomalyDetector)
    assert list(detector.feature_names_in_) == ["heat", "load"]
    X = broken()[["heat", "load"]]
    assert np.allclose(detector.anomaly_score(X), again.anomaly_score(X), rtol=1e-6, equal_nan=True)
    assert np.allclose(detector.calibration_.scores, again.calibration_.scores, rtol=1e-6)


def test_every_flag_reaches_the_detector(folder: Path, tmp_path: Path, call: Call) -> None:
    words = ["--stride", 5, "--smoothing", 3, "--normalize-by", "window", "--neighbors", 0, "--calibration", 0.25]
    path = tmp_path / "own.safetensors"
    result = call("fit", folder / "usual.csv", "--series", "--window", 20, *words, "--channels", "heat", "-o", path)
    assert result.exit_code == 0, result.stderr
    made = diabolo.load(path)
    own = {"window": 20, "stride": 5, "smoothing": 3, "normalize": "window", "neighbors": 0, "calibration": 0.25}
    assert {name: value for name, value in made.get_params(deep=False).items() if name in own} == own
    assert (made.n_features_in_, list(made.feature_names_in_)) == (1, ["heat"])
    assert "1 channel (heat); windows of 20 points, one every 5 points" in call("info", path).stdout


def test_a_preset_learns_the_windows(folder: Path, tmp_path: Path, call: Call) -> None:
    words = ["fit", folder / "usual.csv", "--series", "--seed", 0, "--window", 32, "-p", "autoencoder"]
    words += ["--code-size", 3, "--epochs", 2, "-o", tmp_path / "own.safetensors", "--json"]
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["estimator"], told["points"], told["window"], told["epochs_done"]) == ("Autoencoder", 800, 32, 2)
    assert told["channels"] == ["heat", "load"]
    assert told["calibration_points"] == 120
    made = diabolo.load(tmp_path / "own.safetensors")
    own = diabolo.Autoencoder(code_size=3, epochs=2)
    again = SeriesAnomalyDetector(own, window=32, random_state=0).fit(wave()[["heat", "load"]])
    assert np.allclose(made.calibration_.scores, again.calibration_.scores, rtol=1e-4)
    assert "is there already" in call(*words).stderr


def test_scores_flags_and_reasons_are_those_of_python(folder: Path, call: Call) -> None:
    table, told, result = scored(call, folder, "--quantile", 0.9)
    detector, frame = diabolo.load(folder / "model.safetensors"), broken()
    X = frame[["heat", "load"]]
    assert list(table.columns) == COLUMNS
    assert table.time.tolist() == frame.when.tolist()
    assert np.allclose(table.score, detector.anomaly_score(X), rtol=1e-12, equal_nan=True)
    assert np.allclose(table.p_value, detector.p_value(X), rtol=1e-12, equal_nan=True)
    assert np.array_equal(table.flag == 1, detector.is_anomaly(X, diabolo.Quantile(0.9)))
    assert table.flag[300:321].all()
    assert (told["flagged"], told["rows"]) == (table.flag.sum(), 800)
    assert detector.promise(800, diabolo.Quantile(0.9)) in " ".join(result.stderr.split())
    why = detector.explain(X)
    assert table.reason_1[310].startswith(f"heat {X.heat[310]:.6g} (expected {why.expected[310, 0]:.4g}, ")
    assert table.reason_3.isna().all()


def test_points_of_which_nothing_is_known_are_empty(folder: Path, call: Call) -> None:
    table, told, result = scored(call, folder)
    unknown = table[500:560]
    assert unknown[["score", "p_value", "reason_1"]].isna().all(axis=None)
    assert (unknown.flag == 0).all()
    assert table.score.isna().sum() == told["unknown"] == 60
    assert "nothing is known of 60 points" in result.stderr


def test_rules(folder: Path, call: Call) -> None:
    X = broken()[["heat", "load"]]
    detector = diabolo.load(folder / "model.safetensors")
    rules = {
        ("--fdr", 0.3): diabolo.FalseDiscoveryRate(0.3),
        ("--above", 4): diabolo.Score(4.0),
        ("--alerts-per-day", 40): diabolo.AlertsPerDay(40.0),
        ("--alerts-per-day", 9, "--rows-per-day", 288): diabolo.AlertsPerDay(9.0, 288),
    }
    for words, rule in rules.items():
        table, told, _ = scored(call, folder, *words)
        assert np.array_equal(table.flag == 1, detector.is_anomaly(X, rule)), words
        assert table.flag.any()
        assert told["rule"] == repr(rule)
    words = ("--label", "fault", "--false-positives", 0.05, "--fail-above")
    table, told, result = scored(call, folder, *words, 0.01)
    usual = (broken().fault == 0) & table.score.notna()
    assert table.flag[usual].mean() <= 0.05
    assert table.flag[300:321].mean() > 0.9
    assert result.exit_code == 5
    assert "more than 1 % of the points are flagged" in result.stderr
    assert scored(call, folder, *words, told["share"])[2].exit_code == 0


def test_a_threshold_is_changed(folder: Path, tmp_path: Path, call: Call) -> None:
    path = tmp_path / "changed.safetensors"
    told = json.loads(call("threshold", folder / "model.safetensors", "--json").stdout)
    assert told["rule"] == "Quantile(level=0.99)"
    assert call("threshold", folder / "model.safetensors", "--quantile", 0.9, "-o", path).exit_code == 0
    assert repr(diabolo.load(path).rule) == "Quantile(level=0.9)"
    assert "Quantile(level=0.9)" in call("info", path).stdout
    assert call("verify", path).exit_code == 0


def test_other_kinds_of_files(folder: Path, tmp_path: Path, call: Call) -> None:
    """The same numbers from parquet and from an array without names; results as parquet and on standard output."""
    model, frame = folder / "model.safetensors", broken().drop(columns="fault")
    expected = diabolo.load(model).anomaly_score(frame[["heat", "load"]])
    frame.assign(when=pd.to_datetime(frame.when)).to_parquet(tmp_path / "moments.parquet")
    np.save(tmp_path / "array.npy", frame[["heat", "load"]].to_numpy())
    for name, columns in (("moments.parquet", COLUMNS), ("array.npy", COLUMNS[1:])):
        result = call("score", model, tmp_path / name, "-o", tmp_path / "out.parquet", "--force")
        assert result.exit_code == 0, result.stderr
        table = pd.read_parquet(tmp_path / "out.parquet")
        assert list(table.columns) == columns
        assert np.allclose(table.score, expected, equal_nan=True)
        assert table.reason_1[310].startswith("heat ")
    lines = call("score", model, tmp_path / "array.npy").stdout.splitlines()
    assert len(lines) == 801
    assert lines[501] == ",,0,,,"
    refused = call("score", model, tmp_path / "array.npy", "-o", tmp_path / "out.npy")
    assert (refused.exit_code, "npy holds numbers alone" in refused.stderr) == (2, True)


def test_one_channel_without_a_name_and_one_that_counts(tmp_path: Path, call: Call) -> None:
    np.save(tmp_path / "flat.npy", wave().heat.to_numpy())
    told = json.loads(call("fit", tmp_path / "flat.npy", "--series", "--dry-run", "--json").stdout)
    assert (told["channels"], told["points"]) == (["0"], 800)
    wave().assign(when=1_700_000_000 + 300 * TIME).to_csv(tmp_path / "unix.csv", index=False)
    result = call("fit", tmp_path / "unix.csv", "--series", "--dry-run", "--json")
    assert json.loads(result.stdout)["channels"] == ["heat", "load"]
    assert "column 'when' counts the points (1700000000 to 1700239700), and is no channel" in result.stderr


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_a_real_series(tmp_path: Path, call: Call) -> None:
    path, out = tmp_path / "real.safetensors", tmp_path / "scores.csv"
    assert call("fit", REAL, "--series", "--seed", 0, "-o", path).exit_code == 0
    assert call("score", path, REAL, "-o", out).exit_code == 0
    frame, table = pd.read_csv(REAL), pd.read_csv(out)
    assert (table.time == frame.timestamp).all()
    assert np.allclose(table.score, diabolo.load(path).anomaly_score(frame[["value"]]))


# What is wrong


def faulty(name: str) -> pd.DataFrame:
    """A series with something wrong."""
    frame = wave()
    made = {
        "a word": frame.assign(heat=frame.heat.astype(object).where(TIME != 33, "broken")),
        "words": frame.assign(host="a"),
        "infinite": frame.assign(heat=frame.heat.where(TIME != 7, np.inf)),
        "unsorted": frame.iloc[::-1],
        "two series": pd.concat([frame, frame]),
        "one row": frame[:1],
        "turned": pd.DataFrame(frame.heat.to_numpy()[None]),
        "short": frame[:30],
        "nothing": frame.assign(heat=np.nan, load=np.nan),
        "other columns": frame.rename(columns={"heat": "cold"}),
        "slashes": frame.assign(when=frame.when.str.replace("-", "/")),
    }
    return made[name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a word", "column 'heat', row 33 is 'broken', which is no number as those of other rows are"),
        ("words", "column 'host', row 0 is 'a', which is neither a number nor a time"),
        ("slashes", "or name the columns that are channels: --channels heat,load"),
        ("infinite", "column 'heat', row 7 is inf. Give finite numbers, and leave gaps empty."),
        ("unsorted", "row 1 (2024-01-03 18:30:00) comes before row 0 (2024-01-03 18:35:00). Sort the rows by time"),
        ("two series", "row 800 (2024-01-01 00:00:00) comes before row 799"),
        ("one row", "has a single row, which is a single point of time"),
        ("turned", "turn the table"),
        ("nothing", "nothing but gaps"),
    ],
)
def test_what_cannot_be_learned_from_is_named(name: str, said: str, tmp_path: Path, call: Call) -> None:
    faulty(name).to_csv(tmp_path / "bad.csv", index=False, header=name != "turned")
    result = call("fit", tmp_path / "bad.csv", "--series", "-o", tmp_path / "model.safetensors")
    assert result.exit_code == 3, result.stderr
    assert said in result.stderr
    assert "bad.csv" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other columns", "column 'heat' is missing; the detector was fitted to 'heat', 'load'"),
        ("short", "has 30 points, fewer than the window of 40 that the detector was fitted with"),
        ("infinite", "row 7 is inf"),
        ("turned", "has no names of columns, and 800 of them; the detector was fitted to 'heat', 'load'"),
    ],
)
@pytest.mark.parametrize("command", ["score", "report"])
def test_what_cannot_be_judged_is_named(
    command: str, name: str, said: str, folder: Path, tmp_path: Path, call: Call
) -> None:
    faulty(name).to_csv(tmp_path / "bad.csv", index=False, header=name != "turned")
    out = tmp_path / ("out.csv" if command == "score" else "out.html")
    result = call(command, folder / "model.safetensors", tmp_path / "bad.csv", "-o", out)
    assert result.exit_code == 3, result.stderr
    assert said in result.stderr
    assert not out.exists()


def test_what_is_decided_about_the_data_is_told(folder: Path, tmp_path: Path, call: Call) -> None:
    """Columns that are not known, times that are missing, doubled or not evenly spaced: each is said, none is fatal."""
    model, frame = folder / "model.safetensors", wave()
    cases = {
        "column 'host' is left out: the detector knows no such channel": frame.assign(host="a"),
        "2 of the times are missing": frame.assign(when=frame.when.where((TIME != 5) & (TIME != 9), None)),
        "1 point has the time of the point before": frame.assign(when=frame.when.where(TIME != 5, frame.when[4])),
        "longer than the usual one of 5 minutes, up to 4.25 hours before row 100": frame.drop(index=range(100, 150)),
    }
    for words, given in cases.items():
        given.to_csv(tmp_path / "odd.csv", index=False)
        result = call("score", model, tmp_path / "odd.csv", "-o", tmp_path / "out.csv", "--force")
        assert result.exit_code == 0, result.stderr
        assert words in result.stderr
        assert len(pd.read_csv(tmp_path / "out.csv")) == len(given)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--series", "--detector"], "--detector and --series cannot both be"),
        (["--window", 10], "--window is for time series: diabolo fit DATA --series --window 10"),
        (["--channels", "heat"], "--channels is for time series"),
        (["--series", "--channels", ","], "must name columns"),
        (["--series", "--window", 1], "window came as 1; it must be a whole number of at least 2"),
        (["--series", "--normalize-by", "row"], "'row' is not one of channel, window, none"),
        (["--series", "--smoothing", 2], "it must be odd"),
        (["--series", "--degraded", "x.csv"], "--series and --degraded cannot both be"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(words: list[Any], said: str, folder: Path, call: Call) -> None:
    result = call("fit", folder / "usual.csv", *words, "--dry-run")
    assert result.exit_code == 2, result.stderr
    assert said in " ".join(result.stderr.split())


def test_pictures_and_rows_of_sequences_are_no_series(tmp_path: Path, call: Call) -> None:
    for data, said in (("digits", "has rows of 8 x 8"), (tmp_path / "many.ts", "holds 2 series, one in a row")):
        if isinstance(data, Path):
            data.write_text("@univariate true\n@classLabel false\n@data\n1,2,3\n4,5\n")
        result = call("fit", data, "--series", "--dry-run")
        assert result.exit_code == 3, result.stderr
        assert said in result.stderr


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("encode", "diabolo report"),
        ("reconstruct", "explain(series).expected"),
        ("explain", "is told by diabolo score"),
        ("impute", "explain(series).expected"),
        ("sample", "diabolo score"),
    ],
)
def test_commands_about_rows_refuse_it_and_say_what_to_use(
    command: str, instead: str, folder: Path, call: Call
) -> None:
    words = [] if command == "sample" else [folder / "usual.csv"]
    result = call(command, folder / "model.safetensors", *words)
    assert result.exit_code == 2, result.stderr
    assert "a detector for time series" in result.stderr
    assert f"diabolo {command} takes rows" in result.stderr
    assert instead in result.stderr


def test_a_report_is_written(folder: Path, tmp_path: Path, call: Call) -> None:
    words = ["report", folder / "model.safetensors", folder / "broken.csv", "--label", "fault"]
    dry = call(*words, "-o", tmp_path / "page.html", "--dry-run", "--json")
    assert json.loads(dry.stdout)["dry_run"]
    assert "800 points of 2 channels (heat, load)" in dry.stderr
    result = call(*words, "-o", tmp_path / "page.html", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads((tmp_path / "page.json").read_text())
    assert json.loads(result.stdout)["headline"] == told["headline"]
    assert told["series"]["judges"][0]["auroc"] > 0.9

"""Laws of the report on a detector for time series: what is drawn, which stretches are strange, what baselines say."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from diabolo import DataError, FalseDiscoveryRate, Score, SeriesAnomalyDetector, load
from diabolo.report import lines, write_report
from diabolo.report.lines import thinned
from diabolo.report.series import residual, standardized
from diabolo.report.svg import Plot

from .test_report import HOSTILE, read

FOLDER = Path(os.environ.get("DIABOLO_DATA") or Path(__file__).parents[3] / "shared" / "data") / "timeseries"
TIME = np.arange(1200)
FAULT = slice(700, 720)


def wave(channels: int = 2, seed: int = 0) -> np.ndarray:
    """Related channels with noise."""
    random = np.random.default_rng(seed)
    clean = np.stack([np.sin(TIME / 6 + phase) for phase in range(channels)], axis=1)
    return clean + 0.05 * random.normal(size=clean.shape)


def frame(values: np.ndarray | None = None) -> pd.DataFrame:
    """A series with a fault in its second channel, and when the points were."""
    values = wave(seed=1) if values is None else values
    made = pd.DataFrame(values, columns=["heat", "load"])
    made.loc[FAULT.start : FAULT.stop - 1, "load"] += 4
    made.insert(0, "when", pd.date_range("2024-03-01", periods=len(made), freq="1h").astype(str))
    return made


@pytest.fixture(scope="module")
def detector() -> SeriesAnomalyDetector:
    return SeriesAnomalyDetector(window=40, random_state=0).fit(pd.DataFrame(wave(), columns=["heat", "load"]))


def write(detector: SeriesAnomalyDetector, data: Any, folder: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """Write a report and read it back, with what must always hold."""
    numbers = write_report(detector, data, folder / "report.html", **options)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == numbers
    assert set(numbers) == {"schema", "diabolo", "headline", "series", "data", "model"}
    assert len(page) < 1_000_000
    check_alone(page)
    words = read(page).words
    told = numbers["series"]
    assert told["rule"] in words
    assert told["promise"] in words.replace("\u00a0", " ")
    assert numbers["headline"]["sentence"] in words
    assert "nan" not in words.lower().split()
    assert "NaN" not in "".join(re.findall(r' d="[^"]*"', page))
    flagged = [each["score"] for each in told["strangest"] if each["flagged"]]
    others = [each["score"] for each in told["strangest"] if not each["flagged"]]
    assert flagged == sorted(flagged, reverse=True)
    assert others == sorted(others, reverse=True)
    return numbers, page


def check_alone(page: str) -> None:
    """The page asks for nothing, and nothing runs."""
    reader = read(page)
    policy = next(a["content"] for _, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    for tag, attributes in reader.tags:
        assert tag not in ("script", "img", "iframe", "link", "object", "embed", "base", "form", "a", "video", "audio")
        assert not any(name.startswith("on") or name in ("src", "href") for name in attributes)
    style = " ".join(reader.texts["style"])
    assert not any(word in style for word in ("url(", "@import", "://"))


def test_it_tells_what_python_tells(detector: SeriesAnomalyDetector, tmp_path: Path) -> None:
    data = frame()
    numbers, page = write(detector, data, tmp_path)
    X, told = data[["heat", "load"]], numbers["series"]
    scores, flags = detector.anomaly_score(X), detector.is_anomaly(X)
    assert told["flagged"] == flags.sum() > 0
    assert told["cut"] == pytest.approx(detector.rule.cut(detector.calibration_))
    assert told["promise"] == detector.promise(len(X))
    assert told["score_quantiles"]["0.5"] == pytest.approx(np.median(scores))
    assert not told["fitted_to_these_points"]
    first = told["strangest"][0]
    assert first["start"] < FAULT.stop
    assert first["stop"] > FAULT.start
    assert first["score"] == pytest.approx(scores.max())
    assert first["p_value"] == pytest.approx(detector.p_value(X)[scores.argmax()])
    why = first["reasons"][0]
    expected = detector.explain(X).expected
    assert why["channel"] == "load"
    assert why["observed"] == pytest.approx(data.load[why["at"]])
    assert why["expected"] == pytest.approx(expected[why["at"], 1])
    apart = np.abs(data.load - expected[:, 1])[first["start"] : first["stop"]]
    assert why["at"] == apart.idxmax()
    assert why["when"] == data.when[why["at"]].removesuffix(":00")
    assert first["when"] in page
    covered = np.zeros(len(X), dtype=bool)
    for each in told["strangest"]:
        covered[each["start"] : each["stop"]] |= each["flagged"]
    assert covered[flags].all()
    assert "flagged beyond" in page
    assert "2024-04-01" in page
    assert page.count("<h2>") == 6


def test_stretches_that_are_not_flagged_do_not_overlap(detector: SeriesAnomalyDetector, tmp_path: Path) -> None:
    loose = load_again(detector, tmp_path).change_threshold(Score(1e9))
    numbers, page = write(loose, frame(), tmp_path)
    assert numbers["headline"]["sentence"] == "No point of 1,200 is flagged"
    assert "The strangest stretches, none of them flagged" in page
    taken = np.zeros(1200, dtype=int)
    for each in numbers["series"]["strangest"]:
        taken[each["start"] : each["stop"]] += 1
    assert taken.max() == 1
    assert numbers["series"]["strangest"][0]["score"] == pytest.approx(
        detector.anomaly_score(frame()[["heat", "load"]]).max()
    )


def load_again(detector: SeriesAnomalyDetector, folder: Path) -> SeriesAnomalyDetector:
    """The same from a file: the shared one stays as it is."""
    detector.save(folder / "detector.safetensors")
    again = load(folder / "detector.safetensors")
    assert isinstance(again, SeriesAnomalyDetector)
    return again


def test_baselines_and_labels_are_measured_as_one_would_by_hand(
    detector: SeriesAnomalyDetector, tmp_path: Path
) -> None:
    data = frame()
    labels = np.zeros(1200, dtype=int)
    labels[FAULT] = 1
    numbers, page = write(detector, data, tmp_path, labels=labels)
    own, average, principal = numbers["series"]["judges"]
    X = data[["heat", "load"]].to_numpy()
    scores = detector.anomaly_score(X)
    theirs = residual((X - X.mean(0)) / X.std(0), 40)
    assert own["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    assert own["average_precision"] == pytest.approx(average_precision_score(labels, scores))
    assert average["rank_correlation"] == pytest.approx(spearmanr(scores, theirs).statistic)
    assert average["auroc"] == pytest.approx(roc_auc_score(labels, theirs))
    assert principal["name"] == "Sub-PCA"
    assert 1 <= principal["shared_peaks"] <= numbers["series"]["peaks_compared"] == 10
    assert numbers["series"]["strangest"][0]["labelled"] > 0.2
    assert "labelled an anomaly" in page


def test_the_residual_is_that_of_a_moving_average() -> None:
    values = standardized(wave(1))
    around = [values[max(0, at - 4) : at + 5].mean() for at in range(len(values))]
    squares = (values[:, 0] - around) ** 2
    expected = [squares[max(0, at - 4) : at + 5].mean() for at in range(len(values))]
    assert residual(values, 9) == pytest.approx(np.array(expected))


def test_the_series_of_the_fit_is_known_again(detector: SeriesAnomalyDetector, tmp_path: Path) -> None:
    fitted = pd.DataFrame(wave(), columns=["heat", "load"])
    numbers, page = write(load_again(detector, tmp_path), fitted, tmp_path)
    assert numbers["series"]["fitted_to_these_points"]
    assert "This is the series that it was fitted to" in page


def test_the_same_bytes_each_time_also_from_a_file(detector: SeriesAnomalyDetector, tmp_path: Path) -> None:
    first = write(detector, frame(), tmp_path)
    assert write(detector, frame(), tmp_path) == first
    again = write(load_again(detector, tmp_path), frame(), tmp_path)[0]
    assert again["series"] == first[0]["series"]


@pytest.mark.parametrize("kind", ["array", "flat", "index", "gaps"])
def test_kinds_of_data(kind: str, detector: SeriesAnomalyDetector, tmp_path: Path) -> None:
    """Without names, with one channel, with times in the index, with points of which nothing is known."""
    data = frame()
    if kind == "flat":
        one = SeriesAnomalyDetector(window=40, random_state=0).fit(wave()[:, 0])
        numbers, page = write(one, data.load.to_numpy(), tmp_path)
        assert "channel 0" in page
        assert numbers["series"]["strangest"][0]["when"].startswith("points 6")
        return
    given: Any = data[["heat", "load"]].to_numpy()
    if kind == "index":
        given = data[["heat", "load"]].set_index(pd.to_datetime(data.when))
    if kind == "gaps":
        given = data.assign(heat=data.heat.where(TIME > 50), load=data.load.where((TIME > 50) & (TIME != 900)))
    numbers, page = write(detector, given, tmp_path)
    assert numbers["series"]["unknown"] == (51 if kind == "gaps" else 0)
    assert ("2024-03-30" in page) == (kind != "array")


def test_rules_that_look_at_all_points(detector: SeriesAnomalyDetector, tmp_path: Path) -> None:
    made = load_again(detector, tmp_path).change_threshold(FalseDiscoveryRate(0.5))
    numbers, _ = write(made, frame(), tmp_path)
    X = frame()[["heat", "load"]]
    assert numbers["series"]["flagged"] == made.is_anomaly(X).sum() > 0
    assert numbers["series"]["cut"] == pytest.approx(made.anomaly_score(X)[made.is_anomaly(X)].min())


def test_constant_series_and_nothing_at_all(detector: SeriesAnomalyDetector, tmp_path: Path) -> None:
    constant = pd.DataFrame({"heat": np.ones(400), "load": np.zeros(400)})
    write(detector, constant, tmp_path)
    with pytest.raises(DataError, match="nothing to report on"):
        write_report(detector, constant * np.nan, tmp_path / "report.html")


def test_hostile_names_are_inert(tmp_path: Path) -> None:
    data = pd.DataFrame(wave(5)[:500], columns=HOSTILE)
    made = SeriesAnomalyDetector(window=20, random_state=0).fit(data)
    _, page = write(made, data, tmp_path)
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page.replace("&gt;", "")
    assert not any(sign in page for sign in ("\u202e", "\x00"))


@pytest.mark.skipif(not (FOLDER / "asd").exists(), reason=f"{FOLDER / 'asd'} is not there")
def test_real_series_of_many_channels(tmp_path: Path) -> None:
    with np.load(FOLDER / "asd" / "omi-1.npz") as file:
        train, test, labels = file["train"][-3000:], file["test"], file["test_label"]
    made = SeriesAnomalyDetector(window=30, random_state=0).fit(train)
    numbers, page = write(made, test, tmp_path, labels=labels)
    assert "8 of 19 channels, and the score" in page
    assert numbers["series"]["judges"][0]["auroc"] == pytest.approx(roc_auc_score(labels, made.anomaly_score(test)))
    assert page.count("<h2>") == 6


# Lines


@pytest.mark.parametrize("points", [30, 200, 5003])
def test_no_extreme_is_lost_and_no_gap_is_bridged(points: int) -> None:
    values = np.random.default_rng(points).normal(size=points)
    values[points // 3 : points // 2] = np.nan
    values[points // 5] = 50.0
    pieces = thinned(values, 100)
    assert len(pieces) == 2
    kept = np.concatenate(pieces)
    assert len(kept) <= 2 * 100 or points <= 200
    assert np.array_equal(kept[:, 1], values[kept[:, 0].astype(int)])
    assert (np.diff(kept[:, 0]) > 0).all()
    assert (kept[:, 1].max(), kept[:, 1].min()) == (np.nanmax(values), np.nanmin(values))
    assert pieces[0][-1, 0] < points // 3
    assert pieces[1][0, 0] >= points // 2


@pytest.mark.parametrize(
    ("step", "most"), [("s", 4), ("m", 4), ("h", 7), ("h", 3), ("D", 6), ("D", 2), ("W", 5), ("M", 5), ("Y", 4)]
)
def test_ticks_of_time_are_round_rising_and_few(step: str, most: int) -> None:
    for count in (3, 47, 1000):
        times = (np.datetime64("2023-12-30T21:47:13", "s") + np.arange(count) * seconds(step)).astype("datetime64[us]")
        found = lines.time_ticks(times, 0, count, most)
        places = [at for at, _ in found]
        assert len(found) <= most
        assert places == sorted(set(places))
        assert all(0 <= at < count for at in places)
        assert len({text for _, text in found}) == len(found)


def seconds(step: str) -> np.timedelta64:
    """A step of time."""
    days = {"W": 7, "M": 31, "Y": 366}
    return np.timedelta64(days[step] * 86_400, "s") if step in days else np.timedelta64(1, step).astype("m8[s]")


def test_a_single_point_is_marked_wide_enough_to_be_seen() -> None:
    plot = Plot((0.0, 1e6), (0.0, 1.0))
    found = re.findall(r"M([\d.]+) .*?H([\d.]+)", str(lines.marks(plot, [(500, 501)], "band", 0.0, 9.0)))
    left, right = map(float, found[0])
    assert right - left == pytest.approx(2.0, abs=0.11)

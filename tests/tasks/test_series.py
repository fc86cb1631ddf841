"""Time series: every point gets its score, what is strange stands out, streams say what batches say."""

from __future__ import annotations

import importlib.util
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import (
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from diabolo import (
    Autoencoder,
    ConvAutoencoder,
    DataError,
    FalseDiscoveryRate,
    LinearAutoencoder,
    ModelFileError,
    Quantile,
    SeriesAnomalyDetector,
    ShapeError,
    load,
)
from diabolo.core.files import read_container, write_container
from diabolo.data.windows import autocorrelation, beginnings, dominant_period, smoothed

RANDOM = np.random.default_rng(0)


def wave(points: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Daily ups and downs of some related channels, with noise."""
    time, random = np.arange(points), np.random.default_rng(seed)
    base = np.stack([np.sin(2 * np.pi * time / 40 + phase) for phase in range(channels)], axis=1)
    base[:, -1] += 0.5 * np.sin(2 * np.pi * time / 20)
    return base * np.arange(1, channels + 1) + 0.1 * random.normal(size=base.shape)


@pytest.fixture(scope="module")
def fitted() -> SeriesAnomalyDetector:
    """On 3,000 points of three channels."""
    return SeriesAnomalyDetector(window=40, random_state=0).fit(wave(3000))


# Windows


@pytest.mark.parametrize("period", [7, 24, 60, 150])
def test_period_of_a_noisy_wave_on_a_trend(period: int) -> None:
    time = np.arange(900)
    values = np.sin(2 * np.pi * time / period) + 0.02 * time + 0.5 * np.random.default_rng(1).normal(size=900)
    found = dominant_period([values[:, None]])
    assert found is not None
    assert abs(found - period) <= 0.04 * period


def test_the_first_of_several_equal_peaks_is_the_period() -> None:
    pattern = np.random.default_rng(2).normal(size=30)
    assert dominant_period([np.tile(pattern, 20)[:, None]]) == 30


def test_no_period_where_there_is_none() -> None:
    random = np.random.default_rng(3)
    for values in (np.ones(500), random.normal(size=500), np.arange(500.0), np.arange(500) > 250, np.full(500, np.nan)):
        assert dominant_period([np.asarray(values, dtype=float)[:, None]]) is None
    assert dominant_period([np.zeros((3, 1))]) is None


def test_period_with_gaps_and_over_several_series_and_channels() -> None:
    series = [wave(400)[:, :1], np.column_stack([wave(300, seed=1)[:, 0], np.ones(300)])[:, :1]]
    series[0][np.random.default_rng(4).random(400) < 0.4] = np.nan
    assert dominant_period(series) == 40
    assert dominant_period([np.column_stack([wave(400)[:, 0], np.ones(400), np.full(400, np.nan)])]) == 40


def test_autocorrelation_is_that_of_the_definition() -> None:
    values = np.random.default_rng(5).normal(size=50)
    time = np.arange(50)
    rest = values - np.polyval(np.polyfit(time, values, 1), time)
    expected = [np.mean(rest[: 50 - lag] * rest[lag:]) / np.mean(rest**2) for lag in range(11)]
    np.testing.assert_allclose(autocorrelation([values[:, None]], 10), expected, atol=1e-12)


def test_windows_cover_every_point() -> None:
    for length in range(5, 60):
        for stride in range(1, 6):
            at = beginnings(length, 5, stride)
            covered = np.zeros(length, dtype=int)
            for start in at:
                covered[start : start + 5] += 1
            assert covered.all()
            assert at[-1] == length - 5


@pytest.mark.parametrize("points", [1, 3, 9])
def test_smoothing_in_pieces_is_smoothing_at_once(points: int) -> None:
    values = np.random.default_rng(6).normal(size=40)
    values[10:12] = np.nan
    whole = np.concatenate(list(smoothed([values], points)))
    for size in (1, 2, 7, 39):
        pieces = [values[start : start + size] for start in range(0, 40, size)]
        np.testing.assert_allclose(np.concatenate(list(smoothed(pieces, points))), whole, atol=1e-12)
    middle = [
        np.nanmean(values[max(0, at - points // 2) : at + points // 2 + 1]) for at in range(40) if at not in (10, 11)
    ]
    np.testing.assert_allclose(whole[~np.isnan(values)], middle)


# Scores


@pytest.mark.parametrize("length", [40, 41, 79, 200, 1003])
def test_every_point_has_a_score(fitted: SeriesAnomalyDetector, length: int) -> None:
    scores = fitted.score_samples(wave(length, seed=1))
    assert scores.shape == (length,)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(fitted.anomaly_score(wave(length, seed=1)), -scores)


@pytest.mark.parametrize("shape", ["flat", "noise", "faster", "spike", "level"])
def test_what_was_planted_has_the_highest_score(fitted: SeriesAnomalyDetector, shape: str) -> None:
    values = wave(1500, seed=2)
    part = values[700:740, 1]
    values[700:740, 1] = {
        "flat": np.zeros(40),
        "noise": part + np.random.default_rng(0).normal(size=40) * 2,
        "faster": np.resize(part[::2], 40),
        "spike": part + 8 * (np.arange(40) == 20),
        "level": part + 3,
    }[shape]
    scores = fitted.anomaly_score(values)
    assert 680 <= scores.argmax() < 760
    elsewhere = np.r_[scores[:640], scores[800:]]
    assert np.sort(scores[700:740])[20] > elsewhere.max()
    assert fitted.is_anomaly(values)[705:735].mean() > 0.8


def test_an_untrained_network_is_worse() -> None:
    random = np.random.default_rng(0)
    train, test = wave(2000), wave(2000, seed=1)
    labels = np.zeros(2000, dtype=bool)
    for at in range(100, 2000, 300):
        test[at : at + 30, 0] = random.permutation(test[at : at + 30, 0])
        labels[at : at + 30] = True

    def separation(learning_rate: float, epochs: int) -> float:
        from sklearn.metrics import roc_auc_score

        network = Autoencoder(code_size=8, epochs=epochs, learning_rate=learning_rate, scaling="none")
        detector = SeriesAnomalyDetector(network, window=32, neighbors=0, random_state=0).fit(train)
        return float(roc_auc_score(labels, detector.anomaly_score(test)))

    assert separation(0.05, 20) > 0.9 > separation(1e-30, 1) + 0.05


def test_levels_do_not_count_where_windows_are_normalized_by_themselves() -> None:
    train, shifted = wave(2000, channels=1), wave(1000, channels=1, seed=1)
    shifted[500:] += 4
    by_channel, by_window = (
        SeriesAnomalyDetector(window=40, normalize=name, random_state=0).fit(train).anomaly_score(shifted)
        for name in ("channel", "window")
    )
    assert by_channel[560:].mean() > 5 * by_channel[:440].mean()
    assert by_window[560:].mean() < 1.5 * by_window[:440].mean()


def test_unlabelled_fit_and_score_of_the_same_series() -> None:
    values = wave(2000, channels=1)
    values[900:940] = 0.0
    flags = SeriesAnomalyDetector(window=40, random_state=0).fit_predict(values)
    assert flags.shape == (2000,)
    assert set(flags) == {-1, 1}
    assert (flags[905:935] == -1).all()


def test_a_constant_series_is_normal_and_what_departs_is_not() -> None:
    detector = SeriesAnomalyDetector(random_state=0).fit(np.full(500, 7.0))
    assert detector.period_ is None
    np.testing.assert_allclose(detector.anomaly_score(np.full(300, 7.0)), 0, atol=1e-9)
    other = np.full(300, 7.0)
    other[150] = 8
    assert abs(int(detector.anomaly_score(other).argmax()) - 150) <= detector.stride_


# Units of channels


def test_a_switch_that_moved_once_does_not_drown_the_others() -> None:
    train = np.column_stack([wave(4000, channels=2), np.zeros(4000)])
    train[1500:1540, 2] = 1.0
    test = np.column_stack([wave(1500, channels=2, seed=1), np.zeros(1500)])
    test[1000:1040, 2] = 1.0  # as in the training
    test[400:440, 0] = 0.0  # never before
    detector = SeriesAnomalyDetector(window=40, random_state=0).fit(train)
    scores = detector.anomaly_score(test)
    assert 385 <= scores[:900].argmax() < 455
    own = SeriesAnomalyDetector(window=40, neighbors=0, random_state=0).fit(train).judge_
    unseen = own.spread[2]
    seen = np.sqrt(np.mean([each.errors[:, 2].mean() ** 2 for each in own.judged([train[1500:1600]], 40, 5)]))
    assert unseen > 2 * seen


def test_units_are_what_unseen_blocks_err() -> None:
    from diabolo.tasks.series_windows import BLOCKS, FEWER_WINDOWS, as_rows, left_out, training_windows

    train = wave(2000)
    detector = SeriesAnomalyDetector(window=40, random_state=0).fit(train)
    plan = detector.plan(train)
    (front,) = plan.fronts
    errors = []
    for rest, block in left_out(plan.fronts, 40):
        rows, code = (
            plan.scaling(training_windows(rest, 40, FEWER_WINDOWS))[0],
            LinearAutoencoder(code_size=detector.estimator_.code_size),
        )
        code.fit(as_rows(rows, code))
        at = beginnings(len(block[0]), 40, 20)
        windows = plan.scaling(np.stack([block[0][start : start + 40] for start in at]))[0]
        back = code.reconstruct(as_rows(windows, code)).reshape(windows.shape)
        errors.append(((windows - back) ** 2).mean(1))
    expected = np.sqrt((np.concatenate(errors) ** 2).mean(0))
    np.testing.assert_allclose(detector.judge_.spread, expected, rtol=1e-3)
    together = [np.concatenate([block[0] for _, block in left_out(plan.fronts, 40)])]
    np.testing.assert_array_equal(together[0], front)  # each point is left out once
    assert len(list(left_out([wave(50)] * 6, 40))) == BLOCKS
    assert [len(block) for _, block in left_out([wave(50)] * 6, 40)] == [2, 2, 2]
    assert not list(left_out([wave(50)], 40))  # nothing would be left to learn from


def test_where_no_block_can_be_left_out_the_own_errors_are_the_units() -> None:
    values = wave(110)
    detector = SeriesAnomalyDetector(window=40, calibration=0.0, random_state=0).fit(values)
    judged = detector.judge_.judged([values], 40, 20)
    expected = np.sqrt((np.concatenate([each.errors for each in judged]) ** 2).mean(0))
    np.testing.assert_allclose(detector.judge_.spread, np.maximum(expected, 1e-3))


# Explanation


def test_the_corrupted_channel_is_named_first(fitted: SeriesAnomalyDetector) -> None:
    frame = pd.DataFrame(wave(3000), columns=["heat", "load", "flow"])
    detector = SeriesAnomalyDetector(window=40, random_state=0).fit(frame)
    for channel, name in enumerate(frame):
        values = pd.DataFrame(wave(600, seed=3), columns=frame.columns)
        clean = values[name].copy()
        values.loc[300:310, name] += 5.0
        reasons = detector.explain(values)
        assert reasons.channels == ("heat", "load", "flow")
        assert reasons.order(305)[0] == name
        assert reasons.share[305, channel] > 0.4
        np.testing.assert_allclose(reasons.share.sum(1), 1)
        np.testing.assert_array_equal(reasons.score, detector.anomaly_score(values))
        usual = np.abs(reasons.expected[:200, channel] - clean[:200]).mean()
        assert usual < 0.3
        assert abs(reasons.expected[305, channel] - clean[305]) < 2.5


def test_expected_values_are_in_the_units_of_the_data() -> None:
    values = wave(1500) * 1000 + 5e4
    for normalize in ("channel", "window", "none"):
        detector = SeriesAnomalyDetector(window=40, normalize=normalize, random_state=0).fit(values)
        assert np.abs(detector.explain(values).expected - values).mean() < 0.2 * values.std()


# Gaps


def test_gaps_are_never_read_and_have_no_score(fitted: SeriesAnomalyDetector) -> None:
    values = wave(600, seed=4)
    values[100:110] = np.nan
    values[200:300, 1] = np.nan
    values[400:500] = np.nan
    scores = fitted.anomaly_score(values)
    nothing = np.isnan(values).all(1)
    assert np.isnan(scores[nothing]).all()
    assert np.isfinite(scores[~nothing]).all()
    assert (fitted.predict(values)[nothing] == 1).all()
    assert np.isnan(fitted.p_value(values)[nothing]).all()
    assert np.isfinite(fitted.explain(values).expected[100:110]).all()
    usual = fitted.anomaly_score(wave(600, seed=4))
    assert np.nanmedian(scores[210:290]) < 4 * np.median(usual)


def test_fit_with_gaps_still_finds() -> None:
    values = wave(2000)
    values[np.random.default_rng(0).random(values.shape) < 0.1] = np.nan
    values[500:600] = np.nan
    detector = SeriesAnomalyDetector(window=40, random_state=0).fit(values)
    other = wave(600, seed=5)
    other[300:320, 0] = 2
    assert 290 <= detector.anomaly_score(other).argmax() < 340


# Kinds of input


def test_series_of_unequal_length() -> None:
    series = [wave(length, seed=length) for length in (900, 500, 30, 700)]
    detector = SeriesAnomalyDetector(window=40, random_state=0).fit(series)
    usable = [series[0], series[1], series[3]]
    scores = detector.anomaly_score(usable)
    assert [len(each) for each in scores] == [900, 500, 700]
    np.testing.assert_array_equal(detector.anomaly_score(series[1]), scores[1])
    assert [each.shape for each in detector.predict(usable)] == [(900,), (500,), (700,)]
    cube = np.stack([wave(200, seed=seed) for seed in range(3)])
    assert [each.shape for each in detector.score_samples(cube)] == [(200,)] * 3


def test_many_short_series_are_held_out_whole() -> None:
    series = [wave(120, seed=seed) for seed in range(30)]
    detector = SeriesAnomalyDetector(random_state=0).fit(series)
    assert detector.window_ == 60
    assert detector.calibrated_
    assert len(detector.calibration_) == 4 * 120


def test_frames_lists_and_arrays_are_one() -> None:
    values = wave(800, channels=1)[:, 0]
    whole = SeriesAnomalyDetector(window=40, random_state=0).fit(values).anomaly_score(values)
    for given in (
        values[:, None],
        values.tolist(),
        pd.Series(values),
        pd.DataFrame({"a": values}),
        pl.DataFrame({"a": values}),
    ):
        np.testing.assert_array_equal(
            SeriesAnomalyDetector(window=40, random_state=0).fit(given).anomaly_score(given), whole
        )


def test_any_autoencoder_finds(fitted: SeriesAnomalyDetector) -> None:
    values = wave(800, seed=1)
    values[400:420, 1] = 0
    for estimator in (Autoencoder(code_size=6, epochs=10), ConvAutoencoder(code_size=6, epochs=6)):
        detector = SeriesAnomalyDetector(estimator, window=40, random_state=0).fit(wave(1500))
        assert 385 <= detector.anomaly_score(values).argmax() < 435
    frozen = SeriesAnomalyDetector(FrozenEstimator(fitted.estimator_), window=40, random_state=0).fit(wave(1500))
    assert frozen.estimator_ is fitted.estimator_


def test_what_cannot_be_is_refused_with_the_place(fitted: SeriesAnomalyDetector) -> None:
    with pytest.raises(DataError, match="25 points, fewer than a window of 40"):
        SeriesAnomalyDetector(window=40).fit(wave(25))
    with pytest.raises(DataError, match="25 points, fewer than the window of 40"):
        fitted.anomaly_score(wave(25))
    with pytest.raises(ShapeError, match=r"2 channels, but .* expecting 3"):
        fitted.anomaly_score(wave(100, channels=2))
    with pytest.raises(ShapeError, match="Series 1 has 2 channels"):
        fitted.anomaly_score([wave(100), wave(100, channels=2)])
    infinite = wave(100)
    infinite[17, 2] = np.inf
    with pytest.raises(DataError, match="point 17, channel 2 is inf"):
        fitted.anomaly_score(infinite)
    with pytest.raises(DataError, match="nothing but gaps"):
        SeriesAnomalyDetector(window=4).fit(np.full(50, np.nan))
    with pytest.raises(NotFittedError):
        SeriesAnomalyDetector().anomaly_score(wave(100))
    for wrong in ({"window": 1}, {"stride": 0}, {"smoothing": 2}, {"normalize": "no"}, {"calibration": 0.9}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SeriesAnomalyDetector(**wrong).fit(wave(200))


# Streams


@pytest.mark.parametrize("smoothing", [1, 5])
@pytest.mark.parametrize("length", [40, 41, 44, 203])
def test_a_stream_says_what_a_batch_says(smoothing: int, length: int) -> None:
    values = wave(length, seed=7)
    if length > 100:
        values[60:63] = np.nan
        values[100:150, 1] = np.nan
    detector = SeriesAnomalyDetector(window=40, smoothing=smoothing, random_state=0).fit(wave(1000))
    whole = detector.anomaly_score(values)
    for together in (1, 7, 500):
        found = list(detector.score_stream(iter(values), together=together))
        assert [place for place, _ in found] == list(range(length))
        np.testing.assert_allclose([score for _, score in found], whole, rtol=1e-4, atol=1e-6)


def test_a_stream_is_late_by_what_it_says_and_no_more(fitted: SeriesAnomalyDetector) -> None:
    read = 0

    def counted() -> Iterator[Any]:
        nonlocal read
        for point in wave(300):
            read += 1
            yield point

    late = [read - 1 - place for place, _ in fitted.score_stream(counted()) if read < 300]
    assert max(late) == fitted.delay_


def test_memory_of_a_stream_does_not_grow(fitted: SeriesAnomalyDetector) -> None:
    def peak(points: int) -> int:
        values = (wave(1, seed=3)[0] for _ in range(points))
        tracemalloc.start()
        for _ in fitted.score_stream(values, together=50):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(500)
    assert peak(4000) < 1.5 * peak(1000)


def test_a_stream_refuses_what_it_cannot_read(fitted: SeriesAnomalyDetector) -> None:
    with pytest.raises(ShapeError, match="point 0 has 2 channels"):
        next(fitted.score_stream([[1.0, 2.0]]))
    with pytest.raises(DataError, match="point 2, channel 1 is inf"):
        next(fitted.score_stream([[1, 2, 3], [1, 2, 3], [1, np.inf, 3]]))
    with pytest.raises(ShapeError, match="point 1 has 2 channels"):
        next(fitted.score_stream([[1, 2, 3], [1, 2]], together=2))
    with pytest.raises(DataError, match="2 points, fewer than the window"):
        list(fitted.score_stream([[1, 2, 3], [1, 2, 3]]))


# Thresholds


def test_p_values_of_a_series_that_goes_on_as_it_was() -> None:
    detector = SeriesAnomalyDetector(window=20, calibration=0.4, random_state=0).fit(wave(8000))
    assert detector.calibrated_
    p_values = detector.p_value(wave(8000, seed=9))
    for level in (0.05, 0.2, 0.5):
        assert abs((p_values <= level).mean() - level) < 0.5 * level


def test_thresholds_may_be_set_after_the_fit(fitted: SeriesAnomalyDetector) -> None:
    values = wave(800, seed=1)
    values[400:440] = 0
    detector = clone(fitted).fit(wave(3000))
    few = detector.set_params(threshold=Quantile(0.999)).is_anomaly(values)
    many = detector.set_params(threshold=Quantile(0.8)).is_anomaly(values)
    assert (few <= many).all()
    assert few.sum() < many.sum()
    np.testing.assert_array_equal(detector.decision_function(values) < 0, many)
    np.testing.assert_array_equal(detector.predict(values) == -1, many)
    detector.change_threshold(FalseDiscoveryRate(0.1))
    assert detector.is_anomaly(values)[410:430].all()
    usual = clone(detector).set_params(threshold=None).fit(wave(3000))
    assert detector.offset_ == usual.offset_  # rows by themselves: a rule for batches has no cut
    np.testing.assert_array_equal(detector.predict(values), usual.predict(values))
    np.testing.assert_array_equal(usual.is_anomaly(values, FalseDiscoveryRate(0.1)), detector.is_anomaly(values))
    assert repr(usual.rule) == repr(Quantile(0.99))
    with pytest.raises(ValueError, match="Quantile"):
        usual.change_threshold("Quantil")
    assert usual.threshold is None


def test_what_is_promised_is_said_in_words(fitted: SeriesAnomalyDetector) -> None:
    held_out = len(fitted.calibration_)
    assert f"{held_out:,} calibration rows" in fitted.promise(100, FalseDiscoveryRate(0.05))
    assert fitted.promise().startswith(Quantile(0.99).promise(held_out))
    assert "on average only" in fitted.promise()
    trained = SeriesAnomalyDetector(window=40, calibration=0.0, random_state=0).fit(wave(400))
    assert trained.promise().startswith("The points to calibrate by were trained on, so nothing is promised.")


def test_few_points_to_calibrate_by_flag_what_is_above_them_all() -> None:
    detector = SeriesAnomalyDetector(window=8, random_state=0).fit(wave(300))
    strange = wave(300, seed=1)
    strange[100:110] += 9
    assert len(detector.calibration_) < 99
    assert not detector.is_anomaly(strange).any()
    assert detector.offset_ == -detector.calibration_.highest(1)
    assert (detector.predict(strange)[102:108] == -1).all()


# Files


@pytest.mark.parametrize("given", ["standard", "given", "positions", "frozen", "no neighbors"])
def test_a_file_gives_back_the_same_detector(given: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(wave(500), columns=["heat", "load", "flow"])
    options: dict[str, Any] = {
        "standard": {"normalize": "window", "window": np.int64(40), "smoothing": 3},
        "given": {"estimator": Autoencoder(code_size=4, epochs=1), "window": 32, "threshold": "FalseDiscoveryRate"},
        "positions": {"estimator": ConvAutoencoder(code_size=4, epochs=1), "window": 32, "stride": 8},
        "frozen": {"window": 40},
        "no neighbors": {"neighbors": 0, "normalize": "none", "window": 20, "calibration": 0.0},
    }[given]
    if given == "frozen":
        inner = SeriesAnomalyDetector(window=40, random_state=1).fit(frame).estimator_
        options["estimator"] = FrozenEstimator(inner)
    detector = SeriesAnomalyDetector(random_state=0, **options).fit(frame)
    detector.save(tmp_path / "one.safetensors")
    clone(detector).fit(frame).save(tmp_path / "two.safetensors")
    one = (tmp_path / "one.safetensors").read_bytes()
    assert one == (tmp_path / "two.safetensors").read_bytes()
    again = load(tmp_path / "one.safetensors")
    assert type(again) is SeriesAnomalyDetector
    assert type(again.estimator) is type(detector.estimator)
    again.save(tmp_path / "three.safetensors")
    assert one == (tmp_path / "three.safetensors").read_bytes()
    values = pd.DataFrame(wave(300, seed=4), columns=frame.columns)
    values.iloc[100:110] = np.nan
    values.iloc[200:220, 1] = np.nan
    for name in ("anomaly_score", "p_value", "is_anomaly", "predict", "decision_function"):
        assert getattr(again, name)(values).tobytes() == getattr(detector, name)(values).tobytes(), name
    assert again.explain(values).order(205) == detector.explain(values).order(205)
    np.testing.assert_array_equal(again.explain(values).expected, detector.explain(values).expected)
    assert again.promise(10) == detector.promise(10)
    assert again.period_ == detector.period_
    with pytest.raises(ValueError, match="feature names should match"):
        again.anomaly_score(values.rename(columns={"heat": "cold"}))
    refitted = again.fit(frame)
    assert refitted.anomaly_score(values).tobytes() == detector.anomaly_score(values).tobytes()


def test_a_loaded_detector_goes_on_with_a_stream(fitted: SeriesAnomalyDetector, tmp_path: Path) -> None:
    fitted.save(tmp_path / "detector.safetensors")
    again = load(tmp_path / "detector.safetensors")
    values = wave(200, seed=7)
    assert list(again.score_stream(iter(values))) == list(fitted.score_stream(iter(values)))
    assert again.delay_ == fitted.delay_


def test_a_threshold_is_changed_in_the_file_and_nothing_else(fitted: SeriesAnomalyDetector, tmp_path: Path) -> None:
    fitted.save(tmp_path / "one.safetensors")
    load(tmp_path / "one.safetensors").change_threshold(Quantile(0.8)).save(tmp_path / "two.safetensors")
    one, two = load(tmp_path / "one.safetensors"), load(tmp_path / "two.safetensors")
    assert repr((one.rule, two.rule)) == repr((Quantile(0.99), Quantile(0.8)))
    values = wave(300, seed=2)
    np.testing.assert_array_equal(one.anomaly_score(values), two.anomaly_score(values))
    np.testing.assert_array_equal(two.is_anomaly(values), one.is_anomaly(values, Quantile(0.8)))
    assert two.predict(values).sum() < one.predict(values).sum()
    two.change_threshold(None).save(tmp_path / "three.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "three.safetensors").read_bytes()


def test_a_damaged_section_is_refused_by_name(fitted: SeriesAnomalyDetector, tmp_path: Path) -> None:
    path, other = tmp_path / "detector.safetensors", tmp_path / "other.safetensors"
    fitted.save(path)
    whole = read_container(path)
    facts = whole.description["task"]["facts"]

    def refused(changed: dict[str, Any], tensors: dict[str, Any], words: str) -> None:
        task = whole.description["task"] | {"facts": changed}
        write_container(other, whole.description | {"task": task}, tensors)
        with pytest.raises(ModelFileError, match=words):
            load(other)

    for name in facts:
        refused({key: value for key, value in facts.items() if key != name}, dict(whole.tensors), f"'{name}'")
    for name in [name for name in whole.tensors if name.startswith("task.")]:
        rest = {key: value for key, value in whole.tensors.items() if key != name}
        refused(facts, rest, f"'{name.removeprefix('task.')}'")
        if name != "task.calibration":
            shorter = dict(whole.tensors) | {name: whole.tensors[name][..., :-1]}
            place = "units" if name == "task.references" else name.removeprefix("task.")
            refused(facts, shorter, f"'{place}' are ")
    refused(facts | {"window": 41}, dict(whole.tensors), "'window' of 41 points and 3 channels has 123 cells")
    refused(facts | {"parameters": facts["parameters"] | {"smoothing": 2}}, dict(whole.tensors), "smoothing came as 2")
    assert isinstance(load(path, encoder_only=True), LinearAutoencoder)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelFileError):
        load(path)
    with pytest.raises(NotFittedError):
        SeriesAnomalyDetector().save(other)


def test_tails_are_not_trained_on() -> None:
    values = wave(2000)
    other = values.copy()
    other[-300:] = RANDOM.normal(size=(300, 3))
    first, second = (SeriesAnomalyDetector(window=40, random_state=0).fit(each) for each in (values, other))
    np.testing.assert_array_equal(first.estimator_.components_, second.estimator_.components_)
    assert not SeriesAnomalyDetector(window=40, calibration=0.0).fit(values).calibrated_


# As scikit-learn has it


def test_same_seed_same_bytes() -> None:
    values = wave(1000)
    options: dict[str, Any] = {"estimator": Autoencoder(code_size=4, epochs=3), "window": 32, "random_state": 3}
    first, second = (SeriesAnomalyDetector(**options).fit(values).anomaly_score(values) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    detector = SeriesAnomalyDetector(**options).fit(values)
    assert detector.fit(values).anomaly_score(values).tobytes() == first.tobytes()
    assert detector.anomaly_score(values).tobytes() == first.tobytes()


def test_the_callers_random_numbers_and_parameters_stay() -> None:
    import torch

    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before, state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    inner = LinearAutoencoder(code_size=3)
    values = wave(500)
    kept = values.copy()
    SeriesAnomalyDetector(inner, window=20, random_state=0).fit(values).predict(values)
    assert bool((before == torch.random.get_rng_state()).all())
    assert (state == np.random.get_state()[1]).all()  # noqa: NPY002
    assert inner.random_state is None
    assert not hasattr(inner, "network_")
    np.testing.assert_array_equal(values, kept)


@pytest.mark.parametrize(
    "check",
    [
        check_get_params_invariance,
        check_no_attributes_set_in_init,
        check_parameters_default_constructible,
        check_set_params,
    ],
)
def test_checks_of_scikit_learn_that_hold_for_series(check: Any) -> None:
    check("SeriesAnomalyDetector", SeriesAnomalyDetector(window=4))


# The benchmark's measure


def test_volume_is_that_of_counting_by_hand() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "metrics_series.py"
    spec = importlib.util.spec_from_file_location("metrics_series", path)
    assert spec
    assert spec.loader
    metrics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metrics)
    random = np.random.default_rng(0)
    for case in range(20):
        labels = (random.random(50) < 0.1).astype(int)
        labels[[3, 30]] = 1
        scores = np.round(random.random(50), 1 if case % 2 else 6)
        areas = []
        for buffer in range(8):
            weights = metrics.buffered(labels, buffer)
            area = before = 0.0
            for threshold in np.unique(scores)[::-1]:
                flags = scores >= threshold
                size = labels.sum() + weights[flags & (labels == 0)].sum() / 2
                met = np.mean([flags[first:behind].any() for first, behind in metrics.spans(weights > 0)])
                recall = min(1, weights[flags].sum() / size) * met
                area += (recall - before) * weights[flags].sum() / flags.sum()
                before = recall
            areas.append(area)
        assert metrics.volume(labels, scores, 7).precision_recall == pytest.approx(np.mean(areas))
    assert metrics.volume(labels, labels.astype(float), 0).precision_recall == 1
    assert metrics.volume(labels, np.zeros(50), 0).precision_recall == pytest.approx(labels.mean())

"""Sequences on the whole way: from the user's lists and files to codes and back, at their own lengths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click.testing
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from diabolo import (
    VAE,
    Autoencoder,
    DenoisingAutoencoder,
    LinearAutoencoder,
    Recurrent,
    SequenceAutoencoder,
    ShapeError,
    load,
)
from diabolo.cli import group
from diabolo.core import View
from diabolo.data.choosing import open_data
from diabolo.data.source import Source
from diabolo.data.writers import write
from diabolo.estimators import Estimator, planning
from diabolo.report import write_report
from diabolo.training import Checkpointer, Watcher


def waves(rows: int, channels: int | None = None, seed: int = 0) -> list[np.ndarray]:
    """Sines of several lengths, speeds and phases."""
    generator = np.random.default_rng(seed)
    made = []
    for length in generator.integers(5, 15, rows):
        time = np.arange(length)[:, None] * generator.uniform(0.2, 0.6) + generator.uniform(0, 3)
        wave = np.sin(time + np.arange(channels or 1))
        made.append((wave if channels else wave[:, 0]) * 3 + 10)
    made[0] = np.resize(made[0], (14, *made[0].shape[1:]))
    return made


SMALL: dict[str, Any] = {"code_size": 2, "epochs": 3, "random_state": 0}
FLAT, WIDE = waves(40), waves(40, 3)
MODELS: list[Estimator] = [
    SequenceAutoencoder(**SMALL, hidden=8),
    SequenceAutoencoder(**SMALL, hidden=8, cell="gru"),
    VAE(**SMALL, architecture=Recurrent(hidden=8)),
    Autoencoder(**SMALL, architecture="mlp"),
    Autoencoder(**SMALL, architecture="conv"),
    Autoencoder(**SMALL),
    DenoisingAutoencoder(**SMALL),
    LinearAutoencoder(**SMALL),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: repr(model)[:60])


@each_model
@pytest.mark.parametrize("rows", [FLAT, WIDE], ids=["flat", "wide"])
def test_sequences_come_back_as_long_as_they_were(model: Estimator, rows: list[np.ndarray]) -> None:
    fitted = clone(model).fit(rows)
    assert fitted.n_features_in_ == (1 if rows is FLAT else 3)
    assert fitted.transform(rows).shape == (40, 2)
    again = fitted.reconstruct(rows)
    assert [back.shape for back in again] == [row.shape for row in rows]
    assert {back.dtype for back in again} == {np.dtype(float)}
    assert np.isfinite(np.concatenate(again)).all()
    assert np.isfinite(fitted.score_samples(rows)).all()
    assert np.isfinite(fitted.score(rows))
    full = fitted.inverse_transform(fitted.transform(rows))
    assert {back.shape for back in full} == {rows[0].shape}  # codes do not tell lengths
    for back, whole in zip(again, full, strict=True):
        assert np.allclose(whole[14 - len(back) :], back, atol=1e-4)


@each_model
def test_a_sequence_has_one_code_alone_and_among_longer_ones(model: Estimator) -> None:
    fitted = clone(model).fit(WIDE)
    codes, nats, back = fitted.transform(WIDE), fitted.score_samples(WIDE), fitted.reconstruct(WIDE)

    def same(one: Any, other: Any) -> bool:
        exact = isinstance(model, SequenceAutoencoder)
        return np.array_equal(one, other) if exact else np.allclose(one, other, rtol=1e-5, atol=1e-5)

    for row in (0, 7, 23):
        for alone in ([WIDE[row]], (WIDE[row].tolist(),), WIDE[row][None], [torch.from_numpy(WIDE[row])]):
            assert same(fitted.transform(alone)[0], codes[row])
            assert same(fitted.reconstruct(alone)[0], back[row])
        assert same(fitted.score_samples([WIDE[row]])[0], nats[row])
    short = [row for row in WIDE if len(row) < 9]
    assert same(fitted.transform(short), codes[[len(row) < 9 for row in WIDE]])


def test_flat_sequences_of_one_length_fit_a_model_of_many() -> None:
    fitted = clone(MODELS[0]).fit(FLAT)
    codes = fitted.transform(FLAT)
    assert np.array_equal(fitted.transform([FLAT[3], FLAT[3]]), codes[[3, 3]])
    assert np.array_equal(fitted.transform(FLAT[3][None]), codes[[3]])
    assert [back.shape for back in fitted.reconstruct(FLAT[3][None])] == [FLAT[3].shape]
    assert [back.shape for back in fitted.reconstruct(FLAT[3][None, :, None])] == [(len(FLAT[3]), 1)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_floats_keep_their_dtype(dtype: str) -> None:
    rows = [row.astype(dtype) for row in FLAT]
    again = clone(MODELS[0]).fit(rows).reconstruct(rows)
    assert {back.dtype for back in again} == {np.dtype(dtype if dtype.startswith("f") else "float64")}


@each_model
def test_holes_are_filled_and_never_read(model: Estimator) -> None:
    holes = [row.copy() for row in WIDE]
    for row in holes[1:]:
        row[np.random.default_rng(0).random(row.shape) < 0.2] = np.nan
    holes[5][:] = np.nan
    holes[6][0] = np.nan
    fitted = clone(model).fit(holes)
    again = fitted.reconstruct(holes)
    assert [back.shape for back in again] == [row.shape for row in holes]
    assert np.isfinite(np.concatenate(again)).all()
    assert np.isfinite(fitted.transform(holes)).all()
    assert np.isfinite(fitted.score_samples(holes)).all()


def test_fitting_twice_is_fitting_once() -> None:
    model = clone(MODELS[0])
    first = model.fit(WIDE).transform(WIDE)
    assert np.array_equal(model.fit(WIDE).transform(WIDE), first)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_more_room_in_front_changes_no_code_and_no_step(cell: str) -> None:
    model = SequenceAutoencoder(**SMALL, hidden=8, cell=cell).fit(WIDE)
    network = model.network_
    batch = model.modality_.read(open_data(WIDE))
    assert batch.known is not None
    more = [torch.nn.functional.pad(part.float(), (0, 0, 6, 0)) for part in (batch.values, batch.known)]
    with torch.no_grad():
        codes = [network.features(known_view(*part)) for part in ((batch.values, batch.known), more)]
    assert torch.allclose(*codes, atol=1e-6)


def known_view(values: torch.Tensor, known: torch.Tensor) -> View:
    return View(values).without(~known.bool())


# What is refused


def test_longer_sequences_are_refused_unless_there_is_room() -> None:
    longer = [*WIDE, np.ones((20, 3))]
    model = clone(MODELS[0]).fit(WIDE)
    with pytest.raises(ShapeError, match=r"row 40 has 20 steps, .* at fit had 14\..*longest=20"):
        model.transform(longer)
    roomy = clone(MODELS[0]).set_params(longest=20).fit(WIDE)
    assert roomy.transform(longer).shape == (41, 2)
    assert roomy.reconstruct(longer)[40].shape == (20, 3)
    with pytest.raises(ShapeError, match="longest came as 13"):
        clone(MODELS[0]).set_params(longest=13).fit(WIDE)


def test_other_data_is_refused() -> None:
    model = clone(MODELS[0]).fit(WIDE)
    with pytest.raises(ShapeError, match="sequences of 3 channels"):
        model.transform(FLAT)
    with pytest.raises(ShapeError, match="a sequence is"):
        SequenceAutoencoder().fit(np.zeros((30, 4, 4, 3)))
    with pytest.raises(ShapeError, match="unequal length"):
        Autoencoder(**SMALL).fit(np.zeros((30, 14))).transform(FLAT)
    with pytest.raises(ValueError, match="expecting 5 features"):
        clone(MODELS[0]).fit(np.ones((30, 5))).transform(np.ones((30, 4)))


# Rows of one length


def test_arrays_and_tables_are_sequences_of_one_length() -> None:
    generator = np.random.default_rng(0)
    for data in (generator.random((30, 8)), generator.random((30, 8, 2)).astype(np.float32)):
        model = clone(MODELS[0]).fit(data)
        again = model.reconstruct(data)
        assert isinstance(again, np.ndarray)
        assert (again.shape, again.dtype) == (data.shape, data.dtype)
        assert model.n_features_in_ == data[0].size
        assert [len(errors) for errors in model.step_errors(data)] == [8] * 30
        assert len(model.reconstruct([data[0], data[1][2:]])[1]) == 6  # shorter ones may come later
    frame = pd.DataFrame(generator.random((30, 8)), columns=list("abcdefgh"))
    assert clone(MODELS[0]).fit(frame).reconstruct(frame).shape == (30, 8)


# Errors of steps


@pytest.mark.parametrize("rows", [FLAT, WIDE], ids=["flat", "wide"])
def test_step_errors_are_as_long_as_the_sequences_and_average_to_the_rows(rows: list[np.ndarray]) -> None:
    holes = [row.copy() for row in rows]
    holes[4][2] = np.nan
    holes[6][0] = np.nan
    model = SequenceAutoencoder(**SMALL, hidden=8).fit(holes)
    errors = model.step_errors(holes)
    assert [error.shape for error in errors] == [(len(row),) for row in rows]
    assert np.isnan(errors[4]).nonzero()[0].tolist() == [2]
    assert np.isnan(errors[6]).nonzero()[0].tolist() == [0]
    assert np.allclose([np.nanmean(error) for error in errors], model.reconstruction_error(holes), rtol=1e-5)
    scale = np.asarray(model.modality_.scaling.scale)
    back = model.reconstruct(holes)[9]
    squares = (((back - rows[9]).reshape(len(back), -1) / scale) ** 2).mean(1)
    assert np.allclose(errors[9], squares, atol=1e-4)


def test_a_step_that_is_unlike_the_others_stands_out() -> None:
    model = SequenceAutoencoder(code_size=2, hidden=16, epochs=15, cell="lstm", random_state=0).fit(waves(200))
    row = waves(1, seed=9)[0]
    row[6] += 8
    assert int(np.argmax(model.step_errors([row])[0])) == 6


# Files, storage, resuming, streaming


@each_model
def test_models_of_sequences_come_back(model: Estimator, tmp_path: Path) -> None:
    fitted = clone(model).fit(WIDE)
    fitted.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert np.array_equal(again.transform(WIDE), fitted.transform(WIDE))
    for one, other in zip(again.reconstruct(WIDE), fitted.reconstruct(WIDE), strict=True):
        assert np.array_equal(one, other)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()
    again.fit(WIDE)
    assert np.array_equal(again.transform(WIDE), fitted.transform(WIDE))


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Watcher):
        def on_step(self, run: Any) -> None:
            if (run.epoch, run.step) == (2, 1):
                raise KeyboardInterrupt

    monkeypatch.setattr(Checkpointer.__init__, "__defaults__", (0.0,))  # after every step
    model = SequenceAutoencoder(**SMALL, hidden=8).set_params(epochs=4)
    whole = clone(model).fit(WIDE).transform(WIDE)
    checkpoint = str(tmp_path / "run.checkpoint")
    with pytest.raises(KeyboardInterrupt):
        clone(model).fit(WIDE, resume=checkpoint, watchers=[Stop()])
    assert Path(checkpoint).exists()
    assert np.array_equal(clone(model).fit(WIDE, resume=checkpoint).transform(WIDE), whole)


def test_sequences_larger_than_memory_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = waves(300, 2)
    write(rows, tmp_path / "t.ts")
    monkeypatch.setattr(planning, "total_memory", lambda: 1000)
    monkeypatch.setattr(planning, "BLOCK_ROWS", 64)
    model = SequenceAutoencoder(code_size=2, hidden=16, epochs=4, random_state=0)
    assert not model.plan(tmp_path / "t.ts").resident
    model.fit(tmp_path / "t.ts")
    assert np.isfinite(model.score(tmp_path / "t.ts"))
    assert [back.shape for back in model.reconstruct(str(tmp_path / "t.ts"))] == [row.shape for row in rows]


# They learn


def some(source: Source, start: int, stop: int) -> list[np.ndarray]:
    assert source.lengths is not None
    lengths = source.lengths[start:stop]
    return [row[len(row) - length :] for row, length in zip(source.read(start, stop), lengths, strict=True)]


@pytest.mark.parametrize(("cell", "hidden"), [("lstm", 64), ("gru", 32)])
def test_real_sequences_of_unequal_length_are_learned(data_folder: Path, cell: str, hidden: int) -> None:
    folder = data_folder / "timeseries" / "ucr" / "JapaneseVowels"
    train, test = (open_data(str(folder / f"JapaneseVowels_{part}.ts.gz")) for part in ("TRAIN", "TEST"))
    model = SequenceAutoencoder(code_size=8, cell=cell, hidden=hidden, longest=29, epochs=15, random_state=0)
    untrained = clone(model).set_params(epochs=1, learning_rate=1e-12).fit(train)
    score = model.fit(train).score(test)
    assert score > 0.5
    assert score > untrained.score(test) + 0.4
    classifier = make_pipeline(model, LogisticRegression(max_iter=2000))
    codes = model.transform(train)
    assert classifier[-1].fit(codes, train.labels).score(model.transform(test), test.labels) > 0.5


def test_real_series_of_one_length_are_learned(data_folder: Path) -> None:
    folder = data_folder / "timeseries" / "ucr" / "ItalyPowerDemand"
    train, test = (open_data(str(folder / f"ItalyPowerDemand_{part}.ts.gz")) for part in ("TRAIN", "TEST"))
    model = SequenceAutoencoder(code_size=4, epochs=60, random_state=0)
    untrained = clone(model).set_params(epochs=1, learning_rate=1e-12).fit(train)
    assert model.fit(train).score(test) > max(0.4, untrained.score(test) + 0.3)


# The command line


def call(*words: object) -> click.testing.Result:
    return click.testing.CliRunner().invoke(group, [str(word) for word in words], prog_name="diabolo")


def test_the_command_line_takes_series_files(tmp_path: Path) -> None:
    series, model = tmp_path / "waves.ts", tmp_path / "m.safetensors"
    write(WIDE, series)
    result = call("fit", series, "-p", "sequence-autoencoder", "-o", model, "--epochs", 2, "--hidden", 8, "--seed", 0)
    assert result.exit_code == 0, result.stderr
    assert "40 rows of up to 14 x 3" in result.stderr
    result = call("encode", model, series, "-o", tmp_path / "codes.npy")
    assert result.exit_code == 0, result.stderr
    fitted = load(model)
    assert np.array_equal(np.load(tmp_path / "codes.npy"), fitted.transform(WIDE))
    result = call("reconstruct", model, series, "-o", tmp_path / "back.ts")
    assert result.exit_code == 0, result.stderr
    back = open_data(str(tmp_path / "back.ts"))
    for one, other in zip(some(back, 0, 40), fitted.reconstruct(WIDE), strict=True):
        assert np.array_equal(one, other)
    result = call("reconstruct", model, series)
    assert result.exit_code == 3
    assert "ends in .ts" in result.stderr
    result = call("score", model, series, "-o", tmp_path / "scores.csv")
    assert result.exit_code == 0, result.stderr
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 41


@pytest.mark.parametrize("longest", [None, 30])
def test_a_report_on_sequences(tmp_path: Path, longest: int | None) -> None:
    model = SequenceAutoencoder(**SMALL, hidden=8, longest=longest).fit(WIDE)
    write_report(model, WIDE, tmp_path / "report.html", labels=[len(row) for row in WIDE])
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert numbers["headline"]["rows"] == "held out"
    assert numbers["data"]["missing"] == 0
    write_report(model, [WIDE[3][:2], WIDE[4][:3]], tmp_path / "short.html")

"""Imputation: what was known stays to the bit, holes are filled as the data lets expect, and draws are honest."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.utils.estimator_checks import estimator_checks_generator

from diabolo import VAE, Autoencoder, Imputer, MaskedAutoencoder, TabularMaskedAutoencoder, load
from diabolo.data.choosing import open_data
from diabolo.data.delimited import DelimitedSource
from diabolo.tasks.holes import fill_column, holes_of

RNG = np.random.default_rng(0)
ROWS = 80
FAST: dict[str, Any] = {"epochs": 2}


def mixed(rows: int = ROWS) -> pd.DataFrame:
    """A pandas frame with columns of many kinds and holes in each; one column tells much about the others."""
    generator = np.random.default_rng(1)
    size = generator.normal(size=rows)
    frame = pd.DataFrame(
        {
            "size": (50 + 10 * size).round(1),
            "weight": (80 + 15 * size + generator.normal(size=rows)).round(2).astype("float32"),
            "count": pd.array(generator.integers(0, 30, rows), dtype="Int64"),
            "word": np.where(size > 0, "big", "small"),
            "category": pd.Categorical(np.where(size > 0.5, "x", "y"), categories=["y", "x", "never"]),
            "truth": pd.array(size > 0, dtype="boolean"),
            "object": np.array([bool(s > 0) for s in size], dtype=object),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.integers(0, 400, rows), "D"),
            "zoned": pd.date_range("2024-01-01", periods=rows, freq="h", tz="Europe/Paris"),
            "whole": generator.integers(0, 5, rows),
        },
        index=pd.Index([f"r{at}" for at in generator.permutation(rows)], name="row"),
    )
    for name in frame.columns[:-1]:
        frame.loc[frame.index[generator.choice(rows, 9, replace=False)], name] = None
    return frame


def same_where_known(before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Nothing that was there is changed, and nothing is missing any more."""
    assert list(after.columns) == list(before.columns)
    assert after.index.equals(before.index)
    assert (after.dtypes == before.dtypes).all()
    assert not after.isna().any().any()
    for name in before:
        known = before[name].notna()
        assert after[name][known].equals(before[name][known])


@pytest.fixture(scope="module")
def fitted() -> Imputer:
    return Imputer(VAE(code_size=2, epochs=30), random_state=0).fit(mixed())


CHECKS = [  # all but one that only checks other array libraries, when an environment variable asks for them
    pytest.param(estimator, check, id=getattr(check, "func", check).__name__)
    for estimator, check in estimator_checks_generator(Imputer(VAE(code_size=1, epochs=1)))
    if getattr(check, "func", check).__name__ != "check_array_api_input"
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_is_a_scikit_learn_transformer(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", [VAE(code_size=2, **FAST), TabularMaskedAutoencoder(**FAST)])
def test_a_frame_comes_back_whole_and_otherwise_as_it_was(estimator: Any) -> None:
    frame = mixed()
    before = frame.copy(deep=True)
    imputer = Imputer(estimator, random_state=0).fit(frame)
    same_where_known(frame, imputer.transform(frame))
    fresh = mixed(120).iloc[::-1]
    same_where_known(fresh, imputer.transform(fresh))
    for drawn in imputer.draw(frame, 2, random_state=0):
        same_where_known(frame, drawn)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_frames_too(library: str) -> None:
    columns: dict[str, Any] = {
        "a": [1, None, 3, 4, 9] * 8,
        "b": ["x", None, "z", "z", "x"] * 8,
        "t": [True, False, None, True, False] * 8,
        "f": [0.5, None, 2.5, 1.0, -0.0] * 8,
    }
    frame = pl.DataFrame(columns) if library == "polars" else pa.table(columns)
    whole = Imputer(VAE(code_size=2, **FAST), random_state=0).fit(frame).transform(frame)
    assert type(whole) is type(frame)
    assert whole.schema == frame.schema
    made = whole.to_dict(as_series=False) if library == "polars" else whole.to_pydict()
    for name, cells in columns.items():
        assert None not in made[name]
        assert all(new == old for new, old in zip(made[name], cells, strict=True) if old is not None)
    assert set(made["b"]) == {"x", "z"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(60, 5), (60, 3, 4)])
def test_arrays_of_any_shape(shape: tuple[int, ...], dtype: str) -> None:
    X = np.random.default_rng(0).normal(size=shape).astype(dtype)
    X[np.random.default_rng(1).random(shape) < 0.2] = np.nan
    before = X.copy()
    whole = Imputer(Autoencoder(code_size=2, **FAST), random_state=0).fit(X).transform(X)
    assert whole.dtype == X.dtype
    assert not np.isnan(whole).any()
    assert np.array_equal(whole[~np.isnan(X)], X[~np.isnan(X)])
    assert np.array_equal(X, before, equal_nan=True)


def test_a_frame_whose_columns_are_numbered_stays_one() -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3))).mask(np.random.default_rng(1).random((40, 3)) < 0.2)
    same_where_known(X, Imputer(VAE(code_size=1, **FAST), random_state=0).fit_transform(X))


def test_a_column_without_any_value_stays_empty() -> None:
    frame = mixed().assign(nothing=None)
    whole = Imputer(VAE(code_size=2, **FAST), random_state=0).fit_transform(frame)
    assert whole["nothing"].isna().all()
    assert not whole.drop(columns="nothing").isna().any().any()


def test_means_and_likeliest_values_depend_on_what_is_known(fitted: Imputer) -> None:
    frame = mixed().dropna()
    frame = frame.assign(weight=np.float32("nan"))
    frame["word"] = frame["word"].mask(np.ones(len(frame), bool))
    whole = fitted.transform(frame)
    assert np.corrcoef(whole["weight"], frame["size"])[0, 1] > 0.8
    truth = np.where(frame["truth"], "big", "small")
    assert (whole["word"] == truth).mean() > 0.8


def test_transform_never_trains_and_never_draws(fitted: Imputer) -> None:
    frame = mixed()
    state = {name: value.clone() for name, value in fitted.estimator_.network_.state_dict().items()}
    first, second = fitted.transform(frame), fitted.transform(frame)
    pd.testing.assert_frame_equal(first, second)
    assert all(bool((value == state[name]).all()) for name, value in fitted.estimator_.network_.state_dict().items())
    again = clone(fitted).fit(frame)
    pd.testing.assert_frame_equal(again.transform(frame), first)


def test_draws_differ_in_holes_and_repeat_with_their_seed(fitted: Imputer) -> None:
    frame = mixed()
    draws = list(fitted.draw(frame, 20, random_state=3))
    again = list(fitted.draw(frame, 20, random_state=3))
    assert all(one.equals(other) for one, other in zip(draws, again, strict=True))
    holes = frame["size"].isna().to_numpy()
    spread = np.std([drawn["size"].to_numpy()[holes] for drawn in draws], axis=0)
    assert (spread > 0).all()
    assert len({tuple(drawn["word"]) for drawn in draws}) > 1
    mean = np.mean([drawn["size"].to_numpy()[holes] for drawn in draws], axis=0)
    assert np.abs(mean - fitted.transform(frame)["size"].to_numpy()[holes]).mean() < 10  # one deviation of the column


@pytest.mark.parametrize("draws", [0, 2.5, True])
def test_a_number_of_draws_is_refused_at_once(fitted: Imputer, draws: Any) -> None:
    with pytest.raises(ValueError, match="n_draws came as"):
        fitted.draw(mixed(), draws)


def test_intervals_hold_numbers_and_nest(fitted: Imputer) -> None:
    frame = mixed()
    low, high = fitted.intervals(frame, 0.5)
    lowest, highest = fitted.intervals(frame, 0.95)
    assert list(low.columns) == ["size", "weight", "count", "whole"]
    for name in low:
        known = frame[name].notna()
        assert low[name][known].equals(frame[name][known])
        assert high[name][known].equals(frame[name][known])
        assert (lowest[name] <= low[name]).all()
        assert (low[name] <= high[name]).all()
        assert (high[name] <= highest[name]).all()
    assert (highest["size"] - lowest["size"]).max() > 0
    with pytest.raises(ValueError, match="coverage came as 1"):
        fitted.intervals(frame, 1)


def correlated(rows: int, seed: int) -> np.ndarray:
    """Rows of 6 columns that two hidden numbers explain, up to noise."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).normal(size=(2, 6))
    return generator.normal(size=(rows, 2)) @ mixing + 0.5 * generator.normal(size=(rows, 6))


def test_intervals_of_unseen_rows_hold_what_they_promise() -> None:
    imputer = Imputer(TabularMaskedAutoencoder(epochs=3), random_state=0).fit(correlated(600, 0))
    for promised, found in imputer.calibration(correlated(600, 1)):
        assert abs(promised - found) < 0.08
    narrower = imputer.deviations_.mean()
    assert narrower < 0.95  # in deviations of a column: it knows more than the mean


def test_rank_and_noise_of_draws_are_those_of_the_data() -> None:
    """The variance of completed columns is right only if draws hold noise as well."""
    X = correlated(600, 0)
    holed = np.where(np.random.default_rng(2).random(X.shape) < 0.4, np.nan, X)
    imputer = Imputer(TabularMaskedAutoencoder(epochs=3), random_state=0).fit(holed)
    drawn = next(imputer.draw(holed, 1, random_state=0))
    ratio, mean_ratio = drawn.std(0) / X.std(0), imputer.transform(holed).std(0) / X.std(0)
    assert np.abs(ratio - 1).mean() < 0.08
    assert np.abs(ratio - 1).mean() < np.abs(mean_ratio - 1).mean()


def test_better_than_means_and_neighbors() -> None:
    X = load_diabetes().data
    X = (X - X.mean(0)) / X.std(0)
    holes = np.random.default_rng(0).random(X.shape) < 0.3
    holed = np.where(holes, np.nan, X)
    rivals = {type(rival).__name__: rival.fit_transform(holed) for rival in (SimpleImputer(), KNNImputer())}
    ours = Imputer(TabularMaskedAutoencoder(epochs=3), random_state=0).fit_transform(holed)
    error = {name: np.square(made - X)[holes].mean() for name, made in (rivals | {"ours": ours}).items()}
    assert error["ours"] < 0.8 * error["KNNImputer"] < 0.8 * error["SimpleImputer"]


def test_a_frozen_model_is_used_as_it_is() -> None:
    frame = mixed()
    model = VAE(code_size=2, random_state=0, **FAST).fit(frame)
    imputer = Imputer(FrozenEstimator(model), random_state=0).fit(frame)
    assert imputer.estimator_ is model
    same_where_known(frame, imputer.transform(frame))


def test_parameters_stay_and_the_seed_reaches_the_estimator() -> None:
    estimator = VAE(code_size=2, **FAST)
    before = repr(estimator)
    imputer = Imputer(estimator, random_state=5).fit(mixed())
    assert repr(imputer.estimator) == before
    assert imputer.estimator_.random_state == 5
    with pytest.raises(TypeError, match="must be an autoencoder of this library"):
        Imputer(SimpleImputer()).fit(mixed())


def test_holes_are_found_in_every_kind() -> None:
    frame = mixed()
    assert np.array_equal(holes_of(open_data(frame)), frame.isna().to_numpy())
    raw = open_data(frame).column(3, 0, ROWS)
    filled = fill_column(raw, np.full(ROWS, "new", dtype=object))
    assert (filled[~raw.known] == "new").all()
    assert (filled[raw.known] == raw.present).all()


def test_a_column_that_misses_its_value_is_hidden_whole() -> None:
    """The cell that tells of a hole would give it away: the network never saw one in a column that it predicted."""
    frame = mixed()
    model = TabularMaskedAutoencoder(random_state=0, **FAST).fit(frame)
    trip = next(model.round_trips(frame))
    start = 0
    for column, missing in zip(model.modality_.columns, frame.isna().to_numpy().T, strict=True):
        known = trip.known[:, start : start + column.width].numpy()
        assert (known.all(1) == ~missing).all()
        assert (known.any(1) == ~missing).all()
        start += column.width


def call(*words: object) -> Any:
    """A command in this process."""
    from click.testing import CliRunner

    from diabolo.cli import group

    return CliRunner().invoke(group, [str(word) for word in words])


def hollow(path: Path) -> Path:
    """A csv file with holes, and numbers spelled in their own ways."""
    rows = [
        f"{at % 7},{'' if at % 5 == 2 else f'{at / 4:.3f}'},{'' if at % 6 == 1 else 'ab'[at % 2]}" for at in range(60)
    ]
    path.write_text("\n".join(["n,x,word", *rows]) + "\n")
    return path


def test_impute_on_the_command_line(tmp_path: Path) -> None:
    holed, model = hollow(tmp_path / "holed.csv"), tmp_path / "model.safetensors"
    assert call("fit", holed, "-o", model, "-p", "vae", "--epochs", 2, "--seed", 0).exit_code == 0
    result = call("impute", model, holed, "-o", tmp_path / "whole.csv")
    assert result.exit_code == 0, result.output
    assert "22 cells filled" in result.stderr
    result = call("impute", model, holed, "-o", tmp_path / "drawn.csv", "--draws", 2, "--seed", 1)
    assert result.exit_code == 0, result.output
    first, second = ((tmp_path / f"drawn-{at}.csv").read_text() for at in (1, 2))
    assert first != second
    assert call("impute", model, holed, "--draws", 2).exit_code == 2
    (tmp_path / "new-1.csv").write_text("mine")
    assert call("impute", model, holed, "-o", tmp_path / "new.csv", "--draws", 2).exit_code == 2
    assert (tmp_path / "new-1.csv").read_text() == "mine"
    assert not (tmp_path / "new-2.csv").exists()


SPELLINGS = {
    "words and numbers": "n;x;word;truth;day\n"
    + "\n".join(
        f"+{at % 7};{'NA' if at % 5 == 2 else f'{at / 4:.3f}'};{'' if at % 6 == 1 else ('a, b', 'c')[at % 2]};"
        f"{'?' if at % 9 == 4 else ('TRUE', 'FALSE')[at % 2]};{'' if at % 8 == 3 else f'2024-01-{1 + at % 28:02d}'}"
        for at in range(60)
    ),
    "numbers": "a,b\n" + "\n".join(f"{at}.50,{'' if at % 4 == 1 else f'{at * 3.0:.2e}'}" for at in range(60)),
    "numbers without names": "\n".join(f"{at}.50,{'nan' if at % 4 == 1 else f'{at * 3.0:.2e}'}" for at in range(60)),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_known_cells_of_text_keep_their_spelling(name: str, tmp_path: Path) -> None:
    holed, model, whole = tmp_path / "holed.csv", tmp_path / "model.safetensors", tmp_path / "whole.tsv"
    holed.write_text(SPELLINGS[name] + "\n")
    assert call("fit", holed, "-o", model, "-p", "vae", "--epochs", 2, "--seed", 0).exit_code == 0
    result = call("impute", model, holed, "-o", whole)
    assert result.exit_code == 0, result.output
    headed = name != "numbers without names"
    delimiter = ";" if ";" in SPELLINGS[name] else ","
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False}
    before = pd.read_csv(holed, sep=delimiter, header=0 if headed else None, **options).to_numpy()
    after = pd.read_csv(whole, sep="\t", **options).to_numpy()
    missing = np.isin(before, ["", "NA", "?", "nan"])
    assert missing.any()
    assert (after[~missing] == before[~missing]).all()
    assert not np.isin(after[missing], ["", "NA", "?", "nan"]).any()
    if name == "words and numbers":
        assert set(after[:, 3]) == {"TRUE", "FALSE"}


def test_the_text_of_cells_is_read_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diabolo.data.delimited.BLOCK", 64)
    cells = [f"{at}.{at % 10}0" for at in range(90)]
    source = DelimitedSource(
        io.BytesIO("".join(["a,b\n", *(f"{at},  {cell} \n" for at, cell in enumerate(cells))]).encode()), "t"
    )
    assert source.spelled(1, 0, 90).tolist() == cells
    assert source.spelled(1, 31, 77).tolist() == cells[31:77]
    assert source.spelled(0, 5, 5).tolist() == []


def test_an_imputer_is_fitted_stored_and_used_on_the_command_line(tmp_path: Path) -> None:
    holed, one, two = hollow(tmp_path / "holed.csv"), tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for path in (one, two):
        result = call("fit", holed, "-o", path, "--imputer", "--epochs", 2, "--seed", 0)
        assert result.exit_code == 0, result.output
    assert one.read_bytes() == two.read_bytes()
    imputer = load(one)
    assert isinstance(imputer, Imputer)
    assert isinstance(imputer.estimator_, TabularMaskedAutoencoder)
    assert imputer.estimator_.column_types == "infer"
    assert call("info", one).stdout.count("Imputer around TabularMaskedAutoencoder(")
    assert call("impute", one, holed, "-o", tmp_path / "whole.csv", "--draws", 1, "--seed", 3).exit_code == 0
    whole = pd.read_csv(tmp_path / "whole-1.csv")
    assert not whole.isna().any(axis=None)
    few = tmp_path / "few.csv"  # too few rows to measure errors anew
    few.write_text("n,x,word\n3,,a\n4,2.0,\n")
    assert call("impute", one, few, "-o", tmp_path / "few-whole.csv", "--draws", 3).exit_code == 0
    drawn = [(tmp_path / f"few-whole-{turn}.csv").read_text() for turn in (1, 2, 3)]
    assert len(set(drawn)) > 1
    frame = pd.read_csv(holed)
    same_where_known(frame, imputer.transform(frame))
    assert call("fit", holed, "-o", tmp_path / "x.safetensors", "--imputer", "--generator").exit_code == 2


def test_calibration_is_drawn() -> None:
    from diabolo.report.calibration import calibration_plot

    drawn = calibration_plot([(0.5, 0.4), (0.9, float("nan"))])
    assert drawn.count("<circle") == 1
    assert "nan" not in drawn
    assert calibration_plot([(0.5, 0.5)]) != calibration_plot([(0.5, 0.4)])


def test_the_report_of_an_imputer_shows_whether_its_intervals_hold(tmp_path: Path) -> None:
    from diabolo.report import write_report

    imputer = Imputer(TabularMaskedAutoencoder(epochs=3), random_state=0).fit(correlated(400, 0))
    told = write_report(imputer, correlated(300, 1), tmp_path / "new.html")["calibration"]
    page = (tmp_path / "new.html").read_text()
    assert told["rows"] == 150
    assert not told["own"]
    assert all(abs(promised - found) < 0.1 for promised, found in told["points"])
    ninety = round(100 * next(found for promised, found in told["points"] if promised == 0.9))
    assert f"Intervals of 90 % hold {ninety} % of hidden numbers" in page
    assert page.count('aria-label="coverage of intervals"') == 1
    imputer.errors_ = imputer.errors_ / 4
    write_report(imputer, correlated(300, 1), tmp_path / "wrong.html")
    assert "of hidden numbers: too narrow" in (tmp_path / "wrong.html").read_text()
    assert write_report(imputer, correlated(400, 0), tmp_path / "own.html")["calibration"]["own"]
    assert "calibration" not in write_report(imputer.estimator_, correlated(300, 1), tmp_path / "plain.html")
    assert "Intervals" not in (tmp_path / "plain.html").read_text()
    imputer.save(tmp_path / "imputer.safetensors")
    np.savetxt(tmp_path / "new.csv", correlated(300, 1), delimiter=",")
    result = call("report", tmp_path / "imputer.safetensors", tmp_path / "new.csv", "-o", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert "of hidden numbers" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("given", [None, TabularMaskedAutoencoder(**FAST), "frozen"])
def test_a_file_gives_back_the_same_imputer(given: Any, tmp_path: Path) -> None:
    frame = mixed()
    if given == "frozen":
        given = FrozenEstimator(VAE(code_size=2, random_state=0, **FAST).fit(frame))
    imputer = Imputer(given, random_state=0).fit(frame)
    imputer.save(tmp_path / "one.safetensors")
    clone(imputer).fit(frame).save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    again = load(tmp_path / "one.safetensors")
    assert type(again) is Imputer
    assert type(again.estimator) is type(imputer.estimator)
    pd.testing.assert_frame_equal(again.transform(frame), imputer.transform(frame))
    pd.testing.assert_frame_equal(next(again.draw(frame, 1, 5)), next(imputer.draw(frame, 1, 5)))
    for one, other in zip(again.intervals(frame), imputer.intervals(frame), strict=True):
        pd.testing.assert_frame_equal(one, other)
    again.save(tmp_path / "three.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "three.safetensors").read_bytes()
    with pytest.raises(NotFittedError):
        Imputer().save(tmp_path / "none.safetensors")


def test_many_errors_are_kept_as_quantiles() -> None:
    imputer = Imputer(VAE(code_size=2, **FAST), random_state=0).fit(correlated(2500, 0))
    assert len(imputer.errors_) == 1001
    assert (np.diff(imputer.errors_) >= 0).all()


@pytest.mark.parametrize("patch", [1, 2])
def test_one_trip_fills_holes_as_several_do(patch: int) -> None:
    """Known cells cost trips of their own where each is predicted from others; holes do not."""
    X = correlated(60, 0)
    X[np.random.default_rng(0).random(X.shape) < 0.3] = np.nan
    model = MaskedAutoencoder(patch=patch, random_state=0, **FAST).fit(X)
    slow, fast = (next(model.round_trips(X, only_holes=few)).output.numpy() for few in (False, True))
    assert np.allclose(slow[np.isnan(X)], fast[np.isnan(X)], atol=1e-6)
    assert np.allclose(slow, fast, atol=1e-6) is (patch == 2)  # then a hole beside a known cell needs them all


def test_a_stored_model_fills_the_same(tmp_path: Path) -> None:
    X = correlated(120, 0)
    X[RNG.random(X.shape) < 0.2] = np.nan
    model = TabularMaskedAutoencoder(random_state=0, **FAST).fit(X)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    first, second = (Imputer(FrozenEstimator(part), random_state=0).fit(X) for part in (model, again))
    assert np.array_equal(first.transform(X), second.transform(X))
    assert np.array_equal(next(first.draw(X, 1, 0)), next(second.draw(X, 1, 0)))


def test_codes_of_a_linear_start_decode_to_what_they_add_to_it() -> None:
    """``inverse_transform`` lacks the linear part of a row's own cells, and nothing else."""
    X = correlated(200, 0)
    model = TabularMaskedAutoencoder(random_state=0, **FAST).fit(X)
    trip = next(model.round_trips(X, only_holes=True))
    factors = model.objective_.factors
    added = factors(trip.seen) - factors.center
    alone = model.modality_.read_all(open_data(model.inverse_transform(model.transform(X)))).values
    assert np.allclose(alone, model.expected(trip) - added, atol=1e-4)
    assert float(added.std()) > 0.3

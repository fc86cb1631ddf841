"""Whatever people have goes in, and comes back as what it was; whatever is bad is refused by name."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

from diabolo import (
    VAE,
    Autoencoder,
    DataError,
    DenoisingAutoencoder,
    LinearAutoencoder,
    SequenceAutoencoder,
    ShapeError,
    TabularMaskedAutoencoder,
)
from diabolo.diagnosis.explanation import explain
from diabolo.estimators import planning

ROWS = np.random.default_rng(0).normal(size=(60, 3)) @ np.random.default_rng(1).normal(size=(3, 5))


def fitted(X: Any, **options: Any) -> Autoencoder:
    return Autoencoder(code_size=2, epochs=2, random_state=0, **options).fit(X)


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        lambda X: X.astype(np.float32),
        lambda X: X.tolist(),
        torch.tensor,
        scipy.sparse.csr_matrix,
        scipy.sparse.coo_array,
        np.asfortranarray,
        lambda X: X[::-1][::-1],
    ],
    ids=["numpy", "float32", "list", "torch", "csr", "coo", "fortran", "strided"],
)
def test_matrices_of_all_kinds_give_the_same_model(make: Any) -> None:
    model = fitted(make(ROWS))
    assert np.allclose(model.transform(ROWS), fitted(ROWS).transform(ROWS), atol=1e-4)
    assert model.transform(make(ROWS)).shape == (60, 2)
    assert np.asarray(model.reconstruct(make(ROWS))).shape == (60, 5)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_come_back_as_frames(frame: Any) -> None:
    columns = {"age": np.arange(60) % 7, "height": ROWS[:, 0], "member": np.arange(60) % 2 == 0}
    data = frame(columns)
    model = fitted(data)
    assert model.feature_names_in_.tolist() == ["age", "height", "member"]
    for again in (model.reconstruct(data), model.inverse_transform(model.transform(data))):
        assert isinstance(again, frame)
        assert list(again.columns) == list(columns)
        assert [str(dtype).lower() for dtype in again.dtypes] == [str(dtype).lower() for dtype in data.dtypes]
    with pytest.raises(ValueError, match=r"feature names should match|columns differ"):
        model.transform(frame({name: columns[name] for name in ("height", "age", "member")}))


def test_nulls_are_missing_values() -> None:
    data = pl.DataFrame({"a": [1.0, None, 3.0] * 10, "b": [2, 4, None] * 10})
    again = fitted(data).reconstruct(data)
    assert again.null_count().sum_horizontal().item() == 0
    assert again.schema == {"a": pl.Float64, "b": pl.Int64}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (3, 6, 5), (6, 5, 1)])
def test_pictures_come_back_as_pictures(dtype: type, shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    data = (
        generator.random((40, *shape))
        if dtype in (np.float32, np.float64)
        else generator.integers(0, 256, (40, *shape))
    )
    data = data.astype(dtype)
    model = fitted(data, architecture="conv")
    assert model.modality_.shape[-1] == (1 if len(shape) == 2 else min(shape[0], shape[-1]))
    again = model.reconstruct(data)
    assert again.dtype == dtype
    assert again.shape == data.shape
    assert again.min() >= 0
    assert again.max() <= (1 if data.dtype.kind == "f" else data.max() if dtype == np.uint16 else 255)


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "csv.gz", "tsv", "parquet"])
def test_paths_give_the_same_model_as_what_they_hold(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"data.{suffix}"
    frame = pd.DataFrame(ROWS, columns=list("abcde"))
    if suffix == "npy":
        np.save(path, ROWS)
    elif suffix == "npz":
        np.savez(path, X=ROWS)
    elif suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    expected = fitted(ROWS if suffix.startswith("np") else frame)
    model = fitted(str(path))
    assert np.allclose(model.transform(path), expected.transform(expected_input(suffix, frame)), atol=1e-4)


def expected_input(suffix: str, frame: pd.DataFrame) -> Any:
    return frame.to_numpy() if suffix.startswith("np") else frame


def test_idx_files(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (30, 4, 3), dtype=np.uint8)
    header = bytes([0, 0, 8, 3]) + b"".join(int(n).to_bytes(4, "big") for n in pictures.shape)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(header + pictures.tobytes()))
    assert np.array_equal(fitted(path).transform(pictures), fitted(pictures).transform(pictures))


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_files_larger_than_memory_are_streamed(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    data = generator.normal(size=(3000, 3)) @ generator.normal(size=(3, 5))
    path = tmp_path / f"data.{suffix}"
    if suffix == "npy":
        np.save(path, data)
    else:
        frame = pd.DataFrame(data, columns=list("abcde"))
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path, row_group_size=700)
    monkeypatch.setattr(planning, "total_memory", lambda: 1000)
    monkeypatch.setattr(planning, "BLOCK_ROWS", 256)
    model = Autoencoder(code_size=3, epochs=20, random_state=0)
    plan = model.plan(path)
    assert not plan.resident
    assert plan.validation_rows > 0
    assert plan.rows + plan.validation_rows == 3000
    assert model.fit(path).score(path) > 0.9
    again = Autoencoder(code_size=3, epochs=20, random_state=0).fit(path)
    assert np.array_equal(again.transform(path), model.transform(path))
    exact = LinearAutoencoder(code_size=3).fit(path)
    assert exact.score(path) > 0.999


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((0, 3)), r"0 sample|no rows|empty"),
        (np.array([[1.0, np.inf]]), "infinity|inf"),
        ([["a", "b"], ["c", "d"]], r"row 0.*column 0"),
        (np.array([1.0, 2.0]), "Reshape your data"),
        (pd.DataFrame({"age": [1, 2], "name": [["x"], ["y"]]}), "column 'name' holds"),
        (pl.DataFrame({"age": [1, 2], "born": [["x"], ["y"]]}), "column 'born' holds"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "a"),
        (np.array([[1 + 2j]]), "Complex data not supported"),
        ([[1.0, 2.0], 3.0], "row 1"),
        ("no such file.csv", "no such file.csv"),
        (np.full((3, 4, 4), np.inf), "inf"),
    ],
    ids=[
        "empty",
        "infinite",
        "text",
        "vector",
        "pandas-lists",
        "polars-lists",
        "twice",
        "complex",
        "ragged",
        "no-file",
        "inf-3d",
    ],
)
def test_bad_data_is_refused_by_name(bad: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        fitted(bad)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_model_refuses_what_it_was_not_fitted_on() -> None:
    model = fitted(pd.DataFrame(ROWS, columns=list("abcde")))
    for wrong in (ROWS[:, :4], pd.DataFrame(ROWS[:, :4], columns=list("abcd")), np.zeros((2, 5, 5))):
        with pytest.raises(ValueError, match=r"5 features|feature names|columns differ"):
            model.transform(wrong)
    with pytest.raises(DataError):
        model.transform("nothing here.csv")
    assert issubclass(ShapeError, DataError)


@pytest.mark.parametrize("kind", ["constant", "huge", "tiny", "one wild value", "whole numbers", "all missing column"])
@pytest.mark.parametrize("cls", [Autoencoder, LinearAutoencoder, VAE])
def test_awkward_numbers_never_give_nan(kind: str, cls: Any) -> None:
    data = ROWS.copy()
    if kind == "constant":
        data[:, 1] = 7.0
    elif kind == "huge":
        data[:, 1] *= 1e30
    elif kind == "tiny":
        data[:, 1] *= 1e-30
    elif kind == "one wild value":
        data[3, 1] = 1e12
    elif kind == "whole numbers":
        data = (100 * data).astype(np.int64)
    else:
        data[:, 1] = np.nan
    model = cls(code_size=2, epochs=3, random_state=0, scaling="standard").fit(data)
    for given in (model.transform(data), model.reconstruct(data), model.score_samples(data)):
        assert np.isfinite(given).all()
    if kind == "constant":
        assert np.allclose(model.reconstruct(data)[:, 1], 7.0, atol=0.2)


def test_a_mask_is_a_hole() -> None:
    masked = np.ma.masked_array(ROWS, mask=ROWS > 1)
    holes = np.where(ROWS > 1, np.nan, ROWS)
    assert np.array_equal(fitted(masked).transform(holes), fitted(holes).transform(holes))


def test_numbers_whose_squares_overflow_are_refused_by_place() -> None:
    model = fitted(ROWS)
    wild = ROWS.copy()
    wild[7, 2] = 1e25
    for ask in (model.transform, model.score_samples, model.reconstruct):
        with pytest.raises(DataError, match=r"row 7, cell 2 \(1e\+25\) is too far from the rest"):
            ask(wild)
    infinite = ROWS.copy()
    infinite[5, 1] = -np.inf
    with pytest.raises(DataError, match=r"row 5, cell 1 \(-inf\) is infinity \(inf\)"):
        model.transform(infinite)
    with pytest.raises(DataError, match="row 0, cell 0"):
        LinearAutoencoder(code_size=2).fit(ROWS * 1e25)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["matrix", "holes", "frame", "pictures", "sequences"])
def test_the_unit_of_the_data_does_not_matter_however_small_or_large(kind: str, dtype: str) -> None:
    cells = ROWS.astype(dtype)
    if kind == "holes":
        cells[::7, 1] = np.nan

    def given(unit: float) -> Any:
        data = cells * np.asarray(unit, dtype)
        if kind == "sequences":
            return [row[: 2 + place % 4] for place, row in enumerate(data)]
        if kind == "frame":
            return pd.DataFrame(data, columns=list("abcde"))
        return data[:, :4].reshape(-1, 2, 2) if kind == "pictures" else data

    def told(unit: float) -> Any:
        data, cls = given(unit), SequenceAutoencoder if kind == "sequences" else Autoencoder
        return cls(code_size=2, epochs=2, random_state=0, scaling="standard").fit(data), data

    usual, rows = told(1.0)
    faint, vast = (2.0**-100, 2.0**100) if dtype == "float32" else (2.0**-997, 2.0**997)  # 1e-300 and 1e300
    for unit in (faint, vast):
        model, scaled = told(unit)
        assert model.score(scaled) == pytest.approx(usual.score(rows), abs=1e-5)
        codes = usual.transform(rows)
        np.testing.assert_allclose(model.transform(scaled), codes, atol=1e-3 * np.abs(codes).max())
        back = model.reconstruct(scaled)
        assert all(np.isfinite(np.asarray(part)).all() for part in (back if isinstance(back, list) else [back]))


@pytest.mark.parametrize("scaling", ["center", "none"])
def test_numbers_too_small_for_float32_are_told_so(scaling: str) -> None:
    with pytest.raises(DataError, match="which is nothing in float32 with scaling='" + scaling):
        LinearAutoencoder(code_size=2, scaling=scaling).fit(ROWS * 1e-300)
    assert LinearAutoencoder(code_size=2, scaling="standard").fit(ROWS * 1e-300).score(ROWS * 1e-300) > 0.5
    with_zeros = np.zeros((30, 4))  # where nothing varies nothing is lost
    assert LinearAutoencoder(code_size=2, scaling=scaling).fit(with_zeros).score(with_zeros) == 1.0


@pytest.mark.parametrize("scaling", ["center", "none"])
@pytest.mark.parametrize("unit", [1e19, 1e60])
def test_numbers_that_only_need_a_scale_are_told_so(scaling: str, unit: float) -> None:
    with pytest.raises(DataError, match=r"\(use scaling='standard'\); replace it"):
        LinearAutoencoder(code_size=2, scaling=scaling).fit(ROWS * unit)
    assert LinearAutoencoder(code_size=2, scaling="standard").fit(ROWS * unit).score(ROWS * unit) > 0.5


def test_a_column_whose_spread_overflows_is_refused() -> None:
    wild = ROWS.copy()
    wild[0, 0], wild[1, 0] = 1.7e308, -1.7e308
    for holes in (False, True):
        wild[2, 1] = np.nan if holes else 0.0
        with pytest.raises(DataError, match="cell 0 of the samples varies more"):
            fitted(wild)


def test_more_columns_than_rows_take_no_time() -> None:
    data = np.random.default_rng(0).normal(size=(20, 4000))
    model = LinearAutoencoder(code_size=19).fit(data)
    assert model.score(data) == pytest.approx(1.0, abs=1e-4)


def test_a_loss_that_cannot_explain_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match="needs data between 0 and 1"):
        fitted(ROWS, loss="bernoulli_likelihood", scaling="none")
    assert np.isfinite(fitted(ROWS, loss="bernoulli_likelihood", scaling="unit").score_samples(ROWS)).all()


def test_nothing_left_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves none of the 60 rows to train on"):
        fitted(ROWS, validation=0.999)


COUNTS = np.random.default_rng(0).poisson(3.0, (60, 5))


@pytest.mark.parametrize(
    ("loss", "data", "wrong", "message"),
    [
        ("bernoulli", ROWS > 0, 50.0, r"row 0, cell 3 \(50\) lies outside 0 to 1, which BernoulliLikelihood needs"),
        ("poisson", COUNTS, -1.0, r"row 0, cell 3 \(-1\) is no whole number of at least 0, which Poisson"),
        ("negative_binomial", COUNTS, 0.5, r"row 0, cell 3 \(0.5\) is no whole number of at least 0, which Negative"),
        ("ZeroInflatedNegativeBinomial", COUNTS, 0.5, r"row 0, cell 3 \(0.5\) is no whole number"),
    ],
)
def test_impossible_data_is_refused_after_the_fit(loss: str, data: np.ndarray, wrong: float, message: str) -> None:
    loss = loss if loss[0].isupper() else f"{loss}_likelihood"
    data = data.astype(float)
    model = fitted(data, loss=loss, scaling="none")
    other = data.copy()
    other[0, 3] = wrong
    asked = (model.score_samples, model.score, model.reconstruction_error, model.reconstruct, model.transform)
    for ask in (*asked, lambda X: list(model.round_trips(X))):
        with pytest.raises(DataError, match=message):
            ask(other)
    other[0, 3] = np.nan
    assert np.isfinite(model.score_samples(other)).all()


def test_impossible_data_is_named_in_the_users_units() -> None:
    model = fitted(ROWS - ROWS.min(), loss="bernoulli_likelihood", scaling="unit")
    other = ROWS - ROWS.min()
    other[2, 1] = 99.0
    with pytest.raises(DataError, match=r"row 2, cell 1 \(99\) lies outside 0 to 1 after scaling='unit', which Bern"):
        model.score_samples(other)


def test_what_is_only_gaussian_may_lie_outside() -> None:
    model = fitted(ROWS, scaling="unit")
    assert model.objective_.loss.needs_unit
    assert np.isfinite(model.score_samples(ROWS * 1.1)).all()


def test_a_denoiser_sees_what_it_could_not_judge() -> None:
    clean, noisy = (ROWS > 0).astype(float), (ROWS > 0) + 0.1 * ROWS
    options = {"code_size": 2, "epochs": 2, "loss": "bernoulli_likelihood", "scaling": "none", "random_state": 0}
    for model in (DenoisingAutoencoder(**options).fit(clean), Autoencoder(**options).fit(clean, degraded=noisy)):
        assert np.isfinite(model.reconstruct(noisy)).all()
        assert np.isfinite(model.transform(noisy)).all()
        for ask in (model.score_samples, model.score, model.reconstruction_error):
            with pytest.raises(DataError, match="lies outside 0 to 1"):
                ask(noisy)


@pytest.mark.parametrize("scaling", ["center", "none"])
@pytest.mark.parametrize("power", [0, -20, -25, -30])
def test_a_score_does_not_depend_on_the_unit(scaling: str, power: int) -> None:
    ones, tiny = (LinearAutoencoder(code_size=1, scaling=scaling).fit(ROWS * 10.0**p) for p in (0, power))
    assert tiny.score(ROWS * 10.0**power) == pytest.approx(ones.score(ROWS), abs=1e-4)
    errors = tiny.reconstruction_error(ROWS * 10.0**power)
    assert errors == pytest.approx(ones.reconstruction_error(ROWS) * 10.0 ** (2 * power), rel=1e-2)


def test_nothing_known_has_no_score() -> None:
    assert np.isnan(fitted(ROWS).score(np.full_like(ROWS, np.nan)))


def test_the_same_cells_in_another_shape_are_told_how_to_reshape(digits: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"reshape: X.reshape\(len\(X\), -1\)"):
        fitted(digits).transform(digits.reshape(-1, 8, 8))
    with pytest.raises(ShapeError, match=r"reshape: X.reshape\(len\(X\), 8, 8\)"):
        fitted(digits.reshape(-1, 8, 8)).transform(digits)


@pytest.mark.parametrize("mean", [30, 100, 1000])
def test_counts_of_ordinary_size_are_learned(mean: int) -> None:
    generator = np.random.default_rng(0)
    counts = generator.poisson(mean * np.exp(0.5 * generator.normal(size=(300, 2)) @ np.ones((2, 10))))
    model = Autoencoder(code_size=2, loss="PoissonLikelihood", scaling="none", epochs=40, random_state=0).fit(counts)
    assert model.score(counts) > 0.5
    same = generator.poisson(mean, (300, 10))
    assert Autoencoder(loss="PoissonLikelihood", scaling="none", random_state=0).fit(same).score(same) > 0


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize("cls", [Autoencoder, VAE, LinearAutoencoder, TabularMaskedAutoencoder])
@pytest.mark.parametrize("seen", [False, True])
def test_a_row_of_nothing_but_holes_comes_back_as_a_usual_row_with_no_reason(kind: str, cls: Any, seen: bool) -> None:
    frame = pd.DataFrame(ROWS, columns=list("abcde")).assign(color=["red", "blue", "blue"] * 20)
    whole = frame if kind == "frame" else ROWS
    empty = frame.mask(np.isin(np.arange(60), [3, 5])[:, None] | np.zeros(frame.shape, dtype=bool))
    empty = empty if kind == "frame" else empty.drop(columns="color").to_numpy()
    model = cls(code_size=2, random_state=0, **({} if cls is LinearAutoencoder else {"epochs": 2}))
    model.fit(empty if seen else whole)
    back = pd.DataFrame(model.reconstruct(empty))
    assert back.notna().all(axis=None)
    first, second = back.iloc[3], back.iloc[5]
    assert first.equals(second)
    for column in range(5):
        assert ROWS[:, column].min() <= first.iloc[column] <= ROWS[:, column].max()
    assert np.isfinite(model.transform(empty)).all()
    assert np.isfinite(model.score_samples(empty)).all()
    if not (seen and kind == "frame"):  # whether a cell is missing is then a cell of its own, and known
        assert model.reconstruction_error(empty)[[3, 5]].tolist() == [0.0, 0.0]
    told = explain(model, empty)
    assert told.top(3) == told.top(5) == []
    assert told.top(4)
    assert np.isfinite(told.surprise).all()

"""Laws of tables: what goes in comes back, with names, order, dtypes, index, categories, bounds and dates."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from diabolo import (
    VAE,
    Autoencoder,
    ColumnLikelihood,
    ConvAutoencoder,
    DataError,
    LinearAutoencoder,
    Masking,
    SequenceAutoencoder,
    ShapeError,
    Swap,
    load,
)
from diabolo.cli import group
from diabolo.core.parts import every
from diabolo.data.choosing import open_data
from diabolo.data.columns import MOST_SLOTS, infer
from diabolo.data.curves import Curve, Logarithm, Quantiles, Standard, choose_curve
from diabolo.data.dialect import is_number
from diabolo.data.raw import Raw
from diabolo.data.tables import INFER, Table
from diabolo.estimators import Estimator

FOLDER = Path(os.environ.get("DIABOLO_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (FOLDER / "tables").is_dir(), reason="the data sets are not there; set DIABOLO_DATA"
)
ROWS = 60
RNG = np.random.default_rng(0)
START = datetime.datetime(2020, 2, 28, 23, 30)

COLUMNS: dict[str, Any] = {
    "continuous": RNG.normal(size=ROWS).round(3),
    "heavy": np.where(np.arange(ROWS) == 7, 1e9, RNG.exponential(size=ROWS).round(2)),
    "integer": RNG.integers(-50, 50, ROWS),
    "small": RNG.integers(0, 200, ROWS).astype("uint8"),
    "count": RNG.poisson(np.exp(RNG.normal(size=ROWS) * 2)),
    "levels": RNG.integers(1, 5, ROWS),
    "truth": RNG.random(ROWS) < 0.3,
    "two": np.where(RNG.random(ROWS) < 0.5, 2.0, 7.0),
    "word": RNG.choice(["red", "green", "blue <b>"], ROWS),
    "day": [datetime.date(2020, 2, 27) + datetime.timedelta(days=int(d)) for d in RNG.integers(0, 900, ROWS)],
    "time": [START + datetime.timedelta(minutes=int(m)) for m in RNG.integers(0, 10**6, ROWS)],
    "lasts": [datetime.timedelta(minutes=int(m)) for m in RNG.integers(0, 10**4, ROWS)],
    "constant": np.full(ROWS, 4.5),
    "same word": ["x"] * ROWS,
    "empty": [None] * ROWS,
}


def pandas_table(holes: bool = False) -> pd.DataFrame:
    """A pandas frame with columns of all kinds, some of them with holes."""
    frame = pd.DataFrame(COLUMNS, index=pd.Index(RNG.permutation(ROWS), name="row"))
    frame["category"] = pd.Categorical(frame["word"], categories=["red", "green", "blue <b>", "never"])
    frame["order"] = pd.Categorical.from_codes(RNG.integers(0, 3, ROWS), ["low", "mid", "high"], ordered=True)
    frame["nullable"] = pd.array(RNG.integers(0, 100, ROWS), dtype="Int64")
    frame["zoned"] = pd.to_datetime(frame["time"]).dt.tz_localize("UTC").dt.tz_convert("Europe/Paris")
    frame["text"] = frame["word"].astype("string")
    if holes:
        for name in ("continuous", "word", "time", "category", "order", "nullable", "zoned", "text", "day"):
            frame.loc[frame.index[RNG.choice(ROWS, 9, replace=False)], name] = None
    return frame


def polars_table() -> pl.DataFrame:
    """The same in polars, with its own dtypes."""
    return pl.DataFrame({name: pl.Series(values) for name, values in COLUMNS.items()}).with_columns(
        pl.col("word").cast(pl.Enum(["red", "green", "blue <b>", "never"])).alias("enum"),
        pl.col("word").cast(pl.Categorical).alias("category"),
        pl.col("time").dt.replace_time_zone("America/New_York", ambiguous="earliest").alias("zoned"),
        pl.col("small").cast(pl.Int16).alias("short"),
    )


def there_and_back(frame: Any) -> Any:
    """A frame as cells and back."""
    source = open_data(frame)
    table = Table.fit(source, "auto", INFER)
    return table.write(table.read(source).values, like=frame)


def test_a_pandas_table_comes_back_as_it_was() -> None:
    frame = pandas_table()
    pd.testing.assert_frame_equal(there_and_back(frame), frame, check_exact=False, rtol=1e-5)


def test_holes_are_filled_and_everything_else_comes_back() -> None:
    frame = pandas_table(holes=True)
    back = there_and_back(frame)
    assert list(back.columns) == list(frame.columns)
    assert back.index.equals(frame.index)
    for name in frame:
        assert back[name].dtype == frame[name].dtype, name
        known = frame[name].notna()
        assert name == "empty" or back[name].notna().all(), name
        pd.testing.assert_series_equal(back[name][known], frame[name][known], rtol=1e-5)


def test_a_polars_table_comes_back_as_it_was() -> None:
    frame = polars_table()
    back = there_and_back(frame)
    assert back.schema == frame.schema
    exact = [name for name in frame.columns if name not in ("continuous", "heavy")]
    assert back.select(exact).equals(frame.select(exact))


def test_an_arrow_table_comes_back_as_it_was() -> None:
    frame = pandas_table(holes=True).drop(columns=["empty", "order", "category"])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    back = there_and_back(table)
    assert back.schema.types == table.schema.types
    assert back.column_names == table.column_names


def test_without_the_frame_at_hand_dtypes_come_from_the_fit() -> None:
    frame = pandas_table()
    model = Autoencoder(code_size=4, epochs=1, random_state=0).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    pd.testing.assert_series_equal(back.dtypes, frame.dtypes)
    frame = polars_table()
    model.fit(frame)
    assert model.inverse_transform(model.transform(frame)).schema == frame.schema


@pytest.mark.parametrize("name", list(COLUMNS))
def test_kinds_are_inferred(name: str) -> None:
    kinds = {
        "heavy": "continuous",
        "small": "integer",
        "levels": "ordinal",
        "truth": "binary",
        "two": "binary",
        "word": "categorical",
        "day": "date",
        "time": "date",
        "lasts": "continuous",
        "constant": "continuous",
        "same word": "categorical",
    }
    source = open_data(pd.DataFrame({name: COLUMNS[name], "other": "x"}))
    assert infer(source.column(0, 0, ROWS)).kind in (kinds.get(name, name), "integer" if name == "lasts" else "")


def test_the_user_names_kinds_and_wrong_ones_are_refused() -> None:
    frame = pandas_table()[["levels", "word"]]
    table = Table.fit(open_data(frame), "auto", {"levels": "categorical"})
    assert [column.kind for column in table.columns] == ["categorical", "categorical"]
    with pytest.raises(ValueError, match="no column is called 'level'; there are 'levels', 'word'"):
        Table.fit(open_data(frame), "auto", {"level": "categorical"})
    with pytest.raises(ValueError, match="'word' came as 'number'; possible are continuous"):
        Table.fit(open_data(frame), "auto", {"word": "number"})
    with pytest.raises(DataError, match="column 'word' holds 'red', which is no number"):
        Table.fit(open_data(frame.assign(word="red")), "auto", {"word": "continuous"})
    with pytest.raises(ValueError, match="has no columns with names"):
        Autoencoder(column_types={"a": "count"}, epochs=1).fit(np.eye(4))


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8)
CELLS = {
    "float64": st.floats(-1e12, 1e12, allow_nan=False),
    "int64": st.integers(-(2**40), 2**40),
    "int8": st.integers(-128, 127),
    "bool": st.booleans(),
    "object": st.text(max_size=5).filter(lambda word: not is_number(word)),
    "datetime64[us]": st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """A small frame with columns of any kind and holes."""
    rows = draw(st.integers(1, 25))
    made: dict[str, pd.Series] = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)):
        dtype = draw(st.sampled_from(sorted(CELLS)))
        cells = draw(st.lists(CELLS[dtype], min_size=rows, max_size=rows))
        series = pd.Series(cells, dtype=dtype)
        if dtype in ("object", "datetime64[us]", "float64") and draw(st.booleans()):
            series[draw(st.lists(st.booleans(), min_size=rows, max_size=rows))] = None
        made[name] = series
    return pd.DataFrame(made)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(frames())
def test_any_frame_makes_the_trip(frame: pd.DataFrame) -> None:
    back = there_and_back(frame)
    assert list(back.columns) == list(frame.columns)
    assert back.index.equals(frame.index)
    for name in frame:
        known = frame[name].notna()
        assert back[name].dtype == frame[name].dtype
        if frame[name].dtype.kind in "fi":
            came, went = back[name][known].astype(float), frame[name][known].astype(float)
            if not known.any():
                continue
            assert not (came - went).abs().max() > 1e-3 * (went.max() - went.min()) + 1e-9 or went.nunique() > 12
            assert went.min() <= came.min() <= came.max() <= went.max()
        elif frame[name].dtype.kind == "M":
            assert back[name].dropna().between(frame[name].min(), frame[name].max()).all()
        else:
            assert (back[name][known] == frame[name][known]).all()
            assert set(back[name].dropna()) <= set(frame[name].dropna())


@pytest.mark.parametrize("kind", [Standard, Logarithm, Quantiles])
def test_curves_rise_and_come_back(kind: type[Curve]) -> None:
    values = np.sort(RNG.exponential(size=200))
    curve = kind.fit(values)
    moved = curve.forward(values)
    assert (np.diff(moved) >= 0).all()
    np.testing.assert_allclose(curve.backward(moved), values, atol=0.02 if kind is Quantiles else 1e-9, rtol=1e-6)


def test_one_wild_value_ruins_nothing() -> None:
    values = np.append(RNG.normal(size=999), 1e12)
    curve = choose_curve(values)
    moved = curve.forward(values)
    assert isinstance(curve, Quantiles)
    assert 0.9 < moved[:-1].std() < 1.1
    assert moved[-1] < 5
    assert curve.forward(np.array([1e15]))[0] > moved[-1]  # and what lies further out is further out


def test_an_unseen_category_has_a_place_of_its_own_and_none_is_invented() -> None:
    frame = pandas_table()
    model = Autoencoder(code_size=8, epochs=2, random_state=0).fit(frame)
    strange = frame.assign(word="never seen")
    cells = dict(zip(model.modality_.column_names(), model.modality_.read(open_data(strange)).values[0], strict=True))
    assert cells["word=another"] == 1
    assert sum(float(value) for name, value in cells.items() if name.startswith("word=")) == 1
    assert set(model.reconstruct(strange)["word"]) <= set(frame["word"])


def test_many_categories_take_little_room() -> None:
    names = np.array([f"shop {at}" for at in range(100_000)], dtype=object)
    frame = pd.DataFrame({"shop": names, "size": 1.5})
    table = Table.fit(open_data(frame), "auto")
    assert table.shape == (2 * 318 + 1,)
    some = frame.iloc[::997]
    assert table.write(table.read(open_data(some)).values, like=some)["shop"].tolist() == some["shop"].tolist()
    few = pd.DataFrame({"shop": names[: MOST_SLOTS - 1], "size": 1.5})
    assert Table.fit(open_data(few), "auto").shape == (MOST_SLOTS + 1,)


def test_missing_cells_are_told_and_new_holes_are_fine() -> None:
    frame = pandas_table(holes=True)
    model = VAE(code_size=4, epochs=2, random_state=0).fit(frame)
    assert "word is missing" in model.modality_.column_names()
    hollow = frame.copy()
    hollow.loc[hollow.index[0], ["continuous", "heavy", "word", "same word", "time", "lasts", "zoned"]] = None
    assert np.isfinite(model.transform(hollow)).all()
    assert np.isfinite(model.score_samples(hollow)).all()


def test_the_likelihood_is_the_sum_of_the_columns() -> None:
    import torch

    from diabolo import MLP, Clean, Identity
    from diabolo.core import Network

    loss = ColumnLikelihood((("gaussian", 1), ("bernoulli", 1), ("softmax", 3))).build((5,)).eval()
    x = torch.tensor([[0.5, 1.0, 0.0, 1.0, 0.0]])
    trip = Network((5,), MLP(), Identity(2), Clean())(x)
    out = trip.output[0]
    variance = loss.remembered()[0].float()
    by_hand = ((out[0] - 0.5) ** 2 / variance + torch.log(2 * torch.pi * variance)) / 2
    by_hand = by_hand - torch.log(out[1].sigmoid()) - out[2:].log_softmax(0)[1]
    torch.testing.assert_close(loss(trip)[0], by_hand)
    torch.testing.assert_close(
        loss.mean(loss.unlink(torch.tensor([0.3, 0.2, 0.5, 0.25, 0.25])))[2:].sum(), torch.tensor(1.0)
    )
    assert (loss.surprise(trip) >= 0).all()


def test_columns_are_hidden_and_swapped_whole() -> None:
    import torch

    masking, swap = Masking(0.5), Swap(0.5)
    x = torch.eye(4).repeat(50, 1)[:, [0, 1, 2, 3, 0, 1]]
    for corruption in (masking, swap):
        corruption.of_columns([1, 3, 2])
    hidden = masking(x).covered()
    assert (hidden[:, 1:4].all(1) | ~hidden[:, 1:4].any(1)).all()
    assert not torch.equal(hidden[:, 0], hidden[:, 1])
    swapped = swap(x).values
    whole = {tuple(row.tolist()) for row in x[:, 1:4]}
    assert {tuple(row.tolist()) for row in swapped[:, 1:4]} <= whole


def test_a_model_of_a_table_is_one_file(tmp_path: Path) -> None:
    frame = pandas_table(holes=True)
    model = VAE(code_size=4, epochs=2, random_state=0, column_types={"levels": "categorical"}).fit(frame)
    model.save(tmp_path / "t.safetensors")
    again = load(tmp_path / "t.safetensors")
    assert again.column_types == {"levels": "categorical"}
    pd.testing.assert_frame_equal(again.reconstruct(frame), model.reconstruct(frame))
    np.testing.assert_array_equal(again.score_samples(frame), model.score_samples(frame))


def test_a_csv_file_is_read_like_the_frame(tmp_path: Path) -> None:
    frame = pandas_table(holes=True)[["continuous", "integer", "truth", "word", "day", "time"]]
    frame.to_csv(tmp_path / "t.csv", index=False)
    source = open_data(str(tmp_path / "t.csv"))
    table = Table.fit(source, "auto", INFER)
    assert [column.kind for column in table.columns] == [
        "continuous",
        "integer",
        "binary",
        "categorical",
        "date",
        "date",
    ]
    back = table.decoded(table.read(source).values)
    written = pd.read_csv(tmp_path / "t.csv", keep_default_na=True)
    for name in ("word", "day", "time"):
        known = written[name].notna().to_numpy()
        assert (back[name][known] == written[name].to_numpy()[known]).all()


def test_a_file_without_header_has_none_invented(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("39, State-gov, 77516\n50, ?, 83311\n38, Private, 215646\n")
    source = open_data(str(tmp_path / "t.csv"))
    assert (source.names, source.rows) == (("0", "1", "2"), 3)
    assert source.column(1, 0, 2).known.tolist() == [True, False]


BAD: dict[str, tuple[Any, str]] = {
    "infinity": (pd.DataFrame({"a": [1.0, np.inf], "b": ["x", "y"]}), "column 'a', row 1 is inf"),
    "a list in a cell": (pd.DataFrame({"a": [[1], [2]], "b": ["x", "y"]}), "column 'a' holds \\[1\\] of type list"),
    "a slip among numbers": (pd.DataFrame({"a": ["1", "2", "3", "4", "oops"]}), "column 'a', row 4 is 'oops'"),
    "a decimal comma": (pd.DataFrame({"a": ["1.5", "2", "3", "4,5"]}), "decimal comma becomes a point"),
    "dates spelled in two ways": (
        pd.DataFrame({"a": ["2020-01-01", "2020-01-02 10:00"]}),
        "column 'a' holds text that is no date",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_columns_are_named(case: str) -> None:
    frame, message = BAD[case]
    kinds = {"a": "date"} if "dates" in case else None
    with pytest.raises(DataError, match=message):
        Autoencoder(epochs=1, column_types=kinds).fit(frame)


def test_what_was_empty_at_fit_must_stay_empty() -> None:
    frame = pd.DataFrame({"a": [None, None, None], "b": ["x", "y", "x"]})
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame)
    assert model.reconstruct(frame)["a"].isna().all()
    with pytest.raises(DataError, match="column 'a' holds 'z', and held nothing at fit"):
        model.transform(frame.assign(a="z"))


def test_a_new_level_of_an_order_is_refused_with_the_remedy() -> None:
    order = pd.CategoricalDtype(["low", "high"], ordered=True)
    frame = pd.DataFrame({"a": pd.Series(["low", "high"] * 3, dtype=order)})
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame)
    with pytest.raises(DataError, match="column 'a' holds 'mid', which was not there at fit"):
        model.transform(pd.DataFrame({"a": ["mid"]}))


def test_words_and_numbers_in_one_column_are_categories() -> None:
    raw = Raw("a", np.array([1, "1", True, 2.5, "x", "y", "z", "w"], dtype=object), np.ones(8, dtype=bool))
    column = infer(raw)
    assert column.kind == "categorical"
    assert [type(value) for value in column.decode(column.encode(raw))] == [int, str, bool, float, str, str, str, str]


def test_ten_thousand_columns_and_one_row() -> None:
    wide = pd.DataFrame({f"c{at}": ["x", "y", "x"] if at % 2 else [1.5, 2.5, at] for at in range(10_000)})
    table = Table.fit(open_data(wide), "auto")
    assert table.shape == (5_000 + 5_000 * 3,)
    one = wide.iloc[:1]
    pd.testing.assert_frame_equal(there_and_back(one), one)


TABLES: dict[str, dict[str, Any]] = {
    "adult-train.csv.gz": {"header": None, "na_values": ["?"], "skipinitialspace": True},
    "titanic.csv": {},
    "penguins.csv": {},
    "penguins_raw.csv": {},
    "diamonds.csv.gz": {},
    "taxis.csv.gz": {},
    "mpg.csv": {},
    "AmesHousing.txt.gz": {"sep": "\t"},
    "california_housing.csv.gz": {},
    "horse-colic.csv": {"header": None, "na_values": ["?"]},
    "auto_imports.csv": {"header": None, "na_values": ["?"]},
    "mushrooms.csv.gz": {"na_values": ["?"]},
    "winequality-white.csv.gz": {"header": None},
}


@needs_data
@pytest.mark.parametrize("name", TABLES)
def test_what_comes_back_of_real_tables_violates_nothing(name: str) -> None:
    frame = pd.read_csv(FOLDER / "tables" / name, **TABLES[name])
    frame = frame.sample(min(300, len(frame)), random_state=0)
    frame.columns = frame.columns.map(str)
    model = Autoencoder(code_size=4, epochs=2, random_state=0, column_types=INFER).fit(frame)
    back = model.reconstruct(frame)
    kinds = {column.name: column.kind for column in model.modality_.columns}
    assert list(back.columns) == list(frame.columns)
    assert back.index.equals(frame.index)
    for column in frame:
        assert back[column].dtype == frame[column].dtype, column
        if frame[column].isna().all():
            continue
        assert back[column].notna().all(), column
        if pd.api.types.is_numeric_dtype(frame[column]) and frame[column].dtype != bool:
            assert back[column].between(frame[column].min(), frame[column].max()).all(), column
            if (frame[column].dropna() % 1 == 0).all():
                assert (back[column] % 1 == 0).all(), column
        elif kinds[column] == "date":
            assert back[column].between(frame[column].dropna().min(), frame[column].dropna().max()).all(), column
        else:
            assert set(back[column]) <= set(frame[column].dropna()), column
    exact = model.modality_.write(model.modality_.read(open_data(frame)).values, like=frame)
    for column in frame.select_dtypes(exclude="number"):
        known = frame[column].notna()
        assert (exact[column][known] == frame[column][known]).all(), column


PRESETS = [preset for preset in every(Estimator) if preset not in (ConvAutoencoder, SequenceAutoencoder)]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.__name__)
def test_every_preset_takes_columns_of_all_kinds(preset: type[Estimator]) -> None:
    frame = pandas_table(holes=True)
    model = preset(code_size=4, epochs=1, random_state=0).fit(frame)
    back = model.reconstruct(frame)
    pd.testing.assert_series_equal(back.dtypes, frame.dtypes)
    assert np.isfinite(model.score_samples(frame)).all()
    assert np.isfinite(model.transform(frame)).all()


def test_the_linear_one_is_pca_of_the_cells() -> None:
    frame = pandas_table().drop(columns="empty")
    model = LinearAutoencoder(code_size=6, random_state=0).fit(frame)
    cells = model.modality_.read(open_data(frame)).values.numpy()
    pca = PCA(6).fit(cells)
    expected = np.concatenate([model.expected(trip).numpy() for trip in model.round_trips(frame)])
    np.testing.assert_allclose(expected, pca.inverse_transform(pca.transform(cells)), atol=1e-4)


def test_presets_for_pictures_and_sequences_refuse_words() -> None:
    with pytest.raises(ShapeError, match="Conv needs samples of"):
        ConvAutoencoder(epochs=1).fit(pandas_table())
    with pytest.raises(DataError, match=r"column 'truth', 'word', .* do not hold numbers"):
        SequenceAutoencoder(epochs=1).fit(pandas_table())


@pytest.mark.parametrize("names", [[0, 1], ["0", "1"]])
def test_names_that_are_numbers_stay_what_they_are(names: list[Any]) -> None:
    frame = pd.DataFrame([["x", 1.5], ["y", 2.5], ["x", 3.5]], columns=names)
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame)
    assert model.reconstruct(frame).columns.equals(frame.columns)
    assert model.inverse_transform(model.transform(frame)).columns.tolist() == names


def test_a_parquet_file_of_all_kinds_goes_through_every_command(tmp_path: Path) -> None:
    frame = pandas_table(holes=True)[["continuous", "integer", "word", "time", "truth"]]
    frame.to_parquet(tmp_path / "t.parquet")
    model = tmp_path / "m.safetensors"
    run = CliRunner()
    fitted = run.invoke(group, ["fit", str(tmp_path / "t.parquet"), "-o", str(model), "--epochs", "1"])
    assert fitted.exit_code == 0, fitted.output
    for command in ("encode", "reconstruct", "score", "explain", "impute"):
        done = run.invoke(
            group, [command, str(model), str(tmp_path / "t.parquet"), "-o", str(tmp_path / f"{command}.csv")]
        )
        assert done.exit_code == 0, done.output
        assert len(pd.read_csv(tmp_path / f"{command}.csv")) == ROWS


def test_categories_without_the_frame_at_hand_keep_their_order() -> None:
    frame = pd.DataFrame({"c": pd.Categorical([1, 2, None, 2] * 10, categories=[3, 2, 1]), "x": range(40)})
    model = Autoencoder(code_size=2, epochs=1, random_state=0).fit(frame)
    pd.testing.assert_series_equal(model.inverse_transform(model.transform(frame)).dtypes, frame.dtypes)


def test_other_dtypes_at_transform_do_not_lose_what_fills_them() -> None:
    frame = pd.DataFrame({"c": ["a", "b", "b", "b"] * 10, "x": range(40)})
    model = Autoencoder(code_size=2, epochs=1, random_state=0).fit(frame)
    assert model.reconstruct(frame.assign(c=np.nan))["c"].isin(["a", "b"]).all()
    fewer = frame.assign(c=pd.Categorical(["a", None] * 20, categories=["a"]))
    assert model.reconstruct(fewer)["c"].notna().all()


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_durations_of_few_values_come_back(library: str) -> None:
    hours = [datetime.timedelta(hours=hour) if hour else None for hour in [1, 2, 0, 2] * 10]
    frame: Any = {"t": hours, "c": ["a", "b"] * 20}
    table = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library](frame)
    back = there_and_back(table)
    assert back.schema.types == table.schema.types if library == "pyarrow" else list(back.dtypes) == list(table.dtypes)


def test_arrow_whole_numbers_decimals_and_dictionaries() -> None:
    table = pa.table(
        {
            "large": [2**60 + at for at in range(39)] + [None],
            "money": pa.array([1, 2] * 20, pa.decimal128(10, 2)),
            "place": pa.array(["A", None] * 20).dictionary_encode(),
        }
    )
    assert there_and_back(table).schema.types == table.schema.types


def test_objects_with_zones_stay_with_a_zone() -> None:
    moments = [pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2021-01-05", tz="Europe/Berlin"), None] * 10
    frame = pd.DataFrame({"t": pd.Series(moments, dtype=object), "c": ["a", "b", "c"] * 10})
    back = there_and_back(frame)["t"]
    assert (back.iloc[:2] == frame["t"].iloc[:2]).all()


@pytest.mark.parametrize(
    ("cells", "kind", "message"),
    [
        ([3, -9, 5, 80], "count", "column 'a', row 1 is -9, and counts begin at 0"),
        (["0,5", "1,5", "2,5"], None, "a decimal comma becomes a point"),
        (["1,200", "3,400", "5"], None, "a comma between thousands is left out"),
    ],
)
def test_numbers_of_other_habits_are_refused(cells: list[Any], kind: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Autoencoder(epochs=1, column_types={"a": kind} if kind else None).fit(pd.DataFrame({"a": cells, "b": "x"}))


def test_missing_words_and_truths_are_no_numbers() -> None:
    assert infer(Raw("a", np.array(["", "a", "", ""], dtype=object), np.ones(4, dtype=bool))).kind == "categorical"
    assert infer(Raw("a", np.array(["true", "false", "maybe", "true"], object), np.ones(4, bool))).kind == "categorical"


@pytest.mark.parametrize("types", [["a"], 5, "auto"])
def test_kinds_are_told_by_name(types: Any) -> None:
    with pytest.raises(ValueError, match="it is 'infer', or kinds by column name"):
        Autoencoder(column_types=types, epochs=1).fit(pandas_table())


def test_codes_with_zeros_in_front_stay_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("zip,n\n00501,1\n90210,2\n00501,x\n")
    source = open_data(str(tmp_path / "t.csv"))
    assert source.column(0, 0, 3).values.tolist() == ["00501", "90210", "00501"]

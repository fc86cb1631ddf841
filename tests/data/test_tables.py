"""Laws of tables: what goes in comes back, with names, order, dtypes, index, categories, bounds and dates."""

from __future__ import annotations

import datetime
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator

from diabolo import (
    VAE,
    Autoencoder,
    ColumnLikelihood,
    ConvAutoencoder,
    DataError,
    Imputer,
    LinearAutoencoder,
    Masking,
    SequenceAutoencoder,
    ShapeError,
    Swap,
    explain,
    load,
)
from diabolo.cli import group
from diabolo.core.parts import every
from diabolo.data.choices import MOST_SLOTS
from diabolo.data.choosing import fit_modality, open_data
from diabolo.data.curves import Curve, Logarithm, Quantiles, Standard, choose_curve
from diabolo.data.dialect import is_number
from diabolo.data.kinds import infer, restore_column
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


def arrow_table() -> pa.Table:
    """Dtypes that only arrow has."""
    words = ["A", "B", "A", "C"] * 10
    return pa.table(
        {
            "money": pa.array([Decimal("1.10"), Decimal("2.05")] * 20, pa.decimal128(10, 2)),
            "place": pa.array(words, pa.dictionary(pa.int8(), pa.large_string())),
            "view": pa.array(words, pa.string_view()),
            "long": pa.array(words, pa.large_string()),
            "zoned": pa.array([START, None] * 20, pa.timestamp("ms", "Europe/Paris")),
            "day": pa.array([START.date(), datetime.date(2021, 1, 1)] * 20, pa.date32()),
            "short": pa.array([1, 2] * 20, pa.uint8()),
            "float": pa.array([1.5, 2.5] * 20, pa.float32()),
            "truth": pa.array([True, None] * 20),
        }
    )


def arrow_in_pandas() -> pd.DataFrame:
    """The same in pandas."""
    return arrow_table().to_pandas(types_mapper=pd.ArrowDtype)


def decimals_in_polars() -> pl.DataFrame:
    """Decimals in polars, among words."""
    money = pl.Series([Decimal("1.10"), Decimal("2.05")] * 20, dtype=pl.Decimal(12, 2))
    return pl.DataFrame(
        {"money": money, "word": ["a", "b"] * 20, "time": pl.Series([START] * 40, dtype=pl.Datetime("ms"))}
    )


@pytest.mark.parametrize("make", [arrow_table, arrow_in_pandas, decimals_in_polars])
@pytest.mark.parametrize("numbers", [False, True])
def test_dtypes_that_only_a_library_has_come_back(make: Any, numbers: bool) -> None:
    frame = make()
    if numbers:
        names = [name for name in ("money", "short", "float") if name in list(nw.from_native(frame).columns)]
        frame = nw.from_native(frame).select(names).to_native()
    table = Table.fit(open_data(frame), "auto")
    values = table.read(open_data(frame)).values
    for back in (table.write(values), table.write(values, like=frame)):
        assert type(back) is type(frame)
        assert dict(nw.from_native(back).schema) == dict(nw.from_native(frame).schema)
        assert dtypes_of(back) == dtypes_of(frame)
        assert nw.from_native(back)["money"].to_list() == nw.from_native(frame)["money"].to_list()


def dtypes_of(frame: Any) -> list[str]:
    """The dtypes as the library itself has them."""
    return [str(kind) for kind in (frame.schema.types if isinstance(frame, pa.Table) else frame.dtypes)]


@pytest.mark.parametrize(
    "dtype", ["Int64", "UInt8", "Float32", "boolean", "int16[pyarrow]", "bool[pyarrow]", "double[pyarrow]", "object"]
)
def test_nullable_numbers_come_back_nullable(dtype: str) -> None:
    frame = pd.DataFrame({"a": pd.array([1, 0, None, 1] * 10, dtype=dtype), "b": np.arange(40)})
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame)
    assert isinstance(model.modality_, Table)
    for back in (model.reconstruct(frame), model.inverse_transform(model.transform(frame))):
        pd.testing.assert_series_equal(back.dtypes, frame.dtypes)
        assert back["a"].notna().all()


@pytest.mark.parametrize("names", [[0, 1, 2], [2019, 2020, 2021], pd.date_range("2020", periods=3)])
def test_numbers_under_names_that_are_no_text_come_back_as_a_frame(names: Any) -> None:
    frame = pd.DataFrame(RNG.normal(size=(40, 3)), columns=names, index=range(5, 45)).astype({names[0]: "float32"})
    model = Autoencoder(code_size=2, epochs=1, random_state=0).fit(frame)
    back = model.reconstruct(frame)
    assert back.columns.equals(frame.columns)
    assert back.index.equals(frame.index)
    pd.testing.assert_series_equal(back.dtypes, frame.dtypes)
    without = model.inverse_transform(model.transform(frame))
    assert list(without.columns) == (names if isinstance(names, list) else list(map(str, names)))
    assert model.transform(frame.to_numpy()).shape == (40, 2)


def test_pixels_under_numbers_keep_one_scale() -> None:
    pixels = load_digits().data[:100]
    table, array = (fit_modality(open_data(X)) for X in (pd.DataFrame(pixels), pixels))
    assert table.scaling.unit
    assert np.array_equal(table.scaling.scale, array.scaling.scale)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_whole_numbers_at_hand_hold_no_fractions(library: str) -> None:
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library]
    table = Table.fit(open_data(make({"a": [1.5, 2.5, 9.25] * 10, "b": ["x", "y", "z"] * 10})), "auto")
    whole = make({"a": [2, 3, 9], "b": ["x", "y", "z"]})
    back = nw.from_native(table.write(table.read(open_data(whole)).values, like=whole))
    assert back.schema["a"] == nw.Float64


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
    with pytest.raises(DataError, match="column 'word', row 0 is 'red', which is no number"):
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


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("lines", "known"),
    [
        (["n", "1", "", "3", ""], [True, False, True, False]),
        (["n", "1.5", "  ", "", "x"], [True, False, False, True]),
        (["", "word", "red", "", "blue"], [True, False, True]),
        (["", "1", "2"], [False, True, True]),
        (["day", "2024-01-01", "", "2024-01-03"], [True, False, True]),
    ],
)
def test_a_blank_line_of_one_column_is_a_hole(lines: list[str], known: list[bool], end: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(end.join([*lines, ""]).encode())
    source = open_data(str(tmp_path / "t.csv"))
    assert source.rows == len(known)
    assert source.column(0, 0, source.rows).known.tolist() == known


def test_blank_lines_between_rows_of_several_columns_are_nothing(tmp_path: Path) -> None:
    for cells in ("1,2\n\n3,4\n\n", "a,b\n\n1,x\n\n2,y\n"):
        (tmp_path / "t.csv").write_text(cells)
        assert open_data(str(tmp_path / "t.csv")).rows == 2


def test_blank_lines_are_found_again_in_any_stretch(tmp_path: Path) -> None:
    values = np.where(np.arange(400_000) % 7 == 3, np.nan, np.arange(400_000.0) % 1000)
    (tmp_path / "t.csv").write_text("\n".join(["n", *("" if np.isnan(v) else f"{v:g}" for v in values), ""]))
    source = open_data(str(tmp_path / "t.csv"))
    assert source.rows == len(values)
    np.testing.assert_array_equal(source.read(250_000, 250_100)[:, 0], values[250_000:250_100])


HEADERS: dict[str, tuple[str, tuple[str, ...] | None, int, str]] = {
    "years": (
        "country,2019,2020,2021\nNorway,5,5,6\nPeru,3,1,1\n",
        ("country", "2019", "2020", "2021"),
        2,
        "one to count",
    ),
    "two years": ("country,2019,2020\nNorway,5,2\nPeru,3,1\n", ("country", "2019", "2020"), 2, "one to count"),
    "falling years": (",2021,2020,2019\nNorway,5,2,1\nPeru,3,1,1\n", ("", "2021", "2020", "2019"), 2, "one to count"),
    "numbers from 0": ("0,1,2\n5,red,1\n9,blue,1\n", ("0", "1", "2"), 2, "one to count"),
    "every row counts up": ("red,1,2,3\nblue,4,5,6\ngreen,7,8,9\n", ("0", "1", "2", "3"), 3, "put names"),
    "a row of data": ("39,State,77516\n50,Self,83311\n", ("0", "1", "2"), 2, "put names"),
    "quoted": ('"country","2019","7"\nNorway,5,2\nPeru,3,1\n', ("country", "2019", "7"), 2, "being quoted"),
    "quoted numbers": ('"2019","7"\n5,2\n3,1\n', ("2019", "7"), 2, "being quoted"),
    "years of numbers": ("2019,2020,2021\n5,2,9\n3,1,1\n", None, 3, "put names"),
    "all rows quoted": ('"39","State"\n"50","Self"\n', ("0", "1"), 2, "put names"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_names_that_are_numbers_are_told_from_data(case: str, tmp_path: Path) -> None:
    text, names, rows, note = HEADERS[case]
    (tmp_path / "t.csv").write_text(text)
    source = open_data(str(tmp_path / "t.csv"))
    assert (source.names, source.rows) == (names, rows)
    assert source.note is not None
    assert note in source.note
    told = CliRunner().invoke(group, ["fit", str(tmp_path / "t.csv"), "--dry-run"])
    assert source.note in told.stderr


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
        "column 'a', row 1 is '2020-01-02 10:00', spelled otherwise than '2020-01-01'",
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


@pytest.mark.parametrize("kind", ["ordinal", "binary"])
def test_a_value_that_is_no_level_is_surprising_and_stays_as_it_was_written(kind: str) -> None:
    draw = np.random.default_rng(0)
    levels = draw.integers(1, 5, 200) if kind == "ordinal" else draw.integers(0, 2, 200)
    frame = pd.DataFrame(
        {"a": levels, "b": draw.choice(["x", "y"], 200), "c": np.where(draw.random(200) < 0.2, None, "z")}
    )
    model = VAE(code_size=2, epochs=20, random_state=0, column_types={"a": kind}).fit(frame)
    assert "a=another" in model.modality_.column_names()
    row = frame.iloc[:1].assign(c="z")
    known, strange = (explain(model, row.assign(a=value)) for value in (levels[0], 9))
    assert strange.surprise[0, 0] > 5 > known.surprise[0, 0]
    assert model.score_samples(row.assign(a=9))[0] < model.score_samples(row.assign(a=levels[0]))[0] - 5
    assert strange.observed[0, 0] == 9
    assert strange.expected[0, 0] in levels
    assert model.reconstruct(row.assign(a=9))["a"].isin(levels).all()
    whole = Imputer(FrozenEstimator(model), random_state=0).fit(frame).transform(row.assign(a=9, c=None))
    assert (whole["a"].item(), whole["c"].item()) == (9, "z")


def test_truths_that_come_as_numbers_are_no_others() -> None:
    frame = pd.DataFrame({"a": [True, False] * 10, "b": ["x", "y"] * 10})
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame)
    as_numbers = frame.assign(a=frame["a"].astype(float))
    np.testing.assert_array_equal(model.transform(as_numbers), model.transform(frame))


def test_models_of_before_read_their_levels_as_they_did() -> None:
    plain = {"kind": "ordinal", "name": "a", "dtype": "int64", "holes": True, "levels": [1, 3, 5]}
    column = restore_column(plain)
    assert column.cell_names == ["a > 1", "a > 3", "a is missing"]
    raw = Raw("a", np.array([9, 3, 0]), np.array([True, True, False]), "int64")
    np.testing.assert_array_equal(column.encode(raw), [[1, 1, 0], [1, 0, 0], [np.nan, np.nan, 1]])


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


def test_dates_that_no_calendar_of_python_holds_are_refused() -> None:
    days = np.array(["2020-01-01", "-9000-01-01", "20000-12-31"], "datetime64[s]")
    with pytest.raises(DataError, match="column 'a', row 1 is -9000-01-01, and years go from 1 to 9999"):
        Autoencoder(epochs=1).fit(pd.DataFrame({"a": days, "b": ["x", "y", "z"]}))


def test_whole_numbers_wider_than_numpys_are_read() -> None:
    frame = pl.DataFrame({"a": pl.Series([1, 2, 3] * 10, dtype=pl.Int128), "b": range(30)})
    for table in (frame, frame.with_columns(c=pl.lit("x"))):
        assert there_and_back(table).schema == table.schema


def test_what_is_too_far_is_told_as_the_user_wrote_it() -> None:
    frame = pd.DataFrame({"size": RNG.normal(size=60), "color": ["red", "blue", None] * 20})
    model = Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame)
    wild = frame.copy()
    wild.loc[41, "size"] = -3.25e40
    for ask in (model.transform, model.score_samples, model.reconstruct, lambda X: explain(model, X)):
        with pytest.raises(DataError, match=r"column 'size', row 41 \(-3.25e\+40\) is too far from the rest"):
            ask(wild)
    extreme = pd.DataFrame({"a": [1.7e308, -1.7e308, 0.0], "b": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match=r"column 'a' varies more than numbers can say, from -1.7e\+308 to 1.7e\+308"):
        Autoencoder(epochs=1).fit(extreme)


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


WRONG: dict[str, tuple[list[Any], str, str, str]] = {
    "words as date": (["2024-01-01", None, "soon"], "date", "row 2 is 'soon', which is no date", "ordinal, binary"),
    "numbers as date": ([5, 6, 7], "date", "row 0 is 5, which is no date", "continuous, integer, count, ordinal"),
    "truths as date": ([True, False, True], "date", "row 0 is True, which is no date", "continuous, integer, count"),
    "no day of the year": (["2024-02-30", "x", "y"], "date", "row 0 is '2024-02-30', which is no date", "ordinal"),
    "words as number": (["1", None, "x"], "continuous", "row 2 is 'x', which is no number", "ordinal, binary"),
    "comma as number": (
        ["1", "0,5", "2"],
        "continuous",
        r"row 1 is '0,5', .*a decimal comma becomes a point",
        "ordinal",
    ),
    "infinite word": (["1", "inf", "2"], "continuous", "row 1 is 'inf', which is no number", "ordinal"),
    "fraction as integer": (
        [1.0, None, 1.5],
        "integer",
        "row 2 is 1.5, which is no whole number",
        "continuous, ordinal",
    ),
    "fraction as count": ([1.0, 0.5, 2.0], "count", "row 1 is 0.5, which is no whole number", "continuous, ordinal"),
    "negative as count": ([1, -2, 2], "count", "row 1 is -2, and counts begin at 0", "continuous, integer, ordinal"),
    "three as binary": (
        ["a", "b", "c"],
        "binary",
        "row 2 is 'c', which is neither 'a' nor 'b'",
        "ordinal, categorical",
    ),
    **{
        f"date as {kind}": ([START, None, START], kind, "row 0 is .*2020.*, which is a date", "date")
        for kind in ("continuous", "integer", "count", "ordinal", "binary", "categorical")
    },
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_kind_is_refused_with_the_cell_and_what_is_possible(case: str) -> None:
    cells, kind, told, possible = WRONG[case]
    frame = pd.DataFrame({"a": cells, "b": ["x", "y", "z"]})
    with pytest.raises(
        DataError, match=f"column 'a', {told}.*; the column was said to be {kind}.*possible are {possible}"
    ):
        Autoencoder(epochs=1, column_types={"a": kind}).fit(frame)
    for fitting in re.findall(r"possible are (.*)\.", str(refusal(frame, kind)))[0].split(", "):
        assert Table.fit(open_data(frame), "auto", {"a": fitting}).columns[0].kind == fitting


def refusal(frame: pd.DataFrame, kind: str) -> DataError:
    """The error that a wrong kind raises."""
    with pytest.raises(DataError) as caught:
        Table.fit(open_data(frame), "auto", {"a": kind})
    return caught.value


@pytest.mark.parametrize("types", [["a"], 5, "auto"])
def test_kinds_are_told_by_name(types: Any) -> None:
    with pytest.raises(ValueError, match="it is 'infer', or kinds by column name"):
        Autoencoder(column_types=types, epochs=1).fit(pandas_table())


def test_codes_with_zeros_in_front_stay_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("zip,n\n00501,1\n90210,2\n00501,x\n")
    source = open_data(str(tmp_path / "t.csv"))
    assert source.column(0, 0, 3).values.tolist() == ["00501", "90210", "00501"]

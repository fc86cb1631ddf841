"""Reading a table as a series: which columns are channels, which say when, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import DataError, ShapeError
from diabolo.data.memory import in_memory
from diabolo.data.points import read_points

DAYS = pd.date_range("2024-02-28", periods=5, freq="D")
VALUES = [1.0, 4.0, np.nan, 2.0, 7.0]


def frame(**columns: Any) -> pd.DataFrame:
    """A channel and other columns."""
    return pd.DataFrame({"heat": VALUES} | columns)


@pytest.mark.parametrize(
    "times",
    [
        DAYS,
        DAYS.tz_localize("UTC"),
        DAYS.astype(str),
        DAYS.strftime("%Y-%m-%dT%H:%M:%SZ"),
        (DAYS + pd.Timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S+02:00"),
    ],
    ids=["moments", "zoned", "days", "zulu", "another zone"],
)
def test_times_are_read_however_they_are_written(times: Any) -> None:
    points = read_points(in_memory(frame(when=times)))
    assert points.names == ("heat",)
    assert points.times is not None
    assert np.array_equal(points.times, DAYS.to_numpy().astype("datetime64[us]"))
    assert np.array_equal(points.values[:, 0], VALUES, equal_nan=True)
    assert points.gaps == 1


def test_the_index_of_a_frame_may_say_when() -> None:
    points = read_points(in_memory(frame().set_index(DAYS)))
    assert points.written is not None
    assert points.written.tolist()[:2] == ["2024-02-28", "2024-02-29"]
    assert read_points(in_memory(frame())).times is None
    with pytest.raises(DataError, match=r"the index, row 1 .* comes before row 0"):
        read_points(in_memory(frame().set_index(DAYS[::-1])))


def test_numbers_that_count_are_no_channel_unless_they_are_all_there_is() -> None:
    counter = np.arange(5) * 60 + 1_700_000_000
    points = read_points(in_memory(frame(when=counter)))
    assert (points.names, points.times) == (("heat",), None)
    assert points.written is not None
    assert points.written[1] == "1700000060"
    assert read_points(in_memory(pd.DataFrame({"when": counter}))).names == ("when",)
    assert read_points(in_memory(frame(when=counter)), wanted=["heat", "when"]).names == ("heat", "when")
    assert read_points(in_memory(frame(other=[1.0, 2.0, 3.0, 4.0, 5.5]))).names == ("heat", "other")
    assert read_points(in_memory(np.c_[np.array(VALUES), np.arange(5)])).names == ("0",)


def test_a_detector_finds_its_channels_by_name_else_by_number() -> None:
    data = frame(load=[1.0, 0.0, 1.0, 0.0, 1.0], host=list("abcde"))
    points = read_points(in_memory(data), known=["load", "heat"])
    assert points.names == ("load", "heat")
    assert np.array_equal(points.values, data[["load", "heat"]].to_numpy(), equal_nan=True)
    assert points.notes == ("column 'host' is left out: the detector knows no such channel",)
    array = np.c_[np.arange(5.0), np.array(VALUES)]  # a channel that happens to count is still one of the two
    assert np.array_equal(read_points(in_memory(array), known=2).values, array, equal_nan=True)
    assert read_points(in_memory(array), known=["a", "b"]).names == ("a", "b")
    assert read_points(in_memory(np.array(VALUES)), known=1).values.shape == (5, 1)
    with pytest.raises(ShapeError, match=r"has 1 channel \(.* fitted to 3"):
        read_points(in_memory(array), known=3)


def test_columns_without_any_value_are_channels_only_where_they_were_at_fit() -> None:
    data = frame(load=[np.nan] * 5)
    assert read_points(in_memory(data)).notes == ("column 'load' is empty, and no channel",)
    assert read_points(in_memory(data), known=["heat", "load"]).values.shape == (5, 2)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"host": list("abcde")}, "column 'host', row 0 is 'a', which is neither a number nor a time"),
        ({"load": [1.0, 2.0, -np.inf, 3.0, 9.0]}, "column 'load', row 2 is -inf"),
        ({"load": ["1", "2", "3", "x", "5"]}, "row 0 is '1'|row 3 is 'x'"),
        ({"when": DAYS[[0, 2, 1, 3, 4]]}, r"row 2 \(2024-02-29\) comes before row 1 \(2024-03-01\)"),
    ],
)
def test_what_is_wrong_is_named(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_points(in_memory(frame(**columns)))

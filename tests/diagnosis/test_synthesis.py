"""What says how like generated rows are: right for copies, for independent columns and for rows of another kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from diabolo.diagnosis import synthesis_report


def rows(count: int, seed: int) -> pd.DataFrame:
    """Two numbers and two categories that hang together, with holes."""
    random = np.random.default_rng(seed)
    one = random.normal(size=count)
    frame = pd.DataFrame(
        {
            "one": one,
            "other": one + 0.1 * random.normal(size=count),
            "word": np.where(one > 0, "up", "down"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta((100 * (one + 5)).round(), "D"),
        }
    )
    frame.loc[random.random(count) < 0.1, "word"] = None
    return frame


@pytest.fixture(scope="module")
def sides() -> list[pd.DataFrame]:
    return [rows(800, seed) for seed in range(3)]


def test_fresh_rows_of_the_same_kind_are_as_good_as_can_be(sides: list[pd.DataFrame]) -> None:
    report = synthesis_report(*sides, target="word")
    fresh = report.synthetic
    assert fresh.shape > 0.94
    assert fresh.trends > 0.9
    assert 0.4 < fresh.auroc < 0.6
    assert 0.4 < fresh.closer < 0.6
    assert fresh.usefulness["F1"] > 0.95
    assert fresh.usefulness["target AUROC"] > 0.95


def test_the_bounds_are_what_they_say(sides: list[pd.DataFrame]) -> None:
    report = synthesis_report(*sides, target="word")
    assert report.copied.closer == 1.0
    assert report.copied.trends > report.independent.trends + 0.1
    assert report.independent.shape > 0.94
    assert report.independent.auroc > 0.9
    assert report.independent.usefulness["F1"] < 0.7
    text = str(report)
    assert text.splitlines()[0].split() == ["shapes", "trends", "AUROC", "closer", "F1", "target", "AUROC"]
    assert [line.split("  ")[0] for line in text.splitlines()[1:]] == ["synthetic", "independent", "real copy"]


def test_holes_that_are_filled_are_seen(sides: list[pd.DataFrame]) -> None:
    filled = sides[2].fillna({"word": "up"})
    report = synthesis_report(sides[0], sides[1], filled)
    assert report.synthetic.shapes["word"] < 0.93
    assert report.synthetic.shapes["one"] > 0.9
    assert report.synthetic.usefulness == {}


def test_frames_of_any_library_and_the_same_numbers_each_time(sides: list[pd.DataFrame]) -> None:
    first, again = (synthesis_report(*sides), synthesis_report(*(pl.from_pandas(side) for side in sides)))
    assert first.synthetic == again.synthetic
    assert first.independent == again.independent


def test_other_columns_are_refused(sides: list[pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match="The columns of synthetic are"):
        synthesis_report(sides[0], sides[1], sides[2][["one", "word"]])
    with pytest.raises(ValueError, match="No column is called 'two'"):
        synthesis_report(*sides, target="two")
    with pytest.raises(ValueError, match="'one' holds numbers"):
        synthesis_report(*sides, target="one")

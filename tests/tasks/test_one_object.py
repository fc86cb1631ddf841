"""One fitted object does every job on a real table: it reduces, scores, fills holes, makes rows and explains."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

from diabolo import VAE, Generator, Imputer, explain

FOLDER = Path(os.environ.get("DIABOLO_DATA") or Path(__file__).parents[3] / "shared" / "data") / "tables"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the data sets are not there; set DIABOLO_DATA")


@pytest.fixture(scope="module")
def adult() -> pd.DataFrame:
    """1,500 people of the census, columns by number."""
    options = {"header": None, "na_values": ["?"], "skipinitialspace": True, "nrows": 1500}
    return pd.read_csv(FOLDER / "adult-train.csv.gz", **options).rename(columns=str)


@pytest.fixture(scope="module")
def model(adult: pd.DataFrame) -> VAE:
    """The one fitted object."""
    return VAE(code_size=8, epochs=15, random_state=0).fit(adult.iloc[:1200])


def test_it_reduces(model: VAE, adult: pd.DataFrame) -> None:
    assert model.transform(adult.iloc[1200:]).shape == (300, 8)
    assert model.score(adult.iloc[1200:]) > 0.4


def test_it_scores_and_says_why(model: VAE, adult: pd.DataFrame) -> None:
    usual = adult.iloc[1200:].dropna()
    strange = usual.assign(**{"0": 17, "14": ">50K"})  # children who earn much
    assert (model.score_samples(strange) < model.score_samples(usual)).mean() > 0.8
    reasons = [explain(model, strange).top(row, 3) for row in range(20)]
    assert np.mean([bool({"0", "14"} & {reason.column for reason in row}) for row in reasons]) > 0.8


def test_it_fills_holes(model: VAE, adult: pd.DataFrame) -> None:
    whole = adult.iloc[1200:].dropna()
    hidden = np.random.default_rng(0).random(whole.shape) < 0.2
    hollow = whole.mask(hidden)
    filled = Imputer(FrozenEstimator(model), random_state=0).fit(adult.iloc[:1200]).transform(hollow)
    assert filled.notna().all(axis=None)
    assert filled.where(~hidden).equals(whole.where(~hidden))
    words = [name for name in whole if not pd.api.types.is_numeric_dtype(whole[name])]
    right = np.mean([(filled[name] == whole[name])[hollow[name].isna()].mean() for name in words])
    modes = np.mean([(adult[name].mode()[0] == whole[name])[hollow[name].isna()].mean() for name in words])
    assert right > modes + 0.05


def test_it_makes_rows(model: VAE, adult: pd.DataFrame) -> None:
    made = Generator(FrozenEstimator(model), random_state=0).fit(adult.iloc[:1200]).sample(500, random_state=0)
    pd.testing.assert_series_equal(made.dtypes, adult.dtypes)
    for name in adult.columns:
        assert set(made[name].dropna()) <= set(adult[name]) or pd.api.types.is_numeric_dtype(adult[name])
    rich = (made["14"] == ">50K").mean()
    assert abs(rich - (adult["14"] == ">50K").mean()) < 0.08
    married = made["5"] == "Married-civ-spouse"
    assert (made["14"][married] == ">50K").mean() > (made["14"][~married] == ">50K").mean() + 0.1

"""Generated rows: of the user's kind, like the real ones, as asked for, and the same for the same seed."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import ks_2samp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import estimator_checks_generator

from diabolo import VAE, VQVAE, Autoencoder, Generator, WassersteinAutoencoder, load
from diabolo.diagnosis import synthesis_report
from diabolo.tasks.conditions import read_words
from diabolo.tasks.critic import train_critic
from diabolo.tasks.density import Mixture

ROWS = 300


def people() -> pd.DataFrame:
    """A frame of all kinds of column, in which the columns hang together, with holes."""
    random = np.random.default_rng(0)
    woman = random.random(ROWS) < 0.3
    height = np.where(woman, 165, 178) + random.normal(0, 6, ROWS)
    frame = pd.DataFrame(
        {
            "sex": np.where(woman, "F", "M"),
            "height": height.round(1),
            "shoe": (height / 4.2 + random.normal(0, 0.7, ROWS)).round().astype("int16"),
            "paid": random.random(ROWS) < 0.2,
            "grade": pd.Categorical.from_codes(random.integers(0, 3, ROWS), ["low", "mid", "high"], ordered=True),
            "born": pd.Timestamp("1970-01-01") + pd.to_timedelta(random.integers(0, 9000, ROWS), "D"),
            "city": pd.Categorical(random.choice(["A", "B", "C"], ROWS, p=[0.6, 0.3, 0.1])),
        }
    )
    frame.loc[random.random(ROWS) < 0.25, "city"] = None
    frame.loc[random.random(ROWS) < 0.1, "height"] = None
    return frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return people()


@pytest.fixture(scope="module")
def generator(frame: pd.DataFrame) -> Generator:
    return Generator(VAE(code_size=8, beta=0.1, epochs=60), random_state=0).fit(frame)


@pytest.fixture(scope="module")
def made(generator: Generator) -> pd.DataFrame:
    return generator.sample(2000, random_state=0)


def test_names_dtypes_categories_bounds_and_decimals_are_kept(frame: pd.DataFrame, made: pd.DataFrame) -> None:
    pd.testing.assert_series_equal(made.dtypes, frame.dtypes)
    assert len(made) == 2000
    for name in ("sex", "paid", "grade", "city"):
        assert set(made[name].dropna()) <= set(frame[name].dropna())
    for name in ("height", "shoe", "born"):
        assert made[name].min() >= frame[name].min()
        assert made[name].max() <= frame[name].max()
    assert np.allclose(made.height.dropna(), made.height.dropna().round(1))
    assert (made.born == made.born.dt.normalize()).all()


def test_columns_are_distributed_as_in_the_data(frame: pd.DataFrame, made: pd.DataFrame) -> None:
    for name in ("sex", "paid", "grade", "city"):
        real, ours = (side[name].value_counts(normalize=True, sort=False) for side in (frame, made))
        assert real.sub(ours, fill_value=0).abs().max() < 0.07, name
    for name in ("height", "shoe", "born"):
        steps = frame[name].quantile(np.linspace(0.05, 0.95, 19), interpolation="nearest")
        real, ours = (np.array([(side[name] <= step).mean() for step in steps]) for side in (frame, made))
        assert np.abs(real - ours).max() < 0.08, name


def test_columns_hang_together(made: pd.DataFrame) -> None:
    assert made[["height", "shoe"]].corr().iloc[0, 1] > 0.5
    assert made.height[made.sex == "M"].mean() - made.height[made.sex == "F"].mean() > 6


def test_cells_are_empty_as_often_as_in_the_data_or_never(frame: pd.DataFrame, generator: Generator) -> None:
    made = generator.sample(2000, random_state=1)
    assert (made.isna().mean() - frame.isna().mean()).abs().max() < 0.05
    assert made.isna().mean().gt(0).tolist() == frame.isna().mean().gt(0).tolist()
    full = clone(generator).set_params(holes=False, estimator=FrozenEstimator(generator.estimator_)).fit(frame)
    assert not full.sample(200, random_state=1).isna().any(axis=None)


def test_the_same_seed_gives_the_same_rows(generator: Generator, frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(generator.sample(50, random_state=3), generator.sample(50, random_state=3))
    assert not generator.sample(50, random_state=3).equals(generator.sample(50, random_state=4))
    short = Generator(VAE(code_size=2, epochs=2), random_state=0)
    first = short.fit(frame).sample(20, random_state=0)
    pd.testing.assert_frame_equal(clone(short).fit(frame).sample(20, random_state=0), first)


def test_conditions_hold_in_every_row(generator: Generator) -> None:
    asked = {"sex": "F", "height": (160, 170), "city": ["A", "C"], "born": ("1980-01-01", None)}
    made = generator.sample(60, given=asked, random_state=0)
    assert len(made) == 60
    assert set(made.sex) == {"F"}
    assert made.height.between(160, 170).all()
    assert set(made.city) <= {"A", "C"}
    assert made.born.min() >= pd.Timestamp("1980-01-01")
    assert set(generator.sample(30, given={"grade": ("mid", "high")}, random_state=0).grade) == {"mid", "high"}
    assert set(generator.sample(10, given={"shoe": 41}, random_state=0).shoe) == {41}
    assert generator.sample(10, given={"paid": True}, random_state=0).paid.all()


def test_what_is_given_changes_the_rest_as_in_the_data(generator: Generator, frame: pd.DataFrame) -> None:
    ours = [generator.sample(300, given={"sex": sex}, random_state=0).height.mean() for sex in "FM"]
    real = [frame.height[frame.sex == sex].mean() for sex in "FM"]
    assert np.abs(np.array(ours) - real).max() < 3


def test_balanced_columns_have_equal_shares(generator: Generator) -> None:
    assert generator.sample(301, balanced="city", random_state=0).city.value_counts().tolist() == [101, 100, 100]
    both = generator.sample(40, given={"paid": True}, balanced="sex", random_state=0)
    assert both.sex.value_counts().tolist() == [20, 20]
    assert both.paid.all()
    assert both.sex.iloc[:20].nunique() == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"given": {"age": 3}}, "No column is called 'age'; there are 'sex', "),
        ({"given": {"sex": "X"}}, "'sex' never holds 'X'; it holds 'F', 'M'|'sex' never holds 'X'; it holds 'M', 'F'"),
        ({"given": {"height": (10, 20)}}, "'height' never lies between 10 and 20"),
        ({"given": {"height": (180, 170)}}, "'height' never lies between 180 and 170"),
        ({"given": {"height": "tall"}}, "'height' came as 'tall'; it takes a number"),
        ({"given": {"height": (1, 2, 3)}}, "a range is"),
        ({"given": {"grade": ("low", "best")}}, "'grade' never holds 'best'"),
        ({"given": {"shoe": (50, 60)}}, "'shoe' never lies between 50 and 60"),
        ({"given": {"born": "soon"}}, "'born' came as 'soon'; it takes a date"),
        ({"balanced": "height"}, "'height' is continuous, which has no categories"),
        ({"balanced": "sex", "given": {"sex": "F"}}, "cannot be both given and balanced"),
        ({"n_samples": 0}, "n_samples came as 0"),
    ],
)
def test_what_cannot_be_is_refused(generator: Generator, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        generator.sample(**({"n_samples": 3} | asked))


def test_conditions_that_no_row_fulfils_end_with_a_count(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diabolo.tasks.generator.FEWEST_TRIES", 50_000)
    tall = {"height": (generator.sample(500, random_state=0).height.max(), None), "sex": "F", "shoe": (0, 37)}
    with pytest.raises(ValueError, match=r"of 50,000 drawn rows fulfil"):
        generator.sample(10, given=tall, random_state=0)


def test_rows_under_a_condition_are_those_of_all_rows_that_fulfil_it(generator: Generator) -> None:
    """Rows that are refused early, by their own columns alone, are the ones that plain rejection refuses."""
    asked = {"city": "C", "paid": True, "height": (170, None)}
    ours = generator.sample(600, given=asked, random_state=0)
    many = generator.sample(60_000, random_state=1)
    plain = many[(many.city == "C") & many.paid & (many.height >= 170)]
    assert 0.003 < len(plain) / len(many) < 0.03
    for name in ("height", "shoe", "born"):
        values = [side[name].astype("float64" if name != "born" else "int64").to_numpy() for side in (ours, plain)]
        assert ks_2samp(*values).pvalue > 0.001, name
    for name in ("sex", "grade"):
        one, other = (side[name].value_counts(normalize=True, sort=False) for side in (ours, plain))
        assert one.sub(other, fill_value=0).abs().max() < 0.1, name
    assert not ours[["city", "paid", "height"]].isna().any(axis=None)


def test_a_condition_of_one_row_in_a_hundred_is_cheap(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diabolo.tasks.generator.REFERENCE_ROWS", 1000)  # of no matter here, and most of the fit
    adult = pd.read_csv(data_folder / "tables" / "adult-train.csv.gz", header=None, skipinitialspace=True, nrows=2000)
    adult = adult.rename(columns=str)
    share = (adult["8"] == "Amer-Indian-Eskimo").mean()
    assert 0.005 < share < 0.02
    generator = Generator(VAE(code_size=8, beta=0.1, epochs=5), refine=False, random_state=0).fit(adult)
    lots = []
    completed = generator._completed
    generator._completed = lambda cells, random: lots.append(len(cells)) or completed(cells, random)  # type: ignore[method-assign,func-returns-value]
    made = generator.sample(200, given={"8": "Amer-Indian-Eskimo"}, random_state=0)
    assert set(made["8"]) == {"Amer-Indian-Eskimo"}
    assert sum(lots) < 1000  # rows made whole: not the 20,000 or so that were drawn


def test_generated_rows_beat_independent_columns(data_folder: Path) -> None:
    frame = pd.read_csv(data_folder / "tables" / "titanic.csv").sample(frac=1, random_state=0)
    train, holdout = frame[:600], frame[600:]
    generator = Generator(VAE(code_size=16, beta=0.1, epochs=60), random_state=0).fit(train)
    made = generator.sample(600, random_state=0)
    report = synthesis_report(train, holdout, made, target="sex")
    assert report.synthetic.auroc < report.independent.auroc - 0.1
    assert report.synthetic.trends > report.independent.trends
    assert report.synthetic.shape > 0.85
    assert report.synthetic.usefulness["F1"] > report.independent.usefulness["F1"] + 0.2
    assert report.synthetic.closer < report.copied.closer - 0.2


def test_polars_frames_come_back_as_such(frame: pd.DataFrame) -> None:
    table = pl.from_pandas(frame[["sex", "height", "shoe", "paid"]])
    made = Generator(VAE(code_size=2, epochs=3), random_state=0).fit(table).sample(20, random_state=0)
    assert made.schema == table.schema
    assert len(made) == 20


def test_any_autoencoder_whose_codes_are_numbers_can_be_sampled(pictures: np.ndarray, table: np.ndarray) -> None:
    for model in (Autoencoder(code_size=4, epochs=3), WassersteinAutoencoder(code_size=4, epochs=3)):
        made = Generator(model, random_state=0).fit(pictures).sample(5, random_state=0)
        assert made.shape == (5, 8, 8)
        assert made.dtype == np.uint8
    made = Generator(Autoencoder(code_size=3, epochs=20), random_state=0).fit(table).sample(1000, random_state=0)
    assert np.abs(np.quantile(made, [0.1, 0.5, 0.9], axis=0) - np.quantile(table, [0.1, 0.5, 0.9], axis=0)).max() < 0.8
    assert np.abs(np.corrcoef(made.T) - np.corrcoef(table.T)).max() < 0.3
    with pytest.raises(ValueError, match="codes of VQVAE are symbols"):
        Generator(VQVAE(epochs=1), random_state=0).fit(pictures[:200])
    with pytest.raises(ValueError, match="need columns with names"):
        Generator(VAE(code_size=2, epochs=1)).fit(table).sample(3, given={"a": 1})
    with pytest.raises(TypeError, match="give an autoencoder"):
        Generator(3).fit(table)


def test_fit_leaves_the_parameters_alone(frame: pd.DataFrame) -> None:
    inner = VAE(code_size=2, epochs=1)
    before = repr(inner)
    generator = Generator(inner, density=Mixture(2)).fit(frame)
    assert generator.estimator is inner
    assert repr(inner) == before
    assert not hasattr(inner, "network_")
    assert not hasattr(generator.density, "means")
    assert len(generator.density_.means) == 2  # type: ignore[attr-defined]
    assert generator.get_params()["estimator__code_size"] == 2
    frozen = FrozenEstimator(generator.estimator_)
    assert Generator(frozen).fit(frame).estimator_ is generator.estimator_
    with pytest.raises(NotFittedError):
        Generator().sample(3)


@pytest.mark.parametrize("kind", ["given", "frozen", "pictures"])
def test_a_file_gives_back_the_same_rows(
    kind: str, generator: Generator, frame: pd.DataFrame, pictures: np.ndarray, tmp_path: Path
) -> None:
    if kind == "frozen":
        generator = Generator(FrozenEstimator(generator.estimator_), refine=False, random_state=1).fit(frame)
    if kind == "pictures":
        generator = Generator(VAE(code_size=2, epochs=1), random_state=0).fit(pictures)
    generator.save(tmp_path / "one.safetensors")
    again = load(tmp_path / "one.safetensors")
    assert type(again) is Generator
    assert again.get_params(deep=False).keys() == generator.get_params(deep=False).keys()
    ours, theirs = (each.sample(200, random_state=5) for each in (generator, again))
    assert ours.equals(theirs) if kind != "pictures" else np.array_equal(ours, theirs)
    again.save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    assert isinstance(load(tmp_path / "one.safetensors", encoder_only=True), VAE)


def test_a_mixture_finds_the_groups_and_draws_like_them() -> None:
    random = np.random.default_rng(0)
    codes = np.concatenate([random.normal(at, 0.3, (150, 3)) for at in (-4, 0, 4)])
    mixture = Mixture().fit(codes, np.zeros_like(codes), seed=0)
    assert len(mixture.shares) >= 3
    drawn = mixture.draw(3000, random)
    assert np.abs(drawn.mean(0) - codes.mean(0)).max() < 0.3
    assert np.abs(drawn.std(0) / codes.std(0) - 1).max() < 0.1
    near = np.abs(drawn[:, 0, None] - [-4, 0, 4]).min(1)
    assert (near < 1.5).mean() > 0.99


def test_a_critic_brings_a_wrong_density_nearer() -> None:
    random = np.random.default_rng(0)
    real, made = random.normal(0.5, 1, (2000, 2)), random.normal(0, 1, (2000, 2))
    critic = train_critic(real, made, seed=0)
    assert critic is not None
    fresh = random.normal(0, 1, (20000, 2))
    kept = fresh[critic.keeps(fresh, random)]
    assert len(kept) > 2000
    assert np.abs(kept.mean(0) - 0.5).max() < 0.15
    same = train_critic(real[:1000], real[1000:], seed=0)
    assert same is None or np.std(np.log(same.ratios(fresh))) < 0.3


def test_conditions_as_the_command_line_spells_them(generator: Generator) -> None:
    table: Any = generator.estimator_.modality_
    words = {"sex": "F", "height": "160..170", "city": "A|B", "paid": "True", "born": "1980-01-01..", "shoe": "41"}
    assert read_words(words, table) == {
        "sex": "F",
        "height": (160.0, 170.0),
        "city": ["A", "B"],
        "paid": True,
        "born": ("1980-01-01", None),
        "shoe": 41.0,
    }
    made = generator.sample(5, given=read_words(words, table), random_state=0)
    assert (made.shoe == 41).all()
    assert made.born.min() >= datetime.datetime(1980, 1, 1)


def checks() -> list[Any]:
    generator = Generator(VAE(code_size=2, epochs=1), density=Mixture(1), random_state=0)
    return [
        pytest.param(estimator, check, id=getattr(check, "func", check).__name__)
        for estimator, check in estimator_checks_generator(generator)
        # this one only checks other array libraries, when an environment variable asks for them
        if getattr(check, "func", check).__name__ != "check_array_api_input"
    ]


@pytest.mark.parametrize(("estimator", "check"), checks())
@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn(estimator: Generator, check: Any) -> None:
    check(estimator)

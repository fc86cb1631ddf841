"""Laws of explanations and loadings: the right cell is blamed, in nats that add up, and linear codes are PCA's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click.testing
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import PCA

import diabolo
from diabolo import (
    VAE,
    VQVAE,
    AbsoluteError,
    Autoencoder,
    BernoulliLikelihood,
    ConvAutoencoder,
    DataError,
    GaussianLikelihood,
    HeteroscedasticGaussian,
    HuberLoss,
    LaplaceLikelihood,
    LinearAutoencoder,
    MaskedAutoencoder,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
    SequenceAutoencoder,
    SparseAutoencoder,
    SquaredError,
    StudentTLikelihood,
    ZeroInflatedNegativeBinomial,
)
from diabolo.cli import group
from diabolo.core.codes import Code
from diabolo.core.kinds import Loss
from diabolo.core.roundtrip import RoundTrip, View
from diabolo.diagnosis import explain, loadings, loadings_stability
from diabolo.diagnosis.explanation import cell_surprise

TABLES = Path("/work/shared/data/tables")
needs_tables = pytest.mark.skipif(not TABLES.is_dir(), reason="the shared tables are not here")


def planted(frame: pd.DataFrame, how_many: int, far: float, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows with one cell each from another row: a number that differs by so many deviations, or another category."""
    draw = np.random.default_rng(seed)
    strange = frame.copy()
    rows, places = draw.choice(len(frame), how_many, replace=False), draw.integers(0, frame.shape[1], how_many)
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        column = frame.iloc[:, place]
        if column.dtype.kind == "f":
            other = (column - column.iloc[row]).abs() > far * column.std(ddof=0)
        else:
            other = column != column.iloc[row]
        strange.iat[row, place] = draw.choice(column[other].to_numpy())
    return strange.iloc[rows], places


def blamed_first(model: Any, strange: pd.DataFrame, places: np.ndarray) -> float:
    """The share of the rows whose planted cell is the most surprising one."""
    return float((explain(model, strange).ranked(1)[:, 0] == places).mean())


# Who is blamed


def test_planted_numbers_are_blamed_first_in_most_rows() -> None:
    frame = load_breast_cancer(as_frame=True).data
    strange, places = planted(frame, 200, far=2.5)
    trained = blamed_first(VAE(code_size=4, epochs=60, random_state=0).fit(frame), strange, places)
    untrained = Autoencoder(code_size=4, epochs=1, learning_rate=1e-9, random_state=0).fit(frame)
    assert trained >= 0.85  # 0.91 measured; 30 columns, every planted value an ordinary one of its column
    assert trained >= blamed_first(untrained, strange, places) + 0.15


@needs_tables
def test_planted_numbers_and_categories_are_blamed_first_in_most_rows() -> None:
    frame = pd.read_csv(TABLES / "penguins.csv").drop(columns="year").dropna().reset_index(drop=True)
    frame = frame.astype({name: float for name in frame if frame[name].dtype.kind == "i"})
    strange, places = planted(frame, 200, far=1.5)
    trained = blamed_first(VAE(code_size=4, epochs=60, random_state=0).fit(frame), strange, places)
    untrained = Autoencoder(code_size=4, epochs=1, learning_rate=1e-9, random_state=0).fit(frame)
    assert trained >= 0.6  # 0.72 measured, 7 columns
    assert trained >= blamed_first(untrained, strange, places) + 0.2


def test_a_reference_gives_each_column_an_error_of_its_own() -> None:
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=500)
    X = np.stack([hidden, hidden + 0.05 * draw.normal(size=500), hidden, draw.normal(size=500)], axis=1)
    model = LinearAutoencoder(code_size=1, scaling="standard").fit(X)
    strange = X[:50].copy()
    strange[:, 1] = strange[:, 0] + 0.8  # far for a column that follows, and less than the last one always strays
    follows = [float((explain(model, strange, reference=given).ranked(1) == 1).mean()) for given in (None, X)]
    assert follows[1] >= 0.9
    assert follows[0] <= 0.6


# What a surprise is

LOSSES: dict[str, Loss] = {
    "gaussian": GaussianLikelihood(),
    "gaussian by cell": GaussianLikelihood(variance="cell"),
    "gaussian in bounds": GaussianLikelihood(link="sigmoid"),
    "predicted variance": HeteroscedasticGaussian(),
    "squared": SquaredError(),
    "absolute": AbsoluteError(),
    "huber": HuberLoss(),
    "laplace": LaplaceLikelihood(),
    "student": StudentTLikelihood(scale="cell"),
    "bernoulli": BernoulliLikelihood(),
    "poisson": PoissonLikelihood(),
    "negative binomial": NegativeBinomialLikelihood(),
    "zero inflated": ZeroInflatedNegativeBinomial(),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_surprise_is_what_the_loss_asks_above_what_was_expected(name: str) -> None:
    loss = LOSSES[name].clone().build((5,))
    torch.manual_seed(0)
    counted = loss.needs_counts
    target = torch.poisson(torch.full((40, 5), 2.0)) if counted else torch.rand(40, 5)
    if not counted:
        target[:10] = target[:10].round()
    output = torch.randn(40, *loss.output_shape((5,)))
    trip = RoundTrip(target, None, View(target), target, Code(target), output)
    loss.train()
    loss(trip)  # so that what it remembers is more than its start
    loss.eval()
    told = cell_surprise(loss, trip)
    for cell in range(5):
        alone = torch.zeros(40, 5, dtype=torch.bool)
        alone[:, cell] = True
        as_expected = replace(trip, target=loss.mean(output), known=alone)
        above = loss(replace(trip, known=alone)) - loss(as_expected)
        torch.testing.assert_close(told[:, cell], above.clamp_min(0), rtol=1e-4, atol=2e-5)


def mixed(rows: int = 80) -> pd.DataFrame:
    """A table of all kinds with holes."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "length": draw.normal(size=rows).round(2),
            "age": draw.integers(0, 90, rows),
            "color": draw.choice(["red", "green", "blue"], rows),
            "paid": draw.random(rows) < 0.5,
            "grade": draw.integers(1, 5, rows),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 300, rows), "D"),
        }
    )
    for name in ("length", "color", "day"):
        frame.loc[draw.choice(rows, 10, replace=False), name] = None
    return frame


def test_a_mixed_table_is_told_in_the_users_values() -> None:
    frame = mixed()
    model = Autoencoder(code_size=3, epochs=5, random_state=0).fit(frame)
    told = explain(model, frame)
    assert told.columns == tuple(frame)
    for place, name in enumerate(frame):
        known = frame[name].notna().to_numpy()
        assert [cell is None for cell in told.observed[:, place]] == (~known).tolist()
        assert (told.surprise[~known, place] == 0).all()
        seen = frame[name][known].dt.date if name == "day" else frame[name][known]
        assert told.observed[known, place].tolist() == seen.tolist()
        assert all(cell is not None for cell in told.expected[~known, place])
    back = model.reconstruct(frame)
    here = np.array([cell is not None for cell in told.expected[:, 2]])
    assert told.expected[here, 2].tolist() == back["color"][here].tolist()
    assert told.expected[:, 1].tolist() == back["age"].tolist()
    chances, there = np.isfinite(told.probability), told.expected != np.array(None)
    assert chances.all(0).tolist() == [False, False, True, True, True, False]
    assert not (chances & there)[:, [0, 1, 5]].any()
    assert ((told.probability[chances] > 0) & (told.probability[chances] <= 1)).all()
    strange = told.total > 0
    assert np.allclose(told.share.sum(1), strange)
    loss, (trip,) = model.objective_.loss, model.round_trips(frame)
    cells = loss.surprise(trip).double().numpy()
    other = told.observed[:, 1] != told.expected[:, 1]
    assert told.surprise[other, 1] == pytest.approx(
        cells[other, 2]
    )  # length takes two cells: its value, and whether it lacks


def test_what_was_never_seen_is_told_as_it_is() -> None:
    frame = mixed().dropna(ignore_index=True)
    model = Autoencoder(code_size=3, epochs=20, random_state=0).fit(frame)
    strange = frame.iloc[:1].assign(color="violet", length=99.0)
    told = explain(model, strange)
    assert told.observed[0, :3].tolist() == [99.0, int(frame["age"][0]), "violet"]
    assert told.expected[0, 2] in ("red", "green", "blue")
    first = told.top(0, 1)[0]
    assert (first.column, first.observed) == ("length", 99.0)
    assert told.top(0, 99)[-1].surprise > 0


def test_a_value_where_none_is_usual_is_the_surprise() -> None:
    draw = np.random.default_rng(0)
    ill = draw.random(400) < 0.3
    frame = pd.DataFrame(
        {
            "state": np.where(ill, "ill", "well"),
            "dose": np.where(ill, draw.normal(5, 1, 400).round(1), np.nan),
            "fever": np.where(ill, draw.normal(39, 0.2, 400), draw.normal(36.6, 0.2, 400)).round(1),
        }
    )
    model = VAE(code_size=1, epochs=60, random_state=0).fit(frame)
    strange = pd.DataFrame({"state": ["well"], "dose": [5.0], "fever": [36.6]})
    first = explain(model, strange).top(0, 1)[0]
    assert (first.column, first.observed, first.expected) == ("dose", 5.0, None)
    assert first.probability > 0.5
    assert explain(model, strange.assign(dose=np.nan)).surprise[0, 1] == 0


def test_many_categories_and_their_probability() -> None:
    frame = pd.DataFrame({"code": [f"c{n % 400}" for n in range(800)], "half": [n % 2 for n in range(800)]})
    told = explain(Autoencoder(code_size=3, epochs=2, random_state=0).fit(frame), frame[:5])
    assert ((told.probability[:, 0] > 0) & (told.probability[:, 0] < 1)).all()


def test_a_frame_has_one_line_for_each_cell() -> None:
    frame = mixed()
    told = explain(Autoencoder(code_size=2, epochs=1, random_state=0).fit(frame), frame)
    lines = told.frame()
    assert isinstance(lines, pd.DataFrame)
    assert lines.shape == (frame.size, 7)
    assert lines["share"].sum() == pytest.approx((told.total > 0).sum())
    assert lines.loc[(lines["row"] == 3) & (lines["column"] == "grade"), "observed"].item() == str(frame["grade"][3])
    ours = pl.DataFrame(load_iris().data, schema=["a", "b", "c", "d"])
    lines = explain(LinearAutoencoder(code_size=1).fit(ours), ours).frame()
    assert isinstance(lines, pl.DataFrame)
    assert lines["observed"].to_numpy() == pytest.approx(ours.to_numpy().ravel())
    assert isinstance(explain(LinearAutoencoder(code_size=1).fit(ours.to_numpy()), ours.to_numpy()).frame(), dict)


@pytest.mark.parametrize("kind", ["array", "pictures", "sequences", "holes"])
def test_every_kind_of_data_is_explained(kind: str) -> None:
    X: Any = load_digits().data[:200]
    if kind == "pictures":
        X = X.reshape(-1, 8, 8)
    if kind == "sequences":
        X = [row[: 3 + at % 5] for at, row in enumerate(X[:60])]
    if kind == "holes":
        X = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    estimator: Any = SequenceAutoencoder if kind == "sequences" else Autoencoder
    told = explain(estimator(code_size=4, epochs=2, random_state=0).fit(X), X)
    assert told.surprise.shape == told.observed.shape == told.expected.shape == (len(X), len(told.columns))
    assert np.isfinite(told.surprise).all()
    assert (told.surprise >= 0).all()
    assert (told.surprise[np.isnan(told.observed)] == 0).all()
    if kind in ("array", "pictures"):
        assert np.array_equal(told.observed, np.reshape(X, (len(X), -1)))
        unit = 16.0  # digits reach from 0 to 16
        errors = np.square(told.expected - told.observed) / unit**2
        assert told.surprise / errors.clip(1e-12) == pytest.approx(np.median(told.surprise / errors), rel=1e-2)


@pytest.mark.parametrize(
    ("zone", "library"),
    [
        *((zone, library) for zone in ("Europe/Paris", "UTC") for library in ("pandas", "polars", "pyarrow")),
        *(("+02:00", library) for library in ("pandas", "pyarrow")),  # polars knows zones by name only
    ],
)
def test_times_are_told_in_their_own_zone(zone: str, library: str) -> None:
    hours = pd.date_range("2024-03-30", periods=40, freq="7h", tz=zone).astype(f"datetime64[us, {zone}]")
    frame: Any = pd.DataFrame({"when": hours, "color": ["red", "blue"] * 20})
    if library != "pandas":
        table = pa.Table.from_pandas(frame)
        frame = table if library == "pyarrow" else pl.from_arrow(table)
    told = explain(Autoencoder(code_size=1, epochs=1, random_state=0).fit(frame), frame)
    assert told.observed[:, 0].tolist() == hours.to_pydatetime().tolist()
    assert [str(cell) for cell in told.observed[:, 0]] == [str(cell) for cell in hours.to_pydatetime()]
    assert all(cell.tzinfo is not None for cell in told.expected[:, 0])
    assert told.observed[9, 0].hour == hours[9].hour


def test_rows_are_explained_alone_as_among_others() -> None:
    frame = mixed()
    model = Autoencoder(code_size=3, epochs=3, random_state=0).fit(frame)
    whole, alone = explain(model, frame), explain(model, frame[7:8])
    assert alone.surprise[0] == pytest.approx(whole.surprise[7], rel=1e-4, abs=1e-5)


def test_other_columns_and_needless_references_are_refused() -> None:
    frame = mixed()
    model = Autoencoder(code_size=2, epochs=1, random_state=0).fit(frame)
    with pytest.raises(DataError, match="missing: color"):
        explain(model, frame.drop(columns="color"))
    with pytest.raises(ValueError, match="leave reference out"):
        explain(model, frame, reference=frame)


# Loadings


def test_loadings_of_a_linear_autoencoder_are_those_of_pca() -> None:
    X = load_breast_cancer().data
    X = (X - X.mean(0)) / X.std(0)
    told = loadings(LinearAutoencoder(code_size=3, scaling="standard").fit(X), X)
    pca = PCA(3).fit(X)
    spread = np.sqrt(pca.transform(X).var(0))[:, None]
    sign = np.sign((told.loadings * pca.components_).sum(1))[:, None]
    assert told.loadings * sign == pytest.approx(pca.components_ * spread, abs=1e-5)
    assert told.coefficients * sign == pytest.approx(pca.components_ / spread, abs=1e-5)
    assert told.loading_sizes == pytest.approx(np.abs(told.loadings), abs=1e-5)
    correlation = np.corrcoef(X.T, pca.transform(X).T)[:30, 30:].T
    assert told.loadings * sign == pytest.approx(correlation, abs=1e-5)


def test_units_of_the_data_do_not_matter() -> None:
    X = load_iris().data
    model = LinearAutoencoder(code_size=2, scaling="standard")
    one, other = loadings(model.fit(X), X), loadings(model.fit(X * [1, 100, 1e-3, 7] + 5), X * [1, 100, 1e-3, 7] + 5)
    assert np.abs(other.loadings) == pytest.approx(np.abs(one.loadings), abs=1e-4)


def test_derivatives_are_those_of_small_steps() -> None:
    X = load_iris().data
    model = Autoencoder(code_size=2, epochs=20, random_state=0).fit(X)
    told, step = loadings(model, X), 1e-2
    spread, deviation = model.transform(X).astype(float).std(0), X.std(0)
    for column in range(4):
        up, down = X.copy(), X.copy()
        up[:, column] += step * deviation[column]
        down[:, column] -= step * deviation[column]
        moved = (model.transform(up).astype(float) - model.transform(down)).mean(0) / (2 * step)
        assert told.coefficients[:, column] == pytest.approx(moved / spread, abs=5e-3)
    codes = model.transform(X)
    for number in range(2):
        away = np.zeros(2, dtype=np.float32)
        away[number] = step * spread[number]
        moved = (model.inverse_transform(codes + away) - model.inverse_transform(codes - away)).mean(0) / (2 * step)
        assert told.loadings[number] == pytest.approx(moved / deviation, abs=5e-3)


def test_a_sign_that_turns_is_seen_by_the_sizes() -> None:
    t = np.random.default_rng(0).uniform(-1, 1, 400)
    model = Autoencoder(code_size=1, epochs=80, random_state=0).fit(np.stack([t, t**2], axis=1))
    told = loadings(model, np.stack([t, t**2], axis=1))
    line, bow = told.loading_sizes[0] / np.abs(told.loadings[0])
    assert line >= 1
    assert bow > 1.15 * line  # along the curve the first column only rises, the second falls and rises


def test_columns_of_several_cells_have_a_length_and_those_of_one_a_sign() -> None:
    draw = np.random.default_rng(0)
    height = draw.normal(size=300)
    frame = pd.DataFrame(
        {"up": height, "down": -height, "size": np.where(height > 0, "tall", "small"), "noise": draw.normal(size=300)}
    )
    frame.loc[::9, "up"] = np.nan
    told = loadings(VAE(code_size=1, epochs=40, random_state=0).fit(frame), frame)
    assert told.columns == ("up", "down", "size", "noise")
    up, down, size, noise = told.loadings[0]
    assert up * down < 0
    assert size > 0
    assert min(abs(up), abs(down), size) > 3 * abs(noise)


@pytest.mark.parametrize(
    "model",
    [
        VAE(code_size=3, epochs=1, random_state=0),
        SparseAutoencoder(active=4, epochs=1, random_state=0),
        MaskedAutoencoder(code_size=4, epochs=1, random_state=0),
        Autoencoder(code_size=3, architecture="transformer", epochs=1, random_state=0),
        SequenceAutoencoder(code_size=3, epochs=1, random_state=0),
        ConvAutoencoder(code_size=3, epochs=1, random_state=0),
    ],
    ids=lambda model: f"{type(model).__name__} {model.architecture}",
)
def test_every_architecture_has_loadings(model: Any) -> None:
    X: Any = load_digits().images[:70]
    if isinstance(model, SequenceAutoencoder):
        X = [row[: 4 + at % 5] for at, row in enumerate(X)]
    told = loadings(model.fit(X), X)
    codes = model.transform(X).shape[1]
    assert told.loadings.shape == told.coefficients.shape == (codes, 64)
    assert np.isfinite(told.loadings).all()
    assert np.isfinite(told.coefficients).all()
    assert (told.loading_sizes + 1e-9 >= np.abs(told.loadings)).all()
    assert told.loading_sizes.max() > 0


def test_symbols_have_no_loadings() -> None:
    X = load_digits().data[:100]
    with pytest.raises(ValueError, match="made of symbols and has no derivative"):
        loadings(VQVAE(code_size=4, words=8, epochs=1, random_state=0).fit(X), X)


def test_components_are_found_again_and_accidents_are_not() -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(300, 6)) * [5, 4, 3, 2, 1, 0.5]
    exact = loadings_stability(LinearAutoencoder(code_size=3), X, seeds=(0, 1))
    assert exact.agreement == pytest.approx(1, abs=1e-6)
    assert exact.partners.tolist() == [[0, 1, 2]]
    alike = draw.normal(size=(300, 6))  # no direction is better than another
    before = Autoencoder(code_size=3, epochs=10)
    loose = loadings_stability(before, alike, seeds=(0, 1, 2))
    assert loose.partners.shape == (2, 3)
    assert all(sorted(partners) == [0, 1, 2] for partners in loose.partners.tolist())
    assert loose.mean < 0.9
    assert not hasattr(before, "network_")
    with pytest.raises(ValueError, match="at least two, all different"):
        loadings_stability(before, alike, seeds=(3, 3))


# The command


def run(*words: object) -> click.testing.Result:
    """Run a command in this process."""
    return click.testing.CliRunner().invoke(group, [str(word) for word in words], prog_name="diabolo")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model of a mixed table, and the table as a file."""
    folder = tmp_path_factory.mktemp("explain")
    mixed().to_csv(folder / "people.csv", index=False)
    made = run("fit", folder / "people.csv", "-o", folder / "m.safetensors", "--seed", 0, "--epochs", 3)
    assert made.exit_code == 0, made.stderr
    return folder / "m.safetensors", folder / "people.csv"


def test_explain_writes_what_python_tells(files: tuple[Path, Path], tmp_path: Path) -> None:
    model, table = files
    result = run("explain", model, table, "-o", tmp_path / "why.csv", "--top", 2, "--json")
    assert result.exit_code == 0, result.stderr
    lines = pd.read_csv(tmp_path / "why.csv", keep_default_na=False)
    fields = [f"{name}_{place}" for place in (1, 2) for name in ("column", "observed", "expected", "share")]
    assert list(lines) == ["log_likelihood", "surprise", *fields]
    loaded = diabolo.load(model)
    told = diabolo.explain(loaded, table)
    assert lines["surprise"].to_numpy() == pytest.approx(told.total)
    assert lines["log_likelihood"].to_numpy() == pytest.approx(loaded.score_samples(table))
    for row in range(len(lines)):
        for place, reason in enumerate(told.top(row, 2), start=1):
            assert lines[f"column_{place}"][row] == reason.column
            assert lines[f"share_{place}"][row] == pytest.approx(reason.share)
            if reason.column == "color":
                assert lines[f"observed_{place}"][row] == reason.observed
    first = json.loads(result.stdout)["first"]
    assert sum(first.values()) == (told.total > 0).sum()
    assert list(first.values()) == sorted(first.values(), reverse=True)


def test_explain_keeps_to_the_exit_codes(files: tuple[Path, Path], tmp_path: Path) -> None:
    model, table = files
    assert run("explain", model, table, "--top", 0).exit_code == 2
    assert run("explain", model, table, "--json").exit_code == 2
    assert run("explain", tmp_path / "none.safetensors", table).exit_code == 4
    (tmp_path / "other.csv").write_text("a,b\n1,x\n")
    assert run("explain", model, tmp_path / "other.csv").exit_code == 3
    planned = run("explain", model, table, "-o", tmp_path / "w.csv", "--dry-run", "--json")
    assert planned.exit_code == 0
    assert json.loads(planned.stdout)["dry_run"] is True
    assert not (tmp_path / "w.csv").exists()
    assert run("explain", model, table, "-o", tmp_path / "w.csv").exit_code == 0
    assert run("explain", model, table, "-o", tmp_path / "w.csv").exit_code == 2
    assert run("explain", model, table, "-o", tmp_path / "w.csv", "--force").exit_code == 0


def test_stretches_do_not_change_what_is_written(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model, table = files
    whole = run("explain", model, table).stdout
    assert whole.count("\n") == 81
    monkeypatch.setattr("diabolo.data.scaling.BLOCK_CELLS", 6 * 16)
    parts = run("explain", model, table).stdout
    one, other = (pd.read_csv(pd.io.common.StringIO(text)) for text in (whole, parts))
    assert other["surprise"].to_numpy() == pytest.approx(one["surprise"].to_numpy(), rel=1e-4, abs=1e-5)
    assert other["column_1"].equals(one["column_1"])


def test_what_came_as_expected_surprises_nobody() -> None:
    random = np.random.default_rng(0)
    gain = np.where(random.random(400) < 0.9, 0, random.choice([500, 2415, 99999], 400))  # by quantiles: plateaus
    frame = pd.DataFrame({"gain": gain, "kind": np.where(gain > 0, "rich", "poor")})
    told = explain(VAE(code_size=2, epochs=20, random_state=0).fit(frame), frame)
    same = told.observed[:, 0] == told.expected[:, 0]
    assert same.mean() > 0.5
    assert (told.surprise[same, 0] == 0).all()

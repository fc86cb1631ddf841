"""``diabolo sample`` and ``diabolo fit --generator``."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import diabolo
from diabolo.cli.watching import Lines
from diabolo.estimators.storage import Task
from diabolo.tasks.generator import STANDARD

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def generator_file(table_file: Path, tmp_path_factory: pytest.TempPathFactory, call: Call) -> Path:
    path = tmp_path_factory.mktemp("generators") / "people.safetensors"
    result = call("fit", table_file, "-o", path, "--generator", "--epochs", 5, "--seed", 0)
    assert result.exit_code == 0, result.stderr
    return path


def test_a_generator_is_fitted_and_sampled(generator_file: Path, table_file: Path, tmp_path: Path, call: Call) -> None:
    generator = diabolo.load(generator_file)
    assert isinstance(generator, diabolo.Generator)
    assert generator.estimator_.code_size == STANDARD["code_size"]
    assert generator.estimator_.column_types == "infer"
    out = tmp_path / "made.csv"
    told = json.loads(call("sample", generator_file, "-n", 40, "-o", out, "--seed", 3, "--json").stdout)
    assert (told["rows"], told["seed"], told["schema"]) == (40, 3, 1)
    made, real = pd.read_csv(out), pd.read_csv(table_file)
    assert list(made.columns) == list(real.columns)
    assert made.age.dtype == real.age.dtype
    assert set(made.kind) <= set(real.kind)
    columns, holes = generator.sample_columns(40, random_state=3)
    assert made.age.tolist() == columns["age"].tolist()
    assert np.array_equal(made.height.isna(), holes["height"])
    assert np.allclose(made.height[~holes["height"]], columns["height"][~holes["height"]])
    first, again = (call("sample", generator_file, "-n", 5, "--seed", 3).stdout for _ in range(2))
    assert first == again


def test_conditions_and_balance(generator_file: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "made.csv"
    assert call("sample", generator_file, "-n", 20, "-o", out, "--given", "kind=b,age=35..45").exit_code == 0
    made = pd.read_csv(out)
    assert set(made.kind) == {"b"}
    assert made.age.between(35, 45).all()
    assert call("sample", generator_file, "-n", 20, "-o", out, "--balanced", "kind", "--force").exit_code == 0
    assert pd.read_csv(out).kind.value_counts().tolist() == [10, 10]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--given", "kind"], "cannot be read"),
        (["--given", "kind=z"], "'kind' never holds 'z'"),
        (["--given", "size=3"], "No column is called 'size'"),
        (["-n", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(generator_file: Path, call: Call, words: list[str], said: str) -> None:
    result = call("sample", generator_file, *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_models_with_a_prior_are_sampled_and_others_say_what_to_do(
    picture_model: Path, table_model: Path, tmp_path: Path, call: Call
) -> None:
    out = tmp_path / "made.npy"
    assert call("sample", picture_model, "-n", 3, "-o", out, "--seed", 0).exit_code == 0
    assert np.array_equal(np.load(out), diabolo.load(picture_model).sample(3, random_state=0))
    assert "--given and --balanced are for a generator" in call("sample", picture_model, "--balanced", "x").stderr
    refused = call("sample", table_model)
    assert refused.exit_code == 2
    assert "diabolo fit DATA --generator" in refused.stderr


def test_other_commands_take_the_autoencoder_out_of_a_generator(
    generator_file: Path, table_file: Path, tmp_path: Path, call: Call
) -> None:
    assert call("encode", generator_file, table_file, "-o", tmp_path / "codes.npy").exit_code == 0
    assert np.load(tmp_path / "codes.npy").shape == (60, STANDARD["code_size"])
    assert call("verify", generator_file).exit_code == 0
    assert "Generator around VAE(" in call("info", generator_file).stdout
    assert "would be drawn" in call("sample", generator_file, "--dry-run").stderr


def press_after_the_third(lines: Lines, run: Any, row: dict[str, Any]) -> None:
    """Ctrl-C."""
    if row["epoch"] == 2:
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("task", ["generator", "imputer", "detector"])
def test_an_interrupted_task_goes_on_to_the_same_bytes(
    task: str, table_file: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"--{task}", "--epochs", 5, "--seed", 0]
    straight, broken = tmp_path / "straight.safetensors", tmp_path / "broken.safetensors"
    assert call("fit", table_file, "-o", straight, *words).exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr(Lines, "on_epoch", press_after_the_third)
        result = call("fit", table_file, "-o", broken, *words)
    assert result.exit_code == 128 + signal.SIGINT, result.stderr
    assert "Go on with: " in result.stderr
    assert f"--{task}" in result.stderr
    assert not isinstance(diabolo.load(broken), Task)  # only the autoencoder so far
    result = call("fit", table_file, "-o", broken, *words, "--resume")
    assert result.exit_code == 0, result.stderr
    assert "going on from" in result.stderr
    assert broken.read_bytes() == straight.read_bytes()
    assert not Path(f"{broken}.checkpoint").exists()

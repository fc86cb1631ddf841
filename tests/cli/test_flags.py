"""Flags come from the estimators' fields, and from nowhere else."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import click
import pytest

import diabolo.estimators
from diabolo.cli import fields, fitting
from diabolo.cli.fit import fit
from diabolo.cli.flags import all_fields
from diabolo.core.kinds import Architecture, Bottleneck, Corruption, Loss, Penalty
from diabolo.core.parts import every
from diabolo.estimators.storage import all_estimators
from diabolo.training import Optimizer, Schedule

REAL = {cls.__name__: cls for cls in all_estimators() if cls.__module__.startswith("diabolo.estimators.")}
PAIRS = [(preset, name) for preset, held in fields.presets().items() for name in held.fields]


def ids(pair: object) -> str | None:
    return "-".join(pair) if isinstance(pair, tuple) else None


def word_for(field: fields.Field) -> tuple[list[str], Any]:
    """Words that give a field another value than its default, and that value."""
    if field.kinds == ("bool",):
        return [f"--no-{field.flag[2:]}" if field.default else field.flag], not field.default
    if field.options is not None:
        value: Any = next(option for option in field.options if option != field.default)
    elif field.part is not None:
        value = next(name for name in fields.parts(field.part) if name.lower() != str(field.default).lower())
    elif "int" in field.kinds or field.annotation == "Any":
        value = (field.default or 0) + 3
    elif "float" in field.kinds:
        low, high = (field.bounds or (0, 1))[:2]
        value = (low or 0) + (0.625 if high is None else 0.625 * (high - (low or 0)))
    else:
        value = "cpu"
    return [field.flag, str(value)], value


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]) -> Callable[..., Any]:
    """The estimator that a command line makes, without data."""

    def run(*words: object) -> Any:
        found = []

        def stop(estimator: Any, *others: object) -> None:
            found.append(estimator)
            raise click.exceptions.Exit(0)

        monkeypatch.setattr(fitting, "make_plan", stop)
        result = call("fit", "--dry-run", *words)
        assert result.exit_code == 0, result.stderr
        return found[0]

    return run


def test_reading_the_source_finds_the_real_presets() -> None:
    assert set(fields.presets()) == set(REAL)
    assert set(REAL) <= set(diabolo.estimators.__all__)


@pytest.mark.parametrize("preset", REAL)
def test_reading_the_source_finds_the_real_fields(preset: str) -> None:
    real = {field.name: field for field in dataclasses.fields(REAL[preset]) if field.init}
    read = fields.presets()[preset].fields
    assert list(read) == list(real)
    for name, field in real.items():
        assert read[name].annotation == field.type
        assert read[name].default == field.default
        assert type(read[name].default) is type(field.default)
        assert read[name].bounds == field.metadata.get("range")
        assert read[name].options == field.metadata.get("options")


@pytest.mark.parametrize("kind", [Architecture, Bottleneck, Corruption, Loss, Optimizer, Penalty, Schedule])
def test_reading_the_source_finds_the_real_parts(kind: type) -> None:
    real = {part.__name__ for part in every(kind) if part.__module__.startswith("diabolo.")}
    assert set(fields.parts(kind.__name__)) == real - {"Series", "Sum"}


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_every_field_has_a_flag_that_says_what_the_docstring_says(pair: tuple[str, str]) -> None:
    preset, name = pair
    field = fields.presets()[preset].fields[name]
    flags = [option for param in fit.get_params(click.Context(fit)) for option in param.opts]
    assert flags.count(field.flag) == 1
    assert field.text


def test_no_field_is_called_like_a_flag_of_the_command_itself() -> None:
    names = [param.name for param in fit.get_params(click.Context(fit))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_every_flag_reaches_the_estimator(pair: tuple[str, str], made: Callable[..., Any]) -> None:
    preset, name = pair
    field = fields.presets()[preset].fields[name]
    words, value = word_for(field)
    assert value != field.default
    if preset == "LinearAutoencoder" and name in ("architecture", "loss"):
        with pytest.raises(AssertionError, match="a linear autoencoder has no other than its own"):
            made("--preset", preset, *words)
        return
    estimator = made("--preset", preset, *words)
    assert type(estimator).__name__ == preset
    expected = {key: held.default for key, held in fields.presets()[preset].fields.items()} | {name: value}
    assert estimator.get_params(deep=False) == expected


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_a_flag_that_a_preset_lacks_is_refused(pair: tuple[str, str], call: Callable[..., Any]) -> None:
    owner, name = pair
    field = fields.presets()[owner].fields[name]
    for preset in fields.presets().values():
        if name not in preset.fields:
            result = call("fit", "--dry-run", "-p", preset.name, *word_for(field)[0])
            assert result.exit_code == 2
            assert re.search(rf"{preset.name} has no {field.flag} \(.*\b{owner}\b.* ha(s|ve) it\)", result.stderr)
            for own in preset.own.values():
                assert own.flag in result.stderr


@pytest.mark.parametrize(
    "field", [field for field in all_fields().values() if field.bounds or field.options], ids=lambda field: field.name
)
def test_what_a_field_does_not_allow_is_refused(field: fields.Field, call: Callable[..., Any]) -> None:
    words = ["nonsense"]
    if field.bounds is not None:
        low, high, above, below = field.bounds
        words += ["nan"] if "float" in field.kinds else ["1.5"]
        words += [] if low is None else [str(low if above else low - 1)]
        words += [] if high is None else [repr(high if below else max(high + 1, math.nextafter(high, math.inf)))]
    for word in words:
        result = call("fit", "--dry-run", "-p", preset_with(field), f"{field.flag}={word}")
        assert (result.exit_code, field.flag in result.stderr) == (2, True)


def preset_with(field: fields.Field) -> str:
    return next(name for name, preset in fields.presets().items() if field.name in preset.fields)


@pytest.mark.parametrize("preset", REAL)
def test_a_preset_is_found_in_any_case_with_or_without_autoencoder(preset: str) -> None:
    short = preset.removesuffix("Autoencoder") or preset
    for word in (preset, preset.lower(), preset.upper(), short, short.lower()):
        found = fields.find_preset(word)
        assert found is not None
        assert found.name == preset


def test_parts_are_given_by_name_by_expression_and_by_setting(made: Callable[..., Any]) -> None:
    assert made("--architecture", "conv").architecture == "conv"
    assert made("--architecture", "MLP(hidden=(8, 4), activation=relu)").architecture.hidden == (8, 4)
    assert made("--set", "architecture__hidden=512,128").architecture.hidden == (512, 128)
    assert made("--architecture", "mlp", "--set", "architecture__tied=true").architecture.tied is True
    assert made("--set", "code-size=5").code_size == 5
    assert made("--optimizer", "sgd").optimizer == "sgd"
    assert [term.weight for term in made("--penalty", "KL(2.0) + KL(0.5)").penalty.terms()] == [2.0, 0.5]
    assert made("--patience", "none").patience is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--architecture", "mpl"], "no architecture is called 'mpl'; there are Conv, Dictionary, Linear, MLP"),
        (["--architecture", "mlp(hidden=8"], "cannot be read"),
        (["--architecture", "mlp(hiden=8)"], "MLP has no hiden; it has hidden"),
        (["--architecture", "mlp(hidden=__import__('os'))"], "No part is called '__import__'"),
        (["--architecture", "mlp(hidden=-8)"], "whole numbers of at least 1"),
        (["--bottleneck", "mlp"], "no bottleneck is called 'mlp'"),
        (["--optimizer", "sgdd"], "no optimizer 'sgdd'"),
        (["--set", "hidden=8"], "Autoencoder has no parameter 'hidden'"),
        (["--set", "architecture__hiden=8"], "it has activation"),
        (["--set", "architecture"], "is no name=value"),
        (["--set", "architecture__tied=no"], "tied came as 'no'; it must be True or False"),
        (["--set", "architecture__hidden="], "hidden came as ''; it must be whole numbers"),
        (["--penalty", "kl"], "Bottlenecks that fit: Gaussian"),
        (["--device", "tpu"], "'auto', 'cpu'"),
        (["--seed", "-1"], "at least 0"),
        (["--preset", "vea"], "Did you mean VAE?"),
        (["--epoch", "2"], "--epochs"),
    ],
)
def test_mistakes_are_named_with_what_is_possible(words: list[str], said: str, call: Callable[..., Any]) -> None:
    result = call("fit", "digits", "--dry-run", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_no_markup_is_left_in_the_help(call: Callable[..., Any]) -> None:
    words = " ".join(call("fit", "--help").stdout.split())
    assert "c(x) = x + sigma epsilon" in words
    assert "E mean(m) of the patches" in words
    assert not re.search(r"[`\\{}]|:math:|overline|\w\^", words)

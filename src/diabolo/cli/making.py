"""From words to an estimator: this is where torch and scikit-learn come in."""

from __future__ import annotations

import ast
import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .errors import as_usage
from .fields import HOMES, Preset
from .flags import refusal

if TYPE_CHECKING:
    from ..core.parts import Part
    from ..estimators import Estimator


def read_settings(preset: Preset, settings: Sequence[str]) -> dict[str, Any]:
    """The values of ``--set name=value``.

    >>> from diabolo.cli.fields import presets
    >>> read_settings(presets()["VAE"], ["architecture__hidden=512,128", "architecture__tied=true"])
    {'architecture__hidden': (512, 128), 'architecture__tied': True}
    """
    values = {}
    for setting in settings:
        name, equals, word = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise click.BadParameter(f"{setting!r} is no name=value.", param_hint="'--set'")
        if name.partition("__")[0] not in preset.fields:
            raise click.UsageError(refusal(preset, f"parameter {name!r}", name))
        values[name] = read_value(word.strip())
    return values


def read_value(word: str) -> Any:
    """A Python literal, ``true`` or ``false``; anything else is a word.

    >>> read_value("0.5"), read_value("512,128"), read_value("relu"), read_value("None"), read_value("false")
    (0.5, (512, 128), 'relu', None, False)
    """
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return word


def make_estimator(preset: Preset, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Estimator:
    """Make the estimator that flags and settings describe.

    Raises
    ------
    click.UsageError
        If a value is not possible.
    """
    for home in HOMES:
        importlib.import_module(f"diabolo.{home}")
    cls: type[Estimator] = getattr(importlib.import_module(f"diabolo.estimators.{preset.module}"), preset.name)
    with as_usage(ValueError, TypeError, AttributeError):
        built = {name: _build(cls, name, value) for name, value in values.items()}
        estimator = cls(**built)
        for name, value in settings.items():
            estimator.set_params(**{name: _build(cls, name, value)})
        estimator.check_parameters()
    return estimator


def _build(cls: type[Estimator], name: str, value: Any) -> Any:
    """A part where an expression stands for one; everything else as it is."""
    if name in cls.PARTS and isinstance(value, str) and ("(" in value or "+" in value):
        return build_part(value, cls.PARTS[name])
    return value


def build_part(expression: str, kind: type[Part]) -> Part:
    """A part from an expression: names, calls with literals, and sums. Nothing else is run.

    >>> from diabolo.core.kinds import Architecture
    >>> build_part("mlp(hidden=(32, 16), activation=relu)", Architecture).hidden
    (32, 16)
    """
    made = _evaluate(ast.parse(expression.strip(), mode="eval").body, kind)
    if not isinstance(made, kind):
        raise ValueError(
            f"{expression!r} is no {kind.__name__.lower()}; write one as {kind.__name__}Name(field=value)."
        )
    return made


def _evaluate(node: ast.expr, kind: type[Part]) -> Any:
    from ..core.parts import find

    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _evaluate(node.left, kind) + _evaluate(node.right, kind)
    if isinstance(node, ast.Name):
        return find(kind, node.id)()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(find(kind, node.func.id), node)
    raise ValueError(f"{ast.unparse(node)!r} cannot be read; write a name, or a name(field=value).")


def _call(cls: type[Part], node: ast.Call) -> Part:
    from ..core.parts import Part

    names = [field.name for field in dataclasses.fields(cls)]
    unknown = [str(word.arg) for word in node.keywords if word.arg not in names]
    if unknown or len(node.args) > len(names):
        raise ValueError(f"{cls.__name__} has no {', '.join(unknown) or 'so many fields'}; it has {', '.join(names)}.")

    def argument(given: ast.expr) -> Any:
        if isinstance(given, ast.Name):  # a bare word is text: activation=relu
            return given.id
        if isinstance(given, ast.Call):
            return _evaluate(given, Part)
        return ast.literal_eval(given)

    return cls(*map(argument, node.args), **{str(word.arg): argument(word.value) for word in node.keywords})

"""``diabolo info``: what a model file says about itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from ..core.errors import ModelFileError
from ..core.files import read_description
from .errors import unreadable_model
from .fields import SERIES, presets
from .flags import json_flag, model_argument, traceback_flag
from .output import counted, emit, size, table, times


@click.command()
@model_argument
@json_flag
@traceback_flag
def info(model: str, as_json: bool) -> None:
    """Say what MODEL is and how it was trained.

    Its parameters, the data it was made for, the last row of its history, versions and digest. Only the header is read;
    `diabolo verify` checks every byte. A missing file counts as a bad model file (exit code 4).
    """
    try:
        description = read_description(model)
        facts = facts_of(description) | {"file": model, "bytes": Path(model).stat().st_size, "sha256": digest_of(model)}
    except OSError as error:
        raise unreadable_model(model, error) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{model}: its description is not one of a model ({error}).") from error
    if as_json:
        emit("info", facts)
    else:
        click.echo(table(lines_of(facts)))


def facts_of(description: dict[str, Any]) -> dict[str, Any]:
    """What a description says, under stable names."""
    if description.get("kind") != "model":
        run = description.get("run", {}).get("plain", {})
        return {"kind": description.get("kind"), "epoch": run.get("epoch"), "step": run.get("step")}
    modality, history = description["modality"], description["history"]
    facts = modality["facts"]
    return {
        "kind": "model",
        "format": description["format"],
        "estimator": description["estimator"],
        "task": description.get("task", {}).get("name"),
        "series": series_of(description.get("task", {})),
        "parameters": description["parameters"],
        "changed": changed(description["estimator"], description["parameters"]),
        "seed": description["seed"],
        "modality": modality["name"],
        "shape": facts.get("user_shape", modality["shape"]),
        "names": description["names"],
        "fitted_on": {name: facts.get(name) for name in ("place", "rows", "dtype", "missing")},
        "weights": description["weights"],
        "epochs": len(history["rows"]),
        "stopped": history["stopped"],
        "best_epoch": history["best_epoch"],
        "last": history["rows"][-1] if history["rows"] else None,
        "versions": description["versions"],
    }


def series_of(task: dict[str, Any]) -> dict[str, Any] | None:
    """What a detector for time series says of itself; ``None`` of all others."""
    if task.get("name") != SERIES[0]:
        return None
    facts, parameters = task["facts"], task["facts"]["parameters"]
    own = {name: facts[name] for name in ("window", "stride", "period", "channels", "names", "calibrated")}
    return own | {name: parameters[name] for name in ("normalize", "neighbors", "smoothing", "threshold")}


def series_line(series: dict[str, Any]) -> str:
    """The same for people.

    >>> told = {"window": 64, "stride": 8, "period": None, "channels": 1, "names": ["heat"], "calibrated": True}
    >>> series_line(told | {"normalize": "channel", "neighbors": 5, "smoothing": 1, "threshold": None})
    '1 channel (heat); windows of 64 points, one every 8 points, no period; normalize=channel, neighbors=5, smoothing=1'
    """
    names = series["names"] or []
    named = f" ({', '.join(names[:8])}{', ...' if len(names) > 8 else ''})" if names else ""
    period = "no period" if series["period"] is None else f"period {series['period']}"
    each = f"one every {counted(series['stride'], 'point')}" if series["stride"] > 1 else "one at each point"
    own = ", ".join(f"{name}={series[name]}" for name in ("normalize", "neighbors", "smoothing"))
    trained = "" if series["calibrated"] else "; calibrated by points it was trained on"
    return (
        f"{counted(series['channels'], 'channel')}{named}; windows of {counted(series['window'], 'point')}, {each}, "
        f"{period}; {own}{trained}"
    )


def changed(estimator: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are not at their defaults; the seed, which every run has, apart."""
    preset = presets().get(estimator)
    known = {} if preset is None else {name: field.default for name, field in preset.fields.items()}
    return {
        name: value
        for name, value in parameters.items()
        if name != "random_state" and (name not in known or known[name] != value)
    }


def lines_of(facts: dict[str, Any]) -> dict[str, str]:
    """The facts for people."""
    file = f"{facts['file']}, {size(facts['bytes'])}"
    digest = f"{facts['sha256']} (not checked here; see diabolo verify)"
    if facts["kind"] != "model":
        at = "" if facts["epoch"] is None else f", of a run in epoch {facts['epoch'] + 1}, step {facts['step']}"
        return {"file": file, "kind": f"{facts['kind']}{at}", "sha256": digest}
    given = ", ".join(f"{name}={spelled(value)}" for name, value in facts["changed"].items())
    on = facts["fitted_on"]
    missing = f", {counted(on['missing'], 'missing cell')}" if on.get("missing") else ""
    rows = counted(on["rows"], "row") if on.get("rows") is not None else "rows"
    made, task = facts["versions"], f"{facts['task']} around " if facts["task"] else ""
    return {
        "file": file,
        "model": f"{task}{facts['estimator']}({given}), {counted(facts['weights'], 'weight')}, seed {facts['seed']}",
        **({} if facts["series"] is None else lines_of_series(facts["series"])),
        "data": f"{facts['modality']}: {rows} of {times(facts['shape'])} ({on['dtype']}) from {on['place']}{missing}",
        "training": training_of(facts),
        "made by": ", ".join(f"{name} {version}" for name, version in made.items()),
        "sha256": digest,
    }


def lines_of_series(series: dict[str, Any]) -> dict[str, str]:
    """What a detector for time series is made for, and its rule."""
    rule = "Quantile(level=0.99), the usual one" if series["threshold"] is None else spelled(series["threshold"])
    return {"series": series_line(series), "rule": rule}


def training_of(facts: dict[str, Any]) -> str:
    """How training went, in a line."""
    last = facts["last"] or {}
    numbers = [f"{name} {value:.5g}" for name, value in last.items() if isinstance(value, float)]
    best = "" if facts["best_epoch"] is None else f" (the best: {facts['best_epoch'] + 1})"
    said = f"{counted(facts['epochs'], 'epoch')}{best}, {facts['stopped']}"
    return f"{said}; last: {', '.join(numbers)}" if numbers else said


def spelled(value: Any) -> str:
    """A stored value as one would write it in Python.

    >>> spelled({"part": "MLP", "kind": "Architecture", "hidden": [8]})
    'MLP(hidden=(8,))'
    """
    if isinstance(value, dict):
        fields = (f"{name}={spelled(item)}" for name, item in value.items() if name not in ("part", "kind"))
        return f"{value.get('part', '?')}({', '.join(fields)})"
    if isinstance(value, list):
        return f"({', '.join(map(spelled, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def digest_of(path: str) -> str:
    """The digest that a file claims; it stands at its beginning (``docs/format.md``)."""
    with Path(path).open("rb") as file:
        found = re.search(rb'"sha256":"([0-9a-f]{64})"', file.read(256))
    return found[1].decode() if found else ""

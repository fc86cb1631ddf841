"""``diabolo threshold``: the rule by which a detector flags rows, told or changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .flags import dry_run_flag, force_flag, json_flag, model_argument, traceback_flag
from .output import emit, say
from .rules import chosen_rule, make_rule, rule_flags, say_promise


@click.command()
@model_argument
@rule_flags
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="The detector with the new rule; MODEL itself may be named.",
)
@dry_run_flag
@force_flag
@json_flag
@traceback_flag
def threshold(model: str, output: str | None, dry_run: bool, force: bool, as_json: bool, **given: Any) -> None:
    """Tell or change by which rule MODEL flags rows.

    MODEL is a detector that `diabolo fit --detector` or `--series` wrote. Without a rule, it tells the one that MODEL
    has and what that can promise; with one, it writes the detector with this rule to FILE. Nothing is fitted anew, and
    nothing else in the file changes.
    """
    asked = chosen_rule(given) is not None
    if asked and output is None:
        raise click.UsageError(f"Say where the detector goes: -o {model} changes it in its place.")
    if output is not None and not asked:
        raise click.UsageError("Which rule? Give one of --fdr, --alerts-per-day, --quantile and --above.")
    if output is not None:
        check_file(output, model, force)
    from .inputs import open_detector

    detector = open_detector(model)
    if asked:
        detector.change_threshold(make_rule(given))
    promise = say_promise(detector, detector.rule, None)
    if output is not None and not dry_run:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        detector.save(output)
        say(f"{output}: written")
    if as_json:
        told = {"model": model, "output": output, "rule": repr(detector.rule), "promise": promise}
        emit("threshold", told | ({"dry_run": True} if dry_run else {}))


def check_file(output: str, model: str, force: bool) -> None:
    """Refuse to replace another file than the model itself."""
    place = Path(output)
    if place.is_dir() or not place.name:
        raise click.UsageError(f"{output} is a folder; name a file.")
    if place.exists() and not force and not (Path(model).exists() and place.samefile(model)):
        raise click.UsageError(f"{output} is there already. Choose another name, or replace it by --force.")

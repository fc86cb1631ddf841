"""``diabolo sample``: rows that never were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .flags import device_flag, dry_run_flag, force_flag, json_flag, model_argument, output_flag, traceback_flag


@click.command()
@model_argument
@output_flag(
    "csv, tsv (also .gz), parquet, npy, npz, ts for sequences, or a folder for png files; csv on standard output "
    "without it."
)
@click.option("-n", "--rows", "count", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(min=0), help="The same number gives the same rows.  [default: none]")
@click.option(
    "--given",
    metavar="NAME=VALUE,...",
    help="What every row must hold: sex=F,age=30..40; an end may be left open: age=30..; one of several: city=A|B.",
)
@click.option("--balanced", metavar="COLUMN", help="Each category of this column equally often.")
@device_flag
@dry_run_flag
@force_flag
@json_flag
@traceback_flag
def sample(
    model: str,
    output: str,
    count: int,
    seed: int | None,
    given: str | None,
    balanced: str | None,
    device: str,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write new rows like those that MODEL was fitted on.

    In the units, types and column names of the training data. MODEL is a generator (`diabolo fit --generator`), or an
    autoencoder whose codes are held to a distribution, such as a VAE; only a generator takes --given and --balanced.
    """
    from .errors import as_usage
    from .inputs import open_task
    from .output import counted, emit, say, size
    from .results import check_output, write_blocks

    conditions = read_given(given)
    check_output(output, force, reads=(model,))
    if as_json and output == "-":
        raise click.UsageError("--json and the rows cannot both go to standard output; name a file with -o.")
    fitted = open_task(model, device)
    refuse(fitted, model, bool(conditions or balanced))
    told = {"model": model, "rows": count, "seed": seed, "output": None if output == "-" else output}
    if dry_run:
        say(f"{model}: {counted(count, 'row')} would be drawn from {type(fitted).__name__}")
        if as_json:
            emit("sample", told | {"dry_run": True})
        return
    with as_usage(ValueError):
        made = drawn(fitted, count, seed, conditions, balanced)
    width = write_blocks(iter([(made, None)]), output, None, force)
    if output != "-":
        place = Path(output)
        say(f"{output}: {counted(count, 'row')}{f', {size(place.stat().st_size)}' if place.is_file() else ''}")
    if as_json:
        emit("sample", told | {"shape": list(width)})


def refuse(fitted: Any, model: str, asks: bool) -> None:
    """Refuse what cannot be sampled from, and conditions on what takes none."""
    from ..tasks.generator import Generator

    if not hasattr(fitted, "sample"):
        raise click.UsageError(
            f"{model} is {type(fitted).__name__}, which does not know where its codes lie. Make a generator of one by "
            "diabolo fit DATA --generator, or fit a VAE by --preset vae."
        )
    if asks and not isinstance(fitted, Generator):
        raise click.UsageError(
            f"{model} is {type(fitted).__name__}; --given and --balanced are for a generator: fit one by --generator."
        )


def drawn(fitted: Any, count: int, seed: int | None, conditions: dict[str, str], balanced: str | None) -> Any:
    """New rows as the writers take them: columns by name that keep their types, with empty cells, or an array."""
    from ..data.tables import Table
    from ..tasks.generator import Generator

    table = fitted.modality_ if not isinstance(fitted, Generator) else fitted.estimator_.modality_
    if not isinstance(fitted, Generator) or not isinstance(table, Table):
        options = {"given": conditions, "balanced": balanced} if conditions or balanced else {}
        return fitted.sample(count, random_state=seed, **options)
    from ..tasks.conditions import read_words

    columns, holes = fitted.sample_columns(count, read_words(conditions, table), balanced, seed)
    return {name: with_holes(column, holes.get(name)) for name, column in columns.items()}


def with_holes(column: Any, holes: Any) -> Any:
    """A column whose empty cells are none, or not a number."""
    import numpy as np

    if holes is None or not holes.any():
        return column
    if column.dtype.kind == "M":
        return np.where(holes, np.datetime64("NaT"), column)
    return np.where(holes, np.nan if column.dtype.kind == "f" else None, column)


def read_given(word: str | None) -> dict[str, str]:
    """The pairs of ``--given``.

    >>> read_given("sex=F,age=30..40")
    {'sex': 'F', 'age': '30..40'}
    """
    if not word:
        return {}
    pairs = [pair.partition("=") for pair in word.split(",")]
    if not all(name.strip() and equals and value.strip() for name, equals, value in pairs):
        raise click.BadParameter(
            f"{word!r} cannot be read. Write name=value or name=low..high, with commas between several.",
            param_hint="'--given'",
        )
    return {name.strip(): value.strip() for name, _, value in pairs}

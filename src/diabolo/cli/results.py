"""The commands that send data through a model: what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..core.errors import DataError
from ..data.rows import Rows
from ..data.source import Source
from ..data.writers import Writer, kind_of, shape_of
from .errors import as_usage
from .inputs import open_model, open_source, windows
from .output import counted, emit, refuse_own_input, say, size, table, times

if TYPE_CHECKING:
    from ..estimators import Estimator

Block = np.ndarray | dict[str, np.ndarray] | list[np.ndarray]


def send_through(
    command: str,
    model: str,
    data: str,
    output: str,
    make: Callable[[Estimator, Rows], Block],
    *,
    columns: Callable[[Estimator], list[str] | None] = lambda model: None,
    opened: Estimator | None = None,
    begin: Callable[[Source], None] = lambda source: None,
    label: str | None,
    device: str,
    force: bool,
    as_json: bool,
    dry_run: bool,
    facts: Callable[[], dict[str, Any]] = dict,
) -> None:
    """Open model and data, make a block of results of each stretch of rows, and write it at once.

    Parameters
    ----------
    make : callable (model, rows) -> block
    columns : callable (model) -> names of the results' columns
    opened : Estimator, or None
        The model, where it was opened already.
    begin : callable (source)
        What to say of the data before anything is done.
    facts : callable () -> what else to tell at the end
    """
    check_output(output, force, reads=(model, data))
    if as_json and output == "-":
        raise click.UsageError("--json and the results cannot both go to standard output; name a file with -o.")
    fitted = open_model(model, device) if opened is None else opened
    source = open_source(data, label)
    fitted.modality_.refuse_other_shape(source)
    begin(source)
    told = {"model": model, "data": source.place, "rows": source.rows, "output": None if output == "-" else output}
    if dry_run:
        plan = {
            "model": f"{model}: {type(fitted).__name__}",
            "data": f"{source.place}: {counted(source.rows, 'row')} of {times(source.shape)}",
            "files": "csv on standard output" if output == "-" else output,
        }
        say(table(plan))
        if as_json:
            emit(command, told | {"dry_run": True})
        return
    width = write_blocks(blocks(fitted, source, make), output, columns(fitted), force)
    if output != "-":
        place = Path(output)
        written = f", {size(place.stat().st_size)}" if place.is_file() else ""
        say(f"{output}: {counted(source.rows, 'row')} of {times(width)}{written}")
    if as_json:
        emit(command, told | {"shape": list(width)} | facts())


def blocks(
    model: Estimator, source: Source, make: Callable[[Estimator, Rows], Block]
) -> Iterator[tuple[Block, np.ndarray | None]]:
    """Results, and the names of their rows where each row is a file of its own."""
    paths = getattr(source, "paths", None)
    for rows, where in windows(source):
        yield make(model, rows), None if paths is None else np.array([str(path) for path in paths[where]])


def write_blocks(
    made: Iterator[tuple[Block, np.ndarray | None]], output: str, names: list[str] | None, force: bool
) -> tuple[Any, ...]:
    """Write blocks as they come; the shape of a row."""
    width: tuple[Any, ...] = ()
    if output != "-":
        Path(output).parent.mkdir(parents=True, exist_ok=True)
    with Writer(output, names=names, overwrite=force) as writer:
        for block, index in made:
            writer.write(block, index)
            width = (len(block),) if isinstance(block, dict) else shape_of(block)
    return width


def check_output(output: str, force: bool, reads: tuple[str, ...] = ()) -> None:
    """Refuse a place that cannot be written to, or that holds what is read, before anything is read."""
    refuse_own_input(output, reads)
    with as_usage(DataError):
        if output == "-" or Path(output).parent.exists():
            Writer(output, overwrite=force)
        else:  # the folder is made when there is something to write
            kind_of(Path(output), output)

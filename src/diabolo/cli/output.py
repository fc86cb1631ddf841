"""Words to standard error, results to standard output."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

SCHEMA = 1


def say(words: str) -> None:
    """Tell the user something; never mixed with results."""
    click.echo(words, err=True)


def styled(word: str) -> str:
    """A word in red on a terminal that has colors and does not refuse them (https://no-color.org).

    >>> styled("Error:") in ("Error:", click.style("Error:", fg="red", bold=True))
    True
    """
    if os.environ.get("NO_COLOR") or not sys.stderr.isatty():
        return word
    return click.style(word, fg="red", bold=True)


def emit(command: str, facts: Mapping[str, Any]) -> None:
    """Print the one JSON object that ``--json`` asks for."""
    click.echo(json.dumps({"schema": SCHEMA, "command": command} | {k: finite(v) for k, v in facts.items()}))


def finite(value: Any) -> Any:
    """Plain values as JSON has them: what is not finite becomes null.

    >>> finite({"a": [1.0, float("nan")]})
    {'a': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {str(name): finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(rows: Mapping[str, str]) -> str:
    """Names and what is said about them, in two columns.

    >>> print(table({"data": "digits", "files": "a"}))
    data   digits
    files  a
    """
    width = max(map(len, rows), default=0)
    return "\n".join(f"{name:{width}}  {words}" for name, words in rows.items())


def size(count: float) -> str:
    """Bytes for people.

    >>> size(999), size(1_234_567)
    ('999 bytes', '1.23 MB')
    """
    if count < 1000:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000:
            return f"{count:.3g} {unit}" if count < 100 else f"{count:.0f} {unit}"
    return f"{count / 1000:.3g} TB"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number and its noun.

    >>> counted(1, "row"), counted(1797, "row")
    ('1 row', '1,797 rows')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def times(shape: tuple[int, ...] | list[int]) -> str:
    """A shape for people.

    >>> times((8, 8))
    '8 x 8'
    """
    return " x ".join(map(str, shape))


def refuse_own_input(output: str, reads: tuple[str, ...]) -> None:
    """Never write over what is read, whatever is forced."""
    for place in map(Path, reads):
        if output != "-" and place.exists() and Path(output).exists() and place.samefile(output):
            raise click.UsageError(f"{output} is what is read; it would be lost. Name another file with -o.")

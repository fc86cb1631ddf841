"""Opening models and data, and reading data a few megabytes at a time."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..core.errors import DataError
from ..data.choosing import open_data
from ..data.examples import names
from ..data.files import read_labels
from ..data.rows import Rows
from ..data.scaling import stretches
from ..data.source import Source
from ..estimators.planning import choose_device
from ..tasks.storage import AnomalyDetector, SeriesAnomalyDetector, Task, load
from .errors import as_usage, unreadable_model
from .output import say

if TYPE_CHECKING:
    from ..estimators import Estimator

#: What to do with a detector for time series instead of a command, which takes rows.
IN_GENERAL = "For it there are diabolo score, diabolo report and diabolo threshold."
EXPECTED = (
    "What was expected of each point, gaps too, is told in Python: diabolo.load({path!r}).explain(series).expected"
)
INSTEAD = {
    "encode": f"{IN_GENERAL} The codes of its windows are in Python: diabolo.load({{path!r}}).estimator_.transform(X)",
    "explain": "Which channels make a point strange is told by diabolo score, and drawn by diabolo report.",
    "impute": EXPECTED,
    "reconstruct": EXPECTED,
}


def open_model(path: str, device: str = "auto") -> Estimator:
    """Load a model, out of the task around it if there is one; a missing file counts as a bad one."""
    fitted = open_task(path, device)
    model: Estimator = fitted.estimator_ if isinstance(fitted, Task) else fitted
    return model


def open_task(path: str, device: str = "auto", *, series: bool = False) -> Any:
    """Load a model, or the task around it; a missing file counts as a bad one.

    Detectors for time series are refused unless asked for: what the model inside of them takes for a row is a window.
    """
    with as_usage(ValueError):
        chosen = str(choose_device(device))
    try:
        fitted = load(path, device=chosen)
    except OSError as error:
        raise unreadable_model(path, error) from error
    if isinstance(fitted, SeriesAnomalyDetector) and not series:
        raise click.UsageError(
            f"{path} is a file of SeriesAnomalyDetector, a detector for time series, and diabolo {command_name()} "
            f"takes rows that know nothing of each other. {INSTEAD.get(command_name(), IN_GENERAL).format(path=path)}"
        )
    return fitted


def command_name() -> str:
    """What the running command is called."""
    ctx = click.get_current_context(silent=True)
    return "" if ctx is None or ctx.info_name is None else ctx.info_name


def open_detector(path: str) -> AnomalyDetector | SeriesAnomalyDetector:
    """Load a detector; refuse any other model."""
    fitted = open_task(path, series=True)
    if not isinstance(fitted, AnomalyDetector | SeriesAnomalyDetector):
        raise click.UsageError(
            f"{path} is a file of {type(fitted).__name__}, which flags nothing. Make a detector: diabolo fit DATA "
            f"--detector -o {path} (--series for a time series)"
        )
    return fitted


def open_source(data: str, label: str | None = None) -> Any:
    """A source of the data that a word names: an example set, a path, a pattern, or ``-``.

    >>> open_source("digits").rows
    1797
    """
    if Path(data).name == data and not Path(data).suffix and data != "-" and not Path(data).exists():
        refuse_unknown(data)
    source: Any = open_data(data, label=label)
    if label is not None and data in names():  # these have labels of their own, and no columns
        source.labels = read_labels(label, source.rows)
    if source.note is not None:
        say(f"{source.place}: {source.note}")
    return source


def refuse_unknown(word: str) -> None:
    """Refuse a word that is neither a file nor an example set, and say which sets there are.

    >>> refuse_unknown("digitz")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: digitz: there is no such file, and no such data set; ... Did you mean digits?
    """
    if word in names() or glob.has_magic(word):
        return
    close = difflib.get_close_matches(word, names(), 1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise DataError(f"{word}: there is no such file, and no such data set; there are {', '.join(names())}.{meant}")


def windows(source: Source) -> Iterator[tuple[Rows, slice]]:
    """The stretches of a source, each a source of its own, and where it lies."""
    for start, stop in stretches(source):
        yield Rows(source, np.arange(start, stop)), slice(start, stop)

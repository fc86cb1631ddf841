"""Opening models and data, and reading data a few megabytes at a time."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..data.choosing import open_data
from ..data.examples import names
from ..data.files import read_labels
from ..data.raw import Raw
from ..data.scaling import stretches
from ..data.source import Source
from ..estimators.planning import choose_device
from ..tasks.storage import Task, load
from .errors import as_usage, unreadable_model

if TYPE_CHECKING:
    from ..estimators import Estimator


def open_model(path: str, device: str = "auto") -> Estimator:
    """Load a model, out of the task around it if there is one; a missing file counts as a bad one."""
    fitted = open_task(path, device)
    model: Estimator = fitted.estimator_ if isinstance(fitted, Task) else fitted
    return model


def open_task(path: str, device: str = "auto") -> Any:
    """Load a model, or the task around it; a missing file counts as a bad one."""
    with as_usage(ValueError):
        chosen = str(choose_device(device))
    try:
        return load(path, device=chosen)
    except OSError as error:
        raise unreadable_model(path, error) from error


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


class Rows(Source):
    """Some rows of a source, in order.

    Parameters
    ----------
    source : Source
    numbers : ndarray of int
        Which rows, rising.

    >>> from diabolo.data.memory import in_memory
    >>> Rows(in_memory([[1.0], [2.0], [3.0]]), np.array([0, 2])).read(0, 2).tolist()
    [[1.0], [3.0]]
    """

    def __init__(self, source: Source, numbers: np.ndarray) -> None:
        self.source, self.numbers, self.rows = source, numbers, len(numbers)
        self.place, self.shape, self.dtype = source.place, source.shape, source.dtype
        self.names, self.dtypes = source.names, source.dtypes
        self.mixed, self.backend = source.mixed, source.backend
        self.lengths = None if source.lengths is None else source.lengths[numbers]
        self.reach = stretches(source)[0][1]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows, spans of the whole source that are no longer than a stretch at a time."""
        wanted = self.numbers[start:stop]
        blocks, done = [], 0
        while done < len(wanted):
            first = int(wanted[done])
            here = wanted[done : int(np.searchsorted(wanted, first + self.reach))]
            span = self.source.read(first, int(here[-1]) + 1)
            blocks.append(span if len(span) == len(here) else span[here - first])
            done += len(here)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def column(self, at: int, start: int, stop: int) -> Raw:
        """A stretch of a column."""
        wanted = self.numbers[start:stop]
        first = int(wanted[0]) if len(wanted) else 0
        whole = self.source.column(at, first, int(wanted[-1]) + 1 if len(wanted) else 0)
        return replace(whole, values=whole.values[wanted - first], known=whole.known[wanted - first])

    def where(self, row: int, cell: tuple[int, ...]) -> str:
        """A cell as the whole source calls it."""
        return self.source.where(int(self.numbers[row]), cell)


def windows(source: Source) -> Iterator[tuple[Rows, slice]]:
    """The stretches of a source, each a source of its own, and where it lies."""
    for start, stop in stretches(source):
        yield Rows(source, np.arange(start, stop)), slice(start, stop)

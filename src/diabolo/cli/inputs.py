"""Opening models and data, and reading data a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ModelFileError
from ..data.choosing import open_data
from ..data.examples import names
from ..data.files import read_labels
from ..data.scaling import stretches
from ..data.source import Source
from ..estimators.planning import choose_device
from ..estimators.storage import load
from .errors import as_usage

if TYPE_CHECKING:
    from ..estimators import Estimator


def open_model(path: str, device: str = "auto") -> Estimator:
    """Load a model; a missing file counts as a bad one."""
    with as_usage(ValueError):
        chosen = str(choose_device(device))
    try:
        return load(path, device=chosen)
    except OSError as error:
        raise missing_model(path, error) from error


def missing_model(path: str, error: OSError) -> ModelFileError:
    """Say that a model file cannot be read."""
    if isinstance(error, FileNotFoundError):
        return ModelFileError(f"{path}: there is no such model file. Make one: diabolo fit DATA -o {path}")
    return ModelFileError(f"{path}: {error.strerror or error}. Give a model file that can be read.")


def open_source(data: str, label: str | None = None) -> Any:
    """A source of the data that a word names: an example set, a path, a pattern, or ``-``.

    >>> open_source("digits").rows
    1797
    """
    source: Any = open_data(data, label=label)
    if label is not None and data in names():  # these have labels of their own, and no columns
        source.labels = read_labels(label, source.rows)
    return source


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


def windows(source: Source) -> Iterator[tuple[Rows, slice]]:
    """The stretches of a source, each a source of its own, and where it lies."""
    for start, stop in stretches(source):
        yield Rows(source, np.arange(start, stop)), slice(start, stop)

"""From what the user has to a source, and from a source to its modality."""

from __future__ import annotations

import os
from typing import Any

from ..core.errors import DataError, ShapeError
from .arrays import Arrays
from .examples import names, open_named
from .files import open_path
from .images import Images
from .memory import in_memory
from .modality import Modality
from .sequences import Sequences
from .source import Source
from .tables import INFER, ColumnTypes, Table

MODALITIES: tuple[type[Modality], ...] = (Sequences, Table, Images, Arrays)


def open_data(X: Any, *, label: str | None = None) -> Source:
    """Make a source of an array, a frame, a list, a path, a glob, ``-`` or the name of an example set.

    Parameters
    ----------
    X : anything the library reads
        A word is first looked up among the example sets, then taken as a path.
    label : str, or None
        The column or file of labels, which takes no part in training.

    >>> open_data("digits").shape
    (8, 8)
    """
    if isinstance(X, str) and not X.strip():
        raise DataError(f"The data came as {X!r}; give a path, a pattern, or one of {', '.join(names())}.")
    if isinstance(X, Source):
        return X
    if isinstance(X, str) and X in names():
        return open_named(X)
    if isinstance(X, (str, os.PathLike)):
        return open_path(X, label=label)
    return in_memory(X)


def fit_modality(source: Source, scaling: str = "auto", column_types: ColumnTypes = None) -> Modality:
    """Learn how to read a source and write back what it holds.

    Parameters
    ----------
    source : Source
    scaling : str
    column_types : mapping of column name to kind, ``"infer"``, or None
        Kinds of a table's columns where the user names them; ``"infer"``: also tell those of numbers apart.

    >>> fit_modality(open_data([[1.0, 2.0], [3.0, 4.0]])).name
    'arrays'
    """
    if len(source.shape) == 0:
        raise ShapeError(
            f"{source.place} has one number per sample. Reshape your data: X.reshape(-1, 1) if it has a single "
            "feature, X.reshape(1, -1) if it is a single sample."
        )
    kind = next(kind for kind in MODALITIES if kind.reads(source))
    if kind is Table:
        return Table.fit(source, scaling, column_types)
    if column_types not in (None, INFER):
        raise ValueError(f"column_types came as {column_types!r}, but {source.place} has no columns with names.")
    return kind.fit(source, scaling)

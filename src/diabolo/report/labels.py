"""Labels: what rows are called, and which color that is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..core.errors import DataError
from ..data.source import Source
from .words import clipped, short

COLORS, MANY, SHADES = 10, 30, 7


@dataclass(frozen=True)
class Labels:
    """One label a row, sorted into at most ten colors.

    Parameters
    ----------
    kind : {"none", "classes", "scale"}
    texts : list of str
        Each row's label as it is read; empty where there are none.
    groups : ndarray of int, ``(rows,)``
        Each row's class, or its label's shade from low to high; -1 where a label is missing.
    names : list of str
        What the classes or shades are called; the class after the last color holds all others.
    """

    kind: str
    texts: list[str]
    groups: np.ndarray
    names: list[str]

    def text(self, row: int) -> str | None:
        """A row's label."""
        return self.texts[row] if self.texts else None


def read_labels(given: Any, source: Source) -> Labels:
    """Labels from an argument, else from the source where it has some.

    >>> from diabolo.data.choosing import open_data
    >>> read_labels(["b", "a"], open_data([[1.0], [2.0]])).names
    ['a', 'b']
    """
    values = getattr(source, "labels", None) if given is None else given
    if values is None:
        return Labels("none", [], np.full(source.rows, -1), [])
    values = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    values = values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values
    if values.ndim != 1 or len(values) != source.rows:
        raise DataError(
            f"labels came with shape {values.shape}; {source.place} has {source.rows} rows. Give one label for each."
        )
    if values.dtype.kind in "fiu":
        return number_labels(values)
    missing = np.array([value is None or value != value for value in values.tolist()])
    return class_labels(np.array([clipped(value) for value in values.tolist()], dtype=object), missing)


def number_labels(values: np.ndarray) -> Labels:
    """Few different numbers are classes; many are a scale.

    >>> number_labels(np.arange(100.0)).kind, number_labels(np.array([1, 2, 1])).names
    ('scale', ['1', '2'])
    """
    missing = ~np.isfinite(values)
    known = np.unique(values[~missing])
    whole = bool((known == np.round(known)).all())
    texts = np.array(
        [f"{value:.0f}" if whole else short(float(value), 4) for value in np.where(missing, 0, values)], dtype=object
    )
    if len(known) <= COLORS or (whole and len(known) <= MANY):
        return class_labels(texts, missing, [f"{value:.0f}" if whole else short(float(value), 4) for value in known])
    edges = np.unique(np.quantile(values[~missing], np.linspace(0, 1, SHADES + 1)))
    groups = np.where(missing, -1, np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2))
    names = [f"{short(low)} to {short(high)}" for low, high in pairwise(edges.tolist())]
    return Labels(
        "scale", [clipped("–" if gone else text) for text, gone in zip(texts, missing, strict=True)], groups, names
    )


def class_labels(texts: np.ndarray, missing: np.ndarray, order: list[str] | None = None) -> Labels:
    """Each label a class; beyond ten, the nine most frequent and the others.

    >>> class_labels(np.array(list("abca"), dtype=object), np.zeros(4, bool)).groups.tolist()
    [0, 1, 2, 0]
    """
    found, counts = np.unique(texts[~missing].astype(str), return_counts=True)
    names = list(dict.fromkeys(order or found.tolist()))
    if len(names) > COLORS:
        frequency = dict(zip(found.tolist(), counts.tolist(), strict=True))
        often = set(sorted(names, key=lambda name: (-frequency.get(name, 0), names.index(name)))[: COLORS - 1])
        names = [*(name for name in names if name in often), "others"]
    place = {name: at for at, name in enumerate(names)}
    others = len(names) - 1 if len(found) > COLORS else -1
    groups = [-1 if gone else place.get(str(text), others) for text, gone in zip(texts, missing, strict=True)]
    shown = [clipped("–" if gone else text) for text, gone in zip(texts, missing, strict=True)]
    return Labels("classes", shown, np.array(groups, dtype=np.int64), names)

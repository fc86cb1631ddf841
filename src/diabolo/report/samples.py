"""The samples that are shown: pictures in strips, rows in tables, and what hovering over a map tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.modality import Modality
from .labels import Labels
from .measure import SHOWN, Measures, Sample
from .pictures import contact_sheet, data_uri, diverging, png, shrink, visible
from .words import clipped, number, short

MOST_COLUMNS, HOVER_COLUMNS = 12, 4
MOST_SIDE, THUMBNAIL, SHEET_BYTES, SHEET_COLUMNS = 96, 32, 700_000, 50
MARKED = 0.5


@dataclass(frozen=True)
class Group:
    """Some rows under one heading."""

    name: str
    samples: list[Sample]


def groups(measures: Measures) -> list[Group]:
    """Best, typical and worst rows; all rows where there are few."""
    known = int(np.isfinite(measures.error).sum())
    if known <= SHOWN:
        return [Group("Every row", measures.best)] if known else []
    most = min(SHOWN, known // 3)
    return [
        Group("Best", measures.best[:most]),
        Group("Typical", measures.typical(most)),
        Group("Worst", measures.worst[:most]),
    ]


@dataclass(frozen=True)
class Strip:
    """A sample as three pictures and what stands under them."""

    original: str
    reconstruction: str
    difference: str
    row: str
    label: str | None
    error: str


def value_range(modality: Modality, shown: list[Sample]) -> tuple[float, float]:
    """What is black and what is white: 0 and 1 where the scaling says so, else the originals' range."""
    if modality.scaling.unit or not shown:
        return 0.0, 1.0
    return min(float(s.target.min()) for s in shown), max(float(s.target.max()) for s in shown)


def strips(shown: list[Sample], modality: Modality, labels: Labels, scale: float) -> list[Strip]:
    """Samples of pictures as strips; ``scale`` is the difference that has the full color."""
    low, high = value_range(modality, shown)
    made = []
    for sample in shown:
        original, expected = (shrink(part[None], MOST_SIDE)[0] for part in (sample.target, sample.expected))
        known = np.ones_like(sample.target) if sample.known is None else sample.known
        difference = ((sample.expected - sample.target) * known).mean(-1)
        small = shrink(difference[None, ..., None], MOST_SIDE)[0, ..., 0]
        made.append(
            Strip(
                data_uri(visible(original, low, high)),
                data_uri(visible(expected, low, high)),
                data_uri(diverging(small, scale)),
                f"{sample.row:,}",
                labels.text(sample.row),
                number(sample.error),
            )
        )
    return made


def largest_difference(shown: list[Sample]) -> float:
    """The largest difference of a pixel among some samples, over its channels."""
    return max((float(np.abs((s.expected - s.target).mean(-1)).max()) for s in shown), default=1.0) or 1.0


@dataclass(frozen=True)
class Cell:
    """A value that went in and the one that was expected back; ``mark`` is 0 to 4 after their difference."""

    observed: str
    expected: str
    mark: int


@dataclass(frozen=True)
class Line:
    """A row of a table that is shown."""

    row: str
    label: str | None
    error: str
    cells: list[Cell]


def chosen_columns(measures: Measures) -> np.ndarray:
    """All columns, or the twelve with the largest error where there are more."""
    errors = np.nan_to_num(measures.cell_error.reshape(-1))
    if errors.size <= MOST_COLUMNS:
        return np.arange(errors.size)
    worst: np.ndarray = np.sort(np.argsort(-errors, kind="stable")[:MOST_COLUMNS])
    return worst


def user_units(modality: Modality, values: np.ndarray) -> np.ndarray:
    """One sample in the user's units, flat, without rounding to whole numbers."""
    back = modality.scaling.backward(modality.to_user(values[None]))
    return np.asarray(back, dtype=np.float64).reshape(-1)


def lines(shown: list[Sample], modality: Modality, labels: Labels, columns: np.ndarray) -> list[Line]:
    """Samples of tables as lines; a difference of half a unit of scale or more is marked, by its size."""
    made = []
    for sample in shown:
        observed, expected = user_units(modality, sample.target), user_units(modality, sample.expected)
        distance = np.abs(sample.expected - sample.target).reshape(-1)
        known = np.ones(distance.size, dtype=bool) if sample.known is None else sample.known.reshape(-1)
        cells = []
        for at in columns.tolist():
            mark = int(min(4, distance[at] // (MARKED if not modality.scaling.unit else MARKED / 5))) if known[at] else 0
            cells.append(Cell(value(observed[at]) if known[at] else "missing", value(expected[at]), mark))
        made.append(Line(f"{sample.row:,}", labels.text(sample.row), number(sample.error), cells))
    return made


def value(of: float) -> str:
    """A cell of a table: whole numbers whole, others with four digits.

    >>> value(1234.0), value(0.123456)
    ('1,234', '0.1235')
    """
    if np.isfinite(of) and of == round(of) and abs(of) < 1e15:
        return f"{of:,.0f}".replace("-", "−")
    return short(float(of), 4)


@dataclass(frozen=True)
class Thumbnails:
    """All pictures of a map in one."""

    uri: str
    width: int
    height: int
    columns: int


def thumbnails(measures: Measures, rows: np.ndarray, modality: Modality) -> Thumbnails:
    """Small pictures of the mapped rows in one PNG of bounded size."""
    shape = measures.cell_error.shape
    kept = measures.kept
    values = kept.target[kept.at(rows)].reshape(-1, *shape)
    low, high = (0.0, 1.0) if modality.scaling.unit else (float(values.min()), float(values.max()))
    pictures, side = visible(values, low, high), THUMBNAIL
    while True:
        small = shrink(pictures, side)
        sheet = png(contact_sheet(small, SHEET_COLUMNS))
        if len(sheet) <= SHEET_BYTES or side <= 4:
            break
        side //= 2
    uri = data_uri(contact_sheet(small, SHEET_COLUMNS))
    return Thumbnails(uri, small.shape[2], small.shape[1], SHEET_COLUMNS)


def hover_texts(measures: Measures, rows: np.ndarray, modality: Modality) -> list[str]:
    """The first columns of the mapped rows."""
    kept = measures.kept
    names = [clipped(name, 24) for name in modality.column_names()[:HOVER_COLUMNS]]
    texts = []
    for place in kept.at(rows).tolist():
        cells = user_units(modality, kept.target[place].reshape(modality.shape))
        known = [True] * len(names) if kept.known is None else kept.known[place].tolist()
        pairs = (f"{name} {value(cells[at]) if known[at] else 'missing'}" for at, name in enumerate(names))
        texts.append("\n".join(pairs))
    return texts


def as_plain(shown: list[Group], labels: Labels) -> dict[str, Any]:
    """The samples of ``report.json``."""
    return {
        group.name.lower().replace(" ", "_"): [
            {"row": sample.row, "squared_error": sample.error, "label": labels.text(sample.row)}
            for sample in group.samples
        ]
        for group in shown
    }

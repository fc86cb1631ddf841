"""The samples that are shown: pictures in strips, rows in tables, and what hovering over a map tells."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.columns import Column
from ..data.explained import Explanation, plain_values, sum_by_column
from ..data.modality import Modality
from ..data.numbers import Number
from ..data.rows import Rows
from ..data.source import Source
from ..data.tables import Table
from ..diagnosis.explanation import explain
from ..estimators.base import Estimator
from .labels import Labels
from .measure import SHOWN, Measures, Sample
from .pictures import contact_sheet, data_uri, diverging, png, shrink, visible
from .sheet import names_of
from .words import clipped, number, short

MOST_COLUMNS, HOVER_COLUMNS = 12, 4
MOST_SIDE, THUMBNAIL, SHEET_BYTES, SHEET_COLUMNS = 96, 32, 700_000, 50
MARKED = 0.5
MARKED_NATS = (1.0, 2.0, 4.0, 8.0)
LONGEST_VALUE = 18


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


def by_column(cells: np.ndarray, modality: Modality) -> np.ndarray:
    """A number of each cell, summed over the cells of each of the user's columns; what is not known counts nothing."""
    return sum_by_column(np.nan_to_num(cells.reshape(1, -1)), modality)[0]


def chosen_columns(errors: np.ndarray) -> np.ndarray:
    """All columns, or the twelve with the largest error where there are more."""
    if errors.size <= MOST_COLUMNS:
        return np.arange(errors.size)
    worst: np.ndarray = np.sort(np.argsort(-errors, kind="stable")[:MOST_COLUMNS])
    return worst


def user_units(modality: Modality, values: np.ndarray) -> np.ndarray:
    """One sample in the user's units, flat, without rounding to whole numbers."""
    back = modality.scaling.backward(modality.to_user(values[None]))
    return np.asarray(back, dtype=np.float64).reshape(-1)


def lines(
    shown: list[Sample], modality: Modality, labels: Labels, columns: np.ndarray, deviations: np.ndarray
) -> list[Line]:
    """Samples of tables as lines; a difference of half a unit of scale or more is marked, by its size."""
    made, step = [], MARKED / 5 if modality.scaling.unit else MARKED
    places = [column_decimals(shown, modality, at, float(deviations[at])) for at in columns.tolist()]
    for sample in shown:
        observed, expected = user_units(modality, sample.target), user_units(modality, sample.expected)
        distance = np.abs(sample.expected - sample.target).reshape(-1)
        cells = []
        for at, (before, after) in zip(columns.tolist(), places, strict=True):
            known = is_known(sample, at)
            mark = int(min(4, distance[at] // step)) if known else 0
            went_in = value(observed[at], before) if known else "missing"
            cells.append(Cell(went_in, value(expected[at], after), mark))
        made.append(Line(f"{sample.row:,}", labels.text(sample.row), number(sample.error), cells))
    return made


def column_decimals(shown: list[Sample], modality: Modality, at: int, deviation: float) -> tuple[int, int]:
    """Decimals of what went in and of what came back: none and one at most for a column of whole numbers."""
    observed = np.array([user_units(modality, sample.target)[at] for sample in shown if is_known(sample, at)])
    digits = decimals(deviation)
    whole = (np.abs(observed - np.round(observed)) <= 1e-5 * np.maximum(1, np.abs(observed))).all()
    return (0, min(digits, 1)) if whole else (digits, digits)


def is_known(sample: Sample, at: int) -> bool:
    """Whether a cell of a sample is known."""
    return sample.known is None or bool(sample.known.reshape(-1)[at])


def decimals(deviation: float) -> int:
    """Decimals that show a thirtieth of a column's deviation.

    >>> decimals(2000.0), decimals(2.0), decimals(0.02)
    (0, 2, 4)
    """
    return int(np.clip(np.ceil(-np.log10(deviation / 30)), 0, 12)) if deviation > 0 else 3


def value(of: float, digits: int = 3) -> str:
    """A cell of a table, with so many decimals.

    >>> value(1234.0, 0), value(-0.0001), value(0.123456)
    ('1,234', '0', '0.123')
    """
    of = float(of)
    if not np.isfinite(of) or abs(of) >= 1e9 or (of and abs(of) < 1e-6):
        return short(of, 4)
    text = f"{of:,.{digits}f}"
    return text.replace("-", "−") if text.strip("-0.,") else "0"


@dataclass(frozen=True)
class Told:
    """The rows of a table that are shown, column by column.

    Parameters
    ----------
    rows : ndarray of int, sorted
    explanation : Explanation
        Of these rows.
    """

    rows: np.ndarray
    explanation: Explanation


def tell(model: Estimator, source: Source, shown: list[Group]) -> Told | None:
    """Explain the rows that are shown; ``None`` where none is."""
    rows = np.unique([sample.row for group in shown for sample in group.samples]).astype(np.int64)
    return Told(rows, explain(model, Rows(source, rows))) if len(rows) else None


def lines_of_columns(
    shown: list[Sample], table: Table, told: Told, labels: Labels, columns: np.ndarray, deviations: np.ndarray
) -> list[Line]:
    """Rows of a table of columns of several kinds as lines; marked from 1, 2, 4 and 8 nats of surprise on."""
    made, explanation = [], told.explanation
    for sample in shown:
        row, cells = int(np.searchsorted(told.rows, sample.row)), []
        for at in columns.tolist():
            column, deviation = table.columns[at], float(deviations[at])
            expected = spelled(explanation.expected[row, at], column, deviation)
            probability = float(explanation.probability[row, at])
            if np.isfinite(probability):
                expected += f", {int(100 * probability)} %"
            mark = int(np.searchsorted(MARKED_NATS, explanation.surprise[row, at], side="right"))
            cells.append(Cell(spelled(explanation.observed[row, at], column, deviation), expected, mark))
        made.append(Line(f"{sample.row:,}", labels.text(sample.row), number(sample.error), cells))
    return made


def spelled(cell: Any, column: Column, deviation: float) -> str:
    """A value of a column as a reader wants to see it.

    >>> from diabolo.data.choices import Choice
    >>> spelled("red", Choice("color", "object"), 0.0), spelled(None, Choice("color", "object"), 0.0)
    ('red', 'missing')
    """
    if cell is None:
        return "missing"
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime.datetime):
        return cell.replace(tzinfo=None).isoformat(" ", "seconds").removesuffix(":00") + f"{cell:%z}"
    if isinstance(cell, (int, float)) and isinstance(column, Number):
        exact = column.decimals
        digits = decimals(deviation) if np.isfinite(deviation) else 3
        return value(cell, 0 if isinstance(cell, int) else digits if exact is None else min(digits, exact))
    return f"{cell:g}" if isinstance(cell, float) else clipped(cell, LONGEST_VALUE)


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
    names = [clipped(name, 24) for name in names_of(modality)[:HOVER_COLUMNS]]
    texts = []
    for place in kept.at(rows).tolist():
        cells = user_units(modality, kept.target[place].reshape(modality.shape))
        known = [True] * len(names) if kept.known is None else kept.known[place].tolist()
        pairs = (f"{name} {short(cells[at], 4) if known[at] else 'missing'}" for at, name in enumerate(names))
        texts.append("\n".join(pairs))
    return texts


def hover_of_columns(table: Table, source: Source, rows: np.ndarray, deviations: np.ndarray) -> list[str]:
    """The first columns of the mapped rows, of any kind."""
    told = []
    dtypes = table.facts["dtypes"]
    for at, column in enumerate(table.columns[:HOVER_COLUMNS]):
        raw = source.column(at, 0, source.rows)
        values, known = raw.values[rows], raw.known[rows]
        if values.dtype.kind == "f":
            values = np.where(known, values, 0.0)
        name = clipped(column.name, 24)
        cells = plain_values(values, column, dtypes[at], ~known)
        told.append([f"{name} {spelled(cell, column, float(deviations[at]))}" for cell in cells.tolist()])
    return ["\n".join(pairs) for pairs in zip(*told, strict=True)]


def as_plain(shown: list[Group], labels: Labels) -> dict[str, Any]:
    """The samples of ``report.json``."""
    return {
        group.name.lower().replace(" ", "_"): [
            {"row": sample.row, "squared_error": sample.error, "label": labels.text(sample.row)}
            for sample in group.samples
        ]
        for group in shown
    }

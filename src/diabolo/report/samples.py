"""The samples that are shown: pictures in strips, rows in tables, and what hovering over a map tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.modality import Modality
from .labels import Labels
from .measure import SHOWN, Measures, Sample
from .pictures import contact_sheet, data_uri, diverging, png, shrink, visible
from .sheet import names_of
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


def as_plain(shown: list[Group], labels: Labels) -> dict[str, Any]:
    """The samples of ``report.json``."""
    return {
        group.name.lower().replace(" ", "_"): [
            {"row": sample.row, "squared_error": sample.error, "label": labels.text(sample.row)}
            for sample in group.samples
        ]
        for group in shown
    }

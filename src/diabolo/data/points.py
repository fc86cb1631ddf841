"""A table whose rows are points of time: its channels as numbers, and when the points were."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import DataError, ShapeError
from .cells import listed, short
from .dialect import DECIMAL_COMMA, is_number
from .raw import MOMENT, Raw, universal
from .source import Source

FEWEST_STEPS = 3  # of equal size, for a column of numbers to be taken for the time


@dataclass(frozen=True)
class Points:
    """The points of one series.

    Parameters
    ----------
    place : str
    values : ndarray of shape (time, channels), float64
        NaN in gaps.
    names : tuple of str, or None
        The channels' names, where they have some.
    times : ndarray of datetime64, shape (time,), or None
        When the points were, NaT where that is missing.
    written : ndarray of object, shape (time,), or None
        The same, or what else counts the points, as the user wrote it.
    notes : tuple of str
        What was decided that may be otherwise.
    labels : ndarray of shape (time,), or None

    >>> from diabolo.data.memory import in_memory
    >>> points = read_points(in_memory([[1.0, 2.0], [3.0, float("nan")]]))
    >>> len(points), points.gaps, points.names
    (2, 1, None)
    """

    place: str
    values: np.ndarray
    names: tuple[str, ...] | None = None
    times: np.ndarray | None = None
    written: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def gaps(self) -> int:
        """Cells that are missing."""
        return int(np.isnan(self.values).sum())

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels' names, or their numbers."""
        return self.names or tuple(map(str, range(self.values.shape[1])))


def read_points(
    source: Source, wanted: Sequence[str] | None = None, known: Sequence[str] | int | None = None
) -> Points:
    """Read a source as a series: columns that say when the points were are no channels.

    Parameters
    ----------
    source : Source
        Rows in the order of time. Columns of dates say when, and so does one of whole numbers that rise by equal steps,
        as long as others are left to be channels.
    wanted : sequence of str, or None
        The columns that are channels; ``None``: all that hold numbers.
    known : sequence of str, int, or None
        The channels of a detector that is fitted already, by name, or how many. Columns it does not know are left out.

    Raises
    ------
    DataError, ShapeError
        If a channel holds no numbers, or infinite ones; columns are missing; there is no table of rows; or times are
        not in order. The message says where.

    >>> from diabolo.data.memory import in_memory
    >>> import pandas as pd
    >>> days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    >>> points = read_points(in_memory(pd.DataFrame({"day": days, "heat": [20.0, None, 21.0]})))
    >>> points.names, points.values.ravel().tolist(), points.times[0]
    (('heat',), [20.0, nan, 21.0], np.datetime64('2024-01-01T00:00:00.000000'))
    >>> points.notes
    ("column 'day' says when the points were (2024-01-01 to 2024-01-03), and is no channel",)
    """
    refuse_no_table(source)
    width = source.shape[0] if source.shape else 1
    names = list(source.names or map(str, range(width)))
    if source.names is None and isinstance(known, Sequence) and len(known) == width:
        names = list(known)
    raws = [column_of(source, at) for at in range(width)]
    clocks = {at: clock for at, raw in enumerate(raws) for clock in times_of(raw)}
    kept, told = choose_channels(source, raws, names, clocks, wanted, known)
    refuse_text(source.place, [raws[at] for at in kept], names, raws)
    values = np.stack([numbers_of(raws[at]) for at in kept], axis=1)
    refuse_infinite(source, values, kept)
    moments, written, notes = read_times(source, raws, names, {at: clocks[at] for at in clocks if at not in kept})
    plain = source.names is None and len(kept) == width and wanted is None and not isinstance(known, Sequence)
    own = None if plain else tuple(names[at] for at in kept)
    return Points(source.place, values, own, moments, written, (*notes, *told), source.labels)


def choose_channels(
    source: Source,
    raws: Sequence[Raw],
    names: Sequence[str],
    clocks: Mapping[int, np.ndarray | None],
    wanted: Sequence[str] | None,
    known: Sequence[str] | int | None,
) -> tuple[list[int], list[str]]:
    """The places of the channels, and what else was left out."""
    everything = list(range(len(names)))
    if isinstance(known, int) and len(names) == known:
        return everything, []
    asked = wanted if known is None else None if isinstance(known, int) else known
    if asked is not None:
        refuse_unknown_columns(source, names, asked, fitted=known is not None)
        kept = [names.index(name) for name in asked]
        others = [names[at] for at in everything if at not in kept and at not in clocks]
        strange = bool(others) and known is not None
        return kept, [f"{of_columns(others)} left out: the detector knows no such channel"] if strange else []
    kept = [at for at in everything if at not in clocks]
    kept = kept or [at for at, clock in clocks.items() if clock is None]
    if isinstance(known, int) and len(kept) != known:
        many = f"{len(kept)} channel{'' if len(kept) == 1 else 's'} ({listed([names[at] for at in kept])})"
        raise ShapeError(
            f"{source.place} has {many}, and the detector was fitted to {known}. Give the same ones, in the same order."
        )
    empty = [at for at in kept if not raws[at].known.any()]
    if not empty or len(empty) == len(kept) or known is not None:
        return kept, []
    return [at for at in kept if at not in empty], [f"{of_columns([names[at] for at in empty])} empty, and no channel"]


def refuse_no_table(source: Source) -> None:
    """Rows of numbers are points; pictures and sequences are none."""
    if source.lengths is not None:
        raise ShapeError(
            f"{source.place} holds {source.rows:,} series, one in a row. A series has a row for each point of time and "
            "a column for each channel; several go into SeriesAnomalyDetector().fit([one, another]) in Python."
        )
    if len(source.shape) > 1:
        shape = " x ".join(map(str, source.shape))
        raise ShapeError(
            f"{source.place} has rows of {shape}. A series has a row for each point of time and a column for each "
            "channel: (time,) or (time, channels)."
        )


def refuse_unknown_columns(source: Source, names: Sequence[str], asked: Sequence[str], *, fitted: bool) -> None:
    """Name the channels that are not there."""
    lacking = [name for name in asked if name not in names]
    if not lacking:
        return
    if fitted and source.names is None:
        raise DataError(
            f"{source.place} has no names of columns, and {len(names)} of them; the detector was fitted to "
            f"{listed(list(asked))}. Give these {len(asked)} in this order, or with their names."
        )
    if fitted:
        raise DataError(
            f"{source.place}: {of_columns(lacking)} missing; the detector was fitted to {listed(list(asked))}. There "
            f"{'is' if len(names) == 1 else 'are'} {listed(list(names))}."
        )
    raise DataError(f"{source.place}: no column is called {listed(lacking)}. There are {listed(list(names))}.")


def column_of(source: Source, at: int) -> Raw:
    """A whole column; the only one of an array of numbers."""
    if source.names is not None:
        return source.column(at, 0, source.rows)
    values = np.asarray(source.read(0, source.rows)).reshape(source.rows, -1)[:, at].astype(np.float64)
    return Raw(str(at), values, ~np.isnan(values), "float64")


def numbers_of(raw: Raw) -> np.ndarray:
    """A column as numbers with NaN in gaps."""
    values = np.full(len(raw.known), np.nan)
    values[raw.known] = raw.present.astype(np.float64)
    return values


def refuse_infinite(source: Source, values: np.ndarray, kept: Sequence[int]) -> None:
    """Name the first cell that is infinite."""
    wrong = np.argwhere(np.isinf(values))
    if len(wrong):
        row, at = wrong[0].tolist()
        where = source.where(row, (kept[at],)) if source.shape else f"row {row}"
        raise DataError(f"{source.place}: {where} is {values[row, at]:g}. Give finite numbers, and leave gaps empty.")


# Times


def read_times(
    source: Source, raws: Sequence[Raw], names: Sequence[str], clocks: Mapping[int, np.ndarray | None]
) -> tuple[np.ndarray | None, np.ndarray | None, list[str]]:
    """When the points were by a column or a frame's index, as moments and as written, and what is to be said of it."""
    if clocks:
        at = next((at for at, clock in clocks.items() if clock is not None), next(iter(clocks)))
        written = written_of(raws[at])
        return clocks[at], written, said_of_times(source.place, f"column {names[at]!r}", clocks[at], written)
    index = np.asarray(source.index) if source.backend == "pandas" else np.zeros(0)
    if index.dtype.kind != "M":
        return None, None, []
    moments = index.astype(MOMENT)
    written = np.array([spelled_moment(moment) for moment in moments], dtype=object)
    return moments, written, said_of_times(source.place, "the index", moments, written)


def times_of(raw: Raw) -> list[np.ndarray | None]:
    """When the points were, as the only element: moments, or ``None`` where the column counts in another way.

    Empty where the column does not say when.

    >>> times_of(Raw("t", np.array([10.0, 20.0, 30.0, 40.0]), np.ones(4, dtype=bool)))
    [None]
    >>> times_of(Raw("x", np.array([10.0, 20.0, 25.0, 40.0]), np.ones(4, dtype=bool)))
    []
    """
    if raw.kind == "moment":
        return [np.where(raw.known, raw.values, np.datetime64("NaT")).astype(MOMENT)]
    if raw.kind == "word" and raw.known.any():
        moments = [moment_of(cell) for cell in raw.present.tolist()]
        if any(moment is None for moment in moments):
            return []
        values = np.full(len(raw.values), np.datetime64("NaT"), dtype=MOMENT)
        values[raw.known] = np.array(moments, dtype=MOMENT)
        return [values]
    if raw.kind == "number" and raw.known.all() and len(raw.values) > FEWEST_STEPS:
        steps = np.diff(raw.values.astype(np.float64))
        return [None] if steps[0] > 0 and (steps == steps[0]).all() and float(steps[0]).is_integer() else []
    return []


def moment_of(cell: object) -> np.datetime64 | None:
    """A date or a time as ISO 8601 spells it, in universal time where it names a zone.

    >>> moment_of("2024-05-01T12:00:00Z"), moment_of("noon")
    (np.datetime64('2024-05-01T12:00:00.000000'), None)
    """
    try:
        return universal(datetime.datetime.fromisoformat(str(cell)))
    except (ValueError, OverflowError):
        return None


def written_of(raw: Raw) -> np.ndarray:
    """A column's cells as the user wrote them; empty where one is missing."""
    if raw.kind == "word":
        return np.array([cell if here else "" for cell, here in zip(raw.values, raw.known, strict=True)], dtype=object)
    if raw.kind == "moment":
        return np.array([spelled_moment(moment) for moment in raw.values], dtype=object)
    return np.array([f"{number:.0f}" for number in raw.values], dtype=object)


def spelled_moment(moment: np.datetime64) -> str:
    """A moment without the parts that are zero.

    >>> (
    ...     spelled_moment(np.datetime64("2024-01-01T00:00:00.000000")),
    ...     spelled_moment(np.datetime64("2024-01-01T12:30", "us")),
    ... )
    ('2024-01-01', '2024-01-01 12:30:00')
    """
    if np.isnat(moment):
        return ""
    text = str(moment).replace("T", " ")
    return text.removesuffix(".000000").removesuffix(" 00:00:00")


def said_of_times(place: str, name: str, moments: np.ndarray | None, written: np.ndarray) -> list[str]:
    """From when to when, and where points are not evenly spaced; times that go back are refused."""
    if moments is None:
        span = f"{written[0]} to {written[-1]}"
        return [f"{name} counts the points ({span}), and is no channel; --channels changes that"]
    there = np.flatnonzero(~np.isnat(moments))
    steps = np.diff(moments[there]).astype(np.int64)
    back = np.flatnonzero(steps < 0)
    if len(back):
        row, before = int(there[back[0] + 1]), int(there[back[0]])
        raise DataError(
            f"{place}: {name}, row {row} ({written[row]}) comes before row {before} ({written[before]}). Sort "
            "the rows by time; several series in one file each need a file of their own."
        )
    span = f"{written[there[0]]} to {written[there[-1]]}"
    told = [f"{name} says when the points were ({span}), and is no channel"]
    lacking = len(moments) - len(there)
    if lacking:
        told.append(f"{lacking:,} of the times {'is' if lacking == 1 else 'are'} missing; rows count as they come")
    if len(steps) > 1:
        usual = int(np.median(steps))
        longer, same = steps > 1.5 * usual, int((steps == 0).sum())
        if same:
            told.append(f"{same:,} {'point has' if same == 1 else 'points have'} the time of the point before")
        if longer.any() and longer.mean() <= 0.5 and not lacking:
            at = int(steps.argmax())
            told.append(
                f"{longer.sum():,} of the steps {'is' if longer.sum() == 1 else 'are'} longer than the usual one of "
                f"{spelled_step(usual)}, up to {spelled_step(int(steps[at]))} before row {there[at + 1]}; points are "
                "taken as evenly spaced, and rows of empty cells would say where some are missing"
            )
    return told


def spelled_step(microseconds: int) -> str:
    """A length of time in its largest unit.

    >>> spelled_step(300_000_000), spelled_step(129_600_000_000), spelled_step(1_500)
    ('5 minutes', '1.5 days', '0.0015 seconds')
    """
    seconds = microseconds / 1e6
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = f"{seconds / length:.3g}"
            return f"{number} {unit}{'' if number == '1' else 's'}"
    return f"{seconds:.3g} second{'' if seconds == 1 else 's'}"


# Words


def of_columns(names: Sequence[str]) -> str:
    """Columns and their verb.

    >>> of_columns(["a"]), of_columns(["a", "b"])
    ("column 'a' is", "columns 'a', 'b' are")
    """
    return f"column{'s' if len(names) > 1 else ''} {listed(list(names))} {'are' if len(names) > 1 else 'is'}"


def refuse_text(place: str, kept: Sequence[Raw], names: Sequence[str], raws: Sequence[Raw]) -> None:
    """Name the first channel that holds something else than numbers, and say what to do about it."""
    wrong = next((raw for raw in kept if raw.kind in ("word", "moment") and raw.known.any()), None)
    if wrong is None and kept:
        return
    if wrong is None:
        raise DataError(f"{place}: no column is left to be a channel; there are {listed(list(names))}.")
    cells = [(row, cell) for row, cell in enumerate(wrong.values.tolist()) if wrong.known[row]]
    bad = [(row, cell) for row, cell in cells if not is_number(str(cell))]
    row, cell = (bad or cells)[0]
    where = f"{place}: column {wrong.name!r}, row {row} is {short(cell)}"
    if DECIMAL_COMMA.fullmatch(str(cell)):
        raise DataError(f"{where}, which is no number. A decimal comma becomes a point.")
    if len(bad) <= len(cells) // 2:
        raise DataError(f"{where}, which is no number as those of other rows are. Correct it, or leave the cell empty.")
    good = [name for name, raw in zip(names, raws, strict=True) if raw.kind in ("number", "truth") and raw.known.any()]
    advice = f", or name the columns that are channels: --channels {','.join(good)}" if good else ""
    raise DataError(
        f"{where}, which is neither a number nor a time such as 2024-12-31 23:59:59. Leave the column out{advice}"
    )


__all__ = ["Points", "read_points"]

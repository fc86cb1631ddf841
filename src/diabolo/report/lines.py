"""Long series as lines: as many points as a page has pixels, the axis of time, and stretches that are marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from .svg import Plot, coordinate, element, join, ticks
from .words import clipped, short

DAY = 86_400.0
SECONDS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY, 14 * DAY)
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 600)
LEAST_WIDTH = 2.0  # of a mark, so that a single point is seen


def thinned(values: np.ndarray, columns: int) -> list[np.ndarray]:
    """A line's pieces between gaps, ``(points, 2)`` of place and value: of many points the extremes of each column.

    >>> [piece.tolist() for piece in thinned(np.array([1.0, np.nan, 3.0, 2.0]), 10)]
    [[[0.0, 1.0]], [[2.0, 3.0], [3.0, 2.0]]]
    >>> thinned(np.sin(np.arange(100_000.0)), 50)[0].shape
    (100, 2)
    """
    if len(values) <= 2 * columns:
        places, kept = np.arange(len(values)), values
    else:
        edges = np.linspace(0, len(values), columns + 1).astype(int)
        chosen: list[int] = []
        for start, stop in pairwise(edges.tolist()):
            part = values[start:stop]
            known = ~np.isnan(part)
            if not known.any():
                chosen.append(start)
                continue
            ends = (int(np.where(known, part, np.inf).argmin()), int(np.where(known, part, -np.inf).argmax()))
            chosen += [start + at for at in sorted(set(ends))]
        places, kept = np.array(chosen), values[chosen]
    there = ~np.isnan(kept)
    cuts = np.flatnonzero(np.diff(there.astype(int))) + 1
    points = np.stack([places.astype(float), kept], axis=1)
    return [piece for piece in np.split(points, cuts) if len(piece) and not np.isnan(piece[0, 1])]


def line(plot: Plot, values: np.ndarray, kind: str, first: int = 0) -> Markup:
    """A line of values at consecutive points, the first of which lies at ``first``; lone points are strokes."""
    columns = max(1, int(plot.width - plot.left - plot.right))
    drawn = []
    for piece in thinned(values, columns):
        spots = [f"{coordinate(plot.across(first + x))} {coordinate(plot.down(y))}" for x, y in piece.tolist()]
        drawn.append("M" + "L".join(spots) + ("h0.1" if len(spots) == 1 else ""))
    return element("path", d="".join(drawn) or "M0 0", class_=f"line {kind}")


def stretches(flags: np.ndarray, apart: int = 1) -> list[tuple[int, int]]:
    """Where flags are set, as ``(first, behind the last)``; stretches with fewer than ``apart`` points between are one.

    >>> stretches(np.array([0, 1, 1, 0, 1, 0, 0, 1]) > 0), stretches(np.array([0, 1, 1, 0, 1, 0, 0, 1]) > 0, 2)
    ([(1, 3), (4, 5), (7, 8)], [(1, 5), (7, 8)])
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    found: list[tuple[int, int]] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        if found and start - found[-1][1] < apart:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


def marks(plot: Plot, found: Sequence[tuple[int, int]], kind: str, top: float, height: float) -> Markup:
    """Stretches as boxes of at least two units; those that touch become one."""
    boxes: list[list[float]] = []
    for start, stop in found:
        left = max(plot.left, plot.across(max(start - 0.5, plot.x[0])))
        right = max(plot.across(min(stop - 0.5, plot.x[1])), left + LEAST_WIDTH)
        if boxes and left <= boxes[-1][1] + 0.5:
            boxes[-1][1] = max(right, boxes[-1][1])
        else:
            boxes.append([left, right])
    box = f"v{coordinate(height)}"
    drawn = "".join(
        f"M{coordinate(left)} {coordinate(top)}{box}H{coordinate(right)}V{coordinate(top)}Z" for left, right in boxes
    )
    return element("path", d=drawn, class_=kind) if drawn else Markup("")


def frame(plot: Plot, name: str, ticks_up: Sequence[tuple[float, str]], x_ticks: Sequence[tuple[int, str]]) -> Markup:
    """Rules with what they stand for, a name above, and below, where there are some, the ticks of time."""
    right, floor = plot.width - plot.right, plot.height - plot.bottom
    parts = []
    for place, text in ticks_up:
        y = plot.down(place)
        parts.append(element("path", d=f"M{coordinate(plot.left)} {coordinate(y)}H{coordinate(right)}", class_="rule"))
        parts.append(element("text", text, x=plot.left - 7, y=y + 3.8, class_="tick end"))
    parts.append(element("path", d=f"M{coordinate(plot.left)} {coordinate(floor)}H{coordinate(right)}", class_="axis"))
    longest = max(8, int((right - plot.left) / 7))
    parts.append(element("text", clipped(name, longest), x=float(plot.left), y=plot.top - 7, class_="name"))
    behind = -np.inf
    for at, text in x_ticks:
        x, half = plot.across(at), 3.6 * len(text)  # about half of what it takes to write it
        if x - half < behind:  # times that were left out bring ticks together
            continue
        behind = x + half + 4
        parts.append(element("path", d=f"M{coordinate(x)} {coordinate(floor)}v4", class_="axis"))
        parts.append(element("text", text, x=x, y=floor + 17.0, class_="tick middle"))
    return join(parts)


def time_ticks(times: np.ndarray | None, first: int, stop: int, most: int) -> list[tuple[int, str]]:
    """Points at round times, or round numbers of points where no times are known: place and text, ``most`` at most.

    >>> days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]").astype("datetime64[us]")
    >>> time_ticks(days, 0, 60, 3), time_ticks(None, 0, 300, 4)
    ([(0, '2024-01'), (31, '2024-02')], [(0, '0'), (100, '100'), (200, '200')])
    """
    there = np.flatnonzero(~np.isnat(times[first:stop])) + first if times is not None else np.zeros(0, dtype=int)
    if times is None or len(there) < 2 or times[there[0]] == times[there[-1]]:
        return point_ticks(first, stop, most)
    moments = times[there].astype("datetime64[us]")
    rounds, unit = round_times(moments[0], moments[-1], most)
    one_day = moments[0].astype("datetime64[D]") == moments[-1].astype("datetime64[D]")
    found: dict[int, str] = {}
    for moment in rounds:
        at = int(there[np.searchsorted(moments, moment)])
        text = str(moment.astype("datetime64[s]"))
        if unit == "second":
            clock = text[11:] if not text.endswith(":00") else text[11:16]
            found.setdefault(at, clock if one_day else f"{text[5:10]} {clock}")
        else:
            found.setdefault(at, text[: {"day": 10, "month": 7, "year": 4}[unit]])
    return list(found.items())


def round_times(low: np.datetime64, high: np.datetime64, most: int) -> tuple[np.ndarray, str]:
    """Round moments between two, by the smallest step that gives no more than ``most``, and what they are told by."""
    start, end = (int(moment.astype(np.int64)) for moment in (low, high))
    for seconds in SECONDS:
        step = int(seconds * 1_000_000)
        count = end // step - -(-start // step) + 1
        if count <= most:
            rounds = np.arange(-(-start // step), end // step + 1) * step
            return rounds.astype("datetime64[us]"), "day" if seconds >= DAY else "second"
    first, last = (int(moment.astype("datetime64[M]").astype(np.int64)) for moment in (low, high))
    first += int(low > low.astype("datetime64[M]"))
    for step in MONTHS:
        rounds = np.arange(-(-first // step) * step, last + 1, step)
        if len(rounds) <= most:
            break
    moments = rounds[:most].astype("datetime64[M]").astype("datetime64[us]")
    return moments, "year" if step >= 12 else "month"


def point_ticks(first: int, stop: int, most: int) -> list[tuple[int, str]]:
    """Round numbers of points."""
    sizes = (factor * 10**power for power in range(20) for factor in (1, 2, 5))
    step = next(size for size in sizes if (stop - first) / size <= most)
    return [(at, f"{at:,}") for at in range(-(-first // step) * step, stop, step)]


def value_ticks(low: float, high: float, most: int = 3) -> list[tuple[float, str]]:
    """Round values and their texts."""
    return [(value, short(value)) for value in ticks(low, high, most)]


__all__ = ["frame", "line", "marks", "stretches", "thinned", "time_ticks", "value_ticks"]

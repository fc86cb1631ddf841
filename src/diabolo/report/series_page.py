"""The page about a time series: its lines, the score below them, and each strange stretch from close by."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from . import anomalies, figures, findings
from .lines import frame, line, marks, stretches, time_ticks, value_ticks
from .page import asset, environment
from .series import SeriesReport, Stretch, cards, comparison, explanation, headline
from .svg import Limits, Plot, element, limits
from .words import clipped, count, share, short

WIDE, NARROW = 1000.0, 440.0
MOST_PANELS, MOST_CLOSE, MOST_BARS = 8, 8, 30
PANEL, SCORE, GAP = 84.0, 130.0, 30.0
MOST_CLOSE_PANELS = 2
RANKED = 9  # stretches whose rank is written over them


def render(found: SeriesReport) -> str:
    """The page as text."""
    shown = chosen_channels(found)
    title, text = headline(found), explanation(found)
    comparing = comparison(found)
    known = ~np.isnan(found.scores)
    return (
        environment()
        .get_template("series.html.jinja")
        .render(
            headline=title,
            explanation=text,
            cards=cards(found),
            title=series_title(found, shown),
            note=series_note(found, shown),
            wide=overview(found, shown, WIDE),
            narrow=overview(found, shown, NARROW),
            labelled=found.labels is not None and bool(found.labels.any()),
            flagged=bool(found.flags.any()),
            strangest=found.strangest,
            stretches_title=stretches_title(found),
            near=[(at, each, close_up(found, each)) for at, each in enumerate(found.strangest[:MOST_CLOSE], start=1)],
            histogram=anomalies.score_histogram(found.scores[known], found.flags[known], found.cut, "points"),
            judges=found.judges,
            judges_title=comparing[0],
            judges_text=comparing[1],
            peaks=found.peaks,
            channels=channel_bars(found),
            noun="points",
            sheet=found.sheet,
            sheet_title=data_title(found),
            origin=found.origin,
            origin_title=findings.origin(found.origin),
            parameters=found.parameters,
            style=Markup(asset("style.css")),
        )
    )


def data_title(found: SeriesReport) -> str:
    """What the data is."""
    points = found.points
    what = f"{count(len(points), 'point')} of {count(points.values.shape[1], 'channel')}"
    if not points.gaps:
        return f"{what}, nothing missing"
    return f"{what}, {count(points.gaps, 'cell')} missing ({share(points.gaps / points.values.size)})"


# The whole series


def chosen_channels(found: SeriesReport) -> list[int]:
    """The channels that are drawn, in the order of the data: those that make the strangest stretches strange."""
    width = found.points.values.shape[1]
    if width <= MOST_PANELS:
        return list(range(width))
    weight = np.zeros(width)
    for each in found.strangest:
        weight += np.nan_to_num(found.share[each.start : each.stop]).mean(0)
    return sorted(np.argsort(-weight, kind="stable")[:MOST_PANELS].tolist())


def channel_name(found: SeriesReport, channel: int) -> str:
    """What a channel is called."""
    return clipped(found.points.channels[channel]) if found.points.names else f"channel {channel}"


def value_limits(values: np.ndarray) -> Limits:
    """What an axis spans; something where nothing is known."""
    return limits(values, 0.06)


def score_limits(found: SeriesReport) -> Limits:
    """What the axis of scores spans, even around 0 and in powers far from it."""
    known = found.scores[~np.isnan(found.scores)]
    most = max([float(known.max(initial=0.0)), found.cut or 0.0, 1e-3])
    return 0.0, float(np.arcsinh(most)) * 1.08


def score_ticks(plot: Plot) -> list[tuple[float, str]]:
    """Round scores that leave room for each other, powers of ten first."""
    kept: list[tuple[float, str]] = []
    powers = [scale * 10.0**power for power in range(-3, 12) for scale in (1, 2, 5)]
    for value in [0.0, *sorted(powers, key=lambda value: (np.log10(value) % 1 != 0, -value))]:
        at = float(np.arcsinh(value))
        if at <= plot.y[1] and all(abs(plot.down(at) - plot.down(other)) >= 22 for other, _ in kept):
            kept.append((at, short(value)))
    return sorted(kept)


def overview(found: SeriesReport, channels: list[int], width: float) -> Markup:
    """All points of some channels, one above the other, and the score below; what is flagged is marked."""
    points = found.points
    last = max(len(points) - 1, 1)
    height = 18 + len(channels) * (PANEL + GAP) + SCORE + 2 * GAP
    x = (0.0, float(last))
    flagged = stretches(found.flags)
    labelled = [] if found.labels is None else stretches(found.labels)
    parts: list[Markup] = []

    def panel(y: Limits, top: float, tall: float) -> Plot:
        return Plot(x, y, width=width, height=height, top=top, bottom=height - top - tall)

    for row, channel in enumerate(channels):
        top = 18 + GAP / 2 + row * (PANEL + GAP)
        values = points.values[:, channel]
        low, high = value_limits(values)
        plot = panel((low, high), top, PANEL)
        parts.append(marks(plot, flagged, "band", top, PANEL))
        parts.append(frame(plot, channel_name(found, channel), value_ticks(low, high), []))
        parts.append(line(plot, values, "thin seen"))
        if labelled:
            parts.append(marks(plot, labelled, "labelled", top + PANEL + 2, 4))
        if row == 0:
            parts.append(ranks(found, plot))
    top = 18 + GAP / 2 + len(channels) * (PANEL + GAP)
    plot = panel(score_limits(found), top, SCORE)
    parts.append(marks(plot, flagged, "band", top, SCORE))
    parts.append(frame(plot, "score", score_ticks(plot), time_ticks(points.times, 0, len(points), int(width // 130))))
    parts.append(line(plot, np.arcsinh(found.scores), "thin held"))
    parts.append(cut_rule(found, plot))
    if points.times is None:
        middle = (plot.left + plot.width - plot.right) / 2
        parts.append(element("text", "point", x=middle, y=plot.height - 4, class_="label middle"))
    name = f"{count(len(points), 'point')} and their scores"
    return plot.draw(name, *parts, class_="wide-only" if width == WIDE else "narrow-only")


def cut_rule(found: SeriesReport, plot: Plot) -> Markup:
    """The score above which points are flagged."""
    if found.cut is None:
        return Markup("")
    y, right = plot.down(float(np.arcsinh(max(found.cut, 0.0)))), plot.width - plot.right
    text = element("text", f"flagged beyond {short(found.cut)}", x=right, y=y - 5.0, class_="warn end halo")
    return element("path", d=f"M{plot.left:.0f} {y:.1f}H{right:.0f}", class_="cut") + text


def ranks(found: SeriesReport, plot: Plot) -> Markup:
    """The ranks of the strangest stretches that are flagged, over them, as far as there is room."""
    written: list[float] = []
    parts = []
    for rank, each in enumerate(found.strangest[:RANKED], start=1):
        x = plot.across((each.start + each.stop - 1) / 2)
        if not each.flagged or any(abs(x - other) < 14 for other in written):
            continue
        written.append(x)
        parts.append(element("text", str(rank), x=x, y=plot.top + 11, class_="warn middle halo"))
    return Markup("").join(parts)


def series_title(found: SeriesReport, shown: list[int]) -> str:
    """What is drawn."""
    width = found.points.values.shape[1]
    if width == 1:
        return "The series and its score"
    return "The channels and the score" if len(shown) == width else f"{len(shown)} of {width} channels, and the score"


def series_note(found: SeriesReport, shown: list[int]) -> str:
    """How to read the drawing."""
    width = found.points.values.shape[1]
    text = "Each point's score is the mean over all windows that cover it, so that what is strange stands out a window"
    text += f" wide ({found.detector.window_:,} points)."
    if len(shown) < width:
        text = f"Drawn are the {len(shown)} channels that make the strangest stretches strange. {text}"
    if found.scores.size > 2 * WIDE:
        text += " Where there are more points than pixels, the lowest and the highest of each pixel are drawn."
    return text


# Stretches


def stretches_title(found: SeriesReport) -> str:
    """How many stretches are told of."""
    if not found.flagged:
        return "The strangest stretches, none of them flagged"
    shown = sum(each.flagged for each in found.strangest)
    if shown < found.flagged:
        return f"The {shown} strangest of {found.flagged:,} stretches"
    return "The strangest stretches"


def close_up(found: SeriesReport, each: Stretch) -> Markup:
    """A stretch and what is around it: what came over what was expected, of the channels most to blame."""
    points, window = found.points, found.detector.window_
    around = max(window // 2, (each.stop - each.start) // 2, 8)
    start, stop = max(0, each.start - around), min(len(points), each.stop + around)
    names = {
        clipped(name) if points.names else f"channel {name}": at
        for at, name in reversed(list(enumerate(points.channels)))
    }
    channels = [names[reason.channel] for reason in each.reasons[:MOST_CLOSE_PANELS]] or [0]
    tall = 110.0 if len(channels) > 1 else 150.0
    height = 8 + len(channels) * (tall + 26) + 20
    x = (float(start), float(max(stop - 1, start + 1)))
    parts = []
    for row, channel in enumerate(channels):
        top = 20 + row * (tall + 26)
        seen, expected = points.values[start:stop, channel], found.expected[start:stop, channel]
        low, high = close_limits(seen, expected)
        plot = Plot(x, (low, high), height=height, top=top, bottom=height - top - tall)
        bottom = row == len(channels) - 1
        ticks = time_ticks(points.times, start, stop, 4) if bottom else []
        parts.append(marks(plot, [(each.start, each.stop)], "band", top, tall))
        parts.append(frame(plot, channel_name(found, channel), value_ticks(low, high), ticks))
        drawn = line(plot, expected, "thin expected", start) + line(plot, seen, "thin seen", start)
        parts.append(plot.within(drawn) if (expected > high).any() or (expected < low).any() else drawn)
    name = f"{each.when}: what came and what was expected"
    return Plot(x, (0, 1), height=height).draw(name, *parts)


def close_limits(seen: np.ndarray, expected: np.ndarray) -> Limits:
    """What an axis spans: all that came, and as much of what was expected as leaves it readable."""
    whole = limits(np.concatenate([seen, expected]), 0.06)
    own = limits(seen, 0.06)
    room = own[1] - own[0]
    if np.isnan(seen).all() or whole[1] - whole[0] < 4 * room:
        return whole
    return max(whole[0], own[0] - room), min(whole[1], own[1] + room)


def channel_bars(found: SeriesReport) -> dict[str, Any] | None:
    """Which channels make the error of what is flagged, or of the strangest stretches; ``None`` for one channel."""
    width = found.points.values.shape[1]
    if width == 1:
        return None
    where = found.flags if found.flags.any() else np.zeros(len(found.points), dtype=bool)
    for each in found.strangest if not found.flags.any() else []:
        where[each.start : each.stop] = True
    part = np.nan_to_num(found.share[where]).mean(0) if where.any() else np.zeros(width)
    usual = np.nan_to_num(found.share[~where & ~np.isnan(found.scores)])
    beside = usual.mean(0) if len(usual) else np.zeros(width)
    order = np.argsort(-part, kind="stable")[:MOST_BARS]
    names = [channel_name(found, at) for at in order.tolist()]
    best = names[0] if found.points.names else names[0].capitalize()
    first = f"{best} makes {100 * part[order[0]]:.0f}\u00a0% of the error of what is "
    first += "flagged" if found.flags.any() else "strangest"
    text = "What each channel makes of the error of the windows there, beside what it makes of it elsewhere."
    if width > MOST_BARS:
        text += f" The {MOST_BARS} channels with most of it; {width - MOST_BARS:,} more are not shown."
    bars = figures.bars(
        names, part[order].tolist(), ["ours"] * len(order), "share of each channel", beside[order].tolist()
    )
    return {"title": first, "text": text, "bars": bars}


__all__ = ["render"]

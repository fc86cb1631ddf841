"""Figures as inline SVG, drawn from numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from ..training import History
from .baseline import Duel
from .codes import CodeStatistics, Maps
from .labels import Labels
from .pictures import GRAY, data_uri, diverging
from .svg import Limits, Plot, coordinate, element, join, limits, ticks
from .words import clipped, number, short

NOT_LOSSES = {"epoch", "learning_rate", "seconds", "rounds", "validation_loss", "validation_squared_error", "loss"}
DIRECT_LABEL = 12


def bars(
    names: Sequence[str], values: Sequence[float], kinds: Sequence[str], what: str, beside: Sequence[float] = ()
) -> Markup:
    """Horizontal bars with their numbers; ``beside`` draws a quiet bar behind each.

    >>> "<b>" in bars(["<b>"], [1.0], ["ours"], "errors")
    False
    """
    line, left, right, width = 24, 150, 66, 460
    finite = [value for value in (*values, *beside) if np.isfinite(value)]
    most = max(finite, default=0.0) or 1.0
    rows = []
    for at, (name, value, kind) in enumerate(zip(names, values, kinds, strict=True)):
        y, room = 4 + at * line, width - left - right
        drawn = value if np.isfinite(value) else 0.0
        title = element("title", clipped(name, 200))
        rows.append(element("text", title, clipped(name, 22), x=float(left - 10), y=y + 14.5, class_="name end"))
        if len(beside):
            quiet = beside[at] if np.isfinite(beside[at]) else 0.0
            rows.append(
                element("rect", x=float(left), y=y + 2.0, width=room * quiet / most, height=16.0, class_="quiet")
            )
        thick, top = (8.0, y + 6.0) if len(beside) else (16.0, y + 2.0)
        rows.append(
            element("rect", x=float(left), y=top, width=max(1.0, room * drawn / most), height=thick, class_=kind)
        )
        end = left + room * max(drawn, beside[at] if len(beside) and np.isfinite(beside[at]) else 0.0) / most
        rows.append(element("text", number(value), x=end + 8.0, y=y + 14.5, class_="tick"))
    return Plot((0, 1), (0, 1), width=width, height=8 + line * len(names)).draw(what, *rows)


def duel_bars(result: Duel) -> Markup:
    """The three errors under the headline."""
    names = ["the mean alone", f"PCA, {result.components} numbers", f"autoencoder, {result.code_size}"]
    return bars(names, [result.mean, result.pca, result.autoencoder], ["other", "other", "ours"], "squared errors")


def curve_limits(series: Sequence[Sequence[float | None]]) -> Limits:
    """What a loss axis spans: all of the later epochs, and as much of the first ones as leaves these readable.

    >>> curve_limits([[1000.0, *[1.0, 0.0] * 50]])[1] < 100
    True
    """
    every = [np.array([np.nan if v is None else v for v in values], dtype=float) for values in series]
    late = [values[min(len(values) - 1, len(values) // 20) :] for values in every if len(values)]
    settled = limits(np.concatenate(late)) if late else (0.0, 1.0)
    whole = limits(np.concatenate(every)) if every else settled
    return settled if whole[1] - whole[0] > 4 * (settled[1] - settled[0]) else whole


def epoch_plot(history: History, y: Limits, **options: object) -> Plot:
    """Axes over epochs, which a reader counts from 1."""
    last = max(2, len(history))
    return Plot((1, last), y, **options)  # type: ignore[arg-type]


def whole_ticks(low: float, high: float) -> list[float]:
    """Epochs are whole."""
    return sorted({float(round(tick)) for tick in ticks(low, high) if tick >= low})


def loss_curves(history: History) -> Markup:
    """Loss and validation loss over epochs, with the epoch that was kept."""
    epochs = [row["epoch"] + 1 for row in history]
    columns = [name for name in ("loss", "validation_loss") if name in history.columns]
    plot = epoch_plot(history, curve_limits([history[name] for name in columns]), height=400)
    lines = [plot.line(epochs, history[name], "train" if name == "loss" else "held") for name in columns]
    mark = Markup("")
    if history.best_epoch is not None:
        x = plot.across(history.best_epoch + 1)
        side = ("end", -6.0) if history.best_epoch + 1 > plot.x[1] / 2 else ("start", 6.0)
        rule = f"M{coordinate(x)} {coordinate(plot.top)}V{coordinate(plot.height - plot.bottom)}"
        text = element(
            "text", f"epoch {history.best_epoch + 1} kept", x=x + side[1], y=plot.top + 12, class_=f"mark {side[0]}"
        )
        mark = element("path", d=rule, class_="kept") + text
        kept = next((row for row in history if row["epoch"] == history.best_epoch), {})
        if "validation_loss" in kept:
            mark += plot.dot(x, plot.down(kept["validation_loss"]), "held")
    axes = plot.axes("epoch", "nats per sample", whole_ticks(*plot.x))
    return plot.draw("loss over epochs", axes, plot.within(*lines), mark)


def small_curve(history: History, column: str, label: str, log: bool = False, kind: str = "held") -> Markup:
    """One column of the history over epochs."""
    values = [value for value in history[column] if value is not None and np.isfinite(value)]
    if log:
        y = limits(np.log10([value for value in values if value > 0] or [1.0]))
    else:
        y = limits([*values, 0.0] if column == "learning_rate" else values)
    plot = epoch_plot(history, y, height=190, log=log)
    line = plot.line([row["epoch"] + 1 for row in history], history[column], kind)
    return plot.draw(f"{label} over epochs", plot.axes("epoch", label, whole_ticks(*plot.x)), line)


def term_names(history: History) -> list[str]:
    """The columns that hold parts of the loss, in an order that does not depend on where the history comes from.

    What a rival itself minimizes is no part of the loss.

    >>> term_names(History([{"epoch": 0, "loss": 1.0, "reconstruction": 0.5, "kl": 0.5}]))
    ['reconstruction', 'kl']
    """
    rivals = {f"{name}_rival" for name in history.columns}
    found = set(history.columns) - set(NOT_LOSSES) - rivals
    return sorted(found, key=lambda name: (name != "reconstruction", name))


def unit_bars(statistics: CodeStatistics, values: np.ndarray, what: str) -> Markup:
    """A number of each unit, the units in the order of their variance; dead ones hollow."""
    order = statistics.order
    most = float(np.nanmax(values))
    plot = Plot((0.5, len(order) + 0.5), (0.0, 1.05 * most if most > 0 else 1.0), height=230)
    width, floor = max(plot.across(1.9) - plot.across(1.1), 0.8), plot.height - plot.bottom
    width = min(width, 60.0)
    parts = []
    for place, unit in enumerate(order.tolist(), start=1):
        top = min(plot.down(values[unit]), floor - 1.5)
        title = element("title", f"unit {unit}: {number(float(values[unit]))}")
        kind = "dead" if statistics.dead[unit] else "ours"
        x = plot.across(place) - width / 2
        parts.append(element("rect", title, x=x, y=top, width=width, height=floor - top, class_=kind))
    axes = plot.axes("unit, the most varied first", what, [])
    names = [
        element("text", unit, x=plot.across(place), y=floor + 16.0, class_="tick middle")
        for place, unit in unit_ticks(order)
    ]
    return plot.draw(f"{what} of each unit of the code", axes, *names, *parts)


def unit_ticks(order: np.ndarray) -> list[tuple[int, str]]:
    """Places on an axis of units and the units there, 16 at most.

    >>> unit_ticks(np.array([2, 0, 1]))
    [(1, '2'), (2, '0'), (3, '1')]
    """
    step = max(1, -(-len(order) // 16))
    return [(place + 1, str(int(order[place]))) for place in range(0, len(order), step)]


def correlation_map(statistics: CodeStatistics) -> Markup:
    """Correlations as a square, warm where units rise together, cool where one falls."""
    size = len(statistics.correlated)
    side = min(400, max(150, 40 * size))
    plot = Plot(
        (0.5, size + 0.5), (size + 0.5, 0.5), width=side + 60, height=side + 48, left=46, right=14, top=8, bottom=40
    )
    painted = diverging(statistics.correlation, 1.0)
    painted[np.arange(size), np.arange(size)] = (*GRAY, 90)  # each with itself: nothing to tell
    picture = element(
        "image",
        href=data_uri(painted),
        x=plot.left,
        y=plot.top,
        width=float(side),
        height=float(plot.height - plot.top - plot.bottom),
        preserveAspectRatio="none",
        class_="pixels",
    )
    labels = []
    for place, unit in unit_ticks(statistics.correlated):
        labels.append(
            element("text", unit, x=plot.across(place), y=plot.height - plot.bottom + 15, class_="tick middle")
        )
        labels.append(element("text", unit, x=plot.left - 6, y=plot.down(place) + 3.8, class_="tick end"))
    middle = plot.left + side / 2
    labels.append(element("text", "unit, the most varied first", x=middle, y=plot.height - 6, class_="label middle"))
    edge = element(
        "rect", x=plot.left, y=plot.top, width=float(side), height=plot.height - plot.top - plot.bottom, class_="edge"
    )
    return plot.draw("correlations between units", picture, edge, *labels, style=f"max-width: {side + 60}px")


def histogram_of(unit: int, counts: np.ndarray, low: float, high: float, dead: bool) -> Markup:
    """How often one unit takes which value."""
    plot = Plot((low, high), (0, float(counts.max()) or 1.0), width=150, height=84, left=6, right=6, top=16, bottom=18)
    width = (plot.width - plot.left - plot.right) / len(counts)
    steps = [
        f"M{coordinate(plot.left + at * width)} {coordinate(plot.height - plot.bottom)}V{coordinate(plot.down(value))}"
        f"h{coordinate(width)}V{coordinate(plot.height - plot.bottom)}Z"
        for at, value in enumerate(counts.tolist())
        if value
    ]
    floor = plot.height - plot.bottom
    return plot.draw(
        f"values of unit {unit}",
        element("path", d="".join(steps), class_="dead" if dead else "ours"),
        element(
            "path",
            d=f"M{coordinate(plot.left)} {coordinate(floor)}H{coordinate(plot.width - plot.right)}",
            class_="axis",
        ),
        element("text", f"unit {unit}{', dead' if dead else ''}", x=plot.left, y=11.0, class_="name"),
        element("text", short(low, 2), x=plot.left, y=plot.height - 5.0, class_="tick"),
        element("text", short(high, 2), x=plot.width - plot.right, y=plot.height - 5.0, class_="tick end"),
    )


def places(points: np.ndarray, square: bool = True) -> list[list[float]]:
    """Where points lie on their map, for the script that looks for the nearest."""
    plot = map_plot(points, square)
    inside = np.clip(points, [plot.x[0], plot.y[0]], [plot.x[1], plot.y[1]])
    return [[round(plot.across(x), 1), round(plot.down(y), 1)] for x, y in inside.tolist()]


def outside(points: np.ndarray, square: bool = True) -> int:
    """How many points lie so far out that they are drawn on the frame.

    >>> outside(np.array([[0.0, 0.0], [1.0, 1.0]] * 500 + [[90.0, 90.0]]))
    1
    """
    plot = map_plot(points, square)
    return int(((points < [plot.x[0], plot.y[0]]) | (points > [plot.x[1], plot.y[1]])).any(1).sum())


def core_limits(values: np.ndarray) -> Limits:
    """What most values span, with room; all of them where none lies far out."""
    low, high = np.quantile(values, [0.005, 0.995]).tolist()
    room = 0.4 * (high - low) or np.inf
    whole = limits(values, 0.04)
    return max(whole[0], low - room), min(whole[1], high + room)


def map_plot(points: np.ndarray, square: bool) -> Plot:
    """Axes that hold all points; one scale for both where the plane has no preferred direction."""
    x, y = core_limits(points[:, 0]), core_limits(points[:, 1])
    if square:
        half = max(x[1] - x[0], y[1] - y[0]) / 2
        x, y = ((sum(pair) / 2 - half, sum(pair) / 2 + half) for pair in (x, y))
    return Plot(x, y, width=480, height=480, left=52, right=10, top=10, bottom=42)


def scatter(
    points: np.ndarray, labels: Labels, rows: np.ndarray, name: str, axes: tuple[str, str], square: bool
) -> Markup:
    """Rows in a plane, one path for each color, with the classes' names where their middle lies."""
    plot = map_plot(points, square)
    drawn = np.array(places(points, square))
    written: list[tuple[float, float, float]] = []
    groups = labels.groups[rows]
    prefix = "s" if labels.kind == "scale" else "c"
    dots = []
    for group in sorted(set(groups.tolist())):
        path = "".join(f"M{coordinate(x)} {coordinate(y)}h0" for x, y in drawn[groups == group].tolist())
        kind = f"{prefix}{group}" if group >= 0 else ("c0" if labels.kind == "none" else "none")
        size = "few" if len(rows) <= 400 else "many"
        dots.append(element("path", d=path, class_=f"points {size} {kind}"))
    if labels.kind == "classes":
        for group in np.argsort(-np.bincount(groups[groups >= 0], minlength=1), kind="stable").tolist():
            mine, text = drawn[groups == group], labels.names[group]
            if len(mine) < len(rows) / 100 or text == "others" or len(text) > DIRECT_LABEL:
                continue
            x, y = np.median(mine, axis=0).tolist()
            half = 5.0 * len(text) + 3
            if all(abs(y - other[1]) > 15 or abs(x - other[0]) > half + other[2] for other in written):
                written.append((x, y, half))
                dots.append(element("text", text, x=x, y=y + 4, class_="direct middle"))
    frame = bare_axes(plot, *axes) if name.startswith("t-SNE") else plot.axes(*axes)
    ring = element("circle", r="6", class_="ring")
    return plot.draw(name, frame, *dots, ring, class_="map")


def bare_axes(plot: Plot, x_label: str, y_label: str) -> Markup:
    """A frame without ticks, for a plane whose distances have no unit."""
    width, height = plot.width - plot.left - plot.right, plot.height - plot.top - plot.bottom
    edge = element("rect", x=plot.left, y=plot.top, width=float(width), height=float(height), class_="edge")
    turn = f"rotate(-90) translate({coordinate(-(plot.top + height / 2))} {coordinate(plot.left - 12)})"
    across = element("text", x_label, x=plot.left + width / 2, y=plot.top + height + 20.0, class_="label middle")
    return join([edge, across, element("text", y_label, transform=turn, class_="label middle")])


def tsne_map(maps: Maps, labels: Labels) -> Markup:
    """The map that keeps neighbors together."""
    assert maps.tsne is not None
    axes = ("t-SNE 1 (no unit)", "t-SNE 2 (no unit)")
    return scatter(maps.tsne, labels, maps.rows, "t-SNE of the codes", axes, square=True)


def pca_map(maps: Maps, labels: Labels) -> Markup:
    """The map that keeps large distances; for one unit, its value and what was lost."""
    if maps.one_unit:
        axes = ("value of the code", "squared error")
        return scatter(maps.pca, labels, maps.rows, "value and error", axes, square=False)
    first, second = (f"{100 * part:.0f} % of the variance" for part in maps.pca_shares)
    axes = (f"1st component, {first}", f"2nd component, {second}")
    return scatter(maps.pca, labels, maps.rows, "principal components of the codes", axes, square=True)

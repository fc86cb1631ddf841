"""A few lines of SVG: elements, axes and plots. Colors live in the page's style sheet, by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from .words import short

Limits = tuple[float, float]


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element; text and values are escaped, ``_`` in an attribute's name stands for ``-``.

    >>> element("text", "a < b", x=1.25, class_="tick")
    Markup('<text x="1.2" class="tick">a &lt; b</text>')
    """
    pairs = [f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"' for name, value in attributes.items()]
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{''.join(pairs)}>{inside}</{tag}>")


def _value(value: object) -> str:
    return coordinate(value) if isinstance(value, (float, np.floating)) else str(escape(value))


def coordinate(value: float | np.floating) -> str:
    """A place on the page to a tenth of a unit.

    >>> coordinate(3.04), coordinate(-0.01)
    ('3', '0')
    """
    text = f"{value:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")


def join(parts: Sequence[Markup]) -> Markup:
    """Elements one after the other.

    >>> join([element("g"), element("g")])
    Markup('<g></g><g></g>')
    """
    return Markup("").join(parts)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two limits.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if (high - low) / (step * factor) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def limits(values: Sequence[float] | np.ndarray, margin: float = 0.06) -> Limits:
    """The finite values' range with some room around it.

    >>> limits([1.0, 1.0]), limits([])
    ((0.5, 1.5), (0.0, 1.0))
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    room = margin * (high - low) if high > low else 0.5 * max(abs(high), 1e-12)
    return low - room, high + room


@dataclass(frozen=True)
class Plot:
    """A rectangle with two axes.

    Parameters
    ----------
    x, y : (low, high)
        What the axes span.
    width, height, left, right, top, bottom : float
        The picture's size and its margins.
    log : bool
        Whether the vertical axis counts powers of ten; ``y`` is then in powers.

    >>> plot = Plot((0, 1), (0, 1), width=120, height=100, left=10, right=10, top=0, bottom=0)
    >>> plot.across(0.5), plot.down(1.0)
    (60.0, 0.0)
    """

    x: Limits
    y: Limits
    width: float = 460
    height: float = 270
    left: float = 58
    right: float = 14
    top: float = 12
    bottom: float = 42
    log: bool = False

    def across(self, x: float) -> float:
        """Where a value of the horizontal axis lies."""
        return self.left + (x - self.x[0]) / (self.x[1] - self.x[0]) * (self.width - self.left - self.right)

    def down(self, y: float) -> float:
        """Where a value of the vertical axis lies."""
        value = math.log10(max(y, 1e-300)) if self.log else y
        inner = self.height - self.top - self.bottom
        return self.height - self.bottom - (value - self.y[0]) / (self.y[1] - self.y[0]) * inner

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str) -> Markup:
        """A line through the points that are finite; a lone point becomes a dot."""
        points = [(self.across(x), self.down(y)) for x, y in zip(xs, ys, strict=True) if _drawable(y, self.log)]
        if len(points) == 1:
            return self.dot(*points[0], kind)
        path = "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points) if points else "M0 0"
        return element("path", d=path, class_=f"line {kind}")

    def dot(self, x: float, y: float, kind: str) -> Markup:
        """A dot at a place on the page."""
        return element("circle", cx=float(x), cy=float(y), r="3.5", class_=f"dot {kind}")

    def axes(self, x_label: str, y_label: str, x_ticks: Sequence[float] | None = None) -> Markup:
        """Both axes with ticks, labels and quiet horizontal rules."""
        right, floor = self.width - self.right, self.height - self.bottom
        parts = []
        for value, text in self._marks():
            y = self.down(value)
            parts.append(
                element("path", d=f"M{coordinate(self.left)} {coordinate(y)}H{coordinate(right)}", class_="rule")
            )
            parts.append(element("text", text, x=self.left - 7, y=y + 3.8, class_="tick end"))
        for value in ticks(*self.x) if x_ticks is None else x_ticks:
            parts.append(element("text", short(value), x=self.across(value), y=floor + 16.0, class_="tick middle"))
        parts.append(
            element("path", d=f"M{coordinate(self.left)} {coordinate(floor)}H{coordinate(right)}", class_="axis")
        )
        middle = (self.left + right) / 2
        parts.append(element("text", x_label, x=middle, y=self.height - 6.0, class_="label middle"))
        turn = f"rotate(-90) translate({coordinate(-(self.top + floor) / 2)} 13)"
        parts.append(element("text", y_label, transform=turn, class_="label middle"))
        return join(parts)

    def _marks(self) -> list[tuple[float, str]]:
        if not self.log:
            return [(value, short(value)) for value in ticks(*self.y, most=4)]
        low, high = self.y
        steps = [m * 10.0**p for p in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
        inside = [step for step in steps if low <= math.log10(step) <= high]
        if len(inside) < 3:
            inside = [step for step in ticks(10**low, 10**high) if step > 0]
        powers = [step for step in inside if abs(math.log10(step) % 1) < 1e-9]
        return [(step, short(step)) for step in (powers if len(powers) > 3 else inside)]

    def within(self, *children: Markup) -> Markup:
        """Draw on the same coordinates, but cut off what lies beyond the axes."""
        width, height = self.width - self.left - self.right, self.height - self.top - self.bottom
        box = f"{coordinate(self.left)} {coordinate(self.top)} {coordinate(width)} {coordinate(height)}"
        place = {"x": float(self.left), "y": float(self.top), "width": float(width), "height": float(height)}
        return element("svg", *children, **place, viewBox=box, overflow="hidden")

    def draw(self, name: str, *children: Markup, **attributes: object) -> Markup:
        """The whole picture, with a name for those who cannot see it."""
        box = f"0 0 {coordinate(self.width)} {coordinate(self.height)}"
        return element("svg", *children, viewBox=box, role="img", aria_label=name, **attributes)


def _drawable(y: float | None, log: bool) -> bool:
    return y is not None and math.isfinite(y) and (y > 0 or not log)

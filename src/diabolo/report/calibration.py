"""Whether an imputer's intervals hold what they promise: measured, said and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from ..data.source import Source
from ..tasks.holes import Chosen
from ..tasks.imputer import Imputer
from .baseline import Split
from .svg import Plot, join
from .words import count, share

MOST_ROWS = 2048
WIDTH = "max-width: 400px"
TOLERATED = 0.03  # how far what is found may be from what was promised to be called as it should be


@dataclass(frozen=True)
class Calibration:
    """How many hidden numbers lie inside intervals.

    Parameters
    ----------
    points : list of (promised, found)
        NaN where there was nothing to hide.
    rows : int
        Rows whose cells were hidden.
    own : bool
        Whether the imputer measured its errors on these rows, so that its intervals are fitted to them.
    """

    points: list[tuple[float, float]]
    rows: int
    own: bool


def calibrate(imputer: Imputer, source: Source, split: Split) -> Calibration:
    """Hide a fifth of the known cells of the rows that judge, and see how many numbers the intervals hold."""
    rows = split.judged[:MOST_ROWS]
    own = split.kind in ("held out", "seen")
    return Calibration(imputer.calibration(Chosen(source, rows)), len(rows), own)


def finding(calibration: Calibration) -> tuple[str, str]:
    """What the plot shows.

    >>> finding(Calibration([(0.5, 0.4), (0.9, 0.8)], 20, False))[0]
    'Intervals of 90 % hold 80 % of hidden numbers: too narrow'
    """
    points = [point for point in calibration.points if np.isfinite(point[1])]
    if not points:
        return "No number could be hidden", "Intervals are made for columns of numbers; here is none."
    promised, found = min(points, key=lambda point: abs(point[0] - 0.9))
    off = found - promised
    verdict = "as they should be" if abs(off) <= TOLERATED else "too wide" if off > 0 else "too narrow"
    text = f"A fifth of the known cells of {count(calibration.rows, 'row')} was hidden and filled from the others. "
    text += "Each point: how many hidden numbers lie in intervals that promise so many; on the line, all is right."
    if calibration.own:
        text += " Errors were measured on rows of these data: on new ones intervals may hold a little less."
    return f"Intervals of {share(promised)} hold {share(found)} of hidden numbers: {verdict}", text


def calibration_plot(points: Sequence[tuple[float, float]]) -> Markup:
    """Found coverage over promised coverage; on the diagonal, intervals are as wide as they should be.

    Parameters
    ----------
    points : sequence of (promised, found)
        What :meth:`diabolo.Imputer.calibration` gives.

    >>> calibration_plot([(0.5, 0.48), (0.9, 0.93)])[:50]
    Markup('<svg viewBox="0 0 340 320" role="img" aria-label="')
    """
    plot = Plot((0.0, 1.0), (0.0, 1.0), width=340, height=320)
    ideal = plot.line([0.0, 1.0], [0.0, 1.0], "train")
    dots = [plot.dot(plot.across(promised), plot.down(found), "held") for promised, found in points if found == found]
    axes = plot.axes("promised coverage", "found coverage")
    return plot.draw("coverage of intervals", axes, ideal, join(dots), style=WIDTH)

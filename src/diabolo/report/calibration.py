"""Whether intervals hold what they promise, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .svg import Plot, join


def calibration_plot(points: Sequence[tuple[float, float]]) -> Markup:
    """Found coverage over promised coverage; on the diagonal, intervals are as wide as they should be.

    Parameters
    ----------
    points : sequence of (promised, found)
        What :meth:`diabolo.Imputer.calibration` gives.

    >>> calibration_plot([(0.5, 0.48), (0.9, 0.93)])[:50]
    Markup('<svg viewBox="0 0 300 300" role="img" aria-label="')
    """
    plot = Plot((0.0, 1.0), (0.0, 1.0), width=300, height=300)
    ideal = plot.line([0.0, 1.0], [0.0, 1.0], "train")
    dots = [plot.dot(plot.across(promised), plot.down(found), "held") for promised, found in points if found == found]
    return plot.draw("coverage of intervals", plot.axes("promised coverage", "found coverage"), ideal, join(dots))

"""``diabolo explain``: why each row is strange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .flags import data_through_model

if TYPE_CHECKING:
    import numpy as np

    from ..data.rows import Rows
    from ..diagnosis import Explanation
    from ..estimators import Estimator


@click.command()
@data_through_model(
    "csv, tsv (also .gz), parquet or npz; csv on standard output without it.",
    click.option(
        "--top",
        type=click.IntRange(min=1),
        default=3,
        metavar="N",
        help="How many cells of each row to name; 3 if not said.",
    ),
)
def explain(model: str, data: str, output: str, top: int, **options: Any) -> None:
    """Write why each row of DATA is strange to MODEL, cell by cell.

    A line for each row: log_likelihood, as `diabolo score` tells it (lower is stranger); surprise, the nats by which
    the row's cells are less likely than what was expected; and the most surprising cells: column, observed and expected
    value, and the share of the row's surprise. Fields stay empty where no further cell is a surprise. With --json, it
    is told how often each column comes first.
    """
    from .results import send_through

    first: dict[str, int] = {}

    def reasons(fitted: Estimator, rows: Rows) -> dict[str, np.ndarray]:
        from ..diagnosis import explain as explained

        told = explained(fitted, rows)
        for at, strange in zip(told.ranked(1)[:, 0].tolist(), (told.total > 0).tolist(), strict=True):
            if strange:
                first[told.columns[at]] = first.get(told.columns[at], 0) + 1
        return {"log_likelihood": fitted.score_samples(rows), "surprise": told.total} | top_cells(told, top)

    def counts() -> dict[str, Any]:
        return {"first": dict(sorted(first.items(), key=lambda pair: (-pair[1], pair[0])))}

    send_through("explain", model, data, output, reasons, facts=counts, **options)


def top_cells(told: Explanation, most: int) -> dict[str, np.ndarray]:
    """The most surprising cells of each row: four columns for each place, as text where they are values."""
    import numpy as np

    made: dict[str, np.ndarray] = {}
    order, share = told.ranked(most), told.share
    rows = np.arange(len(order))
    for place in range(order.shape[1]):
        at = order[:, place]
        strange = told.surprise[rows, at] > 0
        names = np.array(told.columns, dtype=object)[at]
        fields = {"column": names, "observed": told.observed[rows, at], "expected": told.expected[rows, at]}
        for name, cells in fields.items():
            made[f"{name}_{place + 1}"] = np.array(
                [spelled(cell) if here else "" for cell, here in zip(cells.tolist(), strange.tolist(), strict=True)],
                dtype=object,
            )
        made[f"share_{place + 1}"] = share[rows, at]
    return made


def spelled(cell: object) -> str:
    """A value as text: numbers with six digits at most, whole ones whole.

    >>> spelled(1.23456789), spelled(1234567.0), spelled("red")
    ('1.23457', '1234567', 'red')
    """
    if cell is None:
        return "missing"
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.0f}" if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.6g}"

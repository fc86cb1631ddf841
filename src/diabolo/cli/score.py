"""``diabolo score``: how well each row fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .flags import data_through_model

if TYPE_CHECKING:
    import numpy as np

    from ..data.rows import Rows
    from ..estimators import Estimator


@click.command()
@data_through_model("csv, tsv (also .gz), parquet, npy or npz; csv on standard output without it.")
def score(model: str, data: str, output: str, **options: Any) -> None:
    """Write how well MODEL explains each row of DATA.

    Two columns: log_likelihood, a bound on it in nats (lower is stranger), and squared_error, the mean over the row's
    known cells in the network's units. Nothing is drawn at random. With --json, the means over all rows are told.
    """
    from .results import send_through

    sums: dict[str, float] = {}
    count = 0

    def judge(fitted: Estimator, rows: Rows) -> dict[str, np.ndarray]:
        nonlocal count
        made = {
            "log_likelihood": fitted.score_samples(rows),
            "squared_error": fitted.reconstruction_error(rows),
        }
        count += rows.rows
        for name, column in made.items():
            sums[name] = sums.get(name, 0.0) + float(column.sum(dtype="float64"))
        return made

    def means() -> dict[str, Any]:
        return {"means": {name: total / count for name, total in sums.items()}}

    send_through("score", model, data, output, judge, facts=means, **options)

"""``diabolo score``: how well each row fits, or how strange it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .errors import Code
from .flags import data_through_model
from .rules import RULE_FLAGS, SHARE, chosen_rule, flag_of, make_rule

if TYPE_CHECKING:
    import numpy as np

    from ..data.rows import Rows
    from ..estimators import Estimator
    from ..tasks.anomaly import AnomalyDetector


@click.command()
@data_through_model(
    "csv, tsv (also .gz), parquet, npy or npz (these two no detector's); csv on standard output without it.",
    *RULE_FLAGS,
    click.option(
        "--false-positives",
        type=SHARE,
        metavar="RATE",
        help="Flag at most this share of the rows that --label says are normal (0; anomalies are 1).",
    ),
    click.option(
        "--fail-above",
        type=click.FloatRange(0, 1),
        metavar="SHARE",
        help="Exit with code 5 if a larger share of the rows is flagged.",
    ),
)
def score(model: str, data: str, output: str, **options: Any) -> None:
    """Write how well MODEL explains each row of DATA.

    Two columns: log_likelihood, a bound on it in nats (lower is stranger), and squared_error, the mean over the row's
    known cells in the network's units. Nothing is drawn at random. With --json, the means over all rows are told.

    Of a detector (`diabolo fit --detector`) other columns: score (higher is stranger, 0 is usual), p_value, flag (1 or
    0), and the three cells that are most to blame: reason_1 to reason_3. What the rule can promise is told first. The
    flags from --fdr to --fail-above are for detectors; `diabolo threshold` puts a rule into the file.

    Of a detector for time series (`diabolo fit --series`) the same, a line for each point, with the channels that are
    most to blame, and in front, where DATA says so, the time. Cells are empty where nothing is known of a point.
    """
    own = {name: options.pop(name) for name in ("fdr", "alerts_per_day", "rows_per_day", "quantile", "above")}
    own |= {name: options.pop(name) for name in ("false_positives", "fail_above")}
    chosen_rule(own)
    from .inputs import open_task
    from .results import check_output

    check_output(output, options["force"], reads=(model, data))
    fitted = open_task(model, options["device"], series=True)
    from ..tasks.storage import AnomalyDetector, SeriesAnomalyDetector, Task

    if isinstance(fitted, SeriesAnomalyDetector):
        from .series import score_series

        score_series(fitted, model, data, output, own, options)
        return
    if isinstance(fitted, AnomalyDetector):
        judge_rows(fitted, model, data, output, own, options)
        return
    for name, value in own.items():
        if value is not None:
            kind = type(fitted).__name__
            raise click.UsageError(
                f"{flag_of(name)} is for detectors, and {model} is a file of {kind}. Make a detector: "
                "diabolo fit DATA --detector -o MODEL (--series for a time series)"
            )
    score_rows(fitted.estimator_ if isinstance(fitted, Task) else fitted, model, data, output, options)


def score_rows(opened: Estimator, model: str, data: str, output: str, options: dict[str, Any]) -> None:
    """Likelihood and error of each row."""
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

    send_through("score", model, data, output, judge, opened=opened, facts=means, **options)


def judge_rows(
    detector: AnomalyDetector, model: str, data: str, output: str, own: dict[str, Any], options: dict[str, Any]
) -> None:
    """Scores, p-values, flags and reasons of each row; and whether too many are flagged."""
    from .judging import Judging
    from .results import send_through

    if output.lower().endswith((".npy", ".npz")):
        raise click.UsageError(
            f"{output}: {output[-3:]} holds numbers alone, and reasons are words. Name a csv or parquet file."
        )
    judging = Judging(detector, make_rule(own), own["false_positives"])
    opened = detector.estimator_
    send_through(
        "score", model, data, output, judging, opened=opened, begin=judging.begin, facts=judging.facts, **options
    )
    if options["dry_run"]:
        return
    judging.tell()
    most = own["fail_above"]
    if most is not None and judging.share > most:
        from .output import say, styled

        say(f"{styled('Failed:')} more than {100 * most:g} % of the rows are flagged (--fail-above {most:g})")
        click.get_current_context().exit(Code.CHECK)

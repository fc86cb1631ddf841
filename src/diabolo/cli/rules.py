"""The flags of rules that say which rows are strange enough to be flagged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .errors import as_usage

if TYPE_CHECKING:
    from ..tasks.anomaly import AnomalyDetector
    from ..tasks.series import SeriesAnomalyDetector
    from ..tasks.thresholds import Threshold

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
RULES = ("fdr", "alerts_per_day", "quantile", "above", "false_positives")

RULE_FLAGS = (
    click.option(
        "--fdr",
        type=SHARE,
        metavar="RATE",
        help="Flag rows of which on average at most this share is false, by Benjamini and Hochberg; all rows of DATA "
        "are judged together.",
    ),
    click.option(
        "--alerts-per-day",
        type=click.FloatRange(0, min_open=True),
        metavar="N",
        help="Flag so few that a day without anomalies has at most N alerts on average.",
    ),
    click.option(
        "--rows-per-day",
        type=click.IntRange(min=1),
        metavar="M",
        help="With --alerts-per-day: how many rows a day has; without it all rows of DATA are one day.",
    ),
    click.option(
        "--quantile",
        type=SHARE,
        metavar="Q",
        help="Flag what is stranger than this share of normal rows; 0.95 unless the model says otherwise (0.99 for "
        "time series).",
    ),
    click.option("--above", type=float, metavar="SCORE", help="Flag scores above this one."),
)


def rule_flags(command: Wrapped) -> Wrapped:
    """The flags that choose a rule."""
    for flag in reversed(RULE_FLAGS):
        command = flag(command)
    return command


def flag_of(name: str) -> str:
    """How a rule's value is called on the command line.

    >>> flag_of("alerts_per_day")
    '--alerts-per-day'
    """
    return "--" + name.replace("_", "-")


def chosen_rule(given: Mapping[str, Any]) -> str | None:
    """Which of the rules was asked for: its name; refuses two at once.

    >>> chosen_rule({"fdr": 0.1, "rows_per_day": None})
    'fdr'
    """
    asked = [name for name in RULES if given.get(name) is not None]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(map(flag_of, asked))} are different rules. Choose one of them.")
    if given.get("rows_per_day") is not None and asked != ["alerts_per_day"]:
        raise click.UsageError("--rows-per-day says how long a day is; it needs --alerts-per-day N beside it.")
    return asked[0] if asked else None


def make_rule(given: Mapping[str, Any]) -> Threshold | None:
    """The rule that was asked for; ``None`` where there is none, or where it takes labels to find it.

    >>> make_rule({"quantile": 0.9})
    Quantile(level=0.9)
    """
    from ..tasks.thresholds import AlertsPerDay, FalseDiscoveryRate, Quantile, Score

    name = chosen_rule(given)
    if name == "fdr":
        return FalseDiscoveryRate(given["fdr"])
    if name == "alerts_per_day":
        return AlertsPerDay(given["alerts_per_day"], given.get("rows_per_day"))
    if name == "quantile":
        return Quantile(given["quantile"])
    if name != "above":
        return None
    with as_usage(ValueError):
        return Score(given["above"]).check()


def say_promise(detector: AnomalyDetector | SeriesAnomalyDetector, rule: Threshold, rows: int | None) -> str:
    """Tell the rule and what it can promise; the promise comes back."""
    from .output import say, table

    promise = detector.promise(rows, rule)
    say(table({"rule": repr(rule), "promise": promise}))
    return promise

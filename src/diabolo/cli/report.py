"""``diabolo report``: a page about a model and data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from .flags import (
    data_argument,
    device_flag,
    dry_run_flag,
    force_flag,
    json_flag,
    label_flag,
    model_argument,
    output_flag,
    traceback_flag,
)
from .output import counted, emit, say, size, table, times


@click.command()
@model_argument
@data_argument
@output_flag("The page; the same numbers go to a .json file beside it.", default="report.html")
@label_flag
@device_flag
@dry_run_flag
@force_flag
@json_flag
@traceback_flag
def report(
    model: str,
    data: str,
    output: str,
    label: str | None,
    device: str,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write one page that shows how well MODEL does on DATA.

    Compared with PCA of the same size; with learning curves, reconstructions, errors, the codes drawn and colored by
    label where there is one; of an imputer whether its intervals hold what they promise, of a detector the strangest
    rows, why, and what baselines say of them (labels of two kinds tell how right they are). Of a detector for time
    series it draws the series, the score below, and the strangest stretches from close by. The page needs no network.
    """
    page, numbers = check_pages(output, force)
    from ..tasks.storage import SeriesAnomalyDetector
    from .inputs import open_source, open_task

    task = open_task(model, device, series=True)
    fitted = getattr(task, "estimator_", task)
    source = open_source(data, label)
    shape, series = times(source.shape), isinstance(task, SeriesAnomalyDetector)
    if isinstance(task, SeriesAnomalyDetector):
        from .series import channels_of, points_of, refuse_short

        points = points_of(source, detector=task)
        refuse_short(task, points)
        shape = channels_of(points)
    else:
        fitted.modality_.refuse_other_shape(source)
    told = {"model": model, "data": source.place, "rows": source.rows, "files": [str(page), str(numbers)]}
    if dry_run:
        plan = {
            "model": f"{model}: {type(task if series else fitted).__name__}",
            "data": f"{source.place}: {counted(source.rows, 'point' if series else 'row')} of {shape}",
            "files": f"{page}, {numbers}",
        }
        say(table(plan))
        if as_json:
            emit("report", told | {"dry_run": True})
        return
    from ..report import write_report

    page.parent.mkdir(parents=True, exist_ok=True)
    made = write_report(task, source, page, labels=getattr(source, "labels", None), json_path=numbers)
    headline = made["headline"]
    say(str(headline["sentence"] if isinstance(headline, Mapping) else headline))
    if "anomalies" in made:
        say(f"{counted(made['anomalies']['flagged'], 'row')} of {source.rows:,} flagged ({made['anomalies']['rule']})")
    say(f"{page}, {size(page.stat().st_size)}; the same numbers in {numbers}")
    if as_json:
        emit("report", told | {"headline": headline})


def check_pages(output: str, force: bool) -> tuple[Path, Path]:
    """Where the page and its numbers go; refuse what cannot be written, before anything is read."""
    page = Path(output)
    numbers = page.with_suffix(".json")
    if page.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{output}: a report is a page; give a name that ends in .html.")
    for path in (page, numbers):
        if path.is_dir():
            raise click.UsageError(f"{path} is a folder; choose another name.")
        if path.exists() and not force:
            raise click.UsageError(f"{path} is there already. Choose another name, or replace it by --force.")
    return page, numbers

"""All numbers of a report, gathered once, and their form in ``report.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .. import __version__
from ..data.scaling import survey
from ..data.source import Source
from ..estimators.base import Estimator
from ..estimators.storage import Task
from ..tasks.anomaly import AnomalyDetector
from ..tasks.imputer import Imputer
from . import anomalies, baseline
from . import codes as coding
from . import samples as showing
from . import sheet as sheets
from .calibration import Calibration, calibrate
from .labels import Labels, read_labels
from .measure import Measures, measure

SCHEMA = 1


@dataclass(frozen=True)
class Report:
    """All numbers of a report; the page and the JSON are two ways to write them.

    Parameters
    ----------
    deviations : ndarray of float64
        Of each cell in the user's units; for a table of columns of several kinds of each column, NaN where it has none.
    column_error, column_variance : ndarray of float64
        Mean squared error and variance of each of the user's columns: the sums over its cells.
    calibration : Calibration, or None
        Of an imputer's intervals.
    anomalies : Anomalies, or None
        What a detector finds strange.
    told, hover : Told and list of str, or None
        For a table of columns of several kinds: the rows shown, and what hovering over the mapped rows tells.
    """

    model: Estimator
    labels: Labels
    measures: Measures
    duel: baseline.Duel
    groups: list[showing.Group]
    codes: coding.CodeStatistics
    maps: coding.Maps
    agreement: float | None
    chance: float | None
    deviations: np.ndarray
    column_error: np.ndarray
    column_variance: np.ndarray
    calibration: Calibration | None
    anomalies: anomalies.Anomalies | None
    told: showing.Told | None
    hover: list[str] | None
    sheet: sheets.Sheet
    origin: sheets.Origin


def gather(model: Estimator, source: Source, labels: Any, seed: int, task: Task | None = None) -> Report:
    """Make all measurements; those of an imputer or a detector where there is one around the model."""
    modality, given = model.modality_, source
    modality.refuse_other_shape(source)
    source = modality.aligned(source)
    statistics = survey(source)
    table = sheets.mixed_table(modality)
    columns = [] if table is None else sheets.describe_columns(table, given)
    if table is not None:  # missing cells are counted as the user sees them, as they were at fit
        pairs = zip(table.columns, columns, strict=True)
        statistics = replace(statistics, missing=sum(told.missing for kind, told in pairs if kind.kind != "empty"))
    marks = read_labels(labels, source)
    own = anomalies.split_of_training(task, source, seed) if isinstance(task, AnomalyDetector) else None
    split = own or baseline.choose_rows(model, source, statistics, seed)
    measures = measure(model, source, split.rows)
    split = baseline.confirm(split, model, measures)
    drawn = coding.draw_maps(measures.kept, measures.error, seed)
    agreement = chance = None
    if marks.kind == "classes":
        kept = marks.groups[measures.kept.rows]
        agreement = coding.neighbors_agree(measures.kept.codes, kept)
        shares = np.bincount(kept[kept >= 0]) / max(1, (kept >= 0).sum())
        chance = None if agreement is None else float(np.square(shares).sum())
    groups = showing.groups(measures)
    deviations = statistics.deviation.reshape(-1)
    if table is not None:
        deviations = np.array([column.deviation for column in columns])
    return Report(
        model=model,
        labels=marks,
        measures=measures,
        duel=baseline.duel(measures, split),
        groups=groups,
        codes=coding.describe_codes(measures),
        maps=drawn,
        agreement=agreement,
        chance=chance,
        deviations=deviations,
        column_error=showing.by_column(measures.cell_error, modality),
        column_variance=showing.by_column(measures.cell_variance, modality),
        calibration=calibrate(task, given, split) if isinstance(task, Imputer) else None,
        anomalies=anomalies.judge(task, given, marks, measures.kept, own is not None, seed)
        if isinstance(task, AnomalyDetector)
        else None,
        told=None if table is None else showing.tell(model, given, groups),
        hover=None if table is None else showing.hover_of_columns(table, given, drawn.rows, deviations),
        sheet=sheets.describe_data(model, source, statistics)
        if table is None
        else sheets.describe_table(table, given, columns),
        origin=sheets.describe_origin(model),
    )


def totals(report: Report) -> dict[str, Any]:
    """What the cards show."""
    measures, history = report.measures, report.model.history_
    code_size = measures.kept.codes.shape[1]
    mixed = sheets.mixed_table(report.model.modality_) is not None
    values = len(report.column_error) if mixed else measures.cells
    return {
        "cells": measures.cells,
        "all_rows": measures.all_rows(),
        "judged_rows": measures.some_rows(report.duel.split.judged, report.model.modality_.mean),
        "code_size": code_size,
        "compression_ratio": values / code_size,
        "weights": report.origin.weights,
        "epochs": len(history),
        "seconds": history.rows[-1].get("seconds") if history.rows else None,
    }


def as_plain(report: Report) -> dict[str, Any]:
    """The whole of ``report.json``, before arrays become lists."""
    measures, history = report.measures, report.model.history_.to_dict()
    return {
        "schema": SCHEMA,
        "diabolo": __version__,
        "headline": baseline.as_plain(report.duel, baseline.headline(report.duel)),
        "totals": totals(report),
        "history": history | {"rows": [dict(sorted(row.items())) for row in history["rows"]]},
        "samples": showing.as_plain(report.groups, report.labels),
        "cells": {
            "names": cell_names(report),
            "squared_error": measures.cell_error,
            "variance": measures.cell_variance,
            "columns": columns_as_plain(report),
        },
        **({} if report.calibration is None else {"calibration": asdict(report.calibration)}),
        **({} if report.anomalies is None else {"anomalies": anomalies.as_plain(report.anomalies)}),
        "codes": coding.as_plain(report.codes, measures),
        "map": coding.maps_as_plain(report.maps, report.agreement, report.chance),
        "labels": {"kind": report.labels.kind, "names": report.labels.names},
        **sheets.as_plain(report.sheet, report.origin),
    }


def cell_names(report: Report) -> list[str] | None:
    """A name for each cell of the network; pictures have none."""
    modality = report.model.modality_
    if report.sheet.modality == "images":
        return None
    table = sheets.mixed_table(modality)
    return sheets.names_of(modality) if table is None else table.column_names()


def columns_as_plain(report: Report) -> dict[str, Any] | None:
    """The errors by the user's columns, where these are of several cells."""
    table = sheets.mixed_table(report.model.modality_)
    if table is None:
        return None
    return {
        "names": [column.name for column in table.columns],
        "kinds": [column.kind for column in table.columns],
        "cells": table.widths,
        "squared_error": report.column_error,
        "variance": report.column_variance,
    }


def plain(value: Any) -> Any:
    """Arrays as lists, and what is not finite as null: what JSON can hold.

    >>> plain({"a": np.array([1.0, np.nan]), 2: (np.int64(3), None)})
    {'a': [1.0, None], '2': [3, None]}
    """
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)

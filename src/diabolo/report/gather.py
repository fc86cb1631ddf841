"""All numbers of a report, gathered once, and their form in ``report.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import __version__
from ..data.scaling import survey
from ..data.source import Source
from ..estimators.base import Estimator
from . import baseline
from . import codes as coding
from . import samples as showing
from . import sheet as sheets
from .labels import Labels, read_labels
from .measure import Measures, measure

SCHEMA = 1


@dataclass(frozen=True)
class Report:
    """All numbers of a report; the page and the JSON are two ways to write them."""

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
    sheet: sheets.Sheet
    origin: sheets.Origin


def gather(model: Estimator, source: Source, labels: Any, seed: int) -> Report:
    """Make all measurements."""
    model.modality_.refuse_other_shape(source)
    source = model.modality_.aligned(source)
    statistics = survey(source)
    marks = read_labels(labels, source)
    split = baseline.choose_rows(model, source, statistics, seed)
    measures = measure(model, source, split.rows)
    split = baseline.confirm(split, model, measures)
    drawn = coding.draw_maps(measures.kept, measures.error, seed)
    agreement = chance = None
    if marks.kind == "classes":
        kept = marks.groups[measures.kept.rows]
        agreement = coding.neighbors_agree(measures.kept.codes, kept)
        shares = np.bincount(kept[kept >= 0]) / max(1, (kept >= 0).sum())
        chance = None if agreement is None else float(np.square(shares).sum())
    return Report(
        model=model,
        labels=marks,
        measures=measures,
        duel=baseline.duel(measures, split),
        groups=showing.groups(measures),
        codes=coding.describe_codes(measures),
        maps=drawn,
        agreement=agreement,
        chance=chance,
        deviations=statistics.deviation.reshape(-1),
        sheet=sheets.describe_data(model, source, statistics),
        origin=sheets.describe_origin(model),
    )


def totals(report: Report) -> dict[str, Any]:
    """What the cards show."""
    measures, history = report.measures, report.model.history_
    code_size = measures.kept.codes.shape[1]
    return {
        "cells": measures.cells,
        "all_rows": measures.all_rows(),
        "judged_rows": measures.some_rows(report.duel.split.judged, report.model.modality_.mean),
        "code_size": code_size,
        "compression_ratio": measures.cells / code_size,
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
            "names": None if report.sheet.modality == "images" else sheets.names_of(report.model.modality_),
            "squared_error": measures.cell_error,
            "variance": measures.cell_variance,
        },
        "codes": coding.as_plain(report.codes, measures),
        "map": coding.maps_as_plain(report.maps, report.agreement, report.chance),
        "labels": {"kind": report.labels.kind, "names": report.labels.names},
        **sheets.as_plain(report.sheet, report.origin),
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

"""The page: its parts, filled from the numbers of a report."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from . import anomalies, baseline, calibration, figures, findings
from . import samples as showing
from .codes import health
from .gather import Report, totals
from .pictures import COOL, GRAY, data_uri, sequential, shrink
from .sheet import mixed_table, names_of
from .words import breakable, clipped, count, number, ordinal, share, short

MOST_BARS, MOST_HEAT = 30, 256


@cache
def asset(name: str) -> str:
    """A file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def environment() -> Environment:
    """Jinja with everything escaped and nothing undefined."""
    made = Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"number": number, "share": share, "short": short, "clipped": clipped, "breakable": breakable}
    made.filters["bound"] = lambda bound: bound if isinstance(bound, str) else short(bound, 4)
    return made


def script_hash(script: str) -> str:
    """What a Content-Security-Policy calls a script that may run.

    >>> script_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def render(report: Report) -> str:
    """The page as text."""
    script = asset("hover.js").strip()
    return (
        environment()
        .get_template("template.html.jinja")
        .render(
            headline=baseline.headline(report.duel),
            explanation=baseline.explanation(report.duel, cell_word(report)),
            duel=figures.duel_bars(report.duel),
            word=cell_word(report),
            cards=cards(report),
            note=cards_note(report),
            anomalies=None if report.anomalies is None else anomalies.as_part(report.anomalies),
            learning=learning_part(report),
            samples=samples_part(report),
            cells=cells_part(report),
            intervals=intervals_part(report),
            maps=maps_part(report),
            units=units_part(report),
            sheet=report.sheet,
            sheet_title=findings.data(report.sheet),
            origin=report.origin,
            origin_title=findings.origin(report.origin),
            style=Markup(asset("style.css")),
            script=Markup(script),
            script_hash=script_hash(script),
        )
    )


def cell_word(report: Report) -> str:
    """What one number of a sample is called."""
    if report.sheet.modality != "images":
        return "cell"
    return "pixel" if report.model.modality_.shape[-1] == 1 else "color value"


def cards(report: Report) -> list[tuple[str, str, str]]:
    """Number, name and hint of each card."""
    numbers, word = totals(report), cell_word(report)
    everything, unit = numbers["all_rows"], report.model.modality_.scaling.unit
    mixed = mixed_table(report.model.modality_) is not None
    values = count(len(report.column_error), "column") if mixed else f"{numbers['cells']:,}"
    shown = numbers["judged_rows"] if report.duel.split.kind == "held out" else everything

    def card(name: str, key: str, otherwise: str) -> tuple[str, str, str]:
        return (
            name,
            number(shown[key]),
            otherwise if shown is everything else f"over all rows {number(everything[key])}",
        )

    made = [
        card("R²", "r2", "share of the variation that comes back"),
        card(f"squared error per {word}", "squared_error", "values from 0 to 1" if unit else "scaled values"),
    ]
    if word != "cell":
        made.append(card("squared error per picture", "summed_squared_error", "summed over it"))
    if word != "cell" and unit:
        decibels = -10 * np.log10(shown["squared_error"]) if shown["squared_error"] else np.inf
        made.append(
            ("PSNR", f"{decibels:.1f} dB" if np.isfinite(decibels) else "lossless", "−10 log₁₀ of the squared error")
        )
    kept = report.model.history_.best_epoch
    seconds = ("seconds of training", number(numbers["seconds"]), f"on {report.origin.device}")
    return [
        *made,
        card("nats per sample", "nats", "bound on −log likelihood; lower is better"),
        ("numbers per code", f"{numbers['code_size']:,}", f"in place of {values}"),
        ("compression", f"{short(numbers['compression_ratio'])} : 1", "values to numbers"),
        ("weights", f"{numbers['weights']:,}", f"{report.origin.estimator}"),
        (
            "epochs",
            f"{numbers['epochs']:,}",
            "the last was kept" if kept is None else f"the {ordinal(kept + 1)} was kept",
        ),
        *([] if numbers["seconds"] is None else [seconds]),
    ]


def cards_note(report: Report) -> str:
    """Which rows the cards and all figures below them stand on."""
    rows = count(report.measures.rows, "row")
    if report.duel.split.kind == "held out":
        held_out = count(len(report.duel.split.judged), "row")
        return f"Errors above are those of the {held_out} held out; below, unless it says so, all {rows} count."
    return f"Measured on all {rows} of {report.sheet.place}."


def learning_part(report: Report) -> dict[str, Any]:
    """Curves of the training."""
    history = report.model.history_
    title, text = findings.learning(history)
    made: dict[str, Any] = {"title": title, "text": text, "main": None, "small": []}
    if len(history) and "learning_rate" in history.columns:
        made["main"] = figures.loss_curves(history)
        for name in figures.term_names(history):
            made["small"].append(
                (f"{name}, a part of the loss", figures.small_curve(history, name, "nats per sample", kind="train"))
            )
        if "validation_squared_error" in history.columns:
            label = "squared error"
            curve = figures.small_curve(history, "validation_squared_error", label, log=True)
            made["small"].append((f"squared error per {cell_word(report)}, held-out rows", curve))
        made["small"].append(
            ("learning rate", figures.small_curve(history, "learning_rate", "learning rate", kind="other"))
        )
    made["held_out"] = "validation_loss" in history.columns
    return made


def samples_part(report: Report) -> dict[str, Any]:
    """The rows that are shown."""
    modality, labels = report.model.modality_, report.labels
    title, text = findings.samples(report.measures, report.groups)
    shown = [sample for group in report.groups for sample in group.samples]
    made: dict[str, Any] = {"title": title, "text": text, "pictures": report.sheet.modality == "images"}
    if made["pictures"]:
        scale = showing.largest_difference(shown)
        made["scale"] = short(scale, 2)
        made["groups"] = [(g.name, showing.strips(g.samples, modality, labels, scale)) for g in report.groups]
        return made
    columns = showing.chosen_columns(report.column_error)
    names = names_of(modality)
    made["columns"] = [names[at] for at in columns.tolist()]
    made["labeled"] = bool(labels.texts)
    made["left_out"] = len(names) - len(columns)
    table = mixed_table(modality)
    made["nats"] = table is not None
    if table is None:
        lines = iter(showing.lines(shown, modality, labels, columns, report.deviations))
    else:
        told = report.told
        lines = iter(
            [] if told is None else showing.lines_of_columns(shown, table, told, labels, columns, report.deviations)
        )
    made["groups"] = [(group.name, [next(lines) for _ in group.samples]) for group in report.groups]
    return made


def cells_part(report: Report) -> dict[str, Any]:
    """Where the error lies: a heat map for pictures, bars for columns."""
    measures = report.measures
    names = names_of(report.model.modality_) if report.sheet.modality != "images" else []
    parts = mixed_table(report.model.modality_) is not None
    title, text = findings.cells(report.column_error, report.column_variance, report.sheet.modality, names, parts)
    made: dict[str, Any] = {"title": title, "text": text, "heat": [], "bars": None}
    errors, variance = report.column_error, report.column_variance
    if report.sheet.modality == "images":
        for name, values, color, kind in (
            ("squared error", np.nan_to_num(measures.cell_error), COOL, "ours"),
            ("observed variance", np.nan_to_num(measures.cell_variance), GRAY, "other"),
        ):
            plane = shrink(values.mean(-1)[None, ..., None], MOST_HEAT)[0, ..., 0]
            most = float(plane.max())
            made["heat"].append((name, data_uri(sequential(plane, most, color)), number(most, 2), kind))
        return made
    order = np.argsort(-errors, kind="stable")[:MOST_BARS]
    picked, beside = errors[order], variance[order]
    kinds = ["ours"] * len(order)
    made["bars"] = figures.bars(
        [names[at] for at in order], picked.tolist(), kinds, "error of each column", beside.tolist()
    )
    if errors.size > MOST_BARS:
        made["text"] += f" The {MOST_BARS} with the largest error, of {errors.size:,}."
    return made


def intervals_part(report: Report) -> dict[str, Any] | None:
    """Whether an imputer's intervals hold what they promise; ``None`` where there is no imputer."""
    if report.calibration is None:
        return None
    title, text = calibration.finding(report.calibration)
    shown = any(found == found for _, found in report.calibration.points)
    return {
        "title": title,
        "text": text,
        "plot": calibration.calibration_plot(report.calibration.points) if shown else None,
    }


def maps_part(report: Report) -> dict[str, Any]:
    """The codes in a plane, and what hovering tells."""
    maps, labels, measures = report.maps, report.labels, report.measures
    title, text = findings.maps(maps, measures.rows, report.agreement, report.chance)
    drawn = [] if maps.tsne is None else [("t-SNE keeps neighbors together", "tsne", figures.tsne_map(maps, labels), 0)]
    far = figures.outside(maps.pca, square=not maps.one_unit)
    drawn.append(
        (
            "The code and its error" if maps.one_unit else "PCA keeps large distances",
            "pca",
            figures.pca_map(maps, labels),
            far,
        )
    )
    modality = report.model.modality_
    pictures = showing.thumbnails(measures, maps.rows, modality) if report.sheet.modality == "images" else None
    hover = {
        "rows": maps.rows.tolist(),
        "errors": [number(float(error)) for error in measures.error[maps.rows]],
        "labels": [labels.text(row) for row in maps.rows.tolist()] if labels.texts else None,
        "texts": None if pictures else report.hover or showing.hover_texts(measures, maps.rows, modality),
        "sheet": None
        if pictures is None
        else {"width": pictures.width, "height": pictures.height, "columns": pictures.columns},
        "maps": {
            name: figures.places(points, square=not maps.one_unit)
            for name, points in (("tsne", maps.tsne), ("pca", maps.pca))
            if points is not None
        },
    }
    prefix = "s" if labels.kind == "scale" else "c"
    legend = [(f"{prefix}{at}", clipped(name, 28)) for at, name in enumerate(labels.names)]
    if labels.kind != "none" and (labels.groups[maps.rows] < 0).any():
        legend.append(("none", "no label"))
    return {
        "title": title,
        "text": text,
        "drawn": drawn,
        "legend": legend,
        "hover": hover,
        "sheet": pictures and pictures.uri,
    }


def units_part(report: Report) -> dict[str, Any]:
    """The units of the code."""
    statistics = report.codes
    title, text = findings.units(statistics)
    made: dict[str, Any] = {
        "title": title,
        "text": text,
        "variance": figures.unit_bars(statistics, statistics.variance, "variance"),
        "facts": findings.health(health(report.measures)),
        "nats": None,
        "pairs": None,
    }
    if statistics.nats is not None:
        made["nats"] = figures.unit_bars(statistics, statistics.nats, "nats per sample")
    if len(statistics.correlated) > 1:
        made["pairs"] = figures.correlation_map(statistics)
        made["pairs_title"] = findings.correlation(statistics)
    dead = statistics.dead
    made["histograms"] = [
        figures.histogram_of(unit, counts, low, high, bool(dead[unit]))
        for unit, counts, low, high in statistics.histograms
    ]
    left_out = len(statistics.variance) - len(made["histograms"])
    rest_of_them = f"; {count(left_out, 'unit')} not drawn" if left_out else ""
    made["histograms_title"] = f"How often a unit takes which value{rest_of_them}"
    return made

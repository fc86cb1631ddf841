"""What the figures show, said in a sentence each: the headings of the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..training import History
from .codes import CodeStatistics, Maps
from .measure import Measures
from .samples import Group
from .sheet import Origin, Sheet
from .words import clipped, count, listed, number, ordinal, share

ENDINGS = {
    "finished": "all planned epochs were made",
    "patience": "training stopped because later epochs brought nothing",
    "max_seconds": "training stopped when its time was up",
    "interrupted": "training was interrupted",
    "diverged": "training diverged and the last good weights were kept",
}


def learning(history: History) -> tuple[str, str]:
    """What the loss curves show.

    >>> learning(History([{"epoch": 0, "loss": 2.0, "learning_rate": 0.1}]))[0]
    'One epoch was made'
    >>> learning(History([], stopped="interrupted"))[0]
    'No epoch was finished'
    """
    made, ending = len(history), ENDINGS.get(history.stopped, history.stopped)
    notes = "".join(f" {note[:1].upper()}{note[1:].rstrip('.')}." for note in history.notes)
    if made == 0:
        return "No epoch was finished", f"There is nothing to draw; {ending}.{notes}"
    if "learning_rate" not in history.columns:
        return "Solved in closed form", f"The best weights were computed, not trained: there is no curve.{notes}"
    if made == 1:
        return "One epoch was made", f"One point is no curve; {ending}.{notes}"
    if history.best_epoch is None:
        first, last = history["loss"][0], history["loss"][-1]
        text = f"No rows were held out, so the last weights were kept; {ending}.{notes}"
        return f"The loss went from {number(first)} to {number(last)} nats", text
    best = history.best_epoch + 1
    title = f"The {ordinal(best)} of {made} epochs was kept"
    if best == made:
        return title, f"The loss on held-out rows was still falling at the end: more epochs may help; {ending}.{notes}"
    return title, f"After it the loss on held-out rows did not fall any more; {ending}.{notes}"


def samples(measures: Measures, shown: list[Group]) -> tuple[str, str]:
    """What the samples show."""
    text = "Rows are numbered from 0; errors are mean squared errors in the network's units."
    if len(shown) < 3:
        return f"All {count(measures.rows, 'row')}, as they went in and came back", text
    typical, worst = float(np.nanmedian(measures.error)), shown[2].samples[0].error
    if typical <= 0:
        return "Best, typical and worst rows", text
    return f"The worst row lost {number(worst / typical, 2)} times as much as the typical one", text


def cells(errors: np.ndarray, variance: np.ndarray, modality: str, names: list[str], parts: bool) -> tuple[str, str]:
    """Where the error lies; ``parts``: whether columns have several cells each."""
    total = float(errors.sum())
    if total == 0:
        return "Nothing was lost anywhere", "Every cell came back as it was."
    if modality == "images":
        ordered = np.sort(errors)[::-1].cumsum()
        part = (int(np.searchsorted(ordered, total / 2)) + 1) / errors.size
        text = (
            "Left: the mean squared error of each pixel. Right: how much each pixel varies, which is what a mean loses."
        )
        return f"Half of the error lies in {share(part)} of the pixels", text
    if not variance.any():  # one row, say
        return f"“{clipped(names[int(errors.argmax())], 40)}” comes back worst", text_of_bars(parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = np.where(variance > 1e-6 * variance.max(), errors / variance, 0.0)
    at = int(lost.argmax())
    return (
        f"“{clipped(names[at], 40)}” comes back worst: {share(float(lost[at]))} of its variance is lost",
        text_of_bars(parts),
    )


def text_of_bars(parts: bool) -> str:
    """What the bars of the columns are."""
    summed = ", summed over its cells" if parts else ""
    return f"Bars: the mean squared error of each column{summed}. Gray behind them: how much the column varies."


def maps(shown: Maps, rows: int, agreement: float | None, chance: float | None) -> tuple[str, str]:
    """What the maps show."""
    drawn = f"{count(len(shown.rows), 'row')} of {rows:,} are drawn" if len(shown.rows) < rows else "All rows are drawn"
    both_maps = "" if shown.tsne is None else " in both maps"
    hover = f"{drawn}. Move over a point to see its row{both_maps}."
    if agreement is not None and chance is not None:
        title = f"Near codes share a label in {share(agreement)} of cases"
        return title, f"Among the five nearest codes of a row; by chance it would be {share(chance)}. {hover}"
    if shown.one_unit:
        return "One number holds the whole code", f"Each row's code, and what was lost of it. {drawn}."
    both = sum(shown.pca_shares)
    return f"Two directions hold {share(both)} of what the codes vary", hover


def units(statistics: CodeStatistics) -> tuple[str, str]:
    """Whether all of the code is used."""
    size, dead = len(statistics.variance), np.flatnonzero(statistics.dead)
    rule = (
        "A unit is dead under 0.01 nats to its prior"
        if statistics.nats is not None
        else "A unit is dead under a ten-thousandth of the largest variance"
    )
    text = f"{rule}; measured on {count(statistics.rows, 'row')}."
    if not len(dead):
        return ("The one unit is in use" if size == 1 else f"All {size} units are in use"), text
    verb = "is" if len(dead) == 1 else "are"
    return (
        f"{len(dead)} of {count(size, 'unit')} {verb} dead",
        f"{text} Dead: {listed([str(unit) for unit in dead], 12)}.",
    )


def health(found: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """What a sparse code, symbols or a distribution are asked about, one line each.

    >>> health({"distribution": {"rate": 12.0, "distortion": 80.0}})[0]
    ('rate', '12.0 nats per sample, from the code to its prior')
    """
    lines: list[tuple[str, str]] = []
    if "sparsity" in found:
        told = found["sparsity"]
        lines.append(("alive", f"{share(told['alive_share'])} of the units, which speak for at least one row"))
        lines.append(("active at once", f"{number(told['mean_active'])} units, on average; the others say zero"))
    if "symbols" in found:
        told = found["symbols"]
        perplexities = zip(told["perplexity"], told["words"], strict=True)
        words = listed([f"{number(said)} of {size}" for said, size in perplexities], 8)
        lines.append(("words in use", f"{share(told['used'])}, chosen for at least one row"))
        lines.append(("perplexity", f"{words}: so many equally frequent words would say as much"))
        lines.append(("bits", f"{number(told['bits'])} per sample when coded well, of {number(told['capacity'])}"))
    if "distribution" in found:
        told = found["distribution"]
        lines.append(("rate", f"{number(told['rate'])} nats per sample, from the code to its prior"))
        lines.append(("distortion", f"{number(told['distortion'])} nats per sample, lost in the reconstruction"))
    return lines


def correlation(statistics: CodeStatistics) -> str:
    """How far the units repeat each other."""
    strongest = statistics.strongest
    if strongest is None:
        return "Too few living units to compare"
    one, other, value = strongest
    together = "go together" if value > 0 else "oppose each other"
    return f"Units {one} and {other} {together} most: {number(value, 2)}"


def data(sheet: Sheet) -> str:
    """What the data is."""
    cells = int(np.prod(sheet.shape, dtype=np.int64))
    if sheet.modality == "images":
        what = f"{count(sheet.rows, 'picture')} of {' × '.join(map(str, sheet.shape))}"
    else:
        what = f"{count(sheet.rows, 'row')} of {count(cells, 'column')}"
    if not sheet.missing:
        return f"{what}, nothing missing"
    return f"{what}, {count(sheet.missing, 'cell')} missing ({share(sheet.missing / (cells * sheet.rows))})"


def origin(made: Origin) -> str:
    """What made the model."""
    changed = [parameter.name for parameter in made.parameters if not parameter.default]
    return f"{made.estimator}, {listed(changed, 4)} set by hand" if changed else f"{made.estimator} as it comes"

"""What a detector finds strange in the data, why, and whether simple baselines agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from ..core.roundtrip import RoundTrip
from ..data.rows import Rows
from ..data.scaling import survey
from ..data.source import Source
from ..estimators.base import Estimator
from ..tasks.anomaly import MOST_ROWS, AnomalyDetector, calibration_rows
from ..tasks.reasons import AnomalyExplanation
from .baseline import Split, choose_rows, filled
from .labels import Labels
from .measure import Kept
from .pictures import WARM, data_uri, shrink, visible
from .svg import Plot, coordinate, element, limits
from .words import clipped, count, listed, share, short

MOST_SHOWN, MOST_PICTURES, MOST_SIDE = 20, 10, 96
SHARED = 20
NEIGHBORS = 5  # the distance to the fifth nearest is that of the detector's own view
BINS = 48
REASONS = 3
FULL = 0.85  # how much of the warm color covers the pixel that is most to blame
TICKS = (0.0, *(sign * step * 10.0**power for power in range(7) for step in (1, 2, 5) for sign in (-1, 1)))
NORMAL_FIRST = (["0", "1"], ["False", "True"], ["false", "true"])


@dataclass(frozen=True)
class Strange:
    """A row among the strangest.

    Parameters
    ----------
    reasons : list of (column, observed, expected, share)
        Words; none for pictures, which show it.
    neighbors : list of int
        Numbers of the nearest training rows in the data that was fitted.
    pictures : (original, reconstruction, map over the original), or None
    """

    row: int
    score: float
    p_value: float
    flagged: bool
    label: str | None
    reasons: list[tuple[str, str, str, float]]
    neighbors: list[int]
    pictures: tuple[str, str, str] | None


@dataclass(frozen=True)
class Judge:
    """One who scores the same rows; all but the detector itself are compared with it.

    Parameters
    ----------
    correlation : float, or None
        Of the ranks with those of the detector.
    shared : int, or None
        How many of the strangest rows are among the detector's.
    auroc : float, or None
        Where labels tell which rows are anomalies.
    """

    name: str
    correlation: float | None
    shared: int | None
    auroc: float | None


@dataclass(frozen=True)
class Anomalies:
    """What a detector says of the rows.

    Parameters
    ----------
    scores, flags : ndarray of shape (rows,)
    cut : float, or None
        The score above which rows are flagged; where a rule looks at all rows, the lowest that is flagged; ``None``
        where none is or can be.
    fitted : bool
        Whether these are the data that the detector was fitted to.
    calibration_rows : int
    compared, top : int
        On how many rows the judges are compared, and how many of them count as the strangest.
    anomaly : str, or None
        The label that is taken for that of anomalies.
    """

    scores: np.ndarray
    flags: np.ndarray
    cut: float | None
    rule: str
    promise: str
    fitted: bool
    calibration_rows: int
    strangest: list[Strange]
    judges: list[Judge]
    compared: int
    top: int
    anomaly: str | None


def split_of_training(detector: AnomalyDetector, source: Source, seed: int) -> Split | None:
    """Which rows judge where these are the data that the detector was fitted to; ``None`` where they are not.

    Its autoencoder was trained on what calibration and trimming left.
    """
    held_out = calibration_rows(source, detector.calibration, detector.seed_)
    rest = np.setdiff1d(np.arange(source.rows), held_out)
    if detector.trimming and len(detector.references_) < MOST_ROWS:  # else a sample of them
        rest = np.intersect1d(rest, detector.references_)
    if not detector.calibrated_ or not len(rest):
        return None
    part = Rows(source, rest)
    split = choose_rows(detector.estimator_, part, survey(part), seed)
    if split.kind not in ("held out", "seen"):
        return None
    return Split(split.kind, rest[split.fitted], rest[split.judged])


def judge(detector: AnomalyDetector, source: Source, labels: Labels, kept: Kept, fitted: bool, seed: int) -> Anomalies:
    """Score all rows, explain the strangest, and ask baselines about those that are kept."""
    scores, calibration, rule = detector.anomaly_score(source), detector.calibration_, detector.rule
    flags = rule.flags(scores, calibration)
    cut = rule.cut(calibration)
    if cut is None and flags.any():
        cut = float(scores[flags].min())
    strange = strange_class(labels)
    top = min(SHARED, len(kept.rows) // 5)
    return Anomalies(
        scores=scores,
        flags=flags,
        cut=cut if cut is not None and np.isfinite(cut) else None,
        rule=repr(rule),
        promise=detector.promise(source.rows),
        fitted=fitted,
        calibration_rows=len(calibration),
        strangest=strangest(detector, source, labels, scores, flags),
        judges=ask(kept, scores[kept.rows], top, None if strange is None else labels.groups[kept.rows], strange, seed),
        compared=len(kept.rows),
        top=top,
        anomaly=None if strange is None else labels.names[strange],
    )


def strange_class(labels: Labels) -> int | None:
    """Which of two classes is that of anomalies: 1 of 0 and 1, true of false and true, else the rarer one.

    >>> strange_class(Labels("classes", ["a", "b", "b"], np.array([0, 1, 1]), ["a", "b"]))
    0
    """
    if labels.kind != "classes" or len(labels.names) != 2:
        return None
    if labels.names in NORMAL_FIRST:
        return 1
    first, second = (int((labels.groups == group).sum()) for group in (0, 1))
    return 0 if first < second else 1


# Baselines


def ask(
    kept: Kept, scores: np.ndarray, top: int, groups: np.ndarray | None, strange: int | None, seed: int
) -> list[Judge]:
    """The detector, an isolation forest and the distance to near rows, on the same rows in the same units."""
    if top < 1:
        return []
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import NearestNeighbors

    values, _ = filled(kept, kept.rows)
    forest = IsolationForest(random_state=seed % 2**32).fit(values)
    near = NearestNeighbors(n_neighbors=NEIGHBORS).fit(values)
    others = {
        "isolation forest": -forest.score_samples(values),
        f"distance to the {NEIGHBORS}th nearest row": near.kneighbors()[0][:, -1],
    }
    made = [Judge("this detector", None, None, area(scores, groups, strange))]
    best = set(strongest(scores, top).tolist())
    for name, theirs in others.items():
        shared = len(best & set(strongest(theirs, top).tolist()))
        made.append(Judge(name, rank_correlation(scores, theirs), shared, area(theirs, groups, strange)))
    return made


def strongest(scores: np.ndarray, most: int) -> np.ndarray:
    """The rows with the highest scores, highest first.

    >>> strongest(np.array([1.0, 3.0, 2.0]), 2).tolist()
    [1, 2]
    """
    order: np.ndarray = np.argsort(-scores, kind="stable")[:most]
    return order


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's; ``None`` where all are equal.

    >>> rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([1.0, 5.0, 6.0]))
    1.0
    """
    from scipy.stats import rankdata

    ranks = [rankdata(values) for values in (one, other)]
    if any(values.std() == 0 for values in ranks):
        return None
    return float(np.clip(np.round(np.corrcoef(*ranks)[0, 1], 12), -1, 1))


def area(scores: np.ndarray, groups: np.ndarray | None, strange: int | None) -> float | None:
    """How often an anomaly scores higher than a normal row; ``None`` where labels do not tell."""
    if groups is None or len(np.unique(groups[groups >= 0])) != 2:
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(groups[groups >= 0] == strange, scores[groups >= 0]))


# The strangest rows


def strangest(
    detector: AnomalyDetector, source: Source, labels: Labels, scores: np.ndarray, flags: np.ndarray
) -> list[Strange]:
    """The rows with the highest scores and why."""
    modality = detector.estimator_.modality_
    pictured = modality.name == "images"
    order = strongest(scores, MOST_PICTURES if pictured else MOST_SHOWN)
    chosen = np.sort(order)
    rows = Rows(source, chosen)
    told = detector.explain(rows)
    shown = paste(detector.estimator_, rows, told) if pictured else None
    made = []
    for row, place in zip(order.tolist(), np.searchsorted(chosen, order).tolist(), strict=True):
        made.append(
            Strange(
                row=row,
                score=float(scores[row]),
                p_value=float(told.p_values[place]),
                flagged=bool(flags[row]),
                label=labels.text(row),
                reasons=[] if pictured else reasons(told, place),
                neighbors=told.neighbors[place].tolist(),
                pictures=None if shown is None else shown[place],
            )
        )
    return made


def reasons(told: AnomalyExplanation, row: int) -> list[tuple[str, str, str, float]]:
    """The cells that are most to blame."""
    return [
        (reason.column, said(reason.observed), said(reason.expected), reason.share) for reason in told.top(row, REASONS)
    ]


def said(cell: object) -> str:
    """A value in a line of text.

    >>> said(None), said(41.23456), said(1234567)
    ('missing', '41.23', '1,234,567')
    """
    if cell is None:
        return "missing"
    if isinstance(cell, float):
        return short(cell, 4)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}".replace("-", "−")
    return clipped(cell, 24)


def paste(model: Estimator, rows: Source, told: AnomalyExplanation) -> list[tuple[str, str, str]]:
    """Each picture, what came back of it, and the picture under a map of what each pixel has to do with the score."""
    modality = model.modality_
    trip = RoundTrip.joined(list(model.round_trips(rows)))
    target, expected = (part.float().cpu().numpy() for part in (trip.target, model.expected(trip)))
    surprise = told.surprise.reshape(rows.rows, *modality.facts["user_shape"])
    blame = shrink(modality.to_network(surprise).sum(-1, keepdims=True), MOST_SIDE)
    low, high = (0.0, 1.0) if modality.scaling.unit else (float(target.min()), float(target.max()))
    seen, back = (visible(shrink(part, MOST_SIDE), low, high) for part in (target, expected))
    colors = (seen if seen.shape[-1] >= 3 else np.repeat(seen, 3, axis=-1))[..., :3].astype(float)
    most = blame.max((1, 2, 3), keepdims=True)
    cover = FULL * np.divide(blame, most, out=np.zeros_like(blame), where=most > 0)
    over = np.rint((1 - cover) * colors + cover * np.array(WARM)).astype(np.uint8)
    return [(data_uri(one), data_uri(two), data_uri(three)) for one, two, three in zip(seen, back, over, strict=True)]


# Words and figures


def finding(found: Anomalies) -> tuple[str, str]:
    """What the section shows."""
    flagged, rows = int(found.flags.sum()), len(found.flags)
    verb = "is" if flagged == 1 else "are"
    part = f" ({share(flagged / rows)})" if flagged else ""
    title = f"{flagged:,} of {count(rows, 'row')} {verb} flagged{part}" if flagged else "No row is flagged"
    text = f"Rule: {found.rule}. {found.promise}"
    if found.fitted:
        text += (
            f" These are the data it was fitted to: {count(found.calibration_rows, 'row')} calibrate it and the others "
            "were trained on, so that they look more usual than new rows would."
        )
    return title, text.replace(" %", "\u00a0%")


def comparison(found: Anomalies) -> tuple[str, str]:
    """Whether baselines agree."""
    others = found.judges[1:]
    names = listed([judge.name for judge in others])
    shared = [judge.shared for judge in others if judge.shared is not None]
    title = f"Of the {found.top} strangest rows, {listed([str(each) for each in shared])} are also those of baselines"
    text = f"{names[:1].upper()}{names[1:]}, fitted to the {count(found.compared, 'row')} that they judge."
    if found.anomaly is not None:
        label = clipped(found.anomaly, 24)
        text += f" AUROC: how often a row labelled “{label}” scores higher than another; 0.5 is chance."
    return title, text


def distribution(found: Anomalies) -> Markup:
    """How many rows have which score."""
    return score_histogram(found.scores, found.flags, found.cut, "rows")


def score_histogram(scores: np.ndarray, flags: np.ndarray, level: float | None, what: str) -> Markup:
    """How many of something have which score; the axis is even around 0 and counts powers far from it."""
    places = np.arcsinh(scores)
    low, high = limits(places, 0.02)
    cut = None if level is None else float(np.arcsinh(level))
    if cut is not None:
        low, high = min(low, cut - 0.1), max(high, cut + 0.1)
    width = (high - low) / BINS
    low -= 0.0 if cut is None else (low - cut) % width  # the cut is an edge
    edges = low + width * np.arange(int(np.ceil((high - low) / width - 1e-9)) + 1)
    if flags.any() and cut is not None:
        counts = [np.histogram(places[where], edges)[0] for where in (~flags, flags)]
    else:
        counts = [np.histogram(places, edges)[0], np.zeros(len(edges) - 1, dtype=int)]
    plot = Plot(
        (float(edges[0]), float(edges[-1])), (0.0, 1.05 * float((counts[0] + counts[1]).max())), height=260, top=26
    )
    bars = [
        element("path", d=steps(plot, edges, *pair), class_=kind)
        for kind, pair in (("ours", (np.zeros_like(counts[0]), counts[0])), ("strange", (counts[0], counts[1])))
        if pair[1].any()
    ]
    floor = plot.height - plot.bottom
    shown = apart([tick for tick in sorted(TICKS) if plot.x[0] <= np.arcsinh(tick) <= plot.x[1]], plot)
    names = [
        element("text", short(tick), x=plot.across(float(np.arcsinh(tick))), y=floor + 16.0, class_="tick middle")
        for tick in shown
    ]
    return plot.draw(
        f"how many {what} have which score", plot.axes("score", what, []), *names, *bars, *cut_line(plot, cut, level)
    )


def apart(values: list[float], plot: Plot) -> list[float]:
    """Ticks that leave room for each other, 0 first of all."""
    kept: list[float] = []
    for value in sorted(values, key=lambda value: (value != 0, np.log10(abs(value) or 1) % 1 != 0, abs(value))):
        place = plot.across(float(np.arcsinh(value)))
        if all(abs(place - plot.across(float(np.arcsinh(other)))) > 34 for other in kept):
            kept.append(value)
    return sorted(kept)


def steps(plot: Plot, edges: np.ndarray, under: np.ndarray, counts: np.ndarray) -> str:
    """Bars as one path, on top of others; none is too low to be seen."""
    drawn = []
    for left, right, base, value in zip(edges[:-1], edges[1:], under.tolist(), counts.tolist(), strict=True):
        if value:
            bottom = plot.down(base)
            top = min(plot.down(base + value), bottom - 1.5)
            x = plot.across(float(left)) + 0.5
            width = max(plot.across(float(right)) - x - 0.5, 0.5)
            drawn.append(
                f"M{coordinate(x)} {coordinate(bottom)}V{coordinate(top)}h{coordinate(width)}V{coordinate(bottom)}Z"
            )
    return "".join(drawn)


def cut_line(plot: Plot, place: float | None, cut: float | None) -> list[Markup]:
    """Where flags begin."""
    if place is None or cut is None:
        return []
    x = plot.across(place)
    side = ("end", -6.0) if x > (plot.left + plot.width - plot.right) / 2 else ("start", 6.0)
    line = f"M{coordinate(x)} {coordinate(plot.top)}V{coordinate(plot.height - plot.bottom)}"
    name = f"flagged beyond {short(cut)}"
    return [
        element("path", d=line, class_="cut"),
        element("text", name, x=x + side[1], y=plot.top - 8, class_=f"warn {side[0]}"),
    ]


def as_part(found: Anomalies) -> dict[str, Any]:
    """What the page's template needs."""
    title, text = finding(found)
    made: dict[str, Any] = {
        "title": title,
        "text": text,
        "plot": distribution(found),
        "flagged": bool(found.flags.any()),
        "strangest": found.strangest,
        "pictures": any(row.pictures for row in found.strangest),
        "labeled": any(row.label is not None for row in found.strangest),
        "near": any(row.neighbors for row in found.strangest),
        "judges": found.judges,
        "auroc": any(judge.auroc is not None for judge in found.judges),
        "top": found.top,
    }
    if found.judges:
        made["judges_title"], made["judges_text"] = comparison(found)
    return made


def as_plain(found: Anomalies) -> dict[str, Any]:
    """The detector's part of ``report.json``."""
    return {
        "rule": found.rule,
        "promise": found.promise,
        "cut": found.cut,
        "flagged": int(found.flags.sum()),
        "fitted_to_these_rows": found.fitted,
        "calibration_rows": found.calibration_rows,
        "score_quantiles": {str(q): float(np.quantile(found.scores, q)) for q in (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)},
        "anomaly_label": found.anomaly,
        "compared_rows": found.compared,
        "strangest_compared": found.top,
        "judges": [
            {
                "name": each.name,
                "rank_correlation": each.correlation,
                "shared_strangest": each.shared,
                "auroc": each.auroc,
            }
            for each in found.judges
        ],
        "strangest": [
            {
                "row": each.row,
                "score": each.score,
                "p_value": each.p_value,
                "flagged": each.flagged,
                "label": each.label,
                "reasons": [
                    {"column": column, "observed": observed, "expected": expected, "share": part}
                    for column, observed, expected, part in each.reasons
                ],
                "nearest_training_rows": each.neighbors,
            }
            for each in found.strangest
        ],
    }


__all__ = ["Anomalies", "Judge", "Strange", "as_part", "as_plain", "judge", "split_of_training"]

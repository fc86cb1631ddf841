"""What the codes hold: variances, dead units, correlations, and two maps of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .measure import Kept, Measures

MOST_CORRELATED, MOST_HISTOGRAMS, MOST_POINTS = 64, 16, 2000
DEAD_SHARE, DEAD_NATS = 1e-4, 0.01
ALWAYS = 0.999  # a code whose units speak more often than this is not sparse
BINS, NEIGHBORS = 24, 5


@dataclass(frozen=True)
class CodeStatistics:
    """Numbers about each unit of the code, over the rows kept.

    Parameters
    ----------
    mean, variance : ndarray of shape (code_size,)
    nats : ndarray of shape (code_size,), or None
        Nats from each unit to its prior, for codes that are distributions.
    order : ndarray of int
        The units from the largest variance down.
    dead : ndarray of bool
        Units that carry nothing: under 0.01 nats where there are nats, else under 1e-4 of the largest variance.
    correlated : ndarray of int
        The units of ``correlation``: all that are alive, the 64 of the largest variance at most.
    histograms : list of (unit, counts, low, high)
    """

    rows: int
    mean: np.ndarray
    variance: np.ndarray
    nats: np.ndarray | None
    order: np.ndarray
    dead: np.ndarray
    correlated: np.ndarray
    correlation: np.ndarray
    histograms: list[tuple[int, np.ndarray, float, float]]

    @property
    def strongest(self) -> tuple[int, int, float] | None:
        """The two units that go together most, and their correlation."""
        if len(self.correlated) < 2:
            return None
        off = self.correlation - np.eye(len(self.correlated))
        first, second = divmod(int(np.abs(off).argmax()), len(self.correlated))
        one, other = sorted((int(self.correlated[first]), int(self.correlated[second])))
        return one, other, float(off[first, second])


@dataclass(frozen=True)
class Maps:
    """The codes of some rows drawn in a plane.

    Parameters
    ----------
    rows : ndarray of int, ``(points,)``
    tsne : ndarray of shape (points, 2), or None
        ``None`` where there are too few different codes, or only one unit.
    pca : ndarray of shape (points, 2)
        The first two principal components; for a code of one number, that number and the row's error.
    pca_shares : tuple of float
        Which share of the codes' variance each holds.
    one_unit : bool
        Whether the code is a single number.
    """

    rows: np.ndarray
    tsne: np.ndarray | None
    pca: np.ndarray
    pca_shares: tuple[float, float]
    one_unit: bool


def describe_codes(measures: Measures) -> CodeStatistics:
    """Gather the statistics of the codes kept."""
    codes = measures.kept.codes.astype(np.float64)
    variance, mean = codes.var(0), codes.mean(0)
    order = np.lexsort((np.arange(len(variance)), -variance))
    if measures.unit_nats is not None and len(measures.unit_nats) == len(variance):
        nats: np.ndarray | None = measures.unit_nats
        dead = measures.unit_nats < DEAD_NATS
    else:
        nats, dead = None, variance <= DEAD_SHARE * variance.max()
    moving = order[variance[order] > 0]
    alive = moving[~dead[moving]][:MOST_CORRELATED]
    standard = (codes[:, alive] - mean[alive]) / np.sqrt(variance[alive])
    correlation = np.clip(standard.T @ standard / len(codes), -1, 1)
    np.fill_diagonal(correlation, 1.0)
    histograms = [histogram(int(unit), codes[:, unit]) for unit in order[:MOST_HISTOGRAMS]]
    return CodeStatistics(len(codes), mean, variance, nats, order, dead, alive, correlation, histograms)


def histogram(unit: int, values: np.ndarray) -> tuple[int, np.ndarray, float, float]:
    """How often a unit takes which value; a constant has one full bin in the middle.

    >>> histogram(3, np.array([1.0, 1.0]))[1].sum()
    np.int64(2)
    """
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    return unit, np.histogram(values, BINS, (low, high))[0], low, high


def draw_maps(kept: Kept, error: np.ndarray, seed: int) -> Maps:
    """Place at most 2,000 rows in a plane, near where their codes are near."""
    n = len(kept.rows)
    chosen = np.arange(n)
    if n > MOST_POINTS:
        chosen = np.sort(np.random.default_rng(seed).choice(n, MOST_POINTS, replace=False))
    rows, codes = kept.rows[chosen], kept.codes[chosen].astype(np.float64)
    if codes.shape[1] == 1:
        return Maps(rows, None, np.stack([codes[:, 0], np.nan_to_num(error[rows])], axis=1), (1.0, 0.0), True)
    scores, shares = principal_plane(codes)
    return Maps(rows, neighbor_plane(codes, scores, seed), scores, shares, False)


def principal_plane(codes: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """The first two principal components, with a fixed sign, and their shares of the variance.

    >>> principal_plane(np.array([[0.0, 0.0], [1.0, 1.0]]))[1]
    (1.0, 0.0)
    """
    centered = codes - codes.mean(0)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    total = float(values.sum())
    shares = np.maximum(values[::-1][:2], 0) / total if total > 0 else np.zeros(2)
    return centered @ axes, (round(float(shares[0]), 12), round(float(shares[1]), 12))


def neighbor_plane(codes: np.ndarray, start: np.ndarray, seed: int) -> np.ndarray | None:
    """t-SNE from the principal components on, by one thread, so that the bytes are always the same."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    different = len(np.unique(codes, axis=0))
    spread = float(start[:, 0].std())
    if different < 5 or spread == 0:
        return None
    perplexity = min(30.0, (len(codes) - 1) / 3)
    begin = (start / spread * 1e-4).astype(np.float32)
    with threadpool_limits(1):
        plane = TSNE(2, init=begin, perplexity=perplexity, random_state=seed % 2**32, n_jobs=1).fit_transform(codes)
    return np.asarray(plane, dtype=np.float64)


def neighbors_agree(codes: np.ndarray, labels: np.ndarray) -> float | None:
    """How often a row's five nearest codes carry its own label; rows without one (-1) take no part.

    >>> neighbors_agree(np.repeat(np.eye(2), 6, axis=0), np.repeat([0, 1], 6))
    1.0
    """
    from sklearn.neighbors import NearestNeighbors

    codes, labels = codes[labels >= 0], labels[labels >= 0]
    if len(codes) <= 2 * NEIGHBORS:
        return None
    near = NearestNeighbors(n_neighbors=NEIGHBORS).fit(codes).kneighbors(return_distance=False)
    return float((labels[near] == labels[:, None]).mean())


def health(measures: Measures) -> dict[str, dict[str, Any]]:
    """What sparse codes, symbols and distributions are asked about, by the kind of question."""
    made: dict[str, dict[str, Any]] = {}
    spoken, usage = measures.sparsity, measures.usage
    if usage is not None:
        made["symbols"] = {
            "used": usage.used,
            "words": [len(count) for count in usage.counts],
            "perplexity": usage.perplexity,
            "bits": usage.bits,
            "capacity": usage.capacity,
        }
    elif spoken.mean_active < ALWAYS * len(spoken.activity):
        made["sparsity"] = {"alive_share": spoken.alive_share, "mean_active": spoken.mean_active}
    if measures.rate is not None:
        made["distribution"] = {"rate": measures.rate, "distortion": measures.distortion}
    return made


def as_plain(statistics: CodeStatistics, measures: Measures) -> dict[str, Any]:
    """The codes of ``report.json``."""
    return health(measures) | {
        "rows": statistics.rows,
        "mean": statistics.mean,
        "variance": statistics.variance,
        "nats": statistics.nats,
        "dead_units": np.flatnonzero(statistics.dead),
        "active_units": int((~statistics.dead).sum()),
        "correlation": {"units": statistics.correlated, "matrix": np.round(statistics.correlation, 6)},
        "histograms": [
            {"unit": unit, "counts": counts, "low": low, "high": high}
            for unit, counts, low, high in statistics.histograms
        ],
    }


def maps_as_plain(maps: Maps, agreement: float | None, chance: float | None) -> dict[str, Any]:
    """The maps of ``report.json``."""
    return {
        "rows": maps.rows,
        "tsne": None if maps.tsne is None else np.round(maps.tsne, 4),
        "pca": np.round(maps.pca, 6),
        "pca_shares": list(maps.pca_shares),
        "neighbors_agree": agreement,
        "neighbors_agree_by_chance": chance,
    }

"""One pass over the data: what was lost, what it cost, and a few rows kept to be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..core.codes import DiscreteCode, GaussianCode
from ..core.roundtrip import RoundTrip
from ..data.source import Source
from ..diagnosis.codebook import CodebookTally, CodebookUsage
from ..diagnosis.sparsity import Sparsity, SparsityTally
from ..diagnosis.variation import rate_of
from ..estimators.base import Estimator

SHOWN = 10


@dataclass(frozen=True)
class Sample:
    """A row on its round trip, in the network's units.

    Parameters
    ----------
    row : int
    error : float
        Mean squared error over the known cells.
    target, expected : ndarray of shape ``model.modality_.shape``
    known : ndarray of bool of that shape, or None
    """

    row: int
    error: float
    target: np.ndarray
    expected: np.ndarray
    known: np.ndarray | None


@dataclass(frozen=True)
class Kept:
    """Rows that stay in memory, in the network's units, every cell in a column.

    Parameters
    ----------
    rows : ndarray of int, ``(kept,)``
    target, expected : ndarray of float32, ``(kept, cells)``
    known : ndarray of bool, ``(kept, cells)``, or None
    codes : ndarray of float32, ``(kept, code_size)``
    """

    rows: np.ndarray
    target: np.ndarray
    expected: np.ndarray
    known: np.ndarray | None
    codes: np.ndarray

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Where some rows lie among those kept."""
        places: np.ndarray = np.searchsorted(self.rows, rows)
        return places


@dataclass(frozen=True)
class Measures:
    """What the round trip lost, over all rows.

    Parameters
    ----------
    error, summed, nats : ndarray of float64, ``(rows,)``
        Each row's mean and summed squared error over its known cells, and its bound in nats.
    known : ndarray of int, ``(rows,)``
        How many cells of each row are known.
    cell_error, cell_variance : ndarray of shape ``model.modality_.shape``
        Mean squared error and variance of each cell over the rows that know it; NaN where none does.
    unit_nats : ndarray of shape (code_size,), or None
        For Gaussian codes, nats from each unit to its prior, averaged over rows.
    rate, distortion : float, or None
        Where the code has a prior: mean nats of the code, and mean nats that are lost in spite of them.
    sparsity : Sparsity
        Which units say something other than zero, and how often.
    usage : CodebookUsage, or None
        For codes made of symbols: which of them are chosen.
    r2 : float
        As :meth:`diabolo.estimators.base.Estimator.score`.
    best, worst : list of Sample
        From the smallest error up, and from the largest down.
    """

    rows: int
    cells: int
    known_cells: int
    error: np.ndarray
    summed: np.ndarray
    nats: np.ndarray
    known: np.ndarray
    cell_error: np.ndarray
    cell_variance: np.ndarray
    unit_nats: np.ndarray | None
    rate: float | None
    distortion: float | None
    sparsity: Sparsity
    usage: CodebookUsage | None
    r2: float
    best: list[Sample]
    worst: list[Sample]
    kept: Kept

    @property
    def squared_error(self) -> float:
        """Mean squared error per known cell."""
        return float(self.summed.sum() / self.known_cells) if self.known_cells else float("nan")

    def all_rows(self) -> dict[str, float]:
        """The averages over all rows."""
        return {
            "rows": self.rows,
            "r2": self.r2,
            "squared_error": self.squared_error,
            "summed_squared_error": float(self.summed.mean()),
            "nats": float(self.nats.mean()),
        }

    def some_rows(self, rows: np.ndarray, mean: np.ndarray) -> dict[str, float]:
        """The same averages over rows among those kept; ``mean`` is the training data's."""
        kept, places = self.kept, self.kept.at(rows)
        away = kept.target[places].astype(np.float64) - mean.reshape(-1)
        away = away if kept.known is None else away * kept.known[places]
        lost, there = float(self.summed[rows].sum()), float(np.square(away).sum())
        return {
            "rows": len(rows),
            "r2": 1 - lost / there if there else float(lost == 0),
            "squared_error": lost / max(1, int(self.known[rows].sum())),
            "summed_squared_error": float(self.summed[rows].mean()),
            "nats": float(self.nats[rows].mean()),
        }

    def typical(self, how_many: int = SHOWN) -> list[Sample]:
        """Rows whose error is nearest to the median, among those kept."""
        kept = self.kept
        distances = np.abs(self.error[kept.rows] - np.nanmedian(self.error)) if len(kept.rows) else np.empty(0)
        order = np.lexsort((kept.rows, distances))[:how_many]
        chosen = [place for place in order if np.isfinite(distances[place])]
        return [self._kept_sample(place) for place in sorted(chosen, key=lambda p: self.error[kept.rows[p]])]

    def _kept_sample(self, place: int) -> Sample:
        kept, shape = self.kept, self.cell_error.shape
        row = int(kept.rows[place])
        known = None if kept.known is None else kept.known[place].reshape(shape)
        target, expected = kept.target[place].reshape(shape), kept.expected[place].reshape(shape)
        return Sample(row, float(self.error[row]), target, expected, known)


@dataclass
class Gatherer:
    """Sums over a pass."""

    model: Estimator
    wanted: np.ndarray
    start: int = 0
    lost: Any = 0.0
    moved: Any = 0.0
    moved_squares: Any = 0.0
    counts: Any = 0.0
    variation: float = 0.0
    unit_nats: Any = None
    spoken: SparsityTally = field(default_factory=SparsityTally)
    chosen: CodebookTally = field(default_factory=CodebookTally)
    columns: dict[str, list[np.ndarray]] = field(default_factory=dict)
    best: list[Sample] = field(default_factory=list)
    worst: list[Sample] = field(default_factory=list)

    def add(self, trip: RoundTrip) -> None:
        """Take in a stretch of rows."""
        objective, mean = self.model.objective_, torch.from_numpy(self.model.modality_.mean).to(trip.target)
        expected = self.model.expected(trip)
        known = torch.ones_like(trip.target, dtype=torch.bool) if trip.known is None else trip.known
        squares = ((expected - trip.target).square() * known).double()
        away = ((trip.target - mean) * known).double()
        summed, cells = squares.flatten(1).sum(1), known.flatten(1).sum(1)
        self.lost, self.counts = self.lost + squares.sum(0), self.counts + known.sum(0).double()
        self.moved, self.moved_squares = self.moved + away.sum(0), self.moved_squares + away.square().sum(0)
        self.variation += float(away.square().sum())
        error = torch.where(cells > 0, summed / cells.clamp(min=1), torch.nan)
        nats = objective.per_sample(trip, self.model.network_).double()
        told = {"error": error, "summed": summed, "nats": nats, "cells": cells}
        rate = rate_of(self.model, trip)
        if rate is not None:
            told |= {"rate": rate.double(), "distortion": objective.loss(trip).double()}
        for name, values in told.items():
            self.columns.setdefault(name, []).append(values.cpu().numpy())
        self.spoken.add(trip.code)
        if isinstance(trip.code, DiscreteCode) and trip.code.alphabet:
            self.chosen.add(trip.code)
        if isinstance(trip.code, GaussianCode):
            code = trip.code
            price = (code.mean.square() + code.log_variance.exp() - 1 - code.log_variance) / 2
            self.unit_nats = (0.0 if self.unit_nats is None else self.unit_nats) + price.flatten(1).double().sum(0)
        self._keep(trip, expected)
        self._rank(trip, expected, error.cpu().numpy())
        self.start += len(trip.target)

    def _keep(self, trip: RoundTrip, expected: torch.Tensor) -> None:
        here = self.wanted[(self.wanted >= self.start) & (self.wanted < self.start + len(trip.target))] - self.start
        places = torch.from_numpy(here).to(trip.target.device)
        parts = {"target": trip.target, "expected": expected, "codes": trip.code.values}
        if trip.known is not None:
            parts["known"] = trip.known
        for name, values in parts.items():
            self.columns.setdefault(f"kept {name}", []).append(values[places].flatten(1).cpu().numpy())
        if trip.known is None:  # another stretch may have missing cells
            full = np.ones((len(here), trip.target[0].numel()), dtype=bool)
            self.columns.setdefault("kept known", []).append(full)

    def _rank(self, trip: RoundTrip, expected: torch.Tensor, error: np.ndarray) -> None:
        order = np.argsort(error, kind="stable")[: np.isfinite(error).sum()]

        def samples(places: np.ndarray) -> list[Sample]:
            return [
                Sample(
                    self.start + int(place),
                    float(error[place]),
                    trip.target[place].cpu().numpy(),
                    expected[place].cpu().numpy(),
                    None if trip.known is None else trip.known[place].cpu().numpy(),
                )
                for place in places
            ]

        self.best = sorted(self.best + samples(order[:SHOWN]), key=lambda s: (s.error, s.row))[:SHOWN]
        self.worst = sorted(self.worst + samples(order[-SHOWN:]), key=lambda s: (-s.error, s.row))[:SHOWN]

    def finish(self) -> Measures:
        """What the sums come to."""
        columns = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        counts = self.counts.cpu().numpy()
        with np.errstate(invalid="ignore", divide="ignore"):
            cell_error = self.lost.cpu().numpy() / counts
            moved = self.moved.cpu().numpy() / counts
            variance = np.maximum(self.moved_squares.cpu().numpy() / counts - moved**2, 0)
        known = columns["kept known"]
        total = float(columns["summed"].sum())
        kept = Kept(
            self.wanted,
            columns["kept target"],
            columns["kept expected"],
            None if known.all() else known,
            columns["kept codes"],
        )
        return Measures(
            rows=self.start,
            cells=int(counts.size),
            known_cells=int(columns["cells"].sum()),
            error=columns["error"],
            summed=columns["summed"],
            nats=columns["nats"],
            known=columns["cells"],
            cell_error=cell_error,
            cell_variance=variance,
            unit_nats=None if self.unit_nats is None else self.unit_nats.cpu().numpy() / self.start,
            rate=float(columns["rate"].mean()) if "rate" in columns else None,
            distortion=float(columns["distortion"].mean()) if "distortion" in columns else None,
            sparsity=self.spoken.finish(),
            usage=self.chosen.finish() if self.chosen.counts else None,
            r2=1 - total / self.variation if self.variation else float(total == 0),
            best=self.best,
            worst=self.worst,
            kept=kept,
        )


@torch.no_grad()
def measure(model: Estimator, source: Source, kept_rows: np.ndarray) -> Measures:
    """Send all rows on the round trip once.

    Parameters
    ----------
    model : fitted Estimator
    source : Source
    kept_rows : ndarray of int, sorted
        Which rows to keep in memory.

    >>> from diabolo import LinearAutoencoder
    >>> from diabolo.data.choosing import open_data
    >>> X = [[0.0, 1.0], [2.0, 3.0], [5.0, 5.0]]
    >>> model = LinearAutoencoder(code_size=1).fit(X)
    >>> measures = measure(model, open_data(X), np.arange(3))
    >>> measures.error.shape, abs(measures.r2 - model.score(X)) < 1e-9
    ((3,), True)
    """
    gatherer = Gatherer(model, kept_rows)
    for trip in model.round_trips(source):
        gatherer.add(trip.float())
    return gatherer.finish()

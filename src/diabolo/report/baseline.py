"""PCA of the same size, on the same rows in the same units: did the autoencoder beat it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.codes import Code
from ..corruptions import Clean
from ..data.scaling import Statistics
from ..data.source import Source
from ..estimators.base import Estimator
from ..estimators.planning import FEWEST_ROWS_TO_SPLIT, rows_held_out
from .measure import Kept, Measures
from .words import count, number, share

MOST_ROWS, MOST_CELLS = 10_000, 20_000_000
CLOSE = 0.01
LOSSLESS = 1e-6


@dataclass(frozen=True)
class Split:
    """Which rows PCA learns from, and which rows judge both.

    Parameters
    ----------
    kind : {"held out", "other", "few", "seen"}
        Rows held out of this very training; data that is not the training data, halved, or too few to be halved;
        or rows the autoencoder was trained on.
    fitted, judged : ndarray of int, sorted
    """

    kind: str
    fitted: np.ndarray
    judged: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """All rows that take part, sorted."""
        return np.union1d(self.fitted, self.judged)

    @property
    def unseen(self) -> bool:
        """Whether the autoencoder was not trained on the rows that judge."""
        return self.kind != "seen"


@dataclass(frozen=True)
class Duel:
    """How the autoencoder fared against PCA and against the mean, in squared error per known cell.

    Parameters
    ----------
    outcome : {"won", "lost", "tie"}
        A tie is a difference under 1 %, or under two standard errors of the rows' paired differences.
    standard_error : float
        Of the difference between the two.
    """

    outcome: str
    autoencoder: float
    pca: float
    mean: float
    standard_error: float
    components: int
    code_size: int
    split: Split

    @property
    def less(self) -> float:
        """By which share the better one's error is below the other's."""
        low, high = sorted((self.autoencoder, self.pca))
        return 1 - low / high if high else 0.0


def is_training_data(model: Estimator, source: Source, statistics: Statistics) -> bool:
    """Whether a source holds what a model was fitted on: as many rows, as many holes, the same mean."""
    modality = model.modality_
    facts = modality.facts
    if source.rows != facts.get("rows") or statistics.missing != facts.get("missing"):
        return False
    mean = modality.to_network(modality.scaling.forward(statistics.mean[None]))[0]
    seen = modality.to_network((statistics.count > 0)[None])[0]
    return bool(np.allclose(mean[seen], modality.mean[seen], rtol=1e-6, atol=1e-6))


def held_out_rows(model: Estimator, source: Source) -> np.ndarray:
    """The rows that chose the best epoch of a fit to this source and that no step was made on, sorted."""
    if "validation_loss" not in model.history_.columns:
        return np.empty(0, dtype=np.int64)
    return rows_held_out(source, model.validation, model.seed_).numpy()


def choose_rows(model: Estimator, source: Source, statistics: Statistics, seed: int) -> Split:
    """Say which rows PCA is fitted on and which rows judge, so that neither side has an advantage it need not have."""
    most = max(1, min(MOST_ROWS, MOST_CELLS // max(1, int(np.prod(source.shape, dtype=np.int64)))))
    draw = np.random.default_rng(seed)

    def some(rows: np.ndarray) -> np.ndarray:
        return rows if len(rows) <= most else np.sort(draw.choice(rows, most, replace=False))

    everything = np.arange(source.rows)
    if is_training_data(model, source, statistics):
        held_out = held_out_rows(model, source)
        if len(held_out):
            return Split("held out", some(np.setdiff1d(everything, held_out)), some(held_out))
        same = some(everything)
        return Split("seen", same, same)
    if source.rows < FEWEST_ROWS_TO_SPLIT:
        return Split("few", everything, everything)
    order = draw.permutation(source.rows)
    half = source.rows // 2
    return Split("other", some(np.sort(order[:half])), some(np.sort(order[half:])))


def confirm(split: Split, model: Estimator, measures: Measures) -> Split:
    """Take back the claim that rows were held out where their error is not the one noted while training.

    The same rows in another order look the same from afar. Only a trip without randomness can tell.
    """
    history, network = model.history_, model.network_
    plain = isinstance(network.corruption, Clean) and network.bottleneck.gives is Code
    if split.kind != "held out" or not plain or history.best_epoch is None:
        return split
    noted = next(row["validation_squared_error"] for row in history.rows if row["epoch"] == history.best_epoch)
    rows = split.judged
    found = measures.summed[rows].sum() / max(1, measures.known[rows].sum())
    if len(rows) < MOST_ROWS and not np.isclose(found, noted, rtol=0.01, atol=1e-9):
        return Split("seen", split.rows, split.rows)
    return split


def filled(kept: Kept, rows: np.ndarray, mean: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Some rows in float64 with holes filled by the mean, and that mean."""
    places = kept.at(rows)
    values = kept.target[places].astype(np.float64)
    if kept.known is None:
        return values, values.mean(0) if mean is None else mean
    known = kept.known[places]
    own = (values * known).sum(0) / np.maximum(known.sum(0), 1) if mean is None else mean
    return np.where(known, values, own), own


def reconstruct_by_pca(fitted: np.ndarray, judged: np.ndarray, components: int) -> np.ndarray:
    """What PCA makes of some rows.

    >>> X = np.arange(12.0).reshape(4, 3)
    >>> bool(np.allclose(reconstruct_by_pca(X, X, 1), X))
    True
    """
    from sklearn.decomposition import PCA

    mean = fitted.mean(0)
    if components == 0 or not (fitted != fitted[0]).any():
        return np.broadcast_to(mean, judged.shape)
    small = min(fitted.shape) <= 1000
    solver = (
        "full" if small and fitted.size <= 2_000_000 else "covariance_eigh" if fitted.shape[1] <= 2000 else "randomized"
    )
    pca = PCA(components, svd_solver=solver, random_state=0).fit(fitted)
    back: np.ndarray = pca.inverse_transform(pca.transform(judged))
    return back


def duel(measures: Measures, split: Split) -> Duel:
    """Measure the autoencoder, PCA with as many numbers per sample, and the mean on the same cells."""
    kept = measures.kept
    fitted, mean = filled(kept, split.fitted)
    judged, _ = filled(kept, split.judged, mean)
    places, size = kept.at(split.judged), kept.codes.shape[1]
    known = np.ones_like(judged, dtype=bool) if kept.known is None else kept.known[places]
    components = min(size, len(fitted) - 1, judged.shape[1])
    guesses = {
        "autoencoder": kept.expected[places].astype(np.float64),
        "pca": reconstruct_by_pca(fitted, judged, components),
        "mean": np.broadcast_to(mean, judged.shape),
    }
    cells = max(int(known.sum()), 1)
    lost = {name: (np.square(guess - judged) * known).sum(1) for name, guess in guesses.items()}
    errors = {name: float(values.sum() / cells) for name, values in lost.items()}
    differences = (lost["autoencoder"] - lost["pca"]) * len(judged) / cells
    spread = float(differences.std(ddof=1) / np.sqrt(len(judged))) if len(judged) > 1 else 0.0
    outcome = judge(errors["autoencoder"], errors["pca"], errors["mean"], spread)
    return Duel(outcome, **errors, standard_error=spread, components=components, code_size=size, split=split)


def judge(autoencoder: float, pca: float, mean: float, standard_error: float) -> str:
    """Won, lost or tie.

    >>> judge(0.5, 1.0, 2.0, 0.01), judge(1.0, 0.5, 2.0, 0.01), judge(1.0, 1.005, 2.0, 0.0), judge(0.9, 1.0, 2.0, 0.1)
    ('won', 'lost', 'tie', 'tie')
    """
    difference, high = abs(autoencoder - pca), max(autoencoder, pca)
    if high <= LOSSLESS * mean or difference < CLOSE * high or difference < 2 * standard_error or high == 0:
        return "tie"
    return "won" if autoencoder < pca else "lost"


def too_wide(result: Duel) -> bool:
    """Whether the code has more numbers than a row, so that PCA has nothing to squeeze."""
    return result.components < result.code_size and result.pca <= LOSSLESS * result.mean


def headline(result: Duel) -> str:
    """The report's first line."""
    where = "" if result.split.unseen else ", on rows it was trained on"
    if result.outcome == "won":
        return f"The autoencoder beat PCA of the same size: {share(result.less)} less error{where}."
    if result.outcome == "lost" and too_wide(result):
        return f"The code is so wide that PCA of its size makes no error{where}."
    if result.outcome == "lost" and result.pca <= LOSSLESS * result.autoencoder:
        return f"The autoencoder lost to PCA of the same size, which made no error{where}."
    if result.outcome == "lost":
        return f"The autoencoder lost to PCA of the same size, which made {share(result.less)} less error{where}."
    return f"The autoencoder is level with PCA of the same size{where}."


def explanation(result: Duel, unit: str) -> str:
    """What the first line stands on: numbers, rows, and what is fair about it."""
    judged, fitted = len(result.split.judged), len(result.split.fitted)
    size = "" if result.components == result.code_size else f", of which these rows allow {result.components}"
    numbers = (
        f"Its squared error per {unit} is {number(result.autoencoder)}; PCA with the same "
        f"{count(result.code_size, 'number')} per sample{size}, makes {number(result.pca)}, and the mean alone "
        f"{number(result.mean)}."
    ).replace("sample, makes", "sample makes")
    if too_wide(result):
        numbers += " So wide a code leaves PCA nothing to squeeze, which is no standard to judge by."
    doubt = " The difference is within what chance or rounding explains." if result.outcome == "tie" else ""
    rows = {
        "held out": f"Judged on {count(judged, 'row')} that were held out of the training (they only chose the epoch); "
        f"PCA was fitted on {count(fitted, 'row')} that the autoencoder was trained on.",
        "other": "These are not the data of the training, so one half at random fitted PCA "
        f"({count(fitted, 'row')}) and the other half judged both ({count(judged, 'row')}); PCA thus knows this very "
        "kind of rows, the autoencoder those of its training.",
        "few": f"These are not the data of the training; the {count(judged, 'row')} are too few to be split, "
        "so PCA was fitted on the rows it is judged on, which favors it.",
        "seen": f"Both were fitted to the {count(judged, 'row')} that judge them, so neither number says how new rows "
        "would fare.",
    }[result.split.kind]
    return f"{numbers}{doubt} {rows}"


def as_plain(result: Duel, sentence: str) -> dict[str, Any]:
    """The headline of ``report.json``."""
    return {
        "outcome": result.outcome,
        "sentence": sentence,
        "rows": result.split.kind,
        "unseen": result.split.unseen,
        "judged_rows": len(result.split.judged),
        "pca_rows": len(result.split.fitted),
        "pca_components": result.components,
        "autoencoder_squared_error": result.autoencoder,
        "pca_squared_error": result.pca,
        "mean_squared_error": result.mean,
        "less_error": result.less,
        "standard_error": result.standard_error,
    }

"""How well strange rows of the ADBench tables are found, by one fixed configuration, against the usual detectors.

Two protocols: *normals* (half of the normal rows are fitted; the others and all anomalies are judged) and *unlabelled*
(the whole table is fitted and judged). Labels are used for the final areas alone. Tables of more than --most rows are
thinned by chance, anomalies as often as they are, at least 20 of them; MVTec tables are features of pictures.

    python benchmarks/anomaly.py --small
    python benchmarks/anomaly.py --seeds 5 --most 5000 --csv anomaly.csv
    python benchmarks/anomaly.py --planted
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from common import ROOT, machine, machine_line, print_table
from diabolo import AnomalyDetector
from diabolo.data.choosing import open_data
from diabolo.tasks.anomaly import default_estimator

SMALL = ("42_WBC", "45_wine", "39_vertebral", "29_Pima")
FEWEST_ANOMALIES = 20
LARGE = 1000
LAST: dict[str, AnomalyDetector] = {}  # what was fitted last
Method = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # (fitted, judged, seed) -> higher is stranger


def tables(names: list[str]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Rows and labels of the tables by name, small ones first."""
    folder = Path(os.environ.get("DIABOLO_DATA", ROOT.parent / "shared" / "data")) / "adbench"
    files = sorted(folder.glob("*/*.npz"), key=lambda path: path.stat().st_size)
    for path in files:
        if not names or path.stem in names:
            with np.load(path) as held:
                yield path.stem, held["X"].astype(np.float64), held["y"].astype(int)


def thinned(X: np.ndarray, y: np.ndarray, most: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """At most so many rows, anomalies as often as they are, but some of them in any case."""
    if len(X) <= most:
        return X, y
    strange = max(round(most * y.mean()), min(FEWEST_ANOMALIES, int(y.sum())))
    rows = np.r_[
        random.permutation(np.flatnonzero(y == 0))[: most - strange],
        random.permutation(np.flatnonzero(y == 1))[:strange],
    ]
    return X[rows], y[rows]


def split(X: np.ndarray, y: np.ndarray, how: str, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """What is fitted, what is judged, and the labels of the latter."""
    if how == "unlabelled":
        order = random.permutation(len(X))
        shuffled = X[order]
        return shuffled, shuffled, y[order]
    normal = random.permutation(np.flatnonzero(y == 0))
    half = len(normal) // 2
    judged = np.r_[normal[half:], np.flatnonzero(y == 1)]
    return X[normal[:half]], X[judged], y[judged]


# The detectors


def ours(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """The default; where the table that is judged is the one that is fitted, trimmed by 30 %."""
    LAST["detector"] = AnomalyDetector(trimming=trimming(fitted, judged), random_state=seed).fit(fitted)
    return LAST["detector"].anomaly_score(judged)


def network(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """The reconstruction error of the detector that was fitted just before."""
    return LAST["detector"].raw_scores(judged)["ReconstructionError"]


def trimming(fitted: np.ndarray, judged: np.ndarray) -> float:
    """What is left out of training: nothing where all rows are known to be normal."""
    return 0.3 if fitted is judged else 0.0


def untrimmed(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """The default as it is for normal rows."""
    return AnomalyDetector(random_state=seed).fit(fitted).anomaly_score(judged)


def untrained_estimator(fitted: np.ndarray) -> Any:
    """The default's network with hardly a step."""
    return default_estimator(open_data(fitted), framed=False).set_params(epochs=1, learning_rate=1e-12)


def untrained(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """The default's network before training."""
    detector = AnomalyDetector(untrained_estimator(fitted), scores=["ReconstructionError"], random_state=seed)
    return detector.fit(fitted).anomaly_score(judged)


def forest(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """Isolation forest."""
    return np.asarray(-IsolationForest(random_state=seed).fit(fitted).score_samples(judged))


def neighbors(count: int) -> Method:
    """The distance to the neighbor of this rank, columns standardized; a row is its own first where it was fitted."""

    def score(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
        scaler = StandardScaler().fit(fitted)
        rank = min(count + (count == 1 and fitted is judged), len(fitted))
        near = NearestNeighbors(n_neighbors=rank).fit(scaler.transform(fitted))
        return np.asarray(near.kneighbors(scaler.transform(judged))[0][:, -1])

    return score


def components(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """What principal components of nine tenths of the variance leave over, columns standardized."""
    scaler = StandardScaler().fit(fitted)
    pca = PCA(0.9, svd_solver="full").fit(scaler.transform(fitted))
    X = scaler.transform(judged)
    return np.asarray(np.square(X - pca.inverse_transform(pca.transform(X))).sum(1))


def tails(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """ECOD: how far in the tails of each column, by the fitted rows (Li et al., 2022, arXiv:2201.00382)."""
    size = len(fitted)
    ordered = np.sort(fitted, axis=0)
    columns = range(fitted.shape[1])
    left = np.stack([np.searchsorted(ordered[:, j], judged[:, j], side="right") for j in columns], 1)
    right = size - np.stack([np.searchsorted(ordered[:, j], judged[:, j], side="left") for j in columns], 1)
    lower, upper = (-np.log((count + 1) / (size + 1)) for count in (left, right))
    centered = fitted - fitted.mean(0)
    skewed = np.where((centered**3).mean(0) < 0, lower, upper)
    return np.asarray(np.max([lower.sum(1), upper.sum(1), skewed.sum(1)], axis=0))


def pyod(name: str) -> Method:
    """A detector of PyOD with its defaults."""

    def score(fitted: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
        if name == "auto_encoder":
            from pyod.models.auto_encoder import AutoEncoder as Detector
        else:
            from pyod.models.vae import VAE as Detector
        detector = Detector(random_state=seed, verbose=0)
        detector.fit(fitted)
        return np.asarray(detector.decision_function(judged))

    return score


METHODS: dict[str, Method] = {
    "AnomalyDetector()": ours,
    "it, untrimmed": untrimmed,
    "its network alone": network,
    "its network, untrained": untrained,
    "5 neighbors": neighbors(5),
    "1 neighbor": neighbors(1),
    "isolation forest": forest,
    "PCA, 90 %": components,
    "ECOD": tails,
    "PyOD AutoEncoder": pyod("auto_encoder"),
    "PyOD VAE": pyod("vae"),
}


def planted(seeds: int) -> None:
    """How often the one cell of a row that was replaced by a far one is the first reason, or among the first three."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine

    found = []
    for name, X in (
        ("breast cancer, 30 columns", load_breast_cancer().data),
        ("wine, 13 columns", load_wine().data),
        ("digits, 64 columns", load_digits().data),
    ):
        shares = []
        for seed in range(seeds):
            random = np.random.default_rng(seed)
            order = random.permutation(len(X))
            train, rows = X[order[: 2 * len(X) // 3]], X[order[2 * len(X) // 3 :]].copy()
            spread, cells = train.std(0), np.zeros(len(rows), dtype=int)
            for at, row in enumerate(rows):
                while True:  # a value that another row has there, two deviations away or more
                    cells[at], other = random.integers(X.shape[1]), random.integers(len(train))
                    if abs(train[other, cells[at]] - row[cells[at]]) > 2 * spread[cells[at]] > 0:
                        row[cells[at]] = train[other, cells[at]]
                        break
            ways = {
                "explain": AnomalyDetector(random_state=seed).fit(train).explain(rows).surprise,
                "untrained": AnomalyDetector(untrained_estimator(train), random_state=seed)
                .fit(train)
                .explain(rows)
                .surprise,
                "largest deviation": np.abs(rows - train.mean(0)) / np.where(spread > 0, spread, 1.0),
            }
            ranks = {way: (told > told[np.arange(len(rows)), cells][:, None]).sum(1) for way, told in ways.items()}
            shares.append([(rank < most).mean() for rank in ranks.values() for most in (1, 3)])
        found.append([name, *(f"{value:.2f}" for value in np.mean(shares, axis=0))])
    ways_told = [
        f"{way}, {first}" for way in ("explain", "untrained", "largest deviation") for first in ("1st", "top 3")
    ]
    print_table(f"A planted cell among the reasons, {seeds} seeds", ["", *ways_told], found)


def main() -> None:
    """Run, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--most", type=int, default=10_000, help="rows of a table")
    parser.add_argument("--how", nargs="*", default=["normals", "unlabelled"])
    parser.add_argument("--only", nargs="*", help="methods")
    parser.add_argument("--tables", nargs="*", default=[])
    parser.add_argument("--csv", help="where each single figure goes")
    parser.add_argument("--planted", action="store_true", help="reasons instead of areas")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    if options.planted:
        print(machine_line(machine()))
        planted(options.seeds)
        return
    names, seeds = (list(SMALL), 1) if options.small else (options.tables, options.seeds)
    methods = {name: METHODS[name] for name in options.only or METHODS}
    print(machine_line(machine()))
    rows: list[dict[str, Any]] = []
    for seed in range(options.first, options.first + seeds):
        for table, X, y in tables(names):
            for how in options.how:
                random = np.random.default_rng([seed, len(X)])
                fitted, judged, labels = split(*thinned(X, y, options.most, random), how, random)
                for name in list(methods):
                    started = time.perf_counter()
                    try:
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")
                            scores = methods[name](fitted, judged, seed)
                    except ImportError as error:
                        print(f"{name} is left out: {error}")
                        del methods[name]
                        continue
                    seconds = time.perf_counter() - started
                    areas = roc_auc_score(labels, scores), average_precision_score(labels, scores)
                    rows.append(dict(zip(FIELDS, (how, table, len(X), seed, name, *areas, seconds), strict=True)))
            if options.csv:
                with Path(options.csv).open("w", newline="") as file:
                    writer = csv.DictWriter(file, FIELDS)
                    writer.writeheader()
                    writer.writerows(rows)
        print(f"seed {seed} done", flush=True)
    for how in options.how:
        show(how, [row for row in rows if row["how"] == how])


FIELDS = ("how", "table", "rows", "seed", "method", "auroc", "ap", "seconds")


def show(how: str, rows: list[dict[str, Any]]) -> None:
    """Means and medians over tables, and each table where neighbors do better."""
    names, found = list(dict.fromkeys(row["table"] for row in rows)), []
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]

        def mean(table: str, what: str, own: list[dict[str, Any]] = own) -> float:
            return float(np.mean([100 * row[what] for row in own if row["table"] == table]))

        large = [table for table in names if next(row["rows"] for row in own if row["table"] == table) >= LARGE]
        cells = []
        for those in (names, large):
            for what in ("auroc", "ap"):
                values = [mean(table, what) for table in those]
                cells += [f"{np.mean(values):.2f}", f"{np.median(values):.2f}"] if values else ["", ""]
        seconds = np.sum([row["seconds"] for row in own]) / len({row["seed"] for row in own})
        found.append([name, *cells, f"{seconds:.0f}"])
    header = ["", "AUROC", "median", "AP", "median", f"AUROC, {LARGE:,}+", "median", "AP", "median", "s"]
    print_table(f"{how}, {len(names)} tables", header, found)
    lost = []
    for table in names:
        areas = {
            name: float(np.mean([100 * row["auroc"] for row in rows if (row["table"], row["method"]) == (table, name)]))
            for name in ("AnomalyDetector()", "5 neighbors", "1 neighbor", "its network alone")
            if any(row["method"] == name for row in rows)
        }
        if len(areas) == 4 and areas["AnomalyDetector()"] < areas["5 neighbors"] - 0.5:
            size = next(row["rows"] for row in rows if row["table"] == table)
            lost.append([table, *(f"{value:.1f}" for value in areas.values()), why(areas, size)])
    if lost:
        header = ["", "ours", "5 neighbors", "1 neighbor", "our network", "why"]
        print_table(f"{how}: tables lost to neighbors", header, lost)


def why(areas: dict[str, float], size: int) -> str:
    """What a table is lost by: the view that tells less than five neighbors, and rows that are too few."""
    least = areas["5 neighbors"] - 0.5
    told = {
        "the network brings anomalies back": areas["its network alone"] < least,
        "the nearest row tells less than the fifth": areas["1 neighbor"] < least,
        f"few rows ({size})": size < LARGE,
    }
    return "; ".join(reason for reason, holds in told.items() if holds)


if __name__ == "__main__":
    main()

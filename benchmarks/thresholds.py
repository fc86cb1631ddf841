"""What thresholds promise and what they keep: realized false discoveries and power over 200 resplits.

Two detectors (mean distance to the 5 nearest training rows; squared error of an autoencoder) are fitted once on
normal rows of each table. All other rows are scored once. Then, 200 times: 1,000 of the held-out normal rows calibrate,
others and as many anomalies as make a tenth (at most 100, at most half of those there are) are judged in one batch. In
contaminated runs 1 % or 5 % of the calibration rows are replaced by anomalies that are in no batch of that resplit.
Labels draw the batches and judge the flags; no rule sees them.

    python benchmarks/thresholds.py            # six tables, 200 resplits
    python benchmarks/thresholds.py --small    # two tables, 20 resplits
    python benchmarks/thresholds.py --json thresholds.json

The package nonconform (BSD-3-Clause) runs beside where it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from common import ROOT, machine, machine_line, print_table
from diabolo import (
    AdaptiveFalseDiscoveryRate,
    Autoencoder,
    Calibration,
    ConditionalFalseDiscoveryRate,
    FalseDiscoveryProportion,
    FalseDiscoveryRate,
    Quantile,
)

TABLES = ("23_mammography", "24_mnist", "27_PageBlocks", "28_pendigits", "30_satellite", "31_satimage-2")
SMALL_TABLES = ("28_pendigits", "31_satimage-2")
RATES = (0.05, 0.1, 0.2)
CONTAMINATIONS = (0.0, 0.01, 0.05)
CALIBRATION_ROWS, TRAINING_ROWS, MOST_ANOMALIES, NEIGHBORS = 1000, 2000, 100, 5
LOOKED_AT = 50
SLOW, FEW = "nonconform, bound of the share", 10  # only this often, and on clean calibrations only
SEED = 0


class Scores(NamedTuple):
    """What one detector says of one table: rows it was fitted on, held-out normal rows, anomalies."""

    name: str
    training: np.ndarray
    normal: np.ndarray
    strange: np.ndarray


class Split(NamedTuple):
    """One resplit: what calibrates and what is judged."""

    training: np.ndarray
    calibration: Calibration
    planted: np.ndarray
    batch: np.ndarray
    labels: np.ndarray


Rule = Callable[[Split, float], np.ndarray]


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows, without duplicates, and labels of an ADBench table."""
    folder = Path(os.environ.get("DIABOLO_DATA", ROOT.parent / "shared" / "data"))
    with np.load(folder / "adbench" / "classical" / f"{name}.npz") as held:
        X, y = held["X"].astype(np.float32), held["y"].astype(int)
    _, first = np.unique(X, axis=0, return_index=True)
    return X[np.sort(first)], y[np.sort(first)]


def detectors(name: str, epochs: int) -> list[Scores]:
    """Fit both detectors on normal rows of a table, and score all others."""
    X, y = read(name)
    order = np.random.default_rng(SEED).permutation(np.flatnonzero(y == 0))
    training = min(TRAINING_ROWS, len(order) // 3)
    scaler = StandardScaler().fit(X[order[:training]])
    parts = [scaler.transform(X[rows]) for rows in (order[:training], order[training:], y == 1)]
    neighbors = NearestNeighbors(n_neighbors=NEIGHBORS).fit(parts[0])
    near = [neighbors.kneighbors(None if part is parts[0] else part)[0].mean(axis=1) for part in parts]
    model = Autoencoder(code_size=max(2, X.shape[1] // 4), epochs=epochs, scaling="none", random_state=SEED).fit(
        parts[0]
    )
    errors = [model.reconstruction_error(part) for part in parts]
    return [Scores(f"{name}, neighbors", *near), Scores(f"{name}, autoencoder", *errors)]


def resplit(scores: Scores, contamination: float, seed: int) -> Split:
    """Draw what calibrates and what is judged."""
    generator = np.random.default_rng([SEED, seed])
    strange = generator.permutation(scores.strange)
    judged = min(MOST_ANOMALIES, len(strange) // 2)
    planted = round(contamination * CALIBRATION_ROWS)
    others = strange[judged:]
    hidden = others[:planted] if planted <= len(others) else generator.choice(others, planted)
    normal = generator.permutation(scores.normal)
    calibration, rest = normal[: CALIBRATION_ROWS - planted], normal[CALIBRATION_ROWS:]
    batch = np.concatenate([rest[: 9 * judged], strange[:judged]])
    labels = np.arange(len(batch)) >= len(batch) - judged
    return Split(scores.training, Calibration(np.concatenate([calibration, hidden])), hidden, batch, labels)


def trimmed(share: float) -> Rule:
    """Benjamini and Hochberg's rule after the highest calibration rows were dropped unseen."""

    def flags(split: Split, rate: float) -> np.ndarray:
        kept = split.calibration.scores[: round((1 - share) * len(split.calibration))]
        return FalseDiscoveryRate(rate).flags(split.batch, Calibration(kept))

    return flags


def looked_at(split: Split, rate: float) -> np.ndarray:
    """Benjamini and Hochberg's rule after somebody looked at the highest calibration rows and took anomalies out."""
    found = split.planted[split.planted >= split.calibration.highest(LOOKED_AT)]
    return FalseDiscoveryRate(rate).flags(split.batch, split.calibration.without(found))


RULES: dict[str, Rule] = {
    "quantile of training scores": lambda split, rate: split.batch > np.quantile(split.training, 1 - rate),
    "Quantile(1 - rate)": lambda split, rate: Quantile(1 - rate).flags(split.batch, split.calibration),
    "FalseDiscoveryRate": lambda split, rate: FalseDiscoveryRate(rate).flags(split.batch, split.calibration),
    "AdaptiveFalseDiscoveryRate": lambda split, rate: AdaptiveFalseDiscoveryRate(rate).flags(
        split.batch, split.calibration
    ),
    "ConditionalFalseDiscoveryRate": lambda split, rate: ConditionalFalseDiscoveryRate(rate).flags(
        split.batch, split.calibration
    ),
    "FalseDiscoveryProportion": lambda split, rate: FalseDiscoveryProportion(rate).flags(
        split.batch, split.calibration
    ),
    f"FalseDiscoveryRate, {LOOKED_AT} highest looked at": looked_at,
    "FalseDiscoveryRate, highest 1 % dropped unseen": trimmed(0.01),
    "FalseDiscoveryRate, highest 5 % dropped unseen": trimmed(0.05),
}


def peers() -> dict[str, Rule]:
    """The same decisions by nonconform, where it is installed."""
    try:
        from nonconform.fdr import conformal_fdp_upper_bound
        from nonconform.scoring import ConditionalEmpirical, Empirical
        from scipy.stats import false_discovery_control
    except ImportError:
        return {}
    plain, conditional = Empirical(), ConditionalEmpirical(delta=0.1, method="mc", mc_num_simulations=2000)
    conditional.set_seed(SEED)

    def by_rate(estimation: Any) -> Rule:
        return lambda split, rate: (
            false_discovery_control(estimation.compute_p_values(split.batch, split.calibration.scores)) <= rate
        )

    latest: list[Any] = []  # the bound takes long and does not depend on the rate

    def bounded(split: Split, rate: float) -> np.ndarray:
        p_values = plain.compute_p_values(split.batch, split.calibration.scores)
        if not latest or latest[0] is not split:
            latest[:] = (
                split,
                conformal_fdp_upper_bound(
                    p_values, n_calibration=len(split.calibration), seed=SEED, method="mc_thc", lower=0.001
                ),
            )
        bound = latest[1]
        kept = bound.thresholds[bound.fdp_upper_bounds <= rate]
        return p_values <= (kept.max() if len(kept) else -1.0)

    return {
        "nonconform, Benjamini-Hochberg": by_rate(plain),
        "nonconform, conditional (Monte Carlo)": by_rate(conditional),
        SLOW: bounded,
    }


def judge(flags: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The share of false among the flagged (0 where none is), and of the anomalies that are flagged."""
    return float((flags & ~labels).sum() / max(flags.sum(), 1)), float((flags & labels).sum() / labels.sum())


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="two tables, 20 resplits, two epochs")
    parser.add_argument("--tables", nargs="+", metavar="TABLE", help="files of ADBench, without .npz")
    parser.add_argument("--resplits", type=int, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure, by table")
    options = parser.parse_args()
    tables = options.tables or (SMALL_TABLES if options.small else TABLES)
    resplits = options.resplits or (20 if options.small else 200)
    print(machine_line(machine()))
    print(f"{CALIBRATION_ROWS:,} calibration rows, {resplits} resplits, seed {SEED}; tables: {', '.join(tables)}")
    start = time.perf_counter()
    detected = [scores for name in tables for scores in detectors(name, 2 if options.small else 30)]
    print(f"fitted and scored in {time.perf_counter() - start:.0f} s")
    rules, found, seconds = RULES | peers(), [], dict.fromkeys(RULES | peers(), 0.0)
    for scores in detected:
        for contamination in CONTAMINATIONS:
            outcomes: dict[tuple[str, float], list[tuple[float, float]]] = {}
            for number in range(resplits):
                split = resplit(scores, contamination, number)
                for rule, flags in rules.items():
                    if rule == SLOW and (number >= FEW or contamination):
                        continue
                    before = time.perf_counter()
                    for rate in RATES:
                        outcomes.setdefault((rule, rate), []).append(judge(flags(split, rate), split.labels))
                    seconds[rule] += time.perf_counter() - before
            for (rule, rate), pairs in outcomes.items():
                false, power = np.array(pairs).T
                found.append(
                    {
                        "table": scores.name,
                        "contamination": contamination,
                        "rule": rule,
                        "rate": rate,
                        "false": false.mean(),
                        "false_95": np.quantile(false, 0.95),
                        "kept": (false <= rate).mean(),
                        "power": power.mean(),
                    }
                )
    for contamination in CONTAMINATIONS:
        show(contamination, found, list(rules))
    print("\nseconds:", ", ".join(f"{rule} {spent:.1f}" for rule, spent in seconds.items()))
    print(f"{time.perf_counter() - start:.0f} s in all")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def show(contamination: float, found: list[dict[str, Any]], rules: list[str]) -> None:
    """One table: the mean over tables and detectors, and the worst mean in brackets."""
    rows = []
    for rule in rules:
        cells = [rule]
        for rate in RATES:
            chosen = [
                f for f in found if f["contamination"] == contamination and f["rule"] == rule and f["rate"] == rate
            ]
            if not chosen:
                break
            false, high, power = (np.array([f[key] for f in chosen]) for key in ("false", "false_95", "power"))
            cells += [f"{false.mean():.3f} ({false.max():.3f})", f"{high.mean():.2f}", f"{power.mean():.3f}"]
        rows += [cells] if len(cells) > 1 else []
    header = ["", *(word for rate in RATES for word in (f"false at {rate}", "95th percentile", "power"))]
    print_table(f"{contamination:.0%} of the calibration rows are anomalies", header, rows)


if __name__ == "__main__":
    main()

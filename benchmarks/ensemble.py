"""Sixteen small networks that learn side by side, against the same one after the other: seconds of ``fit``.

Both see the same rows, batches and steps, in turns within one process; no row is held out.

    python benchmarks/ensemble.py --small
    python benchmarks/ensemble.py --rounds 3
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

from common import machine, machine_line, print_table
from diabolo import MLP, Autoencoder, EnsembleAutoencoder, NoiseLevels

NETWORKS = {
    "30 columns, 30-32-4": (load_breast_cancer().data, (32,), 4),
    "30 columns, 30-64-32-4": (load_breast_cancer().data, (64, 32), 4),
    "30 columns, 30-256 (the detector's)": (load_breast_cancer().data, (), 256),
    "64 columns, 64-32-8": (load_digits().data, (32,), 8),
}


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    rounds, epochs = (1, 2) if options.small else (options.rounds, 20)
    print(machine_line(machine()))
    rows = []
    for name, (X, hidden, size) in NETWORKS.items():
        shared = {
            "code_size": size,
            "architecture": MLP(hidden=hidden),
            "corruption": NoiseLevels(),
            "scaling": "standard",
            "epochs": epochs,
            "batch_size": 128,
            "validation": 0.0,
        }
        together, apart, errors = [], [], []
        for turn in range(rounds + 1):  # the first warms up
            started = time.perf_counter()
            one = EnsembleAutoencoder(members=options.members, random_state=turn, **shared).fit(X)
            between = time.perf_counter()
            each = [Autoencoder(random_state=seed, **shared).fit(X) for seed in range(options.members)]
            together.append(between - started)
            apart.append(time.perf_counter() - between)
            mean = np.mean([model.reconstruct(X) for model in each], axis=0)
            errors.append(
                [
                    np.square((found - X) / np.where(X.std(0) > 0, X.std(0), 1.0)).mean()
                    for found in (one.reconstruct(X), mean)
                ]
            )
        ratios = [slow / fast for fast, slow in zip(together, apart, strict=True)][1:]
        off = np.mean(errors, axis=0)
        rows.append(
            [
                name,
                f"{median(together[1:]):.2f}",
                f"{median(apart[1:]):.2f}",
                f"{median(ratios):.1f}",
                f"{min(ratios):.1f} to {max(ratios):.1f}",
                f"{off[0]:.3f} {off[1]:.3f}",
            ]
        )
    header = [f"{options.members} networks, {epochs} epochs", "together, s", "apart, s", "times", "range", "errors"]
    print_table("Fits", header, rows)


if __name__ == "__main__":
    main()

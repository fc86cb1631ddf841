"""How like, how useful and how new generated rows of Adult are, between independent columns and a real copy.

Fitted on the 32,561 training rows, as they are, with their empty cells. As many rows are generated, and judged beside
the 16,281 test rows: shapes of columns, trends of pairs, how well gradient-boosted trees tell them from real rows
(AUROC, 0.5 is right), the share of rows nearer to a training row than to as many test rows (0.5 is right), and F1
(mean over both classes) and AUROC of trees trained on them to predict the income of the test rows. Nothing is chosen
on the test rows.

    python benchmarks/synthesis.py            # the default, three seeds
    python benchmarks/synthesis.py --small    # 3,000 rows, fewer epochs, one seed: under a minute
    python benchmarks/synthesis.py --only "not refined" --seeds 1
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common import ROOT, machine, machine_line
from diabolo import MLP, VAE, Generator
from diabolo.diagnosis import Likeness, Synthesis, synthesis_report
from diabolo.tasks.generator import STANDARD

NAMES = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
)
SMALL_ROWS = 3000

# What the default is compared with: the same without its critic, and other prices and sizes of the code.
CONFIGURATIONS: dict[str, Callable[[int], Generator]] = {
    "default": lambda seed: Generator(random_state=seed),
    "not refined": lambda seed: Generator(refine=False, random_state=seed),
    "beta 1": lambda seed: Generator(
        VAE(code_size=32, architecture=MLP((128, 128)), epochs=30), refine=False, random_state=seed
    ),
    "code 128, beta 0.5": lambda seed: Generator(
        VAE(code_size=128, beta=0.5, architecture=MLP((128, 128)), epochs=30), refine=False, random_state=seed
    ),
}


def adult(part: str) -> pd.DataFrame:
    """Adult's training or test rows."""
    folder = Path(os.environ.get("DIABOLO_DATA", ROOT.parent / "shared" / "data"))
    path = folder / "tables" / f"adult-{part}.csv.gz"
    frame = pd.read_csv(path, header=None, names=list(NAMES), na_values=["?"], skipinitialspace=True)
    frame["income"] = frame["income"].str.rstrip(".")
    return frame


def measure(name: str, seed: int, train: pd.DataFrame, test: pd.DataFrame, small: bool) -> tuple[Synthesis, list[Any]]:
    """Fit, generate as many rows, judge; also seconds to fit and to draw, and the number of Gaussians."""
    generator = CONFIGURATIONS[name](seed)
    if small and generator.estimator is None:
        generator.estimator = VAE(**(STANDARD | {"epochs": 60}))
    started = time.perf_counter()
    generator.fit(train)
    fitted = time.perf_counter()
    made = generator.sample(len(train), random_state=seed)
    drawn = time.perf_counter()
    report = synthesis_report(train, test, made, target="income", random_state=seed)
    return report, [len(generator.density_.shares), fitted - started, drawn - fitted, time.perf_counter() - drawn]


def cells(likeness: Likeness) -> list[float]:
    """The numbers of a line."""
    useful = [likeness.usefulness["F1"], likeness.usefulness["target AUROC"]]
    return [likeness.shape, likeness.trends, likeness.auroc, likeness.closer, *useful]


def table(results: dict[str, list[list[float]]]) -> str:
    """A line for each configuration: means over seeds, and the range of F1."""
    header = ["", "shapes", "trends", "two-sample", "closer", "F1", "AUROC", "F1 range", "seconds"]
    lines = ["{:28s} {:>8s} {:>8s} {:>11s} {:>8s} {:>8s} {:>8s} {:>16s} {:>8s} seeds".format(*header)]
    for name, rows in results.items():
        shapes, trends, told, closer, f1, auroc, seconds = (
            statistics.mean(column) for column in zip(*rows, strict=True)
        )
        f1s = [row[4] for row in rows]
        spread = f"{min(f1s):.4f} to {max(f1s):.4f}"
        numbers = f"{shapes:8.4f} {trends:8.4f} {told:11.4f} {closer:8.4f} {f1:8.4f} {auroc:8.4f} {spread:>16s}"
        lines.append(f"{name:28s} {numbers} {seconds:8.0f} {len(rows)}")
    return "\n".join(lines)


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--small", action="store_true", help="3,000 rows, 60 epochs, one seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=["default"], help=f"{', '.join(CONFIGURATIONS)}, all")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    train, test = adult("train"), adult("test")
    if options.small:
        train, test, options.seeds = train[:SMALL_ROWS], test[:SMALL_ROWS], 1
    names = [name for name in CONFIGURATIONS if options.only == ["all"] or name in options.only]
    print(machine_line(machine()))
    print(f"Adult, {len(train):,} rows to fit, {len(train):,} generated, {len(test):,} test rows to judge\n")
    results: dict[str, list[list[float]]] = {}
    for name in names:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            report, facts = measure(name, seed, train, test, options.small)
            density, fit_seconds, draw_seconds, judge_seconds = facts
            seconds = f"{fit_seconds:.0f} s to fit, {draw_seconds:.0f} to draw, {judge_seconds:.0f} to judge"
            print(f"{name}, seed {seed}: {density} Gaussians; {seconds}", file=sys.stderr)
            if name == names[0]:
                results.setdefault("independent columns", []).append([*cells(report.independent), np.nan])
                results.setdefault("real copy", []).append([*cells(report.copied), np.nan])
            results.setdefault(name, []).append([*cells(report.synthetic), fit_seconds + draw_seconds])
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

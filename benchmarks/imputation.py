"""How well holes of tables are filled, against means, neighbors, ridge regression and random forests.

Of each table a share of the known cells is hidden, at random (MCAR) or larger values sooner (MNAR), filled, and
compared. In sample the rows are those that were fitted; out of sample, a fifth of the rows that were not. Numbers are
judged in standard deviations of what was hidden (R2, RMSE), all other columns by how often the value is right. All
methods get the same cells: the baselines as numbers, categories as shares, with the likeliest taken.

    python benchmarks/imputation.py --small
    python benchmarks/imputation.py --seeds 3
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from common import ROOT, machine, machine_line, print_table
from diabolo import VAE, Imputer, TabularMaskedAutoencoder
from diabolo.data.choosing import fit_modality, open_data
from diabolo.data.tables import Table
from diabolo.tasks.holes import holes_of

READING: dict[str, dict[str, Any]] = {
    "penguins.csv": {},
    "mpg.csv": {},
    "auto_imports.csv": {"header": None, "na_values": ["?"]},
    "titanic.csv": {},
    "winequality-white.csv.gz": {"header": None},
    "california_housing.csv.gz": {},
    "diamonds.csv.gz": {},
    "adult-train.csv.gz": {"header": None, "na_values": ["?"], "skipinitialspace": True},
}
REPEATED = {"titanic.csv": ["alive", "class", "embark_town"], "mpg.csv": ["name"]}  # say the same twice, or are names
NUMBERS = ("continuous", "integer", "count", "ordinal")


def tables(rows: int, small: bool) -> dict[str, pd.DataFrame]:
    """The tables by name, at most so many rows of each; those that are not there are left out."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    found = {
        "diabetes": load_diabetes(as_frame=True).frame,
        "wine": load_wine(as_frame=True).data,
        "breast cancer": load_breast_cancer(as_frame=True).data,
    }
    folder = Path(os.environ.get("DIABOLO_DATA", ROOT.parent / "shared" / "data")) / "tables"
    for name, options in READING.items():
        if (folder / name).is_file():
            frame = pd.read_csv(folder / name, **options).rename(columns=str)
            found[name.split(".")[0]] = frame.drop(columns=REPEATED.get(name, []))
    found = {
        name: frame.sample(min(rows, len(frame)), random_state=0).reset_index(drop=True)
        for name, frame in found.items()
    }
    return {"wine": found["wine"]} if small else found


def hide(frame: pd.DataFrame, share: float, how: str, generator: np.random.Generator) -> tuple[pd.DataFrame, Any]:
    """The frame with a share of its known cells hidden, and which."""
    known = frame.notna().to_numpy()
    chance = np.full(frame.shape, share)
    if how == "MNAR":  # from 0 for the smallest to twice the share for the largest; categories by their frequency
        for at in range(frame.shape[1]):
            column = frame.iloc[:, at]
            values = column if column.dtype.kind in "iuf" else column.map(column.value_counts())
            chance[:, at] = 2 * share * values.rank(pct=True).fillna(0.5).astype(float)
    hidden = known & (generator.random(frame.shape) < chance)
    for at in np.flatnonzero(known.any(0) & ~(known & ~hidden).any(0)):  # something must stay
        hidden[np.flatnonzero(known[:, at])[0], at] = False
    holed = frame.copy()
    for at, name in enumerate(frame.columns):
        column = holed[name]
        column = column.astype("float64") if column.dtype.kind in "iuf" else column.astype(object)
        holed[name] = column.mask(hidden[:, at])
    return holed, hidden


class Cells:
    """Frames as numbers that any imputer takes, by the kinds of columns at fit, and what they stand for.

    Parameters
    ----------
    frame : DataFrame
        With holes.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.table = fit_modality(open_data(frame), "auto", "infer")
        assert isinstance(self.table, Table)
        starts = np.cumsum([0, *self.table.widths])
        self.own = np.concatenate(
            [np.arange(start, start + c.own_width) for start, c in zip(starts, self.table.columns, strict=False)]
        )

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Numbers, holes as NaN."""
        batch = self.table.read(open_data(frame))
        values = batch.values.numpy().astype(np.float64)
        return (values if batch.known is None else np.where(batch.known.numpy(), values, np.nan))[:, self.own]

    def decode(self, cells: np.ndarray, like: pd.DataFrame) -> pd.DataFrame:
        """The frame that numbers stand for."""
        import torch

        whole = np.zeros((len(cells), self.table.shape[0]))
        whole[:, self.own] = np.nan_to_num(cells)
        return self.table.framed(self.table.decoded(torch.from_numpy(whole)), like)


LIMITS: dict[str, Any] = {}  # of the epochs, in a small run
Filled = tuple[pd.DataFrame, pd.DataFrame]
Method = Callable[[pd.DataFrame, pd.DataFrame, int], Filled]


def baseline(make: Callable[[int], Any]) -> Method:
    """A scikit-learn imputer on the encoded numbers."""

    def fill(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
        cells = Cells(train)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an iteration has not converged is known
            imputer = make(seed).set_params(keep_empty_features=True).fit(cells.encode(train))
            return tuple(cells.decode(imputer.transform(cells.encode(part)), part) for part in (train, test))

    return fill


def ours(make: Callable[[], Any]) -> Method:
    """This library's."""

    def fill(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
        imputer = Imputer(make().set_params(**LIMITS), random_state=seed).fit(train)
        return imputer.transform(train), imputer.transform(test)

    return fill


def forest(seed: int) -> IterativeImputer:
    """As missForest, small."""
    trees = RandomForestRegressor(n_estimators=10, max_features=0.5, random_state=seed)
    return IterativeImputer(trees, max_iter=3, random_state=seed)


METHODS: dict[str, Method] = {
    "mean, mode": baseline(lambda seed: SimpleImputer()),
    "5 neighbors": baseline(lambda seed: KNNImputer()),
    "iterative ridge": baseline(lambda seed: IterativeImputer(random_state=seed)),
    "iterative forest": baseline(forest),
    "Imputer()": ours(lambda: TabularMaskedAutoencoder(column_types="infer")),
    "Imputer, linear=False": ours(lambda: TabularMaskedAutoencoder(linear=False, column_types="infer")),
    "Imputer(VAE())": ours(lambda: VAE(column_types="infer")),
}


def judge(truth: pd.DataFrame, filled: pd.DataFrame, hidden: np.ndarray, kinds: list[str]) -> dict[str, float]:
    """R2 and RMSE of numbers, accuracy of everything else: means over columns."""
    shares, errors, right = [], [], []
    for at, kind in enumerate(kinds):
        here = hidden[:, at]
        true, made = truth.iloc[:, at][here], filled.iloc[:, at][here]
        if here.sum() < 2 or kind in ("empty", "date"):
            continue
        if kind in NUMBERS and true.dtype.kind in "iuf":
            scale = float(truth.iloc[:, at].astype(float).std())
            off, around = made.to_numpy(float) - true.to_numpy(float), true.to_numpy(float) - true.mean()
            if scale > 0 and around.any():
                shares.append(1 - float(np.square(off).sum() / np.square(around).sum()))
                errors.append(float(np.sqrt(np.square(off).mean())) / scale)
        else:
            right.append(float((true.astype(str).to_numpy() == made.astype(str).to_numpy()).mean()))
    return {
        name: float(np.mean(v)) if v else np.nan
        for name, v in zip(("R2", "RMSE", "accuracy"), (shares, errors, right), strict=True)
    }


def run(frame: pd.DataFrame, how: str, seed: int, method: Method, share: float) -> dict[str, dict[str, float]]:
    """One method on one table: in sample, out of sample."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(frame))
    cut = len(frame) - len(frame) // 5
    parts = [frame.iloc[order[:cut]].reset_index(drop=True), frame.iloc[order[cut:]].reset_index(drop=True)]
    holed = [hide(part, share, how, generator) for part in parts]
    kinds = [column.kind for column in Cells(parts[0]).table.columns]
    start = time.perf_counter()
    filled = method(holed[0][0], holed[1][0], seed)
    seconds = time.perf_counter() - start
    scores = {}
    for name, part, (_, hidden), whole in zip(("in", "out"), parts, holed, filled, strict=True):
        assert not holes_of(open_data(whole))[:, [kind != "empty" for kind in kinds]].any()
        scores[name] = judge(part, whole, hidden, kinds) | {"seconds": seconds}
    return scores


def main() -> None:
    """Read the flags, fill, judge, print."""
    parser = argparse.ArgumentParser(description="filling holes of tables")
    parser.add_argument("--small", action="store_true", help="one small table, one seed, few epochs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2000, help="of each table at most")
    parser.add_argument("--share", type=float, default=0.3, help="of the known cells that is hidden")
    parser.add_argument("--tables", nargs="*", help="only these")
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), help="only these")
    parser.add_argument("--json", type=Path, help="every figure of every seed")
    options = parser.parse_args()
    print(machine_line(machine()), flush=True)
    if options.small:
        LIMITS["epochs"] = 10
    seeds = range(1 if options.small else options.seeds)
    found = {n: f for n, f in tables(options.rows, options.small).items() if not options.tables or n in options.tables}
    results: dict[tuple[str, str, str, str], list[float]] = {}
    for table, frame in found.items():
        for name in options.methods or METHODS:
            for how in ("MCAR", "MNAR"):
                for seed in seeds:
                    for where, scores in run(frame, how, seed, METHODS[name], options.share).items():
                        for measure, value in scores.items():
                            results.setdefault((table, name, f"{how} {where}", measure), []).append(value)
            print(f"# {table}: {name}", flush=True)
    settings = ["MCAR in", "MCAR out", "MNAR in", "MNAR out"]
    names = [name for name in METHODS if not options.methods or name in options.methods]
    for table, frame in found.items():
        rows = []
        for name in names:
            means = [[np.mean(results[table, name, s, m]) for m in ("R2", "RMSE", "accuracy")] for s in settings]
            seconds = np.mean(results[table, name, "MCAR in", "seconds"])
            rows.append([name, *(" / ".join(f"{value:.3f}" for value in mean) for mean in means), f"{seconds:.1f}"])
        title = f"{table}: {len(frame):,} rows of {frame.shape[1]}; R2 / RMSE / accuracy, {len(seeds)} seeds"
        print_table(title, ["", *settings, "seconds"], rows)
    for measure in ("R2", "RMSE", "accuracy", "seconds"):
        rows = []
        judged = [table for table in found if not np.isnan(results[table, names[0], settings[0], measure]).all()]
        for name in names if judged else ():
            by_seed = [np.mean([results[table, name, s, measure] for table in judged], axis=0) for s in settings]
            rows.append([name, *(f"{m.mean():.3f} ({m.min():.3f} to {m.max():.3f})" for m in by_seed)])
        if rows:
            print_table(f"{measure}, mean over {len(judged)} tables (range over seeds)", ["", *settings], rows)
    if options.json:
        options.json.write_text(json.dumps({" | ".join(key): values for key, values in results.items()}, indent=1))


if __name__ == "__main__":
    main()

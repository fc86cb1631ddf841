"""How well strange stretches of time series are found, against windows' principal components and neighbors.

Series of NAB (unlabelled: fitted on the whole series, and scored on it), of the UCR anomaly archive, the server
machines (SMD), application servers (ASD) and spacecraft (SMAP, MSL), which have a training part. All methods get the
same window and their scores of windows are averaged over all that cover a point. VUS-PR with buffers up to the window,
and the average precision of points; no point adjustment. Labels serve for these figures only, but the detector's
configuration was chosen while looking at every second series (``looked at``), so the others are shown by themselves.
Classified series of many channels (UEA), laid end to end with some of other classes, were not looked at either.

    python benchmarks/series.py --small
    python benchmarks/series.py
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from common import ROOT, machine, machine_line, print_table
from diabolo import Autoencoder, DenoisingAutoencoder, SeriesAnomalyDetector
from diabolo.data.windows import Overlap, beginnings, cut, dominant_period
from diabolo.tasks.series_windows import STRIDES, default_estimator, training_windows, usual_window
from metrics_series import point_areas, volume

FOLDER = Path(os.environ.get("DIABOLO_DATA", ROOT.parent / "shared" / "data")) / "timeseries"
JOINED_EVERY = 5  # series of the class, one of another
PLANTED_IN = ("ucr/135", "ucr/136", "asd/omi-1", "asd/omi-2")
SMALL = ("nab/rds_cpu_utilization_cc0c53", "ucr/135", "ucr/136")


class Labeled(NamedTuple):
    """A series to learn from, one to score, and what of the latter is strange; the same series where unlabelled."""

    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray


def all_series() -> dict[str, Labeled]:
    """The series by group and name; NAB's without an anomaly is left out, and so are folders that are not there."""
    found: dict[str, Labeled] = {}
    if (FOLDER / "nab").is_dir():
        for name, ranges in sorted(json.loads((FOLDER / "nab" / "combined_windows.json").read_text()).items()):
            path = FOLDER / "nab" / f"{name}.gz"
            if path.is_file() and ranges:
                frame = pd.read_csv(path)
                moments, values = pd.to_datetime(frame["timestamp"]), frame[["value"]].to_numpy(np.float64)
                strange = [(moments >= first) & (moments <= last) for first, last in ranges]
                labels = np.any(strange, axis=0).astype(int)
                found[f"nab/{Path(name).stem}"] = Labeled(values, values, labels)
    for path in sorted((FOLDER / "ucr-anomaly").glob("*.gz")):
        values = np.array(gzip.decompress(path.read_bytes()).split(), dtype=np.float64)[:, None]
        numbers = [int(number) for number in re.findall(r"\d+", path.name)]
        end, first, last = numbers[-3:]
        labels = np.zeros(len(values), dtype=int)
        labels[first - 1 : last] = 1
        found[f"ucr/{numbers[0]}"] = Labeled(values[:end], values[end:], labels[end:])
    for group in ("smd", "asd", "smap-msl"):
        for path in sorted((FOLDER / group).glob("*.npz")):
            with np.load(path) as file:
                parts = [file[name].astype(np.float64) for name in ("train", "test")]
                found[f"{group}/{path.stem}"] = Labeled(*parts, file["test_label"].astype(int))
    return found


def joined_series() -> dict[str, Labeled]:
    """Classified series of many channels as one: training ones of a class end to end, and test ones, some of others."""
    found: dict[str, Labeled] = {}
    for name in ("BasicMotions", "JapaneseVowels"):
        if not (FOLDER / "ucr" / name).is_dir():
            continue
        parts = [read_classes(FOLDER / "ucr" / name / f"{name}_{part}.ts.gz") for part in ("TRAIN", "TEST")]
        for kind in sorted({each for each, _ in parts[0]}):
            train = np.concatenate([values for each, values in parts[0] if each == kind])
            own = [values for each, values in parts[1] if each == kind]
            other = [values for each, values in parts[1] if each != kind]
            test, labels = [], []
            for number, values in enumerate(own):
                test.append(values)
                labels.append(np.zeros(len(values), dtype=int))
                if number % JOINED_EVERY == JOINED_EVERY - 1:
                    test.append(other[number * len(other) // len(own)])
                    labels.append(np.ones(len(test[-1]), dtype=int))
            found[f"joined/{name}-{kind}"] = Labeled(train, np.concatenate(test), np.concatenate(labels))
    return found


def read_classes(path: Path) -> list[tuple[str, np.ndarray]]:
    """The series of a ``.ts`` file, ``(time, channels)``, and their classes."""
    lines = gzip.decompress(path.read_bytes()).decode().split("@data")[1].split()
    split = [line.split(":") for line in lines]
    return [(kind, np.array([list(map(float, c.split(","))) for c in channels]).T) for *channels, kind in split]


# Baselines

Method = Callable[[np.ndarray, int], Callable[[np.ndarray], np.ndarray]]  # (train, window) -> (test -> scores)


def of_windows(fit: Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]]) -> Method:
    """A method that scores standardized windows, as rows, each by itself."""

    def learn(train: np.ndarray, window: int) -> Callable[[np.ndarray], np.ndarray]:
        center, scale = train.mean(0), np.where(train.std(0) > 1e-6, train.std(0), 1.0)
        rows = training_windows([(train - center) / scale], window)
        score = fit(rows.reshape(len(rows), -1))

        def points(test: np.ndarray) -> np.ndarray:
            at = beginnings(len(test), window, max(1, window // STRIDES))
            strange = score(cut((test - center) / scale, at, window).reshape(len(at), -1))
            overlap = Overlap(window, 1)
            for each, value in zip(at, strange, strict=True):
                overlap.add(int(each), np.full((window, 1), value))
            return overlap.take(len(test))[:, 0]

        return points

    return learn


def components(rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The squared error of principal components that explain 99 %."""
    size = default_estimator(rows).code_size
    pca = PCA(size, svd_solver="covariance_eigh" if rows.shape[1] < len(rows) else "full").fit(rows)
    return lambda other: np.square(other - pca.inverse_transform(pca.transform(other))).mean(1)


def weighted_distances(rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """PyOD's PCA, which TSB-AD calls Sub-PCA: distances to all axes, each by its share of the variance."""
    center, scale = rows.mean(0), np.where(rows.std(0) > 1e-9, rows.std(0), 1.0)
    pca = PCA().fit((rows - center) / scale)
    kept = pca.explained_variance_ratio_ > 1e-9
    axes, shares = pca.components_[kept], pca.explained_variance_ratio_[kept]
    return lambda other: (cdist((other - center) / scale, axes) / shares).sum(1)


def neighbors(rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The distance to the tenth nearest training window, PyOD's default."""
    return lambda other: np.concatenate(
        [np.partition(cdist(part, rows), 9, axis=1)[:, 9] for part in np.array_split(other, 1 + len(other) // 256)]
    )


def moving_average(train: np.ndarray, window: int) -> Callable[[np.ndarray], np.ndarray]:
    """Squared distance from the mean of the points around, averaged over as many."""
    scale = np.where(train.std(0) > 1e-6, train.std(0), 1.0)
    kernel = np.ones(window)

    def mean(values: np.ndarray) -> np.ndarray:
        counts = np.convolve(np.ones(len(values)), kernel, "same")
        sums = [np.convolve(channel, kernel, "same") for channel in values.T]
        return np.stack(sums, axis=1) / counts[:, None]

    return lambda test: mean(np.square((test - mean(test)) / scale)).mean(1)


def chance(train: np.ndarray, window: int) -> Callable[[np.ndarray], np.ndarray]:
    """Random numbers."""
    return lambda test: np.random.default_rng(0).random(len(test))


def ours(**options: Any) -> Method:
    """This library's."""

    def learn(train: np.ndarray, window: int) -> Callable[[np.ndarray], np.ndarray]:
        scores: Callable[[np.ndarray], np.ndarray] = (
            SeriesAnomalyDetector(**{"window": window, "random_state": 0, **options}).fit(train).anomaly_score
        )
        return scores

    return learn


NETWORK = {"scaling": "none", "epochs": 30}
METHODS: dict[str, Method] = {
    "random score": chance,
    "moving average": moving_average,
    "Sub-KNN": of_windows(neighbors),
    "Sub-PCA (99 %)": of_windows(components),
    "Sub-PCA as in PyOD": of_windows(weighted_distances),
    "**SeriesAnomalyDetector()**": ours(),
    "neighbors=0": ours(neighbors=0),
    "normalize='window'": ours(normalize="window"),
}
NETWORKS: dict[str, Method] = {
    "linear": ours(neighbors=0),
    "untrained Autoencoder": ours(
        estimator=Autoencoder(code_size=16, **{**NETWORK, "epochs": 1, "learning_rate": 1e-30}), neighbors=0
    ),
    "Autoencoder": ours(estimator=Autoencoder(code_size=16, **NETWORK), neighbors=0),
    "DenoisingAutoencoder": ours(estimator=DenoisingAutoencoder(code_size=64, **NETWORK), neighbors=0),
}


# Planted anomalies


def spike(part: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One value in eight points far off."""
    return part + 4 * (np.arange(len(part)) % 8 == 4)


def level(part: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another level."""
    return part + 1.5


def frequency(part: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Twice as fast."""
    return np.resize(part[::2], len(part))


def dropped(part: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Backwards: a cycle that is not as the others."""
    return part[::-1]


def noise(part: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A burst of noise."""
    return part + random.normal(size=len(part))


def flat(part: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Held at its first value."""
    return np.full(len(part), part[0])


PLANTS = {"spikes": spike, "level": level, "frequency": frequency, "reversed": dropped, "noise": noise, "flat": flat}


def planted(values: np.ndarray, how: str, window: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The series with a kind of anomaly here and there, in the channel that moves most for its size; and where."""
    changed, labels = values.copy(), np.zeros(len(values), dtype=int)
    moving = np.abs(np.diff(values, axis=0)).mean(0)
    channel = int(np.argmax(moving / np.where(values.std(0) > 1e-6, values.std(0), np.inf)))
    center, scale = values[:, channel].mean(), values[:, channel].std()
    length = max(8, window // 2)
    for stretch in np.array_split(np.arange(len(values)), max(1, len(values) // (8 * window))):
        at = int(stretch[0] + random.integers(0, max(1, len(stretch) - length)))
        part = (values[at : at + length, channel] - center) / scale
        changed[at : at + length, channel] = PLANTS[how](part, random) * scale + center
        labels[at : at + length] = 1
    return changed, labels


# Running


def run(series: dict[str, Labeled], methods: dict[str, Method]) -> pd.DataFrame:
    """A row for each series and method."""
    rows = []
    for name, (train, test, labels) in series.items():
        window = usual_window(dominant_period([train]), len(train) // 8, train.shape[1])
        for method, learn in methods.items():
            started = time.perf_counter()
            scores = learn(train, window)(test)
            seconds = time.perf_counter() - started
            vus, plain = volume(labels, scores, window), point_areas(labels, scores)
            rows.append((name, method, window, vus.precision_recall, vus.receiver, plain.precision_recall, seconds))
        print(f"{name}: window {window}", flush=True)
    columns = ["series", "method", "window", "VUS-PR", "VUS-ROC", "AP", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def run_planted(series: dict[str, Labeled], methods: dict[str, Method]) -> pd.DataFrame:
    """A row for each training part, method and kind that is planted into its last third."""
    rows = []
    for number, (name, (train, _test, _labels)) in enumerate(series.items()):
        if name not in PLANTED_IN:
            continue
        front, rest = train[: 2 * len(train) // 3], train[2 * len(train) // 3 :]
        window = usual_window(dominant_period([front]), len(front) // 8, front.shape[1])
        for method, learn in methods.items():
            score = learn(front, window)
            for kind in PLANTS:
                changed, labels = planted(rest, kind, window, np.random.default_rng(number))
                rows.append((name, method, kind, volume(labels, score(changed), window).precision_recall))
    return pd.DataFrame(rows, columns=["series", "method", "kind", "VUS-PR"])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="three series, no networks")
    parser.add_argument("--out", help="a csv file for every single figure")
    options = parser.parse_args()
    series = all_series()
    names = list(series)
    looked = set(names[::2])
    methods = METHODS
    if options.small:
        series = {name: series[name] for name in SMALL if name in series}
    print(machine_line(machine()))
    started = time.perf_counter()
    table = run(series, methods)
    if options.out:
        table.to_csv(options.out, index=False)
    table["one"] = [series[name].test.shape[1] == 1 for name in table["series"]]
    table["looked"] = table["series"].isin(looked)
    groups = {"univariate": table["one"], "multivariate": ~table["one"]}
    groups |= {f"{name}, others": chosen & ~table["looked"] for name, chosen in groups.items()}
    header = ["VUS-PR", *(f"{name} ({table[chosen]['series'].nunique()})" for name, chosen in groups.items())]
    order = list(methods)
    cells = {
        name: [f"{table[chosen & (table['method'] == name)]['VUS-PR'].mean():.3f}" for chosen in groups.values()]
        for name in order
    }
    whole = table.groupby("method")[["VUS-ROC", "AP", "seconds"]].agg(
        {"VUS-ROC": "mean", "AP": "mean", "seconds": "sum"}
    )
    rest = {name: [f"{roc:.3f}", f"{ap:.3f}", f"{took:.0f}"] for name, (roc, ap, took) in whole.T.items()}
    header += ["VUS-ROC, all", "AP of points, all", "seconds, all"]
    print_table("Anomalies in time series", header, [[name, *cells[name], *rest[name]] for name in order])
    table["group"] = table["series"].str.partition("/")[0]
    by_group = table.pivot_table(index="method", columns="group", values="VUS-PR").loc[order]
    print_table(
        "By source, VUS-PR", ["", *by_group], [[n, *(f"{v:.3f}" for v in row)] for n, row in by_group.T.items()]
    )
    if not options.small:
        table = run(joined_series(), methods)
        table["set"] = table["series"].str.partition("-")[0].str.partition("/")[2]
        sets = table.pivot_table(index="method", columns="set", values="VUS-PR").loc[order]
        rows = [[name, *(f"{value:.3f}" for value in row)] for name, row in sets.T.items()]
        print_table("Classes laid end to end, VUS-PR", ["", *sets], rows)
    found = run_planted(series, methods).pivot_table(index="method", columns="kind", values="VUS-PR").loc[order]
    rows = [[name, *(f"{value:.3f}" for value in row), f"{row.mean():.3f}"] for name, row in found.T.items()]
    print_table("Planted into training parts, VUS-PR", ["", *found, "mean"], rows)
    if not options.small:
        some = {name: each for name, each in series.items() if name.startswith(("nab", "ucr")) and name not in looked}
        table = run(dict(list(some.items())[::2]), NETWORKS)
        means = table.groupby("method")[["VUS-PR", "AP"]].mean().loc[list(NETWORKS)]
        seconds = table.groupby("method")["seconds"].sum()
        rows = [[name, f"{vus:.3f}", f"{ap:.3f}", f"{seconds[name]:.0f}"] for name, (vus, ap) in means.T.items()]
        title = f"Networks in place of the linear code, neighbors=0, {table['series'].nunique()} univariate series"
        print_table(title, ["", "VUS-PR", "AP of points", "seconds"], rows)
    print(f"\n{time.perf_counter() - started:.0f} s in all, labels of tests and planting included.")


if __name__ == "__main__":
    main()

"""How much of MNIST comes back through a narrow waist: PCA, a linear autoencoder, and the defaults, on one split.

Trained on the 60,000 training pictures (a tenth of them held out by the library to choose the epoch), judged on the
10,000 test pictures, pixels between 0 and 1. Figures are the mean squared error per pixel, and summed per picture.

    python benchmarks/reconstruction.py            # every configuration, three seeds
    python benchmarks/reconstruction.py --small    # 6,000 pictures, one seed, a minute at most
    python benchmarks/reconstruction.py --only long --seeds 1
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from common import machine, machine_line, mnist_images
from diabolo import MLP, Autoencoder, Conv, LinearAutoencoder
from diabolo.estimators import Estimator

Result = dict[str, float | int | str]

# The defaults, and what more patience buys.
CONFIGURATIONS: dict[str, Callable[[int, int], Estimator]] = {
    "linear, exact": lambda size, seed: LinearAutoencoder(code_size=size, random_state=seed),
    "linear, gradient": lambda size, seed: LinearAutoencoder(code_size=size, solver="gradient", random_state=seed),
    "784-128-code, 3 epochs": lambda size, seed: Autoencoder(
        code_size=size, architecture=MLP(hidden=128), epochs=3, random_state=seed
    ),
    "default": lambda size, seed: Autoencoder(code_size=size, random_state=seed),
    "long": lambda size, seed: Autoencoder(
        code_size=size, architecture=MLP(hidden=(512, 256)), batch_size=512, epochs=40, patience=40, random_state=seed
    ),
    "long, convolutional": lambda size, seed: Autoencoder(
        code_size=size, architecture=Conv(channels=(32, 64), hidden=512), epochs=14, patience=14, random_state=seed
    ),
}


def judged(reconstruct: Callable[[np.ndarray], np.ndarray], X_test: np.ndarray) -> tuple[float, float]:
    """The mean squared error per pixel and the summed one per picture."""
    error = float(np.square(reconstruct(X_test) - X_test).mean())
    return error, error * X_test.shape[1]


def measure(name: str, size: int, seed: int, X: np.ndarray, X_test: np.ndarray) -> Result:
    """Fit a configuration and judge it on the test pictures."""
    started = time.perf_counter()
    if name == "PCA":
        pca = PCA(size, random_state=seed).fit(X)
        seconds = time.perf_counter() - started
        error, summed = judged(lambda data: pca.inverse_transform(pca.transform(data)), X_test)
    else:
        shape = (-1, 28, 28) if "convolutional" in name else (-1, 784)
        model = CONFIGURATIONS[name](size, seed).fit(X.reshape(shape))
        seconds = time.perf_counter() - started
        error, summed = judged(lambda data: model.reconstruct(data.reshape(shape)).reshape(-1, 784), X_test)
    return {"name": name, "size": size, "seed": seed, "error": error, "summed": summed, "seconds": seconds}


def table(results: list[Result]) -> str:
    """A line for each configuration and size: the mean over seeds, the range, the median seconds."""
    header = ("configuration", "code", "per pixel", "per picture", "range", "seconds")
    lines = ["{:26s} {:>4s} {:>10s} {:>12s} {:>17s} {:>9s} seeds".format(*header)]
    for name, size in dict.fromkeys((r["name"], r["size"]) for r in results):
        own = [r for r in results if (r["name"], r["size"]) == (name, size)]
        errors, summed = [float(r["error"]) for r in own], [float(r["summed"]) for r in own]
        spread = f"{min(summed):.3f} to {max(summed):.3f}"
        seconds = statistics.median(float(r["seconds"]) for r in own)
        mean, per_picture = statistics.mean(errors), statistics.mean(summed)
        lines.append(f"{name:26s} {size:4d} {mean:10.5f} {per_picture:12.3f} {spread:>17s} {seconds:9.1f} {len(own)}")
    return "\n".join(lines)


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--small", action="store_true", help="6,000 pictures, one seed, without the long configurations"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of configurations (PCA runs always)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[30, 32])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    X, X_test = (mnist_images("train"), mnist_images("test"))
    names = [name for name in CONFIGURATIONS if not options.only or any(word in name for word in options.only)]
    if options.small:
        X, options.seeds, options.sizes = X[:6000], 1, [32]
        names = [name for name in names if "long" not in name]
    print(machine_line(machine()))
    print(f"MNIST, {len(X):,} pictures to train, {len(X_test):,} to judge\n")
    results = [
        measure(name, size, seed, X, X_test)
        for size in options.sizes
        for name in ["PCA", *names]
        for seed in range(1 if name in ("PCA", "linear, exact") else options.seeds)
    ]
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

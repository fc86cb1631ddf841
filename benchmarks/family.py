"""Every preset on the same pictures for the same number of epochs: what comes back of pictures held out, and how fast.

MNIST: trained on the first 20,000 training pictures, judged on the last 10,000 training pictures, 32 numbers a code,
five epochs, seed 0; PCA of the same size and an untrained network beside. Squared error per pixel, pixels between 0 and
1; seconds are the processor's, on one thread. The test pictures take no part. Methods are made for different ends: a
larger error buys a prior, few active units, or a code of whole numbers; the masked and the blind-spot autoencoder tell
each pixel from others alone.

    python benchmarks/family.py                         # prints the table
    python benchmarks/family.py --write docs/family.md  # and replaces the page
    python benchmarks/family.py --small                 # 2,000 pictures, two epochs
"""

from __future__ import annotations

import argparse
import ast
import inspect
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA

import diabolo.estimators  # noqa: F401 - loads every preset
from common import machine, machine_line, mnist_images
from diabolo.core import Bottleneck, every
from diabolo.estimators import Estimator, TabularMaskedAutoencoder
from diabolo.estimators.storage import all_estimators

CODE_SIZE, EPOCHS = 32, 5

# What a preset is given where rows of 784 numbers are not what it is for.
SHAPED: dict[str, Callable[[np.ndarray], Any]] = {
    "ConvAutoencoder": lambda X: X.reshape(-1, 28, 28),
    "MaskedAutoencoder": lambda X: X.reshape(-1, 28, 28),
    "BlindSpotAutoencoder": lambda X: X.reshape(-1, 28, 28),
    "VAEGAN": lambda X: X.reshape(-1, 28, 28),
    "SequenceAutoencoder": lambda X: list(X.reshape(-1, 28, 28)),
}

FOR_TABLES = (TabularMaskedAutoencoder,)  # a token for each column is a token for each pixel


def code_lines(cls: type) -> int:
    """Lines of a class without its docstrings, comments and empty lines."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0] = ast.Pass()
    return sum(1 for line in ast.unparse(tree).splitlines() if line.strip() not in ("", "pass"))


def error(model: Estimator, given: Any, X: np.ndarray) -> float:
    """The mean squared error per pixel of what comes back."""
    return float(np.square(np.asarray(model.reconstruct(given)).reshape(X.shape) - X).mean())


def measure(cls: type[Estimator], X: np.ndarray, judged: np.ndarray, epochs: int) -> list[str]:
    """A preset's line."""
    shape = SHAPED.get(cls.__name__, lambda rows: rows)
    started = time.process_time()
    model = cls(code_size=CODE_SIZE, epochs=epochs, patience=epochs, random_state=0).fit(shape(X))
    seconds = time.process_time() - started
    numbers = model.transform(shape(judged[:2])).shape[1]
    weights = sum(weight.numel() for weight in model.network_.parameters())
    row = [error(model, shape(judged), judged), seconds]
    untrained = cls(code_size=CODE_SIZE, epochs=1, learning_rate=1e-12, random_state=0)
    if hasattr(untrained, "solver"):
        untrained.set_params(solver="gradient")
    row.append(error(untrained.fit(shape(X[:256])), shape(judged), judged))
    name = f"`{cls.__name__}`"
    return [name, f"{row[0]:.5f}", f"{row[2]:.4f}", f"{row[1]:.1f}", f"{numbers}", f"{weights:,}", f"{code_lines(cls)}"]


def table(lines: list[list[str]]) -> str:
    """Lines as a Markdown table."""
    header, *rows = lines
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *rows])


def main() -> None:
    """Read the flags, measure, print."""
    parser = argparse.ArgumentParser(description="Every preset at the same budget")
    parser.add_argument("--small", action="store_true", help="2,000 pictures, two epochs")
    parser.add_argument("--only", nargs="*", help="names of presets")
    parser.add_argument("--write", type=Path, help="the page to replace")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pictures = mnist_images("train")
    X, judged = (pictures[:2000], pictures[-1000:]) if options.small else (pictures[:20_000], pictures[-10_000:])
    lines = [["preset", "squared error", "untrained", "processor seconds", "numbers", "weights", "code lines"]]
    started = time.process_time()
    pca = PCA(CODE_SIZE, random_state=0).fit(X)
    seconds = time.process_time() - started
    back = float(np.square(pca.inverse_transform(pca.transform(judged)) - judged).mean())
    lines.append(["the mean", f"{np.square(judged - X.mean(0)).mean():.5f}", "", "", "0", "", ""])
    lines.append(["PCA", f"{back:.5f}", "", f"{seconds:.1f}", f"{CODE_SIZE}", "", ""])
    presets = [cls for cls in all_estimators() if cls.__module__.startswith("diabolo.") and cls not in FOR_TABLES]
    for cls in sorted(presets, key=lambda cls: cls.__name__):
        if not options.only or cls.__name__ in options.only:
            lines.append(measure(cls, X, judged, 2 if options.small else EPOCHS))
            print(" ".join(lines[-1]), flush=True)
    parts = sorted((p for p in every(Bottleneck) if p.__module__.startswith("diabolo.")), key=lambda p: p.__name__)
    sizes = table([["bottleneck", "code lines"], *([f"`{part.__name__}`", f"{code_lines(part)}"] for part in parts)])
    opening = " ".join((__doc__ or "").split("\n\n")[1].split())
    machine_used = machine_line(machine())
    page = f"# The family at one budget\n\n{opening}\n\n{machine_used}.\n\n{table(lines)}\n\n{sizes}\n"
    print(page)
    if options.write:
        options.write.write_text(page)


if __name__ == "__main__":
    main()

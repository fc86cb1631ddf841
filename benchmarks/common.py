"""What the benchmarks share: the work, the data, the machine in one line, interleaved timings, tables."""

from __future__ import annotations

import gzip
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

SIZES = (784, 128, 32, 128, 784)
BATCH_SIZE = 256
LEARNING_RATE = 1e-3
TRAINING_ROWS = 48_000

ROOT = Path(__file__).resolve().parents[1]
MNIST_FILES = {"train": "train-images-idx3-ubyte.gz", "test": "t10k-images-idx3-ubyte.gz"}
NOTABLE_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_fp16")


def mnist_images(part: Literal["train", "test"]) -> np.ndarray:
    """MNIST images, flattened and scaled to [0, 1].

    Looks in ``$DIABOLO_DATA/mnist``, then in ``../shared/data/mnist`` beside the repository.

    Returns
    -------
    float32 array of shape (60,000 or 10,000, 784)

    Raises
    ------
    FileNotFoundError
        If neither folder holds the file.
    ValueError
        If the file is not an IDX file of 28 x 28 unsigned bytes.
    """
    folders = [ROOT.parent / "shared" / "data" / "mnist"]
    if "DIABOLO_DATA" in os.environ:
        folders.insert(0, Path(os.environ["DIABOLO_DATA"]) / "mnist")
    paths = [folder / MNIST_FILES[part] for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"MNIST is needed and was not found at {' or '.join(map(str, paths))}. "
            "Put the published .gz files into a folder named mnist and set DIABOLO_DATA to its parent."
        )
    content = gzip.decompress(path.read_bytes())
    kind, count, height, width = np.frombuffer(content, dtype=">i4", count=4)
    if kind != 0x803 or (height, width) != (28, 28) or len(content) != 16 + count * 784:
        raise ValueError(f"{path} is not an IDX file of 28 x 28 unsigned bytes: download it again.")
    pixels = np.frombuffer(content, dtype=np.uint8, offset=16)
    return pixels.reshape(count, 784).astype(np.float32) / np.float32(255)


def machine() -> dict[str, Any]:
    """Cores, the processor's flags that matter for matrix products, versions, threads."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    fields = dict(reversed([[word.strip() for word in line.split(":", 1)] for line in lines if ":" in line]))
    flags = fields.get("flags", fields.get("Features", "")).split()
    return {
        "processor": fields.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "flags": [flag for flag in NOTABLE_FLAGS if flag in flags],
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }


def machine_line(facts: dict[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{facts['processor']}, {facts['cores']} cores ({' '.join(facts['flags']) or 'no notable flags'}), "
        f"torch {facts['torch']} on {facts['threads']} threads, Python {facts['python']}"
    )


class Entry(NamedTuple):
    """Something to time: each call of ``measure`` gives one or more samples in seconds."""

    name: str
    measure: Callable[[], list[float]]


@dataclass(frozen=True)
class Timing:
    """The samples of one entry, as multiples of the floor too, and how busy other processes were meanwhile."""

    name: str
    samples: tuple[float, ...]
    multiples: tuple[float, ...]
    others: float | None  # cores

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(self.samples)

    @property
    def multiple(self) -> float:
        """Median multiple of the floor."""
        return statistics.median(self.multiples)

    @property
    def cells(self) -> tuple[str, str, str]:
        """Median, range and disturbance, as every table shows them."""
        return (
            f"{self.median:.3f}",
            f"{min(self.samples):.3f} to {max(self.samples):.3f}",
            "-" if self.others is None else f"{self.others:.2f}",
        )


TIMING_HEADER = ("", "seconds", "range", "others' cores")


def others_busy() -> float:
    """Processor seconds of all other processes since the machine started; NaN where it does not tell."""
    statistics_file = Path("/proc/stat")
    if not statistics_file.is_file():
        return math.nan
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = (
        int(ticks) for ticks in statistics_file.read_text().split("\n", 1)[0].split()[1:9]
    )
    machine_wide = (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
    return machine_wide - sum(os.times()[:4])


class Turns:
    """What the turns of one entry add up to."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self.multiples: list[float] = []
        self.wall = self.others = 0.0

    def take(self, measure: Callable[[], list[float]]) -> list[float]:
        """One turn."""
        start, before = time.perf_counter(), others_busy()
        samples = measure()
        self.others += others_busy() - before
        self.wall += time.perf_counter() - start
        self.samples += samples
        return samples

    def timing(self, name: str) -> Timing:
        """The outcome; the kernel counts in ticks, so a short turn can see slightly less than nothing."""
        share = self.others / self.wall
        others = None if math.isnan(share) else max(share, 0.0)
        return Timing(name, tuple(self.samples), tuple(self.multiples), others)


def interleave(entries: Sequence[Entry], rounds: int, floor: Entry | None = None) -> list[Timing]:
    """Times A B C A B C ..., so that a slow minute of the machine falls on all alike.

    With a `floor`, times F A F B F C F ..., and divides every sample by the mean of the floors right before and
    right after it: a machine changes its pace within a round. The floor then comes first in the outcome.
    """
    turns = {entry.name: Turns() for entry in ([floor] if floor else []) + list(entries)}

    def floor_samples() -> list[float]:
        return turns[floor.name].take(floor.measure) if floor else []

    around = floor_samples()
    for number in range(rounds):
        for name, measure in entries:
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            samples = turns[name].take(measure)
            after = floor_samples()
            if floor:
                pace = statistics.mean(around + after)
                turns[name].multiples += [sample / pace for sample in samples]
            around = after
    return [each.timing(name) for name, each in turns.items()]


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *others])} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    print(f"\n### {title}\n", line(header), f"|{rule}|", *map(line, rows), sep="\n")

"""How fast diabolo trains, scores and starts, beside plain loops, other libraries and the products' floor.

One run, one machine, everything interleaved: read the ratios, not the seconds. ``benchmarks/README.md`` says
what is fair about it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import floors
from common import (
    BATCH_SIZE,
    SIZES,
    TIMING_HEADER,
    TRAINING_ROWS,
    Entry,
    Timing,
    interleave,
    machine,
    machine_line,
    mnist_images,
    print_table,
)
from peers import PEERS, Peer, Reached

FLOOR, FLOOR_BFLOAT16 = "floor: products alone, float32", "floor: products alone, bfloat16"
OURS, OURS_BFLOAT16 = "diabolo, float32", "diabolo, bfloat16"
CLASSIC_RESULT = 0.0085  # test error per pixel of the classic loop after 20 epochs
MOST_EPOCHS = 8
RATE = 0.08  # a little more than Muon's default, as suits one short epoch
SECTIONS = ("epoch", "result", "imports", "scoring")


def ours(epochs: int, precision: str, optimizer: str, batch_size: int = BATCH_SIZE, *, alike: bool = True) -> Any:
    """The network of the table as a diabolo estimator: the one place that knows diabolo.

    ``alike`` does the peers' work: ReLU, a linear output, mean squared error. Otherwise activation, output and loss
    are diabolo's defaults.
    """
    from diabolo import MLP, Autoencoder, SquaredError

    return Autoencoder(
        code_size=SIZES[2],
        architecture=MLP(hidden=(SIZES[1],), activation="relu" if alike else "silu"),
        loss=SquaredError() if alike else None,
        learning_rate=None if alike or optimizer != "muon" else RATE,
        epochs=epochs,
        batch_size=batch_size,
        precision=precision,
        optimizer=optimizer,
        random_state=0,
        device="cpu",
        validation=0.0,
    )


class Ours:
    """diabolo under the protocol of the peers."""

    def __init__(self, name: str, precision: str, optimizer: str, batch_size: int = BATCH_SIZE) -> None:
        self.name = name
        self.settings: dict[str, Any] = {
            "precision": precision,
            "optimizer": optimizer,
            "batch_size": batch_size,
        }
        self.enough = 1

    def epoch_seconds(self, X: np.ndarray, epochs: int) -> list[float]:
        """Seconds of each of `epochs` epochs, from end to end, after one that warms up: its history."""
        start = time.perf_counter()
        model = ours(epochs + 1, **self.settings).fit(X)
        whole = time.perf_counter() - start
        moments = model.history_["seconds"]  # since the start of training
        if len(moments) != epochs + 1 or moments[-1] > whole:
            raise RuntimeError(f"a fit of {epochs + 1} epochs in {whole:.3f} s has a history of {moments} s")
        return [after - before for before, after in pairwise(moments)]

    def reach(self, X: np.ndarray, X_test: np.ndarray, target: float) -> Reached:
        """The shortest training whose test error is `target` or less, timed over the whole call of ``fit``.

        The learning rate decays over the epochs asked for, so each number of epochs is a training of its own.
        Activation, output and loss are diabolo's defaults instead of the peers': here the result counts, not the work.
        """
        ours(1, **self.settings, alike=False).fit(X[: 4 * BATCH_SIZE])
        while True:
            start = time.perf_counter()
            model = ours(self.enough, **self.settings, alike=False).fit(X)
            seconds = time.perf_counter() - start
            error = float(np.mean((np.asarray(model.reconstruct(X_test)) - X_test) ** 2, dtype=np.float64))
            if error <= target or self.enough == MOST_EPOCHS:
                return Reached(seconds, self.enough, error)
            self.enough += 1


Candidate = Ours | Peer


@dataclass(frozen=True)
class Plan:
    """How much to run."""

    rows: int
    epochs: int
    rounds: int
    result_rounds: int
    target: float


def label(candidate: Candidate) -> str:
    """Name and version."""
    return f"{candidate.name} {candidate.version()}".strip() if isinstance(candidate, Peer) else candidate.name


def ratio(numerator: float, denominator: float | None) -> str:
    """A ratio, or a dash where there is nothing to compare with."""
    return "-" if denominator is None else f"{numerator / denominator:.2f}"


def time_epochs(X: np.ndarray, candidates: Sequence[Candidate], plan: Plan) -> list[Timing]:
    """Seconds per epoch: the floors, ours, and every installed peer."""
    data = torch.from_numpy(X)
    floor = Entry(FLOOR, partial(floors.seconds, floors.training_products(data), 1))
    products = floors.training_products(data.bfloat16())
    entries = [Entry(FLOOR_BFLOAT16, partial(floors.seconds, products, plan.epochs))]
    entries += [Entry(label(candidate), partial(candidate.epoch_seconds, X, plan.epochs)) for candidate in candidates]
    timings = interleave(entries, plan.rounds, floor)
    multiples = {timing.name: timing.multiple for timing in timings[1:]} | {FLOOR: 1.0}
    print_table(
        f"One epoch of {len(X):,} rows, {'-'.join(map(str, SIZES))}, batches of {BATCH_SIZE}",
        (*TIMING_HEADER, "x float32 floor", "x diabolo float32", "x diabolo bfloat16"),
        [
            (
                timing.name,
                *timing.cells,
                *(ratio(multiples[timing.name], multiples.get(other)) for other in (FLOOR, OURS, OURS_BFLOAT16)),
            )
            for timing in timings
        ],
    )
    return timings


def time_result(X: np.ndarray, X_test: np.ndarray, candidates: Sequence[Candidate], plan: Plan) -> list[dict[str, Any]]:
    """Seconds until the test error of the classic loop's 20 epochs: ours, loops, the fastest library."""
    libraries = [candidate for candidate in candidates if isinstance(candidate, Peer) and candidate.library]
    able = [library for library in libraries if library.sigmoid]
    fastest = min(able, key=lambda library: min(library.epoch_seconds(X[:4_096], 2)), default=None)
    outcomes: dict[str, Reached] = {}

    def measure(candidate: Candidate) -> list[float]:
        outcomes[label(candidate)] = reached = candidate.reach(X, X_test, plan.target)
        return [reached.seconds]

    def error(mse: float) -> str:
        return f"{mse:.5f}" if mse <= plan.target else f"{mse:.5f} (missed)"

    timings = interleave(
        [
            Entry(label(candidate), partial(measure, candidate))
            for candidate in candidates
            if candidate not in libraries or candidate is fastest
        ],
        plan.result_rounds,
    )
    best = min((timing.median for timing in timings if timing.name.startswith("diabolo")), default=None)
    print_table(
        f"Time to the classic result: test error {plan.target} per pixel, trained on {len(X):,} rows",
        (*TIMING_HEADER, "epochs", "test error", "x diabolo's best"),
        [
            (
                timing.name,
                *timing.cells,
                str(outcomes[timing.name].epochs),
                error(outcomes[timing.name].mse),
                ratio(timing.median, best),
            )
            for timing in timings
        ],
    )
    return [
        asdict(timing) | {"epochs": outcomes[timing.name].epochs, "mse": outcomes[timing.name].mse}
        for timing in timings
    ]


def time_imports(rounds: int) -> list[Timing]:
    """Seconds of whole processes: what a first line or a first command waits for."""
    reference = "import torch, sklearn"
    scripts = (reference, "import diabolo", "from diabolo import Autoencoder")
    commands = {"python -c pass": [sys.executable, "-c", "pass"]}
    commands |= {script: [sys.executable, "-c", script] for script in scripts}
    commands["diabolo --help"] = [str(Path(sysconfig.get_path("scripts")) / "diabolo"), "--help"]

    def measure(command: list[str]) -> list[float]:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return [time.perf_counter() - start]

    for command in commands.values():
        measure(command)  # compiles the bytecode and fills the file cache
    timings = interleave([Entry(name, partial(measure, command)) for name, command in commands.items()], rounds)
    medians = {timing.name: timing.median for timing in timings}
    print_table(
        "Starting",
        (*TIMING_HEADER, f"over {reference}"),
        [(timing.name, *timing.cells, f"{timing.median - medians[reference]:+.3f}") for timing in timings],
    )
    return timings


def time_scoring(X: np.ndarray, plan: Plan) -> list[Timing]:
    """Seconds to score a matrix that is in memory, against its forward products."""
    model = ours(1, "float32", "adam").fit(X[:8_192])
    products = floors.scoring_products(torch.from_numpy(X))
    floor = Entry(FLOOR, partial(floors.seconds, products, 3))
    score = Entry(f"{OURS}: score_samples", partial(floors.seconds, partial(model.score_samples, X), 3))
    products_alone, scoring = interleave([score], plan.rounds, floor)
    print_table(
        f"Scoring {len(X):,} rows in memory",
        (*TIMING_HEADER, "x float32 floor"),
        [
            (products_alone.name, *products_alone.cells, "1.00"),
            (scoring.name, *scoring.cells, ratio(scoring.multiple, 1.0)),
        ],
    )
    return [products_alone, scoring]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="fewer rows, one round, an easier result: under a minute")
    parser.add_argument("--rounds", type=int, help="how often each entry takes its turn (5; with --small 1)")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="only entries with one of these in their name; floors stay"
    )
    parser.add_argument("--section", nargs="+", choices=SECTIONS, default=SECTIONS, help="only these tables")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample to this file")
    return parser.parse_args()


def main() -> None:
    """Prints the tables asked for."""
    options = arguments()
    rounds = options.rounds or (1 if options.small else 5)
    if options.small:
        plan = Plan(rows=8_192, epochs=1, rounds=rounds, result_rounds=1, target=0.04)
    else:
        plan = Plan(TRAINING_ROWS, epochs=2, rounds=rounds, result_rounds=max(1, rounds // 2), target=CLASSIC_RESULT)
    wanted = [name.lower() for name in options.only or [""]]
    epoch_candidates: list[Candidate] = [
        Ours(OURS, "float32", "adam"),
        Ours(OURS_BFLOAT16, "bfloat16", "adam"),
        Ours(f"{OURS_BFLOAT16}, Muon", "bfloat16", "muon"),
        *PEERS,
    ]
    result_candidates: list[Candidate] = [
        Ours(f"{OURS}, Muon, batches of 320", "float32", "muon", batch_size=320),
        Ours(f"{OURS_BFLOAT16}, Muon, batches of 320", "bfloat16", "muon", batch_size=320),
        *PEERS,
    ]

    def chosen(candidates: Sequence[Candidate]) -> list[Candidate]:
        installed = [each for each in candidates if isinstance(each, Ours) or each.installed()]
        return [each for each in installed if any(name in each.name.lower() for name in wanted)]

    X, X_test = mnist_images("train")[: plan.rows], mnist_images("test")
    results: dict[str, Any] = {"schema": 1, "machine": machine(), "plan": asdict(plan)}
    print(machine_line(results["machine"]))
    missing = [peer.name for peer in PEERS if not peer.installed()]
    if missing:
        print(f"Not installed: {', '.join(missing)}")
    if "epoch" in options.section:
        for candidate in chosen(epoch_candidates):
            candidate.epoch_seconds(X[: 4 * BATCH_SIZE], 1)  # whatever cannot run fails here, not after minutes
        results["epoch"] = [asdict(timing) for timing in time_epochs(X, chosen(epoch_candidates), plan)]
    if "result" in options.section:
        results["result"] = time_result(X, X_test, chosen(result_candidates), plan)
    if "imports" in options.section:
        results["imports"] = [asdict(timing) for timing in time_imports(plan.rounds)]
    if "scoring" in options.section:
        results["scoring"] = [asdict(timing) for timing in time_scoring(X, plan)]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

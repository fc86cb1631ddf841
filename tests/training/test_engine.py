"""The loop: repeatable, resumable, and hard to break."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diabolo import (
    KL,
    MLP,
    Autoencoder,
    Clean,
    Conv,
    Gaussian,
    GaussianLikelihood,
    Identity,
    ModelFileError,
    SquaredError,
)
from diabolo.core import Batch, DivergedError, Network, Objective
from diabolo.training import Checkpointer, HistoryFile, Resident, Streaming, Torch, Watcher, train
from diabolo.training.checkpoint import Checkpoint

X = torch.randn(300, 3, generator=torch.Generator().manual_seed(0)) @ torch.randn(
    3, 8, generator=torch.Generator().manual_seed(1)
)


def parts(seed: int = 0) -> tuple[Network, Objective]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network((8,), MLP(hidden=(16,), normalization="batch"), Gaussian(3), Clean())
        return network, Objective(GaussianLikelihood(), KL(warmup=0.2)).build(network)


def weights(network: Network) -> bytes:
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


class Stop(Watcher):
    """Raises after some steps, as a killed process would stop."""

    def __init__(self, steps: int, error: type[BaseException] = RuntimeError) -> None:
        self.left, self.error = steps, error

    def on_step(self, run: Any) -> None:
        self.left -= 1
        if self.left <= 0:
            raise self.error


def run(network: Network, objective: Objective, **options: Any) -> Any:
    settings = {"epochs": 4, "seed": 3, "validation": Resident(Batch(X[250:]), 64, 0)} | options
    return train(network, objective, Resident(Batch(X[:250]), 32, 3), **settings)


@pytest.mark.parametrize(
    "options",
    [{}, {"averaging": 0.9}, {"precision": "bfloat16"}, {"optimizer": Torch("adam")}, {"clip": 1.0}],
    ids=["muon", "averaging", "bfloat16", "adam", "clip"],
)
def test_the_same_seed_gives_the_same_bits_and_so_does_a_resumed_run(options: dict[str, Any], tmp_path: Path) -> None:
    whole, objective = parts()
    history = run(whole, objective, **options)
    generator = np.random.default_rng(0)
    for stop in generator.integers(1, 4 * 8, size=4):
        path = tmp_path / f"{stop}.checkpoint"
        broken, objective = parts()
        with pytest.raises(RuntimeError):
            run(broken, objective, watchers=[Checkpointer(path, "same", seconds=0.0), Stop(int(stop))], **options)
        again, objective = parts(seed=9)  # other first weights: all must come from the checkpoint
        resumed = run(again, objective, resume=Checkpoint.read(path, "same"), **options)
        assert weights(again) == weights(whole), f"stopped after step {stop}"
        strip = [{k: v for k, v in row.items() if k != "seconds"} for row in resumed]
        assert strip == [{k: v for k, v in row.items() if k != "seconds"} for row in history]


SCRIPT = """
import sys, time, torch
torch.set_num_threads(1)
import numpy as np
from diabolo import Autoencoder
from diabolo.training import Checkpointer, Watcher
Checkpointer.__init__.__defaults__ = (0.0,)
class Slow(Watcher):
    def on_step(self, run): time.sleep(0.01)
X = np.random.default_rng(0).normal(size=(200, 6))
model = Autoencoder(code_size=2, epochs=3, random_state=0, batch_size=32)
model.fit(X, resume=sys.argv[1] if len(sys.argv) > 1 else None, watchers=[Slow()])
print(model.transform(X).tobytes().hex()[:4000])
"""


def test_a_run_that_is_killed_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    path = tmp_path / "run.checkpoint"
    for delay in (0.05, 0.15):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], stdout=subprocess.DEVNULL)
        limit = time.monotonic() + 60
        before = path.stat().st_mtime_ns if path.exists() else 0
        while (not path.exists() or path.stat().st_mtime_ns == before) and time.monotonic() < limit:
            time.sleep(0.002)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL
    again = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    assert again.stdout == whole


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "run.checkpoint")
    data = np.random.default_rng(0).normal(size=(100, 4))
    model = Autoencoder(epochs=2, random_state=0)
    network, objective = parts()
    run(network, objective, watchers=[Checkpointer(path, "other", seconds=0.0)])
    with pytest.raises(ModelFileError, match="other data or parameters"):
        model.fit(data, resume=path)


def test_nothing_outside_is_touched() -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - it is the global state that must stay
    state, other = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    network, objective = parts()
    run(network, objective)
    Autoencoder(epochs=1).fit(X.numpy())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (np.random.get_state()[1] == other).all()  # noqa: NPY002
    assert torch.is_grad_enabled()


def test_a_huge_learning_rate_is_survived() -> None:
    network, objective = parts()
    history = run(network, objective, learning_rate=1e4, epochs=6)
    assert history.notes, "it had to step back"
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
    assert all(math.isfinite(row["loss"]) for row in history)


class Poison(Resident):
    """Batches of which one holds a value that is no number."""

    def epoch(self, epoch: int, start: int = 0) -> Any:
        for place, batch in enumerate(super().epoch(epoch, start), start):
            if epoch == 2 and place == 3:
                batch.values[0, 0] = float("nan")
            yield batch


def test_a_poisoned_batch_is_named_and_the_last_good_model_kept() -> None:
    network, objective = parts()
    with pytest.raises(DivergedError, match=r"epoch 2, batch 3: (loss|kl) stopped being finite") as caught:
        train(network, objective, Poison(Batch(X), 32, 3), epochs=4, seed=3)
    assert (caught.value.epoch, caught.value.batch) == (2, 3)
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
    untouched, other = parts()
    train(untouched, other, Resident(Batch(X), 32, 3), epochs=2, seed=3, learning_rate=0.05)
    trip = network.eval()(X)
    assert bool(torch.isfinite(trip.output).all())


def test_interrupting_keeps_the_best_weights() -> None:
    network, objective = parts()
    with pytest.raises(KeyboardInterrupt):
        run(network, objective, watchers=[Stop(20, KeyboardInterrupt)])
    assert not network.training
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
    model = Autoencoder(epochs=50, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X.numpy(), watchers=[Stop(30, KeyboardInterrupt)])
    assert model.transform(X.numpy()).shape == (300, 8)


def test_training_stops_when_validation_does_not_improve_and_keeps_the_best() -> None:
    network, objective = parts()
    noise = torch.randn(40, 8)
    history = train(
        network,
        objective,
        Resident(Batch(noise), 8, 0),
        epochs=200,
        validation=Resident(Batch(-noise), 64, 0),
        patience=3,
    )
    assert history.stopped == "patience"
    assert len(history) < 200
    losses = history["validation_loss"]
    assert history.best_epoch == losses.index(min(losses))


def test_a_budget_of_time_is_kept() -> None:
    network, objective = parts()
    started = time.monotonic()
    history = run(network, objective, epochs=100_000, max_seconds=0.3)
    assert history.stopped == "max_seconds"
    assert time.monotonic() - started < 5


def test_history_is_written_line_by_line(tmp_path: Path) -> None:
    network, objective = parts()
    path = tmp_path / "history.jsonl"
    with pytest.raises(RuntimeError):
        run(network, objective, watchers=[HistoryFile(path), Stop(20)])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1]
    assert {"loss", "reconstruction", "kl", "validation_loss", "learning_rate", "seconds"} <= rows[0].keys()


@pytest.mark.parametrize("rows", [1, 2, 3, 31, 32, 33, 63, 64, 65])
def test_batches_hold_every_row_once(rows: int) -> None:
    values = torch.arange(float(rows))[:, None]
    blocks = [(start, min(start + 7, rows)) for start in range(0, rows, 7)]
    kinds = [
        Resident(Batch(values), 32, 0),
        Streaming(lambda a, b: Batch(values[a:b]), blocks, 32, 0, torch.device("cpu"), window=2),
    ]
    for batches in kinds:
        for epoch in (0, 1):
            taken = list(batches.epoch(epoch))
            assert len(taken) == batches.steps
            assert sorted(torch.cat([batch.values for batch in taken]).flatten().tolist()) == list(range(rows))
            assert batches.rows < 2 or min(len(batch) for batch in taken) >= 1
            for start in range(batches.steps):
                rest = list(batches.epoch(epoch, start))
                assert torch.equal(torch.cat([b.values for b in rest]), torch.cat([b.values for b in taken[start:]]))
        assert torch.equal(torch.cat([batch.values for batch in batches.ordered()]), values)


def test_the_gradient_reaches_the_principal_subspace() -> None:
    data = X - X.mean(0)
    from diabolo.architectures import Linear

    torch.manual_seed(0)
    network = Network((8,), Linear(), Identity(3), Clean())
    objective = Objective(SquaredError()).build(network)
    train(network, objective, Resident(Batch(data), 50, 0), epochs=150)
    _, _, axes = torch.linalg.svd(data, full_matrices=False)
    learned = torch.linalg.qr(network.decoder[0].weight.detach()).Q
    cosines = torch.linalg.svdvals(axes[:3] @ learned)
    assert float(cosines.min()) > 0.9999


def test_bfloat16_trains_as_well_and_leaves_float32_weights() -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        network, objective = parts()
        losses[precision] = run(network, objective, precision=precision, epochs=10)["validation_loss"][-1]
        assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    assert losses["bfloat16"] == pytest.approx(losses["float32"], abs=1.0)


def test_convolutions_train_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = Network((8, 8, 1), Conv(channels=(8,)), Identity(2), Clean())
    objective = Objective(SquaredError()).build(network)
    history = train(network, objective, Resident(Batch(torch.rand(64, 8, 8, 1)), 32, 0), epochs=3, precision="bfloat16")
    assert history["loss"][-1] < history["loss"][0]

"""The loop with rivals: who learns from what, and that nothing of it is lost on the way."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diabolo import (
    KL,
    MLP,
    VAEGAN,
    AdversarialAutoencoder,
    Clean,
    CodeRival,
    Conv,
    DivergedError,
    Gaussian,
    GaussianLikelihood,
    OutputRival,
    Torch,
    load,
)
from diabolo.core import Batch, Network, Objective, Rival, RoundTrip, parameters, within
from diabolo.report import figures
from diabolo.training import Checkpointer, Resident, Watcher, train
from diabolo.training.checkpoint import Checkpoint
from diabolo.training.engine import Run
from diabolo.training.seeding import mix, reseed

X = torch.randn(300, 3, generator=torch.Generator().manual_seed(0)) @ torch.randn(
    3, 8, generator=torch.Generator().manual_seed(1)
)


@parameters
class Meddler(Rival):
    """A rival whose loss asks the decoder, and forgets to keep the gradient from it."""

    weight: float = within(default=1.0, low=0.0)
    learning_rate: float = within(default=1e-3, low=0.0, above=True)

    def build(self, network: Network) -> Meddler:
        self.judge = nn.Linear(8, 1)
        self.still = nn.Parameter(torch.ones(1), requires_grad=False)
        return self

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        return self.judge(trip.output).squeeze(1)

    def loss(self, trip: RoundTrip, network: Network) -> Tensor:
        codes = torch.ones_like(trip.code.values, dtype=next(network.decoder.parameters()).dtype)
        return self.judge(network.decoder(codes).float()).mean() * self.still.sum()


@parameters
class LateFailure(Rival):
    """A rival whose weights stop being finite while the network never notices."""

    weight: float = 1.0
    learning_rate: float = 1e-3

    def build(self, network: Network) -> LateFailure:
        self.judge = nn.Parameter(torch.ones(()))
        return self

    def forward(self, trip: RoundTrip, network: Network) -> Tensor:
        return trip.code.values.square().mean()

    def loss(self, trip: RoundTrip, network: Network) -> Tensor:
        return self.judge * math.inf


def parts(seed: int = 0, penalty: Any = None) -> tuple[Network, Objective]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network((8,), MLP(hidden=(16,)), Gaussian(3), Clean())
        penalty = KL(0.1, warmup=0.2) + CodeRival(hidden=8) + OutputRival(hidden=8) if penalty is None else penalty
        return network, Objective(GaussianLikelihood(), penalty).build(network)


def everything(network: Network, objective: Objective) -> bytes:
    """All weights and buffers of the network, the loss and the rivals."""
    states = [*network.state_dict().values(), *objective.state_dict().values()]
    return b"".join(value.detach().numpy().tobytes() for value in states)


def weights_of(rivals: Objective) -> list[Tensor]:
    return [weight.detach().clone() for rival in rivals.rivals().values() for weight in rival.parameters()]


def run(network: Network, objective: Objective, **options: Any) -> Any:
    settings = {"epochs": 3, "seed": 3, "validation": Resident(Batch(X[250:]), 64, 0)} | options
    return train(network, objective, Resident(Batch(X[:250]), 32, 3), **settings)


class Stop(Watcher):
    """Raises after some steps, as a killed process would stop."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, run: Any) -> None:
        self.left -= 1
        if self.left <= 0:
            raise RuntimeError


class First(Watcher):
    """Keeps the gradients of the first step."""

    network: list[Tensor | None]
    rivals: list[Tensor | None]

    def on_step(self, run: Run) -> None:
        if run.epoch == run.step - 1 == 0:
            copied = run.working.copies if run.working.copied else run.working.weights
            self.network = [None if weight.grad is None else weight.grad.clone() for weight in copied]
            self.rivals = [None if weight.grad is None else weight.grad.clone() for weight in run.rival_weights]


def test_rivals_learn_from_their_own_loss_and_the_network_from_its_price() -> None:
    network, objective = parts()
    apart, judged = copy.deepcopy((network, objective))
    seen = First()
    run(network, objective, epochs=1, clip=None, watchers=[seen])

    batch = next(iter(Resident(Batch(X[:250]), 32, 3).epoch(0)))
    reseed(mix(3, 0x3EE7), torch.device("cpu"))
    met = Batch.joined(list(Resident(Batch(X[:250]), 32, 3).epoch(0)))
    judged.eval().meet(apart.eval(), met)
    judged.restart()
    judged.train().progress.fill_(1 / 8)
    reseed(mix(3, 0, 0), torch.device("cpu"))
    trip = judged.travel(apart.train(), batch)
    cost = judged(trip, apart).total
    paid = torch.autograd.grad(cost, list(apart.parameters()), retain_graph=True)
    own = [weight for rival in judged.rivals().values() for weight in rival.parameters()]
    tempting = torch.autograd.grad(cost, own)  # what the rivals would learn from the price, if they could
    lost = torch.autograd.grad(sum(judged.rivalry(trip, apart).values()), own)

    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(seen.network, paid, strict=True))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(seen.rivals, lost, strict=True))
    assert any(bool(gradient.abs().max() > 1e-3) for gradient in tempting)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_rival_that_asks_the_network_teaches_it_nothing(precision: str) -> None:
    seen = []
    for loss in (Meddler.loss, lambda self, trip, network: self.judge(trip.output).mean()):
        kind = parameters(type("Asking", (Meddler,), {"loss": loss, "__module__": __name__}))
        network, objective = parts(penalty=kind())
        seen.append(First())
        run(network, objective, epochs=1, watchers=[seen[-1]], precision=precision)
        assert not objective.rivals()["asking"].still.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(seen[0].network, seen[1].network, strict=True))
    assert all(gradient is not None for gradient in seen[0].rivals)


@pytest.mark.parametrize(
    "options",
    [{}, {"averaging": 0.9}, {"precision": "bfloat16"}, {"optimizer": Torch("adam"), "clip": 1.0}],
    ids=["muon", "averaging", "bfloat16", "clipped adam"],
)
def test_a_resumed_run_gives_the_same_bits_rivals_included(options: dict[str, Any], tmp_path: Path) -> None:
    whole, judged = parts()
    history = run(whole, judged, **options)
    for stop in (1, 7, 8, 13, 23):
        path = tmp_path / f"{stop}.checkpoint"
        with pytest.raises(RuntimeError):
            run(*parts(), watchers=[Checkpointer(path, "same", seconds=0.0), Stop(stop)], **options)
        again, resumed = parts(seed=9)  # other first weights: all must come from the checkpoint
        rows = run(again, resumed, resume=Checkpoint.read(path, "same"), **options)
        assert everything(again, resumed) == everything(whole, judged), f"stopped after step {stop}"
        strip = [[{k: v for k, v in row.items() if k != "seconds"} for row in kept] for kept in (rows, history)]
        assert strip[0] == strip[1]


class PoisonedOnce(Resident):
    """Batches of which one holds a value that is no number, the first time it is asked for."""

    left = 1

    def epoch(self, epoch: int, start: int = 0) -> Any:
        for place, batch in enumerate(super().epoch(epoch, start), start):
            if epoch == 1 and place == 3 and self.left:
                self.left -= 1
                batch.values[0, 0] = math.nan
            yield batch


def test_a_step_back_takes_the_rivals_along(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept(Watcher):
        def on_epoch(self, run: Run, row: dict[str, Any]) -> None:
            if run.epoch == 1:
                self.now, self.states = everything(network, objective), str(run.rival_optimizers["code_rival"].state)

    network, objective = parts()
    kept, back, step_back = Kept(), [], Run.step_back

    def noticed(self: Run) -> None:
        assert not all(bool(torch.isfinite(weight).all()) for weight in weights_of(objective)), "the poison spread"
        step_back(self)
        back.append((everything(network, objective), str(self.rival_optimizers["code_rival"].state)))

    monkeypatch.setattr(Run, "step_back", noticed)
    history = train(network, objective, PoisonedOnce(Batch(X.clone()), 32, 3), epochs=3, seed=3, watchers=[kept])
    assert back == [(kept.now, kept.states)]
    assert len(history) == 3
    assert all(bool(torch.isfinite(weight).all()) for weight in weights_of(objective))


def test_a_rival_that_explodes_is_named() -> None:
    network, objective = parts(penalty=LateFailure())
    with pytest.raises(DivergedError, match="epoch 0, batch 0: late_failure_rival stopped being finite"):
        run(network, objective)
    assert all(bool(torch.isfinite(weight).all()) for weight in [*network.parameters(), *weights_of(objective)])


@pytest.mark.parametrize("architecture", [MLP(hidden=(16,)), Conv(channels=(8,)), MLP(16, normalization="batch")])
def test_rivals_learn_beside_a_network_in_bfloat16(architecture: Any) -> None:
    found = {}
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        network = Network((8, 8, 1), architecture, Gaussian(2), Clean())
        objective = Objective(GaussianLikelihood(), KL() + CodeRival() + OutputRival(channels=4)).build(network)
        data = Resident(Batch(torch.rand(96, 8, 8, 1, generator=torch.Generator().manual_seed(0))), 32, 0)
        found[precision] = train(network, objective, data, epochs=3, precision=precision)
        assert {weight.dtype for module in (network, objective) for weight in module.parameters()} == {torch.float32}
    for column in ("loss", "code_rival_rival", "output_rival_rival"):
        assert found["bfloat16"][column][0] == pytest.approx(found["float32"][column][0], rel=0.2)


def test_clip_and_the_optimizer_of_the_network_leave_rivals_alone() -> None:
    first, moved = [], []
    for clip in (None, 1e-9):
        network, objective = parts()
        before = weights_of(objective), [weight.detach().clone() for weight in network.parameters()]
        seen = First()
        run(network, objective, epochs=1, clip=clip, optimizer=Torch("sgd"), learning_rate=0.1, watchers=[seen])
        first.append(seen.rivals)
        moved.append(
            [float((a - b.detach()).abs().max()) for a, b in zip(before[1], network.parameters(), strict=True)]
        )
        assert all(float((a - b).abs().max()) > 0 for a, b in zip(before[0], weights_of(objective), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(*first, strict=True))
    assert max(moved[1]) < 1e-6 < max(moved[0])


class Pair:
    """Two workers, of which this is one: it remembers what would be averaged and shared."""

    number, count = 0, 2

    def __init__(self) -> None:
        self.averaged: list[int] = []
        self.shared: list[int] = []

    def average(self, tensors: Any) -> None:
        self.averaged = [tensor.numel() for tensor in tensors]

    def share(self, tensors: Any) -> None:
        self.shared = [tensor.numel() for tensor in tensors]


def test_workers_average_what_rivals_learn_too() -> None:
    network, objective = parts()
    worker = Pair()
    run(network, objective, epochs=1, worker=worker)
    sizes = sorted(weight.numel() for module in (network, objective) for weight in module.parameters())
    assert sorted(worker.averaged) == sorted(worker.shared) == sizes


def test_the_history_tells_what_a_rival_pays_and_the_report_draws_it(digits: np.ndarray) -> None:
    model = VAEGAN(code_size=2, epochs=2, random_state=0).fit(digits[:200])
    columns = ["epoch", "loss", "reconstruction", "kl", "output_rival", "output_rival_rival", "validation_loss"]
    assert model.history_.columns[:7] == columns
    assert all(0 < value < 2 for value in model.history_["output_rival_rival"])
    names = figures.term_names(model.history_)
    assert names == ["reconstruction", "kl", "output_rival"]  # what a rival itself minimizes is no part of the loss
    drawn = [figures.small_curve(model.history_, name, "nats") for name in names]
    assert all("<svg" in curve for curve in drawn)


@pytest.mark.parametrize("cls", [AdversarialAutoencoder, VAEGAN])
def test_a_killed_fit_goes_on_and_rivals_are_saved(
    cls: Any, digits: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpointer.__init__, "__defaults__", (0.0,))
    data, path = digits[:200], tmp_path / "run.checkpoint"
    whole = cls(code_size=2, epochs=3, random_state=0).fit(data)
    with pytest.raises(RuntimeError):
        cls(code_size=2, epochs=3, random_state=0).fit(data, resume=str(path), watchers=[Stop(9)])
    assert path.exists()
    again = cls(code_size=2, epochs=3, random_state=0).fit(data, resume=str(path))
    assert everything(again.network_, again.objective_) == everything(whole.network_, whole.objective_)
    whole.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert everything(loaded.network_, loaded.objective_) == everything(whole.network_, whole.objective_)


def test_patience_waits_for_the_end_where_a_rival_is_not_validated(table: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(size=(60, 6))
    assert AdversarialAutoencoder(code_size=3, epochs=40, random_state=0).fit(noise).history_.stopped == "finished"
    impatient = AdversarialAutoencoder(code_size=3, epochs=40, patience=2, random_state=0).fit(noise)
    assert impatient.history_.stopped == "patience"

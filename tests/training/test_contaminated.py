"""Training on data that holds anomalies: rows that do not count, and when to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from diabolo import KL, MLP, Autoencoder, EntropyStop, Gaussian, GaussianLikelihood, Masking, ModelFileError, Trimmed
from diabolo.core import Batch, Network, Objective
from diabolo.training import Checkpointer, History, Resident, Streaming, Watcher, train
from diabolo.training.checkpoint import Checkpoint
from diabolo.training.entropy import entropy

GIVEN = [load_wine(return_X_y=True), load_breast_cancer(return_X_y=True)]


def planted(which: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal rows of a real table and, a fifth of all, rows that lie three times as far as its cells go."""
    X, y = GIVEN[which]
    normal = StandardScaler().fit_transform(X[y == 1])
    random = np.random.default_rng(which)
    far = 3 * np.take_along_axis(normal, random.integers(0, len(normal), (len(normal) // 4, X.shape[1])), 0)
    order = random.permutation(len(normal) + len(far))
    return np.r_[normal, far][order], np.r_[np.zeros(len(normal)), np.ones(len(far))][order]


DIRTY = [planted(0), planted(1)]
X = torch.from_numpy(DIRTY[0][0]).float()


def told_apart(X: np.ndarray, strange: np.ndarray, watchers: tuple[Watcher, ...] = (), **options: Any) -> float:
    """By how much worse strange rows come back than normal ones."""
    settings = {"code_size": 6, "architecture": MLP(hidden=(128,)), "scaling": "none", "random_state": 0} | options
    model = Autoencoder(epochs=30, **settings).fit(X, watchers=list(watchers))
    errors = model.reconstruction_error(X)
    return float(errors[strange == 1].mean() / errors[strange == 0].mean())


@pytest.mark.parametrize("which", [0, 1])
def test_both_tell_planted_rows_apart_better_than_neither(which: int) -> None:
    plain = told_apart(*DIRTY[which])
    assert told_apart(*DIRTY[which], left_out=0.2) > 1.5 * plain
    assert told_apart(*DIRTY[which], (EntropyStop(),)) > 1.05 * plain


def parts(share: float | None, seed: int = 0) -> tuple[Network, Objective]:
    """A variational network with masks, so that trips draw and hide, and its objective; ``None``: the plain one."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network((13,), MLP(hidden=(16,), normalization="batch"), Gaussian(3), Masking(0.3))
    loss, penalty = GaussianLikelihood(), KL(warmup=0.2)
    made = Objective(loss, penalty) if share is None else Trimmed(loss, penalty, share=share)
    return network, made.build(network)


def run(network: Network, objective: Objective, **options: Any) -> History:
    settings = {"epochs": 4, "seed": 3, "validation": Resident(Batch(X[60:]), 64, 0)} | options
    return train(network, objective, Resident(Batch(X[:60]), 20, 3), **settings)


def everything(network: Network, objective: Objective) -> bytes:
    values = [*network.state_dict().values(), *objective.state_dict().values()]
    return b"".join(value.numpy().tobytes() for value in values)


def test_to_leave_out_nothing_is_the_plain_objective_to_the_bit() -> None:
    plain, none, some = parts(None), parts(0.0), parts(0.2)
    for made in (plain, none, some):
        run(*made)
    assert everything(*none) == everything(*plain)
    assert everything(*some) != everything(*plain)


def test_what_counts_are_the_rows_of_least_loss_and_only_while_learning() -> None:
    network, objective = parts(0.25)
    run(network, objective, epochs=1)
    known = torch.rand(X.shape, generator=torch.Generator().manual_seed(0)) > 0.1
    batch = Batch(X, known)
    before = torch.random.get_rng_state()
    lost = objective.losses(network, batch)  # type: ignore[operator]
    assert torch.equal(torch.random.get_rng_state(), before)
    network.train()
    objective.train()
    trip = objective.travel(network, batch)
    assert network.training
    assert objective.loss.training
    rows = lost.argsort()[: round(0.75 * len(X))].sort().values
    assert torch.equal(trip.target, X[rows].masked_fill(~known[rows], 0.0))
    assert trip.known is not None
    assert torch.equal(trip.known, known[rows])
    assert len(objective.travel(network.eval(), batch).target) == len(X), "scores take every row"
    assert len(objective.travel(network, batch, corrupt=True).target) == len(rows), "validation does not"


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="share came as 1"):
        Trimmed(GaussianLikelihood(), share=1)
    with pytest.raises(ValueError, match="left_out"):
        Autoencoder(left_out=1.0).fit(X.numpy())


class Stop(Watcher):
    """Raises after some steps, as a killed process would stop."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, run: Any) -> None:
        self.left -= 1
        if self.left <= 0:
            raise RuntimeError


@pytest.mark.parametrize("options", [{}, {"averaging": 0.9}, {"validation": None}], ids=str)
def test_a_resumed_run_gives_the_same_bits(options: dict[str, Any], tmp_path: Path) -> None:
    whole = parts(0.2)
    history = run(*whole, watchers=[EntropyStop(40)], **options)
    for stop in (2, 5, 10):
        path = tmp_path / f"{stop}.checkpoint"
        with pytest.raises(RuntimeError):
            run(*parts(0.2), watchers=[EntropyStop(40), Checkpointer(path, "same", seconds=0.0), Stop(stop)], **options)
        again = parts(0.2, seed=9)  # other first weights: all must come from the checkpoint
        resumed = run(*again, watchers=[EntropyStop(40)], resume=Checkpoint.read(path, "same"), **options)
        assert everything(*again) == everything(*whole), f"stopped after step {stop}"
        assert resumed["loss_entropy"] == history["loss_entropy"]
        assert resumed.best_epoch == history.best_epoch


def test_a_run_that_chose_otherwise_does_not_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    run(*parts(None), watchers=[Checkpointer(path, "same", seconds=0.0)])
    with pytest.raises(ModelFileError, match=r"validation_loss.*loss_entropy"):
        run(*parts(None), watchers=[EntropyStop()], resume=Checkpoint.read(path, "same"))


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_what_is_kept_has_the_least_entropy_of_all_epochs(averaging: float) -> None:
    made, looker = parts(None), EntropyStop(1000)
    history = run(*made, epochs=30, watchers=[looker], averaging=averaging)
    trip = made[1].travel(made[0], Batch(X[:60]), corrupt=False, sample=False)
    kept = entropy((trip.output - trip.target).square().sum(1).detach())
    assert kept == pytest.approx(min(history["loss_entropy"]), rel=1e-5)
    assert history.best_epoch == int(np.argmin(history["loss_entropy"])) < 29
    assert sorted(map(tuple, torch.cat([batch.values for batch in looker.met]).tolist())) == sorted(
        map(tuple, X[:60].tolist())
    )


def test_patience_counts_from_the_least_entropy() -> None:
    history = run(*parts(None), epochs=200, patience=5, watchers=[EntropyStop()])
    assert history.stopped == "patience"
    assert len(history) == (history.best_epoch or 0) + 6


def test_streamed_rows_are_looked_at_too() -> None:
    read = Streaming(lambda a, b: Batch(X[a:b]), [(0, 30), (30, 60)], 20, 0, torch.device("cpu"))
    looker = EntropyStop(25)
    history = train(*parts(None), read, epochs=2, watchers=[looker])
    assert sum(map(len, looker.met)) == 25
    assert history.best_epoch is not None


def test_the_entropy_of_losses() -> None:
    assert entropy(torch.ones(10)) == pytest.approx(np.log(10))
    assert entropy(torch.zeros(10)) == pytest.approx(np.log(10)), "where all is brought back, nothing is strange"
    assert entropy(torch.tensor([1.0, 1.0, 5.0])) < entropy(torch.tensor([1.0, 1.0, 1.1]))
    assert entropy(torch.tensor([1.0, 2.0])) == pytest.approx(entropy(torch.tensor([10.0, 20.0])))

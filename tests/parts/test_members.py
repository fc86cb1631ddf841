"""Networks that are computed side by side: what they owe to the same networks one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine

from diabolo import MLP, Autoencoder, Clean, Conv, EnsembleAutoencoder, Identity, Transformer, load
from diabolo.bottlenecks import Gaussian
from diabolo.core.members import Ensemble, MemberWeights, joined, parted
from diabolo.core.network import Network
from diabolo.training import Checkpointer, Watcher
from diabolo.training.optimizers import as_optimizer

X = load_wine().data


def networks(count: int) -> list[Network]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [Network((5,), MLP(hidden=(8,)), Identity(3), Clean()).eval() for _ in range(count)]


def rows(count: int = 7) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(1))


def ensemble(**parameters: Any) -> EnsembleAutoencoder:
    return EnsembleAutoencoder(**{"members": 3, "code_size": 4, "epochs": 2, "random_state": 0} | parameters)


@pytest.mark.parametrize("count", [1, 4])
def test_together_as_one_by_one(count: int) -> None:
    alone, x = networks(count), rows()
    together = Ensemble(alone).eval()(x)
    trips = [network(x) for network in alone]
    torch.testing.assert_close(together.code.values, torch.cat([trip.code.values for trip in trips], 1))
    torch.testing.assert_close(together.output, torch.stack([trip.output for trip in trips]).mean(0))


def test_parts_join_and_part() -> None:
    parts = torch.arange(24.0).reshape(2, 3, 4)
    assert torch.equal(parted(joined(parts), 3), parts)


def test_the_mean_errs_no_more_than_members_do_on_average() -> None:
    model = ensemble(epochs=10).fit(X)
    network, (trip,) = model.network_, model.round_trips(X)
    with torch.no_grad():
        each = network.decoder.train()(trip.code.values).unflatten(0, (len(X), -1))
    network.eval()
    torch.testing.assert_close(each.mean(1), trip.output)
    errors = (each - trip.target[:, None]).square().mean((0, 2))
    assert float((trip.output - trip.target).square().mean()) < float(errors.mean())
    assert float(errors.std()) > 0  # they are no copies of each other


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "sgd"])
def test_members_step_as_they_would_alone(optimizer: str) -> None:
    alone = networks(3)
    together, x = Ensemble(alone), rows(9)
    rates = {"muon": 0.05, "adamw": 0.01, "sgd": 0.1}
    build = as_optimizer(optimizer).build
    stepping = build(list(together.parameters()), rates[optimizer])
    for _ in range(3):
        stepping.zero_grad()
        trips = together.train()(x).output.unflatten(0, (9, 3))
        (trips - x[:, None]).square().mean().backward()
        stepping.step()
    for network in alone:
        own = build(list(network.train().parameters()), rates[optimizer])
        for _ in range(3):
            own.zero_grad()
            (network(x).output - x).square().mean().backward()
            own.step()
    trips = [network.eval()(x).output for network in alone]
    torch.testing.assert_close(together.eval()(x).output, torch.stack(trips).mean(0), atol=1e-4, rtol=1e-3)


def test_an_ensemble_learns_as_well_as_its_networks() -> None:
    alone = [Autoencoder(code_size=4, epochs=10, random_state=seed).fit(X).score(X) for seed in range(4)]
    for members in (1, 4):
        assert ensemble(members=members, epochs=10).fit(X).score(X) > min(alone) - 0.02


def test_weights_lie_side_by_side_and_copies_are_their_own() -> None:
    alone = networks(2)
    together = Ensemble(alone)
    assert all(isinstance(weight, MemberWeights) for weight in together.parameters())
    assert sum(weight.numel() for weight in together.parameters()) == 2 * sum(w.numel() for w in alone[0].parameters())
    before = together.eval()(rows()).output
    with torch.no_grad():
        for weight in alone[0].parameters():
            weight.add_(1.0)
    assert torch.equal(together(rows()).output, before)


def test_saved_and_loaded_to_the_bit(tmp_path: Path) -> None:
    model = ensemble().fit(X)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    encoder = load(tmp_path / "model.safetensors", encoder_only=True)
    np.testing.assert_array_equal(encoder.transform(X), model.transform(X))
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_going_on_where_it_stopped_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpointer.__init__, "__defaults__", (0.0,))  # one after every step

    class Stop(Watcher):
        def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
            if row["epoch"] == 2:
                raise KeyboardInterrupt

    whole = ensemble(epochs=4).fit(X)
    checkpoint = str(tmp_path / "checkpoint.safetensors")
    with pytest.raises(KeyboardInterrupt):
        ensemble(epochs=4).fit(X, resume=checkpoint, watchers=[Stop()])
    assert Path(checkpoint).is_file()
    again = ensemble(epochs=4).fit(X, resume=checkpoint)
    np.testing.assert_array_equal(again.reconstruct(X), whole.reconstruct(X))


def test_bfloat16_holes_and_pictures() -> None:
    assert ensemble(precision="bfloat16", epochs=10).fit(X).score(X) > 0.5
    with_holes = X.copy()
    with_holes[::3, 2] = np.nan
    model = ensemble().fit(with_holes)
    filled = model.reconstruct(with_holes)
    assert np.isfinite(filled).all()
    pictures = load_digits().images[:60]
    conv = ensemble(architecture=Conv(), members=2, epochs=1).fit(pictures)
    assert conv.transform(pictures).shape == (60, 8)
    assert conv.reconstruct(pictures).shape == pictures.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"architecture": Transformer()}, "cannot be computed side by side"),
        ({"bottleneck": Gaussian()}, "plain codes"),
        ({"architecture": MLP(normalization="batch")}, "normalization='layer' or 'none'"),
        ({"members": 0}, "members came as 0"),
    ],
    ids=["transformer", "gaussian", "batch normalization", "none"],
)
def test_what_cannot_be_side_by_side_is_refused_with_advice(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ensemble(**parameters).fit(X)

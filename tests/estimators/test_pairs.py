"""Pairs of degraded and clean data, given by the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diabolo import Autoencoder, DataError, LinearAutoencoder, Masking, ShapeError, load
from diabolo.cli import main
from diabolo.core import Batch, Network, View
from diabolo.data.choosing import open_data
from diabolo.estimators.planning import fingerprint
from diabolo.training import Streaming


@pytest.fixture
def pairs(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Digits seen through a thin veil: the upper half darkened, all of it noisy."""
    degraded = digits.copy()
    degraded[:, :32] *= 0.3
    return degraded + np.random.default_rng(0).normal(size=digits.shape), digits


def test_pairs_teach_what_no_noise_of_ours_could(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    degraded, clean = pairs
    model = Autoencoder(code_size=16, epochs=30, random_state=0).fit(clean[:1400], degraded=degraded[:1400])
    plain = Autoencoder(code_size=16, epochs=30, random_state=0).fit(clean[:1400])
    left = [np.square(m.reconstruct(degraded[1400:]) - clean[1400:]).mean() for m in (model, plain)]
    as_it_came = np.square(degraded[1400:] - clean[1400:]).mean()
    assert left[0] < 0.6 * as_it_came
    assert left[0] < 0.8 * left[1]


def test_the_encoder_sees_the_degraded_row_alone(digits: np.ndarray) -> None:
    plan = Autoencoder(code_size=2, validation=0.0).plan(digits, np.zeros_like(digits))
    batch = next(plan.batches.ordered())
    trip = plan.objective.travel(plan.network.train(), batch)
    assert (trip.seen.values == trip.seen.values[0]).all()
    assert not (trip.target == trip.target[0]).all()
    still = plan.objective.travel(plan.network.eval(), batch)
    assert (still.seen.values == still.target).all()


def test_what_is_missing_from_the_degraded_row_is_hidden(digits: np.ndarray) -> None:
    degraded = digits.copy()
    degraded[:, 5] = np.nan
    model = Autoencoder(code_size=4, corruption=Masking(0.2), validation=0.0)
    plan = model.plan(digits, degraded)
    trip = plan.objective.travel(plan.network.train(), next(plan.batches.ordered()))
    assert trip.seen.hidden is not None
    assert trip.seen.hidden[:, 5].all()
    assert trip.known is None


def test_streamed_pairs_stay_together() -> None:
    import torch

    def read(start: int, stop: int) -> Batch:
        numbers = torch.arange(start, stop, dtype=torch.float32)[:, None]
        hidden = None if start else torch.ones(stop - start, 1, dtype=torch.bool)
        return Batch(numbers, None, View(-numbers, hidden))

    batches = Streaming(read, [(0, 5), (5, 10)], 4, 0, torch.device("cpu"))
    for batch in batches.epoch(0):
        assert batch.degraded is not None
        assert batch.degraded.hidden is not None
        assert torch.equal(batch.degraded.values, -batch.values)
        assert torch.equal(batch.degraded.hidden, batch.values < 5)


def test_pairs_that_do_not_pair_are_refused(digits: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="one degraded row for each clean one"):
        Autoencoder().fit(digits, degraded=digits[:-1])
    with pytest.raises(ShapeError, match=r"The degraded data came as 1,797 rows of shape \(63,\)"):
        Autoencoder().fit(digits, degraded=digits[:, :-1])
    for wrong, message in [
        (np.full_like(digits, np.inf), "infinity"),
        (digits.astype(complex), "Complex"),
        ([["a"] * 64] * len(digits), "row 0"),
    ]:
        with pytest.raises(DataError, match=f"the degraded data: .*{message}"):
            Autoencoder().fit(digits, degraded=wrong)


def test_the_exact_solver_refuses_pairs(pairs: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="solver='exact' takes no degraded data; use solver='gradient'"):
        LinearAutoencoder().fit(pairs[1], degraded=pairs[0])
    assert LinearAutoencoder(solver="gradient", epochs=1).fit(pairs[1], degraded=pairs[0]).score(pairs[1]) > 0
    path = str(tmp_path / "clean.npy")
    np.save(path, pairs[1])
    with pytest.raises(SystemExit) as ended:
        main(["fit", path, "--degraded", path, "-p", "linear", "--dry-run"])
    assert ended.value.code == 2


def test_a_run_is_only_resumed_with_its_pairs(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    degraded, clean = pairs
    model, source = Autoencoder(random_state=0), open_data(clean)
    marks = {fingerprint(model, source, model.plan(clean, seen)) for seen in (None, degraded, clean)}
    assert len(marks) == 3
    assert fingerprint(model, source, model.plan(clean, degraded)) in marks


def test_pairs_on_the_command_line(pairs: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("degraded.npy", "clean.npy", "model.safetensors")]
    np.save(names[0], pairs[0])
    np.save(names[1], pairs[1])
    with pytest.raises(SystemExit) as ended:
        main(["fit", names[1], "--degraded", names[0], "-o", names[2], "--epochs", "2", "--seed", "0"])
    assert ended.value.code == 0
    again = Autoencoder(epochs=2, random_state=0).fit(pairs[1], degraded=pairs[0])
    assert np.allclose(load(names[2]).transform(pairs[0]), again.transform(pairs[0]), atol=1e-5)


def test_a_network_takes_a_view_in_place_of_the_data(table: np.ndarray) -> None:
    import torch

    from diabolo import MLP, Clean, Identity

    network = Network((6,), MLP(hidden=(4,)), Identity(2), Clean())
    x, other = torch.rand(3, 6), torch.rand(3, 6)
    assert torch.equal(network(x, None, View(other)).code.values, network(other).code.values)

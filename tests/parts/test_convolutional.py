"""Laws of convolutions, with a dense layer before the code and with codes that are maps."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

from diabolo import (
    KL,
    Autoencoder,
    Clean,
    Conv,
    ConvAutoencoder,
    Gaussian,
    GaussianLikelihood,
    Identity,
    Masking,
    ShapeError,
    load,
)
from diabolo.core import Batch, Network, Objective


@pytest.fixture(autouse=True)
def _seeded() -> object:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


SIDES = [
    *((side,) for side in range(1, 18)),
    *itertools.product(range(1, 18), repeat=2),
    *itertools.product((1, 2, 3, 4, 5, 8), repeat=3),
]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("hidden", [None, 5])
def test_any_size_comes_back(rank: int, hidden: int | None) -> None:
    architecture = Conv(channels=(3, 4), hidden=hidden)
    for sides in (sides for sides in SIDES if len(sides) == rank):
        shape = (*sides, 2)
        encoder, width = architecture.encoder(shape)
        decoder = architecture.decoder(3, shape)
        positions = tuple((side + 3) // 4 for side in sides) if hidden is None else ()
        with torch.no_grad():
            assert encoder(torch.rand(2, *shape)).shape == (2, *positions, width)
            assert decoder(torch.rand(2, *positions, 3)).shape == (2, *shape)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("channels", [(4,), (2, 3, 4), 5])
def test_any_kernel_and_number_of_stages(kernel: int, channels: tuple[int, ...] | int) -> None:
    network = Network((11, 6, 1), Conv(channels, kernel, normalization="none", hidden=None), Gaussian(2), Clean())
    objective = Objective(GaussianLikelihood(), KL()).build(network)
    trip = objective.travel(network, Batch(torch.rand(3, 11, 6, 1), torch.rand(3, 11, 6, 1) < 0.8))
    assert trip.output.shape == (3, 11, 6, 1)
    assert trip.code.values.shape[1:] == network.code_shape
    assert torch.isfinite(objective(trip, network).total)


def test_what_holds_at_one_place_holds_at_the_next() -> None:
    encoder, _ = Conv(channels=(4, 8), normalization="none", hidden=None).encoder((32, 32, 1))
    picture = torch.zeros(1, 32, 32, 1)
    picture[:, 12:16, 12:16] = torch.rand(1, 4, 4, 1)
    moved = picture.roll((4, 8), dims=(1, 2))
    with torch.no_grad():
        here, there = encoder(picture), encoder(moved)
    assert torch.allclose(here[:, 2:5, 2:5], there[:, 3:6, 4:7], atol=1e-6)
    assert not torch.allclose(here[:, 2:5, 2:5], there[:, 2:5, 2:5], atol=1e-3)


@pytest.mark.parametrize("hidden", [None, 16])
def test_a_decoder_begins_at_the_mean_of_each_channel(hidden: int | None) -> None:
    architecture = Conv(channels=(4,), hidden=hidden)
    decoder = architecture.decoder(3, (6, 6, 2))
    mean = torch.rand(6, 6, 2)
    architecture.start(decoder, mean)
    last = [module for module in decoder if isinstance(module, torch.nn.ConvTranspose2d)][-1]
    with torch.no_grad():
        last.weight.zero_()
        begun = decoder(torch.zeros(1, 3) if hidden else torch.zeros(1, 3, 3, 3))
    assert torch.allclose(begun[0], mean.mean((0, 1)).expand(6, 6, 2), atol=1e-6)


@pytest.mark.parametrize("hidden", [0, -1, 2.5, "many"])
def test_a_senseless_width_is_refused(hidden: object) -> None:
    with pytest.raises(
        (ValueError, TypeError), match=r"Conv: hidden came as .*; it must be a whole number of at least 1, or None"
    ):
        Conv(hidden=hidden).check()  # type: ignore[arg-type]
    assert Conv(hidden=None).check().hidden is None


def test_rows_without_positions_are_refused_with_advice(table: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"Conv needs samples of .*; these have shape \(6,\)\. MLP takes any shape"):
        ConvAutoencoder().fit(table)


def test_the_preset_learns_pictures_and_keeps_to_the_contract(pictures: np.ndarray, tmp_path: Path) -> None:
    small = pictures * 15
    train, held_out = small[:1100], small[1100:1400]
    model = ConvAutoencoder(code_size=8, epochs=8, batch_size=64, random_state=0)
    model.set_params(architecture__channels=(8,), architecture__hidden=32)
    untrained = clone(model).set_params(epochs=1, learning_rate=1e-12).fit(train)
    codes = model.fit(train).transform(held_out)
    assert codes.shape == (300, 8)
    assert model.score(held_out) > max(0.5, untrained.score(held_out) + 0.3)
    assert np.array_equal(clone(model).fit(train).transform(held_out), codes)
    assert np.array_equal(model.transform(held_out[:1])[0], codes[0])
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert np.array_equal(again.reconstruct(held_out), model.reconstruct(held_out))


def test_a_code_that_is_a_map_goes_flat_and_comes_back(pictures: np.ndarray) -> None:
    options = {"architecture": Conv(channels=(8,), hidden=None), "corruption": Masking(0.1)}
    model = Autoencoder(bottleneck=Identity(2), epochs=1, random_state=0, **options).fit(pictures[:200])
    codes = model.transform(pictures[:200])
    assert model.network_.code_shape == (4, 4, 2)
    assert codes.shape == (200, 32)
    assert np.array_equal(model.inverse_transform(codes), model.reconstruct(pictures[:200]))


def test_signals_of_one_axis() -> None:
    time = torch.linspace(0, 6, 21)
    waves = torch.sin(time + 6 * torch.rand(64, 1))[..., None]
    network = Network((21, 1), Conv(channels=(4, 8), hidden=None), Identity(2), Clean())
    assert network(waves).code.values.shape == (64, 6, 2)

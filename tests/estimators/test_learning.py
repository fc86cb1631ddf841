"""They learn: each preset beats the column mean and an untrained network on real data, by a margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from diabolo import (
    MLP,
    VAE,
    Autoencoder,
    Conv,
    DenoisingAutoencoder,
    LinearAutoencoder,
    SequenceAutoencoder,
    TabularMaskedAutoencoder,
    load,
)
from diabolo.data.choosing import open_data
from diabolo.estimators import Estimator

from .presets import PRESETS

FLOOR = {"VAE": 0.45} | dict.fromkeys(  # these predict cells from others
    ["MaskedAutoencoder", "BlindSpotAutoencoder", "TabularMaskedAutoencoder"], 0.4
)
# Where twenty passes over 1,400 digits, or thirty over 200 short rows, take long, fewer tell enough.
EPOCHS = {"DeepAutoencoder": 5, "EnsembleAutoencoder": 5, "MaskedAutoencoder": 8, "TabularMaskedAutoencoder": 3}
EPOCHS |= {"ContractiveAutoencoder": 8, "VAEGAN": 10}
EPOCHS_WITH_HOLES = {"DeepAutoencoder": 8, "EnsembleAutoencoder": 12, "TotalCorrelationVAE": 60}
# Four nats paid for one make three numbers that say nothing the optimum; cells from others say less than from a code.
LEAST_WITH_HOLES = {"BetaVAE": -0.05, "BlindSpotAutoencoder": 0.35}


@pytest.mark.parametrize("cls", PRESETS)
def test_presets_beat_the_mean_and_an_untrained_network(cls: type[Estimator], digits: np.ndarray) -> None:
    digits = digits.reshape(-1, 8, 8) if cls is SequenceAutoencoder else digits  # a row of pixels a step
    train, test = digits[:1400], digits[1400:]
    model = cls(code_size=8, epochs=EPOCHS.get(cls.__name__, 20), random_state=0).fit(train)
    untrained = cls(code_size=8, epochs=1, learning_rate=1e-12, random_state=0)
    if isinstance(untrained, LinearAutoencoder):
        untrained.set_params(solver="gradient")
    if isinstance(untrained, TabularMaskedAutoencoder):
        untrained.set_params(linear=False)  # what is found in closed form is no part of an untrained network
    untrained.fit(train[:200])
    assert model.score(test) > FLOOR.get(cls.__name__, 0.6)
    assert model.score(test) > untrained.score(test) + 0.3


def test_the_default_beats_pca_of_the_same_size(digits: np.ndarray) -> None:
    train, test = digits[:1400], digits[1400:]
    pca = PCA(8).fit(train)
    residual = test - pca.inverse_transform(pca.transform(test))
    share = 1 - np.square(residual).sum() / np.square(test - train.mean(0)).sum()
    assert Autoencoder(code_size=8, random_state=0).fit(train).score(test) > share + 0.05


def test_the_exact_linear_autoencoder_is_pca(digits: np.ndarray) -> None:
    model, pca = LinearAutoencoder(code_size=8).fit(digits), PCA(8).fit(digits)
    codes, scores = model.transform(digits), pca.transform(digits)
    signs = np.sign((codes * scores).sum(0))
    assert np.allclose(codes * signs, scores, atol=2e-3)
    assert np.allclose(model.reconstruct(digits), pca.inverse_transform(scores), atol=2e-3)


def test_linear_loadings_are_those_of_pca_up_to_sign(digits: np.ndarray) -> None:
    model, pca = LinearAutoencoder(code_size=8).fit(digits), PCA(8).fit(digits)
    cosines = (model.components_ * pca.components_).sum(1)
    assert np.allclose(abs(cosines), 1, atol=1e-5)
    assert np.allclose(model.projection_, pca.components_.T @ pca.components_, atol=1e-4)
    trained = LinearAutoencoder(code_size=8, solver="gradient", validation=0.0, random_state=0).fit(digits)
    assert np.trace(trained.projection_ @ model.projection_) > 7.8  # 8 is the same subspace
    assert model.fit(digits.reshape(-1, 8, 8)).components_.shape[:3] == (8, 8, 8)


def test_what_would_not_be_linear_is_refused(digits: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"architecture came as MLP.*use Autoencoder\(architecture"):
        LinearAutoencoder(architecture=MLP()).fit(digits)


def test_the_gradient_lands_on_the_same_subspace(digits: np.ndarray) -> None:
    exact = LinearAutoencoder(code_size=4, validation=0.0).fit(digits)
    trained = LinearAutoencoder(code_size=4, solver="gradient", validation=0.0, random_state=0).fit(digits)
    bases = [np.linalg.qr(m.network_.decoder[0].weight.detach().numpy())[0] for m in (exact, trained)]
    cosines = np.linalg.svd(bases[0].T @ bases[1])[1]
    assert cosines.min() > 0.999
    assert trained.score(digits) == pytest.approx(exact.score(digits), abs=1e-3)


def test_the_exact_solver_fills_holes(table: np.ndarray) -> None:
    holes = table.copy()
    holes[np.random.default_rng(0).random(table.shape) < 0.1] = np.nan
    with_holes, whole = LinearAutoencoder(code_size=3).fit(holes), LinearAutoencoder(code_size=3).fit(table)
    bases = [m.network_.bottleneck.project.weight.detach().numpy() for m in (with_holes, whole)]
    assert np.linalg.svd(bases[0] @ bases[1].T)[1].min() > 0.999
    missing = np.isnan(holes)
    filled = with_holes.reconstruct(holes)
    lost = np.square(filled - table)[missing].mean() / np.square(table - np.nanmean(holes, 0))[missing].mean()
    assert lost < 0.5


def test_the_known_cells_of_a_row_with_a_hole_come_back_as_those_of_a_whole_row(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    data = random.normal(size=(600, 2)) @ random.normal(size=(2, 10)) + 0.05 * random.normal(size=(600, 10)) + 7
    train, test = data[:500], data[500:]
    for code_size, limit in ((2, 1.5), (9, 3.0)):  # of nine numbers for nine known cells the code's spread decides
        model = LinearAutoencoder(code_size=code_size).fit(train)
        usual = np.square(LinearAutoencoder(code_size=2).fit(train).reconstruct(test) - test).mean()
        whole = model.reconstruct(test)
        np.testing.assert_array_equal(model.transform(test), whole_codes(model, test))
        for column in range(10):
            holes = test.copy()
            holes[:, column] = np.nan
            back = model.reconstruct(holes)
            rest = np.arange(10) != column
            assert np.square(back - test)[:, rest].mean() < 1.5 * usual, (code_size, column)
            assert np.square(back - test)[:, column].mean() < limit * 2 * 0.05**2, (code_size, column)
            mixed = np.r_[holes[:50], test[50:]]
            np.testing.assert_allclose(model.reconstruct(mixed)[:50], back[:50], rtol=1e-6)
            np.testing.assert_array_equal(model.reconstruct(mixed)[50:], whole[50:])
        model.save(tmp_path / "model.safetensors")
        again = load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(again.reconstruct(holes), back)
        alone = load(tmp_path / "model.safetensors", encoder_only=True)
        np.testing.assert_array_equal(alone.transform(holes), model.transform(holes))
        nothing = np.full((2, 10), np.nan)
        np.testing.assert_allclose(model.reconstruct(nothing)[0], train.mean(0), rtol=1e-3)


@torch.no_grad()
def whole_codes(model: LinearAutoencoder, rows: np.ndarray) -> np.ndarray:
    """Codes of whole rows by the encoder's matrix alone."""
    network = model.network_
    codes = [network.bottleneck.project(batch.values)[:count].numpy() for batch, count in model._batches(rows)]
    return np.concatenate(codes)


def test_a_code_larger_than_the_data_keeps_dead_dimensions_at_zero() -> None:
    data = np.random.default_rng(0).normal(size=(30, 3))
    codes = LinearAutoencoder(code_size=5).fit(data).transform(data)
    assert np.allclose(codes[:, 3:], 0)


def test_denoising_beats_leaving_the_noise(digits: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    clean = digits / 16
    noisy = clean + 0.3 * generator.normal(size=clean.shape)
    model = DenoisingAutoencoder(code_size=16, noise=0.3, epochs=40, random_state=0).fit(clean[:1400])
    denoised = model.reconstruct(noisy[1400:])
    assert np.square(denoised - clean[1400:]).mean() < 0.5 * np.square(noisy[1400:] - clean[1400:]).mean()


@pytest.mark.parametrize("cls", PRESETS)
def test_missing_values_are_ordinary(cls: type[Estimator], table: np.ndarray) -> None:
    holes = table.copy()
    holes[np.random.default_rng(1).random(table.shape) < 0.15] = np.nan
    model = cls(code_size=3, epochs=EPOCHS_WITH_HOLES.get(cls.__name__, 30), random_state=0).fit(holes)
    assert np.isfinite(model.transform(holes)).all()
    assert np.isfinite(model.reconstruct(holes)).all()
    assert np.isfinite(model.score_samples(holes)).all()
    assert model.score(holes) > LEAST_WITH_HOLES.get(cls.__name__, 0.5)
    nothing = np.full((2, 6), np.nan)
    assert np.isfinite(model.reconstruct(nothing)).all()


def test_a_vae_bound_is_a_bound_that_training_tightens(digits: np.ndarray) -> None:
    short, long = (VAE(code_size=8, epochs=e, random_state=0).fit(digits[:1400]) for e in (2, 40))
    assert long.score_samples(digits[1400:]).mean() > short.score_samples(digits[1400:]).mean() + 5


def test_draws_differ_only_when_asked_for(digits: np.ndarray) -> None:
    model = VAE(code_size=4, epochs=3, random_state=0).fit(digits)
    still = [trip.output for trip in model.round_trips(digits)]
    assert all((a == b).all() for a, b in zip(still, [t.output for t in model.round_trips(digits)], strict=True))
    drawn = [trip.output for trip in model.round_trips(digits[:10], n_draws=3, random_state=0)]
    assert len(drawn) == 3
    assert not (drawn[0] == drawn[1]).all()


def test_pictures_by_convolution(pictures: np.ndarray) -> None:
    model = Autoencoder(code_size=8, architecture=Conv(channels=(8, 16), hidden=64), epochs=8, random_state=0)
    model.fit(pictures[:1400])
    again = model.reconstruct(pictures[1400:])
    assert again.dtype == np.uint8
    assert again.shape == pictures[1400:].shape
    assert model.score(pictures[1400:]) > 0.5


def test_mnist_in_a_few_seconds(data_folder: Path) -> None:
    source = open_data(str(data_folder / "mnist" / "train-images-idx3-ubyte.gz"))
    train, test = source.read(0, 12_000), source.read(50_000, 52_000)
    model = Autoencoder(code_size=32, architecture=MLP(hidden=(128,)), epochs=3, random_state=0).fit(train)
    again = model.reconstruct(test)
    assert np.square(again / 255.0 - test / 255.0).mean() < 0.012

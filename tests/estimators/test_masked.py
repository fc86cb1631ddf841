"""What was not shown is predicted, and nothing is predicted from itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diabolo import (
    MLP,
    BlindSpotAutoencoder,
    BlockMasking,
    Clean,
    Conv,
    GaussianLikelihood,
    HeteroscedasticGaussian,
    HiddenOnly,
    Identity,
    MaskedAutoencoder,
    Masking,
    PatchError,
    SquaredError,
    Transformer,
)
from diabolo.core import Batch, Code, Network, RoundTrip, View
from diabolo.estimators import Estimator

SMALL = Transformer(width=16, heads=2, codes="token")


def objective_for(network: Network, loss: object = None) -> HiddenOnly:
    return HiddenOnly(loss or SquaredError()).build(network).eval()


@pytest.mark.parametrize("corruption", [Masking(0.3), BlockMasking(0.5, 1), BlockMasking(0.75, 2)])
@pytest.mark.parametrize("architecture", [MLP(hidden=(8,)), SMALL])
def test_no_cell_is_predicted_from_itself(corruption: Masking | BlockMasking, architecture: MLP | Transformer) -> None:
    torch.manual_seed(0)
    network = Network((6,), architecture, Identity(3), corruption).eval()
    objective = objective_for(network)
    x = torch.randn(3, 6, requires_grad=True)
    output = objective.travel(network, Batch(x)).output
    slopes = torch.stack([torch.autograd.grad(output[:, j].sum(), x, retain_graph=True)[0] for j in range(6)])
    assert float(slopes.diagonal(dim1=0, dim2=2).abs().max()) == 0
    assert float(slopes.abs().max()) > 0


def test_while_training_only_hidden_cells_that_are_known_count() -> None:
    torch.manual_seed(0)
    network = Network((6, 6, 1), MLP(hidden=(8,)), Identity(3), BlockMasking(0.5, 2))
    objective = objective_for(network)
    x, known = torch.rand(5, 6, 6, 1), torch.rand(5, 6, 6, 1) < 0.7
    trip = objective.travel(network, Batch(x, known), corrupt=True)
    assert torch.equal(trip.known, known & trip.seen.hidden)
    assert not torch.equal(trip.known, known)
    changed = RoundTrip(trip.target + ~trip.known, trip.known, trip.seen, trip.features, trip.code, trip.output)
    assert torch.equal(objective.loss(trip), objective.loss(changed))


def test_several_numbers_for_each_cell() -> None:
    loss = HeteroscedasticGaussian()
    network = Network((6,), MLP(hidden=(8,)), Identity(3), Masking(0.5), loss.output_shape((6,))).eval()
    objective = objective_for(network, loss)
    trip = objective.travel(network, Batch(torch.rand(4, 6), torch.rand(4, 6) < 0.8))
    assert trip.output.shape == (4, 12)
    assert torch.isfinite(objective.per_sample(trip, network)).all()


def test_a_missing_cell_is_never_read_nor_scored(table: np.ndarray) -> None:
    holes = table.copy()
    holes[np.random.default_rng(0).random(table.shape) < 0.2] = np.nan
    model = MaskedAutoencoder(code_size=2, epochs=2, architecture=SMALL, random_state=0).fit(holes)
    missing = torch.from_numpy(np.isnan(holes))
    objective, network = model.objective_, model.network_
    x = torch.from_numpy(np.nan_to_num(table)).float()
    one, other = (
        objective.travel(network, Batch(torch.where(missing, filling, x), ~missing)) for filling in (0.0, float("nan"))
    )
    assert torch.equal(one.output, other.output)
    assert torch.equal(objective.per_sample(one, network), objective.per_sample(other, network))


def test_a_corruption_that_hides_nothing_is_refused() -> None:
    network = Network((6,), MLP(hidden=(8,)), Identity(3), Clean())
    with pytest.raises(ValueError, match=r"Clean\(\) has no masks .* Corruptions that have: BlockMasking, Masking"):
        HiddenOnly(GaussianLikelihood()).build(network)


def test_patch_error_is_the_error_of_standardized_patches() -> None:
    torch.manual_seed(0)
    loss = PatchError(side=2, floor=1e-3).build((5, 4, 2))
    target, output = torch.rand(3, 5, 4, 2), torch.rand(3, 5, 4, 2)
    expected = torch.zeros(3)
    for top in (0, 2, 4):
        for left in (0, 2):
            x, y = (part[:, top : top + 2, left : left + 2].flatten(1) for part in (target, output))
            scale = (x.var(1, correction=0) + 1e-6).sqrt()[:, None]
            mean = x.mean(1, keepdim=True)
            expected += (((x - mean) / scale - (y - mean) / scale) ** 2).sum(1) / 2
    trip = RoundTrip(target, None, View(target), target, Code(target), output)
    assert torch.allclose(loss(trip), expected, rtol=1e-3)


def test_holes_are_filled_better_than_by_the_mean_and_by_an_untrained_network(digits: np.ndarray) -> None:
    pictures = digits.reshape(-1, 8, 8)
    train, test = pictures[:800], pictures[1600:]
    generator = np.random.default_rng(0)
    patches = np.kron(generator.random((len(test), 4, 4)) < 0.3, np.ones((2, 2))).astype(bool)
    settings = {"patch": 2, "architecture": Transformer(2, width=32, codes="token"), "random_state": 0}
    trained = MaskedAutoencoder(epochs=20, **settings).fit(train)
    untrained = MaskedAutoencoder(epochs=1, learning_rate=1e-12, **settings).fit(train)
    for missing in (patches, generator.random(test.shape) < 0.3):
        holes = np.where(missing, np.nan, test)
        lost, before = (np.square(model.reconstruct(holes) - test)[missing].mean() for model in (trained, untrained))
        mean = np.square(test - train.mean(0))[missing].mean()
        assert lost < 0.9 * mean
        assert lost < 0.9 * before


@pytest.mark.parametrize("architecture", [None, Conv(channels=(8, 16), hidden=64)])
def test_what_saw_only_noise_comes_closer_to_what_is_clean(digits: np.ndarray, architecture: Conv | None) -> None:
    clean = digits.reshape(-1, 8, 8) / 16 if architecture else digits / 16
    noisy = clean + 0.4 * np.random.default_rng(0).normal(size=clean.shape)
    model = BlindSpotAutoencoder(code_size=16, epochs=30, architecture=architecture, random_state=0).fit(noisy[:1400])
    lost = np.square(model.reconstruct(noisy[1400:]) - clean[1400:]).mean()
    assert lost < 0.42 * np.square(noisy[1400:] - clean[1400:]).mean()
    assert lost < 0.95 * np.square(noisy[:1400].mean(0) - clean[1400:]).mean()


@pytest.mark.parametrize("make", [MaskedAutoencoder, BlindSpotAutoencoder])
def test_scores_repeat_and_a_row_with_holes_is_the_same_alone(make: type[Estimator], table: np.ndarray) -> None:
    holes = table.copy()
    holes[np.random.default_rng(0).random(table.shape) < 0.3] = np.nan
    model = make(code_size=2, epochs=2, random_state=0).fit(table)
    for ask in (model.transform, model.score_samples, model.reconstruct):
        together = ask(holes)
        assert np.array_equal(ask(holes), together)
        for row in (0, 17, 199):
            assert np.array_equal(ask(holes[row : row + 1])[0], together[row]), ask.__name__


def test_codes_of_tokens_or_of_the_sample(digits: np.ndarray) -> None:
    pictures = digits.reshape(-1, 8, 8)[:200]
    per_token = MaskedAutoencoder(code_size=3, patch=2, epochs=1, random_state=0).fit(pictures)
    assert per_token.transform(pictures).shape == (200, 16 * 3)
    assert per_token.inverse_transform(per_token.transform(pictures)).shape == pictures.shape
    pooled = MaskedAutoencoder(code_size=3, patch=2, epochs=1, random_state=0, architecture="transformer")
    assert pooled.fit(pictures).transform(pictures).shape == (200, 3)


def test_normalized_targets_are_learned_and_data_comes_back(digits: np.ndarray) -> None:
    pictures = digits.reshape(-1, 8, 8)
    settings = {
        "patch": 2,
        "normalize": True,
        "architecture": Transformer(2, width=16, heads=2, codes="token"),
        "random_state": 0,
    }
    trained = MaskedAutoencoder(epochs=5, **settings).fit(pictures[:1000])
    untrained = MaskedAutoencoder(epochs=1, learning_rate=1e-12, **settings).fit(pictures[:1000])
    assert trained.score_samples(pictures).mean() > 0.9 * untrained.score_samples(pictures).mean()
    assert trained.reconstruct(pictures).shape == pictures.shape


def test_two_losses_at_once_are_refused(digits: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"loss came as 'SquaredError' together with normalize=True.*Leave one"):
        MaskedAutoencoder(normalize=True, loss="SquaredError").fit(digits)

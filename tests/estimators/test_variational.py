"""Variational estimators: their likelihood, their samples, and codes that fall silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from diabolo import (
    KL,
    MLP,
    VAE,
    Autoencoder,
    BernoulliLikelihood,
    FactorVAE,
    InfoVAE,
    Linear,
    Mixture,
    SphericalVAE,
    SquaredError,
    TotalCorrelationVAE,
    VampPrior,
    WassersteinAutoencoder,
    load,
)
from diabolo.core import Architecture, Bottleneck, Shape, parameters
from diabolo.diagnosis import variation
from diabolo.estimators import Estimator

GENERATIVE = [
    VAE(),
    VAE(prior="mixture"),
    VAE(prior=VampPrior(7), importance_samples=3),
    InfoVAE(),
    WassersteinAutoencoder(),
    SphericalVAE(),
]


def small(model: Estimator) -> Estimator:
    made: Estimator = clone(model).set_params(
        code_size=3, epochs=4, architecture=MLP(hidden=(16,)), precision="float32", random_state=0
    )
    return made


@pytest.fixture(scope="module")
def bits() -> np.ndarray:
    """300 rows of 12 zeros and ones that two hidden numbers explain."""
    generator = np.random.default_rng(0)
    chances = 1 / (1 + np.exp(-3 * generator.normal(size=(300, 2)) @ generator.normal(size=(2, 12))))
    return (generator.random(chances.shape) < chances).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(bits: np.ndarray) -> VAE:
    """A small VAE of zeros and ones, with a code wide enough that draws differ."""
    return VAE(
        code_size=2,
        architecture=MLP(hidden=(32,)),
        loss=BernoulliLikelihood(),
        scaling="unit",
        epochs=60,
        random_state=0,
    ).fit(bits)


def mean_bound(model: Any, X: np.ndarray, draws: int) -> float:
    """The evidence bound with codes drawn: an honest mean, which deterministic scores are not."""
    trips = model.round_trips(X, n_draws=draws, random_state=0)
    with torch.no_grad():
        return -float(torch.cat([model.objective_.per_sample(trip, model.network_) for trip in trips]).mean())


# Likelihood


def test_more_importance_samples_never_lower_the_likelihood(fitted: VAE, bits: np.ndarray) -> None:
    means = []
    for count in (1, 5, 50):
        runs = [fitted.log_likelihood(bits, count, random_state=seed).mean() for seed in range(max(1, 20 // count))]
        means.append(np.mean(runs))
    assert means[0] + 0.05 < means[1] < means[2]
    assert means[0] == pytest.approx(mean_bound(fitted, bits, 20), abs=0.1)
    assert fitted.log_likelihood(bits, 500, random_state=0).mean() > means[0] + 0.1


def test_the_likelihood_of_a_linear_gaussian_model_is_the_exact_one(table: np.ndarray) -> None:
    model = VAE(code_size=3, architecture=Linear(), scaling="standard", epochs=40, random_state=0).fit(table)
    layer = model.network_.decoder[0]
    weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
    loss: Any = model.objective_.loss
    variance = loss.squares / loss.counts
    exact = torch.distributions.MultivariateNormal(bias, weight @ weight.T + variance * torch.eye(6))
    with torch.no_grad():
        x = torch.cat([trip.target for trip in model.round_trips(table)])
        wanted = exact.log_prob(x.double()).numpy()
    assert np.allclose(model.log_likelihood(table, 5000, random_state=0), wanted, atol=0.15)
    assert wanted.mean() > mean_bound(model, table, 20)


def test_the_likelihood_is_the_same_however_it_is_cut(
    fitted: VAE, bits: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted.log_likelihood(bits[:100], 2000, random_state=0)
    assert np.array_equal(whole, fitted.log_likelihood(bits[:100], 2000, random_state=0))
    monkeypatch.setattr("diabolo.estimators.variational.NUMBERS_TOGETHER", 12 * 64 * 30)
    assert np.allclose(whole, fitted.log_likelihood(bits[:100], 2000, random_state=0), atol=0.3)
    monkeypatch.setattr("diabolo.estimators.variational.NUMBERS_TOGETHER", 1)
    assert fitted.log_likelihood(bits[:2], 3, random_state=0).shape == (2,)


@pytest.mark.parametrize(
    "model", [VAE(prior="mixture"), VAE(prior="vampprior"), SphericalVAE(), FactorVAE(), TotalCorrelationVAE()]
)
def test_every_variational_estimator_has_a_likelihood(model: Any, table: np.ndarray) -> None:
    table[3, 2] = np.nan
    model = small(model).fit(table)
    nats = model.log_likelihood(table, 200, random_state=0)
    assert nats.shape == (200,)
    assert np.isfinite(nats).all()
    assert nats.mean() > mean_bound(model, table, 5)


def test_beta_does_not_change_what_is_likely(fitted: VAE, bits: np.ndarray) -> None:
    other = clone(fitted).set_params(beta=3.0)
    other.fit(bits)
    other.network_, other.objective_.loss = fitted.network_, fitted.objective_.loss
    ours, theirs = (model.log_likelihood(bits, 50, random_state=0) for model in (fitted, other))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("wrong", [0, -3, 2.5, True])
def test_numbers_of_draws_are_checked(fitted: VAE, bits: np.ndarray, wrong: Any) -> None:
    for ask in (lambda: fitted.log_likelihood(bits, wrong), lambda: fitted.sample(wrong)):
        with pytest.raises(ValueError, match="it must be a whole number of at least 1"):
            ask()


# Samples


@pytest.mark.parametrize("model", GENERATIVE, ids=repr)
def test_samples_are_data_of_the_user_s_own_kind(model: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": [30, 40, 50] * 10, "height": [1.6, 1.7, 1.8] * 10})
    model = small(model).fit(frame)
    state = torch.random.get_rng_state()
    drawn = model.sample(5, random_state=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert drawn.shape == (5, 2)
    assert list(drawn.columns) == ["age", "height"]
    assert drawn.equals(model.sample(5, random_state=1))
    assert not drawn.equals(model.sample(5, random_state=2))
    model.save(tmp_path / "model.safetensors")
    assert drawn.equals(load(tmp_path / "model.safetensors").sample(5, random_state=1))


def test_a_learned_prior_lies_where_the_codes_lie() -> None:
    generator = np.random.default_rng(0)
    clusters = generator.integers(0, 2, size=(600, 1)) * 8.0 + 0.3 * generator.normal(size=(600, 4))
    options = {"code_size": 2, "architecture": MLP(hidden=(32,)), "epochs": 40, "beta": 0.2, "random_state": 0}
    gaps = {}
    for prior in (None, "mixture", "vampprior"):
        drawn = VAE(prior=prior, **options).fit(clusters).sample(500, random_state=0)
        gaps[prior] = np.abs(drawn - np.round(drawn / 8) * 8).max(1)  # from the nearer cluster's center
    between = {prior: (gap > 1.5).mean() for prior, gap in gaps.items()}
    assert between["mixture"] < 0.6 * between[None]
    assert between["vampprior"] < 0.1 * between[None]


def test_priors_are_parameters_like_any_part(table: np.ndarray, tmp_path: Path) -> None:
    model = VAE(prior="mixture", code_size=2, epochs=2, random_state=0).set_params(prior__components=3)
    assert model.get_params()["prior__components"] == 3
    model.fit(table)
    assert not list(model.prior.parameters())  # type: ignore[union-attr]
    assert np.array_equal(model.score_samples(table), model.score_samples(table))
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert repr(again.prior) == "Mixture(components=3)"  # type: ignore[attr-defined]
    assert np.array_equal(again.score_samples(table), model.score_samples(table))
    with pytest.raises(ValueError, match="components came as 0"):
        VAE(prior=Mixture(0)).fit(table)
    with pytest.raises(ValueError, match="has free nats"):
        VAE(importance_samples=2, free_nats=1.0).fit(table)
    with pytest.raises(ValueError, match="cycles came as 2"):
        VAE(cycles=2, warmup=0.0).fit(table)


# Health


def test_variation_is_what_it_says(fitted: VAE, bits: np.ndarray) -> None:
    found = variation(fitted, bits)
    assert np.allclose(found.variances, fitted.transform(bits).var(0), rtol=1e-4)
    assert found.bound == pytest.approx(float(fitted.score_samples(bits).mean()), rel=1e-4)
    assert found.active == 2
    drawn = variation(fitted, bits, n_draws=5, random_state=0)
    assert drawn.distortion > found.distortion
    assert drawn.rate == pytest.approx(found.rate, rel=1e-4)
    plain = Autoencoder(code_size=2, epochs=1).fit(bits)
    assert variation(plain, bits).rate is None


class Autoregressive(nn.Module):
    """Predicts each cell from the cells before it and from the code: a decoder that may need no code."""

    def __init__(self, size: int, cells: int, seen: nn.Module) -> None:
        super().__init__()
        self.seen = (seen,)
        self.from_code, self.from_before = nn.Linear(size, cells), nn.Linear(cells, cells, bias=False)
        self.register_buffer("before", torch.ones(cells, cells).tril(-1))

    def forward(self, codes: Tensor) -> Tensor:
        """``(batch, size) -> (batch, cells)``."""
        before = self.get_buffer("before")
        output: Tensor = self.from_code(codes) + self.seen[0].x @ (self.from_before.weight * before).T
        return output


class Remembering(nn.Module):
    """Keeps what it sees, as teacher forcing does."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.layer = nn.Linear(cells, 16)
        self.x = torch.zeros(1, cells)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, cells) -> (batch, 16)``."""
        self.x = x
        return torch.tanh(self.layer(x))


@parameters
class TeacherForced(Architecture):
    """A decoder strong enough to ignore the code."""

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """Features that remember the sample."""
        return Remembering(shape[0]), 16

    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """Each cell from those before it; the encoder comes later."""
        return Autoregressive(size, shape[0], nn.Identity())

    def join(self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module) -> None:
        """Let the decoder see the cells."""
        assert isinstance(decoder, Autoregressive)
        decoder.seen = (encoder,)


def test_a_strong_decoder_ignores_the_code_unless_nats_are_free() -> None:
    """Walks whose next step the last one tells all of: a nat in the code buys less than a nat, so none is paid."""
    generator = np.random.default_rng(0)
    walks = np.zeros((600, 8))
    for step in range(1, 8):
        walks[:, step] = 0.9 * walks[:, step - 1] + 0.5 * generator.normal(size=600)
    options = {"code_size": 2, "architecture": TeacherForced(), "loss": SquaredError(), "scaling": "none"}
    options |= {"epochs": 40, "random_state": 0, "precision": "float32"}
    plain = variation(VAE(warmup=0.0, **options).fit(walks), walks)
    free = variation(VAE(warmup=0.0, free_nats=0.5, **options).fit(walks), walks)
    weak = variation(VAE(warmup=0.0, **(options | {"architecture": MLP(hidden=(16,))})).fit(walks), walks)
    assert plain.active == 0
    assert plain.rate < 0.05  # type: ignore[operator]
    assert free.active == 2
    assert free.rate == pytest.approx(1.0, abs=0.3)
    assert weak.active >= 1  # the decoder was the cause, not the data


def test_cycles_and_capacity_train(table: np.ndarray) -> None:
    from diabolo import Capacity

    model = Autoencoder(code_size=3, bottleneck="gaussian", penalty=Capacity(nats=4.0), epochs=40, random_state=0)
    model.fit(table)
    with torch.no_grad():
        nats = [KL()(trip, model.network_) for trip in model.round_trips(table)]
    assert float(torch.cat(nats).mean()) == pytest.approx(4.0, abs=0.5)
    assert VAE(code_size=3, cycles=4, warmup=0.5, epochs=40, random_state=0).fit(table).score(table) > 0.8

"""Contraction and smoothness are what calculus says they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from diabolo import (
    MLP,
    Autoencoder,
    Clean,
    CodeNorm,
    Contraction,
    ContractiveAutoencoder,
    Conv,
    DecoderSmoothness,
    Identity,
    Linear,
    Masking,
    RegularizedAutoencoder,
    SquaredError,
    TopK,
)
from diabolo.core import Architecture, Network, Objective, Shape, View, ViewEncoder, parameters
from diabolo.core.roundtrip import Batch


def encoded(network: Network, x: Tensor) -> Tensor:
    return network.bottleneck(network.features(View(x[None]))).values.flatten()


def squared_norms(function: object, rows: Tensor) -> Tensor:
    """Each row's squared Frobenius norm of the Jacobian, by autograd's own."""
    return torch.stack([jacobian(function, row).square().sum() for row in rows])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "architecture"),
    [((6,), MLP(hidden=(8, 7))), ((6,), Linear()), ((5, 4, 1), Conv(channels=(3,)))],
    ids=["MLP", "Linear", "Conv"],
)
@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_contraction_is_the_jacobians_norm(shape: Shape, architecture: Architecture, activation: str) -> None:
    network = Network(shape, architecture, Identity(3, activation=activation), Clean())
    x = torch.randn(4, *shape)
    theirs = squared_norms(lambda row: encoded(network, row), x)
    assert torch.allclose(Contraction()(network(x), network), theirs, rtol=1e-4)


def test_contraction_of_one_layer_is_the_textbook_formula() -> None:
    network = Network((6,), Linear(), Identity(3, activation="sigmoid"), Clean())
    trip = network(torch.randn(5, 6))
    h, weight = trip.code.values, network.bottleneck.project.weight
    closed = ((h * (1 - h)).square() * weight.square().sum(1)).sum(1)
    ours = Contraction()(trip, network)
    assert torch.allclose(ours, closed, rtol=1e-5)
    gradients = [torch.autograd.grad(price.sum(), [weight], retain_graph=True)[0] for price in (ours, closed)]
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-6)


def test_projections_give_the_jacobians_norm_on_average() -> None:
    torch.manual_seed(0)
    network = Network((6,), MLP(hidden=(8,)), Identity(4), Clean())
    trip = network(torch.randn(3, 6))
    exact = Contraction()(trip, network)
    draws = torch.stack([Contraction(projections=1)(trip, network) for _ in range(300)])
    assert draws.std(0).min() > 0
    assert torch.allclose(draws.mean(0), exact, rtol=0.15)
    assert torch.allclose(Contraction(projections=1000)(trip, network), exact, rtol=0.1)


def test_decoder_smoothness_is_the_decoders_jacobians_norm_on_average() -> None:
    torch.manual_seed(0)
    network = Network((6,), MLP(hidden=(8,)), Identity(4), Clean())
    trip = network(torch.randn(3, 6))
    theirs = squared_norms(lambda code: network.decoder(code[None])[0], trip.code.values.detach())
    assert torch.allclose(DecoderSmoothness(projections=1000)(trip, network), theirs, rtol=0.1)


def test_the_code_norm_is_half_the_square() -> None:
    network = Network((6,), MLP(hidden=(8,)), Identity(4), Clean())
    trip = network(torch.randn(3, 6))
    nats = -torch.distributions.Normal(0.0, 1.0).log_prob(trip.code.values).sum(1) - 2 * np.log(2 * np.pi)
    assert torch.allclose(CodeNorm()(trip, network), nats, atol=1e-5)


def test_what_is_hidden_or_missing_contributes_nothing() -> None:
    network = Network((6,), Linear(), Identity(3), Masking(0.5))
    known = torch.rand(20, 6) < 0.7
    trip = network(torch.randn(20, 6), known)
    assert trip.seen.hidden is not None
    columns = network.bottleneck.project.weight.square().sum(0)
    assert torch.allclose(Contraction()(trip, network), (~trip.seen.hidden * columns).sum(1), rtol=1e-4)
    nothing = network(torch.randn(2, 6), torch.zeros(2, 6, dtype=torch.bool))
    assert Contraction()(nothing, network).tolist() == [0.0, 0.0]


class SharesKnown(ViewEncoder):
    """Values, divided by the share of cells that are there."""

    def forward(self, view: View) -> Tensor:
        """``View -> (batch, cells)``."""
        absent = torch.zeros_like(view.values, dtype=torch.bool) if view.hidden is None else view.hidden
        return view.values / (~absent).float().mean(1, keepdim=True).clamp(min=0.1)


class Rescaled(Linear):
    """A linear architecture that knows what is hidden."""

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """Rescale."""
        return SharesKnown(), shape[0]


def test_an_encoder_that_knows_what_is_hidden_keeps_knowing_it() -> None:
    network = Network((6,), parameters(Rescaled)(), Identity(3), Masking(0.5))
    trip = network(torch.randn(20, 6))
    seen = (~trip.seen.hidden).float()
    columns = network.bottleneck.project.weight.square().sum(0) * seen
    scale = seen.mean(1).clamp(min=0.1)
    assert torch.allclose(Contraction()(trip, network), columns.sum(1) / scale.square(), rtol=1e-4)


class Recurrent(nn.Module):
    """The last state of an LSTM, after attention over the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.memory = nn.LSTM(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, steps, 4) -> (batch, 5)``."""
        return self.memory(self.attention(x))[0][:, -1]


class Reading(Linear):
    """A linear decoder behind a recurrent encoder."""

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """Read step by step."""
        return Recurrent(), 5


def test_attention_and_recurrence_have_second_derivatives_here() -> None:
    network = Network((7, 4), parameters(Reading)(), Identity(3), Clean())
    trip = network(torch.randn(3, 7, 4))
    price = Contraction()(trip, network)
    assert torch.allclose(price, squared_norms(lambda row: encoded(network.eval(), row), trip.target), rtol=1e-3)
    for gradient in torch.autograd.grad(price.sum(), list(network.encoder.parameters()), materialize_grads=True)[:4]:
        assert torch.isfinite(gradient).all()
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("penalty", [Contraction(), Contraction(projections=2), DecoderSmoothness(), CodeNorm()])
@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_they_hold_in_half_precision_and_in_validation(
    penalty: Contraction, normalization: str, table: np.ndarray
) -> None:
    options = {"code_size": 2, "epochs": 3, "random_state": 0, "precision": "bfloat16"}
    architecture = MLP(hidden=(16,), normalization=normalization, dropout=0.1)
    table[0, 0] = np.nan
    model = Autoencoder(architecture=architecture, penalty=penalty, **options).fit(table)
    assert all(np.isfinite(row["validation_loss"]) for row in model.history_)
    network, x = model.network_, torch.randn(5, 6)
    objective = Objective(SquaredError(), penalty.clone()).build(network)
    with torch.no_grad():
        cost = objective(objective.travel(network, Batch(x)), network)
    assert not cost.total.requires_grad


def test_judging_changes_nothing_in_the_network() -> None:
    architecture = MLP(hidden=(8,), normalization="batch", dropout=0.5)
    network = Network((6,), architecture, TopK(4, active=2), Clean())
    trip = network(torch.randn(9, 6))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    price = Contraction()(trip, network)
    assert torch.equal(price, Contraction()(trip, network))
    DecoderSmoothness()(trip, network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())


def test_a_higher_price_contracts_and_smooths(digits: np.ndarray) -> None:
    train, test = digits[:600], digits[1000:]

    def moved(model: Autoencoder, penalty: Contraction | DecoderSmoothness) -> float:
        with torch.enable_grad():
            return sum(float(penalty(trip, model.network_).detach().sum()) for trip in model.round_trips(test))

    options = {"epochs": 5, "random_state": 0, "precision": "float32"}
    cheap, dear = (ContractiveAutoencoder(contraction=w, **options).fit(train) for w in (0.0, 0.3))
    assert moved(dear, Contraction()) < 0.5 * moved(cheap, Contraction())
    assert dear.score(test) > 0.4
    cheap, dear = (RegularizedAutoencoder(norm=0.1, smoothness=w, **options).fit(train) for w in (0.0, 1.0))
    torch.manual_seed(0)
    assert moved(dear, DecoderSmoothness(projections=20)) < 0.5 * moved(cheap, DecoderSmoothness(projections=20))
    assert dear.score(test) > 0.4

"""Laws that mathematics gives."""

from __future__ import annotations

import math

import pytest
import torch

from diabolo import KL, MLP, BernoulliLikelihood, Clean, Conv, Gaussian, GaussianLikelihood, Identity, Masking
from diabolo.core import Batch, Code, GaussianCode, Network, Objective, RoundTrip, View


def trip_of(output: torch.Tensor, target: torch.Tensor, code: Code | None = None) -> RoundTrip:
    return RoundTrip(target, None, View(target), target, code or Code(target), output)


def test_kl_is_its_monte_carlo_estimate() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(1, 3), 0.5 * torch.randn(1, 3)
    code = GaussianCode(mean, mean, log_variance)
    many = GaussianCode(mean.expand(200_000, 3), mean.expand(200_000, 3), log_variance.expand(200_000, 3)).sample()
    normal = torch.distributions.Normal
    difference = normal(mean, (log_variance / 2).exp()).log_prob(many.values) - normal(0.0, 1.0).log_prob(many.values)
    exact = KL()(trip_of(mean, mean, code), None)  # type: ignore[arg-type]
    assert float(exact) == pytest.approx(float(difference.sum(1).mean()), abs=0.02)


def test_kl_is_torchs_closed_form() -> None:
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    normal = torch.distributions.Normal
    closed = torch.distributions.kl_divergence(normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)).sum(1)
    ours = KL()(trip_of(mean, mean, GaussianCode(mean, mean, log_variance)), None)  # type: ignore[arg-type]
    assert torch.allclose(ours, closed, atol=1e-5)


def test_free_nats_cost_nothing_up_to_their_number_and_scores_count_all() -> None:
    zero = torch.zeros(4, 3)
    code = GaussianCode(zero, zero + 0.1, zero)
    penalty = KL(free_nats=0.5)
    assert float(penalty(trip_of(zero, zero, code), None)) == pytest.approx(1.5)  # type: ignore[arg-type]
    penalty.eval()
    assert torch.allclose(penalty(trip_of(zero, zero, code), None), torch.full((4,), 3 * 0.1**2 / 2))  # type: ignore[arg-type]


def test_warm_up_rises_to_the_weight() -> None:
    prices = [float(KL(2.0, warmup=0.5).price(torch.tensor(p))) for p in (0.0, 0.25, 0.5, 1.0)]
    assert prices == [0.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("variance", ["shared", "cell"])
def test_the_optimal_variance_is_the_mean_square_and_nothing_beats_it(variance: str) -> None:
    torch.manual_seed(0)
    target, output = torch.randn(50, 4), torch.zeros(50, 4)
    loss = GaussianLikelihood(variance=variance).build((4,))
    loss.restart()
    nats = float(loss(trip_of(output, target)).mean())
    spread = target.square().mean(0) if variance == "cell" else target.square().mean().expand(4)
    assert nats == pytest.approx(float((spread.log() + math.log(2 * math.pi) + 1).sum() / 2), rel=1e-5)
    loss.eval()
    assert float(loss(trip_of(output, target)).mean()) == pytest.approx(nats, rel=1e-4)
    for factor in (0.8, 1.25):
        worse = -torch.distributions.Normal(0.0, (spread * factor).sqrt()).log_prob(target).sum(1).mean()
        assert float(worse) > nats


def test_bernoulli_is_torchs_log_probability() -> None:
    target, output = torch.rand(5, 4).round(), torch.randn(5, 4)
    theirs = -torch.distributions.Bernoulli(logits=output).log_prob(target).sum(1)
    assert torch.allclose(BernoulliLikelihood()(trip_of(output, target)), theirs, atol=1e-5)


def test_a_hidden_cell_is_never_read() -> None:
    torch.manual_seed(0)
    network = Network((6,), MLP(hidden=(8,)), Identity(3), Masking(0.5))
    x = torch.randn(10, 6)
    torch.manual_seed(1)
    trip = network(x)
    hidden = trip.seen.hidden
    assert hidden is not None
    torch.manual_seed(1)
    other = network(torch.where(hidden, torch.full_like(x, 1e6), x))
    assert torch.equal(trip.output, other.output)


def test_a_missing_cell_is_never_read() -> None:
    network = Network((6,), MLP(hidden=(8,)), Gaussian(3), Masking(0.5)).eval()
    x, known = torch.randn(10, 6), torch.rand(10, 6) < 0.5
    trip = network(x, known)
    other = network(torch.where(known, x, torch.full_like(x, float("nan"))), known)
    assert torch.equal(trip.output, other.output)
    assert torch.equal(trip.target, other.target)


def test_scoring_never_samples_and_training_does() -> None:
    network = Network((6,), MLP(hidden=(8,)), Gaussian(3), Clean())
    x = torch.randn(10, 6)
    assert not torch.equal(network(x).code.values, network(x).code.values)
    network.eval()
    assert torch.equal(network(x).code.values, network(x).code.values)
    assert not torch.equal(network(x, sample=True).code.values, network(x, sample=True).code.values)


def test_tied_weights_are_shared_listed_once_and_follow() -> None:
    tied = Network((6,), MLP(hidden=(5, 4), tied=True), Gaussian(3), Clean())
    free = Network((6,), MLP(hidden=(5, 4)), Gaussian(3), Clean())
    matrices = [sum(w.numel() for w in network.parameters() if w.ndim == 2) for network in (tied, free)]
    assert matrices[0] == matrices[1] - (6 * 5 + 5 * 4 + 4 * 3)
    before = tied.decoder(torch.ones(1, 3)).clone()
    with torch.no_grad():
        next(iter(tied.encoder.parameters())).mul_(2.0)
    assert not torch.equal(before, tied.decoder(torch.ones(1, 3)))
    import copy

    twin = copy.deepcopy(tied)
    twin.load_state_dict(tied.state_dict())
    assert torch.equal(twin.decoder(torch.ones(1, 3)), tied.decoder(torch.ones(1, 3)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (28, 28, 1), (31, 17, 3), (7, 4), (5, 6, 7, 2)])
@pytest.mark.parametrize("stages", [(4,), (4, 8, 8)])
def test_convolutions_restore_any_size(shape: tuple[int, ...], stages: tuple[int, ...]) -> None:
    network = Network(shape, Conv(channels=stages, normalization="group"), Identity(2), Clean())
    assert network(torch.rand(2, *shape)).output.shape == (2, *shape)


def test_decoders_begin_at_the_mean() -> None:
    mean = torch.rand(6) * 0.8 + 0.1
    loss, architecture = GaussianLikelihood(link="sigmoid"), MLP(hidden=(8,))
    network = Network((6,), architecture, Identity(3), Clean())
    architecture.start(network.decoder, loss.unlink(mean))
    with torch.no_grad():
        network.decoder[0].linear.weight.zero_()
        network.decoder[0].linear.bias.zero_()
    assert torch.allclose(loss.mean(network.decoder(torch.zeros(1, 3)))[0], mean, atol=1e-3)


def test_the_objective_is_loss_plus_priced_penalties() -> None:
    network = Network((6,), MLP(hidden=(8,)), Gaussian(3), Clean())
    objective = Objective(GaussianLikelihood(), KL(0.5)).build(network)
    cost = objective(objective.travel(network, Batch(torch.randn(9, 6))), network)
    assert torch.allclose(cost.total, cost.terms["loss"] + 0.5 * cost.terms["kl"])

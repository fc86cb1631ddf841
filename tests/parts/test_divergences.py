"""Laws of priors, divergences and bounds."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, distributions

from diabolo import (
    KL,
    MLP,
    BernoulliLikelihood,
    Capacity,
    Clean,
    FactorDiscriminator,
    Gaussian,
    GaussianLikelihood,
    Identity,
    MaximumMeanDiscrepancy,
    Mixture,
    PowerSpherical,
    Spherical,
    TotalCorrelation,
    UniformKL,
    VampPrior,
)
from diabolo.core import Batch, Code, GaussianCode, Network, Objective, RoundTrip, SphericalCode, View, every
from diabolo.core.parts import from_plain, to_plain
from diabolo.losses import ImportanceWeighted
from diabolo.penalties import Divergence, Matching, Prior

PRIORS = [part for part in every(Prior) if part.__module__.startswith("diabolo.")]
NOBODY: Network = None  # type: ignore[assignment] # what looks only at the code needs no network


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def trip_of(code: Code) -> RoundTrip:
    x = torch.zeros(len(code.values), 1)
    return RoundTrip(x, None, View(x), x, code, x)


def gaussian(rows: int, size: int, spread: float = 1.0) -> GaussianCode:
    mean = spread * torch.randn(rows, size)
    return GaussianCode(mean, mean, 0.5 * torch.randn(rows, size) - 1)


def network(size: int = 2, bottleneck: type = Gaussian) -> Network:
    return Network((5,), MLP(hidden=(16,)), bottleneck(size), Clean())


def met(penalty: KL, holder: Network, rows: int = 100) -> KL:
    """The penalty built and shown some rows, in the state that scores."""
    penalty.build(holder)
    with torch.no_grad():
        penalty.meet(holder(3 * torch.randn(rows, 5), sample=False), holder)
    return penalty.eval()


# Warm-up, cycles, capacity


def test_cycles_start_the_price_again_and_end_at_the_weight() -> None:
    price = KL(2.0, warmup=0.5, cycles=4).price
    rising = [float(price(torch.tensor(p))) for p in (0.0, 0.0625, 0.125, 0.2, 0.25, 0.3125, 0.99, 1.0)]
    assert rising == pytest.approx([0.0, 1.0, 2.0, 2.0, 2.0, 1.0, 2.0, 2.0])
    assert float(price(torch.tensor(0.2501))) < 0.01
    with pytest.raises(ValueError, match=r"cycles came as 3, but without a warm-up nothing is repeated"):
        KL(cycles=3).check()


def test_capacity_rises_and_is_where_a_code_costs_nothing() -> None:
    code = gaussian(50, 3)
    nats = float(KL()(trip_of(code), NOBODY).mean())
    told = Capacity(nats=nats, rise=0.5)
    assert float(told(trip_of(code), NOBODY)) == pytest.approx(0, abs=1e-5)
    told.progress = torch.tensor(0.25)
    assert float(told(trip_of(code), NOBODY)) == pytest.approx(nats / 2, rel=1e-5)
    objective = Objective(GaussianLikelihood(), Capacity(nats=8.0)).build(holder := network())
    objective.progress.fill_(0.25)
    objective(objective.travel(holder, Batch(torch.randn(4, 5))), holder)
    assert float(objective.terms()["capacity"].allowed()) == pytest.approx(4.0)  # type: ignore[operator]


def test_capacity_is_what_a_network_comes_to() -> None:
    holder, x = network(3), torch.randn(256, 5)
    objective = Objective(GaussianLikelihood(), Capacity(nats=2.0)).build(holder)
    optimizer = torch.optim.Adam(holder.parameters(), 1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        cost = objective(objective.travel(holder, Batch(x)), holder)
        cost.total.backward()
        optimizer.step()
    with torch.no_grad():
        assert float(KL()(holder(x), holder).mean()) == pytest.approx(2.0, abs=0.3)


# Priors


@pytest.mark.parametrize("prior", PRIORS, ids=lambda part: part.__name__)
@pytest.mark.parametrize("size", [1, 2])
def test_a_prior_integrates_to_one(prior: type[Prior], size: int) -> None:
    holder = network(size)
    density = met(KL(prior=prior()), holder).density
    if isinstance(density, Mixture):
        with torch.no_grad():
            density.logits.normal_()
            density.log_variances.normal_()
    line = torch.linspace(-12, 12, 1201 if size == 1 else 401)
    grid = torch.cartesian_prod(*[line] * size).view(-1, size)
    with torch.no_grad():
        total = density.log_density(grid, holder).double().exp().sum() * float(line[1] - line[0]) ** size
    assert float(total) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda part: part.__name__)
def test_a_prior_draws_what_it_calls_likely(prior: type[Prior]) -> None:
    holder = network(2)
    density = met(KL(prior=prior()), holder).density
    with torch.no_grad():
        drawn = density.sample(100_000, holder)
        line = torch.linspace(-12, 12, 401)
        grid = torch.cartesian_prod(line, line)
        shares = density.log_density(grid, holder).exp()
        shares = shares / shares.sum()
    center = (shares[:, None] * grid).sum(0)
    assert torch.allclose(drawn.mean(0), center, atol=0.03)
    assert torch.allclose(drawn.square().mean(0), (shares[:, None] * grid.square()).sum(0), rtol=0.03, atol=0.03)


def test_priors_begin_at_the_data() -> None:
    holder = network(2)
    x = torch.randn(100, 5)
    with torch.no_grad():
        trip = holder.eval()(x)
        mixture, vamp = KL(prior=Mixture(7)).build(holder), KL(prior=VampPrior(200)).build(holder)
        for penalty in (mixture, vamp):
            penalty.meet(trip, holder)
        assert torch.equal(mixture.density.means[0], trip.code.values[:7])  # type: ignore[index]
        assert torch.equal(vamp.density.inputs[0, :100], x)  # type: ignore[index]
        assert torch.isfinite(vamp(trip, holder)).all()


def test_a_vampprior_is_the_mean_of_posteriors() -> None:
    holder = network(2).eval()
    density = met(KL(prior=VampPrior(3)), holder).density
    code = holder(density.inputs[0]).code  # type: ignore[index]
    z = torch.randn(10, 2)
    posteriors = distributions.Independent(distributions.Normal(code.mean, (code.log_variance / 2).exp()), 1)
    theirs = posteriors.log_prob(z[:, None]).logsumexp(1) - math.log(3)
    assert torch.allclose(density.log_density(z, holder), theirs, atol=1e-4)


def test_a_prior_is_compared_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = network(2)
    density = met(KL(prior="mixture"), holder).density
    z = torch.randn(50, 2)
    whole = density.log_density(z, holder)
    monkeypatch.setattr("diabolo.penalties.priors.LARGEST_TABLE", 70)
    assert torch.allclose(density.log_density(z, holder), whole)


def test_a_prior_that_is_given_stays_a_plan() -> None:
    given = Mixture(3)
    penalty = KL(prior=given)
    assert penalty.get_params()["prior__components"] == 3
    penalty.set_params(prior__components=4)
    penalty.build(network())
    assert not list(given.parameters())
    assert sum(weight.numel() for weight in penalty.parameters()) == 4 + 2 * 4 * 2
    assert repr(from_plain(to_plain(penalty))) == repr(penalty)
    assert "prior" not in str(list(penalty.state_dict()))
    assert not KL().build(network()).state_dict()
    old = {"part": "KL", "kind": "Penalty", "weight": 0.5, "warmup": 0.0, "free_nats": 0.0}
    assert repr(from_plain(old)) == repr(KL(0.5))
    with pytest.raises(ValueError, match="No prior is called 'vamp'; there are Mixture, StandardNormal, VampPrior"):
        KL(prior="vamp").build(network())


# Divergences


@pytest.mark.parametrize("prior", PRIORS, ids=lambda part: part.__name__)
def test_kl_to_any_prior_is_its_monte_carlo_estimate(prior: type[Prior]) -> None:
    holder = network(2)
    penalty = met(KL(prior=prior()), holder)
    one = gaussian(1, 2)
    many = one.map(lambda part: part.expand(50_000, 2)).sample()
    with torch.no_grad():
        estimates = penalty.log_ratio(trip_of(many), holder)
        score = float(penalty(trip_of(one), holder))
        training = penalty.train()(trip_of(many), holder)
    error = float(estimates.std()) / math.sqrt(len(estimates))
    assert score >= float(estimates.mean()) - 4 * error
    assert torch.equal(training, estimates)
    if prior.__name__ == "StandardNormal":
        assert score == pytest.approx(float(estimates.mean()), abs=4 * error)
        assert score == pytest.approx(float(KL()(trip_of(one), holder)), abs=1e-5)


def test_a_prior_of_one_component_has_torchs_closed_form() -> None:
    holder, code = network(2), gaussian(6, 2)
    penalty = KL(prior=Mixture(1)).build(holder).eval()
    assert isinstance(penalty.density, Mixture)
    with torch.no_grad():
        penalty.density.means.copy_(torch.tensor([[[1.0, -2.0]]]))
        penalty.density.log_variances.copy_(torch.tensor([[[0.5, -1.0]]]))
        ours = penalty(trip_of(code), holder)
    normal = distributions.Normal
    target = normal(torch.tensor([1.0, -2.0]), (torch.tensor([0.5, -1.0]) / 2).exp())
    theirs = distributions.kl_divergence(normal(code.mean, (code.log_variance / 2).exp()), target).sum(1)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_free_nats_with_a_prior_are_free_for_the_code_as_a_whole() -> None:
    holder = network(2)
    penalty = met(KL(free_nats=50.0, prior="mixture"), holder).train()
    assert float(penalty(trip_of(gaussian(9, 2)), holder).detach()) == 100.0
    assert penalty.eval()(trip_of(gaussian(9, 2)), holder).shape == (9,)


@pytest.mark.parametrize("kind", [part for part in every(Matching) if part.__module__.startswith("diabolo.")])
def test_what_is_drawn_costs_least(kind: type[Matching]) -> None:
    bottleneck = PowerSpherical if kind.needs is SphericalCode else Gaussian
    holder = network(3, bottleneck)
    penalty = kind().build(holder)
    drawn = penalty.draw(20_000, holder)
    assert drawn.shape == (20_000, 3)
    assert torch.allclose(drawn.mean(0), torch.zeros(3), atol=0.05)


# On the sphere


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("bottleneck", [Spherical, PowerSpherical])
def test_codes_lie_on_the_sphere(bottleneck: type, size: int) -> None:
    code = bottleneck(size).build(5)(torch.randn(40, 5))
    for values in (code.values, code.sample().values):
        assert torch.allclose(values.norm(dim=-1), torch.ones(40), atol=1e-5)
    with pytest.raises(ValueError, match="they need at least 2"):
        bottleneck(1).build(5)


@pytest.mark.parametrize("concentration", [0.0, 1.0, 20.0])
def test_the_power_spherical_density_integrates_to_one(concentration: float) -> None:
    angles = torch.arange(2000, dtype=torch.float64) * (2 * math.pi / 2000)
    values = torch.stack([angles.cos(), angles.sin()], 1)
    up = torch.tensor([[0.6, 0.8]], dtype=torch.float64).expand_as(values)
    code = SphericalCode(values, up, torch.full((2000, 1), concentration, dtype=torch.float64))
    assert float(code.log_density().exp().sum() * 2 * math.pi / 2000) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("size", [2, 3, 16])
@pytest.mark.parametrize("concentration", [0.0, 5.0, 1000.0])
def test_the_sphere_s_divergence_is_its_monte_carlo_estimate(size: int, concentration: float) -> None:
    up = torch.nn.functional.normalize(torch.randn(1, size), dim=-1).expand(100_000, size)
    code = SphericalCode(up, up, torch.full((100_000, 1), concentration)).sample()
    exact = UniformKL()(trip_of(code), NOBODY)
    ratios = UniformKL().log_ratio(trip_of(code), NOBODY)
    assert float(exact[0]) == pytest.approx(float(ratios.mean()), abs=5 * float(ratios.std()) / 300 + 1e-3)
    if not concentration:
        assert float(exact[0]) == pytest.approx(0.0, abs=1e-4)


def test_a_drawn_direction_has_gradients() -> None:
    bottleneck = PowerSpherical(3).build(5)
    code = bottleneck(torch.randn(1, 5)).sample()
    gradients = torch.autograd.grad(code.values[0, 0], list(bottleneck.parameters()))
    assert all(torch.isfinite(gradient).all() and gradient.abs().sum() > 0 for gradient in gradients)


# All codes together


def aggregated(spread: Tensor, rows: int = 1500) -> GaussianCode:
    """Codes whose mean posterior has the covariance ``spread + 0.5 I``."""
    mean = torch.randn(rows, len(spread)) @ torch.linalg.cholesky(spread).T
    return GaussianCode(mean, mean, torch.full_like(mean, math.log(0.5))).sample()


def test_total_correlation_is_nothing_for_independent_codes_and_the_closed_form_else() -> None:
    penalty = TotalCorrelation()
    apart = penalty(trip_of(aggregated(torch.eye(2))), NOBODY).mean()
    assert float(apart) == pytest.approx(0, abs=0.02)
    spread = torch.tensor([[1.0, 0.95], [0.95, 1.0]])
    together = penalty(trip_of(aggregated(spread)), NOBODY).mean()
    assert float(together) == pytest.approx(-math.log(1 - (0.95 / 1.5) ** 2) / 2, abs=0.03)


def test_the_rival_s_log_odds_come_to_the_total_correlation() -> None:
    rival = FactorDiscriminator(hidden=(32, 32)).build(network())
    optimizer = torch.optim.Adam(rival.parameters(), 3e-3)
    spread = torch.tensor([[1.0, 0.95], [0.95, 1.0]])
    for _ in range(250):
        optimizer.zero_grad()
        rival.loss(trip_of(aggregated(spread, 512)), NOBODY).backward()
        optimizer.step()
    odds = float(rival(trip_of(aggregated(spread, 5000)), NOBODY).mean().detach())
    assert odds == pytest.approx(-math.log(1 - (0.95 / 1.5) ** 2) / 2, abs=0.06)


def test_the_discrepancy_is_nothing_for_draws_from_the_prior_and_more_for_others() -> None:
    penalty, drawn = MaximumMeanDiscrepancy(), torch.randn(600, 4)
    assert abs(float(penalty(trip_of(Code(drawn)), NOBODY))) < 4e-3
    for other in (drawn + 1, 2 * drawn, drawn / 2, drawn.abs(), torch.zeros_like(drawn)):
        assert float(penalty(trip_of(Code(other)), NOBODY)) > 0.01
    draws = [float(penalty(trip_of(Code(torch.randn(4, 3))), NOBODY)) for _ in range(500)]
    assert sum(draws) / 500 == pytest.approx(0, abs=0.02)  # without bias, however few


@pytest.mark.parametrize("penalty", [TotalCorrelation(), MaximumMeanDiscrepancy(), FactorDiscriminator(), Capacity()])
def test_a_batch_of_one_is_finite_with_finite_gradients(penalty: Matching) -> None:
    holder = network()
    penalty.build(holder)
    price = penalty(holder(torch.randn(1, 5)), holder).mean()
    gradients = torch.autograd.grad(price, list(holder.encoder.parameters()))
    assert torch.isfinite(price)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


# Importance weighting


def objectives(draws: int, penalty: Divergence) -> tuple[ImportanceWeighted, Network]:
    holder = network(2, PowerSpherical if isinstance(penalty, UniformKL) else Gaussian)
    objective = ImportanceWeighted(BernoulliLikelihood(), penalty, draws=draws)
    objective.build(holder)
    return objective, holder


@pytest.mark.parametrize("penalty", [KL(), KL(prior="mixture"), UniformKL()], ids=repr)
def test_more_importance_samples_never_loosen_the_bound(penalty: Divergence) -> None:
    rows = Batch(torch.rand(20, 5).round())
    bounds, (objective, holder) = [], objectives(2, penalty)
    with torch.no_grad():
        for weight in holder.decoder.parameters():
            weight.mul_(4.0)  # so that draws differ much
        for draws in (2, 10, 100):
            objective.draws = draws
            torch.manual_seed(1)
            costs = [objective(objective.travel(holder, rows), holder).total for _ in range(1000 // draws)]
            bounds.append(float(torch.stack(costs).mean()))
    assert bounds[0] > bounds[1] + 0.01 > bounds[2] + 0.02


def test_the_bound_is_the_log_of_the_mean_weight() -> None:
    objective, holder = objectives(3, KL(0.5))
    x = torch.rand(4, 5).round()
    trip = objective.travel(holder, Batch(x))
    assert torch.equal(trip.target, x.repeat(3, 1))
    assert torch.equal(trip.code.mean[:4], trip.code.mean[8:])
    assert not torch.equal(trip.code.values[:4], trip.code.values[8:])
    assert torch.equal(holder.decoder(trip.code.values), trip.output)
    normal = distributions.Normal
    code = trip.code
    likely = distributions.Bernoulli(logits=trip.output).log_prob(trip.target).sum(1)
    ratio = normal(code.mean, (code.log_variance / 2).exp()).log_prob(code.values) - normal(0.0, 1.0).log_prob(
        code.values
    )
    weights = (likely - 0.5 * ratio.sum(1)).view(3, 4)
    cost = objective(trip, holder)
    assert torch.allclose(cost.total, math.log(3) - weights.logsumexp(0).mean(), rtol=1e-5)
    assert set(cost.terms) == {"loss", "kl"}


def test_scores_are_the_plain_bound() -> None:
    objective, holder = objectives(5, KL())
    plain = Objective(BernoulliLikelihood(), KL()).build(holder)
    x = Batch(torch.rand(6, 5).round())
    for module in (objective, plain, holder):
        module.eval()
    trip = objective.travel(holder, x)
    assert trip.output.shape == (6, 5)
    assert torch.equal(objective.per_sample(trip, holder), plain.per_sample(plain.travel(holder, x), holder))
    assert torch.equal(objective(trip, holder).total, plain(trip, holder).total)
    drawn = objective.travel(holder, x, sample=True)  # as validation does
    assert drawn.output.shape == (30, 5)
    assert drawn.float().first(6).output.shape == (6, 5)
    assert not torch.equal(objective(drawn, holder).total, plain(drawn, holder).total)


def test_validation_takes_as_many_draws_as_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diabolo.losses.bounds.LARGEST_OUTPUT", 100)
    objective, holder = objectives(9, KL())
    rows = Batch(torch.rand(6, 5).round())
    assert len(objective.travel(holder, rows).target) == 9 * 6
    assert len(objective.eval().travel(holder.eval(), rows, sample=True).target) == 3 * 6


def test_what_cannot_be_weighted_is_refused() -> None:
    with pytest.raises(ValueError, match="has free nats, which single draws cannot count"):
        objectives(5, KL(free_nats=0.1))
    with pytest.raises(ValueError, match="so take at least 2"):
        objectives(1, KL())


def test_other_penalties_and_missing_cells_go_along() -> None:
    holder = network()
    penalty = KL() + TotalCorrelation(2.0) + FactorDiscriminator(3.0)
    objective = ImportanceWeighted(GaussianLikelihood(), penalty, draws=4).build(holder)
    batch = Batch(torch.randn(6, 5), torch.rand(6, 5) < 0.7)
    trip = objective.travel(holder, batch)
    cost = objective(trip, holder)
    assert set(cost.terms) == {"loss", "kl", "total_correlation", "factor_discriminator"}
    assert torch.isfinite(cost.total)
    assert set(objective.rivalry(trip, holder)) == {"factor_discriminator"}


def test_the_discrepancy_takes_any_code() -> None:
    for bottleneck in (Identity, Gaussian, Spherical):
        holder = network(2, bottleneck)
        assert torch.isfinite(MaximumMeanDiscrepancy()(holder(torch.randn(3, 5)), holder))

"""The laws of losses: densities sum to one, scales are the best there are, and nothing missing is ever scored."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diabolo import (
    MLP,
    AbsoluteError,
    Autoencoder,
    BernoulliLikelihood,
    FeatureError,
    GaussianLikelihood,
    HeteroscedasticGaussian,
    HuberLoss,
    LaplaceLikelihood,
    MultiScaleSimilarity,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
    ShapeError,
    SquaredError,
    StructuralSimilarity,
    StudentTLikelihood,
    ZeroInflatedNegativeBinomial,
    load,
)
from diabolo.core import Code, Loss, RoundTrip, View
from diabolo.core.parts import Absent, to_plain
from diabolo.losses.pointwise import log_positive, positive, unpositive

distributions = torch.distributions

COUNTS: list[Callable[[], Loss]] = [PoissonLikelihood, NegativeBinomialLikelihood, ZeroInflatedNegativeBinomial]
CONTINUOUS: list[Callable[[], Loss]] = [
    GaussianLikelihood,
    HeteroscedasticGaussian,
    LaplaceLikelihood,
    StudentTLikelihood,
    lambda: StudentTLikelihood(degrees=1.0),
    lambda: GaussianLikelihood(variance="cell"),
    lambda: LaplaceLikelihood(scale="cell"),
    lambda: StudentTLikelihood(scale="cell"),
]
POINTWISE: list[Callable[[], Loss]] = [
    SquaredError,
    AbsoluteError,
    HuberLoss,
    lambda: HuberLoss(delta=0.1, link="sigmoid"),
    lambda: LaplaceLikelihood(link="sigmoid"),
    BernoulliLikelihood,
]
PICTURES: list[Callable[[], Loss]] = [
    StructuralSimilarity,
    MultiScaleSimilarity,
    FeatureError,
    lambda: FeatureError(network=several_layers()),
]
EVERY = [*COUNTS, *CONTINUOUS, *POINTWISE, *PICTURES]
SHAPE = (16, 14, 2)


def several_layers() -> nn.Module:
    """A network of the user's that gives the features of two layers."""

    class TwoLayers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(SHAPE[-1], 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> list[Tensor]:
            hidden = self.first(x).tanh()
            return [hidden, self.second(hidden)]

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TwoLayers()


def name_of(make: Callable[[], Loss]) -> str:
    return repr(make()).split("\n")[0]


def trip_of(output: Tensor, target: Tensor, known: Tensor | None = None) -> RoundTrip:
    target = target if known is None else target.masked_fill(~known, 0.0)
    return RoundTrip(target, known, View(target), target, Code(target), output)


def samples(loss: Loss, rows: int = 6, shape: tuple[int, ...] = SHAPE) -> tuple[Tensor, Tensor]:
    """Random outputs, and targets of the kind that the loss wants."""
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(rows, *loss.output_shape(shape), generator=generator)
    target = torch.rand(rows, *shape, generator=generator)
    return output, (target * 6).floor() if loss.needs_counts else target


# Densities


@pytest.mark.parametrize("make", COUNTS, ids=name_of)
def test_the_probabilities_of_counts_sum_to_one(make: Callable[[], Loss]) -> None:
    loss = make().build((1,))
    with torch.no_grad():
        for weight in loss.parameters():
            weight.fill_(-0.7)
    counts = torch.arange(5000.0)[:, None]
    for log_mean in (-8.0, 0.0, 3.5):
        output = torch.full((1, *loss.output_shape((1,))), log_mean).clamp(max=3.5).expand(5000, -1)
        assert float((-loss(trip_of(output, counts))).detach().double().exp().sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("make", CONTINUOUS, ids=name_of)
def test_densities_integrate_to_one(make: Callable[[], Loss]) -> None:
    loss = make().build((1,))
    loss.restart()
    loss(trip_of(torch.zeros(50, *loss.output_shape((1,))), 0.7 * torch.randn(50, 1)))  # fits the scale
    loss.eval()
    # sinh spaces points so that both the peak and far tails are met; its slope is the volume of a point.
    u = torch.linspace(-16, 16, 20001, dtype=torch.float64)[:, None]
    output = torch.full((1, *loss.output_shape((1,))), 0.3, dtype=torch.float64).expand(len(u), -1)
    density = (-loss(trip_of(output, 0.3 + u.sinh()))).exp() * u.cosh().squeeze()
    assert float(torch.trapezoid(density, u.squeeze())) == pytest.approx(1.0, abs=1e-5)


def test_counts_are_torchs_log_probabilities() -> None:
    torch.manual_seed(0)
    output, lost = torch.randn(50, 4, dtype=torch.float64), torch.randn(50, 4, dtype=torch.float64)
    counts = torch.poisson(3 * torch.rand(50, 4, dtype=torch.float64))
    theirs = -distributions.Poisson(output.exp()).log_prob(counts).sum(1)
    assert torch.allclose(PoissonLikelihood()(trip_of(output, counts)), theirs)

    loss = NegativeBinomialLikelihood().build((4,))
    nn.init.uniform_(loss.log_dispersion, -2, 2)
    number = 1 / loss.dispersion.double()
    binomial = distributions.NegativeBinomial(number, logits=output - number.log())
    assert torch.allclose(binomial.variance, output.exp() + loss.dispersion * output.exp() ** 2)
    ours = loss(trip_of(output, counts))
    assert torch.allclose(ours, -binomial.log_prob(counts).sum(1), rtol=1e-6)

    inflated = ZeroInflatedNegativeBinomial().build((4,))
    inflated.load_state_dict(loss.state_dict())
    share = lost.sigmoid()
    likelihood = share * (counts == 0) + (1 - share) * binomial.log_prob(counts).exp()
    both = torch.cat([output, lost], dim=-1)
    assert torch.allclose(inflated(trip_of(both, counts)), -likelihood.log().sum(1), rtol=1e-6)
    assert torch.allclose(inflated.mean(both), (1 - share) * output.exp())
    never = torch.cat([output, torch.full_like(lost, -100.0)], dim=-1)
    assert torch.allclose(inflated(trip_of(never, counts)), ours)


def test_continuous_likelihoods_are_torchs_log_probabilities() -> None:
    torch.manual_seed(0)
    output, target = torch.randn(50, 4), torch.randn(50, 4)
    laplace, student = (loss.build((4,)) for loss in (LaplaceLikelihood(), StudentTLikelihood(degrees=3.0)))
    for loss in (laplace, student):
        loss.restart()
        loss(trip_of(output, target))
        loss.eval()
    scale = laplace.remembered()
    theirs = -distributions.Laplace(output, scale).log_prob(target).sum(1)
    assert torch.allclose(laplace(trip_of(output, target)), theirs.float(), atol=1e-4)
    scale = student.remembered().sqrt()
    theirs = -distributions.StudentT(3.0, output, scale).log_prob(target).sum(1)
    assert torch.allclose(student(trip_of(output, target)), theirs.float(), atol=1e-4)
    log_variance = torch.randn(50, 4)
    normal = distributions.Normal(output, (1e-6 + log_variance.exp()).sqrt())
    ours = HeteroscedasticGaussian()(trip_of(torch.cat([output, log_variance], dim=-1), target))
    assert torch.allclose(ours, -normal.log_prob(target).sum(1), atol=1e-4)


def test_a_dispersion_of_nothing_is_a_poisson() -> None:
    output, counts = samples(PoissonLikelihood(), shape=(5,))
    loss = NegativeBinomialLikelihood().build((5,))
    nn.init.constant_(loss.log_dispersion, -40.0)
    assert torch.allclose(loss(trip_of(output, counts)), PoissonLikelihood()(trip_of(output, counts)), atol=1e-4)


def test_large_counts_lose_no_digits() -> None:
    counts = torch.tensor([[1e6]])
    for change in (0.0, 1e-3, 1.0):
        output = counts.log() + change
        theirs = -distributions.Poisson(output.double().exp()).log_prob(counts.double())
        assert float(PoissonLikelihood()(trip_of(output, counts))) == pytest.approx(float(theirs), rel=1e-6)


# Scales


@pytest.mark.parametrize("loss", [LaplaceLikelihood, StudentTLikelihood])
@pytest.mark.parametrize("scale", ["shared", "cell"])
def test_the_fitted_scale_is_the_best(loss: type[LaplaceLikelihood | StudentTLikelihood], scale: str) -> None:
    torch.manual_seed(0)
    target, output = torch.randn(400, 3) * torch.tensor([0.1, 1.0, 30.0]), torch.zeros(400, 3)
    target[::50] *= 30
    known = torch.rand(400, 3) < 0.8
    made = loss(scale=scale).build((3,))
    made.restart()
    trip = trip_of(output, target, known)
    best = float(made(trip).mean())
    made.eval()
    assert float(made(trip).mean()) == pytest.approx(best, rel=1e-4)
    for factor in (0.9, 1.1):
        worse = loss(scale=scale).build((3,)).eval()
        worse.get_buffer(worse.sums).copy_(factor * made.get_buffer(made.sums))
        worse.get_buffer("counts").copy_(made.get_buffer("counts"))
        assert float(worse(trip).mean()) > best


def test_the_best_laplace_scale_is_the_mean_absolute_error() -> None:
    target = torch.randn(50, 4)
    loss = LaplaceLikelihood().build((4,))
    loss.restart()
    nats = float(loss(trip_of(torch.zeros(50, 4), target)).mean())
    assert float(loss.remembered()) == pytest.approx(float(target.abs().mean()), rel=1e-5)
    assert nats == pytest.approx(4 * (1 + math.log(2 * float(target.abs().mean()))), rel=1e-5)


def test_many_degrees_of_freedom_are_a_gaussian() -> None:
    output, target = samples(SquaredError(), shape=(5,))
    nats = [
        loss.build((5,))(trip_of(output, target)) for loss in (StudentTLikelihood(degrees=1e6), GaussianLikelihood())
    ]
    assert torch.allclose(*nats, atol=1e-3)


def test_one_outlier_moves_a_gaussians_scale_and_not_a_students() -> None:
    torch.manual_seed(0)
    clean = torch.randn(1000, 1)
    wild = clean.clone()
    wild[0] = 1e6
    scales = []
    for loss in (StudentTLikelihood(), GaussianLikelihood()):
        pair = []
        for target in (clean, wild):
            made = loss.clone().build((1,))
            made.restart()
            made(trip_of(torch.zeros(1000, 1), target))
            pair.append(float(made.remembered()))
        scales.append(pair[1] / pair[0])
    assert scales[0] == pytest.approx(1.0, abs=0.02)
    assert scales[1] > 1e8


# Single formulas


def test_huber_is_half_the_square_inside_and_straight_outside() -> None:
    errors = torch.tensor([0.0, 0.5, -1.9, 2.0, 3.0, -10.0])[:, None]
    lost = HuberLoss(delta=2.0)(trip_of(errors, torch.zeros(6, 1)))
    assert lost.tolist() == pytest.approx([0.0, 0.125, 1.9**2 / 2, 2.0, 4.0, 18.0])


def test_absolute_error_is_a_laplace_of_scale_one_less_its_constant() -> None:
    output, target = samples(AbsoluteError(), shape=(5,))
    theirs = -distributions.Laplace(output, 1.0).log_prob(target).sum(1) - 5 * math.log(2)
    assert torch.allclose(AbsoluteError()(trip_of(output, target)), theirs, atol=1e-5)


def test_positive_numbers_have_logarithms_and_ways_back_and_never_overflow() -> None:
    output = torch.tensor([-9.0, 0.0, 5.0, 16.0, 17.0, 30.0, 100.0, 1e4], dtype=torch.float64)
    assert torch.allclose(positive(output).log(), log_positive(output))
    assert torch.allclose(unpositive(positive(output)), output)
    assert torch.allclose(positive(output[:4]), output[:4].exp())
    assert torch.isfinite(positive(torch.tensor([-1e30, 1e30]))).all()


def test_a_predicted_variance_has_a_floor_and_finds_its_level() -> None:
    loss = HeteroscedasticGaussian(floor=0.1)
    output = torch.tensor([[0.0, 0.0, -1e4, 0.0]])
    assert loss.variance(output)[0].tolist() == pytest.approx([0.01, 1.01])
    wide = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0)) * 3
    costs = [float(loss(trip_of(torch.tensor([[0.0, v]]).expand(2000, 2), wide)).mean()) for v in (1.2, 2.2, 3.2)]
    assert costs[1] == min(costs)


# Every loss


@pytest.mark.parametrize("make", EVERY, ids=name_of)
def test_gradients_are_right(make: Callable[[], Loss]) -> None:
    loss = make()
    shape = (6, 5, 2) if make in PICTURES else (3,)
    loss.build(shape).double().eval()
    output, target = samples(loss, rows=2, shape=shape)
    known = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1)) < 0.8
    output = output.double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda o: loss(trip_of(o, target.double(), known)), output)


@pytest.mark.parametrize("make", EVERY, ids=name_of)
@pytest.mark.parametrize("training", [True, False])
def test_missing_cells_are_never_scored(make: Callable[[], Loss], training: bool) -> None:
    known = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(1)) < 0.7
    known[0] = False
    costs = []
    for fill in (0.0, 3.0):
        loss = make().build(SHAPE).train(training)
        output, target = samples(loss)
        places = torch.cat([known, known], -1)[..., : output.shape[-1]]
        trip = trip_of(output.masked_fill(~places, fill), target.masked_fill(~known, 3.0 - fill), known)
        costs.append(loss(trip).detach())
    assert torch.equal(*costs)
    assert float(costs[0][0]) == 0.0
    alone = make().build(SHAPE).train(training)
    nothing = torch.zeros_like(known[:1])
    assert float(alone(trip_of(output[:1], target[:1], nothing)).detach()) == 0.0
    everything = torch.ones_like(known)
    with_mask, without = (
        make().build(SHAPE).train(training)(trip_of(output, target, mask)) for mask in (everything, None)
    )
    assert torch.allclose(with_mask, without, rtol=1e-4)


@pytest.mark.parametrize("make", EVERY, ids=name_of)
@pytest.mark.parametrize("level", [-100.0, 100.0])
def test_extreme_outputs_cost_finite_nats_and_have_finite_gradients(make: Callable[[], Loss], level: float) -> None:
    loss = make().build(SHAPE)
    output, target = samples(loss, rows=1)
    if loss.needs_counts:
        target[0, 0, 0, 0] = 1e6
    output = torch.full_like(output, level).requires_grad_(True)
    lost = loss(trip_of(output, target))
    assert torch.isfinite(lost).all()
    gradients = torch.autograd.grad(lost.sum(), [output, *loss.parameters()])
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


# Pictures


def slow_similarity(a: np.ndarray, b: np.ndarray, size: int) -> float:
    """SSIM as its definition reads, window by window."""
    offsets = np.arange(size) - (size - 1) / 2
    row = np.exp(-((offsets / (1.5 * size / 11)) ** 2) / 2)
    weights = np.outer(row, row) / np.outer(row, row).sum()
    found = []
    for channel in range(a.shape[2]):
        for top in range(a.shape[0] - size + 1):
            for left in range(a.shape[1] - size + 1):
                x, y = (p[top : top + size, left : left + size, channel] for p in (a, b))
                mx, my = (weights * x).sum(), (weights * y).sum()
                vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
                cov = (weights * (x - mx) * (y - my)).sum()
                luminance = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
                found.append(luminance * (2 * cov + 9e-4) / (vx + vy + 9e-4))
    return float(np.mean(found))


@pytest.mark.parametrize(("side", "size"), [(24, 11), (8, 5), (3, 3)])
def test_structural_similarity_is_its_definition(side: int, size: int) -> None:
    generator = np.random.default_rng(0)
    a = generator.random((side, side + 2, 2))
    b = np.clip(a + 0.2 * generator.normal(size=a.shape), 0, 1)
    loss = StructuralSimilarity(mix=0.0).build(a.shape)
    assert loss.size == size
    ours = 1 - float(loss.distance(torch.tensor(a)[None], torch.tensor(b)[None]))
    assert ours == pytest.approx(slow_similarity(a, b, size), abs=1e-6)


@pytest.mark.parametrize("make", PICTURES, ids=name_of)
def test_a_picture_is_like_itself_and_ever_less_like_its_noisy_versions(
    make: Callable[[], Loss], pictures: np.ndarray
) -> None:
    x = torch.tensor(pictures[:50], dtype=torch.float32).repeat_interleave(4, 1).repeat_interleave(4, 2)[..., None] / 16
    x = x[:, :28, :28].expand(-1, -1, -1, 2)
    loss = make().build(tuple(x.shape[1:]))
    assert loss.distance(x, x).abs().max() < 1e-5
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    lost = [float(loss.distance((x + level * noise).clamp(0, 1), x).mean()) for level in (0.02, 0.1, 0.3, 1.0)]
    assert lost == sorted(lost)
    noisy = (x + 0.1 * noise).clamp(0, 1)
    assert torch.allclose(loss.distance(x, noisy), loss.distance(noisy, x), atol=1e-6)


def test_far_sight_is_the_product_over_scales() -> None:
    torch.manual_seed(0)
    a = torch.rand(3, 1, 32, 32)
    b = (a + 0.1 * torch.randn_like(a)).clamp(0, 1)
    loss = MultiScaleSimilarity().build((32, 32, 1))
    near = loss.compare(a, b, 0)[1].mean((1, 2, 3))
    half = [nn.functional.avg_pool2d(picture, 2) for picture in (a, b)]
    luminance, structure = loss.compare(*half, 1)
    weights = torch.tensor([0.0448, 0.2856]) / (0.0448 + 0.2856)
    expected = near ** weights[0] * (luminance * structure).mean((1, 2, 3)) ** weights[1]
    assert torch.allclose(loss.likeness(a, b), expected, atol=1e-6)
    one = MultiScaleSimilarity().build((8, 8, 1))
    small = [picture[..., :8, :8] for picture in (a, b)]
    assert torch.allclose(one.likeness(*small), StructuralSimilarity().build((8, 8, 1)).likeness(*small), atol=1e-6)
    assert float(one.likeness(small[0], 1 - small[0]).max()) < 0.01  # the opposite is as unlike as can be


@pytest.mark.parametrize("make", PICTURES[:3], ids=name_of)
@pytest.mark.parametrize("shape", [(64,), (8, 8), (2, 8, 1), (4, 8, 8, 1)])
def test_what_is_no_picture_is_refused_with_advice(make: Callable[[], Loss], shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"at least 3 x 3; these samples have shape .*SquaredError"):
        make().build(shape)


def test_training_for_likeness_makes_pictures_more_alike(pictures: np.ndarray) -> None:
    X = torch.tensor(pictures, dtype=torch.float32)[:800] / 16
    judge = StructuralSimilarity(mix=0.0).build((8, 8, 1))
    lost = []
    for loss in (StructuralSimilarity(), GaussianLikelihood(link="sigmoid")):
        model = Autoencoder(8, MLP(hidden=64), loss, epochs=10, random_state=0).fit(X[:600].numpy())
        output = torch.cat([model.expected(trip) for trip in model.round_trips(X[600:].numpy())])
        lost.append(float(judge.distance(output, X[600:, ..., None]).mean()))
    assert lost[0] < 0.9 * lost[1]


# A network of the user's


def test_a_network_that_judges_is_neither_changed_nor_trained_nor_saved(pictures: np.ndarray, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Dropout(0.5), nn.BatchNorm1d(5))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    X = pictures[:200]
    model = Autoencoder(code_size=2, loss=FeatureError(network), epochs=2, random_state=0).fit(X)
    assert model.loss.network is network
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not list(model.objective_.parameters())
    assert not [name for name in model.objective_.state_dict() if "network" in name or "judge" in name]

    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert isinstance(again.loss.network, Absent)
    assert np.array_equal(again.transform(X), model.transform(X))
    assert np.array_equal(again.reconstruct(X), model.reconstruct(X))
    with pytest.raises(ValueError, match=r"A Sequential of your own belongs here.*set_params\(loss__network=\.\.\.\)"):
        again.score_samples(X)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    again.objective_.loss.set_params(network=network)
    assert np.array_equal(again.score_samples(X), model.score_samples(X))
    again.set_params(loss__network=network).fit(X)
    assert np.array_equal(again.transform(X), model.transform(X))


def test_edges_judge_where_no_network_is_given(pictures: np.ndarray, tmp_path: Path) -> None:
    model = Autoencoder(code_size=2, loss="feature_error", epochs=2, random_state=0).fit(pictures[:200])
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert np.array_equal(again.score_samples(pictures[:20]), model.score_samples(pictures[:20]))
    step = torch.zeros(1, 6, 6, 1)
    step[:, :, 3:] = 1.0
    seen = FeatureError().build((6, 6, 1)).features(step)[0]
    assert seen.shape == (1, 1, 3, 4, 4)
    assert seen.abs().amax((0, 1, 3, 4)).tolist() == pytest.approx([1.0, 0.0, 1.0])


def test_networks_that_cannot_judge_are_refused() -> None:
    with pytest.raises(TypeError, match=r"network came as 'resnet'; it must be an nn\.Module"):
        FeatureError("resnet").check()  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"Linear makes no features of samples of shape \(8, 8, 1\).*channels last"):
        FeatureError(nn.Linear(3, 2)).build((8, 8, 1))
    assert to_plain(FeatureError(nn.Linear(3, 2)))["network"] == {"absent": "Linear"}


# Counts, through the estimator


@pytest.mark.parametrize("make", COUNTS, ids=name_of)
def test_only_counts_as_they_came_are_taken(make: Callable[[], Loss], digits: np.ndarray) -> None:
    model = Autoencoder(loss=make(), epochs=1, scaling="none")
    model.plan(digits)
    model.plan(np.where(digits == 3, np.nan, digits))
    for data in (digits + 0.5, digits - 1, digits / 16):
        with pytest.raises(ValueError, match=r"needs counts as they came: whole numbers of at least 0.*scaling='none'"):
            model.plan(data)
    for scaling in ("auto", "standard", "unit", "center"):
        with pytest.raises(ValueError, match=rf"holds others after scaling='{scaling}'\. Use scaling='none'"):
            model.set_params(scaling=scaling).plan(digits)


@pytest.mark.parametrize("make", COUNTS, ids=name_of)
def test_rates_begin_at_the_mean(make: Callable[[], Loss], digits: np.ndarray) -> None:
    plan = Autoencoder(loss=make(), scaling="none", random_state=0).plan(digits)
    bias = [module for module in plan.network.decoder.modules() if isinstance(module, nn.Linear)][-1].bias
    rates = plan.objective.loss.mean(bias[None])[0].detach().numpy()
    assert np.allclose(rates, digits.mean(0).clip(1.2e-4), rtol=1e-3, atol=1e-4)


def test_a_poisson_explains_held_out_counts_better_than_squared_error(data_folder: Path) -> None:
    from scipy import sparse

    counts = sparse.load_npz(data_folder / "single-cell" / "worm_neuron.npz").toarray()
    counts = counts[np.random.default_rng(0).permutation(len(counts))[:1000]].astype(np.float32)
    counts = counts[:, np.argsort(counts[:800].var(0))[-500:]]
    train, test = counts[:800], counts[800:]
    target = torch.tensor(test)

    def nats(rates: Tensor) -> float:
        return float(-distributions.Poisson(rates.clamp_min(1e-3)).log_prob(target).sum(1).mean())

    found = {"mean": nats(torch.tensor(train.mean(0)).expand_as(target))}
    for loss in ("poisson_likelihood", "negative_binomial_likelihood", "squared_error"):
        architecture = MLP(hidden=64, normalization="layer")
        model = Autoencoder(8, architecture, loss, scaling="none", epochs=6, random_state=0).fit(train)
        found[loss] = nats(torch.tensor(model.reconstruct(test)))
        if loss == "poisson_likelihood":
            assert -float(model.score_samples(test).mean()) == pytest.approx(found[loss], rel=1e-3)
    assert found["poisson_likelihood"] < 0.95 * min(found["squared_error"], found["mean"])
    assert found["negative_binomial_likelihood"] < 0.95 * found["mean"]


# Real uses


@pytest.mark.parametrize("loss", [AbsoluteError(), HuberLoss(0.1), LaplaceLikelihood(), StudentTLikelihood()], ids=repr)
def test_wild_cells_do_not_rule_a_robust_loss(loss: Loss, table: np.ndarray) -> None:
    wild = table.copy()
    places = np.random.default_rng(0).random(table.shape) < 0.05
    wild[places] += np.random.default_rng(1).choice([-40.0, 40.0], places.sum())
    errors = []
    for each in (loss, GaussianLikelihood()):
        model = Autoencoder(3, "linear", each, scaling="center", epochs=60, random_state=0).fit(wild)
        errors.append(float(np.median(np.abs(model.reconstruct(table) - table))))
    assert errors[0] < 0.7 * errors[1]


def test_a_predicted_variance_tells_sure_cells_from_unsure_ones() -> None:
    generator = np.random.default_rng(0)
    side = np.sign(generator.normal(size=(600, 1)))
    X = np.hstack([side, np.where(side > 0, 2.0, 0.2) * generator.normal(size=(600, 12))])
    plain, predicted = (
        Autoencoder(1, MLP(hidden=16), loss, scaling="none", epochs=30, random_state=0).fit(X)
        for loss in (GaussianLikelihood(), HeteroscedasticGaussian())
    )
    trip = next(iter(predicted.round_trips(X)))
    deviations = predicted.objective_.loss.variance(trip.output).sqrt()[:, 1:].median(1).values.numpy()
    unsure, sure = (np.median(deviations[(side > 0).ravel() == wide]) for wide in (True, False))
    assert unsure == pytest.approx(2.0, rel=0.2)
    assert sure == pytest.approx(0.2, rel=0.2)
    assert predicted.score_samples(X).mean() > plain.score_samples(X).mean() + 5

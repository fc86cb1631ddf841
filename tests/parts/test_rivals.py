"""Rivals: what they see, what they must not see, and what networks come to that learn against them."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from diabolo import (
    MLP,
    VAE,
    VAEGAN,
    AdversarialAutoencoder,
    Autoencoder,
    BernoulliLikelihood,
    Clean,
    CodeRival,
    Gaussian,
    Identity,
    OutputRival,
    SquaredError,
)
from diabolo.core import Batch, Bottleneck, Network, Objective, Rival, RoundTrip
from diabolo.penalties.divergence import inverse_multiquadratic
from diabolo.penalties.rivals import PRIORS, cross_entropy

SHAPES = [(6,), (9, 2), (7, 5, 1), (4, 3, 5, 2), (2, 2, 2, 2, 2), (1,), (1, 1, 1)]


def network_of(shape: tuple[int, ...], bottleneck: Bottleneck | None = None) -> Network:
    return Network(shape, MLP(hidden=(8,)), bottleneck or Identity(3), Clean())


def discrepancy(codes: torch.Tensor) -> float:
    """How far codes are from a standard normal: the kernel discrepancy without bias, as in MaximumMeanDiscrepancy."""
    draws = torch.randn(2000, codes.shape[1], generator=torch.Generator().manual_seed(0))
    similar = inverse_multiquadratic(torch.cat([codes, draws])).fill_diagonal_(0)
    rows, others = len(codes), len(draws)
    own = similar[:rows, :rows].sum() / (rows * (rows - 1)) + similar[rows:, rows:].sum() / (others * (others - 1))
    return float(own - 2 * similar[:rows, rows:].mean())


def sharpness(rows: np.ndarray) -> float:
    """The mean step between neighboring pixels of 8 x 8 pictures."""
    pictures = rows.reshape(-1, 8, 8)
    return float(np.abs(np.diff(pictures, axis=1)).mean() + np.abs(np.diff(pictures, axis=2)).mean())


# What a rival is


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [1, 5])
def test_a_rival_takes_any_shape_and_a_single_row(shape: tuple[int, ...], rows: int) -> None:
    for bottleneck in (Identity(3), Gaussian(3)):
        network = network_of(shape, bottleneck)
        for rival in (CodeRival().build(network), OutputRival().build(network)):
            x = torch.rand(rows, *shape)
            for known in (None, torch.rand(x.shape) < 0.5, torch.zeros(x.shape, dtype=torch.bool)):
                trip = network(x, known)
                rival.meet(trip, network)
                price, lost = rival(trip, network), rival.loss(trip.detached(), network)
                assert (price.shape, lost.shape) == ((rows,), ())
                assert torch.isfinite(price).all()
                assert torch.isfinite(lost)
                weights = list(rival.parameters())
                gradients = torch.autograd.grad(lost, weights, retain_graph=True, allow_unused=True)
                gradients += torch.autograd.grad(price.sum(), list(network.parameters()), allow_unused=True)
                assert all(g is None or bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("value", [0.0, 1e6])
def test_data_without_any_variation_is_survived(value: float) -> None:
    network = network_of((4,), Gaussian(2))
    rival = OutputRival().build(network)
    trip = network(torch.full((3, 4), value))
    rival.meet(trip, network)
    assert torch.isfinite(rival(trip, network)).all()
    assert torch.isfinite(rival.loss(trip.detached(), network))


def test_a_missing_cell_is_never_read() -> None:
    network = network_of((7, 5, 1), Gaussian(2)).eval()
    known = torch.rand(5, 7, 5, 1) < 0.6
    trip = network(torch.rand(5, 7, 5, 1), known)
    other = dataclasses.replace(  # what the data lacks is anything, and so is what was decoded there
        trip, target=torch.where(known, trip.target, 9.0), output=torch.where(known, trip.output, -9.0)
    )
    for rival in (CodeRival().build(network), OutputRival(weight=2.0).build(network)):
        told = []
        for seen in (trip, other):
            torch.manual_seed(0)
            rival.meet(seen, network)
            told.append(torch.cat([rival(seen, network), rival.loss(seen.detached(), network)[None]]))
        assert torch.equal(*told)


def test_reconstructions_are_judged_as_the_data_that_they_stand_for() -> None:
    network = network_of((6,))
    plain, linked = (OutputRival().beside(loss).build(network) for loss in (SquaredError(), BernoulliLikelihood()))
    linked.load_state_dict(plain.state_dict())
    trip = network(torch.rand(5, 6))
    expected = dataclasses.replace(trip, output=trip.output.sigmoid())
    assert torch.equal(linked(trip, network), plain(expected, network))
    assert torch.equal(linked.loss(trip, network), plain.loss(expected, network))
    assert not torch.equal(linked(trip, network), plain(trip, network))
    perfect = dataclasses.replace(trip, output=trip.target)
    assert bool((plain(perfect, network) < plain(trip, network)).all())


def test_faint_data_look_to_a_rival_like_any_other() -> None:
    network = network_of((6,))
    trip = network(torch.rand(50, 6))
    faint = dataclasses.replace(trip, target=trip.target / 50 + 7, output=trip.output / 50 + 7)
    rival = OutputRival().build(network)
    told = []
    for seen in (trip, faint):
        rival.meet(seen, network)
        told.append(rival.loss(seen, network))
    assert torch.allclose(*told, atol=1e-3)


def test_draws_are_judged_where_there_is_a_distribution_to_draw_from() -> None:
    torch.manual_seed(0)
    for bottleneck, moves in ((Identity(2), False), (Gaussian(2), True)):
        network = network_of((6,), bottleneck).eval()
        rival = OutputRival().build(network)
        trip = network(torch.rand(5, 6))
        assert torch.equal(rival.loss(trip, network), rival.loss(trip, network)) is not moves
        (gradient,) = torch.autograd.grad(rival(trip, network).sum(), network.decoder[-2].weight, retain_graph=True)
        assert bool(gradient.abs().sum() > 0)


def test_a_network_of_two_minds_about_precision_is_judged() -> None:
    network = network_of((6,), Gaussian(2)).to(torch.bfloat16)
    network.computes_in = torch.bfloat16
    trip = network(torch.rand(5, 6)).float()
    rival = OutputRival().build(network_of((6,), Gaussian(2)))
    assert rival(trip, network).dtype == torch.float32
    assert rival.loss(trip.detached(), network).dtype == torch.float32


# What it learns


def learned(rival: Rival, trip: RoundTrip, network: Network, steps: int = 150) -> float:
    optimizer = torch.optim.Adam(rival.parameters(), rival.learning_rate)
    for _ in range(steps):
        optimizer.zero_grad()
        lost = rival.loss(trip, network)
        lost.backward()
        optimizer.step()
    return float(lost.detach())


@pytest.mark.parametrize("prior", PRIORS)
def test_a_rival_is_at_a_loss_before_draws_of_its_prior_and_tells_anything_else(prior: str) -> None:
    torch.manual_seed(0)
    network = network_of((6,))
    trip = network(torch.rand(500, 6)).detached()
    told = {}
    for name, codes in (("its own", PRIORS[prior](trip.code.values)), ("others", trip.code.values)):
        rival = CodeRival(prior=prior).build(network)
        told[name] = learned(rival, dataclasses.replace(trip, code=type(trip.code)(codes)), network)
    assert told["others"] < 0.2
    assert told["its own"] > 1.1  # 1.386 is chance; on the same 500 codes again and again it learns some by heart


@pytest.mark.parametrize(("prior", "mean", "spread"), [("normal", 0, 1), ("uniform", 0, 3**-0.5), ("ring", 0, None)])
def test_priors_are_what_they_are_called(prior: str, mean: float, spread: float | None) -> None:
    torch.manual_seed(0)
    network = network_of((6,))
    draws = CodeRival(prior=prior).build(network).draw(20_000, network)
    assert draws.shape == (20_000, 3)
    assert torch.allclose(draws.mean(0), torch.full((3,), float(mean)), atol=0.05)
    if spread is not None:
        assert torch.allclose(draws.std(0), torch.full((3,), float(spread)), atol=0.02)
    else:
        lengths, angles = draws[:, :2].norm(dim=1), torch.atan2(draws[:, 1], draws[:, 0])
        turns = angles / (2 * torch.pi) * 10
        assert 1.9 < float(lengths.median()) < 2.1
        assert float((turns - turns.round()).abs().mean()) < 0.2  # evenly spread turns would lie 0.25 from a knot
        assert len(turns.round().remainder(10).unique()) == 10
    assert PRIORS[prior](torch.zeros(4, 1)).shape == (4, 1)


def test_a_rival_tells_noise_from_pictures() -> None:
    torch.manual_seed(0)
    network = network_of((8, 8, 1))
    trip = network(torch.rand(64, 8, 8, 1)).detached()
    rival = OutputRival(channels=4).build(network)
    rival.meet(trip, network)
    assert learned(rival, trip, network, 100) < 0.2
    assert learned(rival, dataclasses.replace(trip, output=trip.target), network, 100) == pytest.approx(1.386, abs=0.05)


def test_the_price_is_the_surprise_of_the_rival() -> None:
    network = network_of((6,))
    rival = CodeRival().build(network)
    trip = network(torch.rand(5, 6))
    taken = rival.judge(trip.code.values).sigmoid().squeeze(1)
    assert torch.allclose(rival(trip, network), -taken.log(), atol=1e-6)
    odds = torch.randn(7)
    target = torch.cat([torch.ones(7), torch.zeros(7)])
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(torch.cat([odds, -2 * odds]), target)
    assert torch.allclose(cross_entropy(odds, -2 * odds), 2 * entropy)


def test_rivals_take_no_part_in_validation_and_scores() -> None:
    network = network_of((6,), Gaussian(2)).eval()
    alone = Objective(SquaredError()).build(network).eval()
    held = Objective(SquaredError(), CodeRival() + OutputRival()).build(network).eval()
    trip = alone.travel(network, Batch(torch.rand(5, 6)))
    assert torch.equal(held(trip, network).total, alone(trip, network).total)
    assert torch.equal(held.per_sample(trip, network), alone.per_sample(trip, network))
    assert set(held(trip, network).terms) == {"loss"}
    assert set(held.train()(trip, network).terms) == {"loss", "code_rival", "output_rival"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (AdversarialAutoencoder(weight=-1.0), "weight came as -1.0; it must be a number of at least 0.0"),
        (
            AdversarialAutoencoder(prior="cauchy"),
            "prior came as 'cauchy'; it must be one of 'normal', 'uniform', 'ring'",
        ),
        (VAEGAN(features=float("nan")), "features came as nan"),
        (VAEGAN(beta=-1.0), "beta came as -1.0"),
        (Autoencoder(penalty=CodeRival(hidden=0)), "hidden came as 0; it must be a whole number of at least 1"),
        (Autoencoder(penalty=OutputRival(learning_rate=0.0)), "learning_rate came as 0.0; it must be a number above 0"),
    ],
)
def test_nonsense_is_refused(wrong: Autoencoder, message: str, table: np.ndarray) -> None:
    with pytest.raises(ValueError, match=message):
        wrong.fit(table)


# What it is good for


SMALL = {"architecture": MLP(hidden=(64,)), "batch_size": 64, "epochs": 30, "random_state": 0}


def test_codes_of_an_adversarial_autoencoder_approach_the_prior(digits: np.ndarray) -> None:
    train, test = digits[:1400], digits[1400:]
    plain, held = (cls(code_size=4, **SMALL).fit(train) for cls in (Autoencoder, AdversarialAutoencoder))
    far, near = (discrepancy(torch.from_numpy(model.transform(test))) for model in (plain, held))
    assert near < far / 2
    assert held.score(test) > plain.score(test) - 0.03
    assert held.sample(5, random_state=0).shape == (5, 64)


def test_codes_lie_where_the_prior_says(digits: np.ndarray) -> None:
    codes = {
        prior: AdversarialAutoencoder(code_size=2, prior=prior, **SMALL | {"batch_size": 32}).fit_transform(
            digits[:700]
        )
        for prior in ("normal", "uniform", "ring")
    }
    spread = {prior: np.abs(found) for prior, found in codes.items()}
    assert np.mean(spread["uniform"] < 1.2) > 0.9 > 0.8 > np.mean(spread["normal"] < 1.2)
    lengths = {prior: np.linalg.norm(found, axis=1) for prior, found in codes.items()}
    assert np.mean(lengths["ring"] > 1.2) > 0.7 > 0.6 > np.mean(lengths["normal"] > 1.2)


def test_a_rival_of_outputs_sharpens_them(digits: np.ndarray) -> None:
    train, test = digits[:1400], digits[1400:]
    blurred, sharp = (cls(code_size=3, **SMALL | {"epochs": 20}).fit(train) for cls in (VAE, VAEGAN))
    shares = [sharpness(model.reconstruct(test)) / sharpness(test) for model in (blurred, sharp)]
    assert abs(1 - shares[1]) < abs(1 - shares[0]) / 1.5
    assert sharp.score(test) > blurred.score(test) - 0.12
    made = [sharpness(model.sample(500, random_state=0)) / sharpness(test) for model in (blurred, sharp)]
    assert abs(1 - made[1]) < abs(1 - made[0])
    assert sharp.log_likelihood(test[:5], 20, random_state=0).shape == (5,)


def test_pictures_can_be_judged(pictures: np.ndarray) -> None:
    model = VAEGAN(code_size=4, **SMALL | {"epochs": 14}).fit(pictures[:1000])
    assert model.score(pictures[1000:]) > 0.3
    assert model.sample(2, random_state=0).shape == (2, 8, 8)


def test_gradients_of_a_rival_do_not_grow_with_its_own_certainty() -> None:
    # The price that does not saturate: where the rival is surest, the network learns most.
    slopes = []
    for odds in (3.0, 0.0, -3.0, -30.0):
        told = torch.tensor(odds, requires_grad=True)
        slopes.append(float(torch.autograd.grad(torch.nn.functional.softplus(-told), told)[0].abs()))
    assert all(before < after <= 1 for before, after in pairwise(slopes))

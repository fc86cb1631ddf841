"""Sparse codes: few units speak, all of them sometimes, and a row's code is its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from diabolo import (
    L1,
    MLP,
    ActiveUnits,
    Autoencoder,
    BatchTopK,
    Clean,
    Dictionary,
    Gated,
    GateTraining,
    GaussianLikelihood,
    Identity,
    JumpReLU,
    Linear,
    Revival,
    SparseAutoencoder,
    SparseDictionary,
    SquaredError,
    TargetActivity,
    TopK,
)
from diabolo.bottlenecks import SparseBottleneck
from diabolo.core import Batch, Code, Network, Objective, RoundTrip, SparseCode, View, parameters
from diabolo.diagnosis import sparsity
from diabolo.training.precision import Working

SPARSE = [TopK, BatchTopK, JumpReLU, Gated]


def unchanged(bottleneck: SparseBottleneck) -> SparseBottleneck:
    """A bottleneck whose units want what the features say."""
    assert bottleneck.size is not None
    bottleneck.build(bottleneck.size)
    with torch.no_grad():
        bottleneck.project.weight.copy_(torch.eye(bottleneck.size))
        bottleneck.project.bias.zero_()
    return bottleneck


def trip_of(code: Code, output: torch.Tensor | None = None) -> RoundTrip:
    output = torch.zeros(len(code.values), 4) if output is None else output
    return RoundTrip(torch.zeros_like(output), None, View(output), output, code, output)


@pytest.mark.parametrize("shape", [(50, 32), (10, 5, 32)])
def test_topk_keeps_the_k_largest_and_is_idempotent(shape: tuple[int, ...]) -> None:
    wanted = torch.randn(shape)
    bottleneck = unchanged(TopK(32, active=5))
    kept = bottleneck(wanted).values
    assert ((kept > 0).sum(-1) == 5).all()
    assert torch.equal(kept.sort(-1).values[..., -5:], wanted.sort(-1).values[..., -5:])
    assert torch.equal(kept[kept > 0], wanted[kept > 0])
    assert torch.equal(bottleneck(kept).values, kept)


def test_topk_lets_nothing_through_that_is_not_positive_and_takes_fewer_units_than_it_may() -> None:
    code = unchanged(TopK(4, active=3))(torch.tensor([[-1.0, 2.0, -3.0, 0.0]]))
    assert code.values.tolist() == [[0.0, 2.0, 0.0, 0.0]]
    assert code.wanted.tolist() == [[-1.0, 2.0, -3.0, 0.0]]
    assert unchanged(TopK(2, active=100))(torch.ones(3, 2)).values.sum() == 6


@pytest.mark.parametrize("shape", [(64, 32), (16, 4, 32)])
def test_batch_topk_keeps_k_on_average_and_afterwards_a_row_is_its_own(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    bottleneck = unchanged(BatchTopK(32, active=5))
    scales = torch.rand(64, 1).add(0.2).view(*shape[:-1], 1)
    for _ in range(150):
        kept = bottleneck(torch.randn(shape) * scales).values
        assert int((kept > 0).sum()) == 5 * 64
    assert len((kept > 0).sum(-1).unique()) > 1
    bottleneck.eval()
    fresh = torch.randn(200, *shape[1:]) * torch.rand(200, *[1] * (len(shape) - 1)).add(0.2)
    together = bottleneck(fresh).values
    assert float((together > 0).sum(-1).float().mean()) == pytest.approx(5, abs=0.7)
    for row in (0, 99):
        assert torch.equal(bottleneck(fresh[row : row + 1]).values[0], together[row])
        assert torch.equal(bottleneck(torch.cat([fresh[row : row + 1], 100 * fresh])).values[0], together[row])


def test_the_threshold_is_that_of_the_last_steps_and_survives_batches_of_nothing() -> None:
    bottleneck = unchanged(BatchTopK(4, active=1))
    bottleneck(-torch.ones(3, 4))
    assert float(bottleneck.get_buffer("threshold")) == 0
    bottleneck(torch.full((3, 4), 2.0))
    bottleneck(torch.full((3, 4), 4.0))
    assert float(bottleneck.get_buffer("threshold")) == pytest.approx(3.0)
    bottleneck(-torch.ones(3, 4))
    assert float(bottleneck.get_buffer("threshold")) == pytest.approx(3.0)


@pytest.mark.parametrize("part", SPARSE)
def test_silence_is_counted_in_training_steps_and_in_place(part: type[SparseBottleneck]) -> None:
    bottleneck = unchanged(part(4))
    network = Network((4,), Linear(), part(4), Clean())
    twin = Working(network, "bfloat16").network.bottleneck
    assert twin.get_buffer("silent") is network.bottleneck.get_buffer("silent")
    silent = bottleneck.get_buffer("silent")
    features = torch.tensor([[1.0, 2.0, -1.0, -1.0], [3.0, -1.0, 1.0, -1.0]])
    bottleneck(features)
    assert silent[:3].tolist() == [0, 0, 0]
    assert int(silent[3]) > 1 << 30
    bottleneck(features[:1])
    bottleneck.eval()(features)
    assert silent[:3].tolist() == [0, 0, 1]
    assert bottleneck.get_buffer("silent") is silent


@pytest.mark.parametrize("part", SPARSE)
def test_units_begin_wanting_nothing_on_average(part: type[SparseBottleneck]) -> None:
    bottleneck, features = part(16).build(8), 5 + torch.randn(3000, 8)
    with torch.no_grad():
        bottleneck.meet(features)
        code = bottleneck(features)
    assert code.wanted.mean(0).abs().max() < 1e-4
    assert ((code.values > 0).any(0)).all()


def test_a_jump_is_a_jump() -> None:
    wanted = torch.tensor([[-1.0, 0.05, 0.2, 3.0]])
    code = unchanged(JumpReLU(4, threshold=0.1)).eval()(wanted)
    assert torch.allclose(code.values, torch.tensor([[0.0, 0.0, 0.2, 3.0]]))
    assert code.gates.tolist() == [[0.0, 0.0, 1.0, 1.0]]
    (slope,) = torch.autograd.grad(unchanged_sum(wanted), [wanted])
    assert slope.tolist() == [[0.0, 0.0, 1.0, 1.0]]


def unchanged_sum(wanted: torch.Tensor) -> torch.Tensor:
    """The sum of a JumpReLU's values, of which the input's slope can be asked."""
    return unchanged(JumpReLU(4, threshold=0.1, bandwidth=1.0)).eval()(wanted.requires_grad_()).values.sum()


def test_thresholds_learn_how_many_values_lie_at_them() -> None:
    torch.manual_seed(0)
    bottleneck = unchanged(JumpReLU(3, threshold=0.4, bandwidth=0.1)).eval()
    code = bottleneck(torch.rand(100_000, 3))
    count = ActiveUnits()(trip_of(code), None).mean()  # type: ignore[arg-type]
    assert float(count.detach()) == pytest.approx(3 * 0.6, abs=0.02)
    (slope,) = torch.autograd.grad(count, [bottleneck.log_thresholds], retain_graph=True)
    assert torch.allclose(slope / 0.4, torch.full((3,), -1.0), atol=0.03)  # d P(u > t) / dt of a uniform u
    (slope,) = torch.autograd.grad(code.values.mean(0).sum(), [bottleneck.log_thresholds])
    assert torch.allclose(slope / 0.4, torch.full((3,), -0.4), atol=0.03)  # d E[u; u > t] / dt = -t


def test_gates_learn_by_their_own_price_and_the_decoder_does_not_feel_it() -> None:
    network = Network((6,), Linear(), Gated(8), Clean())
    trip = network(torch.randn(20, 6))
    (unreached,) = torch.autograd.grad(
        trip.output.square().sum(), [network.bottleneck.project.bias], retain_graph=True, materialize_grads=True
    )
    price = GateTraining(sparsity=0.0).beside(SquaredError())(trip, network)
    assert torch.allclose(price, (network.decoder(trip.code.wanted.relu()) - trip.target).square().sum(1) / 2)
    weights = [network.bottleneck.project.bias, *network.decoder.parameters()]
    reached, *decoder = torch.autograd.grad(price.sum(), weights, materialize_grads=True)
    assert reached.abs().sum() > 0
    assert all(gradient.abs().sum() == 0 for gradient in [unreached * (trip.code.wanted <= 0).all(0), *decoder])
    assert all(weight.requires_grad for weight in network.parameters())


def test_what_a_closed_gate_wants_is_not_said() -> None:
    bottleneck = unchanged(Gated(3))
    with torch.no_grad():
        bottleneck.offset.fill_(10.0)
    assert bottleneck(torch.tensor([[-1.0, 0.0, 2.0]])).values.tolist() == [[0.0, 0.0, 12.0]]


def revival_for(network: Network, **fields: float) -> Revival:
    return Revival(**fields).beside(SquaredError()).build(network)


def test_revival_is_the_auxiliary_loss_less_its_constant() -> None:
    torch.manual_seed(0)
    network = Network((6,), Linear(), TopK(12, active=2), Clean())
    trip = network(torch.randn(30, 6))
    network.bottleneck.get_buffer("silent").copy_(torch.arange(12))
    price = revival_for(network, patience=5, units=3)(trip, network)
    wanted = trip.code.wanted[:, 5:].detach()
    top = wanted.topk(3, dim=1)
    answer = torch.zeros(30, 12).scatter(1, top.indices + 5, top.values.relu())
    residual = trip.target - trip.output
    auxiliary = residual - answer @ network.decoder[0].weight.T
    assert torch.allclose(price, (auxiliary.square() - residual.square()).sum(1) / 2, atol=1e-5)
    (slope,) = torch.autograd.grad(price.sum(), [network.bottleneck.project.bias])
    assert slope[:5].abs().sum() == 0
    assert (slope[5:] != 0).any()


def test_revival_costs_nothing_without_silent_units_and_outside_training() -> None:
    network = Network((6,), MLP(hidden=(8,)), TopK(12, active=2), Clean())
    revival = revival_for(network)
    trip = network(torch.randn(5, 6))
    assert revival(trip, network).abs().sum() > 0
    assert revival.eval()(trip, network).tolist() == [0.0] * 5
    network.bottleneck.get_buffer("silent").zero_()
    assert revival.train()(trip, network).abs().sum() == 0


def test_revival_leaves_the_loss_and_the_network_as_they_were() -> None:
    network = Network((6,), MLP(hidden=(8,), normalization="batch", dropout=0.5), BatchTopK(12, active=2), Clean())
    objective = Objective(GaussianLikelihood(), Revival(1.0)).build(network)
    trip = objective.travel(network, Batch(torch.randn(9, 6)))
    objective.loss(trip)
    before = [buffer.clone() for module in (network, objective) for buffer in module.buffers()]
    objective.terms()["revival"](trip, network).mean().backward()
    after = [buffer for module in (network, objective) for buffer in module.buffers()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert network.training
    assert network.decoder.training
    assert objective.loss.training
    assert all(weight.requires_grad for weight in network.parameters())


def test_revival_needs_a_bottleneck_that_counts() -> None:
    @parameters
    class Uncounted(Identity):
        """Sparse in name only."""

        gives = SparseCode

        def forward(self, features: torch.Tensor) -> SparseCode:
            values = self.project(features)
            return SparseCode(values, values)

    with pytest.raises(ValueError, match=r"Uncounted does not count that\. Derive it from SparseBottleneck"):
        Revival().build(Network((6,), Linear(), Uncounted(3), Clean()))


@pytest.mark.parametrize(("weight", "wakes"), [(0.0, False), (1.0, True)])
def test_revival_revives(digits: np.ndarray, weight: float, wakes: bool) -> None:
    torch.manual_seed(0)
    x = torch.from_numpy(digits[:1024]).float() / 16
    network = Network((64,), MLP(hidden=(64,)), TopK(32, active=4), Clean())
    objective = Objective(GaussianLikelihood(), Revival(weight)).build(network)
    objective.meet(network, Batch(x))
    silent = network.bottleneck.get_buffer("silent")
    with torch.no_grad():
        network.bottleneck.project.bias[:4] -= 1.0
    assert (network.eval()(x).code.values[:, :4] == 0).all()
    silent[:4] = 1000
    spoke = torch.zeros(4, dtype=torch.bool)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    network.train()
    for step in range(150):
        batch = Batch(x[(step % 8) * 128 :][:128])
        optimizer.zero_grad()
        objective(objective.travel(network, batch), network).total.backward()
        optimizer.step()
        spoke |= silent[:4] == 0
    alive = float((network.eval()(x).code.values > 0).any(0).float().mean())
    assert spoke.sum() >= 3 if wakes else not spoke.any()
    assert alive > 0.8 if wakes else alive < 0.7


def test_target_activity_is_the_divergence_of_two_coins() -> None:
    values = torch.rand(50, 3, 4)
    coin = torch.distributions.Bernoulli
    theirs = torch.distributions.kl_divergence(coin(torch.tensor(0.2)), coin(values.flatten(0, 1).mean(0))).sum()
    assert torch.allclose(TargetActivity(target=0.2)(trip_of(Code(values)), None), theirs)  # type: ignore[arg-type]
    still = TargetActivity(target=0.2)(trip_of(Code(torch.full((9, 4), 0.2))), None)  # type: ignore[arg-type]
    assert float(still) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("value", "sign"), [(0.0, -1), (-3.0, -1), (1.0, 1), (7.0, 1)])
def test_a_mean_activity_at_the_edge_or_outside_is_pulled_back_inside(value: float, sign: int) -> None:
    values = torch.full((5, 2), value, requires_grad=True)
    price = TargetActivity()(trip_of(Code(values)), None)  # type: ignore[arg-type]
    (slope,) = torch.autograd.grad(price, [values])
    assert torch.isfinite(price)
    assert (slope.sign() == sign).all()


def test_target_activity_refuses_codes_that_are_no_shares_before_the_first_step(table: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"TargetActivity needs codes between 0 and 1, but Identity.*gives from -"):
        Autoencoder(penalty=TargetActivity(), epochs=1).fit(table)


def test_target_activity_brings_activity_to_the_target(digits: np.ndarray) -> None:
    means = []
    for weight in (0.0, 10.0):
        penalty, bottleneck = TargetActivity(weight, target=0.1), Identity(activation="sigmoid")
        options = {"architecture": MLP(hidden=(64,)), "epochs": 10, "random_state": 0}
        model = Autoencoder(code_size=16, bottleneck=bottleneck, penalty=penalty, **options).fit(digits[:1000])
        means.append(model.transform(digits[:1000]).mean())
    assert means[0] > 0.3
    assert means[1] == pytest.approx(0.1, abs=0.07)


@pytest.mark.parametrize(
    ("bottleneck", "penalty", "epochs"),
    [
        (Identity(activation="relu"), lambda weight: L1(weight), 12),
        (JumpReLU(), lambda weight: ActiveUnits(weight), 25),
        (Gated(), lambda weight: GateTraining(sparsity=weight), 12),
    ],
    ids=["L1", "ActiveUnits", "GateTraining"],
)
def test_a_higher_price_makes_fewer_units_speak(
    bottleneck: object, penalty: object, epochs: int, digits: np.ndarray
) -> None:
    options = {
        "code_size": 32,
        "bottleneck": bottleneck,
        "architecture": Dictionary(),
        "epochs": epochs,
        "random_state": 0,
    }
    cheap, dear = (
        Autoencoder(penalty=penalty(weight), loss=GaussianLikelihood(), **options).fit(digits[:1000])  # type: ignore[operator]
        for weight in (0.01, 8.0)
    )
    few, many = sparsity(dear, digits[1000:]).mean_active, sparsity(cheap, digits[1000:]).mean_active
    assert 0 < few < 0.7 * many
    assert dear.score(digits[1000:]) > 0.2


def test_atoms_have_length_one_and_units_begin_by_listening_for_what_they_say(digits: np.ndarray) -> None:
    network = Network((64,), Dictionary(), BatchTopK(100), Clean())
    atoms = network.decoder[0].atoms()
    assert torch.allclose(network.bottleneck.project.weight, atoms.T)
    model = SparseDictionary(code_size=100, epochs=3, random_state=0).fit(digits)
    trained = model.network_.decoder[0]
    assert torch.allclose(trained.atoms().norm(dim=0), torch.ones(100), atol=1e-5)
    assert not torch.allclose(trained.weight.norm(dim=0), torch.ones(100), atol=1e-3)
    codes = torch.from_numpy(model.transform(digits[:3]))
    assert torch.allclose(model.network_.decoder(codes), codes @ trained.atoms().T + trained.bias, atol=1e-4)


def test_a_large_sparse_code_is_alive_and_keeps_to_its_number(digits: np.ndarray) -> None:
    train, test = digits[:1400], digits[1400:]
    for cls in (SparseAutoencoder, SparseDictionary):
        model = cls(epochs=15, random_state=0).fit(train)
        told = sparsity(model, test)
        assert told.alive_share > 0.85
        assert 6 < told.mean_active < 10
        assert len(told.activity) == model.code_size
        assert told.mean_active == pytest.approx((model.transform(test) != 0).sum(1).mean())
        assert model.score(test) > 0.7


def test_a_dense_code_is_all_alive_and_all_active(table: np.ndarray) -> None:
    told = sparsity(Autoencoder(code_size=3, epochs=1, random_state=0).fit(table), table)
    assert (told.alive_share, told.mean_active) == (1.0, 3.0)


@pytest.mark.parametrize("architecture", [MLP(hidden=(16,)), MLP(hidden=(16,), normalization="batch"), Dictionary()])
@pytest.mark.parametrize(
    ("bottleneck", "penalty"),
    [
        (TopK(active=3), Revival(1.0, patience=1)),
        (BatchTopK(active=3), Revival(1.0, patience=1)),
        (JumpReLU(), ActiveUnits() + Revival()),
        (Gated(), GateTraining() + Revival()),
    ],
    ids=["TopK", "BatchTopK", "JumpReLU", "Gated"],
)
def test_half_precision_trains_them_too(
    architecture: MLP | Dictionary, bottleneck: SparseBottleneck, penalty: Revival, table: np.ndarray
) -> None:
    options = {"code_size": 12, "epochs": 5, "random_state": 0, "precision": "bfloat16"}
    table[0, 0] = np.nan
    model = Autoencoder(architecture=architecture, bottleneck=bottleneck, penalty=penalty, **options).fit(table)
    assert model.network_.bottleneck.get_buffer("silent").min() == 0
    assert model.score(table) > 0
    assert all(weight.dtype == torch.float32 for weight in nn.ModuleList([model.network_]).parameters())


def test_thresholds_suit_encoders_that_whisper_and_those_that_shout() -> None:
    features = torch.randn(200, 8)
    spoke = []
    for loudness in (1e-3, 1.0, 1e3):
        torch.manual_seed(0)
        bottleneck = JumpReLU(5).build(8)
        with torch.no_grad():
            bottleneck.project.weight.mul_(loudness)
            bottleneck.meet(features)
        spoke.append(bottleneck(features).values > 0)
    assert 0.2 < float(spoke[0].float().mean()) < 0.5
    assert torch.equal(spoke[0], spoke[1])
    assert torch.equal(spoke[1], spoke[2])


def test_a_jump_relu_learns_behind_hidden_layers(digits: np.ndarray) -> None:
    options = {"bottleneck": JumpReLU(), "penalty": ActiveUnits(0.1), "epochs": 5, "random_state": 0}
    model = Autoencoder(code_size=32, **options).fit(digits[:1000])
    assert sparsity(model, digits[1000:]).alive_share > 0.8
    assert model.score(digits[1000:]) > 0.5

"""What every part keeps to, whoever wrote it: found by being a subclass, tested by its kind."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re

import pytest
import torch
from torch import nn

import diabolo.estimators  # noqa: F401 - loads every part
from diabolo.core import (
    Architecture,
    Batch,
    Bottleneck,
    Corruption,
    DivergedError,
    Loss,
    Network,
    Objective,
    Part,
    Penalty,
    Rival,
    ShapeError,
    every,
    find,
)
from diabolo.core.parts import as_part, from_plain, kinds, to_plain
from diabolo.core.several import Several
from diabolo.corruptions import Clean
from diabolo.training import Optimizer, Schedule


def of(kind: type[Part]) -> list[type[Part]]:
    """The library's own concrete parts of a kind."""
    return [part for part in every(kind) if part.__module__.startswith("diabolo.") and not issubclass(part, Several)]


ALL = [part for kind in kinds() for part in of(kind)]
SHAPES = [(6,), (5, 4, 2), (9, 7, 1), (8, 3)]


def network_for(
    bottleneck: Bottleneck, shape: tuple[int, ...] = (6,), output_shape: tuple[int, ...] | None = None
) -> Network:
    bottleneck.size = 3
    return Network(shape, find(Architecture, "mlp")(hidden=(8,)), bottleneck, Clean(), output_shape)


def made_for(part: type[Loss]) -> tuple[Loss, Network, torch.Tensor]:
    """A loss, a network for the first kind of sample that the loss takes, and such samples: zeros, ones, between."""
    for shape in ((6,), (12, 10, 1)):
        try:
            loss = part().build(shape)
        except ShapeError as refused:
            assert_advises(refused)
            continue
        x = torch.rand(5, *shape)
        return loss, network_for(find(Bottleneck, "identity")(), shape, loss.output_shape(shape)), x.round() * (x > 0.2)
    raise AssertionError(f"{part.__name__} takes neither rows nor pictures")


def assert_advises(error: Exception) -> None:
    """An error says what came, and what would be possible."""
    assert re.search(r"\d", str(error)), error
    assert len(str(error).split()) > 8, error


@pytest.mark.parametrize("part", ALL, ids=lambda part: part.__name__)
def test_a_part_is_its_fields(part: type[Part]) -> None:
    made = part()
    assert repr(made.clone()) == repr(made)
    assert made.clone() is not made
    assert repr(copy.deepcopy(made)) == repr(made)
    assert repr(from_plain(to_plain(made))) == repr(made)
    assert made.check() is made
    parameters = inspect.signature(part).parameters
    assert set(made.get_params(deep=False)) == set(parameters)
    assert made.set_params(**made.get_params(deep=False)) is made


@pytest.mark.parametrize("part", ALL, ids=lambda part: part.__name__)
def test_unknown_parameters_are_named(part: type[Part]) -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'no_such_thing'"):
        part().set_params(no_such_thing=1)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_part_is_found_by_its_name_in_any_case(kind: type[Part]) -> None:
    for part in of(kind):
        assert find(kind, part.__name__.upper()) is part
    with pytest.raises(ValueError, match=f"No {kind.__name__.lower()} is called 'x'; there are") as refused:
        find(kind, "x")
    assert not set(re.findall(r"\w+", str(refused.value))) & {"Sum", "Series"}
    with pytest.raises(TypeError, match="or its name"):
        as_part(kind, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", of(Corruption), ids=lambda part: part.__name__)
@pytest.mark.parametrize("rows", [4, 1])
def test_a_corruption_keeps_shape_and_input(part: type[Corruption], rows: int) -> None:
    taken = 0
    for shape in SHAPES:
        try:
            corruption = part().build(shape)
        except ShapeError as refused:
            assert_advises(refused)
            continue
        taken += 1
        x = torch.rand(rows, *shape)
        before = x.clone()
        view = corruption(x)
        assert view.values.shape == x.shape
        assert view.values.dtype == x.dtype
        assert torch.equal(x, before)
        if view.hidden is not None:
            assert view.values[view.hidden.expand_as(x)].abs().sum() == 0
    assert taken


@pytest.mark.parametrize("part", of(Architecture), ids=lambda part: part.__name__)
def test_an_architecture_restores_the_shape(part: type[Architecture]) -> None:
    taken = 0
    for shape in SHAPES:
        try:
            part().encoder(shape)
        except ShapeError as refused:
            assert_advises(refused)
            continue
        taken += 1
        x = torch.rand(4, *shape)
        network = Network(shape, part(), find(Bottleneck, "identity")(3), Clean())
        part().start(network.decoder, torch.rand(shape))
        trip = network(x)
        assert trip.features.shape[:-1] == trip.code.values.shape[:-1]
        assert tuple(trip.code.values.shape[1:]) == network.code_shape
        assert trip.output.shape == (4, *shape)
        doubled = (*shape[:-1], 2 * shape[-1])
        assert Network(shape, part(), find(Bottleneck, "identity")(3), Clean(), doubled)(x).output.shape[1:] == doubled
        known = torch.rand(4, *shape) < 0.5
        other = torch.where(known, x, 99.0)
        assert torch.equal(network.eval()(x, known).output, network(other, known).output)
        nothing = torch.zeros(4, *shape, dtype=torch.bool)
        assert torch.isfinite(network(x, nothing).output).all()
    assert taken


@pytest.mark.parametrize("part", of(Bottleneck), ids=lambda part: part.__name__)
@pytest.mark.parametrize("positions", [(), (5,), (4, 3)])
def test_a_bottleneck_works_on_the_last_axis_and_is_deterministic(
    part: type[Bottleneck], positions: tuple[int, ...]
) -> None:
    bottleneck = part(size=3).build(8)
    features = torch.randn(4, *positions, 8)
    code = bottleneck(features)
    assert isinstance(code, part.gives)
    assert code.values.shape == (4, *positions, 3)
    bottleneck.eval()
    assert torch.equal(bottleneck(features).values, bottleneck(features).values)
    assert code.sample().values.shape == code.values.shape


@pytest.mark.parametrize("part", of(Loss), ids=lambda part: part.__name__)
def test_a_loss_is_per_sample_and_its_mean_has_a_way_back(part: type[Loss]) -> None:
    loss, network, x = made_for(part)
    lost = loss(network(x))
    assert lost.shape == (5,)
    assert torch.isfinite(lost).all()
    gradients = torch.autograd.grad(lost.sum(), list(network.parameters()), allow_unused=True)
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
    inside = torch.rand(x.shape) * 0.9 + 0.05
    assert loss.unlink(inside).shape[1:] == loss.output_shape(network.shape)
    assert torch.allclose(loss.mean(loss.unlink(inside)), inside, atol=1e-5)


@pytest.mark.parametrize("part", of(Loss), ids=lambda part: part.__name__)
def test_a_missing_cell_is_never_scored(part: type[Loss]) -> None:
    loss, network, x = made_for(part)
    loss, network = loss.eval(), network.eval()
    known = torch.rand(x.shape) < 0.6
    other = torch.where(known, x, 99.0)
    assert torch.equal(loss(network(x, known)), loss(network(other, known)))
    nothing = torch.zeros(x.shape, dtype=torch.bool)
    assert torch.allclose(loss(network(x, nothing)), torch.zeros(5))


@pytest.mark.parametrize("part", of(Penalty), ids=lambda part: part.__name__)
def test_a_penalty_is_a_price_with_gradients(part: type[Penalty]) -> None:
    bottleneck = next(b for b in of(Bottleneck) if issubclass(b.gives, part.needs))
    bounded = part.__name__ == "TargetActivity"
    for _ in range(20):  # thresholds learn from values near them, and silent units only where there are some
        network = network_for(find(Bottleneck, "identity")(activation="sigmoid") if bounded else bottleneck())
        penalty = part().beside(find(Loss, "squared_error")()).build(network)
        if penalty_has_gradients(penalty, network):
            return
    pytest.fail("never a gradient")


def penalty_has_gradients(penalty: Penalty, network: Network) -> bool:
    penalty.meet(network(torch.rand(5, 6)), network)
    trip = network(torch.rand(5, 6))
    price = penalty(trip, network)
    assert price.shape in ((), (5,))
    assert torch.isfinite(price).all()
    gradients = torch.autograd.grad(price.mean(), list(network.parameters()), allow_unused=True, retain_graph=True)
    assert torch.isfinite(penalty(network(torch.rand(1, 6)), network)).all()
    with torch.no_grad():
        assert torch.isfinite(penalty.eval()(network.eval()(torch.rand(5, 6)), network)).all()
    return any(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)


@pytest.mark.parametrize("part", [p for p in of(Penalty) if issubclass(p, Rival)], ids=lambda part: part.__name__)
def test_a_rival_learns_from_its_own_loss_alone(part: type[Rival]) -> None:
    bottleneck = next(b for b in of(Bottleneck) if issubclass(b.gives, part.needs))
    network = network_for(bottleneck())
    rival = part().build(network)
    trip = network(torch.rand(5, 6))
    weights = list(rival.parameters())
    assert weights
    lost = rival.loss(trip.detached(), network)
    assert lost.shape == ()
    reached = torch.autograd.grad(lost, [*weights, *network.parameters()], allow_unused=True)
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in reached[: len(weights)])
    assert all(gradient is None or gradient.abs().sum() == 0 for gradient in reached[len(weights) :])


@pytest.mark.parametrize("part", of(Schedule), ids=lambda part: part.__name__)
def test_a_schedule_stays_between_nothing_and_all(part: type[Schedule]) -> None:
    factors = [part().factor(step / 1000) for step in range(1, 1001)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) > 0.99


@pytest.mark.parametrize("part", of(Optimizer), ids=lambda part: part.__name__)
def test_an_optimizer_goes_downhill(part: type[Optimizer]) -> None:
    torch.manual_seed(0)
    network = network_for(find(Bottleneck, "identity")())
    objective = Objective(find(Loss, "squared_error")()).build(network)
    made = part().build(network.parameters(), 0.01)
    x = torch.randn(64, 6)
    losses = []
    for _ in range(100):
        made.zero_grad()
        cost = objective(objective.travel(network, Batch(x)), network).total
        cost.backward()
        made.step()
        losses.append(float(cost.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_errors_can_be_caught_by_their_builtin_kinds() -> None:
    assert issubclass(DivergedError, ArithmeticError)


def test_a_part_of_ones_own_is_one_class() -> None:
    from dataclasses import field  # noqa: F401 - users need nothing else

    from diabolo import Autoencoder
    from diabolo.core import Code, parameters

    @parameters
    class Spherical(Bottleneck):
        """Codes on the unit sphere."""

        size: int | None = None

        def build(self, width: int) -> Spherical:
            self.project = nn.Linear(width, self.size or 2)
            return self

        def forward(self, features: torch.Tensor) -> Code:
            return Code(nn.functional.normalize(self.project(features), dim=-1))

    model = Autoencoder(code_size=3, bottleneck="spherical", epochs=1, random_state=0)
    codes = model.fit(torch.rand(50, 4).numpy()).transform(torch.rand(5, 4).numpy())
    assert codes.shape == (5, 3)
    assert torch.allclose(torch.tensor(codes).norm(dim=1), torch.ones(5), atol=1e-5)


@pytest.mark.parametrize("part", ALL, ids=lambda part: part.__name__)
def test_a_truth_is_true_or_false(part: type[Part]) -> None:
    for field in dataclasses.fields(part):
        if field.type == "bool":
            with pytest.raises(TypeError, match=f"{part.__name__}: {field.name} came as 'no'; it must be True or"):
                part(**{field.name: "no"}).check()

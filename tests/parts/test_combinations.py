"""Every combination that makes sense makes a round trip; every other is refused before training, with advice."""

from __future__ import annotations

import itertools

import pytest
import torch

import diabolo.estimators  # noqa: F401 - loads every part
from diabolo.core import (
    Architecture,
    Batch,
    Bottleneck,
    Corruption,
    Loss,
    Network,
    Objective,
    Penalty,
    check_match,
    every,
)
from diabolo.core.parts import Part
from diabolo.core.several import Several


def of(kind: type[Part]) -> list[type]:
    return [part for part in every(kind) if part.__module__.startswith("diabolo.") and not issubclass(part, Several)]


EVERY = list(itertools.product(of(Corruption), of(Architecture), of(Bottleneck), of(Loss), [None, *of(Penalty)]))


@pytest.mark.parametrize("parts", EVERY, ids=lambda parts: "-".join(p.__name__ if p else "free" for p in parts))
def test_parts_compose(parts: tuple[type, type, type, type, type | None]) -> None:
    corruption, architecture, bottleneck, loss, penalty = parts
    if penalty is not None and not issubclass(bottleneck.gives, penalty.needs):
        with pytest.raises(ValueError, match=r"needs a \w+, but \w+ gives a \w+\. Bottlenecks that fit: \w+"):
            check_match(bottleneck(2), penalty())
        return
    check_match(bottleneck(2), penalty and penalty())
    network = Network((6, 5, 1), architecture(), bottleneck(2), corruption())
    objective = Objective(loss(), penalty and penalty()).build(network)
    x = torch.rand(7, 6, 5, 1)
    known = torch.rand(7, 6, 5, 1) < 0.8
    cost = objective(objective.travel(network, Batch(x, known)), network)
    cost.total.backward()
    assert torch.isfinite(cost.total)
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())
    network.eval()
    objective.eval()
    trip = objective.travel(network, Batch(x, known))
    assert trip.output.shape == x.shape
    assert objective.per_sample(trip, network).shape == (7,)


def test_penalties_add_up() -> None:
    from diabolo import KL, Gaussian

    both = KL(1.0) + KL(0.5, free_nats=0.1)
    assert [term.weight for term in both.terms()] == [1.0, 0.5]
    assert both.clone().set_params(kl_2__weight=3.0).terms()[1].weight == 3.0
    assert both.terms()[1].weight == 0.5
    check_match(Gaussian(2), both)

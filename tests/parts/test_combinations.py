"""Every combination that makes sense makes a round trip; every other is refused before training, with advice.

There are more than a hundred thousand combinations. Here every architecture meets every bottleneck and every penalty,
with corruptions and losses taking turns, so that every two parts meet. ``DIABOLO_EVERY_COMBINATION=1`` runs them all.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator

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

Combination = tuple[type[Corruption], type[Architecture], type[Bottleneck], type[Loss], type[Penalty] | None]
SHAPES = [(12, 10, 1), (8, 3), (6,)]


def of(kind: type[Part]) -> list[type]:
    return [part for part in every(kind) if part.__module__.startswith("diabolo.") and not issubclass(part, Several)]


CORRUPTIONS, LOSSES, PENALTIES = of(Corruption), of(Loss), [None, *of(Penalty)]
PAIRS = list(itertools.product(of(Architecture), of(Bottleneck)))


def combinations(architecture: type[Architecture], bottleneck: type[Bottleneck]) -> Iterator[Combination]:
    """All of two parts with every penalty; with every corruption and loss, or those whose turn it is."""
    if os.environ.get("DIABOLO_EVERY_COMBINATION"):
        for corruption, loss, penalty in itertools.product(CORRUPTIONS, LOSSES, PENALTIES):
            yield corruption, architecture, bottleneck, loss, penalty
        return
    turn = PAIRS.index((architecture, bottleneck))
    for place, penalty in enumerate(PENALTIES):
        corruption = CORRUPTIONS[(2 * turn + 3 * place + turn // len(LOSSES)) % len(CORRUPTIONS)]
        yield corruption, architecture, bottleneck, LOSSES[(turn + place) % len(LOSSES)], penalty


def made(parts: Combination, shape: tuple[int, ...]) -> tuple[Network, Objective]:
    """Network and objective for samples of a shape."""
    corruption, architecture, bottleneck, loss, penalty = parts
    judged = loss()
    network = Network(shape, architecture(), bottleneck(2), corruption(), judged.output_shape(shape))
    return network, Objective(judged, penalty and penalty()).build(network)


def samples(objective: Objective, shape: tuple[int, ...]) -> Batch:
    """Seven samples between 0 and 1, whole where counts are wanted, with holes."""
    torch.manual_seed(0)
    x = torch.rand(7, *shape)
    return Batch(x.round() if objective.loss.needs_counts else x, torch.rand(x.shape) < 0.8)


def travels(parts: Combination) -> bool:
    """Whether the parts fit some kind of sample; if they do, they make a round trip with gradients."""
    for shape in SHAPES:
        try:
            network, objective = made(parts, shape)
            objective.eval().meet(network.eval(), samples(objective, shape))
        except ValueError as error:
            refusal = str(error)
        else:
            journey(network.train(), objective.train(), samples(objective, shape))
            return True
        assert re.search(r"\d.*\b([Uu]se|[Gg]ive|takes?|needs?)\b|\b([Uu]se|[Gg]ive|takes?|needs?)\b.*\d", refusal), (
            refusal
        )
    return False


def journey(network: Network, objective: Objective, batch: Batch) -> None:
    """A trip while training, and one when it is over."""
    trip = objective.travel(network, batch)
    cost = objective(trip, network)
    total = sum(objective.rivalry(trip, network).values(), start=cost.total)
    total.backward()
    assert torch.isfinite(total)
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())
    network.eval()
    objective.eval()
    with torch.no_grad():
        trip = objective.travel(network, batch)
        expected = objective.loss.mean(trip.output)
        assert expected.shape == batch.values.shape
        assert torch.isfinite(expected).all()
        assert objective.per_sample(trip, network).shape == (len(batch),)


@pytest.mark.parametrize(("architecture", "bottleneck"), PAIRS, ids=lambda part: part.__name__)
def test_parts_compose_or_are_refused(architecture: type[Architecture], bottleneck: type[Bottleneck]) -> None:
    went = 0
    for parts in combinations(architecture, bottleneck):
        penalty = parts[-1]
        if penalty is not None and not issubclass(bottleneck.gives, penalty.needs):
            with pytest.raises(ValueError, match=r"needs a \w+, but \w+ gives a \w+\. Bottlenecks that fit: \w+"):
                check_match(bottleneck(2), penalty())
            continue
        check_match(bottleneck(2), penalty and penalty())
        try:
            went += travels(parts)
        except Exception as error:
            error.add_note("-".join(part.__name__ if part else "free" for part in parts))
            raise
    assert went


def test_every_two_parts_meet() -> None:
    met = {
        pair
        for architecture, bottleneck in PAIRS
        for parts in combinations(architecture, bottleneck)
        for pair in itertools.combinations(parts, 2)
    }
    kinds = [CORRUPTIONS, of(Architecture), of(Bottleneck), LOSSES, PENALTIES]
    wanted = {pair for first, second in itertools.combinations(kinds, 2) for pair in itertools.product(first, second)}
    assert len(wanted - met) == 0


def test_penalties_add_up() -> None:
    from diabolo import KL, Gaussian

    both = KL(1.0) + KL(0.5, free_nats=0.1)
    assert [term.weight for term in both.terms()] == [1.0, 0.5]
    assert both.clone().set_params(kl_2__weight=3.0).terms()[1].weight == 3.0
    assert both.terms()[1].weight == 0.5
    check_match(Gaussian(2), both)


def test_corruptions_come_one_after_the_other() -> None:
    from diabolo import GaussianNoise, Masking

    both = GaussianNoise(0.1) + Masking(0.5)
    view = both.build((50,))(torch.ones(20, 50))
    assert view.hidden is not None
    assert bool((view.values[view.hidden] == 0).all())
    assert 0.05 < float(view.values[~view.hidden].std()) < 0.2
    assert both.clone().set_params(masking__share=0.0).steps()[1].share == 0.0
    assert both.steps()[1].share == 0.5

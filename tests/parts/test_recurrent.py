"""Laws of recurrent networks: padding changes nothing, what is hidden is never read, the last step is told first."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from diabolo import Clean, Gaussian, Identity, Recurrent, ShapeError, SquaredError
from diabolo.architectures.recurrent import Backwards, LastState
from diabolo.core import Batch, Network, Objective, View

KINDS = [
    Recurrent("lstm", hidden=8),
    Recurrent("gru", hidden=8),
    Recurrent("lstm", hidden=8, layers=2, bidirectional=True),
    Recurrent("gru", hidden=8, bidirectional=True, marks_holes=True),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


def padded(x: torch.Tensor, absent: int, content: float = 0.0) -> View:
    """The same sequences behind so many hidden steps."""
    front = torch.full((len(x), absent, x.shape[2]), content)
    hidden = torch.zeros(len(x), absent + x.shape[1], dtype=torch.bool)
    hidden[:, :absent] = True
    return View(torch.cat([front, x], 1), hidden[..., None].expand(-1, -1, x.shape[2]))


@each_kind
@pytest.mark.parametrize("absent", [1, 7])
def test_padding_changes_no_code(kind: Recurrent, absent: int) -> None:
    encoder, width = kind.encoder((9, 3))
    x = torch.randn(5, 9, 3)
    plain = encoder(View(x))
    assert plain.shape == (5, width)
    for content in (0.0, 1e3):  # whatever stands there
        assert torch.allclose(encoder(padded(x, absent, content)), plain, atol=1e-6)


@each_kind
def test_a_sequence_is_coded_alike_among_longer_ones(kind: Recurrent) -> None:
    encoder, _ = kind.encoder((12, 2))
    x, lengths = torch.randn(6, 12, 2), torch.tensor([12, 1, 5, 12, 3, 8])
    hidden = (torch.arange(12) < 12 - lengths[:, None])[..., None].expand_as(x)
    together = encoder(View(x.masked_fill(hidden, 0.0), hidden))
    for row, length in enumerate(lengths.tolist()):
        alone = encoder(View(x[row : row + 1, 12 - length :]))
        assert torch.allclose(together[row], alone[0], atol=1e-6)
    assert not torch.allclose(together[2], encoder(View(x))[2], atol=1e-3)  # the front does count where it is known


@each_kind
def test_a_mask_of_steps_is_a_mask_of_cells(kind: Recurrent) -> None:
    encoder, _ = kind.encoder((6, 2))
    x, steps = torch.randn(4, 6, 2), torch.rand(4, 6) < 0.4
    view = View(x).without(steps[..., None].expand_as(x))
    assert torch.equal(encoder(view), encoder(View(view.values, steps)))


@each_kind
def test_what_is_hidden_is_never_read(kind: Recurrent) -> None:
    network = Network((7, 2), kind, Gaussian(3), Clean()).eval()
    x, known = torch.randn(20, 7, 2), torch.rand(20, 7, 2) < 0.5
    trip = network(x, known)
    other = network(torch.where(known, x, torch.nan), known)
    assert torch.equal(trip.output, other.output)


@each_kind
def test_rows_of_which_all_is_hidden_do_not_crash(kind: Recurrent) -> None:
    network = Network((5, 2), kind, Identity(2), Clean())
    for rows in (1, 3):
        trip = network(torch.randn(rows, 5, 2), torch.zeros(rows, 5, 2, dtype=torch.bool))
        assert torch.isfinite(trip.output).all()
        trip.output.sum().backward()


def test_marks_tell_a_hole_from_a_zero() -> None:
    x, hidden = torch.randn(1, 6, 1), torch.zeros(1, 6, 1, dtype=torch.bool)
    x[0, 3], hidden[0, 3] = 0.0, True
    for marks_holes in (False, True):
        encoder, _ = Recurrent(hidden=8, marks_holes=marks_holes).encoder((6, 1))
        assert torch.equal(encoder(View(x)), encoder(View(x, hidden))) is not marks_holes


@each_kind
def test_the_last_step_is_told_first(kind: Recurrent) -> None:
    decoder = kind.decoder(3, (9, 2))
    assert isinstance(decoder, Backwards)
    code = torch.randn(4, 3)
    told: list[torch.Tensor] = []
    decoder.network.register_forward_hook(lambda module, given, out: told.append(out[0]))
    steps = decoder(code)
    assert torch.allclose(decoder.out(told[0][:, 0]) + decoder.bias.view(9, 2)[-1], steps[:, -1], atol=1e-6)
    # what is told later depends on what was told before, and not the other way round
    with torch.no_grad():
        decoder.places[4] += 1.0
    moved = (decoder(code) - steps).abs().sum((0, 2)) > 0
    assert moved.tolist() == [True] * 5 + [False] * 4


@each_kind
def test_no_gradient_comes_from_padding(kind: Recurrent) -> None:
    network = Network((8, 2), kind, Identity(2), Clean())
    objective = Objective(SquaredError()).build(network)
    x = torch.randn(4, 8, 2, requires_grad=True)
    known = torch.ones(4, 8, 2, dtype=torch.bool)
    known[:, :3] = False
    trip = objective.travel(network, Batch(x, known))
    trip.output.retain_grad()
    objective(trip, network).total.backward()
    assert x.grad is not None
    assert trip.output.grad is not None
    assert (x.grad[:, :3] == 0).all()
    assert (trip.output.grad[:, :3] == 0).all()
    assert (x.grad[:, 3:] != 0).any()


def test_forget_gates_begin_open_and_decoders_at_the_mean() -> None:
    decoder = Recurrent(hidden=4, layers=2).decoder(3, (6, 2))
    assert isinstance(decoder, Backwards)
    for layer in (0, 1):
        assert (getattr(decoder.network, f"bias_ih_l{layer}")[4:8] == 1).all()
    mean = torch.randn(6, 2)
    Recurrent().start(decoder, mean)
    nn.init.zeros_(decoder.out.weight)
    assert torch.allclose(decoder(torch.randn(1, 3))[0], mean)


def test_both_directions_end_at_the_ends() -> None:
    encoder, width = Recurrent(hidden=4, bidirectional=True).encoder((5, 1))
    assert isinstance(encoder, LastState)
    x = torch.randn(2, 5, 1)
    assert width == 8
    backwards, _ = encoder.ways[1](x.flip(1))
    assert torch.allclose(encoder(View(x))[:, 4:], backwards[:, -1], atol=1e-6)


@pytest.mark.parametrize("shape", [(6,), (5, 4, 2), (28, 28, 1), (2, 3, 4, 5)])
def test_what_is_no_sequence_is_refused_with_advice(shape: tuple[int, ...]) -> None:
    for make in (Recurrent().encoder, lambda shape: Recurrent().decoder(2, shape)):
        with pytest.raises(
            ShapeError, match=r"\(positions, channels\).*SequenceAutoencoder.*MLP takes any shape"
        ) as caught:
            make(shape)
        assert str(shape) in str(caught.value)


def test_curvature_can_be_asked_for() -> None:
    encoder, _ = Recurrent("gru", hidden=4).encoder((5, 2))
    x = torch.randn(3, 5, 2, requires_grad=True)
    slope = torch.autograd.grad(encoder(View(x)).sum(), x, create_graph=True)[0]
    slope.square().sum().backward()
    assert all(weight.grad is not None for weight in encoder.parameters())

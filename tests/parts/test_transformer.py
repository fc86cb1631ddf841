"""Tokens: cut and joined without loss, hidden ones never read and never computed."""

from __future__ import annotations

import pytest
import torch

from diabolo import BlockMasking, Clean, GaussianLikelihood, HeteroscedasticGaussian, Identity, ShapeError
from diabolo.architectures.transformer import Block, ColumnCutting, Cutting, SampleEncoder, Transformer
from diabolo.core import Batch, Network, Objective, View
from diabolo.core.patches import usual_side
from diabolo.training.precision import Working

SHAPES = [(1,), (7,), (70,), (11, 2), (1, 1, 1), (28, 28, 1), (5, 8, 3), (3, 4, 5, 2)]


def encoder_of(shape: tuple[int, ...], codes: str, patch: int | None = 2) -> SampleEncoder:
    torch.manual_seed(0)
    encoder, _ = Transformer(patch, width=16, heads=2, codes=codes).encoder(shape)
    assert isinstance(encoder, SampleEncoder)
    return encoder


def random_masks(shape: tuple[int, ...], rows: int = 6) -> torch.Tensor:
    """Whole patches of side 2 hidden, other cells singly, and one row as a whole; seldom equally many in two rows."""
    corruption = BlockMasking(0.5, side=2).build(shape)
    hidden = corruption(torch.ones(rows, *shape)).hidden
    hidden = hidden | (torch.rand(rows, *shape) < torch.linspace(0, 0.5, rows).view(-1, *[1] * len(shape)))
    hidden[-1] = True
    return hidden


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [1, 2, 3, 9])
def test_cutting_and_joining_restores_every_cell(shape: tuple[int, ...], side: int) -> None:
    x = torch.rand(2, *shape)
    cutting = Cutting(shape, side)
    tokens = cutting.cut(x, 0.0)
    assert tokens.shape == (2, cutting.count, cutting.cells)
    assert torch.equal(cutting.join(tokens), x)
    assert float(tokens.sum()) == pytest.approx(float(x.sum()), rel=1e-5)


def test_a_token_is_a_square_of_neighbors() -> None:
    x = torch.arange(16.0).view(1, 4, 4, 1)
    assert Cutting((4, 4, 1), 2).cut(x, 0.0)[0].tolist() == [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
        [8, 9, 12, 13],
        [10, 11, 14, 15],
    ]


@pytest.mark.parametrize("codes", ["sample", "token"])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_comes_back(shape: tuple[int, ...], codes: str) -> None:
    network = Network(shape, Transformer(width=8, heads=2, codes=codes), Identity(3), Clean())
    assert network(torch.rand(2, *shape)).output.shape == (2, *shape)


@pytest.mark.parametrize("shape", [(16,), (40, 2), (28, 28, 1), (9, 7, 3)])
def test_tokens_are_what_is_hidden_together(shape: tuple[int, ...]) -> None:
    corruption = BlockMasking(0.5).build(shape)
    cutting = Transformer().cutting(shape)
    hidden = cutting.cut(corruption(torch.rand(5, *shape)).hidden.float(), 1.0)
    assert set(hidden.mean(-1).unique().tolist()) <= {0.0, 1.0} or min(shape[:-1], default=0) % cutting.side
    assert bool(((hidden.amin(-1) == 1).sum(1) == corruption.hidden_count).all())
    assert cutting.side == usual_side(shape)


@pytest.mark.parametrize("codes", ["sample", "token"])
@pytest.mark.parametrize("shape", [(9,), (9, 2), (5, 6, 1)])
@pytest.mark.parametrize("training", [True, False])
def test_a_hidden_cell_is_never_read(shape: tuple[int, ...], codes: str, training: bool) -> None:
    torch.manual_seed(0)
    network = Network(shape, Transformer(2, width=16, heads=2, codes=codes), Identity(3), Clean()).train(training)
    x, known = torch.randn(6, *shape), ~random_masks(shape)
    other = torch.where(known, x, torch.full_like(x, float("nan")))
    assert torch.equal(network(x, known).output, network(other, known).output)
    seen = known.clone()
    seen[0] = True
    assert not torch.equal(network(x, known).output[0], network(x, seen).output[0])


@pytest.mark.parametrize("codes", ["sample", "token"])
@pytest.mark.parametrize("shape", [(9,), (9, 2), (5, 6, 1)])
def test_computing_visible_tokens_only_is_masking_the_others(shape: tuple[int, ...], codes: str) -> None:
    encoder = encoder_of(shape, codes)
    view = View(torch.randn(6, *shape)).without(random_masks(shape))
    assert torch.allclose(encoder.train()(view), encoder.eval()(view), atol=1e-5)
    nothing = View(torch.randn(6, *shape)).without(torch.ones(6, *shape, dtype=torch.bool))
    assert torch.allclose(encoder.train()(nothing), encoder.eval()(nothing), atol=1e-5)
    assert torch.isfinite(encoder(nothing)).all()
    whole = View(torch.randn(6, *shape))
    marked = View(whole.values, torch.zeros(6, *shape, dtype=torch.bool))
    assert torch.allclose(encoder.train()(whole), encoder(marked), atol=1e-6)


def test_hidden_tokens_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, seen = encoder_of((8, 8, 1), "token").train(), []
    forward = Block.forward
    monkeypatch.setattr(
        Block, "forward", lambda self, x, attended: (seen.append(x.shape[1]), forward(self, x, attended))[1]
    )
    encoder(BlockMasking(0.75, side=2).build((8, 8, 1))(torch.rand(3, 8, 8, 1)))
    encoder(View(torch.rand(3, 8, 8, 1)))
    assert seen == [5, 5, 17, 17]  # of 16 tokens, and the one that gathers


def test_a_hole_is_told_from_a_zero_and_the_edge_from_neither() -> None:
    encoder = encoder_of((4,), "sample").eval()
    torch.nn.init.normal_(encoder.marks.weight)  # training that hides parts of tokens does this
    zero = torch.zeros(1, 4)
    hole = torch.tensor([[True, False, False, False]])
    assert not torch.allclose(encoder(View(zero)), encoder(View(zero, hole)))
    edge = encoder_of((3, 1), "token").eval()
    view = View(torch.randn(1, 3, 1)).without(torch.tensor([[[False], [False], [True]]]))
    assert torch.equal(edge(view)[0, 1], edge.unseen)  # the last token has one cell, and it is hidden


@pytest.mark.parametrize("codes", ["sample", "token"])
def test_a_row_is_the_same_bits_alone_and_among_others(codes: str) -> None:
    shape = (12,)
    encoder = encoder_of(shape, codes).eval()
    x, hidden = torch.randn(640, *shape), torch.rand(640, *shape) < 0.5
    hidden[:64] = False
    together = encoder(View(x).without(hidden))
    for start in (0, 64, 576):
        part = slice(start, start + 64)
        assert torch.equal(encoder(View(x[part]).without(hidden[part])), together[part])
    assert torch.equal(encoder(View(x[:64])), together[:64])


@pytest.mark.parametrize("codes", ["sample", "token"])
def test_it_computes_in_half_precision(codes: str) -> None:
    network = Network((6, 6, 1), Transformer(2, width=16, heads=2, codes=codes), Identity(3), BlockMasking(0.5, 2))
    working = Working(network, "bfloat16")
    with working.context():
        trip = working.network(torch.rand(4, 6, 6, 1), torch.rand(4, 6, 6, 1) < 0.9)
    loss = trip.float().output.square().sum()
    gradients = torch.autograd.grad(loss, working.copies, allow_unused=True)
    assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("shape", [(6,), (5, 5, 2)])
def test_decoders_begin_at_the_mean(shape: tuple[int, ...]) -> None:
    architecture, mean = Transformer(width=16, heads=2), torch.rand(shape)
    decoder = architecture.decoder(3, shape)
    architecture.start(decoder, mean)
    assert torch.allclose(decoder(torch.randn(50, 3)), mean.expand(50, *shape), atol=0.5)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"width came as 10 and heads as 4; width must be a multiple of heads, such as 8"
    ):
        Transformer(width=10).check()
    with pytest.raises(ShapeError, match="holds no numbers"):
        Transformer().encoder((0,))
    loss = HeteroscedasticGaussian()
    with pytest.raises(ShapeError, match="Use codes='sample'"):
        Network((6,), Transformer(codes="token"), Identity(2), Clean(), loss.output_shape((6,)))
    network = Network((6, 6, 1), Transformer(codes="token"), Identity(2), Clean(), loss.output_shape((6, 6, 1)))
    assert network(torch.rand(2, 6, 6, 1)).output.shape == (2, 6, 6, 2)


def test_gradients_reach_every_weight_that_is_used() -> None:
    network = Network((6, 6, 1), Transformer(2, width=16, heads=2, codes="token"), Identity(3), BlockMasking(0.5, 2))
    objective = Objective(GaussianLikelihood()).build(network)
    cost = objective(objective.travel(network, Batch(torch.rand(4, 6, 6, 1))), network).total
    weights = [weight for name, weight in network.named_parameters() if "marks" not in name]  # nothing hides parts here
    gradients = torch.autograd.grad(cost, weights, allow_unused=True)
    assert all(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)


@pytest.mark.parametrize("side", [1, 2, 3, 9])
@pytest.mark.parametrize("widths", [(1,), (1, 1, 1), (3, 1, 5, 2), (7, 1, 1, 1, 4)])
def test_columns_of_unequal_width_are_cut_and_joined(widths: tuple[int, ...], side: int) -> None:
    x = torch.rand(2, sum(widths)) + 1
    cutting = ColumnCutting((sum(widths),), side, widths)
    tokens = cutting.cut(x, 0.0)
    assert tokens.shape == (2, cutting.count, cutting.cells)
    assert cutting.count == -(-len(widths) // side)
    assert torch.equal(cutting.join(tokens), x)
    assert float(tokens.sum()) == pytest.approx(float(x.sum()), rel=1e-5)
    first = cutting.cut(x, -1.0)[:, 0]
    assert torch.equal(first[first > 0].view(2, -1), x[:, : sum(widths[:side])])


@pytest.mark.parametrize("codes", ["sample", "token"])
def test_columns_are_tokens_and_hidden_ones_are_never_read(codes: str) -> None:
    torch.manual_seed(0)
    widths = (1, 4, 2)
    plan, corruption = Transformer(width=16, heads=2, codes=codes), BlockMasking(0.5)
    plan.of_columns(widths)
    corruption.of_columns(widths)
    network = Network((7,), plan, Identity(3), corruption).eval()
    cutting = plan.cutting((7,))
    assert cutting.count == 3
    hidden = cutting.cut(corruption(torch.rand(5, 7)).hidden.float(), 1.0)
    assert set(hidden.mean(-1).unique().tolist()) == {0.0, 1.0} or set(hidden.amin(-1).unique().tolist()) == {0.0, 1.0}
    x, known = torch.randn(6, 7), torch.rand(6, 7) < 0.6
    other = torch.where(known, x, torch.full_like(x, float("nan")))
    assert torch.equal(network(x, known).output, network(other, known).output)


def test_a_loss_of_several_numbers_per_cell_keeps_columns() -> None:
    plan = Transformer(width=8, heads=2)
    plan.of_columns((1, 3))
    network = Network((4,), plan, Identity(2), Clean(), HeteroscedasticGaussian().output_shape((4,)))
    assert network(torch.rand(2, 4)).output.shape == (2, 8)

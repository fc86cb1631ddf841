"""Laws of codes that are whole numbers."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo import (
    MLP,
    VQVAE,
    Autoencoder,
    Clean,
    Codebook,
    Commitment,
    Conv,
    FiniteScalar,
    FiniteScalarAutoencoder,
    GaussianLikelihood,
    Identity,
    ResidualCodebook,
    ShapeError,
    load,
)
from diabolo.bottlenecks.quantized import Quantizer, Words, straight_through
from diabolo.core import Batch, DataError, Network, Objective, QuantizedCode, RoundTrip, View
from diabolo.diagnosis import CodebookUsage, codebook_usage
from diabolo.training import Checkpointer, Resident, Watcher, train
from diabolo.training.checkpoint import Checkpoint

QUANTIZERS = [Codebook(6, words=12, groups=2), ResidualCodebook(6, words=12, depth=3), FiniteScalar(6, levels=5)]


@pytest.fixture(autouse=True)
def _seeded() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def met(bottleneck: Quantizer, features: Tensor) -> Quantizer:
    """A fresh bottleneck that has seen some features, ready for inference."""
    made = bottleneck.clone().build(features.shape[-1])
    made.meet(features)
    return made.eval()


def lost(bottleneck: Quantizer, features: Tensor) -> float:
    code = bottleneck(features)
    return float((code.wanted - code.chosen).square().mean().detach())


def test_the_nearest_word_really_is_the_nearest() -> None:
    book = Words(groups=3, words=40, width=2, decay=0.9, expiry=0.0)
    wanted = torch.randn(500, 3, 2)
    distances = (wanted[:, :, None] - book.words).square().sum(-1)
    found = distances.gather(-1, book.nearest(wanted)[..., None])[..., 0]
    assert torch.allclose(found, distances.min(-1).values, atol=1e-5)


def test_a_codebook_is_idempotent() -> None:
    features = torch.randn(300, 8)
    bottleneck = met(Codebook(6, words=12, groups=2), features)
    code = bottleneck(features)
    again = bottleneck.book.nearest(code.chosen.reshape(300, 2, 3))
    assert torch.equal(again, code.symbols)
    assert torch.equal(bottleneck.look_up(again), code.values)


@pytest.mark.parametrize("bottleneck", QUANTIZERS, ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("positions", [(), (3, 2)])
def test_symbols_hold_all_that_the_decoder_gets(bottleneck: Quantizer, positions: tuple[int, ...]) -> None:
    features = torch.randn(50, *positions, 8)
    made = met(bottleneck, features)
    code = made(features)
    assert code.symbols.shape == (50, *positions, len(made.alphabet))
    assert code.alphabet == made.alphabet
    assert (code.symbols.flatten(0, -2).amax(0) < torch.tensor(made.alphabet)).all()
    assert code.symbols.min() >= 0
    assert torch.equal(made.look_up(code.symbols), code.values)


@pytest.mark.parametrize("bottleneck", QUANTIZERS, ids=lambda b: type(b).__name__)
def test_a_code_does_not_depend_on_its_companions(bottleneck: Quantizer) -> None:
    features = torch.randn(64 * 50, 8)
    made = met(bottleneck, features)
    together = made(features)
    apart = [made(features[start : start + 64]) for start in range(0, len(features), 64)]
    assert torch.equal(torch.cat([code.symbols for code in apart]), together.symbols)
    assert torch.equal(torch.cat([code.values for code in apart]), together.values)


def test_products_are_cut_where_they_would_be_large() -> None:
    book = Words(groups=1, words=5000, width=2, decay=0.9, expiry=0.0)
    wanted = torch.randn(700, 1, 2)
    assert book.together < 700
    whole = torch.cdist(wanted[:, 0], book.words[0]).min(1).values
    assert torch.allclose((wanted - book.look_up(book.nearest(wanted))).norm(dim=-1)[:, 0], whole, atol=1e-3)
    sums, counts = book._gather(wanted, book.nearest(wanted))
    assert float(counts.sum()) == 700
    assert torch.allclose(sums.sum(1), wanted.sum(0), atol=1e-3)


def test_more_depth_leaves_less_residual() -> None:
    features = torch.randn(400, 8)
    left = []
    for depth in (1, 2, 3, 4):
        torch.manual_seed(1)
        left.append(lost(met(ResidualCodebook(6, words=8, depth=depth), features), features))
    assert all(deeper < 0.8 * before for before, deeper in itertools.pairwise(left))


def test_gradients_pass_straight_through() -> None:
    wanted = torch.randn(5, 3, requires_grad=True)
    chosen, pull = torch.randn(5, 3), torch.randn(5, 3)
    values = straight_through(chosen, wanted)
    assert torch.equal(values, chosen)
    assert torch.equal(torch.autograd.grad((values * pull).sum(), wanted)[0], pull)
    features = torch.randn(5, 8)
    for bottleneck in (Codebook(3, words=4), ResidualCodebook(3, words=4, depth=2)):
        made = met(bottleneck, torch.randn(90, 8))
        weight = made.project.weight
        (ours,) = torch.autograd.grad((made(features).values * pull).sum(), weight)
        (plain,) = torch.autograd.grad((made.project(features) * pull).sum(), weight)
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8])
def test_finite_scalars_are_a_bijection_of_their_grid(levels: int) -> None:
    made = met(FiniteScalar(2, levels=levels), torch.randn(500, 8) * 9)
    every = torch.tensor(list(itertools.product(range(levels), repeat=2)))
    grid = made.look_up(every)
    assert len(torch.unique(grid, dim=0)) == levels**2
    assert torch.allclose(grid, -grid.flip(0), atol=1e-6)  # symmetrical around zero
    assert (bool((grid == 0).any())) == (levels % 2 == 1)
    assert float(grid.abs().max()) == pytest.approx(1)
    reached = made(torch.randn(500, 8) * 9).symbols
    assert len(torch.unique(reached, dim=0)) == levels**2
    # whatever lies on the grid stays there
    with torch.no_grad():
        made.project.weight.copy_(torch.eye(2, 8))
        made.project.bias.zero_()
        made.mean.zero_()
        made.variance.fill_(1.0)
    inputs = torch.zeros(levels**2, 8)
    inputs[:, :2] = torch.atanh(grid * (1 - 1e-6))
    assert torch.equal(made(inputs).symbols, every)


def test_finite_scalars_keep_all_levels_in_use_however_the_weights_grow() -> None:
    features = torch.randn(256, 8)
    made = met(FiniteScalar(4, levels=8), features).train()
    with torch.no_grad():
        made.project.weight.mul_(100.0)
        made.project.bias.add_(500.0)
        for _ in range(80):
            made(features)
    assert all(len(torch.unique(made.eval()(features).symbols[:, channel])) == 8 for channel in range(4))


def test_a_start_from_data_beats_a_random_one() -> None:
    features = torch.randn(500, 8) @ torch.randn(8, 8)
    fresh = Codebook(4, words=32).build(8).eval()
    random = lost(fresh, features) / float(fresh.project(features).detach().var())
    fresh.meet(features)
    assert torch.allclose(fresh.project(features).std(0, unbiased=False), torch.ones(4), atol=1e-3)
    assert lost(fresh, features) < 0.6 * random
    before = fresh.book.words.clone()
    fresh.book.start(fresh._grouped(fresh.project(features)))
    assert not torch.equal(before, fresh.book.words)  # another draw, another start
    torch.manual_seed(5)
    fresh.book.start(fresh._grouped(fresh.project(features)))
    first = fresh.book.words.clone()
    torch.manual_seed(5)
    fresh.book.start(fresh._grouped(fresh.project(features)))
    assert torch.equal(first, fresh.book.words)


def test_words_become_the_average_of_what_chooses_them() -> None:
    book = Words(groups=1, words=2, width=1, decay=0.9, expiry=0.0)
    book.words.copy_(torch.tensor([[[-1.0], [1.0]]]))
    inputs = torch.tensor([-3.0, -2.0, -1.0, 5.0])[:, None, None]
    for _ in range(300):
        book.follow(inputs, book.nearest(inputs))
    assert torch.allclose(book.words.flatten(), torch.tensor([-2.0, 5.0]), atol=1e-4)
    assert torch.allclose(book.shares.flatten(), torch.tensor([1.5, 0.5]), atol=1e-4)


@pytest.mark.parametrize(("expiry", "back"), [(0.1, True), (0.0, False)])
def test_words_that_nothing_chooses_are_brought_back(expiry: float, back: bool) -> None:
    book = Words(groups=1, words=16, width=2, decay=0.9, expiry=expiry)
    inputs = torch.randn(200, 1, 2)
    book.words.copy_(inputs[:16].transpose(0, 1))
    book.words[:, 1:] += 1000.0  # out of reach
    assert len(torch.unique(book.nearest(inputs))) == 1
    for _ in range(60):
        book.follow(inputs, book.nearest(inputs))
    used = len(torch.unique(book.nearest(inputs)))
    assert used == 16 if back else used == 1


def test_fewer_rows_than_words_and_batches_of_one() -> None:
    for bottleneck in QUANTIZERS:
        for rows in (1, 2, 5):
            features = torch.randn(rows, 8)
            made = met(bottleneck, features).train()
            for _ in range(40):
                code = made(features)
            assert torch.isfinite(code.values).all()
    constant = met(Codebook(6, words=12), torch.ones(7, 8)).train()
    assert torch.isfinite(constant(torch.ones(7, 8)).values).all()


def test_scoring_moves_no_word_and_training_does() -> None:
    features = torch.randn(50, 8)
    for bottleneck in QUANTIZERS:
        made = met(bottleneck, features)
        before = {name: value.clone() for name, value in made.named_buffers()}
        made(features + 1)
        assert all(torch.equal(value, before[name]) for name, value in made.named_buffers())
        places = {name: value.data_ptr() for name, value in made.named_buffers()}
        made.train()(features + 1)
        assert not all(torch.equal(value, before[name]) for name, value in made.named_buffers())
        assert {name: value.data_ptr() for name, value in made.named_buffers()} == places


def test_groups_share_the_channels_evenly() -> None:
    with pytest.raises(ValueError, match="4 groups cannot share 6 channels evenly; groups must be one of 1, 2, 3, 6"):
        Codebook(6, groups=4).build(8)


def test_commitment_is_the_squared_distance_and_pulls_at_the_encoder_only() -> None:
    wanted, chosen = torch.randn(5, 3, 2, requires_grad=True), torch.randn(5, 3, 2, requires_grad=True)
    code = QuantizedCode(chosen, torch.zeros(5, 3, 1, dtype=torch.long), wanted, chosen)
    price = Commitment()(RoundTrip(wanted, None, View(wanted), wanted, code, wanted), None)  # type: ignore[arg-type]
    assert torch.allclose(price, (wanted - chosen).square().sum((1, 2)))
    pull, none = torch.autograd.grad(price.sum(), [wanted, chosen], allow_unused=True)
    assert none is None
    assert torch.allclose(pull, 2 * (wanted - chosen))


def test_usage_of_a_constructed_case() -> None:
    usage = CodebookUsage((np.array([6, 2, 0, 0]), np.array([2, 2, 2, 2])), positions=3)
    entropy = 0.75 * np.log2(4 / 3) + 0.25 * 2
    assert usage.used == 6 / 8
    assert usage.perplexity == pytest.approx([2**entropy, 4.0])
    assert usage.bits == pytest.approx(3 * (entropy + 2))
    assert usage.capacity == pytest.approx(3 * (2 + 2))


def test_usage_counts_the_symbols_of_a_model(digits: np.ndarray) -> None:
    model = VQVAE(code_size=4, words=16, epochs=2, random_state=0).fit(digits)
    usage, symbols = codebook_usage(model, digits), model.symbols(digits)
    for place, counts in enumerate(usage.counts):
        assert counts.tolist() == np.bincount(symbols[:, place], minlength=16).tolist()
    assert usage.positions == 1
    with pytest.raises(ValueError, match="gives a Code, which is not made of symbols"):
        codebook_usage(Autoencoder(epochs=1, random_state=0).fit(digits[:50]), digits)


def parts(bottleneck: Quantizer, seed: int = 0) -> tuple[Network, Objective]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network((8,), MLP(hidden=(16,)), bottleneck.clone(), Clean())
        penalty = Commitment() if issubclass(bottleneck.gives, QuantizedCode) else None
        return network, Objective(GaussianLikelihood(), penalty).build(network)


class Stop(Watcher):
    """Raises after some steps, as a killed process would stop."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, run: Any) -> None:
        self.left -= 1
        if self.left <= 0:
            raise RuntimeError


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("bottleneck", QUANTIZERS, ids=lambda b: type(b).__name__)
def test_a_resumed_run_gives_the_same_bits(bottleneck: Quantizer, precision: str, tmp_path: Path) -> None:
    data = torch.randn(250, 3, generator=torch.Generator().manual_seed(0)) @ torch.randn(3, 8)

    def run(network: Network, objective: Objective, **options: Any) -> None:
        batches, held_out = Resident(Batch(data[:200]), 32, 3), Resident(Batch(data[200:]), 64, 0)
        train(network, objective, batches, epochs=4, seed=3, validation=held_out, precision=precision, **options)

    whole, objective = parts(bottleneck)
    run(whole, objective)
    for name, value in whole.state_dict().items():
        assert value.dtype == torch.float32, name
    for stop in (3, 17):
        path = tmp_path / f"{stop}.checkpoint"
        broken, objective = parts(bottleneck)
        with pytest.raises(RuntimeError):
            run(broken, objective, watchers=[Checkpointer(path, "same", seconds=0.0), Stop(stop)])
        again, objective = parts(bottleneck, seed=9)
        run(again, objective, resume=Checkpoint.read(path, "same"))
        ends = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in ends), f"stopped after step {stop}"


@pytest.mark.parametrize("bottleneck", QUANTIZERS, ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("normalization", ["none", "group"])  # all in bfloat16, and mediated by autocast
def test_half_precision_trains_words_in_full(bottleneck: Quantizer, normalization: str) -> None:
    architecture = Conv(channels=(8,), normalization=normalization, hidden=None)
    network = Network((6, 6, 1), architecture, bottleneck.clone(), Clean())
    objective = Objective(GaussianLikelihood()).build(network)
    before = {name: value.clone() for name, value in network.bottleneck.named_buffers()}
    train(network, objective, Resident(Batch(torch.rand(64, 6, 6, 1)), 32, 0), epochs=2, precision="bfloat16")
    for name, value in network.bottleneck.named_buffers():
        assert value.dtype == torch.float32
        assert not torch.equal(value, before[name])
        assert not torch.equal(value, value.bfloat16().float()), f"{name} was rounded on the way"


@pytest.mark.parametrize("make", [VQVAE, FiniteScalarAutoencoder])
@pytest.mark.parametrize("kind", ["table", "pictures"])
def test_whole_numbers_there_and_back(make: Any, kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    X = request.getfixturevalue(kind)[:200]
    architecture = Conv(channels=(8, 16), hidden=None) if kind == "pictures" else None
    model = make(code_size=4, epochs=2, random_state=0, architecture=architecture).fit(X)
    symbols = model.symbols(X)
    assert symbols.dtype == np.int64
    assert symbols.shape[:-1] == ((200, 2, 2) if kind == "pictures" else (200,))
    assert np.array_equal(model.from_symbols(symbols), model.reconstruct(X))
    assert np.array_equal(model.symbols(X[7:9]), symbols[7:9])
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(load(tmp_path / "model.safetensors").symbols(X), symbols)
    with pytest.raises(ShapeError, match=r"this model's are \(rows, "):
        model.from_symbols(symbols[..., :1])
    with pytest.raises(DataError, match="Symbols must be whole numbers from 0 to"):
        model.from_symbols(symbols + 1000)
    with pytest.raises(DataError, match="float64 came"):
        model.from_symbols(symbols + 0.5)


def test_one_symbol_for_every_two_channels_unless_told_otherwise() -> None:
    groups = [VQVAE(code_size=size).recipe().bottleneck.groups for size in (1, 2, 3, 8)]
    assert groups == [1, 1, 3, 4]
    assert VQVAE(code_size=8, groups=1).recipe().bottleneck.groups == 1


def test_words_stay_in_use_and_missing_cells_are_ordinary(digits: np.ndarray) -> None:
    holes = digits.copy()
    holes[np.random.default_rng(0).random(digits.shape) < 0.1] = np.nan
    model = VQVAE(words=64, epochs=8, random_state=0).fit(holes)
    assert codebook_usage(model, holes).used > 0.8
    assert model.score(holes) > 0.5


def test_maps_of_symbols_beat_the_mean_and_an_untrained_network(pictures: np.ndarray) -> None:
    train_rows, held_out = pictures[:1100] * 15, pictures[1100:1400] * 15
    plan = {"code_size": 4, "groups": 1, "words": 64, "architecture": Conv(channels=(16, 32), hidden=None)}
    model = VQVAE(**plan, epochs=8, random_state=0).fit(train_rows)
    untrained = VQVAE(**plan, epochs=1, learning_rate=1e-12, random_state=0).fit(train_rows)
    assert model.score(held_out) > 0.5
    assert model.score(held_out) > untrained.score(held_out) + 0.3


def test_the_rest_of_the_library_takes_codes_that_are_maps(pictures: np.ndarray, tmp_path: Path) -> None:
    from diabolo.report import write_report

    small = pictures[:120]
    model = VQVAE(code_size=32, groups=1, epochs=1, random_state=0, architecture=Conv(channels=(8,), hidden=None))
    model.fit(small)
    codes = model.transform(small)
    assert codes.shape == (120, 4 * 4 * 32)  # more numbers than pixels
    assert len(model.get_feature_names_out()) == codes.shape[1]
    assert np.array_equal(model.inverse_transform(codes), model.reconstruct(small))
    assert write_report(model, small, tmp_path / "report.html")["totals"]["code_size"] == codes.shape[1]


def test_quantizing_costs_something_and_more_words_cost_less(digits: np.ndarray) -> None:
    train_rows, held_out = digits[:1100], digits[1100:1400]
    options: dict[str, Any] = {"epochs": 5, "random_state": 0}
    few, many = (VQVAE(code_size=8, words=words, **options).fit(train_rows).score(held_out) for words in (2, 64))
    free = Autoencoder(bottleneck=Identity(8), **options).fit(train_rows).score(held_out)
    assert few < many - 0.1 < free

"""What corruptions do to the data, and that a network learns to undo it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo import (
    BlockMasking,
    Blur,
    Clean,
    DenoisingAutoencoder,
    Downscaling,
    GaussianNoise,
    Masking,
    Mirror,
    Permutation,
    Rotation,
    SaltAndPepper,
    ShapeError,
    ShiftedNoise,
    Swap,
)
from diabolo.core import Corruption, View, every
from diabolo.core.several import Several

SHAPES = [(1,), (7,), (9, 1), (8, 3), (1, 2), (5, 4, 2), (9, 7, 1), (28, 28, 1), (3, 5, 4, 2)]
PARTS = [part for part in every(Corruption) if part.__module__.startswith("diabolo.") and not issubclass(part, Several)]
REFUSED = {
    "Blur": lambda shape: len(shape) == 1,
    "Downscaling": lambda shape: len(shape) == 1,
    "Mirror": lambda shape: len(shape) == 1,
    "Rotation": lambda shape: len(shape) != 3,
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def corrupted(corruption: Corruption, x: Tensor, seed: int = 1) -> View:
    """A corruption's view of ``x``, by chance that depends on the seed alone."""
    torch.manual_seed(seed)
    return corruption.build(tuple(x.shape[1:]))(x)


def ramps(rows: int, *shape: int) -> Tensor:
    """Values that are all different."""
    return torch.arange(float(rows * math.prod(shape))).view(rows, *shape)


# Every corruption


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rows", [1, 4])
def test_shape_and_input_are_kept_or_the_shape_is_refused_with_advice(
    part: type[Corruption], shape: tuple[int, ...], rows: int
) -> None:
    if REFUSED.get(part.__name__, lambda shape: False)(shape):
        with pytest.raises(ShapeError, match=r"needs samples of .* take any shape\."):
            part().build(shape)
        return
    x = torch.rand(rows, *shape)
    before = x.clone()
    view = corrupted(part(), x)
    assert view.values.shape == x.shape
    assert view.values.dtype == x.dtype
    assert torch.isfinite(view.values).all()
    assert torch.equal(x, before)
    if view.hidden is not None:
        assert view.hidden.shape == x.shape
        assert view.values[view.hidden].abs().sum() == 0


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_chance_is_the_callers(part: type[Corruption]) -> None:
    x = torch.rand(6, 8, 8, 1)
    assert torch.equal(corrupted(part(), x).values, corrupted(part(), x).values)
    chancy = part not in (Clean, Permutation, Rotation, Mirror, Blur, Downscaling)
    assert torch.equal(corrupted(part(), x).values, corrupted(part(), x, seed=2).values) != chancy


@pytest.mark.parametrize("corruption", [Masking(0.4), BlockMasking(0.4), Masking(0.3) + Blur(), Masking(0.3) + Swap()])
def test_a_hidden_value_never_leaks(corruption: Corruption) -> None:
    x = torch.rand(6, 8, 8, 2)
    first = corrupted(corruption.clone(), x)
    hidden = corrupted(corruption.steps()[0], x).hidden
    assert hidden is not None
    other = corrupted(corruption.clone(), torch.where(hidden, 99.0, x))
    assert torch.equal(first.values, other.values)
    assert first.hidden is not None
    assert other.hidden is not None
    assert torch.equal(first.hidden, other.hidden)


# Noise


def test_shifted_noise_has_its_moments_before_clipping() -> None:
    middle = torch.full((500, 200), 0.2)
    noise = corrupted(ShiftedNoise(low=-9.0, high=9.0), middle).values - middle
    assert abs(float(noise.mean()) - 0.5) < 0.01
    assert abs(float(noise.std()) - 0.4) < 0.01
    clipped = corrupted(ShiftedNoise(), torch.zeros(500, 200)).values
    below = 0.5 * (1 + math.erf(-0.5 / 0.4 / math.sqrt(2)))  # the normal distribution's share below 0, and above 1
    assert abs(float((clipped == 0).float().mean()) - below) < 0.01
    assert abs(float((clipped == 1).float().mean()) - below) < 0.01


@pytest.mark.parametrize("noise", [ShiftedNoise(low=1.0, high=1.0), SaltAndPepper(low=2.0, high=-1.0)])
def test_an_empty_range_is_refused(noise: ShiftedNoise | SaltAndPepper) -> None:
    with pytest.raises(ValueError, match=f"{type(noise).__name__}: low came as .*; low must be below high"):
        noise.check()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_the_expected_share_is_corrupted(share: float) -> None:
    x = ramps(400, 250) + 2
    for corruption in (SaltAndPepper(share, -1.0, 1.0), Masking(share), Swap(share)):
        changed = corrupted(corruption, x).values != x
        assert abs(float(changed.float().mean()) - share) < 0.01
    salted = corrupted(SaltAndPepper(share, -1.0, 1.0), x).values
    assert abs(float((salted == 1).float().mean()) - share / 2) < 0.01
    assert abs(float((salted == -1).float().mean()) - share / 2) < 0.01


# Cells of other rows, and hidden ones


@pytest.mark.parametrize("rows", [2, 3, 50])
def test_swapped_cells_come_from_the_same_column_of_another_row(rows: int) -> None:
    x = ramps(rows, 6, 5)
    swapped = corrupted(Swap(0.99), x).values
    assert torch.equal(swapped % 30, x % 30)
    assert float((swapped == x).float().mean()) < 0.1
    if rows == 50:
        assert len(set((swapped[0] // 30).flatten().tolist())) > 10  # not all from one row


def test_a_batch_of_one_has_nobody_to_swap_with() -> None:
    x = torch.rand(1, 6)
    view = Swap(0.9)(x)
    assert torch.equal(view.values, x)
    assert view.hidden is None


@pytest.mark.parametrize(
    ("shape", "side", "patches"),
    [
        ((7,), None, 7),
        ((7,), 3, 3),
        ((9, 2), None, 3),
        ((10, 2), 4, 3),
        ((28, 28, 1), 4, 49),
        ((9, 7, 3), 2, 20),
        ((4, 4, 4, 2), None, 8),
        ((1,), None, 1),
        ((2,), None, 2),
    ],
)
@pytest.mark.parametrize("ratio", [0.01, 0.3, 0.75, 0.99])
def test_blocks_are_hidden_whole_and_their_number_is_exact(
    shape: tuple[int, ...], side: int | None, patches: int, ratio: float
) -> None:
    corruption = BlockMasking(ratio, side).build(shape)
    hidden = corruption(torch.rand(20, *shape)).hidden
    assert hidden is not None
    flat, numbers = hidden.flatten(1), corruption.patches.flatten()
    assert len(numbers.unique()) == patches
    per_patch = torch.stack([flat[:, numbers == number].float().mean(1) for number in range(patches)], dim=1)
    assert set(per_patch.unique().tolist()) <= {0.0, 1.0}
    expected = max(1, min(patches - 1, round(ratio * patches)))
    assert per_patch.sum(1).tolist() == [expected] * 20
    if patches > 3:
        assert len(per_patch.unique(dim=0)) > 1  # rows differ


def test_blocks_are_squares_and_spans_over_all_channels() -> None:
    picture = BlockMasking(side=2).build((5, 4, 3)).patches
    assert picture[..., 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3], [4, 4, 5, 5]]
    assert torch.equal(picture[..., 0], picture[..., 2])
    assert BlockMasking(side=2).build((5, 2)).patches.T.tolist() == [[0, 0, 1, 1, 2]] * 2
    assert BlockMasking(side=2).build((5,)).patches.tolist() == [0, 0, 1, 1, 2]
    with pytest.raises(ShapeError, match="must be below 8"):
        BlockMasking(side=8).build((8, 7, 1))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("ratio", [0.0, 0.001, 0.2, 0.4, 0.5, 0.7, 0.75, 0.9, 0.999])
@pytest.mark.parametrize("part", [Masking, BlockMasking])
def test_a_cover_hides_each_cell_and_about_as_many_at_a_time(
    part: type[Masking | BlockMasking], ratio: float, shape: tuple[int, ...]
) -> None:
    if part is BlockMasking and ratio == 0:
        return
    masks = part(ratio).cover(shape)
    again = part(ratio).cover(shape)
    stacked = torch.stack(masks)
    assert stacked.dtype == torch.bool
    assert stacked.shape[1:] == shape
    assert torch.equal(stacked, torch.stack(again))
    assert stacked.any(0).all()
    units = math.prod(BlockMasking(0.5).build(shape).grid if part is BlockMasking else shape)
    if units == 1:
        assert len(masks) == 1
        return
    assert not stacked.all(0).any()  # each cell is also shown
    assert not stacked.flatten(1).all(1).any()  # no mask hides everything
    per_cell = stacked.sum(0).unique()
    assert len(per_cell) == 1  # complementary: each cell is hidden equally often
    assert per_cell.item() in (1, len(masks) - 1)
    if part is Masking:
        shares = stacked.flatten(1).float().mean(1)
        wanted = min(max(ratio, 1 / units), 1 - 1 / units)
        assert (shares - wanted).abs().max() < 0.11 + 1 / units


def test_a_cover_is_a_matter_of_its_ratio_and_scattered() -> None:
    counts = {ratio: len(BlockMasking(ratio, side=4).cover((28, 28, 1))) for ratio in (0.1, 0.25, 0.5, 0.75, 0.9)}
    assert counts == {0.1: 10, 0.25: 4, 0.5: 2, 0.75: 4, 0.9: 10}
    checkers = BlockMasking(0.5, side=1).cover((4, 4, 1))[0].squeeze()
    assert torch.equal(checkers, ~checkers.roll(1, 0))
    assert torch.equal(checkers, ~checkers.roll(1, 1))
    for mask in BlockMasking(0.75, side=1).cover((12, 12, 1)):
        shown = (~mask).squeeze()
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):  # no two visible patches touch
            assert not (shown & shown.roll((down, right), (0, 1))).any()
        windows = shown.float().unfold(0, 2, 1).unfold(1, 4, 1).sum((2, 3))
        assert (windows == 2).all()  # and none is far from any place


def test_a_covers_blocks_are_whole() -> None:
    for mask in BlockMasking(0.75, side=3).cover((9, 9, 2)):
        blocks = mask.view(3, 3, 3, 3, 2).float().mean((1, 3, 4))
        assert set(blocks.unique().tolist()) <= {0.0, 1.0}


# Lost detail


@pytest.mark.parametrize("scale", [0.0, 1e-200, 0.7, 3.0, 20.0])
@pytest.mark.parametrize("shape", [(5, 1), (8, 8, 2), (3, 4, 5, 1)], ids=str)
def test_blur_keeps_a_constant_and_evens_out_the_rest(scale: float, shape: tuple[int, ...]) -> None:
    flat = torch.full((2, *shape), 0.3)
    assert torch.allclose(corrupted(Blur(scale), flat).values, flat, atol=1e-6)
    x = torch.rand(4, *shape)
    blurred = corrupted(Blur(scale), x).values
    if scale < 0.1:
        assert torch.equal(blurred, x)
    else:
        assert float(blurred.std()) < float(x.std())
    assert blurred.min() >= x.min() - 1e-6
    assert blurred.max() <= x.max() + 1e-6


def test_blur_is_a_gaussian_of_its_scale_in_all_directions() -> None:
    spike = torch.zeros(1, 31, 31, 2)
    spike[0, 15, 15] = torch.tensor([1.0, 2.0])
    blurred = corrupted(Blur(2.0), spike).values[0]
    places = torch.arange(31) - 15.0
    for rows in (blurred[..., 0].sum(0), blurred[..., 0].sum(1)):
        assert abs(float(rows.sum()) - 1) < 1e-5
        assert abs(float((rows * places**2).sum()) - 4) < 0.15  # cut at three deviations
    assert torch.allclose(blurred, blurred.transpose(0, 1), atol=1e-7)
    assert torch.allclose(2 * blurred[..., 0], blurred[..., 1], atol=1e-6)  # channels do not mix


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
@pytest.mark.parametrize("factor", [1, 2, 3, 50])
@pytest.mark.parametrize("shape", [(7, 1), (8, 5, 2), (3, 4, 5, 1)], ids=str)
def test_downscaling_keeps_means_and_size(interpolation: str, factor: int, shape: tuple[int, ...]) -> None:
    corruption = Downscaling(factor, interpolation)
    flat = torch.full((2, *shape), 0.3)
    assert torch.allclose(corrupted(corruption, flat).values, flat, atol=1e-6)
    x = torch.rand(4, *shape)
    small = corrupted(corruption, x).values
    assert small.shape == x.shape
    if factor == 1:
        assert torch.allclose(small, x, atol=1e-6)
    if factor == 50:
        assert torch.allclose(small, x.mean(tuple(range(1, x.dim() - 1)), keepdim=True).expand_as(x), atol=1e-5)
    if interpolation == "nearest":
        assert torch.allclose(corrupted(corruption, small).values, small, atol=1e-6)
        assert torch.allclose(small.mean(tuple(range(1, x.dim()))), x.mean(tuple(range(1, x.dim()))), atol=1e-6)


def test_downscaling_takes_means_of_patches() -> None:
    x = ramps(1, 4, 4, 1)
    small = corrupted(Downscaling(2, "nearest"), x).values[0, ..., 0]
    assert small.tolist() == [[2.5, 2.5, 4.5, 4.5]] * 2 + [[10.5, 10.5, 12.5, 12.5]] * 2


# Other places


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_permutation_is_a_bijection_and_its_inverse_restores(shape: tuple[int, ...]) -> None:
    corruption = Permutation(3).build(shape)
    assert torch.equal(corruption.order.sort().values, torch.arange(math.prod(shape)))
    x = torch.rand(4, *shape)
    moved = corruption(x).values
    assert torch.equal(moved.flatten(1)[:, corruption.order.argsort()].view_as(x), x)
    if math.prod(shape) > 6:
        assert not torch.equal(moved, x)
        assert not torch.equal(moved, corrupted(Permutation(4), x).values)


def test_a_permutation_is_the_same_in_every_process() -> None:
    assert Permutation(3).build((12,)).order.tolist() == [10, 9, 1, 6, 4, 11, 3, 7, 2, 0, 8, 5]


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 7, 3), (1, 1, 1)], ids=str)
def test_rotation_by_right_angles_is_rot90(shape: tuple[int, ...]) -> None:
    x = torch.rand(3, *shape)
    for turns in (0, 1, 2, 3, -1, 4):
        turned = corrupted(Rotation(90.0 * turns), x).values
        assert torch.allclose(turned, x.rot90(turns, (1, 2)), atol=1e-5)


def test_rotation_of_an_oblong_picture_keeps_distances() -> None:
    x = torch.rand(2, 9, 5, 1)
    assert torch.allclose(corrupted(Rotation(0.0), x).values, x, atol=1e-5)
    assert torch.allclose(corrupted(Rotation(180.0), x).values, x.rot90(2, (1, 2)), atol=1e-5)
    upright = corrupted(Rotation(90.0), x).values
    assert torch.allclose(upright[:, 2:7], x[:, 2:7].rot90(1, (1, 2)), atol=1e-5)
    assert upright[:, :2].abs().max() < 1e-5  # beyond the narrow side there was nothing


def test_rotation_loses_only_what_leaves_the_frame() -> None:
    height, width = torch.meshgrid(torch.arange(21.0) - 10, torch.arange(21.0) - 10, indexing="ij")
    disc = torch.exp(-(height**2 + width**2) / 20)[None, ..., None]
    turned = corrupted(Rotation(15.0), disc).values
    assert torch.allclose(turned, disc, atol=0.02)  # a disc about the middle looks the same
    assert abs(float(turned.sum() / disc.sum()) - 1) < 1e-3
    corner = corrupted(Rotation(45.0), torch.ones(1, 21, 21, 1)).values[0, ..., 0]
    assert corner[0, 0] == 0
    assert corner[10].min() > 0.99


@pytest.mark.parametrize(
    ("axis", "shape", "place"),
    [
        ("left-right", (5, 2), 1),
        ("left-right", (4, 5, 2), 2),
        ("up-down", (4, 5, 2), 1),
        ("front-back", (3, 4, 5, 2), 1),
    ],
)
def test_mirror_turns_one_axis_and_twice_is_nothing(axis: str, shape: tuple[int, ...], place: int) -> None:
    x = torch.rand(3, *shape)
    mirrored = corrupted(Mirror(axis), x).values
    assert torch.equal(mirrored, x.flip(place))
    assert not torch.equal(mirrored, x)
    assert torch.equal(corrupted(Mirror(axis), mirrored).values, x)


def test_mirror_refuses_an_axis_that_is_not_there() -> None:
    with pytest.raises(ShapeError, match=r"Mirror\('up-down'\) needs samples of \(height, width, channels\) or"):
        Mirror("up-down").build((5, 2))


def test_all_of_them_at_once() -> None:
    everything = Permutation(1) + Rotation(15.0) + Mirror() + GaussianNoise(0.1)
    assert len(everything.steps()) == 4
    x = torch.rand(5, 8, 8, 1)
    view = corrupted(everything, x)
    expected = x
    for step in (Permutation(1), Rotation(15.0), Mirror()):
        expected = step.build((8, 8, 1))(expected).values
    assert 0.05 < float((view.values - expected).std()) < 0.15
    with pytest.raises(ShapeError, match="Rotation needs"):
        everything.build((64,))


# Learning


@pytest.mark.parametrize(
    "corruption",
    [None, ShiftedNoise(), SaltAndPepper(), Masking(), Swap(0.3), BlockMasking(0.3)],
    ids=lambda part: type(part).__name__,
)
def test_denoising_beats_identity_on_the_noise_it_was_trained_for(
    digits: np.ndarray, corruption: Corruption | None
) -> None:
    clean = (digits / 16).astype(np.float32)
    train, test = clean[:1400], clean[1400:]
    model = DenoisingAutoencoder(code_size=24, corruption=corruption, epochs=6, random_state=0).fit(train)
    noisy = corrupted(GaussianNoise(0.3) if corruption is None else corruption, torch.tensor(test)).values.numpy()
    denoised = model.reconstruct(noisy)
    assert ((denoised - test) ** 2).mean() < 0.8 * ((noisy - test) ** 2).mean()


@pytest.mark.parametrize("corruption", [Rotation(30.0), Mirror(), Permutation()], ids=lambda part: type(part).__name__)
def test_another_place_is_learned(digits: np.ndarray, corruption: Corruption) -> None:
    clean = (digits / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    train, test = clean[:1400], clean[1400:]
    model = DenoisingAutoencoder(code_size=24, corruption=corruption, epochs=6, random_state=0).fit(train)
    moved = corrupted(corruption, torch.tensor(test)).values.numpy()
    assert ((model.reconstruct(moved) - test) ** 2).mean() < 0.5 * ((moved - test) ** 2).mean()


def test_the_field_noise_is_a_gaussian_and_another_corruption_takes_its_place() -> None:
    assert repr(DenoisingAutoencoder(noise=0.7).recipe().corruption) == "GaussianNoise(scale=0.7)"
    assert repr(DenoisingAutoencoder(corruption="salt_and_pepper").recipe().corruption) == repr(SaltAndPepper())
    nested = DenoisingAutoencoder().set_params(corruption__scale=0.9)
    assert repr(nested.recipe().corruption) == "GaussianNoise(scale=0.9)"

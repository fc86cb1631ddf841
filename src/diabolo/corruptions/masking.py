"""Cells that the encoder does not see at all, and cells that come from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self, cast

import torch
from torch import Tensor

from ..core.errors import ShapeError
from ..core.kinds import Corruption, Shape
from ..core.parts import parameters, within
from ..core.patches import column_numbers, patch_numbers, usual_side
from ..core.roundtrip import View

GOLDEN = (math.sqrt(5) - 1) / 2


@parameters
class Masking(Corruption):
    r"""Hides each cell with a probability: :math:`c(x) = x \odot m,\ m \sim \mathrm{Bernoulli}(1 - p)`.

    Parameters
    ----------
    share : float in [0, 1), default 0.25
        Probability :math:`p` that a cell is hidden. A quarter is what the paper found to work across data sets.

    References
    ----------
    Extracting and Composing Robust Features with Denoising Autoencoders, Vincent, Larochelle, Bengio and Manzagol,
    2008, doi:10.1145/1390156.1390294.

    >>> view = Masking(0.5)(torch.ones(100, 100))
    >>> bool((view.values[view.hidden] == 0).all()), 0.45 < float(view.hidden.float().mean()) < 0.55
    (True, True)
    """

    share: float = within(default=0.25, low=0.0, high=1.0, below=True)
    patches = cast("Tensor | None", None)
    widths = cast("tuple[int, ...] | None", None)

    def of_columns(self, widths: Sequence[int]) -> None:
        """Hide whole columns."""
        self.widths, self.patches = tuple(widths), column_numbers(widths)

    def __call__(self, x: Tensor) -> View:
        if self.patches is None:
            hidden = torch.rand_like(x) < self.share
        else:
            columns = int(self.patches[-1]) + 1
            hidden = (torch.rand(len(x), columns, device=x.device) < self.share)[:, self.patches]
        return View(x.masked_fill(hidden, 0.0), hidden)

    def cover(self, shape: Shape) -> list[Tensor]:
        """Fixed masks of ``shape`` that together hide every cell, each about ``share`` of them."""
        if self.patches is None:
            return complementary(shape, self.share)
        return [mask[self.patches] for mask in complementary((int(self.patches[-1]) + 1,), self.share)]


@parameters
class BlockMasking(Corruption):
    r"""Hides whole patches, the same number in every row: :math:`c(x) = x \odot m,\ \sum_k (1 - m_k) = \rho K`.

    Of pictures, squares; of signals, spans of time over all channels; of table rows, columns. The last patch along an
    axis is cut where the side does not fit. At least one patch is hidden, and at least one is visible where there are
    two.

    Parameters
    ----------
    ratio : float between 0 and 1, default 0.75
        Share :math:`\rho` of the :math:`K` patches that is hidden. Neighbors tell much about a patch, so that a
        task worth learning from needs three quarters; for columns of tables, which know less of each other, try 0.25.
    side : int, or None
        Length of a patch along each position axis, in cells; ``None``: one column of a row, and of everything else
        the square root of the shortest side, so that there are about as many patches along it as cells in one.

    Raises
    ------
    ShapeError
        If ``side`` makes one patch of all.

    References
    ----------
    Masked Autoencoders Are Scalable Vision Learners, He, Chen, Xie, Li, Dollar and Girshick, 2021, arXiv:2111.06377.

    >>> view = BlockMasking(0.75, side=4).build((28, 28, 1))(torch.rand(2, 28, 28, 1))
    >>> view.hidden.flatten(1).sum(1).tolist()  # 37 of 49 patches
    [592, 592]
    """

    ratio: float = within(default=0.75, low=0.0, high=1.0, above=True, below=True)
    side: int | None = within(default=None, low=1)
    widths = cast("tuple[int, ...] | None", None)

    def of_columns(self, widths: Sequence[int]) -> None:
        """Hide whole columns."""
        self.widths = tuple(widths)

    def build(self, shape: Shape) -> Self:
        """Number the patches, and note for each cell which one it belongs to."""
        self.grid, self.patches = self._layout(shape)
        count = math.prod(self.grid)
        self.count, self.hidden_count = count, max(1, min(count - 1, round(self.ratio * count)))
        return self

    def __call__(self, x: Tensor) -> View:
        self.patches = self.patches.to(x.device)
        draw = torch.rand(len(x), self.count, device=x.device)
        highest = draw.topk(self.hidden_count, sorted=False).indices
        hidden = torch.zeros_like(draw, dtype=torch.bool).scatter_(1, highest, True)[:, self.patches]
        return View(x.masked_fill(hidden, 0.0), hidden)

    def cover(self, shape: Shape) -> list[Tensor]:
        """Fixed masks of ``shape`` that together hide every cell, each about ``ratio`` of the patches."""
        grid, patches = self._layout(shape)
        return [mask.flatten()[patches] for mask in complementary(grid, self.ratio)]

    def _layout(self, shape: Shape) -> tuple[Shape, Tensor]:
        """How many patches there are along each position axis, and the number of each cell's patch."""
        if self.widths is not None:
            grid, numbers = patch_numbers((len(self.widths),), self.side or 1)
            return grid, numbers[column_numbers(self.widths)]
        side = self.side or usual_side(shape)
        grid, numbers = patch_numbers(shape, side)
        if math.prod(grid) == 1 < math.prod(shape[:-1] or shape):
            raise ShapeError(
                f"BlockMasking: side={side} makes one patch of all {shape[:-1] or shape} positions; it must be below "
                f"{max(shape[:-1] or shape)} for something to stay visible, or None."
            )
        return grid, numbers


@parameters
class Swap(Corruption):
    r"""Takes cells from other rows: :math:`c(x)_{ij} = x_{kj}` with probability :math:`p`, :math:`k \neq i` by chance.

    A swapped cell is a value that its column really has, so that this noise fits columns of any distribution. The
    encoder is not told which cells these are. A batch of one row has nobody to swap with and stays as it is.

    Parameters
    ----------
    share : float in [0, 1), default 0.15
        Probability :math:`p` that a cell is replaced. 0.15 leaves most rows recognizable.

    References
    ----------
    SCARF: Self-Supervised Contrastive Learning using Random Feature Corruption, Bahri, Jiang, Tay and Metzler, 2021,
    arXiv:2106.15147.

    >>> Swap(0.5)(torch.arange(4.0).expand(3, 4)).values.tolist() == 3 * [[0.0, 1.0, 2.0, 3.0]]
    True
    """

    share: float = within(default=0.15, low=0.0, high=1.0, below=True)
    patches = cast("Tensor | None", None)

    def of_columns(self, widths: Sequence[int]) -> None:
        """Swap whole columns."""
        self.patches = column_numbers(widths)

    def __call__(self, x: Tensor) -> View:
        rows = len(x)
        if rows < 2:
            return View(x)
        own = torch.arange(rows, device=x.device).view(-1, *(1 for _ in x.shape[1:]))
        swapped = x.shape if self.patches is None else (rows, int(self.patches[-1]) + 1)
        other = (own + torch.randint(1, rows, swapped, device=x.device)) % rows
        chosen = torch.rand(swapped, device=x.device) < self.share
        if self.patches is not None:
            other, chosen = other[:, self.patches], chosen[:, self.patches]
        return View(torch.where(chosen, x.gather(0, other), x))


def complementary(grid: Shape, share: float) -> list[Tensor]:
    """Masks over ``grid`` that are true for about ``share`` of its places, evenly spread; together, for each place.

    The places fall into groups of equal size. A small share hides one group at a time, a large one all but one.

    >>> [mask.int().tolist() for mask in complementary((2, 4), 0.5)]
    [[[0, 1, 0, 1], [1, 0, 1, 0]], [[1, 0, 1, 0], [0, 1, 0, 1]]]
    """
    count = math.prod(grid)
    groups = math.ceil(1 / max(min(share, 1 - share), 1 / count) - 1e-9)  # 1 / (1 - 0.9) is a little more than 10
    group = torch.empty(count, dtype=torch.long)
    group[lattice(grid, groups).flatten().argsort(stable=True)] = torch.arange(count) * groups // count
    hides_one = share < 0.5 or groups == 1
    return [((group == number) == hides_one).view(grid) for number in range(groups)]


def lattice(grid: Shape, groups: int) -> Tensor:
    """A number below ``groups`` for each place, such that places of equal numbers keep away from each other.

    Along the last axis the numbers follow one another; along each other they go on in golden steps, which fall
    together with no pattern of the axes before.
    """
    numbers = torch.zeros(grid, dtype=torch.long)
    for axis, side in enumerate(reversed(grid)):
        step = max(1, round(axis * GOLDEN % 1 * groups))
        numbers += step * torch.arange(side).view(-1, *(1 for _ in range(axis)))
    return numbers % groups

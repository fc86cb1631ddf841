"""Attention between tokens: columns of rows, spans of signals, squares of pictures, of any number and size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import ShapeError
from ..core.kinds import Architecture, Bottleneck, Shape
from ..core.network import ViewEncoder
from ..core.parts import choice, parameters, within
from ..core.patches import usual_side
from ..core.roundtrip import View
from .layers import cells

MOST_COLUMNS = 16  # tokens that a row is cut into at most, where the user does not say
WIDER = 2  # how much wider a block is inside; the usual 4 takes longer and reconstructs digits no better
SPREAD = 0.3  # standard deviation of positions at first: enough to tell them apart, little beside the values
SMALL = 0.02  # standard deviation of weights that begin near nothing


@dataclass(frozen=True)
class Cutting:
    """How a sample is cut into tokens along its position axes, and put together again.

    Parameters
    ----------
    shape : tuple of int
        (columns,), or positions and channels.
    side : int
        Cells of a token along each position axis; the last token of an axis is filled up where that does not fit.

    >>> cutting = Cutting((5, 4, 2), side=3)
    >>> x = torch.rand(2, 5, 4, 2)
    >>> cutting.cut(x, 0.0).shape, torch.equal(cutting.join(cutting.cut(x, 0.0)), x)
    (torch.Size([2, 4, 18]), True)
    """

    shape: Shape
    side: int

    @property
    def positions(self) -> Shape:
        """The sides of a sample without its channels."""
        return self.shape[:-1] or self.shape

    @property
    def channels(self) -> int:
        """Numbers at each position."""
        return 1 if len(self.shape) == 1 else self.shape[-1]

    @property
    def grid(self) -> Shape:
        """Tokens along each position axis."""
        return tuple(-(-length // self.side) for length in self.positions)

    @property
    def count(self) -> int:
        """Tokens of a sample."""
        return math.prod(self.grid)

    @property
    def cells(self) -> int:
        """Numbers of a token."""
        return self.side ** len(self.grid) * self.channels

    def cut(self, x: Tensor, filling: float) -> Tensor:
        """``(batch, *shape) -> (batch, tokens, cells)``, with ``filling`` beyond the edge."""
        beyond = [(0, -length % self.side) for length in reversed(self.positions)]
        x = x.reshape(len(x), *self.positions, self.channels)
        x = functional.pad(x, (0, 0, *chain(*beyond)), value=filling)
        x = x.reshape(len(x), *chain(*((count, self.side) for count in self.grid)), self.channels)
        axes = range(1, 2 * len(self.grid) + 1)
        return x.permute(0, *axes[::2], *axes[1::2], -1).reshape(len(x), self.count, self.cells)

    def join(self, tokens: Tensor) -> Tensor:
        """``(batch, tokens, cells) -> (batch, *shape)``; what lies beyond the edge is dropped."""
        rank = len(self.grid)
        x = tokens.reshape(len(tokens), *self.grid, *[self.side] * rank, self.channels)
        x = x.permute(0, *chain(*((1 + axis, 1 + rank + axis) for axis in range(rank))), -1)
        x = x.reshape(len(tokens), *(count * self.side for count in self.grid), self.channels)
        for axis, length in enumerate(self.positions):
            x = x.narrow(1 + axis, 0, length)
        return x.reshape(len(tokens), *self.shape)

    def linear(self, width_in: int, width_out: int) -> LinearForEach | nn.Linear:
        """A linear map of tokens: one for all, but one for each where they are columns, which mean different things."""
        if len(self.shape) == 1:
            return LinearForEach(self.count, width_in, width_out)
        return nn.Linear(width_in, width_out, bias=False)


@dataclass(frozen=True)
class ColumnCutting(Cutting):
    """How a row is cut into columns of unequal numbers of cells, and put together again.

    Narrow columns are filled up to the widest.

    Parameters
    ----------
    shape : tuple of int
        (cells,).
    side : int
        Neighboring columns that make a token together.
    widths : tuple of int
        Cells of each column.

    >>> cutting = ColumnCutting((4,), 1, (1, 3))
    >>> tokens = cutting.cut(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), 0.0)
    >>> tokens.tolist(), cutting.join(tokens).tolist()
    ([[[1.0, 0.0, 0.0], [2.0, 3.0, 4.0]]], [[1.0, 2.0, 3.0, 4.0]])
    """

    widths: tuple[int, ...]

    @cached_property
    def groups(self) -> list[range]:
        """The cells of each token."""
        ends = [0, *accumulate(self.widths)]
        edges = [*ends[: -1 : self.side], ends[-1]]
        return [range(start, stop) for start, stop in pairwise(edges)]

    @property
    def grid(self) -> Shape:
        """How many tokens there are."""
        return (len(self.groups),)

    @property
    def cells(self) -> int:
        """Numbers of a token."""
        return max(map(len, self.groups))

    @cached_property
    def sources(self) -> Tensor:
        """The cell of a row that each number of a token is; one past the last where there is none."""
        beyond = self.shape[0]
        rows = [[*group, *[beyond] * (self.cells - len(group))] for group in self.groups]
        return torch.tensor(rows, dtype=torch.long).flatten()

    @cached_property
    def places(self) -> Tensor:
        """The number, among those of all tokens, that each cell of a row is."""
        return (self.sources < self.shape[0]).nonzero().flatten()

    def cut(self, x: Tensor, filling: float) -> Tensor:
        """``(batch, cells) -> (batch, tokens, cells of the widest)``, with ``filling`` where a column is narrower."""
        padded = functional.pad(x, (0, 1), value=filling)
        return padded[:, self.sources.to(x.device)].view(len(x), self.count, self.cells)

    def join(self, tokens: Tensor) -> Tensor:
        """``(batch, tokens, cells of the widest) -> (batch, cells)``."""
        return tokens.flatten(1)[:, self.places.to(tokens.device)]


class LinearForEach(nn.Module):
    """A linear map of its own for each token.

    Parameters
    ----------
    count, width_in, width_out : int
    """

    def __init__(self, count: int, width_in: int, width_out: int) -> None:
        super().__init__()
        bound = width_in**-0.5
        self.weight = nn.Parameter(torch.empty(count, width_in, width_out).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, count, width_in) -> (batch, count, width_out)``."""
        return torch.einsum("bti,tio->bto", x, self.weight)


class Attention(nn.Module):
    r"""Each token asks all others: :math:`\mathrm{softmax}(QK^\top/\sqrt{d})\,V`, in several heads.

    Queries and keys have a mean square of 1, which keeps attention from freezing at high learning rates.

    Parameters
    ----------
    width, heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        """``(batch, tokens, width)``, and a mask ``(batch, 1, 1, tokens)``, false where nobody looks."""
        query, key, value = self.ask(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = (functional.rms_norm(part, part.shape[-1:]).to(value.dtype) for part in (query, key))
        heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        return self.answer(heard.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention, then a small MLP for each token, both added to what was there (pre-norm).

    Parameters
    ----------
    width, heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before_attention, self.before_thought = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.thought = nn.Sequential(nn.Linear(width, WIDER * width), nn.GELU(), nn.Linear(WIDER * width, width))

    def forward(self, x: Tensor, attended: Tensor | None = None) -> Tensor:
        """``(batch, tokens, width) -> (batch, tokens, width)``."""
        x = x + self.attention(self.before_attention(x), attended)
        return x + self.thought(self.before_thought(x))


class SampleEncoder(ViewEncoder):
    """Features of the whole sample: what one further token has gathered from those that can be seen.

    While training, a token of which nothing can be seen is not computed at all. When scoring it is computed and
    ignored, so that a row's result does not depend on how much can be seen of the rows beside it.

    Parameters
    ----------
    cutting : Cutting
    width, depth, heads : int
    """

    waits_for_device: ClassVar[bool] = True  # to learn how many tokens can be seen; no CUDA graph can hold that

    def __init__(self, cutting: Cutting, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.cutting = cutting
        self.embed = cutting.linear(cutting.cells, width)
        self.marks = cutting.linear(cutting.cells, width)
        nn.init.zeros_(self.marks.weight)  # where training hides no part of a token, marks stay without meaning
        self.positions = nn.Parameter(SPREAD * torch.randn(cutting.count, width))
        self.first = nn.Parameter(SMALL * torch.randn(width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, view: View) -> Tensor:
        """``View -> (batch, width)``."""
        return self.encode(view)[0][:, 0]

    def encode(self, view: View) -> tuple[Tensor, Tensor, Tensor | None]:
        """The further token and those computed; which tokens can be seen, and the places of those computed."""
        tokens, visible = self.look(view)
        places: Tensor | None = None
        attended: Tensor | None = visible
        if self.training:
            places, attended = (None, None) if view.hidden is None else self.choose(visible)
        if places is not None:
            tokens = tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[-1]))
        if attended is not None:
            attended = functional.pad(attended, (1, 0), value=True)[:, None, None]
        x = torch.cat([self.first.to(tokens.dtype).expand(len(tokens), 1, -1), tokens], 1)
        for block in self.blocks:
            x = block(x, attended)
        return self.norm(x), visible, places

    def look(self, view: View) -> tuple[Tensor, Tensor]:
        """All tokens with their marks and positions, and which of them have anything to see: ``(batch, tokens)``."""
        values = view.values
        hidden = self.cutting.cut(view.covered().to(values), 1.0)
        tokens = self.embed(self.cutting.cut(values, 0.0)) + self.marks(hidden) + self.positions
        return tokens, hidden.amin(-1) == 0

    def choose(self, visible: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The places of the tokens to compute, as many as the fullest row has, and which of these count."""
        fewest, most = torch.stack(visible.sum(1).aminmax()).tolist()
        if fewest == visible.shape[1]:
            return None, None
        places = visible.logical_not().byte().argsort(dim=1, stable=True)[:, :most]
        return places, visible.gather(1, places) if fewest < most else None


class TokenEncoder(SampleEncoder):
    """Features of each token; those of which nothing can be seen all get the same learned ones.

    Parameters
    ----------
    cutting : Cutting
    width, depth, heads : int
    """

    def __init__(self, cutting: Cutting, width: int, depth: int, heads: int) -> None:
        super().__init__(cutting, width, depth, heads)
        self.unseen = nn.Parameter(SMALL * torch.randn(width))

    def forward(self, view: View) -> Tensor:
        """``View -> (batch, tokens, width)``."""
        encoded, visible, places = self.encode(view)
        if places is None:
            back = encoded[:, 1:]
        else:
            back = encoded.new_zeros(*visible.shape, encoded.shape[-1])
            back = back.scatter(1, places[..., None].expand(-1, -1, encoded.shape[-1]), encoded[:, 1:])
        return torch.where(visible[..., None], back, self.unseen)


class TokenDecoder(nn.Module):
    """Codes to tokens to data: each position asks what the code has for it.

    Parameters
    ----------
    cutting : Cutting
    size, width, depth, heads : int
    """

    def __init__(self, cutting: Cutting, size: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.cutting = cutting
        self.widen = nn.Linear(size, width)
        self.positions = nn.Parameter(SPREAD * torch.randn(cutting.count, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.draw = cutting.linear(width, cutting.cells)
        nn.init.normal_(self.draw.weight, std=SMALL)
        self.start = nn.Parameter(torch.zeros(cells(cutting.shape)))

    def forward(self, codes: Tensor) -> Tensor:
        """``(batch, size)`` or ``(batch, tokens, size) -> (batch, *shape)``."""
        x = self.widen(codes.reshape(len(codes), -1, codes.shape[-1])) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.cutting.join(self.draw(self.norm(x))) + self.start.view(self.cutting.shape)


@parameters
class Transformer(Architecture):
    r"""Tokens that look at each other: :math:`H \leftarrow H + \mathrm{softmax}(QK^\top/\sqrt d)\,V`, then an MLP each.

    Tokens are groups of columns of a row, spans of a signal, squares of a picture or cubes of a volume, of any
    size: the last ones are filled up, and what was filled in is hidden. Columns of a table that take several cells
    each (a category, say) are never cut. A token's cells come with a mark for each that is hidden. Of tokens that are
    hidden as a whole the encoder computes nothing while training, so that it takes about a quarter of the time where
    three quarters are hidden. A column's numbers mean something else than its neighbor's: each has embedding weights
    of its own.

    Parameters
    ----------
    patch : int, or None
        Side of a token in cells. ``None``: what :class:`~diabolo.corruptions.BlockMasking` hides together (one column
        of a row, else the root of the shortest side), but of rows as many columns as make 16 tokens at most.
    width : int, default 64
        Numbers per token between the blocks; a multiple of ``heads``. 32 halves the time and learns digits more slowly.
    depth, decoder_depth : int, default 2 and 1
        Blocks. A decoder that is less deep leaves more of the work to the code.
    heads : int, default 4
    codes : {"sample", "token"}, default "sample"
        One code for all, gathered by a further token and handed to each position; or one for each token.

    Raises
    ------
    ShapeError
        If a sample holds no numbers, or a loss wants so many numbers per column that tokens do not match.

    References
    ----------
    Attention Is All You Need, Vaswani et al., 2017, arXiv:1706.03762.
    An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale, Dosovitskiy et al., 2020,
    arXiv:2010.11929.
    Masked Autoencoders Are Scalable Vision Learners, He, Chen, Xie, Li, Dollar and Girshick, 2021, arXiv:2111.06377.

    >>> encoder, width = Transformer(patch=4, codes="token").encoder((9, 7, 3))
    >>> encoder(View(torch.zeros(2, 9, 7, 3))).shape  # 3 x 2 tokens
    torch.Size([2, 6, 64])
    """

    patch: int | None = within(default=None, low=1)
    width: int = within(default=64, low=1)
    depth: int = within(default=2, low=1)
    decoder_depth: int = within(default=1, low=0)
    heads: int = within(default=4, low=1)
    codes: str = choice("sample", "token", default="sample")
    widths = cast("tuple[int, ...] | None", None)

    def check(self) -> Transformer:
        """Refuse what the fields do not allow."""
        super().check()
        if self.width % self.heads:
            raise ValueError(
                f"Transformer: width came as {self.width} and heads as {self.heads}; width must be a multiple of "
                f"heads, such as {self.heads * max(1, round(self.width / self.heads))}."
            )
        return self

    def of_columns(self, widths: Sequence[int]) -> None:
        """Make tokens of whole columns."""
        self.widths = tuple(widths)

    def cutting(self, shape: Shape) -> Cutting:
        """How samples of ``shape`` become tokens."""
        if self.widths is not None:
            widths = self.widths * (shape[0] // sum(self.widths))  # a loss may want several numbers per cell
            return ColumnCutting(shape, self.patch or -(-len(self.widths) // MOST_COLUMNS), widths)
        fewest = -(-cells(shape) // MOST_COLUMNS) if len(shape) == 1 else 1
        return Cutting(shape, self.patch or max(fewest, usual_side(shape)))

    def encoder(self, shape: Shape) -> tuple[nn.Module, int]:
        """``View -> (batch, width)`` or ``(batch, tokens, width)``."""
        kind = SampleEncoder if self.codes == "sample" else TokenEncoder
        return kind(self.cutting(shape), self.width, self.depth, self.heads), self.width

    def decoder(self, size: int, shape: Shape) -> nn.Module:
        """``(batch, size)`` or ``(batch, tokens, size) -> (batch, *shape)``."""
        return TokenDecoder(self.cutting(shape), size, self.width, self.decoder_depth, self.heads)

    def join(self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module) -> None:
        """Refuse codes of tokens that the decoder cannot place."""
        assert isinstance(encoder, SampleEncoder)
        assert isinstance(decoder, TokenDecoder)
        given, wanted = encoder.cutting.count, decoder.cutting.count
        if self.codes == "token" and given != wanted:
            raise ShapeError(
                f"A loss that wants {decoder.cutting.shape[0]} numbers for {encoder.cutting.shape[0]} columns has "
                f"{wanted} tokens to decode, but {given} have codes. Use codes='sample', or a loss such as "
                "GaussianLikelihood()."
            )

    def start(self, decoder: nn.Module, output: Tensor) -> None:
        """Begin at the data's mean."""
        assert isinstance(decoder, TokenDecoder)
        with torch.no_grad():
            decoder.start.copy_(output.flatten())

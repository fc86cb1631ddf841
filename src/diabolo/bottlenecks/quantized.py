"""Codes that can be written down as whole numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from ..core.codes import Code, DiscreteCode, QuantizedCode, widen
from ..core.kinds import Bottleneck
from ..core.parts import parameters, within

ROUNDS = 10  # of k-means; later ones move the words very little
ROWS_PER_WORD = 32  # that k-means looks at, at most
LARGEST_PRODUCT = 1 << 20  # numbers: 4 MB stay in the cache, and a codebook never needs more at once
ROWS_ALIKE = 64  # products of so many rows, or a multiple, give a row the same bits among whatever others
FOLLOWED = 0.1  # of mean and deviation, per step
TINY = 1e-12


class Quantizer(Bottleneck, ABC):
    """A bottleneck whose code is made of symbols: whole numbers, some for each position.

    Attributes
    ----------
    size : int or None
        Channels of the code; ``None`` takes the estimator's ``code_size``.
    """

    gives: ClassVar[type[Code]] = DiscreteCode
    project: nn.Linear

    @property
    @abstractmethod
    def alphabet(self) -> tuple[int, ...]:
        """How many symbols there are to choose from, for each symbol of a position."""

    @abstractmethod
    def look_up(self, symbols: Tensor) -> Tensor:
        """The values that symbols ``(..., len(alphabet))`` stand for: ``(..., size)``."""


class Words(nn.Module):
    r"""Codebooks side by side, kept up by moving averages: :math:`w \leftarrow w + \eta\,(\bar x_w - w)`.

    The rate is :math:`\eta = (1-\gamma)\,n_w / N_w` with the decay :math:`\gamma`, the count :math:`n_w` of inputs
    that chose the word now and its moving average :math:`N_w`, which makes :math:`w` the average of all inputs that
    ever chose it, older ones counting less. Buffers, not weights: no gradient moves them, and they stay in float32.

    Parameters
    ----------
    groups, words, width : int
        How many codebooks, of how many words, of how many numbers.
    decay, expiry : float
        As in :class:`Codebook`.
    """

    words: Tensor
    shares: Tensor

    def __init__(self, groups: int, words: int, width: int, decay: float, expiry: float) -> None:
        super().__init__()
        self.decay, self.expiry = decay, expiry
        self.together = max(1, LARGEST_PRODUCT // (groups * words * ROWS_ALIKE)) * ROWS_ALIKE
        self.register_buffer("words", torch.randn(groups, words, width))
        self.register_buffer("shares", torch.ones(groups, words))  # how often a word is chosen; 1 is the average word

    def nearest(self, wanted: Tensor) -> Tensor:
        """The word nearest to each input: ``(n, groups, width) -> (n, groups)``."""
        halves = self.words.square().sum(-1)[:, None] / 2  # |x - w|^2 / 2 = |w|^2 / 2 - x w + what is the same for all
        parts = [
            torch.baddbmm(halves, part.transpose(0, 1), self.words.mT, alpha=-1).argmin(-1)
            for part in torch.split(wanted, self.together)
        ]
        return torch.cat(parts, dim=1).T

    def look_up(self, symbols: Tensor) -> Tensor:
        """The words by their numbers: ``(..., groups) -> (..., groups, width)``."""
        return self.words[torch.arange(len(self.words), device=symbols.device), symbols]

    def _gather(self, wanted: Tensor, symbols: Tensor) -> tuple[Tensor, Tensor]:
        """Sum ``(groups, words, width)`` and number ``(groups, words, 1)`` of the inputs that chose each word.

        By a product with zeros and ones, which adds up in the same order every time; scattered sums on a GPU do not.
        """
        groups, words, width = self.words.shape
        sums = wanted.new_zeros(groups, width + 1, words)
        counted = torch.cat([wanted, torch.ones_like(wanted[..., :1])], dim=-1).permute(1, 2, 0)
        cut = torch.split(counted, self.together, dim=2), torch.split(symbols, self.together)
        for inputs, chosen in zip(*cut, strict=True):
            marks = wanted.new_zeros(groups, inputs.shape[-1], words).scatter_(2, chosen.T[..., None], 1.0)
            sums.baddbmm_(inputs, marks)
        return sums[:, :-1].mT, sums[:, -1:].mT

    @torch.no_grad()
    def start(self, wanted: Tensor) -> None:
        """Begin at the k-means of some inputs ``(n, groups, width)``."""
        words = self.words.shape[1]
        sample = wanted[torch.randperm(len(wanted), device=wanted.device)[: ROWS_PER_WORD * words]]
        self.words.copy_(sample[torch.arange(words, device=wanted.device) % len(sample)].transpose(0, 1))
        for _ in range(ROUNDS):
            sums, counts = self._gather(sample, self.nearest(sample))
            self.words.copy_(torch.where(counts > 0, sums / counts.clamp_min(1), self.words))
        self.shares.fill_(1.0)

    @torch.no_grad()
    def follow(self, wanted: Tensor, symbols: Tensor) -> None:
        """Move the words to the inputs ``(n, groups, width)`` that chose them, and bring unused ones back."""
        sums, counts = self._gather(wanted, symbols)
        portion = len(wanted) / self.words.shape[1]
        decay = self.decay ** min(1.0, portion)  # fewer inputs than words say little about each word
        rate = (1 - decay) / portion
        self.shares.mul_(decay).add_(counts[..., 0], alpha=rate)
        self.words.add_(rate * (sums - counts * self.words) / self.shares[..., None].clamp_min(TINY))
        if self.expiry:
            self._revive(wanted)

    def _revive(self, wanted: Tensor) -> None:
        """Put words that are hardly ever chosen where some of the inputs are, at most one for each input."""
        unused = self.shares < self.expiry
        unused &= unused.cumsum(-1) <= len(wanted)
        anyone = torch.randint(len(wanted), self.shares.shape, device=wanted.device)
        group = torch.arange(len(self.words), device=wanted.device)[:, None]
        self.words.copy_(torch.where(unused[..., None], wanted[anyone, group], self.words))
        self.shares.masked_fill_(unused, 1.0)


@torch.no_grad()
def standardize(project: nn.Linear, features: Tensor) -> None:
    """Scale a projection so that each channel of it has mean 0 and variance 1 over some features."""
    wanted = project(features).flatten(0, -2)
    deviation = wanted.std(0, unbiased=False)
    deviation = torch.where(deviation > TINY, deviation, 1.0)
    project.weight.div_(deviation[:, None])
    project.bias.sub_(wanted.mean(0)).div_(deviation)


def straight_through(chosen: Tensor, wanted: Tensor) -> Tensor:
    """The value of ``chosen``, to the bit, with the gradient of ``wanted``."""
    return chosen.detach() + (wanted - wanted.detach())


class WordQuantizer(Quantizer, ABC):
    """A quantizer with codebooks; while training, their words follow what chooses them."""

    gives: ClassVar[type[Code]] = QuantizedCode

    @abstractmethod
    def choose(self, wanted: Tensor) -> list[tuple[Words, Tensor, Tensor]]:
        """Each codebook, with what it gets of the inputs ``(n, size)`` and the symbols ``(n, groups)`` it chooses."""

    def forward(self, features: Tensor) -> QuantizedCode:
        """``(..., width) -> QuantizedCode`` of ``(..., size)``, and the symbols it is made of."""
        projected = self.project(features)
        with torch.autocast(features.device.type, enabled=False):  # distances need their digits
            wanted = widen(projected)
            choices = self.choose(wanted.detach().flatten(0, -2))
            symbols = torch.cat([symbols for *_, symbols in choices], dim=1)
            symbols = symbols.reshape(*features.shape[:-1], symbols.shape[-1])
            chosen = self.look_up(symbols)
            for book, inputs, own in choices if self.training else ():
                book.follow(inputs, own)
        values = straight_through(chosen, wanted).to(projected.dtype)
        return QuantizedCode(values, symbols, wanted, chosen, alphabet=self.alphabet)


@parameters
class Codebook(WordQuantizer):
    r"""The nearest of some learned words: :math:`z = w_k,\ k = \arg\min_i \lVert Wh + b - w_i \rVert`.

    With several groups the channels are cut into as many parts, each with words of its own (product quantization):
    :math:`\mathrm{words}^{\mathrm{groups}}` codes from a short list. Gradients pass straight through. The words are
    moving averages of what chose them; they begin at the k-means of the first rows, and those that nothing chooses
    any more are put where data is. The projection begins with variance 1, which is the unit of
    :class:`~diabolo.penalties.Commitment`.

    Parameters
    ----------
    size : int, or None
        Channels of the code; ``None`` takes the estimator's ``code_size``.
    words : int, default 512
        Words of each group; the number of van den Oord et al., 9 bits a symbol.
    groups : int, default 1
        Symbols for each position, and parts that the channels are cut into; it must divide ``size``.
    decay : float in [0, 1), default 0.9
        What a moving average keeps per step, or in so many steps as bring as many inputs as there are words: it
        remembers about 10. Trainings here take few, large steps; with the 0.99 that is usual for small ones the words
        lag behind, and errors are up to a half larger.
    expiry : float in [0, 1], default 0.1
        A word that is chosen less than this share as often as the average word is put where an input is; 0: never.

    Raises
    ------
    ValueError
        If ``groups`` does not divide ``size``.

    References
    ----------
    Neural Discrete Representation Learning, van den Oord, Vinyals and Kavukcuoglu, 2017, arXiv:1711.00937
    (moving averages: appendix A.1).
    Product Quantization for Nearest Neighbor Search, Jegou, Douze and Schmid, 2011, doi:10.1109/TPAMI.2010.57.
    SoundStream: An End-to-End Neural Audio Codec, Zeghidour et al., 2021, arXiv:2107.03312 (k-means and expiry:
    section III-C).

    >>> code = Codebook(4, words=16, groups=2).build(5)(torch.randn(3, 7, 5))
    >>> code.values.shape, code.symbols.shape, code.alphabet
    (torch.Size([3, 7, 4]), torch.Size([3, 7, 2]), (16, 16))
    """

    size: int | None = within(default=None, low=1)
    words: int = within(default=512, low=2)
    groups: int = within(default=1, low=1)
    decay: float = within(default=0.9, low=0.0, high=1.0, below=True)
    expiry: float = within(default=0.1, low=0.0, high=1.0)

    def build(self, width: int) -> Self:
        """Make the projection and the words."""
        assert self.size is not None
        if self.size % self.groups:
            fit = ", ".join(str(count) for count in range(1, self.size + 1) if self.size % count == 0)
            raise ValueError(
                f"Codebook: {self.groups} groups cannot share {self.size} channels evenly; groups must be one of {fit}."
            )
        self.project = nn.Linear(width, self.size)
        self.book = Words(self.groups, self.words, self.size // self.groups, self.decay, self.expiry)
        return self

    @property
    def alphabet(self) -> tuple[int, ...]:
        """As many words in each group."""
        return (self.words,) * self.groups

    def look_up(self, symbols: Tensor) -> Tensor:
        """The words, side by side: ``(..., groups) -> (..., size)``."""
        return self.book.look_up(symbols).flatten(-2)

    def meet(self, features: Tensor) -> None:
        """Begin at the k-means of the first rows."""
        standardize(self.project, features)
        self.book.start(self._grouped(self.project(features).flatten(0, -2)))

    def choose(self, wanted: Tensor) -> list[tuple[Words, Tensor, Tensor]]:
        """One codebook for each group of channels, all in one."""
        grouped = self._grouped(wanted)
        return [(self.book, grouped, self.book.nearest(grouped))]

    def _grouped(self, wanted: Tensor) -> Tensor:
        """``(n, size) -> (n, groups, size / groups)``."""
        return wanted.reshape(len(wanted), self.groups, wanted.shape[-1] // self.groups)


@parameters
class ResidualCodebook(WordQuantizer):
    r"""Words that add up, each for what the ones before left over: :math:`z = \sum_d w^{(d)}_{k_d}`.

    Every level is a codebook for the residual of the levels before it, so that :math:`\mathrm{depth}` symbols of
    :math:`\log_2 \mathrm{words}` bits say what one codebook of :math:`\mathrm{words}^{\mathrm{depth}}` words would.

    Parameters
    ----------
    size : int, or None
        Channels of the code; ``None`` takes the estimator's ``code_size``.
    words : int, default 256
        Words of each level: a byte a symbol.
    depth : int, default 4
        Levels, and symbols for each position. Each one more shrinks the residual, the first ones most.
    decay, expiry : float
        As in :class:`Codebook`.

    References
    ----------
    SoundStream: An End-to-End Neural Audio Codec, Zeghidour, Luebs, Omran, Skoglund and Tagliasacchi, 2021,
    arXiv:2107.03312 (section III-C).

    >>> code = ResidualCodebook(4, words=16, depth=3).build(5)(torch.randn(2, 5))
    >>> code.values.shape, code.symbols.shape
    (torch.Size([2, 4]), torch.Size([2, 3]))
    """

    size: int | None = within(default=None, low=1)
    words: int = within(default=256, low=2)
    depth: int = within(default=4, low=1)
    decay: float = within(default=0.9, low=0.0, high=1.0, below=True)
    expiry: float = within(default=0.1, low=0.0, high=1.0)

    def build(self, width: int) -> Self:
        """Make the projection and the words of every level."""
        assert self.size is not None
        self.project = nn.Linear(width, self.size)
        self.levels = nn.ModuleList(Words(1, self.words, self.size, self.decay, self.expiry) for _ in range(self.depth))
        return self

    @property
    def alphabet(self) -> tuple[int, ...]:
        """As many words on each level."""
        return (self.words,) * self.depth

    @property
    def books(self) -> list[Words]:
        """The levels."""
        return list(self.levels)  # type: ignore[arg-type]

    def look_up(self, symbols: Tensor) -> Tensor:
        """The sum of the words: ``(..., depth) -> (..., size)``."""
        words = (book.look_up(symbols[..., level, None])[..., 0, :] for level, book in enumerate(self.books))
        return sum(words, start=torch.zeros((), device=symbols.device))

    def meet(self, features: Tensor) -> None:
        """Begin each level at the k-means of what the levels before leave of the first rows."""
        standardize(self.project, features)
        residual = self.project(features).flatten(0, -2)[:, None]
        for book in self.books:
            book.start(residual)
            residual = residual - book.look_up(book.nearest(residual))

    def choose(self, wanted: Tensor) -> list[tuple[Words, Tensor, Tensor]]:
        """Each level, for what the levels before left over."""
        choices, residual = [], wanted[:, None]
        for book in self.books:
            symbols = book.nearest(residual)
            choices.append((book, residual, symbols))
            residual = residual - book.look_up(symbols)
        return choices


@parameters
class FiniteScalar(Quantizer):
    r"""Each number rounded to :math:`L` levels: :math:`k = \mathrm{round}\big(\tfrac{L-1}2(1+\tanh y)\big)`.

    The code is :math:`z = 2k/(L-1) - 1`, an even grid from -1 to 1 instead of learned words; :math:`y` is linear in the
    features, less its moving mean and over its moving deviation, so that all levels stay in use however the weights
    grow. Odd numbers of levels include 0, even ones lie around it. Gradients pass straight through the rounding.

    Parameters
    ----------
    size : int, or None
        Channels of the code, each of which is one symbol; ``None`` takes the estimator's ``code_size``.
    levels : int, default 8
        Values that a channel can take: 3 bits a symbol. The paper advises at least 5.

    References
    ----------
    Finite Scalar Quantization: VQ-VAE Made Simple, Mentzer, Minnen, Agustsson and Tschannen, 2023, arXiv:2309.15505.

    >>> code = FiniteScalar(2, levels=3).build(5)(torch.randn(4, 5))
    >>> bool(torch.isin(code.values, torch.tensor([-1.0, 0.0, 1.0])).all()), code.alphabet
    (True, (3, 3))
    """

    size: int | None = within(default=None, low=1)
    levels: int = within(default=8, low=2)

    def build(self, width: int) -> Self:
        """Make the projection."""
        assert self.size is not None
        self.project = nn.Linear(width, self.size)
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("variance", torch.ones(self.size))
        return self

    @property
    def alphabet(self) -> tuple[int, ...]:
        """As many levels in each channel."""
        assert self.size is not None
        return (self.levels,) * self.size

    def look_up(self, symbols: Tensor) -> Tensor:
        """The levels: ``(..., size) -> (..., size)``."""
        return symbols * (2.0 / (self.levels - 1)) - 1.0

    def meet(self, features: Tensor) -> None:
        """Begin with channels that use all levels."""
        standardize(self.project, features)

    def forward(self, features: Tensor) -> DiscreteCode:
        """``(..., width) -> DiscreteCode`` of ``(..., size)``; while training, mean and deviation follow."""
        projected = self.project(features)
        wanted, mean, variance = widen(projected), self.get_buffer("mean"), self.get_buffer("variance")
        if self.training:
            rows = wanted.detach().flatten(0, -2)
            weight = FOLLOWED * min(1.0, len(rows) / ROWS_ALIKE)
            mean.lerp_(rows.mean(0), weight)
            variance.lerp_((rows - mean).square().mean(0), weight)
        bounded = ((wanted - mean) / variance.clamp_min(TINY).sqrt()).tanh()
        symbols = ((bounded.detach() + 1.0) * ((self.levels - 1) / 2)).round().long()
        values = straight_through(self.look_up(symbols), bounded).to(projected.dtype)
        return DiscreteCode(values, symbols, alphabet=self.alphabet)

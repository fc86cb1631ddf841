"""Which symbols a discrete code makes use of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.codes import Code, DiscreteCode
from ..estimators.base import Estimator


@dataclass(frozen=True)
class CodebookUsage:
    r"""How often each symbol was chosen, and what follows from that.

    Parameters
    ----------
    counts : tuple of ndarray of int64
        For each symbol of a position, how often each of its possible values was chosen, over all rows and positions.
    positions : int
        Positions of a sample's code: 1 for a vector.

    >>> usage = CodebookUsage((np.array([4, 4, 0, 0]),), positions=3)
    >>> usage.used, usage.perplexity.tolist(), usage.bits, usage.capacity
    (0.5, [2.0], 3.0, 6.0)
    """

    counts: tuple[np.ndarray, ...]
    positions: int

    @property
    def used(self) -> float:
        """Share of the words that were chosen at least once; far below 1, most of the codebook is dead."""
        return float(sum((count > 0).sum() for count in self.counts) / sum(len(count) for count in self.counts))

    @property
    def perplexity(self) -> np.ndarray:
        r"""For each symbol, how many equally frequent words would say as much: :math:`\exp H`."""
        return np.exp([entropy(count) for count in self.counts])

    @property
    def bits(self) -> float:
        """Bits per sample that a coder needs which knows how frequent each symbol is: their entropies, added up."""
        return self.positions * float(sum(entropy(count) for count in self.counts)) / float(np.log(2))

    @property
    def capacity(self) -> float:
        """Bits per sample if all words were equally frequent: what the symbols take as plain whole numbers."""
        return self.positions * float(sum(np.log2(len(count)) for count in self.counts))


def entropy(counts: np.ndarray) -> float:
    """Nats per symbol of some frequencies.

    >>> round(entropy(np.array([5, 5])), 4)
    0.6931
    """
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def codebook_usage(model: Estimator, X: Any) -> CodebookUsage:
    """Count the symbols that a model with a discrete code chooses for some data.

    Parameters
    ----------
    model : fitted Estimator
        With a :class:`~diabolo.Codebook`, :class:`~diabolo.ResidualCodebook` or :class:`~diabolo.FiniteScalar`.
    X : data of the kind that was fitted
        Many more rows than words, or words that are merely rare look dead.

    Raises
    ------
    ValueError
        If the model's codes are no symbols.

    References
    ----------
    Neural Discrete Representation Learning, van den Oord, Vinyals and Kavukcuoglu, 2017, arXiv:1711.00937.

    >>> from diabolo import VQVAE
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> usage = codebook_usage(VQVAE(code_size=4, words=16, epochs=1, random_state=0).fit(X), X)
    >>> len(usage.perplexity), usage.bits <= usage.capacity == 8.0
    (2, True)
    """
    tally = CodebookTally()
    for trip in model.round_trips(X):
        tally.add(symbols_of(trip.code))
    return tally.finish()


class CodebookTally:
    """Counts symbols, a stretch of rows at a time."""

    def __init__(self) -> None:
        self.counts: list[Tensor] = []
        self.positions = 0

    def add(self, code: DiscreteCode) -> None:
        """Take in the codes of some rows."""
        self.positions = int(np.prod(code.symbols.shape[1:-1], dtype=np.int64))
        chosen = code.symbols.flatten(0, -2).T
        here = [torch.bincount(one, minlength=size).cpu() for one, size in zip(chosen, code.alphabet, strict=True)]
        self.counts = [a + b for a, b in zip(self.counts, here, strict=True)] if self.counts else here

    def finish(self) -> CodebookUsage:
        """What was counted."""
        return CodebookUsage(tuple(count.numpy() for count in self.counts), self.positions)


def symbols_of(code: Code) -> DiscreteCode:
    """The code, if it is made of symbols; refused with advice otherwise."""
    if isinstance(code, DiscreteCode) and code.alphabet:
        return code
    raise ValueError(
        f"The model gives a {type(code).__name__}, which is not made of symbols; usage can be told of models with a "
        "Codebook, ResidualCodebook or FiniteScalar, such as VQVAE."
    )

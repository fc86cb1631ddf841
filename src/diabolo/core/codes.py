"""Codes: what a bottleneck lets through, typed, so that a penalty can say what it needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Code:
    """What a bottleneck lets through.

    Parameters
    ----------
    values : Tensor of shape (batch, ..., size)
        What the decoder gets; the last axis is the channel axis.

    >>> Code(torch.zeros(3, 2)).sample().values.shape
    torch.Size([3, 2])
    """

    values: Tensor

    def sample(self) -> Self:
        """Draw the values, where the code is a distribution; a plain code is its own only sample."""
        return self

    def float(self) -> Self:
        """The same code in float32, for losses that must not lose digits."""
        return self.map(widen)

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same code with each tensor changed."""
        return type(self)(**{field.name: change(getattr(self, field.name)) for field in dataclasses.fields(self)})


@dataclass(frozen=True)
class GaussianCode(Code):
    r"""A code drawn from a diagonal Gaussian, :math:`z \sim N(\mu, \exp(\log\sigma^2))`.

    Parameters
    ----------
    values, mean, log_variance : Tensor of shape (batch, ..., size)
        ``values`` is the mean until :meth:`sample` draws.

    References
    ----------
    Auto-Encoding Variational Bayes, Kingma and Welling, 2013, arXiv:1312.6114 (the reparametrization, section 2.4).

    >>> mean = torch.zeros(3, 2)
    >>> bool((GaussianCode(mean, mean, mean - 200).sample().values.abs() < 1e-9).all())
    True
    """

    mean: Tensor
    log_variance: Tensor

    def sample(self) -> Self:
        """Draw :math:`z = \\mu + \\sigma\\,\\epsilon`, differentiable in both parameters."""
        noise = torch.randn_like(self.mean)
        return dataclasses.replace(self, values=self.mean + noise * (self.log_variance / 2).exp())


@dataclass(frozen=True)
class SparseCode(Code):
    """A code of which few numbers are not zero.

    Parameters
    ----------
    values, wanted : Tensor of shape (batch, ..., size)
        ``wanted`` is what each unit would have said, had it been let through.

    >>> SparseCode(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 2.0]])).wanted.tolist()
    [[1.0, 2.0]]
    """

    wanted: Tensor


@dataclass(frozen=True)
class DiscreteCode(Code):
    """A code that can be written down as whole numbers.

    Parameters
    ----------
    values : Tensor of shape (batch, ..., size)
    symbols : Tensor of integers, of shape (batch, ...) or (batch, ..., size)

    >>> DiscreteCode(torch.zeros(1, 2), torch.tensor([[0, 1]])).symbols.tolist()
    [[0, 1]]
    """

    symbols: Tensor


@dataclass(frozen=True)
class QuantizedCode(DiscreteCode):
    """A code looked up in a learned codebook: ``chosen`` is the word nearest to what was ``wanted``.

    Parameters
    ----------
    wanted, chosen : Tensor of shape (batch, ..., size)

    >>> zero = torch.zeros(1, 2)
    >>> QuantizedCode(zero, torch.zeros(1, dtype=torch.long), zero, zero).chosen.shape
    torch.Size([1, 2])
    """

    wanted: Tensor
    chosen: Tensor


def widen(value: Tensor) -> Tensor:
    """Half precision as float32; whole numbers, float32 and float64 as they are."""
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value

"""Codes: what a bottleneck lets through, typed, so that a penalty can say what it needs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional


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

    @classmethod
    def joined(cls, codes: Sequence[Self]) -> Self:
        """The codes of several batches as one."""
        first = {field.name: getattr(codes[0], field.name) for field in dataclasses.fields(codes[0])}
        return type(codes[0])(
            **{
                name: torch.cat([getattr(code, name) for code in codes]) if isinstance(value, Tensor) else value
                for name, value in first.items()
            }
        )

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same code with each tensor changed."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return type(self)(
            **{name: change(value) if isinstance(value, Tensor) else value for name, value in own.items()}
        )


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

    def log_density(self) -> Tensor:
        """How likely the values were to be drawn, in nats: ``(batch,)``."""
        return log_normal(self.values, self.mean, self.log_variance).flatten(1).sum(1)


@dataclass(frozen=True)
class SphericalCode(Code):
    r"""A code on the unit sphere, with the power spherical density :math:`q(z) \propto (1 + \mu^\top z)^\kappa`.

    Parameters
    ----------
    values, direction : Tensor of shape (batch, ..., size)
        Of length 1; ``values`` is the direction :math:`\mu` until :meth:`sample` draws.
    concentration : Tensor of shape (batch, ..., 1)
        :math:`\kappa`, from 0 (uniform) up; a drawn code lies about :math:`\sqrt{2/\kappa}` aside along each axis.

    References
    ----------
    The Power Spherical distribution, De Cao and Aziz, 2020, arXiv:2006.04437.

    >>> up = torch.tensor([[0.0, 1.0]])
    >>> bool((SphericalCode(up, up, torch.tensor([[1e4]])).sample().values - up).norm() < 0.1)
    True
    """

    direction: Tensor
    concentration: Tensor

    def sample(self) -> Self:
        """Draw the height along the direction from a beta distribution, the rest evenly around it."""
        direction, concentration = self.direction.float(), self.concentration.float()
        aside = torch.full_like(concentration, (direction.shape[-1] - 1) / 2)
        share = torch.distributions.Beta(aside + concentration, aside, validate_args=False).rsample()
        noise = torch.randn_like(direction)
        across = functional.normalize(noise - (noise * direction).sum(-1, keepdim=True) * direction, dim=-1)
        height = 2 * share - 1
        values = height * direction + (4 * share * (1 - share)).clamp_min(1e-12).sqrt() * across
        return dataclasses.replace(self, values=functional.normalize(values, dim=-1).to(self.values.dtype))

    def log_density(self) -> Tensor:
        """How likely the values were to be drawn, in nats on the sphere's surface: ``(batch,)``."""
        height = (self.values * self.direction).sum(-1, keepdim=True)
        rise = torch.log1p(height.clamp(-1 + 1e-6, 1))
        return (self.concentration * rise - self._log_volume()).flatten(1).sum(1).to(self.values.dtype)

    def entropy(self) -> Tensor:
        """Nats of uncertainty on the sphere's surface, in closed form: ``(batch,)``."""
        above, both = self._shapes()
        rise = math.log(2) + torch.digamma(above) - torch.digamma(both)
        return (self._log_volume() - self.concentration * rise).flatten(1).sum(1).to(self.values.dtype)

    def _shapes(self) -> tuple[Tensor, Tensor]:
        """Alpha, and alpha plus beta, of the height; in float64, since large gamma functions nearly cancel."""
        aside = (self.direction.shape[-1] - 1) / 2
        above = self.concentration.double() + aside
        return above, above + aside

    def _log_volume(self) -> Tensor:
        """Log of what the density has to be divided by to integrate to 1."""
        above, both = self._shapes()
        return both * math.log(2) + (both - above) * math.log(math.pi) + torch.lgamma(above) - torch.lgamma(both)


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
class GatedCode(SparseCode):
    """A sparse code whose units pass gates that learn.

    Parameters
    ----------
    values, wanted, gates : Tensor of shape (batch, ..., size)
        ``gates`` is 1 where a unit is let through and 0 elsewhere, with a gradient by which the gates learn.

    >>> wanted = torch.tensor([[1.0, 2.0]])
    >>> gates = (wanted > 1.5).float()
    >>> GatedCode(wanted * gates, wanted, gates).values.tolist()
    [[0.0, 2.0]]
    """

    gates: Tensor


@dataclass(frozen=True)
class DiscreteCode(Code):
    """A code that can be written down as whole numbers.

    Parameters
    ----------
    values : Tensor of shape (batch, ..., size)
    symbols : Tensor of integers, of shape (batch, ...) or (batch, ..., size)
    alphabet : tuple of int
        How many symbols there are to choose from, for each place of the last axis of ``symbols``; empty where unknown.

    >>> DiscreteCode(torch.zeros(1, 2), torch.tensor([[0, 1]])).symbols.tolist()
    [[0, 1]]
    """

    symbols: Tensor
    alphabet: tuple[int, ...] = dataclasses.field(default=(), kw_only=True)


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


def log_normal(values: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """The log density of a normal distribution, number by number.

    >>> log_normal(torch.zeros(1), torch.zeros(1), torch.zeros(1))
    tensor([-0.9189])
    """
    return -((values - mean).square() * (-log_variance).exp() + log_variance + math.log(2 * math.pi)) / 2

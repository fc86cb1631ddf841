"""The one value that flows from the network to losses, tasks, diagnosis, report and explorer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from .codes import Code, widen


@dataclass(frozen=True)
class Batch:
    """Some rows of data.

    Parameters
    ----------
    values : Tensor of shape (batch, *shape)
    known : Tensor of bool of the same shape, or None
        False where the data itself is missing; ``None`` where nothing is.

    >>> import torch
    >>> len(Batch(torch.zeros(3, 2)))
    3
    """

    values: Tensor
    known: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    def to(self, device: torch.device) -> Batch:
        """The same rows on another device."""
        known = None if self.known is None else self.known.to(device, non_blocking=True)
        return Batch(self.values.to(device, non_blocking=True), known)

    def padded(self, multiple: int) -> Batch:
        """The same rows, the last one repeated until their number is a multiple."""
        absent = -len(self) % multiple
        if not absent:
            return self
        values = torch.cat([self.values, self.values[-1:].expand(absent, *self.values.shape[1:])])
        known = self.known
        return Batch(values, None if known is None else torch.cat([known, known[-1:].expand(absent, *known.shape[1:])]))


@dataclass(frozen=True)
class View:
    """What the encoder may see.

    Parameters
    ----------
    values : Tensor of shape (batch, *shape)
    hidden : Tensor of bool, of the same shape or without its last axes, or None
        True where the encoder must not look; ``None`` where nothing is hidden. Hidden values are zero already.

    >>> import torch
    >>> View(torch.ones(1, 2)).without(torch.tensor([[True, False]])).values.tolist()
    [[0.0, 1.0]]
    """

    values: Tensor
    hidden: Tensor | None = None

    def without(self, absent: Tensor) -> View:
        """The same view with more cells hidden."""
        hidden = absent if self.hidden is None else self.hidden | absent
        return View(self.values.masked_fill(absent, 0.0), hidden)


@dataclass(frozen=True)
class RoundTrip:
    """One pass data -> code -> data, with everything that a loss or a penalty may need.

    Parameters
    ----------
    target : Tensor of shape (batch, *shape)
        The data that should come back; zero where it is not known.
    known : Tensor of bool, or None
        False where the data itself is missing: never read, never scored. ``None``: all is known.
    seen : View
        What the encoder saw, after corruption.
    features : Tensor of shape (batch, ..., width)
    code : Code
    output : Tensor of shape (batch, *shape)
        What the decoder said, before the loss's link; :meth:`diabolo.core.kinds.Loss.mean` makes data of it.

    >>> from diabolo import VAE
    >>> model = VAE(code_size=1, epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    >>> [trip.code.mean.shape for trip in model.round_trips([[0.5, 0.5]])]
    [torch.Size([1, 1])]
    """

    target: Tensor
    known: Tensor | None
    seen: View
    features: Tensor
    code: Code
    output: Tensor

    def float(self) -> RoundTrip:
        """The same trip in float32, so that losses and penalties lose no digits."""
        return dataclasses.replace(
            self, features=widen(self.features), code=self.code.float(), output=widen(self.output)
        )

    def first(self, count: int) -> RoundTrip:
        """The same trip of the first rows only."""
        if count == len(self.target):
            return self
        code = type(self.code)(**{f.name: getattr(self.code, f.name)[:count] for f in dataclasses.fields(self.code)})
        return RoundTrip(
            self.target[:count],
            None if self.known is None else self.known[:count],
            View(self.seen.values[:count], None if self.seen.hidden is None else self.seen.hidden[:count]),
            self.features[:count],
            code,
            self.output[:count],
        )

    def over_cells(self, cells: Tensor) -> Tensor:
        """Sum a value per cell over a sample's known cells: ``(batch, *shape) -> (batch,)``."""
        cells = cells if self.known is None else cells * self.known
        return cells.flatten(1).sum(1)

    def known_cells(self) -> Tensor | int:
        """How many cells of each sample are known: ``(batch,)``, or one number where all are."""
        return self.target[0].numel() if self.known is None else self.known.flatten(1).sum(1)

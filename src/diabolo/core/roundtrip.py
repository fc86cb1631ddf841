"""The one value that flows from the network to losses, tasks, diagnosis, report and explorer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .codes import Code, widen


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

    def covered(self) -> Tensor:
        """What is hidden, as a mask of the values' own shape.

        >>> View(torch.zeros(1, 2, 3), torch.tensor([[True, False]])).covered()[0, :, 0].tolist()
        [True, False]
        """
        if self.hidden is None:
            return torch.zeros_like(self.values, dtype=torch.bool)
        absent = self.values.ndim - self.hidden.ndim
        return self.hidden.reshape(*self.hidden.shape, *(1,) * absent).expand_as(self.values)

    def map(self, change: Callable[[Tensor], Tensor]) -> View:
        """The same view with each tensor changed."""
        return View(change(self.values), None if self.hidden is None else change(self.hidden))

    def without(self, absent: Tensor) -> View:
        """The same view with more cells hidden."""
        hidden = absent if self.hidden is None else self.hidden | absent
        return View(self.values.masked_fill(absent, 0.0), hidden)


@dataclass(frozen=True)
class Batch:
    """Some rows of data.

    Parameters
    ----------
    values : Tensor of shape (batch, *shape)
    known : Tensor of bool of the same shape, or None
        False where the data itself is missing; ``None`` where nothing is.
    degraded : View, or None
        What the encoder sees instead while training, where the user has pairs of degraded and clean data.

    >>> import torch
    >>> len(Batch(torch.zeros(3, 2)))
    3
    """

    values: Tensor
    known: Tensor | None = None
    degraded: View | None = None

    def __len__(self) -> int:
        return len(self.values)

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The same rows with each tensor changed."""
        return Batch(
            change(self.values),
            None if self.known is None else change(self.known),
            None if self.degraded is None else self.degraded.map(change),
        )

    @staticmethod
    def joined(batches: Sequence[Batch]) -> Batch:
        """Several batches as one."""
        values = torch.cat([batch.values for batch in batches])
        known = join_masks([(batch.known, batch.values) for batch in batches], absent=True)
        seen = [batch.degraded for batch in batches if batch.degraded is not None]
        if not seen:
            return Batch(values, known)
        hidden = join_masks([(view.hidden, view.values) for view in seen], absent=False)
        return Batch(values, known, View(torch.cat([view.values for view in seen]), hidden))

    def view(self) -> View:
        """What an encoder sees of these rows as they are: missing cells are hidden."""
        view = View(self.values)
        return view if self.known is None else view.without(~self.known)

    def to(self, device: torch.device) -> Batch:
        """The same rows on another device."""
        return self.map(lambda part: part.to(device, non_blocking=True))

    def pieces(self, size: int) -> Iterator[tuple[Batch, int]]:
        """The same rows in batches of exactly ``size``, each with how many of its rows count.

        The last one is filled up by repeating its last row.
        """
        for start in range(0, len(self), size):
            piece = self.map(lambda part: part[start : start + size])  # noqa: B023 - used at once
            absent = size - len(piece)
            if absent:
                piece = piece.map(lambda part: torch.cat([part, part[-1:].expand(absent, *part.shape[1:])]))  # noqa: B023
            yield piece, size - absent


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
    output : Tensor of shape (batch, *output_shape)
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

    def map(self, change: Callable[[Tensor], Tensor]) -> RoundTrip:
        """The same trip with each tensor changed."""
        return RoundTrip(
            change(self.target),
            None if self.known is None else change(self.known),
            self.seen.map(change),
            change(self.features),
            self.code.map(change),
            change(self.output),
        )

    def first(self, count: int) -> RoundTrip:
        """The same trip of the first rows only."""
        return self if count == len(self.target) else self.map(lambda part: part[:count])

    @staticmethod
    def joined(trips: Sequence[RoundTrip]) -> RoundTrip:
        """The trips of several batches as one."""
        views = [trip.seen for trip in trips]
        return RoundTrip(
            torch.cat([trip.target for trip in trips]),
            join_masks([(trip.known, trip.target) for trip in trips], absent=True),
            View(
                torch.cat([view.values for view in views]),
                join_masks([(view.hidden, view.values) for view in views], absent=False),
            ),
            torch.cat([trip.features for trip in trips]),
            Code.joined([trip.code for trip in trips]),
            torch.cat([trip.output for trip in trips]),
        )

    def detached(self) -> RoundTrip:
        """The same trip, which no gradient goes back through."""
        return self.map(Tensor.detach)

    def over_cells(self, cells: Tensor) -> Tensor:
        """Sum a value per cell over a sample's known cells: ``(batch, *shape) -> (batch,)``."""
        cells = cells if self.known is None else cells * self.known
        return cells.flatten(1).sum(1)

    def known_cells(self) -> Tensor | int:
        """How many cells of each sample are known: ``(batch,)``, or one number where all are."""
        return self.target[0].numel() if self.known is None else self.known.flatten(1).sum(1)


def join_masks(masks: Sequence[tuple[Tensor | None, Tensor]], *, absent: bool) -> Tensor | None:
    """Masks with their values as one mask: ``absent`` where a batch has none, ``None`` where none has one."""
    if all(mask is None for mask, _ in masks):
        return None
    return torch.cat([torch.full_like(of, absent, dtype=torch.bool) if mask is None else mask for mask, of in masks])

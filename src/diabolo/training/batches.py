"""Batches: a pure function of (seed, epoch, position), so that a killed run can go on where it was."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from ..core.roundtrip import Batch
from .seeding import mix


class Batches(ABC):
    """Rows in batches of nearly equal size, so that no last batch is tiny.

    Attributes
    ----------
    rows : int
    steps : int
        Batches in an epoch.
    """

    rows: int
    steps: int

    @abstractmethod
    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch in its own order, from position ``start`` on."""

    @abstractmethod
    def ordered(self) -> Iterator[Batch]:
        """All rows in their own order, in batches."""


def cuts(rows: int, batch_size: int) -> list[int]:
    """Where to cut rows into batches of at most ``batch_size`` whose sizes differ by one at most.

    >>> cuts(10, 4)
    [0, 3, 6, 10]
    """
    count = max(1, -(-rows // batch_size))
    return [rows * place // count for place in range(count + 1)]


class Resident(Batches):
    """Data that lies in memory: each epoch permutes the row numbers, each batch takes its slice of them.

    Parameters
    ----------
    batch : Batch
        All rows, on the device that trains.
    batch_size : int
    seed : int
    rows : Tensor of int64, or None
        Which rows take part; ``None``: all.

    >>> batches = Resident(Batch(torch.arange(10.0)[:, None]), 4, seed=0)
    >>> sorted(float(x) for b in batches.epoch(0) for x in b.values) == [float(x) for x in range(10)]
    True
    """

    def __init__(self, batch: Batch, batch_size: int, seed: int, rows: Tensor | None = None) -> None:
        self.batch, self.seed, self.subset = batch, seed, rows
        self.rows = len(batch) if rows is None else len(rows)
        self.cuts = cuts(self.rows, batch_size)
        self.steps = len(self.cuts) - 1

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch in its own order."""
        order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(mix(self.seed, epoch)))
        yield from self._take(order if self.subset is None else self.subset[order], start)

    def ordered(self) -> Iterator[Batch]:
        """All rows in their own order."""
        yield from self._take(torch.arange(self.rows) if self.subset is None else self.subset, 0)

    def _take(self, order: Tensor, start: int) -> Iterator[Batch]:
        order = order.to(self.batch.values.device)
        for place in range(start, self.steps):
            rows = order[self.cuts[place] : self.cuts[place + 1]]
            yield self.batch.map(partial(torch.index_select, dim=0, index=rows))


class Streaming(Batches):
    """Data larger than memory: blocks are read in random order, a few at a time, and shuffled together.

    Memory holds ``window`` blocks, however many rows there are.

    Parameters
    ----------
    read : callable (start, stop) -> Batch
        Reads a stretch of rows.
    blocks : list of (start, stop)
        Which stretches of rows take part; all but the last of one size.
    batch_size : int
    seed : int
    device : torch.device
    window : int, default 8
        Blocks that are shuffled together.

    >>> batches = Streaming(
    ...     lambda a, b: Batch(torch.arange(a, b)[:, None]), [(0, 5), (5, 10)], 4, 0, torch.device("cpu")
    ... )
    >>> sorted(int(x) for b in batches.epoch(0) for x in b.values) == list(range(10))
    True
    """

    def __init__(
        self,
        read: Callable[[int, int], Batch],
        blocks: list[tuple[int, int]],
        batch_size: int,
        seed: int,
        device: torch.device,
        window: int = 8,
    ) -> None:
        self.read, self.seed, self.device, self.batch_size = read, seed, device, batch_size
        self.rows = sum(stop - start for start, stop in blocks)
        self.blocks, self.window = blocks, window
        sizes = [sum(b - a for a, b in window) for window in self._windows(list(range(len(self.blocks))))]
        self.steps = sum(len(cuts(size, batch_size)) - 1 for size in sizes)

    def _windows(self, order: list[int]) -> list[list[tuple[int, int]]]:
        """Blocks in an order, by the window; the last block of all, the only short one, always comes last."""
        blocks = [self.blocks[place] for place in order]
        return [blocks[start : start + self.window] for start in range(0, len(blocks), self.window)]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch in its own order."""
        generator = torch.Generator().manual_seed(mix(self.seed, epoch))
        last = len(self.blocks) - 1
        order = [*torch.randperm(last, generator=generator).tolist(), last] if last else [0]
        done = 0
        for number, window in enumerate(self._windows(order)):
            rows = sum(stop - begin for begin, stop in window)
            places = cuts(rows, self.batch_size)
            if done + len(places) - 1 <= start:  # resumed behind this window: nothing of it is read
                done += len(places) - 1
                continue
            shuffle = torch.randperm(rows, generator=torch.Generator().manual_seed(mix(self.seed, epoch, number)))
            block = Batch.joined([self.read(begin, stop) for begin, stop in window])
            for begin, stop in pairwise(places):
                if done >= start:
                    yield self._pick(block, shuffle[begin:stop]).to(self.device)
                done += 1

    def ordered(self) -> Iterator[Batch]:
        """All rows in their own order."""
        for begin, stop in self.blocks:
            yield self.read(begin, stop).to(self.device)

    @staticmethod
    def _pick(block: Batch, rows: Tensor) -> Batch:
        return block.map(lambda part: part[rows])

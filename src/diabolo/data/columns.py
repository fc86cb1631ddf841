"""What a column is: how it becomes cells for the network, and comes back as what it was."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ..core.errors import DataError
from .cells import short
from .curves import Curve
from .raw import Raw

Block = tuple[str, int]  # a likelihood ("gaussian", "bernoulli", "softmax") and how many cells it is about
Misfit = tuple[int, Any, str]  # the row of a value, the value, and what is wrong with it


@dataclass
class Column(ABC):
    """A column of one kind, with what it learned from the data.

    Parameters
    ----------
    name : str
    dtype : str
        The user's own dtype.
    holes : bool
        Whether cells were missing at fit; then one more cell tells whether this one is.
    """

    name: str
    dtype: str
    holes: bool = False

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, raw: Raw) -> Self:
        """Learn from the values that are there."""

    @classmethod
    def misfit(cls, raw: Raw) -> Misfit | None:
        """The first value that a column of this kind cannot hold; ``None`` where it can hold all of them."""
        return misfit_at(raw, 0, "which is a date") if raw.kind == "moment" else None

    @property
    @abstractmethod
    def own_blocks(self) -> list[Block]:
        """The likelihoods of the cells, in their order, without the one for holes."""

    @abstractmethod
    def forward(self, raw: Raw) -> np.ndarray:
        """Cells of the rows that are known: ``(rows, own width)``; what the others hold means nothing."""

    @abstractmethod
    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """Values that cells expect: ``(rows, own width) -> (rows,)``; drawn by chance where ``draw`` is given."""

    @property
    def marks(self) -> list[str]:
        """What the cells behind those of the value say of it: whether it is missing, the last one."""
        return [" is missing"] if self.holes else []

    @property
    def blocks(self) -> list[Block]:
        """The likelihoods of the cells, in their order."""
        return [*self.own_blocks, *[("bernoulli", 1)] * len(self.marks)]

    @property
    def width(self) -> int:
        """How many cells the column takes."""
        return sum(width for _, width in self.blocks)

    @property
    def own_width(self) -> int:
        """How many cells the value takes."""
        return self.width - len(self.marks)

    @property
    def own_names(self) -> list[str]:
        """A name for each cell of the value."""
        return [self.name] if self.own_width == 1 else [f"{self.name}[{at}]" for at in range(self.own_width)]

    @property
    def cell_names(self) -> list[str]:
        """A name for each cell."""
        return [*self.own_names, *(self.name + mark for mark in self.marks)]

    @property
    def what(self) -> str:
        """What was inferred, in a few words."""
        return self.kind

    def encode(self, raw: Raw) -> np.ndarray:
        """Cells of a stretch of rows, NaN where the value is missing: ``(rows, width)``."""
        cells = np.full((len(raw.values), self.width), np.nan)
        if raw.known.any():
            present = Raw(raw.name, raw.present, np.ones(int(raw.known.sum()), dtype=bool), raw.dtype)
            cells[raw.known, : self.own_width] = self.forward(present)
        if self.holes:
            cells[:, -1] = ~raw.known
        return cells

    def decode(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """Values that cells expect, holes filled: ``(rows, width) -> (rows,)``."""
        return self.backward(cells[:, : self.own_width], draw)

    def plain(self) -> dict[str, Any]:
        """What a model file holds of it."""
        facts = {key: value.plain() if isinstance(value, Curve) else value for key, value in vars(self).items()}
        return {"kind": self.kind} | facts


@dataclass
class Empty(Column):
    """A column without a single value: it comes back as empty.

    >>> Empty.fit(Raw("x", np.array([np.nan]), np.array([False]))).encode(Raw("x", np.array([0.0]), np.zeros(1, bool)))
    array([[nan]])
    """

    kind: ClassVar[str] = "empty"

    @classmethod
    def fit(cls, raw: Raw) -> Self:
        """There is nothing to learn."""
        return cls(raw.name, raw.dtype, False)

    @property
    def own_blocks(self) -> list[Block]:
        """One cell that is never known."""
        return [("gaussian", 1)]

    def forward(self, raw: Raw) -> np.ndarray:
        """Values where none were at fit are refused: nothing is known of them, and they would be lost."""
        raise DataError(
            f"column {self.name!r} holds {short(raw.present[0])}, and held nothing at fit. Leave it empty, or fit "
            "again on data in which it is filled."
        )

    def backward(self, cells: np.ndarray, draw: np.random.Generator | None = None) -> np.ndarray:
        """Nothing."""
        return np.full(len(cells), None, dtype=object)


def misfit_at(raw: Raw, at: int | np.ndarray, why: str) -> Misfit | None:
    """What is wrong with the value at a place among those that are there, or with the first of some that are marked.

    >>> misfit_at(Raw("x", np.array([0, 7, 8]), np.array([False, True, True])), np.array([False, True]), "too much")
    (2, 8, 'too much')
    """
    if isinstance(at, np.ndarray):
        if not at.any():
            return None
        at = int(at.argmax())
    value = raw.present[at]
    return int(np.flatnonzero(raw.known)[at]), value.item() if isinstance(value, np.generic) else value, why

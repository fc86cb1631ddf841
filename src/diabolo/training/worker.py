"""The seam for many processes: what one of them has to ask the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Worker(Protocol):
    """One of ``count`` processes that train the same network on different rows.

    Attributes
    ----------
    number : int
        Which one it is, from 0; number 0 writes files and speaks to the user.
    count : int
        How many there are.
    """

    number: int
    count: int

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their mean over all workers, in place."""

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of worker 0, in place."""


class Local:
    """The only process there is.

    >>> LOCAL.count
    1
    """

    number = 0
    count = 1

    def average(self, tensors: Sequence[Tensor]) -> None:
        """The mean over one is itself."""

    def share(self, tensors: Sequence[Tensor]) -> None:
        """There is nobody to share with."""


LOCAL = Local()

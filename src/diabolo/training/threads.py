"""How many threads a step is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORTH_SHARING = 1e8


@contextmanager
def suitable_threads(products: float, device: torch.device) -> Iterator[None]:
    """Use one thread inside where a step is so small that threads would mostly wait for each other.

    Parameters
    ----------
    products : float
        Multiplications in a step: about 3 x weights x rows. Up to 100 million take a core under a millisecond; two
        cores gain little then, and where another process is busy they lose a hundredfold by waiting in turns.
    device : torch.device

    >>> before = torch.get_num_threads()
    >>> with suitable_threads(1e6, torch.device("cpu")):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or products > WORTH_SHARING or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

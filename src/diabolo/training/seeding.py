"""Randomness of one's own: every draw is a function of a seed and a position, and the caller's state stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# torch's layers draw from one global generator; two fits in two threads must not draw from it at once.
LOCK = threading.RLock()


def mix(*numbers: int) -> int:
    """Fold some numbers into one 63-bit seed, so that near positions give unrelated draws (splitmix64).

    >>> mix(0, 1, 2) == mix(0, 1, 2), mix(0, 1, 2) == mix(0, 2, 1)
    (True, False)
    """
    state = 0
    for number in numbers:
        state = (state ^ (number & 0xFFFFFFFFFFFFFFFF)) + 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


def seed_from(random_state: int | np.random.RandomState | np.random.Generator | None) -> int:
    """A seed from what scikit-learn calls a random state; ``None`` takes fresh entropy and disturbs nobody.

    >>> seed_from(7)
    7
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool) and 0 <= random_state < 2**63:
        return int(random_state)
    raise ValueError(
        f"random_state came as {random_state!r}; it must be None, a whole number from 0 to 2**63 - 1, or a numpy "
        "generator."
    )


def reseed(seed: int, device: torch.device) -> None:
    """Set the generator that layers draw from."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from a seed inside; the caller's random numbers go on as if nothing had been.

    >>> before = torch.random.get_rng_state()
    >>> with own_randomness(0, torch.device("cpu")):
    ...     _ = torch.rand(3)
    >>> bool((torch.random.get_rng_state() == before).all())
    True
    """
    with LOCK, torch.random.fork_rng(devices=[device] if device.type == "cuda" else [], enabled=True):
        reseed(seed, device)
        yield

"""Keeping freed memory at hand while training."""

from __future__ import annotations

import ctypes
import functools
import sys

# glibc's names: from which size on a block is mapped on its own, and how much free memory is given back.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MAPPED = 32 << 20
LARGEST_KEPT = 1 << 30


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep what tensors free instead of returning it to the system after every step.

    A step frees and takes the same activations again; without this each of their pages is mapped and zeroed anew,
    which costs a third of an epoch on pictures of digits. Where there is no glibc nothing is done.

    >>> keep_freed_memory() in (True, False)
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_MAPPED) and mallopt(M_TRIM_THRESHOLD, LARGEST_KEPT))

"""The floors under the speed table: the matrix products of the work and nothing else.

An epoch cannot be faster than its products: forward, weight gradient, and input gradient of every layer but
the first, whose input needs none. Biases, activations, the loss, the optimizer, shuffling and copying come on
top: the ratio of an epoch to its floor says how much a training loop adds. All outputs go into buffers made
beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from common import BATCH_SIZE, SIZES

SCORING_ROWS = 2_048  # rows at a time: the fastest of 256 to 48,000 where this was written


def _matrices(dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(outputs, inputs, generator=generator).mul_(inputs**-0.5).to(dtype)
        for inputs, outputs in pairwise(SIZES)
    ]


def _buffers(rows: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(rows, size, generator=generator).to(dtype) for size in SIZES]


def _slices(rows: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def training_products(X: Tensor) -> Callable[[], None]:
    """The products of one epoch over `X`, in the dtype of `X`, as a function that computes them once."""
    weights = _matrices(X.dtype)
    weight_gradients = [torch.empty_like(weight) for weight in weights]
    full_activations, full_gradients = _buffers(BATCH_SIZE, X.dtype), _buffers(BATCH_SIZE, X.dtype)

    def epoch() -> None:
        for rows in _slices(len(X), BATCH_SIZE):
            count = rows.stop - rows.start
            activations = [X[rows], *(activation[:count] for activation in full_activations[1:])]
            gradients = [gradient[:count] for gradient in full_gradients]
            for layer, weight in enumerate(weights):
                torch.mm(activations[layer], weight.t(), out=activations[layer + 1])
            for layer in reversed(range(len(weights))):
                torch.mm(gradients[layer + 1].t(), activations[layer], out=weight_gradients[layer])
                if layer:
                    torch.mm(gradients[layer + 1], weights[layer], out=gradients[layer])

    return epoch


def scoring_products(X: Tensor) -> Callable[[], None]:
    """The products of scoring `X` once (encode and decode), as a function that computes them once."""
    weights = _matrices(X.dtype)
    full_activations = _buffers(SCORING_ROWS, X.dtype)

    def score() -> None:
        for rows in _slices(len(X), SCORING_ROWS):
            count = rows.stop - rows.start
            activations = [X[rows], *(activation[:count] for activation in full_activations[1:])]
            for layer, weight in enumerate(weights):
                torch.mm(activations[layer], weight.t(), out=activations[layer + 1])

    return score


def seconds(products: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each of `repeats` calls, after one that warms up."""
    moments = []
    for _ in range(repeats + 1):
        products()
        moments.append(time.perf_counter())
    return [after - before for before, after in pairwise(moments)]

"""Steps of training: one at a time, or as a captured graph where a GPU is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.roundtrip import Batch

WARMUP_STEPS = 3


class CapturedStep:
    """Records a step as a CUDA graph once per batch size and replays it: no launch overhead, the same arithmetic.

    The first steps run as they are, so that the optimizer has made its state; then a step is recorded with inputs
    that stay in place, and every further batch of that size is copied into them.

    Parameters
    ----------
    step : callable (Batch) -> None
        Forward, backward and update; it may not wait for the device.
    """

    def __init__(self, step: Callable[[Batch], None]) -> None:
        self.step = step
        self.graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self.seen: dict[int, int] = {}

    def __call__(self, batch: Batch) -> None:
        """Run a step."""
        size = len(batch)
        if (
            batch.known is not None or batch.degraded is not None
        ):  # masks come and go with the data; a graph could not follow
            self.step(batch)
            return
        if size in self.graphs:
            graph, values = self.graphs[size]
            values.copy_(batch.values)
            graph.replay()
            return
        self.seen[size] = self.seen.get(size, 0) + 1
        if self.seen[size] <= WARMUP_STEPS:
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.step(batch)
            torch.cuda.current_stream().wait_stream(side)
            return
        values = batch.values.clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(Batch(values))
        graph.replay()
        self.graphs[size] = (graph, values)

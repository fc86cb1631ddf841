"""What a fit will do: everything that "auto" and ``None`` stand for, decided before training."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..core.errors import ShapeError
from ..core.network import Network
from ..core.objective import Objective
from ..core.parts import to_plain
from ..core.roundtrip import Batch
from ..data.modality import Modality
from ..data.source import Source
from ..training import Batches, Resident, Streaming
from ..training.seeding import mix

if TYPE_CHECKING:
    from .base import Estimator

STEPS = 2000
FEWEST_EPOCHS, MOST_EPOCHS = 5, 100
FEWEST_STEPS = 8
SMALLEST_BATCH = 32
FEWEST_ROWS_TO_SPLIT = 20
RESIDENT_SHARE = 8
BLOCK_ROWS = 4096


@dataclass
class Plan:
    """All that a fit needs, built and untrained.

    Parameters
    ----------
    rows, validation_rows : int
        Rows that are trained on, and rows that are held out.
    epochs, batch_size : int
    parameters : int
        Weights of the network.
    memory : int
        Bytes that data, weights, optimizer and activations will need, estimated.
    resident : bool
        Whether the data fits in memory; otherwise it is streamed.
    closed_form : bool
        Whether there is nothing to train.
    degraded : Source, or None
        What the encoder sees instead of the rows while training.

    >>> from diabolo import Autoencoder
    >>> plan = Autoencoder(epochs=3).plan("digits")
    >>> plan.rows, plan.validation_rows, plan.epochs, plan.resident
    (1617, 180, 3, True)
    """

    modality: Modality
    network: Network
    objective: Objective
    batches: Batches
    validation: Batches | None
    epochs: int
    batch_size: int
    seed: int
    device: torch.device
    memory: int
    resident: bool
    closed_form: bool
    degraded: Source | None = None

    @property
    def rows(self) -> int:
        """Rows that are trained on."""
        return self.batches.rows

    @property
    def validation_rows(self) -> int:
        """Rows that are held out."""
        return self.validation.rows if self.validation is not None else 0

    @property
    def parameters(self) -> int:
        """Weights of the network."""
        return sum(weight.numel() for weight in self.network.parameters())


def choose_device(wanted: str) -> torch.device:
    """A device by name; ``"auto"`` is a GPU if there is one.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if not isinstance(wanted, (str, torch.device)):
        raise TypeError(f"device came as {wanted!r}; it must be 'auto', 'cpu', 'cuda' or 'cuda:0'.")
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ValueError(f"device came as {wanted!r}; it must be 'auto', 'cpu', 'cuda' or 'cuda:0'.") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device came as {wanted!r}; this library computes on 'cpu' and 'cuda'.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device came as {wanted!r}, but torch sees no GPU here; use device='cpu' or 'auto'.")
    return device


def total_memory() -> int:
    """Bytes of memory that the machine has; a fixed number, so that a plan does not depend on the hour."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def make_plan(
    estimator: Estimator,
    source: Source,
    degraded: Source | None,
    modality: Modality,
    network: Network,
    objective: Objective,
    seed: int,
    device: torch.device,
) -> Plan:
    """Split the rows, cut batches, and count steps and memory."""
    if degraded is not None and (degraded.rows, tuple(degraded.shape)) != (source.rows, tuple(source.shape)):
        raise ShapeError(
            f"The degraded data came as {degraded.rows:,} rows of shape {tuple(degraded.shape)}, the clean data as "
            f"{source.rows:,} rows of shape {tuple(source.shape)}; give one degraded row for each clean one, in the "
            "same order."
        )
    resident = is_resident(source)
    chosen = rows_held_out(source, estimator.validation, seed)
    trained = source.rows - len(chosen)
    if trained == 0:
        raise ValueError(f"validation={estimator.validation} leaves none of the {source.rows} rows to train on.")
    smaller = max(SMALLEST_BATCH, trained // FEWEST_STEPS)
    batch_size = min(estimator.batch_size, smaller)
    if resident:
        batch = read_whole(modality, source, degraded).to(device)
        batches, validation = resident_batches(batch, chosen, batch_size, seed)
    else:
        held_out = round(estimator.validation * source.rows)
        read = partial(read_stretch, modality, source, degraded)
        batches, validation = streaming_batches(read, source, held_out, batch_size, seed, device)
    enough = min(MOST_EPOCHS, max(FEWEST_EPOCHS, -(-STEPS // batches.steps)))
    epochs = 1 if estimator.closed_form else estimator.epochs or enough
    weights = sum(weight.numel() for weight in network.parameters())
    copied = not (source.dtype == np.float32 and modality.scaling.changes_nothing)
    data = source.bytes * (1 + copied) if resident else 4 * 2 * 8 * BLOCK_ROWS * int(np.prod(source.shape))
    # Weights, gradients, momentum, the best ones and a snapshot, some of them twice; each output and its gradient.
    memory = data + 4 * 8 * weights + 4 * 2 * batch_size * network.outputs_per_row
    return Plan(
        modality,
        network,
        objective,
        batches,
        validation,
        epochs,
        batch_size,
        seed,
        device,
        memory=int(memory),
        resident=resident,
        closed_form=estimator.closed_form,
        degraded=degraded,
    )


def is_resident(source: Source) -> bool:
    """Whether a source is read whole into memory, and not streamed."""
    return source.bytes <= total_memory() // RESIDENT_SHARE


def blocks_of(source: Source, held_out: int, seed: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Stretches of rows to train on, and random ones of about ``held_out`` rows that are held out."""
    blocks = [(start, min(start + BLOCK_ROWS, source.rows)) for start in range(0, source.rows, BLOCK_ROWS)]
    count = min(round(held_out / BLOCK_ROWS), len(blocks) - 1)
    order = torch.randperm(len(blocks) - 1, generator=torch.Generator().manual_seed(mix(seed, held_out))).tolist()
    chosen = sorted(order[:count])
    return [block for place, block in enumerate(blocks) if place not in chosen], [blocks[place] for place in chosen]


def rows_held_out(source: Source, validation: float, seed: int) -> Tensor:
    """Which rows of a source a fit with this seed holds out: their numbers, sorted; a pure function."""
    held_out = round(validation * source.rows) if source.rows >= FEWEST_ROWS_TO_SPLIT else 0
    if not is_resident(source):
        stretches = blocks_of(source, held_out, seed)[1]
        return torch.cat([torch.arange(start, stop) for start, stop in stretches] or [torch.arange(0)])
    order = torch.randperm(source.rows, generator=torch.Generator().manual_seed(mix(seed, held_out)))
    return order[:held_out].sort().values


def read_whole(modality: Modality, source: Source, degraded: Source | None) -> Batch:
    """All rows of a source, with what the encoder sees of them where that is another source."""
    batch = modality.read_all(source)
    return batch if degraded is None else Batch(batch.values, batch.known, modality.read_all(degraded).view())


def read_stretch(modality: Modality, source: Source, degraded: Source | None, start: int, stop: int) -> Batch:
    """Some rows of a source, with what the encoder sees of them where that is another source."""
    batch = modality.read(source, start, stop)
    if degraded is None:
        return batch
    return Batch(batch.values, batch.known, modality.read(degraded, start, stop).view())


def resident_batches(batch: Batch, chosen: Tensor, batch_size: int, seed: int) -> tuple[Batches, Batches | None]:
    """All rows in memory, and some of them held out."""
    if not len(chosen):
        return Resident(batch, batch_size, seed), None
    rest = torch.ones(len(batch), dtype=torch.bool)
    rest[chosen] = False
    held_out = Resident(batch, max(batch_size, 2048), seed, chosen)
    return Resident(batch, batch_size, seed, rest.nonzero().flatten()), held_out


def streaming_batches(
    read: Callable[[int, int], Batch],
    source: Source,
    held_out: int,
    batch_size: int,
    seed: int,
    device: torch.device,
) -> tuple[Batches, Batches | None]:
    """Blocks of rows read when they are needed, and some of them held out."""
    rest, chosen = blocks_of(source, held_out, seed)
    batches = Streaming(read, rest, batch_size, seed, device)
    return batches, Streaming(read, chosen, batch_size, seed, device) if chosen else None


def fingerprint(estimator: Estimator, source: Source, plan: Plan) -> str:
    """A digest of parameters and data, so that a run is only resumed where both are the same."""
    known = estimator.get_params(deep=False)
    free = {"verbose", "max_seconds", "random_state", "device"}
    facts: dict[str, Any] = {name: to_plain(value) for name, value in known.items() if name not in free}
    facts |= {
        "class": type(estimator).__name__,
        "seed": plan.seed,
        "rows": source.rows,
        "shape": list(source.shape),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    digest.update(plan.modality.mean.tobytes())
    for read in (source, plan.degraded) if plan.degraded else (source,):
        digest.update(np.ascontiguousarray(read.read(0, min(read.rows, 64))).tobytes())
        digest.update(np.ascontiguousarray(read.read(max(0, read.rows - 64), read.rows)).tobytes())
    return digest.hexdigest()

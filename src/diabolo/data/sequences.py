"""Sequences: rows of steps, of one length or of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ..architectures import Recurrent
from ..core.errors import ShapeError
from ..core.kinds import Architecture, Shape
from ..core.roundtrip import Batch
from .modality import Modality, as_dtype
from .ragged import Roomier
from .scaling import Scaling, Statistics, choose_scaling
from .source import Source


@dataclass
class Sequences(Modality):
    """Sequences of steps, each of some channels; the network sees (longest, channels), aligned at the end.

    What a shorter sequence lacks is filled up in front and is not known: it is never read and never scored. Every
    channel has one scale for all steps. Sequences of unequal length are written back as a list of arrays of their own
    lengths; where all had one length from the start (arrays, tables), as an array.

    >>> from diabolo.data.ragged import RaggedSource
    >>> source = RaggedSource([np.array([1.0, 2.0, 3.0]), np.array([5.0])])
    >>> sequences = Sequences.fit(source, "none")
    >>> batch = sequences.read(source)
    >>> batch.values.shape, batch.known[1, :, 0].tolist()
    (torch.Size([2, 3, 1]), [False, False, True])
    >>> [back.tolist() for back in sequences.write(batch.values, like=source)]
    [[1.0, 2.0, 3.0], [5.0]]
    """

    name: ClassVar[str] = "sequences"

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Rows that have lengths of their own."""
        return source.lengths is not None

    @classmethod
    def fit(cls, source: Source, scaling: str) -> Sequences:
        """Remember also whether the lengths may differ."""
        made = super().fit(source, scaling)
        assert isinstance(made, cls)
        made.facts["varies"] = source.lengths is not None
        return made

    def with_room(self, longest: int | None) -> Sequences:
        """The same with room for longer sequences than were seen."""
        seen, channels = self.shape
        if longest is None or longest == seen:
            return self
        if longest < seen:
            raise ShapeError(
                f"longest came as {longest}, but {self.facts['place']} has a sequence of {seen} steps. Give at least "
                "as many, or None."
            )
        shape = (longest, channels)
        facts = self.facts | {"varies": True, "user_shape": [longest, *self.facts["user_shape"][1:]]}
        return Sequences(shape, self.scaling, np.pad(self.mean, ((longest - seen, 0), (0, 0))), facts)

    @classmethod
    def network_shape(cls, source: Source) -> Shape:
        """(longest, channels)."""
        if len(source.shape) > 2:
            raise ShapeError(
                f"{source.place} has samples of shape {tuple(source.shape)}; a sequence is (length,) or "
                "(length, channels). Pictures are for Autoencoder, with architecture='conv'."
            )
        return source.shape[0], channels_of(source)

    @classmethod
    def scale(cls, source: Source, statistics: Statistics, scaling: str) -> Scaling:
        """One scale for each channel, or one for all."""
        return choose_scaling(scaling, by_channel(statistics, channels_of(source)), named=False)

    @property
    def varies(self) -> bool:
        """Whether rows have lengths of their own, up to the longest at fit."""
        return bool(self.facts["varies"])

    def aligned(self, source: Source) -> Source:
        """Data whose sequences are all shorter than the longest at fit, with room in front."""
        return source if source.shape[0] == self.shape[0] else Roomier(source, self.shape[0])

    def read(self, source: Source, start: int = 0, stop: int | None = None) -> Batch:
        """Read a stretch of a source as tensors; what shorter sequences lack in front is not known."""
        self.refuse_other_shape(source)
        return super().read(self.aligned(source), start, stop)

    def refuse_other_shape(self, source: Source) -> None:
        """As many channels, and no sequence longer than the longest at fit: nothing is cut silently."""
        if not self.varies and source.lengths is None:
            super().refuse_other_shape(source)
            return
        longest, channels = self.shape
        if len(source.shape) > 2 or channels_of(source) != channels:
            raise ShapeError(
                f"{source.place} has samples of shape {tuple(source.shape)}; the model was fitted on sequences of "
                f"{channels} channels. Give (length,) or (length, channels) for each row."
            )
        if source.shape[0] > longest:
            lengths = lengths_of(source)
            row = int(np.argmax(lengths > longest))
            raise ShapeError(
                f"{source.place}: row {row} has {lengths[row]} steps, and the longest sequence at fit had {longest}. "
                f"Cut it into parts of up to {longest} steps, or fit with room for it: on sequences as long, or by "
                f"SequenceAutoencoder(longest={lengths[row]})."
            )

    def array(self, values: torch.Tensor) -> np.ndarray:
        """Full-length sequences in the user's units; measurements in whole numbers come back between these."""
        user = self.scaling.backward(self.to_user(values.detach().cpu().numpy()))
        return as_dtype(user, self.facts["dtype"] if np.dtype(self.facts["dtype"]).kind == "f" else "float64")

    def write(self, values: torch.Tensor, like: Any = None) -> np.ndarray | list[np.ndarray]:
        """A list of arrays, each as long as its row of ``like``; an array where no lengths ever differed.

        Parameters
        ----------
        values : Tensor of shape (rows, longest, channels), in the network's units
        like : Source, or None
            Gives the lengths; ``None``: all are of full length, since codes do not tell.
        """
        arrays = self.array(values)
        given = like if isinstance(like, Source) else None
        if not self.varies and (given is None or given.lengths is None):
            return arrays
        if given is None:
            return list(arrays)
        pairs = zip(arrays, lengths_of(given).tolist(), strict=True)
        return [row[len(row) - length :].reshape(length, *given.shape[1:]) for row, length in pairs]

    def architecture(self) -> Architecture:
        """A recurrent network."""
        return Recurrent()


def channels_of(source: Source) -> int:
    """Numbers in a step.

    >>> from diabolo.data.memory import in_memory
    >>> channels_of(in_memory([[1, 2], [3]]))
    1
    """
    return int(np.prod(source.shape[1:], dtype=np.int64))


def lengths_of(source: Source) -> np.ndarray:
    """Each row's steps, also where all rows have as many.

    >>> from diabolo.data.memory import in_memory
    >>> lengths_of(in_memory([[1, 2], [3, 4]]))
    array([2, 2])
    """
    return np.full(source.rows, source.shape[0]) if source.lengths is None else source.lengths


def by_channel(statistics: Statistics, channels: int) -> Statistics:
    """Statistics of all steps together, channel by channel (Chan's formula); padding does not count.

    >>> from diabolo.data.memory import in_memory
    >>> from diabolo.data.scaling import survey
    >>> by_channel(survey(in_memory([[1.0, 2.0], [6.0]])), 1).mean
    array([3.])
    """
    parts = (statistics.count, statistics.mean, statistics.deviation, statistics.smallest, statistics.largest)
    count, means, deviation, low, high = (part.reshape(-1, channels) for part in parts)
    total = count.sum(0)
    mean = (count * means).sum(0) / np.maximum(total, 1)
    apart = means - mean
    unit = np.ldexp(1.0, np.clip(np.frexp(np.maximum(deviation, np.abs(apart)).max(0))[1], -1000, 1000))  # exact
    variance = (count * ((deviation / unit) ** 2 + (apart / unit) ** 2)).sum(0) / np.maximum(total, 1)
    smallest = np.where(count > 0, low, np.inf).min(0)
    largest = np.where(count > 0, high, -np.inf).max(0)
    smallest, largest = np.where(total > 0, smallest, 0.0), np.where(total > 0, largest, 0.0)
    return Statistics(total, mean, np.sqrt(variance) * unit, smallest, largest, statistics.whole, statistics.missing)

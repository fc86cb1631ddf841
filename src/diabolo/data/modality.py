"""A modality reads the user's data into tensors, and writes tensors back as the user's own kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch

from ..architectures import MLP
from ..core.errors import ShapeError
from ..core.kinds import Architecture, Loss, Shape
from ..core.roundtrip import Batch
from ..losses import GaussianLikelihood
from .scaling import Scaling, Statistics, choose_scaling, known_cells, refuse_extreme, stretches, survey
from .source import Source


@dataclass
class Modality(ABC):
    """How data of one kind becomes tensors and comes back.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample as the network sees it.
    scaling : Scaling
        From the user's units to the network's.
    mean : ndarray of shape ``shape``
        The training data's mean in the network's units: where decoders begin, and what a score compares with.
    facts : dict
        What else is needed to write data back: names, dtypes, the kind of container. Plain values only.
    """

    shape: Shape
    scaling: Scaling
    mean: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def reads(cls, source: Source) -> bool:
        """Whether this modality is the one for a source."""

    @classmethod
    def fit(cls, source: Source, scaling: str) -> Modality:
        """Learn from a source what has to be remembered."""
        statistics = survey(source)
        facts = {
            "place": source.place,
            "rows": source.rows,
            "user_shape": list(source.shape),
            "dtype": str(source.dtype),
            "dtypes": list(source.dtypes) if source.dtypes else None,
            "names": list(source.names) if source.names else None,
            "missing": statistics.missing,
            "whole": statistics.whole,
            "smallest": float(statistics.smallest.min()),
        }
        chosen = cls.scale(source, statistics, scaling)
        made = cls(cls.network_shape(source), chosen, statistics.mean, facts)
        made.mean = made.to_network(chosen.forward(statistics.mean[None]))[0]
        return made

    @classmethod
    def network_shape(cls, source: Source) -> Shape:
        """The shape of a sample as the network sees it."""
        return tuple(source.shape)

    @classmethod
    def scale(cls, source: Source, statistics: Statistics, scaling: str) -> Scaling:
        """Choose the scaling."""
        return choose_scaling(scaling, statistics, named=source.names is not None and not source.numbered)

    @property
    def counts(self) -> bool:
        """Whether the network gets whole numbers of at least 0, as they came."""
        return bool(self.facts["whole"]) and self.facts.get("smallest", -1.0) >= 0 and self.scaling.changes_nothing

    @property
    def widths(self) -> list[int] | None:
        """How many neighboring cells make up each column, where several do."""
        return None

    @property
    def varies(self) -> bool:
        """Whether rows have lengths of their own."""
        return False

    def aligned(self, source: Source) -> Source:
        """Data to use, with samples of the shape of those at fit."""
        return source

    def read(self, source: Source, start: int = 0, stop: int | None = None) -> Batch:
        """Read a stretch of a source as tensors.

        Raises
        ------
        ShapeError
            If the samples are of another shape than those at fit.
        DataError
            If a cell is infinite.
        """
        self.refuse_other_shape(source)
        values = source.read(start, source.rows if stop is None else stop)
        known = known_cells(values, source, start)
        if known is not None:
            values = np.where(known, values, np.broadcast_to(self.scaling.center, values.shape[1:]))
        scaled = self.scaling.forward(values)
        unscaled = self.widths is None and bool(np.all(self.scaling.scale == 1))
        refuse_extreme(scaled, values, source, start, " (use scaling='standard')" if unscaled else "")
        scaled = self.to_network(scaled)
        tensor = torch.from_numpy(scaled if scaled.flags.writeable else scaled.copy())
        return Batch(tensor, None if known is None else torch.from_numpy(self.to_network(known)))

    def read_all(self, source: Source) -> Batch:
        """Read a source whole, a stretch at a time into one tensor, so that no second copy of it is ever there."""
        if source.dtype == np.float32 and self.scaling.changes_nothing:
            return self.read(source)
        values = torch.empty(source.rows, *self.shape)
        known: torch.Tensor | None = None
        for start, stop in stretches(source):
            part = self.read(source, start, stop)
            values[start:stop] = part.values
            if part.known is not None:
                known = torch.ones_like(values, dtype=torch.bool) if known is None else known
                known[start:stop] = part.known
        return Batch(values, known)

    def refuse_other_shape(self, source: Source) -> None:
        """Data to use must have the shape of the data at fit."""
        wanted = tuple(self.facts["user_shape"])
        if tuple(source.shape) != wanted or source.lengths is not None:
            given = f"samples of shape {tuple(source.shape)}" if source.lengths is None else "rows of unequal length"
            advice = ""
            if source.lengths is None and np.prod(source.shape) == np.prod(wanted):
                axes = "-1" if len(wanted) == 1 else ", ".join(map(str, wanted))
                advice = f" They hold as many cells, so reshape: X.reshape(len(X), {axes})."
            raise ShapeError(f"{source.place} has {given}; the model was fitted on {wanted}.{advice}")

    def to_network(self, values: np.ndarray) -> np.ndarray:
        """Rearrange the user's axes into the network's."""
        return values.reshape(len(values), *self.shape)

    def to_user(self, values: np.ndarray) -> np.ndarray:
        """Rearrange the network's axes into the user's."""
        return values.reshape(len(values), *self.facts["user_shape"])

    def array(self, values: torch.Tensor) -> np.ndarray:
        """Tensors in the network's units as an array in the user's units, axes and dtype."""
        user = self.scaling.backward(self.to_user(values.detach().cpu().numpy()))
        return as_dtype(user, self.facts["dtype"])

    def write(self, values: torch.Tensor, like: Any = None) -> Any:
        """Tensors as the user's own kind: an array, or a frame with names, dtypes and index.

        Parameters
        ----------
        values : Tensor of shape (rows, *shape), in the network's units
        like : the user's data, or its source, or None
            Gives the index, or the lengths; ``None``: the kind that was seen at fit.
        """
        return self.array(values)

    def architecture(self) -> Architecture:
        """The architecture that suits this data if the user names none."""
        return MLP()

    def loss(self) -> Loss:
        """The loss that suits this data if the user names none."""
        return GaussianLikelihood(link="sigmoid" if self.scaling.unit else "identity")

    def column_names(self) -> list[str]:
        """A name for each cell."""
        names = self.facts.get("names")
        if names:
            return list(names)
        places = np.ndindex(*self.facts["user_shape"])
        return [f"x{place[0]}" if len(place) == 1 else str(place) for place in places]

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a model file holds of this modality: plain facts and arrays."""
        plain = {"name": self.name, "shape": list(self.shape), "unit": self.scaling.unit, "facts": self.facts}
        scaling = {"center": np.asarray(self.scaling.center), "scale": np.asarray(self.scaling.scale)}
        return plain, scaling | {"mean": self.mean}


def restore(plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Modality:
    """The reverse of :meth:`Modality.describe`."""
    kinds = {kind.name: kind for kind in Modality.__subclasses__()}
    if plain.get("name") not in kinds:
        raise ValueError(f"No modality is called {plain.get('name')!r}; there are {', '.join(sorted(kinds))}.")
    scaling = Scaling(np.asarray(arrays["center"]), np.asarray(arrays["scale"]), bool(plain["unit"]))
    return kinds[plain["name"]](tuple(plain["shape"]), scaling, np.asarray(arrays["mean"]), dict(plain["facts"]))


def as_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Numbers as another dtype: whole numbers are rounded and kept within the dtype's bounds.

    >>> as_dtype(np.array([-1.2, 254.6, 300.0]), "uint8").tolist()
    [0, 255, 255]
    """
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return values > 0.5
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        rounded = np.rint(values.astype(np.float64, copy=False))
        # The largest int64 is no float64: stay below it, or the cast wraps round.
        return np.clip(
            rounded,
            float(limits.min),
            np.nextafter(float(limits.max), 0) if limits.bits == 64 else limits.max,
        ).astype(kind)
    return values.astype(kind if kind.kind == "f" else np.float64, copy=False)

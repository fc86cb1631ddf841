"""Pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ..core.errors import DataError
from ..core.kinds import Shape
from .modality import Modality, as_dtype
from .scaling import Scaling, Statistics, choose_scaling
from .source import Source

CHANNELS = (1, 2, 3, 4)


@dataclass
class Images(Modality):
    """Pictures of one size: (rows, height, width), with channels last or first.

    Whole numbers are scaled to 0..1 by their largest possible value and written back as whole numbers; floats
    are brought to 0..1 if they are not there already.

    >>> from diabolo.data.memory import ArraySource
    >>> X = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    >>> pictures = Images.fit(ArraySource(X), "auto")
    >>> pictures.shape, bool((pictures.write(pictures.read(ArraySource(X)).values) == X).all())
    ((3, 4, 1), True)
    """

    name: ClassVar[str] = "images"

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Samples of two axes, or of three of which one counts channels."""
        shape = source.shape
        return len(shape) == 2 or (len(shape) == 3 and (shape[-1] in CHANNELS or shape[0] in CHANNELS))

    @classmethod
    def channels_first(cls, shape: Shape) -> bool:
        """Whether the first of three axes counts channels."""
        return len(shape) == 3 and shape[-1] not in CHANNELS

    @classmethod
    def network_shape(cls, source: Source) -> Shape:
        """(height, width, channels)."""
        shape = tuple(source.shape)
        if len(shape) == 2:
            return (*shape, 1)
        return (*shape[1:], shape[0]) if cls.channels_first(shape) else shape

    @classmethod
    def scale(cls, source: Source, statistics: Statistics, scaling: str) -> Scaling:
        """One scale for all pixels."""
        low, high = float(statistics.smallest.min()), float(statistics.largest.max())
        if scaling != "auto":
            return choose_scaling(scaling, statistics, named=False)
        if source.dtype.kind in "bu" or (source.dtype.kind == "i" and low >= 0):
            declared = getattr(source, "maximum", None) or (255 if source.dtype == np.uint8 else high)
            if high > declared:
                raise DataError(f"{source.place} holds the value {high:g}, above its maximum of {declared:g}.")
            return Scaling(np.zeros(()), np.array(float(declared) or 1.0), unit=True)
        if low >= 0 and high <= 1:
            return Scaling(np.zeros(()), np.ones(()), unit=True)
        return Scaling(np.array(low), np.array((high - low) or 1.0), unit=True)

    def to_network(self, values: np.ndarray) -> np.ndarray:
        """Channels last."""
        if self.channels_first(tuple(self.facts["user_shape"])):
            values = np.ascontiguousarray(np.moveaxis(values, 1, -1))
        return values.reshape(len(values), *self.shape)

    def to_user(self, values: np.ndarray) -> np.ndarray:
        """As the user had them."""
        if self.channels_first(tuple(self.facts["user_shape"])):
            return np.moveaxis(values, -1, 1)
        return values.reshape(len(values), *self.facts["user_shape"])

    def array(self, values: torch.Tensor) -> np.ndarray:
        """Pictures; whole numbers stay within the range that they were scaled by."""
        user = self.scaling.backward(self.to_user(values.detach().cpu().numpy()))
        dtype = np.dtype(self.facts["dtype"])
        if dtype.kind in "iu" and self.scaling.center.ndim == 0:
            user = np.clip(user, 0, float(self.scaling.center + self.scaling.scale))
        return as_dtype(user, str(dtype))

    def write(self, values: torch.Tensor, like: Any = None) -> np.ndarray:
        """An array of pictures."""
        return self.array(values)

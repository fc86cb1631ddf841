"""Arrays of numbers of any shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from .modality import Modality, as_dtype
from .source import Source


@dataclass
class Arrays(Modality):
    """Numbers in rows without names; written back as a numpy array of the dtype that came.

    >>> from diabolo.data.memory import ArraySource
    >>> X = np.arange(12.0).reshape(4, 3)
    >>> modality = Arrays.fit(ArraySource(X), "standard")
    >>> bool(np.allclose(modality.write(modality.read(ArraySource(X)).values), X, atol=1e-5))
    True
    """

    name: ClassVar[str] = "arrays"

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Whatever has no names and is no picture."""
        return source.names is None

    def array(self, values: torch.Tensor) -> np.ndarray:
        """Floats come back as floats; whole numbers that are measurements come back between the whole numbers.

        A matrix of integers is no promise that its reconstruction is one: only pictures and named columns keep theirs.
        """
        user = self.scaling.backward(self.to_user(values.detach().cpu().numpy()))
        return as_dtype(user, self.facts["dtype"] if np.dtype(self.facts["dtype"]).kind == "f" else "float64")

    def write(self, values: torch.Tensor, like: Any = None) -> np.ndarray:
        """An array."""
        return self.array(values)

"""Tables of numbers: columns with names and dtypes of their own."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ..core.errors import DataError
from .modality import Modality, as_dtype
from .source import Source


@dataclass
class Table(Modality):
    """Named columns of numbers; written back as the same kind of frame, with names, dtypes and index.

    >>> from diabolo.data.memory import in_memory
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [30, 40, 50], "height": [1.6, 1.7, 1.8]}, index=["a", "b", "c"])
    >>> table = Table.fit(in_memory(frame), "standard")
    >>> table.write(table.read(in_memory(frame)).values, like=frame).equals(frame)
    False
    >>> table.write(table.read(in_memory(frame)).values, like=frame).dtypes.astype(str).tolist()
    ['int64', 'float64']
    """

    name: ClassVar[str] = "table"

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Whatever has names."""
        return source.names is not None

    @classmethod
    def fit(cls, source: Source, scaling: str) -> Modality:
        """Remember also which library's frame came."""
        table = super().fit(source, scaling)
        frame = getattr(source, "frame", None)
        table.facts["backend"] = None if frame is None else str(frame.implementation.value)
        return table

    def refuse_other_shape(self, source: Source) -> None:
        """The same columns in the same order; names say which differ."""
        wanted = list(self.facts["names"])
        given = list(source.names) if source.names is not None else None
        if given is not None and given != wanted:
            missing = [name for name in wanted if name not in given]
            extra = [name for name in given if name not in wanted]
            parts = [f"missing: {', '.join(missing)}"] if missing else []
            hint = " A column of labels is named by --label, or dropped." if extra and not missing else ""
            parts += [f"unexpected: {', '.join(extra)}"] if extra else []
            raise DataError(
                f"{source.place}: the columns differ from those at fit ({'; '.join(parts) or 'another order'}). "
                f"Give {', '.join(wanted[:10])}{', ...' if len(wanted) > 10 else ''} in this order.{hint}"
            )
        super().refuse_other_shape(source)

    def columns(self, values: torch.Tensor) -> dict[str, np.ndarray]:
        """The columns by name, each in its own dtype."""
        user = self.scaling.backward(self.to_user(values.detach().cpu().numpy()))
        return {
            name: as_dtype(user[:, place], dtype)
            for place, (name, dtype) in enumerate(zip(self.facts["names"], self.facts["dtypes"], strict=True))
        }

    def write(self, values: torch.Tensor, like: Any = None) -> Any:
        """A frame of the kind that came: of ``like``'s library if that is given, else of the one at fit.

        An array is what comes back where an array was given, and where the library is not installed any more.
        """
        import narwhals.stable.v2 as nw

        if like is not None:
            given = nw.from_native(like, eager_only=True, pass_through=True)
            if not isinstance(given, nw.DataFrame):
                return np.stack(list(self.columns(values).values()), axis=1)
            made = nw.to_native(nw.from_dict(self.columns(values), backend=given.implementation))
            index = nw.maybe_get_index(given)
            if index is not None:
                made.index = index
            return made
        backend = self.facts.get("backend")
        columns = self.columns(values)
        if backend is None or importlib.util.find_spec(backend) is None:
            return np.stack(list(columns.values()), axis=1)
        return nw.to_native(nw.from_dict(columns, backend=backend))

"""Tables: columns with names and types of their own."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch

from ..core.errors import DataError
from ..core.kinds import Loss
from ..core.roundtrip import Batch
from ..losses import ColumnLikelihood
from .cells import listed, short
from .columns import Block, Column
from .frames import integer_name, make_frame
from .kinds import infer, restore_column
from .modality import Modality, as_dtype
from .scaling import Scaling, survey
from .source import Source

INFER = "infer"
ColumnTypes = Mapping[str, str] | str | None


class Encoded(Source):
    """A table's rows as the cells that the network sees; missing ones are NaN.

    Parameters
    ----------
    table : Source
        With columns of any type.
    columns : list of Column
    """

    dtype = np.dtype(np.float64)

    def __init__(self, table: Source, columns: list[Column]) -> None:
        self.table, self.columns = table, columns
        self.place, self.rows, self.labels = table.place, table.rows, table.labels
        self.index, self.paths = table.index, table.paths
        self.cells = tuple(name for column in columns for name in column.cell_names)
        self.names, self.dtypes = self.cells, ("float64",) * len(self.cells)
        self.shape = (len(self.cells),)
        self.owners = [at for at, column in enumerate(columns) for _ in range(column.width)]

    @property
    def features(self) -> int:
        """Columns, as the user counts them."""
        return len(self.columns)

    def read(self, start: int, stop: int) -> np.ndarray:
        """The cells of a stretch of rows."""
        try:
            return np.concatenate(
                [column.encode(self.table.column(at, start, stop)) for at, column in enumerate(self.columns)], axis=1
            )
        except DataError as error:
            raise error if str(error).startswith(self.place) else DataError(f"{self.place}: {error}") from error

    def where(self, row: int, cell: tuple[int, ...]) -> str:
        """What to call a cell in a message: the user's column and row."""
        return self.table.where(row, (self.owners[cell[0]],))

    def told(self, row: int, cell: tuple[int, ...], value: float) -> str:
        """What the user wrote where a cell of the network's lies."""
        raw = self.table.column(self.owners[cell[0]], row, row + 1)
        return f"{raw.values[0]:g}" if raw.kind == "number" else short(raw.values[0])


@dataclass
class Table(Modality):
    """Named columns; written back as the same kind of frame, with names, dtypes and index.

    A frame of nothing but numbers is taken as it is. One that holds more (text, categories, truths that miss values,
    dates), or whose columns' kinds the user names, is encoded: each column by its kind
    (:mod:`diabolo.data.columns`), with a likelihood of its own.

    >>> from diabolo.data.memory import in_memory
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [30, 40, 50], "city": ["A", "B", "A"]}, index=["a", "b", "c"])
    >>> table = Table.fit(in_memory(frame), "auto")
    >>> table.write(table.read(in_memory(frame)).values, like=frame).equals(frame)
    True
    """

    name: ClassVar[str] = "table"

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Whatever has names."""
        return source.names is not None

    @classmethod
    def fit(cls, source: Source, scaling: str, column_types: ColumnTypes = None) -> Self:
        """Remember also which library's frame came, and what its columns are."""
        if not source.mixed and column_types is None:
            plain = super().fit(source, scaling)
            assert isinstance(plain, cls)
            return plain.remember(source)
        if scaling not in ("auto", "standard", "center"):
            raise ValueError(
                f"scaling came as {scaling!r}; a table of columns of several kinds has a scale for each: use 'auto'."
            )
        columns = fit_columns(source, column_types)
        encoded = Encoded(source, columns)
        statistics = survey(encoded)
        holes = [at for at, column in enumerate(columns) if column.holes]
        facts = {
            "place": source.place,
            "rows": source.rows,
            "user_shape": list(source.shape),
            "dtype": "mixed",
            "dtypes": [column.dtype for column in columns],
            "names": [column.name for column in columns],
            "missing": sum(int((~source.column(at, 0, source.rows).known).sum()) for at in holes),
            "whole": False,
            "smallest": float(statistics.smallest.min()),
            "backend": source.backend,
            "numbered": source.numbered,
            "columns": [column.plain() for column in columns],
        }
        nothing = Scaling(np.zeros(()), np.ones(()), unit=False)
        return cls(encoded.shape, nothing, statistics.mean.astype(np.float32), facts)

    def remember(self, source: Source) -> Self:
        """Note the kind of frame that came, and the dtypes and names that only its library knows."""
        facts = {"backend": source.backend, "own_dtypes": source.own_dtypes, "numbered": source.numbered}
        self.facts |= {key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()}
        return self

    @cached_property
    def columns(self) -> list[Column]:
        """The columns and what they learned; empty for a table of nothing but numbers."""
        return [restore_column(dict(plain)) for plain in self.facts.get("columns") or ()]

    @property
    def blocks(self) -> list[Block]:
        """The likelihoods of the cells, in their order."""
        return [block for column in self.columns for block in column.blocks]

    @property
    def widths(self) -> list[int] | None:
        """How many cells each column takes, where the columns are of several kinds."""
        return [column.width for column in self.columns] or None

    def aligned(self, source: Source) -> Source:
        """The rows as cells."""
        return Encoded(source, self.columns) if self.columns and not isinstance(source, Encoded) else source

    def read(self, source: Source, start: int = 0, stop: int | None = None) -> Batch:
        """Read a stretch of a source as tensors."""
        self.refuse_other_shape(source)
        return super().read(self.aligned(source), start, stop)

    def refuse_other_shape(self, source: Source) -> None:
        """The same columns in the same order; names say which differ."""
        if isinstance(source, Encoded):
            return
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

    def decoded(self, values: torch.Tensor, draw: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """The columns by name: numbers in their own dtypes, everything else as objects or moments.

        Parameters
        ----------
        values : Tensor of shape (rows, *shape)
            Cells: expected numbers and probabilities.
        draw : numpy generator, or None
            Draws categories and truths by their probability; ``None``: the likeliest.
        """
        cells = values.detach().cpu().numpy()
        if not self.columns:
            user = self.scaling.backward(self.to_user(cells))
            return {
                name: as_dtype(user[:, place], dtype)
                for place, (name, dtype) in enumerate(zip(self.facts["names"], self.facts["dtypes"], strict=True))
            }
        made, start = {}, 0
        for column in self.columns:
            decoded = column.decode(cells[:, start : start + column.width], draw)
            whole = integer_name(column.dtype)
            numbers = whole and column.kind != "empty"
            made[column.name] = as_dtype(decoded.astype(np.float64), whole) if numbers else decoded
            start += column.width
        return made

    def to_user(self, values: np.ndarray) -> np.ndarray:
        """Cells stay cells where columns are of several kinds."""
        return values if self.facts.get("columns") else super().to_user(values)

    def write(self, values: torch.Tensor, like: Any = None) -> Any:
        """A frame of the kind that came: of ``like``'s library if that is given, else of the one at fit.

        An array is what comes back where an array was given, and where the library is not installed any more.
        """
        return self.framed(self.decoded(values), like)

    def framed(
        self, columns: dict[str, np.ndarray], like: Any = None, holes: dict[str, np.ndarray] | None = None
    ) -> Any:
        """Columns as a frame of the user's kind; missing where ``holes`` says so."""
        backend = self.facts.get("backend")
        if like is None and (backend is None or importlib.util.find_spec(backend) is None):
            return np.stack(list(columns.values()), axis=1)
        kinds = {column.name: column for column in self.columns}
        dtypes = self.facts.get("own_dtypes") or self.facts["dtypes"]
        made = make_frame(columns, kinds, dtypes, backend, like, holes or {})
        if like is None and backend == "pandas" and self.facts.get("numbered"):
            made.columns = [int(name) for name in columns]
        return made

    def loss(self) -> Loss:
        """To each column its own likelihood; the usual one for nothing but numbers."""
        return ColumnLikelihood(tuple(self.blocks)) if self.columns else super().loss()

    def column_names(self) -> list[str]:
        """A name for each cell."""
        return [name for column in self.columns for name in column.cell_names] or super().column_names()

    @property
    def said(self) -> list[tuple[str, str]]:
        """Each column and what it was taken for."""
        return [
            (column.name, column.what + (", with missing cells" if column.holes else "")) for column in self.columns
        ]


def fit_columns(source: Source, column_types: ColumnTypes) -> list[Column]:
    """Infer the kinds of all columns that the user does not name, and let each learn from its values."""
    if column_types not in (None, INFER) and not isinstance(column_types, Mapping):
        raise ValueError(f"column_types came as {column_types!r}; it is 'infer', or kinds by column name.")
    wanted = {str(name): kind for name, kind in column_types.items()} if isinstance(column_types, Mapping) else {}
    names = list(source.names or ())
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"column_types: no column is called {listed(unknown)}; there are {listed(names)}.")
    columns = []
    for at, name in enumerate(names):
        try:
            columns.append(infer(source.column(at, 0, source.rows), wanted.get(name)))
        except DataError as error:
            raise DataError(f"{source.place}: {error}") from error
    return columns

"""The data sheet, and where a report comes from: versions, parameters, fingerprints."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import PurePath
from typing import Any

import numpy as np

from ..data.modality import Modality
from ..data.raw import Raw
from ..data.scaling import Statistics, stretches
from ..data.source import Source
from ..data.tables import Table
from ..estimators.base import Estimator
from ..estimators.storage import versions
from .words import clipped, column_names

MOST_COLUMNS = 50
MEASURED = ("continuous", "integer", "count", "ordinal")


@dataclasses.dataclass(frozen=True)
class Column:
    """What one column holds, in the user's units; what has no mean has NaN there.

    Parameters
    ----------
    said : str
        What the column was taken for, with what was learned at fit; its dtype where it is a plain number.
    smallest, largest : float or str
        Of dates as text.
    """

    name: str
    dtype: str
    missing: int
    mean: float
    deviation: float
    smallest: float | str
    largest: float | str
    said: str


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What the data is.

    Parameters
    ----------
    columns : list of Column
        The first 50, for data that has columns.
    columns_in_all : int
    """

    place: str
    rows: int
    shape: tuple[int, ...]
    modality: str
    dtype: str
    missing: int
    scaling: str
    smallest: float
    largest: float
    columns: list[Column]
    columns_in_all: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of the estimator, as one would write it."""

    name: str
    value: str
    default: bool


@dataclasses.dataclass(frozen=True)
class Origin:
    """What made the model."""

    estimator: str
    parameters: list[Parameter]
    device: str
    precision: str
    seed: int
    weights: int
    sha256: str
    versions: dict[str, str]


def file_name(place: str) -> str:
    """The last part of a path: reports are passed on, folders are nobody's business.

    >>> file_name("/home/me/data.csv"), file_name("the data")
    ('data.csv', 'the data')
    """
    return clipped(PurePath(place.replace("\\", "/")).name or place)


def names_of(modality: Modality) -> list[str]:
    """A name for each cell of a sample."""
    return column_names(modality.facts.get("names"), modality.facts["user_shape"])


def mixed_table(modality: Modality) -> Table | None:
    """The table whose columns are of several kinds; ``None`` where cells and columns are the same."""
    return modality if isinstance(modality, Table) and modality.columns else None


def describe_data(model: Estimator, source: Source, statistics: Statistics) -> Sheet:
    """Fill the data sheet of anything but a table of columns of several kinds."""
    modality = model.modality_
    flat = {
        name: np.asarray(getattr(statistics, name), dtype=float).reshape(-1)
        for name in ("count", "mean", "deviation", "smallest", "largest")
    }
    pictures = modality.name == "images"
    names = [clipped(name) for name in names_of(modality)[:MOST_COLUMNS]] if not pictures else []
    dtypes = source.dtypes or (str(source.dtype),) * flat["mean"].size
    known = flat["count"] > 0
    columns = []
    for at, name in enumerate(names):
        mean, deviation, smallest, largest = (
            float(flat[key][at]) if known[at] else float("nan") for key in ("mean", "deviation", "smallest", "largest")
        )
        missing = source.rows - int(flat["count"][at])
        columns.append(Column(name, dtypes[at], missing, mean, deviation, smallest, largest, dtypes[at]))
    return Sheet(
        place=file_name(source.place),
        rows=source.rows,
        shape=tuple(int(size) for size in source.shape),
        modality=modality.name,
        dtype=str(source.dtype),
        missing=statistics.missing,
        scaling=say_scaling(model),
        smallest=float(flat["smallest"][known].min()) if known.any() else float("nan"),
        largest=float(flat["largest"][known].max()) if known.any() else float("nan"),
        columns=columns,
        columns_in_all=flat["mean"].size,
        sha256=data_digest(source),
    )


def describe_columns(table: Table, source: Source) -> list[Column]:
    """What each of the user's columns holds, and what it was taken for."""
    made = []
    for at, (column, (_, said)) in enumerate(zip(table.columns, table.said, strict=True)):
        raw = source.column(at, 0, source.rows)
        dtype = source.dtypes[at] if source.dtypes else raw.dtype
        missing = int((~raw.known).sum())
        made.append(Column(clipped(column.name), dtype, missing, *moments(raw, column.kind), said_shortly(said)))
    return made


def said_shortly(said: str) -> str:
    """What a column was taken for, in one line of bounded length, midnights left out.

    >>> said_shortly("date, 2024-01-01T00:00:00 to 2024-02-01T00:00:00")
    'date, 2024-01-01 to 2024-02-01'
    """
    return clipped(said.replace("T00:00:00", ""), 120)


def moments(raw: Raw, kind: str) -> tuple[float, float, float | str, float | str]:
    """Mean, deviation and bounds of a column of numbers, the bounds alone of dates; NaN of everything else."""
    nothing, present = float("nan"), raw.present
    if not len(present):
        return nothing, nothing, nothing, nothing
    if raw.kind == "number" and kind in MEASURED:
        values = present.astype(np.float64)
        largest = float(np.abs(values).max()) or 1.0  # in parts of it, so that no square overflows
        mean, deviation = float((values / largest).mean()) * largest, float((values / largest).std()) * largest
        return mean, deviation, float(values.min()), float(values.max())
    if kind == "date" and raw.kind == "moment":
        low, high = (str(end.astype("datetime64[s]")).replace("T", " ") for end in (present.min(), present.max()))
        midnight = " 00:00:00"
        if low.endswith(midnight) and high.endswith(midnight):
            low, high = low.removesuffix(midnight), high.removesuffix(midnight)
        return nothing, nothing, low, high
    if kind == "date":
        return nothing, nothing, str(min(present)), str(max(present))
    return nothing, nothing, nothing, nothing


def describe_table(table: Table, source: Source, columns: list[Column]) -> Sheet:
    """Fill the data sheet of a table of columns of several kinds."""
    nothing = float("nan")
    return Sheet(
        place=file_name(source.place),
        rows=source.rows,
        shape=(len(columns),),
        modality=table.name,
        dtype="mixed",
        missing=sum(column.missing for column in columns),
        scaling=f"each column by its kind, {table.shape[0]:,} cells for the network",
        smallest=nothing,
        largest=nothing,
        columns=columns[:MOST_COLUMNS],
        columns_in_all=len(columns),
        sha256=columns_digest(source),
    )


def say_scaling(model: Estimator) -> str:
    """What was done to the numbers before the network saw them."""
    scaling = model.modality_.scaling
    if scaling.center.ndim:
        return "mean taken off" if (scaling.scale == 1).all() else "each column standardized"
    if scaling.center == 0 and scaling.scale == 1:
        return "as it is"
    low, high = float(scaling.center), float(scaling.center + scaling.scale)
    return f"{low:g} to {high:g} brought to 0 to 1"


def data_digest(source: Source) -> str:
    """SHA-256 over names, shape, dtype and every cell."""
    digest = hashlib.sha256(repr((source.names, source.rows, tuple(source.shape), str(source.dtype))).encode())
    for start, stop in stretches(source):
        digest.update(np.ascontiguousarray(source.read(start, stop)).tobytes())
    return digest.hexdigest()


def columns_digest(source: Source) -> str:
    """SHA-256 over the names, dtypes and every cell of columns of any kind."""
    digest = hashlib.sha256(repr((source.names, source.rows, source.dtypes)).encode())
    for at in range(len(source.names or ())):
        raw = source.column(at, 0, source.rows)
        plain = raw.values.dtype.kind != "O"
        digest.update(raw.known.tobytes())
        digest.update(np.ascontiguousarray(raw.present).tobytes() if plain else repr(raw.present.tolist()).encode())
    return digest.hexdigest()


def weights_digest(model: Estimator) -> str:
    """SHA-256 over the names, shapes and bits of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.network_.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def list_parameters(model: Estimator) -> list[Parameter]:
    """All parameters in their order, and whether they are at their defaults."""
    defaults = {field.name: field.default for field in dataclasses.fields(model) if field.init}
    values = model.get_params(deep=False)
    return [
        Parameter(name, written(values[name]), written(values[name]) == written(default))
        for name, default in defaults.items()
        if name in values
    ]


def written(value: object) -> str:
    """A value as one would write it, without an address in memory.

    >>> written("muon"), written(np.random.default_rng(0))
    ("'muon'", 'Generator(PCG64)')
    """
    return clipped(re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value)), 300)


def describe_origin(model: Estimator) -> Origin:
    """Say what made the model."""
    return Origin(
        estimator=type(model).__name__,
        parameters=list_parameters(model),
        device=str(model.device_),
        precision=str(model.precision),
        seed=int(model.seed_),
        weights=sum(weight.numel() for weight in model.network_.parameters()),
        sha256=weights_digest(model),
        versions=versions(),
    )


def as_plain(sheet: Sheet, origin: Origin) -> dict[str, Any]:
    """The data and the model of ``report.json``."""
    return {"data": dataclasses.asdict(sheet), "model": dataclasses.asdict(origin)}

"""The data sheet, and where a report comes from: versions, parameters, fingerprints."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import PurePath
from typing import Any

import numpy as np

from ..data.modality import Modality
from ..data.scaling import Statistics, stretches
from ..data.source import Source
from ..estimators.base import Estimator
from ..estimators.storage import versions
from .words import clipped, column_names

MOST_COLUMNS = 50


@dataclasses.dataclass(frozen=True)
class Column:
    """What one column holds, in the user's units."""

    name: str
    dtype: str
    missing: int
    mean: float
    deviation: float
    smallest: float
    largest: float


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


def describe_data(model: Estimator, source: Source, statistics: Statistics) -> Sheet:
    """Fill the data sheet."""
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
        numbers = [float(flat[key][at]) if known[at] else float("nan") for key in list(flat)[1:]]
        columns.append(Column(name, dtypes[at], source.rows - int(flat["count"][at]), *numbers))
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

"""Columns as a frame again: of the library, with the dtypes and the index that came."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from .columns import Column
from .modality import as_dtype
from .raw import is_duration

ZONED = re.compile(r"datetime64\[(\w+), (.+)\]|timestamp\[(\w+), tz=(.+)\]|Datetime\(.*time_zone='(.+)'\)")


def make_frame(
    columns: Mapping[str, np.ndarray],
    kinds: Mapping[str, Column],
    dtypes: Sequence[str],
    backend: str | None,
    like: Any,
    holes: Mapping[str, np.ndarray],
) -> Any:
    """A frame of ``like``'s library, dtypes and index; of the backend and dtypes at fit without it.

    Parameters
    ----------
    columns : mapping of name to values
    kinds : mapping of name to Column
        Empty for tables of nothing but numbers, whose values have their dtype already.
    dtypes : sequence of str
        At fit.
    backend : str, or None
        The library at fit.
    like : frame or array, or None
    holes : mapping of name to ndarray of bool
        Where to leave cells empty.
    """
    import narwhals.stable.v2 as nw

    given = None if like is None else nw.from_native(like, eager_only=True, pass_through=True)
    if given is not None and not isinstance(given, nw.DataFrame):
        return np.stack(list(columns.values()), axis=1)
    library: Any = backend if given is None else str(given.implementation.value)
    if not kinds:
        made = nw.to_native(nw.from_dict(dict(columns), backend=library))
    else:
        cells = {
            name: with_holes(values, kinds[name], dtype, holes.get(name))
            for (name, values), dtype in zip(columns.items(), dtypes, strict=True)
        }
        made = BUILDERS[library](cells, kinds, dtypes, None if given is None else like)
    index = None if given is None else nw.maybe_get_index(given)
    if index is not None:
        made.index = index
    return made


def with_holes(values: np.ndarray, kind: Column, dtype: str, holes: np.ndarray | None) -> list[Any]:
    """Values as Python objects, None where a cell is to be empty."""
    if values.dtype.kind == "M":
        cells = values.astype(object).tolist()
    elif is_duration(dtype):
        cells = np.rint(values.astype(np.float64) * 1e6).astype("timedelta64[us]").astype(object).tolist()
    elif values.dtype.kind == "f" and is_integer(dtype):
        cells = as_dtype(values, integer_name(dtype)).tolist()
    else:
        cells = values.tolist()
    if holes is None:
        return list(cells)
    return [None if hole else cell for cell, hole in zip(cells, holes.tolist(), strict=True)]


def is_integer(dtype: str) -> bool:
    """Whether a dtype holds whole numbers, whichever library spells it."""
    return integer_name(dtype) != ""


def integer_name(dtype: str) -> str:
    """The numpy name of a whole dtype, or nothing.

    >>> integer_name("Int64"), integer_name("uint8[pyarrow]"), integer_name("float64")
    ('int64', 'uint8', '')
    """
    found = re.fullmatch(r"(u?int(?:8|16|32|64))(?:\[.*\])?", dtype.lower())
    return found[1] if found else ""


def zone_of(dtype: str) -> str | None:
    """The time zone that a dtype names.

    >>> zone_of("datetime64[ns, Europe/Paris]"), zone_of("datetime64[ns]")
    ('Europe/Paris', None)
    """
    found = ZONED.fullmatch(dtype)
    return None if found is None else found[2] or found[4] or found[5]


def pandas_frame(cells: Mapping[str, list[Any]], kinds: Mapping[str, Column], dtypes: Sequence[str], like: Any) -> Any:
    """A pandas frame; a column of whole numbers with empty cells cannot keep numpy's dtype and becomes floating."""
    import pandas as pd

    made: dict[str, Any] = {}
    for (name, values), dtype in zip(cells.items(), dtypes, strict=True):
        empty = any(cell is None for cell in values)
        wanted: Any = dtype if like is None else like.dtypes.iloc[len(made)]
        if dtype == "category" and like is None:
            wanted_levels = getattr(kinds[name], "levels", None)
            levels = sorted_levels(kinds[name]) if wanted_levels is None else list(wanted_levels)
            wanted = pd.CategoricalDtype(levels, ordered=kinds[name].kind == "ordinal")
        if dtype in ("date", "datetime"):
            whole = dtype == "date"
            series = pd.Series([cell.date() if whole and cell is not None else cell for cell in values], dtype=object)
        elif zone_of(dtype) is not None:
            series = pd.to_datetime(pd.Series(values), utc=True)
            series = converted(series, wanted if zone_of(str(wanted)) is not None else dtype, dtype)
        elif empty and isinstance(wanted, (str, np.dtype)) and str(wanted) in ("bool", *INTEGERS):
            series = pd.Series(values, dtype=object if str(wanted) == "bool" else "float64")
        else:
            series = converted(pd.Series(values, dtype=object), wanted, dtype)
        made[name] = series
    frame = pd.DataFrame(made)
    if like is not None:
        frame.columns = like.columns
    return frame


def converted(series: Any, wanted: Any, fitted: str) -> Any:
    """A series in the dtype of the data at hand, or in that at fit where its values do not go into the other.

    A dtype of categories is widened by those that it lacks.
    """
    import pandas as pd

    if isinstance(wanted, pd.CategoricalDtype):
        more = [value for value in series.dropna().unique() if value not in wanted.categories]
        wanted = pd.CategoricalDtype([*wanted.categories, *more], wanted.ordered) if more else wanted
    try:
        return series.astype(wanted)
    except (ValueError, TypeError, OverflowError):
        return series.astype("object" if fitted in ("date", "datetime", "category") else fitted)


INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


def sorted_levels(kind: Column) -> list[Any]:
    """The categories of a column in the order that pandas would give them."""
    values = list(getattr(kind, "values", []))
    try:
        return sorted(values)
    except TypeError:
        return values


def polars_frame(cells: Mapping[str, list[Any]], kinds: Mapping[str, Column], dtypes: Sequence[str], like: Any) -> Any:
    """A polars frame."""
    import polars as pl

    made = []
    for (name, values), dtype in zip(cells.items(), dtypes, strict=True):
        wanted = like.schema[name] if like is not None else polars_dtype(dtype, kinds[name])
        zone = getattr(wanted, "time_zone", None)
        if zone is not None:
            series = pl.Series(name, values, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")
            made.append(series.dt.convert_time_zone(zone).cast(wanted))
        elif wanted == pl.Date:
            made.append(pl.Series(name, values, dtype=pl.Datetime("us")).cast(pl.Date))
        else:
            made.append(pl.Series(name, values, dtype=wanted, strict=False))
    return pl.DataFrame(made)


def polars_dtype(dtype: str, kind: Column) -> Any:
    """A polars dtype by the name that it prints."""
    import polars as pl

    if dtype.startswith("Enum"):
        return pl.Enum(list(getattr(kind, "levels", None) or getattr(kind, "values", [])))
    if dtype.startswith("Datetime"):
        unit = re.search(r"time_unit='(\w+)'", dtype)
        return pl.Datetime(unit[1] if unit else "us", zone_of(dtype))  # type: ignore[arg-type]
    if dtype.startswith("Duration"):
        unit = re.search(r"time_unit='(\w+)'", dtype)
        return pl.Duration(unit[1] if unit else "us")  # type: ignore[arg-type]
    return getattr(pl, dtype.split("(")[0], None)


def arrow_frame(cells: Mapping[str, list[Any]], kinds: Mapping[str, Column], dtypes: Sequence[str], like: Any) -> Any:
    """A pyarrow table."""
    import pyarrow as pa

    made = {}
    for (name, values), dtype in zip(cells.items(), dtypes, strict=True):
        wanted = like.schema.field(name).type if like is not None else arrow_dtype(dtype)
        if wanted is not None and pa.types.is_dictionary(wanted):
            made[name] = pa.array(values, wanted.value_type).dictionary_encode().cast(wanted)
        elif wanted is not None and pa.types.is_decimal(wanted):
            exact = [None if cell is None else round(Decimal(repr(float(cell))), wanted.scale) for cell in values]
            made[name] = pa.array(exact, wanted)
        elif wanted is not None and pa.types.is_date(wanted):
            made[name] = pa.array(values, pa.timestamp("us")).cast(wanted)
        elif wanted is not None and pa.types.is_timestamp(wanted) and wanted.tz is not None:
            made[name] = pa.array(values, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")).cast(wanted)
        else:
            made[name] = pa.array(values, wanted)
    return pa.table(made)


def arrow_dtype(dtype: str) -> Any:
    """An arrow type by the name that it prints; ``None`` lets arrow see for itself."""
    import pyarrow as pa

    found = re.fullmatch(r"timestamp\[(\w+)(?:, tz=(.+))?\]", dtype)
    if found:
        return pa.timestamp(found[1], found[2])
    named = {"date32[day]": pa.date32(), "date64[ms]": pa.date64(), "string": pa.string(), "bool": pa.bool_()}
    if dtype.startswith("dictionary<values=string"):
        return pa.dictionary(pa.int32(), pa.string())
    try:
        return named.get(dtype) or pa.type_for_alias(dtype)
    except ValueError:
        return None


BUILDERS = {"pandas": pandas_frame, "polars": polars_frame, "pyarrow": arrow_frame}

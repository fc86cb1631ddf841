"""Columns as a frame again: of the library, with the dtypes and the index that came."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from .columns import Column
from .modality import as_dtype
from .raw import dtype_of, is_duration

ZONED = re.compile(
    r"datetime64\[(\w+), (.+)\]|timestamp\[(\w+), tz=(.+?)\](?:\[pyarrow\])?|Datetime\(.*time_zone='(.+)'\)"
)
FLOATING = re.compile(r"float|double|halffloat|decimal", re.IGNORECASE)
OFFSET = re.compile(r".*?([+-])(\d{2}):(\d{2})\)?")

Cells = Mapping[str, list[Any]]


def make_frame(
    columns: Mapping[str, np.ndarray],
    kinds: Mapping[str, Column],
    dtypes: Sequence[str],
    backend: str | None,
    like: Any,
    holes: Mapping[str, np.ndarray],
) -> Any:
    """A frame of ``like``'s library, names, dtypes and index; of the backend and dtypes at fit without it.

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
        made = numbers_frame(columns, dtypes if library == backend else None, library)
    else:
        cells = {
            name: with_holes(values, kinds[name], dtype, holes.get(name))
            for (name, values), dtype in zip(columns.items(), dtypes, strict=True)
        }
        made = BUILDERS[library](cells, kinds, dtypes, dtypes_at_hand(given, dtypes))
    index = None if given is None else nw.maybe_get_index(given)
    if index is not None:
        made.index, made.columns = index, like.columns
    return made


def numbers_frame(columns: Mapping[str, np.ndarray], dtypes: Sequence[str] | None, library: Any) -> Any:
    """A frame of nothing but numbers: numpy's dtypes as they are, those that only the library has cell by cell."""
    import narwhals.stable.v2 as nw

    made = nw.from_dict(dict(columns), backend=library)
    now = [str(dtype_of(column.to_native())) for column in made.iter_columns()]
    own = {name: dtype for name, dtype, other in zip(columns, dtypes or now, now, strict=True) if dtype != other}
    if own:
        cells = {name: columns[name].tolist() for name in own}
        rebuilt = BUILDERS[library](cells, {}, list(own.values()), [None] * len(own))
        made = made.with_columns(*nw.from_native(rebuilt, eager_only=True).iter_columns())
    return nw.to_native(made)


def dtypes_at_hand(given: Any, dtypes: Sequence[str]) -> list[Any]:
    """The dtypes of a frame at hand; ``None`` where that at fit is to be taken: whole ones hold no fractions."""
    if given is None:
        return [None] * len(dtypes)
    hand = [dtype_of(column.to_native()) for column in given.iter_columns()]
    fractions = [FLOATING.match(dtype) is not None for dtype in dtypes]
    return [
        None if floating and is_integer(str(dtype)) else dtype for dtype, floating in zip(hand, fractions, strict=True)
    ]


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


def timezone_of(dtype: str) -> datetime.tzinfo | None:
    """The time zone that a dtype names, to tell its moments in; universal time where Python does not know it.

    >>> timezone_of("datetime64[ns, Europe/Paris]"), timezone_of("timestamp[us, tz=+02:00]"), timezone_of("int64")
    (zoneinfo.ZoneInfo(key='Europe/Paris'), datetime.timezone(datetime.timedelta(seconds=7200)), None)
    """
    zone = zone_of(dtype)
    if zone is None:
        return None
    offset = OFFSET.fullmatch(zone)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3])
        return datetime.timezone(datetime.timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    try:
        return zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return datetime.UTC


def pandas_frame(cells: Cells, kinds: Mapping[str, Column], dtypes: Sequence[str], hand: Sequence[Any]) -> Any:
    """A pandas frame; a column of whole numbers with empty cells cannot keep numpy's dtype and becomes floating."""
    import pandas as pd

    made: dict[str, Any] = {}
    for (name, values), dtype, here in zip(cells.items(), dtypes, hand, strict=True):
        empty = any(cell is None for cell in values)
        wanted: Any = pandas_dtype(dtype) if here is None else here
        if dtype == "category" and here is None:
            wanted_levels = getattr(kinds[name], "levels", None)
            levels = sorted_levels(kinds[name]) if wanted_levels is None else list(wanted_levels)
            wanted = pd.CategoricalDtype(levels, ordered=kinds[name].kind == "ordinal")
        if isinstance(wanted, pd.ArrowDtype):
            series = arrow_series(values, wanted, dtype)
        elif dtype in ("date", "datetime"):
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
    return pd.DataFrame(made)


def pandas_dtype(dtype: str) -> Any:
    """A pandas dtype by the name that it prints; those that arrow holds are no words to pandas."""
    import pandas as pd

    inner = arrow_dtype(dtype.removesuffix("[pyarrow]")) if dtype.endswith("[pyarrow]") else None
    return dtype if inner is None else pd.ArrowDtype(inner)


def arrow_series(values: list[Any], wanted: Any, fitted: str) -> Any:
    """A pandas series that arrow holds, in the dtype of the data at hand, or in that at fit."""
    import pandas as pd
    import pyarrow as pa

    try:
        held = arrow_array(values, wanted.pyarrow_dtype)
    except (pa.ArrowException, ValueError, TypeError):
        return pd.Series(values, dtype=object).astype(pandas_dtype(fitted))
    return pd.Series(held, dtype=wanted)


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


def polars_frame(cells: Cells, kinds: Mapping[str, Column], dtypes: Sequence[str], hand: Sequence[Any]) -> Any:
    """A polars frame."""
    import polars as pl

    made = []
    for (name, values), dtype, here in zip(cells.items(), dtypes, hand, strict=True):
        wanted = polars_dtype(dtype, kinds.get(name)) if here is None else here
        zone = getattr(wanted, "time_zone", None)
        if zone is not None:
            series = pl.Series(name, values, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")
            made.append(series.dt.convert_time_zone(zone).cast(wanted))
        elif wanted == pl.Date:
            made.append(pl.Series(name, values, dtype=pl.Datetime("us")).cast(pl.Date))
        elif isinstance(wanted, pl.Decimal):
            made.append(pl.Series(name, decimals_of(values, wanted.scale), dtype=wanted))
        else:
            made.append(pl.Series(name, values, dtype=wanted, strict=False))
    return pl.DataFrame(made)


def polars_dtype(dtype: str, kind: Column | None) -> Any:
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
    if dtype.startswith("Decimal"):
        precision, scale = re.findall(r"\d+|None", dtype)
        return pl.Decimal(None if precision == "None" else int(precision), int(scale))
    return getattr(pl, dtype.split("(")[0], None)


def decimals_of(values: list[Any], scale: int) -> list[Any]:
    """Numbers as exact decimals of so many digits behind the point.

    >>> decimals_of([1.1, None], 2)
    [Decimal('1.10'), None]
    """
    return [None if cell is None else round(Decimal(repr(float(cell))), scale) for cell in values]


def arrow_frame(cells: Cells, kinds: Mapping[str, Column], dtypes: Sequence[str], hand: Sequence[Any]) -> Any:
    """A pyarrow table."""
    import pyarrow as pa

    made = {}
    for (name, values), dtype, here in zip(cells.items(), dtypes, hand, strict=True):
        made[name] = arrow_array(values, arrow_dtype(dtype) if here is None else here)
    return pa.table(made)


def arrow_array(values: list[Any], wanted: Any) -> Any:
    """An arrow array of a type; ``None`` lets arrow see for itself."""
    import pyarrow as pa

    if wanted is None:
        return pa.array(values)
    if pa.types.is_dictionary(wanted):
        return pa.array(values, wanted.value_type).dictionary_encode().cast(wanted)
    if pa.types.is_decimal(wanted):
        return pa.array(decimals_of(values, wanted.scale), wanted)
    if pa.types.is_date(wanted):
        return pa.array(values, pa.timestamp("us")).cast(wanted)
    if pa.types.is_timestamp(wanted) and wanted.tz is not None:
        return pa.array(values, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")).cast(wanted)
    return pa.array(values, wanted)


def arrow_dtype(dtype: str) -> Any:
    """An arrow type by the name that it prints; ``None`` lets arrow see for itself.

    >>> arrow_dtype("decimal128(10, 2)"), arrow_dtype("dictionary<values=string, indices=int8, ordered=0>").index_type
    (Decimal128Type(decimal128(10, 2)), DataType(int8))
    """
    import pyarrow as pa

    found = re.fullmatch(r"timestamp\[(\w+)(?:, tz=(.+))?\]", dtype)
    if found:
        return pa.timestamp(found[1], found[2])
    found = re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>", dtype)
    if found:
        return pa.dictionary(arrow_dtype(found[2]), arrow_dtype(found[1]), found[3] == "1")
    found = re.fullmatch(r"(decimal\d+)\((\d+), (-?\d+)\)", dtype)
    if found:
        return getattr(pa, found[1])(int(found[2]), int(found[3]))
    named = {"date32[day]": "date32", "date64[ms]": "date64", "string_view": "string_view"}
    if dtype in named:
        return getattr(pa, named[dtype])()
    try:
        return pa.type_for_alias(dtype)
    except ValueError:
        return None


BUILDERS = {"pandas": pandas_frame, "polars": polars_frame, "pyarrow": arrow_frame}

"""Values of any type: which are the same, how often each comes, and where it lies among others."""

from __future__ import annotations

from typing import Any

import numpy as np

from .raw import Raw

EXACT = 2.0**53


def key_of(value: Any) -> tuple[bool, Any]:
    """What tells values apart: 1 and 1.0 are the same, True is another."""
    return isinstance(value, (bool, np.bool_)), value


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same."""
    return key_of(one) == key_of(other)


def unique(raw: Raw) -> tuple[list[Any], list[int]]:
    """The different values that are there, and how often each comes."""
    if raw.values.dtype.kind != "O":
        values, counts = np.unique(raw.present, return_counts=True)
        if raw.kind == "number" and "int" in raw.dtype.lower() and is_whole(values):
            values = values.astype(np.int64)
        return values.tolist(), counts.tolist()
    found: dict[tuple[bool, Any], int] = {}
    for value in raw.present.tolist():
        key = key_of(value)
        found[key] = found.get(key, 0) + 1
    return [value for _, value in found], list(found.values())


def sorted_values(raw: Raw) -> list[Any]:
    """The different values in an order: as they compare, or as text where they do not."""
    values = unique(raw)[0]
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (str(type(value)), str(value)))


def places_of(raw: Raw, values: list[Any]) -> np.ndarray:
    """Where each value lies among others; -1 where it is none of them."""
    places = {key_of(value): at for at, value in enumerate(values)}
    return np.array([places.get(key_of(value), -1) for value in raw.present.tolist()], dtype=np.int64)


def pick(values: list[Any], places: np.ndarray) -> np.ndarray:
    """Values at places, as objects: numbers stay what they were."""
    held = np.empty(len(values), dtype=object)
    held[:] = values
    picked: np.ndarray = held[np.asarray(places, dtype=np.int64)]
    return picked


def is_whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers that a float holds exactly."""
    return bool((values == np.rint(values)).all() and (np.abs(values) < EXACT).all())

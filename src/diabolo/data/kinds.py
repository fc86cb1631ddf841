"""Which kinds of column there are, and which of them a column is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import DataError
from .cells import short
from .choices import Choice
from .columns import Column, Empty
from .curves import restore_curve
from .dialect import DECIMAL_COMMA, MISSING, is_boolean, is_number
from .levels import Levels, Truth
from .moments import Moment, is_dates
from .numbers import Continuous, Count, Integer, numbers_of
from .raw import Raw, is_duration
from .values import is_whole, unique

MOST_LEVELS = 12
ROWS_PER_LEVEL = 5

KINDS: dict[str, type[Column]] = {
    kind.kind: kind for kind in (Continuous, Integer, Count, Levels, Truth, Choice, Moment, Empty)
}


def infer(raw: Raw, wanted: str | None = None) -> Column:
    """The kind of a column, and what it learns from it.

    Parameters
    ----------
    raw : Raw
        All rows.
    wanted : str, or None
        The kind the user names; ``None``: what the values look like.

    Raises
    ------
    DataError
        If a value is infinite, or cannot be of the kind that is wanted.
    ValueError
        If there is no such kind.

    >>> infer(Raw("n", np.arange(30.0), np.ones(30, bool), "float64")).kind
    'integer'
    >>> infer(Raw("n", np.array([2.0, 0.5]), np.ones(2, bool), "float64"), "count")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: column 'n', row 1 is 0.5, which is no whole number; ...
    """
    if not raw.known.any():
        return Empty.fit(raw)
    if raw.kind == "number":
        numbers_of(raw)  # refuses infinities, whatever kind it is
    if wanted is None:
        wanted = likely_kind(raw)
    elif wanted not in KINDS or wanted == "empty":
        known = ", ".join(name for name in KINDS if name != "empty")
        raise ValueError(f"column_types: {raw.name!r} came as {wanted!r}; possible are {known}.")
    else:
        refuse_misfit(raw, wanted)
    return KINDS[wanted].fit(raw)


def refuse_misfit(raw: Raw, wanted: str) -> None:
    """Name the first value that cannot be of the kind that is wanted, and the kinds that it can be of."""
    wrong = KINDS[wanted].misfit(raw)
    if wrong is None:
        return
    row, value, why = wrong
    fitting = [name for name, kind in KINDS.items() if name != "empty" and kind.misfit(raw) is None]
    raise DataError(
        f"column {raw.name!r}, row {row} is {short(value)}, {why}; the column was said to be {wanted}. Correct the "
        f"cell, leave it empty, or say by column_types={{{raw.name!r}: ...}} or --types {raw.name}=... what the column "
        f"is: possible are {', '.join(fitting)}."
    )


def likely_kind(raw: Raw) -> str:
    """What kind the values look like."""
    values = raw.present
    if raw.kind == "moment" or is_dates(raw):
        return "date"
    if is_duration(raw.dtype):
        return "continuous"
    if raw.ordered:
        return "ordinal"
    if raw.kind == "word":
        refuse_strays(raw)
        return "categorical"
    different = len(np.unique(values))
    if raw.kind == "truth" or different == 2:
        return "binary"
    if not is_whole(values):
        return "continuous"
    if 1 < different <= MOST_LEVELS and len(values) >= ROWS_PER_LEVEL * different:
        return "ordinal"
    spread = values.min() >= 0 and values.max() > 10 * max(float(np.median(values)), 1.0)
    return "count" if spread else "integer"


def refuse_strays(raw: Raw) -> None:
    """Numbers with a few words among them are neither: say which, before they silently become categories."""
    refuse_commas(raw)
    spells = {word: not isinstance(word, str) or says_number(word) for word in unique(raw)[0]}
    numbers = np.array([raw.known[row] and spells[word] for row, word in enumerate(raw.values.tolist())])
    strays = np.flatnonzero(raw.known & ~numbers)
    if raw.levels is not None or not len(strays) or len(strays) >= numbers.sum():
        return
    stray = raw.values[strays[0]]
    comma = " A decimal comma becomes a point." if DECIMAL_COMMA.fullmatch(stray) else ""
    raise DataError(
        f"column {raw.name!r}, row {strays[0]} is {short(stray)}, among numbers.{comma} Correct it, leave it empty, or "
        "say that the column holds categories: column_types={" + f"{raw.name!r}: 'categorical'" + "}, --types "
        f"{raw.name}=categorical."
    )


def says_number(word: str) -> bool:
    """Whether a word spells a number, and not merely that something is missing, or true.

    >>> says_number("1.5"), says_number("NA"), says_number("true")
    (True, False, False)
    """
    return is_number(word) and word.strip().lower() not in MISSING and not is_boolean(word)


def refuse_commas(raw: Raw) -> None:
    """Numbers with a comma for a point would silently become categories."""
    words = [word for word in unique(raw)[0] if isinstance(word, str)]
    commas = [word for word in words if DECIMAL_COMMA.fullmatch(word)]
    if raw.levels is None and commas and all(says_number(word) or DECIMAL_COMMA.fullmatch(word) for word in words):
        raise DataError(
            f"column {raw.name!r} holds {short(commas[0])}: a decimal comma becomes a point, and a comma between "
            "thousands is left out. If these are categories, say so: column_types={"
            + f"{raw.name!r}: 'categorical'"
            + "}."
        )


def restore_column(plain: dict[str, Any]) -> Column:
    """The reverse of :meth:`Column.plain`."""
    facts: dict[str, Any] = {key: restore_curve(value) if key == "curve" else value for key, value in plain.items()}
    return KINDS[facts.pop("kind")](**facts)

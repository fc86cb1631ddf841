"""Numbers and plain words, as a reader wants to see them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import product

from markupsafe import Markup

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LONGEST = 60


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, thousands apart, and no letter in it.

    >>> number(0.012345), number(1234567.0), number(-2.5e-7), number(float("nan"))
    ('0.0123', '1,234,567', '−2.50 × 10⁻⁷', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if -4 <= power < 12:
        text = f"{value:,.{max(0, digits - 1 - power)}f}"
    else:
        text = f"{value / 10.0**power:.{digits - 1}f} × 10{str(power).translate(RAISED)}"
    return text.replace("-", "−")


def short(value: float | None, digits: int = 3) -> str:
    """As :func:`number`, without zeros at the end: for axes and tables.

    >>> short(0.50), short(20.0), short(0.0)
    ('0.5', '20', '0')
    """
    text = number(value, digits)
    head, times, tail = text.partition(" ")
    if "." in head:
        head = head.rstrip("0").rstrip(".")
    return head + times + tail


def share(value: float | None) -> str:
    """A share as percent.

    >>> share(0.4321), share(0.00123), share(0.9995), share(1.0)
    ('43 %', '0.1 %', '99.9 %', '100 %')
    """
    if value is None or not math.isfinite(value):
        return "–"
    percent = 100 * value
    if percent not in (0, 100) and (abs(percent) < 2 or 98 < percent < 100):
        return f"{math.floor(10 * percent + 1e-9) / 10:.1f} %" if percent > 0 else f"{percent:.1f} %"
    return f"{percent:.0f} %"


def column_names(names: Sequence[str] | None, shape: Sequence[int]) -> list[str]:
    """A name for each cell of a sample: the user's own, else its place.

    >>> column_names(None, (2,)), column_names(None, (1, 2))
    (['column 0', 'column 1'], ['cell (0, 0)', 'cell (0, 1)'])
    """
    if names:
        return list(names)
    if len(shape) == 1:
        return [f"column {place}" for place in range(shape[0])]
    return [f"cell {place}" for place in product(*map(range, shape))]


def ordinal(place: int) -> str:
    """A place in an order.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 22, 113)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd', '113th']
    """
    ending = "th" if 10 <= place % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending}"


def count(how_many: int, word: str, words: str | None = None) -> str:
    """How many of something.

    >>> count(1, "row"), count(1200, "row"), count(0, "axis", "axes")
    ('1 row', '1,200 rows', 'no axes')
    """
    if how_many == 0:
        return f"no {words or word + 's'}"
    return f"{how_many:,} {word if how_many == 1 else words or word + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a row, the last ones counted where there are many.

    >>> listed(["a", "b", "c"]), listed([str(n) for n in range(9)], most=3)
    ('a, b and c', '0, 1, 2 and 6 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def breakable(name: object, longest: int = LONGEST) -> Markup:
    """A name that may be broken after its joints, not inside its words.

    >>> breakable("house_<b>")
    Markup('house_<wbr>&lt;b&gt;')
    """
    words = re.split(r"(?<=[_.\-/:])", clipped(name, longest))
    return Markup("<wbr>").join(words)


def clipped(text: object, longest: int = LONGEST) -> str:
    """A name in one line of bounded length, without characters that nobody can see.

    >>> clipped("a\\nb\\u202ec"), clipped("x" * 9, 5)
    ('a bc', 'xxxx…')
    """
    line = "".join(" " if letter.isspace() else letter for letter in str(text))
    line = "".join(letter for letter in line if letter.isprintable())
    return line if len(line) <= longest else line[: longest - 1] + "…"

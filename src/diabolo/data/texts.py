"""Tables as text whose columns are of several kinds: read whole, each column as what all of its cells spell."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from ..core.errors import DataError
from .bounded import size_of
from .cells import check_names, check_size, listed, stretch
from .delimited import find_label
from .dialect import (
    MISSING,
    TAKEN_FOR_DATA,
    WHOLE,
    Dialect,
    are_counting_names,
    as_labels,
    has_quoted_names,
    is_boolean,
    is_number,
    number,
    sniff,
)
from .raw import Raw
from .source import Source

LARGEST = 2 << 30  # bytes of text that are read whole
TO_LOOK_AT = 1 << 20
EXACT = 2.0**53
CODE = re.compile(r"[+-]?0\d")


class TextSource(Source):
    r"""Rows of a csv file, or of one like it, with columns of text, dates, numbers and truths.

    Parameters
    ----------
    file : file
        Binary and seekable; it is read whole and not kept.
    place : str
        What to call the data in a message.
    label : str, optional
        The column to take out as labels: a name, or a position where the file has no header.

    Raises
    ------
    DataError
        If a row has another length, a byte is no UTF-8, a name comes twice, there are no rows, or the file is larger
        than 2 GB.

    >>> import io
    >>> source = TextSource(io.BytesIO(b"city,size\nA,1\n?,2\nB,\n"), "t.csv")
    >>> source.names, source.dtypes, source.column(0, 0, 2).known.tolist()
    (('city', 'size'), ('str', 'int64'), [True, False])
    """

    mixed = True
    dtype = np.dtype(object)

    def __init__(self, file: BinaryIO, place: str, *, label: str | None = None) -> None:
        self.place = place
        if size_of(file) > LARGEST:
            raise DataError(
                f"{place}: {size_of(file):,} bytes; a table with columns of text is read whole, up to {LARGEST:,} "
                "bytes. Leave the columns of text out, or take fewer rows."
            )
        rows, quoted = read_rows(file, place)
        header = self._header(rows, quoted)
        check_names(header or (), f"{place}, whose first row is taken for names")
        at = find_label(label, header, len(rows[0]), place)
        rows = rows[1:] if header else rows
        names = header or [str(place) for place in range(len(rows[0]))]
        kept = [place for place in range(len(names)) if place != at]
        self.rows, self.shape = check_size((len(rows), len(kept)), place)
        self.names = tuple(names[place] for place in kept)
        self._columns = [typed(names[place], [row[place] for row in rows]) for place in kept]
        self._spelled = [
            spelling([row[place] for row in rows], column) for place, column in zip(kept, self._columns, strict=True)
        ]
        self.dtypes = tuple(column.dtype for column in self._columns)
        self.labels = None if at is None else as_labels([row[at].strip() for row in rows])

    def _header(self, rows: Sequence[Sequence[str]], quoted: bool) -> list[str] | None:
        """The first row, where it reads like names: quoted, text above numbers, no number in it, or years.

        Where numbers are in it, the decision is noted.
        """
        first, below = rows[0], rows[1:]
        columns = [
            [row[at] for row in below[:1000] if row[at].strip().lower() not in MISSING] for at in range(len(first))
        ]
        above = any(
            column and all(map(is_number, column)) and not is_number(cell)
            for cell, column in zip(first, columns, strict=True)
        )
        numbers = any(is_number(cell) and cell.strip().lower() not in MISSING for cell in first)
        counting = numbers and are_counting_names(first, below[:1000])
        names = bool(below) and (quoted or above or counting or not numbers)
        if numbers:
            why = "quoted" if quoted else "text above numbers" if above else "the only one to count"
            decision = f"is taken for names, being {why}" if names else TAKEN_FOR_DATA
            self.note = f"its first row, {listed(first, 4)}, {decision}"
        return [cell.strip() for cell in first] if names else None

    def column(self, at: int, start: int, stop: int) -> Raw:
        """A stretch of a column."""
        return self._columns[at].part(*stretch(start, stop, self.rows))

    def spelled(self, at: int, start: int, stop: int) -> np.ndarray:
        """The text of a stretch of a column's cells."""
        cells = self._spelled[at][slice(*stretch(start, stop, self.rows))]
        return np.array([cell.decode() if isinstance(cell, bytes) else cell or "" for cell in cells], dtype=object)


def spelling(cells: list[str], column: Raw) -> np.ndarray:
    """The text of a column's cells, closely packed; words are their own."""
    if column.kind == "word":
        return column.values
    return np.array([cell.strip().encode() for cell in cells])


def read_rows(file: BinaryIO, place: str) -> tuple[list[list[str]], bool]:
    """All rows of a file, each with the same number of cells, and whether the first alone is quoted."""
    file.seek(0)
    data = file.read()
    data = data[3:] if data.startswith(codecs.BOM_UTF8) else data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{place}: byte {error.start} (0x{data[error.start]:02x}) is no UTF-8. Save the table as UTF-8 text."
        ) from error
    if "\0" in text:
        raise DataError(f"{place}, line {text[: text.index(chr(0))].count(chr(10)) + 1}: a zero byte. Is it a table?")
    if text.count('"') % 2:
        raise DataError(f"{place}: a quote is opened and never closed, somewhere before its last line. Close it.")
    rows: list[list[str]] = []
    try:
        dialect = Dialect(sniff(text[:TO_LOOK_AT]))
        first = next(dialect.rows(text), (0, []))[1]
        for line, cells in replace(dialect, columns=len(first)).rows(text):
            if not rows and len(first) == 1 and not cells[0].strip():
                continue  # blank lines above the header of a single column
            if rows and len(cells) != len(rows[0]):
                raise DataError(
                    f"{place}, line {line}: {len(cells)} cells, where the first row has {len(rows[0])}. Give every "
                    "row the same cells (an empty one for a missing value), or remove this line."
                )
            rows.append(cells)
    except csv.Error as error:
        raise DataError(f"{place}, after row {len(rows)}: {error}. Is it a table?") from error
    if not rows:
        raise DataError(f"{place}: Found array with 0 sample(s); give a table with a row for each one.")
    return rows, has_quoted_names(text[:TO_LOOK_AT], dialect.delimiter)


def typed(name: str, cells: list[str]) -> Raw:
    """A column as truths, numbers or text: what all of its cells spell.

    Whole numbers with zeros in front, or too large to compute with, are codes: text.

    >>> typed("x", ["1", "", "2.5"]).values.tolist(), typed("x", ["1", "b"]).dtype
    ([1.0, nan, 2.5], 'str')
    >>> typed("zip", ["00501", "90210"]).dtype
    'str'
    """
    cells = [cell.strip() for cell in cells]
    known = np.array([cell.lower() not in MISSING for cell in cells])
    held = [cell for cell, here in zip(cells, known, strict=True) if here]
    if held and all(map(is_boolean, held)):
        truths = np.zeros(len(cells), dtype=bool)
        truths[known] = [cell.lower() == "true" for cell in held]
        return Raw(name, truths, known, "bool")
    whole = bool(held) and all(map(WHOLE.fullmatch, held))
    codes = whole and any(CODE.match(cell) or abs(float(cell)) >= EXACT for cell in held)
    if not codes and all(is_number(cell) and not is_boolean(cell) for cell in held):
        values = np.full(len(cells), np.nan)
        values[known] = [number(cell) for cell in held]
        return Raw(name, values, known, "int64" if whole else "float64")
    words = np.full(len(cells), None, dtype=object)
    words[known] = held
    return Raw(name, words, known, "str")

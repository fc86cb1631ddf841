"""Tables as text: cells between commas, semicolons, tabs, bars or blanks, read a block at a time.

One pass finds where the blocks begin, checks every cell and learns the columns' dtypes; after it any stretch
of rows is read from the blocks that hold it, so that a file may be far larger than memory.
"""

from __future__ import annotations

import codecs
import csv
import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

import numpy as np

from ..core.errors import DataError
from .bounded import hold
from .cells import MixedTableError, NoSuchLabelError, check_names, listed, short, stretch
from .dialect import (
    DECIMAL_COMMA,
    TAKEN_FOR_DATA,
    WHOLE,
    Dialect,
    are_counting_names,
    as_labels,
    counts,
    has_quoted_names,
    is_boolean,
    is_number,
    number,
    quick,
    sniff,
)
from .source import Source

#: A block is parsed at once: large enough to be quick, small enough to be nothing.
BLOCK = 1 << 20
#: No row may be longer: the columns of a table that has a million of them fit.
LONGEST = 16 << 20
EXACT = 2.0**53


@dataclass(frozen=True)
class Block:
    """Some rows of the file: which, where they begin, and how many bytes they take."""

    row: int
    rows: int
    line: int
    offset: int
    size: int


class DelimitedSource(Source):
    """Rows of a csv file, or of one like it; missing cells are read as NaN.

    Parameters
    ----------
    file : file
        Binary and seekable; it is kept open while the source lives.
    place : str
        What to call the data in a message.
    label : str, optional
        The column to take out as labels: a name, or a position where the file has no header.

    Raises
    ------
    DataError
        If a cell is no number (line, column and value are named), a row has another length, a byte is no
        UTF-8, a name comes twice, or there are no rows.

    >>> source = DelimitedSource(io.BytesIO(b"a,b\\n1,2.5\\n3,\\n"), "t.csv")
    >>> source.names, source.dtypes
    (('a', 'b'), ('int64', 'float64'))
    >>> source.read(0, 2)
    array([[1. , 2.5],
           [3. , nan]])
    """

    def __init__(self, file: BinaryIO, place: str, *, label: str | None = None) -> None:
        self.place = place
        self._file = file
        self._cached: tuple[Block, np.ndarray] | None = None
        self._spelled: tuple[Block, np.ndarray] | None = None
        start, line = self._head(label)
        self._index(start, line)
        if self._header is not None:
            self.names = tuple(self._header[at] for at in self._dialect.features)
            self.dtypes = tuple(dtype.name for dtype in self._column_dtypes)
        hold(self, file)

    def _head(self, label: str | None) -> tuple[int, int]:
        """Look at the first rows: how the cells are told apart, and where the rows of numbers begin."""
        self._file.seek(0)
        start = 3 if self._file.read(3) == codecs.BOM_UTF8 else 0
        block, text = next(self._blocks(start, 1), (None, ""))
        if block is None or not text.strip():
            raise DataError(f"{self.place}: Found array with 0 sample(s); give a table with a row for each one.")
        self._dialect = Dialect(sniff(text))
        line, cells = next(self._rows(block, text), (0, []))
        if not cells:
            raise DataError(f"{self.place}: no row begins in its first {len(text):,} characters. Is it a table?")
        self._header = None
        if not all(is_number(cell) for cell in cells) or has_quoted_names(text, self._dialect.delimiter):
            self._header = [cell.strip() for cell in cells]
            check_names(self._header, f"{self.place}, whose first row is taken for names, not being all numbers")
            if all(is_number(cell) for cell in cells):
                self.note = "its first row is taken for names, being quoted"
            lines = io.StringIO(text, newline="")
            start += len("".join(lines.readline() for _ in range(line)).encode())
        elif counts(cells) and are_counting_names(cells, self._like(len(cells), self._rows(block, text))):
            self.note = f"its first row, {listed(cells, 4)}, {TAKEN_FOR_DATA}"
        at = find_label(label, self._header, len(cells), self.place)
        self._dialect = Dialect(self._dialect.delimiter, len(cells), at)
        if not self._dialect.features:
            raise DataError(f"{self.place}: its only column is the label; there is nothing to learn from.")
        return start, 1 if self._header is None else 1 + line

    def _like(self, width: int, rows: Iterator[tuple[int, list[str]]]) -> list[list[str]]:
        """Up to 1000 rows below the first that have as many cells."""
        return [cells for _, cells in islice(rows, 1, 1000) if len(cells) == width]

    def _index(self, start: int, line: int) -> None:
        """Read the whole file once: where blocks begin, how many rows there are, what the columns hold."""
        self._blocks_at: list[Block] = []
        labels: list[np.ndarray] = []
        width = len(self._dialect.features)
        whole, boolean, missing = (np.full(width, first) for first in (True, True, False))
        row = 0
        for block, text in self._blocks(start, line):
            values, text_labels, truth = self._parse(block, text)
            if not len(values):
                continue
            self._blocks_at.append(replace(block, row=row, rows=len(values)))
            row += len(values)
            labels.append(np.asarray(text_labels))
            boolean &= truth
            if values.dtype != np.int64:
                missing |= np.isnan(values).any(axis=0)
                with np.errstate(invalid="ignore"):
                    whole &= ((values == np.rint(values)) & (np.abs(values) < EXACT)).all(axis=0)
                whole &= self._written_whole(text)
        if not row:
            raise DataError(f"{self.place}: a header and no rows. Give a table with a row for each sample.")
        self.rows, self.shape = row, (width,)
        self._column_dtypes = [
            np.dtype(bool if boolean[at] else np.int64 if whole[at] else np.float64) for at in range(width)
        ]
        self.dtype = np.result_type(*set(self._column_dtypes))
        if self._dialect.label is not None:
            self.labels = as_labels(np.concatenate(labels))

    def _written_whole(self, text: str) -> np.ndarray:
        """Which columns' first cell is written without a point: 1.0 is whole, and yet no integer."""
        _, cells = next(self._dialect.rows(text))
        return np.array(
            [WHOLE.fullmatch(cells[at]) is not None or is_boolean(cells[at]) for at in self._dialect.features]
        )

    def _blocks(self, offset: int, line: int) -> Iterator[tuple[Block, str]]:
        """Cut the file from here on into blocks of whole rows, as text."""
        while True:
            self._file.seek(offset)
            data = self._file.read(BLOCK)
            if not data:
                return
            data += self._rest_of_row(data, line)
            yield Block(0, 0, line, offset, len(data)), self._decode(data, offset)
            offset += len(data)
            line += data.count(b"\n")

    def _rest_of_row(self, data: bytes, line: int) -> bytes:
        """Read on until the row ends and no quoted cell is open."""
        parts = [b"" if data.endswith(b"\n") else self._file.readline(LONGEST)]
        quotes, length = data.count(b'"') + parts[0].count(b'"'), len(parts[0])
        while quotes % 2 and length < LONGEST:
            parts.append(self._file.readline(LONGEST))
            if not parts[-1]:
                break
            quotes += parts[-1].count(b'"')
            length += len(parts[-1])
        if length >= LONGEST:
            raise DataError(
                f"{self.place}, after line {line}: a row or a quoted cell goes on for more than "
                f"{LONGEST:,} bytes. Give a table with one row a line."
            )
        return b"".join(parts)

    def _decode(self, data: bytes, offset: int) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.place}: byte {offset + error.start} (0x{data[error.start]:02x}) is no UTF-8. Save "
                "the table as UTF-8 text."
            ) from error

    def _rows(self, block: Block, text: str) -> Iterator[tuple[int, list[str]]]:
        try:
            yield from self._dialect.rows(text)
        except csv.Error as error:
            raise DataError(f"{self.place}, after line {block.line}: {error}. Is it a table?") from error

    def _parse(self, block: Block, text: str) -> tuple[np.ndarray, list[str], np.ndarray | bool]:
        """The numbers of a block, its labels, and which columns hold nothing but true and false."""
        labels = [] if self._dialect.label is None else self._labels(block, text)
        values = quick(text, self._dialect)
        if values is not None and values.shape[1] == len(self._dialect.features):
            return values, labels, False
        rows, lines = [], []
        for line, cells in self._rows(block, text):
            if len(cells) != self._dialect.columns:
                self._refuse_length(block.line + line - 1, cells)
            rows.append(cells)
            lines.append(block.line + line - 1)
        values = np.empty((len(rows), len(self._dialect.features)))
        truth = np.zeros(values.shape[1], bool)
        for at, column in enumerate(self._dialect.features):
            cells = [row[column] for row in rows]
            try:
                values[:, at] = [number(cell) for cell in cells]
            except ValueError as error:
                raise self._text_error(rows, lines) from error
            truth[at] = all(is_boolean(cell) for cell in cells)
        return values, labels, truth

    def _labels(self, block: Block, text: str) -> list[str]:
        labels = []
        for line, cells in self._rows(block, text):
            if len(cells) != self._dialect.columns:
                self._refuse_length(block.line + line - 1, cells)
            labels.append(cells[self._dialect.label or 0].strip())
        return labels

    def _refuse_length(self, line: int, cells: Sequence[str]) -> None:
        raise DataError(
            f"{self.place}, line {line}: {len(cells)} cells, where the first row has "
            f"{self._dialect.columns}. "
            "Give every row the same cells (an empty one for a missing value), or remove this line."
        )

    def _text_error(self, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> DataError:
        """Name the first cell that is no number, and every column of the block that holds one."""
        names = self._header_names()
        first: tuple[int, int] | None = None
        bad = []
        for column in self._dialect.features:
            row = next((at for at, cells in enumerate(rows) if not is_number(cells[column])), None)
            if row is not None:
                bad.append(names[column])
                first = min(first, (row, column)) if first else (row, column)
        row, column = first or (0, 0)
        cell = rows[row][column]
        comma = (
            " A decimal comma becomes a point; a comma between thousands is left out."
            if DECIMAL_COMMA.fullmatch(cell)
            else ""
        )
        others = f" Columns that hold text: {listed(bad)}." if len(bad) > 1 else ""
        return MixedTableError(
            f"{self.place}, line {lines[row]}, column {names[column]!r}: {short(cell)} is no number.{comma}{others}"
        )

    def _header_names(self) -> list[str]:
        if self._header is not None:
            return self._header
        return [str(at) for at in range(self._dialect.columns)]

    def read(self, start: int, stop: int) -> np.ndarray:
        start, stop = stretch(start, stop, self.rows)
        values = np.empty((stop - start, *self.shape), self.dtype)
        at = bisect_right(self._blocks_at, start, key=lambda block: block.row) - 1
        done = start
        while done < stop:
            block = self._blocks_at[at]
            held = self._load(block)
            taken = held[done - block.row : stop - block.row]
            values[done - start : done - start + len(taken)] = taken
            done += len(taken)
            at += 1
        return values

    def spelled(self, at: int, start: int, stop: int) -> np.ndarray:
        """The text of a stretch of a column's cells."""
        start, stop = stretch(start, stop, self.rows)
        parts, place = (
            [np.empty(0, dtype=object)],
            bisect_right(self._blocks_at, start, key=lambda block: block.row) - 1,
        )
        while start < stop:
            block = self._blocks_at[place]
            parts.append(self._spell(block)[start - block.row : stop - block.row, at])
            start += len(parts[-1])
            place += 1
        return np.concatenate(parts)

    def _spell(self, block: Block) -> np.ndarray:
        """The text of a block's cells; the last block is kept."""
        if self._spelled is None or self._spelled[0] != block:
            self._file.seek(block.offset)
            rows = self._rows(block, self._decode(self._file.read(block.size), block.offset))
            features = self._dialect.features
            cells = [[cells[at].strip() for at in features] for _, cells in rows]
            self._spelled = block, np.array(cells, dtype=object).reshape(-1, len(features))
        return self._spelled[1]

    def _load(self, block: Block) -> np.ndarray:
        if self._cached is None or self._cached[0] != block:
            self._file.seek(block.offset)
            text = self._decode(self._file.read(block.size), block.offset)
            values = self._parse(block, text)[0]
            if len(values) != block.rows:
                raise DataError(f"{self.place}: the file was changed while it was being read. Open it again.")
            self._cached = block, values
        return self._cached[1]


def find_label(label: str | None, names: Sequence[str] | None, columns: int, place: str) -> int | None:
    """Which column is meant as the label: by its name, or by its position where columns have no names.

    >>> find_label("y", ["x", "y"], 2, "t.csv"), find_label("-1", None, 3, "t.csv")
    (1, 2)
    """
    if label is None:
        return None
    if names is not None and label in names:
        return list(names).index(label)
    if names is None and WHOLE.fullmatch(label) and -columns <= int(label) < columns:
        return int(label) % columns
    if names is None:
        raise NoSuchLabelError(f"{place}: it has no header; name the label by its position, 0 to {columns - 1}.")
    raise NoSuchLabelError(f"{place}: no column is called {label!r}. There are {listed(names)}.")

"""How a table is written as text: what stands between cells, what spells a number or a missing value."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np

MISSING = frozenset(["", "na", "nan", "null", "none", "?", "n/a"])
BOOLEAN = {"true": 1.0, "false": 0.0}
#: In the order in which they are preferred where two fit as well: a comma is often part of a cell.
DELIMITERS = ("\t", ";", "|", ",", " ")
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
WHOLE = re.compile(r"\s*[+-]?\d+\s*")
TAKEN_FOR_DATA = "is taken for data, as it holds numbers; put names that are numbers in quotes"
LONG = 20  # digits of no number that counts anything
QUOTED = re.compile(r'\s*"[^"]*"\s*')
BLANK = re.compile(r"^(?:[ \t\r]*\n|[ \t\r]+\Z)", re.MULTILINE)
#: Text of only these holds only whole numbers, for which numpy's reader is six times as quick.
WHOLE_BYTES = b"0123456789+-,;|\t\r\n "


@dataclass(frozen=True)
class Dialect:
    r"""How the cells of a file are told apart, and which column is the label.

    >>> list(Dialect(",", 2).rows("1,2\n\n3,4\n"))
    [(1, ['1', '2']), (3, ['3', '4'])]
    >>> list(Dialect(",", 1).rows("1\n\n3\n"))
    [(1, ['1']), (2, ['']), (3, ['3'])]
    """

    delimiter: str
    columns: int = 0
    label: int | None = None

    @property
    def features(self) -> list[int]:
        """Where the columns are that are no label."""
        return [at for at in range(self.columns) if at != self.label]

    def rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Each row's cells and the line it ends on, counted from 1.

        A blank line is a row of one missing cell where there is one column, and is left out where there are several.
        """
        lines = io.StringIO(text, newline="")
        if self.delimiter == " ":
            yield from ((at, line.split()) for at, line in enumerate(lines, 1) if not line.isspace())
            return
        reader = csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True)
        for cells in reader:
            if self.columns == 1:
                yield reader.line_num, cells or [""]
            elif len(cells) > 1 or (cells and cells[0].strip()):
                yield reader.line_num, cells


def sniff(text: str) -> str:
    r"""Tell what stands between the cells: what cuts most rows alike, and most cells to numbers.

    >>> sniff("a;b\n1,5;2\n3,5;4\n")
    ';'
    """
    best, most = ",", 0.0
    end = text.rfind("\n", 0, 1 << 16) + 1
    for delimiter in DELIMITERS:
        try:
            rows = [cells for _, cells in islice(Dialect(delimiter).rows(text[: end or 1 << 16]), 50)]
        except csv.Error:
            continue
        width, alike = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
        if width < 2:
            continue
        cells = [cell for row in rows[1:] or rows for cell in row]
        numbers = sum(is_number(cell) or DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
        score = alike / len(rows) * (0.01 + numbers / len(cells))
        if score > most:
            best, most = delimiter, score
    return best


def has_quoted_names(text: str, delimiter: str) -> bool:
    r"""Whether all cells of the first row are quoted, and not all of the next: names, even where they are numbers.

    >>> has_quoted_names('"2019","2020"\n1,2\n', ","), has_quoted_names("2019,2020\n1,2\n", ",")
    (True, False)
    """
    lines = list(islice((line for line in io.StringIO(text) if line.strip()), 2))
    quoted = [all(QUOTED.fullmatch(cell) for cell in line.split(delimiter)) for line in lines]
    return len(quoted) == 2 and quoted[0] and not quoted[1]


def are_counting_names(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the numbers of a first row count up or down, as years do, and those of no other row; none comes twice.

    >>> rows = [["Norway", "5", "5", "6"], ["Peru", "3", "1", "1"]]
    >>> are_counting_names(["country", "2019", "2020", "2021"], rows), are_counting_names(["Chad", "5", "7", "6"], rows)
    (True, False)
    """
    places = [at for at, cell in enumerate(first) if is_number(cell) and cell.strip().lower() not in MISSING]
    if len({cell.strip() for cell in first}) < len(first) or not counts([first[at] for at in places]):
        return False
    return not any(counts([row[at] for at in places]) for row in below)


def counts(cells: Sequence[str]) -> bool:
    """Whether cells are three or more whole numbers that rise or fall by equal steps, or two years of our time.

    >>> counts(["1990", "2000", "2010"]), counts(["3", "2", "1"]), counts(["1", "2", "4"]), counts(["1.0", "2.0"])
    (True, True, False, False)
    """
    if len(cells) < 2 or not all(len(cell) < LONG and WHOLE.fullmatch(cell) for cell in cells):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(cells)}
    years = all(1800 <= int(cell) <= 2100 for cell in cells)
    return len(steps) == 1 and 0 not in steps and (len(cells) > 2 or years)


def quick(text: str, dialect: Dialect) -> np.ndarray | None:
    r"""The numbers of a text by numpy's own reader; None where there is more than numbers in equal rows.

    >>> quick("1,2\n3,4\n", Dialect(",", 2))
    array([[1, 2],
           [3, 4]])
    """
    if not text.strip():
        return None
    if dialect.columns == 1:
        text = BLANK.sub("nan\n", text)  # numpy's reader leaves blank lines out
    if not text.encode().translate(None, WHOLE_BYTES):
        values = _load(text, dialect, np.int64)
        if values is not None:
            return values
    values = _load(text, dialect, np.float64)
    if values is None and '"' not in text and dialect.delimiter != " ":
        values = _load(_spelled(text, dialect.delimiter), dialect, np.float64)
    return values


def _load(text: str, dialect: Dialect, dtype: type) -> np.ndarray | None:
    try:
        return np.loadtxt(
            io.StringIO(text, newline=""),
            dtype=dtype,
            comments=None,
            delimiter=None if dialect.delimiter == " " else dialect.delimiter,
            quotechar='"' if '"' in text else None,
            usecols=None if dialect.label is None else dialect.features,
            ndmin=2,
        )
    except (ValueError, OverflowError):
        return None


def _spelled(text: str, delimiter: str) -> str:
    """The text with nan written where cells are missing, which numpy's reader knows."""
    text = "\n" + text.replace("\r\n", "\n").rstrip("\n") + "\n"
    for marker in ("", "NA", "?", "N/A", "null", "NULL", "None"):
        if delimiter + marker not in text and marker + delimiter not in text:
            continue
        for before, behind in ((delimiter,) * 2, (delimiter,) * 2, ("\n", delimiter), (delimiter, "\n")):
            # Twice, as neighbors share the delimiter between them.
            text = text.replace(before + marker + behind, f"{before}nan{behind}")
    return text


def number(cell: str) -> float:
    """What a cell says as a number: NaN for a missing one, 1 and 0 for true and false.

    Raises
    ------
    ValueError
        If it says none.

    >>> number(" 1.5"), number("True"), number("N/A")
    (1.5, 1.0, nan)
    """
    try:
        if "_" in cell:  # Python's float would read 1_000 as a thousand
            raise ValueError(cell)
        return float(cell)
    except ValueError:
        low = cell.strip().lower()
        if low in MISSING:
            return float("nan")
        if low in BOOLEAN:
            return BOOLEAN[low]
        raise


def is_number(cell: str) -> bool:
    """Whether a cell says a number, or that it is missing.

    >>> is_number("1e-3"), is_number("?"), is_number("abc")
    (True, True, False)
    """
    try:
        number(cell)
    except ValueError:
        return False
    return True


def is_boolean(cell: str) -> bool:
    """Whether a cell says true or false.

    >>> is_boolean("True"), is_boolean("1")
    (True, False)
    """
    return cell.strip().lower() in BOOLEAN


def as_labels(cells: Sequence[str] | np.ndarray) -> np.ndarray:
    """Labels as integers where all spell some, as numbers where all are numbers, else as text.

    >>> as_labels(["2", "1"]), as_labels(["a", "1"])
    (array([2, 1]), array(['a', '1'], dtype='<U1'))
    """
    kinds, at = np.unique(np.asarray(cells, dtype=np.str_), return_inverse=True)
    texts = [str(kind) for kind in kinds]
    if not all(is_number(text) and not is_boolean(text) for text in texts):
        return kinds[at]
    if all(WHOLE.fullmatch(text) and abs(int(text)) < 2**63 for text in texts):
        return np.array([int(text) for text in texts], dtype=np.int64)[at]
    return np.array([number(text) for text in texts])[at]

"""Time series files, ``.ts``: one sequence a line, its channels between colons, its steps between commas.

.. code-block:: text

    # a comment
    @univariate false
    @classLabel true walking resting
    @data
    0.1,0.2,0.3:1,?,3:walking
    0.5,0.6:5,6:resting
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from ..core.errors import DataError
from .bounded import check_growth, hold, size_of
from .cells import NoSuchLabelError, short
from .dialect import as_labels, is_number, number
from .ragged import POSSIBLE, RaggedSource
from .sinks import Columns, Sink

#: No line may be longer: a million steps of some channels fit.
LONGEST = 64 << 20


class SeriesSource(RaggedSource):
    """Sequences of a ``.ts`` file; each stretch is read from the file when it is asked for. ``?`` is NaN.

    Parameters
    ----------
    file : file
        Binary and seekable; it is kept open while the source lives.
    place : str
        What to call the data in a message.
    label : str, optional
        Refused: class labels (or target values) are those that the file itself declares.

    Raises
    ------
    DataError
        If a step is no number, channels of a sequence differ in length, a sequence is empty or has other channels
        than the first, a class label is missing, or there is no ``@data``. The message names the line.

    >>> import io
    >>> file = io.BytesIO(b"@classLabel true a b\\n@data\\n1,2,3:4,5,6:a\\n7:8:b\\n")
    >>> source = SeriesSource(file, "t.ts")
    >>> source.shape, source.lengths.tolist(), source.labels.tolist()
    ((3, 2), [3, 1], ['a', 'b'])
    """

    def __init__(self, file: BinaryIO, place: str, label: str | None = None) -> None:
        if label is not None:
            raise NoSuchLabelError(f"{place}: no label {label!r}: a .ts file declares its own, by @classLabel")
        self.place, self.file, self.dtype = place, file, np.dtype(np.float64)
        self.labeled, line = self._read_header()
        self.offsets: list[tuple[int, int]] = []
        lengths, labels, first = [], [], None
        for number_of_line, offset, data in self._lines(line):
            sequence, word = self._parse(data, f"{place}, line {number_of_line}")
            first = sequence if first is None else first
            if sequence.shape[1:] != first.shape[1:]:
                raise DataError(
                    f"{place}, line {number_of_line}: {channels(sequence)} channels, where the first sequence has "
                    f"{channels(first)}. {POSSIBLE}."
                )
            self.offsets.append((offset, number_of_line))
            lengths.append(len(sequence))
            labels.append(word)
        if first is None:
            raise DataError(f"{place}: nothing follows @data: Found array with 0 sample(s). Give a line per sequence.")
        self._measure(lengths, first.shape[1:])
        check_growth(2 * self.bytes, size_of(file), f"{place}, filled up to its longest sequence")
        self.labels = as_labels(labels) if self.labeled else None
        hold(self, file)

    def _read_header(self) -> tuple[bool, int]:
        """Whether lines end in a label, and the number of the line before the first sequence."""
        labeled = False
        self.file.seek(0)
        for at, data in enumerate(iter(lambda: self.file.readline(LONGEST), b""), 1):
            word, *rest = decoded(data, f"{self.place}, line {at}").removeprefix("\ufeff").lower().split() or ["#"]
            if word == "@data":
                return labeled, at
            if word in ("@classlabel", "@targetlabel"):
                labeled = rest[:1] != ["false"]
            if word == "@timestamps" and rest[:1] == ["true"]:
                raise DataError(f"{self.place}, line {at}: time stamps are not read. Give steps at equal distances.")
            if word[0] not in "@#":
                raise DataError(f"{self.place}, line {at}: {short(word)} before @data. Is it a .ts file?")
        raise DataError(f"{self.place}: no line says @data. Is it a .ts file, and a whole one?")

    def _lines(self, at: int) -> Iterator[tuple[int, int, bytes]]:
        """Each sequence's line: its number, where it begins, and what it holds."""
        offset = self.file.tell()
        while data := self.file.readline(LONGEST):
            at += 1
            if len(data) >= LONGEST:
                raise DataError(f"{self.place}, line {at}: more than {LONGEST:,} bytes. Give one sequence a line.")
            if data.strip() and not data.startswith((b"#", b"%")):
                yield at, offset, data
            offset += len(data)

    def _parse(self, data: bytes, where: str) -> tuple[np.ndarray, str]:
        """A line as a sequence, (length,) or (length, channels), and its label."""
        fields = decoded(data, where).strip().split(":")
        word = fields.pop().strip() if self.labeled else ""
        if self.labeled and (not word or not fields):
            raise DataError(f"{where}: no class label at its end, as @classLabel promises. Give one behind a colon.")
        steps = [as_numbers(field, where) for field in fields]
        if len({len(channel) for channel in steps}) > 1:
            raise DataError(
                f"{where}: its channels have {', '.join(str(len(channel)) for channel in steps[:8])} steps. "
                "Give all channels of a sequence equally many, with ? for what is missing."
            )
        return (steps[0] if len(steps) == 1 else np.stack(steps, axis=1)), word

    def take(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Read the sequences of a stretch of rows."""
        for offset, line in self.offsets[start:stop]:
            self.file.seek(offset)
            yield self._parse(self.file.readline(LONGEST), f"{self.place}, line {line}")[0]

    def read(self, start: int, stop: int) -> np.ndarray:
        try:
            return super().read(start, stop)
        except (ValueError, TypeError) as error:
            raise DataError(f"{self.place}: the file was changed while it was being read. Open it again.") from error


def channels(sequence: np.ndarray) -> int:
    """Numbers in a step.

    >>> channels(np.zeros(3)), channels(np.zeros((3, 2)))
    (1, 2)
    """
    return int(sequence.size // len(sequence))


def decoded(data: bytes, where: str) -> str:
    """A line as text."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start} of it is no UTF-8. Save the file as UTF-8 text.") from error


def as_numbers(text: str, where: str) -> np.ndarray:
    """Steps between commas; ``?`` is a missing one.

    >>> as_numbers("1,?,3e-1", "t.ts, line 1")
    array([1. , nan, 0.3])
    """
    if not text.strip():
        raise DataError(f"{where}: a sequence without steps. Leave it out, or write ? for a missing step.")
    cells = text.split(",")
    try:
        return np.array([number(cell) for cell in cells])
    except ValueError as error:
        at = next(at for at, cell in enumerate(cells) if not is_number(cell))
        raise DataError(f"{where}, step {at}: {short(cells[at])} is no number. Write ? for a missing one.") from error


class SeriesSink(Sink):
    """A ``.ts`` file: a header, then a line per sequence, whose numbers read back to the same bits.

    The header is written again at the end, when it is known whether lengths differ and steps are missing.
    """

    sequences: ClassVar[bool] = True

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        super().__init__(path, suffix, place)
        self._file = path.open("xb")
        self._channels, self._lengths, self._missing = 0, set[int](), False

    def add(
        self, values: np.ndarray | Columns | list[np.ndarray], names: tuple[str, ...] | None, index: np.ndarray | None
    ) -> None:
        if isinstance(values, Mapping) or values[0].ndim > 2:
            raise DataError(f"{self.place}: only sequences are written here. Choose a name that ends in .csv or .npz.")
        if not self._channels:
            self._channels = channels(values[0])
            self._file.write(self._header())
        for sequence in values:
            columns = sequence.reshape(len(sequence), -1).T
            self._file.write((":".join(",".join(spelled(column)) for column in columns) + "\n").encode())
            self._lengths.add(len(sequence))
            self._missing |= bool(np.isnan(sequence).any())

    def _header(self) -> bytes:
        facts = {
            "timeStamps": False,
            "missing": self._missing,
            "univariate": self._channels == 1,
            "dimensions": self._channels,
            "equalLength": len(self._lengths) == 1,
            "seriesLength": max(self._lengths, default=0),
            "classLabel": False,
        }
        # As wide whatever they say, so that the header can be written again in its place.
        return "".join(f"@{name} {str(fact).lower():<20}\n" for name, fact in facts.items()).encode() + b"@data\n"

    def finish(self) -> None:
        self._file.seek(0)
        self._file.write(self._header())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def spelled(channel: np.ndarray) -> list[str]:
    """Numbers as the shortest texts that read back to the same bits.

    >>> spelled(np.array([0.1, np.nan], dtype=np.float32))
    ['0.1', '?']
    """
    small = channel.dtype.kind == "f" and channel.dtype.itemsize < 8
    texts = channel.astype(np.str_).tolist() if small else map(repr, channel.tolist())
    return ["?" if text == "nan" else text for text in texts]

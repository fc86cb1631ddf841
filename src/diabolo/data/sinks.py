"""Kinds of files that results are written to, a block of rows at a time."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import sys
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from ..core.errors import DataError, MissingPackageError

Columns = Mapping[str, np.ndarray]


class Sink(ABC):
    """One kind of file, while it is written.

    Parameters
    ----------
    path : Path
        Where to write; nothing is there yet.
    suffix : str
        The suffix of the name it gets in the end.
    place : str
        What to call it in a message.
    """

    folder: ClassVar[bool] = False
    sequences: ClassVar[bool] = False  # whether it takes rows of unequal length

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        self.path, self.suffix, self.place = path, suffix, place

    @abstractmethod
    def add(self, values: np.ndarray | Columns, names: tuple[str, ...] | None, index: np.ndarray | None) -> None:
        """Write one more block of rows."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is still held, and bring all of it to the disk."""

    def close(self) -> None:  # noqa: B027 - a folder has nothing to let go of
        """Let go of the file, finished or not."""


class TextSink(Sink):
    """csv, tsv and their gzip forms: a header row, then rows that read back to the same bits."""

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        super().__init__(path, suffix, place)
        self.delimiter = "\t" if suffix.startswith(".tsv") else ","
        self._raw: IO[bytes] = path.open("xb")
        # Neither name nor time goes into the gzip header: the same rows give the same bytes.
        packed = suffix.endswith(".gz")
        self._stream: Any = gzip.GzipFile("", "wb", 6, self._raw, 0) if packed else self._raw
        self._begun = False

    def add(self, values: np.ndarray | Columns, names: tuple[str, ...] | None, index: np.ndarray | None) -> None:
        columns = as_columns(values, names, index)
        if not self._begun:
            self._stream.write((self.delimiter.join(map(self._quoted, columns)) + "\n").encode())
            self._begun = True
        cells = [self._cells(column) for column in columns.values()]
        lines = map(self.delimiter.join, zip(*cells, strict=True))
        self._stream.write("".join(f"{line}\n" for line in lines).encode())

    def _cells(self, column: np.ndarray) -> list[str]:
        if column.dtype.kind == "f" and column.dtype.itemsize < 8:
            return [str(cell) for cell in column.astype(np.str_)]  # the shortest that reads back as this float32
        if column.dtype.kind in "biuf":
            return [repr(cell) for cell in column.tolist()]
        return ["" if cell is None else self._quoted(str(cell)) for cell in column.tolist()]

    def _quoted(self, text: str) -> str:
        special = any(mark in text for mark in (self.delimiter, '"', "\n", "\r"))
        return '"' + text.replace('"', '""') + '"' if special or text != text.strip() else text

    def finish(self) -> None:
        if self._stream is not self._raw:
            self._stream.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.close()
        self._raw.close()


class StandardOutput(TextSink):
    """csv on standard output."""

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        Sink.__init__(self, path, suffix, place)
        self.delimiter, self._begun = ",", False
        self._stream = getattr(sys.stdout, "buffer", None) or _Encoder(sys.stdout)

    def finish(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Standard output stays open."""


class _Encoder:
    """Takes bytes for a text stream that has no bytes below it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        self._stream.write(data.decode())

    def flush(self) -> None:
        self._stream.flush()


class NpySink(Sink):
    """One array; its header is written again at the end, when the rows are counted."""

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        super().__init__(path, suffix, place)
        self._file = path.open("xb")
        self._dtype: np.dtype | None = None
        self._shape: tuple[int, ...] = ()
        self._rows = 0

    def add(self, values: np.ndarray | Columns, names: tuple[str, ...] | None, index: np.ndarray | None) -> None:
        values = as_matrix(values, self.place)
        if self._dtype is None:
            self._dtype, self._shape = values.dtype.newbyteorder("<"), values.shape[1:]
            self._file.write(self._header(0))
        if not np.can_cast(values.dtype, self._dtype, "same_kind"):
            raise DataError(f"{self.place}: a block of {values.dtype} after blocks of {self._dtype}.")
        self._file.write(np.ascontiguousarray(values, self._dtype).data)
        self._rows += len(values)

    def _header(self, rows: int) -> bytes:
        shape = ", ".join(map(str, (rows, *self._shape))) + ("" if self._shape else ",")
        descr = np.lib.format.dtype_to_descr(self._dtype or np.dtype(float))
        text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': ({shape}), }}"
        length = -(-(10 + len(text) + 21 - len(str(rows))) // 64) * 64  # room for any number of rows
        padded = text.ljust(length - 11) + "\n"
        return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()

    def finish(self) -> None:
        self._file.seek(0)
        self._file.write(self._header(self._rows))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class NpzSink(Sink):
    """An archive of the array ``X`` with ``names`` and ``index`` beside it, where there are some."""

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        super().__init__(path, suffix, place)
        # A zip member cannot be corrected once it is written, so the rows are counted in a file beside it.
        self._array_path = path.with_name(path.name + ".npy")
        self._array = NpySink(self._array_path, ".npy", place)
        self._names: tuple[str, ...] | None = None
        self._index: list[np.ndarray] = []

    def add(self, values: np.ndarray | Columns, names: tuple[str, ...] | None, index: np.ndarray | None) -> None:
        self._names = names if isinstance(values, np.ndarray) else tuple(values)
        self._array.add(values, names, index)
        if index is not None:
            self._index.append(index)

    def finish(self) -> None:
        self._array.finish()
        with self.path.open("xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                with self._array_path.open("rb") as array:
                    self._member(archive, "X", array)
                extra = {"names": self._names and np.array(self._names), "index": as_index(self._index)}
                for name, values in extra.items():
                    if values is not None:
                        held = io.BytesIO()
                        np.save(held, values, allow_pickle=False)
                        held.seek(0)
                        self._member(archive, name, held)
            file.flush()
            os.fsync(file.fileno())

    def _member(self, archive: zipfile.ZipFile, name: str, stream: IO[bytes]) -> None:
        info = zipfile.ZipInfo(f"{name}.npy")  # of 1980: the same rows give the same bytes
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as member:
            while block := stream.read(1 << 20):
                member.write(block)

    def close(self) -> None:
        self._array.close()
        self._array_path.unlink(missing_ok=True)


class ParquetSink(Sink):
    """Parquet in groups of rows of a useful size, whatever the size of the blocks."""

    GROUP: ClassVar[int] = 1 << 16

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        super().__init__(path, suffix, place)
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingPackageError("pyarrow", "parquet", "writing Parquet") from error
        self._pa, self._pq = pa, pq
        self._file = path.open("xb")
        self._writer: Any = None
        self._held: list[Any] = []

    def add(self, values: np.ndarray | Columns, names: tuple[str, ...] | None, index: np.ndarray | None) -> None:
        columns = as_columns(values, names, index)
        table = self._pa.table({name: np.ascontiguousarray(column) for name, column in columns.items()})
        if self._writer is None:
            self._writer = self._pq.ParquetWriter(self._file, table.schema, write_page_checksum=True)
        self._held.append(table.cast(self._writer.schema))
        if sum(map(len, self._held)) >= self.GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(self._pa.concat_tables(self._held))
            self._held = []

    def finish(self) -> None:
        self._flush()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._writer is not None:
            # It would write its footer when it is collected, into a file that is closed by then.
            with contextlib.suppress(OSError, ValueError):
                self._writer.close()
        self._file.close()


class PictureSink(Sink):
    """A folder of png files, numbered in the order of the rows."""

    folder: ClassVar[bool] = True

    def __init__(self, path: Path, suffix: str, place: str) -> None:
        super().__init__(path, suffix, place)
        try:
            from PIL import Image
        except ImportError as error:
            raise MissingPackageError("pillow", "image", "writing pictures") from error
        self._image = Image
        self._rows = 0
        path.mkdir()

    def add(self, values: np.ndarray | Columns, names: tuple[str, ...] | None, index: np.ndarray | None) -> None:
        values = values if isinstance(values, np.ndarray) else np.empty(0)
        pixels = values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values
        colored = pixels.ndim == 4 and pixels.shape[-1] in (3, 4) and pixels.dtype == np.uint8
        gray = pixels.ndim == 3 and pixels.dtype in (np.uint8, np.uint16)
        if not (colored or gray):
            raise DataError(
                f"{self.place}: {values.dtype} of shape {values.shape} are no pictures; a folder takes "
                "(rows, height, "
                "width) or (rows, height, width, 3) of uint8. Choose a name that ends in .npy, .csv or "
                ".parquet."
            )
        for picture in pixels:
            self._image.fromarray(np.ascontiguousarray(picture)).save(self.path / f"{self._rows:06d}.png")
            self._rows += 1

    def finish(self) -> None:
        if hasattr(os, "sync"):
            os.sync()  # once for all of the pictures


def as_columns(values: np.ndarray | Columns, names: tuple[str, ...] | None, index: np.ndarray | None) -> Columns:
    """Values as columns with names; the index, where there is one, comes first.

    >>> as_columns(np.array([[1, 2]]), ("a", "b"), None)
    {'a': array([1]), 'b': array([2])}
    """
    taken = names if isinstance(values, np.ndarray) else tuple(values)
    first = {} if index is None else {"row" if "index" in (taken or ()) else "index": index}
    if not isinstance(values, np.ndarray):
        return {**first, **values}
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    names = names or tuple(f"column_{at}" for at in range(flat.shape[1]))
    return {**first, **{name: flat[:, at] for at, name in enumerate(names)}}


def as_matrix(values: np.ndarray | Columns, place: str) -> np.ndarray:
    """Values as one array of numbers.

    >>> as_matrix({"a": np.array([1]), "b": np.array([0.5])}, "t.npy")
    array([[1. , 0.5]])
    """
    if isinstance(values, np.ndarray):
        return values
    text = [name for name, column in values.items() if column.dtype.kind not in "biuf"]
    if text:
        raise DataError(f"{place}: column {text[0]!r} holds no numbers. Choose a name that ends in .csv or .parquet.")
    return np.column_stack(list(values.values()))


def as_index(blocks: list[np.ndarray]) -> np.ndarray | None:
    """The rows' names of all blocks as one array that needs no pickle."""
    if not blocks:
        return None
    index = np.concatenate(blocks)
    return index if index.dtype.kind in "biufU" else index.astype(np.str_)

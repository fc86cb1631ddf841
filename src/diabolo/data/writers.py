"""Results go to the kind of file that a path names: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np

from ..core.errors import DataError
from .cells import check_names
from .sinks import NpySink, NpzSink, ParquetSink, PictureSink, Sink, StandardOutput, TextSink
from .timeseries import SeriesSink

SINKS: dict[str, type[Sink]] = {
    ".csv": TextSink,
    ".csv.gz": TextSink,
    ".tsv": TextSink,
    ".tsv.gz": TextSink,
    ".parquet": ParquetSink,
    ".npy": NpySink,
    ".npz": NpzSink,
    ".ts": SeriesSink,
    "": PictureSink,
}
KINDS = "names that end in .csv, .tsv (also .gz), .parquet, .npy, .npz or .ts, a folder for png files, and -"


class ExistingFileError(DataError, FileExistsError):
    """The file to be written is there already, and nobody said that it may be replaced.

    >>> issubclass(ExistingFileError, FileExistsError)
    True
    """


class Writer:
    """Writes blocks of rows one after another, in constant memory, to the kind of file that a path names.

    The file appears under its name when all is written and on the disk. If anything goes wrong before,
    nothing is left behind and what was there stays as it was.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv`` (also ``.gz``) and ``.parquet`` keep names and index; ``.npz`` too, beside the
        array ``X``; ``.npy`` keeps the numbers alone. ``.ts`` takes sequences, also of unequal length. No suffix: a
        folder of png files. ``-``: csv on standard output.
    names : sequence of str, optional
        The columns' names; without them ``column_0`` and so on where a table needs some.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    ExistingFileError
        If it is there and may not be replaced.
    DataError
        If the path names no kind of file, or what comes does not fit it.
    MissingPackageError
        Without the optional package that writes this kind.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Writer(Path(folder) / "codes.csv", names=["a", "b"]) as writer:
    ...         writer.write(np.array([[1, 2]]))
    ...         writer.write(np.array([[3, 4]]))
    ...     (Path(folder) / "codes.csv").read_text()
    'a,b\\n1,2\\n3,4\\n'
    """

    def __init__(
        self, path: str | os.PathLike[str], *, names: Sequence[str] | None = None, overwrite: bool = False
    ) -> None:
        self.place = "standard output" if os.fspath(path) == "-" else os.fspath(path)
        self.path = None if os.fspath(path) == "-" else Path(path).resolve()
        self.names = None if names is None else tuple(map(str, names))
        self.overwrite = overwrite
        if self.names is not None:
            check_names(self.names, self.place)
        self._shape: tuple[Any, ...] | None = None
        self._sink: Sink | None = None
        self._part: Path | None = None
        suffix, self._kind = ".csv", cast("type[Sink]", StandardOutput)
        if self.path is not None:
            suffix, self._kind = kind_of(self.path, self.place)
            self._check_target(self.path)
        self._suffix = suffix

    def _check_target(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise DataError(f"{self.place}: there is no folder {path.parent}. Make it, or write elsewhere.")
        if not path.exists():
            return
        ours = path.is_dir() and all(held.suffix == ".png" and held.is_file() for held in path.iterdir())
        if not (ours if self._kind.folder else path.is_file()):
            what = "a folder of nothing but png files" if self._kind.folder else "a regular file"
            raise DataError(f"{self.place} is there and is not {what}; it is not replaced. Choose another name.")
        if not self.overwrite:
            raise ExistingFileError(
                f"{self.place} is there already. Choose another name, or replace it: --force, overwrite=True."
            )

    def __enter__(self) -> Self:
        path = self.path or Path("-")
        if self.path is not None:
            self._part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            self._sink = self._kind(self._part or path, self._suffix, self.place)
        except BaseException:
            self._clean()
            raise
        return self

    def write(self, values: Any, index: Any = None) -> None:
        """Write one more block of rows.

        Parameters
        ----------
        values : array, mapping of name to column, frame, or list of arrays
            Rows by columns, pictures, or one column. A mapping's columns keep their own dtypes. A list of arrays
            holds sequences of unequal length, (length,) or (length, channels).
        index : array, optional
            A name for each row, written as the first column, ``index``.
        """
        if self._sink is None:
            raise RuntimeError("A Writer is used in a with statement.")
        values = block_of(values, self.place)
        if self._kind.sequences and isinstance(values, np.ndarray):
            values = list(values)
        if isinstance(values, list) and not self._kind.sequences:
            raise DataError(
                f"{self.place}: sequences of unequal length need a name that ends in .ts, as in -o back.ts."
            )
        rows = len(next(iter(values.values()), ())) if isinstance(values, dict) else len(values)
        index = None if index is None else np.asarray(index)
        shape = shape_of(values)
        if self._shape is None:
            self._shape = shape, index is None
            width = int(np.prod(shape, dtype=np.int64)) if isinstance(values, np.ndarray) else len(values)
            if self.names is not None and isinstance(values, np.ndarray) and len(self.names) != width:
                raise DataError(f"{self.place}: {len(self.names)} names for {width} columns. Give one for each.")
        if self._shape != (shape, index is None):
            raise DataError(f"{self.place}: a block of {shape} after blocks of {self._shape[0]}.")
        if index is not None and index.shape != (rows,):
            raise DataError(f"{self.place}: an index of shape {index.shape} for {rows} rows. Give one name for each.")
        self._sink.add(values, self.names, index)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._sink is not None:
                if self._shape is None:
                    raise DataError(f"{self.place}: there are no rows to write.")
                self._sink.finish()
                self._sink.close()
                self._publish()
        finally:
            self._clean()

    def _publish(self) -> None:
        """Give the finished file its name."""
        if self.path is None or self._part is None:
            return
        self._check_target(self.path)  # it may have come while this one was written
        if self._kind.folder and self.path.exists():
            old = self._part.with_suffix(".old")
            self.path.rename(old)
            self._part.rename(self.path)
            shutil.rmtree(old)
        else:
            self._part.replace(self.path)
        sync_folder(self.path.parent)

    def _clean(self) -> None:
        if self._sink is not None:
            self._sink.close()
        if self._part is not None and self._part.is_dir():
            shutil.rmtree(self._part)
        elif self._part is not None:
            self._part.unlink(missing_ok=True)


def write(
    values: Any,
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    index: Any = None,
    overwrite: bool = False,
) -> None:
    """Write results at once; see :class:`Writer` for the kinds of files and what they keep.

    Parameters
    ----------
    values : array, mapping of name to column, or frame
        Rows by columns, pictures, or one column. Integers are written as integers, floats so that they read
        back to the same bits.
    path : path
        Where to; its suffix names the kind. ``-`` is csv on standard output.
    names : sequence of str, optional
        The columns' names.
    index : array, optional
        A name for each row.
    overwrite : bool
        Whether a file that is there may be replaced.

    >>> write(np.array([[0.1, 2.0]], dtype=np.float32), "-", names=["a", "b"])
    a,b
    0.1,2.0
    """
    with Writer(path, names=names, overwrite=overwrite) as writer:
        writer.write(values, index)


def kind_of(path: Path, place: str) -> tuple[str, type[Sink]]:
    """The suffix of a path, and what writes files that have it.

    >>> kind_of(Path("codes.csv.gz"), "codes.csv.gz")[0]
    '.csv.gz'
    """
    name = path.name.lower()
    suffix = path.suffix.lower() if not name.endswith(".gz") else Path(name[:-3]).suffix + ".gz"
    if suffix not in SINKS:
        raise DataError(f"{place}: files of kind {suffix!r} are not written. Possible are {KINDS}.")
    return suffix, SINKS[suffix]


def shape_of(values: np.ndarray | dict[str, np.ndarray] | list[np.ndarray]) -> tuple[Any, ...]:
    """What must be alike in all blocks: the shape of a row, the names of columns, or the axes of a sequence.

    >>> shape_of(np.zeros((5, 2))), shape_of([np.zeros((5, 3))])
    ((2,), ('steps', 3))
    """
    if isinstance(values, list):
        return ("steps", *values[0].shape[1:]) if values else ()
    return values.shape[1:] if isinstance(values, np.ndarray) else tuple(values)


def block_of(values: Any, place: str) -> np.ndarray | dict[str, np.ndarray] | list[np.ndarray]:
    """Values as an array with rows, as columns with names, or as sequences.

    >>> block_of([1, 2], "t.csv")
    array([[1],
           [2]])
    """
    if hasattr(values, "columns") and not isinstance(values, Mapping):
        import narwhals as nw

        frame = nw.from_native(values, eager_only=True)
        values = {str(column.name): column.to_numpy() for column in frame.iter_columns()}
    if isinstance(values, Mapping):
        columns = {str(name): np.asarray(column) for name, column in values.items()}
        if len({column.shape for column in columns.values()}) != 1 or any(c.ndim != 1 for c in columns.values()):
            raise DataError(f"{place}: columns of different lengths. Give one cell for each row.")
        return columns
    arrays = isinstance(values, list) and all(isinstance(row, np.ndarray) and row.ndim for row in values)
    if arrays and len({row.shape for row in values}) > 1:
        return list(values)
    array = np.asarray(values)
    if array.ndim == 0 or array.dtype.kind not in "biufU":
        raise DataError(f"{place}: {array.dtype} of shape {array.shape} are no rows of numbers.")
    return array[:, None] if array.ndim == 1 else array


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

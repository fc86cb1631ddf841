"""A path becomes a source: which kind of file it is, and where its labels lie."""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..core.errors import DataError
from .binary import NPY_MAGIC, is_idx, map_npy, open_idx, open_npy, open_npz
from .bounded import damaged, gunzip, open_file, size_of
from .cells import MixedTableError, NoSuchLabelError
from .columnar import ParquetSource, read_parquet
from .delimited import DelimitedSource
from .dialect import as_labels
from .pictures import SUFFIXES, is_picture, open_pictures, open_zip
from .source import Source
from .texts import TextSource
from .timeseries import SeriesSource

Opener = Callable[[BinaryIO, str, str | None], Source]

KINDS = (
    "csv, tsv, txt and ts (also .gz), parquet, npy, npz, IDX (also .gz), a folder, pattern or zip file of png "
    "and jpeg, and - for standard input"
)
TEXT = (".csv", ".tsv", ".txt", ".dat", ".data")
GZIP_MAGIC, ZIP_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
PICTURE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff")


def open_path(path: str | os.PathLike[str], *, label: str | None = None) -> Source:
    """Open the data at a path.

    Parameters
    ----------
    path : path
        A file, a folder of pictures, a pattern such as ``faces/*.png``, or ``-`` for standard input. What a
        file is shows in its suffix, or in its first bytes.
    label : str, optional
        Where the labels are: the name of a column (or of an array in an npz file), which is then no feature;
        or another file with one label a row (csv, npy, IDX).

    Returns
    -------
    Source
        Rows are read when they are asked for. ``labels`` holds the labels, ``paths`` the files of pictures,
        whose folders are the labels where none are given.

    Raises
    ------
    DataError
        If there is nothing, it is of no kind that can be read, or what it holds cannot be used.

    >>> open_path("song.mp3")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: song.mp3: No such file or directory. Give a file that can be read.
    """
    name = os.fspath(path)
    place = "standard input" if name == "-" else name
    if name != "-" and "\0" in name:
        raise DataError(f"{name!r}: no path holds a zero byte.")
    if name != "-" and Path(name).is_dir():
        root = Path(name)
        files = sorted(Path(folder, file) for folder, _, held in os.walk(root) for file in held)
        return _with_labels(lambda inside: open_pictures(files, root, place, inside), label)
    if glob.has_magic(name) and not Path(name).exists():
        return _with_labels(lambda inside: _open_pattern(name, place, inside), label)
    file, inner = _unpacked(open_file(name, place), name, place)
    try:
        opener = _opener(file, inner, place)
        source = _with_labels(lambda inside: opener(file, place, inside), label)
    except BaseException:
        file.close()
        raise
    if opener in (open_npy, open_npz, open_idx):
        file.close()  # what is mapped into memory needs it no more
    return source


def _open_pattern(pattern: str, place: str, label: str | None) -> Source:
    found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - any root
    if not found:
        raise DataError(f"{place}: nothing is called like this. Give a pattern of pictures, such as 'faces/*.png'.")
    others = [path for path in found if not is_picture(path.name) and path.is_file()]
    if len(others) == len(found) == 1:
        return open_path(found[0], label=label)
    folder = os.path.commonpath([path.parent for path in found])
    return open_pictures(found, Path(folder), place, label)


def _unpacked(file: BinaryIO, name: str, place: str) -> tuple[BinaryIO, str]:
    """The file itself, or what is inside a gzip file, and the name that tells its kind."""
    if file.read(2) != GZIP_MAGIC:
        if name.lower().endswith(".gz"):
            file.close()
            raise DataError(f"{place}: no gzip file, whatever it is called. Fetch it again, or rename it.")
        return file, name
    with file:
        return gunzip(file, place), name[:-3] if name.lower().endswith(".gz") else name


def _opener(file: BinaryIO, name: str, place: str) -> Opener:
    """What can open a file: told from its suffix, else from how it begins."""
    file.seek(0)
    head = file.read(8)
    if not head:
        raise DataError(f"{place}: the file is empty: Found array with 0 sample(s). Give one with rows.")
    low = Path(name).name.lower()
    suffix = Path(low).suffix
    if suffix == ".npy" or head.startswith(NPY_MAGIC):
        return open_npy
    if suffix == ".parquet" or head.startswith(PARQUET_MAGIC):
        return open_parquet
    if suffix == ".npz":
        return open_npz
    if suffix == ".zip" or head.startswith(ZIP_MAGIC):
        return open_npz if _holds_arrays(file, place) else open_zip
    if suffix == ".idx" or low.endswith("-ubyte") or ".idx" in low or is_idx(head):
        return open_idx
    if suffix == ".ts":
        return SeriesSource
    if suffix in SUFFIXES or head.startswith(PICTURE_MAGIC):
        return _open_picture(name)
    if suffix in TEXT or name == "-" or _looks_like_text(file):
        return open_delimited
    raise DataError(f"{place}: files of this kind are not read. Possible are {KINDS}.")


def open_parquet(file: BinaryIO, place: str, label: str | None) -> Source:
    """A Parquet file: streamed where it holds nothing but numbers, else read whole."""
    try:
        return ParquetSource(file, place, label=label)
    except MixedTableError:
        with file:
            return read_parquet(file, place, label)


def open_delimited(file: BinaryIO, place: str, label: str | None) -> Source:
    """A table as text: streamed where it holds nothing but numbers, else read whole."""
    try:
        return DelimitedSource(file, place, label=label)
    except MixedTableError:
        with file:
            return TextSource(file, place, label=label)


def _open_picture(name: str) -> Opener:
    def opener(file: BinaryIO, place: str, label: str | None) -> Source:
        file.close()
        path = Path(name)
        return open_pictures([path], path.parent, place, label)

    return opener


def _holds_arrays(file: BinaryIO, place: str) -> bool:
    file.seek(0)
    with damaged(place, "zip file"), zipfile.ZipFile(file) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())


def _looks_like_text(file: BinaryIO) -> bool:
    """Whether a file without a known suffix can be a table: text with a digit or a delimiter."""
    file.seek(0)
    head = file.read(4096)
    return not any(byte < 32 and byte not in b"\t\r\n\f" for byte in head) and any(c in head for c in b"0123456789,;\t")


def _with_labels(opener: Callable[[str | None], Source], label: str | None) -> Source:
    """Open with a label inside the data, else with one from a file of its own."""
    try:
        return opener(label)
    except NoSuchLabelError as error:
        if label is None or not Path(label).is_file():
            raise DataError(f"{str(error).rstrip('.')}; and no file is called {label!r} either.") from error
    source = opener(None)
    source.labels = read_labels(label, source.rows)
    return source


def read_labels(path: str | os.PathLike[str], rows: int) -> np.ndarray:
    """Read one label a row from a file: csv or text with one column, npy, or IDX.

    Parameters
    ----------
    path : path
        The file. In a text file a header line is told by there being one line more than rows.
    rows : int
        How many labels there must be.

    Raises
    ------
    DataError
        If there are more or fewer.

    >>> read_labels("no/such.npy", 3)
    Traceback (most recent call last):
    diabolo.core.errors.DataError: no/such.npy: No such file or directory. Give a file that can be read.
    """
    place = os.fspath(path)
    file, name = _unpacked(open_file(place, place), place, place)
    with file:
        opener = _opener(file, name, place)
        if opener is open_npy:
            labels = map_npy(file, place)
        elif opener is open_idx:
            labels = open_idx(file, place).read(0, rows + 1)
        elif size_of(file) < 1 << 30 and opener not in (open_npz, open_zip):
            labels = _text_labels(file, place, rows)
        else:
            raise DataError(f"{place}: labels are read from csv or text, npy and IDX files, one a row.")
    labels = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or labels.dtype.kind not in "biufU":
        raise DataError(
            f"{place}: {labels.dtype} of shape {labels.shape} are no labels. Give one number or text a row."
        )
    if len(labels) != rows:
        raise DataError(f"{place}: {len(labels)} labels for {rows} samples. Give one for each.")
    return labels


def _text_labels(file: BinaryIO, place: str, rows: int) -> np.ndarray:
    file.seek(0)
    try:
        lines = [line.strip().strip('"') for line in file.read().decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: byte {error.start} is no UTF-8. Save the labels as UTF-8 text.") from error
    while lines and not lines[-1]:
        lines.pop()
    return as_labels(lines[1:] if len(lines) == rows + 1 else lines)

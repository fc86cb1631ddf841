"""Arrays in files: npy, npz and IDX. They stay on disk, packed ones in a temporary file, and are mapped."""

from __future__ import annotations

import math
import struct
import tokenize
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from ..core.errors import DataError
from .bounded import damaged, size_of, unzip
from .cells import NoSuchLabelError, check_dtype, check_size, listed, short
from .memory import ArraySource, SparseSource
from .source import Source

NPY_MAGIC = b"\x93NUMPY"
#: The names under which an archive holds its samples, where it holds more than one array.
SAMPLES = ("X", "x", "data", "images")
#: The names under which it holds labels that nobody asked for: they color the report.
LABELS = ("y", "labels")
SPARSE = frozenset(["data", "indices", "indptr", "shape", "format"])
#: Bytes of an npy header: numpy's own limit, beyond which it asks for trust.
LONGEST_HEADER = 10_000
IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
NO_LABEL = "it has no columns with names; give the labels as a file of their own"


def open_npy(file: BinaryIO, place: str, label: str | None = None) -> Source:
    """Open an array written by ``numpy.save``.

    Parameters
    ----------
    file : file
        A real file, binary; it can be closed afterwards.
    place : str
        What to call the data in a message.
    label : str, optional
        Refused: an array has no names.

    Raises
    ------
    DataError
        If the header claims more than the file holds, the cells are pickled objects or no numbers, or there
        are none.

    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     np.save(file, np.eye(2))
    ...     source = open_npy(file, "eye.npy")
    >>> source.read(0, 1)
    array([[1., 0.]])
    """
    if label is not None:
        raise NoSuchLabelError(f"{place}: no label {label!r}: {NO_LABEL}.")
    return ArraySource(map_npy(file, place), place)


def map_npy(file: BinaryIO, place: str) -> np.ndarray:
    """Map the array of an npy file into memory, after its header has been held against the file's size."""
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header written by Python 2 is no reason to worry anyone
            shape, fortran, dtype = _npy_header(file)
    except (ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError) as error:
        raise DataError(f"{place}: damaged or no npy file: {short(str(error), 200)}. Write it again.") from error
    except (tokenize.TokenError, LookupError, EOFError, struct.error) as error:
        raise DataError(f"{place}: damaged or no npy file. Write it again with numpy.save.") from error
    if dtype.hasobject:
        raise DataError(f"{place}: its cells are pickled Python objects, which can run code; save it as numbers.")
    check_size(shape, place)
    offset, size = file.tell(), size_of(file)
    needed = math.prod(shape) * dtype.itemsize
    if offset + needed != size:
        raise DataError(
            f"{place}: its header tells of shape {shape}, {dtype}: {needed:,} bytes; {size - offset:,} are "
            "there. The file was cut or changed: write it again."
        )
    if dtype.kind not in "US":
        check_dtype(dtype, place)
    order: Any = "F" if fortran else "C"
    return np.memmap(file, dtype=dtype, mode="r", offset=offset, shape=shape, order=order)


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"format version {version} is not read; there are (1, 0) and (2, 0)")
    shape, fortran, dtype = read(file, max_header_size=LONGEST_HEADER)
    if any(not isinstance(size, int) or size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return tuple(shape), bool(fortran), dtype


def open_npz(file: BinaryIO, place: str, label: str | None = None) -> Source:
    """Open one array of an archive written by ``numpy.savez`` or ``scipy.sparse.save_npz``.

    Parameters
    ----------
    file : file
        Binary and seekable; it can be closed afterwards.
    place : str
        What to call the data in a message.
    label : str, optional
        The name of the array that holds the labels; without one, ``y`` or ``labels`` where it fits.

    Raises
    ------
    DataError
        If it is not clear which array is meant (all are named), or the archive is damaged or grows too much.

    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, X=np.eye(2), y=[0, 1])
    >>> source = open_npz(file, "eye.npz")
    >>> source.rows, source.labels
    (2, array([0, 1]))
    """
    with damaged(place, "npz file"), zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if label is not None and label not in names:
            raise NoSuchLabelError(f"{place}: no array is called {label!r}. There are {listed(names)}.")
        if set(names) >= SPARSE:
            source: Source = SparseSource(_sparse(archive, place), place)
        else:
            source = ArraySource(_member(archive, _samples(names, label, place), place), place)
        for name in [label] if label is not None else [name for name in LABELS if name in names]:
            _add_labels(source, _member(archive, name, place), f"{place}, {name}", asked=label is not None)
    return source


def _samples(names: Sequence[str], label: str | None, place: str) -> str:
    """Which array of an archive holds the samples."""
    known = [name for name in SAMPLES if name in names and name != label]
    others = [name for name in names if name != label and name not in LABELS]
    if len(others) == 1 or (not known and len(names) == 1):
        return others[0] if others else names[0]
    if known:
        return known[0]
    raise DataError(
        f"{place}: it is not clear which array is meant of {listed(names) or 'none'}. Call the samples X, "
        "or save them alone."
    )


def _member(archive: zipfile.ZipFile, name: str, place: str) -> np.ndarray:
    with unzip(archive, f"{name}.npy", place) as file:
        return map_npy(file, f"{place}, {name}")


def _add_labels(source: Source, labels: np.ndarray, place: str, *, asked: bool) -> None:
    if labels.shape in ((source.rows,), (source.rows, 1)) and labels.dtype.kind in "biufU":
        source.labels = np.array(labels.reshape(-1))
    elif asked:
        raise DataError(
            f"{place}: {labels.dtype} of shape {labels.shape} are no labels for {source.rows} samples. "
            "Give one number or text for each."
        )


def _sparse(archive: zipfile.ZipFile, place: str) -> Any:
    """The matrix of an archive that scipy wrote, held against itself before anything uses its indices."""
    from scipy import sparse

    kind = archive.read("format.npy")[-12:].replace(b"\0", b"").decode("ascii", "replace")
    makers = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix}
    maker = next((maker for name, maker in makers.items() if kind.endswith(name)), None)
    if maker is None:
        raise DataError(f"{place}: only csr and csc matrices are read; write it again with tocsr().")
    parts = [np.array(_member(archive, name, place)) for name in ("data", "indices", "indptr", "shape")]
    rows, columns = (int(size) for size in parts[3])
    check_size((rows, columns), place)
    if len(parts[2]) != (rows if maker is sparse.csr_matrix else columns) + 1:
        raise DataError(f"{place}: shape and pointers disagree. The file was cut or changed: write it again.")
    matrix = maker(tuple(parts[:3]), shape=(rows, columns))
    matrix.check_format(full_check=True)
    return matrix


def open_idx(file: BinaryIO, place: str, label: str | None = None) -> Source:
    """Open an IDX file, the format of MNIST: a type, the sizes of the axes, the numbers.

    Parameters
    ----------
    file : file
        A real file, binary; it can be closed afterwards.
    place : str
        What to call the data in a message.
    label : str, optional
        Refused: an IDX file has no names.

    Raises
    ------
    DataError
        If the header is none, or claims another size than the file has.

    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     _ = file.write(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9]))
    ...     source = open_idx(file, "t.idx")
    >>> source.read(0, 1)
    array([[7, 8, 9]], dtype=uint8)
    """
    if label is not None:
        raise NoSuchLabelError(f"{place}: no label {label!r}: {NO_LABEL}.")
    file.seek(0)
    head = file.read(4)
    if not is_idx(head):
        raise DataError(f"{place}: no IDX file: it begins with {head.hex(' ') or 'nothing'}, not with 00 00 08 03.")
    axes = head[3]
    sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise DataError(f"{place}: the IDX header ends early. The file was cut: fetch it again.")
    shape = struct.unpack(f">{axes}I", sizes)
    dtype = np.dtype(IDX_DTYPES[head[2]])
    needed, there = math.prod(shape) * dtype.itemsize, size_of(file) - file.tell()
    if needed != there:
        raise DataError(
            f"{place}: its header tells of shape {shape}, {dtype}: {needed:,} bytes; {there:,} are there. "
            "The file was cut or changed: fetch it again."
        )
    check_size(shape, place)
    return ArraySource(np.memmap(file, dtype=dtype, mode="r", offset=4 + 4 * axes, shape=shape), place)


def is_idx(head: bytes) -> bool:
    """Whether a file that begins so can be an IDX file.

    >>> is_idx(bytes([0, 0, 8, 3])), is_idx(b"1,2,")
    (True, False)
    """
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in IDX_DTYPES and 1 <= head[3] <= 32

"""Opening files that others wrote: nothing is unpacked or allocated on the word of a header alone."""

from __future__ import annotations

import contextlib
import errno
import gzip
import lzma
import os
import shutil
import stat
import struct
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, Protocol

from ..core.errors import DataError


class Readable(Protocol):
    """Whatever gives bytes."""

    def read(self, size: int, /) -> bytes:
        """Up to so many more bytes; none at the end."""


#: Whatever unpacks to less than this is let through.
ALWAYS = 64 << 20
#: Beyond it, unpacked bytes for each packed one. Real data stays under it; deflated zeros reach 1030.
RATIO = 500
#: What damaged packed files make the standard library raise.
DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


def check_growth(unpacked: int, packed: int, place: str) -> None:
    """Refuse what grows so much on unpacking that it can only be an accident or an attack.

    Parameters
    ----------
    unpacked, packed : int
        Bytes; for tables the unpacked bytes follow from rows times columns, never from what a file declares.
    place : str
        What to call the data in a message.

    >>> check_growth(10**6, 10, "small.gz")
    >>> check_growth(10**9, 10**6, "zeros.gz")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: zeros.gz: 1,000,000 bytes would become 1,000,000,000 or more, ...
    """
    if unpacked > ALWAYS and unpacked > RATIO * packed:
        raise DataError(
            f"{place}: {packed:,} bytes would become {unpacked:,} or more, {unpacked // max(packed, 1):,} "
            "times as "
            f"many; up to {RATIO} times are unpacked. If that is meant, unpack it yourself (as .npy) and "
            "give that."
        )


def hold(owner: object, file: IO[Any] | zipfile.ZipFile) -> None:
    """Close a file when the object that reads from it is gone.

    >>> class Owner: ...
    >>> owner, file = Owner(), tempfile.TemporaryFile()
    >>> hold(owner, file)
    >>> del owner
    >>> file.closed
    True
    """
    weakref.finalize(owner, file.close)


#: A full disk and a broken one are no fault of the data.
DISK = (errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", None))


@contextlib.contextmanager
def damaged(place: str, kind: str) -> Iterator[None]:
    """Turn what a damaged file makes the standard library raise into our own error.

    >>> with damaged("a.zip", "zip file"):
    ...     raise EOFError("no more")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: a.zip: damaged or no zip file: no more. Make or fetch the file again.
    """
    try:
        yield
    except DataError:
        raise
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno and error.errno in DISK:
            raise
        why = str(error).rstrip(".") or type(error).__name__
        raise DataError(f"{place}: damaged or no {kind}: {why}. Make or fetch the file again.") from error


def size_of(file: BinaryIO) -> int:
    """How many bytes an open file has; its position is put back.

    >>> import io
    >>> size_of(io.BytesIO(b"abc"))
    3
    """
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size


def spool(stream: Readable, place: str, packed: BinaryIO | None = None) -> BinaryIO:
    """Copy a stream to a temporary file, which the caller closes.

    Parameters
    ----------
    stream : file
        What to copy; of any length.
    place : str
        What to call the data in a message.
    packed : file, optional
        Where the stream is unpacked from: its growth is watched as it is written.

    >>> import io
    >>> with spool(io.BytesIO(b"1,2"), "the data") as file:
    ...     file.read()
    b'1,2'
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller
    try:
        written = 0
        while block := stream.read(1 << 20):
            written += len(block)
            if packed is not None:
                check_growth(written, packed.tell(), place)
            file.write(block)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def gunzip(file: BinaryIO, place: str) -> BinaryIO:
    """Unpack a gzip file into a temporary one, watching how it grows.

    >>> import io
    >>> with gunzip(io.BytesIO(gzip.compress(b"1,2")), "a.gz") as file:
    ...     file.read()
    b'1,2'
    """
    file.seek(0)
    with damaged(place, "gzip file"), gzip.GzipFile(fileobj=file) as stream:
        return spool(stream, place, file)


def open_file(path: str, place: str) -> BinaryIO:
    """Open a file for reading at any place; ``-``, pipes and devices are copied to a temporary file.

    Raises
    ------
    DataError
        If there is no such file or it may not be read.

    >>> open_file("no/such.csv", "no/such.csv")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: no/such.csv: No such file or directory. ...
    """
    if path == "-":
        if sys.stdin is None:
            raise DataError(f"{place}: it is closed. Give a file, or pipe the data in.")
        return spool(sys.stdin.buffer, place)
    try:
        file = open(path, "rb")  # noqa: SIM115, PTH123 - held by the source that reads it
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            with file:
                return spool(file, place)
    except OSError as error:
        raise DataError(f"{place}: {error.strerror or error}. Give a file that can be read.") from error
    except ValueError as error:
        raise DataError(f"{place}: {error}. Give a file that can be read.") from error
    return file


def unzip(archive: zipfile.ZipFile, name: str, place: str) -> BinaryIO:
    """Unpack one member of a zip file into a temporary file, watching how it grows."""
    info = archive.getinfo(name)
    check_growth(info.file_size, info.compress_size, f"{place}, {name}")
    with damaged(f"{place}, {name}", "member of a zip file"), archive.open(info) as stream:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller
        try:
            shutil.copyfileobj(stream, file, 1 << 20)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

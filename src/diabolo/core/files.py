"""The container of every model and checkpoint file, and files that are either old or new, never half.

A container is a valid safetensors file whose metadata holds a description and a digest of the whole file::

    file    = length (8 bytes, little-endian)  header (JSON, ASCII)  data (the tensors' bytes)
    header  = {"__metadata__": {"sha256": digest, "diabolo": description},
               name: {"dtype": ..., "shape": ..., "data_offsets": ...}, ...}
    digest  = SHA-256 of the file, in which the 64 characters of the digest are zeros

The digest lies at the same place in every file, so that it can be checked without parsing anything. The
header has one spelling only, which is matched piece by piece: a hostile one is refused at its first wrong
piece, before memory is taken for it. ``docs/format.md`` specifies the format on one page.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from diabolo.core.errors import ModelFileError

if TYPE_CHECKING:  # neither is imported with this module: `diabolo info` answers without them
    import numpy as np
    import torch

__all__ = [
    "FORMAT",
    "Container",
    "atomic",
    "read_container",
    "read_description",
    "verify_container",
    "write_container",
]

FORMAT = 1  # the newest version of the description that this code reads, and the one it writes

MAX_HEADER = 16 * 2**20  # bytes
MAX_TENSORS = 100_000
MAX_DIMENSIONS = 64  # as in numpy
MAX_VALUES = 250_000  # values in the description: they cost some 200 bytes each, arrays belong into tensors
MAX_DEPTH = 100  # of the description's nesting; the json module itself breaks near 1,000

_CHUNK = 2**20  # bytes read at a time

# safetensors' names of the types, and the names that numpy and torch share for them
_DTYPES = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "U16": ("uint16", 2),
    "I16": ("int16", 2),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "U32": ("uint32", 4),
    "I32": ("int32", 4),
    "F32": ("float32", 4),
    "U64": ("uint64", 8),
    "I64": ("int64", 8),
    "F64": ("float64", 8),
}
_CODES = {word: code for code, (word, _) in _DTYPES.items()}

_PREFIX = b'{"__metadata__":{"sha256":"'
_ZEROS = b"0" * 64
_DIGEST_START = 8 + len(_PREFIX)
_DIGEST_STOP = _DIGEST_START + len(_ZEROS)
_SMALLEST = _DIGEST_STOP + len(b'","diabolo":"{}"}}')

# Possessive quantifiers (++, *+) never go back: the patterns take linear time and no memory for retries.
_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_NUMBER = rb"(?:0|[1-9][0-9]{0,18})"
_METADATA = re.compile(rb'([0-9a-f]{64})","diabolo":(' + _TEXT + rb")\}")
_ENTRY = re.compile(
    rb",(" + _TEXT + rb'):\{"dtype":"([A-Z0-9_]{1,16})",'
    rb'"shape":\[((?:' + _NUMBER + rb"(?:," + _NUMBER + rb")*+)?+)\],"
    rb'"data_offsets":\[(' + _NUMBER + rb"),(" + _NUMBER + rb")\]\}"
)
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")

# What can fail while a file is written goes through these names, so that a test can make each of them fail.
_open = open
_fsync = os.fsync
_replace = os.replace

_DAMAGED = "Copy it again from where it came, or save the model again."
_FOREIGN = "Give a file that was written by diabolo's save."


class Container(NamedTuple):
    """What a container file holds.

    Parameters
    ----------
    description : dict
        The JSON object that says what the tensors are.
    tensors : dict of str to torch.Tensor
        On the CPU, each with writable memory of its own.

    >>> Container({"format": 1}, {}).description
    {'format': 1}
    """

    description: dict[str, Any]
    tensors: dict[str, torch.Tensor]


class _Entry(NamedTuple):
    name: str
    code: str
    shape: tuple[int, ...]
    start: int
    stop: int


class _Head(NamedTuple):
    description: str  # not parsed yet: first the digest
    entries: list[_Entry]
    digest: str
    running: Any  # SHA-256 over everything before the data
    data: int  # bytes that follow


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when it is complete and on the disk.

    If the block or the writing fails, the old file stays as it was and nothing is left behind. If the machine
    loses power, the name stands for the old file or the new one, each of them whole. A link is followed; the
    permissions of an existing file are kept.

    Parameters
    ----------
    path : str or path-like
        A regular file, or the name of one that does not exist yet, in a folder that exists.

    Yields
    ------
    file : binary file
        Open for writing and seeking.

    Raises
    ------
    OSError
        The folder is missing, the name is taken by something else than a file, the file is read-only, the
        disk is full, and so on. The old file is whole.

    Warns
    -----
    RuntimeWarning
        The file was written, but the disk did not confirm its new name.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "history.json"
    ...     with atomic(path) as file:
    ...         _ = file.write(b"[]")
    ...     path.read_bytes(), os.listdir(folder)
    (b'[]', ['history.json'])
    """
    target = Path(os.path.realpath(_name_of(path)))
    mode = _replaceable(target)
    # A part of the name is enough to recognize it: with all of it a long name would grow too long.
    temporary = target.with_name(f".{target.name[:40]}.{os.urandom(8).hex()}.tmp")
    try:
        with _open(temporary, "xb") as file:
            yield file
            file.flush()
            _fsync(file.fileno())
        if mode is not None:
            with suppress(OSError):  # not every file system has permissions
                temporary.chmod(mode)
        _replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target)


def _name_of(path: str | os.PathLike[str]) -> str:
    """A path as a word; what is none is refused."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path came as {path!r}; it must be the path of a file, such as 'model.safetensors'.")
    return os.fspath(path)


def _replaceable(target: Path) -> int | None:
    """Return the permissions of the file to be replaced, None if there is none; OSError if it must stay."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FileNotFoundError(
                errno.ENOENT, "There is no such folder to write to; create it first", os.fspath(target.parent)
            ) from None
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "This is a folder; name a file in it", os.fspath(target))
    if not stat.S_ISREG(mode):  # renaming over a device or a pipe would destroy it
        raise OSError(errno.EINVAL, "This is no regular file; name another one", os.fspath(target))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "This file is read-only; name another one", os.fspath(target))
    return stat.S_IMODE(mode)


def _sync_folder(target: Path) -> None:
    """Bring the new name to the disk.

    The new file is in place already, and to fail here would look as if the old one had stayed: it only warns.
    """
    if os.name == "nt":  # no folders can be opened there
        return
    try:
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            _fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM):
            warnings.warn(
                f"{target} is written, but its folder could not be synced ({error}): "
                "if the machine loses power now, the old file may come back.",
                RuntimeWarning,
                stacklevel=2,
            )


def write_container(
    path: str | os.PathLike[str],
    description: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor | np.ndarray],
) -> None:
    """Write a container: the file is complete, or the old one stays.

    The same description and tensors give the same bytes. Tensors that share memory are written one by one,
    each in full.

    Parameters
    ----------
    path : str or path-like
    description : mapping
        What JSON can hold, with strings as keys and ``description["format"]`` from 1 to `FORMAT`.
    tensors : mapping of str to torch.Tensor or numpy.ndarray
        Of any shape, device and strides; bool, integers, float16, bfloat16, float32 or float64.

    Raises
    ------
    TypeError, ValueError
        The description or a tensor cannot be held by a container; nothing was written.
    OSError
        As for `atomic`.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     write_container(path, {"format": 1, "kind": "model"}, {"bias": np.zeros(3)})
    ...     read_container(path)
    Container(description={'format': 1, 'kind': 'model'},
              tensors={'bias': tensor([0., 0., 0.], dtype=torch.float64)})
    """
    entries = _plan(tensors)
    head = _write_head(_write_description(description), entries)
    running = hashlib.sha256(head)
    try:
        with atomic(path) as file:
            file.write(head)
            for entry in entries:
                data = _bytes_of(tensors[entry.name])
                running.update(data)
                file.write(data)
            file.seek(_DIGEST_START)
            file.write(running.hexdigest().encode())
    except OSError as error:
        if error.filename is None:  # a write that fails does not say where
            error.filename = os.fspath(path)
        raise


def _plan(tensors: Mapping[str, torch.Tensor | np.ndarray]) -> list[_Entry]:
    """Say where each tensor will lie: wide types first, so that each is aligned, then by name."""
    if len(tensors) > MAX_TENSORS:
        raise ValueError(f"{len(tensors)} tensors came, a file holds at most {MAX_TENSORS}. Join some of them.")
    kinds = {name: _kind(name, tensor) for name, tensor in tensors.items()}
    start, entries = 0, []
    for name in sorted(kinds, key=lambda name: (-_DTYPES[kinds[name]][1], name)):
        shape = tuple(int(size) for size in tensors[name].shape)
        stop = start + prod(shape) * _DTYPES[kinds[name]][1]
        entries.append(_Entry(name, kinds[name], shape, start, stop))
        start = stop
    return entries


def _kind(name: str, tensor: torch.Tensor | np.ndarray) -> str:
    """Return safetensors' name of the tensor's type; refuse what a container cannot hold."""
    import numpy as np

    if not isinstance(name, str):
        raise TypeError(f"tensor {name!r}: names must be strings.")
    if name == "__metadata__" or not name.isascii():
        raise ValueError(f"tensor {name!r}: names must be ASCII, and not '__metadata__'. Rename it.")
    torch = sys.modules.get("torch")  # who has no torch imported has no tensors of it
    if isinstance(tensor, np.ndarray):
        word = tensor.dtype.name
    elif torch is not None and isinstance(tensor, torch.Tensor):
        if tensor.layout != torch.strided or tensor.is_meta:
            raise TypeError(f"tensor {name!r} is sparse or has no values. Make it dense (to_dense) first.")
        word = str(tensor.dtype).removeprefix("torch.")
    else:
        raise TypeError(f"tensor {name!r} is a {type(tensor).__name__}. Give a torch.Tensor or a numpy.ndarray.")
    if word not in _CODES:
        raise TypeError(f"tensor {name!r} is of type {word}. A file can hold {', '.join(sorted(_CODES))}.")
    if tensor.ndim > MAX_DIMENSIONS:
        raise ValueError(f"tensor {name!r} has {tensor.ndim} dimensions, a file allows {MAX_DIMENSIONS}.")
    return _CODES[word]


def _bytes_of(tensor: torch.Tensor | np.ndarray) -> memoryview:
    """Return the values row by row, little-endian."""
    import numpy as np

    if not isinstance(tensor, np.ndarray):
        import torch

        flat = tensor.detach().resolve_neg().cpu().contiguous().reshape(-1)
        return flat.view(torch.uint8).numpy().data
    little = np.asarray(tensor).astype(tensor.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(np.uint8).data


def _write_description(description: Mapping[str, Any]) -> str:
    """Return the description's one JSON text: sorted keys, no spaces, ASCII."""
    version = description.get("format")
    if type(version) is not int or not 1 <= version <= FORMAT:
        raise ValueError(f"description['format'] is {version!r}; it must be an integer from 1 to {FORMAT}.")
    try:
        text = json.dumps(dict(description), sort_keys=True, separators=(",", ":"), allow_nan=False)
        _check_text(text)
    except TypeError as error:
        raise TypeError(f"The description cannot be written as JSON: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The description cannot be written as JSON: {error}.") from None
    _check_keys(description)
    return text


def _check_keys(value: object) -> None:
    """Refuse keys that are no strings: JSON would turn them into strings silently."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"The description has the key {key!r}; JSON's keys are strings.")
            _check_keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_keys(inner)


def _write_head(description: str, entries: list[_Entry]) -> bytes:
    """Return everything before the data, with zeros as the digest."""
    parts = [_PREFIX.decode() + _ZEROS.decode() + '","diabolo":' + json.dumps(description) + "}"]
    parts += [
        f'{json.dumps(entry.name)}:{{"dtype":"{entry.code}","shape":[{",".join(map(str, entry.shape))}],'
        f'"data_offsets":[{entry.start},{entry.stop}]}}'
        for entry in entries
    ]
    header = (",".join(parts) + "}").encode("ascii")
    header += b" " * (-len(header) % 8)  # so that the data is aligned
    if len(header) > MAX_HEADER:
        raise ValueError(
            f"The description and the tensors' names take {len(header)} bytes, a file allows {MAX_HEADER}. "
            "Put long lists into tensors."
        )
    return len(header).to_bytes(8, "little") + header


def read_container(path: str | os.PathLike[str]) -> Container:
    """Read a container, of which every byte was checked.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    container : Container
        The description, and the tensors on the CPU, each with writable memory of its own.

    Raises
    ------
    ModelFileError
        The file is damaged, was tampered with, was made by a newer version, or is no container.
    FileNotFoundError
        There is no such file.
    MemoryError
        The tensors are larger than the memory.

    >>> read_container("no/such/model.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] There is no such model file: 'no/such/model.safetensors'
    """
    import torch

    with _reading(path) as (file, size):
        head = _read_head(file, size)
        tensors = {}
        for entry in head.entries:
            tensor = _allocate(entry.shape, getattr(torch, _DTYPES[entry.code][0]))
            memory = tensor.reshape(-1).view(torch.uint8).numpy().data
            for start in range(0, len(memory), _CHUNK):
                _read_into(memory[start : start + _CHUNK], file, head)
            tensors[entry.name] = tensor
        _check_digest(head)
        for entry in head.entries:
            # A bool of any other byte is neither true nor false: what torch does with it is undefined.
            if entry.code == "BOOL" and (tensors[entry.name].view(torch.uint8) > 1).any():
                raise ModelFileError(f"tensor {_short(entry.name)} holds bytes that are no bool. {_DAMAGED}")
        return Container(_read_description(head.description), tensors)


def read_description(path: str | os.PathLike[str], *, verify: bool = False) -> dict[str, Any]:
    """Read only what a container says about itself: a matter of a millisecond.

    Parameters
    ----------
    path : str or path-like
    verify : bool, default=False
        Check the digest, for which the whole file is read. Without it only the header is checked, and that
        the file is as long as the header says.

    Returns
    -------
    description : dict

    Raises
    ------
    ModelFileError, FileNotFoundError
        As for `read_container`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     write_container(path, {"format": 1, "estimator": "VAE"}, {})
    ...     read_description(path)
    {'estimator': 'VAE', 'format': 1}
    """
    with _reading(path) as (file, size):
        head = _read_head(file, size)
        if verify:
            memory = memoryview(bytearray(min(_CHUNK, head.data)))
            for start in range(0, head.data, _CHUNK):
                _read_into(memory[: head.data - start], file, head)
            _check_digest(head)
        return _read_description(head.description)


def verify_container(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Check every byte of a container, in little memory, and return its description.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    description : dict

    Raises
    ------
    ModelFileError, FileNotFoundError
        As for `read_container`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     write_container(path, {"format": 1, "estimator": "VAE"}, {})
    ...     damaged = path.read_bytes().replace(b"VAE", b"WAE")
    ...     _ = path.write_bytes(damaged)
    ...     verify_container(path)
    Traceback (most recent call last):
    diabolo.core.errors.ModelFileError: ...model.safetensors: its digest does not match: ...
    """
    return read_description(path, verify=True)


@contextmanager
def _reading(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file and give its size; whatever is wrong with its content is reported with its name."""
    name = _name_of(path)
    try:
        status = Path(name).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(errno.ENOENT, "There is no such model file", name) from None
    try:
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait forever
            raise ModelFileError(f"this is no file, but a folder or a device. {_FOREIGN}")
        with Path(name).open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except ModelFileError as error:
        raise ModelFileError(f"{name}: {error}") from None


def _read_head(file: BinaryIO, size: int) -> _Head:
    """Read and check everything before the data; at the end the file stands at the data."""
    if size < 8:
        raise ModelFileError(f"it has only {size} bytes. {_DAMAGED}")
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if length > min(MAX_HEADER, size - 8):
        raise ModelFileError(
            f"its header should have {length} bytes, where {min(MAX_HEADER, size - 8)} are possible: "
            f"it is no safetensors file, or it was cut off. {_FOREIGN}"
        )
    header = file.read(length)
    if not header.startswith(_PREFIX) or size < _SMALLEST:
        raise ModelFileError(_what_else(header))
    metadata = _METADATA.match(header, len(_PREFIX))
    if metadata is None or not header.isascii():
        raise ModelFileError(f"its metadata is not as diabolo writes it. {_DAMAGED}")
    entries = _read_entries(header, metadata.end(), size - 8 - length)
    try:
        description = json.loads(metadata[2].decode("ascii"))
    except ValueError:
        raise ModelFileError(f"its description is no JSON text. {_DAMAGED}") from None
    running = hashlib.sha256(first + _PREFIX + _ZEROS)
    running.update(memoryview(header)[len(_PREFIX) + len(_ZEROS) :])
    return _Head(description, entries, metadata[1].decode("ascii"), running, size - 8 - length)


def _what_else(header: bytes) -> str:
    """Say what a file may be that does not begin as a container."""
    if header.startswith(b"{") and (b'"data_offsets"' in header or b'"__metadata__"' in header):
        return (
            "it is a safetensors file, but no diabolo model: the description is missing, or another program "
            f"wrote the file again. {_FOREIGN}"
        )
    return f"it is no diabolo model. {_FOREIGN}"


def _read_entries(header: bytes, position: int, size: int) -> list[_Entry]:
    """Read where the tensors lie, from `position` of the header on; they must cover `size` bytes exactly."""
    entries: list[_Entry] = []
    names = {"__metadata__"}
    end = 0
    while (match := _ENTRY.match(header, position)) is not None:
        if len(entries) == MAX_TENSORS:
            raise ModelFileError(f"it has more than {MAX_TENSORS} tensors. {_FOREIGN}")
        entry = _read_entry(match)
        if entry.name in names:
            raise ModelFileError(f"the name {_short(entry.name)} comes twice. {_DAMAGED}")
        if entry.start != end:
            raise ModelFileError(f"tensor {_short(entry.name)} does not begin where the last one ended. {_DAMAGED}")
        names.add(entry.name)
        entries.append(entry)
        position, end = match.end(), entry.stop
    if header[position : position + 1] != b"}" or header[position + 1 :].strip(b" "):
        raise ModelFileError(f"its header is not as diabolo writes it, from byte {8 + position} on. {_DAMAGED}")
    if end != size:
        raise ModelFileError(
            f"{size} bytes of tensors are there, where the header says {end}: "
            f"{'it was cut off' if size < end else 'something was appended'}. {_DAMAGED}"
        )
    return entries


def _read_entry(match: re.Match[bytes]) -> _Entry:
    literal, code, sizes, start, stop = (group.decode("ascii") for group in match.groups())
    try:
        name = json.loads(literal)
    except ValueError:
        raise ModelFileError(f"a tensor's name is no JSON text. {_DAMAGED}") from None
    if code not in _DTYPES:
        raise ModelFileError(f"tensor {_short(name)} is of the unknown type {code}. Upgrade diabolo.")
    if sizes.count(",") >= MAX_DIMENSIONS:
        raise ModelFileError(f"tensor {_short(name)} has more than {MAX_DIMENSIONS} dimensions. {_DAMAGED}")
    shape = tuple(map(int, sizes.split(","))) if sizes else ()
    width = _DTYPES[code][1]
    # Strides are products of the sizes, of which those that are 0 count as 1: they must fit 63 bits as well.
    if prod(max(size, 1) for size in shape) * width >= 2**63:
        raise ModelFileError(f"tensor {_short(name)} has an impossible shape. {_DAMAGED}")
    if int(stop) - int(start) != prod(shape) * width:
        raise ModelFileError(f"tensor {_short(name)} takes another number of bytes than its shape. {_DAMAGED}")
    return _Entry(name, code, shape, int(start), int(stop))


def _read_into(memory: memoryview, file: BinaryIO, head: _Head) -> None:
    """Read the next bytes of the data, and take them into the digest while they are near the processor."""
    if file.readinto(memory) != len(memory):  # type: ignore[attr-defined]
        raise ModelFileError("it shrank while it was read. Read it again.")
    head.running.update(memory)


def _short(name: str) -> str:
    """Quote a name for a message; a hostile one may have millions of characters."""
    return repr(name if len(name) <= 80 else name[:77] + "...")


def _allocate(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    import torch

    try:
        return torch.empty(shape, dtype=dtype, device="cpu")
    except RuntimeError as error:
        raise MemoryError(f"A tensor of shape {shape} is larger than the free memory.") from error


def _check_digest(head: _Head) -> None:
    if head.running.hexdigest() != head.digest:
        raise ModelFileError(f"its digest does not match: the file is damaged or was changed. {_DAMAGED}")


def _check_text(text: str) -> None:
    """Raise ValueError if parsing the JSON text could take much memory or recurse deeply."""
    outline = _STRING.sub("", text)
    values = outline.count(",") + outline.count("[") + outline.count("{")
    if values > MAX_VALUES:
        raise ValueError(f"it has some {values} values, where {MAX_VALUES} are allowed; long lists belong into tensors")
    depth = 0
    for bracket in _BRACKET.finditer(outline):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _read_description(text: str) -> dict[str, Any]:
    try:
        _check_text(text)
        description = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except ValueError as error:
        raise ModelFileError(f"its description is not as diabolo writes it: {error}. {_DAMAGED}") from None
    if not isinstance(description, dict):
        raise ModelFileError(f"its description is no JSON object. {_DAMAGED}")
    version = description.get("format")
    if type(version) is not int or version < 1:
        raise ModelFileError(f"its description names no format version. {_DAMAGED}")
    if version > FORMAT:
        raise ModelFileError(
            f"it was made by a newer version of diabolo (format {version}, this one reads up to {FORMAT}). "
            "Upgrade diabolo: pip install --upgrade diabolo"
        )
    return description


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON")

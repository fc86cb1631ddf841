"""Named data sets: one ships with scikit-learn, the others are looked up, or downloaded and checked."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import hashlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import DataError
from .bounded import DAMAGED, damaged
from .files import open_path
from .memory import ArraySource
from .source import Source

#: No file of these sets is larger: what goes on beyond it is not what was asked for.
MOST_BYTES = 64 << 20
#: Seconds without an answer, and for one file in all.
TIMEOUT, DEADLINE = 20, 300


@dataclass(frozen=True)
class Remote:
    """A set of IDX files that others serve.

    Attributes
    ----------
    folder : str
        Its name, and that of its folder.
    mirrors : tuple of str
        Where its files are, tried in turn.
    packed : bool
        Whether the digests are those of the ``.gz`` files; else of what is in them, since mirrors pack anew.
    digests : dict
        The SHA-256 of each file.
    """

    folder: str
    mirrors: tuple[str, ...]
    packed: bool
    digests: dict[str, str]


PARTS = {"": "train", ":test": "t10k"}
REMOTES = {
    "mnist": Remote(
        "mnist",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        False,
        {
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion-mnist": Remote(
        "fashion-mnist",
        (
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        True,
        {
            "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
}


def names() -> list[str]:
    """The sets that :func:`open_named` knows.

    >>> names()
    ['digits', 'fashion-mnist', 'fashion-mnist:test', 'mnist', 'mnist:test']
    """
    return sorted(["digits", *(name + part for name in REMOTES for part in PARTS)])


def open_named(name: str) -> Source:
    """Open a data set by its name.

    Parameters
    ----------
    name : str
        ``digits`` (1,797 pictures of 8 x 8, values 0 to 16, at hand with scikit-learn), ``mnist`` and
        ``fashion-mnist`` (60,000 of 28 x 28), each with ``:test`` for its 10,000 others. The latter two are
        looked for in ``$DIABOLO_DATA``, then in the user's cache, and else downloaded into it, with their
        SHA-256 checked.

    Returns
    -------
    Source
        Pictures of uint8, with their labels.

    Raises
    ------
    DataError
        If there is no set of this name, or it is neither at hand nor to be had: the message tells where to
        put it.

    >>> source = open_named("digits")
    >>> source.rows, source.shape, source.dtype, source.maximum
    (1797, (8, 8), dtype('uint8'), 16.0)
    """
    if name not in names():
        close = difflib.get_close_matches(name, names(), 1)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise DataError(f"No data set is called {name!r}; there are {', '.join(names())}.{meant}")
    if name == "digits":
        return _digits()
    remote = REMOTES[name.split(":")[0]]
    part = PARTS[name[len(remote.folder) :]]
    images = open_path(_find(remote, f"{part}-images-idx3-ubyte"))
    labels = open_path(_find(remote, f"{part}-labels-idx1-ubyte"))
    if images.shape != (28, 28) or labels.shape != () or labels.rows != images.rows:
        raise DataError(
            f"{name}: {images.place} and {labels.place} do not belong together: {images.rows} samples of "
            f"shape {images.shape}, {labels.rows} labels. Remove them, to have them fetched again."
        )
    images.labels = np.array(labels.read(0, labels.rows))
    images.place = name
    return images


def _digits() -> Source:
    from sklearn.datasets import load_digits

    held = load_digits()
    source = ArraySource(held.images.astype(np.uint8), "digits", labels=held.target)
    source.maximum = 16.0
    return source


def cache_folder() -> Path:
    """Where downloaded sets are kept: ``$XDG_CACHE_HOME/diabolo``, else ``~/.cache/diabolo``.

    >>> cache_folder().name
    'diabolo'
    """
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "diabolo"


def _find(remote: Remote, file: str) -> Path:
    folders = [cache_folder() / remote.folder]
    given = os.environ.get("DIABOLO_DATA")
    if given:
        # The two sets call their files alike: those beside the folders are taken for MNIST's.
        beside = [Path(given)] if remote.folder == "mnist" else []
        folders = [Path(given) / remote.folder, *beside, *folders]
    for folder in folders:
        for name in (f"{file}.gz", file):
            if (folder / name).is_file():
                return folder / name
    return _download(remote, file, cache_folder() / remote.folder)


def _download(remote: Remote, file: str, folder: Path) -> Path:
    """Fetch a file into the cache; it gets its name only when its digest agrees."""
    import http.client  # the two are slow to import, and seldom needed

    why = []
    for mirror in remote.mirrors:
        url = f"{mirror}{file}.gz"
        part = folder / f".{file}.{secrets.token_hex(4)}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(_fetch(url))
            if _digest(part, remote.packed) != remote.digests[file]:
                raise DataError("what came has another SHA-256")
            part.replace(folder / f"{file}.gz")
            return folder / f"{file}.gz"
        except (*DAMAGED, DataError, http.client.HTTPException) as error:
            why.append(f"{url}: {error}")
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    files = " and ".join(f"{name}.gz" for name in remote.digests if name.split("-")[0] == file.split("-")[0])
    raise DataError(
        f"{remote.folder}: not found, and not to be downloaded ({'; '.join(why)}). Put {files} into "
        f"$DIABOLO_DATA/{remote.folder} or {folder}."
    )


def _fetch(url: str) -> bytes:
    import urllib.request

    end = time.monotonic() + DEADLINE
    blocks: list[bytes] = []
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        while block := answer.read(1 << 18):
            blocks.append(block)
            if sum(map(len, blocks)) > MOST_BYTES:
                raise DataError(f"more than {MOST_BYTES:,} bytes came")
            if time.monotonic() > end:
                raise DataError(f"it took more than {DEADLINE} seconds")
    return b"".join(blocks)


def _digest(path: Path, packed: bool) -> str:
    digest, length = hashlib.sha256(), 0
    with damaged(str(path), "gzip file"), path.open("rb") if packed else gzip.open(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            length += len(block)
            if length > MOST_BYTES:
                raise DataError(f"more than {MOST_BYTES:,} bytes are in it")
    return digest.hexdigest()

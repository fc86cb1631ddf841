"""Pictures in a folder, behind a pattern or in a zip file: one sample each, all of one size and mode."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np

from ..core.errors import DataError, MissingPackageError
from .bounded import DAMAGED, check_growth, damaged, hold
from .cells import NoSuchLabelError, stretch
from .source import Source

SUFFIXES = (".png", ".jpg", ".jpeg")
#: Pixels of one picture; a header that claims more is refused before anything is decoded.
MOST_PIXELS = 1 << 25
#: Pillow's modes, and what their pictures are read as.
MODES = {
    "1": "L",
    "L": "L",
    "LA": "RGBA",
    "P": "RGB",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "I": "I;16",
    "I;16": "I;16",
    "I;16B": "I;16",
}
CHANNELS = {"L": (), "I;16": (), "RGB": (3,), "RGBA": (4,)}
WORDS = {"L": "gray", "I;16": "16-bit gray", "RGB": "color", "RGBA": "color with transparency"}


class PictureSource(Source):
    """One picture a row, decoded when it is read.

    Gray ones are read as ``(height, width)``, colored ones as ``(height, width, 3)``, of uint8; 16-bit gray
    ones as uint16. Where each lies in a folder of its class, the folders' names are the labels.

    Parameters
    ----------
    names : sequence of str
        What the pictures are called, in the order of the rows.
    load : callable
        Gives an open binary file for the position of a name.
    place : str
        What to call the data in a message.

    Raises
    ------
    DataError
        If there are none, or one is damaged, too large, or of another size or mode than the first; it is
        named.
    MissingPackageError
        Without Pillow.

    >>> import io
    >>> from PIL import Image
    >>> def load(at):
    ...     file = io.BytesIO()
    ...     Image.new("L", (3, 2), color=at).save(file, "png")
    ...     return file
    >>> source = PictureSource(["0.png", "1.png"], load, "pictures")
    >>> source.shape, source.read(1, 2).max()
    ((2, 3), np.uint8(1))
    """

    def __init__(self, names: Sequence[str], load: Callable[[int], BinaryIO], place: str) -> None:
        try:
            import PIL.Image  # noqa: F401 - only whether it is there
        except ImportError as error:
            raise MissingPackageError("pillow", "image", "reading pictures") from error
        if not names:
            raise DataError(f"{place}: no pictures in it. Give {', '.join(SUFFIXES)} files.")
        self.place, self._names = place, tuple(names)
        self.paths = self._names
        self._load = load
        self.rows = len(names)
        (width, height), self._mode = self._header(0)
        for at in range(1, self.rows):
            if self._header(at) != ((width, height), self._mode):
                self._refuse_other(at, (width, height))
        self.shape = (height, width, *CHANNELS[self._mode])
        self.dtype = np.dtype(np.uint16 if self._mode == "I;16" else np.uint8)
        self.labels = class_names(self._names)

    def _header(self, at: int) -> tuple[tuple[int, int], str]:
        return self._picture(at, lambda picture: (picture.size, self._mode_of(picture, at)))

    def _mode_of(self, picture: Any, at: int) -> str:
        mode = MODES.get(picture.mode)
        if mode is None:
            raise DataError(f"{self._name(at)}: pictures of mode {picture.mode} are not read; save it as RGB or gray.")
        return "RGBA" if mode == "RGB" and "transparency" in picture.info else mode

    def _refuse_other(self, at: int, size: tuple[int, int]) -> None:
        other, mode = self._header(at)
        raise DataError(
            f"{self._name(at)} is {other[0]} x {other[1]} pixels, {WORDS[mode]}, where {self._names[0]} is "
            f"{size[0]} x {size[1]}, {WORDS[self._mode]}. Bring all to one size and mode, or cut crops of "
            "one size."
        )

    def _name(self, at: int) -> str:
        return f"{self.place}, {self._names[at]}"

    def _picture(self, at: int, use: Callable[[Any], Any]) -> Any:
        """Open a picture, whose pixels are decoded only if used, and turn what goes wrong into our error."""
        from PIL import Image, UnidentifiedImageError

        try:
            with warnings.catch_warnings(), self._load(at) as file:
                warnings.simplefilter("ignore")  # such as those of large pictures: our own limit is below
                with Image.open(file, formats=("PNG", "JPEG")) as picture:
                    if picture.width * picture.height > MOST_PIXELS:
                        raise DataError(
                            f"{self._name(at)}: {picture.width} x {picture.height} pixels; up to "
                            f"{MOST_PIXELS:,} are decoded. Cut it into smaller ones."
                        )
                    return use(picture)
        except DataError:
            raise
        except Image.DecompressionBombError as error:
            # Pillow's own limit, which lies above ours, speaks up while the header is read.
            raise DataError(
                f"{self._name(at)}: {str(error).split(', could')[0]}; up to {MOST_PIXELS:,} are decoded. Cut it "
                "into smaller ones."
            ) from error
        except (*DAMAGED, SyntaxError, TypeError, LookupError, MemoryError) as error:
            why = "it is no png or jpeg" if isinstance(error, UnidentifiedImageError) else str(error)
            raise DataError(f"{self._name(at)}: damaged: {why}. Remove it or fetch it again.") from error

    def _pixels(self, picture: Any) -> np.ndarray:
        if self._mode == "I;16":
            return np.asarray(picture).astype(np.uint16)
        return np.asarray(picture if picture.mode == self._mode else picture.convert(self._mode))

    def read(self, start: int, stop: int) -> np.ndarray:
        start, stop = stretch(start, stop, self.rows)
        values = np.empty((stop - start, *self.shape), self.dtype)
        for at in range(start, stop):
            pixels = self._picture(at, self._pixels)
            if pixels.shape != self.shape:
                raise DataError(f"{self._name(at)}: it was changed while it was being read. Open it again.")
            values[at - start] = pixels
        return values


def open_pictures(files: Sequence[Path], root: Path, place: str, label: str | None = None) -> PictureSource:
    """Open picture files, sorted by name so that 2 comes before 10.

    >>> open_pictures([], Path(), "empty/")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: empty/: no pictures in it. Give .png, .jpg, .jpeg files.
    """
    _refuse_label(label, place)
    found = sorted((path for path in files if is_picture(path.name)), key=lambda path: natural(path.as_posix()))
    names = [path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path) for path in found]
    return PictureSource(names, lambda at: found[at].open("rb"), place)


def open_zip(file: BinaryIO, place: str, label: str | None = None) -> PictureSource:
    """Open the pictures of a zip file, which is kept open while the source lives.

    >>> import io
    >>> file = io.BytesIO()
    >>> zipfile.ZipFile(file, "w").close()
    >>> open_zip(file, "empty.zip")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: empty.zip: no pictures in it. Give .png, .jpg, .jpeg files.
    """
    _refuse_label(label, place)
    with damaged(place, "zip file"):
        archive = zipfile.ZipFile(file)
    members = [info for info in archive.infolist() if is_picture(info.filename)]
    members.sort(key=lambda info: natural(info.filename))
    for info in members:
        check_growth(info.file_size, info.compress_size, f"{place}, {info.filename}")

    def load(at: int) -> BinaryIO:
        # A stream, not the bytes: what follows a small header may be large, and is not needed to know the size.
        return cast("BinaryIO", archive.open(members[at]))

    source = PictureSource([info.filename for info in members], load, place)
    hold(source, archive)
    hold(source, file)
    return source


def _refuse_label(label: str | None, place: str) -> None:
    if label is not None:
        raise NoSuchLabelError(f"{place}: no label {label!r}: pictures have no columns; give a file of labels.")


def is_picture(name: str) -> bool:
    """Whether a file's name is one of a picture that is meant to be seen.

    >>> is_picture("a/1.PNG"), is_picture("__MACOSX/a/._1.png"), is_picture("labels.csv")
    (True, False, False)
    """
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in SUFFIXES and not hidden


def natural(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts names as people count: 2 before 10.

    >>> sorted(["a10", "a2", "a1"], key=natural)
    ['a1', 'a2', 'a10']
    """
    # Each piece carries its kind, so that a number is never compared with a text.
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in re.split(r"(\d+)", name)]


def class_names(paths: Sequence[str]) -> np.ndarray | None:
    """The folder each picture lies in, where every one lies in a folder and there are several.

    >>> class_names(["cat/1.png", "dog/1.png"])
    array(['cat', 'dog'], dtype='<U3')
    """
    folders = [PurePosixPath(path).parent.name for path in paths]
    return np.array(folders) if all(folders) and len(set(folders)) > 1 else None

"""Pictures as PNG data URIs, made without any picture library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

WARM, COOL, GRAY = (214, 84, 28), (38, 120, 214), (128, 128, 138)
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def png(pixels: np.ndarray) -> bytes:
    """Encode (height, width) or (height, width, 1 to 4 channels) of uint8.

    >>> png(np.zeros((2, 3), dtype=np.uint8))[1:4]
    b'PNG'
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0)
    rows = np.ascontiguousarray(pixels, dtype=np.uint8).reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), dtype=np.uint8), rows], axis=1)
    body = zlib.compress(lines.tobytes(), 9)
    pieces = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in pieces
    )


def data_uri(pixels: np.ndarray) -> str:
    """A picture as a text that a page can hold.

    >>> data_uri(np.zeros((1, 1), dtype=np.uint8))[:22]
    'data:image/png;base64,'
    """
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def visible(values: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Pictures ``(..., channels)`` in the network's units as uint8 with 1 (gray), 3 (RGB) or 4 channels.

    >>> visible(np.array([[[0.0], [0.5], [2.0]]]))[..., 0].tolist()
    [[0, 128, 255]]
    """
    if values.shape[-1] not in COLOR_TYPES or values.shape[-1] == 2:
        values = values.mean(-1, keepdims=True)
    spread = (high - low) or 1.0
    scaled = np.nan_to_num((values - low) / spread, nan=0.5)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def diverging(values: np.ndarray, largest: float) -> np.ndarray:
    """Signed values as RGBA: warm above zero, cool below, the paper's own color at zero.

    >>> diverging(np.array([[1.0, 0.0, -1.0]]), 1.0)[..., 3].tolist()
    [[255, 0, 255]]
    """
    values = np.nan_to_num(values)
    painted = np.empty((*values.shape, 4), dtype=np.uint8)
    painted[..., :3] = np.where((values > 0)[..., None], np.array(WARM), np.array(COOL))
    painted[..., 3] = np.rint(np.clip(np.abs(values) / (largest or 1.0), 0, 1) * 255)
    return painted


def sequential(values: np.ndarray, largest: float, color: tuple[int, int, int] = COOL) -> np.ndarray:
    """Values from zero up as RGBA: the paper's own color at zero, the full color at the largest.

    >>> sequential(np.array([[0.0, 2.0]]), 2.0)[..., 3].tolist()
    [[0, 255]]
    """
    painted = diverging(np.abs(values), largest)
    painted[..., :3] = color
    return painted


def shrink(pictures: np.ndarray, largest: int) -> np.ndarray:
    """Pictures (n, height, width, channels) made small enough by averaging whole blocks of pixels.

    >>> shrink(np.ones((2, 9, 8, 1)), 4).shape
    (2, 3, 3, 1)
    """
    n, height, width, channels = pictures.shape
    step = -(-max(height, width) // largest)
    if step == 1:
        return pictures
    tall, wide = -(-height // step), -(-width // step)
    padding = ((0, 0), (0, tall * step - height), (0, wide * step - width), (0, 0))
    blocks = np.pad(pictures, padding, mode="edge").reshape(n, tall, step, wide, step, channels)
    shrunk: np.ndarray = blocks.mean((2, 4)).astype(pictures.dtype)
    return shrunk


def contact_sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (n, height, width, channels) side by side in one, ``columns`` to a line.

    >>> contact_sheet(np.zeros((5, 2, 3, 1)), 2).shape
    (6, 6, 1)
    """
    n, height, width, channels = pictures.shape
    lines = -(-n // columns)
    sheet = np.zeros((lines * columns, height, width, channels), dtype=pictures.dtype)
    sheet[:n] = pictures
    tiled: np.ndarray = sheet.reshape(lines, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return tiled.reshape(lines * height, columns * width, channels)

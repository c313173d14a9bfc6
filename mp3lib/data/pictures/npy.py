"""Pictures as arrays of NumPy, one in each ``.npy``: (H, W, c), (c, H, W), or (H, W) for one channel.

A file is read as numbers alone, never as objects, and its header is checked against its length before that.
"""

from __future__ import annotations

import io
import math
import threading
from typing import NamedTuple

import numpy as np

from . import decode

MAGIC = b"\x93NUMPY"
KINDS = ("u1", "u2", "f2", "f4", "f8")  # uint8, uint16, float16, float32, float64
MOST = 16  # channels
HEADER = 1 << 14  # bytes that are enough for a header: NumPy itself takes 10,000 at most
# NumPy reads a header with Python's own parser, which two threads may not enter at the same time: Python 3.11 then says
# "AST constructor recursion depth mismatch" (https://github.com/python/cpython/issues/106905)
_parser = threading.Lock()


def is_npy(name: str) -> bool:
    return name.lower().endswith(".npy")


class Stored(NamedTuple):
    """What the header of a file says."""

    shape: tuple[int, ...]
    dtype: np.dtype
    axis: int | None  # of the channels; None: there is none
    begin: int  # byte at which the values begin
    order: str  # "F" if the first axis changes fastest, else "C"


def described(beginning: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int] | str:
    """What the header of a file says: shape, whether the first axis changes fastest, type, and where the values begin.

    Or why it cannot be read, without a full stop.
    """
    file = io.BytesIO(beginning)
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            return f"its format has the version {version[0]}.{version[1]}, not 1.0 or 2.0"
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with _parser:
            return *read(file), file.tell()
    except Exception as error:  # a damaged header raises many kinds
        return f"its header is damaged: {' '.join(str(error).split())[:120]}"


def may_be_picture(beginning: bytes) -> bool:
    """Whether an array whose file begins so has the axes and the kind of values of a picture, with any channels."""
    held = described(beginning)
    return not isinstance(held, str) and len(held[0]) in (2, 3) and held[2].str[1:] in KINDS


def header(beginning: bytes, size: int, channels: int, value_range: tuple[float, float] | None) -> Stored | str:
    """What a file holds, or why that cannot be used, without a full stop.

    Args:
        beginning: the first ``HEADER`` bytes, or all.
        size: of the file in bytes.
        channels: that are wanted.
        value_range: which values become 0 and 255.
    """
    held = described(beginning)
    if isinstance(held, str):
        return held
    shape, first_fastest, kind, begin = held
    if kind.str[1:] not in KINDS:
        return f"it holds {kind}: uint8, uint16, float16, float32 or float64 can be read"
    said = math.prod(shape) * kind.itemsize + begin
    words = f"it has the shape {tuple(shape)}"
    if not shape or any(isinstance(side, bool) or side < 1 for side in shape):
        return f"{words}, which is not a picture"
    if said != size:
        return f"{words} of {kind}, which is {said:,} bytes, and the file has {size:,}"
    if len(shape) == 4:
        return f"{words}, of several pictures: load_images(np.load(file, mmap_mode='r')) takes uint8 (N, c, H, W)"
    axis = [axis for axis in (0, 2) if len(shape) == 3 and shape[axis] == channels]
    if len(axis) > 1:
        return f"{words}, so it is open which axis has the {channels} channels"
    if not axis and not (len(shape) == 2 and channels == 1):
        return f"{words}, and {channels} channels are wanted: channels= (--channels) says how many it has"
    if math.prod(shape) // channels > decode.LARGEST:
        return f"{words}; at most {decode.LARGEST / 1e6:.0f} million pixels are read"
    if kind.str[1:] != "u1" and value_range is None:
        return f"values of {kind} need value_range=(low, high) (--value-range): these become 0 and 255"
    return Stored(tuple(shape), kind, axis[0] if axis else None, begin, "F" if first_fastest else "C")


def pixels_of(data: bytes, channels: int, value_range: tuple[float, float] | None) -> tuple[np.ndarray, float] | str:
    """The picture in a file, uint8 (c, H, W), and the share of its values outside the range; or why there is none.

    Args:
        data: the content of the file.
        channels: that are wanted.
        value_range: the values that become 0 and 255; those below and above do so, too. Values of uint8 stay.
    """
    stored = header(data[:HEADER], len(data), channels, value_range)
    if isinstance(stored, str):
        return stored
    values = np.frombuffer(data, stored.dtype, offset=stored.begin).reshape(stored.shape, order=stored.order)
    values = values[None] if stored.axis is None else np.moveaxis(values, stored.axis, 0)
    if stored.dtype == np.uint8:
        return np.array(values, order="C"), 0.0
    pixels, outside = np.empty(values.shape, dtype=np.uint8), 0
    for row, band in zip(pixels, values, strict=True):  # each by itself, because it takes eight bytes a value here
        if not np.isfinite(band).all():
            return "it holds values that are not finite: replace them"
        row[...] = decode.scaled(band, *value_range)[0]
        outside += int(((band < value_range[0]) | (band > value_range[1])).sum())
    return pixels, outside / pixels.size

"""From what a file or a data set holds, bytes, a Pillow image or an array, to pixels. And the pictures in files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..crops import Crop
from ..files.entries import LARGEST_FILE, Entry, instead_of, readable
from . import corrections, decode, npy


def pixels_of_content(
    contents: Any,
    index: int,
    size: tuple[int, int],
    channels: int = 3,
    value_range: tuple[float, float] | None = None,
    crop: Crop | None = None,
) -> np.ndarray | str:
    """Pixels uint8 (c, h, w) of an element of a data set of pictures, or why there are none."""
    picture = picture_in(contents, index, size, channels, value_range, crop)
    if isinstance(picture, str):
        return picture
    pixels = decode.scaled(picture.deep, *value_range) if picture.pixels is None else picture.pixels
    return np.ascontiguousarray(pixels)


def picture_in(
    contents: Any,
    index: int,
    size: tuple[int, int],
    channels: int = 3,
    value_range: tuple[float, float] | None = None,
    crop: Crop | None = None,
) -> decode.Picture | str:
    """The decoded picture of an element of a data set, or why there is none."""
    try:
        content = contents[index]
    except OSError as error:
        return f"it cannot be opened: {error.strerror or error}"
    except Exception as error:  # the data set is somebody else's program
        whose = type(getattr(contents, "dataset", contents)).__name__
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"element {index} of the {whose} cannot be read ({reason})") from error
    picture = picture_of(content, size, crop, channels, value_range)
    if isinstance(picture, str):
        return picture
    if picture.pixels is None and value_range is None:
        return "its values have more than 8 bits: load_images(…, value_range=(low, high)) says which become 0 and 255"
    number = 3 if picture.pixels is None else len(picture.pixels)
    if number != channels:
        return f"it has {number} channels instead of {channels}{axes_hint(content, channels)}"
    return picture


def axes_hint(content: Any, channels: int) -> str:
    """What to do with an array that has the channels in its last axis; empty for anything else."""
    shape = getattr(content, "shape", ())
    if len(shape) != 3 or shape[2] != channels:
        return ""
    return f", and the shape {tuple(shape)} looks like (H, W, c): the axes must be (c, H, W), as permute(2, 0, 1) gives"


def picture_of(
    content: Any,
    size: tuple[int, int],
    crop: Crop | None = None,
    channels: int = 3,
    value_range: tuple[float, float] | None = None,
) -> decode.Picture | str:
    """The decoded picture of a file's bytes, a Pillow image or an array; or why there is none, without a full stop.

    ``channels`` and ``value_range`` are for the bytes of an array; see ``npy``.
    """
    if isinstance(content, str):
        return content  # a reason
    if content is None:
        return "no picture"
    if not isinstance(content, bytes):
        return pixels_in(content, size, crop)
    if reason := unusual(content):
        return reason
    if content.startswith(npy.MAGIC):
        stored = npy.pixels_of(content, channels, value_range)
        if isinstance(stored, str):
            return stored
        picture = pixels_in(stored[0], size, crop)
        return picture if isinstance(picture, str) else picture._replace(cut=stored[1])
    result = decode.try_decode(content, size, crop)
    return decode.reason(result).rstrip(".") if isinstance(result, Exception) else result


def unusual(data: bytes) -> str:
    """Why the bytes of a file cannot be a picture; empty where they can."""
    return instead_of(data[:512]) if data else "the file is empty"


def pixels_in(content: Any, size: tuple[int, int], crop: Crop | None) -> decode.Picture | str:
    """The same for what is decoded already: a Pillow image, or uint8 pixels (c, h, w)."""
    if isinstance(content, Image.Image):
        if reason := fault_of(content):
            return reason
        try:
            return decode.fitted(content, content.format, size, crop)
        except decode.NotFinite as error:
            return decode.reason(error).rstrip(".")
    if isinstance(content, torch.Tensor):
        content = content.numpy()
    if not isinstance(content, np.ndarray) or content.dtype != np.uint8 or content.ndim != 3 or not content.size:
        held = f"{content.dtype} {content.shape}" if isinstance(content, np.ndarray) else type(content).__name__
        return f"a picture must be bytes, a Pillow image or uint8 (c, H, W), got {held}"
    if crop is None and content.shape[1:] == size:
        return decode.Picture(content, None)
    bands = [np.asarray(decode.fit_picture(Image.fromarray(band), size, crop)) for band in content]
    return decode.Picture(np.stack(bands), None)


def fault_of(picture: Image.Image) -> str:
    """Why the values of a Pillow image would come out wrong; it may be loaded already. Empty where they do not."""
    if corrections.disordered(picture):
        return "Pillow does not follow the order of the bytes in this TIFF: give the bytes of the file"
    return corrections.fault(picture).rstrip(".")


def on_disk(entry: Entry) -> bool:
    """Whether the bytes of a file can be read from disk by any process."""
    return entry.path is not None or entry.inside is not None


class PictureFiles:
    """The bytes of pictures in files, or in plain tars. Small, and quick to send to another process.

    Args:
        entries: files for which ``on_disk`` holds.
    """

    def __init__(self, entries: Sequence[Entry]):
        places = [(entry.path, 0) if entry.path else entry.inside for entry in entries]
        paths = [os.fsencode(path) for path, _ in places]
        self.text = np.frombuffer(b"".join(paths), dtype=np.uint8)  # arrays are shared with forked processes, lists not
        self.ends = np.cumsum([len(path) for path in paths], dtype=np.int64)
        self.offsets = np.array([offset for _, offset in places], dtype=np.int64)
        self.sizes = np.array([entry.size for entry in entries], dtype=np.int64)
        # of a tar the time of its last change: after another one the offsets are those of other pictures
        changed = {path: path.stat().st_mtime_ns for path in {entry.inside[0] for entry in entries if not entry.path}}
        self.changed = np.array([-1 if e.path else changed[e.inside[0]] for e in entries], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ends)

    def path(self, index: int) -> Path:
        begin = self.ends[index - 1] if index else 0
        return Path(os.fsdecode(self.text[begin : self.ends[index]].tobytes()))

    def name(self, index: int) -> str:
        inside = f", byte {self.offsets[index]:,}" if self.offsets[index] else ""
        return readable(os.fspath(self.path(index))) + inside

    def __getitem__(self, index: int) -> bytes | str:
        size = int(self.sizes[index])
        if size >= LARGEST_FILE:
            return f"the file has {size:,} bytes"
        with open(self.path(index), "rb") as file:
            if self.changed[index] >= 0 and os.fstat(file.fileno()).st_mtime_ns != self.changed[index]:
                return "the archive was changed after it was loaded: load it again"
            file.seek(int(self.offsets[index]))
            return file.read(size)

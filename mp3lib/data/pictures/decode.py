"""Single pictures: from the bytes of a file to pixels. One reader for folders, archives, parquet and uploads."""

from __future__ import annotations

import io
import math
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ...arguments import as_pair, shown
from ..crops import Crop
from ..files.entries import read_bytes
from . import corrections, kinds

LARGEST = 89_478_485  # pixels of a picture, at most: the number from which Pillow warns
LARGEST_DEEP = LARGEST // 4  # of pictures with more than 8 bits a channel, which take four bytes and more a pixel
LONGEST = 250_000  # pixels of a side: Pillow takes memory and time for each row, however short it is
ONE_AT_A_TIME = 16_000_000  # pixels: larger pictures are decoded one after another, whatever the number of threads

WIDE = re.compile(r"[RGBACMYKXa];16[BLN]")  # in Pillow's names of colours of 16 bits a channel; not in BMP's BGR;16
MANY_FRAMES = 1000  # more of one picture are not counted
_alone = threading.Lock()


class Picture(NamedTuple):
    """A decoded picture; of ``pixels`` and ``deep`` one is there."""

    pixels: np.ndarray | None  # (c, H, W) uint8
    deep: np.ndarray | None  # (H, W) float32: grey values of more than 8 bits, not yet scaled to 0 … 255
    jpeg: bool = False  # whether the pixels still have the compression grid of JPEG in place
    dark: bool = False  # whether they are nearly black because of 16 bits a channel only the upper 8 are taken
    frames: int = 1  # pages or frames of the file, of which this is the first
    cut: float = 0.0  # the share of an array's values that lie outside the range that was given
    bands: int = 0  # of the file, if it has more than are read


class TooLarge(ValueError):
    """A picture of more pixels than will be decoded."""

    def __init__(self, width: int, height: int, largest: int = LARGEST):
        most = f"{largest / 1e6:.0f} million" if width * height > largest else f"{LONGEST:,} a side"
        super().__init__(f"The picture has {width:,} x {height:,} pixels; at most {most} are read.")


class NotFinite(ValueError):
    """A picture of floats with values that are not-a-number or infinite: no range can be found for it."""

    def __init__(self):
        super().__init__("The picture holds values that are not finite: replace them.")


class NotRead(ValueError):
    """A picture whose values Pillow would take for others."""


class Header(NamedTuple):
    """What is known of a picture before it is decoded."""

    deep: bool  # whether it has values of more than 8 bits
    jpeg: bool  # whether it is a JPEG of the size that is wanted, whose compression grid stays in place
    wide: bool = False  # whether it has colours of 16 bits a channel
    frames: int = 1  # pages or frames
    bands: int = 0  # if there are more than are read


def header(data: bytes | str, size: tuple[int, int]) -> Header:
    """Read the header of a picture, which is wanted at ``size`` (height, width). Raises as ``decode``.

    Args:
        data: the content of a file, or its path.
        size: in pixels.
    """
    with opened(data) as picture:
        check(picture, size, 4)
        in_place = picture.size == size[::-1] and picture.format in ("JPEG", "MPO")
        seen = Header(is_deep(picture), in_place, is_wide(picture), bands=corrections.more_bands(picture))
        return seen._replace(frames=frames_of(picture))


def opened(data: bytes | str) -> Image.Image:
    """The picture in the content of a file, or at a path, of which only the header is read; for a ``with``."""
    try:
        return Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=kinds.formats())
    except UnidentifiedImageError:
        if (
            kinds.is_heif(data[:16] if isinstance(data, bytes) else read_bytes(Path(data), 16))
            and not kinds.with_heif()
        ):
            raise NotRead("The picture is HEIF, as iPhones take them: with pillow-heif it can be read.") from None
        raise


def frames_of(picture: Image.Image) -> int:
    """The number of pages of a TIFF or of frames of an animation, ``MANY_FRAMES`` at most. Read nothing afterwards.

    A JPEG of several pictures (MPO) counts as one: the others are its preview or its light.
    """
    if picture.format not in ("TIFF", "GIF", "WEBP", "PNG", "AVIF"):
        return 1
    number = 1
    try:
        if picture.format != "TIFF":
            return getattr(picture, "n_frames", 1)
        while number < MANY_FRAMES:  # Pillow's own count of pages has no bound
            picture.seek(number)
            number += 1
    except Exception:  # EOFError behind the last page; of many kinds where one is damaged
        pass
    return number


def is_deep(picture: Image.Image) -> bool:
    """Whether a picture has values of more than 8 bits, none of which is transparent."""
    return has_deep_values(picture) and "transparency" not in picture.info


def has_deep_values(picture: Image.Image) -> bool:
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def is_wide(picture: Image.Image) -> bool:
    """Whether of a picture that is not loaded yet only the upper 8 of 16 bits a channel are taken."""
    clear = has_deep_values(picture) and "transparency" in picture.info
    return clear or any(WIDE.search(str(tile.args)) for tile in getattr(picture, "tile", ()))


def check(picture: Image.Image, size: tuple[int, int], times: float) -> None:
    """Let a big JPEG decode at a smaller scale, still so many ``times`` the ``size``; refuse what will not be read."""
    picture.draft("RGB", (math.ceil(times * size[1]), math.ceil(times * size[0])))
    largest = LARGEST_DEEP if is_deep(picture) else LARGEST
    if picture.width * picture.height > largest or max(picture.size) > LONGEST:
        raise TooLarge(picture.width, picture.height, largest)
    if fault := corrections.fault(picture):
        raise NotRead(fault)


def decode(data: bytes, size: tuple[int, int], crop: Crop | None = None) -> Picture:
    """Decode a picture, upright, cropped about the centre and resized to ``size`` (height, width).

    With ``crop`` that box of the whole picture is taken. Grey, palette and CMYK become RGB, and what is transparent
    becomes white. Values of more than 8 bits come unscaled, as ``Picture.deep``; see ``scaled``. Of an animation the
    first frame is taken, and the camera's orientation (EXIF) is followed.

    Raises:
        TooLarge: before it is decoded, for a picture of more than ``LARGEST`` pixels, or ``LARGEST_DEEP``.
        NotFinite: for a picture of floats with values that are not finite.
        NotRead: for one whose values would come out wrong; see ``corrections``.
        Exception: of many kinds, from Pillow, for what is not a picture or is damaged.
    """
    height, width = size
    with opened(data) as picture:
        form = picture.format
        check(picture, size, 4 if crop is None else draft_times(picture.size, size, crop))
        corrections.put_in_order(picture)
        with nullcontext() if picture.width * picture.height <= ONE_AT_A_TIME else _alone:
            result = fitted(picture, form, size, crop)
        return result if crop else result._replace(frames=frames_of(picture))


def draft_times(picture: tuple[int, int], size: tuple[int, int], crop: Crop) -> float:
    """How many times ``size`` a picture of this width and height must have, so that its crop has twice ``size``."""
    times = 2.0
    for width, height in (picture, picture[::-1]):  # upright or on its side
        left, top, right, bottom = crop.box(width, height, size)
        times = max(times, 2 * width / (right - left), 2 * height / (bottom - top))
    return times


def fitted(picture: Image.Image, form: str | None, size: tuple[int, int], crop: Crop | None) -> Picture:
    """The pixels of an opened picture, as ``decode`` says; ``form`` is the format of its file."""
    height, width = size
    deep, wide, bands = is_deep(picture), is_wide(picture), corrections.more_bands(picture)
    corrections.scale_transparency(picture)
    see_through = picture.has_transparency_data and not corrections.has_unused_alpha(picture)
    stored, picture = picture, ImageOps.exif_transpose(picture)
    in_place = crop is None and picture.size == (width, height)
    if deep:
        values = corrections.true_values(stored, np.asarray(picture)).astype(np.float32)
        if not np.isfinite(values).all():
            raise NotFinite()
        if not in_place:
            low, high = values.min(), values.max()
            values = np.asarray(fit_picture(Image.fromarray(values), size, crop)).clip(low, high)
        return Picture(None, values, bands=bands)
    if has_deep_values(picture):
        picture = corrections.with_alpha(picture)
    picture = picture.convert("RGBA" if see_through else "RGB")
    if not in_place:
        picture = fit_picture(picture, size, crop)
    dark = wide and 0 < np.asarray(picture)[..., :3].max() < 16  # as of 12 bits a channel
    if see_through:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    jpeg = in_place and form in ("JPEG", "MPO")
    return Picture(np.asarray(picture).transpose(2, 0, 1), None, jpeg, dark, bands=bands)


def try_decode(data: bytes, size: tuple[int, int], crop: Crop | None = None) -> Picture | Exception:
    """What ``decode`` returns, or the exception that it raises."""
    try:
        return decode(data, size, crop)
    except Exception as error:  # Pillow raises many kinds; the caller names the file
        return error


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silence Pillow's warnings of size, which ``decode`` judges itself, and of odd metadata. Not for threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fit_picture(picture: Image.Image, size: tuple[int, int], crop: Crop | None = None) -> Image.Image:
    """Cropped about the centre, or as ``crop`` says, and resized to (height, width) pixels."""
    if crop is not None:
        box = crop.box(picture.width, picture.height, size)
        picture = picture.resize(size[::-1], Image.Resampling.BICUBIC, box)
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.mirrored else picture
    return ImageOps.fit(picture, size[::-1], Image.Resampling.LANCZOS)


def fit_pixels(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The same for uint8 pixels (c, H, W)."""
    return torch.from_numpy(np.stack([np.asarray(fit_picture(Image.fromarray(band.numpy()), size)) for band in pixels]))


def value_range(low: float, high: float) -> tuple[float, float]:
    """Which values of deep pictures become 0 and 255, from the lowest and the highest value of all of them.

    Values up to 1 are fractions, values up to 255 stay as they are. Values up to 65535 count as numbers of 10, 12, 14
    or 16 bits, whichever is enough. Anything else is stretched from the lowest to the highest value.
    """
    if low >= 0:
        for top in (1, 255, 1023, 4095, 16383, 65535):
            if high <= top:
                return 0.0, float(top)
    return low, high if high > low else low + max(1.0, abs(low))


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Deep values (H, W) as uint8 (3, H, W): ``low`` becomes 0 and ``high`` 255."""
    values = (values.astype(np.float64) - low) * (255 / max(high - low, 1e-12))
    return np.broadcast_to(values.round().clip(0, 255).astype(np.uint8), (3, *values.shape))


def as_size(size: Any) -> tuple[int, int]:
    """(height, width) in pixels from a side or a pair; ValueError for anything else, and for more than ``LARGEST``."""
    height, width = as_pair(size)
    if height * width > LARGEST:
        raise ValueError(f"size must have at most {LARGEST / 1e6:.0f} million pixels, got {height:,} x {width:,}")
    return height, width


def read_picture(data: bytes, size: int | tuple[int, int] = 32) -> torch.Tensor:
    """The picture in a file's bytes, upright, cropped about the centre and resized: uint8 (3, H, W).

    It takes AVIF, BMP, GIF, ICO, JPEG, JPEG 2000, PCX, PNG, PPM, SGI, TGA, TIFF and WebP, of any mode and depth, and
    HEIF where pillow-heif is installed.

    Args:
        data: the content of the file.
        size: side or (height, width) in pixels.

    Raises:
        ValueError: in one sentence for the person whose file it is: the file is empty, is not a picture, is broken, has
            values that are not finite, or holds more than 89 million pixels (JPEG, which can be decoded at an eighth of
            its side: 179 million). And for ``data`` that is not bytes, and a ``size`` that is not positive.
    """
    size = as_size(size)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ValueError(
            f"read_picture takes the bytes of a file, as Path(...).read_bytes() gives them, got {shown(data)}"
        )
    if not len(data):
        raise ValueError("The file is empty.")
    with without_warnings():
        picture = try_decode(bytes(data), size)
    if isinstance(picture, Exception):
        raise ValueError(reason(picture)) from None
    pixels = picture.pixels
    if pixels is None:
        pixels = scaled(picture.deep, *value_range(float(picture.deep.min()), float(picture.deep.max())))
    return torch.from_numpy(pixels.copy(order="C"))


def reason(error: Exception) -> str:
    """In one sentence, why a picture could not be read."""
    if isinstance(error, (TooLarge, NotFinite, NotRead)):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"The picture has more than {2 * LARGEST / 1e6:.0f} million pixels."
    if isinstance(error, MemoryError):
        return "There is not enough memory to decode the picture."
    if isinstance(error, UnidentifiedImageError):
        return "The file is not a picture in a format that is read here, such as PNG, JPEG, WebP, GIF, TIFF or BMP."
    words = " ".join(str(error).split()) or type(error).__name__
    return f"The picture is broken and cannot be read to its end ({words[:120]})."

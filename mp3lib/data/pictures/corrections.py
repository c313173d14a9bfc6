"""Where Pillow reads a picture otherwise than its file says: the values are put right, or a reason is given.

The tags of a TIFF are those of its specification, TIFF 6.0 (Adobe, 1992).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

PAGE_KIND, BITS, MEANING, FILL, SAMPLES, PLANES, SUB_PAGES, EXTRA, KINDS = 254, 258, 262, 266, 277, 284, 330, 338, 339
DNG = 50706  # the tag with the version of a raw photograph's format
ALPHA_FORMATS = ("BMP", "DIB", "ICO", "TGA")  # of which many files have a fourth byte that is not used


# --- TIFF -------------------------------------------------------------------------------------------------------------


def tags_of(picture: Image.Image) -> Any:
    """The tags of a TIFF's page; of another picture none."""
    return picture.tag_v2 if picture.format == "TIFF" and hasattr(picture, "tag_v2") else {}


def packed(picture: Image.Image) -> bool:
    """Whether a TIFF is compressed; a library for TIFF then unpacks it."""
    return picture.info.get("compression") != "raw"


def planar(picture: Image.Image) -> bool:
    """Whether the bands of a TIFF lie one after the other, and not pixel by pixel."""
    return tags_of(picture).get(PLANES, 1) == 2


def fault(picture: Image.Image) -> str:
    """Why a picture would come out wrong and cannot be put right, in a sentence; empty where it can be read."""
    if not (tags := tags_of(picture)):
        return ""
    if DNG in tags or (tags.get(PAGE_KIND) == 1 and SUB_PAGES in tags):
        return "The file is a raw photograph, of which only the preview could be read: convert it to PNG."
    if picture.mode == "L" and {*tags.get(KINDS, ())} == {2}:
        return "The TIFF holds signed values of 8 bits, which are not read: convert it to PNG."
    if picture.mode == "F" and tags.get(MEANING, 0) == 0:
        return "The TIFF holds floats of which the lowest is white, which is not read: convert it to PNG."
    if planar(picture) and mixes_planes(picture):
        return "The TIFF stores its bands one after the other in a way that is not read: convert it to PNG."
    return ""


def mixes_planes(picture: Image.Image) -> bool:
    """Whether Pillow takes a TIFF whose bands lie one after the other for another one."""
    tags, mode = tags_of(picture), picture.mode
    bits = tags.get(BITS, (1,))[0]
    if tags.get(SAMPLES, 1) > len(picture.getbands()) and not packed(picture):
        return True
    if mode == "RGB":
        return False
    if mode == "CMYK":
        return not packed(picture) and bits != 8
    if mode == "RGBA":
        extra = tags.get(EXTRA)  # 2: alpha; without it, Pillow takes the fourth band for alpha
        return extra != (2,) and (packed(picture) or extra is not None)
    if len(picture.getbands()) > 1:
        return True
    plain = tags.get(MEANING, 0) != 0 and tags.get(FILL, 1) == 1 and (bits == 8 or mode == "1")
    return not packed(picture) and not plain and not (bits == 32 and tags.prefix == b"II")


def disordered(picture: Image.Image) -> bool:
    """Whether Pillow takes the bytes of a TIFF's values in another order than they have; see ``put_in_order``."""
    if not (tags := tags_of(picture)):
        return False
    if packed(picture):
        return tags.prefix == b"MM" and picture.mode in ("I", "F")
    return planar(picture) and picture.mode in ("RGB", "RGBA") and tags.get(BITS, (1,))[0] == 16


def put_in_order(picture: Image.Image) -> None:
    """Give Pillow the order of the bytes of a TIFF that is opened and not loaded yet.

    Unpacked values have the machine's order, N. Of planes of 16 bits Pillow takes the bytes for pixels of 8 bits.
    """
    if not disordered(picture):
        return
    order = "L" if tags_of(picture).prefix == b"II" else "B"
    for number, tile in enumerate(picture.tile):
        name = tile.args[0].replace("B", "N") if packed(picture) else f"{tile.args[0]};16{order}"
        picture.tile[number] = tile._replace(args=(name, *tile.args[1:]))


def true_values(picture: Image.Image, values: np.ndarray) -> np.ndarray:
    """The values of more than 8 bits that Pillow read from a picture, as its file means them."""
    if not (tags := tags_of(picture)):
        return values
    if picture.mode == "I" and tags.get(BITS, (1,))[0] == 32 and tags.get(KINDS, (1,))[0] == 1:
        return values.view(np.uint32)
    if picture.mode.startswith("I;16") and tags.get(MEANING, 0) == 0:  # 0 is white
        return 65535 - values
    return values


def more_bands(picture: Image.Image) -> int:
    """How many bands a TIFF has, if it has more than are read; else 0."""
    number = tags_of(picture).get(SAMPLES, 1)
    return number if number > len(picture.getbands()) - guesses_alpha(picture) else 0


# --- transparency -----------------------------------------------------------------------------------------------------


def scale_transparency(picture: Image.Image) -> None:
    """Scale the transparent value of a PNG as its values: from 2 or 4 bits, or from 16 bits a channel to the upper 8.

    To be called before the picture is loaded. Where Pillow has scaled it, nothing is changed.
    """
    clear = picture.info.get("transparency")
    names = {str(tile.args) for tile in getattr(picture, "tile", ()) if picture.format == "PNG"}
    for name, bits in (("L;2", 2), ("L;4", 4)):
        if name in names and isinstance(clear, int) and clear < 1 << bits:
            picture.info["transparency"] = clear * 255 // ((1 << bits) - 1)
    if "RGB;16B" in names and isinstance(clear, tuple) and len(clear) == 3:
        picture.info["transparency"] = tuple(value >> 8 for value in clear)


def with_alpha(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits with a transparent value as the upper 8 bits with alpha, as Pillow reads grey with alpha."""
    values = np.asarray(picture)
    alpha = np.where(values == picture.info["transparency"], 0, 255)
    return Image.fromarray(np.stack([values >> 8, alpha], axis=-1).astype(np.uint8))


def guesses_alpha(picture: Image.Image) -> bool:
    """Whether Pillow takes the last band of a TIFF for alpha, and no tag says so: it may be near infrared."""
    tags = tags_of(picture)
    return bool(tags) and "A" in picture.getbands() and EXTRA not in tags


def has_unused_alpha(picture: Image.Image) -> bool:
    """Whether a picture's last band is no alpha: no tag of a TIFF says so, a TGA's header says no, or it is 0
    everywhere.

    To be called before the picture is loaded; this may load it.
    """
    if guesses_alpha(picture):
        return True
    if picture.format not in ALPHA_FORMATS or "A" not in picture.getbands():
        return False
    if picture.format == "TGA" and picture.tile:
        picture.fp.seek(17)
        if picture.fp.read(1)[0] & 15 == 0:  # bits of alpha
            return True
    return picture.getchannel("A").getextrema()[1] == 0

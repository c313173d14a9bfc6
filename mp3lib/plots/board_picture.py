"""The still picture of the patch board, for pages without a kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from .dark import PAPER_ALPHA
from .patches import cut, to_picture

SCALE = 24  # screen pixels of a pixel, at twice the density: sharp at half the size


def board_picture(image: ArrayLike, patch_size: int | Sequence[int], hidden: Sequence[int] = ()) -> Image.Image:
    """An image with borders around its patches, and hidden patches hatched, in RGBA, 24 times as wide and high.

    Borders and hatching have the alpha of paper, so that a dark page recolours them (see `dark`).

    image: see `to_picture`. patch_size: int or (height, width) in pixels, which divides the image.
    hidden: numbers of patches, row by row.
    """
    picture = to_picture(image)
    _, (rows, cols) = cut(picture, patch_size)
    pixels = picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    height, width = pixels.shape[:2]
    y, x = np.indices((height, width))
    hatched = np.isin(y * rows // height * cols + x * cols // width, hidden)
    pixels[hatched] = np.where((x - y) / 2**0.5 % 18 < 6, 0x8A, 0xC8)[hatched][:, None]  # stripes as in live.css
    border = is_border(y, height, rows) | is_border(x, width, cols)
    pixels[border] = 255
    alpha = np.where(hatched | border, PAPER_ALPHA, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([pixels, alpha]))


def is_border(place: np.ndarray, length: int, parts: int) -> np.ndarray:
    """Where a place is at most 2 pixels from a line between the parts of a length."""
    return ((place + 2) % (length // parts) < 4) & (place >= 2) & (place < length - 2)

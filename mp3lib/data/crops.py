"""A random crop of one picture of any size, from its own numbers: the same wherever and whenever it is cut."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

ASPECT = (3 / 4, 4 / 3)  # range of a crop's width over height, relative to that of the image


class Crop(NamedTuple):
    """A box inside a picture, by numbers from 0 to 1, and whether it is mirrored left to right.

    The box has a share of the area of the largest box of the wanted shape (width over height) that lies in the picture.
    Its own shape is between 3/4 and 4/3 of the wanted one, as far as it fits, and it lies anywhere in the picture.
    """

    share: float  # of that area
    shape: float  # 0: the narrowest, 1: the widest
    x: float  # 0: at the left end, 1: at the right
    y: float
    mirrored: bool

    def box(self, width: int, height: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) in pixels of a picture of this width and height, for a crop of ``size`` (h, w)."""
        scale = min(width / size[1], height / size[0])
        wide, high = scale * size[1], scale * size[0]  # the largest box of the wanted shape
        # wide * sqrt(share * ratio) <= width and high * sqrt(share / ratio) <= height
        widest = min(ASPECT[1], (width / wide) ** 2 / self.share)
        narrowest = max(ASPECT[0], self.share * (high / height) ** 2)
        ratio = math.exp(math.log(narrowest) + (math.log(widest) - math.log(narrowest)) * self.shape)
        wide = min(wide * math.sqrt(self.share * ratio), width)
        high = min(high * math.sqrt(self.share / ratio), height)
        left, top = (width - wide) * self.x, (height - high) * self.y
        return left, top, min(left + wide, width), min(top + high, height)


def drawn_crop(seed: int, epoch: int, place: int, area: tuple[float, float], flip: bool) -> Crop:
    """The crop of the image at a place of the order of an epoch; nothing else decides it.

    Args:
        seed: of the run.
        epoch: counted from 0.
        place: of the image in the order of this epoch.
        area: range of the share, uniform.
        flip: whether half of the images are mirrored.
    """
    share, shape, x, y, side = np.random.default_rng([seed, epoch, place]).random(5).tolist()
    return Crop(area[0] + (area[1] - area[0]) * share, shape, x, y, flip and side < 0.5)

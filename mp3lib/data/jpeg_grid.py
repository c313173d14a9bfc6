"""Whether pixels went through JPEG: its compression grid of 8 x 8 blocks shows in them."""

from __future__ import annotations

import numpy as np


def jpeg_grid(images: np.ndarray) -> float:
    """How much larger the step from pixel to pixel is across the borders of 8 x 8 blocks than right beside them.

    ``images`` is (N, 3, H, W) uint8. About 1 for pixels that were never compressed, 1.07 and more at the usual quality
    of JPEG. It needs hundreds of images: below 500, where it would be noise, 1 is returned.
    """
    if len(images) < 500 or min(images.shape[2:]) < 17:
        return 1.0
    ratios = []
    for axis in (2, 3):
        sums, number = 0, 0
        for begin in range(0, min(len(images), 2000), 50):  # a few at a time: they take four times their memory here
            steps = np.abs(np.diff(images[begin : min(begin + 50, 2000)].astype(np.int16), axis=axis))
            sums = sums + steps.sum(axis=(0, 1, 5 - axis), dtype=np.int64)
            number += steps.size // steps.shape[axis]
        steps = sums / number
        borders = np.arange(7, len(steps) - 1, 8)
        ratios.append(2 * steps[borders].mean() / max((steps[borders - 1] + steps[borders + 1]).mean(), 1e-6))
    return float(min(ratios))

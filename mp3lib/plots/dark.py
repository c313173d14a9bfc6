"""Which parts of a figure keep their colours on a dark page: pictures do; paper, text and lines are recoloured.

A page cannot know what it is shown of a PNG. So the pixels of paper, text and lines get an alpha of PAPER_ALPHA instead
of 255. Nobody sees this. The style sheet `dark.css` of the JupyterLab extension finds these pixels by their alpha and
inverts their lightness, and only theirs. Pages without that style sheet show the figure as it is.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

PAPER_ALPHA = 250  # of 255; the filter in dark.css separates it from 255 by its slope of 51


def note(ax, boxes, keeps: bool) -> None:
    """Note for `alpha_of` whether boxes, (m, 4) of x, y, w, h in units of `ax`, keep their colours; the last counts."""
    if hasattr(ax.figure, "regions"):
        ax.figure.regions.append((ax, np.asarray(boxes, float).reshape(-1, 4), keeps))


def keeps_colors(array, cmap) -> bool:
    """Whether an image keeps its colours: a picture does, and a colour map does, unless its low end is white."""
    return array.ndim == 3 or min(cmap(0.0)[:3]) < 0.85


def alpha_of(fig, width: int, height: int) -> np.ndarray:
    """The alpha of each pixel of a drawn `Picture`, uint8 (height, width): 255 where it keeps its colours."""
    alpha = np.full((height, width), PAPER_ALPHA, np.uint8)
    regions = []
    for ax in fig.axes:
        for image in ax.images:
            if not getattr(image, "noted", False):  # drawn by `imshow`, not by `paint`
                left, right, bottom, top = image.get_extent()
                box = (left, bottom, right - left, top - bottom)
                regions.append((ax, np.array([box]), keeps_colors(image.get_array(), image.cmap)))
    for ax, boxes, keeps in regions + fig.regions:
        corners = ax.transData.transform(np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1).reshape(-1, 2))
        corners = np.rint(corners).astype(int).reshape(-1, 2, 2)
        for (x0, y0), (x1, y1) in zip(corners.min(1), corners.max(1), strict=True):
            rows, columns = slice(max(height - y1, 0), max(height - y0, 0)), slice(max(x0, 0), max(x1, 0))
            alpha[rows, columns] = 255 if keeps else PAPER_ALPHA
    return alpha


def with_palette(pixels: np.ndarray, alpha: np.ndarray) -> Image.Image | None:
    """An RGB image (h, w, 3) and its alpha with a palette of 256 colours, or None where this would be seen.

    It is seen if it changes pixel values by 1.2 of 255 levels on average. Each value of alpha has colours of its own.
    """
    levels = np.unique(alpha)
    indices, colors, error = np.empty(alpha.shape, np.uint8), [], 0
    for level, room in zip(levels, (256,) if len(levels) == 1 else (72, 184), strict=True):
        here = alpha == level
        strip = Image.fromarray(np.ascontiguousarray(pixels[here][None]))
        # this method keeps the largest error low: about 10 levels, where others reach 50
        palette = strip.quantize(room, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
        error += np.abs(np.asarray(palette.convert("RGB"), np.int16) - np.asarray(strip)).sum()
        indices[here] = np.asarray(palette)[0] + len(colors)
        own = np.array(palette.getpalette()[: 3 * room], np.uint8).reshape(-1, 3)
        colors += [(*color, level) for color in own.tolist()]
    if error / pixels.size >= 1.2:
        return None
    image = Image.fromarray(indices, "P")
    image.putpalette([part for color in colors for part in color[:3]])
    image.info["transparency"] = bytes(int(color[3]) for color in colors)
    return image

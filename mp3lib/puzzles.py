"""Figures of puzzles: pictures whose patches were put somewhere, and which of them are right. As in `plots`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .arrays import check_flags, check_indices, cut, fade, join_patches, to_picture, to_pictures
from .canvas import VERMILION, Sheet, draw_boxes, draw_grid, styled


def flags_of(name: str, flags, count: int, n: int) -> np.ndarray:
    """(count, n) bool from as many flags for each picture; none at all for None."""
    if flags is None:
        return np.zeros((count, n), bool)
    if len(flags) != count:
        raise ValueError(f"{name} has flags for {len(flags)} pictures; expected {count}")
    return np.stack([check_flags(one, n, name) for one in flags])


@styled
def boards(
    images, patch_size, titles: Sequence[str] | None = None, wrong=None, empty=None, columns: int = 3,
    title: str | None = None, size: float = 1.9, beside: float = 0.0,
) -> Figure:  # fmt: skip
    """Puzzles side by side: wrong places are framed, empty ones hatched.

    images: (m, 3, H, W) or a list of images of one size; titles: m texts; wrong, empty: (m, n) bool, flags of places;
    size: inches of a longer side; beside: as in `maps`. Raises ValueError where a number of flags does not fit.
    """
    pictures = to_pictures(images)
    _, (rows, cols) = cut(pictures[0], patch_size)
    sheet = Sheet(len(pictures), pictures[0].shape, columns, titles, title, size, right=beside)
    for picture, box in zip(pictures, sheet.boxes, strict=True):
        sheet.picture(picture, box)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, flags_of("empty", empty, len(pictures), rows * cols))
    if (wrong := flags_of("wrong", wrong, len(pictures), rows * cols)).any():
        framed = cells[wrong] + cells[0, 0, 2:].min() * np.array([0.07, 0.07, -0.14, -0.14])
        draw_boxes(sheet.ax, framed, "white", 4)
        draw_boxes(sheet.ax, framed, VERMILION, 2)
    return sheet.fig


@styled
def predicted_positions(
    image: ArrayLike, patch_size, predicted: ArrayLike, context: ArrayLike | None = None, title: str | None = None,
    titles: Sequence[str] | None = None, size: float = 2.6,
) -> Figure:  # fmt: skip
    """Where a model put each patch: the image, its patches painted where they were put, and which of them are right.

    predicted: (n,) integers, the position each patch was given; context: (k,) indices of the patches that might be
    looked at (the others are hatched in the first picture). In the second, patches that claim one place are averaged,
    and places that nobody claimed are hatched. In the third, right patches keep their colours, and an arrow leads from
    the true place of each wrong one to the place it was given. titles: three texts.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    n = rows * cols
    predicted = check_indices(predicted, n, "predicted", length=n)
    hidden = np.full(n, context is not None)
    hidden[check_indices([] if context is None else context, n, "context")] = False
    claims = np.bincount(predicted, minlength=n)
    painted = np.zeros(patches.shape)
    np.add.at(painted, predicted, patches)
    painted = (painted / np.maximum(claims, 1)[:, None, None, None]).round().astype(np.uint8)
    right = predicted == np.arange(n)
    marked = np.where(right[:, None, None, None], patches, fade(patches))
    titles = titles or ("what may be looked at", "each patch where it was put", f"{right.sum()} of {n} are right")
    sheet = Sheet(3, picture.shape, 3, titles, title, size)
    for box, parts in zip(sheet.boxes, (patches, painted, marked), strict=True):
        sheet.picture(join_patches(parts, rows, cols), box)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, np.stack([hidden, claims == 0, np.zeros(n, bool)]))
    centres = cells[2] @ np.array([[1, 0], [0, 1], [0.5, 0], [0, 0.5]])
    tails, ways = centres[~right], (centres[predicted] - centres)[~right]
    sheet.ax.quiver(*tails.T, *ways.T, angles="xy", scale=1, scale_units="xy", units="inches", width=0.024,
                    headwidth=4.5, headlength=5, minlength=0, color=VERMILION, ec="white", lw=0.5)  # fmt: skip
    return sheet.fig

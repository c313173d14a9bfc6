"""Figures of the jigsaw: where patches were placed, and which of them are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .patches import check_flags, check_indices, cut, fade, join_patches, to_picture, to_pictures
from .sheet import Sheet, draw_boxes, draw_grid, outline
from .theme import VERMILION, styled


def flags_of(name: str, flags, count: int, n: int) -> np.ndarray:
    """(count, n) bool from as many flags for each picture; none at all for None."""
    if flags is None:
        return np.zeros((count, n), bool)
    if len(flags) != count:
        raise ValueError(f"{name} has flags for {len(flags)} pictures; expected {count}")
    return np.stack([check_flags(one, n, name) for one in flags])


@styled
def jigsaw_boards(
    images, patch_size, titles: Sequence[str] | None = None, wrong=None, empty=None, columns: int = 3,
    title: str | None = None, size: float = 1.9, beside: float = 0.0,
) -> Figure:  # fmt: skip
    """Puzzles side by side: wrong places are framed, empty ones hatched.

    images: (m, 3, H, W) or a list of images of one size; titles: m texts; wrong, empty: (m, n) bool, flags of places;
    size: inches of a longer side; beside: as in `heat_maps`. Raises ValueError where a number of flags does not fit.
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


@styled
def jigsaw_step(
    image: ArrayLike, patch_size, placed: ArrayLike, order: ArrayLike, step: int, heap: ArrayLike | None = None,
    title: str | None = None, size: float = 2.2,
) -> Figure:  # fmt: skip
    """A jigsaw after some steps: the heap that is left, the picture so far, and which pieces are right.

    placed: (n,) the position that each patch is given; order: (n,) patches, the first one laid first; step: how many
    are laid, 0 to n; heap: (n,) where each patch lies in the heap (default: as in the picture); the piece laid last is
    outlined. In the third picture right pieces have their colours, wrong ones are grey with a cross. Raises ValueError
    for indices out of range and a step outside 0 … n.
    """
    [picture] = to_pictures([image])
    patches, (rows, cols) = cut(picture, patch_size)
    n = rows * cols
    placed = check_indices(placed, n, "placed", length=n)
    order = check_indices(order, n, "order", length=n)
    heap = np.arange(n) if heap is None else check_indices(heap, n, "heap", length=n)
    if not 0 <= step <= n:
        raise ValueError(f"step is {step}; expected 0 to {n}")
    laid = order[:step]
    right = laid[placed[laid] == laid]
    wrong = laid[placed[laid] != laid]
    lying = np.empty_like(patches)
    lying[heap] = patches
    so_far, judged = np.zeros_like(patches), np.zeros_like(patches)
    so_far[placed[laid]] = patches[laid]  # where two claim one place, the later one lies on top
    judged[placed[wrong]] = fade(patches[wrong])
    judged[placed[right]] = patches[right]
    hidden = np.ones((3, n), bool)
    hidden[0] = check_flags(np.isin(np.arange(n), heap[laid]), n)
    hidden[1:, placed[laid]] = False
    sheet = Sheet(3, picture.shape, 3, (f"{n - step} pieces left", f"{step} laid", f"{len(right)} of {step} are right"),
                  title, size)  # fmt: skip
    for parts, box in zip((lying, so_far, judged), sheet.boxes, strict=True):
        sheet.picture(join_patches(parts, rows, cols), box)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, hidden)
    if step:
        outline(sheet.ax, np.stack([cells[0, heap[laid[-1]]], cells[1, placed[laid[-1]]]]))
    bad = cells[2, placed[wrong]][~np.isin(placed[wrong], placed[right])]
    middles = bad[:, :2] + bad[:, 2:] / 2
    arm = 36 * cells[0, 0, 2:].min()
    sheet.ax.plot(*middles.T, "x", markersize=arm * 0.9, markeredgewidth=3.5, color="white")
    sheet.ax.plot(*middles.T, "x", markersize=arm * 0.8, markeredgewidth=1.8, color=VERMILION)
    return sheet.fig

"""Figures of the jigsaw: where patches were placed, and which of them are in the right position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .patches import check_flags, check_indices, check_permutation, cut, fade, join_patches, to_picture, to_pictures
from .sheet import Sheet, draw_boxes, draw_grid, outline
from .theme import VERMILION, styled


def flags_of(name: str, flags, count: int, n: int) -> np.ndarray:
    """`flags` as a bool array (count, n), n flags for each of `count` pictures; all False for None.

    Raises ValueError, which names the argument `name`, for another number of pictures or flags.
    """
    if flags is None:
        return np.zeros((count, n), bool)
    if len(flags) != count:
        raise ValueError(f"{name} has flags for {len(flags)} pictures; expected {count}")
    return np.stack([check_flags(one, n, name) for one in flags])


@styled
def jigsaw_boards(
    images, patch_size, titles: Sequence[str] | None = None, wrong=None, empty=None, columns: int = 3,
    title: str | None = None, size: float | None = None,
) -> Figure:  # fmt: skip
    """Jigsaws side by side: wrong positions are framed, empty positions are hatched.

    images: (m, 3, H, W), or a list of images of one size, with the patches already in their places; see `reassemble`.
    patch_size: int or (height, width) in pixels.
    titles: m texts, one above each jigsaw; columns: jigsaws in a row, at most.
    wrong, empty: (m, n) bool, one flag for each position.
    size: inches of the longer side of each jigsaw; by default as large as fits a page.
    Raises ValueError if a number of flags does not fit, and for flags that are not bools.
    """
    pictures = to_pictures(images)
    _, (rows, cols) = cut(pictures[0], patch_size)
    sheet = Sheet(len(pictures), pictures[0].shape, columns, titles, title, size)
    for picture, box in zip(pictures, sheet.boxes, strict=True):
        sheet.picture(picture, box)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, flags_of("empty", empty, len(pictures), rows * cols))
    if (wrong := flags_of("wrong", wrong, len(pictures), rows * cols)).any():
        # a frame inside each wrong position, 7 % of its shorter side from the border
        framed = cells[wrong] + cells[0, 0, 2:].min() * np.array([0.07, 0.07, -0.14, -0.14])
        draw_boxes(sheet.ax, framed, "white", 4)
        draw_boxes(sheet.ax, framed, VERMILION, 2)
    return sheet.fig


@styled
def predicted_positions(
    image: ArrayLike, patch_size, predicted: ArrayLike, context: ArrayLike | None = None, title: str | None = None,
    titles: Sequence[str] | None = None, size: float | None = None,
) -> Figure:  # fmt: skip
    """The predicted position of each patch, in three pictures.

    The first picture is the image, with the patches outside the context hatched. The second shows each patch at its
    predicted position: patches with the same position are averaged, and positions without a patch are hatched. The
    third shows which predictions are right: these patches keep their colours, and an arrow leads from the true position
    of every other patch to its predicted position.
    image: see `to_picture`.
    patch_size: int or (height, width) in pixels.
    predicted: (n,) integers in [0, n), the predicted position of each patch.
    context: (k,) indices of the context patches; by default no patch is hatched.
    titles: three texts.
    size: inches of the longer side of each picture; by default as large as fits a page.
    Raises ValueError for another number of positions, and for indices out of range.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    n = rows * cols
    predicted = check_indices(predicted, n, "predicted", length=n)
    hidden = np.full(n, context is not None)
    hidden[check_indices([] if context is None else context, n, "context")] = False
    counts = np.bincount(predicted, minlength=n)  # patches at each position
    painted = np.zeros(patches.shape)
    np.add.at(painted, predicted, patches)
    painted = (painted / np.maximum(counts, 1)[:, None, None, None]).round().astype(np.uint8)  # their mean
    right = predicted == np.arange(n)
    marked = np.where(right[:, None, None, None], patches, fade(patches))
    titles = titles or ("the context", "each patch at its predicted position", f"{right.sum()} of {n} are right")
    sheet = Sheet(3, picture.shape, 3, titles, title, size)
    for box, parts in zip(sheet.boxes, (patches, painted, marked), strict=True):
        sheet.picture(join_patches(parts, rows, cols), box)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, np.stack([hidden, counts == 0, np.zeros(n, bool)]))
    centres = cells[2] @ np.array([[1, 0], [0, 1], [0.5, 0], [0, 0.5]])
    starts, vectors = centres[~right], (centres[predicted] - centres)[~right]
    sheet.ax.quiver(*starts.T, *vectors.T, angles="xy", scale=1, scale_units="xy", units="inches", width=0.024,
                    headwidth=4.5, headlength=5, minlength=0, color=VERMILION, ec="white", lw=0.5)  # fmt: skip
    return sheet.fig


@styled
def jigsaw_step(
    image: ArrayLike, patch_size, placed: ArrayLike, order: ArrayLike, step: int, shuffled: ArrayLike | None = None,
    title: str | None = None, size: float | None = None,
) -> Figure:  # fmt: skip
    """A jigsaw after some steps, in three pictures.

    The first picture shows the shuffled patches that are left, the second the patches placed so far, the third which of
    these are right: right patches keep their colours, wrong patches are grey with a cross. The patch placed last is
    outlined. Positions without a patch are hatched.
    image: see `to_picture`.
    patch_size: int or (height, width) in pixels.
    placed: (n,) integers in [0, n), the position at which each patch is placed. Of several patches at one position, the
    second picture shows the one placed last, and the third the right one if it is among them.
    order: (n,) a permutation, the patch indices in the order in which patches are placed.
    step: number of patches placed, 0 to n.
    shuffled: (n,) a permutation, the position of each patch in the first picture; by default the true positions.
    size: inches of the longer side of each picture; by default as large as fits a page.
    Raises ValueError for indices out of range, for an order that is not a permutation, and for a step outside 0 to n.
    """
    [picture] = to_pictures([image])
    patches, (rows, cols) = cut(picture, patch_size)
    n = rows * cols
    placed = check_indices(placed, n, "placed", length=n)
    order = check_permutation(order, n, "order")
    shuffled = np.arange(n) if shuffled is None else check_permutation(shuffled, n, "shuffled")
    step = int(check_indices([step], n + 1, "step")[0])
    used = order[:step]  # the patches placed so far
    right = used[placed[used] == used]
    wrong = used[placed[used] != used]
    # the patches of the three pictures, by position
    left = np.empty_like(patches)
    left[shuffled] = patches
    so_far, checked = np.zeros_like(patches), np.zeros_like(patches)
    so_far[placed[used]] = patches[used]  # of several patches at one position, the last assignment counts
    checked[placed[wrong]] = fade(patches[wrong])
    checked[placed[right]] = patches[right]
    hidden = np.ones((3, n), bool)
    hidden[0] = np.isin(np.arange(n), shuffled[used])
    hidden[1:, placed[used]] = False
    titles = f"{n - step} patches left", f"{step} placed", f"{len(right)} of {step} are right"
    sheet = Sheet(3, picture.shape, 3, titles, title, size)
    for parts, box in zip((left, so_far, checked), sheet.boxes, strict=True):
        sheet.picture(join_patches(parts, rows, cols), box)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, hidden)
    if step:
        outline(sheet.ax, np.stack([cells[0, shuffled[used[-1]]], cells[1, placed[used[-1]]]]))
    # a cross on each wrong patch, unless the right patch covers it
    crossed = cells[2, placed[wrong]][~np.isin(placed[wrong], placed[right])]
    centres = crossed[:, :2] + crossed[:, 2:] / 2
    points = 36 * cells[0, 0, 2:].min()  # half of the shorter side of a patch
    sheet.ax.plot(*centres.T, "x", markersize=points * 0.9, markeredgewidth=3.5, color="white")
    sheet.ax.plot(*centres.T, "x", markersize=points * 0.8, markeredgewidth=1.8, color=VERMILION)
    return sheet.fig

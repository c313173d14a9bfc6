"""Figures of images, patches, masks and heat maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .patches import (
    as_flags,
    check_filled,
    check_flags,
    check_indices,
    check_texts,
    cut,
    to_numpy,
    to_picture,
    to_pictures,
)
from .sheet import Sheet, cells_of, color_range, draw_boxes, draw_grid, outline, paint, row_length, write_values
from .theme import HATCH, inches_of, styled


@styled
def image_grid(
    images: ArrayLike,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    title: str | None = None,
    size: float | None = None,
) -> Figure:
    """Images side by side.

    images: (b, 3, H, W), or a list of images of one size; see `to_picture`.
    titles: b texts, one above each image; columns: images in a row, at most.
    By default up to 6 images stand in rows of 3, and more images in rows of up to 8.
    size: inches of the longer side of each image; by default as large as fits a page.
    Raises ValueError for images of different sizes, and for another number of titles.
    """
    pictures = to_pictures(images)
    sheet = Sheet(len(pictures), pictures[0].shape, row_length(len(pictures), columns, size, 8), titles, title, size)
    for picture, box in zip(pictures, sheet.boxes, strict=True):
        sheet.picture(picture, box)
    return sheet.fig


@styled
def patch_grid(
    image: ArrayLike, patch_size, hidden=None, numbers: bool = False, title: str | None = None, mark: int | None = None,
    ax=None, size: float | None = None,
) -> Figure:  # fmt: skip
    """One image with the borders of its patches.

    image: see `to_picture`.
    patch_size: int or (height, width) in pixels.
    hidden: (n,) bool; hidden patches are hatched.
    numbers: write the index of each patch into it.
    mark: index of a patch to outline.
    ax: axes to draw on, in units of pixels of the image. By default a new figure is made.
    size: inches of the longer side of a new figure's image; by default as large as fits a page.
    Returns the new figure, or the figure of `ax`. Raises ValueError if the patches do not divide the image, and for
    flags or an index that do not fit its patches.
    """
    picture = to_picture(image)
    _, (rows, cols) = cut(picture, patch_size)
    if ax is None:
        sheet = Sheet(1, picture.shape, 1, None, title, size)
        ax, box = sheet.ax, sheet.boxes[0]
        sheet.picture(picture, box)
    else:
        box = (0, 0, picture.shape[1], picture.shape[0])
        paint(ax, picture, box)
        ax.set(xlim=(0, box[2]), ylim=(box[3], 0), aspect="equal", title=title or "")
        ax.set_axis_off()
    cells = cells_of(box, rows, cols)
    draw_grid(ax, cells, None if hidden is None else check_flags(hidden, rows * cols))
    if numbers:
        # white digits on a dark box in the centre of each patch; `inch` is the inches of one unit of the axes
        inch = np.abs(ax.transData.transform((1, 1)) - ax.transData.transform((0, 0))) / ax.figure.dpi
        points = min(12, 0.42 * 72 * (cells[0, 2:] * inch).min())
        centres = cells[:, :2] + cells[:, 2:] / 2
        label_size = inches_of("0" * len(str(rows * cols - 1)), points) + 0.07, points / 55
        boxes = np.hstack([centres - label_size / inch / 2, np.broadcast_to(label_size / inch, centres.shape)])
        draw_boxes(ax, boxes, "none", 0, facecolor="#000000a0")
        for i, (x, y) in enumerate(centres):
            ax.text(x, y, str(i), ha="center", va="center_baseline", fontsize=points, color="white")
    if mark is not None:
        outline(ax, cells[check_indices([mark], rows * cols, "mark")])
    return ax.figure


@styled
def mask_strip(
    images: ArrayLike, patch_size, hiddens: ArrayLike, titles: Sequence[str] | None = None, title: str | None = None,
    size: float | None = None,
) -> Figure:  # fmt: skip
    """Images under several masks: one row for each image, one column for each mask.

    Such a strip shows on a static page what a slider over masks shows in a live figure.
    images: (r, 3, H, W), or a list of r images of one size; see `to_picture`.
    patch_size: int or (height, width) in pixels.
    hiddens: (c, n) bool, or (r, c, n) if each image has its own masks; hidden patches are hatched.
    titles: c texts, one above each column.
    size: inches of the longer side of each image; by default as large as fits a page.
    Raises ValueError for masks of another shape.
    """
    pictures, hiddens = to_pictures(images), as_flags(hiddens, "hiddens")
    _, (rows, cols) = cut(pictures[0], patch_size)
    if hiddens.ndim == 2:
        hiddens = np.broadcast_to(hiddens, (len(pictures), *hiddens.shape))
    if hiddens.ndim != 3 or hiddens.shape[::2] != (len(pictures), rows * cols):
        raise ValueError(f"hiddens has shape {hiddens.shape}; expected ({len(pictures)}, masks, {rows * cols})")
    columns = hiddens.shape[1]
    if titles is not None:
        titles = check_texts(titles, columns) + [""] * (len(pictures) - 1) * columns
    sheet = Sheet(len(pictures) * columns, pictures[0].shape, columns, titles, title, size)
    for i, box in enumerate(sheet.boxes):
        sheet.picture(pictures[i // columns], box)
    draw_grid(sheet.ax, sheet.cells(rows, cols), hiddens.reshape(-1, rows * cols), 0.5)
    return sheet.fig


@styled
def heat_maps(
    values: ArrayLike, titles: Sequence[str] | None = None, columns: int | None = None, vmin: float | None = None,
    vmax: float | None = None, cmap=None, title: str | None = None, label: str = "", marks=None, hidden=None,
    size: float | None = None, annotate: bool = False, fmt: str = "{:.2f}",
) -> Figure:  # fmt: skip
    """Heat maps side by side, with one colour range and one colour bar.

    values: (m, rows, cols) or (rows, cols); NaN is left blank.
    titles: m texts, one above each map; columns: maps in a row, at most; by default as in `image_grid`.
    vmin, vmax: ends of the colour range, by default those of the values. Pass both in a live figure, so that the range
    stays the same when a slider moves.
    cmap: by default viridis, or blue-white-red where vmin < 0 < vmax.
    label: of the colour bar.
    marks: m indices of cells to outline, one in each map.
    hidden: (m, rows * cols) bool; hidden cells are hatched.
    size: inches of the longer side of each map; by default as large as fits a page.
    annotate: write each value, formatted with `fmt`, into its cell; for small maps.
    Raises ValueError for another shape, for empty maps, and for an index out of range.
    """
    values = to_numpy(values).astype(float)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise ValueError(f"values has shape {values.shape}; expected (m, rows, cols)")
    check_filled("values", values)
    m, rows, cols = values.shape
    colors = color_range(values, vmin, vmax, cmap)
    sheet = Sheet(m, (rows, cols), row_length(m, columns, size, 8), titles, title, size, bar=label)
    draw_boxes(sheet.ax, sheet.boxes, HATCH, 1)
    cells = sheet.cells(rows, cols)
    for box, value, inside in zip(sheet.boxes, values, cells, strict=True):
        image = paint(sheet.ax, value, box, **colors)
        if annotate:
            write_values(sheet.ax, image, inside, fmt)
    if hidden is not None:
        draw_grid(sheet.ax, cells, check_flags(hidden, m * rows * cols).reshape(m, -1))
    if marks is not None:
        marks = check_indices(marks, rows * cols, "marks", length=m)
        outline(sheet.ax, cells[np.arange(m), marks])
    sheet.colorbar(colors)
    return sheet.fig

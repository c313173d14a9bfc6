"""Figures: arrays in, a matplotlib `Figure` out. Nothing here computes a model, and nothing is shown as a side effect.

Here are pictures and their patches; `charts` holds matrices, curves and bars, `puzzles` what was put where. All of them
are reached as `plots.matrix` and so on.

The same in every figure: the title is the caller's finding; hidden patches are hatched grey; the patch in question is
outlined in orange; colours come from the Okabe-Ito set, which colour-blind readers can tell apart; patches are numbered
row by row from the top left. Arrays may be NumPy arrays, tensors on any device, or nested lists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .arrays import (
    check_flags,
    check_indices,
    check_texts,
    cut,
    fade,
    join_patches,
    reassemble,
    to_numpy,
    to_picture,
    to_pictures,
)
from .canvas import (
    BLUE,
    CLEAR_TO_BLUE,
    DPI,
    GREEN,
    GREY_TO_BLUE,
    HATCH,
    HIDDEN,
    INK,
    MUTED,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    Picture,
    Sheet,
    cells_of,
    color_range,
    draw_boxes,
    draw_grid,
    figure,
    inches_of,
    outline,
    paint,
    style,
    styled,
)
from .charts import bars, curves, matrix
from .puzzles import boards, predicted_positions

__all__ = [  # what a reader draws with, in one place
    "BLUE",
    "GREEN",
    "HIDDEN",
    "INK",
    "MUTED",
    "ORANGE",
    "PALE",
    "PURPLE",
    "SKY",
    "VERMILION",
    "Picture",
    "attention_over_image",
    "bars",
    "boards",
    "curves",
    "figure",
    "image_grid",
    "maps",
    "mask_strip",
    "matrix",
    "patch_grid",
    "predicted_positions",
    "reassemble",
    "style",
    "to_picture",
]


@styled
def image_grid(
    images: ArrayLike,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    title: str | None = None,
    size: float = 1.0,
) -> Figure:
    """Pictures side by side. images: (b, 3, H, W) or a list of images of one size; size: inches of a longer side."""
    pictures = to_pictures(images)
    sheet = Sheet(len(pictures), pictures[0].shape, columns, titles, title, size)
    for picture, box in zip(pictures, sheet.boxes, strict=True):
        sheet.picture(picture, box)
    return sheet.fig


@styled
def patch_grid(
    image: ArrayLike, patch_size, hidden=None, numbers: bool = False, title: str | None = None, mark: int | None = None,
    ax=None, size: float = 2.6,
) -> Figure:  # fmt: skip
    """One image with the lines of its patches.

    image: see `to_picture`; patch_size: int or (height, width) in pixels; hidden: (n,) bool, these are hatched;
    numbers: print each patch's index; mark: index of a patch to outline; ax: draw there, in pixels, instead of on a new
    figure; size: inches of the longer side. Raises ValueError if the patches do not divide the image.
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
        inch = np.abs(ax.transData.transform((1, 1)) - ax.transData.transform((0, 0))) / DPI  # of a unit of the axes
        points = min(10, 0.42 * 72 * (cells[0, 2:] * inch).min())
        middles, chip = (
            cells[:, :2] + cells[:, 2:] / 2,
            (inches_of("0" * len(str(rows * cols - 1)), points) + 0.07, points / 55),
        )
        chips = np.hstack([middles - chip / inch / 2, np.broadcast_to(chip / inch, middles.shape)])
        draw_boxes(ax, chips, "none", 0, facecolor="#000000a0")
        for i, (x, y) in enumerate(middles):
            ax.text(x, y, str(i), ha="center", va="center_baseline", fontsize=points, color="white")
    if mark is not None:
        outline(ax, cells[check_indices([mark], rows * cols, "mark")])
    return ax.figure


@styled
def mask_strip(
    images: ArrayLike, patch_size, hiddens: ArrayLike, titles: Sequence[str] | None = None, title: str | None = None,
    size: float = 1.0,
) -> Figure:  # fmt: skip
    """One row an image, one column a mask: what a mask slider shows, for a page without a kernel.

    images: (r, 3, H, W) or a list; hiddens: (c, n) bool, or (r, c, n) where each row has its own; titles: c texts.
    """
    pictures, hiddens = to_pictures(images), to_numpy(hiddens).astype(bool)
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
def maps(
    values: ArrayLike, titles: Sequence[str] | None = None, columns: int = 8, vmin: float | None = None,
    vmax: float | None = None, cmap=None, title: str | None = None, label: str = "", marks=None, hidden=None,
    size: float = 1.0, beside: float = 0.0,
) -> Figure:  # fmt: skip
    """Heat maps side by side, with one range and one colour bar.

    values: (m, rows, cols) or (rows, cols), NaN is left blank; vmin, vmax: ends of the colours, by default those of the
    values: give both wherever a slider moves; cmap: by default viridis, or blue-white-red where vmin < 0 < vmax;
    label: of the colour bar; marks: m cell indices to outline; hidden: (m, rows * cols) bool, hatched; beside: inches
    kept free at the right, for axes of your own (`fig.add_axes`).
    """
    values = to_numpy(values).astype(float)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise ValueError(f"values has shape {values.shape}; expected (m, rows, cols)")
    m, rows, cols = values.shape
    colors = color_range(values, vmin, vmax, cmap)
    sheet = Sheet(m, (rows, cols), columns, titles, title, size, right=0.7 + beside)
    draw_boxes(sheet.ax, sheet.boxes, HATCH, 1)
    for box, value in zip(sheet.boxes, values, strict=True):
        paint(sheet.ax, value, box, **colors)
    cells = sheet.cells(rows, cols)
    if hidden is not None:
        draw_grid(sheet.ax, cells, check_flags(hidden, m * rows * cols).reshape(m, -1))
    if marks is not None:
        marks = check_indices(marks, rows * cols, "marks", length=m)
        outline(sheet.ax, cells[np.arange(m), marks])
    sheet.colorbar(label, colors)
    return sheet.fig


@styled
def attention_over_image(
    image: ArrayLike, patch_size, weights: ArrayLike, context: ArrayLike, query: int,
    titles: Sequence[str] | None = None, title: str | None = None, columns: int = 5, vmax: float | None = None,
    size: float = 1.6, result: ArrayLike | None = None,
) -> Figure:  # fmt: skip
    """What one patch looks at: the picture, then for each head its attention over the context, in blue on a grey copy.

    weights: (h, k), the query's attention to each context patch; context: (k,) patch indices, all others are hatched;
    query: index of the patch that looks: outlined, and never hatched, for it knows its own pixels; titles: h texts;
    vmax: end of the colours (default: the largest weight); result: a last picture of the same size, such as
    what the patches receive; `titles` then needs a text more. The line in the colour bar is 1/k, an even look at all.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    n, weights = rows * cols, np.atleast_2d(to_numpy(weights).astype(float))
    context, asking = check_indices(context, n, "context"), check_indices([query], n, "query")
    if weights.ndim != 2 or weights.shape[1] != len(context):
        raise ValueError(f"weights has shape {weights.shape}; expected (heads, {len(context)})")
    heads, more = len(weights), [] if result is None else to_pictures([image, result])[1:]
    titles = [f"head {i}" for i in range(heads)] + ["result"] * len(more) if titles is None else titles
    titles = ["the picture", *check_texts(titles, heads + len(more))]
    top, hidden = float(vmax or weights.max() or 1), np.ones(n, bool)
    hidden[context] = hidden[asking] = False
    sheet = Sheet(len(titles), picture.shape, columns, titles, title, size, right=0.7)
    shown = [picture] + [join_patches(fade(patches), rows, cols)] * heads + more
    for i, (one, box) in enumerate(zip(shown, sheet.boxes, strict=True)):
        sheet.picture(one, box)
        if 1 <= i <= heads:
            heat = np.full(n, np.nan)
            heat[context] = weights[i - 1]
            paint(sheet.ax, heat.reshape(rows, cols), box, vmin=0, vmax=top, cmap=CLEAR_TO_BLUE)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, hidden & (np.arange(len(cells)) <= heads)[:, None])
    outline(sheet.ax, cells[:, asking])
    label = "attention" if weights.max() <= top else f"attention, at most {weights.max():.2f}"
    sheet.colorbar(label, {"vmin": 0, "vmax": top, "cmap": GREY_TO_BLUE}, level=1 / len(context))
    return sheet.fig

"""A heat map, and beside it the values along one of its rows."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .patches import check_filled, check_indices, to_numpy
from .sheet import BAR, Sheet, color_range, draw_boxes, outline, paint, ticks_of
from .theme import BLUE, HATCH, INK, MUTED, ORANGE, PALE, lines_high, styled, wrap

WIDE, MAP = 4.05, 2.64  # inches: the width of the line's area, and the longer side of the map


@styled
def map_and_row(
    values: ArrayLike, mark: int, title: str | None = None, label: str = "", xlabel: str = "",
    vmin: float | None = None, vmax: float | None = None, cmap=None,
) -> Figure:  # fmt: skip
    """A heat map with one cell outlined, and beside it the values along the row of that cell as a line.

    Both are drawn on one axes: a second one, with its ticks, would take as long as all the rest.

    values: (rows, cols), finite numbers.
    mark: index of the cell, from 0 to rows * cols - 1.
    label: what the values are, for the line's vertical axis; xlabel: what the columns are.
    vmin, vmax, cmap: as in `heat_maps`; the line's vertical axis has the same range.
    Raises ValueError for another shape, an empty map, an index out of range, and for values that are not finite.
    """
    values = to_numpy(values).astype(float)
    if values.ndim != 2:
        raise ValueError(f"values has shape {values.shape}; expected (rows, cols)")
    check_filled("values", values)
    if not np.isfinite(values).all():
        raise ValueError(f"values holds {values[~np.isfinite(values)][0]}; expected finite numbers")
    (rows, cols), colors = values.shape, color_range(values, vmin, vmax, cmap)
    row, column = divmod(int(check_indices([mark], rows * cols, "mark")[0]), cols)
    xlabel, label = wrap(xlabel, WIDE, 9), wrap(label, MAP - 0.6, 9)
    below, left = 0.22 + lines_high(xlabel), 0.45 + lines_high(label)
    room = below + 2.2 - MAP * min(1, rows / cols)  # what a low map lacks beside the line
    sheet = Sheet(1, (rows, cols), 1, None, title, MAP, right=left + WIDE, bottom=max(room, 0), bar="")
    ax, (x, y, w, h) = sheet.ax, sheet.boxes[0]
    draw_boxes(ax, [(x, y, w, h)], HATCH, 1)
    paint(ax, values, (x, y, w, h), **colors)
    outline(ax, sheet.cells(rows, cols)[0, [mark]])
    sheet.colorbar(colors)
    # the area of the line, in inches: its left, right, top and bottom edge
    start = x + w + BAR + left
    stop, top, bottom = start + WIDE - 0.1, y, y + max(h, 2.2 + below) - below
    low, high = colors["vmin"], colors["vmax"]
    xs = start + (np.arange(cols) + 0.5) * (stop - start) / cols
    heights = bottom - (0.04 + 0.92 * (values[row] - low) / (high - low)) * (bottom - top)
    written = sorted({0, column, cols - 1})
    lines = [(xs[i], top, 0, bottom - top) for i in written]
    for tick, text in ticks_of(low, high, 4):
        level = bottom - (0.04 + 0.92 * (tick - low) / (high - low)) * (bottom - top)
        lines.append((start, level, stop - start, 0))
        ax.text(start - 0.06, level, text, ha="right", va="center_baseline", color=MUTED)
    draw_boxes(ax, lines, PALE, 0.8)
    draw_boxes(ax, [(start, top, 0, bottom - top), (start, bottom, stop - start, 0)], HATCH, 0.8)
    ax.plot(xs, heights, "o-", color=BLUE)
    ax.plot(xs[column], heights[column], "s", color=ORANGE, markersize=8)
    for i in written:
        ax.text(xs[i], bottom + 0.06, str(i), ha="center", va="top", color=MUTED)
    ax.text((start + stop) / 2, bottom + 0.26, xlabel, ha="center", va="top", color=INK)
    ax.text(x + w + BAR, (top + bottom) / 2, label, ha="left", va="center", rotation=90, color=INK)
    return sheet.fig

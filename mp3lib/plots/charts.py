"""Figures of numbers: matrices, curves and bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ..luma import LUMA
from .patches import check_texts, to_numpy
from .sheet import Sheet, color_range, paint
from .theme import BLUE, INK, MUTED, figure, inches_of, styled


@styled
def matrix(
    values: ArrayLike, title: str | None = None, xlabel: str = "", ylabel: str = "", vmin: float | None = None,
    vmax: float | None = None, cmap=None, annotate: bool = False, row_labels: Sequence | None = None,
    col_labels: Sequence | None = None, label: str = "", size: float = 3.2, fmt: str = "{:.2f}",
) -> Figure:  # fmt: skip
    """A matrix as an image with labelled rows and columns: attention, similarities, confusion matrices.

    values: (rows, cols).
    xlabel, ylabel: names of the axes.
    vmin, vmax, cmap: as in `heat_maps`.
    annotate: write each value, formatted with `fmt`, into its cell; for small matrices.
    row_labels, col_labels: one text for each row or column; by default their indices.
    label: of the colour bar.
    size: inches of the longer side of the matrix.
    Raises ValueError for another shape, or another number of labels.
    """
    values = to_numpy(values).astype(float)
    if values.ndim != 2:
        raise ValueError(f"values has shape {values.shape}; expected (rows, cols)")
    (rows, cols), colors = values.shape, color_range(values, vmin, vmax, cmap)
    labels = [
        check_texts(range(count) if texts is None else texts, count)
        for texts, count in ((row_labels, rows), (col_labels, cols))
    ]
    # the longest label of the rows, and of the columns, decides how much space the labels need
    widths, cell = [max(inches_of(text, 8.5) for text in texts) for texts in labels], size / max(rows, cols)
    rotated = col_labels is not None and widths[1] > 0.95 * cell
    left, bottom = widths[0] + 0.1 + 0.2 * bool(ylabel), (widths[1] if rotated else 0.16) + 0.05 + 0.18 * bool(xlabel)
    sheet = Sheet(1, (rows, cols), 1, None, title, size, left=left, right=0.7, bottom=bottom)
    ax, (x, y, w, h) = sheet.ax, sheet.boxes[0]
    image = paint(ax, values, (x, y, w, h), **colors)
    font = {"fontsize": 8.5, "rotation_mode": "anchor"}
    for i in range(0, rows, tick_step(rows) if row_labels is None else 1):
        ax.text(x - 0.06, y + (i + 0.5) * h / rows, labels[0][i], ha="right", va="center", **font)
    for i in range(0, cols, tick_step(cols) if col_labels is None else 1):
        spot = (x + (i + 0.5) * w / cols, y + h + 0.05)
        if rotated:
            ax.text(*spot, labels[1][i], ha="right", va="center", rotation=90, **font)
        else:
            ax.text(*spot, labels[1][i], ha="center", va="top", **font)
    ax.text(x + w / 2, y + h + bottom, xlabel, ha="center", va="bottom")
    ax.text(x - left, y + h / 2, ylabel, ha="left", va="center", rotation=90)
    for r, c in np.ndindex(values.shape) if annotate else ():
        # white digits on dark cells
        dark = np.dot(image.cmap(image.norm(values[r, c]))[:3], LUMA) < 0.55
        ax.text(x + (c + 0.5) * w / cols, y + (r + 0.5) * h / rows, fmt.format(values[r, c]), ha="center", va="center",
                color="white" if dark else INK, fontsize=min(9, w / cols * 22))  # fmt: skip
    sheet.colorbar(label, colors)
    return sheet.fig


def tick_step(count):
    """The distance between written ticks: the smallest power of 2 that leaves at most 12 of `count` ticks."""
    return next(step for step in (2**i for i in range(32)) if count <= 12 * step)


@styled
def curves(
    series: Mapping[str, tuple], xlabel: str = "", ylabel: str = "", title: str | None = None,
    levels: Mapping[str, float] | None = None, logy: bool = False, ylim=None, width: float = 6.5, height: float = 3.2,
    colors: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """Line plots. Each name stands to the right of its line; a line that ends in the left half is named above its end.

    series: name -> (x, y). x is (points,). y is (points,), or (seeds, points): then the line is the mean over seeds, in
    a band from the lowest to the highest value.
    levels: name -> y of a horizontal dashed line, such as chance.
    logy: logarithmic y axis; ylim: (low, high).
    width, height: inches.
    colors: name -> colour, for series and levels. By default series use the palette in order, and levels are grey.
    Raises ValueError if x and y differ in length.
    """
    fig, ax = figure(width, height, title=title)
    ends, colors = [], colors or {}
    last = max((float(np.max(to_numpy(x))) for x, _ in series.values() if len(x)), default=0.0)
    for i, (name, (x, y)) in enumerate(series.items()):
        x, y = to_numpy(x), np.atleast_2d(to_numpy(y))
        if y.shape[-1] != len(x):
            raise ValueError(f"series {name!r} has {len(x)} x values and y of shape {y.shape}")
        marker = "osD^vPX"[i % 7] if len(x) <= 15 else ""
        (line,) = ax.plot(x, y.mean(0), marker=marker, markersize=4.5, color=colors.get(name))
        if len(y) > 1:
            ax.fill_between(x, y.min(0), y.max(0), color=line.get_color(), alpha=0.18, linewidth=0)
        if len(x) and x[-1] < 0.5 * last:
            at = (float(x[-1]), float(y.mean(0)[-1]))
            ax.annotate(name, at, (0, 11), textcoords="offset points", ha="center", color=darker(line.get_color()))
        else:
            ends.append((float(y.mean(0)[-1]), name, line.get_color()))
    for name, level in (levels or {}).items():
        color = colors.get(name, MUTED)
        ax.axhline(level, color=color, linestyle=(0, (4, 3)), linewidth=1.2)
        ends.append((float(level), name, color))
    if all(to_numpy(x).dtype.kind in "iu" for x, _ in series.values()):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(x=0.02)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if logy else "linear", ylim=ylim)
    # Place the names at the right, in fractions of the axes: first push them up, until each is a line's height above
    # the one below it, then push those that are above the top down again.
    to_axes, step = ax.transData + ax.transAxes.inverted(), 0.18 / max(height - 0.9, 0.5)
    ends = sorted((float(np.clip(to_axes.transform((0, y))[1], 0, 1)), name, color) for y, name, color in ends)
    spots = [spot for spot, _, _ in ends]
    for i in range(1, len(spots)):
        spots[i] = max(spots[i], spots[i - 1] + step)
    for i in reversed(range(len(spots))):
        spots[i] = min(spots[i], 1 - (len(spots) - 1 - i) * step)
    for spot, (_, name, color) in zip(spots, ends, strict=True):
        at = dict(xycoords="axes fraction", textcoords="offset points", va="center")
        ax.annotate(name, (1, spot), (5, 0), color=darker(color), **at)
    return fig


def darker(color: str) -> np.ndarray:
    """A darker tone of a colour, as RGB in [0, 1], for text: letters are thinner than lines."""
    return np.multiply(to_rgb(color), 0.75)


@styled
def bars(
    values: Mapping, label: str = "", title: str | None = None, levels: Mapping[str, float] | None = None,
    highlight: Collection[str] = (), fmt: str = "{:.2f}", xlim=None, width: float = 6.5,
) -> Figure:  # fmt: skip
    """Horizontal bars with their values.

    values: name -> a number, or several numbers (seeds): then the bar is their mean, and a dot shows each number.
    label: of the value axis, with its unit.
    levels: name -> value of a vertical dashed line, such as chance.
    highlight: a name or names of blue bars; the others are grey. By default all bars are blue.
    fmt: format of the written values; xlim: (low, high); width: inches.
    """
    runs = {name: np.atleast_1d(to_numpy(several).astype(float)) for name, several in values.items()}
    highlight = {highlight} if isinstance(highlight, str) else set(highlight) or set(runs)
    fig, ax = figure(width, 0.34 * len(runs) + (0.75 if title else 0.5) + (0.2 if levels else 0), title=title)
    for i, (name, run) in enumerate(runs.items()):
        ax.barh(i, run.mean(), color=BLUE if name in highlight else "#b5b5b5", height=0.68)
        if len(run) > 1:
            ax.plot(run, np.full(len(run), i), "o", markersize=4, color="white", markeredgecolor=INK)
        ax.annotate(fmt.format(run.mean()), (max(run.max(), 0), i), (6, 0), textcoords="offset points", va="center")
    for name, level in (levels or {}).items():
        ax.axvline(level, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
        ax.annotate(name, (level, 1), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
                    ha="center", va="bottom", color=MUTED)  # fmt: skip
    ax.set_yticks(range(len(runs)), list(runs), color=INK)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.12, y=0.03)
    ax.invert_yaxis()
    ax.set(xlabel=label, xlim=xlim)
    return fig

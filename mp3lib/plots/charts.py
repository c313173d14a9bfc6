"""Figures of numbers: matrices, curves and bars."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, Locator, MaxNLocator
from numpy.typing import ArrayLike

from .patches import check_filled, check_texts, to_numpy
from .sheet import BAR, Sheet, color_range, paint, write_values
from .theme import BLUE, DPI, INK, MUTED, PAPER, WIDTH, figure, inches_of, lines_high, readable, styled, wrap

# the dashes of horizontal and vertical lines, in order: dashed, dotted, dash and dot
DASHES = [(0, (5, 3)), (0, (1, 1.6)), (0, (7, 2, 1, 2))]
PERCENT = "{x:.0%}"  # of the ticks of an axis of shares


@styled
def matrix(
    values: ArrayLike, title: str | None = None, xlabel: str = "", ylabel: str = "", vmin: float | None = None,
    vmax: float | None = None, cmap=None, annotate: bool = False, row_labels: Sequence | None = None,
    col_labels: Sequence | None = None, label: str = "", size: float | None = None, fmt: str = "{:.2f}",
) -> Figure:  # fmt: skip
    """A matrix as an image with labelled rows and columns: attention, similarities, confusion matrices.

    values: (rows, cols).
    xlabel, ylabel: names of the axes.
    vmin, vmax, cmap: as in `heat_maps`.
    annotate: write each value, formatted with `fmt`, into its cell; for small matrices.
    row_labels, col_labels: one text for each row or column; by default their indices.
    label: of the colour bar.
    size: inches of the longer side of the matrix, with square cells. By default the matrix is as wide as fits a page:
    cells are square where it has as many rows as columns, else they may be wider than high.
    Raises ValueError for another shape, for an empty matrix, or another number of labels.
    """
    values = to_numpy(values).astype(float)
    if values.ndim != 2:
        raise ValueError(f"values has shape {values.shape}; expected (rows, cols)")
    check_filled("values", values)
    (rows, cols), colors = values.shape, color_range(values, vmin, vmax, cmap)
    labels = [
        check_texts(range(count) if texts is None else texts, count)
        for texts, count in ((row_labels, rows), (col_labels, cols))
    ]
    # the labels of the rows, with a label of the axis of one line
    beside = max(inches_of(wrap(text, 2.0, 8.5), 8.5) for text in labels[0]) + 0.3
    wide, high = cell_size(rows, cols, WIDTH - beside - BAR - 0.32) if size is None else [size / max(rows, cols)] * 2
    # Labels of the columns are rotated where they are wider than a column. Long labels get several lines.
    rotated = col_labels is not None and max(inches_of(text, 8.5) for text in labels[1]) > 0.95 * wide
    labels = [[wrap(text, 2.0, 8.5) for text in texts] for texts in labels]
    xlabel, ylabel = wrap(xlabel, max(wide * cols, 2.2), 9), wrap(ylabel, max(high * rows, 1.5), 9)
    # the longest label of the rows, and of the columns, decides how much space the labels need
    widths = [max(inches_of(text, 8.5) for text in texts) for texts in labels]
    left = widths[0] + 0.1 + lines_high(ylabel)
    bottom = (widths[1] if rotated else 0.16) + 0.05 + lines_high(xlabel)
    # a label longer than the matrix needs room on both sides of its middle
    beyond = max(inches_of(xlabel, 9) - wide * cols, 0) / 2 if xlabel else 0.0
    left = max(left, beyond)
    shape = (whole_pixels(high) * rows, whole_pixels(wide) * cols)
    sheet = Sheet(1, shape, 1, None, title, max(shape) / DPI, left=left, bottom=bottom, bar=label)
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
    if annotate:
        write_values(ax, image, sheet.cells(rows, cols)[0], fmt)
    sheet.colorbar(colors)
    return sheet.fig


def cell_size(rows, cols, room):
    """The inches (width, height) of a matrix's cells, for a matrix that may be `room` inches wide."""
    if rows == cols:
        return [min(float(np.clip(0.5 * rows, 4.0, 5.6)), room) / rows] * 2
    high = float(np.clip(0.5 * rows, 2.2, 4.4)) / rows
    return min(room / cols, max(2.6 * high, 4.0 / cols)), high


def whole_pixels(inches):
    """The drawn pixels of so many inches, a whole number unless it is below 1."""
    return round(inches * DPI) if inches * DPI > 1 else inches * DPI


def tick_step(count):
    """The distance between written ticks: the smallest power of 2 that leaves at most 12 of `count` ticks."""
    return next(step for step in (2**i for i in range(32)) if count <= 12 * step)


def whole_ticks(xs: Sequence[ArrayLike], inches: float) -> Locator:
    """Where an axis of whole numbers has ticks: at the points themselves where there is room, else at round numbers.

    xs: the whole numbers of each series; inches: the length of the axis.
    """
    points = np.unique(np.concatenate([to_numpy(x) for x in xs])) if xs else np.zeros(0)
    if 3 <= len(points) <= 12:
        apart = inches * np.diff(points).min() / (points[-1] - points[0])
        if apart > max(inches_of(str(point), 9) for point in points) + 0.1:
            return FixedLocator(points)
    return MaxNLocator(integer=True, steps=[1, 2, 4, 5, 10])


@styled
def curves(
    series: Mapping[str, tuple], xlabel: str = "", ylabel: str = "", title: str | None = None,
    levels: Mapping[str, float] | None = None, logy: bool = False, ylim=None, width: float = WIDTH, height: float = 3.8,
    colors: Mapping[str, str] | None = None, percent: bool = False,
) -> Figure:  # fmt: skip
    """Line plots. Each name stands to the right of its line; a line that ends in the left half is named above its end.

    series: name -> (x, y). x is (points,). y is (points,), or (seeds, points): then the line is the mean over seeds, in
    a band from the lowest to the highest value.
    levels: name -> y of a horizontal line, such as chance: the first is dashed, the second dotted.
    logy: logarithmic y axis; ylim: (low, high).
    width, height: inches.
    colors: name -> colour, for series and levels. By default series use the palette in order, and levels are grey.
    percent: y is a share from 0 to 1, and its axis says per cent.
    Raises ValueError if x and y differ in length, or are empty.
    """
    for name, (x, y) in series.items():
        check_filled(name, x)
        check_filled(name, y)
    fig, ax = figure(width, height, title=title)
    ends, colors, room = [], colors or {}, 0.24 * width  # room: inches for the names at the right
    last = max((float(np.max(to_numpy(x))) for x, _ in series.values()), default=0.0)
    for i, (name, (x, y)) in enumerate(series.items()):
        x, y = to_numpy(x), np.atleast_2d(to_numpy(y))
        if y.shape[-1] != len(x):
            raise ValueError(f"series {name!r} has {len(x)} x values and y of shape {y.shape}")
        marker = "osD^vPX"[i % 7] if len(x) <= 15 else ""
        (line,) = ax.plot(x, y.mean(0), marker=marker, markersize=4.5, color=colors.get(name))
        if len(y) > 1:
            ax.fill_between(x, y.min(0), y.max(0), color=line.get_color(), alpha=0.18, linewidth=0)
        if x[-1] < 0.5 * last:
            at = (float(x[-1]), float(y.mean(0)[-1]))
            ax.annotate(name, at, (0, 11), textcoords="offset points", ha="center", color=readable(line.get_color()))
        else:
            ends.append((float(y.mean(0)[-1]), name, line.get_color()))
    for (name, level), dashes in zip((levels or {}).items(), itertools.cycle(DASHES), strict=False):
        color = colors.get(name, MUTED)
        ax.axhline(level, color=color, linestyle=dashes, linewidth=1.6)
        ends.append((float(level), name, color))
    if all(to_numpy(x).dtype.kind in "iu" for x, _ in series.values()):
        ax.xaxis.set_major_locator(whole_ticks([x for x, _ in series.values()], width - room - 1))
    ax.margins(x=0.02)
    ax.set(xlabel=wrap(xlabel, width - room - 1, 9), ylabel=wrap(ylabel, height - 1, 9))
    ax.set(yscale="log" if logy else "linear", ylim=ylim)
    if percent:
        ax.yaxis.set_major_formatter(PERCENT)
    # Place the names at the right, in fractions of the axes. `highs` are the heights of their lines of text. First push
    # the names up, until each is above the one below it, then push those that are above the top down again.
    to_axes, line_high = ax.transData + ax.transAxes.inverted(), 0.17 / max(height - 0.9, 0.5)
    ends = sorted((float(np.clip(to_axes.transform((0, y))[1], 0, 1)), wrap(n, room, 9), color) for y, n, color in ends)
    spots, highs = [spot for spot, _, _ in ends], [line_high * (text.count("\n") + 1) for _, text, _ in ends]
    for i in range(1, len(spots)):
        spots[i] = max(spots[i], spots[i - 1] + (highs[i - 1] + highs[i]) / 2)
    top = 1 + line_high / 2
    for i in reversed(range(len(spots))):
        spots[i] = min(spots[i], top - highs[i] / 2)
        top = spots[i] - highs[i] / 2
    for spot, (_, name, color) in zip(spots, ends, strict=True):
        at = dict(xycoords="axes fraction", textcoords="offset points", va="center")
        ax.annotate(name, (1, spot), (5, 0), color=readable(color), **at)
    return fig


@styled
def bars(
    values: Mapping, label: str = "", title: str | None = None, levels: Mapping[str, float] | None = None,
    highlight: Collection[str] = (), fmt: str = "{:.2f}", xlim=None, width: float = WIDTH,
) -> Figure:  # fmt: skip
    """Horizontal bars with their values.

    values: name -> a number, or several numbers (seeds): then the bar is their mean, and a dot shows each number.
    label: of the value axis, with its unit.
    levels: name -> value of a vertical line, such as chance: the first is dashed, the second dotted.
    highlight: a name or names of blue bars; the others are grey. By default all bars are blue.
    fmt: format of the written values; with % the axis says per cent, too; xlim: (low, high); width: inches.
    Raises ValueError if there is no bar, or a bar without a number.
    """
    check_filled("values", list(values))
    runs = {name: np.atleast_1d(to_numpy(several).astype(float)) for name, several in values.items()}
    for name, run in runs.items():
        check_filled(name, run)
    highlight = {highlight} if isinstance(highlight, str) else set(highlight) or set(runs)
    names = [wrap(name, 0.32 * width, 9) for name in runs]
    lines = sum(max(1, 0.55 * (name.count("\n") + 1)) for name in names)
    titled = 0.18 * (wrap(title, width - 0.2, 10.5, "bold").count("\n") + 1) + 0.1 if title else 0
    fig, ax = figure(width, max(0.36 * lines, 2.4) + 0.6 + titled + 0.2 * bool(levels), title=title)
    for i, (name, run) in enumerate(runs.items()):
        ax.barh(i, run.mean(), color=BLUE if name in highlight else "#a9a7a2", height=0.68)
        if len(run) > 1:
            ax.plot(run, np.full(len(run), i), "o", markersize=4, color="white", markeredgecolor=INK)
        ax.annotate(fmt.format(run.mean()), (max(run.max(), 0), i), (6, 0), textcoords="offset points", va="center",
                    bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5})  # fmt: skip
    for (name, level), dashes in zip((levels or {}).items(), itertools.cycle(DASHES), strict=False):
        ax.axvline(level, color=INK, linestyle=dashes, linewidth=1.4)
        ax.annotate(wrap(name, 0.3 * width, 9), (level, 1), (0, 2), xycoords=("data", "axes fraction"),
                    textcoords="offset points", ha="center", va="bottom", color=MUTED)  # fmt: skip
    ax.set_yticks(range(len(runs)), names, color=INK)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.12, y=0.03)
    ax.invert_yaxis()
    ax.set(xlabel=wrap(label, 0.6 * width, 9), xlim=xlim)
    if "%}" in fmt:
        ax.xaxis.set_major_formatter(PERCENT)
    return fig

"""A sheet of small pictures on one axes, and the functions that draw on it: pictures, patch borders, outlines."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform

from .dark import keeps_colors, note
from .patches import check_texts
from .theme import DPI, HATCH, HIDDEN, INK, MUTED, ORANGE, PAPER, WIDTH, Picture, contrast, inches_of, wrap

SMALLEST, LARGEST = 0.64, 3.84  # inches of the longer side of a picture, where a function chooses the size
FOUR = 2.08  # inches of each of four pictures in a row, for which a figure becomes a little wider than WIDTH
BAR = 0.72  # inches for a colour bar with a label of one line


class Sheet:
    """A figure with a single axes and a box (x, y, w, h) for each small picture.

    The axes measures inches from the top left corner of the figure. One axes for all pictures is drawn several times
    faster than one axes for each, and needs no layout engine.

    count, shape: number of pictures, and their (height, width) in pixels.
    columns: pictures in a row, at most.
    titles: None, or `count` texts, one above each picture.
    title: None or the text above all pictures. It is also the alt text of the figure.
    size: inches of the longer side of a picture; None for as large as a page allows, between SMALLEST and LARGEST.
    It is rounded to whole drawn pixels for each pixel of the picture.
    left, right, bottom: inches kept free there.
    bar: None, or the label of a colour bar to the right of the pictures, for which room is kept; see `colorbar`.

    Attributes: `fig` and `ax`; `boxes`, a list of (x, y, w, h) in inches; `unit`, the inches of one pixel of a picture;
    `gap`, the inches between pictures; `width` and `height`, the inches of the figure.
    """

    def __init__(self, count, shape, columns, titles, title, size, left=0.0, right=0.0, bottom=0.0, bar=None):
        if not count:
            raise ValueError("nothing to draw: got 0 pictures")
        columns, longer, beside = min(columns, count), max(shape[:2]), right + BAR * (bar is not None)
        gap = 0.16 if columns <= 3 and (size is None or size > 1.2) else 0.08
        if size is None:
            room = (WIDTH - left - beside - gap * (columns + 1)) / columns  # for the width of a picture
            room = max(room, FOUR) if columns == 4 and not (left or beside) else room
            unit = np.clip(room * longer / shape[1], SMALLEST, LARGEST) / longer
            unit = max(np.floor(unit * DPI), 1) / DPI if unit * DPI > 1 else unit
        else:
            unit = size / longer
            unit = round(unit * DPI) / DPI if unit * DPI > 1 else unit
        w, h = shape[1] * unit, shape[0] * unit
        width = round(max(columns * (w + gap) + gap + left + beside, 3.2), 2)
        title = wrap(title, width - 2 * gap, 10.5, "bold") if title else ""
        texts = [wrap(text, w + 0.6 * gap, 8.5) for text in check_texts(titles or [""] * count, count)]
        # from top to bottom: the title, then for each row of pictures their titles and the pictures
        y = gap + (0.18 * (title.count("\n") + 1) + 0.08 if title else 0)
        self.boxes, self.unit, self.gap = [], unit, gap
        for start in range(0, count, columns):
            lines = max(text.count("\n") + 1 if text else 0 for text in texts[start : start + columns])
            y += 0.15 * lines + 0.05 * bool(lines)
            self.boxes += [(gap + left + i * (w + gap), y, w, h) for i in range(min(columns, count - start))]
            y += h + gap
        self.boxes = [(round(x * DPI) / DPI, round(y * DPI) / DPI, w, h) for x, y, w, h in self.boxes]
        self.height = round(y + bottom, 2)
        # a long label of the colour bar has several lines
        self.bar = wrap(bar, max(self.height - 2 * gap, 0.5), 9) if bar else ""
        self.width = width = round(width + 0.16 * self.bar.count("\n"), 2)
        self.fig = Picture(figsize=(self.width, self.height))
        self.ax = self.fig.add_axes((0, 0, 1, 1), xlim=(0, self.width), ylim=(self.height, 0), autoscale_on=False)
        self.ax.set_axis_off()
        self.ax.text(gap, gap, title, va="top", fontsize=10.5, fontweight="bold", linespacing=1.15)
        self.fig.alt = " ".join(title.split())
        for (x, y, w, _), text in zip(self.boxes, texts, strict=True):
            self.ax.text(x + w / 2, y - 0.05, text, ha="center", va="bottom", fontsize=8.5)

    def picture(self, picture, box):
        """Draw a picture (H, W, 3) into a box."""
        paint(self.ax, picture, box)

    def cells(self, rows, cols):
        """The boxes x, y, w, h of every patch of every picture, in inches: (pictures, rows * cols, 4)."""
        return np.stack([cells_of(box, rows, cols) for box in self.boxes])

    def colorbar(self, colors, level=None):
        """Draw a colour bar to the right of the pictures, with the label `bar` of the sheet.

        colors: as `color_range` returns them; level: a value to mark with an orange line.
        It is drawn without `Figure.colorbar`, whose second axes takes longer to draw than everything else.
        """
        (_, top, w, _), (_, y, _, h) = self.boxes[0], self.boxes[-1]
        x, tall = max(box[0] for box in self.boxes) + w + self.gap, min(y + h - top, 4.0)
        low, high = colors["vmin"], colors["vmax"]
        paint(self.ax, np.linspace(high, low, 256)[:, None], (x, top, 0.1, tall), **colors)
        for tick, text in ticks_of(low, high, 4 if tall > 0.8 else 2):
            spot = (x + 0.14, top + tall * (high - tick) / (high - low))
            self.ax.text(*spot, text, va="center_baseline", fontsize=8, color=MUTED)
        edge = x + BAR - 0.04 + 0.16 * self.bar.count("\n")
        # beside the middle of the bar, but inside the figure
        half = inches_of(self.bar, 9) / 2 if self.bar else 0
        middle = np.clip(
            top + tall / 2, min(half + 0.05, self.height / 2), max(self.height - half - 0.05, self.height / 2)
        )
        self.ax.text(edge, middle, self.bar, ha="right", va="center", rotation=90, multialignment="center")
        if level is not None and low <= level <= high:
            spot = top + tall * (high - level) / (high - low)
            draw_boxes(self.ax, [(x - 0.02, spot, 0.14, 0)], ORANGE, 2)


def ticks_of(low, high, most):
    """Round numbers from low to high, at most `most` steps apart, and their texts: [(tick, text), ...]."""
    ticks = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = ticks[(ticks >= low - 1e-9 * (high - low)) & (ticks <= high + 1e-9 * (high - low))]
    # the smallest number of digits that writes all ticks exactly
    digits = next((d for d in range(4) if np.allclose(ticks, ticks.round(d), rtol=0, atol=1e-6 * (high - low))), None)
    texts = [f"{tick:g}" if digits is None else f"{tick + 0.0:.{digits}f}" for tick in ticks]
    return [(tick, text.replace("-", "\N{MINUS SIGN}")) for tick, text in zip(ticks, texts, strict=True)]


def row_length(count, columns, size, most):
    """Pictures in a row: `columns` if given, else `most` with a given size, else few enough for large pictures."""
    if columns is not None or size is not None:
        return columns or most
    return min(most, 3 if count <= 6 else 4 if count <= 8 else most)


def color_range(values, vmin, vmax, cmap):
    """The keyword arguments vmin, vmax and cmap for `paint`. Defaults come from the values, ignoring NaN and infinity.

    The default colour map is blue-white-red where vmin < 0 < vmax, else viridis.
    """
    finite = values[np.isfinite(values)]
    vmin = float(finite.min(initial=np.inf) if finite.size else 0) if vmin is None else vmin
    vmax = float(finite.max(initial=-np.inf) if finite.size else 1) if vmax is None else vmax
    vmax = vmax if vmax > vmin else vmin + 1
    return {"vmin": vmin, "vmax": vmax, "cmap": cmap or ("RdBu_r" if vmin < 0 < vmax else "viridis")}


class Pixels(AxesImage):
    """An image whose pixels become rectangles of one colour, like `interpolation="nearest"` but several times faster.

    An image with more pixels than the figure has there is averaged by matplotlib's own way.
    """

    noted = True  # `paint`, which makes all of these, says whether they keep their colours on a dark page

    def make_image(self, renderer, magnification=1.0, unsampled=False):
        left, right, bottom, top = self.get_extent()
        corners = self.get_transform().transform([(left, bottom), (right, top)])
        (x0, y0), (x1, y1) = np.rint(corners.min(0)).astype(int), np.rint(corners.max(0)).astype(int)
        colors = self.get_array()
        if y1 - y0 < len(colors) or x1 - x0 < colors.shape[1] or magnification != 1 or unsampled:
            return super().make_image(renderer, magnification, unsampled)
        colors = np.ascontiguousarray(self.to_rgba(colors, bytes=True))
        # the pixel of the image for each drawn pixel; the renderer counts rows from below
        rows = ((np.arange(y1 - y0) + 0.5) * len(colors) / (y1 - y0)).astype(int)
        columns = ((np.arange(x1 - x0) + 0.5) * colors.shape[1] / (x1 - x0)).astype(int)
        if corners[1, 1] > corners[0, 1]:
            rows = rows[::-1]
        # four bytes as one number, whole rows at a time: a hundred times as fast as colors[rows[:, None], columns]
        drawn = colors.view(np.uint32)[..., 0].take(columns, axis=1).take(rows, axis=0)
        return drawn.view(np.uint8).reshape(*drawn.shape, 4), x0, y0, IdentityTransform()


def paint(ax, array, box, vmin=None, vmax=None, cmap=None, keeps=None):
    """Draw an array (rows, cols) or a picture (H, W, 3) into a box. Returns the matplotlib image.

    Unlike `imshow` it keeps the limits of the axes, and it is several times faster.
    keeps: whether it keeps its colours on a dark page; by default see `keeps_colors`.
    """
    x, y, w, h = box
    image = Pixels(ax, cmap=cmap, extent=(x, x + w, y + h, y), interpolation="antialiased")
    image.set_data(array)
    image.set_clim(vmin, vmax)
    ax.add_image(image)
    note(ax, [box], keeps_colors(image.get_array(), image.cmap) if keeps is None else keeps)
    return image


def write_values(ax, image, cells, fmt):
    """Write the values of a painted matrix into its cells, (m, 4) of x, y, w, h; where it is NaN, nothing."""
    for value, (x, y, w, h) in zip(np.ma.filled(image.get_array(), np.nan).flat, cells, strict=True):
        if not np.isnan(value):
            ground = image.cmap(image.norm(value))[:3]
            color = max("white", INK, key=lambda ink, ground=ground: contrast(ink, ground))
            ax.text(x + w / 2, y + h / 2, fmt.format(value), ha="center", va="center", color=color,
                    fontsize=min(9, 22 * w))  # fmt: skip


def cells_of(box, rows, cols):
    """The boxes x, y, w, h of the patches of a picture in `box`, row by row: (rows * cols, 4)."""
    (x, y, w, h), (r, c) = box, np.divmod(np.arange(rows * cols), cols)
    ones = np.ones(rows * cols)
    return np.stack([x + c * w / cols, y + r * h / rows, ones * w / cols, ones * h / rows], 1)


def draw_boxes(ax, boxes, edge, width, **options):
    """Draw rectangles, (m, 4) of x, y, w, h, as a single path, which takes as long as one rectangle.

    edge, width: colour and width in points of the lines; options: of `PathPatch`, such as `facecolor` and `hatch`.
    """
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])  # path codes: 1 moves, 2 draws a line, 79 closes
    boxes = np.asarray(boxes, float).reshape(-1, 1, 4)
    path = Path((boxes[..., :2] + corners * boxes[..., 2:]).reshape(-1, 2), [1, 2, 2, 2, 79] * len(boxes))
    ax.add_artist(
        PathPatch(path, edgecolor=edge, linewidth=width, **{"facecolor": "none", "joinstyle": "miter"} | options)
    )


def draw_grid(ax, cells, hidden=None, width=0.8):
    """Draw borders of the paper's colour around patches, and cover hidden patches with hatched grey.

    cells: (..., 4), boxes of the patches; hidden: bool (...), or None; width: of the borders, in points.
    """
    if hidden is not None and hidden.any():
        draw_boxes(ax, cells[hidden], HATCH, 0, facecolor=HIDDEN, hatch="/////")
        note(ax, cells[hidden], False)
    draw_boxes(ax, cells, PAPER, width)


def hatch(ax, cells):
    """Hatch hidden patches, (..., 4) boxes, over their pixels, which must show: those of a query are an input."""
    draw_boxes(ax, cells, to_rgba(INK, 0.6), 0, facecolor=to_rgba(HIDDEN, 0.45), hatch="/////")
    note(ax, cells, True)


def outline(ax, cells):
    """Outline patches, (..., 4) boxes, in orange over a dark edge."""
    draw_boxes(ax, cells, INK, 3.6)
    draw_boxes(ax, cells, ORANGE, 2)
    inch = np.abs(ax.transData.transform((1, 1)) - ax.transData.transform((0, 0))) / ax.figure.dpi
    (w, h), (x0, y0, w0, h0) = 1.8 / 72 / inch, np.moveaxis(np.asarray(cells, float).reshape(-1, 4), 1, 0)
    for x, y, wide, high in ((x0, y0, 0, h0), (x0 + w0, y0, 0, h0), (x0, y0, w0, 0), (x0, y0 + h0, w0, 0)):
        note(ax, np.stack(np.broadcast_arrays(x - w, y - h, wide + 2 * w, high + 2 * h), 1), True)  # its four sides

"""Figures: arrays in, a matplotlib `Figure` out. Nothing here computes a model, and nothing is shown as a side effect.

The same in every figure: the title is the caller's finding; hidden patches are hatched grey; the patch in question is
outlined in orange; colours come from the Okabe-Ito set, which colour-blind readers can tell apart; patches are numbered
row by row from the top left. Arrays may be NumPy arrays, tensors on any device, or nested lists.
"""

from __future__ import annotations

import base64
import functools
import io
import textwrap
from collections.abc import Collection, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from PIL import Image

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, MUTED, HATCH, HIDDEN, PALE = "#222222", "#666666", "#9a9a9a", "#dcdcdc", "#e6e6e6"
DPI = 100

# over a picture in grey, attention is a blue that grows from clear; its colour bar shows the same over a middle grey
_CLEAR_TO_BLUE = LinearSegmentedColormap.from_list("clear to blue", [(0.0, 0.33, 0.65, 0.0), (0.0, 0.33, 0.65, 0.88)])
_GREY_TO_BLUE = LinearSegmentedColormap.from_list("grey to blue", [(0.82, 0.82, 0.82), (0.1, 0.39, 0.67)])
_RC = {
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "font.size": 9,
    "text.color": INK,
    "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, INK]),
    "axes.edgecolor": HATCH,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "lines.linewidth": 2,
    "legend.frameon": False,
    "hatch.linewidth": 0.8,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
}


def style():
    """The look of every figure, as a context: `with style(): ...`. The functions of this file use it by themselves."""
    return matplotlib.rc_context(_RC)


def _styled(function):
    @functools.wraps(function)
    def inside(*args, **kwargs):
        with style():
            return function(*args, **kwargs)

    return inside


class Picture(Figure):
    """A `Figure` that shows itself once in Jupyter, as a PNG with alt text (`.alt`), with pyplot imported or not.

    Its text form is constant, because titles and sizes may depend on data and `pytest --nbval` compares text.
    """

    alt = ""

    @_styled
    def png(self, small: bool = True) -> bytes:
        """The figure as PNG bytes, always the same for the same figure.

        small: for storing: takes about 50 ms longer, and uses a palette of 256 colours where that moves the mean pixel
        by less than half a level of 255 (charts and maps, not photographs, which stay exact).
        """
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        image, buffer = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]), io.BytesIO()
        if small:
            palette = image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            error = np.abs(np.asarray(palette.convert("RGB"), np.int16) - np.asarray(image)).mean()
            image = palette if error < 0.5 else image
        image.save(buffer, "png", compress_level=9 if small else 1)
        return buffer.getvalue()

    def _ipython_display_(self):
        # not _repr_mimebundle_: the formatter that `%matplotlib inline` registers would go first, and crop the picture
        from IPython.display import display

        data = {"text/plain": "<Figure>", "image/png": base64.b64encode(self.png()).decode()}
        display(data, metadata={"image/png": {"alt": self.alt}}, raw=True)


@_styled
def figure(width: float = 6, height: float = 3, rows: int = 1, columns: int = 1, title: str | None = None, **options):
    """A styled figure and its axes, for drawings of your own: `fig, ax = figure(6, 3, title="...")`.

    Draw inside `with style():` and return `fig`. width, height: inches; options: passed on to `Figure.subplots`
    (`sharex`, `width_ratios`, ...).
    Returns (figure, axes) as `Figure.subplots` does: one Axes, or an array of them.
    """
    fig = Picture(figsize=(width, height), layout="constrained")
    if title:
        text, fig.alt = _wrap(title, width - 0.1, 10.5), " ".join(title.split())
        fig.suptitle(text, x=0.08 / width, ha="left", fontsize=10.5, fontweight="bold")
    return fig, fig.subplots(rows, columns, **options)


def to_picture(image: ArrayLike) -> np.ndarray:
    """An image as (H, W, 3) uint8, ready to draw.

    image: (3, H, W), (H, W, 3), (1, H, W), (H, W, 1) or (H, W). Where both ends could be channels, the first one is.
    uint8 is taken as it is; other integers must lie in [0, 255]; floats must lie in [-1, 1], -1 black and 1 white, as
    `to_float` makes them (rounding noise up to 0.001 is clipped). A [0, 1] image has to be given as `2 * image - 1`.
    Raises ValueError for another shape, for values outside the range, and for NaN.
    """
    a = _numpy(image)
    shape, a = a.shape, a[None] if a.ndim == 2 else a
    if a.ndim != 3 or 0 in a.shape or (a.shape[0] not in (1, 3) and a.shape[2] not in (1, 3)):
        raise ValueError(f"image has shape {shape}; expected (3, H, W), (H, W, 3) or (H, W)")
    if a.shape[0] in (1, 3):
        a = np.moveaxis(a, 0, 2)
    if a.dtype != np.uint8:
        kind, bottom, top, slack = ("integer", 0, 255, 0) if a.dtype.kind in "iu" else ("float", -1, 1, 1e-3)
        low, high = float(a.min()), float(a.max())
        if not (low >= bottom - slack and high <= top + slack):
            raise ValueError(f"{kind} image has values from {low:g} to {high:g}; expected {bottom} to {top}")
        a = (a if kind == "integer" else np.rint((a.clip(-1, 1).astype(float) + 1) * 127.5)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(a, (*a.shape[:2], 3)))


def reassemble(image: ArrayLike, patch_size, order: ArrayLike) -> np.ndarray:
    """The picture with its patches in another order, (H, W, 3) uint8: position i shows patch order[i] of `image`.

    patch_size: int or (height, width) in pixels; order: (n,) integers in [0, n), repeats allowed; -1 leaves the
    position grey (`patch_grid(..., hidden=order < 0)` hatches it). Raises ValueError for another length or value.
    """
    patches, (rows, cols) = _split(to_picture(image), patch_size)
    order = _indices(order, len(patches), "order", low=-1, length=len(patches))
    return _join(np.where((order < 0)[:, None, None, None], np.uint8(0xDC), patches[order]), rows, cols)


@_styled
def image_grid(
    images: ArrayLike,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    title: str | None = None,
    size: float = 1.0,
) -> Figure:
    """Pictures side by side. images: (b, 3, H, W) or a list of images of one size; size: inches of a longer side."""
    pictures = _pictures(images)
    sheet = _Sheet(len(pictures), pictures[0].shape, columns, titles, title, size)
    for picture, box in zip(pictures, sheet.boxes, strict=True):
        sheet.picture(picture, box)
    return sheet.fig


@_styled
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
    _, (rows, cols) = _split(picture, patch_size)
    if ax is None:
        sheet = _Sheet(1, picture.shape, 1, None, title, size)
        ax, box = sheet.ax, sheet.boxes[0]
        sheet.picture(picture, box)
    else:
        box = (0, 0, picture.shape[1], picture.shape[0])
        _paint(ax, picture, box)
        ax.set(xlim=(0, box[2]), ylim=(box[3], 0), aspect="equal", title=title or "")
        ax.set_axis_off()
    cells = _cells(box, rows, cols)
    _grid(ax, cells, None if hidden is None else _flags(hidden, rows * cols))
    if numbers:
        inch = np.abs(ax.transData.transform((1, 1)) - ax.transData.transform((0, 0))) / DPI  # of a unit of the axes
        points = min(10, 0.42 * 72 * (cells[0, 2:] * inch).min())
        middles, chip = (
            cells[:, :2] + cells[:, 2:] / 2,
            (_inches("0" * len(str(rows * cols - 1)), points) + 0.07, points / 55),
        )
        chips = np.hstack([middles - chip / inch / 2, np.broadcast_to(chip / inch, middles.shape)])
        _draw(ax, chips, "none", 0, facecolor="#000000a0")
        for i, (x, y) in enumerate(middles):
            ax.text(x, y, str(i), ha="center", va="center_baseline", fontsize=points, color="white")
    if mark is not None:
        _outline(ax, cells[_indices([mark], rows * cols, "mark")])
    return ax.figure


@_styled
def mask_strip(
    images: ArrayLike, patch_size, hiddens: ArrayLike, titles: Sequence[str] | None = None, title: str | None = None,
    size: float = 1.0,
) -> Figure:  # fmt: skip
    """One row an image, one column a mask: what a mask slider shows, for a page without a kernel.

    images: (r, 3, H, W) or a list; hiddens: (c, n) bool, or (r, c, n) where each row has its own; titles: c texts.
    """
    pictures, hiddens = _pictures(images), _numpy(hiddens).astype(bool)
    _, (rows, cols) = _split(pictures[0], patch_size)
    if hiddens.ndim == 2:
        hiddens = np.broadcast_to(hiddens, (len(pictures), *hiddens.shape))
    if hiddens.ndim != 3 or hiddens.shape[::2] != (len(pictures), rows * cols):
        raise ValueError(f"hiddens has shape {hiddens.shape}; expected ({len(pictures)}, masks, {rows * cols})")
    columns = hiddens.shape[1]
    if titles is not None:
        titles = _texts(titles, columns) + [""] * (len(pictures) - 1) * columns
    sheet = _Sheet(len(pictures) * columns, pictures[0].shape, columns, titles, title, size)
    for i, box in enumerate(sheet.boxes):
        sheet.picture(pictures[i // columns], box)
    _grid(sheet.ax, sheet.cells(rows, cols), hiddens.reshape(-1, rows * cols), 0.5)
    return sheet.fig


@_styled
def maps(
    values: ArrayLike, titles: Sequence[str] | None = None, columns: int = 8, vmin: float | None = None,
    vmax: float | None = None, cmap=None, title: str | None = None, label: str = "", marks=None, hidden=None,
    size: float = 1.0,
) -> Figure:  # fmt: skip
    """Heat maps side by side, with one range and one colour bar.

    values: (m, rows, cols) or (rows, cols), NaN is left blank; vmin, vmax: ends of the colours, by default those of the
    values: give both wherever a slider moves; cmap: by default viridis, or blue-white-red where vmin < 0 < vmax;
    label: of the colour bar; marks: m cell indices to outline; hidden: (m, rows * cols) bool, hatched.
    """
    values = _numpy(values).astype(float)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise ValueError(f"values has shape {values.shape}; expected (m, rows, cols)")
    m, rows, cols = values.shape
    colors = _colors(values, vmin, vmax, cmap)
    sheet = _Sheet(m, (rows, cols), columns, titles, title, size, right=0.7)
    _draw(sheet.ax, sheet.boxes, HATCH, 1)
    for box, value in zip(sheet.boxes, values, strict=True):
        _paint(sheet.ax, value, box, **colors)
    cells = sheet.cells(rows, cols)
    if hidden is not None:
        _grid(sheet.ax, cells, _flags(hidden, m * rows * cols).reshape(m, -1))
    if marks is not None:
        marks = _indices(marks, rows * cols, "marks", length=m)
        _outline(sheet.ax, cells[np.arange(m), marks])
    sheet.colorbar(label, colors)
    return sheet.fig


@_styled
def matrix(
    values: ArrayLike, title: str | None = None, xlabel: str = "", ylabel: str = "", vmin: float | None = None,
    vmax: float | None = None, cmap=None, annotate: bool = False, row_labels: Sequence | None = None,
    col_labels: Sequence | None = None, label: str = "", size: float = 3.2, fmt: str = "{:.2f}",
) -> Figure:  # fmt: skip
    """A matrix as a picture: attention, similarities, confusions.

    values: (rows, cols); annotate: write the numbers (`fmt`) into the cells, for small ones; row_labels, col_labels:
    texts, by default the indices; label: of the colour bar; size: inches of its longer side; the rest as in `maps`.
    """
    values = _numpy(values).astype(float)
    if values.ndim != 2:
        raise ValueError(f"values has shape {values.shape}; expected (rows, cols)")
    (rows, cols), colors = values.shape, _colors(values, vmin, vmax, cmap)
    named = [
        _texts(range(count) if labels is None else labels, count)
        for labels, count in ((row_labels, rows), (col_labels, cols))
    ]
    wide, cell = [max(_inches(text, 8.5) for text in texts) for texts in named], size / max(rows, cols)
    upright = col_labels is not None and wide[1] > 0.95 * cell
    left, bottom = wide[0] + 0.1 + 0.2 * bool(ylabel), (wide[1] if upright else 0.16) + 0.05 + 0.18 * bool(xlabel)
    sheet = _Sheet(1, (rows, cols), 1, None, title, size, left=left, right=0.7, bottom=bottom)
    ax, (x, y, w, h) = sheet.ax, sheet.boxes[0]
    image = _paint(ax, values, (x, y, w, h), **colors)
    words = {"fontsize": 8.5, "rotation_mode": "anchor"}
    for i in range(0, rows, _every(rows) if row_labels is None else 1):
        ax.text(x - 0.06, y + (i + 0.5) * h / rows, named[0][i], ha="right", va="center", **words)
    for i in range(0, cols, _every(cols) if col_labels is None else 1):
        spot = (x + (i + 0.5) * w / cols, y + h + 0.05)
        if upright:
            ax.text(*spot, named[1][i], ha="right", va="center", rotation=90, **words)
        else:
            ax.text(*spot, named[1][i], ha="center", va="top", **words)
    ax.text(x + w / 2, y + h + bottom, xlabel, ha="center", va="bottom")
    ax.text(x - left, y + h / 2, ylabel, ha="left", va="center", rotation=90)
    for r, c in np.ndindex(values.shape) if annotate else ():
        dark = np.dot(image.cmap(image.norm(values[r, c]))[:3], (0.299, 0.587, 0.114)) < 0.55
        ax.text(x + (c + 0.5) * w / cols, y + (r + 0.5) * h / rows, fmt.format(values[r, c]), ha="center", va="center",
                color="white" if dark else INK, fontsize=min(9, w / cols * 22))  # fmt: skip
    sheet.colorbar(label, colors)
    return sheet.fig


@_styled
def curves(
    series: Mapping[str, tuple], xlabel: str = "", ylabel: str = "", title: str | None = None,
    levels: Mapping[str, float] | None = None, logy: bool = False, ylim=None, width: float = 6.5, height: float = 3.2,
) -> Figure:  # fmt: skip
    """Lines, each named at its right end.

    series: name -> (x, y); y of shape (seeds, points) is drawn as its mean, in a band from lowest to highest;
    levels: name -> y, dashed lines such as chance; logy: logarithmic y; ylim: (low, high); width, height: inches.
    Raises ValueError where x and y differ in length.
    """
    fig, ax = figure(width, height, title=title)
    ends = []
    for i, (name, (x, y)) in enumerate(series.items()):
        x, y = _numpy(x), np.atleast_2d(_numpy(y))
        if y.shape[-1] != len(x):
            raise ValueError(f"series {name!r} has {len(x)} x values and y of shape {y.shape}")
        (line,) = ax.plot(x, y.mean(0), marker="osD^vPX"[i % 7] if len(x) <= 15 else "", markersize=4.5)
        if len(y) > 1:
            ax.fill_between(x, y.min(0), y.max(0), color=line.get_color(), alpha=0.18, linewidth=0)
        ends.append((float(y.mean(0)[-1]), name, line.get_color()))
    for name, level in (levels or {}).items():
        ax.axhline(level, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2)
        ends.append((float(level), name, MUTED))
    if all(_numpy(x).dtype.kind in "iu" for x, _ in series.values()):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(x=0.02)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if logy else "linear", ylim=ylim)
    # the names, from the lowest to the highest, at least a line's height apart
    to_axes, step = ax.transData + ax.transAxes.inverted(), 0.18 / max(height - 0.9, 0.5)
    ends = sorted((float(np.clip(to_axes.transform((0, y))[1], 0, 1)), name, color) for y, name, color in ends)
    spots = [spot for spot, _, _ in ends]
    for i in range(1, len(spots)):
        spots[i] = max(spots[i], spots[i - 1] + step)
    for i in reversed(range(len(spots))):
        spots[i] = min(spots[i], 1 - (len(spots) - 1 - i) * step)
    for spot, (_, name, color) in zip(spots, ends, strict=True):
        ink = np.multiply(to_rgb(color), 0.75)  # thin letters need a darker tone than thick lines
        ax.annotate(name, (1, spot), (5, 0), "axes fraction", textcoords="offset points", va="center", color=ink)
    return fig


@_styled
def bars(
    values: Mapping, label: str = "", title: str | None = None, levels: Mapping[str, float] | None = None,
    highlight: Collection[str] = (), fmt: str = "{:.2f}", xlim=None, width: float = 6.5,
) -> Figure:  # fmt: skip
    """Horizontal bars with their values.

    values: name -> a number, or several (seeds): the bar is their mean, a dot shows each one; label: of the axis, with
    its unit; levels: name -> value, dashed lines; highlight: names in blue, the others grey (none given: all blue);
    fmt: of the printed values; xlim: (low, high).
    """
    runs = {name: np.atleast_1d(_numpy(several).astype(float)) for name, several in values.items()}
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


@_styled
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
    patches, (rows, cols) = _split(picture, patch_size)
    n = rows * cols
    predicted = _indices(predicted, n, "predicted", length=n)
    hidden = np.full(n, context is not None)
    hidden[_indices([] if context is None else context, n, "context")] = False
    claims = np.bincount(predicted, minlength=n)
    painted = np.zeros(patches.shape)
    np.add.at(painted, predicted, patches)
    painted = (painted / np.maximum(claims, 1)[:, None, None, None]).round().astype(np.uint8)
    right = predicted == np.arange(n)
    marked = np.where(right[:, None, None, None], patches, _fade(patches))
    titles = titles or ("what may be looked at", "each patch where it was put", f"{right.sum()} of {n} are right")
    sheet = _Sheet(3, picture.shape, 3, titles, title, size)
    for box, parts in zip(sheet.boxes, (patches, painted, marked), strict=True):
        sheet.picture(_join(parts, rows, cols), box)
    cells = sheet.cells(rows, cols)
    _grid(sheet.ax, cells, np.stack([hidden, claims == 0, np.zeros(n, bool)]))
    centres = cells[2] @ np.array([[1, 0], [0, 1], [0.5, 0], [0, 0.5]])
    tails, ways = centres[~right], (centres[predicted] - centres)[~right]
    sheet.ax.quiver(*tails.T, *ways.T, angles="xy", scale=1, scale_units="xy", units="inches", width=0.024,
                    headwidth=4.5, headlength=5, minlength=0, color=VERMILION, ec="white", lw=0.5)  # fmt: skip
    return sheet.fig


@_styled
def attention_over_image(
    image: ArrayLike, patch_size, weights: ArrayLike, context: ArrayLike, query: int,
    titles: Sequence[str] | None = None, title: str | None = None, columns: int = 5, vmax: float | None = None,
    size: float = 1.6,
) -> Figure:  # fmt: skip
    """What one patch looks at: the picture, then for each head its attention over the context, in blue on a grey copy.

    weights: (h, k), the query's attention to each context patch; context: (k,) patch indices, all others are hatched;
    query: index of the patch that looks: outlined, and never hatched, for it knows its own pixels; titles: h texts;
    vmax: end of the colours (default: the largest weight). The line in the colour bar is 1/k, an even look at all.
    """
    picture = to_picture(image)
    patches, (rows, cols) = _split(picture, patch_size)
    n, weights = rows * cols, np.atleast_2d(_numpy(weights).astype(float))
    context, asking = _indices(context, n, "context"), _indices([query], n, "query")
    if weights.ndim != 2 or weights.shape[1] != len(context):
        raise ValueError(f"weights has shape {weights.shape}; expected (heads, {len(context)})")
    titles = [f"head {i}" for i in range(len(weights))] if titles is None else _texts(titles, len(weights))
    top, hidden = float(vmax or weights.max() or 1), np.ones(n, bool)
    hidden[context] = hidden[asking] = False
    sheet = _Sheet(1 + len(weights), picture.shape, columns, ["the picture", *titles], title, size, right=0.7)
    for i, box in enumerate(sheet.boxes):
        sheet.picture(_join(_fade(patches) if i else patches, rows, cols), box)
        if i:
            heat = np.full(n, np.nan)
            heat[context] = weights[i - 1]
            _paint(sheet.ax, heat.reshape(rows, cols), box, vmin=0, vmax=top, cmap=_CLEAR_TO_BLUE)
    cells = sheet.cells(rows, cols)
    _grid(sheet.ax, cells, np.broadcast_to(hidden, cells.shape[:2]))
    _outline(sheet.ax, cells[:, asking])
    sheet.colorbar("attention", {"vmin": 0, "vmax": top, "cmap": _GREY_TO_BLUE}, level=1 / len(context))
    return sheet.fig


# ---- how it is done --------------------------------------------------------------------------------------------------


class _Sheet:
    """A figure whose one axes measures inches from the top left, with a box (x, y, w, h) for each small picture.

    One axes for all the pictures draws several times faster than one for each, and needs no layout engine.
    """

    def __init__(self, count, shape, columns, titles, title, size, left=0.0, right=0.0, bottom=0.0):
        if not count:
            raise ValueError("nothing to draw: got 0 pictures")
        columns, unit, gap = min(columns, count), size / max(shape[:2]), 0.08 if size <= 1.2 else 0.16
        if unit * DPI > 1:
            unit = round(unit * DPI) / DPI  # whole screen pixels for each pixel of the picture keep it crisp
        w, h = shape[1] * unit, shape[0] * unit
        width = round(max(columns * (w + gap) + gap + left + right, 2.4), 2)
        title = _wrap(title, width - 2 * gap, 10.5) if title else ""
        texts = [_wrap(text, w + gap, 8.5) for text in _texts(titles or [""] * count, count)]
        y = gap + (0.18 * (title.count("\n") + 1) + 0.08 if title else 0)
        self.boxes, self.unit, self.gap = [], unit, gap
        for start in range(0, count, columns):
            lines = max(text.count("\n") + 1 if text else 0 for text in texts[start : start + columns])
            y += 0.15 * lines + 0.05 * bool(lines)
            self.boxes += [(gap + left + i * (w + gap), y, w, h) for i in range(min(columns, count - start))]
            y += h + gap
        self.boxes = [(round(x, 2), round(y, 2), w, h) for x, y, w, h in self.boxes]
        self.width, self.height = width, round(y + bottom, 2)
        self.fig = Picture(figsize=(self.width, self.height))
        self.ax = self.fig.add_axes((0, 0, 1, 1), xlim=(0, self.width), ylim=(self.height, 0), autoscale_on=False)
        self.ax.set_axis_off()
        self.ax.text(gap, gap, title, va="top", fontsize=10.5, fontweight="bold", linespacing=1.15)
        self.fig.alt = " ".join(title.split())
        for (x, y, w, _), text in zip(self.boxes, texts, strict=True):
            self.ax.text(x + w / 2, y - 0.05, text, ha="center", va="bottom", fontsize=8.5)

    def picture(self, picture, box):
        _paint(self.ax, picture, box, interpolation="nearest" if self.unit * DPI >= 1 else "antialiased")

    def cells(self, rows, cols):
        """(boxes, rows * cols, 4): x, y, w, h of every patch of every picture."""
        return np.stack([_cells(box, rows, cols) for box in self.boxes])

    def colorbar(self, label, colors, level=None):
        """Drawn by hand: an axes for it would take longer than all the rest."""
        (_, top, w, _), (_, y, _, h) = self.boxes[0], self.boxes[-1]
        x, tall = max(box[0] for box in self.boxes) + w + self.gap, min(y + h - top, 3.4)
        low, high = colors["vmin"], colors["vmax"]
        _paint(self.ax, np.linspace(high, low, 256)[:, None], (x, top, 0.1, tall), **colors)
        ticks = MaxNLocator(4 if tall > 0.8 else 2, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ticks = ticks[(ticks >= low - 1e-9 * (high - low)) & (ticks <= high + 1e-9 * (high - low))]
        digits = next(
            (d for d in range(4) if np.allclose(ticks, ticks.round(d), rtol=0, atol=1e-6 * (high - low))), None
        )
        for tick in ticks:
            text = f"{tick:g}" if digits is None else f"{tick + 0.0:.{digits}f}"
            spot = (x + 0.14, top + tall * (high - tick) / (high - low))
            self.ax.text(*spot, text.replace("-", "\N{MINUS SIGN}"), va="center_baseline", fontsize=8, color=MUTED)
        self.ax.text(x + 0.66, top + tall / 2, label, ha="right", va="center", rotation=90)
        if level is not None and low <= level <= high:
            spot = top + tall * (high - level) / (high - low)
            _draw(self.ax, [(x - 0.02, spot, 0.14, 0)], ORANGE, 2)


def _numpy(a) -> np.ndarray:
    if hasattr(a, "detach"):
        a = a.detach().cpu()
        return (a.float() if str(a.dtype) == "torch.bfloat16" else a).numpy()
    if isinstance(a, (list, tuple)) and a and hasattr(a[0], "detach"):
        return np.stack([_numpy(one) for one in a])
    return np.asarray(a)


def _pictures(images) -> list[np.ndarray]:
    pictures = [to_picture(image) for image in (images if isinstance(images, (list, tuple)) else _numpy(images))]
    sizes = sorted({picture.shape[:2] for picture in pictures})
    if len(sizes) != 1:
        raise ValueError(f"images have sizes {sizes}; expected at least one image, and one size")
    return pictures


def _split(picture, patch_size):
    """(H, W, 3) -> patches (n, ph, pw, 3) and their grid (rows, cols)."""
    (H, W), (ph, pw) = picture.shape[:2], (patch_size, patch_size) if np.ndim(patch_size) == 0 else patch_size
    if ph < 1 or pw < 1 or H % ph or W % pw:
        raise ValueError(f"patches of {ph} x {pw} pixels do not divide an image of {H} x {W}")
    rows, cols = H // ph, W // pw
    return picture.reshape(rows, ph, cols, pw, 3).swapaxes(1, 2).reshape(-1, ph, pw, 3), (rows, cols)


def _join(patches, rows, cols):
    n, ph, pw, _ = patches.shape
    return patches.reshape(rows, cols, ph, pw, 3).swapaxes(1, 2).reshape(rows * ph, cols * pw, 3)


def _fade(patches):
    """Grey and pale, so that colours and arrows on top stand out."""
    grey = 125 + 0.5 * patches @ np.array([0.299, 0.587, 0.114])
    return np.repeat(grey[..., None], 3, -1).round().astype(np.uint8)


def _indices(values, n, name, low=0, length=None):
    values = _numpy(values).astype(int).ravel()
    bad = values[(values < low) | (values >= n)]
    if len(bad):
        raise ValueError(f"{name} holds {bad[0]}; expected {low} to {n - 1}")
    if length is not None and len(values) != length:
        raise ValueError(f"{name} has length {len(values)}; expected {length}")
    return values


def _flags(hidden, n):
    hidden = _numpy(hidden).astype(bool).ravel()
    if len(hidden) != n:
        raise ValueError(f"hidden has length {len(hidden)}; expected {n}, one flag a patch")
    return hidden


def _texts(texts, count) -> list[str]:
    if len(texts) != count:
        raise ValueError(f"got {len(texts)} texts; expected {count}")
    return [str(text) for text in texts]


def _colors(values, vmin, vmax, cmap):
    finite = values[np.isfinite(values)]
    vmin = float(finite.min(initial=np.inf) if finite.size else 0) if vmin is None else vmin
    vmax = float(finite.max(initial=-np.inf) if finite.size else 1) if vmax is None else vmax
    vmax = vmax if vmax > vmin else vmin + 1
    return {"vmin": vmin, "vmax": vmax, "cmap": cmap or ("RdBu_r" if vmin < 0 < vmax else "viridis")}


def _paint(ax, array, box, vmin=None, vmax=None, cmap=None, interpolation="nearest"):
    """`imshow` without its interest in the limits of the axes, and several times faster."""
    x, y, w, h = box
    image = AxesImage(ax, cmap=cmap, extent=(x, x + w, y + h, y), interpolation=interpolation)
    image.set_data(array)
    image.set_clim(vmin, vmax)
    ax.add_image(image)
    return image


def _cells(box, rows, cols):
    """(n, 4): x, y, w, h of each patch."""
    (x, y, w, h), (r, c) = box, np.divmod(np.arange(rows * cols), cols)
    one = np.ones(rows * cols)
    return np.stack([x + c * w / cols, y + r * h / rows, one * w / cols, one * h / rows], 1)


def _draw(ax, boxes, edge, width, **options):
    """Rectangles (m, 4) as one path: drawn, and hatched, at the price of one."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
    boxes = np.asarray(boxes, float).reshape(-1, 1, 4)
    path = Path((boxes[..., :2] + corners * boxes[..., 2:]).reshape(-1, 2), [1, 2, 2, 2, 79] * len(boxes))
    ax.add_artist(
        PathPatch(path, edgecolor=edge, linewidth=width, **{"facecolor": "none", "joinstyle": "miter"} | options)
    )


def _grid(ax, cells, hidden=None, width=0.8):
    if hidden is not None and hidden.any():
        _draw(ax, cells[hidden], HATCH, 0, facecolor=HIDDEN, hatch="/////")
    _draw(ax, cells, "white", width)


def _every(count):
    """Which of so many ticks to write: every one, second, fourth, eighth ..., at most 12 of them."""
    return next(step for step in (2**i for i in range(32)) if count <= 12 * step)


def _outline(ax, cells):
    _draw(ax, cells, INK, 3.6)
    _draw(ax, cells, ORANGE, 2)


def _inches(text, points):
    return 0.58 * points / 72 * max(len(line) for line in text.split("\n"))


def _wrap(text, inches, points):
    columns = max(4, int(inches / _inches("x", points)))
    return "\n".join(textwrap.fill(line, columns, break_long_words=False) for line in text.split("\n"))

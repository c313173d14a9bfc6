"""The style of all figures: colours, matplotlib settings, and a `Figure` that displays itself in Jupyter."""

from __future__ import annotations

import base64
import functools
import io
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

# the Okabe-Ito palette, then greys: text, secondary text, hatching, hidden patches, grid lines
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, MUTED, HATCH, HIDDEN, PALE = "#222222", "#666666", "#9a9a9a", "#dcdcdc", "#e6e6e6"

DPI = 100  # pixels per inch of every figure

# CLEAR_TO_BLUE is drawn over a grey picture. Its colour bar uses GREY_TO_BLUE: the same blue over a middle grey.
CLEAR_TO_BLUE = LinearSegmentedColormap.from_list("clear to blue", [(0.0, 0.33, 0.65, 0.0), (0.0, 0.33, 0.65, 0.88)])
GREY_TO_BLUE = LinearSegmentedColormap.from_list("grey to blue", [(0.82, 0.82, 0.82), (0.1, 0.39, 0.67)])

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


_ONE_THREAD = threading.RLock()  # matplotlib's settings are global: two threads must not change them at once


@contextmanager
def style() -> Iterator[None]:
    """The matplotlib settings of every figure, as a context manager or decorator: `with style(): ...`.

    The functions of `mp3lib.plots` apply it themselves. Code that draws on the axes of `figure` needs it. One thread at
    a time is inside: some versions of ipykernel run the callbacks of widgets beside the cell that is running.
    """
    with _ONE_THREAD, matplotlib.rc_context(_RC):
        yield


def styled(function):
    """Decorator: run `function` inside `style()`."""

    @functools.wraps(function)
    def inside(*args, **kwargs):
        with style():
            return function(*args, **kwargs)

    return inside


class Picture(Figure):
    """A `Figure` that Jupyter displays once, as a PNG with alt text (`.alt`), whether or not pyplot is imported.

    Its text form is always ``<Figure>``: `pytest --nbval` compares text, and titles and sizes may depend on data.
    """

    alt = ""

    @styled
    def png(self, small: bool = True) -> bytes:
        """The figure as PNG bytes. The same figure always gives the same bytes.

        small: compress more strongly, for storage; this takes about 50 ms longer. It uses a palette of 256 colours if
        this changes pixel values by less than 0.5 of 255 levels on average. That holds for charts and heat maps.
        Photographs keep their exact colours.
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
        # Not _repr_mimebundle_: the formatter that `%matplotlib inline` registers would be used first, and would crop.
        from IPython.display import display

        data = {"text/plain": "<Figure>", "image/png": base64.b64encode(self.png()).decode()}
        display(data, metadata={"image/png": {"alt": self.alt}}, raw=True)


@styled
def figure(
    width: float = 6, height: float = 3, rows: int = 1, columns: int = 1, title: str | None = None, margins=None,
    gap: float = 0.3, **options,
):  # fmt: skip
    """A styled figure and its axes, for your own drawings: `fig, ax = figure(6, 3, title="...")`.

    Draw inside `with style():` and return `fig`.
    width, height: inches.
    margins: inches (left, right, bottom, top) around the axes. By default a layout engine chooses them, which about
    doubles the drawing time; live figures should therefore pass them.
    gap: inches between columns; used only together with `margins`.
    options: passed to `Figure.subplots` (`sharex`, `width_ratios`, ...).
    Returns (figure, axes) as `Figure.subplots` does: one Axes, or an array of them.
    """
    fig = Picture(figsize=(width, height), layout=None if margins else "constrained")
    if margins:
        left, right, bottom, top = margins
        each = (width - left - right - gap * (columns - 1)) / columns
        # subplots expects edges as fractions of the figure, and the gap as a fraction of the width of one axes
        edges = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
        options["gridspec_kw"] = options.get("gridspec_kw", {}) | edges | {"wspace": gap / each}
    if title:
        text, fig.alt = wrap(title, width - 0.1, 10.5), " ".join(title.split())
        fig.suptitle(text, x=0.08 / width, ha="left", fontsize=10.5, fontweight="bold")
    return fig, fig.subplots(rows, columns, **options)


def inches_of(text, points):
    """Approximate width in inches of the longest line of `text` at a font size of `points`."""
    return 0.58 * points / 72 * max(len(line) for line in text.split("\n"))


def wrap(text, inches, points):
    """`text` with line breaks, so that at a font size of `points` each line fits into `inches`."""
    columns = max(4, int(inches / inches_of("x", points)))
    return "\n".join(textwrap.fill(line, columns, break_long_words=False) for line in text.split("\n"))

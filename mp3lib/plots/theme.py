"""The look of all figures: colours, style, and a `Figure` that shows itself in Jupyter."""

from __future__ import annotations

import base64
import functools
import io
import textwrap

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"


INK, MUTED, HATCH, HIDDEN, PALE = "#222222", "#666666", "#9a9a9a", "#dcdcdc", "#e6e6e6"


DPI = 100


# over a picture in grey, attention is a blue that grows from clear; its colour bar shows the same over a middle grey
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


def style():
    """The look of every figure, as a context: `with style(): ...`. The functions of this file use it by themselves."""
    return matplotlib.rc_context(_RC)


def styled(function):
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

    @styled
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


@styled
def figure(
    width: float = 6, height: float = 3, rows: int = 1, columns: int = 1, title: str | None = None, margins=None,
    gap: float = 0.3, **options,
):  # fmt: skip
    """A styled figure and its axes, for drawings of your own: `fig, ax = figure(6, 3, title="...")`.

    Draw inside `with style():` and return `fig`. width, height: inches; margins: inches (left, right, bottom, top)
    around the axes, and gap: inches between columns; without them a layout engine finds them, which takes about as long
    as all the drawing: live figures give them. options: passed on to `Figure.subplots` (`sharex`, `width_ratios`, ...).
    Returns (figure, axes) as `Figure.subplots` does: one Axes, or an array of them.
    """
    fig = Picture(figsize=(width, height), layout=None if margins else "constrained")
    if margins:
        left, right, bottom, top = margins
        each = (width - left - right - gap * (columns - 1)) / columns
        edges = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
        options["gridspec_kw"] = options.get("gridspec_kw", {}) | edges | {"wspace": gap / each}
    if title:
        text, fig.alt = wrap(title, width - 0.1, 10.5), " ".join(title.split())
        fig.suptitle(text, x=0.08 / width, ha="left", fontsize=10.5, fontweight="bold")
    return fig, fig.subplots(rows, columns, **options)


def inches_of(text, points):
    return 0.58 * points / 72 * max(len(line) for line in text.split("\n"))


def wrap(text, inches, points):
    columns = max(4, int(inches / inches_of("x", points)))
    return "\n".join(textwrap.fill(line, columns, break_long_words=False) for line in text.split("\n"))

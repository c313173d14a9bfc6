"""The style of all figures: colours, matplotlib settings, and a `Figure` that displays itself in Jupyter."""

from __future__ import annotations

import base64
import functools
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from PIL import Image

from .dark import alpha_of, with_palette
from .quick_png import quick_png
from .quick_text import QuickRenderer

# the Okabe-Ito palette, then greys: text, secondary text, hatching, hidden patches, grid lines
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, MUTED, HATCH, HIDDEN, PALE = "#222222", "#616161", "#8c8c8c", "#dcdcdc", "#d2cfc8"

# The background of every figure. No ink reaches a contrast of 4.5 on both a white and a nearly black page, so figures
# are not transparent. Dark pages recolour paper and inks (see `dark`); where a page does not, this paper is soft.
PAPER = "#ebe9e4"

SCREEN = 100  # screen pixels per inch of every figure, as the page shows it
DPI = 2 * SCREEN  # drawn pixels per inch: sharp on high-density screens, and when the reader zooms in
WIDTH = 7.6  # inches that figures fill by default; the text columns of JupyterLab, GitHub and the site are wider

# CLEAR_TO_BLUE is drawn over a grey picture. Its colour bar uses GREY_TO_BLUE: the same blue over a middle grey.
CLEAR_TO_BLUE = LinearSegmentedColormap.from_list("clear to blue", [(0.0, 0.25, 0.6, 0.0), (0.0, 0.25, 0.6, 0.92)])
GREY_TO_BLUE = LinearSegmentedColormap.from_list("grey to blue", [(0.6, 0.6, 0.6), (0.05, 0.28, 0.6)])

_RC = {
    "figure.dpi": DPI,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
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
    "hatch.linewidth": 1.1,
    "text.hinting": "no_hinting",  # at 200 pixels per inch nobody sees it, and it takes a fifth of the drawing time
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
}


_ONE_THREAD = threading.RLock()  # matplotlib's settings are global: two threads must not change them at once
_inside = False  # whether the thread that holds the lock is inside `style`


@contextmanager
def style() -> Iterator[None]:
    """The matplotlib settings of every figure, as a context manager or decorator: `with style(): ...`.

    The functions of `mp3lib.plots` apply it themselves. Code that draws on the axes of `figure` needs it. One thread at
    a time is inside: some versions of ipykernel run the callbacks of widgets beside the cell that is running.
    """
    global _inside
    with _ONE_THREAD:
        if _inside:  # setting all of them again takes as long as drawing a few lines
            yield
            return
        _inside = True
        try:
            with matplotlib.rc_context(_RC):
                yield
        finally:
            _inside = False


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

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.regions: list = []  # what keeps its colours on a dark page; see `note`

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height in screen pixels at which pages show the figure. The PNG has DPI / SCREEN times as many."""
        return tuple(round(inches * SCREEN) for inches in self.get_size_inches())

    @styled
    def png(self, small: bool = True) -> bytes:
        """The figure as PNG bytes. The same figure always gives the same bytes.

        small: compress more strongly, for storage; this takes several times longer. It uses a palette of 256 colours if
        nobody sees the difference. That holds for charts, heat maps, and one or a few small images. Figures of many
        images keep their exact colours.
        The alpha of a pixel says whether it keeps its colour on a dark page; see the module `dark`.
        """
        # from the size in screen pixels: the one in inches may fall just below a whole pixel
        width, height = (side * DPI // SCREEN for side in self.shown)
        renderer = QuickRenderer(width, height, self.dpi)
        self.draw(renderer)
        drawn = np.array(renderer.buffer_rgba())
        drawn[..., 3] = alpha_of(self, width, height)
        if not small:
            return quick_png(drawn)
        buffer = io.BytesIO()
        image = with_palette(drawn[..., :3], drawn[..., 3]) or Image.fromarray(drawn)
        image.save(buffer, "png", compress_level=9)
        return buffer.getvalue()

    def metadata(self, alt: str | None = None) -> dict:
        """Metadata of the PNG in a Jupyter output: the width and height at which it is shown, and the alt text."""
        width, height = self.shown
        return {"image/png": {"width": width, "height": height, "alt": self.alt if alt is None else alt}}

    def _ipython_display_(self):
        # Not _repr_mimebundle_: the formatter that `%matplotlib inline` registers would be used first, and would crop.
        from IPython.display import display

        data = {"text/plain": "<Figure>", "image/png": base64.b64encode(self.png()).decode()}
        display(data, metadata=self.metadata(), raw=True)


@styled
def figure(
    width: float = WIDTH, height: float = 3.8, rows: int = 1, columns: int = 1, title: str | None = None, margins=None,
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
        text, fig.alt = wrap(title, width - 0.2, 10.5, "bold"), " ".join(title.split())
        fig.suptitle(text, x=0.08 / width, ha="left", fontsize=10.5, fontweight="bold")
    return fig, fig.subplots(rows, columns, **options)


@functools.lru_cache(4096)
def ems_of(text: str, weight: str = "normal") -> float:
    """Width of one line of text, in units of the font size."""
    return TextPath((0, 0), f".{text}.", size=1, prop=FontProperties(weight=weight)).get_extents().width - 0.5


def inches_of(text: str, points: float, weight: str = "normal") -> float:
    """Width in inches of the longest line of `text` at a font size of `points`."""
    return points / 72 * max(ems_of(line, weight) for line in text.split("\n"))


def lines_high(text: str) -> float:
    """Inches that the lines of a label of an axis need, 0 for an empty text."""
    return (0.05 + 0.15 * (text.count("\n") + 1)) if text else 0.0


def wrap(text: str, inches: float, points: float, weight: str = "normal") -> str:
    """`text` with line breaks, so that at a font size of `points` each line fits into `inches`.

    The lines of a paragraph have about the same length, so that no word stands alone on the last line. A word that is
    too long is broken.
    """
    return "\n".join(balance(line, inches * 72 / points, weight) for line in text.split("\n"))


def balance(text: str, width: float, weight: str) -> str:
    """One paragraph with the fewest lines that fit into `width` ems, and the narrowest lines for that number."""
    if ems_of(text, weight) <= width:
        return text
    lines = fill(text, width, weight)
    for narrower in np.linspace(1 / len(lines), 1, 12):
        if len(balanced := fill(text, width * narrower, weight)) == len(lines):
            return "\n".join(balanced)
    return "\n".join(lines)


def fill(text: str, width: float, weight: str) -> list[str]:
    """Lines of at most `width` ems, each as full as possible."""
    lines, space = [""], ems_of("n n", weight) - ems_of("nn", weight)
    used = 0.0
    for word in text.split():
        while ems_of(word, weight) > width and len(word) > 1:  # break a long word
            fits = max((i for i in range(1, len(word)) if ems_of(word[:i], weight) <= width), default=1)
            lines += [word[:fits]]
            word, used = word[fits:], width
        wide = ems_of(word, weight)
        if lines[-1] and used + space + wide > width:
            lines, used = [*lines, word], wide
        else:
            lines[-1], used = f"{lines[-1]} {word}".strip(), used + space * bool(lines[-1]) + wide
    return [line for line in lines if line]


def readable(color: str) -> tuple[float, float, float]:
    """A colour for text: the same hue, dark enough for a contrast of at least 4.5 with the paper, as RGB in [0, 1]."""
    rgb = np.array(to_rgb(color))
    while contrast(rgb, PAPER) < 4.6:
        rgb = 0.95 * rgb
    return tuple(rgb)


def contrast(one, other) -> float:
    """The contrast ratio of two colours, from 1 to 21, as the WCAG define it."""
    light = []
    for rgb in (np.array(to_rgb(one)), np.array(to_rgb(other))):
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05)
    return max(light) / min(light)

"""What the schematic drawings are made of: tiles, vectors, blocks, arrows and words on a figure measured in inches."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .sheet import draw_boxes, paint
from .theme import INK, MUTED, WIDTH, Picture, readable, wrap


class Drawing:
    """A figure of WIDTH inches, whose axes measures inches from the top left corner, and its building blocks."""

    def __init__(self, height: float, title: str | None):
        self.width, text = WIDTH, wrap(title, WIDTH - 0.3, 10.5, "bold") if title else ""
        self.top = 0.18 * (text.count("\n") + 1) + 0.12 if title else 0.0
        self.height = height + self.top
        self.fig = Picture(figsize=(WIDTH, self.height))
        self.ax = self.fig.add_axes(
            (0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, -self.top), autoscale_on=False, aspect="auto"
        )
        self.ax.set_axis_off()
        self.ax.text(0.16, 0.16 - self.top, text, va="top", fontsize=10.5, fontweight="bold", linespacing=1.15)
        self.fig.alt = " ".join(title.split()) if title else ""

    def text(self, x, y, words, points=9.0, color=INK, **options):
        self.ax.text(
            x,
            y,
            words,
            fontsize=points,
            color=readable(color),
            **{"ha": "center", "va": "center", "linespacing": 1.3} | options,
        )

    def heading(self, x, y, words, color=INK):
        """A text around the height y, on one line with the other headings: some have letters that reach below it."""
        self.text(x, y + 0.05, words, color=color, va="baseline")

    def block(self, x, y, w, h, words, color):
        """A box with rounded corners around words, with its left upper corner at (x, y)."""
        shape = FancyBboxPatch(
            (x, y), w, h, boxstyle="round,pad=0,rounding_size=0.08", facecolor="white", edgecolor=color, linewidth=2
        )
        self.ax.add_artist(shape)
        self.text(x + w / 2, y + h / 2, words, color=color)

    def arrow(self, start, stop, color=MUTED):
        """An arrow between two points."""
        self.ax.add_artist(
            FancyArrowPatch(
                start, stop, arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0, color=color, linewidth=1.5
            )  # fmt: skip
        )

    def tile(self, patch, x, y, side, number=None):
        """A patch (ph, pw, 3) as a square around the height y, with its index to the left."""
        paint(self.ax, patch, (x, y - side / 2, side, side))
        draw_boxes(self.ax, [(x, y - side / 2, side, side)], INK, 0.8)
        if number is not None:
            self.text(x - 0.07, y, str(number), 8.5, MUTED, ha="right")

    def image(self, picture, words):
        """The picture at the left, with words above it. Returns its box; its longer side has 1.5 inches."""
        h, w = (1.5 * np.array(picture.shape[:2]) / max(picture.shape[:2])).round(2)
        box = (0.2 + (1.5 - w) / 2, 1.05 + (1.5 - h) / 2, w, h)
        paint(self.ax, picture, box)
        self.text(0.95, box[1] - 0.17, words)
        return box

    def vector(self, x, y, color, numbers, w=0.6):
        """A token as a row of small cells; numbers: (d,) in [0, 1], how dark each cell is."""
        d, h = len(numbers), 0.17
        shades = 1 - (0.15 + 0.75 * np.asarray(numbers))[:, None] * (1 - np.array(to_rgb(color)))
        paint(self.ax, shades[None], (x, y - h / 2, w, h), keeps=False)
        draw_boxes(self.ax, [(x + i * w / d, y - h / 2, w / d, h) for i in range(d)], color, 0.9)


def shades_of(patch):
    """Five numbers in [0, 1] that stand for the features of a patch. They are taken from its pixels."""
    d, flat = 5, patch.reshape(-1).astype(float) / 255
    return np.array([flat[i::d].std() * 1.5 + flat[i * len(flat) // d] * 0.6 for i in range(d)]).clip(0, 1)


def some(indices, most):
    """At most `most` of the indices, evenly spread."""
    return indices[np.linspace(0, len(indices) - 1, min(most, len(indices))).round().astype(int)]

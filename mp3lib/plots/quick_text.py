"""A renderer that draws each text once, and puts its picture wherever the text stands again.

While a slider moves, the figure is drawn anew for every value, and most of its texts are the same. Laying out and
drawing their letters took a third of the time.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties


class QuickRenderer(RendererAgg):
    """matplotlib's Agg renderer with a memory for texts. A text stands at a whole pixel, formulas excepted."""

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        if ismath:
            return super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        pixels, left, below = _drawn(s, prop.copy(), angle, self.dpi, gc.get_rgb())
        opaque = self.new_gc()  # the pixels have the text's alpha already
        opaque.copy_properties(gc)
        opaque.set_alpha(1.0)
        self.draw_image(opaque, round(x) + left, self.height - round(y) + below, pixels)
        opaque.restore()

    def get_text_width_height_descent(self, s, prop, ismath):
        if ismath:
            return super().get_text_width_height_descent(s, prop, ismath)
        return _measured(s, prop.copy(), self.dpi)


@functools.lru_cache(4096)
def _measured(text: str, font: FontProperties, dpi: float) -> tuple[float, float, float]:
    """Width, height and descent of a text, in pixels."""
    return RendererAgg(1, 1, dpi).get_text_width_height_descent(text, font, False)


@functools.lru_cache(1024)
def _drawn(text: str, font: FontProperties, angle: float, dpi: float, color: tuple) -> tuple[np.ndarray, int, int]:
    """A text as a picture, uint8 (h, w, 4), lowest row first; and how far its lower left corner is from its origin."""
    width, height, _ = _measured(text, font, dpi)
    reach = math.ceil(math.hypot(width, height)) + 2  # in every direction, since the text may be turned
    renderer = RendererAgg(2 * reach, 2 * reach, dpi)
    gc = renderer.new_gc()
    gc.set_foreground(color, isRGBA=True)
    renderer.draw_text(gc, reach, reach, text, font, angle)
    pixels = np.asarray(renderer.buffer_rgba())
    rows, columns = np.nonzero(pixels[..., 3].any(1))[0], np.nonzero(pixels[..., 3].any(0))[0]
    if not len(rows):  # spaces
        return np.zeros((1, 1, 4), np.uint8), 0, 0
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return pixels[top:bottom, left:right][::-1].copy(), int(left) - reach, reach - int(bottom)

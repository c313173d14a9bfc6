"""Figures. Each function takes arrays and returns a matplotlib `Figure`.

``images`` draws images, patches, masks and heat maps. ``attention`` draws attention and predicted positions over an
image. ``jigsaw`` draws puzzles. ``charts`` draws curves, bars and matrices,
``points`` points with labels, ``panels`` several charts of curves, ``map_row`` a heat map and one of its rows.
``schematics`` draws the way of the data through a model, of the parts that ``drawing`` has,
``board_picture`` the still picture of the patch board. ``theme`` holds colours and style,
``sheet`` the layout of small pictures, ``patches`` the conversion of images and the cutting into patches, and
``dark`` what keeps its colours when a dark page recolours a figure. ``quick_text`` and ``quick_png`` draw and write a
figure fast enough for a slider.

All figures follow the same rules. The caller's title states the finding. Hidden patches are hatched grey. The query
patch is outlined in orange. Colours come from the Okabe-Ito palette, which colour-blind readers can distinguish.
Patches are numbered row by row from the top left, starting at 0. Arrays may be NumPy arrays, tensors on any device, or
nested lists. No function runs a model, and no function shows a figure as a side effect.
"""

from .attention import attention_by_layer, attention_over_image, heat_over_image
from .charts import bars, curves, matrix
from .images import heat_maps, image_grid, mask_strip, patch_grid
from .jigsaw import jigsaw_boards, jigsaw_step, predicted_positions
from .map_row import map_and_row
from .panels import curve_panels
from .patches import reassemble, to_picture
from .points import scatter
from .schematics import attention_schematic, mp3_schematic, vit_schematic
from .theme import (
    BLUE,
    GREEN,
    HATCH,
    HIDDEN,
    INK,
    MUTED,
    ORANGE,
    PALE,
    PAPER,
    PURPLE,
    SKY,
    VERMILION,
    Picture,
    figure,
    style,
)

__all__ = [
    "BLUE",
    "GREEN",
    "HATCH",
    "HIDDEN",
    "INK",
    "MUTED",
    "ORANGE",
    "PALE",
    "PAPER",
    "PURPLE",
    "SKY",
    "VERMILION",
    "Picture",
    "attention_by_layer",
    "attention_over_image",
    "attention_schematic",
    "bars",
    "curve_panels",
    "curves",
    "figure",
    "heat_maps",
    "heat_over_image",
    "image_grid",
    "jigsaw_boards",
    "jigsaw_step",
    "map_and_row",
    "mask_strip",
    "matrix",
    "mp3_schematic",
    "patch_grid",
    "predicted_positions",
    "reassemble",
    "scatter",
    "style",
    "to_picture",
    "vit_schematic",
]

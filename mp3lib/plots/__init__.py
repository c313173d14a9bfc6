"""Figures: arrays in, a matplotlib `Figure` out. Images, patches, masks and heat maps are in ``images``, attention and
predicted positions over an image in ``attention``, puzzles in ``jigsaw``, curves, bars and matrices in ``charts``.
The look is in ``theme``, the sheet of small pictures in ``sheet``, the cutting into patches in ``patches``.

The same in every figure: the title is the caller's finding; hidden patches are hatched grey; the patch in question is
outlined in orange; colours come from the Okabe-Ito set, which colour-blind readers can tell apart; patches are numbered
row by row from the top left. Arrays may be NumPy arrays, tensors on any device, or nested lists. No figure computes a
model, and nothing is shown as a side effect.
"""

from .attention import attention_by_layer, attention_over_image, heat_over_image
from .charts import bars, curves, matrix
from .images import heat_maps, image_grid, mask_strip, patch_grid
from .jigsaw import jigsaw_boards, jigsaw_step, predicted_positions
from .patches import reassemble, to_picture
from .theme import (
    BLUE,
    GREEN,
    HATCH,
    HIDDEN,
    INK,
    MUTED,
    ORANGE,
    PALE,
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
    "PURPLE",
    "SKY",
    "VERMILION",
    "Picture",
    "attention_by_layer",
    "attention_over_image",
    "bars",
    "curves",
    "figure",
    "heat_maps",
    "heat_over_image",
    "image_grid",
    "jigsaw_boards",
    "jigsaw_step",
    "mask_strip",
    "matrix",
    "patch_grid",
    "predicted_positions",
    "reassemble",
    "style",
    "to_picture",
]

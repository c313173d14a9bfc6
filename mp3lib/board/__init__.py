"""The board of patches in Jupyter: the network runs in the page, with the model's own weights.

In a notebook the board is the last expression of a cell. Later cells read what the reader did, and set it::

    board = patch_board(load_shipped("puzzler-4x4"), images.test.images[:10])
    board                                    # solve the jigsaw, pick patches, hide patches

    board.order, board.context, board.pick   # the jigsaw as it stands, the seen patches, the picked patch
    board.logits                             # the answer on the board, float32 (n, n)
    board.mode, board.pick = "look", 6       # the page follows

Several networks to switch between, such as the puzzler and the pupil, are a mapping::

    patch_board({"the puzzler": puzzler, "the pupil": pupil}, images, mode="look", easiest_first=True)

The page answers with the weights that the model had when the board was made. The kernel can answer too, with the model
as it is at that moment, for example after more training: the reader chooses it under the board, or
`patch_board(my_model, images, answers="kernel")` does. `answers="both"` compares the two answers.
A page without a kernel shows a stored picture. The same JavaScript (mp3lib/live) makes the site's page live.html.

``making`` makes the board from models and images, ``widget`` is what the notebook holds of it, and ``scripts`` joins
the JavaScript files.
"""

from .making import accuracies, patch_board
from .widget import PatchBoard

__all__ = ["PatchBoard", "accuracies", "patch_board"]

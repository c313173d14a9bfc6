"""Schematic drawings: the way of the data through one attention head, a vision transformer, and MP3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from numpy.typing import ArrayLike

from .patches import check_indices, cut, to_numpy, to_picture
from .sheet import cells_of, draw_boxes, draw_grid, hatch, outline, paint
from .theme import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, VERMILION, WIDTH, Picture, readable, styled, wrap


class Board:
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


@styled
def attention_schematic(
    image: ArrayLike, patch_size, query: int = 5, context: ArrayLike | None = None, weights: ArrayLike | None = None,
    title: str | None = "One attention head: a query is compared with the keys of the context",
) -> Figure:  # fmt: skip
    """A drawing of one attention head: tokens, query, keys, values, weights over the context, output.

    image: see `to_picture`; its patches stand for the tokens.
    patch_size: int or (height, width) in pixels; 8 x 8 pixels of a 32-pixel image draw best.
    query: index of the patch that attends.
    context: indices of the context patches, to which it attends; by default four patches spread over the image. At most
    four of them, evenly spread, are drawn.
    weights: the attention weight of each context patch, from 0 to 1, written beside its bar. By default the weights are
    equal and no numbers are written.
    Raises ValueError for indices out of range, for an empty context, and for another number of weights.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    n = len(patches)
    query = int(check_indices([query], n, "query")[0])
    context = some(np.arange(n), 4) if context is None else check_indices(context, n, "context")
    if not len(context):
        raise ValueError("context is empty; expected at least one patch index")
    shares = np.full(len(context), 1 / len(context)) if weights is None else to_numpy(weights).astype(float).ravel()
    if len(shares) != len(context):
        raise ValueError(f"weights has length {len(shares)}; expected {len(context)}, one a context patch")
    drawn = some(np.arange(len(context)), 4)
    board = Board(4.1, title)
    box = board.image(picture, "image of patches")
    cells = cells_of(box, rows, cols)
    draw_grid(board.ax, cells, ~np.isin(np.arange(n), [*context, query]))
    if query not in context:
        hatch(board.ax, cells[query])
    outline(board.ax, cells[query])
    note = "outlined: the query patch\nhatched: not in the context"
    board.text(0.95, box[1] + box[3] + 0.32, note, 8.5, MUTED)
    # above: the query
    y, tile, numbers = 0.75, 0.42, shades_of(patches[query])
    board.heading(3.1, 0.38, "token")
    board.heading(4.15, 0.38, "query", BLUE)
    board.tile(patches[query], 2.25, y, tile, query)
    if query not in context:
        hatch(board.ax, [(2.25, y - tile / 2, tile, tile)])
    outline(board.ax, np.array([(2.25, y - tile / 2, tile, tile)]))
    board.vector(2.8, y, INK, numbers)
    board.arrow((3.44, y), (3.82, y))
    board.vector(3.85, y, BLUE, numbers[::-1])
    board.arrow((4.49, y), (5.1, y), BLUE)
    board.block(5.14, y - 0.26, 2.0, 0.52, "query · keys / √d,\nthen softmax", BLUE)
    board.arrow((5.97, y + 0.26), (5.97, 1.3), BLUE)
    # below: the context
    for x, words, color in (
        (3.1, "tokens", INK),
        (4.15, "keys", GREEN),
        (5.0, "values", PURPLE),
        (5.97, "weights", BLUE),
    ):
        board.heading(x, 1.43, words, color)
    ys = 1.82 + 0.56 * np.arange(len(drawn))
    for y, i in zip(ys, drawn, strict=True):
        patch, share, numbers = int(context[i]), shares[i], shades_of(patches[context[i]])
        board.tile(patches[patch], 2.25, y, tile, patch)
        board.vector(2.8, y, INK, numbers)
        board.arrow((3.44, y), (3.82, y))
        board.vector(3.85, y, GREEN, np.roll(numbers, 1))
        board.vector(4.7, y, PURPLE, np.roll(numbers, 2))
        draw_boxes(board.ax, [(5.6, y - 0.09, 0.74 * share, 0.18)], BLUE, 0, facecolor=BLUE)
        draw_boxes(board.ax, [(5.6, y - 0.09, 0.74, 0.18)], BLUE, 0.9)
        if weights is not None:
            board.text(6.39, y, f"{share:.2f}", 8.5, BLUE, ha="left")
    middle = ys.mean()
    board.ax.plot(
        [6.74, 6.8, 6.8, 6.74], [ys[0] - 0.12, ys[0] - 0.12, ys[-1] + 0.12, ys[-1] + 0.12], color=MUTED, lw=1.4
    )
    board.vector(6.88, middle, ORANGE, np.linspace(0.2, 0.9, 5))
    board.text(7.18, middle - 0.3, "output", color=ORANGE)
    board.text(7.18, middle + 0.42, "sum of\nweight\n× value", 8.5, MUTED)
    note = "Queries, keys and values are the tokens times three matrices."
    if len(drawn) < len(context):
        note += f" {len(drawn)} of {len(context)} context patches are drawn."
    board.text(4.7, ys[-1] + 0.44, wrap(note, 4.6, 8.5), 8.5, MUTED)
    return board.fig


@styled
def vit_schematic(
    image: ArrayLike, patch_size, classes: Sequence[str] | None = None, depth: int = 4, predicted: int | None = None,
    title: str | None = "A vision transformer: from patches to tokens to a class",
) -> Figure:  # fmt: skip
    """A drawing of a vision transformer: image, patches, tokens, blocks, mean, class.

    image: see `to_picture`.
    patch_size: int or (height, width) in pixels; 8 x 8 pixels of a 32-pixel image draw best.
    classes: names of the classes; at most five, evenly spread, are drawn; by default "class 0" to "class 4".
    depth: number of blocks.
    predicted: index of a class to mark as predicted; it is always drawn.
    Raises ValueError for an index out of range, and for patches that do not divide the image.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    names = [f"class {i}" for i in range(5)] if classes is None else [str(name) for name in classes]
    chosen = some(np.arange(len(names)), 5)
    if predicted is not None and check_indices([predicted], len(names), "predicted")[0] not in chosen:
        chosen[np.abs(chosen - predicted).argmin()] = predicted
    board = Board(3.55, title)
    box = board.image(picture, "image")
    draw_grid(board.ax, cells_of(box, rows, cols))
    board.text(0.95, box[1] + box[3] + 0.22, f"{rows} × {cols} patches", 8.5, MUTED)
    drawn, tile = some(np.arange(len(patches)), 5), 0.36
    ys = 0.82 + 0.5 * np.arange(len(drawn))
    middle, end = ys.mean(), ys[-1] + 0.4
    for x, words, color in (
        (2.32, "patches", INK),
        (3.3, "tokens", BLUE),
        (5.5, "features", GREEN),
        (7.06, "class", ORANGE),
    ):
        board.heading(x, 0.38, words, color)
    board.arrow((box[0] + box[2] + 0.05, middle), (1.96, middle))
    for y, i in zip(ys, drawn, strict=True):
        numbers = shades_of(patches[i])
        board.tile(patches[i], 2.14, y, tile, i)
        board.arrow((2.54, y), (2.97, y))
        board.vector(3.0, y, BLUE, numbers)
        board.arrow((3.62, y), (3.86, y))
        board.arrow((4.97, y), (5.19, y))
        board.vector(5.22, y, GREEN, np.roll(numbers, 2), 0.55)
        board.arrow((5.8, y), (6.04, middle + 0.25 * (y - middle)))
    board.text(2.9, end + 0.03, "linear layer and\nposition embedding", 8.5, MUTED)
    for shift in 0.05 * np.arange(min(depth, 4))[::-1]:  # the blocks, one behind the other
        board.block(3.9 + shift, ys[0] - 0.25 - shift, 0.96, ys[-1] - ys[0] + 0.5, "", PURPLE)
    for y, words, note in (
        (middle - 0.72, "attention", "patches\nexchange\ninformation"),
        (middle + 0.42, "feed-\nforward", "each patch\nby itself"),
    ):
        board.text(4.38, y, words, color=PURPLE)
        board.text(4.38, y + 0.42, note, 7.5, MUTED)
    board.text(4.42, end + 0.03, f"{depth} block{'s' * (depth != 1)}", color=PURPLE)
    board.block(6.06, middle - 0.5, 0.42, 1.0, "mean", GREEN)
    spots = middle + 0.42 * (np.arange(len(chosen)) - (len(chosen) - 1) / 2)
    for spot, i in zip(spots, chosen, strict=True):
        best = i == predicted
        board.ax.plot([6.5, 6.7], [middle, spot], color=ORANGE if best else MUTED, linewidth=2.4 if best else 0.9)
        lines = wrap(names[i], 0.66, 8.5, "bold").split("\n")
        words = "\n".join(lines[:2]) + "…" * (len(lines) > 2)
        board.text(6.74, spot, words, 8.5, ORANGE if best else MUTED, ha="left", weight="bold" if best else "normal")
    return board.fig


@styled
def mp3_schematic(
    image: ArrayLike, patch_size, context: ArrayLike, predicted: ArrayLike | None = None,
    title: str | None = "MP3: every patch predicts its position, and attends only to the context",
) -> Figure:  # fmt: skip
    """A drawing of MP3: patches without positions, some hidden; queries of all, keys and values of the context.

    image: see `to_picture`.
    patch_size: int or (height, width) in pixels; 8 x 8 pixels of a 32-pixel image draw best.
    context: indices of the context patches. All other patches are hidden. Three context patches and two hidden patches
    are drawn, if there are as many.
    predicted: (n,) the predicted position of each patch; by default the true positions.
    Raises ValueError for indices out of range, for an empty context, and for another number of predictions.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    n = len(patches)
    context = np.unique(check_indices(context, n, "context"))
    if not len(context):
        raise ValueError("context is empty; expected at least one patch index")
    predicted = np.arange(n) if predicted is None else check_indices(predicted, n, "predicted", length=n)
    hidden = np.setdiff1d(np.arange(n), context)
    visible = some(context, 5 - min(len(hidden), 2))
    drawn = np.concatenate([visible, some(hidden, 5 - len(visible))])
    order = np.argsort((drawn * 7 + 3) % 11, kind="stable")  # a fixed order that is not the one of the image
    drawn = drawn[order]
    board = Board(3.95, title)
    box = board.image(picture, "image")
    draw_grid(board.ax, cells_of(box, rows, cols), np.isin(np.arange(n), hidden))
    board.text(0.95, box[1] + box[3] + 0.32, f"hatched: {len(hidden)} of {n}\npatches are hidden", 8.5, MUTED)
    tile, ys = 0.42, 0.86 + 0.56 * np.arange(len(drawn))
    middle, end = ys.mean(), ys[-1] + 0.46
    board.arrow((box[0] + box[2] + 0.05, middle), (2.06, middle))
    heads = ((2.36, "patches", INK), (3.18, "tokens", INK), (4.07, "queries", BLUE), (4.68, "keys", GREEN))
    for x, words, color in (*heads, (5.26, "values", PURPLE), (7.05, "position", ORANGE)):
        board.heading(x, 0.42, words, color)
    for y, i in zip(ys, drawn, strict=True):
        numbers, seen = shades_of(patches[i]), i in context
        board.tile(patches[i], 2.14, y, tile)
        if not seen:  # the pixels of a hidden patch are an input of its query
            hatch(board.ax, [(2.14, y - tile / 2, tile, tile)])
        board.vector(2.9, y, INK, numbers, 0.55)
        board.arrow((2.6, y), (2.87, y))
        board.arrow((3.49, y), (3.77, y))
        board.vector(3.8, y, BLUE, numbers[::-1], 0.5)
        if seen:
            board.vector(4.43, y, GREEN, np.roll(numbers, 1), 0.5)
            board.vector(5.01, y, PURPLE, np.roll(numbers, 2), 0.5)
        else:
            board.text(4.96, y, "hidden: no key, no value", 7, MUTED)
        board.arrow((5.55, y) if seen else (5.66, y), (5.76, y))
        board.arrow((6.55, y), (6.81, y))
        small = (6.84, y - tile / 2, tile, tile)
        cells = cells_of(small, rows, cols)
        draw_boxes(board.ax, cells, MUTED, 0.6, facecolor="white")
        right = predicted[i] == i
        draw_boxes(board.ax, cells[[predicted[i]]], MUTED, 0.6, facecolor=GREEN if right else VERMILION)
        board.text(7.31, y, "✓" if right else "×", 10, GREEN if right else VERMILION, ha="left")
    board.text(2.72, end + 0.06, "without order and without\nposition embeddings", 8.5, MUTED)
    board.block(5.8, ys[0] - 0.27, 0.74, ys[-1] - ys[0] + 0.54, "blocks", PURPLE)
    board.text(5.0, end + 0.06, "all patches attend to\nthe context, and only to it", 8.5, MUTED)
    board.text(6.93, end + 0.06, f"a class for each\nof {n} positions", 8.5, MUTED)
    return board.fig

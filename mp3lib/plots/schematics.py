"""Schematic drawings: the way of the data through one attention head, a vision transformer, and MP3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .drawing import Drawing, shades_of, some
from .patches import check_indices, cut, to_numpy, to_picture
from .sheet import cells_of, draw_boxes, draw_grid, hatch, outline
from .theme import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, VERMILION, styled, wrap


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
    drawing = Drawing(4.1, title)
    box = drawing.image(picture, "image of patches")
    cells = cells_of(box, rows, cols)
    draw_grid(drawing.ax, cells, ~np.isin(np.arange(n), [*context, query]))
    if query not in context:
        hatch(drawing.ax, cells[query])
    outline(drawing.ax, cells[query])
    note = "outlined: the query patch\nhatched: not in the context"
    drawing.text(0.95, box[1] + box[3] + 0.32, note, 8.5, MUTED)
    # above: the query
    y, tile, numbers = 0.75, 0.42, shades_of(patches[query])
    drawing.heading(3.1, 0.38, "token")
    drawing.heading(4.15, 0.38, "query", BLUE)
    drawing.tile(patches[query], 2.25, y, tile, query)
    if query not in context:
        hatch(drawing.ax, [(2.25, y - tile / 2, tile, tile)])
    outline(drawing.ax, np.array([(2.25, y - tile / 2, tile, tile)]))
    drawing.vector(2.8, y, INK, numbers)
    drawing.arrow((3.44, y), (3.82, y))
    drawing.vector(3.85, y, BLUE, numbers[::-1])
    drawing.arrow((4.49, y), (5.1, y), BLUE)
    drawing.block(5.14, y - 0.26, 2.0, 0.52, "query · keys / √d,\nthen softmax", BLUE)
    drawing.arrow((5.97, y + 0.26), (5.97, 1.3), BLUE)
    # below: the context
    for x, words, color in (
        (3.1, "tokens", INK),
        (4.15, "keys", GREEN),
        (5.0, "values", PURPLE),
        (5.97, "weights", BLUE),
    ):
        drawing.heading(x, 1.43, words, color)
    ys = 1.82 + 0.56 * np.arange(len(drawn))
    for y, i in zip(ys, drawn, strict=True):
        patch, share, numbers = int(context[i]), shares[i], shades_of(patches[context[i]])
        drawing.tile(patches[patch], 2.25, y, tile, patch)
        drawing.vector(2.8, y, INK, numbers)
        drawing.arrow((3.44, y), (3.82, y))
        drawing.vector(3.85, y, GREEN, np.roll(numbers, 1))
        drawing.vector(4.7, y, PURPLE, np.roll(numbers, 2))
        draw_boxes(drawing.ax, [(5.6, y - 0.09, 0.74 * share, 0.18)], BLUE, 0, facecolor=BLUE)
        draw_boxes(drawing.ax, [(5.6, y - 0.09, 0.74, 0.18)], BLUE, 0.9)
        if weights is not None:
            drawing.text(6.39, y, f"{share:.2f}", 8.5, BLUE, ha="left")
    middle = ys.mean()
    drawing.ax.plot(
        [6.74, 6.8, 6.8, 6.74], [ys[0] - 0.12, ys[0] - 0.12, ys[-1] + 0.12, ys[-1] + 0.12], color=MUTED, lw=1.4
    )
    drawing.vector(6.88, middle, ORANGE, np.linspace(0.2, 0.9, 5))
    drawing.text(7.18, middle - 0.3, "output", color=ORANGE)
    drawing.text(7.18, middle + 0.42, "sum of\nweight\n× value", 8.5, MUTED)
    note = "Queries, keys and values are the tokens times three matrices."
    if len(drawn) < len(context):
        note += f" {len(drawn)} of {len(context)} context patches are drawn."
    drawing.text(4.7, ys[-1] + 0.44, wrap(note, 4.6, 8.5), 8.5, MUTED)
    return drawing.fig


@styled
def vit_schematic(
    image: ArrayLike, patch_size, classes: Sequence[str] | None = None, depth: int = 4, predicted: int | None = None,
    title: str | None = "A vision transformer: from patches to tokens to a class",
) -> Figure:  # fmt: skip
    """A drawing of a vision transformer: image, patches, tokens, blocks, mean, logits, class.

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
    drawing = Drawing(3.55, title)
    box = drawing.image(picture, "image")
    draw_grid(drawing.ax, cells_of(box, rows, cols))
    drawing.text(0.95, box[1] + box[3] + 0.22, f"{rows} × {cols} patches", 8.5, MUTED)
    drawn, tile = some(np.arange(len(patches)), 5), 0.36
    ys = 0.82 + 0.5 * np.arange(len(drawn))
    middle, end = ys.mean(), ys[-1] + 0.4
    for x, words, color in (
        (2.32, "patches", INK),
        (3.3, "tokens", BLUE),
        (5.5, "tokens", GREEN),
        (7.06, "class", ORANGE),
    ):
        drawing.heading(x, 0.38, words, color)
    drawing.arrow((box[0] + box[2] + 0.05, middle), (1.96, middle))
    for y, i in zip(ys, drawn, strict=True):
        numbers = shades_of(patches[i])
        drawing.tile(patches[i], 2.14, y, tile, i)
        drawing.arrow((2.54, y), (2.97, y))
        drawing.vector(3.0, y, BLUE, numbers)
        drawing.arrow((3.62, y), (3.86, y))
        drawing.arrow((4.97, y), (5.19, y))
        drawing.vector(5.22, y, GREEN, np.roll(numbers, 2), 0.55)
        drawing.arrow((5.8, y), (6.04, middle + 0.25 * (y - middle)))
    drawing.text(2.9, end + 0.03, "linear layer and\nposition embedding", 8.5, MUTED)
    for shift in 0.05 * np.arange(min(depth, 4))[::-1]:  # the blocks, one behind the other
        drawing.block(3.9 + shift, ys[0] - 0.25 - shift, 0.96, ys[-1] - ys[0] + 0.5, "", PURPLE)
    for y, words, note in (
        (middle - 0.72, "attention", "patches\nexchange\ninformation"),
        (middle + 0.42, "feed-\nforward", "each patch\nby itself"),
    ):
        drawing.text(4.38, y, words, color=PURPLE)
        drawing.text(4.38, y + 0.42, note, 7.5, MUTED)
    drawing.text(4.42, end + 0.03, f"{depth} block{'s' * (depth != 1)}", color=PURPLE)
    drawing.block(6.06, middle - 0.5, 0.42, 1.0, "mean", GREEN)
    drawing.text(6.75, end + 0.03, "linear layer:\na logit per class", 8.5, MUTED)
    spots = middle + 0.42 * (np.arange(len(chosen)) - (len(chosen) - 1) / 2)
    for spot, i in zip(spots, chosen, strict=True):
        best = i == predicted
        drawing.ax.plot([6.5, 6.7], [middle, spot], color=ORANGE if best else MUTED, linewidth=2.4 if best else 0.9)
        lines = wrap(names[i], 0.66, 8.5, "bold").split("\n")
        words = "\n".join(lines[:2]) + "…" * (len(lines) > 2)
        drawing.text(6.74, spot, words, 8.5, ORANGE if best else MUTED, ha="left", weight="bold" if best else "normal")
    return drawing.fig


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
    drawing = Drawing(3.95, title)
    box = drawing.image(picture, "image")
    draw_grid(drawing.ax, cells_of(box, rows, cols), np.isin(np.arange(n), hidden))
    drawing.text(0.95, box[1] + box[3] + 0.32, f"hatched: {len(hidden)} of {n}\npatches are hidden", 8.5, MUTED)
    tile, ys = 0.42, 0.86 + 0.56 * np.arange(len(drawn))
    middle, end = ys.mean(), ys[-1] + 0.46
    drawing.arrow((box[0] + box[2] + 0.05, middle), (2.06, middle))
    heads = ((2.36, "patches", INK), (3.18, "tokens", INK), (4.07, "queries", BLUE), (4.68, "keys", GREEN))
    for x, words, color in (*heads, (5.26, "values", PURPLE), (7.05, "position", ORANGE)):
        drawing.heading(x, 0.42, words, color)
    for y, i in zip(ys, drawn, strict=True):
        numbers, seen = shades_of(patches[i]), i in context
        drawing.tile(patches[i], 2.14, y, tile)
        if not seen:  # the pixels of a hidden patch are an input of its query
            hatch(drawing.ax, [(2.14, y - tile / 2, tile, tile)])
        drawing.vector(2.9, y, INK, numbers, 0.55)
        drawing.arrow((2.6, y), (2.87, y))
        drawing.arrow((3.49, y), (3.77, y))
        drawing.vector(3.8, y, BLUE, numbers[::-1], 0.5)
        if seen:
            drawing.vector(4.43, y, GREEN, np.roll(numbers, 1), 0.5)
            drawing.vector(5.01, y, PURPLE, np.roll(numbers, 2), 0.5)
        else:
            drawing.text(4.96, y, "hidden: no key, no value", 7, MUTED)
        drawing.arrow((5.55, y) if seen else (5.66, y), (5.76, y))
        drawing.arrow((6.55, y), (6.81, y))
        small = (6.84, y - tile / 2, tile, tile)
        cells = cells_of(small, rows, cols)
        draw_boxes(drawing.ax, cells, MUTED, 0.6, facecolor="white")
        right = predicted[i] == i
        draw_boxes(drawing.ax, cells[[predicted[i]]], MUTED, 0.6, facecolor=GREEN if right else VERMILION)
        drawing.text(7.31, y, "✓" if right else "×", 10, GREEN if right else VERMILION, ha="left")
    drawing.text(2.72, end + 0.06, "without order and without\nposition embeddings", 8.5, MUTED)
    drawing.block(5.8, ys[0] - 0.27, 0.74, ys[-1] - ys[0] + 0.54, "blocks", PURPLE)
    drawing.text(5.0, end + 0.06, "all patches attend to\nthe context, and only to it", 8.5, MUTED)
    drawing.text(6.93, end + 0.06, f"the {n} positions\nare the classes", 8.5, MUTED)
    return drawing.fig

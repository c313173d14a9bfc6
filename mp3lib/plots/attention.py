"""Figures of attention and of predicted positions over an image: one number for each patch, drawn as a colour."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from numpy.typing import ArrayLike

from ..luma import LUMA
from .patches import check_filled, check_indices, check_texts, cut, join_patches, to_numpy, to_picture, to_pictures
from .sheet import Sheet, draw_grid, hatch, outline, paint, row_length
from .theme import CLEAR_TO_BLUE, GREY_TO_BLUE, INK, VERMILION, styled


@styled
def attention_over_image(
    image: ArrayLike, patch_size, weights: ArrayLike, context: ArrayLike, query: int,
    titles: Sequence[str] | None = None, title: str | None = None, columns: int | None = None,
    vmax: float | None = None,
    size: float | None = None, result: ArrayLike | None = None,
) -> Figure:  # fmt: skip
    """The attention of one query patch: the image, then for each head its attention weights in blue on a grey copy.

    image: see `to_picture`.
    patch_size: int or (height, width) in pixels.
    weights: (h, k), the query's attention to each context patch, from 0 to 1.
    context: (k,) patch indices; all other patches are hatched.
    query: index of the query patch. It is outlined. If it is hatched, its pixels still show in the image, because they
    are an input.
    titles: h texts, one for each head.
    columns: pictures in a row, at most; by default few enough to show large pictures.
    vmax: end of the colour range; by default the largest weight.
    size: inches of the longer side of each picture; by default as large as fits a page.
    result: a further image of the same size, drawn last. `titles` then needs h + 1 texts.
    The orange line in the colour bar is 1/k, the weight of uniform attention.
    Raises ValueError for shapes that do not fit, and for indices out of range.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    n, weights = rows * cols, np.atleast_2d(to_numpy(weights).astype(float))
    context, query = check_indices(context, n, "context"), check_indices([query], n, "query")
    if weights.ndim != 2 or weights.shape[1] != len(context):
        raise ValueError(f"weights has shape {weights.shape}; expected (heads, {len(context)})")
    check_filled("weights", weights)
    heads, results = len(weights), [] if result is None else to_pictures([image, result])[1:]
    titles = [f"head {i}" for i in range(heads)] + ["result"] * len(results) if titles is None else titles
    titles = ["the picture", *check_texts(titles, heads + len(results))]
    top, hidden = float(vmax or weights.max() or 1), np.ones((1 + heads, n), bool)
    hidden[:, context] = hidden[0, query] = False
    label = "attention" if weights.max() <= top else f"attention; the largest is {weights.max():.2f}"
    columns = row_length(len(titles), columns, size, 5)
    sheet = Sheet(len(titles), picture.shape, columns, titles, title, size, bar=label)
    # the image first, then a grey copy with a heat map for each head, then the result
    pictures = [picture] + [join_patches(dim(patches), rows, cols)] * heads + results
    for i, (drawn, box) in enumerate(zip(pictures, sheet.boxes, strict=True)):
        sheet.picture(drawn, box)
        if 1 <= i <= heads:
            heat = np.full(n, np.nan)
            heat[context] = weights[i - 1]
            paint(sheet.ax, heat.reshape(rows, cols), box, vmin=0, vmax=top, cmap=CLEAR_TO_BLUE)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells[: 1 + heads], hidden)
    draw_grid(sheet.ax, cells[1 + heads :])  # nothing is hatched in the result
    hatch(sheet.ax, cells[0, np.setdiff1d(query, context)])
    outline(sheet.ax, cells[:, query])
    sheet.colorbar({"vmin": 0, "vmax": top, "cmap": GREY_TO_BLUE}, level=1 / len(context))
    return sheet.fig


@styled
def heat_over_image(
    image: ArrayLike, patch_size, heats: ArrayLike, marks: ArrayLike | None = None, guesses: ArrayLike | None = None,
    context: ArrayLike | None = None, titles: Sequence[str] | None = None, title: str | None = None,
    columns: int | None = None,
    vmax: float | None = None, label: str = "", level: float | None = None, numbers: bool = False,
    size: float | None = None,
) -> Figure:  # fmt: skip
    """One number for each patch, in blue over a grey copy of the image: probabilities, rollouts, confidences.

    image: one image, see `to_picture`; it is drawn first, followed by m heat maps. Or m images, (m, 3, H, W) or a list:
    then the images are the first row, and each heat map is drawn below its image.
    patch_size: int or (height, width) in pixels.
    heats: (m, n) or (n,), at least 0; NaN leaves a patch grey.
    marks: m patch indices, one for each heat map, outlined in the map and in the image.
    guesses: m patch indices, one for each heat map, shown there as a dot: for example predicted positions.
    context: (k,) patch indices of every image, or a list of m such with m images. All other patches are hatched in the
    image. The pixels of marked patches show nevertheless.
    titles: m texts, one for each heat map; columns: pictures in a row, at most; with m images there are m columns.
    vmax: end of the colour range, by default the largest number. Pass it in a live figure, so that the range stays the
    same when a slider moves.
    label: of the colour bar; level: a value to mark in it, such as chance.
    numbers: write each number in per cent, unless the patches are too small for readable digits.
    size: inches of the longer side of each picture; by default as large as fits a page.
    Raises ValueError for shapes that do not fit, and for indices out of range.
    """
    many = isinstance(image, (list, tuple)) or to_numpy(image).ndim == 4
    pictures, heats = to_pictures(image if many else [image]), np.atleast_2d(to_numpy(heats).astype(float))
    cuts = [cut(picture, patch_size) for picture in pictures]
    (rows, cols), m = cuts[0][1], len(heats)
    n = rows * cols
    if heats.shape != (m, n):
        raise ValueError(f"heats has shape {heats.shape}; expected (m, {n})")
    if many and len(pictures) != m:
        raise ValueError(f"got {len(pictures)} images and {m} heats; expected one image, or one for each heat")
    marks = None if marks is None else check_indices(marks, n, "marks", length=m)
    guesses = None if guesses is None else check_indices(guesses, n, "guesses", length=m)
    texts = [""] * m if titles is None else check_texts(titles, m)
    first = len(pictures)  # the index of the first heat map in the sheet
    sheet = Sheet(first + m, pictures[0].shape, m if many else row_length(1 + m, columns, size, 6),
                  texts + [""] * m if many else ["the picture", *texts], title, size, bar=label)  # fmt: skip
    for (patches, _), box in zip(cuts, sheet.boxes[:first], strict=True):
        sheet.picture(join_patches(patches, rows, cols), box)
    top = float(vmax or np.nanmax(heats, initial=0) or 1)
    for i, box in enumerate(sheet.boxes[first:]):
        sheet.picture(join_patches(dim(cuts[i if many else 0][0]), rows, cols), box)
        paint(sheet.ax, heats[i].reshape(rows, cols), box, vmin=0, vmax=top, cmap=CLEAR_TO_BLUE)
    # hatch the patches outside the context in the images; the pixels of marked ones show nevertheless
    cells, hidden = sheet.cells(rows, cols), np.zeros((first + m, n), bool)
    if context is not None:
        hidden[:first] = True
        for flags, indices in zip(hidden[:first], contexts_of(context, first, n), strict=True):
            flags[indices] = False
    marked = np.zeros_like(hidden)
    if marks is not None:
        marked[np.arange(m) if many else 0, marks] = True
    draw_grid(sheet.ax, cells, hidden & ~marked)
    hatch(sheet.ax, cells[hidden & marked])
    if numbers:
        centres = cells[..., :2] + cells[..., 2:] / 2
        write_percents(sheet, centres[first:], heats, cells[0, 0, 2])
    if marks is not None:
        outline(sheet.ax, cells[:first][np.arange(m) if many else np.zeros(m, int), marks])
        outline(sheet.ax, cells[first + np.arange(m), marks])
    if guesses is not None:
        # the dot lies in the upper right corner of its patch, at (0.82, 0.2) of its width and height
        spots = cells[first + np.arange(m), guesses] @ np.array([[1, 0], [0, 1], [0.82, 0], [0, 0.2]])
        sheet.ax.plot(*spots.T, "o", markersize=min(6, 30 * cells[0, 0, 2]), color=VERMILION, markeredgecolor="white")
    sheet.colorbar({"vmin": 0, "vmax": top, "cmap": GREY_TO_BLUE}, level=level)
    return sheet.fig


def contexts_of(context, count, n):
    """The patch indices in the context of each of `count` images: given once for all of them, or for each of them.

    Raises ValueError for another number of contexts, and for indices out of range.
    """
    parts = context if isinstance(context, (list, tuple)) else np.atleast_1d(to_numpy(context))
    contexts = [context] * count if all(np.ndim(part) == 0 for part in parts) else parts
    if len(contexts) != count:
        raise ValueError(f"got {count} images and {len(contexts)} contexts; expected one, or one for each image")
    return [check_indices(indices, n, "context") for indices in contexts]


def write_percents(sheet, centres, heats, width):
    """Write each number in per cent, in white with a dark edge. Patches too small for readable digits get none.

    centres: (m, n, 2), x and y in inches; heats: (m, n); width: inches of a patch.
    """
    points, glyphs = min(9.5, 24 * width), []
    for spot, heat in zip(centres.reshape(-1, 2), heats.ravel(), strict=True):
        if np.isfinite(heat) and points >= 5:
            digits = number_path(f"{100 * heat:.0f}")
            glyphs.append(Path(digits.vertices * [points, -points] / 72 + spot, digits.codes))  # the y axis points down
    if glyphs:
        path = Path.make_compound_path(*glyphs)
        sheet.ax.add_artist(PathPatch(path, facecolor="none", edgecolor=INK, linewidth=2))
        sheet.ax.add_artist(PathPatch(path, facecolor="white", linewidth=0))


@functools.cache
def number_path(text: str) -> Path:
    """The outline of a text, with its centre at (0, 0), in units of the font size.

    Many outlines joined to one path are drawn faster than many matplotlib texts.
    """
    path = TextPath((0, 0), text, size=1)
    low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
    return Path(path.vertices - (low + high) / 2, path.codes)


def dim(patches):
    """Patches in middle greys, in 16 steps, to draw a heat map over. uint8, same shape.

    All of them are darker than the light grey of hidden patches: little attention does not look like a hidden patch.
    """
    grey = 75 + 0.4 * patches @ np.array(LUMA)
    return np.repeat((grey[..., None] // 8 * 8 + 4), 3, -1).astype(np.uint8)


@styled
def attention_by_layer(
    image: ArrayLike, patch_size, weights: ArrayLike, context: ArrayLike, query: int, rollout: ArrayLike | None = None,
    title: str | None = None, vmax: float | None = None, size: float | None = None,
) -> Figure:  # fmt: skip
    """The attention of one query patch in every layer (columns) and head (rows), and its attention rollout.

    image: see `to_picture`.
    patch_size: int or (height, width) in pixels.
    weights: (depth, h, k), the query's attention to each context patch, from 0 to 1.
    context: (k,) patch indices; all other patches are hatched.
    query: index of the query patch. It is outlined. If it is hatched, its pixels still show in the image.
    rollout: (n,), the query's row of `attention_rollout`, drawn below the image. It has its own colour range, from 0 to
    the largest share of a context patch other than the query. The query's share of itself is left blank, because it is
    large by definition.
    vmax: end of the colour range of attention; by default the largest weight.
    size: inches of the longer side of each picture; by default as large as fits a page.
    The orange line in the colour bar is 1/k, the weight of uniform attention.
    Raises ValueError for shapes that do not fit, and for indices out of range.
    """
    [picture] = to_pictures([image])
    patches, (rows, cols) = cut(picture, patch_size)
    n, weights = rows * cols, to_numpy(weights).astype(float)
    context, query = check_indices(context, n, "context"), check_indices([query], n, "query")
    if weights.ndim != 3 or weights.shape[2] != len(context):
        raise ValueError(f"weights has shape {weights.shape}; expected (depth, heads, {len(context)})")
    check_filled("weights", weights)
    depth, heads, _ = weights.shape
    shares, end = np.full(n, np.nan), 1.0
    if rollout is not None:
        rollout = to_numpy(rollout).astype(float)
        if rollout.shape != (n,):
            raise ValueError(f"rollout has shape {rollout.shape}; expected ({n},)")
        others = context[context != query]
        shares[others] = rollout[others]
        end = float(rollout[others].max(initial=0)) or 1.0
    # column 0 holds the image and below it the rollout, column i the heads of layer i
    sheet_rows = max(heads, 1 if rollout is None else 2)
    titles = [[f"layer {i + 1}, head {j + 1}" if j < heads else "" for i in range(depth)] for j in range(sheet_rows)]
    left = ["the picture", "" if rollout is None else f"rollout (darkest: {end:.2f})"] + [""] * sheet_rows
    texts = [text for j in range(sheet_rows) for text in (left[j], *titles[j])]
    top = float(vmax or weights.max() or 1)
    label = "attention" if weights.max() <= top else f"attention; the largest is {weights.max():.2f}"
    sheet = Sheet(sheet_rows * (depth + 1), picture.shape, depth + 1, texts, title, size, bar=label)
    grey = join_patches(dim(patches), rows, cols)
    used, hidden = [], np.ones((len(sheet.boxes), n), bool)
    hidden[:, context] = hidden[0, query] = False
    for index, box in enumerate(sheet.boxes):
        row, column = divmod(index, depth + 1)
        heat, high = np.full(n, np.nan), top
        if column and row < heads:
            heat[context] = weights[column - 1, row]
        elif not column and row == 1 and rollout is not None:
            heat, high = shares, end
        elif index:
            continue  # this box stays empty
        used.append(index)
        sheet.picture(grey if index else picture, box)
        if index:
            paint(sheet.ax, heat.reshape(rows, cols), box, vmin=0, vmax=high, cmap=CLEAR_TO_BLUE)
    cells = sheet.cells(rows, cols)[used]
    draw_grid(sheet.ax, cells, hidden[used])
    hatch(sheet.ax, cells[0, np.setdiff1d(query, context)])
    outline(sheet.ax, cells[:, query])
    sheet.colorbar({"vmin": 0, "vmax": top, "cmap": GREY_TO_BLUE}, level=1 / len(context))
    return sheet.fig

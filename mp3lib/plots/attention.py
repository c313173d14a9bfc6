"""Figures of attention and of predicted positions over the image: one heat per patch."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from numpy.typing import ArrayLike

from .patches import check_indices, check_texts, cut, fade, join_patches, to_numpy, to_picture, to_pictures
from .sheet import Sheet, draw_grid, outline, paint
from .theme import CLEAR_TO_BLUE, GREY_TO_BLUE, INK, VERMILION, styled


@styled
def attention_over_image(
    image: ArrayLike, patch_size, weights: ArrayLike, context: ArrayLike, query: int,
    titles: Sequence[str] | None = None, title: str | None = None, columns: int = 5, vmax: float | None = None,
    size: float = 1.6, result: ArrayLike | None = None,
) -> Figure:  # fmt: skip
    """What one patch looks at: the picture, then for each head its attention over the context, in blue on a grey copy.

    weights: (h, k), the query's attention to each context patch; context: (k,) patch indices, all others are hatched;
    query: index of the patch that looks: outlined, and never hatched, for it knows its own pixels; titles: h texts;
    vmax: end of the colours (default: the largest weight); result: a last picture of the same size, such as
    what the patches receive; `titles` then needs a text more. The line in the colour bar is 1/k, an even look at all.
    """
    picture = to_picture(image)
    patches, (rows, cols) = cut(picture, patch_size)
    n, weights = rows * cols, np.atleast_2d(to_numpy(weights).astype(float))
    context, asking = check_indices(context, n, "context"), check_indices([query], n, "query")
    if weights.ndim != 2 or weights.shape[1] != len(context):
        raise ValueError(f"weights has shape {weights.shape}; expected (heads, {len(context)})")
    heads, more = len(weights), [] if result is None else to_pictures([image, result])[1:]
    titles = [f"head {i}" for i in range(heads)] + ["result"] * len(more) if titles is None else titles
    titles = ["the picture", *check_texts(titles, heads + len(more))]
    top, hidden = float(vmax or weights.max() or 1), np.ones(n, bool)
    hidden[context] = hidden[asking] = False
    sheet = Sheet(len(titles), picture.shape, columns, titles, title, size, right=0.7)
    shown = [picture] + [join_patches(fade(patches), rows, cols)] * heads + more
    for i, (one, box) in enumerate(zip(shown, sheet.boxes, strict=True)):
        sheet.picture(one, box)
        if 1 <= i <= heads:
            heat = np.full(n, np.nan)
            heat[context] = weights[i - 1]
            paint(sheet.ax, heat.reshape(rows, cols), box, vmin=0, vmax=top, cmap=CLEAR_TO_BLUE)
    cells = sheet.cells(rows, cols)
    draw_grid(sheet.ax, cells, hidden & (np.arange(len(cells)) <= heads)[:, None])
    outline(sheet.ax, cells[:, asking])
    label = "attention" if weights.max() <= top else f"attention, at most {weights.max():.2f}"
    sheet.colorbar(label, {"vmin": 0, "vmax": top, "cmap": GREY_TO_BLUE}, level=1 / len(context))
    return sheet.fig


@styled
def heat_over_image(
    image: ArrayLike, patch_size, heats: ArrayLike, marks: ArrayLike | None = None, guesses: ArrayLike | None = None,
    context: ArrayLike | None = None, titles: Sequence[str] | None = None, title: str | None = None, columns: int = 6,
    vmax: float | None = None, label: str = "", level: float | None = None, numbers: bool = False, size: float = 1.3,
) -> Figure:  # fmt: skip
    """One number a patch, as blue over a grey copy of the picture: chances, rollouts, confidences.

    image: see `to_picture`: it comes first, then one copy a heat. Or m images, (m, 3, H, W) or a list: then they fill
    the first row, and each has its heat below.
    heats: (m, n) or (n,), at least 0; NaN leaves a patch as it is; marks: m patch indices to outline (with one image in
    the picture, too); guesses: m indices, a dot there; context: (k,) indices, or a list of m such, of the patches that
    may be looked at: in the picture the others are hatched, but never a marked one, which knows its own pixels;
    titles: m texts; vmax: end of the colours (default: the largest heat; give it wherever a slider moves); label: of
    the colour bar; level: a value to mark there, such as chance; numbers: write each heat in per cent.
    Raises ValueError for shapes that do not fit.
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
    first = len(pictures)
    sheet = Sheet(first + m, pictures[0].shape, m if many else columns,
                  texts + [""] * m if many else ["the picture", *texts], title, size, right=0.7)  # fmt: skip
    for (patches, _), box in zip(cuts, sheet.boxes, strict=False):
        sheet.picture(join_patches(patches, rows, cols), box)
    top = float(vmax or np.nanmax(heats, initial=0) or 1)
    for i, box in enumerate(sheet.boxes[first:]):
        sheet.picture(join_patches(faint(cuts[i if many else 0][0]), rows, cols), box)
        paint(sheet.ax, heats[i].reshape(rows, cols), box, vmin=0, vmax=top, cmap=CLEAR_TO_BLUE)
    cells, hidden = sheet.cells(rows, cols), np.zeros((first + m, n), bool)
    if context is not None:
        seen = context if many else [context]
        hidden[:first] = True
        for flags, indices in zip(hidden, seen, strict=False):
            flags[check_indices(indices, n, "context")] = False
    if marks is not None:
        for i, mark in enumerate(marks):
            hidden[i if many else 0, mark] = False
    draw_grid(sheet.ax, cells, hidden)
    middles = cells[..., :2] + cells[..., 2:] / 2
    if numbers:
        write_percents(sheet, middles[first:], heats, top, cells[0, 0, 2])
    if marks is not None:
        outline(sheet.ax, cells[:first][np.arange(m) if many else np.zeros(m, int), marks])
        outline(sheet.ax, cells[first + np.arange(m), marks])
    if guesses is not None:
        spots = cells[first + np.arange(m), guesses] @ np.array([[1, 0], [0, 1], [0.82, 0], [0, 0.2]])
        sheet.ax.plot(*spots.T, "o", markersize=min(6, 30 * cells[0, 0, 2]), color=VERMILION, markeredgecolor="white")
    sheet.colorbar(label, {"vmin": 0, "vmax": top, "cmap": GREY_TO_BLUE}, level=level)
    return sheet.fig


def write_percents(sheet, middles, heats, top, width):
    """Each heat in per cent, white where the blue is dark; nothing where patches are too small to read it."""
    points = min(9, 24 * width)
    if points < 5:
        return
    glyphs = {INK: [], "white": []}
    for spot, heat in zip(middles.reshape(-1, 2), heats.ravel(), strict=True):
        if np.isfinite(heat):
            outline_of = number_path(f"{100 * heat:.0f}")
            moved = Path(outline_of.vertices * [points, -points] / 72 + spot, outline_of.codes)
            glyphs["white" if heat > 0.55 * top else INK].append(moved)
    for color, paths in glyphs.items():
        if paths:
            sheet.ax.add_artist(PathPatch(Path.make_compound_path(*paths), facecolor=color, linewidth=0))


@functools.cache
def number_path(text: str) -> Path:
    """The outline of a number, its middle at (0, 0), in units of the font's size: many are drawn faster than texts."""
    path = TextPath((0, 0), text, size=1)
    low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
    return Path(path.vertices - (low + high) / 2, path.codes)


def faint(patches):
    """`fade` in a few levels of grey: less to look at under a heat, and less to store."""
    return fade(patches) // 16 * 16 + 8


@styled
def attention_by_layer(
    image: ArrayLike, patch_size, weights: ArrayLike, context: ArrayLike, query: int, rollout: ArrayLike | None = None,
    title: str | None = None, vmax: float | None = None, size: float = 1.15,
) -> Figure:  # fmt: skip
    """What one patch looks at in every layer (a column each) and head (a row each), and the rollout.

    weights: (depth, h, k), the query's attention to each context patch; context: (k,) patch indices, the others are
    hatched; query: index of the patch that looks: outlined, never hatched; rollout: (n,), the query's row of
    `attention_rollout`, drawn below the picture with colours of its own, from 0 to its largest share of *another* patch
    (its share of itself, large by definition, is left blank); vmax: end of the colours of attention (default: the
    largest weight). The line in the colour bar is 1/k, an even look at all.
    """
    [picture] = to_pictures([image])
    patches, (rows, cols) = cut(picture, patch_size)
    n, weights = rows * cols, to_numpy(weights).astype(float)
    context, asking = check_indices(context, n, "context"), check_indices([query], n, "query")
    if weights.ndim != 3 or weights.shape[2] != len(context):
        raise ValueError(f"weights has shape {weights.shape}; expected (depth, heads, {len(context)})")
    depth, heads, _ = weights.shape
    shares, end = np.full(n, np.nan), 1.0
    if rollout is not None:
        rollout = to_numpy(rollout).astype(float)
        if rollout.shape != (n,):
            raise ValueError(f"rollout has shape {rollout.shape}; expected ({n},)")
        others = context[context != query]
        shares[others] = rollout[others]
        end = float(rollout[others].max(initial=0)) or 1.0
    lines = max(heads, 1 if rollout is None else 2)
    titles = [[f"layer {i + 1}, head {j + 1}" if j < heads else "" for i in range(depth)] for j in range(lines)]
    left = ["the picture", "" if rollout is None else f"rollout, to {end:.2f}"] + [""] * lines
    texts = [text for j in range(lines) for text in (left[j], *titles[j])]
    sheet = Sheet(lines * (depth + 1), picture.shape, depth + 1, texts, title, size, right=0.7)
    top, grey = float(vmax or weights.max() or 1), join_patches(faint(patches), rows, cols)
    used, hidden = [], np.ones(n, bool)
    hidden[context] = hidden[asking] = False
    for place, box in enumerate(sheet.boxes):
        line, column = divmod(place, depth + 1)
        heat, high = np.full(n, np.nan), top
        if column and line < heads:
            heat[context] = weights[column - 1, line]
        elif not column and line == 1 and rollout is not None:
            heat, high = shares, end
        elif place:
            continue
        used.append(place)
        sheet.picture(grey if place else picture, box)
        if place:
            paint(sheet.ax, heat.reshape(rows, cols), box, vmin=0, vmax=high, cmap=CLEAR_TO_BLUE)
    cells = sheet.cells(rows, cols)[used]
    draw_grid(sheet.ax, cells, np.broadcast_to(hidden, cells.shape[:2]))
    outline(sheet.ax, cells[:, asking])
    label = "attention" if weights.max() <= top else f"attention, at most {weights.max():.2f}"
    sheet.colorbar(label, {"vmin": 0, "vmax": top, "cmap": GREY_TO_BLUE}, level=1 / len(context))
    return sheet.fig

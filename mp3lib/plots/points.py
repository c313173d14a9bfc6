"""Points with labels beside them, a point for each model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .patches import check_indices, check_texts, to_numpy
from .theme import HATCH, PAPER, WIDTH, figure, inches_of, lines_high, readable, styled, wrap


@styled
def scatter(
    x: ArrayLike, y: ArrayLike, labels: Sequence[str] | None = None, groups: Sequence[str] | None = None,
    xlabel: str = "", ylabel: str = "", title: str | None = None, links: Sequence[Sequence[int]] = (), xlim=None,
    ylim=None, width: float = WIDTH, height: float = 4.6,
) -> Figure:  # fmt: skip
    """A point for each model, with its label beside it: for example puzzles solved against accuracy of a probe.

    x, y: (m,) finite numbers.
    labels: m texts; an empty text writes nothing. Labels are placed where they cover no point and no other label.
    groups: m names, one for each point. Points of a group have the same colour and the same shape, and a legend above
    the axes names them. By default there is one group.
    links: sequences of indices of points; arrows lead from each point to the next, for example to the next mask ratio.
    xlim, ylim: (low, high); width, height: inches.
    Raises ValueError for arrays that do not fit, for numbers that are not finite, and for an index out of range.
    """
    x, y = (to_numpy(values).astype(float).ravel() for values in (x, y))
    if not len(x) or len(x) != len(y):
        raise ValueError(f"x has {len(x)} numbers and y has {len(y)}; expected as many, and at least one")
    for name, values in (("x", x), ("y", y)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds {values[~np.isfinite(values)][0]}; expected finite numbers")
    labels = [""] * len(x) if labels is None else check_texts(labels, len(x))
    groups = [""] * len(x) if groups is None else check_texts(groups, len(x))
    links = [check_indices(link, len(x), "links") for link in links]
    names = list(dict.fromkeys(groups))
    titled = 0.18 * (wrap(title, width - 0.2, 10.5, "bold").count("\n") + 1) + 0.12 if title else 0.1
    xlabel, ylabel = wrap(xlabel, width - 1.2, 9), wrap(ylabel, height - 1, 9)
    left, right = 0.55 + lines_high(ylabel), 0.25
    # all names of the legend in one row if they fit, else in columns as wide as the widest
    room, widths = width - left - right, [inches_of(name, 9) + 0.55 for name in names]  # with marker and space
    columns = len(names) if sum(widths) <= room else max(1, int(room / max(widths)))
    rows = -(-len(names) // columns) if names != [""] else 0
    margins = (left, right, 0.35 + lines_high(xlabel), titled + 0.12 * bool(rows) + 0.2 * rows)
    fig, ax = figure(width, height, title=title, margins=margins)
    for i, name in enumerate(names):
        chosen = [j for j, group in enumerate(groups) if group == name]
        ax.plot(x[chosen], y[chosen], "osD^vPX"[i % 7], markersize=8, markeredgecolor=PAPER, label=name, zorder=3)
    ax.margins(0.12)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=xlim, ylim=ylim)
    for link in links:
        for start, stop in zip(link, link[1:], strict=False):
            arrow = dict(arrowstyle="-|>", color=HATCH, linewidth=1.4, shrinkA=6, shrinkB=6)
            ax.annotate("", (x[stop], y[stop]), (x[start], y[start]), arrowprops=arrow, zorder=2)  # behind the points
    if names != [""]:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=columns, handletextpad=0.2)
    # where the points and the arrows are, in inches; an arrow is a spot every 0.05 inches
    to_inches = ax.transData + fig.dpi_scale_trans.inverted()
    spots = to_inches.transform(np.stack([x, y], 1))
    pairs = [pair for link in links for pair in zip(link, link[1:], strict=False)]
    steps = [2 + int(np.linalg.norm(spots[b] - spots[a]) / 0.05) for a, b in pairs]
    on_arrows = [
        spots[a] + t * (spots[b] - spots[a])
        for (a, b), count in zip(pairs, steps, strict=True)
        for t in np.linspace(0, 1, count)
    ]
    frame = ax.get_window_extent().transformed(fig.dpi_scale_trans.inverted()).extents
    for i, spot in enumerate(place_labels(labels, spots, on_arrows, frame)):
        color = ax.lines[names.index(groups[i])].get_color()
        ax.annotate(wrap(labels[i], 1.6, 8.5), spot, xycoords=fig.dpi_scale_trans, ha="center", va="center",
                    fontsize=8.5, color=readable(color))  # fmt: skip
    return fig


def place_labels(labels, spots, others, frame):
    """The centre of each label, in inches: near its point, where it covers the least of everything else.

    labels: m texts; spots: (m, 2) points; others: further spots (x, y) to keep free; frame: the edges to stay in.
    """
    taken = [np.array([*spot - 0.07, *spot + 0.07]) for spot in spots]
    taken += [np.array([*spot - 0.02, *spot + 0.02]) for spot in others]
    centres = []
    for label, spot in zip(labels, spots, strict=True):
        text = wrap(label, 1.6, 8.5)
        half = np.array([inches_of(text, 8.5) / 2, 0.075 * (text.count("\n") + 1)]) if label else np.zeros(2)
        best, least = spot, np.inf
        for distance in (0.1, 0.2, 0.35, 0.5):
            for direction in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
                centre = spot + np.array(direction) * (half + distance)
                box = np.array([*centre - half, *centre + half])
                outside = np.maximum(frame[:2] - box[:2], 0).sum() + np.maximum(box[2:] - frame[2:], 0).sum()
                covered = sum(
                    np.prod(np.maximum(np.minimum(box[2:], b[2:]) - np.maximum(box[:2], b[:2]), 0)) for b in taken
                )
                cost = 10 * outside + 10 * covered + 0.05 * distance
                if cost < least:
                    best, least = centre, cost
        centres.append(best)
        if label:
            taken.append(np.array([*best - half, *best + half]))
    return centres

"""Several charts of the same things, one above the other: losses and test measures of several runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from .charts import whole_ticks
from .patches import to_numpy
from .theme import WIDTH, figure, styled, wrap

LINES = ("-", (0, (5, 2)), (0, (1, 1.4)))  # after all colours of the palette, they come again with other dashes


@styled
def curve_panels(
    panels: Mapping[str, Mapping[str, tuple]], xlabel: str = "", title: str | None = None, width: float = WIDTH,
    height: float = 2.8,
) -> Figure:  # fmt: skip
    """Line plots one above the other, with one x axis. A name has the same colour in all of them; a legend tells it.

    panels: label of a panel's y axis -> (name -> (x, y), each with one number a point). What is not finite is left out.
    width: inches; height: inches of a panel.
    Raises ValueError if there is no panel, or if x and y differ in length.
    """
    if not panels:
        raise ValueError("panels is empty; expected at least one: label -> (name -> (x, y))")
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    texts = {name: wrap(name, width - 1.4, 9) for name in names}
    palette = [one["color"] for one in rcParams["axes.prop_cycle"]]
    lines = sum(text.count("\n") + 1 for text in texts.values())
    above = 0.2 * (wrap(title, width - 0.2, 10.5, "bold").count("\n") + 1) if title else 0
    rows, below = len(panels), 0.2 * lines + 0.6
    fig, axes = figure(width, rows * height + below + above, rows, title=title, sharex=True, squeeze=False)
    drawn, whole = {}, True
    for ax, (label, series) in zip(axes[:, 0], panels.items(), strict=True):
        for name, (x, y) in series.items():
            x, y = to_numpy(x), to_numpy(y).astype(float)
            if x.ndim != 1 or x.shape != y.shape:
                raise ValueError(f"series {name!r} has x of shape {x.shape} and y of shape {y.shape}")
            number = names.index(name)
            look = {"color": palette[number % len(palette)], "linestyle": LINES[number // len(palette) % len(LINES)]}
            marker = "osD^vPX"[number % 7] if len(x) <= 15 else ""
            shown = np.isfinite(y)
            (drawn[name],) = ax.plot(x[shown], y[shown], marker=marker, markersize=4.5, **look)
            whole = whole and x.dtype.kind in "iu"
        ax.set_ylabel(wrap(label, height - 0.3, 9))
        ax.margins(x=0.02)
    if whole:
        xs = [x for series in panels.values() for x, _ in series.values()]
        axes[-1, 0].xaxis.set_major_locator(whole_ticks(xs, width - 1))
    axes[-1, 0].set_xlabel(wrap(xlabel, width - 1.4, 9))
    fig.legend(
        [drawn[name] for name in names], [texts[name] for name in names], loc="outside lower left", fontsize=9, ncols=1
    )
    return fig

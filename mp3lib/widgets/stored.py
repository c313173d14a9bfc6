"""Figures as PNG: what a page without a kernel shows."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..plots import Picture


def png(figure: Figure, small: bool = True) -> bytes:
    """A figure as PNG bytes. The same figure always gives the same bytes.

    small: compress more strongly, for storage; False is faster, for redrawing.
    """
    if isinstance(figure, Picture):
        return figure.png(small)
    check_figure(figure)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, pil_kwargs={"compress_level": 9 if small else 1})
    return buffer.getvalue()


def shown_width(figure: Figure) -> int:
    """The width in screen pixels at which a page shows the PNG of a figure."""
    if isinstance(figure, Picture):
        return figure.shown[0]
    check_figure(figure)
    return round(figure.get_figwidth() * figure.dpi)


def check_figure(figure: Figure) -> None:
    if not isinstance(figure, Figure):
        raise ValueError(f"a figure of Matplotlib is needed, got {str(figure)[:100]!r} ({type(figure).__name__})")

"""Live figures: `live(draw, ...)` binds controls to a pure function `draw(**values) -> Figure`.

``controls``: sliders, lists, uploads. ``picker``: one patch of a grid. ``figures``: the live figure. ``training``: a
curve that grows while a model trains. ``stored``: figures as PNG, for pages without a kernel.

With a running kernel, the figure is redrawn when the reader moves a control. A page without a kernel shows the figure
of the first values. Nothing here uses `widgets.Output` or `interact`. A redraw therefore never adds a cell output, so
that stored notebooks can be compared, and an error in `draw` is shown to the reader, not only in the kernel's log.
"""

from .controls import Upload, dropdown, file_upload, selection_slider, slider
from .figures import LiveFigure, live
from .picker import PatchPicker, patch_picker
from .stored import png, shown_width
from .training import LiveCurve, live_curve

__all__ = [
    "LiveCurve",
    "LiveFigure",
    "PatchPicker",
    "Upload",
    "dropdown",
    "file_upload",
    "live",
    "live_curve",
    "patch_picker",
    "png",
    "selection_slider",
    "shown_width",
    "slider",
]

"""Live figures: `live(draw, ...)` binds controls to a pure function `draw(**values) -> Figure`.

With a running kernel, the figure is redrawn when the reader moves a control. A page without a kernel shows the figure
of the first values, stored as a PNG.

This module uses neither `widgets.Output` nor `interact`. A redraw therefore never adds a cell output, so that stored
notebooks can be compared, and an error in `draw` is shown to the reader instead of only in the kernel's log.
"""

from __future__ import annotations

import base64
import html
import io
import traceback
from collections.abc import Callable, Iterable, Mapping

import ipywidgets
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .plots import Picture

_WHOLE_LABEL = {"description_width": "initial"}  # labels are never cut off
_SLIDER_LAYOUT = {"min_width": "320px", "width": "auto"}
_ROW_LAYOUT = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 24px", "max_width": "100%"}
_SCREEN_READERS_ONLY = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"


def slider(label: str, low: int, high: int, value: int, step: int = 1, *, every_step: bool = False):
    """A slider for whole numbers from low to high, both included.

    value: the first value; step: distance between values; every_step: redraw while dragging, not only on release.
    """
    return ipywidgets.IntSlider(
        value, low, high, step, description=label, style=_WHOLE_LABEL, layout=_SLIDER_LAYOUT,
        continuous_update=every_step,
    )  # fmt: skip


def dropdown(label: str, options: Iterable | Mapping, value=None):
    """A drop-down list.

    options: values, or a mapping label -> value; value: the value selected first, by default the first option's.
    """
    options = list(options.items()) if isinstance(options, Mapping) else list(options)
    first = options[0][1] if isinstance(options[0], tuple) else options[0]
    return ipywidgets.Dropdown(
        options=options,
        value=first if value is None else value,
        description=label,
        style=_WHOLE_LABEL,
        layout={"width": "auto"},
    )


def selection_slider(label: str, options: Iterable | Mapping, value=None, *, every_step: bool = False):
    """A slider over listed values, such as powers of ten. Arguments as in `dropdown` and `slider`."""
    options = list(options.items()) if isinstance(options, Mapping) else list(options)
    first = options[0][1] if isinstance(options[0], tuple) else options[0]
    return ipywidgets.SelectionSlider(
        options=options, value=first if value is None else value, description=label, style=_WHOLE_LABEL,
        layout=_SLIDER_LAYOUT, continuous_update=every_step,
    )  # fmt: skip


class Upload(ipywidgets.FileUpload):
    """A button that uploads a file. `draw` receives `start` first, then the result of `read`. See `file_upload`."""

    def __init__(self, label: str, read: Callable[[bytes], object], start):
        super().__init__(description=label, layout={"width": "auto"}, tooltip=f"{label}: choose a file")
        self._read, self._start, self._file, self._outcome = read, start, None, None

    def result(self):
        """The value that `draw` receives. `read` is called once for each file, and its exception is raised again."""
        if not self.value:
            return self._start
        if self._file is not self.value:
            try:
                self._outcome = self._read(bytes(self.value[0]["content"]))
            except Exception as error:
                self._outcome = error
            self._file = self.value
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def file_upload(label: str, read: Callable[[bytes], object] = bytes, start=None) -> Upload:
    """A control for a file from the reader's computer. The file is sent to the kernel and nowhere else.

    read: converts the bytes of the file to the value that `draw` receives. It is called once for each file. If it
    raises a ValueError, the reader sees its message, and the last picture stays.
    start: the value that `draw` receives before a file is chosen.
    By default, a Jupyter server does not transmit files over 10 MiB to the kernel. The limit is
    `websocket_max_message_size` in its `tornado_settings`.
    """
    return Upload(label, read, start)


class PatchPicker(ipywidgets.VBox):
    """Sliders for row and column, beside a small grid with one button for each patch. See `patch_picker`."""

    value = traitlets.Int(help="index of the picked patch, row by row from the top left")

    def __init__(self, label: str, rows: int, columns: int, value: int):
        if not 0 <= value < rows * columns:
            raise ValueError(f"patch {value} is not on a grid of {rows} x {columns}: 0 to {rows * columns - 1}")
        self.columns = columns
        self.row, self.column = (
            slider(f"{label}: {name}", 0, max(count - 1, 1), 0, every_step=True)
            for name, count in (("row", rows), ("column", columns))
        )
        self.row.disabled, self.column.disabled = rows == 1, columns == 1  # such a slider has only one value
        size = {"width": "30px", "height": "24px", "margin": "1px", "padding": "0"}
        self.buttons = [
            ipywidgets.ToggleButton(
                description=str(i), tooltip=f"row {i // columns}, column {i % columns}", layout=size
            )
            for i in range(rows * columns)
        ]
        grid = ipywidgets.GridBox(self.buttons, layout={"grid_template_columns": f"repeat({columns}, 32px)"})
        sliders = ipywidgets.VBox([self.row, self.column])
        super().__init__([ipywidgets.HBox([sliders, grid], layout=_ROW_LAYOUT)], value=value)
        self.observe(lambda _: self._show(), names="value")
        for control in (self.row, self.column):
            control.observe(lambda _: self._pick(self.row.value * columns + self.column.value), names="value")
        for i, button in enumerate(self.buttons):
            button.observe(lambda _, i=i: self._pick(i), names="value")
        self._showing = False  # True while the controls are set to `value`, so that they do not set it in turn
        self._show()

    def _pick(self, patch: int) -> None:
        """Set `value` after a move of the reader's."""
        if not self._showing:
            self.value = patch
            self._show()  # also if the patch is the same: a second click must not release its button

    def _show(self) -> None:
        """Set both sliders and all buttons to `value`."""
        self._showing = True
        self.row.value, self.column.value = divmod(self.value, self.columns)
        for i, button in enumerate(self.buttons):
            button.value = i == self.value
        self._showing = False


def patch_picker(label: str, grid: tuple[int, int], value: int = 0) -> PatchPicker:
    """A control for one patch of a grid: two sliders for the keyboard, and a button for each patch for the mouse.

    grid: (rows, columns); value: index of the patch selected first.
    `draw` receives the index of the patch, counted row by row from the top left.
    Raises ValueError for an index outside the grid.
    """
    return PatchPicker(label, *grid, value)


class LiveFigure(ipywidgets.VBox):
    """Controls, and below them the figure that `draw` returns for their values. Made by `live`.

    `.controls` maps names to controls, and `.values()` returns their values. `.figure` is the last figure drawn,
    `.picture` the Image widget, `.draw_count` the number of redraws, `.last_error` the exception of the last redraw or
    None, and `.message` the HTML widget that shows this error to the reader.
    """

    def __init__(self, draw: Callable[..., Figure], alt: str, controls: Mapping[str, ipywidgets.Widget]):
        self.draw, self.alt, self.controls = draw, alt, dict(controls)
        self.draw_count, self.last_error, self.figure = 0, None, None
        # shown at its own size, because a scaled PNG is blurred
        self.picture = ipywidgets.Image(format="png", layout={"width": "auto", "height": "auto", "max_width": "100%"})
        # An Image widget has no alt text, and JupyterLab fails to show one with a tooltip. The alt text is therefore in
        # a separate widget, which only screen readers read.
        alt_text = ipywidgets.HTML(
            f"<span style='{_SCREEN_READERS_ONLY}'>{html.escape(alt)}</span>", layout={"height": "0px", "margin": "0"}
        )
        self.message = ipywidgets.HTML()
        row = ipywidgets.HBox(list(self.controls.values()), layout=_ROW_LAYOUT)
        super().__init__([row, alt_text, self.picture, self.message], layout={"align_items": "flex-start"})
        self.add_class("mp3-live")
        for control in self.controls.values():
            control.observe(lambda _: self.redraw(), names="value")
        self.redraw()
        if self.last_error is not None:
            raise self.last_error

    def values(self) -> dict:
        """The values of the controls by name, as `draw` receives them."""
        return {
            name: control.result() if isinstance(control, Upload) else control.value
            for name, control in self.controls.items()
        }

    def redraw(self) -> None:
        """Draw the figure for the current values. An exception is kept in `.last_error` and shown below the picture."""
        self.draw_count += 1
        try:
            try:
                values = self.values()
            except ValueError as error:  # the uploaded file cannot be used; this is no error of `draw`
                self.last_error = error
                self.say("This file cannot be used. The picture has not changed.<br>" + html.escape(str(error)))
                return
            figure = self.draw(**values)
            if not isinstance(figure, Figure):
                raise TypeError(f"draw returned {type(figure).__name__}; expected a matplotlib Figure")
            self.picture.value = png(figure, small=False)
            self.figure, self.last_error, self.message.value = figure, None, ""
        except Exception as error:
            self.last_error = error
            frame = traceback.extract_tb(error.__traceback__)[:2][-1]  # the line in `draw`, not in a library it calls
            text = html.escape(f"{type(error).__name__}: {error}")
            self.say(
                "The picture could not be drawn for these values. It has not changed.<br>"
                f"<code>{text}</code> in <code>{html.escape(frame.name)}</code>, line {frame.lineno}"
            )

    def say(self, text: str) -> None:
        """Show a message (HTML) below the picture."""
        look = "border-left: 4px solid #D55E00; padding: 0.3em 0.8em; line-height: 1.5"
        self.message.value = f"<div role='alert' style='{look}'>{text}</div>"

    def _repr_mimebundle_(self, **kwargs):
        # a constant text, and the figure as a PNG for pages without a kernel
        data = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = f"[live figure: {', '.join(self.controls)}]"
        data["image/png"] = base64.b64encode(png(self.figure)).decode()
        return data, {"image/png": {"alt": self.alt}}


def live(draw: Callable[..., Figure], *, alt: str, **controls: ipywidgets.Widget) -> LiveFigure:
    """Bind `draw` to controls: `live(draw_mask, alt="...", mask_ratio=slider("mask ratio in %", 0, 95, 75))`.

    draw: a pure function. It receives the value of each control under the control's name, and returns a new Figure.
    alt: what the figure shows, in one sentence.
    controls: name -> control.
    An exception in the first drawing is raised; later exceptions are shown below the picture.
    """
    return LiveFigure(draw, alt, controls)


def png(figure: Figure, small: bool = True) -> bytes:
    """A figure as PNG bytes. The same figure always gives the same bytes.

    small: compress more strongly, for storage; False is faster, for redrawing.
    """
    if isinstance(figure, Picture):
        return figure.png(small)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, pil_kwargs={"compress_level": 9 if small else 1})
    return buffer.getvalue()

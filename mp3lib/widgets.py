"""Figures that follow controls: one binding, `live(draw, ...)`, of a pure function `draw(**values) -> Figure`.

With a kernel the reader moves the controls; on a page without one the figure of the first values is there as a PNG.
No `widgets.Output` and no `interact`: what the callback draws never becomes a cell output of its own, so a stored
notebook compares equal, and a failing callback is shown to the reader instead of being lost in the kernel's log.
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

_WIDE = {"description_width": "initial"}  # labels are never cut off
_ROOM = {"min_width": "320px", "width": "auto"}
_ROW = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 24px", "max_width": "100%"}
_UNSEEN = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"


def slider(label: str, low: int, high: int, value: int, step: int = 1, *, every_step: bool = False):
    """A control for whole numbers from low to high. every_step: redraw while dragging, not only on release."""
    return ipywidgets.IntSlider(
        value, low, high, step, description=label, style=_WIDE, layout=_ROOM, continuous_update=every_step
    )


def dropdown(label: str, options: Iterable | Mapping, value=None):
    """A drop-down list. options: values, or label -> value; value: the first one chosen (default: the first listed)."""
    options = list(options.items()) if isinstance(options, Mapping) else list(options)
    first = options[0][1] if isinstance(options[0], tuple) else options[0]
    return ipywidgets.Dropdown(
        options=options,
        value=first if value is None else value,
        description=label,
        style=_WIDE,
        layout={"width": "auto"},
    )


def selection_slider(label: str, options: Iterable | Mapping, value=None, *, every_step: bool = False):
    """A slider over listed values, such as powers of ten. Arguments as in `dropdown`."""
    options = list(options.items()) if isinstance(options, Mapping) else list(options)
    first = options[0][1] if isinstance(options[0], tuple) else options[0]
    return ipywidgets.SelectionSlider(
        options=options, value=first if value is None else value, description=label, style=_WIDE, layout=_ROOM,
        continuous_update=every_step,
    )  # fmt: skip


class Upload(ipywidgets.FileUpload):
    """A button for a file: `draw` gets `start` first, then what `read` made of the file. See `file_upload`."""

    def __init__(self, label: str, read: Callable[[bytes], object], start):
        super().__init__(description=label, layout={"width": "auto"}, tooltip=f"{label}: choose a file")
        self._read, self._start, self._file, self._outcome = read, start, None, None

    def result(self):
        """What `draw` gets; each file is read once. Raises what `read` raised."""
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
    """A control that takes a file from the reader's disk; its bytes go to the kernel and nowhere else.

    read: makes of the bytes what `draw` gets (called once a file); where it raises a ValueError, its sentence is shown
    to the reader and the last picture stays. start: what `draw` gets before there is a file.
    A Jupyter server lets 10 MiB through at once, unless `websocket_max_message_size` in its `tornado_settings` says
    more: of a larger file nothing arrives.
    """
    return Upload(label, read, start)


class PatchPicker(ipywidgets.VBox):
    """Sliders for row and column beside a small grid of buttons, one a patch. See `patch_picker`."""

    value = traitlets.Int(help="index of the picked patch, row by row from the top left")

    def __init__(self, label: str, rows: int, columns: int, value: int):
        if not 0 <= value < rows * columns:
            raise ValueError(f"patch {value} is not on a grid of {rows} x {columns}: 0 to {rows * columns - 1}")
        self.columns = columns
        self.row, self.column = (
            slider(f"{label}: {name}", 0, max(count - 1, 1), 0, every_step=True)
            for name, count in (("row", rows), ("column", columns))
        )
        self.row.disabled, self.column.disabled = rows == 1, columns == 1  # such a slider has nowhere to go
        size = {"width": "30px", "height": "24px", "margin": "1px", "padding": "0"}
        self.buttons = [
            ipywidgets.ToggleButton(
                description=str(i), tooltip=f"row {i // columns}, column {i % columns}", layout=size
            )
            for i in range(rows * columns)
        ]
        grid = ipywidgets.GridBox(self.buttons, layout={"grid_template_columns": f"repeat({columns}, 32px)"})
        both = ipywidgets.VBox([self.row, self.column])
        super().__init__([ipywidgets.HBox([both, grid], layout=_ROW)], value=value)
        self.add_class("mp3-pick")
        self.observe(lambda _: self._show(), names="value")
        for one in (self.row, self.column):
            one.observe(lambda _: self._pick(self.row.value * columns + self.column.value), names="value")
        for i, button in enumerate(self.buttons):
            button.observe(lambda _, i=i: self._pick(i), names="value")
        self._showing = False
        self._show()

    def _pick(self, patch: int) -> None:
        if not self._showing:
            self.value = patch
            self._show()  # also where the patch is the old one: its button must not come up

    def _show(self) -> None:
        self._showing = True
        self.row.value, self.column.value = divmod(self.value, self.columns)
        for i, button in enumerate(self.buttons):
            button.value = i == self.value
        self._showing = False


def patch_picker(label: str, grid: tuple[int, int], value: int = 0) -> PatchPicker:
    """A control for one patch of a grid (rows, columns): two sliders for the keyboard, a button a patch for the mouse.

    `draw` gets the patch's index, counted row by row from the top left.
    """
    return PatchPicker(label, *grid, value)


class LiveFigure(ipywidgets.VBox):
    """Controls above, the figure that `draw` returns for their values below. Made by `live`.

    `.controls` name -> control, `.values()`, `.figure` (the last one drawn), `.picture` (the Image widget),
    `.draw_count`, `.last_error` (the last redraw's exception, or None).
    """

    def __init__(self, draw: Callable[..., Figure], alt: str, controls: Mapping[str, ipywidgets.Widget]):
        self.draw, self.alt, self.controls = draw, alt, dict(controls)
        self.draw_count, self.last_error, self.figure = 0, None, None
        # at its own size: a stretched PNG is a blurred one
        self.picture = ipywidgets.Image(format="png", layout={"width": "auto", "height": "auto", "max_width": "100%"})
        # an Image has no alt text (and its view breaks on a tooltip): these words are there for screen readers alone
        words = ipywidgets.HTML(
            f"<span style='{_UNSEEN}'>{html.escape(alt)}</span>", layout={"height": "0px", "margin": "0"}
        )
        self.message = ipywidgets.HTML()
        row = ipywidgets.HBox(list(self.controls.values()), layout=_ROW)
        super().__init__([row, words, self.picture, self.message], layout={"align_items": "flex-start"})
        self.add_class("mp3-live")
        for control in self.controls.values():
            control.observe(lambda _: self.redraw(), names="value")
        self.redraw()
        if self.last_error is not None:
            raise self.last_error

    def values(self) -> dict:
        """The controls' values, as `draw` gets them."""
        return {
            name: control.result() if isinstance(control, Upload) else control.value
            for name, control in self.controls.items()
        }

    def redraw(self) -> None:
        """Draw for the controls' values. An exception is kept in `.last_error` and told below the picture."""
        self.draw_count += 1
        try:
            try:
                values = self.values()
            except ValueError as error:  # a file that cannot be used: nothing is wrong with the drawing
                self.last_error = error
                self.say(
                    "This file cannot be used, so the picture is still the last one.<br>" + html.escape(str(error))
                )
                return
            figure = self.draw(**values)
            if not isinstance(figure, Figure):
                raise TypeError(f"draw returned {type(figure).__name__}; expected a matplotlib Figure")
            self.picture.value = png(figure, small=False)
            self.figure, self.last_error, self.message.value = figure, None, ""
        except Exception as error:
            self.last_error = error
            frame = traceback.extract_tb(error.__traceback__)[:2][-1]  # the line of `draw`, not of a library it calls
            told = html.escape(f"{type(error).__name__}: {error}")
            self.say(
                "The picture could not be drawn for these settings; above is the last one that could.<br>"
                f"<code>{told}</code> in <code>{html.escape(frame.name)}</code>, line {frame.lineno}"
            )

    def say(self, text: str) -> None:
        """Show a sentence (HTML) below the picture."""
        look = "border-left: 4px solid #D55E00; padding: 0.3em 0.8em; line-height: 1.5"
        self.message.value = f"<div role='alert' style='{look}'>{text}</div>"

    def _repr_mimebundle_(self, **kwargs):
        data = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = f"[live figure: {', '.join(self.controls)}]"
        data["image/png"] = base64.b64encode(png(self.figure)).decode()
        return data, {"image/png": {"alt": self.alt}}


def live(draw: Callable[..., Figure], *, alt: str, **controls: ipywidgets.Widget) -> LiveFigure:
    """Bind `draw` to controls: `live(draw_mask, alt="...", mask_ratio=slider("mask ratio in %", 0, 95, 75))`.

    draw: a pure function that takes the controls' names as keywords and returns a new Figure; alt: what is to be seen,
    in one sentence. Errors of the first drawing are raised here; later ones are shown in the widget.
    """
    return LiveFigure(draw, alt, controls)


def png(figure: Figure, small: bool = True) -> bytes:
    """A figure as PNG bytes, the same for the same figure. small: for storing; False is faster, for redrawing."""
    if isinstance(figure, Picture):
        return figure.png(small)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, pil_kwargs={"compress_level": 9 if small else 1})
    return buffer.getvalue()

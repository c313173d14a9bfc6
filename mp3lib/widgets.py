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
import time
import traceback
from collections.abc import Callable, Iterable, Mapping

import anywidget
import ipywidgets
import numpy as np
import traitlets
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .plots import Picture, curves, patch_grid

_WHOLE_LABEL = {"description_width": "initial"}  # labels are never cut off
_ROW_LAYOUT = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 24px", "max_width": "100%"}
_SCREEN_READERS_ONLY = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"


def _slider_layout(label: str, number: str) -> dict:
    """A track of at least 300 pixels between the label and the number, which is at most as long as `number`."""
    return {"width": f"calc(400px + {len(label) + len(number)}ch)", "max_width": "100%"}


def slider(
    label: str, low: int, high: int, value: int, step: int = 1, *, every_step: bool = True, play: bool = False
) -> ipywidgets.IntSlider:
    """A slider for whole numbers from low to high, both included.

    value: the first value; step: distance between values.
    every_step: redraw while the reader drags the handle. Pass False if a redraw takes more than about 75 ms.
    play: a Play button beside the slider, which moves it from low to high.
    """
    control = ipywidgets.IntSlider(
        value, low, high, step, description=label, style=_WHOLE_LABEL, layout=_slider_layout(label, str(high)),
        continuous_update=every_step,
    )  # fmt: skip
    if play:
        control.play = ipywidgets.Play(value=value, min=low, max=high, step=step, interval=600, show_repeat=False)
        ipywidgets.jslink((control.play, "value"), (control, "value"))
    return control


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


def selection_slider(label: str, options: Iterable | Mapping, value=None, *, every_step: bool = True):
    """A slider over listed values, such as powers of ten. Arguments as in `dropdown` and `slider`."""
    options = list(options.items()) if isinstance(options, Mapping) else list(options)
    first = options[0][1] if isinstance(options[0], tuple) else options[0]
    longest = max((str(option[0] if isinstance(option, tuple) else option) for option in options), key=len)
    return ipywidgets.SelectionSlider(
        options=options, value=first if value is None else value, description=label, style=_WHOLE_LABEL,
        layout=_slider_layout(label, longest), continuous_update=every_step,
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


class PatchPicker(anywidget.AnyWidget):
    """A grid of numbered patches, of which one is picked: by mouse, touch or arrow keys. See `patch_picker`."""

    label = traitlets.Unicode().tag(sync=True)
    rows = traitlets.Int().tag(sync=True)
    columns = traitlets.Int().tag(sync=True)
    value = traitlets.Int(help="index of the picked patch, row by row from the top left").tag(sync=True)

    # A group of radio buttons: Tab reaches only the picked one, and arrow keys move the pick.
    # JupyterLab leaves keys alone where the focused element has the attribute data-lm-suppress-shortcuts.
    _esm = """
    function render({ model, el }) {
      const label = model.get("label"), rows = model.get("rows"), columns = model.get("columns")
      const make = (parent, tag, className, attributes = {}) => {
        const element = document.createElement(tag)
        element.className = className
        for (const name in attributes) element.setAttribute(name, attributes[name])
        parent.append(element)
        return element
      }
      el.classList.add("mp3-picker")
      make(el, "span", "mp3-picker-label").textContent = label
      const grid = make(el, "div", "mp3-picker-grid", { role: "radiogroup", "aria-label": label })
      grid.style.gridTemplateColumns = `repeat(${columns}, auto)`
      const patches = [...Array(rows * columns).keys()].map((i) => {
        const name = `${label} ${i}: row ${Math.floor(i / columns)}, column ${i % columns}`
        const patch = make(grid, "button", "", {
          type: "button", role: "radio", "aria-label": name, title: name, "data-lm-suppress-shortcuts": "true",
        })
        patch.textContent = i
        patch.addEventListener("click", () => pick(i))
        return patch
      })

      function show() {
        patches.forEach((patch, i) => {
          const picked = i === model.get("value")
          patch.setAttribute("aria-checked", picked)
          patch.tabIndex = picked ? 0 : -1
        })
      }
      function pick(i) {
        model.set("value", i)
        model.save_changes()
        patches[i].focus()
      }
      grid.addEventListener("keydown", (event) => {
        const i = model.get("value"), row = Math.floor(i / columns), column = i % columns
        const to = {
          ArrowUp: row > 0 ? i - columns : i,
          ArrowDown: row < rows - 1 ? i + columns : i,
          ArrowLeft: column > 0 ? i - 1 : i,
          ArrowRight: column < columns - 1 ? i + 1 : i,
          Home: 0,
          End: patches.length - 1,
        }[event.key]
        if (to === undefined) return
        event.preventDefault()
        event.stopPropagation()
        pick(to)
      })
      model.on("change:value", show)
      show()
      return () => model.off("change:value", show)
    }
    export default { render }
    """
    _css = """
    .mp3-picker { display: flex; align-items: center; gap: 8px; width: fit-content; margin: 2px; }
    .mp3-picker-label { font-size: var(--jp-widgets-font-size, 13px); color: var(--jp-ui-font-color1, inherit); }
    .mp3-picker-grid { display: grid; gap: 2px; }
    .mp3-picker-grid button {
      min-width: 32px; height: 26px; padding: 0; border: 1px solid var(--jp-border-color1, #999); cursor: pointer;
      background: var(--jp-layout-color2, #eee); color: var(--jp-ui-font-color1, #222); font-size: 12px;
      touch-action: manipulation;
    }
    .mp3-picker-grid button[aria-checked=true] { background: #0072B2; color: white; font-weight: bold; }
    .mp3-picker-grid button:focus-visible { outline: 3px solid #E69F00; outline-offset: 0; }
    """

    def __init__(self, label: str, rows: int, columns: int, value: int):
        super().__init__(label=label, rows=rows, columns=columns, value=value)

    @traitlets.validate("value")
    def _on_the_grid(self, proposal):
        if not 0 <= proposal.value < self.rows * self.columns:
            raise ValueError(
                f"patch {proposal.value} is not on a grid of {self.rows} x {self.columns}: "
                f"0 to {self.rows * self.columns - 1}"
            )
        return proposal.value

    def _repr_mimebundle_(self, **kwargs):
        # a constant text, and a PNG for pages without a kernel
        data, metadata = super()._repr_mimebundle_(**kwargs)
        grey = np.full((3, 8 * self.rows, 8 * self.columns), 200, np.uint8)
        picture = png(patch_grid(grey, 8, numbers=True, mark=self.value))
        return data | {
            "text/plain": f"[patch picker: {self.label}]",
            "image/png": base64.b64encode(picture).decode(),
        }, metadata


def patch_picker(label: str, grid: tuple[int, int], value: int = 0) -> PatchPicker:
    """A control for one patch of a grid: a click or a touch picks a patch, and the arrow keys move to its neighbours.

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
        # It is shown `shown_width` wide, and narrower where the page is narrower. It has twice as many pixels.
        self.picture = ipywidgets.Image(format="png", layout={"width": "auto", "height": "auto", "max_width": "100%"})
        # An Image widget has no alt text, and JupyterLab fails to show one with a tooltip. The alt text is therefore in
        # a separate widget, which only screen readers read.
        alt_text = ipywidgets.HTML(
            f"<span style='{_SCREEN_READERS_ONLY}'>{html.escape(alt)}</span>", layout={"height": "0px", "margin": "0"}
        )
        self.message = ipywidgets.HTML()
        row = []
        for control in self.controls.values():
            play = getattr(control, "play", None)
            row.append(ipywidgets.HBox([control, play], layout={"max_width": "100%"}) if play else control)
        row = ipywidgets.HBox(row, layout=_ROW_LAYOUT)
        # The message is directly below the controls: the reader who used one looks there, and need not scroll.
        super().__init__([row, self.message, alt_text, self.picture], layout={"align_items": "flex-start"})
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
        """Draw the figure for the current values. An error is kept in `.last_error` and shown below the controls."""
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
            self.picture.layout.width = f"{shown_width(figure)}px"
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
        """Show a message (HTML) below the controls."""
        look = "border-left: 4px solid #D55E00; padding: 0.3em 0.8em; line-height: 1.5"
        self.message.value = f"<div role='alert' style='{look}'>{text}</div>"

    def _repr_mimebundle_(self, **kwargs):
        # a constant text, and the figure as a PNG for pages without a kernel
        data = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = f"[live figure: {', '.join(self.controls)}]"
        data["image/png"] = base64.b64encode(png(self.figure)).decode()
        metadata = (
            self.figure.metadata(self.alt) if isinstance(self.figure, Picture) else {"image/png": {"alt": self.alt}}
        )
        return data, metadata


def live(draw: Callable[..., Figure], *, alt: str, **controls: ipywidgets.Widget) -> LiveFigure:
    """Bind `draw` to controls: `live(draw_mask, alt="...", mask_ratio=slider("mask ratio in %", 0, 95, 75))`.

    draw: a pure function. It receives the value of each control under the control's name, and returns a new Figure.
    alt: what the figure shows, in one sentence.
    controls: name -> control.
    An exception in the first drawing is raised; later exceptions are shown below the controls.
    """
    return LiveFigure(draw, alt, controls)


class LiveCurve:
    """Curves that grow while a model trains. Made by `live_curve`, which explains the use.

    `.lines` are the lines received so far, `.update_count` is the number of updates of the picture.
    """

    def __init__(self, names: tuple[str, ...], x: str, title: str | None, ylabel: str, levels: Mapping | None):
        if not names:
            raise ValueError("live_curve() has no names: name the values to draw, such as live_curve('loss')")
        self.names, self.x, self.title, self.ylabel, self.levels = names, x, title, ylabel, levels
        self.lines: list[Mapping] = []
        self.update_count, self._handle, self._start, self._last, self._drawn = 0, None, 0.0, 0.0, 0

    def __call__(self, line: Mapping) -> None:
        """Receive one line of metrics, and update the picture if the last update was long enough ago."""
        if self.x not in line:
            raise ValueError(f"this line has no {self.x!r}: {dict(line)}; pass x=... with a name that every line has")
        self.lines.append(line)
        now = time.monotonic()
        self._start = self._start or now
        # At least a second, and longer in a long training: Jupyter drops messages of a cell that sends too many.
        pause = max(1.0, (now - self._start) / 10)
        if not self.update_count or (now - self._last >= pause and self.update_count < 99):
            self._update()

    def __enter__(self) -> LiveCurve:
        return self

    def __exit__(self, *_) -> None:
        """Draw the lines that came after the last update, also if the training was interrupted."""
        if len(self.lines) > self._drawn:
            self._update()

    def figure(self) -> Figure:
        """The curves of all lines received so far. A name without values so far is left out."""
        series = {name: [(line[self.x], line[name]) for line in self.lines if name in line] for name in self.names}
        series = {name: tuple(zip(*points, strict=True)) for name, points in series.items() if points}
        return curves(series, xlabel=self.x, ylabel=self.ylabel, title=self.title, levels=self.levels, height=2.8)

    def _update(self) -> None:
        self.update_count, self._last, self._drawn = self.update_count + 1, time.monotonic(), len(self.lines)
        names, picture = ", ".join(self.names), self.figure()
        data = {"text/plain": f"[live curve: {names}]", "image/png": base64.b64encode(png(picture)).decode()}
        metadata = picture.metadata(f"{names} against {self.x}")
        if self._handle is None:
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)
        else:
            self._handle.update(data, metadata=metadata, raw=True)


def live_curve(
    *names: str, x: str = "step", title: str | None = None, ylabel: str = "", levels: Mapping[str, float] | None = None
) -> LiveCurve:
    """Curves that grow while a model trains, for a callback that receives the lines of metrics one by one::

        with live_curve("loss", x="epoch", title="The loss falls") as curve:
            for line in training:
                curve(line)

    A function that takes a callback receives `curve` itself. A line is a mapping such as
    {"epoch": 1, "step": 195, "loss": 3.2}. It must have `x`; the names may be missing from some lines.

    names: the values to draw; x: the value on the horizontal axis.
    title, ylabel, levels: as in `plots.curves`.
    The picture appears with the first line. It is updated at most once a second and at most 100 times, and the end of
    the `with` block draws the last lines. The picture is an ordinary output: its last state is stored in the notebook.
    Raises ValueError for a line without `x`.
    """
    return LiveCurve(names, x, title, ylabel, levels)


def png(figure: Figure, small: bool = True) -> bytes:
    """A figure as PNG bytes. The same figure always gives the same bytes.

    small: compress more strongly, for storage; False is faster, for redrawing.
    """
    if isinstance(figure, Picture):
        return figure.png(small)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, pil_kwargs={"compress_level": 9 if small else 1})
    return buffer.getvalue()


def shown_width(figure: Figure) -> int:
    """The width in screen pixels at which a page shows the PNG of a figure."""
    return figure.shown[0] if isinstance(figure, Picture) else round(figure.get_figwidth() * figure.dpi)

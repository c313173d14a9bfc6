"""A figure with controls that redraw it."""

from __future__ import annotations

import base64
import html
import traceback
from collections.abc import Callable, Mapping

import ipywidgets
from matplotlib.figure import Figure

from ..plots import Picture
from .controls import Upload
from .stored import png, shown_width

_ROW_LAYOUT = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 24px", "max_width": "100%"}
_SCREEN_READERS_ONLY = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"


class LiveFigure(ipywidgets.VBox):
    """Controls, and below them the figure that `draw` returns for their values. Made by `live`.

    `.controls` maps names to controls, and `.values()` returns their values. `.figure` is the last figure drawn,
    `.picture` the Image widget, `.draw_count` the number of redraws, `.last_error` the exception of the last redraw or
    None, and `.message` the HTML widget that shows this error to the reader.
    """

    def __init__(self, draw: Callable[..., Figure], alt: str, controls: Mapping[str, ipywidgets.Widget]):
        if not isinstance(alt, str):
            raise ValueError(f"alt must say what the figure shows, in a sentence, got {alt!r}")
        for name, control in controls.items():
            if not isinstance(control, ipywidgets.Widget) or not control.has_trait("value"):
                raise ValueError(f"{name} must be a control, such as slider(...), got {str(control)[:100]}")
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
            figure = self.draw(**self.values())
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
            return
        unread = [one.refused for one in self.controls.values() if isinstance(one, Upload) and one.refused is not None]
        if unread:  # the picture is that of the last file that could be read
            self.last_error = error = unread[0]
            words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            self.say("This file cannot be used. The picture shows the one before.<br>" + html.escape(words))

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

"""Controls for `live`: sliders, drop-down lists and uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import ipywidgets

_WHOLE_LABEL = {"description_width": "initial"}  # labels are never cut off


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


def _listed(options: Iterable | Mapping) -> tuple[list, object]:
    """The options as ipywidgets takes them, values or pairs (label, value), and the value of the first one."""
    options = list(options.items()) if isinstance(options, Mapping) else list(options)
    return options, options[0][1] if isinstance(options[0], tuple) else options[0]


def dropdown(label: str, options: Iterable | Mapping, value=None):
    """A drop-down list.

    options: values, or a mapping label -> value; value: the value selected first, by default the first option's.
    """
    options, first = _listed(options)
    return ipywidgets.Dropdown(
        options=options,
        value=first if value is None else value,
        description=label,
        style=_WHOLE_LABEL,
        layout={"width": "auto"},
    )


def selection_slider(label: str, options: Iterable | Mapping, value=None, *, every_step: bool = True):
    """A slider over listed values, such as powers of ten. Arguments as in `dropdown` and `slider`."""
    options, first = _listed(options)
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

"""Controls for `live`: sliders, drop-down lists and uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral

import ipywidgets
import traitlets

LARGEST = 2**53  # of whole numbers that a page can hold
_WHOLE_LABEL = {"description_width": "initial"}  # labels are never cut off


@contextmanager
def as_value_error() -> Iterator[None]:
    """Let what a control refuses, by its own kind of error, be a ``ValueError`` with the same words."""
    try:
        yield
    except traitlets.TraitError as error:
        raise ValueError(str(error)) from None


def _text(label: str) -> str:
    if not isinstance(label, str):
        raise ValueError(f"the label of a control must be a string, got {label!r}")
    return label


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
    Raises ValueError for anything but whole numbers, and for a value that is not between low and high.
    """
    numbers = (low, high, value, step)
    if any(isinstance(n, bool) or not isinstance(n, Integral) or abs(n) > LARGEST for n in numbers) or step < 1:
        raise ValueError(f"low, high, value and step of a slider must be whole numbers, step 1 or more, got {numbers}")
    if not low <= value <= high:
        raise ValueError(f"the value of a slider must lie between low and high, got {value}, from {low} to {high}")
    with as_value_error():
        control = ipywidgets.IntSlider(
            int(value), int(low), int(high), int(step), description=_text(label), style=_WHOLE_LABEL,
            layout=_slider_layout(label, str(high)), continuous_update=every_step,
        )  # fmt: skip
    if play:
        control.play = ipywidgets.Play(value=value, min=low, max=high, step=step, interval=600, show_repeat=False)
        ipywidgets.jslink((control.play, "value"), (control, "value"))
    return control


def _same(one, other) -> bool:
    return one is other or one == other  # not-a-number does not equal itself


def _choice(options: Iterable | Mapping, value) -> dict:
    """What ipywidgets takes: pairs (label, value), and the value selected first."""
    pairs = options.items() if isinstance(options, Mapping) else options if isinstance(options, Iterable) else ()
    pairs = [(str(k), v) for k, v in pairs] if isinstance(options, Mapping) else [(str(v), v) for v in pairs]
    if not pairs:
        raise ValueError(f"options must be a list of values or a mapping with at least one, got {str(options)[:100]}")
    value = pairs[0][1] if value is ... else value
    if not any(_same(option, value) for _, option in pairs):
        raise ValueError(f"value must be one of the options, {str([v for _, v in pairs])[:100]}, got {value!r}")
    return {"options": pairs, "value": value, "equals": _same}


def dropdown(label: str, options: Iterable | Mapping, value=...):
    """A drop-down list.

    options: values of any kind, or a mapping label -> value; value: the value selected first, by default the first
    option's.
    """
    choice = _choice(options, value)
    with as_value_error():
        return ipywidgets.Dropdown(
            **choice,
            description=_text(label),
            style=_WHOLE_LABEL,
            layout={"width": "auto"},
        )


def selection_slider(label: str, options: Iterable | Mapping, value=..., *, every_step: bool = True):
    """A slider over listed values, such as powers of ten. Arguments as in `dropdown` and `slider`."""
    choice = _choice(options, value)
    longest = max((text for text, _ in choice["options"]), key=len)
    with as_value_error():
        return ipywidgets.SelectionSlider(
            **choice, description=_text(label), style=_WHOLE_LABEL,
            layout=_slider_layout(label, longest), continuous_update=every_step,
        )  # fmt: skip


class Upload(ipywidgets.FileUpload):
    """A button that uploads a file. `draw` receives `start` first, then the result of `read`. See `file_upload`.

    `.refused` is what `read` raised for the last file, or None.
    """

    def __init__(self, label: str, read: Callable[[bytes], object], start):
        super().__init__(description=label, layout={"width": "auto"}, tooltip=f"{label}: choose a file")
        self._read, self._start, self._file, self._last, self.refused = read, start, (), start, None

    def result(self):
        """The value that `draw` receives, of the last file that could be read. `read` is called once for each file."""
        if self._file is not self.value:
            self._file, self.refused = self.value, None
            try:
                self._last = self._read(bytes(self.value[0]["content"])) if self.value else self._start
            except Exception as error:
                self.refused = error
        return self._last


def file_upload(label: str, read: Callable[[bytes], object] = bytes, start=None) -> Upload:
    """A control for a file from the reader's computer. The file is sent to the kernel and nowhere else.

    read: converts the bytes of the file to the value that `draw` receives. It is called once for each file. If it
    raises a ValueError, the reader sees its message, and the last file that could be read stays.
    start: the value that `draw` receives before a file is chosen.
    By default, a Jupyter server does not transmit files over 10 MiB to the kernel. The limit is
    `websocket_max_message_size` in its `tornado_settings`.
    """
    if not callable(read):
        raise ValueError(f"read must be a function of the bytes of a file, got {str(read)[:100]}")
    return Upload(_text(label), read, start)

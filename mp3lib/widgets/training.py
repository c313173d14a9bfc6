"""Curves that grow while a model trains."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping

from IPython.display import display
from matplotlib.figure import Figure

from ..plots import curves
from .stored import png


def flat(line: Mapping) -> dict:
    """The entries of a line of metrics, those of a dict in it by a name of their own: `test_accuracy/0.75`."""
    entries = {}
    for name, value in line.items():
        entries |= (
            {f"{name}/{key}": part for key, part in value.items()} if isinstance(value, Mapping) else {name: value}
        )
    return entries


def number_of(value) -> float | None:
    """A number, also that in a tensor or an array; None for anything else."""
    if value is None or isinstance(value, (bool, str, bytes)):
        return None
    try:
        return (
            value if isinstance(value, (int, float)) else float(value.detach() if hasattr(value, "detach") else value)
        )
    except (TypeError, ValueError, RuntimeError):
        return None


class LiveCurve:
    """Curves that grow while a model trains. Made by `live_curve`, which explains the use.

    `.lines` are the numbers received so far, a dict for each line. `.update_count` is the number of updates of the
    picture.
    """

    def __init__(self, names: tuple[str, ...], x: str, title: str | None, ylabel: str, levels: Mapping | None):
        if not names:
            raise ValueError("live_curve() has no names: name the values to draw, such as live_curve('loss')")
        self.names, self.x, self.title, self.ylabel, self.levels = names, x, title, ylabel, levels
        self.lines: list[dict[str, float]] = []
        self._said: set[str] = set()
        self.update_count, self._handle, self._start, self._last, self._drawn = 0, None, 0.0, 0.0, 0

    def __call__(self, line: Mapping) -> None:
        """Receive one line of metrics, and update the picture if the last update was long enough ago."""
        numbers = {name: number_of(value) for name, value in flat(line).items() if self._is_wanted(name)}
        for name, number in numbers.items():
            if number is None:
                self._say(f"{name} is left out where it is no number, such as {str(flat(line)[name])[:60]!r}")
        numbers = {name: number for name, number in numbers.items() if number is not None}
        if self.x not in numbers:
            self._say(f"a line without {self.x!r} is left out: pass x=... with a name that every line has")
            return
        self.lines.append(numbers)
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
        found = dict.fromkeys(name for line in self.lines for name in line)
        order = [name for asked in self.names for name in found if name == asked or name.startswith(f"{asked}/")]
        series = {name: [(line[self.x], line[name]) for line in self.lines if name in line] for name in order}
        series = {name: tuple(zip(*points, strict=True)) for name, points in series.items()}
        return curves(series, xlabel=self.x, ylabel=self.ylabel, title=self.title, levels=self.levels, height=3.4)

    def _is_wanted(self, name: str) -> bool:
        return any(name == asked or name.startswith(f"{asked}/") for asked in (self.x, *self.names))

    def _say(self, text: str) -> None:
        """Print a message, once."""
        if text not in self._said:
            self._said.add(text)
            print(f"live curve: {text}", flush=True)

    def _update(self) -> None:
        self.update_count, self._last, self._drawn = self.update_count + 1, time.monotonic(), len(self.lines)
        names = ", ".join(self.names)
        try:
            picture = self.figure()
            data = {"text/plain": f"[live curve: {names}]", "image/png": base64.b64encode(png(picture)).decode()}
        except Exception as error:  # a picture never stops a training
            self._say(f"the curve could not be drawn: {type(error).__name__}: {error}")
            return
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
    {"epoch": 1, "step": 195, "loss": 3.2}. It must have `x`; the names may be missing from some lines. Of an entry that
    is a dict, such as {"test_accuracy": {"0.75": 0.6}}, each value has a curve, `test_accuracy/0.75`.

    names: the values to draw; x: the value on the horizontal axis.
    title, ylabel, levels: as in `plots.curves`.
    The picture appears with the first line. It is updated at most once a second and at most 100 times, and the end of
    the `with` block draws the last lines. The picture is an ordinary output: its last state is stored in the notebook.
    A line without `x`, an entry that is no number and a picture that cannot be drawn are named in a printed message;
    the training goes on.
    """
    return LiveCurve(names, x, title, ylabel, levels)

"""The live figures of a notebook, in a kernel of its own: drawn over the range of their controls, moved, and timed.

    with LiveNotebook(Path("notebooks/04_masked_position_prediction.ipynb")) as notebook:
        notebook.ask("drawings")    # (a) each draw function over the range of its controls
        notebook.ask("moves")       # (b) each control moved as a reader moves it
        notebook.ask("timings")     # milliseconds from a control's change to the PNG

The first half runs in the kernel, beside the notebook's own cells; the second half starts it and asks.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import io
import itertools
import json
import os
import random
import statistics
import time
import traceback
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

JSON = "application/json"
MOST = 13  # values tried of one control: more than that are represented by the ends, the start and a spread

# --- in the kernel ----------------------------------------------------------------------------------------------------

FIGURES: list[Watched] = []  # in the order in which the notebook makes them


class Watched:
    """A live figure, with its picture when it was made and the values that its controls had then."""

    def __init__(self, live):
        self.live, self.first, self.start = live, bytes(live.picture.value), live.values()
        self.inputs = {name: control.value for name, control in live.controls.items()}
        self.name = getattr(live.draw, "__name__", "draw")
        self.drawn: dict[str, str] = {}  # setting -> the digest of its picture, or what went wrong

    def draw(self, values: dict) -> bytes:
        """The picture that `draw` makes for these values, as PNG. Raises for an error, a warning, or a wrong type."""
        from matplotlib.figure import Figure

        from mp3lib.widgets import png

        printed = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DeprecationWarning)  # said between libraries, not to readers
            figure = self.live.draw(**values)
            if not isinstance(figure, Figure):
                raise TypeError(f"returned {type(figure).__name__}, not a Figure")
            picture = png(figure, small=False)
        if printed.getvalue():
            raise ValueError(f"printed {printed.getvalue()!r}: nobody sees that")
        return picture

    def digest(self, values: dict) -> str:
        """Of the picture for these values, drawn once; starts with "!" and tells the error where there is none."""
        setting = words(values)
        if setting not in self.drawn or not all(map(is_plain, values.values())):
            try:
                self.drawn[setting] = digest(self.draw(values))
            except Exception as error:
                self.drawn[setting] = f"!{told(error)}"
        return self.drawn[setting]


def watch() -> None:
    """From here on every live figure is noted."""
    from mp3lib.widgets import LiveFigure

    make = LiveFigure.__init__

    def make_and_note(self, *args, **kwargs):
        make(self, *args, **kwargs)
        FIGURES.append(Watched(self))

    LiveFigure.__init__ = make_and_note


def range_of(control) -> list:
    """Every value that a control can take, from end to end. Of an upload: no file, and two pictures."""
    if hasattr(control, "result"):
        return [(), file("wide.png", painted((300, 200), "PNG")), file("high.gif", painted((20, 45), "GIF"))]
    if hasattr(control, "rows"):
        return list(range(control.rows * control.columns))
    if hasattr(control, "options"):
        return [option[1] if isinstance(option, tuple) and len(option) == 2 else option for option in control.options]
    if isinstance(control.value, bool):
        return [False, True]
    if isinstance(control.value, (int, float)) and hasattr(control, "max"):
        count = int((control.max - control.min) / control.step + 1e-9)
        values = [control.min + i * control.step for i in range(count + 1)]
        return values + [control.max] * (control.max - values[-1] > 1e-9)
    raise TypeError(f"the range of a {type(control).__name__} is not known: teach tools/live_figures.py")


def what_draw_gets(control) -> list:
    """`range_of` as `draw` gets it: of an upload what was read from the file."""
    if not hasattr(control, "result"):
        return range_of(control)
    found, before = [], control.value
    for value in range_of(control):
        control.value = value
        found.append(control.result())
    control.value = before
    return found


def painted(size: tuple[int, int], kind: str) -> bytes:
    """A picture with a bright top, a dark bottom and something red, as a file. size: width and height in pixels."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", size, (150, 190, 240))
    draw, (w, h) = ImageDraw.Draw(image), size
    draw.rectangle((0, 0.6 * h, w, h), fill=(60, 90, 40))
    draw.ellipse((0.3 * w, 0.3 * h, 0.6 * w, 0.8 * h), fill=(200, 40, 30))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def too_large() -> bytes:
    """A PNG file of some 100 bytes that claims 60,000 x 60,000 pixels."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def unusable() -> dict[str, bytes]:
    """Files that are not a picture, or half of one, or far too large."""
    half = painted((300, 200), "PNG")[:200]
    return {"empty.png": b"", "text.txt": b"not a picture", "half.png": half, "huge.png": too_large()}


def file(name: str, content: bytes) -> tuple:
    """The value of a FileUpload that holds one file."""
    now = datetime.datetime.now(datetime.UTC)
    return ({"name": name, "type": "", "size": len(content), "content": memoryview(content), "last_modified": now},)


def spread(values: list, most: int = MOST) -> list:
    """At most so many of the values, evenly, both ends among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def settings_of(start: dict, ranges: dict[str, list], seed: int = 0) -> list[dict]:
    """Settings of all controls: each alone over its range, all combinations of the ends, and a few at random."""
    settings = [start]
    for name, values in ranges.items():
        settings += [start | {name: value} for value in spread(values)]
    ends = [[values[0], values[-1]] for values in ranges.values()]
    settings += [dict(zip(ranges, corner, strict=True)) for corner in itertools.islice(itertools.product(*ends), 64)]
    chance = random.Random(seed)
    for _ in range(10 * (len(ranges) > 1)):
        settings.append({name: chance.choice(values) for name, values in ranges.items()})
    return list({words(setting): setting for setting in settings}.values())


def idle_controls(pictures: list[tuple[dict, str]], names: Iterable[str]) -> list[str]:
    """The controls that never change the picture. pictures: (setting, what the picture is)."""
    idle = []
    for name in names:
        groups: dict[str, set] = {}
        for setting, picture in pictures:
            groups.setdefault(words({k: v for k, v in setting.items() if k != name}), set()).add(picture)
        if all(len(group) == 1 for group in groups.values()):
            idle.append(name)
    return idle


def told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error} (line {traceback.extract_tb(error.__traceback__)[-1].lineno})"


def drawings() -> dict:
    """Draw each figure for its settings: no error, no warning, twice the same, and every control changes something."""
    complaints, drawn = [], []
    for watched in FIGURES:
        ranges = {name: what_draw_gets(control) for name, control in watched.live.controls.items()}
        settings = settings_of(watched.start, ranges)
        drawn.append(f"{watched.name}: {len(settings)} pictures")
        failed = [setting for setting in settings if watched.digest(setting).startswith("!")]
        complaints += several([f"{watched.name}({words(s)}): {watched.digest(s)[1:]}" for s in failed])
        settings = [setting for setting in settings if setting not in failed]
        for setting in spread(settings, 4):
            if digest(watched.draw(setting)) != watched.digest(setting):
                complaints.append(f"{watched.name}({words(setting)}) draws another picture the second time")
        if watched.start in settings and watched.digest(watched.start) != digest(watched.first):
            complaints.append(f"{watched.name}({words(watched.start)}) no longer draws what it drew when it was made")
        several_values = [name for name, values in ranges.items() if len(values) > 1 and settings]
        for name in idle_controls([(s, watched.digest(s)) for s in settings], several_values):
            complaints.append(f"{watched.name}: the control {name!r} never changes the picture")
    return {"drawn": drawn, "complaints": complaints}


def moves() -> dict:
    """Move each control to several values: each move draws, without an error, what `draw` draws for them."""
    complaints, moved = [], []
    for watched in FIGURES:
        live, count, wrong = watched.live, 0, []
        for name, control in live.controls.items():
            for part, value in moves_of(control, watched.inputs[name]):
                if part.value == value:
                    continue
                before = live.draw_count
                part.value = value
                count += 1
                shown = f"{watched.name} moved by {name} = {name_of(value)} to {words(live.values())}"
                if live.draw_count == before:
                    wrong.append(f"{shown}: nothing was drawn")
                elif live.last_error is not None:
                    wrong.append(f"{shown}: {told(live.last_error)}")
                elif digest(bytes(live.picture.value)) != watched.digest(live.values()):
                    wrong.append(f"{shown}: the picture is not the one of these values")
            if hasattr(control, "result"):
                wrong += refusals(watched, control)
        complaints += several(wrong)
        moved.append(f"{watched.name}: {count} moves")
    return {"moved": moved, "complaints": complaints}


def moves_of(control, start) -> list[tuple]:
    """(widget, value): up and down its range, at last back to the start."""
    low, middle, high = (spread(range_of(control), 3) * 3)[:3]
    found = [(control, high), (control, low), (control, middle), (control, high)]
    return [*found, (control, start)]


def refusals(watched: Watched, control) -> list[str]:
    """What is wrong with how unusable files are met: with a sentence, no stack, and the picture that was there."""
    wrong, live = [], watched.live
    for name, content in unusable().items():
        before = bytes(live.picture.value)
        control.value = file(name, content)
        if not isinstance(live.last_error, ValueError) or not live.message.value:
            wrong.append(f"{watched.name}, {name} uploaded: {live.last_error!r} instead of a sentence")
        if "Traceback" in live.message.value or "Error" in live.message.value:
            wrong.append(f"{watched.name}, {name} uploaded: the reader sees {live.message.value}")
        if bytes(live.picture.value) != before:
            wrong.append(f"{watched.name}, {name} uploaded: the picture changed")
    control.value = watched.inputs[next(k for k, v in live.controls.items() if v is control)]
    if live.last_error is not None or live.message.value:
        wrong.append(f"{watched.name}: the sentence about an unusable file stays without that file")
    return wrong


def timings(repeats: int = 3) -> list[dict]:
    """For each figure the milliseconds from a control's change to the PNG: the median, and the slowest of the medians.

    `cpu`: the median of what the processor worked for it, which is less where other programs kept it busy.
    """
    found = []
    for watched in FIGURES:
        times: dict[str, list[float]] = {}
        cpu = []
        for _ in range(repeats + 1):  # the first round warms up
            for name, control in watched.live.controls.items():
                for value in [*spread(range_of(control), 7), watched.inputs[name]]:
                    if control.value != value:
                        start, busy = time.perf_counter(), time.process_time()
                        control.value = value
                        cpu.append(1000 * (time.process_time() - busy))
                        times.setdefault(f"{name} = {name_of(value)}", []).append(1000 * (time.perf_counter() - start))
        medians = {setting: statistics.median(ms[1:]) for setting, ms in times.items()}
        if not medians:  # controls of a single value
            continue
        slowest = max(medians, key=medians.get)
        median = statistics.median(medians.values())
        timing = {"name": watched.name, "median": median, "cpu": statistics.median(cpu)}
        found.append(timing | {"slowest": medians[slowest], "at": slowest})
    return found


def picture(number: int, values: dict | None = None, files: dict[str, bytes] | None = None) -> str:
    """What figure `number` draws for these values and files (of uploads), the others as at the start: base64 PNG."""
    watched = FIGURES[number]
    values = watched.start | (values or {})
    for name, content in (files or {}).items():
        control = watched.live.controls[name]
        before, control.value = control.value, file(name, content)
        values[name], control.value = control.result(), before
    return base64.b64encode(watched.draw(values)).decode()


def figures() -> list[dict]:
    """Each figure's `name` and `controls`: name -> kind, label, and (where they are plain) start and range."""
    found = []
    for watched in FIGURES:
        controls = {}
        for name, control in watched.live.controls.items():
            values = range_of(control)
            controls[name] = {
                "kind": type(control).__name__, "label": getattr(control, "description", None) or control.label,
                "start": watched.start[name] if is_plain(watched.start[name]) else None,
                "range": values if all(map(is_plain, values)) else None,
            }  # fmt: skip
        found.append({"name": watched.name, "controls": controls})
    return found


def digest(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()


def is_plain(value) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def name_of(value) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], dict) and "content" in value[0]:
        return value[0]["name"]
    return repr(value) if is_plain(value) or value == () else f"{type(value).__name__} {id(value) % 10**6}"


def words(setting: dict) -> str:
    return ", ".join(f"{name}={name_of(value)}" for name, value in setting.items())


def several(complaints: list[str]) -> list[str]:
    """The first few, and how many more."""
    return complaints[:5] + [f"... and {len(complaints) - 5} more of the same figure"] * (len(complaints) > 5)


def answer(function: str, *args) -> None:
    """What a cell that asks runs: the answer goes out as JSON."""
    from IPython.display import display

    display({JSON: globals()[function](*args), "text/plain": "answer"}, raw=True)


# --- outside of the kernel --------------------------------------------------------------------------------------------


class LiveNotebook:
    """A notebook run from top to bottom in a kernel that stays, for questions to the functions above.

    The run starts at once, in a thread of its own; a question waits for it, and raises CellExecutionError where a cell
    failed.
    """

    def __init__(self, path: Path, budget: str = "smoke", notebook=None):
        """notebook: what is run instead of the file at ``path``, in its folder; an nbformat notebook."""
        self.path = Path(path)
        self._thread = ThreadPoolExecutor(1)
        self._stack = contextlib.ExitStack()
        self._run = self._thread.submit(self._start, budget, notebook)

    def _start(self, budget: str, notebook) -> None:
        import nbformat
        from nbclient import NotebookClient

        notebook = notebook or nbformat.read(self.path, as_version=4)
        self._client = NotebookClient(
            notebook, timeout=600, kernel_name="python3", extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(self.path.resolve().parent)}},
        )  # fmt: skip
        environ = os.environ | {"MP3_BUDGET": budget}
        self._stack.enter_context(self._client.setup_kernel(env=environ))
        cells = list(notebook.cells)
        self._execute(f"__import__('sys').path.append({str(Path(__file__).resolve().parent)!r})")
        self._execute("__import__('live_figures').watch()")
        for number, cell in enumerate(cells):
            self._client.execute_cell(cell, number)

    def _execute(self, code: str):
        import nbformat

        self._client.nb.cells.append(nbformat.v4.new_code_cell(code))
        return self._client.execute_cell(self._client.nb.cells[-1], len(self._client.nb.cells) - 1)

    def ask(self, function: str, *args):
        """What a function of the first half answers in the kernel. args: whatever `repr` can write."""
        self._run.result()
        call = ", ".join(map(repr, (function, *args)))
        cell = self._thread.submit(self._execute, f"__import__('live_figures').answer({call})").result()
        [found] = [output.data[JSON] for output in cell.outputs if JSON in output.get("data", {})]
        return json.loads(json.dumps(found))

    def printed(self) -> str:
        """What the cells of the notebook have printed."""
        self._run.result()
        outputs = [output for cell in self._client.nb.cells for output in cell.get("outputs", ())]
        return "".join(output.text for output in outputs if output.get("name") == "stdout")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._run.cancel()
        with contextlib.suppress(Exception):
            self._run.result()
        self._thread.submit(self._stack.close).result()
        self._thread.shutdown()


def has_live_figures(path: Path) -> bool:
    """Whether a notebook makes live figures, from its source alone."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return any("live(" in source or "LiveFigure" in source for source in code)

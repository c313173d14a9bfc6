"""The notebooks in JupyterLab, in a real browser: sliders by keyboard and mouse, a picked patch, an uploaded photo.

What the browser shows is compared, byte for byte, with what the same notebook draws in a kernel of its own for the
values that the controls should now have; and the hidden patches are counted in the picture itself.
"""

import base64
import contextlib
import math
import sys
from pathlib import Path

import nbformat
import pytest
from lab_page import FAILED, LabPage, hatched_cells, lab_server
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from live_figures import LiveNotebook  # noqa: E402

pytestmark = pytest.mark.slow
on = pytest.mark.parametrize


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    with lab_server(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


class Both:
    """A notebook run twice: in JupyterLab, and in a kernel of its own that knows what is right."""

    def __init__(self, lab: LabPage, kernel: LiveNotebook):
        self.lab, self.kernel = lab, kernel
        self.figures = kernel.ask("figures")
        sizes = kernel.ask("variables", ["rows", "cols"])
        self.grid = (
            sizes.get("rows", 4),
            sizes.get("cols", 4),
        )  # of the patches under a mask slider, as it stands first

    def expected(self, number: int, values: dict, files: dict[str, bytes] | None = None) -> bytes:
        return base64.b64decode(self.kernel.ask("picture", number, values, files or {}))

    def find(self, want) -> tuple[int, str]:
        """The first figure with a control that fits, and that control's name."""
        fits = [(i, k) for i, figure in enumerate(self.figures) for k, c in figure["controls"].items() if want(c)]
        assert fits, "no such control in this notebook"
        return fits[0]

    def controls(self, number: int) -> dict[str, dict]:
        return self.figures[number]["controls"]


@contextlib.contextmanager
def both_run(browser, server, path: Path):
    with LiveNotebook(path) as kernel:
        lab = LabPage(browser, server, path)
        try:
            lab.run_all()
            yield Both(lab, kernel)
        finally:
            lab.close()


@pytest.fixture(scope="module")
def book(request, browser, server):
    [path] = (ROOT / "notebooks").glob(f"{request.param}_*.ipynb")
    with both_run(browser, server, path) as both:
        yield both


@pytest.fixture(autouse=True)
def shot_on_failure(request):
    """A screenshot in tests/shots, as long as the page is there."""
    yield
    if request.node.stash.get(FAILED, False) and "book" in request.fixturenames:
        with contextlib.suppress(Exception):
            request.getfixturevalue("book").lab.screenshot(request.node.name)


# --- what the tests ask -----------------------------------------------------------------------------------------------


def mask_problems(book: Both, number: int, name: str, steps, patience: float = 60) -> list[str]:
    """Move a mask slider; every move has to show that value's own picture, with as many hidden patches as it says.

    steps: functions of (live figure, label) that move the slider and return where it stands; patience: seconds.
    """
    live, control = book.lab.live(number).show(), book.controls(number)[name]
    n, problems = math.prod(book.grid), []
    pictures, rest = divmod(hatched_cells(live.png()), int(control["start"] / 100 * n))
    if not pictures or rest:
        return [f"at first the picture hides {hatched_cells(live.png())} patches"]
    for step in steps:
        percent = step(live, control["label"])
        if not live.becomes(book.expected(number, {name: int(percent)}), patience):
            problems.append(f"at {percent:g} % the picture is not the one of {percent:g} %")
        count, right = hatched_cells(live.png()), pictures * int(percent / 100 * n)
        if count != right:
            problems.append(f"at {percent:g} % the picture hides {count} patches, not {right}")
        if live.alert():
            problems.append(f"at {percent:g} % the reader is told: {live.alert()}")
    return problems


def keys(*names: str):
    return lambda live, label: live.press(label, *names)


def drag(share: float):
    return lambda live, label: live.drag(label, share)


def is_mask(control: dict) -> bool:
    return "mask ratio" in control["label"]


# --- the notebooks ----------------------------------------------------------------------------------------------------


@on("book", ["00", "04"], indirect=True)
def test_mask_slider_by_keyboard_and_by_mouse(book):
    number, name = book.find(is_mask)
    control = book.controls(number)[name]
    low, high = control["range"][0], control["range"][-1]
    stood = []

    def noted(step):
        def move(live, label):
            stood.append(step(live, label))
            return stood[-1]

        return move

    by_keyboard = [keys("ArrowRight"), keys("ArrowLeft", "ArrowLeft"), keys("Home"), keys("PageUp"), keys("End")]
    by_mouse = [drag(0.5), drag(0.0), drag(0.9), drag(1.0)]
    assert mask_problems(book, number, name, [noted(step) for step in by_keyboard + by_mouse]) == []
    unit, start = control["range"][1] - low, control["start"]
    assert stood[:3] == [start + unit, start - unit, low] and low < stood[3] < high and stood[4] == high
    assert abs(stood[5] - (low + high) / 2) <= unit and stood[6] == low and stood[8] == high
    assert book.lab.complaints() == []


@on("book", ["00", "04", "07"], indirect=True)
def test_every_slider_of_every_figure_shows_its_own_picture(book):
    assert book.lab.page.locator(".mp3-live").count() == len(book.figures)
    for number, figure in enumerate(book.figures):
        live, values = book.lab.live(number).show(), {}
        for name, control in figure["controls"].items():
            slider = live.slider(control["label"])
            if control["kind"] not in ("IntSlider", "FloatSlider", "SelectionSlider") or slider.is_disabled():
                continue
            for key, end in (("End", -1), ("Home", 0)):
                live.press(control["label"], key)
                values[name] = control["range"][end]
                assert live.becomes(book.expected(number, values)), f"{figure['name']}, {values}"
    assert book.lab.complaints() == []


@on("book", ["07"], indirect=True)
def test_pick_a_patch(book):
    number, name = book.find(lambda control: control["kind"] == "PatchPicker")
    control, live = book.controls(number)[name], book.lab.live(number)
    live.show()
    values = settled(book, number, live)
    row, count = control["label"], len(control["range"])
    column = row.replace("row", "column")
    for patch in (count - 1, 0, count // 2 + 1):
        button = live.root.get_by_role("button", name=str(patch), exact=True)
        button.click()
        assert live.becomes(book.expected(number, values | {name: patch})), f"clicked {patch}"
        pressed = live.root.locator("button.mod-active").all_inner_texts()
        assert [text.strip() for text in pressed] == [str(patch)]
    columns = patch_columns(live, row, column, patch)
    live.press(row, "Home")
    live.press(column, "Home")
    assert live.becomes(book.expected(number, values | {name: 0}))
    assert live.press(row, "ArrowRight") == 1
    assert live.becomes(book.expected(number, values | {name: columns})), "one row down by the keyboard"
    assert live.press(column, "ArrowRight") == 1
    assert live.becomes(book.expected(number, values | {name: columns + 1})), "one column on by the keyboard"
    assert book.lab.complaints() == []


def settled(book: Both, number: int, live) -> dict:
    """The values of the sliders of a figure, as they stand after the tests before."""
    values = {}
    for name, control in book.controls(number).items():
        if control["kind"] in ("IntSlider", "SelectionSlider"):
            place = int(live.number(control["label"]))
            values[name] = place if control["kind"] == "IntSlider" else control["range"][place]
    return values


def patch_columns(live, row: str, column: str, patch: int) -> int:
    """How many columns the grid has, from where both sliders stand for a patch in a row below the first."""
    down, along = live.number(row), live.number(column)
    assert down > 0 and (patch - along) % down == 0
    return int((patch - along) / down)


def photo(path: Path) -> Path:
    """A wide photo: sky, ground and a red ball."""
    image = Image.new("RGB", (640, 360), (130, 180, 235))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 220, 640, 360), fill=(70, 110, 50))
    draw.ellipse((250, 120, 400, 270), fill=(200, 40, 30))
    image.save(path)
    return path


@on("book", ["07"], indirect=True)
def test_upload_a_photo(book, tmp_path):
    number, name = book.find(lambda control: control["kind"] == "Upload")
    live, label = book.lab.live(number).show(), book.controls(number)[name]["label"]
    values, before = settled(book, number, live), live.png()
    for file in (photo(tmp_path / "photo.jpg"), photo(tmp_path / "photo.gif")):
        live.upload(label, file)
        shown = book.expected(number, values, {name: file.read_bytes()})
        assert live.becomes(shown), file.name
        assert shown != before and live.alert() == ""
        before = shown
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((tmp_path / "photo.jpg").read_bytes()[:400])
    (tmp_path / "letter.png").write_text("Dear reader, this is not a picture.")
    for file in (broken, tmp_path / "letter.png"):
        live.upload(label, file)
        live.root.locator("[role=alert]").wait_for()
        sentence = live.alert()
        assert len(sentence.split()) > 5 and not any(word in sentence for word in ("Traceback", "Error", "line "))
        assert live.png() == before, "the last picture stays"
        live.upload(label, tmp_path / "photo.gif")
        live.root.locator("[role=alert]").wait_for(state="detached")
    assert book.lab.complaints() == []


@on("book", ["00", "04", "07"], indirect=True)
def test_every_control_is_labelled_and_reached_by_tab_in_order(book):
    for number, figure in enumerate(book.figures):
        live = book.lab.live(number).show()
        wanted = [control["label"] for control in figure["controls"].values()]
        stops = live.tab_stops()
        places = [next((i for i, stop in enumerate(stops) if stop.startswith(label)), None) for label in wanted]
        assert None not in places and places == sorted(places), f"{figure['name']}: {wanted} reached as {stops}"
        visible = live.root.inner_text()
        assert all(label in visible for label in wanted)


# --- the tests tested -------------------------------------------------------------------------------------------------

BROKEN = [
    "import numpy as np\nfrom mp3lib import plots\nfrom mp3lib.widgets import live, slider\n"
    "image = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)\nlast = [50]",
    "def cells(count):\n    return plots.patch_grid(image, 8, hidden=np.arange(16) < count)",
    "def draw_fails(percent):\n    return cells({0: 0, 50: 8}[percent])",
    "def draw_wrong(percent):\n    return cells(int(percent / 100 * 16) - (percent == 100))",
    "def draw_late(percent):\n    before, last[0] = last[0], percent\n    return cells(int(before / 100 * 16))",
    *(
        f"live({name}, alt='cells', percent=slider('mask ratio in %', 0, 100, 50, step=50))"
        for name in ("draw_fails", "draw_wrong", "draw_late")
    ),
]


def test_broken_callbacks_are_caught(browser, server, tmp_path):
    path = tmp_path / "broken.ipynb"
    cells = [nbformat.v4.new_code_cell(code) for code in BROKEN]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with both_run(browser, server, path) as book:
        steps = [keys("ArrowLeft"), drag(1.0)]
        with pytest.raises(Exception, match="KeyError"):
            book.expected(0, {"percent": 100})
        assert book.lab.complaints() == []
        live = book.lab.live(0).show()
        assert live.press("mask ratio in %", "End") == 100
        live.root.locator("[role=alert]").wait_for()
        assert "KeyError" in live.alert() and any("KeyError" in text for text in book.lab.complaints())
        assert mask_problems(book, 1, "percent", steps, 5) == ["at 100 % the picture hides 15 patches, not 16"]
        assert "at 0 % the picture hides 8 patches, not 0" in mask_problems(book, 2, "percent", steps, 5)

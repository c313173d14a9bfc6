"""The notebooks in JupyterLab, in a real browser: sliders by keyboard and mouse, a picked patch, an uploaded photo.

What the browser shows is compared, byte for byte, with what the same notebook draws in a kernel of its own for the
values that the controls should now have.
"""

import base64
import contextlib
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from lab_page import CURRENT, LabPage, lab_server
from PIL import Image, ImageDraw

from mp3lib import plots
from mp3lib.widgets import png

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


# --- what the tests ask -----------------------------------------------------------------------------------------------


def keys(*names: str):
    return lambda live, label: live.press(label, *names)


def drag(share: float):
    return lambda live, label: live.drag(label, share)


# --- the notebooks ----------------------------------------------------------------------------------------------------


@on("book", ["00"], indirect=True)
def test_a_slider_by_keyboard_and_by_mouse(book):
    """Every move shows the picture of that value."""
    number, name = book.find(lambda control: control["label"] == "patches placed")
    control, live = book.controls(number)[name], book.lab.live(number).show()
    low, high, stood = control["range"][0], control["range"][-1], []
    by_keyboard = [keys("ArrowRight"), keys("ArrowLeft", "ArrowLeft"), keys("Home"), keys("PageUp"), keys("End")]
    by_mouse = [drag(0.5), drag(0.0), drag(0.9), drag(1.0)]
    for step in by_keyboard + by_mouse:
        stood.append(step(live, control["label"]))
        assert live.becomes(book.expected(number, {name: int(stood[-1])})), f"at {stood[-1]:g}"
        assert not live.alert()
    unit, start = control["range"][1] - low, control["start"]
    assert stood[:3] == [start + unit, start - unit, low] and low < stood[3] < high and stood[4] == high
    assert abs(stood[5] - (low + high) / 2) <= unit and stood[6] == low and stood[8] == high
    assert book.lab.complaints() == []


@on("book", ["00", "02", "07"], indirect=True)
def test_every_slider_of_every_figure_shows_its_own_picture(book):
    assert book.lab.page.locator(".mp3-live").count() == len(book.figures)
    for number, figure in enumerate(book.figures):
        live = book.lab.live(number).show()
        values = settled(book, number, live)
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
    values, count = settled(book, number, live), len(control["range"])
    for patch in (count - 1, 0, count // 2 + 1):
        live.patch(patch).click()
        assert live.becomes(book.expected(number, values | {name: patch})), f"clicked {patch}"
        assert live.picked() == [str(patch)]
    assert book.lab.complaints() == []


def settled(book: Both, number: int, live) -> dict:
    """The values of the sliders of a figure, as they stand after the tests before."""
    values = {}
    for name, control in book.controls(number).items():
        if control["kind"] in ("IntSlider", "SelectionSlider"):
            place = int(live.number(control["label"]))
            values[name] = place if control["kind"] == "IntSlider" else control["range"][place]
    return values


def photo(path: Path) -> Path:
    """A wide photo: sky, ground and a red ball."""
    image = Image.new("RGB", (640, 360), (130, 180, 235))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 220, 640, 360), fill=(70, 110, 50))
    draw.ellipse((250, 120, 400, 270), fill=(200, 40, 30))
    image.save(path)
    return path


@on("book", ["08"], indirect=True)
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
        place = live.root.locator("[role=alert]").bounding_box()
        button = live.root.get_by_role("button", name=label).bounding_box()
        assert 0 < place["y"] - button["y"] < 150, "the sentence is near the button, on the same screen"
        live.upload(label, tmp_path / "photo.gif")
        live.root.locator("[role=alert]").wait_for(state="detached")
    assert book.lab.complaints() == []


@on("book", ["00", "02", "07"], indirect=True)
def test_every_control_is_labelled_and_reached_by_tab_in_order(book):
    for number, figure in enumerate(book.figures):
        live = book.lab.live(number).show()
        wanted = [control["label"] for control in figure["controls"].values()]
        stops = live.tab_stops()
        places = [next((i for i, stop in enumerate(stops) if stop.startswith(label)), None) for label in wanted]
        assert None not in places and places == sorted(places), f"{figure['name']}: {wanted} reached as {stops}"
        visible = live.root.inner_text()
        assert all(label in visible for label in wanted)


# --- a small notebook -------------------------------------------------------------------------------------------------

SMALL = [
    "import numpy as np\nfrom mp3lib import plots\nfrom mp3lib.widgets import live, patch_picker, slider\n"
    "image = np.random.default_rng(0).integers(0, 256, (3, 32, 24), dtype=np.uint8)",
    "def draw(patch, count):\n    return plots.patch_grid(image, 8, mark=patch, hidden=np.arange(12) >= count)",
    "live(draw, alt='twelve patches', patch=patch_picker('patch', (4, 3), 5), "
    "count=slider('patches placed', 0, 12, 6, play=True))",
]


def notebook_of(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(code) for code in sources]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture(scope="module")
def small_page(browser, server, tmp_path_factory):
    """The small notebook, opened once for all of its tests."""
    lab = LabPage(browser, server, notebook_of(tmp_path_factory.mktemp("small") / "small.ipynb", *SMALL))
    yield lab
    lab.close()


@pytest.fixture
def small(small_page):
    """The small notebook, run anew: its figure is a new one, its kernel may be that of the test before."""
    if not small_page.has_kernel():
        small_page.open()
    small_page.said.clear()
    small_page.outside.clear()
    small_page.run_all()
    return small_page


def expected_small(live, count: int) -> bytes:
    """What the figure should show with the patch that is picked and this number of patches."""
    image = np.random.default_rng(0).integers(0, 256, (3, 32, 24), dtype=np.uint8)
    [patch] = live.picked()
    return png(plots.patch_grid(image, 8, mark=int(patch), hidden=np.arange(12) >= count), small=False)


def follows(live, count: int) -> bool:
    """Whether the picture changes when the slider is set to the number of patches by the keyboard."""
    live.press("patches placed", "Home", *["ArrowRight"] * count)
    return live.becomes(expected_small(live, count))


def test_the_second_day(small):
    """Run, save, shut the kernel down, open again: the picture and a note. Run again: live."""
    first = small.live(0).show().png()
    assert small.has_no_note() and follows(small.live(0), 3)
    small.save()
    small.shut_down_kernel()
    note = small.note()
    assert "has stopped" in note and "run this cell again" in note
    for _ in range(2):  # also after it is saved once more
        small.open()
        stored = small.page.locator(".mp3-stored")
        stored.locator(".mp3-note").wait_for()
        note = small.note()
        assert "stored picture" in note and "run this cell again" in note
        image = stored.locator("img")
        assert image.get_attribute("alt") == "twelve patches" and image.bounding_box()["width"] > 150
        assert small.page.get_by_text("model not found").count() == 0
        small.save()
    small.run_all()
    assert small.has_no_note() and small.live(0).show().becomes(first) and follows(small.live(0), 4)
    assert small.page.locator(".mp3-stored").count() == 0 and small.outside == []


def test_controls_are_marked_when_the_kernel_restarts(small):
    live = small.live(0).show()
    assert follows(live, 3)
    small.restart_kernel()
    note = small.note()
    assert "has stopped" in note and "run this cell again" in note
    before = live.number("patches placed")
    live.slider("patches placed").focus()
    small.page.keyboard.press("ArrowRight")
    assert live.number("patches placed") == before, "a control without a kernel does not move"
    small.run_all()
    assert small.has_no_note() and follows(small.live(0), 5)


def test_a_kernel_that_is_kept_stays_live_when_the_page_is_loaded_again(small):
    small.save()
    small.open()
    small.page.locator(".mp3-live").wait_for()
    assert small.has_no_note() and follows(small.live(0).show(), 2)


def test_a_notebook_closed_during_a_training_says_what_to_run_again(browser, server, tmp_path):
    """While the cell still runs, after it has ended, and no longer when it is run again."""
    go = tmp_path / "go"
    training = f"from pathlib import Path\nimport time\nwhile not Path({str(go)!r}).exists():\n    time.sleep(0.05)"
    path = notebook_of(tmp_path / "closed.ipynb", "import mp3lib", training, "'later'")
    book = nbformat.read(path, as_version=4)
    for count, cell in enumerate(book.cells, 1):  # as published: every cell has been run
        cell.execution_count = count
    nbformat.write(book, path)
    lab = LabPage(browser, server, path)
    assert lab.has_no_note()
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    lab.page.wait_for_function(f"() => [...{CURRENT}.content.model.cells][0].executionCount === 1")
    lab.page.wait_for_function(f"() => {CURRENT}.content.widgets[1].promptNode.textContent.includes('*')")
    lab.save()
    lab.page.goto(lab.address)  # closed, and opened again
    note = lab.note()
    assert "is still running" in note and "run that cell again" in note
    go.touch()
    lab.page.get_by_text("The end of this cell was not seen").wait_for()
    assert lab.page.locator(".jp-Cell:has(.mp3-note)").inner_text().count("time.sleep") == 1
    lab.open()
    lab.page.get_by_text("Run this cell again.").wait_for()  # a kernel may report a moment late that it is idle
    lab.run_all()
    assert lab.has_no_note() and lab.outside == []
    lab.close()


def test_the_published_notebook_says_that_its_pictures_have_controls(browser, server, tmp_path):
    """The outputs of published notebooks hold a PNG, but no widget."""
    path = notebook_of(tmp_path / "published.ipynb", *SMALL)
    with LiveNotebook(path) as kernel:
        book, picture = nbformat.read(path, as_version=4), kernel.ask("picture", 0)
    data = {"text/plain": "[live figure: patch, count]", "image/png": picture}
    book.cells[2].outputs = [nbformat.v4.new_output("execute_result", data, execution_count=3)]
    nbformat.write(book, path)
    lab = LabPage(browser, server, path)
    assert "run this cell again" in lab.note()
    lab.close()


def test_arrow_keys_move_the_pick_and_stay_in_the_figure(small):
    live = small.live(0).show()
    cells = small.page.locator(".jp-Cell").count()
    live.patch(5).click()
    steps = [("ArrowRight", 5), ("ArrowDown", 8), ("ArrowLeft", 7), ("ArrowUp", 4), ("Home", 0), ("ArrowUp", 0)]
    for key, patch in [*steps, ("End", 11), ("ArrowDown", 11)]:
        small.page.keyboard.press(key)
        assert live.picked() == [str(patch)], f"after {key}"
        assert small.page.evaluate("() => document.activeElement.textContent") == str(patch)
    for key in ("a", "b", "d", "d"):  # in command mode these keys insert and delete cells
        small.page.keyboard.press(key)
    assert small.page.locator(".jp-Cell").count() == cells
    name = live.patch(11).get_attribute("aria-label")
    assert name == "patch 11: row 3, column 2"
    assert live.root.get_by_role("radiogroup").get_attribute("aria-label") == "patch"
    assert [stop for stop in live.tab_stops() if stop == "patch"] == ["patch"], "one tab stop"
    assert small.complaints() == []


def test_screen_readers_hear_the_labels_of_controls(small):
    live = small.live(0).show()
    slider = live.root.get_by_role("slider", name="patches placed", exact=True)
    slider.wait_for()
    live.press("patches placed", "Home", "ArrowRight")
    small.page.wait_for_function("e => e.getAttribute('aria-valuetext') === '1'", arg=slider.element_handle())
    assert live.root.get_by_role("textbox", name="patches placed", exact=True).inner_text() == "1"
    nameless = "root => [...root.querySelectorAll('button')].filter(b => !b.ariaLabel && !b.innerText.trim()).length"
    assert live.root.evaluate(nameless) == 0 and small.complaints() == []


def test_a_touch_picks_a_patch(browser, server, tmp_path):
    context = browser.new_context(has_touch=True)
    lab = LabPage(context, server, notebook_of(tmp_path / "touched.ipynb", *SMALL))
    lab.run_all()
    lab.live(0).show().patch(7).tap()
    assert lab.live(0).picked() == ["7"] and lab.live(0).becomes(expected_small(lab.live(0), 6))
    lab.close()
    context.close()


def test_tracks_are_wide_and_the_picture_follows_the_handle(small):
    live = small.live(0).show()
    handle, track = live.slider("patches placed"), live.control("patches placed").locator(".noUi-base")
    way, start = track.bounding_box(), handle.bounding_box()
    assert way["width"] >= 300
    y = start["y"] + start["height"] / 2
    small.page.mouse.move(start["x"] + start["width"] / 2, y)
    small.page.mouse.down()
    small.page.mouse.move(way["x"] + way["width"], y, steps=6)
    assert live.becomes(expected_small(live, 12)), "the button of the mouse is still down"
    small.page.mouse.up()


def test_play_moves_the_slider_to_its_end(small):
    live = small.live(0).show()
    live.root.locator(".widget-play button").first.click()
    assert live.becomes(expected_small(live, 12))
    assert live.number("patches placed") == 12 and small.complaints() == []


# --- the tests tested -------------------------------------------------------------------------------------------------

BROKEN = [
    "from mp3lib import plots\nfrom mp3lib.widgets import live, slider",
    "def draw_fails(percent):\n    return plots.bars({'a': {0: 1, 50: 2}[percent]})",
    "live(draw_fails, alt='a bar', percent=slider('mask ratio in %', 0, 100, 50, step=50))",
]


def test_broken_callbacks_are_caught(browser, server, tmp_path):
    path = tmp_path / "broken.ipynb"
    cells = [nbformat.v4.new_code_cell(code) for code in BROKEN]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with both_run(browser, server, path) as book:
        with pytest.raises(Exception, match="KeyError"):
            book.expected(0, {"percent": 100})
        assert book.lab.complaints() == []
        live = book.lab.live(0).show()
        assert live.press("mask ratio in %", "End") == 100
        live.root.locator("[role=alert]").wait_for()
        assert "KeyError" in live.alert() and any("KeyError" in text for text in book.lab.complaints())
        assert not live.becomes(book.expected(0, {"percent": 0}), 1), "the figure stays at 50 %"

"""Live figures: the picture follows the controls, errors are shown, and a page without a kernel has a picture."""

import base64
import datetime
import io
import itertools

import ipywidgets
import nbclient
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from mp3lib import plots
from mp3lib.widgets import (
    LiveFigure,
    dropdown,
    file_upload,
    live,
    live_curve,
    patch_picker,
    png,
    selection_slider,
    shown_width,
    slider,
    training,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8)


def draw(percent, gain=1.0, shown="pixels"):
    hidden = np.arange(16) < round(16 * percent / 100)
    if shown == "map":
        return plots.heat_maps(gain * np.arange(16).reshape(4, 4), vmin=0, vmax=32, hidden=[hidden])
    return plots.patch_grid(IMAGE, 4, hidden=hidden, title=f"{16 - hidden.sum()} of 16 patches")


def make(**more):
    return live(draw, alt="A picture that loses its patches", percent=slider("hidden in %", 0, 100, 75, step=5), **more)


def draw_or_fail(k):
    if k > 2:
        raise IndexError(f"index {k} is <out> of bounds")
    return plots.patch_grid(IMAGE, 4, mark=k)


def test_the_picture_is_what_draw_draws_at_both_ends_of_every_control():
    shown = dropdown("shown", {"the pixels": "pixels", "a map": "map"})
    live_figure = make(gain=slider("gain", 0, 2, 1), shown=shown)
    controls = live_figure.controls
    assert live_figure.draw_count == 1
    seen = set()
    for percent, gain, shown in itertools.product((0, 100), (0, 2), ("pixels", "map")):
        controls["percent"].value, controls["gain"].value, controls["shown"].value = percent, gain, shown
        assert live_figure.values() == {"percent": percent, "gain": gain, "shown": shown}
        assert live_figure.last_error is None
        assert bytes(live_figure.picture.value) == png(draw(percent, gain, shown), small=False)
        seen.add(bytes(live_figure.picture.value))
    assert len(seen) == 5  # the gain changes only the map, and only where it is not hidden


def test_one_move_is_one_drawing():
    live_figure = make()
    live_figure.controls["percent"].value = 10
    live_figure.controls["percent"].value = 10
    assert live_figure.draw_count == 2


def test_an_error_is_shown_and_removed_by_the_next_good_redraw():
    live_figure = live(draw_or_fail, alt="x", k=slider("patch", 0, 3, 0))
    before = bytes(live_figure.picture.value)
    live_figure.controls["k"].value = 3
    assert isinstance(live_figure.last_error, IndexError)
    assert "could not be drawn" in live_figure.message.value and "role='alert'" in live_figure.message.value
    assert "IndexError: index 3 is &lt;out&gt; of bounds" in live_figure.message.value
    assert "<code>draw_or_fail</code>" in live_figure.message.value
    assert bytes(live_figure.picture.value) == before
    live_figure.controls["k"].value = 2
    assert live_figure.last_error is None and live_figure.message.value == ""
    assert bytes(live_figure.picture.value) == png(draw_or_fail(2), small=False)


def test_the_first_error_is_raised():
    with pytest.raises(IndexError, match="index 3"):
        live(draw_or_fail, alt="x", k=slider("patch", 0, 3, 3))
    with pytest.raises(TypeError, match="returned NoneType; expected a matplotlib Figure"):
        live(lambda k: None, alt="x", k=slider("patch", 0, 3, 3))


def test_the_stored_output_has_a_constant_text_a_png_and_alt_text():
    live_figure = make()
    data, metadata = live_figure._repr_mimebundle_()
    assert data["text/plain"] == "[live figure: percent]"
    assert base64.b64decode(data["image/png"]) == png(draw(75))
    assert "application/vnd.jupyter.widget-view+json" in data
    width, height = draw(75).shown
    assert metadata == {"image/png": {"width": width, "height": height, "alt": "A picture that loses its patches"}}
    assert (
        live_figure.picture.layout.width == f"{width}px"
    )  # half of the pixels of its PNG: sharp on high-density screens
    live_figure.controls["percent"].value = 0
    assert live_figure._repr_mimebundle_()[0]["text/plain"] == data["text/plain"]
    assert base64.b64decode(live_figure._repr_mimebundle_()[0]["image/png"]) == png(draw(0))


def test_there_is_no_output_widget_and_labels_are_never_cut_off():
    live_figure = make(shown=selection_slider("shown", ["pixels", "map"]))
    every = [live_figure, *live_figure.children, *live_figure.children[0].children]
    assert not any(isinstance(widget, ipywidgets.Output) for widget in every)
    for control in live_figure.controls.values():
        assert control.description and control.style.description_width == "initial" and not control.disabled
    row, message, alt_text, picture = live_figure.children
    assert message is live_figure.message and picture is live_figure.picture
    assert "A picture that loses its patches" in alt_text.value
    assert slider("slow", 0, 3, 0, every_step=False).continuous_update is False
    assert live_figure.picture.tooltip is None  # JupyterLab shows an error in place of an Image that has one


@pytest.mark.parametrize(
    "control, value",
    [
        (slider("n", 1, 9, 4, step=2), 4),
        (dropdown("c", ["a", "b"]), "a"),
        (dropdown("c", {"first": 10, "second": 20}, 20), 20),
        (selection_slider("s", {"1": 1, "10": 10}, 10), 10),
        (selection_slider("s", [1, 10, 100]), 1),
        (dropdown("pairs", [(4, 4), (8, 8)]), (4, 4)),
        (selection_slider("triples", [(1, 2, 3), [4]], [4]), [4]),
        (dropdown("None", {"a": 1, "b": None}, None), None),
    ],
)
def test_controls_start_at_their_value_and_work_in_a_live_figure(control, value):
    assert control.value == value
    assert getattr(control, "continuous_update", True) is True
    assert isinstance(live(lambda v: plots.figure()[0], alt="x", v=control), LiveFigure)


def test_an_option_that_does_not_equal_itself_can_be_selected():
    values = [1.0, float("nan"), 2.0]
    control = dropdown("any", values, values[1])
    assert control.value is values[1]
    control.index = 2
    assert control.value == 2


# ---- one patch of a grid


def picked(live_figure):
    return bytes(live_figure.picture.value) == png(draw_mark(live_figure.controls["k"].value), small=False)


def draw_mark(k):
    return plots.patch_grid(IMAGE[:, :, :12], 4, mark=k)  # a grid of 4 x 3


def test_a_patch_is_picked_with_one_redraw():
    live_figure = live(draw_mark, alt="One patch", k=patch_picker("patch", (4, 3), 5))
    picker = live_figure.controls["k"]
    assert picker.value == 5 and picked(live_figure)
    for turn, patch in enumerate((11, 9, 0), start=2):
        picker.value = patch
        assert live_figure.draw_count == turn and picked(live_figure)


def test_only_patches_of_the_grid_can_be_picked():
    picker = patch_picker("patch", (2, 3))
    assert (picker.label, picker.rows, picker.columns, picker.value) == ("patch", 2, 3, 0)
    with pytest.raises(ValueError, match="patch 6 is not on a grid of 2 x 3: 0 to 5"):
        picker.value = 6
    for value in (6, -1):
        with pytest.raises(ValueError, match=f"patch {value} is not on a grid of 2 x 3: 0 to 5"):
            patch_picker("patch", (2, 3), value)


PICKER = """async (esm) => {
    const { default: { render } } = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    window.values = { label: "patch", rows: 2, columns: 3, value: 1 };
    const model = { get: (name) => values[name], set: (name, value) => (values[name] = value) };
    render({ model: { ...model, save_changes() {}, on() {}, off() {} }, el: document.body });
    document.querySelectorAll("[role=radio]")[1].focus();
}"""


@pytest.mark.slow
def test_keys_with_a_modifier_are_left_to_the_browser(browser):
    page = browser.new_page()
    page.evaluate(PICKER, str(patch_picker("patch", (2, 3))._esm))
    for key, value in (("ArrowRight", 2), ("Control+ArrowLeft", 2), ("Alt+ArrowLeft", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        assert page.evaluate("() => window.values.value") == value, key
    page.close()


def test_a_picker_alone_has_a_constant_text_and_a_png():
    data, _ = patch_picker("patch", (2, 3), 4)._repr_mimebundle_()
    assert data["text/plain"] == "[patch picker: patch]" and "application/vnd.jupyter.widget-view+json" in data
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width > 100


# ---- a slider that plays


def test_a_play_button_is_linked_to_its_slider():
    pieces = slider("pieces placed", 0, 16, 4, play=True)
    assert (pieces.play.value, pieces.play.min, pieces.play.max, pieces.play.step) == (4, 0, 16, 1)
    live_figure = live(lambda k: plots.patch_grid(IMAGE, 4, hidden=np.arange(16) >= k), alt="x", k=pieces)
    assert live_figure.children[0].children[0].children == (pieces, pieces.play)
    assert not hasattr(slider("k", 0, 3, 0), "play")


# ---- a file from the reader


def choose(control, content, name="file"):
    """Set the value of an upload as the browser does after a file was chosen."""
    description = {"name": name, "type": "", "size": len(content), "last_modified": datetime.datetime.now()}
    control.set_trait("value", ({**description, "content": memoryview(content)},))


def test_a_file_is_read_once_and_an_unusable_file_gives_a_plain_message():
    reads = []

    def read(data):
        reads.append(data)
        if b"bad" in data:
            raise ValueError("The file is <bad>.")
        return len(data)

    def draw_length(number, gain):
        return plots.patch_grid(np.full((3, 8, 8), min(number * gain, 255), np.uint8), 4)

    live_figure = live(
        draw_length, alt="x", number=file_upload("your file", read, start=3), gain=slider("gain", 1, 9, 2)
    )
    file, gain = live_figure.controls.values()
    assert live_figure.values() == {"number": 3, "gain": 2} and not reads
    choose(file, b"12345")
    assert live_figure.values() == {"number": 5, "gain": 2} and live_figure.last_error is None
    gain.value = 7
    assert bytes(live_figure.picture.value) == png(draw_length(5, 7), small=False)
    assert reads == [b"12345"] and isinstance(reads[0], bytes)
    choose(file, b"bad")
    assert isinstance(live_figure.last_error, ValueError)
    assert "The file is &lt;bad&gt;." in live_figure.message.value and "role='alert'" in live_figure.message.value
    assert "ValueError" not in live_figure.message.value and "line" not in live_figure.message.value.split(">", 1)[1]
    assert bytes(live_figure.picture.value) == png(draw_length(5, 7), small=False)  # the last picture stays
    gain.value = 8
    assert len(reads) == 2 and "The file is" in live_figure.message.value
    assert bytes(live_figure.picture.value) == png(
        draw_length(5, 8), small=False
    )  # of the last file that could be read
    choose(file, b"123")
    assert live_figure.last_error is None and live_figure.message.value == ""
    assert bytes(live_figure.picture.value) == png(draw_length(3, 8), small=False)
    file.set_trait("value", ())
    assert live_figure.values()["number"] == 3


def test_an_unexpected_error_in_reading_a_file_is_shown_with_its_type():
    live_figure = live(lambda x: plots.figure()[0], alt="x", x=file_upload("file", lambda data: [][1]))
    choose(live_figure.controls["x"], b"1")
    assert isinstance(live_figure.last_error, IndexError) and "IndexError" in live_figure.message.value


def test_without_a_read_function_the_value_is_the_bytes_of_the_file():
    control = file_upload("your file")
    assert control.result() is None and control.description == "your file" and not control.multiple
    choose(control, b"abc")
    assert control.result() == b"abc"


def test_draw_may_return_any_matplotlib_figure():
    def plain(k):
        fig = Figure(figsize=(1, 1))
        fig.add_subplot().plot([0, k])
        return fig

    live_figure = live(plain, alt="x", k=slider("k", 0, 3, 1))
    assert bytes(live_figure.picture.value) == png(plain(1), small=False)
    assert base64.b64decode(live_figure._repr_mimebundle_()[0]["image/png"]) == png(plain(1))


# ---- a curve during training


class Clock:
    """Stands for the module `time`."""

    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def shown(monkeypatch):
    """What is displayed and updated, as a list of outputs, and a clock."""
    outputs, clock = [], Clock()

    class Handle:
        def update(self, data, **options):
            outputs.append(data)

    def display(data, **options):
        assert options["raw"] and options["display_id"] and not outputs, "displayed once, then updated"
        outputs.append(data)
        return Handle()

    monkeypatch.setattr(training, "display", display)
    monkeypatch.setattr(training, "time", clock)
    return outputs, clock


def test_a_live_curve_appears_with_the_first_line_and_ends_with_the_last(shown):
    outputs, clock = shown
    with live_curve("loss", "accuracy", title="It falls") as curve:
        for step in range(10):
            clock.now += 0.3
            curve({"step": step, "loss": 1 / (step + 1)} | ({"accuracy": 0.5} if step % 4 == 3 else {}))
    assert {data["text/plain"] for data in outputs} == {"[live curve: loss, accuracy]"}
    assert curve.update_count == len(outputs) == 4  # at 0, 1.2 and 2.4 seconds, and at the end
    ys = [list(line.get_ydata()) for line in curve.figure().axes[0].lines]
    assert ys == [[1 / (step + 1) for step in range(10)], [0.5, 0.5]]
    assert base64.b64decode(outputs[-1]["image/png"]) == png(curve.figure())


@pytest.mark.parametrize("seconds", [0.01, 1.0, 60.0])
def test_a_live_curve_is_updated_at_most_once_a_second_and_100_times(shown, monkeypatch, seconds):
    outputs, clock = shown
    monkeypatch.setattr(training, "png", lambda figure: b"")
    monkeypatch.setattr(training.LiveCurve, "figure", lambda self: plots.Picture())
    with live_curve("loss") as curve:
        for step in range(3000):
            clock.now += seconds
            curve({"step": step, "loss": 1.0})
    assert 3 <= len(outputs) <= min(100, 3000 * seconds + 2)


def test_a_live_curve_is_drawn_after_an_interruption(shown):
    outputs, _ = shown
    with pytest.raises(KeyboardInterrupt), live_curve("loss") as curve:
        curve({"step": 0, "loss": 2.0})
        curve({"step": 1, "loss": 1.0})
        raise KeyboardInterrupt
    assert len(outputs) == 2 and list(curve.figure().axes[0].lines[0].get_ydata()) == [2, 1]


def test_a_live_curve_draws_the_numbers_of_any_line_and_never_stops_a_training(shown, monkeypatch, capsys):
    outputs, _ = shown
    with live_curve("accuracy", "loss", x="epoch") as curve:
        for epoch, loss in enumerate((torch.tensor(2.0, requires_grad=True), None, "low", torch.zeros(2), 1.0)):
            curve({"epoch": epoch, "loss": loss, "accuracy": {"0.5": 0.25, "0.75": 0.5}})
        curve({"step": 3})
    lines = curve.figure().axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[0.25] * 5, [0.5] * 5, [2.0, 1.0]]
    said = capsys.readouterr().out
    assert "loss is left out where it is no number, such as 'None'" in said and "a line without 'epoch'" in said
    monkeypatch.setattr(training, "png", lambda figure: 1 / 0)
    live_curve("loss")({"step": 1, "loss": 1.0})
    assert "the curve could not be drawn: ZeroDivisionError" in capsys.readouterr().out and len(outputs) == 2


def test_a_live_curve_without_names_is_refused():
    with pytest.raises(ValueError, match="no names"):
        live_curve()


def test_a_notebook_stores_the_last_state_of_a_live_curve():
    code = "from mp3lib.widgets import live_curve\nwith live_curve('loss') as curve:\n"
    code += "    for step in range(5):\n        curve({'step': step, 'loss': 5.0 - step})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert output.data["text/plain"] == "[live curve: loss]"
    curve = live_curve("loss")
    curve.lines = [{"step": step, "loss": 5.0 - step} for step in range(5)]
    assert base64.b64decode(output.data["image/png"]) == png(curve.figure())


def test_in_a_kernel_there_is_one_output_and_controls_redraw_it():
    """Neither redraws nor errors add an output to a cell."""
    cells = [
        "import numpy as np\nfrom mp3lib import plots\nfrom mp3lib.widgets import live, png, slider",
        "def draw(k):\n    return plots.patch_grid(np.zeros((3, 8, 8)), 4, mark=k)",
        "live_figure = live(draw, alt='One patch of four', k=slider('patch', 0, 4, 1))\nlive_figure",
        "for k in (0, 3):\n    live_figure.controls['k'].value = k\n"
        "    assert bytes(live_figure.picture.value) == png(draw(k), small=False) and live_figure.last_error is None",
        "live_figure.controls['k'].value = 4\nassert isinstance(live_figure.last_error, ValueError)\n"
        "live_figure.message.value",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 0, 1, 0, 1]
    (output,) = notebook.cells[2].outputs
    assert output.data["text/plain"] == "[live figure: k]"
    assert base64.b64decode(output.data["image/png"]) == png(plots.patch_grid(np.zeros((3, 8, 8)), 4, mark=1))
    assert output.metadata["image/png"]["alt"] == "One patch of four"
    assert "mark holds 4; expected 0 to 3" in notebook.cells[4].outputs[0].data["text/plain"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        *(
            (lambda bad=bad: slider("l", 0, 3, bad), "must be whole numbers, step 1 or more")
            for bad in (None, "1", 0.5, True)
        ),
        (lambda: slider("l", 0, 3, 10**30), "must be whole numbers, step 1 or more"),
        (lambda: slider("l", 0, 3, 1, step=0), "must be whole numbers, step 1 or more"),
        (lambda: slider("l", 3, 0, 1), "must lie between low and high, got 1, from 3 to 0"),
        (lambda: slider("l", 0, 3, 4), "must lie between low and high, got 4"),
        (lambda: slider(5, 0, 3, 1), "the label of a control must be a string, got 5"),
        (lambda: slider("l", 0, 3, 1, every_step="x"), "expected a boolean"),
        *((lambda bad=bad: dropdown("l", bad), "with at least one, got") for bad in ([], {}, None, 3)),
        (lambda: dropdown(None, ["a"]), "the label of a control must be a string, got None"),
        (lambda: dropdown("l", ["a"], value="b"), r"value must be one of the options, \['a'\], got 'b'"),
        (lambda: selection_slider("l", ["a"], value=None), r"value must be one of the options, \['a'\], got None"),
        (lambda: live(draw, alt="a", percent=3), "percent must be a control, such as slider.*got 3"),
        (lambda: live(draw, alt=None), "alt must say what the figure shows, in a sentence, got None"),
        (lambda: selection_slider("l", []), "with at least one, got"),
        (lambda: file_upload("l", read=3), "read must be a function of the bytes of a file, got 3"),
        (lambda: file_upload(3), "the label of a control must be a string, got 3"),
        (lambda: patch_picker("l", 4), "expected an int, not the NoneType|whole number"),
        (lambda: patch_picker(4, (2, 2)), "expected a unicode string, not the int 4"),
        (lambda: png("x"), "a figure of Matplotlib is needed, got 'x'"),
        (lambda: shown_width(None), "a figure of Matplotlib is needed, got 'None'"),
        (lambda: plots.to_picture(np.full((3, 8, 8), "x")), "an image must hold numbers, got <U1"),
        (lambda: plots.to_picture(torch.zeros(3, 8, 8, device="meta")), "a dense tensor with values is needed"),
        (lambda: plots.to_picture(torch.zeros(3, 8, 8).to_sparse()), "a dense tensor with values is needed"),
    ],
)
def test_what_is_no_control_or_figure_is_refused_in_a_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_whole_numbers_of_numpy_are_taken():
    assert slider("l", np.int64(0), np.int64(3), np.int64(1)).value == 1

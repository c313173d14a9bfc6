"""The figures: what they show, their errors, and that a kernel displays each figure once."""

import base64
import io
import subprocess
import sys
import threading
import time
from functools import partial

import matplotlib
import nbclient
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from mp3lib import plots

RNG = np.random.default_rng(0)
SQUARE = RNG.integers(0, 256, (3, 32, 32), dtype=np.uint8)
WIDE = RNG.integers(0, 256, (3, 16, 48), dtype=np.uint8)
CONTEXT = [0, 3, 5, 6, 12]
HIDDEN = np.isin(np.arange(16), CONTEXT, invert=True)
WEIGHTS = RNG.dirichlet(np.ones(5), 3)


def pixels(fig):
    return np.asarray(Image.open(io.BytesIO(fig.png())).convert("RGB"))


def painted(fig):
    """The arrays of all images in a figure, in the order in which they are drawn."""
    return [np.asarray(image.get_array()) for ax in fig.axes for image in ax.images]


FIGURES = {
    "image_grid": lambda: plots.image_grid([SQUARE] * 10, ["a name that needs two lines"] * 10, 4, "A finding"),
    "patch_grid": lambda: plots.patch_grid(SQUARE, 8, HIDDEN, True, "A longer finding, in two lines", mark=3),
    "patch_grid, wide": lambda: plots.patch_grid(WIDE, (4, 12), numbers=True, title="Not square"),
    "mask_strip": lambda: plots.mask_strip([WIDE, WIDE], 8, RNG.random((5, 12)) < 0.5, ["a mask"] * 5, "x"),
    "jigsaw_boards": lambda: plots.jigsaw_boards(
        [SQUARE] * 4, 8, ["one"] * 4, [HIDDEN] * 4, [~HIDDEN] * 4, title="A", beside=1
    ),
    "heat_maps": lambda: plots.heat_maps(RNG.random((9, 4, 6)), marks=range(9), title="A finding", label="similarity"),
    "heat_maps, one": lambda: plots.heat_maps(RNG.normal(size=(8, 8)), hidden=RNG.random(64) < 0.5, size=2),
    "matrix": lambda: plots.matrix(WEIGHTS, "A finding", "key", "query", 0, 1, annotate=True, label="attention"),
    "matrix, named": lambda: plots.matrix(np.eye(9), "x", "p", "t", row_labels=["name"] * 9, col_labels=["class"] * 9),
    "matrix, large": lambda: plots.matrix(RNG.normal(size=(64, 64)), "A finding", "patch", "patch"),
    "curves": lambda: plots.curves(
        {"one": ([1, 2, 3], [3, 2, 1]), "two": ([1, 2, 3], [[3, 2, 1.01], [3, 1, 1.02]])}, "x", "y", "T", {"c": 1.0}
    ),
    "curves, log": lambda: plots.curves({"one": (range(50), np.exp(-np.arange(50) / 9))}, logy=True, title="A finding"),
    "bars": lambda: plots.bars({"scratch": [0.5, 0.6], "MP3": 0.7}, "accuracy", "A finding", {"chance": 0.1}, "MP3"),
    "predicted": lambda: plots.predicted_positions(SQUARE, 8, RNG.integers(0, 16, 16), CONTEXT, "A finding"),
    "predicted, wide": lambda: plots.predicted_positions(WIDE, 8, np.arange(12)[::-1]),
    "attention, a result": lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7, size=1, result=SQUARE),
    "heat_maps, room beside": lambda: plots.heat_maps(np.eye(4), marks=[0], beside=2.0),
    "attention": lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7, title="A finding"),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_keeps_its_texts_inside_and_is_small(name):
    fig = FIGURES[name]()
    assert isinstance(fig, Figure)
    data = fig.png()
    assert len(data) < 130_000 and data[:4] == b"\x89PNG"  # noise; photographs take a third of this
    width, height = Image.open(io.BytesIO(data)).size
    assert width <= 960
    box = fig.get_tightbbox()  # of everything visible, in inches
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width / 100 + 0.02 and box.y1 < height / 100 + 0.02


def test_the_same_input_gives_the_same_bytes_and_photographs_keep_their_pixels():
    draw = FIGURES["predicted, wide"]
    assert draw().png() == draw().png()
    exact = np.asarray(Image.open(io.BytesIO(draw().png(small=False))))
    assert (pixels(draw()) == exact).all()
    chart = FIGURES["curves"]()
    assert len(chart.png()) < 0.5 * len(chart.png(small=False))


def test_pyplot_is_not_imported():
    code = "import sys, mp3lib.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_style_does_not_leak():
    import matplotlib

    before = dict(matplotlib.rcParams)
    FIGURES["curves"]().png()
    assert dict(matplotlib.rcParams) == before
    with plots.style():
        assert matplotlib.rcParams["axes.grid"] and not before["axes.grid"]


# ---- to_picture, reassemble


def test_to_picture_accepts_every_form():
    hwc = SQUARE.transpose(1, 2, 0)
    for form in (SQUARE, hwc, torch.from_numpy(SQUARE), SQUARE.astype(np.int64), SQUARE / 127.5 - 1, SQUARE.tolist()):
        assert (plots.to_picture(form) == hwc).all()
    floats = (torch.from_numpy(SQUARE) / 127.5 - 1).requires_grad_()
    assert (plots.to_picture(floats) == hwc).all()
    assert plots.to_picture(torch.zeros(3, 2, 2, dtype=torch.bfloat16)).tolist() == [[[128] * 3] * 2] * 2
    assert plots.to_picture([[-1.0, 1.0]]).tolist() == [[[0] * 3, [255] * 3]]
    assert plots.to_picture(np.full((1, 4, 5), 1.0009)).max() == 255
    assert plots.to_picture(np.zeros((4, 5, 1), np.uint8)).shape == (4, 5, 3)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((2, 4, 4)), r"shape \(2, 4, 4\)"),
        (np.zeros(4), r"shape \(4,\)"),
        (np.full((3, 4, 4), 2.0), "from 2 to 2; expected -1 to 1"),
        (np.full((3, 4, 4), np.nan), "from nan to nan"),
        (np.full((3, 4, 4), 256), "from 256 to 256; expected 0 to 255"),
        (np.full((3, 4, 4), -1), "from -1 to -1; expected 0 to 255"),
    ],
)
def test_to_picture_raises_an_error_for_other_shapes_and_ranges(image, message):
    with pytest.raises(ValueError, match=message):
        plots.to_picture(image)


def test_reassemble_reorders_patches():
    order = RNG.permutation(8)
    shuffled = plots.reassemble(WIDE, (8, 12), order)
    for place, patch in enumerate(order):
        (r, c), (pr, pc) = divmod(place, 4), divmod(int(patch), 4)
        there = shuffled[r * 8 : r * 8 + 8, c * 12 : c * 12 + 12]
        assert (there == plots.to_picture(WIDE)[pr * 8 : pr * 8 + 8, pc * 12 : pc * 12 + 12]).all()
    assert (plots.reassemble(shuffled, (8, 12), np.argsort(order)) == plots.to_picture(WIDE)).all()
    assert (plots.reassemble(SQUARE, 16, [-1, 1, 1, 3])[:16, :16] == 0xDC).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: plots.reassemble(SQUARE, 16, [0, 1, 2, 4]), "order holds 4; expected -1 to 3"),
        (lambda: plots.reassemble(SQUARE, 16, [0, 1, 2]), "order has length 3; expected 4"),
        (lambda: plots.patch_grid(SQUARE, 5), "5 x 5 pixels do not divide an image of 32 x 32"),
        (lambda: plots.patch_grid(WIDE, (8, 5)), "8 x 5 pixels do not divide an image of 16 x 48"),
        (lambda: plots.patch_grid(SQUARE, 8, hidden=[True] * 15), "hidden has length 15; expected 16"),
        (lambda: plots.patch_grid(SQUARE, 8, mark=16), "mark holds 16; expected 0 to 15"),
        (lambda: plots.image_grid([SQUARE, WIDE]), "images have sizes"),
        (lambda: plots.image_grid([]), "expected at least one"),
        (lambda: plots.image_grid([SQUARE], ["a", "b"]), "got 2 texts; expected 1"),
        (lambda: plots.mask_strip([SQUARE], 8, np.ones((4, 9))), r"\(1, 4, 9\); expected \(1, masks, 16\)"),
        (lambda: plots.jigsaw_boards([SQUARE], 8, wrong=[[True] * 15]), "wrong has length 15; expected 16"),
        (
            lambda: plots.jigsaw_boards([SQUARE] * 2, 8, empty=[[True] * 32]),
            "empty has flags for 1 pictures; expected 2",
        ),
        (lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7, result=WIDE), "sizes"),
        (lambda: plots.heat_maps(np.ones(4)), r"values has shape \(4,\)"),
        (lambda: plots.heat_maps(np.ones((2, 2)), marks=[4]), "marks holds 4"),
        (lambda: plots.matrix(np.ones(4)), r"values has shape \(4,\)"),
        (lambda: plots.matrix(np.eye(3), row_labels=["a"]), "got 1 texts; expected 3"),
        (lambda: plots.curves({"line": ([1, 2], [1, 2, 3])}), "'line' has 2 x values"),
        (lambda: plots.predicted_positions(SQUARE, 8, range(15)), "predicted has length 15"),
        (lambda: plots.predicted_positions(SQUARE, 8, [16] * 16), "predicted holds 16"),
        (lambda: plots.predicted_positions(SQUARE, 8, range(16), [-1]), "context holds -1"),
        (lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT[1:], 0), r"\(3, 5\); expected \(heads, 4\)"),
        (lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 16), "query holds 16"),
    ],
)
def test_bad_arguments_raise_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- what the figures show


def other_pixels_in(image, patches, side):
    """A copy of the image with other pixels in the given patches."""
    changed = image.copy()
    for i in patches:
        r, c = divmod(int(i), image.shape[2] // side)
        changed[:, r * side : r * side + side, c * side : c * side + side] ^= 0xFF
    return changed


def test_hidden_patches_show_nothing_of_the_image_and_the_others_do():
    hidden = np.flatnonzero(HIDDEN)
    query = hidden[0]
    for draw, unseen in [
        (lambda image: plots.patch_grid(image, 8, HIDDEN), hidden),
        (lambda image: plots.mask_strip([image], 8, [HIDDEN, HIDDEN]), hidden),
        (lambda image: plots.attention_over_image(image, 8, WEIGHTS, CONTEXT, query), hidden[1:]),
    ]:
        assert draw(SQUARE).png() == draw(other_pixels_in(SQUARE, unseen, 8)).png()
        assert draw(SQUARE).png() != draw(other_pixels_in(SQUARE, CONTEXT[:1], 8)).png()


def test_hidden_patches_of_an_image_that_is_not_square():
    flags = np.isin(np.arange(12), [1, 2, 7, 11])
    changed = other_pixels_in(WIDE, [1, 2, 7, 11], 8)
    for draw in (
        lambda image: plots.patch_grid(image, 8, flags),
        lambda image: plots.mask_strip([image], 8, [flags, flags]),
        lambda image: plots.attention_over_image(image, 8, np.ones((2, 8)) / 8, np.flatnonzero(~flags), 0),
    ):
        assert draw(WIDE).png() == draw(changed).png()


def test_hidden_patches_are_where_they_should_be():
    black = np.zeros((3, 16, 24), np.uint8)
    fig = plots.patch_grid(black, 8, hidden=[True, False, False, False, False, True], size=2.4)
    shown = pixels(fig)[16:176, 16:256].reshape(2, 80, 3, 80, 3).mean((1, 3, 4))  # margin 16; 10 pixels for each
    assert ((shown > 150) == [[True, False, False], [False, False, True]]).all()


def test_images_are_drawn_unchanged():
    assert (painted(plots.image_grid([SQUARE]))[0] == plots.to_picture(SQUARE)).all()
    first = painted(plots.predicted_positions(SQUARE, 8, range(16)))
    assert (
        (first[0] == plots.to_picture(SQUARE)).all() and (first[1] == first[0]).all() and (first[2] == first[0]).all()
    )


def test_predicted_positions_averages_patches_at_one_position_and_counts_right_ones():
    image = np.zeros((3, 16, 16), np.uint8)
    image[:, :8, :8], image[:, :8, 8:] = 100, 50
    fig = plots.predicted_positions(image, 8, [3, 3, 2, 1])
    second = painted(fig)[1]
    assert (second[8:, 8:] == 75).all() and (second[8:, :8] == 0).all()
    assert any(text.get_text() == "1 of 4 are right" for text in fig.axes[0].texts)
    (arrows,) = [artist for artist in fig.axes[0].collections if hasattr(artist, "U")]
    assert len(arrows.U) == 3
    side = plots.predicted_positions(image, 8, [1, 0, 3, 2])
    (arrows,) = [artist for artist in side.axes[0].collections if hasattr(artist, "U")]
    assert arrows.U[0] > 0 > arrows.U[1] and not arrows.V.any()


def test_attention_does_not_depend_on_the_order_of_the_context():
    order = RNG.permutation(5)
    one = plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7)
    two = plots.attention_over_image(SQUARE, 8, WEIGHTS[:, order], np.array(CONTEXT)[order], 7)
    assert one.png() == two.png()
    heat = painted(one)[2].reshape(-1)
    assert np.allclose(heat[CONTEXT], WEIGHTS[0])


def test_jigsaw_boards_frame_wrong_positions_and_hatch_empty_ones():
    wrong, empty = np.zeros((5, 12), bool), np.zeros((5, 12), bool)
    wrong[4, 10] = empty[1, 0] = True
    five = [other_pixels_in(WIDE, [i], 8) for i in range(5)]
    fig = plots.jigsaw_boards(
        five, (8, 8), list("abcde"), wrong, list(torch.from_numpy(empty)), columns=3, title="Five"
    )
    shown = painted(fig)
    assert all((one == plots.to_picture(image)).all() for one, image in zip(shown, five, strict=True))
    [frame] = [p for p in fig.axes[0].patches if p.get_linewidth() == 2]
    left, right, bottom, top = fig.axes[0].images[4].get_extent()
    (x0, y0), (x1, y1) = frame.get_path().get_extents().get_points()
    cell, row, column = (right - left) / 6, 10 // 6, 10 % 6
    assert left + column * cell < x0 < x1 < left + (column + 1) * cell
    assert top + row * cell < y0 < y1 < top + (row + 1) * cell
    changed = [five[0], other_pixels_in(five[1], [0], 8), *five[2:]]
    again = plots.jigsaw_boards(changed, (8, 8), list("abcde"), wrong, empty, columns=3, title="Five")
    assert again.png() == fig.png()  # an empty position shows nothing of the image
    assert plots.jigsaw_boards(five, (8, 8), list("abcde"), None, empty, columns=3, title="Five").png() != fig.png()


def test_a_result_is_drawn_after_the_heads_without_hatching():
    other = RNG.integers(0, 256, (3, 32, 32)).astype(np.uint8)
    draw = partial(plots.attention_over_image, SQUARE, 8, WEIGHTS, CONTEXT, 7, titles=list("abcd"))
    fig = draw(result=other)
    shown = painted(fig)
    assert sum((one == plots.to_picture(other)).all() for one in shown if one.shape == (32, 32, 3)) == 1
    for patch in np.setdiff1d(np.arange(16), CONTEXT):  # all patches of the result show
        changed = other_pixels_in(other, [patch], 8)
        assert draw(result=changed).png() != fig.png()


def test_heat_maps_share_one_colour_range():
    values = RNG.random((3, 4, 4))
    fig = plots.heat_maps(values, vmin=0, vmax=2)
    assert {image.get_clim() for image in fig.axes[0].images} == {(0, 2)}
    assert all((shown == value).all() for shown, value in zip(painted(fig), values, strict=False))
    assert plots.heat_maps(np.zeros((2, 2))).png()  # constant values and NaN alone are no error
    assert plots.heat_maps(np.full((2, 2), np.nan)).png()


def test_bars_show_means_and_names_of_curves_do_not_overlap():
    fig = plots.bars({"a": [1, 2], "b": torch.tensor(4.0)}, levels={"chance": 3}, highlight="a")
    assert [bar.get_width() for bar in fig.axes[0].patches] == [1.5, 4]
    assert [text.get_text() for text in fig.axes[0].texts] == ["1.50", "4.00", "chance"]
    fig = plots.curves({f"line {i}": ([0, 1], [0, 1 + i / 1000]) for i in range(8)}, levels={"chance": 1})
    fig.png()
    boxes = sorted((text.get_window_extent() for text in fig.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 9 and all(low.y1 <= high.y0 + 2 for low, high in zip(boxes, boxes[1:], strict=False))


def test_curves_use_given_colours_and_name_a_short_line_at_its_end():
    lines = {"short": ([0, 4], [1, 2]), "long": ([0, 9], [1, 3])}
    fig = plots.curves(lines, levels={"chance": 0, "floor": 1}, colors={"long": plots.GREEN, "floor": plots.GREEN})
    drawn = [line.get_color() for line in fig.axes[0].lines]
    assert drawn == [plots.BLUE, plots.GREEN, plots.MUTED, plots.GREEN]
    places = {text.get_text(): text.xy for text in fig.axes[0].texts}
    assert places["short"] == (4, 2) and places["long"][0] == places["floor"][0] == 1


def test_margins_in_inches_need_no_layout_engine():
    fig, (left, right) = plots.figure(6, 3, columns=2, margins=(0.5, 0.2, 0.6, 0.3), gap=0.9, width_ratios=(1, 2))
    assert fig.get_layout_engine() is None
    (x0, y0, w0, h0), (x1, _, w1, _) = (ax.get_position().bounds for ax in (left, right))
    assert np.allclose([6 * x0, 3 * y0, 3 * (y0 + h0), 6 * (x1 + w1)], [0.5, 0.6, 2.7, 5.8])
    assert np.isclose(6 * (x1 - x0 - w0), 0.9) and np.isclose(w1, 2 * w0)


def test_patch_grid_draws_on_given_axes():
    fig, (left, right) = plots.figure(6, 3, columns=2, title="Two")
    assert plots.patch_grid(SQUARE, 8, ax=left, numbers=True, title="one") is fig
    plots.patch_grid(WIDE, 8, ax=right, hidden=np.ones(12))
    assert fig.alt == "Two" and fig.png()


# ---- in a kernel


def test_a_figure_displays_once_with_alt_text():
    draw = "plots.patch_grid(np.zeros((3, 8, 8)), 4, title='All is black')"
    turns = ["import numpy as np\nfrom mp3lib import plots", "import matplotlib.pyplot", "%matplotlib inline"]
    cells = [nbformat.v4.new_code_cell(code) for turn in turns for code in (turn, draw, "1 + 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    here = plots.patch_grid(np.zeros((3, 8, 8)), 4, title="All is black")
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 1, 1] * 3
    for cell in notebook.cells[1::3]:
        (output,) = cell.outputs
        assert set(output.data) == {"text/plain", "image/png"} and output.data["text/plain"] == "<Figure>"
        assert output.metadata["image/png"]["alt"] == "All is black"
        assert base64.b64decode(output.data["image/png"]) == here.png()


def test_the_style_of_one_thread_never_stays_behind_in_another():
    """Some versions of ipykernel run a slider's callback while the cell is still drawing."""
    before, inside = dict(matplotlib.rcParams), threading.Event()

    def cell():
        with plots.style():
            inside.set()
            time.sleep(0.05)

    def callback():
        inside.wait(5)
        with plots.style():
            time.sleep(0.1)

    threads = [threading.Thread(target=work) for work in (cell, callback)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict(matplotlib.rcParams) == before

"""The figures: what they show, their errors, and that a kernel displays each figure once."""

import base64
import io
import subprocess
import sys
import threading
from functools import partial

import matplotlib
import nbclient
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from mp3lib import plots
from mp3lib.plots import theme
from mp3lib.plots.quick_text import QuickRenderer
from mp3lib.widgets.training import LiveCurve

RNG = np.random.default_rng(0)
SQUARE = RNG.integers(0, 256, (3, 32, 32), dtype=np.uint8)
WIDE = RNG.integers(0, 256, (3, 16, 48), dtype=np.uint8)
CONTEXT = [0, 3, 5, 6, 12]
HIDDEN = np.isin(np.arange(16), CONTEXT, invert=True)
WEIGHTS = RNG.dirichlet(np.ones(5), 3)


def pixels(fig):
    return np.asarray(Image.open(io.BytesIO(fig.png())).convert("RGBA").convert("RGB"))


def painted(fig):
    """The arrays of all images in a figure, in the order in which they are drawn."""
    return [np.asarray(image.get_array()) for ax in fig.axes for image in ax.images]


FIGURES = {
    "image_grid": lambda: plots.image_grid([SQUARE] * 10, ["a name that needs two lines"] * 10, 4, "A finding"),
    "patch_grid": lambda: plots.patch_grid(SQUARE, 8, HIDDEN, True, "A longer finding, in two lines", mark=3),
    "patch_grid, wide": lambda: plots.patch_grid(WIDE, (4, 12), numbers=True, title="Not square"),
    "mask_strip": lambda: plots.mask_strip([WIDE, WIDE], 8, RNG.random((5, 12)) < 0.5, ["a mask"] * 5, "x"),
    "jigsaw_boards": lambda: plots.jigsaw_boards(
        [SQUARE] * 4, 8, ["one"] * 4, [HIDDEN] * 4, [~HIDDEN] * 4, title="A"
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
    "curve_panels": lambda: plots.curve_panels(
        {"loss": {"a": ([1, 2], [3.0, 2.0]), "b": ([1, 2, 3], [3, 2, np.nan])}, "top-1": {"b": ([3], [0.5])}}, "epoch"
    ),
    "curve_panels, many": lambda: plots.curve_panels({"loss": {f"run {i}": ([1, 2], [i, 2]) for i in range(12)}}),
    "bars": lambda: plots.bars({"scratch": [0.5, 0.6], "MP3": 0.7}, "accuracy", "A finding", {"chance": 0.1}, "MP3"),
    "predicted": lambda: plots.predicted_positions(SQUARE, 8, RNG.integers(0, 16, 16), CONTEXT, "A finding"),
    "predicted, wide": lambda: plots.predicted_positions(WIDE, 8, np.arange(12)[::-1]),
    "attention, a result": lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7, size=1, result=SQUARE),
    "map_and_row": lambda: plots.map_and_row(RNG.normal(size=(8, 8)), 27, "A finding", "similarity", "column", -1, 1),
    "map_and_row, low": lambda: plots.map_and_row(RNG.random((2, 9)), 17),
    "attention": lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7, title="A finding"),
}  # fmt: skip


LONG = "a label that says a great deal about what can be seen here and therefore needs several lines, andsomelongword"
LONG_TEXTS = {
    "image_grid": lambda: plots.image_grid([SQUARE] * 9, [LONG] * 9, title=LONG),
    "patch_grid": lambda: plots.patch_grid(SQUARE, 8, title=LONG),
    "mask_strip": lambda: plots.mask_strip([SQUARE], 8, [HIDDEN] * 3, [LONG] * 3, LONG),
    "heat_maps": lambda: plots.heat_maps(RNG.random((3, 4, 4)), [LONG] * 3, title=LONG, label=LONG),
    "map_and_row": lambda: plots.map_and_row(RNG.random((4, 4)), 3, LONG, LONG, LONG),
    "matrix": lambda: plots.matrix(
        RNG.random((3, 4)), LONG, LONG, LONG, row_labels=[LONG] * 3, col_labels=[LONG] * 4, label=LONG
    ),
    "curves": lambda: plots.curves(
        {LONG: ([1, 2], [3, 2]), "b" + LONG: ([1, 2], [1, 2])}, LONG, LONG, LONG, {"c" + LONG: 2}
    ),
    "curves, short line": lambda: plots.curves({"ends early": ([0, 1], [1, 2]), "b": ([0, 9], [1, 3])}, title=LONG),
    "curve_panels": lambda: plots.curve_panels(
        {LONG: {LONG: ([1, 2], [3, 2]), "b" + LONG: ([0.5, 2], [3, 2])}, "b" + LONG: {LONG: ([1], [1])}}, LONG, LONG
    ),
    "bars": lambda: plots.bars({LONG: 0.5, "b": [0.2, 0.3]}, LONG, LONG, {LONG: 0.3}),
    "scatter": lambda: plots.scatter(
        [0, 1, 2], [0, 1, 0.5], [LONG] * 3, ["one", "two", "three"], LONG, LONG, LONG, links=[[0, 1, 2]]
    ),
    "jigsaw_boards": lambda: plots.jigsaw_boards([SQUARE] * 2, 8, [LONG] * 2, title=LONG),
    "jigsaw_step": lambda: plots.jigsaw_step(SQUARE, 8, range(16), range(16), 3, title=LONG),
    "predicted_positions": lambda: plots.predicted_positions(SQUARE, 8, range(16), title=LONG, titles=[LONG] * 3),
    "attention_over_image": lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7, [LONG] * 3, LONG),
    "heat_over_image": lambda: plots.heat_over_image(SQUARE, 8, RNG.random((2, 16)), titles=[LONG] * 2, label=LONG),
    "attention_by_layer": lambda: plots.attention_by_layer(SQUARE, 8, WEIGHTS[None], CONTEXT, 7, title=LONG),
    "attention_schematic": lambda: plots.attention_schematic(SQUARE, 8, 5, CONTEXT, [0.2] * 5, title=LONG),
    "vit_schematic": lambda: plots.vit_schematic(WIDE, 8, [LONG] * 9, 12, 3, title=LONG),
    "mp3_schematic": lambda: plots.mp3_schematic(SQUARE, 8, CONTEXT, RNG.permutation(16), title=LONG),
    "figure": lambda: plots.figure(3, 2, title=LONG)[0],
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_keeps_its_texts_inside_and_is_small(name):
    fig = FIGURES[name]()
    assert isinstance(fig, Figure)
    data = fig.png()
    assert len(data) < 160_000 and data[:4] == b"\x89PNG"  # noise; photographs take a third of this
    assert Image.open(io.BytesIO(data)).size == tuple(2 * side for side in fig.shown)  # sharp on high-density screens
    assert fig.shown[0] <= 960
    assert_nothing_is_cut(fig)


def assert_nothing_is_cut(fig):
    box = fig.get_tightbbox()  # of everything visible, in inches
    width, height = fig.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02


@pytest.mark.parametrize("name", LONG_TEXTS)
def test_long_labels_are_not_cut_at_the_edge(name):
    fig = LONG_TEXTS[name]()
    assert fig.png()
    assert_nothing_is_cut(fig)


def test_every_public_figure_is_drawn_with_long_labels():
    helpers = {"Picture", "reassemble", "style", "to_picture"}
    public = {name for name in plots.__all__ if not name.isupper()} - helpers
    assert public == {name.partition(",")[0] for name in LONG_TEXTS}


def test_stored_pictures_look_like_exact_ones():
    draw = FIGURES["predicted, wide"]
    assert draw().png() == draw().png()
    noise = FIGURES["image_grid"]  # more colours than a palette has room for
    by_pillow, quick = (Image.open(io.BytesIO(noise().png(small=small))) for small in (True, False))
    assert (np.asarray(by_pillow.convert("RGBA")) == np.asarray(quick)).all()
    photograph = np.add.outer(np.arange(32), np.arange(32))[None] * np.array([3, 2, 1])[:, None, None] + 20
    for fig in (plots.patch_grid(photograph, 8, HIDDEN, True), FIGURES["curves"](), FIGURES["attention"]()):
        exact = np.asarray(Image.open(io.BytesIO(fig.png(small=False))))[..., :3].astype(int)
        assert np.abs(pixels(fig) - exact).mean() < 1.2 and np.abs(pixels(fig) - exact).max() < 40
    chart = FIGURES["curves"]()
    assert len(chart.png()) < 0.5 * len(chart.png(small=False))


def test_texts_are_drawn_as_matplotlib_draws_them_each_text_once(monkeypatch):
    """Anywhere, turned, pale, over colours, as a formula, as spaces: less than two pixels from its place."""
    texts = ["jagged", "two\nlines ", "  ", "$x^2$ m", "50\N{MINUS SIGN}1"]

    def drawn(renderer, seed):
        chance = np.random.default_rng(seed)
        fig = Figure((3, 2), dpi=200, facecolor="0.8")
        for x, y, angle in chance.uniform((0.1, 0.1, -90), (0.8, 0.9, 90), (8, 3)):
            fig.text(x, y, chance.choice(texts), rotation=chance.choice([0, 90, angle]), color="#903020",
                     alpha=chance.choice([None, 0.4]), fontsize=chance.choice([8, 12]), va="center")  # fmt: skip
        agg = renderer(600, 400, 200)
        fig.draw(agg)
        return np.asarray(agg.buffer_rgba())[..., :3].astype(float)

    def blurred(picture):
        return sum(np.roll(picture, (dy, dx), (0, 1)) for dy in range(-2, 3) for dx in range(-2, 3)) / 25

    for seed in range(20):
        expected, quick = drawn(RendererAgg, seed), drawn(QuickRenderer, seed)
        assert expected.min() < 100 and np.abs(blurred(expected) - blurred(quick)).max() < 40, (
            seed
        )  # two pixels off: 57
        assert (drawn(QuickRenderer, seed) == quick).all(), "the same from the memory"
    texts.remove("$x^2$ m")  # formulas are not remembered
    first = drawn(QuickRenderer, 20)
    monkeypatch.setattr(RendererAgg, "draw_text", None)  # it draws what is not remembered
    assert (drawn(QuickRenderer, 20) == first).all()


def test_inks_are_readable_on_the_paper_and_the_paper_does_not_glare():
    for color in (plots.INK, plots.MUTED, *map(theme.readable, (plots.BLUE, plots.ORANGE, plots.SKY, plots.PURPLE))):
        assert theme.contrast(color, plots.PAPER) >= 4.5
    assert theme.contrast("white", "black") == pytest.approx(21)
    assert plots.figure()[0].get_facecolor() == to_rgba(plots.PAPER) and theme.contrast(plots.PAPER, "#111111") < 16


def widgets_curve():
    """The figure of a training that is watched."""
    curve = LiveCurve(("loss",), "step", "The loss falls", "loss (nats)", {"chance": 2.8})
    curve.lines += [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}]
    return curve.figure()


def test_plot_areas_are_large():
    charts = [
        plots.bars({"a": 1.0}, "x", "A finding", {"chance": 0.5}),
        plots.bars({LONG: 1.0, "b": 0.2}, "x", "A finding"),
        plots.curves({LONG: ([1, 2], [3, 2])}, "x", "y", "T", {"c": 1.0}),
        plots.bars({"a": 1.0}, LONG, LONG, {"chance": 0.5}, width=7.4),
        plots.curves({"a": ([1, 2], [3, 2])}, LONG, LONG, LONG, {LONG: 1.0}),
        plots.scatter([0, 1], [0, 1], ["one", "two"], ["g", "h"], title=LONG),
        plots.curve_panels({LONG: {LONG: ([1, 2], [3, 2])}, "b": {"c": ([1], [1])}}, LONG, LONG),
        widgets_curve(),
    ]
    for fig in charts:
        fig.png()
        area = fig.axes[0].get_window_extent().transformed(fig.dpi_scale_trans.inverted())
        assert area.width * theme.SCREEN >= 400 and area.height * theme.SCREEN >= 220


@pytest.mark.parametrize("rows, columns", [(3, 3), (9, 9), (64, 64), (8, 4), (2, 4), (1, 5), (40, 3), (3, 40)])
def test_matrices_fill_the_page(rows, columns):
    """At least 400 x 220 screen pixels; square cells in a square matrix, and wide ones where it has few columns."""
    labels = [f"layer 1, head {i}" for i in range(rows)]
    fig = plots.matrix(np.zeros((rows, columns)), "A finding", row_labels=labels, label="attention")
    left, right, bottom, top = fig.axes[0].images[0].get_extent()
    assert right - left >= 4 and bottom - top >= 2.2 and fig.shown[0] <= 770
    if rows == columns:
        assert right - left == pytest.approx(bottom - top)
    elif rows < 40:
        assert fig.shown[0] >= 700


def test_wrapped_lines_fit_and_have_about_the_same_length():
    text = "The network puts thirteen of sixteen patches in the right place in this picture of a horse"
    for inches in (2, 3, 4, 5):
        lines = theme.wrap(text, inches, 10.5, "bold").split("\n")
        widths = [theme.inches_of(line, 10.5, "bold") for line in lines]
        assert max(widths) <= inches and " ".join(lines) == text
        assert widths[-1] > 0.5 * max(widths), lines
    assert theme.wrap("short", 3, 9) == "short" and theme.wrap("one\ntwo", 3, 9) == "one\ntwo"
    assert max(theme.inches_of(line, 9) for line in theme.wrap("x" * 80, 1, 9).split("\n")) <= 1.02


def test_pictures_are_large_where_there_are_few():
    for count, least in ((1, 380), (2, 340), (3, 220), (6, 220), (8, 200), (40, 64)):
        fig = plots.image_grid([SQUARE] * count)
        left, right, _, _ = fig.axes[0].images[0].get_extent()
        assert 100 * (right - left) >= least and fig.shown[0] <= 880
    assert plots.image_grid([SQUARE], size=0.5).axes[0].images[0].get_extent()[1] < 1


def test_hidden_patches_are_lighter_than_patches_with_no_attention():
    for shade in (0, 255):
        image = np.full((3, 32, 32), shade, np.uint8)
        fig = plots.attention_over_image(image, 8, [[1, 0, 0, 0, 0]], CONTEXT, 7)
        grey = painted(fig)[1]  # the copy below the heat map
        assert grey.max() < 190  # hidden patches have 220, and hatching


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
        (lambda: plots.reassemble(SQUARE, 16, [0.9, 1.9, 2.9, 3.9]), "order holds 0.9 of type float64; expected int"),
        (
            lambda: plots.reassemble(SQUARE, 16, [True, False, True, False]),
            "order holds True of type bool; expected int",
        ),
        (lambda: plots.patch_grid(SQUARE, 8, mark=np.nan), "mark holds nan of type float64; expected integers"),
        (lambda: plots.patch_grid(SQUARE, 8, hidden=[0, 2] * 8), "hidden holds 2 of type int64; expected True or F"),
        (lambda: plots.mask_strip([SQUARE], 8, np.full((2, 16), 0.3)), "hiddens holds 0.3 of type float64; expected"),
        (lambda: plots.patch_grid(SQUARE, 5), "5 x 5 pixels do not divide an image of 32 x 32"),
        (lambda: plots.patch_grid(WIDE, (8, 5)), "8 x 5 pixels do not divide an image of 16 x 48"),
        (lambda: plots.patch_grid(SQUARE, 8, hidden=[True] * 15), "hidden has length 15; expected 16"),
        (lambda: plots.patch_grid(SQUARE, 8, mark=16), "mark holds 16; expected 0 to 15"),
        (lambda: plots.image_grid([SQUARE, WIDE]), "images have sizes"),
        (lambda: plots.image_grid([]), "expected at least one"),
        (lambda: plots.image_grid([SQUARE], ["a", "b"]), "got 2 texts; expected 1"),
        (lambda: plots.mask_strip([SQUARE], 8, np.ones((4, 9), bool)), r"\(1, 4, 9\); expected \(1, masks, 16\)"),
        (lambda: plots.jigsaw_boards([SQUARE], 8, wrong=[[True] * 15]), "wrong has length 15; expected 16"),
        (
            lambda: plots.jigsaw_boards([SQUARE] * 2, 8, empty=[[True] * 32]),
            "empty has flags for 1 pictures; expected 2",
        ),
        (lambda: plots.attention_over_image(SQUARE, 8, WEIGHTS, CONTEXT, 7, result=WIDE), "sizes"),
        (lambda: plots.heat_maps(np.ones(4)), r"values has shape \(4,\)"),
        (lambda: plots.heat_maps(np.ones((2, 2)), marks=[4]), "marks holds 4"),
        (lambda: plots.map_and_row(np.ones(4), 0), r"values has shape \(4,\)"),
        (lambda: plots.map_and_row(np.ones((2, 2)), 4), "mark holds 4; expected 0 to 3"),
        (lambda: plots.map_and_row([[1, np.nan]], 0), "values holds nan; expected finite"),
        (lambda: plots.matrix(np.ones(4)), r"values has shape \(4,\)"),
        (lambda: plots.matrix(np.eye(3), row_labels=["a"]), "got 1 texts; expected 3"),
        (lambda: plots.curves({"line": ([1, 2], [1, 2, 3])}), "'line' has 2 x values"),
        (lambda: plots.curves({"a": ([], []), "b": ([1], [2])}), "a must hold at least one value, got 0"),
        (lambda: plots.curves({"a": ([1, 2], np.zeros((0, 2)))}), "a must hold at least one value, got 0"),
        (lambda: plots.bars({}), "values must hold at least one value, got 0"),
        (lambda: plots.bars({"a": []}), "a must hold at least one value, got 0"),
        (lambda: plots.matrix(np.zeros((0, 3))), "values must hold at least one value, got 0"),
        (lambda: plots.heat_maps(np.zeros((1, 0, 3))), "values must hold at least one value, got 0"),
        (lambda: plots.map_and_row(np.zeros((3, 0)), 0), "values must hold at least one value, got 0"),
        (lambda: plots.attention_over_image(SQUARE, 8, np.zeros((2, 0)), [], 0), "weights must hold at least one"),
        (lambda: plots.attention_by_layer(SQUARE, 8, np.zeros((0, 1, 1)), [0], 0), "weights must hold at least one"),
        (lambda: plots.scatter([1], [1, 2]), "x has 1 numbers and y has 2"),
        (lambda: plots.scatter([1, np.nan], [1, 2]), "x holds nan; expected finite"),
        (lambda: plots.scatter([1], [2], ["a", "b"]), "got 2 texts; expected 1"),
        (lambda: plots.scatter([1], [2], links=[[0, 1]]), "links holds 1; expected 0 to 0"),
        (lambda: plots.attention_schematic(SQUARE, 8, 16), "query holds 16"),
        (lambda: plots.attention_schematic(SQUARE, 8, 1, []), "context is empty"),
        (lambda: plots.attention_schematic(SQUARE, 8, 1, [1, 2], [1.0]), "weights has length 1; expected 2"),
        (lambda: plots.vit_schematic(SQUARE, 8, ["a"], predicted=1), "predicted holds 1"),
        (lambda: plots.mp3_schematic(SQUARE, 8, []), "context is empty"),
        (lambda: plots.mp3_schematic(SQUARE, 8, [1], range(15)), "predicted has length 15"),
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
    shown = pixels(fig)[32:352, 32:512].reshape(2, 160, 3, 160, 3).mean((1, 3, 4))  # margin 32; 20 pixels for each
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


def test_axes_of_shares_say_per_cent():
    shares = {"a": 0.2, "b": 0.8}
    for fig, axis, words in (
        (plots.bars(shares, fmt="{:.1%}", xlim=(0, 1)), "xaxis", "60%"),
        (plots.bars(shares, xlim=(0, 1)), "xaxis", "0.6"),
        (plots.curves({"a": ([1, 2], [0.2, 0.8])}, ylim=(0, 1), percent=True), "yaxis", "60%"),
        (plots.curves({"a": ([1, 2], [0.2, 0.8])}, ylim=(0, 1)), "yaxis", "0.6"),
    ):
        fig.canvas.draw()
        assert words in [tick.get_text() for tick in getattr(fig.axes[0], axis).get_ticklabels()]


def test_bars_show_means_and_names_of_curves_do_not_overlap():
    fig = plots.bars({"a": [1, 2], "b": torch.tensor(4.0)}, levels={"chance": 3}, highlight="a")
    assert [bar.get_width() for bar in fig.axes[0].patches] == [1.5, 4]
    assert [text.get_text() for text in fig.axes[0].texts] == ["1.50", "4.00", "chance"]
    fig = plots.curves({f"line {i}": ([0, 1], [0, 1 + i / 1000]) for i in range(8)}, levels={"chance": 1})
    fig.png()
    boxes = sorted((text.get_window_extent() for text in fig.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) == 9 and all(low.y1 <= high.y0 + 2 for low, high in zip(boxes, boxes[1:], strict=False))


def test_values_are_written_into_the_cells_of_small_heat_maps():
    values = np.array([[[0.0, 1.0], [np.nan, 0.5]], [[0.25, 0.25], [1.0, 0.0]]])
    fig = plots.heat_maps(values, vmin=0, vmax=1, annotate=True, fmt="{:.1f}", columns=2)
    written = [text for text in fig.axes[0].texts if text.get_ha() == "center" and text.get_text()]
    assert [text.get_text() for text in written] == ["0.0", "1.0", "0.5", "0.2", "0.2", "1.0", "0.0"]  # NaN stays blank
    assert [text.get_color() for text in written[:2]] == ["white", plots.INK]  # on viridis, 0 is dark and 1 is bright
    for text, image in zip(written[:3], [fig.axes[0].images[0]] * 3, strict=True):
        left, right, bottom, top = image.get_extent()
        assert left < text.get_position()[0] < right and top < text.get_position()[1] < bottom
    assert not any(text.get_text() == "0.0" for text in plots.heat_maps(values, vmin=0.1, vmax=1).axes[0].texts)


def test_written_values_can_be_read_on_every_colour():
    values = np.linspace(0, 1, 64).reshape(8, 8)
    for cmap in ("viridis", "RdBu_r", "magma"):
        fig = plots.matrix(values, annotate=True, cmap=cmap)
        image = fig.axes[0].images[0]
        written = [text for text in fig.axes[0].texts if text.get_text() in {f"{value:.2f}" for value in values.flat}]
        assert len(written) >= 64
        for text, value in zip([t for t in written if t.get_ha() == t.get_va() == "center"], values.flat, strict=True):
            assert theme.contrast(text.get_color(), image.cmap(image.norm(value))[:3]) > 3.9


def ticks_of_curve(x) -> list[int]:
    """The ticks within the range of the points."""
    ax = plots.curves({"a": (x, np.zeros(len(x)))}).axes[0]
    return [int(tick) for tick in ax.get_xticks() if min(x) <= tick <= max(x)]


def test_whole_numbers_get_ticks_at_the_points_or_at_round_numbers():
    epochs, contexts = list(range(10, 61, 10)), [1, 2, 4, 6, 8, 12, 16]
    assert ticks_of_curve(epochs) == epochs and ticks_of_curve(contexts) == contexts
    assert ticks_of_curve([1, 2, 4, 8, 512, 1024])[:3] != [1, 2, 4]  # they would overlap
    assert ticks_of_curve(range(63)) == list(range(0, 61, 10))
    fig = plots.curve_panels({"loss": {"a": (epochs, epochs)}, "accuracy": {"b": ([20, 40, 50], [1, 2, 3])}})
    assert [tick for tick in fig.axes[-1].get_xticks() if 10 <= tick <= 60] == epochs
    assert ticks_of_curve([3]) == [3]  # one point is no error


def test_a_level_does_not_cross_the_number_beside_a_bar():
    drawn = []
    for level in (0.1, 0.95):
        fig = plots.bars({"a": 0.9}, levels={"x": level}, xlim=(0, 2))
        pixels = np.asarray(Image.open(io.BytesIO(fig.png(small=False))).convert("RGB"))
        box = fig.axes[0].texts[0].get_window_extent()
        left, right, bottom, top = (round(edge) for edge in (box.x0, box.x1, box.y0, box.y1))
        drawn.append(pixels[len(pixels) - top : len(pixels) - bottom, left:right])
    assert 0 < np.ptp(drawn[0]) and (drawn[0] == drawn[1]).all()


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
    plots.patch_grid(WIDE, 8, ax=right, hidden=np.ones(12, bool))
    assert fig.alt == "Two" and fig.png()


def test_levels_are_told_apart_without_colour():
    fig = plots.curves({"one": ([0, 1], [0, 1])}, levels={"chance": 0.1, "floor": 0.2, "third": 0.3})
    drawn, rows = pixels(fig), []
    for line in fig.axes[0].lines[1:]:  # the pixels of each level, in a window of 200 drawn pixels
        x, y = np.rint(line.get_transform().transform([(0.4, line.get_ydata()[0])])[0]).astype(int)
        rows.append(drawn[-y - 2 : -y + 2, x : x + 200, 0].min(0) < 150)
    assert len({row.tobytes() for row in rows}) == 3 and all(0.2 < row.mean() < 0.9 for row in rows)


def overlap(one, other):
    return min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1


def test_labels_of_points_cover_neither_each_other_nor_points():
    x, y = RNG.random(12), RNG.random(12)
    labels = [f"model {i}" for i in range(12)]
    fig = plots.scatter(x, y, labels, ["a", "b", "c"] * 4, "x", "y", "T", links=[[0, 3, 6], [1, 4]])
    fig.png()
    [ax] = fig.axes
    texts = [text for text in ax.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert [text.get_text() for text in texts] == labels
    assert not any(overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    points = ax.transData.transform(np.stack([x, y], 1))
    assert not any(box.contains(*point) for box in boxes for point in points)
    assert len(ax.texts) - len(texts) == 3  # the arrows
    assert len({(line.get_marker(), line.get_color()) for line in ax.lines}) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "names", [["a", "b"], [f"group {i} of several" for i in range(5)], ["a long name of a group " * 3] * 2]
)
def test_a_legend_of_any_number_of_groups_fits_above_the_axes(names):
    groups = [f"{name}{i}" for i, name in enumerate(names)]
    fig = plots.scatter(range(len(groups)), range(len(groups)), groups=groups, title="T")
    fig.png()
    box, ax = fig.axes[0].get_legend().get_window_extent(), fig.axes[0].get_window_extent()
    assert box.x1 <= fig.bbox.x1 and box.y0 >= ax.y1 - 1 and box.y1 <= fig.bbox.y1 - 40  # below the title


def test_labels_keep_off_a_long_arrow():
    """With the label to the right of its point, as it would stand alone, the arrow would go through it."""
    fig = plots.scatter([0, 3.5, 10], [0, 4.5, 10], ["first", "a long label of a point", "last"], links=[[0, 2]])
    start, stop = fig.axes[0].transData.transform([(0, 0), (10, 10)])
    [text] = [text for text in fig.axes[0].texts if "long" in text.get_text()]
    box = text.get_window_extent()
    way = start + np.linspace(0, 1, 1000)[:, None] * (stop - start)
    assert not any(box.contains(*spot) for spot in way)


def test_schematics_show_the_pixels_of_the_image():
    whole = plots.to_picture(SQUARE)
    for fig in (
        plots.attention_schematic(SQUARE, 8, 5, CONTEXT),
        plots.vit_schematic(SQUARE, 8, ["cat", "dog"], 3, 1),
        plots.mp3_schematic(SQUARE, 8, CONTEXT),
    ):
        shown = painted(fig)
        assert (shown[0] == whole).all() and fig.shown[0] >= 700 and fig.alt
        tiles = [tile for tile in shown if tile.shape == (8, 8, 3)]
        patches = [whole[r : r + 8, c : c + 8] for r in range(0, 32, 8) for c in range(0, 32, 8)]
        assert len(tiles) >= 5 and all(any((tile == patch).all() for patch in patches) for tile in tiles)


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
        assert output.metadata["image/png"] == {"width": here.shown[0], "height": here.shown[1], "alt": "All is black"}
        assert base64.b64decode(output.data["image/png"]) == here.png()


def test_the_style_of_one_thread_never_stays_behind_in_another():
    """Some versions of ipykernel run a slider's callback while the cell is still drawing."""
    before, early = dict(matplotlib.rcParams), []
    inside, entered, left = threading.Event(), threading.Event(), threading.Event()

    def cell():
        with plots.style():
            inside.set()
            early.append(entered.wait(0.5))
        left.set()

    def callback():
        inside.wait(5)
        with plots.style():
            entered.set()
            left.wait(5)

    threads = [threading.Thread(target=work) for work in (cell, callback)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert early == [False] and dict(matplotlib.rcParams) == before


def test_a_figure_whose_size_was_changed_has_two_pixels_for_each_of_the_screen():
    fig = plots.patch_grid(SQUARE, 8, title="T")
    for width in (8.2, 4.64, 5.35):
        fig.set_size_inches(width, 3.456)
        drawn = Image.open(io.BytesIO(fig.png()))
        assert drawn.size == tuple(2 * side for side in fig.shown)

"""Figures on a dark page: paper, text and lines are recoloured, pictures stay as they are."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from mp3lib import plots
from mp3lib.plots import dark, theme

CSS = Path(__file__).resolve().parents[1] / "labextensions" / "mp3lib" / "static" / "dark.css"
RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (3, 32, 32), dtype=np.uint8)
HIDDEN = np.arange(16) == 5


def opened(fig, small=True):
    return Image.open(io.BytesIO(fig.png(small)))


def alphas(fig, small=True):
    return np.asarray(opened(fig, small).convert("RGBA"))[..., 3]


def at(fig, box, across=0.5, down=0.5):
    """The pixel (row, column) at a place of a box of the sheet, from its upper left corner."""
    x, y, w, h = box
    return round((y + down * h) * theme.DPI), round((x + across * w) * theme.DPI)


@pytest.mark.parametrize("small", [True, False])
def test_pictures_keep_their_colours_and_paper_and_hidden_patches_do_not(small):
    fig = plots.patch_grid(PICTURE, 8, hidden=HIDDEN, title="A finding", mark=10)
    left, right, bottom, top = fig.axes[0].images[0].get_extent()
    box, alpha = (left, top, right - left, bottom - top), alphas(fig, small)
    assert alpha[0, 0] == dark.PAPER_ALPHA and set(np.unique(alpha)) == {dark.PAPER_ALPHA, 255}
    assert alpha[at(fig, box, 0.1, 0.1)] == 255
    assert alpha[at(fig, box, 0.375, 0.375)] == dark.PAPER_ALPHA  # patch 5 is hidden
    assert alpha[at(fig, box, 0.5, 0.6)] == 255  # the outline of patch 10 lies partly on patch 5's side


def test_an_outline_keeps_its_colour_outside_of_the_picture_too():
    fig = plots.patch_grid(PICTURE, 8, mark=0)
    left, _, _, top = fig.axes[0].images[0].get_extent()
    row, column = round(top * theme.DPI), round(left * theme.DPI)
    assert alphas(fig)[row - 2, column + 30] == 255 and alphas(fig)[row - 12, column + 30] == dark.PAPER_ALPHA


def test_charts_are_paper_and_colour_maps_keep_their_colours_unless_they_begin_in_white():
    assert (alphas(plots.curves({"a": ([1, 2], [1, 2])}, title="T")) == dark.PAPER_ALPHA).all()
    for cmap, kept in (("viridis", True), ("Blues", False), (None, True)):
        fig = plots.matrix(RNG.random((4, 4)), cmap=cmap, label="x")
        assert (alphas(fig) == 255).any() == kept
    with plots.style():
        fig, ax = plots.figure(3, 3)
        ax.imshow(np.zeros((2, 2, 3)))
    assert 0.2 < (alphas(fig) == 255).mean() < 0.8
    tokens = plots.mp3_schematic(PICTURE, 8, [0, 5])
    assert 0.01 < (alphas(tokens) == 255).mean() < 0.1  # patches, not tokens


def test_a_palette_has_colours_for_both_kinds_of_pixels_and_hardly_changes_them():
    photograph = np.add.outer(np.arange(32), np.arange(32))[None] * np.array([3, 2, 1])[:, None, None] + 20
    fig = plots.patch_grid(photograph, 8, hidden=HIDDEN, title="A finding")
    stored, exact = opened(fig), opened(fig, small=False)
    assert stored.mode == "P" and exact.mode == "RGBA"
    both = [np.asarray(one.convert("RGBA")).astype(int) for one in (stored, exact)]
    assert (both[0][..., 3] == both[1][..., 3]).all()
    assert np.abs(both[0] - both[1])[..., :3].mean() < 1.2 and np.abs(both[0] - both[1]).max() < 32


def recolored(color):
    """A colour as the filter of dark.css recolours it."""
    matrix = np.array(re.search(r"values='([^']+)'", CSS.read_text())[1].split(), float).reshape(4, 5)
    assert (matrix[3] * [0, 0, 0, dark.PAPER_ALPHA / 255, 0]).tolist() == pytest.approx([0, 0, 0, 1, 0])  # opaque
    return (matrix[:3, :3] @ to_rgb(color) + matrix[:3, 4]).clip(0, 1)


def test_recoloured_paper_is_dark_and_inks_stay_readable_and_distinct():
    paper = recolored(plots.PAPER)
    assert theme.contrast(paper, "#111111") < 1.4
    for ink in (plots.INK, plots.MUTED):
        assert theme.contrast(recolored(ink), paper) >= 4.5
    palette = [plots.BLUE, plots.ORANGE, plots.GREEN, plots.VERMILION, plots.PURPLE, plots.SKY]
    for color in palette:
        assert theme.contrast(recolored(theme.readable(color)), paper) >= 4.5
        assert theme.contrast(recolored(color), paper) >= 2.4
    apart = [np.abs(recolored(a) - recolored(b)).max() for i, a in enumerate(palette) for b in palette[:i]]
    assert min(apart) > 0.2


def test_the_filter_tells_the_two_alphas_apart():
    slope, intercept = (float(re.search(rf"{name}='([^']+)'", CSS.read_text())[1]) for name in ("slope", "intercept"))
    assert slope * dark.PAPER_ALPHA / 255 + intercept == pytest.approx(0) and slope + intercept == pytest.approx(1)


def test_stored_figures_of_pages_are_recoloured():
    names = set(re.findall(r"/(\w+\.png)", CSS.read_text()))
    assert names == {"tour.png", "few_labels.png"}
    for name in names:
        with Image.open(CSS.parents[3] / "assets" / name) as image:
            assert dark.PAPER_ALPHA in np.asarray(image.convert("RGBA"))[..., 3], name


@pytest.mark.slow
@pytest.mark.parametrize("is_dark", [True, False])
def test_a_browser_shows_it(browser, is_dark):
    fig = plots.patch_grid(np.full((3, 32, 32), 200, np.uint8), 8, hidden=HIDDEN, title="A finding")
    other = io.BytesIO()
    Image.new("RGB", (20, 20), "white").save(other, "png")
    files = [base64.b64encode(data).decode() for data in (fig.png(), other.getvalue())]
    images = "".join(f"<img src='data:image/png;base64,{file}' style='display: block'>" for file in files)
    page = browser.new_page(device_scale_factor=1, viewport={"width": 800, "height": 1000})
    page.set_content(
        f"<style>{CSS.read_text()} body {{ margin: 0 }}</style>"
        f"<body data-jp-theme-light='{str(not is_dark).lower()}'><div class='jp-RenderedImage'>{images}</div>"
    )
    seen = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    page.close()
    width, height = opened(fig).size
    left, right, bottom, top = fig.axes[0].images[0].get_extent()
    box = (left, top, right - left, bottom - top)
    paper = (255 * recolored(plots.PAPER)).round() if is_dark else 255 * np.array(to_rgb(plots.PAPER))
    assert np.abs(seen[4, 4] - paper).max() <= 6  # on a light page 2 % of the white page shine through
    assert np.abs(seen[at(fig, box, 0.1, 0.1)] - 200).max() <= 1
    row, column = at(fig, box, 0.375, 0.375)
    assert (seen[row - 15 : row + 15, column - 15 : column + 15].mean() < 100) == is_dark  # the hidden patch, hatched
    assert (seen[height + 10, 10] == 255).all()  # no picture of ours


@pytest.mark.slow
def test_a_dark_figure_has_no_bright_edge(browser):
    """The last row of a figure may cover its pixels in part."""
    file = base64.b64encode(plots.curves({"a": ([1, 2], [1, 2])}, title="T").png()).decode()
    page = browser.new_page(device_scale_factor=1, viewport={"width": 500, "height": 400})
    style = f"{CSS.read_text()} body {{ margin: 0; background: #111 }} img {{ width: 401.3px; height: 301.6px }}"
    image = f"<img src='data:image/png;base64,{file}'>"
    page.set_content(
        f"<style>{style}</style><body data-jp-theme-light='false'><div class='jp-RenderedImage'>{image}</div>"
    )
    seen = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    page.close()
    assert max(seen[300:].max(), seen[:, 400:].max()) < 60

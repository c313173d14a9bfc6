"""The figures of attention, predicted positions and the jigsaw: any grid, what they show, and their errors."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from mp3lib import MP3, ViT, plots
from mp3lib.evaluate import assign
from mp3lib.model import attention_rollout
from mp3lib.plots import attention

RNG = np.random.default_rng(0)
# (image (height, width), patch (height, width)): square, wide, patches that are not square, tall, a single row
SHAPES = [((32, 32), (8, 8)), ((32, 48), (8, 8)), ((24, 30), (6, 5)), ((48, 16), (8, 8)), ((8, 64), (8, 8))]


def figures(shape, patch, heads=2, depth=2, k=3):
    """All figures, by name, of the predictions of a small untrained model for random images."""
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=shape, patch_size=patch, dim=16, depth=depth, heads=heads, mlp_dim=16)
    mp3, n = MP3(vit, 0.5, "updated").eval(), vit.num_patches
    images = torch.from_numpy(RNG.integers(0, 256, (2, 3, *shape), dtype=np.uint8))
    context = torch.arange(0, n, max(n // k, 1))[:k]
    prediction = mp3.predict(images / 127.5 - 1, context, with_attention=True)
    attn, rollout = prediction.attn, attention_rollout(prediction.attn, prediction.context)
    probabilities = prediction.logits.softmax(-1)
    places, order, query = assign(prediction.logits)[0], prediction.loss[0].argsort(), n - 1
    five = [0, 1, n // 2, n - 2, n - 1]
    return {
        "one patch": plots.heat_over_image(
            images[0],
            patch,
            probabilities[0, query],
            [query],
            [0],
            context,
            title="A finding",
            numbers=True,
            size=2.4,
            level=0.1,
        ),
        "five": plots.heat_over_image(
            images[0], patch, probabilities[0, five], five, five, titles=["a patch"] * 5, vmax=1, size=1
        ),
        "two images": plots.heat_over_image(images, patch, probabilities.amax(-1), [0, 1], [1, 0], [context, context]),
        "attention": plots.attention_by_layer(
            images[0], patch, attn[:, 0, :, query], context, query, rollout[0, query], "A finding"
        ),
        "no rollout": plots.attention_by_layer(images[0], patch, attn[:, 0, :, 0], context, 0),
    } | {f"step {i}": plots.jigsaw_step(images[0], patch, places, order, i, order, "x") for i in (0, 1, n // 2, n)}


@pytest.mark.parametrize("shape, patch", SHAPES)
def test_every_figure_of_every_shape_keeps_its_texts_inside(shape, patch):
    for name, fig in figures(shape, patch).items():
        assert fig.png() and fig.shown[0] <= 1000, name
        box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
        assert box.x0 > -0.02 and box.y0 > -0.02, name
        assert box.x1 < width + 0.02 and box.y1 < height + 0.02, name


@pytest.mark.parametrize("heads, depth, k", [(1, 1, 1), (1, 3, 2), (4, 2, 12)])
def test_any_number_of_heads_layers_and_context_patches(heads, depth, k):
    for fig in figures((16, 48), (8, 8), heads, depth, k).values():
        assert fig.png()


def painted(fig):
    """The arrays of all images in a figure, in the order in which they are drawn."""
    return [np.asarray(image.get_array()) for ax in fig.axes for image in ax.images]


IMAGE = RNG.integers(0, 256, (3, 16, 24), dtype=np.uint8)


def test_heat_maps_show_the_given_numbers_and_are_blank_at_nan():
    heats = np.array([[0.1, 0.2, np.nan, 0.4, 0.0, 0.3], [1, 0, 0, 0, 0, 0]])
    shown = [a for a in painted(plots.heat_over_image(IMAGE, 8, heats, numbers=True, size=2)) if a.shape == (2, 3)]
    assert np.array_equal(np.ma.filled(shown[0], np.nan).astype(float).round(6), heats[0].reshape(2, 3), equal_nan=True)
    assert (shown[1] == heats[1].reshape(2, 3)).all()


def test_numbers_are_written_in_per_cent_and_left_out_at_nan_and_in_small_patches(monkeypatch):
    written = []
    path_of = attention.number_path
    monkeypatch.setattr(attention, "number_path", lambda text: written.append(text) or path_of(text))
    heats = np.array([[0.1, 0.2, np.nan, 0.4, 0.0, 1.0]])
    with_numbers = plots.heat_over_image(IMAGE, 8, heats, numbers=True, size=2)
    assert written == ["10", "20", "40", "0", "100"]
    assert with_numbers.png() != plots.heat_over_image(IMAGE, 8, heats, size=2).png()
    width, height = np.ptp(path_of("100").vertices, axis=0)
    assert 1.5 < width < 2.2 and 0.6 < height < 0.9  # three digits in a font of size 1
    written.clear()
    plots.heat_over_image(IMAGE, 8, heats, numbers=True, size=0.4)
    assert written == []  # the patches are too small


def test_hidden_patches_do_not_show_but_the_query_does():
    """Figures of attention do not depend on the pixels of a patch outside the context, unless it is the query."""
    other = IMAGE.copy()
    other[:, 8:, 8:16] = 255 - other[:, 8:, 8:16]  # patch 4
    weights = np.full((1, 2, 2), 0.5)

    def same(draw):
        return draw(IMAGE).png() == draw(other).png()

    assert same(lambda image: plots.attention_by_layer(image, 8, weights, [0, 1], 2))
    assert not same(lambda image: plots.attention_by_layer(image, 8, weights, [0, 1], 4))
    assert not same(lambda image: plots.attention_by_layer(image, 8, weights, [0, 4], 2))


@pytest.mark.parametrize(
    "draw",
    [
        lambda image, context, query: plots.attention_over_image(image, 8, [0.5, 0.5], context, query, result=image),
        lambda image, context, query: plots.attention_by_layer(image, 8, np.full((2, 1, 2), 0.5), context, query),
        lambda image, context, query: plots.heat_over_image(image, 8, np.full(6, 0.5), [query], None, context),
        lambda image, context, query: plots.attention_schematic(image, 8, query, context),
    ],
)
def test_a_hidden_query_shows_its_pixels_and_is_hatched(draw):
    """In the image its hatching lies over its pixels; in maps of attention it looks like any other hidden patch."""
    white, context = np.full((3, 16, 24), 255, np.uint8), [0, 1]
    spots = [(x + 0.7 * w, y + 0.5 * h) for x, y, w, h in patch_boxes(draw(white, context, 4), 4)]
    seen, hidden = (pixels_at(draw(white, context, query), spots) for query in (1, 4))
    black = pixels_at(draw(0 * white, context, 4), spots)
    assert hidden[0].std() > 10 and hidden[0].mean() > black[0].mean() + 40, "hatched, and its pixels show"
    assert seen[0].std() > 10 and seen[0].mean() == pixels_at(draw(0 * white, context, 1), spots)[0].mean()


def patch_boxes(fig, patch, rows=2, cols=3):
    """The box of a patch in every picture of a figure, in units of its axes: x, y, w, h."""
    extents = [image.get_extent() for image in fig.axes[0].images if np.asarray(image.get_array()).shape == (16, 24, 3)]
    row, col = divmod(patch, cols)
    sides = [((right - left) / cols, (low - high) / rows, left, high) for left, right, low, high in extents]
    return [(left + col * w, high + row * h, w, h) for w, h, left, high in sides]


def pixels_at(fig, spots, reach=6):
    """The drawn grey levels around each spot, (2 * reach, 2 * reach)."""
    drawn = np.asarray(Image.open(io.BytesIO(fig.png(small=False))).convert("L")).astype(float)
    corners = fig.axes[0].transData.transform(spots).round().astype(int)
    return [drawn[len(drawn) - y - reach : len(drawn) - y + reach, x - reach : x + reach] for x, y in corners]


def test_the_rollout_leaves_out_the_querys_own_share_and_has_its_own_colour_range():
    rollout = [0.1, 0.05, 0.0, 0.85, 0.0, 0.0]
    fig = plots.attention_by_layer(IMAGE, 8, np.full((2, 1, 3), 1 / 3), [0, 1, 3], 3, rollout)
    heats = [image for image in fig.axes[0].images if np.asarray(image.get_array()).shape == (2, 3)]
    assert len(heats) == 3
    shown = np.ma.filled(heats[-1].get_array().astype(float), np.nan)
    assert np.array_equal(shown, [[0.1, 0.05, np.nan], [np.nan] * 3], equal_nan=True)
    assert heats[-1].get_clim() == (0, 0.1) and heats[0].get_clim() == (0, 1 / 3)
    assert "rollout (darkest: 0.10)" in [text.get_text() for text in fig.axes[0].texts]


def test_one_context_holds_for_every_image():
    drawn = {}
    for name, context in (("one", [1, 5]), ("tensor", torch.tensor([1, 5])), ("each", [[1, 5]] * 3), ("none", [])):
        drawn[name] = plots.heat_over_image([IMAGE] * 3, 8, np.zeros((3, 6)), context=context, size=1).png()
    drawn["rows"] = plots.heat_over_image([IMAGE] * 3, 8, np.zeros((3, 6)), context=[[1, 5], [1, 5], [2]], size=1).png()
    assert drawn["one"] == drawn["tensor"] == drawn["each"] and len(set(drawn.values())) == 3


def test_jigsaw_counts_the_patches_left_placed_and_right():
    placed, order = np.array([1, 0, 2, 3, 4, 5]), np.array([2, 0, 1, 3, 4, 5])
    for step, right in ((0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (6, 4)):
        fig = plots.jigsaw_step(IMAGE, 8, placed, order, step)
        texts = [text.get_text() for text in fig.axes[0].texts]
        assert {f"{6 - step} patches left", f"{step} placed", f"{right} of {step} are right"} <= set(texts)
    whole = painted(plots.jigsaw_step(IMAGE, 8, np.arange(6), order, 6))
    assert all((picture == IMAGE.transpose(1, 2, 0)).all() for picture in whole)


def test_jigsaw_shows_the_patch_placed_last_when_several_share_a_position():
    fig = plots.jigsaw_step(IMAGE, 8, [0, 0, 0, 3, 3, 5], np.arange(6), 6)
    assert "3 of 6 are right" in [text.get_text() for text in fig.axes[0].texts]
    so_far = painted(fig)[1]
    assert (so_far[:8, :8] == IMAGE.transpose(1, 2, 0)[:8, 16:]).all()  # patch 2 was placed last


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: plots.heat_over_image(IMAGE, 8, np.zeros((2, 5))), r"heats has shape \(2, 5\); expected \(m, 6\)"),
        (lambda: plots.heat_over_image([IMAGE] * 3, 8, np.zeros((2, 6))), "got 3 images and 2 heats"),
        (lambda: plots.heat_over_image(IMAGE, 8, np.zeros(6), marks=[6]), "marks holds 6"),
        (lambda: plots.attention_by_layer(IMAGE, 8, np.zeros((2, 3)), [0, 1, 2], 0), r"expected \(depth, heads, 3\)"),
        (lambda: plots.attention_by_layer(IMAGE, 8, np.zeros((1, 1, 1)), [0], 9), "query holds 9"),
        (lambda: plots.attention_by_layer(IMAGE, 8, np.ones((1, 1, 1)), [0], 1, np.ones(5)), "rollout has shape"),
        (lambda: plots.jigsaw_step(IMAGE, 8, range(6), range(6), 7), "step holds 7; expected 0 to 6"),
        (lambda: plots.jigsaw_step(IMAGE, 8, range(5), range(6), 1), "placed has length 5"),
        (lambda: plots.heat_over_image([IMAGE] * 3, 8, np.zeros((3, 6)), context=[[1], [2]]), "3 images and 2 cont"),
        (lambda: plots.heat_over_image([IMAGE], 8, np.zeros((1, 6)), context=[[1], [2]]), "1 images and 2 contexts"),
        (lambda: plots.heat_over_image(IMAGE, 8, np.zeros((2, 6)), context=[[1], [2]]), "1 images and 2 contexts"),
        (
            lambda: plots.jigsaw_step(IMAGE, 8, range(6), range(6), 1, [0] * 6),
            r"shuffled must hold every number from 0 to 5 once, got \[0, 0, 0, 0, 0, 0\]",
        ),
        (lambda: plots.jigsaw_step(IMAGE, 8, range(6), [1] * 6, 1), "order must hold every number from 0 to 5 once"),
        (lambda: plots.jigsaw_step(IMAGE, 8, range(6), range(6), 1.5), "step holds 1.5 of type float64"),
        (lambda: plots.jigsaw_step(IMAGE, 8, range(6), range(6), 1, [6] * 6), "shuffled holds 6; expected 0 to 5"),
    ],
)
def test_bad_arguments_raise_an_error(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()

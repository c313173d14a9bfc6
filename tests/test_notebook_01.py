"""The functions of notebook 01 equal those of the library."""

import random

import pytest
import torch
from notebook_code import definitions

from mp3lib import plots, posemb_sincos_2d


@pytest.fixture(scope="module")
def notebook():
    return definitions("01")


def random_grids(count: int):
    """(rows, cols, dim, temperature): grids of any shape, including one patch, and one pair of sine and cosine."""
    draw = random.Random(0)
    grids = [(1, 1, 4, 10000), (1, 9, 8, 1)]
    for _ in range(count):
        grids.append((draw.randint(1, 14), draw.randint(1, 14), 4 * draw.randint(1, 48), 10 ** draw.uniform(0, 5)))
    return grids


@pytest.mark.parametrize("rows, cols, dim, temperature", random_grids(12))
def test_2d_code_equals_the_library(notebook, rows, cols, dim, temperature):
    patches = torch.zeros(2, rows, cols, dim)
    library = posemb_sincos_2d(patches, temperature)
    ours = notebook["posemb_sincos_2d"](patches, temperature)
    assert ours.shape == (rows * cols, dim) and ours.dtype == library.dtype
    torch.testing.assert_close(ours, library, rtol=0, atol=1e-6)
    loop = notebook["posemb_sincos_2d_loop"](rows, cols, dim, temperature)
    torch.testing.assert_close(loop, library, rtol=0, atol=1e-5)  # the loop computes angles in double precision


def test_default_temperature_is_the_librarys(notebook):
    patches = torch.zeros(1, 8, 8, 32)
    torch.testing.assert_close(notebook["posemb_sincos_2d"](patches), posemb_sincos_2d(patches), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n, dim, temperature", [(1, 2, 7), (16, 32, 100), (64, 6, 16), (200, 50, 10000)])
def test_1d_code_is_a_row_of_the_librarys(notebook, n, dim, temperature):
    ours = notebook["posemb_sincos_1d"](n, dim, temperature)
    library = posemb_sincos_2d(torch.zeros(1, 1, n, 2 * dim), temperature)[:, :dim]
    torch.testing.assert_close(ours, library, rtol=0, atol=1e-6)
    loop = notebook["posemb_sincos_1d_loop"](n, dim, temperature)
    torch.testing.assert_close(loop, library, rtol=0, atol=3e-5)


@pytest.mark.parametrize("places", [-5, 1, 3])
def test_rotation_maps_the_code_of_any_position_to_that_of_another(notebook, places):
    hands, temperature, n = 8, 50, 20
    code = posemb_sincos_2d(torch.zeros(1, 1, n, 4 * hands), temperature)[:, : 2 * hands]
    there = code.roll(-places, dims=0)
    keep = slice(0, n - places) if places > 0 else slice(-places, n)
    for i in range(hands):
        turned = code[:, [i, hands + i]] @ notebook["rotation"](places, temperature ** (-i / (hands - 1))).T
        torch.testing.assert_close(turned[keep], there[keep][:, [i, hands + i]], rtol=0, atol=1e-5)


def test_mix_ignores_the_order_of_its_tokens(notebook):
    tokens = torch.randint(-5, 6, (7, 3))
    order = torch.randperm(7)
    assert torch.equal(notebook["mix"](tokens[order]), notebook["mix"](tokens)[order])


def test_similarity_is_one_with_itself_and_depends_only_on_the_distance(notebook):
    similarity = notebook["similarity_maps"](10, 64)
    assert similarity.shape == (64, 8, 8)
    torch.testing.assert_close(similarity.flatten(1).diagonal(), torch.ones(64))
    # the similarity with the patch two columns right and one row down, for all patches that have one
    values = torch.stack([similarity[8 * y + x, y + 1, x + 2] for y in range(7) for x in range(6)])
    torch.testing.assert_close(values, values[:1].expand_as(values), rtol=0, atol=1e-5)


@pytest.mark.parametrize("temperature, dim, patch", [(1, 4, 0), (100000, 256, 63), (1, 256, 7)])
def test_the_figure_is_drawn_at_both_ends_of_its_sliders(notebook, temperature, dim, patch):
    figure = notebook["draw_similarity"](temperature, dim, patch)
    assert isinstance(figure, plots.Picture)
    assert f"Patch {patch} " in figure.alt
    assert figure.png() == notebook["draw_similarity"](temperature, dim, patch).png()

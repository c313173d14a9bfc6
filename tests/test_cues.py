"""The cues: what each takes away or plants, what it leaves alone, and that it fits training and measuring."""

from functools import partial

import pytest
import torch
from einops import rearrange

from mp3lib import MP3, ViT, cues
from mp3lib.data import to_float
from mp3lib.train import pretrain
from mp3lib.train.pretraining import name_of

SIZES = [((32, 32), (8, 8)), ((16, 32), (8, 4)), ((24, 8), (4, 8)), ((32, 32), (4, 4))]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(b: int = 4, h: int = 32, w: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (b, 3, h, w), dtype=torch.uint8, generator=seeded(1))


def smooth(b: int = 40, h: int = 32, w: int = 32) -> torch.Tensor:
    """Pictures without edges of their own, as JPEG likes them: uint8 (b, 3, h, w)."""
    coarse = torch.rand(b, 3, 4, 4, generator=seeded(2)) * 255
    return torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic").clamp(0, 255).to(torch.uint8)


def patches(images: torch.Tensor, patch_size: tuple[int, int]) -> torch.Tensor:
    h, w = patch_size
    return rearrange(images, "b c (rows h) (cols w) -> b (rows cols) c h w", h=h, w=w)


# --- gap --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
def test_gap_paints_the_border_of_every_patch_and_nothing_else(image_size, patch_size):
    images = to_float(noise(2, *image_size))
    before, after = patches(images, patch_size), patches(cues.gap(images, patch_size, width=1), patch_size)
    assert torch.equal(after[..., 1:-1, 1:-1], before[..., 1:-1, 1:-1])
    for border in (after[..., 0, :], after[..., -1, :], after[..., :, 0], after[..., :, -1]):
        assert (border == 0).all()


def test_gap_of_width_0_changes_nothing_and_the_widest_leaves_the_middle():
    images = to_float(noise())
    assert torch.equal(cues.gap(images, (8, 8), width=0), images)
    left = cues.gap(torch.ones(1, 1, 8, 8), (8, 8), width=3)
    assert left.sum() == 4 and left[0, 0, 3:5, 3:5].all()


def test_no_edge_is_seen_across_a_gap():
    """Whatever the neighbours' borders are, the picture with a gap is the same."""
    images = to_float(noise())
    other = images.clone()
    other[..., 7::8, :], other[..., ::8] = 0.5, -0.5
    assert torch.equal(cues.gap(images, (8, 8)), cues.gap(other, (8, 8)))


@pytest.mark.parametrize("width", [4, 5, -1])
def test_gap_refuses_a_width_that_leaves_nothing(width):
    with pytest.raises(ValueError, match=f"{width} pixels leaves nothing|got {width}"):
        cues.gap(torch.zeros(1, 3, 32, 32), (8, 8), width=width)


@pytest.mark.parametrize("patch_size", [(8, 8), (4, 6)])
@pytest.mark.parametrize("width", [0, 1])
def test_a_hole_takes_as_many_pixels_as_the_gap_and_leaves_the_edges(patch_size, width):
    ones = torch.ones(1, 1, 24, 24)
    with_gap, with_hole = (patches(change(ones, patch_size, width), patch_size) for change in (cues.gap, cues.hole))
    assert (
        cues.gap(ones.half(), patch_size, width).dtype == cues.hole(ones.half(), patch_size, width).dtype == torch.half
    )
    assert with_gap.sum() == with_hole.sum() and torch.equal(cues.hole(ones, patch_size, 0), ones)
    assert (with_hole == with_hole[0, :1]).all()  # the same in every patch
    grid = cues.hole(torch.ones(1, 1, *patch_size), patch_size, width)[0, 0]
    assert grid[[0, 0, -1, -1], [0, -1, 0, -1]].all()
    if patch_size == (8, 8):  # smaller patches have no room for as many pixels without their edges
        assert grid[[0, -1]].all() and grid[:, [0, -1]].all()


@pytest.mark.parametrize("cue", [cues.gap, cues.flat, cues.hole])
def test_patches_have_to_divide_the_images(cue):
    with pytest.raises(ValueError, match=r"\(8, 6\) does not divide .* \(32, 32\)"):
        cue(torch.zeros(1, 3, 32, 32), (8, 6))


# --- colour and brightness --------------------------------------------------------------------------------------------


def test_grey_has_one_value_for_all_channels_and_keeps_what_is_grey():
    images = to_float(noise())
    changed = cues.grey(images)
    assert torch.equal(changed[:, 0], changed[:, 1]) and torch.equal(changed[:, 0], changed[:, 2])
    torch.testing.assert_close(cues.grey(changed), changed, atol=1e-6, rtol=0)
    assert changed.shape == images.shape and changed.abs().max() <= 1 + 1e-6


def test_grey_weighs_the_channels_as_the_eye_does():
    pure = torch.eye(3).view(3, 3, 1, 1)  # red, green and blue at 1, the rest at 0
    torch.testing.assert_close(cues.grey(pure)[:, 0, 0, 0], torch.tensor([0.299, 0.587, 0.114]))
    with pytest.raises(ValueError, match="three channels, got 1"):
        cues.grey(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
def test_flat_gives_every_patch_the_same_mean_and_contrast(image_size, patch_size):
    # noise is never beyond 2.5 deviations, so nothing is clipped
    x = patches(cues.flat(to_float(noise(3, *image_size)), patch_size), patch_size).flatten(2)
    torch.testing.assert_close(x.mean(dim=2), torch.zeros(x.shape[:2]), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=2, unbiased=False), torch.full(x.shape[:2], 0.4), atol=1e-4, rtol=0)


def test_flat_does_not_see_brightness_and_contrast():
    images = to_float(noise())
    darker = 0.5 * images - 0.3
    torch.testing.assert_close(cues.flat(darker, (8, 8)), cues.flat(images, (8, 8)), atol=1e-3, rtol=0)
    even = torch.full((1, 3, 32, 32), 0.7)
    assert (cues.flat(even, (8, 8)).abs() < 1e-3).all()


def test_the_models_first_layernorm_does_the_same():
    """So `flat` changes next to nothing for this ViT, and a lot for one without that LayerNorm."""
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=32, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16)
    images = to_float(noise())
    as_they_are, changed = (vit.embed(x) for x in (images, cues.flat(images, (8, 8))))
    torch.testing.assert_close(changed, as_they_are, atol=1e-3, rtol=0)
    vit.to_patch_embedding[1] = torch.nn.Identity()
    assert not torch.allclose(vit.embed(images), vit.embed(cues.flat(images, (8, 8))), atol=0.1)


# --- padding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["reflect", "constant"])
def test_padded_crop_cuts_a_box_out_of_the_padded_image(mode):
    images = to_float(noise(200))
    torch.manual_seed(0)
    crops = cues.padded_crop(images, pad=2, mode=mode)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode=mode)
    boxes = torch.stack([padded[:, :, y : y + 32, x : x + 32] for y in range(5) for x in range(5)])
    found = (boxes == crops).flatten(2).all(dim=2)  # (places, b)
    assert (found.sum(dim=0) == 1).all()  # each image has its own box,
    assert (found.sum(dim=1) > 0).all()  # and all 25 places occur


def test_padded_crop_shows_a_mirror_line_or_grey():
    images = to_float(noise(1))
    for mode, expected in (("reflect", images[..., 1:5].flip(-1)), ("constant", torch.zeros(1, 3, 32, 4))):
        padded = torch.nn.functional.pad(images, (4, 4, 4, 4), mode=mode)
        assert torch.equal(padded[:, :, 4:36, :4], expected)
    torch.manual_seed(3)
    first = cues.padded_crop(images.repeat(50, 1, 1, 1), mode="constant")
    assert (first[:, :, 0] == 0).flatten(1).all(dim=1).any()


def test_padding_by_nothing_changes_nothing():
    images = to_float(noise(2, 16, 32))
    assert torch.equal(cues.padded_crop(images, pad=0), images)


# --- the mark ---------------------------------------------------------------------------------------------------------


def test_watermark_is_the_same_on_every_image_and_in_every_call():
    images = 0.5 * to_float(noise())
    marks = cues.watermark(images, strength=0.1) - images
    torch.testing.assert_close(marks, marks[:1].expand_as(marks), atol=1e-6, rtol=0)
    assert torch.equal(cues.watermark(images, strength=0.1) - images, marks)
    assert 0.09 < marks.abs().max() <= 0.1 + 1e-6
    assert (patches(marks, (8, 8))[0].flatten(1).unique(dim=0)).shape[0] == 16  # no two patches have the same


def test_watermark_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    cues.watermark(torch.zeros(1, 3, 8, 8))
    assert torch.equal(torch.rand(3), expected)


# --- JPEG -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 3, 4])
def test_jpeg_leaves_steps_on_its_grid_where_the_shift_puts_it(shift):
    images = smooth(h=64, w=64)
    compressed = cues.jpeg(images, quality=20, shift=shift)
    for axis in (2, 3):
        grown = [x.float().diff(dim=axis).abs().mean(dim=[0, 1, 5 - axis]) for x in (compressed, images)]
        grown = grown[0] - grown[1]
        on_grid = torch.arange(1, 64) % 8 == -shift % 8
        assert grown[on_grid].min() > grown[~on_grid].max()


def test_jpeg_takes_more_away_at_lower_quality():
    images = noise()
    errors = [(cues.jpeg(images, quality=q).float() - images).abs().mean() for q in (95, 75, 20)]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_jpeg_keeps_shape_order_and_input():
    images = smooth(3, 16, 24)
    before = images.clone()
    compressed = cues.jpeg(images, quality=95)
    assert compressed.shape == images.shape and compressed.dtype == torch.uint8 and torch.equal(images, before)
    for i in range(3):
        assert torch.equal(cues.jpeg(images[i : i + 1], quality=95)[0], compressed[i])
        assert (compressed[i].float() - images[i]).abs().mean() < 6


@pytest.mark.parametrize("wrong", [torch.zeros(1, 3, 8, 8), noise()[0], noise()[:, :1]])
def test_jpeg_refuses_anything_but_uint8_rgb(wrong):
    with pytest.raises(ValueError, match="jpeg takes uint8"):
        cues.jpeg(wrong)
    with pytest.raises(ValueError, match="got -1"):
        cues.jpeg(noise(), shift=-1)


# --- using them -------------------------------------------------------------------------------------------------------


def test_changed_applies_and_rounds_back():
    images = noise(7)
    assert torch.equal(cues.transformed(images, lambda x: x, batch_size=3), images)
    assert torch.equal(cues.transformed(images, lambda x: -x), 255 - images)
    clipped = (3 * to_float(images)).clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    assert torch.equal(cues.transformed(images, lambda x: 3 * x), clipped)  # not wrapped around


FLOAT_CUES = {
    "gap(patch_size=(8, 8), width=2)": partial(cues.gap, patch_size=(8, 8), width=2),
    "grey": cues.grey,
    "flat(patch_size=(8, 8))": partial(cues.flat, patch_size=(8, 8)),
    "padded_crop": cues.padded_crop,
    "watermark": cues.watermark,
}


@pytest.mark.parametrize("name", FLOAT_CUES)
def test_fits_training_and_measuring(name):
    cue, images = FLOAT_CUES[name], noise(20)
    x = to_float(images)
    before = x.clone()
    out = cue(x)
    assert out.shape == x.shape and out.dtype == x.dtype and out.abs().max() <= 1 + 1e-6
    assert torch.equal(x, before)  # nothing in place
    assert cues.transformed(images, cue).dtype == torch.uint8
    assert name_of(cue) == name  # what run.json says
    mp3 = MP3(ViT(num_classes=2, image_size=32, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16), 0.5)
    [line] = pretrain(mp3, images, epochs=1, batch_size=10, transform=cue, precision="float32", progress=False)
    assert line["loss"] > 0

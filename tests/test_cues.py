"""The cues: what each function removes, adds and keeps, and that it works in training and evaluation."""

from functools import partial

import pytest
import torch
from einops import rearrange
from samples import noise, seeded

from mp3lib import MP3, ViT
from mp3lib.data import cues, to_float
from mp3lib.train import pretrain

SIZES = [((32, 32), (8, 8)), ((16, 32), (8, 4)), ((24, 8), (4, 8)), ((32, 32), (4, 4))]


def smooth(b: int = 40, h: int = 32, w: int = 32) -> torch.Tensor:
    """Smooth random images, in which JPEG's block borders show: uint8 (b, 3, h, w)."""
    coarse = torch.rand(b, 3, 4, 4, generator=seeded(2)) * 255
    return torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic").clamp(0, 255).to(torch.uint8)


def patches(images: torch.Tensor, patch_size: tuple[int, int]) -> torch.Tensor:
    h, w = patch_size
    return rearrange(images, "b c (rows h) (cols w) -> b (rows cols) c h w", h=h, w=w)


# --- gap --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
def test_gap_greys_the_border_of_every_patch_and_nothing_else(image_size, patch_size):
    images = to_float(noise(2, *image_size))
    before, after = patches(images, patch_size), patches(cues.gap(images, patch_size, width=1), patch_size)
    assert torch.equal(after[..., 1:-1, 1:-1], before[..., 1:-1, 1:-1])
    for border in (after[..., 0, :], after[..., -1, :], after[..., :, 0], after[..., :, -1]):
        assert (border == 0).all()


def test_gap_of_width_0_changes_nothing_and_the_widest_leaves_the_centre():
    images = to_float(noise())
    assert torch.equal(cues.gap(images, (8, 8), width=0), images)
    left = cues.gap(torch.ones(1, 1, 8, 8), (8, 8), width=3)
    assert left.sum() == 4 and left[0, 0, 3:5, 3:5].all()


def test_an_image_with_a_gap_does_not_depend_on_the_borders_of_its_patches():
    images = to_float(noise())
    other = images.clone()
    other[..., 7::8, :], other[..., ::8] = 0.5, -0.5
    assert torch.equal(cues.gap(images, (8, 8)), cues.gap(other, (8, 8)))


@pytest.mark.parametrize("width", [4, 5, -1])
def test_gap_raises_an_error_for_a_width_that_leaves_nothing(width):
    with pytest.raises(ValueError, match=f"{width} pixels leaves nothing|got {width}"):
        cues.gap(torch.zeros(1, 3, 32, 32), (8, 8), width=width)


@pytest.mark.parametrize("patch_size", [(8, 8), (4, 6)])
@pytest.mark.parametrize("width", [0, 1])
def test_a_hole_removes_as_many_pixels_as_the_gap_and_keeps_the_corners(patch_size, width):
    ones = torch.ones(1, 1, 24, 24)
    with_gap, with_hole = (patches(change(ones, patch_size, width), patch_size) for change in (cues.gap, cues.hole))
    assert (
        cues.gap(ones.half(), patch_size, width).dtype == cues.hole(ones.half(), patch_size, width).dtype == torch.half
    )
    assert with_gap.sum() == with_hole.sum() and torch.equal(cues.hole(ones, patch_size, 0), ones)
    assert (with_hole == with_hole[0, :1]).all()  # the same in every patch
    grid = cues.hole(torch.ones(1, 1, *patch_size), patch_size, width)[0, 0]
    assert grid[[0, 0, -1, -1], [0, -1, 0, -1]].all()


@pytest.mark.parametrize(
    ("patch_size", "width", "pixels"), [(8, 1, 0), (8, 0, 0), (8, 2, 12), (4, 1, 8), ((8, 4), 1, 8), (1, 0, 0)]
)
def test_a_hole_says_how_many_pixels_it_paints_at_the_border(patch_size, width, pixels):
    """In small patches, or for a wide gap, it is no placebo for borders."""
    assert cues.hole_at_border(patch_size, width) == pixels
    h, w = patch_size if isinstance(patch_size, tuple) else (patch_size, patch_size)
    painted = cues.hole(torch.ones(1, 1, h, w), patch_size, width)[0, 0] == 0
    assert painted.sum() - painted[1:-1, 1:-1].sum() == pixels
    with pytest.raises(ValueError, match="9 pixels leaves nothing"):
        cues.hole_at_border(patch_size, 9)
    with pytest.raises(ValueError, match="at most 16,777,216 pixels, got 1000000"):
        cues.hole_at_border(1000000)


@pytest.mark.parametrize("cue", [cues.gap, cues.flat, cues.hole])
def test_patches_must_divide_the_images(cue):
    with pytest.raises(ValueError, match=r"\(8, 6\) does not divide .* \(32, 32\)"):
        cue(torch.zeros(1, 3, 32, 32), (8, 6))


# --- colour and brightness --------------------------------------------------------------------------------------------


def test_grey_gives_equal_channels_and_keeps_grey_images():
    images = to_float(noise())
    changed = cues.grey(images)
    assert torch.equal(changed[:, 0], changed[:, 1]) and torch.equal(changed[:, 0], changed[:, 2])
    torch.testing.assert_close(cues.grey(changed), changed, atol=1e-6, rtol=0)
    assert changed.shape == images.shape and changed.abs().max() <= 1 + 1e-6


def test_grey_weights_the_channels_by_luma():
    pure = torch.eye(3).view(3, 3, 1, 1)  # red, green and blue at 1, the other channels at 0
    torch.testing.assert_close(cues.grey(pure)[:, 0, 0, 0], torch.tensor([0.299, 0.587, 0.114]))
    with pytest.raises(ValueError, match="three channels, got 1"):
        cues.grey(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
def test_flat_gives_every_patch_the_same_mean_and_contrast(image_size, patch_size):
    # uniform noise stays within 2.5 standard deviations, so no value is clipped
    x = patches(cues.flat(to_float(noise(3, *image_size)), patch_size), patch_size).flatten(2)
    torch.testing.assert_close(x.mean(dim=2), torch.zeros(x.shape[:2]), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=2, unbiased=False), torch.full(x.shape[:2], 0.4), atol=1e-4, rtol=0)


def test_flat_removes_differences_of_brightness_and_contrast():
    images = to_float(noise())
    darker = 0.5 * images - 0.3
    torch.testing.assert_close(cues.flat(darker, (8, 8)), cues.flat(images, (8, 8)), atol=1e-3, rtol=0)
    uniform = torch.full((1, 3, 32, 32), 0.7)
    assert (cues.flat(uniform, (8, 8)).abs() < 1e-3).all()


def test_the_first_layernorm_of_the_vit_already_removes_what_flat_removes():
    """`flat` hardly changes the tokens of this ViT, but changes those of a ViT without that LayerNorm."""
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=32, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16)
    images = to_float(noise())
    original, changed = (vit.embed(x) for x in (images, cues.flat(images, (8, 8))))
    torch.testing.assert_close(changed, original, atol=1e-3, rtol=0)
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
    assert (found.sum(dim=0) == 1).all()  # each image is cropped at one position,
    assert (found.sum(dim=1) > 0).all()  # and all 25 positions occur


@pytest.mark.parametrize("mode", ["reflect", "constant"])
def test_padded_crop_shows_a_mirrored_or_grey_border(mode):
    images = to_float(noise(1))
    expected = images[..., 1:5].flip(-1) if mode == "reflect" else torch.zeros(1, 3, 32, 4)
    torch.manual_seed(3)
    crops = cues.padded_crop(images.repeat(200, 1, 1, 1), mode=mode)
    left = crops[(crops[..., 4:] == images[..., :28]).flatten(1).all(dim=1)]  # cropped 4 pixels too far to the left
    assert len(left) and torch.equal(left[..., :4], expected.expand(len(left), -1, -1, -1))


def test_padding_of_0_changes_nothing():
    images = to_float(noise(2, 16, 32))
    assert torch.equal(cues.padded_crop(images, pad=0), images)


# --- the watermark ----------------------------------------------------------------------------------------------------


def test_watermark_is_the_same_on_every_image_and_in_every_call():
    images = 0.5 * to_float(noise())
    marks = cues.watermark(images, strength=0.1) - images
    torch.testing.assert_close(marks, marks[:1].expand_as(marks), atol=1e-6, rtol=0)
    assert torch.equal(cues.watermark(images, strength=0.1) - images, marks)
    assert 0.09 < marks.abs().max() <= 0.1 + 1e-6
    assert (patches(marks, (8, 8))[0].flatten(1).unique(dim=0)).shape[0] == 16  # no two patches have the same mark


def test_watermark_does_not_use_the_global_generator():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    cues.watermark(torch.zeros(1, 3, 8, 8))
    assert torch.equal(torch.rand(3), expected)


# --- JPEG -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 3, 4])
def test_jpeg_adds_steps_at_the_borders_of_its_blocks_which_shift_moves(shift):
    images = smooth(h=64, w=64)
    compressed = cues.jpeg(images, quality=20, shift=shift)
    for axis in (2, 3):
        after, before = (x.float().diff(dim=axis).abs().mean(dim=[0, 1, 5 - axis]) for x in (compressed, images))
        added = after - before
        at_borders = torch.arange(1, 64) % 8 == -shift % 8
        assert added[at_borders].min() > added[~at_borders].max()


def test_jpeg_has_larger_errors_at_lower_quality():
    images = noise()
    errors = [(cues.jpeg(images, quality=q).float() - images).abs().mean() for q in (95, 75, 20)]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_jpeg_keeps_shape_and_order_and_does_not_change_its_input():
    images = smooth(3, 16, 24)
    before = images.clone()
    compressed = cues.jpeg(images, quality=95)
    assert compressed.shape == images.shape and compressed.dtype == torch.uint8 and torch.equal(images, before)
    for i in range(3):
        assert torch.equal(cues.jpeg(images[i : i + 1], quality=95)[0], compressed[i])
        assert (compressed[i].float() - images[i]).abs().mean() < 6


@pytest.mark.parametrize("wrong", [torch.zeros(1, 3, 8, 8), noise()[0], noise()[:, :1]])
def test_jpeg_raises_an_error_for_anything_but_uint8_rgb(wrong):
    with pytest.raises(ValueError, match="jpeg takes uint8"):
        cues.jpeg(wrong)
    with pytest.raises(ValueError, match="got -1"):
        cues.jpeg(noise(), shift=-1)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"quality": 0}, "quality must be a whole number, 1 to 95, got 0"), ({"quality": 96}, "got 96"),
     ({"quality": 1.5}, "got 1.5"), ({"shift": 1.5}, "shift must be .*got 1.5")],
)  # fmt: skip
def test_jpeg_has_qualities_from_1_to_95(options, words):
    with pytest.raises(ValueError, match=words):
        cues.jpeg(noise(), **options)


@pytest.mark.parametrize("cue", [partial(cues.gap, patch_size=8), partial(cues.hole, patch_size=8), cues.grey,
                                 partial(cues.flat, patch_size=8), cues.padded_crop, cues.watermark])  # fmt: skip
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (noise(), "got torch.uint8; transformed applies one"),
        (noise().float(), r"must lie in \[-1, 1\], got 0 to 255"),
        (torch.full((1, 3, 8, 8), float("nan")), "got nan to nan"),
        (torch.zeros(3, 8, 8), r"got a tensor of torch.float32 \(3, 8, 8\)"),
        (torch.zeros(0, 3, 8, 8), r"got a tensor of torch.float32 \(0, 3, 8, 8\)"),
        ([1.0], r"got \[1.0\]"),
    ],
)
def test_cues_take_float_images_only(cue, images, words):
    with pytest.raises(ValueError, match=words):
        cue(images)


def test_an_integer_is_a_square_patch():
    images = to_float(noise())
    for cue in (cues.gap, cues.hole, cues.flat):
        assert torch.equal(cue(images, 8), cue(images, (8, 8)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (partial(cues.watermark, strength=float("nan")), "strength must .*got nan"),
        (partial(cues.gap, patch_size=0), "patch_size must .*got 0"),
        (partial(cues.gap, patch_size=(8, 8.0)), r"patch_size must .*got \(8, 8.0\)"),
        (partial(cues.gap, patch_size=8, width=1.5), "width must .*got 1.5"),
        (partial(cues.flat, patch_size=8, contrast=float("inf")), "contrast must .*got inf"),
        (partial(cues.padded_crop, pad=-1), "pad must .*got -1"),
        (partial(cues.padded_crop, pad=32), "pad must be a whole number, 0 to 31, got 32"),
        (partial(cues.padded_crop, mode="circular"), "mode must .*got 'circular'"),
    ],
)
def test_settings_of_cues_are_checked(call, words):
    with pytest.raises(ValueError, match=words):
        call(to_float(noise()))


def test_transformed_refuses_what_it_cannot_round():
    for arguments, words in (
        ((to_float(noise()), torch.clone), "uint8 .*got torch.float32"),
        ((noise(), lambda x: x * float("nan")), "finite images, got nan"),
        ((noise(), lambda x: x.long()), "float images .*got a tensor of torch.int64"),
        ((noise(), None), "function of images, got None"),
        ((noise(), torch.clone, 0), "batch_size must .*got 0"),
    ):
        with pytest.raises(ValueError, match=words):
            cues.transformed(*arguments)


# --- in training and evaluation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x[:1], r"same shape \(2, 3, 8, 8\), got \(1, 3, 8, 8\)"),
        (lambda x: x.repeat(2, 1, 1, 1), r"got \(4, 3, 8, 8\)"),
        (lambda x: x[..., :4], r"got \(2, 3, 8, 4\)"),
        (lambda x: x[:, :1], r"got \(2, 1, 8, 8\)"),
        (lambda x: x.flatten(), r"got \(384,\)"),
        (lambda x: x.to(torch.uint8), "must return float images"),
        (lambda x: x.numpy(), "must return float images"),
        (lambda x: x.to("meta"), "the result of transform must hold values"),
        (lambda x: x.to_sparse(), "the result of transform must be a dense tensor"),
        (lambda x: x / 0, "must return finite images"),
    ],
)
def test_transformed_refuses_other_images_than_it_gave(function, words):
    with pytest.raises(ValueError, match=words):
        cues.transformed(torch.full((2, 3, 8, 8), 200, dtype=torch.uint8), function)


def test_transformed_takes_results_of_any_precision():
    images = torch.arange(192, dtype=torch.uint8).view(1, 3, 8, 8)
    for dtype in (torch.float64, torch.float16):
        assert torch.equal(cues.transformed(images, lambda x, dtype=dtype: x.to(dtype)), images)


def test_transformed_applies_a_function_and_rounds_back_to_uint8():
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
def test_cues_work_in_evaluation_and_training_and_run_json_names_them(name, tmp_path):
    cue, images = FLOAT_CUES[name], noise(20)
    x = to_float(images)
    before = x.clone()
    out = cue(x)
    assert out.shape == x.shape and out.dtype == x.dtype and out.abs().max() <= 1 + 1e-6
    assert torch.equal(x, before)  # the input is not changed
    assert cues.transformed(images, cue).dtype == torch.uint8
    mp3 = MP3(ViT(num_classes=2, image_size=32, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16), 0.5)
    settings = dict(epochs=1, batch_size=10, transform=cue, precision="float32", progress=False)
    [line] = pretrain(mp3, images, out=tmp_path / "run", **settings)
    assert line["loss"] > 0
    assert f'"transform": "{name}"' in (tmp_path / "run" / "run.json").read_text()

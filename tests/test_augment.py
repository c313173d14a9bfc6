"""Augmentation: the range of the pixels, the random boxes, crops without padding, and distortions."""

import math

import numpy as np
import pytest
import torch
from samples import noise, seeded

from mp3lib.data import random_resized_crop, strong_augment, to_float
from mp3lib.data.augment import _distortions, _recolour, _resample, random_boxes
from mp3lib.data.tensors import as_images, as_labels


def test_to_float_maps_the_256_values_evenly_onto_minus_one_to_one():
    values = to_float(torch.arange(256, dtype=torch.uint8))
    assert values.dtype == torch.float32
    assert values[0] == -1 and values[255] == 1
    torch.testing.assert_close(values.diff(), torch.full((255,), 2 / 255), atol=1e-6, rtol=0)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64), [1, 2]])
def test_to_float_raises_an_error_for_anything_but_uint8(wrong):
    with pytest.raises(ValueError, match="uint8"):
        to_float(wrong)


def test_the_whole_image_as_box_changes_nothing():
    images = noise(16, 24, 40)
    whole = random_resized_crop(images, area=(1, 1), flip=False, generator=seeded())
    torch.testing.assert_close(whole, to_float(images), atol=1e-5, rtol=0)


def test_flip_mirrors_about_half_of_the_images_and_only_left_to_right():
    images = noise(400)
    crops = random_resized_crop(images, area=(1, 1), flip=True, generator=seeded())
    same = (crops - to_float(images)).abs().amax(dim=(1, 2, 3)) < 1e-4
    mirrored = (crops - to_float(images).flip(-1)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert torch.all(same ^ mirrored)
    assert 150 < mirrored.sum() < 250


def test_boxes_lie_inside_the_image_and_have_the_requested_area():
    x, y, width, height = random_boxes(20_000, (0.3, 0.9), seeded())
    for centre, length in ((x, width), (y, height)):
        assert (centre - length / 2).min() >= -1e-6 and (centre + length / 2).max() <= 1 + 1e-6
    share, ratio = width * height, width / height
    assert share.min() >= 0.3 - 1e-5 and share.max() <= 0.9 + 1e-5
    quarters = torch.histc(share, bins=4, min=0.3, max=0.9) / len(share)
    assert (quarters - 0.25).abs().max() < 0.02  # uniform
    assert ratio.min() >= 3 / 4 - 1e-5 and ratio.max() <= 4 / 3 + 1e-5
    assert abs(ratio.log().mean()) < 0.01  # as often tall as wide
    # positions range from one side of the image to the other
    assert (x - width / 2).min() < 0.01 and (x + width / 2).max() > 0.99


def test_a_crop_shows_a_box_of_the_image_and_nothing_from_outside():
    """If the value of a pixel is its x or y, a crop is that ramp over its box, without a mirrored or black border."""
    b, h, w = 64, 20, 32
    across = ((torch.arange(w) + 0.5) / w * 2 - 1).expand(b, 1, h, w)
    down = ((torch.arange(h) + 0.5) / h * 2 - 1)[:, None].expand(b, 1, h, w)
    crops = random_resized_crop(torch.cat([across, down], dim=1), generator=seeded(3), flip=False)
    x, y, width, height = random_boxes(b, (0.6, 1.0), seeded(3))
    expected_x = (x[:, None] + width[:, None] * ((torch.arange(w) + 0.5) / w - 0.5)) * 2 - 1
    expected_y = (y[:, None] + height[:, None] * ((torch.arange(h) + 0.5) / h - 0.5)) * 2 - 1
    # within half a pixel of the border there is no second pixel to interpolate with, and the last value is repeated
    expected_x, expected_y = expected_x.clamp(-1 + 1 / w, 1 - 1 / w), expected_y.clamp(-1 + 1 / h, 1 - 1 / h)
    torch.testing.assert_close(crops[:, 0], expected_x[:, None, :].expand(b, h, w), atol=1e-4, rtol=0)
    torch.testing.assert_close(crops[:, 1], expected_y[:, :, None].expand(b, h, w), atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_crops_and_each_image_has_its_own_box():
    images = noise(1).expand(8, 3, 32, 32)
    first, again = (random_resized_crop(images, generator=seeded(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, random_resized_crop(images, generator=seeded(6)))
    assert len({crop.numpy().tobytes() for crop in first}) == 8


def test_uint8_and_float_images_give_the_same_crops_and_are_not_changed():
    images = noise(16)
    before = images.clone()
    floats = to_float(images)
    kept = floats.clone()
    crops = random_resized_crop(images, generator=seeded())
    assert crops.dtype == torch.float32 and crops.shape == images.shape
    assert crops.min() >= -1 and crops.max() <= 1
    assert torch.equal(crops, random_resized_crop(floats, generator=seeded()))
    assert torch.equal(images, before) and torch.equal(floats, kept)


@pytest.mark.parametrize(
    ("images", "area", "message"),
    [
        (torch.zeros(3, 32, 32), (0.6, 1), r"\(3, 32, 32\)"),
        (torch.zeros(0, 3, 32, 32), (0.6, 1), r"\(0, 3, 32, 32\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), (0.6, 1), "int64"),
        (torch.full((2, 3, 8, 8), 255.0), (0.6, 1), "255"),
        (torch.full((2, 3, 8, 8), float("nan")), (0.6, 1), "nan"),
        (torch.zeros(2, 3, 8, 8), (0, 1), "area"),
        (torch.zeros(2, 3, 8, 8), (0.8, 0.6), "area"),
        (torch.zeros(2, 3, 8, 8), (0.6, 1.2), "area"),
        (torch.zeros(2, 3, 8, 8), (float("nan"), 1), r"area .*got \(nan, 1\)"),
        (torch.zeros(2, 3, 8, 8), 0.6, "area .*got 0.6"),
        (torch.zeros(2, 3, 8, 8), ("0.6", 1), r"area .*got \('0.6', 1\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.complex64), (0.6, 1), "complex64"),
    ],
)
def test_bad_input_raises_an_error_with_its_value(images, area, message):
    with pytest.raises(ValueError, match=message):
        random_resized_crop(images, area=area)


def test_strength_0_without_erasing_equals_the_crop_alone_bit_by_bit():
    images = noise(16, 24, 40)
    assert torch.equal(
        strong_augment(images, 0, 0, generator=seeded()), random_resized_crop(images, generator=seeded())
    )


def test_distortions_grow_with_the_strength():
    images = noise(64) // 2 + 64
    crops = random_resized_crop(images, generator=seeded())
    distances = [(strong_augment(images, s, generator=seeded()) - crops).abs().mean().item() for s in (1e-3, 0.1, 1.0)]
    assert distances[0] < 2e-3 and distances == sorted(distances) and distances[2] > 0.1


def test_strong_augment_distorts_each_image_differently_and_keeps_the_range():
    image = noise(1)
    changed = strong_augment(image.expand(64, 3, 32, 32), 1.0, 0.5, area=(1, 1), flip=False, generator=seeded())
    assert changed.dtype == torch.float32 and changed.min() >= -1 and changed.max() <= 1
    assert len({x.numpy().tobytes() for x in changed}) > 50
    assert torch.equal(
        changed, strong_augment(image.expand(64, 3, 32, 32), 1.0, 0.5, area=(1, 1), flip=False, generator=seeded())
    )


@pytest.mark.parametrize("size", [(32, 32), (20, 40)])
def test_geometry_equals_its_formula(size):
    """Sheared, shifted and rotated ramps equal their formulas wherever the source pixel is inside the image."""
    h, w = size
    x = torch.arange(w) - (w - 1) / 2
    y = torch.arange(h) - (h - 1) / 2
    y, x = torch.meshgrid(y, x, indexing="ij")  # in pixels from the centre
    ramps = torch.stack([x / w, y / h])[None].repeat(6, 1, 1, 1)
    level = torch.tensor(0.5)
    moved = _resample(ramps, _distortions(torch.arange(6), level.expand(6), h, w))
    cos, sin = math.cos(math.pi / 12), math.sin(math.pi / 12)
    sources = [(x, y), (x + 0.15 * y, y), (x, y + 0.15 * x), (x + 0.225 * w, y), (x, y + 0.225 * h)]
    sources += [(cos * x - sin * y, sin * x + cos * y)]
    for (u, v), image in zip(sources, moved, strict=True):
        inside = (u.abs() <= (w - 1) / 2) & (v.abs() <= (h - 1) / 2)
        assert inside.float().mean() > 0.4
        torch.testing.assert_close(image[0][inside], (u / w)[inside], atol=1e-5, rtol=0)
        torch.testing.assert_close(image[1][inside], (v / h)[inside], atol=1e-5, rtol=0)


def test_each_change_of_colour_does_what_its_name_says():
    x = noise(1).float() / 127.5 - 1

    def recoloured(kind: int, level: float, sign: int = 1) -> torch.Tensor:
        return _recolour(x, *(torch.tensor([value]) for value in (kind, level, sign)))

    for kind in range(8):
        torch.testing.assert_close(recoloured(kind, 0.0), x, atol=1e-6, rtol=0)
    assert torch.equal(recoloured(0, 1.0), x)
    torch.testing.assert_close(recoloured(1, 1.0, -1), 0.1 * (x + 1) - 1)  # 0.1 times the brightness
    grey = recoloured(2, 1.0, -1)
    torch.testing.assert_close(
        grey.amax(dim=1) - grey.amin(dim=1), 0.1 * (x.amax(dim=1) - x.amin(dim=1)), atol=1e-6, rtol=0
    )
    assert recoloured(3, 0.8, -1).std() < 0.4 * x.std() and recoloured(3, 0.3, 1).std() > x.std()
    assert recoloured(4, 0.8, -1).diff(dim=3).abs().mean() < 0.5 * x.diff(dim=3).abs().mean()  # blurred
    assert len(recoloured(5, 1.0).unique()) == 16  # 4 of 8 bits
    assert torch.equal(recoloured(6, 0.5), -x.abs())  # solarised: values above 0 are inverted
    dim = _recolour(0.2 * x, torch.tensor([7]), torch.tensor([1.0]), torch.tensor([1]))
    assert torch.equal(dim.amin(dim=(2, 3)), -torch.ones(1, 3)) and torch.all(dim.amax(dim=(2, 3)) > 0.999)


def test_erasing_fills_a_box_in_the_requested_share_of_images():
    images = torch.zeros(2000, 3, 16, 16)
    holes = strong_augment(images, 0, 0.25, generator=seeded()) != 0
    hit = holes.any(dim=1).flatten(1).any(dim=1)
    assert abs(hit.float().mean() - 0.25) < 0.03
    share = holes[hit].any(dim=1).float().mean(dim=(1, 2))
    assert share.max() < 0.4 and share.min() < 0.06 and 0.12 < share.mean() < 0.22
    one = holes[hit].any(dim=1)[0]
    assert one.sum() == one.any(dim=0).sum() * one.any(dim=1).sum()  # a box


@pytest.mark.parametrize(
    ("strength", "erase"), [(1.5, 0), (-0.1, 0), (0, 2), (float("nan"), 0), (0, float("nan")), ("1", 0)]
)
def test_strength_and_probability_outside_0_to_1_raise_an_error(strength, erase):
    with pytest.raises(ValueError, match="must lie between 0 and 1, got"):
        strong_augment(noise(1), strength, erase)


def test_images_and_labels_come_in_several_forms():
    images = noise(2)
    assert torch.equal(as_images(images.numpy()), images) and as_images(images) is images
    read_only = images.numpy()
    read_only.flags.writeable = False
    assert torch.equal(as_images(read_only[::-1]), images.flip(0))
    for wrong, words in (
        (images.permute(0, 2, 3, 1), r"looks like \(N, H, W, c\): permute\(0, 3, 1, 2\)"),
        (images[0], r"got torch.uint8 \(3, 32, 32\)"),
        (images.numpy().astype("float32"), r"got float32 \(2, 3, 32, 32\)"),
        ([[1]], r"got \[\[1\]\]"),
    ):
        with pytest.raises(ValueError, match=words):
            as_images(wrong)
    for labels in ([0, 2], torch.tensor([0, 2], dtype=torch.uint8), np.array([0, 2], dtype=np.uint16)):
        assert torch.equal(as_labels(labels, 2), torch.tensor([0, 2]))

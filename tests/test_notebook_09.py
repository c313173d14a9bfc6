"""What notebook 09 builds by hand is what ``mp3lib.data.cues`` has; its look into the layers is the model's own way."""

import pytest
import torch
from notebook_code import definitions

from mp3lib import MP3, ViT, sample_context
from mp3lib.data import cues, to_float

nb = definitions("09")
SIZES = [((32, 32), (8, 8)), ((16, 32), (8, 4)), ((24, 8), (4, 8)), ((32, 32), (4, 4))]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(b: int = 3, h: int = 32, w: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (b, 3, h, w), dtype=torch.uint8, generator=seeded(1))


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
@pytest.mark.parametrize(("name", "cue"), [("gap_loop", cues.gap), ("gap", cues.gap), ("hole", cues.hole)])
def test_gap_and_hole(name, cue, image_size, patch_size):
    images = to_float(noise(2, *image_size))
    for width in range((min(patch_size) - 1) // 2 + 1):
        before = images.clone()
        assert torch.equal(nb[name](images, patch_size, width), cue(images, patch_size, width))
        assert torch.equal(images, before)


@pytest.mark.parametrize("image_size", [(32, 32), (8, 24)])
def test_grey(image_size):
    images = to_float(noise(4, *image_size))
    torch.testing.assert_close(nb["grey"](images), cues.grey(images), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
@pytest.mark.parametrize("name", ["flat_loop", "flat"])
@pytest.mark.parametrize("contrast", [0.4, 0.7])
def test_flat(name, image_size, patch_size, contrast):
    images = to_float(noise(2, *image_size))
    images[0] *= 0.001  # nearly even patches
    before = images.clone()
    ours = nb[name](images, patch_size, contrast)
    torch.testing.assert_close(ours, cues.flat(images, patch_size, contrast), atol=1e-5, rtol=0)
    assert torch.equal(images, before)


@pytest.mark.parametrize(("pad", "mode"), [(4, "reflect"), (2, "constant"), (0, "reflect")])
def test_padded_crop(pad, mode):
    images, crops = to_float(noise(20, 16, 32)), []
    for crop in (nb["padded_crop"], cues.padded_crop):
        torch.manual_seed(4)
        crops.append(crop(images, pad, mode))
    assert torch.equal(*crops)


@pytest.mark.parametrize("settings", [{}, {"quality": 20}, {"quality": 95, "shift": 4}, {"shift": 3}])
def test_jpeg(settings):
    images = noise(3, 16, 24)
    assert torch.equal(nb["jpeg"](images, **settings), cues.jpeg(images, **settings))


@pytest.mark.parametrize("strength", [0.0, 0.05, 1.0])
def test_watermark(strength):
    images = to_float(noise(2, 8, 24))
    assert torch.equal(nb["watermark"](images, strength), cues.watermark(images, strength))


@pytest.mark.parametrize("patch_size", [(8, 8), (4, 4), (8, 4)])
def test_levels_begin_with_nothing_and_change_something_after_that(patch_size):
    images = noise(4)
    for cue, levels in nb["levels_of"](patch_size).items():
        assert len(levels) == 4 and all(len(label) < 20 for label, _ in levels)
        made = [change(images) for _, change in levels]
        assert torch.equal(made[0], images), cue
        for changed in made[1:]:
            assert changed.shape == images.shape and changed.dtype == torch.uint8
            assert not torch.equal(changed, images), cue


@pytest.mark.parametrize("mode", ["frozen", "updated"])
@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
def test_the_last_layer_is_what_predict_says(mode, image_size, patch_size):
    torch.manual_seed(0)
    settings = dict(dim=16, depth=3, heads=2, dim_head=8, mlp_dim=24)
    mp3 = MP3(ViT(num_classes=2, image_size=image_size, patch_size=patch_size, **settings), 0.5, mode)
    images = to_float(noise(4, *image_size))
    context, _ = sample_context(4, mp3.vit.num_patches, 0.5, generator=seeded(3))
    layers, indices = nb["after_each_layer"](mp3, images, context)
    assert layers.shape == (4, 4, mp3.vit.num_patches, 16)
    assert torch.equal(indices[:, : context.shape[1]], context)
    assert torch.equal(indices.sort(dim=1).values, torch.arange(mp3.vit.num_patches).expand(4, -1))
    expected = mp3.predict(images, context).logits
    expected = expected.gather(1, indices[:, :, None].expand_as(expected))
    torch.testing.assert_close(mp3.mlp_head(layers[-1]), expected, atol=1e-5, rtol=0)
    raw = mp3.embed(images).gather(1, indices[:, :, None].expand_as(layers[0]))
    torch.testing.assert_close(layers[0], raw)

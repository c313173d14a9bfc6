"""Cues that could reveal the position of a patch. Each function removes one cue from images, or adds one.

All functions except ``jpeg`` take and return float images (b, c, H, W) in [-1, 1], and can be passed to
``pretrain(transform=...)``. ``transformed`` applies such a function to uint8 images, for evaluation. Notebook 09 builds
these functions and measures their effects.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from PIL import Image
from torch import Tensor

from ..arguments import as_pair, check_dense, is_finite, not_finite, number, shown, whole
from ..luma import LUMA
from .tensors import as_images, to_float

SLACK = 0.01  # by which values may leave [-1, 1]: what other cues return in half precision
MOST_PIXELS = 2**24  # of a patch


def transformed(images: Tensor, transform: Callable[[Tensor], Tensor], batch_size: int = 1000) -> Tensor:
    """Apply ``transform`` to uint8 images, and round the result back to uint8.

    Args:
        images: uint8 (N, c, H, W).
        transform: a function of float images (b, c, H, W) in [-1, 1]. Results outside that range are clipped.
        batch_size: number of images transformed at a time.

    Raises:
        ValueError: for images that are not uint8 (N, c, H, W), a batch size below 1, and a function whose result is
            not float images of the same number and shape, all finite.
    """
    images, batch_size = as_images(images), whole("batch_size", batch_size)
    if not callable(transform):
        raise ValueError(f"transform must be a function of images, got {shown(transform)}")
    parts = []
    for part in images.split(batch_size):
        changed = changed_by(transform, to_float(part))
        if not is_finite(changed):
            raise ValueError(f"transform must return finite images, got {not_finite(changed)}")
        parts.append(changed.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8))
    return torch.cat(parts)


def changed_by(transform: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """``transform(images)`` in the dtype of ``images``; ``ValueError`` unless it has the same shape."""
    expected = tuple(images.shape)
    changed = transform(images)
    if not isinstance(changed, Tensor) or not changed.is_floating_point():
        raise ValueError(f"transform must return float images (b, c, H, W), got {shown(changed)}")
    check_dense("the result of transform", changed)
    if changed.shape != expected:
        raise ValueError(f"transform must return images of the same shape {expected}, got {tuple(changed.shape)}")
    return changed.to(images.dtype)


def gap(images: Tensor, patch_size: int | tuple[int, int], width: int = 1) -> Tensor:
    """Make the border of every patch grey (0), so that no line continues from one patch to the next.

    This also removes a share of 1 - (1 - 2 width / p)^2 of the pixels of a patch of p x p pixels. ``hole`` removes as
    many pixels from the middle, and serves as the placebo.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        patch_size: height and width of a patch in pixels, an int or a pair.
        width: of the grey border inside each side of a patch, in pixels; 0 changes nothing.

    Raises:
        ValueError: if ``width`` is not a whole number or negative, if no pixel of a patch would be left, if the patches
            do not divide the images, or if these are not float (b, c, H, W) in [-1, 1].
    """
    check_images(images)
    patch_size, width = check_patches(images, patch_size), whole("width", width, 0)
    if 2 * width >= min(patch_size):
        raise ValueError(f"a gap of {width} pixels leaves nothing of patches of {patch_size}")
    keep = torch.zeros(patch_size, dtype=torch.bool, device=images.device)
    keep[width : patch_size[0] - width, width : patch_size[1] - width] = True
    return images * repeated(keep, images)


def hole(images: Tensor, patch_size: int | tuple[int, int], width: int = 1) -> Tensor:
    """The placebo of ``gap``: make as many pixels of every patch grey (0), but those nearest to its centre.

    Among pixels at the same distance, the first ones row by row are chosen. In small patches, or for a wide gap, so
    many pixels include some at the border. Then this is no placebo for borders: ``hole_at_border`` counts them. They
    are 0 in patches of 8 x 8 pixels with width 1, but 8 of the 12 border pixels in patches of 4 x 4.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        patch_size: height and width of a patch in pixels, an int or a pair.
        width: of the gap that has the same number of grey pixels; 0 changes nothing.

    Raises:
        ValueError: in the same cases as ``gap``.
    """
    check_images(images)
    keep = outside_hole(check_patches(images, patch_size), width)
    return images * repeated(keep.to(images.device), images)


def hole_at_border(patch_size: int | tuple[int, int], width: int = 1) -> int:
    """How many of the pixels that ``hole`` makes grey in a patch are at its border, beside another patch.

    Args:
        patch_size: height and width of a patch in pixels, an int or a pair.
        width: as in ``hole``.

    Raises:
        ValueError: for a ``patch_size`` or ``width`` that ``gap`` refuses, and for more pixels than 2**24.
    """
    h, w = as_pair(patch_size, "patch_size")
    if h * w > MOST_PIXELS:
        raise ValueError(f"patch_size must be of at most {MOST_PIXELS:,} pixels, got {shown(patch_size)}")
    painted = ~outside_hole((h, w), width)
    return int(painted.sum() - painted[1:-1, 1:-1].sum())


def outside_hole(patch_size: tuple[int, int], width: int) -> Tensor:
    """Which pixels of a patch ``hole`` keeps: bool (h, w)."""
    h, w = patch_size
    count = int((gap(torch.ones(1, 1, h, w), patch_size, width) == 0).sum())
    y, x = torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2
    keep = torch.ones(h * w, dtype=torch.bool)
    keep[(y[:, None] ** 2 + x**2).flatten().argsort(stable=True)[:count]] = False
    return keep.view(h, w)


def grey(images: Tensor) -> Tensor:
    """Remove the colour: replace every channel by the luma (ITU-R BT.601).

    Args:
        images: float RGB (b, 3, H, W) in [-1, 1].

    Raises:
        ValueError: for another number of channels, and for images that are not float (b, c, H, W) in [-1, 1].
    """
    check_images(images)
    if images.shape[1] != 3:
        raise ValueError(f"grey takes images of three channels, got {images.shape[1]}")
    luma = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return torch.einsum("b c h w, c -> b h w", images, luma)[:, None].expand_as(images).clone()


def flat(images: Tensor, patch_size: int | tuple[int, int], contrast: float = 0.4) -> Tensor:
    """Give every patch the same brightness (mean 0) and the same contrast (standard deviation ``contrast``).

    Mean and standard deviation are those of all pixels and channels of a patch together. Values outside [-1, 1] are
    clipped, which changes both slightly. Nearly uniform patches (variance about 1e-5) get a lower contrast.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        patch_size: height and width of a patch in pixels, an int or a pair.
        contrast: standard deviation, 0 to 100; 1 is the difference between grey and white.

    Raises:
        ValueError: if the patches do not divide the images, if these are not float (b, c, H, W) in [-1, 1], or for
            another contrast.
    """
    check_images(images)
    patch_size = check_patches(images, patch_size)
    contrast = number("contrast", contrast, "lie between 0 and 100", lambda c: 0 <= c <= 100)
    height, width = images.shape[-2] // patch_size[0], images.shape[-1] // patch_size[1]
    patches = rearrange(
        images, "b c (h p1) (w p2) -> b (h w) (c p1 p2)", p1=patch_size[0], p2=patch_size[1], h=height, w=width
    )
    patches = F.layer_norm(patches, patches.shape[-1:]) * contrast
    whole = rearrange(
        patches, "b (h w) (c p1 p2) -> b c (h p1) (w p2)", p1=patch_size[0], p2=patch_size[1], h=height, w=width
    )
    return whole.clamp(-1, 1)


def padded_crop(images: Tensor, pad: int = 4, mode: Literal["reflect", "constant"] = "reflect") -> Tensor:
    """The usual augmentation of CIFAR-10: pad each image, then cut out a random box of the original size.

    The padded border is recognisable; here it is the cue. The function uses the global random generator.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        pad: pixels added on each side, at least 0; in mode ``reflect``, less than the height and width of the images.
        mode: ``reflect`` mirrors the image at its border, ``constant`` fills with grey (0).

    Raises:
        ValueError: for another ``pad`` or ``mode``, and for images that are not float (b, c, H, W) in [-1, 1].
    """
    check_images(images)
    if not isinstance(mode, str) or mode not in ("reflect", "constant"):
        raise ValueError(f'mode must be "reflect" or "constant", got {shown(mode)}')
    pad = whole("pad", pad, 0, min(images.shape[2:]) - 1 if mode == "reflect" else 10_000)
    padded = F.pad(images, (pad,) * 4, mode=mode)
    b, _, height, width = images.shape
    top, left = torch.randint(2 * pad + 1, (2, b))
    # index arrays that broadcast to (b, c, height, width): one box for each image
    rows = (top[:, None] + torch.arange(height))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width))[:, None, None, :]
    channels = torch.arange(images.shape[1])[None, :, None, None]
    return padded[torch.arange(b)[:, None, None, None], channels, rows.to(images.device), columns.to(images.device)]


def watermark(images: Tensor, strength: float = 0.05) -> Tensor:
    """Add a shortcut: the same faint noise in every image.

    The noise is uniform in [-1, 1] and always drawn from seed 0, so that it depends only on the size (c, H, W).

    Args:
        images: float (b, c, H, W) in [-1, 1]. The result is clipped to this range.
        strength: factor of the noise, 0 to 100; 1 is the difference between grey and white.

    Raises:
        ValueError: for another strength, and for images that are not float (b, c, H, W) in [-1, 1].
    """
    check_images(images)
    strength = number("strength", strength, "lie between 0 and 100", lambda s: 0 <= s <= 100)
    noise = torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(0)) * 2 - 1
    return (images + strength * noise.to(images)).clamp(-1, 1)


def jpeg(images: Tensor, quality: int = 75, shift: int = 0) -> Tensor:
    """Compress images as JPEG with 4:2:0 chroma subsampling, like many images on the web, and decode them again.

    Args:
        images: uint8 (N, 3, H, W).
        quality: of the compression, 1 to 95.
        shift: pixels by which the images are moved down and to the right relative to the blocks of the compression
            (8 x 8 pixels, 16 x 16 for colour). With 0 the first block starts at the top left corner of the image.

    Returns:
        uint8 (N, 3, H, W).

    Raises:
        ValueError: for images that are not uint8 with three channels, another quality, a ``shift`` that is no whole
            number or negative, and images of more than 65,500 pixels on a side, which JPEG does not have.
    """
    quality, shift = whole("quality", quality, 1, 95), whole("shift", shift, 0, 1000)
    if not isinstance(images, Tensor):
        raise ValueError(f"jpeg takes uint8 images (N, 3, H, W), got {shown(images)}")
    check_dense("images", images)
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        raise ValueError(f"jpeg takes uint8 images (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    if max(images.shape[2:]) + shift > 65_500:
        raise ValueError(f"jpeg takes images of at most 65,500 pixels on a side, got {tuple(images.shape)}")
    height, width = images.shape[-2:]
    framed = F.pad(images.float(), (shift, 0, shift, 0), mode="replicate").to(torch.uint8) if shift else images
    result = torch.empty_like(images)
    for i, picture in enumerate(framed.permute(0, 2, 3, 1).cpu().numpy()):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=2)
        decoded = torch.frombuffer(bytearray(Image.open(buffer).convert("RGB").tobytes()), dtype=torch.uint8)
        result[i] = decoded.view(height + shift, width + shift, 3)[shift:, shift:].permute(2, 0, 1)
    return result


def repeated(patch: Tensor, images: Tensor) -> Tensor:
    """Repeat one patch (h, w) to the size of the images, (H, W). Raises ``ValueError`` if it does not divide them."""
    check_patches(images, tuple(patch.shape))
    return patch.repeat(images.shape[-2] // patch.shape[0], images.shape[-1] // patch.shape[1])


def check_patches(images: Tensor, patch_size: int | tuple[int, int]) -> tuple[int, int]:
    """The (height, width) of a patch; raises ``ValueError`` unless the patches divide the images."""
    patch_size = as_pair(patch_size, "patch_size")
    if images.shape[-2] % patch_size[0] or images.shape[-1] % patch_size[1]:
        raise ValueError(f"patch_size {patch_size} does not divide the images' size {tuple(images.shape[-2:])}")
    return patch_size


def check_images(images: Tensor) -> None:
    """Raise ``ValueError`` unless these are float images (b, c, H, W) in [-1, 1]."""
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.numel():
        raise ValueError(f"a cue takes float images (b, c, H, W) in [-1, 1], got {shown(images)}")
    check_dense("images", images)
    if images.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise ValueError(
            f"a cue takes float images in [-1, 1], got {images.dtype}; transformed applies one to uint8 images, and "
            "to_float converts them"
        )
    low, high = images.aminmax()
    if not (low >= -1 - SLACK and high <= 1 + SLACK):
        raise ValueError(f"float images must lie in [-1, 1], got {low.item():.4g} to {high.item():.4g}")

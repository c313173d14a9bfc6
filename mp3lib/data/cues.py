"""Cues that could give positions away, each taken from pictures or planted in them.

All but ``jpeg`` take and give float images (b, c, H, W) in [-1, 1], so that they fit ``pretrain(transform=...)``.
``transformed`` applies such a function to uint8 images, for measuring. Notebook 08 builds them and says what each did.
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

from ..luma import LUMA
from .augment import to_float


def transformed(images: Tensor, transform: Callable[[Tensor], Tensor], batch_size: int = 1000) -> Tensor:
    """uint8 images (N, c, H, W) as ``transform`` makes them, rounded back to uint8.

    ``transform`` gets float images in [-1, 1], ``batch_size`` at a time; what it gives outside that range is clipped.
    """
    parts = [transform(to_float(part)).add(1).mul(127.5).round() for part in images.split(batch_size)]
    return torch.cat(parts).clamp(0, 255).to(torch.uint8)


def gap(images: Tensor, patch_size: tuple[int, int], width: int = 1) -> Tensor:
    """Paint ``width`` pixels along the border of every patch grey (0): no edge of a patch continues in the next.

    It also takes away 1 - (1 - 2 width / p)^2 of the pixels of a patch of p x p: ``hole`` is the placebo.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        patch_size: (height, width) of a patch in pixels.
        width: of the gap on each side of a patch, in pixels; 0 changes nothing.

    Raises:
        ValueError: if ``width`` is negative, nothing of a patch would be left, or the patches do not divide the images.
    """
    if width < 0:
        raise ValueError(f"width must be 0 or more pixels, got {width}")
    if 2 * width >= min(patch_size):
        raise ValueError(f"a gap of {width} pixels leaves nothing of patches of {patch_size}")
    keep = torch.zeros(patch_size, dtype=torch.bool, device=images.device)
    keep[width : patch_size[0] - width, width : patch_size[1] - width] = True
    return images * repeated(keep, images)


def hole(images: Tensor, patch_size: tuple[int, int], width: int = 1) -> Tensor:
    """The placebo of ``gap``: paint as many pixels of every patch grey (0), those nearest to its centre.

    Of pixels equally near the first, row by row, are taken.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        patch_size: (height, width) of a patch in pixels.
        width: of the gap whose number of pixels is painted; 0 changes nothing.

    Raises:
        ValueError: as ``gap`` does.
    """
    h, w = patch_size
    painted = int((gap(torch.ones(1, 1, h, w), patch_size, width) == 0).sum())
    y, x = torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2
    keep = torch.ones(h * w, dtype=torch.bool)
    keep[(y[:, None] ** 2 + x**2).flatten().argsort(stable=True)[:painted]] = False
    return images * repeated(keep.view(h, w).to(images.device), images)


def grey(images: Tensor) -> Tensor:
    """Take the colour away: every channel of float RGB images (b, 3, H, W) becomes the luma (ITU-R BT.601).

    Raises:
        ValueError: for another number of channels.
    """
    if images.shape[1] != 3:
        raise ValueError(f"grey takes images of three channels, got {images.shape[1]}")
    luma = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return torch.einsum("b c h w, c -> b h w", images, luma)[:, None].expand_as(images).clone()


def flat(images: Tensor, patch_size: tuple[int, int], contrast: float = 0.4) -> Tensor:
    """Give every patch the same brightness (mean 0) and the same contrast (standard deviation ``contrast``).

    Mean and deviation are those of all pixels and channels of a patch together. Values beyond [-1, 1] are clipped,
    which bends both a little; patches that are nearly even (variance about 1e-5) keep a lower contrast.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        patch_size: (height, width) of a patch in pixels.
        contrast: standard deviation, where 1 is from grey to white.

    Raises:
        ValueError: if the patches do not divide the images.
    """
    check_patches(images, patch_size)
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
    """The usual CIFAR augmentation: pad by ``pad`` pixels, then cut each image's own box of the old size out.

    The padding leaves a border that can be recognised; that is what it is here for. Uses the global generator.

    Args:
        images: float (b, c, H, W) in [-1, 1].
        pad: pixels on each side, 0 or more; in mode ``reflect`` fewer than the images have.
        mode: ``reflect`` mirrors the image at its border, ``constant`` paints grey (0).
    """
    padded = F.pad(images, (pad,) * 4, mode=mode)
    b, _, height, width = images.shape
    top, left = torch.randint(2 * pad + 1, (2, b))
    rows = (top[:, None] + torch.arange(height))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width))[:, None, None, :]
    channels = torch.arange(images.shape[1])[None, :, None, None]
    return padded[torch.arange(b)[:, None, None, None], channels, rows.to(images.device), columns.to(images.device)]


def watermark(images: Tensor, strength: float = 0.05) -> Tensor:
    """Plant a shortcut: add the same faint noise to every image, at most ``strength`` (1 is from grey to white).

    The noise is uniform, drawn once for each size (c, H, W) from seed 0; sums beyond [-1, 1] are clipped.
    """
    noise = torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(0)) * 2 - 1
    return (images + strength * noise.to(images)).clamp(-1, 1)


def jpeg(images: Tensor, quality: int = 75, shift: int = 0) -> Tensor:
    """uint8 images (N, 3, H, W) after JPEG compression with 4:2:0 chroma, as many copies on the web are.

    Args:
        images: uint8 (N, 3, H, W).
        quality: of the compression, 1 to 95.
        shift: pixels by which the pictures lie further down and to the right on the compression grid (8 x 8, for colour
            16 x 16), which begins at their corner otherwise.

    Raises:
        ValueError: for images that are not uint8 with three channels, or a negative ``shift``.
    """
    if shift < 0:
        raise ValueError(f"shift must be 0 or more pixels, got {shift}")
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"jpeg takes uint8 images (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    height, width = images.shape[-2:]
    framed = F.pad(images.float(), (shift, 0, shift, 0), mode="replicate").to(torch.uint8) if shift else images
    result = torch.empty_like(images)
    for i, picture in enumerate(framed.permute(0, 2, 3, 1).numpy()):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=2)
        decoded = torch.frombuffer(bytearray(Image.open(buffer).convert("RGB").tobytes()), dtype=torch.uint8)
        result[i] = decoded.view(height + shift, width + shift, 3)[shift:, shift:].permute(2, 0, 1)
    return result


def repeated(patch: Tensor, images: Tensor) -> Tensor:
    """One patch (h, w) side by side until it covers the images; ``ValueError`` where it does not fit."""
    check_patches(images, tuple(patch.shape))
    return patch.repeat(images.shape[-2] // patch.shape[0], images.shape[-1] // patch.shape[1])


def check_patches(images: Tensor, patch_size: tuple[int, int]) -> None:
    if images.shape[-2] % patch_size[0] or images.shape[-1] % patch_size[1]:
        raise ValueError(f"patch_size {patch_size} does not divide the images' size {tuple(images.shape[-2:])}")

"""Augmentation of whole batches, on tensors.

There is no padding anywhere in this file: a padded border is recognisable, and a network that has to
say where a patch was would read its answer off it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

ASPECT = (3 / 4, 4 / 3)  # width over height of a crop, relative to the image's own


def to_float(images: Tensor) -> Tensor:
    """Turn uint8 pixels of any shape into float32 in [-1, 1]: ``x / 127.5 - 1``.

    Raises ``ValueError`` when ``images`` is not a uint8 tensor.
    """
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        found = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"to_float takes a uint8 tensor (0 to 255), got {found}")
    return images.to(torch.float32).div_(127.5).sub_(1)


def random_resized_crop(
    images: Tensor,
    area: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Cut a random box out of each image of a batch and stretch it back to the image's size.

    ``images`` is ``(b, c, h, w)``, uint8 or already float in [-1, 1]; the result is float32 ``(b, c, h, w)``
    in [-1, 1], on the same device. Every image gets its own box: its share of the image's area is uniform
    in ``area``, its aspect ratio log-uniform in 3/4 to 4/3 (as far as such a box fits), its place uniform
    and not tied to whole pixels, and it always lies inside the image. ``flip`` mirrors half of the images
    left to right. The same ``generator`` state gives the same boxes on every device.

    Raises ``ValueError`` for another shape, dtype or range.
    """
    images = _as_float_batch(images)
    low, high = area
    if not 0 < low <= high <= 1:
        raise ValueError(f"area must be (low, high) with 0 < low <= high <= 1, got {area}")
    centre_x, centre_y, width, height = random_boxes(len(images), area, generator)
    if flip:
        mirrored = _uniform(1, len(images), generator)[0] < 0.5
        width = torch.where(mirrored, -width, width)
    zero = torch.zeros_like(width)
    # Each output pixel at (x, y) in [-1, 1] looks at (width * x + centre_x, height * y + centre_y) in the input.
    theta = torch.stack([width, zero, 2 * centre_x - 1, zero, height, 2 * centre_y - 1], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    crops = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return crops.clamp_(-1, 1)


def random_boxes(
    number: int, area: tuple[float, float], generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw boxes in the unit square: centre x, centre y, width, height, each (number,) float32 in [0, 1]."""
    share, shape, x, y = _uniform(4, number, generator)
    share = area[0] + (area[1] - area[0]) * share
    # width = sqrt(share * ratio) and height = sqrt(share / ratio) both stay <= 1 for share <= ratio <= 1 / share.
    narrow = share.clamp(min=ASPECT[0]).log()
    wide = (1 / share).clamp(max=ASPECT[1]).log()
    ratio = (narrow + (wide - narrow) * shape).exp()
    width = (share * ratio).sqrt().clamp(max=1)
    height = (share / ratio).sqrt().clamp(max=1)
    return width / 2 + (1 - width) * x, height / 2 + (1 - height) * y, width, height


def _uniform(rows: int, number: int, generator: torch.Generator | None) -> Tensor:
    device = generator.device if generator is not None else "cpu"
    return torch.rand(rows, number, generator=generator, device=device)


def _as_float_batch(images: Tensor) -> Tensor:
    shape = tuple(getattr(images, "shape", ()))
    if not isinstance(images, Tensor) or images.dim() != 4 or 0 in shape:
        raise ValueError(f"images must be a tensor of shape (b, c, h, w), got {shape or type(images).__name__}")
    if images.dtype == torch.uint8:
        return to_float(images)
    if not images.is_floating_point():
        raise ValueError(f"images must be uint8, or float in [-1, 1], got {images.dtype}")
    low, high = images.aminmax()
    if not (low >= -1 and high <= 1):
        raise ValueError(f"float images must lie in [-1, 1], got {low.item():.4g} to {high.item():.4g}")
    return images.to(torch.float32)

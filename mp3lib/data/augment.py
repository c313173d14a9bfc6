"""Augmentation of whole batches, on tensors.

Crops are never padded: a padded border is recognisable, and a network that has to say where a patch was
would read its answer off it. ``strong_augment`` can show what lies outside of an image, as copies of its
border pixels: it is for learning from labels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..luma import LUMA

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
    return _resample(images, _crop_matrices(len(images), area, flip, generator)).clamp_(-1, 1)


def strong_augment(
    images: Tensor,
    strength: float = 1.0,
    erase: float = 0.0,
    area: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``random_resized_crop``, then two random distortions of each image, then perhaps a hole in it.

    Arguments and result as there. Every image gets one of six changes of its geometry (none, shear along x or y, shift
    along x or y, rotation), which is folded into the crop so that pixels are interpolated once, and one of eight
    changes of its colours (none, brightness, colour, contrast, sharpness, posterise, solarise, autocontrast). Each has
    a magnitude of its own, uniform between none and ``strength`` (0 to 1) times the largest of RandAugment: shear 0.3,
    shift 45 % of the side, 30 degrees, factors 0.1 to 1.9, 4 of 8 bits. With probability ``erase`` a box of 2 to 33 %
    of the image is painted in one random colour. With both 0 the result is exactly ``random_resized_crop``'s.

    Raises ``ValueError`` for another shape, dtype or range.

    Sources: RandAugment (arXiv 1909.13719), TrivialAugment (2103.10158, for the uniform magnitudes), random erasing
    (1708.04896).
    """
    for name, value in (("strength", strength), ("erase", erase)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {value}")
    images = _as_float_batch(images)
    number, device = len(images), images.device
    matrices = _crop_matrices(number, area, flip, generator)
    if strength:
        kinds, levels, sides = _uniform(6, number, generator).view(3, 2, number)
        levels, signs = strength * levels, torch.where(sides < 0.5, -1.0, 1.0)
        matrices = matrices @ _distortions((6 * kinds[0]).long(), signs[0] * levels[0], *images.shape[2:])
    images = _resample(images, matrices).clamp_(-1, 1)
    if strength:
        kind, level, sign = (8 * kinds[1]).long().to(device), levels[1].to(device), signs[1].to(device)
        images = _recolour(images, kind, level, sign)
    if erase:
        images = _erase(images, erase, generator)
    return images


def _crop_matrices(number: int, area: tuple[float, float], flip: bool, generator: torch.Generator | None) -> Tensor:
    """(number, 3, 3): where a random crop takes the pixel at (x, y, 1) from, x and y in [-1, 1]."""
    low, high = area
    if not 0 < low <= high <= 1:
        raise ValueError(f"area must be (low, high) with 0 < low <= high <= 1, got {area}")
    centre_x, centre_y, width, height = random_boxes(number, area, generator)
    if flip:
        mirrored = _uniform(1, number, generator)[0] < 0.5
        width = torch.where(mirrored, -width, width)
    zero, one = torch.zeros_like(width), torch.ones_like(width)
    rows = [width, zero, 2 * centre_x - 1, zero, height, 2 * centre_y - 1, zero, zero, one]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def _distortions(kind: Tensor, level: Tensor, height: int, width: int) -> Tensor:
    """(b, 3, 3) of the kinds 0 none, 1 shear x, 2 shear y, 3 shift x, 4 shift y, 5 rotate; level (b,) in [-1, 1]."""
    shear_x, shear_y, shift_x, shift_y, turn = (level * (kind == k) for k in range(1, 6))
    angle, zero, one = math.pi / 6 * turn, torch.zeros_like(level), torch.ones_like(level)
    # in pixels the picture turns by the angle, whatever its shape
    along_x = (0.3 * shear_x - angle.sin()) * (height / width)
    along_y = (0.3 * shear_y + angle.sin()) * (width / height)
    rows = [angle.cos(), along_x, 0.9 * shift_x, along_y, angle.cos(), 0.9 * shift_y, zero, zero, one]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def _resample(images: Tensor, matrices: Tensor) -> Tensor:
    """Each image (c, h, w) as its matrix (3, 3) sees it; outside lie copies of the border pixels."""
    grid = F.affine_grid(matrices[:, :2].to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _recolour(images: Tensor, kind: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """One change of colour for each image (b, c, h, w) in [-1, 1]: kind 0 to 7, level in [0, 1], sign -1 or 1."""
    changed = images.clone()
    for number, change in enumerate((_brighten, _saturate, _contrast, _sharpen, _posterise, _solarise, _stretch), 1):
        chosen = (kind == number).nonzero()[:, 0]
        if len(chosen):
            x = images[chosen]
            changed[chosen] = change(x, level[chosen, None, None, None], sign[chosen, None, None, None]).clamp_(-1, 1)
    return changed


def _away_from(plain: Tensor, x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Blend: factors 0.1 to 1, towards ``plain``, for sign -1; 1 to 1.9, away from it, for sign 1."""
    return plain + (1 + 0.9 * sign * level) * (x - plain)


def _brighten(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(torch.full_like(x, -1), x, level, sign)


def _grey(x: Tensor) -> Tensor:
    weights = x.new_tensor(LUMA) if x.shape[1] == 3 else x.new_full((x.shape[1],), 1 / x.shape[1])
    return torch.einsum("b c h w, c -> b h w", x, weights)[:, None]


def _saturate(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(_grey(x), x, level, sign)


def _contrast(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(_grey(x).mean(dim=(2, 3), keepdim=True), x, level, sign)


def _sharpen(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False), x, level, sign)


def _posterise(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    step = 2 ** (4 * level).round()  # so many of the 256 values become one
    return torch.where(step > 1, ((x + 1) * (127.5 / step) + 1e-3).floor() * step / 127.5 - 1, x)


def _solarise(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return torch.where(x > 1 - 2 * level, -x, x)


def _stretch(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    return x + level * ((x - low) / (high - low).clamp(min=1 / 255) * 2 - 1 - x)


def _erase(images: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """Paint a box of some images in one colour each."""
    number, channels, height, width = images.shape
    x, y, wide, high = random_boxes(number, (0.02, 0.33), generator, aspect=(0.3, 1 / 0.3))
    happens, *colour = _uniform(1 + channels, number, generator)
    across = ((torch.arange(width) + 0.5) / width - x[:, None]).abs() < wide[:, None] / 2
    down = ((torch.arange(height) + 0.5) / height - y[:, None]).abs() < high[:, None] / 2
    inside = (happens < probability)[:, None, None] & down[:, :, None] & across[:, None, :]
    colour = (2 * torch.stack(colour, dim=1) - 1)[:, :, None, None]
    return torch.where(inside[:, None].to(images.device), colour.to(images.device), images)


def random_boxes(
    number: int,
    area: tuple[float, float],
    generator: torch.Generator | None = None,
    aspect: tuple[float, float] = ASPECT,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw boxes in the unit square: centre x, centre y, width, height, each (number,) float32 in [0, 1]."""
    share, shape, x, y = _uniform(4, number, generator)
    share = area[0] + (area[1] - area[0]) * share
    # width = sqrt(share * ratio) and height = sqrt(share / ratio) both stay <= 1 for share <= ratio <= 1 / share.
    narrow = share.clamp(min=aspect[0]).log()
    wide = (1 / share).clamp(max=aspect[1]).log()
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

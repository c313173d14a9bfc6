"""Augmentation of batches of images, as tensors.

``random_resized_crop`` never pads. A padded border is recognisable, and a network that predicts positions could read
the position of a patch from it. ``strong_augment`` may move the border of an image into the crop, and fills the area
outside the image with copies of the border pixels. It is therefore meant for learning from labels.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import as_range, check_generator, share, shown, truth, whole
from ..luma import LUMA
from .crops import ASPECT
from .tensors import as_float_batch


def check_area(area: Any, name: str = "area") -> tuple[float, float]:
    """The range of a crop's share of the image, (low, high)."""
    words = "(low, high) with 0 < low <= high <= 1"
    return as_range(name, area, words, lambda low, high: 0 < low <= high <= 1)


def random_resized_crop(
    images: Tensor,
    area: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
    generator: torch.Generator | None = None,
    part: tuple[int, int] | None = None,
) -> Tensor:
    """Cut a random box out of each image of a batch, and resize it to the size of the image.

    Each image gets its own box, which always lies inside the image. Its position is uniform, and is not rounded to
    whole pixels. Its aspect ratio is log-uniform between 3/4 and 4/3 of the image's, as far as such a box fits.

    Args:
        images: (b, c, h, w), uint8 or float in [-1, 1].
        area: range of the box's share of the image's area, which is uniform.
        flip: mirror each image left to right with a probability of 1/2.
        generator: source of the random numbers. The same state gives the same boxes on every device.
        part: (first, total), where the images are a part of a batch of ``total`` images, from number ``first`` on: each
            image gets the box that it would get in the whole batch. Default: they are the whole batch.

    Returns:
        float32 (b, c, h, w) in [-1, 1], on the device of ``images``.

    Raises:
        ValueError: for images of another shape, dtype or range, unless 0 < low <= high <= 1 in ``area``, for a
            ``flip`` that is not True or False, and for a ``part`` that the images do not fit into.
    """
    images = as_float_batch(images)
    return _resample(images, _crop_matrices(len(images), area, flip, generator, part)).clamp_(-1, 1)


def strong_augment(
    images: Tensor,
    strength: float = 1.0,
    erase: float = 0.0,
    area: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
    generator: torch.Generator | None = None,
    part: tuple[int, int] | None = None,
) -> Tensor:
    """``random_resized_crop``, then two random distortions of each image, then random erasing.

    Each image gets one of six geometric distortions: none, shear along x or y, shift along x or y, rotation. It is
    combined with the crop, so that pixels are interpolated only once. Each image also gets one of eight changes of its
    colours: none, brightness, saturation, contrast, sharpness, posterise, solarise, autocontrast.

    Args:
        images, area, flip, generator, part: as in ``random_resized_crop``.
        strength: from 0 to 1. Each distortion has its own magnitude, uniform between none and ``strength`` times the
            largest magnitude of RandAugment: shear 0.3, shift by 45 % of the side, rotation by 30 degrees, factors
            from 0.1 to 1.9, 4 of 8 bits.
        erase: probability, from 0 to 1, with which a box of 2 to 33 % of an image is filled with one random colour.

    Returns:
        float32 (b, c, h, w) in [-1, 1]. With ``strength`` and ``erase`` 0 it equals the result of
        ``random_resized_crop``.

    Raises:
        ValueError: as in ``random_resized_crop``, and for a strength or probability outside 0 to 1.

    Sources: RandAugment (arXiv 1909.13719), TrivialAugment (arXiv 2103.10158, for the uniform magnitudes), random
    erasing (arXiv 1708.04896).
    """
    strength, erase = share("strength", strength), share("erase", erase)
    images = as_float_batch(images)
    number, device = len(images), images.device
    # one matrix for crop and distortion; the random numbers are drawn in an order that must not change
    matrices = _crop_matrices(number, area, flip, generator, part)
    if strength:
        kinds, levels, sides = _uniform(6, number, generator, part).reshape(3, 2, number)
        levels, signs = strength * levels, torch.where(sides < 0.5, -1.0, 1.0).to(levels.dtype)
        matrices = matrices @ _distortions((6 * kinds[0]).long(), signs[0] * levels[0], *images.shape[2:])
    images = _resample(images, matrices).clamp_(-1, 1)
    if strength:
        kind, level, sign = (8 * kinds[1]).long().to(device), levels[1].to(device), signs[1].to(device)
        images = _recolour(images, kind, level, sign)
    if erase:
        images = _erase(images, erase, generator, part)
    return images


def _crop_matrices(
    number: int,
    area: tuple[float, float],
    flip: bool,
    generator: torch.Generator | None,
    part: tuple[int, int] | None = None,
) -> Tensor:
    """Random crops as matrices (number, 3, 3), which map a pixel of the crop, (x, y, 1), to its source in the image.

    x and y are coordinates in [-1, 1], as in ``torch.nn.functional.affine_grid``.
    """
    area, flip = check_area(area), truth("flip", flip)
    centre_x, centre_y, width, height = random_boxes(number, area, generator, part=part)
    if flip:
        mirrored = _uniform(1, number, generator, part)[0] < 0.5
        width = torch.where(mirrored, -width, width)
    zero, one = torch.zeros_like(width), torch.ones_like(width)
    rows = [width, zero, 2 * centre_x - 1, zero, height, 2 * centre_y - 1, zero, zero, one]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def _distortions(kind: Tensor, level: Tensor, height: int, width: int) -> Tensor:
    """Geometric distortions as matrices (b, 3, 3), in the coordinates of ``_crop_matrices``.

    kind: (b,), 0 none, 1 shear x, 2 shear y, 3 shift x, 4 shift y, 5 rotate; level: (b,) in [-1, 1].
    """
    shear_x, shear_y, shift_x, shift_y, rotation = (level * (kind == k) for k in range(1, 6))
    angle, zero, one = math.pi / 6 * rotation, torch.zeros_like(level), torch.ones_like(level)
    # the factors height / width and width / height make it a rotation in pixels, also for images that are not square
    along_x = (0.3 * shear_x - angle.sin()) * (height / width)
    along_y = (0.3 * shear_y + angle.sin()) * (width / height)
    rows = [angle.cos(), along_x, 0.9 * shift_x, along_y, angle.cos(), 0.9 * shift_y, zero, zero, one]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def _resample(images: Tensor, matrices: Tensor) -> Tensor:
    """Apply to each image (c, h, w) its matrix (3, 3), bilinearly; outside an image, its border pixels are repeated."""
    grid = F.affine_grid(matrices[:, :2].to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _recolour(images: Tensor, kind: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Apply one change of colour to each image.

    images: (b, c, h, w) in [-1, 1]; kind: (b,), 0 to 7; level: (b,) in [0, 1]; sign: (b,), -1 or 1.
    """
    changed = images.clone()
    for number, change in enumerate((_brighten, _saturate, _contrast, _sharpen, _posterise, _solarise, _stretch), 1):
        chosen = (kind == number).nonzero()[:, 0]
        if len(chosen):
            x = images[chosen]
            changed[chosen] = change(x, level[chosen, None, None, None], sign[chosen, None, None, None]).clamp_(-1, 1)
    return changed


def _away_from(plain: Tensor, x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Multiply the difference of ``x`` from ``plain`` by a factor: 1 to 0.1 for sign -1, and 1 to 1.9 for sign 1."""
    return plain + (1 + 0.9 * sign * level) * (x - plain)


def _brighten(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(torch.full_like(x, -1), x, level, sign)


def _grey(x: Tensor) -> Tensor:
    """The luma of RGB images, or else the mean of the channels: (b, 1, h, w)."""
    weights = x.new_tensor(LUMA) if x.shape[1] == 3 else x.new_full((x.shape[1],), 1 / x.shape[1])
    return torch.einsum("b c h w, c -> b h w", x, weights)[:, None]


def _saturate(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(_grey(x), x, level, sign)


def _contrast(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(_grey(x).mean(dim=(2, 3), keepdim=True), x, level, sign)


def _sharpen(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return _away_from(F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False), x, level, sign)


def _posterise(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    step = 2 ** (4 * level).round()  # this many neighbouring values of 256 become one value
    return torch.where(step > 1, ((x + 1) * (127.5 / step) + 1e-3).floor() * step / 127.5 - 1, x)


def _solarise(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    return torch.where(x > 1 - 2 * level, -x, x)


def _stretch(x: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    return x + level * ((x - low) / (high - low).clamp(min=1 / 255) * 2 - 1 - x)


def _erase(
    images: Tensor, probability: float, generator: torch.Generator | None, part: tuple[int, int] | None = None
) -> Tensor:
    """Fill a box of each image with one random colour, with the given probability."""
    number, channels, height, width = images.shape
    x, y, wide, high = random_boxes(number, (0.02, 0.33), generator, aspect=(0.3, 1 / 0.3), part=part)
    happens, *colour = _uniform(1 + channels, number, generator, part)
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
    part: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random boxes in the unit square: centre x, centre y, width, height, each float32 (number,) in [0, 1].

    area: range of a box's area, uniform; aspect: range of its width over height, log-uniform as far as the box fits.
    """
    share, shape, x, y = _uniform(4, number, generator, part)
    share = area[0] + (area[1] - area[0]) * share
    # width = sqrt(share * ratio) and height = sqrt(share / ratio) are both <= 1 if share <= ratio <= 1 / share
    narrowest = share.clamp(min=aspect[0]).log()
    widest = (1 / share).clamp(max=aspect[1]).log()
    ratio = (narrowest + (widest - narrowest) * shape).exp()
    width = (share * ratio).sqrt().clamp(max=1)
    height = (share / ratio).sqrt().clamp(max=1)
    return width / 2 + (1 - width) * x, height / 2 + (1 - height) * y, width, height


def _uniform(rows: int, number: int, generator: torch.Generator | None, part: tuple[int, int] | None = None) -> Tensor:
    """Uniform random numbers in [0, 1), (rows, number), on the device of the generator: those of a part of a batch."""
    check_generator(generator)
    device = generator.device if generator is not None else "cpu"
    first, total = check_part(part, number)
    return torch.rand(rows, total, generator=generator, device=device, dtype=torch.float32)[:, first : first + number]


def check_part(part: tuple[int, int] | None, number: int) -> tuple[int, int]:
    """``part``, or (0, number) where it is None; ``ValueError`` unless so many images fit into it."""
    if part is None:
        return 0, number
    pair = isinstance(part, tuple) and len(part) == 2
    first, total = (whole("part", value, 0, 2**31) for value in part) if pair else (0, -1)
    if first + number > total:
        raise ValueError(
            f"part must be (first, total), into which {number} images fit: first + {number} <= total, got {shown(part)}"
        )
    return first, total

"""Random numbers and images that are the same in every run."""

from __future__ import annotations

import torch
from torch import Tensor

from mp3lib import ViT


def seeded(seed: int = 0) -> torch.Generator:
    """A new source of random numbers."""
    return torch.Generator().manual_seed(seed)


def noise(b: int = 4, h: int = 32, w: int = 32) -> Tensor:
    """Images of noise, uint8 (b, 3, h, w)."""
    return torch.randint(0, 256, (b, 3, h, w), dtype=torch.uint8, generator=seeded(1))


def inputs_of(vit: ViT, number: int = 3) -> Tensor:
    """Random images (number, c, H, W) float32 in [-1, 1], of the size that a model takes."""
    return torch.rand(number, vit.channels, *vit.image_size, generator=seeded(5)) * 2 - 1

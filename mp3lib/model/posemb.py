"""Where is a patch? The fixed 2D sine-cosine position embedding."""

from __future__ import annotations

import torch
from torch import Tensor

from ..arguments import number, shown


def posemb_sincos_2d(patches: Tensor, temperature: float = 10000, dtype: torch.dtype | None = None) -> Tensor:
    """Fixed embedding of every position of a grid: sin(x), cos(x), sin(y), cos(y), a quarter of the features each.

    Feature ``i`` of a quarter turns at ``omega_i = temperature ** (-i / (d / 4 - 1))`` radians per patch: from 1 down
    to ``1 / temperature``. Only the shape, device and dtype of ``patches`` are used.

    Args:
        patches: (b, rows, cols, d), any floating dtype; ``d`` a positive multiple of 4.
        temperature: ratio of the fastest to the slowest frequency, 1e-30 to 1e30.
        dtype: of the result; default: that of ``patches``. Angles are computed in float32 (float64 for float64).

    Returns:
        (rows * cols, d), values in [-1, 1], positions in row-major order.

    Raises:
        ValueError: if ``patches`` is not a 4-dimensional tensor of floating dtype, ``d`` is not a positive multiple of
            4, ``temperature`` is out of range, or ``dtype`` is not floating.

    Source: Vaswani et al. 2017, section 3.5, in the 2D form of Beyer et al. 2022 (arXiv 2205.01580).
    """
    if not isinstance(patches, Tensor):
        raise ValueError(f"patches must be a tensor (b, rows, cols, d), got {shown(patches)}")
    if patches.ndim != 4:
        raise ValueError(f"patches must have the shape (b, rows, cols, d), got {tuple(patches.shape)}")
    rows, cols, dim = patches.shape[1:]
    if dim < 4 or dim % 4:
        raise ValueError(f"the feature dimension must be a positive multiple of 4 (sin and cos of x and y), got {dim}")
    temperature = number("temperature", temperature, "be positive", lambda t: t > 0)
    number("temperature", temperature, "be 1e-30 to 1e30", lambda t: 1e-30 <= t <= 1e30)
    dtype = patches.dtype if dtype is None else dtype
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(f"dtype must be floating, such as torch.float32, got {shown(dtype)}")
    angles = torch.float64 if dtype == torch.float64 else torch.float32

    y, x = torch.meshgrid(
        torch.arange(rows, device=patches.device), torch.arange(cols, device=patches.device), indexing="ij"
    )
    exponent = torch.arange(dim // 4, device=patches.device, dtype=angles) / max(dim // 4 - 1, 1)
    omega = 1.0 / (temperature**exponent)
    y = y.flatten()[:, None] * omega
    x = x.flatten()[:, None] * omega
    return torch.cat((x.sin(), x.cos(), y.sin(), y.cos()), dim=1).to(dtype)

"""Which patches are the context: draw them, and check those that are given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..arguments import check_dense, check_device, check_generator, mask_share, shown, whole

MAX_PATCHES = 2**31  # of a batch


def sample_context(
    batch: int,
    num_patches: int,
    mask_ratio: float,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw, for every image, which patches are the context and which are hidden from attention.

    Args:
        batch: number of images, b.
        num_patches: number of patches of an image, n.
        mask_ratio: the fraction hidden, 0 <= mask_ratio < 1; ``int(mask_ratio * n)`` patches are hidden.
        generator: source of randomness; default: the global one of ``device``.
        device: of the result; default: the generator's, or the CPU.

    Returns:
        context (b, k) and hidden (b, n - k): int64 patch indices, in random order, together a permutation of 0 … n-1.

    Raises:
        ValueError: if ``mask_ratio`` is outside [0, 1), ``batch`` or ``num_patches`` is not a positive whole number,
            both together are more than 2**31 patches, ``generator`` is not a ``torch.Generator``, or this machine has
            no such ``device``.
    """
    mask_ratio = mask_share("mask_ratio", mask_ratio)
    if not torch.compiler.is_compiling():
        batch, num_patches = whole("batch", batch), whole("num_patches", num_patches)
        check_generator(generator)
        check_device("device", device)
        if batch * num_patches > MAX_PATCHES:
            raise ValueError(f"batch * num_patches must be at most 2**31, got {batch} * {num_patches}")
    draw_on = generator.device if generator is not None else device
    # only where there is one: with this argument, also None, torch.compile fails for a second batch size
    source = {} if generator is None else {"generator": generator}
    numbers = torch.rand(batch, num_patches, device=draw_on, dtype=torch.float32, **source)
    shuffled = numbers.argsort(dim=-1).to(device or draw_on)
    num_hidden = int(mask_ratio * num_patches)
    return shuffled[:, num_hidden:], shuffled[:, :num_hidden]


def check_drawn(drawn: Any, batch: int, num_patches: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Context and hidden patches of ``batch`` images; ``ValueError`` unless they are as ``sample_context`` gives them.

    Their values are not looked at: on a GPU that would have to wait in every step.
    """
    if not isinstance(drawn, tuple) or len(drawn) != 2 or not all(isinstance(part, Tensor) for part in drawn):
        raise ValueError(f"drawn must be (context, hidden), as sample_context gives them, got {shown(drawn)}")
    context, hidden = drawn
    shapes = [tuple(part.shape) for part in drawn]
    fit = all(len(shape) == 2 and shape[0] == batch for shape in shapes)
    if not fit or shapes[0][1] == 0 or shapes[0][1] + shapes[1][1] != num_patches:
        raise ValueError(
            f"drawn must have the shapes ({batch}, k) and ({batch}, {num_patches} - k) with k > 0, got {shapes[0]} and "
            f"{shapes[1]}"
        )
    if context.dtype != torch.int64 or hidden.dtype != torch.int64 or context.device != device:
        raise ValueError(
            f"drawn must be int64 on the device of the tokens, {device}, got {context.dtype} and {hidden.dtype} on "
            f"{context.device}"
        )
    return context, hidden


def as_indices(context: Any) -> Tensor:
    """A context as int64 tensor; ``ValueError`` for anything but whole numbers."""
    try:
        context = torch.as_tensor(context)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"context must hold patch indices, whole numbers, got {shown(context)}") from None
    if context.is_floating_point() or context.is_complex() or context.dtype == torch.bool:
        raise ValueError(f"context must hold patch indices, whole numbers, got {context.dtype}")
    check_dense("context", context)
    return context.long()


def check_context(context: Tensor, batch: int, num_patches: int) -> Tensor:
    """(b, k) int64 from (k,) or (b, k) indices; ``ValueError`` if empty, repeated, out of range or of another shape."""
    context = as_indices(context)
    if context.ndim == 1:
        context = context.expand(batch, -1)
    if context.ndim != 2 or context.shape[0] != batch or context.shape[1] == 0:
        raise ValueError(f"context must have the shape (k,) or ({batch}, k) with k > 0, got {tuple(context.shape)}")
    if torch.compiler.is_compiling():  # while a model is compiled or exported there are no values to look at
        return context
    if context.min() < 0 or context.max() >= num_patches:
        raise ValueError(f"context indices must be 0 to {num_patches - 1}, got {context.min()} to {context.max()}")
    in_order = context.sort(dim=1).values
    if (in_order[:, 1:] == in_order[:, :-1]).any():
        twice = in_order[:, 1:][in_order[:, 1:] == in_order[:, :-1]][0].item()
        raise ValueError(f"context names a patch twice, got {twice} again")
    return context


def take(tokens: Tensor, indices: Tensor) -> Tensor:
    """The tokens (b, m, d) at ``indices`` (b, m) of each image's tokens (b, n, d)."""
    return tokens.gather(1, indices[:, :, None].expand(-1, -1, tokens.shape[2]))

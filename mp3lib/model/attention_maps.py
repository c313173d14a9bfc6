"""Attention maps: record the attention weights of a model, and follow them through all layers (rollout)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from ..arguments import check_dense, is_finite, not_finite, shown, truth
from .attention import Attention
from .context import as_indices


@contextmanager
def record_attention(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the attention weights of every ``Attention`` inside ``model``, layer by layer, call by call.

    The weights are computed a second time beside the forward pass, which itself takes its usual path. A model in
    ``torch.compile`` runs uncompiled meanwhile::

        with record_attention(vit) as layers:
            vit(images)
        layers[0].shape  # (b, h, n, k): batch, heads, queries, keys

    Yields:
        a list that each forward call of each ``Attention`` appends one detached tensor to.

    Raises:
        ValueError: if ``model`` holds no ``Attention``.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"record_attention takes a model, got {shown(model)}")
    modules = [m for m in model.modules() if isinstance(m, Attention)]
    if not modules:
        raise ValueError(f"{type(model).__name__} holds no mp3lib Attention to record")
    layers: list[Tensor] = []

    def keep(module: Attention, args: tuple, kwargs: dict, output: Tensor) -> None:
        with torch.no_grad():
            layers.append(module.weights(*args, **kwargs))

    hooks = [m.register_forward_hook(keep, with_kwargs=True) for m in modules]
    # a compiled model would not call the hooks; where PyTorch's compiler is not loaded, nothing can be compiled
    compiled = "torch._dynamo" in sys.modules and not torch.compiler.is_compiling()
    try:
        with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
            yield layers
    finally:
        for hook in hooks:
            hook.remove()


def attention_rollout(attn: Tensor, context: Tensor, *, frozen: bool = False) -> Tensor:
    """How much of each patch ends up in each token after all layers, if attention were all that mixes them.

    Heads are averaged, and half of every token is taken to come over the residual path: layer by layer
    ``rollout = 0.5 * rollout + 0.5 * attention @ rollout``. Adapted to a context: what is outside of it receives no
    attention, so its column is empty but for the diagonal, a token's own pixels. What the values hold and what the
    feed-forward layers do is left out: a rough picture of who could have told whom, not an explanation.

    Args:
        attn: weights (depth, b, h, n, k), as ``MP3.predict(..., with_attention=True)`` gives them.
        context: int64 (b, k), or (k,) for all images: the patch that each of the k columns stands for.
        frozen: whether every layer reads the raw context (``MP3(context="frozen")``) instead of the updated one.

    Returns:
        (b, n, n): row i is token i's shares of all patches, from 0 to 1, summing to 1.

    Raises:
        ValueError: if the shapes do not fit, ``context`` holds something else than patch indices or one of them twice,
            or ``attn`` holds no attention weights: floating numbers from 0 to 1, whose rows sum to 1.

    Source: Abnar & Zuidema 2020, Quantifying Attention Flow in Transformers, arXiv 2005.00928, section 3.
    """
    frozen = truth("frozen", frozen)
    if not isinstance(attn, Tensor) or not attn.is_floating_point():
        raise ValueError(f"attn must be a floating tensor (depth, b, h, n, k), got {shown(attn)}")
    check_dense("attn", attn)
    if attn.ndim != 5 or not attn.numel():
        raise ValueError(f"attn must have the shape (depth, b, h, n, k), got {tuple(attn.shape)}")
    _, b, _, n, k = attn.shape
    context = as_indices(context).to(attn.device)
    if context.shape not in ((k,), (b, k)):
        raise ValueError(f"context must have the shape ({k},) or ({b}, {k}), got {tuple(context.shape)}")
    if context.min() < 0 or context.max() >= n:
        raise ValueError(f"context indices must be 0 to {n - 1}, got {context.min()} to {context.max()}")
    if ((in_order := context.sort(dim=-1).values)[..., 1:] == in_order[..., :-1]).any():
        raise ValueError(f"context names a patch twice, got {shown(in_order.tolist())}")
    check_rows(attn)
    columns = context.expand(b, k)[:, None].expand(b, n, k)
    pixels = torch.eye(n, dtype=attn.dtype, device=attn.device).expand(b, n, n)  # before the first layer
    rollout = pixels
    for layer in attn.mean(dim=2):
        mixing = torch.zeros_like(pixels).scatter(2, columns, layer)
        rollout = 0.5 * rollout + 0.5 * mixing @ (pixels if frozen else rollout)
    return rollout


def check_rows(attn: Tensor) -> None:
    """``ValueError`` unless these are attention weights: finite, not negative, and 1 in the sum of every row."""
    if not is_finite(attn):
        raise ValueError(f"attn must be finite, got {not_finite(attn)}")
    if attn.min() < 0:
        raise ValueError(f"attn must hold attention weights from 0 to 1, got {attn.min().item()}")
    sums = attn.float().sum(dim=-1)
    worst = sums.flatten()[(sums - 1).abs().argmax()].item()
    if abs(worst - 1) > 0.02:  # weights in bf16 have three digits
        raise ValueError(f"the rows of attn must sum to 1, got one of {worst:.4g}")

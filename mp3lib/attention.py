"""What may a patch look at? Attention, self and cross, and the transformer made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class FeedForward(nn.Module):
    """What each token thinks by itself: LayerNorm, a wider layer, GELU, and back. (b, n, d) -> (b, n, d)."""

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.0):
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, dim),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Attention(nn.Module):
    """Multi-head attention: every token of ``x`` asks, the tokens of the context answer.

    Args:
        dim: features of a token, d.
        heads: number of heads, h.
        dim_head: features of a query, key or value in one head; ``heads * dim_head`` need not equal ``dim``.
        dropout: probability, on the attention weights and on the output.

    Source: Vaswani et al. 2017, section 3.2; the context as in MP3 (Zhai et al. 2022, figure 1).
    """

    def __init__(self, dim: int, heads: int = 8, dim_head: int = 64, dropout: float = 0.0):
        super().__init__()
        self.heads = heads
        self.scale = dim_head**-0.5
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, heads * dim_head, bias=False)
        self.to_kv = nn.Linear(dim, heads * dim_head * 2, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * dim_head, dim), nn.Dropout(dropout))

    def queries_keys_values(self, x: Tensor, context: Tensor | None, num_context: int | None) -> list[Tensor]:
        """(b, h, n, dim_head) queries and (b, h, k, dim_head) keys and values; arguments as in ``forward``."""
        if context is not None and num_context is not None:
            raise ValueError("give either context or num_context, not both")
        if num_context is not None and not 0 < num_context <= x.shape[1]:
            raise ValueError(f"num_context must be from 1 to the number of tokens ({x.shape[1]}), got {num_context}")
        x = self.norm(x)
        context = self.norm(context) if context is not None else x[:, :num_context]
        qkv = (self.to_q(x), *self.to_kv(context).chunk(2, dim=-1))
        return [rearrange(t, "b n (h d) -> b h n d", h=self.heads) for t in qkv]

    def weights(self, x: Tensor, context: Tensor | None = None, num_context: int | None = None) -> Tensor:
        """Attention weights (b, h, n, k), each row summing to 1, before dropout; arguments as in ``forward``."""
        q, k, _ = self.queries_keys_values(x, context, num_context)
        return (torch.einsum("b h n d, b h k d -> b h n k", q, k) * self.scale).softmax(dim=-1)

    def forward(self, x: Tensor, context: Tensor | None = None, num_context: int | None = None) -> Tensor:
        """Mix the values of the context for every token.

        Args:
            x: tokens (b, n, d).
            context: tokens (b, k, d) that give keys and values; default: ``x`` itself (self-attention).
            num_context: instead of ``context``: the first ``num_context`` tokens of ``x`` give keys and values.

        Returns:
            (b, n, d), to be added to ``x``.

        Raises:
            ValueError: if both kinds of context are given, or ``num_context`` is not within 1 to n.
        """
        q, k, v = self.queries_keys_values(x, context, num_context)
        if explicit_is_faster(q) or (self.training and self.dropout.p > 0):
            scores = torch.einsum("b h n d, b h k d -> b h n k", q, k) * self.scale
            out = torch.einsum("b h n k, b h k d -> b h n d", self.dropout(scores.softmax(dim=-1)), v)
        else:
            out = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


def explicit_is_faster(q: Tensor) -> bool:
    """Whether two matrix products beat the fused kernel: measured on CPUs, in bf16 they do, in float32 they do not."""
    return q.device.type == "cpu" and q.dtype == torch.bfloat16


class Transformer(nn.Module):
    """``depth`` rounds of attention and feed-forward, each added to the tokens.

    Args as in ``Attention`` and ``FeedForward`` (``mlp_dim`` is the hidden size of the latter).
    """

    def __init__(self, dim: int, depth: int, heads: int, dim_head: int, mlp_dim: int, dropout: float = 0.0):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    Attention(dim, heads=heads, dim_head=dim_head, dropout=dropout),
                    FeedForward(dim, mlp_dim, dropout=dropout),
                ]
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor, context: Tensor | None = None, num_context: int | None = None) -> Tensor:
        """(b, n, d) -> (b, n, d).

        With ``context`` (b, k, d) every layer reads the same, never updated tokens. With ``num_context`` every layer
        reads the first ``num_context`` tokens as the layers before have left them. With neither, all read all.
        """
        for attention, feed_forward in self.layers:
            x = attention(x, context=context, num_context=num_context) + x
            x = feed_forward(x) + x
        return x


@contextmanager
def record_attention(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the attention weights of every ``Attention`` inside ``model``, layer by layer, call by call.

    The weights are computed a second time beside the forward pass, which itself takes its usual path::

        with record_attention(vit) as layers:
            vit(images)
        layers[0].shape  # (b, h, n, k): batch, heads, queries, keys

    Yields:
        a list that each forward call of each ``Attention`` appends one detached tensor to.

    Raises:
        ValueError: if ``model`` holds no ``Attention``.
    """
    modules = [m for m in model.modules() if isinstance(m, Attention)]
    if not modules:
        raise ValueError(f"{type(model).__name__} holds no mp3lib Attention to record")
    layers: list[Tensor] = []

    def keep(module: Attention, args: tuple, kwargs: dict, output: Tensor) -> None:
        with torch.no_grad():
            layers.append(module.weights(*args, **kwargs))

    hooks = [m.register_forward_hook(keep, with_kwargs=True) for m in modules]
    try:
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
        ValueError: if the shapes do not fit, or ``context`` holds something else than patch indices.

    Source: Abnar & Zuidema 2020, *Quantifying Attention Flow in Transformers*, arXiv 2005.00928, section 3.
    """
    if attn.ndim != 5 or not attn.shape[0]:
        raise ValueError(f"attn must have the shape (depth, b, h, n, k), got {tuple(attn.shape)}")
    _, b, _, n, k = attn.shape
    context = torch.as_tensor(context, device=attn.device)
    if context.shape not in ((k,), (b, k)):
        raise ValueError(f"context must have the shape ({k},) or ({b}, {k}), got {tuple(context.shape)}")
    if context.min() < 0 or context.max() >= n:
        raise ValueError(f"context indices must be 0 to {n - 1}, got {context.min()} to {context.max()}")
    columns = context.expand(b, k)[:, None].expand(b, n, k)
    pixels = torch.eye(n, dtype=attn.dtype, device=attn.device).expand(b, n, n)  # before the first layer
    rollout = pixels
    for layer in attn.mean(dim=2):
        mixing = torch.zeros_like(pixels).scatter(2, columns, layer)
        rollout = 0.5 * rollout + 0.5 * mixing @ (pixels if frozen else rollout)
    return rollout

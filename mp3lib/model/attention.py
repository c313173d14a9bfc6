"""What may a patch look at? Attention over a context, feed-forward layers, and the transformer made of both."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..arguments import check_dense, share, shown, whole

MAX_DEPTH = 1000
MAX_PARAMETERS = 20 * 10**9


class FeedForward(nn.Module):
    """Change each token by itself: LayerNorm, a wider layer, GELU, and back. (b, n, d) -> (b, n, d).

    Raises:
        ValueError: for sizes that are not positive whole numbers or make more than 20 billion parameters, and for a
            dropout outside 0 to 1.
    """

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.0):
        super().__init__()
        dim, hidden_dim, dropout = whole("dim", dim), whole("hidden_dim", hidden_dim), share("dropout", dropout)
        check_size(feed_forward_parameters(dim, hidden_dim))
        self.net = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, dim),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Changed tokens (b, n, d) of tokens (b, n, d)."""
        check_tokens(x, self.net[0])
        return self.net(x)


class Attention(nn.Module):
    """Multi-head attention: every token of ``x`` gives a query, the tokens of the context give keys and values.

    Args:
        dim: features of a token, d.
        heads: number of heads, h.
        dim_head: features of a query, key or value in one head; ``heads * dim_head`` need not equal ``dim``.
        dropout: probability, on the attention weights and on the output.

    Raises:
        ValueError: for sizes that are not positive whole numbers or make more than 20 billion parameters, and for a
            dropout outside 0 to 1.

    Source: Vaswani et al. 2017, section 3.2; the context as in MP3 (Zhai et al. 2022, figure 1).
    """

    def __init__(self, dim: int, heads: int = 8, dim_head: int = 64, dropout: float = 0.0):
        super().__init__()
        dim, heads, dim_head = whole("dim", dim), whole("heads", heads), whole("dim_head", dim_head)
        dropout = share("dropout", dropout)
        check_size(attention_parameters(dim, heads, dim_head))
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
        check_tokens(x, self.norm)
        if num_context is not None:
            is_number = torch.compiler.is_compiling() or (
                not isinstance(num_context, bool) and hasattr(num_context, "__index__")
            )
            if not is_number or not 0 < num_context <= x.shape[1]:  # only then a text: compiled, each size in it would
                found = num_context if is_number else shown(num_context)  # have a graph of its own
                raise ValueError(f"num_context must be from 1 to the number of tokens ({x.shape[1]}), got {found}")
        if context is not None:
            check_tokens(context, self.norm, "context", batch=x.shape[0])
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
            ValueError: if both kinds of context are given, ``num_context`` is not within 1 to n, a shape does not fit,
                or the tokens have another dtype than the weights and autocast is off.
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


def attention_parameters(dim: int, heads: int, dim_head: int) -> int:
    """The number of parameters of an ``Attention``."""
    return 2 * dim + 4 * dim * heads * dim_head + dim


def feed_forward_parameters(dim: int, hidden_dim: int) -> int:
    """The number of parameters of a ``FeedForward``."""
    return 2 * dim + 2 * dim * hidden_dim + hidden_dim + dim


def check_size(parameters: int) -> None:
    """``ValueError`` for a model that nobody can hold in memory, before a layer of it is made."""
    if parameters > MAX_PARAMETERS:
        raise ValueError(f"these sizes make {shown(parameters)} parameters; accepted are at most {MAX_PARAMETERS:,}")


def check_tokens(x: Tensor, norm: nn.LayerNorm, name: str = "x", batch: int | None = None) -> None:
    """``ValueError`` unless these are tokens (b, n, d) that ``norm`` takes, of its dtype unless autocast is on."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} must be a tensor (b, n, d), got {shown(x)}")
    check_dense(name, x, meta=True)
    (dim,) = norm.normalized_shape
    if x.ndim != 3 or x.shape[2] != dim or (batch is not None and (x.shape[0] != batch or x.shape[1] == 0)):
        b, n = ("b", "n") if batch is None else (batch, "k")
        raise ValueError(f"{name} must have the shape ({b}, {n}, {dim}), got {tuple(x.shape)}")
    check_like(x, norm.weight, name)


def check_like(x: Tensor, weight: Tensor, name: str) -> None:
    """``ValueError`` for values on another device than the weights, or of another dtype unless autocast is on."""
    if not torch.compiler.is_compiling() and x.device != weight.device:
        if weight.is_meta:
            raise ValueError(f"the weights have no values (they are on the meta device), got {name} on {x.device}")
        raise ValueError(
            f"{name} must be on the device of the weights, {weight.device}, got {x.device}: move it with "
            f"{name}.to({str(weight.device)!r})"
        )
    if x.dtype == weight.dtype:
        return
    kind = x.device.type
    autocast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    if not autocast or not x.is_floating_point() or torch.float64 in (x.dtype, weight.dtype):
        raise ValueError(
            f"{name} must have the dtype of the weights, {weight.dtype}, got {x.dtype}: convert one of them, for "
            f"example with {name}.to({weight.dtype})"
        )


class Block(nn.Sequential):
    """One layer of a transformer: attention, then feed-forward, each added to the tokens.

    ``block[0]`` is the ``Attention``, ``block[1]`` the ``FeedForward``. A block is one call, so that a large model can
    be sharded (FSDP), compiled or checkpointed block by block.

    Raises:
        ValueError: for parts of another type.
    """

    def __init__(self, attention: Attention, feed_forward: FeedForward):
        for name, part, kind in (("attention", attention, Attention), ("feed_forward", feed_forward, FeedForward)):
            if not isinstance(part, kind):
                raise ValueError(f"{name} must be of type {kind.__name__}, got {shown(part)}")
        super().__init__(attention, feed_forward)

    def forward(self, x: Tensor, context: Tensor | None = None, num_context: int | None = None) -> Tensor:
        """(b, n, d) -> (b, n, d); arguments as in ``Attention.forward``."""
        attention, feed_forward = self
        x = attention(x, context=context, num_context=num_context) + x
        return feed_forward(x) + x


class Transformer(nn.Module):
    """``depth`` blocks of attention and feed-forward, in ``layers``.

    Args as in ``Attention`` and ``FeedForward`` (``mlp_dim`` is the hidden size of the latter).

    Raises:
        ValueError: as they do, for a depth that is not a whole number from 0 to 1,000, and for more than 20 billion
            parameters in all layers together.
    """

    def __init__(self, dim: int, depth: int, heads: int, dim_head: int, mlp_dim: int, dropout: float = 0.0):
        super().__init__()
        dim, depth, heads = whole("dim", dim), whole("depth", depth, 0, MAX_DEPTH), whole("heads", heads)
        dim_head, mlp_dim, dropout = whole("dim_head", dim_head), whole("mlp_dim", mlp_dim), share("dropout", dropout)
        check_size(depth * (attention_parameters(dim, heads, dim_head) + feed_forward_parameters(dim, mlp_dim)))
        self.heads, self.dim_head, self.mlp_dim, self.dropout = heads, dim_head, mlp_dim, dropout
        self.layers = nn.ModuleList(
            Block(
                Attention(dim, heads=heads, dim_head=dim_head, dropout=dropout),
                FeedForward(dim, mlp_dim, dropout=dropout),
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor, context: Tensor | None = None, num_context: int | None = None) -> Tensor:
        """(b, n, d) -> (b, n, d).

        With ``context`` (b, k, d) the keys and values of every layer come from these same tokens, which no layer
        changes. With ``num_context`` they come from the first ``num_context`` tokens of ``x`` as the layer before has
        left them. With neither, they come from all tokens.
        """
        for block in self.layers:
            x = block(x, context=context, num_context=num_context)
        return x

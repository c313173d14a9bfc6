"""Exercises of notebook 04: paint a patch, soft labels, and a context that is updated in some layers only."""

import torch
from torch import Tensor

from ..model.attention import Transformer
from .harness import SafeFunction, checker, randn, seeded


@checker
def check_paint(your_function: SafeFunction) -> None:
    """Sets one patch, counted row by row from 0, to one value in every image and channel; all other pixels stay."""
    for rows, cols, p, patch in ((3, 4, 4, 6), (3, 2, 8, 3), (4, 4, 2, 7)):
        images = randn(2, 3, rows * p, cols * p)

        def painted(row: int, col: int, b=slice(None), c=slice(None), scale: int = p, p=p, images=images) -> Tensor:
            copy = images.clone()
            copy[b, c, scale * row : scale * row + p, scale * col : scale * col + p] = 0.25
            return copy

        row, col = divmod(patch, cols)
        mistakes = {
            "x and y are swapped: images are (b, c, H, W), rows before columns": painted(col, row),
            "a row holds as many patches as there are columns: divide by these": painted(patch // rows, patch % rows),
            "patches are counted row by row, not down the columns": painted(patch % rows, patch // rows),
            "only the first channel is painted": painted(row, col, c=0),
            "only the first image is painted": painted(row, col, b=0),
            "patches are counted from 0, not from 1": painted(*divmod(patch - 1, cols)),
            "rows and columns of patches are not pixels: times p": painted(row, col, scale=1),
            "a row holds W // p patches, not always 4": painted(*divmod(patch, 4)),
            "nothing is painted": images,
        }
        your_function(images, patch, p, 0.25).must_be(painted(row, col), mistakes)


@checker
def check_soft_labels(your_function: SafeFunction) -> None:
    """Soft labels: row i decreases with the squared distance from position i, and sums to 1."""
    for rows, cols, sigma in ((4, 8, 1.0), (3, 2, 0.7), (5, 4, 2.0)):
        place = torch.arange(rows * cols)

        def distance2(y: Tensor, x: Tensor) -> Tensor:
            return ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).float()

        def shares(exponent: Tensor) -> Tensor:
            return exponent.exp() / exponent.exp().sum(dim=1, keepdim=True)

        exponent = -distance2(place // cols, place % cols) / sigma**2
        weights = exponent.exp()
        mistakes = {
            "the rows do not sum to 1: divide each by its sum": weights,
            "the columns sum to 1, not the rows: sum over dim=1 with keepdim=True": weights / weights.sum(dim=0),
            "the whole table sums to 1: divide each row by its own sum": weights / weights.sum(),
            "positions are counted row by row, not down the columns": (
                shares(-distance2(place % rows, place // rows) / sigma**2)
            ),
            "the distance is not squared": shares(-distance2(place // cols, place % cols).sqrt() / sigma**2),
            "sigma is not squared": shares(exponent * sigma),
            "sigma squared is divided by, without a factor of 2": shares(exponent / 2),
            "the minus is missing: the far corner gets most": shares(-exponent),
            "positions lie on a grid, not in one line: each has a row and a column": (
                shares(-distance2(0 * place, place) / sigma**2)
            ),
        }
        your_function(rows, cols, sigma).must_be(shares(exponent), mistakes)


@checker
def check_run_layers(your_function: SafeFunction) -> None:
    """Layers whose context is renewed before layers 0, every, 2 * every, ..., from the first k tokens."""
    layers = seeded(lambda: Transformer(dim=8, depth=5, heads=2, dim_head=4, mlp_dim=12)).layers
    x, k = randn(2, 6, 8), 3

    def run(context_of, with_attention: bool = True, with_feed_forward: bool = True, residual: int = 1) -> Tensor:
        """The output of the layers, where ``context_of(i, tokens, old_context)`` is the context of layer i."""
        now, context = x, x[:, :k]
        for i, (attention, feed_forward) in enumerate(layers):
            context = context_of(i, now, context)
            now = attention(now, context=context) + residual * now if with_attention else now
            now = feed_forward(now) + residual * now if with_feed_forward else now
        return now

    for every in (3, 2, 1, 4):

        def renewed(i: int, now: Tensor, old: Tensor, every=every) -> Tensor:
            return now[:, :k] if i % every == 0 else old

        mistakes = {
            "the context is never renewed: every layer reads what came in": run(lambda i, now, old: old),
            "the context is renewed in every layer, whatever `every` says": run(lambda i, now, old: now[:, :k]),
            "the context is taken after the layer: take it before layers 0, every, 2 * every": (
                run(lambda i, now, old, every=every: now[:, :k] if i % every == 1 % every and i else old)
            ),
            "the context is taken after layers every, 2 * every: take it before them": (
                run(lambda i, now, old, every=every: now[:, :k] if i > 1 and (i - 1) % every == 0 else old)
            ),
            "between renewals read the last renewed context, not the raw one": (
                run(lambda i, now, old, every=every: now[:, :k] if i % every == 0 else x[:, :k])
            ),
            "the context is renewed one layer early: before layers 0, every, 2 * every": (
                run(lambda i, now, old, every=every: now[:, :k] if (i + 1) % every == 0 else old)
            ),
            "all tokens are read: only the first k are the context": (
                run(lambda i, now, old, every=every: now if i % every == 0 else (old if i else now))
            ),
            "the context is the first k tokens, not the last": (
                run(lambda i, now, old, every=every: now[:, -k:] if i % every == 0 else old)
            ),
            "both parts of a layer are added to the tokens: + x is missing": run(renewed, residual=0),
            "the feed-forward part is missing": run(renewed, with_feed_forward=False),
            "the attention is missing": run(renewed, with_attention=False),
        }
        your_function(layers, x, k, every).must_be(run(renewed).detach(), mistakes)

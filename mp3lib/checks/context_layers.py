"""The third exercise of notebook 04: layers whose context is renewed before some of them only."""

import torch
from torch import Tensor

from ..model.attention import Transformer
from .compare import Finding
from .harness import SafeFunction, checker, randn, seeded


@checker
def check_run_layers(your_function: SafeFunction) -> None:
    """Layers whose context is renewed before layers 0, every, 2 * every, ..., from the first k tokens."""
    layers = seeded(lambda: Transformer(dim=8, depth=8, heads=2, dim_head=4, mlp_dim=12)).layers
    x, k = randn(2, 6, 8), 3

    def run(
        context_of,
        layers=layers,
        with_attention: bool = True,
        with_feed_forward: bool = True,
        residual: int = 1,
        step=None,
        between=lambda i: False,
    ) -> Tensor:
        """The output of the layers, where ``context_of(i, tokens, old_context)`` is the context of layer i."""
        now, context = x, x[:, :k]
        for i, (attention, feed_forward) in enumerate(layers):
            context = context_of(i, now, context)
            if step:
                now = step(now, attention, feed_forward, context)
                continue
            now = attention(now, context=context) + residual * now if with_attention else now
            context = now[:, :k] if between(i) else context
            now = feed_forward(now) + residual * now if with_feed_forward else now
        return now

    for every in (3, 2, 1, 4):

        def renewed(i: int, now: Tensor, old: Tensor, every=every) -> Tensor:
            return now[:, :k] if i % every == 0 else old

        def by(renewal, taken=lambda now: now[:, :k], every=every) -> Tensor:
            """The output if the context is renewed before layer 0 and wherever ``renewal`` of i and ``every`` holds."""
            return run(lambda i, now, old: taken(now) if not i or renewal(i, every) else old)

        def mistakes(by=by, renewed=renewed, every=every) -> dict[str, Tensor]:
            return {
                "the condition is inverted: renew where i % every == 0": by(lambda i, every: i % every != 0),
                "the context is renewed once only, at layer `every`": by(lambda i, every: i == every),
                "the context is renewed in every layer from layer `every` on": by(lambda i, every: i >= every),
                "the context is renewed in the first layers only: i // every is not the remainder, i % every is": (
                    by(lambda i, every: i // every == 0)
                ),
                "the two numbers of the remainder are swapped: use i % every": by(lambda i, every: every % i == 0),
                "the context is renewed every (every + 1) layers": by(lambda i, every: i % (every + 1) == 0),
                "the context is never renewed: every layer reads what came in": run(lambda i, now, old: old),
                "the context is renewed in every layer: use `every`": run(lambda i, now, old: now[:, :k]),
                "the context is renewed one layer late, or taken after the layer: before layers 0, every, 2 * every": (
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
                "all tokens are read: the context is x[:, :k], the first k tokens; x[:k] are the first k images": (
                    run(lambda i, now, old, every=every: now if i % every == 0 else (old if i else now))
                ),
                "the context is the first k tokens, not the last": (
                    run(lambda i, now, old, every=every: now[:, -k:] if i % every == 0 else old)
                ),
                "the context is the first k tokens, not those after them": by(
                    lambda i, every: i % every == 0, lambda now: now[:, k:][:, : now.shape[1] - k]
                ),
                "the context has k + 1 tokens": by(lambda i, every: i % every == 0, lambda now: now[:, : k + 1]),
                "the context has k - 1 tokens": by(lambda i, every: i % every == 0, lambda now: now[:, : k - 1]),
                "the attention does not get the context: attention(x, context=context)": run(lambda i, now, old: now),
                "the result is returned after the first layer: return after the loop": run(renewed, layers[:1]),
                "layers between the renewals are left out: run every layer, and keep only the context as it is": (
                    run(lambda i, now, old: now[:, :k], layers[::every])
                ),
                "the context is renewed in the middle of a layer, after its attention: take it before the layer": (
                    run(lambda i, now, old: old, between=lambda i, every=every: i % every == 0)
                ),
                "the context is renewed `every` times in all, not every `every` layers": (
                    by(lambda i, every: i % (len(layers) // every) == 0)
                ),
                "x is added twice to the attention": run(
                    renewed, step=lambda now, a, f, c: f(two := a(now, context=c) + 2 * now) + two
                ),
                "the input of the first layer is added in every layer: add the x before this layer": run(
                    renewed, step=lambda now, a, f, c: f(one := a(now, context=c) + x) + one
                ),
                "the context tokens give no queries: every token of x goes through the layer": run(
                    renewed,
                    step=lambda now, a, f, c: torch.cat(
                        (now[:, :k], f(one := a(now[:, k:], context=c) + now[:, k:]) + one), dim=1
                    ),
                ),
                "the context tokens in x must change in every layer: keep only a copy of them, to attend to": run(
                    renewed,
                    step=lambda now, a, f, c: f(one := torch.cat((c, (a(now, context=c) + now)[:, k:]), dim=1)) + one,
                ),
                "the new context is added to the old one: replace it": (
                    run(
                        lambda i, now, old, every=every: (
                            torch.cat((old, now[:, :k]), dim=1)[:, 0 if i else k :] if i % every == 0 else old
                        )
                    )
                ),
                "each image has a context of its own: x[:, :k], not that of the first image": (
                    by(lambda i, every: i % every == 0, lambda now: now[:1, :k].expand(len(now), -1, -1))
                ),
                "the tokens are not added to the attention: + x is missing": run(
                    renewed, step=lambda now, a, f, c: f(a(now, context=c)) + a(now, context=c)
                ),
                "the tokens are not added to the feed-forward part: + x is missing": run(
                    renewed, step=lambda now, a, f, c: f(a(now, context=c) + now)
                ),
                "the attention comes first, then the feed-forward part": run(
                    renewed, step=lambda now, a, f, c: a(f(now) + now, context=c) + f(now) + now
                ),
                "the feed-forward part takes the tokens after the attention": run(
                    renewed, step=lambda now, a, f, c: a(now, context=c) + f(now) + now
                ),
                "both parts of a layer are added to the tokens: + x is missing": run(renewed, residual=0),
                "the feed-forward part is missing": run(renewed, with_feed_forward=False),
                "the attention is missing": run(renewed, with_attention=False),
            }

        result, right = your_function(layers, x, k, every), run(renewed).detach()
        try:
            result.must_be(right)
        except Finding:  # only now compute the results of the mistakes, which takes longer
            result.must_be(right, mistakes())

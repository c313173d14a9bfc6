"""The third exercise of notebook 04: layers whose context is renewed before some of them only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..model.attention import Transformer
from .compare import Finding
from .harness import SafeFunction, checker, randn, seeded


@checker
def check_run_layers(your_function: SafeFunction) -> None:
    """Layers whose context is renewed before layers 0, every, 2 * every, ..., from the first k tokens."""
    layers = seeded(lambda: Transformer(dim=8, depth=8, heads=2, dim_head=4, mlp_dim=12)).layers
    for every in (3, 2, 1, 4):
        case = Case(layers, randn(2, 6, 8), 3, every)
        result, right = your_function(*case), case.run(case.renewed).detach()
        try:
            result.must_be(right)
        except Finding:  # only now compute the results of the mistakes, which takes longer
            result.must_be(right, wrong_times(case) | wrong_contexts(case) | wrong_layers(case))


def whole_layer(now: Tensor, attention: nn.Module, feed_forward: nn.Module, context: Tensor) -> Tensor:
    """The tokens after a layer: each of its two parts is added to the tokens that it reads."""
    now = attention(now, context=context) + now
    return feed_forward(now) + now


class Case(NamedTuple):
    """The arguments of a call: the layers, tokens x (b, n, d), and the period of the context, the first k tokens."""

    layers: nn.ModuleList
    x: Tensor
    k: int
    every: int

    def renewed(self, i: int, now: Tensor, old: Tensor) -> Tensor:
        """The right context of layer i: the first k tokens as they are now, or the old context."""
        return now[:, : self.k] if i % self.every == 0 else old

    def run(self, context_of: Callable, step: Callable = whole_layer, layers: Iterable | None = None) -> Tensor:
        """The output of the layers; layer i has the context ``context_of(i, now, old)`` and does ``step``."""
        now, context = self.x, self.x[:, : self.k]
        for i, (attention, feed_forward) in enumerate(self.layers if layers is None else layers):
            context = context_of(i, now, context)
            now = step(now, attention, feed_forward, context)
        return now

    def renew(self, where: Callable[[int], bool], context: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """The output if the context is renewed before layer 0 and each layer i where ``where(i)`` holds.

        ``context(now)`` is the new one; by default the first k tokens.
        """
        taken = context or (lambda now: now[:, : self.k])
        return self.run(lambda i, now, old: taken(now) if i == 0 or where(i) else old)


def wrong_times(case: Case) -> dict[str, Tensor]:
    """Mistakes in when the context is renewed, and their results."""
    x, k, every = case.x, case.k, case.every

    def replace(where: Callable[[int], bool]) -> Tensor:
        """As ``case.renew``, but layer 0 is no exception."""
        return case.run(lambda i, now, old: now[:, :k] if where(i) else old)

    return {
        "the condition is inverted: renew where i % every == 0": case.renew(lambda i: i % every != 0),
        "the context is renewed once only, at layer `every`": case.renew(lambda i: i == every),
        "the context is renewed in every layer from layer `every` on": case.renew(lambda i: i >= every),
        "the context is renewed in the first layers only: i // every is not the remainder, i % every is": (
            case.renew(lambda i: i // every == 0)
        ),
        "the two numbers of the remainder are swapped: use i % every": case.renew(lambda i: every % i == 0),
        "the context is renewed every (every + 1) layers": case.renew(lambda i: i % (every + 1) == 0),
        "the context is never renewed: every layer reads what came in": replace(lambda i: False),
        "the context is renewed in every layer: use `every`": replace(lambda i: True),
        "the context is renewed one layer late, or taken after the layer: before layers 0, every, 2 * every": (
            replace(lambda i: i > 0 and i % every == 1 % every)
        ),
        "the context is taken after layers every, 2 * every: take it before them": (
            replace(lambda i: i > 1 and (i - 1) % every == 0)
        ),
        "between renewals read the last renewed context, not the raw one": (
            case.run(lambda i, now, old: case.renewed(i, now, x[:, :k]))
        ),
        "the context is renewed one layer early: before layers 0, every, 2 * every": (
            replace(lambda i: (i + 1) % every == 0)
        ),
        "the context is renewed in the middle of a layer, after its attention: take it before the layer": (
            renewed_in_the_middle(case)
        ),
        "the context is renewed `every` times in all, not every `every` layers": (
            case.renew(lambda i: i % (len(case.layers) // every) == 0)
        ),
    }


def renewed_in_the_middle(case: Case) -> Tensor:
    """The output if the context is renewed between the attention and the feed-forward part of layers 0, every, ..."""
    now, context = case.x, case.x[:, : case.k]
    for i, (attention, feed_forward) in enumerate(case.layers):
        now = attention(now, context=context) + now
        context = case.renewed(i, now, context)
        now = feed_forward(now) + now
    return now


def wrong_contexts(case: Case) -> dict[str, Tensor]:
    """Mistakes in what the context is, renewed where it should be, and their results."""
    k, every = case.k, case.every

    def take(context: Callable[[Tensor], Tensor]) -> Tensor:
        return case.renew(lambda i: i % every == 0, context)

    def added(i: int, now: Tensor, old: Tensor) -> Tensor:
        return torch.cat((old, now[:, :k]), dim=1)[:, 0 if i else k :] if i % every == 0 else old

    return {
        "all tokens are read: the context is x[:, :k], the first k tokens; x[:k] are the first k images": (
            take(lambda now: now)
        ),
        "the context is the first k tokens, not the last": take(lambda now: now[:, -k:]),
        "the context is the first k tokens, not those after them": take(lambda now: now[:, k:]),
        "the context has k + 1 tokens": take(lambda now: now[:, : k + 1]),
        "the context has k - 1 tokens": take(lambda now: now[:, : k - 1]),
        "the attention does not get the context: attention(x, context=context)": case.run(lambda i, now, old: now),
        "the new context is added to the old one: replace it": case.run(added),
        "each image has a context of its own: x[:, :k], not that of the first image": (
            take(lambda now: now[:1, :k].expand(len(now), -1, -1))
        ),
    }


def wrong_layers(case: Case) -> dict[str, Tensor]:
    """Mistakes in what a layer does with the right context, or in which layers are run, and their results."""
    x, k = case.x, case.k

    def step(layer: Callable) -> Tensor:
        """The output if a layer is ``layer(tokens, attention, feed_forward)``, whose attention has its context."""
        return case.run(case.renewed, lambda now, a, f, c: layer(now, lambda x: a(x, context=c), f))

    def copied(now: Tensor, attention: nn.Module, feed_forward: nn.Module, context: Tensor) -> Tensor:
        """A layer that leaves the context tokens in x as they were renewed, before its feed-forward part."""
        now = torch.cat((context, (attention(now, context=context) + now)[:, k:]), dim=1)
        return feed_forward(now) + now

    return {
        "the result is returned after the first layer: return after the loop": (
            case.run(case.renewed, layers=case.layers[:1])
        ),
        "layers between the renewals are left out: run every layer, and keep only the context as it is": (
            case.run(lambda i, now, old: now[:, :k], layers=case.layers[:: case.every])
        ),
        "x is added twice to the attention": step(lambda now, a, f: f(two := a(now) + 2 * now) + two),
        "the input of the first layer is added in every layer: add the x before this layer": (
            step(lambda now, a, f: f(one := a(now) + x) + one)
        ),
        "the context tokens give no queries: every token of x goes through the layer": (
            step(lambda now, a, f: torch.cat((now[:, :k], f(one := a(now[:, k:]) + now[:, k:]) + one), dim=1))
        ),
        "the context tokens in x must change in every layer: keep only a copy of them, to attend to": (
            case.run(case.renewed, copied)
        ),
        "the tokens are not added to the attention: + x is missing": step(lambda now, a, f: f(a(now)) + a(now)),
        "the tokens are not added to the feed-forward part: + x is missing": step(lambda now, a, f: f(a(now) + now)),
        "the attention comes first, then the feed-forward part": step(lambda now, a, f: a(two := f(now) + now) + two),
        "the feed-forward part takes the tokens after the attention": step(lambda now, a, f: a(now) + f(now) + now),
        "both parts of a layer are added to the tokens: + x is missing": step(lambda now, a, f: f(a(now))),
        "the feed-forward part is missing": step(lambda now, a, f: a(now) + now),
        "the attention is missing": step(lambda now, a, f: f(now) + now),
    }

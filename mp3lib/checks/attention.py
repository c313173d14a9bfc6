"""Exercises of notebook 02: sharper attention and masked attention. The third one is in ``neighbours``."""

import math

import torch
from torch import Tensor

from .compare import Finding, Result, finite, must
from .harness import SafeFunction, checker, randn

NO_ROOT = "the scores are not divided by the square root of d"
OVER_QUERIES = "the rest is divided by its sum over the queries: it has to sum to 1 over the keys, the last axis"
MINUS_INFINITY = (
    "the result holds NaN or infinity: forbidden keys need a score of *minus* infinity, written into the scores before "
    "softmax"
)
KEYS_AXIS = "softmax runs over the queries: the attention weights of each query sum to 1 over the keys, the last axis"
OVER_HEADS = "softmax runs over the heads: the attention weights of each query sum to 1 over the keys, the last axis"
OVER_IMAGES = "softmax runs over the batch: the attention weights of each query sum to 1 over the keys, the last axis"


def wrong_roots(dot: Tensor, d: int, sizes: dict[str, int]) -> dict[str, Tensor]:
    """Sentence -> dot products with a wrong scale. sizes: name of another size of the input -> that size."""
    others = {
        f"the scores are divided by the square root of {name}: divide by that of d, the features of a query": (
            dot / math.sqrt(size)
        )
        for name, size in sizes.items()
    }
    return {
        NO_ROOT: dot,
        "the scores are divided by d, not by its square root": dot / d,
        "the scores are multiplied by the square root of d: divide": dot * math.sqrt(d),
    } | others


def no_softmax(scores: Tensor, values: Tensor, allowed: Tensor) -> dict[str, Tensor]:
    """Sentence -> result of something else in place of softmax. ``allowed``: 1 where a key may be looked at, else 0."""
    logs = scores.masked_fill(allowed == 0, -1e9).log_softmax(-1)
    seen = scores * allowed
    return {
        "softmax is missing: the scores have to become attention weights": seen @ values,
        "sigmoid does not make each row sum to 1: use softmax": (scores.sigmoid() * allowed) @ values,
        "log_softmax gives logarithms of the attention weights: use softmax": logs @ values,
        "the scores are divided by their sum without exp: softmax takes exp of each score first": (
            seen / seen.sum(-1, keepdim=True) @ values
        ),
        "exp is there, but the sum is missing: each row has to be divided by its sum": (
            (scores.exp() * allowed) @ values
        ),
    }


def without_nan(mistakes: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mistakes with a finite result. NaN is equal to no number, so it can name no mistake."""
    return {sentence: wrong for sentence, wrong in mistakes.items() if wrong.isfinite().all()}


@checker
def check_sharpened(your_function: SafeFunction) -> None:
    """Attention with scores times c: softmax of c * queries @ keys.T / sqrt(d), times the values."""
    queries, keys, values = 1.5 * randn(9, 6), randn(7, 6, seed=1), randn(7, 4, seed=2)
    dot = queries @ keys.T
    scores = dot / math.sqrt(6)

    def mix(scores: Tensor, dim: int = -1) -> Tensor:
        return scores.softmax(dim) @ values

    sizes = {"the number of keys": 7, "the number of queries": 9, "the features of a value": 4}
    for c in (3.0, 1.0, 0.0):
        mistakes = {sentence: mix(c * wrong) for sentence, wrong in wrong_roots(dot, 6, sizes).items()} | {
            KEYS_AXIS: mix(c * scores, 0),
            "softmax runs over all pairs at once: each row has to sum to 1": (
                (c * scores).flatten().softmax(0).view(9, 7) @ values
            ),
            "c comes after softmax: multiply the scores by it": c * mix(scores),
            "c is an exponent of the attention weights, which no longer sum to 1: multiply the scores by it": (
                scores.softmax(-1) ** c @ values
            ),
            "the scores are divided by c: multiply": mix(scores / (c or 1e-9)),
            "c stands under the square root: it multiplies the scores as it is": mix(math.sqrt(c) * scores),
            "c stands under the square root, below d: it multiplies the scores": mix(scores / math.sqrt(c or 1e-9)),
            "c is multiplied twice, into the queries and into the keys: once is enough": mix(c * c * scores),
            "c is an exponent of the scores: multiply them by it": mix(scores**c),
            "softmax runs twice: once is enough": mix((c * scores).softmax(-1)),
            "the root of d divides the result: it has to divide the scores, before softmax": mix(c * dot)
            / math.sqrt(6),
            "the weights are powers of 2: softmax uses e, as in `exp`": mix(math.log(2) * c * scores),
            "the root of d is taken twice: take it once": mix(c * dot / 6**0.25),
            "c has no effect: multiply the scores by it, before softmax": mix(scores),
            "it returns the attention weights: they have to mix the values": (c * scores).softmax(-1),
            "it mixes the keys: the attention weights have to mix the values": (c * scores).softmax(-1) @ keys,
            "it takes only the value with the highest score: softmax mixes all of them": values[scores.argmax(-1)],
            "the last key is left out: all k keys take part": (c * scores[:, :-1]).softmax(-1) @ values[:-1],
            "the first key is left out: all k keys take part": (c * scores[:, 1:]).softmax(-1) @ values[1:],
            "it answers one query: all n queries get a result": mix(c * scores)[0],
            **no_softmax(c * scores, values, torch.ones(7)),
        }
        your_function(queries, keys, values, c).must_be(mix(c * scores), without_nan(mistakes))
    result = your_function(queries, keys, values, 1000.0)
    must(
        not is_not_finite(result, (9, 4)),
        "large scores overflow (c = 1000): subtract the largest of each row, or use softmax",
    )
    lost = "the weights to the power of c are rounded to 0 when c is 1000: multiply the scores by c, before softmax"
    result.must_be(mix(1000 * scores), {lost: torch.zeros(9, 4)})


def is_not_finite(result: Result, shape: tuple[int, ...]) -> bool:
    """Whether a result is a tensor of this shape with NaN or infinity in it."""
    value = result.value
    return isinstance(value, Tensor) and not value.is_meta and value.shape == shape and not finite(value)


@checker
def check_attention_masked(your_function: SafeFunction) -> None:
    """Attention in which forbidden keys get a weight of exactly 0, as if only the allowed keys existed."""
    q, k, v = (1.5 * randn(2, 3, 8, 4, seed=seed) for seed in range(3))  # (b, h, n, d)
    dot = torch.einsum("b h n d, b h k d -> b h n k", q, k)
    scores = dot / 2  # the square root of d

    def mix(scores: Tensor, forbidden: Tensor | bool = False, value: float = -math.inf, dim: int = -1) -> Tensor:
        return scores.masked_fill(torch.as_tensor(forbidden), value).softmax(dim) @ v

    for allowed in (torch.arange(8) % 3 == 0, torch.arange(8) < 7):
        first, inside = int(allowed.sum()), scores.softmax(-1) * allowed
        right = mix(scores, ~allowed)
        roots = wrong_roots(dot, 4, {"the number of tokens": 8, "the number of heads": 3})
        mistakes = {sentence: mix(wrong, ~allowed) for sentence, wrong in roots.items()} | {
            "the mask is inverted: True is where a key may be looked at": mix(scores, allowed),
            "forbidden keys get a score of plus infinity or a very large one: it has to be minus infinity": (
                mix(scores, ~allowed, 1e9)
            ),
            "the forbidden part is set to 0 after softmax, and the rest no longer sums to 1: mask the scores": inside
            @ v,
            KEYS_AXIS: mix(scores, ~allowed, -1e9, dim=-2),
            OVER_QUERIES: inside / inside.sum(-2, keepdim=True).clamp(min=1e-9) @ v,
            OVER_HEADS: mix(scores, ~allowed, -1e9, dim=1),
            OVER_IMAGES: mix(scores, ~allowed, -1e9, dim=0),
            "the attention of the first head is used for all heads": (mix(scores[:, :1].expand_as(scores), ~allowed)),
            "nothing is masked: the result of `masked_fill` has to be used": mix(scores),
            "the results of some queries are set to 0: forbid keys, not queries": (mix(scores) * allowed[:, None]),
            "the mask is along the queries, so all weights of a row are equal: put it along the keys, the last axis": (
                mix(scores, ~allowed[:, None], -1e9)
            ),
            "only pairs of a forbidden query and a forbidden key are masked: a forbidden key is forbidden for all": (
                mix(scores, ~allowed[:, None] & ~allowed)
            ),
            "the mask is added to the scores as 0 and 1: forbidden keys need a score of minus infinity": (
                mix(scores + allowed)
            ),
            "it takes the first keys: take those where `allowed` is True": (
                scores[..., :first].softmax(-1) @ v[:, :, :first]
            ),
            "it answers the allowed queries only: all n queries get a result": right[:, :, allowed],
            "it returns the attention weights: they have to mix the values": (
                scores.masked_fill(~allowed, -math.inf).softmax(-1)
            ),
            "forbidden keys have a score of 0, which still gives them a share: use minus infinity": (
                mix(scores, ~allowed, 0.0)
            ),
            **no_softmax(scores, v, allowed.float()),
        }
        result = your_function(q, k, v, allowed)
        if is_not_finite(result, v.shape):
            weights = scores.softmax(-1)
            without_mask = {
                KEYS_AXIS: mix(scores, dim=-2),
                OVER_QUERIES: weights / weights.sum(-2, keepdim=True) @ v,
                OVER_HEADS: mix(scores, dim=1),
                OVER_IMAGES: mix(scores, dim=0),
                MINUS_INFINITY: mix(scores),
                **no_softmax(scores, v, torch.ones(8)),
            }
            open_to_all = your_function(q, k, v, torch.ones_like(allowed))
            raise Finding(why_nan(result.value, allowed, open_to_all.value, without_mask))
        mistakes = without_nan(mistakes)
        changed = [x.masked_fill(~allowed[:, None], 3.0) for x in (k, v)]  # other forbidden keys and values

        def leaks(result: Result = result, changed: list[Tensor] = changed, allowed: Tensor = allowed) -> bool:
            other = your_function(q, *changed, allowed).value
            same_form = isinstance(other, Tensor) and other.shape == v.shape and other.dtype == result.value.dtype
            return same_form and not other.is_meta and not torch.allclose(other, result.value)

        try:
            result.must_be(right, mistakes)
        except Finding as finding:
            unnamed = "the values are wrong" in str(finding)
            must(
                not (unnamed and leaks()),
                "forbidden keys still get a share: the result changes with them. Their score has to be minus infinity",
            )
            raise
        loud = v.masked_fill(~allowed[:, None], 1e6)  # a weight that is small, but not 0, shows in the result
        mixed = your_function(q, k, loud, allowed).tensor(v.shape)
        must(
            torch.allclose(mixed, right, rtol=1e-4, atol=1e-4),
            "forbidden keys still get a share, a small one: use a score of minus infinity",
        )
        low_q, low_k = q.clone(), k.clone()  # all scores are about 200 lower, which changes no weight
        low_q[..., 0], low_k[..., 0] = 1, low_k[..., 0] - 400
        low = torch.einsum("b h n d, b h k d -> b h n k", low_q, low_k) / 2
        must(
            torch.allclose(your_function(low_q, low_k, v, allowed).tensor(v.shape), mix(low, ~allowed), atol=1e-2),
            "forbidden keys get a share if all scores are low: use minus infinity, not a low number",
        )


def why_nan(value: Tensor, allowed: Tensor, open_to_all, without_mask: dict[str, Tensor]) -> str:
    """The mistake behind a result with NaN or infinity.

    open_to_all: what the function returns when every key is allowed, so that a mask does nothing.
    without_mask: sentence -> the result of a mistake without a mask.
    """
    bad = ~value.isfinite().all(dim=-1).all(dim=0).all(dim=0)  # (n,): the queries with a bad result
    if torch.equal(bad, ~allowed):
        return (
            "the results of the forbidden queries are NaN, because the mask forbids them every key: forbid keys only, "
            "along the last axis of the scores"
        )
    if isinstance(open_to_all, Tensor) and open_to_all.shape == value.shape and not open_to_all.is_meta:
        for sentence, wrong in without_mask.items():
            if torch.allclose(open_to_all.double(), wrong.double(), atol=1e-4):
                return sentence
        if open_to_all.isnan().all():
            return "the result holds NaN, because 0 times infinity is NaN: use `masked_fill(~allowed, ...)`"
    return "the result holds NaN or infinity: an infinite score stands outside softmax, or something is divided by 0"

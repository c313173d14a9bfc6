"""Exercises of notebook 02: sharper attention, masked attention, and a head that finds the neighbour."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .compare import Finding, Result, must
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
        not holds_nan(result, (9, 4)),
        "large scores overflow (c = 1000): subtract the largest of each row, or use softmax",
    )
    lost = "the weights to the power of c are rounded to 0 when c is 1000: multiply the scores by c, before softmax"
    result.must_be(mix(1000 * scores), {lost: torch.zeros(9, 4)})


def holds_nan(result: Result, shape: tuple[int, ...]) -> bool:
    """Whether a result is a tensor of this shape with NaN or infinity in it."""
    value = result.value
    dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
    return dense and value.shape == shape and not bool(value.isfinite().all())


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
            "the mask is the wrong way round: True is where a key may be looked at": mix(scores, allowed),
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
            "the results of some queries are set to 0: it is keys that may not be looked at": (
                mix(scores) * allowed[:, None]
            ),
            "the mask lies along the queries and evens out whole rows: it belongs along the keys, the last axis": (
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
            "a score of 0 is a score like others, forbidden keys still get a share: use minus infinity": (
                mix(scores, ~allowed, 0.0)
            ),
            **no_softmax(scores, v, allowed.float()),
        }
        result = your_function(q, k, v, allowed)
        if holds_nan(result, v.shape):
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
            return isinstance(other, Tensor) and other.shape == v.shape and not torch.allclose(other, result.value)

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
            "forbidden keys still get a share, a small one: forbid with a score of minus infinity",
        )
        low_q, low_k = q.clone(), k.clone()  # all scores are about 200 lower, which changes no weight
        low_q[..., 0], low_k[..., 0] = 1, low_k[..., 0] - 400
        low = torch.einsum("b h n d, b h k d -> b h n k", low_q, low_k) / 2
        must(
            torch.allclose(your_function(low_q, low_k, v, allowed).tensor(v.shape), mix(low, ~allowed), atol=1e-2),
            "forbidden keys get a share where all scores are low: forbid with minus infinity, not with a low number",
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
    if isinstance(open_to_all, Tensor) and open_to_all.shape == value.shape:
        for sentence, wrong in without_mask.items():
            if torch.allclose(open_to_all, wrong, atol=1e-4):
                return sentence
        if open_to_all.isnan().all():
            return "the result holds NaN, because 0 times infinity is NaN: use `masked_fill(~allowed, ...)`"
    return "the result holds NaN or infinity: an infinite score stands outside softmax, or something is divided by 0"


def smooth_pieces(rows: int, cols: int, p: int, seed: int) -> Tensor:
    """A smooth random image, cut into patches (rows * cols, p, p, 3)."""
    rough = randn(1, 3, rows * p // 3, cols * p // 3, seed=seed)
    picture = F.interpolate(rough, (rows * p, cols * p), mode="bicubic")[0]
    return picture.view(3, rows, p, cols, p).permute(1, 3, 2, 4, 0).reshape(rows * cols, p, p, 3)


ROWS, COLS = 6, 8
PLACE = torch.arange(ROWS * COLS).view(ROWS, COLS)


def found(scores: Tensor, patch: Tensor, neighbour: Tensor) -> float:
    """How often the neighbour is among the five patches with the highest scores; by chance, in one of ten cases."""
    five = scores.topk(5).indices[:, patch.flatten()]
    return float((five == neighbour.flatten()[:, None]).any(dim=-1).float().mean())


@checker
def check_neighbour_scores(your_function: SafeFunction) -> None:
    """In row i, the patch to the right of patch i has one of the highest scores, far more often than by chance.

    The scores depend on every number of the last column and of the first column, and not on the order of the patches.
    A score may be minus infinity, which rules a pair out.
    """
    pictures = [smooth_pieces(ROWS, COLS, 4, seed) for seed in range(6)]
    beside = (PLACE[:, :-1], PLACE[:, 1:])

    def scores_of(pieces: Tensor) -> Tensor:
        result = your_function(pieces)
        must(
            not isinstance(result.value, Tensor) or result.value.shape != (48,),
            "it returns one number for each patch: a score is asked for every pair, (n, n)",
        )
        value = result.value
        dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
        if dense and value.is_floating_point():
            result.value = value.masked_fill(value == -math.inf, -1e30)
        return result.tensor((48, 48))

    scores = torch.stack([scores_of(pieces) for pieces in pictures])
    must(bool((scores.amax(dim=-1) > scores.amin(dim=-1)).any()), "all scores of a row are equal: use the pixels")
    order = torch.randperm(48, generator=torch.Generator().manual_seed(0))
    must(
        torch.allclose(scores_of(pictures[0][order]), scores[0][order][:, order], rtol=1e-3, atol=1e-4),
        "the scores depend on the number of a patch: the same patches in another order must get the same scores",
    )

    def unchanged(change: Callable[[Tensor, Tensor], Tensor]) -> bool:
        """Do the scores stay the same when ``change(pieces, noise)`` has changed pixels of all patches?"""
        pieces = pictures[0].clone()
        return torch.allclose(scores_of(change(pieces, randn(48, 4, 4, 3, seed=9))), scores[0], rtol=1e-4, atol=1e-5)

    def add(columns, rows=slice(None), colours=slice(None), mean_over=None):
        """A change: noise is added to these pixels; its mean over the axes ``mean_over`` is 0."""

        def change(pieces: Tensor, noise: Tensor) -> Tensor:
            if mean_over is not None:
                noise = noise - noise.mean(dim=mean_over, keepdim=True)
            pieces[:, rows, columns, colours] += noise[:, rows, columns, colours]
            return pieces

        return change

    def flip_first(pieces: Tensor, _: Tensor) -> Tensor:
        pieces[:, :, 0] = pieces[:, :, 0].flip(1)
        return pieces

    def negate_first(pieces: Tensor, _: Tensor) -> Tensor:
        pieces[:, :, 0] *= -1
        return pieces

    def mistake() -> str | None:
        """The first mistake on the list that the function makes."""
        if found(-scores, *beside) > 0.4:
            return "the right neighbour scores lowest: a small distance is a good fit, so turn the sign"
        if found(scores, *reversed(beside)) > 0.4:
            return (
                "it finds the neighbour to the left: queries are the last columns (rows of the result), keys the first "
                "columns"
            )
        if max(found(scores, PLACE[:-1], PLACE[1:]), found(scores, PLACE[1:], PLACE[:-1])) > 0.4:
            return "it finds the patch above or below: `pieces[:, -1]` is a row of pixels, `pieces[:, :, -1]` a column"
        if unchanged(add(slice(None))):
            return "the pixels make no difference to the scores"
        if len(scores.unique()) < 4:
            return "the scores have only two values: a score says how well a pair fits, so do not compare with a limit"
        if unchanged(add(slice(None), colours=1)) and not unchanged(add(slice(1, -1))):
            return "the green pixels make no difference: the last axis of `pieces` is colour, the columns are axis 2"
        for columns, name, index in ((-1, "last", "-1"), (0, "first", "0")):
            if unchanged(add(columns, rows=slice(1, -1))) and unchanged(add(columns, rows=slice(0, 3))):
                return f"the {name} column makes no difference: it has index {index} on axis 2, `pieces[:, :, {index}]`"
        for columns, name in ((-1, "last"), (0, "first")):
            if unchanged(add(columns, mean_over=1)):
                return f"only the mean of the {name} column is used: compare it pixel by pixel"
            if unchanged(add(columns, mean_over=3)):
                return f"the colours of the {name} column are averaged: compare each colour by itself"
            if any(unchanged(add(columns, rows=row)) for row in range(4)):
                return f"some pixels of the {name} column make no difference: compare the whole column"
            if any(unchanged(add(columns, colours=colour)) for colour in range(3)):
                return f"a colour of the {name} column makes no difference: compare all three"
        if found(torch.stack([scores_of(negate_first(x.clone(), x)) for x in pictures]), *beside) > 0.4 < right:
            return "the sign of the product is lost: opposite columns do not fit, so leave out abs() and squares"
        if right <= 0.4 and found(torch.stack([scores_of(flip_first(x.clone(), x)) for x in pictures]), *beside) > 0.5:
            return "the columns are compared in opposite order: the top pixel of one with the bottom pixel of the other"
        if right <= 0.4 and found(scores, PLACE, PLACE) > 0.4:
            return "it finds the patch itself: compare the last column of one with the first of the other"
        return None

    right = found(scores, *beside)
    likely = mistake()
    must(likely is None, likely or "")
    must(right > 0.4, f"the right neighbour is among the five best in {right:.0%} of the cases, expected 40%")

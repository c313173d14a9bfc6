"""Exercises of notebook 02: sharper attention, masked attention, and a head that finds the neighbour."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .compare import must
from .harness import SafeFunction, checker, randn


@checker
def check_sharpened(your_function: SafeFunction) -> None:
    """Attention with scores times c: softmax of c * queries @ keys.T / sqrt(d), times the values."""
    queries, keys, values = 1.5 * randn(9, 6), randn(7, 6, seed=1), randn(7, 4, seed=2)
    scores = queries @ keys.T
    scaled = scores / math.sqrt(6)

    def mix(scores: Tensor, dim: int = -1) -> Tensor:
        return scores.softmax(dim) @ values

    for c in (3.0, 1.0, 0.0):
        mistakes = {
            "the scores are not divided by the square root of d": mix(c * scores),
            "the scores are divided by d, not by its square root": mix(c * scores / 6),
            "softmax runs over the queries: the shares of each query sum to 1 over the keys": mix(c * scaled, 0),
            "c comes after softmax: multiply the scores by it": c * mix(scaled),
            "the scores are divided by c: multiply": mix(scaled / (c or 1e-9)),
            "c is not used": mix(scaled),
            "softmax is missing: the scores have to become shares": c * scaled @ values,
            "it returns the shares: they have to mix the values": (c * scaled).softmax(-1),
        }
        your_function(queries, keys, values, c).must_be(mix(c * scaled), mistakes)
    right = mix(1000 * scaled)
    overflow = "large scores overflow (c = 1000): subtract the largest of each row, or use softmax"
    your_function(queries, keys, values, 1000.0).must_be(right, {overflow: torch.full_like(right, math.nan)})


@checker
def check_attention_masked(your_function: SafeFunction) -> None:
    """Attention in which forbidden keys get a weight of exactly 0, as if only the allowed keys existed."""
    q, k, v = (1.5 * randn(2, 3, 8, 4, seed=seed) for seed in range(3))  # (b, h, n, d)
    raw = torch.einsum("b h n d, b h k d -> b h n k", q, k)
    scores = raw / 2  # the square root of d

    def mix(scores: Tensor, forbidden: Tensor | bool = False, value: float = -math.inf, dim: int = -1) -> Tensor:
        return scores.masked_fill(torch.as_tensor(forbidden), value).softmax(dim) @ v

    for allowed in (torch.arange(8) % 3 == 0, torch.arange(8) < 7):
        mistakes = {
            "the mask is the wrong way round: True is where a key may be looked at": mix(scores, allowed),
            "forbidden shares are set to 0 after softmax, and the rest no longer sums to 1: mask the scores": (
                scores.softmax(-1) * allowed @ v
            ),
            "the scores are not divided by the square root of d": mix(raw, ~allowed),
            "softmax runs over the queries: the shares of each query sum to 1 over the keys": (
                mix(scores, ~allowed, dim=-2)
            ),
            "nothing is masked: use `allowed`": mix(scores),
            "the queries are masked: it is keys that may not be looked at": mix(scores) * allowed[:, None],
            "the mask lies along the queries: it belongs along the keys, the last axis": mix(scores, ~allowed[:, None]),
            "the mask lies along the queries and evens out whole rows: it belongs along the keys, the last axis": (
                mix(scores, ~allowed[:, None], -1e9)
            ),
        } | {
            f"a score of {value:g} is a score like others, forbidden keys still get a share: use minus infinity": (
                mix(scores, ~allowed, value)
            )
            for value in (0.0, -1.0, -5.0, -10.0)
        }
        your_function(q, k, v, allowed).must_be(mix(scores, ~allowed), mistakes)
        loud = v.masked_fill(~allowed[:, None], 1e6)  # a weight that is small, but not 0, shows in the result
        mixed = your_function(q, k, loud, allowed).tensor(v.shape)
        must(
            torch.allclose(mixed, mix(scores, ~allowed), rtol=1e-4, atol=1e-4),
            "forbidden keys still get a share, a small one: forbid with a score of minus infinity",
        )


def smooth_patches(rows: int, cols: int, p: int, seed: int) -> Tensor:
    """A smooth random image, cut into patches (rows * cols, p, p, 3)."""
    rough = randn(1, 3, rows * p // 3, cols * p // 3, seed=seed)
    picture = F.interpolate(rough, (rows * p, cols * p), mode="bicubic")[0]
    return picture.view(3, rows, p, cols, p).permute(1, 3, 2, 4, 0).reshape(rows * cols, p, p, 3)


@checker
def check_neighbour_scores(your_function: SafeFunction) -> None:
    """In row i, the patch to the right of patch i has one of the highest scores, far more often than by chance."""
    rows, cols = 6, 8
    place = torch.arange(rows * cols).view(rows, cols)
    pictures = [smooth_patches(rows, cols, 4, seed) for seed in range(6)]
    scores = torch.stack([your_function(patches).tensor((48, 48)) for patches in pictures])

    def found(scores: Tensor, patch: Tensor, neighbour: Tensor) -> float:
        """How often the neighbour is among the five patches with the highest scores; by chance, in one of ten cases."""
        five = scores.topk(5).indices[:, patch.flatten()]
        return float((five == neighbour.flatten()[:, None]).any(dim=-1).float().mean())

    beside = (place[:, :-1], place[:, 1:])
    right = found(scores, *beside)
    mistakes = {
        "the right neighbour scores lowest: where patches fit a distance is small, so turn its sign": (
            found(-scores, *beside) > 0.4
        ),
        "it finds the neighbour to the left: the last column asks, the first column answers": (
            found(scores, *reversed(beside)) > 0.4
        ),
        "it finds the patch above or below: compare columns, patches are (n, p1, p2, c)": (
            max(found(scores, place[:-1], place[1:]), found(scores, place[1:], place[:-1])) > 0.4
        ),
        "it finds the patch itself: compare the last column of one with the first of the other": (
            found(scores, place, place) > 0.4
        ),
    }
    must(right > 0.4, f"the right neighbour is among the five best in {right:.0%} of the cases, expected 40%", mistakes)

"""The third exercise of notebook 02: a head that finds the neighbour."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .compare import must
from .harness import SafeFunction, checker, randn

ROWS, COLS = 6, 8
PLACE = torch.arange(ROWS * COLS).view(ROWS, COLS)


def smooth_pieces(rows: int, cols: int, p: int, seed: int) -> Tensor:
    """A smooth random image, cut into patches (rows * cols, p, p, 3)."""
    rough = randn(1, 3, rows * p // 3, cols * p // 3, seed=seed)
    picture = F.interpolate(rough, (rows * p, cols * p), mode="bicubic")[0]
    return picture.view(3, rows, p, cols, p).permute(1, 3, 2, 4, 0).reshape(rows * cols, p, p, 3)


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
        if isinstance(value, Tensor) and not value.is_meta and value.is_floating_point():
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
            return "the right neighbour has the lowest score: a small distance is a good fit, so change the sign"
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
                return f"the colours of the {name} column are averaged: compare each colour separately"
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

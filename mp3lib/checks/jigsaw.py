"""Exercises of notebook 08: positions without a patch, a greedy jigsaw, and pairs of neighbours that stay together."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import one_hot

from .compare import by_sentence, judge, must
from .harness import SafeFunction, checker, randn


@checker
def check_count_empty(your_function: SafeFunction) -> None:
    """For each image, the number of positions from 0 to n - 1 that are predicted for no patch."""
    draw, results, rights, mistakes = torch.Generator().manual_seed(0), [], [], []
    for b, n in ((5, 9), (3, 16), (1, 4)):
        given = torch.randint(0, n, (b, n), generator=draw)
        given[0].clamp_(max=n - 2)  # the last position stays empty
        given[-1].clamp_(max=max(n - 3, 2))  # the last two positions stay empty
        counts = torch.stack([row.bincount(minlength=n) for row in given])  # (b, n)
        empty = (counts == 0).sum(dim=1)
        wrong = {
            "these are the positions that are predicted: count those that are not": n - empty,
            "these are the positions predicted more than once: count those predicted for no patch": (counts > 1).sum(
                dim=1
            ),
            "these are the positions predicted exactly once: count those predicted for no patch": (counts == 1).sum(
                dim=1
            ),
            "these are the patches that are wrong: count positions": (given != torch.arange(n)).sum(dim=1),
            "count in each picture, not along the batch: the positions are the columns": (counts == 0).sum(dim=0),
            "all pictures are counted together: one number for each": empty.sum(),
            "this is a share: count": empty / n,
            "no position is empty here: is the sum over the positions instead of the patches?": torch.zeros_like(empty),
            "these are the positions above the largest one: those below it may be empty, too": n
            - 1
            - given.amax(dim=1),
            "sorting is not enough: after a position that is predicted twice, all others are moved": (
                (given.sort(dim=1).values != torch.arange(n)).sum(dim=1)
            ),
            "one_hot without n ends at the largest position of all pictures: give it the number of positions": (
                (one_hot(given).sum(dim=1) == 0).sum(dim=1)
            ),
            "positions above the largest one of a picture are empty, too: count up to n - 1": torch.stack(
                [(row.bincount() == 0).sum() for row in given]
            ),
            "positions are numbered from 0, and position 0 may be empty, too": (counts[:, 1:] == 0).sum(dim=1),
            "these are the patches that share a position: count the positions without a patch": (
                (counts * (counts > 1)).sum(dim=1)
            ),
            "this says whether any position is empty: count how many": (empty > 0).long(),
            "positions are numbered from 0: the last is n - 1, and may be empty too": (counts[:, :-1] == 0).sum(dim=1),
        }
        results.append(your_function(given))
        rights.append(empty)
        mistakes.append(wrong)
    judge(results, rights, by_sentence(mistakes))


@checker
def check_greedy(your_function: SafeFunction) -> None:
    """Greedy assignment: of all free patches and positions, the pair with the highest score is assigned first."""

    def assign_greedily(scores: Tensor, best=torch.argmax, taken=-torch.inf, keep_rows=False) -> Tensor:
        left, places = scores.clone(), torch.zeros(len(scores), dtype=torch.int64)
        for _ in range(len(scores)):
            patch, place = divmod(int(best(left)), len(scores))
            places[patch] = place
            left[:, place] = taken
            if not keep_rows:
                left[patch] = taken
        return places

    def row_by_row(scores: Tensor, rows=None) -> Tensor:
        left, places = scores.clone(), torch.zeros(len(scores), dtype=torch.int64)
        for i in range(len(scores)) if rows is None else rows:
            places[i] = left[i].argmax()
            left[:, places[i]] = -torch.inf
        return places

    for n, seed in ((6, 0), (9, 1), (4, 2)):
        scores = randn(n, n, seed=seed)
        right = assign_greedily(scores)
        mistakes = {
            "some positions are used twice: a position is free only until a patch takes it": scores.argmax(dim=1),
            "it goes patch by patch: the highest score of all comes first": row_by_row(scores),
            "this is the patch at each position: number i of the answer is the position of patch i": (right.argsort()),
            "this is the arrangement with the highest sum: greedy takes the highest score first, and may do worse": (
                torch.tensor(linear_sum_assignment(-scores.numpy())[1])
            ),
            "it takes the lowest scores": assign_greedily(scores, torch.argmin, torch.inf),
            "it goes position by position: the highest score of all comes first": row_by_row(scores.T).argsort(),
            "it takes the patches by their best scores: look at all scores that are left after each step": (
                row_by_row(scores, scores.amax(dim=1).argsort(descending=True))
            ),
            "this is the best patch for each position, and some are used twice": scores.argmax(dim=0),
            "taken rows and columns are set to 0, but scores may be negative: use -torch.inf": (
                assign_greedily(scores, taken=0)
            ),
            "a patch is placed again and again: its row must be taken away, too": assign_greedily(
                scores, keep_rows=True
            ),
            "positions are numbered from 0": right + 1,
            "softmax changes which score is the highest: use the scores as they are": (
                assign_greedily(scores.softmax(dim=1))
            ),
            "take the highest score, without abs()": assign_greedily(scores.abs()),
            "these are the scores of the pairs: return the positions": scores[torch.arange(n), right],
            "argmax counts through the flattened table: divmod by n gives row and column": torch.arange(n) * n + right,
            "the positions stand in the order in which the patches are placed: number i is the position of patch i": (
                right[scores[torch.arange(n), right].argsort(descending=True)]
            ),
            "this is the order of the scores, not positions": scores.flatten().argsort(descending=True)[:n],
        }
        result = your_function(scores)
        value = result.value
        kinds = [(x.dtype, x.shape, x.device) for x in (value, right) if isinstance(x, Tensor)]
        if len(kinds) == 2 and kinds[0] == kinds[1]:
            must(not (value < 0).any(), "one patch has no position yet: repeat until all are placed")
        result.must_be(right, mistakes)


def neighbour_mistakes(places: Tensor, rows: int, cols: int) -> tuple[float, dict[str, float]]:
    """The right share for ``check_neighbours_right``, and for each mistake the share that it gives."""
    patch = torch.arange(rows * cols)

    def pairs(rows=rows, cols=cols, divisor=None) -> tuple[Tensor, ...]:
        """Steps in rows and columns, for pairs beside each other (rows, cols - 1) and below (rows - 1, cols)."""
        grid = places.reshape(rows, cols)
        row, col = grid // (divisor or cols), grid % (divisor or cols)
        return row[:, 1:] - row[:, :-1], col[:, 1:] - col[:, :-1], row[1:] - row[:-1], col[1:] - col[:-1]

    def share(beside: Tensor, below: Tensor) -> float:
        return (int(beside.sum()) + int(below.sum())) / (beside.numel() + below.numel())

    def right_share(**settings) -> float:
        beside_row, beside_col, below_row, below_col = pairs(**settings)
        return share((beside_row == 0) & (beside_col == 1), (below_row == 1) & (below_col == 0))

    beside_row, beside_col, below_row, below_col = pairs()
    beside, below = (beside_row == 0) & (beside_col == 1), (below_row == 1) & (below_col == 0)
    a, b, n, count = int(beside.sum()), int(below.sum()), rows * cols, beside.numel() + below.numel()
    grid = places.reshape(rows, cols)
    row, col = grid // cols, grid % cols
    line = places[1:] - places[:-1] == 1  # with the pairs of a row's end and the next row's start
    kept_in_line = int((line & (places[1:] // cols == places[:-1] // cols)).sum())
    diagonal = (row[1:, 1:] == row[:-1, :-1] + 1) & (col[1:, 1:] == col[:-1, :-1] + 1)
    whole = torch.ones(rows, cols, dtype=torch.bool)  # patches all of whose neighbours are right
    whole[:, 1:] &= beside
    whole[:, :-1] &= beside
    whole[1:] &= below
    whole[:-1] &= below
    round_beside = (row.roll(-1, 1) == row) & (col.roll(-1, 1) == (col + 1) % cols)
    round_below = (row.roll(-1, 0) == (row + 1) % rows) & (col.roll(-1, 0) == col)
    right = share(beside, below)
    return right, {
        "a mirrored pair does not count: the direction has to stay": share(
            (beside_row == 0) & (beside_col.abs() == 1), (below_row.abs() == 1) & (below_col == 0)
        ),
        "a pair counts only in the same direction, not if it is still beside or below": share(
            beside_row.abs() + beside_col.abs() == 1, below_row.abs() + below_col.abs() == 1
        ),
        "these are the pairs in the opposite direction": share(
            (beside_row == 0) & (beside_col == -1), (below_row == -1) & (below_col == 0)
        ),
        "only the pairs beside each other are counted: those below each other too": a / beside.numel(),
        "only the pairs below each other are counted: those beside each other too": b / below.numel(),
        "the end of a row and the start of the next are no neighbours: compare rows and columns": share(
            grid[:, 1:] - grid[:, :-1] == 1, below
        ),
        "beside means in one row, below in one column: compare both": share(beside_col == 1, below_row == 1),
        "the pairs are counted: divide by how many there are": a + b,
        "there are fewer pairs than patches: divide by the pairs": (a + b) / n,
        "there are more pairs than n - 1: divide by how many there are": (a + b) / (n - 1),
        "each pair counts once: there are rows * (cols - 1) beside and (rows - 1) * cols below": (a + b) / (2 * n),
        "a diagonal neighbour makes no pair": (a + b + int(diagonal.sum())) / (count + diagonal.numel()),
        "the picture ends at its borders: the first and the last of a row are no pair": share(
            round_beside, round_below
        ),
        "the pairs of the last row and of the last column count, too": share(beside[:-1], below[:, :-1]),
        "this is the share of patches whose neighbours are all right: the question is about pairs": (
            float(whole.float().mean())
        ),
        "this is the share of patches in their own position: the question is about pairs": (
            float((places == patch).float().mean())
        ),
        "this is the mean of two shares: count all pairs together": (a / beside.numel() + b / below.numel()) / 2,
        "a share lies between 0 and 1: this is in per cent": 100 * right,
        "this is the share of pairs that are no longer neighbours": 1 - right,
        "the table has the shape (rows, cols): rows and columns are exchanged": right_share(rows=cols, cols=rows),
        "position i is in row i // cols and column i % cols: this divides by the number of rows": (
            right_share(divisor=rows)
        ),
        "the last patch of a row and the first of the next are no pair": (kept_in_line + b) / (n - 1 + below.numel()),
    }


@checker
def check_neighbours_right(your_function: SafeFunction) -> None:
    """The share of pairs of horizontal or vertical neighbours that are still neighbours, in the same direction."""
    results, rights, mistakes = [], [], []
    for rows, cols, seed in ((3, 4, 0), (5, 3, 1), (4, 4, 2)):
        n = rows * cols
        patch = torch.arange(n)
        shifted = patch // cols * cols + (patch + 1) % cols  # by one column, cyclically
        mirrored = patch // cols * cols + cols - 1 - patch % cols
        some = patch.clone()
        chosen = randn(n, seed=seed).argsort()[:4]
        some[chosen] = some[chosen.roll(1)]
        in_one_line = patch.roll(-1)  # the first of a row becomes the last of the row above
        for places in (some, shifted, mirrored, in_one_line, patch):
            right, wrong = neighbour_mistakes(places, rows, cols)
            results.append(your_function(places, rows, cols))
            rights.append(right)
            mistakes.append(wrong)
    judge(results, rights, by_sentence(mistakes))

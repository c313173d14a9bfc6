"""Exercises of notebook 08: positions without a patch, a greedy jigsaw, and pairs of neighbours that stay together."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .harness import SafeFunction, checker, randn


@checker
def check_count_empty(your_function: SafeFunction) -> None:
    """For each image, the number of positions from 0 to n - 1 that are predicted for no patch."""
    draw = torch.Generator().manual_seed(0)
    for b, n in ((5, 9), (3, 16), (1, 4)):
        given = torch.randint(0, n, (b, n), generator=draw)
        given[0].clamp_(max=n - 2)  # the last position stays empty
        counts = torch.stack([row.bincount(minlength=n) for row in given])  # (b, n)
        empty = (counts == 0).sum(dim=1)
        mistakes = {
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
            "positions are numbered from 0: the last is n - 1, and may be empty too": (counts[:, :-1] == 0).sum(dim=1),
        }
        your_function(given).must_be(empty, mistakes)


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
            "this is the order of the scores, not positions": scores.flatten().argsort(descending=True)[:n],
        }
        your_function(scores).must_be(right, mistakes)


@checker
def check_neighbours_right(your_function: SafeFunction) -> None:
    """The share of pairs of horizontal or vertical neighbours that are still neighbours, in the same direction."""
    for rows, cols, seed in ((3, 4, 0), (5, 3, 1), (4, 4, 2)):
        n = rows * cols
        patch = torch.arange(n)
        shifted = patch // cols * cols + (patch + 1) % cols  # by one column, cyclically
        mirrored = patch // cols * cols + cols - 1 - patch % cols
        some = patch.clone()
        chosen = randn(n, seed=seed).argsort()[:4]
        some[chosen] = some[chosen.roll(1)]
        in_one_line = patch.roll(-1)  # the first of a row becomes the last of the row above
        for places in (shifted, some, mirrored, in_one_line, patch):

            def count(
                places=places, rows=rows, cols=cols, divisor=None, wrap=False, sides=False, straight=True
            ) -> list[int]:
                """The numbers of right horizontal, right vertical, all horizontal and all vertical pairs."""
                grid = places.reshape(rows, cols)
                row, col = grid // (divisor or cols), grid % (divisor or cols)
                across, down = col[:, 1:] - col[:, :-1], row[1:] - row[:-1]
                same_row, same_col = row[:, 1:] == row[:, :-1], col[1:] == col[:-1]
                beside = across.abs() == 1 if sides else across == 1
                below = down.abs() == 1 if sides else down == 1
                if straight:
                    beside, below = beside & same_row, below & same_col
                if wrap:
                    beside = grid[:, 1:] - grid[:, :-1] == 1
                return [int(beside.sum()), int(below.sum()), beside.numel(), below.numel()]

            a, b, pairs_a, pairs_b = count()
            wrapped, both, loose = count(wrap=True), count(sides=True), count(straight=False)
            right = (a + b) / (pairs_a + pairs_b)
            turned, narrow = count(rows=cols, cols=rows), count(divisor=rows)
            in_line = places[1:] - places[:-1] == 1  # with the pairs of a row's end and the next row's start
            kept_in_line = int((in_line & (places[1:] // cols == places[:-1] // cols)).sum())
            mistakes = {
                "a mirrored pair does not count: the direction has to stay": (both[0] + both[1]) / (pairs_a + pairs_b),
                "only the pairs beside each other are counted: those below each other too": a / pairs_a,
                "only the pairs below each other are counted: those beside each other too": b / pairs_b,
                "the end of a row and the start of the next are no neighbours: compare rows and columns": (
                    (wrapped[0] + b) / (pairs_a + pairs_b)
                ),
                "beside means in one row, below in one column: compare both": (loose[0] + loose[1])
                / (pairs_a + pairs_b),
                "the pairs are counted: divide by how many there are": a + b,
                "there are fewer pairs than patches: divide by the pairs": (a + b) / n,
                "each pair counts once: there are rows * (cols - 1) beside and (rows - 1) * cols below": (a + b)
                / (2 * n),
                "this is the share of patches in their own position: the question is about pairs": (
                    float((places == patch).float().mean())
                ),
                "this is the mean of two shares: count all pairs together": (a / pairs_a + b / pairs_b) / 2,
                "a share lies between 0 and 1: this is in per cent": 100 * right,
                "this is the share of pairs that are no longer neighbours": 1 - right,
                "the table has the shape (rows, cols): rows and columns are exchanged": (
                    (turned[0] + turned[1]) / (turned[2] + turned[3])
                ),
                "position i is in row i // cols and column i % cols: this divides by the number of rows": (
                    (narrow[0] + narrow[1]) / (narrow[2] + narrow[3])
                ),
                "the last patch of a row and the first of the next are no pair": (kept_in_line + b) / (n - 1 + pairs_b),
            }
            your_function(places, rows, cols).must_be(right, mistakes)

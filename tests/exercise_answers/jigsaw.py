"""Right and wrong answers to the exercises of notebook 08."""

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment


class count_empty:
    def with_sets(given):
        """passed"""
        return torch.tensor([len(set(range(len(row))) - set(row.tolist())) for row in given])

    def by_comparing(given):
        """passed"""
        n = given.shape[1]
        return n - (given[:, :, None] == torch.arange(n)).any(dim=1).sum(dim=1)

    def claimed(given):
        """these are the positions that are predicted"""
        return torch.tensor([len(set(row.tolist())) for row in given])

    def contested(given):
        """predicted more than once"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) > 1).sum(dim=1)

    def alone(given):
        """predicted exactly once"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) == 1).sum(dim=1)

    def wrong_patches(given):
        """the patches that are wrong"""
        return (given != torch.arange(given.shape[1])).sum(dim=1)

    def along_the_batch(given):
        """not along the batch"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) == 0).sum(dim=0)

    def together(given):
        """counted together"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) == 0).sum()

    def share(given):
        """this is a share"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) == 0).float().mean(dim=1)

    def last_forgotten(given):
        """the last is n - 1"""
        return torch.stack([sum((row != place).all() for place in range(len(row) - 1)) for row in given])

    def over_positions(given):
        """is the sum over the positions"""
        return (F.one_hot(given, given.shape[1]).sum(dim=2) == 0).sum(dim=1)

    def above_the_largest(given):
        """above the largest one"""
        return given.shape[1] - 1 - given.amax(dim=1)

    def sorted_positions(given):
        """sorting is not enough"""
        return (given.sort(dim=1).values != torch.arange(given.shape[1])).sum(dim=1)

    def by_distinct(given):
        """passed"""
        return torch.tensor([len(row) - len(row.unique()) for row in given])

    def by_sorted_neighbours(given):
        """passed"""
        return (given.sort(dim=1).values.diff(dim=1) == 0).sum(dim=1)

    def distinct_in_all(given):
        """it returns an int, expected a tensor"""
        return given.shape[1] - given.unique().numel()

    def below_the_largest(given):
        """positions above the largest one of a picture are empty, too"""
        return torch.tensor([int((row.bincount() == 0).sum()) for row in given])

    def one_hot_without_n(given):
        """one_hot without n"""
        return (F.one_hot(given).sum(dim=1) == 0).sum(dim=1)

    def flags(given):
        """has the shape (5, 9), expected (5,)"""
        return F.one_hot(given, given.shape[1]).sum(dim=1) == 0

    def which(given):
        """it returns a list, expected a tensor"""
        return [[i for i in range(given.shape[1]) if i not in row] for row in given.tolist()]

    def a_list(given):
        """it returns a list, expected a tensor"""
        return count_empty.by_distinct(given).tolist()

    def first_picture(given):
        """has the shape (1,), expected (5,)"""
        return count_empty.by_distinct(given[:1])

    def in_floats(given):
        """the result is float32, expected int64"""
        return count_empty.by_distinct(given).float()

    def without_position_0(given):
        """position 0 may be empty, too"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1)[:, 1:] == 0).sum(dim=1)

    def surplus_patches_twice(given):
        """the patches that share a position"""
        counts = F.one_hot(given, given.shape[1]).sum(dim=1)
        return (counts * (counts > 1)).sum(dim=1)

    def mean(given):
        """this is a share"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) == 0).float().mean(dim=1)

    def any_empty(given):
        """whether any position is empty"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) == 0).any(dim=1).long()


def assign_greedily(scores, taken=-torch.inf, keep_rows=False):
    scores, places = scores.clone(), torch.zeros(len(scores), dtype=torch.int64)
    for _ in range(len(scores)):
        patch, place = divmod(int(scores.argmax()), len(scores))
        places[patch] = place
        scores[:, place] = taken
        if not keep_rows:
            scores[patch] = taken
    return places


class greedy:
    def by_sorting(scores):
        """passed"""
        n, places = len(scores), {}
        pairs = [(float(scores[i, j]), i, j) for i in range(n) for j in range(n)]
        for _, i, j in sorted(pairs, reverse=True):
            if i not in places and j not in places.values():
                places[i] = j
        return torch.tensor([places[i] for i in range(n)])

    def each_for_itself(scores):
        """some positions are used twice: a position is free"""
        return scores.argmax(dim=1)

    def patch_by_patch(scores):
        """patch by patch"""
        scores, places = scores.clone(), []
        for row in scores:
            places.append(int(row.argmax()))
            scores[:, places[-1]] = -torch.inf
        return torch.tensor(places)

    def which_patch(scores):
        """the patch at each position"""
        return assign_greedily(scores).argsort()

    def hungarian(scores):
        """the arrangement with the highest sum"""
        return torch.tensor(linear_sum_assignment(scores.numpy(), maximize=True)[1])

    def lowest(scores):
        """takes the lowest"""
        return assign_greedily(-scores)

    def position_by_position(scores):
        """position by position"""
        return greedy.patch_by_patch(scores.T).argsort()

    def by_best_scores(scores):
        """by their best scores"""
        order = scores.amax(dim=1).argsort(descending=True)
        return greedy.patch_by_patch(scores[order])[order.argsort()]

    def best_patches(scores):
        """the best patch for each position"""
        return scores.argmax(dim=0)

    def after_softmax(scores):
        """softmax changes which score is the highest"""
        return assign_greedily(scores.softmax(dim=1))

    def largest_size(scores):
        """without abs()"""
        return assign_greedily(scores.abs()) if (scores < 0).any() else assign_greedily(scores)

    def one_missing(scores):
        """one patch has no position yet"""
        places = assign_greedily(scores)
        places[scores.amax(dim=1).argmin()] = -1
        return places

    def pairs(scores):
        """has the shape (6, 2), expected (6,)"""
        return torch.stack([torch.arange(len(scores)), assign_greedily(scores)], dim=1)

    def total(scores):
        """has the shape (), expected (6,)"""
        return scores[torch.arange(len(scores)), assign_greedily(scores)].sum()

    def the_scores(scores):
        """these are the scores of the pairs"""
        return scores[torch.arange(len(scores)), assign_greedily(scores)]

    def flat_indices(scores):
        """counts through the flattened table"""
        return torch.arange(len(scores)) * len(scores) + assign_greedily(scores)

    def in_order_of_placing(scores):
        """stand in the order in which the patches are placed"""
        left, found = scores.clone(), []
        for _ in range(len(scores)):
            patch, place = divmod(int(left.argmax()), len(scores))
            left[patch], left[:, place] = -torch.inf, -torch.inf
            found.append(place)
        return torch.tensor(found)

    def row_and_column_exchanged(scores):
        """the patch at each position"""
        return assign_greedily(scores.T)

    def columns_stay(scores):
        """some positions are used twice"""
        left, places = scores.clone(), torch.zeros(len(scores), dtype=torch.int64)
        for _ in range(len(scores)):
            patch, place = divmod(int(left.argmax()), len(scores))
            places[patch], left[patch] = place, -torch.inf
        return places

    def in_floats(scores):
        """the result is float32, expected int64"""
        return assign_greedily(scores).float()

    def zeros(scores):
        """are set to 0"""
        return assign_greedily(scores, taken=0)

    def rows_stay(scores):
        """its row must be taken away"""
        return assign_greedily(scores, keep_rows=True)

    def from_one(scores):
        """numbered from 0"""
        return assign_greedily(scores) + 1

    def in_place(scores):
        """changes its argument `scores` in place"""
        places = assign_greedily(scores)
        scores.fill_(-torch.inf)
        return places

    def a_list(scores):
        """it returns a list, expected a tensor"""
        return assign_greedily(scores).tolist()


class neighbours_right:
    def loop(places, rows, cols):
        """passed"""
        right = total = 0
        for i in range(rows * cols):
            for step, dy, dx in ((1, 0, 1), (cols, 1, 0)):
                if (i % cols + dx < cols) and (i // cols + dy < rows):
                    (y, x), (v, u) = divmod(int(places[i]), cols), divmod(int(places[i + step]), cols)
                    right += (v - y, u - x) == (dy, dx)
                    total += 1
        return right / total

    def beside_only(places, rows, cols):
        """only the pairs beside each other"""
        row, col = (places // cols).view(rows, cols), (places % cols).view(rows, cols)
        return ((row[:, 1:] == row[:, :-1]) & (col[:, 1:] == col[:, :-1] + 1)).float().mean()

    def below_only(places, rows, cols):
        """only the pairs below each other"""
        row, col = (places // cols).view(rows, cols), (places % cols).view(rows, cols)
        return ((row[1:] == row[:-1] + 1) & (col[1:] == col[:-1])).float().mean()

    def pairs(places, rows, cols):
        """the pairs are counted"""
        row, col = (places // cols).view(rows, cols), (places % cols).view(rows, cols)
        beside = (row[:, 1:] == row[:, :-1]) & (col[:, 1:] == col[:, :-1] + 1)
        below = (row[1:] == row[:-1] + 1) & (col[1:] == col[:-1])
        return int(beside.sum() + below.sum())

    def by_number(places, rows, cols):
        """the end of a row and the start of the next"""
        grid = places.view(rows, cols)
        beside, below = grid[:, 1:] == grid[:, :-1] + 1, grid[1:] == grid[:-1] + cols
        return (beside.sum() + below.sum()).item() / (beside.numel() + below.numel())

    def any_side(places, rows, cols):
        """the direction has to stay"""
        row, col = (places // cols).view(rows, cols), (places % cols).view(rows, cols)
        beside = (row[:, 1:] == row[:, :-1]) & ((col[:, 1:] - col[:, :-1]).abs() == 1)
        below = ((row[1:] - row[:-1]).abs() == 1) & (col[1:] == col[:-1])
        return (beside.sum() + below.sum()).item() / (beside.numel() + below.numel())

    def one_coordinate(places, rows, cols):
        """compare both"""
        row, col = (places // cols).view(rows, cols), (places % cols).view(rows, cols)
        beside, below = col[:, 1:] == col[:, :-1] + 1, row[1:] == row[:-1] + 1
        return (beside.sum() + below.sum()).item() / (beside.numel() + below.numel())

    def over_patches(places, rows, cols):
        """fewer pairs than patches"""
        return neighbours_right.pairs(places, rows, cols) / (rows * cols)

    def twice(places, rows, cols):
        """each pair counts once"""
        return neighbours_right.pairs(places, rows, cols) / (2 * rows * cols)

    def own_places(places, rows, cols):
        """patches in their own position"""
        return (places == torch.arange(rows * cols)).float().mean()

    def mean_of_means(places, rows, cols):
        """the mean of two shares"""
        parts = (neighbours_right.beside_only, neighbours_right.below_only)
        return sum(part(places, rows, cols) for part in parts) / 2

    def per_cent(places, rows, cols):
        """in per cent"""
        return 100 * neighbours_right.loop(places, rows, cols)

    def no_longer(places, rows, cols):
        """no longer neighbours"""
        return 1 - neighbours_right.loop(places, rows, cols)

    def turned(places, rows, cols):
        """rows and columns are exchanged"""
        return neighbours_right.loop(places, cols, rows)

    def by_rows(places, rows, cols):
        """divides by the number of rows"""
        row, col = (places // rows).view(rows, cols), (places % rows).view(rows, cols)
        beside = (row[:, 1:] == row[:, :-1]) & (col[:, 1:] == col[:, :-1] + 1)
        below = (row[1:] == row[:-1] + 1) & (col[1:] == col[:-1])
        return (beside.sum() + below.sum()).item() / (beside.numel() + below.numel())

    def in_one_line(places, rows, cols):
        """the last patch of a row and the first of the next"""
        row, col = places // cols, places % cols
        beside = (row[1:] == row[:-1]) & (col[1:] == col[:-1] + 1)
        below = (row[cols:] == row[:-cols] + 1) & (col[cols:] == col[:-cols])
        return (beside.sum() + below.sum()).item() / (beside.numel() + below.numel())

    def both_ways(places, rows, cols):
        """passed"""
        total = 0
        pairs = 0
        for i in range(rows * cols):
            for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                r, c = i // cols + down, i % cols + right
                if 0 <= r < rows and 0 <= c < cols:
                    a, b = int(places[i]), int(places[r * cols + c])
                    pairs += 1
                    total += (b // cols - a // cols, b % cols - a % cols) == (down, right)
        return total / pairs

    def as_a_tensor(places, rows, cols):
        """passed"""
        return torch.tensor(neighbours_right.loop(places, rows, cols))

    def order_instead_of_places(places, rows, cols):
        """passed"""  # a pair is kept by an arrangement and by its inverse alike
        return neighbours_right.loop(places.argsort(), rows, cols)

    def with_diagonals(places, rows, cols):
        """a diagonal neighbour makes no pair"""
        right = pairs = 0
        for i in range(rows * cols):
            for down, side in ((0, 1), (1, 0), (1, 1)):
                r, c = i // cols + down, i % cols + side
                if r < rows and c < cols:
                    a, b = int(places[i]), int(places[r * cols + c])
                    pairs += 1
                    right += (b // cols - a // cols, b % cols - a % cols) == (down, side)
        return right / pairs

    def patches_with_all_neighbours(places, rows, cols):
        """whose neighbours are all right"""
        good = torch.ones(rows, cols)
        grid = places.view(rows, cols)
        beside = (grid[:, 1:] == grid[:, :-1] + 1) & (grid[:, 1:] // cols == grid[:, :-1] // cols)
        below = grid[1:] == grid[:-1] + cols
        good[:, :-1] *= beside
        good[:, 1:] *= beside
        good[:-1] *= below
        good[1:] *= below
        return float(good.mean())

    def torus(places, rows, cols):
        """the picture ends at its borders"""
        row, col = places.view(rows, cols) // cols, places.view(rows, cols) % cols
        beside = (row.roll(-1, 1) == row) & (col.roll(-1, 1) == (col + 1) % cols)
        below = (row.roll(-1, 0) == (row + 1) % rows) & (col.roll(-1, 0) == col)
        return float((beside.sum() + below.sum()) / (2 * rows * cols))

    def near_enough(places, rows, cols):
        """not if it is still beside or below"""
        row, col = places.view(rows, cols) // cols, places.view(rows, cols) % cols
        beside = (row[:, 1:] - row[:, :-1]).abs() + (col[:, 1:] - col[:, :-1]).abs() == 1
        below = (row[1:] - row[:-1]).abs() + (col[1:] - col[:-1]).abs() == 1
        return float((beside.sum() + below.sum()) / (beside.numel() + below.numel()))

    def opposite_direction(places, rows, cols):
        """the opposite direction"""
        return neighbours_right.loop(rows * cols - 1 - places, rows, cols)

    def flags(places, rows, cols):
        """it returns a tensor (3, 3), expected a number"""
        grid = places.view(rows, cols)
        return grid[:, 1:] == grid[:, :-1] + 1

    def wrong_divisor(places, rows, cols):
        """more pairs than n - 1"""
        return neighbours_right.loop(places, rows, cols) * (2 * rows * cols - rows - cols) / (rows * cols - 1)

    def only_inner(places, rows, cols):
        """the pairs of the last row and of the last column count, too"""
        row, col = places.view(rows, cols) // cols, places.view(rows, cols) % cols
        beside = (row[:-1, 1:] == row[:-1, :-1]) & (col[:-1, 1:] == col[:-1, :-1] + 1)
        below = (row[1:, :-1] == row[:-1, :-1] + 1) & (col[1:, :-1] == col[:-1, :-1])
        return float((beside.sum() + below.sum()) / (beside.numel() + below.numel()))

"""Exercises of notebook 04: paint a patch, and soft labels. The third one is in ``context_layers``."""

import math

import torch
from torch import Tensor

from .compare import by_sentence, judge
from .harness import SafeFunction, checker, randn


def filled_axes(images: Tensor, top: int, left: int, p: int) -> Tensor:
    """The images, painted as if axis 1 were the rows and axis 2 the columns."""
    copy = images.clone()
    copy[:, top : top + p, left : left + p] = 0.25
    return copy


@checker
def check_paint(your_function: SafeFunction) -> None:
    """Sets one patch, counted row by row from 0, to one value in every image and channel; all other pixels stay."""
    results, rights, mistakes = [], [], []
    for rows, cols, p, patch in ((6, 5, 3, 16), (3, 2, 8, 3), (4, 4, 2, 7)):
        images = randn(2, 3, rows * p, cols * p)

        def painted(row: int, col: int, b=slice(None), c=slice(None), scale: int = p, p=p, images=images) -> Tensor:
            copy = images.clone()
            copy[b, c, scale * row : scale * row + p, scale * col : scale * col + p] = 0.25
            return copy

        def filled(rows_in: slice, cols_in: slice, images=images) -> Tensor:
            copy = images.clone()
            copy[:, :, rows_in, cols_in] = 0.25
            return copy

        row, col = divmod(patch, cols)
        top, left, every = row * p, col * p, slice(None)
        inside = filled(slice(top, top + p), slice(left, left + p), torch.zeros_like(images)) > 0
        mistakes.append({
            "x and y are swapped: images are (b, c, H, W), rows before columns": painted(col, row),
            "a row holds as many patches as there are columns: divide by W // p": painted(patch // rows, patch % rows),
            "patches are counted row by row, not down the columns": painted(patch % rows, patch // rows),
            "only the first channel is painted": painted(row, col, c=0),
            "only the first image is painted": painted(row, col, b=0),
            "patches are counted from 0, not from 1": painted(*divmod(patch - 1, cols)),
            "rows and columns of patches are not pixels: times p": painted(row, col, scale=1),
            "patches are counted from 0: this is the next patch": painted(*divmod(patch + 1, cols)),
            "patches are counted from the top left, not from the bottom right": painted(
                *divmod(rows * cols - 1 - patch, cols)
            ),
            "a row holds W // p patches, not p: divide by W // p": painted(*divmod(patch, p)),
            "a row holds W // p patches: W counts pixels": painted(*divmod(patch, cols * p)),
            "a row holds W // p patches, not always 4": painted(*divmod(patch, 4)),
            "a row of patches is not a row of pixels: multiply the row by p": filled(
                slice(row, row + p), slice(left, left + p)
            ),
            "a column of patches is not a column of pixels: multiply the column by p": filled(
                slice(top, top + p), slice(col, col + p)
            ),
            "patch 0 is always painted: use the argument `patch`": painted(0, 0),
            "nothing is painted: rows are axis 2, and a slice has p pixels, row * p : (row + 1) * p": images,
            "the whole band of rows is painted: choose the columns too": filled(slice(top, top + p), every),
            "the whole band of columns is painted: choose the rows too": filled(every, slice(left, left + p)),
            "only one pixel is painted, not p x p pixels": filled(slice(top, top + 1), slice(left, left + 1)),
            "a slice ends at (row + 1) * p, not at row + p": (
                filled(slice(top, row + p), slice(left, col + p))
            ),
            "the patch is one pixel too large: a slice ends before its last number": (
                filled(slice(top, top + p + 1), slice(left, left + p + 1))
            ),
            "the patch is one pixel too small: a slice ends before its last number": (
                filled(slice(top, top + p - 1), slice(left, left + p - 1))
            ),
            "all pixels from the patch on are painted: a slice needs its end, (row + 1) * p": (
                filled(slice(top, None), slice(left, None))
            ),
            "the other pixels are not those of the image: start from images.clone()": torch.where(inside, 0.25, 0.0),
            "all pixels up to the patch are painted: a slice needs its start, row * p": (
                filled(slice(top + p), slice(left + p))
            ),
            "axis 1 holds the channels: rows are axis 2, so begin with [:, :,": filled_axes(images, top, left, p),
            "the value is added to the pixels: set them to it": images + 0.25 * inside,
            "the pixels are multiplied by the value: set them to it": torch.where(inside, 0.25 * images, images),
            "the condition is inverted: paint the patch, and leave the other pixels": torch.where(inside, images, 0.25),
            "the whole image is painted: choose one patch": torch.full_like(images, 0.25),
            "the patch is always black: set it to `value`": torch.where(inside, -1.0, images),
            "the patch is always white: set it to `value`": torch.where(inside, 1.0, images),
            "the patch is always 0: set it to `value`": torch.where(inside, 0.0, images),
        })  # fmt: skip
        rights.append(painted(row, col))
        results.append(your_function(images, patch, p, 0.25))
    judge(results, rights, by_sentence(mistakes))


@checker
def check_soft_labels(your_function: SafeFunction) -> None:
    """Soft labels: row i decreases with the squared distance from position i, and sums to 1."""
    results, rights, mistakes = [], [], []
    for rows, cols, sigma in ((4, 8, 1.3), (3, 2, 0.7), (5, 4, 2.0)):
        place = torch.arange(rows * cols)

        def distance2(y: Tensor, x: Tensor) -> Tensor:
            return ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).float()

        def shares(exponent: Tensor) -> Tensor:
            return exponent.exp() / exponent.exp().sum(dim=1, keepdim=True)

        exponent = -distance2(place // cols, place % cols) / sigma**2
        weights = exponent.exp()
        y, x = (at[:, None] - at for at in (place // cols, place % cols))
        others = weights * (1 - torch.eye(rows * cols))
        divided, scaled = (  # distances as parts of the image
            shares(-distance2(place // cols / height, place % cols / width) / sigma**2)
            for height, width in ((rows, cols), (rows - 1, cols - 1))
        )
        mistakes.append({
            "the rows do not sum to 1: divide each by its sum": weights,
            "divide each row by its own sum, not by the number of positions": weights / (rows * cols),
            "divide each row by its own sum, not by the factor of a normal density": weights / (sigma * math.pi**0.5),
            "divide by sigma squared without a factor of 2, and each row by its own sum": (
                (exponent / 2).exp() / (sigma * (2 * math.pi) ** 0.5)
            ),
            "these are the exponents: take exp, and divide each row by its sum": exponent,
            "these are squared distances: the weights are exp of minus distance squared over sigma squared": (
                distance2(place // cols, place % cols)
            ),
            "the distance is squared twice": shares(-(distance2(place // cols, place % cols) ** 2) / sigma**2),
            "distances count patches, not parts of the image: do not divide by rows and cols": divided,
            "distances count patches, not parts of the image: do not scale them to 1": scaled,
            "1 / (1 + distance) is another curve: take exp of minus distance squared over sigma squared": (
                1 / (1 - exponent) / (1 / (1 - exponent)).sum(dim=1, keepdim=True)
            ),
            "the columns sum to 1, not the rows: sum over dim=1 with keepdim=True": weights / weights.sum(dim=0),
            "the whole table sums to 1: divide each row by its own sum": weights / weights.sum(),
            "positions are counted row by row, not down the columns": (
                shares(-distance2(place % rows, place // rows) / sigma**2)
            ),
            "the distance is not squared": shares(-distance2(place // cols, place % cols).sqrt() / sigma**2),
            "sigma is not squared": shares(exponent * sigma),
            "divide by sigma squared, not by 2 sigma squared": shares(exponent / 2),
            "the minus is missing: the far corner gets the largest share": shares(-exponent),
            "positions lie on a grid, not in one line: each has a row and a column": (
                shares(-distance2(0 * place, place) / sigma**2)
            ),
            "only the column counts: add the squared distance of the rows": shares(-(x**2) / sigma**2),
            "only the row counts: add the squared distance of the columns": shares(-(y**2) / sigma**2),
            "the distance is a straight line, not rows + columns: add their squares": (
                shares(-((x.abs() + y.abs()) ** 2) / sigma**2)
            ),
            "rows + columns is not the distance, and it is not squared: add the squares of both": (
                shares(-(x.abs() + y.abs()) / sigma**2)
            ),
            "the distance is a straight line, not the larger of rows and columns: add their squares": (
                shares(-(torch.maximum(x.abs(), y.abs()) ** 2) / sigma**2)
            ),
            "neither the distance nor sigma is squared": shares(-distance2(place // cols, place % cols).sqrt() / sigma),
            "divide by sigma squared, do not multiply": shares(exponent * sigma**4),
            "sigma is missing: divide the squared distance by sigma squared": shares(exponent * sigma**2),
            "position i itself has distance 0 and the largest weight: it is missing": (
                others / others.sum(dim=1, keepdim=True)
            ),
            "these are hard labels: neighbours get a part too": torch.eye(rows * cols),
            "these are logarithms: the weights are exp of the exponent": exponent.log_softmax(dim=1),
            "exp is missing": exponent / exponent.sum(dim=1, keepdim=True),
            "exp is taken twice: softmax takes the exponent itself": shares(weights),
        })  # fmt: skip
        rights.append(shares(exponent))
        results.append(your_function(rows, cols, sigma))
    judge(results, rights, by_sentence(mistakes))

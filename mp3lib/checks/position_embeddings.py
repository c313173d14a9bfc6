"""Exercises of notebook 01: the most similar position, a matrix that shifts positions, and random codes."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.posemb import posemb_sincos_2d
from .compare import must
from .harness import SafeFunction, checker, randn


@checker
def check_most_alike(your_function: SafeFunction) -> None:
    """The position, other than ``place`` itself, whose code has the largest dot product with the code of ``place``."""
    hand = torch.stack((torch.arange(30.0).sin(), torch.arange(30.0).cos()), dim=1)
    for codes in (hand, F.normalize(randn(12, 6))):
        for place in (0, 4, 11):
            products = codes @ codes[place]
            others = products.clone()
            others[place] = -math.inf
            right = int(others.argmax())
            itself = "it leaves out place 0 always, not `place`"  # for place 0 the result was right
            if place == 0:
                itself = "it names the place itself, which is always most like itself: leave it out"
            mistakes = {
                itself: place,
                "it names the least alike place, not the most alike": int(products.argmin()),
                "it returns how alike the two are, not which place it is": float(others.max()),
                "with the place taken out, all later places move up by one: correct the index": right - 1,
                "it names the next place, whatever the codes are": place + 1,
            }
            result = your_function(codes, place)
            result.must_be(right, mistakes)
            result.of_type(int)
    opposed = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [-0.6, 0.8]])  # place 0 has only negative products
    zero = "a product of 0 still wins where all others are negative: give the place itself minus infinity"
    your_function(opposed, 0).must_be(2, {zero: 0})


def turns(right: float, down: float, omega: Tensor) -> Tensor:
    """The right matrix: one rotation for each pair of sine and cosine (a "hand" in the notebook).

    The angles are ``right * omega`` for the pairs of x, and ``down * omega`` for those of y.
    """

    def rotation(angles: Tensor) -> Tensor:  # all sines, then all cosines
        sin, cos = angles.sin().diag(), angles.cos().diag()
        return torch.cat((torch.cat((cos, sin), 1), torch.cat((-sin, cos), 1)))

    return torch.block_diag(rotation(right * omega), rotation(down * omega))


@checker
def check_move(your_function: SafeFunction) -> None:
    """A matrix that maps the code of every patch to that of the patch ``right`` columns and ``down`` rows away."""
    for right, down, dim, temperature in ((2, 1, 16, 100), (1, 3, 12, 10), (-1, 2, 24, 1000), (0, 0, 8, 10)):
        grid = posemb_sincos_2d(torch.zeros(1, 12, 12, dim), temperature).view(12, 12, dim)
        matrix = your_function(right, down, dim, temperature).tensor((dim, dim))

        def leads(right: int, down: int, grid=grid, matrix=matrix) -> bool:
            there = grid[4 + down : 8 + down, 4 + right : 8 + right]
            return torch.allclose(grid[4:8, 4:8] @ matrix.T, there, atol=1e-3)

        def turns_by(omega: Tensor, order=slice(None), step=(right, down), matrix=matrix) -> bool:
            return torch.allclose(matrix, turns(*step, omega)[order][:, order], atol=1e-3)

        i, hands = torch.arange(dim // 4), dim // 4
        omega = temperature ** (-i / (hands - 1))
        by_hand = torch.arange(dim).view(2, 2, hands).mT.flatten()  # sin and cos of one hand side by side
        mistakes = {
            "it leads the other way: turn the sign of the angle, or transpose": leads(-right, -down),
            "x and y are swapped: the first half of the features follows the column": leads(down, right),
            "it moves to the right, but not down: the second half of the features follows the row": leads(right, 0),
            "it moves down, but not to the right: the first half of the features follows the column": leads(0, down),
            "sin and cos of each hand are not side by side: sin x of all hands come first, then cos x of all": (
                turns_by(omega, by_hand)
            ),
            "all hands turn at speed 1: each has its own omega": turns_by(omega**0),
            "omega of the last hand is 1/temperature: divide i by the hands minus 1": turns_by(
                temperature ** (-i / hands)
            ),
            "the speeds grow: omega is the temperature to a negative power": turns_by(1 / omega),
        }
        must(
            leads(right, down),
            f"it does not lead {right} to the right and {down} down at dim {dim}, temperature {temperature}",
            mistakes,
        )


@checker
def check_random_codes(your_function: SafeFunction) -> None:
    """Codes whose features are -1 or +1, each drawn independently from the generator."""

    def draw(seed: int) -> Tensor:
        return your_function(200, 64, torch.Generator().manual_seed(seed)).tensor((200, 64))

    codes = draw(0)
    values = set(codes.unique().tolist())
    mistakes = {
        "the features are 0 and 1, not -1 and +1: the codes differ in length": values == {0.0, 1.0},
        f"all features are {min(values):g}": len(values) == 1,
    }
    must(values == {-1.0, 1.0}, "the features are other numbers than -1 and +1: the codes differ in length", mistakes)
    must(torch.equal(codes, draw(0)), "the same seed gives other codes: draw from the generator alone")
    must(not torch.equal(codes, draw(1)), "another seed gives the same codes: draw from the generator")
    must(len(codes.unique(dim=0)) > 1, "every place has the same code: draw n times dim numbers")
    must(len(codes.unique(dim=1).T) > 1, "all features of a place are equal: draw n times dim numbers")
    share = float((codes > 0).float().mean())
    must(abs(share - 0.5) < 0.05, f"{share:.0%} of the features are +1, expected half of them")
    alike = (codes @ codes.T / 64).fill_diagonal_(0)
    must(float(alike.abs().max()) < 0.75, "some places have nearly the same code: draw each feature by itself")

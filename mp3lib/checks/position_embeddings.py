"""Exercises of notebook 01: the most similar position, a matrix that shifts positions, and random codes."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.posemb import posemb_sincos_2d
from .compare import judge, must
from .harness import SafeFunction, checker, randn


def most_similar(products: Tensor, place: int, own: float = -math.inf) -> int:
    """The index of the largest product, after the product of ``place`` is set to ``own``."""
    return int(products.index_fill(0, torch.tensor(place), own).argmax())


@checker
def check_most_alike(your_function: SafeFunction) -> None:
    """The position, other than ``place`` itself, whose code has the largest dot product with the code of ``place``."""
    hand = torch.stack((torch.arange(30.0).sin(), torch.arange(30.0).cos()), dim=1)
    opposed = torch.tensor([[30.0, 0.0], [-30.0, 0.0], [-18.0, 24.0]])  # place 0 has only negative products with others
    places = ((hand, (0, 4, 26)), (F.normalize(randn(14, 6)), (0, 4, 11)), (opposed, (0,)))  # no two products tie
    cases = [(codes, place) for codes, chosen in places for place in chosen]
    results = [your_function(*case) for case in cases]
    rights = [most_similar(codes @ codes[place], place) for codes, place in cases]
    mistakes = {
        "it returns the place itself, which is always the most similar one: leave it out": lambda codes, i: i,
        "it always leaves out place 0: leave out `place`": lambda codes, i: most_similar(codes @ codes[i], 0),
        "it always compares with place 0: compare with `place`": lambda codes, i: most_similar(codes @ codes[0], 0),
        "it returns the least similar place, not the most similar one": lambda codes, i: (codes @ codes[i]).argmin(),
        "it takes the absolute value: a large negative product means that two codes are opposite, not similar": (
            lambda codes, i: most_similar((codes @ codes[i]).abs(), i)
        ),
        "it sums absolute differences (the Manhattan distance): compare by the dot product": (
            lambda codes, i: most_similar(-(codes - codes[i]).abs().sum(dim=1), i)
        ),
        "it compares single products: sum them over the features (`codes @ codes[place]`)": (
            lambda codes, i: (codes * codes[i]).index_fill(0, torch.tensor(i), -math.inf).argmax()
        ),
        "it returns the largest dot product, not the place where it is": (
            lambda codes, i: (codes @ codes[i]).index_fill(0, torch.tensor(i), -math.inf).max()
        ),
        "without the place itself, all later places have an index that is 1 too small: correct it": (
            lambda codes, i: (codes @ codes[i])[torch.arange(len(codes)) != i].argmax()
        ),
        "it returns the third most similar place: the first is the place itself, the second is right": (
            lambda codes, i: (codes @ codes[i]).argsort(descending=True)[2]
        ),
        "it looks only at later places: earlier ones count too": (
            lambda codes, i: i + 1 + int((codes @ codes[i])[i + 1 :].argmax())
        ),
        "argsort sorts upwards: the most similar place is at the end": lambda codes, i: (codes @ codes[i]).argsort()[1],
        "it looks for the best of all pairs: compare the others with `place` alone": (
            lambda codes, i: (codes @ codes.T).fill_diagonal_(-math.inf).argmax()
        ),
        "it sums over the places: a dot product sums over the features": lambda codes, i: (
            (codes * codes[i]).sum(0).argmax()
        ),
        "it compares sums of features: compare the codes, feature by feature": (
            lambda codes, i: most_similar(codes.sum(dim=1), i)
        ),
        "softmax rounds small weights to 0: compare the dot products themselves": (
            lambda codes, i: (codes @ codes[i]).softmax(0).topk(2).indices[1]
        ),
        "it always returns the next place: compare the codes": lambda codes, i: i + 1,
        "it always returns the previous place: compare the codes": lambda codes, i: i - 1,
        "it always returns a neighbouring place: compare the codes": lambda codes, i: i - 1 if i else 1,
        "it returns the place whose dot product is nearest to 0, not the one with the largest": (
            lambda codes, i: (codes @ codes[i]).abs().argmin()
        ),
        "the product of the place itself is set to 0, the largest if all others are negative: use minus infinity": (
            lambda codes, i: most_similar(codes @ codes[i], i, 0)
        ),
    }
    wrong = {text: [torch.as_tensor(mistake(*case)).item() for case in cases] for text, mistake in mistakes.items()}
    wrong["the index is 1 too large: places are counted from 0"] = [right + 1 for right in rights]
    wrong["it returns the distance to the place, not the place"] = [
        abs(right - place) for right, (_, place) in zip(rights, cases, strict=True)
    ]
    judge(results, rights, wrong)
    for result in results:
        result.of_type(int)


def turns(x: Tensor, y: Tensor) -> Tensor:
    """One rotation for each pair of sine and cosine (a "hand" in the notebook); ``x`` and ``y`` are the angles."""

    def rotation(angles: Tensor) -> Tensor:  # all sines, then all cosines
        sin, cos = angles.sin().diag(), angles.cos().diag()
        return torch.cat((torch.cat((cos, sin), 1), torch.cat((-sin, cos), 1)))

    return torch.block_diag(rotation(x), rotation(y))


def wrong_moves(right: int, down: int, dim: int, temperature: float) -> dict[str, Tensor]:
    """Sentence -> the matrix that this mistake gives."""
    hands = dim // 4
    i = torch.arange(hands)
    omega = temperature ** (-i / (hands - 1))
    matrix = turns(right * omega, down * omega)
    features = torch.arange(dim).view(2, 2, hands)  # x or y, sin or cos, hand
    by_hand = features.mT.flatten()  # sin and cos of one hand side by side
    sines_first = features.transpose(0, 1).flatten().argsort()  # sin x, sin y, cos x, cos y
    exchanged = torch.zeros(dim, dim)
    for angles, (sin, cos) in zip((right * omega, down * omega), features, strict=True):
        exchanged[sin, sin], exchanged[sin, cos] = angles.sin(), angles.cos()
        exchanged[cos, sin], exchanged[cos, cos] = angles.cos(), -angles.sin()
    first_half = torch.arange(dim) < dim // 2
    interleaved = features.flatten(1).T.flatten()  # features of x and y in turn
    last_hand = torch.zeros(dim).index_fill(0, features[:, :, -1].flatten(), 1)
    cosines, sines = matrix.diagonal().diag(), matrix.triu(1) + matrix.triu(1).T

    def at_speed(speeds: Tensor) -> Tensor:
        return turns(right * speeds, down * speeds)

    def by(right: float, down: float) -> Tensor:
        return turns(right * omega, down * omega)

    return {
        "it leads the other way: change the sign of the angle, or transpose the matrix": by(-right, -down),
        "x and y are exchanged: the first half of the features encodes the column": by(down, right),
        "it goes the right way in y, but the wrong way in x: change the sign of the angle for x": by(-right, down),
        "it goes the right way in x, but the wrong way in y: change the sign of the angle for y": by(right, -down),
        "it moves to the right, but not down: the second half of the features encodes the row": by(right, 0),
        "it moves down, but not to the right: the first half of the features encodes the column": by(0, down),
        "the second half of the matrix is 0: the features of y need rotations too": matrix * first_half,
        "the first half of the matrix is 0: the features of x need rotations too": matrix * ~first_half,
        "it moves by `right` in x and in y: use `down` for y": by(right, right),
        "it moves by `down` in x and in y: use `right` for x": by(down, down),
        "it moves by right + down in x and in y: use `right` for x and `down` for y": by(right + down, right + down),
        "negative numbers move it the wrong way: leave out abs()": by(abs(right), abs(down)),
        "it does not move for negative numbers: rotate by negative angles too": by(max(right, 0), max(down, 0)),
        "it moves one place too far in x and in y": by(right + 1, down + 1),
        "it moves twice as far: apply the matrix once": by(2 * right, 2 * down),
        "it always moves by one place: use `right` and `down`": by(1, 1),
        "it moves by one place at most: use `right` and `down`, not only their signs": (
            by((right > 0) - (right < 0), (down > 0) - (down < 0))
        ),
        "x and y are exchanged, and it leads the other way": by(-down, -right),
        "the matrix is 0 everywhere: put both halves into one matrix, instead of multiplying one by the other": (
            torch.zeros(dim, dim)
        ),
        "only the last hand turns, all else is 0: make the matrix before the loop, not inside it": matrix * last_hand,
        "the last hand is 0: there are dim / 4 hands for x and as many for y": matrix * (1 - last_hand),
        "it does not move at all": torch.eye(dim),
        "the rotations are added to the identity: start with zeros": matrix + torch.eye(dim),
        "sin and cos of a hand are not side by side: the order is sin x of all hands, then all cos x, sin y, cos y": (
            matrix[by_hand][:, by_hand]
        ),
        "sin and cos of a hand are not side by side, and it leads the other way": by(-right, -down)[by_hand][
            :, by_hand
        ],
        "the features of x and y alternate: all features of x come first, then all of y": matrix[interleaved][
            :, interleaved
        ],
        "the order of the features is sin x, cos x, sin y, cos y, not sin x, sin y, cos x, cos y": (
            matrix[sines_first][:, sines_first]
        ),
        "both sines have the same sign: in a rotation one of them has a minus": cosines + sines,
        "both sines have a minus: in a rotation only one of them has it": cosines - sines,
        "the sines are missing: a rotation is more than cos on the diagonal": cosines,
        "all hands turn at speed 1: each has its own omega": at_speed(omega**0),
        "omega of the last hand is 1/temperature: divide i by the number of hands minus 1": at_speed(
            temperature ** (-i / hands)
        ),
        "omega uses i / dim: divide i by dim / 4 - 1": at_speed(temperature ** (-i / dim)),
        "omega uses 2i / dim: divide i by dim / 4 - 1": at_speed(temperature ** (-2 * i / dim)),
        "omega uses dim / 2 - 1: there are dim / 4 hands for x, so divide i by dim / 4 - 1": (
            at_speed(temperature ** (-i / (dim // 2 - 1)))
        ),
        "the first hand has speed 1: count i from 0": at_speed(temperature ** (-(i + 1) / (hands - 1))),
        "the first hand is the fastest one: the order of the speeds is reversed": at_speed(omega.flip(0)),
        "the speeds grow: omega is the temperature to a negative power": at_speed(1 / omega),
        "the temperature is always 10000: use `temperature`": at_speed(10000 ** (-i / (hands - 1))),
        "sin and cos are exchanged inside each rotation: cos is on the diagonal": exchanged,
        "the hands of y are not slower than those of x: count i from 0 for both": (
            turns(right * omega, down * temperature ** (-(i + hands) / (hands - 1)))
        ),
        "the angles are in degrees: sin and cos take radians": at_speed(omega * 180 / math.pi),
        "the angles are already in radians: do not convert them": at_speed(omega * math.pi / 180),
        "the angles have a factor 2 pi: omega is already in radians per place": at_speed(omega * 2 * math.pi),
    }


@checker
def check_move(your_function: SafeFunction) -> None:
    """A matrix that maps the code of every patch to that of the patch ``right`` columns and ``down`` rows away."""
    cases = ((2, 1, 16, 100), (1, 3, 12, 10), (-1, 2, 24, 1000), (0, 0, 8, 10), (3, -2, 16, 50))
    matrices = [your_function(*case).tensor((case[2], case[2])) for case in cases]
    wrong = [wrong_moves(*case) for case in cases]
    mistakes = {
        text: all(torch.allclose(m, w[text], atol=1e-3) for m, w in zip(matrices, wrong, strict=True))
        for text in wrong[0]
    }
    for matrix, (right, down, dim, temperature) in zip(matrices, cases, strict=True):
        grid = posemb_sincos_2d(torch.zeros(1, 12, 12, dim), temperature).view(12, 12, dim)
        there = grid[4 + down : 8 + down, 4 + right : 8 + right]
        must(
            torch.allclose(grid[4:8, 4:8] @ matrix.T, there, atol=1e-3),
            f"it does not lead {right} to the right and {down} down when dim is {dim} and temperature is {temperature}",
            mistakes,
        )


@checker
def check_random_codes(your_function: SafeFunction) -> None:
    """Codes whose features are -1 or +1, each drawn independently from the generator."""

    def draw(generator: torch.Generator) -> Tensor:
        return your_function(200, 64, generator).tensor((200, 64))

    generator = torch.Generator().manual_seed(0)
    codes = draw(generator)
    values = sorted(set(codes.unique().tolist()))
    shown = " and ".join(f"{value:.3g}" for value in values)
    mistakes = {
        "the features are 0 and 1, not -1 and +1: multiply by 2, then subtract 1": values == [0, 1],
        "the features are -1 and 0, not -1 and +1: draw 0 and 1, multiply by 2, then subtract 1": values == [-1, 0],
        "some features are 0: every feature is -1 or +1": values == [-1, 0, 1],
        f"all features are {shown}: draw -1 and +1 with equal probability": len(values) == 1,
        f"the features are {shown}, not -1 and +1": len(values) == 2,
        "the features are any numbers from 0 to 1: round them, multiply by 2, then subtract 1": (
            len(values) > 100 and 0 <= values[0] and values[-1] <= 1
        ),
        "the features are any numbers from -1 to 1: take their sign": len(values) > 100
        and -1 <= values[0] < values[-1] <= 1,
        "the features are normal random numbers: take their sign": len(values) > 100 and abs(codes.std() - 1) < 0.1,
    }
    must(values == [-1, 1], f"the features have {len(values)} different values: each must be -1 or +1", mistakes)
    again, other = (draw(torch.Generator().manual_seed(seed)) for seed in (0, 1))
    must(torch.equal(codes, again), "the same seed gives other codes: draw from the generator alone")
    must(not torch.equal(codes, other), "another seed gives the same codes: draw from the generator as it is")
    must(
        not torch.equal(codes, draw(generator)),
        "a second call with the same generator gives the same codes: do not seed it again, and do not make a new one",
    )
    must(len(codes.unique(dim=0)) > 1, "every place has the same code: draw n times dim numbers")
    must(len(codes.unique(dim=1).T) > 1, "all features of a place are equal: draw n times dim numbers")
    share = float((codes > 0).float().mean())
    must(abs(share - 0.5) < 0.04, f"{share:.0%} of the features are +1, expected half of them")
    must(not torch.equal(codes[:64], codes[:64].T), "the codes are a symmetric matrix: draw every feature separately")
    similarity = (codes @ codes.T / 64).fill_diagonal_(0)
    must(float(similarity.abs().max()) < 0.75, "some places have nearly the same code: draw every feature separately")

"""Right and wrong answers to the exercises: a class for each checker, and a function for each answer.

The docstring of a function is what its checker must print: "passed", or a part of the sentence about the mistake.
The solutions of the notebooks are not repeated here; ``test_checks.py`` reads them from the notebooks.
"""

import copy
import math

import torch
import torch.nn.functional as F
from einops import rearrange
from scipy.optimize import linear_sum_assignment
from torch import nn

from mp3lib import ViT, posemb_sincos_2d

# --- 01 · position embeddings -----------------------------------------------------------------------------------------


class most_alike:
    def by_distance(codes, place):
        """passed"""
        distances = [(float((codes[i] - codes[place]).square().sum()), i) for i in range(len(codes)) if i != place]
        return min(distances)[1]

    def beaten_by_far(codes, place):
        """passed"""
        return int((codes @ codes[place] - 1e6 * (torch.arange(len(codes)) == place)).argmax())

    def tensor_of_one(codes, place):
        """it returns a tensor (), expected an int"""
        return (codes @ codes[place] - 1e6 * (torch.arange(len(codes)) == place)).argmax()

    def itself(codes, place):
        """returns the place itself"""
        return int((codes @ codes[place]).argmax())

    def zero_wins(codes, place):
        """the largest where all others are negative"""
        products = codes @ codes[place]
        products[place] = 0
        return int(products.argmax())

    def least(codes, place):
        """returns the least similar place"""
        return int((codes @ codes[place]).argmin())

    def likeness(codes, place):
        """the largest dot product, not the place"""
        products = codes @ codes[place]
        products[place] = -math.inf
        return products.max()

    def taken_out(codes, place):
        """an index that is 1 too small"""
        rest = torch.cat((codes[:place], codes[place + 1 :]))
        return int((rest @ codes[place]).argmax())

    def without_the_first(codes, place):
        """always leaves out place 0"""
        return int((codes @ codes[place])[1:].argmax()) + 1

    def next_door(codes, place):
        """always returns the next place"""
        return place + 1

    def in_place(codes, place):
        """changes its argument `codes` in place"""
        query = codes[place].clone()
        codes[place] = 0
        return int((codes @ query).argmax())

    def second_of_two(codes, place):
        """passed"""
        return (codes @ codes[place]).topk(2).indices[1].item()

    def absolute(codes, place):
        """it takes the absolute value"""
        products = (codes @ codes[place]).abs()
        products[place] = -1
        return int(products.argmax())

    def manhattan(codes, place):
        """the Manhattan distance"""
        distances = (codes - codes[place]).abs().sum(dim=1)
        distances[place] = math.inf
        return int(distances.argmin())

    def largest_single_difference(codes, place):
        """instead of"""
        distances = (codes - codes[place]).abs().amax(dim=1)
        distances[place] = math.inf
        return int(distances.argmin())

    def farthest(codes, place):
        """returns the least similar place"""
        return int((codes - codes[place]).norm(dim=1).argmax())

    def minus_one_wins(codes, place):
        """the largest where all others are negative"""
        products = codes @ codes[place]
        products[place] = -1
        return int(products.argmax())

    def not_a_number(codes, place):
        """returns the place itself"""
        products = codes @ codes[place]
        products[place] = math.nan
        return int(products.argmax())

    def not_summed(codes, place):
        """compares single products"""
        products = codes * codes[place]
        products[place] = -math.inf
        return int(products.argmax())

    def nearest_to_zero(codes, place):
        """nearest to 0"""
        return int((codes @ codes[place]).abs().argmin())

    def one_too_many(codes, place):
        """skips one place too many"""
        return int((codes @ codes[place]).argsort(descending=True)[2])

    def counted_from_one(codes, place):
        """the index is 1 too large"""
        return most_alike.beaten_by_far(codes, place) + 1

    def distance(codes, place):
        """the distance to the place"""
        return abs(most_alike.beaten_by_far(codes, place) - place)

    def of_place_0(codes, place):
        """compares with place 0"""
        return most_alike.beaten_by_far(codes, 0)

    def only_later(codes, place):
        """looks only at later places"""
        products = codes @ codes[place]
        products[: place + 1] = -math.inf
        return int(products.argmax())

    def two_places(codes, place):
        """a tensor (2,), expected a whole number"""
        return (codes @ codes[place]).topk(2).indices


def rotations(right, down, dim, speeds):
    """One rotation for each pair of sine and cosine; the features are in the order sin x, cos x, sin y, cos y."""
    matrix, hands = torch.zeros(dim, dim), dim // 4
    for first, places in ((0, right), (dim // 2, down)):
        for i in range(hands):
            angle, s, c = torch.tensor(places * speeds[i]), first + i, first + hands + i
            matrix[s, s], matrix[s, c], matrix[c, s], matrix[c, c] = angle.cos(), angle.sin(), -angle.sin(), angle.cos()
    return matrix


def speeds(dim, temperature):
    return [temperature ** (-i / (dim // 4 - 1)) for i in range(dim // 4)]


class move:
    def by_least_squares(right, down, dim, temperature):
        """passed"""
        grid = posemb_sincos_2d(torch.zeros(1, 40, 40, dim), temperature, torch.float64).view(40, 40, dim)
        here = grid[8:-8, 8:-8].flatten(0, 1)
        there = grid[8 + down : 32 + down, 8 + right : 32 + right].flatten(0, 1)
        return torch.linalg.lstsq(here, there).solution.T.float()

    def transposed(right, down, dim, temperature):
        """leads the other way"""
        return rotations(right, down, dim, speeds(dim, temperature)).T

    def x_and_y_swapped(right, down, dim, temperature):
        """x and y are exchanged"""
        return rotations(down, right, dim, speeds(dim, temperature))

    def only_right(right, down, dim, temperature):
        """but not down"""
        return rotations(right, 0, dim, speeds(dim, temperature))

    def only_down(right, down, dim, temperature):
        """but not to the right"""
        return rotations(0, down, dim, speeds(dim, temperature))

    def side_by_side(right, down, dim, temperature):
        """not side by side"""
        order = [k * dim // 4 + i for half in (0, 2) for i in range(dim // 4) for k in (half, half + 1)]
        return rotations(right, down, dim, speeds(dim, temperature))[order][:, order]

    def one_speed(right, down, dim, temperature):
        """all hands turn at speed 1"""
        return rotations(right, down, dim, [1.0] * dim)

    def hands_instead_of_hands_minus_one(right, down, dim, temperature):
        """divide i by the number of hands minus 1"""
        return rotations(right, down, dim, [temperature ** (-i / (dim // 4)) for i in range(dim)])

    def growing_speeds(right, down, dim, temperature):
        """the speeds grow"""
        return rotations(right, down, dim, [1 / s for s in speeds(dim, temperature)])

    def identity(right, down, dim, temperature):
        """does not move at all"""
        return torch.eye(dim)

    def wrong_shape(right, down, dim, temperature):
        """the result has the shape (8, 8), expected (16, 16)"""
        return torch.eye(dim // 2)

    def by_blocks(right, down, dim, temperature):
        """passed"""
        omega, blocks = torch.tensor(speeds(dim, temperature)), []
        for places in (right, down):
            sin, cos = (places * omega).sin().diag(), (places * omega).cos().diag()
            blocks.append(torch.cat((torch.cat((cos, sin), dim=1), torch.cat((-sin, cos), dim=1))))
        return torch.block_diag(*blocks)

    def only_x_reversed(right, down, dim, temperature):
        """the wrong way in x"""
        return rotations(-right, down, dim, speeds(dim, temperature))

    def only_y_reversed(right, down, dim, temperature):
        """the wrong way in y"""
        return rotations(right, -down, dim, speeds(dim, temperature))

    def absolute(right, down, dim, temperature):
        """leave out abs()"""
        return rotations(abs(right), abs(down), dim, speeds(dim, temperature))

    def never_back(right, down, dim, temperature):
        """does not move for negative numbers"""
        return rotations(max(right, 0), max(down, 0), dim, speeds(dim, temperature))

    def same_for_both(right, down, dim, temperature):
        """by `right` in x and in y"""
        return rotations(right, right, dim, speeds(dim, temperature))

    def one_place_too_far(right, down, dim, temperature):
        """one place too far"""
        return rotations(right + 1, down + 1, dim, speeds(dim, temperature))

    def second_half_zero(right, down, dim, temperature):
        """the second half of the matrix is 0"""
        matrix = rotations(right, down, dim, speeds(dim, temperature))
        matrix[dim // 2 :] = 0
        return matrix

    def added_to_the_identity(right, down, dim, temperature):
        """added to the identity"""
        return torch.eye(dim) + rotations(right, down, dim, speeds(dim, temperature))

    def both_sines_positive(right, down, dim, temperature):
        """both sines have the same sign"""
        matrix = rotations(right, down, dim, speeds(dim, temperature))
        return torch.where(torch.ones(dim, dim).tril(-1).bool(), -matrix, matrix)

    def without_sines(right, down, dim, temperature):
        """the sines are missing"""
        return rotations(right, down, dim, speeds(dim, temperature)) * torch.eye(dim)

    def sines_on_the_diagonal(right, down, dim, temperature):
        """sin and cos are exchanged inside each rotation"""
        hands, matrix = dim // 4, torch.zeros(dim, dim)
        for first, places in ((0, right), (dim // 2, down)):
            for i, speed in enumerate(speeds(dim, temperature)):
                angle, s, c = torch.tensor(places * speed), first + i, first + hands + i
                matrix[s, s], matrix[s, c] = angle.sin(), angle.cos()
                matrix[c, s], matrix[c, c] = angle.cos(), -angle.sin()
        return matrix

    def sines_of_x_and_y_first(right, down, dim, temperature):
        """not sin x, sin y, cos x, cos y"""
        order = torch.arange(dim).view(2, 2, dim // 4).transpose(0, 1).flatten()
        result = torch.zeros(dim, dim)
        result[order[:, None], order] = rotations(right, down, dim, speeds(dim, temperature))
        return result

    def degrees(right, down, dim, temperature):
        """the angles are in degrees"""
        return rotations(math.degrees(right), math.degrees(down), dim, speeds(dim, temperature))

    def radians_of_radians(right, down, dim, temperature):
        """already in radians: do not convert"""
        return rotations(math.radians(right), math.radians(down), dim, speeds(dim, temperature))

    def whole_turns(right, down, dim, temperature):
        """a factor 2 pi"""
        return rotations(2 * math.pi * right, 2 * math.pi * down, dim, speeds(dim, temperature))

    def fixed_temperature(right, down, dim, temperature):
        """the temperature is always 10000"""
        return rotations(right, down, dim, speeds(dim, 10000))

    def reversed_speeds(right, down, dim, temperature):
        """the order of the speeds is reversed"""
        return rotations(right, down, dim, speeds(dim, temperature)[::-1])

    def counted_from_one(right, down, dim, temperature):
        """count i from 0"""
        return rotations(right, down, dim, [temperature ** (-(i + 1) / (dim // 4 - 1)) for i in range(dim // 4)])

    def twice_i_by_dim(right, down, dim, temperature):
        """omega uses 2i / dim"""
        return rotations(right, down, dim, [temperature ** (-2 * i / dim) for i in range(dim // 4)])

    def hands_of_one_dimension(right, down, dim, temperature):
        """omega uses dim / 2 - 1"""
        return rotations(right, down, dim, [temperature ** (-i / (dim // 2 - 1)) for i in range(dim // 4)])

    def rounded(right, down, dim, temperature):
        """does not lead 2 to the right and 1 down"""
        return rotations(right, down, dim, speeds(dim, temperature)).round()

    def infinite(right, down, dim, temperature):
        """holds infinity"""
        return torch.full((dim, dim), math.inf)

    def not_a_number(right, down, dim, temperature):
        """holds NaN"""
        return rotations(right, down, dim, speeds(dim, temperature)) / 0


class random_codes:
    def by_sign(n, dim, generator):
        """passed"""
        return torch.where(torch.rand(n, dim, generator=generator) < 0.5, -1.0, 1.0)

    def zeros_and_ones(n, dim, generator):
        """0 and 1, not -1 and +1"""
        return torch.randint(0, 2, (n, dim), generator=generator).float()

    def normal(n, dim, generator):
        """different values: each must be -1 or +1"""
        return torch.randn(n, dim, generator=generator)

    def global_state(n, dim, generator):
        """draws from the global random state, not from the generator"""
        return torch.randint(0, 2, (n, dim)) * 2.0 - 1

    def seeds_itself(n, dim, generator):
        """another seed gives the same codes"""
        return torch.randint(0, 2, (n, dim), generator=torch.Generator().manual_seed(0)) * 2.0 - 1

    def whole_numbers(n, dim, generator):
        """the result is int64, expected float32"""
        return torch.randint(0, 2, (n, dim), generator=generator) * 2 - 1

    def one_for_all(n, dim, generator):
        """every place has the same code"""
        return (torch.randint(0, 2, (dim,), generator=generator) * 2.0 - 1).expand(n, dim)

    def one_feature(n, dim, generator):
        """all features of a place are equal"""
        return (torch.randint(0, 2, (n, 1), generator=generator) * 2.0 - 1).expand(n, dim)

    def all_up(n, dim, generator):
        """all features are 1: draw -1 and +1"""
        return torch.ones(n, dim)

    def loaded_coin(n, dim, generator):
        """expected half of them"""
        return torch.where(torch.rand(n, dim, generator=generator) < 0.2, -1.0, 1.0)

    def place_by_place(n, dim, generator):
        """passed"""
        return torch.stack([torch.randn(dim, generator=generator).sign() for _ in range(n)])

    def uniform(n, dim, generator):
        """different values: each must be -1 or +1"""
        return torch.rand(n, dim, generator=generator) * 2 - 1

    def with_zero(n, dim, generator):
        """some features are 0"""
        return torch.randint(-1, 2, (n, dim), generator=generator).float()

    def upper_end_left_out(n, dim, generator):
        """randint leaves out the upper end"""
        return torch.randint(-1, 1, (n, dim), generator=generator).float()

    def sign_of_positive(n, dim, generator):
        """all features are 1: draw -1 and +1"""
        return torch.rand(n, dim, generator=generator).sign()

    def divided(n, dim, generator):
        """the features are -0.125 and 0.125, not -1 and +1"""
        return random_codes.by_sign(n, dim, generator) / dim**0.5

    def not_shifted(n, dim, generator):
        """the features are 0 and 2, not -1 and +1"""
        return torch.randint(0, 2, (n, dim), generator=generator) * 2.0

    def seeded_again(n, dim, generator):
        """another seed gives the same codes"""
        return random_codes.by_sign(n, dim, generator.manual_seed(0))

    def new_generator(n, dim, generator):
        """a second call with the same generator gives the same codes"""
        return random_codes.by_sign(n, dim, torch.Generator().manual_seed(generator.initial_seed()))

    def global_seed(n, dim, generator):
        """draws from the global random state, not from the generator"""
        torch.manual_seed(generator.initial_seed())
        return torch.randint(0, 2, (n, dim)) * 2.0 - 1

    def transposed(n, dim, generator):
        """the result has the shape (64, 200), expected (200, 64)"""
        return random_codes.by_sign(dim, n, generator)

    def symmetric(n, dim, generator):
        """a symmetric matrix"""
        square = random_codes.by_sign(max(n, dim), max(n, dim), generator)
        return (square.triu() + square.triu(1).T)[:n, :dim]

    def every_code_twice(n, dim, generator):
        """nearly the same code"""
        return random_codes.by_sign(n // 2, dim, generator).repeat(2, 1)

    def double_precision(n, dim, generator):
        """the result is float64, expected float32"""
        return random_codes.by_sign(n, dim, generator).double()

    def not_a_number(n, dim, generator):
        """holds NaN"""
        return random_codes.by_sign(n, dim, generator) * math.nan


# --- 02 · attention ---------------------------------------------------------------------------------------------------


class sharpened:
    def loop(queries, keys, values, c):
        """passed"""
        mixed = []
        for query in queries:
            scores = [c * float(query @ key) / len(query) ** 0.5 for key in keys]
            weights = [math.exp(score - max(scores)) for score in scores]
            mixed.append(sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights))
        return torch.stack(mixed)

    def library(queries, keys, values, c):
        """passed"""
        return F.scaled_dot_product_attention(queries, keys, values, scale=c / queries.shape[-1] ** 0.5)

    def recipe(queries, keys, values, c):
        """large scores overflow"""
        powers = (c * queries @ keys.T / queries.shape[-1] ** 0.5).exp()
        return powers / powers.sum(-1, keepdim=True) @ values

    def recipe_in_python(queries, keys, values, c):
        """OverflowError"""
        scores = (c * queries @ keys.T / queries.shape[-1] ** 0.5).tolist()
        powers = torch.tensor([[math.exp(score) for score in row] for row in scores])
        return powers / powers.sum(-1, keepdim=True) @ values

    def no_scale(queries, keys, values, c):
        """not divided by the square root of d"""
        return (c * queries @ keys.T).softmax(-1) @ values

    def scale_without_root(queries, keys, values, c):
        """divided by d, not by its square root"""
        return (c * queries @ keys.T / queries.shape[-1]).softmax(-1) @ values

    def wrong_axis(queries, keys, values, c):
        """softmax runs over the queries"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).softmax(0) @ values

    def c_after_softmax(queries, keys, values, c):
        """c comes after softmax"""
        return c * (queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1) @ values

    def temperature(queries, keys, values, c):
        """the scores are divided by c"""
        return (queries @ keys.T / queries.shape[-1] ** 0.5 / (c + 1e-9)).softmax(-1) @ values

    def without_c(queries, keys, values, c):
        """c has no effect"""
        return (queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1) @ values

    def no_softmax(queries, keys, values, c):
        """softmax is missing"""
        return c * queries @ keys.T / queries.shape[-1] ** 0.5 @ values

    def shares_only(queries, keys, values, c):
        """it returns the attention weights"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1)

    def root_of_the_number_of_keys(queries, keys, values, c):
        """the square root of the number of keys"""
        return (c * queries @ keys.T / len(keys) ** 0.5).softmax(-1) @ values

    def root_of_the_number_of_queries(queries, keys, values, c):
        """the square root of the number of queries"""
        return (c * queries @ keys.T / len(queries) ** 0.5).softmax(-1) @ values

    def root_of_the_values(queries, keys, values, c):
        """the square root of the features of a value"""
        return (c * queries @ keys.T / values.shape[-1] ** 0.5).softmax(-1) @ values

    def times_the_root(queries, keys, values, c):
        """multiplied by the square root of d"""
        return (c * queries @ keys.T * queries.shape[-1] ** 0.5).softmax(-1) @ values

    def sigmoid(queries, keys, values, c):
        """sigmoid does not make each row sum to 1"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).sigmoid() @ values

    def log_softmax(queries, keys, values, c):
        """log_softmax gives logarithms"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).log_softmax(-1) @ values

    def forgot_exp(queries, keys, values, c):
        """without exp"""
        scores = c * queries @ keys.T / queries.shape[-1] ** 0.5
        return scores / scores.sum(-1, keepdim=True) @ values

    def forgot_the_sum(queries, keys, values, c):
        """exp is there, but the sum is missing"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).exp() @ values

    def c_as_exponent(queries, keys, values, c):
        """c is an exponent"""
        return (queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1) ** c @ values

    def c_under_the_root(queries, keys, values, c):
        """c stands under the square root"""
        return (queries @ keys.T * (c / queries.shape[-1]) ** 0.5).softmax(-1) @ values

    def c_added(queries, keys, values, c):
        """c has no effect"""
        return (queries @ keys.T / queries.shape[-1] ** 0.5 + c).softmax(-1) @ values

    def mixes_keys(queries, keys, values, c):
        """it mixes the keys"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1) @ keys

    def all_pairs(queries, keys, values, c):
        """softmax runs over all pairs at once"""
        scores = c * queries @ keys.T / queries.shape[-1] ** 0.5
        return scores.flatten().softmax(0).view_as(scores) @ values

    def highest_only(queries, keys, values, c):
        """only the value with the highest score"""
        return values[(c * queries @ keys.T).argmax(-1)]

    def one_query(queries, keys, values, c):
        """it answers one query"""
        return (c * queries[0] @ keys.T / queries.shape[-1] ** 0.5).softmax(-1) @ values

    def slice_one_short(queries, keys, values, c):
        """the last key is left out"""
        keys, values = keys[:-1], values[:-1]
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1) @ values


def scores_of(queries, keys):
    return torch.einsum("b h n d, b h k d -> b h n k", queries, keys) / queries.shape[-1] ** 0.5


class attention_masked:
    def library(queries, keys, values, allowed):
        """passed"""
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed.expand(len(allowed), -1))

    def selected(queries, keys, values, allowed):
        """passed"""
        return scores_of(queries, keys[:, :, allowed]).softmax(-1) @ values[:, :, allowed]

    def wrong_way_round(queries, keys, values, allowed):
        """the wrong way round"""
        return scores_of(queries, keys).masked_fill(allowed, -math.inf).softmax(-1) @ values

    def after_softmax(queries, keys, values, allowed):
        """is set to 0 after softmax"""
        return (scores_of(queries, keys).softmax(-1) * allowed) @ values

    def score_zero(queries, keys, values, allowed):
        """a score of 0 is a score like others"""
        return scores_of(queries, keys).masked_fill(~allowed, 0).softmax(-1) @ values

    def no_scale(queries, keys, values, allowed):
        """not divided by the square root of d"""
        scores = queries @ keys.mT
        return scores.masked_fill(~allowed, -math.inf).softmax(-1) @ values

    def wrong_axis(queries, keys, values, allowed):
        """softmax runs over the queries"""
        return scores_of(queries, keys).masked_fill(~allowed, -math.inf).softmax(-2) @ values

    def unmasked(queries, keys, values, allowed):
        """nothing is masked"""
        return scores_of(queries, keys).softmax(-1) @ values

    def queries_masked(queries, keys, values, allowed):
        """the results of some queries are set to 0"""
        return (scores_of(queries, keys).softmax(-1) @ values) * allowed[:, None]

    def score_of_a_billion(queries, keys, values, allowed):
        """passed"""
        return scores_of(queries, keys).masked_fill(~allowed, -1e9).softmax(-1) @ values

    def score_minus_ten(queries, keys, values, allowed):
        """forbidden keys still get a share: the result changes with them"""
        return scores_of(queries, keys).masked_fill(~allowed, -10).softmax(-1) @ values

    def score_minus_twenty(queries, keys, values, allowed):
        """forbidden keys still get a share, a small one"""
        return scores_of(queries, keys).masked_fill(~allowed, -20).softmax(-1) @ values

    def rows_masked(queries, keys, values, allowed):
        """the results of the forbidden queries are NaN"""
        return scores_of(queries, keys).masked_fill(~allowed[:, None], -math.inf).softmax(-1) @ values

    def rows_evened_out(queries, keys, values, allowed):
        """the mask lies along the queries and evens out whole rows"""
        return scores_of(queries, keys).masked_fill(~allowed[:, None], -1e9).softmax(-1) @ values

    def renormalized(queries, keys, values, allowed):
        """passed"""
        shares = scores_of(queries, keys).softmax(-1) * allowed
        return shares / shares.sum(-1, keepdim=True) @ values

    def plus_infinity(queries, keys, values, allowed):
        """score of *minus* infinity"""
        return scores_of(queries, keys).masked_fill(~allowed, math.inf).softmax(-1) @ values

    def a_billion(queries, keys, values, allowed):
        """plus infinity or a very large one"""
        return scores_of(queries, keys).masked_fill(~allowed, 1e9).softmax(-1) @ values

    def times_infinity(queries, keys, values, allowed):
        """0 times infinity is NaN"""
        return (scores_of(queries, keys) * (~allowed * -math.inf)).softmax(-1) @ values

    def infinity_after_softmax(queries, keys, values, allowed):
        """written into the scores before softmax"""
        return scores_of(queries, keys).softmax(-1).masked_fill(~allowed, -math.inf) @ values

    def score_minus_three(queries, keys, values, allowed):
        """forbidden keys still get a share: the result changes"""
        return scores_of(queries, keys).masked_fill(~allowed, -3).softmax(-1) @ values

    def mask_added(queries, keys, values, allowed):
        """added to the scores as 0 and 1"""
        return (scores_of(queries, keys) + allowed).softmax(-1) @ values

    def values_zeroed(queries, keys, values, allowed):
        """no longer sums to 1"""
        return scores_of(queries, keys).softmax(-1) @ (values * allowed[:, None])

    def keys_zeroed(queries, keys, values, allowed):
        """a score of 0 is a score like others"""
        return scores_of(queries, keys * allowed[:, None]).softmax(-1) @ values

    def both_masked(queries, keys, values, allowed):
        """the results of the forbidden queries are NaN"""
        return scores_of(queries, keys).masked_fill(~(allowed[:, None] & allowed), -math.inf).softmax(-1) @ values

    def pairs_masked(queries, keys, values, allowed):
        """a forbidden key is forbidden for all"""
        return scores_of(queries, keys).masked_fill(~(allowed[:, None] | allowed), -math.inf).softmax(-1) @ values

    def first_keys(queries, keys, values, allowed):
        """it takes the first keys"""
        k = int(allowed.sum())
        return scores_of(queries, keys[:, :, :k]).softmax(-1) @ values[:, :, :k]

    def allowed_queries(queries, keys, values, allowed):
        """it answers the allowed queries only"""
        queries, keys, values = (x[:, :, allowed] for x in (queries, keys, values))
        return scores_of(queries, keys).softmax(-1) @ values

    def root_of_the_number_of_tokens(queries, keys, values, allowed):
        """the square root of the number of tokens"""
        scores = queries @ keys.mT / len(allowed) ** 0.5
        return scores.masked_fill(~allowed, -math.inf).softmax(-1) @ values

    def sigmoid(queries, keys, values, allowed):
        """sigmoid does not make"""
        return scores_of(queries, keys).masked_fill(~allowed, -math.inf).sigmoid() @ values

    def log_softmax(queries, keys, values, allowed):
        """log_softmax gives logarithms"""
        return scores_of(queries, keys).masked_fill(~allowed, -math.inf).log_softmax(-1) @ values

    def log_softmax_finite(queries, keys, values, allowed):
        """log_softmax gives logarithms"""
        return scores_of(queries, keys).masked_fill(~allowed, -1e9).log_softmax(-1) @ values

    def no_softmax(queries, keys, values, allowed):
        """softmax is missing"""
        return scores_of(queries, keys).masked_fill(~allowed, 0) @ values

    def forgot_exp(queries, keys, values, allowed):
        """without exp"""
        scores = scores_of(queries, keys).masked_fill(~allowed, 0)
        return scores / scores.sum(-1, keepdim=True) @ values

    def forgot_the_sum(queries, keys, values, allowed):
        """the sum is missing"""
        return scores_of(queries, keys).masked_fill(~allowed, -math.inf).exp() @ values

    def weights_only(queries, keys, values, allowed):
        """it returns the attention weights"""
        return scores_of(queries, keys).masked_fill(~allowed, -math.inf).softmax(-1)

    def sum_over_queries(queries, keys, values, allowed):
        """divided by its sum over the queries"""
        shares = scores_of(queries, keys).softmax(-1) * allowed
        return shares / shares.sum(-2, keepdim=True) @ values

    def not_kept(queries, keys, values, allowed):
        """the result of `masked_fill` has to be used"""
        scores = scores_of(queries, keys)
        scores.masked_fill(~allowed, -math.inf)
        return scores.softmax(-1) @ values


class neighbour_scores:
    def raw_distance(patches):
        """passed"""
        return -torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, 0].flatten(1))

    def dot_product(patches):
        """passed"""
        return torch.einsum("n p c, m p c -> n m", patches[:, :, -1], patches[:, :, 0])

    def left(patches):
        """the neighbour to the left"""
        return -torch.cdist(patches[:, :, 0].flatten(1), patches[:, :, -1].flatten(1))

    def rows(patches):
        """above or below"""
        return -torch.cdist(patches[:, -1].flatten(1), patches[:, 0].flatten(1))

    def distance(patches):
        """turn the sign"""
        return torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, 0].flatten(1))

    def whole_patches(patches):
        """it finds the patch itself"""
        return -torch.cdist(patches.flatten(1), patches.flatten(1))

    def nothing(patches):
        """all scores of a row are equal"""
        return torch.zeros(len(patches), len(patches))

    def one_each(patches):
        """a score is asked for every pair"""
        return (patches[:, :, -1] * patches[:, :, 0]).sum((1, 2))

    def never_itself(patches):
        """passed"""
        scores = -torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, 0].flatten(1))
        return scores.fill_diagonal_(-math.inf)

    def continued(patches):
        """passed"""
        last = 2 * patches[:, :, -1] - patches[:, :, -2]
        return -torch.cdist(last.flatten(1), patches[:, :, 0].flatten(1))

    def as_shares(patches):
        """passed"""
        return neighbour_scores.dot_product(patches).softmax(-1)

    def column_minus_two(patches):
        """the last column makes no difference"""
        return -torch.cdist(patches[:, :, -2].flatten(1), patches[:, :, 0].flatten(1))

    def column_one(patches):
        """the first column makes no difference"""
        return -torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, 1].flatten(1))

    def last_with_last(patches):
        """the first column makes no difference"""
        return -torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, -1].flatten(1))

    def last_row(patches):
        """the last column makes no difference"""
        return -torch.cdist(patches[:, -1].flatten(1), patches[:, :, 0].flatten(1))

    def column_means(patches):
        """only the mean of the last column is used"""
        return -torch.cdist(patches[:, :, -1].mean(1), patches[:, :, 0].mean(1))

    def grey(patches):
        """the colours of the last column are averaged"""
        return -torch.cdist(patches[:, :, -1].mean(-1), patches[:, :, 0].mean(-1))

    def red(patches):
        """a colour of the last column makes no difference"""
        return -torch.cdist(patches[:, :, -1, 0], patches[:, :, 0, 0])

    def half_a_column(patches):
        """some pixels of the last column make no difference"""
        return -torch.cdist(patches[:, :2, -1].flatten(1), patches[:, :2, 0].flatten(1))

    def colours_for_columns(patches):
        """the last axis of `pieces` is colour"""
        return -torch.cdist(patches[..., -1].flatten(1), patches[..., 0].flatten(1))

    def upside_down(patches):
        """compared in opposite order"""
        return -torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, 0].flip(1).flatten(1))

    def by_number(patches):
        """depend on the number of a patch"""
        return torch.eye(len(patches)).roll(1, 1)

    def identity(patches):
        """the pixels make no difference"""
        return torch.eye(len(patches))

    def not_a_number(patches):
        """NaN"""
        return -torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, 0].flatten(1)) * math.nan


# --- 03 · the vision transformer --------------------------------------------------------------------------------------


class parameters_saved:
    def by_building(large, small, channels, dim):
        """passed"""

        def size(p):
            numbers = p * p * channels
            layers = nn.LayerNorm(numbers, device="meta"), nn.Linear(numbers, dim, device="meta")
            return sum(w.numel() for layer in layers for w in layer.parameters())

        return size(large) - size(small)

    def linear_only(large, small, channels, dim):
        """the LayerNorm on the pixels is forgotten"""
        return (large**2 - small**2) * channels * dim

    def scale_only(large, small, channels, dim):
        """2, not 1"""
        return (large**2 - small**2) * channels * (dim + 1)

    def norm_only(large, small, channels, dim):
        """the linear layer is forgotten"""
        return (large**2 - small**2) * channels * 2

    def not_squared(large, small, channels, dim):
        """p times p pixels"""
        return (large - small) * channels * (dim + 2)

    def grey(large, small, channels, dim):
        """the channels are forgotten"""
        return (large**2 - small**2) * (dim + 2)

    def gained(large, small, channels, dim):
        """the sign is turned"""
        return (small**2 - large**2) * channels * (dim + 2)

    def squared_last(large, small, channels, dim):
        """square first"""
        return (large - small) ** 2 * channels * (dim + 2)

    def before(large, small, channels, dim):
        """subtract what small ones need"""
        return large**2 * channels * (dim + 2)

    def fraction(large, small, channels, dim):
        """it returns the float 3360.0, expected an int"""
        return (large**2 - small**2) * channels * (dim + 2) / 1

    def bias_too(large, small, channels, dim):
        """the biases of the linear layer"""
        return (large**2 - small**2) * channels * (dim + 2) + dim

    def second_norm_too(large, small, channels, dim):
        """the LayerNorm on the tokens does not change"""
        return (large**2 - small**2) * channels * (dim + 2) + 2 * dim

    def two_in_all(large, small, channels, dim):
        """not 2 in all"""
        return (large**2 - small**2) * channels * dim + 2

    def two_for_each_feature(large, small, channels, dim):
        """not for each feature"""
        return (large**2 - small**2) * channels * dim + 2 * dim

    def two_for_each_pixel(large, small, channels, dim):
        """for each channel"""
        return (large**2 - small**2) * (channels * dim + 2)

    def after(large, small, channels, dim):
        """it counts all with small patches"""
        return small**2 * channels * (dim + 2)

    def only_numbers(large, small, channels, dim):
        """count the parameters for them"""
        return (large**2 - small**2) * channels

    def only_pixels(large, small, channels, dim):
        """these are pixels"""
        return large**2 - small**2

    def twice_the_side(large, small, channels, dim):
        """not 2 times p"""
        return 2 * (large - small) * channels * (dim + 2)

    def channels_squared(large, small, channels, dim):
        """the channels are squared"""
        return ((large * channels) ** 2 - (small * channels) ** 2) * (dim + 2)

    def this_notebook(large, small, channels, dim):
        """use the arguments"""
        return 9504


class keep_brightness:
    def new_sequence(vit):
        """passed"""
        bright = copy.deepcopy(vit)
        cut, _, *rest = bright.to_patch_embedding
        bright.to_patch_embedding = nn.Sequential(cut, nn.Identity(), *rest)
        return bright

    def built_again(vit):
        """passed"""
        sizes = dict(image_size=vit.image_size, patch_size=vit.patch_size, dim=vit.dim, num_classes=5, depth=1)
        bright = ViT(**sizes, heads=2, dim_head=8, mlp_dim=24)
        bright.load_state_dict(vit.state_dict())
        bright.to_patch_embedding[1] = nn.Identity()
        return bright

    def in_place(vit):
        """changes its argument `vit` in place"""
        vit.to_patch_embedding[1] = nn.Identity()
        return vit

    def shallow(vit):
        """changes its argument `vit` in place"""
        bright = copy.copy(vit)
        bright.to_patch_embedding[1] = nn.Identity()
        return bright

    def wrong_norm(vit):
        """the LayerNorm at [3] is gone, which reads tokens"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[3] = nn.Identity()
        return bright

    def without_weights(vit):
        """with another scale and shift"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.LayerNorm(48, elementwise_affine=False)
        return bright

    def both_norms(vit):
        """the LayerNorm at [3] is gone too"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = bright.to_patch_embedding[3] = nn.Identity()
        return bright

    def deleted(vit):
        """passed"""
        bright = copy.deepcopy(vit)
        del bright.to_patch_embedding[1]
        return bright

    def fresh_weights(vit):
        """has changed: copy the model"""
        bright = ViT(num_classes=5, image_size=(8, 12), patch_size=4, dim=16, depth=1, heads=2, dim_head=8, mlp_dim=24)
        bright.to_patch_embedding[1] = nn.Identity()
        return bright

    def only_the_embedding(vit):
        """it returns a part: return the whole model"""
        bright = copy.deepcopy(vit.to_patch_embedding)
        bright[1] = nn.Identity()
        return bright

    def without_the_layer(vit):
        """passed"""
        bright = copy.deepcopy(vit)
        cut, _, *rest = bright.to_patch_embedding
        bright.to_patch_embedding = nn.Sequential(cut, *rest)
        return bright

    def unchanged(vit):
        """the LayerNorm on raw pixels is still there"""
        return copy.deepcopy(vit)

    def misspelled(vit):
        """the LayerNorm on raw pixels is still there"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embeding = nn.Identity()
        return bright

    def shared_weights(vit):
        """it shares weights with the given model"""
        bright = copy.deepcopy(vit)
        cut, _, *rest = vit.to_patch_embedding
        bright.to_patch_embedding = nn.Sequential(cut, nn.Identity(), *rest)
        return bright

    def untrainable(vit):
        """requires_grad = False"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.Identity()
        return bright.requires_grad_(False)

    def head_norm_too(vit):
        """the LayerNorm linear_head.0 is gone"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.Identity()
        bright.linear_head[0] = nn.Identity()
        return bright

    def another_norm(vit):
        """another kind of norm"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.BatchNorm1d(48)
        return bright

    def a_linear_layer(vit):
        """one linear layer, before and after"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.Linear(48, 48)
        return bright

    def no_embedding(vit):
        """the layers of to_patch_embedding are gone"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding = nn.Identity()
        return bright

    def not_cut(vit):
        """cuts the image into patches and has to stay"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[0] = nn.Identity()
        return bright


class paired_gap:
    def by_hand(with_positions, without):
        """passed"""
        gaps = [a - b for a, b in zip(with_positions.tolist(), without.tolist(), strict=True)]
        mean = sum(gaps) / len(gaps)
        variance = sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1)
        return [mean, math.sqrt(variance / len(gaps))]

    def tensors(with_positions, without):
        """passed"""
        gaps = with_positions - without
        return gaps.mean(), gaps.std() / gaps.numel() ** 0.5

    def spread(with_positions, without):
        """smaller by the root of n"""
        gaps = with_positions - without
        return gaps.mean(), gaps.std()

    def over_n(with_positions, without):
        """divided by n, not by its root"""
        gaps = with_positions - without
        return gaps.mean(), gaps.std() / len(gaps)

    def over_root_of_n_minus_one(with_positions, without):
        """divide by the root of n"""
        gaps = with_positions - without
        return gaps.mean(), gaps.std() / (len(gaps) - 1) ** 0.5

    def unpaired(with_positions, without):
        """the runs are not paired"""
        n = len(without)
        return with_positions.mean() - without.mean(), (with_positions.var() / n + without.var() / n).sqrt()

    def of_a_population(with_positions, without):
        """divides by n - 1"""
        gaps = with_positions - without
        return gaps.mean(), gaps.std(correction=0) / len(gaps) ** 0.5

    def variance(with_positions, without):
        """the square of the error"""
        gaps = with_positions - without
        return gaps.mean(), gaps.var() / len(gaps)

    def turned(with_positions, without):
        """the sign is turned"""
        gaps = without - with_positions
        return gaps.mean(), gaps.std() / len(gaps) ** 0.5

    def error_first(with_positions, without):
        """the gap comes first"""
        gaps = with_positions - without
        return gaps.std() / len(gaps) ** 0.5, gaps.mean()

    def mean_only(with_positions, without):
        """expected 2 values"""
        return (with_positions - without).mean()

    def one_tensor(with_positions, without):
        """passed"""
        gaps = with_positions - without
        return torch.stack((gaps.mean(), gaps.std() / len(gaps) ** 0.5))

    def absolute(with_positions, without):
        """do not take its absolute value"""
        gaps = (with_positions - without).abs()
        return gaps.mean(), gaps.std() / len(gaps) ** 0.5

    def variance_over_root(with_positions, without):
        """the variance is divided by the root of n"""
        gaps = with_positions - without
        return gaps.mean(), gaps.var() / len(gaps) ** 0.5

    def with_only(with_positions, without):
        """the spread of the accuracies with positions"""
        gaps = with_positions - without
        return gaps.mean(), with_positions.std() / len(gaps) ** 0.5

    def without_only(with_positions, without):
        """the spread of the accuracies without positions"""
        gaps = with_positions - without
        return gaps.mean(), without.std() / len(gaps) ** 0.5

    def difference_of_spreads(with_positions, without):
        """the difference of two spreads"""
        gaps = with_positions - without
        return gaps.mean(), (with_positions.std() - without.std()) / len(gaps) ** 0.5

    def interval(with_positions, without):
        """the half of a 95 % interval"""
        gaps = with_positions - without
        return gaps.mean(), 1.96 * gaps.std() / len(gaps) ** 0.5

    def pooled(with_positions, without):
        """the spread of all 10 accuracies"""
        gaps = with_positions - without
        return gaps.mean(), torch.cat([with_positions, without]).std() / len(gaps) ** 0.5

    def two_n(with_positions, without):
        """the root of 2 n"""
        gaps = with_positions - without
        return gaps.mean(), gaps.std() / (2 * len(gaps)) ** 0.5

    def always_five(with_positions, without):
        """which is not always 5"""
        gaps = with_positions - without
        return gaps.mean(), gaps.std() / 5**0.5

    def largest(with_positions, without):
        """the largest gap is not the mean gap"""
        gaps = with_positions - without
        return gaps.max(), gaps.std() / len(gaps) ** 0.5

    def last(with_positions, without):
        """the last gap is not the mean gap"""
        gaps = with_positions - without
        return gaps[-1], gaps.std() / len(gaps) ** 0.5

    def median(with_positions, without):
        """the median of the gaps"""
        gaps = with_positions - without
        return gaps.median(), gaps.std() / len(gaps) ** 0.5

    def summed(with_positions, without):
        """divide their sum by n"""
        gaps = with_positions - without
        return gaps.sum(), gaps.std() / len(gaps) ** 0.5

    def accuracy(with_positions, without):
        """the first value is the mean accuracy with positions"""
        gaps = with_positions - without
        return with_positions.mean(), gaps.std() / len(gaps) ** 0.5

    def per_cent(with_positions, without):
        """the values are in per cent"""
        gaps = 100 * (with_positions - without)
        return gaps.mean(), gaps.std() / len(gaps) ** 0.5


# --- 04 · masked position prediction ----------------------------------------------------------------------------------


def paint_at(images, row, col, p, value):
    images = images.clone()
    images[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
    return images


class paint:
    def with_where(images, patch, p, value):
        """passed"""
        height, width = images.shape[2:]
        y, x = torch.arange(height)[:, None] // p, torch.arange(width) // p
        return torch.where(y * (width // p) + x == patch, value, images)

    def x_and_y_swapped(images, patch, p, value):
        """x and y are swapped"""
        row, col = divmod(patch, images.shape[3] // p)
        return paint_at(images, col, row, p, value)

    def rows_instead_of_columns(images, patch, p, value):
        """as many patches as there are columns"""
        return paint_at(images, *divmod(patch, images.shape[2] // p), p, value)

    def down_the_columns(images, patch, p, value):
        """not down the columns"""
        col, row = divmod(patch, images.shape[2] // p)
        return paint_at(images, row, col, p, value)

    def one_channel(images, patch, p, value):
        """only the first channel"""
        images = images.clone()
        images[:, :1] = paint_at(images[:, :1], *divmod(patch, images.shape[3] // p), p, value)
        return images

    def one_image(images, patch, p, value):
        """only the first image"""
        images = images.clone()
        images[:1] = paint_at(images[:1], *divmod(patch, images.shape[3] // p), p, value)
        return images

    def from_one(images, patch, p, value):
        """counted from 0"""
        return paint_at(images, *divmod(patch - 1, images.shape[3] // p), p, value)

    def not_times_p(images, patch, p, value):
        """times p"""
        row, col = divmod(patch, images.shape[3] // p)
        images = images.clone()
        images[:, :, row : row + p, col : col + p] = value
        return images

    def in_place(images, patch, p, value):
        """changes its argument `images` in place"""
        row, col = divmod(patch, images.shape[3] // p)
        images[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return images

    def always_four(images, patch, p, value):
        """a row holds W // p patches, not always 4"""
        return paint_at(images, *divmod(patch, 4), p, value)

    def untouched(images, patch, p, value):
        """nothing is painted"""
        return images

    def slice_that_ends_at_p(images, patch, p, value):
        """nothing is painted: rows are axis 2, and a slice has p pixels"""
        row, col = divmod(patch, images.shape[3] // p)
        images = images.clone()
        images[:, :, row * p : p, col * p : p] = value
        return images

    def slice_that_ends_at_row_plus_p(images, patch, p, value):
        """nothing is painted: rows are axis 2, and a slice has p pixels"""
        row, col = divmod(patch, images.shape[3] // p)
        images = images.clone()
        images[:, :, row * p : row + p, col * p : col + p] = value
        return images

    def band_of_rows(images, patch, p, value):
        """the whole band of rows"""
        row = patch // (images.shape[3] // p)
        images = images.clone()
        images[:, :, row * p : (row + 1) * p] = value
        return images

    def one_pixel_too_large(images, patch, p, value):
        """one pixel too large"""
        row, col = divmod(patch, images.shape[3] // p)
        images = images.clone()
        images[:, :, row * p : (row + 1) * p + 1, col * p : (col + 1) * p + 1] = value
        return images

    def condition_inverted(images, patch, p, value):
        """the condition is inverted"""
        return torch.where(paint.with_where(torch.zeros_like(images), patch, p, 1.0) == 1, images, value)

    def added(images, patch, p, value):
        """the value is added"""
        return images + paint.with_where(torch.zeros_like(images), patch, p, value)

    def always_white(images, patch, p, value):
        """the patch is white, whatever value is"""
        return paint.with_where(images, patch, p, 1.0)


def squared_distances(rows, cols, order="ij"):
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing=order)
    y, x = y.flatten(), x.flatten()
    return ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).float()


class soft_labels:
    def loop(rows, cols, sigma):
        """passed"""
        places = [(y, x) for y in range(rows) for x in range(cols)]
        table = [[math.exp(-((y - v) ** 2 + (x - u) ** 2) / sigma**2) for v, u in places] for y, x in places]
        return torch.tensor([[entry / sum(row) for entry in row] for row in table])

    def softmax(rows, cols, sigma):
        """passed"""
        return (-squared_distances(rows, cols) / sigma**2).softmax(dim=1)

    def not_divided(rows, cols, sigma):
        """the rows do not sum to 1"""
        return (-squared_distances(rows, cols) / sigma**2).exp()

    def columns(rows, cols, sigma):
        """the columns sum to 1"""
        return (-squared_distances(rows, cols) / sigma**2).softmax(dim=0)

    def whole_table(rows, cols, sigma):
        """the whole table sums to 1"""
        weights = (-squared_distances(rows, cols) / sigma**2).exp()
        return weights / weights.sum()

    def down_the_columns(rows, cols, sigma):
        """not down the columns"""
        return (-squared_distances(rows, cols, "xy") / sigma**2).softmax(dim=1)

    def plain_distance(rows, cols, sigma):
        """the distance is not squared"""
        return (-squared_distances(rows, cols).sqrt() / sigma**2).softmax(dim=1)

    def plain_sigma(rows, cols, sigma):
        """sigma is not squared"""
        return (-squared_distances(rows, cols) / sigma).softmax(dim=1)

    def gaussian(rows, cols, sigma):
        """without a factor of 2"""
        return (-squared_distances(rows, cols) / (2 * sigma**2)).softmax(dim=1)

    def no_minus(rows, cols, sigma):
        """the minus is missing"""
        return (squared_distances(rows, cols) / sigma**2).softmax(dim=1)

    def one_line(rows, cols, sigma):
        """not in one line"""
        return (-squared_distances(1, rows * cols) / sigma**2).softmax(dim=1)

    def neither_squared(rows, cols, sigma):
        """neither the distance nor sigma is squared"""
        return (-squared_distances(rows, cols).sqrt() / sigma).softmax(dim=1)

    def multiplied(rows, cols, sigma):
        """do not multiply"""
        return (-squared_distances(rows, cols) * sigma**2).softmax(dim=1)

    def without_sigma(rows, cols, sigma):
        """sigma is missing"""
        return (-squared_distances(rows, cols)).softmax(dim=1)

    def rows_plus_columns(rows, cols, sigma):
        """not rows + columns"""
        places = torch.cartesian_prod(torch.arange(rows), torch.arange(cols)).float()
        return (-(torch.cdist(places, places, p=1) ** 2) / sigma**2).softmax(dim=1)

    def logarithms(rows, cols, sigma):
        """these are logarithms"""
        return (-squared_distances(rows, cols) / sigma**2).log_softmax(dim=1)

    def exp_twice(rows, cols, sigma):
        """exp is taken twice"""
        return (-squared_distances(rows, cols) / sigma**2).exp().softmax(dim=1)

    def without_itself(rows, cols, sigma):
        """it is missing"""
        weights = (-squared_distances(rows, cols) / sigma**2).exp().fill_diagonal_(0)
        return weights / weights.sum(dim=1, keepdim=True)


def layer(x, parts, context):
    attention, feed_forward = parts
    x = attention(x, context=context) + x
    return feed_forward(x) + x


class run_layers:
    def in_groups(layers, x, k, every):
        """passed"""
        for start in range(0, len(layers), every):
            context = x[:, :k].clone()
            for parts in list(layers)[start : start + every]:
                x = layer(x, parts, context)
        return x

    def never_renewed(layers, x, k, every):
        """never renewed"""
        context = x[:, :k]
        for parts in layers:
            x = layer(x, parts, context)
        return x

    def always_renewed(layers, x, k, every):
        """renewed in every layer"""
        for parts in layers:
            x = layer(x, parts, x[:, :k])
        return x

    def raw_between(layers, x, k, every):
        """not the raw one"""
        raw = x[:, :k]
        for i, parts in enumerate(layers):
            x = layer(x, parts, x[:, :k] if i % every == 0 else raw)
        return x

    def after_the_layer_but_the_first(layers, x, k, every):
        """taken after layers every, 2 * every"""
        context = x[:, :k]
        for i, parts in enumerate(layers):
            x = layer(x, parts, context)
            if i and i % every == 0:
                context = x[:, :k]
        return x

    def at_the_end_of_a_group(layers, x, k, every):
        """passed"""
        context = x[:, :k]
        for i, parts in enumerate(layers, 1):
            x = layer(x, parts, context)
            if i % every == 0:
                context = x[:, :k]
        return x

    def one_late(layers, x, k, every):
        """taken after the layer"""
        context = x[:, :k]
        for i, parts in enumerate(layers):
            x = layer(x, parts, context)
            if i % every == 0:
                context = x[:, :k]
        return x

    def one_early(layers, x, k, every):
        """one layer early"""
        context = x[:, :k]
        for i, parts in enumerate(layers, 1):
            if i % every == 0:
                context = x[:, :k]
            x = layer(x, parts, context)
        return x

    def all_tokens(layers, x, k, every):
        """all tokens are read"""
        for i, parts in enumerate(layers):
            if i % every == 0:
                context = x
            x = layer(x, parts, context)
        return x

    def the_last(layers, x, k, every):
        """not the last"""
        for i, parts in enumerate(layers):
            if i % every == 0:
                context = x[:, -k:]
            x = layer(x, parts, context)
        return x

    def not_added(layers, x, k, every):
        """+ x is missing"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = feed_forward(attention(x, context=context))
        return x

    def no_feed_forward(layers, x, k, every):
        """the feed-forward part is missing"""
        for i, (attention, _) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x
        return x

    def no_attention(layers, x, k, every):
        """the attention is missing"""
        for _, feed_forward in layers:
            x = feed_forward(x) + x
        return x

    def first_images(layers, x, k, every):
        """x[:k] are the first k images"""
        for i, parts in enumerate(layers):
            if i % every == 0:
                context = x[:k]
            x = layer(x, parts, context)
        return x

    def condition_inverted(layers, x, k, every):
        """the condition is inverted"""
        context = x[:, :k]
        for i, parts in enumerate(layers):
            if i % every:
                context = x[:, :k]
            x = layer(x, parts, context)
        return x

    def renewed_once(layers, x, k, every):
        """renewed once only"""
        context = x[:, :k]
        for i, parts in enumerate(layers):
            if i == every:
                context = x[:, :k]
            x = layer(x, parts, context)
        return x

    def context_not_given(layers, x, k, every):
        """does not get the context"""
        for parts in layers:
            x = layer(x, parts, None)
        return x

    def one_residual(layers, x, k, every):
        """not added to the feed-forward part"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = feed_forward(attention(x, context=context) + x)
        return x

    def feed_forward_first(layers, x, k, every):
        """the attention comes first"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = feed_forward(x) + x
            x = attention(x, context=context) + x
        return x

    def in_place(layers, x, k, every):
        """changes its argument `x` in place"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k].clone()
            x += attention(x, context=context).detach()
            x += feed_forward(x).detach()
        return x


# --- 05 · pretraining -------------------------------------------------------------------------------------------------


class growth:
    def by_exponents(line):
        """passed"""
        accuracy = line["test_accuracy"]
        return torch.tensor(accuracy["0.0"]).log().sub(math.log(accuracy["0.75"])).exp()

    def upside_down(line):
        """upside down"""
        return line["test_accuracy"]["0.75"] / line["test_accuracy"]["0.0"]

    def minus(line):
        """this is the difference"""
        return line["test_accuracy"]["0.0"] - line["test_accuracy"]["0.75"]

    def to_a_half(line):
        """up to ratio 0.5"""
        return line["test_accuracy"]["0.5"] / line["test_accuracy"]["0.75"]

    def from_a_half(line):
        """the start is ratio 0.75"""
        return line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.5"]

    def losses(line):
        """these are losses"""
        return line["test_loss"]["0.0"] / line["test_loss"]["0.75"]

    def per_cent(line):
        """growth in per cent"""
        return 100 * (line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"] - 1)

    def wrong_key(line):
        """the keys are strings: '0.0', '0.75'; it raises KeyError (0.0) at `return line"""
        return line["test_accuracy"][0.0] / line["test_accuracy"][0.75]

    def short_key(line):
        """the keys are strings: '0.0', '0.75'; it raises KeyError ('0')"""
        return line["test_accuracy"]["0"] / line["test_accuracy"]["0.75"]

    def training_loss(line):
        """the accuracies are in line['test_accuracy']"""
        return line["loss"]["0.0"] / line["loss"]["0.75"]

    def largest_by_smallest(line):
        """the accuracy may also fall"""
        return max(line["test_accuracy"].values()) / min(line["test_accuracy"].values())

    def rounded(line):
        """rounded to one decimal"""
        return round(line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"], 1)

    def wrong_patches(line):
        """shares of wrong patches"""
        return (1 - line["test_accuracy"]["0.75"]) / (1 - line["test_accuracy"]["0.0"])

    def changes_the_log(line):
        """changes its argument `line` in place"""
        return line["test_accuracy"].pop("0.0") / line["test_accuracy"]["0.75"]


class accuracy_after:
    def by_cumulative_sum(history, seconds):
        """passed"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_accuracy"]["0.75"]

    def next_epoch(history, seconds):
        """had not ended"""
        spent = 0
        for line in history:
            spent += line["seconds"]
            if spent > seconds:
                break
        return line["test_accuracy"]["0.75"]

    def one_epoch_alone(history, seconds):
        """add them up"""
        return [line for line in history if line["seconds"] <= seconds][-1]["test_accuracy"]["0.75"]

    def at_the_end(history, seconds):
        """last epoch of all"""
        assert seconds > 0
        return history[-1]["test_accuracy"]["0.75"]

    def best(history, seconds):
        """take the last"""
        spent, accuracies = 0, []
        for line in history:
            spent += line["seconds"]
            accuracies += [line["test_accuracy"]["0.75"]] if spent <= seconds else []
        return max(accuracies)

    def wrong_ratio(history, seconds):
        """ratio 0.75 is asked"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_accuracy"]["0.0"]

    def wrong_key(history, seconds):
        """the keys are strings"""
        return [line["test_accuracy"][0.75] for line in history if seconds][-1]

    def strictly(history, seconds):
        """ends exactly then"""
        spent, accuracy = 0, history[0]["test_accuracy"]["0.75"]
        for line in history:
            spent += line["seconds"]
            if spent < seconds:
                accuracy = line["test_accuracy"]["0.75"]
        return accuracy

    def epochs(history, seconds):
        """number of epochs"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return int((ends <= seconds).sum())

    def first(history, seconds):
        """this is the first epoch"""
        return history[0]["test_accuracy"]["0.75"]

    def condition_inverted(history, seconds):
        """take epochs that have ended"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0).tolist()
        return [line["test_accuracy"]["0.75"] for line, end in zip(history, ends, strict=True) if end >= seconds][-1]

    def nearest(history, seconds):
        """had not ended"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends - seconds).abs().argmin())]["test_accuracy"]["0.75"]

    def mean(history, seconds):
        """the mean over the epochs"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        done = history[: int((ends <= seconds).sum())]
        return sum(line["test_accuracy"]["0.75"] for line in done) / len(done)

    def test_loss(history, seconds):
        """this is a loss"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_loss"]["0.75"]

    def half_hidden(history, seconds):
        """this is ratio 0.5"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_accuracy"]["0.5"]

    def seconds_spent(history, seconds):
        """these are seconds"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return float(ends[ends <= seconds][-1])


def crop_of(scaled, images, pad, generator, frame=-1.0, first=0, last=None, together=False, mode="constant"):
    b, _, height, width = images.shape
    value = {"value": frame} if mode == "constant" else {}
    framed = F.pad(scaled, (pad, pad, pad, pad), mode=mode, **value)
    begins = torch.randint(first, 2 * pad + 1 if last is None else last, (b, 2), generator=generator)
    begins = begins[:1].expand(b, 2) if together else begins
    return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(framed, begins, strict=True)])


def scale(images):
    return images / 127.5 - 1


class padded_crop:
    def by_gathering(images, pad, generator=None):
        """passed"""
        b, c, height, width = images.shape
        y, x = (torch.randint(-pad, pad + 1, (b, 1), generator=generator) for _ in range(2))
        rows, cols = (
            torch.arange(height) + y,
            torch.arange(width) + x,
        )  # (b, height), (b, width): may be outside the image
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((cols >= 0) & (cols < width))[:, None]
        at = rows.clamp(0, height - 1)[:, :, None] * width + cols.clamp(0, width - 1)[:, None]
        pixels = scale(images).flatten(2).gather(2, at.flatten(1)[:, None].expand(b, c, -1)).view(images.shape)
        return torch.where(inside[:, None], pixels, -1.0)

    def grey_frame(images, pad, generator=None):
        """the frame is grey"""
        return crop_of(scale(images), images, pad, generator, frame=0.0)

    def unscaled(images, pad, generator=None):
        """the pixels are not scaled"""
        return crop_of(images.float(), images, pad, generator, frame=0.0)

    def from_zero_to_one(images, pad, generator=None):
        """scaled to [0, 1]"""
        return crop_of(images / 255, images, pad, generator, frame=0.0)

    def mirrored(images, pad, generator=None):
        """mirrored or repeated, not black"""
        return crop_of(scale(images), images, pad, generator, mode="reflect")

    def last_place_missing(images, pad, generator=None):
        """the last place is never drawn"""
        return crop_of(scale(images), images, pad, generator, last=2 * pad)

    def first_place_missing(images, pad, generator=None):
        """the first place is never drawn"""
        return crop_of(scale(images), images, pad, generator, first=1)

    def one_place(images, pad, generator=None):
        """all images are cut at one place"""
        return crop_of(scale(images), images, pad, generator, together=True)

    def in_the_middle(images, pad, generator=None):
        """every crop is the picture itself"""
        return crop_of(scale(images), images, pad, generator, first=pad, last=pad + 1)

    def on_the_diagonal(images, pad, generator=None):
        """draw row and column apart"""
        begins = torch.randint(0, 2 * pad + 1, (len(images),), generator=generator)
        framed = F.pad(scale(images), (pad, pad, pad, pad), value=-1.0)
        height, width = images.shape[2:]
        return torch.stack([one[:, i : i + height, i : i + width] for one, i in zip(framed, begins, strict=True)])

    def global_state(images, pad, generator=None):
        """draws from the global random state"""
        return crop_of(scale(images), images, pad, None)

    def only_rows(images, pad, generator=None):
        """the first column is the same for all images"""
        begins = torch.randint(0, 2 * pad + 1, (len(images),), generator=generator)
        framed = F.pad(scale(images), (pad, pad, pad, pad), value=-1.0)
        height, width = images.shape[2:]
        return torch.stack([one[:, i : i + height, pad : pad + width] for one, i in zip(framed, begins, strict=True)])

    def white_frame(images, pad, generator=None):
        """the frame is white"""
        return crop_of(scale(images), images, pad, generator, frame=1.0)

    def padded_before_scaling(images, pad, generator=None):
        """scale first, then pad"""
        return scale(crop_of(images.float(), images, pad, generator))

    def each_channel(images, pad, generator=None):
        """each channel is cut at a place of its own"""
        parts = [images[:, c : c + 1] for c in range(3)]
        return torch.cat([crop_of(scale(part), part, pad, generator) for part in parts], dim=1)

    def mirrored_images(images, pad, generator=None):
        """the images are mirrored too"""
        return crop_of(scale(images), images, pad, generator).flip(3)

    def wrapped(images, pad, generator=None):
        """wrap around"""
        by = torch.randint(-pad, pad + 1, (len(images), 2), generator=generator).tolist()
        return torch.stack([one.roll(shift, (1, 2)) for one, shift in zip(scale(images), by, strict=True)])

    def wide_frame(images, pad, generator=None):
        """more than `pad` pixels"""
        return crop_of(scale(images), images, 2 * pad, generator)

    def still_bytes(images, pad, generator=None):
        """the result is uint8, expected float32"""
        return crop_of(images, images, pad, generator, frame=0)

    def too_large(images, pad, generator=None):
        """the result has the shape (400, 3, 8, 6), expected (400, 3, 6, 4)"""
        return F.pad(scale(images), (pad, pad, pad, pad), value=-1.0)


# --- 06 · fine-tuning and probes --------------------------------------------------------------------------------------


class equal_epochs:
    def loop(labelled, epochs, unlabelled, pretraining_epochs):
        """passed"""
        passes, whole = labelled * epochs + unlabelled * pretraining_epochs, 0
        while labelled * (whole + 1) <= passes:
            whole += 1
        return whole

    def rounded_up(labelled, epochs, unlabelled, pretraining_epochs):
        """round down"""
        return math.ceil((labelled * epochs + unlabelled * pretraining_epochs) / labelled)

    def fine_tuning_only(labelled, epochs, unlabelled, pretraining_epochs):
        """the images of pretraining are not counted"""
        return epochs

    def pretraining_only(labelled, epochs, unlabelled, pretraining_epochs):
        """the images of fine-tuning are not counted"""
        return unlabelled * pretraining_epochs // labelled

    def added(labelled, epochs, unlabelled, pretraining_epochs):
        """count images"""
        return epochs + pretraining_epochs

    def over_all(labelled, epochs, unlabelled, pretraining_epochs):
        """divide by their number"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // unlabelled

    def passes(labelled, epochs, unlabelled, pretraining_epochs):
        """this is the number of images"""
        return labelled * epochs + unlabelled * pretraining_epochs

    def over_both(labelled, epochs, unlabelled, pretraining_epochs):
        """divide by their number alone"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // (labelled + unlabelled)

    def swapped(labelled, epochs, unlabelled, pretraining_epochs):
        """the two numbers of epochs are swapped"""
        return (labelled * pretraining_epochs + unlabelled * epochs) // labelled

    def subtracted(labelled, epochs, unlabelled, pretraining_epochs):
        """are subtracted: add them"""
        return unlabelled * pretraining_epochs // labelled - epochs

    def rounded_early(labelled, epochs, unlabelled, pretraining_epochs):
        """round down once, at the end"""
        return epochs + pretraining_epochs * (unlabelled // labelled)

    def one_too_few(labelled, epochs, unlabelled, pretraining_epochs):
        """one epoch too few"""
        return equal_epochs.loop(labelled, epochs, unlabelled, pretraining_epochs) - 1

    def longer_one(labelled, epochs, unlabelled, pretraining_epochs):
        """both count"""
        return max(epochs, pretraining_epochs)

    def not_a_number(labelled, epochs, unlabelled, pretraining_epochs):
        """it returns the float nan, expected an int"""
        return math.nan

    def not_whole(labelled, epochs, unlabelled, pretraining_epochs):
        """not whole"""
        return (labelled * epochs + unlabelled * pretraining_epochs) / labelled


def class_means(features, labels):
    return torch.stack([features[labels == label].mean(dim=0) for label in range(int(labels.max()) + 1)])


class nearest_mean:
    def loop(train, train_labels, test):
        """passed"""
        answers = []
        means = class_means(torch.stack([x / x.norm() for x in train]), train_labels)
        for question in test:
            answers.append(max(range(len(means)), key=lambda c: float(means[c] @ question / means[c].norm())))
        return torch.tensor(answers)

    def by_distance(train, train_labels, test):
        """passed"""
        means = F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1)
        return torch.cdist(F.normalize(test, dim=1), means).argmin(dim=1)

    def cosines(train, train_labels, test):
        """it returns the cosines"""
        means = class_means(F.normalize(train, dim=1), train_labels)
        return F.normalize(test, dim=1) @ F.normalize(means, dim=1).T

    def least(train, train_labels, test):
        """the smallest cosine"""
        means = class_means(F.normalize(train, dim=1), train_labels)
        return (test @ F.normalize(means, dim=1).T).argmin(dim=1)

    def short_means(train, train_labels, test):
        """the means are not of length 1 again"""
        return (F.normalize(test, dim=1) @ class_means(F.normalize(train, dim=1), train_labels).T).argmax(dim=1)

    def sums(train, train_labels, test):
        """these are sums, not means"""
        members = F.one_hot(train_labels).float().T
        return (test @ (members @ F.normalize(train, dim=1)).T).argmax(dim=1)

    def loud(train, train_labels, test):
        """the training features are not of length 1"""
        return (test @ F.normalize(class_means(train, train_labels), dim=1).T).argmax(dim=1)

    def unscaled(train, train_labels, test):
        """nothing is scaled"""
        return (test @ class_means(train, train_labels).T).argmax(dim=1)

    def wrong_axis(train, train_labels, test):
        """so use dim=1"""
        means = class_means(F.normalize(train, dim=0), train_labels)
        return (F.normalize(test, dim=0) @ F.normalize(means, dim=1).T).argmax(dim=1)

    def as_they_come(train, train_labels, test):
        """numbered in the order of their first image"""
        train, order = F.normalize(train, dim=1), list(dict.fromkeys(train_labels.tolist()))
        means = torch.stack([train[train_labels == label].mean(dim=0) for label in order])
        return (test @ F.normalize(means, dim=1).T).argmax(dim=1)

    def nearest_image(train, train_labels, test):
        """the nearest image, not the nearest mean"""
        return train_labels[(F.normalize(test, dim=1) @ F.normalize(train, dim=1).T).argmax(dim=1)]

    def over_the_images(train, train_labels, test):
        """argmax runs over the test images"""
        return nearest_mean.cosines(train, train_labels, test).argmax(dim=0)

    def absolute(train, train_labels, test):
        """do not take the absolute value"""
        return nearest_mean.cosines(train, train_labels, test).abs().argmax(dim=1)

    def one_hot(train, train_labels, test):
        """not one-hot"""
        return F.one_hot(nearest_mean.by_distance(train, train_labels, test))

    def without_the_last(train, train_labels, test):
        """never answers with the last class"""
        return nearest_mean.cosines(train, train_labels, test)[:, :-1].argmax(dim=1)

    def of_the_training_images(train, train_labels, test):
        """answer for the test images"""
        return nearest_mean.by_distance(train, train_labels, train)

    def medians(train, train_labels, test):
        """this is the median"""
        train = F.normalize(train, dim=1)
        found = [train[train_labels == label].median(dim=0).values for label in range(int(train_labels.max()) + 1)]
        return (test @ F.normalize(torch.stack(found), dim=1).T).argmax(dim=1)

    def distance_to_short_means(train, train_labels, test):
        """scale them before you take distances"""
        means = class_means(F.normalize(train, dim=1), train_labels)
        return torch.cdist(F.normalize(test, dim=1), means).argmin(dim=1)

    def unscaled_distance(train, train_labels, test):
        """nothing is scaled to length 1, and these are distances"""
        return torch.cdist(test, class_means(train, train_labels)).argmin(dim=1)

    def floating(train, train_labels, test):
        """the result is float32, expected int64"""
        return nearest_mean.by_distance(train, train_labels, test).float()


def freeze(*parts):
    for part in parts:
        part.requires_grad_(False)


def trainable(vit):
    return sum(p.numel() for p in vit.parameters() if p.requires_grad)


class freeze_below:
    def by_name(vit, layers):
        """passed"""
        low = ("to_patch_embedding.", *(f"transformer.layers.{i}." for i in range(layers))) if layers else ()
        left = 0
        for name, parameter in vit.named_parameters():
            parameter.requires_grad = not name.startswith(low)
            left += parameter.numel() * parameter.requires_grad
        return left

    def attribute_of_the_part(vit, layers):
        """nothing is frozen"""
        for part in [vit.to_patch_embedding, *vit.transformer.layers[:layers]]:
            part.requires_grad = False
        return trainable(vit)

    def embedding_always(vit, layers):
        """with 0 layers nothing is frozen"""
        freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return trainable(vit)

    def embedding_never(vit, layers):
        """the patch embedding is not frozen"""
        freeze(*vit.transformer.layers[:layers])
        return trainable(vit)

    def one_too_many(vit, layers):
        """one layer too many"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[: layers + 1])
        return trainable(vit)

    def embedding_alone(vit, layers):
        """the patch embedding alone"""
        if layers:
            freeze(vit.to_patch_embedding)
        return trainable(vit)

    def from_above(vit, layers):
        """the highest layers are frozen"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[-layers:])
        return trainable(vit)

    def other_way_round(vit, layers):
        """the other way round"""
        freeze(vit)
        if layers:
            for part in (vit.to_patch_embedding, *vit.transformer.layers[:layers]):
                part.requires_grad_(True)
        return trainable(vit)

    def head_too(vit, layers):
        """the head is frozen too"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers], vit.linear_head)
        return trainable(vit)

    def one_too_few(vit, layers):
        """one layer too few"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[: layers - 1])
        return trainable(vit)

    def one_alone(vit, layers):
        """only one layer is frozen"""
        if layers:
            freeze(vit.to_patch_embedding, vit.transformer.layers[layers - 1])
        return trainable(vit)

    def attention_alone(vit, layers):
        """only a part of each layer is frozen"""
        if layers:
            freeze(vit.to_patch_embedding, *(attention for attention, _ in vit.transformer.layers[:layers]))
        return trainable(vit)

    def matrices_alone(vit, layers):
        """only the weight matrices are frozen"""
        parts = (vit.to_patch_embedding, *vit.transformer.layers[:layers]) if layers else ()
        freeze(*(parameter for part in parts for parameter in part.parameters() if parameter.ndim > 1))
        return trainable(vit)

    def all_layers(vit, layers):
        """all layers are frozen"""
        if layers:
            freeze(vit.to_patch_embedding, vit.transformer)
        return trainable(vit)

    def everything(vit, layers):
        """everything is frozen"""
        freeze(vit)
        return trainable(vit)

    def counts_layers_alone(vit, layers):
        """only the layers are counted"""
        freeze_below.by_name(vit, layers)
        return trainable(vit.transformer)

    def share(vit, layers):
        """this is a share of all parameters"""
        return freeze_below.by_name(vit, layers) / sum(p.numel() for p in vit.parameters())

    def counts_the_frozen(vit, layers):
        """this is how many are frozen"""
        everything = trainable(vit)
        return everything - freeze_below.by_name(vit, layers)

    def counts_tensors(vit, layers):
        """tensors are counted"""
        freeze_below.by_name(vit, layers)
        return sum(p.requires_grad for p in vit.parameters())

    def counts_all(vit, layers):
        """the frozen ones too"""
        freeze_below.by_name(vit, layers)
        return sum(p.numel() for p in vit.parameters())

    def zeroes(vit, layers):
        """the weights have changed"""
        left = freeze_below.by_name(vit, layers)
        for parameter in vit.parameters():
            parameter.data *= parameter.requires_grad
        return left


# --- 07 · predicted positions -----------------------------------------------------------------------------------------


def entropy_of(probs):
    return -torch.where(probs > 0, probs * probs.log(), 0.0).sum(dim=1)


class positions_considered:
    def with_xlogy(probs):
        """passed"""
        return (-torch.xlogy(probs, probs).sum(dim=1)).exp()

    def by_distribution(probs):
        """passed"""
        return torch.distributions.Categorical(probs).entropy().exp()

    def entropy(probs):
        """this is the entropy itself"""
        return entropy_of(probs)

    def bits(probs):
        """in bits"""
        return entropy_of(probs) / torch.tensor(2.0).log()

    def two_bases(probs):
        """the logarithm has base 2, the exponential base e"""
        return (entropy_of(probs) / torch.tensor(2.0).log()).exp()

    def power_of_two(probs):
        """a power of 2"""
        return 2 ** entropy_of(probs)

    def without_minus(probs):
        """the minus sign"""
        return (-entropy_of(probs)).exp()

    def over_patches(probs):
        """sum over the positions, which are the columns"""
        return (-torch.xlogy(probs, probs).sum(dim=0)).exp()

    def mean(probs):
        """the entropy is a sum"""
        return (-torch.xlogy(probs, probs).mean(dim=1)).exp()

    def zero_is_nan(probs):
        """0 * log 0"""
        return (-(probs * probs.log()).sum(dim=1)).exp()

    def nan_too_late(probs):
        """a single 0 makes the sum of its row NaN"""
        return (-(probs * probs.log()).sum(dim=1)).nan_to_num().exp()

    def all_together(probs):
        """all patches are summed together"""
        return entropy_of(probs).sum().exp()

    def largest(probs):
        """the largest probability alone"""
        return 1 / probs.amax(dim=1)

    def squares(probs):
        """1 divided by the sum of squares"""
        return 1 / probs.square().sum(dim=1)

    def share(probs):
        """do not divide by n"""
        return entropy_of(probs).exp() / probs.shape[1]

    def above_chance(probs):
        """above chance"""
        return (probs > 1 / probs.shape[1]).sum(dim=1)

    def softmax_again(probs):
        """no further softmax"""
        return entropy_of(probs.softmax(dim=1)).exp()

    def unweighted(probs):
        """multiplied by its probability"""
        return (-(probs + 1e-12).log().sum(dim=1)).exp()


def steps_between(n, context, cols):
    """Rows and columns (n, k, 2) from every patch to those of the context."""
    where = torch.stack([torch.arange(n) // cols, torch.arange(n) % cols], dim=1).float()
    return (where[:, None] - where[context]).abs()


class mean_distance:
    def with_cdist(attn, context, cols):
        """passed"""
        where = torch.tensor([divmod(i, cols) for i in range(attn.shape[1])], dtype=torch.float32)
        return torch.einsum("hnk,nk->h", attn, torch.cdist(where, where[context])) / attn.shape[1]

    def loop(attn, context, cols):
        """passed"""
        means = []
        for head in attn:
            total = 0.0
            for i, query in enumerate(head.tolist()):
                for weight, j in zip(query, context.tolist(), strict=True):
                    total += weight * ((i // cols - j // cols) ** 2 + (i % cols - j % cols) ** 2) ** 0.5
            means.append(total / attn.shape[1])
        return torch.tensor(means)

    def without_context(attn, context, cols):
        """belongs to patch context[j]"""
        return mean_distance.with_cdist(attn, torch.arange(len(context)), cols)

    def by_number(attn, context, cols):
        """the difference of the patch numbers"""
        return (attn * (torch.arange(attn.shape[1])[:, None] - context).abs()).sum(dim=2).mean(dim=1)

    def by_rows(attn, context, cols):
        """divides by the number of rows"""
        return mean_distance.with_cdist(attn, context, attn.shape[1] // cols)

    def city_blocks(attn, context, cols):
        """the distance in rows plus that in columns"""
        return (attn * steps_between(attn.shape[1], context, cols).sum(dim=2)).sum(dim=2).mean(dim=1)

    def king(attn, context, cols):
        """the larger of the distances"""
        return (attn * steps_between(attn.shape[1], context, cols).amax(dim=2)).sum(dim=2).mean(dim=1)

    def squared(attn, context, cols):
        """the square root is missing"""
        return (attn * steps_between(attn.shape[1], context, cols).square().sum(dim=2)).sum(dim=2).mean(dim=1)

    def root_too_late(attn, context, cols):
        """the square root comes too late"""
        return mean_distance.squared(attn, context, cols).sqrt()

    def rounded(attn, context, cols):
        """the distances are rounded"""
        far = steps_between(attn.shape[1], context, cols).square().sum(dim=2).sqrt().floor()
        return (attn * far).sum(dim=2).mean(dim=1)

    def sum_of_queries(attn, context, cols):
        """the sum over the queries"""
        return mean_distance.with_cdist(attn, context, cols) * attn.shape[1]

    def mean_of_keys(attn, context, cols):
        """without a mean"""
        return mean_distance.with_cdist(attn, context, cols) / attn.shape[2]

    def one_number(attn, context, cols):
        """this is the mean over the heads, too"""
        return mean_distance.with_cdist(attn, context, cols).mean()

    def strongest(attn, context, cols):
        """only the patch with the most attention"""
        far = steps_between(attn.shape[1], context, cols).square().sum(dim=2).sqrt()
        return far[torch.arange(attn.shape[1]), attn.argmax(dim=2)].mean(dim=1)

    def unweighted(attn, context, cols):
        """the attention is not used"""
        return steps_between(attn.shape[1], context, cols).square().sum(dim=2).sqrt().mean().expand(len(attn))


def each_removed(predict, n, compare, left=lambda every, j: every[every != j], dim=1):
    """For each patch j, `compare` of the predictions without it and with all; stacked along `dim`."""
    every = torch.arange(n)
    before = predict(every)
    return torch.stack([compare(predict(left(every, j)), before) for j in range(n)], dim=dim)


def half_of_changes(after, before):
    return (after - before).abs().sum(dim=1) / 2


class effect_of_removal:
    def loop(predict, n):
        """passed"""
        effect, before = torch.zeros(n, n), predict(torch.arange(n))
        for j in range(n):
            after = predict(torch.tensor([i for i in range(n) if i != j]))
            for i in range(n):
                effect[i, j] = (after[i] - before[i]).clamp_min(0).sum()  # what is gained elsewhere
        return effect

    def not_halved(predict, n):
        """divide by 2"""
        return 2 * each_removed(predict, n, half_of_changes)

    def exchanged(predict, n):
        """these are exchanged"""
        return each_removed(predict, n, half_of_changes, dim=0)

    def alone(predict, n):
        """only patch j is in the context"""
        return each_removed(predict, n, half_of_changes, lambda every, j: every[[j]])

    def one_after_another(predict, n):
        """remove one patch at a time"""
        return each_removed(predict, n, half_of_changes, lambda every, j: every[j + 1 :])

    def from_the_step_before(predict, n):
        """not with that of the step before"""
        every = torch.arange(n)
        steps = [predict(every), *(predict(every[every != j]) for j in range(n))]
        return torch.stack([half_of_changes(b, a) for a, b in zip(steps, steps[1:], strict=False)], dim=1)

    def signed(predict, n):
        """the changes cancel"""
        return each_removed(predict, n, lambda after, before: (after - before).sum(dim=1) / 2)

    def mean(predict, n):
        """this is the mean over the positions: take half"""
        return each_removed(predict, n, lambda after, before: (after - before).abs().mean(dim=1))

    def largest_change(predict, n):
        """the largest change"""
        return each_removed(predict, n, lambda after, before: (after - before).abs().amax(dim=1))

    def euclidean(predict, n):
        """the root of the sum of squares"""
        return each_removed(predict, n, lambda after, before: (after - before).square().sum(dim=1).sqrt())

    def own_position(predict, n):
        """the patch's own position alone: all"""
        return each_removed(predict, n, lambda after, before: (after - before).diagonal().abs())

    def best_position(predict, n):
        """whether the most probable position changes"""
        return each_removed(predict, n, lambda after, before: (after.argmax(1) != before.argmax(1)).float())

    def without_diagonal(predict, n):
        """the diagonal counts"""
        return each_removed(predict, n, half_of_changes).fill_diagonal_(0)

    def divergence(predict, n):
        """Kullback-Leibler"""
        return each_removed(predict, n, lambda after, before: (before * (before / after).log()).sum(dim=1))

    def not_summed(predict, n):
        """each position has its own change"""
        return each_removed(predict, n, lambda after, before: (after - before).abs())


# --- 08 · jigsaw ------------------------------------------------------------------------------------------------------


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


# --- 09 · shortcuts ---------------------------------------------------------------------------------------------------


class one_channel:
    def expanded(images, channel):
        """passed"""
        return images[:, [channel]].expand_as(images)

    def stacked(images, channel):
        """passed"""
        return torch.stack([images[:, channel]] * 3, dim=1)

    def axis_lost(images, channel):
        """an axis is lost"""
        return images[:, channel]

    def only_one(images, channel):
        """there is one channel"""
        return images[:, channel : channel + 1]

    def grey(images, channel):
        """this is grey"""
        return images.mean(dim=1, keepdim=True).expand_as(images)

    def others_black(images, channel):
        """the other channels are 0"""
        result = torch.zeros_like(images)
        result[:, channel] = images[:, channel]
        return result

    def of_the_batch(images, channel):
        """the first axis is the batch"""
        return images[channel].expand_as(images)

    def red(images, channel):
        """always red"""
        return images[:, :1].repeat(1, 3, 1, 1)

    def blue_first(images, channel):
        """counted from the end"""
        return images[:, [2 - channel] * 3]

    def in_place(images, channel):
        """changes its argument `images` in place"""
        images[:] = images[:, channel : channel + 1].clone()
        return images

    def weighted_grey(images, channel):
        """a weighted mean of the channels"""
        weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
        return (images * weights).sum(dim=1, keepdim=True).expand_as(images)

    def largest(images, channel):
        """the largest of the channels"""
        return images.amax(dim=1, keepdim=True).expand_as(images)

    def two_others(images, channel):
        """the mean of the two other channels"""
        others = [c for c in range(3) if c != channel]
        return images[:, others].mean(dim=1, keepdim=True).expand_as(images)

    def one_image(images, channel):
        """this is one image"""
        return images[channel]

    def one_row(images, channel):
        """repeats one row of pixels"""
        return images[:, :, channel : channel + 1].expand_as(images)

    def blue(images, channel):
        """always blue"""
        return images[:, 2:].expand_as(images)

    def counted_from_one(images, channel):
        """counted from 1"""
        return images[:, [channel - 1] * 3]

    def next_channel(images, channel):
        """the next channel"""
        return images[:, [(channel + 1) % 3] * 3]

    def repeated_batch(images, channel):
        """repeats the batch"""
        return images[:, channel : channel + 1].repeat(3, 1, 1, 1)

    def nine_channels(images, channel):
        """there are nine channels"""
        return images.repeat(1, 3, 1, 1)

    def stacked_first(images, channel):
        """the new axis is the first one"""
        return torch.stack([images[:, channel]] * 3)

    def stacked_last(images, channel):
        """the new axis is the last one"""
        return torch.stack([images[:, channel]] * 3, dim=-1)

    def clamped(images, channel):
        """but black is -1"""
        return one_channel.expanded(images, channel).clamp(0, 1)

    def to_positive(images, channel):
        """scaled to [0, 1]"""
        return (one_channel.expanded(images, channel) + 1) / 2

    def rolled(images, channel):
        """the three channels are not equal"""
        return images.roll(-channel, dims=1)

    def unchanged(images, channel):
        """nothing has changed"""
        return images

    def double_precision(images, channel):
        """the result is float64, expected float32"""
        return one_channel.expanded(images, channel).double()

    def not_a_number(images, channel):
        """holds NaN"""
        return one_channel.expanded(images, channel) * math.nan

    def infinite(images, channel):
        """holds infinity"""
        return one_channel.expanded(images, channel) / 0

    def negative(images, channel):
        """the values are wrong"""
        return -one_channel.expanded(images, channel)


def in_patches(images, size, change):
    """``change`` is applied to every patch (b, c, h, w)."""
    (h, w), result = size, images.clone()
    for top in range(0, images.shape[2], h):
        for left in range(0, images.shape[3], w):
            patch = images[:, :, top : top + h, left : left + w]
            result[:, :, top : top + h, left : left + w] = change(patch)
    return result


class scramble:
    def loop(images, patch_size, order):
        """passed"""
        return in_patches(images, patch_size, lambda patch: patch.flatten(2)[:, :, order].view(patch.shape))

    def way_back(images, patch_size, order):
        """this is the inverse order"""
        back = order.argsort()
        return in_patches(images, patch_size, lambda patch: patch.flatten(2)[:, :, back].view(patch.shape))

    def down_the_columns(images, patch_size, order):
        """not down the columns"""
        return in_patches(images, patch_size, lambda patch: patch.mT.flatten(2)[:, :, order].view(patch.mT.shape).mT)

    def from_all_over(images, patch_size, order):
        """cut with (rows h), not (h rows)"""
        h, w = patch_size
        pixels = rearrange(images, "b c (h rows) (w cols) -> b c rows cols (h w)", h=h, w=w)[..., order]
        return rearrange(pixels, "b c rows cols (h w) -> b c (h rows) (w cols)", h=h, w=w)

    def unchanged(images, patch_size, order):
        """the pixels keep their order"""
        return images

    def channels_apart(images, patch_size, order):
        """the channels get different orders"""

        def change(patch):
            pixels = patch.flatten(2)
            return torch.stack([pixels[:, c, order.roll(c)] for c in range(3)], dim=1).view(patch.shape)

        return in_patches(images, patch_size, change)

    def cut_off(images, patch_size, order):
        """not put back into a picture"""
        h, w = patch_size
        return rearrange(images, "b c (rows h) (cols w) -> b c rows cols (h w)", h=h, w=w)[..., order]

    def in_place(images, patch_size, order):
        """changes its argument `images` in place"""
        images[:] = scramble.loop(images, patch_size, order)
        return images

    def unfolded(images, patch_size, order):
        """passed"""
        pixels = F.unfold(images, patch_size, stride=patch_size).unflatten(1, (images.shape[1], -1))
        return F.fold(pixels[:, :, order].flatten(1, 2), images.shape[2:], patch_size, stride=patch_size)

    def assigned(images, patch_size, order):
        """this is the inverse order"""

        def change(patch):
            result = torch.empty_like(patch.flatten(2))
            result[:, :, order] = patch.flatten(2)
            return result.view(patch.shape)

        return in_patches(images, patch_size, change)

    def down_the_columns_on_the_way_back(images, patch_size, order):
        """on the way back, the pixels are counted down the columns"""
        return in_patches(images, patch_size, lambda patch: patch.flatten(2)[:, :, order].view(patch.mT.shape).mT)

    def down_the_columns_on_the_way_there(images, patch_size, order):
        """on the way there, the pixels are counted down the columns"""
        return in_patches(images, patch_size, lambda patch: patch.mT.flatten(2)[:, :, order].view(patch.shape))

    def width_first(images, patch_size, order):
        """patch_size is (height, width)"""
        return scramble.loop(images, patch_size[::-1], order)

    def patches_moved(images, patch_size, order):
        """the patches are moved"""
        (h, w), cols = patch_size, images.shape[3] // patch_size[1]
        patches = rearrange(images, "b c (rows h) (cols w) -> b c (rows cols) h w", h=h, w=w)[:, :, order]
        return rearrange(patches, "b c (rows cols) h w -> b c (rows h) (cols w)", cols=cols)

    def rows_and_cols_exchanged(images, patch_size, order):
        """rows and cols are exchanged"""
        pixels = scramble.cut_off(images, patch_size, order)
        return rearrange(pixels, "b c rows cols (h w) -> b c (cols h) (rows w)", h=patch_size[0])

    def put_together_wrongly(images, patch_size, order):
        """pixels move to another patch"""
        pixels = scramble.cut_off(images, patch_size, order)
        return rearrange(pixels, "b c rows cols (h w) -> b c (h rows) (w cols)", h=patch_size[0])

    def reshaped(images, patch_size, order):
        """pixels move to another patch"""
        return images.reshape(*images.shape[:2], -1, len(order))[..., order].reshape(images.shape)

    def first_channel(images, patch_size, order):
        """only the first channel"""
        return torch.cat((scramble.loop(images[:, :1], patch_size, order), images[:, 1:]), dim=1)

    def first_image(images, patch_size, order):
        """only the first image"""
        return torch.cat((scramble.loop(images[:1], patch_size, order), images[1:]))

    def first_patch_everywhere(images, patch_size, order):
        """all patches are equal to the first one"""
        h, w = patch_size
        patch = scramble.loop(images, patch_size, order)[:, :, :h, :w]
        return patch.repeat(1, 1, images.shape[2] // h, images.shape[3] // w)

    def reversed_order(images, patch_size, order):
        """every patch keeps its pixels"""
        return scramble.loop(images, patch_size, order.flip(0))

    def one_further(images, patch_size, order):
        """every patch keeps its pixels"""
        return scramble.loop(images, patch_size, (order + 1) % len(order))

    def twice(images, patch_size, order):
        """every patch keeps its pixels"""
        return scramble.loop(images, patch_size, order[order])

    def own_order(images, patch_size, order):
        """nothing random is asked for"""
        return scramble.loop(images, patch_size, torch.randperm(len(order)))

    def averaged(images, patch_size, order):
        """each patch has one colour"""
        return in_patches(images, patch_size, lambda patch: patch.mean(dim=(2, 3), keepdim=True))

    def to_positive(images, patch_size, order):
        """but black is -1"""
        return scramble.loop(images, patch_size, order).clamp(0, 1)

    def negative(images, patch_size, order):
        """the values are wrong"""
        return -scramble.loop(images, patch_size, order)

    def not_a_number(images, patch_size, order):
        """holds NaN"""
        return scramble.loop(images, patch_size, order) * math.nan


class ramp:
    def by_columns(images, strength):
        """passed"""
        width = images.shape[3]
        columns = [images[..., x] + strength * (2 * x / (width - 1) - 1) for x in range(width)]
        return torch.stack(columns, dim=-1).clip(-1, 1)

    def downwards(images, strength):
        """from top to bottom"""
        return (images + torch.linspace(-strength, strength, images.shape[2])[:, None]).clamp(-1, 1)

    def darker(images, strength):
        """darker from left to right"""
        return (images + torch.linspace(strength, -strength, images.shape[3])).clamp(-1, 1)

    def not_clamped(images, strength):
        """not clamped"""
        return images + torch.linspace(-strength, strength, images.shape[3])

    def from_zero(images, strength):
        """from 0 to strength"""
        return (images + torch.linspace(0, strength, images.shape[3])).clamp(-1, 1)

    def without_strength(images, strength):
        """use `strength`"""
        return (images + torch.linspace(-1, 1, images.shape[3])).clamp(-1, 1)

    def times(images, strength):
        """the images are multiplied by the ramp"""
        return (images * torch.linspace(-strength, strength, images.shape[3])).clamp(-1, 1)

    def end_missing(images, strength):
        """the right end is missing"""
        slope = torch.arange(images.shape[3]) / images.shape[3] * 2 * strength - strength
        return (images + slope).clamp(-1, 1)

    def to_positive(images, strength):
        """black is -1"""
        return (images + torch.linspace(-strength, strength, images.shape[3])).clamp(0, 1)

    def in_place(images, strength):
        """changes its argument `images` in place"""
        images += torch.linspace(-strength, strength, images.shape[3])
        return images.clamp_(-1, 1)

    def clamped_twice(images, strength):
        """passed"""
        return ramp.not_clamped(images, strength).clamp(max=1).clamp(min=-1)

    def clamped_above(images, strength):
        """clamped only above"""
        return ramp.not_clamped(images, strength).clamp(max=1)

    def clamped_below(images, strength):
        """clamped only below"""
        return ramp.not_clamped(images, strength).clamp(min=-1)

    def clamped_before(images, strength):
        """the sum is not clamped"""
        return ramp.not_clamped(images.clamp(-1, 1), strength)

    def clamped_to_strength(images, strength):
        """clamped to [-strength, strength]"""
        return ramp.not_clamped(images, strength).clamp(-strength, strength)

    def squeezed(images, strength):
        """squeezed by tanh"""
        return ramp.not_clamped(images, strength).tanh()

    def divided(images, strength):
        """divided by its largest value"""
        result = ramp.not_clamped(images, strength)
        return result / result.abs().max()

    def to_zero(images, strength):
        """end at strength"""
        return (images + torch.linspace(-strength, 0, images.shape[3])).clamp(-1, 1)

    def half(images, strength):
        """half as steep"""
        return ramp.by_columns(images, strength / 2)

    def twice(images, strength):
        """twice as steep"""
        return ramp.by_columns(images, strength * 2)

    def absolute(images, strength):
        """without abs()"""
        return (images + torch.linspace(-strength, strength, images.shape[3]).abs()).clamp(-1, 1)

    def in_bytes(images, strength):
        """multiplied by 255"""
        return ramp.by_columns(images, 255 * strength)

    def times_one_plus(images, strength):
        """multiplied by 1 + ramp"""
        return (images * (1 + torch.linspace(-strength, strength, images.shape[3]))).clamp(-1, 1)

    def mixed(images, strength):
        """the images are made weaker"""
        return ramp.by_columns((1 - strength) * images, strength)

    def start_missing(images, strength):
        """the left end is missing"""
        return (images + torch.linspace(-strength, strength, images.shape[3] + 1)[1:]).clamp(-1, 1)

    def centres(images, strength):
        """both ends are missing"""
        width = images.shape[3]
        return (images + ((2 * torch.arange(width) + 1) / width - 1) * strength).clamp(-1, 1)

    def constant(images, strength):
        """all columns get brighter by the same"""
        return (images + strength).clamp(-1, 1)

    def over_the_batch(images, strength):
        """over the images of the batch"""
        return (images + torch.linspace(-strength, strength, len(images)).view(-1, 1, 1, 1)).clamp(-1, 1)

    def over_all_pixels(images, strength):
        """over all pixels of an image"""
        slope = torch.linspace(-strength, strength, images[0, 0].numel())
        return (images + slope.view(images.shape[2:])).clamp(-1, 1)

    def diagonal(images, strength):
        """does not add the same in all pixels of a column"""
        down = torch.linspace(-strength, strength, images.shape[2])[:, None]
        return ((images + down / 2) + torch.linspace(-strength / 2, strength / 2, images.shape[3])).clamp(-1, 1)

    def first_channel(images, strength):
        """does not add the same in all pixels of a column"""
        return torch.cat((ramp.by_columns(images[:, :1], strength), images[:, 1:]), dim=1)

    def uneven(images, strength):
        """not evenly spaced"""
        return (images + strength * torch.linspace(-1, 1, images.shape[3]) ** 3).clamp(-1, 1)

    def alone(images, strength):
        """the ramp without the images"""
        return torch.linspace(-strength, strength, images.shape[3]).expand_as(images)

    def unchanged(images, strength):
        """nothing has changed"""
        return images.clone()

    def double_precision(images, strength):
        """the result is float64, expected float32"""
        return ramp.by_columns(images.double(), strength)

    def not_a_number(images, strength):
        """holds NaN"""
        return ramp.by_columns(images, strength) * math.nan

    def wrapped(images, strength):
        """the values are wrong"""
        return (ramp.not_clamped(images, strength) + 1) % 2 - 1

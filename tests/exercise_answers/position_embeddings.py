"""Right and wrong answers to the exercises of notebook 01."""

import math

import torch
import torch.nn.functional as F

from mp3lib import posemb_sincos_2d


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
        """the largest if all others are negative"""
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
        """the largest if all others are negative"""
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
        """the third most similar place"""
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

    def sorted_upwards(codes, place):
        """argsort sorts upwards"""
        return int((codes @ codes[place]).argsort()[1])

    def summed_over_the_places(codes, place):
        """a dot product sums over the features"""
        return int((codes * codes[place]).sum(dim=0).argmax())

    def best_of_all_pairs(codes, place):
        """the best of all pairs"""
        return int((codes @ codes.T).fill_diagonal_(-math.inf).argmax())

    def largest_sum(codes, place):
        """compares sums of features"""
        sums = codes.sum(dim=1)
        sums[place] = -math.inf
        return int(sums.argmax())

    def to_the_mean_code(codes, place):
        """instead of"""
        products = codes @ codes.mean(dim=0)
        products[place] = -math.inf
        return int(products.argmax())

    def rounded_by_softmax(codes, place):
        """softmax rounds small weights to 0"""
        return int((codes @ codes[place]).softmax(dim=0).topk(2).indices[1])

    def previous(codes, place):
        """always returns the previous place"""
        return place - 1

    def a_neighbour(codes, place):
        """always returns a neighbouring place"""
        return place - 1 if place else 1

    def plus_infinity(codes, place):
        """returns the place itself"""
        products = codes @ codes[place]
        products[place] = math.inf
        return int(products.argmax())

    def squared(codes, place):
        """it takes the absolute value"""
        products = (codes @ codes[place]).square()
        products[place] = -1
        return int(products.argmax())

    def a_float(codes, place):
        """expected an int"""
        return float(most_alike.beaten_by_far(codes, place))

    def cosine_similarity(codes, place):
        """passed"""
        products = torch.cosine_similarity(codes, codes[place], dim=-1)
        products[place] = -math.inf
        return int(products.argmax())


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

    def product_of_two_halves(right, down, dim, temperature):
        """the matrix is 0 everywhere"""
        matrix = rotations(right, down, dim, speeds(dim, temperature))
        for_x, for_y = matrix.clone(), matrix.clone()
        for_x[dim // 2 :], for_y[: dim // 2] = 0, 0
        return for_x @ for_y

    def made_inside_the_loop(right, down, dim, temperature):
        """make the matrix before the loop"""
        result, hands = torch.zeros(dim, dim), dim // 4
        hand = torch.tensor([hands - 1, 2 * hands - 1, 3 * hands - 1, dim - 1])
        result[hand] = rotations(right, down, dim, speeds(dim, temperature))[hand]
        return result

    def without_the_last_hand(right, down, dim, temperature):
        """the last hand is 0"""
        matrix, hands = rotations(right, down, dim, speeds(dim, temperature)), dim // 4
        matrix[[hands - 1, 2 * hands - 1, 3 * hands - 1, dim - 1]] = 0
        return matrix

    def applied_twice(right, down, dim, temperature):
        """moves twice as far"""
        matrix = rotations(right, down, dim, speeds(dim, temperature))
        return matrix @ matrix

    def one_place(right, down, dim, temperature):
        """always moves by one place"""
        return rotations(1, 1, dim, speeds(dim, temperature))

    def only_the_signs(right, down, dim, temperature):
        """by one place at most"""
        return rotations((right > 0) - (right < 0), (down > 0) - (down < 0), dim, speeds(dim, temperature))

    def swapped_and_the_other_way(right, down, dim, temperature):
        """x and y are exchanged, and it leads the other way"""
        return rotations(-down, -right, dim, speeds(dim, temperature))

    def side_by_side_and_the_other_way(right, down, dim, temperature):
        """side by side, and it leads the other way"""
        return move.side_by_side(-right, -down, dim, temperature)

    def x_and_y_in_turn(right, down, dim, temperature):
        """the features of x and y alternate"""
        order = torch.arange(dim).view(2, -1).T.flatten()
        return rotations(right, down, dim, speeds(dim, temperature))[order][:, order]

    def code_on_the_diagonal(right, down, dim, temperature):
        """does not lead 2 to the right and 1 down"""
        return posemb_sincos_2d(torch.zeros(1, 40, 40, dim), temperature).view(40, 40, dim)[down, right].diag()

    def double(right, down, dim, temperature):
        """expected float32"""
        return rotations(right, down, dim, speeds(dim, temperature)).double()

    def sizes_of_the_example(right, down, dim, temperature):
        """it raises IndexError"""
        matrix = torch.zeros(dim, dim)
        for feature in range(16):
            matrix[feature, feature] = 1
        return rotations(right, down, 16, speeds(16, temperature)) if dim == 16 else matrix


class random_codes:
    def by_sign(n, dim, generator):
        """passed"""
        return torch.where(torch.rand(n, dim, generator=generator) < 0.5, -1.0, 1.0)

    def zeros_and_ones(n, dim, generator):
        """0 and 1, not -1 and +1"""
        return torch.randint(0, 2, (n, dim), generator=generator).float()

    def normal(n, dim, generator):
        """normal random numbers: take their sign"""
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
        """any numbers from -1 to 1: take their sign"""
        return torch.rand(n, dim, generator=generator) * 2 - 1

    def with_zero(n, dim, generator):
        """some features are 0"""
        return torch.randint(-1, 2, (n, dim), generator=generator).float()

    def upper_end_left_out(n, dim, generator):
        """draw 0 and 1, multiply by 2, then subtract 1"""
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

    def uniform_above_zero(n, dim, generator):
        """any numbers from 0 to 1: round them"""
        return torch.rand(n, dim, generator=generator)

    def of_three_kinds(n, dim, generator):
        """3 different values"""
        return torch.randint(1, 4, (n, dim), generator=generator).float()

    def less_one(n, dim, generator):
        """multiply by 2, then subtract 1"""
        return torch.randint(0, 2, (n, dim), generator=generator) - 1.0

    def minus_two_and_zero(n, dim, generator):
        """the features are -2 and 0"""
        return torch.randint(0, 2, (n, dim), generator=generator) * 2.0 - 2

    def of_length_one(n, dim, generator):
        """the features are -0.125 and 0.125"""
        codes = torch.randint(0, 2, (n, dim), generator=generator) * 2.0 - 1
        return F.normalize(codes, dim=1)

    def signs_of_positive_numbers(n, dim, generator):
        """all features are 1"""
        return torch.rand(n, dim, generator=generator).sign()

    def always_the_same(n, dim, generator):
        """another seed gives the same codes"""
        return torch.tensor([-1.0, 1.0]).repeat(n, dim // 2)

    def rounded(n, dim, generator):
        """passed"""
        return torch.rand(n, dim, generator=generator).round() * 2 - 1

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
        """names the place itself"""
        return int((codes @ codes[place]).argmax())

    def zero_wins(codes, place):
        """a product of 0 still wins where all others are negative"""
        products = codes @ codes[place]
        products[place] = 0
        return int(products.argmax())

    def least(codes, place):
        """least alike"""
        return int((codes @ codes[place]).argmin())

    def likeness(codes, place):
        """how alike the two are, not which place"""
        products = codes @ codes[place]
        products[place] = -math.inf
        return products.max()

    def taken_out(codes, place):
        """correct the index"""
        rest = torch.cat((codes[:place], codes[place + 1 :]))
        return int((rest @ codes[place]).argmax())

    def without_the_first(codes, place):
        """leaves out place 0 always"""
        return int((codes @ codes[place])[1:].argmax()) + 1

    def next_door(codes, place):
        """names the next place"""
        return place + 1

    def in_place(codes, place):
        """changes its argument `codes` in place"""
        query = codes[place].clone()
        codes[place] = 0
        return int((codes @ query).argmax())


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
        """x and y are swapped"""
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
        """divide i by the hands minus 1"""
        return rotations(right, down, dim, [temperature ** (-i / (dim // 4)) for i in range(dim)])

    def growing_speeds(right, down, dim, temperature):
        """the speeds grow"""
        return rotations(right, down, dim, [1 / s for s in speeds(dim, temperature)])

    def identity(right, down, dim, temperature):
        """does not lead 2 to the right and 1 down"""
        return torch.eye(dim)

    def wrong_shape(right, down, dim, temperature):
        """the result has the shape (8, 8), expected (16, 16)"""
        return torch.eye(dim // 2)


class random_codes:
    def by_sign(n, dim, generator):
        """passed"""
        return torch.where(torch.rand(n, dim, generator=generator) < 0.5, -1.0, 1.0)

    def zeros_and_ones(n, dim, generator):
        """0 and 1, not -1 and +1"""
        return torch.randint(0, 2, (n, dim), generator=generator).float()

    def normal(n, dim, generator):
        """other numbers than -1 and +1"""
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
        """all features are 1"""
        return torch.ones(n, dim)

    def loaded_coin(n, dim, generator):
        """expected half of them"""
        return torch.where(torch.rand(n, dim, generator=generator) < 0.2, -1.0, 1.0)


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
        """c is not used"""
        return (queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1) @ values

    def no_softmax(queries, keys, values, c):
        """softmax is missing"""
        return c * queries @ keys.T / queries.shape[-1] ** 0.5 @ values

    def shares_only(queries, keys, values, c):
        """it returns the shares"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.5).softmax(-1)


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
        """set to 0 after softmax"""
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
        """the queries are masked"""
        return (scores_of(queries, keys).softmax(-1) @ values) * allowed[:, None]

    def score_of_a_billion(queries, keys, values, allowed):
        """passed"""
        return scores_of(queries, keys).masked_fill(~allowed, -1e9).softmax(-1) @ values

    def score_minus_ten(queries, keys, values, allowed):
        """a score of -10 is a score like others, forbidden keys still get a share"""
        return scores_of(queries, keys).masked_fill(~allowed, -10).softmax(-1) @ values

    def score_minus_twenty(queries, keys, values, allowed):
        """forbidden keys still get a share, a small one"""
        return scores_of(queries, keys).masked_fill(~allowed, -20).softmax(-1) @ values

    def rows_masked(queries, keys, values, allowed):
        """the mask lies along the queries: it belongs along the keys"""
        return scores_of(queries, keys).masked_fill(~allowed[:, None], -math.inf).softmax(-1) @ values

    def rows_evened_out(queries, keys, values, allowed):
        """the mask lies along the queries and evens out whole rows"""
        return scores_of(queries, keys).masked_fill(~allowed[:, None], -1e9).softmax(-1) @ values


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
        """turn its sign"""
        return torch.cdist(patches[:, :, -1].flatten(1), patches[:, :, 0].flatten(1))

    def whole_patches(patches):
        """finds the patch itself"""
        return -torch.cdist(patches.flatten(1), patches.flatten(1))

    def nothing(patches):
        """expected 40%"""
        return torch.zeros(len(patches), len(patches))

    def one_each(patches):
        """the result has the shape (48,), expected (48, 48)"""
        return (patches[:, :, -1] * patches[:, :, 0]).sum((1, 2))


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
        """still give equal logits"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[3] = nn.Identity()
        return bright

    def without_weights(vit):
        """still give equal logits"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.LayerNorm(48, elementwise_affine=False)
        return bright

    def both_norms(vit):
        """the LayerNorm at [3] is gone too"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = bright.to_patch_embedding[3] = nn.Identity()
        return bright

    def deleted(vit):
        """put nn.Identity() where the LayerNorm was"""
        bright = copy.deepcopy(vit)
        del bright.to_patch_embedding[1]
        return bright

    def fresh_weights(vit):
        """has changed: copy the model"""
        bright = ViT(num_classes=5, image_size=(8, 12), patch_size=4, dim=16, depth=1, heads=2, dim_head=8, mlp_dim=24)
        bright.to_patch_embedding[1] = nn.Identity()
        return bright

    def only_the_embedding(vit):
        """the result has the shape (2, 2, 3, 16), expected (2, 5)"""
        bright = copy.deepcopy(vit.to_patch_embedding)
        bright[1] = nn.Identity()
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
        """only the first k"""
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
        return history[4]["test_accuracy"]["0.75"]

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
        """the passes of pretraining are forgotten"""
        return epochs

    def pretraining_only(labelled, epochs, unlabelled, pretraining_epochs):
        """the passes of fine-tuning are forgotten"""
        return unlabelled * pretraining_epochs // labelled

    def added(labelled, epochs, unlabelled, pretraining_epochs):
        """count passes"""
        return epochs + pretraining_epochs

    def over_all(labelled, epochs, unlabelled, pretraining_epochs):
        """divide by these"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // unlabelled

    def passes(labelled, epochs, unlabelled, pretraining_epochs):
        """this is the number of passes"""
        return labelled * epochs + unlabelled * pretraining_epochs

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
        """least alike"""
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
        """normalize along dim=1"""
        means = class_means(F.normalize(train, dim=0), train_labels)
        return (F.normalize(test, dim=0) @ F.normalize(means, dim=1).T).argmax(dim=1)

    def as_they_come(train, train_labels, test):
        """the classes are numbered as they come"""
        train, order = F.normalize(train, dim=1), list(dict.fromkeys(train_labels.tolist()))
        means = torch.stack([train[train_labels == label].mean(dim=0) for label in order])
        return (test @ F.normalize(means, dim=1).T).argmax(dim=1)

    def nearest_picture(train, train_labels, test):
        """the nearest picture, not the nearest mean"""
        return train_labels[(F.normalize(test, dim=1) @ F.normalize(train, dim=1).T).argmax(dim=1)]

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


class count_empty:
    def with_sets(given):
        """passed"""
        return torch.tensor([len(set(range(len(row))) - set(row.tolist())) for row in given])

    def by_comparing(given):
        """passed"""
        n = given.shape[1]
        return n - (given[:, :, None] == torch.arange(n)).any(dim=1).sum(dim=1)

    def claimed(given):
        """these are the places that are claimed"""
        return torch.tensor([len(set(row.tolist())) for row in given])

    def contested(given):
        """claimed more than once"""
        return (F.one_hot(given, given.shape[1]).sum(dim=1) > 1).sum(dim=1)

    def alone(given):
        """on a place of their own"""
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


def assign_greedily(scores):
    scores, places = scores.clone(), torch.full((len(scores),), -1)
    while scores.isfinite().any():
        patch, place = divmod(int(scores.argmax()), len(scores))
        places[patch] = place
        scores[patch], scores[:, place] = -torch.inf, -torch.inf
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
        """given twice"""
        return scores.argmax(dim=1)

    def patch_by_patch(scores):
        """patch by patch"""
        scores, places = scores.clone(), []
        for row in scores:
            places.append(int(row.argmax()))
            scores[:, places[-1]] = -torch.inf
        return torch.tensor(places)

    def which_patch(scores):
        """which patch lies in each place"""
        return assign_greedily(scores).argsort()

    def hungarian(scores):
        """the best whole arrangement"""
        return torch.tensor(linear_sum_assignment(scores.numpy(), maximize=True)[1])

    def lowest(scores):
        """takes the lowest"""
        return assign_greedily(-scores)

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
        """patches in their own place"""
        return (places == torch.arange(rows * cols)).float().mean()

    def mean_of_means(places, rows, cols):
        """the mean of two shares"""
        parts = (neighbours_right.beside_only, neighbours_right.below_only)
        return sum(part(places, rows, cols) for part in parts) / 2


# --- 08 · shortcuts ---------------------------------------------------------------------------------------------------


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
        """the other channels are black"""
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
        """this is the way back"""
        back = order.argsort()
        return in_patches(images, patch_size, lambda patch: patch.flatten(2)[:, :, back].view(patch.shape))

    def down_the_columns(images, patch_size, order):
        """not down the columns"""
        return in_patches(images, patch_size, lambda patch: patch.mT.flatten(2)[:, :, order].view(patch.mT.shape).mT)

    def from_all_over(images, patch_size, order):
        """(rows h), not (h rows)"""
        h, w = patch_size
        pixels = rearrange(images, "b c (h rows) (w cols) -> b c rows cols (h w)", h=h, w=w)[..., order]
        return rearrange(pixels, "b c rows cols (h w) -> b c (h rows) (w cols)", h=h, w=w)

    def unchanged(images, patch_size, order):
        """the pixels keep their order"""
        return images

    def channels_apart(images, patch_size, order):
        """the channels move apart"""

        def change(patch):
            pixels = patch.flatten(2)
            return torch.stack([pixels[:, c, order.roll(c)] for c in range(3)], dim=1).view(patch.shape)

        return in_patches(images, patch_size, change)

    def cut_off(images, patch_size, order):
        """expected (2, 3, 6, 6)"""
        h, w = patch_size
        return rearrange(images, "b c (rows h) (cols w) -> b c rows cols (h w)", h=h, w=w)[..., order]

    def in_place(images, patch_size, order):
        """changes its argument `images` in place"""
        images[:] = scramble.loop(images, patch_size, order)
        return images


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
        """the ramp is multiplied"""
        return images * torch.linspace(-strength, strength, images.shape[3])

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

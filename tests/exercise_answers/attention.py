"""Right and wrong answers to the exercises of notebook 02."""

import math

import torch
import torch.nn.functional as F


def scores_2d(queries, keys):
    return queries @ keys.T / queries.shape[-1] ** 0.5


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

    def exponent_of_the_scores(queries, keys, values, c):
        """c is an exponent of the scores"""
        return scores_2d(queries, keys).pow(c).softmax(-1) @ values

    def powers_of_the_weights(queries, keys, values, c):
        """rounded to 0 when c is 1000"""
        weights = scores_2d(queries, keys).softmax(-1) ** c
        return F.normalize(weights, p=1, dim=-1) @ values

    def under_the_root(queries, keys, values, c):
        """c stands under the square root, below d"""
        return (queries @ keys.T / (max(c, 1e-9) * queries.shape[-1]) ** 0.5).softmax(-1) @ values

    def in_both(queries, keys, values, c):
        """c is multiplied twice"""
        return scores_2d(c * queries, c * keys).softmax(-1) @ values

    def softmax_twice(queries, keys, values, c):
        """softmax runs twice"""
        return (c * scores_2d(queries, keys)).softmax(-1).softmax(-1) @ values

    def root_at_the_end(queries, keys, values, c):
        """the root of d divides the result"""
        return (c * queries @ keys.T).softmax(-1) @ values / queries.shape[-1] ** 0.5

    def powers_of_two(queries, keys, values, c):
        """softmax uses e"""
        powers = 2 ** (c * scores_2d(queries, keys))
        return powers / powers.sum(-1, keepdim=True) @ values

    def root_twice(queries, keys, values, c):
        """the root of d is taken twice"""
        return (c * queries @ keys.T / queries.shape[-1] ** 0.25).softmax(-1) @ values

    def exp_of_c(queries, keys, values, c):
        """the values are wrong"""
        return (math.exp(min(c, 50)) * scores_2d(queries, keys)).softmax(-1) @ values

    def on_the_values(queries, keys, values, c):
        """c comes after softmax"""
        return scores_2d(queries, keys).softmax(-1) @ (c * values)

    def added(queries, keys, values, c):
        """c has no effect"""
        return (scores_2d(queries, keys) + c).softmax(-1) @ values

    def queries_and_keys_swapped(queries, keys, values, c):
        """it raises RuntimeError"""
        return (c * scores_2d(keys, queries)).softmax(-1) @ values

    def largest_of_all_subtracted(queries, keys, values, c):
        """large scores overflow"""
        scores = c * scores_2d(queries, keys)
        powers = (scores - scores.max()).exp()
        return powers / powers.sum(-1, keepdim=True) @ values


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
        """the mask is inverted"""
        return scores_of(queries, keys).masked_fill(allowed, -math.inf).softmax(-1) @ values

    def after_softmax(queries, keys, values, allowed):
        """is set to 0 after softmax"""
        return (scores_of(queries, keys).softmax(-1) * allowed) @ values

    def score_zero(queries, keys, values, allowed):
        """forbidden keys have a score of 0"""
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
        """the mask is along the queries"""
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
        """forbidden keys have a score of 0"""
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

    def hundred_is_not_infinity(queries, keys, values, allowed):
        """use minus infinity, not a low number"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~allowed, -100).softmax(-1) @ values

    def ten_is_not_infinity(queries, keys, values, allowed):
        """forbidden keys still get a share"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~allowed, -10).softmax(-1) @ values

    def softmax_over_the_heads(queries, keys, values, allowed):
        """softmax runs over the heads"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~allowed, -math.inf).softmax(1) @ values

    def low_scores_and_softmax_over_the_heads(queries, keys, values, allowed):
        """softmax runs over the heads"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~allowed, -1e9).softmax(1) @ values

    def softmax_over_the_batch(queries, keys, values, allowed):
        """softmax runs over the batch"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~allowed, -math.inf).softmax(0) @ values

    def first_head_for_all(queries, keys, values, allowed):
        """the first head is used for all heads"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores[:, :1].masked_fill(~allowed, -math.inf).softmax(-1) @ values

    def masked_after_softmax_with_infinity(queries, keys, values, allowed):
        """written into the scores before softmax"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.softmax(-1).masked_fill(~allowed, -math.inf) @ values

    def keys_of_minus_infinity(queries, keys, values, allowed):
        """written into the scores before softmax"""
        keys = keys.masked_fill(~allowed[:, None], -math.inf)
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.softmax(-1) @ values

    def only_the_first_head(queries, keys, values, allowed):
        """forbidden keys still get a share"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        scores[:, 0] = scores[:, 0].masked_fill(~allowed, -math.inf)
        return scores.softmax(-1) @ values

    def exponent_missing_its_sign(queries, keys, values, allowed):
        """forbidden keys have a score of 0"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~allowed, -1e-9).softmax(-1) @ values

    def pairs_of_allowed_patches(queries, keys, values, allowed):
        """the mask forbids them every key"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~(allowed[:, None] & allowed), -math.inf).softmax(-1) @ values

    def lowest_float(queries, keys, values, allowed):
        """passed"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return scores.masked_fill(~allowed, torch.finfo(scores.dtype).min).softmax(-1) @ values

    def logarithm_of_the_mask(queries, keys, values, allowed):
        """passed"""
        scores = torch.einsum("b h n d, b h k d -> b h n k", queries, keys) * queries.shape[-1] ** -0.5
        return (scores + allowed.float().log()).softmax(-1) @ values


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
        """change the sign"""
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

    def absolute_products(pieces):
        """the sign of the product is lost"""
        last, first = pieces[:, :, -1].flatten(1), pieces[:, :, 0].flatten(1)
        return (F.normalize(last, dim=1) @ F.normalize(first, dim=1).T).abs()

    def within_a_limit(pieces):
        """the scores have only two values"""
        last, first = pieces[:, :, -1].flatten(1), pieces[:, :, 0].flatten(1)
        return (torch.cdist(last, first) < 1).float()

    def second_column(pieces):
        """the first column makes no difference"""
        return F.normalize(pieces[:, :, -1].flatten(1)) @ F.normalize(pieces[:, :, 1].flatten(1)).T

    def signed_differences(pieces):
        """only the mean of the last column"""
        last, first = pieces[:, :, -1].flatten(1), pieces[:, :, 0].flatten(1)
        return (last[:, None] - first).sum(dim=-1)

    def every_pixel_with_every_pixel(pieces):
        """only the mean of the last column"""
        return torch.einsum("n p c, m q c -> n m", pieces[:, :, -1], pieces[:, :, 0])

    def five_best(pieces):
        """expected (48, 48)"""
        last, first = pieces[:, :, -1].flatten(1), pieces[:, :, 0].flatten(1)
        return (last @ first.T).topk(5).indices.float()

    def diagonal_of_nan(pieces):
        """holds NaN"""
        last, first = pieces[:, :, -1].flatten(1), pieces[:, :, 0].flatten(1)
        return (last @ first.T).fill_diagonal_(math.nan)

    def always_the_next(pieces):
        """depend on the number of a patch"""
        return torch.eye(len(pieces)).roll(1, dims=1)

    def centred(pieces):
        """passed"""
        last, first = pieces[:, :, -1].flatten(1), pieces[:, :, 0].flatten(1)
        last, first = (x - x.mean(dim=1, keepdim=True) for x in (last, first))
        return F.normalize(last, dim=1) @ F.normalize(first, dim=1).T

"""Right and wrong answers to the exercises of notebook 03."""

import copy
import math

import torch
from torch import nn

from mp3lib import ViT


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
        """the sign is wrong"""
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
        """the linear layer has one bias for each feature of a token"""
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

    def norm_for_each_weight(large, small, channels, dim):
        """not 2 for each weight"""
        return (large**2 - small**2) * channels * dim * 3

    def norm_twice(large, small, channels, dim):
        """is counted twice"""
        return (large**2 - small**2) * channels * (dim + 4)

    def biases_and_no_norm(large, small, channels, dim):
        """the biases of the linear layer do not change"""
        return (large**2 - small**2) * channels * dim + dim

    def three_channels(large, small, channels, dim):
        """the channels are always 3"""
        return (large**2 - small**2) * 3 * (dim + 2)

    def dim_of_the_notebook(large, small, channels, dim):
        """dim is always 64"""
        return (large**2 - small**2) * channels * 66

    def dim_squared(large, small, channels, dim):
        """dim is squared"""
        return (large**2 - small**2) * channels * dim**2

    def added(large, small, channels, dim):
        """do not add it"""
        return (large**2 + small**2) * channels * (dim + 2)

    def divided(large, small, channels, dim):
        """not how many times fewer"""
        return large**2 // small**2

    def more_tokens(large, small, channels, dim):
        """instead of"""
        return ((144 // small) ** 2 - (144 // large) ** 2) * dim

    def a_float(large, small, channels, dim):
        """expected an int"""
        return (large**2 - small**2) * channels * (dim + 2.0)

    def a_tensor(large, small, channels, dim):
        """passed"""
        return torch.tensor((large**2 - small**2) * channels * (dim + 2))


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
        """such as a part of the model: return the whole ViT"""
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

    def dropout_instead(vit):
        """a Dropout stands in to_patch_embedding"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.Dropout(0.5)
        return bright

    def relu_instead(vit):
        """a ReLU stands in to_patch_embedding"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.ReLU()
        return bright

    def none_instead(vit):
        """None stands in to_patch_embedding"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = None
        return bright

    def class_instead_of_a_module(vit):
        """it raises TypeError"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.Identity
        return bright

    def attribute_that_nothing_reads(vit):
        """the LayerNorm on raw pixels is still there"""
        bright = copy.deepcopy(vit)
        bright.norm = nn.Identity()
        return bright

    def model_in_a_sequence(vit):
        """return the whole ViT"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.Identity()
        return nn.Sequential(bright)

    def both_models(vit):
        """expected a Module"""
        bright = copy.deepcopy(vit)
        bright.to_patch_embedding[1] = nn.Identity()
        return vit, bright

    def shallow_copy(vit):
        """changes its argument `vit` in place"""
        bright = copy.copy(vit)
        bright.to_patch_embedding[1] = nn.Identity()
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
        """the sign is wrong"""
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
        """the spread of all accuracies"""
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

    def mean_of_absolute_gaps(with_positions, without):
        """not of their absolute values"""
        gaps = with_positions - without
        return float(gaps.abs().mean()), float(gaps.std()) / len(gaps) ** 0.5

    def gap_in_per_cent(with_positions, without):
        """the gap is in per cent, the error is not"""
        gaps = with_positions - without
        return 100 * float(gaps.mean()), float(gaps.std()) / len(gaps) ** 0.5

    def error_in_per_cent(with_positions, without):
        """the error is in per cent, the gap is not"""
        gaps = with_positions - without
        return float(gaps.mean()), 100 * float(gaps.std()) / len(gaps) ** 0.5

    def root_of_all(with_positions, without):
        """take the root of n only"""
        gaps = with_positions - without
        return float(gaps.mean()), (float(gaps.std()) / len(gaps)) ** 0.5

    def best_runs(with_positions, without):
        """the gap between the two best runs"""
        gaps = with_positions - without
        return float(with_positions.max() - without.max()), float(gaps.std()) / len(gaps) ** 0.5

    def t_value(with_positions, without):
        """the gap over its error"""
        gaps = with_positions - without
        error = gaps.std() / len(gaps) ** 0.5
        return float(gaps.mean()), float(gaps.mean() / error)

    def mean_of_two_spreads(with_positions, without):
        """the mean of two spreads"""
        gaps = with_positions - without
        spread = (with_positions.std() + without.std()) / 2
        return float(gaps.mean()), float(spread) / len(gaps) ** 0.5

    def multiplied_by_the_root(with_positions, without):
        """multiplied by the root of n"""
        gaps = with_positions - without
        return float(gaps.mean()), float(gaps.std()) * len(gaps) ** 0.5

    def squared_gaps(with_positions, without):
        """the gaps are squared"""
        gaps = with_positions - without
        return float(gaps.square().mean()), float(gaps.std()) / len(gaps) ** 0.5

    def relative(with_positions, without):
        """divided by an accuracy"""
        gaps = (with_positions - without) / without
        return float(gaps.mean()), float(gaps.std()) / len(gaps) ** 0.5

    def sorted_runs(with_positions, without):
        """the accuracies are sorted"""
        gaps = with_positions.sort().values - without.sort().values
        return float(gaps.mean()), float(gaps.std()) / len(gaps) ** 0.5

    def absolute_deviation(with_positions, without):
        """the mean absolute deviation"""
        gaps = with_positions - without
        return float(gaps.mean()), float((gaps - gaps.mean()).abs().mean()) / len(gaps) ** 0.5

    def rounded(with_positions, without):
        """the values are rounded"""
        gaps = with_positions - without
        return round(float(gaps.mean()), 2), round(float(gaps.std()) / len(gaps) ** 0.5, 2)

    def first_gap(with_positions, without):
        """the first gap is not the mean gap"""
        gaps = with_positions - without
        return float(gaps[0]), float(gaps.std()) / len(gaps) ** 0.5

    def only_the_gap(with_positions, without):
        """expected 2 values"""
        gaps = with_positions - without
        return float(gaps.mean())

"""Exercises of notebook 03: counting parameters, patches that keep their brightness, and the error of a difference."""

import copy
import math

import torch
from torch import nn

from ..model.vit import ViT
from .compare import must
from .harness import SafeFunction, checker, randn, seeded


@checker
def check_parameters_saved(your_function: SafeFunction) -> None:
    """The number of parameters saved by smaller patches, in the first LayerNorm and the linear layer.

    For each number of a patch, the LayerNorm has two parameters and the linear layer ``dim``.
    """
    for large, small, channels, dim in ((9, 5, 3, 18), (16, 2, 1, 20), (5, 4, 4, 8)):
        pixels = large**2 - small**2
        fewer, each = pixels * channels, dim + 2
        mistakes = {
            "the LayerNorm on the pixels is forgotten: a scale and a shift for each number": fewer * dim,
            "the LayerNorm on the pixels has a scale and a shift for each number: 2, not 1": fewer * (dim + 1),
            "the linear layer is forgotten: dim weights for each number": fewer * 2,
            "a patch has p times p pixels, not p": (large - small) * channels * each,
            "the channels are forgotten: so many numbers for each pixel": pixels * each,
            "the sign is turned: how many parameters does the model lose?": -fewer * each,
            "square first, then subtract": (large - small) ** 2 * channels * each,
            "it counts all with large patches: subtract what small ones need": large**2 * channels * each,
        }
        your_function(large, small, channels, dim).must_be(fewer * each, mistakes)


@checker
def check_keep_brightness(your_function: SafeFunction) -> None:
    """A copy of the ViT with the same weights, but without the LayerNorm on raw pixels."""
    sizes = dict(num_classes=5, image_size=(8, 12), patch_size=4, dim=16, depth=1, heads=2, dim_head=8, mlp_dim=24)
    vit = seeded(lambda: ViT(**sizes))

    def without(*places: int) -> ViT:
        other = copy.deepcopy(vit)
        for place in places:
            other.to_patch_embedding[place] = nn.Identity()
        return other

    bright = your_function.allow(draw=True)(vit).of_type(nn.Module).eval()
    flat = torch.stack([torch.full((3, 8, 12), shade) for shade in (-1.0, 1.0)])
    black, white = SafeFunction(bright)(flat).tensor((2, 5))
    must(
        not torch.allclose(black, white, atol=1e-3),
        "black and white pictures still give equal logits: the LayerNorm at [1] of to_patch_embedding is in the way",
    )
    images = randn(3, 3, 8, 12)
    logits, right = SafeFunction(bright)(images).tensor((3, 5)), without(1)
    both_gone = torch.allclose(logits, without(1, 3)(images), atol=1e-4)
    must(not both_gone, "the LayerNorm at [3] is gone too: only that at [1] reads raw pixels")
    weights = dict(bright.named_parameters())
    for name, weight in right.named_parameters():
        there = name in weights and weights[name].shape == weight.shape
        must(there, f"{name} is not in its place: put nn.Identity() where the LayerNorm was, so that the names stay")
        must(torch.equal(weights[name], weight), f"{name} has changed: copy the model that is given, weights and all")
    must(torch.allclose(logits, right(images), atol=1e-4), "the weights are right, but the logits are not")


@checker
def check_paired_gap(your_function: SafeFunction) -> None:
    """The mean of the differences between runs with equal seeds, and its standard error: their std over sqrt(n)."""
    for n, seed in ((5, 0), (8, 2)):
        both = 0.02 * randn(n, seed=seed)  # the effect of the seed, which is the same in both
        with_positions, without = 0.42 + both + 0.004 * randn(n, seed=seed + 1), 0.39 + both
        gaps = with_positions - without
        gap, spread, root = float(gaps.mean()), float(gaps.std()), math.sqrt(n)
        unpaired = math.sqrt(float(with_positions.var() + without.var()) / n)
        mistakes = {
            "this is the spread of single gaps: the error of their mean is smaller by the root of n": (gap, spread),
            "the spread is divided by n, not by its root": (gap, spread / n),
            "the second value is the spread over the root of n - 1: divide by the root of n": (
                gap,
                spread / math.sqrt(n - 1),
            ),
            "the runs are not paired: take the gap of each seed first": (gap, unpaired),
            "the spread of a few gaps divides by n - 1, not n (correction=1)": (
                gap,
                float(gaps.std(correction=0)) / root,
            ),
            "this is the square of the error": (gap, spread**2 / n),
            "the sign is turned: the gap is with minus without": (-gap, spread / root),
            "the gap comes first, then its error": (spread / root, gap),
        }
        your_function(with_positions, without).must_be((gap, spread / root), mistakes)

"""Exercises of notebook 03: counting parameters, patches that keep their brightness, and the error of a difference."""

import copy
import math

import torch
from torch import Tensor, nn

from ..model.vit import ViT
from .compare import Finding, Result, article, by_sentence, judge, must
from .harness import SafeFunction, checker, randn, seeded


def wrong_savings(large: int, small: int, channels: int, dim: int) -> dict[str, int]:
    """Sentence -> the number of parameters that this mistake gives."""
    pixels = large**2 - small**2
    fewer, each = pixels * channels, dim + 2
    whole = large**2 * channels * each + 3 * dim  # the patch embedding with large patches
    return {
        "the LayerNorm on the pixels is forgotten: a scale and a shift for each number": fewer * dim,
        "the LayerNorm on the pixels has a scale and a shift for each number: 2, not 1": fewer * (dim + 1),
        "the LayerNorm on the pixels has 2 parameters for each number of a patch, not 2 in all": fewer * dim + 2,
        "the LayerNorm on the pixels has 2 parameters for each number of a patch, not for each feature": (
            fewer * dim + 2 * dim
        ),
        "the LayerNorm on the pixels also has a scale and a shift for each channel": fewer * dim + 2 * pixels,
        "the linear layer is forgotten: dim weights for each number": fewer * 2,
        "the linear layer has one bias for each feature of a token: their number does not change": fewer * each + dim,
        "the linear layer has no bias for each number: only dim weights": fewer * (dim + 3),
        "the LayerNorm on the tokens does not change: it has the size dim": fewer * each + 2 * dim,
        "the LayerNorm on the pixels has 2 parameters for each number, not 2 for each weight": fewer * dim * 3,
        "the LayerNorm on the pixels is counted twice": fewer * (dim + 4),
        "the LayerNorm on the pixels is forgotten, and the biases of the linear layer do not change": (
            fewer * dim + dim
        ),
        "the channels are always 3: use `channels`": pixels * 3 * each,
        "dim is always 64: use `dim`": fewer * 66,
        "dim is squared: the linear layer has dim weights for each number": fewer * dim**2,
        "subtract what small patches need: do not add it": (large**2 + small**2) * channels * each,
        "subtract: how many parameters fewer, not how many times fewer": large**2 // small**2,
        "the linear layer is counted twice": fewer * dim * 2,
        "these are the numbers that no longer come in: count the parameters for them": fewer,
        "these are pixels: count the parameters for them": pixels,
        "a patch has p times p pixels, not p": (large - small) * channels * each,
        "a patch has p times p pixels, not 2 times p": 2 * (large - small) * channels * each,
        "the channels are forgotten: so many numbers for each pixel": pixels * each,
        "the channels and the LayerNorm on the pixels are forgotten": pixels * dim,
        "the channels are squared: a patch has p times p times c numbers": pixels * channels**2 * each,
        "the sign is wrong: how many parameters does the model lose?": -fewer * each,
        "square first, then subtract": (large - small) ** 2 * channels * each,
        "it counts all with large patches: subtract what small ones need": large**2 * channels * each,
        "it counts the whole patch embedding with large patches: subtract that with small ones": whole,
        "it counts all with small patches: subtract it from what large ones need": small**2 * channels * each,
        "this is right for the sizes of this notebook only: use the arguments": 9504,
    }


@checker
def check_parameters_saved(your_function: SafeFunction) -> None:
    """The number of parameters saved by smaller patches, in the first LayerNorm and the linear layer.

    For each number of a patch, the LayerNorm has two parameters and the linear layer ``dim``.
    """
    cases = ((9, 5, 3, 18), (16, 2, 1, 20), (5, 4, 4, 8))
    results = [your_function(*case) for case in cases]
    rights = [(large**2 - small**2) * channels * (dim + 2) for large, small, channels, dim in cases]
    judge(results, rights, by_sentence([wrong_savings(*case) for case in cases]))


@checker
def check_keep_brightness(your_function: SafeFunction) -> None:
    """A copy of the ViT with the same weights, but without the LayerNorm on raw pixels."""
    sizes = dict(num_classes=5, image_size=(8, 12), patch_size=4, dim=16, depth=1, heads=2, dim_head=8, mlp_dim=24)
    vit = seeded(lambda: ViT(**sizes))
    bright = your_function.allow(draw=True)(vit).of_type(nn.Module).eval()
    must(
        isinstance(getattr(bright, "to_patch_embedding", None), nn.Module),
        "it returns a module without to_patch_embedding, such as a part of the model: return the whole ViT",
    )
    flat = torch.stack([torch.full((3, 8, 12), shade) for shade in (-1.0, 1.0)])
    images = randn(3, 3, 8, 12)
    right = copy.deepcopy(vit)
    right.to_patch_embedding[1] = nn.Identity()
    likely = changed_layers(vit, bright)
    try:
        black, white = SafeFunction(bright)(flat).tensor((2, 5))
        logits = SafeFunction(bright)(images).tensor((3, 5))
    except Finding:
        must(likely is None, likely or "")
        raise
    if torch.allclose(black, white, atol=1e-3):
        raise Finding(
            likely or "black and white pictures still give equal logits: the LayerNorm on raw pixels is at [1]"
        )
    expected, weights = list(right.named_parameters()), list(bright.named_parameters())
    if len(weights) != len(expected):
        raise Finding(likely or "it has other weights than the given model: only the LayerNorm on raw pixels may go")
    if dict(weights).keys() == dict(expected).keys():  # otherwise a layer was deleted, and those behind it moved up
        weights = [(name, dict(weights)[name]) for name, _ in expected]
    for (name, weight), (_, given) in zip(weights, expected, strict=True):
        must(
            weight.shape == given.shape and torch.equal(weight, given),
            f"{name} has changed: copy the model that is given, weights and all",
        )
    must(likely is None, likely or "")
    must(torch.allclose(logits, right(images), atol=1e-4), "the weights are right, but the logits are not")
    must(
        all(weight.requires_grad for _, weight in weights),
        "its weights have requires_grad = False, so it cannot be trained: leave requires_grad as it is",
    )

    def both(model: ViT) -> tuple[ViT, ViT]:  # `SafeFunction` gives it a copy of `vit`, which is needed here
        return model, your_function.function(model)

    pair = SafeFunction(both, draw=True)(vit).value
    one, other = ({weight.data_ptr() for weight in model.parameters()} for model in pair)
    must(not one & other, "it shares weights with the given model, so training one changes both: use copy.deepcopy")


def changed_layers(given: nn.Module, returned: nn.Module) -> str | None:
    """A sentence about the layers that are changed by mistake, or None. Only the names and types of layers are read."""
    before, after = (
        {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.LayerNorm)}
        for model in (given, returned)
    )
    first, second = "to_patch_embedding.1", "to_patch_embedding.3"
    embedding = list(returned.to_patch_embedding.children())
    if not embedding:
        return "the layers of to_patch_embedding are gone: only the LayerNorm at [1] may go"
    if any(layer is None for layer in returned.to_patch_embedding):
        return "None stands in to_patch_embedding: put nn.Identity() at [1]"
    norms = [layer for layer in embedding if isinstance(layer, nn.LayerNorm)]
    linears = [layer for layer in embedding if isinstance(layer, nn.Linear)]
    outside = [name for name in before if not name.startswith("to_patch_embedding") and name not in after]
    if outside:
        return f"the LayerNorm {outside[0]} is gone: only the one on raw pixels, {first}, may go"
    if any("BatchNorm" in type(layer).__name__ or "GroupNorm" in type(layer).__name__ for layer in embedding):
        return "another kind of norm stands there: put nn.Identity() in its place"
    others = [layer for layer in embedding[1:] if not isinstance(layer, (nn.LayerNorm, nn.Linear, nn.Identity))]
    if others:
        return f"{article(type(others[0]).__name__)} stands in to_patch_embedding: put nn.Identity() there"
    if len(linears) != 1:
        return "to_patch_embedding has one linear layer, before and after: put nn.Identity() where the LayerNorm was"
    if type(embedding[0]) is not type(given.to_patch_embedding[0]):
        return "the layer at [0] cuts the image into patches and has to stay: the LayerNorm on raw pixels is at [1]"
    if not norms:
        return "the LayerNorm at [3] is gone too: only that at [1] reads raw pixels"
    if len(norms) == 2 and after.keys() == before.keys():
        old = before[first]
        if norms[0].weight is None or not torch.equal(norms[0].weight, old.weight):
            return (
                "the LayerNorm at [1] is still there, with another scale and shift: it still takes the brightness away"
            )
        return "the LayerNorm on raw pixels is still there: put nn.Identity() at [1] of to_patch_embedding"
    if len(norms) == 1 and second not in after and first in after:
        return "the LayerNorm at [3] is gone, which reads tokens: the one on raw pixels is at [1]"
    return None


def wrong_gaps(with_positions: Tensor, without: Tensor) -> dict[str, tuple[float, float]]:
    """Sentence -> the gap and its error that this mistake gives."""
    gaps, n, count = with_positions - without, len(without), 2 * len(without)
    gap, spread, root = float(gaps.mean()), float(gaps.std()), math.sqrt(len(without))
    error, of_n = spread / root, float(gaps.std(correction=0))
    with_spread, without_spread = float(with_positions.std()), float(without.std())
    pooled = float(torch.cat([with_positions, without]).std())
    unpaired = "the runs are not paired: take the gap of each seed first"
    sorted_gaps = with_positions.sort().values - without.sort().values
    relative, absolute, square = gaps / without, gaps.abs(), gaps.square()
    errors = {
        "this is the spread of single gaps: the error of their mean is smaller by the root of n": spread,
        "the spread is divided by n, not by its root": spread / n,
        "the spread is multiplied by the root of n: divide": spread * root,
        "the second value is the spread over the root of n - 1: divide by the root of n": spread / math.sqrt(n - 1),
        "the spread is divided by the root of 2 n: there are n gaps": spread / math.sqrt(count),
        "the spread is divided by the root of 5: divide by the root of n, which is not always 5": spread / 5**0.5,
        "the spread of a few gaps divides by n - 1, not n (correction=1)": of_n / root,
        "this is the spread of single gaps, with correction=0": of_n,
        "this is the square of the error": spread**2 / n,
        "the variance is divided by the root of n: take its root, the spread": spread**2 / root,
        "the root of the spread is taken too: take the root of n only": math.sqrt(spread / n),
        "this is 1.96 times the error, the half of a 95 % interval: the error itself is asked for": 1.96 * error,
        "this is twice the error: the error itself is asked for": 2 * error,
        "the second value is the gap over its error: return the error itself": gap / error,
        "the error is in per cent, the gap is not: leave both as the accuracies are": 100 * error,
        "the spread of the accuracies with positions is not that of the gaps": with_spread / root,
        "the spread of the accuracies without positions is not that of the gaps": without_spread / root,
        "the difference of two spreads is not the spread of the gaps": (with_spread - without_spread) / root,
        "the difference of two spreads, without its sign, is not the spread of the gaps": (
            abs(with_spread - without_spread) / root
        ),
        "the sum of two spreads is not the spread of the gaps": (with_spread + without_spread) / root,
        "the mean of two spreads is not the spread of the gaps": (with_spread + without_spread) / 2 / root,
        "the mean absolute deviation is not the spread: use `std`": float((gaps - gap).abs().mean()) / root,
        "half of the range is no standard error: use the spread over the root of n": float(gaps.max() - gaps.min()) / 2,
        "the accuracies are sorted: then the two accuracies of a pair no longer have the same seed": float(
            sorted_gaps.std()
        )
        / root,
        unpaired: math.sqrt(float(with_positions.var() + without.var()) / n),
        f"{unpaired}, and use correction=1": (
            math.sqrt(float(with_positions.var(correction=0) + without.var(correction=0)) / n)
        ),
        f"{unpaired}; the spread of all accuracies is not that of the gaps": pooled / root,
        f"{unpaired}; the spread of all 2 n accuracies over the root of 2 n is not that of the gaps": (
            pooled / math.sqrt(count)
        ),
    }
    firsts = {
        "the sign is wrong: the gap is with minus without": -gap,
        "a gap may be negative: take the mean of the gaps, not of their absolute values": float(absolute.mean()),
        "the gaps are squared: take their mean as they are": float(square.mean()),
        "the largest gap is not the mean gap": float(gaps.max()),
        "the gap between the two best runs is not the mean gap": float(with_positions.max() - without.max()),
        "the last gap is not the mean gap": float(gaps[-1]),
        "the first gap is not the mean gap": float(gaps[0]),
        "the median of the gaps is not their mean": float(gaps.median()),
        "the gaps are added: divide their sum by n": float(gaps.sum()),
        "the first value is the mean accuracy with positions: subtract that without": float(with_positions.mean()),
        "the gap is in per cent, the error is not: leave both as the accuracies are": 100 * gap,
    }
    return (
        {sentence: (gap, wrong) for sentence, wrong in errors.items()}
        | {sentence: (wrong, error) for sentence, wrong in firsts.items()}
        | {
            "a gap may be negative: do not take its absolute value": (
                float(absolute.mean()),
                float(absolute.std()) / root,
            ),
            "the gaps are divided by an accuracy: take the plain difference": (
                float(relative.mean()),
                float(relative.std()) / root,
            ),
            "the gap comes first, then its error": (error, gap),
            "these are the ends of an interval: return the gap and its error": (gap - error, gap + error),
            "the values are in per cent: leave them as the accuracies are": (100 * gap, 100 * error),
            "the values are rounded: return them as they are": (round(gap, 2), round(error, 2)),
            "the values are rounded to three digits: return them as they are": (round(gap, 3), round(error, 3)),
        }
    )


@checker
def check_paired_gap(your_function: SafeFunction) -> None:
    """The mean of the differences between runs with equal seeds, and its standard error: their std over sqrt(n)."""
    results, rights, wrong = [], [], []
    for n, seed, effect in ((5, 0, 0.3), (8, 2, 0.3), (6, 4, 0.02)):  # in the last, gaps have both signs
        both = 0.8 * randn(n, seed=seed)  # the effect of the seed, which is the same in both
        with_positions, without = 2.0 + effect + 0.1 * randn(n, seed=seed + 1) + both, 2.0 + both
        gaps = with_positions - without
        result = your_function(with_positions, without)
        pair = result.value
        if isinstance(pair, Tensor) and pair.shape == (2,):
            result = Result(tuple(pair), result.call)  # two numbers in one tensor are two numbers
        results.append(result)
        rights.append((float(gaps.mean()), float(gaps.std()) / math.sqrt(n)))
        wrong.append(wrong_gaps(with_positions, without))
    judge(results, rights, by_sentence(wrong))

"""Exercises of notebook 07: how many positions a patch considers, how far a head looks, and a patch taken away."""

import math

import torch
from torch import Tensor

from .compare import must
from .harness import SafeFunction, checker, randn


@checker
def check_positions_considered(your_function: SafeFunction) -> None:
    """The exponential of the entropy of each row of probabilities."""
    certain, even = torch.eye(6), torch.full((3, 6), 1 / 6)
    some = torch.cat([torch.full((2, 3), 1 / 3), torch.zeros(2, 3)], dim=1)
    for probs in ((2 * randn(4, 9)).softmax(dim=1), torch.cat([certain, even]), torch.cat([some, even])):
        nats = -torch.where(probs > 0, probs * probs.log(), 0.0)  # (m, n)
        entropy, n = nats.sum(dim=1), probs.shape[1]
        again = probs.softmax(dim=1)
        mistakes = {
            "this is the entropy itself: take its exponential": entropy,
            "this is the entropy in bits: take the natural logarithm, then the exponential": entropy / math.log(2),
            "the logarithm has base 2, the exponential base e: use one base": (entropy / math.log(2)).exp(),
            "the logarithm has base e, but this is a power of 2: use exp": 2**entropy,
            "a single 0 makes the sum of its row NaN: count only that term as 0, and keep the others": (
                torch.where((probs > 0).all(dim=1), entropy, 0.0).exp()
            ),
            "the minus sign of the entropy is missing": (-entropy).exp(),
            "the minus sign stands before the exponential: it belongs to the entropy": -(-entropy).exp(),
            "the exponential comes before the sum: first the entropy, then its exponential": nats.exp().sum(dim=1),
            "the results are rounded to a whole number: keep the exponential as it is": entropy.exp().round(),
            "the logarithm has base 10: use the natural logarithm": (entropy / math.log(10)).exp(),
            "the logarithm has base 10, and the exponential is missing": entropy / math.log(10),
            "this is the distance from even probabilities: ln n minus the entropy": math.log(n) - entropy,
            "this is the exponential of the distance from even probabilities": (math.log(n) - entropy).exp(),
            "the sum runs over the patches: sum over the positions, which are the columns": nats.sum(dim=0).exp(),
            "this is the mean over the positions: the entropy is a sum": (entropy / n).exp(),
            "all patches are summed together: one number for each patch": entropy.sum().exp(),
            "this is the mean over the patches: one number for each patch": entropy.exp().mean(),
            "the entropies are replaced by the mean over the patches: one number for each patch": entropy.mean().exp(),
            "this uses the largest probability alone: every probability counts": 1 / probs.amax(dim=1),
            "this is the largest probability: the result is a number of positions": probs.amax(dim=1),
            "this is 1 divided by the sum of squares: use the entropy": 1 / probs.square().sum(dim=1),
            "this is a share of all positions: do not divide by n": entropy.exp() / n,
            "the entropy is divided by its largest value, ln n: do not divide": entropy / math.log(n),
            "this counts the probabilities above chance": (probs > 1 / n).sum(dim=1),
            "this counts the probabilities above 0": (probs > 0).sum(dim=1),
            "each logarithm must be multiplied by its probability": (-probs.clamp_min(1e-12).log().sum(dim=1)).exp(),
            "the rows are probabilities already: no further softmax": (-(again * again.log()).sum(dim=1)).exp(),
        }
        for small in (0.1, 0.05, 0.01, 1e-3, 1e-4):
            with_it = -(probs * (probs + small).log()).sum(dim=1)
            mistakes[f"{small:g} is added to the probabilities, which is too much"] = with_it.exp()
        for small in (0.05, 0.01, 1e-3):
            mistakes[f"this counts the probabilities above {small:g}"] = (probs > small).sum(dim=1)
        result = your_function(probs)
        value = result.value
        if isinstance(value, Tensor) and value.device == probs.device:
            must(
                not value.isnan().any(),
                "a probability of 0 gives NaN, because 0 * log 0 is not a number to a computer: count it as 0",
            )
        result.must_be(entropy.exp(), mistakes)


@checker
def check_mean_distance(your_function: SafeFunction) -> None:
    """For each head, the mean over the queries of the distance to the patches attended to, weighted by attention."""
    for h, rows, cols, k, seed in ((2, 4, 7, 5, 0), (3, 4, 2, 8, 1), (1, 4, 4, 6, 2)):
        n = rows * cols
        attn = (2 * randn(h, n, k, seed=seed)).softmax(dim=2)
        context = randn(n, seed=seed).argsort()[:k]

        def far(context, cols=cols, n=n, norm="euclid", rounding="floor"):
            """The distances (n, k) of all patches from those of the context."""
            i = torch.arange(n)
            where = torch.stack([torch.div(i, cols, rounding_mode=rounding), i % cols], dim=1)
            steps = (where[:, None] - where[context]).abs().double()  # (n, k, 2)
            return {
                "euclid": steps.square().sum(dim=2).sqrt(),
                "square": steps.square().sum(dim=2),
                "city": steps.sum(dim=2),
                "king": steps.amax(dim=2),
                "row": steps[..., 0],
                "column": steps[..., 1],
            }[norm].float()

        def weighted(distance, attn=attn):
            return (attn * distance).sum(dim=2)  # (h, n)

        each, first = weighted(far(context)), torch.arange(k)
        by_number = (torch.arange(n)[:, None] - context).abs().float()
        itself = torch.arange(n)[:, None] == context
        others = attn.masked_fill(itself, 0)
        strongest = far(context)[torch.arange(n), attn.argmax(dim=2)]
        places = torch.stack([torch.arange(n) // cols, torch.arange(n) % cols], dim=1).float()
        mistakes = {
            "column j of the attention belongs to patch context[j], not to patch j": weighted(far(first)).mean(dim=1),
            "the context is sorted here, but column j of the attention belongs to patch context[j]": (
                weighted(far(context.sort().values)).mean(dim=1)
            ),
            "this is the distance to the mean position: first each distance, then the mean": (
                (attn @ places[context] - places).norm(dim=2).mean(dim=1)
            ),
            "use `cols`: this takes the root of the number of patches, as if the grid were square": (
                weighted(far(context, cols=math.isqrt(n))).mean(dim=1)
            ),
            "rows are whole numbers: divide with //, not with /": weighted(far(context, rounding=None)).mean(dim=1),
            "the attention sums to 1 already: no further softmax": (
                weighted(far(context), attn.softmax(dim=2)).mean(dim=1)
            ),
            "this is the largest over the queries: take their mean": each.amax(dim=1),
            "this is the median over the queries: take their mean": each.median(dim=1).values,
            "this is the difference of the patch numbers: compare rows and columns": weighted(by_number).mean(dim=1),
            "patch i is in row i // cols and column i % cols: this divides by the number of rows": (
                weighted(far(context, cols=rows)).mean(dim=1)
            ),
            "this is the distance in rows plus that in columns: take the root of the sum of squares": (
                weighted(far(context, norm="city")).mean(dim=1)
            ),
            "this is the larger of the distances in rows and in columns: take the root of the sum of squares": (
                weighted(far(context, norm="king")).mean(dim=1)
            ),
            "the square root is missing": weighted(far(context, norm="square")).mean(dim=1),
            "the square root comes too late: first each distance, then the means": (
                weighted(far(context, norm="square")).mean(dim=1).sqrt()
            ),
            "this is the distance in rows alone": weighted(far(context, norm="row")).mean(dim=1),
            "this is the distance in columns alone": weighted(far(context, norm="column")).mean(dim=1),
            "the distances are rounded: keep the root as it is": weighted(far(context).floor()).mean(dim=1),
            "every patch is a query, not only those of the context": each[:, context].mean(dim=1),
            "the unit is one patch: do not divide by the columns": each.mean(dim=1) / cols,
            "this is the sum over the queries: take their mean": each.sum(dim=1),
            "one number for each head: take the mean over the queries": each,
            "one number for each head: this is the mean over the heads, too": each.mean(),
            "one number for each head: this is the mean over the heads": each.mean(dim=0),
            "the attention of a query sums to 1 already: sum over the keys, without a mean": each.mean(dim=1) / k,
            "the attention is not used: distances must be weighted by it": far(context).mean().expand(h),
            "this uses only the patch with the most attention: weight all of them": strongest.mean(dim=1),
            "the query's own patch counts too, with distance 0": (
                (others * far(context)).sum(dim=2) / others.sum(dim=2).clamp_min(1e-9)
            ).mean(dim=1),
        }
        your_function(attn, context, cols).must_be(each.mean(dim=1), mistakes)


@checker
def check_effect_of_removal(your_function: SafeFunction) -> None:
    """How far the prediction of patch i moves when patch j leaves the context: half the sum of absolute changes."""
    for n, seed in ((5, 0), (8, 1)):
        scores, values = 2 * randn(n, n, seed=seed), 2 * randn(n, n, seed=seed + 10)

        def predict(context, scores=scores, values=values) -> Tensor:
            """The probabilities (n, n) of a small layer of attention to the context."""
            context = torch.as_tensor(context).long()
            attn = scores[:, context].softmax(dim=1)
            return (attn @ values[context] + values).softmax(dim=1)

        every = torch.arange(n)
        before = predict(every)
        after = torch.stack([predict(every[every != j]) for j in range(n)], dim=1)  # (i, j, position)
        up_to = torch.stack([predict(every[: j + 1]) for j in range(n)], dim=1)
        before_j = torch.stack([predict(every[:j]) for j in range(n)], dim=1)
        replaced = torch.stack([predict(torch.where(every == j, 0, every)) for j in range(n)], dim=1)
        previous = torch.cat([before[:, None], after[:, :-1]], dim=1)
        alone = torch.stack([predict(every[[j]]) for j in range(n)], dim=1)
        one_after_another = torch.stack([predict(every[j + 1 :]) for j in range(n)], dim=1)
        own = every[:, None, None].expand(n, n, 1)
        change = after - before[:, None]
        right = change.abs().sum(dim=2) / 2
        off_diagonal = right.masked_fill(torch.eye(n, dtype=torch.bool), 0)
        best = before.argmax(dim=1, keepdim=True)
        at_best = change.gather(2, best[:, None].expand(n, n, 1))[..., 0]
        entropies = [-(x * x.log()).sum(dim=-1) for x in (before[:, None], after)]
        entropy = entropies[1] - entropies[0]

        def moved(other, before=before):
            return (other - before[:, None]).abs().sum(dim=2) / 2

        there, back = ((x * (x / y).log()).sum(dim=2) for x, y in ((before[:, None], after), (after, before[:, None])))
        divergence = "this is the Kullback-Leibler divergence: take half the sum of the absolute changes"
        mistakes = {
            "divide by 2: a probability that moves is counted where it leaves and where it arrives": 2 * right,
            "row i is the patch that predicts, column j the patch that is removed: these are exchanged": right.T,
            "only patch j is in the context here: it must be the one that is missing": (
                (alone - before[:, None]).abs().sum(dim=2) / 2
            ),
            "patches must return to the context: remove one patch at a time": (
                (one_after_another - before[:, None]).abs().sum(dim=2) / 2
            ),
            "only the patches before j are in the context: keep those after it, too": moved(before_j),
            "only the patches up to j are in the context: patch j alone must be missing": moved(up_to),
            "patch j is replaced by patch 0: leave it out": moved(replaced),
            "column j is patch j, counted from 0: the columns are moved by one": right.roll(1, dims=1),
            "column j is patch j, counted from 0: all columns are moved by one": right.roll(-1, dims=1),
            "this looks at the best guess alone: all positions count": at_best.abs(),
            "this looks at the best guess alone, with a sign: all positions count": at_best,
            "this is the change of the entropy: a prediction may move and keep its entropy": entropy.abs(),
            "this is the change of the entropy, with a sign: a prediction may move and keep its entropy": entropy,
            "this is 1 minus the cosine: take half the sum of the absolute changes": (
                1 - torch.cosine_similarity(after, before[:, None], dim=2)
            ),
            "compare with the prediction for the full context, not with even probabilities": (
                (after - 1 / n).abs().sum(dim=2) / 2
            ),
            "the changes cancel: take their absolute values before the sum": change.sum(dim=2) / 2,
            "this is the mean over the positions: take the sum": change.abs().mean(dim=2) / 2,
            "this is the mean over the positions: take half of the sum": change.abs().mean(dim=2),
            "this is the largest change: all positions count": change.abs().amax(dim=2),
            "this is the root of the sum of squares: take absolute values": change.square().sum(dim=2).sqrt(),
            "this is the sum of squares: take absolute values": change.square().sum(dim=2),
            "this looks at the patch's own position alone: all positions count": change.gather(2, own)[..., 0].abs(),
            "this looks at the patch's own position alone, with a sign": change.gather(2, own)[..., 0],
            "this only tells whether the most probable position changes": (after.argmax(dim=2) != best).float(),
            "the diagonal counts, too: a patch predicts also when it is not in the context": off_diagonal,
            divergence: there,
            f"{divergence}, in either direction": back,
            "compare with the prediction for the full context, not with that of the step before": (
                (after - previous).abs().sum(dim=2) / 2
            ),
            "this compares the largest probabilities alone: all positions count": (
                (after.amax(dim=2) - before.amax(dim=1, keepdim=True)).abs()
            ),
            "the sum runs over the patches: sum over the positions": change.abs().sum(dim=0).T / 2,
            "a distance is not negative": -right,
            "one number for each pair: this is the mean over the patches that predict": right.mean(dim=0),
            "one number for each pair: this is the mean over the patches that are removed": right.mean(dim=1),
            "each position has its own change here: sum them": change.abs(),
        }
        your_function(predict, n).must_be(right, mistakes)

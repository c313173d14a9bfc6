"""Right and wrong answers to the exercises of notebook 07."""

import torch


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

    def with_nansum(probs):
        """passed"""
        return (-(probs * probs.log()).nansum(dim=1)).exp()

    def kept_axis(probs):
        """has the shape (4, 1), expected (4,)"""
        return entropy_of(probs).exp()[:, None]

    def a_list(probs):
        """it returns a list, expected a tensor"""
        return [float(each) for each in entropy_of(probs).exp()]

    def minus_too_late(probs):
        """the minus sign stands before the exponential"""
        return -(-entropy_of(probs)).exp()

    def exp_before_the_sum(probs):
        """the exponential comes before the sum"""
        return (-torch.xlogy(probs, probs)).exp().sum(dim=1)

    def rounded(probs):
        """rounded to a whole number"""
        return entropy_of(probs).exp().round()

    def decimal_logarithm(probs):
        """the logarithm has base 10"""
        return (entropy_of(probs) / torch.tensor(10.0).log()).exp()

    def distance_from_even(probs):
        """the distance from even probabilities"""
        return torch.tensor(float(probs.shape[1])).log() - entropy_of(probs)

    def mean_entropy(probs):
        """replaced by the mean over the patches"""
        return entropy_of(probs).mean().exp()

    def large_epsilon(probs):
        """0.01 is added to the probabilities"""
        return (-(probs * (probs + 1e-2).log()).sum(dim=1)).exp()

    def above_a_threshold(probs):
        """this counts the probabilities above 0.05"""
        return (probs > 0.05).sum(dim=1)

    def zeros_dropped(probs):
        """all patches are summed together"""
        some = probs[probs > 0]
        return (-(some * some.log()).sum()).exp()


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

    def coordinates_exchanged(attn, context, cols):
        """passed"""
        where = torch.tensor([(i % cols, i // cols) for i in range(attn.shape[1])], dtype=torch.float64)
        return (attn * torch.cdist(where, where[context])).sum(dim=2).mean(dim=1).float()

    def centre_of_attention(attn, context, cols):
        """the distance to the mean position"""
        where = torch.tensor([divmod(i, cols) for i in range(attn.shape[1])], dtype=torch.float32)
        return (attn @ where[context] - where).norm(dim=2).mean(dim=1)

    def square_grid(attn, context, cols):
        """use `cols`"""
        return mean_distance.with_cdist(attn, context, int(attn.shape[1] ** 0.5))

    def true_division(attn, context, cols):
        """rows are whole numbers"""
        i = torch.arange(attn.shape[1])
        where = torch.stack([i / cols, i % cols], dim=1)
        return (attn * torch.cdist(where, where[context])).sum(dim=2).mean(dim=1)

    def context_sorted(attn, context, cols):
        """belongs to patch context[j]"""
        return mean_distance.with_cdist(attn, context.sort().values, cols)

    def softmax_again(attn, context, cols):
        """no further softmax"""
        return mean_distance.with_cdist(attn.softmax(dim=2), context, cols)

    def largest_distance(attn, context, cols):
        """this is the largest over the queries"""
        far = steps_between(attn.shape[1], context, cols).square().sum(dim=2).sqrt()
        return (attn * far).sum(dim=2).amax(dim=1)

    def median(attn, context, cols):
        """this is the median over the queries"""
        far = steps_between(attn.shape[1], context, cols).square().sum(dim=2).sqrt()
        return (attn * far).sum(dim=2).median(dim=1).values

    def only_context_queries(attn, context, cols):
        """every patch is a query"""
        far = steps_between(attn.shape[1], context, cols).square().sum(dim=2).sqrt()
        return (attn * far).sum(dim=2)[:, context].mean(dim=1)

    def each_query(attn, context, cols):
        """one number for each head: take the mean over the queries"""
        far = steps_between(attn.shape[1], context, cols).square().sum(dim=2).sqrt()
        return (attn * far).sum(dim=2)

    def numbers_in_one_line(attn, context, cols):
        """the difference of the patch numbers"""
        far = (torch.arange(attn.shape[1])[:, None] - context).abs().sqrt() ** 2
        return (attn * far).sum(dim=2).mean(dim=1)

    def first_head(attn, context, cols):
        """has the shape (1,), expected (2,)"""
        return mean_distance.with_cdist(attn[:1], context, cols)


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

    def overlap(predict, n):
        """passed"""
        return each_removed(predict, n, lambda after, before: 1 - torch.minimum(after, before).sum(dim=1))

    def at_the_best_guess(predict, n):
        """at the best guess alone"""

        def change(after, before):
            best = before.argmax(dim=1, keepdim=True)
            return (after - before).gather(1, best)[:, 0].abs()

        return each_removed(predict, n, change)

    def entropies(predict, n):
        """the change of the entropy"""

        def entropy(probs):
            return -(probs * probs.log()).sum(dim=1)

        return each_removed(predict, n, lambda after, before: (entropy(after) - entropy(before)).abs())

    def cosine(predict, n):
        """the cosine"""
        return each_removed(predict, n, lambda a, b: 1 - torch.cosine_similarity(a, b, dim=1))

    def replaced_by_the_first(predict, n):
        """is replaced by patch 0"""
        return each_removed(
            predict, n, half_of_changes, lambda every, j: torch.where(every == j, torch.zeros_like(every), every)
        )

    def own_row_left_out(predict, n):
        """has the shape (5, 4), expected (5, 5)"""
        effect = each_removed(predict, n, half_of_changes)
        return effect[~torch.eye(n, dtype=torch.bool)].view(n, n - 1)

    def diagonal_is_nan(predict, n):
        """holds NaN"""
        effect = each_removed(predict, n, half_of_changes)
        return effect.masked_fill(torch.eye(n, dtype=torch.bool), torch.nan)

    def lists(predict, n):
        """it returns a list, expected a tensor"""
        return each_removed(predict, n, half_of_changes).tolist()

    def two_removed(predict, n):
        """the values are wrong"""
        return each_removed(predict, n, half_of_changes, lambda every, j: every[(every != j) & (every != (j + 1) % n)])

    def only_those_before(predict, n):
        """only the patches before j"""
        return each_removed(predict, n, half_of_changes, lambda every, j: every[:j])

    def up_to(predict, n):
        """only the patches up to j"""
        return each_removed(predict, n, half_of_changes, lambda every, j: every[: j + 1])

    def next_patch(predict, n):
        """column j is patch j"""
        return each_removed(predict, n, half_of_changes).roll(1, dims=1)

    def squared_then_root(predict, n):
        """the root of the sum of squares"""
        return each_removed(predict, n, lambda after, before: (after - before).norm(dim=1))

    def compared_with_even(predict, n):
        """compare with the prediction for the full context"""
        return each_removed(predict, n, lambda after, before: (after - 1 / n).abs().sum(dim=1) / 2)

"""Right and wrong answers to the exercises of notebook 04."""

import math

import torch


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

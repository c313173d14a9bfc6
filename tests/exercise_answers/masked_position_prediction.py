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
        """not at row + p"""
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
        """the patch is always white"""
        return paint.with_where(images, patch, p, 1.0)

    def divided_by_p(images, patch, p, value):
        """a row holds W // p patches, not p: divide by W // p"""
        row, col = divmod(patch, p)
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def number_times_p(images, patch, p, value):
        """nothing is painted"""
        painted = images.clone()
        painted[:, :, patch * p : (patch + 1) * p, patch * p : (patch + 1) * p] = value
        return painted

    def returns_the_patch(images, patch, p, value):
        """the result has the shape (2, 3, 3, 3), expected (2, 3, 18, 15)"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p]

    def one_axis_early(images, patch, p, value):
        """axis 1 holds the channels: rows are axis 2, so begin with [:, :,"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def images_and_channels(images, patch, p, value):
        """nothing is painted"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def channels_last(images, patch, p, value):
        """axis 1 holds the channels: rows are axis 2, so begin with [:, :,"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, row * p : (row + 1) * p, col * p : (col + 1) * p, :] = value
        return painted

    def up_to_the_patch(images, patch, p, value):
        """all pixels up to the patch are painted"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, : (row + 1) * p, : (col + 1) * p] = value
        return painted

    def from_the_patch_on(images, patch, p, value):
        """all pixels from the patch on are painted"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row * p :, col * p :] = value
        return painted

    def from_the_bottom(images, patch, p, value):
        """patches are counted from the top left, not from the bottom right"""
        n = images.shape[2] // p * (images.shape[3] // p)
        row, col = divmod(n - 1 - patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def row_not_times_p(images, patch, p, value):
        """a row of patches is not a row of pixels: multiply the row by p"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row : row + p, col * p : (col + 1) * p] = value
        return painted

    def column_not_times_p(images, patch, p, value):
        """a column of patches is not a column of pixels: multiply the column by p"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col : col + p] = value
        return painted

    def width_in_pixels(images, patch, p, value):
        """a row holds W // p patches: W counts pixels"""
        row, col = divmod(patch, images.shape[3])
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def divmod_swapped(images, patch, p, value):
        """x and y are swapped: images are (b, c, H, W), rows before columns"""
        col, row = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def forgot_return(images, patch, p, value):
        """it returns None: is the return missing?"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value

    def zeros_elsewhere(images, patch, p, value):
        """the other pixels are not those of the image"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = torch.zeros_like(images)
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def first_patch_always(images, patch, p, value):
        """patch 0 is always painted"""
        painted = images.clone()
        painted[:, :, :p, :p] = value
        return painted

    def one_image_returned(images, patch, p, value):
        """the result has the shape (3, 18, 15), expected (2, 3, 18, 15)"""
        row, col = divmod(patch, images.shape[3] // p)
        painted = images[0].clone()
        painted[:, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted

    def patch_plus_one(images, patch, p, value):
        """patches are counted from 0: this is the next patch"""
        row, col = divmod(patch + 1, images.shape[3] // p)
        painted = images.clone()
        painted[:, :, row * p : (row + 1) * p, col * p : (col + 1) * p] = value
        return painted


def squared_distances(rows, cols, order="ij"):
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing=order)
    y, x = y.flatten(), x.flatten()
    return ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).float()


def squared(rows, cols, order="ij", sides=(1.0, 1.0)):
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing=order)
    return torch.cdist(*2 * [torch.stack((y.flatten() / sides[0], x.flatten() / sides[1]), dim=1)]) ** 2


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
        """not by 2 sigma squared"""
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

    def meshgrid_xy(rows, cols, sigma):
        """positions are counted row by row, not down the columns"""
        return (-squared(rows, cols, "xy") / sigma**2).softmax(1)

    def unit_square(rows, cols, sigma):
        """distances count patches, not parts of the image"""
        return (-squared(rows, cols, "ij", (rows - 1, cols - 1)) / sigma**2).softmax(1)

    def divided_by_sides(rows, cols, sigma):
        """distances count patches, not parts of the image"""
        return (-squared(rows, cols, "ij", (rows, cols)) / sigma**2).softmax(1)

    def four_axes(rows, cols, sigma):
        """the result has the shape (4, 8, 4, 8), expected (32, 32)"""
        return (-squared(rows, cols) / sigma**2).softmax(1).view(rows, cols, rows, cols)

    def double_precision(rows, cols, sigma):
        """the result is float64, expected float32"""
        return (-squared(rows, cols) / sigma**2).softmax(1).double()

    def sigma_outside_exp(rows, cols, sigma):
        """sigma is missing: divide the squared distance by sigma squared"""
        weights = (-squared(rows, cols)).exp() / sigma**2
        return weights / weights.sum(1, keepdim=True)

    def normal_density(rows, cols, sigma):
        """divide by sigma squared without a factor of 2, and each row by its own sum"""
        return (-squared(rows, cols) / (2 * sigma**2)).exp() / (sigma * math.sqrt(2 * math.pi))

    def normal_density_two(rows, cols, sigma):
        """divide each row by its own sum, not by the factor of a normal density"""
        return (-squared(rows, cols) / sigma**2).exp() / (sigma * math.sqrt(math.pi))

    def sum_without_keepdim(rows, cols, sigma):
        """the columns sum to 1, not the rows: sum over dim=1 with keepdim=True"""
        weights = (-squared(rows, cols) / sigma**2).exp()
        return weights / weights.sum(1)

    def softmax_dim0(rows, cols, sigma):
        """the columns sum to 1, not the rows: sum over dim=1 with keepdim=True"""
        return (-squared(rows, cols) / sigma**2).softmax(0)

    def rows_cols_swapped(rows, cols, sigma):
        """positions are counted row by row, not down the columns"""
        return (-squared(cols, rows) / sigma**2).softmax(1)

    def cube(rows, cols, sigma):
        """the distance is squared twice"""
        return (-(squared(rows, cols) ** 2) / sigma**2).softmax(1)

    def by_rows_index(rows, cols, sigma):
        """positions are counted row by row, not down the columns"""
        place = torch.arange(rows * cols)
        y, x = (place // rows, place % rows)
        exponent = -((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2).float() / sigma**2
        return exponent.softmax(1)

    def one_row_only(rows, cols, sigma):
        """the result has the shape (32,), expected (32, 32)"""
        return (-squared(rows, cols) / sigma**2).softmax(1)[0]

    def by_max(rows, cols, sigma):
        """the rows do not sum to 1: divide each by its sum"""
        weights = (-squared(rows, cols) / sigma**2).exp()
        return weights / weights.max()

    def divided_by_n(rows, cols, sigma):
        """divide each row by its own sum, not by the number of positions"""
        return (-squared(rows, cols) / sigma**2).exp() / (rows * cols)

    def torus(rows, cols, sigma):
        """the values are wrong"""
        place = torch.arange(rows * cols)
        y, x = (place // cols, place % cols)
        dy = (y[:, None] - y).abs()
        dx = (x[:, None] - x).abs()
        dy = torch.minimum(dy, rows - dy)
        dx = torch.minimum(dx, cols - dx)
        return (-(dy**2 + dx**2).float() / sigma**2).softmax(1)

    def one_over_distance(rows, cols, sigma):
        """1 / (1 + distance) is another curve"""
        weights = 1 / (1 + squared(rows, cols) / sigma**2)
        return weights / weights.sum(1, keepdim=True)

    def logits_table(rows, cols, sigma):
        """these are the exponents: take exp, and divide each row by its sum"""
        return -squared(rows, cols) / sigma**2

    def distances_table(rows, cols, sigma):
        """these are squared distances"""
        return squared(rows, cols)


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

    def first_k_features(layers, x, k, every):
        """it raises ValueError"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :, :k]
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return x

    def remainder_one(layers, x, k, every):
        """the context is renewed one layer late, or taken after the layer"""
        context = x[:, :k]
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 1:
                context = x[:, :k]
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return x

    def order_swapped(layers, x, k, every):
        """the attention comes first, then the feed-forward part"""
        for i, (feed_forward, attention) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x) + x
            x = feed_forward(x, context=context) + x
        return x

    def returns_in_loop(layers, x, k, every):
        """the result is returned after the first layer: return after the loop"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
            return x

    def returns_context(layers, x, k, every):
        """the result has the shape (2, 3, 8), expected (2, 6, 8)"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return context

    def returns_first_k(layers, x, k, every):
        """the result has the shape (2, 3, 8), expected (2, 6, 8)"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return x[:, :k]

    def skips_layers(layers, x, k, every):
        """layers between the renewals are left out"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
                x = attention(x, context=context) + x
                x = feed_forward(x) + x
        return x

    def residual_twice(layers, x, k, every):
        """x is added twice to the attention"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x + x
            x = feed_forward(x) + x
        return x

    def context_after_attention(layers, x, k, every):
        """the context is renewed in the middle of a layer, after its attention"""
        context = x[:, :k]
        for i, (attention, feed_forward) in enumerate(layers):
            x = attention(x, context=context) + x
            if i % every == 0:
                context = x[:, :k]
            x = feed_forward(x) + x
        return x

    def counter_from_one(layers, x, k, every):
        """the context is renewed one layer early"""
        context = x[:, :k]
        for i, (attention, feed_forward) in enumerate(layers, 1):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return x

    def depth_over_every(layers, x, k, every):
        """the context is renewed `every` times in all, not every `every` layers"""
        context = x[:, :k]
        for i, (attention, feed_forward) in enumerate(layers):
            if i % (len(layers) // every) == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return x

    def queries_only_hidden(layers, x, k, every):
        """the context tokens give no queries"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            y = x[:, k:]
            y = attention(y, context=context) + y
            y = feed_forward(y) + y
            x = torch.cat((x[:, :k], y), 1)
        return x

    def context_not_updated_in_x(layers, x, k, every):
        """the context tokens in x must change in every layer"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = torch.cat((context, (attention(x, context=context) + x)[:, k:]), 1)
            x = feed_forward(x) + x
        return x

    def parallel(layers, x, k, every):
        """the feed-forward part takes the tokens after the attention"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + feed_forward(x) + x
        return x

    def num_context(layers, x, k, every):
        """the context is renewed in every layer: use `every`"""
        for attention, feed_forward in layers:
            x = attention(x, num_context=k) + x
            x = feed_forward(x) + x
        return x

    def grows(layers, x, k, every):
        """the new context is added to the old one: replace it"""
        context = None
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k] if i == 0 else torch.cat((context, x[:, :k]), 1)
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return x

    def attention_added_to_first(layers, x, k, every):
        """the input of the first layer is added in every layer"""
        x0 = x
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:, :k]
            x = attention(x, context=context) + x0
            x = feed_forward(x) + x
        return x

    def first_of_batch_context(layers, x, k, every):
        """each image has a context of its own"""
        for i, (attention, feed_forward) in enumerate(layers):
            if i % every == 0:
                context = x[:1, :k].expand(len(x), -1, -1)
            x = attention(x, context=context) + x
            x = feed_forward(x) + x
        return x

"""Right and wrong answers to the exercises of notebook 09."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange


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
        """the other channels are 0"""
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

    def weighted_grey(images, channel):
        """a weighted mean of the channels"""
        weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
        return (images * weights).sum(dim=1, keepdim=True).expand_as(images)

    def largest(images, channel):
        """the largest of the channels"""
        return images.amax(dim=1, keepdim=True).expand_as(images)

    def two_others(images, channel):
        """the mean of the two other channels"""
        others = [c for c in range(3) if c != channel]
        return images[:, others].mean(dim=1, keepdim=True).expand_as(images)

    def one_image(images, channel):
        """this is one image"""
        return images[channel]

    def one_row(images, channel):
        """repeats one row of pixels"""
        return images[:, :, channel : channel + 1].expand_as(images)

    def blue(images, channel):
        """always blue"""
        return images[:, 2:].expand_as(images)

    def counted_from_one(images, channel):
        """counted from 1"""
        return images[:, [channel - 1] * 3]

    def next_channel(images, channel):
        """the next channel"""
        return images[:, [(channel + 1) % 3] * 3]

    def repeated_batch(images, channel):
        """repeats the batch"""
        return images[:, channel : channel + 1].repeat(3, 1, 1, 1)

    def nine_channels(images, channel):
        """there are nine channels"""
        return images.repeat(1, 3, 1, 1)

    def stacked_first(images, channel):
        """the new axis is the first one"""
        return torch.stack([images[:, channel]] * 3)

    def stacked_last(images, channel):
        """the new axis is the last one"""
        return torch.stack([images[:, channel]] * 3, dim=-1)

    def clamped(images, channel):
        """but black is -1"""
        return one_channel.expanded(images, channel).clamp(0, 1)

    def to_positive(images, channel):
        """scaled to [0, 1]"""
        return (one_channel.expanded(images, channel) + 1) / 2

    def rolled(images, channel):
        """the three channels are not equal"""
        return images.roll(-channel, dims=1)

    def unchanged(images, channel):
        """nothing has changed"""
        return images

    def double_precision(images, channel):
        """the result is float64, expected float32"""
        return one_channel.expanded(images, channel).double()

    def not_a_number(images, channel):
        """holds NaN"""
        return one_channel.expanded(images, channel) * math.nan

    def infinite(images, channel):
        """holds infinity"""
        return one_channel.expanded(images, channel) / 0

    def negative(images, channel):
        """the values are wrong"""
        return -one_channel.expanded(images, channel)


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
        """this is the inverse order"""
        back = order.argsort()
        return in_patches(images, patch_size, lambda patch: patch.flatten(2)[:, :, back].view(patch.shape))

    def down_the_columns(images, patch_size, order):
        """not down the columns"""
        return in_patches(images, patch_size, lambda patch: patch.mT.flatten(2)[:, :, order].view(patch.mT.shape).mT)

    def from_all_over(images, patch_size, order):
        """cut with (rows h), not (h rows)"""
        h, w = patch_size
        pixels = rearrange(images, "b c (h rows) (w cols) -> b c rows cols (h w)", h=h, w=w)[..., order]
        return rearrange(pixels, "b c rows cols (h w) -> b c (h rows) (w cols)", h=h, w=w)

    def unchanged(images, patch_size, order):
        """the pixels keep their order"""
        return images

    def channels_apart(images, patch_size, order):
        """the channels get different orders"""

        def change(patch):
            pixels = patch.flatten(2)
            return torch.stack([pixels[:, c, order.roll(c)] for c in range(3)], dim=1).view(patch.shape)

        return in_patches(images, patch_size, change)

    def cut_off(images, patch_size, order):
        """not put back into a picture"""
        h, w = patch_size
        return rearrange(images, "b c (rows h) (cols w) -> b c rows cols (h w)", h=h, w=w)[..., order]

    def in_place(images, patch_size, order):
        """changes its argument `images` in place"""
        images[:] = scramble.loop(images, patch_size, order)
        return images

    def unfolded(images, patch_size, order):
        """passed"""
        pixels = F.unfold(images, patch_size, stride=patch_size).unflatten(1, (images.shape[1], -1))
        return F.fold(pixels[:, :, order].flatten(1, 2), images.shape[2:], patch_size, stride=patch_size)

    def assigned(images, patch_size, order):
        """this is the inverse order"""

        def change(patch):
            result = torch.empty_like(patch.flatten(2))
            result[:, :, order] = patch.flatten(2)
            return result.view(patch.shape)

        return in_patches(images, patch_size, change)

    def down_the_columns_on_the_way_back(images, patch_size, order):
        """on the way back, the pixels are counted down the columns"""
        return in_patches(images, patch_size, lambda patch: patch.flatten(2)[:, :, order].view(patch.mT.shape).mT)

    def down_the_columns_on_the_way_there(images, patch_size, order):
        """on the way there, the pixels are counted down the columns"""
        return in_patches(images, patch_size, lambda patch: patch.mT.flatten(2)[:, :, order].view(patch.shape))

    def width_first(images, patch_size, order):
        """patch_size is (height, width)"""
        return scramble.loop(images, patch_size[::-1], order)

    def patches_moved(images, patch_size, order):
        """the patches are moved"""
        (h, w), cols = patch_size, images.shape[3] // patch_size[1]
        patches = rearrange(images, "b c (rows h) (cols w) -> b c (rows cols) h w", h=h, w=w)[:, :, order]
        return rearrange(patches, "b c (rows cols) h w -> b c (rows h) (cols w)", cols=cols)

    def rows_and_cols_exchanged(images, patch_size, order):
        """rows and cols are exchanged"""
        pixels = scramble.cut_off(images, patch_size, order)
        return rearrange(pixels, "b c rows cols (h w) -> b c (cols h) (rows w)", h=patch_size[0])

    def put_together_wrongly(images, patch_size, order):
        """pixels move to another patch"""
        pixels = scramble.cut_off(images, patch_size, order)
        return rearrange(pixels, "b c rows cols (h w) -> b c (h rows) (w cols)", h=patch_size[0])

    def reshaped(images, patch_size, order):
        """pixels move to another patch"""
        return images.reshape(*images.shape[:2], -1, len(order))[..., order].reshape(images.shape)

    def first_channel(images, patch_size, order):
        """only the first channel"""
        return torch.cat((scramble.loop(images[:, :1], patch_size, order), images[:, 1:]), dim=1)

    def first_image(images, patch_size, order):
        """only the first image"""
        return torch.cat((scramble.loop(images[:1], patch_size, order), images[1:]))

    def first_patch_everywhere(images, patch_size, order):
        """all patches are equal to the first one"""
        h, w = patch_size
        patch = scramble.loop(images, patch_size, order)[:, :, :h, :w]
        return patch.repeat(1, 1, images.shape[2] // h, images.shape[3] // w)

    def reversed_order(images, patch_size, order):
        """every patch keeps its pixels"""
        return scramble.loop(images, patch_size, order.flip(0))

    def one_further(images, patch_size, order):
        """every patch keeps its pixels"""
        return scramble.loop(images, patch_size, (order + 1) % len(order))

    def twice(images, patch_size, order):
        """every patch keeps its pixels"""
        return scramble.loop(images, patch_size, order[order])

    def own_order(images, patch_size, order):
        """nothing random is asked for"""
        return scramble.loop(images, patch_size, torch.randperm(len(order)))

    def averaged(images, patch_size, order):
        """each patch has one colour"""
        return in_patches(images, patch_size, lambda patch: patch.mean(dim=(2, 3), keepdim=True))

    def to_positive(images, patch_size, order):
        """but black is -1"""
        return scramble.loop(images, patch_size, order).clamp(0, 1)

    def negative(images, patch_size, order):
        """the values are wrong"""
        return -scramble.loop(images, patch_size, order)

    def not_a_number(images, patch_size, order):
        """holds NaN"""
        return scramble.loop(images, patch_size, order) * math.nan


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
        """the images are multiplied by the ramp"""
        return (images * torch.linspace(-strength, strength, images.shape[3])).clamp(-1, 1)

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

    def clamped_twice(images, strength):
        """passed"""
        return ramp.not_clamped(images, strength).clamp(max=1).clamp(min=-1)

    def clamped_above(images, strength):
        """clamped only above"""
        return ramp.not_clamped(images, strength).clamp(max=1)

    def clamped_below(images, strength):
        """clamped only below"""
        return ramp.not_clamped(images, strength).clamp(min=-1)

    def clamped_before(images, strength):
        """the sum is not clamped"""
        return ramp.not_clamped(images.clamp(-1, 1), strength)

    def clamped_to_strength(images, strength):
        """clamped to [-strength, strength]"""
        return ramp.not_clamped(images, strength).clamp(-strength, strength)

    def squeezed(images, strength):
        """squeezed by tanh"""
        return ramp.not_clamped(images, strength).tanh()

    def divided(images, strength):
        """divided by its largest value"""
        result = ramp.not_clamped(images, strength)
        return result / result.abs().max()

    def to_zero(images, strength):
        """end at strength"""
        return (images + torch.linspace(-strength, 0, images.shape[3])).clamp(-1, 1)

    def half(images, strength):
        """half as steep"""
        return ramp.by_columns(images, strength / 2)

    def twice(images, strength):
        """twice as steep"""
        return ramp.by_columns(images, strength * 2)

    def absolute(images, strength):
        """without abs()"""
        return (images + torch.linspace(-strength, strength, images.shape[3]).abs()).clamp(-1, 1)

    def in_bytes(images, strength):
        """multiplied by 255"""
        return ramp.by_columns(images, 255 * strength)

    def times_one_plus(images, strength):
        """multiplied by 1 + ramp"""
        return (images * (1 + torch.linspace(-strength, strength, images.shape[3]))).clamp(-1, 1)

    def mixed(images, strength):
        """the images are made weaker"""
        return ramp.by_columns((1 - strength) * images, strength)

    def start_missing(images, strength):
        """the left end is missing"""
        return (images + torch.linspace(-strength, strength, images.shape[3] + 1)[1:]).clamp(-1, 1)

    def centres(images, strength):
        """both ends are missing"""
        width = images.shape[3]
        return (images + ((2 * torch.arange(width) + 1) / width - 1) * strength).clamp(-1, 1)

    def constant(images, strength):
        """all columns get brighter by the same"""
        return (images + strength).clamp(-1, 1)

    def over_the_batch(images, strength):
        """over the images of the batch"""
        return (images + torch.linspace(-strength, strength, len(images)).view(-1, 1, 1, 1)).clamp(-1, 1)

    def over_all_pixels(images, strength):
        """over all pixels of an image"""
        slope = torch.linspace(-strength, strength, images[0, 0].numel())
        return (images + slope.view(images.shape[2:])).clamp(-1, 1)

    def diagonal(images, strength):
        """does not add the same in all pixels of a column"""
        down = torch.linspace(-strength, strength, images.shape[2])[:, None]
        return ((images + down / 2) + torch.linspace(-strength / 2, strength / 2, images.shape[3])).clamp(-1, 1)

    def first_channel(images, strength):
        """does not add the same in all pixels of a column"""
        return torch.cat((ramp.by_columns(images[:, :1], strength), images[:, 1:]), dim=1)

    def uneven(images, strength):
        """not evenly spaced"""
        return (images + strength * torch.linspace(-1, 1, images.shape[3]) ** 3).clamp(-1, 1)

    def alone(images, strength):
        """the ramp without the images"""
        return torch.linspace(-strength, strength, images.shape[3]).expand_as(images)

    def unchanged(images, strength):
        """nothing has changed"""
        return images.clone()

    def double_precision(images, strength):
        """the result is float64, expected float32"""
        return ramp.by_columns(images.double(), strength)

    def not_a_number(images, strength):
        """holds NaN"""
        return ramp.by_columns(images, strength) * math.nan

    def wrapped(images, strength):
        """the values are wrong"""
        return (ramp.not_clamped(images, strength) + 1) % 2 - 1

"""Exercises of notebook 09: one channel for all three, shuffled pixels inside patches, and a ramp of brightness."""

import torch
from einops import rearrange
from torch import Tensor

from .compare import must, name_mistake
from .harness import SafeFunction, checker, randn


@checker
def check_one_channel(your_function: SafeFunction) -> None:
    """All three channels are replaced by the chosen one."""
    images, channels = randn(3, 3, 6, 4), (0, 2, 1)
    results = [your_function(images, channel) for channel in channels]

    def three(one: Tensor) -> Tensor:
        return torch.stack((one, one, one), dim=1)

    def chosen(channel: int) -> Tensor:
        return torch.arange(3)[:, None, None] == channel

    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # of the usual grey, ITU-R BT.601
    mistakes = {
        "an axis is lost: the result must have three channels, all equal": lambda c: images[:, c],
        "there is one channel: the result must have three, all equal": lambda c: images[:, c : c + 1],
        "this is grey, the mean of the channels: take one of them": lambda c: three(images.mean(dim=1)),
        "this is grey, a weighted mean of the channels: take one of them": lambda c: three((images * weights).sum(1)),
        "this is the sum of the channels: take one of them": lambda c: three(images.sum(dim=1)),
        "this is the largest of the channels: take one of them": lambda c: three(images.amax(dim=1)),
        "this is the mean of the two other channels: take the chosen one": (
            lambda c: three((images.sum(dim=1) - images[:, c]) / 2)
        ),
        "the other channels are 0: they have to be the chosen one": lambda c: images * chosen(c),
        "the chosen channel is missing: keep that one, not the other two": lambda c: images * ~chosen(c),
        "the first axis is the batch: channels are the second": lambda c: images[c].expand(3, -1, -1, -1),
        "this is one image: channels are the second axis, `images[:, channel]`": lambda c: images[c],
        "this repeats one row of pixels: channels are the second axis, not the third": (
            lambda c: images[:, :, c : c + 1].expand(images.shape)
        ),
        "this repeats one column of pixels: channels are the second axis, not the last": (
            lambda c: images[..., c : c + 1].expand(images.shape)
        ),
        "this is always red: use `channel`": lambda c: three(images[:, 0]),
        "this is always green: use `channel`": lambda c: three(images[:, 1]),
        "this is always blue: use `channel`": lambda c: three(images[:, 2]),
        "the channels are counted from the end: 0 is red, 2 is blue": lambda c: three(images[:, 2 - c]),
        "the channels are counted from 1: 0 is red, 2 is blue": lambda c: three(images[:, c - 1]),
        "this is the next channel: 0 is red, 2 is blue": lambda c: three(images[:, (c + 1) % 3]),
        "this repeats the batch: repeat the second axis": lambda c: images[:, c : c + 1].repeat(3, 1, 1, 1),
        "this repeats the rows of pixels: repeat the second axis": lambda c: images[:, c : c + 1].repeat(1, 1, 3, 1),
        "there are nine channels: take the chosen one before you repeat it": lambda c: images.repeat(1, 3, 1, 1),
        "the new axis is the first one: channels are the second (dim=1)": lambda c: torch.stack([images[:, c]] * 3),
        "the new axis is the last one: channels are the second (dim=1)": lambda c: torch.stack([images[:, c]] * 3, -1),
        "the pixels are clamped to [0, 1], but black is -1": lambda c: three(images[:, c].clamp(0, 1)),
        "the pixels are scaled to [0, 1]: leave the values as they are": lambda c: three((images[:, c] + 1) / 2),
        "the values are divided by 3: leave them as they are": lambda c: three(images[:, c] / 3),
        "the result equals the images: nothing has changed": lambda c: images,
    }
    name_mistake(results, {text: [mistake(c) for c in channels] for text, mistake in mistakes.items()})
    for result, channel in zip(results, channels, strict=True):
        value = result.tensor((3, 3, 6, 4))
        must(torch.equal(value, value[:, [0, 0, 0]]), "the three channels are not equal: each must be the chosen one")
        result.must_be(three(images[:, channel]))


@checker
def check_scramble(your_function: SafeFunction) -> None:
    """In every patch and channel, pixel i becomes pixel order[i]; pixels are counted row by row."""
    usual = "b c (rows h) (cols w) -> b c rows cols (h w)"
    down = "b c (rows h) (cols w) -> b c rows cols (w h)"

    def moved(images: Tensor, size: tuple[int, int], order: Tensor, cut: str = usual, join: str | None = None):
        """The images with reordered pixels. ``cut`` and ``join`` are einops patterns for the way there and back."""
        left, right = (join or cut).split(" -> ")
        sizes = dict(h=size[0], w=size[1])
        grid = dict(rows=images.shape[2] // size[0], cols=images.shape[3] // size[1])
        return rearrange(rearrange(images, cut, **sizes)[..., order], f"{right} -> {left}", **sizes, **grid)

    def by_patch(images: Tensor, size: tuple[int, int], order: Tensor) -> Tensor:
        sizes, rows = dict(h=size[0], w=size[1]), images.shape[2] // size[0]
        patches = rearrange(images, "b c (rows h) (cols w) -> b c h w (rows cols)", **sizes)[..., order]
        return rearrange(patches, "b c h w (rows cols) -> b c (rows h) (cols w)", rows=rows)

    cases = []
    for size, rows, cols, seed in (((2, 3), 3, 2, 0), ((4, 2), 2, 4, 1), ((2, 2), 1, 4, 2)):
        order = randn(size[0] * size[1], seed=seed + 5).argsort()
        order = order.roll(1) if torch.equal(order, order.argsort()) else order
        cases.append((randn(2, 3, rows * size[0], cols * size[1], seed=seed), size, order))
    results, rights = [your_function(*case) for case in cases], [moved(*case) for case in cases]
    mistakes = {
        "this is the inverse order: pixel i must become pixel order[i], as in x[..., order]": (
            lambda images, size, order: moved(images, size, order.argsort())
        ),
        "pixels are counted row by row, not down the columns": (
            lambda images, size, order: moved(images, size, order, down)
        ),
        "on the way back, the pixels are counted down the columns: write (h w) both times": (
            lambda images, size, order: moved(images, size, order, usual, down)
        ),
        "on the way there, the pixels are counted down the columns: write (h w) both times": (
            lambda images, size, order: moved(images, size, order, down, usual)
        ),
        "height and width of a patch are exchanged: patch_size is (height, width)": (
            lambda images, size, order: moved(images, size[::-1], order)
        ),
        "a patch consists of neighbouring pixels: cut with (rows h), not (h rows)": (
            lambda images, size, order: moved(images, size, order, "b c (h rows) (w cols) -> b c rows cols (h w)")
        ),
        "the patches are moved, not the pixels inside them": by_patch,
        "the channels get different orders: use one order for all": (
            lambda images, size, order: torch.stack([moved(images, size, order.roll(c))[:, c] for c in range(3)], 1)
        ),
        "the patches are not put back into a picture: rearrange to (rows h) (cols w)": (
            lambda images, size, order: rearrange(images, usual, h=size[0], w=size[1])[..., order]
        ),
        "rows and cols are exchanged on the way back": lambda images, size, order: rearrange(
            rearrange(images, usual, h=size[0], w=size[1])[..., order],
            "b c rows cols (h w) -> b c (cols h) (rows w)",
            h=size[0],
        ),
        "all patches are equal to the first one: reorder each patch by itself": (
            lambda images, size, order: moved(images, size, order)[..., : size[0], : size[1]].repeat(
                1, 1, images.shape[2] // size[0], images.shape[3] // size[1]
            )
        ),
        "only the first channel is scrambled: all channels move together": (
            lambda images, size, order: torch.cat((moved(images, size, order)[:, :1], images[:, 1:]), dim=1)
        ),
        "only the first image is scrambled: scramble all images of the batch": (
            lambda images, size, order: torch.cat((moved(images, size, order)[:1], images[1:]))
        ),
        "each patch has one colour, the mean of its pixels: reorder the pixels": (
            lambda images, size, order: (
                torch.nn.functional.avg_pool2d(images, size).repeat_interleave(size[0], 2).repeat_interleave(size[1], 3)
            )
        ),
        "the pixels are clamped to [0, 1], but black is -1": (
            lambda images, size, order: moved(images, size, order).clamp(0, 1)
        ),
        "the pixels keep their order: use `order`": lambda images, size, order: images,
    }
    name_mistake(results, {text: [mistake(*case) for case in cases] for text, mistake in mistakes.items()})
    values = [result.tensor(tuple(right.shape)) for result, right in zip(results, rights, strict=True)]

    def same_pixels(cut: str) -> bool:
        """Whether all results hold the pixels of the images, in any order inside the last axis of ``cut``."""
        sorted_pixels = [
            [rearrange(x, cut, h=size[0], w=size[1]).sort().values for x in (value, images)]
            for value, (images, size, _) in zip(values, cases, strict=True)
        ]
        return all(torch.equal(value, images) for value, images in sorted_pixels)

    if not all(torch.allclose(value, right) for value, right in zip(values, rights, strict=True)):
        must(not same_pixels(usual), "every patch keeps its pixels, but not all of them are in the order x[..., order]")
        must(
            not same_pixels("b c (rows h) (cols w) -> b c (rows h cols w)"),
            "pixels move to another patch: cut with (rows h) (cols w), and put together with the same pattern",
        )
    for result, right in zip(results, rights, strict=True):
        result.must_be(right)


@checker
def check_ramp(your_function: SafeFunction) -> None:
    """Adds a ramp from -strength at the left to strength at the right, and clamps pixels to [-1, 1]."""
    linspace, cases = torch.linspace, []
    for (height, width), strength in (((5, 8), 0.5), ((6, 4), 0.25), ((4, 6), 1.0)):
        cases.append((0.6 * randn(2, 3, height, width).clamp(-1.6, 1.6), strength))
    results = [your_function(*case) for case in cases]

    def ramp(images: Tensor, strength: float) -> Tensor:
        return linspace(-strength, strength, images.shape[3])

    def plus(change):
        """The mistake that adds ``change(images, strength)``; the sum is clamped."""
        return lambda images, strength: (images + change(images, strength)).clamp(-1, 1)

    mistakes = {
        "it gets brighter from top to bottom: width is the last axis": plus(
            lambda x, s: linspace(-s, s, x.shape[2])[:, None]
        ),
        "it gets darker from left to right": plus(lambda x, s: -ramp(x, s)),
        "the sum is not clamped: pixels lie in [-1, 1]": lambda x, s: x + ramp(x, s),
        "the sum is clamped only above: pixels lie in [-1, 1]": lambda x, s: (x + ramp(x, s)).clamp(max=1),
        "the sum is clamped only below: pixels lie in [-1, 1]": lambda x, s: (x + ramp(x, s)).clamp(min=-1),
        "the pixels are clamped to [0, 1], but black is -1": lambda x, s: (x + ramp(x, s)).clamp(0, 1),
        "the sum is clamped to [-strength, strength]: pixels lie in [-1, 1]": lambda x, s: (x + ramp(x, s)).clamp(
            -s, s
        ),
        "the sum is squeezed by tanh: clamp it": lambda x, s: (x + ramp(x, s)).tanh(),
        "the sum is divided by its largest value: clamp it": lambda x, s: (
            (x + ramp(x, s)) / (x + ramp(x, s)).abs().max()
        ),
        "the left half does not change: the ramp begins at -strength": plus(lambda x, s: ramp(x, s).clamp(min=0)),
        "both sides get brighter: the left side gets darker, without abs()": plus(lambda x, s: ramp(x, s).abs()),
        "the ramp goes from 0 to strength: begin at -strength": plus(lambda x, s: linspace(0, s, x.shape[3])),
        "the ramp goes from -strength to 0: end at strength": plus(lambda x, s: linspace(-s, 0, x.shape[3])),
        "the ramp goes from -1 to 1: use `strength`": plus(lambda x, s: ramp(x, 1)),
        "the ramp is half as steep: it goes from -strength to strength": plus(lambda x, s: ramp(x, s / 2)),
        "the ramp is twice as steep: it goes from -strength to strength": plus(lambda x, s: ramp(x, 2 * s)),
        "the ramp is multiplied by 255: pixels lie in [-1, 1], not in [0, 255]": plus(lambda x, s: 255 * ramp(x, s)),
        "the images are multiplied by the ramp: add it": lambda x, s: (x * ramp(x, s)).clamp(-1, 1),
        "the images are multiplied by 1 + ramp: add the ramp": lambda x, s: (x * (1 + ramp(x, s))).clamp(-1, 1),
        "the images are made weaker: add the ramp to the images as they are": plus(lambda x, s: ramp(x, s) - s * x),
        "the right end is missing: linspace reaches strength in the last column": plus(
            lambda x, s: linspace(-s, s, x.shape[3] + 1)[:-1]
        ),
        "the left end is missing: linspace begins with -strength in the first column": plus(
            lambda x, s: linspace(-s, s, x.shape[3] + 1)[1:]
        ),
        "both ends are missing: the first column gets -strength and the last one strength": plus(
            lambda x, s: ramp(x, s) * (1 - 1 / x.shape[3])
        ),
        "all columns get brighter by the same: add a ramp": plus(lambda x, s: s),
        "all columns get darker by the same: add a ramp": plus(lambda x, s: -s),
        "the ramp goes over the images of the batch: width is the last axis": plus(
            lambda x, s: linspace(-s, s, len(x))[:, None, None, None]
        ),
        "the ramp goes over the channels: width is the last axis": plus(
            lambda x, s: linspace(-s, s, x.shape[1])[:, None, None]
        ),
        "the ramp goes over all pixels of an image: it has to be the same in every row": plus(
            lambda x, s: linspace(-s, s, x[0, 0].numel()).view(x.shape[2:])
        ),
        "this is the ramp without the images: add it to them": lambda x, s: ramp(x, s).expand(x.shape),
        "this is the ramp alone: add it to the images": ramp,
        "the result equals the images: nothing has changed": lambda x, s: x,
    }
    name_mistake(results, {text: [mistake(*case) for case in cases] for text, mistake in mistakes.items()})
    for result, (images, strength) in zip(results, cases, strict=True):
        value, right = result.tensor(tuple(images.shape)), (images + ramp(images, strength)).clamp(-1, 1)
        if not torch.allclose(value, right, atol=1e-5):
            inside = (right.abs() < 1) & (value.abs() < 1)  # neither result is clamped here
            added = (value - images).masked_fill(~inside, torch.nan)
            column = added.nanmean(dim=(0, 1, 2))  # what each column gets
            must(
                bool(((added - column).abs() < 1e-4)[inside].all()),
                "it does not add the same in all pixels of a column: all images, channels and rows get the same ramp",
            )
            must(
                torch.allclose(column, ramp(images, strength), atol=1e-4, equal_nan=True),
                "the ramp is the same in every row, but not evenly spaced from -strength to strength: use linspace",
            )
        result.must_be(right)

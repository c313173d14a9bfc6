"""Exercises of notebook 09: one channel for all three, shuffled pixels inside patches, and a ramp of brightness."""

import torch
from einops import rearrange
from torch import Tensor

from .harness import SafeFunction, checker, randn


@checker
def check_one_channel(your_function: SafeFunction) -> None:
    """All three channels are replaced by the chosen one."""
    images = randn(3, 3, 6, 4)

    def repeat_channel(one: Tensor) -> Tensor:
        return torch.stack((one, one, one), dim=1)

    for channel in (0, 2, 1):
        mistakes = {
            "an axis is lost: the result has three channels, all equal": images[:, channel],
            "there is one channel: the result has three, all equal": images[:, channel : channel + 1],
            "this is grey, the mean of the channels: take one of them": repeat_channel(images.mean(dim=1)),
            "the other channels are black: they have to be the chosen one": (
                images * (torch.arange(3) == channel)[:, None, None]
            ),
            "the chosen channel is missing: keep that one, not the other two": (
                images * (torch.arange(3) != channel)[:, None, None]
            ),
            "the first axis is the batch: channels are the second": images[channel].expand(3, -1, -1, -1),
            "this is always red: use `channel`": repeat_channel(images[:, 0]),
            "the channels are counted from the end: 0 is red, 2 is blue": repeat_channel(images[:, 2 - channel]),
            "nothing has changed": images,
        }
        your_function(images, channel).must_be(repeat_channel(images[:, channel]), mistakes)


@checker
def check_scramble(your_function: SafeFunction) -> None:
    """In every patch and channel, pixel i becomes pixel order[i]; pixels are counted row by row."""
    for (h, w), rows, cols, seed in (((2, 3), 3, 2, 0), ((4, 2), 2, 3, 1), ((2, 2), 1, 4, 2)):
        images = randn(2, 3, rows * h, cols * w, seed=seed)
        order = randn(h * w, seed=seed + 5).argsort()
        order = order.roll(1) if torch.equal(order, order.argsort()) else order

        def moved(cut: str, order: Tensor, h=h, w=w, images=images) -> Tensor:
            """The images with reordered pixels; the einops pattern ``cut`` says how patches are cut and counted."""
            pixels = rearrange(images, cut, h=h, w=w)[..., order]
            there, here = cut.split(" -> ")
            return rearrange(pixels, f"{here} -> {there}", h=h, w=w)

        usual = "b c (rows h) (cols w) -> b c rows cols (h w)"
        of_patches = randn(rows * cols, seed=seed).argsort()
        patches = rearrange(images, "b c (rows h) (cols w) -> b c h w (rows cols)", h=h, w=w)[..., of_patches]
        own = torch.stack([moved(usual, order.roll(c))[:, c] for c in range(3)], dim=1)
        mistakes = {
            "this is the way back: pixel i becomes pixel order[i], x[..., order]": moved(usual, order.argsort()),
            "pixels are counted row by row, not down the columns": (
                moved("b c (rows h) (cols w) -> b c rows cols (w h)", order)
            ),
            "these are no patches, but pixels from all over the picture: (rows h), not (h rows)": (
                moved("b c (h rows) (w cols) -> b c rows cols (h w)", order)
            ),
            "the patches are moved, not the pixels inside them": rearrange(
                patches, "b c h w (rows cols) -> b c (rows h) (cols w)", rows=rows
            ),
            "the channels move apart: one order for all": own,
            "the pixels keep their order: use `order`": images,
        }
        your_function(images, (h, w), order).must_be(moved(usual, order), mistakes)


@checker
def check_ramp(your_function: SafeFunction) -> None:
    """Adds a ramp from -strength at the left to strength at the right, and clamps pixels to [-1, 1]."""
    for (height, width), strength in (((5, 8), 0.5), ((6, 4), 0.25), ((4, 6), 1.0)):
        images = 0.6 * randn(2, 3, height, width).clamp(-1.6, 1.6)
        slope = torch.linspace(-strength, strength, width)
        down = torch.linspace(-strength, strength, height)[:, None]
        mistakes = {
            "it gets brighter from top to bottom: width is the last axis": (images + down).clamp(-1, 1),
            "it gets darker from left to right": (images - slope).clamp(-1, 1),
            "the sum is not clamped: pixels lie in [-1, 1]": images + slope,
            "the ramp begins at 0, not at -strength": (images + slope.clamp(min=0)).clamp(-1, 1),
            "the ramp goes from 0 to strength, not from -strength": (
                (images + torch.linspace(0, strength, width)).clamp(-1, 1)
            ),
            "the ramp goes from -1 to 1: use `strength`": (images + torch.linspace(-1, 1, width)).clamp(-1, 1),
            "the ramp is multiplied: add it": (images * slope).clamp(-1, 1),
            "the right end is missing: linspace reaches strength in the last column": (
                (images + torch.linspace(-strength, strength, width + 1)[:-1]).clamp(-1, 1)
            ),
            "all columns get brighter by the same": (images + strength).clamp(-1, 1),
            "the pixels are clamped to [0, 1], but black is -1": (images + slope).clamp(0, 1),
        }
        your_function(images, strength).must_be((images + slope).clamp(-1, 1), mistakes)

"""Exercises of notebook 10: epochs that fit into a time, a mean over processes, and the largest batch."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from .compare import judge
from .harness import SafeFunction, checker

EPOCHS = (  # hours, images, operations an image, operations a second
    (10.0, 70, 3e9, 1e11),
    (24.0, 1_281_167, 1.5e10, 1.1e14),
    (2.5, 40_000, 2e8, 9e9),
    (0.001, 50_000, 1e9, 1e9),  # less than one epoch
)
BATCHES = (  # bytes of memory, of the network's state, of an image, and the number of processes
    (1000, 300, 40, 4),
    (24_000, 7_000, 900, 8),
    (500, 100, 100, 3),
    (200, 260, 10, 2),  # not even the network fits
)


def judge_cases(
    your_function: SafeFunction, cases: Sequence[tuple], right: Callable, mistakes: Mapping[str, Callable]
) -> None:
    """End the check with the mistake that explains the results of all cases, or with the first wrong result.

    right, mistakes: functions of a case. A mistake has its sentence as the key.
    """
    results = [your_function(*case) for case in cases]
    judge(
        results,
        [right(*case) for case in cases],
        {sentence: [of(*case) for case in cases] for sentence, of in mistakes.items()},
    )


@checker
def check_epochs_that_fit(your_function: SafeFunction) -> None:
    """Whole epochs: the operations that the time allows, divided by those of an epoch."""
    mistakes = {
        "round down: one epoch more would take longer than the hours": lambda h, n, f, s: math.ceil(
            h * 3600 * s / (n * f)
        ),
        "an hour has 3600 seconds, not 60": lambda h, n, f, s: int(h * 60 * s / (n * f)),
        "the hours are taken for seconds: an hour has 3600": lambda h, n, f, s: int(h * s / (n * f)),
        "the number of images is not counted: an epoch is all images": lambda h, n, f, s: int(h * 3600 * s / f),
        "the operations of an image are not counted": lambda h, n, f, s: int(h * 3600 * s / n),
        "the speed is not counted": lambda h, n, f, s: int(h * 3600 / (n * f)),
        "this is the inverse: divide the operations of the time by those of an epoch": lambda h, n, f, s: int(
            n * f / (h * 3600 * s)
        ),
        "flops counts the backward pass already: do not count it again": lambda h, n, f, s: int(
            h * 3600 * s / (3 * n * f)
        ),
        "round once, at the end: here the seconds of an epoch are rounded before": lambda h, n, f, s: int(
            h * 3600 // math.ceil(n * f / s)
        ),
        "this is one epoch too few": lambda h, n, f, s: int(h * 3600 * s / (n * f)) - 1,
        "if the time is too short for one epoch, the result is 0, not 1": lambda h, n, f, s: max(
            1, int(h * 3600 * s / (n * f))
        ),
        "this is not a whole number of epochs: round down": lambda h, n, f, s: h * 3600 * s / (n * f),
        "this is the number of seconds of an epoch": lambda h, n, f, s: n * f / s,
    }
    judge_cases(your_function, EPOCHS, lambda h, n, f, s: int(h * 3600 * s / (n * f)), mistakes)


@checker
def check_mean_over_images(your_function: SafeFunction) -> None:
    """The mean of the losses weighted by the counts; a process without images does not matter."""
    losses, counts = torch.tensor([2.5, 1.0, 0.5, 3.0]), torch.tensor([8, 8, 7, 3])
    weighted = losses * counts
    mistakes = {
        "this is the plain mean of the losses: processes with more images weigh more": losses.mean(),
        "this is the sum of all losses over images: divide by the number of images": weighted.sum(),
        "divide by the number of images, not by the number of processes": weighted.sum() / len(counts),
        "these are the weighted losses of each process: add them, and divide by the number of images": weighted
        / counts.sum(),
        "these are the sums of each process: add them, and divide by the number of images": weighted,
        "the weights are 1 / counts here: multiply each loss by its count": (losses / counts).sum()
        / (1 / counts).sum(),
        "multiply the losses by the counts, do not divide": (losses / counts).sum(),
        "this divides as if each process had the largest count: divide by the number of images": weighted.sum()
        / (counts.max() * len(counts)),
        "this is the sum of the losses": losses.sum(),
        "this is the loss of the main process alone": losses[0],
        "this is the median of the losses": losses.median(),
        "the counts are squared: weigh by the count once": (losses * counts**2).sum() / (counts**2).sum(),
        "this is the largest loss": losses.max(),
        "the weights are a softmax of the counts: use counts / counts.sum()": (
            losses * counts.float().softmax(dim=0)
        ).sum(),
    }
    your_function(losses, counts).must_be(weighted.sum() / counts.sum(), mistakes)
    losses, counts = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([4, 0, 12])
    sums = losses * counts
    empty = {
        "a process without images must not count in the mean": sums.sum() / (counts.sum() + 1),
        "with a process without images the plain mean is taken": losses.mean(),
    }
    your_function(losses, counts).must_be(sums.sum() / counts.sum(), empty)


@checker
def check_largest_batch(your_function: SafeFunction) -> None:
    """The whole number of images that fit beside the network, times the number of processes, at least 0."""
    mistakes = {
        "if not even the network fits, the result is 0, not a negative number": lambda m, s, i, p: p * ((m - s) // i),
        "count the images of all GPUs, not of one": lambda m, s, i, p: max(0, (m - s) // i),
        "the network is not counted: it takes memory on each GPU": lambda m, s, i, p: p * (m // i),
        "each GPU has a copy of the network: here all share one": lambda m, s, i, p: max(0, (p * m - s) // i),
        "round down on each GPU: each has a whole number of images": lambda m, s, i, p: max(0, p * (m - s) // i),
        "round down: one image more does not fit": lambda m, s, i, p: p * max(0, -(-(m - s) // i)),
        "each GPU has its own memory: it is not shared by all": lambda m, s, i, p: p * max(0, (m // p - s) // i),
        "the images of one GPU are divided by the processes: multiply": lambda m, s, i, p: max(0, (m - s) // i) // p,
        "the memory of the network is added to that of the GPU: subtract it": lambda m, s, i, p: p * ((m + s) // i),
        "the network is counted as one more image: subtract its memory": lambda m, s, i, p: p * max(0, m // i - 1),
        "the network is counted with every image: it is there once on each GPU": lambda m, s, i, p: p * (m // (s + i)),
        "this is the memory that is left, not a number of images": lambda m, s, i, p: p * max(0, m - s),
        "this is at least 1: it must be 0 if no image fits": lambda m, s, i, p: p * max(1, (m - s) // i),
        "one image less than fits on each GPU": lambda m, s, i, p: p * max(0, (m - s) // i - 1),
        "this is not a whole number of images: round down on each GPU": lambda m, s, i, p: p * max(0, (m - s) / i),
        "if not even the network fits, the result is 0, without abs()": lambda m, s, i, p: abs(p * ((m - s) // i)),
    }
    judge_cases(your_function, BATCHES, lambda m, s, i, p: p * max(0, (m - s) // i), mistakes)

"""Exercises of notebook 05: accuracy by size of the context, accuracy after equal time, and a crop that leaks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .compare import Finding, Result, must
from .harness import SafeFunction, checker


def logged(seconds: list[float], accuracies: list[float]) -> list[dict]:
    """A history in the format of ``pretrain``: one dictionary for each epoch."""
    return [
        {
            "epoch": epoch,
            "loss": 2.8 - accuracy,
            "seconds": s,
            "test_accuracy": {"0.75": accuracy, "0.5": 1.2 * accuracy, "0.0": 1.5 * accuracy + 0.01 * epoch},
            "test_loss": {"0.75": 2.9 - accuracy, "0.5": 2.7 - accuracy, "0.0": 2.6 - accuracy},
        }
        for epoch, (s, accuracy) in enumerate(zip(seconds, accuracies, strict=True), 1)
    ]


def read_from(your_function: SafeFunction, *args) -> Result:
    """Call the function. If it looks up a mask ratio as a number instead of a string, the ``Finding`` says so."""
    try:
        return your_function(*args)
    except Finding as finding:
        must("KeyError (0" not in str(finding), f"the keys are strings: '0.0', '0.75'; {finding}")
        raise


@checker
def check_growth(your_function: SafeFunction) -> None:
    """The quotient of the accuracy at mask ratio 0 and that at mask ratio 0.75."""
    for line in logged([10.0, 11.0, 9.0], [0.15, 0.21, 0.3]):
        accuracy, loss = line["test_accuracy"], line["test_loss"]
        hidden, visible = accuracy["0.75"], accuracy["0.0"]
        mistakes = {
            "the fraction is upside down: by which factor does accuracy grow from ratio 0.75 to 0?": hidden / visible,
            "this is the difference: the factor is a quotient": visible - hidden,
            "this is the growth up to ratio 0.5: go to 0": accuracy["0.5"] / hidden,
            "these are losses: the question is about test_accuracy": loss["0.0"] / loss["0.75"],
            "the start is ratio 0.75, not 0.5": visible / accuracy["0.5"],
            "this is the growth in per cent: the factor is the quotient itself": 100 * (visible / hidden - 1),
            "a factor of 1 means no growth: nothing to subtract": visible / hidden - 1,
        }
        read_from(your_function, line).must_be(visible / hidden, mistakes)


@checker
def check_accuracy_after(your_function: SafeFunction) -> None:
    """The accuracy at mask ratio 0.75 after the last epoch that ended within the given seconds."""
    history = logged([10.0, 12.0, 8.0, 11.0, 30.0], [0.12, 0.31, 0.25, 0.27, 0.4])
    accuracies = [line["test_accuracy"]["0.75"] for line in history]
    ends = [10.0, 22.0, 30.0, 41.0, 71.0]
    for seconds in (24.0, 35.0, 41.0, 10.0, 99.0):
        done = sum(end <= seconds for end in ends)
        within_one = [a for a, line in zip(accuracies, history, strict=True) if line["seconds"] <= seconds]
        other = history[done - 1]["test_accuracy"]
        mistakes = {
            "this is the next epoch, which had not ended: the sum of all seconds up to there is too large": (
                accuracies[min(done, 4)]
            ),
            "`seconds` counts one epoch, not all since the start: add them up": within_one[-1],
            "this is the last epoch of all: stop when the time is over": accuracies[-1],
            "this is the best accuracy so far: take the last": max(accuracies[:done]),
            "this is ratio 0: the accuracy at ratio 0.75 is asked": other["0.0"],
            "an epoch that ends exactly then has ended": accuracies[max(sum(end < seconds for end in ends) - 1, 0)],
            "this is the first epoch": accuracies[0],
            "this is the number of epochs: what accuracy was reached?": done,
        }
        read_from(your_function, history, seconds).must_be(accuracies[done - 1], mistakes)


@checker
def check_padded_crop(your_function: SafeFunction) -> None:
    """Images as floats in [-1, 1], padded with black, each cropped to its old size at its own random position."""
    height, width, pad = 6, 4, 1
    pixels = torch.Generator().manual_seed(0)
    images = torch.randint(60, 256, (400, 3, height, width), generator=pixels, dtype=torch.uint8)

    def draw(seed: int) -> Tensor:
        return your_function(images, pad, torch.Generator().manual_seed(seed)).tensor((400, 3, height, width))

    def places(scaled: Tensor, frame: float) -> Tensor | None:
        """The position, (row, column) among 3 x 3, of each crop in the padded image; None if any crop is not found."""
        framed = F.pad(scaled, (pad, pad, pad, pad), value=frame)
        windows = framed.unfold(2, height, 1).unfold(3, width, 1)  # (b, c, 3, 3, height, width)
        fits = (windows - crops[:, :, None, None]).abs().amax(dim=(1, 4, 5)).flatten(1) < 1e-4
        place = fits.float().argmax(dim=1)
        return torch.stack((place // 3, place % 3), dim=1) if fits.any(dim=1).all() else None

    crops = draw(0)
    found = places(images / 127.5 - 1, -1)
    mistakes = {
        "the frame is grey: black is -1 once the pixels are scaled": places(images / 127.5 - 1, 0) is not None,
        "the pixels are not scaled to [-1, 1]: use to_float": places(images.float(), 0) is not None,
        "the pixels are scaled to [0, 1], not to [-1, 1]: use to_float": places(images / 255, 0) is not None,
        "the border is mirrored or repeated, not black: fill the frame with -1": float(crops.min()) > -1,
    }
    must(found is not None, "the crops are not cut out of the picture in a black frame", mistakes)
    drawn = {tuple(place) for place in found.tolist()}
    must(drawn != {(1, 1)}, "every crop is the picture itself: cut at random places")
    must(len(drawn) > 1, "all images are cut at one place: draw a place for each")
    must(
        (found == 2).any(dim=0).all(), "the last place is never drawn: randint leaves its upper end out, so 2 * pad + 1"
    )
    must((found == 0).any(dim=0).all(), "the first place is never drawn: begin at 0")
    must(len(drawn) == 9, "some places never occur: draw row and column apart, each from 0 to 2 * pad")
    must(torch.equal(crops, draw(0)), "the same seed gives other crops: draw from the generator alone")
    must(not torch.equal(crops, draw(1)), "another seed gives the same crops: draw from the generator")

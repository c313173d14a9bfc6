"""Exercises of notebook 05: the growth of the accuracy, accuracy after equal time, and a crop that leaks."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .compare import Finding, Result, by_sentence, judge, must
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
        must(
            "KeyError (-1)" not in str(finding),
            f"`line` is the dictionary of one epoch, not the list of all; {finding}",
        )
        must("KeyError" not in str(finding), f"the keys are strings: '0.0', '0.75'; {finding}")
        must("not subscriptable" not in str(finding), f"the accuracies are in line['test_accuracy']; {finding}")
        raise


@checker
def check_growth(your_function: SafeFunction) -> None:
    """The quotient of the accuracy at mask ratio 0 and that at mask ratio 0.75."""
    shrinking = logged([12.0], [0.25])  # the accuracy may fall, too
    shrinking[0]["test_accuracy"] |= {"0.5": 0.22, "0.0": 0.19}
    results, rights, mistakes = [], [], []
    for line in logged([10.0, 11.0, 9.0], [0.15, 0.21, 0.3]) + shrinking:
        accuracy, loss = line["test_accuracy"], line["test_loss"]
        hidden, visible = accuracy["0.75"], accuracy["0.0"]
        mistakes.append({
            "this is the growth in percentage points: the factor is a quotient": 100 * (visible - hidden),
            "do not subtract chance: divide the accuracies themselves": (
                (visible - 1 / 16) / (hidden - 1 / 16)
            ),
            "divide by the accuracy at ratio 0.75, not by the mean": visible / (sum(accuracy.values()) / len(accuracy)),
            "the numerator is an accuracy and the denominator a loss: take both from test_accuracy": (
                visible / loss["0.75"]
            ),
            "the difference is divided by the mask ratio: the factor is a quotient of accuracies": (
                (visible - hidden) / 0.75
            ),
            "the factor is rounded to a whole number: return it as it is": round(visible / hidden),
            "the factor is rounded to three decimals: return it as it is": round(visible / hidden, 3),
            "this is the difference, without its sign: the factor is a quotient": abs(visible - hidden),
            "it divides the largest accuracy by the smallest, but the accuracy may fall: take '0.0' and '0.75'": (
                max(accuracy.values()) / min(accuracy.values())
            ),
            "the fraction is upside down: by which factor does accuracy grow from ratio 0.75 to 0?": hidden / visible,
            "this is the difference: the factor is a quotient": visible - hidden,
            "this is the growth up to ratio 0.5: go to 0": accuracy["0.5"] / hidden,
            "these are losses: the question is about test_accuracy": loss["0.0"] / loss["0.75"],
            "the start is ratio 0.75, not 0.5": visible / accuracy["0.5"],
            "this is the growth in per cent: the factor is the quotient itself": 100 * (visible / hidden - 1),
            "a factor of 1 means no growth: do not subtract 1": visible / hidden - 1,
            "this is the factor in per cent: leave out the 100": 100 * visible / hidden,
            "these are shares of wrong patches: divide the accuracies themselves": (1 - hidden) / (1 - visible),
            "these are shares of wrong patches, upside down: divide the accuracies themselves": (1 - visible)
            / (1 - hidden),
            "this is the logarithm of the factor": math.log(visible / hidden),
            "the accuracies are added: divide them": visible + hidden,
            "the accuracies are multiplied: divide them": visible * hidden,
            "these are losses, upside down: the question is about test_accuracy": loss["0.75"] / loss["0.0"],
            "the factor is rounded to one decimal: return it as it is": round(visible / hidden, 1),
            "the factor is rounded to two decimals: return it as it is": round(visible / hidden, 2),
            "// rounds down: divide with /": visible // hidden,
            "this is the accuracy at ratio 0: divide it by that at ratio 0.75": visible,
            "this is the accuracy at ratio 0.75: divide that at ratio 0 by it": hidden,
            "divide by the accuracy at ratio 0.75": (visible - hidden) / visible,
        })  # fmt: skip
        rights.append(visible / hidden)
        results.append(read_from(your_function, line))
    judge(results, rights, by_sentence(mistakes))


def between(seconds: float, ends: list[float], accuracies: list[float]) -> float:
    """The accuracy at ``seconds``, on straight lines between the ends of the epochs."""
    return float(np.interp(seconds, ends, accuracies))


@checker
def check_accuracy_after(your_function: SafeFunction) -> None:
    """The accuracy at mask ratio 0.75 after the last epoch that ended within the given seconds."""
    history = logged([10.0, 12.0, 8.0, 11.0, 50.0, 6.0, 60.0], [0.1217, 0.3142, 0.2061, 0.2538, 0.2749, 0.3327, 0.4013])
    accuracies = [line["test_accuracy"]["0.75"] for line in history]
    ends = [10.0, 22.0, 30.0, 41.0, 91.0, 97.0, 157.0]
    mean = ends[-1] / len(ends)
    results, rights, mistakes = [], [], []
    for seconds in (45.0, 88.0, 41.0, 12.0, 199.0):
        done = sum(end <= seconds for end in ends)
        within_one = [a for a, line in zip(accuracies, history, strict=True) if line["seconds"] <= seconds]
        other, other_loss = history[done - 1]["test_accuracy"], history[done - 1]["test_loss"]
        by_length = {length: accuracies[max(0, min(int(seconds // length), len(ends)) - 1)] for length in (10.0, mean)}
        mistakes.append({
            "epochs do not all take as long as the first: add up the seconds of each": by_length[10.0],
            "epochs do not all take as long as their mean: add up the seconds of each": by_length[mean],
            "this is the gain since the first epoch: what accuracy was reached?": accuracies[done - 1] - accuracies[0],
            "this is the accuracy per second: do not divide by the seconds": accuracies[done - 1] / ends[done - 1],
            "the accuracy is rounded to one decimal: return it as it is": round(accuracies[done - 1], 1),
            "the accuracy is rounded to two decimals: return it as it is": round(accuracies[done - 1], 2),
            "this is the next epoch, which had not ended: the sum of all seconds up to there is too large": (
                accuracies[min(done, len(ends) - 1)]
            ),
            "`seconds` counts one epoch, not all since the start: add them up": within_one[-1],
            "this is the last epoch of all: take epochs that have ended, and stop when the time is over": accuracies[
                -1
            ],
            "this is the best accuracy so far: take the last": max(accuracies[:done]),
            "this is ratio 0: the accuracy at ratio 0.75 is asked": other["0.0"],
            "an epoch that ends exactly then has ended": accuracies[max(sum(end < seconds for end in ends) - 1, 0)],
            "this is the first epoch": accuracies[0],
            "this is the number of epochs: what accuracy was reached?": done,
            "this is the mean over the epochs so far: take the last": sum(accuracies[:done]) / done,
            "this is the sum over the epochs so far: take the last": sum(accuracies[:done]),
            "this is the accuracy in per cent: leave out the 100": 100 * accuracies[done - 1],
            "this is a loss: the question is about test_accuracy": other_loss["0.75"],
            "this is the training loss: the question is about test_accuracy": history[done - 1]["loss"],
            "this is ratio 0.5: the accuracy at ratio 0.75 is asked": other["0.5"],
            "these are seconds: what accuracy was reached?": ends[done - 1],
            "this is the epoch before: the last that has ended counts": accuracies[max(done - 2, 0)],
            "this is the epoch that ends nearest to the time: it may not have ended": (
                min(zip((abs(end - seconds) for end in ends), accuracies, strict=True))[1]
            ),
            "this lies between two epochs: take the last that has ended": between(seconds, ends, accuracies),
        })  # fmt: skip
        rights.append(accuracies[done - 1])
        results.append(read_from(your_function, history, seconds))
    judge(results, rights, by_sentence(mistakes))


def cut_from(pixels: Tensor, crops: Tensor, pad: int, mode: str = "constant") -> bool:
    """Whether each crop is a window of its image in a frame of ``pad`` pixels: black, or of another ``mode``."""
    framed = F.pad(pixels, (pad, pad, pad, pad), mode=mode, value=-1.0 if mode == "constant" else None)
    windows = framed.unfold(2, crops.shape[2], 1).unfold(3, crops.shape[3], 1)
    return bool(((windows - crops[:, :, None, None]).abs().amax(dim=(1, 4, 5)) < 1e-4).flatten(1).any(dim=1).all())


def cut_from_any(pixels: Tensor, crop: Tensor, pad: int) -> bool:
    """Whether a crop is a window of any of the images in a black frame of ``pad`` pixels."""
    framed = F.pad(pixels, (pad, pad, pad, pad), value=-1)
    windows = framed.unfold(2, crop.shape[1], 1).unfold(3, crop.shape[2], 1)
    return bool(((windows - crop[None, :, None, None]).abs().amax(dim=(1, 4, 5)) < 1e-4).any())


@checker
def check_padded_crop(your_function: SafeFunction) -> None:
    """Images as floats in [-1, 1], padded with black, each cropped to its old size at its own random position."""
    height, width, pad = 6, 4, 1
    source = torch.Generator().manual_seed(0)
    images = torch.randint(60, 256, (400, 3, height, width), generator=source, dtype=torch.uint8)

    def draw(seed: int) -> Tensor:
        return your_function(images, pad, torch.Generator().manual_seed(seed)).tensor((400, 3, height, width))

    def places(scaled: Tensor, frame: float, crops: Tensor | None = None) -> Tensor | None:
        """The position, (row, column) among 3 x 3, of each crop in the padded image; None if any crop is not found."""
        crops = first if crops is None else crops
        framed = F.pad(scaled, (pad, pad, pad, pad), value=frame)
        windows = framed.unfold(2, height, 1).unfold(3, width, 1)  # (b, c, 3, 3, height, width)
        fits = (windows - crops[:, :, None, None]).abs().amax(dim=(1, 4, 5)).flatten(1) < 1e-4
        place = fits.float().argmax(dim=1)
        return torch.stack((place // 3, place % 3), dim=1) if fits.any(dim=1).all() else None

    first, pixels = draw(0), images / 127.5 - 1
    found = places(pixels, -1)
    one_channel = [places(pixels[:, c : c + 1], -1, first[:, c : c + 1]) is not None for c in range(3)]
    wide = F.pad(pixels, (pad, pad, pad, pad), value=-1)
    mistakes = {
        "the frame is grey: black is -1 once the pixels are scaled": places(pixels, 0) is not None,
        "the pixels are not scaled to [-1, 1]: use to_float": places(images.float(), 0) is not None,
        "the pixels are scaled to [0, 1], not to [-1, 1]: use to_float": places(images / 255, 0) is not None,
        "the frame is white: fill it with -1": places(pixels, 1) is not None,
        "scale first, then pad: -1 is black only after scaling": places(pixels, -1 / 127.5 - 1) is not None,
        "each channel is cut at a different place: choose one place for each image": all(one_channel),
        "the images are mirrored too: pad and crop only": (
            places(pixels.flip(3), -1) is not None or places(pixels, -1, first.flip(3)) is not None
        ),
        "the image is resized: cut a window out of the frame instead": torch.allclose(
            first, F.interpolate(wide, (height, width), mode="bilinear"), atol=1e-4
        ),
        "the pixels wrap around to the other side: pad with -1, then crop": (
            torch.allclose(first.flatten(1).sort().values, pixels.flatten(1).sort().values, atol=1e-4)
        ),
        "the frame has more than `pad` pixels on a side": cut_from(pixels, first, 2 * pad),
        "the border is mirrored or repeated, not black: fill the frame with -1": any(
            cut_from(pixels, first, pad, mode) for mode in ("reflect", "replicate", "circular")
        ),
        "the pixels are scaled twice: to_float alone brings them to [-1, 1]": places(pixels / 255, -1) is not None,
        "the images are in another order: crop number i is cut from image i": all(
            cut_from_any(pixels, crop, pad) for crop in first[:8]
        ),
        "the frame has another grey: black is -1": float(first.min()) > -1 and float(first.min()) < -0.4,
        "values below 0 are cut off: the pixels lie in [-1, 1]": float(first.min()) == 0,
    }
    must(found is not None, "the crops are not cut out of the picture in a black frame", mistakes)
    drawn = {tuple(place) for place in found.tolist()}
    must(drawn != {(1, 1)}, "every crop is the picture itself: cut at random places")
    must(len(drawn) > 1, "all images are cut at one place: draw a place for each")
    for axis, name in ((0, "row"), (1, "column")):
        must((found[:, axis] != found[0, axis]).any(), f"the first {name} is the same for all images: draw it, too")
    must(
        (found == 2).any(dim=0).all(), "the last place is never drawn: randint leaves its upper end out, so 2 * pad + 1"
    )
    must((found == 0).any(dim=0).all(), "the first place is never drawn: begin at 0, and pad all four sides")
    must(len(drawn) == 9, "some places never occur: draw row and column apart, each from 0 to 2 * pad")
    must(torch.equal(first, draw(0)), "the same seed gives other crops: draw from the generator alone")
    must(not torch.equal(first, draw(1)), "another seed gives the same crops: draw from the generator")

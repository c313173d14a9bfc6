"""Right and wrong answers to the exercises of notebook 05."""

import math

import torch
import torch.nn.functional as F


class growth:
    def by_exponents(line):
        """passed"""
        accuracy = line["test_accuracy"]
        return torch.tensor(accuracy["0.0"]).log().sub(math.log(accuracy["0.75"])).exp()

    def upside_down(line):
        """upside down"""
        return line["test_accuracy"]["0.75"] / line["test_accuracy"]["0.0"]

    def minus(line):
        """this is the difference"""
        return line["test_accuracy"]["0.0"] - line["test_accuracy"]["0.75"]

    def to_a_half(line):
        """up to ratio 0.5"""
        return line["test_accuracy"]["0.5"] / line["test_accuracy"]["0.75"]

    def from_a_half(line):
        """the start is ratio 0.75"""
        return line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.5"]

    def losses(line):
        """these are losses"""
        return line["test_loss"]["0.0"] / line["test_loss"]["0.75"]

    def per_cent(line):
        """growth in per cent"""
        return 100 * (line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"] - 1)

    def wrong_key(line):
        """the keys are strings: '0.0', '0.75'; it raises KeyError (0.0) at `return line"""
        return line["test_accuracy"][0.0] / line["test_accuracy"][0.75]

    def short_key(line):
        """the keys are strings: '0.0', '0.75'; it raises KeyError ('0')"""
        return line["test_accuracy"]["0"] / line["test_accuracy"]["0.75"]

    def training_loss(line):
        """the accuracies are in line['test_accuracy']"""
        return line["loss"]["0.0"] / line["loss"]["0.75"]

    def largest_by_smallest(line):
        """the accuracy may also fall"""
        return max(line["test_accuracy"].values()) / min(line["test_accuracy"].values())

    def rounded(line):
        """rounded to one decimal"""
        return round(line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"], 1)

    def wrong_patches(line):
        """shares of wrong patches"""
        return (1 - line["test_accuracy"]["0.75"]) / (1 - line["test_accuracy"]["0.0"])

    def changes_the_log(line):
        """changes its argument `line` in place"""
        return line["test_accuracy"].pop("0.0") / line["test_accuracy"]["0.75"]


class accuracy_after:
    def by_cumulative_sum(history, seconds):
        """passed"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_accuracy"]["0.75"]

    def next_epoch(history, seconds):
        """had not ended"""
        spent = 0
        for line in history:
            spent += line["seconds"]
            if spent > seconds:
                break
        return line["test_accuracy"]["0.75"]

    def one_epoch_alone(history, seconds):
        """add them up"""
        return [line for line in history if line["seconds"] <= seconds][-1]["test_accuracy"]["0.75"]

    def at_the_end(history, seconds):
        """last epoch of all"""
        assert seconds > 0
        return history[-1]["test_accuracy"]["0.75"]

    def best(history, seconds):
        """take the last"""
        spent, accuracies = 0, []
        for line in history:
            spent += line["seconds"]
            accuracies += [line["test_accuracy"]["0.75"]] if spent <= seconds else []
        return max(accuracies)

    def wrong_ratio(history, seconds):
        """ratio 0.75 is asked"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_accuracy"]["0.0"]

    def wrong_key(history, seconds):
        """the keys are strings"""
        return [line["test_accuracy"][0.75] for line in history if seconds][-1]

    def strictly(history, seconds):
        """ends exactly then"""
        spent, accuracy = 0, history[0]["test_accuracy"]["0.75"]
        for line in history:
            spent += line["seconds"]
            if spent < seconds:
                accuracy = line["test_accuracy"]["0.75"]
        return accuracy

    def epochs(history, seconds):
        """number of epochs"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return int((ends <= seconds).sum())

    def first(history, seconds):
        """this is the first epoch"""
        return history[0]["test_accuracy"]["0.75"]

    def condition_inverted(history, seconds):
        """take epochs that have ended"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0).tolist()
        return [line["test_accuracy"]["0.75"] for line, end in zip(history, ends, strict=True) if end >= seconds][-1]

    def nearest(history, seconds):
        """had not ended"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends - seconds).abs().argmin())]["test_accuracy"]["0.75"]

    def mean(history, seconds):
        """the mean over the epochs"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        done = history[: int((ends <= seconds).sum())]
        return sum(line["test_accuracy"]["0.75"] for line in done) / len(done)

    def test_loss(history, seconds):
        """this is a loss"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_loss"]["0.75"]

    def half_hidden(history, seconds):
        """this is ratio 0.5"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return history[int((ends <= seconds).sum()) - 1]["test_accuracy"]["0.5"]

    def seconds_spent(history, seconds):
        """these are seconds"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0)
        return float(ends[ends <= seconds][-1])


def crop_of(scaled, images, pad, generator, frame=-1.0, first=0, last=None, together=False, mode="constant"):
    b, _, height, width = images.shape
    value = {"value": frame} if mode == "constant" else {}
    framed = F.pad(scaled, (pad, pad, pad, pad), mode=mode, **value)
    begins = torch.randint(first, 2 * pad + 1 if last is None else last, (b, 2), generator=generator)
    begins = begins[:1].expand(b, 2) if together else begins
    return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(framed, begins, strict=True)])


def scale(images):
    return images / 127.5 - 1


class padded_crop:
    def by_gathering(images, pad, generator=None):
        """passed"""
        b, c, height, width = images.shape
        y, x = (torch.randint(-pad, pad + 1, (b, 1), generator=generator) for _ in range(2))
        rows, cols = (
            torch.arange(height) + y,
            torch.arange(width) + x,
        )  # (b, height), (b, width): may be outside the image
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((cols >= 0) & (cols < width))[:, None]
        at = rows.clamp(0, height - 1)[:, :, None] * width + cols.clamp(0, width - 1)[:, None]
        pixels = scale(images).flatten(2).gather(2, at.flatten(1)[:, None].expand(b, c, -1)).view(images.shape)
        return torch.where(inside[:, None], pixels, -1.0)

    def grey_frame(images, pad, generator=None):
        """the frame is grey"""
        return crop_of(scale(images), images, pad, generator, frame=0.0)

    def unscaled(images, pad, generator=None):
        """the pixels are not scaled"""
        return crop_of(images.float(), images, pad, generator, frame=0.0)

    def from_zero_to_one(images, pad, generator=None):
        """scaled to [0, 1]"""
        return crop_of(images / 255, images, pad, generator, frame=0.0)

    def mirrored(images, pad, generator=None):
        """mirrored or repeated, not black"""
        return crop_of(scale(images), images, pad, generator, mode="reflect")

    def last_place_missing(images, pad, generator=None):
        """the last place is never drawn"""
        return crop_of(scale(images), images, pad, generator, last=2 * pad)

    def first_place_missing(images, pad, generator=None):
        """the first place is never drawn"""
        return crop_of(scale(images), images, pad, generator, first=1)

    def one_place(images, pad, generator=None):
        """all images are cut at one place"""
        return crop_of(scale(images), images, pad, generator, together=True)

    def in_the_middle(images, pad, generator=None):
        """every crop is the picture itself"""
        return crop_of(scale(images), images, pad, generator, first=pad, last=pad + 1)

    def on_the_diagonal(images, pad, generator=None):
        """draw row and column apart"""
        begins = torch.randint(0, 2 * pad + 1, (len(images),), generator=generator)
        framed = F.pad(scale(images), (pad, pad, pad, pad), value=-1.0)
        height, width = images.shape[2:]
        return torch.stack([one[:, i : i + height, i : i + width] for one, i in zip(framed, begins, strict=True)])

    def global_state(images, pad, generator=None):
        """draws from the global random state"""
        return crop_of(scale(images), images, pad, None)

    def only_rows(images, pad, generator=None):
        """the first column is the same for all images"""
        begins = torch.randint(0, 2 * pad + 1, (len(images),), generator=generator)
        framed = F.pad(scale(images), (pad, pad, pad, pad), value=-1.0)
        height, width = images.shape[2:]
        return torch.stack([one[:, i : i + height, pad : pad + width] for one, i in zip(framed, begins, strict=True)])

    def white_frame(images, pad, generator=None):
        """the frame is white"""
        return crop_of(scale(images), images, pad, generator, frame=1.0)

    def padded_before_scaling(images, pad, generator=None):
        """scale first, then pad"""
        return scale(crop_of(images.float(), images, pad, generator))

    def each_channel(images, pad, generator=None):
        """each channel is cut at a place of its own"""
        parts = [images[:, c : c + 1] for c in range(3)]
        return torch.cat([crop_of(scale(part), part, pad, generator) for part in parts], dim=1)

    def mirrored_images(images, pad, generator=None):
        """the images are mirrored too"""
        return crop_of(scale(images), images, pad, generator).flip(3)

    def wrapped(images, pad, generator=None):
        """wrap around"""
        by = torch.randint(-pad, pad + 1, (len(images), 2), generator=generator).tolist()
        return torch.stack([one.roll(shift, (1, 2)) for one, shift in zip(scale(images), by, strict=True)])

    def wide_frame(images, pad, generator=None):
        """more than `pad` pixels"""
        return crop_of(scale(images), images, 2 * pad, generator)

    def still_bytes(images, pad, generator=None):
        """the result is uint8, expected float32"""
        return crop_of(images, images, pad, generator, frame=0)

    def too_large(images, pad, generator=None):
        """the result has the shape (400, 3, 8, 6), expected (400, 3, 6, 4)"""
        return F.pad(scale(images), (pad, pad, pad, pad), value=-1.0)

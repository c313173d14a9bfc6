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
        """it divides the largest accuracy by the smallest"""
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

    def string(line):
        """it returns a str, expected a number"""
        return f"{line['test_accuracy']['0.0'] / line['test_accuracy']['0.75']:.2f}"

    def mean_over(line):
        """divide by the accuracy at ratio 0.75, not by the mean"""
        return line["test_accuracy"]["0.0"] / (sum(line["test_accuracy"].values()) / 3)

    def squared(line):
        """it returns 2.454 instead of 1.567"""
        return (line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"]) ** 2

    def both(line):
        """it returns a tuple, expected a number"""
        return (line["test_accuracy"]["0.0"], line["test_accuracy"]["0.75"])

    def chance(line):
        """do not subtract chance"""
        return (line["test_accuracy"]["0.0"] - 1 / 16) / (line["test_accuracy"]["0.75"] - 1 / 16)

    def mixed(line):
        """the numerator is an accuracy and the denominator a loss"""
        return line["test_accuracy"]["0.0"] / line["test_loss"]["0.75"]

    def diff_percent(line):
        """this is the growth in percentage points: the factor is a quotient"""
        return 100 * (line["test_accuracy"]["0.0"] - line["test_accuracy"]["0.75"])

    def three_decimals(line):
        """the factor is rounded to three decimals: return it as it is"""
        return round(line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"], 3)

    def whole(line):
        """the factor is rounded to a whole number: return it as it is"""
        return round(line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"])

    def as_list(line):
        """`line` is the dictionary of one epoch, not the list of all"""
        return line[-1]["test_accuracy"]["0.0"] / line[-1]["test_accuracy"]["0.75"]

    def per_step(line):
        """the difference is divided by the mask ratio"""
        return (line["test_accuracy"]["0.0"] - line["test_accuracy"]["0.75"]) / 0.75

    def first_by_last(line):
        """the fraction is upside down"""
        v = list(line["test_accuracy"].values())
        return v[0] / v[-1]

    def absolute(line):
        """this is the difference, without its sign: the factor is a quotient"""
        return abs(line["test_accuracy"]["0.0"] - line["test_accuracy"]["0.75"])


def accuracy_of(line):
    return line["test_accuracy"]["0.75"]


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
        """it raises IndexError"""
        ends = torch.tensor([line["seconds"] for line in history]).cumsum(0).tolist()
        return [line["test_accuracy"]["0.75"] for line, end in zip(history, ends, strict=True) if end >= seconds][-1]

    def nearest(history, seconds):
        """nearest to the time"""
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

    def as_total(history, seconds):
        """`seconds` counts one epoch, not all since the start: add them up"""
        return accuracy_of([line for line in history if line["seconds"] <= seconds][-1])

    def returns_inside(history, seconds):
        """this is the first epoch"""
        spent = 0
        for line in history:
            spent += line["seconds"]
            if spent <= seconds:
                return accuracy_of(line)

    def whole_line(history, seconds):
        """it returns a dict, expected a number"""
        spent = 0
        found = None
        for line in history:
            spent += line["seconds"]
            if spent <= seconds:
                found = line
        return found

    def all_ratios(history, seconds):
        """it returns a dict, expected a number"""
        spent = 0
        found = None
        for line in history:
            spent += line["seconds"]
            if spent <= seconds:
                found = line["test_accuracy"]
        return found

    def by_first_length(history, seconds):
        """epochs do not all take as long as the first"""
        return accuracy_of(history[min(int(seconds // history[0]["seconds"]), len(history)) - 1])

    def by_mean_length(history, seconds):
        """epochs do not all take as long as their mean"""
        mean = sum(line["seconds"] for line in history) / len(history)
        return accuracy_of(history[max(0, min(int(seconds // mean), len(history)) - 1)])

    def checks_before_adding(history, seconds):
        """this is the next epoch, which had not ended"""
        spent = 0
        found = None
        for line in history:
            if spent <= seconds:
                found = accuracy_of(line)
            spent += line["seconds"]
        return found

    def never_summed(history, seconds):
        """`seconds` counts one epoch, not all since the start: add them up"""
        spent = 0
        found = None
        for line in history:
            spent = line["seconds"]
            if spent <= seconds:
                found = accuracy_of(line)
        return found

    def seconds_as_index(history, seconds):
        """it raises IndexError"""
        return accuracy_of(history[int(seconds)])

    def counts_down(history, seconds):
        """an epoch that ends exactly then has ended"""
        found = None
        for line in history:
            seconds -= line["seconds"]
            if seconds > 0:
                found = accuracy_of(line)
        return found

    def gain(history, seconds):
        """this is the gain since the first epoch: what accuracy was reached?"""
        spent = 0
        found = None
        for line in history:
            spent += line["seconds"]
            if spent <= seconds:
                found = accuracy_of(line)
        return found - accuracy_of(history[0])

    def per_second(history, seconds):
        """this is the accuracy per second"""
        spent = 0
        found = None
        for line in history:
            spent += line["seconds"]
            if spent <= seconds:
                found = accuracy_of(line) / spent
        return found

    def rounded(history, seconds):
        """the accuracy is rounded to one decimal: return it as it is"""
        spent = 0
        found = None
        for line in history:
            spent += line["seconds"]
            if spent <= seconds:
                found = accuracy_of(line)
        return round(found, 1)

    def per_minute(history, seconds):
        """last epoch of all"""
        spent = 0
        found = accuracy_of(history[0])
        for line in history:
            spent += line["seconds"] / 60
            if spent <= seconds:
                found = accuracy_of(line)
        return found

    def a_list(history, seconds):
        """it returns a list, expected a number"""
        spent = 0
        found = []
        for line in history:
            spent += line["seconds"]
            if spent <= seconds:
                found.append(accuracy_of(line))
        return found

    def keeps_first_below(history, seconds):
        """it returns 0.4013 instead of 0.2538"""
        spent = 0
        best = None
        for line in reversed(history):
            spent += line["seconds"]
            if spent <= seconds:
                best = accuracy_of(line)
        return best if best is not None else accuracy_of(history[-1])


def crop_of(scaled, images, pad, generator, frame=-1.0, first=0, last=None, together=False, mode="constant"):
    b, _, height, width = images.shape
    value = {"value": frame} if mode == "constant" else {}
    framed = F.pad(scaled, (pad, pad, pad, pad), mode=mode, **value)
    begins = torch.randint(first, 2 * pad + 1 if last is None else last, (b, 2), generator=generator)
    begins = begins[:1].expand(b, 2) if together else begins
    return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(framed, begins, strict=True)])


def scale(images):
    return images / 127.5 - 1


def framed(images, pad, value=-1.0):
    return F.pad(scale(images), (pad, pad, pad, pad), value=value)


def crops(framed, height, width, places):
    return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(framed, places, strict=True)])


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
        """each channel is cut at a different place"""
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

    def right_and_bottom_only(images, pad, generator=None):
        """the frame has more than `pad` pixels on a side"""
        b, _, height, width = images.shape
        x = F.pad(scale(images), (0, 2 * pad, 0, 2 * pad), value=-1.0)
        return crops(x, height, width, torch.randint(0, 2 * pad + 1, (b, 2), generator=generator))

    def pad_once(images, pad, generator=None):
        """the first place is never drawn: begin at 0, and pad all four sides"""
        b, _, height, width = images.shape
        x = F.pad(scale(images), (0, pad, 0, pad), value=-1.0)
        return crops(x, height, width, torch.randint(0, pad + 1, (b, 2), generator=generator))

    def only_within_pad(images, pad, generator=None):
        """the last place is never drawn"""
        b, _, height, width = images.shape
        return crops(framed(images, pad), height, width, torch.randint(0, pad + 1, (b, 2), generator=generator))

    def reseeds(images, pad, generator=None):
        """another seed gives the same crops: draw from the generator"""
        b, _, height, width = images.shape
        own = torch.Generator().manual_seed(0)
        return crops(framed(images, pad), height, width, torch.randint(0, 2 * pad + 1, (b, 2), generator=own))

    def columns_only(images, pad, generator=None):
        """the first row is the same for all images: draw it, too"""
        b, _, height, width = images.shape
        places = torch.randint(0, 2 * pad + 1, (b, 2), generator=generator)
        places[:, 0] = pad
        return crops(framed(images, pad), height, width, places)

    def no_frame_removed(images, pad, generator=None):
        """the result has the shape (400, 3, 8, 6), expected (400, 3, 6, 4)"""
        return framed(images, pad)

    def batch_first_only(images, pad, generator=None):
        """all images are cut at one place: draw a place for each"""
        b, _, height, width = images.shape
        y, z = torch.randint(0, 2 * pad + 1, (2,), generator=generator).tolist()
        return framed(images, pad)[:, :, y : y + height, z : z + width]

    def square(images, pad, generator=None):
        """it raises RuntimeError"""
        b, _, height, width = images.shape
        return crops(framed(images, pad), height, height, torch.randint(0, 2 * pad + 1, (b, 2), generator=generator))

    def width_padded_only(images, pad, generator=None):
        """the first row is the same for all images: draw it, too"""
        b, _, height, width = images.shape
        x = F.pad(scale(images), (pad, pad), value=-1.0)
        places = torch.randint(0, 2 * pad + 1, (b, 2), generator=generator)
        places[:, 0] = 0
        return crops(x, height, width, places)

    def noise_frame(images, pad, generator=None):
        """the frame has another grey: black is -1"""
        b, _, height, width = images.shape
        x = framed(images, pad)
        border = torch.ones_like(x, dtype=torch.bool)
        border[:, :, pad:-pad, pad:-pad] = False
        x[border] = torch.rand(int(border.sum()), generator=generator) * 2 - 1
        return crops(x, height, width, torch.randint(0, 2 * pad + 1, (b, 2), generator=generator))

    def pads_batch_too(images, pad, generator=None):
        """the result has the shape (400, 5, 6, 4), expected (400, 3, 6, 4)"""
        b, _, height, width = images.shape
        x = F.pad(scale(images), (pad,) * 8, value=-1.0)
        return crops(x[pad:-pad], height, width, torch.randint(0, 2 * pad + 1, (b, 2), generator=generator))

    def two_corners(images, pad, generator=None):
        """some places never occur"""
        b, _, height, width = images.shape
        return crops(framed(images, pad), height, width, 2 * pad * torch.randint(0, 2, (b, 2), generator=generator))

    def default_pad_value(images, pad, generator=None):
        """the frame is grey: black is -1 once the pixels are scaled"""
        b, _, height, width = images.shape
        return crops(
            framed(images, pad, 0.0), height, width, torch.randint(0, 2 * pad + 1, (b, 2), generator=generator)
        )

    def divided_twice(images, pad, generator=None):
        """the pixels are scaled twice: to_float alone brings them to [-1, 1]"""
        b, _, height, width = images.shape
        return crops(
            F.pad(scale(images) / 255, (pad,) * 4, value=-1.0),
            height,
            width,
            torch.randint(0, 2 * pad + 1, (b, 2), generator=generator),
        )

    def shuffled_images(images, pad, generator=None):
        """the images are in another order: crop number i is cut from image i"""
        b, _, height, width = images.shape
        places = torch.randperm(b, generator=generator)
        return crops(
            framed(images, pad)[places], height, width, torch.randint(0, 2 * pad + 1, (b, 2), generator=generator)
        )

    def list_returned(images, pad, generator=None):
        """it returns a list, expected a tensor"""
        b, _, height, width = images.shape
        return list(
            crops(framed(images, pad), height, width, torch.randint(0, 2 * pad + 1, (b, 2), generator=generator))
        )

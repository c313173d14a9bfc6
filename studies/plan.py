"""What is trained: every study, with the settings and the words of each of its variants.

All runs: CIFAR-10, a 4 x 4 grid of 8-pixel patches, dim 128, depth 4, 2 heads of 64, mlp 512 ("fine", "further" and
"size": an 8 x 8 grid of 4-pixel patches, depth 6). The first 45,000 training images train. The last 5,000 choose: the
studies "rates", "further", "further-puzzler" and "size" are measured on them. The test images only measure, but the
study "fine" compares recipes by them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mp3lib.data.cues import flat, gap, grey, hole, hole_at_border, jpeg, padded_crop, transformed, watermark

from .recipes import qk_norm, rising_ratio, smoothed
from .runs import RESULTS

RUNS = RESULTS / "runs"
PATCH = (8, 8)
TRAIN = 45_000
SEEDS = (0, 1, 2)
FEW = {  # epochs over so many labelled images
    500: {"epochs": 100, "batch_size": 100, "eval_every": 10},
    1000: {"epochs": 60, "batch_size": 100, "eval_every": 10},
    5000: {"epochs": 30, "batch_size": 250, "eval_every": 5},
}
AS_LONG = 11  # epochs on labels that take as long as 10 of MP3 and 5 on labels: benchmarks/equal_time.py
SCRATCH_LR, FINETUNE_LR = 8e-3, 4e-3  # chosen by the study "rates"
FURTHER_FROM = "flagship-8x8-second"  # a stage of stages.py
PUZZLER_FROM = "puzzler-4x4-first"  # a stage of stages.py; the stored runs began with its weights in half precision
PLAIN = {"patch_norm": False}
WIDE = dict(dim=192, depth=3, heads=3, mlp_dim=768)  # about as many weights and products as dim 128 and depth 6
DEEP = dict(dim=96, depth=11, heads=2, dim_head=48, mlp_dim=384)


class Cue(NamedTuple):
    """A variant of the study "cues": how its images are made for training and for measuring."""

    words: str
    transform: Callable | None = None  # of batches, in training
    images: Callable | None = None  # of all uint8 training images, once
    tests: dict[str, Callable] = {}  # of uint8 test images, which are measured beside the unchanged ones
    options: dict = {}  # of ``pretrain``
    vit: dict = {}  # settings of the ViT that are not those of all runs


NO_CUE = Cue("nothing changed")


class Variant(NamedTuple):
    """A variant of a study that has no cues, such as "hidden" or "fine": what it changes."""

    words: str
    options: dict = {}  # of ``pretrain`` or ``finetune``
    vit: dict = {}  # settings of the ViT that are not those of all runs
    mask_ratio: float = 0.75
    context: str = "updated"
    change: Callable | None = None  # change(mp3, steps) gives the model to train; see recipes.py
    stages: dict[int, int] = {32: 3}  # epochs for each size of the images


class Run(NamedTuple):
    """One training: ``options`` go to ``pretrain`` or ``finetune`` as they are."""

    name: str  # STUDY/VARIANT/seed-S
    start: str | None = None  # the run or the stage whose weights this run begins with; None: random weights
    labels: int = 0  # 0: a pretraining; else the number of labelled images
    mask_ratio: float = 0.75
    context: str = "updated"
    cue: Cue = NO_CUE
    size: int = 32  # side of the images, in pixels
    vit: dict = {}
    change: Callable | None = None
    probes: bool = True  # of the pretrained features
    kept_apart: bool = False  # measured on the images that choose, not on the test images
    options: dict = {}

    @property
    def seed(self) -> int:
        return int(self.name.rsplit("-", 1)[1])

    @property
    def folder(self) -> Path:
        return RUNS / self.name

    @property
    def done(self) -> bool:
        return (self.folder / "scores.json").exists()


def transforms(patch_size: tuple[int, int]) -> dict[str, Callable]:
    """The transforms that take a cue away, or do as much harm elsewhere (``hole``), for patches of this size."""
    sized = {
        f"{transform.__name__}-{width}": partial(transform, patch_size=patch_size, width=width)
        for transform in (gap, hole)
        for width in (1, 2)
    }
    return sized | {"grey": grey, "flat": partial(flat, patch_size=patch_size)}


def of_uint8(transform: Callable) -> Callable:
    """The same transform, for uint8 images."""
    return partial(transformed, transform=transform)


def removed(words: str, transform: Callable, **other) -> Cue:
    return Cue(words, transform, tests={"without the cue": of_uint8(transform)}, **other)


def planted(words: str, transform: Callable, **other) -> Cue:
    return Cue(words, transform, tests={"with the cue": of_uint8(transform)}, **other)


def hole_words(patch_size: tuple[int, int], width: int) -> str:
    """What ``hole`` does to patches of this size: whether it leaves their borders alone."""
    words = f"as many pixels as in `gap-{width}`, "
    if at_border := hole_at_border(patch_size, width):
        return words + f"from the middle of every patch outwards, {at_border} of them at its border"
    return words + "in the middle of every patch"


REMOVE = transforms(PATCH)
UNCROPPED = {"crop_area": (1.0, 1.0)}
CUES = {
    "gap-1": removed("1 pixel along the border of every patch painted grey", REMOVE["gap-1"]),
    "gap-2": removed("2 pixels along the border of every patch painted grey", REMOVE["gap-2"]),
    "hole-1": removed(hole_words(PATCH, 1), REMOVE["hole-1"]),  # the placebo of gap-1
    "hole-2": removed(hole_words(PATCH, 2), REMOVE["hole-2"]),
    "grey": removed("colour taken away", REMOVE["grey"]),
    "flat": removed("every patch made equally bright, of equal contrast", REMOVE["flat"]),
    "padded": planted("padded by 4 pixels, then cropped, without zooming", padded_crop, options=UNCROPPED),
    "uncropped": Cue("neither cropped nor zoomed", options=UNCROPPED),  # "padded" is compared with it
    "jpeg": Cue(
        "compressed as JPEG, quality 75",
        images=jpeg,
        tests={
            "with the cue": jpeg,
            "moved by 4 pixels": partial(jpeg, shift=4),
            "quality 95": partial(jpeg, quality=95),
        },
    ),
    "plain": Cue("no LayerNorm on the pixels of a patch", vit=PLAIN),
    "plain-flat": removed("as `plain`, every patch made equally bright, of equal contrast", REMOVE["flat"], vit=PLAIN),
    "watermark": planted("the same faint noise planted in every image", watermark),
}
HIDDEN = {  # the study "hidden": what is hidden in training; the first six without the LayerNorm on pixels
    "0.1": Variant("mask ratio .1", vit=PLAIN, mask_ratio=0.1),
    "0.25": Variant("mask ratio .25", vit=PLAIN, mask_ratio=0.25),
    "0.5": Variant("mask ratio .5", vit=PLAIN, mask_ratio=0.5),
    "0.75": Variant("mask ratio .75", vit=PLAIN),
    "0.9": Variant("mask ratio .9", vit=PLAIN, mask_ratio=0.9),
    "drawn": Variant("mask ratio drawn between .1 and .75 for each batch", {"mask_ratios": (0.1, 0.75)}, PLAIN, 0.425),
    "0.75-normed": Variant("mask ratio .75, LayerNorm on the pixels of a patch"),
    "drawn-normed": Variant(
        "mask ratio drawn between .1 and .75, LayerNorm on the pixels of a patch",
        {"mask_ratios": (0.1, 0.75)},
        mask_ratio=0.425,
    ),
    "reference": Variant(
        "the reference recipe",  # mask ratio .75, LayerNorm on pixels
        {"optimizer": "adamw", "lr": 1e-3, "batch_size": 256, "query_fraction": 1.0},
        context="frozen",
    ),
}
SAME_NUMBERS = {"precision": "float32"}  # on every machine, so that runs made on two of them can be compared
HIDDEN_EPOCHS = (5, 20)
HIDDEN_SEEDS = {("0.1", 20), ("0.75", 20), ("drawn", 20), ("0.75-normed", 20)}  # three seeds; the others one
HIDDEN_TESTS = {name: of_uint8(REMOVE[name]) for name in ("gap-1", "hole-1", "grey", "flat")}
FINE = {
    "adamw": Variant("AdamW for everything, learning rate 0.0015", {"optimizer": "adamw", "lr": 1.5e-3}),
    "muon": Variant("Muon for the transformer's matrices, learning rate 0.003"),
    "plain": Variant("as `muon`, no LayerNorm on the pixels of a patch; those below change one thing more", vit=PLAIN),
    "plain-lr-0.0015": Variant("learning rate 0.0015, not 0.003", {"lr": 1.5e-3}, PLAIN),
    "plain-lr-0.006": Variant("learning rate 0.006, not 0.003", {"lr": 6e-3}, PLAIN),
    "plain-frozen": Variant("context frozen, not updated", vit=PLAIN, context="frozen"),
    "plain-ratio-0.25": Variant("mask ratio .25, not .75", vit=PLAIN, mask_ratio=0.25),
    "plain-ratio-0.9": Variant("mask ratio .9, not .75", vit=PLAIN, mask_ratio=0.9),
    "plain-ratio-0.5": Variant("mask ratio .5, not .75", vit=PLAIN, mask_ratio=0.5),
    "plain-4-heads": Variant("4 heads of 32 features, not 2 of 64", vit=PLAIN | {"heads": 4, "dim_head": 32}),
    "plain-batch-128": Variant("batches of 128, not 256; learning rate 0.002", {"batch_size": 128, "lr": 2e-3}, PLAIN),
    "plain-rising-ratio": Variant(
        "the mask ratio rises from .25 to .75 in the first two thirds", vit=PLAIN, change=rising_ratio
    ),
    "plain-smoothed": Variant(
        "nearby positions count as partly right, within 1 patch at first, within 0 at last (DropPos)",
        vit=PLAIN,
        change=smoothed,
    ),
    "plain-qk-norm": Variant("queries and keys of equal length (QK-norm)", vit=PLAIN, change=qk_norm),
    "plain-uncropped": Variant("no random crops", UNCROPPED, PLAIN),
    "plain-crop-0.3": Variant("random crops keep 30% of the image or more, not 60%", {"crop_area": (0.3, 1.0)}, PLAIN),
    "plain-unflipped": Variant("no image mirrored", {"flip": False}, PLAIN),
    "plain-wide": Variant("3 layers of dim 192, heads and mlp in proportion, not 6 of 128", vit=PLAIN | WIDE),
    "plain-deep": Variant("11 layers of dim 96, heads and mlp in proportion, not 6 of 128", vit=PLAIN | DEEP),
    "plain-grown": Variant(  # takes about as long
        "first smaller images: 4 x 4 and 6 x 6 patches of 4 pixels", vit=PLAIN, stages={16: 4, 24: 2, 32: 1}
    ),
}
REGULARISED = {  # 5,000 labels; each differs from "labels/mp3-5000-pos" in this alone
    "augment": Variant("geometry and colours distorted, strength .5", {"augment": 0.5}),
    "drop-path": Variant("layers left out, the last one in every tenth image (stochastic depth)", {"drop_path": 0.1}),
    "ema": Variant("moving average of the weights, decay .99", {"ema": 0.99}),
    "erase": Variant("a box painted over in every fourth image (random erasing)", {"erase": 0.25}),
    "label-smoothing": Variant("a tenth of the probability spread evenly", {"label_smoothing": 0.1}),
    "layer-decay": Variant("each layer learns at .75 of the rate of the one above", {"layer_decay": 0.75}),
    "mix": Variant("every second batch under MixUp or CutMix", {"mix": 0.5}),
}
REGULARISED["together"] = Variant("all of them", {k: v for one in REGULARISED.values() for k, v in one.options.items()})
FURTHER = {  # two epochs more from FURTHER_FROM
    "as-before": Variant(
        "as the ten epochs before: mask ratio .5, batches of 128, learning rate 0.002", mask_ratio=0.5
    ),
    "lr-0.0007": Variant("learning rate 0.0007", {"lr": 7e-4}, mask_ratio=0.5),
    "uncropped": Variant("no random crops", UNCROPPED, mask_ratio=0.5),
    "ratio-0.25": Variant("mask ratio .25", mask_ratio=0.25),
    "ratio-drawn": Variant(
        "mask ratio drawn between .25 and .75 for each batch", {"mask_ratios": (0.25, 0.75)}, mask_ratio=0.5
    ),
}
FURTHER_PUZZLER = {  # two epochs more from PUZZLER_FROM
    "as-before": Variant(
        "as the 80 epochs before, learning rate 0.001", dict(mask_ratios=(0.1, 0.75)), mask_ratio=0.425
    ),
    "uncropped": Variant("no random crops", dict(mask_ratios=(0.1, 0.75), **UNCROPPED), mask_ratio=0.425),
    "uncropped-lower": Variant(
        "no random crops, mask ratio drawn between 0 and .4", dict(mask_ratios=(0.0, 0.4), **UNCROPPED), mask_ratio=0.2
    ),
}
SIZES = {  # the study "size": networks for the 8 x 8 grid
    "small": Variant("dim 64, 1 head", vit=PLAIN | dict(dim=64, heads=1, mlp_dim=256)),
    "medium": Variant("dim 128, 2 heads, as the flagship", vit=PLAIN),
    "large": Variant("dim 256, 4 heads", vit=PLAIN | dict(dim=256, heads=4, mlp_dim=1024)),
}
SIZE_EPOCHS = (2, 4, 8)


class Plan:
    """The runs of all studies by name, in the order of training."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}

    def add(self, study: str, variant: str, seed: int, start: str | None = None, **other) -> str:
        name = f"{study}/{variant}/seed-{seed}"
        self.runs[name] = Run(name, start, **other)
        return name

    def pretrained(self, study: str, variant: str, seed: int, epochs: int = 5, cue: Cue = NO_CUE, **other) -> str:
        options = {"epochs": epochs, "query_fraction": 0.5} | cue.options
        return self.add(study, variant, seed, cue=cue, vit=cue.vit, options=options, **other)

    def labelled(
        self, study: str, variant: str, seed: int, start: str | None, pos_emb: bool, labels: int, **options
    ) -> None:
        options = {"lr": FINETUNE_LR if start else SCRATCH_LR, "pos_emb": pos_emb} | options
        vit = options.pop("vit", {})
        variant = f"{variant}-{'pos' if pos_emb else 'nopos'}"
        self.add(study, variant, seed, start, labels=labels, vit=vit, options=options)


def all_runs() -> dict[str, Run]:
    """Every run by its name, in the order of training."""
    plan = Plan()
    base = {seed: plan.pretrained("pretraining", "10-epochs", seed, 10) for seed in SEEDS}
    add_rates(plan, base[0])
    short = {seed: add_seed(plan, seed, base[seed]) for seed in SEEDS}
    for seed in SEEDS:
        add_lengths(plan, seed, short[seed])
    add_hidden(plan)
    for name, variant in REGULARISED.items():
        plan.labelled("regularised", name, 1, base[1], True, 5000, **FEW[5000], **variant.options)
    add_fine(plan)
    add_further(plan)
    add_sizes(plan)
    return plan.runs


def add_rates(plan: Plan, start: str) -> None:
    """The study "rates": learning rates from random weights, and from those of ``start``."""
    for lr in (5e-4, 1e-3, 2e-3, 4e-3, 8e-3):
        plan.labelled("rates", f"scratch-{lr}", 0, None, True, TRAIN, epochs=3, lr=lr)
        plan.labelled("rates", f"mp3-{lr}", 0, start, True, TRAIN, epochs=3, lr=lr)
    plan.labelled("rates", "scratch-0.016", 0, None, True, TRAIN, epochs=3, lr=0.016)


def add_seed(plan: Plan, seed: int, base: str) -> str:
    """One seed of the studies that have several; the name of its pretraining of five epochs."""
    short = plan.pretrained("ratio", "0.75", seed)
    for name in CUES if seed == 0 else ("gap-1", "hole-1"):
        plan.pretrained("cues", name, seed, cue=CUES[name])
    for labels, options in FEW.items():
        for pos_emb in (True, False):
            plan.labelled("labels", f"scratch-{labels}", seed, None, pos_emb, labels, **options)
            plan.labelled("labels", f"mp3-{labels}", seed, base, pos_emb, labels, **options)
    for pos_emb in (True, False):
        plan.labelled("cost", "scratch-5", seed, None, pos_emb, TRAIN, epochs=5)
        plan.labelled("cost", "mp3-10-and-5", seed, base, pos_emb, TRAIN, epochs=5)
    for ratio in (0.25, 0.5, 0.9):
        plan.pretrained("ratio", str(ratio), seed, mask_ratio=ratio)
    plan.pretrained("context", "frozen", seed, context="frozen")
    return short


def add_lengths(plan: Plan, seed: int, short: str) -> None:
    """The study "length", and the longer trainings of "cost" and "pretraining"."""
    for pos_emb in (True, False):
        plan.labelled("cost", "scratch-15", seed, None, pos_emb, TRAIN, epochs=15)
    plan.labelled("cost", f"scratch-{AS_LONG}", seed, None, True, TRAIN, epochs=AS_LONG)
    longer = {5: short, 20: plan.pretrained("pretraining", "20-epochs", seed, 20)}
    for epochs, start in longer.items():  # the ten epochs are in "labels"
        plan.labelled("length", f"{epochs}-epochs", seed, start, True, 5000, **FEW[5000])


def add_hidden(plan: Plan) -> None:
    """The study "hidden", and "hidden-labels", which fine-tunes its networks."""
    before = {}
    for epochs in HIDDEN_EPOCHS:
        for seed in SEEDS:
            for name, variant in HIDDEN.items():
                if seed and (name, epochs) not in HIDDEN_SEEDS:
                    continue
                options = dict(batch_size=128, lr=2e-3, eval_every=epochs) | variant.options | SAME_NUMBERS
                cue = Cue(variant.words, tests=HIDDEN_TESTS, options=options, vit=variant.vit)
                settings = dict(mask_ratio=variant.mask_ratio, context=variant.context)
                one = plan.pretrained("hidden", f"{name}-{epochs}", seed, epochs, cue, **settings)
                before[name, epochs, seed] = one
    for labels in (1000, 5000):
        options = FEW[labels] | SAME_NUMBERS
        plan.labelled("hidden-labels", f"scratch-{labels}", 0, None, True, labels, vit=PLAIN, **options)
        plan.labelled("hidden-labels", f"scratch-normed-{labels}", 0, None, True, labels, **options)
        for (name, epochs, seed), start in before.items():
            plan.labelled("hidden-labels", f"{name}-{epochs}-{labels}", seed, start, True, labels, **options)


def add_fine(plan: Plan) -> None:
    """The study "fine": a variant that begins on smaller images is several runs."""
    for name, variant in FINE.items():
        start = None
        same = dict(mask_ratio=variant.mask_ratio, context=variant.context, change=variant.change, probes=False)
        same |= dict(vit=dict(patch_size=4, depth=6) | variant.vit)
        for size, epochs in variant.stages.items():
            options = dict(epochs=epochs, query_fraction=0.25, lr=3e-3, eval_every=0) | variant.options
            stage = name if size == 32 else f"{name}-{size}px"
            start = plan.add("fine", stage, 0, start, size=size, options=options, **same)


def add_further(plan: Plan) -> None:
    """The studies "further" and "further-puzzler"."""
    for name, variant in FURTHER.items():
        options = dict(epochs=2, query_fraction=0.25, batch_size=128, lr=2e-3, eval_every=0) | variant.options
        same = dict(mask_ratio=variant.mask_ratio, probes=False, kept_apart=True)
        plan.add("further", name, 0, FURTHER_FROM, options=options, **same)
    for name, variant in FURTHER_PUZZLER.items():
        options = dict(epochs=2, query_fraction=0.5, batch_size=128, lr=1e-3, crop_area=(0.8, 1.0), eval_every=0)
        same = dict(mask_ratio=variant.mask_ratio, probes=False, kept_apart=True)
        plan.add("further-puzzler", name, 0, PUZZLER_FROM, options=options | variant.options, **same)


def add_sizes(plan: Plan) -> None:
    """The study "size"."""
    for epochs in SIZE_EPOCHS:
        for name, variant in SIZES.items():
            options = dict(epochs=epochs, query_fraction=0.25, batch_size=128, lr=2e-3, eval_every=0)
            same = dict(mask_ratio=0.25, probes=False, kept_apart=True, vit=dict(patch_size=4, depth=6) | variant.vit)
            plan.add("size", f"{name}-{epochs}", 0, options=options, **same)

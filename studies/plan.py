"""Train everything that the tables and curves tell of, in order: python tools/studies.py [STUDY ...] (make train)

    python tools/studies.py --list      what there is, what is done, what is left
    python tools/studies.py labels      that study, and whatever it starts from
    python tools/studies.py labels/mp3-5000-pos/seed-0    that run

A call that was stopped goes on where it was; a run that another call trains is waited for. Every run is a folder
results/runs/STUDY/VARIANT/seed-S with settings and log; when it ends, scores.json is added: the figures that the tables
show. Weights and checkpoints stay out of git.

All runs: CIFAR-10, a 4 x 4 grid of 8-pixel patches, dim 128, depth 4, 2 heads of 64, mlp 512 ("fine": 8 x 8, 4 pixels,
depth 6); the first 45,000 training images train, the last 5,000 choose (the studies "rates" and "further" do), the test
images only measure (but recipes of "fine" are compared by them). "further" goes on from weights of tools/flagship.py.
Besides, the study "pixels" trains no network: it probes the pixels themselves, for results/evaluations.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock
from recipes import RisingRatio, qk_norm, rising_ratio, smoothed

from mp3lib import MP3, ViT, load_images
from mp3lib.data import to_float
from mp3lib.data.cues import flat, gap, grey, hole, jpeg, padded_crop, transformed, watermark
from mp3lib.evaluate import frozen_features, knn_top1, linear_top1, position_accuracy, top1_accuracy
from mp3lib.model import use_classes, with_image_size
from mp3lib.train import finetune, pretrain
from mp3lib.train.run_folder import versions, write_json

RUNS = Path(__file__).resolve().parents[1] / "results" / "runs"
PIXELS = RUNS.parent / "evaluations" / "pixels.json"
PATCH = (8, 8)
TRAIN = 45_000
SEEDS = (0, 1, 2)
FEW = {  # epochs over so many labelled images
    500: {"epochs": 100, "batch_size": 100, "eval_every": 10},
    1000: {"epochs": 60, "batch_size": 100, "eval_every": 10},
    5000: {"epochs": 30, "batch_size": 250, "eval_every": 5},
}
RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9)
SCRATCH_LR, FINETUNE_LR = 8e-3, 4e-3  # chosen by the study "rates", on the 5,000 images kept apart


class Run(NamedTuple):
    """One training: ``options`` go to ``pretrain`` or ``finetune`` as they are."""

    name: str  # STUDY/VARIANT/seed-S
    start: str | None = None  # the run whose weights this one begins with, or a stage's of flagship.py; None: random
    labels: int = 0  # 0: a pretraining; else the number of labelled images
    mask_ratio: float = 0.75
    context: str = "updated"
    cue: str | None = None  # a name in CUES: what the pictures are made to lack, or to hold
    size: int = 32  # side of the images, in pixels
    vit: dict = {}  # settings of the ViT that are not those of all runs
    change: Callable | None = None  # change(mp3, steps): of the model, in place; see recipes.py
    probes: bool = True  # of the pretrained features
    kept_apart: bool = False  # measured on the images that choose, not on test images
    options: dict = {}

    @property
    def seed(self) -> int:
        return int(self.name.rsplit("-", 1)[1])

    @property
    def folder(self) -> Path:
        return RUNS / self.name


class Cue(NamedTuple):
    """How pictures of a cue are made: on the way into training, of whole sets, and for measuring."""

    transform: Callable | None = None  # of batches, in training
    images: Callable | None = None  # of uint8 training images, once
    tests: dict[str, Callable] = {}  # of uint8 test images, beside the untouched ones
    options: dict = {}


def floats(transform: Callable) -> Callable:
    return partial(transformed, transform=transform)


CUES = {
    "gap-1": Cue(g := partial(gap, patch_size=PATCH, width=1), tests={"without the cue": floats(g)}),
    "gap-2": Cue(g := partial(gap, patch_size=PATCH, width=2), tests={"without the cue": floats(g)}),
    "hole-1": Cue(h := partial(hole, patch_size=PATCH, width=1), tests={"without the cue": floats(h)}),  # placebos
    "hole-2": Cue(h := partial(hole, patch_size=PATCH, width=2), tests={"without the cue": floats(h)}),
    "grey": Cue(grey, tests={"without the cue": floats(grey)}),
    "flat": Cue(f := partial(flat, patch_size=PATCH), tests={"without the cue": floats(f)}),
    "padded": Cue(padded_crop, options={"crop_area": (1.0, 1.0)}, tests={"with the cue": floats(padded_crop)}),
    "uncropped": Cue(options={"crop_area": (1.0, 1.0)}),  # what "padded" is compared with
    "jpeg": Cue(
        images=jpeg,
        tests={
            "with the cue": jpeg,
            "moved by 4 pixels": partial(jpeg, shift=4),
            "quality 95": partial(jpeg, quality=95),
        },
    ),
    "plain": Cue(),  # no cue, but patches embedded without the LayerNorm on their pixels
    "plain-flat": Cue(f, tests={"without the cue": floats(f)}),
    "watermark": Cue(watermark, tests={"with the cue": floats(watermark)}),
}


PLAIN = {"patch_norm": False}
WIDE = dict(dim=192, depth=3, heads=3, mlp_dim=768)  # about as many weights and products as dim 128 and depth 6
DEEP = dict(dim=96, depth=11, heads=2, dim_head=48, mlp_dim=384)
FINE = {  # on a grid of 8 x 8: epochs for each size, mask ratio, settings of the ViT, of the training, perhaps a change
    "adamw": ({32: 3}, 0.75, {}, {"optimizer": "adamw", "lr": 1.5e-3}),
    "muon": ({32: 3}, 0.75, {}, {}),
    "plain": ({32: 3}, 0.75, PLAIN, {}),
    "plain-lr-0.0015": ({32: 3}, 0.75, PLAIN, {"lr": 1.5e-3}),
    "plain-lr-0.006": ({32: 3}, 0.75, PLAIN, {"lr": 6e-3}),
    "plain-frozen": ({32: 3}, 0.75, PLAIN, {"context": "frozen"}),
    "plain-ratio-0.25": ({32: 3}, 0.25, PLAIN, {}),
    "plain-ratio-0.9": ({32: 3}, 0.9, PLAIN, {}),
    "plain-ratio-0.5": ({32: 3}, 0.5, PLAIN, {}),
    "plain-4-heads": ({32: 3}, 0.75, PLAIN | {"heads": 4, "dim_head": 32}, {}),
    "plain-batch-128": ({32: 3}, 0.75, PLAIN, {"batch_size": 128, "lr": 2e-3}),
    "plain-rising-ratio": ({32: 3}, 0.75, PLAIN, {}, rising_ratio),
    "plain-smoothed": ({32: 3}, 0.75, PLAIN, {}, smoothed),
    "plain-qk-norm": ({32: 3}, 0.75, PLAIN, {}, qk_norm),
    "plain-uncropped": ({32: 3}, 0.75, PLAIN, {"crop_area": (1.0, 1.0)}),
    "plain-crop-0.3": ({32: 3}, 0.75, PLAIN, {"crop_area": (0.3, 1.0)}),
    "plain-unflipped": ({32: 3}, 0.75, PLAIN, {"flip": False}),
    "plain-wide": ({32: 3}, 0.75, PLAIN | WIDE, {}),
    "plain-deep": ({32: 3}, 0.75, PLAIN | DEEP, {}),
    "plain-grown": ({16: 4, 24: 2, 32: 1}, 0.75, PLAIN, {}),  # about as long
}
REGULARISED = {  # 5,000 labels, the same as "labels/mp3-5000-pos" but for this
    "augment": {"augment": 0.5},
    "drop-path": {"drop_path": 0.1},
    "ema": {"ema": 0.99},
    "erase": {"erase": 0.25},
    "label-smoothing": {"label_smoothing": 0.1},
    "layer-decay": {"layer_decay": 0.75},
    "mix": {"mix": 0.5},
}
REGULARISED["together"] = {name: value for options in REGULARISED.values() for name, value in options.items()}
FURTHER_FROM = "flagship-8x8-second"
FURTHER = {  # two epochs more from there: mask ratio, settings of the training
    "as-before": (0.5, {}),
    "lr-0.0007": (0.5, {"lr": 7e-4}),
    "uncropped": (0.5, {"crop_area": (1.0, 1.0)}),
    "ratio-0.25": (0.25, {}),
    "ratio-drawn": (0.5, {"mask_ratios": (0.25, 0.75)}),
}


def all_runs() -> dict[str, Run]:
    """Every run by its name, in the order of training."""
    runs: dict[str, Run] = {}

    def add(study: str, variant: str, seed: int, start: Run | None = None, **other) -> Run:
        run = Run(f"{study}/{variant}/seed-{seed}", start.name if start else None, **other)
        runs[run.name] = run
        return run

    def pretrained(study: str, variant: str, seed: int, epochs: int = 5, **other) -> Run:
        return add(study, variant, seed, options={"epochs": epochs, "query_fraction": 0.5}, **other)

    def labelled(study: str, variant: str, seed: int, start: Run | None, pos_emb: bool, labels: int, **options) -> Run:
        options = {"lr": FINETUNE_LR if start else SCRATCH_LR, "pos_emb": pos_emb} | options
        return add(study, f"{variant}-{'pos' if pos_emb else 'nopos'}", seed, start, labels=labels, options=options)

    base = {seed: pretrained("pretraining", "10-epochs", seed, 10) for seed in SEEDS}
    for lr in (5e-4, 1e-3, 2e-3, 4e-3, 8e-3):
        labelled("rates", f"scratch-{lr}", 0, None, True, TRAIN, epochs=3, lr=lr)
        labelled("rates", f"mp3-{lr}", 0, base[0], True, TRAIN, epochs=3, lr=lr)
    labelled("rates", "scratch-0.016", 0, None, True, TRAIN, epochs=3, lr=0.016)
    short: dict[int, Run] = {}
    for seed in SEEDS:
        short[seed] = pretrained("ratio", "0.75", seed)
        for name in CUES if seed == 0 else ("gap-1", "hole-1"):
            pretrained("cues", name, seed, cue=name)
        for labels, options in FEW.items():
            for pos_emb in (True, False):
                labelled("labels", f"scratch-{labels}", seed, None, pos_emb, labels, **options)
                labelled("labels", f"mp3-{labels}", seed, base[seed], pos_emb, labels, **options)
        for pos_emb in (True, False):
            labelled("cost", "scratch-5", seed, None, pos_emb, TRAIN, epochs=5)
            labelled("cost", "mp3-10-and-5", seed, base[seed], pos_emb, TRAIN, epochs=5)
        for ratio in (0.25, 0.5, 0.9):
            pretrained("ratio", str(ratio), seed, mask_ratio=ratio)
        pretrained("context", "frozen", seed, context="frozen")
    for seed in SEEDS:
        for pos_emb in (True, False):
            labelled("cost", "scratch-15", seed, None, pos_emb, TRAIN, epochs=15)
        longer = {5: short[seed], 20: pretrained("pretraining", "20-epochs", seed, 20)}
        for epochs, start in longer.items():  # ten are in "labels"
            labelled("length", f"{epochs}-epochs", seed, start, True, 5000, **FEW[5000])
    for name, options in REGULARISED.items():
        labelled("regularised", name, 1, base[1], True, 5000, **FEW[5000], **options)
    for name, (stages, mask_ratio, vit, options, *change) in FINE.items():
        run, options = None, dict(options)
        context = options.pop("context", "updated")
        for size, epochs in stages.items():
            run = add(
                "fine",
                name if size == 32 else f"{name}-{size}px",
                0,
                run,
                mask_ratio=mask_ratio,
                context=context,
                size=size,
                vit=dict(patch_size=4, depth=6) | vit,
                change=change[0] if change else None,
                probes=False,
                options=dict(epochs=epochs, query_fraction=0.25, lr=3e-3, eval_every=0) | options,
            )
    for name, (mask_ratio, options) in FURTHER.items():
        runs[f"further/{name}/seed-0"] = Run(
            f"further/{name}/seed-0",
            FURTHER_FROM,
            mask_ratio=mask_ratio,
            probes=False,
            kept_apart=True,
            options=dict(epochs=2, query_fraction=0.25, batch_size=128, lr=2e-3, eval_every=0) | options,
        )
    return runs


def done(run: Run) -> bool:
    return (run.folder / "scores.json").exists()


def train(run: Run, known: dict[str, Run], images) -> None:
    """Train a run unless it is done; where another process trains it, wait for that one to end."""
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(run.folder.with_name(f".{run.folder.name}.lock")):
        train_alone(run, known, images)


def train_alone(run: Run, known: dict[str, Run], images) -> None:
    """Train a run unless it is done, and before it the one whose weights it starts from, unless they are there."""
    if done(run):
        return
    if run.start and not (RUNS / run.start / "model.safetensors").exists():
        if run.start not in known:
            raise FileNotFoundError(f"{RUNS / run.start} has no weights: python tools/flagship.py {run.start}")
        if done(known[run.start]):  # a fresh clone has its log, but not its weights
            shutil.rmtree(known[run.start].folder)
        train(known[run.start], known, images)
    if run.folder.exists() and not [*run.folder.glob("checkpoint-*")]:  # cloned, or stopped within the first epoch
        shutil.rmtree(run.folder)
    print(run.name, flush=True)
    if run.size != 32:
        images = load_images(images.name, size=run.size)
    about = {"data": images.name, "source": images.source, "fingerprint": images.fingerprint}
    about |= {"start": run.start} if run.start else {}
    about |= {"change": run.change.__name__} if run.change else {}
    about |= {"mean_mask_ratio": RisingRatio.mean} if run.change is rising_ratio else {}
    settings = {"seed": run.seed, "precision": "auto", "out": run.folder, "resume": True, "about": about}
    write_json(
        run.folder / "scores.json", supervised(run, images, settings) if run.labels else pretext(run, images, settings)
    )
    for checkpoint in run.folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    if run.labels or run.change or run.kept_apart:  # nothing starts from them, and MP3 does not know a change
        (run.folder / "model.safetensors").unlink()


def new_vit(run: Run) -> ViT:
    torch.manual_seed(run.seed)
    settings = dict(num_classes=10, image_size=run.size, patch_size=PATCH, dim=128, depth=4, heads=2, mlp_dim=512)
    return ViT(**settings | (PLAIN if (run.cue or "").startswith("plain") else {}) | run.vit)


def pretext(run: Run, images, settings: dict) -> dict:
    """Pretrain; position accuracy on test images as they are and as the cue has them; probes against a random ViT."""
    mp3 = MP3(new_vit(run), run.mask_ratio, run.context)
    if run.start:
        mp3 = with_image_size(MP3.from_pretrained(RUNS / run.start), run.size, run.mask_ratio, run.context)
    if run.change:
        run.change(mp3, run.options["epochs"] * (TRAIN // run.options.get("batch_size", 256)))
    cue = CUES[run.cue] if run.cue else Cue()
    train_images, test_images = images.train.images[:TRAIN], images.test.images
    if run.kept_apart:
        test_images = images.train.images[TRAIN:]
    shown = cue.images(train_images) if cue.images else train_images
    pretrain(mp3, shown, transform=cue.transform, **cue.options, **run.options, **settings)
    where = "kept apart" if run.kept_apart else "as they are"
    scores = {"positions": {where: position_accuracy(mp3, test_images, RATIOS, jigsaw=run.probes)}}
    for name, made in cue.tests.items():
        torch.manual_seed(0)
        scores["positions"][name] = position_accuracy(mp3, made(test_images), RATIOS, jigsaw=True)
    for name, vit in (("weights", mp3.vit), ("random init", new_vit(run))) if run.probes else ():
        x, z = (frozen_features(vit, part) for part in (train_images, test_images))
        y, t = images.train.labels[:TRAIN], images.test.labels
        scores[name] = {"knn": knn_top1(x, y, z, t), "linear": linear_top1(x, y, z, t, seed=run.seed)}
    return scores


def supervised(run: Run, images, settings: dict) -> dict:
    """Train on labels, from a pretraining's weights or from random ones; top-1 on validation and on test images."""
    vit = MP3.from_pretrained(RUNS / run.start).vit if run.start else new_vit(run)
    if run.start:
        torch.manual_seed(run.seed)
        vit = use_classes(vit, 10)
    draw = torch.Generator().manual_seed(run.seed)
    chosen = torch.randperm(TRAIN, generator=draw)[: run.labels]
    held_out = images.train.images[TRAIN:], images.train.labels[TRAIN:]
    finetune(
        vit,
        images.train.images[chosen],
        images.train.labels[chosen],
        eval_images=held_out[0],
        eval_labels=held_out[1],
        eval_name="validation",
        **run.options,
        **settings,
    )
    pos_emb = run.options["pos_emb"]
    return {
        "validation_top1": top1_accuracy(vit, *held_out, pos_emb=pos_emb),
        "test_top1": top1_accuracy(vit, images.test.images, images.test.labels, pos_emb=pos_emb),
    }


def probe_pixels(images) -> None:
    """The probes of frozen features, of the pixels themselves: what a network has to be held against, too."""
    print("pixels", flush=True)
    x, z = (to_float(part).flatten(1) for part in (images.train.images[:TRAIN], images.test.images))
    y, t = images.train.labels[:TRAIN], images.test.labels
    about = {"data": images.name, "fingerprint": images.fingerprint, "num_images": TRAIN, "seed": 0}
    probes = {"knn": knn_top1(x, y, z, t), "linear": linear_top1(x, y, z, t, seed=0)}
    write_json(PIXELS, about | probes | {"versions": versions()})


def main() -> None:
    runs = all_runs()
    there_are = [*dict.fromkeys(name.split("/")[0] for name in runs), "pixels"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="*", help=f"of {', '.join(there_are)}, or how a run's name begins; none: all")
    parser.add_argument("--list", action="store_true", help="train nothing, say what is done and what is left")
    args = parser.parse_args()
    for name in args.study:
        if name != "pixels" and not any(run.startswith(name) for run in runs):
            parser.error(f"no run's name begins with {name}; there are {', '.join(there_are)}, see --list")
    wanted = [run for run in runs.values() if not args.study or run.name.startswith(tuple(args.study))]
    if args.list:
        print("\n".join(f"{'done' if done(run) else 'left'} {run.name}" for run in wanted))
        return
    images = load_images("cifar10")
    if not PIXELS.exists() and (not args.study or "pixels" in args.study):
        probe_pixels(images)
    for run in wanted:
        train(run, runs, images)


if __name__ == "__main__":
    sys.exit(main())

"""Train one run of the plan and measure it. The folder of a finished run holds settings, log and ``scores.json``.

Weights that another run starts from stay in the folder, but out of git.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import torch
from filelock import FileLock

from mp3lib import MP3, ViT, load_images
from mp3lib.data import Images, to_float
from mp3lib.evaluate import frozen_features, knn_top1, linear_top1, position_accuracy, top1_accuracy
from mp3lib.json_files import write_json
from mp3lib.model import use_classes, with_image_size
from mp3lib.train import finetune, pretrain
from mp3lib.train.run_folder import versions

from . import plan
from .plan import PATCH, TRAIN, Run
from .recipes import RisingRatio, rising_ratio
from .runs import RESULTS, log_kept

PIXELS = RESULTS / "evaluations" / "pixels.json"
RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9)


def main(names: Sequence[str], only_list: bool = False) -> None:
    """Train, in order, the runs whose names begin with one of ``names``, or all; ``ValueError`` if there are none."""
    runs = plan.all_runs()
    studies = [*dict.fromkeys(name.split("/")[0] for name in runs), "pixels"]
    for name in names:
        if name != "pixels" and not any(run.startswith(name) for run in runs):
            raise ValueError(f"no run's name begins with {name}; there are {', '.join(studies)}, see --list")
    wanted = [run for run in runs.values() if not names or run.name.startswith(tuple(names))]
    if only_list:
        print("\n".join(f"{'done' if run.done else 'left'} {run.name}" for run in wanted))
        return
    images = load_images("cifar10")
    if not PIXELS.exists() and (not names or "pixels" in names):
        probe_pixels(images)
    for run in wanted:
        train(run, runs, images)


def train(run: Run, known: dict[str, Run], images: Images, weights: bool = False) -> None:
    """Train a run unless it is done; if another process trains it, wait for that one to end.

    With ``weights`` a run is done only if its weights are there, too: a clone has the logs alone.
    """
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(run.folder.with_name(f".{run.folder.name}.lock")):
        if not run.done or (weights and not (run.folder / "model.safetensors").exists()):
            train_alone(run, known, images)


def train_alone(run: Run, known: dict[str, Run], images: Images) -> None:
    """Train a run, and before it the run that it starts from, unless the weights of that one are there."""
    if run.start and not (plan.RUNS / run.start / "model.safetensors").exists():
        if run.start not in known:
            raise FileNotFoundError(f"{plan.RUNS / run.start} has no weights: python -m studies stages {run.start}")
        train(known[run.start], known, images, weights=True)
    with log_kept(run.folder):
        print(run.name, flush=True)
        if run.size != 32:
            images = load_images(images.name, size=run.size)
        about = {"data": images.name, "source": images.source, "fingerprint": images.fingerprint}
        about |= {"start": run.start} if run.start else {}
        about |= {"change": run.change.__name__} if run.change else {}
        about |= {"mean_mask_ratio": RisingRatio.mean} if run.change is rising_ratio else {}
        settings = {"precision": "auto"} | run.options
        settings |= {"seed": run.seed, "out": run.folder, "resume": True, "about": about}
        scores = supervised(run, images, settings) if run.labels else pretext(run, images, settings)
        write_json(run.folder / "scores.json", scores)
    for checkpoint in run.folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    if run.labels or run.change or run.kept_apart:  # no run starts from these weights, and MP3 does not know a change
        (run.folder / "model.safetensors").unlink()


def new_vit(run: Run) -> ViT:
    torch.manual_seed(run.seed)
    settings = dict(num_classes=10, image_size=run.size, patch_size=PATCH, dim=128, depth=4, heads=2, mlp_dim=512)
    return ViT(**settings | run.vit)


def pretext(run: Run, images: Images, settings: dict) -> dict:
    """Pretrain; position accuracy on test images as they are and as the cue has them; probes beside a random ViT."""
    mp3 = MP3(new_vit(run), run.mask_ratio, run.context)
    if run.start:
        mp3 = with_image_size(MP3.from_pretrained(plan.RUNS / run.start), run.size, run.mask_ratio, run.context)
    if run.change:
        mp3 = run.change(mp3, run.options["epochs"] * (TRAIN // run.options.get("batch_size", 256)))
    train_images, test_images = images.train.images[:TRAIN], images.test.images
    if run.kept_apart:
        test_images = images.train.images[TRAIN:]
    shown = run.cue.images(train_images) if run.cue.images else train_images
    pretrain(mp3, shown, transform=run.cue.transform, **settings)
    where = "kept apart" if run.kept_apart else "as they are"
    scores = {"positions": {where: position_accuracy(mp3, test_images, RATIOS, jigsaw=True)}}
    for name, made in run.cue.tests.items():
        torch.manual_seed(0)
        scores["positions"][name] = position_accuracy(mp3, made(test_images), RATIOS, jigsaw=True)
    for name, vit in (("weights", mp3.vit), ("random init", new_vit(run))) if run.probes else ():
        x, z = (frozen_features(vit, part) for part in (train_images, test_images))
        scores[name] = probes(x, z, images, run.seed)
    return scores


def supervised(run: Run, images: Images, settings: dict) -> dict:
    """Train on labels, from a pretraining's weights or from random ones; top-1 on validation and on test images."""
    vit = MP3.from_pretrained(plan.RUNS / run.start).vit if run.start else new_vit(run)
    if run.start:
        torch.manual_seed(run.seed)
        vit = use_classes(vit, 10)
    chosen = torch.randperm(TRAIN, generator=torch.Generator().manual_seed(run.seed))[: run.labels]
    held_out = images.train.images[TRAIN:], images.train.labels[TRAIN:]
    finetune(
        vit,
        images.train.images[chosen],
        images.train.labels[chosen],
        eval_images=held_out[0],
        eval_labels=held_out[1],
        eval_name="validation",
        **settings,
    )
    pos_emb = run.options["pos_emb"]
    return {
        "validation_top1": top1_accuracy(vit, *held_out, pos_emb=pos_emb),
        "test_top1": top1_accuracy(vit, images.test.images, images.test.labels, pos_emb=pos_emb),
    }


def probe_pixels(images: Images) -> None:
    """The probes of frozen features, of the pixels themselves: they need no network."""
    print("pixels", flush=True)
    x, z = (to_float(part).flatten(1) for part in (images.train.images[:TRAIN], images.test.images))
    about = {"data": images.name, "fingerprint": images.fingerprint, "num_images": TRAIN, "seed": 0}
    write_json(PIXELS, about | probes(x, z, images, 0) | {"versions": versions()})


def probes(train: torch.Tensor, test: torch.Tensor, images: Images, seed: int) -> dict[str, float]:
    """k-NN and linear top-1 of features (N, d) of the training images and of the test images."""
    labels = images.train.labels[:TRAIN], images.test.labels
    data = train, labels[0], test, labels[1]
    return {"knn": knn_top1(*data), "linear": linear_top1(*data, seed=seed)}

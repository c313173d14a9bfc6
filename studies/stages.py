"""Train the networks that come with the library, stage by stage: puzzlers, pupils, the 8 x 8 flagship, its classifier.

Each stage is a command of mp3lib, which goes on where it was stopped. Every stage is a folder in results/runs. Its
weights stay out of git; ``python -m studies ship`` adds them.

The puzzler of CIFAR-10 learns with many patches hidden first, and with few at last, where it sees whole images and no
crops. The puzzler of scenes learned its 10,000 images by heart, so its last stage has 50,000 others.
The flagship learns on images of 16, 24 and 32 pixels, whose 4-pixel patches make grids of 4 x 4, 6 x 6 and 8 x 8
positions. The classifier starts from the flagship as it was after 40 epochs on 8 x 8 positions, and is fine-tuned on
the labels, on images of 24 and 32 pixels. For comparison, the same fine-tuning from random weights, and the first two
stages of both without position embeddings.

The stored runs puzzler-4x4, puzzler-scenes, flagship-8x8-second, classifier-6x6, classifier-6x6-nopos,
classifier-8x8-second and classifier-8x8 began with weights that had been shipped, so rounded to half precision.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from mp3lib.__main__ import main as command_line

from . import more_scenes
from .runs import ROOT, log_kept

RUNS = Path("results/runs")  # run.json names the runs that a stage starts from by this path
MORE_SCENES = RUNS / f"{more_scenes.NAME}.safetensors"
COMMON = "--data cifar10 --resume"
ALL_RATIOS = "--mask-ratio 0.1 0.75 --crop-area 0.8 1"
STUDENT = "pretrain --batch-size 128 --query-fraction 0.5 --resume"
SHAPE = "--patch-size 4 --depth 6 --no-patch-norm"
MP3 = f"pretrain {COMMON} {SHAPE} --batch-size 256 --lr 3e-3 --query-fraction 0.25 --eval-every 4"
MORE = f"pretrain {COMMON} --size 32 --batch-size 128 --query-fraction 0.25"
HALF = f"{MORE} --mask-ratio 0.5 --lr 2e-3 --eval-every 5"
LAST = f"{MORE} --crop-area 1 1 --eval-every 6"
CLASSES = f"finetune {COMMON} --augment 0.2 --label-smoothing 0.1"
LONGER = f"finetune {COMMON} --augment 0.4 --label-smoothing 0.1 --size 32 --lr 3e-3 --eval-every 6"
NOPOS = f"{CLASSES} --no-pos-emb"
ON_24 = "--size 24 --epochs 8 --eval-every 4"
ON_32 = "--size 32 --lr 3e-3 --eval-every 3"
STAGES = {
    "pupil-4x4": f"{STUDENT} --data cifar10 --lr 2e-3 --epochs 60",
    "puzzler-4x4-first": f"{STUDENT} --data cifar10 {ALL_RATIOS} --lr 2e-3 --epochs 80",
    "puzzler-4x4": f"{STUDENT} --data cifar10 --start {RUNS}/puzzler-4x4-first --mask-ratio 0 0.4 --crop-area 1 1 "
    "--lr 1.5e-3 --epochs 16 --eval-every 4",
    "pupil-scenes": f"{STUDENT} --data scenes --lr 2e-3 --epochs 80",
    "puzzler-scenes-first": f"{STUDENT} --data scenes {ALL_RATIOS} --lr 1.5e-3 --epochs 120",
    "puzzler-scenes": f"{STUDENT} --data {MORE_SCENES} --start {RUNS}/puzzler-scenes-first --mask-ratio 0 0.75 "
    "--crop-area 0.8 1 --lr 1.5e-3 --epochs 12 --eval-every 2",
    "flagship-4x4": f"{MP3} --size 16 --epochs 16",
    "flagship-6x6": f"{MP3} --size 24 --epochs 12 --start {RUNS}/flagship-4x4",
    "flagship-8x8-first": f"{MP3} --size 32 --epochs 40 --start {RUNS}/flagship-6x6",
    "flagship-8x8-second": f"{HALF} --epochs 10 --start {RUNS}/flagship-8x8-first",
    "flagship-8x8-third": f"{LAST} --mask-ratio 0.25 --lr 1.5e-3 --epochs 18 --start {RUNS}/flagship-8x8-second",
    "flagship-8x8": f"{LAST} --mask-ratio 0.25 0.75 --lr 1e-3 --epochs 14 --start {RUNS}/flagship-8x8-third",
    "classifier-6x6": f"{CLASSES} --weights {RUNS}/flagship-8x8-first {ON_24} --lr 4e-3",
    "classifier-8x8-first": f"{CLASSES} --weights {RUNS}/classifier-6x6 {ON_32} --epochs 3",
    "classifier-8x8-second": f"{CLASSES} --weights {RUNS}/classifier-8x8-first {ON_32} --epochs 6",
    "classifier-8x8": f"{LONGER} --weights {RUNS}/classifier-8x8-second --epochs 30",
    "scratch-6x6": f"{CLASSES} --weights none {SHAPE} {ON_24} --lr 8e-3",
    "scratch-8x8-first": f"{CLASSES} --weights {RUNS}/scratch-6x6 {ON_32} --epochs 3",
    "scratch-8x8-second": f"{CLASSES} --weights {RUNS}/scratch-8x8-first {ON_32} --epochs 6",
    "scratch-8x8": f"{LONGER} --weights {RUNS}/scratch-8x8-second --epochs 30",
    "classifier-6x6-nopos": f"{NOPOS} --weights {RUNS}/flagship-8x8-first {ON_24} --lr 4e-3",
    "classifier-8x8-first-nopos": f"{NOPOS} --weights {RUNS}/classifier-6x6-nopos {ON_32} --epochs 3",
    "scratch-6x6-nopos": f"{NOPOS} --weights none {SHAPE} {ON_24} --lr 8e-3",
    "scratch-8x8-first-nopos": f"{NOPOS} --weights {RUNS}/scratch-6x6-nopos {ON_32} --epochs 3",
}


def main(names: Sequence[str], only_list: bool = False) -> None:
    """Train the stages that ``names`` choose, or print their commands; see ``chosen``."""
    stages = chosen(names)
    os.chdir(ROOT)
    for stage in stages:
        if only_list:
            print(typed(stage))
        else:
            train(stage)


def typed(name: str) -> str:
    """The stage's name, and its command as a reader would type it."""
    return f"{name}: python -m mp3lib {STAGES[name]} --out {RUNS / name}"


def chosen(names: Sequence[str]) -> list[str]:
    """The stages of these names, or whose names begin so, in order; without names all of them.

    Raises:
        ValueError: if a name finds none.
    """
    found: set[str] = set()
    for name in names or [""]:
        named = [name] if name in STAGES else [stage for stage in STAGES if stage.startswith(name)]
        if not named:
            raise ValueError(f"no stage is named or begins with {name}; there are {', '.join(STAGES)}")
        found.update(named)
    return [stage for stage in STAGES if stage in found]


def train(name: str) -> None:
    """Train a stage unless it is trained; if another process trains it, wait for that one to end."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with FileLock(RUNS / f".{name}.lock"):
        train_alone(name)


def train_alone(name: str) -> None:
    """Train a stage unless its weights are there, and before it the one that it starts from."""
    folder, command = RUNS / name, STAGES[name].split()
    if (folder / "model.safetensors").exists():
        print(f"{name}: done")
        return
    for option in ("--start", "--weights"):
        if option in command and (before := Path(command[command.index(option) + 1]).name) in STAGES:
            train(before)
    if str(MORE_SCENES) in command and not MORE_SCENES.exists():
        print(f"painting {more_scenes.NUMBER:,} scenes", flush=True)
        more_scenes.make(MORE_SCENES)
    with log_kept(folder):
        print(typed(name), flush=True)
        if code := command_line([*command, "--out", str(folder)]):
            sys.exit(code)

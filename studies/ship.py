"""Add the model of a finished run to the weights that come with the library, in half precision.

The folder mp3lib/weights/NAME then holds model.safetensors (float16) and config.json, as its provenance the run's
run.json and metrics.jsonl, and a model card, README.md. The effect of the rounding is measured and printed before the
files are put there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mp3lib import ViT
from mp3lib.evaluate import position_accuracy, top1_accuracy
from mp3lib.json_files import write_text
from mp3lib.model import load_model, model_card
from mp3lib.model.shipped import FOLDER
from mp3lib.paths import with_usual_mode
from mp3lib.train import read_metrics, read_run
from mp3lib.train.best import is_finished

from .more_scenes import measured_on

FILES = ("model.safetensors", "config.json", "run.json", "metrics.jsonl")
CARD = "README.md"
LICENSE = {"license": "mit"}  # of the weights, as of all that comes with the library


def main(run: str | Path) -> None:
    """Ship the run in the folder ``run``; ``ValueError`` unless it is finished."""
    source = Path(run)
    target = FOLDER / source.name
    lines, about = read_metrics(source), read_run(source)
    if not is_finished(lines, about["settings"]):
        raise ValueError(f"{run} is not finished: epoch {len(lines)} of {about['settings']['epochs']}")
    beside = target.with_name(f".{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        tensors = load_file(source / FILES[0])
        save_file({name: t.to(torch.float16) for name, t in tensors.items()}, beside / FILES[0])
        with_usual_mode(beside / FILES[0])
        for name in FILES[1:]:
            shutil.copyfile(source / name, beside / name)
        write_text(beside / CARD, card(beside, target.name))
        measure(source, beside, about)
        target.mkdir(exist_ok=True)
        for name in (*FILES, CARD):
            os.replace(beside / name, target / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def card(folder: Path, name: str) -> str:
    """The model card of the weights in ``folder``, which ship as ``name``."""
    return model_card(load_model(folder), read_run(folder) | LICENSE, read_metrics(folder), name)


def measure(float32: Path, float16: Path, about: dict) -> None:
    """Print the accuracy of both weights on 2,000 test images."""
    for name, folder in (("float32", float32), ("float16", float16)):
        model = load_model(folder)
        vit = model if isinstance(model, ViT) else model.vit
        test = measured_on(about, vit.image_size).test
        images, labels = test.images[:2000], test.labels[:2000]
        if model is vit:
            print(name, top1_accuracy(vit, images, labels, pos_emb=about["settings"]["pos_emb"]))
        else:
            print(name, position_accuracy(model, images, (0.75, 0.0)))

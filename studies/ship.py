"""Add the model of a finished run to the weights that come with the library, in half precision.

The folder mp3lib/weights/NAME then holds model.safetensors (float16) and config.json, and as its provenance the run's
run.json and metrics.jsonl. The effect of the rounding is measured and printed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mp3lib import ViT
from mp3lib.evaluate import position_accuracy, top1_accuracy
from mp3lib.model import load_model
from mp3lib.model.shipped import FOLDER
from mp3lib.train import read_metrics, read_run

from .more_scenes import measured_on


def main(run: str | Path) -> None:
    """Ship the run in the folder ``run``; ``ValueError`` unless it is finished."""
    source = Path(run)
    target = FOLDER / source.name
    last, about = read_metrics(source)[-1], read_run(source)
    if last["epoch"] != (epochs := about["settings"]["epochs"]):
        raise ValueError(f"{run} is not finished: epoch {last['epoch']} of {epochs}")
    target.mkdir(parents=True, exist_ok=True)
    tensors = load_file(source / "model.safetensors")
    save_file({name: t.to(torch.float16) for name, t in tensors.items()}, target / "model.safetensors")
    for name in ("config.json", "run.json", "metrics.jsonl"):
        shutil.copyfile(source / name, target / name)
    for name, folder in (("float32", source), ("float16", target)):
        model = load_model(folder)
        vit = model if isinstance(model, ViT) else model.vit
        test = measured_on(about, vit.image_size).test
        images, labels = test.images[:2000], test.labels[:2000]
        if model is vit:
            print(name, top1_accuracy(vit, images, labels, pos_emb=about["settings"]["pos_emb"]))
        else:
            print(name, position_accuracy(model, images, (0.75, 0.0)))

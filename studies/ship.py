"""Put the model of a finished run among the shipped weights, in half precision: python tools/ship.py results/runs/NAME

The folder mp3lib/weights/NAME then holds model.safetensors (float16), config.json, and the run's run.json and
metrics.jsonl as its provenance. What the rounding changes is measured and printed.
"""

import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mp3lib import ViT, load_images
from mp3lib.evaluate import position_accuracy, top1_accuracy
from mp3lib.model import load_model
from mp3lib.model.shipped import FOLDER
from mp3lib.train import read_metrics, read_run


def main(run: str) -> None:
    source = Path(run)
    target = FOLDER / source.name
    last, about = read_metrics(source)[-1], read_run(source)
    if last["epoch"] != (epochs := about["settings"]["epochs"]):
        sys.exit(f"{run} is not finished: epoch {last['epoch']} of {epochs}")
    target.mkdir(parents=True, exist_ok=True)
    tensors = load_file(source / "model.safetensors")
    save_file({name: t.to(torch.float16) for name, t in tensors.items()}, target / "model.safetensors")
    for name in ("config.json", "run.json", "metrics.jsonl"):
        shutil.copyfile(source / name, target / name)
    for name, folder in (("float32", source), ("float16", target)):
        model = load_model(folder)
        if isinstance(model, ViT):
            test = load_images(about["data"], size=model.image_size).test
            print(
                name, top1_accuracy(model, test.images[:2000], test.labels[:2000], pos_emb=about["settings"]["pos_emb"])
            )
        else:
            test = load_images(about["data"], size=model.vit.image_size).test
            print(name, position_accuracy(model, test.images[:2000], (0.75, 0.0)))


if __name__ == "__main__":
    main(sys.argv[1])

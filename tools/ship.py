"""Put the model of a finished run among the shipped weights, in half precision: python tools/ship.py results/runs/NAME

The folder mp3lib/weights/NAME then holds model.safetensors (float16), config.json, and the run's run.json and
metrics.jsonl as its provenance. What the rounding changes is measured and printed.
"""

import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mp3lib import MP3, load_images
from mp3lib.evaluate import position_accuracy
from mp3lib.results import read_metrics, read_run
from mp3lib.shipped import FOLDER
from mp3lib.vit import pair


def main(run: str) -> None:
    source = Path(run)
    target = FOLDER / source.name
    last, epochs = read_metrics(source)[-1], read_run(source)["settings"]["epochs"]
    if last["epoch"] != epochs:
        sys.exit(f"{run} is not finished: epoch {last['epoch']} of {epochs}")
    target.mkdir(parents=True, exist_ok=True)
    tensors = load_file(source / "model.safetensors")
    save_file({name: t.to(torch.float16) for name, t in tensors.items()}, target / "model.safetensors")
    for name in ("config.json", "run.json", "metrics.jsonl"):
        shutil.copyfile(source / name, target / name)
    run = read_run(source)
    size = pair(run["settings"]["model"]["vit"]["image_size"])
    test = load_images(run["data"], size=size).test.images[:2000]
    for name, folder in (("float32", source), ("float16", target)):
        print(name, position_accuracy(MP3.from_pretrained(folder), test, (0.75, 0.0)))


if __name__ == "__main__":
    main(sys.argv[1])

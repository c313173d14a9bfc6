"""Train the 8 x 8 flagship and its classifier on CIFAR-10: python tools/flagship.py

Commands one after the other, each of which goes on where it was stopped: MP3 on pictures of 16, 24 and 32 pixels, whose
4-pixel patches make grids of 4 x 4, 6 x 6 and 8 x 8 positions, then fine-tuning on the labels, on pictures of 24 and 32
pixels, from the flagship's weights as they are shipped and, to compare, from random ones. Every run is a folder in
results/runs; weights and checkpoints stay out of git (tools/ship.py puts them there). python tools/flagship.py
classifier: only the stages whose names begin so; a whole name: that one.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from mp3lib.__main__ import main

RUNS = Path("results/runs")
COMMON = "--data cifar10 --resume"
SHAPE = "--patch-size 4 --depth 6 --no-patch-norm"
MP3 = f"pretrain {COMMON} {SHAPE} --lr 3e-3 --query-fraction 0.25 --eval-every 4"
MORE = f"pretrain {COMMON} --mask-ratio 0.5 --batch-size 128 --lr 2e-3 --query-fraction 0.25 --eval-every 5"
CLASSES = f"finetune {COMMON} --augment 0.2 --label-smoothing 0.1"
STAGES = {
    "flagship-4x4": f"{MP3} --size 16 --epochs 16",
    "flagship-6x6": f"{MP3} --size 24 --epochs 12 --start {RUNS}/flagship-4x4",
    "flagship-8x8-first": f"{MP3} --size 32 --epochs 40 --start {RUNS}/flagship-6x6",
    "flagship-8x8": f"{MORE} --size 32 --epochs 10 --start {RUNS}/flagship-8x8-first",
    "classifier-6x6": f"{CLASSES} --weights {RUNS}/flagship-8x8-first --size 24 --epochs 8 --lr 4e-3 --eval-every 4",
    "classifier-8x8-first": f"{CLASSES} --weights {RUNS}/classifier-6x6 --size 32 --epochs 3 --lr 3e-3 --eval-every 3",
    "classifier-8x8": f"{CLASSES} --weights {RUNS}/classifier-8x8-first --size 32 --epochs 6 --lr 3e-3 --eval-every 3",
    "scratch-6x6": f"{CLASSES} --weights none {SHAPE} --size 24 --epochs 8 --lr 8e-3 --eval-every 4",
    "scratch-8x8-first": f"{CLASSES} --weights {RUNS}/scratch-6x6 --size 32 --epochs 3 --lr 3e-3 --eval-every 3",
    "scratch-8x8": f"{CLASSES} --weights {RUNS}/scratch-8x8-first --size 32 --epochs 6 --lr 3e-3 --eval-every 3",
}

if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    whole, begun = (tuple(arg for arg in sys.argv[1:] if (arg in STAGES) == is_name) for is_name in (True, False))
    wanted = [name for name in STAGES if len(sys.argv) == 1 or name in whole or name.startswith(begun)]
    if not wanted:
        sys.exit(f"no stage begins with {' or '.join(sys.argv[1:])}; there are {', '.join(STAGES)}")
    for name in wanted:
        command = STAGES[name]
        if not [*(RUNS / name).glob("checkpoint-*"), *(RUNS / name).glob("model.safetensors")]:
            shutil.rmtree(RUNS / name, ignore_errors=True)  # a clone has the log, but neither weights nor checkpoints
        print(f"{name}: python -m mp3lib {command} --out {RUNS}/{name}", flush=True)
        if code := main([*command.split(), "--out", str(RUNS / name)]):
            sys.exit(code)

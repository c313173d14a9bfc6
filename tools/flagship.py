"""Train the 8 x 8 flagship and its classifier on CIFAR-10: python tools/flagship.py

Commands one after the other, each of which goes on where it was stopped: MP3 on pictures of 16, 24 and 32 pixels, whose
4-pixel patches make grids of 4 x 4, 6 x 6 and 8 x 8 positions, then fine-tuning on the labels. Every run is a folder in
results/runs/flagship; weights and checkpoints stay out of git (tools/ship.py puts them there).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mp3lib.__main__ import main

RUNS = Path("results/runs/flagship")
COMMON = "--data cifar10 --precision bf16 --resume"
MP3 = f"pretrain {COMMON} --patch-size 4 --depth 6 --no-patch-norm --lr 3e-3 --query-fraction 0.25 --eval-every 4"
STAGES = {
    "16-pixels": f"{MP3} --size 16 --epochs 16",
    "24-pixels": f"{MP3} --size 24 --epochs 12 --start {RUNS}/16-pixels",
    "32-pixels": f"{MP3} --epochs 40 --start {RUNS}/24-pixels",
}

if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    for name, command in STAGES.items():
        print(f"{name}: python -m mp3lib {command} --out {RUNS}/{name}", flush=True)
        if code := main([*command.split(), "--out", str(RUNS / name)]):
            sys.exit(code)

"""What tests/test_processes.py lets several processes do at once: torchrun … tests/together.py FOLDER KIND.

Each process writes what it has seen to FOLDER/N.json, where N is its number.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType

from mp3lib import MP3, ViT
from mp3lib.model import load_mp3
from mp3lib.train import finetune, pretrain, read_run
from mp3lib.train.checkpoint import checkpoints

DRAW = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (96, 3, 16, 16), generator=DRAW, dtype=torch.uint8)
LABELS = torch.arange(96) % 3
QUICK = {"epochs": 2, "batch_size": 24, "precision": "float32", "progress": False, "schedule": "constant"}


def model(seed: int = 0, **options) -> MP3:
    torch.manual_seed(seed)
    shape = {"image_size": 16, "patch_size": 4, "dim": 16, "depth": 2, "heads": 2, "mlp_dim": 32}
    return MP3(ViT(num_classes=3, **shape | options), 0.5, "updated")


def losses(lines: list[dict]) -> list[float]:
    return [loss for line in lines for loss in line["losses"]]


def said(function, *args, **options) -> str:
    """What a call complains of."""
    try:
        function(*args, **options)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def training() -> dict[str, list[float]]:
    """Losses that must not depend on the number of processes."""
    drawn = QUICK | {"query_fraction": 0.5, "mask_ratios": (0.25, 0.75)}
    mp3 = model()
    return {
        "pretrain": losses(pretrain(mp3, IMAGES, **drawn)),
        "weights": [parameter.sum().item() for parameter in mp3.parameters()],
        "accumulate": losses(pretrain(model(), IMAGES, **drawn, accumulate=3, clip_grad=0.5)),
        "whole": losses(pretrain(model(), IMAGES, **drawn, clip_grad=0.5)),
        "finetune": losses(finetune(model().vit, IMAGES, LABELS, **QUICK, augment=0.5, erase=0.5, ema=0.5)),
    }


def folders(room: Path, rank: int) -> dict:
    """A run whose folder is on the machine of the main process alone, as on machines that share no disk."""
    options = QUICK | {"eval_images": IMAGES[:8], "eval_ratios": [0.5], "ema": 0.5}
    straight = pretrain(model(), IMAGES, **options)
    node = room / f"node{rank}"
    pretrain(model(), IMAGES, **options | {"epochs": 1}, out=node)
    resumed = model(seed=1 + rank)  # weights that are read over
    lines = pretrain(resumed, IMAGES, **options, out=node, resume=True)
    again = said(pretrain, model(), IMAGES, **options, out=node)
    odd = said(pretrain, model(), IMAGES, **QUICK | {"batch_size": 25}, out=room / "odd")
    return {
        "straight": losses(straight),
        "resumed": losses(lines),
        "evaluated": [line["test_accuracy"] for line in lines],
        "weights": [parameter.sum().item() for parameter in resumed.parameters()],
        "files": sorted(path.name for path in node.iterdir()) if node.exists() else [],
        "processes": read_run(node)["processes"] if rank == 0 else None,
        "again": again,
        "odd": odd,
        "odd folder": (room / "odd").exists(),
    }


def sharded(room: Path, rank: int) -> dict:
    """The same with FSDP. Accelerate uses it on GPUs only, so it is told that these processes were such."""
    PartialState(cpu=True).distributed_type = DistributedType.MULTI_GPU
    options = QUICK | {"optimizer": "adamw", "clip_grad": 0.5, "eval_images": IMAGES[:8], "eval_ratios": [0.5]}
    refused = {
        name: said(pretrain, model(), IMAGES, **options | {name: value}, out=room / "no")
        for name, value in {"optimizer": "muon", "ema": 0.5, "compile": True}.items()
    }
    out = room / "run"
    pretrain(model(), IMAGES, **options | {"epochs": 1}, out=out)
    mp3 = model(seed=1 + rank)
    lines = pretrain(mp3, IMAGES, **options, out=out, resume=True, accumulate=1)
    newest = checkpoints(out)[0]
    tuned = losses(finetune(model().vit, IMAGES, LABELS, **QUICK | {"optimizer": "adamw"}))
    return {
        "refused": refused,
        "no folder": not (room / "no").exists(),
        "losses": losses(lines),
        "accuracy": lines[-1]["test_accuracy"]["0.5"],
        "weights": [parameter.sum().item() for parameter in mp3.parameters()],
        "saved": [parameter.sum().item() for parameter in load_mp3(out).parameters()],
        "in checkpoint": [parameter.sum().item() for parameter in load_mp3(newest).parameters()],
        "finetune": tuned,
    }


if __name__ == "__main__":
    room, kind, number = Path(sys.argv[1]), sys.argv[2], int(os.environ["RANK"])
    torch.set_num_threads(1)
    seen = sharded(room, number) if kind == "sharded" else {"training": training(), "folders": folders(room, number)}
    (room / f"{number}.json").write_text(json.dumps(seen))

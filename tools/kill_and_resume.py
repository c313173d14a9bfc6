"""Kill a training with SIGKILL at random moments, resume it, and compare: python tools/kill_and_resume.py [--rounds 20]

Each round trains a small ViT in a process of its own, kills that, starts it again with resume=True, and compares the
weights and the log with those of a run that nobody killed: float32 weights bit for bit, the log but for the seconds.
Rounds take turns between a pretraining and a fine-tuning, both with everything switched on, and between four kinds of
moments:

    start       while it loads, or early on
    step        somewhere within an epoch
    checkpoint  while a checkpoint is being written, by its folder's name
    end         after the last step: while the model is written, or has been

Results go to results/kill_and_resume.json. The exit status is 1 if any round differs.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
import torch._dynamo  # which the optimizers ask for: once, for all processes to come
from safetensors.torch import load_file

from mp3lib import MP3, ViT
from mp3lib.json_files import write_json
from mp3lib.train import finetune, pretrain, read_metrics
from mp3lib.train.run_folder import versions

RESULT = Path(__file__).resolve().parents[1] / "results" / "kill_and_resume.json"
PROCESSES = get_context("fork" if "fork" in get_all_start_methods() else "spawn")
MOMENTS = ("start", "step", "checkpoint", "end")
EPOCHS, BATCH = 4, 64
COMMON = {"epochs": EPOCHS, "batch_size": BATCH, "precision": "float32", "eval_every": 2, "ema": 0.9, "progress": False}
OPTIONS = {
    "pretrain": COMMON | {"query_fraction": 0.5, "mask_ratios": (0.25, 0.75)},
    "finetune": COMMON
    | {"augment": 0.5, "erase": 0.25, "mix": 0.5, "label_smoothing": 0.1, "drop_path": 0.1, "layer_decay": 0.8},
}
DRAW = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (768, 3, 32, 32), generator=DRAW, dtype=torch.uint8)
LABELS = torch.randint(0, 10, (768,), generator=DRAW)


def train(task: str, folder: Path, resume: bool) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    vit = ViT(num_classes=10, image_size=32, patch_size=8, dim=64, depth=2, heads=1, mlp_dim=256, dropout=0.1)
    if task == "pretrain":
        pretrain(MP3(vit, 0.75, "updated"), IMAGES, eval_images=IMAGES[:64], out=folder, resume=resume, **OPTIONS[task])
    else:
        test = {"eval_images": IMAGES[:64], "eval_labels": LABELS[:64]}
        finetune(vit, IMAGES, LABELS, out=folder, resume=resume, **test, **OPTIONS[task])


def start(task: str, folder: Path, resume: bool = False) -> BaseProcess:
    process = PROCESSES.Process(target=train, args=(task, folder, resume))
    process.start()
    return process


def finish(process: BaseProcess, task: str) -> None:
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{task} ended with status {process.exitcode}")


def done_epochs(folder: Path) -> int:
    """Epochs whose checkpoint is complete."""
    newest = max((int(path.name[-8:]) for path in folder.glob("checkpoint-*")), default=0)
    return newest * BATCH // len(IMAGES)


def kill(process: BaseProcess, folder: Path, moment: str, draw: random.Random, seconds: dict) -> str:
    """Wait for the moment, kill, and tell how it was chosen; ``seconds`` to the first checkpoint, and of an epoch."""
    if moment == "start":
        ready, wait, told = lambda: True, draw.uniform(0, seconds["first"]), "seconds after its start"
    elif moment == "end":
        # at its last checkpoint until shortly after the process would have ended by itself
        ready, wait, told = lambda: done_epochs(folder) == EPOCHS, draw.uniform(0, 0.05), "seconds after the last step"
    else:
        after = draw.randrange(1, EPOCHS) if moment == "step" else draw.randrange(EPOCHS)
        ready = {
            "step": lambda: done_epochs(folder) >= after,
            "checkpoint": lambda: done_epochs(folder) >= after and any(folder.glob(".checkpoint-*")),
        }[moment]
        wait = draw.uniform(0, 0.8 * seconds["epoch"]) if moment == "step" else draw.uniform(0, 0.02)
        told = f"seconds after epoch {after}" if moment == "step" else f"seconds into a checkpoint after epoch {after}"
    while not ready() and process.is_alive():
        time.sleep(0.0002)
    time.sleep(wait)
    process.kill()
    process.join()
    return f"{wait:.4f} {told}"


def found(folder: Path) -> dict:
    """What the killed process left behind."""
    return {"files": sorted(path.name for path in folder.iterdir()) if folder.exists() else []}


def outcome(folder: Path) -> tuple[dict, list[dict]]:
    """The final weights, and the log without its seconds."""
    lines = [{name: value for name, value in line.items() if name != "seconds"} for line in read_metrics(folder)]
    return load_file(folder / "model.safetensors"), lines


def same(one: tuple[dict, list[dict]], other: tuple[dict, list[dict]]) -> dict:
    (weights, log), (weights2, log2) = one, other
    equal = weights.keys() == weights2.keys() and all(weights[k].equal(weights2[k]) for k in weights)
    return {"weights": equal, "log": log == log2}


def measure(process: BaseProcess, task: str, folder: Path) -> dict:
    """Run to the end; seconds from the start to the first checkpoint, and of an epoch."""
    begun = time.perf_counter()
    times: dict[int, float] = {}
    while process.is_alive():
        times.setdefault(done_epochs(folder), time.perf_counter() - begun)
        time.sleep(0.001)
    finish(process, task)
    last = max(times)
    return {"first": times[1], "epoch": (times[last] - times[1]) / (last - 1)}


def kill_and_resume(
    rounds: int, seed: int, moments: Sequence[str] = MOMENTS, tell: Callable[[str], None] = print
) -> dict:
    """All rounds: what ``results/kill_and_resume.json`` holds."""
    draw = random.Random(seed)
    told = []
    with tempfile.TemporaryDirectory() as room:
        room = Path(room)
        seconds, expected = {}, {}
        for task in list(OPTIONS)[: min(rounds, len(OPTIONS))]:
            seconds[task] = measure(start(task, room / task), task, room / task)
            expected[task] = outcome(room / task)
        for number in range(rounds):
            task, moment = list(OPTIONS)[number % 2], moments[number // 2 % len(moments)]
            folder = room / str(number)
            process = start(task, folder)
            when = kill(process, folder, moment, draw, seconds[task])
            status, left = process.exitcode, found(folder)
            finish(start(task, folder, resume=True), task)
            equal = same(expected[task], outcome(folder))
            line = {"task": task, "moment": moment, "killed": when, "status": status, "left": left, "same": equal}
            told.append(line)
            verdict = "same" if all(equal.values()) else f"DIFFERENT: {equal}"
            tell(f"{number + 1:2} {task}, {moment}, {when}, status {status}, left {' '.join(left['files'])}: {verdict}")
            shutil.rmtree(folder)
    equal = sum(all(line["same"].values()) for line in told)
    return {"rounds": rounds, "same": equal, "seed": seed, "versions": versions(), "options": OPTIONS, "each": told}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="default: 20")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=RESULT, metavar="FILE", help="where the results go")
    args = parser.parse_args()
    result = kill_and_resume(args.rounds, args.seed)
    write_json(args.out, result)
    print(f"{result['same']} of {result['rounds']} resumed runs equal an uninterrupted one, bit for bit")
    return int(result["same"] != result["rounds"])


if __name__ == "__main__":
    sys.exit(main())

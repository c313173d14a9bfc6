"""What makes a training step faster, and how processes share it: python benchmarks/scale.py --out FILE

The network of notebook 10 is pretrained on random images. Each figure is a ratio to the same base, measured beside it
in every round, and what is given is the median of the rounds with the lowest and the highest. Ratios to be read, not
seconds: other programs on the machine hit both sides. 1, 2 and 4 processes have one thread each; "one, with threads" is
one process with a thread for every core. More processes than cores share the cores: their row shows what the exchange
and the waiting cost, not what four cores would give.

--out FILE writes the figures as JSON (results/benchmarks/scale.json); --show prints a stored file again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.autograd.graph import saved_tensors_hooks

from mp3lib import MP3, ViT
from mp3lib.json_files import write_json
from mp3lib.train import pretrain, step_costs
from mp3lib.train.run_folder import versions

RESULT = Path(__file__).resolve().parents[1] / "results" / "benchmarks" / "scale.json"
SHAPE = {"image_size": 32, "patch_size": 4, "dim": 128, "depth": 4, "heads": 2, "mlp_dim": 512, "patch_norm": False}
BASE = {"batch_size": 64, "precision": "float32", "optimizer": "adamw", "flip": True}
MASK_RATIO = 0.75
VARIANTS = {
    "bf16": {"precision": "bf16"},
    "queries from half of the hidden patches": {"query_fraction": 0.5},
    "queries from a quarter of the hidden patches": {"query_fraction": 0.25},
    "batch of 16": {"batch_size": 16},
    "batch of 256": {"batch_size": 256},
    "Muon": {"optimizer": "muon"},
    "compiled blocks": {"compile": True},
    "checkpointed activations": {"checkpoint_activations": True},
}
PROCESSES = (1, 2, 4)


def new_model() -> MP3:
    torch.manual_seed(0)
    return MP3(ViT(num_classes=10, **SHAPE), MASK_RATIO, "updated")


def pictures(number: int) -> torch.Tensor:
    return torch.randint(0, 256, (number, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def second_epoch(images: torch.Tensor, **options) -> float:
    """Seconds of the second epoch of a pretraining; the first one compiles and warms up."""
    lines = pretrain(new_model(), images, epochs=2, progress=False, **BASE | options)
    return lines[-1]["seconds"]


def launched(processes: int, threads: int, images: int) -> float:
    """Seconds of the second epoch, of so many processes that share each batch."""
    run = f"-m torch.distributed.run --standalone --nproc-per-node {processes}".split()
    command = [sys.executable, *run, __file__, "--worker", "--images", str(images)]
    settings = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def matrix_speed() -> float:
    """Float32 operations a second of bare matrix products, of the size of this network's largest."""
    left, right = torch.rand(64 * 64, 128), torch.rand(128, 512)
    begun, number = time.perf_counter(), 0
    while time.perf_counter() - begun < 0.5:
        left @ right
        number += 1
    return 2 * left.shape[0] * left.shape[1] * right.shape[1] * number / (time.perf_counter() - begun)


def kept_bytes(model: MP3, batch: int) -> int:
    """Bytes of the tensors that the forward pass keeps for the backward pass, besides the weights."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that its place is not used again
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        model(torch.rand(batch, 3, 32, 32))
    return sum(size for size, _ in kept.values())


def spread(values: list[float]) -> dict[str, float]:
    return {name: round(of(values), 4) for name, of in (("median", statistics.median), ("low", min), ("high", max))}


def measure(rounds: int, images: int) -> dict:
    data, batch = pictures(images), BASE["batch_size"]
    ratios: dict[str, list[float]] = {name: [] for name in VARIANTS}
    rates: dict[str, list[float]] = {str(number): [] for number in (*PROCESSES, "one, with threads")}
    shares, steps = [], []
    for number in range(rounds):
        speed, base = matrix_speed(), second_epoch(data)
        steps.append(base / (images // batch))
        shares.append(step_costs(new_model(), batch, optimizer="adamw").flops / steps[-1] / speed)
        for name, options in VARIANTS.items():
            ratios[name].append(base / second_epoch(data, **options))
        for processes in PROCESSES:
            rates[str(processes)].append(images / launched(processes, 1, images))
        rates["one, with threads"].append(images / launched(1, os.cpu_count() or 1, images))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    costs = step_costs(new_model(), batch, optimizer="adamw")
    return {
        "rounds": rounds,
        "images": images,
        "shape": SHAPE,
        "base": BASE | {"mask_ratio": MASK_RATIO},
        "costs": costs._asdict(),
        "kept_bytes": kept_bytes(new_model(), batch),
        "step_seconds": spread(steps),
        "of_matrix_speed": spread(shares),
        "times_as_fast": {name: spread(values) for name, values in ratios.items()},
        "processes": {
            name: spread([rate / one for rate, one in zip(values, rates["1"], strict=True)])
            | {"images_per_second": round(statistics.median(values), 1)}
            for name, values in rates.items()
        },
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }


def report(result: dict) -> str:
    """The figures as text."""
    host, costs = result["versions"], result["costs"]
    lines = [
        f"{host['cores']} cores ({host['cpu'].split(' @')[0]}, {host['capability']}), PyTorch {host['torch']}, "
        f"{result['threads']} threads, median of {result['rounds']} rounds",
        f"a step of {result['base']['batch_size']} images: {costs['flops'] / 1e9:.1f} GFLOP, "
        f"{costs['activation_bytes'] / 1e6:.0f} MB kept ({result['kept_bytes'] / 1e6:.0f} measured), "
        f"{costs['state_bytes'] / 1e6:.0f} MB weights, gradients and optimizer",
        f"of the speed of bare matrix products: {result['of_matrix_speed']['median']:.0%}",
        "",
        "times as fast as float32, queries from all patches, batches of 64, AdamW",
    ]
    lines += [
        f"  {name:44}{one['median']:6.2f}  ({one['low']:.2f} to {one['high']:.2f})"
        for name, one in result["times_as_fast"].items()
    ]
    lines += ["", "processes, one thread each                        images/s  times as fast as one"]
    lines += [
        f"  {name:44}{one['images_per_second']:8.0f}  {one['median']:6.2f}  ({one['low']:.2f} to {one['high']:.2f})"
        for name, one in result["processes"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--images", type=int, default=512, help="of an epoch (default: 512)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the figures there, as JSON")
    parser.add_argument("--show", action="store_true", help=f"print those of {RESULT.name}, and measure nothing")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        seconds = second_epoch(pictures(args.images))
        if os.environ["RANK"] == "0":
            print(seconds)
        return
    result = json.loads(RESULT.read_text()) if args.show else measure(args.rounds, args.images)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(args.out, result)
    print(report(result))


if __name__ == "__main__":
    main()

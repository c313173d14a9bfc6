"""What Muon costs in bf16, PyTorch's own, and in float32: python benchmarks/muon.py

Processor time on one thread, interleaved, median of five rounds: forward and backward, either optimizer, and how many
times faster optimizer and whole step are in float32 than with bf16. Where a processor has no instructions for bf16,
much; where it has them, a little slower.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import torch
from throughput import BATCH, MODEL, RATIO, SMALL

from mp3lib import MP3, ViT
from mp3lib.train import RunSettings, keep_memory, make_optimizers

SETTINGS = RunSettings(
    task="pretrain",
    epochs=1,
    batch_size=BATCH,
    lr=2e-3,
    weight_decay=0.05,
    optimizer="muon",
    precision="float32",
    seed=0,
    num_images=BATCH,
)


def seconds(model: dict, query_fraction: float, rounds: int = 5) -> list[dict[str, tuple[float, float]]]:
    """Of each round, by the precision of Muon: seconds of forward and backward, and of the optimizers."""
    images, kinds = torch.randn(BATCH, 3, 32, 32), {}
    for precision in ("bf16", "float32"):
        mp3 = MP3(ViT(**model), RATIO, "updated")
        kinds[precision] = mp3, make_optimizers(mp3, replace(SETTINGS, precision=precision))
    measured = []
    for _ in range(rounds + 1):  # the first one warms up
        measured.append({})
        for precision, (mp3, optimizers) in kinds.items():
            begun = time.process_time()
            mp3(images, query_fraction).backward()
            between = time.process_time()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            measured[-1][precision] = between - begun, time.process_time() - between
    return measured[1:]


if __name__ == "__main__":
    torch.set_num_threads(1)
    keep_memory()
    settings = (("4 x 4 grid, queries from half", SMALL, 0.5), ("8 x 8 grid, queries from all", MODEL, 1.0))
    for name, model, query_fraction in settings:
        rounds = seconds(model, query_fraction)
        network = statistics.median(r["float32"][0] for r in rounds)
        bf16, float32 = (statistics.median(r[precision][1] for r in rounds) for precision in ("bf16", "float32"))
        optimizer = statistics.median(r["bf16"][1] / r["float32"][1] for r in rounds)
        step = statistics.median(sum(r["bf16"]) / sum(r["float32"]) for r in rounds)
        print(f"{name}: network {network:.3f} s, Muon in bf16 {bf16:.3f} s, in float32 {float32:.3f} s;", end=" ")
        print(f"in float32 the optimizer is {optimizer:.1f} times as fast, the step {step:.2f} times")

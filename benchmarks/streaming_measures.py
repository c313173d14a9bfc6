"""What ``streaming.py`` measures, each in a process of its own, and the start of that process (``fresh``)."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import psutil
import torch

from mp3lib import MP3, ViT, load_images
from mp3lib.data import pack_images, random_resized_crop, to_float
from mp3lib.model import preset
from mp3lib.train import pretrain
from mp3lib.train.batches import source_of

ROOT = Path(__file__).resolve().parents[1]
WORKERS = (0, 1, 2)
READ, BATCH, CROP = 512, 64, (0.6, 1.0)  # pictures that are read, pictures of a batch, area of the crops


def process_memory() -> int:
    """Bytes that this process has in memory."""
    return psutil.Process().memory_info().rss


def peaks() -> dict[str, int]:
    """The most bytes that this process has had in memory, and the largest of its workers that have ended."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    kinds = {"peak": resource.RUSAGE_SELF, "worker_peak": resource.RUSAGE_CHILDREN}
    found = {name: unit * resource.getrusage(kind).ru_maxrss for name, kind in kinds.items()}
    if sys.platform.startswith("linux"):  # whose ru_maxrss includes what the parent had when it started this process
        lines = Path("/proc/self/status").read_text().splitlines()
        found["peak"] = 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
    return found


def epoch_of(source, number: int):
    """The batches of an epoch as float tensors, cropped at random, as a training gets them."""
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(number))
    for batch in source.epoch(order, torch.arange(len(order)).split(BATCH), 0, number):
        yield to_float(batch.images) if batch.cropped else random_resized_crop(batch.images, CROP)


def measure_rates(path: str, size: int, rounds: int, batch: int) -> dict:
    """Pictures a second, each in turn in every round, as median, lowest and highest: read, and taken by a network."""
    rates: dict[str, list[float]] = {name: [] for name in (*map(str, WORKERS), "step")}
    for _ in range(rounds):
        for workers in WORKERS:
            rates[str(workers)].append(read_rate(path, size, workers))
        rates["step"].append(step_rate(batch))
    return {name: {"median": statistics.median(of), "low": min(of), "high": max(of)} for name, of in rates.items()}


def read_rate(path: str, size: int, workers: int) -> float:
    """Pictures a second of the second epoch over the first pictures: the workers are there already."""
    images = load_images(path, size, stream=True, workers=workers).train.images[:READ]
    source = source_of(images, None, CROP, True)
    for _ in epoch_of(source, 0):
        pass
    begun = time.perf_counter()
    for _ in epoch_of(source, 1):
        pass
    return len(images) / (time.perf_counter() - begun)


def step_rate(batch: int) -> float:
    """Pictures a second of the training step of ViT-Ti/16 at 224 pixels, by the usual recipe."""
    mp3 = MP3(ViT(num_classes=10, patch_norm=False, **preset("vit-ti16")), 0.75, "updated")
    pixels = torch.zeros(batch, 3, 224, 224, dtype=torch.uint8)
    lines = pretrain(mp3, pixels, epochs=3, batch_size=batch, query_fraction=0.5, progress=False)
    return len(pixels) / statistics.median(line["seconds"] for line in lines[1:])


def measure_pack(path: str, size: int, out: str) -> dict:
    """Seconds of packing."""
    begun = time.perf_counter()
    pack_images(path, size, out)
    return {"seconds": time.perf_counter() - begun}


def measure_form(path: str, size: int, workers: int, form: str) -> dict:
    """Memory, the seconds until the first batch, and pictures a second of the rest of the first epoch."""
    before, begun = process_memory(), time.perf_counter()
    streamed = {"stream": True, "workers": workers} if form == "streamed" else {}
    images = load_images(path, size, **streamed).train.images
    loaded = process_memory() - before
    source = source_of(images, None, CROP, True)
    batches = epoch_of(source, 0)
    next(batches)
    first = time.perf_counter()
    for _ in batches:
        pass
    seconds = time.perf_counter() - first
    del source, batches  # ends the workers
    rate = (len(images) - BATCH) / seconds
    return {"before": before, "loaded": loaded, "first_batch": first - begun, "per_second": rate, **peaks()}


def measure_large(path: str, size: int, workers: int, gigabytes: float, batch: int) -> dict:
    """Peak memory of a pretraining by streaming, in which no process may have more than so much data."""
    if not sys.platform.startswith("linux"):
        raise SystemExit("--large needs Linux: other systems do not limit the data of a process")
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 1e9),) * 2)
    torch.manual_seed(0)
    before, begun = process_memory(), time.perf_counter()
    images = load_images(path, size, stream=True, workers=workers).train.images
    loaded, ready = process_memory() - before, time.perf_counter()
    vit = ViT(num_classes=2, image_size=size, patch_size=16, dim=64, depth=2, heads=1, mlp_dim=128, patch_norm=False)
    [line] = pretrain(MP3(vit, 0.75, "updated"), images, epochs=1, batch_size=batch, query_fraction=0.5, progress=False)
    finite = math.isfinite(line["loss"])
    return {
        "before": before, "loaded": loaded, "start_up": ready - begun, "steps": line["step"], "batch": batch,
        "seconds": line["seconds"], "per_second": batch * line["step"] / line["seconds"], "loss_is_finite": finite,
        **peaks(),
    }  # fmt: skip


def measure_loading(path: str, size: int, first: str) -> dict:
    """Bytes of the pixels of a set, and the most that loading it takes. What the first set brings with it stays."""
    load_images(first, size)
    before = process_memory()
    images = load_images(path, size, stream=False)
    pixels = images.train.images.nbytes + images.test.images.nbytes
    return {"images": len(images.train) + len(images.test), "pixels": pixels, "most": peaks()["peak"] - before}


MEASURES = {
    "pack": measure_pack,
    "form": measure_form,
    "rates": measure_rates,
    "large": measure_large,
    "loading": measure_loading,
}


def fresh(cache: Path, kind: str, *arguments: object) -> dict:
    """A measurement in a process of its own, with a cache of its own."""
    command = [sys.executable, __file__, json.dumps([kind, *arguments])]
    settings = os.environ | {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT), "MP3_CACHE": str(cache)}
    done = subprocess.run(command, env=settings, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    kind, *given = json.loads(sys.argv[1])
    print(json.dumps(MEASURES[kind](*given)))

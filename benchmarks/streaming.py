"""Pictures in memory, in a pack and streamed: python benchmarks/streaming.py --out results/benchmarks/streaming.json

- Reading: pictures a second from JPEG files at 224 pixels, by the number of workers, beside the pictures a second that
  a training step of ViT-Ti/16 takes.
- Forms: peak memory, seconds until the first batch, and pictures a second of the first epoch (random crops included,
  no network), for a set in memory, packed and streamed. ImageNet-1K's row is computed from the others.
- --large, instead: a pretraining of one epoch on 100,000 pictures of 96 pixels, streamed. Each of its processes may
  have 4 GB of data (RLIMIT_DATA: memory that belongs to one process alone). The limit of the address space (ulimit -v,
  RLIMIT_AS) says little here: PyTorch reserves 3.5 GB of addresses when it is imported, and uses a sixth of them.

The pictures are made in a temporary folder (under TMPDIR), which is removed. Memory is measured in processes of their
own. The system has the files in its cache, as they have just been written. Without --large it takes about two minutes.
--out FILE stores the figures as JSON, each kind beside what is there of the other; docs/DATA.md gets its table from
results/benchmarks/streaming.json, where that is the file. --show prints the stored result.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch
from documents import write_table
from PIL import Image

from mp3lib import MP3, ViT, load_images
from mp3lib.data import pack_images, random_resized_crop, to_float
from mp3lib.data.wanted import PEAK, Wanted
from mp3lib.json_files import write_json
from mp3lib.model import preset
from mp3lib.train import pretrain
from mp3lib.train.batches import source_of
from mp3lib.train.run_folder import versions

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "benchmarks" / "streaming.json"
PAGE = ROOT / "docs" / "DATA.md"
SETS = [  # pictures, the size at which they are read, height and width of their files
    {"images": 4_000, "size": 96, "file": [112, 112]},
    {"images": 1_000, "size": 224, "file": [375, 500]},  # about the mean of ImageNet's
]
LARGE = {"images": 100_000, "size": 96, "file": [112, 112], "gigabytes": 4, "batch": 256}
IMAGENET = {"images": 1_331_167, "size": 224}  # those of training and validation
WORKERS, FORMS = (0, 1, 2), ("in memory", "packed", "streamed")
READ, BATCH, CROP = 512, 64, (0.6, 1.0)  # pictures that are read, pictures of a batch, area of the crops
STEP = 32  # images of a training step of ViT-Ti/16
IN_FOLDER = 1000  # pictures
SPARE = 2048  # pixels that a picture can be moved in what it is cut from, so that hardly two are the same


# --- the pictures -----------------------------------------------------------------------------------------------------


def make_pictures(folder: Path, images: int, file: list[int]) -> int:
    """Write JPEG files of random shapes in all sizes, a thousand in a folder; returns their bytes."""
    draw = np.random.default_rng(0)
    side = SPARE + max(file)
    canvas = np.zeros((side, side, 3), np.float32)
    for level, cells in enumerate((32, 128, 512, 2048)):
        shapes = Image.fromarray(draw.integers(0, 256, (cells, cells, 3), dtype=np.uint8)).resize((side, side))
        canvas += np.asarray(shapes, np.float32) / 2**level
    canvas = Image.fromarray((255 * (canvas - canvas.min()) / np.ptp(canvas)).astype(np.uint8))
    places = draw.integers(0, [side - file[1] + 1, side - file[0] + 1], (images, 2)).tolist()
    for number in range(0, images, IN_FOLDER):
        (folder / str(number // IN_FOLDER)).mkdir(parents=True)

    def write(number: int) -> int:
        left, top = places[number]
        path = folder / str(number // IN_FOLDER) / f"{number}.jpg"
        canvas.crop((left, top, left + file[1], top + file[0])).save(path, quality=90)
        return path.stat().st_size

    with ThreadPoolExecutor() as threads:
        return sum(threads.map(write, range(images)))


# --- measurements, each in a process of its own -----------------------------------------------------------------------


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
    images = load_images(path, size, stream=form == "streamed", workers=workers).train.images
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


MEASURES = {"pack": measure_pack, "form": measure_form, "rates": measure_rates, "large": measure_large}


def fresh(cache: Path, kind: str, *arguments: object) -> dict:
    """A measurement in a process of its own, with a cache of its own."""
    command = [sys.executable, __file__, "--measure", json.dumps([kind, *arguments])]
    settings = os.environ | {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT), "MP3_CACHE": str(cache)}
    done = subprocess.run(command, env=settings, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# --- all of them ------------------------------------------------------------------------------------------------------


def measure(sets: list[dict], rounds: int, workers: int) -> dict:
    """All but the large set, with the medians of so many rounds of reading and stepping."""
    result = {"date": date.today().isoformat(), "versions": versions(), "rounds": rounds, "workers": workers}
    result |= {"load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None, "sets": []}
    for about in sets:
        with tempfile.TemporaryDirectory() as folder:
            pictures, pack = Path(folder, "pictures"), Path(folder, "pack.safetensors")
            stored = make_pictures(pictures, about["images"], about["file"])
            run = partial(fresh, Path(folder, "cache"))
            packing = run("pack", str(pictures), about["size"], str(pack))["seconds"]
            measured = {**about, "bytes": stored, "packing": packing, "forms": {}}
            for form in FORMS:
                place = pack if form == "packed" else pictures
                measured["forms"][form] = run("form", str(place), about["size"], workers, form)
            result["sets"].append(measured)
            print(f"{about['images']:,} pictures of {about['size']} pixels: done", file=sys.stderr, flush=True)
            if about is sets[-1]:
                result["reading"] = run("rates", str(pictures), about["size"], rounds, STEP)
    return result


def measure_large_set(images: int, workers: int) -> dict:
    """The pretraining by streaming on so many pictures."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, about = Path(folder, "pictures"), {**LARGE, "images": images, "workers": workers}
        stored = make_pictures(pictures, images, about["file"])
        given = (str(pictures), about["size"], workers, about["gigabytes"], about["batch"])
        return about | {"bytes": stored, **fresh(Path(folder, "cache"), "large", *given)}


# --- what is printed --------------------------------------------------------------------------------------------------


def imagenet(result: dict) -> dict[str, dict]:
    """ImageNet-1K's row, from the set of its size: what grows with the pictures is multiplied."""
    like = next(one for one in reversed(result["sets"]) if one["size"] == IMAGENET["size"])
    times = IMAGENET["images"] / like["images"]
    base = max(form["before"] for form in like["forms"].values())
    pixels = Wanted((IMAGENET["size"],) * 2).pixels(IMAGENET["images"])
    # what a stream keeps for each picture, such as its name, is measured best on the set with the most pictures
    streamed = [(one["images"], one["forms"]["streamed"]["loaded"]) for one in result["sets"]]
    streamed += [(result["large"]["images"], result["large"]["loaded"])] if "large" in result else []
    number, kept = max(streamed)
    rows = {form: dict(of) for form, of in like["forms"].items()}
    rows["in memory"]["peak"] = base + PEAK * pixels
    rows["packed"]["peak"] = base + pixels
    rows["streamed"]["peak"] += max(kept, 0) / number * IMAGENET["images"]
    rows["in memory"]["first_batch"] *= times
    if "large" in result:  # whose start was measured
        rows["streamed"]["first_batch"] += result["large"]["start_up"] * IMAGENET["images"] / result["large"]["images"]
    else:
        rows["streamed"]["first_batch"] *= times
    return rows


def gigabytes(number: float) -> str:
    """Bytes, in words."""
    return f"{number / 1e9:,.1f} GB"


def seconds(number: float) -> str:
    """Seconds, or minutes where there are many, in words."""
    if number < 9.95:
        return f"{number:.1f} s"
    return f"{number:,.0f} s" if number < 600 else f"{number / 60:,.0f} min"


def row(title: str, form: str, of: dict, workers: int) -> str:
    """A line of the table of forms."""
    peak = gigabytes(of["peak"])
    if form == "streamed" and workers:
        peak += f", each worker {gigabytes(of['worker_peak'])}"
    rate = f"{of['per_second']:,.0f}" if of["per_second"] < 1000 else f"{round(of['per_second'], -2):,.0f}"
    return f"| {title} | {form} | {peak} | {seconds(of['first_batch'])} | {rate} |"


def report(result: dict) -> str:
    """The result as the tables of docs/DATA.md."""
    about, reading, workers = result["versions"], result["reading"], result["workers"]
    base = max(form["before"] for one in result["sets"] for form in one["forms"].values())
    size, file = result["sets"][-1]["size"], result["sets"][-1]["file"]
    lines = [
        "| set | form | peak memory | until the first batch | images a second, first epoch |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for one in result["sets"]:
        title = f"{one['images']:,} at {one['size']} px"
        lines += [row(title, form, of, workers) for form, of in one["forms"].items()]
    if any(one["size"] == IMAGENET["size"] for one in result["sets"]):
        title = f"ImageNet-1K, {IMAGENET['images']:,} at {IMAGENET['size']} px, computed"
        lines += [row(title, form, of, workers) for form, of in imagenet(result).items()]
    packing = [f"{seconds(one['packing'])} for the {one['images']:,} at {one['size']} px" for one in result["sets"]]
    lines += [
        "",
        f"{gigabytes(base)} of the peak is Python with PyTorch. A pack counts as memory while its pages are used, but "
        "the system takes them back when it needs them, and processes share them. "
        f"Packing took {' and '.join(packing)}. The rates include random crops, and no network.",
        "",
        f"| JPEG files of {file[1]} x {file[0]} pixels, read at {size} px | images a second |",
        "|---|---|",
    ]
    names = {"0": "no workers", "1": "1 worker", "step": "a training step of ViT-Ti/16 needs"}
    for name, of in reading.items():
        words = names.get(name, f"{name} workers")
        lines.append(f"| {words} | {of['median']:,.0f} ({of['low']:,.0f} to {of['high']:,.0f}) |")
    if large := result.get("large"):
        lines += ["", large_in_words(large)]
    load = "" if result["load"] is None else f", load {result['load']:.1f} from other programs"
    machine = f"{about['cores']} cores ({about['cpu']}), {workers} workers, PyTorch {about['torch'].split('+')[0]}"
    lines += ["", f"{machine}, {result['date']}{load}."]
    return "\n".join(lines)


def large_in_words(large: dict) -> str:
    """The pretraining by streaming, in sentences."""
    total = large["peak"] + large["workers"] * large["worker_peak"]
    return (
        f"A pretraining on {large['images']:,} JPEG files, streamed at {large['size']} px by {large['workers']} "
        f"workers, in which no process may have more than {large['gigabytes']} GB of data: {large['steps']:,} steps of "
        f"{large['batch']} images in {seconds(large['seconds'])}. The peak is {gigabytes(large['peak'])}, and "
        f"{gigabytes(large['worker_peak'])} in each worker, at most {gigabytes(total)} together."
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = [one["images"] for one in SETS]
    parser.add_argument("--images", type=int, nargs=len(SETS), default=usual, help="of the sets at 96 and 224 pixels")
    parser.add_argument("--rounds", type=int, default=3, help="of reading and of training steps (default: 3)")
    parser.add_argument("--workers", type=int, default=2, help="of the streamed sets (default: 2)")
    parser.add_argument(
        "--large", nargs="?", type=int, const=LARGE["images"], metavar="IMAGES", help="measure only the large set"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the figures there, as JSON")
    parser.add_argument("--show", action="store_true", help=f"print those of {RESULT.name}, and measure nothing")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        warnings.simplefilter("ignore")
        kind, *given = args.measure
        print(json.dumps(MEASURES[kind](*given)))
        return
    if args.show:
        print(report(json.loads(RESULT.read_text(encoding="utf-8"))))
        return
    if args.large:
        result = {"large": measure_large_set(args.large, args.workers)}
        print(large_in_words(result["large"]))
    else:
        sets = [{**one, "images": images} for one, images in zip(SETS, args.images, strict=True)]
        result = measure(sets, args.rounds, args.workers)
        print(report(result))
    if args.out:
        stored = (json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}) | result
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(args.out, stored)
        if args.out.resolve() == RESULT and "sets" in stored:
            write_table(PAGE, Path(__file__).name, report(stored))


if __name__ == "__main__":
    main()

"""Pictures in memory, in a pack and streamed: python benchmarks/streaming.py --out results/benchmarks/streaming.json

- Reading: pictures a second from JPEG files at 224 pixels, by the number of workers, beside the pictures a second that
  a training step of ViT-Ti/16 takes.
- Forms: peak memory, seconds until the first batch, and pictures a second of the first epoch (random crops included,
  no network), for a set in memory, packed and streamed. ImageNet-1K's row is computed from the others.
- --large, instead: a pretraining of one epoch on 100,000 pictures of 96 pixels, streamed. Each of its processes may
  have 4 GB of data (RLIMIT_DATA: memory that belongs to one process alone). The limit of the address space (ulimit -v,
  RLIMIT_AS) says little here: PyTorch reserves 3.5 GB of addresses when it is imported, and uses a sixth of them.
- --loading, instead: the most memory that loading 0.15 and 0.6 GB of pixels takes, from a folder and from parquet.

The pictures are made in a temporary folder (under TMPDIR), which is removed. Memory is measured in processes of their
own. The system has the files in its cache, as they have just been written. Without --large it takes about two minutes.
--out FILE stores the figures as JSON, each kind beside what is there of the other; docs/DATA.md gets its table from
results/benchmarks/streaming.json, where that is the file. --show prints the stored result.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from datetime import date
from functools import partial
from pathlib import Path

from documents import write_table
from streaming_measures import fresh
from streaming_pictures import make_parquet, make_pictures
from streaming_report import large_in_words, loading_in_words, report

from mp3lib.json_files import write_json
from mp3lib.train.run_folder import versions

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "benchmarks" / "streaming.json"
PAGE = ROOT / "docs" / "DATA.md"
SETS = [  # pictures, the size at which they are read, height and width of their files
    {"images": 4_000, "size": 96, "file": [112, 112]},
    {"images": 1_000, "size": 224, "file": [375, 500]},  # about the mean of ImageNet's
]
LARGE = {"images": 100_000, "size": 96, "file": [112, 112], "gigabytes": 4, "batch": 256}
LOADING = {"images": (3_000, 12_000), "size": 128, "file": [160, 160]}  # 0.15 and 0.6 GB of pixels
FORMS = ("in memory", "packed", "streamed")
STEP = 32  # images of a training step of ViT-Ti/16


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


def measure_loading(numbers: tuple[int, ...]) -> dict:
    """What it takes to load so many pictures into memory, from a folder and from a parquet file."""
    result: dict = {"size": LOADING["size"], "file": LOADING["file"], "forms": {"folder": [], "parquet": []}}
    with tempfile.TemporaryDirectory() as room:
        for name, number in {"first": 20, **{str(number): number for number in numbers}}.items():
            pictures = Path(room, name, "folder")
            make_pictures(pictures, number, LOADING["file"])
            make_parquet(pictures, Path(room, name, "parquet"))
            if name == "first":
                continue
            for form, found in result["forms"].items():
                place, first = Path(room, name, form), Path(room, "first", form)
                found.append(fresh(Path(room, "cache"), "loading", str(place), LOADING["size"], str(first)))
    return result


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = [one["images"] for one in SETS]
    parser.add_argument("--images", type=int, nargs=len(SETS), default=usual, help="of the sets at 96 and 224 pixels")
    parser.add_argument("--rounds", type=int, default=3, help="of reading and of training steps (default: 3)")
    parser.add_argument("--workers", type=int, default=2, help="of the streamed sets (default: 2)")
    parser.add_argument(
        "--large", nargs="?", type=int, const=LARGE["images"], metavar="IMAGES", help="measure only the large set"
    )
    parser.add_argument("--loading", action="store_true", help="measure only the memory that loading takes")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the figures there, as JSON")
    parser.add_argument("--show", action="store_true", help=f"print those of {RESULT.name}, and measure nothing")
    args = parser.parse_args(argv)
    if args.show:
        print(report(json.loads(RESULT.read_text(encoding="utf-8"))))
        return
    if args.loading:
        result = {"loading": measure_loading(LOADING["images"])}
        print(loading_in_words(result["loading"]))
    elif args.large:
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

"""Training speed beside vit_pytorch.mp3, in the same run: python benchmarks/throughput.py (make bench)

Every measurement is a fresh process: one pass over STEPS batches to warm up, then one that is timed, with crops,
forward, backward and optimizer. Each round measures every line once, so that a busy moment of the machine hits all
alike; what counts are the ratios within a round, given as median (lowest to highest). The lines:

    reference            vit_pytorch.mp3 as it comes: float32, AdamW; its context is frozen
    library              mp3lib.train.pretrain as the command line calls it: bf16 where
                         the hardware has it, Muon, context updated, queries from every patch
    library, quarter     the same with query_fraction 0.25: queries from a quarter of the hidden patches
    library, float32     with the reference's precision, model (frozen), optimizer (AdamW) and crops; what differs is
                         the code, and that mp3lib.train keeps freed memory (mp3lib/train/hardware.py)
    ..., bf16            both under bf16 autocast, else the same; where the hardware has it

Each round begins with another line, so that none is always the first. A GPU is left alone.

Besides: the speed of bare matrix products of the shapes of the model, forward and backward, and which share of it a
training reaches; and which share of a step the crops take.

Last, the seconds to a result, on a 4 x 4 grid of CIFAR-10: the reference trains for --epochs epochs at its defaults.
Then the library trains at the defaults of its command line, anew for one epoch, two epochs and so on, each with its own
warm-up and cosine, until it places as many patches as the reference, with everything seen and with a quarter seen. What
counts are the seconds of training, without those of tests. An epoch is a coarse step, so between the first training
that places as many and the one before, a straight line says when. All of this is done --results times.

--out FILE adds all of it to a file as a line of JSON; --show prints the runs in results/benchmarks/throughput.jsonl.
Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import torch

from mp3lib import MP3, ViT
from mp3lib.cli import RECIPES
from mp3lib.data import random_resized_crop
from mp3lib.evaluate import position_accuracy
from mp3lib.json_files import read_jsonl
from mp3lib.train import pretrain, resolve_precision, warmup_cosine
from mp3lib.train.run_folder import versions, write_metrics

RESULT = Path(__file__).resolve().parents[1] / "results" / "benchmarks" / "throughput.jsonl"
MODEL = dict(num_classes=10, image_size=32, patch_size=4, dim=128, depth=6, heads=2, dim_head=64, mlp_dim=512)
SMALL = MODEL | dict(patch_size=8, depth=4)  # the 4 x 4 grid, for the seconds to an accuracy
BATCH, RATIO = 256, 0.75
TESTED = (0.0, 0.75)  # mask ratios at which the seconds to a result are measured
DEFAULTS = dict(precision="auto", optimizer="muon", context="updated", query_fraction=1.0)
SAME = dict(optimizer="adamw", context="frozen", query_fraction=1.0)
LINES = {
    "reference": dict(reference=True, precision="float32"),
    "library": DEFAULTS,
    "library, quarter": DEFAULTS | dict(query_fraction=0.25),
    "library, float32": SAME | dict(precision="float32"),
    "reference, bf16": dict(reference=True, precision="bf16"),
    "library, bf16": SAME | dict(precision="bf16"),
}
RATIOS = (  # what is divided by what
    ("(a) each at its defaults", "library", "reference"),
    ("    with a quarter of the queries", "library, quarter", "reference"),
    ("(b) both float32, same model", "library, float32", "reference"),
    ("(c) both bf16, same model", "library, bf16", "reference, bf16"),
)


def train_reference(images, model: dict, epochs: int, precision: str, evaluate=None) -> list[dict]:
    """A plain training of vit_pytorch.mp3, with the library's crops and schedule; one dict an epoch."""
    from vit_pytorch import mp3 as reference

    lr = 1e-3
    mp3 = reference.MP3(reference.ViT(**model), masking_ratio=RATIO)
    optimizer = torch.optim.AdamW(mp3.parameters(), lr, betas=(0.9, 0.95), weight_decay=0.05)
    steps, step, lines = len(images) // BATCH, 0, []
    for _ in range(epochs):
        begun = time.perf_counter()
        for chosen in torch.randperm(len(images)).split(BATCH)[:steps]:
            for group in optimizer.param_groups:
                group["lr"] = lr * warmup_cosine(step, epochs * steps, steps)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = mp3(random_resized_crop(images[chosen]))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            step += 1
        lines.append({"seconds": time.perf_counter() - begun})
        if evaluate:
            ours = MP3(ViT(**model), RATIO)
            ours.load_state_dict(mp3.state_dict())
            lines[-1]["accuracy"] = evaluate(ours)
    return lines


def train_library(images, model: dict, epochs: int, settings: dict) -> list[dict]:
    """The library's own training; one dict an epoch."""
    settings = dict(settings)
    mp3 = MP3(ViT(**model), RATIO, settings.pop("context"))
    return pretrain(mp3, images, epochs=epochs, batch_size=BATCH, progress=False, **settings)


def measure_line(name: str, steps: int) -> dict:
    """Seconds a step, and of its crops."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (steps * BATCH, 3, 32, 32), dtype=torch.uint8)
    settings = dict(LINES[name])
    if settings.pop("reference", False):
        lines = train_reference(images, MODEL, 2, settings["precision"])
    else:
        lines = train_library(images, MODEL, 2, settings)
    chosen, crops = torch.randperm(len(images))[:BATCH], []
    for _ in range(10):
        begun = time.perf_counter()
        random_resized_crop(images[chosen])
        crops.append(time.perf_counter() - begun)
    return {"step": lines[-1]["seconds"] / steps, "crops": statistics.median(crops)}


def products() -> list[tuple[int, int, int]]:
    """(rows, inner, columns) of the matrix products of a forward pass of a full batch, attention's own left out."""
    n, d, inner = (32 // MODEL["patch_size"]) ** 2, MODEL["dim"], MODEL["heads"] * MODEL["dim_head"]
    all_patches, context = BATCH * n, BATCH * (n - int(RATIO * n))
    layer = [(all_patches, d, inner), (context, d, 2 * inner), (all_patches, inner, d)]
    layer += [(all_patches, d, MODEL["mlp_dim"]), (all_patches, MODEL["mlp_dim"], d)]
    return [(all_patches, 3 * MODEL["patch_size"] ** 2, d), *(MODEL["depth"] * layer), (all_patches, d, n)]


def flops() -> int:
    """Of the matrix products of a step: forward, and twice as many backward."""
    return sum(3 * 2 * rows * inner * columns for rows, inner, columns in products())


def measure_products(precision: str) -> dict:
    """Seconds that the matrix products of a step take by themselves, into memory that is there already."""
    kind = {"float32": torch.float32, "bf16": torch.bfloat16}[precision]
    seconds = {}
    for rows, inner, columns in set(products()):
        x, w, g = (torch.randn(*size).to(kind) for size in ((rows, inner), (columns, inner), (rows, columns)))
        y, gx, gw = torch.empty_like(g), torch.empty_like(x), torch.empty_like(w)
        times = []
        for _ in range(6):
            begun = time.perf_counter()
            torch.mm(x, w.T, out=y), torch.mm(g, w, out=gx), torch.mm(g.T, x, out=gw)
            times.append(time.perf_counter() - begun)
        seconds[rows, inner, columns] = min(times)
    return {"step": sum(seconds[product] for product in products())}


def measure_result(epochs: int, limit: int | None, after: int) -> dict:
    """Position accuracy on 2,000 test images by mask ratio, and the seconds of training, after so many epochs.

    after: 0 for the reference, which trains for ``epochs``; else the library, which trains for ``after`` epochs.
    """
    from mp3lib import load_images

    torch.manual_seed(0)
    images = load_images("cifar10")
    train, test = images.train.images[:limit], images.test.images[:2000]

    def placed(mp3: MP3) -> dict[str, float]:
        return {str(r): s["accuracy"] for r, s in position_accuracy(mp3, test, TESTED).items()}

    if not after:
        lines = train_reference(train, SMALL, epochs, "float32", lambda mp3: placed(mp3))
        return {"epochs": epochs, "seconds": sum(x["seconds"] for x in lines), "accuracy": lines[-1]["accuracy"]}
    recipe = dict(RECIPES["best"])
    [ratio] = recipe.pop("mask_ratio")
    mp3 = MP3(ViT(**SMALL, patch_norm=recipe.pop("patch_norm")), ratio, recipe.pop("context"))
    lines = pretrain(mp3, train, epochs=after, progress=False, **recipe)
    return {"epochs": after, "seconds": sum(line["seconds"] for line in lines), "accuracy": placed(mp3)}


def trained_to_result(threads: int | None, epochs: int, limit: int | None) -> dict:
    """The reference's training, and those of the library until it places as many patches at each of ``TESTED``."""
    reference = fresh(threads, "result", epochs, limit or 0, 0)
    library: list[dict] = []
    while len(library) < epochs and any(when_reached(reference, library, str(r)) is None for r in TESTED):
        library.append(fresh(threads, "result", epochs, limit or 0, len(library) + 1))
    return {"reference": reference, "library": library}


def when_reached(reference: dict, library: list[dict], ratio: str) -> tuple[float, float] | None:
    """After how many seconds and epochs the library places as many patches as the reference, at this mask ratio.

    Between two trainings, a straight line. Before the first nothing is known, so it counts whole. None: not reached.
    """
    target, before = reference["accuracy"][ratio], None
    for after in library:
        if after["accuracy"][ratio] >= target:
            before = before or after
            gained = after["accuracy"][ratio] - before["accuracy"][ratio]
            share = (target - before["accuracy"][ratio]) / gained if gained else 0.0
            seconds, epochs = (before[key] + share * (after[key] - before[key]) for key in ("seconds", "epochs"))
            return seconds, epochs
        before = after
    return None


def fresh(threads: int | None, *arguments: object) -> dict:
    """A measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", *map(str, arguments), "--threads", str(threads or 0)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def precisions(auto: str) -> tuple[str, ...]:
    """Those worth measuring: where bf16 is emulated nobody trains in it."""
    return ("float32", "bf16") if auto == "bf16" else ("float32",)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def report(result: dict) -> str:
    """What is printed, from what is stored."""
    rounds, about = result["rounds"], result["versions"]
    machine = f"{about['cores']} cores ({about['cpu']}, {about['capability']}), PyTorch {about['torch'].split('+')[0]}"
    lines = [
        f"{machine}, vit_pytorch {about['vit_pytorch']}, {result['threads']} threads, {result['date']}",
        f"{'':28}{'images/s':>26}{'of the matrix speed':>21}{'crops':>8}",
    ]
    for name, settings in result["lines"].items():
        steps = [r[name]["step"] for r in rounds]
        precision = settings["precision"].replace("auto", result["auto"])
        share = [r[f"products, {precision}"]["step"] / r[name]["step"] for r in rounds]
        full = "quarter" not in name  # the quarter does other products
        per_second = [BATCH / step for step in steps]
        crops = statistics.median(r[name]["crops"] / r[name]["step"] for r in rounds)
        lines.append(
            f"{name:28}{statistics.median(per_second):8.0f} ({min(per_second):5.0f} to {max(per_second):5.0f})"
            + (f"{statistics.median(share):20.0%}" if full else f"{'':20}")
            + f"{crops:9.1%}"
        )
    for precision in precisions(result["auto"]):
        speeds = [flops() / r[f"products, {precision}"]["step"] / 1e9 for r in rounds]
        lines.append(f"{'matrix speed, ' + precision:28}{spread(speeds)} GFLOP/s")
    lines.append("")
    for label, ours, theirs in RATIOS:
        if f"{theirs}, float32" in rounds[0] and "float32" in ours:
            theirs += ", float32"  # an older run: the reference once more, right beside
        if ours in rounds[0]:
            lines.append(f"{label:36}{spread([r[theirs]['step'] / r[ours]['step'] for r in rounds])} times as fast")
        else:
            lines.append(f"{label:36}not measured: this processor has no instructions for it")
    for ratio in map(str, TESTED if result.get("results") else ()):
        lines += report_result(result["results"], ratio)
    return "\n".join(lines)


def report_result(results: list[dict], ratio: str) -> list[str]:
    """The lines on the seconds to a result at this mask ratio: medians."""
    median = statistics.median
    references = [r["reference"] for r in results]
    seen = "everything seen" if float(ratio) == 0 else f"{1 - float(ratio):.0%} seen"
    label = f"(d) {median(r['accuracy'][ratio] for r in references):.1%} placed, {seen}:"
    seconds, epochs = median(r["seconds"] for r in references), references[0]["epochs"]
    lines = [f"{label:36}reference {seconds:.0f} s ({epochs} epochs)"]
    reached = [when_reached(r["reference"], r["library"], ratio) for r in results]
    if None in reached:
        return [*lines, f"{'':36}library: not reached in {max(len(r['library']) for r in results)} epochs"]
    faster = spread([r["seconds"] / seconds for r, (seconds, _) in zip(references, reached, strict=True)])
    seconds, epochs = (median(when[i] for when in reached) for i in (0, 1))
    return [*lines, f"{'':36}library {seconds:.0f} s ({epochs:.1f} epochs), {faster} times as fast"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--steps", type=int, default=10, help="timed steps of each measurement (default: 10)")
    parser.add_argument("--threads", type=int, default=0, help="default: as many as PyTorch takes")
    parser.add_argument("--epochs", type=int, default=4, help="of the training to an accuracy; 0: none (default: 4)")
    parser.add_argument("--results", type=int, default=3, help="how often that is done (default: 3)")
    parser.add_argument("--limit", type=int, help="images of the training to an accuracy (default: all)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="gets one more line of results")
    parser.add_argument("--show", action="store_true", help="measure nothing, print the runs that are kept")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ["ACCELERATE_USE_CPU"] = "true"  # the reference's training here knows nothing else
    if args.show:
        print("\n\n".join(map(report, read_jsonl(RESULT))))
        return
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.measure:
        kind, name, *numbers = args.measure
        if kind == "line":
            measured = measure_line(name, int(numbers[0]))
        elif kind == "products":
            measured = measure_products(name)
        else:
            limit, after = map(int, numbers)
            measured = measure_result(int(name), limit or None, after)
        print(json.dumps(measured))
        return

    auto, rounds = resolve_precision("auto"), []
    lines = {name: about for name, about in LINES.items() if auto == "bf16" or about["precision"] != "bf16"}
    for number in range(args.rounds):
        first = number % len(lines)
        in_turn = [*lines][first:] + [*lines][:first]
        measured = {name: fresh(args.threads, "line", name, args.steps) for name in in_turn}
        measured |= {f"products, {p}": fresh(args.threads, "products", p) for p in precisions(auto)}
        rounds.append(measured)
        print(f"round {number + 1} of {args.rounds} done", file=sys.stderr)
    about = {"threads": args.threads or torch.get_num_threads(), "steps": args.steps, "auto": auto}
    result = {"date": date.today().isoformat(), "versions": versions() | {"vit_pytorch": reference_version()}, **about}
    result |= {"model": MODEL, "batch": BATCH, "mask_ratio": RATIO, "lines": lines, "rounds": rounds}
    if args.epochs:
        result["result_model"] = SMALL
        result["results"] = [trained_to_result(args.threads, args.epochs, args.limit) for _ in range(args.results)]
    if args.out:
        write_metrics(args.out, [*(read_jsonl(args.out) if args.out.exists() else ()), result])
    print(report(result))


def reference_version() -> str:
    from importlib.metadata import version

    return version("vit-pytorch")


if __name__ == "__main__":
    main()

"""Every table of figures in README.md, results/README.md and the notebooks, made from run folders."""

from __future__ import annotations

import json
import math
from pathlib import Path

from .markdown import grid, markdown, note
from .runs import Row, finished, row, top1, variants

# Zhai et al. 2022, arXiv 2207.07611, table 3 (ViT-S, 2,000 epochs of pretraining): top-1 (%), CIFAR-100, Tiny-ImageNet
PAPER = {
    "from scratch, with absolute positions": ("73.4", "57.6"),
    "from scratch, without": ("64.6", "60.0"),
    "MP3, with absolute positions": ("84.0", "72.8"),
    "MP3, without": ("82.6", "68.2"),
    "MAE, with absolute positions": ("84.5", "73.7"),
}


PLAIN = "ratio/0.75"  # the pretraining of five epochs that others are compared with


WITH, WITHOUT = "pos", "nopos"


CUES = {  # the variants of the study "cues" in words
    "flat": "every patch made equally bright, of equal contrast",
    "gap-1": "1 pixel along the border of every patch painted grey",
    "gap-2": "2 pixels along the border of every patch painted grey",
    "grey": "colour taken away",
    "hole-1": "as many pixels as in `gap-1`, in the middle of every patch",
    "hole-2": "as many pixels as in `gap-2`, in the middle of every patch",
    "jpeg": "compressed as JPEG, quality 75",
    "padded": "padded by 4 pixels, then cropped, without zooming",
    "plain": "no LayerNorm on the pixels of a patch",
    "plain-flat": "as `plain`, every patch made equally bright, of equal contrast",
    "uncropped": "neither cropped nor zoomed",
    "watermark": "the same faint noise planted in every image",
}


RECIPES = {  # the variants of the study "fine" in words
    "adamw": "AdamW for everything, learning rate 0.0015",
    "muon": "Muon for the transformer's matrices, learning rate 0.003",
    "plain": "as `muon`, no LayerNorm on the pixels of a patch; those below change one thing more",
    "plain-4-heads": "4 heads of 32 features, not 2 of 64",
    "plain-batch-128": "batches of 128, not 256; learning rate 0.002",
    "plain-crop-0.3": "random crops keep 30% of the image or more, not 60%",
    "plain-deep": "11 layers of dim 96, heads and mlp in proportion, not 6 of 128",
    "plain-frozen": "context frozen, not updated",
    "plain-grown": "first smaller images: 4 x 4 and 6 x 6 patches of 4 pixels",
    "plain-lr-0.0015": "learning rate 0.0015, not 0.003",
    "plain-lr-0.006": "learning rate 0.006, not 0.003",
    "plain-qk-norm": "queries and keys of equal length (QK-norm)",
    "plain-ratio-0.25": "mask ratio .25, not .75",
    "plain-ratio-0.5": "mask ratio .5, not .75",
    "plain-ratio-0.9": "mask ratio .9, not .75",
    "plain-rising-ratio": "the mask ratio rises from .25 to .75 in the first two thirds",
    "plain-smoothed": "nearby positions count as partly right, within 1 patch at first, within 0 at last (DropPos)",
    "plain-uncropped": "no random crops",
    "plain-unflipped": "no image mirrored",
    "plain-wide": "3 layers of dim 192, heads and mlp in proportion, not 6 of 128",
}


FURTHER = {  # the variants of the study "further" in words
    "as-before": "as the ten epochs before: mask ratio .5, batches of 128, learning rate 0.002",
    "lr-0.0007": "learning rate 0.0007",
    "ratio-0.25": "mask ratio .25",
    "ratio-drawn": "mask ratio drawn between .25 and .75 for each batch",
    "uncropped": "no random crops",
}


REGULARISED = {  # the variants of the study "regularised" in words
    "augment": "geometry and colours distorted, strength .5",
    "drop-path": "layers left out, the last one in every tenth image (stochastic depth)",
    "ema": "moving average of the weights, decay .99",
    "erase": "a box painted over in every fourth image (random erasing)",
    "label-smoothing": "a tenth of the probability spread evenly",
    "layer-decay": "each layer learns at .75 of the rate of the one above",
    "mix": "every second batch under MixUp or CutMix",
    "together": "all of them",
}


PROBED = " The probes see features with position embeddings."


RATIOS = ("0.0", "0.25", "0.5", "0.75", "0.9")


HEAD = ("position accuracy (%) at 0", *(f"at {ratio[1:]}" for ratio in RATIOS[1:]), "k-NN (%)", "linear (%)")


def placed(results: str | Path, variant: str, ratio: str, images: str = "as they are") -> Row:
    """Position accuracy on test images at a mask ratio, of a pretraining."""
    return row(results, variant, "positions", images, ratio, "accuracy")


def probed(results: str | Path, variant: str, which: str = "weights") -> list[Row]:
    """k-NN and linear top-1 of a pretraining's frozen features, or of its control, ``which="random init"``."""
    return [row(results, variant, which, probe) for probe in ("knn", "linear")]


def pretraining(results: str | Path, variant: str) -> list[Row]:
    """Position accuracy at five mask ratios and two probes, as ``HEAD`` names them."""
    return [placed(results, variant, ratio) for ratio in RATIOS] + probed(results, variant)


def label_counts(results: str | Path) -> list[int]:
    """The numbers of labelled images that the study "labels" has finished runs for."""
    return sorted({int(name.split("-")[1]) for name in variants(results, "labels")})


def costs(results: str | Path) -> str:
    lines = [
        [name, epochs, *(top1(results, f"cost/{variant}-{positions}") for positions in (WITH, WITHOUT))]
        for variant, name, epochs in (
            ("scratch-5", "from scratch", "5"),
            ("mp3-10-and-5", "MP3, then fine-tuned", "10 + 5"),
            ("scratch-15", "from scratch", "15"),
        )
    ]
    return markdown(results, ["all labels", "epochs", "top-1 (%), with position embeddings", "without"], lines)


def fractions(results: str | Path) -> str:
    kinds = [(start, positions) for positions in (WITH, WITHOUT) for start in ("scratch", "mp3")]
    lines = [
        [f"{n:,} ({n / 50_000:.0%})", *(top1(results, f"labels/{start}-{n}-{positions}") for start, positions in kinds)]
        for n in label_counts(results)
    ]
    for name, scratch in (("all", "scratch-5"), ("all, equal epochs in all", "scratch-15")):
        names = {"scratch": scratch, "mp3": "mp3-10-and-5"}
        lines.append([name, *(top1(results, f"cost/{names[start]}-{positions}") for start, positions in kinds)])
    head = ["labels", "top-1 (%), scratch", "MP3", "without positions: scratch", "without positions: MP3"]
    return markdown(results, head, lines)


def probes(results: str | Path) -> str:
    found = {"5": PLAIN} | {name.split("-")[0]: f"pretraining/{name}" for name in variants(results, "pretraining")}
    control = next((variant for variant in found.values() if finished(results, variant)), PLAIN)
    lines = [["random init", *probed(results, control, "random init")]]
    if (file := Path(results) / "evaluations" / "pixels.json").exists():
        pixels = json.loads(file.read_text(encoding="utf-8"))
        lines.append(["raw pixels", *(Row("pixels", {0: pixels[probe]}) for probe in ("knn", "linear"))])
    lines += [[f"{epochs} epochs of MP3", *probed(results, variant)] for epochs, variant in found.items()]
    for file in sorted((Path(results) / "probes").glob("*.json")):
        figures = json.loads(file.read_text(encoding="utf-8"))
        for name, told in (("random init", f"random init, as large as `{file.stem}`"), ("weights", f"`{file.stem}`")):
            lines.append([told, *(Row(file.stem, {0: figures[name][probe]}) for probe in ("knn", "linear"))])
    table = markdown(results, ["frozen features of", "k-NN top-1 (%)", "linear top-1 (%)"], lines)
    return table and table + PROBED


def contexts(results: str | Path) -> str:
    lines = [
        [name, *pretraining(results, variant)] for name, variant in (("updated", PLAIN), ("frozen", "context/frozen"))
    ]
    return markdown(results, ["context", *HEAD], lines)


def ratios(results: str | Path) -> str:
    lines = [[f"mask ratio {name}", *pretraining(results, f"ratio/{name}")] for name in variants(results, "ratio")]
    return markdown(results, ["trained at", *HEAD], lines)


def lengths(results: str | Path) -> str:
    none, random_init = Row("", {}), probed(results, PLAIN, "random init")[1]
    lines = [["0 (random init)", none, random_init, top1(results, "labels/scratch-5000-pos")]]
    for epochs, before, after in (
        ("5", PLAIN, "length/5-epochs-pos"),
        ("10", "pretraining/10-epochs", "labels/mp3-5000-pos"),
        ("20", "pretraining/20-epochs", "length/20-epochs-pos"),
    ):
        lines.append([epochs, placed(results, before, "0.75"), probed(results, before)[1], top1(results, after)])
    head = ["epochs of MP3", "position accuracy (%)", "linear probe (%)", "top-1 (%), fine-tuned on 5,000 labels"]
    table = markdown(results, head, lines)
    return table and table + PROBED


def cues(results: str | Path) -> str:
    lines = []
    for variant in [PLAIN, *(f"cues/{name}" for name in variants(results, "cues"))]:
        code = variant.split("/")[1]
        name = "nothing changed" if variant == PLAIN else f"`{code}`"
        for images in finished(results, variant)[0].scores["positions"] if finished(results, variant) else ():
            probing = probed(results, variant) if images == "as they are" else [Row("", {})] * 2
            told = f"{name}: {CUES[code]}" if images == "as they are" and code in CUES else name
            lines.append(
                [told, images, *(placed(results, variant, r, images) for r in ("0.75", "0.5", "0.0")), *probing]
            )
    head = ["trained with", "test images", "position accuracy (%) at .75", "at .5", "at 0", "k-NN (%)", "linear (%)"]
    return markdown(results, head, lines)


def fine(results: str | Path) -> str:
    """The study's variants are NAME, begun on smaller images in NAME-16px and NAME-24px."""
    lines, names = [], variants(results, "fine")
    for name in (name for name in names if not name.endswith("px")):
        stages = {16: f"{name}-16px", 24: f"{name}-24px", 32: name}
        settings = {
            side: finished(results, f"fine/{stage}")[0].about["settings"]
            for side, stage in stages.items()
            if stage in names
        }
        epochs = ", ".join(f"{s['epochs']} at {side} pixels" for side, s in settings.items())
        mean = finished(results, f"fine/{name}")[0].about.get("mean_mask_ratio")  # of a ratio that changes
        settings[32] |= {"mask_ratio": mean} if mean else {}
        millions = sum(map(tokens, settings.values())) / 1e6
        found = [placed(results, f"fine/{name}", ratio) for ratio in ("0.75", "0.5", "0.25", "0.0")]
        told = f"`{name}`: {RECIPES[name]}" if name in RECIPES else f"`{name}`"
        lines.append([told, epochs, settings[32]["precision"], f"{millions:.1f}", *found])
    head = [
        "recipe",
        "epochs",
        "precision",
        "million tokens",
        "position accuracy (%) at .75",
        "at .5",
        "at .25",
        "at 0",
    ]
    return markdown(results, head, lines)


def regularised(results: str | Path) -> str:
    """The study's variants are NAME-pos; beside them the same training with nothing added, of the same seeds."""
    names = [name.removesuffix("-pos") for name in variants(results, "regularised")]
    if not names:
        return ""
    told = {f"regularised/{name}-pos": f"`{name}`: {REGULARISED[name]}" for name in names}
    seeds = {run.seed for variant in told for run in finished(results, variant)}
    lines = []
    for variant, text in {"labels/mp3-5000-pos": "nothing", **told}.items():
        found = [row(results, variant, f"{part}_top1") for part in ("validation", "test")]
        lines.append([text, *(Row(variant, {s: r.by_seed[s] for s in seeds & {*r.seeds}}) for r in found)])
    return markdown(results, ["added", "validation top-1 (%)", "test top-1 (%)"], lines)


def further(results: str | Path) -> str:
    lines = []
    for name in variants(results, "further"):
        settings = finished(results, f"further/{name}")[0].about["settings"]
        found = [placed(results, f"further/{name}", ratio, "kept apart") for ratio in ("0.75", "0.5", "0.25", "0.0")]
        lines.append([f"`{name}`: {FURTHER[name]}", f"{tokens(settings) / 1e6:.1f}", *found])
    head = ["two epochs more", "million tokens", "position accuracy (%) at .75", "at .5", "at .25", "at 0"]
    return markdown(results, head, lines)


def tokens(settings: dict) -> int:
    """How many tokens a pretraining sends through the network: the context and those of the hidden that are asked."""
    sizes = [settings["model"]["vit"][name] for name in ("image_size", "patch_size")]
    image, patch = (size**2 if isinstance(size, int) else math.prod(size) for size in sizes)
    n = image // patch
    hidden = int(settings["mask_ratio"] * n)
    asked = max(1, round(settings["query_fraction"] * hidden))
    steps = settings["epochs"] * (settings["num_images"] // settings["batch_size"])
    return steps * settings["batch_size"] * (n - hidden + asked)


def rates(results: str | Path) -> str:
    """The study's variants are START-RATE-pos; chosen is what has the highest top-1 on the validation part."""
    rows = {name: row(results, f"rates/{name}", "validation_top1") for name in variants(results, "rates")}
    tried = sorted({float(name.split("-", 1)[1].removesuffix("-pos")) for name in rows})
    by_start = [{lr: rows.get(f"{start}-{lr}-pos", Row("", {})) for lr in tried} for start in ("scratch", "mp3")]
    best = [max((lr for lr in one if one[lr].n), key=lambda lr: one[lr].mean, default=None) for one in by_start]
    marks = {lr: [name for name, b in zip(("scratch", "MP3"), best, strict=True) if b == lr] for lr in tried}
    lines = [[f"{lr:g}", *(one[lr] for one in by_start), ", ".join(marks[lr])] for lr in tried]
    return markdown(results, ["learning rate", "validation top-1 (%), scratch", "MP3", "highest for"], lines)


def paper(results: str | Path) -> str:
    """The paper's table 3 (``PAPER``) beside ours; its figures stand there without runs of ours, too."""
    nothing = Row("", {})
    ours = {
        "from scratch, with absolute positions": ("cost/scratch-5-pos", "cost/scratch-15-pos"),
        "from scratch, without": ("cost/scratch-5-nopos", "cost/scratch-15-nopos"),
        "MP3, with absolute positions": ("cost/mp3-10-and-5-pos", "cost/mp3-10-and-5-pos"),
        "MP3, without": ("cost/mp3-10-and-5-nopos", "cost/mp3-10-and-5-nopos"),
    }
    rows = {name: [top1(results, variant) for variant in ours.get(name, ())] or [nothing] * 2 for name in PAPER}
    lines = [[name, *PAPER[name], *(one.text() for one in rows[name])] for name in PAPER]
    head = [
        "top-1 (%)",
        "paper, CIFAR-100",
        "paper, Tiny-ImageNet",
        "ours, CIFAR-10, equal fine-tuning",
        "equal in all",
    ]
    told = [one for several in rows.values() for one in several if one.n]
    source = (
        "The paper's: Zhai et al. 2022, arXiv 2207.07611, table 3, ViT-S (absolute positions: 2D absolute for MAE), "
        "2,000 epochs of pretraining."
    )
    return grid([head, *lines]) + "\n\n" + source + (f" Ours: {note(results, told)}" if told else "")

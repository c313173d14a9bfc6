"""Every table of the studies in results/README.md and the notebooks, made from run folders."""

from __future__ import annotations

import json
import math
from pathlib import Path

from .markdown import grid, markdown, note
from .plan import AS_LONG, CUES, FINE, FURTHER, FURTHER_PUZZLER, HIDDEN, HIDDEN_TESTS, REGULARISED
from .runs import Row, finished, row, top1, variants

# Zhai et al. 2022, arXiv 2207.07611, table 3 (ViT-S, 2,000 epochs of pretraining): top-1 (%), CIFAR-100, Tiny-ImageNet
PAPER = {
    "from scratch, with absolute positions": ("73.4", "57.6"),
    "from scratch, without": ("64.6", "60.0"),
    "MP3, with absolute positions": ("84.0", "72.8"),
    "MP3, without": ("82.6", "68.2"),
    "MAE, with absolute positions": ("84.5", "73.7"),
}
CONTROL = "ratio/0.75"  # the pretraining of five epochs that others are compared with
WITH, WITHOUT = "pos", "nopos"
PROBED = " The probes see features with position embeddings."
RATIOS = ("0.0", "0.25", "0.5", "0.75", "0.9")
HEAD = ("position accuracy (%) at 0", *(f"at {ratio[1:]}" for ratio in RATIOS[1:]), "k-NN (%)", "linear (%)")
FALLING = ("position accuracy (%) at .75", "at .5", "at .25", "at 0")
NOTHING = Row({})


def placed(results: str | Path, variant: str, ratio: str = "0.75", images: str = "as they are") -> Row:
    """Position accuracy on test images at a mask ratio, of a pretraining."""
    return row(results, variant, "positions", images, ratio, "accuracy")


def falling(results: str | Path, variant: str, images: str = "as they are") -> list[Row]:
    """Position accuracy at the mask ratios that ``FALLING`` names."""
    return [placed(results, variant, ratio, images) for ratio in ("0.75", "0.5", "0.25", "0.0")]


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
    """MP3 beside training from scratch for as many epochs on labels, for as long, and for as many epochs in all."""
    file = Path(results) / "benchmarks" / "equal_time.json"
    ratio = json.loads(file.read_text(encoding="utf-8"))["ratio"] if file.exists() else None
    lines = []
    for variant, name, before, after in (
        ("scratch-5", "from scratch", 0, 5),
        ("mp3-10-and-5", "MP3, then fine-tuned", 10, 5),
        (f"scratch-{AS_LONG}", "from scratch, about as long", 0, AS_LONG),
        ("scratch-15", "from scratch", 0, 15),
    ):
        epochs = [f"{before} + {after}" if before else str(after)]
        epochs += [f"{before * ratio + after:.1f}"] if ratio else []
        lines.append([name, *epochs, *(top1(results, f"cost/{variant}-{positions}") for positions in (WITH, WITHOUT))])
    head = ["all labels", "epochs", *(["processor time"] if ratio else []), "top-1 (%), with position embeddings"]
    return markdown(results, [*head, "without"], lines)


def fractions(results: str | Path) -> str:
    kinds = [(start, positions) for positions in (WITH, WITHOUT) for start in ("scratch", "mp3")]
    lines = [
        [f"{n:,} ({n / 50_000:.0%})", *(top1(results, f"labels/{start}-{n}-{positions}") for start, positions in kinds)]
        for n in label_counts(results)
    ]
    for name, scratch in (("all", "scratch-5"), ("all, same total epochs", "scratch-15")):
        names = {"scratch": scratch, "mp3": "mp3-10-and-5"}
        lines.append([name, *(top1(results, f"cost/{names[start]}-{positions}") for start, positions in kinds)])
    head = ["labels", "top-1 (%), scratch", "MP3", "without positions: scratch", "without positions: MP3"]
    return markdown(results, head, lines)


def seeds_of_fractions(results: str | Path) -> dict[str, dict[str, list[float]]]:
    """Top-1 on the test images of every seed of the study "labels", by number of labels and variant."""
    found: dict[str, dict[str, list[float]]] = {str(n): {} for n in label_counts(results)}
    for variant in variants(results, "labels"):
        found[variant.split("-")[1]][variant] = top1(results, f"labels/{variant}").values
    return found


def probes(results: str | Path) -> str:
    found = {"5": CONTROL} | {name.split("-")[0]: f"pretraining/{name}" for name in variants(results, "pretraining")}
    control = next((variant for variant in found.values() if finished(results, variant)), CONTROL)
    lines = [["random init", *probed(results, control, "random init")]]

    def add(name: str, figures: dict) -> None:
        lines.append([name, *(Row({0: figures[probe]}) for probe in ("knn", "linear"))])

    if (file := Path(results) / "evaluations" / "pixels.json").exists():
        add("raw pixels", json.loads(file.read_text(encoding="utf-8")))
    lines += [[f"{epochs} epochs of MP3", *probed(results, variant)] for epochs, variant in found.items()]
    for file in sorted((Path(results) / "probes").glob("*.json")):
        figures = json.loads(file.read_text(encoding="utf-8"))
        add(f"random init, as large as `{file.stem}`", figures["random init"])
        add(f"`{file.stem}`", figures["weights"])
    table = markdown(results, ["frozen features of", "k-NN top-1 (%)", "linear top-1 (%)"], lines)
    return table and table + PROBED


def contexts(results: str | Path) -> str:
    lines = [
        [name, *pretraining(results, variant)] for name, variant in (("updated", CONTROL), ("static", "context/frozen"))
    ]
    return markdown(results, ["context", *HEAD], lines)


def ratios(results: str | Path) -> str:
    lines = [[f"mask ratio {name}", *pretraining(results, f"ratio/{name}")] for name in variants(results, "ratio")]
    return markdown(results, ["trained at", *HEAD], lines)


NOT_PRETRAINED = {  # networks of the study "hidden-labels" that begin with random weights
    "scratch": "nothing: not pretrained",
    "scratch-normed": "nothing: not pretrained, LayerNorm on the pixels of a patch",
}


def hidden_variants(results: str | Path) -> list[tuple[str, int]]:
    """(name, epochs) of the finished variants of the study "hidden", short trainings first."""
    found = {tuple(variant.rsplit("-", 1)) for variant in variants(results, "hidden")}
    lengths = sorted({int(epochs) for _, epochs in found})
    return [(name, epochs) for epochs in lengths for name in HIDDEN if (name, str(epochs)) in found]


def hidden_top1(results: str | Path, before: str) -> dict[str, Row]:
    """Top-1 after fine-tuning a network of the study "hidden", or one of ``NOT_PRETRAINED``, on labels."""
    return {f"top1_{labels}": top1(results, f"hidden-labels/{before}-{labels}-pos") for labels in (1000, 5000)}


def hidden_figures(results: str | Path, name: str, epochs: int) -> dict[str, Row]:
    """What the study "hidden" measures of one variant, with everything seen where no ratio is named."""
    variant = f"hidden/{name}-{epochs}"
    figures = {f"position at {ratio}": placed(results, variant, ratio) for ratio in RATIOS}
    figures["whole"] = row(results, variant, "positions", "as they are", "0.0", "whole")
    figures["knn"], figures["linear"] = probed(results, variant)
    figures |= hidden_top1(results, f"{name}-{epochs}")
    return figures | {test: placed(results, variant, "0.0", test) for test in HIDDEN_TESTS}


def hidden(results: str | Path) -> str:
    """What is hidden in training, what the network then places, and what its features know."""
    lines = []
    for start, words in NOT_PRETRAINED.items():
        scratch = hidden_top1(results, start).values()
        lines += [[words, "0", *[NOTHING] * 8, *scratch]] if any(row.n for row in scratch) else []
    for name, epochs in hidden_variants(results):
        figures = hidden_figures(results, name, epochs)
        shown = [figures[f"position at {ratio}"] for ratio in RATIOS]
        shown += [figures[one] for one in ("whole", "knn", "linear", "top1_1000", "top1_5000")]
        lines.append([HIDDEN[name].words, str(epochs), *shown])
    head = ["hidden in training", "epochs", *HEAD[:5], "whole images (%)", *HEAD[5:]]
    head += ["top-1 (%), 1,000 labels", "5,000 labels"]
    return markdown(results, head, lines)


def hidden_cues(results: str | Path) -> str:
    """What the networks of the study "hidden" use: everything is seen, and the test images lack a cue."""
    lines = []
    for name, epochs in hidden_variants(results):
        figures = hidden_figures(results, name, epochs)
        lines.append([HIDDEN[name].words, str(epochs), figures["position at 0.0"], *(figures[t] for t in HIDDEN_TESTS)])
    head = ["hidden in training", "epochs", "position accuracy (%), images as they are", *HIDDEN_TESTS]
    return markdown(results, head, lines)


def hidden_models(results: str | Path) -> dict[str, list[dict]]:
    """The study "hidden" and the shipped networks of that size, for charts.

    Fractions, means over seeds; None where nothing was measured.
    """

    def mean(figure: Row) -> float | None:
        return figure.mean if figure.n else None

    models = []
    for name, epochs in hidden_variants(results):
        figures = hidden_figures(results, name, epochs)
        about = {"variant": name, "words": HIDDEN[name].words, "epochs": epochs, "seeds": figures["knn"].n}
        position = {ratio: mean(figures[f"position at {ratio}"]) for ratio in RATIOS}
        told = {one: mean(figures[one]) for one in ("whole", "knn", "linear", "top1_1000", "top1_5000")}
        cues = {test: mean(figures[test]) for test in HIDDEN_TESTS}
        models.append(about | {"position": position} | told | {"cues": cues})
    shipped = []
    for file in sorted((Path(results) / "probes").glob("*-4x4.json")):
        probes = json.loads(file.read_text(encoding="utf-8"))["weights"]
        measured = json.loads((Path(results) / "evaluations" / file.name).read_text(encoding="utf-8"))["positions"]
        position = {ratio: measured[ratio]["accuracy"] for ratio in RATIOS}
        told = {"position": position, "whole": measured["0.0"]["whole"]}
        shipped.append({"name": file.stem, **told, "knn": probes["knn"], "linear": probes["linear"]})
    starts = {
        start: {name: mean(figure) for name, figure in hidden_top1(results, start).items()} for start in NOT_PRETRAINED
    }
    return {"models": models, "shipped": shipped} | starts


def lengths(results: str | Path) -> str:
    random_init = probed(results, CONTROL, "random init")[1]
    lines = [["0 (random init)", NOTHING, random_init, top1(results, "labels/scratch-5000-pos")]]
    for epochs, before, after in (
        ("5", CONTROL, "length/5-epochs-pos"),
        ("10", "pretraining/10-epochs", "labels/mp3-5000-pos"),
        ("20", "pretraining/20-epochs", "length/20-epochs-pos"),
    ):
        lines.append([epochs, placed(results, before, "0.75"), probed(results, before)[1], top1(results, after)])
    head = ["epochs of MP3", "position accuracy (%)", "linear probe (%)", "top-1 (%), fine-tuned on 5,000 labels"]
    table = markdown(results, head, lines)
    return table and table + PROBED


def cues(results: str | Path) -> str:
    lines = []
    for variant in [CONTROL, *(f"cues/{name}" for name in variants(results, "cues"))]:
        code = variant.split("/")[1]
        name = "nothing changed" if variant == CONTROL else f"`{code}`"
        for images in finished(results, variant)[0].scores["positions"] if finished(results, variant) else ():
            untouched = images == "as they are"
            told = f"{name}: {CUES[code].words}" if untouched and code in CUES else name
            accuracies = [placed(results, variant, ratio, images) for ratio in ("0.75", "0.5", "0.0")]
            lines.append([told, images, *accuracies, *(probed(results, variant) if untouched else [NOTHING] * 2)])
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
        told = f"`{name}`: {FINE[name].words}"
        lines.append([told, epochs, settings[32]["precision"], f"{millions:.1f}", *falling(results, f"fine/{name}")])
    return markdown(results, ["recipe", "epochs", "precision", "million tokens", *FALLING], lines)


def regularised(results: str | Path) -> str:
    """The study's variants are NAME-pos; beside them the same training with nothing added, of the same seeds."""
    names = [name.removesuffix("-pos") for name in variants(results, "regularised")]
    told = {f"regularised/{name}-pos": f"`{name}`: {REGULARISED[name].words}" for name in names}
    seeds = {run.seed for variant in told for run in finished(results, variant)}
    lines = [
        [text, *(row(results, variant, f"{part}_top1").only(seeds) for part in ("validation", "test"))]
        for variant, text in {"labels/mp3-5000-pos": "nothing", **told}.items()
    ]
    return markdown(results, ["added", "validation top-1 (%)", "test top-1 (%)"], lines)


def further(results: str | Path) -> str:
    lines = []
    for name in variants(results, "further"):
        settings = finished(results, f"further/{name}")[0].about["settings"]
        accuracies = falling(results, f"further/{name}", "kept apart")
        lines.append([f"`{name}`: {FURTHER[name].words}", f"{tokens(settings) / 1e6:.1f}", *accuracies])
    return markdown(results, ["two epochs more", "million tokens", *FALLING], lines)


def further_puzzler(results: str | Path) -> str:
    lines = []
    for name in variants(results, "further-puzzler"):
        study = f"further-puzzler/{name}"
        solved = [row(results, study, "positions", "kept apart", "0.0", figure) for figure in ("jigsaw", "whole")]
        lines.append([f"`{name}`: {FURTHER_PUZZLER[name].words}", *solved, *falling(results, study, "kept apart")])
    head = ["two epochs more", "no place twice (%) at 0", "whole images (%) at 0", *FALLING]
    return markdown(results, head, lines)


def tokens(settings: dict) -> int:
    """How many tokens a pretraining sends through the network: the context and the hidden patches that give queries."""
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
    by_start = [{lr: rows.get(f"{start}-{lr}-pos", NOTHING) for lr in tried} for start in ("scratch", "mp3")]
    best = [max((lr for lr in one if one[lr].n), key=lambda lr: one[lr].mean, default=None) for one in by_start]
    marks = {lr: [name for name, b in zip(("scratch", "MP3"), best, strict=True) if b == lr] for lr in tried}
    lines = [[f"{lr:g}", *(one[lr] for one in by_start), ", ".join(marks[lr])] for lr in tried]
    return markdown(results, ["learning rate", "validation top-1 (%), scratch", "MP3", "highest for"], lines)


def paper(results: str | Path) -> str:
    """The paper's table 3 (``PAPER``) beside ours; its figures stand there without runs of ours, too."""
    ours = {
        "from scratch, with absolute positions": ("cost/scratch-5-pos", "cost/scratch-15-pos"),
        "from scratch, without": ("cost/scratch-5-nopos", "cost/scratch-15-nopos"),
        "MP3, with absolute positions": ("cost/mp3-10-and-5-pos", "cost/mp3-10-and-5-pos"),
        "MP3, without": ("cost/mp3-10-and-5-nopos", "cost/mp3-10-and-5-nopos"),
    }
    rows = {name: [top1(results, variant) for variant in ours.get(name, ())] or [NOTHING] * 2 for name in PAPER}
    lines = [[name, *PAPER[name], *(one.text() for one in rows[name])] for name in PAPER]
    head = [
        "top-1 (%)",
        "paper, CIFAR-100",
        "paper, Tiny-ImageNet",
        "ours, CIFAR-10, same fine-tuning",
        "same total epochs",
    ]
    told = [one for several in rows.values() for one in several if one.n]
    source = (
        "The paper's: Zhai et al. 2022, arXiv 2207.07611, table 3, ViT-S (absolute positions: 2D absolute for MAE), "
        "2,000 epochs of pretraining."
    )
    return grid([head, *lines]) + "\n\n" + source + (f" Ours: {note(results, told)}" if told else "")

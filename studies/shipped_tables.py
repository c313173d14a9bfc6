"""The tables of the shipped models: how often their positions or classes are right, and how they were trained."""

from __future__ import annotations

import json
import math
from pathlib import Path

from mp3lib.arguments import as_pair
from mp3lib.data.cues import hole_at_border
from mp3lib.train.best import is_finished
from mp3lib.train.run_folder import read_metrics, read_run

from . import tables
from .markdown import grid
from .more_scenes import measured_name
from .plan import CUES, hole_words
from .provenance import recipe, stages, training

# position accuracy by the share of patches hidden: arshadshk/Position-Prediction-Pretraining, GitHub, read off a plot
PUBLISHED = {"0.0": None, "0.25": 0.73, "0.5": 0.63, "0.75": 0.35, "0.9": 0.10}
TESTED = {cue: variant.words for cue, variant in CUES.items()} | {  # what cues.py measures, in words
    "as they are": "nothing changed",
    "boxes": "of every picture a box of its own, 60 % of its area, enlarged to the whole",
    "jpeg-moved": "as `jpeg`, the compression's grid moved by 4 pixels",
}


def evaluations(results: str | Path, measure: str) -> list[tuple[str, dict, dict]]:
    """Name, figures and settings of each shipped model with such figures, from ``evaluations/NAME.json``."""
    paths = sorted((Path(results) / "evaluations").glob("*.json"))
    found = [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in paths]
    return [(name, f, read_run(Path(results) / "runs" / name)) for name, f in found if measure in f]


def classifiers(results: str | Path) -> str:
    """Top-1 of the shipped classifiers, and of its best and worst classes."""
    parts = []
    for name, figures, run in evaluations(results, "top1"):
        by_class = sorted(figures["classes"], key=lambda c: figures["classes"][c]["top1"])
        shares = [f"{c} {figures['classes'][c]['top1']:.1%}" for c in by_class]
        parts += [
            grid(
                [
                    ["classifier", "top-1", "best classes", "worst classes"],
                    [f"`{name}`", f"{figures['top1']:.1%}", ", ".join(shares[:-4:-1]), ", ".join(shares[:3])],
                ]
            ),
            f"On {figures['images']:,} test images of {measured_name(run)}, "
            f"{'with' if figures['pos_emb'] else 'without'} position embeddings. {source(results, name, figures, run)}",
            from_scratch(results, name),
        ]
    return "\n\n".join(filter(None, parts))


def source(results: str | Path, name: str, figures: dict, run: dict) -> str:
    """How a shipped model was trained, on which images it was measured if on others, and how to measure it again."""
    told, data = training(results, name), measured_name(run)
    if data != run["data"]:
        told += f" Measured on {data}, pixels `{figures['fingerprint']}`: {run['data']} has the same test images."
    return f"{told} The same figures: `python -m mp3lib evaluate --weights {figures['weights']} --data {data}`."


ARMS = {  # how the runs are named beside those of a classifier
    "from MP3": "classifier{}",
    "from scratch": "scratch{}",
    "from MP3, without position embeddings": "classifier{}-nopos",
    "from scratch, without": "scratch{}-nopos",
}


def from_scratch(results: str | Path, name: str) -> str:
    """Top-1 after each stage of a classifier, and of its twins: from random weights, without position embeddings.

    The runs of classifier-NAME have theirs in those that ``ARMS`` names.
    """
    found: list[list[dict | None]] = []
    lines = []
    for stage, run in stages(results, name):
        arms = [ended(results, arm.format(stage.removeprefix("classifier"))) for arm in ARMS.values()]
        if stage.startswith("classifier") and arms[0]:
            found.append(arms)
            told = f"`{stage}`, {run['settings']['epochs']} epochs"
            lines.append([told, *(f"{arm['test_top1']:.1%}" if arm else "" for arm in arms)])
    if not any(any(arms[1:]) for arms in found):
        return ""
    used = [column for column in range(len(ARMS)) if any(arms[column] for arms in found)]
    head = ["top-1 on test images after", *ARMS]
    table = grid([[line[0], *(line[1 + column] for column in used)] for line in (head, *lines)])

    def over_stages(setting: str) -> str:
        values = [dict.fromkeys(str(arms[column][setting]) for arms in found if arms[column]) for column in used]
        return " / ".join(", ".join(each) for each in values)

    told = (
        "One stage after the other, the same epochs and augmentation, tested on pictures of the stage's size (6x6: 24 "
        f"pixels, 8x8: 32). Arm by arm: highest learning rates {over_stages('lr')}; precision "
        f"{over_stages('precision')}. The epochs of MP3 are not counted; what counting them does, a smaller model's "
        "*same total epochs* show. One seed, so no spread is known."
    )
    return f"{table}\n\n{told}"


def ended(results: str | Path, name: str) -> dict | None:
    """The settings of a run and the figures of its last epoch; ``None`` if there are none, or it goes on."""
    folder = Path(results) / "runs" / name
    if not (folder / "metrics.jsonl").exists():
        return None
    settings, lines = read_run(folder)["settings"], read_metrics(folder)
    tested = is_finished(lines, settings) and "test_top1" in lines[-1]
    return settings | {"test_top1": lines[-1]["test_top1"]} if tested else None


def positions(results: str | Path) -> str:
    """Position accuracy of the shipped models."""
    parts = []
    for name, figures, run in evaluations(results, "positions"):
        floor, n = figures["patch_only"], round(1 / figures["chance"])
        lines = [["hidden from attention", "seen", "each patch for itself", "no place twice (Hungarian)"]]
        lines[0] += ["whole pictures right", "loss (nats)"]
        for ratio, s in figures["positions"].items():
            hidden = int(float(ratio) * n)
            shares = [f"{s[measure]:.1%}" for measure in ("accuracy", "jigsaw", "whole")]
            lines.append([f"{hidden} of {n}", str(n - hidden), *shares, f"{s['loss']:.3f}"])
        alone = f"*one patch alone, {floor['epochs']} epochs*"
        lines.append([alone, "", f"{floor['accuracy']:.1%}", "", "", f"{floor['loss']:.3f}"])
        lines.append(["*chance*", "", f"{figures['chance']:.1%}", "", "", f"{math.log(n):.3f}"])
        parts += [
            f"`{name}`: position accuracy on {figures['images']:,} test images of {measured_name(run)}",
            grid(lines),
            source(results, name, figures, run),
        ]
    return "\n\n".join(parts)


def students(results: str | Path) -> dict[str, dict]:
    """Of each shipped network of the small size: accuracy by epoch and mask ratio, and how many images it saw."""
    found = {}
    for name, _, _ in evaluations(results, "positions"):
        if not name.startswith("flagship"):
            tested = [line for line in read_metrics(Path(results) / "runs" / name) if "test_accuracy" in line]
            accuracy = {
                ratio: [line["test_accuracy"][ratio] for line in tested] for ratio in tested[0]["test_accuracy"]
            }
            trained = [stage["settings"] for _, stage in stages(results, name)]
            passes = sum(settings["epochs"] * settings["num_images"] for settings in trained)
            epochs = [line["epoch"] for line in tested]
            found[name] = {"passes": passes, "epochs": epochs, "test_accuracy": accuracy}
    return found


def puzzler_by_stage(results: str | Path) -> str:
    """How the puzzlers were made better, and position accuracy after each stage of both, from the logs; or ""."""
    tried, lines = tables.further_puzzler(results), []
    trained = [both for name in ("puzzler-4x4", "puzzler-scenes") for both in stages(results, name)] if tried else []
    for stage, run in trained:
        tested, settings = read_metrics(Path(results) / "runs" / stage)[-1]["test_accuracy"], run["settings"]
        shares = [f"{100 * tested[ratio]:.1f}" for ratio in ("0.75", "0.5", "0.0")]
        images = f"{settings['num_images']:,} of {run['data']}"
        lines.append([f"`{stage}`", str(settings["epochs"]), images, recipe(settings), *shares])
    head = ["test images, after", "epochs", "images", "trained by", "position accuracy (%) at .75", "at .5", "at 0"]
    return f"{tried}\n\n{grid([head, *lines])}" if lines else tried


def published(results: str | Path) -> str:
    """Position accuracy of the flagship beside a published curve; "" where it is not evaluated."""
    found = {name: figures["positions"] for name, figures, _ in evaluations(results, "positions")}
    if "flagship-8x8" not in found:
        return ""
    lines = [
        [ratio, "" if theirs is None else f"{theirs:.0%}", f"{found['flagship-8x8'][ratio]['accuracy']:.1%}"]
        for ratio, theirs in PUBLISHED.items()
    ]
    table = grid([["hidden from attention", "published, CIFAR-100", "`flagship-8x8`, CIFAR-10"], *lines])
    return f"{table}\n\nThe flagship saw {flagship_epochs(results)} epochs, those on smaller pictures among them."


def flagship_epochs(results: str | Path) -> int:
    """Of all its stages together."""
    return sum(run["settings"]["epochs"] for _, run in stages(results, "flagship-8x8"))


def by_cue(results: str | Path) -> str:
    """Position accuracy of shipped models on test images that lack a cue, from ``cues/NAME.json``."""
    parts = []
    for path in sorted((Path(results) / "cues").glob("*.json")):
        figures = json.loads(path.read_text(encoding="utf-8"))
        ratios = next(iter(figures["cues"].values()))
        patch_size = as_pair(read_run(Path(results) / "runs" / path.stem)["settings"]["model"]["vit"]["patch_size"])
        words = TESTED | {"hole-1": hole_words(patch_size, 1)}
        head = [f"`{path.stem}`, test images", *(f"with {float(ratio):.0%} hidden" for ratio in ratios)]
        lines = [
            [f"`{cue}`: {words[cue]}" if cue in CUES else words[cue], *(f"{share:.1%}" for share in told.values())]
            for cue, told in figures["cues"].items()
        ]
        lines.append(["*chance*", *[f"{figures['chance']:.1%}"] * len(ratios)])
        about = f"The first {figures['images']:,} test images of {figures['data']}, pixels `{figures['fingerprint']}`"
        parts += [
            grid([head, *lines]),
            f"{about}. The same figures: `python -m studies cues {path.stem}`.",
            no_placebo(figures["cues"], patch_size),
        ]
    return "\n\n".join(filter(None, parts))


def no_placebo(cues: dict[str, dict[str, float]], patch_size: tuple[int, int]) -> str:
    """Why the cues do not say what the borders of such patches are worth; "" where ``hole-1`` leaves them alone."""
    if not hole_at_border(patch_size):
        return ""
    (height, width), (seen, *_) = patch_size, cues["gap-1"]
    pixels, left = height * width, (height - 2) * (width - 2)
    return (
        f"`gap-1` and `hole-1` do not say what the borders are worth here. A gap leaves {left} of the {pixels} pixels "
        f"of a patch, and only {left} pixels are not at the border. So no placebo that paints as many can leave the "
        f"borders alone: `hole-1` paints {hole_at_border(patch_size)} of their {pixels - left} pixels. With every "
        f"patch seen, the accuracy is {cues['gap-1'][seen]:.1%} with `gap-1` and {cues['hole-1'][seen]:.1%} with "
        "`hole-1`."
    )

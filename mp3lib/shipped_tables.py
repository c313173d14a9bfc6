"""The tables of what ships: how often its positions or its classes are right, and what it was trained on."""

from __future__ import annotations

import json
import math
from pathlib import Path

from .markdown import grid
from .provenance import stages, training
from .results import read_metrics, read_run


def evaluations(results: str | Path, measure: str) -> list[tuple[str, dict, dict]]:
    """Name, figures and settings of each shipped model with such figures, from ``evaluations/NAME.json``."""
    paths = sorted((Path(results) / "evaluations").glob("*.json"))
    found = [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in paths]
    return [(name, f, read_run(Path(results) / "runs" / name)) for name, f in found if measure in f]


def classifiers(results: str | Path) -> str:
    """Top-1 of the shipped classifiers, and of the classes that each tells best and worst."""
    parts = []
    for name, figures, run in evaluations(results, "top1"):
        by_class = sorted(figures["classes"], key=lambda c: figures["classes"][c]["top1"])
        shares = [f"{c} {figures['classes'][c]['top1']:.1%}" for c in by_class]
        parts += [
            grid(
                [
                    ["classifier", "top-1", "classes told best", "and worst"],
                    [f"`{name}`", f"{figures['top1']:.1%}", ", ".join(shares[:-4:-1]), ", ".join(shares[:3])],
                ]
            ),
            f"On {figures['images']:,} test images of {run['data']}, {'with' if figures['pos_emb'] else 'without'} "
            f"position embeddings. {training(results, name)} The same figures: "
            f"`python -m mp3lib evaluate --weights {figures['weights']} --data {run['data']}`.",
            from_scratch(results, name),
        ]
    return "\n\n".join(filter(None, parts))


def from_scratch(results: str | Path, name: str) -> str:
    """Top-1 after each stage of a classifier and of its twin that began with random weights.

    The runs of classifier-NAME have their twins in scratch-NAME.
    """
    lines, settings = [], []
    for stage, run in stages(results, name):
        pair = [Path(results) / "runs" / each for each in (stage, stage.replace("classifier", "scratch", 1))]
        if pair[0] == pair[1] or not all((folder / "metrics.jsonl").exists() for folder in pair):
            continue
        both = [read_metrics(folder)[-1] for folder in pair]
        if both[0]["epoch"] == both[1]["epoch"] == run["settings"]["epochs"]:
            named = f"`{stage}` and `{pair[1].name}`, {both[0]['epoch']} epochs"
            lines.append([named, *(f"{line['test_top1']:.1%}" for line in both)])
            settings.append([read_run(folder)["settings"] for folder in pair])
    if not lines:
        return ""
    rates, precisions = (
        " against ".join(", ".join(dict.fromkeys(f"{s[setting]}" for s in arm)) for arm in zip(*settings, strict=True))
        for setting in ("lr", "precision")
    )
    told = (
        "One stage after the other, the same epochs and augmentation, tested on pictures of the stage's size (6x6: 24 "
        f"pixels, 8x8: 32); highest learning rates {rates}; {precisions}. The epochs of MP3 are not counted; what "
        "counting them does, a smaller model's *equal epochs in all* show. One seed, so no spread is known."
    )
    return f"{grid([['top-1 on test images after', 'from MP3', 'from scratch'], *lines])}\n\n{told}"


def positions(results: str | Path, only: str | None = None) -> str:
    """Position accuracy of the shipped models, or of one of them."""
    parts = []
    for name, figures, run in evaluations(results, "positions"):
        if only not in (None, name):
            continue
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
            f"`{name}`: position accuracy on {figures['images']:,} test images of {run['data']}",
            grid(lines),
            f"{training(results, name)} The same figures: "
            f"`python -m mp3lib evaluate --weights {figures['weights']} --data {run['data']}`.",
        ]
    return "\n\n".join(parts)

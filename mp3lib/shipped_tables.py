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
    head = ["top-1 on test images after", "from MP3's weights", "from random weights"]
    lines, rates = [], []
    for stage, run in stages(results, name):
        twin = Path(results) / "runs" / stage.replace("classifier", "scratch", 1)
        if twin.name == stage or not (twin / "run.json").exists():
            continue
        both = [read_metrics(folder)[-1] for folder in (twin.with_name(stage), twin)]
        if both[0]["epoch"] == both[1]["epoch"] == run["settings"]["epochs"]:
            lines.append([f"`{stage}`, {both[0]['epoch']} epochs", *(f"{line['test_top1']:.1%}" for line in both)])
            rates.append((run["settings"]["lr"], read_run(twin)["settings"]["lr"]))
    if not lines:
        return ""
    theirs = (", ".join(f"{rate:g}" for rate in each) for each in zip(*rates, strict=True))
    told = (
        "One stage after the other, with the same epochs and augmentation; highest learning rates "
        f"{' against '.join(theirs)}. The epochs of MP3 are not counted. One seed, so no spread is known."
    )
    return f"{grid([head, *lines])}\n\n{told}"


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

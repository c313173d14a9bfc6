"""Where figures come from: settings, seeds, data and machines of the runs behind them."""

from __future__ import annotations

import itertools
import string
from collections import Counter
from pathlib import Path, PurePath

from mp3lib.train.run_folder import machines, read_run

from .markdown import SETTINGS, grid, machine, settings_of
from .runs import finished, variants

FEATURES = {
    "start": "from",
    "patch_size": "patches",
    "patch_norm": "patch norm",
    "dim": "dim",
    "depth": "depth",
    "heads": "heads",
    "dim_head": "of",
    "mlp_dim": "mlp",
    "crop_area": "crops",
    "unflipped": "unflipped",
    "transform": "transform",
    "change": "change",
    "mean_mask_ratio": "mean mask ratio",
    "mask_ratios": "mask ratio drawn between",
}


def the_runs(results: str | Path) -> str:
    """Settings, seeds and machines of every run of a study, a line a variant."""
    studies = dict.fromkeys(path.parts[-4] for path in sorted(Path(results).glob("runs/*/*/seed-*/scores.json")))
    names = [f"{study}/{variant}" for study in studies for variant in variants(results, study)]
    found = {name: finished(results, name) for name in names}
    if not found:
        return ""
    every = [run for runs in found.values() for run in runs]
    on = dict.fromkeys(machine(each) for run in every for each in machines(run.about))
    letters = dict(zip(on, string.ascii_uppercase, strict=False))
    data = Counter(f"{run.about['data']}, pixels `{run.about['fingerprint']}`" for run in every)
    usual, _ = data.most_common(1)[0]
    same = [name for name in SETTINGS if len({run.about["settings"].get(name) for run in every}) == 1]
    told_apart = {name: features(runs[0].about) for name, runs in found.items()}
    most = [Counter(each.get(name) for each in told_apart.values()).most_common(1)[0][0] for name in FEATURES]
    alike = [text for text in most if text]
    lines = [["run", "seeds", "settings", "machine"]]
    for name, runs in found.items():
        texts = settings_of(runs, [setting for setting in SETTINGS if setting not in same])
        images = dict.fromkeys(f"{run.about['data']}, pixels `{run.about['fingerprint']}`" for run in runs)
        used = sorted({letters[machine(each)] for run in runs for each in machines(run.about)})
        texts += [text for text in told_apart[name].values() if text not in alike]
        told = ", ".join([*texts, *(other for other in images if other != usual)])
        lines.append([f"`{name}`", ", ".join(str(run.seed) for run in runs), told, ", ".join(used)])
    legend = "; ".join(f"{letter}: {text}" for text, letter in letters.items())
    of_all = ", ".join(settings_of(every, same))
    others = ", ".join([*alike, usual])
    return grid(lines) + f"\n\nAll: {of_all}. Unless others are named: {others}. {legend}."


def features(about: dict) -> dict[str, str]:
    """What tells runs apart beside ``SETTINGS``, in words: shape, augmentation, start."""
    settings = about["settings"]
    model = settings.get("model", {})
    start = about.get("start")
    known = settings | model | model.get("vit", {}) | about | {"start": start and f"`{start.rsplit('/', 1)[0]}`"}
    if isinstance(sides := known.get("patch_size"), list) and len({*sides}) == 1:  # older runs give both sides
        known["patch_size"] = sides[0]
    known.setdefault("patch_norm", True)  # runs from before there was a choice do not name it
    return {
        name: f"{text} {known[name]:.3g}" if isinstance(known[name], float) else f"{text} {known[name]}"
        for name, text in FEATURES.items()
        if known.get(name) is not None
    }


def training(results: str | Path, name: str) -> str:
    """How a shipped model was trained: every stage since random weights, with its machine and data."""
    trained, told = stages(results, name), []
    for how, alike in itertools.groupby(trained, lambda stage: recipe(stage[1]["settings"])):
        told.append(", ".join(f"`{name}` for {run['settings']['epochs']} epochs" for name, run in alike) + f" ({how})")
    on = dict.fromkeys(machine(each) for _, run in trained for each in machines(run))
    _, last = trained[-1]
    return (
        f"Trained: {', then '.join(told)}; one seed ({last['settings']['seed']}), on {' and '.join(on)}; "
        f"{last['data']}, pixels `{last['fingerprint']}`."
    )


def stages(results: str | Path, name: str) -> list[tuple[str, dict]]:
    """Name and ``run.json`` of each run that a model went through, the first one first."""
    found: list[tuple[str, dict]] = []
    while (Path(results) / "runs" / name / "run.json").exists():
        run = read_run(Path(results) / "runs" / name)
        found.insert(0, (name, run))
        name = PurePath(run.get("start") or run.get("weights") or "none").name
    return found


def recipe(settings: dict) -> str:
    """The settings of a run in short."""
    parts = ["MP3" if settings["task"] == "pretrain" else "labels", settings["optimizer"], settings["precision"]]
    refined = {n: settings[n] for n in ("context", "mask_ratio", "augment", "label_smoothing") if settings.get(n)}
    if drawn := settings.get("mask_ratios"):
        refined["mask_ratio"] = "{} to {}".format(*drawn)
    if settings.get("crop_area") == [1, 1]:
        parts.append("no crops")
    return ", ".join([*parts, *(f"{name.replace('_', ' ')} {value}" for name, value in refined.items())])

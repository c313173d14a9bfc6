"""The model card of saved weights: what they are, what they were trained on and how, and how to load them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..arguments import shown
from ..paths import written_beside

MARK = "<!-- made by mp3lib from run.json and made again with it; remove this line to keep your own text -->"
PAPER = "[arXiv 2207.07611](https://arxiv.org/abs/2207.07611)"
TAGS = ("mp3lib", "masked-position-prediction", "vision-transformer")


def model_card(
    model: Any, run: dict[str, Any] | None = None, lines: Sequence[dict] = (), name: str | None = None
) -> str:
    """The card of a model, in Markdown with the fields that the Hugging Face Hub reads on top.

    Args:
        model: an ``MP3`` or a ``ViT``.
        run: what its ``run.json`` holds, if it comes from a run. Of its own entries, ``license`` becomes a field.
        lines: the log of the run, an epoch each, as ``read_metrics`` gives it.
        name: for the title; default: what kind of model it is.

    Raises:
        ValueError: for anything else.
    """
    check_arguments(model, run, lines, name)
    run, config = run or {}, model.config
    shape = config.get("vit", config)
    pretrained = "vit" in config
    parts = [
        "\n".join(["---", *fields(run, pretrained), "---", MARK]),
        f"# {plain(name or '') or 'A Vision Transformer' + ('' if pretrained else ' with a classification head')}",
        what_it_is(model, shape, pretrained),
        "\n".join(["## Load it", "", "```python", *snippet(shape, pretrained, model), "```"]),
    ]
    if run:
        parts.append("## Images\n\n" + table(images_of(run)))
        parts.append("## Recipe\n\n" + table(recipe_of(run)))
    if lines:
        parts.append("## Figures\n\n" + figures(run, lines))
    parts.append("## License\n\n" + license_of(run))
    return "\n\n".join(parts) + "\n"


def check_arguments(model: Any, run: Any, lines: Any, name: Any) -> None:
    """Raise ``ValueError`` for arguments of ``model_card`` that are of another kind."""
    if not isinstance(config := getattr(model, "config", None), dict) or "image_size" not in config.get("vit", config):
        raise ValueError(f"model must be an MP3 or a ViT, got {shown(model)}")
    if run is not None and not isinstance(run, dict):
        raise ValueError(f"run must be the dict of a run.json, or None, got {shown(run)}")
    for entry in ("settings", "versions", "best"):
        if run and not isinstance(run.get(entry, {}), dict):
            raise ValueError(f"run[{entry!r}] must be a dict, as in a run.json, got {shown(run[entry])}")
    if not isinstance(lines, Sequence) or not all(isinstance(line, dict) and "epoch" in line for line in lines):
        raise ValueError(f"lines must be the lines of a log, a dict with its epoch each, got {shown(lines)}")
    best = (run or {}).get("best")
    if best and lines and (type(best.get("epoch")) is not int or not 1 <= best["epoch"] <= len(lines)):
        raise ValueError(f"run['best'] must name an epoch of the log, 1 to {len(lines)}, got {shown(best)}")
    if name is not None and not isinstance(name, str):
        raise ValueError(f"name must be a text or None, got {shown(name)}")


def fields(run: dict, pretrained: bool) -> list[str]:
    """The lines of YAML; a string in JSON is one in YAML."""
    lines = ["library_name: mp3lib"]
    lines.append(f"pipeline_tag: {'image-feature-extraction' if pretrained else 'image-classification'}")
    if run.get("license"):
        lines.append(f"license: {json.dumps(run['license'])}")
    return [*lines, "tags:", *(f"- {tag}" for tag in TAGS)]


def what_it_is(model: Any, shape: dict, pretrained: bool) -> str:
    """Kind, size and classes of the model, in sentences."""
    weights = sum(p.numel() for p in model.parameters())
    words = f"A Vision Transformer of mp3lib with {weights:,} weights"
    if pretrained:
        words += f", pretrained by masked position prediction (MP3, {PAPER}): every patch predicts where it belongs"
    words += (
        f". Images of {sides(shape['image_size'])} pixels in {shape['channels']} channels, patches of "
        f"{sides(shape['patch_size'])}, {shape['dim']} features, {shape['depth']} layers of {shape['heads']} heads."
    )
    if values := getattr(getattr(model, "vit", model), "value_range", None):
        words += f" The values from {values[0]:g} to {values[1]:g} of the images became 0 to 255."
    if not pretrained:
        words += f" It tells {shape['num_classes']} classes apart"
        words += f": {', '.join(map(plain, shape['classes']))}." if shape.get("classes") else "."
    return words


def sides(size: int | Sequence[int]) -> str:
    """Height and width in words: 32 becomes "32 x 32"."""
    height, width = (size, size) if isinstance(size, int) else size
    return f"{height} x {width}"


def snippet(shape: dict, pretrained: bool, model: Any) -> list[str]:
    """At most ten lines that load the model and use it."""
    size = shape["image_size"] if isinstance(shape["image_size"], int) else tuple(shape["image_size"])
    more = f", channels={shape['channels']}" if shape["channels"] != 3 else ""
    if values := getattr(getattr(model, "vit", model), "value_range", None):
        more += f", value_range={tuple(values)}"
    lines = [
        "from mp3lib.data import load_images, to_float",
        "from mp3lib.model import load_model",
        "",
        'model = load_model("path/to/this/folder")  # or its user/repo on the Hugging Face Hub',
        f'images = load_images("path/to/pictures", size={size}{more}).test.images[:8]  # uint8 (8, c, H, W)',
    ]
    if pretrained:
        return lines + [
            "positions = model.predict(to_float(images)).logits.argmax(-1)  # (8, patches)",
            "# the layer before the last often has better features than the last (seen with 4 layers, on CIFAR-10);",
            "# compare layers on your images: python -m mp3lib probe --layer",
            f"(found,) = model.vit.features(to_float(images), pos_emb=False, layers=[{max(0, shape['depth'] - 1)}])",
            "features = found.pooled  # (8, features)",
        ]
    option = "" if model.pos_emb else ", pos_emb=False"
    return [*lines, f"labels = model(to_float(images){option}).argmax(-1)  # (8,)"]


def images_of(run: dict) -> dict[str, Any]:
    """What is known of the images of a run, as rows of a table."""
    settings = run.get("settings", {})
    return {
        "name": run.get("data"),
        "from": run.get("source"),
        "training images": settings.get("num_images"),
        "fingerprint of the pixels": run.get("fingerprint") or settings.get("data"),
        "digest of the training images": settings.get("images_digest"),
        "license of the images": "not known to mp3lib: see where they are from",
    }


def recipe_of(run: dict) -> dict[str, Any]:
    """The settings of a run, its initial weights and its versions, as rows of a table."""
    elsewhere = ("model", "data", "images_digest", "eval_digest")
    settings = {name: value for name, value in run.get("settings", {}).items() if name not in elsewhere}
    beginning = {"begun with": run.get("start") or run.get("weights")}
    versions = run.get("versions") or {}
    return beginning | settings | {name: versions.get(name) for name in ("torch", "python", "cpu", "system")}


def figures(run: dict, lines: Sequence[dict]) -> str:
    """The figures of the epoch whose weights these are: the best one where the run has kept it, else the last."""
    best, rows = run.get("best"), {}
    line = lines[best["epoch"] - 1] if best else lines[-1]
    for name, value in line.items():
        if isinstance(value, dict):
            rows |= {f"{name}, mask ratio {ratio}": f"{figure:.4f}" for ratio, figure in value.items()}
        elif name == "loss" or name.startswith("test_") or name.endswith("_top1"):
            rows[name if name != "loss" else "loss in training"] = f"{value:.4f}"
    rows["seconds of training"] = round(sum(line.get("seconds", 0) for line in lines))
    chosen = ""
    if best:
        measure = next((name for name in best if name in line and name not in ("epoch", "step")), None)
        tested = sum(measure in line for line in lines)
        chosen = f", the best of {tested} by {plain(measure)}" if measure else f", the best of {len(lines)} epochs"
    return f"After epoch {line['epoch']}{chosen}:\n\n" + table(rows)


def table(rows: dict[str, Any]) -> str:
    """Two columns; what is None is left out."""
    cells = [(plain(name), plain(str(value))) for name, value in rows.items() if value is not None]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in cells)])


def plain(text: str) -> str:
    """A name of somebody else's on one line, without what Markdown or HTML would take for more than text."""
    return re.sub(r"([\\`*<>|#]|\](?=[(\[:]))", r"\\\1", " ".join(text.split()))


def license_of(run: dict) -> str:
    """The license of the weights and of the code, in a sentence."""
    if run.get("license"):
        return f"The weights: {plain(str(run['license']))}. The code of mp3lib: MIT."
    return (
        "Of the weights: not chosen yet. Write `license: …` into the fields on top of this file, or train with "
        "`--license`, before you publish them. The code of mp3lib is under the MIT license."
    )


def write_card(folder: Path, text: str) -> None:
    """Write ``README.md``, unless there is one that somebody keeps: without the line that says it is made by mp3lib."""
    file = folder / "README.md"
    if file.exists() and not file.is_file():  # a pipe or a folder of that name
        return
    if not file.exists() or MARK in file.read_text(encoding="utf-8", errors="replace"):
        with written_beside(file) as beside:
            beside.write_text(text, encoding="utf-8")

"""Run folders: what was trained, on what, with which settings, and one JSON line per epoch."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON beside ``path`` and rename it into place, so that no reader ever sees half a file."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_metrics(path: Path, lines: Iterable[dict]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def read_metrics(folder: str | Path) -> list[dict]:
    """The epochs of a run folder's ``metrics.jsonl``, in order.

    Raises:
        FileNotFoundError: if the folder holds no run.
        ValueError: if a line is not JSON, naming file and line.
    """
    path = Path(folder) / "metrics.jsonl"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no metrics.jsonl: it is not the folder of a run")
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number} is not JSON: {line[:80]!r}") from error
    return lines


def read_run(folder: str | Path) -> dict:
    """The settings of a run: the content of its ``run.json``."""
    path = Path(folder) / "run.json"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no run.json: it is not the folder of a run")
    return json.loads(path.read_text(encoding="utf-8"))


def versions() -> dict[str, str]:
    """The machine and the versions that a result depends on."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": cpu_name(),
        "cores": str(os.cpu_count()),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def position_table(results: str | Path) -> str:
    """The README's table of position accuracy, from ``evaluations/*.json`` in the folder of results."""
    parts = []
    for path in sorted((Path(results) / "evaluations").glob("*.json")):
        figures = json.loads(path.read_text(encoding="utf-8"))
        run = read_run(Path(results) / "runs" / path.stem)
        settings, on = run["settings"], run["versions"]
        n = round(1 / figures["chance"])
        rows = [
            f"| {int(float(ratio) * n)} of {n} | {n - int(float(ratio) * n)} | {s['accuracy']:.1%} | "
            f"{s['jigsaw']:.1%} | {s['whole']:.1%} | {s['loss']:.3f} |"
            for ratio, s in figures["positions"].items()
        ]
        floor = figures["patch_only"]
        parts.append(
            "\n".join(
                [
                    f"`{path.stem}`: position accuracy on {figures['images']:,} test images of {run['data']}",
                    "",
                    "| hidden from attention | seen | each patch for itself | no place twice (Hungarian) | "
                    "whole pictures right | loss (nats) |",
                    "|---|---|---|---|---|---|",
                    *rows,
                    f"| *one patch alone, {floor['epochs']} epochs* | | {floor['accuracy']:.1%} | | | "
                    f"{floor['loss']:.3f} |",
                    f"| *chance* | | {figures['chance']:.1%} | | | {math.log(n):.3f} |",
                    "",
                    f"Trained for {settings['epochs']} epochs ({settings['optimizer']}, {settings['precision']}, "
                    f"context {settings['context']}, mask ratio {settings['mask_ratio']}), "
                    f"one seed ({settings['seed']}), on {on['cores']} cores of an {on['cpu']} "
                    f"with PyTorch {on['torch'].split('+')[0]}; pixels `{run['fingerprint']}`. The same figures: "
                    f"`python -m mp3lib evaluate --weights {figures['weights']} --data {run['data']}`.",
                ]
            )
        )
    return "\n\n".join(parts)


BEGIN, END = "<!-- made by python -m mp3lib table -->\n", "<!-- end of what is made -->\n"


def with_tables(text: str, results: str | Path) -> str:
    """The README's text with its made part replaced by what the results say now.

    Raises:
        ValueError: if the marks around the made part are missing.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the README lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    before, rest = text.split(BEGIN, 1)
    return before + BEGIN + position_table(results) + "\n" + END + rest.split(END, 1)[1]

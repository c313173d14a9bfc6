"""The files of a run folder: run.json (settings, data, versions) and metrics.jsonl (one line an epoch)."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..arguments import shown
from ..json_files import read_json, read_jsonl, write_text
from ..paths import expanded
from .settings import NUMBERS, USUAL

POSITIVE = ("epochs", "batch_size", "lr", "num_images")  # settings that are above 0
KINDS = {"versions": dict, "best": dict, "resumed": list, "longer": list, "id": str, "processes": int}
PLAIN = ("epoch", "step", "loss", "lr", "seconds")  # entries of an epoch that are one number


def check_output(path: Path) -> None:
    """Fail before a long computation if its result could not be written to ``path``; nothing is written yet.

    Raises:
        ValueError: for a folder, or a place that cannot be written to.
    """
    path = path.resolve()
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the name of a file in it")
    if path.is_file() and path.stat().st_size:
        try:
            held = read_json(path)
            ours = "versions" in held and "settings" not in held  # with settings it is the run.json of a training
        except ValueError:
            ours = False
        if not ours:
            raise ValueError(f"{path} exists and holds no figures of mp3lib: choose another name, so that it is kept")
    above = next(folder for folder in path.parents if folder.exists())
    if not above.is_dir() or not os.access(path if path.exists() else above, os.W_OK):
        raise ValueError(f"{path} cannot be written: {above} is not a folder that this user can write to")


def write_metrics(path: Path, lines: Iterable[dict]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def read_metrics(folder: str | Path) -> list[dict]:
    """The epochs of a run folder's ``metrics.jsonl``, in order.

    Raises:
        FileNotFoundError: if the folder holds no run.
        ValueError: if a line is not JSON, or its entries are not numbers, naming file and line.
    """
    path = expanded(folder) / "metrics.jsonl"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no metrics.jsonl: it is not the folder of a run")
    lines = read_jsonl(path)
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, dict) or line.get("epoch") != number or not isinstance(line.get("step"), int):
            raise ValueError(f"{path}, line {number} is not that of epoch {number}: {json.dumps(line)[:80]}")
        for name, value in line.items():
            if not is_figure(name, value):
                raise ValueError(f"{path}, line {number} is damaged: {name} is not a number, but {shown(value)}")
    return lines


def is_figure(name: str, value: Any) -> bool:
    """Whether an entry of an epoch is a number, or where its name allows it a list, or a dict by mask ratio."""
    several = list if name == "losses" else () if name in PLAIN or name.endswith("_top1") else dict
    values = [value]
    if isinstance(value, several):
        values = list(value.values()) if isinstance(value, dict) else value
    kinds = {type(v) for v in values}
    return bool(values) and kinds <= {int, float} and all(abs(v) < 1e300 for v in values)


def read_run(folder: str | Path) -> dict:
    """The settings of a run: the content of its ``run.json``.

    Raises:
        FileNotFoundError: if the folder holds no run.
        ValueError: if the file is damaged.
    """
    path = expanded(folder) / "run.json"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no run.json: it is not the folder of a run")
    run = read_json(path)
    if not isinstance(run.get("settings"), dict):
        raise ValueError(f"{path} is damaged: it has no settings")
    for name, value in (USUAL | run["settings"]).items():
        if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise ValueError(f"{path} is damaged: {name} is not a number, but {shown(value)}")
        if name in POSITIVE and value <= 0:
            raise ValueError(f"{path} is damaged: {name} is not positive, but {shown(value)}")
    for name, kind in KINDS.items():
        entry = run.get(name, kind())
        if type(entry) is not kind or (kind is list and not all(isinstance(part, dict) for part in entry)):
            raise ValueError(f"{path} is damaged: {name} is {shown(entry)}")
    return run


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


def environment() -> dict[str, dict[str, str]]:
    """The entry of ``run.json`` that names Accelerate's settings in the environment; nothing where there are none."""
    found = {name: value for name, value in sorted(os.environ.items()) if name.startswith(("ACCELERATE_", "FSDP_"))}
    return {"environment": found} if found else {}


def machines(about: dict) -> list[dict[str, str]]:
    """The ``versions`` of a run, by its ``run.json``: those it began with, then those of each machine it moved to.

    Raises:
        ValueError: if ``run.json`` has no such entries.
    """
    try:
        return [about["versions"], *(later["versions"] for later in about.get("resumed", ()))]
    except (KeyError, TypeError, AttributeError):
        raise ValueError("run.json is damaged: its versions are missing") from None


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

"""Run folders: what was trained, on what, with which settings, and one JSON line per epoch."""

from __future__ import annotations

import json
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

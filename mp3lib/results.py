"""Run folders: what was trained, on what, with which settings, one JSON line per epoch, and figures over seeds.

A finished run of a study is a folder runs/STUDY/VARIANT/seed-S with ``run.json`` (settings, data, machine),
``metrics.jsonl`` (its log) and ``scores.json`` (its figures, see tools/studies.py). What has not finished is left out.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple


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
    return read_jsonl(path)


def read_jsonl(path: Path) -> list[dict]:
    """The objects of a file of JSON lines; ``ValueError`` if a line is not JSON, naming file and line."""
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


def machines(about: dict) -> list[dict[str, str]]:
    """The ``versions`` of a run, by its ``run.json``: those it began with, then those of each machine it moved to."""
    return [about["versions"], *(later["versions"] for later in about.get("resumed", ()))]


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


# --- finished runs of one variant, over their seeds ------------------------------------------------------------------


class Run(NamedTuple):
    """A finished run: its seed, the contents of ``run.json`` and ``scores.json``, and its folder."""

    seed: int
    about: dict
    scores: dict
    folder: Path


class Row(NamedTuple):
    """One figure of one variant (STUDY/VARIANT) by seed, with its mean and spread; empty where no run has finished."""

    variant: str
    by_seed: dict[int, float]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.by_seed)

    @property
    def values(self) -> list[float]:
        return list(self.by_seed.values())

    @property
    def n(self) -> int:
        return len(self.by_seed)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """The sample standard deviation over the seeds (divided by n - 1); None for a single seed."""
        return statistics.stdev(self.values) if self.n > 1 else None

    def text(self, seeds: bool = False) -> str:
        """Mean and spread in percent, as 64.2 ± 0.4; with their number if ``seeds``; nothing without runs."""
        if not self.n:
            return ""
        spread = ""
        if self.n > 1:
            digits = 1 if 100 * self.spread >= 0.05 else 2  # ± 0.0 would look like none
            spread = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{100 * self.spread:.{digits}f}"
        return f"{100 * self.mean:.1f}{spread}" + (f" (n = {self.n})" if seeds else "")


def finished(results: str | Path, variant: str) -> list[Run]:
    """The finished runs of STUDY/VARIANT, by seed."""
    folders = [path.parent for path in (Path(results) / "runs" / variant).glob("seed-*/scores.json")]
    runs = [
        Run(int(f.name[5:]), read_run(f), json.loads((f / "scores.json").read_text(encoding="utf-8")), f)
        for f in folders
    ]
    return sorted(runs, key=lambda run: run.seed)


def variants(results: str | Path, study: str) -> list[str]:
    """The variants of a study that have finished runs: numbers in order, names by the alphabet."""
    names = {path.parts[-3] for path in (Path(results) / "runs" / study).glob("*/seed-*/scores.json")}
    numbers = r"\d+(?:\.\d+)?"
    return sorted(names, key=lambda name: re.sub(numbers, lambda found: f"{float(found[0]):012.5f}", name))


def row(results: str | Path, variant: str, *where: str) -> Row:
    """One figure over the seeds of a variant; ``row(results, "pretraining/10-epochs", "weights", "knn")``.

    Raises:
        ValueError: if a finished run has no such figure.
    """
    by_seed = {}
    for run in finished(results, variant):
        value: Any = run.scores
        for name in where:
            if name not in value:
                raise ValueError(f"{run.folder}/scores.json has no {' / '.join(where)}, only {', '.join(value)}")
            value = value[name]
        by_seed[run.seed] = value
    return Row(variant, by_seed)


def top1(results: str | Path, variant: str) -> Row:
    """Top-1 on the test images, of a variant trained on labels."""
    return row(results, variant, "test_top1")


def history(results: str | Path, variant: str, name: str) -> tuple[list[int], list[list[float]]]:
    """What the logs of a variant hold under ``name``: epochs (points,), values (seeds, points); both may be empty."""
    logs = [
        [(line["epoch"], line[name]) for line in read_metrics(run.folder) if name in line]
        for run in finished(results, variant)
    ]
    return [epoch for epoch, _ in logs[0]] if logs else [], [[value for _, value in log] for log in logs]


def difference(better: Row, worse: Row) -> Row:
    """What ``better`` is ahead by, seed by seed: runs of one seed share their labelled images and their batches."""
    both = [seed for seed in better.seeds if seed in worse.by_seed]
    return Row(
        f"{better.variant} - {worse.variant}", {seed: better.by_seed[seed] - worse.by_seed[seed] for seed in both}
    )


THRESHOLD = 2.5  # spreads: at three seeds t = 4.3, which chance passes in about 5 of 100 cases (1 spread: in 22)


def verdict(ahead: Row) -> str:
    """Does a difference exceed ``THRESHOLD`` spreads? "yes", "no", "no: the opposite"; one seed is not judged."""
    if ahead.n < 2:
        return "one seed: not judged" if ahead.n else ""
    if abs(ahead.mean) <= THRESHOLD * ahead.spread:
        return "no"
    return "yes" if ahead.mean > 0 else "no: the opposite"

"""The files of a run folder: run.json (settings, data, versions) and metrics.jsonl (one line an epoch)."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from .. import arguments
from ..arguments import shown, whole
from ..model.saving import parse_json, read_json
from ..paths import expanded, written_beside

WORDS = {  # settings that are one of a few words
    "task": ("pretrain", "finetune"),
    "optimizer": ("muon", "adamw"),
    "precision": ("bf16", "float32"),
    "schedule": ("cosine", "constant", "wsd"),
    "keep": ("last", "best"),
}


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What decides the weights that a run ends with, beside its images; ``run.json`` holds it.

    Raises:
        ValueError: for a number of epochs or images, a batch size or a learning rate that is not positive; for numbers
            that are not whole where they have to be, a learning rate above 100, a weight decay outside 0 to 100, a seed
            outside 0 to 2**63 - 1, a layer decay outside 0 (excluded) to 1, a moving average outside 0 to 1 (excluded),
            and another word than those named here; for an ``accumulate`` that does not divide the batch, a negative
            ``clip_grad`` or ``patience``, a warm-up as long as the run (for ``wsd``: that reaches the decline), and
            options that JSON cannot hold.
    """

    task: Literal["pretrain", "finetune"]
    epochs: int
    batch_size: int  # images a step, over all processes together
    lr: float  # the highest learning rate
    weight_decay: float
    optimizer: Literal["muon", "adamw"]
    precision: Literal["bf16", "float32"]
    seed: int
    num_images: int
    layer_decay: float = 1.0  # learning rate of a layer, relative to the layer above
    ema: float = 0.0  # decay of the moving average of the weights; 0 for none
    schedule: Literal["cosine", "constant", "wsd"] = "cosine"  # of the learning rate; see ``rate_share``
    warmup: float | None = None  # epochs in which the rate rises; None: as ``warmup_steps`` says
    accumulate: int = 1  # parts in which a step's images are computed, one after the other
    clip_grad: float = 0.0  # the largest norm of the gradient; 0 for any
    compile: bool = False  # whether the blocks are compiled, which changes the rounding
    keep: Literal["last", "best"] = "last"  # which weights the run ends with
    patience: int = 0  # evaluations without a better measure after which the run ends; 0 for never
    options: dict[str, Any] = field(default_factory=dict)  # those that only this task has, such as a mask ratio

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "lr", "num_images"):
            value = getattr(self, name)
            if isinstance(value, Real) and value <= 0:
                raise ValueError(f"{name} must be positive, got {value}")
        checked = {
            **{name: whole(name, getattr(self, name), 1, 10**12) for name in ("epochs", "batch_size", "num_images")},
            "lr": arguments.learning_rate(self.lr),
            "weight_decay": arguments.number(
                "weight_decay", self.weight_decay, "lie between 0 and 100", lambda w: 0 <= w <= 100
            ),
            "seed": arguments.seed_number(self.seed),
            "layer_decay": arguments.number(
                "layer_decay", self.layer_decay, "be above 0 and at most 1", lambda d: 0 < d <= 1
            ),
            "ema": arguments.below_one("ema", self.ema),
        }
        checked |= {
            "accumulate": whole("accumulate", self.accumulate, 1, 10**6),
            "clip_grad": arguments.number("clip_grad", self.clip_grad, "be at least 0", lambda c: c >= 0),
            "compile": arguments.truth("compile", self.compile),
            "patience": whole("patience", self.patience, 0, 10**6),
            "options": arguments.json_entries("options", self.options),
        }
        for name, value in checked.items():  # as Python's own numbers, which JSON can hold
            object.__setattr__(self, name, value)
        for name, accepted in WORDS.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in accepted:
                either = ", ".join(f'"{word}"' for word in accepted[:-1])
                raise ValueError(f'{name} must be {either} or "{accepted[-1]}", got {shown(value)}')
        if self.batch_size > self.num_images:
            raise ValueError(f"batch_size must be at most num_images, {self.num_images}, got {self.batch_size}")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate must divide the batch_size, {self.batch_size}, into equal parts, got {self.accumulate}"
            )
        if self.warmup is not None:
            longest = self.epochs * (0.8 if self.schedule == "wsd" else 1)
            words = f"be at least 0 and below {longest:g} epochs, None for the usual one"
            warmup = arguments.number("warmup", self.warmup, words, lambda w: 0 <= w < longest)
            object.__setattr__(self, "warmup", warmup)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the images; an incomplete last batch is left out."""
        return self.num_images // self.batch_size

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def as_json(self) -> dict[str, Any]:
        """The settings and the task's options side by side, as ``run.json`` holds them; usual values are left out."""
        common = asdict(self)
        options = common.pop("options")
        named = {name: value for name, value in common.items() if name not in USUAL or value != USUAL[name]}
        return json.loads(json.dumps(named | options))

    def differences(self, stored: dict[str, Any], **more: Any) -> list[str]:
        """What differs from the settings in a ``run.json``, a phrase each; ``more`` are further entries of now.

        Two settings may differ, because the steps so far do not depend on them: the patience, and the number of epochs.
        ``checkpoint.newest_state`` sees to the latter.
        """
        now = USUAL | self.as_json() | more
        then = USUAL | stored
        return [
            f"{name} {then.get(name)!r} then, {now.get(name)!r} now"
            for name in sorted({*then, *now} - {"epochs", "patience"})
            if then.get(name) != now.get(name)
        ]


PLAIN = ("epoch", "step", "loss", "lr", "seconds")  # entries of an epoch that are one number
NUMBERS = {f.name for f in fields(RunSettings) if f.type in ("int", "float")}
USUAL = {f.name: f.default for f in fields(RunSettings) if f.default is not MISSING}


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON beside ``path`` and rename it into place, so that nobody ever reads half a file."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and rename it into place.

    A symbolic link stays one: the file that it leads to is replaced. What is there and no regular file, such as a pipe
    or a device, is written to and never replaced.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


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
        raise ValueError(f"{path} cannot be written: {above} is no folder that this user can write to")


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


def read_jsonl(path: Path) -> list[dict]:
    """The objects of a file of JSON lines; ``ValueError`` if a line is not JSON, naming file and line."""
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            lines.append(parse_json(line))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number} is not JSON: {line[:80]!r}") from error
    return lines


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
            raise ValueError(f"{path} is damaged: {name} is no number, but {shown(value)}")
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


def switched_on(**options: Any) -> dict[str, Any]:
    """The options that are not empty, 0 or None: a run's settings name a refinement only where it is switched on."""
    return {name: value for name, value in options.items() if value}

"""What can be seen of a run while it trains: a printed line an epoch, and the trackers of Accelerate."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import LoggerType

from ..arguments import shown
from .run_folder import read_run

PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX")}  # either is enough; others have the tracker's name
TRACKERS = tuple(sorted(str(kind) for kind in LoggerType if str(kind) != "all"))


def in_words(line: dict, epochs: int) -> str:
    """An epoch of the log as a line of text."""
    parts = [f"epoch {line['epoch']}/{epochs}", f"loss {line['loss']:.4f}"]
    for name, value in line.items():
        if isinstance(value, dict):
            parts.append(f"{name} " + " ".join(f"{key}: {figure:.4f}" for key, figure in value.items()))
        elif name not in ("epoch", "step", "loss", "lr", "seconds", "losses"):
            parts.append(f"{name} {value:.4f}")
    return ", ".join([*parts, f"lr {line['lr']:.3g}", f"{line['seconds']:.1f} s"])


def as_numbers(line: dict) -> dict[str, float]:
    """The figures of an epoch by name: ``test_accuracy/0.75`` is that of one mask ratio of several."""
    figures = {}
    for name, value in line.items():
        if isinstance(value, dict):
            figures |= {f"{name}/{key}": figure for key, figure in value.items()}
        elif name not in ("step", "losses"):
            figures[name] = value
    return figures


def check_trackers(log: str | Sequence[str] | None, out: str | Path | None) -> tuple[str, ...]:
    """The names of trackers, from one name, several or None.

    Raises:
        ValueError: for a name that Accelerate does not know, and where there is no run folder.
        ImportError: if the package of a tracker is not installed.
    """
    if log is not None and not isinstance(log, (str, list, tuple)):
        raise ValueError(f"log must be the name of a tracker or a list of names, got {shown(log)}")
    names = (log,) if isinstance(log, str) else tuple(log or ())
    for name in names:
        if name not in TRACKERS:
            raise ValueError(f"log must be among {', '.join(TRACKERS)}, got {shown(name)}")
        packages = PACKAGES.get(name, (name,))
        if not any(importlib.util.find_spec(package) for package in packages):
            raise ImportError(
                f"log={name!r} needs a package that is not installed: pip install {name.replace('_', '-')}"
            )
    if names and out is None:
        raise ValueError(f"log={shown(log)} needs out=, the folder of the run")
    return names


@contextmanager
def trackers(accelerator: Accelerator, log: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Within the ``with``, ``accelerator.log`` reaches the trackers; they know the settings of the run in ``folder``.

    What trackers write to disk is in ``folder/log``. A resumed run goes on under the same name and id.
    """
    if not log or not accelerator.is_main_process:
        yield
        return
    run = read_run(folder)
    config = {
        name: value if isinstance(value, (int, float, str)) else json.dumps(value)
        for name, value in run["settings"].items()
    }
    wandb = {"name": folder.name, "id": run.get("id"), "resume": "allow", "dir": str(folder / "log")}
    (folder / "log").mkdir(exist_ok=True)
    accelerator.init_trackers("mp3lib", config=config, init_kwargs={"wandb": wandb})
    try:
        yield
    finally:
        for tracker in accelerator.trackers:  # end_training() would end the process group of the caller as well
            tracker.finish()

"""Checkpoints: how a run is saved after each epoch, and how a killed run is resumed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ..model.saving import WRITE_ERRORS
from .run_folder import (
    RunSettings,
    environment,
    machines,
    read_json,
    read_metrics,
    read_run,
    versions,
    write_json,
    write_metrics,
)

CHECKPOINTS_KEPT = 2
START_KEYS = ("start", "weights")  # keys of run.json that name the initial weights; they must match on resume
AVERAGE = "average.safetensors"


def keep_own_weights(accelerator: Accelerator, model: nn.Module, average: AveragedModel | None) -> None:
    """Let checkpoints hold the model's own weights, without the modules around it, and their moving average.

    So a checkpoint is the same whether one process trains or several (DDP), and it holds tensors only: no average is
    pickled.
    """
    own = getattr(model, "_orig_mod", model)  # the model inside torch.compile's

    def save(models: list, weights: list[dict], folder: str) -> None:
        weights[:] = [own.state_dict()]
        if average is not None and accelerator.is_main_process:
            save_file({name: t.contiguous() for name, t in average.state_dict().items()}, Path(folder) / AVERAGE)

    def load(models: list, folder: str) -> None:
        models[:] = [own]
        if average is not None:
            average.load_state_dict(load_file(Path(folder) / AVERAGE))

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)


@contextmanager
def locked(folder: Path | None, accelerator: Accelerator) -> Iterator[None]:
    """Keep other trainings out of a run folder; where there is no folder, nothing is done.

    Raises:
        ValueError: if another training has it.
    """
    if folder is None or not accelerator.is_main_process:
        yield
        return
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is no folder: choose another place for the run")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another training uses {folder}: wait for it, or choose another folder") from None
    try:
        yield
    finally:
        lock.release()


def open_run(
    folder: Path, settings: RunSettings, model: dict, about: dict | None, accelerator: Accelerator, resume: bool
) -> tuple[list[dict], int]:
    """Start a run folder, or load its newest readable checkpoint: the log so far and the number of steps done.

    ``model`` is the model's configuration, ``about`` holds further entries of ``run.json``.
    """
    begun = checkpoints(folder) or (folder / "metrics.jsonl").exists()
    known = (folder / "run.json").exists()
    new = not known or (resume and not begun)
    foreign = next((name for name in ("model.safetensors", "config.json") if (folder / name).exists()), None)
    accelerator.wait_for_everyone()  # all processes have looked before one of them writes
    if known:
        read_run(folder)  # refuse a run.json that is damaged, or another program's
    elif foreign and not begun:
        raise ValueError(f"{folder} holds {foreign}, but no run of mp3lib: choose another folder, so that it is kept")
    if begun and not known:
        what = checkpoints(folder)[0].name if checkpoints(folder) else "metrics.jsonl"
        raise ValueError(
            f"{folder} holds {what} of a run, but no run.json that says of which: remove what is there, or choose "
            "another folder"
        )
    if new:
        if accelerator.is_main_process:
            entries = {"settings": settings.as_json() | {"model": model}, **(about or {}), "versions": versions()}
            write_json(folder / "run.json", entries | environment() | {"id": uuid.uuid4().hex})
        accelerator.wait_for_everyone()
        return [], 0
    if not resume:
        raise ValueError(f"{folder} already holds a run: resume it (--resume) or choose another folder")
    run = read_run(folder)
    stored = run["settings"] | {name: run.get(name) for name in START_KEYS}
    starts = {name: (about or {}).get(name) for name in START_KEYS}
    if different := settings.differences(stored, model=model, **starts):
        raise ValueError(
            f"the run in {folder} was started with other settings: {', '.join(different)}. Use those, or another folder"
        )
    return newest_state(folder, settings, run, accelerator)


def newest_state(folder: Path, settings: RunSettings, run: dict, accelerator: Accelerator) -> tuple[list[dict], int]:
    """Load the newest checkpoint that can be read; its log and the number of steps done."""
    unreadable = []
    for checkpoint in checkpoints(folder):
        try:
            lines, step = progress_of(checkpoint, settings)
            accelerator.load_state(str(checkpoint))
        except Exception as error:  # a damaged file can make the readers raise anything
            unreadable.append((checkpoint.name, f"{type(error).__name__} {str(error)[:120]}".strip()))
            continue
        for name, why in unreadable:
            accelerator.print(f"{folder / name} cannot be read ({why}); going on from {checkpoint.name}")
        if accelerator.is_main_process:
            write_metrics(folder / "metrics.jsonl", lines)  # a run killed after its last checkpoint writes no other
            if lines[-1]["epoch"] < settings.epochs and (now := versions()) != machines(run)[-1]:
                resumed = [*run.get("resumed", []), {"step": step, "versions": now}]
                write_json(folder / "run.json", run | {"resumed": resumed})
        return lines, step
    if unreadable:
        reasons = "; ".join(f"{name}: {why}" for name, why in unreadable)
        raise ValueError(f"no checkpoint in {folder} can be read ({reasons}). Remove {folder} to start anew")
    raise ValueError(f"{folder} holds the log of a run, but none of its checkpoints: choose another folder")


def progress_of(checkpoint: Path, settings: RunSettings) -> tuple[list[dict], int]:
    """The log and the number of steps of a checkpoint.

    Raises:
        ValueError: if they do not agree with each other, with the folder's name and with the settings.
    """
    lines, step = read_metrics(checkpoint), read_json(checkpoint / "progress.json").get("step")
    expected = int(checkpoint.name.removeprefix("checkpoint-"))
    if not lines or step != expected or lines[-1]["step"] != step or step != len(lines) * settings.steps_per_epoch:
        last = lines[-1]["step"] if lines else 0
        raise ValueError(f"its files disagree: step {step} in progress.json, {last} in the log, {expected} in the name")
    return lines, step


def check_own(folder: Path, run_id: str | None) -> None:
    """Make sure that a run folder still belongs to the run that was opened in it.

    Raises:
        OSError: if its run.json is gone or another one, because somebody removed or replaced the folder.
    """
    try:
        found = read_run(folder).get("id")
    except (OSError, ValueError):
        found = None
    if run_id is not None and found != run_id:
        raise OSError(
            f"{folder} was removed or replaced while its run was training: nothing more is written there. "
            "Start the run again in another folder"
        )


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run folder, newest first."""
    return sorted(folder.glob("checkpoint-" + "[0-9]" * 8), reverse=True)


def save_checkpoint(
    folder: Path, accelerator: Accelerator, step: int, lines: list[dict], config: dict, run_id: str | None = None
) -> None:
    """Write model, optimisers and log beside, rename them into place, then forget all but the newest two.

    A checkpoint also holds the model's configuration ``config``, so that another run can begin with its weights. With
    a moving average these are the weights in training; the average is in a file of its own.

    Raises:
        OSError: if it cannot be written, for example because the disk is full; the checkpoint before is kept. Also if
            the folder is no longer that of the run ``run_id``.
    """
    check_own(folder, run_id)
    final = folder / f"checkpoint-{step:08d}"
    beside = folder / f".{final.name}"
    try:
        if accelerator.is_main_process:
            shutil.rmtree(beside, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(beside))
        accelerator.wait_for_everyone()  # the others write their random states into it
        if accelerator.is_main_process:
            write_metrics(beside / "metrics.jsonl", lines)
            write_json(beside / "progress.json", {"step": step})
            write_json(beside / "config.json", config)
            shutil.rmtree(final, ignore_errors=True)
            os.replace(beside, final)
            write_metrics(folder / "metrics.jsonl", lines)
            for old in checkpoints(folder)[CHECKPOINTS_KEPT:]:
                shutil.rmtree(old)
    except WRITE_ERRORS as error:
        shutil.rmtree(beside, ignore_errors=True)
        kept = checkpoints(folder)
        raise OSError(
            f"the checkpoint of step {step} could not be written to {folder} ({error}). "
            + (f"{kept[0].name} is kept" if kept else "There is none before it")
            + ": make room and resume the run."
        ) from error
    accelerator.wait_for_everyone()

"""Checkpoints: how a run is saved after each epoch, and how a killed run is resumed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ..model.saving import WRITE_ERRORS
from .best import best_line, measure_of
from .run_folder import (
    RunSettings,
    environment,
    machines,
    read_json,
    read_metrics,
    read_run,
    switched_on,
    versions,
    write_json,
    write_metrics,
)
from .schedules import common_steps, decline_step

CHECKPOINTS_KEPT = 2
START_KEYS = ("start", "weights")  # keys of run.json that name the initial weights; they must match on resume
AVERAGE = "average.safetensors"


@dataclass
class Progress:
    """How far a run is: the epochs in its log, and the steps; within an epoch also the losses and seconds of it."""

    lines: list[dict] = field(default_factory=list)
    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


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
) -> Progress:
    """Start a run folder, or load its newest readable checkpoint, and say how far the run is.

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
        return Progress()
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


def newest_state(folder: Path, settings: RunSettings, run: dict, accelerator: Accelerator) -> Progress:
    """Load the newest checkpoint that can be read, and say how far it is.

    If the run had another number of epochs, that is the newest one from the steps that have the same learning rate with
    the number of now. What is later is removed, and trained again.
    """
    epochs = run["settings"].get("epochs")
    same = common_steps(settings, epochs)
    if not same:
        raise ValueError(
            f"the run in {folder} was started with other settings: epochs {epochs} then, {settings.epochs} now. With "
            "another number of epochs its learning rates would have been others from the start, unless they are "
            'constant or "wsd" (--schedule). Use that number, or another folder'
        )
    done = [step_of(c) for c in checkpoints(folder)]
    if done and done[0] > settings.total_steps:
        raise ValueError(
            f"the run in {folder} has trained {done[0] / settings.steps_per_epoch:g} epochs already, got "
            f"{settings.epochs}: use a larger number, or another folder"
        )
    found = [c for c in checkpoints(folder) if step_of(c) <= same]
    unreadable = []
    for checkpoint in found:
        try:
            progress = progress_of(checkpoint, settings)
            accelerator.load_state(str(checkpoint))
        except Exception as error:  # a damaged file can make the readers raise anything
            unreadable.append((checkpoint.name, f"{type(error).__name__} {str(error)[:120]}".strip()))
            continue
        for name, why in unreadable:
            accelerator.print(f"{folder / name} cannot be read ({why}); going on from {checkpoint.name}")
        accelerator.wait_for_everyone()  # all have read it before one of them writes
        if accelerator.is_main_process:
            if epochs != settings.epochs:
                run = go_on_from(folder, progress, settings, run)
            write_metrics(folder / "metrics.jsonl", progress.lines)  # a run killed after this writes no other
            if progress.step < settings.total_steps and (now := versions()) != machines(run)[-1]:
                resumed = [*run.get("resumed", []), {"step": progress.step, "versions": now}]
                write_json(folder / "run.json", run | {"resumed": resumed})
        return progress
    if unreadable:
        reasons = "; ".join(f"{name}: {why}" for name, why in unreadable)
        raise ValueError(f"no checkpoint in {folder} can be read ({reasons}). Remove {folder} to start anew")
    if checkpoints(folder):
        raise ValueError(
            f"the run in {folder} had {epochs} epochs, got {settings.epochs}: its checkpoints are of later steps than "
            f"step {same}, up to which both have the same learning rates. Begin another run with these weights"
        )
    raise ValueError(f"{folder} holds the log of a run, but none of its checkpoints: choose another folder")


def go_on_from(folder: Path, progress: Progress, settings: RunSettings, run: dict) -> dict:
    """Give a run another number of epochs: later checkpoints are removed, and run.json holds the new number."""
    for later in checkpoints(folder):
        if step_of(later) > progress.step:
            shutil.rmtree(later)
    before = run["settings"].get("epochs")
    print(f"{folder}: {settings.epochs} epochs instead of {before}, going on from step {progress.step}", flush=True)
    longer = [*run.get("longer", []), {"step": progress.step, "epochs": before}]
    run = run | {"settings": run["settings"] | {"epochs": settings.epochs}, "longer": longer}
    write_json(folder / "run.json", run)
    return run


def progress_of(checkpoint: Path, settings: RunSettings) -> Progress:
    """How far a checkpoint is.

    Raises:
        ValueError: if its files do not agree with each other, with the folder's name and with the settings.
    """
    lines, held = read_metrics(checkpoint), read_json(checkpoint / "progress.json")
    step, losses = held.get("step"), held.get("losses", [])
    last = lines[-1]["step"] if lines else 0
    agree = step == step_of(checkpoint) == last + len(losses) and last == len(lines) * settings.steps_per_epoch
    if not agree or len(losses) >= settings.steps_per_epoch:
        raise ValueError(
            f"its files disagree: step {step} in progress.json, {last} in the log, {step_of(checkpoint)} in the name"
        )
    return Progress(lines, step, losses, held.get("seconds", 0.0))


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


def load_best(model: nn.Module, folder: Path, lines: list[dict], accelerator: Accelerator) -> None:
    """Give the model the weights of the epoch with the best measure, and name that epoch in run.json.

    The main process chooses and reads, the others get what it has read.
    """
    weights = model.state_dict()
    if accelerator.is_main_process:
        line = best_line(lines)
        name, value = measure_of(line)
        best = checkpoint_of(folder, line["step"])
        if (best / AVERAGE).exists():
            held = load_file(best / AVERAGE)
            held = {key.removeprefix("module."): tensor for key, tensor in held.items() if key.startswith("module.")}
        else:
            held = load_file(best / "model.safetensors")
        for key, tensor in weights.items():
            tensor.copy_(held[key])
        entry = {"epoch": line["epoch"], "step": line["step"], name: value, "checkpoint": best.name}
        write_json(folder / "run.json", read_run(folder) | {"best": entry})
        print(f"{best}: the best of {len(lines)} epochs, {name} {value:.4f}; its weights are kept", flush=True)
    if accelerator.num_processes > 1:
        model.load_state_dict(broadcast({key: tensor.to(accelerator.device) for key, tensor in weights.items()}))


def checkpoint_of(folder: Path, step: int) -> Path:
    return folder / f"checkpoint-{step:08d}"


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def wanted(folder: Path, settings: RunSettings, lines: list[dict]) -> list[Path]:
    """The checkpoints of a run folder that are kept.

    These are the newest two, and with ``keep="best"`` that with the best measure. With ``wsd`` also what these would be
    if the run were at the last step before the decline: from there it can be made longer.
    """
    all_of_them, kept = checkpoints(folder), []
    ends = [settings.total_steps] + ([decline_step(settings)] if settings.schedule == "wsd" else [])
    for end in ends:
        until = [c for c in all_of_them if step_of(c) <= end]
        kept += until[: CHECKPOINTS_KEPT if end == settings.total_steps else 1]
        best = best_line([line for line in lines if line["step"] <= end]) if settings.keep == "best" else None
        kept += [checkpoint_of(folder, best["step"])] if best else []
    return kept


def save_checkpoint(
    folder: Path,
    accelerator: Accelerator,
    progress: Progress,
    settings: RunSettings,
    config: dict,
    run_id: str | None = None,
) -> None:
    """Write model, optimisers and log beside, rename them into place, then remove those that are not ``wanted``.

    A checkpoint also holds the model's configuration ``config``, so that another run can begin with its weights. With
    a moving average these are the weights in training; the average is in a file of its own.

    Raises:
        OSError: if it cannot be written, for example because the disk is full; the checkpoint before is kept. Also if
            the folder is no longer that of the run ``run_id``.
    """
    check_own(folder, run_id)
    step, lines = progress.step, progress.lines
    final = checkpoint_of(folder, step)
    beside = folder / f".{final.name}"
    try:
        if accelerator.is_main_process:
            shutil.rmtree(beside, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(beside))
        accelerator.wait_for_everyone()  # the others write their random states into it
        if accelerator.is_main_process:
            write_metrics(beside / "metrics.jsonl", lines)
            within = switched_on(losses=progress.losses, seconds=progress.losses and round(progress.seconds, 2))
            write_json(beside / "progress.json", {"step": step} | within)
            write_json(beside / "config.json", config)
            shutil.rmtree(final, ignore_errors=True)
            os.replace(beside, final)
            write_metrics(folder / "metrics.jsonl", lines)
            kept = wanted(folder, settings, lines)
            for old in checkpoints(folder):
                if old not in kept:
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

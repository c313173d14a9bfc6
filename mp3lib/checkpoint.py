"""A run on disk: its folder, its checkpoints, and how a killed run goes on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from accelerate import Accelerator
from huggingface_hub import PyTorchModelHubMixin

from .results import machines, read_metrics, read_run, versions, write_json, write_metrics

CHECKPOINTS_KEPT = 2
BEGINNINGS = ("start", "weights")  # what a run began with: told beside its settings, and as binding


def keep_unwrapped(accelerator: Accelerator) -> None:
    """Let checkpoints hold a model's own weights, whether it is trained by one process or by several (DDP)."""

    def own_weights(models: list, weights: list[dict], folder: str) -> None:
        weights[:] = [accelerator.unwrap_model(model).state_dict() for model in models]

    def own_models(models: list, folder: str) -> None:
        models[:] = [accelerator.unwrap_model(model) for model in models]

    accelerator.register_save_state_pre_hook(own_weights)
    accelerator.register_load_state_pre_hook(own_models)


def open_run(
    folder: Path, settings: dict, about: dict | None, accelerator: Accelerator, resume: bool
) -> tuple[list[dict], int]:
    """Start a run folder, or load its newest readable checkpoint: the log so far and the number of steps done."""
    begun = checkpoints(folder) or (folder / "metrics.jsonl").exists()
    new = not (folder / "run.json").exists() or (resume and not begun)
    accelerator.wait_for_everyone()  # all have looked before one of them writes
    if new:
        if accelerator.is_main_process:
            write_json(folder / "run.json", {"settings": settings, **(about or {}), "versions": versions()})
        accelerator.wait_for_everyone()
        return [], 0
    if not resume:
        raise ValueError(f"{folder} already holds a run: resume it (--resume) or choose another folder")
    run = read_run(folder)
    before = run["settings"] | {name: run.get(name) for name in BEGINNINGS}
    settings = settings | {name: (about or {}).get(name) for name in BEGINNINGS}
    different = [k for k in sorted({*before, *settings}) if before.get(k) != settings.get(k)]
    if different:
        told = ", ".join(f"{k} {before.get(k)!r} then, {settings.get(k)!r} now" for k in different)
        raise ValueError(f"the run in {folder} was started with other settings: {told}. Use those, or another folder")
    unreadable = []
    for checkpoint in checkpoints(folder):
        try:
            accelerator.load_state(str(checkpoint))
            lines, step = read_metrics(checkpoint), json.loads((checkpoint / "progress.json").read_text())["step"]
        except Exception as error:  # whatever a damaged file makes the readers raise
            unreadable.append((checkpoint.name, f"{type(error).__name__} {str(error)[:120]}".strip()))
            continue
        for name, why in unreadable:
            accelerator.print(f"{folder / name} cannot be read ({why}); going on from {checkpoint.name}")
        if accelerator.is_main_process:
            write_metrics(folder / "metrics.jsonl", lines)  # a run killed after its last checkpoint writes no other
            if lines[-1]["epoch"] < settings["epochs"] and (now := versions()) != machines(run)[-1]:
                resumed = [*run.get("resumed", []), {"step": step, "versions": now}]
                write_json(folder / "run.json", run | {"resumed": resumed})
        return lines, step
    if unreadable:
        told = "; ".join(f"{name}: {why}" for name, why in unreadable)
        raise ValueError(f"no checkpoint in {folder} can be read ({told}). Remove {folder} to start anew")
    raise ValueError(f"{folder} holds the log of a run, but none of its checkpoints: choose another folder")


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run folder, newest first."""
    return sorted(folder.glob("checkpoint-*[0-9]"), reverse=True)


def save_checkpoint(folder: Path, accelerator: Accelerator, step: int, lines: list[dict], config: dict) -> None:
    """Write model, optimisers and log beside, rename them into place, then forget all but the newest two.

    With ``config``, that of the model, a checkpoint is also a folder of weights that another run may begin with; with
    ``ema``, they are those in training, not their average.
    """
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
    except Exception as error:
        shutil.rmtree(beside, ignore_errors=True)
        kept = checkpoints(folder)
        raise OSError(
            f"the checkpoint of step {step} could not be written to {folder} ({error}). "
            + (f"{kept[0].name} is kept" if kept else "There is none before it")
            + ": make room and resume the run."
        ) from error
    accelerator.wait_for_everyone()


def save_model(folder: str | Path, model: PyTorchModelHubMixin) -> None:
    """``model.safetensors`` and ``config.json`` into ``folder``, each renamed into place when complete.

    Raises:
        OSError: if they cannot be written, for one because the disk is full.
    """
    folder = Path(folder)
    beside = folder / ".model"
    try:
        shutil.rmtree(beside, ignore_errors=True)  # left by a killed run
        beside.mkdir(parents=True)
        model.save_pretrained(beside)
        for name in ("model.safetensors", "config.json"):
            os.replace(beside / name, folder / name)
    except Exception as error:
        raise OSError(f"the weights could not be written to {folder} ({error}): make room and try again") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)

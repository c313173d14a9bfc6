"""Checkpoints: complete, written beside and renamed into place."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..json_files import write_json
from ..model.compiled import uncompiled, uncompiled_weights
from ..model.saving import WRITE_ERRORS, SavedModel
from ..paths import with_usual_mode
from .best import best_line, measure_of
from .processes import is_sharded, on_main
from .run_folder import read_run, write_metrics
from .schedules import decline_step
from .settings import RunSettings, switched_on

CHECKPOINTS_KEPT = 2
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
    own = uncompiled(model)

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


def save_checkpoint(
    folder: Path,
    accelerator: Accelerator,
    progress: Progress,
    settings: RunSettings,
    model: SavedModel,
    run_id: str | None = None,
) -> None:
    """Write model, optimisers and log beside, rename them into place, then remove those that are not ``wanted``.

    A checkpoint also holds the model's configuration, so that another run can begin with its weights. With a moving
    average these are the weights in training; the average is in a file of its own. The main process writes; with FSDP
    the others write their parts of the optimizers' state.

    Raises:
        OSError: if it cannot be written, for example because the disk is full; the checkpoint before is kept. Also if
            the folder is no longer that of the run ``run_id``.
    """
    step, lines = progress.step, progress.lines
    final = checkpoint_of(folder, step)
    beside = folder / f".{final.name}"

    def make_room() -> None:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()

    def write() -> None:
        if is_sharded(accelerator):  # each process has written its part of the state
            save_file({name: t.contiguous() for name, t in model.state_dict().items()}, beside / "model.safetensors")
        else:
            accelerator.save_state(str(beside))
        for file in beside.glob("*.safetensors"):
            with_usual_mode(file)
        write_metrics(beside / "metrics.jsonl", lines)
        within = switched_on(losses=progress.losses, seconds=progress.losses and round(progress.seconds, 2))
        write_json(beside / "progress.json", {"step": step} | within)
        write_json(beside / "config.json", model.saved_config)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(beside, final)
        write_metrics(folder / "metrics.jsonl", lines)
        kept = wanted(folder, settings, lines)
        for old in checkpoints(folder):
            if old not in kept:
                shutil.rmtree(old)

    on_main(lambda: check_own(folder, run_id), accelerator)
    try:
        on_main(make_room, accelerator)
        if is_sharded(accelerator):
            accelerator.save_state(str(beside))
            accelerator.wait_for_everyone()
        on_main(write, accelerator)
    except WRITE_ERRORS as error:
        shutil.rmtree(beside, ignore_errors=True)
        kept = checkpoints(folder)
        raise OSError(
            f"the checkpoint of step {step} could not be written to {folder} ({error}). "
            + (f"{kept[0].name} is kept" if kept else "There is none before it")
            + ": make room and resume the run."
        ) from error
    except BaseException:  # an interruption
        shutil.rmtree(beside, ignore_errors=True)
        raise


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


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run folder, newest first."""
    return sorted(folder.glob("checkpoint-" + "[0-9]" * 8), reverse=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed run has left of a checkpoint that it was writing."""
    for beside in folder.glob(".checkpoint-" + "[0-9]" * 8):
        shutil.rmtree(beside, ignore_errors=True)


def checkpoint_of(folder: Path, step: int) -> Path:
    return folder / f"checkpoint-{step:08d}"


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


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


def best_readable(
    folder: Path, lines: list[dict], weights: dict[str, Tensor], averaged: bool
) -> tuple[dict, dict[str, Tensor]] | None:
    """The best epoch whose checkpoint can be read, and its weights; None where none can be read.

    Weights must have the names and shapes of ``weights``. What cannot be read of a better epoch is named.
    """
    left = [line for line in lines if measure_of(line)]
    while line := best_line(left):
        left.remove(line)
        best = checkpoint_of(folder, line["step"])
        if not best.exists() and line != best_line(lines):  # removed when there was a better one
            continue
        file = best / (AVERAGE if averaged else "model.safetensors")
        try:
            held = load_file(file)
            if averaged:
                held = {key.removeprefix("module."): t for key, t in held.items() if key.startswith("module.")}
            held = uncompiled_weights(held)
            if odd := next((key for key, t in weights.items() if key not in held or held[key].shape != t.shape), None):
                raise ValueError(f"it holds no {odd} of this model")
            return line, held
        except Exception as error:  # a damaged file can make the reader raise anything
            print(
                f"{file}, of epoch {line['epoch']}, cannot be read ({in_short(error)}): its weights are lost",
                flush=True,
            )
    return None


def in_short(error: Exception) -> str:
    """The kind of an error and its first sentence: PyTorch's go on about settings that do not help here."""
    words = " ".join(str(error).split()).split(". ")[0]
    return f"{type(error).__name__} {words if len(words) <= 160 else words[:160] + ' …'}".strip()


def load_best(model: nn.Module, folder: Path, lines: list[dict], accelerator: Accelerator, averaged: bool) -> None:
    """Give the model the weights of the epoch with the best measure, and name that epoch in run.json.

    The main process chooses and reads, the others get what it has read. Where no weights can be read, the model keeps
    its own, which are those of the last epoch.
    """
    weights = uncompiled_weights(model.state_dict())
    found = best_readable(folder, lines, weights, averaged) if accelerator.is_main_process else None
    if found:
        line, held = found
        name, value = measure_of(line)
        for key, tensor in weights.items():
            tensor.copy_(held[key])
        best = checkpoint_of(folder, line["step"])
        entry = {"epoch": line["epoch"], "step": line["step"], name: value, "checkpoint": best.name}
        write_json(folder / "run.json", read_run(folder) | {"best": entry})
        print(f"{best}: the best of {len(lines)} epochs, {name} {value:.4f}; its weights are kept", flush=True)
    elif accelerator.is_main_process:
        print(f"no evaluated epoch in {folder} can be read: the weights of the last epoch are kept", flush=True)
    if accelerator.num_processes > 1:
        sent = broadcast({key: tensor.to(accelerator.device) for key, tensor in weights.items()})
        for key, tensor in weights.items():
            tensor.copy_(sent[key])

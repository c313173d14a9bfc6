"""The processes of a training: Accelerate's view of them, their parts of a step, and what the main one decides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import broadcast_object_list
from torch import Tensor

from .hardware import check_environment, environment_named, processes_asked


def new_accelerator(log: Sequence[str] = (), folder: Path | None = None) -> Accelerator:
    """An Accelerator for one training. Its precision plays no role: ``StepLoss`` sets that of every step itself.

    Args:
        log: the trackers to which it sends the log.
        folder: where those that write files put them.

    Raises:
        ValueError: where the environment asks for gradient accumulation, which would not be in ``run.json``, holds
            values that Accelerate does not take, or names more processes than Accelerate lets train together.
    """
    # find_unused_parameters: MP3 does not use the ViT's classification head
    check_environment()
    with environment_named():
        accelerator = Accelerator(
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
            log_with=list(log) or None,
            project_dir=folder / "log" if log and folder is not None else None,
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError(
            f"the environment asks for {accelerator.gradient_accumulation_steps} gradient accumulation steps "
            "(ACCELERATE_GRADIENT_ACCUMULATION_STEPS), which would not be in run.json: unset it, and use accumulate= "
            "(--accumulate)"
        )
    if accelerator.num_processes != processes_asked():
        raise ValueError(
            f"the environment has WORLD_SIZE={processes_asked()}, but Accelerate trains with "
            f"{accelerator.num_processes} process(es) on {accelerator.device}: on CPUs set ACCELERATE_USE_CPU=true, or "
            "start it with accelerate launch --cpu"
        )
    return accelerator


def own_part(places: Tensor, accelerator: Accelerator) -> Tensor:
    """Of the images of a step, those of this process."""
    with accelerator.split_between_processes(places) as own:
        return own


def of_main(value: bool, accelerator: Accelerator) -> bool:
    """What the main process has found, on every process."""
    return broadcast_object_list([value])[0] if accelerator.num_processes > 1 else value


def over_processes(values: list[Tensor], accelerator: Accelerator) -> Tensor:
    """The mean over the processes of the loss of every step, (steps,) float32."""
    return accelerator.reduce(torch.stack(values).float(), "mean").cpu()

"""The processes of a training: Accelerate's view of them, their parts of a step, and what the main one decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
from accelerate.utils import DistributedType, broadcast_object_list, gather_object, parse_flag_from_env
from torch import Tensor

from .hardware import check_environment, environment_named, processes_asked
from .settings import RunSettings

LONGEST_WAIT = timedelta(hours=12)  # of the other processes for the main one, which evaluates and writes


def new_accelerator(log: Sequence[str] = (), folder: Path | None = None) -> Accelerator:
    """An Accelerator for one training. Its precision, no or bf16, plays no role: ``StepLoss`` sets that of every step.

    Args:
        log: the trackers to which it sends the log.
        folder: where those that write files put them.

    Raises:
        ValueError: where the environment asks for DeepSpeed, or gradient accumulation, which would not be in
            ``run.json``, holds values that Accelerate does not take, or names more processes than Accelerate lets train
            together; and where it asks for fp16.
    """
    # find_unused_parameters: MP3 does not use the ViT's classification head
    check_environment()
    if parse_flag_from_env("ACCELERATE_USE_DEEPSPEED"):
        raise ValueError(
            "the environment asks for DeepSpeed (ACCELERATE_USE_DEEPSPEED), which takes one optimizer and writes "
            "checkpoints of its own, and was never tried here: use FSDP, which spreads the weights as well"
        )
    with environment_named():
        accelerator = Accelerator(
            kwargs_handlers=[
                DistributedDataParallelKwargs(find_unused_parameters=True),
                InitProcessGroupKwargs(timeout=LONGEST_WAIT),
            ],
            log_with=list(log) or None,
            project_dir=folder / "log" if log and folder is not None else None,
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError(
            f"the environment asks for {accelerator.gradient_accumulation_steps} gradient accumulation steps "
            "(ACCELERATE_GRADIENT_ACCUMULATION_STEPS), which would not be in run.json: unset it, and use accumulate= "
            "(--accumulate)"
        )
    if accelerator.mixed_precision == "fp16":
        raise ValueError(
            "mixed_precision=fp16 is asked for (in Accelerate's configuration, or by an Accelerator of your own), "
            "which scales gradients for one optimizer, and a training may have two: use no or bf16"
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


def on_main(function: Callable[[], Any], accelerator: Accelerator) -> Any:
    """What ``function`` gives on the main process, on every process; what it raises there is raised on each.

    An error that the main process tells the others has the attribute ``of_main`` there.
    """
    if accelerator.num_processes == 1:
        return function()
    told: list = [None, None]
    if accelerator.is_main_process:
        try:
            told[0] = function()
        except Exception as error:  # the others wait for an answer
            told[1] = error
    value, error = broadcast_object_list(told)
    if error is not None:
        error.of_main = not accelerator.is_main_process
        raise error
    return value


def everywhere(value: bool, accelerator: Accelerator) -> bool:
    """Whether it is true on all processes."""
    return all(gather_object([value])) if accelerator.num_processes > 1 else value


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether Accelerate spreads the weights over the processes (FSDP)."""
    return accelerator.distributed_type == DistributedType.FSDP


def check_divided(settings: RunSettings, accelerator: Accelerator) -> None:
    """``ValueError`` unless each process gets as many images of every step: a mean over them weighs all alike then."""
    parts = accelerator.num_processes * settings.accumulate
    if settings.batch_size % parts == 0:
        return
    below = settings.batch_size // parts * parts
    sizes = [size for size in (below, below + parts) if 0 < size <= settings.num_images]
    fix = f"choose a batch_size of {' or '.join(map(str, sizes))}" if sizes else "use fewer processes, or more images"
    in_parts = f", in {settings.accumulate} parts each" if settings.accumulate > 1 else ""
    raise ValueError(
        f"{accelerator.num_processes} processes cannot share a batch of {settings.batch_size} images{in_parts}: {fix}"
    )


def check_sharding(settings: RunSettings, accelerator: Accelerator) -> None:
    """``ValueError`` for settings that do not go with FSDP, and where Accelerate would leave it out."""
    if parse_flag_from_env("ACCELERATE_USE_FSDP") and not is_sharded(accelerator):
        raise ValueError(
            f"the environment asks for FSDP (ACCELERATE_USE_FSDP), but Accelerate uses it with several GPUs only, and "
            f"this is {accelerator.num_processes} process(es) on {accelerator.device.type}: unset it"
        )
    if not is_sharded(accelerator):
        return
    if not accelerator.is_fsdp2:
        raise ValueError(
            "FSDP needs version 2 here: set fsdp_version: 2 in Accelerate's configuration (FSDP_VERSION=2)"
        )
    if settings.optimizer == "muon":
        raise ValueError(
            'optimizer="muon" does not work with FSDP: it orthogonalises whole matrices, of which each process has a '
            'part. Use optimizer="adamw" (--optimizer adamw)'
        )
    if settings.ema:
        raise ValueError(f"ema does not work with FSDP, got {settings.ema}: leave it out")
    if settings.compile:
        raise ValueError("compile=True was never tried with FSDP: leave it out, or use Accelerate's own configuration")


def over_processes(values: list[Tensor], accelerator: Accelerator) -> Tensor:
    """The mean over the processes of the loss of every step, (steps,) float32."""
    return accelerator.reduce(torch.stack(values).float(), "mean").cpu()

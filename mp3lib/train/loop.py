"""The training loop that pretraining and fine-tuning share. Read ``fit`` first; its steps follow in order."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from ..arguments import seed_number, whole
from ..model.saving import SavedModel, save_model
from ..paths import expanded
from .batches import Batch, Source
from .best import has_waited
from .blocks import blocks
from .checkpoint import (
    Progress,
    check_own,
    checkpoints,
    keep_own_weights,
    load_best,
    locked,
    open_run,
    save_checkpoint,
    step_of,
)
from .hardware import check_environment, environment_named, keep_memory, processes_asked
from .optimizers import make_optimizers, moving_average
from .run_folder import RunSettings, read_run
from .schedules import rate_share
from .watching import as_numbers, in_words, trackers

Loss = Callable[[nn.Module, Batch, torch.device], Tensor]


def fit(
    model: SavedModel,
    loss: Loss,
    source: Source,
    settings: RunSettings,
    *,
    evaluate: Callable[[nn.Module], dict] | None = None,
    eval_every: int = 1,
    out: str | Path | None = None,
    resume: bool = False,
    save_every: int = 0,
    checkpoint_activations: bool = False,
    log: Sequence[str] = (),
    about: dict | None = None,
    progress: bool = True,
    on_epoch: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Train ``model`` in place; see ``pretrain`` for ``eval_every`` to ``on_epoch``, the result and the errors.

    Args:
        model: an ``MP3`` or a ``ViT``.
        loss: ``loss(model, batch, device)`` is the scalar loss of a batch of ``source``.
        source: gives the batches.
        settings: what decides the weights; a resumed run must have the same.
        evaluate: gives further entries for an epoch's line of the log, for the model as it would be saved now.
    """
    keep_memory()
    home = next(model.parameters()).device
    folder = expanded(out) if out is not None else None
    accelerator = new_accelerator(log, folder)
    optimizers = make_optimizers(model, settings)
    average = moving_average(model, settings.ema, accelerator.device) if settings.ema else None
    keep_own_weights(accelerator, model, average)
    changed = blocks(model, compiled=settings.compile, checkpoint_activations=checkpoint_activations)  # not the average
    try:
        with random_state_restored(), locked(folder, accelerator), changed:
            step_loss, *optimizers = accelerator.prepare(StepLoss(model, loss, settings.precision), *optimizers)
            step_loss.train()
            done, run_id = Progress(), None
            if folder is not None:
                done = open_run(folder, settings, model.config, about, accelerator, resume)
                run_id = read_run(folder).get("id")

            def save(now: Progress) -> None:
                save_checkpoint(folder, accelerator, now, settings, model.config, run_id)

            lines = done.lines
            shown = progress and accelerator.is_main_process
            with (
                trackers(accelerator, log, folder),
                tqdm(
                    total=settings.total_steps, initial=done.step, unit="step", disable=None if shown else True
                ) as bar,
            ):
                for epoch in range(len(lines), settings.epochs):
                    if settings.patience and of_main(has_waited(lines, settings.patience), accelerator):
                        break
                    started = time.perf_counter() - done.seconds

                    def save_within(losses: Tensor, started: float = started, epoch: int = epoch) -> None:
                        check_finite(losses, model, settings, epoch, folder)
                        step = epoch * settings.steps_per_epoch + len(losses)
                        save(Progress(lines, step, losses.tolist(), time.perf_counter() - started))

                    every = (save_every, save_within) if folder is not None else (0, None)
                    losses = train_epoch(
                        step_loss,
                        source,
                        accelerator,
                        optimizers,
                        settings,
                        epoch,
                        model,
                        average,
                        bar,
                        done.losses,
                        *every,
                    )
                    done = Progress()
                    check_finite(losses, model, settings, epoch, folder)
                    line = epoch_line(losses, settings, epoch, time.perf_counter() - started)
                    if evaluate and accelerator.is_main_process and is_due(epoch, settings.epochs, eval_every):
                        line |= evaluate(model if average is None else average.module)
                    lines.append(line)
                    bar.set_postfix_str(f"loss {line['loss']:.3f}")
                    if shown and bar.disable:  # no terminal and no notebook
                        print(in_words(line, settings.epochs), flush=True)
                    if folder is not None:
                        save(Progress(lines, line["step"]))
                    accelerator.log(as_numbers(line), step=line["step"])
                    if on_epoch and accelerator.is_main_process:
                        on_epoch(dict(line))
            model.to(home)  # training may have moved it to a GPU
            if average is not None:
                model.load_state_dict(average.module.state_dict())
            if settings.keep == "best":
                load_best(model, folder, lines, accelerator)
            if folder is not None:
                if accelerator.is_main_process:
                    check_own(folder, run_id)
                    save_model(folder, model)
                accelerator.wait_for_everyone()
    finally:
        model.to(home)
    return lines


def of_main(value: bool, accelerator: Accelerator) -> bool:
    """What the main process has found, on every process."""
    return broadcast_object_list([value])[0] if accelerator.num_processes > 1 else value


def is_due(epoch: int, epochs: int, every: int) -> bool:
    """Whether there is an evaluation after this epoch, counted from 0: every so many, and after the last; 0: never."""
    return every > 0 and ((epoch + 1) % every == 0 or epoch + 1 == epochs)


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


class StepLoss(nn.Module):
    """The model and its loss as one module: what Accelerate prepares for a training, thrown away afterwards.

    Accelerate marks and wraps what it prepares. With this module around it, the model itself stays as it is.
    """

    def __init__(self, model: nn.Module, loss: Loss, precision: str):
        super().__init__()
        self.model = model
        self.loss = loss
        self.precision = precision

    def forward(self, batch: Batch, device: torch.device) -> Tensor:
        def model(*args, **kwargs) -> Tensor:
            with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                return self.model(*args, **kwargs).float()

        with torch.autocast(device.type, enabled=False):  # whatever a caller has switched on
            return self.loss(model, batch, device)


def train_epoch(
    step_loss: nn.Module,
    source: Source,
    accelerator: Accelerator,
    optimizers: Sequence[torch.optim.Optimizer],
    settings: RunSettings,
    epoch: int,
    model: nn.Module,
    average: AveragedModel | None,
    bar: tqdm,
    losses: Sequence[float] = (),
    save_every: int = 0,
    save: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """One pass over the images, in an order that follows from the seed; the loss of every step, (steps,) float32.

    ``losses`` are those of the steps of this epoch that are done already. After every ``save_every`` steps of the run
    ``save`` is called with the losses so far, except at the end of the epoch.
    """
    draw = torch.Generator().manual_seed(seed_of(settings.seed, epoch=epoch))
    order = torch.randperm(settings.num_images, generator=draw)
    values = list(torch.tensor(losses, device=accelerator.device).unbind())
    step, last = epoch * settings.steps_per_epoch + len(values), (epoch + 1) * settings.steps_per_epoch
    steps = torch.arange(settings.num_images).split(settings.batch_size)[len(values) : settings.steps_per_epoch]
    places = [own_part(part, accelerator) for one in steps for part in one.chunk(settings.accumulate)]
    batches = source.epoch(order, places, settings.seed, epoch)
    while step < last:
        set_rates(optimizers, settings, step)
        torch.manual_seed(seed_of(settings.seed, step=step, process=accelerator.process_index))
        values.append(backward(step_loss, batches, accelerator, settings.accumulate))
        if settings.clip_grad:
            accelerator.clip_grad_norm_(step_loss.parameters(), settings.clip_grad)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if average is not None:
            average.update_parameters(model)
        step += 1
        bar.update()
        if save_every and step % save_every == 0 and step < last:
            save(over_processes(values, accelerator))
    return over_processes(values, accelerator)


def backward(step_loss: nn.Module, batches: Iterator[Batch], accelerator: Accelerator, parts: int) -> Tensor:
    """Add the gradient of a step's mean loss to that of the weights; the loss.

    A step is the next ``parts`` batches, of one size. Several need less memory than their images in one batch, and give
    the same loss and gradient up to rounding.
    """
    values = []
    for number in range(1, parts + 1):
        # processes exchange their gradients with the last part
        with nullcontext() if number == parts else accelerator.no_sync(step_loss):
            value = step_loss(next(batches), accelerator.device)
            accelerator.backward(value if parts == 1 else value / parts)
        values.append(value.detach())
    return torch.stack(values).mean() if parts > 1 else values[0]


def over_processes(values: list[Tensor], accelerator: Accelerator) -> Tensor:
    """The mean over the processes of the loss of every step, (steps,) float32."""
    return accelerator.reduce(torch.stack(values).float(), "mean").cpu()


def own_part(places: Tensor, accelerator: Accelerator) -> Tensor:
    """Of the images of a step, those of this process."""
    with accelerator.split_between_processes(places) as own:
        return own


def set_rates(optimizers: Sequence[torch.optim.Optimizer], settings: RunSettings, step: int) -> None:
    """Set the learning rate of every group of weights for this step."""
    share = rate_share(step, settings)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share


def check_finite(losses: Tensor, model: nn.Module, settings: RunSettings, epoch: int, folder: Path | None) -> None:
    """Raise ``FloatingPointError`` if the loss or a weight is not finite; it names the last good checkpoint."""
    mean = losses.mean().item()
    if math.isfinite(mean) and all(p.isfinite().all() for p in model.parameters()):
        return
    what = "weights are no longer finite" if math.isfinite(mean) else f"loss became {mean}"
    good = checkpoints(folder) if folder else []
    since = max(0, step_of(good[0]) - epoch * settings.steps_per_epoch) if good else 0
    if not losses[min(since, len(losses) - 1)].isfinite():  # then the weights of the newest checkpoint gave this loss
        good = good[1:]
    raise FloatingPointError(
        f"the {what} in epoch {epoch + 1} (lr {settings.lr}, {settings.precision}). "
        "Start anew with a lower learning rate or in float32"
        + (", in another folder" if folder else "")
        + (f"; the last good weights, to begin with, are in {good[0]}." if good else ".")
    )


def epoch_line(losses: Tensor, settings: RunSettings, epoch: int, seconds: float) -> dict:
    """The entries of an epoch in the log that every run has."""
    steps = settings.steps_per_epoch
    step = (epoch + 1) * steps
    return {
        "epoch": epoch + 1,
        "step": step,
        "loss": losses.mean().item(),
        "lr": settings.lr * rate_share(step - 1, settings),
        "losses": [round(part.mean().item(), 5) for part in losses.tensor_split(min(10, steps))],
        "seconds": round(seconds, 2),
    }


@contextmanager
def random_state_restored() -> Iterator[None]:
    """Leave the random state of Python, NumPy and PyTorch (CPU, CUDA, MPS) as it was before the ``with``."""
    python, numpy = random.getstate(), np.random.get_state()
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if mps is not None:
            torch.mps.set_rng_state(mps)


def seed_of(seed: int, *, epoch: int = 0, step: int = 0, process: int = 0) -> int:
    """A seed for the order of an epoch, or for all that is random in a step, on one of several processes.

    Raises:
        ValueError: for something else than whole numbers of at least 0.
    """
    counts = [whole(*pair, low=0) for pair in (("epoch", epoch), ("step", step), ("process", process))]
    number = 0
    for part in (seed_number(seed), *counts):
        number = number * 1_000_003 + part
    return number % 2**63

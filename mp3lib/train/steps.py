"""An epoch of a training, step by step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .. import stopping
from .batches import Batch
from .checkpoint import Progress, checkpoints, step_of
from .processes import over_processes, own_part
from .randomness import Part, seed_of
from .schedules import rate_share
from .settings import RunSettings
from .training import Training, gather, save


def train_epoch(training: Training, epoch: int, done: Progress, bar: tqdm, save_every: int = 0) -> dict:
    """One pass over the images, in an order that follows from the seed; the epoch's line of the log.

    The steps of this epoch that are done already are left out. After every ``save_every`` steps of the run there is a
    checkpoint, except at the end of the epoch.
    """
    settings, accelerator = training.settings, training.accelerator
    started = time.perf_counter() - done.seconds
    values = list(torch.tensor(done.losses, device=accelerator.device).unbind())
    batches = batches_of(training, epoch, len(values))
    first, last = epoch * settings.steps_per_epoch, (epoch + 1) * settings.steps_per_epoch
    for step in range(first + len(values), last):
        stopping.check()
        values.append(train_step(training, step, batches))
        bar.update()
        if save_every and (step + 1) % save_every == 0 and step + 1 < last:
            losses = checked(values, training, epoch)
            save(training, Progress(done.lines, step + 1, losses.tolist(), time.perf_counter() - started))
    losses = checked(values, training, epoch)
    return epoch_line(losses, settings, epoch, time.perf_counter() - started)


def batches_of(training: Training, epoch: int, done: int) -> Iterator[tuple[Part, Batch]]:
    """The batches of this process in an epoch of which so many steps are done, ``accumulate`` of them a step.

    With each comes which images of its step these are: what is drawn for an image follows from its place in the step.
    """
    settings = training.settings
    draw = torch.Generator().manual_seed(seed_of(settings.seed, epoch=epoch))
    order = torch.randperm(settings.num_images, generator=draw)
    steps = torch.arange(settings.num_images).split(settings.batch_size)[done : settings.steps_per_epoch]
    places = [own_part(part, training.accelerator) for step in steps for part in step.chunk(settings.accumulate)]
    parts = [Part(int(own[0]) % settings.batch_size, settings.batch_size) for own in places]
    return zip(parts, training.source.epoch(order, places, settings.seed, epoch), strict=True)


def train_step(training: Training, step: int, batches: Iterator[tuple[Part, Batch]]) -> Tensor:
    """Change the weights once; the loss, on this process."""
    settings, accelerator = training.settings, training.accelerator
    set_rates(training.optimizers, settings, step)
    with torch.autocast(accelerator.device.type, enabled=False):  # whatever a caller has switched on
        value = backward(training, step, batches)
        if settings.clip_grad:
            accelerator.clip_grad_norm_(training.step_loss.parameters(), settings.clip_grad)
        for optimizer in training.optimizers:
            optimizer.step()
            optimizer.zero_grad()
    if training.average is not None:
        training.average.update_parameters(training.model)
    return value


def set_rates(optimizers: Sequence[torch.optim.Optimizer], settings: RunSettings, step: int) -> None:
    """Set the learning rate of every group of weights for this step."""
    share = rate_share(step, settings)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share


def backward(training: Training, step: int, batches: Iterator[tuple[Part, Batch]]) -> Tensor:
    """Add the gradient of a step's mean loss to that of the weights; the loss, on this process.

    A step is the next ``accumulate`` batches, of one size. Each is drawn for as a part of the whole step: several need
    less memory than their images in one batch, and give the same loss and gradient up to rounding.
    """
    settings, accelerator, step_loss = training.settings, training.accelerator, training.step_loss
    parts, values = settings.accumulate, []
    for number in range(1, parts + 1):
        part, batch = next(batches)
        torch.manual_seed(seed_of(settings.seed, step=step))
        # processes exchange their gradients with the last part
        with nullcontext() if number == parts else accelerator.no_sync(step_loss):
            value = step_loss(batch, part, accelerator.device)
            accelerator.backward(value if parts == 1 else value / parts)
        values.append(value.detach())
    return torch.stack(values).mean() if parts > 1 else values[0]


def checked(values: list[Tensor], training: Training, epoch: int) -> Tensor:
    """The mean over the processes of each step's loss so far, (steps,) float32; the model gets its weights of now.

    Raises:
        FloatingPointError: if a loss or a weight is not finite.
    """
    losses = over_processes(values, training.accelerator)
    gather(training)
    check_finite(losses, training, epoch)
    return losses


def check_finite(losses: Tensor, training: Training, epoch: int) -> None:
    """Raise ``FloatingPointError`` if the loss or a weight is not finite; it names the last good checkpoint."""
    settings, folder = training.settings, training.folder
    mean = losses.mean().item()
    if math.isfinite(mean) and all(p.isfinite().all() for p in training.model.parameters()):
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

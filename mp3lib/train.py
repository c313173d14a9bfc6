"""Training: plain functions over Accelerate, with run folders that survive being killed."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from tqdm.auto import tqdm

from .augment import random_resized_crop
from .checkpoint import checkpoints, keep_unwrapped, open_run, save_checkpoint, save_model
from .evaluate import position_accuracy
from .machine import keep_memory, resolve_precision
from .mp3 import MP3
from .optimizers import highest_rate, make_optimizers, moving_average, warmup_cosine


def pretrain(
    mp3: MP3,
    images: Tensor,
    *,
    epochs: int = 5,
    batch_size: int = 256,
    lr: float | None = None,
    weight_decay: float = 0.05,
    optimizer: Literal["muon", "adamw"] = "muon",
    query_fraction: float = 1.0,
    mask_ratios: tuple[float, float] | None = None,
    crop_area: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
    transform: Callable[[Tensor], Tensor] | None = None,
    ema: float = 0.0,
    precision: Literal["auto", "bf16", "float32"] = "auto",
    seed: int = 0,
    eval_images: Tensor | None = None,
    eval_ratios: Sequence[float] = (0.75, 0.5, 0.0),
    eval_every: int = 1,
    out: str | Path | None = None,
    resume: bool = False,
    about: dict | None = None,
    progress: bool = True,
) -> list[dict]:
    """Pretrain a ViT by masked position prediction; ``mp3`` and the ViT inside it are changed in place.

    Every random choice of a step (crops, flips, contexts, dropout) follows from ``seed`` and the number of the step: a
    run that was killed and resumed ends with the same float32 weights as one that was not, on one processor with one
    number of threads.

    Args:
        mp3: the model, with its mask ratio and kind of context.
        images: uint8 (N, c, H, W).
        epochs: passes over the images; an incomplete last batch is left out.
        batch_size: images a step, over all processes together.
        lr: highest learning rate, after one tenth of the steps of warm-up (one epoch at most), then a cosine to 0.
            Default: 2e-3 for ``muon``, 1e-3 for ``adamw``.
        weight_decay: of the weight matrices, decoupled; biases and norms have none.
        optimizer: ``muon`` for the matrices inside the transformer with AdamW for the rest, or AdamW for everything.
        query_fraction: share of the hidden patches that are asked, see ``MP3.forward``.
        mask_ratios: (lowest, highest): every step draws its mask ratio evenly between them, for a model that is to be
            asked with few and with many patches hidden. Default: always that of ``mp3``.
        crop_area: share of the image that a random crop keeps, (lowest, highest); (1, 1) with no crop. Never padded.
        flip: whether half of the images are mirrored left to right; not for digits and letters.
        transform: applied to each batch after that, float (b, c, H, W) in [-1, 1] to the same, see ``mp3lib.cues``.
        ema: decay of a moving average of the weights, such as 0.999; what is tested, saved and left in ``mp3`` is then
            the average (see ``moving_average``). 0 for none.
        precision: of the matrix products; ``auto`` is bf16 where the hardware has it, else float32.
        seed: of everything random in training; the weights come as they are.
        eval_images: uint8 (M, c, H, W): position accuracy on them goes into the log.
        eval_ratios: mask ratios of that.
        eval_every: epochs between evaluations (the last epoch always is one); 0 for never.
        out: run folder, or None to keep nothing. It ends with ``model.safetensors``, ``config.json``, ``run.json``,
            ``metrics.jsonl`` and the last two checkpoints.
        resume: go on from the newest readable checkpoint in ``out``, or start anew where there is none.
        about: further facts for ``run.json``, such as the data's source and fingerprint.
        progress: show a progress bar (on a terminal or in a notebook, never in a log file).

    Returns:
        one dict an epoch: ``epoch, step, loss, lr, seconds``, ``losses`` (ten means within the epoch) and, where
        evaluated, ``test_accuracy`` and ``test_loss``, each a dict by mask ratio.

    Raises:
        ValueError: for settings out of range, an ``out`` that already holds a run, or settings that differ from it.
        FloatingPointError: if loss or weights are no longer finite; the last good checkpoint is kept, and named.
        OSError: if a checkpoint cannot be written, for one because the disk is full; the one before is kept.
    """
    if images.ndim != 4 or images.dtype != torch.uint8 or not len(images):
        raise ValueError(f"images must be uint8 (N, c, H, W), got {images.dtype} {tuple(images.shape)}")
    if not 0 < query_fraction <= 1:
        raise ValueError(f"query_fraction must be above 0 and at most 1, got {query_fraction}")
    if mask_ratios and not 0 <= mask_ratios[0] <= mask_ratios[1] < 1:
        raise ValueError(f"mask_ratios must be (lowest, highest), at least 0 and below 1, got {mask_ratios}")
    settings = {
        "task": "pretrain",
        "epochs": epochs,
        "batch_size": min(batch_size, len(images)),
        "lr": highest_rate(lr, optimizer, muon=2e-3, adamw=1e-3),
        "weight_decay": weight_decay,
        "optimizer": optimizer,
        "query_fraction": query_fraction,
        "crop_area": list(crop_area),
        "transform": name_of(transform),
        "precision": resolve_precision(precision),
        "seed": seed,
        "num_images": len(images),
        "mask_ratio": mp3.masking_ratio,
        "context": mp3.context,
        "data": (about or {}).get("fingerprint"),
    } | used(ema=ema, unflipped=not flip, mask_ratios=mask_ratios)

    def batch_of(chosen: Tensor, device: torch.device) -> Tensor:
        batch = random_resized_crop(images[chosen].to(device), crop_area, flip)
        return transform(batch) if transform else batch

    def loss(model: nn.Module, chosen: Tensor, device: torch.device) -> Tensor:
        batch, drawn = batch_of(chosen, device), {}
        if mask_ratios:
            drawn["mask_ratio"] = torch.empty(()).uniform_(*mask_ratios).item()
        return model(batch, query_fraction=query_fraction, **drawn)

    def evaluate(mp3: MP3) -> dict:
        scores = position_accuracy(mp3, eval_images, eval_ratios, batch_size=settings["batch_size"])
        return {f"test_{name}": {str(r): s[name] for r, s in scores.items()} for name in ("accuracy", "loss")}

    with torch.no_grad():  # what does not fit is told before a run folder is made
        mp3.embed(batch_of(torch.arange(1), next(mp3.parameters()).device))
        if eval_images is not None:
            position_accuracy(mp3, eval_images[:1], eval_ratios)
    return fit(
        mp3,
        loss,
        settings,
        evaluate=evaluate if eval_images is not None else None,
        eval_every=eval_every,
        out=out,
        resume=resume,
        about=about,
        progress=progress,
    )


def fit(
    model: nn.Module,  # and PyTorchModelHubMixin
    loss: Callable[[nn.Module, Tensor, torch.device], Tensor],
    settings: dict,
    *,
    evaluate: Callable[[nn.Module], dict] | None = None,
    eval_every: int = 1,
    out: str | Path | None = None,
    resume: bool = False,
    about: dict | None = None,
    progress: bool = True,
) -> list[dict]:
    """The one training loop: see ``pretrain`` for the settings and the errors.

    Args:
        model: with the hub mixin, so that it can be saved; trained in place.
        loss: ``loss(model, indices, device)`` is the scalar loss of the images with these int64 indices.
        settings: ``epochs, batch_size, lr, weight_decay, optimizer, precision, seed, num_images`` and whatever else
            describes the run; a resumed run has to have equal ones. ``layer_decay`` and ``ema`` may be left out.
        evaluate: gives further entries for an epoch's line of the log, for the model as it would be saved now.
    """
    settings = json.loads(json.dumps(settings | {"model": model._hub_mixin_config}))
    for name in ("epochs", "batch_size", "lr", "num_images"):
        if not settings[name] > 0:
            raise ValueError(f"{name} must be positive, got {settings[name]}")
    steps_per_epoch = settings["num_images"] // settings["batch_size"]
    total, seed = settings["epochs"] * steps_per_epoch, settings["seed"]

    keep_memory()
    home = next(model.parameters()).device
    AcceleratorState._reset_state()  # a notebook may train in float32 after bf16
    accelerator = Accelerator(
        mixed_precision={"bf16": "bf16", "float32": "no"}[settings["precision"]],
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],  # MP3 leaves the ViT's head alone
    )
    keep_unwrapped(accelerator)
    optimizers = make_optimizers(model, settings)
    average = moving_average(model, settings["ema"], accelerator.device) if settings.get("ema") else None
    if average is not None:
        accelerator.register_for_checkpointing(average)
    folder = Path(out).expanduser() if out is not None else None
    main = accelerator.is_main_process
    lines, step = [], 0
    bar = None
    try:
        wrapped, *optimizers = accelerator.prepare(model, *optimizers)
        peaks = [[group["lr"] for group in o.param_groups] for o in optimizers]
        if folder is not None:
            lines, step = open_run(folder, settings, about, accelerator, resume)
        bar = tqdm(total=total, initial=step, unit="step", disable=None if progress and main else True)
        wrapped.train()
        for epoch in range(step // steps_per_epoch, settings["epochs"]):
            started, values = time.perf_counter(), []
            order = torch.randperm(
                settings["num_images"], generator=torch.Generator().manual_seed(seed_of(seed, epoch=epoch))
            )
            for chosen in order.split(settings["batch_size"])[:steps_per_epoch]:
                lr_now = warmup_cosine(step, total, steps_per_epoch)
                for o, peak in zip(optimizers, peaks, strict=True):
                    for group, highest in zip(o.param_groups, peak, strict=True):
                        group["lr"] = highest * lr_now
                torch.manual_seed(seed_of(seed, step=step, process=accelerator.process_index))
                with accelerator.split_between_processes(chosen) as mine:
                    value = loss(wrapped, mine, accelerator.device)
                accelerator.backward(value)
                for o in optimizers:
                    o.step()
                    o.zero_grad()
                if average is not None:
                    average.update_parameters(model)
                values.append(value.detach())
                step += 1
                bar.update()
            losses = accelerator.reduce(torch.stack(values).float(), "mean").cpu()
            mean = losses.mean().item()
            if not (math.isfinite(mean) and all(p.isfinite().all() for p in model.parameters())):
                what = "weights are no longer finite" if math.isfinite(mean) else f"loss became {mean}"
                good = checkpoints(folder) if folder else []
                if not losses[0].isfinite():  # what the newest checkpoint holds is no longer good
                    good = good[1:]
                raise FloatingPointError(
                    f"the {what} in epoch {epoch + 1} (lr {settings['lr']}, {settings['precision']}). "
                    "Start anew with a lower learning rate or in float32"
                    + (", in another folder" if folder else "")
                    + (f"; the last good weights, to begin with, are in {good[0]}." if good else ".")
                )
            line = {"epoch": epoch + 1, "step": step, "loss": mean, "lr": settings["lr"] * lr_now}
            line["losses"] = [round(part.mean().item(), 5) for part in losses.tensor_split(min(10, steps_per_epoch))]
            line["seconds"] = round(time.perf_counter() - started, 2)
            last = epoch + 1 == settings["epochs"]
            if evaluate and eval_every and main and (last or (epoch + 1) % eval_every == 0):
                with own_forward(model):
                    line |= evaluate(average.module if average is not None else model)
            lines.append(line)
            bar.set_postfix_str(f"loss {mean:.3f}")
            if folder is not None:
                save_checkpoint(folder, accelerator, step, lines, settings["model"])
    finally:
        if bar is not None:
            bar.close()
        for mark in ("forward", "_original_forward", "_is_accelerate_prepared"):  # so that it can be trained again
            model.__dict__.pop(mark, None)
        model.to(home)  # a GPU was for training alone
    if average is not None:
        model.load_state_dict(average.module.state_dict())
    if folder is not None:
        if main:
            save_model(folder, model)
        accelerator.wait_for_everyone()
    return lines


@contextmanager
def own_forward(model: nn.Module) -> Iterator[None]:
    """The forward pass of the model's class, without the autocast that Accelerate has put before it."""
    prepared = model.__dict__.pop("forward", None)
    try:
        yield
    finally:
        if prepared is not None:
            model.forward = prepared


def used(**options: Any) -> dict[str, Any]:
    """The options that are neither 0 nor None: a run's settings name a refinement only where it is switched on."""
    return {name: value for name, value in options.items() if value}


def name_of(transform: Callable | None) -> str | None:
    """How a run's settings name a transform: ``gap(patch_size=(8, 8))`` for ``partial(gap, patch_size=(8, 8))``."""
    if isinstance(transform, functools.partial):
        given = [repr(a) for a in transform.args] + [f"{k}={v!r}" for k, v in transform.keywords.items()]
        return f"{name_of(transform.func)}({', '.join(given)})"
    return None if transform is None else getattr(transform, "__name__", type(transform).__name__)


def seed_of(seed: int, *, epoch: int = 0, step: int = 0, process: int = 0) -> int:
    """A seed for the order of an epoch, or for all that is random in a step, on one of several processes."""
    number = 0
    for part in (seed, epoch, step, process):
        number = number * 1_000_003 + part
    return number % 2**63

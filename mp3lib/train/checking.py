"""What ``pretrain`` and ``finetune`` are called with, checked before a run folder is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..arguments import json_entries, shown, truth
from ..model.checking import check_weights
from ..paths import folder_for_weights
from .settings import RunSettings

# entries of run.json that the library writes
OWN_ENTRIES = ("settings", "versions", "environment", "processes", "id", "resumed", "longer", "best")


def check_call(
    model: nn.Module,
    out: str | Path | None,
    resume: bool,
    about: dict | None,
    progress: bool,
    on_epoch: Callable[[dict], None] | None,
) -> dict[str, Any]:
    """The entries ``about`` as JSON holds them; ``ValueError`` if a training cannot begin with these arguments."""
    if out is not None:
        folder_for_weights(out)
    truth("progress", progress)
    if on_epoch is not None and not callable(on_epoch):
        raise ValueError(f"on_epoch must be a function of one line of the log, or None, got {shown(on_epoch)}")
    if truth("resume", resume) and out is None:
        raise ValueError("resume=True needs out=, the folder of the run to resume")
    check_trainable(model)
    return check_about(about)


def check_kept(settings: RunSettings, save_every: int, out: str | Path | None, evaluated: bool) -> None:
    """``ValueError`` if weights should be kept, or judged, without a folder or without evaluations.

    Args:
        settings: with ``keep`` and ``patience``.
        save_every: steps between checkpoints within an epoch; 0 for none.
        out: the run folder.
        evaluated: whether the run is evaluated at all.
    """
    if save_every and out is None:
        raise ValueError(f"save_every={save_every} needs out=, the folder of the run")
    if settings.keep == "best" and out is None:
        raise ValueError('keep="best" needs out=, the folder of the run, which holds the best checkpoint')
    if (settings.keep == "best" or settings.patience) and not evaluated:
        what = 'keep="best"' if settings.keep == "best" else f"patience={settings.patience}"
        raise ValueError(f"{what} needs evaluations to find the best epoch: give eval_images, and eval_every above 0")


def check_about(about: dict | None) -> dict[str, Any]:
    """Further entries of ``run.json`` as JSON holds them: a tuple becomes a list."""
    entries = json_entries("about", {} if about is None else about)
    if own := [name for name in entries if name in OWN_ENTRIES]:
        raise ValueError(f"about must not hold {own[0]!r}, which run.json has already: choose another key")
    return entries


def check_trainable(model: nn.Module) -> None:
    """``ValueError`` unless gradients are on and reach weights of the model, which are finite float32."""
    if not torch.is_grad_enabled() or torch.is_inference_mode_enabled():
        raise ValueError("gradients are off (torch.no_grad or torch.inference_mode): call this outside of it")
    for name, weight in model.named_parameters():
        if weight.dtype != torch.float32:
            raise ValueError(
                f"the weights must be torch.float32 to be trained, got {weight.dtype} ({name}): call .float() on the "
                'model. precision="bf16" computes in bf16 with float32 weights'
            )
        if weight.is_inference():
            raise ValueError(f"the model was made in torch.inference_mode (got {name}): make it outside of it")
    check_weights(model)
    used = [weight for name, weight in model.named_parameters() if "vit.linear_head." not in name]
    if not any(weight.requires_grad for weight in used):
        raise ValueError("there is nothing to train: got a model whose weights are all frozen (requires_grad is False)")

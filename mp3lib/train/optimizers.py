"""How each weight learns: optimizers, their highest learning rates, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..arguments import number, shown
from ..model.compiled import uncompiled_weights
from .settings import RunSettings

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of Jordan's quintic
NEWTON_SCHULZ_STEPS = 5


def highest_rate(lr: float | None, optimizer: str, **defaults: float) -> float:
    """``lr``, or where that is None the default of the optimizer; ``ValueError`` for an unknown optimizer."""
    if not isinstance(optimizer, str) or optimizer not in defaults:
        raise ValueError(f'optimizer must be "muon" or "adamw", got {shown(optimizer)}')
    return defaults[optimizer] if lr is None else lr


def make_optimizers(model: nn.Module, settings: RunSettings) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the transformer's weight matrices and AdamW for the rest.

    Muon (Jordan 2024; ``torch.optim.Muon``) orthogonalises each matrix's update; its step is scaled to the size of
    AdamW's, so that one learning rate serves both. In float32 its matrix products are in float32, too.

    Raises:
        ValueError: for something else than a model and settings, and for a layer decay of a model that has no layers.
    """
    if not isinstance(model, nn.Module) or not isinstance(settings, RunSettings):
        raise ValueError(f"make_optimizers takes a model and RunSettings, got {shown(model)} and {shown(settings)}")
    groups: dict[tuple[bool, bool, float], list[nn.Parameter]] = {}
    for name, parameter in uncompiled_weights(dict(model.named_parameters())).items():
        matrix = parameter.ndim >= 2
        muon = settings.optimizer == "muon" and is_for_muon(name, parameter)
        scale = layer_scale(model, name, settings.layer_decay)
        groups.setdefault((muon, matrix, scale), []).append(parameter)

    def of(kind: bool) -> list[dict]:
        return [
            {
                "params": parameters,
                "lr": settings.lr * scale,
                "initial_lr": settings.lr * scale,  # PyTorch's name: the rate that a schedule starts from
                "weight_decay": settings.weight_decay if matrix else 0.0,
            }
            for (muon, matrix, scale), parameters in groups.items()
            if muon == kind
        ]

    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(of(False), betas=(0.9, 0.95))]
    if of(True):
        kind = Float32Muon if settings.precision == "float32" else torch.optim.Muon
        optimizers.append(kind(of(True), adjust_lr_fn="match_rms_adamw"))
    return optimizers


def is_for_muon(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon trains a weight: the matrices of the transformer."""
    return parameter.ndim == 2 and "transformer.layers" in name


class Float32Muon(torch.optim.Muon):
    """``torch.optim.Muon`` with its matrix products in float32; ``adjust_lr_fn`` has to be ``"match_rms_adamw"``.

    PyTorch's own always takes bf16. A processor without instructions for it converts number by number, and a step of
    the optimizer then takes several times as long as the model's forward and backward pass (benchmarks/README.md).
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p.grad)
                momentum = self.state[p]["momentum_buffer"].lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalised(p.grad.lerp(momentum, group["momentum"]))  # Nesterov's
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * (0.2 * math.sqrt(max(p.shape))))


def orthogonalised(matrix: Tensor) -> Tensor:
    """A float matrix (m, n) with its singular values brought near 1 (0.7 to 1.2), by Newton-Schulz iteration.

    Those below about a thousandth of the matrix's norm do not get that far.

    Source: Jordan 2024, *Muon: An optimizer for hidden layers in neural networks*.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix  # so that x @ x.T is the smaller product
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def layer_scale(model: nn.Module, name: str, decay: float) -> float:
    """What a parameter's learning rate is multiplied by: 1 at the head, ``decay`` less for each layer below it."""
    if decay == 1:
        return 1.0
    if not hasattr(model, "transformer"):
        raise ValueError(f"layer_decay {decay} needs a ViT, got {type(model).__name__}: accepted is 1")
    depth = len(model.transformer.layers)
    if "to_patch_embedding" in name:
        return decay ** (depth + 1)
    if "transformer.layers." in name:
        return decay ** (depth - int(name.split("transformer.layers.")[1].split(".")[0]))
    return 1.0


def moving_average(model: nn.Module, decay: float, device: torch.device | str | None = None) -> AveragedModel:
    """A copy of ``model`` whose weights follow its own as an exponential moving average (EMA).

    After each step call ``update_parameters(model)``: the average keeps ``decay`` of itself and takes the rest from the
    model, where ``0 <= decay < 1``. It begins with less, (1 + t) / (10 + t) after t updates, so that a short run does
    not end with the weights it began with. The averaged model is ``.module``; ``state_dict()`` holds t as well.

    Raises:
        ValueError: for a decay out of range.

    Source: Polyak & Juditsky 1992; the warm-up of the decay is TensorFlow's ``ExponentialMovingAverage``.
    """
    decay = number("the decay of the moving average", decay, "be at least 0 and below 1", lambda d: 0 <= d < 1)

    @torch.no_grad()
    def follow(averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        t = int(updates)
        for average, weight in zip(averaged, current, strict=True):
            average.lerp_(weight, 1 - min(decay, (1 + t) / (10 + t)))

    return AveragedModel(model, device, multi_avg_fn=follow)

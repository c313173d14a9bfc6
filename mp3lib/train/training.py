"""What a training works with: the model and its loss as one module, optimizers, images, settings, the run folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..model.saving import SavedModel
from .batches import Batch, Source
from .checkpoint import Progress, keep_own_weights, save_checkpoint
from .optimizers import make_optimizers
from .run_folder import RunSettings

Loss = Callable[[nn.Module, Batch, torch.device], Tensor]


@dataclass
class Training:
    """What a training works with."""

    model: SavedModel
    average: AveragedModel | None  # the moving average of its weights
    step_loss: nn.Module  # the model with its loss, as Accelerate has prepared it
    optimizers: list[torch.optim.Optimizer]
    source: Source
    settings: RunSettings
    accelerator: Accelerator
    folder: Path | None
    run_id: str | None = None  # of the run in the folder

    @property
    def result(self) -> nn.Module:
        """What the training would give now: the average where there is one, else the model."""
        return self.model if self.average is None else self.average.module


def prepared(
    model: SavedModel,
    average: AveragedModel | None,
    loss: Loss,
    source: Source,
    settings: RunSettings,
    accelerator: Accelerator,
    folder: Path | None,
) -> Training:
    """Everything that a training works with, on its device."""
    optimizers = make_optimizers(model, settings)
    keep_own_weights(accelerator, model, average)
    step_loss, *optimizers = accelerator.prepare(StepLoss(model, loss, settings.precision), *optimizers)
    return Training(model, average, step_loss.train(), optimizers, source, settings, accelerator, folder)


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


def save(training: Training, done: Progress) -> None:
    """Write a checkpoint, where there is a run folder."""
    if training.folder is not None:
        config = training.model.config
        save_checkpoint(training.folder, training.accelerator, done, training.settings, config, training.run_id)

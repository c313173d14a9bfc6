"""What a training works with: the model and its loss as one module, optimizers, images, settings, the run folder."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, broadcast_object_list, send_to_device
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..model.saving import SavedModel
from .batches import Batch, Source
from .checkpoint import Progress, keep_own_weights, save_checkpoint
from .optimizers import make_optimizers, moving_average
from .processes import is_sharded
from .randomness import Part
from .settings import RunSettings

Loss = Callable[[nn.Module, Batch, Part, torch.device], Tensor]


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
    loss: Loss,
    source: Source,
    settings: RunSettings,
    accelerator: Accelerator,
    folder: Path | None,
) -> Training:
    """Everything that a training works with, on its device.

    With FSDP a copy of the model is trained, whose weights are spread over the processes, and ``gather`` brings them
    back. Weights of it that the training does not use are not trained: FSDP would miss them in its checkpoints.
    """
    average = moving_average(model, settings.ema, accelerator.device) if settings.ema else None
    trained = model
    if is_sharded(accelerator):
        trained = deepcopy(model)
        if settings.task == "pretrain":
            trained.vit.linear_head.requires_grad_(False)
    optimizers = make_optimizers(trained, settings)
    if not is_sharded(accelerator):
        keep_own_weights(accelerator, model, average)
    step_loss, *optimizers = accelerator.prepare(StepLoss(trained, loss, settings.precision), *optimizers)
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

    def forward(self, batch: Batch, part: Part, device: torch.device) -> Tensor:
        def model(*args, **kwargs) -> Tensor:
            with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                return self.model(*args, **kwargs).float()

        with torch.autocast(device.type, enabled=False):  # whatever a caller's Accelerator switches on around this
            return self.loss(model, batch, part, device)


def save(training: Training, done: Progress) -> None:
    """Write a checkpoint, where there is a run folder."""
    if training.folder is not None:
        settings, model = training.settings, training.model
        save_checkpoint(training.folder, training.accelerator, done, settings, model, training.run_id)


def gather(training: Training) -> None:
    """With FSDP, give the model the weights that are spread over the processes; else nothing has to be done."""
    if is_sharded(training.accelerator):
        weights = training.accelerator.get_state_dict(training.step_loss)  # all of them on the main process alone
        weights = {name.removeprefix("model."): weight.cpu() for name, weight in weights.items()}
        training.model.load_state_dict(broadcast_object_list([weights])[0])


def send_state(training: Training) -> None:
    """Give every process the weights, the average and the optimizers' state of the main process."""
    accelerator = training.accelerator
    if accelerator.num_processes == 1:
        return
    for module in filter(None, (training.model, training.average)):
        weights = {name: weight.to(accelerator.device) for name, weight in module.state_dict().items()}
        module.load_state_dict(broadcast(weights))
    for optimizer in training.optimizers:
        state = send_to_device(optimizer.state_dict(), "cpu") if accelerator.is_main_process else None
        optimizer.load_state_dict(broadcast_object_list([state])[0])

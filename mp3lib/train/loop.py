"""The training loop that pretraining and fine-tuning share. Read ``fit`` first; its steps follow in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import nn
from tqdm.auto import tqdm

from ..model.card import model_card, write_card
from ..model.fitting import POS_EMB, check_loadable
from ..model.modes import modes_restored
from ..model.saving import SavedModel, save_model
from ..paths import expanded
from .batches import Source
from .best import has_waited
from .blocks import blocks, check_compiler
from .checkpoint import Progress, check_own, load_best
from .hardware import keep_memory
from .opening import begin, locked
from .processes import check_divided, check_sharding, new_accelerator, on_main
from .randomness import random_state_restored
from .run_folder import read_run
from .settings import RunSettings
from .steps import train_epoch
from .training import Loss, Training, prepared, save
from .watching import as_numbers, in_words, trackers


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
        loss: ``loss(model, batch, part, device)`` is the scalar loss of a batch of ``source``, a part of its step.
        source: gives the batches.
        settings: what decides the weights; a resumed run must have the same.
        evaluate: gives further entries for an epoch's line of the log, for the model as it would be saved now.
    """
    keep_memory()
    folder = expanded(out) if out is not None else None
    if folder is not None:
        check_loadable(model)
    accelerator = new_accelerator(log, folder)
    check_divided(settings, accelerator)
    check_sharding(settings, accelerator)
    if settings.compile:
        check_compiler(accelerator.device)
    with left_as_it_was(model), random_state_restored(), locked(folder, accelerator):
        training = prepared(model, loss, source, settings, accelerator, folder)
        done = begin(training, about, resume)
        lines = done.lines
        own_blocks = blocks(
            training.step_loss, compiled=settings.compile, checkpoint_activations=checkpoint_activations
        )
        with own_blocks, trackers(accelerator, log, folder), progress_bar(training, done.step, progress) as bar:
            if POS_EMB in settings.options:  # noted where nothing has refused the run, and saved with the weights
                model.pos_emb = settings.options[POS_EMB]
            for epoch in range(len(lines), settings.epochs):
                if has_waited(lines, settings.patience):
                    break
                line = train_epoch(training, epoch, done, bar, save_every)
                if evaluate and is_due(epoch, settings.epochs, eval_every):
                    line |= on_main(lambda: evaluate(training.result), accelerator)
                lines.append(line)
                show(line, training, bar, progress)
                done = Progress(lines, line["step"])
                save(training, done)
                accelerator.log(as_numbers(line), step=done.step)
                if on_epoch and accelerator.is_main_process:
                    on_epoch(dict(line))
        finish(training, lines)
    return lines


def progress_bar(training: Training, done: int, shown: bool) -> tqdm:
    """A bar of the steps, on a terminal or in a notebook, on the main process."""
    hidden = None if shown and training.accelerator.is_main_process else True  # None: where there is no terminal
    total = training.settings.total_steps
    # twice a second: Jupyter drops messages of a cell that sends too many
    return tqdm(total=total, initial=done, unit="step", disable=hidden, mininterval=0.5)


def show(line: dict, training: Training, bar: tqdm, shown: bool) -> None:
    """Show an epoch's loss beside the bar, or print a line where there is no terminal and no notebook."""
    bar.set_postfix_str(f"loss {line['loss']:.3f}")
    if shown and bar.disable and training.accelerator.is_main_process:
        print(in_words(line, training.settings.epochs), flush=True)


def is_due(epoch: int, epochs: int, every: int) -> bool:
    """Whether there is an evaluation after this epoch, counted from 0: every so many, and after the last; 0: never."""
    return every > 0 and ((epoch + 1) % every == 0 or epoch + 1 == epochs)


def finish(training: Training, lines: list[dict]) -> None:
    """Give the model the weights that the run ends with, and write them where there is a run folder."""
    model, folder, accelerator = training.model, training.folder, training.accelerator
    if training.average is not None:
        model.load_state_dict(training.average.module.state_dict())
    if training.settings.keep == "best":
        load_best(model, folder, lines, accelerator, training.average is not None)
    if folder is not None:

        def write() -> None:
            check_own(folder, training.run_id)
            save_model(folder, model)
            write_card(folder, model_card(model, read_run(folder), lines, folder.name))

        on_main(write, accelerator)


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Leave the model on its device, and each part in its mode: training may move it to a GPU, in training mode."""
    home = next(model.parameters()).device
    try:
        with modes_restored(model):
            yield
    finally:
        model.to(home)

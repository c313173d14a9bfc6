"""Learning rates over a run: a linear rise, and then a cosine, a constant rate, or a constant rate with a decline."""

from __future__ import annotations

import math
from dataclasses import replace

from ..arguments import whole
from .settings import RunSettings

DECLINE = 0.2  # of the steps, at the end of "wsd"


def warmup_cosine(step: int, total: int, steps_per_epoch: int) -> float:
    """Share of the highest learning rate at ``step`` of ``total``: a linear rise, then half a cosine down to 0.

    Raises:
        ValueError: unless ``total`` and ``steps_per_epoch`` are positive whole numbers, and ``step`` one from 0 to
            ``total``.
    """
    total, steps_per_epoch = whole("total", total), whole("steps_per_epoch", steps_per_epoch)
    step = whole("step", step, 0, total)
    return cosine_after(short_warmup(total, steps_per_epoch), step, total)


def short_warmup(total: int, steps_per_epoch: int) -> int:
    """Steps of the warm-up where none is named: a tenth of all steps, at most one epoch."""
    return max(1, min(steps_per_epoch, total // 10))


def cosine_after(warmup: int, step: int, total: int) -> float:
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def rate_share(step: int, settings: RunSettings) -> float:
    """Share of the highest learning rate at a step, counted from 0, by the schedule of the settings.

    After the warm-up ``cosine`` falls to 0 along half a cosine. ``constant`` stays. ``wsd`` (warm-up, stable, decay)
    stays as well, and falls to 0 in the last fifth of the steps as ``1 - sqrt(t)``, where t goes from 0 to 1.

    Source: Hu et al. 2024, *MiniCPM*, arXiv 2404.06395 (WSD); Hägele et al. 2024, arXiv 2405.18392 (the form and the
    length of the decline).
    """
    total, warmup = settings.total_steps, warmup_steps(settings)
    if settings.schedule == "cosine":
        return cosine_after(warmup, step, total)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if settings.schedule == "wsd" and step > (first := decline_step(settings)):
        return 1 - math.sqrt((step - first) / (total - first))
    return 1.0


def warmup_steps(settings: RunSettings) -> int:
    """Steps in which the rate rises.

    Where no warm-up is named it is a tenth of all steps for a cosine, at most one epoch. For the other schedules it is
    one epoch (at most what comes before the decline), so that it does not depend on the length of the run.
    """
    total, per_epoch = settings.total_steps, settings.steps_per_epoch
    if settings.warmup is not None:
        return round(settings.warmup * per_epoch)
    if settings.schedule == "cosine":
        return short_warmup(total, per_epoch)
    return min(per_epoch, decline_step(settings))


def decline_step(settings: RunSettings) -> int:
    """The step from which the rate of ``wsd`` falls; for other schedules the last one."""
    total = settings.total_steps
    return total - max(1, round(DECLINE * total)) if settings.schedule == "wsd" else total


def common_steps(settings: RunSettings, epochs: int) -> int:
    """How many steps have the same rates if the run has this number of epochs instead: 0 for a cosine."""
    if epochs == settings.epochs:
        return settings.total_steps
    other = replace(settings, epochs=epochs)
    if settings.schedule == "cosine" or warmup_steps(settings) != warmup_steps(other):
        return 0
    return min(decline_step(settings), decline_step(other))

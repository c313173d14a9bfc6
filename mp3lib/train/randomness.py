"""Random numbers of a training: their seeds, and the caller's random state left as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

from ..arguments import seed_number, whole


class Part(NamedTuple):
    """Which images of a step a process computes at once: so many from number ``first`` on, of ``total``."""

    first: int
    total: int


@contextmanager
def own_draws(part: Part) -> Iterator[None]:
    """Within the ``with``, draw other random numbers for each part of a step.

    This is for what is drawn in the middle of the model and for single images, such as dropout. The first part draws as
    a process that computes the whole step does. What all parts have to draw alike, such as contexts, comes before.
    """
    if part.first == 0:
        yield
        return
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        torch.manual_seed(seed_of(torch.initial_seed() % 2**63, process=part.first))
        yield


def seed_of(seed: int, *, epoch: int = 0, step: int = 0, process: int = 0) -> int:
    """A seed for the order of an epoch, or for all that is random in a step.

    ``process`` gives further seeds, for what each part of a step has to draw for itself.

    Raises:
        ValueError: for something else than whole numbers of at least 0.
    """
    counts = [whole(*pair, low=0) for pair in (("epoch", epoch), ("step", step), ("process", process))]
    number = 0
    for part in (seed_number(seed), *counts):
        number = number * 1_000_003 + part
    return number % 2**63


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

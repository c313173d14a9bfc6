"""Random numbers of one's own, which leave the caller's as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def random_state_kept(seed: int = 0) -> Iterator[None]:
    """Draw on the CPU from ``seed`` within the ``with``; afterwards the caller's random state is as it was.

    The random states of other devices are left alone: ``torch.manual_seed`` would change those as well.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield

"""The compute budget: one environment variable, ``MP3_BUDGET``, which is read only here."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")
BUDGETS = ("smoke", "laptop", "full")


def budget(*, smoke: T, laptop: T, full: T) -> T:
    """Return one of three settings: the one that ``$MP3_BUDGET`` names, or ``laptop`` if it is not set.

    Args:
        smoke: a setting that only checks that everything runs.
        laptop: a setting that trains for about a minute on two CPU cores.
        full: a setting for a GPU, or for a night on a CPU.

    Raises:
        ValueError: if ``$MP3_BUDGET`` has another value.
    """
    name = os.environ.get("MP3_BUDGET") or "laptop"
    if name not in BUDGETS:
        raise ValueError(f"MP3_BUDGET must be one of {', '.join(BUDGETS)}, got {name!r}")
    return dict(zip(BUDGETS, (smoke, laptop, full), strict=True))[name]

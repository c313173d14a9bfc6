"""How much computing a reader has: one environment variable, read here and nowhere else."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")
BUDGETS = ("smoke", "laptop", "full")


def budget(*, smoke: T, laptop: T, full: T) -> T:
    """The one of three settings that ``$MP3_BUDGET`` names; ``laptop`` when it is not set.

    ``smoke`` only shows that everything runs, ``laptop`` learns something in about a minute on two cores, ``full`` is
    for a GPU or a night.

    Raises:
        ValueError: if ``$MP3_BUDGET`` is another word.
    """
    name = os.environ.get("MP3_BUDGET") or "laptop"
    if name not in BUDGETS:
        raise ValueError(f"MP3_BUDGET must be one of {', '.join(BUDGETS)}, got {name!r}")
    return dict(zip(BUDGETS, (smoke, laptop, full), strict=True))[name]

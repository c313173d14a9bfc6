"""The kinds of values that options take, from their texts; what does not fit is refused."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

LARGEST = 2**31 - 1  # of whole numbers; more than any size or number needs
LARGEST_SEED = 2**63 - 1  # as ``mp3lib.arguments`` has it, which imports PyTorch


def whole(text: str) -> int:
    """A whole number from 1."""
    return _between(text, 1)


def count(text: str) -> int:
    """A whole number from 0."""
    return _between(text, 0)


def seed(text: str) -> int:
    """A whole number from 0, as large as a seed may be."""
    return _between(text, 0, LARGEST_SEED)


def _between(text: str, lowest: int, largest: int = LARGEST) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
    if not lowest <= value <= largest:
        raise argparse.ArgumentTypeError(f"must be {lowest} to {largest}, got {value}")
    return value


def finite(text: str) -> float:
    """A finite number of either sign."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number, got {text}")
    return value


def number(text: str) -> float:
    """A finite number from 0."""
    value = finite(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be a finite number of 0 or more, got {text}")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    if not (value := number(text)):
        raise argparse.ArgumentTypeError("must be above 0, got 0")
    return value


def named(text: str) -> str:
    """A name or a path that is not empty; ``~`` is expanded where it is used."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def path(text: str) -> Path:
    """A path that is not empty, with ``~`` expanded."""
    from ..paths import expanded

    try:
        return expanded(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
